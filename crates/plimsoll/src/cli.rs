//! What a user can type. Only declarations: no work, no defaults that depend on the machine.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use plimsoll_image::Variant;
use plimsoll_image::builder::{Memory, PullPolicy};
use plimsoll_image::project_lock::LockPolicy;

use crate::service_images::{HealthChecks, ImagePolicy};
use crate::tag_rules::TagRule;

/// From an agent project's source tree to a running container stack
#[derive(Debug, Parser)]
#[command(
    name = "plimsoll",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    disable_help_flag = true,
    before_help = "Example: plimsoll up",
    after_help = "Start with `plimsoll inspect`, then `plimsoll up`. No file has to be written first."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that come before the command, as with `docker compose`.
#[derive(Debug, Args)]
pub(crate) struct GlobalArguments {
    /// Directory of the project
    #[arg(
        short = 'C',
        long = "directory",
        value_name = "DIR",
        default_value = "."
    )]
    pub(crate) directory: PathBuf,
    /// Compose file to read; repeat to merge several
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Where relative paths in Compose files start, instead of the first file's directory
    #[arg(long, value_name = "DIR")]
    pub(crate) project_directory: Option<PathBuf>,
    /// Name of the project
    #[arg(short = 'p', long, value_name = "NAME")]
    pub(crate) project_name: Option<String>,
    /// Profile to activate; repeat for several
    #[arg(long = "profile", value_name = "NAME")]
    pub(crate) profiles: Vec<String>,
    /// File of variables for interpolation, instead of `.env`; repeat for several
    #[arg(long = "env-file", value_name = "FILE")]
    pub(crate) env_files: Vec<PathBuf>,
    /// Say only what failed
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Log what is done; twice: in detail
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colour: `auto`, `always` or `never`
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN", global = true, hide_possible_values = true, display_order = 900)]
    pub(crate) color: ColorChoice,
    /// Print data as JSON
    #[arg(long, global = true, display_order = 900)]
    pub(crate) json: bool,
    /// Build by the Dockerfile wherever a service has one
    #[arg(long, global = true, display_order = 900, conflicts_with = "native")]
    pub(crate) dockerfile: bool,
    /// Leave Dockerfiles aside: assemble images, or say why not
    #[arg(long, global = true, display_order = 900)]
    pub(crate) native: bool,
    /// Print help
    #[arg(short, long, global = true, action = clap::ArgAction::HelpShort, display_order = 901)]
    help: Option<bool>,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what was found: services, needs, environment, evidence
    #[command(before_help = "Example: plimsoll inspect --environment")]
    Inspect(InspectArguments),
    /// Write what was found into files that are yours to edit
    #[command(before_help = "Example: plimsoll init --diff")]
    Init(InitArguments),
    /// Print the resolved Compose model
    #[command(before_help = "Example: plimsoll config --services")]
    Config(ConfigArguments),
    /// Write the files that others run the project by
    #[command(before_help = "Example: plimsoll render docs -o deploy --check")]
    Render(RenderArguments),
    /// Build the images of all services, or of those named
    #[command(before_help = "Example: plimsoll build --output docker:desk.tar backend")]
    Build(BuildArguments),
    /// Push built images to a registry
    #[command(
        before_help = "Example: plimsoll push --to registry.example/team --tag-rule semver,sha"
    )]
    Push(PushArguments),
    /// Build what is missing, start the stack, and follow it
    #[command(before_help = "Example: plimsoll up --detach")]
    Up(UpArguments),
    /// Stop the stack and remove what it made
    #[command(before_help = "Example: plimsoll down --volumes")]
    Down(DownArguments),
    /// List the stack's containers
    Ps(PsArguments),
    /// Show what the services wrote
    #[command(before_help = "Example: plimsoll logs --follow --tail 20 backend")]
    Logs(LogsArguments),
    /// Run a command in a running container
    #[command(before_help = "Example: plimsoll exec backend python -c 'print(1)'")]
    Exec(ExecArguments),
    /// Run one service's image once, in the foreground
    #[command(before_help = "Example: plimsoll run --env DEBUG=1 backend python seed.py")]
    Run(RunArguments),
    /// List the images in the store
    #[command(before_help = "Example: plimsoll images --why backend")]
    Images(ImagesArguments),
    /// Print the software bill of an image
    #[command(before_help = "Example: plimsoll sbom backend --format spdx")]
    Sbom(SbomArguments),
    /// Make a key, or sign images that were pushed
    #[command(before_help = "Example: plimsoll sign --key plimsoll.key registry.example/desk:1.0")]
    Sign(SignArguments),
    /// Tell what is signed about an image in a registry
    #[command(
        before_help = "Example: plimsoll verify --key plimsoll.pub registry.example/desk:1.0"
    )]
    Verify(VerifyArguments),
    /// Remove what no image needs from the store
    Prune(PruneArguments),
    /// Check the store's content against its digests
    Fsck,
    /// Print a completion script for a shell
    #[command(before_help = "Example: plimsoll completions bash > /etc/bash_completion.d/plimsoll")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// Show the environment variables the services read
    #[arg(long)]
    pub(crate) environment: bool,
    /// Show what looks like a service and is not
    #[arg(long)]
    pub(crate) rejected: bool,
    /// Start each service beside what it needs, and tell what it does
    #[arg(long = "try", conflicts_with_all = ["environment", "rejected"])]
    pub(crate) trial: bool,
    /// Longest time for a service to come up when it is tried, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 120,
        requires = "trial"
    )]
    pub(crate) wait_timeout: u64,
    /// Services to try
    #[arg(requires = "trial")]
    pub(crate) services: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// Only tell which files are out of date; exit 1 when any is
    #[arg(long, conflicts_with_all = ["diff", "force"])]
    pub(crate) check: bool,
    /// Only show what would change
    #[arg(long, conflicts_with = "force")]
    pub(crate) diff: bool,
    /// Write the files anew, edits and all
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    /// Format of the whole model
    #[arg(long, value_enum, default_value_t = ConfigFormat::Yaml)]
    pub(crate) format: ConfigFormat,
    /// Print only service names
    #[arg(long, group = "part")]
    pub(crate) services: bool,
    /// Print only image names
    #[arg(long, group = "part")]
    pub(crate) images: bool,
    /// Print only profile names
    #[arg(long = "profiles", group = "part")]
    pub(crate) list_profiles: bool,
    /// Print only volume names
    #[arg(long, group = "part")]
    pub(crate) volumes: bool,
    /// Print only network names
    #[arg(long, group = "part")]
    pub(crate) networks: bool,
    /// Print the variables that the files use
    #[arg(long, group = "part")]
    pub(crate) variables: bool,
    /// Print the hash of each service's configuration (`*`: all)
    #[arg(long, group = "part", value_name = "SERVICE")]
    pub(crate) hash: Option<String>,
    /// Leave variables as they are written
    #[arg(long)]
    pub(crate) no_interpolate: bool,
    /// Only check; print nothing
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Services to print
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConfigFormat {
    Yaml,
    Json,
}

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

