//! Why a command could not do its work, and the exit code that follows.
//!
//! Every typed error of the libraries becomes a [`Failure`] here and nowhere else, with a hint
//! built from the variant.

use plimsoll_diag::{Diagnostic, Diagnostics, Spanned};
use plimsoll_image::builder::BuildError;
use plimsoll_image::store::StoreError;
use plimsoll_model::Service;
use plimsoll_run::network::NetworkError;
use plimsoll_run::stack::UpError;

use crate::exit_status::ExitStatus;

/// A command's end with an error.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What to tell, in order.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The exit code's meaning.
    pub(crate) status: ExitStatus,
}

impl Failure {
    /// The command line or the configuration is wrong.
    pub(crate) fn usage(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostics: vec![diagnostic],
            status: ExitStatus::Usage,
        }
    }

    /// The application or its surroundings failed: a build, a start, a download.
    pub(crate) fn failed(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostics: vec![diagnostic],
            status: ExitStatus::Failure,
        }
    }

    /// Adds a line to the last diagnostic that says what to do.
    pub(crate) fn hint(mut self, hint: &str) -> Self {
        if let Some(last) = self.diagnostics.pop() {
            self.diagnostics.push(last.hint(hint));
        }
        self
    }

    /// A stack could not be brought up, asked, or taken down.
    pub(crate) fn from_up(error: UpError) -> Self {
        match error {
            UpError::Cancelled => Self {
                diagnostics: Vec::new(),
                status: ExitStatus::Program(130),
            },
            UpError::Configuration(diagnostic) => Self::usage(diagnostic),
            UpError::Services(failures) => Self {
                diagnostics: failures
                    .into_iter()
                    .map(|failure| failure.with_last_lines())
                    .collect(),
                status: ExitStatus::Failure,
            },
            UpError::Network(
                error @ (NetworkError::PortTaken { .. } | NetworkError::UnusableSubnet { .. }),
            ) => Self::failed(Diagnostic::error(error.to_string())),
            UpError::Network(error) => Self::internal(Diagnostic::error(chain(&error))),
            UpError::Engine(error) => Self::internal(Diagnostic::error(chain(&error))),
            UpError::Io(error) => error.into(),
        }
    }

    /// The store could not be used.
    pub(crate) fn from_store(error: StoreError) -> Self {
        let diagnostic = Diagnostic::error(chain(&error));
        if error.is_damage() {
            return Self::failed(
                diagnostic.hint("`plimsoll fsck` removes what is damaged; then it is made again"),
            );
        }
        Self::failed(diagnostic)
    }

    /// A service's image could not be built.
    pub(crate) fn from_build(service: &Service, error: &BuildError) -> Self {
        let build = service
            .build
            .as_ref()
            .and_then(|build| build.context.span.clone());
        let place = build.or(service.span.clone());
        let diagnostic = error.diagnostic();
        // A file that is wrong says more than the service that needs it.
        let place = diagnostic.span.clone().or(place);
        Self::failed(diagnostic.at(place))
    }

    /// A service's image could not be pulled or stood in for.
    pub(crate) fn from_obtain(reference: &Spanned<String>, error: &BuildError) -> Self {
        Self::failed(error.diagnostic().at(reference.span.clone()))
    }

    /// Plimsoll could not do its part.
    pub(crate) fn internal(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostics: vec![diagnostic],
            status: ExitStatus::Internal,
        }
    }
}

impl From<Diagnostics> for Failure {
    /// What loaders report is about the user's files.
    fn from(diagnostics: Diagnostics) -> Self {
        Self {
            diagnostics: diagnostics.0,
            status: ExitStatus::Usage,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let diagnostic = Diagnostic::error(error.to_string());
        Self::internal(match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                diagnostic.hint("run as root: `sudo plimsoll …`")
            }
            std::io::ErrorKind::StorageFull => {
                diagnostic.hint("free some space, for example with `plimsoll prune`")
            }
            _ => diagnostic,
        })
    }
}

/// An error with all its causes on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // A transparent variant repeats its cause.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
