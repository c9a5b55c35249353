//! The top level and its sections.

use super::super::shape::*;
use super::SERVICE;

static EXTERNAL: Record = Record {
    name: "external",
    fields: &[field("name", &TEXT, Form::Text)],
    required: &[],
    extra: Extra::Extensions,
    print: Print::Usual,
};

static EXTERNAL_LOOSE: Record = Record {
    name: "external",
    fields: &[field("name", &TEXT, Form::Text)],
    required: &[],
    extra: Extra::Anything,
    print: Print::Usual,
};

static MAYBE_EXTERNAL: Shape = Shape::Either(&[
    Shape::Scalar(Kinds {
        text: true,
        number: Numbers::No,
        boolean: true,
        null: false,
    }),
    Shape::Record(&EXTERNAL),
]);

static MAYBE_EXTERNAL_LOOSE: Shape = Shape::Either(&[
    Shape::Scalar(Kinds {
        text: true,
        number: Numbers::No,
        boolean: true,
        null: false,
    }),
    Shape::Record(&EXTERNAL_LOOSE),
]);

static IPAM_POOL: Record = Record {
    name: "address pool",
    fields: &[
        field("subnet", &TEXT, Form::Text),
        field("gateway", &TEXT, Form::Text),
        field("ip_range", &TEXT, Form::Text),
        field(
            "aux_addresses",
            &Shape::Table(Keys::Any, &TEXT),
            Form::Pairs,
        ),
    ],
    required: &[],
    extra: Extra::Extensions,
    print: Print::Usual,
};

static IPAM: Record = Record {
    name: "ipam",
    fields: &[
        field("driver", &TEXT, Form::Text),
        field(
            "config",
            &Shape::List(&Shape::Record(&IPAM_POOL)),
            Form::Records(&IPAM_POOL),
        ),
        field("options", &Shape::Table(Keys::Any, &TEXT), Form::Pairs),
    ],
    required: &[],
    extra: Extra::Extensions,
    print: Print::Usual,
};

static NETWORK: Record = Record {
    name: "network",
    fields: &[
        field("name", &TEXT, Form::Text),
        field("driver", &TEXT, Form::Text),
        field("driver_opts", &OPTIONS, Form::Pairs),
        field("ipam", &Shape::Record(&IPAM), Form::Struct(&IPAM)),
        field("external", &MAYBE_EXTERNAL, Form::Flag),
        field("internal", &FLAG, Form::Flag),
        field("attachable", &FLAG, Form::Flag),
        field("labels", &PAIRS, Form::Pairs),
        field("enable_ipv4", &FLAG, Form::FlagKept),
        field("enable_ipv6", &FLAG, Form::FlagKept),
    ],
    required: &[],
    extra: Extra::ExtensionsOrNull,
    print: Print::Usual,
};

static VOLUME: Record = Record {
    name: "volume",
    fields: &[
        field("name", &TEXT, Form::Text),
        field("driver", &TEXT, Form::Text),
        field("driver_opts", &OPTIONS, Form::Pairs),
        field("external", &MAYBE_EXTERNAL, Form::Flag),
        field("labels", &PAIRS, Form::Pairs),
    ],
    required: &[],
    extra: Extra::ExtensionsOrNull,
    print: Print::Usual,
};

static SECRET: Record = Record {
    name: "secret",
    fields: &[
        field("name", &TEXT, Form::Text),
        field("file", &TEXT, Form::Text),
        field("environment", &TEXT, Form::Text),
        field("external", &MAYBE_EXTERNAL_LOOSE, Form::Flag),
        field("labels", &PAIRS, Form::Pairs),
        field("driver", &TEXT, Form::Text),
        field("driver_opts", &OPTIONS, Form::Pairs),
        field("template_driver", &TEXT, Form::Text),
    ],
    required: &[],
    extra: Extra::Extensions,
    print: Print::Usual,
};

static CONFIG: Record = Record {
    name: "config",
    fields: &[
        field("name", &TEXT, Form::Text),
        field("file", &TEXT, Form::Text),
        field("environment", &TEXT, Form::Text),
        field("content", &TEXT, Form::Text),
        field("external", &MAYBE_EXTERNAL_LOOSE, Form::Flag),
        field("labels", &PAIRS, Form::Pairs),
        field("template_driver", &TEXT, Form::Text),
    ],
    required: &[],
    extra: Extra::Extensions,
    print: Print::Usual,
};

static MODEL: Record = Record {
    name: "model",
    fields: &[
        field("name", &TEXT, Form::Text),
        field("model", &TEXT, Form::Text),
        field("context_size", &WHOLE_ONLY, Form::Whole),
        field("runtime_flags", &TEXTS, Form::Texts),
    ],
    required: &["model"],
    extra: Extra::Extensions,
    print: Print::Usual,
};

static INCLUDE: Record = Record {
    name: "include",
    fields: &[
        field("path", &TEXT_OR_TEXTS, Form::Texts),
        field("project_directory", &TEXT, Form::Text),
        field("env_file", &TEXT_OR_TEXTS, Form::Texts),
    ],
    required: &[],
    extra: Extra::No,
    print: Print::Usual,
};

/// A whole file, and the whole project.
pub(in super::super) static PROJECT: Record = Record {
    name: "Compose file",
    fields: &[
        field("version", &TEXT, Form::Text),
        field("name", &TEXT, Form::Text),
        field(
            "include",
            &Shape::List(&Shape::Either(&[
                Shape::Scalar(Kinds {
                    text: true,
                    number: Numbers::No,
                    boolean: false,
                    null: false,
                }),
                Shape::Record(&INCLUDE),
            ])),
            Form::Records(&INCLUDE),
        ),
        field(
            "services",
            &Shape::Table(Keys::Names, &Shape::Record(&SERVICE)),
            Form::Named(&SERVICE),
        ),
        field(
            "networks",
            &Shape::Table(Keys::LooseNames, &Shape::Record(&NETWORK)),
            Form::Named(&NETWORK),
        ),
        field(
            "volumes",
            &Shape::Table(Keys::Names, &Shape::Record(&VOLUME)),
            Form::Named(&VOLUME),
        ),
        field(
            "secrets",
            &Shape::Table(Keys::Names, &Shape::Record(&SECRET)),
            Form::Named(&SECRET),
        ),
        field(
            "configs",
            &Shape::Table(Keys::Names, &Shape::Record(&CONFIG)),
            Form::Named(&CONFIG),
        ),
        field(
            "models",
            &Shape::Table(Keys::LooseNames, &Shape::Record(&MODEL)),
            Form::Named(&MODEL),
        ),
    ],
    required: &[],
    extra: Extra::Extensions,
    print: Print::Usual,
};

/// The sections whose entries are named by the author.
pub(in super::super) const SECTIONS: [&str; 6] = [
    "services", "networks", "volumes", "secrets", "configs", "models",
];
