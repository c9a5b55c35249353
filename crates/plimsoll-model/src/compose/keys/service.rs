//! The keys of a service.

use super::super::shape::*;
use super::build::{BUILD, BUILD_FORMS};
use super::deploy::{DEPLOY, GPU};

const JUST_TEXT: Shape = Shape::Scalar(Kinds {
    text: true,
    number: Numbers::No,
    boolean: false,
    null: false,
});

const JUST_NULL: Shape = Shape::Scalar(Kinds {
    text: false,
    number: Numbers::No,
    boolean: false,
    null: true,
});

const JUST_WHOLE: Shape = Shape::Scalar(Kinds {
    text: true,
    number: Numbers::Whole,
    boolean: false,
    null: false,
});

const JUST_NUMBER: Shape = Shape::Scalar(Kinds {
    text: true,
    number: Numbers::All,
    boolean: false,
    null: false,
});

const fn record(
    name: &'static str,
    fields: &'static [Field],
    required: &'static [&'static str],
    extra: Extra,
) -> Record {
    Record {
        name,
        fields,
        required,
        extra,
        print: Print::Usual,
    }
}

static WEIGHT_DEVICE: Record = Record {
    name: "weight_device",
    fields: &[
        field("path", &TEXT, Form::Text),
        field("weight", &WHOLE, Form::Whole),
    ],
    required: &[],
    extra: Extra::No,
    print: Print::AlwaysCapital,
};

static RATE_DEVICE: Record = Record {
    name: "device rate",
    fields: &[
        field("path", &TEXT, Form::Text),
        field("rate", &WHOLE, Form::Bytes),
    ],
    required: &[],
    extra: Extra::No,
    print: Print::AlwaysCapital,
};

static RATES: Shape = Shape::List(&Shape::Record(&RATE_DEVICE));

static BLKIO: Record = record(
    "blkio_config",
    &[
        field("weight", &WHOLE, Form::Whole),
        field(
            "weight_device",
            &Shape::List(&Shape::Record(&WEIGHT_DEVICE)),
            Form::Records(&WEIGHT_DEVICE),
        ),
        field("device_read_bps", &RATES, Form::Records(&RATE_DEVICE)),
        field("device_read_iops", &RATES, Form::Records(&RATE_DEVICE)),
        field("device_write_bps", &RATES, Form::Records(&RATE_DEVICE)),
        field("device_write_iops", &RATES, Form::Records(&RATE_DEVICE)),
    ],
    &[],
    Extra::No,
);

/// A service's use of a secret or config.
pub(super) static FILE_USE: Record = record(
    "use of a file",
    &[
        field("source", &TEXT, Form::Text),
        field("target", &TEXT, Form::Text),
        field("uid", &TEXT, Form::Text),
        field("gid", &TEXT, Form::Text),
        field("mode", &NUMBER, Form::Mode),
    ],
    &[],
    Extra::Extensions,
);

/// Names or records of secrets and configs.
pub(super) static FILE_USES: Shape =
    Shape::List(&Shape::Either(&[JUST_TEXT, Shape::Record(&FILE_USE)]));

static CREDENTIAL: Record = record(
    "credential_spec",
    &[
        field("config", &TEXT, Form::Text),
        field("file", &TEXT, Form::Text),
        field("registry", &TEXT, Form::Text),
    ],
    &[],
    Extra::Extensions,
);

static DEPENDENCY: Record = record(
    "dependency",
    &[
        field(
            "condition",
            &Shape::Word(&[
                "service_started",
                "service_healthy",
                "service_completed_successfully",
            ]),
            Form::Text,
        ),
        field("restart", &FLAG, Form::Flag),
        field("required", &BOOLEAN, Form::FlagKept),
    ],
    &["condition"],
    Extra::Extensions,
);

static DEVICE: Record = record(
    "device",
    &[
        field("source", &TEXT, Form::Text),
        field("target", &TEXT, Form::Text),
        field("permissions", &TEXT, Form::Text),
    ],
    &["source"],
    Extra::Extensions,
);

