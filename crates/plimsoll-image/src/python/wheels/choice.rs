//! Which file of an index a pinned requirement means: known by the lock file, which has its
//! address, or by the index's page of the distribution.

use std::collections::BTreeMap;
use std::path::Path;

use fs_err as fs;
use plimsoll_model::PythonDependencies;
use serde::{Deserialize, Serialize};

use super::tags::{Tags, WheelName};
use crate::Digest;
use crate::fetch::{Fetcher, Headers};
use crate::python::locks::Markers;
use crate::python::pinned::{Entry, normalised};
use crate::toolchain::index_page;

/// The largest page of an index that is read.
const LARGEST_PAGE: u64 = 64 << 20;

/// A file that an index has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// What it holds.
    pub digest: Digest,
    /// Its length, where that is told.
    pub size: Option<u64>,
}

/// A requirement of one version, of which some files are known to be the right ones.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The distribution's normalised name.
    pub name: String,
    /// Its version as written.
    pub version: String,
    /// What its files may be.
    pub digests: Vec<Digest>,
}

/// What a line of a requirements file comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A version with its hashes.
    Wanted(Wanted),
    /// Nothing: its marker does not hold for the image.
    LeftOut,
    /// Something that only uv reads.
    Other,
}

impl Wanted {
    /// Reads `name==version ; marker --hash=sha256:…`.
    pub(super) fn read(entry: &Entry, markers: &Markers) -> Reading {
        let text = entry.text.replace("\\\n", " ");
        let (requirement, hashes) = match text.split_once(" --hash=") {
            Some((requirement, hashes)) => (requirement.trim(), hashes),
            None => return Reading::Other,
        };
        let (requirement, marker) = match requirement.split_once(';') {
            Some((requirement, marker)) => (requirement.trim(), Some(marker.trim())),
            None => (requirement, None),
        };
        let Some((name, version)) = requirement.split_once("==") else {
            return Reading::Other;
        };
        let is_word = |text: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+!".contains(c);
            !text.is_empty() && text.chars().all(plain)
        };
        let (name, version) = (name.trim(), version.trim());
        let digests = hashes
            .split("--hash=")
            .map(|hash| hash.trim().parse().ok())
            .collect::<Option<Vec<Digest>>>();
        match digests {
            Some(digests) if is_word(name) && is_word(version) => match marker {
                Some(marker) if !markers.is_readable(marker) => Reading::Other,
                Some(marker) if !markers.hold(marker, &[]) => Reading::LeftOut,
                _ => Reading::Wanted(Self {
                    name: normalised(name),
                    version: version.to_string(),
                    digests,
                }),
            },
            _ => Reading::Other,
        }
    }

    /// The best of these files that is one of its own.
    pub(super) fn best<'f>(&self, files: &'f [File], tags: &Tags) -> Option<&'f File> {
        let fitting = files.iter().filter_map(|file| {
            let name = WheelName::parse(&file.name)?;
            let own = name.name == self.name && self.digests.contains(&file.digest);
            own.then(|| name.rank(tags))
                .flatten()
                .map(|rank| (rank, file))
        });
        fitting
            .min_by(|(a, _), (b, _)| a.cmp(b))
            .map(|(_, file)| file)
    }

    /// Its files as the index's page lists them.
    pub(super) fn on_page(&self, fetcher: &Fetcher, index: &str) -> Option<Vec<File>> {
        let url = format!("{}/{}/", index.trim_end_matches('/'), self.name);
        let headers = Headers::none().with("accept", index_page::ACCEPT);
        let page = fetcher.get_bytes(&url, &headers, LARGEST_PAGE).ok()?;
        let listed = index_page::files_of(&page, &url)?;
        let files = listed.into_iter().filter_map(|file| {
            Some(File {
                digest: Digest::from_hex(&file.sha256?).ok()?,
                name: file.name,
                url: file.url,
                size: file.size,
            })
        });
        Some(files.collect())
    }
}

/// Files by distribution and version.
pub(super) type Known = BTreeMap<(String, String), Vec<File>>;

/// The files that a project's own lock file has addresses of, where these are the index's: a lock
/// file that was made with another index does not say where this one has them.
pub(super) fn in_lock(context: &Path, dependencies: &PythonDependencies, index: &str) -> Known {
    let PythonDependencies::UvLock { lock, .. } = dependencies else {
        return Known::new();
    };
    let text = fs::read_to_string(context.join(lock)).unwrap_or_default();
    in_uv_lock(&text, index)
}

#[derive(Deserialize)]
struct UvLock {
    #[serde(default)]
    package: Vec<UvPackage>,
}

#[derive(Deserialize)]
struct UvPackage {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    source: BTreeMap<String, toml::Value>,
    #[serde(default)]
    wheels: Vec<UvFile>,
}

