//! Package managers: what they are called with, and which files they read.

use std::time::Duration;

use plimsoll_model::{NodeBuild, NodeManager};

use crate::oci::Architecture;

/// Where Node's directory is in the sandbox.
pub(super) const NODE: &str = "/plimsoll/node";
/// Where the package manager's directory is.
pub(super) const MANAGER: &str = "/plimsoll/manager";
/// Where programs named like the managers are, for scripts that call one another.
pub(super) const PROGRAMS: &str = "/plimsoll/bin";
/// Where the manager's cache is.
pub(super) const CACHE: &str = "/plimsoll/cache";

/// A generation of a package manager: lock files of different generations need different programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generation {
    Npm,
    /// pnpm since 9.
    Pnpm,
    /// pnpm 8, whose lock files later ones do not read.
    Pnpm8,
    /// pnpm up to 7, likewise.
    Pnpm7,
    /// Yarn 1.
    Yarn,
    /// Yarn since 2.
    Berry,
    Bun,
}

/// How a manager is told which versions are too young.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AgeLimit {
    /// By an option.
    Word(String),
    /// By a variable and its value.
    Variable(&'static str, String),
}

/// How a manager is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manager {
    generation: Generation,
}

impl Manager {
    /// The manager that reads a lock file with this text.
    pub(super) fn of(manager: NodeManager, lock: Option<&str>) -> Self {
        let generation = match manager {
            NodeManager::Npm => Generation::Npm,
            NodeManager::Pnpm => match lock.and_then(pnpm_format) {
                Some(..6) => Generation::Pnpm7,
                Some(6..9) => Generation::Pnpm8,
                _ => Generation::Pnpm,
            },
            NodeManager::Yarn if lock.is_some_and(|text| text.contains("\n__metadata:")) => {
                Generation::Berry
            }
            NodeManager::Yarn => Generation::Yarn,
            NodeManager::Bun => Generation::Bun,
        };
        Self { generation }
    }

    /// The manager of a project without a lock file, which may name its version: `yarn@4.6.0`.
    pub(super) fn without_lock(manager: NodeManager, version: Option<u32>) -> Self {
        match (manager, version) {
            (NodeManager::Yarn, Some(2..)) => Self {
                generation: Generation::Berry,
            },
            _ => Self::of(manager, None),
        }
    }

    /// What keeps an install without a lock file from versions which came out after `moment`, that is `age` ago;
    /// `None` where it has no such setting.
    pub(super) fn as_of(self, moment: &str, age: Duration) -> Option<AgeLimit> {
        let minutes = age.as_secs() / 60;
        let word = match self.generation {
            Generation::Npm => format!("--before={moment}"),
            Generation::Pnpm => format!("--config.minimum-release-age={minutes}"),
            Generation::Bun => format!("--minimum-release-age={}", age.as_secs()),
            Generation::Berry => {
                let variable = ("YARN_NPM_MINIMAL_AGE_GATE", minutes.to_string());
                return Some(AgeLimit::Variable(variable.0, variable.1));
            }
            Generation::Pnpm8 | Generation::Pnpm7 | Generation::Yarn => return None,
        };
        Some(AgeLimit::Word(word))
    }

