//! Why a site or a server of Node does not become an image.

use plimsoll_diag::Diagnostic;
use thiserror::Error;

use crate::SandboxError;
use crate::application::ContextError;
use crate::clients::UnknownRegistry;
use crate::debian::DebianError;
use crate::store::StoreError;
use crate::toolchain::ToolchainError;

/// Why a site or a server of Node does not become an image.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The packages cannot be installed.
    #[error("its packages cannot be installed:\n{}", output.join("\n"))]
    Install {
        /// The package manager's own last lines.
        output: Vec<String>,
    },
    /// The build script failed.
    #[error("`{script}` failed with exit code {exit_code}:\n{}", output.join("\n"))]
    Script {
        /// What was run.
        script: String,
        /// How it ended.
        exit_code: i32,
        /// Its own last lines.
        output: Vec<String>,
    },
    /// A step used more memory than it may.
    #[error("`{script}` used more than {limit} MiB of memory and was killed")]
    OutOfMemory {
        /// What was run.
        script: String,
        /// The limit in mebibytes.
        limit: u64,
    },
    /// The build script left nothing where the recipe expects it.
    #[error("`{script}` succeeded but left nothing in `{output}`")]
    NoOutput {
        /// What was run.
        script: String,
        /// Where the files should be, below the site's root.
        output: String,
    },
    /// There are no files where a site's should be.
    #[error("there are no files in `{place}`")]
    NoFiles {
        /// The directory, relative to the context.
        place: String,
    },
    /// What starts the server is in no installed package.
    #[error("`{program}` is no program of the packages in `{manifest}`")]
    NoProgram {
        /// The first word of the command.
        program: String,
        /// The `package.json`.
        manifest: String,
    },
    /// Layers that were made before are gone; they are made again.
    #[error("layers of an earlier build are gone")]
    Forgotten,
    /// `package.json` cannot be read.
    #[error("`{manifest}` is not JSON: {reason}")]
    Manifest {
        /// The file.
        manifest: String,
        /// Why.
        reason: String,
    },
    /// The step could not run.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Nobody says where the registry is.
    #[error(transparent)]
    Registry(#[from] UnknownRegistry),
    /// Node or the package manager cannot be had.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The Debian base cannot be had.
    #[error(transparent)]
    Base(#[from] DebianError),
    /// The project's files cannot be read.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<crate::layer::FileSetError> for NodeError {
    fn from(error: crate::layer::FileSetError) -> Self {
        Self::Context(ContextError::Files(error))
    }
}

impl NodeError {
    /// The error and what to do about it.
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.to_string());
        match self {
            Self::NoProgram { program, .. } => diagnostic.hint(format!(
                "add `{program}` to its dependencies and commit the lock file"
            )),
            Self::NoOutput { .. } => {
                diagnostic.hint("say where the build leaves its files (`output`)")
            }
            Self::Script { output, .. } if is_about_network(output) => {
                diagnostic.hint("it fetches from the network, which did not work either: keep what it fetches in the project")
            }
            Self::Script { output, .. } if let Some(name) = variable_of_build(output) => {
                diagnostic.hint(format!(
                    "it is built with the variable `{name}`: set it in `.env`, or among `args` of `build` in a Compose file"
                ))
            }
            Self::Registry(unknown) => diagnostic.hint(format!(
                "set {} to the registry's address",
                unknown.variable
            )),
            _ => diagnostic,
        }
    }
}

/// Whether what a script printed last says that it could not fetch something.
pub(super) fn is_about_network(output: &[String]) -> bool {
    let signs = [
        "ENOTFOUND",
        "EAI_AGAIN",
        "ENETUNREACH",
        "ECONNREFUSED",
        "fetch failed",
        "Failed to fetch",
    ];
    output
        .iter()
        .any(|line| signs.iter().any(|sign| line.contains(sign)))
}

/// The variable that a build of SvelteKit missed: `"NAME" is not exported by "$env/static/public"`.
fn variable_of_build(output: &[String]) -> Option<&str> {
    let said = output
        .iter()
        .find(|line| line.contains("$env/static/") && line.contains("is not exported by"))?;
    said.split('"').nth(1)
}