#[derive(Deserialize)]
struct UvFile {
    url: Option<String>,
    hash: Option<String>,
    size: Option<u64>,
}

fn in_uv_lock(text: &str, index: &str) -> Known {
    let Ok(lock) = toml::from_str::<UvLock>(text) else {
        return Known::new();
    };
    let index = index.trim_end_matches('/');
    let mut known = Known::new();
    for package in lock.package {
        let source = package.source.get("registry").and_then(toml::Value::as_str);
        if source.is_none_or(|source| source.trim_end_matches('/') != index) {
            continue;
        }
        let files = package.wheels.into_iter().filter_map(|file| {
            let url = file.url?;
            Some(File {
                name: name_in(&url)?,
                digest: file.hash?.parse().ok()?,
                size: file.size,
                url,
            })
        });
        let place = known.entry((normalised(&package.name), package.version));
        place.or_default().extend(files);
    }
    known
}

/// The file's name at the end of an address.
fn name_in(url: &str) -> Option<String> {
    let path = url.split(['#', '?']).next()?;
    let name = path.rsplit('/').next()?;
    let mut plain = Vec::new();
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::interpreter::INTERPRETERS;
    use crate::python::pinned::Pinned;
    use crate::python::target::Target;

    const A: &str = "0000000000000000000000000000000000000000000000000000000000000001";
    const B: &str = "0000000000000000000000000000000000000000000000000000000000000002";

    fn target() -> Target {
        Target {
            interpreter: INTERPRETERS[0],
            architecture: crate::oci::Architecture::Amd64,
            host: crate::oci::Architecture::Amd64,
        }
    }

    fn read(line: &str) -> Reading {
        let mut pinned = Pinned::parse(line);
        let entry = pinned.take(|_| true).remove(0);
        Wanted::read(&entry, &Markers::of(&target()))
    }

    #[test]
    fn only_a_version_with_its_hashes_is_read() {
        let wanted = Wanted {
            name: "foo-bar".to_string(),
            version: "1.0+cpu".to_string(),
            digests: vec![Digest::from_hex(A).unwrap(), Digest::from_hex(B).unwrap()],
        };
        let hashes = format!("\\\n    --hash=sha256:{A} \\\n    --hash=sha256:{B}");
        let line = format!("Foo_Bar==1.0+cpu ; python_version >= '3.13' {hashes}");
        assert_eq!(read(&line), Reading::Wanted(wanted));
        let line = format!("foo==1 ; sys_platform == 'win32' {hashes}");
        assert_eq!(read(&line), Reading::LeftOut);
        for other in [
            "foo==1".to_string(),
            format!("foo>=1 {hashes}"),
            format!("foo[extra]==1 {hashes}"),
            format!("foo==1 ; not a marker {hashes}"),
            format!("foo==1 \\\n    --hash=md5:{A}"),
            format!("foo @ https://files.example/foo-1.whl {hashes}"),
        ] {
            assert_eq!(read(&other), Reading::Other, "{other}");
        }
    }

    #[test]
    fn a_lock_file_has_addresses_only_for_its_own_index() {
        let lock = format!(
            "version = 1\n[[package]]\nname = \"foo\"\nversion = \"1\"\n\
             source = {{ registry = \"https://index.example/simple/\" }}\nwheels = [\n\
             {{ url = \"https://files.example/foo-1%2Bcpu-py3-none-any.whl\", hash = \"sha256:{A}\" }},\n]\n\
             [[package]]\nname = \"mine\"\nsource = {{ virtual = \".\" }}\n"
        );
        assert!(in_uv_lock(&lock, "https://other.example/simple").is_empty());
        let known = in_uv_lock(&lock, "https://index.example/simple");
        let files = &known[&("foo".to_string(), "1".to_string())];
        assert_eq!(files[0].name, "foo-1+cpu-py3-none-any.whl");
        assert!(in_uv_lock("not a lock", "https://index.example").is_empty());
    }

    #[test]
    fn only_files_with_a_stated_hash_are_taken() {
        let file = |name: &str, digest: &str| File {
            name: name.to_string(),
            url: String::new(),
            digest: Digest::from_hex(digest).unwrap(),
            size: None,
        };
        let wanted = Wanted {
            name: "foo".to_string(),
            version: "1".to_string(),
            digests: vec![Digest::from_hex(A).unwrap()],
        };
        let tags = Tags::of(&target());
        let files = [
            file("foo-1-cp313-cp313-manylinux_2_28_x86_64.whl", B),
            file("foo-1-py3-none-any.whl", A),
        ];
        assert_eq!(wanted.best(&files, &tags), Some(&files[1]));
        assert_eq!(wanted.best(&files[..1], &tags), None);
    }
}
