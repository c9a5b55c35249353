//! Components while an inventory is put together: from statements, over what they need, to a
//! sorted list without repetition.

use std::collections::{BTreeMap, HashMap};

use super::component::{Component, Ecosystem, go_purl, npm_purl, purl, python_purl};
use super::debian::DebianPackage;
use super::linked::Linked;
use super::scan::{Statement, joined};
use super::{System, node};

/// A component while it is put together.
#[derive(Debug)]
pub(super) struct Draft {
    pub component: Component,
    /// Names that it needs, as its ecosystem writes them.
    needs: Vec<String>,
    /// The directory of the file that states it.
    pub root: String,
}

impl Draft {
    fn new(
        ecosystem: Ecosystem,
        place: (usize, &str),
        name: &str,
        version: &str,
        purl: String,
    ) -> Self {
        let (layer, path) = place;
        Self {
            component: Component {
                ecosystem,
                name: name.to_owned(),
                version: version.to_owned(),
                purl,
                licence: None,
                layer,
                locations: vec![path.to_owned()],
                bytes: 0,
                checksums: Vec::new(),
                needs: Vec::new(),
                tags: Vec::new(),
                source: None,
            },
            needs: Vec::new(),
            root: path
                .rsplit_once('/')
                .map_or("", |(root, _)| root)
                .to_owned(),
        }
    }
}

/// The components that a statement in a file of a layer states.
pub(super) fn drafts(
    layer: usize,
    path: &str,
    statement: &Statement,
    system: &System,
) -> Vec<Draft> {
    let place = (layer, path);
    match statement {
        Statement::Debian(packages) => packages
            .iter()
            .map(|package| debian(place, package, system))
            .collect(),
        Statement::Python(found) => {
            let url = python_purl(&found.name, &found.version);
            let mut draft = Draft::new(Ecosystem::Python, place, &found.name, &found.version, url);
            draft.component.licence = found.licence.clone();
            draft.needs = found.needs.clone();
            vec![draft]
        }
        Statement::Node(found) => {
            let url = npm_purl(&found.name, &found.version);
            let mut draft = Draft::new(Ecosystem::Npm, place, &found.name, &found.version, url);
            draft.component.licence = found.licence.clone();
            draft.needs = found.needs.clone();
            vec![draft]
        }
        Statement::Go(version, modules) => {
            let mut drafts = linked(place, modules, Ecosystem::Go);
            let version = version.split(' ').next().unwrap_or_default();
            let version = version.strip_prefix("go").unwrap_or(version);
            let url = go_purl("stdlib", version);
            let library = Draft::new(Ecosystem::Go, place, "stdlib", version, url.clone());
            if let Some(program) = drafts.first_mut() {
                program.component.needs.push(url);
            }
            drafts.push(library);
            drafts
        }
        Statement::Rust(crates) => linked(place, crates, Ecosystem::Rust),
        Statement::Interpreter(found) => {
            let url = purl("generic", None, &found.name, &found.version, &[]);
            let (name, version) = (&found.name, &found.version);
            vec![Draft::new(Ecosystem::Program, place, name, version, url)]
        }
        Statement::DebianFiles(..)
        | Statement::DebianLicence(..)
        | Statement::Release(_)
        | Statement::PythonFiles(_)
        | Statement::PythonTags(_) => Vec::new(),
    }
}

fn debian(place: (usize, &str), package: &DebianPackage, system: &System) -> Draft {
    let upstream = match &package.source {
        Some((name, version)) if *version == package.version => name.clone(),
        Some((name, version)) => format!("{name}@{version}"),
        None => String::new(),
    };
    let (namespace, distribution) = match (system.id.as_str(), system.version.as_str()) {
        ("", _) => ("debian", String::new()),
        (id, "") => (id, id.to_owned()),
        (id, version) => (id, format!("{id}-{version}")),
    };
    let url = purl(
        "deb",
        Some(namespace),
        &package.name,
        &package.version,
        &[
            ("arch", &package.architecture),
            ("distro", &distribution),
            ("upstream", &upstream),
        ],
    );
    let mut draft = Draft::new(
        Ecosystem::Debian,
        place,
        &package.name,
        &package.version,
        url,
    );
    draft.needs = package.needs.clone();
    draft.component.source = package.source.clone();
    draft
}

