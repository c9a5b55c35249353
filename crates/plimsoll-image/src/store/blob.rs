//! Blobs: bytes under their digest.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use fs_err::File;

use super::scratch::Draft;
use super::{Store, StoreError};
use crate::Digest;

impl Store {
    /// Keeps what the reader gives. With `expected`, content of another digest is refused.
    ///
    /// # Errors
    /// When reading or writing fails, or the digest is another.
    pub fn put_blob(
        &self,
        reader: &mut dyn Read,
        expected: Option<Digest>,
    ) -> Result<Digest, StoreError> {
        let mut draft = self.draft()?;
        io::copy(reader, &mut draft).map_err(|error| self.fail(error))?;
        let (actual, _) = draft.identity();
        if let Some(expected) = expected
            && expected != actual
        {
            return Err(StoreError::Unexpected { expected, actual });
        }
        self.keep(draft)
    }

    /// Keeps bytes from memory.
    ///
    /// # Errors
    /// When writing fails.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        if self.blob_size(&digest) == Some(bytes.len() as u64) {
            return Ok(digest);
        }
        let mut draft = self.draft()?;
        draft.write_all(bytes).map_err(|error| self.fail(error))?;
        self.keep(draft)
    }

    /// Where a blob is, if it is there.
    pub fn blob_path(&self, digest: &Digest) -> Option<PathBuf> {
        let path = self.blob(digest);
        path.is_file().then_some(path)
    }

    /// A blob's length, if it is there.
    pub fn blob_size(&self, digest: &Digest) -> Option<u64> {
        let metadata = fs_err::metadata(self.blob(digest)).ok()?;
        metadata.is_file().then_some(metadata.len())
    }

    /// A small blob, verified.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn read_blob(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        self.open_blob(digest)?
            .read_to_end(&mut bytes)
            .map_err(|error| self.fail(error))?;
        if Digest::of(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(self.corrupt(digest))
        }
    }

    /// A blob as a stream, not verified.
    pub(super) fn open_blob(&self, digest: &Digest) -> Result<File, StoreError> {
        File::open(self.blob(digest)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.missing(digest.to_string()),
            _ => self.fail(error),
        })
    }

    pub(super) fn corrupt(&self, digest: &Digest) -> StoreError {
        StoreError::Corrupt {
            root: self.root.clone(),
            digest: *digest,
        }
    }

    pub(super) fn draft(&self) -> Result<Draft, StoreError> {
        self.scratch.file().map_err(|error| self.fail(error))
    }

    /// Gives a draft the name of its digest.
    pub(super) fn keep(&self, draft: Draft) -> Result<Digest, StoreError> {
        let (digest, length) = draft.identity();
        if self.blob_size(&digest) != Some(length) {
            draft
                .place(&self.blob(&digest))
                .map_err(|error| self.fail(error))?;
        }
        Ok(digest)
    }
}
