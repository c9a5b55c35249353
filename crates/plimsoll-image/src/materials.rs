//! What a project's lock files say that a build uses: packages by URL, with the digests that the
//! locks state. For provenance, and for checksums in software bills.
//!
//! Lock files are read here for names, versions and digests only; whether they are right is the
//! builders' business, so that what cannot be read is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plimsoll_model::{BuildRecipe, PythonDependencies, RecipeKind, text_of};
use serde::Deserialize;

use crate::inventory::{Ecosystem, Inventory, go_purl, npm_purl, purl, python, python_purl};
use crate::provenance::Material;

/// The packages of a recipe's lock files. Of Python's only those that are in the image, as the
/// file that was chosen for its processor.
pub fn locked_materials(recipe: &BuildRecipe, inventory: &Inventory) -> BTreeSet<Material> {
    let text = |path: &Path| text_of(fs_err::read(recipe.context.join(path)).unwrap_or_default());
    let mut used = match &recipe.kind {
        RecipeKind::Python(found) => match &found.dependencies {
            PythonDependencies::UvLock { lock, .. } => of_uv_lock(&text(lock), inventory),
            PythonDependencies::Requirements { files } => files
                .iter()
                .flat_map(|file| of_requirements(&text(file)))
                .collect(),
            _ => BTreeSet::new(),
        },
        RecipeKind::StaticSite(site) => site
            .lock
            .as_deref()
            .map_or_else(BTreeSet::new, |lock| of_node_lock(lock, &text(lock))),
        RecipeKind::NodeServer(server) => server
            .lock
            .as_deref()
            .map_or_else(BTreeSet::new, |lock| of_node_lock(lock, &text(lock))),
        RecipeKind::Go(program) => of_go_sum(&text(&program.root.join("go.sum"))),
        RecipeKind::Rust(program) => of_cargo_lock(&text(&program.root.join("Cargo.lock"))),
        RecipeKind::Dockerfile(_) => BTreeSet::new(),
    };
    for pages in &recipe.pages {
        if let Some(lock) = &pages.site.lock {
            let text = fs_err::read_to_string(pages.context.join(lock)).unwrap_or_default();
            used.extend(of_node_lock(lock, &text));
        }
    }
    used
}

#[derive(Deserialize)]
struct TomlLock {
    #[serde(default)]
    package: Vec<TomlPackage>,
}

#[derive(Deserialize)]
struct TomlPackage {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    checksum: Option<String>,
    #[serde(default)]
    wheels: Vec<TomlFile>,
    #[serde(default)]
    sdist: Option<TomlFile>,
}

#[derive(Deserialize)]
struct TomlFile {
    #[serde(default)]
    url: String,
    #[serde(default)]
    filename: Option<String>,
    #[serde(default)]
    hash: Option<String>,
}

impl TomlFile {
    fn name(&self) -> &str {
        let last = self.url.rsplit('/').next().unwrap_or_default();
        self.filename.as_deref().unwrap_or(last)
    }

    fn sha256(&self) -> Option<&str> {
        self.hash.as_deref()?.strip_prefix("sha256:")
    }
}

fn of_uv_lock(text: &str, inventory: &Inventory) -> BTreeSet<Material> {
    let Ok(lock) = toml::from_str::<TomlLock>(text) else {
        return BTreeSet::new();
    };
    let installed: BTreeMap<(&str, &str), &Vec<String>> = inventory
        .components
        .iter()
        .filter(|entry| entry.ecosystem == Ecosystem::Python)
        .map(|entry| ((entry.name.as_str(), entry.version.as_str()), &entry.tags))
        .collect();
    let mut materials = BTreeSet::new();
    for package in &lock.package {
        let name = python::normalised(&package.name);
        let Some(tags) = installed.get(&(name.as_str(), package.version.as_str())) else {
            continue;
        };
        let chosen = package
            .wheels
            .iter()
            .find(|wheel| is_of(wheel.name(), tags))
            .or(package.sdist.as_ref());
        if let Some(hex) = chosen.and_then(TomlFile::sha256) {
            let url = python_purl(&name, &package.version);
            materials.insert(Material::new(url, "sha256", hex));
        }
    }
    materials
}