fn linked(place: (usize, &str), entries: &[Linked], ecosystem: Ecosystem) -> Vec<Draft> {
    let url = |entry: &Linked| match ecosystem {
        Ecosystem::Go => go_purl(&entry.name, &entry.version),
        _ => purl("cargo", None, &entry.name, &entry.version, &[]),
    };
    entries
        .iter()
        .map(|entry| {
            let mut draft = Draft::new(ecosystem, place, &entry.name, &entry.version, url(entry));
            let needs = entry.needs.iter().filter_map(|index| entries.get(*index));
            draft.component.needs = needs.map(url).collect();
            draft
        })
        .collect()
}

/// Turns the names that components need into components of the image.
pub(super) fn connect(drafts: &mut [Draft]) {
    let mut by_name: HashMap<(Ecosystem, &str), &str> = HashMap::new();
    let mut by_root: HashMap<&str, &str> = HashMap::new();
    for draft in drafts.iter() {
        let component = &draft.component;
        by_name.insert(
            (component.ecosystem, &component.name),
            component.purl.as_str(),
        );
        if component.ecosystem == Ecosystem::Npm {
            by_root.insert(&draft.root, &component.purl);
        }
    }
    let found: Vec<Vec<String>> = drafts
        .iter()
        .map(|draft| {
            let ecosystem = draft.component.ecosystem;
            let needs = draft.needs.iter().filter_map(|name| match ecosystem {
                Ecosystem::Npm => nearest(&draft.root, name, &by_root),
                _ => by_name.get(&(ecosystem, name.as_str())).copied(),
            });
            needs.map(str::to_owned).collect()
        })
        .collect();
    for (draft, needs) in drafts.iter_mut().zip(found) {
        let component = &mut draft.component;
        component.needs.extend(needs);
        component.needs.retain(|need| *need != component.purl);
        component.needs.sort_unstable();
        component.needs.dedup();
    }
}

/// The package that Node finds under `name` from a package at `root`.
fn nearest<'a>(root: &str, name: &str, by_root: &HashMap<&str, &'a str>) -> Option<&'a str> {
    let own = joined(root, &format!("node_modules/{name}"));
    if let Some(found) = by_root.get(own.as_str()) {
        return Some(found);
    }
    // Beside it, and beside each package around it.
    let inside = format!("{root}/");
    let around = node::roots_of(&inside)
        .map(str::to_owned)
        .collect::<Vec<_>>();
    around.iter().find_map(|package| {
        let end = package.rfind("node_modules/")? + "node_modules/".len();
        by_root
            .get(format!("{}{name}", &package[..end]).as_str())
            .copied()
    })
}

/// One component for each package URL, sorted.
pub(super) fn merged(drafts: &[Draft]) -> Vec<Component> {
    let mut merged: BTreeMap<(Ecosystem, String, String), Component> = BTreeMap::new();
    for Draft { component, .. } in drafts {
        let component = component.clone();
        let key = (
            component.ecosystem,
            component.name.clone(),
            component.purl.clone(),
        );
        match merged.get_mut(&key) {
            None => {
                merged.insert(key, component);
            }
            Some(known) => {
                known.bytes += component.bytes;
                known.locations.extend(component.locations);
                known.needs.extend(component.needs);
                known.layer = known.layer.min(component.layer);
                known.licence = known.licence.take().or(component.licence);
            }
        }
    }
    let mut components: Vec<Component> = merged.into_values().collect();
    for component in &mut components {
        for list in [&mut component.locations, &mut component.needs] {
            list.sort_unstable();
            list.dedup();
        }
    }
    components
}
