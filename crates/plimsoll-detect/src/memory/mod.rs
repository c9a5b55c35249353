//! What was found before, remembered from one look at a tree to the next.
//!
//! [`Texts`] knows what files say, by their text; [`Trees`] knows what whole trees hold, as long as
//! nothing that was looked at is another. What cannot be read back is as if it had never been kept.

mod entries;
mod facts;
mod kept_detection;
mod moves;
mod texts;
mod trees;

pub(crate) use entries::Key;
pub(crate) use facts::{FactKind, Facts, key};
pub(crate) use moves::{AllMoves, Moves};
pub use texts::Texts;
pub use trees::Trees;

/// What is remembered of one project.
#[derive(Debug)]
pub struct Memory {
    /// What its files say.
    pub texts: Texts,
    /// What it holds.
    pub trees: Trees,
}
