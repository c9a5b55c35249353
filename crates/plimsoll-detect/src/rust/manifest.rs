//! `Cargo.toml` and `Cargo.lock`: which packages and programs a tree holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_diag::Span;
use toml::{Table, Value};

use crate::places;
use crate::tree::Tree;

/// A crate that a package depends on.
#[derive(Debug, Clone)]
pub(super) struct Dependency {
    /// Its name in the registry.
    pub package: String,
    /// The versions that fit, where a registry is asked for it.
    pub version: Option<String>,
    pub features: Vec<String>,
    /// The directory in the tree that it is taken from.
    pub path: Option<PathBuf>,
    pub span: Span,
}

/// A program of a package.
#[derive(Debug, Clone)]
pub(super) struct Binary {
    pub name: String,
    /// Its root file.
    pub path: PathBuf,
    /// Features without which it is not built.
    pub features: Vec<String>,
}

/// A package of the tree.
#[derive(Debug, Clone)]
pub(super) struct Package {
    /// The directory of its `Cargo.toml`.
    pub root: PathBuf,
    pub name: String,
    /// The root file of its library.
    pub library: Option<PathBuf>,
    /// What sources call the library.
    pub library_name: String,
    pub binaries: Vec<Binary>,
    /// Dependencies by the name that sources know them by.
    pub dependencies: BTreeMap<String, Dependency>,
    /// The directory of its workspace.
    pub workspace: PathBuf,
    /// The directory that has all it is built from.
    pub context: PathBuf,
    /// The oldest Rust it says it builds with.
    pub rust_version: Option<String>,
}

/// How a source spells the name of a package.
pub(super) fn in_sources(name: &str) -> String {
    name.replace('-', "_")
}

/// The packages of a tree.
pub(super) fn packages(tree: &Tree) -> Vec<Package> {
    let manifests: BTreeMap<PathBuf, (Table, String)> = tree
        .files()
        .iter()
        .filter(|file| file.path.ends_with("Cargo.toml"))
        .filter_map(|file| {
            let text = tree.manifest(&file.path)?;
            let table = text.parse().ok()?;
            Some((file.path.parent()?.to_owned(), (table, text)))
        })
        .collect();
    manifests
        .iter()
        .filter_map(|(root, (table, text))| read(tree, root, table, text, &manifests))
        .collect()
}

fn read(
    tree: &Tree,
    root: &Path,
    table: &Table,
    text: &str,
    manifests: &BTreeMap<PathBuf, (Table, String)>,
) -> Option<Package> {
    let package = table.get("package")?.as_table()?;
    let name = package.get("name")?.as_str()?.to_owned();
    let above = root
        .ancestors()
        .find(|above| {
            let found = manifests.get(*above);
            let workspace = found.and_then(|(table, _)| table.get("workspace"));
            let left_out = workspace
                .and_then(|workspace| workspace.get("exclude")?.as_array())
                .is_some_and(|left_out| {
                    left_out
                        .iter()
                        .filter_map(|path| places::within(above, path.as_str()?))
                        .any(|path| root.starts_with(path))
                });
            workspace.is_some() && !left_out
        })
        .unwrap_or(root);
    let shared = manifests
        .get(above)
        .and_then(|(table, _)| table.get("workspace"));
    let file = tree.shown(&root.join("Cargo.toml"));
    let line_of = |name: &str| {
        let found = text.lines().position(|line| {
            let line = line.trim_start();
            line.strip_prefix(name)
                .is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
                || line.ends_with(&format!("dependencies.{name}]"))
        });
        Span::line(file.clone(), found.map_or(1, |index| index as u32 + 1))
    };
    let mut dependencies = BTreeMap::new();
    for (key, value) in dependency_tables(table) {
        let inherited = value
            .get("workspace")
            .and_then(|_| shared?.get("dependencies")?.get(key));
        let stated = [Some(value), inherited];
        let field = |name: &str| stated.iter().flatten().find_map(|value| value.get(name));
        let path = value
            .get("path")
            .and_then(Value::as_str)
            .and_then(|path| places::within(root, path))
            .or_else(|| places::within(above, inherited?.get("path")?.as_str()?));
        let features = stated
            .iter()
            .flatten()
            .filter_map(|value| value.get("features")?.as_array())
            .flatten()
            .filter_map(|feature| feature.as_str().map(str::to_owned))
            .collect();
        let renamed = field("package").and_then(Value::as_str);
        dependencies.insert(
            in_sources(key),
            Dependency {
                package: renamed.unwrap_or(key).to_owned(),
                version: stated.iter().flatten().find_map(|value| {
                    let version = value.as_str().or_else(|| value.get("version")?.as_str());
                    version.map(str::to_owned)
                }),
                features,
                path,
                span: line_of(key),
            },
        );
    }
    let mut context = above.to_owned();
    for path in dependencies.values().filter_map(|one| one.path.as_ref()) {
        if !path.starts_with(&context) {
            context = places::common(&context, path);
        }
    }
    let library = table
        .get("lib")
        .and_then(|library| library.get("path")?.as_str())
        .and_then(|path| places::within(root, path))
        .or_else(|| Some(root.join("src/lib.rs")))
        .filter(|path| tree.has_file(path));
    let rust_version = package.get("rust-version").and_then(|version| {
        let shared = || shared?.get("package")?.get("rust-version")?.as_str();
        version.as_str().or_else(shared).map(str::to_owned)
    });
    let library_name = table
        .get("lib")
        .and_then(|library| library.get("name")?.as_str())
        .unwrap_or(&name);
    Some(Package {
        library_name: in_sources(library_name),
        binaries: binaries(tree, root, table, package, &name),
        root: root.to_owned(),
        name,
        library,
        dependencies,
        workspace: above.to_owned(),
        context,
        rust_version,
    })
}

