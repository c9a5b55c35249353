//! A YAML document as a tree that remembers where every value stands.
//!
//! The tree is what Compose files are interpolated, merged and checked in; it is never squeezed
//! through a struct on the way, so places and the tags `!reset` and `!override` survive. Which
//! plain scalar is a number, a boolean or text follows the reading that `docker compose` has
//! of YAML. Nothing here knows what a Compose key means.

mod decode;
pub mod edit;
mod emit;
mod lenient;
mod node;
mod number;
mod parse;
mod scalar;

pub use decode::decode;
pub(crate) use decode::utf8;
pub use emit::to_yaml;
pub use node::{Key, Map, Node, Tag, Value};
pub use number::show_float;
pub use parse::parse;
