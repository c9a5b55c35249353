//! Kubernetes manifests: a kustomize base and one overlay for each environment.
//!
//! Names stay as the Compose file has them, since code finds its peers by them; a name that
//! Kubernetes does not allow is refused with a fix. Everything runs at the level `restricted` of the
//! Pod Security Standards, in a namespace that denies all traffic that no network of the model
//! allows. Values of secrets are never written: what refers to them is.

mod configuration;
mod keys;
mod names;
mod network;
mod object;
mod overlay;
mod pod;
mod probes;
mod scaling;
mod security;
mod storage;
mod waves;
mod workload;

use serde_json::Value;

use crate::{Input, Rendering, workloads, yaml};
use object::Cluster;

/// Where the manifests go.
const ROOT: &str = "kubernetes";

/// Renders the manifests.
pub fn render(input: &Input<'_>) -> Rendering {
    let (cluster, mut rendering) = objects(input);
    let mut resources = Vec::new();
    for (file, objects) in cluster.files() {
        rendering.file(format!("{ROOT}/base/{file}"), documents(objects));
        resources.push(file.to_owned());
    }
    overlay::write(input, &resources, &mut rendering);
    rendering
}

/// The objects of the base, by file, and what they do not say.
pub(crate) fn objects<'a>(input: &Input<'a>) -> (Cluster<'a>, Rendering) {
    let mut rendering = Rendering::default();
    let all = workloads(input);
    names::check(input, &all, &mut rendering.losses);
    let waves = waves::waves(&all);
    let mut cluster = Cluster::new(input.project);
    cluster.namespace();
    for (index, one) in all.iter().enumerate() {
        if names::is_refused(one.name()) {
            continue;
        }
        keys::losses(input, one, &mut rendering.losses);
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
        file.extend(network::services(&cluster, one, &all));
        file.extend(network::routes(&cluster, input, one));
        file.extend(scaling::objects(&cluster, one));
        cluster.add(format!("{}.yaml", one.name()), file);
    }
    let policies = network::policies(&cluster, input, &all, &mut rendering.losses);
    cluster.add("network-policies.yaml".to_owned(), policies);
    (cluster, rendering)
}

/// Objects as documents of one file.
pub(crate) fn documents(objects: &[Value]) -> String {
    objects.iter().map(yaml).collect::<Vec<_>>().join("---\n")
}
