//! Go: main packages that listen, speak MCP or work until they are stopped.

mod chats;
mod commands;
mod connections;
mod fields;
mod files;
mod function;
mod gathered;
mod listening;
mod manifest;
mod package;
mod ports;
mod service;
mod settings;
mod tagged;
mod transport;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Span};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::claims::ImageClaim;
use crate::detection::Rejected;
use crate::found::Found;
use crate::memory::{FactKind, Facts};
use crate::places;
use crate::syntax::{Grammar, Source};
use crate::tree::{File, Tree};
use function::Function;
use manifest::Module;
pub(crate) use manifest::directives;
use package::Package;

/// What the Go packages of a tree hold.
#[derive(Debug, Default)]
pub(crate) struct GoFindings {
    pub(crate) found: Vec<Found>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) problems: Vec<Diagnostic>,
}

/// A program that serves, and who starts it.
struct Server {
    found: Box<Found>,
    /// Where its module lies.
    root: PathBuf,
    /// The file with its `main`.
    path: Arc<Path>,
    /// Whether an image starts it.
    by_image: bool,
    /// Whether it has many commands, of which serving is one.
    by_command: bool,
}

/// The packages of a tree, and the modules they belong to.
struct Program {
    modules: Vec<Module>,
    packages: BTreeMap<PathBuf, Package>,
}

/// A main package with everything it imports from the tree.
struct Closure<'p> {
    /// The functions of other packages.
    imported: Vec<&'p Function>,
    /// What is imported from elsewhere.
    foreign: BTreeMap<String, Span>,
    /// The directories of its packages.
    directories: BTreeSet<PathBuf>,
    cgo: bool,
}

/// Finds the services that the main packages of a tree make. `claimed` is what somebody says who builds
/// a directory into a program of a name, which counts even where its place would set it aside.
pub(crate) fn find(tree: &Tree, claimed: &dyn Fn(&Path, &str) -> Option<ImageClaim>) -> GoFindings {
    let modules = manifest::modules(tree);
    let mut findings = GoFindings::default();
    if modules.is_empty() {
        return findings;
    }
    let own: Vec<&str> = modules.iter().map(|module| module.path.as_str()).collect();
    for module in &modules {
        let told = crate::locks::review_go(tree, &module.root.join("go.mod"), &own);
        findings.problems.extend(told);
    }
    let program = Program {
        packages: packages(tree, &modules),
        modules,
    };
    let mut servers = Vec::new();
    for (directory, package) in &program.packages {
        let Some(main) = &package.main else {
            continue;
        };
        let Some(module) = manifest::of(&program.modules, directory) else {
            continue;
        };
        let closure = program.closure(directory, package);
        let claim = claimed(directory, &module.program(directory));
        let path: Arc<Path> = main.file.clone();
        let reached = function::reached(&package.functions, &closure.imported);
        let program_name = module.program(directory);
        let served = commands::served(&reached, &program_name, claim.as_ref());
        let served = served.map(str::to_owned);
        let seen = service::Seen {
            tree,
            module,
            directory,
            package,
            main,
            closure: &closure,
            certain: function::certain(&package.functions, &closure.imported, served.as_deref()),
            reached,
            served,
            claim: claim.as_ref(),
        };
        let aside = places::set_aside(&directory.join("main.go"))
            .or_else(|| {
                let is_tool = package::is_tool(module.purpose(directory));
                is_tool.then_some("a tool of the project")
            })
            .filter(|_| claim.is_none());
        match seen.verdict(aside) {
            Ok(found) => servers.push(Server {
                found,
                root: module.root.clone(),
                path,
                by_image: claim.as_ref().is_some_and(|claim| claim.started),
                by_command: seen.is_command_line(),
            }),
            Err((looks_like, why)) => findings.rejected.push(Rejected {
                path,
                looks_like: looks_like.to_owned(),
                why: why.to_owned(),
            }),
        }
    }
    let started: BTreeSet<PathBuf> = servers
        .iter()
        .filter(|server| server.by_image)
        .map(|server| server.root.clone())
        .collect();
    for server in servers {
        // Beside a server that an image starts, a program of many commands is for whoever works with it.
        let by_hand = server.by_command && !server.by_image && started.contains(&server.root);
        match by_hand {
            false => findings.found.push(*server.found),
            true => findings.rejected.push(Rejected {
                path: server.path,
                looks_like: "Go server".to_owned(),
                why: "a program for the command line".to_owned(),
            }),
        }
    }
    findings
}

/// What one file says of its package.
#[derive(Serialize, Deserialize)]
pub(crate) struct GoFile(Package);

impl Facts for GoFile {
    const KIND: FactKind = FactKind::GoFile;

    fn read(_: &Path, shown: Arc<Path>, text: String) -> Option<Self> {
        let source = Source::parse(shown, text, Grammar::Go)?;
        Some(Self(package::read(&source)))
    }
}

/// Every package of a tree that is part of a module.
fn packages(tree: &Tree, modules: &[Module]) -> BTreeMap<PathBuf, Package> {
    let belongs = |file: &&File| {
        let name = file.path.file_name().and_then(|name| name.to_str());
        let directory = file.path.parent();
        name.is_some_and(package::is_for_linux)
            && directory.is_some_and(|directory| manifest::of(modules, directory).is_some())
    };
    let files: Vec<&File> = tree.files().iter().filter(belongs).collect();
    let read: Vec<(&Path, Package)> = files
        .into_par_iter()
        .filter_map(|file| {
            let GoFile(said) = tree.facts(&file.path)?;
            Some((file.path.parent()?, said))
        })
        .collect();
    let mut packages: BTreeMap<PathBuf, Package> = BTreeMap::new();
    for (directory, said) in read {
        packages.entry(directory.to_owned()).or_default().add(said);
    }
    packages
}

impl Program {
    /// Follows the imports of a main package.
    fn closure<'p>(&'p self, directory: &Path, package: &'p Package) -> Closure<'p> {
        let mut closure = Closure {
            imported: Vec::new(),
            foreign: BTreeMap::new(),
            directories: BTreeSet::from([directory.to_owned()]),
            cgo: package.cgo,
        };
        let mut open: Vec<&Package> = vec![package];
        while let Some(package) = open.pop() {
            for (import, span) in &package.imports {
                let Some(inside) = self.directory_of(import) else {
                    closure.foreign.insert(import.clone(), span.clone());
                    continue;
                };
                if let Some(next) = self.packages.get(&inside)
                    && closure.directories.insert(inside)
                {
                    closure.imported.extend(&next.functions);
                    closure.cgo |= next.cgo;
                    open.push(next);
                }
            }
        }
        closure
    }

    /// The directory of an import that the tree itself holds.
    fn directory_of(&self, import: &str) -> Option<PathBuf> {
        self.modules
            .iter()
            .filter_map(|module| {
                let rest = import.strip_prefix(&module.path)?;
                let inside = rest.is_empty() || rest.starts_with('/');
                inside.then(|| {
                    (
                        module.path.len(),
                        module.root.join(rest.trim_start_matches('/')),
                    )
                })
            })
            .max_by_key(|(length, _)| *length)
            .map(|(_, directory)| directory)
    }
}

#[cfg(test)]
mod tests;
