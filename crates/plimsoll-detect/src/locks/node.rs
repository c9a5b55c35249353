//! Lock files of npm, pnpm, Yarn and Bun, held against `package.json`. They can be many megabytes long: of each only what
//! speaks of the manifest's own dependencies is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Span, Spanned};
use plimsoll_model::NodeManager;
use plimsoll_model::yaml;
use serde::Deserialize;

use super::{Strays, told};
use crate::document::Item;
use crate::node::Package;
use crate::places;
use crate::tree::Tree;

/// Which of several lock files of one directory is used, and why; told at each of the others.
pub(crate) fn chosen(tree: &Tree, package: &Package) -> Vec<Diagnostic> {
    let Some(used) = package
        .lock
        .as_ref()
        .filter(|lock| lock.parent() == Some(&*package.directory))
    else {
        return Vec::new();
    };
    let others = package.other_locks.iter();
    others
        .map(|other| {
            let used = places::text(used);
            let at = Span::line(tree.shown(other), 1);
            match (&package.declared_manager, &package.image_manager) {
                (Some(stated), _) => Diagnostic::note(format!(
                    "lies beside `{used}`, which is used since `packageManager` names `{}`",
                    stated.value
                ))
                .hint("drop the one that is not used"),
                (None, Some(stated)) => Diagnostic::note(format!(
                    "lies beside `{used}`, which is used since its Dockerfile installs with `{}`",
                    stated.value
                ))
                .hint("drop the one that is not used"),
                (None, None) => Diagnostic::warning(format!(
                    "lies beside `{used}`, which is used since it comes first and nothing says which"
                ))
                .hint("name one in `packageManager`, and drop the other file"),
            }
            .at(at)
        })
        .collect()
}

/// What a package declares and its lock file does not have.
/// `own` are the names of the tree's packages, which need no lock.
pub(crate) fn review(tree: &Tree, package: &Package, own: &BTreeSet<String>) -> Vec<Diagnostic> {
    let (Some(lock), Some(manager)) = (&package.lock, package.manager) else {
        return Vec::new();
    };
    let Some(text) = tree.manifest(lock) else {
        return Vec::new();
    };
    let member = places::below(&package.directory, lock.parent().unwrap_or(Path::new("")));
    // The package beside the lock file is called `` by npm and `.` by pnpm.
    let member = places::text(&member).trim_start_matches('.');
    let wanted: Vec<(&str, &Spanned<String>)> = package
        .dependencies
        .iter()
        .map(|(name, range, _)| (name.as_str(), range))
        .filter(|(name, range)| !is_local(&range.value) && !own.contains(*name))
        .collect();
    let (strays, make) = match manager {
        NodeManager::Npm => (
            npm(&text, member, &wanted),
            "npm install --package-lock-only",
        ),
        NodeManager::Pnpm => (pnpm(&text, member, &wanted), "pnpm install --lockfile-only"),
        NodeManager::Yarn => (yarn(&text, &wanted), "yarn install"),
        // Its older form is no text.
        NodeManager::Bun if lock.ends_with("bun.lockb") => return Vec::new(),
        NodeManager::Bun => (bun(&text, member, &wanted), "bun install --lockfile-only"),
    };
    if strays.is_empty() {
        return Vec::new();
    }
    let replaced = replaced(tree, package, lock);
    let strays = strays
        .into_iter()
        .filter(|(name, ..)| !replaced.iter().any(|one| one == name));
    let strays = strays.map(|(name, range, how)| {
        let what = match how {
            Strays::Lacks => name.to_owned(),
            Strays::Holds(_) => format!("{name} {}", range.value),
        };
        (range.clone().map(|_| what), how)
    });
    told(lock, strays.collect(), make)
}

type Wanted<'w> = [(&'w str, &'w Spanned<String>)];
type Strayed<'w> = Vec<(&'w str, &'w Spanned<String>, Strays)>;

/// Whether a range means something of the tree or of elsewhere, and no version of a registry.
fn is_local(range: &str) -> bool {
    range.contains("://")
        || range.split_once(':').is_some_and(|(word, _)| {
            matches!(
                word,
                "workspace" | "file" | "link" | "portal" | "patch" | "github" | "exec"
            )
        })
        || range.contains('/') && !range.starts_with("npm:")
}