/// Whether a wheel's name stands for exactly these tags: `py2.py3-none-any` for two.
fn is_of(file: &str, tags: &[String]) -> bool {
    let Some(stem) = file.strip_suffix(".whl") else {
        return false;
    };
    let mut parts = stem.rsplitn(4, '-');
    let (Some(platforms), Some(abis), Some(pythons)) = (parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let mut expanded = Vec::new();
    for python in pythons.split('.') {
        for abi in abis.split('.') {
            for platform in platforms.split('.') {
                expanded.push(format!("{python}-{abi}-{platform}"));
            }
        }
    }
    !tags.is_empty() && tags.iter().all(|tag| expanded.contains(tag))
}

/// Requirements with exactly one hash: of several, the lock does not say which was taken.
fn of_requirements(text: &str) -> BTreeSet<Material> {
    let joined = text.replace("\\\n", " ");
    let mut materials = BTreeSet::new();
    for line in joined.lines() {
        let line = line.split(" #").next().unwrap_or_default();
        let hashes: Vec<&str> = line
            .split("--hash=sha256:")
            .skip(1)
            .filter_map(|rest| rest.split_whitespace().next())
            .collect();
        let requirement = line.split([';', ' ']).next().unwrap_or_default();
        if let ([hash], Some((name, version))) = (hashes.as_slice(), requirement.split_once("==")) {
            let name = python::normalised(name.split('[').next().unwrap_or(name));
            materials.insert(Material::new(python_purl(&name, version), "sha256", *hash));
        }
    }
    materials
}

fn of_node_lock(path: &Path, text: &str) -> BTreeSet<Material> {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("package-lock.json" | "npm-shrinkwrap.json") => of_npm_lock(text),
        Some("pnpm-lock.yaml") => of_lines(text, |line| {
            // `  '@scope/name@1.2.3':`, or `  /name@1.2.3:` of older versions.
            let key = line.strip_prefix("  ")?.strip_suffix(':')?;
            let key = key.trim_matches(['\'', '"']).trim_start_matches('/');
            (!key.starts_with(' ')).then_some(())?;
            let key = key.split('(').next()?;
            let at = key.rfind('@').filter(|at| *at > 0)?;
            Some((key[..at].to_owned(), key[at + 1..].to_owned()))
        }),
        Some("yarn.lock") => of_yarn_lock(text),
        _ => BTreeSet::new(),
    }
}

fn of_npm_lock(text: &str) -> BTreeSet<Material> {
    let Ok(lock) = serde_json::from_str::<serde_json::Value>(text) else {
        return BTreeSet::new();
    };
    let packages = lock
        .get("packages")
        .and_then(|packages| packages.as_object());
    packages
        .into_iter()
        .flatten()
        .filter_map(|(path, entry)| {
            let (_, placed) = path.rsplit_once("node_modules/")?;
            let name = entry.get("name").and_then(|name| name.as_str());
            let version = entry.get("version")?.as_str()?;
            let integrity = entry.get("integrity")?.as_str()?;
            material(name.unwrap_or(placed), version, integrity)
        })
        .collect()
}

/// Locks where an entry's key stands on a line before its `integrity`.
fn of_lines(text: &str, key_of: impl Fn(&str) -> Option<(String, String)>) -> BTreeSet<Material> {
    let mut current: Option<(String, String)> = None;
    let mut materials = BTreeSet::new();
    for line in text.lines() {
        if let Some(found) = key_of(line) {
            current = Some(found);
        } else if let Some((_, rest)) = line.split_once("integrity: ")
            && let Some((name, version)) = &current
        {
            let integrity = rest.split([',', '}', ' ']).next().unwrap_or_default();
            materials.extend(material(name, version, integrity));
        }
    }
    materials
}

