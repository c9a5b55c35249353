//! What one part of a layer adds to the search for libraries, remembered by the part's digest.

use std::io::Read;
use std::os::unix::fs::FileExt;

use fs_err::File;
use serde::{Deserialize, Serialize};

use super::object::{self, HEADER, ObjectFacts};
use crate::Digest;
use crate::layer::normalised;
use crate::store::{Layer, Store, StoreError};

/// Counts up with every change of what is read.
const FACTS: u32 = 1;

/// The longest list of directories that is read.
const LONGEST_LIST: u64 = 64 << 10;

/// What a part holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct PartFacts {
    pub objects: Vec<ObjectFacts>,
    /// Symbolic links, and hard ones as absolute ones.
    pub links: Vec<(String, String)>,
    /// What the part takes away from the layers below.
    pub removed: Vec<String>,
    /// Directories that the loader is configured to search.
    pub search: Vec<String>,
}

/// The facts about each part of a layer.
pub(super) fn of_layer(store: &Store, layer: &Layer) -> Result<Vec<PartFacts>, StoreError> {
    layer
        .parts
        .iter()
        .map(|part| {
            let key = format!("elf facts {FACTS} of {}", part.digest);
            if let Some(known) = store.recall(&key) {
                return Ok(known);
            }
            let facts = read(store, &part.digest)?;
            store.remember(&key, &facts, &[part.digest])?;
            Ok(facts)
        })
        .collect()
}

fn read(store: &Store, part: &Digest) -> Result<PartFacts, StoreError> {
    let path = store.blob_path(part).ok_or_else(|| StoreError::Missing {
        root: store.root().to_owned(),
        what: part.to_string(),
    })?;
    read_archive(&path).map_err(StoreError::Io)
}

fn read_archive(path: &std::path::Path) -> std::io::Result<PartFacts> {
    let mut facts = PartFacts::default();
    // A second handle: the archive's own moves while it is walked.
    let contents = File::open(path)?;
    let mut archive = tar::Archive::new(File::open(path)?);
    for entry in archive.entries_with_seek()? {
        let mut entry = entry?;
        let Ok(name) = normalised(&entry.path_bytes()) else {
            continue;
        };
        let base = name.rsplit('/').next().unwrap_or(&name);
        if let Some(hidden) = base.strip_prefix(".wh.") {
            let directory = &name[..name.len() - base.len()];
            facts.removed.push(match hidden {
                ".wh..opq" => directory.to_owned(),
                hidden => format!("{directory}{hidden}"),
            });
            continue;
        }
        let kind = entry.header().entry_type();
        if kind.is_symlink() || kind.is_hard_link() {
            let target = entry.link_name_bytes().unwrap_or_default();
            let target = String::from_utf8_lossy(&target).into_owned();
            let absolute = if kind.is_hard_link() { "/" } else { "" };
            facts.links.push((name, format!("{absolute}{target}")));
        } else if kind.is_file() {
            let size = entry.size();
            if name == "etc/ld.so.conf" || name.starts_with("etc/ld.so.conf.d/") {
                let mut text = String::new();
                // One that is no text says nothing.
                let _ = (&mut entry).take(LONGEST_LIST).read_to_string(&mut text);
                let lines = text.lines().map(str::trim);
                facts.search.extend(
                    lines
                        .filter(|line| line.starts_with('/'))
                        .map(str::to_owned),
                );
            }
            if size < HEADER as u64 {
                continue;
            }
            let start = entry.raw_file_position();
            let read_at = |offset: u64, length: u64| {
                if offset.checked_add(length).is_none_or(|end| end > size) {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
                contents.file().read_exact_at(&mut bytes, start + offset)?;
                Ok(bytes)
            };
            let header = read_at(0, HEADER as u64)?;
            facts.objects.extend(object::read(&name, &header, &read_at));
        }
    }
    Ok(facts)
}
