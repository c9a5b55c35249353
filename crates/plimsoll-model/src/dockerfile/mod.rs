//! A Dockerfile, read: instructions with the places of their words.
//!
//! [`Dockerfile::parse`] takes the text apart as its format says: parser directives, continued
//! lines with comments between them, here-documents, flags, and the exec and shell forms. Words
//! keep their quotes and variables until a value for the variables is known ([`expand`]).
//! Nothing here opens a file or runs anything.

mod expand;
mod heredoc;
mod instruction;
mod line_part;
mod logical_line;
mod parse;
mod print;
mod stages;
#[cfg(test)]
mod tests;

pub use expand::{ExpandError, Quoting, expand};
pub use instruction::{
    Argument, CommandLine, Copy, CopyKind, Dockerfile, Flag, From, HealthInstruction, Heredoc,
    Instruction, InstructionKind, Pair, Run,
};
pub use stages::{Stage, StageReference, stages};
