//! From exact versions to an installed environment on this machine, ready to be packed.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::PythonError;
use super::environment::{self, ENVIRONMENT};
use super::failure::{UvFailure, UvFailureKind};
use super::interpreter::Interpreter;
use super::pinned::{Entry, Pinned, normalised};
use super::resolve::{project, writable};
use super::sources::SourceBuilds;
use super::uv::{BUILD_USER, Call, Uv, place};
use crate::StepNetwork;
use crate::step::scratch::give;

/// Whether modules are compiled ahead of time. The root of a running container is read-only, so
/// that Python cannot keep what it compiles: without this, every start compiles anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Bytecode {
    /// Only sources: smaller images, slower starts.
    Sources,
    /// Bytecode that is believed without looking at the source (`unchecked-hash`).
    #[default]
    Compiled,
}

/// Installs what was resolved into an empty environment at `out`.
///
/// What has no wheel is built first: whatever cannot be had is then told before large wheels are
/// fetched.
pub(super) fn requirements(
    builds: &SourceBuilds<'_>,
    context: &Path,
    mut wheels: Pinned,
    work: &Path,
    out: &Path,
) -> Result<(), PythonError> {
    environment::lay_out(out, &builds.target.interpreter)?;
    give(out, BUILD_USER)?;
    let mut sources = wheels.take(Entry::is_source_address);
    let install = |pinned: &Pinned, mode: &[&str]| -> Result<(), PythonError> {
        if pinned.is_empty() {
            return Ok(());
        }
        fs::write(work.join("requirements.txt"), pinned.to_string())?;
        let mut command = pip_install();
        command.push("--no-build".to_string());
        command.extend(mode.iter().map(|argument| argument.to_string()));
        command.extend(builds.target.arguments());
        command.push("--requirements".to_string());
        command.push(format!("{}/requirements.txt", place::WORK));
        builds.uv.call(Call {
            what: "install dependencies",
            command,
            mounts: vec![
                project(context),
                writable(work, place::WORK),
                writable(out, ENVIRONMENT),
            ],
            network: StepNetwork::Host,
            working_dir: place::WORK,
            environment: builds.environment.to_vec(),
        })?;
        Ok(())
    };
    let mut mode: &[&str] = if sources.is_empty() {
        &[]
    } else {
        &["--dry-run"]
    };
    loop {
        match install(&wheels, mode) {
            Ok(()) if mode.is_empty() => return Ok(()),
            Ok(()) => {}
            Err(PythonError::Uv(failure)) if lacks_wheel(&failure) => {
                let name = failure.package.as_deref().unwrap_or_default();
                let name = normalised(name.split(['=', '<', '>', '[']).next().unwrap_or_default());
                let found = wheels.take(|entry| entry.name == name);
                if found.is_empty() {
                    return Err(PythonError::Uv(failure));
                }
                sources.extend(found);
                mode = &["--dry-run"];
                continue;
            }
            Err(error) => return Err(error),
        }
        for entry in &sources {
            builds.install(entry, context, work, out)?;
        }
        mode = &[];
    }
}

/// uv refuses to build in more than one wording.
fn lacks_wheel(failure: &UvFailure) -> bool {
    failure.kind == UvFailureKind::OnlySource || failure.whole.contains("--no-build")
}

/// Builds the distributions in directories of the context, and gives their wheels. `source` is a
/// writable copy of the context.
pub(super) fn wheels_of(
    builds: &SourceBuilds<'_>,
    source: &Path,
    members: &[String],
    work: &Path,
) -> Result<Vec<PathBuf>, PythonError> {
    let interpreter = &builds.target.interpreter;
    give(source, BUILD_USER)?;
    let wheels = work.join("wheels");
    super::sources::prepare(&wheels)?;
    for member in members {
        let directory = source.join(member);
        let shown = if member.is_empty() {
            "the project"
        } else {
            member
        };
        builds.attempt("", shown, |uv| {
            let build = |network| build_wheel(uv, source, member, interpreter, work, network);
            // The cache usually holds what the build system needs; then nothing is fetched.
            match build(StepNetwork::None) {
                Err(PythonError::Uv(failure)) if lacks_packages(&failure.whole) => {
                    prefetch(uv, &directory, interpreter, work)?;
                    match build(StepNetwork::None) {
                        Err(PythonError::Uv(failure)) if lacks_packages(&failure.whole) => {
                            build(StepNetwork::Host)
                        }
                        other => other,
                    }
                }
                other => other,
            }
        })?;
    }
    builds.check_wheels(&wheels)?;
    let mut built = Vec::new();
    for entry in fs::read_dir(&wheels)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "whl") {
            built.push(path);
        }
    }
    built.sort();
    Ok(built)
}

