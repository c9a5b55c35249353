//! Sites that Node builds once and a server hands out: packages are fetched without running
//! their scripts, the build script runs in the sandbox without a network, and what it leaves is
//! served by Debian's nginx under a configuration of ours.
//!
//! Layers, lowest first: the server; its configuration; files whose names carry a hash of their
//! content; all other files. Neither Node nor any package enters the image.

mod build;
mod nginx;

pub(crate) use build::{build, pages};
