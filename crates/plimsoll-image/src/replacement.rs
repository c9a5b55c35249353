//! Files that other processes and threads may read, and write, at the same time: their new content
//! is written beside them under a name that nobody else uses, and renamed over them when it is
//! whole.
//!
//! What a power cut may take is for the caller to decide: nothing is synced here.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;

/// Distinguishes what one process writes.
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// The new content of a file. It vanishes unless it is put in place.
#[derive(Debug)]
pub struct Replacement {
    file: fs::File,
    draft: PathBuf,
    destination: PathBuf,
    placed: bool,
}

impl Replacement {
    /// Starts the new content of the file at `path`, whose directory is there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn of(path: &Path) -> io::Result<Self> {
        Self::open(path, 0o666)
    }

    /// The same for content that only its owner may read.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn private(path: &Path) -> io::Result<Self> {
        Self::open(path, 0o600)
    }

    fn open(path: &Path, mode: u32) -> io::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        loop {
            let count = COUNTER.fetch_add(1, Ordering::Relaxed);
            // Processes in containers that share a directory may have the same number.
            let draft = path.with_file_name(format!(".{name}.{}-{count}", std::process::id()));
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true).mode(mode);
            match options.open(&draft) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => {
                    return Ok(Self {
                        file: made?,
                        draft,
                        destination: path.to_owned(),
                        placed: false,
                    });
                }
            }
        }
    }

    /// Where it is written.
    pub fn file(&mut self) -> &mut fs::File {
        &mut self.file
    }

    /// Its path until it is in place.
    pub(crate) fn draft(&self) -> &Path {
        &self.draft
    }

    /// Gives it the file's name.
    ///
    /// # Errors
    /// When it cannot; the file is what it was.
    pub fn place(mut self) -> io::Result<()> {
        fs::rename(&self.draft, &self.destination)?;
        self.placed = true;
        Ok(())
    }

    /// Gives it the file's name where there is no such file yet. It may be another's content then.
    ///
    /// # Errors
    /// When it cannot.
    pub fn place_if_absent(self) -> io::Result<()> {
        // Dropping takes the draft's own name away.
        match fs::hard_link(&self.draft, &self.destination) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    }

    /// Replaces a file by these bytes.
    ///
    /// # Errors
    /// When it cannot; the file is what it was.
    pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut replacement = Self::of(path)?;
        io::Write::write_all(replacement.file(), bytes)?;
        replacement.place()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.placed {
            // The failure that led here is what the user should read.
            let _ = fs::remove_file(&self.draft);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_who_write_one_file_never_show_half_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("list");
        let content = |writer: u8| vec![b'a' + writer; 100_000];
        Replacement::write(&path, &content(0)).unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..50 {
                        Replacement::write(path, &content(writer)).unwrap();
                        let seen = fs::read(path).unwrap();
                        assert_eq!(seen.len(), 100_000);
                        assert!(seen.iter().all(|byte| *byte == seen[0]));
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_first_of_many_stays_where_only_an_absent_file_is_made() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        for content in [b"first", b"later"] {
            let mut replacement = Replacement::private(&path).unwrap();
            io::Write::write_all(replacement.file(), content).unwrap();
            replacement.place_if_absent().unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), b"first");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_put_in_place_vanishes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("list");
        Replacement::write(&path, b"old").unwrap();
        let mut replacement = Replacement::of(&path).unwrap();
        io::Write::write_all(replacement.file(), b"half").unwrap();
        drop(replacement);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
