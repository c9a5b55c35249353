//! Projects without a lock file: where their packages are installed, and as of when.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fs_err as fs;
use plimsoll_model::NodeWorkspace;
use serde_json::Value;

use super::project::manifest;

/// Where the packages of the project in `root` are installed, below the context: in the workspace around it.
pub(super) fn installed_in(context: &Path, root: &Path) -> PathBuf {
    let around = root.ancestors().skip(1).find(|above| {
        let place = root.strip_prefix(above).unwrap_or(root);
        workspace(&context.join(above)).has_member(place)
    });
    around.unwrap_or(root).to_path_buf()
}

/// The workspace that a directory is the root of.
fn workspace(directory: &Path) -> NodeWorkspace {
    if let Ok(text) = fs::read_to_string(directory.join("pnpm-workspace.yaml")) {
        return NodeWorkspace::of_pnpm(&text);
    }
    let manifest = manifest(directory).unwrap_or_default();
    let stated = ["/workspaces", "/workspaces/packages"].into_iter();
    let lists = stated.filter_map(|place| manifest.pointer(place)?.as_array());
    NodeWorkspace::of_patterns(lists.flatten().filter_map(Value::as_str))
}

/// The version of the manager that a project wants, its first number: `4` of `yarn@4.6.0`.
pub(super) fn version(directory: &Path) -> Option<u32> {
    let manifest = manifest(directory).unwrap_or_default();
    let stated = manifest.get("packageManager").and_then(Value::as_str);
    let stated = stated.and_then(|text| text.split_once('@')?.1.split('.').next()?.parse().ok());
    // Only a Yarn since 2 reads such a file, or knows what others of a workspace are wanted by.
    let modern =
        || directory.join(".yarnrc.yml").is_file() || stated.is_none() && is_workspace(&manifest);
    stated.or_else(|| modern().then_some(4))
}

fn is_workspace(manifest: &Value) -> bool {
    manifest.get("workspaces").is_some()
}

/// How long ago a moment (`2026-11-20T23:59:59Z`) was.
pub(super) fn age(moment: &str) -> Option<Duration> {
    let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds(moment)?);
    SystemTime::now().duration_since(moment).ok()
}

/// Seconds since 1970.
fn seconds(moment: &str) -> Option<u64> {
    let (date, time) = moment.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, separator| -> Option<Vec<u64>> {
        text.split(separator)
            .map(|part| part.parse().ok())
            .collect()
    };
    let [year, month, day] = numbers(date, '-')?.try_into().ok()?;
    let [hour, minute, second] = numbers(time, ':')?.try_into().ok()?;
    // The year begins in March, so that its last day is the one that comes and goes.
    let (year, month) = match month {
        1 | 2 => (year.checked_sub(1)?, month + 9),
        3..=12 => (year, month - 3),
        _ => return None,
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5;
    let days = (days + day).checked_sub(719_469)?;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_installed_with_its_workspace_by_what_that_wants() {
        let root = tempfile::tempdir().unwrap();
        let context = root.path();
        fs::create_dir_all(context.join("apps/api")).unwrap();
        let write = |text: &str| fs::write(context.join("package.json"), text).unwrap();
        let at = || {
            installed_in(context, Path::new("apps/api"))
                .display()
                .to_string()
        };
        write("{}");
        assert_eq!(at(), "apps/api");
        assert_eq!(version(context), None);
        write(r#"{"workspaces":["apps/*"],"packageManager":"yarn@1.22.22"}"#);
        assert_eq!(at(), "");
        assert_eq!(version(context), Some(1));
        write(r#"{"workspaces":{"packages":["apps/*"]}}"#);
        assert_eq!(at(), "");
        write(r#"{"workspaces":["packages/*"]}"#);
        assert_eq!(at(), "apps/api", "beside a workspace, not in it");
        fs::write(
            context.join("pnpm-workspace.yaml"),
            "packages: ['apps/*']\n",
        )
        .unwrap();
        assert_eq!(at(), "");
        fs::remove_file(context.join("pnpm-workspace.yaml")).unwrap();
        write(r#"{"workspaces":["apps/*"]}"#);
        assert_eq!(version(context), Some(4));
    }

    #[test]
    fn moments_are_seconds() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2000-02-29T00:00:00Z"), Some(951_782_400));
        assert_eq!(seconds("2026-11-20T23:59:59Z"), Some(1_795_219_199));
        assert_eq!(seconds("2026-13-01T00:00:00Z"), None);
        assert_eq!(seconds("yesterday"), None);
    }
}