    /// What people call it.
    pub(crate) fn name(self) -> &'static str {
        match self.generation {
            Generation::Npm => "npm",
            Generation::Pnpm | Generation::Pnpm8 | Generation::Pnpm7 => "pnpm",
            Generation::Yarn | Generation::Berry => "yarn",
            Generation::Bun => "bun",
        }
    }

    /// The pinned program.
    pub(super) fn tool(self) -> &'static str {
        match self.generation {
            Generation::Berry => "yarn-berry",
            _ => self.name(),
        }
    }

    /// The pinned version, where it is not the preferred one.
    pub(super) fn version(self) -> Option<&'static str> {
        match self.generation {
            Generation::Pnpm8 => Some("8.15.9"),
            Generation::Pnpm7 => Some("7.33.7"),
            _ => None,
        }
    }

    /// A shell script that is the manager, for `PATH`.
    pub(super) fn program(self) -> String {
        let script = match self.generation {
            Generation::Npm => "bin/npm-cli.js",
            Generation::Pnpm | Generation::Pnpm8 | Generation::Pnpm7 => "bin/pnpm.cjs",
            Generation::Yarn | Generation::Berry => "bin/yarn.js",
            Generation::Bun => return format!("#!/bin/sh\nexec {MANAGER}/bin/bun \"$@\"\n"),
        };
        format!("#!/bin/sh\nexec {NODE}/bin/node {MANAGER}/{script} \"$@\"\n")
    }

    /// Words that install packages without running any of their scripts.
    pub(super) fn install(self, locked: Locked) -> Vec<String> {
        let words: &[&str] = match (self.generation, locked) {
            (Generation::Npm, Locked::Yes) => {
                &["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            }
            (Generation::Npm, Locked::Partly) => {
                &["install", "--ignore-scripts", "--no-audit", "--no-fund"]
            }
            (Generation::Npm, Locked::No) => &[
                "install",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--no-package-lock",
            ],
            (Generation::Berry, Locked::Yes) => &["install", "--immutable", "--mode=skip-build"],
            (Generation::Berry, _) => &["install", "--no-immutable", "--mode=skip-build"],
            (Generation::Pnpm | Generation::Pnpm8 | Generation::Pnpm7, Locked::Partly) => {
                &["install", "--no-frozen-lockfile", "--ignore-scripts"]
            }
            (Generation::Pnpm | Generation::Pnpm8 | Generation::Pnpm7, Locked::No) => {
                &["install", "--no-lockfile", "--ignore-scripts"]
            }
            (Generation::Bun, Locked::No) => &["install", "--no-save", "--ignore-scripts"],
            (_, Locked::Yes) => &["install", "--frozen-lockfile", "--ignore-scripts"],
            (_, Locked::Partly) => &["install", "--ignore-scripts"],
            (_, Locked::No) => &["install", "--no-lockfile", "--ignore-scripts"],
        };
        self.words(words)
    }

    /// Words that make an install choose what another processor needs.
    pub(super) fn for_platform(self, architecture: Architecture) -> Vec<String> {
        let words: &[&str] = match self.generation {
            Generation::Npm | Generation::Pnpm => &["--os=linux", "--libc=glibc"],
            Generation::Bun => &["--os=linux"],
            Generation::Yarn => return vec!["--ignore-platform".to_string()],
            // They read it from their configuration: see `configuration`.
            Generation::Pnpm8 | Generation::Pnpm7 | Generation::Berry => return Vec::new(),
        };
        let mut all: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        all.push(format!("--cpu={}", cpu(architecture)));
        all
    }

    /// A file of the project that says which platforms count, and what to add to it.
    pub(super) fn platform_setting(
        self,
        architecture: Architecture,
    ) -> Option<(&'static str, String)> {
        let cpu = cpu(architecture);
        match self.generation {
            Generation::Berry => Some((
                ".yarnrc.yml",
                format!(
                    "\nsupportedArchitectures:\n  os: [linux]\n  cpu: [{cpu}]\n  libc: [glibc]\n"
                ),
            )),
            _ => None,
        }
    }

    /// Words that run the scripts of packages that the project allows to.
    pub(super) fn rebuild(self, packages: &[String]) -> Option<Vec<String>> {
        let mut words = match self.generation {
            Generation::Npm
            | Generation::Pnpm
            | Generation::Pnpm8
            | Generation::Pnpm7
            | Generation::Berry => self.words(&["rebuild"]),
            // They have no such command.
            Generation::Yarn | Generation::Bun => return None,
        };
        words.extend(packages.iter().cloned());
        Some(words)
    }

    /// Files that an install leaves and that running a script needs, besides the packages.
    pub(super) fn leaves(self) -> &'static [&'static str] {
        match self.generation {
            Generation::Berry => &["yarn.lock"],
            _ => &[],
        }
    }

    /// Words that build a project.
    pub(crate) fn build(self, build: &NodeBuild) -> Vec<String> {
        match build {
            NodeBuild::Script(script) => self.words(&["run", script]),
            NodeBuild::Program(words) => words.clone(),
        }
    }

    /// What builds a project, as people write it.
    pub(crate) fn shown(self, build: &NodeBuild) -> String {
        match build {
            NodeBuild::Script(script) => format!("{} run {script}", self.name()),
            NodeBuild::Program(words) => words.join(" "),
        }
    }

    fn words(self, words: &[&str]) -> Vec<String> {
        let mut all = vec![format!("{PROGRAMS}/{}", self.name())];
        all.extend(words.iter().map(|word| word.to_string()));
        all
    }

    /// Variables that name the registry and the cache.
    pub(super) fn environment(self, registry: &str) -> Vec<(String, String)> {
        [
            ("npm_config_registry", registry),
            ("YARN_REGISTRY", registry),
            ("YARN_NPM_REGISTRY_SERVER", registry),
            ("npm_config_cache", CACHE),
            ("YARN_CACHE_FOLDER", "/plimsoll/cache/yarn"),
            ("BUN_INSTALL_CACHE_DIR", "/plimsoll/cache/bun"),
            ("npm_config_store_dir", "/plimsoll/cache/pnpm"),
            ("npm_config_update_notifier", "false"),
            ("npm_config_prefer_offline", "true"),
            ("npm_config_package_import_method", "copy"),
        ]
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .to_vec()
    }

    /// Variables of every step that calls it: a project's own choices about which version of the
    /// manager is to be fetched do not count here.
    pub(super) fn always(self) -> Vec<(String, String)> {
        [
            ("npm_config_update_notifier", "false"),
            ("npm_config_manage_package_manager_versions", "false"),
            // The same for a pnpm that a script calls, to which pnpm hands on no variable of npm's.
            ("COREPACK_ROOT", PROGRAMS),
            ("COREPACK_ENABLE_STRICT", "0"),
            // It refuses its own lock file where the project wants a later Yarn.
            ("SKIP_YARN_COREPACK_CHECK", "1"),
            ("YARN_IGNORE_PATH", "1"),
            ("YARN_NODE_LINKER", "node-modules"),
            ("YARN_ENABLE_GLOBAL_CACHE", "false"),
            ("YARN_ENABLE_TELEMETRY", "false"),
            ("YARN_ENABLE_HARDENED_MODE", "false"),
        ]
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .to_vec()
    }
}

