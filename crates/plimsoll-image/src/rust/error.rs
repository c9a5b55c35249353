//! Why a program of Rust does not become an image.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Span};
use thiserror::Error;

use super::toolchain::NoToolchain;
use crate::SandboxError;
use crate::application::ContextError;
use crate::compiled::NotForTarget;
use crate::debian::DebianError;
use crate::oci::Architecture;
use crate::store::StoreError;
use crate::toolchain::ToolchainError;

/// Why a program of Rust does not become an image.
#[derive(Debug, Error)]
pub enum RustError {
    /// Nothing to build with.
    #[error(transparent)]
    NoToolchain(#[from] NoToolchain),
    /// The standard library is not there for the image's processor.
    #[error(
        "the installed Rust cannot build for {architecture}: no standard library for `{target}`"
    )]
    NoTarget {
        /// The image's processor.
        architecture: Architecture,
        /// The target that would serve.
        target: String,
    },
    /// rustup does not fetch the toolchain.
    #[error("Rust `{name}` cannot be fetched:\n{}", output.join("\n"))]
    Rustup {
        /// The toolchain, as rustup names it.
        name: String,
        /// What rustup wrote last.
        output: Vec<String>,
    },
    /// A pinned toolchain is another one than it was.
    #[error(
        "Rust {version} is not what is pinned: its compiler has the hash {found}, expected {expected}"
    )]
    NotPinned {
        /// The release.
        version: String,
        /// The pinned hash.
        expected: &'static str,
        /// What rustup's manifest says.
        found: String,
    },
    /// The crates cannot be fetched.
    #[error("the crates cannot be fetched:\n{}", output.join("\n"))]
    Crates {
        /// What `cargo` wrote last.
        output: Vec<String>,
    },
    /// It does not compile.
    #[error("`cargo build --bin {binary}` failed:\n{}", output.join("\n"))]
    Build {
        /// The program.
        binary: String,
        /// The workspace's directory below the context.
        root: PathBuf,
        /// What `cargo` wrote last.
        output: Vec<String>,
    },
    /// A step used more memory than it may.
    #[error("`cargo build --bin {binary}` used more than {limit} MiB of memory and was killed")]
    OutOfMemory {
        /// The program.
        binary: String,
        /// The limit in mebibytes.
        limit: u64,
    },
    /// What cargo has left is none.
    #[error("`{binary}` is not a program: it builds, but nothing of it can be started")]
    NotAProgram {
        /// The program.
        binary: String,
    },
    /// It came out for another processor.
    #[error(transparent)]
    Processor(#[from] NotForTarget),
    /// The step could not run.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The linker cannot be had.
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

impl RustError {
    /// The error with its place and what to do about it.
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.to_string());
        match self {
            Self::NoToolchain(_) => diagnostic.hint(
                "install Rust with rustup, or point `RUSTUP_HOME` at an installation; Plimsoll brings the linker",
            ),
            Self::NoTarget { target, .. } => {
                diagnostic.hint(format!("add it: `rustup target add {target}`"))
            }
            Self::Build { root, output, .. } => {
                let place = output.iter().find_map(|line| place(root, line));
                let diagnostic = diagnostic.at(place);
                match hint(output) {
                    Some(hint) => diagnostic.hint(hint),
                    None => diagnostic,
                }
            }
            _ => diagnostic,
        }
    }
}

/// The place that a line of the compiler names: `  --> src/main.rs:7:2`.
fn place(root: &Path, line: &str) -> Option<Span> {
    let (file, rest) = line.trim().strip_prefix("--> ")?.split_once(".rs:")?;
    let number = rest.split(':').next()?.parse().ok()?;
    if file.starts_with('/') {
        return None;
    }
    Some(Span::line(
        Arc::from(root.join(format!("{file}.rs"))),
        number,
    ))
}

fn hint(output: &[String]) -> Option<&'static str> {
    let signs = [
        (
            "Could not find directory of OpenSSL installation",
            "it links the system's OpenSSL; choose rustls in the features of what needs it, or the `vendored` feature of `openssl`",
        ),
        (
            "pkg-config",
            "it links a C library of the system, which is not supported; choose a feature that bundles it, or use a Dockerfile",
        ),
        (
            "libclang",
            "it generates bindings with libclang, which is not supported; use a Dockerfile",
        ),
        (
            "set `DATABASE_URL` to use query macros",
            "run `cargo sqlx prepare` and commit `.sqlx`: queries are checked without a database then",
        ),
        ("requires rustc", "install a newer Rust: `rustup update`"),
        (
            "may not be used on the stable release channel",
            "it needs a nightly Rust: name it in `rust-toolchain.toml` and install it",
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
        let error = RustError::Build {
            binary: "api".into(),
            root: "server".into(),
            output: vec![
                "error[E0425]: cannot find function `x` in this scope".into(),
                "  --> api/src/main.rs:7:5".into(),
            ],
        };
        let span = error.diagnostic().span.unwrap();
        assert_eq!(span.file.as_ref(), Path::new("server/api/src/main.rs"));
        assert_eq!(span.start.line, 7);
        assert!(place(Path::new(""), "no place at all").is_none());
        assert!(place(Path::new(""), "--> /plimsoll/cargo/a.rs:7:2").is_none());
    }
}
