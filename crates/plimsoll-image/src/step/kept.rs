//! Trees that builds keep for later ones. When they go is the cache's affair; it goes by the time that is noted here.

use std::path::Path;
use std::time::SystemTime;

use fs_err as fs;

/// Says that a tree is used now. A failure only lets it go earlier.
pub(crate) fn used(tree: &Path) {
    let _ = fs::File::open(tree).and_then(|tree| tree.set_modified(SystemTime::now()));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_used_again_is_young() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("tree");
        fs::create_dir(&path).unwrap();
        let long_ago = SystemTime::now() - Duration::from_secs(60 * 24 * 60 * 60);
        let opened = fs::File::open(&path).unwrap();
        opened.set_modified(long_ago).unwrap();
        used(&path);
        let noted = fs::metadata(&path).unwrap().modified().unwrap();
        assert!(noted > long_ago + Duration::from_secs(24 * 60 * 60));
    }
}
