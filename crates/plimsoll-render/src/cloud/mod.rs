//! Files for homes that run one image each: AWS ECS Fargate, Google Cloud Run, Azure Container Apps,
//! Fly.io and Railway.
//!
//! Only services that are built from source move there. Stores are the home's own: what names one, or
//! a developer's machine, is given as secrets are, and no value of these is written.

mod cloud_run;
mod container_apps;
mod ecs;
mod fly;
mod railway;

use std::collections::{BTreeMap, BTreeSet};

use crate::header::header;
use crate::{Fidelity, Input, Loss, ProbeTest, Rendering, Role, Workload, json, workloads, yaml};

/// A service as a home takes it.
struct Tenant<'a> {
    input: &'a Input<'a>,
    one: &'a Workload<'a>,
    /// Variables with a value that is the same everywhere.
    plain: BTreeMap<&'a str, &'a str>,
    /// Variables whose values the home keeps: secrets, and addresses of stores and of a developer's
    /// machine.
    kept: BTreeSet<&'a str>,
}

impl<'a> Tenant<'a> {
    fn of(input: &'a Input<'a>, one: &'a Workload<'a>, stores: &[&str]) -> Self {
        let mut plain = BTreeMap::new();
        let mut kept = BTreeSet::new();
        for (name, said) in &one.service.environment {
            let value = said.value.as_deref().unwrap_or_default();
            if one.secret_variables.contains(name) || names_one(value, stores) {
                kept.insert(name.as_str());
            } else if !value.is_empty() {
                plain.insert(name.as_str(), value);
            }
        }
        Self {
            input,
            one,
            plain,
            kept,
        }
    }

    /// `PROJECT-SERVICE`.
    fn name(&self) -> String {
        format!("{}-{}", self.input.namespace(), self.one.name())
    }

    /// The port that requests come to.
    fn port(&self) -> Option<u16> {
        self.one
            .main()
            .filter(|main| main.http)
            .map(|main| main.port)
    }

    /// Whether people's requests come to it.
    fn is_public(&self) -> bool {
        matches!(self.one.role, Role::Web | Role::Ui) && self.port().is_some()
    }

    /// The path that tells of its health.
    fn health(&self) -> Option<&'a str> {
        match self.one.probe.as_ref().map(|probe| &probe.test) {
            Some(ProbeTest::Http { path, .. }) => Some(path),
            _ => None,
        }
    }

    /// What it is started with, where its image starts otherwise.
    fn command(&self) -> Option<Vec<String>> {
        let said = self.one.service.command.as_ref()?;
        let lasting = self.one.lasting_command(&mut Vec::new());
        Some(lasting.unwrap_or_else(|| said.value.0.clone()))
    }

    /// Processors.
    fn cpus(&self) -> f64 {
        let usual = self.one.usual_limits();
        self.one.service.limits.cpus.unwrap_or(usual.cpus)
    }

    /// Memory in MiB.
    fn mebibytes(&self) -> u64 {
        let usual = self.one.usual_limits();
        let bytes = self.one.service.limits.memory.unwrap_or(usual.memory());
        bytes.div_ceil(1 << 20)
    }
}

/// Whether a value names one of these hosts.
fn names_one(value: &str, hosts: &[&str]) -> bool {
    value
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
        .any(|word| hosts.contains(&word))
}

/// Renders the files of every home.
pub fn render(input: &Input<'_>) -> Rendering {
    let mut rendering = Rendering::default();
    let all = workloads(input);
    let stores: Vec<&str> = all
        .iter()
        .filter(|one| one.store.is_some())
        .map(Workload::name)
        .chain(["localhost", "127"])
        .collect();
    for one in all.iter().filter(|one| one.is_built() && one.is_daemon()) {
        let tenant = Tenant::of(input, one, &stores);
        let name = one.name();
        if one.is_stateful() {
            rendering.losses.push(
                Loss::new(
                    Fidelity::Dropped,
                    format!("services.{name}.volumes"),
                    "homes in clouds keep no volumes of Compose; what it writes there ends with its container",
                )
                .at(one.service.span.clone())
                .hint("keep it in a database or a bucket, or attach the home's own volume"),
            );
        }
        rendering.file(format!("cloud/ecs/{name}.json"), json(&ecs::task(&tenant)));
        let text = |value| format!("{}{}", header(input, "cloud"), yaml(&value));
        rendering.file(
            format!("cloud/cloud-run/{name}.yaml"),
            text(cloud_run::object(&tenant)),
        );
        rendering.file(
            format!("cloud/container-apps/{name}.yaml"),
            text(container_apps::app(&tenant)),
        );
        let machine = fly::configuration(&tenant);
        rendering.file(
            format!("cloud/fly/{name}.toml"),
            format!("{}{machine}", header(input, "cloud")),
        );
        rendering.file(
            format!("cloud/railway/{name}.json"),
            json(&railway::configuration(&tenant)),
        );
    }
    rendering
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_of_hosts_count() {
        assert!(names_one("redis://redis:6379/0", &["redis"]));
        assert!(names_one("db:5432", &["db"]));
        assert!(!names_one("postgres-only", &["postgres"]));
    }
}
