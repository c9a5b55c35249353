//! `build`.

use super::super::shape::*;
use super::parts::{EXTRA_HOSTS, FILE_USE, FILE_USES, ULIMITS};

pub(super) static BUILD: Record = Record {
    name: "build",
    fields: &[
        field("context", &TEXT, Form::Text),
        field("dockerfile", &TEXT, Form::Text),
        field("dockerfile_inline", &TEXT, Form::Text),
        field("entitlements", &TEXTS, Form::Texts),
        field("args", &PAIRS, Form::OptionalPairs),
        field("provenance", &FLAG, Form::Text),
        field("sbom", &FLAG, Form::Text),
        field("ssh", &PAIRS, Form::Ssh),
        field("labels", &PAIRS, Form::Pairs),
        field("cache_from", &TEXTS, Form::Texts),
        field("cache_to", &TEXTS, Form::Texts),
        field("no_cache", &FLAG, Form::Flag),
        field("no_cache_filter", &TEXT_OR_TEXTS, Form::Texts),
        field("additional_contexts", &PAIRS, Form::Pairs),
        field("pull", &FLAG, Form::Flag),
        field("extra_hosts", &EXTRA_HOSTS, Form::Hosts),
        field("isolation", &TEXT, Form::Text),
        field("network", &TEXT, Form::Text),
        field("target", &TEXT, Form::Text),
        field("secrets", &FILE_USES, Form::Records(&FILE_USE)),
        field("shm_size", &WHOLE, Form::Bytes),
        field("tags", &TEXTS, Form::Texts),
        field("ulimits", &ULIMITS, Form::Ulimits),
        field("platforms", &TEXTS, Form::Texts),
        field("privileged", &FLAG, Form::Flag),
    ],
    required: &[],
    extra: Extra::Extensions,
    print: Print::Usual,
};

/// A path, or the record.
pub(super) static BUILD_FORMS: Shape = Shape::Either(&[
    Shape::Scalar(Kinds {
        text: true,
        number: Numbers::No,
        boolean: false,
        null: false,
    }),
    Shape::Record(&BUILD),
]);
