//! What a user can type. Only declarations: no work, no defaults that depend on the machine.

mod images;
mod render;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use images::*;
pub(crate) use render::*;

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
    /// Empty the cache too: what builds fetched, installed and compiled; the next ones take longer
    #[arg(long)]
    pub(crate) cache: bool,
    /// Only tell what would go
    #[arg(long, conflicts_with = "registry")]
    pub(crate) dry_run: bool,
    /// What `plimsoll` itself calls beside builds
    #[arg(long, hide = true, conflicts_with_all = ["all", "cache", "dry_run", "older_than", "registry"])]
    pub(crate) within_limit: bool,
    /// Remove old tags from a repository instead; shows the plan, and does it with `--yes`
    #[arg(long, value_name = "REPOSITORY", conflicts_with_all = ["all", "cache"])]
    pub(crate) registry: Option<String>,
    /// So many of the newest images stay there
    #[arg(long, value_name = "N", default_value_t = 5, requires = "registry")]
    pub(crate) keep: usize,
    /// Tags that stay there, with `*` for anything; repeat for several
    #[arg(long, value_name = "GLOB", requires = "registry")]
    pub(crate) keep_tags: Vec<String>,
    /// Only what builds have not used for so long goes, of tags those older: `30d`, `12h`, `4w`
    #[arg(long, value_name = "AGE")]
    pub(crate) older_than: Option<String>,
    /// Do it
    #[arg(long, requires = "registry")]
    pub(crate) yes: bool,
}
