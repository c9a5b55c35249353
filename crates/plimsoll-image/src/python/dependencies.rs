//! The layers of what an application depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_diag::{Diagnostic, ProgressEvent, Span};
use plimsoll_model::{PythonDependencies, text_of};

use super::PythonError;
use super::build::{Build, RULES};
use super::environment;
use super::failure::UvFailureKind;
use super::install;
use super::libraries::{self, Loads, Needed};
use super::pinned::{Pinned, normalised};
use super::settling::Settlement;
use super::sources::SourceBuilds;
use super::uv::{BUILD_USER, Uv};
use super::wheels::{Packed, Wheels};
use crate::project_lock::Settled;
use crate::store::{ImageLayer, StoreError};

/// A distribution of at least this size gets a layer of its own, so that it is stored and sent
/// once for all services that use it.
const HEAVY: u64 = 50 << 20;

/// How many such layers there may be.
const MOST_HEAVY: usize = 4;

/// What an application depends on.
pub(super) struct Dependencies {
    /// Its layers, lowest first.
    pub layers: Vec<ImageLayer>,
    /// Directories of the context that are distributions to build.
    pub members: Vec<String>,
    /// What it needs from Debian.
    pub needed: Needed,
    /// What is to be written into the project's lock file.
    pub new: Option<Settled>,
    /// The moment that versions were settled as of.
    pub as_of: Option<String>,
}

