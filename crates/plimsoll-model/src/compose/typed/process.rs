//! Limits, devices, namespaces, hooks and the log of a service.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plimsoll_diag::{Diagnostic, Spanned};

use super::{Reader, elements, entries, size, spanned, spanned_text, text, texts};
use crate::compose::normal::is_true;
use crate::yaml::{Map, Node, Value};
use crate::{
    Device, Hook, IpcMode, Limits, Link, LoggingDriver, PidMode, PreStart, PreStartRuns, Sharing,
    Ulimit, VolumesFrom,
};

/// The limits that Linux knows (getrlimit(2)).
const ULIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

impl Reader<'_> {
    pub(super) fn ulimits(&mut self, node: Option<&Node>) -> BTreeMap<String, Spanned<Ulimit>> {
        let mut limits = BTreeMap::new();
        for (key, node) in entries(node) {
            if !ULIMITS.contains(&key.text.as_str()) {
                let span = key.span.clone().or_else(|| node.span.clone());
                self.problems.push(
                    Diagnostic::error(format!("`{}` is no limit", key.text))
                        .at(span)
                        .hint(format!("there are {}", ULIMITS.join(", "))),
                );
                continue;
            }
            // -1 means no limit.
            let number = |node: Option<&Node>| whole(node).and_then(|n| u64::try_from(n).ok());
            let limit = match node.as_map() {
                None => Ulimit {
                    soft: number(Some(node)),
                    hard: number(Some(node)),
                },
                Some(map) => Ulimit {
                    soft: number(map.get("soft")),
                    hard: number(map.get("hard")),
                },
            };
            if limit.soft.unwrap_or(u64::MAX) > limit.hard.unwrap_or(u64::MAX) {
                self.problems.push(
                    Diagnostic::error(format!("`ulimits.{}`: `soft` is above `hard`", key.text))
                        .at(node.span.clone()),
                );
            }
            limits.insert(key.text.clone(), spanned(limit, node));
        }
        limits
    }

    pub(super) fn devices(
        &mut self,
        node: Option<&Node>,
        unsupported: &mut Vec<Spanned<String>>,
    ) -> Vec<Spanned<Device>> {
        let mut devices = Vec::new();
        for node in elements(node) {
            let source = text(node.get("source")).unwrap_or_default();
            let target = text(node.get("target")).unwrap_or_else(|| source.clone());
            // `vendor.com/class=name` is for a device interface of another runtime.
            if !source.starts_with('/') || !target.starts_with("/dev/") {
                unsupported.push(spanned(format!("devices ({source})"), node));
                continue;
            }
            let permissions = text(node.get("permissions")).unwrap_or_else(|| "rwm".to_owned());
            if permissions.is_empty() || permissions.chars().any(|letter| !"rwm".contains(letter)) {
                self.problems.push(
                    Diagnostic::error(format!("`{permissions}` are no permissions of a device"))
                        .at(node.span.clone())
                        .hint("write any of r, w and m: rwm"),
                );
            }
            let device = Device {
                source: PathBuf::from(source),
                target: PathBuf::from(target),
                permissions,
            };
            devices.push(spanned(device, node));
        }
        devices
    }

    pub(super) fn limits(&mut self, map: &Map) -> Limits {
        let long = |key: &str| {
            map.get("deploy")
                .and_then(|deploy| deploy.find(&["resources", "limits", key]))
        };
        let cpus = long("cpus").or_else(|| map.get("cpus"));
        let pids = long("pids").or_else(|| map.get("pids_limit"));
        let positive = |number: i64| u64::try_from(number).ok().filter(|number| *number > 0);
        let written = cpus.and_then(|node| match node.value {
            Value::Integer(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        });
        // The older way to say the same: so much time of each period.
        let quota = whole(map.get("cpu_quota")).and_then(positive);
        let period = whole(map.get("cpu_period")).and_then(positive);
        let from_quota = quota.map(|quota| quota as f64 / period.unwrap_or(100_000) as f64);
        let reserved = map
            .get("deploy")
            .and_then(|deploy| deploy.find(&["resources", "reservations", "memory"]));
        Limits {
            cpus: written.or(from_quota),
            memory: size(long("memory").or_else(|| map.get("mem_limit"))),
            // A negative number means no limit.
            pids: pids.and_then(|node| match node.value {
                Value::Integer(number) => u32::try_from(number).ok(),
                _ => None,
            }),
            memory_reservation: size(reserved.or_else(|| map.get("mem_reservation"))),
            memory_and_swap: map
                .get("memswap_limit")
                .and_then(Node::as_text)
                .and_then(|text| text.parse().ok())
                .filter(|bytes| *bytes != 0),
            cpuset: text(map.get("cpuset")).filter(|processors| !processors.is_empty()),
            cpu_shares: whole(map.get("cpu_shares")).and_then(positive),
            swappiness: size(map.get("mem_swappiness")),
            realtime_period: whole(map.get("cpu_rt_period")).and_then(positive),
            realtime_runtime: whole(map.get("cpu_rt_runtime")).filter(|time| *time != 0),
        }
    }
}

