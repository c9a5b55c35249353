//! What a step wrote: the upper directory of its overlay, as the files of a layer.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::DockerfileError;
use super::view::{EntryKind, View, capabilities, is_opaque, is_whiteout, join};
use crate::Digest;
use crate::layer::{Attributes, Content, FIXED_TIME, FileSet, LayerError, Node};

/// Directories that the engine fills itself; what a step leaves there is no part of an image.
const ENGINES: [&str; 3] = ["dev", "proc", "sys"];

/// Files that the engine mounts over in every container.
const GENERATED: [&str; 3] = ["etc/hosts", "etc/hostname", "etc/resolv.conf"];

/// Reads the upper directory of a step that ran on `lower`. Mount points that were made for the
/// step are left out.
pub(super) fn files(
    upper: &Path,
    lower: &View,
    mount_points: &[PathBuf],
) -> Result<FileSet, DockerfileError> {
    let mut targets: BTreeSet<String> = GENERATED.map(str::to_owned).into();
    for point in mount_points {
        targets.insert(lower.resolve(&point.to_string_lossy())?);
    }
    let mut reader = Reader {
        lower,
        targets,
        links: BTreeMap::new(),
        set: FileSet::new(),
    };
    reader.directory(upper, "")?;
    reader.link()?;
    Ok(reader.set)
}

struct Reader<'a> {
    lower: &'a View,
    targets: BTreeSet<String>,
    /// The names of each file with several.
    links: BTreeMap<(u64, u64), BTreeSet<String>>,
    set: FileSet,
}

impl Reader<'_> {
    /// Adds what is in a directory; whether there was anything.
    fn directory(&mut self, place: &Path, path: &str) -> Result<bool, DockerfileError> {
        let mut names: Vec<String> = Vec::new();
        for item in fs::read_dir(place)? {
            let item = item?;
            names.push(item.file_name().into_string().map_err(|name| {
                let shown = item.path().with_file_name(name);
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("`{}` has a name that is not UTF-8", shown.display()),
                )
            })?);
        }
        names.sort();
        let mut any = false;
        for name in names {
            let below = join(path, &name);
            any |= self.item(&place.join(&name), path, &name, &below)?;
        }
        Ok(any)
    }

    fn item(
        &mut self,
        place: &Path,
        directory: &str,
        name: &str,
        path: &str,
    ) -> Result<bool, DockerfileError> {
        let metadata = fs::symlink_metadata(place)?;
        let attributes =
            Attributes::root(metadata.mode() & 0o7777).owned_by(metadata.uid(), metadata.gid());
        if is_whiteout(&metadata) {
            // Something was there to be hidden, unless the step made it itself.
            if self.lower.at(path)?.is_none() {
                return Ok(false);
            }
            let mark = join(directory, &format!(".wh.{name}"));
            self.set.file(&mark, Attributes::FILE, Vec::new())?;
            return Ok(true);
        }
        let kind = metadata.file_type();
        if kind.is_dir() {
            return self.subdirectory(place, path, attributes);
        }
        let node = if kind.is_symlink() {
            let target = fs::read_link(place)?;
            let target = target.to_str().ok_or_else(|| {
                let reason = format!("`{}` leads to no text", place.display());
                io::Error::new(io::ErrorKind::InvalidData, reason)
            })?;
            Node::Symlink(
                Attributes {
                    mode: 0o777,
                    ..attributes
                },
                target.to_owned(),
            )
        } else if kind.is_file() {
            if metadata.len() == 0 && self.is_made_mount_point(path)? {
                return Ok(false);
            }
            if metadata.nlink() > 1 {
                let identity = (metadata.dev(), metadata.ino());
                let names = self.links.entry(identity).or_default();
                names.insert(path.to_owned());
            }
            Node::File(attributes, content(place, path, &metadata, None)?)
        } else {
            // Sockets, pipes and devices are not content.
            return Ok(false);
        };
        let is_file = matches!(node, Node::File(..));
        self.set.insert(path, node)?;
        if is_file && let Some(bytes) = capabilities(place) {
            self.set.set_capabilities(path, bytes);
        }
        Ok(true)
    }

    fn subdirectory(
        &mut self,
        place: &Path,
        path: &str,
        attributes: Attributes,
    ) -> Result<bool, DockerfileError> {
        let before = self.lower.at(path)?;
        let before = before.filter(|entry| entry.kind == EntryKind::Directory);
        let opaque = is_opaque(place);
        // Stated first, so that what is below does not state it otherwise.
        let any_below = if ENGINES.contains(&path) {
            false
        } else {
            self.set.directory(path, attributes)?;
            self.directory(place, path)?
        };
        let made_for_mounts = before.is_none()
            && self.targets.iter().any(|target| {
                target
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
        let unchanged = match &before {
            Some(entry) => entry.attributes == attributes && !opaque,
            None => made_for_mounts || ENGINES.contains(&path),
        };
        if unchanged && !any_below {
            self.set.remove(path);
            return Ok(false);
        }
        if ENGINES.contains(&path) {
            self.set.directory(path, attributes)?;
        }
        if opaque && before.is_some() {
            let mark = join(path, ".wh..wh..opq");
            self.set.file(&mark, Attributes::FILE, Vec::new())?;
        }
        Ok(true)
    }

    /// Of the names of one file, the first in the archive's order holds it.
    fn link(&mut self) -> Result<(), DockerfileError> {
        for names in self.links.values() {
            let Some((first, others)) = names.iter().next().zip(Some(names.iter().skip(1))) else {
                continue;
            };
            for name in others {
                self.set.remove(name);
                self.set.insert(name, Node::Hardlink(first.clone()))?;
            }
        }
        Ok(())
    }

    fn is_made_mount_point(&self, path: &str) -> Result<bool, DockerfileError> {
        Ok(self.targets.contains(path) && self.lower.at(path)?.is_none())
    }
}

/// A file's bytes, which are those that were `seen` where something goes by them. Compiled Python
/// modules carry the time of their source, which becomes the fixed one: else each import would
/// compile anew.
pub(super) fn content(
    place: &Path,
    path: &str,
    metadata: &std::fs::Metadata,
    seen: Option<Digest>,
) -> Result<Content, DockerfileError> {
    /// Magic number, flags, time, size of the source.
    const HEAD: usize = 16;
    let compiled = path.ends_with(".pyc") && metadata.len() > HEAD as u64;
    if compiled {
        let mut bytes = fs::read(place)?;
        if seen.is_some_and(|seen| seen != Digest::of(&bytes)) {
            return Err(LayerError::Changed(place.to_owned()).into());
        }
        // Flags other than zero: the source is known by its hash, not its time.
        if bytes.len() > HEAD && bytes[4..8] == [0; 4] {
            let time = u32::try_from(FIXED_TIME).unwrap_or_default();
            bytes[8..12].copy_from_slice(&time.to_le_bytes());
            return Ok(Content::Bytes(bytes));
        }
    }
    Ok(match seen {
        Some(seen) => Content::Seen(place.to_owned(), seen),
        None => Content::File(place.to_owned()),
    })
}
