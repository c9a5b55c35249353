//! `Cargo.lock`, held against the manifests of its workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use plimsoll_diag::{Diagnostic, Span, Spanned};

use super::{Strays, told};
use crate::document::Item;
use crate::places;
use crate::tree::Tree;

/// A crate that a manifest asks a registry for.
pub(crate) struct Asked<'p> {
    /// Its name in the registry.
    pub(crate) package: &'p str,
    /// The versions that fit, as cargo writes them.
    pub(crate) version: Option<&'p str>,
    pub(crate) span: &'p Span,
}

/// What the lock file of a workspace holds: versions by name.
pub(crate) struct Held(BTreeMap<String, BTreeSet<String>>);

impl Held {
    /// Reads the lock file of a directory.
    pub(crate) fn read(tree: &Tree, directory: &Path) -> Option<Self> {
        let item = Item::toml(&tree.manifest(&directory.join("Cargo.lock"))?).ok()?;
        let mut held: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for package in item.get(&["package"])?.list() {
            if let (Some(name), Some(version)) =
                (package.text(&["name"]), package.text(&["version"]))
            {
                held.entry(name.to_owned())
                    .or_default()
                    .insert(version.to_owned());
            }
        }
        Some(Self(held))
    }
}

/// What the manifest at `path` asks for and the lock file of its workspace does not have.
pub(crate) fn review<'p>(
    held: &Held,
    (path, workspace): (&Path, &Path),
    asked: impl Iterator<Item = Asked<'p>>,
) -> Vec<Diagnostic> {
    if places::set_aside(path).is_some() {
        return Vec::new();
    }
    let strays = asked
        .filter_map(|one| {
            let how = match held.0.get(one.package) {
                None => Strays::Lacks,
                Some(versions) => otherwise(one.version?, versions)?,
            };
            let name = match (&how, one.version) {
                (Strays::Holds(_), Some(version)) => format!("{} {version}", one.package),
                _ => one.package.to_owned(),
            };
            Some((Spanned::new(name, one.span.clone()), how))
        })
        .collect();
    let make = "cargo update --workspace";
    told(&workspace.join("Cargo.lock"), strays, make)
}

/// What is held in the place of a version that was asked for.
fn otherwise(version: &str, held: &BTreeSet<String>) -> Option<Strays> {
    let range = semver::VersionReq::parse(version).ok()?;
    let fits = |version: &String| match semver::Version::parse(version) {
        Ok(version) => range.matches(&version),
        Err(_) => true,
    };
    let held_text: Vec<&str> = held.iter().map(String::as_str).collect();
    (!held.iter().any(fits)).then(|| Strays::Holds(format!("holds {}", held_text.join(" and "))))
}
