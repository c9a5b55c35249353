//! Calling `cargo` in the sandbox.

use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_model::RustRecipe;

use super::RustError;
use super::configuration;
use super::linking;
use super::toolchain::{Library, Toolchain};
use crate::compiled::{self, MEMORY, Zig};
use crate::step::fetching;
use crate::workshop::Workshop;
use crate::{Access, BindMount, Step, StepNetwork, StepOutcome};

/// Where things are in the sandbox.
mod place {
    /// The user's Rust.
    pub const TOOLCHAIN: &str = "/plimsoll/rust";
    /// Fetched crates.
    pub const HOME: &str = "/plimsoll/cargo";
    /// What was compiled before.
    pub const TARGET: &str = "/plimsoll/target";
    /// The sources.
    pub const SOURCES: &str = "/src";
    /// The user's credentials for git.
    pub const USER: &str = "/plimsoll/home";
}

/// What is needed to call `cargo` for one build.
pub(super) struct Cargo<'a> {
    pub workshop: &'a Workshop<'a>,
    pub recipe: &'a RustRecipe,
    pub toolchain: Toolchain,
    /// What the program is linked with.
    pub library: Library,
    /// Fetched crates, of all projects.
    pub home: PathBuf,
    /// What was compiled before, of this project alone: its code can write there.
    pub target: PathBuf,
    /// The programs that link.
    pub linkers: PathBuf,
    /// Configurations of cargo for the two kinds of step.
    pub configurations: PathBuf,
    pub zig: Zig,
    /// Flags of the project for its compiler.
    pub flags: Vec<String>,
    /// The trees of the build root, lowest first.
    pub root: Vec<PathBuf>,
}