/// How images come to be, for every command that may build.
#[derive(Debug, Args)]
pub(crate) struct ImageArguments {
    /// Build everything anew, without what earlier builds left
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// When to ask a registry for an image
    #[arg(long, value_enum, default_value_t = PullChoice::Missing, value_name = "WHEN")]
    pub(crate) pull: PullChoice,
    /// Fail when `plimsoll.lock` would have to change
    #[arg(long)]
    pub(crate) locked: bool,
    /// What images are for: `production`, `slim`, `dev`, `debug` or `test`; without it what
    /// `build.target` names, else `production`
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<Variant>,
    /// Assemble well-known images (PostgreSQL, Redis, nginx …) from Debian packages, ask no registry
    #[arg(long, conflicts_with = "pull")]
    pub(crate) local_bases: bool,
}

impl ImageArguments {
    /// The policy that these options ask for.
    pub(crate) fn policy(&self) -> ImagePolicy {
        ImagePolicy {
            memory: if self.no_cache {
                Memory::Ignore
            } else {
                Memory::Use
            },
            pull: match self.pull {
                _ if self.local_bases => PullPolicy::LocalBases,
                PullChoice::Always => PullPolicy::Always,
                PullChoice::Missing => PullPolicy::Missing,
                PullChoice::Never => PullPolicy::Never,
            },
            variant: self.variant.into(),
            checks: HealthChecks::ByEngine,
            lock: if self.locked {
                LockPolicy::Locked
            } else {
                LockPolicy::Update
            },
        }
    }
}

