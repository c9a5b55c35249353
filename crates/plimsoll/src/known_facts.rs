//! What the files of a project say, kept on this machine from one command to the next.

use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_detect::{Memory, Texts, Tree, TreeError, Trees};
use plimsoll_image::Replacement;
use sha2::{Digest as _, Sha256};

use crate::settings::Settings;

/// Facts of one project's files. Without them, and where they cannot be kept, every command looks at
/// every file.
pub(crate) struct KnownFacts {
    texts: PathBuf,
    trees: PathBuf,
    memory: Arc<Memory>,
}

impl KnownFacts {
    /// Reads what is known.
    pub(crate) fn open(settings: &Settings) -> Self {
        let digest = Sha256::digest(settings.directory.as_os_str().as_encoded_bytes());
        let name: String = digest[..12]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let facts = settings.cache().join("facts");
        let texts = facts.join(&name);
        let trees = facts.join(name + ".trees");
        let maker = this_program();
        let kept_texts = texts.clone();
        let memory = Memory {
            texts: Texts::new(move || fs_err::read(kept_texts).unwrap_or_default(), &maker),
            trees: Trees::new(fs_err::read(&trees).unwrap_or_default(), &maker),
        };
        Self {
            texts,
            trees,
            memory: Arc::new(memory),
        }
    }

    /// The source tree below a directory.
    pub(crate) fn tree(&self, directory: &Path) -> Result<Tree, TreeError> {
        Ok(Tree::read(directory)?.remembering(self.memory.clone()))
    }

    /// Keeps what was learnt.
    pub(crate) fn keep(&self) {
        let learnt = [
            (&self.texts, self.memory.texts.to_keep()),
            (&self.trees, self.memory.trees.to_keep()),
        ];
        for (file, bytes) in learnt {
            if let Some(bytes) = bytes
                && let Err(error) = write(file, &bytes)
            {
                tracing::debug!("what the files say is not kept: {error}");
            }
        }
    }
}

fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    fs_err::create_dir_all(file.parent().unwrap_or(Path::new("/")))?;
    // Source code may hold what others must not read.
    let mut replacement = Replacement::private(file)?;
    replacement.file().write_all(bytes)?;
    replacement.place()
}

/// This program, told from an earlier or later one.
fn this_program() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let file = std::env::current_exe().and_then(fs_err::metadata);
    match file {
        Ok(file) => format!(
            "{version} {} {}.{}",
            file.len(),
            file.mtime(),
            file.mtime_nsec()
        ),
        Err(_) => version.to_owned(),
    }
}
