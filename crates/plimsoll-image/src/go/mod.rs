//! Programs of Go: the toolchain and the modules come through the module proxy that `go` is
//! configured to use, the program is built in the sandbox without a network, and stands alone in
//! its image.
//!
//! Layers, lowest first: a base without a C library, unless the program calls C; the directory it
//! starts in; files that it reads; the program. No Go of this machine is needed or used.

mod build;
mod command;
mod error;
mod modules;

pub use error::GoError;

pub(crate) use build::build;