impl Build<'_> {
    /// The distributions the application depends on, and the directories of the context that are
    /// distributions themselves.
    pub(super) fn dependencies(&self) -> Result<Dependencies, PythonError> {
        let workshop = self.workshop;
        let settlement = self.settle()?;
        let mut key = format!("dependencies {} by {}", settlement.identity(), self.terms());
        if settlement.names_files() {
            key.push_str(&format!(" in {}", self.application.identity()));
        }
        let facts = format!("facts of {key}");
        let layers = workshop.layers(&key, || {
            let installed = self.install(&settlement);
            let (layers, needed) = installed.map_err(|error| self.where_locked(error))?;
            workshop.store.remember(&facts, &needed, &[])?;
            Ok::<_, PythonError>(layers)
        })?;
        let needed: Needed = workshop.store.recall(&facts).unwrap_or_default();
        self.tell(&needed);
        let mut members = settlement.resolution.members;
        let root = clean(&self.python.root);
        if self.python.install_project.is_none() {
            members.retain(|member| *member != root);
        } else if !members.contains(&root) {
            members.push(root);
        }
        Ok(Dependencies {
            layers,
            members,
            needed,
            new: settlement.new,
            as_of: settlement.as_of,
        })
    }

    /// A file of the index that is not the locked one is told where it is locked.
    fn where_locked(&self, error: PythonError) -> PythonError {
        let PythonError::Uv(failure) = &error else {
            return error;
        };
        let (UvFailureKind::WrongHash, Some(package)) = (failure.kind, &failure.package) else {
            return error;
        };
        let context = &self.recipe.context;
        let mut files: Vec<PathBuf> = match &self.python.dependencies {
            PythonDependencies::UvLock { lock, .. } | PythonDependencies::Lock { lock, .. } => {
                vec![lock.clone()]
            }
            PythonDependencies::Requirements { files } => files.clone(),
            PythonDependencies::Pyproject { .. } | PythonDependencies::None => Vec::new(),
        };
        if let Some(lock) = self.workshop.project_lock {
            files.push(lock.path().to_path_buf());
        }
        let (name, version) = package.split_once("==").unwrap_or((package, ""));
        let stated = |line: &str| {
            let line = line.trim_start();
            line.split_once("==").is_some_and(|(found, rest)| {
                normalised(found) == normalised(name) && rest.starts_with(version)
            }) || line == format!("name = \"{name}\"")
        };
        let place = files.iter().find_map(|file| {
            let text = text_of(fs::read(context.join(file)).ok()?);
            let line = text.lines().position(stated)?;
            Some((file, u32::try_from(line + 1).unwrap_or(u32::MAX)))
        });
        let Some((file, line)) = place else {
            return error;
        };
        PythonError::Lock {
            message: format!(
                "what the index gives as `{package}` is not what is locked here: its hash is {}",
                failure.computed_hash().unwrap_or("another")
            ),
            span: Span::line(file.as_path(), line),
            hint: "the lock file was changed, or a mirror gives something else: take the lock \
                   file from version control, or make it anew where you trust the index"
                .to_string(),
        }
    }

    /// Says which packages were added, and what nothing provides.
    fn tell(&self, needed: &Needed) {
        let named: BTreeSet<&str> = self
            .recipe
            .system_packages
            .iter()
            .map(|package| package.value.as_str())
            .collect();
        for (package, evidence) in &needed.packages {
            if !named.contains(package.as_str()) {
                let text = format!("Debian's `{package}` is added: {evidence}");
                self.notice(Diagnostic::note(text));
            }
        }
        for (library, path) in &needed.unknown {
            let text = format!("{path} loads `{library}`, which nothing in the image has");
            self.notice(Diagnostic::warning(text).hint(
                "loading it fails if the service gets that far; name the Debian package that has it",
            ));
        }
    }

    fn notice(&self, notice: Diagnostic) {
        self.workshop.progress.report(ProgressEvent::Notice(notice));
    }

    fn install(&self, settlement: &Settlement) -> Result<(Vec<ImageLayer>, Needed), PythonError> {
        self.workshop.tell("installing dependencies");
        let requirements = &settlement.resolution.requirements;
        let Wheels { packed, rest } = self.wheels(requirements)?;
        let all = match rest.is_empty() {
            true => packed,
            false => [packed, self.installed(rest, settlement)?].concat(),
        };
        match self.dependency_layers(all) {
            // Of two distributions with one file, the installer decides whose it is.
            Err(PythonError::Store(StoreError::Overlap { .. })) => {
                let all = self.installed(Pinned::parse(requirements), settlement)?;
                self.dependency_layers(all)
            }
            other => other,
        }
    }

    /// Lets uv install requirements.
    fn installed(
        &self,
        requirements: Pinned,
        settlement: &Settlement,
    ) -> Result<Vec<Packed>, PythonError> {
        self.with_uv(|uv, scratch| {
            let copy = self.copy(scratch)?;
            let work = scratch.directory("work", BUILD_USER)?;
            let out = scratch.directory("out", BUILD_USER)?;
            self.with_builds(uv, settlement.as_of.as_deref(), |builds| {
                install::requirements(builds, &copy, requirements, &work, &out)
            })?;
            let interpreter = &self.target.interpreter;
            let mut loads: BTreeMap<String, Loads> = BTreeMap::new();
            for distribution in environment::take_apart(&out, interpreter)? {
                loads.insert(distribution.name.clone(), Loads::of(&distribution)?);
            }
            let segments = self.segments(uv, &work, &out)?.into_iter();
            Ok(segments
                .map(|(name, segment)| Packed {
                    loads: loads.remove(&name).unwrap_or_default(),
                    name,
                    segment,
                })
                .collect())
        })
    }

    /// The layers of distributions, and what these need from Debian.
    fn dependency_layers(
        &self,
        mut packed: Vec<Packed>,
    ) -> Result<(Vec<ImageLayer>, Needed), PythonError> {
        let workshop = self.workshop;
        packed.sort_by(|a, b| a.name.cmp(&b.name));
        let loads: Vec<Loads> = packed.iter().map(|one| one.loads.clone()).collect();
        let provided =
            libraries::provided(&workshop.trees(self.steps.layers())?, self.target.host)?;
        let needed = libraries::look(&loads, &provided, &self.target)?;
        let interpreter = &self.target.interpreter;
        let frame = environment::skeleton(interpreter)?;
        let frame_key = format!("frame of {RULES} {}", interpreter.minor);
        let mut heavy = Vec::new();
        let mut light = vec![workshop.store.put_segment(&frame_key, &frame)?];
        for Packed { name, segment, .. } in packed {
            if segment.size >= HEAVY && heavy.len() < MOST_HEAVY {
                heavy.push(self.layer(&[segment], name)?);
            } else {
                light.push(segment);
            }
        }
        let count = light.len() - 1;
        heavy.push(self.layer(&light, format!("{count} Python distributions"))?);
        Ok((heavy, needed))
    }

    pub(super) fn with_builds<T>(
        &self,
        uv: &Uv<'_>,
        as_of: Option<&str>,
        work: impl FnOnce(&SourceBuilds<'_>) -> Result<T, PythonError>,
    ) -> Result<T, PythonError> {
        let environment = self.fetching()?;
        let root = |packages: &[String]| self.compiler_root(packages);
        work(&SourceBuilds {
            uv,
            target: &self.target,
            compilers: self.compilers,
            root: &root,
            as_of,
            environment: &environment,
        })
    }
}

/// `./a/` → `a`, `.` → ``.
fn clean(path: &Path) -> String {
    let normal: PathBuf = path
        .components()
        .filter(|component| matches!(component, std::path::Component::Normal(_)))
        .collect();
    normal.display().to_string()
}
