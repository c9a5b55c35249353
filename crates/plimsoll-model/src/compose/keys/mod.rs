//! Every key of a Compose file: what may stand under it and how it is printed.
//!
//! The order of the fields is the order of printing. Adding a key to Compose means adding a line
//! here; [`crate::Service`] then says whether the engine reads it.

mod build;
mod deploy;
mod own;
mod parts;
mod service;
mod top;

pub(super) use own::{OWN_PROJECT, OWN_SERVICE};
pub(super) use service::SERVICE;
pub(super) use top::{PROJECT, SECTIONS};
