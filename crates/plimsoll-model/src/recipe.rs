//! How an image comes out of a source tree.

use std::path::PathBuf;

use plimsoll_diag::Spanned;
use serde::Serialize;

/// What to assemble for one service, and from where. Paths inside are relative to `context`.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
}

/// The language's own part of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RecipeKind {
    /// A Python application on an interpreter.
    Python(PythonRecipe),
    /// Files built once by Node and served by a static server.
    StaticSite(StaticSiteRecipe),
}

/// A Python application.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum PythonDependencies {
    /// `uv.lock`, and the workspace member to install.
    UvLock {
        /// The lock file.
        lock: PathBuf,
        /// The member's distribution name; `None`: the root project.
        package: Option<String>,
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

/// Files built by a Node script and served as they are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StaticSiteRecipe {
    /// The directory of `package.json`, relative to the context.
    pub root: PathBuf,
    /// Who installs the packages.
    pub manager: NodeManager,
    /// The lock file, relative to the context.
    pub lock: Option<PathBuf>,
    /// The `package.json` script that builds: `build`.
    pub script: String,
    /// Where the script leaves the files, relative to `root`: `dist`.
    pub output: PathBuf,
    /// Variables of the build: names that the sources read (`VITE_API_URL`) and their values.
    pub build_environment: Vec<(String, String)>,
}

/// A package manager of Node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
