//! The reference of a service's image, and whether it means the same one tomorrow.

use plimsoll_model::Service;

use crate::{Fidelity, Input, Loss};

/// The reference of a service's image: what it is published as when it is built from source.
pub(super) fn image(input: &Input<'_>, service: &Service) -> String {
    let written = service.image.as_ref().map(|image| image.value.as_str());
    match (written, input.registry) {
        (Some(reference), _) => reference.to_owned(),
        (None, Some(prefix)) if is_built(service) => format!("{prefix}/{}", service.name),
        (None, _) => format!("{}-{}", input.project.name, service.name),
    }
}

/// That a reference to an image of others names no version; `None` where it does.
pub(super) fn without_version(service: &Service) -> Option<Loss> {
    let image = service.image.as_ref()?;
    if is_built(service) || has_version(&image.value) {
        return None;
    }
    let loss = Loss::new(
        Fidelity::Approximate,
        format!("services.{}.image", service.name),
        "it names no version, so `latest` is meant: another image on another day",
    );
    Some(
        loss.at(image.span.clone())
            .hint("name a tag, or better a digest"),
    )
}

/// That a cluster will look for an image that is built from source by a name which says neither
/// where it was published nor which build it is; `None` where that is known.
pub(super) fn unpublished(input: &Input<'_>, service: &Service, image: &str) -> Option<Loss> {
    let is_pinned = input
        .images
        .get(&service.name)
        .is_some_and(|pin| pin.digest.is_some());
    if !is_built(service) || is_pinned || has_version(image) {
        return None;
    }
    let subject = format!("services.{}.image", service.name);
    let what = match input.registry {
        Some(_) => "it is named without a version: `latest` is meant",
        None => "it is named without a registry and without a version",
    };
    Some(
        Loss::new(Fidelity::Approximate, subject, what)
            .at(service.span.clone())
            .hint("`--images FILE` names images by what `plimsoll push --json` told; pipelines set it in the chart's values"),
    )
}

/// Whether a service's image is built from source.
pub(super) fn is_built(service: &Service) -> bool {
    service.build.is_some() || service.recipe.is_some()
}

fn has_version(reference: &str) -> bool {
    if reference.contains('@') {
        return true;
    }
    let last = reference.rsplit('/').next().unwrap_or_default();
    last.split_once(':').is_some_and(|(_, tag)| tag != "latest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_a_registry_is_no_version() {
        for versioned in ["postgres:16", "a.org:5000/b/c:1", "x@sha256:0"] {
            assert!(has_version(versioned), "{versioned}");
        }
        for moving in ["postgres", "postgres:latest", "a.org:5000/b/c"] {
            assert!(!has_version(moving), "{moving}");
        }
    }
}
