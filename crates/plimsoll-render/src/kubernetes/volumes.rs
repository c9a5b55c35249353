//! Volumes whose content is not kept in a claim of the usual class.

use plimsoll_model::VolumeBacking;
use plimsoll_model::yaml::Node;
use serde_json::{Value, json};

use super::names::allowed;
use super::object::Cluster;
use crate::{Fidelity, Input, Loss, Workload};

/// Room for a volume in memory that says no size.
const USUAL_MEMORY: u64 = 64 << 20;

/// The size of a volume that is memory of each pod.
pub(super) fn of_memory(input: &Input<'_>, volume: &str) -> Option<u64> {
    match &input.project.volumes.get(volume)?.backing {
        VolumeBacking::Tmpfs { size, .. } => Some(size.unwrap_or(USUAL_MEMORY)),
        VolumeBacking::Directory | VolumeBacking::Bind { .. } => None,
    }
}

/// Whether a claim is made for a volume.
pub(super) fn is_claimed(input: &Input<'_>, volume: &str) -> bool {
    of_memory(input, volume).is_none()
}

/// The PersistentVolume of a volume that is a share of an NFS server; its claim is bound to it.
pub(super) fn of_network_share(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    volume: &str,
    claim: &mut Value,
) -> Option<Value> {
    let (server, path) = share(input, volume)?;
    let name = format!("{}-{}", cluster.project_name(), allowed(volume));
    claim["storageClassName"] = json!("");
    claim["volumeName"] = json!(name);
    claim["accessModes"] = json!(["ReadWriteMany"]);
    Some(json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": name, "labels": cluster.labels(one) },
        "spec": {
            "capacity": claim["resources"]["requests"],
            "accessModes": ["ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "nfs": { "server": server, "path": path },
        },
    }))
}

/// Server and path of a volume with `driver_opts: {type: nfs, o: addr=SERVER, device: :/PATH}`.
fn share(input: &Input<'_>, volume: &str) -> Option<(String, String)> {
    let options = input.model?.find(&["volumes", volume, "driver_opts"])?;
    let text = |key: &str| options.get(key).and_then(Node::as_text);
    if !matches!(text("type"), Some("nfs" | "nfs4")) {
        return None;
    }
    let server = text("o")?
        .split(',')
        .find_map(|option| option.strip_prefix("addr="))?;
    let path = text("device")?.trim_start_matches(':');
    Some((server.to_owned(), path.to_owned()))
}

/// What is lost of the project's volumes.
pub(super) fn losses(input: &Input<'_>, losses: &mut Vec<Loss>) {
    for (name, volume) in &input.project.volumes {
        let subject = format!("volumes.{name}");
        if let VolumeBacking::Bind { directory, .. } = &volume.backing {
            losses.push(
                Loss::new(
                    Fidelity::Approximate,
                    subject,
                    format!(
                        "a claim takes the place of the directory `{}` of the host",
                        directory.display()
                    ),
                )
                .at(volume.span.clone()),
            );
            continue;
        }
        let node = input.model.and_then(|model| model.find(&["volumes", name]));
        let driver = node
            .and_then(|node| node.get("driver"))
            .and_then(Node::as_text)
            .filter(|driver| *driver != "local");
        let has_options = node
            .and_then(|node| node.get("driver_opts"))
            .and_then(Node::as_map)
            .is_some_and(|options| !options.is_empty());
        if driver.is_some()
            || (has_options
                && share(input, name).is_none()
                && volume.backing == VolumeBacking::Directory)
        {
            losses.push(
                Loss::new(
                    Fidelity::Dropped,
                    subject,
                    "the driver of a volume and its options mean nothing here; a claim of the usual class is made",
                )
                .at(volume.span.clone())
                .hint("patch `storageClassName` of the claim in an overlay"),
            );
        }
    }
}
