//! Whether the programs and libraries of an image can be loaded at all.
//!
//! Of every ELF file: is it for the image's processor, is every library there that it names, and
//! has that library every symbol version that it asks for. Nothing is executed. What is found out
//! about a part of a layer is remembered, and so is the verdict about the whole, so that an image
//! in which nothing changed costs one look-up.

mod audit;
mod object;
mod part;
#[cfg(test)]
mod tests;
mod tree;

use serde::{Deserialize, Serialize};

pub(crate) use audit::audit;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A part that may never be loaded cannot be.
    Warning,
    /// The image cannot work.
    Error,
}

/// Something that keeps files from being loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// The first file that it concerns, as the container sees it.
    pub path: String,
    /// How many more files it concerns.
    pub others: usize,
    /// What made the layer that the file is in.
    pub layer: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    /// It is for another processor.
    WrongMachine {
        /// That processor.
        machine: String,
    },
    /// A library that it names is nowhere in the image.
    MissingLibrary {
        /// The name: `libpq.so.5`.
        library: String,
    },
    /// A library is older than what it was linked against.
    MissingVersion {
        /// The library.
        library: String,
        /// The version that it asks for: `GLIBC_2.38`.
        version: String,
        /// The newest of that kind that the library has.
        newest: Option<String>,
    },
}

impl std::fmt::Display for Finding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "`{}`", self.path)?;
        if self.others > 0 {
            write!(formatter, " and {} more", self.others)?;
        }
        let verb = |one: &'static str, many| if self.others > 0 { many } else { one };
        match &self.problem {
            Problem::WrongMachine { machine } => {
                write!(formatter, " {} for {machine}", verb("is", "are"))?;
            }
            Problem::MissingLibrary { library } => write!(
                formatter,
                " {} `{library}`, which the image does not have",
                verb("needs", "need")
            )?,
            Problem::MissingVersion {
                library,
                version,
                newest,
            } => {
                write!(
                    formatter,
                    " {} {version} of `{library}`",
                    verb("needs", "need")
                )?;
                match newest {
                    Some(newest) => write!(formatter, ", which has {newest} at most")?,
                    None => write!(formatter, ", which does not have it")?,
                }
            }
        }
        match self.layer.as_str() {
            "" => Ok(()),
            layer => write!(formatter, " (layer: {layer})"),
        }
    }
}
