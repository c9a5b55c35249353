//! `uv.lock`, where it is plain: one project whose packages all come from an index.
//!
//! uv itself can read all of its lock files; reading the common ones here spares a cold build to
//! fetch and start uv. Where anything is unusual there is no answer, and uv is asked.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::markers::Markers;
use super::selection::{Edge, Locked, Source, closure};
use crate::python::pinned::normalised;

/// The format that is understood; a later one may mean other things by the same words.
const VERSION: u32 = 1;

#[derive(Deserialize)]
struct Lock {
    version: u32,
    #[serde(default)]
    conflicts: Vec<toml::Value>,
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    name: String,
    version: Option<String>,
    source: BTreeMap<String, toml::Value>,
    #[serde(default)]
    dependencies: Vec<Dependency>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<Dependency>>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Vec<Dependency>>,
    sdist: Option<File>,
    #[serde(default)]
    wheels: Vec<File>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    version: Option<String>,
    #[serde(default)]
    extra: Vec<String>,
    marker: Option<String>,
}

#[derive(Deserialize)]
struct File {
    hash: Option<String>,
}

/// What is wanted of a lock file.
pub(super) struct Choice<'c> {
    /// The project's distribution, where the lock file has several.
    pub package: Option<&'c str>,
    /// Extras of the project.
    pub extras: &'c [String],
    /// Groups, none by default.
    pub groups: &'c [String],
}

/// Selects what a project needs, or `None` where uv has to.
pub(super) fn select(text: &str, choice: &Choice<'_>, markers: &Markers) -> Option<Vec<Locked>> {
    let lock: Lock = toml::from_str(text).ok()?;
    if lock.version != VERSION || !lock.conflicts.is_empty() {
        return None;
    }
    let (mut own, packages): (Vec<Package>, Vec<Package>) = lock
        .package
        .into_iter()
        .partition(|package| !package.source.contains_key("registry"));
    // Workspaces, and packages from elsewhere, are uv's.
    let project = own.pop().filter(|_| own.is_empty())?;
    let is_here = project.source.get("virtual").and_then(toml::Value::as_str) == Some(".");
    let is_meant = choice
        .package
        .is_none_or(|name| normalised(name) == normalised(&project.name));
    if !is_here || !is_meant {
        return None;
    }
    let mut roots = edges(&project.dependencies, markers)?;
    for (names, table) in [
        (choice.extras, &project.optional_dependencies),
        (choice.groups, &project.dev_dependencies),
    ] {
        for name in names {
            let mut named = table.iter();
            let found = named.find(|(known, _)| normalised(known) == normalised(name));
            roots.extend(edges(found?.1, markers)?);
        }
    }
    let packages: Vec<Locked> = packages
        .into_iter()
        .map(|package| locked(package, markers))
        .collect::<Option<_>>()?;
    let names: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let inner = packages.iter().flat_map(|package| &package.edges);
    if !roots
        .iter()
        .chain(inner)
        .all(|edge| names.contains(edge.name.as_str()))
    {
        return None;
    }
    let selected = closure(&packages, &roots, &[], markers).ok()?;
    // Each with its files, and none that the lock file lacks.
    selected
        .iter()
        .all(|package| !package.hashes.is_empty())
        .then_some(selected)
}

fn edges(dependencies: &[Dependency], markers: &Markers) -> Option<Vec<Edge>> {
    let edge = |dependency: &Dependency| {
        let marker = dependency.marker.clone();
        // Markers on extras speak of conflicts, in words of uv's own.
        let is_plain = marker
            .as_deref()
            .is_none_or(|text| !text.contains("extra") && markers.is_readable(text));
        is_plain.then(|| Edge {
            name: normalised(&dependency.name),
            versions: dependency.version.as_ref().map(|one| format!("=={one}")),
            extras: dependency.extra.iter().map(|one| normalised(one)).collect(),
            marker,
            only_with: Vec::new(),
        })
    };
    dependencies.iter().map(edge).collect()
}