fn of_yarn_lock(text: &str) -> BTreeSet<Material> {
    let (mut name, mut version) = (String::new(), String::new());
    let mut materials = BTreeSet::new();
    for line in text.lines() {
        if !line.starts_with([' ', '#']) && line.ends_with(':') {
            let first = line
                .trim_end_matches(':')
                .split(',')
                .next()
                .unwrap_or_default();
            let first = first.trim().trim_matches('"');
            let at = first.rfind('@').filter(|at| *at > 0);
            name = at.map_or(first, |at| &first[..at]).to_owned();
        } else if let Some(stated) = line.strip_prefix("  version ") {
            version = stated.trim_matches('"').to_owned();
        } else if let Some(integrity) = line.strip_prefix("  integrity ") {
            materials.extend(material(&name, &version, integrity.trim()));
        }
    }
    materials
}

/// `sha512-BASE64` as hexadecimal digits.
fn material(name: &str, version: &str, integrity: &str) -> Option<Material> {
    let (algorithm, digest) = integrity.split_whitespace().next()?.split_once('-')?;
    let bytes = STANDARD.decode(digest).ok()?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(Material::new(npm_purl(name, version), algorithm, hex))
}

fn of_go_sum(text: &str) -> BTreeSet<Material> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (module, version, sum) = (fields.next()?, fields.next()?, fields.next()?);
            let bytes = STANDARD.decode(sum.strip_prefix("h1:")?).ok()?;
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            (!version.ends_with("/go.mod"))
                .then(|| Material::new(go_purl(module, version), "dirHash1", hex))
        })
        .collect()
}

fn of_cargo_lock(text: &str) -> BTreeSet<Material> {
    let Ok(lock) = toml::from_str::<TomlLock>(text) else {
        return BTreeSet::new();
    };
    lock.package
        .iter()
        .filter_map(|package| {
            let url = purl("cargo", None, &package.name, &package.version, &[]);
            Some(Material::new(url, "sha256", package.checksum.as_ref()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(materials: &BTreeSet<Material>) -> Vec<String> {
        let mut lines = Vec::new();
        for material in materials {
            for (algorithm, hex) in &material.digests {
                lines.push(format!("{} {algorithm}:{hex}", material.uri));
            }
        }
        lines
    }

    #[test]
    fn a_wheel_is_told_by_its_tags() {
        let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
        assert!(is_of(
            "six-1.0-py2.py3-none-any.whl",
            &tags(&["py2-none-any", "py3-none-any"])
        ));
        let native = "a-1-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl";
        assert!(is_of(native, &tags(&["cp313-cp313-manylinux_2_17_x86_64"])));
        assert!(!is_of(native, &tags(&["cp313-cp313-musllinux_1_2_x86_64"])));
        assert!(!is_of("a-1.tar.gz", &tags(&["py3-none-any"])));
    }

    #[test]
    fn locks_of_node_state_digests() {
        let npm = r#"{"packages":{"":{"name":"x"},"node_modules/@s/a":{"version":"1.0.0","integrity":"sha512-AAEC"}}}"#;
        let pnpm = "packages:\n\n  '@s/a@1.0.0':\n    resolution: {integrity: sha512-AAEC}\n";
        let yarn = "\"@s/a@^1.0.0\":\n  version \"1.0.0\"\n  integrity sha512-AAEC\n";
        for (file, text) in [
            ("package-lock.json", npm),
            ("pnpm-lock.yaml", pnpm),
            ("yarn.lock", yarn),
        ] {
            let found = of_node_lock(Path::new(file), text);
            assert_eq!(
                shown(&found),
                ["pkg:npm/%40s/a@1.0.0 sha512:000102"],
                "{file}"
            );
        }
    }

    #[test]
    fn other_locks_state_digests() {
        let requirements = "a[x]==1.0 ; python_version > '3' \\\n    --hash=sha256:ab\nb==2 --hash=sha256:1 --hash=sha256:2\n";
        assert_eq!(
            shown(&of_requirements(requirements)),
            ["pkg:pypi/a@1.0 sha256:ab"]
        );
        let sum = "example.org/a v1.0.0 h1:AAEC\nexample.org/a v1.0.0/go.mod h1:AAEC\n";
        assert_eq!(
            shown(&of_go_sum(sum)),
            ["pkg:golang/example.org/a@v1.0.0 dirHash1:000102"]
        );
        let cargo = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"ab\"\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n";
        assert_eq!(
            shown(&of_cargo_lock(cargo)),
            ["pkg:cargo/a@1.0.0 sha256:ab"]
        );
    }
}
