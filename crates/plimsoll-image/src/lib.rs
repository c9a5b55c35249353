//! From a build recipe to a content-addressed image, and back to facts.
//!
//! Images are assembled from packages, never snapshotted from a container. Steps that must
//! execute something go through [`Sandbox`]. Nothing here prints, reads the environment, or names
//! the host of a package registry.

pub mod all_in_one;
mod application;
mod attachment;
mod base;
pub mod builder;
pub mod cache;
pub mod clients;
pub mod comparison;
mod compiled;
pub mod debian;
mod digest;
pub mod docker_engine;
pub mod dockerfile;
pub mod elf;
mod fetch;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod go;
pub mod inventory;
pub mod layer;
mod materials;
pub mod node;
pub mod oci;
pub mod probe;
pub mod project_lock;
pub mod provenance;
pub mod python;
pub mod registry;
mod replacement;
pub mod rust;
mod sandbox;
pub mod sbom;
pub mod secrets;
pub mod signature;
pub mod stand_in;
pub mod static_site;
mod step;
pub mod store;
pub mod toolchain;
pub mod variant;
mod workshop;

pub use application::Ignore as IgnoreRules;
pub use attachment::{Given, attach_in_layout};
pub use digest::{Digest, DigestError, Hasher};
pub use fetch::{
    Download, FetchError, FetchSettings, Fetcher, Headers, Response as FetchResponse, ShownUrl,
};
pub use materials::locked_materials;
pub use replacement::Replacement;
pub use sandbox::{
    Access, BindMount, MemoryFile, MemoryMount, Sandbox, SandboxError, Step, StepNetwork,
    StepOutcome, SystemChange,
};
pub use variant::Variant;
pub use workshop::Memory;
