//! Segments and layers: putting them together, and unpacking them once.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::BuildHasher as _;
use std::io::{self, Read};
use std::path::PathBuf;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::chain::Chain;
use super::lock::{Lock, Share};
use super::{Store, StoreError};
use crate::Digest;
use crate::digest::{Hasher, Hashing};
use crate::layer::{self, Attributes, END, FileSet, Origin};

/// The files of one package as normalised tar bytes, and beside them the directories that they
/// need. Apart, because a layer states each directory once: Docker refuses one that does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Segment {
    /// The digest of the files' bytes.
    pub digest: Digest,
    /// How many they are.
    pub size: u64,
    /// The blob with the directories.
    directories: Digest,
}

impl Segment {
    /// The blobs without which it is nothing: what a memo about it needs.
    pub fn needs(&self) -> [Digest; 2] {
        [self.digest, self.directories]
    }
}

/// A blob that is a part of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

/// A layer: blobs that, one after the other, are a tar archive.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Layer {
    /// The digest of the archive: the layer's identity.
    pub diff_id: Digest,
    /// The archive's length.
    pub size: u64,
    /// Who made it.
    pub(super) origin: Origin,
    /// The blobs in order.
    pub(crate) parts: Vec<Part>,
    /// Blobs of the segments that are no part, kept so that the segments can be used again.
    #[serde(default)]
    pub(super) keeps: Vec<Digest>,
}

impl Layer {
    /// Whether we made it, part by part.
    pub(crate) fn is_own(&self) -> bool {
        self.origin == Origin::Own
    }

    /// The parts of one of ours that hold entries: the list of directories, and the segments.
    pub(crate) fn contents(&self) -> &[Part] {
        // The last one ends the archive.
        &self.parts[..self.parts.len().saturating_sub(1)]
    }
}

/// Keeps unpacked layers from being pruned while it lives.
#[derive(Debug)]
pub struct Hold {
    _locks: Vec<Lock>,
}

/// Names that should all be different, by their hashes: of a hundred thousand names not one needs
/// to be kept.
#[derive(Default)]
struct Names {
    hasher: std::hash::RandomState,
    hashes: Vec<u64>,
}

impl Names {
    fn add(&mut self, name: &str) {
        self.hashes.push(self.hasher.hash_one(name));
    }

    fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether two of them may be one.
    fn may_repeat(&mut self) -> bool {
        self.hashes.sort_unstable();
        self.hashes.windows(2).any(|pair| pair[0] == pair[1])
    }
}

impl Store {
    /// The segment that was made for this key, if it is still there.
    pub fn segment(&self, key: &str) -> Option<Segment> {
        let segment: Segment = self.recall(&segment_key(key))?;
        (self.blob_size(&segment.digest) == Some(segment.size)).then_some(segment)
    }

    /// Writes files as a segment. The key says what they were made from: the digest of a package
    /// and the version of the rules applied to it, say.
    ///
    /// # Errors
    /// When a file cannot be read or the segment cannot be written.
    pub fn put_segment(&self, key: &str, files: &FileSet) -> Result<Segment, StoreError> {
        let segment = self.write_segment(files)?;
        self.remember(&segment_key(key), &segment, &segment.needs())?;
        Ok(segment)
    }

    fn write_segment(&self, files: &FileSet) -> Result<Segment, StoreError> {
        let mut draft = self.draft()?;
        let size = layer::write_files(files, &mut draft).map_err(|error| self.refuse(error))?;
        let digest = self.keep(draft)?;
        let mut directories = Vec::new();
        layer::write_directories(files, &mut directories).map_err(|error| self.refuse(error))?;
        Ok(Segment {
            digest,
            size,
            directories: self.put_bytes(&directories)?,
        })
    }

    /// Writes files that an edit will change as several segments: those that come out as they were
    /// are neither written nor compressed again.
    ///
    /// # Errors
    /// As [`Store::put_segment`].
    pub fn put_segments(&self, files: FileSet) -> Result<Vec<Segment>, StoreError> {
        let pieces = files.cut();
        let written = pieces.par_iter().map(|piece| self.write_segment(piece));
        written.collect()
    }