static ENV_FILE: Record = record(
    "env_file",
    &[
        field("path", &TEXT, Form::Text),
        field("required", &FLAG, Form::FlagKept),
        field("format", &TEXT, Form::Text),
    ],
    &["path"],
    Extra::No,
);

static EXTENDS: Record = record(
    "extends",
    &[
        field("file", &TEXT, Form::Text),
        field("service", &TEXT, Form::Text),
    ],
    &["service"],
    Extra::No,
);

static PROVIDER: Record = record(
    "provider",
    &[
        field("type", &TEXT, Form::Text),
        field(
            "options",
            &Shape::Table(
                Keys::Any,
                &Shape::Either(&[
                    Shape::Scalar(Kinds {
                        text: true,
                        number: Numbers::All,
                        boolean: true,
                        null: false,
                    }),
                    Shape::List(&SCALAR),
                ]),
            ),
            Form::ManyPairs,
        ),
    ],
    &["type"],
    Extra::Extensions,
);

/// Host names and their addresses.
pub(super) static EXTRA_HOSTS: Shape = Shape::Either(&[
    Shape::Table(Keys::Any, &Shape::Either(&[JUST_TEXT, Shape::List(&TEXT)])),
    Shape::Unique(&TEXT),
]);

static HEALTHCHECK: Record = record(
    "healthcheck",
    &[
        field(
            "test",
            &Shape::Either(&[JUST_TEXT, Shape::List(&TEXT)]),
            Form::Test,
        ),
        field("timeout", &TEXT, Form::DurationKept),
        field("interval", &TEXT, Form::DurationKept),
        field("retries", &NUMBER, Form::WholeKept),
        field("start_period", &TEXT, Form::DurationKept),
        field("start_interval", &TEXT, Form::DurationKept),
        field("disable", &FLAG, Form::Flag),
    ],
    &[],
    Extra::Extensions,
);

static LOGGING: Record = record(
    "logging",
    &[
        field("driver", &TEXT, Form::Text),
        field(
            "options",
            &Shape::Table(Keys::Any, &NUMBER_OR_NULL),
            Form::Pairs,
        ),
    ],
    &[],
    Extra::Extensions,
);

static SERVICE_MODEL: Record = record(
    "use of a model",
    &[
        field("endpoint_var", &TEXT, Form::Text),
        field("model_var", &TEXT, Form::Text),
    ],
    &[],
    Extra::Extensions,
);

static SERVICE_NETWORK: Record = record(
    "use of a network",
    &[
        field("aliases", &UNIQUE_TEXTS, Form::Texts),
        field("driver_opts", &OPTIONS, Form::Pairs),
        field("gw_priority", &NUMBER_ONLY, Form::Whole),
        field("interface_name", &TEXT, Form::Text),
        field("ipv4_address", &TEXT, Form::Text),
        field("ipv6_address", &TEXT, Form::Text),
        field("link_local_ips", &UNIQUE_TEXTS, Form::Texts),
        field("mac_address", &TEXT, Form::Text),
        field("priority", &NUMBER_ONLY, Form::Whole),
    ],
    &[],
    Extra::Extensions,
);

static PORT: Record = record(
    "port",
    &[
        field("name", &TEXT, Form::Text),
        field("mode", &TEXT, Form::Text),
        field("host_ip", &TEXT, Form::Text),
        field("target", &WHOLE, Form::Whole),
        field("published", &WHOLE, Form::Text),
        field("protocol", &TEXT, Form::Text),
        field("app_protocol", &TEXT, Form::Text),
    ],
    &[],
    Extra::Extensions,
);

static HOOK: Record = record(
    "hook",
    &[
        field("command", &COMMAND, Form::Words),
        field("user", &TEXT, Form::Text),
        field("privileged", &FLAG, Form::Flag),
        field("working_dir", &TEXT, Form::Text),
        field("environment", &PAIRS, Form::OptionalPairs),
    ],
    &["command"],
    Extra::Extensions,
);

