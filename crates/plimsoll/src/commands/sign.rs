//! `plimsoll sign`: a key, or signatures of images that were pushed.

use std::sync::Arc;

use plimsoll_diag::Diagnostic;
use plimsoll_image::registry::{ArtifactLayer, Reference};
use plimsoll_image::signature::PrivateKey;
use plimsoll_image::store::{LayerForm, Store};

use super::sbom::find;
use crate::attestations::{password, private_key, signature};
use crate::cli::SignArguments;
use crate::exit_status::ExitStatus;
use crate::failure::{Failure, chain};
use crate::printer::Printer;
use crate::settings::Settings;
use crate::terminal_progress::TerminalProgress;
use crate::workshop::registry_client;

/// Where a new key goes.
const NAMES: [&str; 2] = ["plimsoll.key", "plimsoll.pub"];

/// Makes a key, or signs.
pub(crate) fn run(
    settings: &Settings,
    arguments: &SignArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    if arguments.generate_key {
        return generate(settings, printer);
    }
    let Some(path) = &arguments.key else {
        return Err(Failure::usage(Diagnostic::error("with which key?").hint(
            "`--key FILE` names one; `plimsoll sign --generate-key` makes one",
        )));
    };
    let key = private_key(path, &settings.environment)?;
    let store = Store::open(&settings.store()).map_err(Failure::from_store)?;
    let registry = registry_client(settings, Arc::new(TerminalProgress::new(printer)))?;
    for word in &arguments.images {
        let (image, _) = find(settings, &store, Some(word))?;
        let repository = reference(&image.reference)?;
        // One for each processor, as they were pushed together.
        let images = store
            .images_named(&image.reference)
            .map_err(Failure::from_store)?;
        let given = store
            .given_manifests(&images, LayerForm::Gzip)
            .map_err(Failure::from_store)?;
        let index = (!given.manifests.contains(&given.root)).then_some(&given.root);
        for subject in given.manifests.iter().chain(index) {
            let attachment = signature(settings, subject, &key)?;
            registry
                .attach(
                    &store,
                    &repository,
                    subject,
                    &attachment.kind,
                    attachment.annotations,
                    vec![ArtifactLayer::new(&attachment.kind, attachment.bytes)],
                )
                .map_err(|error| Failure::failed(Diagnostic::error(chain(&error))))?;
        }
        printer.say(&format!(
            "  signed   {}@{}",
            repository.familiar_name(),
            given.root.digest
        ));
    }
    Ok(ExitStatus::Success)
}

/// A reference of a registry.
pub(super) fn reference(text: &str) -> Result<Reference, Failure> {
    text.parse()
        .map_err(|error: plimsoll_image::registry::ReferenceError| {
            Failure::usage(Diagnostic::error(error.to_string()))
        })
}

fn generate(settings: &Settings, printer: &Printer) -> Result<ExitStatus, Failure> {
    let [private, public] = NAMES.map(|name| settings.directory.join(name));
    for path in [&private, &public] {
        if path.exists() {
            return Err(Failure::usage(Diagnostic::error(format!(
                "`{}` is there already",
                path.display()
            ))));
        }
    }
    let password = password(&settings.environment);
    if password.expose().is_empty() {
        printer.tell(
            &Diagnostic::warning("the key is sealed without a password")
                .hint("set COSIGN_PASSWORD to give it one"),
        );
    }
    let key = PrivateKey::generate();
    let sealed = key
        .to_sealed_pem(&password)
        .map_err(|error| Failure::failed(Diagnostic::error(chain(&error))))?;
    write_private(&private, &sealed)?;
    fs_err::write(&public, key.public().to_pem())?;
    printer.say(&format!(
        "  wrote    {} (keep it) and {} (give it to those who verify)",
        NAMES[0], NAMES[1]
    ));
    Ok(ExitStatus::Success)
}

/// Writes a file that only its owner reads.
fn write_private(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;

    use fs_err::os::unix::fs::OpenOptionsExt as _;

    let mut options = fs_err::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}
