//! Installed distributions, each file with its digest.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use fs_err as fs;

use crate::Digest;
use crate::layer::Content;
use crate::python::environment::{Distribution, ENVIRONMENT, InstalledError, below_root};
use crate::python::interpreter::Interpreter;
use crate::python::wheels::laid_out;

/// An installed distribution.
#[derive(Debug)]
pub(super) struct Installed {
    /// `fastapi-0.121.0`, from its metadata's directory.
    pub name: String,
    /// Its files, sorted by path.
    pub files: Vec<InstalledFile>,
}

/// One of its files.
#[derive(Debug)]
pub(super) struct InstalledFile {
    /// Path below the environment.
    pub path: String,
    /// Whether it may be started.
    pub executable: bool,
    /// Hash of its bytes.
    pub digest: Digest,
    /// How many these are.
    pub size: u64,
    /// Where they are.
    pub content: Content,
}

impl Installed {
    /// Looks at what was installed, without what an image leaves out (paths in the image).
    pub(super) fn look(
        distribution: &Distribution,
        left_out: &BTreeSet<String>,
    ) -> Result<Self, InstalledError> {
        let mut files = Vec::new();
        for (path, place) in &distribution.files {
            if left_out.contains(&format!("{}/{path}", below_root(ENVIRONMENT))) {
                continue;
            }
            let mut file = fs::File::open(place)?;
            let mode = file.metadata()?.mode();
            let (digest, size) = Digest::of_reader(&mut file)?;
            files.push(InstalledFile {
                path: path.clone(),
                executable: mode & 0o100 != 0,
                digest,
                size,
                content: Content::Seen(place.clone(), digest),
            });
        }
        Ok(Self {
            name: distribution.name.clone(),
            files,
        })
    }
}

/// What an installation of wheels leaves. The error is a short reason to let the installer judge.
pub(super) fn of_wheels(
    archives: &[PathBuf],
    interpreter: &Interpreter,
) -> Result<Vec<Installed>, String> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for archive in archives {
        let (name, laid) = laid_out(archive, interpreter)?;
        let mut files = Vec::new();
        for (path, executable, content) in laid {
            // Of two files at one path the installer decides.
            if !seen.insert(path.clone()) {
                return Err(format!("two wheels have `{path}`"));
            }
            let Content::Bytes(bytes) = content else {
                return Err(format!("`{path}` is large"));
            };
            files.push(InstalledFile {
                path,
                executable,
                digest: Digest::of(&bytes),
                size: bytes.len() as u64,
                content: Content::Bytes(bytes),
            });
        }
        all.push(Installed { name, files });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

impl InstalledFile {
    /// Its bytes, which are those that its digest names.
    pub(super) fn bytes(&self) -> std::io::Result<Vec<u8>> {
        let bytes = match &self.content {
            Content::Bytes(bytes) => return Ok(bytes.clone()),
            Content::Part(whole, range) => return Ok(whole[range.clone()].to_vec()),
            Content::File(place) | Content::Seen(place, _) => fs::read(place)?,
        };
        match Digest::of(&bytes) == self.digest {
            true => Ok(bytes),
            // Between looking at it and now.
            false => Err(std::io::Error::other(format!(
                "`{}` changed while it was read",
                self.path
            ))),
        }
    }
}
