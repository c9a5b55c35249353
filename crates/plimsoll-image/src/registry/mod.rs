//! Pulling images from OCI registries.
//!
//! Everything that comes is verified by its digest before it is believed. A registry that cannot
//! be reached is told apart from one that refuses, because only the former may be stood in for.

mod challenge;
mod client;
mod credentials;
mod error;
mod reference;
#[cfg(test)]
mod tests;

pub use client::{RegistryClient, RegistrySettings};
pub use error::RegistryError;
pub use reference::{Reference, ReferenceError};