/// npm's name of a processor.
pub(super) fn cpu(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "x64",
        Architecture::Arm64 => "arm64",
    }
}

/// The format of a lock file of pnpm: 5 up to pnpm 7, 6 of pnpm 8, 9 since.
fn pnpm_format(lock: &str) -> Option<u32> {
    let line = lock
        .lines()
        .find_map(|line| line.strip_prefix("lockfileVersion:"))?;
    let version = line.trim().trim_matches(['\'', '"']);
    version.split('.').next()?.parse().ok()
}

/// Whether exact versions are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locked {
    /// There is a lock file.
    Yes,
    /// There is one that lacks some packages.
    Partly,
    /// There is none.
    No,
}

/// Whether the packages to install follow from a file of this name.
pub(super) fn is_manifest(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    matches!(
        name,
        "package.json"
            | "package-lock.json"
            | "npm-shrinkwrap.json"
            | "pnpm-lock.yaml"
            | "pnpm-workspace.yaml"
            | ".pnpmfile.cjs"
            | "yarn.lock"
            | ".yarnrc"
            | ".yarnrc.yml"
            | "bun.lock"
            | "bun.lockb"
            | "bunfig.toml"
            | ".npmrc"
    ) || path
        .split('/')
        .any(|part| matches!(part, "patches" | ".yarn"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_decides_which_generation_of_a_manager_reads_it() {
        let tool = |manager, lock| {
            let manager = Manager::of(manager, lock);
            (manager.tool(), manager.version())
        };
        let pnpm = NodeManager::Pnpm;
        let old = Some("8.15.9");
        assert_eq!(tool(pnpm, Some("lockfileVersion: '6.0'\n")), ("pnpm", old));
        let oldest = Some("7.33.7");
        assert_eq!(tool(pnpm, Some("lockfileVersion: 5.4\n")), ("pnpm", oldest));
        assert_eq!(tool(pnpm, Some("lockfileVersion: '9.0'\n")), ("pnpm", None));
        assert_eq!(tool(pnpm, None), ("pnpm", None));
        let yarn = NodeManager::Yarn;
        assert_eq!(
            tool(yarn, Some("# yarn lockfile v1\n\n\nms@2:\n")),
            ("yarn", None)
        );
        let berry = "# This file\n\n__metadata:\n  version: 8\n";
        assert_eq!(tool(yarn, Some(berry)), ("yarn-berry", None));
    }

    #[test]
    fn without_a_lock_versions_are_as_old_as_the_manager_can_be_told() {
        let day = Duration::from_secs(86_400);
        let of = |manager, version| Manager::without_lock(manager, version);
        let word = |text: &str| Some(AgeLimit::Word(text.to_string()));
        assert_eq!(
            of(NodeManager::Pnpm, None).as_of("2026-11-20T00:00:00Z", day),
            word("--config.minimum-release-age=1440")
        );
        assert_eq!(
            of(NodeManager::Bun, None).as_of("2026-11-20T00:00:00Z", day),
            word("--minimum-release-age=86400")
        );
        let yarn = of(NodeManager::Yarn, Some(4));
        assert_eq!(yarn.tool(), "yarn-berry");
        assert!(yarn.as_of("2026-11-20T00:00:00Z", day).is_some());
        let old = of(NodeManager::Yarn, None);
        assert_eq!(old.tool(), "yarn");
        let always = old.always();
        assert!(
            always
                .iter()
                .any(|(name, _)| name == "SKIP_YARN_COREPACK_CHECK")
        );
        assert_eq!(old.as_of("2026-11-20T00:00:00Z", day), None);
    }

    #[test]
    fn a_pnpm_that_a_script_calls_fetches_no_other_version() {
        let always = Manager::of(NodeManager::Pnpm, None).always();
        // pnpm starts scripts without them.
        let mut handed_on = always.iter().filter(|(name, _)| !name.starts_with("npm_"));
        assert!(handed_on.any(|(name, _)| name == "COREPACK_ROOT"));
    }

    #[test]
    fn scripts_of_packages_never_run_while_they_are_installed() {
        for manager in [
            NodeManager::Npm,
            NodeManager::Pnpm,
            NodeManager::Yarn,
            NodeManager::Bun,
        ] {
            for lock in [
                None,
                Some("x\n__metadata:\n"),
                Some("lockfileVersion: 6.0"),
                Some("lockfileVersion: 5.4"),
            ] {
                for locked in [Locked::Yes, Locked::Partly, Locked::No] {
                    let words = Manager::of(manager, lock).install(locked);
                    let off = |word: &String| {
                        matches!(word.as_str(), "--ignore-scripts" | "--mode=skip-build")
                    };
                    assert!(words.iter().any(off), "{words:?}");
                }
            }
        }
    }
}
