//! Health checks that work wherever an image runs: a probe of a few kilobytes in the image itself.
//!
//! Plimsoll's own engine makes the requests of health checks itself. Other engines run a program
//! of the image, and images here have neither a shell nor `curl`. An interpreter that is there
//! anyway serves; any other image gets a static program, compiled from the C source beside this file.

use std::path::PathBuf;

use fs_err as fs;
use plimsoll_model::{HealthRequest, HealthTest, Healthcheck, RecipeKind};
use thiserror::Error;

use crate::base;
use crate::compiled::{Elf, NotForTarget, SUITE, Target, Zig, last_lines};
use crate::debian::{BaseRequest, DebianError};
use crate::layer::{Attributes, FileSet, FileSetError};
use crate::oci::{self, ImageConfig};
use crate::python::BUILD_USER;
use crate::store::{ImageLayer, StoreError};
use crate::toolchain::ToolchainError;
use crate::workshop::Workshop;
use crate::{Access, BindMount, SandboxError, Step};

/// Where the probe is in an image.
const PLACE: &str = "/usr/bin/plimsoll-probe";

/// The probe for images that have Python.
const SCRIPT: &str = include_str!("probe.py");

/// The probe for all others.
const SOURCE: &str = include_str!("probe.c");

/// Changes whenever the same source comes out otherwise.
const RULES: &str = "probe 1";

/// What the compiler is told besides the target and the files.
const FLAGS: &[&str] = &[
    "-ffreestanding",
    "-nostdlib",
    "-static",
    "-Os",
    "-fno-builtin",
    "-fno-stack-protector",
    "-fno-sanitize=undefined",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-s",
    "-Wl,--build-id=none",
];

/// Where the source and the program are in the sandbox.
const WORK: &str = "/plimsoll/work";

/// The probe cannot be put into an image.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// It does not compile.
    #[error("the health probe cannot be compiled:\n{}", output.join("\n"))]
    Compile {
        /// What the compiler wrote last.
        output: Vec<String>,
    },
    /// It came out for another processor.
    #[error(transparent)]
    Processor(#[from] NotForTarget),
    /// The step could not run.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The compiler cannot be had.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The root of the step cannot be had.
    #[error(transparent)]
    Base(#[from] DebianError),
    /// The layer cannot be put together.
    #[error(transparent)]
    Files(#[from] FileSetError),
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Makes an image say its health check, and hold what the check calls.
pub(crate) fn attach(
    workshop: &Workshop<'_>,
    recipe: &RecipeKind,
    check: &Healthcheck,
    layers: &mut Vec<ImageLayer>,
    config: &mut ImageConfig,
) -> Result<(), ProbeError> {
    let Some(test) = &check.test else {
        return Ok(());
    };
    let words = match (HealthRequest::of_test(test), test) {
        (Some(request), _) => {
            layers.extend(layer(workshop, recipe)?);
            request_words(&request)
        }
        (None, HealthTest::Disabled) => vec!["NONE".to_string()],
        (None, HealthTest::Exec(words)) => {
            let mut test = vec!["CMD".to_string()];
            test.extend(words.iter().cloned());
            test
        }
        // Nothing in the image could read it.
        (None, HealthTest::Shell(_)) => return Ok(()),
    };
    config.healthcheck = Some(oci::Healthcheck {
        test: words,
        interval: check.interval,
        timeout: check.timeout,
        start_period: check.start_period,
        start_interval: check.start_interval,
        retries: check.retries,
    });
    Ok(())
}

fn request_words(request: &HealthRequest) -> Vec<String> {
    let (word, target) = match request {
        HealthRequest::Http(url) => ("http", url),
        HealthRequest::HttpAnyStatus(url) => ("http-any", url),
        HealthRequest::Tcp(address) => ("tcp", address),
    };
    ["CMD", PLACE, word, target].map(str::to_string).to_vec()
}

/// The layer of the probe that fits an image.
fn layer(workshop: &Workshop<'_>, recipe: &RecipeKind) -> Result<Vec<ImageLayer>, ProbeError> {
    let interpreter = match recipe {
        RecipeKind::Python(_) => Some(format!("{}/bin/python", crate::python::ENVIRONMENT)),
        _ => None,
    };
    let kind = match &interpreter {
        Some(program) => format!("by {program} {}", crate::Digest::of(SCRIPT.as_bytes())),
        None => format!(
            "for {} by Zig {} {FLAGS:?} {}",
            workshop.architecture,
            Zig::version(),
            crate::Digest::of(SOURCE.as_bytes())
        ),
    };
    let key = format!("{RULES} {kind}");
    workshop.layers(&key, || {
        let program = match &interpreter {
            Some(program) => format!("#!{program} -IS\n{SCRIPT}").into_bytes(),
            None => compile(workshop)?,
        };
        let mut files = FileSet::new();
        files.file(PLACE.trim_start_matches('/'), Attributes::PROGRAM, program)?;
        let segment = workshop.store.put_segment(&key, &files)?;
        Ok(vec![ImageLayer {
            layer: workshop.store.commit_layer(&[segment])?,
            created_by: "health probe".to_string(),
        }])
    })
}

/// Compiles the static probe.
fn compile(workshop: &Workshop<'_>) -> Result<Vec<u8>, ProbeError> {
    workshop.tell("compiling the health probe");
    let zig = Zig::obtain::<ProbeError>(workshop)?;
    let base = base::assemble(workshop, &BaseRequest::new(SUITE, workshop.host))?;
    let scratch = workshop.scratch()?;
    let work = scratch.directory("probe", BUILD_USER)?;
    fs::write(work.join("probe.c"), SOURCE)?;
    let mut command = Zig::command("cc", Target::Bare(workshop.architecture));
    command.extend(FLAGS.iter().map(|flag| (*flag).to_string()));
    command.extend(["-o", "probe", "probe.c"].map(str::to_string));
    let mut step = Step {
        name: format!("{}: compile the health probe", workshop.subject),
        root: workshop.trees(base.layers())?,
        mounts: vec![BindMount {
            source: work.clone(),
            target: PathBuf::from(WORK),
            access: Access::ReadWrite,
        }],
        command,
        environment: vec![
            ("HOME".to_string(), "/tmp".to_string()),
            ("LC_ALL".to_string(), "C.UTF-8".to_string()),
        ],
        working_dir: PathBuf::from(WORK),
        ..crate::compiled::step()
    };
    zig.show(&mut step.mounts, &mut step.environment);
    let outcome = workshop.sandbox.run(&step)?;
    if outcome.exit_code != 0 {
        return Err(ProbeError::Compile {
            output: last_lines(&outcome.stdout, &outcome.stderr),
        });
    }
    let program = work.join("probe");
    if let Some(elf) = Elf::read(&program)? {
        elf.check("plimsoll-probe", workshop.architecture)?;
    }
    Ok(fs::read(program)?)
}
