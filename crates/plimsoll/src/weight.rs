//! Whose an image's bytes are, whether they are too many, and which need not be there.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_image::Digest;
use plimsoll_image::inventory::{Ecosystem, Inventory, Waste, WasteKind};
use plimsoll_image::store::Image;
use plimsoll_model::Service;
use plimsoll_model::extension::{Budget, Extensions};

use crate::format::size;

/// Somebody's part of an image.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Share {
    pub(crate) bytes: u64,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) version: String,
}

/// Everybody's parts, the largest first.
pub(crate) fn shares(inventory: &Inventory) -> Vec<Share> {
    let packages = inventory.components.iter().map(|entry| Share {
        bytes: entry.bytes,
        kind: entry.ecosystem.label(),
        name: entry.name.clone(),
        version: entry.version.clone(),
    });
    let mut rest: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in &inventory.unowned {
        *rest.entry(&entry.prefix).or_default() += entry.bytes;
    }
    let rest = rest.into_iter().map(|(prefix, bytes)| Share {
        bytes,
        kind: "files",
        name: format!("/{prefix}"),
        version: String::new(),
    });
    let mut shares: Vec<Share> = packages
        .chain(rest)
        .filter(|share| share.bytes > 0)
        .collect();
    shares.sort_by(|left, right| {
        right
            .bytes
            .cmp(&left.bytes)
            .then(left.name.cmp(&right.name))
    });
    shares
}

/// The bytes of several images with what they share counted once.
pub(crate) fn together<'a>(images: impl IntoIterator<Item = &'a Image>) -> u64 {
    let layers: BTreeSet<(Digest, u64)> = images
        .into_iter()
        .flat_map(|image| &image.layers)
        .map(|layer| (layer.diff_id, layer.size))
        .collect();
    layers.into_iter().map(|(_, bytes)| bytes).sum()
}

/// The waste that counts for a service: libraries for graphics processors are none for one that
/// asks for such a device.
pub(crate) fn waste<'a>(
    inventory: &'a Inventory,
    service: Option<&'a Service>,
) -> impl Iterator<Item = &'a Waste> {
    let gpu = service.is_some_and(asks_for_gpu);
    inventory
        .waste
        .iter()
        .filter(move |waste| !(gpu && waste.kind == WasteKind::GpuLibraries))
}

/// Whether a service reserves a device or says `gpus`.
fn asks_for_gpu(service: &Service) -> bool {
    let keys = service.unsupported.iter().map(|key| key.value.as_str());
    keys.into_iter()
        .any(|key| key == "gpus" || key.contains("reservations.devices") || key == "runtime")
}

/// A waste in one line: what, how much, whose.
pub(crate) fn words(waste: &Waste) -> String {
    let what = match waste.kind {
        WasteKind::GpuLibraries => "GPU libraries, and no service asks for a GPU",
        WasteKind::Tests => "tests of packages",
        WasteKind::Copies => "further copies of packages",
        WasteKind::DevelopmentTools => "development tools",
        WasteKind::NodeExtras => "source maps, types and documents",
        WasteKind::Locales => "translations",
        WasteKind::Hidden => "files that a higher layer replaces",
    };
    format!("{}  {what}: {}", size(waste.bytes), waste.owners.join(", "))
}

/// The budget of a service: its own, else the project's.
pub(crate) fn budget<'a>(extensions: &'a Extensions, service: &str) -> Option<&'a Spanned<Budget>> {
    let own = extensions.services.get(service);
    own.and_then(|own| own.budget.as_ref())
        .filter(|budget| budget.value.image.is_some())
        .or(extensions.project.budget.as_ref())
}

/// Says that an image is larger than its budget, and why.
pub(crate) fn over_budget(
    service: &str,
    image: &Image,
    budget: &Spanned<Budget>,
    inventory: &Inventory,
) -> Option<Diagnostic> {
    let allowed = budget.value.image?;
    let bytes = image.size();
    if bytes <= allowed {
        return None;
    }
    let owners: Vec<String> = shares(inventory)
        .iter()
        .take(5)
        .map(|share| format!("{} {}", share.name, size(share.bytes)))
        .collect();
    let mut diagnostic = Diagnostic::error(format!(
        "the image of `{service}` has {}, its budget is {}",
        size(bytes),
        size(allowed)
    ))
    .at(budget.span.clone())
    .hint(format!("most of it: {}", owners.join(" · ")));
    for waste in &inventory.waste {
        diagnostic = diagnostic.hint(format!("{} — {}", words(waste), waste.kind.fix()));
    }
    Some(diagnostic.hint(format!("plimsoll images --why {service}")))
}

/// Whether a share is a package that many know by its ecosystem.
pub(crate) fn counts(inventory: &Inventory) -> Vec<(Ecosystem, usize)> {
    let mut counts: BTreeMap<Ecosystem, usize> = BTreeMap::new();
    for entry in &inventory.components {
        *counts.entry(entry.ecosystem).or_default() += 1;
    }
    counts.into_iter().collect()
}
