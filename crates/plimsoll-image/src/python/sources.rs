//! Distributions that come as sources: built in the sandbox, one at a time, so that what comes out
//! depends on nothing but the distribution.
//!
//! Most are pure Python and need the interpreter alone. Compilers and headers are fetched only for
//! what does not build without them, into a root of their own that never becomes part of an image.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::environment::{ENVIRONMENT, site_packages};
use super::failure::{UvFailure, UvFailureKind};
use super::pinned::{Entry, normalised};
use super::resolve::{project, writable};
use super::target::Target;
use super::uv::{Call, Uv, place};
use super::{PythonError, headers};
use crate::StepNetwork;
use crate::step::scratch::give;

/// Whether compilers may be fetched. Wheels for another interpreter are preferred to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compilers {
    /// Only what builds without.
    Without,
    /// Where something does not build without.
    WhereNeeded,
}

/// Gives the unpacked layers of a root with compilers and these Debian packages.
pub(super) type CompilerRoot<'a> = &'a dyn Fn(&[String]) -> Result<Vec<PathBuf>, PythonError>;

/// Builds distributions and installs them.
#[derive(Clone, Copy)]
pub(super) struct SourceBuilds<'a> {
    /// Runs uv in the plain root.
    pub uv: &'a Uv<'a>,
    /// What is built for.
    pub target: &'a Target,
    /// Whether compilers may be fetched.
    pub compilers: Compilers,
    /// Gives the root with compilers.
    pub root: CompilerRoot<'a>,
    /// Build systems published after this moment do not count, unless they are too old to work.
    pub as_of: Option<&'a str>,
    /// Variables for whatever fetches.
    pub environment: &'a [(String, String)],
}

