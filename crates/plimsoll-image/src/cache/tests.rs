//! What goes, what stays, and what a kill leaves.

use std::collections::BTreeSet;
use std::time::SystemTime;

use proptest::prelude::*;

use super::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

struct Stage {
    _root: tempfile::TempDir,
    directory: PathBuf,
    cache: Cache,
    now: SystemTime,
}

impl Stage {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("cache");
        Self {
            cache: Cache::of(&directory),
            _root: root,
            directory,
            now: SystemTime::now(),
        }
    }

    /// A file that was last read so many days ago, and written long before.
    fn file(&self, path: &str, days: u32) {
        let path = self.directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, vec![1; 10_000]).unwrap();
        let times = std::fs::FileTimes::new()
            .set_accessed(self.now - DAY * days)
            .set_modified(self.now - DAY * 1000);
        let file = fs::File::open(&path).unwrap();
        file.file().set_times(times).unwrap();
    }

    /// The things that go as a whole: kind, path, days since their use.
    fn things(&self) -> BTreeSet<(CacheKind, String, u64)> {
        let survey = self.cache.survey().unwrap();
        let things = survey.entries.into_iter().map(|entry| {
            let path = entry.path.strip_prefix(&self.directory).unwrap();
            let age = self.now.duration_since(entry.used).unwrap_or_default();
            let days = (age.as_secs() + 60) / DAY.as_secs();
            (entry.kind, path.display().to_string(), days)
        });
        things.collect()
    }
}

#[test]
fn packages_go_one_by_one_and_trees_as_a_whole() {
    let stage = Stage::new();
    for (path, days) in [
        ("debian/packages/a.deb", 3),
        ("npm/_cacache/content-v2/sha512/ab/cd/one", 1),
        ("npm/_cacache/content-v2/sha512/ab/cd/two", 2),
        ("npm/_cacache/tmp/x", 9),
        ("uv/archive-v0/a/site/x.py", 5),
        ("uv/archive-v0/a/site/y.py", 4),
        ("uv/CACHEDIR.TAG", 7),
        ("go/modules/cache/download/example/m/@v/v1.zip", 6),
        ("go/modules/example/m@v1/sub/a.go", 8),
        ("go/modules/example/m@v1/b.go", 9),
        ("go/compiled/ab/abc-d", 2),
        ("rust/crates/registry/src/index/a-1.0.0/src/lib.rs", 3),
        ("rust/0123/target/release/deps/a.rlib", 4),
        ("rust/rustup/toolchains/x/bin/rustc", 5),
        ("of-tomorrow/a/b", 6),
        ("work/1-2/a", 20),
        ("sandbox/1/a", 20),
    ] {
        stage.file(path, days);
        // Directories are as old as the oldest.
        for ancestor in stage.directory.join(path).ancestors().skip(1) {
            if ancestor.starts_with(&stage.directory) {
                let then = stage.now - DAY * 1000;
                fs::File::open(ancestor)
                    .unwrap()
                    .set_modified(then)
                    .unwrap();
            }
        }
    }
    let expected = [
        (CacheKind::DebianPackages, "debian/packages/a.deb", 3),
        (
            CacheKind::NodePackages,
            "npm/_cacache/content-v2/sha512/ab/cd/one",
            1,
        ),
        (
            CacheKind::NodePackages,
            "npm/_cacache/content-v2/sha512/ab/cd/two",
            2,
        ),
        (CacheKind::NodePackages, "npm/_cacache/tmp", 9),
        (CacheKind::PythonPackages, "uv/archive-v0/a", 4),
        (CacheKind::PythonPackages, "uv/CACHEDIR.TAG", 7),
        (
            CacheKind::GoModules,
            "go/modules/cache/download/example/m/@v/v1.zip",
            6,
        ),
        (CacheKind::GoModules, "go/modules/example/m@v1", 8),
        (CacheKind::Compiled, "go/compiled/ab/abc-d", 2),
        (
            CacheKind::Crates,
            "rust/crates/registry/src/index/a-1.0.0",
            3,
        ),
        (CacheKind::Compiled, "rust/0123", 4),
        (CacheKind::Tools, "rust/rustup", 5),
        (CacheKind::Other, "of-tomorrow", 6),
    ];
    let expected: BTreeSet<_> = expected
        .into_iter()
        .map(|(kind, path, days)| (kind, path.to_owned(), days))
        .collect();
    assert_eq!(stage.things(), expected);
}

#[test]
fn a_tree_whose_use_is_noted_is_young() {
    let stage = Stage::new();
    stage.file("node_modules/tree/site/a.js", 90);
    let tree = stage.directory.join("node_modules/tree");
    fs::File::open(&tree)
        .unwrap()
        .set_modified(stage.now)
        .unwrap();
    let things = stage.things();
    assert_eq!(things.first().unwrap().2, 0);
}

#[test]
fn nothing_goes_while_a_build_runs() {
    let stage = Stage::new();
    stage.file("tools/a/bin", 1);
    let building = stage.cache.begin_use().unwrap();
    let other = stage.cache.begin_use().unwrap();
    drop(building);
    assert!(stage.cache.alone().unwrap().is_none());
    drop(other);
    assert!(stage.cache.alone().unwrap().is_some());
}