/// When to ask a registry for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PullChoice {
    /// Always; an unreachable registry is an error
    Always,
    /// When the image is not in the store
    Missing,
    /// Never
    Never,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    #[command(flatten)]
    pub(crate) images: ImageArguments,
    /// Platforms to build for, `linux/amd64,linux/arm64`
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
    /// Also write the images out: `push`, `docker`, `oci:DIR` or `docker:FILE.tar`
    #[arg(short, long, value_name = "KIND[:PATH]")]
    pub(crate) output: Option<String>,
    /// Build again from nothing elsewhere, and fail when a file differs
    #[arg(long)]
    pub(crate) verify: bool,
    /// Join the services that are built into one image, `PROJECT:all-in-one`
    #[arg(long, conflicts_with = "verify")]
    pub(crate) all_in_one: bool,
    /// Build cache in a registry to keep this build in, `type=registry,ref=NAME:TAG`
    #[arg(long, value_name = "CACHE")]
    pub(crate) cache_to: Vec<String>,
    /// Build cache in a registry to take layers from
    #[arg(long, value_name = "CACHE")]
    pub(crate) cache_from: Vec<String>,
    #[command(flatten)]
    pub(crate) publish: PublishArguments,
    #[command(flatten)]
    pub(crate) attestations: AttestationArguments,
    /// Services to build
    pub(crate) services: Vec<String>,
}

/// What is written beside images that are given away.
#[derive(Debug, Args)]
pub(crate) struct AttestationArguments {
    /// Attach a software bill: `cyclonedx` or `spdx`
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "cyclonedx",
        hide_possible_values = true
    )]
    pub(crate) sbom: Option<BillFormat>,
    /// Attach where the image comes from, as SLSA provenance
    #[arg(long)]
    pub(crate) provenance: bool,
    /// Sign the image and what is attached with this key
    #[arg(long, value_name = "KEY")]
    pub(crate) sign: Option<PathBuf>,
}

/// Formats of software bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BillFormat {
    /// CycloneDX 1.6
    Cyclonedx,
    /// SPDX 2.3
    Spdx,
}

#[derive(Debug, Args)]
pub(crate) struct ImagesArguments {
    /// Tell whose the bytes of the services' images are
    #[arg(long)]
    pub(crate) why: bool,
    /// Services to tell about
    #[arg(requires = "why")]
    pub(crate) services: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SbomArguments {
    /// Format of the bill
    #[arg(long, value_enum, default_value_t = BillFormat::Cyclonedx, value_name = "FORMAT")]
    pub(crate) format: BillFormat,
    /// Service, or image of the store
    #[arg(value_name = "SERVICE|IMAGE")]
    pub(crate) image: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SignArguments {
    /// Make `plimsoll.key` and `plimsoll.pub` in the project's directory
    #[arg(long, conflicts_with_all = ["key", "images"])]
    pub(crate) generate_key: bool,
    /// Private key: PEM, or as cosign seals it
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Services, or images of the store, that were pushed
    #[arg(value_name = "SERVICE|IMAGE", required_unless_present = "generate_key")]
    pub(crate) images: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// Public key, as PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Image in a registry
    pub(crate) image: String,
}

/// Where images go and what they are called there.
#[derive(Debug, Args)]
pub(crate) struct PublishArguments {
    /// Registry and path below which each service gets a repository
    #[arg(long, value_name = "REGISTRY/PREFIX")]
    pub(crate) to: Option<String>,
    /// Tag to set; repeat for several
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Rule that gives tags: `semver`, `branch`, `pr`, `sha`, `component`
    #[arg(
        long = "tag-rule",
        value_name = "RULE",
        value_delimiter = ',',
        hide_possible_values = true
    )]
    pub(crate) tag_rules: Vec<TagRule>,
    /// How layers are compressed: `gzip` or `zstd`
    #[arg(long, value_enum, default_value_t = Codec::Gzip, value_name = "CODEC", hide_possible_values = true)]
    pub(crate) compression: Codec,
}

