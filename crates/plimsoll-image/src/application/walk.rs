//! Walking a context: every file that counts, in the order of paths.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fs_err as fs;

use super::{ContextError, Ignore, KnownHashes, SourceFile, SourceKind};
use crate::Digest;

/// What stays out.
#[derive(Debug)]
pub(super) struct Rules {
    /// Ours and the project's, which decide where both match.
    pub all: Ignore,
    /// The project's alone.
    pub own: Ignore,
}

pub(super) fn walk(
    context: &Path,
    rules: &Rules,
    known: &mut KnownHashes,
) -> Result<Vec<SourceFile>, ContextError> {
    let mut files = Vec::new();
    directory(context, &mut Vec::new(), rules, known, &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn directory(
    place: &Path,
    components: &mut Vec<String>,
    rules: &Rules,
    known: &mut KnownHashes,
    files: &mut Vec<SourceFile>,
) -> Result<(), ContextError> {
    // Whoever makes a directory of a cache, such as cargo's `target`, says so by this file.
    if !components.is_empty() && place.join("CACHEDIR.TAG").is_file() {
        return Ok(());
    }
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let source = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            return Err(ContextError::Name { path: source });
        };
        components.push(name);
        let shown: Vec<&str> = components.iter().map(String::as_str).collect();
        let left_out = rules.all.covers(&shown);
        let kind = entry.file_type()?;
        if kind.is_dir() {
            // A pattern of ours that takes something back is no reason to walk `node_modules`.
            if !left_out || rules.own.may_keep_below(&shown) {
                directory(&source, components, rules, known, files)?;
            }
        } else if !left_out {
            let path = shown.join("/");
            if kind.is_symlink() {
                let target = fs::read_link(&source)?;
                let Some(target) = target.to_str() else {
                    return Err(ContextError::Name { path: source });
                };
                let kind = SourceKind::Symlink {
                    target: target.to_string(),
                };
                files.push(SourceFile { path, source, kind });
            } else if kind.is_file() {
                let metadata = fs::symlink_metadata(&source)?;
                let digest = match known.get(&path, &metadata) {
                    Some(digest) => digest,
                    None => {
                        let (digest, _) = Digest::of_reader(&mut fs::File::open(&source)?)?;
                        known.learn(&path, &metadata, digest);
                        digest
                    }
                };
                let executable = metadata.mode() & 0o100 != 0;
                let kind = SourceKind::File { executable, digest };
                files.push(SourceFile { path, source, kind });
            }
            // Sockets, pipes and devices are not content.
        }
        components.pop();
    }
    Ok(())
}
