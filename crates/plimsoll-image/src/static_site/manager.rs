//! Package managers: what they are called with, and which files they read.

use plimsoll_model::NodeManager;

use super::StaticSiteError;

/// Where Node's directory is in the sandbox.
pub(super) const NODE: &str = "/plimsoll/node";
/// Where the package manager's directory is.
pub(super) const MANAGER: &str = "/plimsoll/manager";
/// Where programs named like the managers are, for scripts that call one another.
pub(super) const PROGRAMS: &str = "/plimsoll/bin";
/// Where the manager's cache is.
pub(super) const CACHE: &str = "/plimsoll/cache";

/// How a manager is used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manager {
    /// The pinned program.
    pub tool: &'static str,
    /// The manager's script, below its directory.
    script: &'static str,
}

impl Manager {
    pub(super) fn of(manager: NodeManager) -> Result<Self, StaticSiteError> {
        Ok(match manager {
            NodeManager::Npm => Self {
                tool: "npm",
                script: "bin/npm-cli.js",
            },
            NodeManager::Pnpm => Self {
                tool: "pnpm",
                script: "bin/pnpm.cjs",
            },
            NodeManager::Yarn => Self {
                tool: "yarn",
                script: "bin/yarn.js",
            },
            NodeManager::Bun => return Err(StaticSiteError::Manager { manager }),
        })
    }

    /// A shell script that is the manager, for `PATH`.
    pub(super) fn program(&self) -> String {
        format!(
            "#!/bin/sh\nexec {NODE}/bin/node {MANAGER}/{} \"$@\"\n",
            self.script
        )
    }

    /// Words that install packages without running any of their scripts.
    pub(super) fn install(&self, locked: Locked) -> Vec<String> {
        let words: &[&str] = match (self.tool, locked) {
            ("npm", Locked::Yes) => &["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            ("npm", Locked::Partly) => &["install", "--ignore-scripts", "--no-audit", "--no-fund"],
            ("npm", Locked::No) => &[
                "install",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--no-package-lock",
            ],
            ("pnpm", Locked::Yes) => &["install", "--frozen-lockfile", "--ignore-scripts"],
            ("pnpm", Locked::No) => &["install", "--no-lockfile", "--ignore-scripts"],
            (_, Locked::Yes) => &["install", "--frozen-lockfile", "--ignore-scripts"],
            (_, Locked::Partly) => &["install", "--ignore-scripts"],
            (_, Locked::No) => &["install", "--no-lockfile", "--ignore-scripts"],
        };
        self.words(words)
    }

    /// Words that run the scripts of packages that the project allows to.
    pub(super) fn rebuild(&self, packages: &[String]) -> Vec<String> {
        let mut words = self.words(&["rebuild"]);
        words.extend(packages.iter().cloned());
        words
    }

    /// Words that run a script of the project.
    pub(super) fn run(&self, script: &str) -> Vec<String> {
        self.words(&["run", script])
    }

    fn words(&self, words: &[&str]) -> Vec<String> {
        let mut all = vec![format!("{PROGRAMS}/{}", self.tool)];
        all.extend(words.iter().map(|word| word.to_string()));
        all
    }

    /// Variables that name the registry and the cache.
    pub(super) fn environment(&self, registry: &str) -> Vec<(String, String)> {
        [
            ("npm_config_registry", registry),
            ("YARN_REGISTRY", registry),
            ("npm_config_cache", CACHE),
            ("YARN_CACHE_FOLDER", "/plimsoll/cache/yarn"),
            ("npm_config_store_dir", "/plimsoll/cache/pnpm"),
            ("npm_config_update_notifier", "false"),
            ("npm_config_prefer_offline", "true"),
            ("npm_config_package_import_method", "copy"),
        ]
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .to_vec()
    }
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
            | ".npmrc"
    ) || path.split('/').any(|part| part == "patches")
}
