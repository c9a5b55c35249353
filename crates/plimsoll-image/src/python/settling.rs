//! Exact versions for a build: what the user's lock file states, what the project's own lock file
//! settled before, or what is settled now.

use std::collections::BTreeSet;
use std::path::Path;

use fs_err as fs;
use plimsoll_diag::{Diagnostic, ProgressEvent};
use plimsoll_model::{PythonDependencies, PythonRecipe};

use super::PythonError;
use super::build::Build;
use super::failure::{UvFailure, UvFailureKind};
use super::indexes::Indexes;
use super::inputs::Inputs;
use super::package_mode;
use super::resolve::{self, Resolution, Terms};
use super::uv::{BUILD_USER, Uv};
use crate::Digest;
use crate::clients::without_any_credentials;
use crate::project_lock::{ProjectLock, Settled};
use crate::step::scratch::{Scratch, give};
use crate::workshop::{Memory, Workshop};

/// Exact versions, and how they came about.
pub(super) struct Settlement {
    /// They.
    pub resolution: Resolution,
    /// The moment they were settled as of.
    pub as_of: Option<String>,
    /// What is to be written into the project's lock file once the image is made.
    pub new: Option<Settled>,
}

/// What a recipe asks the project's lock file for, without interpreter and versions.
pub(super) fn wanted(
    workshop: &Workshop<'_>,
    lock: &ProjectLock,
    context: &Path,
    recipe: &PythonRecipe,
    groups: &[String],
    inputs: &Inputs,
) -> Result<Settled, PythonError> {
    let named: Vec<&Path> = match &recipe.dependencies {
        PythonDependencies::UvLock { lock: file, .. }
        | PythonDependencies::Lock { lock: file, .. }
        | PythonDependencies::Pyproject { file } => vec![file],
        PythonDependencies::Requirements { files } => {
            files.iter().map(|file| file.as_path()).collect()
        }
        PythonDependencies::None => vec![&recipe.root],
    };
    let mut undeclared: Vec<String> = recipe
        .undeclared
        .iter()
        .map(|name| name.value.clone())
        .collect();
    undeclared.sort();
    undeclared.dedup();
    Ok(Settled {
        files: named
            .into_iter()
            .map(|file| lock.relative(&context.join(file)))
            .collect(),
        undeclared,
        extras: recipe.extras.clone(),
        groups: groups.to_vec(),
        inputs: inputs.statement(context)?.to_string(),
        platform: format!("linux/{}", workshop.architecture),
        ..Settled::default()
    })
}

