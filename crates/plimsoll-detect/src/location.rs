//! Places on disk that source code names, and how they lie in the tree. Nothing is looked up here.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::places;
use crate::syntax::Place;

/// What a place is seen from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// A plain text, which whoever reads it relates to something.
    Written,
    /// The directory that the program is started in.
    Working,
    /// The file that names it.
    File,
}

/// What becomes of a place that code names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is given to something that hands out files.
    HandedOut,
    /// Anything else, or nothing.
    Open,
}

/// A place that a file names.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) location: Location,
    /// Where the file names it.
    pub(crate) place: Place,
    pub(crate) fate: Fate,
}

/// A place that code names: `Path(__file__).parent / "static"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Location {
    pub(crate) origin: Origin,
    /// The way from there, with `/`; for [`Origin::File`] from the file itself, so that its directory is `..`.
    pub(crate) way: String,
}

impl Location {
    /// A plain text.
    pub(crate) fn written(text: impl Into<String>) -> Self {
        Self {
            origin: Origin::Written,
            way: text.into(),
        }
    }

    /// The file that names it.
    pub(crate) fn file() -> Self {
        Self {
            origin: Origin::File,
            way: String::new(),
        }
    }

    /// The directory that the program is started in.
    pub(crate) fn working() -> Self {
        Self {
            origin: Origin::Working,
            way: String::new(),
        }
    }

    /// The directory above.
    pub(crate) fn above(self) -> Self {
        self.joined("..")
    }

    /// What is at `more`, seen from here; a text on its own when that starts at the root.
    pub(crate) fn joined(self, more: &str) -> Self {
        if more.starts_with('/') {
            return Self::written(more);
        }
        let way = match (self.way.is_empty(), more.is_empty()) {
            (true, _) => more.to_owned(),
            (false, true) => self.way,
            (false, false) => format!("{}/{more}", self.way.trim_end_matches('/')),
        };
        Self {
            origin: self.origin,
            way,
        }
    }

    /// The way from the directory of a file that is read where the program is started: a configuration.
    pub(crate) fn beside(&self) -> PathBuf {
        let way = match self.origin {
            Origin::File => self.way.strip_prefix("..").unwrap_or(&self.way),
            Origin::Written | Origin::Working => &self.way,
        };
        let mut plain = PathBuf::new();
        for part in Path::new(way.trim_start_matches('/')).components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir if plain.file_name().is_some() => drop(plain.pop()),
                part => plain.push(part),
            }
        }
        plain
    }

    /// Where it is in the tree, said in `file` of a program that is started in `working`; `None` outside of the tree.
    pub(crate) fn within(&self, file: &Path, working: &Path) -> Option<PathBuf> {
        match self.origin {
            Origin::File => places::within(file, &self.way),
            Origin::Written | Origin::Working => places::within(working, &self.way),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_seen_from_where_it_is_said() {
        let file = Path::new("api/app/main.py");
        let working = Path::new("api");
        let at = |location: Location| {
            let path = location.within(file, working)?;
            Some(places::text(&path).to_owned())
        };
        let beside = Location::file().above().joined("../static");
        assert_eq!(at(beside).as_deref(), Some("api/static"));
        let started = Location::working().joined("./static/");
        assert_eq!(at(started).as_deref(), Some("api/static"));
        assert_eq!(at(Location::written("../../out")), None);
        assert_eq!(at(Location::file().joined("/srv/pages")), None);
        let out = Location::file().above().joined("web/../../out");
        assert_eq!(out.beside(), Path::new("../out"));
    }
}
