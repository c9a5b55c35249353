//! `Packages`: what an archive holds.
//!
//! It is read from a compact copy that has only what resolving needs: one line for each package,
//! of fields separated by tabs. Of a line only the name, version and what it provides are looked
//! at until the package is asked for, so that reading an index of 70,000 takes milliseconds.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};

use super::relation::provided;
use super::version;
use crate::Digest;

/// The fields of a line, in order.
const FIELDS: [&[u8]; 9] = [
    b"Package",
    b"Version",
    b"Provides",
    b"Architecture",
    b"Pre-Depends",
    b"Depends",
    b"Filename",
    b"Size",
    b"SHA256",
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

/// Makes the compact copy of a `Packages` file.
pub(super) fn compact(mut source: impl BufRead) -> io::Result<String> {
    let mut kept = Vec::new();
    let mut fields: [Vec<u8>; FIELDS.len()] = Default::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let end = source.read_until(b'\n', &mut line)? == 0;
        if end || line == b"\n" {
            if !fields[0].is_empty() {
                for (number, field) in fields.iter_mut().enumerate() {
                    kept.write_all(if number > 0 { b"\t" } else { b"" })?;
                    kept.append(field);
                }
                kept.push(b'\n');
            }
            if end {
                break;
            }
            continue;
        }
        // Fields of interest begin with one of these, and take one line.
        if !matches!(line[0], b'A' | b'D' | b'F' | b'P' | b'S' | b'V') {
            continue;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        if let Some(number) = FIELDS.iter().position(|field| *field == &line[..colon]) {
            let value = line[colon + 1..].trim_ascii();
            fields[number].clear();
            fields[number].extend(
                value
                    .iter()
                    .map(|byte| if *byte == b'\t' { b' ' } else { *byte }),
            );
        }
    }
    String::from_utf8(kept).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// A line of a compact list.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    version: &'a str,
    /// The fields after `Provides`.
    rest: &'a str,
    list: usize,
}

/// Everything that several lists hold; of each package the highest version.
#[derive(Debug, Default)]
pub(super) struct PackageIndex<'a> {
    packages: HashMap<&'a str, Entry<'a>>,
    /// Who provides a name, and in which version.
    providers: HashMap<&'a str, Vec<(&'a str, Option<&'a str>)>>,
}

impl<'a> PackageIndex<'a> {
    /// Reads compact lists; or what is wrong with a line that cannot be read.
    pub(super) fn read(lists: &[&'a str]) -> Result<Self, String> {
        let mut index = Self::default();
        let lines: usize = lists.iter().map(|list| list.len() / 400).sum();
        index.packages.reserve(lines);
        let mut offers: Vec<(&'a str, &'a str, &'a str)> = Vec::new();
        for (list, text) in lists.iter().enumerate() {
            for line in text.lines() {
                let mut fields = line.splitn(4, '\t');
                let (Some(name), Some(version), Some(provides), Some(rest)) =
                    (fields.next(), fields.next(), fields.next(), fields.next())
                else {
                    return Err(format!("the line `{line}` is cut off"));
                };
                if !provides.is_empty() {
                    offers.push((name, version, provides));
                }
                let entry = Entry {
                    version,
                    rest,
                    list,
                };
                let known = index.packages.entry(name).or_insert(entry);
                if version::compare(version, known.version).is_gt() {
                    *known = entry;
                }
            }
        }
        for (name, version, provides) in offers {
            if index.packages[name].version == version {
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

    /// The highest version of a package.
    ///
    /// A package without a hash or a file is as good as none.
    pub(super) fn get(&self, name: &str) -> Option<Package<'a>> {
        let (name, entry) = self.packages.get_key_value(name)?;
        let mut fields = entry.rest.split('\t');
        let mut next = || fields.next();
        let package = Package {
            name,
            version: entry.version,
            architecture: next()?,
            pre_depends: next()?,
            depends: next()?,
            filename: next()?,
            size: next()?.parse().ok()?,
            digest: Digest::from_hex(next()?).ok()?,
            list: entry.list,
        };
        (!package.filename.is_empty()).then_some(package)
    }

    /// Packages that provide a name, sorted by their own.
    pub(super) fn providers(&self, name: &str) -> &[(&'a str, Option<&'a str>)] {
        self.providers.get(name).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A list with one package for each line of `name version; Depends; Provides`.
    pub(in crate::debian) fn list(lines: &[&str]) -> String {
        lines
            .iter()
            .map(|line| {
                let mut parts = line.split(';').map(str::trim);
                let (name, version) = parts.next().unwrap().split_once(' ').unwrap();
                let depends = parts.next().unwrap_or_default();
                let provides = parts.next().unwrap_or_default();
                let digest = Digest::of(line.as_bytes()).hex();
                format!(
                    "{name}\t{version}\t{provides}\tamd64\t\t{depends}\tpool/{name}_{version}.deb\t1\t{digest}\n"
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
    fn a_package_without_a_hash_is_none() {
        let short = compact(&b"Package: a\nVersion: 1\nFilename: f\nSize: 1\n"[..]).unwrap();
        let index = PackageIndex::read(&[&short]).unwrap();
        assert!(index.get("a").is_none());
        let error = PackageIndex::read(&["a\t1\t"]).unwrap_err();
        assert_eq!(error, "the line `a\t1\t` is cut off");
    }
}
