//! The packages of a tree, what their files say, and which of them a package is built from. Each is read once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::facts::FileFacts;
use super::manifest::Package;
use crate::tree::Tree;

/// What the files of a package say.
pub(crate) type Contents = BTreeMap<PathBuf, FileFacts>;

/// The packages of a tree.
pub(crate) struct Shelf<'t> {
    pub(crate) tree: &'t Tree,
    packages: &'t [Package],
    /// Directories that have a manifest, readable or not.
    directories: &'t [PathBuf],
    read: RefCell<BTreeMap<PathBuf, Rc<Contents>>>,
}

/// A package of the tree that another one is built from.
pub(crate) struct Sibling<'t> {
    pub(crate) package: &'t Package,
    pub(crate) contents: Rc<Contents>,
}

impl<'t> Shelf<'t> {
    pub(crate) fn new(tree: &'t Tree, packages: &'t [Package], directories: &'t [PathBuf]) -> Self {
        Self {
            tree,
            packages,
            directories,
            read: RefCell::default(),
        }
    }

    /// Directories of packages inside of a package.
    pub(crate) fn nested(&self, package: &Package) -> Vec<&'t Path> {
        self.directories
            .iter()
            .filter(|other| **other != package.directory && other.starts_with(&package.directory))
            .map(PathBuf::as_path)
            .collect()
    }

    /// What the files of a package say.
    pub(crate) fn contents(&self, package: &Package) -> Rc<Contents> {
        if let Some(known) = self.read.borrow().get(&package.directory) {
            return known.clone();
        }
        let nested = self.nested(package);
        let contents = Rc::new(super::facts::read(self.tree, &package.directory, &nested));
        self.read
            .borrow_mut()
            .insert(package.directory.clone(), contents.clone());
        contents
    }

    /// The packages of the tree that a package is built from, and those that they are built from.
    pub(crate) fn siblings(&self, package: &Package) -> Vec<Sibling<'t>> {
        let mut seen = BTreeSet::from([&package.directory]);
        let mut open: Vec<&str> = needed(package).collect();
        let mut found = Vec::new();
        while let Some(name) = open.pop() {
            let named = self
                .packages
                .iter()
                .find(|other| other.name.as_deref() == Some(name));
            let Some(sibling) = named.filter(|other| seen.insert(&other.directory)) else {
                continue;
            };
            open.extend(needed(sibling));
            found.push(Sibling {
                package: sibling,
                contents: self.contents(sibling),
            });
        }
        found
    }
}

/// Names of what a package needs at run time.
fn needed(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|(_, _, runtime)| *runtime)
        .map(|(name, ..)| name.as_str())
}
