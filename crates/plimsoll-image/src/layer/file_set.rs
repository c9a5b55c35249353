//! What a segment holds: paths and what stands there, in the order in which they are written.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::path::{self, PathError};
use crate::Digest;

/// Who owns a file, and what may be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// Permission bits, the set-id and sticky bits included.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
}

impl Attributes {
    /// Of root, with these permissions.
    pub const fn root(mode: u32) -> Self {
        Self {
            mode,
            uid: 0,
            gid: 0,
        }
    }

    /// Of another user and group.
    #[must_use]
    pub const fn owned_by(self, uid: u32, gid: u32) -> Self {
        Self { uid, gid, ..self }
    }

    /// A file that everyone reads.
    pub const FILE: Self = Self::root(0o644);
    /// A program, or a directory that everyone enters.
    pub const PROGRAM: Self = Self::root(0o755);
    /// A directory that everyone enters.
    pub const DIRECTORY: Self = Self::root(0o755);
}

/// Where a file's bytes are.
#[derive(Debug, Clone)]
pub enum Content {
    /// Here.
    Bytes(Vec<u8>),
    /// A part of something larger, such as an archive in memory.
    Part(Arc<Vec<u8>>, Range<usize>),
    /// In a file of this machine, read when the segment is written.
    File(PathBuf),
    /// In a file of somebody else's, who may write to it at any time. What is made of it goes by the
    /// bytes that it had when it was looked at: others are refused.
    Seen(PathBuf, Digest),
}

/// One thing in a file system.
#[derive(Debug, Clone)]
pub enum Node {
    /// A directory.
    Directory(Attributes),
    /// A regular file.
    File(Attributes, Content),
    /// A symbolic link and its target as written.
    Symlink(Attributes, String),
    /// Another name of a file of the same set.
    Hardlink(String),
}

/// Two things claim one path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FileSetError {
    /// Two entries that are not both directories.
    #[error("two entries stand at `{0}`")]
    Taken(String),
    /// A file where another entry needs a directory.
    #[error("`{0}` is not a directory, but something lies below it")]
    NotADirectory(String),
    /// A hard link to nothing.
    #[error("`{link}` is a hard link to `{target}`, which is not there")]
    Dangling {
        /// The link.
        link: String,
        /// Where it points.
        target: String,
    },
    /// A path that cannot be taken.
    #[error(transparent)]
    Path(#[from] PathError),
}

/// Files by path. Parents that nobody states are added: of root, mode 0755.
#[derive(Debug, Clone, Default)]
pub struct FileSet {
    pub(super) nodes: BTreeMap<String, Node>,
    /// What the kernel gives programs that are executed, as it keeps it (`security.capability`).
    pub(super) capabilities: BTreeMap<String, Vec<u8>>,
}

impl FileSet {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one thing. Stating a directory again replaces its attributes.
    ///
    /// # Errors
    /// When the path is not a clean relative path, or is taken.
    pub fn insert(&mut self, name: &str, node: Node) -> Result<(), FileSetError> {
        let name = path::normalised(name.as_bytes())?;
        if name.is_empty() {
            return match node {
                Node::Directory(_) => Ok(()),
                _ => Err(PathError::Empty.into()),
            };
        }
        for parent in path::parents(&name) {
            match self.nodes.get(parent) {
                Some(Node::Directory(_)) => {}
                Some(_) => return Err(FileSetError::NotADirectory(parent.to_owned())),
                None => {
                    let directory = Node::Directory(Attributes::DIRECTORY);
                    self.nodes.insert(parent.to_owned(), directory);
                }
            }
        }
        match (self.nodes.get(&name), &node) {
            (None, _) | (Some(Node::Directory(_)), Node::Directory(_)) => {
                self.nodes.insert(name, node);
                Ok(())
            }
            _ => Err(FileSetError::Taken(name)),
        }
    }

    /// Adds a directory.
    ///
    /// # Errors
    /// As [`FileSet::insert`].
    pub fn directory(&mut self, path: &str, attributes: Attributes) -> Result<(), FileSetError> {
        self.insert(path, Node::Directory(attributes))
    }

    /// Adds a file from memory.
    ///
    /// # Errors
    /// As [`FileSet::insert`].
    pub fn file(
        &mut self,
        path: &str,
        attributes: Attributes,
        bytes: impl Into<Vec<u8>>,
    ) -> Result<(), FileSetError> {
        self.insert(path, Node::File(attributes, Content::Bytes(bytes.into())))
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// As [`FileSet::insert`].
    pub fn symlink(&mut self, path: &str, target: &str) -> Result<(), FileSetError> {
        self.insert(
            path,
            Node::Symlink(Attributes::root(0o777), target.to_owned()),
        )
    }

    /// States the file capabilities of a file that is there, as the kernel keeps them.
    pub fn set_capabilities(&mut self, path: &str, bytes: Vec<u8>) {
        if matches!(self.nodes.get(path), Some(Node::File(..))) {
            self.capabilities.insert(path.to_owned(), bytes);
        }
    }

    /// The file capabilities at a path.
    pub fn capabilities(&self, path: &str) -> Option<&[u8]> {
        self.capabilities.get(path).map(Vec::as_slice)
    }

    /// Takes something out again.
    pub fn remove(&mut self, path: &str) -> Option<Node> {
        self.capabilities.remove(path);
        self.nodes.remove(path)
    }

    /// What stands at a path.
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many things there are, directories included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Everything, parents first, sorted by bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// Checks that every hard link has its file.
    pub(super) fn check_links(&self) -> Result<(), FileSetError> {
        for (link, node) in &self.nodes {
            if let Node::Hardlink(target) = node
                && !matches!(self.nodes.get(target), Some(Node::File(..)))
            {
                return Err(FileSetError::Dangling {
                    link: link.clone(),
                    target: target.clone(),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_appear_and_keep_stated_attributes() {
        let mut set = FileSet::new();
        set.file("a/b/c", Attributes::FILE, "x").unwrap();
        set.directory("a/b", Attributes::root(0o700)).unwrap();
        let paths: Vec<&str> = set.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a", "a/b", "a/b/c"]);
        assert!(matches!(set.get("a/b"), Some(Node::Directory(a)) if a.mode == 0o700));
    }

    #[test]
    fn nothing_is_written_twice_or_below_a_file() {
        let mut set = FileSet::new();
        set.file("a", Attributes::FILE, "x").unwrap();
        assert_eq!(
            set.file("./a", Attributes::FILE, "y"),
            Err(FileSetError::Taken("a".into()))
        );
        assert_eq!(
            set.symlink("a/b", "c"),
            Err(FileSetError::NotADirectory("a".into()))
        );
        assert!(set.file("../a", Attributes::FILE, "y").is_err());
    }
}
