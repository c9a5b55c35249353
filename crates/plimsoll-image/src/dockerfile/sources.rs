//! What a word of `COPY` names: files and directories of a context, a stage or an image.

use std::collections::BTreeSet;
use std::io;

use fs_err as fs;

use super::view::{Entry, EntryKind, View, capabilities, join};
use crate::Digest;
use crate::application::{Ignore, KnownHashes, Stamp};
use crate::digest::Hasher;

/// One thing to copy.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Its path below what the word names; empty: that itself.
    pub(super) below: String,
    pub(super) entry: Entry,
}

/// What one match of a word is: a file, or a directory with everything below.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Its path in the source as it was named: the last name may be that of a link to it.
    pub(super) path: String,
    pub(super) items: Vec<Item>,
}

impl Found {
    pub(super) fn is_directory(&self) -> bool {
        self.items
            .first()
            .is_some_and(|item| item.entry.kind == EntryKind::Directory)
    }
}

/// Everything that a word matches, in order of names; nothing: no match.
pub(super) fn find(view: &View, word: &str, excludes: &Ignore) -> io::Result<Vec<Found>> {
    let mut paths = BTreeSet::new();
    if word.contains(['*', '?', '[']) {
        let components: Vec<&str> = word
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        glob(view, "", &components, &mut paths)?;
    } else {
        paths.insert(word.to_owned());
    }
    let mut found = Vec::new();
    for path in paths {
        let named: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        if !named.is_empty() && excludes.covers(&named) && !excludes.may_keep_below(&named) {
            continue;
        }
        let Some((place, entry)) = view.find(&path)? else {
            continue;
        };
        let is_directory = entry.kind == EntryKind::Directory;
        if !is_directory && view.leaves_out(&place) {
            continue;
        }
        let mut items = vec![Item {
            below: String::new(),
            entry,
        }];
        if is_directory {
            below(view, &place, "", excludes, &mut items)?;
        }
        found.push(Found {
            path: super::copy::clean(&path),
            items,
        });
    }
    Ok(found)
}

fn below(
    view: &View,
    place: &str,
    inside: &str,
    excludes: &Ignore,
    items: &mut Vec<Item>,
) -> io::Result<()> {
    for (name, entry) in view.list(&join(place, inside))? {
        let path = join(inside, &name);
        let whole = join(place, &path);
        let components: Vec<&str> = path.split('/').collect();
        let excluded = excludes.covers(&components);
        match entry.kind {
            EntryKind::Directory => {
                if excluded && !excludes.may_keep_below(&components) {
                    continue;
                }
                let before = items.len();
                let left_out = excluded || view.leaves_out(&whole);
                items.push(Item {
                    below: path.clone(),
                    entry,
                });
                below(view, place, &path, excludes, items)?;
                // Walked for what is taken back; nothing was.
                if left_out && items.len() == before + 1 {
                    items.truncate(before);
                }
            }
            EntryKind::Other => {}
            _ if excluded || view.leaves_out(&whole) => {}
            _ => items.push(Item { below: path, entry }),
        }
    }
    Ok(())
}

/// Follows a pattern component by component, so that only what can match is read.
fn glob(
    view: &View,
    directory: &str,
    components: &[&str],
    paths: &mut BTreeSet<String>,
) -> io::Result<()> {
    let Some((first, rest)) = components.split_first() else {
        paths.insert(directory.to_owned());
        return Ok(());
    };
    if !first.contains(['*', '?', '[', '\\']) {
        return glob(view, &join(directory, first), rest, paths);
    }
    let Some((place, entry)) = view.find(directory)? else {
        return Ok(());
    };
    if entry.kind != EntryKind::Directory {
        return Ok(());
    }
    // One component of an ignore file's pattern is what a pattern here is; `**` spans several.
    let pattern = Ignore::parse(first);
    for (name, entry) in view.list(&place)? {
        let path = join(directory, &name);
        if *first == "**" {
            if entry.kind == EntryKind::Directory {
                glob(view, &path, components, paths)?;
            }
            glob(view, directory, rest, paths)?;
        } else if pattern.covers(&[name.as_str()]) {
            glob(view, &path, rest, paths)?;
        }
    }
    Ok(())
}

/// Tells contents from one another by names, kinds, modes, owners and bytes, and notes the bytes.
pub(super) fn identity(found: &mut [Found], known: &mut KnownHashes) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    for one in found {
        for item in &mut one.items {
            let path = join(&one.path, &item.below);
            let attributes = item.entry.attributes;
            let kind = match &item.entry.kind {
                EntryKind::Directory => "directory".to_owned(),
                EntryKind::Symlink(target) => format!("link {target}"),
                EntryKind::Other => "other".to_owned(),
                EntryKind::File => {
                    let digest = hash(&item.entry, known)?;
                    item.entry.seen = Some(digest);
                    format!("file {digest} {:?}", capabilities(&item.entry.source))
                }
            };
            let mode = match item.entry.kind {
                EntryKind::Symlink(_) => 0o777,
                _ => attributes.mode,
            };
            let line = format!(
                "{path}\0{mode:o} {} {} {kind}\0",
                attributes.uid, attributes.gid
            );
            hasher.update(line.as_bytes());
        }
    }
    Ok(hasher.finish())
}

fn hash(entry: &Entry, known: &mut KnownHashes) -> io::Result<Digest> {
    let name = entry.source.to_string_lossy();
    let stamp = Stamp::of_metadata(&entry.metadata);
    let digest = match known.get(&name, &stamp) {
        Some(digest) => digest,
        None => Digest::of_reader(&mut fs::File::open(&entry.source)?)?.0,
    };
    known.keep(&name, &stamp, &digest);
    Ok(digest)
}
