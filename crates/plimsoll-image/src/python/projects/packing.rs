//! From installed distributions to segments, so that an edit packs the files beside the one that
//! changed, and compiles that one.
//!
//! Each module is compiled in a process of its own: its bytecode then follows from nothing but the
//! module and the interpreter, and is the same whether the others were compiled before it, or come
//! from an earlier build. The archive is the same however it is cut.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::installed::{Installed, InstalledFile};
use crate::Digest;
use crate::digest::Hasher;
use crate::layer::{Attributes, Content, Cuts, FileSet, Node};
use crate::python::PythonError;
use crate::python::build::Build;
use crate::python::bytecode::{self, Module};
use crate::python::environment::{ENVIRONMENT, below_root, is_module};
use crate::python::install::Bytecode;
use crate::python::uv::BUILD_USER;
use crate::store::{Segment, Store};
use crate::workshop::Memory;

/// What stands at a path of the image.
#[derive(Clone, Copy)]
enum Item<'i> {
    File(&'i InstalledFile),
    /// The bytecode of a module; nothing, where that does not compile.
    Bytecode(&'i InstalledFile),
}

/// Items by their paths below the environment, from one cut to the next.
type Piece<'i> = Vec<(String, Item<'i>)>;

/// The bytecode in the segments of an earlier build of a distribution.
#[derive(Debug, Serialize, Deserialize)]
struct Earlier {
    /// Digests of the modules.
    modules: BTreeMap<String, Digest>,
    /// Segments by the last path that each may have.
    segments: Vec<(String, Segment)>,
}

