//! The packages a site's build needs: installed once for each set of manifests, kept as a tree
//! that build steps see below their sources.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use plimsoll_diag::{Diagnostic, ProgressEvent};

use super::StaticSiteError;
use super::build::{SITE, Site};
use super::manager::{CACHE, Locked, MANAGER, NODE, PROGRAMS, is_manifest};
use super::version_range;
use crate::application::{Application, SourceKind};
use crate::clients::{npm_certificates, npmrc_files};
use crate::digest::Hasher;
use crate::python::BUILD_USER;
use crate::step::fetching;
use crate::step::scratch::{Scratch, give};
use crate::toolchain::{Program, Toolchains};
use crate::{Access, BindMount, Step, StepNetwork};

/// How long installing may take.
const LONGEST: Duration = Duration::from_secs(1800);

/// The user's own configuration of npm, shown to steps that fetch.
const USER_CONFIGURATION: &str = "/plimsoll/npmrc";

/// The certificates npm is to trust.
const CERTIFICATES: &str = "/plimsoll/npm-certificates.pem";

/// Programs for one build.
pub(super) struct Tools {
    node: Program,
    manager: Program,
    cache: PathBuf,
    programs: PathBuf,
}

impl Site<'_> {
    /// The version of Node that the project's `engines` allow, the preferred one first.
    pub(super) fn node_version(&self) -> &'static str {
        let versions = Toolchains::node_versions();
        let preferred = versions.first().copied().unwrap_or_default();
        let Some(range) = self
            .manifest
            .pointer("/engines/node")
            .and_then(|v| v.as_str())
        else {
            return preferred;
        };
        let fitting = versions
            .iter()
            .find(|version| version_range::contains(range, version));
        fitting.copied().unwrap_or_else(|| {
            let notice = Diagnostic::warning(format!(
                "no Node here satisfies `engines.node` (`{range}`): building with {preferred}"
            ))
            .hint(format!("there are {}", versions.join(", ")));
            self.workshop.progress.report(ProgressEvent::Notice(notice));
            preferred
        })
    }

    /// What decides which packages are installed.
    pub(super) fn packages_key(&self) -> String {
        let mut hasher = Hasher::default();
        for file in self.sources.files() {
            if is_manifest(&file.path)
                && let SourceKind::File { digest, .. } = &file.kind
            {
                hasher.update(format!("{}\0{digest}\0", file.path).as_bytes());
            }
        }
        format!(
            "packages {} {} {} node {} {} {} 1",
            hasher.finish(),
            self.root,
            self.manager.tool,
            self.node_version(),
            Toolchains::version_of(self.manager.tool),
            self.workshop.host,
        )
    }

    /// Fetches Node and the package manager.
    pub(super) fn tools(&self, scratch: &Scratch) -> Result<Tools, StaticSiteError> {
        let workshop = self.workshop;
        let host = workshop.host;
        let version = self.node_version();
        let node = workshop.toolchains.program("node", Some(version), host)?;
        let manager = workshop.toolchains.program(self.manager.tool, None, host)?;
        let programs = scratch.directory("bin", BUILD_USER)?;
        let program = programs.join(self.manager.tool);
        fs::write(&program, self.manager.program())?;
        fs::set_permissions(
            &program,
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )?;
        let cache = workshop.cache.join("npm");
        fs::create_dir_all(&cache)?;
        std::os::unix::fs::chown(&cache, Some(BUILD_USER.0), Some(BUILD_USER.1))?;
        Ok(Tools {
            node,
            manager,
            cache,
            programs,
        })
    }

    /// A step that sees the tools and has the site as its directory.
    pub(super) fn step(&self, tools: &Tools, what: &str, command: Vec<String>) -> Step {
        let show = |source: &Path, target: &str, access| BindMount {
            source: source.to_path_buf(),
            target: PathBuf::from(target),
            access,
        };
        let directory = format!("{SITE}/{}", self.root);
        let directory = directory.trim_end_matches('/').to_string();
        let path = format!(
            "{directory}/node_modules/.bin:{SITE}/node_modules/.bin:{PROGRAMS}:{NODE}/bin:/usr/bin:/bin"
        );
        let mut environment: Vec<(String, String)> = [
            ("PATH", path.as_str()),
            ("HOME", "/tmp"),
            ("LANG", "C.UTF-8"),
            ("TZ", "UTC"),
            ("CI", "true"),
            ("NO_COLOR", "1"),
            ("SOURCE_DATE_EPOCH", "315532801"),
        ]
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .to_vec();
        environment.push(("npm_config_cache".into(), CACHE.into()));
        environment.push(("npm_config_update_notifier".into(), "false".into()));
        Step {
            name: format!("{}: {what}", self.workshop.subject),
            root: Vec::new(),
            mounts: vec![
                show(&tools.node.path, NODE, Access::ReadOnly),
                show(&tools.manager.path, MANAGER, Access::ReadOnly),
                show(&tools.programs, PROGRAMS, Access::ReadOnly),
                show(&tools.cache, CACHE, Access::ReadWrite),
            ],
            command,
            environment,
            working_dir: PathBuf::from(directory),
            network: StepNetwork::None,
            user: BUILD_USER,
            timeout: LONGEST,
            memory: Some(4 << 30),
            pids: Some(4096),
        }
    }

    /// The tree with the installed packages, made now if it is not kept from an earlier build.
    /// It holds `site/…/node_modules` and nothing else.
    pub(super) fn packages(
        &self,
        tools: &Tools,
        base: &[PathBuf],
        scratch: &Scratch,
    ) -> Result<PathBuf, StaticSiteError> {
        let workshop = self.workshop;
        let key = self.packages_key();
        let kept = workshop
            .cache
            .join("node_modules")
            .join(crate::Digest::of(key.as_bytes()).hex());
        workshop.locks.alone(&key, || {
            if kept.is_dir() {
                return Ok(kept.clone());
            }
            workshop.tell("installing packages");
            let tree = scratch.directory("packages", BUILD_USER)?;
            let place = scratch.directory("packages/site", BUILD_USER)?;
            self.sources.copy_to(&place)?;
            give(&place, BUILD_USER)?;
            self.install(tools, base, &place)?;
            only_packages(&place)?;
            if let Some(parent) = kept.parent() {
                fs::create_dir_all(parent)?;
            }
            match fs::rename(&tree, &kept) {
                // Another process was faster.
                Err(_) if kept.is_dir() => {}
                other => other?,
            }
            Ok(kept.clone())
        })
    }

    fn install(
        &self,
        tools: &Tools,
        base: &[PathBuf],
        place: &Path,
    ) -> Result<(), StaticSiteError> {
        let workshop = self.workshop;
        let site = BindMount {
            source: place.to_path_buf(),
            target: PathBuf::from(SITE),
            access: Access::ReadWrite,
        };
        let locked = match &self.recipe.lock {
            Some(_) => Locked::Yes,
            None => Locked::No,
        };
        let mut step = self.step(tools, "install packages", self.manager.install(locked));
        // A workspace is installed where its lock file is.
        if let Some(directory) = self.recipe.lock.as_ref().and_then(|lock| lock.parent()) {
            step.working_dir = Path::new(SITE).join(directory);
        }
        step.root = base.to_vec();
        step.mounts.push(site.clone());
        step.network = StepNetwork::Host;
        let registry = workshop.registries.npm()?;
        step.environment
            .extend(self.manager.environment(registry.url.expose()));
        let settings = workshop.registries.settings();
        fetching::prepare(settings, &mut step.mounts, &mut step.environment);
        // What the user's configuration says of certificates is a path of this machine.
        if let Some(source) = npm_certificates(settings) {
            let target = PathBuf::from(CERTIFICATES);
            step.mounts.push(BindMount {
                source,
                target,
                access: Access::ReadOnly,
            });
            let variable = ("npm_config_cafile".to_string(), CERTIFICATES.to_string());
            step.environment.push(variable);
        }
        // Tokens for private packages stand in the user's own configuration.
        let user = npmrc_files(settings).into_iter().find(|path| {
            path.is_file()
                && settings
                    .project
                    .as_ref()
                    .is_none_or(|p| !path.starts_with(p))
        });
        if let Some(source) = user {
            let target = PathBuf::from(USER_CONFIGURATION);
            step.mounts.push(BindMount {
                source,
                target,
                access: Access::ReadOnly,
            });
            let variable = (
                "npm_config_userconfig".to_string(),
                USER_CONFIGURATION.to_string(),
            );
            step.environment.push(variable);
        }
        tracing::debug!(step = step.name, command = ?step.command, "running");
        let mut outcome = workshop.sandbox.run(&step)?;
        if outcome.exit_code != 0 && locked == Locked::Yes {
            let output = without_usage(last_lines(&outcome.stdout, &outcome.stderr));
            if let Some(missing) = missing_from_lock(&output) {
                let notice = Diagnostic::warning(format!(
                    "the lock file is behind `package.json`: {missing}; what it lacks is \
                     installed in the newest version that fits"
                ))
                .hint("run `npm install` and commit the lock file");
                workshop.progress.report(ProgressEvent::Notice(notice));
                step.command = self.manager.install(Locked::Partly);
                outcome = workshop.sandbox.run(&step)?;
            }
        }
        if outcome.exit_code != 0 {
            return Err(StaticSiteError::Install {
                output: without_usage(last_lines(&outcome.stdout, &outcome.stderr)),
            });
        }
        let allowed = allowed_scripts(&self.manifest);
        if allowed.is_empty() {
            return Ok(());
        }
        let mut step = self.step(tools, "run install scripts", self.manager.rebuild(&allowed));
        step.root = base.to_vec();
        step.mounts.push(site);
        let outcome = workshop.sandbox.run(&step)?;
        if outcome.exit_code != 0 {
            return Err(StaticSiteError::Install {
                output: last_lines(&outcome.stdout, &outcome.stderr),
            });
        }
        Ok(())
    }
}

