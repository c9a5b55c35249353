//! The packages that a server has at run time: straight from the registry, or out of the tree that
//! the project's package manager made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use plimsoll_diag::Diagnostic;
use plimsoll_model::NodeLayout;

use super::NodeError;
use super::command::{self, APPLICATION, Search, Start};
use super::direct::Direct;
use super::installed::{Closure, Installed};
use super::members::names;
use super::pack::{self, Pack};
use super::server::{RULES, Server};
use super::shell::{self, Called};
use crate::store::{ImageLayer, Segment};
use crate::variant::Variant;
use crate::workshop::Memory;

/// The production packages of a server.
pub(super) struct Packages {
    pub layers: Vec<ImageLayer>,
    pub start: Start,
    /// Directories of the workspace that belong to it.
    pub workspace: BTreeSet<String>,
}

/// Where it is remembered what starts a server with its packages.
fn known_key(key: &str) -> String {
    format!("start of {key}")
}

impl Server<'_> {
    /// The production packages, and what starts the server with them.
    pub(super) fn packages(&self) -> Result<Packages, NodeError> {
        let workshop = self.workshop();
        let called = self.called();
        let mut key = format!(
            "{RULES} {} of {} starting {:?} in {:?}{}",
            self.project.packages_key(workshop.architecture),
            self.project.root,
            self.recipe.command,
            self.server.layout,
            match workshop.variant {
                Variant::Slim => " slim",
                variant if variant.has_tools() => " with tools",
                _ => "",
            },
        );
        if let Some(called) = &called {
            let _ = write!(key, " calling {called:?}");
        }
        let known = known_key(&key);
        if workshop.memory == Memory::Use
            && let Some((start, workspace)) = workshop.store.recall(&known)
            && let Ok(layers) = workshop.layers(&key, || Err(NodeError::Forgotten))
        {
            return Ok(Packages {
                layers,
                start,
                workspace,
            });
        }
        if let Some(direct) = self.direct()?
            && let Some(packages) =
                self.taken_from(&direct.site, &direct.segments, called.as_ref(), &key)?
        {
            return Ok(packages);
        }
        let trees = self.trees()?;
        let tree = self.installed(&trees, workshop.architecture)?;
        self.taken_from(&tree.join("site"), &BTreeMap::new(), called.as_ref(), &key)?
            .ok_or(NodeError::Forgotten)
    }

    /// What a shell calls that starts the service.
    fn called(&self) -> Option<Called> {
        let place = &self.recipe.working_dir;
        let directory = place.strip_prefix(APPLICATION).unwrap_or(place);
        let directory = directory.to_string_lossy();
        let project = shell::Project {
            files: &self.files,
            directory: &directory,
            manifest: self
                .members
                .at(&self.project.root)
                .map(|member| &member.manifest),
        };
        Called::by(&project, &self.recipe.command)
    }

    /// Packages without an installation, where nothing of the project has to run.
    fn direct(&self) -> Result<Option<Direct>, NodeError> {
        let is_plain = matches!(self.server.layout, NodeLayout::Application)
            && self.scripts().is_empty()
            && !self.workshop().variant.has_tools();
        match is_plain {
            true => self.project.direct(APPLICATION.trim_start_matches('/')),
            false => Ok(None),
        }
    }

    /// What a service takes of a tree of packages; `None` where `packed` is not all of it.
    fn taken_from(
        &self,
        site: &Path,
        packed: &BTreeMap<String, Segment>,
        called: Option<&Called>,
        key: &str,
    ) -> Result<Option<Packages>, NodeError> {
        let workshop = self.workshop();
        let installed = Installed {
            site,
            architecture: workshop.architecture,
        };
        let install_root = self.project.install_root().display().to_string();
        let root = &self.project.root;
        let search = Search {
            installed: &installed,
            members: &self.members,
            root,
            install_root: &install_root,
        };
        let started = command::start(&search, &self.recipe.command, called);
        let mut start = match started {
            Err(NodeError::NoProgram { .. }) if !packed.is_empty() => return Ok(None),
            other => other?,
        };
        if workshop.variant.has_tools() {
            for at in [root.as_str(), install_root.as_str()] {
                let member = self.members.at(at);
                let named = member
                    .into_iter()
                    .flat_map(|member| names(&member.manifest));
                start.packages.extend(named.map(str::to_string));
            }
        }
        let closure = installed.closure(&self.members, root, &start.packages);
        // A program may be that of a development dependency, which was not packed.
        let lacks = |name: &String| {
            let found = installed.resolve(root, name, &mut BTreeMap::new());
            found.is_none()
        };
        if !packed.is_empty() && (!closure.missing.is_empty() || start.packages.iter().any(lacks)) {
            return Ok(None);
        }
        let needs_packages = matches!(self.server.layout, NodeLayout::Application);
        let layers = workshop.layers(key, || {
            if !needs_packages {
                return Ok(Vec::new());
            }
            self.tell_of(&closure, installed.site);
            Pack {
                workshop,
                site: installed.site,
                place: APPLICATION.trim_start_matches('/'),
                packed,
            }
            .layers(&closure)
        })?;
        let workspace = closure.workspace;
        let needs: Vec<_> = layers.iter().map(|entry| entry.layer.diff_id).collect();
        workshop
            .store
            .remember(&known_key(key), &(&start, &workspace), &needs)?;
        Ok(Some(Packages {
            layers,
            start,
            workspace,
        }))
    }

    /// Says which packages lack what their install scripts would have made, and which lack others.
    fn tell_of(&self, closure: &Closure, site: &Path) {
        let allowed = self.project.allowed_scripts();
        let without: Vec<String> = closure
            .packages
            .iter()
            .filter(|(place, package)| pack::lacks_build(&site.join(place), &package.manifest))
            .filter(|(_, package)| {
                let name = package.manifest.get("name").and_then(|name| name.as_str());
                name.is_some_and(|name| !allowed.iter().any(|known| known == name))
            })
            .map(|(_, package)| package.label())
            .collect();
        if !without.is_empty() {
            self.project.notice(
                Diagnostic::warning(format!(
                    "install scripts of {} did not run, and the packages hold no program that is \
                     built already",
                    without.join(", ")
                ))
                .hint(
                    "allow them: `allowScripts` of npm, `pnpm.onlyBuiltDependencies`, \
                     `trustedDependencies`",
                ),
            );
        }
        if !closure.missing.is_empty() {
            let told: Vec<String> = closure
                .missing
                .iter()
                .map(|(who, what)| match who.as_str() {
                    "" => format!("`{what}`"),
                    who => format!("`{what}` of `{who}`"),
                })
                .collect();
            self.project.notice(Diagnostic::warning(format!(
                "not installed although `package.json` names it: {}",
                told.join(", ")
            )));
        }
    }
}
