//! The processors that images are made for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A processor architecture; the operating system is always Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// 64-bit x86.
    Amd64,
    /// 64-bit Arm.
    Arm64,
}

/// An architecture that images are not made for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not an architecture that images are made for: `amd64` or `arm64`")]
pub struct UnknownArchitecture(pub String);

impl Architecture {
    /// That of this machine.
    ///
    /// # Errors
    /// When this machine is neither.
    pub fn host() -> Result<Self, UnknownArchitecture> {
        std::env::consts::ARCH.parse()
    }

    /// The name that OCI and Debian use.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Amd64 => "amd64",
            Architecture::Arm64 => "arm64",
        }
    }

    /// The name that the kernel and the ELF world use.
    pub fn machine(self) -> &'static str {
        match self {
            Architecture::Amd64 => "x86_64",
            Architecture::Arm64 => "aarch64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Architecture {
    type Err = UnknownArchitecture;

    fn from_str(text: &str) -> Result<Self, UnknownArchitecture> {
        match text {
            "amd64" | "x86_64" | "linux/amd64" => Ok(Architecture::Amd64),
            "arm64" | "aarch64" | "linux/arm64" | "linux/arm64/v8" => Ok(Architecture::Arm64),
            other => Err(UnknownArchitecture(other.to_owned())),
        }
    }
}