static PRE_START: Record = record(
    "pre_start hook",
    &[
        field("command", &COMMAND, Form::Words),
        field("image", &TEXT, Form::Text),
        field("user", &TEXT, Form::Text),
        field("privileged", &FLAG, Form::Flag),
        field("working_dir", &TEXT, Form::Text),
        field("environment", &PAIRS, Form::OptionalPairs),
        field("per_replica", &FLAG, Form::Flag),
    ],
    &[],
    Extra::Extensions,
);

static HOOKS: Shape = Shape::List(&Shape::Record(&HOOK));

static WATCH: Record = record(
    "watch",
    &[
        field("path", &TEXT, Form::Text),
        field(
            "action",
            &Shape::Word(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"]),
            Form::Text,
        ),
        field("target", &TEXT, Form::Text),
        field("exec", &Shape::Record(&HOOK), Form::Struct(&HOOK)),
        field("include", &TEXT_OR_TEXTS, Form::Texts),
        field("ignore", &TEXT_OR_TEXTS, Form::Texts),
        field("initial_sync", &BOOLEAN, Form::Flag),
    ],
    &["path", "action"],
    Extra::Extensions,
);

static DEVELOP: Record = record(
    "develop",
    &[field(
        "watch",
        &Shape::List(&Shape::Record(&WATCH)),
        Form::Records(&WATCH),
    )],
    &[],
    Extra::ExtensionsOrNull,
);

static ULIMIT: Record = record(
    "ulimit",
    &[
        field("soft", &WHOLE, Form::Whole),
        field("hard", &WHOLE, Form::Whole),
    ],
    &["soft", "hard"],
    Extra::Extensions,
);

/// Names and limits.
pub(super) static ULIMITS: Shape = Shape::Table(
    Keys::SmallLetters,
    &Shape::Either(&[JUST_WHOLE, Shape::Record(&ULIMIT)]),
);

static BIND: Record = record(
    "bind",
    &[
        field("selinux", &Shape::Word(&["z", "Z"]), Form::Text),
        field("propagation", &TEXT, Form::Text),
        field("create_host_path", &FLAG, Form::FlagKept),
        field(
            "recursive",
            &Shape::Word(&["enabled", "disabled", "writable", "readonly"]),
            Form::Text,
        ),
    ],
    &[],
    Extra::Extensions,
);

static MOUNT_VOLUME: Record = record(
    "volume",
    &[
        field("labels", &PAIRS, Form::Pairs),
        field("nocopy", &FLAG, Form::Flag),
        field("subpath", &TEXT, Form::Text),
    ],
    &[],
    Extra::Extensions,
);

static MOUNT_TMPFS: Record = record(
    "tmpfs",
    &[
        field("size", &Shape::Bounded(0, i64::MAX), Form::Bytes),
        field("mode", &NUMBER, Form::Whole),
    ],
    &[],
    Extra::Extensions,
);

static MOUNT_IMAGE: Record = record(
    "image",
    &[field("subpath", &TEXT, Form::Text)],
    &[],
    Extra::Extensions,
);

static MOUNT: Record = record(
    "mount",
    &[
        field(
            "type",
            &Shape::Word(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"]),
            Form::Text,
        ),
        field("source", &TEXT, Form::Text),
        field("target", &TEXT, Form::Text),
        field("read_only", &FLAG, Form::Flag),
        field("consistency", &TEXT, Form::Text),
        field("bind", &Shape::Record(&BIND), Form::Record(&BIND)),
        field(
            "volume",
            &Shape::Record(&MOUNT_VOLUME),
            Form::Record(&MOUNT_VOLUME),
        ),
        field(
            "tmpfs",
            &Shape::Record(&MOUNT_TMPFS),
            Form::Record(&MOUNT_TMPFS),
        ),
        field(
            "image",
            &Shape::Record(&MOUNT_IMAGE),
            Form::Record(&MOUNT_IMAGE),
        ),
    ],
    &["type"],
    Extra::Extensions,
);

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
