//! Packages straight from the registry to segments, without npm and without a tree of thousands of
//! files, where a plain lock file says where everything lies and no script of the project has to
//! run. What tells about packages is a sketch of the tree: manifests, and the starts of programs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::NodeError;
use super::locked::{self, LockedPackage};
use super::pack::RULES;
use super::project::NodeProject;
use super::tarball::{self, File};
use crate::clients::npmrc_files;
use crate::fetch::Headers;
use crate::layer::{Attributes, Content, FileSet, Node};
use crate::python::BUILD_USER;
use crate::step::scratch::Scratch;
use crate::store::Segment;
use crate::variant::{Variant, slim};
use crate::workshop::Memory;

/// The largest tarball that is unpacked in memory.
const LARGEST: u64 = 64 << 20;

/// How much of a program is looked at.
const HEAD: usize = 64;

/// Packages that were packed.
pub(super) struct Direct {
    /// A sketch of the tree that npm would have made.
    pub site: PathBuf,
    /// Segments by the package's place.
    pub segments: BTreeMap<String, Segment>,
    _scratch: Scratch,
}

/// What of a package's files tells how it is used.
#[derive(Debug, Serialize, Deserialize)]
struct Sketch {
    /// `package.json`.
    manifest: String,
    /// The starts of its programs.
    programs: BTreeMap<String, String>,
    /// Files and directories whose existence tells something.
    marks: Vec<String>,
}

impl NodeProject<'_> {
    /// Packs the packages of a plain `package-lock.json`; `None` where npm has to install them.
    pub(super) fn direct(&self, place: &str) -> Result<Option<Direct>, NodeError> {
        let Some(plan) = self.plan()? else {
            return Ok(None);
        };
        let workshop = self.workshop;
        workshop.tell("installing packages");
        let packed = workshop
            .fetcher
            .at_once(&plan, |package| self.packed(package, place));
        let scratch = workshop.scratch()?;
        let site = scratch.directory("site", BUILD_USER)?;
        let mut segments = BTreeMap::new();
        for (package, packed) in plan.iter().zip(packed) {
            let (sketch, segment) = match packed? {
                Ok(packed) => packed,
                Err(reason) => {
                    tracing::debug!(place = package.place, reason, "packages are left to npm");
                    return Ok(None);
                }
            };
            sketch.draw(&site.join(&package.place))?;
            segments.insert(package.place.clone(), segment);
        }
        self.tell_of_node();
        Ok(Some(Direct {
            site,
            segments,
            _scratch: scratch,
        }))
    }

    fn plan(&self) -> Result<Option<Vec<LockedPackage>>, NodeError> {
        let Some(lock) = &self.lock else {
            return Ok(None);
        };
        let is_npm = self.manager.name() == "npm"
            && lock
                .file_name()
                .is_some_and(|name| name == "package-lock.json");
        if !is_npm || self.install_root().display().to_string() != self.root {
            return Ok(None);
        }
        let settings = self.workshop.registries.settings();
        let has_credentials = npmrc_files(settings).iter().any(|path| {
            let text = fs::read_to_string(path).unwrap_or_default();
            text.contains("_auth") || text.contains("_password") || text.contains(":registry")
        });
        if has_credentials || !self.allowed_scripts().is_empty() {
            return Ok(None);
        }
        let registry = self.workshop.registries.npm()?;
        let lock = fs::read_to_string(self.context.join(lock))?;
        Ok(locked::plan(
            &lock,
            &self.manifest,
            registry.url.expose(),
            self.workshop.architecture,
        ))
    }

    /// A package's sketch and segment, from an earlier time or made now. The inner error is why it
    /// is left to npm.
    fn packed(
        &self,
        package: &LockedPackage,
        place: &str,
    ) -> Result<Result<(Sketch, Segment), String>, NodeError> {
        let workshop = self.workshop;
        let store = workshop.store;
        let is_slim = workshop.variant == Variant::Slim;
        let hash: String = package.sha512.iter().map(|b| format!("{b:02x}")).collect();
        let at = format!("{place}/{}", package.place);
        let key = format!(
            "{RULES} at {at} of {hash} with {:?}{}",
            package.programs,
            match is_slim {
                true => " slim",
                false => "",
            }
        );
        let sketch_key = format!("sketch of {key}");
        if workshop.memory == Memory::Use
            && let (Some(segment), Some(sketch)) = (store.segment(&key), store.recall(&sketch_key))
        {
            return Ok(Ok((sketch, segment)));
        }
        let files = match self.fetched(package) {
            Ok(files) => files,
            Err(reason) => return Ok(Err(reason)),
        };
        let sketch = Sketch::of(&files, package);
        let mut set = FileSet::new();
        set.directory(&at, Attributes::DIRECTORY)?;
        for (path, file) in files {
            if is_slim && slim::is_node_extra(&path) {
                continue;
            }
            let attributes = match file.executable {
                true => Attributes::PROGRAM,
                false => Attributes::FILE,
            };
            let node = Node::File(attributes, Content::Bytes(file.bytes));
            set.insert(&format!("{at}/{path}"), node)?;
        }
        let segment = store.put_segment(&key, &set)?;
        drop(set);
        store.compress_early(&segment)?;
        store.remember(&sketch_key, &sketch, &segment.needs())?;
        Ok(Ok((sketch, segment)))
    }

    fn fetched(&self, package: &LockedPackage) -> Result<BTreeMap<String, File>, String> {
        let fetcher = self.workshop.fetcher;
        let tarball = fetcher
            .get_bytes(&package.url, &Headers::none(), LARGEST)
            .map_err(|error| error.to_string())?;
        if sha2::Sha512::digest(&tarball).as_slice() != package.sha512 {
            return Err("its hash is another".to_string());
        }
        tarball::unpack(&tarball, &package.programs)
    }
}

impl Sketch {
    fn of(files: &BTreeMap<String, File>, package: &LockedPackage) -> Self {
        let text = |path: &str, most: usize| {
            let bytes = files.get(path).map(|file| file.bytes.as_slice());
            let bytes = bytes.unwrap_or_default();
            String::from_utf8_lossy(&bytes[..bytes.len().min(most)]).into_owned()
        };
        let below = |directory: &str| files.keys().any(|path| path.starts_with(directory));
        let mut marks = Vec::new();
        if files.contains_key("binding.gyp") {
            marks.push("binding.gyp".to_string());
        }
        let directories = ["prebuilds/", "build/Release/"];
        marks.extend(
            directories
                .into_iter()
                .filter(|at| below(at))
                .map(str::to_string),
        );
        let programs = package.programs.iter();
        Self {
            manifest: text("package.json", usize::MAX),
            programs: programs
                .map(|path| (path.clone(), text(path, HEAD)))
                .collect(),
            marks,
        }
    }

    fn draw(&self, directory: &std::path::Path) -> std::io::Result<()> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("package.json"), &self.manifest)?;
        for (path, start) in &self.programs {
            let path = directory.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, start)?;
        }
        for mark in &self.marks {
            match mark.ends_with('/') {
                true => fs::create_dir_all(directory.join(mark))?,
                false => fs::write(directory.join(mark), "")?,
            }
        }
        Ok(())
    }
}
