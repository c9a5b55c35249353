//! Lock files of other managers than uv, read into exact requirements.
//!
//! Nothing is resolved here: what a lock file settles is selected for the image's interpreter and
//! processor and handed to uv with its hashes. A lock file that cannot be used is told with its
//! place and never changed.

mod document;
mod markers;
mod pdm;
mod pipenv;
mod poetry;
mod pylock;
mod selection;
mod soundness;
mod uv;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_diag::Span;
use plimsoll_model::PythonLock;

use super::PythonError;
use super::resolve::Resolution;
use super::target::Target;
pub(super) use markers::Markers;
use selection::{Locked, Source};
pub(super) use soundness::mended;

/// What of a lock file is wanted.
pub(super) struct Wanted<'a> {
    /// The lock file, relative to the context.
    pub lock: &'a Path,
    /// Whose format it has.
    pub format: PythonLock,
    /// Extras of the project.
    pub extras: &'a [String],
    /// Groups besides the ones that a service always has.
    pub groups: &'a [String],
    /// What is installed for.
    pub target: &'a Target,
}

/// A file and its text.
struct File<'a> {
    path: &'a Path,
    text: String,
}

impl File<'_> {
    /// A problem of this file, at a line.
    fn problem(&self, line: u32, message: impl Into<String>, hint: &str) -> PythonError {
        PythonError::Lock {
            message: message.into(),
            span: Span::line(self.path, line),
            hint: hint.to_string(),
        }
    }
}

/// Selects what a lock file settles.
pub(super) fn read(context: &Path, wanted: &Wanted<'_>) -> Result<Resolution, PythonError> {
    let lock = File {
        path: wanted.lock,
        text: fs::read_to_string(context.join(wanted.lock))?,
    };
    let manifest_path = manifest_of(wanted.format, wanted.lock);
    let manifest = context.join(&manifest_path);
    let manifest = File {
        path: &manifest_path,
        text: match manifest.is_file() {
            true => fs::read_to_string(manifest)?,
            false => String::new(),
        },
    };
    let markers = Markers::of(wanted.target);
    let selected = match wanted.format {
        PythonLock::Poetry => poetry::select(&lock, &manifest, wanted, &markers)?,
        PythonLock::Pdm => pdm::select(&lock, &manifest, wanted, &markers)?,
        PythonLock::Pipenv => pipenv::select(&lock, wanted, &markers)?,
        PythonLock::Pylock => pylock::select(&lock, wanted, &markers)?,
    };
    Ok(resolution(&selected, wanted.lock))
}

/// Selects what a plain `uv.lock` settles; `None` where uv has to read it.
pub(super) fn read_plain_uv(
    context: &Path,
    lock: &Path,
    package: Option<&str>,
    extras: &[String],
    groups: &[String],
    target: &Target,
) -> Result<Option<Resolution>, PythonError> {
    let text = fs::read_to_string(context.join(lock))?;
    let choice = uv::Choice {
        package,
        extras,
        groups,
    };
    let selected = uv::select(&text, &choice, &Markers::of(target));
    Ok(selected.map(|selected| resolution(&selected, lock)))
}

fn resolution(selected: &[Locked], lock: &Path) -> Resolution {
    let directory = lock.parent().unwrap_or(Path::new(""));
    let mut resolution = Resolution::default();
    let mut indexes: BTreeSet<String> = BTreeSet::new();
    for package in selected {
        let name = &package.name;
        match &package.source {
            Source::Index { url } => {
                indexes.extend(url.clone());
                let mut line = format!("{name}=={}", package.version);
                for hash in &package.hashes {
                    line.push_str(&format!(" \\\n    --hash={hash}"));
                }
                resolution.requirements.push_str(&line);
                resolution.requirements.push('\n');
            }
            Source::Address { url } => {
                let hash = match package.hashes.first() {
                    Some(hash) if !url.contains('#') => format!("#{}", hash.replacen(':', "=", 1)),
                    _ => String::new(),
                };
                resolution
                    .requirements
                    .push_str(&format!("{name} @ {url}{hash}\n"));
            }
            Source::Git {
                url,
                commit,
                subdirectory,
            } => {
                let url = url.strip_prefix("git+").unwrap_or(url);
                let below = match subdirectory {
                    Some(path) => format!("#subdirectory={path}"),
                    None => String::new(),
                };
                resolution
                    .requirements
                    .push_str(&format!("{name} @ git+{url}@{commit}{below}\n"));
            }
            Source::Directory { path } => {
                let place = super::resolve::from_context(directory, path);
                if !resolution.members.contains(&place) {
                    resolution.members.push(place);
                }
            }
        }
    }
    resolution.indexes = indexes.into_iter().collect();
    resolution
}