/// Packages whose install scripts the project allows: `allowScripts` of npm,
/// `pnpm.onlyBuiltDependencies` of pnpm.
fn allowed_scripts(manifest: &serde_json::Value) -> Vec<String> {
    let npm = manifest.get("allowScripts").and_then(|v| v.as_object());
    let npm = npm
        .into_iter()
        .flatten()
        .filter(|(_, allowed)| allowed.as_bool() == Some(true))
        .map(|(name, _)| name.clone());
    let pnpm = manifest
        .pointer("/pnpm/onlyBuiltDependencies")
        .and_then(|v| v.as_array());
    let pnpm = pnpm
        .into_iter()
        .flatten()
        .filter_map(|name| Some(name.as_str()?.to_string()));
    let mut all: Vec<String> = npm
        .chain(pnpm)
        // A name that looks like an option must not become one.
        .filter(|name| !name.starts_with('-'))
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Removes everything but `node_modules` directories.
fn only_packages(directory: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is_packages = path.file_name().is_some_and(|name| name == "node_modules");
        if is_packages {
            continue;
        }
        if fs::symlink_metadata(&path)?.is_dir() {
            only_packages(&path)?;
            if fs::read_dir(&path)?.next().is_none() {
                fs::remove_dir(&path)?;
            }
        } else {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// What npm misses in a lock file that does not fit its `package.json`; `None` when that is not
/// what is wrong.
fn missing_from_lock(output: &[String]) -> Option<String> {
    output.iter().find(|line| line.contains("are in sync"))?;
    let missing: Vec<&str> = output
        .iter()
        .filter_map(|line| line.strip_prefix("npm error "))
        .filter(|line| line.starts_with("Missing: ") || line.starts_with("Invalid: "))
        .collect();
    Some(match missing.as_slice() {
        [] => "it does not say where".to_string(),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first}, and {} more", rest.len()),
    })
}

/// What npm says before it explains how it is used.
fn without_usage(lines: Vec<String>) -> Vec<String> {
    let told = |line: &String| {
        !["npm error Clean install a project", "npm error Usage:"].contains(&line.as_str())
    };
    lines.into_iter().take_while(told).collect()
}

/// The last lines that a tool printed, the errors after the rest.
pub(super) fn last_lines(stdout: &[u8], stderr: &[u8]) -> Vec<String> {
    const MOST: usize = 120;
    let read = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes)
            .lines()
            .map(|line| line.trim_end().to_string())
            .filter(|line| !matches!(line.as_str(), "" | "npm error") && !is_noise(line))
            .collect::<Vec<_>>()
    };
    let mut lines = read(stdout);
    lines.extend(read(stderr));
    lines.split_off(lines.len().saturating_sub(MOST))
}

