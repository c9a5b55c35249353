//! Names for what must not be known from its name: secrets that a memo speaks of.
//!
//! The digest of a password is as good as the password to whoever tries all short ones. With
//! random bytes of this store before it, it says nothing to anybody who has only the name.

use std::io::{Read as _, Write as _};

use fs_err::os::unix::fs::OpenOptionsExt as _;
use plimsoll_diag::Secret;

use super::{Store, StoreError};
use crate::Digest;
use crate::digest::Hasher;

/// How many random bytes come before what is named.
const LENGTH: usize = 32;

impl Store {
    /// The name of a secret in this store: the same for the same bytes, and of no use elsewhere.
    ///
    /// # Errors
    /// When the store's random bytes can be neither read nor written.
    pub(crate) fn private_name(&self, secret: &Secret<Vec<u8>>) -> Result<Digest, StoreError> {
        let mut hasher = Hasher::default();
        hasher.update(&self.salt()?);
        hasher.update(secret.expose());
        Ok(hasher.finish())
    }

    fn salt(&self) -> Result<Vec<u8>, StoreError> {
        let fail = |error| self.fail(error);
        let path = self.root.join("salt");
        let known = || {
            let bytes = fs_err::read(&path).ok()?;
            (bytes.len() == LENGTH).then_some(bytes)
        };
        if let Some(bytes) = known() {
            return Ok(bytes);
        }
        let _lock = self.lock("salt")?;
        if let Some(bytes) = known() {
            return Ok(bytes);
        }
        let mut bytes = vec![0; LENGTH];
        let mut random = fs_err::File::open("/dev/urandom").map_err(fail)?;
        random.read_exact(&mut bytes).map_err(fail)?;
        let draft = self.scratch.path();
        let mut file = fs_err::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .map_err(fail)?;
        file.write_all(&bytes).map_err(fail)?;
        fs_err::rename(&draft, &path).map_err(fail)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_one_store_and_another_in_every_other() {
        let root = tempfile::tempdir().unwrap();
        let secret = Secret::new(b"hunter2".to_vec());
        let open = |name: &str| Store::open(&root.path().join(name)).unwrap();
        let name = open("a").private_name(&secret).unwrap();
        assert_eq!(open("a").private_name(&secret).unwrap(), name);
        assert_ne!(open("b").private_name(&secret).unwrap(), name);
        assert_ne!(name, Digest::of(b"hunter2"));
    }
}
