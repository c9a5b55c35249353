//! Health checks that work wherever an image runs: a probe of a few kilobytes in the image itself.
//!
//! Plimsoll's own engine makes the requests of health checks itself. Other engines run a program
//! of the image, and images here have neither a shell nor `curl`. An interpreter that is there
//! anyway serves; any other image gets a static program, compiled from the C source beside this file.

use plimsoll_model::{HealthRequest, HealthTest, Healthcheck, RecipeKind};
use thiserror::Error;

use crate::compiled::{CProgram, CProgramError, Target};
use crate::layer::{Attributes, FileSet, FileSetError};
use crate::oci::{self, ImageConfig};
use crate::store::{ImageLayer, StoreError};
use crate::workshop::Workshop;

/// Where the probe is in an image.
const PLACE: &str = "/usr/bin/plimsoll-probe";

/// The probe for images that have Python.
const SCRIPT: &str = include_str!("probe.py");

/// Changes whenever the same source comes out otherwise.
const RULES: &str = "probe 1";

/// The probe for all others: no C library is in it.
const PROGRAM: CProgram = CProgram {
    name: "health probe",
    source: include_str!("probe.c"),
    flags: &[
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
    ],
};

/// The probe cannot be put into an image.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// It does not compile.
    #[error(transparent)]
    Compile(#[from] CProgramError),
    /// The layer cannot be put together.
    #[error(transparent)]
    Files(#[from] FileSetError),
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    let target = Target::Bare(workshop.architecture);
    let kind = match &interpreter {
        Some(program) => format!("by {program} {}", crate::Digest::of(SCRIPT.as_bytes())),
        None => PROGRAM.identity(target),
    };
    let key = format!("{RULES} {kind}");
    workshop.layers(&key, || {
        let program = match &interpreter {
            Some(program) => format!("#!{program} -IS\n{SCRIPT}").into_bytes(),
            None => PROGRAM.compile(workshop, target)?,
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
