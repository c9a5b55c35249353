//! What `plimsoll render` takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct RenderArguments {
    /// Directory to write to (default: the project's)
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Environment to render for
    #[arg(long, value_enum, default_value_t = RenderStage::Prod, value_name = "NAME")]
    pub(crate) env: RenderStage,
    /// Where images are published, without the services' names
    #[arg(long, value_name = "PREFIX")]
    pub(crate) registry: Option<String>,
    /// Only tell which files are out of date; exit 1 when any is
    #[arg(long, conflicts_with_all = ["diff", "force"])]
    pub(crate) check: bool,
    /// Only show what would change
    #[arg(long, conflicts_with = "force")]
    pub(crate) diff: bool,
    /// Overwrite files that were edited or never rendered
    #[arg(long)]
    pub(crate) force: bool,
    /// Fail when something of the model cannot be said
    #[arg(long)]
    pub(crate) strict: bool,
    /// Tell each thing that is said otherwise, with its place, instead of like things together
    #[arg(long)]
    pub(crate) losses: bool,
    /// Name images by the digests that `push --json` told, in FILE or (`-`) on standard input
    #[arg(long, value_name = "FILE", help_heading = "Clusters")]
    pub(crate) images: Option<PathBuf>,
    /// Let requests into a cluster by an Ingress instead of the Gateway API
    #[arg(long, help_heading = "Clusters")]
    pub(crate) ingress: bool,
    /// Where staging and production get values of secrets
    #[arg(long, value_enum, default_value_t = SecretChoice::External, value_name = "SOURCE", help_heading = "Clusters")]
    pub(crate) secrets: SecretChoice,
    /// Encrypt what pods say to one another by a service mesh
    #[arg(long, value_enum, value_name = "NAME", help_heading = "Clusters")]
    pub(crate) mesh: Option<MeshChoice>,
    /// Tell Prometheus of metrics by PodMonitors instead of annotations
    #[arg(long, help_heading = "Clusters")]
    pub(crate) pod_monitors: bool,
    /// What to render
    #[arg(required = true, value_enum, value_name = "TARGET")]
    pub(crate) targets: Vec<RenderTarget>,
}

/// What can be rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RenderTarget {
    /// Everything
    All,
    /// One for each service that is assembled from source
    Dockerfile,
    /// A base where there is none, overlays for dev, prod, test and monitoring
    Compose,
    /// Manifests, with overlays of kustomize
    Kubernetes,
    /// A chart of Helm, with values for each environment
    Helm,
    /// Pipelines of GitHub Actions that build, scan, publish and deploy
    Ci,
    /// Files for ECS Fargate, Cloud Run, Azure Container Apps, Fly.io and Railway
    Cloud,
    /// What watches the project: Prometheus, Grafana, logs and traces
    Monitoring,
    /// Documents
    Docs,
}

/// Where values of secrets come from in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SecretChoice {
    /// A store, read by the External Secrets operator
    External,
    /// Values that only the cluster opens, by Sealed Secrets
    Sealed,
    /// Files that SOPS encrypts
    Sops,
    /// Plain files, for development only
    Plain,
}

/// Service meshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MeshChoice {
    Istio,
    Linkerd,
}

/// Environments to render for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RenderStage {
    Dev,
    Staging,
    Prod,
}
