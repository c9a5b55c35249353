//! Projects to render, and the objects that come of them.

use std::collections::BTreeMap;

use plimsoll_model::compose::{self, LoadOptions, Loaded};
use plimsoll_model::yaml;
use plimsoll_render::{
    ClusterOptions, Discovery, Entry, Input, Mesh, Rendering, SecretSource, Stage, Target, render,
};
use serde_json::Value;

/// A project that uses most of what Compose can say and a cluster can do.
pub const WIDE: &str = r#"
name: wide
services:
  web:
    build: .
    user: "10001:10001"
    ports: ["8080:8080", "9090:9090"]
    networks: { front: { aliases: [www] }, back: null }
    environment: { API_TOKEN: change-me, LOG: info, SHOWN: "$$(date)" }
    configs: [banner]
    secrets: [certificate]
    security_opt: ["no-new-privileges:true", "apparmor=web", "label=level:s0:c1"]
    sysctls: { net.ipv4.ip_unprivileged_port_start: "80" }
    init: true
    runtime: gvisor
    labels: { team: core, "org.example.note": "a text: with all sorts" }
    post_start: [{ command: ["true"] }]
    pre_start:
      - command: ["migrate"]
      - { command: ["warm"], per_replica: true }
    healthcheck: { test: ["CMD", "curl", "-f", "http://localhost:8080/ready"] }
    external_links: ["mail.example.org:mail"]
    depends_on: { seed: { condition: service_completed_successfully } }
    deploy:
      placement:
        constraints: ["node.labels.zone == a", "node.platform.arch != arm64"]
        preferences: [{ spread: node.labels.zone }]
        max_replicas_per_node: 1
      update_config: { parallelism: 2, order: start-first }
  model:
    image: example/model:1
    user: "1000:1000"
    ports: ["8000:8000"]
    gpus: [{ driver: nvidia, count: 2 }]
    networks: [back]
    shm_size: 1g
    volumes: ["weights:/weights"]
  collector:
    image: example/collector:1
    user: "1000:1000"
    networks: [back]
    expose: ["4317"]
    deploy: { mode: global }
  batch:
    image: example/batch:1
    user: "1000:1000"
    networks: [back]
    deploy: { mode: replicated-job, replicas: 3 }
  seed:
    image: example/seed:1
    user: "1000:1000"
    networks: [back]
  nightly:
    image: example/batch:1
    user: "1000:1000"
    networks: [back]
    x-plimsoll: { kind: cron, schedule: "0 3 * * *" }
  dns:
    image: example/dns:1
    user: "1000:1000"
    ports: ["53:5353/udp"]
    networks: [front]
    cap_add: [NET_BIND_SERVICE]
  limited:
    image: example/limited:1
    user: "1000:1000"
    expose: ["7000"]
    networks: [front, back]
    deploy: { endpoint_mode: dnsrr, replicas: 3 }
    x-plimsoll: { egress: ["203.0.113.0/24"] }
  debug:
    image: example/debug:1
    user: "1000:1000"
    profiles: [debug]
    networks: [back]
    volumes_from: ["model:ro"]
    volumes: [{ type: image, source: "example/data:1", target: /data }]
  db:
    image: postgres:16
    networks: [back]
    volumes: ["pg:/var/lib/postgresql/data"]
    environment: { POSTGRES_PASSWORD: change-me }
  shared:
    image: example/shared:1
    user: "1000:1000"
    networks: [quiet]
    volumes: ["share:/share", "cache:/cache"]
    links: ["limited:near"]
  alone:
    image: example/alone:1
    user: "1000:1000"
    network_mode: none
networks:
  front:
  back: { internal: true }
  quiet: { internal: true }
volumes:
  pg:
  weights:
  share: { driver_opts: { type: nfs, o: "addr=192.0.2.7,rw", device: ":/exports/share" } }
  cache: { driver_opts: { type: tmpfs, device: tmpfs, o: "size=64m" } }
configs:
  banner: { content: "hello" }
secrets:
  certificate: { environment: CERTIFICATE }
"#;

/// Every choice that changes which objects there are.
pub fn choices() -> Vec<ClusterOptions> {
    let usual = ClusterOptions::default();
    vec![
        usual,
        ClusterOptions {
            entry: Entry::Ingress,
            secrets: SecretSource::Sealed,
            mesh: Some(Mesh::Istio),
            discovery: Discovery::Operator,
        },
        ClusterOptions {
            secrets: SecretSource::Sops,
            mesh: Some(Mesh::Linkerd),
            ..usual
        },
    ]
}

/// A Compose file, read with all its profiles.
pub fn load(text: &str) -> Loaded {
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("compose.yaml"), text).unwrap();
    let options = LoadOptions {
        directory: directory.path().to_owned(),
        profiles: vec!["*".to_owned()],
        ..LoadOptions::default()
    };
    compose::load(&options).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// What a target gives for a Compose file.
pub fn rendered(loaded: &Loaded, target: Target, cluster: ClusterOptions) -> Rendering {
    let input = Input {
        project: &loaded.project,
        extensions: &loaded.extensions,
        model: Some(&loaded.resolved.model),
        stage: Stage::Production,
        registry: Some("registry.example.com/acme"),
        images: &BTreeMap::new(),
        contents: &BTreeMap::new(),
        cluster,
    };
    render(&input, &[target]).unwrap()
}

/// The manifests of a Compose file.
pub fn manifests(compose: &str, cluster: ClusterOptions) -> Rendering {
    rendered(&load(compose), Target::Kubernetes, cluster)
}

/// The objects in rendered files below a directory, each with its file.
pub fn objects(rendering: &Rendering, below: &str) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (path, artifact) in &rendering.files {
        if path.starts_with(below) && path.ends_with(".yaml") {
            all.extend(
                documents(&artifact.text)
                    .into_iter()
                    .map(|object| (path.clone(), object)),
            );
        }
    }
    all
}

/// The documents of a YAML text.
pub fn documents(text: &str) -> Vec<Value> {
    let nodes = yaml::parse(text, std::path::PathBuf::from("rendered.yaml")).unwrap();
    nodes
        .iter()
        .map(yaml::Node::to_json)
        .filter(|value| !value.is_null())
        .collect()
}

/// The pod of an object that has one.
pub fn pod(object: &Value) -> Option<&Value> {
    let spec = &object["spec"];
    let template = match object["kind"].as_str()? {
        "Deployment" | "StatefulSet" | "DaemonSet" | "Job" => &spec["template"],
        "CronJob" => &spec["jobTemplate"]["spec"]["template"],
        _ => return None,
    };
    Some(template)
}
