//! How an image comes out of a source tree.

use std::path::PathBuf;

use plimsoll_diag::Spanned;
use serde::{Deserialize, Serialize};

/// What to assemble for one service, and from where. Paths inside are relative to `context`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildRecipe {
    /// Absolute path of the directory whose files go into the image.
    pub context: PathBuf,
    /// The language's own part.
    pub kind: RecipeKind,
    /// Debian packages the service needs at run time besides the language's own: `git`, `libpq5`.
    pub system_packages: Vec<Spanned<String>>,
    /// Environment of the image.
    pub environment: Vec<(String, String)>,
    /// Default command of the image, in exec form.
    pub command: Vec<String>,
    /// Directory the command starts in, inside the image.
    pub working_dir: PathBuf,
    /// TCP ports the command listens on.
    pub ports: Vec<u16>,
    /// Pages that the service hands out and that a build of its own makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<Pages>,
}

/// Pages that a service of another kind hands out: a build makes them, and they are files of the service's image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pages {
    /// Absolute path of the directory that the build reads.
    pub context: PathBuf,
    /// How they are made; what a development server would pass on is the service's own here.
    pub site: StaticSiteRecipe,
    /// Where the service looks for them in its image, absolute: `/app/static`.
    pub place: PathBuf,
}

/// The language's own part of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RecipeKind {
    /// A Python application on an interpreter.
    Python(PythonRecipe),
    /// Files built once by Node and served by a static server.
    StaticSite(StaticSiteRecipe),
    /// A server that Node runs.
    NodeServer(NodeServerRecipe),
    /// A program of Go.
    Go(GoRecipe),
    /// A program of Rust.
    Rust(RustRecipe),
    /// What a Dockerfile says, step by step.
    Dockerfile(DockerfileRecipe),
}

/// A Python application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PythonRecipe {
    /// The directory of `pyproject.toml` or `requirements.txt`, relative to the context.
    pub root: PathBuf,
    /// The versions that fit, as a PEP 440 specifier set: `>=3.12`. `None`: any.
    pub requires_python: Option<Spanned<String>>,
    /// The version the project is run on elsewhere (`.python-version`, its Dockerfile): `3.12`. It is
    /// taken where it can be had; another that fits is no error.
    pub preferred_python: Option<Spanned<String>>,
    /// Where the dependencies are stated.
    pub dependencies: PythonDependencies,
    /// Whether the project itself is a distribution to install (`[project]` with a build system),
    /// rather than only a tree of modules.
    pub install_project: Option<Spanned<String>>,
    /// Extras of the project to install with it: `["redis"]`.
    pub extras: Vec<String>,
    /// Distributions the code imports but no file declares, as requirements: `psutil`, or
    /// `uvicorn[standard]==0.25.0` where a file that cannot be used as a whole still pins it.
    pub undeclared: Vec<Spanned<String>>,
}

/// Where a Python project's dependencies are stated. Paths are relative to the context.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum PythonDependencies {
    /// `uv.lock`, and the workspace member to install.
    UvLock {
        /// The lock file.
        lock: PathBuf,
        /// The member's distribution name; `None`: the root project.
        package: Option<String>,
    },
    /// Another manager's lock file. Its manifest stands beside it.
    Lock {
        /// Whose format it has.
        format: PythonLock,
        /// The lock file.
        lock: PathBuf,
        /// Groups to install besides the ones that a service always has.
        groups: Vec<String>,
    },
    /// Requirements files in pip's format.
    Requirements {
        /// The files, in order.
        files: Vec<PathBuf>,
    },
    /// `[project] dependencies` of a `pyproject.toml` without a lock file.
    Pyproject {
        /// The `pyproject.toml`.
        file: PathBuf,
    },
    /// No dependency at all.
    None,
}

/// Lock files besides uv's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PythonLock {
    /// `poetry.lock`.
    Poetry,
    /// `pdm.lock`.
    Pdm,
    /// `Pipfile.lock`.
    Pipenv,
    /// `pylock.toml`.
    Pylock,
}

/// Files built by a Node script and served as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StaticSiteRecipe {
    /// The directory of `package.json`, relative to the context.
    pub root: PathBuf,
    /// Who installs the packages.
    pub manager: NodeManager,
    /// The lock file, relative to the context.
    pub lock: Option<PathBuf>,
    /// What builds them; `None`: the files are there as they are.
    pub build: Option<NodeBuild>,
    /// Where the script leaves the files, or where they are, relative to `root`: `dist`.
    pub output: PathBuf,
    /// Variables of the build: names that the sources read (`VITE_API_URL`) and their values.
    pub build_environment: Vec<(String, String)>,
    /// Paths that are not files but another service's.
    pub proxies: Vec<SiteProxy>,
}

