//! Why a Dockerfile is not built, and what to do about it.

use std::path::PathBuf;

use plimsoll_diag::{Diagnostic, Diagnostics, Span};
use thiserror::Error;

use crate::SandboxError;
use crate::builder::BuildError;
use crate::fetch::FetchError;
use crate::layer::{FileSetError, LayerError};
use crate::store::StoreError;
use crate::toolchain::ToolchainError;

/// Why a Dockerfile is not built.
#[derive(Debug, Error)]
pub enum DockerfileError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not written as a Dockerfile is.
    #[error("{}", first(.0))]
    Invalid(Diagnostics),
    /// An instruction asks for what is not there, or cannot be done.
    #[error("{message}")]
    Instruction {
        /// What is wrong.
        message: String,
        /// The instruction or word.
        span: Option<Span>,
        /// What to do about it.
        hints: Vec<String>,
    },
    /// The image to build on cannot be had.
    #[error("`{reference}` cannot be had to build on: {source}")]
    Base {
        /// The image.
        reference: String,
        /// Where it is named.
        span: Option<Span>,
        /// Why.
        source: Box<BuildError>,
    },
    /// A command ended with a failure.
    #[error("`{command}` ended with exit code {exit_code}{}", ended_by_memory(*out_of_memory))]
    Command {
        /// The command, shortened.
        command: String,
        /// The instruction.
        span: Option<Span>,
        /// Its exit code.
        exit_code: i32,
        /// Whether the kernel ended it, or a part of it, for the memory it used: its limit in MB.
        out_of_memory: Option<u64>,
        /// The last lines that it wrote.
        output: String,
    },
    /// A secret of the build is in what a command wrote.
    #[error("the secret `{id}` is in `/{path}`, which would become part of the image")]
    Leak {
        /// The secret.
        id: String,
        /// The file.
        path: String,
        /// The instruction.
        span: Option<Span>,
    },
    /// The sandbox could not do its part.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Something cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Files cannot be put together.
    #[error(transparent)]
    Files(#[from] FileSetError),
    /// A layer cannot be written.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of this machine cannot be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

fn first(problems: &Diagnostics) -> &str {
    problems
        .0
        .first()
        .map_or("the Dockerfile cannot be read", |problem| &problem.message)
}

fn ended_by_memory(limit: Option<u64>) -> String {
    limit.map_or_else(String::new, |limit| {
        format!(", having used more memory than the {limit} MB a step may")
    })
}

impl DockerfileError {
    /// Something about an instruction that cannot be done.
    pub(super) fn at(span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::Instruction {
            message: message.into(),
            span: span.into(),
            hints: Vec::new(),
        }
    }

    /// A program that a stand-in holds cannot be had.
    pub(crate) fn from_tool(error: ToolchainError) -> Self {
        Self::at(None, error.to_string())
    }

    /// Adds what to do about it.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Instruction { hints, .. } = &mut self {
            hints.push(hint.into());
        }
        self
    }

    /// Whether it is only that an image to build on cannot be had.
    pub fn is_missing_base(&self) -> bool {
        matches!(self, Self::Base { .. })
    }

    /// The error with its place and what to do about it.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Invalid(problems) => problems
                .0
                .first()
                .cloned()
                .unwrap_or_else(|| Diagnostic::error(self.to_string())),
            Self::Instruction { span, hints, .. } => hints.iter().fold(
                Diagnostic::error(self.to_string()).at(span.clone()),
                |diagnostic, hint| diagnostic.hint(hint.clone()),
            ),
            Self::Base {
                reference,
                span,
                source,
            } => {
                let mut diagnostic = source.diagnostic().at(span.clone());
                diagnostic.message = format!(
                    "`{reference}` cannot be had to build on: {}",
                    diagnostic.message
                );
                diagnostic.hint("`--native` leaves the Dockerfile aside and assembles the image")
            }
            Self::Command { span, output, .. } => {
                let message = match output.is_empty() {
                    true => self.to_string(),
                    false => format!("{self}\n{output}"),
                };
                Diagnostic::error(message).at(span.clone())
            }
            Self::Leak { span, .. } => Diagnostic::error(self.to_string())
                .at(span.clone())
                .hint("let the command read it where it is mounted, and write nothing of it"),
            other => Diagnostic::error(other.to_string()),
        }
    }
}
