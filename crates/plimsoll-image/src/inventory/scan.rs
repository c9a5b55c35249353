//! What one layer says: its files, what it hides of those below, and the packages that state
//! themselves in it. Found out once for each DiffID.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};

use serde::{Deserialize, Serialize};
use tar::EntryType;

use super::debian::{self, DebianPackage, Release};
use super::interpreter::{Interpreter, interpreter};
use super::linked::{self, Linked};
use super::node::{self, NodePackage};
use super::python::{self, Distribution};
use crate::layer::normalised;
use crate::store::{Layer, Store, StoreError};

/// Changes whenever a layer may be read otherwise.
const RULES: &str = "inventory 2";

/// The largest file of text that is read.
const LARGEST_TEXT: u64 = 64 << 20;

/// The largest program that is looked into.
const LARGEST_PROGRAM: u64 = 1 << 30;

/// What one layer says.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct LayerFacts {
    /// Names and sizes of the files of each directory; links have no size.
    pub directories: BTreeMap<String, Vec<(String, u64)>>,
    /// Paths below this layer that it takes away.
    pub hidden: Vec<String>,
    /// Directories whose content below this layer it takes away.
    pub opaque: Vec<String>,
    /// Files that say something, and what.
    pub statements: Vec<(String, Statement)>,
}

/// What a file says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Statement {
    /// Packages are installed.
    Debian(Vec<DebianPackage>),
    /// A package owns these paths.
    DebianFiles(String, Vec<String>),
    /// A package's licences.
    DebianLicence(String, String),
    /// What the system is.
    Release(Release),
    /// A distribution is installed.
    Python(Distribution),
    /// The distribution of this metadata directory owns these paths.
    PythonFiles(Vec<String>),
    /// The tags of the wheel that it came in.
    PythonTags(Vec<String>),
    /// A package is installed.
    Node(NodePackage),
    /// A program holds these modules, and was built by this version of Go.
    Go(String, Vec<Linked>),
    /// A program holds these crates.
    Rust(Vec<Linked>),
    /// A program is an interpreter.
    Interpreter(Interpreter),
}

impl LayerFacts {
    /// What a layer of the store says.
    pub(super) fn of(store: &Store, layer: &Layer) -> Result<Self, StoreError> {
        let key = format!("{RULES} of {}", layer.diff_id);
        if let Some(known) = store.recall(&key) {
            return Ok(known);
        }
        let reader = BufReader::with_capacity(256 << 10, store.open_layer(layer)?);
        let facts = Self::read(reader).map_err(StoreError::Io)?;
        store.remember(&key, &facts, &[layer.diff_id])?;
        Ok(facts)
    }

    /// Reads a layer's archive.
    pub(super) fn read(reader: impl Read) -> std::io::Result<Self> {
        let mut facts = Self::default();
        let mut archive = tar::Archive::new(reader);
        for entry in archive.entries()? {
            let mut entry = entry?;
            // What cannot be a path is never unpacked either.
            let Ok(path) = normalised(&entry.path_bytes()) else {
                continue;
            };
            let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
            if let Some(hidden) = name.strip_prefix(".wh.") {
                if hidden == ".wh..opq" {
                    facts.opaque.push(directory.to_owned());
                } else {
                    facts.hidden.push(joined(directory, hidden));
                }
                continue;
            }
            let kind = entry.header().entry_type();
            let size = match kind {
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => entry.size(),
                EntryType::Symlink | EntryType::Link => 0,
                _ => continue,
            };
            let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
            if size > 0
                && let Some(statement) = statement(&path, size, executable, &mut entry)?
            {
                facts.statements.push((path.clone(), statement));
            }
            let files = match facts.directories.get_mut(directory) {
                Some(files) => files,
                None => facts.directories.entry(directory.to_owned()).or_default(),
            };
            files.push((name.to_owned(), size));
        }
        Ok(facts)
    }
}

/// A path below a directory.
pub(super) fn joined(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}

fn statement(
    path: &str,
    size: u64,
    executable: bool,
    entry: &mut impl Read,
) -> std::io::Result<Option<Statement>> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut bytes = |most: u64| -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(usize::try_from(size.min(most)).unwrap_or(0));
        entry.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let mut text = || bytes(LARGEST_TEXT).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let own = |suffix: &str| name.strip_suffix(suffix).map(base_name);
    Ok(match directory {
        "var/lib/dpkg" if name == "status" => Some(Statement::Debian(debian::packages(&text()?))),
        "var/lib/dpkg/status.d" => Some(match own(".md5sums") {
            Some(package) => Statement::DebianFiles(package, debian::summed(&text()?)),
            None => Statement::Debian(debian::packages(&text()?)),
        }),
        "var/lib/dpkg/info" => match own(".list") {
            Some(package) => Some(Statement::DebianFiles(package, debian::listed(&text()?))),
            None => None,
        },
        "etc" | "usr/lib" if name == "os-release" => {
            Some(Statement::Release(debian::release(&text()?)))
        }
        _ if name == "copyright" => match directory.strip_prefix("usr/share/doc/") {
            Some(package) if !package.contains('/') => debian::licences(&text()?)
                .map(|licences| Statement::DebianLicence(package.to_owned(), licences)),
            _ => None,
        },
        _ if name == "METADATA" && directory.ends_with(".dist-info")
            || name == "PKG-INFO" && directory.ends_with(".egg-info") =>
        {
            python::distribution(&text()?).map(Statement::Python)
        }
        _ if name == "RECORD" && directory.ends_with(".dist-info") => {
            let site = directory.rsplit_once('/').map_or("", |(site, _)| site);
            let paths = python::recorded(&text()?);
            let paths = paths.iter().filter_map(|path| below(site, path)).collect();
            Some(Statement::PythonFiles(paths))
        }
        _ if name == "WHEEL" && directory.ends_with(".dist-info") => {
            let text = text()?;
            let tags = text.lines().filter_map(|line| line.strip_prefix("Tag: "));
            Some(Statement::PythonTags(
                tags.map(|tag| tag.trim().to_owned()).collect(),
            ))
        }
        _ if name == "package.json" && node::root(path).is_some() => {
            node::package(&bytes(LARGEST_TEXT)?).map(Statement::Node)
        }
        _ if executable && !name.contains(".so") && size <= LARGEST_PROGRAM => {
            let mut magic = [0; 4];
            if size < 64 || entry.read_exact(&mut magic).is_err() || magic != *b"\x7fELF" {
                return Ok(None);
            }
            let mut file = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            file.extend(magic);
            entry.read_to_end(&mut file)?;
            linked::rust(&file)
                .map(Statement::Rust)
                .or_else(|| {
                    linked::go(&file).map(|(version, modules)| Statement::Go(version, modules))
                })
                .or_else(|| interpreter(name, &file).map(Statement::Interpreter))
        }
        _ => None,
    })
}

/// `libc6:amd64` → `libc6`.
fn base_name(package: &str) -> String {
    package.split(':').next().unwrap_or(package).to_owned()
}

/// A path that a file below `directory` states relative to it; `None` when it leads out.
fn below(directory: &str, path: &str) -> Option<String> {
    if let Some(absolute) = path.strip_prefix('/') {
        return Some(absolute.to_owned());
    }
    let mut parts: Vec<&str> = directory
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stated_paths_are_resolved_and_do_not_lead_out() {
        assert_eq!(below("a/b", "../c/d").as_deref(), Some("a/c/d"));
        assert_eq!(below("a", "../../x"), None);
        assert_eq!(below("a", "/usr/x").as_deref(), Some("usr/x"));
    }
}
