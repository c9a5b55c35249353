//! Calling `go` in the sandbox.

use std::path::{Path, PathBuf};

use plimsoll_model::GoRecipe;

use super::GoError;
use crate::compiled::{self, MEMORY, Target, Zig};
use crate::step::fetching;
use crate::workshop::Workshop;
use crate::{Access, BindMount, Step, StepNetwork, StepOutcome};

/// Where things are in the sandbox.
mod place {
    /// Go itself.
    pub const GO: &str = "/plimsoll/go";
    /// Fetched modules.
    pub const MODULES: &str = "/plimsoll/modules";
    /// What was compiled before.
    pub const CACHE: &str = "/plimsoll/go-cache";
    /// The sources.
    pub const SOURCES: &str = "/src";
    /// Where the program is left.
    pub const OUT: &str = "/plimsoll/out";
    /// The user's credentials for private modules.
    pub const HOME: &str = "/plimsoll/home";
}

/// The program that `go build` leaves, in the sandbox.
pub(super) fn output() -> String {
    format!("{}/program", place::OUT)
}

/// What is needed to call `go` for one build.
pub(super) struct Go<'a> {
    pub workshop: &'a Workshop<'a>,
    pub recipe: &'a GoRecipe,
    /// Go's root on this machine.
    pub program: PathBuf,
    /// Whether the pinned Go may fetch another.
    pub switch: Switch,
    /// What was compiled before: by this project alone where code of its own could write there.
    pub cache: PathBuf,
    /// Fetched modules, of all projects.
    pub modules: PathBuf,
    /// The C compiler, where the program calls C.
    pub zig: Option<Zig>,
    /// The trees of the build root, lowest first.
    pub root: Vec<PathBuf>,
}

/// Whether the pinned Go may fetch the one that a module asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    /// It satisfies the module.
    Never,
    /// The module asks for a newer one.
    Allowed,
}

impl Go<'_> {
    /// Runs `go` with these arguments among the sources at `sources`.
    pub(super) fn run(
        &self,
        what: &str,
        arguments: &[String],
        sources: &Path,
        out: Option<&Path>,
        network: StepNetwork,
    ) -> Result<StepOutcome, GoError> {
        let mut mounts = Vec::new();
        let mut show = |source: &Path, target: &str, access: Access| {
            mounts.push(BindMount {
                source: source.to_path_buf(),
                target: PathBuf::from(target),
                access,
            });
        };
        show(&self.program, place::GO, Access::ReadOnly);
        show(&self.cache, place::CACHE, Access::ReadWrite);
        // What is fetched is shared among projects, so only a step that runs no code of theirs
        // may write to it.
        let modules = match network {
            StepNetwork::Host => Access::ReadWrite,
            StepNetwork::None => Access::ReadOnly,
        };
        show(&self.modules, place::MODULES, modules);
        show(sources, place::SOURCES, Access::ReadWrite);
        if let Some(out) = out {
            show(out, place::OUT, Access::ReadWrite);
        }
        let mut environment = self.environment();
        match network {
            StepNetwork::Host => self.prepare_fetch(&mut mounts, &mut environment)?,
            StepNetwork::None => environment.push(("GOPROXY".into(), "off".into())),
        }
        if let Some(zig) = &self.zig {
            zig.show(&mut mounts, &mut environment);
        }
        let mut command = vec![format!("{}/bin/go", place::GO)];
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
            return Err(GoError::OutOfMemory {
                package: self.recipe.package.clone(),
                limit: MEMORY >> 20,
            });
        }
        Ok(outcome)
    }

    /// What every call sees. Nothing here depends on the machine.
    fn environment(&self) -> Vec<(String, String)> {
        let target = self.workshop.architecture;
        let toolchain = match self.switch {
            Switch::Never => "local",
            Switch::Allowed => "auto",
        };
        let mut environment: Vec<(String, String)> = [
            ("PATH", "/plimsoll/go/bin:/usr/bin:/bin"),
            ("HOME", place::HOME),
            ("LC_ALL", "C.UTF-8"),
            ("TZ", "UTC"),
            ("SOURCE_DATE_EPOCH", "315532801"),
            ("GOROOT", place::GO),
            ("GOCACHE", place::CACHE),
            ("GOMODCACHE", place::MODULES),
            ("GOPATH", "/tmp/go"),
            ("GOENV", "off"),
            // Its own processes are short and their garbage is seldom worth collecting: a sixth of a
            // compilation. What they say does not depend on it.
            ("GOGC", "400"),
            ("GOMEMLIMIT", "2GiB"),
            ("GOTELEMETRY", "off"),
            ("GOFLAGS", ""),
            ("GOTOOLCHAIN", toolchain),
            ("GOOS", "linux"),
            ("GOARCH", target.name()),
        ]
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .to_vec();
        if self.switch == Switch::Allowed {
            // The one it switches to has a root of its own.
            environment.retain(|(name, _)| name != "GOROOT");
        }
        let enabled = if self.zig.is_some() { "1" } else { "0" };
        environment.push(("CGO_ENABLED".into(), enabled.into()));
        if self.zig.is_some() {
            let target = Target::Gnu(target);
            let call = |part| Zig::command(part, target).join(" ");
            environment.push(("CC".into(), call("cc")));
            environment.push(("CXX".into(), call("c++")));
            environment.push(("AR".into(), format!("{} ar", Zig::program())));
        }
        environment
    }

    fn prepare_fetch(
        &self,
        mounts: &mut Vec<BindMount>,
        environment: &mut Vec<(String, String)>,
    ) -> Result<(), GoError> {
        let registries = self.workshop.registries;
        environment.extend(registries.go()?.environment());
        let settings = registries.settings();
        fetching::prepare(settings, mounts, environment);
        environment.push(("GIT_TERMINAL_PROMPT".into(), "0".into()));
        let home = settings.home.as_deref();
        let netrc = settings.variable("NETRC").map(PathBuf::from);
        let git = settings.variable("GIT_CONFIG_GLOBAL").map(PathBuf::from);
        let files = [
            (netrc.or_else(|| Some(home?.join(".netrc"))), ".netrc"),
            (git.or_else(|| Some(home?.join(".gitconfig"))), ".gitconfig"),
        ];
        for (source, name) in files {
            if let Some(source) = source.filter(|path| path.is_file()) {
                mounts.push(BindMount {
                    source,
                    target: Path::new(place::HOME).join(name),
                    access: Access::OwnCopy,
                });
            }
        }
        Ok(())
    }
}
