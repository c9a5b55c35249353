//! Overlays of kustomize: what differs between environments, and components that they take in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::object::Cluster;
use super::secrets::{self, SecretObject};
use super::{ROOT, bounds, documents, mesh, network, routes, scaling};
use crate::header::header;
use crate::{Input, Mesh, Rendering, SecretSource, Stage, Workload, workloads, yaml};

/// Writes the kustomizations of the base, of components and of overlays.
///
/// `resources` are the files of the base; `profiles` are those of services that have profiles, by
/// the name of the component they are in.
pub(super) fn write(
    input: &Input<'_>,
    resources: &[String],
    profiles: &BTreeMap<String, Vec<String>>,
    rendering: &mut Rendering,
) {
    kustomization(
        input,
        rendering,
        &format!("{ROOT}/base"),
        "Kustomization",
        vec![("resources", json!(resources))],
    );
    for (component, files) in profiles {
        kustomization(
            input,
            rendering,
            &format!("{ROOT}/components/{component}"),
            "Component",
            vec![("resources", json!(files))],
        );
    }
    let cluster = Cluster::new(input);
    for mesh in Mesh::ALL {
        mesh_component(input, &cluster, mesh, rendering);
    }
    let all = workloads(input);
    let secrets = secrets::secrets(input, &all);
    secrets::losses(input, &secrets, &mut rendering.losses);
    mesh::losses(input, &mut rendering.losses);
    for stage in Stage::ALL {
        let is_development = stage == Stage::Development;
        if input.cluster.secrets == SecretSource::Plain && !is_development {
            continue;
        }
        let place = format!("{ROOT}/overlays/{}", stage.word());
        let mut resources = vec!["../../base".to_owned()];
        let mut parts: Vec<(&str, Value)> = Vec::new();
        if !is_development {
            for (file, objects) in environment(input, &all, &secrets, stage) {
                rendering.file(format!("{place}/{file}"), documents(input, &objects));
                resources.push(file.to_owned());
            }
        }
        parts.push(("resources", json!(resources)));
        let mut components: Vec<String> = profiles
            .keys()
            .map(|component| format!("../../components/{component}"))
            .collect();
        if let Some(mesh) = input.cluster.mesh.filter(|_| !is_development) {
            components.push(format!("../../components/mesh-{}", mesh.word()));
        }
        if !components.is_empty() {
            parts.push(("components", json!(components)));
        }
        if !secrets.is_empty() {
            if is_development {
                parts.push(("secretGenerator", generators(&secrets)));
                examples(&place, &secrets, rendering);
            } else if input.cluster.secrets == SecretSource::Sops {
                parts.push(("generators", json!(["secret-generator.yaml"])));
                encrypted(input, &cluster, &place, &secrets, rendering);
            }
        }
        let patches = patches(&all, stage);
        if !patches.is_empty() {
            parts.push(("patches", json!(patches)));
        }
        kustomization(input, rendering, &place, "Kustomization", parts);
    }
}

fn kustomization(
    input: &Input<'_>,
    rendering: &mut Rendering,
    place: &str,
    kind: &str,
    parts: Vec<(&str, Value)>,
) {
    let version = match kind {
        "Component" => "kustomize.config.k8s.io/v1alpha1",
        _ => "kustomize.config.k8s.io/v1beta1",
    };
    let mut map = Map::new();
    map.insert("apiVersion".to_owned(), json!(version));
    map.insert("kind".to_owned(), json!(kind));
    map.extend(
        parts
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value)),
    );
    rendering.file(
        format!("{place}/kustomization.yaml"),
        format!(
            "{}{}",
            header(input, "kubernetes"),
            yaml(&Value::Object(map))
        ),
    );
}

fn mesh_component(input: &Input<'_>, cluster: &Cluster<'_>, mesh: Mesh, rendering: &mut Rendering) {
    let place = format!("{ROOT}/components/mesh-{}", mesh.word());
    let mut objects = mesh::objects(cluster, mesh);
    objects.extend(network::tunnel(cluster, mesh));
    rendering.file(format!("{place}/mesh.yaml"), documents(input, &objects));
    rendering.file(
        format!("{place}/namespace.yaml"),
        documents(input, &[mesh::patch(cluster, mesh)]),
    );
    kustomization(
        input,
        rendering,
        &place,
        "Component",
        vec![
            ("resources", json!(["mesh.yaml"])),
            ("patches", json!([{ "path": "namespace.yaml" }])),
        ],
    );
}

