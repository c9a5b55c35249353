//! Images into registries: where each service's image goes, and under which tags.

use std::sync::Arc;

use plimsoll_diag::Diagnostic;
use plimsoll_image::Variant;
use plimsoll_image::registry::{CHUNK, PushRequest, Pushed, Reference};
use plimsoll_image::store::{Image, LayerForm, Store};
use plimsoll_model::{Project, Service};

use crate::attestations::{Wanted, attachments_of_all};
use crate::cli::{Codec, PublishArguments};
use crate::failure::Failure;
use crate::format::size;
use crate::printer::Printer;
use crate::project;
use crate::secret_guard;
use crate::service_images::image_name;
use crate::settings::Settings;
use crate::tag_rules::{Revision, TagRule, tags};
use crate::terminal_progress::TerminalProgress;
use crate::workshop::{client_settings, registry_client};

/// A service's image in a registry.
pub(crate) struct Published {
    pub(crate) service: String,
    pub(crate) repository: Reference,
    pub(crate) pushed: Pushed,
}

/// How layers are written for others.
pub(crate) fn form(codec: Codec) -> LayerForm {
    match codec {
        Codec::Gzip => LayerForm::Gzip,
        Codec::Zstd => LayerForm::Zstd,
    }
}

/// Pushes the images of these services, each for every processor the store has it for, with what
/// is `wanted` beside them. Nothing leaves this machine while a secret is in one of them.
pub(crate) fn publish(
    settings: &Settings,
    store: &Store,
    project: &Project,
    services: &[String],
    arguments: &PublishArguments,
    wanted: &Wanted,
    printer: &Printer,
) -> Result<Vec<Published>, Failure> {
    let revision = Revision::of(&settings.directory, &settings.environment);
    let client = registry_client(settings, Arc::new(TerminalProgress::new(printer)))?;
    // Everything that can be wrong with the words is told before anything is sent.
    let mut orders = Vec::new();
    for name in services {
        let Some(service) = project.services.get(name) else {
            continue;
        };
        if service.recipe.is_none() {
            continue;
        }
        let images = store
            .images_named(&wanted.variant.image_name(project, service))
            .map_err(Failure::from_store)?;
        let Some(first) = images.first() else {
            return Err(Failure::failed(
                Diagnostic::error(format!("there is no image of `{name}` yet"))
                    .hint("`plimsoll build` makes it"),
            ));
        };
        let repository = repository(project, service, arguments)?;
        let mut tags = wanted_tags(service, arguments, &revision, first)?;
        let variant = wanted.variant.of(service);
        if variant != Variant::Production {
            let end = format!("-{variant}");
            let is_bare = |tag: &&mut String| **tag != variant.name() && !tag.ends_with(&end);
            for tag in tags.iter_mut().filter(is_bare) {
                tag.push_str(&end);
            }
        }
        orders.push((service, repository, tags, images));
    }
    if orders.is_empty() {
        return Err(Failure::usage(Diagnostic::error(
            "no service here has an image that is built",
        )));
    }
    let extensions = project::extensions(settings)?;
    let secrets = secret_guard::known(settings, project, &client_settings(settings));
    for (service, _, _, images) in &orders {
        for image in images {
            let one = [(service.name.as_str(), image)].into();
            secret_guard::check(store, &one, &secrets, &extensions, printer)?;
        }
    }
    let mut published = Vec::new();
    let form = form(arguments.compression);
    for (service, repository, tags, images) in orders {
        let attachments = attachments_of_all(settings, store, service, &images, form, wanted)?;
        let pushed = client
            .push(
                store,
                &PushRequest {
                    subject: &service.name,
                    images: &images,
                    form,
                    to: &repository,
                    tags: &tags,
                    attachments: &attachments,
                    chunk: CHUNK,
                },
            )
            .map_err(|error| Failure::failed(error.diagnostic()))?;
        published.push(Published {
            service: service.name.clone(),
            repository,
            pushed,
        });
    }
    Ok(published)
}