/// Dependencies for Linux, of the build left out.
fn dependency_tables(table: &Table) -> Vec<(&String, &Value)> {
    let own = table.get("dependencies").and_then(Value::as_table);
    let targets = table.get("target").and_then(Value::as_table);
    let of_targets = targets.into_iter().flatten().filter_map(|(rule, target)| {
        let elsewhere = ["windows", "macos", "wasm"];
        let counts = rule.contains("not(") || !elsewhere.iter().any(|word| rule.contains(word));
        counts
            .then(|| target.get("dependencies")?.as_table())
            .flatten()
    });
    own.into_iter().chain(of_targets).flatten().collect()
}

/// The programs of a package: those it states, and those that stand where cargo looks for them.
fn binaries(tree: &Tree, root: &Path, table: &Table, package: &Table, name: &str) -> Vec<Binary> {
    let mut found: Vec<Binary> = Vec::new();
    let stated = table.get("bin").and_then(Value::as_array);
    for entry in stated.into_iter().flatten() {
        let Some(own) = entry.get("name").and_then(Value::as_str) else {
            continue;
        };
        let usual = [
            format!("src/bin/{own}.rs"),
            format!("src/bin/{own}/main.rs"),
            "src/main.rs".to_owned(),
        ];
        let path = match entry.get("path").and_then(Value::as_str) {
            Some(path) => places::within(root, path),
            None => usual
                .iter()
                .map(|path| root.join(path))
                .find(|path| tree.has_file(path)),
        };
        let features = entry.get("required-features").and_then(Value::as_array);
        if let Some(path) = path.filter(|path| tree.has_file(path)) {
            found.push(Binary {
                name: own.to_owned(),
                path,
                features: features
                    .into_iter()
                    .flatten()
                    .filter_map(|feature| feature.as_str().map(str::to_owned))
                    .collect(),
            });
        }
    }
    if package.get("autobins").and_then(Value::as_bool) == Some(false) {
        return found;
    }
    let mut add = |name: String, path: PathBuf| {
        let known = found.iter().any(|one| one.name == name || one.path == path);
        if !known {
            found.push(Binary {
                name,
                path,
                features: Vec::new(),
            });
        }
    };
    let main = root.join("src/main.rs");
    if tree.has_file(&main) {
        add(name.to_owned(), main);
    }
    let directory = root.join("src/bin");
    for file in tree.files() {
        let Ok(rest) = file.path.strip_prefix(&directory) else {
            continue;
        };
        let text = places::text(rest);
        let own = text.strip_suffix("/main.rs").or(text.strip_suffix(".rs"));
        if let Some(own) = own.filter(|own| !own.contains('/')) {
            add(own.to_owned(), file.path.to_path_buf());
        }
    }
    found
}

/// The version of a crate that a lock file settles.
pub(super) fn locked(tree: &Tree, workspace: &Path, name: &str) -> Option<String> {
    let text = tree.manifest(&workspace.join("Cargo.lock"))?;
    let mut lines = text.lines();
    let wanted = format!("name = \"{name}\"");
    lines.find(|line| *line == wanted)?;
    let version = lines.next()?.strip_prefix("version = \"")?;
    Some(version.trim_end_matches('"').to_owned())
}