/// The manifest that a manager's lock file is made from, beside it.
pub(crate) fn manifest_of(format: PythonLock, lock: &Path) -> PathBuf {
    lock.with_file_name(match format {
        PythonLock::Pipenv => "Pipfile",
        _ => "pyproject.toml",
    })
}

#[cfg(test)]
mod tests {
    use super::super::interpreter::INTERPRETERS;
    use super::*;
    use crate::oci::Architecture;

    pub(super) fn selected(
        format: PythonLock,
        lock: &str,
        manifest: &str,
        extras: &[&str],
    ) -> Result<Resolution, PythonError> {
        let root = tempfile::tempdir().unwrap();
        let name = match format {
            PythonLock::Poetry => "poetry.lock",
            PythonLock::Pdm => "pdm.lock",
            PythonLock::Pipenv => "Pipfile.lock",
            PythonLock::Pylock => "pylock.toml",
        };
        let path = Path::new(name);
        let beside = manifest_of(format, path);
        fs::write(root.path().join(path), lock).unwrap();
        fs::write(root.path().join(&beside), manifest).unwrap();
        let extras: Vec<String> = extras.iter().map(|extra| extra.to_string()).collect();
        let target = Target {
            interpreter: INTERPRETERS[0],
            architecture: Architecture::Arm64,
            host: Architecture::Amd64,
        };
        let wanted = Wanted {
            lock: path,
            format,
            extras: &extras,
            groups: &[],
            target: &target,
        };
        read(root.path(), &wanted)
    }

