//! What the files of a project say, kept on this machine from one command to the next.

use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_detect::{Memory, Tree, TreeError};
use plimsoll_image::Replacement;
use sha2::{Digest as _, Sha256};

use crate::settings::Settings;

/// Facts of one project's files. Without them, and where they cannot be kept, every command looks at
/// every file.
pub(crate) struct KnownFacts {
    file: PathBuf,
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
        let file = settings.cache().join("facts").join(name);
        let kept = fs_err::read(&file).unwrap_or_default();
        Self {
            file,
            memory: Arc::new(Memory::new(kept, &this_program())),
        }
    }

    /// The source tree below a directory.
    pub(crate) fn tree(&self, directory: &Path) -> Result<Tree, TreeError> {
        Ok(Tree::read(directory)?.remembering(self.memory.clone()))
    }

    /// Keeps what was learnt.
    pub(crate) fn keep(&self) {
        let Some(bytes) = self.memory.to_keep() else {
            return;
        };
        if let Err(error) = self.write(&bytes) {
            tracing::debug!("what the files say is not kept: {error}");
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        fs_err::create_dir_all(self.file.parent().unwrap_or(Path::new("/")))?;
        // Source code may hold what others must not read.
        let mut replacement = Replacement::private(&self.file)?;
        replacement.file().write_all(bytes)?;
        replacement.place()
    }
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
