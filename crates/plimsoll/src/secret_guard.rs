//! The last look before an image is given away: no secret may be in it.

use std::collections::BTreeMap;

use plimsoll_diag::{Diagnostic, Secret};
use plimsoll_image::clients::ClientSettings;
use plimsoll_image::secrets::{KnownSecret, SecretKind, SecretSearch};
use plimsoll_image::store::{Image, Store};
use plimsoll_model::extension::Extensions;
use plimsoll_model::{FileSource, Project};

use crate::environment_contract::documented;
use crate::failure::Failure;
use crate::printer::Printer;
use crate::settings::Settings;

/// The rule that a waiver names.
const RULE: &str = "secret-in-image";

/// Searches images, by service, and refuses when one holds a known secret. What only looks like
/// one is told, unless it is waived.
pub(crate) fn check(
    store: &Store,
    images: &BTreeMap<&str, &Image>,
    secrets: &[KnownSecret],
    extensions: &Extensions,
    printer: &Printer,
) -> Result<(), Failure> {
    let search = SecretSearch::new(secrets);
    let mut refused = Vec::new();
    for (service, image) in images {
        for hit in search.search(store, image).map_err(Failure::from_store)? {
            match hit.what {
                SecretKind::Known(name) => refused.push(
                    Diagnostic::error(format!(
                        "the image of `{service}` holds {name}: {}",
                        hit.place
                    ))
                    .hint("keep it out of the tree (`.dockerignore`) and give it to the container when it runs"),
                ),
                SecretKind::Shape(_) if is_waived(extensions, service) => {}
                SecretKind::Shape(shape) => printer.tell(
                    &Diagnostic::warning(format!(
                        "the image of `{service}` seems to hold {}: {}",
                        shape.words(),
                        hit.place
                    ))
                    .hint(format!(
                        "if it is none, waive `{RULE}` under `x-plimsoll.waive` with a reason"
                    )),
                ),
            }
        }
    }
    refusal(refused)
}

/// Searches what a build cache would hold, which is more than the images, for known secrets.
pub(crate) fn check_cache(store: &Store, secrets: &[KnownSecret]) -> Result<(), Failure> {
    let hits = SecretSearch::new(secrets)
        .search_cache(store)
        .map_err(Failure::from_store)?;
    let refused = hits.into_iter().filter_map(|hit| match hit.what {
        SecretKind::Known(name) => Some(
            Diagnostic::error(format!("the build cache would hold {name}: {}", hit.place))
                .hint("keep it out of what is built from; nothing was sent"),
        ),
        SecretKind::Shape(_) => None,
    });
    refusal(refused.collect())
}

fn refusal(refused: Vec<Diagnostic>) -> Result<(), Failure> {
    if refused.is_empty() {
        return Ok(());
    }
    Err(Failure {
        diagnostics: refused,
        status: crate::exit_status::ExitStatus::Failure,
    })
}

fn is_waived(extensions: &Extensions, service: &str) -> bool {
    let own = extensions.services.get(service);
    own.into_iter()
        .chain([&extensions.project])
        .flat_map(|extension| &extension.waive)
        .any(|waiver| waiver.value.rule == RULE)
}

/// The secrets that this machine knows: those of the Compose file, values of the services'
/// variables that are secret, and credentials of package clients.
pub(crate) fn known(
    settings: &Settings,
    project: &Project,
    clients: &ClientSettings,
) -> Vec<KnownSecret> {
    let mut known = clients.known_credentials();
    let mut add = |name: String, value: String| {
        let value = value.trim().to_owned();
        if !known.iter().any(|other| *other.value.expose() == value) {
            known.push(KnownSecret {
                name,
                value: Secret::new(value),
            });
        }
    };
    for (name, secret) in &project.secrets {
        let value = match &secret.source {
            FileSource::File(path) => fs_err::read_to_string(path).ok(),
            FileSource::Environment(variable) => {
                settings.environment.get(variable).map(str::to_owned)
            }
            FileSource::Content(text) => Some(text.clone()),
            FileSource::External => None,
        };
        if let Some(value) = value {
            add(format!("the secret `{name}`"), value);
        }
    }
    // Everybody can read an example's value; that it is in use is the contract's matter.
    let documented = documented(project);
    let is_shown = |name: &str, value: &str| {
        documented
            .get(name)
            .is_some_and(|shown| shown.value.trim() == value.trim())
    };
    for service in project.services.values() {
        for (name, value) in &service.environment {
            let stated = project.variables.iter().find(|known| known.name == *name);
            if stated.is_some_and(|variable| variable.secret) || sounds_secret(name) {
                let value = value
                    .value
                    .clone()
                    .or_else(|| settings.environment.get(name).map(str::to_owned));
                if let Some(value) = value.filter(|value| !is_shown(name, value)) {
                    add(format!("the value of `{name}`"), value);
                }
            }
        }
    }
    known
}

/// Names that say what they hold.
fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    [
        "PASSWORD",
        "PASSWD",
        "SECRET",
        "TOKEN",
        "API_KEY",
        "PRIVATE_KEY",
        "CREDENTIALS",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_secrets() {
        assert!(sounds_secret("OPENAI_API_KEY"));
        assert!(sounds_secret("postgres_password"));
        assert!(!sounds_secret("TOKEN_LIMIT"));
    }
}