/// Installs wheels that were built below `work` into an empty environment at `out`.
pub(super) fn wheels(
    builds: &SourceBuilds<'_>,
    built: &[PathBuf],
    work: &Path,
    out: &Path,
) -> Result<(), PythonError> {
    environment::lay_out(out, &builds.target.interpreter)?;
    give(out, BUILD_USER)?;
    let mut command = pip_install();
    command.extend(built.iter().map(|wheel| {
        let inside = wheel.strip_prefix(work).unwrap_or(wheel);
        format!("{}/{}", place::WORK, inside.display())
    }));
    builds.uv.call(Call {
        what: "install the project",
        command,
        mounts: vec![writable(work, place::WORK), writable(out, ENVIRONMENT)],
        network: StepNetwork::None,
        working_dir: place::WORK,
        environment: Vec::new(),
    })?;
    Ok(())
}

pub(super) fn pip_install() -> Vec<String> {
    let python = format!("{ENVIRONMENT}/bin/python");
    [
        place::UV,
        "pip",
        "install",
        "--no-deps",
        "--python",
        &python,
    ]
    .map(str::to_string)
    .to_vec()
}

fn build_wheel(
    uv: &Uv<'_>,
    source: &Path,
    member: &str,
    interpreter: &Interpreter,
    work: &Path,
    network: StepNetwork,
) -> Result<(), PythonError> {
    let directory = match member {
        "" | "." => place::PROJECT.to_string(),
        member => format!("{}/{member}", place::PROJECT),
    };
    let wheels = format!("{}/wheels", place::WORK);
    let program = interpreter.program();
    let command = [
        place::UV,
        "build",
        "--wheel",
        "--python",
        &program,
        "--out-dir",
        &wheels,
        &directory,
    ];
    uv.call(Call {
        what: "build the project",
        command: command.map(str::to_string).to_vec(),
        mounts: vec![
            writable(source, place::PROJECT),
            writable(work, place::WORK),
        ],
        network,
        working_dir: place::WORK,
        // The copy has no version control to take a version from; a project that states its
        // version does not look at this.
        environment: vec![(
            "SETUPTOOLS_SCM_PRETEND_VERSION".to_string(),
            "0.0.0".to_string(),
        )],
    })?;
    Ok(())
}

/// Whether a build failed because the cache lacks what it needs.
fn lacks_packages(reason: &str) -> bool {
    [
        "not found in the cache",
        "network was disabled",
        "Network connectivity is disabled",
    ]
    .iter()
    .any(|part| reason.contains(part))
}

/// Fetches what a build system requires, as wheels and without running anything.
fn prefetch(
    uv: &Uv<'_>,
    directory: &Path,
    interpreter: &Interpreter,
    work: &Path,
) -> Result<(), PythonError> {
    let requires = build_requires(directory)?;
    let program = interpreter.program();
    let target = format!("{}/build-system", place::WORK);
    let mut command: Vec<String> = [
        place::UV,
        "pip",
        "install",
        "--no-build",
        "--python",
        &program,
        "--target",
        &target,
    ]
    .map(str::to_string)
    .to_vec();
    command.extend(requires);
    uv.call(Call {
        what: "fetch the build system",
        command,
        mounts: vec![writable(work, place::WORK)],
        network: StepNetwork::Host,
        working_dir: place::WORK,
        environment: Vec::new(),
    })?;
    Ok(())
}

/// `build-system.requires`, or what stands for it when a project states none.
fn build_requires(directory: &Path) -> Result<Vec<String>, PythonError> {
    let text = match fs::read_to_string(directory.join("pyproject.toml")) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error.into()),
    };
    let document: toml::Table = text.parse().unwrap_or_default();
    let stated = document
        .get("build-system")
        .and_then(|system| system.get("requires"))
        .and_then(toml::Value::as_array);
    Ok(match stated {
        Some(requires) => requires
            .iter()
            .filter_map(|entry| Some(entry.as_str()?.to_string()))
            .collect(),
        None => vec!["setuptools >= 40.8.0".to_string()],
    })
}
