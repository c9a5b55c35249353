//! Services of a Compose file that start a Celery application which detection did not find.

use std::path::{Path, PathBuf};

use plimsoll_diag::Diagnostic;
use plimsoll_model::Service;

use super::NOTHING_MAKES;
use crate::claims::Starts;
use crate::claims::matching::Claim;
use crate::detection::{DetectedService, Health, ServiceKind};
use crate::flower::PORT;
use crate::places;
use crate::python::extract;
use crate::tree::Tree;

/// A command that starts a Celery application where the code makes none.
pub(super) fn unknown(
    tree: &Tree,
    context: &Path,
    service: &Service,
    claim: &Claim,
) -> Option<Diagnostic> {
    let (Some(Starts::CeleryWorker { target })
    | Some(Starts::CeleryBeat { target })
    | Some(Starts::Flower { target, .. })) = &claim.starts
    else {
        return None;
    };
    // Flower is told a broker as well, and Celery finds an application by itself.
    if target.is_empty() || may_be_made(tree, context, target) {
        return None;
    }
    let span = service
        .command
        .as_ref()
        .and_then(|command| command.span.clone())
        .or_else(|| service.span.clone());
    Some(
        Diagnostic::warning(format!(
            "`{}` starts the Celery application `{target}`, {NOTHING_MAKES}",
            service.name
        ))
        .at(span)
        .hint("drop the service, or name the application that there is"),
    )
}

/// Whether the module that a target names gives the name, be it what only running it would tell: `celery =
/// app.celery_app`.
fn may_be_made(tree: &Tree, context: &Path, target: &str) -> bool {
    // Celery looks into a module that is named alone for the application.
    let whole = target.replace('.', "/");
    let holds = [format!("{whole}.py"), format!("{whole}/celery.py")];
    let mut holds = holds
        .iter()
        .filter_map(|file| places::within(context, file));
    let makes = |file: PathBuf| {
        extract(tree, &file).is_some_and(|module| {
            let mut calls = module.calls.iter();
            calls.any(|placed| placed.call.method() == Some("Celery"))
        })
    };
    if holds.any(makes) {
        return true;
    }
    let Some((module, name)) = target.rsplit_once([':', '.']) else {
        return false;
    };
    let file = places::within(context, &format!("{}.py", module.replace('.', "/")));
    file.and_then(|file| extract(tree, &file))
        .is_some_and(|module| module.defines(name))
}

/// A worker or scheduler of Celery beside the application that its file makes is none of what the application is.
pub(super) fn started_beside(detected: &mut DetectedService, claim: &Claim) {
    detected.kind = match &claim.starts {
        Some(Starts::CeleryWorker { .. }) => ServiceKind::Worker,
        Some(Starts::CeleryBeat { .. }) => ServiceKind::Scheduler,
        Some(Starts::Flower { .. }) => ServiceKind::Ui,
        _ => return,
    };
    detected.health = None;
    detected.metrics = None;
    detected.ports.clear();
    if let Some(Starts::Flower { port, .. }) = &claim.starts {
        // Its pages may want a password, so that only whether it listens can be asked.
        let port = port.unwrap_or(PORT);
        detected.ports = vec![port];
        detected.health = Some(Health::Tcp { port });
    }
}
