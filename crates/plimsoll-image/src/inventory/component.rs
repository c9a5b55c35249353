//! A component of an image: one package of one ecosystem, and how scanners name it.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Whose package a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ecosystem {
    /// A Debian package, or one of a distribution that descends from Debian.
    Debian,
    /// A Python distribution.
    Python,
    /// A package of npm.
    Npm,
    /// A module of Go, linked into a program.
    Go,
    /// A crate of Rust, linked into a program.
    Rust,
    /// A program that is no package of anybody's.
    Program,
}

impl Ecosystem {
    /// The word for people: `deb`, `wheel`.
    pub fn label(self) -> &'static str {
        match self {
            Ecosystem::Debian => "deb",
            Ecosystem::Python => "python",
            Ecosystem::Npm => "npm",
            Ecosystem::Go => "go",
            Ecosystem::Rust => "crate",
            Ecosystem::Program => "program",
        }
    }
}

/// A checksum of the file that a package came in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Checksum {
    /// `sha256` or `sha512`.
    pub algorithm: String,
    /// Lower-case hexadecimal digits.
    pub hex: String,
}

/// One package in an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Whose it is.
    pub ecosystem: Ecosystem,
    /// Its name as the ecosystem normalises it: `libc6`, `typing-extensions`, `@scope/name`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The package URL.
    pub purl: String,
    /// The licence as the package states it, an SPDX expression or free words.
    pub licence: Option<String>,
    /// The image's layer that holds it, counted from 0 at the bottom.
    pub layer: usize,
    /// The file that states it, below the image's root; several when it is there more than once.
    pub locations: Vec<String>,
    /// The bytes of the files that it owns. Parts of a program own none: the program does.
    pub bytes: u64,
    /// Checksums of the package's own file, where they are known.
    pub checksums: Vec<Checksum>,
    /// Package URLs of components of the same image that it states to need.
    pub needs: Vec<String>,
    /// The tags of the wheel that it came in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What it was built from, where that has another name: a Debian source package and version.
    pub source: Option<(String, String)>,
}

impl Component {
    /// How databases of vulnerabilities name it, where its package URL would not be found there.
    pub(crate) fn cpe(&self) -> Option<String> {
        let (vendor, product) = match (self.ecosystem, self.name.as_str()) {
            (Ecosystem::Program, "node") => ("nodejs", "node.js"),
            (Ecosystem::Program, "bun") => ("bun", "bun"),
            _ => return None,
        };
        let version = &self.version;
        Some(format!(
            "cpe:2.3:a:{vendor}:{product}:{version}:*:*:*:*:*:*:*"
        ))
    }
}

/// A package URL: `pkg:deb/debian/libc6@2.41?arch=amd64`.
pub(crate) fn purl(
    kind: &str,
    namespace: Option<&str>,
    name: &str,
    version: &str,
    qualifiers: &[(&str, &str)],
) -> String {
    let mut text = format!("pkg:{kind}/");
    if let Some(namespace) = namespace {
        for part in namespace.split('/') {
            encode(part, &mut text);
            text.push('/');
        }
    }
    encode(name, &mut text);
    if !version.is_empty() {
        text.push('@');
        encode(version, &mut text);
    }
    for (index, (key, value)) in qualifiers
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .enumerate()
    {
        text.push(if index == 0 { '?' } else { '&' });
        text.push_str(key);
        text.push('=');
        encode(value, &mut text);
    }
    text
}

/// Percent-encodes what package URLs demand: all but letters, digits and `-._~:`.
fn encode(part: &str, text: &mut String) {
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                text.push(char::from(byte));
            }
            _ => write!(text, "%{byte:02X}").expect("a string takes everything"),
        }
    }
}

/// The URL of a Python distribution, whose name is normalised already.
pub(crate) fn python_purl(name: &str, version: &str) -> String {
    purl("pypi", None, name, version, &[])
}

/// The URL of an npm package with its scope.
pub(crate) fn npm_purl(name: &str, version: &str) -> String {
    match name.split_once('/') {
        Some((scope, name)) => purl("npm", Some(scope), name, version, &[]),
        None => purl("npm", None, name, version, &[]),
    }
}

/// The URL of a Go module.
pub(crate) fn go_purl(module: &str, version: &str) -> String {
    match module.rsplit_once('/') {
        Some((namespace, name)) => purl("golang", Some(namespace), name, version, &[]),
        None => purl("golang", None, module, version, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_are_those_of_the_specification() {
        let debian = purl(
            "deb",
            Some("debian"),
            "libstdc++6",
            "1:14.2.0-19+b1",
            &[("arch", "amd64"), ("upstream", ""), ("distro", "debian-13")],
        );
        assert_eq!(
            debian,
            "pkg:deb/debian/libstdc%2B%2B6@1:14.2.0-19%2Bb1?arch=amd64&distro=debian-13"
        );
        assert_eq!(
            npm_purl("@types/node", "22.1.0"),
            "pkg:npm/%40types/node@22.1.0"
        );
        assert_eq!(
            go_purl("example.org/team/module/v2", "v2.1.0"),
            "pkg:golang/example.org/team/module/v2@v2.1.0"
        );
        assert_eq!(
            python_purl("pydantic-core", "2.41.5"),
            "pkg:pypi/pydantic-core@2.41.5"
        );
    }
}
