//! What builds keep beside the store to be faster: packages, what compilers made, installed trees.
//!
//! Each thing in it may go at any time that no build runs; the next build that needs it fetches or
//! makes it again. What is taken away changes its name first: nothing half removed is ever taken
//! for whole. Whose turn it is to go is for the caller to say; nothing here decides it but
//! [`cutoff`].

mod npm_index;
mod survey;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fs_err as fs;
use serde::Serialize;

pub(crate) use survey::allocated;

use crate::step::scratch::Scratch;
use crate::store::lock::{Lock, Share};

/// How often it is asked whether the cache is free, every 10 ms.
const PATIENCE: u32 = 50;

/// What a part of the cache holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheKind {
    /// Packages of Debian, and lists of them.
    DebianPackages,
    /// Packages of npm, as its clients keep them.
    NodePackages,
    /// Trees of installed npm packages.
    InstalledTrees,
    /// Wheels, as uv keeps them.
    PythonPackages,
    /// Modules of Go.
    GoModules,
    /// Crates.
    Crates,
    /// What the compilers of Go, Rust and C made.
    Compiled,
    /// Compilers, interpreters and package clients.
    Tools,
    /// Cache mounts of Dockerfiles.
    DockerfileCaches,
    /// What was found out about source files.
    SourceFacts,
    /// Of another version of this program.
    Other,
}

impl CacheKind {
    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::DebianPackages => "Debian packages",
            Self::NodePackages => "npm packages",
            Self::InstalledTrees => "installed npm trees",
            Self::PythonPackages => "Python packages",
            Self::GoModules => "Go modules",
            Self::Crates => "crates",
            Self::Compiled => "compiled code",
            Self::Tools => "tools",
            Self::DockerfileCaches => "Dockerfiles' cache mounts",
            Self::SourceFacts => "facts about sources",
            Self::Other => "other",
        }
    }
}

/// A thing in the cache that goes as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheEntry {
    /// What it is.
    pub kind: CacheKind,
    /// Where it is.
    pub path: PathBuf,
    /// What speaks of it and must be gone before.
    first: Vec<PathBuf>,
    /// What it takes on the disk.
    pub bytes: u64,
    /// When it was last used, as the file system tells; most tell it to the day.
    pub used: SystemTime,
}

/// What was in the cache at one time.
#[derive(Debug)]
pub struct CacheSurvey {
    /// Everything, without what builds are working on.
    pub entries: Vec<CacheEntry>,
    /// When a build last began, as it was before the first look.
    last_build: Option<SystemTime>,
}

/// The directory.
#[derive(Debug, Clone)]
pub struct Cache {
    directory: PathBuf,
}

/// Keeps everything in the cache where it is, while it lives.
#[derive(Debug)]
pub struct CacheUse {
    _lock: Lock,
}

/// Nobody else uses the cache, and nobody begins to, while it lives.
#[derive(Debug)]
pub struct SoleUse<'c> {
    cache: &'c Cache,
    _lock: Lock,
}

/// What was taken away and is still to be removed. What is left of it when the process is killed, the
/// next build removes.
#[derive(Debug, Default)]
#[must_use = "its room is not free before it is removed"]
pub struct Doomed {
    scratch: Option<Scratch>,
    whole: Option<PathBuf>,
}

impl Cache {
    /// The cache in a directory, which may be missing.
    pub fn of(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// Says that a build begins.
    ///
    /// # Errors
    /// When the lock file beside the directory cannot be made.
    pub fn begin_use(&self) -> io::Result<CacheUse> {
        let path = self.lock_path();
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let lock = Lock::wait(&path, Share::Shared)?;
        lock.touch()?;
        Ok(CacheUse { _lock: lock })
    }

    /// Looks at everything, while builds may run.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn survey(&self) -> io::Result<CacheSurvey> {
        let last_build = self.last_build();
        let entries = survey::entries(&self.directory, SystemTime::now())?;
        Ok(CacheSurvey {
            entries,
            last_build,
        })
    }

    /// Has the cache alone, if no build runs. Others who look after it have it for moments only.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub fn alone(&self) -> io::Result<Option<SoleUse<'_>>> {
        let path = self.lock_path();
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        for _ in 0..PATIENCE {
            if let Some(lock) = Lock::attempt(&path, Share::Alone)? {
                return Ok(Some(SoleUse {
                    cache: self,
                    _lock: lock,
                }));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(None)
    }

    /// What an emptying that was cut off left.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn left_over(&self) -> io::Result<u64> {
        let removing = self.removing();
        match removing.is_dir() {
            true => survey::allocated(&removing),
            false => Ok(0),
        }
    }

    fn last_build(&self) -> Option<SystemTime> {
        fs::metadata(self.lock_path()).ok()?.modified().ok()
    }

    /// Beside the directory: it stays when everything goes.
    fn lock_path(&self) -> PathBuf {
        self.directory.with_extension("lock")
    }

    fn removing(&self) -> PathBuf {
        self.directory.with_extension("removing")
    }
}

impl SoleUse<'_> {
    /// Whether what the survey says still holds: no build began meanwhile.
    pub fn confirms(&self, survey: &CacheSurvey) -> bool {
        self.cache.last_build() == survey.last_build
    }

    /// Takes these away.
    ///
    /// # Errors
    /// When one cannot be moved; those before it are gone.
    pub fn take_away<'e>(
        &self,
        entries: impl IntoIterator<Item = &'e CacheEntry>,
    ) -> io::Result<Doomed> {
        let scratch = Scratch::new(&self.cache.directory.join(survey::WORK))?;
        let paths = entries
            .into_iter()
            .flat_map(|entry| entry.first.iter().chain([&entry.path]));
        for (number, path) in paths.enumerate() {
            match fs::rename(path, scratch.path().join(number.to_string())) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                moved => moved?,
            }
        }
        Ok(Doomed {
            scratch: Some(scratch),
            whole: None,
        })
    }

    /// Takes everything away, and what was cut off in an earlier attempt.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn empty(&self) -> io::Result<Doomed> {
        let whole = self.cache.removing();
        if whole.exists() {
            fs::remove_dir_all(&whole)?;
        }
        match fs::rename(&self.cache.directory, &whole) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            moved => moved?,
        }
        Ok(Doomed {
            scratch: None,
            whole: Some(whole),
        })
    }
}

impl Doomed {
    /// Removes it. Builds may run meanwhile.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn remove(mut self) -> io::Result<()> {
        if let Some(whole) = self.whole.take()
            && whole.exists()
        {
            fs::remove_dir_all(whole)?;
        }
        match self.scratch.take() {
            Some(scratch) => scratch.remove(),
            None => Ok(()),
        }
    }
}

/// Of things by their last use and size, the time such that `limit` bytes stay when everything goes
/// that was last used before; nothing has to go when they are no more.
pub fn cutoff(
    things: impl IntoIterator<Item = (SystemTime, u64)>,
    limit: u64,
) -> Option<SystemTime> {
    let mut by_use: BTreeMap<SystemTime, u64> = BTreeMap::new();
    for (used, bytes) in things {
        *by_use.entry(used).or_default() += bytes;
    }
    let mut left: u64 = by_use.values().sum();
    let mut cutoff = None;
    for (used, bytes) in by_use {
        if left <= limit {
            break;
        }
        left -= bytes;
        cutoff = Some(used + Duration::from_nanos(1));
    }
    cutoff
}

#[cfg(test)]
mod tests;
