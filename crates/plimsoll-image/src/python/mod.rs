//! Python applications: a Debian interpreter, exact dependencies through uv, the application.
//!
//! Layers, lowest first, each changing less often than those above it: the Debian base; the
//! bytecode of the standard library; distributions so large that they deserve a layer of their
//! own; all other distributions; the project's own distributions; the application's files.
//! Everything that executes runs in the sandbox. Nothing is written into the user's tree but what
//! versions were settled, into the project's lock file.

mod build;
mod bytecode;
mod configuration;
mod dependencies;
mod environment;
mod error;
mod failure;
mod headers;
mod indexes;
mod inputs;
mod install;
mod interpreter;
mod libraries;
mod library;
mod locks;
mod package_mode;
mod packing;
mod pinned;
mod projects;
mod resolve;
mod settling;
mod shared_objects;
mod sources;
mod target;
mod uv;
mod wheels;

pub use environment::InstalledError;
pub use error::PythonError;
pub use failure::{UvFailure, UvFailureKind};
pub use install::Bytecode;
pub use interpreter::{INTERPRETERS, Interpreter, choose};

pub(crate) use build::{PythonOptions, build};
pub(crate) use configuration::exposed;
pub(crate) use environment::ENVIRONMENT;
pub(crate) use locks::manifest_of;
pub(crate) use uv::BUILD_USER;
#[cfg(fuzzing)]
pub(crate) use wheels::fuzzing;
