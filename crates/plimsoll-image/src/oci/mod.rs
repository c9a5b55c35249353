//! The OCI image format: configuration files, manifests, indexes, and images written for others.
//!
//! Digests come from our own writers, which fix the order of every field.

mod architecture;
mod config;
mod manifest;

pub use architecture::{Architecture, UnknownArchitecture};
pub use config::{ConfigFile, EPOCH, Healthcheck, History, ImageConfig};
pub use manifest::{CONTAINERD_NAME, Descriptor, Index, Manifest, Platform, REFERENCE, media_type};
