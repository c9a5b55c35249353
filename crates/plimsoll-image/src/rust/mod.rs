//! Programs of Rust: cargo and rustc are those of the user's machine, or what rustup fetches where
//! the project needs others; they are shown to the sandbox. Crates
//! are fetched as the user's cargo is configured to, the program is built without a network and
//! linked by Zig against a C library that any base has, so that no compiler of C need be there.
//!
//! Layers, lowest first: a base that fits how the program is linked; the directory it starts in;
//! files that it reads; the program, with the list of its crates in it.

mod audit;
mod build;
mod choice;
mod command;
mod configuration;
mod crates;
mod error;
mod linking;
mod rustup;
mod sources;
mod toolchain;

pub use error::RustError;
pub use toolchain::NoToolchain;

pub(crate) use build::build;
