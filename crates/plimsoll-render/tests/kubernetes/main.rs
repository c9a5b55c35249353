//! Manifests, as a cluster would judge them.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod decode;
mod helm;
mod judge;
mod keys;
mod kustomize;
mod names;
mod project;
mod reachability;
mod restricted;
mod routes;
