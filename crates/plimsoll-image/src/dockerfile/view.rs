//! A file system made of trees that lie over one another, read without mounting it.
//!
//! A path is resolved as inside the container: an absolute link starts at the view's own root,
//! and nothing leads out of it. Whiteouts and opaque directories are those of overlayfs.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::Digest;
use crate::application::Ignore;
use crate::layer::Attributes;

/// How many links are followed before it is a loop, as Linux counts.
const MOST_LINKS: usize = 40;

/// Who owns what is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ownership {
    /// As it lies on the disk.
    Kept,
    /// Root: the files of a build context.
    Root,
}

/// A merged view of trees.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Highest first.
    trees: Vec<PathBuf>,
    ignore: Option<Ignore>,
    ownership: Ownership,
}

/// What stands at a path.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) kind: EntryKind,
    pub(super) attributes: Attributes,
    /// Where it is on this machine.
    pub(super) source: PathBuf,
    pub(super) metadata: std::fs::Metadata,
    /// The digest of a file's bytes, once something goes by it.
    pub(super) seen: Option<Digest>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EntryKind {
    Directory,
    File,
    Symlink(String),
    /// A pipe, socket or device.
    Other,
}

impl View {
    /// Trees of layers, lowest first.
    pub(super) fn of_layers(trees: &[PathBuf]) -> Self {
        Self {
            trees: trees.iter().rev().cloned().collect(),
            ignore: None,
            ownership: Ownership::Kept,
        }
    }

    /// A directory of the user's, without what `ignore` covers.
    pub(super) fn of_context(root: &Path, ignore: Ignore) -> Self {
        Self {
            trees: vec![root.to_owned()],
            ignore: Some(ignore),
            ownership: Ownership::Root,
        }
    }

    /// A directory that holds what is to be seen as it is.
    pub(super) fn of_directory(root: &Path) -> Self {
        Self {
            trees: vec![root.to_owned()],
            ignore: None,
            ownership: Ownership::Kept,
        }
    }

    /// What stands at a path whose parents are no links. The root is `""`.
    pub(super) fn at(&self, path: &str) -> io::Result<Option<Entry>> {
        if self.is_ignored(path) {
            return Ok(None);
        }
        for tree in &self.trees {
            match look(tree, path)? {
                Look::Found(metadata) => return self.entry(tree.join(path), metadata).map(Some),
                Look::Hidden => return Ok(None),
                Look::Below => {}
            }
        }
        Ok(None)
    }

    /// Whether a path, though left out of a context, may hold something that is not.
    fn is_ignored(&self, path: &str) -> bool {
        let Some(ignore) = &self.ignore else {
            return false;
        };
        let components: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        !components.is_empty() && ignore.covers(&components) && !ignore.may_keep_below(&components)
    }

    fn entry(&self, source: PathBuf, metadata: std::fs::Metadata) -> io::Result<Entry> {
        let kind = metadata.file_type();
        let kind = if kind.is_dir() {
            EntryKind::Directory
        } else if kind.is_file() {
            EntryKind::File
        } else if kind.is_symlink() {
            let target = fs::read_link(&source)?;
            EntryKind::Symlink(target.to_str().ok_or_else(|| no_text(&source))?.to_owned())
        } else {
            EntryKind::Other
        };
        let attributes = Attributes::root(metadata.mode() & 0o7777);
        Ok(Entry {
            kind,
            attributes: match self.ownership {
                Ownership::Kept => attributes.owned_by(metadata.uid(), metadata.gid()),
                Ownership::Root => attributes,
            },
            source,
            metadata,
            seen: None,
        })
    }

    /// The names in a directory, sorted, with what they name.
    pub(super) fn list(&self, path: &str) -> io::Result<BTreeMap<String, Entry>> {
        let mut found: BTreeMap<String, Option<Entry>> = BTreeMap::new();
        for tree in &self.trees {
            match look(tree, path)? {
                Look::Found(metadata) if metadata.is_dir() => {}
                Look::Found(_) | Look::Hidden => break,
                Look::Below => continue,
            }
            let place = tree.join(path);
            for item in fs::read_dir(&place)? {
                let item = item?;
                let Ok(name) = item.file_name().into_string() else {
                    return Err(no_text(&item.path()));
                };
                if found.contains_key(&name) || self.is_ignored(&join(path, &name)) {
                    continue;
                }
                let metadata = fs::symlink_metadata(item.path())?;
                let entry = match is_whiteout(&metadata) {
                    true => None,
                    false => Some(self.entry(item.path(), metadata)?),
                };
                found.insert(name, entry);
            }
            if is_opaque(&place) {
                break;
            }
        }
        Ok(found
            .into_iter()
            .filter_map(|(name, entry)| Some((name, entry?)))
            .collect())
    }

    /// The path without links and dots, links in the last place followed too. What does not
    /// exist stays as it is named.
    pub(super) fn resolve(&self, path: &str) -> io::Result<String> {
        let mut open: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut done: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(component) = open.pop() {
            match component.as_str() {
                "" | "." => continue,
                ".." => {
                    done.pop();
                    continue;
                }
                _ => done.push(component),
            }
            let Some(entry) = self.at(&done.join("/"))? else {
                continue;
            };
            if let EntryKind::Symlink(target) = entry.kind {
                links += 1;
                if links > MOST_LINKS {
                    return Err(io::Error::other("too many links lead to one another"));
                }
                done.pop();
                if target.starts_with('/') {
                    done.clear();
                }
                open.extend(target.split('/').rev().map(str::to_owned));
            }
        }
        Ok(done.join("/"))
    }