impl SourceBuilds<'_> {
    /// Builds one distribution and installs it into the environment at `out`.
    pub(super) fn install(
        &self,
        entry: &Entry,
        context: &Path,
        work: &Path,
        out: &Path,
    ) -> Result<(), PythonError> {
        let file = "source.txt";
        fs::write(work.join(file), format!("{}\n", entry.text))?;
        let install = |uv: &Uv<'_>, as_of: Option<&str>| {
            let mut command = super::install::pip_install();
            if let Some(moment) = as_of {
                command.extend(["--exclude-newer".to_string(), moment.to_string()]);
            }
            command.push("--requirements".to_string());
            command.push(format!("{}/{file}", place::WORK));
            uv.call(Call {
                what: "build a dependency",
                command,
                mounts: vec![
                    project(context),
                    writable(work, place::WORK),
                    writable(out, ENVIRONMENT),
                ],
                network: StepNetwork::Host,
                working_dir: place::WORK,
                environment: self.environment.to_vec(),
            })?;
            Ok(())
        };
        self.attempt(&entry.name, entry.shown(), |uv| {
            match (install(uv, self.as_of), self.as_of) {
                // A build system of that time may not know the interpreter, or not be there.
                (Err(PythonError::Uv(failure)), Some(_)) if !failure.wants_compiler => {
                    install(uv, None)
                }
                (other, _) => other,
            }
        })?;
        self.check_installed(&entry.name, entry.shown(), out)
    }

    /// Runs a build in the plain root, then where that fails for want of a compiler, with one.
    pub(super) fn attempt(
        &self,
        name: &str,
        shown: &str,
        build: impl Fn(&Uv<'_>) -> Result<(), PythonError>,
    ) -> Result<(), PythonError> {
        let failure = match build(self.uv) {
            Err(PythonError::Uv(failure)) if failure.kind == UvFailureKind::Build => failure,
            other => return other,
        };
        if self.target.is_foreign() && failure.wants_compiler {
            return Err(self.native(shown));
        }
        if self.compilers == Compilers::Without {
            return Err(PythonError::Uv(failure));
        }
        let mut packages = headers::compilers(&self.target.interpreter);
        packages.extend(headers::of(name).iter().map(|name| name.to_string()));
        if failure.wants_rust {
            packages.extend(headers::RUST.map(str::to_string));
        }
        let mut last = self.with(&packages, &build);
        if let Err(PythonError::Uv(failure)) = &last
            && failure.wants_rust
            && !packages.iter().any(|package| package == headers::RUST[0])
        {
            packages.extend(headers::RUST.map(str::to_string));
            last = self.with(&packages, &build);
        }
        // What the compiler misses by name is often a well-known package.
        if let Err(PythonError::Uv(failure)) = &last
            && let Some(found) = headers::missing(&failure.whole)
            && let Some(package) = found.package
            && !packages.iter().any(|known| known == package)
        {
            packages.push(package.to_string());
            last = self.with(&packages, &build);
        }
        match last {
            Err(PythonError::Uv(mut failure)) if failure.kind == UvFailureKind::Build => {
                failure.was_compiled = true;
                advise(&mut failure);
                Err(PythonError::Uv(failure))
            }
            other => other,
        }
    }

    fn with(
        &self,
        packages: &[String],
        build: &impl Fn(&Uv<'_>) -> Result<(), PythonError>,
    ) -> Result<(), PythonError> {
        let root = (self.root)(packages)?;
        build(&Uv {
            root: &root,
            ..*self.uv
        })
    }

    fn native(&self, shown: &str) -> PythonError {
        PythonError::NativeSource {
            package: shown.to_string(),
            architecture: self.target.architecture,
            host: self.target.host,
        }
    }

    /// What was built here must be pure Python where the image is for another processor.
    fn check_installed(&self, name: &str, shown: &str, out: &Path) -> Result<(), PythonError> {
        if !self.target.is_foreign() {
            return Ok(());
        }
        let packages = out.join(site_packages(&self.target.interpreter));
        for entry in fs::read_dir(&packages)? {
            let path = entry?.path();
            let directory = path.file_name().unwrap_or_default().to_string_lossy();
            let Some(stem) = directory.strip_suffix(".dist-info") else {
                continue;
            };
            let own = stem.split('-').next().unwrap_or_default();
            if normalised(own) == name && !is_pure(&fs::read_to_string(path.join("WHEEL"))?) {
                return Err(self.native(shown));
            }
        }
        Ok(())
    }

    /// A wheel that was built here must be pure where the image is for another processor.
    pub(super) fn check_wheels(&self, directory: &Path) -> Result<(), PythonError> {
        if !self.target.is_foreign() {
            return Ok(());
        }
        for entry in fs::read_dir(directory)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".whl") && !name.ends_with("-any.whl") {
                let shown = name.split('-').next().unwrap_or_default();
                return Err(self.native(shown));
            }
        }
        Ok(())
    }
}

/// Whether a wheel's own description says that it runs anywhere.
fn is_pure(wheel: &str) -> bool {
    let mut tags = wheel
        .lines()
        .filter_map(|line| line.strip_prefix("Tag:"))
        .peekable();
    tags.peek().is_some() && tags.all(|tag| tag.trim().ends_with("-any"))
}

/// Says what the compiler misses, and what would give it.
fn advise(failure: &mut UvFailure) {
    failure.hints.clear();
    if let Some(missing) = headers::missing(&failure.whole) {
        failure.hints.push(match missing.package {
            Some(package) => format!(
                "`{}` is missing, which Debian's package `{package}` has, but that did not help",
                missing.what
            ),
            None => format!(
                "`{}` is missing, and it is not known which Debian package has it: require a \
                 version that has a wheel, or put a wheel next to the code and require its file",
                missing.what
            ),
        });
    } else {
        let name = failure.package.as_deref().unwrap_or("it");
        failure.hints.push(format!(
            "it was compiled with Debian's compilers: require a version of {name} that has a wheel \
             for this Python, or one whose sources compile"
        ));
    }
}

/// Directories that a compiling step writes to besides the environment.
pub(super) fn prepare(path: &Path) -> std::io::Result<()> {
    fs::create_dir_all(path)?;
    give(path, super::uv::BUILD_USER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tags_for_any_machine_are_pure() {
        assert!(is_pure(
            "Wheel-Version: 1.0\nTag: py2-none-any\nTag: py3-none-any\n"
        ));
        assert!(!is_pure("Tag: cp313-cp313-linux_x86_64\n"));
        assert!(!is_pure("Wheel-Version: 1.0\n"));
    }
}
