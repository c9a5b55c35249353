//! The packages a project needs: installed once for each set of manifests and processor, kept as
//! a tree that build steps see below their sources and that production packages are taken from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_diag::Diagnostic;
use serde_json::Value;

use super::NodeError;
use super::manager::{AgeLimit, Locked, cpu};
use super::output::{last_lines, missing_from_lock, unmet_peer, without_usage};
use super::project::{NodeProject, SITE, Tools, place};
use super::unlocked;
use crate::clients::{npm_certificates, npmrc_files};
use crate::oci::Architecture;
use crate::python::BUILD_USER;
use crate::step::scratch::{Scratch, give};
use crate::step::{fetching, kept};
use crate::{Access, BindMount, Step, StepNetwork};

/// The user's own configuration of npm, shown to steps that fetch.
const USER_CONFIGURATION: &str = "/plimsoll/npmrc";

/// The certificates npm is to trust.
const CERTIFICATES: &str = "/plimsoll/npm-certificates.pem";

impl NodeProject<'_> {
    /// The tree with the installed packages, made now if it is not kept from an earlier build.
    /// It holds `site/…/node_modules` and nothing else.
    pub(crate) fn packages(
        &self,
        tools: &Tools,
        base: &[PathBuf],
        scratch: &Scratch,
        architecture: Architecture,
    ) -> Result<PathBuf, NodeError> {
        let workshop = self.workshop;
        let key = self.packages_key(architecture);
        let kept = workshop
            .cache
            .join("node_modules")
            .join(crate::Digest::of(key.as_bytes()).hex());
        workshop.locks.alone(&key, || {
            if kept.is_dir() {
                kept::used(&kept);
                return Ok(kept.clone());
            }
            workshop.tell("installing packages");
            let name = format!("packages-{architecture}");
            let tree = scratch.directory(&name, BUILD_USER)?;
            let site = scratch.directory(&format!("{name}/site"), BUILD_USER)?;
            self.sources.copy_to(&site)?;
            if architecture != workshop.host
                && let Some((file, text)) = self.manager.platform_setting(architecture)
            {
                let path = site.join(self.install_root()).join(file);
                let before = fs::read_to_string(&path).unwrap_or_default();
                fs::write(&path, before + &text)?;
            }
            give(&site, BUILD_USER)?;
            self.install(tools, base, &site, architecture)?;
            only_packages(&site, self.manager.leaves(), self.manager.name())?;
            if let Some(parent) = kept.parent() {
                fs::create_dir_all(parent)?;
            }
            match fs::rename(&tree, &kept) {
                // Another process was faster.
                Err(_) if kept.is_dir() => {}
                other => other?,
            }
            kept::used(&kept);
            Ok(kept.clone())
        })
    }

    fn install(
        &self,
        tools: &Tools,
        base: &[PathBuf],
        site: &Path,
        architecture: Architecture,
    ) -> Result<(), NodeError> {
        let locked = match &self.lock {
            Some(_) => Locked::Yes,
            None => Locked::No,
        };
        let words = |locked, as_of: Option<&str>| {
            let mut words = self.manager.install(locked);
            if architecture != self.workshop.host {
                words.extend(self.manager.for_platform(architecture));
            }
            // It reads no variable that says whom to trust.
            if self.manager.name() == "bun"
                && npm_certificates(self.workshop.registries.settings()).is_some()
            {
                words.push(format!("--cafile={CERTIFICATES}"));
            }
            if let Some(AgeLimit::Word(word)) = as_of.and_then(|moment| self.age_limit(moment)) {
                words.push(word);
            }
            words
        };
        let as_of = self.as_of.as_deref().filter(|_| locked == Locked::No);
        let as_of = as_of.filter(|moment| self.age_limit(moment).is_some());
        let mut step = self.step(tools, "install packages", words(locked, as_of));
        step.working_dir = PathBuf::from(place(&self.install_root().display().to_string()));
        step.root = base.to_vec();
        step.mounts.push(BindMount {
            source: site.to_path_buf(),
            target: PathBuf::from(SITE),
            access: Access::ReadWrite,
        });
        self.let_fetch(&mut step)?;
        let variables = step.environment.len();
        if let Some(AgeLimit::Variable(name, value)) =
            as_of.and_then(|moment| self.age_limit(moment))
        {
            step.environment.push((name.to_string(), value));
        }
        tracing::debug!(step = step.name, command = ?step.command, "running");
        let mut outcome = self.workshop.sandbox.run(&step)?;
        let mut counted = as_of;
        if outcome.exit_code != 0 && as_of.is_some() {
            // The registry may not tell when a version came out, or none of that time fits.
            counted = None;
            step.command = words(locked, None);
            step.environment.truncate(variables);
            outcome = self.workshop.sandbox.run(&step)?;
        }
        if locked == Locked::No {
            self.tell_of_no_lock(counted);
        }
        if outcome.exit_code != 0 && locked == Locked::Yes {
            let output = without_usage(last_lines(&outcome.stdout, &outcome.stderr));
            if let Some(missing) = missing_from_lock(&output) {
                let lock = site.join(self.install_root()).join("yarn.lock");
                let before = fs::read_to_string(&lock).unwrap_or_default();
                step.command = words(Locked::Partly, None);
                outcome = self.workshop.sandbox.run(&step)?;
                let after = fs::read_to_string(&lock).unwrap_or_default();
                if !is_same_in_another_form(&before, &after) {
                    self.tell_of_old_lock(&missing);
                }
            }
        }
        if outcome.exit_code != 0 {
            let output = without_usage(last_lines(&outcome.stdout, &outcome.stderr));
            let Some(peer) = unmet_peer(&output) else {
                return Err(NodeError::Install { output });
            };
            step.command.push("--legacy-peer-deps".to_string());
            let again = self.workshop.sandbox.run(&step)?;
            if again.exit_code != 0 {
                return Err(NodeError::Install { output });
            }
            self.tell_of_unmet_peer(&peer);
        }
        // Scripts would make what runs on this machine.
        if architecture == self.workshop.host {
            self.run_install_scripts(step)?;
        }
        Ok(())
    }

    fn tell_of_unmet_peer(&self, peer: &str) {
        self.notice(
            Diagnostic::warning(format!(
                "the packages of `{}` do not fit together: {peer}; they are installed all the same",
                Path::new(&self.root).join("package.json").display()
            ))
            .hint("let the versions fit, or write `legacy-peer-deps=true` into `.npmrc`"),
        );
    }

    fn tell_of_old_lock(&self, missing: &str) {
        self.notice(
            Diagnostic::warning(format!(
                "the lock file is behind `package.json`: {missing}; what it lacks is installed in \
                 the newest version that fits"
            ))
            .hint(format!(
                "run `{} install` and commit the lock file",
                self.manager.name()
            )),
        );
    }

    /// Puts the lock file that the packages were installed by over that of the sources. A Yarn
    /// runs no script while the lock file is in the form of an older one.
    pub(crate) fn adopt_lock(&self, installed: &Path, site: &Path) -> Result<(), NodeError> {
        let place = Path::new("site").join(self.install_root());
        let lock = installed.join(&place).join("yarn.lock");
        if lock.is_file() {
            let to = site.join(self.install_root()).join("yarn.lock");
            fs::copy(&lock, &to)?;
            give(&to, BUILD_USER)?;
        }
        Ok(())
    }

    /// How the manager is kept from versions published after a moment.
    fn age_limit(&self, moment: &str) -> Option<AgeLimit> {
        self.manager.as_of(moment, unlocked::age(moment)?)
    }

    fn tell_of_no_lock(&self, as_of: Option<&str>) {
        let when = match as_of {
            Some(moment) => format!("as of {moment}"),
            None => "in their newest versions that fit".to_string(),
        };
        self.notice(
            Diagnostic::warning(format!(
                "`{}` has no lock file: its packages are installed {when}",
                self.install_root().join("package.json").display()
            ))
            .hint(format!(
                "run `{} install` and commit the lock file",
                self.manager.name()
            )),
        );
    }

    /// Runs the scripts of the packages that the project allows to, which may fetch.
    fn run_install_scripts(&self, installing: Step) -> Result<(), NodeError> {
        let allowed = self.allowed_scripts();
        if allowed.is_empty() {
            return Ok(());
        }
        let Some(command) = self.manager.rebuild(&allowed) else {
            return Ok(());
        };
        let mut step = installing;
        step.name = format!("{}: run install scripts", self.workshop.subject);
        step.command = command;
        let outcome = self.workshop.sandbox.run(&step)?;
        if outcome.exit_code != 0 {
            self.notice(
                Diagnostic::warning(format!(
                    "install scripts of {} failed:\n{}",
                    allowed.join(", "),
                    last_lines(&outcome.stdout, &outcome.stderr).join("\n")
                ))
                .hint("what they would have made is missing in the image"),
            );
        }
        Ok(())
    }

    /// Packages whose install scripts the project allows, in its own manifest or in that of the
    /// workspace it is a member of.
    pub(super) fn allowed_scripts(&self) -> Vec<String> {
        let mut all = allowed_in(&self.manifest);
        let above = self.context.join(self.install_root());
        if let Ok(manifest) = super::project::manifest(&above) {
            all.extend(allowed_in(&manifest));
        }
        if let Ok(text) = fs::read_to_string(above.join("pnpm-workspace.yaml")) {
            all.extend(allowed_in_workspace(&text));
        }
        all.sort();
        all.dedup();
        all
    }

    /// Lets a step reach the registry as this machine's npm does.
    fn let_fetch(&self, step: &mut Step) -> Result<(), NodeError> {
        let workshop = self.workshop;
        step.network = StepNetwork::Host;
        let registry = workshop.registries.npm()?;
        step.environment
            .extend(self.manager.environment(registry.url.expose()));
        let settings = workshop.registries.settings();
        fetching::prepare(settings, &mut step.mounts, &mut step.environment);
        let mut show = |source: PathBuf, target: &str, access: Access, variables: &[&str]| {
            step.mounts.push(BindMount {
                source,
                target: PathBuf::from(target),
                access,
            });
            for variable in variables {
                let variable = (variable.to_string(), target.to_string());
                step.environment.push(variable);
            }
        };
        // What the user's configuration says of certificates is a path of this machine.
        if let Some(source) = npm_certificates(settings) {
            let variables = ["npm_config_cafile", "YARN_HTTPS_CA_FILE_PATH"];
            show(source, CERTIFICATES, Access::ReadOnly, &variables);
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
            let variables = ["npm_config_userconfig"];
            show(source, USER_CONFIGURATION, Access::OwnCopy, &variables);
        }
        Ok(())
    }
}

