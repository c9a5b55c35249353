//! The pinned programs: which file of which registry, and its hash.

use std::sync::OnceLock;

use serde::Deserialize;

use crate::Digest;
use crate::oci::Architecture;

/// One pinned version of a program.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tool {
    /// What build steps call it.
    pub name: String,
    /// The version, as its registry writes it.
    pub version: String,
    /// Whose package it is.
    pub registry: ToolRegistry,
    /// The directory of a wheel that is the program; `None`: a script of that name is.
    #[serde(default)]
    pub directory: Option<String>,
    files: Vec<ToolFile>,
}

/// The registry that a program is a package of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ToolRegistry {
    /// A wheel of the Python package index.
    Python,
    /// A tarball of the npm registry.
    Npm,
}

/// The file for one architecture.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolFile {
    /// The processor it is for; `None`: every one.
    architecture: Option<Architecture>,
    /// A wheel's file name.
    pub file: Option<String>,
    /// An npm package's name.
    pub package: Option<String>,
    /// Hash of the file.
    #[serde(deserialize_with = "hexadecimal")]
    pub sha256: Digest,
}

fn hexadecimal<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(deserializer)?;
    Digest::from_hex(&text).map_err(serde::de::Error::custom)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pins {
    tool: Vec<Tool>,
}

/// All pinned programs, preferred versions first.
pub(crate) fn all() -> &'static [Tool] {
    static PINS: OnceLock<Vec<Tool>> = OnceLock::new();
    PINS.get_or_init(|| {
        let pins: Pins = toml::from_str(include_str!("toolchains.toml"))
            .expect("the pins are part of the program and a test reads them");
        pins.tool
    })
}

/// The versions of a program, preferred first.
pub(crate) fn versions(name: &str) -> impl Iterator<Item = &'static Tool> {
    all().iter().filter(move |tool| tool.name == name)
}

impl Tool {
    /// The file for an architecture.
    pub(crate) fn file(&self, architecture: Architecture) -> Option<&ToolFile> {
        self.files
            .iter()
            .find(|file| file.architecture.is_none_or(|own| own == architecture))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_there_for_both_architectures() {
        for tool in all() {
            for architecture in [Architecture::Amd64, Architecture::Arm64] {
                let file = tool.file(architecture).unwrap();
                match tool.registry {
                    ToolRegistry::Python => {
                        let name = file.file.as_deref().unwrap();
                        assert!(name.contains(&tool.version), "{name}");
                    }
                    ToolRegistry::Npm => assert!(file.package.is_some(), "{}", tool.name),
                }
            }
        }
        assert_eq!(versions("node").count(), 3);
    }

    #[test]
    fn no_pin_carries_an_address() {
        let text = include_str!("toolchains.toml");
        assert!(!text.contains("://"));
    }
}
