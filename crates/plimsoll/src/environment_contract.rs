//! The contract between services and their environment, held before anything starts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_model::Project;
use plimsoll_model::contract::{Exposure, Shown, Terms, breaches, shown_values};
use plimsoll_model::extension::Extensions;

use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::printer::Printer;

/// Names of files that document variables, with values that everybody can read.
const DOCUMENTS: &[&str] = &[
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    "env.example",
];

/// Fails when a variable keeps one of these services from starting; tells what should not be so.
pub(crate) fn hold(
    project: &Project,
    extensions: &Extensions,
    services: &[String],
    bind: IpAddr,
    printer: &Printer,
) -> Result<(), Failure> {
    let terms = Terms {
        documented: documented(project),
        exposure: exposure(project, services, bind),
        extensions: extensions.clone(),
    };
    let (stopping, others): (Vec<_>, Vec<_>) = breaches(project, services, &terms)
        .into_iter()
        .partition(plimsoll_model::contract::Breach::stops);
    for breach in others {
        printer.tell(&breach.to_diagnostic());
    }
    if stopping.is_empty() {
        return Ok(());
    }
    Err(Failure {
        diagnostics: stopping
            .iter()
            .map(plimsoll_model::contract::Breach::to_diagnostic)
            .collect(),
        status: ExitStatus::Usage,
    })
}

/// What the documents of the project, and of what it builds, show.
pub(crate) fn documented(project: &Project) -> BTreeMap<String, Shown> {
    let contexts = project.services.values().filter_map(|service| {
        let build = service
            .build
            .as_ref()
            .map(|build| build.context.value.clone());
        build.or_else(|| service.recipe.as_ref().map(|recipe| recipe.context.clone()))
    });
    let directories: BTreeSet<PathBuf> = std::iter::once(project.directory.clone())
        .chain(contexts)
        .collect();
    let mut shown = BTreeMap::new();
    for path in directories
        .iter()
        .flat_map(|directory| DOCUMENTS.iter().map(|name| directory.join(name)))
    {
        // What cannot be read documents nothing.
        let Ok(text) = fs_err::read_to_string(&path) else {
            continue;
        };
        let file: Arc<Path> = path
            .strip_prefix(&project.directory)
            .unwrap_or(&path)
            .into();
        for (name, value) in shown_values(&text, &file) {
            shown.entry(name).or_insert(value);
        }
    }
    shown
}

/// Whether any of the ports that these services publish is open to other machines.
fn exposure(project: &Project, services: &[String], bind: IpAddr) -> Exposure {
    let open = services
        .iter()
        .filter_map(|name| project.services.get(name))
        .flat_map(|service| &service.ports)
        .any(|port| !port.host_ip.unwrap_or(bind).is_loopback());
    if open {
        Exposure::Others
    } else {
        Exposure::ThisMachine
    }
}
