//! Pulling images from OCI registries, and pushing them there.
//!
//! Everything that comes is verified by its digest before it is believed. A registry that cannot
//! be reached is told apart from one that refuses, because only the former may be stood in for.

mod access;
mod build_cache;
mod challenge;
mod client;
mod credentials;
mod error;
#[cfg(test)]
mod fake;
mod push;
#[cfg(test)]
mod push_tests;
mod reference;
mod referrers;
mod retention;
#[cfg(test)]
mod tests;
mod upload;

pub use build_cache::CacheReport;
pub use client::{RegistryClient, RegistrySettings};
pub use error::RegistryError;
pub use push::{CHUNK, PushRequest, Pushed};
pub use reference::{Reference, ReferenceError};
pub use referrers::{ArtifactLayer, Referrer};
pub use retention::{Retention, TagState, Verdict};