    /// The files of a segment with what they hold.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub(crate) fn segment_files(
        &self,
        segment: &Segment,
    ) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let bytes = self.read_blob(&segment.digest)?;
        layer::contents(&bytes).map_err(|error| self.unread(&segment.digest, error))
    }

    /// Puts segments together. No two may hold the same file.
    ///
    /// Of a directory that several state, the last statement counts that is not the common one
    /// (of root, mode 0755).
    ///
    /// # Errors
    /// When a segment is missing, two overlap, there is none, or writing fails.
    pub fn commit_layer(&self, segments: &[Segment]) -> Result<Layer, StoreError> {
        let known: Vec<String> = segments
            .iter()
            .flat_map(Segment::needs)
            .map(|digest| digest.hex())
            .collect();
        let key = format!("layer of {}", known.join(" "));
        if let Some(layer) = self
            .recall::<Digest>(&key)
            .and_then(|id| self.layer(&id).ok())
        {
            return Ok(layer);
        }
        let directories = self.merge_directories(segments)?;
        let mut bytes = Vec::new();
        layer::write_directories(&directories, &mut bytes).map_err(|error| self.refuse(error))?;
        let mut hasher = Hasher::default();
        hasher.update(&bytes);
        let mut parts = vec![self.part(&bytes)?];
        let mut names = Names::default();
        for (path, _) in directories.iter() {
            names.add(path);
        }
        for segment in segments {
            let mut reader = self.hashing(&segment.digest, hasher)?;
            layer::each_path(&mut reader, &mut |path, _| names.add(path))
                .map_err(|error| self.unread(&segment.digest, error))?;
            hasher = reader.into_inner().hasher;
            parts.push(Part {
                digest: segment.digest,
                size: segment.size,
            });
        }
        if names.may_repeat() {
            self.check_apart(segments, &directories)?;
        }
        if names.is_empty() {
            return Err(StoreError::EmptyLayer);
        }
        hasher.update(&END);
        parts.push(self.part(&END)?);
        parts.retain(|part| part.size > 0);
        let layer = Layer {
            diff_id: hasher.finish(),
            size: parts.iter().map(|part| part.size).sum(),
            origin: Origin::Own,
            parts,
            keeps: segments
                .iter()
                .map(|segment| segment.directories)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
        };
        self.put_layer(&layer)?;
        self.remember(&key, &layer.diff_id, &[layer.diff_id])?;
        Ok(layer)
    }

    /// The layer that has only some parts of another, in their order.
    ///
    /// # Errors
    /// When a part is missing or writing fails.
    pub(crate) fn layer_of_parts(
        &self,
        layer: &Layer,
        parts: &[Part],
    ) -> Result<Layer, StoreError> {
        let mut parts = parts.to_vec();
        parts.push(self.part(&END)?);
        let mut hasher = Hasher::default();
        for part in &parts {
            io::copy(&mut self.open_blob(&part.digest)?, &mut hasher)
                .map_err(|error| self.fail(error))?;
        }
        let layer = Layer {
            diff_id: hasher.finish(),
            size: parts.iter().map(|part| part.size).sum(),
            origin: layer.origin,
            parts,
            keeps: layer.keeps.clone(),
        };
        self.put_layer(&layer)?;
        Ok(layer)
    }

    /// Makes sure that no two segments hold the same file.
    fn check_apart(&self, segments: &[Segment], directories: &FileSet) -> Result<(), StoreError> {
        let mut seen: HashSet<String> = HashSet::new();
        for segment in segments {
            let mut twice = None;
            let mut reader = self.hashing(&segment.digest, Hasher::default())?;
            layer::each_path(&mut reader, &mut |path, _| {
                if directories.get(path).is_some() || !seen.insert(path.to_owned()) {
                    twice.get_or_insert_with(|| path.to_owned());
                }
            })
            .map_err(|error| self.unread(&segment.digest, error))?;
            if let Some(path) = twice {
                return Err(StoreError::Overlap { path });
            }
        }
        Ok(())
    }

    fn merge_directories(&self, segments: &[Segment]) -> Result<FileSet, StoreError> {
        let mut merged = FileSet::new();
        for segment in segments {
            let bytes = self.read_blob(&segment.directories)?;
            let paths = layer::paths(&mut bytes.as_slice())
                .map_err(|error| self.unread(&segment.directories, error))?;
            for (path, attributes) in paths {
                if merged.get(&path).is_none() || attributes != Attributes::DIRECTORY {
                    merged
                        .directory(&path, attributes)
                        .map_err(|error| StoreError::Layer(error.into()))?;
                }
            }
        }
        Ok(merged)
    }

    fn part(&self, bytes: &[u8]) -> Result<Part, StoreError> {
        Ok(Part {
            digest: self.put_bytes(bytes)?,
            size: bytes.len() as u64,
        })
    }

    /// A blob as a stream that is hashed on the way.
    fn hashing(
        &self,
        digest: &Digest,
        hasher: Hasher,
    ) -> Result<io::BufReader<Hashing<fs_err::File>>, StoreError> {
        let source = self.open_blob(digest)?;
        Ok(io::BufReader::with_capacity(
            256 << 10,
            Hashing { source, hasher },
        ))
    }

    /// Why one of our archives could not be read.
    fn unread(&self, digest: &Digest, error: io::Error) -> StoreError {
        match error.kind() {
            io::ErrorKind::InvalidData => self.corrupt(digest),
            _ => self.fail(error),
        }
    }

    /// Keeps a layer of another builder; the reader gives its uncompressed archive.
    ///
    /// # Errors
    /// When reading or writing fails, or the DiffID is another.
    pub fn import_layer(
        &self,
        reader: &mut dyn Read,
        expected: Option<Digest>,
    ) -> Result<Layer, StoreError> {
        let digest = self.put_blob(reader, expected)?;
        let size = self
            .blob_size(&digest)
            .ok_or_else(|| self.missing(digest.to_string()))?;
        let layer = Layer {
            diff_id: digest,
            size,
            origin: Origin::Foreign,
            parts: vec![Part { digest, size }],
            keeps: Vec::new(),
        };
        // The same archive may have been made here, and then its parts are kept already.
        if let Ok(known) = self.layer(&digest) {
            return Ok(known);
        }
        self.put_layer(&layer)?;
        Ok(layer)
    }

    /// The layer with this DiffID.
    ///
    /// # Errors
    /// When it or a part of it is missing, or its record is damaged.
    pub fn layer(&self, diff_id: &Digest) -> Result<Layer, StoreError> {
        let path = self.layer_path(diff_id);
        let bytes = fs_err::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.missing(format!("layer {diff_id}")),
            _ => self.fail(error),
        })?;
        let layer: Layer =
            serde_json::from_slice(&bytes).map_err(|error| StoreError::Malformed {
                path: path.clone(),
                reason: error.to_string(),
            })?;
        if layer.diff_id != *diff_id {
            return Err(StoreError::Malformed {
                path,
                reason: format!("it describes {}", layer.diff_id),
            });
        }
        for part in &layer.parts {
            if self.blob_size(&part.digest) != Some(part.size) {
                return Err(self.missing(format!("{} of layer {diff_id}", part.digest)));
            }
        }
        Ok(layer)
    }

    /// The layer's archive as a stream, not verified.
    ///
    /// # Errors
    /// When a part is missing.
    pub fn open_layer(&self, layer: &Layer) -> Result<impl Read + use<>, StoreError> {
        let parts = layer.parts.iter().map(|part| {
            self.blob_path(&part.digest)
                .ok_or_else(|| self.missing(part.digest.to_string()))
        });
        Ok(Chain::of(parts.collect::<Result<_, _>>()?, 0))
    }

    /// The bytes of one part of a layer as a stream, not verified.
    ///
    /// # Errors
    /// When it is missing.
    pub(crate) fn open_part(&self, part: &Part) -> Result<impl Read + use<>, StoreError> {
        let file = self.open_blob(&part.digest)?;
        Ok(io::BufReader::with_capacity(256 << 10, file))
    }

    /// Why a part cannot be read as an archive: it is not what its name says, else the error.
    pub(crate) fn unreadable(&self, part: &Part, error: io::Error) -> StoreError {
        let mut hasher = Hasher::default();
        let is_whole = self.open_blob(&part.digest).is_ok_and(|mut blob| {
            io::copy(&mut blob, &mut hasher).is_ok() && hasher.finish() == part.digest
        });
        match is_whole {
            true => StoreError::Io(error),
            false => self.corrupt(&part.digest),
        }
    }

    /// Keeps these layers from being pruned until the hold is dropped, also by other processes.
    ///
    /// # Errors
    /// When a lock file cannot be opened.
    pub fn hold<'a>(
        &self,
        layers: impl IntoIterator<Item = &'a Layer>,
    ) -> Result<Hold, StoreError> {
        let locks = layers
            .into_iter()
            .map(|layer| {
                Lock::wait(&self.use_lock(&layer.diff_id), Share::Shared)
                    .map_err(|error| self.fail(error))
            })
            .collect::<Result<_, _>>()?;
        Ok(Hold { _locks: locks })
    }

    pub(super) fn use_lock(&self, diff_id: &Digest) -> PathBuf {
        self.root
            .join("locks")
            .join(format!("use-{}", diff_id.hex()))
    }

    pub(super) fn layer_path(&self, diff_id: &Digest) -> PathBuf {
        self.root.join("layers").join(diff_id.hex())
    }

    pub(super) fn put_layer(&self, layer: &Layer) -> Result<(), StoreError> {
        let path = self.layer_path(&layer.diff_id);
        let bytes = serde_json::to_vec(layer).map_err(|error| StoreError::Malformed {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        self.scratch
            .replace(&path, &bytes)
            .map_err(|error| self.fail(error))
    }
}

fn segment_key(key: &str) -> String {
    format!("segment of {key}")
}
