//! The project's own distributions: wheels that their build backends make of the sources.
//!
//! A backend takes a second, and what an edit of a module changes is known without it: the module,
//! its line in the record, its bytecode. So of each wheel that a backend made is kept which of its
//! files are copies of which sources. What comes out after an edit is, byte for byte, what the
//! backend would make of the tree: where that is not certain, it runs.

mod backends;
mod copies;
mod described;
mod installed;
mod packing;
mod record;

use std::collections::BTreeSet;
use std::path::Path;

use self::copies::Copies;
use self::installed::Installed;
use super::PythonError;
use super::build::Build;
use super::environment::{self, site_packages};
use super::install;
use super::uv::BUILD_USER;
use crate::store::{ImageLayer, Segment};
use crate::workshop::Memory;

impl Build<'_> {
    /// The layer of the project's own distributions, which lie in these directories.
    pub(super) fn projects(
        &self,
        members: &[String],
        as_of: Option<&str>,
    ) -> Result<Vec<ImageLayer>, PythonError> {
        if members.is_empty() {
            return Ok(Vec::new());
        }
        let workshop = self.workshop;
        let terms = format!("{members:?} by {} as of {as_of:?}", self.terms());
        // A build backend may read anything, so everything it can see is part of the key.
        let key = format!(
            "own distributions of {} {terms}",
            self.application.identity()
        );
        workshop.layers(&key, || {
            let shape = copies::shape(self.application);
            let memo = format!("copies in own distributions of {shape} {terms}");
            let segments = match self.copies(&memo) {
                Some(copies) => {
                    workshop.tell("packing the project");
                    workshop.note(copies.materials.clone());
                    let packages = site_packages(&self.target.interpreter);
                    let made = copies.installed(self.application, workshop.store, &packages)?;
                    self.own_segments(&made)?
                }
                None => self.built(members, as_of, &memo)?,
            };
            let words = "the project's own distributions".to_string();
            Ok(vec![self.layer(&segments, words)?])
        })
    }

    /// What is known of the wheels of this tree, where it is enough.
    fn copies(&self, memo: &str) -> Option<Copies> {
        let workshop = self.workshop;
        let copies: Copies = match workshop.memory {
            Memory::Use => workshop.store.recall(memo)?,
            Memory::Ignore => return None,
        };
        copies.hold_for(self.application).then_some(copies)
    }

    /// Lets the backends make wheels, and keeps what can be learnt of them.
    fn built(
        &self,
        members: &[String],
        as_of: Option<&str>,
        memo: &str,
    ) -> Result<Vec<Segment>, PythonError> {
        let workshop = self.workshop;
        workshop.tell("building the project");
        self.with_uv(|uv, scratch| {
            let source = scratch.directory("project", BUILD_USER)?;
            self.application.copy_to(&source)?;
            let work = scratch.directory("work", BUILD_USER)?;
            let made = self.with_builds(uv, as_of, |builds| {
                let built = install::wheels_of(builds, &source, members, &work)?;
                let interpreter = &self.target.interpreter;
                // What that variant leaves out is told by files.
                let laid = match self.is_slim() {
                    true => Err("of the slim variant".to_string()),
                    false => installed::of_wheels(&built, interpreter),
                };
                laid.or_else(|reason| {
                    tracing::debug!(reason, "the installer is asked");
                    let out = scratch.directory("out", BUILD_USER)?;
                    install::wheels(builds, &built, &work, &out)?;
                    self.installed_at(&out)
                })
            })?;
            let segments = self.own_segments(&made)?;
            self.learn(members, &made, memo)?;
            Ok(segments)
        })
    }

    /// What an installer left in a directory.
    fn installed_at(&self, out: &Path) -> Result<Vec<Installed>, PythonError> {
        let mut found = Vec::new();
        for distribution in environment::take_apart(out, &self.target.interpreter)? {
            let left_out = match self.is_slim() {
                true => distribution.extras().into_iter().collect(),
                false => BTreeSet::new(),
            };
            found.push(Installed::look(&distribution, &left_out)?);
        }
        Ok(found)
    }

    fn learn(&self, members: &[String], made: &[Installed], memo: &str) -> Result<(), PythonError> {
        // What that variant leaves out depends on what modules say.
        if self.is_slim() {
            return Ok(());
        }
        let workshop = self.workshop;
        let packages = site_packages(&self.target.interpreter);
        match Copies::learn(self.application, members, made, &packages) {
            Ok(mut copies) => {
                copies.materials = workshop.noted_materials();
                let needs = copies.keep(made, workshop.store)?;
                workshop.store.remember(memo, &copies, &needs)?;
            }
            Err(reason) => tracing::debug!(reason, "the next edit takes the build backend, too"),
        }
        Ok(())
    }
}

/// A path below a directory.
fn below<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    path.strip_prefix(directory)?.strip_prefix('/')
}
