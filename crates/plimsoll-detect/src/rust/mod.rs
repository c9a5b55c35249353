//! Rust: programs of cargo packages that listen, speak MCP or work until they are stopped.

mod calls;
mod chats;
mod closure;
mod constants;
mod item;
mod manifest;
mod ports;
mod service;
mod settings;
mod source;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::Diagnostic;

use crate::claims::ImageClaim;
use crate::detection::Rejected;
use crate::found::Found;
use crate::locks::{AskedOfCargo, HeldByCargo, review_cargo};
use crate::places;
use crate::tree::Tree;
use closure::Libraries;
pub(crate) use source::FileItems;

/// What the cargo packages of a tree hold.
#[derive(Debug, Default)]
pub(crate) struct RustFindings {
    pub(crate) found: Vec<Found>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) problems: Vec<Diagnostic>,
}

/// Finds the services that the programs of a tree make. `claimed` is what somebody says who starts a
/// program by its name, which counts even where its place would set it aside.
pub(crate) fn find(tree: &Tree, claimed: &dyn Fn(&str) -> Option<ImageClaim>) -> RustFindings {
    let packages = manifest::packages(tree);
    let mut findings = RustFindings::default();
    let libraries = Libraries::new(tree, &packages);
    let mut locks: BTreeMap<&Path, Option<HeldByCargo>> = BTreeMap::new();
    for package in &packages {
        let held = locks
            .entry(&package.workspace)
            .or_insert_with(|| HeldByCargo::read(tree, &package.workspace));
        if let Some(held) = held {
            let asked = package.dependencies.values().filter_map(asked);
            let manifest = package.root.join("Cargo.toml");
            let told = review_cargo(held, (&manifest, &package.workspace), asked);
            findings.problems.extend(told);
        }
        for binary in &package.binaries {
            let own = source::read(tree, &binary.path);
            let Some(main) = own.main.clone() else {
                continue;
            };
            let path: Arc<Path> = tree.shown(&binary.path);
            let closure = libraries.closure(package, &own);
            let claim = claimed(&binary.name);
            let aside = places::set_aside(&binary.path)
                .or_else(|| is_tool(package, &binary.name).then_some("a tool of the project"))
                .filter(|_| claim.is_none());
            let seen = service::Seen {
                tree,
                package,
                binary,
                main: &main,
                reached: item::reached(&own.items, &closure.items),
                own: &own,
                closure: &closure,
                claim: claim.as_ref(),
            };
            match seen.verdict(aside) {
                Ok(found) => findings.found.push(*found),
                Err((looks_like, why)) => findings.rejected.push(Rejected {
                    path,
                    looks_like: looks_like.to_owned(),
                    why: why.to_owned(),
                }),
            }
        }
    }
    findings
}

/// What a dependency asks a registry for.
fn asked(dependency: &manifest::Dependency) -> Option<AskedOfCargo<'_>> {
    dependency.path.is_none().then_some(AskedOfCargo {
        package: &dependency.package,
        version: dependency.version.as_deref(),
        span: &dependency.span,
    })
}

/// Whether a program serves those who work on the project, by its name.
fn is_tool(package: &manifest::Package, binary: &str) -> bool {
    let directory = package.root.file_name().and_then(|name| name.to_str());
    [Some(binary), directory]
        .into_iter()
        .flatten()
        .any(|name| matches!(name, "xtask" | "tools" | "codegen" | "fuzz"))
}

#[cfg(test)]
mod tests;
