//! What was typed, resolved against this machine, before any work begins.

use std::path::{Path, PathBuf};

use plimsoll_detect::DockerfileUse;
use plimsoll_diag::Diagnostic;
use plimsoll_model::compose::{self, project_name_of};
use plimsoll_model::settings::{CacheLimit, Settings as FileSettings};

use crate::cli::GlobalArguments;
use crate::environment::{Environment, PLIMSOLL_CACHE_LIMIT, PLIMSOLL_DATA, PLIMSOLL_RUNTIME};
use crate::failure::Failure;

/// Where lasting data lives when nothing else is said, for root.
const SYSTEM_DATA: &str = "/var/lib/plimsoll";
/// Where run-time state lives when nothing else is said, for root.
const SYSTEM_RUNTIME: &str = "/run/plimsoll";

/// The name among Compose files that means standard input.
const STANDARD_INPUT: &str = "-";

/// The machine and the project that a command works on.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Absolute path of the project's directory.
    pub(crate) directory: PathBuf,
    /// Compose files named on the command line, absolute; `-` is standard input.
    pub(crate) files: Vec<PathBuf>,
    /// What standard input held, where it is one of the files.
    pub(crate) standard_input: Option<String>,
    /// Where relative paths of Compose files start, where the command line says it; absolute.
    pub(crate) project_directory: Option<PathBuf>,
    /// Project name named on the command line.
    pub(crate) project_name: Option<String>,
    /// Profiles named on the command line.
    pub(crate) profiles: Vec<String>,
    /// Variable files named on the command line, absolute.
    pub(crate) env_files: Vec<PathBuf>,
    /// Directory for what must last.
    pub(crate) data: PathBuf,
    /// Directory for what may vanish at a reboot.
    pub(crate) runtime: PathBuf,
    /// The caller's environment.
    pub(crate) environment: Environment,
    /// What `plimsoll.toml` says; nothing until it is read.
    pub(crate) file: FileSettings,
    /// What builds may keep, where somebody says it.
    pub(crate) cache_limit: Option<CacheLimit>,
    /// When a service's Dockerfile builds its image.
    pub(crate) dockerfiles: DockerfileUse,
}

impl Settings {
    /// Directory of the store of images.
    pub(crate) fn store(&self) -> PathBuf {
        match &self.file.store.path {
            Some(path) => self.directory.join(&path.value),
            None => self.data.join("store"),
        }
    }

    /// Reads the project's `plimsoll.toml`, where there is one.
    pub(crate) fn read_file(&mut self) -> Result<(), Failure> {
        self.file = FileSettings::load(&self.directory)?;
        if let (None, Some(said)) = (self.cache_limit, &self.file.cache.limit) {
            self.cache_limit = Some(said.value);
        }
        Ok(())
    }

    /// Directory for downloads and unfinished work.
    pub(crate) fn cache(&self) -> PathBuf {
        self.data.join("cache")
    }

    /// Resolves the command line against the environment.
    pub(crate) fn resolve(
        arguments: &GlobalArguments,
        environment: Environment,
    ) -> Result<Self, Failure> {
        let directory = existing_directory(
            &arguments.directory,
            "`-C DIR` names the project's directory",
        )?;
        let project_directory = arguments
            .project_directory
            .as_deref()
            .map(|named| {
                existing_directory(
                    named,
                    "`--project-directory DIR` says where relative paths start",
                )
            })
            .transpose()?;
        let project_name = arguments
            .project_name
            .clone()
            .filter(|name| !name.is_empty());
        let named = project_name.as_deref();
        // It becomes a part of paths: nothing may use it before it is known to be a plain name.
        if let Some(name) = named.or_else(|| environment.get("COMPOSE_PROJECT_NAME")) {
            check_project_name(name)?;
        }
        let here = std::env::current_dir()?;
        let absolute = |paths: &[PathBuf]| paths.iter().map(|path| here.join(path)).collect();
        let home = environment.get("HOME").map(PathBuf::from);
        let data = match environment.get(PLIMSOLL_DATA) {
            Some(path) => here.join(path),
            None if rustix::process::geteuid().is_root() => SYSTEM_DATA.into(),
            None => user_directory(
                &environment,
                "XDG_DATA_HOME",
                home.as_deref(),
                ".local/share",
            ),
        };
        let runtime = match environment.get(PLIMSOLL_RUNTIME) {
            Some(path) => here.join(path),
            None if rustix::process::geteuid().is_root() => SYSTEM_RUNTIME.into(),
            None => user_directory(&environment, "XDG_RUNTIME_DIR", home.as_deref(), ".cache"),
        };
        let is_standard_input = |file: &PathBuf| file.as_os_str() == STANDARD_INPUT;
        let mut files: Vec<PathBuf> = absolute(&arguments.files);
        for (file, named) in files.iter_mut().zip(&arguments.files) {
            // What is in a registry or repository has no path here; the loader tells so.
            if is_standard_input(named) || compose::is_remote(named) {
                file.clone_from(named);
            }
        }
        let standard_input = if files.iter().any(is_standard_input) {
            Some(read_standard_input()?)
        } else {
            None
        };
        Ok(Self {
            directory,
            files,
            standard_input,
            project_directory,
            project_name,
            profiles: arguments.profiles.clone(),
            env_files: absolute(&arguments.env_files),
            data,
            runtime,
            cache_limit: environment
                .get(PLIMSOLL_CACHE_LIMIT)
                .map(cache_limit)
                .transpose()?,
            environment,
            file: FileSettings::default(),
            dockerfiles: match (arguments.dockerfile, arguments.native) {
                (true, _) => DockerfileUse::Preferred,
                (_, true) => DockerfileUse::Never,
                _ => DockerfileUse::Fallback,
            },
        })
    }
}

fn cache_limit(text: &str) -> Result<CacheLimit, Failure> {
    text.parse().map_err(|forms| {
        let wrong = format!("{PLIMSOLL_CACHE_LIMIT}: `{text}` is no limit of the cache");
        Failure::usage(Diagnostic::error(wrong).hint(forms))
    })
}

/// All of standard input, which can be read only once.
fn read_standard_input() -> Result<String, Failure> {
    std::io::read_to_string(std::io::stdin()).map_err(|error| {
        Failure::usage(
            Diagnostic::error(format!("standard input: {error}"))
                .hint("`-f -` reads a Compose file from there"),
        )
    })
}

fn existing_directory(named: &Path, hint: &str) -> Result<PathBuf, Failure> {
    let wrong = |why: &str| {
        Failure::usage(Diagnostic::error(format!("`{}`: {why}", named.display())).hint(hint))
    };
    match named.canonicalize() {
        Ok(directory) if directory.is_dir() => Ok(directory),
        Ok(_) => Err(wrong("not a directory")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(wrong("no such directory"))
        }
        Err(error) => Err(wrong(&error.to_string())),
    }
}

fn check_project_name(name: &str) -> Result<(), Failure> {
    if project_name_of(name).as_deref() == Some(name) {
        return Ok(());
    }
    Err(Failure::usage(
        Diagnostic::error(format!("`{name}` is no project name"))
            .hint("use small letters, digits, `-` and `_`, and begin with a letter or digit"),
    ))
}

fn user_directory(
    environment: &Environment,
    variable: &str,
    home: Option<&Path>,
    below: &str,
) -> PathBuf {
    let base = match (environment.get(variable), home) {
        (Some(path), _) => PathBuf::from(path),
        (None, Some(home)) => home.join(below),
        (None, None) => PathBuf::from("/tmp"),
    };
    base.join("plimsoll")
}