/// The repository of a service's image.
fn repository(
    project: &Project,
    service: &Service,
    arguments: &PublishArguments,
) -> Result<Reference, Failure> {
    let wrong =
        |error: &dyn std::fmt::Display| Failure::usage(Diagnostic::error(error.to_string()));
    let name = image_name(project, service);
    let own: Reference = name.parse().map_err(|error| wrong(&error))?;
    let repository = match (&arguments.to, &service.image) {
        (Some(prefix), _) => Reference::repository(&format!(
            "{}/{}",
            prefix.trim_end_matches('/'),
            own.short_name()
        ))
        .map_err(|error| wrong(&error))?,
        (None, Some(_)) => Reference {
            tag: None,
            digest: None,
            ..own
        },
        (None, None) => {
            return Err(Failure::usage(
                Diagnostic::error(format!("where `{}` is pushed to is not said", service.name))
                    .at(service.span.clone())
                    .hint("`--to REGISTRY/PREFIX`, or `image:` in the Compose file"),
            ));
        }
    };
    Ok(repository)
}

/// The tags of a service's image: those named, those the rules give, or the name's own. `latest`
/// never stands alone: nobody could say later what it was.
fn wanted_tags(
    service: &Service,
    arguments: &PublishArguments,
    revision: &Revision,
    image: &Image,
) -> Result<Vec<String>, Failure> {
    let mut wanted = arguments.tags.clone();
    wanted.extend(tags(&arguments.tag_rules, &service.name, revision));
    if wanted.is_empty() && !arguments.tag_rules.is_empty() {
        let rules: Vec<String> = arguments
            .tag_rules
            .iter()
            .map(|rule| format!("{rule:?}").to_lowercase())
            .collect();
        return Err(Failure::usage(
            Diagnostic::error(format!("no tag follows from {} here", rules.join(", ")))
                .hint("`sha` follows from any commit; `--tag` names one"),
        ));
    }
    if wanted.is_empty() {
        let own: Option<Reference> = image.reference.parse().ok();
        wanted.extend(own.and_then(|reference| reference.tag));
    }
    if wanted.iter().all(|tag| tag == "latest") {
        let mut lasting = tags(&[TagRule::Sha], &service.name, revision);
        if lasting.is_empty() {
            lasting.push(format!("image-{}", image.id.short()));
        }
        wanted.extend(lasting);
    }
    for tag in &wanted {
        let named = format!("a:{tag}");
        named
            .parse::<Reference>()
            .map_err(|_| Failure::usage(Diagnostic::error(format!("`{tag}` is no tag"))))?;
    }
    wanted.sort();
    wanted.dedup();
    Ok(wanted)
}

/// Says what was pushed.
pub(crate) fn tell(published: &[Published], printer: &Printer) {
    for entry in published {
        let Pushed {
            tags,
            sent,
            attached,
            ..
        } = &entry.pushed;
        let mut how = match sent {
            0 => "nothing to send".to_owned(),
            sent => format!("{} sent", size(*sent)),
        };
        if *attached > 0 {
            how.push_str(&format!(" · {attached} attached"));
        }
        printer.say(&format!(
            "  pushed   {:<12} {}:{}   {how}",
            entry.service,
            entry.repository,
            tags.join(" :"),
        ));
    }
}

/// The same as data.
pub(crate) fn json(published: &[Published]) -> Vec<serde_json::Value> {
    published
        .iter()
        .map(|entry| {
            serde_json::json!({
                "service": entry.service,
                "repository": entry.repository.to_string(),
                "tags": entry.pushed.tags,
                "digest": entry.pushed.root.digest,
                "manifests": entry.pushed.manifests.iter().map(|manifest| manifest.digest).collect::<Vec<_>>(),
                "bytes_sent": entry.pushed.sent,
                "blobs_sent": entry.pushed.blobs,
                "blobs_mounted": entry.pushed.mounted,
                "blobs_present": entry.pushed.present,
                "attached": entry.pushed.attached,
            })
        })
        .collect()
}
