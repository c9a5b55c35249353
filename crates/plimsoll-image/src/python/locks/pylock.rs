//! `pylock.toml`, the format that all managers can write.

use toml::Value;

use super::document::text;
use super::markers::Markers;
use super::selection::{Locked, Source};
use super::{File, Wanted};
use crate::python::PythonError;
use crate::python::pinned::normalised;

/// Selects the packages whose markers hold.
pub(super) fn select(
    lock: &File<'_>,
    wanted: &Wanted<'_>,
    markers: &Markers,
) -> Result<Vec<Locked>, PythonError> {
    let document = lock.toml()?;
    let packages = document.get("packages").and_then(Value::as_array);
    let mut selected = Vec::new();
    for package in packages.into_iter().flatten() {
        let holds = text(package, "marker")
            .is_none_or(|marker| markers.hold(&settled(marker, wanted), wanted.extras));
        if holds && let Some(locked) = locked(package) {
            selected.push(locked);
        }
    }
    Ok(selected)
}

/// `'x' in extras` and `'x' in dependency_groups`, which older readers of markers do not know, put
/// as something that is true or false.
fn settled(marker: &str, wanted: &Wanted<'_>) -> String {
    let mut text = marker.to_string();
    for (list, chosen) in [
        (" in extras", wanted.extras),
        (" in dependency_groups", wanted.groups),
    ] {
        while let Some(at) = text.find(list) {
            let before = &text[..at];
            let Some(quote) = before.chars().last().filter(|c| matches!(c, '"' | '\'')) else {
                break;
            };
            let inside = &before[..before.len() - 1];
            let Some(start) = inside.rfind(quote) else {
                break;
            };
            let name = normalised(&inside[start + 1..]);
            let value = match chosen.iter().any(|one| normalised(one) == name) {
                true => "os_name == 'posix'",
                false => "os_name != 'posix'",
            };
            text.replace_range(start..at + list.len(), value);
        }
    }
    text
}

fn locked(package: &Value) -> Option<Locked> {
    let own = |key: &str| text(package, key).map(str::to_string);
    let hash_of = |file: &Value| {
        let hash = text(file.get("hashes")?, "sha256")?;
        Some(format!("sha256:{hash}"))
    };
    let wheels = package.get("wheels").and_then(Value::as_array);
    let files = wheels.into_iter().flatten().chain(package.get("sdist"));
    let mut hashes: Vec<String> = files.filter_map(hash_of).collect();
    let source = if let Some(vcs) = package.get("vcs") {
        Source::Git {
            url: text(vcs, "url")?.to_string(),
            commit: text(vcs, "commit-id")?.to_string(),
            subdirectory: text(vcs, "subdirectory").map(str::to_string),
        }
    } else if let Some(directory) = package.get("directory") {
        Source::Directory {
            path: text(directory, "path")?.to_string(),
        }
    } else if let Some(archive) = package.get("archive") {
        hashes.extend(hash_of(archive));
        Source::Address {
            url: text(archive, "url")?.to_string(),
        }
    } else {
        // Files are found by their hashes in the machine's own index.
        Source::Index { url: None }
    };
    Some(Locked {
        name: normalised(text(package, "name")?),
        version: own("version").unwrap_or_default(),
        source,
        hashes,
        marker: None,
        edges: Vec::new(),
    })
}
