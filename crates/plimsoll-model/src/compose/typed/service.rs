//! One service.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use plimsoll_diag::{Diagnostic, Span, Spanned};

use super::{
    Reader, duration, elements, entries, process, size, spanned, spanned_flag, spanned_text,
    spanned_texts, text, text_map, texts,
};
use crate::compose::normal::is_true;
use crate::compose::support::is_refused;
use crate::yaml::{Key, Map, Node, Value};
use crate::{
    Build, Command, Dependency, DependencyCondition, HealthTest, Healthcheck, NetworkAttachment,
    NetworkMode, Port, Protocol, Restart, Service,
};

impl Reader<'_> {
    pub(super) fn service(&mut self, key: &Key, map: &Map) -> Service {
        let get = |name: &str| map.get(name);
        let mut unsupported = Vec::new();
        for (key, node) in map.iter() {
            if is_refused(&key.text) {
                let span = key.span.clone().or_else(|| node.span.clone());
                unsupported.push(Spanned {
                    value: key.text.clone(),
                    span,
                });
            }
        }
        let flag = |name: &str| get(name).is_some_and(is_true);
        Service {
            name: key.text.clone(),
            span: key.span.clone(),
            image: get("image").and_then(spanned_text),
            build: get("build").map(|node| build(node, &mut unsupported)),
            recipe: None,
            facts: crate::facts::Facts::default(),
            command: command(get("command")),
            entrypoint: command(get("entrypoint")),
            environment: entries(get("environment"))
                .map(|(key, node)| (key.text.clone(), spanned(text(Some(node)), node)))
                .collect(),
            user: get("user").and_then(spanned_text),
            group_add: texts(get("group_add")),
            ulimits: self.ulimits(get("ulimits")),
            devices: self.devices(get("devices"), &mut unsupported),
            uts: process::sharing(get("uts")),
            cgroup: process::sharing(get("cgroup")),
            cgroup_parent: self.cgroup_parent(get("cgroup_parent")),
            device_cgroup_rules: self.device_rules(get("device_cgroup_rules")),
            blkio_config: self.block_io(get("blkio_config"), &mut unsupported),
            mac_address: self.mac_address(get("mac_address")),
            pre_start: process::pre_start(get("pre_start")),
            watch: self.watch(get("develop"), &mut unsupported),
            oom_score_adj: process::oom_score(get("oom_score_adj")),
            pid: process::pid_mode(get("pid"), &mut unsupported),
            ipc: process::ipc_mode(get("ipc"), &mut unsupported),
            post_start: process::hooks("post_start", get("post_start"), &mut unsupported),
            pre_stop: process::hooks("pre_stop", get("pre_stop"), &mut unsupported),
            annotations: text_map(get("annotations")),
            working_dir: get("working_dir").and_then(spanned_text),
            ports: self.ports(get("ports"), &mut unsupported),
            expose: spanned_texts(get("expose")),
            volumes: self.mounts(map, &mut unsupported),
            volumes_from: process::volumes_from(get("volumes_from"), &mut unsupported),
            links: process::links(get("links")),
            networks: self.attachments(get("networks"), &mut unsupported),
            network_mode: self.network_mode(get("network_mode")),
            depends_on: entries(get("depends_on"))
                .map(|(key, node)| (key.text.clone(), dependency(key, node)))
                .collect(),
            healthcheck: get("healthcheck").map(healthcheck),
            restart: self.restart(map),
            scale: self.scale(map),
            limits: self.limits(map),
            stop_signal: get("stop_signal").and_then(spanned_text),
            stop_grace_period: get("stop_grace_period")
                .and_then(|node| Some(spanned(duration(Some(node))?, node))),
            read_only: spanned_flag(get("read_only")),
            privileged: spanned_flag(get("privileged")),
            cap_add: spanned_texts(get("cap_add")),
            cap_drop: spanned_texts(get("cap_drop")),
            security_opt: spanned_texts(get("security_opt")),
            init: spanned_flag(get("init")),
            tty: flag("tty"),
            stdin_open: flag("stdin_open"),
            hostname: get("hostname").and_then(spanned_text),
            extra_hosts: elements(get("extra_hosts"))
                .iter()
                .filter_map(|node| {
                    let (host, address) = node.as_text()?.split_once('=')?;
                    Some((host.to_owned(), address.to_owned()))
                })
                .collect(),
            dns: self.dns(get("dns")),
            dns_search: texts(get("dns_search")),
            dns_opt: texts(get("dns_opt")),
            domainname: get("domainname")
                .and_then(spanned_text)
                .filter(|name| !name.value.is_empty()),
            sysctls: text_map(get("sysctls")),
            shm_size: size(get("shm_size")),
            labels: text_map(get("labels")),
            profiles: texts(get("profiles")),
            secrets: self.file_uses(get("secrets"), "/run/secrets"),
            configs: self.file_uses(get("configs"), ""),
            pull_policy: get("pull_policy").and_then(spanned_text),
            platform: get("platform").and_then(spanned_text),
            container_name: get("container_name").and_then(spanned_text),
            logging_driver: process::logging_driver(get("logging"), &mut unsupported),
            logging_options: text_map(get("logging").and_then(|node| node.get("options"))),
            unsupported: {
                process::leave_out_parts(map, &mut unsupported);
                unsupported
            },
        }
    }

    fn wrong(&mut self, node: &Node, message: String, hint: &str) {
        self.problems
            .push(Diagnostic::error(message).at(node.span.clone()).hint(hint));
    }

    fn ports(
        &mut self,
        node: Option<&Node>,
        unsupported: &mut Vec<Spanned<String>>,
    ) -> Vec<Spanned<Port>> {
        let mut ports = Vec::new();
        for port in elements(node) {
            let number = |node: &Node| match &node.value {
                Value::Integer(number) => u16::try_from(*number).ok(),
                // Any port of a range will do; the first is taken.
                Value::Text(text) => text.split('-').next()?.parse().ok(),
                _ => None,
            };
            let Some(target) = port.get("target").and_then(number) else {
                self.wrong(
                    port,
                    "a port needs a `target` between 1 and 65535".to_owned(),
                    "`target` is the port in the container",
                );
                continue;
            };
            let published = match port.get("published") {
                None => None,
                Some(node) => match number(node) {
                    // Port 0 asks for any free one.
                    Some(number) => (number != 0).then_some(number),
                    None => {
                        let shown = node.scalar_text().unwrap_or_default();
                        self.wrong(
                            node,
                            format!("`{shown}` is no port of the host"),
                            "write a number up to 65535, or a range: \"8000-8010\"",
                        );
                        continue;
                    }
                },
            };
            let protocol = match port.get("protocol").and_then(Node::as_text) {
                None | Some("tcp") => Protocol::Tcp,
                Some("udp") => Protocol::Udp,
                Some(other) => {
                    unsupported.push(spanned(format!("ports ({other})"), port));
                    continue;
                }
            };
            let host_ip = port
                .get("host_ip")
                .and_then(Node::as_text)
                .and_then(|text| text.parse::<IpAddr>().ok());
            ports.push(spanned(
                Port {
                    host_ip,
                    published,
                    target,
                    protocol,
                },
                port,
            ));
        }
        ports
    }

    fn attachments(
        &mut self,
        node: Option<&Node>,
        unsupported: &mut Vec<Spanned<String>>,
    ) -> BTreeMap<String, NetworkAttachment> {
        let mut attachments = BTreeMap::new();
        for (key, node) in entries(node) {
            let mut attachment = NetworkAttachment {
                aliases: texts(node.get("aliases")),
                ipv4_address: None,
                mac_address: self
                    .mac_address(node.get("mac_address"))
                    .map(|address| address.value),
                interface_name: self.interface_name(node.get("interface_name")),
            };
            if let Some(address) = node.get("ipv4_address") {
                let shown = address.as_text().unwrap_or_default();
                match shown.parse() {
                    Ok(parsed) => attachment.ipv4_address = Some(parsed),
                    Err(_) => self.wrong(
                        address,
                        format!("`{shown}` is no IPv4 address"),
                        "write four numbers: 172.28.0.10",
                    ),
                }
            }
            for (other, value) in entries(Some(node)) {
                // Priorities order networks, which changes nothing here.
                let held = [
                    "aliases",
                    "ipv4_address",
                    "priority",
                    "gw_priority",
                    "mac_address",
                    "interface_name",
                ];
                if !held.contains(&other.text.as_str()) && !other.text.starts_with("x-") {
                    unsupported.push(spanned(format!("networks.{}", other.text), value));
                }
            }
            attachments.insert(key.text.clone(), attachment);
        }
        attachments
    }

    fn network_mode(&mut self, node: Option<&Node>) -> Option<Spanned<NetworkMode>> {
        let node = node?;
        let text = node.as_text()?;
        let mode = match text {
            "none" => NetworkMode::None,
            "host" => NetworkMode::Host,
            "bridge" | "default" => NetworkMode::Bridge,
            _ => match text.split_once(':') {
                Some(("service", name)) if !name.is_empty() => {
                    NetworkMode::Service(name.to_owned())
                }
                Some(("container", name)) if !name.is_empty() => {
                    NetworkMode::Container(name.to_owned())
                }
                _ => {
                    // The name of a network that exists elsewhere; only an engine can tell.
                    NetworkMode::Container(text.to_owned())
                }
            },
        };
        Some(spanned(mode, node))
    }

    fn restart(&mut self, map: &Map) -> Spanned<Restart> {
        if let Some(node) = map.get("restart") {
            let text = node.as_text().unwrap_or_default();
            let (word, count) = match text.split_once(':') {
                Some((word, count)) => (word, Some(count)),
                None => (text, None),
            };
            let restart = match (word, count) {
                ("no" | "", None) => Some(Restart::No),
                ("always", None) => Some(Restart::Always),
                ("unless-stopped", None) => Some(Restart::UnlessStopped),
                ("on-failure", None) => Some(Restart::OnFailure { max_attempts: None }),
                ("on-failure", Some(count)) => count.parse().ok().map(|count| Restart::OnFailure {
                    max_attempts: Some(count),
                }),
                _ => None,
            };
            if restart.is_none() {
                self.wrong(
                    node,
                    format!("`{text}` is no restart policy"),
                    "write no, always, unless-stopped, on-failure or on-failure:COUNT",
                );
            }
            return spanned(restart.unwrap_or_default(), node);
        }
        let Some(policy) = map
            .get("deploy")
            .and_then(|deploy| deploy.get("restart_policy"))
        else {
            return Spanned::default();
        };
        let attempts = match policy.get("max_attempts").map(|node| &node.value) {
            Some(Value::Integer(count)) => u32::try_from(*count).ok(),
            _ => None,
        };
        let restart = match policy.get("condition").and_then(Node::as_text) {
            // The words of `restart` are understood here too.
            None | Some("any" | "always") => Restart::Always,
            Some("none" | "no") => Restart::No,
            Some("unless-stopped") => Restart::UnlessStopped,
            Some("on-failure") => Restart::OnFailure {
                max_attempts: attempts,
            },
            Some(other) => {
                let message = format!("`{other}` is no restart condition");
                self.wrong(policy, message, "write none, on-failure or any");
                Restart::No
            }
        };
        spanned(restart, policy)
    }

    fn scale(&mut self, map: &Map) -> Spanned<u32> {
        let node = map
            .get("scale")
            .or_else(|| map.get("deploy").and_then(|deploy| deploy.get("replicas")));
        match node {
            Some(node) => match node.value {
                Value::Integer(count) => spanned(u32::try_from(count).unwrap_or(u32::MAX), node),
                _ => spanned(1, node),
            },
            None => Spanned::unplaced(1),
        }
    }

    fn dns(&mut self, node: Option<&Node>) -> Vec<IpAddr> {
        let mut servers = Vec::new();
        for node in elements(node) {
            let shown = node.as_text().unwrap_or_default();
            match shown.parse() {
                Ok(address) => servers.push(address),
                Err(_) => self.wrong(
                    node,
                    format!("`{shown}` is no address of a name server"),
                    "write an IP address",
                ),
            }
        }
        servers
    }
}

