//! What an image consists of: every package of every ecosystem, with the bytes it owns.
//!
//! It is read from the image alone, as a scanner would, so it holds for images of others too.
//! What each layer says is remembered by its DiffID; an inventory is put together from that.

mod component;
mod debian;
mod draft;
mod elf;
mod interpreter;
mod linked;
mod node;
mod owners;
pub(crate) mod python;
mod scan;
/// The crates that a program lists, each with its version.
#[cfg(test)]
pub(crate) fn crates_of(program: &[u8]) -> Option<Vec<String>> {
    let crates = linked::rust(program)?;
    let shown = |found: &linked::Linked| format!("{} {}", found.name, found.version);
    Some(crates.iter().map(shown).collect())
}

#[cfg(test)]
mod tests;
mod view;
mod waste;

use std::collections::{BTreeSet, HashMap};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use component::{Checksum, Component, Ecosystem};
pub(crate) use component::{go_purl, npm_purl, purl, python_purl};
pub use waste::{Waste, WasteKind};

use crate::Digest;
use crate::provenance::Material;
use crate::store::{Image, Store, StoreError};
use debian::Release;
use draft::Draft;
use scan::{LayerFacts, Statement};
use view::View;

/// What an image consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The system's identifier and version: `debian`, `13`. Empty where the image has none.
    pub system: System,
    /// Every package, by ecosystem, name and version.
    pub components: Vec<Component>,
    /// The layers, lowest first.
    pub layers: Vec<InventoryLayer>,
    /// Files that belong to no package, by the beginning of their path and layer.
    pub unowned: Vec<Unowned>,
    /// Bytes that it need not have, the most first.
    pub waste: Vec<Waste>,
}

/// What the operating system of an image says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// `debian`.
    pub id: String,
    /// `13`.
    pub version: String,
    /// `Debian GNU/Linux 13 (trixie)`.
    pub name: String,
}

/// A layer of an inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryLayer {
    /// Its identity.
    pub diff_id: Digest,
    /// Its bytes, not compressed.
    pub bytes: u64,
}

/// Files that belong to no package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unowned {
    /// The beginning of their paths: `app`, `usr/local/lib`.
    pub prefix: String,
    /// The layer that holds them.
    pub layer: usize,
    /// Their bytes.
    pub bytes: u64,
    /// How many they are.
    pub files: u64,
}

impl Inventory {
    /// Reads what an image of the store consists of.
    ///
    /// # Errors
    /// When a layer is missing or cannot be read.
    pub fn of(store: &Store, image: &Image) -> Result<Self, StoreError> {
        let facts = facts(store, image)?;
        let layers = image.layers.iter().map(|layer| InventoryLayer {
            diff_id: layer.diff_id,
            bytes: layer.size,
        });
        Ok(Self::put_together(&facts, layers.collect()))
    }

    /// Whether each of these paths of an image belongs to a package.
    pub(crate) fn owned(
        store: &Store,
        image: &Image,
        paths: &[&str],
    ) -> Result<Vec<bool>, StoreError> {
        let facts = facts(store, image)?;
        let view = View::of(&facts);
        let drafts = Self::drafts(&view, &facts, &System::default());
        Ok(owners::owned(&view, &facts, &drafts, paths))
    }

    fn drafts(view: &View, facts: &[LayerFacts], system: &System) -> Vec<Draft> {
        view.statements(facts)
            .flat_map(|(layer, path, statement)| draft::drafts(layer, path, statement, system))
            .collect()
    }

    fn put_together(facts: &[LayerFacts], layers: Vec<InventoryLayer>) -> Self {
        let view = View::of(facts);
        let statements = || view.statements(facts);
        let system = statements()
            .filter_map(|(_, _, statement)| match statement {
                Statement::Release(release) => Some(release),
                _ => None,
            })
            .next()
            .map(|Release { id, version, name }| System {
                id: id.clone(),
                version: version.clone(),
                name: name.clone(),
            })
            .unwrap_or_default();
        let mut drafts = Self::drafts(&view, facts, &system);
        let mut licences: HashMap<&str, &str> = HashMap::new();
        for (_, _, statement) in statements() {
            if let Statement::DebianLicence(package, licence) = statement {
                licences.insert(package, licence);
            }
        }
        for draft in &mut drafts {
            if draft.component.ecosystem == Ecosystem::Debian {
                let licence = licences.get(draft.component.name.as_str());
                draft.component.licence = licence.map(|text| (*text).to_owned());
            }
        }
        let unowned = owners::assign(&view, facts, &mut drafts);
        // An interpreter that a package brought is that package.
        drafts.retain(|draft| {
            draft.component.ecosystem != Ecosystem::Program || draft.component.bytes > 0
        });
        draft::connect(&mut drafts);
        let tags = statements().filter_map(|(_, path, statement)| match statement {
            Statement::PythonTags(tags) => Some((path.rsplit_once('/')?.0, tags)),
            _ => None,
        });
        let tags: HashMap<&str, &Vec<String>> = tags.collect();
        for draft in &mut drafts {
            if let Some(tags) = tags.get(draft.root.as_str()) {
                draft.component.tags = (*tags).clone();
            }
        }
        let components = draft::merged(&drafts);
        Self {
            system,
            waste: waste::find(&view, facts, &drafts, &components),
            components,
            layers,
            unowned,
        }
    }

    /// Adds checksums that a build knows to the components they are of.
    pub fn add_checksums(&mut self, materials: &BTreeSet<Material>) {
        let plain = |url: &str| url.split('?').next().unwrap_or(url).to_owned();
        let known: HashMap<String, &Material> = materials
            .iter()
            .map(|material| (plain(&material.uri), material))
            .collect();
        for component in &mut self.components {
            let Some(material) = known.get(&plain(&component.purl)) else {
                continue;
            };
            for (algorithm, hex) in &material.digests {
                let checksum = Checksum {
                    algorithm: algorithm.clone(),
                    hex: hex.clone(),
                };
                let usual = algorithm == "sha256" || algorithm == "sha512";
                if usual && !component.checksums.contains(&checksum) {
                    component.checksums.push(checksum);
                }
            }
        }
    }

    /// The bytes that packages own.
    pub fn owned_bytes(&self) -> u64 {
        self.components.iter().map(|entry| entry.bytes).sum()
    }
}

/// What each layer of an image says.
fn facts(store: &Store, image: &Image) -> Result<Vec<LayerFacts>, StoreError> {
    image
        .layers
        .par_iter()
        .map(|layer| LayerFacts::of(store, layer))
        .collect()
}
