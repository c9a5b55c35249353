//! Debian packages as dpkg's database tells them, in one file or in one for each package.

use serde::{Deserialize, Serialize};

use crate::debian::deb822::paragraphs;

/// One package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DebianPackage {
    pub name: String,
    pub version: String,
    pub architecture: String,
    /// The source package and its version, where they differ.
    pub source: Option<(String, String)>,
    /// Names that it depends on; of alternatives all.
    pub needs: Vec<String>,
}

/// What an operating system says of itself in `os-release`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Release {
    pub id: String,
    pub version: String,
    pub name: String,
}

/// The packages that a status file, or a file of `status.d`, tells to be installed.
pub(super) fn packages(text: &str) -> Vec<DebianPackage> {
    let mut found = Vec::new();
    for paragraph in paragraphs(text) {
        let (Some(name), Some(version)) = (paragraph.get("Package"), paragraph.get("Version"))
        else {
            continue;
        };
        // A removed package keeps its paragraph as long as its configuration is there.
        if paragraph
            .get("Status")
            .is_some_and(|status| !status.ends_with(" installed"))
        {
            continue;
        }
        let source = paragraph.get("Source").map(|source| {
            let (source, rest) = source.split_once(' ').unwrap_or((source, ""));
            let stated = rest.trim_matches(['(', ')', ' ']);
            let source_version = if stated.is_empty() { version } else { stated };
            (source.to_owned(), source_version.to_owned())
        });
        let needs = ["Pre-Depends", "Depends"]
            .iter()
            .filter_map(|field| paragraph.get(field))
            .flat_map(|relations| relations.split([',', '|']))
            .filter_map(|relation| {
                let end = relation.trim().split([' ', ':', '(']).next()?;
                (!end.is_empty()).then(|| end.to_owned())
            })
            .collect();
        found.push(DebianPackage {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: paragraph.get("Architecture").unwrap_or_default().to_owned(),
            source: source.filter(|(source, of)| source != name || of != version),
            needs,
        });
    }
    found
}

/// The paths of an `md5sums` file, without the sums.
pub(super) fn summed(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(_, path)| path.trim_start_matches("./").to_owned())
        .collect()
}

/// The paths of a `list` file.
pub(super) fn listed(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.trim_start_matches('/').to_owned())
        .filter(|path| !path.is_empty() && path != ".")
        .collect()
}

/// The names of the licences that a machine-readable `copyright` file states.
pub(super) fn licences(text: &str) -> Option<String> {
    if !text.starts_with("Format:") {
        return None;
    }
    let mut names: Vec<&str> = paragraphs(text)
        .filter_map(|paragraph| paragraph.get("License"))
        .filter_map(|licence| licence.lines().next())
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    names.dedup();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Reads `os-release`.
pub(super) fn release(text: &str) -> Release {
    let get = |key: &str| {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value.trim().trim_matches(['"', '\'']).to_owned())
            .unwrap_or_default()
    };
    Release {
        id: get("ID"),
        version: get("VERSION_ID"),
        name: get("PRETTY_NAME"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_file_tells_what_is_installed() {
        let text = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\n\
                    Source: glibc (2.41-1)\nVersion: 2.41-1+b2\nDepends: libgcc-s1 (>= 4), a:any | b\n\n\
                    Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n";
        let read = packages(text);
        assert_eq!(read.len(), 1);
        assert_eq!(
            read[0].source,
            Some(("glibc".to_owned(), "2.41-1".to_owned()))
        );
        assert_eq!(read[0].needs, ["libgcc-s1", "a", "b"]);
    }

    #[test]
    fn licences_come_from_machine_readable_files_only() {
        let text = "Format: x\n\nFiles: *\nLicense: MIT\n\nFiles: a\nLicense: GPL-2+\n text\n\n\
                    License: MIT\n text\n";
        assert_eq!(licences(text).as_deref(), Some("GPL-2+, MIT"));
        assert_eq!(
            licences("This is free software under the MIT licence."),
            None
        );
    }

    #[test]
    fn os_release_is_read_with_and_without_quotes() {
        let read =
            release("PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\nVERSION_ID=\"13\"\n");
        assert_eq!((read.id.as_str(), read.version.as_str()), ("debian", "13"));
    }
}