/// `allowScripts` of npm, `pnpm.onlyBuiltDependencies` of pnpm, `trustedDependencies` of Bun,
/// `dependenciesMeta` of Yarn.
fn allowed_in(manifest: &Value) -> Vec<String> {
    let marked = |pointer: &str, mark: &str| {
        let table = manifest.pointer(pointer).and_then(Value::as_object);
        let table = table.into_iter().flatten();
        table
            .filter(|(_, value)| match mark {
                "" => value.as_bool() == Some(true),
                mark => value.get(mark).and_then(Value::as_bool) == Some(true),
            })
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    let listed = |pointer: &str| {
        let list = manifest.pointer(pointer).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(|name| Some(name.as_str()?.to_string()))
            .collect::<Vec<_>>()
    };
    let mut all = marked("/allowScripts", "");
    all.extend(marked("/dependenciesMeta", "built"));
    all.extend(listed("/pnpm/onlyBuiltDependencies"));
    all.extend(listed("/trustedDependencies"));
    // A name that looks like an option must not become one.
    all.retain(|name| !name.starts_with('-'));
    all.sort();
    all.dedup();
    all
}

/// `onlyBuiltDependencies` of a `pnpm-workspace.yaml`.
fn allowed_in_workspace(text: &str) -> Vec<String> {
    let mut lines = text.lines();
    if !lines.any(|line| line.trim_end() == "onlyBuiltDependencies:") {
        return Vec::new();
    }
    lines
        .map_while(|line| line.trim_start().strip_prefix("- "))
        .map(|name| name.trim().trim_matches(['"', '\'']).to_string())
        .filter(|name| !name.starts_with('-'))
        .collect()
}

/// Whether something that says where it runs (`os`, `cpu`, `libc` of a `package.json`) runs in an
/// image for a processor.
pub(super) fn runs_on(manifest: &Value, architecture: Architecture) -> bool {
    let allows = |key: &str, own: &str| {
        let words: Vec<&str> = match manifest.get(key) {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(word)) => vec![word],
            _ => return true,
        };
        let refused = words.iter().any(|word| word.strip_prefix('!') == Some(own));
        let positive: Vec<&&str> = words.iter().filter(|word| !word.starts_with('!')).collect();
        let named = positive.iter().any(|word| **word == own || **word == "any");
        !refused && (positive.is_empty() || named)
    };
    allows("os", "linux") && allows("cpu", cpu(architecture)) && allows("libc", "glibc")
}