    #[test]
    fn poetry_of_every_format_gives_what_the_service_needs() {
        let manifest = "[tool.poetry.dependencies]\npython = '^3.11'\nfastapi = '^0.1'\n\
            redis = { version = '*', optional = true }\nmine = { path = 'libs/mine' }\n\
            [tool.poetry.extras]\ncache = ['redis']\n[tool.poetry.group.dev.dependencies]\npytest = '*'\n";
        let package = |name: &str, more: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"1.0\"\n{more}\n")
        };
        let file =
            |name: &str| format!("files = [{{file = \"{name}.whl\", hash = \"sha256:{name}\"}}]");
        let lock = [
            package("fastapi", &format!("{}\n[package.dependencies]\nPydantic = \">=1\"\npywin32 = {{version = \"*\", markers = \"sys_platform == 'win32'\"}}\nuvloop = {{version = \"*\", optional = true}}\n", file("fastapi"))),
            package("pydantic", &file("pydantic")),
            package("pytest", &file("pytest")),
            package("pywin32", &file("pywin32")),
            package("redis", &file("redis")),
            package("uvloop", &file("uvloop")),
            package("mine", "[package.source]\ntype = \"directory\"\nurl = \"libs/mine\""),
            "[metadata]\nlock-version = \"2.0\"\n".to_string(),
        ]
        .concat();
        let found = selected(PythonLock::Poetry, &lock, manifest, &[]).unwrap();
        insta::assert_snapshot!(found.requirements, @r"
        fastapi==1.0 \
            --hash=sha256:fastapi
        pydantic==1.0 \
            --hash=sha256:pydantic
        ");
        assert_eq!(found.members, ["libs/mine"]);
        let found = selected(PythonLock::Poetry, &lock, manifest, &["cache"]).unwrap();
        assert!(found.requirements.contains("redis==1.0"));
        // Version 1 keeps the files apart.
        let old = "[[package]]\nname = \"fastapi\"\nversion = \"1.0\"\n[metadata]\nlock-version = \"1.1\"\n\
            [metadata.files]\nfastapi = [{file = \"x\", hash = \"sha256:00\"}]\n";
        let manifest = "[tool.poetry.dependencies]\nfastapi = '*'\n";
        let found = selected(PythonLock::Poetry, old, manifest, &[]).unwrap();
        assert_eq!(
            found.requirements,
            "fastapi==1.0 \\\n    --hash=sha256:00\n"
        );
    }

    #[test]
    fn a_lock_file_that_lacks_a_requirement_is_told_with_its_place() {
        let manifest = "[tool.poetry.dependencies]\npython = '*'\nfastapi = '*'\n";
        let lock = "[metadata]\nlock-version = \"2.0\"\n";
        let error = selected(PythonLock::Poetry, lock, manifest, &[]).unwrap_err();
        let PythonError::Lock { message, span, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(
            message,
            "`fastapi` is required here, but `poetry.lock` does not have it"
        );
        assert_eq!(
            (span.file.display().to_string(), span.start.line),
            ("pyproject.toml".into(), 3)
        );
        let broken = "[[package]]\nname = \"a\"\n<<<<<<< HEAD\n";
        let error = selected(PythonLock::Poetry, broken, manifest, &[]).unwrap_err();
        let PythonError::Lock { span, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(
            (span.file.display().to_string(), span.start.line),
            ("poetry.lock".into(), 3)
        );
    }

    #[test]
    fn pdm_selects_by_group_and_marker() {
        let lock = "[metadata]\ngroups = [\"default\", \"dev\"]\nlock_version = \"4.5.0\"\n\
            [[package]]\nname = \"fastapi\"\nversion = \"1.0\"\ngroups = [\"default\"]\n\
            files = [{file = \"x\", hash = \"sha256:00\"}]\n\
            [[package]]\nname = \"uvicorn\"\nextras = [\"standard\"]\nversion = \"1.0\"\ngroups = [\"default\"]\nfiles = [{file = \"y\", hash = \"sha256:11\"}]\n\
            [[package]]\nname = \"uvicorn\"\nversion = \"1.0\"\ngroups = [\"default\"]\nfiles = [{file = \"y\", hash = \"sha256:11\"}]\n\
            [[package]]\nname = \"colorama\"\nversion = \"1.0\"\ngroups = [\"default\"]\nmarker = \"platform_system == 'Windows'\"\n\
            [[package]]\nname = \"pytest\"\nversion = \"1.0\"\ngroups = [\"dev\"]\n\
            [[package]]\nname = \"tool\"\nversion = \"1.0\"\ngroups = [\"default\"]\ngit = \"https://git.example/tool.git\"\nrevision = \"abc\"\n";
        let found = selected(PythonLock::Pdm, lock, "", &[]).unwrap();
        insta::assert_snapshot!(found.requirements, @r"
        fastapi==1.0 \
            --hash=sha256:00
        tool @ git+https://git.example/tool.git@abc
        uvicorn==1.0 \
            --hash=sha256:11
        ");
    }

    #[test]
    fn pipenv_gives_the_default_section() {
        let lock = r#"{"_meta": {"sources": [{"name": "pypi", "url": "https://a.example/simple"}, {"name": "own", "url": "https://b.example/simple"}]},
            "default": {"flask": {"hashes": ["sha256:00"], "version": "==1.0", "index": "pypi"},
                "mine": {"hashes": ["sha256:11"], "version": "==2.0", "index": "own", "markers": "platform_machine == 'aarch64'"},
                "win": {"version": "==1", "markers": "sys_platform == 'win32'"},
                "tool": {"git": "https://git.example/tool.git", "ref": "abc"}},
            "develop": {"pytest": {"version": "==1"}}}"#;
        let found = selected(PythonLock::Pipenv, lock, "", &[]).unwrap();
        insta::assert_snapshot!(found.requirements, @r"
        flask==1.0 \
            --hash=sha256:00
        mine==2.0 \
            --hash=sha256:11
        tool @ git+https://git.example/tool.git@abc
        ");
        assert_eq!(found.indexes, ["https://b.example/simple"]);
    }

    #[test]
    fn pylock_gives_what_its_markers_allow() {
        let lock = "lock-version = \"1.0\"\n\
            [[packages]]\nname = \"flask\"\nversion = \"1.0\"\nwheels = [{name = \"flask-1.0-py3-none-any.whl\", url = \"https://files.example/f\", hashes = {sha256 = \"00\"}}]\n\
            [[packages]]\nname = \"redis\"\nversion = \"1.0\"\nmarker = \"'cache' in extras\"\nsdist = {name = \"r\", hashes = {sha256 = \"11\"}}\n\
            [[packages]]\nname = \"pytest\"\nversion = \"1.0\"\nmarker = \"'dev' in dependency_groups\"\n\
            [[packages]]\nname = \"mine\"\ndirectory = {path = \"libs/mine\"}\n";
        let found = selected(PythonLock::Pylock, lock, "", &["cache"]).unwrap();
        insta::assert_snapshot!(found.requirements, @r"
        flask==1.0 \
            --hash=sha256:00
        redis==1.0 \
            --hash=sha256:11
        ");
        assert_eq!(found.members, ["libs/mine"]);
    }
}