impl Cargo<'_> {
    /// The target that the program is built for.
    pub(super) fn target_name(&self) -> String {
        self.library.target(self.workshop.architecture)
    }

    /// Writes the linkers and configurations that the steps see.
    pub(super) fn prepare(&self) -> std::io::Result<()> {
        linking::write(&self.linkers, Library::Gnu, self.workshop.host)?;
        linking::write(&self.linkers, self.library, self.workshop.architecture)?;
        for network in [StepNetwork::Host, StepNetwork::None] {
            let settings = self.workshop.registries.settings();
            let text = configuration::for_step(settings, network);
            fs::write(self.configuration(network), text)?;
        }
        Ok(())
    }

    fn configuration(&self, network: StepNetwork) -> PathBuf {
        self.configurations.join(match network {
            StepNetwork::Host => "fetch.toml",
            StepNetwork::None => "build.toml",
        })
    }

    /// Runs `cargo` with these arguments among the sources at `sources`.
    pub(super) fn run(
        &self,
        what: &str,
        arguments: &[String],
        sources: &Path,
        network: StepNetwork,
    ) -> Result<StepOutcome, RustError> {
        let mut mounts = Vec::new();
        let mut show = |source: &Path, target: &str, access: Access| {
            mounts.push(BindMount {
                source: source.to_path_buf(),
                target: PathBuf::from(target),
                access,
            });
        };
        show(&self.toolchain.root, place::TOOLCHAIN, Access::ReadOnly);
        show(&self.target, place::TARGET, Access::ReadWrite);
        show(&self.linkers, linking::PLACE, Access::ReadOnly);
        // What is fetched is shared among projects, so only a step that runs no code of theirs
        // may write to it.
        let access = match network {
            StepNetwork::Host => Access::ReadWrite,
            StepNetwork::None => Access::ReadOnly,
        };
        show(&self.home, place::HOME, access);
        let configuration = self.configuration(network);
        let place = format!("{}/config.toml", place::HOME);
        show(&configuration, &place, Access::ReadOnly);
        show(sources, place::SOURCES, Access::ReadWrite);
        let mut environment = self.environment();
        match network {
            StepNetwork::Host => self.prepare_fetch(&mut mounts, &mut environment),
            StepNetwork::None => environment.push(("CARGO_NET_OFFLINE".into(), "true".into())),
        }
        self.zig.show(&mut mounts, &mut environment);
        let mut command = vec![format!("{}/bin/cargo", place::TOOLCHAIN)];
        command.extend(arguments.iter().cloned());
        let root = compiled::clean(&self.recipe.root);
        let step = Step {
            name: format!("{}: {what}", self.workshop.subject),
            root: self.root.clone(),
            mounts,
            command,
            environment,
            working_dir: Path::new(place::SOURCES).join(root),
            network,
            ..compiled::step()
        };
        tracing::debug!(step = step.name, command = ?step.command, "running");
        let outcome = self.workshop.sandbox.run(&step)?;
        if outcome.out_of_memory {
            return Err(RustError::OutOfMemory {
                binary: self.recipe.binary.clone(),
                limit: MEMORY >> 20,
            });
        }
        Ok(outcome)
    }

    /// What every call sees. Nothing here depends on the machine.
    fn environment(&self) -> Vec<(String, String)> {
        let mut environment: Vec<(String, String)> = [
            ("PATH", "/plimsoll/rust/bin:/usr/bin:/bin"),
            ("HOME", place::USER),
            ("LC_ALL", "C.UTF-8"),
            ("TZ", "UTC"),
            ("SOURCE_DATE_EPOCH", "315532801"),
            ("CARGO_HOME", place::HOME),
            ("CARGO_TARGET_DIR", place::TARGET),
            ("CARGO_INCREMENTAL", "0"),
            ("CARGO_TERM_COLOR", "never"),
            ("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
            ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
            // Programs of this machine that a project's configuration may name are not here.
            ("RUSTC_WRAPPER", ""),
            ("RUSTC_WORKSPACE_WRAPPER", ""),
            ("RUSTC", "/plimsoll/rust/bin/rustc"),
            ("RUSTDOC", "/plimsoll/rust/bin/rustdoc"),
            // What looks for libraries of the system would find those of the build root.
            ("PKG_CONFIG_ALLOW_CROSS", "0"),
        ]
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .to_vec();
        let workshop = self.workshop;
        environment.extend(linking::environment(Library::Gnu, workshop.host));
        if (self.library, workshop.architecture) != (Library::Gnu, workshop.host) {
            environment.extend(linking::environment(self.library, workshop.architecture));
        }
        let mut flags = vec![
            format!("--remap-path-prefix={}=cargo", place::HOME),
            format!("--remap-path-prefix={}=.", place::SOURCES),
        ];
        flags.extend(self.flags.iter().cloned());
        environment.push(("CARGO_ENCODED_RUSTFLAGS".into(), flags.join("\x1f")));
        environment
    }

    fn prepare_fetch(&self, mounts: &mut Vec<BindMount>, environment: &mut Vec<(String, String)>) {
        let settings = self.workshop.registries.settings();
        fetching::prepare(settings, mounts, environment);
        environment.extend(
            settings
                .variables
                .iter()
                .filter(|(name, _)| name.starts_with("CARGO_REGISTR"))
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        let home = settings.home.as_deref();
        let git = settings.variable("GIT_CONFIG_GLOBAL").map(PathBuf::from);
        let netrc = settings.variable("NETRC").map(PathBuf::from);
        let files = [
            (
                configuration::credentials(settings),
                format!("{}/credentials.toml", place::HOME),
            ),
            (
                git.or_else(|| Some(home?.join(".gitconfig"))),
                format!("{}/.gitconfig", place::USER),
            ),
            (
                netrc.or_else(|| Some(home?.join(".netrc"))),
                format!("{}/.netrc", place::USER),
            ),
        ];
        for (source, target) in files {
            if let Some(source) = source.filter(|path| path.is_file()) {
                mounts.push(BindMount {
                    source,
                    target: PathBuf::from(target),
                    access: Access::OwnCopy,
                });
            }
        }
    }

    /// The program that the last build has left, as a file of this machine.
    ///
    /// Code of the project has run where it lies, so that a link there may lead anywhere.
    pub(super) fn program(&self) -> Result<PathBuf, RustError> {
        let place = self
            .target
            .join(self.target_name())
            .join("release")
            .join(&self.recipe.binary);
        let real = fs::canonicalize(&place)?;
        if real
            != fs::canonicalize(&self.target)?.join(
                Path::new(&self.target_name())
                    .join("release")
                    .join(&self.recipe.binary),
            )
        {
            return Err(RustError::NotAProgram {
                binary: self.recipe.binary.clone(),
            });
        }
        Ok(real)
    }
}
