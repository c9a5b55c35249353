//! From installed distributions and the application's files to segments and layers.

use std::collections::BTreeMap;
use std::path::Path;

use fs_err as fs;
use rayon::prelude::*;

use super::PythonError;
use super::build::{Build, RULES};
use super::bytecode::{self, Module};
use super::environment::{self, Distribution};
use super::install::Bytecode;
use super::uv::Uv;
use crate::store::{ImageLayer, Segment};
use crate::variant::Variant;
use crate::workshop::Memory;

/// Where the application's files are in the image.
pub(super) const APPLICATION: &str = "/app";

impl Build<'_> {
    /// The segments of an installation at `out`. A distribution that was installed before, byte
    /// for byte, is neither compiled nor packed again.
    pub(super) fn segments(
        &self,
        uv: &Uv<'_>,
        work: &Path,
        out: &Path,
    ) -> Result<Vec<(String, Segment)>, PythonError> {
        let store = self.workshop.store;
        let mut found: BTreeMap<String, Segment> = BTreeMap::new();
        let mut new = Vec::new();
        for distribution in environment::take_apart(out, &self.target.interpreter)? {
            let known = match self.workshop.memory {
                Memory::Use => store.segment(&self.key_of(&distribution)?),
                Memory::Ignore => None,
            };
            match known {
                Some(segment) => {
                    found.insert(distribution.name, segment);
                }
                None => new.push(distribution),
            }
        }
        let compiled = match self.options.bytecode {
            Bytecode::Compiled => self.compile(uv, &new, work)?,
            Bytecode::Sources => new.iter().map(|_| BTreeMap::new()).collect(),
        };
        let made: Vec<(String, Segment)> = new
            .into_par_iter()
            .zip(compiled)
            .map(|(distribution, compiled)| {
                let key = self.key_of(&distribution)?;
                let mut files = distribution.file_set(compiled)?;
                if self.is_slim() {
                    for path in distribution.extras() {
                        files.remove(&path);
                    }
                }
                let segment = store.put_segment(&key, &files)?;
                store.compress_early(&segment)?;
                Ok((distribution.name, segment))
            })
            .collect::<Result<_, PythonError>>()?;
        found.extend(made);
        Ok(found.into_iter().collect())
    }

    /// The bytecode of distributions that were installed.
    fn compile(
        &self,
        uv: &Uv<'_>,
        distributions: &[Distribution],
        work: &Path,
    ) -> Result<Vec<BTreeMap<String, Vec<u8>>>, PythonError> {
        let mut texts: Vec<Vec<(String, Vec<u8>)>> = Vec::new();
        for distribution in distributions {
            let read = |(path, source)| Ok((path, fs::read(source)?));
            let modules = distribution.modules().map(read);
            texts.push(modules.collect::<Result<_, PythonError>>()?);
        }
        let groups: Vec<Vec<Module<'_>>> = texts
            .iter()
            .map(|group| {
                let modules = group.iter();
                modules
                    .map(|(path, source)| Module {
                        path: path.clone(),
                        source,
                    })
                    .collect()
            })
            .collect();
        bytecode::compile(uv, &groups, &self.target.interpreter, work)
    }

    /// What tells an installed distribution from any other: its record lists the hash of every
    /// file, and what is compiled follows from these and the interpreter.
    fn key_of(&self, distribution: &Distribution) -> Result<String, PythonError> {
        Ok(format!(
            "distribution {} {} {:?} {} {RULES}{}",
            distribution.name,
            distribution.identity()?,
            self.options.bytecode,
            self.steps
                .version_of(&self.target.interpreter.packages()[0])
                .unwrap_or_default(),
            match self.is_slim() {
                true => " slim",
                false => "",
            },
        ))
    }

    pub(super) fn is_slim(&self) -> bool {
        self.workshop.variant == Variant::Slim
    }

    /// The application's files.
    pub(super) fn files(&self) -> Result<Vec<ImageLayer>, PythonError> {
        if self.application.files().is_empty() {
            return Ok(Vec::new());
        }
        let workshop = self.workshop;
        let key = format!("{RULES} files {}", self.application.identity());
        workshop.layers(&key, || {
            workshop.tell("packing the application");
            let place = environment::below_root(APPLICATION);
            let segments = self.application.segments(workshop.store, RULES, place)?;
            let words = "the application's files".to_string();
            Ok(vec![self.layer(&segments, words)?])
        })
    }
}