fn build(node: &Node, unsupported: &mut Vec<Spanned<String>>) -> Build {
    const HELD: [&str; 12] = [
        "context",
        "dockerfile",
        "dockerfile_inline",
        "args",
        "additional_contexts",
        "labels",
        "network",
        "platforms",
        "secrets",
        "shm_size",
        "tags",
        "target",
    ];
    for (key, value) in entries(Some(node)) {
        if !HELD.contains(&key.text.as_str()) && !key.text.starts_with("x-") {
            let span = key.span.clone().or_else(|| value.span.clone());
            unsupported.push(Spanned {
                value: format!("build.{}", key.text),
                span,
            });
        }
    }
    let context = match node.get("context") {
        Some(context) => spanned(PathBuf::from(context.as_text().unwrap_or(".")), context),
        None => spanned(PathBuf::from("."), node),
    };
    Build {
        context,
        // The name that everybody means needs no saying.
        dockerfile: node
            .get("dockerfile")
            .filter(|file| file.span.is_some())
            .and_then(spanned_text),
        args: entries(node.get("args"))
            .map(|(key, node)| (key.text.clone(), text(Some(node))))
            .collect(),
        dockerfile_inline: node.get("dockerfile_inline").and_then(spanned_text),
        additional_contexts: text_map(node.get("additional_contexts")),
        labels: text_map(node.get("labels")),
        secrets: elements(node.get("secrets"))
            .iter()
            .filter_map(|secret| {
                let of = |key: &str| secret.get(key).and_then(Node::as_text);
                let source = of("source")?;
                Some((of("target").unwrap_or(source).to_owned(), source.to_owned()))
            })
            .collect(),
        network: node.get("network").and_then(spanned_text),
        shm_size: node.get("shm_size").and_then(|size| match size.value {
            Value::Integer(bytes) => u64::try_from(bytes).ok(),
            _ => size.as_text()?.parse().ok(),
        }),
        target: node.get("target").and_then(spanned_text),
        platforms: node
            .get("platforms")
            .and_then(Node::as_list)
            .into_iter()
            .flatten()
            .filter_map(spanned_text)
            .collect(),
    }
}

