//! Projects of Node: packages are installed by the project's own package manager without running
//! their scripts, build scripts run in the sandbox without a network, and a server's image holds
//! Node's program, the packages it needs at run time, and its files.
//!
//! Layers of a server, lowest first: the base; Node; large packages, each alone; all other
//! packages; packages of the same workspace; the application. No package manager, no development
//! dependency and no shell enters the image, except where a start script needs one.

mod command;
mod direct;
mod error;
mod install;
mod installed;
mod locked;
mod manager;
mod members;
mod output;
mod pack;
mod packages;
mod project;
mod server;
mod shell;
mod steps;
mod tarball;
mod unlocked;
mod version_range;

pub use error::NodeError;

pub(crate) use pack::files_below;
pub(crate) use project::{NodeProject, SITE, SUITE, clean};
pub(crate) use server::build;
pub(crate) use steps::{OUT, Scripts};