impl Build<'_> {
    /// Settles every version.
    pub(super) fn settle(&self) -> Result<Settlement, PythonError> {
        let context = &self.recipe.context;
        let is_open = resolve::is_open(context, self.python)?;
        match self.workshop.project_lock {
            Some(lock) if is_open => self.by_lock(lock),
            _ => self.by_memory(is_open),
        }
    }

    /// Versions that the project's lock file has, or that are to be written into it.
    fn by_lock(&self, lock: &ProjectLock) -> Result<Settlement, PythonError> {
        let context = &self.recipe.context;
        let groups = &self.options.groups;
        let wanted = wanted(
            self.workshop,
            lock,
            context,
            self.python,
            groups,
            self.inputs,
        )?;
        let minor = self.target.interpreter.minor;
        let key = format!("settling {wanted:?} {minor}");
        // Services with one set of files settle it once.
        self.workshop.locks.alone(&key, || {
            if let Some(known) = lock.find(&wanted, Some(minor)) {
                let new = lock.is_pending(&known).then(|| known.clone());
                return Ok(Settlement {
                    resolution: Resolution {
                        requirements: self.with_stated_credentials(&known.requirements)?,
                        members: known.members,
                        indexes: Vec::new(),
                    },
                    as_of: known.as_of,
                    new,
                });
            }
            lock.check(&wanted)?;
            let mut preferred = lock.preferred(&wanted);
            if preferred.is_empty() {
                preferred = self.salvaged.to_string();
            }
            let (resolution, as_of) = self.make(&preferred)?;
            let new = Settled {
                python: minor.to_string(),
                as_of: as_of.clone(),
                members: resolution.members.clone(),
                requirements: without_any_credentials(&resolution.requirements),
                ..wanted
            };
            lock.expect(new.clone());
            Ok(Settlement {
                resolution,
                as_of,
                new: Some(new),
            })
        })
    }

    /// Versions that this store remembers, or that are settled now.
    fn by_memory(&self, is_open: bool) -> Result<Settlement, PythonError> {
        let workshop = self.workshop;
        let undeclared: Vec<&str> = self
            .python
            .undeclared
            .iter()
            .map(|name| name.value.as_str())
            .collect();
        let as_of = self.options.as_of.as_deref().filter(|_| is_open);
        let memo = format!(
            "resolution of {} {:?} {} {undeclared:?} {:?} as of {as_of:?} by {}",
            self.inputs.identity(),
            self.python.dependencies,
            self.python.extras.join(","),
            self.options.groups,
            self.terms(),
        );
        let (mut resolution, as_of): (Resolution, _) = workshop.locks.alone(&memo, || {
            if workshop.memory == Memory::Use
                && let Some(known) = workshop.store.recall(&memo)
            {
                return Ok::<_, PythonError>(known);
            }
            let mut made = self.make(self.salvaged)?;
            made.0.requirements = without_any_credentials(&made.0.requirements);
            workshop.store.remember(&memo, &made, &[])?;
            Ok(made)
        })?;
        resolution.requirements = self.with_stated_credentials(&resolution.requirements)?;
        // What a lock file states is built with the tools of that time, too.
        Ok(Settlement {
            resolution,
            as_of: as_of.or_else(|| self.options.as_of.clone().filter(|_| !is_open)),
            new: None,
        })
    }

    /// Requirements at addresses whose credentials the project's files state. These are written
    /// down nowhere else.
    fn with_stated_credentials(&self, requirements: &str) -> Result<String, PythonError> {
        let mut text = requirements.to_string();
        if !text.contains(" @ ") {
            return Ok(text);
        }
        for file in self.inputs.texts(&self.recipe.context)? {
            for (authority, place) in stated_credentials(&file) {
                text = text.replace(&format!("://{place}"), &format!("://{authority}"));
            }
        }
        Ok(text)
    }

    /// Resolves as of the moment that is asked for. Where that leaves nothing, because the files
    /// ask for something newer or the index does not tell when it got its files, any moment
    /// counts.
    fn make(&self, preferred: &str) -> Result<(Resolution, Option<String>), PythonError> {
        self.workshop.tell("resolving dependencies");
        let terms = Terms {
            target: &self.target,
            as_of: None,
            preferred,
            environment: &[],
            groups: &self.options.groups,
        };
        if let Some(stated) = resolve::stated(&self.recipe.context, self.python, terms)? {
            return Ok((stated, self.options.as_of.clone()));
        }
        self.with_uv(|uv, scratch| {
            let copy = self.copy(scratch)?;
            let as_of = self.options.as_of.as_deref();
            let made = self.resolve(uv, scratch, &copy, preferred, as_of);
            match (made, as_of) {
                (Ok(resolution), _) => Ok((resolution, as_of.map(str::to_string))),
                (Err(PythonError::Uv(failure)), Some(moment)) if is_for_want(&failure) => {
                    let resolution = self.resolve(uv, scratch, &copy, preferred, None)?;
                    let text = format!(
                        "newer versions than of the last commit ({moment}) are taken, because \
                         older ones do not fit: {failure}"
                    );
                    let notice = Diagnostic::note(text);
                    self.workshop.progress.report(ProgressEvent::Notice(notice));
                    Ok((resolution, None))
                }
                (Err(error), _) => Err(error),
            }
        })
    }

    fn resolve(
        &self,
        uv: &Uv<'_>,
        scratch: &Scratch,
        copy: &Path,
        preferred: &str,
        as_of: Option<&str>,
    ) -> Result<Resolution, PythonError> {
        let work = scratch.directory("resolve", BUILD_USER)?;
        let environment = match self.python.dependencies {
            // As pip does: the best of all indexes.
            PythonDependencies::Requirements { .. } => self.fetching()?,
            PythonDependencies::Pyproject { .. } => {
                let indexes = Indexes::of(&self.recipe.context, self.python, &self.target)?;
                indexes.resolving(self.workshop.registries.settings())
            }
            _ => Vec::new(),
        };
        let terms = Terms {
            target: &self.target,
            as_of,
            preferred,
            environment: &environment,
            groups: &self.options.groups,
        };
        resolve::resolve(uv, copy, self.python, terms, &work)
    }

    /// Variables for what fetches.
    pub(super) fn fetching(&self) -> Result<Vec<(String, String)>, PythonError> {
        let indexes = Indexes::of(&self.recipe.context, self.python, &self.target)?;
        Ok(indexes.environment(self.workshop.registries.settings()))
    }

    /// A copy of the project that steps may look at.
    pub(super) fn copy(&self, scratch: &Scratch) -> Result<std::path::PathBuf, PythonError> {
        let copy = scratch.directory("project", BUILD_USER)?;
        self.application.copy_to(&copy)?;
        self.inputs.copy_missing(&self.recipe.context, &copy)?;
        if let PythonDependencies::Pyproject { file } = &self.python.dependencies {
            let manifest = copy.join(file);
            let text = fs::read_to_string(&manifest)?;
            if let Some(text) = package_mode::as_distribution(&text) {
                fs::write(manifest, text)?;
            }
        }
        give(&copy, BUILD_USER)?;
        Ok(copy)
    }
}

/// Parts of addresses with credentials, and without: `user:word@host:8080/`, `host:8080/`.
fn stated_credentials(text: &str) -> BTreeSet<(&str, &str)> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'');
    text.split("://")
        .skip(1)
        .filter_map(|rest| {
            let authority = &rest[..=rest.find('/')?];
            let (_, place) = authority.rsplit_once('@')?;
            (!authority.contains(ends)).then_some((authority, place))
        })
        .collect()
}

fn is_for_want(failure: &UvFailure) -> bool {
    matches!(
        failure.kind,
        UvFailureKind::Unsatisfiable | UvFailureKind::OnlySource
    )
}

impl Settlement {
    /// What tells these versions from any others.
    pub(super) fn identity(&self) -> Digest {
        let resolution = &self.resolution;
        Digest::of(format!("{}\0{:?}", resolution.requirements, resolution.members).as_bytes())
    }

    /// Whether anything is installed from a file of the project itself.
    pub(super) fn names_files(&self) -> bool {
        self.resolution
            .requirements
            .contains(super::uv::place::PROJECT)
    }
}
