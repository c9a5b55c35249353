//! Kubernetes manifests: a kustomize base and one overlay for each environment.
//!
//! Names stay as the Compose file has them, since code finds its peers by them; a name that
//! Kubernetes does not allow is refused with a fix. Everything runs at the level `restricted` of the
//! Pod Security Standards, in a namespace that denies all traffic that no network of the model
//! allows. Values of secrets are never written: what refers to them is.

mod bounds;
mod configuration;
pub mod keys;
pub(crate) mod mesh;
mod monitors;
mod names;
pub(crate) mod network;
pub(crate) mod object;
pub(crate) mod overlay;
mod placement;
pub(crate) mod pod;
mod probes;
pub(crate) mod routes;
pub(crate) mod scaling;
pub(crate) mod secrets;
mod security;
mod services;
mod storage;
mod volumes;
mod waves;
mod workload;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::header::header;
use crate::{Input, Rendering, workloads, yaml};
pub(crate) use names::allowed_namespace;
use object::Cluster;

/// Where the manifests go.
const ROOT: &str = "kubernetes";

/// Renders the manifests.
pub fn render(input: &Input<'_>) -> Rendering {
    let (cluster, mut rendering) = objects(input);
    let mut resources = Vec::new();
    let mut profiles: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let components: BTreeMap<String, String> = workloads(input)
        .iter()
        .filter_map(|one| Some((format!("{}.yaml", one.name()), overlay::component(one)?)))
        .collect();
    for (file, objects) in cluster.files() {
        let place = match components.get(file) {
            Some(component) => {
                profiles
                    .entry(component.clone())
                    .or_default()
                    .push(file.to_owned());
                format!("components/{component}")
            }
            None => {
                resources.push(file.to_owned());
                "base".to_owned()
            }
        };
        rendering.file(format!("{ROOT}/{place}/{file}"), documents(input, objects));
    }
    overlay::write(input, &resources, &profiles, &mut rendering);
    rendering
}

/// The objects of the base, by file, and what they do not say.
pub(crate) fn objects<'a>(input: &Input<'a>) -> (Cluster<'a>, Rendering) {
    let mut rendering = Rendering::default();
    let all = workloads(input);
    names::check(input, &all, &mut rendering.losses);
    let waves = waves::waves(&all);
    let mut cluster = Cluster::new(input);
    cluster.namespace();
    for (index, one) in all.iter().enumerate() {
        if names::is_refused(one.name()) {
            continue;
        }
        keys::losses(input, one, &mut rendering.losses);
        rendering.losses.extend(one.moving_image());
        rendering.losses.extend(one.unpublished_image(input));
        if input
            .node(one.name())
            .is_some_and(|node| node.get("provider").is_some())
        {
            continue;
        }
        let mut file = Vec::new();
        file.push(configuration::account(&cluster, one));
        file.extend(configuration::objects(
            &cluster,
            input,
            one,
            &mut rendering.losses,
        ));
        file.extend(storage::claims(&cluster, input, one, &mut rendering.losses));
        file.extend(workload::objects(
            &cluster,
            input,
            one,
            &all,
            waves[index],
            &mut rendering.losses,
        ));
        file.extend(services::services(
            &cluster,
            input,
            one,
            &all,
            &mut rendering.losses,
        ));
        file.extend(scaling::objects(&cluster, one));
        file.extend(monitors::objects(&cluster, input, one));
        cluster.add(format!("{}.yaml", one.name()), file);
    }
    volumes::losses(input, &mut rendering.losses);
    routes::losses(input, &all, &mut rendering.losses);
    routes::local_addresses(input, &all, &mut rendering.losses);
    let policies = network::policies(&cluster, input, &all, &mut rendering.losses);
    cluster.add("network-policies.yaml".to_owned(), policies);
    (cluster, rendering)
}

/// Objects as documents of one file.
pub(crate) fn documents(input: &Input<'_>, objects: &[Value]) -> String {
    let text: Vec<String> = objects.iter().map(yaml).collect();
    format!("{}{}", header(input, "kubernetes"), text.join("---\n"))
}