/// Dependencies that the manifest beside the lock file puts others in the place of.
fn replaced(tree: &Tree, package: &Package, lock: &Path) -> Vec<String> {
    let root = lock.with_file_name("package.json");
    let manifests = [root.as_path(), &*package.path];
    let items = manifests
        .iter()
        .filter_map(|path| Item::json(&Arc::from(*path), tree.source(path)?));
    // `**/left-pad`, `left-pad@1`, `left-pad@>=1 <2`, `parent>left-pad`.
    let name = |pattern: &str| {
        let last = pattern.trim_start_matches("**/");
        let end = |text: &str| {
            text.char_indices()
                .skip(1)
                .find(|(_, c)| *c == '@')
                .map(|(at, _)| at)
        };
        let last = match (last.split_once('>'), end(last)) {
            (Some((before, child)), Some(at)) if before.len() < at => child,
            (Some((_, child)), None) => child,
            _ => last,
        };
        last[..end(last).unwrap_or(last.len())].to_owned()
    };
    let mut names = Vec::new();
    for item in items {
        for table in [&["overrides"][..], &["resolutions"], &["pnpm", "overrides"]] {
            names.extend(item.entries(table).iter().map(|(pattern, _)| name(pattern)));
        }
    }
    let workspace = lock.with_file_name("pnpm-workspace.yaml");
    let documents = tree
        .source(&workspace)
        .and_then(|text| yaml::parse(&text, tree.shown(&workspace)).ok());
    let overrides = documents
        .iter()
        .flatten()
        .find_map(|one| one.get("overrides")?.as_map());
    names.extend(
        overrides
            .into_iter()
            .flat_map(|map| map.iter())
            .map(|(key, _)| name(&key.text)),
    );
    names
}

#[derive(Deserialize)]
struct NpmLock {
    #[serde(default)]
    packages: BTreeMap<String, NpmPackage>,
    #[serde(default)]
    dependencies: BTreeMap<String, NpmPackage>,
}

#[derive(Deserialize)]
struct NpmPackage {
    version: Option<String>,
}

fn npm<'w>(text: &str, member: &str, wanted: &Wanted<'w>) -> Strayed<'w> {
    let Ok(lock) = serde_json::from_str::<NpmLock>(text) else {
        return Vec::new();
    };
    // What is not listed is no member.
    if !lock.packages.is_empty() && !lock.packages.contains_key(member) {
        return Vec::new();
    }
    if lock.packages.is_empty() && lock.dependencies.is_empty() {
        return Vec::new();
    }
    let find = |name: &str| {
        let below = format!("{member}/node_modules/{name}");
        lock.packages
            .get(below.trim_start_matches('/'))
            .or_else(|| lock.packages.get(&format!("node_modules/{name}")))
            .or_else(|| lock.dependencies.get(name))
    };
    let strays = wanted.iter().filter_map(|(name, range)| {
        let how = match find(name) {
            None => Strays::Lacks,
            Some(package) => {
                let version = package.version.as_deref()?;
                (!keeps(version, &range.value))
                    .then(|| Strays::Holds(format!("holds {version}")))?
            }
        };
        Some((*name, *range, how))
    });
    strays.collect()
}

/// Whether a version keeps to a range as npm reads it.
fn keeps(version: &str, range: &str) -> bool {
    let Ok(version) = semver::Version::parse(version) else {
        return true;
    };
    range.split("||").any(|part| {
        let words: Vec<&str> = part.split_whitespace().collect();
        let range: Vec<String> = words
            .iter()
            .map(
                |word| match word.starts_with(|c: char| c.is_ascii_digit()) {
                    // Without a sign it is this one, be it without its last parts.
                    true => format!("={word}"),
                    false => word.trim_start_matches('v').to_owned(),
                },
            )
            .collect();
        match semver::VersionReq::parse(&range.join(", ")) {
            Ok(range) => range.matches(&version),
            // A tag, or a form that is not understood.
            Err(_) => true,
        }
    })
}

/// The ranges that `pnpm-lock.yaml` was made for, of the member whose directory is `member`: its lines are always laid
/// out alike.
fn pnpm_ranges(text: &str, member: &str) -> Option<BTreeMap<String, String>> {
    let unquoted = |text: &str| text.trim().trim_matches(['\'', '"']).to_owned();
    let member = if member.is_empty() { "." } else { member };
    let mut ranges = BTreeMap::new();
    let (mut inside, mut own) = (false, false);
    let mut name = String::new();
    let mut seen = false;
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let Some((key, value)) = line.trim_end().split_once(": ").or_else(|| {
            let key = line.trim_end().strip_suffix(':')?;
            Some((key, ""))
        }) else {
            continue;
        };
        match depth {
            0 if inside => break,
            0 => inside = key == "importers",
            2 if inside => {
                own = unquoted(key) == member;
                seen |= own;
            }
            6 if own => name = unquoted(key),
            8 if own && key.trim() == "specifier" => {
                ranges.insert(std::mem::take(&mut name), unquoted(value));
            }
            _ => {}
        }
    }
    seen.then_some(ranges)
}