/// A path below which a site's server passes requests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteProxy {
    /// How the paths start: `/api`.
    pub path: String,
    /// What that start is replaced with before a request is passed on; `None`: it stays.
    pub replacement: Option<String>,
    /// Host and port of the service: `backend:8000`.
    pub upstream: String,
}

/// A server that Node runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeServerRecipe {
    /// The directory of the service's `package.json`, relative to the context.
    pub root: PathBuf,
    /// Who installs the packages.
    pub manager: NodeManager,
    /// The lock file, relative to the context; a workspace keeps it above `root`.
    pub lock: Option<PathBuf>,
    /// The versions of Node that fit, as npm writes ranges: `>=20`. `None`: any.
    pub node: Option<Spanned<String>>,
    /// What builds it; `None`: the sources run as they are.
    pub build: Option<NodeBuild>,
    /// What of the built tree goes into the image.
    pub layout: NodeLayout,
    /// Variables of the build and their values.
    pub build_environment: Vec<(String, String)>,
}

/// What builds a project of Node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum NodeBuild {
    /// A script of its `package.json`: `build`.
    Script(String),
    /// A program of its packages and its arguments: `nx run api:build:production`.
    Program(Vec<String>),
}

/// What of a built Node server goes into its image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "layout", rename_all = "kebab-case")]
pub enum NodeLayout {
    /// The application's files and its production packages.
    Application,
    /// Directories that the build makes and that hold all they need, each with its place in the
    /// image's application directory: `.next/standalone` at `.`, `public` at `public`.
    Standalone {
        /// Directory relative to `root`, and where it goes, relative to the application directory.
        directories: Vec<(PathBuf, PathBuf)>,
    },
}

/// A program of Go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoRecipe {
    /// The directory of `go.mod`, relative to the context.
    pub root: PathBuf,
    /// The main package relative to `root`: `./cmd/server`, `.`.
    pub package: String,
    /// The toolchain that `go.mod` asks for (`toolchain`, else `go`): `1.23.4`.
    pub version: Option<Spanned<String>>,
    /// Whether it calls C.
    pub cgo: bool,
    /// Build tags.
    pub tags: Vec<String>,
    /// Files and directories that the program reads at run time, relative to the context.
    pub data: Vec<PathBuf>,
}

/// A program of Rust.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RustRecipe {
    /// The directory of the workspace's `Cargo.toml`, relative to the context.
    pub root: PathBuf,
    /// The package that has the program.
    pub package: String,
    /// The program's name.
    pub binary: String,
    /// Features besides the default ones.
    pub features: Vec<String>,
    /// Files and directories that the program reads at run time, relative to the context.
    pub data: Vec<PathBuf>,
}

/// What a Dockerfile says, step by step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DockerfileRecipe {
    /// Where its text is.
    pub source: DockerfileSource,
    /// The stage to build; `None`: the last one.
    pub target: Option<Spanned<String>>,
    /// Build arguments; one without a value is taken from the caller's environment.
    pub args: Vec<(String, Option<String>)>,
    /// Contexts with a name, for `COPY --from=NAME`: name and absolute path or image reference.
    pub contexts: Vec<(String, String)>,
    /// Secrets of the build: identifier and absolute path of the file that holds it.
    pub secrets: Vec<(String, PathBuf)>,
    /// Sockets of ssh agents: identifier and absolute path.
    pub ssh: Vec<(String, PathBuf)>,
    /// Labels of the image besides those that the file sets.
    pub labels: Vec<(String, String)>,
    /// What commands reach unless they say otherwise.
    pub network: BuildNetwork,
    /// Size of `/dev/shm` in bytes; `None`: the engine's.
    pub shm_size: Option<u64>,
}

/// What the commands of a build reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildNetwork {
    /// What this machine reaches.
    #[default]
    Host,
    /// Nothing.
    None,
}

/// Where a Dockerfile's text is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DockerfileSource {
    /// A file, absolute.
    File(PathBuf),
    /// The Compose file's `dockerfile_inline`.
    Inline(Spanned<String>),
}

/// A package manager of Node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeManager {
    /// npm, `package-lock.json`.
    Npm,
    /// pnpm, `pnpm-lock.yaml`.
    Pnpm,
    /// Yarn, `yarn.lock`.
    Yarn,
    /// Bun, `bun.lock`.
    Bun,
}
