//! What is said about an image beside it: bills, provenance, signatures.

use std::path::Path;
use std::process::Command;

use plimsoll_diag::{Diagnostic, Secret};
use plimsoll_image::inventory::Inventory;
use plimsoll_image::oci::{Descriptor, EPOCH};
use plimsoll_image::provenance::{
    BuildFacts, SLSA_PROVENANCE, SourceCommit, materials_of, provenance, public_address,
};
use plimsoll_image::sbom::{SbomFormat, SbomSubject, write_sbom};
use plimsoll_image::signature::{
    Attachment, COSIGN_SIGN, PrivateKey, Statement, bundle_attachment, sign_statement,
};
use plimsoll_image::store::{Image, LayerForm, Store};
use plimsoll_model::{RecipeKind, Service};

use crate::cli::AttestationArguments;
use crate::environment::Environment;
use crate::failure::{Failure, chain};
use crate::settings::Settings;
use crate::variants::VariantChoice;

/// What is to be attached.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) bill: Option<SbomFormat>,
    pub(crate) provenance: bool,
    pub(crate) key: Option<PrivateKey>,
    /// What the images are for, which provenance says.
    pub(crate) variant: VariantChoice,
}

impl Wanted {
    /// What the command line asks for.
    pub(crate) fn read(
        settings: &Settings,
        arguments: &AttestationArguments,
        variant: VariantChoice,
    ) -> Result<Self, Failure> {
        let key = arguments.sign.as_deref();
        Ok(Self {
            bill: arguments.sbom.map(Into::into),
            provenance: arguments.provenance,
            key: key
                .map(|path| private_key(path, &settings.environment))
                .transpose()?,
            variant,
        })
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_nothing(&self) -> bool {
        self.bill.is_none() && !self.provenance && self.key.is_none()
    }
}

/// What is attached to one image. `subject` is its manifest as others get it. With a key every
/// statement is signed; provenance without a key is a bare statement.
pub(crate) fn attachments(
    settings: &Settings,
    store: &Store,
    service: &Service,
    image: &Image,
    subject: &Descriptor,
    wanted: &Wanted,
) -> Result<Vec<Attachment>, Failure> {
    let created = created(&settings.environment)?;
    let repository = repository_of(&image.reference);
    let mut statements: Vec<Statement> = Vec::new();
    let mut attachments = Vec::new();
    if let Some(format) = wanted.bill {
        let bytes = bill(store, Some(service), image, subject, &created, format)?;
        let predicate = serde_json::from_slice(&bytes).unwrap_or_default();
        statements.push(Statement::new(
            repository,
            &subject.digest,
            format.predicate_type(),
            predicate,
        ));
        attachments.push(Attachment {
            kind: format.media_type().to_owned(),
            annotations: [(
                "org.opencontainers.image.created".to_owned(),
                created.clone(),
            )]
            .into(),
            bytes,
        });
    }
    if wanted.provenance {
        let inventory = inventory(store, Some(service), image)?;
        let mut materials = materials_of(store, image);
        if let Some(recipe) = &service.recipe {
            materials.extend(plimsoll_image::locked_materials(recipe, &inventory));
        }
        let source = source_commit(&settings.directory);
        let predicate = provenance(&BuildFacts {
            service: &service.name,
            recipe: recipe_word(service),
            variant: wanted.variant.of(service).name(),
            architecture: image.architecture,
            source: source.as_ref(),
            materials: &materials,
        });
        statements.push(Statement::new(
            repository,
            &subject.digest,
            SLSA_PROVENANCE,
            predicate,
        ));
    }
    match &wanted.key {
        Some(key) => {
            statements.insert(0, Statement::of_image(&subject.digest));
            attachments.extend(statements.iter().map(|statement| {
                let bundle = sign_statement(statement, key);
                bundle_attachment(&statement.predicate_type, &created, bundle)
            }));
        }
        None => attachments.extend(
            statements
                .iter()
                .filter(|statement| statement.predicate_type == SLSA_PROVENANCE)
                .map(|statement| Attachment {
                    kind: "application/vnd.in-toto+json".to_owned(),
                    annotations: [(
                        "in-toto.io/predicate-type".to_owned(),
                        statement.predicate_type.clone(),
                    )]
                    .into(),
                    bytes: statement.to_json(),
                }),
        ),
    }
    Ok(attachments)
}

/// What is attached to one image for several processors, each with what it speaks of: the manifest
/// of each, and the index over them, which tags lead to.
pub(crate) fn attachments_of_all(
    settings: &Settings,
    store: &Store,
    service: &Service,
    images: &[Image],
    form: LayerForm,
    wanted: &Wanted,
) -> Result<Vec<(Descriptor, Attachment)>, Failure> {
    if wanted.is_nothing() {
        return Ok(Vec::new());
    }
    let given = store
        .given_manifests(images, form)
        .map_err(Failure::from_store)?;
    let mut all: Vec<(Descriptor, Attachment)> = Vec::new();
    let of_index = (given.manifests != [given.root.clone()]).then_some(&given.root);
    for (image, manifest) in images.iter().zip(&given.manifests) {
        for subject in [manifest].into_iter().chain(of_index) {
            let attached = attachments(settings, store, service, image, subject, wanted)?;
            for attachment in attached {
                // The index has one signature, whatever it lists.
                let entry = (subject.clone(), attachment);
                if !all.contains(&entry) {
                    all.push(entry);
                }
            }
        }
    }
    Ok(all)
}

/// The signature of an image alone.
pub(crate) fn signature(
    settings: &Settings,
    subject: &Descriptor,
    key: &PrivateKey,
) -> Result<Attachment, Failure> {
    let bundle = sign_statement(&Statement::of_image(&subject.digest), key);
    let created = created(&settings.environment)?;
    Ok(bundle_attachment(COSIGN_SIGN, &created, bundle))
}

/// An image's bill.
pub(crate) fn bill(
    store: &Store,
    service: Option<&Service>,
    image: &Image,
    subject: &Descriptor,
    created: &str,
    format: SbomFormat,
) -> Result<Vec<u8>, Failure> {
    let inventory = inventory(store, service, image)?;
    let about = SbomSubject {
        reference: &image.reference,
        digest: subject.digest,
        architecture: image.architecture,
        created,
    };
    Ok(write_sbom(&inventory, &about, format))
}

fn inventory(
    store: &Store,
    service: Option<&Service>,
    image: &Image,
) -> Result<Inventory, Failure> {
    let mut inventory = Inventory::of(store, image).map_err(Failure::from_store)?;
    let mut materials = materials_of(store, image);
    if let Some(recipe) = service.and_then(|service| service.recipe.as_ref()) {
        materials.extend(plimsoll_image::locked_materials(recipe, &inventory));
    }
    inventory.add_checksums(&materials);
    Ok(inventory)
}

/// A key from its file. A sealed one is opened with the password that cosign would take.
pub(crate) fn private_key(path: &Path, environment: &Environment) -> Result<PrivateKey, Failure> {
    let text = fs_err::read_to_string(path)?;
    PrivateKey::from_pem(&text, &password(environment)).map_err(|error| {
        Failure::usage(
            Diagnostic::error(format!("`{}`: {}", path.display(), chain(&error)))
                .hint("a sealed key's password is read from COSIGN_PASSWORD"),
        )
    })
}

/// The password of sealed keys.
pub(crate) fn password(environment: &Environment) -> Secret<String> {
    Secret::new(
        environment
            .get("COSIGN_PASSWORD")
            .unwrap_or_default()
            .to_owned(),
    )
}

/// When what is written now counts as made: `SOURCE_DATE_EPOCH`, else the epoch.
pub(crate) fn created(environment: &Environment) -> Result<String, Failure> {
    let Some(text) = environment.get("SOURCE_DATE_EPOCH") else {
        return Ok(EPOCH.to_owned());
    };
    let seconds: u64 = text.parse().map_err(|_| {
        Failure::usage(Diagnostic::error(format!(
            "SOURCE_DATE_EPOCH is `{text}`, expected seconds since 1970"
        )))
    })?;
    Ok(rfc3339(seconds))
}

/// Seconds since 1970 as `2026-11-20T12:00:00Z`.
fn rfc3339(seconds: u64) -> String {
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut year = 1970;
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!(
        "{year:04}-{month:02}-{:02}T{:02}:{:02}:{:02}Z",
        days + 1,
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// The commit of a directory, as git tells it; nothing where there is no git or no repository.
fn source_commit(directory: &Path) -> Option<SourceCommit> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(directory)
            .args(["-c", "safe.directory=*"])
            .args(arguments)
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    Some(SourceCommit {
        commit: git(&["rev-parse", "--verify", "HEAD"])?,
        changed: git(&["status", "--porcelain", "--", "."]).is_none_or(|text| !text.is_empty()),
        repository: git(&["remote", "get-url", "origin"])
            .and_then(|remote| public_address(&remote)),
    })
}

fn recipe_word(service: &Service) -> &'static str {
    match service.recipe.as_ref().map(|recipe| &recipe.kind) {
        Some(RecipeKind::Python(_)) => "python",
        Some(RecipeKind::StaticSite(_)) => "static-site",
        Some(RecipeKind::NodeServer(_)) => "node-server",
        Some(RecipeKind::Go(_)) => "go",
        Some(RecipeKind::Rust(_)) => "rust",
        Some(RecipeKind::Dockerfile(_)) => "dockerfile",
        None => "none",
    }
}

fn repository_of(reference: &str) -> &str {
    let whole = reference.split('@').next().unwrap_or(reference);
    let start = whole.rfind('/').map_or(0, |index| index + 1);
    let end = whole[start..]
        .find(':')
        .map_or(whole.len(), |index| start + index);
    &whole[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_bills_want_them() {
        assert_eq!(rfc3339(0), EPOCH);
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_795_219_199), "2026-11-20T23:59:59Z");
    }

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(
            repository_of("localhost:5000/desk:1"),
            "localhost:5000/desk"
        );
        assert_eq!(repository_of("localhost:5000/desk"), "localhost:5000/desk");
    }
}
