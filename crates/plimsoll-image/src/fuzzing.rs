//! Doors for the fuzz targets to readers that are nobody else's to call. Only `cargo fuzz` builds it.

pub use crate::debian::fuzzing::{deb, debian_text};
pub use crate::python::fuzzing::wheel;
