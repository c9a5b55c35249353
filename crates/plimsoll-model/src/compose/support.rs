//! Which keys of a Compose file the embedded engine honours.
//!
//! One table for three readers: loading tells the user of refused keys, the documentation shows
//! it, and a test holds it against the keys that files may have.

/// What happens to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Support {
    /// It means what the specification says.
    Honoured,
    /// It has effect, with the difference that the note states.
    Approximated,
    /// It has no effect, and the user is told so before anything starts.
    Refused,
}

/// A key and what happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySupport {
    /// The key.
    pub key: &'static str,
    /// What happens to it.
    pub support: Support,
    /// How, where that needs saying.
    pub note: &'static str,
}

const fn honoured(key: &'static str, note: &'static str) -> KeySupport {
    KeySupport {
        key,
        support: Support::Honoured,
        note,
    }
}

const fn approximated(key: &'static str, note: &'static str) -> KeySupport {
    KeySupport {
        key,
        support: Support::Approximated,
        note,
    }
}

const fn refused(key: &'static str, note: &'static str) -> KeySupport {
    KeySupport {
        key,
        support: Support::Refused,
        note,
    }
}

/// The keys of the top level, in alphabetical order.
pub const TOP_LEVEL: &[KeySupport] = &[
    approximated(
        "configs",
        "`file`, `environment` and `content`; an external one is an error",
    ),
    honoured("include", ""),
    refused("models", "there is no model runner"),
    honoured("name", ""),
    approximated(
        "networks",
        "one bridge each, IPv4; `internal` and the first subnet of `ipam` with its gateway count; drivers, their options, IPv6 and networks from elsewhere are told",
    ),
    approximated(
        "secrets",
        "`file` and `environment`, held in memory; an external one is an error",
    ),
    honoured("services", ""),
    honoured("version", "says nothing, as in the specification"),
    approximated(
        "volumes",
        "directories of the store, of the host (`bind`) or memory (`tmpfs`), an external one, too; other drivers and driver options are told",
    ),
];

/// The keys of a service, in alphabetical order.
pub const SERVICE: &[KeySupport] = &[
    honoured("annotations", "in the container's runtime specification"),
    approximated(
        "attach",
        "the output of every service is kept; `logs` shows the ones named",
    ),
    approximated(
        "blkio_config",
        "`weight` and the limits of single disks; `weight_device` is told",
    ),
    approximated(
        "build",
        "images are assembled from the source tree, or built by the Dockerfile; `context`, `dockerfile`, `dockerfile_inline`, `args`, `additional_contexts`, `labels`, `network`, `secrets`, `shm_size` and `target` (of an assembled image: its variant) are read; the other keys are told",
    ),
    honoured("cap_add", ""),
    honoured("cap_drop", ""),
    honoured("cgroup", ""),
    honoured("cgroup_parent", "the path of a group below each hierarchy"),
    honoured("command", ""),
    approximated("configs", "files in memory; an external one is an error"),
    honoured("container_name", ""),
    refused("cpu_count", "of Windows"),
    refused("cpu_percent", "of Windows"),
    honoured("cpu_period", "with `cpu_quota`"),
    honoured("cpu_quota", ""),
    approximated(
        "cpu_rt_period",
        "where the control groups have it; else that is told",
    ),
    approximated(
        "cpu_rt_runtime",
        "where the control groups have it; else that is told",
    ),
    honoured("cpu_shares", ""),
    honoured("cpus", ""),
    honoured("cpuset", ""),
    refused("credential_spec", "of Windows"),
    honoured("depends_on", ""),
    approximated(
        "deploy",
        "`replicas`, `restart_policy`, `resources.limits`, `resources.reservations.memory` and `labels`; the rest is told",
    ),
    honoured(
        "develop",
        "`up --watch` follows it; a root that is read-only stays so for the container",
    ),
    honoured("device_cgroup_rules", ""),
    approximated(
        "devices",
        "device nodes of the host below `/dev`; device interfaces of other runtimes are told",
    ),
    honoured("dns", "asked for names that are not the project's"),
    honoured("dns_opt", ""),
    honoured("dns_search", ""),
    honoured("domainname", ""),
    honoured("entrypoint", ""),
    honoured("env_file", ""),
    honoured("environment", ""),
    honoured("expose", "says which ports are listened on; opens none"),
    honoured("extends", ""),
    refused(
        "external_links",
        "containers from elsewhere are out of reach",
    ),
    honoured("extra_hosts", ""),
    refused("gpus", ""),
    honoured("group_add", ""),
    approximated(
        "healthcheck",
        "the engine makes simple HTTP and TCP checks itself, so the image needs no `curl`",
    ),
    honoured("hostname", ""),
    approximated(
        "image",
        "well-known images are assembled from packages where they cannot be pulled; one that the project itself publishes is built from its source with `--local-bases`",
    ),
    honoured("init", "images of ours have one unless it is `false`"),
    approximated(
        "ipc",
        "`private`, `shareable`, `host` and `service:` without its `/dev/shm`; `container:` is told",
    ),
    refused("isolation", "of Windows"),
    honoured("label_file", ""),
    honoured("labels", "kept with the container"),
    approximated(
        "links",
        "other services on the network see the other name, too",
    ),
    approximated(
        "logging",
        "`json-file` and `local` with `max-size` and `max-file`, `none`; other drivers are told",
    ),
    honoured("mac_address", "of the first interface"),
    honoured("mem_limit", ""),
    honoured("mem_reservation", ""),
    approximated(
        "mem_swappiness",
        "the newer control groups have no such value; that is told",
    ),
    honoured("memswap_limit", ""),
    refused("models", "there is no model runner"),
    approximated(
        "network_mode",
        "`none`, `host` and `service:`; others are told",
    ),
    approximated(
        "networks",
        "`aliases`, `ipv4_address`, `mac_address` and `interface_name`; IPv6, link-local addresses and driver options are told",
    ),
    refused(
        "oom_kill_disable",
        "a container that cannot be ended takes the machine with it",
    ),
    approximated(
        "oom_score_adj",
        "never below the engine's own; that is told",
    ),
    approximated("pid", "`host` and `service:`; `container:` is told"),
    honoured("pids_limit", ""),
    approximated(
        "platform",
        "images are for this machine; another platform is told",
    ),
    approximated(
        "ports",
        "TCP and UDP; the first port of a range of the host",
    ),
    honoured("post_start", "`privileged` is told"),
    honoured("pre_start", ""),
    honoured("pre_stop", "`privileged` is told"),
    honoured("privileged", ""),
    honoured("profiles", ""),
    refused("provider", "nothing outside of the project is run"),
    approximated(
        "pull_policy",
        "`always`, `missing`, `never` and `build`, which builds an image that the project itself publishes also without `build`; others are told",
    ),
    refused("pull_refresh_after", ""),
    honoured(
        "read_only",
        "images of ours are read-only unless it is `false`, or the code writes to files beside its own and no volume takes them",
    ),
    honoured("restart", ""),
    refused("runtime", "the engine is its own runtime"),
    honoured(
        "scale",
        "of several containers only the first has a port of the host that is named",
    ),
    approximated("secrets", "files in memory; an external one is an error"),
    approximated(
        "security_opt",
        "`no-new-privileges`, and `unconfined` for seccomp, AppArmor and labels; others are an error",
    ),
    honoured("shm_size", ""),
    honoured("stdin_open", ""),
    honoured("stop_grace_period", ""),
    honoured("stop_signal", ""),
    refused("storage_opt", ""),
    honoured("sysctls", ""),
    approximated(
        "tmpfs",
        "`size`, `mode`, `uid` and `gid`; other options are told",
    ),
    honoured("tty", ""),
    approximated(
        "ulimits",
        "never above what the engine itself may have; that is told",
    ),
    refused("use_api_socket", "there is no such socket"),
    honoured("user", ""),
    approximated("userns_mode", "`host` is what happens; others are told"),
    honoured("uts", ""),
    approximated(
        "volumes",
        "`bind`, `volume`, `tmpfs` and `image`; a shared `bind.propagation` and other types are told",
    ),
    approximated(
        "volumes_from",
        "services; `container:` is told, and volumes that only the image declares stay out",
    ),
    honoured("working_dir", ""),
];

