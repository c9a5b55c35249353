//! The secret of this machine from which passwords of inferred services are derived.
//!
//! A project without a Compose file gets, say, a PostgreSQL with a password. It must be the same
//! at every start, because the volume remembers it, and it must not be guessable.

use std::io::{Read as _, Write as _};
use std::path::Path;

use plimsoll_diag::Secret;
use plimsoll_image::Replacement;
use sha2::{Digest as _, Sha256};

/// Length of the key and of the salt of each password, in bytes.
const KEY_LENGTH: usize = 32;

/// The key, read from or made in the data directory.
pub(crate) struct MachineKey(Secret<[u8; KEY_LENGTH]>);

impl MachineKey {
    /// Reads the key of this data directory; makes it on the first call.
    pub(crate) fn open(data: &Path) -> std::io::Result<Self> {
        fs_err::create_dir_all(data)?;
        let path = data.join("key");
        loop {
            match fs_err::read(&path) {
                Ok(bytes) => {
                    let key = bytes.try_into().map_err(|_| {
                        std::io::Error::other(format!(
                            "{}: not a key of {KEY_LENGTH} bytes",
                            path.display()
                        ))
                    })?;
                    return Ok(Self(Secret::new(key)));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => make(&path)?,
                Err(error) => return Err(error),
            }
        }
    }

    /// The password of one service of one project: 32 hexadecimal digits.
    pub(crate) fn password(&self, project: &str, service: &str) -> Secret<String> {
        let mut hash = Sha256::new();
        hash.update(self.0.expose());
        // A separator that no name contains keeps ("a", "bc") apart from ("ab", "c").
        hash.update([0]);
        hash.update(project);
        hash.update([0]);
        hash.update(service);
        let digits = hash
            .finalize()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Secret::new(digits)
    }
}

/// Makes the key file whole or not at all; loses politely against another process doing the same.
fn make(path: &Path) -> std::io::Result<()> {
    let mut key = [0; KEY_LENGTH];
    fs_err::File::open("/dev/urandom")?.read_exact(&mut key)?;
    let mut made = Replacement::private(path)?;
    made.file().write_all(&key)?;
    made.file().sync_all()?;
    made.place_if_absent()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_stable_and_differ_by_service() {
        let directory = tempfile::tempdir().unwrap();
        let first = MachineKey::open(directory.path()).unwrap();
        let again = MachineKey::open(directory.path()).unwrap();
        assert_eq!(first.password("desk", "db"), again.password("desk", "db"));
        assert_ne!(
            first.password("desk", "db"),
            first.password("desk", "cache")
        );
        assert_eq!(first.password("desk", "db").expose().len(), 32);
    }

    #[test]
    fn only_the_owner_may_read_the_key() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        MachineKey::open(directory.path()).unwrap();
        let mode = fs_err::metadata(directory.path().join("key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
