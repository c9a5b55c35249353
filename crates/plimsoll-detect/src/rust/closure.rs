//! What a program is made of besides its own files: the libraries of the tree that it uses, and
//! the crates from elsewhere.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use plimsoll_diag::Span;

use super::item::Item;
use super::manifest::{Dependency, Package};
use super::source::{self, Crate};
use crate::tree::Tree;

/// The libraries of a tree, each read when a program first uses it.
pub(super) struct Libraries<'t> {
    tree: &'t Tree,
    packages: BTreeMap<&'t Path, &'t Package>,
    read: RefCell<BTreeMap<PathBuf, Rc<Crate>>>,
}

/// What a program uses.
#[derive(Debug, Default)]
pub(super) struct Closure {
    /// The items of libraries of the tree.
    pub items: Vec<Item>,
    /// How many of them are the program's own package's.
    pub own_items: usize,
    /// Crates from elsewhere that sources name, with their features and the line that asks for each.
    pub foreign: BTreeMap<String, (BTreeSet<String>, Span)>,
    /// The files of the libraries.
    pub files: Vec<std::sync::Arc<Path>>,
}

impl<'t> Libraries<'t> {
    pub(super) fn new(tree: &'t Tree, packages: &'t [Package]) -> Self {
        Self {
            tree,
            packages: packages
                .iter()
                .map(|package| (package.root.as_path(), package))
                .collect(),
            read: RefCell::default(),
        }
    }

    fn library(&self, path: &Path) -> Rc<Crate> {
        if let Some(known) = self.read.borrow().get(path) {
            return known.clone();
        }
        let found = Rc::new(source::read(self.tree, path));
        self.read
            .borrow_mut()
            .insert(path.to_owned(), found.clone());
        found
    }

    /// Follows what a program of `package` names.
    pub(super) fn closure(&self, package: &Package, own: &Crate) -> Closure {
        let mut closure = Closure::default();
        let mut seen: BTreeSet<&Path> = BTreeSet::new();
        if let Some(library) = &package.library
            && own.names.contains(&package.library_name)
        {
            let library = self.library(library);
            closure.take(&library);
            closure.own_items = closure.items.len();
            seen.insert(&package.root);
            self.follow(package, &library, &mut seen, &mut closure);
        }
        self.follow(package, own, &mut seen, &mut closure);
        closure
    }

    fn follow<'s>(
        &'s self,
        package: &'s Package,
        sources: &Crate,
        seen: &mut BTreeSet<&'s Path>,
        closure: &mut Closure,
    ) {
        for (key, dependency) in &package.dependencies {
            if !sources.names.contains(key) {
                continue;
            }
            let inside = dependency
                .path
                .as_ref()
                .and_then(|path| self.packages.get(path.as_path()));
            let Some(inside) = inside else {
                closure.uses(dependency);
                continue;
            };
            let Some(library) = &inside.library else {
                continue;
            };
            if seen.insert(&inside.root) {
                let library = self.library(library);
                closure.take(&library);
                self.follow(inside, &library, seen, closure);
            }
        }
    }
}

impl Closure {
    fn take(&mut self, library: &Crate) {
        self.items.extend(library.items.iter().cloned());
        self.files.extend(library.files.iter().cloned());
    }

    fn uses(&mut self, dependency: &Dependency) {
        let entry = self
            .foreign
            .entry(dependency.package.clone())
            .or_insert_with(|| (BTreeSet::new(), dependency.span.clone()));
        entry.0.extend(dependency.features.iter().cloned());
    }
}
