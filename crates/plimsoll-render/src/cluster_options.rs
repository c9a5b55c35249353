//! What the one who renders chooses for a cluster; a model says none of it.

use serde::Serialize;

/// Choices for the targets `kubernetes` and `helm`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ClusterOptions {
    /// How requests come in.
    pub entry: Entry,
    /// Where values of secrets come from in staging and production.
    pub secrets: SecretSource,
    /// The mesh that encrypts what pods say to one another.
    pub mesh: Option<Mesh>,
    /// How Prometheus finds what has metrics.
    pub discovery: Discovery,
}

/// How requests from outside come in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    /// By routes of the Gateway API.
    #[default]
    Gateway,
    /// By an Ingress, for clusters without the Gateway API.
    Ingress,
}

/// Where values of secrets come from. Development always takes them from files that are never
/// committed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretSource {
    /// A store outside of the cluster, read by the External Secrets operator.
    #[default]
    External,
    /// Values that only the cluster can open, by Sealed Secrets.
    Sealed,
    /// Files that SOPS encrypts.
    Sops,
    /// Files in plain text: for development alone.
    Plain,
}

/// A service mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mesh {
    /// Istio.
    Istio,
    /// Linkerd.
    Linkerd,
}

impl Mesh {
    /// All of them.
    pub const ALL: [Mesh; 2] = [Mesh::Istio, Mesh::Linkerd];

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Mesh::Istio => "istio",
            Mesh::Linkerd => "linkerd",
        }
    }
}

/// How Prometheus finds what has metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Discovery {
    /// By annotations of pods.
    #[default]
    Annotations,
    /// By PodMonitors of the Prometheus operator.
    Operator,
}