fn pnpm<'w>(text: &str, member: &str, wanted: &Wanted<'w>) -> Strayed<'w> {
    match pnpm_ranges(text, member) {
        Some(ranges) => made_for(&ranges, wanted),
        None => Vec::new(),
    }
}

/// The ranges that `bun.lock` was made for, of the member whose directory is `member`.
fn bun<'w>(text: &str, member: &str, wanted: &Wanted<'w>) -> Strayed<'w> {
    let file: Arc<Path> = Arc::from(Path::new("bun.lock"));
    let Some(lock) = Item::json(&file, text.to_owned()) else {
        return Vec::new();
    };
    // What is not listed is no member.
    let Some(own) = lock.get(&["workspaces", member]) else {
        return Vec::new();
    };
    let tables = [
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
    ];
    let ranges = tables
        .iter()
        .flat_map(|table| own.entries(&[table]))
        .filter_map(|(name, range)| Some((name.clone(), range.as_text()?.to_owned())))
        .collect();
    made_for(&ranges, wanted)
}

/// What is wanted in other ranges than a lock file was made for.
fn made_for<'w>(ranges: &BTreeMap<String, String>, wanted: &Wanted<'w>) -> Strayed<'w> {
    let strays = wanted.iter().filter_map(|(name, range)| {
        let how = match ranges.get(*name) {
            None => Strays::Lacks,
            Some(made_for) if *made_for != range.value => {
                Strays::Holds(format!("was made for `{made_for}`"))
            }
            Some(_) => return None,
        };
        Some((*name, *range, how))
    });
    strays.collect()
}

fn yarn<'w>(text: &str, wanted: &Wanted<'w>) -> Strayed<'w> {
    let mut ranges: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let heads = text
        .lines()
        .filter_map(|line| line.trim_end().strip_suffix(':'));
    for head in heads.filter(|head| !head.starts_with([' ', '#']) && *head != "__metadata") {
        for pattern in head.split(", ") {
            let pattern = pattern.trim_matches('"');
            let Some(at) = pattern.char_indices().skip(1).find(|(_, c)| *c == '@') else {
                continue;
            };
            let (name, range) = pattern.split_at(at.0);
            let range = range[1..].trim_start_matches("npm:").to_owned();
            ranges.entry(name.to_owned()).or_default().push(range);
        }
    }
    if ranges.is_empty() {
        return Vec::new();
    }
    let strays = wanted.iter().filter_map(|(name, range)| {
        let how = match ranges.get(*name) {
            None => Strays::Lacks,
            // Packages of the workspace itself, and what a catalog says, stand for any range.
            Some(known) if known.iter().any(|one| one.contains(':')) => return None,
            Some(known)
                if !known
                    .iter()
                    .any(|one| *one == range.value.trim_start_matches("npm:")) =>
            {
                Strays::Holds(format!("was made for `{}`", known.join("` and `")))
            }
            Some(_) => return None,
        };
        Some((*name, *range, how))
    });
    strays.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_kept_as_npm_reads_them() {
        for (version, range, wanted) in [
            ("4.18.2", "^4.17.0", true),
            ("5.0.0", "^4.17.0", false),
            ("1.2.3", "1.2.3", true),
            ("1.2.4", "1.2.3", false),
            ("1.2.4", "1.2", true),
            ("2.1.0", "^1 || ^2", true),
            ("1.5.0", ">=1.2 <2", true),
            ("2.0.0", ">=1.2 <2", false),
            ("9.9.9", "latest", true),
            ("9.9.9", "*", true),
            ("1.5.0", "1.x", true),
            ("1.5.0", "1.0.0 - 2.0.0", true),
        ] {
            assert_eq!(keeps(version, range), wanted, "{version} {range}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[a-z@:'\", ./{}\\[\\]^0-9\n#é-]{0,300}") {
            let range = Spanned::unplaced("^1".to_owned());
            let wanted = [("a", &range)];
            npm(&text, "", &wanted);
            pnpm(&format!("importers:\n  .:\n{text}"), "", &wanted);
            bun(&format!("{{\"workspaces\":{{\"\":{text}}}}}"), "", &wanted);
            yarn(&text, &wanted);
            keeps("1.2.3", &text);
        }
    }
}
