//! The modules a program imports: fetched through the user's proxy, verified against `go.sum`.
//!
//! A `go.sum` that lacks entries is mended in a copy, against Go's checksum database; the
//! user's file is never written.

use std::path::Path;

use fs_err as fs;
use plimsoll_diag::{Diagnostic, ProgressEvent, Span};
use serde::{Deserialize, Serialize};

use super::GoError;
use super::command::Go;
use crate::StepNetwork;
use crate::compiled::{clean, last_lines};

/// The files that say which modules there are.
const STATED_IN: &[&str] = &["go.mod", "go.sum", "go.work", "go.work.sum"];

/// Whether a path of the context says which modules there are.
pub(super) fn is_stated_in(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    STATED_IN.contains(&name)
}

/// What a fetch has left, besides the modules.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Fetched {
    /// Files of the module that had to be mended: name and text.
    pub mended: Vec<(String, String)>,
}

/// Fetches what the program at `sources` imports.
pub(super) fn fetch(go: &Go<'_>, sources: &Path) -> Result<Fetched, GoError> {
    go.workshop.tell("fetching Go modules");
    let first = list(go, sources, "-mod=readonly")?;
    let Err(output) = first else {
        return Ok(Fetched::default());
    };
    if !is_mendable(&output) {
        return Err(failure(go, output));
    }
    list(go, sources, "-mod=mod")?.map_err(|again| failure(go, again))?;
    let root = sources.join(clean(&go.recipe.root));
    let mut fetched = Fetched::default();
    for name in ["go.mod", "go.sum"] {
        let text = fs::read_to_string(root.join(name)).unwrap_or_default();
        fetched.mended.push((name.to_string(), text));
    }
    let place = clean(&go.recipe.root).join("go.sum");
    let notice = Diagnostic::warning("lacks modules that the program imports")
        .at(Span::line(std::sync::Arc::from(place), 1))
        .hint("run `go mod tidy`; this build uses a mended copy");
    go.workshop.progress.report(ProgressEvent::Notice(notice));
    Ok(fetched)
}

/// Reads everything the program imports, which fetches it. Nothing of it is run.
fn list(go: &Go<'_>, sources: &Path, mode: &str) -> Result<Result<(), Vec<String>>, GoError> {
    let mut arguments: Vec<String> = ["list", "-deps", mode].map(str::to_string).to_vec();
    arguments.extend(tags(go));
    arguments.extend(["-f", "{{.ImportPath}}"].map(str::to_string));
    arguments.push(go.recipe.package.clone());
    let outcome = go.run(
        "fetch modules",
        &arguments,
        sources,
        None,
        StepNetwork::Host,
    )?;
    Ok(match outcome.exit_code {
        0 => Ok(()),
        _ => Err(last_lines(&[], &outcome.stderr)),
    })
}

/// The build tags as arguments.
pub(super) fn tags(go: &Go<'_>) -> Option<String> {
    let tags = &go.recipe.tags;
    (!tags.is_empty()).then(|| format!("-tags={}", tags.join(",")))
}

fn failure(go: &Go<'_>, output: Vec<String>) -> GoError {
    GoError::Modules {
        package: go.recipe.package.clone(),
        output,
    }
}

/// Whether `go` would write the missing part itself, if it might.
fn is_mendable(output: &[String]) -> bool {
    let signs = [
        "missing go.sum entry",
        "updates to go.mod needed",
        "updates to go.sum needed",
        "go.mod file indicates",
        "go mod tidy",
    ];
    output
        .iter()
        .any(|line| signs.iter().any(|sign| line.contains(sign)))
}

/// Whether a build without a network failed because something was not fetched.
pub(super) fn is_missing(output: &[String]) -> bool {
    let signs = ["GOPROXY=off", "cannot find module", "missing go.sum entry"];
    output
        .iter()
        .any(|line| signs.iter().any(|sign| line.contains(sign)))
}
