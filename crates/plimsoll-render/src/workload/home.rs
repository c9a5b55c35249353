//! Where the user of an assembled image is at home. Programs keep settings and caches there, also
//! where the root of the container is read-only.

use plimsoll_model::{RecipeKind, Service};

/// The home in assembled images.
const HOME: &str = "/home/app";

/// The home of a service's user: as its environment says, else that of assembled images; `None`
/// where the image is others', or serves files alone.
pub(super) fn home(service: &Service) -> Option<&str> {
    match &service.recipe.as_ref()?.kind {
        RecipeKind::Dockerfile(_) | RecipeKind::StaticSite(_) => return None,
        RecipeKind::Python(_)
        | RecipeKind::NodeServer(_)
        | RecipeKind::Go(_)
        | RecipeKind::Rust(_) => {}
    }
    let said = service.environment.get("HOME");
    match said.and_then(|value| value.value.as_deref()) {
        Some(said) if said.starts_with('/') => Some(said),
        _ => Some(HOME),
    }
}

/// The home that mounts were written for, where it is another one: `/home/desk` of
/// `/home/desk/.config`.
pub(super) fn mounted_home(service: &Service) -> Option<String> {
    if home(service)? != HOME || service.environment.contains_key("HOME") {
        return None;
    }
    let homes = service.volumes.iter().filter_map(|mount| {
        let target = mount.value.target.to_str()?;
        if target.starts_with("/root/.") {
            return Some("/root".to_owned());
        }
        let (user, below) = target.strip_prefix("/home/")?.split_once('/')?;
        (!below.is_empty()).then(|| format!("/home/{user}"))
    });
    homes.into_iter().find(|path| path != HOME)
}