/// How layers are compressed for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Codec {
    /// Read by everything
    Gzip,
    /// Smaller, and faster to unpack
    Zstd,
}

#[derive(Debug, Args)]
pub(crate) struct PushArguments {
    #[command(flatten)]
    pub(crate) publish: PublishArguments,
    #[command(flatten)]
    pub(crate) attestations: AttestationArguments,
    /// Variant of the images; without it what `build.target` names, else `production`
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<Variant>,
    /// Services whose images are pushed
    pub(crate) services: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    #[command(flatten)]
    pub(crate) images: ImageArguments,
    /// Leave the stack running and return once it is up
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Bring changes of the source into the running stack: build again, copy, or restart
    #[arg(short, long, conflicts_with = "detach")]
    pub(crate) watch: bool,
    /// Address on which ports are published that name none
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) bind: std::net::IpAddr,
    /// Longest time for the stack to become healthy, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) wait_timeout: u64,
    /// Do not start what the services named depend on
    #[arg(long)]
    pub(crate) no_deps: bool,
    /// Services to start, with what they depend on
    pub(crate) services: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DownArguments {
    /// Also remove named volumes and the data in them
    #[arg(short = 'v', long)]
    pub(crate) volumes: bool,
    /// Time a service has to stop before it is killed, in seconds
    #[arg(short, long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct PsArguments {
    /// Show ended containers too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Services to list
    pub(crate) services: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArguments {
    /// Go on as more is written
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Show only so many of the last lines of each service
    #[arg(short = 'n', long, value_name = "LINES")]
    pub(crate) tail: Option<usize>,
    /// Show when each line was written
    #[arg(short, long)]
    pub(crate) timestamps: bool,
    /// Leave out the service's name
    #[arg(long)]
    pub(crate) no_log_prefix: bool,
    /// Services to show
    pub(crate) services: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExecArguments {
    /// User to run as, `user[:group]`
    #[arg(short, long)]
    pub(crate) user: Option<String>,
    /// Directory to run in
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<PathBuf>,
    /// Set a variable, `NAME=VALUE`
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// Do not make a terminal
    #[arg(short = 'T', long)]
    pub(crate) no_tty: bool,
    /// Which of the service's containers, from 1
    #[arg(long, default_value_t = 1)]
    pub(crate) index: u32,
    /// Service whose container it is
    pub(crate) service: String,
    /// Program and arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) images: ImageArguments,
    /// Keep standard input open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Do not make a terminal
    #[arg(short = 'T', long)]
    pub(crate) no_tty: bool,
    /// Set a variable, `NAME=VALUE`
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// Mount a directory or volume, `SOURCE:TARGET[:ro]`
    #[arg(short, long, value_name = "SOURCE:TARGET")]
    pub(crate) volume: Vec<String>,
    /// User to run as, `user[:group]`
    #[arg(short, long)]
    pub(crate) user: Option<String>,
    /// Directory to run in
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<PathBuf>,
    /// Replace the image's entrypoint
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) entrypoint: Option<String>,
    /// Do not start what the service depends on
    #[arg(long)]
    pub(crate) no_deps: bool,
    /// Accepted for `docker compose` habits: the container is always removed
    #[arg(long, hide = true)]
    pub(crate) rm: bool,
    /// Service to run
    pub(crate) service: String,
    /// Command instead of the service's own
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PruneArguments {
    /// Remove every image that no stack uses
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Remove old tags from a repository instead; shows the plan, and does it with `--yes`
    #[arg(long, value_name = "REPOSITORY", conflicts_with = "all")]
    pub(crate) registry: Option<String>,
    /// So many of the newest images stay there
    #[arg(long, value_name = "N", default_value_t = 5, requires = "registry")]
    pub(crate) keep: usize,
    /// Tags that stay there, with `*` for anything; repeat for several
    #[arg(long, value_name = "GLOB", requires = "registry")]
    pub(crate) keep_tags: Vec<String>,
    /// Only tags older than this go: `30d`, `12h`, `4w`
    #[arg(long, value_name = "AGE", requires = "registry")]
    pub(crate) older_than: Option<String>,
    /// Do it
    #[arg(long, requires = "registry")]
    pub(crate) yes: bool,
}