    /// What stands at a path, links followed, and its path without them.
    pub(super) fn find(&self, path: &str) -> io::Result<Option<(String, Entry)>> {
        let path = self.resolve(path)?;
        Ok(self.at(&path)?.map(|entry| (path, entry)))
    }

    /// Whether a file of a context stays out; directories are walked for what is taken back.
    pub(super) fn leaves_out(&self, path: &str) -> bool {
        self.ignore.as_ref().is_some_and(|ignore| {
            let components: Vec<&str> = path.split('/').collect();
            ignore.covers(&components)
        })
    }

    /// The text of a file, if there is one.
    pub(super) fn text(&self, path: &str) -> io::Result<Option<String>> {
        match self.find(path)? {
            Some((_, entry)) if entry.kind == EntryKind::File => {
                let bytes = fs::read(&entry.source)?;
                Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
            }
            _ => Ok(None),
        }
    }
}

/// `a` and `b` as `a/b`; the root is `""`.
pub(super) fn join(directory: &str, name: &str) -> String {
    match (directory.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (_, true) => directory.to_owned(),
        _ => format!("{directory}/{name}"),
    }
}

fn no_text(path: &Path) -> io::Error {
    let reason = format!("`{}` has a name that is not UTF-8", path.display());
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

enum Look {
    /// It is here.
    Found(std::fs::Metadata),
    /// It is hidden here: lower trees do not count.
    Hidden,
    /// It is not here; a lower tree may have it.
    Below,
}

/// What one tree says of a path.
fn look(tree: &Path, path: &str) -> io::Result<Look> {
    let mut opaque = false;
    let mut place = tree.to_owned();
    let mut metadata = match fs::symlink_metadata(&place) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::Below),
        Err(error) => return Err(error),
    };
    for component in path.split('/').filter(|part| !part.is_empty()) {
        if !metadata.is_dir() {
            return Ok(Look::Hidden);
        }
        opaque |= is_opaque(&place);
        place.push(component);
        metadata = match fs::symlink_metadata(&place) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(if opaque { Look::Hidden } else { Look::Below });
            }
            Err(error) => return Err(error),
        };
        if is_whiteout(&metadata) {
            return Ok(Look::Hidden);
        }
    }
    Ok(Look::Found(metadata))
}

/// Whether overlayfs would hide what is below this.
pub(super) fn is_whiteout(metadata: &std::fs::Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}

/// Whether overlayfs would hide what lower directories have here.
pub(super) fn is_opaque(directory: &Path) -> bool {
    let mut value = [0; 1];
    rustix::fs::lgetxattr(directory, "trusted.overlay.opaque", &mut value)
        .is_ok_and(|length| length == 1 && value[0] == b'y')
}

/// The file capabilities of a file, as the kernel keeps them.
pub(super) fn capabilities(file: &Path) -> Option<Vec<u8>> {
    let mut value = [0; 64];
    let length = rustix::fs::lgetxattr(file, "security.capability", &mut value).ok()?;
    Some(value[..length].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for path in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        root
    }

    #[test]
    fn the_higher_tree_wins_and_lists_are_merged() {
        let low = tree(&["a/one", "a/two", "b"]);
        let high = tree(&["a/two", "c/d"]);
        let trees = [low.path().to_owned(), high.path().to_owned()];
        let view = View::of_layers(&trees);
        let names: Vec<String> = view.list("a").unwrap().into_keys().collect();
        assert_eq!(names, ["one", "two"]);
        let two = view.at("a/two").unwrap().unwrap();
        assert!(two.source.starts_with(high.path()));
        assert!(view.at("b/x").unwrap().is_none());
        // A file hides the directory of a lower tree.
        let top = tree(&["a"]);
        let view = View::of_layers(&[trees[0].clone(), top.path().to_owned()]);
        assert!(view.at("a/one").unwrap().is_none());
    }

    #[test]
    fn links_never_lead_out() {
        let root = tree(&["etc/passwd", "srv/app/x"]);
        symlink("/srv", root.path().join("link")).unwrap();
        symlink("../../../../etc", root.path().join("srv/up")).unwrap();
        symlink("loop", root.path().join("loop")).unwrap();
        let view = View::of_layers(&[root.path().to_owned()]);
        assert_eq!(view.resolve("/link/app/x").unwrap(), "srv/app/x");
        assert_eq!(view.resolve("srv/up/passwd").unwrap(), "etc/passwd");
        assert_eq!(view.resolve("link/new/../y").unwrap(), "srv/y");
        assert!(view.resolve("loop").is_err());
    }

    #[test]
    fn what_is_ignored_is_not_there() {
        let root = tree(&["a/keep", "a/drop", "b/x"]);
        let ignore = Ignore::parse("*\n!a/keep\n");
        let view = View::of_context(root.path(), ignore);
        assert!(view.at("b").unwrap().is_none());
        let names: Vec<String> = view.list("a").unwrap().into_keys().collect();
        assert_eq!(names, ["keep"]);
        assert_eq!(view.at("a/keep").unwrap().unwrap().attributes.uid, 0);
    }
}
