//! Volumes: claims for what lasts, memory for what does not.

use std::collections::BTreeSet;
use std::path::Path;

use plimsoll_model::{Mount, MountKind};
use serde_json::{Value, json};

use super::names::allowed;
use super::object::Cluster;
use super::{security, volumes};
use crate::workload::has_volume;
use crate::{Fidelity, Input, Loss, Role, Workload};

/// Room for a volume that says nothing.
const USUAL_SIZE: u64 = 10 << 30;

/// Files up to this size fit into a ConfigMap.
const SMALL: usize = 1 << 20;

/// A volume of a pod, and where it is mounted.
pub(super) struct Mounted {
    pub(super) volume: Value,
    pub(super) mount: Value,
}

/// Whether a workload keeps its volumes for itself: a claim for each of its pods.
pub(super) fn has_claim_templates(one: &Workload<'_>) -> bool {
    one.role == Role::Datastore && one.is_stateful() && !one.shares_volumes
}

/// The claims that stand alone: those of workloads without claim templates.
pub(super) fn claims(
    cluster: &Cluster<'_>,
    input: &Input<'_>,
    one: &Workload<'_>,
    losses: &mut Vec<Loss>,
) -> Vec<Value> {
    if has_claim_templates(one) {
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    one.volumes()
        .filter(|(name, _)| !is_external(input, name) && is_first_user(input, one, name))
        .filter(|(name, _)| volumes::is_claimed(input, name) && seen.insert(*name))
        .flat_map(|(name, _)| {
            let shared = users(input, name) > 1;
            if shared {
                losses.push(
                    Loss::new(
                        Fidelity::Approximate,
                        format!("volumes.{name}"),
                        "several services mount it, so its claim asks for `ReadWriteMany`, which not every storage class has",
                    )
                    .at(input.project.volumes.get(name).and_then(|volume| volume.span.clone())),
                );
            }
            let mut spec = claim_spec(one, if shared { "ReadWriteMany" } else { "ReadWriteOnce" }, losses);
            let exported = volumes::of_network_share(cluster, input, one, name, &mut spec);
            let claim = json!({
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": cluster.metadata(&allowed(name), one),
                "spec": spec,
            });
            exported.into_iter().chain([claim])
        })
        .collect()
}

/// The claims that each pod of a StatefulSet gets.
pub(super) fn templates(one: &Workload<'_>, losses: &mut Vec<Loss>) -> Vec<Value> {
    if !has_claim_templates(one) {
        return Vec::new();
    }
    one.volumes()
        .map(|(name, _)| {
            json!({
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": { "name": allowed(name) },
                "spec": claim_spec(one, "ReadWriteOnce", losses),
            })
        })
        .collect()
}

fn claim_spec(one: &Workload<'_>, access: &str, losses: &mut Vec<Loss>) -> Value {
    let said = one
        .extension
        .and_then(|extension| extension.data.as_ref())
        .and_then(|data| data.value.size);
    if said.is_none() {
        losses.push(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.volumes", one.name()),
                "no size is said for its data; its claim asks for 10Gi",
            )
            .at(one.service.span.clone())
            .hint("set `x-plimsoll.data.size`"),
        );
    }
    json!({
        "accessModes": [access],
        "resources": { "requests": { "storage": quantity(said.unwrap_or(USUAL_SIZE)) } },
    })
}

