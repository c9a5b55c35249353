//! Where a sorted list of files is cut, so that an edit changes one piece of it and not all.
//!
//! A cut follows from the files alone: after a path whose hash says so, and after much content. A
//! file that comes or goes moves no cut but those beside it.

use std::collections::BTreeMap;

use super::file_set::{Content, FileSet, Node};

/// One path in so many ends a piece.
const PATHS: u64 = 256;

/// Content after which a piece ends.
const CONTENT: u64 = 4 << 20;

/// Asked file by file.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    content: u64,
}

impl Cuts {
    /// Whether the piece ends after this file.
    pub(crate) fn ends_with(&mut self, path: &str, size: u64) -> bool {
        self.content += size;
        let ends = self.content >= CONTENT || hash(path).is_multiple_of(PATHS);
        if ends {
            self.content = 0;
        }
        ends
    }
}

/// A hash that is the same on every machine and in every version (FNV-1a, its bits then mixed).
fn hash(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^ (hash >> 32)
}

impl FileSet {
    /// The set in pieces that, one after the other, are its files in their order. The first has
    /// all that is stated of directories. A set with hard links stays whole: these must have their
    /// file beside them.
    pub(crate) fn cut(self) -> Vec<FileSet> {
        let is_linked = |node: &Node| matches!(node, Node::Hardlink(_));
        if self.nodes.values().any(is_linked) {
            return vec![self];
        }
        let mut capabilities = self.capabilities;
        let (directories, files): (BTreeMap<_, _>, BTreeMap<_, _>) = self
            .nodes
            .into_iter()
            .partition(|(_, node)| matches!(node, Node::Directory(_)));
        let mut pieces = Vec::new();
        let mut piece = FileSet {
            nodes: directories,
            ..FileSet::default()
        };
        let mut cuts = Cuts::default();
        let mut is_open = true;
        for (path, node) in files {
            let ends = cuts.ends_with(&path, size(&node));
            if let Some(bytes) = capabilities.remove(&path) {
                piece.capabilities.insert(path.clone(), bytes);
            }
            piece.nodes.insert(path, node);
            is_open = !ends;
            if ends {
                pieces.push(std::mem::take(&mut piece));
            }
        }
        if is_open {
            pieces.push(piece);
        }
        pieces
    }
}

/// How much content a node has, as far as it is here.
fn size(node: &Node) -> u64 {
    match node {
        Node::File(_, Content::Bytes(bytes)) => bytes.len() as u64,
        Node::File(_, Content::Part(_, range)) => range.len() as u64,
        Node::File(_, Content::File(path) | Content::Seen(path, _)) => {
            fs_err::metadata(path).map_or(0, |data| data.len())
        }
        Node::Directory(_) | Node::Symlink(..) | Node::Hardlink(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Attributes, write_directories, write_files};
    use super::*;

    fn tar(set: &FileSet) -> (Vec<u8>, Vec<u8>) {
        let (mut directories, mut files) = (Vec::new(), Vec::new());
        write_directories(set, &mut directories).unwrap();
        write_files(set, &mut files).unwrap();
        (directories, files)
    }

    #[test]
    fn the_pieces_are_the_whole() {
        let mut set = FileSet::new();
        for index in 0..2000 {
            let path = format!("d{}/{index}", index % 7);
            set.file(&path, Attributes::FILE, "text").unwrap();
        }
        set.directory("d3", Attributes::root(0o700)).unwrap();
        set.set_capabilities("d1/1", vec![1, 2, 3]);
        let (directories, files) = tar(&set);
        let pieces: Vec<(Vec<u8>, Vec<u8>)> = set.cut().iter().map(tar).collect();
        assert!(pieces.len() > 3, "{}", pieces.len());
        assert_eq!(pieces[0].0, directories);
        let joined: Vec<u8> = pieces.into_iter().flat_map(|(_, files)| files).collect();
        assert_eq!(joined, files);
    }

    #[test]
    fn of_a_hundred_thousand_files_an_edit_changes_one_piece() {
        let of = |edited: &str| {
            let mut set = FileSet::new();
            for index in 0..100_000 {
                let path = format!("d{}/{index}", index % 331);
                let text = if path == edited { "new" } else { "old" };
                set.file(&path, Attributes::FILE, text).unwrap();
            }
            set.cut()
        };
        let (before, after) = (of(""), of("d5/5"));
        assert_eq!(before.len(), after.len());
        let differ = before
            .iter()
            .zip(&after)
            .filter(|(old, new)| tar(old) != tar(new));
        let changed: Vec<usize> = differ.map(|(_, new)| new.iter().count()).collect();
        assert_eq!(changed.len(), 1);
        assert!(changed[0] < 5_000, "{changed:?}");
    }

    #[test]
    fn much_content_is_cut_and_hard_links_are_not() {
        let mut set = FileSet::new();
        for index in 0..10 {
            let content = vec![b'x'; 1 << 20];
            set.file(&format!("f{index}"), Attributes::FILE, content)
                .unwrap();
        }
        assert!(set.clone().cut().len() >= 2);
        set.insert("link", Node::Hardlink("f1".to_owned())).unwrap();
        assert_eq!(set.cut().len(), 1);
    }

    #[test]
    fn nothing_and_only_directories_are_one_piece() {
        assert_eq!(FileSet::new().cut().len(), 1);
        let mut set = FileSet::new();
        set.directory("a/b", Attributes::DIRECTORY).unwrap();
        assert_eq!(set.cut().len(), 1);
    }
}
