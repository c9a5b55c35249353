//! `build --verify`: the same images a second time, from nothing and under other circumstances.
//!
//! This executable is started again on a copy of the project: another directory, other owner and
//! permissions, another umask and time zone, one processor, an empty store. What Debian and the
//! makers of tools publish is taken as it was fetched before, by its digests: what it is on another
//! day is not the question.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use plimsoll_detect::DockerfileUse;
use plimsoll_diag::Diagnostic;
use plimsoll_image::comparison::{Difference, compare};
use plimsoll_image::oci::Architecture;
use plimsoll_image::store::{Image, Store};
use plimsoll_model::Project;
use rustix::process::umask;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Deserialize;

use crate::cli::BuildArguments;
use crate::environment::{PLIMSOLL_DATA, PLIMSOLL_RUNTIME};
use crate::exit_status::ExitStatus;
use crate::failure::{Failure, chain};
use crate::printer::Printer;
use crate::settings::Settings;
use crate::tag_rules::git;

/// How many files that differ are told; the data has all of them.
const MOST: usize = 10;

/// What no build reads, and is large.
const LEFT_OUT: [&str; 3] = [".git", "node_modules", ".venv"];

/// Whose the copy is: nobody's in particular.
const OWNER: u32 = 54_321;

/// A second build of one image.
pub(crate) struct Verified {
    pub(crate) service: String,
    pub(crate) architecture: Architecture,
    pub(crate) differences: Vec<Difference>,
}

/// A directory that goes with the value.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind is in the way of nobody.
        let _ = fs_err::remove_dir_all(&self.0);
    }
}

#[derive(Deserialize)]
struct Answer {
    images: Vec<Built>,
}

#[derive(Deserialize)]
struct Built {
    service: String,
    reference: String,
    architecture: Architecture,
}

/// Builds these services' images again and compares them.
pub(crate) fn verify(
    settings: &Settings,
    arguments: &BuildArguments,
    store: &Store,
    project: &Project,
    built: &[(&str, &Image)],
    printer: &Printer,
) -> Result<Vec<Verified>, Failure> {
    let scratch = settings
        .data
        .join("verify")
        .join(std::process::id().to_string());
    let scratch = Scratch(scratch);
    let data = scratch.0.join("data");
    fs_err::create_dir_all(data.join("cache"))?;
    for kept in ["debian", "tools"] {
        let fetched = settings.cache().join(kept);
        if fetched.is_dir() {
            fs_err::os::unix::fs::symlink(fetched, data.join("cache").join(kept))?;
        }
    }
    let top = git(&settings.directory, &["rev-parse", "--show-toplevel"]).map(PathBuf::from);
    let below = top
        .as_deref()
        .and_then(|top| settings.directory.strip_prefix(top).ok())
        .unwrap_or(Path::new(""));
    // Names are taken from the directory, so its own stays.
    let name = top.as_deref().unwrap_or(&settings.directory).file_name();
    let tree = scratch
        .0
        .join("another place")
        .join(name.unwrap_or_default());
    let directory = tree.join(below);
    let outside = project.services.values().find(|service| {
        let recipe = service.recipe.as_ref();
        recipe.is_some_and(|recipe| !recipe.context.starts_with(&settings.directory))
    });
    let directory = match outside {
        Some(service) => {
            printer.tell(&Diagnostic::note(format!(
                "`{}` is built from a directory outside of the project, so that the second build \
                 reads the same files and no copy",
                service.name
            )));
            settings.directory.clone()
        }
        None => {
            fs_err::create_dir_all(&directory)?;
            copy(&settings.directory, &directory, &settings.data)?;
            directory
        }
    };
    let mut command = again(settings, arguments, project, &directory)?;
    command
        .env(PLIMSOLL_DATA, &data)
        .env(PLIMSOLL_RUNTIME, scratch.0.join("run"))
        .env("TZ", "XXX-14");
    if let (Some(_), Some(place)) = (
        &top,
        git(&settings.directory, &["rev-parse", "--absolute-git-dir"]),
    ) && outside.is_none()
    {
        // When the source was committed is told by the repository that it was copied from.
        command.env("GIT_DIR", place).env("GIT_WORK_TREE", &tree);
    }
    let output = elsewhere(|| command.stdout(Stdio::piped()).spawn())?.wait_with_output()?;
    if !output.status.success() {
        return Err(Failure::failed(
            Diagnostic::error("the second build failed, where the first did not")
                .hint("what it needs besides the project's files is not on every machine"),
        ));
    }
    let answer: Answer = serde_json::from_slice(&output.stdout).map_err(|error| {
        Failure::internal(Diagnostic::error(format!("the second build: {error}")))
    })?;
    let place = match &settings.file.store.path {
        Some(path) => directory.join(&path.value),
        None => data.join("store"),
    };
    let second = Store::open(&place).map_err(Failure::from_store)?;
    let mut verified = Vec::new();
    for entry in answer.images {
        let first = built.iter().find(|(service, image)| {
            *service == entry.service && image.architecture == entry.architecture
        });
        let images = second
            .images_named(&entry.reference)
            .map_err(Failure::from_store)?;
        let other = images
            .iter()
            .find(|image| image.architecture == entry.architecture);
        let (Some((_, first)), Some(other)) = (first, other) else {
            continue;
        };
        verified.push(Verified {
            differences: compare((store, first), (&second, other))
                .map_err(|error| Failure::failed(Diagnostic::error(chain(&error))))?,
            service: entry.service,
            architecture: entry.architecture,
        });
    }
    if verified.len() != built.len() {
        return Err(Failure::failed(Diagnostic::error(
            "the second build found other services than the first",
        )));
    }
    Ok(verified)
}