fn command(node: Option<&Node>) -> Option<Spanned<Command>> {
    let node = node?;
    node.as_list()?;
    Some(spanned(Command(texts(Some(node))), node))
}

fn dependency(key: &Key, node: &Node) -> Spanned<Dependency> {
    let condition = match node.get("condition").and_then(Node::as_text) {
        Some("service_healthy") => DependencyCondition::ServiceHealthy,
        Some("service_completed_successfully") => DependencyCondition::ServiceCompletedSuccessfully,
        _ => DependencyCondition::ServiceStarted,
    };
    let span: Option<Span> = key.span.clone().or_else(|| node.span.clone());
    Spanned {
        value: Dependency {
            condition,
            required: node.get("required").is_none_or(is_true),
            restart: node.get("restart").is_some_and(is_true),
        },
        span,
    }
}

fn healthcheck(node: &Node) -> Spanned<Healthcheck> {
    let words = texts(node.get("test"));
    let disabled = node.get("disable").is_some_and(is_true);
    let test = match words.split_first() {
        _ if disabled => Some(HealthTest::Disabled),
        None => None,
        Some((kind, rest)) => match kind.as_str() {
            "NONE" => Some(HealthTest::Disabled),
            "CMD-SHELL" => Some(HealthTest::Shell(rest.join(" "))),
            _ => Some(HealthTest::Exec(rest.to_vec())),
        },
    };
    let retries = match node.get("retries").map(|node| &node.value) {
        Some(Value::Integer(count)) => u32::try_from(*count).ok(),
        _ => None,
    };
    spanned(
        Healthcheck {
            test,
            interval: duration(node.get("interval")),
            timeout: duration(node.get("timeout")),
            retries,
            start_period: duration(node.get("start_period")),
            start_interval: duration(node.get("start_interval")),
        },
        node,
    )
}