/// Whether two lock files of Yarn name the same packages: each release writes its own form, and calls
/// a file of an older one outdated.
fn is_same_in_another_form(before: &str, after: &str) -> bool {
    fn resolutions(text: &str) -> BTreeSet<&str> {
        let lines = text.lines().map(str::trim);
        lines
            .filter(|line| line.starts_with("resolution:"))
            // Yarn's own patches of a few packages carry the hash of its release's.
            .filter(|line| !line.contains("builtin<"))
            .collect()
    }
    let after = resolutions(after);
    !after.is_empty() && after.is_subset(&resolutions(before))
}

/// Removes everything but `node_modules` directories, what Yarn keeps to know that it has
/// installed, and files of these names. A package that is called like the manager gives no program: one whose install
/// script did not run is a stub that succeeds at everything.
fn only_packages(directory: &Path, kept: &[&str], manager: &str) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let programs = path.join(".bin");
        let program = programs.join(manager);
        // A link may lead anywhere on this machine.
        if is_directory(&path) && is_directory(&programs) && fs::symlink_metadata(&program).is_ok()
        {
            fs::remove_file(program)?;
        }
        let is_packages = path.file_name().is_some_and(|name| {
            name == "node_modules"
                || name == "install-state.gz"
                || kept.iter().any(|kept| name == *kept)
        });
        if is_packages {
            continue;
        }
        if is_directory(&path) {
            only_packages(&path, kept, manager)?;
            if fs::read_dir(&path)?.next().is_none() {
                fs::remove_dir(&path)?;
            }
        } else {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Whether a path is that of a directory, and not of a link to one.
fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|data| data.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_project_allows_runs_its_scripts() {
        let manifest = serde_json::json!({
            "allowScripts": { "sharp": true, "evil": false, "--global": true },
            "pnpm": { "onlyBuiltDependencies": ["esbuild", "sharp"] },
            "trustedDependencies": ["bcrypt"],
            "dependenciesMeta": { "canvas": { "built": true }, "x": { "built": false } },
        });
        assert_eq!(
            allowed_in(&manifest),
            ["bcrypt", "canvas", "esbuild", "sharp"]
        );
        assert!(allowed_in(&serde_json::json!({})).is_empty());
        let text = "packages:\n  - apps/*\nonlyBuiltDependencies:\n  - esbuild\n  - '@swc/core'\ncatalog:\n";
        assert_eq!(allowed_in_workspace(text), ["esbuild", "@swc/core"]);
    }

    #[test]
    fn a_package_for_another_platform_is_told_from_ours() {
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let amd64 = |text: &str| runs_on(&json(text), Architecture::Amd64);
        assert!(amd64("{}"));
        assert!(amd64(r#"{"os":["linux"],"cpu":["x64"],"libc":["glibc"]}"#));
        assert!(!amd64(r#"{"os":["linux"],"cpu":["x64"],"libc":["musl"]}"#));
        assert!(!amd64(r#"{"cpu":["arm64"]}"#));
        assert!(amd64(r#"{"os":["!win32"]}"#));
        assert!(!amd64(r#"{"os":["!linux"]}"#));
        assert!(runs_on(&json(r#"{"cpu":"arm64"}"#), Architecture::Arm64));
    }

    #[test]
    fn a_tree_of_packages_keeps_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "package.json",
            "yarn.lock",
            "src/a.ts",
            "web/node_modules/x/index.js",
            "node_modules/y",
            "web/node_modules/.bin/bun",
            "web/node_modules/.bin/bunx",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let left = |kept: &[&str]| {
            only_packages(root.path(), kept, "bun").unwrap();
            let mut left: Vec<_> = fs::read_dir(root.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            left.sort();
            left
        };
        assert_eq!(left(&["yarn.lock"]), ["node_modules", "web", "yarn.lock"]);
        let programs = root.path().join("web/node_modules/.bin");
        assert!(programs.join("bunx").exists() && !programs.join("bun").exists());
        assert_eq!(left(&[]), ["node_modules", "web"]);
    }

    #[test]
    fn a_lock_file_of_an_older_yarn_lacks_nothing() {
        let old = "__metadata:\n  version: 8\n\n\"which@npm:^4\":\n  resolution: \"which@npm:4.0.0\"\n  bin:\n    node-which: bin/which.js\n";
        let new = "__metadata:\n  version: 10\n\n\"which@npm:^4\":\n  resolution: \"which@npm:4.0.0\"\n  bin:\n    node-which: ./bin/which.js\n";
        assert!(is_same_in_another_form(old, new));
        let patch = |hash| {
            format!(
                "\n  resolution: \"ts@patch:ts@npm%3A5#optional!builtin<compat/typescript>::hash={hash}\"\n"
            )
        };
        assert!(is_same_in_another_form(
            &(old.to_owned() + &patch("a")),
            &(new.to_owned() + &patch("b"))
        ));
        let more = format!("{new}\n\"ms@npm:^2\":\n  resolution: \"ms@npm:2.1.3\"\n");
        assert!(!is_same_in_another_form(old, &more));
        assert!(!is_same_in_another_form("", ""));
    }
    #[test]
    fn nothing_behind_a_link_is_removed() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let program = outside.path().join(".bin/bun");
        fs::create_dir_all(outside.path().join(".bin")).unwrap();
        fs::write(&program, "").unwrap();
        let link = |target: &Path, path: &str| {
            fs::os::unix::fs::symlink(target, root.path().join(path)).unwrap();
        };
        fs::create_dir_all(root.path().join("web/node_modules")).unwrap();
        link(outside.path(), "node_modules");
        link(outside.path(), "other");
        link(&outside.path().join(".bin"), "web/node_modules/.bin");
        only_packages(root.path(), &[], "bun").unwrap();
        assert!(program.exists());
    }
}