/// Whether a key of a service has no effect and is told.
pub(super) fn is_refused(key: &str) -> bool {
    // What is no key at all was refused earlier, and `x-` keys are nobody's business.
    SERVICE
        .binary_search_by_key(&key, |entry| entry.key)
        .is_ok_and(|at| SERVICE[at].support == Support::Refused)
}

/// The table as a page of documentation.
pub fn page() -> String {
    let count = |support| {
        SERVICE
            .iter()
            .filter(|entry| entry.support == support)
            .count()
    };
    let mut page = format!(
        "# Compose: what is honoured\n\n\
         Every key of the Compose Specification is read, checked and merged as `docker compose` does\n\
         it, and `plimsoll config` prints it. This page says what `plimsoll up` makes of it:\n\n\
         - **honoured**: it means what the specification says;\n\
         - **approximated**: it has effect, with the difference stated;\n\
         - **refused**: it has no effect. It is told with its place before anything starts, never\n\
         \x20 dropped in silence.\n\n\
         Keys that begin with `x-` are left alone, but for [`x-plimsoll`](reference/x-plimsoll.md).\n\n\
         Of {} keys of a service {} are honoured, {} approximated, {} refused.\n",
        SERVICE.len(),
        count(Support::Honoured),
        count(Support::Approximated),
        count(Support::Refused),
    );
    section(&mut page, "The top level", TOP_LEVEL);
    section(&mut page, "Services", SERVICE);
    page
}

fn section(page: &mut String, title: &str, entries: &[KeySupport]) {
    page.push_str(&format!("\n## {title}\n\n| key | | how |\n|---|---|---|\n"));
    for entry in entries {
        let support = match entry.support {
            Support::Honoured => "honoured",
            Support::Approximated => "approximated",
            Support::Refused => "refused",
        };
        let note = match entry.note {
            "" => String::new(),
            note => format!(" {note}"),
        };
        page.push_str(&format!("| `{}` | {support} |{note} |\n", entry.key));
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys;
    use super::super::shape::Record;
    use super::*;

    fn known(record: &Record) -> Vec<&'static str> {
        let mut keys: Vec<&str> = record.fields.iter().map(|field| field.key).collect();
        keys.sort_unstable();
        keys
    }

    fn named(entries: &[KeySupport]) -> Vec<&'static str> {
        entries.iter().map(|entry| entry.key).collect()
    }

    #[test]
    fn the_table_has_every_key_once_and_in_order() {
        assert_eq!(named(SERVICE), known(&keys::SERVICE));
        assert_eq!(named(TOP_LEVEL), known(&keys::PROJECT));
    }

    #[test]
    fn what_is_approximated_is_explained() {
        let unexplained = SERVICE
            .iter()
            .chain(TOP_LEVEL)
            .find(|entry| entry.support == Support::Approximated && entry.note.is_empty());
        assert_eq!(unexplained, None);
    }

    #[test]
    fn only_refused_keys_are_told() {
        assert!(is_refused("gpus"));
        assert!(!is_refused("image"));
        assert!(!is_refused("x-anything"));
    }
}
