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

fn is_built(service: &Service) -> bool {
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
