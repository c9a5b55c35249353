//! Trees of layers: unpacked once, and trusted only when they are known to be on the disk.
//!
//! Waiting for the disk would make everything wait that others write as well. So a tree is used
//! at once, with a note beside it that names the running kernel's boot; when the disk has it, the
//! note is removed. A tree whose note is of another boot may have lost content in a power cut,
//! and is made again.

use std::io;
use std::path::{Path, PathBuf};

use fs_err::File;

use super::{Layer, Store, StoreError};
use crate::Digest;
use crate::digest::{Hasher, Hashing};
use crate::layer::{self, Limits};

/// Where the kernel says which boot this is.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

impl Store {
    /// The directory with the layer's tree, unpacked now if it was not before.
    ///
    /// # Errors
    /// When the layer is missing, damaged or refused, or cannot be written.
    pub fn unpacked(&self, layer: &Layer) -> Result<PathBuf, StoreError> {
        let destination = self.tree(&layer.diff_id);
        if self.is_trusted(&layer.diff_id) {
            return Ok(destination);
        }
        let _lock = self.lock(&format!("unpack-{}", layer.diff_id.hex()))?;
        if self.is_trusted(&layer.diff_id) {
            return Ok(destination);
        }
        if destination.exists() {
            self.remove_tree(&layer.diff_id)?;
        }
        let draft = self.scratch.path();
        fs_err::create_dir(&draft).map_err(|error| self.fail(error))?;
        let done = self
            .unpack_to(layer, &draft)
            .and_then(|()| self.settle(&layer.diff_id, &draft, &destination));
        if done.is_err() {
            // A part of a tree is worth nothing; on a full disk its room is.
            let _ = fs_err::remove_dir_all(&draft);
        }
        done.map(|()| destination)
    }

    fn unpack_to(&self, layer: &Layer, draft: &Path) -> Result<(), StoreError> {
        let mut reader = Hashing {
            source: io::BufReader::with_capacity(256 << 10, self.open_layer(layer)?),
            hasher: Hasher::default(),
        };
        layer::unpack(&mut reader, draft, layer.origin, Limits::LAYER)
            .map_err(|error| self.refuse(error))?;
        io::copy(&mut reader, &mut io::sink()).map_err(|error| self.fail(error))?;
        if reader.hasher.finish() == layer.diff_id {
            Ok(())
        } else {
            Err(self.corrupt(&layer.diff_id))
        }
    }

    /// Gives a finished tree its name, and lets the disk catch up.
    fn settle(&self, diff_id: &Digest, draft: &Path, place: &Path) -> Result<(), StoreError> {
        let fail = |error: io::Error| self.fail(error);
        let note = self.note(diff_id);
        let boot = fs_err::read(BOOT).map_err(fail)?;
        self.scratch.note(&note, &boot).map_err(fail)?;
        let directory = File::open(draft).map_err(fail)?;
        fs_err::rename(draft, place).map_err(fail)?;
        // Should the process end before, the note stays: the tree is then made again after the
        // next boot, and nothing else is lost.
        std::thread::spawn(move || {
            if rustix::fs::syncfs(&directory).is_ok() {
                let _ = fs_err::remove_file(note);
            }
        });
        Ok(())
    }

    /// Whether a layer's tree is there and has what was written to it.
    pub(super) fn is_trusted(&self, diff_id: &Digest) -> bool {
        if !self.tree(diff_id).is_dir() {
            return false;
        }
        match fs_err::read(self.note(diff_id)) {
            Err(error) => error.kind() == io::ErrorKind::NotFound,
            Ok(boot) => fs_err::read(BOOT).is_ok_and(|current| current == boot),
        }
    }

    pub(super) fn tree(&self, diff_id: &Digest) -> PathBuf {
        self.root.join("unpacked").join(diff_id.hex())
    }

    fn note(&self, diff_id: &Digest) -> PathBuf {
        self.root.join("settling").join(diff_id.hex())
    }

    /// Takes away a layer's tree, first from under its name, so that no half of it is ever seen.
    pub(super) fn remove_tree(&self, diff_id: &Digest) -> Result<(), StoreError> {
        let fail = |error| self.fail(error);
        let doomed = self.scratch.path();
        fs_err::rename(self.tree(diff_id), &doomed).map_err(fail)?;
        self.forget_settling(diff_id);
        fs_err::remove_dir_all(&doomed).map_err(fail)
    }

    /// Removes the note of a tree that is gone.
    pub(super) fn forget_settling(&self, diff_id: &Digest) {
        // Gone already when the tree had settled.
        let _ = fs_err::remove_file(self.note(diff_id));
    }
}
