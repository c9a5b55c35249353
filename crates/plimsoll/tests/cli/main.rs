//! What each command says and how it ends, without root's powers and without a network.

#![expect(clippy::print_stderr, reason = "a skipped test says why")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "a panic with the plain error is enough in a test"
)]

mod build;
mod completions;
mod config;
mod configuration_errors;
mod context;
mod down;
mod exec;
mod fsck;
mod help;
mod images;
mod init;
mod inspect;
mod logs;
mod modules;
mod output;
mod prune;
mod ps;
mod push;
mod render;
mod run;
mod sbom;
mod sign;
mod up;
mod verify;
