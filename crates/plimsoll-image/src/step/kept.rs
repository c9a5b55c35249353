//! Trees that builds keep for later ones: those that nobody used for long go, so that a disk is not
//! filled by what projects once needed.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fs_err as fs;

/// What was used since then may be in use now, and stays.
const IN_USE: Duration = Duration::from_secs(24 * 60 * 60);

/// What was not used since then goes.
const FORGOTTEN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How many stay that are neither.
const STAYING: usize = 12;

/// Says that a tree is used now. A failure only lets it go earlier.
pub(crate) fn used(tree: &Path) {
    let _ = fs::File::open(tree).and_then(|tree| tree.set_modified(SystemTime::now()));
}

/// Takes away the trees in a directory that were not used for long. What fails is tried again the
/// next time.
pub(crate) fn evict(directory: &Path, now: SystemTime) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    let mut trees: Vec<(Duration, PathBuf)> = Vec::new();
    for entry in entries.flatten() {
        let age = entry.metadata().and_then(|found| found.modified());
        // A time to come is that of a clock that was set back.
        let age = age.map(|used| now.duration_since(used).unwrap_or_default());
        if let Ok(age) = age {
            trees.push((age, entry.path()));
        }
    }
    trees.sort();
    let mut staying = 0;
    for (age, tree) in trees {
        let removing = tree.extension().is_some_and(|end| end == REMOVING);
        if !removing && age <= IN_USE {
            continue;
        }
        staying += usize::from(!removing);
        if !removing && age <= FORGOTTEN && staying <= STAYING {
            continue;
        }
        // Under another name first: what is half removed is never taken for whole.
        let doomed = tree.with_extension(REMOVING);
        if removing || fs::rename(&tree, &doomed).is_ok() {
            let _ = fs::remove_dir_all(&doomed);
        }
    }
}

/// The extension of a tree that is being removed.
const REMOVING: &str = "removing";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_lately_stays_and_what_was_forgotten_goes() {
        let root = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let hour = Duration::from_secs(60 * 60);
        let tree = |name: &str, hours: u32| {
            let path = root.path().join(name);
            fs::create_dir_all(path.join("site")).unwrap();
            let used = now - hour * hours;
            fs::File::open(&path).unwrap().set_modified(used).unwrap();
        };
        for index in 0..40 {
            tree(&format!("today-{index:02}"), 2);
        }
        for index in 0..20 {
            tree(&format!("week-{index:02}"), 100 + index);
        }
        tree("forgotten", 24 * 31);
        tree("cut-off.removing", 1);
        evict(root.path(), now);
        let mut left: Vec<String> = fs::read_dir(root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left.len(), 40 + STAYING);
        assert_eq!(left[40], "week-00");
        assert_eq!(left[51], "week-11");
    }

    #[test]
    fn what_is_used_again_is_young() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("tree");
        fs::create_dir(&path).unwrap();
        let long_ago = SystemTime::now() - FORGOTTEN * 2;
        let opened = fs::File::open(&path).unwrap();
        opened.set_modified(long_ago).unwrap();
        used(&path);
        evict(root.path(), SystemTime::now());
        assert!(path.is_dir());
    }
}
