//! Why a program of Go does not become an image.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Span};
use thiserror::Error;

use crate::SandboxError;
use crate::application::ContextError;
use crate::clients::UnknownRegistry;
use crate::compiled::NotForTarget;
use crate::debian::DebianError;
use crate::store::StoreError;
use crate::toolchain::ToolchainError;

/// Why a program of Go does not become an image.
#[derive(Debug, Error)]
pub enum GoError {
    /// The modules cannot be fetched.
    #[error("the modules of `{package}` cannot be fetched:\n{}", output.join("\n"))]
    Modules {
        /// The main package.
        package: String,
        /// What `go` wrote last.
        output: Vec<String>,
    },
    /// It does not compile.
    #[error("`go build {package}` failed:\n{}", output.join("\n"))]
    Build {
        /// The main package.
        package: String,
        /// The module's directory below the context.
        root: PathBuf,
        /// What `go` wrote last.
        output: Vec<String>,
    },
    /// A step used more memory than it may.
    #[error("`go build {package}` used more than {limit} MiB of memory and was killed")]
    OutOfMemory {
        /// The main package.
        package: String,
        /// The limit in mebibytes.
        limit: u64,
    },
    /// The package is a library.
    #[error("`{package}` is not a program: it builds, but nothing of it can be started")]
    NotAProgram {
        /// The package.
        package: String,
    },
    /// It came out for another processor.
    #[error(transparent)]
    Processor(#[from] NotForTarget),
    /// The step could not run.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Nobody says where modules come from.
    #[error(transparent)]
    Registry(#[from] UnknownRegistry),
    /// Go or the C compiler cannot be had.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The Debian base cannot be had.
    #[error(transparent)]
    Base(#[from] DebianError),
    /// The sources cannot be read.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl GoError {
    /// The error with its place and what to do about it.
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.to_string());
        match self {
            Self::Build { root, output, .. } => {
                let place = output.iter().find_map(|line| place(root, line));
                let diagnostic = diagnostic.at(place);
                match hint(output) {
                    Some(hint) => diagnostic.hint(hint),
                    None => diagnostic,
                }
            }
            Self::Modules { output, .. } => match hint(output) {
                Some(hint) => diagnostic.hint(hint),
                None => diagnostic,
            },
            Self::Registry(unknown) => {
                diagnostic.hint(format!("set {} to the proxy's address", unknown.variable))
            }
            _ => diagnostic,
        }
    }
}

/// The place that a line of the compiler names: `./main.go:7:2: undefined: x`.
fn place(root: &Path, line: &str) -> Option<Span> {
    let (file, rest) = line.trim().split_once(".go:")?;
    let number = rest.split(':').next()?.parse().ok()?;
    let file = format!("{}.go", file.trim_start_matches("./"));
    if file.contains(' ') || file.starts_with('/') {
        return None;
    }
    Some(Span::line(Arc::from(root.join(file)), number))
}

fn hint(output: &[String]) -> Option<&'static str> {
    let signs = [
        (
            "file not found",
            "the C library it includes is not part of the project; name its Debian package under `packages`",
        ),
        (
            "pkg-config",
            "it links a C library of the system, which is not supported; use a pure Go driver, or a Dockerfile",
        ),
        (
            "embed: no matching files",
            "files it embeds are not there: they may be generated, or left out by `.dockerignore`",
        ),
        (
            "pattern ",
            "files it embeds are not there: they may be generated, or left out by `.dockerignore`",
        ),
        ("inconsistent vendoring", "run `go mod vendor`"),
        (
            "could not read Username",
            "give git credentials for that host in `.netrc`",
        ),
        (
            "terminal prompts disabled",
            "give git credentials for that host in `.netrc`",
        ),
    ];
    signs
        .iter()
        .find(|(sign, _)| output.iter().any(|line| line.contains(sign)))
        .map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_names_a_place() {
        let error = GoError::Build {
            package: "./cmd/api".into(),
            root: "server".into(),
            output: vec![
                "# example/cmd/api".into(),
                "cmd/api/main.go:7:2: undefined: x".into(),
            ],
        };
        let span = error.diagnostic().span.unwrap();
        assert_eq!(span.file.as_ref(), Path::new("server/cmd/api/main.go"));
        assert_eq!(span.start.line, 7);
        assert!(place(Path::new(""), "no place at all").is_none());
        assert!(place(Path::new(""), "/plimsoll/go/src/a.go:7:2: x").is_none());
    }
}
