//! The stack as the overlays see it: its services, who stores data, who uses which store.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::{Network, RecipeKind};
use serde_json::{Value, json};

use super::document::{literals, replaced, reset};
use crate::dockerfile::{self, Place};
use crate::{Input, Role, Workload, workloads};

/// The networks of a stack that was found rather than written.
pub(super) const FRONT: &str = "front";
pub(super) const BACK: &str = "back";
pub(super) const EGRESS: &str = "egress";
pub(super) const DATABASE: &str = "database";

/// A stack.
pub(super) struct Stack<'a> {
    pub(super) input: &'a Input<'a>,
    pub(super) all: Vec<Workload<'a>>,
    /// Networks of each service in the base file.
    pub(super) networks: BTreeMap<&'a str, BTreeSet<String>>,
}

impl<'a> Stack<'a> {
    pub(super) fn of(input: &'a Input<'a>) -> Self {
        let all = workloads(input);
        let networks = all
            .iter()
            .map(|one| {
                let names = match is_found(input) {
                    true => segments(one),
                    false => one.service.networks.keys().cloned().collect(),
                };
                (one.name(), names)
            })
            .collect();
        Self {
            input,
            all,
            networks,
        }
    }

    /// Whether there is no Compose file yet.
    pub(super) fn is_found(&self) -> bool {
        is_found(self.input)
    }

    /// The first Compose file, as it is named on the command line.
    pub(super) fn base_file(&self) -> String {
        super::base_file(self.input)
    }

    /// The networks that lead nowhere else.
    pub(super) fn internal(&self) -> BTreeSet<String> {
        if self.is_found() {
            return [BACK, DATABASE].map(str::to_owned).into();
        }
        let is_internal = |network: &Network| network.internal;
        self.input
            .project
            .networks
            .iter()
            .filter(|(_, network)| is_internal(network))
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(super) fn datastores(&self) -> impl Iterator<Item = &Workload<'a>> {
        self.all
            .iter()
            .filter(|one| one.store.is_some() && one.service.network_mode.is_none())
    }

    /// The services that use a datastore: they wait for it, or their environment names it. One that
    /// shares a network with it is taken for a user, too, when nothing tells who is.
    pub(super) fn users(&self, store: &Workload<'_>) -> Vec<&'a str> {
        let mine = &self.networks[store.name()];
        let peers = self.all.iter().filter(|one| {
            one.name() != store.name()
                && one.service.network_mode.is_none()
                && !self.networks[one.name()].is_disjoint(mine)
        });
        let names = |text: &str| {
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
                .any(|word| word == store.name())
        };
        peers
            .filter(|one| {
                let says = one.service.depends_on.contains_key(store.name())
                    || one
                        .service
                        .environment
                        .values()
                        .any(|value| value.value.as_deref().is_some_and(names));
                let is_assembled = one.service.recipe.is_some();
                let may = !is_assembled && one.store.is_none() && one.role != Role::Ui;
                says || (may && !one.is_tool() && !one.is_door())
            })
            .map(Workload::name)
            .collect()
    }

    /// Services that people's requests go to: published ones, and those with a route.
    pub(super) fn routed(&self) -> Vec<&Workload<'a>> {
        self.all
            .iter()
            .filter(|one| {
                let says = one
                    .extension
                    .is_some_and(|extension| extension.route.is_some());
                let is_published = one
                    .main()
                    .is_some_and(|listener| listener.http && !listener.published.is_empty());
                let serves = matches!(one.role, Role::Web | Role::Ui);
                one.store.is_none()
                    && one.is_daemon()
                    && one.service.profiles.is_empty()
                    && (says || (serves && is_published && !one.is_tool()))
            })
            .collect()
    }

