//! A stage while it is built: its layers, its configuration, its variables.

use fs_err as fs;

use super::DockerfileError;
use super::accounts::Account;
use super::variables::Variables;
use super::view::View;
use crate::Digest;
use crate::digest::Hasher;
use crate::layer::{END, FileSet, write_tar};
use crate::oci::ImageConfig;
use crate::step::scratch::Scratch;
use crate::store::ImageLayer;
use crate::workshop::Workshop;

/// Changes whenever layers of the same inputs come out otherwise.
pub(super) const RULES: &str = "dockerfile 1";

/// A stage, as far as it is built.
#[derive(Debug, Clone)]
pub(super) struct StageState {
    pub(super) layers: Vec<ImageLayer>,
    pub(super) config: ImageConfig,
    pub(super) variables: Variables,
    /// Whether this stage, not its base, says the command.
    pub(super) says_command: bool,
}

impl StageState {
    /// Builds on an image; its triggers are taken out.
    pub(super) fn new(layers: Vec<ImageLayer>, config: ImageConfig, escape: char) -> Self {
        Self {
            variables: Variables::new(escape, config.environment.clone()),
            layers,
            config,
            says_command: false,
        }
    }

    /// What tells its file system from any other.
    pub(super) fn identity(&self) -> Digest {
        let mut hasher = Hasher::default();
        for entry in &self.layers {
            hasher.update(entry.layer.diff_id.to_string().as_bytes());
        }
        hasher.finish()
    }

    /// Its file system, to look into.
    pub(super) fn view(&self, workshop: &Workshop<'_>) -> Result<View, DockerfileError> {
        Ok(View::of_layers(&workshop.trees(&self.layers)?))
    }

    /// What runs shell forms.
    pub(super) fn shell(&self) -> Vec<String> {
        match self.config.shell.is_empty() {
            true => vec!["/bin/sh".to_owned(), "-c".to_owned()],
            false => self.config.shell.clone(),
        }
    }

    /// An absolute path: relative ones start at the working directory.
    pub(super) fn absolute(&self, path: &str) -> String {
        let whole = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("{}/{path}", self.config.working_dir),
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in whole.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        format!("/{}", parts.join("/"))
    }

    /// Whom a name means in this image.
    pub(super) fn account(
        &self,
        workshop: &Workshop<'_>,
        name: &str,
    ) -> Result<Account, DockerfileError> {
        let view = self.view(workshop)?;
        Account::find(&view, name)?.map_err(|unknown| {
            DockerfileError::at(
                None,
                format!("the image has no user or group `{}`", unknown.0),
            )
            .hint("make it in a `RUN` before, or use its number")
        })
    }
}

/// Files that become a layer.
pub(super) struct Made {
    pub(super) files: FileSet,
    /// Where they are until they are written: dropped with this.
    pub(super) _place: Option<Scratch>,
}

/// The layer that was made for a key, or that of the files that `make` gives now; none when there
/// are no files.
pub(super) fn layer(
    workshop: &Workshop<'_>,
    key: &str,
    created_by: &str,
    make: impl FnOnce() -> Result<Made, DockerfileError>,
) -> Result<Vec<ImageLayer>, DockerfileError> {
    let mut layers = workshop.layers(key, || {
        let made = make()?;
        let files = &made.files;
        if files.is_empty() {
            return Ok(Vec::new());
        }
        import(workshop, files, created_by).map(|layer| vec![layer])
    })?;
    // Another Dockerfile may have made it in other words.
    for entry in &mut layers {
        entry.created_by = created_by.to_owned();
    }
    Ok(layers)
}

/// Writes files as a layer that may hold whiteouts.
pub(super) fn import(
    workshop: &Workshop<'_>,
    files: &FileSet,
    created_by: &str,
) -> Result<ImageLayer, DockerfileError> {
    use std::io::Write;
    let scratch = workshop.scratch()?;
    let path = scratch.path().join("layer.tar");
    let mut output = std::io::BufWriter::with_capacity(256 << 10, fs::File::create(&path)?);
    write_tar(files, &mut output)?;
    output.write_all(&END)?;
    output.flush()?;
    let layer = workshop
        .store
        .import_layer(&mut fs::File::open(&path)?, None)?;
    Ok(ImageLayer {
        layer,
        created_by: created_by.to_owned(),
    })
}
