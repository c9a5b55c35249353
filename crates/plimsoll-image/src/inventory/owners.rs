//! Whose bytes they are: every file of an image belongs to one package, or to none.

use std::collections::{BTreeMap, HashMap};

use super::draft::Draft;
use super::scan::{LayerFacts, Statement};
use super::view::View;
use super::{Ecosystem, Unowned, node, python};

/// Adds to every draft the bytes of its files, and tells those that are nobody's.
pub(super) fn assign(view: &View, facts: &[LayerFacts], drafts: &mut [Draft]) -> Vec<Unowned> {
    let owners = Owners::of(view, facts, drafts);
    let mut bytes = vec![0; drafts.len()];
    let mut unowned: BTreeMap<(String, usize), (u64, u64)> = BTreeMap::new();
    for (path, place) in view.files() {
        match owners.owner(path) {
            Some(owner) => bytes[owner] += place.bytes,
            None => {
                let sum = unowned
                    .entry((beginning(path).to_owned(), place.layer))
                    .or_default();
                sum.0 += place.bytes;
                sum.1 += 1;
            }
        }
    }
    for (draft, bytes) in drafts.iter_mut().zip(bytes) {
        draft.component.bytes = bytes;
    }
    unowned
        .into_iter()
        .map(|((prefix, layer), (bytes, files))| Unowned {
            prefix,
            layer,
            bytes,
            files,
        })
        .collect()
}

/// Whether each of these paths is somebody's.
pub(super) fn owned(
    view: &View,
    facts: &[LayerFacts],
    drafts: &[Draft],
    paths: &[&str],
) -> Vec<bool> {
    let owners = Owners::of(view, facts, drafts);
    paths
        .iter()
        .map(|path| owners.owner(path).is_some())
        .collect()
}

/// Who owns what, as indices of drafts.
struct Owners<'a> {
    paths: HashMap<&'a str, usize>,
    packages: HashMap<&'a str, usize>,
    metadata: HashMap<&'a str, usize>,
    debian: HashMap<&'a str, usize>,
}

impl<'a> Owners<'a> {
    fn of(view: &'a View, facts: &'a [LayerFacts], drafts: &'a [Draft]) -> Self {
        let mut owners = Owners {
            paths: HashMap::new(),
            packages: HashMap::new(),
            metadata: HashMap::new(),
            debian: HashMap::new(),
        };
        for (index, draft) in drafts.iter().enumerate() {
            let component = &draft.component;
            match component.ecosystem {
                Ecosystem::Debian => {
                    owners.debian.insert(&component.name, index);
                }
                Ecosystem::Python => {
                    owners.metadata.insert(&draft.root, index);
                }
                Ecosystem::Npm => {
                    owners.packages.insert(&draft.root, index);
                }
                // The first of a program is the program itself.
                Ecosystem::Go | Ecosystem::Rust => {
                    if let Some(path) = component.locations.first() {
                        owners.paths.entry(path).or_insert(index);
                    }
                }
                // A package that it came in goes before it.
                Ecosystem::Program => {}
            }
        }
        for (_, path, statement) in view.statements(facts) {
            let (owner, paths) = match statement {
                Statement::DebianFiles(package, paths) => {
                    (owners.debian.get(package.as_str()), paths)
                }
                Statement::PythonFiles(paths) => {
                    let directory = path.rsplit_once('/').map_or("", |(root, _)| root);
                    (owners.metadata.get(directory), paths)
                }
                _ => continue,
            };
            let Some(owner) = owner.copied() else {
                continue;
            };
            for path in paths {
                if let Some((path, _)) = view.find(path) {
                    owners.paths.entry(path).or_insert(owner);
                }
            }
        }
        for (index, draft) in drafts.iter().enumerate() {
            if draft.component.ecosystem == Ecosystem::Program
                && let Some(path) = draft.component.locations.first()
            {
                owners.paths.entry(path).or_insert(index);
            }
        }
        owners
    }

    fn owner(&self, path: &str) -> Option<usize> {
        if let Some(owner) = self.paths.get(path) {
            return Some(*owner);
        }
        if let Some(source) = python::source_of(path)
            && let Some(owner) = self.paths.get(source.as_str())
        {
            return Some(*owner);
        }
        if let Some(owner) = node::roots_of(path).find_map(|root| self.packages.get(root)) {
            return Some(*owner);
        }
        let (directory, name) = path.rsplit_once('/')?;
        if let Some(owner) = self.metadata.get(directory) {
            return Some(*owner);
        }
        let package = match directory {
            "var/lib/dpkg/status.d" | "var/lib/dpkg/info" => {
                let name = name.rsplit_once('.').filter(|(_, end)| END.contains(end));
                let whole = path.rsplit('/').next().unwrap_or_default();
                name.map_or(whole, |(name, _)| name)
            }
            _ => directory
                .strip_prefix("usr/share/doc/")?
                .split('/')
                .next()?,
        };
        let package = package.split(':').next().unwrap_or(package);
        self.debian.get(package).copied()
    }
}

/// How files of dpkg's database about one package end.
const END: [&str; 9] = [
    "md5sums",
    "list",
    "conffiles",
    "postinst",
    "prerm",
    "postrm",
    "preinst",
    "triggers",
    "shlibs",
];

/// The directory under which a file that is nobody's is told.
fn beginning(path: &str) -> &str {
    let depth = match path.split('/').next() {
        Some("usr" | "var" | "opt" | "home") => 3,
        _ => 1,
    };
    let mut ends = path.match_indices('/').map(|(index, _)| index);
    match ends.nth(depth - 1) {
        Some(end) => &path[..end],
        None => path
            .rsplit_once('/')
            .map_or(path, |(directory, _)| directory),
    }
}