    /// The project's own proxy, where it takes encrypted requests already: no other stands in front
    /// of it.
    pub(super) fn own_door(&self) -> Option<&Workload<'a>> {
        self.all.iter().find(|one| {
            let mut ports = one.service.ports.iter();
            one.is_door() && ports.any(|port| port.value.published == Some(443))
        })
    }

    /// How others build a service: with the rendered Dockerfile, to one of its stages.
    pub(super) fn build(&self, one: &Workload<'_>, stage: &str) -> Option<Value> {
        let path = dockerfile::path(one)?;
        Place::of(self.input, one.service.recipe.as_ref()?)?;
        Some(json!({ "context": ".", "dockerfile": path, "target": stage }))
    }

    /// The reference of the image that is built for a service.
    pub(super) fn image(&self, one: &Workload<'_>) -> String {
        match &one.service.image {
            Some(image) => super::document::literal(&image.value),
            None => format!("{}:${{VERSION:-latest}}", one.image),
        }
    }

    /// Whether a service is assembled from source in some language.
    pub(super) fn is_assembled(one: &Workload<'_>) -> bool {
        one.service
            .recipe
            .as_ref()
            .is_some_and(|recipe| !matches!(recipe.kind, RecipeKind::Dockerfile(_)))
    }

    /// Replaces what the base file says for an image that is built otherwise here: the command
    /// without a manager that the image does not have, its health check, ports that are listened on.
    pub(super) fn amend(&self, one: &Workload<'_>, value: &mut Value) {
        if !Self::is_assembled(one) || self.is_found() {
            return;
        }
        let Some(node) = self.input.node(one.name()) else {
            return;
        };
        if let Some(said) = node.get("command").filter(|node| !node.is_null()) {
            let said: Vec<&str> = match said.as_list() {
                Some(words) => words.iter().filter_map(|word| word.as_text()).collect(),
                None => said.as_text().into_iter().collect(),
            };
            match &one.service.command {
                None => value["command"] = reset(Value::Null),
                Some(command) if command.value.0 != said => {
                    value["command"] = json!(literals(&command.value.0));
                }
                Some(_) => {}
            }
        }
        // The base's check may call programs that this image has not, or ask where nothing answers.
        let check = node.get("healthcheck");
        if check.and_then(|check| check.get("test")).is_some() {
            value["healthcheck"] = match crate::health::command(one) {
                Some(words) => {
                    let words = literals(&words).into_iter();
                    let test: Vec<String> =
                        std::iter::once("CMD".to_owned()).chain(words).collect();
                    json!({ "test": test })
                }
                None => json!({ "disable": true }),
            };
        }
        let said: BTreeSet<String> = node
            .get("ports")
            .and_then(|ports| ports.as_list())
            .unwrap_or_default()
            .iter()
            .filter_map(|port| port.get("target")?.scalar_text())
            .collect();
        let has = |port: &String| {
            let mut ports = one.service.ports.iter();
            ports.any(|known| known.value.target.to_string() == *port)
        };
        if !said.iter().all(has) {
            let ports = one.service.ports.iter();
            let ports: Vec<String> = ports.map(|it| super::service::port(&it.value)).collect();
            value["ports"] = replaced(json!(ports));
        }
    }

    /// Takes mounts away that the image has the content of: of the source that it is built from, and
    /// of what is installed below that.
    pub(super) fn without_source(&self, one: &Workload<'_>, value: &mut Value) {
        if !Self::is_assembled(one) || self.is_found() {
            return;
        }
        let mounts = &one.service.volumes;
        if !mounts.iter().any(|mount| one.is_in_image(&mount.value)) {
            return;
        }
        let kept: Vec<Value> = mounts
            .iter()
            .filter(|mount| !one.is_in_image(&mount.value))
            .filter_map(|it| super::service::mount(&it.value, &self.input.project.directory))
            .collect();
        value["volumes"] = replaced(json!(kept));
    }

    /// A name that no service has.
    pub(super) fn free_name<'n>(&self, names: &[&'n str]) -> Option<&'n str> {
        names
            .iter()
            .copied()
            .find(|name| !self.input.project.services.contains_key(*name))
    }

    /// The words that a service is started with, where they are known.
    pub(super) fn command(one: &Workload<'_>) -> Vec<String> {
        if one.service.entrypoint.is_some() {
            return Vec::new();
        }
        match (&one.service.command, &one.service.recipe) {
            (Some(command), _) => command.value.0.clone(),
            (None, Some(recipe)) => recipe.command.clone(),
            (None, None) => Vec::new(),
        }
    }
}

fn is_found(input: &Input<'_>) -> bool {
    input.model.is_none()
}

/// The networks of a service that was found: what people reach is in front, what keeps data is in a
/// network that leads nowhere, and what works in between reaches other people's services.
fn segments(one: &Workload<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if one.service.network_mode.is_some() {
        return names;
    }
    if one.store.is_some() {
        names.insert(BACK.to_owned());
        return names;
    }
    let is_front = matches!(one.role, Role::Web | Role::Ui);
    names.insert(if is_front { FRONT } else { EGRESS }.to_owned());
    let passes_on = one.service.recipe.as_ref().is_some_and(
        |recipe| matches!(&recipe.kind, RecipeKind::StaticSite(site) if !site.proxies.is_empty()),
    );
    let talks = !one.service.depends_on.is_empty() || passes_on;
    if one.role != Role::Ui && one.role != Role::Stdio || talks {
        names.insert(BACK.to_owned());
    }
    names
}
