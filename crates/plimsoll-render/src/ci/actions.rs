//! The actions that pipelines use, each pinned to the commit of a release, and the steps that
//! several jobs have.

use serde_json::{Value, json};

use super::images::Registry;
use crate::serialise::commented;

/// An action at one commit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Action {
    name: &'static str,
    commit: &'static str,
    version: &'static str,
}

const fn action(name: &'static str, commit: &'static str, version: &'static str) -> Action {
    Action {
        name,
        commit,
        version,
    }
}

pub(super) const CHECKOUT: Action = action(
    "actions/checkout",
    "3d3c42e5aac5ba805825da76410c181273ba90b1",
    "v7.0.1",
);
pub(super) const ATTEST: Action = action(
    "actions/attest-build-provenance",
    "a2bbfa25375fe432b6a289bc6b6cd05ecd0c4c32",
    "v4.1.0",
);
pub(super) const BUILD: Action = action(
    "docker/build-push-action",
    "53b7df96c91f9c12dcc8a07bcb9ccacbed38856a",
    "v7.3.0",
);
pub(super) const METADATA: Action = action(
    "docker/metadata-action",
    "dc802804100637a589fabce1cb79ff13a1411302",
    "v6.2.0",
);
pub(super) const LOGIN: Action = action(
    "docker/login-action",
    "4907a6ddec9925e35a0a9e82d7399ccc52663121",
    "v4.1.0",
);
pub(super) const BUILDX: Action = action(
    "docker/setup-buildx-action",
    "37fe631027851001ddb9b187196cc803df7f5f0e",
    "v4.3.0",
);
pub(super) const COSIGN: Action = action(
    "sigstore/cosign-installer",
    "6f9f17788090df1f26f669e9d70d6ae9567deba6",
    "v4.1.2",
);
pub(super) const TRIVY: Action = action(
    "aquasecurity/trivy-action",
    "ed142fd0673e97e23eac54620cfb913e5ce36c25",
    "v0.36.0",
);
pub(super) const SARIF: Action = action(
    "github/codeql-action/upload-sarif",
    "8aad20d150bbac5944a9f9d289da16a4b0d87c1e",
    "v4.36.2",
);

impl Action {
    /// What stands behind `uses`.
    pub(super) fn pinned(self) -> Value {
        commented(format!("{}@{}", self.name, self.commit), self.version)
    }

    /// A step that is only this action.
    pub(super) fn step(self) -> Value {
        json!({ "uses": self.pinned() })
    }

    /// A step with inputs.
    pub(super) fn with(self, with: Value) -> Value {
        json!({ "uses": self.pinned(), "with": with })
    }
}

/// The repository's files, without the token that could push.
pub(super) fn checkout() -> Value {
    CHECKOUT.with(json!({ "persist-credentials": false }))
}

/// Signs in where images are published.
pub(super) fn login(registry: &Registry) -> Value {
    let (user, password) = if registry.is_githubs() {
        ("${{ github.actor }}", "${{ github.token }}")
    } else {
        (
            "${{ secrets.REGISTRY_USERNAME }}",
            "${{ secrets.REGISTRY_PASSWORD }}",
        )
    };
    LOGIN.with(json!({
        "registry": registry.host,
        "username": user,
        "password": password,
    }))
}

/// A step that runs when an expression is true.
pub(super) fn only_if(mut step: Value, condition: &str) -> Value {
    if let Some(map) = step.as_object_mut() {
        map.shift_insert(0, "if".to_owned(), json!(condition));
    }
    step
}

/// A step with a name and an id, which others read its outputs by.
pub(super) fn named(mut step: Value, name: &str, id: Option<&str>) -> Value {
    if let Some(map) = step.as_object_mut() {
        if let Some(id) = id {
            map.shift_insert(0, "id".to_owned(), json!(id));
        }
        map.shift_insert(0, "name".to_owned(), json!(name));
    }
    step
}
