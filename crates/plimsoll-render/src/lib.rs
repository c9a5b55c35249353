//! From a project to the files that others run it by.
//!
//! Every renderer is a pure function: from an [`Input`] to a [`Rendering`], the files and a list of
//! what could not be said in them. Values are built typed and serialised ([`yaml()`], [`json`]);
//! text is pasted together for prose only. Nothing here reads a file, the clock or the environment,
//! and the same input gives the same bytes.

mod addresses;
pub mod ci;
pub mod cloud;
mod cluster_options;
pub mod compose;
pub mod dockerfile;
pub mod docs;
pub mod header;
mod health;
pub mod helm;
mod input;
pub mod kubernetes;
mod loss;
pub mod monitoring;
mod rendering;
mod serialise;
mod target;
mod variable_files;
mod workload;

pub use cluster_options::{ClusterOptions, Discovery, Entry, Mesh, SecretSource};
pub use input::{ImagePin, Input, Stage};
pub use loss::{Fidelity, Loss, LossGroup, grouped};
pub use rendering::{Artifact, PathTaken, Rendering};
pub use serialise::{json, yaml};
pub use target::{Target, render};
pub use workload::{Listener, Probe, ProbeTest, Role, Store, Workload, workloads};
