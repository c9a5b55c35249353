//! The keys of a service.

use super::super::shape::*;
use super::build::{BUILD, BUILD_FORMS};
use super::deploy::{DEPLOY, GPU};
use super::parts::{
    BLKIO, CREDENTIAL, DEPENDENCY, DEVELOP, DEVICE, ENV_FILE, EXTENDS, EXTRA_HOSTS, FILE_USE,
    FILE_USES, HEALTHCHECK, HOOK, HOOKS, JUST_NULL, JUST_NUMBER, JUST_TEXT, LOGGING, MOUNT, PORT,
    PRE_START, PROVIDER, SERVICE_MODEL, SERVICE_NETWORK, ULIMITS, record,
};

/// A service.
pub(in super::super) static SERVICE: Record = record(
    "service",
    &[
        field("profiles", &UNIQUE_TEXTS, Form::Texts),
        field("annotations", &PAIRS, Form::Pairs),
        field("attach", &FLAG, Form::FlagKept),
        field("build", &BUILD_FORMS, Form::Record(&BUILD)),
        field("develop", &Shape::Record(&DEVELOP), Form::Record(&DEVELOP)),
        field("blkio_config", &Shape::Record(&BLKIO), Form::Record(&BLKIO)),
        field("cap_add", &UNIQUE_TEXTS, Form::Texts),
        field("cap_drop", &UNIQUE_TEXTS, Form::Texts),
        field("cgroup_parent", &TEXT, Form::Text),
        field("cgroup", &Shape::Word(&["host", "private"]), Form::Text),
        field("cpu_count", &Shape::Bounded(0, i64::MAX), Form::Whole),
        field("cpu_percent", &Shape::Bounded(0, 100), Form::Decimal),
        field("cpu_period", &NUMBER, Form::Whole),
        field("cpu_quota", &NUMBER, Form::Whole),
        field("cpu_rt_period", &NUMBER, Form::Whole),
        field("cpu_rt_runtime", &NUMBER, Form::Whole),
        field("cpus", &NUMBER, Form::Decimal),
        field("cpuset", &TEXT, Form::Text),
        field("cpu_shares", &NUMBER, Form::Whole),
        field("command", &COMMAND, Form::Words),
        field("configs", &FILE_USES, Form::Records(&FILE_USE)),
        field(
            "container_name",
            &Shape::Pattern(
                has_container_name,
                "a name of letters, digits, `_`, `.` and `-` that is at least two long",
            ),
            Form::Text,
        ),
        field(
            "credential_spec",
            &Shape::Record(&CREDENTIAL),
            Form::Record(&CREDENTIAL),
        ),
        field(
            "depends_on",
            &Shape::Either(&[
                Shape::Unique(&TEXT),
                Shape::Table(Keys::Names, &Shape::Record(&DEPENDENCY)),
            ]),
            Form::Named(&DEPENDENCY),
        ),
        field("deploy", &Shape::Record(&DEPLOY), Form::Record(&DEPLOY)),
        field("device_cgroup_rules", &UNIQUE_TEXTS, Form::Texts),
        field(
            "devices",
            &Shape::List(&Shape::Either(&[JUST_TEXT, Shape::Record(&DEVICE)])),
            Form::Records(&DEVICE),
        ),
        field("dns", &TEXT_OR_TEXTS, Form::Texts),
        field("dns_opt", &UNIQUE_TEXTS, Form::Texts),
        field("dns_search", &TEXT_OR_TEXTS, Form::Texts),
        field("domainname", &TEXT, Form::Text),
        field("entrypoint", &COMMAND, Form::Words),
        field(
            "provider",
            &Shape::Record(&PROVIDER),
            Form::Record(&PROVIDER),
        ),
        field("environment", &PAIRS, Form::OptionalPairs),
        field(
            "env_file",
            &Shape::Either(&[
                JUST_TEXT,
                Shape::List(&Shape::Either(&[JUST_TEXT, Shape::Record(&ENV_FILE)])),
            ]),
            Form::Records(&ENV_FILE),
        ),
        field("expose", &Shape::Unique(&NUMBER), Form::Texts),
        field(
            "extends",
            &Shape::Either(&[JUST_TEXT, Shape::Record(&EXTENDS)]),
            Form::Record(&EXTENDS),
        ),
        field("external_links", &UNIQUE_TEXTS, Form::Texts),
        field("extra_hosts", &EXTRA_HOSTS, Form::Hosts),
        field("group_add", &Shape::Unique(&NUMBER), Form::Texts),
        field(
            "gpus",
            &Shape::Either(&[Shape::Word(&["all"]), Shape::List(&Shape::Record(&GPU))]),
            Form::Records(&GPU),
        ),
        field("hostname", &TEXT, Form::Text),
        field(
            "healthcheck",
            &Shape::Record(&HEALTHCHECK),
            Form::Record(&HEALTHCHECK),
        ),
        field("image", &TEXT, Form::Text),
        field("init", &FLAG, Form::FlagKept),
        field("ipc", &TEXT, Form::Text),
        field("isolation", &TEXT, Form::Text),
        field("labels", &PAIRS, Form::Pairs),
        field(
            "label_file",
            &Shape::Either(&[JUST_TEXT, Shape::List(&TEXT)]),
            Form::Texts,
        ),
        field("links", &UNIQUE_TEXTS, Form::Texts),
        field("logging", &Shape::Record(&LOGGING), Form::Record(&LOGGING)),
        field("mem_limit", &NUMBER, Form::Bytes),
        field("mem_reservation", &WHOLE, Form::Bytes),
        field("memswap_limit", &NUMBER, Form::Bytes),
        field("mem_swappiness", &WHOLE, Form::Bytes),
        field("mac_address", &TEXT, Form::Text),
        field(
            "models",
            &Shape::Either(&[
                Shape::Unique(&TEXT),
                Shape::Table(
                    Keys::LooseNames,
                    &Shape::Either(&[JUST_NULL, Shape::Record(&SERVICE_MODEL)]),
                ),
            ]),
            Form::Named(&SERVICE_MODEL),
        ),
        field("network_mode", &TEXT, Form::Text),
        field(
            "networks",
            &Shape::Either(&[
                Shape::Unique(&TEXT),
                Shape::Table(
                    Keys::Names,
                    &Shape::Either(&[JUST_NULL, Shape::Record(&SERVICE_NETWORK)]),
                ),
            ]),
            Form::Named(&SERVICE_NETWORK),
        ),
        field("oom_kill_disable", &FLAG, Form::Flag),
        field("oom_score_adj", &Shape::Bounded(-1000, 1000), Form::Whole),
        field("pid", &TEXT_OR_NULL, Form::Text),
        field("pids_limit", &NUMBER, Form::Whole),
        field("platform", &TEXT, Form::Text),
        field(
            "ports",
            &Shape::Unique(&Shape::Either(&[JUST_NUMBER, Shape::Record(&PORT)])),
            Form::Records(&PORT),
        ),
        field("privileged", &FLAG, Form::Flag),
        field(
            "pull_policy",
            &Shape::Pattern(
                has_pull_policy,
                "always, never, missing, build, refresh, daily, weekly or every_<duration>",
            ),
            Form::Text,
        ),
        field("read_only", &FLAG, Form::Flag),
        field("restart", &TEXT, Form::Text),
        field("runtime", &TEXT, Form::Text),
        field("scale", &WHOLE, Form::WholeKept),
        field("secrets", &FILE_USES, Form::Records(&FILE_USE)),
        field("security_opt", &UNIQUE_TEXTS, Form::Texts),
        field("shm_size", &NUMBER, Form::Bytes),
        field("stdin_open", &FLAG, Form::Flag),
        field("stop_grace_period", &TEXT, Form::DurationKept),
        field("stop_signal", &TEXT, Form::Text),
        field(
            "storage_opt",
            &Shape::Table(Keys::Any, &Shape::Any),
            Form::Pairs,
        ),
        field("sysctls", &PAIRS, Form::Pairs),
        field("tmpfs", &TEXT_OR_TEXTS, Form::Texts),
        field("tty", &FLAG, Form::Flag),
        field("ulimits", &ULIMITS, Form::Ulimits),
        field("use_api_socket", &BOOLEAN, Form::Flag),
        field("user", &TEXT, Form::Text),
        field("userns_mode", &TEXT, Form::Text),
        field("uts", &TEXT, Form::Text),
        field(
            "volumes",
            &Shape::Unique(&Shape::Either(&[JUST_TEXT, Shape::Record(&MOUNT)])),
            Form::Records(&MOUNT),
        ),
        field("volumes_from", &UNIQUE_TEXTS, Form::Texts),
        field("working_dir", &TEXT, Form::Text),
        field(
            "pre_start",
            &Shape::List(&Shape::Record(&PRE_START)),
            Form::Records(&PRE_START),
        ),
        field("post_start", &HOOKS, Form::Records(&HOOK)),
        field("pre_stop", &HOOKS, Form::Records(&HOOK)),
        field("pull_refresh_after", &TEXT, Form::Text),
    ],
    &[],
    Extra::Extensions,
);

fn has_container_name(text: &str) -> bool {
    // The peer asks for such a name anywhere in the text.
    text.as_bytes().windows(2).any(|pair| {
        pair[0].is_ascii_alphanumeric()
            && (pair[1].is_ascii_alphanumeric() || b"_.-".contains(&pair[1]))
    })
}

fn has_pull_policy(text: &str) -> bool {
    let words = [
        "always",
        "never",
        "build",
        "if_not_present",
        "missing",
        "refresh",
        "daily",
        "weekly",
    ];
    words.iter().any(|word| text.contains(word))
        || text.find("every_").is_some_and(|start| {
            let after = &text[start + "every_".len()..];
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            digits > 0 && after[digits..].starts_with(['w', 'd', 'h', 'm', 's'])
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_93_service_keys_are_there_and_each_stands_once() {
        let mut keys: Vec<_> = SERVICE.fields.iter().map(|field| field.key).collect();
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
        assert_eq!(count, 93);
    }
}
