//! The layers of several images as those of one. Packages that several have are there once, and
//! what two have differently is refused: one would silently run on the files of the other.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read as _;

use tar::EntryType;

use super::{AllInOneError, Member};
use crate::Digest;
use crate::store::{ImageLayer, Layer, Part, Store};

/// A file of which two images have different ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// Its path below the root.
    pub path: String,
    /// Whose is the one.
    pub first: String,
    /// Whose is the other.
    pub second: String,
}

impl Clash {
    /// What is behind it, as people would say it: a package in two versions, or just a file.
    pub fn reason(&self) -> String {
        let parts: Vec<&str> = self.path.split('/').collect();
        let after = |name: &str| {
            let at = parts.iter().rposition(|part| *part == name)?;
            parts.get(at + 1).copied()
        };
        if let Some(package) = after("status.d") {
            return format!("the Debian package `{package}` in two versions");
        }
        if let Some(package) = after("site-packages") {
            return format!("the Python package `{package}` in two versions");
        }
        if let Some(package) = after("node_modules").filter(|name| !name.starts_with('.')) {
            return format!("the Node package `{package}` in two versions");
        }
        match self.path.as_str() {
            path if path.ends_with("/bin/node") => "Node in two versions".to_string(),
            path => format!("two different files `/{path}`"),
        }
    }

    /// Whether one package in two versions is behind it.
    pub(super) fn is_of_a_package(&self) -> bool {
        ["site-packages/", "node_modules/"]
            .iter()
            .any(|mark| self.path.contains(mark))
    }

    /// The more a clash explains, the earlier it is told.
    fn rank(&self) -> usize {
        let marks = ["status.d/", "/bin/node", "site-packages/", "node_modules/"];
        marks
            .iter()
            .position(|mark| self.path.contains(mark))
            .unwrap_or(marks.len())
    }
}

/// The layers of all members, lowest first.
pub(super) fn layers(
    store: &Store,
    members: &[Member<'_>],
) -> Result<Vec<ImageLayer>, AllInOneError> {
    let mut union = Union {
        store,
        layers: Vec::new(),
        parts: HashSet::new(),
        owners: HashMap::new(),
        clashes: Vec::new(),
        pythons: BTreeMap::new(),
    };
    for member in members {
        for layer in &member.image.layers {
            union.add(member.name, layer)?;
        }
    }
    let mut pythons = union.pythons.into_iter();
    if let (Some((one, first)), Some((other, second))) = (pythons.next(), pythons.next()) {
        return Err(AllInOneError::Pythons {
            versions: [one, other],
            services: [first, second],
        });
    }
    union.clashes.sort_by_key(Clash::rank);
    let more = union.clashes.len().saturating_sub(1);
    match union.clashes.into_iter().next() {
        Some(clash) => Err(AllInOneError::Clash { clash, more }),
        None => Ok(union.layers),
    }
}

struct Union<'s> {
    store: &'s Store,
    layers: Vec<ImageLayer>,
    /// Parts that are in it.
    parts: HashSet<Digest>,
    /// What is at a path, and whose it is.
    owners: HashMap<String, (Entry, String)>,
    clashes: Vec<Clash>,
    /// Versions of Python, and who has them.
    pythons: BTreeMap<String, String>,
}

impl Union<'_> {
    fn add(&mut self, member: &str, layer: &Layer) -> Result<(), AllInOneError> {
        if self
            .layers
            .iter()
            .any(|known| known.layer.diff_id == layer.diff_id)
        {
            return Ok(());
        }
        if !layer.is_own() {
            return Err(AllInOneError::Foreign {
                service: member.to_string(),
            });
        }
        let contents = layer.contents();
        let fresh: Vec<Part> = contents
            .iter()
            .filter(|part| !self.parts.contains(&part.digest))
            .copied()
            .collect();
        let mut has_files = false;
        for part in &fresh {
            has_files |= self.claim(member, part)?;
        }
        self.parts.extend(fresh.iter().map(|part| part.digest));
        let layer = match fresh.len() {
            count if count == contents.len() => layer.clone(),
            // Only the list of directories differs.
            _ if !has_files => return Ok(()),
            _ => self.store.layer_of_parts(layer, &fresh)?,
        };
        self.layers.push(ImageLayer {
            layer,
            created_by: format!("service {member}"),
        });
        Ok(())
    }

    /// Notes whose the entries of a part are. Whether there is more than directories.
    fn claim(&mut self, member: &str, part: &Part) -> Result<bool, AllInOneError> {
        let bytes = self.store.read_blob(&part.digest)?;
        let entries = entries(&bytes).map_err(|_| AllInOneError::Damaged(part.digest))?;
        let mut has_files = false;
        for (path, entry) in entries {
            has_files |= !entry.is_directory();
            if let Some(version) = python_of(&path) {
                self.pythons
                    .entry(version.to_string())
                    .or_insert_with(|| member.to_string());
            }
            match self.owners.get(&path) {
                // Directories may be there twice.
                Some((other, _))
                    if *other == entry || other.is_directory() && entry.is_directory() => {}
                Some((_, owner)) => self.clashes.push(Clash {
                    first: owner.clone(),
                    second: member.to_string(),
                    path,
                }),
                None => {
                    self.owners.insert(path, (entry, member.to_string()));
                }
            }
        }
        Ok(has_files)
    }
}

/// What an archive has at a path.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    kind: EntryType,
    mode: u32,
    link: Option<Vec<u8>>,
    content: Digest,
}

impl Entry {
    fn is_directory(&self) -> bool {
        self.kind == EntryType::Directory
    }
}

fn entries(archive: &[u8]) -> std::io::Result<Vec<(String, Entry)>> {
    let mut found = Vec::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        found.push((
            path.trim_end_matches('/').to_string(),
            Entry {
                kind: entry.header().entry_type(),
                mode: entry.header().mode()?,
                link: entry.link_name_bytes().map(|name| name.to_vec()),
                content: Digest::of(&content),
            },
        ));
    }
    Ok(found)
}

/// `3.13` of a file of that version's library.
fn python_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("usr/lib/python")?;
    let version = rest.split('/').next()?;
    (version.contains('.') && rest.len() > version.len()).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clashes_are_told_by_what_is_behind_them() {
        let told = |path: &str| {
            Clash {
                path: path.to_owned(),
                first: "a".to_owned(),
                second: "b".to_owned(),
            }
            .reason()
        };
        assert_eq!(
            told("app/.venv/lib/python3.13/site-packages/httpx/__init__.py"),
            "the Python package `httpx` in two versions"
        );
        assert_eq!(
            told("var/lib/dpkg/status.d/libssl3t64"),
            "the Debian package `libssl3t64` in two versions"
        );
        assert_eq!(
            told("app/node_modules/express/index.js"),
            "the Node package `express` in two versions"
        );
        assert_eq!(told("app/main.py"), "two different files `/app/main.py`");
    }

    #[test]
    fn a_python_is_known_by_its_library() {
        assert_eq!(python_of("usr/lib/python3.13/os.py"), Some("3.13"));
        assert_eq!(python_of("usr/lib/python3/dist-packages/x.py"), None);
        assert_eq!(python_of("usr/lib/python3.13"), None);
    }
}
