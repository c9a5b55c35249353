//! Every pod is admitted at the level `restricted` of the Pod Security Standards.

use serde_json::Value;

use crate::project::{self, WIDE, objects, pod};

/// The controls of the levels `baseline` and `restricted`, on one pod.
fn violations(template: &Value) -> Vec<String> {
    let spec = &template["spec"];
    let mut all = Vec::new();
    for key in ["hostNetwork", "hostPID", "hostIPC"] {
        if spec[key] == true {
            all.push(key.to_owned());
        }
    }
    for volume in spec["volumes"].as_array().into_iter().flatten() {
        for kind in volume.as_object().unwrap().keys() {
            let allowed = [
                "name",
                "configMap",
                "csi",
                "downwardAPI",
                "emptyDir",
                "ephemeral",
                "image",
                "persistentVolumeClaim",
                "projected",
                "secret",
            ];
            if !allowed.contains(&kind.as_str()) {
                all.push(format!("volume of type {kind}"));
            }
        }
    }
    let of_pod = &spec["securityContext"];
    let safe = [
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    ];
    for sysctl in of_pod["sysctls"].as_array().into_iter().flatten() {
        if !safe.contains(&sysctl["name"].as_str().unwrap()) {
            all.push(format!("sysctl {}", sysctl["name"]));
        }
    }
    contexts(of_pod, "pod", &mut all);
    let containers = ["initContainers", "containers", "ephemeralContainers"]
        .iter()
        .flat_map(|key| spec[*key].as_array().into_iter().flatten());
    for container in containers {
        let name = container["name"].as_str().unwrap();
        let own = &container["securityContext"];
        contexts(own, name, &mut all);
        let said = |key: &str| {
            if own[key].is_null() {
                of_pod[key].clone()
            } else {
                own[key].clone()
            }
        };
        if said("runAsNonRoot") != true {
            all.push(format!("{name}: may run as root"));
        }
        if said("runAsUser") == 0 {
            all.push(format!("{name}: runs as root"));
        }
        let seccomp = &said("seccompProfile")["type"];
        if seccomp != "RuntimeDefault" && seccomp != "Localhost" {
            all.push(format!("{name}: no seccomp profile"));
        }
        if own["allowPrivilegeEscalation"] != false {
            all.push(format!("{name}: may gain privileges"));
        }
        if own["privileged"] == true {
            all.push(format!("{name}: privileged"));
        }
        if own["capabilities"]["drop"] != serde_json::json!(["ALL"]) {
            all.push(format!("{name}: keeps capabilities"));
        }
        for added in own["capabilities"]["add"].as_array().into_iter().flatten() {
            if added != "NET_BIND_SERVICE" {
                all.push(format!("{name}: adds {added}"));
            }
        }
        if !own["procMount"].is_null() {
            all.push(format!("{name}: procMount"));
        }
        for port in container["ports"].as_array().into_iter().flatten() {
            if !port["hostPort"].is_null() {
                all.push(format!("{name}: host port"));
            }
        }
    }
    all
}

fn contexts(context: &Value, name: &str, all: &mut Vec<String>) {
    let armor = &context["appArmorProfile"]["type"];
    if !armor.is_null() && armor != "RuntimeDefault" && armor != "Localhost" {
        all.push(format!("{name}: AppArmor {armor}"));
    }
    let labels = &context["seLinuxOptions"];
    if !labels["user"].is_null() || !labels["role"].is_null() {
        all.push(format!("{name}: SELinux user or role"));
    }
    let kinds = [
        "container_t",
        "container_init_t",
        "container_kvm_t",
        "container_engine_t",
    ];
    if labels["type"]
        .as_str()
        .is_some_and(|kind| !kinds.contains(&kind))
    {
        all.push(format!("{name}: SELinux type"));
    }
    if context["windowsOptions"]["hostProcess"] == true {
        all.push(format!("{name}: host process"));
    }
}

/// Beside the standard: what every pod of ours has.
fn weaknesses(template: &Value) -> Vec<String> {
    let spec = &template["spec"];
    let mut all = Vec::new();
    if spec["automountServiceAccountToken"] != false {
        all.push("has a token of the API".to_owned());
    }
    for key in ["initContainers", "containers"] {
        for container in spec[key].as_array().into_iter().flatten() {
            for bound in ["requests", "limits"] {
                for resource in ["cpu", "memory", "ephemeral-storage"] {
                    if container["resources"][bound][resource].is_null() {
                        all.push(format!("{}: no {bound}.{resource}", container["name"]));
                    }
                }
            }
        }
    }
    all
}

/// What nobody admits: each of these asks for one thing that the level rules out.
const EVIL: &str = r#"
name: evil
services:
  a: { image: "x:1", user: "0:0", privileged: true, cap_add: [SYS_ADMIN, NET_ADMIN] }
  b: { image: "x:1", user: root, network_mode: host, pid: host, ipc: host, uts: host }
  c: { image: "x:1", security_opt: ["seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined", "label=disable", "label=type:spc_t", "label:user:root"] }
  d: { image: "x:1", volumes: ["/var/run/docker.sock:/var/run/docker.sock", "/etc:/host"], devices: ["/dev/kvm"] }
  e: { image: "x:1", sysctls: { kernel.msgmax: "65536", net.core.somaxconn: "1024" }, userns_mode: host, cgroup: host }
  f: { image: "x:1", ports: ["80:80"], read_only: false, pre_start: [{ command: [a], per_replica: true, privileged: true, user: root }] }
"#;

#[test]
fn every_pod_is_admitted_at_the_level_restricted() {
    for text in [WIDE, EVIL] {
        for cluster in project::choices() {
            let rendering = project::manifests(text, cluster);
            let mut pods = 0;
            for (file, object) in objects(&rendering, "kubernetes/") {
                let Some(template) = pod(&object) else {
                    continue;
                };
                pods += 1;
                assert_eq!(violations(template), Vec::<String>::new(), "{file}");
                assert_eq!(weaknesses(template), Vec::<String>::new(), "{file}");
            }
            assert!(pods >= 6);
        }
    }
}

#[test]
fn what_is_not_admitted_is_told() {
    let rendering = project::manifests(EVIL, plimsoll_render::ClusterOptions::default());
    for subject in [
        "services.a.user",
        "services.a.privileged",
        "services.a.cap_add",
        "services.b.network_mode",
        "services.b.pid",
        "services.b.ipc",
        "services.c.security_opt",
        "services.d.volumes[0]",
        "services.d.volumes[1]",
        "services.d.devices",
        "services.e.sysctls",
    ] {
        let loss = rendering
            .losses
            .iter()
            .find(|loss| loss.subject == subject)
            .unwrap_or_else(|| panic!("{subject}: {:#?}", rendering.losses));
        assert!(loss.span.is_some(), "{subject} has no place");
    }
}

#[test]
fn the_namespace_asks_for_the_level() {
    let rendering = project::manifests(WIDE, plimsoll_render::ClusterOptions::default());
    let all = objects(&rendering, "kubernetes/base/namespace.yaml");
    let labels = &all[0].1["metadata"]["labels"];
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
}
