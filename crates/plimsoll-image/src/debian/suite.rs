//! The Debian releases that images are built on.

use std::fmt;
use std::str::FromStr;

use super::DebianError;

/// A Debian release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// Debian 12.
    Bookworm,
    /// Debian 13.
    Trixie,
}

impl Suite {
    /// The newest first.
    pub const ALL: [Self; 2] = [Suite::Trixie, Suite::Bookworm];

    /// The code name, which is what archives call it.
    pub fn name(self) -> &'static str {
        match self {
            Suite::Bookworm => "bookworm",
            Suite::Trixie => "trixie",
        }
    }

    /// The number that people know.
    pub fn version(self) -> u32 {
        match self {
            Suite::Bookworm => 12,
            Suite::Trixie => 13,
        }
    }

    /// The minor version of Python 3 that the release has.
    pub fn python_minor(self) -> u32 {
        match self {
            Suite::Bookworm => 11,
            Suite::Trixie => 13,
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Suite {
    type Err = DebianError;

    fn from_str(text: &str) -> Result<Self, DebianError> {
        Suite::ALL
            .into_iter()
            .find(|suite| suite.name() == text || suite.version().to_string() == text)
            .ok_or_else(|| DebianError::UnknownSuite(text.to_owned()))
    }
}
