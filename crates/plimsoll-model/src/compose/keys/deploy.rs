//! `deploy`, and the device requests that `gpus` shares with it.

use super::super::shape::*;

const USUAL: Print = Print::Usual;

static UPDATE: Record = Record {
    name: "update_config",
    fields: &[
        field("parallelism", &WHOLE, Form::WholeKept),
        field("delay", &TEXT, Form::Duration),
        field("failure_action", &TEXT, Form::Text),
        field("monitor", &TEXT, Form::Duration),
        field("max_failure_ratio", &NUMBER, Form::Decimal),
        field(
            "order",
            &Shape::Word(&["start-first", "stop-first"]),
            Form::Text,
        ),
    ],
    required: &[],
    extra: Extra::Extensions,
    print: USUAL,
};

static DISCRETE: Record = Record {
    name: "discrete_resource_spec",
    fields: &[
        field("kind", &TEXT, Form::Text),
        field("value", &NUMBER, Form::Whole),
    ],
    required: &[],
    extra: Extra::Extensions,
    print: Print::Always,
};

static GENERIC: Record = Record {
    name: "generic resource",
    fields: &[field(
        "discrete_resource_spec",
        &Shape::Record(&DISCRETE),
        Form::Record(&DISCRETE),
    )],
    required: &[],
    extra: Extra::Extensions,
    print: USUAL,
};

static DEVICE_REQUEST: Record = Record {
    name: "device request",
    fields: DEVICE_FIELDS,
    required: &["capabilities"],
    extra: Extra::Extensions,
    print: USUAL,
};

/// What an entry of `gpus` may say.
pub(super) static GPU: Record = Record {
    name: "gpu request",
    fields: DEVICE_FIELDS,
    required: &[],
    extra: Extra::Anything,
    print: USUAL,
};

const DEVICE_FIELDS: &[Field] = &[
    field("capabilities", &UNIQUE_TEXTS, Form::Texts),
    field("driver", &TEXT, Form::Text),
    field("count", &WHOLE, Form::Count),
    field("device_ids", &UNIQUE_TEXTS, Form::Texts),
    field("options", &PAIRS, Form::Pairs),
];

static LIMITS: Record = Record {
    name: "limits",
    fields: &[
        field("cpus", &NUMBER, Form::Decimal),
        field("memory", &TEXT, Form::Bytes),
        field("pids", &WHOLE, Form::Whole),
    ],
    required: &[],
    extra: Extra::Extensions,
    print: USUAL,
};

static RESERVATIONS: Record = Record {
    name: "reservations",
    fields: &[
        field("cpus", &NUMBER, Form::Decimal),
        field("memory", &TEXT, Form::Bytes),
        field(
            "devices",
            &Shape::List(&Shape::Record(&DEVICE_REQUEST)),
            Form::Records(&DEVICE_REQUEST),
        ),
        field(
            "generic_resources",
            &Shape::List(&Shape::Record(&GENERIC)),
            Form::Records(&GENERIC),
        ),
    ],
    required: &[],
    extra: Extra::Extensions,
    print: USUAL,
};

static RESOURCES: Record = Record {
    name: "resources",
    fields: &[
        field("limits", &Shape::Record(&LIMITS), Form::Record(&LIMITS)),
        field(
            "reservations",
            &Shape::Record(&RESERVATIONS),
            Form::Record(&RESERVATIONS),
        ),
    ],
    required: &[],
    extra: Extra::Extensions,
    print: USUAL,
};

static RESTART_POLICY: Record = Record {
    name: "restart_policy",
    fields: &[
        field("condition", &TEXT, Form::Text),
        field("delay", &TEXT, Form::DurationKept),
        field("max_attempts", &WHOLE, Form::WholeKept),
        field("window", &TEXT, Form::DurationKept),
    ],
    required: &[],
    extra: Extra::Extensions,
    print: USUAL,
};

static PREFERENCE: Record = Record {
    name: "placement preference",
    fields: &[field("spread", &TEXT, Form::Text)],
    required: &[],
    extra: Extra::Extensions,
    print: USUAL,
};

static PLACEMENT: Record = Record {
    name: "placement",
    fields: &[
        field("constraints", &TEXTS, Form::Texts),
        field(
            "preferences",
            &Shape::List(&Shape::Record(&PREFERENCE)),
            Form::Records(&PREFERENCE),
        ),
        field("max_replicas_per_node", &WHOLE, Form::Whole),
    ],
    required: &[],
    extra: Extra::Extensions,
    print: USUAL,
};

pub(super) static DEPLOY: Record = Record {
    name: "deploy",
    fields: &[
        field("mode", &TEXT, Form::Text),
        field("replicas", &WHOLE, Form::WholeKept),
        field("labels", &PAIRS, Form::Pairs),
        field(
            "update_config",
            &Shape::Record(&UPDATE),
            Form::Record(&UPDATE),
        ),
        field(
            "rollback_config",
            &Shape::Record(&UPDATE),
            Form::Record(&UPDATE),
        ),
        field(
            "resources",
            &Shape::Record(&RESOURCES),
            Form::Struct(&RESOURCES),
        ),
        field(
            "restart_policy",
            &Shape::Record(&RESTART_POLICY),
            Form::Record(&RESTART_POLICY),
        ),
        field(
            "placement",
            &Shape::Record(&PLACEMENT),
            Form::Struct(&PLACEMENT),
        ),
        field("endpoint_mode", &TEXT, Form::Text),
    ],
    required: &[],
    extra: Extra::ExtensionsOrNull,
    print: USUAL,
};