impl Build<'_> {
    /// The segments of the project's own distributions.
    pub(super) fn own_segments(
        &self,
        installed: &[Installed],
    ) -> Result<Vec<Segment>, PythonError> {
        let mut segments = Vec::new();
        for distribution in installed {
            segments.extend(self.segments_of(distribution)?);
        }
        Ok(segments)
    }

    fn segments_of(&self, distribution: &Installed) -> Result<Vec<Segment>, PythonError> {
        let store = self.workshop.store;
        let pieces = self.pieces(distribution);
        let keyed: Vec<(String, &Piece<'_>)> = pieces
            .iter()
            .map(|piece| (self.piece_key(piece), piece))
            .collect();
        let known = |key: &str| match self.workshop.memory {
            Memory::Use => store.segment(key),
            Memory::Ignore => None,
        };
        let found: Vec<Option<Segment>> = keyed.iter().map(|(key, _)| known(key)).collect();
        let new: Vec<&Piece<'_>> = keyed
            .iter()
            .zip(&found)
            .filter(|(_, found)| found.is_none())
            .map(|((_, piece), _)| *piece)
            .collect();
        let bytecode = self.bytecode(&distribution.name, &new)?;
        let segments: Vec<Segment> = keyed
            .par_iter()
            .zip(found)
            .map(|((key, piece), found)| {
                if let Some(segment) = found {
                    return Ok(segment);
                }
                let segment = store.put_segment(key, &file_set(piece, &bytecode)?)?;
                store.compress_early(&segment)?;
                Ok(segment)
            })
            .collect::<Result<_, PythonError>>()?;
        if !new.is_empty() {
            self.note_bytecode(distribution, &pieces, &segments)?;
        }
        Ok(segments)
    }

    /// The files of a distribution, and the bytecode of its modules.
    fn pieces<'i>(&self, distribution: &'i Installed) -> Vec<Piece<'i>> {
        let mut items: BTreeMap<String, Item<'i>> = BTreeMap::new();
        for file in &distribution.files {
            items.insert(file.path.clone(), Item::File(file));
        }
        if self.options.bytecode == Bytecode::Compiled {
            let modules = distribution
                .files
                .iter()
                .filter(|file| is_module(&file.path));
            let tag = self.target.interpreter.minor.replace('.', "");
            items.extend(modules.map(|file| {
                let (directory, name) = file.path.rsplit_once('/').unwrap_or_default();
                let stem = name.strip_suffix(".py").unwrap_or(name);
                let path = format!("{directory}/__pycache__/{stem}.cpython-{tag}.pyc");
                (path, Item::Bytecode(file))
            }));
        }
        let mut cuts = Cuts::default();
        let mut pieces = Vec::new();
        let mut piece = Vec::new();
        for (path, item) in items {
            let (Item::File(file) | Item::Bytecode(file)) = item;
            let ends = cuts.ends_with(&path, file.size);
            piece.push((path, item));
            if ends {
                pieces.push(std::mem::take(&mut piece));
            }
        }
        if !piece.is_empty() {
            pieces.push(piece);
        }
        pieces
    }

    fn piece_key(&self, piece: &Piece<'_>) -> String {
        let mut hasher = Hasher::default();
        for (path, item) in piece {
            let line = match item {
                Item::File(file) => format!("{path}\0file {} {}\0", file.executable, file.digest),
                Item::Bytecode(file) => format!("{path}\0bytecode of {}\0", file.digest),
            };
            hasher.update(line.as_bytes());
        }
        format!("own files {} {}", hasher.finish(), self.compiler())
    }

    /// What bytecode follows from besides a module.
    fn compiler(&self) -> String {
        let interpreter = &self.target.interpreter;
        let package = &interpreter.packages()[0];
        let version = self.steps.version_of(package).unwrap_or_default();
        let bytecode = self.options.bytecode;
        format!("{bytecode:?} by {} {version}, rules 1", interpreter.minor)
    }

    /// The bytecode of modules in these pieces, by its path; that which was compiled before is
    /// taken from where it was packed.
    fn bytecode(
        &self,
        name: &str,
        pieces: &[&Piece<'_>],
    ) -> Result<BTreeMap<String, Vec<u8>>, PythonError> {
        let mut wanted: BTreeMap<&str, &InstalledFile> = BTreeMap::new();
        for (path, item) in pieces.iter().copied().flatten() {
            if let Item::Bytecode(module) = item {
                wanted.insert(path, module);
            }
        }
        let mut found = BTreeMap::new();
        if self.workshop.memory == Memory::Use
            && let Some(earlier) = self
                .workshop
                .store
                .recall::<Earlier>(&self.earlier_key(name))
        {
            // What cannot be read is compiled.
            if let Ok(known) = earlier.bytecode(self.workshop.store, &wanted) {
                wanted.retain(|_, module| !earlier.has(module));
                found = known;
            }
        }
        if wanted.is_empty() {
            return Ok(found);
        }
        let texts: Vec<(String, Vec<u8>)> = wanted
            .values()
            .map(|module| Ok((format!("{ENVIRONMENT}/{}", module.path), module.bytes()?)))
            .collect::<Result<_, PythonError>>()?;
        let alone: Vec<Vec<Module<'_>>> = texts
            .iter()
            .map(|(path, source)| {
                let path = path.clone();
                vec![Module { path, source }]
            })
            .collect();
        let compiled = self.with_interpreter(|uv, scratch| {
            let work = scratch.directory("compile", BUILD_USER)?;
            bytecode::compile(uv, &alone, &self.target.interpreter, &work)
        })?;
        for (path, bytes) in compiled.into_iter().flatten() {
            let inside = path.strip_prefix(ENVIRONMENT).unwrap_or(&path);
            found.insert(below_root(inside).to_string(), bytes);
        }
        Ok(found)
    }

    fn earlier_key(&self, name: &str) -> String {
        format!("bytecode of own distribution {name} {}", self.compiler())
    }

    /// Notes where the bytecode of a distribution is.
    fn note_bytecode(
        &self,
        distribution: &Installed,
        pieces: &[Piece<'_>],
        segments: &[Segment],
    ) -> Result<(), PythonError> {
        let last = |piece: &Piece<'_>| piece.last().map(|(path, _)| path.clone());
        let earlier = Earlier {
            modules: distribution
                .files
                .iter()
                .filter(|file| is_module(&file.path))
                .map(|file| (file.path.clone(), file.digest))
                .collect(),
            segments: pieces
                .iter()
                .zip(segments)
                .filter_map(|(piece, segment)| Some((last(piece)?, *segment)))
                .collect(),
        };
        let needs: Vec<Digest> = segments.iter().flat_map(Segment::needs).collect();
        let key = self.earlier_key(&distribution.name);
        Ok(self.workshop.store.remember(&key, &earlier, &needs)?)
    }
}

impl Earlier {
    /// Whether a module was compiled as it is.
    fn has(&self, module: &InstalledFile) -> bool {
        self.modules.get(&module.path) == Some(&module.digest)
    }

    /// The bytecode of those wanted modules that are as they were.
    fn bytecode(
        &self,
        store: &Store,
        wanted: &BTreeMap<&str, &InstalledFile>,
    ) -> Result<BTreeMap<String, Vec<u8>>, PythonError> {
        let mut places: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for (path, module) in wanted {
            if self.has(module) {
                let at = self
                    .segments
                    .partition_point(|(last, _)| last.as_str() < *path);
                places.entry(at).or_default().push(path);
            }
        }
        let mut found = BTreeMap::new();
        for (at, paths) in places {
            let Some((_, segment)) = self.segments.get(at) else {
                continue;
            };
            for (path, bytes) in store.segment_files(segment)? {
                if let Some(inside) = super::below(&path, below_root(ENVIRONMENT))
                    && paths.contains(&inside)
                {
                    found.insert(inside.to_string(), bytes);
                }
            }
        }
        Ok(found)
    }
}

/// What a piece is in the image.
fn file_set(
    piece: &Piece<'_>,
    bytecode: &BTreeMap<String, Vec<u8>>,
) -> Result<FileSet, PythonError> {
    let mut set = FileSet::new();
    for (path, item) in piece {
        let (attributes, content) = match item {
            Item::File(file) => {
                let attributes = match file.executable {
                    true => Attributes::PROGRAM,
                    false => Attributes::FILE,
                };
                (attributes, file.content.clone())
            }
            Item::Bytecode(_) => match bytecode.get(path) {
                Some(bytes) => (Attributes::FILE, Content::Bytes(bytes.clone())),
                None => continue,
            },
        };
        let place = format!("{}/{path}", below_root(ENVIRONMENT));
        set.insert(&place, Node::File(attributes, content))
            .map_err(crate::python::InstalledError::Files)?;
    }
    Ok(set)
}