/// Lines that say nothing about the failure.
fn is_noise(line: &str) -> bool {
    let noise = [
        "npm notice",
        "npm warn",
        "npm error For a full report",
        "npm error A complete log of this run",
        "npm error     /tmp/",
        "npm error     /plimsoll/",
    ];
    noise.iter().any(|start| line.starts_with(start))
}

/// The files of the site with what build steps read and installed packages left out.
pub(super) fn manifest(context: &Path, root: &str) -> Result<serde_json::Value, StaticSiteError> {
    let path = context.join(root).join("package.json");
    let text = fs::read_to_string(&path)?;
    serde_json::from_str(&text).map_err(|error| {
        let message = format!("`{}` is not JSON: {error}", path.display());
        StaticSiteError::Io(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            message,
        ))
    })
}

/// Everything of a context that a build step may read.
pub(super) fn sources(context: &Path, cache: &Path) -> Result<Application, StaticSiteError> {
    let hashes = cache.join("hashes");
    Ok(Application::look(
        context,
        crate::application::Purpose::BuildInput,
        &hashes,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_project_allows_runs_its_scripts() {
        let manifest = serde_json::json!({
            "allowScripts": { "sharp": true, "evil": false, "--global": true },
            "pnpm": { "onlyBuiltDependencies": ["esbuild", "sharp"] },
        });
        assert_eq!(allowed_scripts(&manifest), ["esbuild", "sharp"]);
        assert!(allowed_scripts(&serde_json::json!({})).is_empty());
    }

    #[test]
    fn a_tree_of_packages_keeps_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "package.json",
            "src/a.ts",
            "web/node_modules/x/index.js",
            "node_modules/y",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        only_packages(root.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["node_modules", "web"]);
    }

    #[test]
    fn a_lock_that_lags_behind_is_told_from_other_failures() {
        let lines = |text: &str| text.lines().map(str::to_string).collect::<Vec<_>>();
        let output = lines(
            "npm error code EUSAGE\nnpm error `npm ci` can only install packages when your \
             package.json and package-lock.json are in sync.\nnpm error Missing: tmp@0.2.7 from \
             lock file",
        );
        assert_eq!(
            missing_from_lock(&output).as_deref(),
            Some("Missing: tmp@0.2.7 from lock file")
        );
        assert_eq!(missing_from_lock(&lines("npm error code E404")), None);
    }

    #[test]
    fn a_tools_last_lines_are_told_without_its_noise() {
        let lines = last_lines(
            b"> build\n\nsrc/a.ts(1,1): error TS1\n",
            b"npm notice new version\nnpm error code 2\n",
        );
        assert_eq!(
            lines,
            ["> build", "src/a.ts(1,1): error TS1", "npm error code 2"]
        );
    }
}