fn whole(node: Option<&Node>) -> Option<i64> {
    match &node?.value {
        Value::Integer(number) => Some(*number),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

pub(super) fn oom_score(node: Option<&Node>) -> Option<Spanned<i32>> {
    let score = i32::try_from(whole(node)?).ok()?;
    Some(spanned(score, node?))
}

pub(super) fn pid_mode(
    node: Option<&Node>,
    unsupported: &mut Vec<Spanned<String>>,
) -> Option<Spanned<PidMode>> {
    let node = node?;
    match node.as_text()? {
        "" => None,
        "host" => Some(spanned(PidMode::Host, node)),
        other => match other.strip_prefix("service:") {
            Some(service) => Some(spanned(PidMode::Service(service.to_owned()), node)),
            None => {
                unsupported.push(spanned(format!("pid ({other})"), node));
                None
            }
        },
    }
}

pub(super) fn ipc_mode(
    node: Option<&Node>,
    unsupported: &mut Vec<Spanned<String>>,
) -> Option<Spanned<IpcMode>> {
    let node = node?;
    match node.as_text()? {
        "" | "private" | "shareable" => Some(spanned(IpcMode::Own, node)),
        "host" => Some(spanned(IpcMode::Host, node)),
        other => match other.strip_prefix("service:") {
            Some(service) => Some(spanned(IpcMode::Service(service.to_owned()), node)),
            None => {
                unsupported.push(spanned(format!("ipc ({other})"), node));
                None
            }
        },
    }
}

pub(super) fn volumes_from(
    node: Option<&Node>,
    unsupported: &mut Vec<Spanned<String>>,
) -> Vec<Spanned<VolumesFrom>> {
    let mut sources = Vec::new();
    for node in elements(node) {
        let Some(written) = node.as_text() else {
            continue;
        };
        if written.starts_with("container:") {
            unsupported.push(spanned(format!("volumes_from ({written})"), node));
            continue;
        }
        let (service, access) = written.split_once(':').unwrap_or((written, "rw"));
        let source = VolumesFrom {
            service: service.to_owned(),
            read_only: access == "ro",
        };
        sources.push(spanned(source, node));
    }
    sources
}

/// Links that give another name; one without is a dependency and nothing else.
pub(super) fn links(node: Option<&Node>) -> Vec<Spanned<Link>> {
    elements(node)
        .iter()
        .filter_map(|node| {
            let (service, alias) = node.as_text()?.split_once(':')?;
            let link = Link {
                service: service.to_owned(),
                alias: alias.to_owned(),
            };
            (service != alias).then(|| spanned(link, node))
        })
        .collect()
}

pub(super) fn hooks(
    name: &str,
    node: Option<&Node>,
    unsupported: &mut Vec<Spanned<String>>,
) -> Vec<Spanned<Hook>> {
    let mut hooks = Vec::new();
    for node in elements(node) {
        if let Some(privileged) = node.get("privileged").filter(|node| is_true(node)) {
            unsupported.push(spanned(format!("{name}.privileged"), privileged));
        }
        hooks.push(spanned(hook(node), node));
    }
    hooks
}

pub(super) fn hook(node: &Node) -> Hook {
    Hook {
        command: texts(node.get("command")),
        user: text(node.get("user")).filter(|user| !user.is_empty()),
        working_dir: text(node.get("working_dir")).map(PathBuf::from),
        environment: entries(node.get("environment"))
            .map(|(key, node)| (key.text.clone(), text(Some(node))))
            .collect(),
    }
}

pub(super) fn pre_start(node: Option<&Node>) -> Vec<Spanned<PreStart>> {
    let one = |node: &Node| {
        let hook = PreStart {
            hook: hook(node),
            image: node
                .get("image")
                .and_then(spanned_text)
                .filter(|image| !image.value.is_empty()),
            privileged: node.get("privileged").is_some_and(is_true),
            runs: match node.get("per_replica").is_some_and(is_true) {
                true => PreStartRuns::PerReplica,
                false => PreStartRuns::Once,
            },
        };
        spanned(hook, node)
    };
    elements(node).iter().map(one).collect()
}

/// `host`, or one of its own.
pub(super) fn sharing(node: Option<&Node>) -> Option<Spanned<Sharing>> {
    let node = node?;
    match node.as_text()? {
        "" => None,
        "host" => Some(spanned(Sharing::Host, node)),
        _ => Some(spanned(Sharing::Own, node)),
    }
}

pub(super) fn logging_driver(
    node: Option<&Node>,
    unsupported: &mut Vec<Spanned<String>>,
) -> LoggingDriver {
    let Some(driver) = node.and_then(|node| node.get("driver")) else {
        return LoggingDriver::Files;
    };
    match driver.as_text() {
        Some("json-file" | "local" | "") => LoggingDriver::Files,
        Some("none") => LoggingDriver::None,
        _ => {
            unsupported.push(spanned("logging.driver".to_owned(), driver));
            LoggingDriver::Files
        }
    }
}

/// Parts of keys that are held, which are not.
pub(super) fn leave_out_parts(map: &Map, unsupported: &mut Vec<Spanned<String>>) {
    for (key, value) in entries(map.get("deploy")) {
        match key.text.as_str() {
            "replicas" | "labels" => {}
            "mode" if value.as_text() == Some("replicated") => {}
            "restart_policy" => {
                for (key, value) in entries(Some(value)) {
                    if matches!(key.text.as_str(), "delay" | "window") {
                        let name = format!("deploy.restart_policy.{}", key.text);
                        unsupported.push(spanned(name, value));
                    }
                }
            }
            "resources" => {
                for (key, value) in entries(value.get("reservations")) {
                    if key.text != "memory" && !key.text.starts_with("x-") {
                        let name = format!("deploy.resources.reservations.{}", key.text);
                        unsupported.push(spanned(name, value));
                    }
                }
            }
            other if other.starts_with("x-") => {}
            other => unsupported.push(spanned(format!("deploy.{other}"), value)),
        }
    }
    // Keys of which some values are what happens anyway.
    let usual: [(&str, &[&str]); 3] = [
        ("platform", &[&own_platform(), "linux"]),
        (
            "pull_policy",
            &["missing", "if_not_present", "build", "always", "never"],
        ),
        ("userns_mode", &["host"]),
    ];
    for (key, usual) in usual {
        if let Some(node) = map.get(key)
            && let Some(other) = node.as_text()
            && !usual.contains(&other)
            && !other.is_empty()
        {
            unsupported.push(spanned(format!("{key} ({other})"), node));
        }
    }
    if let Some(node) = map.get("network_mode")
        && let Some(mode) = node.as_text()
        && !matches!(mode, "none" | "host")
        && !mode.starts_with("service:")
    {
        unsupported.push(spanned(format!("network_mode ({mode})"), node));
    }
    for (key, value) in entries(map.get("logging").and_then(|node| node.get("options"))) {
        if !matches!(key.text.as_str(), "max-size" | "max-file") {
            unsupported.push(spanned(format!("logging.options.{}", key.text), value));
        }
    }
}

/// The platform of this machine, as Compose names it.
fn own_platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("linux/{architecture}")
}