/// Bytes as Kubernetes writes them, exact.
pub(super) fn quantity(bytes: u64) -> String {
    for (unit, shift) in [("Gi", 30), ("Mi", 20), ("Ki", 10)] {
        if bytes > 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// Whether a volume exists outside of the project.
pub(super) fn is_external(input: &Input<'_>, volume: &str) -> bool {
    input
        .project
        .volumes
        .get(volume)
        .is_some_and(|volume| volume.external)
}

fn users(input: &Input<'_>, volume: &str) -> usize {
    input
        .project
        .services
        .values()
        .filter(|service| has_volume(input.project, service, volume))
        .count()
}

fn is_first_user(input: &Input<'_>, one: &Workload<'_>, volume: &str) -> bool {
    input
        .project
        .services
        .values()
        .find(|service| has_volume(input.project, service, volume))
        .is_some_and(|first| first.name == one.name())
}

/// The volumes of a pod with their mounts.
pub(super) fn volumes(
    input: &Input<'_>,
    one: &Workload<'_>,
    losses: &mut Vec<Loss>,
) -> Vec<Mounted> {
    let mut all = Vec::new();
    for (index, mount) in one.mounts.iter().enumerate() {
        let is_volume = matches!(mount.value.kind, MountKind::Volume { .. });
        if is_volume && one.is_in_image(&mount.value) {
            losses.push(
                Loss::new(
                    Fidelity::Approximate,
                    format!("services.{}.volumes[{index}]", one.name()),
                    "it keeps what is installed beside a mount of the source, for development; the image has it",
                )
                .at(mount.span.clone()),
            );
            continue;
        }
        all.extend(of_mount(
            input,
            one,
            index,
            &mount.value,
            mount.span.clone(),
            losses,
        ));
    }
    // A volume that is mounted twice is one volume of the pod.
    let mut named = BTreeSet::new();
    for mounted in &mut all {
        if let Some(name) = mounted.volume.get("name").and_then(Value::as_str)
            && !named.insert(name.to_owned())
        {
            mounted.volume = Value::Null;
        }
    }
    let taken: Vec<&Path> = one
        .mounts
        .iter()
        .map(|mount| mount.value.target.as_path())
        .collect();
    for path in security::scratch(one) {
        if taken.iter().any(|taken| Path::new(path).starts_with(taken)) {
            continue;
        }
        let name = format!("memory{}", allowed(path).trim_start_matches('x'));
        all.push(Mounted {
            volume: json!({ "name": name, "emptyDir": { "medium": "Memory", "sizeLimit": "64Mi" } }),
            mount: json!({ "name": name, "mountPath": path }),
        });
    }
    if let Some(size) = one.service.shm_size {
        all.push(Mounted {
            volume: json!({
                "name": "shm",
                "emptyDir": { "medium": "Memory", "sizeLimit": quantity(size) },
            }),
            mount: json!({ "name": "shm", "mountPath": "/dev/shm" }),
        });
    }
    all
}

fn of_mount(
    input: &Input<'_>,
    one: &Workload<'_>,
    index: usize,
    mount: &Mount,
    span: Option<plimsoll_diag::Span>,
    losses: &mut Vec<Loss>,
) -> Option<Mounted> {
    let subject = format!("services.{}.volumes[{index}]", one.name());
    let at = |name: &str, sub_path: Option<&str>| {
        json!({
            "name": name,
            "mountPath": mount.target,
            "readOnly": mount.read_only.then_some(true),
            "subPath": sub_path,
        })
    };
    match &mount.kind {
        MountKind::Volume {
            name: Some(name),
            subpath,
            nocopy,
        } => {
            let own = allowed(name);
            if !nocopy && one.store.is_none() {
                losses.push(
                    Loss::new(
                        Fidelity::Approximate,
                        subject,
                        "an empty volume stays empty: a cluster does not fill it from the image",
                    )
                    .at(span)
                    .hint("write `volume: { nocopy: true }` where nothing of the image is needed there"),
                );
            }
            // The root of a fresh file system is not empty (`lost+found`), which databases refuse.
            let below = subpath
                .as_ref()
                .map(|path| path.display().to_string())
                .or_else(|| has_claim_templates(one).then(|| "data".to_owned()));
            let volume = if has_claim_templates(one) {
                Value::Null
            } else if let Some(size) = volumes::of_memory(input, name) {
                json!({
                    "name": own,
                    "emptyDir": { "medium": "Memory", "sizeLimit": quantity(size) },
                })
            } else {
                json!({ "name": own, "persistentVolumeClaim": { "claimName": own } })
            };
            Some(Mounted {
                volume,
                mount: at(&own, below.as_deref()),
            })
        }
        MountKind::Volume { name: None, .. } => {
            let name = format!("anonymous-{index}");
            Some(Mounted {
                volume: with_empty(&name, "emptyDir", json!({})),
                mount: at(&name, None),
            })
        }
        MountKind::Image { reference, subpath } => {
            let name = format!("image-{index}");
            losses.push(
                Loss::new(
                    Fidelity::Approximate,
                    subject,
                    "a volume of an image needs a cluster whose nodes support it (1.33 and newer)",
                )
                .at(span),
            );
            let below = subpath.as_ref().map(|path| path.display().to_string());
            let mut mount = at(&name, below.as_deref());
            mount["readOnly"] = json!(true);
            Some(Mounted {
                volume: json!({ "name": name, "image": { "reference": reference } }),
                mount,
            })
        }
        MountKind::Tmpfs { size, .. } => {
            let name = format!("tmpfs-{index}");
            Some(Mounted {
                volume: json!({
                    "name": name,
                    "emptyDir": { "medium": "Memory", "sizeLimit": quantity(size.unwrap_or(64 << 20)) },
                }),
                mount: at(&name, None),
            })
        }
        MountKind::Bind { source, .. } => match input.contents.get(source) {
            Some(text) if text.len() <= SMALL => {
                let name = format!("file-{index}");
                let file = source.file_name()?.to_string_lossy().into_owned();
                Some(Mounted {
                    volume: json!({
                        "name": name,
                        "configMap": { "name": file_map(one, index) },
                    }),
                    mount: json!({
                        "name": name,
                        "mountPath": mount.target,
                        "subPath": file,
                        "readOnly": true,
                    }),
                })
            }
            _ => {
                let inside = source.starts_with(&input.project.directory);
                let loss = if is_engine_socket(source) {
                    Loss::new(
                        Fidelity::Refused,
                        subject,
                        "the socket of a container engine gives a pod the whole node",
                    )
                    .hint("drop it; Kubernetes has its own API for what is started")
                } else if inside {
                    Loss::new(
                        Fidelity::Dropped,
                        subject,
                        "files of the project belong into the image, not on the node",
                    )
                    .hint("leave the mount to development: put it in `compose.dev.yaml`")
                } else {
                    Loss::new(
                        Fidelity::Refused,
                        subject,
                        "a directory of the node is not mounted at the level `restricted`",
                    )
                    .hint("use a named volume")
                };
                losses.push(loss.at(span));
                None
            }
        },
    }
}

fn is_engine_socket(path: &Path) -> bool {
    path.file_name().is_some_and(|name| {
        matches!(
            name.to_str(),
            Some("docker.sock" | "podman.sock" | "containerd.sock" | "crio.sock")
        )
    })
}

/// The ConfigMap that holds a small file.
pub(super) fn file_map(one: &Workload<'_>, index: usize) -> String {
    format!("{}-file-{index}", one.name())
}

/// Small files of the project that the service mounts: index of the mount, name, text.
pub(super) fn small_files<'i>(
    input: &Input<'i>,
    one: &Workload<'_>,
) -> Vec<(usize, String, &'i str)> {
    one.mounts
        .iter()
        .enumerate()
        .filter_map(|(index, mount)| match &mount.value.kind {
            MountKind::Bind { source, .. } => {
                let text = input.contents.get(source)?;
                let name = source.file_name()?.to_string_lossy().into_owned();
                (text.len() <= SMALL).then_some((index, name, text.as_str()))
            }
            _ => None,
        })
        .collect()
}

/// A mapping whose emptiness means something.
fn with_empty(name: &str, key: &str, value: Value) -> Value {
    let mut map = serde_json::Map::new();
    map.insert("name".to_owned(), json!(name));
    map.insert(key.to_owned(), value);
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_exact() {
        assert_eq!(quantity(10 << 30), "10Gi");
        assert_eq!(quantity(1536 << 20), "1536Mi");
        assert_eq!(quantity(1_000_000), "1000000");
        assert_eq!(quantity(0), "0");
    }
}
