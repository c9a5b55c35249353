//! What stands under the keys of a service.

use super::super::shape::*;

pub(super) const JUST_TEXT: Shape = Shape::Scalar(Kinds {
    text: true,
    number: Numbers::No,
    boolean: false,
    null: false,
});

pub(super) const JUST_NULL: Shape = Shape::Scalar(Kinds {
    text: false,
    number: Numbers::No,
    boolean: false,
    null: true,
});

pub(super) const JUST_WHOLE: Shape = Shape::Scalar(Kinds {
    text: true,
    number: Numbers::Whole,
    boolean: false,
    null: false,
});

pub(super) const JUST_NUMBER: Shape = Shape::Scalar(Kinds {
    text: true,
    number: Numbers::All,
    boolean: false,
    null: false,
});

pub(super) const fn record(
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

pub(super) static WEIGHT_DEVICE: Record = Record {
    name: "weight_device",
    fields: &[
        field("path", &TEXT, Form::Text),
        field("weight", &WHOLE, Form::Whole),
    ],
    required: &[],
    extra: Extra::No,
    print: Print::AlwaysCapital,
};

pub(super) static RATE_DEVICE: Record = Record {
    name: "device rate",
    fields: &[
        field("path", &TEXT, Form::Text),
        field("rate", &WHOLE, Form::Bytes),
    ],
    required: &[],
    extra: Extra::No,
    print: Print::AlwaysCapital,
};

pub(super) static RATES: Shape = Shape::List(&Shape::Record(&RATE_DEVICE));

pub(super) static BLKIO: Record = record(
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

pub(super) static CREDENTIAL: Record = record(
    "credential_spec",
    &[
        field("config", &TEXT, Form::Text),
        field("file", &TEXT, Form::Text),
        field("registry", &TEXT, Form::Text),
    ],
    &[],
    Extra::Extensions,
);

pub(super) static DEPENDENCY: Record = record(
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

pub(super) static DEVICE: Record = record(
    "device",
    &[
        field("source", &TEXT, Form::Text),
        field("target", &TEXT, Form::Text),
        field("permissions", &TEXT, Form::Text),
    ],
    &["source"],
    Extra::Extensions,
);

pub(super) static ENV_FILE: Record = record(
    "env_file",
    &[
        field("path", &TEXT, Form::Text),
        field("required", &FLAG, Form::FlagKept),
        field("format", &TEXT, Form::Text),
    ],
    &["path"],
    Extra::No,
);

pub(super) static EXTENDS: Record = record(
    "extends",
    &[
        field("file", &TEXT, Form::Text),
        field("service", &TEXT, Form::Text),
    ],
    &["service"],
    Extra::No,
);

pub(super) static PROVIDER: Record = record(
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

pub(super) static HEALTHCHECK: Record = record(
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

pub(super) static LOGGING: Record = record(
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

pub(super) static SERVICE_MODEL: Record = record(
    "use of a model",
    &[
        field("endpoint_var", &TEXT, Form::Text),
        field("model_var", &TEXT, Form::Text),
    ],
    &[],
    Extra::Extensions,
);

pub(super) static SERVICE_NETWORK: Record = record(
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

pub(super) static PORT: Record = record(
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

pub(super) static HOOK: Record = record(
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

pub(super) static PRE_START: Record = record(
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

pub(super) static HOOKS: Shape = Shape::List(&Shape::Record(&HOOK));

pub(super) static WATCH: Record = record(
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

pub(super) static DEVELOP: Record = record(
    "develop",
    &[field(
        "watch",
        &Shape::List(&Shape::Record(&WATCH)),
        Form::Records(&WATCH),
    )],
    &[],
    Extra::ExtensionsOrNull,
);

pub(super) static ULIMIT: Record = record(
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

pub(super) static BIND: Record = record(
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

pub(super) static MOUNT_VOLUME: Record = record(
    "volume",
    &[
        field("labels", &PAIRS, Form::Pairs),
        field("nocopy", &FLAG, Form::Flag),
        field("subpath", &TEXT, Form::Text),
    ],
    &[],
    Extra::Extensions,
);

pub(super) static MOUNT_TMPFS: Record = record(
    "tmpfs",
    &[
        field("size", &Shape::Bounded(0, i64::MAX), Form::Bytes),
        field("mode", &NUMBER, Form::Whole),
    ],
    &[],
    Extra::Extensions,
);

pub(super) static MOUNT_IMAGE: Record = record(
    "image",
    &[field("subpath", &TEXT, Form::Text)],
    &[],
    Extra::Extensions,
);

pub(super) static MOUNT: Record = record(
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
