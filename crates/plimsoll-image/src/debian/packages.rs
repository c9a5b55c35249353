//! `Packages`: what an archive holds. Read from a compact copy that has only what resolving
//! needs, a quarter of the original.

use std::collections::HashMap;
use std::io::{self, BufRead};

use super::deb822::paragraphs;
use super::relation::provided;
use super::version;
use crate::Digest;

/// The fields that a compact copy keeps.
const FIELDS: [&str; 8] = [
    "Package",
    "Version",
    "Architecture",
    "Depends",
    "Pre-Depends",
    "Provides",
    "Filename",
    "Size",
];

/// A package as an index describes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Package<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) architecture: &'a str,
    pub(super) depends: &'a str,
    pub(super) pre_depends: &'a str,
    pub(super) filename: &'a str,
    pub(super) size: u64,
    pub(super) digest: Digest,
    /// Which of the lists it is from.
    pub(super) list: usize,
}

/// Copies the lines of a `Packages` file that resolving needs.
pub(super) fn compact(mut source: impl BufRead) -> io::Result<String> {
    let mut kept = Vec::new();
    let mut line = Vec::new();
    let mut dependencies_end = true;
    loop {
        line.clear();
        if source.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line == b"\n" {
            if dependencies_end {
                kept.push(b'\n');
                dependencies_end = false;
            }
            continue;
        }
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        if name == b"SHA256" || FIELDS.iter().any(|field| field.as_bytes() == name) {
            kept.extend_from_slice(&line);
            dependencies_end = true;
        }
    }
    String::from_utf8(kept).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Everything that several lists hold; of each package the highest version.
#[derive(Debug, Default)]
pub(super) struct PackageIndex<'a> {
    packages: HashMap<&'a str, Package<'a>>,
    /// Who provides a name, and in which version.
    providers: HashMap<&'a str, Vec<(&'a str, Option<&'a str>)>>,
}

impl<'a> PackageIndex<'a> {
    /// Reads compact lists. Returns what is wrong with a package that cannot be read.
    pub(super) fn read(lists: &[&'a str]) -> Result<Self, String> {
        let mut index = Self::default();
        let mut offers: Vec<(&'a str, &'a str, &'a str)> = Vec::new();
        for (number, list) in lists.iter().enumerate() {
            for paragraph in paragraphs(list) {
                let (package, provides) = read(paragraph, number)?;
                if !provides.is_empty() {
                    offers.push((package.name, package.version, provides));
                }
                let newest = index
                    .packages
                    .get(package.name)
                    .is_none_or(|known| version::compare(package.version, known.version).is_gt());
                if newest {
                    index.packages.insert(package.name, package);
                }
            }
        }
        for (name, version, provides) in offers {
            if index
                .packages
                .get(name)
                .is_some_and(|package| package.version == version)
            {
                for (provided, provided_version) in provided(provides) {
                    let list = index.providers.entry(provided).or_default();
                    if !list.contains(&(name, provided_version)) {
                        list.push((name, provided_version));
                    }
                }
            }
        }
        for providers in index.providers.values_mut() {
            providers.sort_unstable();
        }
        Ok(index)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Package<'a>> {
        self.packages.get(name)
    }

    /// Packages that provide a name, sorted by their own.
    pub(super) fn providers(&self, name: &str) -> &[(&'a str, Option<&'a str>)] {
        self.providers.get(name).map_or(&[], Vec::as_slice)
    }
}

fn read(
    paragraph: super::deb822::Paragraph<'_>,
    list: usize,
) -> Result<(Package<'_>, &str), String> {
    let mut package = Package {
        name: "",
        version: "",
        architecture: "",
        depends: "",
        pre_depends: "",
        filename: "",
        size: 0,
        digest: Digest::of(b""),
        list,
    };
    let mut provides = "";
    let mut digest = None;
    for (field, value) in paragraph.fields() {
        match field {
            "Package" => package.name = value,
            "Version" => package.version = value,
            "Architecture" => package.architecture = value,
            "Depends" => package.depends = value,
            "Pre-Depends" => package.pre_depends = value,
            "Provides" => provides = value,
            "Filename" => package.filename = value,
            "Size" => package.size = value.parse().map_err(|_| format!("`{value}` is no size"))?,
            "SHA256" => digest = Some(Digest::from_hex(value).map_err(|error| error.to_string())?),
            _ => {}
        }
    }
    let missing = |what: &str| format!("package `{}` has no {what}", package.name);
    if package.name.is_empty() || package.version.is_empty() || package.filename.is_empty() {
        return Err(missing("name, version or file"));
    }
    package.digest = digest.ok_or_else(|| missing("SHA256"))?;
    Ok((package, provides))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A list with one paragraph for each line of `name version; Depends; Provides`.
    pub(in crate::debian) fn list(lines: &[&str]) -> String {
        lines
            .iter()
            .map(|line| {
                let mut parts = line.split(';').map(str::trim);
                let (name, version) = parts.next().unwrap().split_once(' ').unwrap();
                format!(
                    "Package: {name}\nVersion: {version}\nArchitecture: amd64\nDepends: {}\nProvides: {}\n\
                     Filename: pool/{name}_{version}.deb\nSize: 1\nSHA256: {}\n\n",
                    parts.next().unwrap_or_default(),
                    parts.next().unwrap_or_default(),
                    Digest::of(line.as_bytes()).hex()
                )
            })
            .collect()
    }

    #[test]
    fn the_highest_version_of_all_lists_counts() {
        let main = list(&["a 1.0-1;; x", "b 2"]);
        let security = list(&["a 1.0-1+deb13u1;; y (= 3)"]);
        let index = PackageIndex::read(&[&main, &security]).unwrap();
        assert_eq!(index.get("a").unwrap().version, "1.0-1+deb13u1");
        assert_eq!(index.get("a").unwrap().list, 1);
        assert_eq!(index.providers("x"), [], "the older one provided it");
        assert_eq!(index.providers("y"), [("a", Some("3"))]);
    }

    #[test]
    fn a_compact_list_reads_the_same() {
        let full = "Package: a\nSource: s\nVersion: 1\nMaintainer: m\nArchitecture: all\n\
            Description: d\n more\n .\nTag: x\nFilename: f\nSize: 7\nSHA256: \
            e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\n\n\
            Package: b\nVersion: 2\nDepends: a, c\nFilename: g\nSize: 8\nSHA256: \
            e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
        let short = compact(full.as_bytes()).unwrap();
        assert!(short.len() < full.len() && !short.contains("Maintainer"));
        let index = PackageIndex::read(&[&short]).unwrap();
        assert_eq!(index.get("a").unwrap().size, 7);
        assert_eq!(index.get("b").unwrap().depends, "a, c");
    }

    #[test]
    fn a_package_without_a_hash_is_refused() {
        let error = PackageIndex::read(&["Package: a\nVersion: 1\nFilename: f\n"]).unwrap_err();
        assert_eq!(error, "package `a` has no SHA256");
    }
}
