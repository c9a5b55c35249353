//! Variables of which one is enough.

use plimsoll_diag::Severity;

use super::{Breach, Fault, may_come_from_elsewhere};
use crate::extension::Extensions;
use crate::facts::{OneOf, VariableKind};
use crate::{Project, RecipeKind, Service};

/// The groups of which a service is given nothing.
pub(super) fn breaches(
    project: &Project,
    service: &Service,
    extensions: &Extensions,
) -> Vec<Breach> {
    let recipe = service.recipe.as_ref();
    if recipe.is_some_and(|recipe| matches!(recipe.kind, RecipeKind::StaticSite(_))) {
        return Vec::new();
    }
    let mut missing: Vec<&OneOf> = Vec::new();
    let groups = project
        .variables
        .iter()
        .flat_map(|variable| &variable.one_of);
    for group in groups.filter(|group| group.services.contains(&service.name)) {
        let mut names = group.names.iter();
        let settled = names.clone().any(|name| is_given(service, name))
            || names.all(|name| extensions.is_optional(&service.name, name));
        if !settled && !missing.contains(&group) {
            missing.push(group);
        }
    }
    let severity = match may_come_from_elsewhere(service) {
        true => Severity::Warning,
        false => Severity::Error,
    };
    missing
        .into_iter()
        .map(|group| Breach {
            variable: group.names.first().cloned().unwrap_or_default(),
            services: Vec::new(),
            fault: Fault::NoneSet {
                of: group.names.clone(),
            },
            kind: VariableKind::Text,
            read: Some(group.span.clone()),
            set: service.span.clone(),
            severity,
            stated: !project.files.is_empty(),
        })
        .collect()
}

/// Whether a service is given a value that is not empty.
fn is_given(service: &Service, name: &str) -> bool {
    if let Some(given) = service.environment.get(name) {
        return given.value.as_deref().is_some_and(|text| !text.is_empty());
    }
    let recipe = service.recipe.as_ref();
    recipe.is_some_and(|recipe| {
        let mut pairs = recipe.environment.iter();
        pairs.any(|(known, value)| known == name && !value.is_empty())
    })
}
