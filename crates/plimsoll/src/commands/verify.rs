//! `plimsoll verify`: what is signed about an image in a registry, and by whose key.

use std::sync::Arc;

use plimsoll_diag::Diagnostic;
use plimsoll_image::registry::RegistryError;
use plimsoll_image::signature::{BUNDLE_TYPE, PublicKey, verify};

use super::sign::reference;
use crate::cli::VerifyArguments;
use crate::exit_status::ExitStatus;
use crate::failure::{Failure, chain};
use crate::printer::{Form, Printer};
use crate::settings::Settings;
use crate::terminal_progress::TerminalProgress;
use crate::workshop::registry_client;

/// Verifies it.
pub(crate) fn run(
    settings: &Settings,
    arguments: &VerifyArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let text = fs_err::read_to_string(&arguments.key)?;
    let key = PublicKey::from_pem(&text).map_err(|error| {
        Failure::usage(Diagnostic::error(format!(
            "`{}`: {}",
            arguments.key.display(),
            chain(&error)
        )))
    })?;
    let repository = reference(&arguments.image)?;
    let registry = registry_client(settings, Arc::new(TerminalProgress::new(printer)))?;
    let failed = |error: RegistryError| Failure::failed(Diagnostic::error(chain(&error)));
    let Some(digest) = registry.digest_of(&repository).map_err(failed)? else {
        return Err(Failure::failed(Diagnostic::error(format!(
            "the registry has no `{}`",
            arguments.image
        ))));
    };
    let mut verified = Vec::new();
    let mut refused = Vec::new();
    for referrer in registry
        .referrers(&repository, &digest, Some(BUNDLE_TYPE))
        .map_err(failed)?
    {
        let layers = registry
            .artifact(&repository, &referrer.digest)
            .map_err(failed)?;
        for layer in layers
            .iter()
            .filter(|layer| layer.media_type == BUNDLE_TYPE)
        {
            match verify(&layer.bytes, &key, &digest) {
                Ok(statement) => verified.push(statement.predicate_type),
                Err(error) => refused.push(error.to_string()),
            }
        }
    }
    verified.sort_unstable();
    verified.dedup();
    if verified.is_empty() {
        let message = match refused.first() {
            None => format!("`{}` has no signature", arguments.image),
            Some(reason) => format!("no signature of `{}` holds: {reason}", arguments.image),
        };
        return Err(Failure::failed(Diagnostic::error(message)));
    }
    if printer.form() == Form::Json {
        printer.answer_json(&serde_json::json!({
            "schema": 1, "image": arguments.image, "digest": digest, "verified": verified,
        }));
    } else {
        printer.say(&format!(
            "  verified {}@{digest}",
            repository.familiar_name()
        ));
        for predicate in &verified {
            printer.say(&format!("           {predicate}"));
        }
    }
    Ok(ExitStatus::Success)
}
