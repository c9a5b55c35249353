//! Files that a project begins with: what they hold, and how they change when the code has.
//!
//! What is written here belongs to the user from then on. Nothing of it is put over an edit: each
//! value is held against the one that was written last, and only those that are still as they were
//! written follow the code.

pub(crate) mod compose_file;
pub(crate) mod merge;
pub(crate) mod overlay;
mod overlay_help;
pub(crate) mod service_entry;
pub(crate) mod variables_file;

/// Name of the Compose file that is written.
pub(crate) const COMPOSE_FILE: &str = "compose.yaml";
/// Name of the overlay for a project that has a Compose file of its own. Nothing reads it unasked.
pub(crate) const OVERLAY: &str = "compose.plimsoll.yaml";
/// Name of the file that documents the variables.
pub(crate) const VARIABLES_FILE: &str = ".env.example";

#[cfg(test)]
mod left_out_tests;
#[cfg(test)]
mod tests;