/// In development, values come from files that are never committed. The hash that kustomize puts
/// behind the name makes new pods of a new value.
fn generators(secrets: &[SecretObject]) -> Value {
    secrets
        .iter()
        .map(|secret| json!({ "name": secret.name, "envs": [format!("{}.env", secret.name)] }))
        .collect()
}

fn examples(place: &str, secrets: &[SecretObject], rendering: &mut Rendering) {
    for secret in secrets {
        let mut text = format!(
            "# Copy to {}.env and fill in; it is not committed.\n",
            secret.name
        );
        for key in &secret.keys {
            text.push_str(&format!("{key}=\n"));
        }
        rendering.file(format!("{place}/{}.env.example", secret.name), text);
    }
    rendering.file(format!("{place}/.gitignore"), "*.env\n");
}

/// Files for SOPS, which kustomize opens by the plug-in KSOPS.
fn encrypted(
    input: &Input<'_>,
    cluster: &Cluster<'_>,
    place: &str,
    secrets: &[SecretObject],
    rendering: &mut Rendering,
) {
    rendering.file(
        format!("{place}/secrets.example.yaml"),
        documents(input, &secrets::templates(cluster, secrets)),
    );
    let generator = json!({
        "apiVersion": "viaduct.ai/v1",
        "kind": "ksops",
        "metadata": {
            "name": cluster.project_name(),
            "annotations": {
                "config.kubernetes.io/function": "exec: { path: ksops }\n",
            },
        },
        "files": ["./secrets.sops.yaml"],
    });
    rendering.file(
        format!("{place}/secret-generator.yaml"),
        documents(input, &[generator]),
    );
    let rules = json!({
        "creation_rules": [{
            "path_regex": "secrets\\.sops\\.yaml$",
            "encrypted_regex": "^(data|stringData)$",
        }],
    });
    rendering.file(format!("{place}/.sops.yaml"), yaml(&rules));
}

/// The objects that one environment has besides the base, by file.
pub(crate) fn environment(
    input: &Input<'_>,
    all: &[Workload<'_>],
    secrets: &[SecretObject],
    stage: Stage,
) -> Vec<(&'static str, Vec<Value>)> {
    let cluster = Cluster::new(input);
    let mut files = Vec::new();
    if !secrets.is_empty() {
        match input.cluster.secrets {
            SecretSource::External => files.push((
                "external-secrets.yaml",
                secrets::external(input, &cluster, secrets, stage),
            )),
            SecretSource::Sealed => {
                files.push(("sealed-secrets.yaml", secrets::sealed(&cluster, secrets)));
            }
            SecretSource::Sops | SecretSource::Plain => {}
        }
    }
    if let Some(issuer) = routes::issuer(&cluster, input, all, stage) {
        files.push(("issuer.yaml", vec![issuer]));
    }
    for (file, objects) in [
        ("gateway.yaml", routes::gateway(&cluster, input, all, stage)),
        (
            "routes.yaml",
            all.iter()
                .filter_map(|one| routes::route(&cluster, input, one, stage))
                .collect(),
        ),
    ] {
        if !objects.is_empty() {
            files.push((file, objects));
        }
    }
    let mut limits = vec![bounds::limit_range(&cluster)];
    if stage == Stage::Production {
        limits.push(bounds::quota(&cluster, all));
    }
    files.push(("limits.yaml", limits));
    files
}

/// Fewer pods where there are no users.
fn patches(all: &[Workload<'_>], stage: Stage) -> Vec<Value> {
    all.iter()
        .filter_map(|one| Some((one, scaling::bounds_in(one, stage)?)))
        .filter(|_| stage != Stage::Production)
        .map(|(one, (least, most))| {
            let operations = json!([
                { "op": "replace", "path": "/spec/minReplicas", "value": least },
                { "op": "replace", "path": "/spec/maxReplicas", "value": most },
            ]);
            json!({
                "target": { "kind": "HorizontalPodAutoscaler", "name": one.name() },
                "patch": crate::json(&operations),
            })
        })
        .collect()
}

/// The component that a service of these profiles is in; `None`: it is in the base.
pub(crate) fn component(one: &Workload<'_>) -> Option<String> {
    let profiles: BTreeSet<String> = one
        .service
        .profiles
        .iter()
        .map(|profile| super::names::allowed(&profile.to_ascii_lowercase()))
        .collect();
    (!profiles.is_empty()).then(|| {
        format!(
            "profile-{}",
            profiles.into_iter().collect::<Vec<_>>().join("-")
        )
    })
}