#[test]
fn a_survey_from_before_a_build_is_not_acted_on() {
    let stage = Stage::new();
    drop(stage.cache.begin_use().unwrap());
    let lock = fs::File::open(stage.cache.lock_path()).unwrap();
    lock.set_modified(stage.now - DAY).unwrap();
    let survey = stage.cache.survey().unwrap();
    assert!(stage.cache.alone().unwrap().unwrap().confirms(&survey));
    drop(stage.cache.begin_use().unwrap());
    assert!(!stage.cache.alone().unwrap().unwrap().confirms(&survey));
}

#[test]
fn what_is_taken_away_is_whole_or_not_there_even_after_a_kill() {
    let stage = Stage::new();
    for number in 0..20 {
        stage.file(&format!("tools/{number}/a"), number);
        stage.file(&format!("tools/{number}/b"), number);
        let tool = fs::File::open(stage.directory.join(format!("tools/{number}")));
        tool.unwrap().set_modified(stage.now - DAY * 1000).unwrap();
    }
    let survey = stage.cache.survey().unwrap();
    let old = |entry: &&CacheEntry| entry.used <= stage.now - DAY * 10;
    let sole = stage.cache.alone().unwrap().unwrap();
    let doomed = sole.take_away(survey.entries.iter().filter(old)).unwrap();
    drop(sole);
    // The process is killed here: nobody removes it.
    let left = doomed.scratch.as_ref().unwrap().path().to_owned();
    std::mem::forget(doomed);
    let tools: Vec<_> = fs::read_dir(stage.directory.join("tools"))
        .unwrap()
        .map(|tool| tool.unwrap().path())
        .collect();
    assert_eq!(tools.len(), 10);
    for tool in tools {
        assert!(tool.join("a").exists() && tool.join("b").exists());
    }
    // No process has a number beyond the kernel's limit.
    let dead = left.with_file_name("4194305-0");
    fs::rename(left, &dead).unwrap();
    crate::step::scratch::sweep(&stage.directory.join("work"));
    crate::step::scratch::wait_for_removals();
    assert!(!dead.exists());
}

#[test]
fn npm_finds_no_entry_of_what_is_gone() {
    let stage = Stage::new();
    let content = |name: &str| format!("npm/_cacache/content-v2/sha1/00/01/{name}");
    stage.file(&content("0203"), 20);
    stage.file(&content("0405"), 1);
    let index = stage.directory.join("npm/_cacache/index-v5/aa/bb");
    fs::create_dir_all(&index).unwrap();
    for (bucket, integrity) in [
        ("old", "AAECAw=="),
        ("also-old", "AAECAw=="),
        ("new", "AAEEBQ=="),
    ] {
        let line = format!("\nx\t{{\"key\":\"a\",\"integrity\":\"sha1-{integrity}\"}}");
        fs::write(index.join(bucket), line).unwrap();
    }
    let survey = stage.cache.survey().unwrap();
    let old = |entry: &&CacheEntry| entry.used < stage.now - DAY * 10;
    let sole = stage.cache.alone().unwrap().unwrap();
    let doomed = sole.take_away(survey.entries.iter().filter(old)).unwrap();
    doomed.remove().unwrap();
    assert!(!stage.directory.join(content("0203")).exists());
    assert!(stage.directory.join(content("0405")).exists());
    let left: Vec<_> = fs::read_dir(&index).unwrap().collect();
    assert_eq!(left.len(), 1);
    assert!(index.join("new").exists());
}

#[test]
fn an_emptying_that_was_cut_off_is_counted_and_ended() {
    let stage = Stage::new();
    stage.file("tools/a", 1);
    let sole = stage.cache.alone().unwrap().unwrap();
    std::mem::forget(sole.empty().unwrap());
    assert!(!stage.directory.exists());
    assert!(stage.cache.left_over().unwrap() >= 10_000);
    stage.file("tools/b", 1);
    sole.empty().unwrap().remove().unwrap();
    assert!(!stage.directory.exists());
    assert_eq!(stage.cache.left_over().unwrap(), 0);
}

proptest! {
    #[test]
    fn what_stays_is_within_the_limit_and_not_a_byte_less_than_it_has_to_be(
        things in proptest::collection::vec((0_u64..50, 0_u64..1000), 0..40),
        limit in 0_u64..20_000,
    ) {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let things: Vec<_> = things.into_iter().map(|(used, bytes)| (at(used), bytes)).collect();
        let since = cutoff(things.iter().copied(), limit);
        let stays = |since: Option<SystemTime>| -> u64 {
            let staying = things.iter().filter(|(used, _)| since.is_none_or(|since| *used >= since));
            staying.map(|(_, bytes)| bytes).sum()
        };
        prop_assert!(stays(since) <= limit);
        // One moment of use less would not have been enough.
        if let Some(since) = since {
            prop_assert!(stays(Some(since - Duration::from_nanos(1))) > limit);
        }
    }
}
