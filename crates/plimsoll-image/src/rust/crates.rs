//! The crates that a program is built from: fetched as the user's cargo is configured to, verified
//! against `Cargo.lock`.
//!
//! A lock file that is missing or does not fit is made in a copy; the user's file is never written.

use std::path::Path;

use fs_err as fs;
use plimsoll_diag::{Diagnostic, ProgressEvent, Span};
use serde::{Deserialize, Serialize};

use super::RustError;
use super::command::Cargo;
use super::toolchain::Library;
use crate::StepNetwork;
use crate::compiled::{clean, last_lines};

/// Whether a path of the context says which crates there are.
pub(super) fn is_stated_in(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(name, "Cargo.toml" | "Cargo.lock") || path.contains(".cargo/config")
}

/// What a fetch has left, besides the crates.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Fetched {
    /// The lock file, where the project's had to be made or mended.
    pub lock: Option<String>,
}

/// Fetches the crates of the workspace at `sources`.
pub(super) fn fetch(cargo: &Cargo<'_>, sources: &Path) -> Result<Fetched, RustError> {
    cargo.workshop.tell("fetching crates");
    let lock = sources.join(clean(&cargo.recipe.root)).join("Cargo.lock");
    let was_there = lock.is_file();
    if was_there {
        match attempt(cargo, sources, Some("--locked"))? {
            Ok(()) => return Ok(Fetched::default()),
            Err(output) if is_mendable(&output) => {}
            Err(output) => return Err(RustError::Crates { output }),
        }
    }
    attempt(cargo, sources, None)?.map_err(|output| RustError::Crates { output })?;
    let place = clean(&cargo.recipe.root);
    let notice = if was_there {
        Diagnostic::warning("does not fit the manifests")
            .at(Span::line(
                std::sync::Arc::from(place.join("Cargo.lock")),
                1,
            ))
            .hint("run `cargo update --workspace`; this build uses a mended copy")
    } else {
        Diagnostic::warning("has no `Cargo.lock` beside it, so that versions are chosen now")
            .at(Span::line(
                std::sync::Arc::from(place.join("Cargo.toml")),
                1,
            ))
            .hint("run `cargo generate-lockfile` and commit the file")
    };
    cargo
        .workshop
        .progress
        .report(ProgressEvent::Notice(notice));
    Ok(Fetched {
        lock: Some(fs::read_to_string(lock)?),
    })
}

fn attempt(
    cargo: &Cargo<'_>,
    sources: &Path,
    locked: Option<&str>,
) -> Result<Result<(), Vec<String>>, RustError> {
    let mut arguments = vec!["fetch".to_string()];
    arguments.extend(locked.map(str::to_string));
    let host = Library::Gnu.target(cargo.workshop.host);
    arguments.extend(["--target".to_string(), cargo.target_name()]);
    if host != cargo.target_name() {
        arguments.extend(["--target".to_string(), host]);
    }
    let outcome = cargo.run("cargo fetch", &arguments, sources, StepNetwork::Host)?;
    Ok(match outcome.exit_code {
        0 => Ok(()),
        _ => Err(last_lines(&[], &outcome.stderr)),
    })
}

/// Whether cargo would write the lock file anew, if it might.
fn is_mendable(output: &[String]) -> bool {
    output.iter().any(|line| line.contains("--locked"))
}

/// Whether a build without a network failed because something was not fetched.
pub(super) fn is_missing(output: &[String]) -> bool {
    let signs = ["--offline", "offline mode", "failed to download"];
    output
        .iter()
        .any(|line| signs.iter().any(|sign| line.contains(sign)))
}
