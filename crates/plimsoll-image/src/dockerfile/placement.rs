//! Where copied files go: names, owners and modes in the layer that they become.

use plimsoll_diag::Span;

use super::DockerfileError;
use super::sources::Found;
use super::view::{EntryKind, View, capabilities, join};
use super::written;
use crate::layer::{Attributes, Content, FileSet, Node};

/// A change of permission bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ModeChange {
    /// `644`.
    Bits(u32),
    /// `u=rwX,go-w`: who (mask), what is done, and the letters.
    Symbolic(Vec<(u32, char, String)>),
}

impl ModeChange {
    /// Reads `--chmod`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if !text.is_empty() && text.chars().all(|c| c.is_digit(8)) {
            let bits = u32::from_str_radix(text, 8).ok()?;
            return (bits <= 0o7777).then_some(Self::Bits(bits));
        }
        let mut clauses = Vec::new();
        for clause in text.split(',') {
            let at = clause.find(['+', '-', '='])?;
            let (who, rest) = clause.split_at(at);
            let mut mask = 0;
            for letter in who.chars() {
                mask |= match letter {
                    'u' => 0o4700,
                    'g' => 0o2070,
                    'o' => 0o1007,
                    'a' => 0o7777,
                    _ => return None,
                };
            }
            let operator = rest.chars().next()?;
            let letters = &rest[1..];
            if !letters.chars().all(|c| "rwxXst".contains(c)) {
                return None;
            }
            let mask = if who.is_empty() { 0o7777 } else { mask };
            clauses.push((mask, operator, letters.to_owned()));
        }
        Some(Self::Symbolic(clauses))
    }

    fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        let clauses = match self {
            Self::Bits(bits) => return *bits,
            Self::Symbolic(clauses) => clauses,
        };
        clauses
            .iter()
            .fold(mode, |mode, (mask, operator, letters)| {
                let bits = letters.chars().fold(0, |bits, letter| {
                    bits | match letter {
                        'r' => 0o444,
                        'w' => 0o222,
                        'x' => 0o111,
                        'X' if is_directory || mode & 0o111 != 0 => 0o111,
                        's' => 0o6000,
                        't' => 0o1000,
                        _ => 0,
                    }
                }) & mask;
                match operator {
                    '+' => mode | bits,
                    '-' => mode & !bits,
                    _ => mode & !(mask & 0o777) | bits,
                }
            })
    }
}

/// Puts copied things into a layer above a file system.
pub(super) struct Placement<'a> {
    view: &'a View,
    span: Option<Span>,
    owner: Option<(u32, u32)>,
    mode: Option<&'a ModeChange>,
    files: FileSet,
}

impl<'a> Placement<'a> {
    pub(super) fn new(
        view: &'a View,
        span: Option<Span>,
        owner: Option<(u32, u32)>,
        mode: Option<&'a ModeChange>,
    ) -> Self {
        Self {
            view,
            span,
            owner,
            mode,
            files: FileSet::new(),
        }
    }

    pub(super) fn finish(self) -> FileSet {
        self.files
    }

    /// States a directory and those above it: as they are, or new ones.
    pub(super) fn parents(&mut self, path: &str) -> Result<(), DockerfileError> {
        let mut place = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            place = join(&place, part);
            if self.files.get(&place).is_some() {
                continue;
            }
            let attributes = match self.view.at(&place)? {
                Some(entry) if entry.kind == EntryKind::Directory => entry.attributes,
                Some(_) => return Err(self.in_the_way(&place)),
                None => self.owned(Attributes::DIRECTORY),
            };
            self.files.directory(&place, attributes)?;
        }
        Ok(())
    }

    fn in_the_way(&self, path: &str) -> DockerfileError {
        DockerfileError::at(
            self.span.clone(),
            format!(
                "`/{path}` of the image is no directory, but something would be copied below it"
            ),
        )
        .hint("copy to the directory that a link there leads to")
    }

    fn owned(&self, attributes: Attributes) -> Attributes {
        match self.owner {
            Some((uid, gid)) => attributes.owned_by(uid, gid),
            None => attributes,
        }
    }

    fn changed(&self, attributes: Attributes, is_directory: bool) -> Attributes {
        let mut attributes = self.owned(attributes);
        if let Some(change) = self.mode {
            attributes.mode = change.apply(attributes.mode, is_directory);
        }
        attributes
    }

    /// Puts a file, or what is in a directory, at a path.
    pub(super) fn put(&mut self, found: &Found, path: &str) -> Result<(), DockerfileError> {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.parents(parent)?;
        }
        for item in &found.items {
            let place = join(path, &item.below);
            let entry = &item.entry;
            let is_directory = entry.kind == EntryKind::Directory;
            let attributes = self.changed(entry.attributes, is_directory);
            let there = self.view.at(&place)?;
            let directory_there = there
                .as_ref()
                .is_some_and(|there| there.kind == EntryKind::Directory);
            match &entry.kind {
                EntryKind::Directory => {
                    if there.is_some() && !directory_there {
                        return Err(self.in_the_way(&place));
                    }
                    // The directory that things are copied into stays as it is.
                    if item.below.is_empty() && (place.is_empty() || there.is_some()) {
                        self.parents(&place)?;
                    } else {
                        self.files.directory(&place, attributes)?;
                    }
                    continue;
                }
                _ if directory_there || place.is_empty() => {
                    return Err(DockerfileError::at(
                        self.span.clone(),
                        format!(
                            "`/{place}` of the image is a directory, which a file cannot replace"
                        ),
                    )
                    .hint("end the destination with `/` to copy into it"));
                }
                EntryKind::Symlink(target) => {
                    let attributes = Attributes {
                        mode: 0o777,
                        ..self.owned(entry.attributes)
                    };
                    self.replace(&place, Node::Symlink(attributes, target.clone()))?;
                }
                EntryKind::File => {
                    let content =
                        written::content(&entry.source, &place, &entry.metadata, entry.seen)?;
                    self.replace(&place, Node::File(attributes, content))?;
                    if let Some(bytes) = capabilities(&entry.source) {
                        self.files.set_capabilities(&place, bytes);
                    }
                }
                EntryKind::Other => {}
            }
        }
        Ok(())
    }

    /// Puts bytes at a path.
    pub(super) fn bytes(
        &mut self,
        path: &str,
        mode: u32,
        bytes: Vec<u8>,
    ) -> Result<(), DockerfileError> {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.parents(parent)?;
        }
        let attributes = self.changed(Attributes::root(mode), false);
        self.replace(path, Node::File(attributes, Content::Bytes(bytes)))
    }

    /// Of two sources with one destination the later counts.
    fn replace(&mut self, path: &str, node: Node) -> Result<(), DockerfileError> {
        if !matches!(self.files.get(path), Some(Node::Directory(_))) {
            self.files.remove(path);
        }
        Ok(self.files.insert(path, node)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str, mode: u32, is_directory: bool) -> u32 {
        ModeChange::parse(text).unwrap().apply(mode, is_directory)
    }

    #[test]
    fn modes_are_octal_or_symbolic() {
        assert_eq!(changed("0755", 0o600, false), 0o755);
        assert_eq!(changed("u=rwX,go=rX", 0o600, false), 0o644);
        assert_eq!(changed("u=rwX,go=rX", 0o600, true), 0o755);
        assert_eq!(changed("+x", 0o644, false), 0o755);
        assert_eq!(changed("go-w,u+s", 0o666, false), 0o4644);
        assert_eq!(ModeChange::parse("rwx"), None);
        assert_eq!(ModeChange::parse("99"), None);
        assert_eq!(ModeChange::parse("z+x"), None);
    }
}
