//! What is in the cache: which things go as a whole, what they take, when they were last used.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use fs_err as fs;

use super::{CacheEntry, CacheKind, npm_index};

/// Where builds have what they work on. It removes itself.
pub(super) const WORK: &str = "work";

/// Where steps that run have their own files.
const SANDBOX: &str = "sandbox";

/// Where npm has what it fetched.
const NPM: &str = "npm/_cacache";

/// How deep the clients' own layouts are known, so that one package goes and not all: `*` stands for
/// any name, `*` behind letters for any ending. Where a path ends, and where none goes on, is a thing
/// that goes as a whole; the client takes its absence for a package never fetched.
const PATHS: &[(&str, CacheKind)] = &[
    ("debian/packages/*", CacheKind::DebianPackages),
    ("debian/lists/*", CacheKind::DebianPackages),
    ("npm/_cacache/content-*/*/*/*/*", CacheKind::NodePackages),
    ("npm/*", CacheKind::NodePackages),
    ("node_modules/*", CacheKind::InstalledTrees),
    ("uv/archive-*/*", CacheKind::PythonPackages),
    ("uv/sdists-*/*/*/*", CacheKind::PythonPackages),
    ("uv/wheels-*/*/*", CacheKind::PythonPackages),
    ("go/modules/**", CacheKind::GoModules),
    ("go/*/*/*", CacheKind::Compiled),
    ("rust/crates/registry/cache/*/*", CacheKind::Crates),
    ("rust/crates/registry/src/*/*", CacheKind::Crates),
    ("rust/crates/git/*/*", CacheKind::Crates),
    ("rust/rustup", CacheKind::Tools),
    ("rust/*", CacheKind::Compiled),
    ("zig", CacheKind::Compiled),
    ("tools/*", CacheKind::Tools),
    ("dockerfile-caches/*", CacheKind::DockerfileCaches),
    ("hashes/*", CacheKind::SourceFacts),
    ("dockerfile-hashes/*", CacheKind::SourceFacts),
    ("facts/*", CacheKind::SourceFacts),
];

/// A path of the table, as far as it is still to go.
#[derive(Debug, Clone)]
struct Way {
    kind: CacheKind,
    left: Vec<&'static str>,
}

impl Way {
    /// The way on to a child of this name, if it leads there.
    fn on(&self, name: &str) -> Option<Self> {
        let (step, left) = self.left.split_first()?;
        let goes = match step.strip_suffix('*') {
            // The module's version stands in the name of the directory that has its files.
            Some("*") => {
                let is_module = name.find('@').is_some_and(|place| place > 0);
                let left = match is_module {
                    true => Vec::new(),
                    false => self.left.clone(),
                };
                return Some(Self {
                    kind: self.kind,
                    left,
                });
            }
            Some(begin) => name.starts_with(begin),
            None => name == *step,
        };
        goes.then(|| Self {
            kind: self.kind,
            left: left.to_vec(),
        })
    }
}

/// Everything in the cache but what is worked on.
pub(super) fn entries(cache: &Path, now: SystemTime) -> io::Result<Vec<CacheEntry>> {
    let ways: Vec<Way> = PATHS
        .iter()
        .map(|(path, kind)| Way {
            kind: *kind,
            left: path.split('/').collect(),
        })
        .collect();
    let spoken_of = npm_index::buckets(&cache.join(NPM).join("index-v5"))?;
    let mut survey = Survey {
        now,
        seen: HashSet::new(),
        entries: Vec::new(),
    };
    for (name, metadata) in children(cache)? {
        if name != WORK && name != SANDBOX {
            survey.visit(
                &cache.join(&name),
                &name,
                &metadata,
                &ways,
                CacheKind::Other,
            )?;
        }
    }
    for entry in &mut survey.entries {
        if let Some(buckets) = entry
            .path
            .strip_prefix(cache.join(NPM).join("content-v2"))
            .ok()
            .and_then(|content| spoken_of.get(content))
        {
            entry.first.clone_from(buckets);
        }
    }
    Ok(survey.entries)
}

/// Bytes that the files below a directory take on disk; one with several names counts once.
pub(crate) fn allocated(directory: &Path) -> io::Result<u64> {
    let metadata = fs::symlink_metadata(directory)?;
    let mut seen = HashSet::new();
    Ok(measure(directory, &metadata, &mut seen)?.0)
}

struct Survey {
    now: SystemTime,
    /// Files with several names that were counted.
    seen: HashSet<(u64, u64)>,
    entries: Vec<CacheEntry>,
}

impl Survey {
    /// Looks at a child of a directory that these ways led to.
    fn visit(
        &mut self,
        path: &Path,
        name: &OsStr,
        metadata: &std::fs::Metadata,
        ways: &[Way],
        kind: CacheKind,
    ) -> io::Result<()> {
        let name = name.to_string_lossy();
        let ways: Vec<Way> = ways.iter().filter_map(|way| way.on(&name)).collect();
        // The first in the table speaks for a place that several lead to.
        let kind = ways.first().map_or(kind, |way| way.kind);
        let goes_on = ways.first().is_some_and(|way| !way.left.is_empty());
        if goes_on && metadata.is_dir() {
            for (name, metadata) in children(path)? {
                self.visit(&path.join(&name), &name, &metadata, &ways, kind)?;
            }
            return Ok(());
        }
        let (bytes, files) = measure(path, metadata, &mut self.seen)?;
        // A tree whose use is noted has the note as its own time; its files' times are those of a
        // package.
        let own = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        self.entries.push(CacheEntry {
            kind,
            path: path.to_owned(),
            first: Vec::new(),
            bytes,
            // A time to come is that of a clock that was set back, or a package's fancy.
            used: own.max(files).min(self.now),
        });
        Ok(())
    }
}

/// What something takes on the disk, and when a file of it was last read.
fn measure(
    path: &Path,
    metadata: &std::fs::Metadata,
    seen: &mut HashSet<(u64, u64)>,
) -> io::Result<(u64, SystemTime)> {
    if !metadata.is_dir() {
        let is_new = metadata.nlink() == 1 || seen.insert((metadata.dev(), metadata.ino()));
        let bytes = if is_new { metadata.blocks() * 512 } else { 0 };
        return Ok((bytes, metadata.accessed().unwrap_or(SystemTime::UNIX_EPOCH)));
    }
    let (mut bytes, mut used) = (0, SystemTime::UNIX_EPOCH);
    for (name, metadata) in children(path)? {
        let (more, read) = measure(&path.join(&name), &metadata, seen)?;
        bytes += more;
        used = used.max(read);
    }
    Ok((bytes, used))
}

/// What is in a directory, with what the disk says of it. Builds may run: what vanishes meanwhile was
/// never there.
pub(super) fn children(
    directory: &Path,
) -> io::Result<Vec<(std::ffi::OsString, std::fs::Metadata)>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut children = Vec::new();
    for entry in entries {
        let entry = entry?;
        match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            metadata => children.push((entry.file_name(), metadata?)),
        }
    }
    Ok(children)
}