/// Says what is the same, and fails where something is not.
pub(crate) fn tell(verified: &[Verified], printer: &Printer) -> Result<(), Failure> {
    let mut diagnostics = Vec::new();
    for one in verified {
        if one.differences.is_empty() {
            printer.say(&format!(
                "  verified {:<12} the same a second time, from nothing",
                one.service
            ));
            continue;
        }
        let count = one.differences.len();
        let mut diagnostic = Diagnostic::error(format!(
            "the image of `{}` for linux/{} is another the second time",
            one.service, one.architecture
        ));
        for difference in one.differences.iter().take(MOST) {
            let what = match &difference.path {
                Some(path) => format!("`/{path}`"),
                None => "its configuration".to_owned(),
            };
            diagnostic = diagnostic.hint(format!("{what} {}", difference.what.words()));
        }
        if count > MOST {
            diagnostic = diagnostic.hint(format!("and {} more", count - MOST));
        }
        diagnostics.push(diagnostic);
    }
    if diagnostics.is_empty() {
        return Ok(());
    }
    Err(Failure {
        diagnostics,
        status: ExitStatus::Failure,
    })
}

/// The same command, in another directory.
fn again(
    settings: &Settings,
    arguments: &BuildArguments,
    project: &Project,
    directory: &Path,
) -> Result<Command, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    let moved = |path: &PathBuf| match path.strip_prefix(&settings.directory) {
        Ok(below) => directory.join(below),
        Err(_) => path.clone(),
    };
    command.arg("-C").arg(directory).args(["-p", &project.name]);
    for file in &settings.files {
        command.arg("-f").arg(moved(file));
    }
    for file in &settings.env_files {
        command.arg("--env-file").arg(moved(file));
    }
    for profile in &settings.profiles {
        command.args(["--profile", profile]);
    }
    command.args(["--quiet", "--json"]);
    match settings.dockerfiles {
        DockerfileUse::Preferred => command.arg("--dockerfile"),
        DockerfileUse::Never => command.arg("--native"),
        DockerfileUse::Fallback => &mut command,
    };
    command.arg("build");
    if let Some(variant) = arguments.images.variant {
        command.args(["--variant", variant.name()]);
    }
    if settings.file.store.path.is_some() {
        // It may be the store that the first image is in.
        command.arg("--no-cache");
    }
    if arguments.images.local_bases {
        command.arg("--local-bases");
    }
    if !arguments.platform.is_empty() {
        command.args(["--platform", &arguments.platform.join(",")]);
    }
    command.args(&arguments.services);
    match &settings.standard_input {
        Some(_) => Err(Failure::usage(
            Diagnostic::error("what came from standard input cannot be read a second time")
                .hint("`--verify` needs a Compose file that is a file"),
        )),
        None => Ok(command),
    }
}

/// Runs `start` with a strict umask and one processor, which what it starts inherits.
fn elsewhere<T>(start: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
    let before = sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    if let Some(first) = (0..CpuSet::MAX_CPU).find(|index| before.is_set(*index)) {
        one.set(first);
    }
    sched_setaffinity(None, &one)?;
    let mask = umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let started = start();
    umask(mask);
    sched_setaffinity(None, &before)?;
    started
}

/// Copies a tree as somebody else's, with the permissions that an owner needs and no more.
fn copy(from: &Path, to: &Path, data: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let (source, target) = (entry.path(), to.join(&name));
        if LEFT_OUT.iter().any(|left_out| *left_out == name) || source == data {
            continue;
        }
        if kind.is_symlink() {
            fs_err::os::unix::fs::symlink(fs_err::read_link(&source)?, &target)?;
            continue;
        }
        let may_run = fs_err::metadata(&source)?.permissions().mode() & 0o111;
        if kind.is_dir() {
            fs_err::create_dir(&target)?;
            copy(&source, &target, data)?;
        } else if kind.is_file() {
            std::io::copy(
                &mut fs_err::File::open(&source)?,
                &mut fs_err::File::create(&target)?,
            )?;
        } else {
            continue;
        }
        let mode = if may_run == 0 { 0o600 } else { 0o700 };
        fs_err::set_permissions(&target, std::fs::Permissions::from_mode(mode))?;
        chown(&target, Some(OWNER), Some(OWNER))?;
    }
    Ok(())
}