fn locked(package: Package, markers: &Markers) -> Option<Locked> {
    let mut all = edges(&package.dependencies, markers)?;
    for (extra, dependencies) in &package.optional_dependencies {
        let with = edges(dependencies, markers)?;
        all.extend(with.into_iter().map(|edge| Edge {
            only_with: vec![normalised(extra)],
            ..edge
        }));
    }
    let files = package.sdist.into_iter().chain(package.wheels);
    Some(Locked {
        name: normalised(&package.name),
        version: package.version?,
        source: Source::Index { url: None },
        hashes: files.filter_map(|file| file.hash).collect(),
        marker: None,
        edges: all,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::interpreter::INTERPRETERS;
    use super::super::super::target::Target;
    use super::*;
    use crate::oci::Architecture;

    const LOCK: &str = "version = 1\nrevision = 3\nrequires-python = \">=3.11\"\n\
        [[package]]\nname = \"mine\"\nversion = \"0\"\nsource = { virtual = \".\" }\n\
        dependencies = [{ name = \"celery\", extra = [\"redis\"] },\n\
        { name = \"numpy\", version = \"1\", marker = \"python_full_version < '3.12'\" },\n\
        { name = \"numpy\", version = \"2\", marker = \"python_full_version >= '3.12'\" }]\n\
        [package.dev-dependencies]\ndev = [{ name = \"pytest\" }]\n\
        [[package]]\nname = \"celery\"\nversion = \"5\"\nsource = { registry = \"https://index.example\" }\n\
        dependencies = [{ name = \"colorama\", marker = \"sys_platform == 'win32'\" }]\n\
        wheels = [{ url = \"https://files.example/c\", hash = \"sha256:cc\" }]\n\
        [package.optional-dependencies]\nredis = [{ name = \"redis\" }]\nyaml = [{ name = \"pyyaml\" }]\n";

    fn package(name: &str, version: &str) -> String {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\
             source = {{ registry = \"https://index.example\" }}\n\
             sdist = {{ url = \"https://files.example/{name}\", hash = \"sha256:{name}{version}\" }}\n"
        )
    }

    fn lock() -> String {
        let others = [
            ("colorama", "1"),
            ("numpy", "1"),
            ("numpy", "2"),
            ("pytest", "1"),
            ("pyyaml", "1"),
            ("redis", "1"),
        ];
        let others = others.map(|(name, version)| package(name, version));
        format!("{LOCK}{}", others.concat())
    }

    fn selected(text: &str, groups: &[&str]) -> Option<Vec<String>> {
        let target = Target {
            interpreter: INTERPRETERS[0],
            architecture: Architecture::Amd64,
            host: Architecture::Amd64,
        };
        let groups: Vec<String> = groups.iter().map(|group| group.to_string()).collect();
        let choice = Choice {
            package: None,
            extras: &[],
            groups: &groups,
        };
        let found = select(text, &choice, &Markers::of(&target))?;
        Some(
            found
                .iter()
                .map(|one| format!("{}=={}", one.name, one.version))
                .collect(),
        )
    }

    #[test]
    fn what_markers_extras_and_groups_lead_to_is_selected() {
        let found = selected(&lock(), &[]).unwrap();
        assert_eq!(found, ["celery==5", "numpy==2", "redis==1"]);
        let found = selected(&lock(), &["dev"]).unwrap();
        assert!(found.contains(&"pytest==1".to_string()));
        assert_eq!(selected(&lock(), &["other"]), None, "uv says what is wrong");
    }

    #[test]
    fn anything_unusual_is_left_to_uv() {
        let plain = lock();
        for unusual in [
            plain.replace("version = 1\nrev", "version = 2\nrev"),
            plain.replace("{ virtual = \".\" }", "{ editable = \".\" }"),
            plain.replace("'win32'", "'win32' and extra == 'extra-4-mine-cpu'"),
            plain.clone()
                + "[[package]]\nname = \"tool\"\nversion = \"1\"\nsource = { git = \"https://git.example/tool#a\" }\n",
            plain.replace(", hash = \"sha256:cc\"", ""),
            format!("conflicts = [[{{ package = \"mine\", extra = \"cpu\" }}]]\n{plain}"),
            plain.replace(
                "[[package]]\nname = \"redis\"",
                "[[package]]\nname = \"rediss\"",
            ),
        ] {
            assert_eq!(selected(&unusual, &[]), None, "{unusual}");
        }
    }
}
