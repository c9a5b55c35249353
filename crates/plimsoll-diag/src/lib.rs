//! Where a fact came from, and how it is told.
//!
//! Every other crate speaks in these types: a value read from a user's file is a
//! [`Spanned`], the reason behind an inferred fact is an [`Evidence`], what is wrong with a
//! user's input is a [`Diagnostic`], and a value that must never be shown is a [`Secret`].
//! This crate renders diagnostics to text but never prints them.

mod diagnostic;
mod evidence;
mod progress;
mod secret;
mod span;
mod text;

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use evidence::Evidence;
pub use progress::{Progress, ProgressEvent, Silent};
pub use secret::Secret;
pub use span::{Position, Span, Spanned};
pub use text::{Palette, render};
