//! The limit of what builds keep. A process of its own looks after it, when a build is over and none
//! runs, so that nobody waits for it.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use plimsoll_image::cache::{Cache, CacheEntry, cutoff};
use plimsoll_image::store::{Store, StoreError};
use plimsoll_model::settings::CacheLimit;

use crate::environment::PLIMSOLL_DATA;
use crate::failure::Failure;
use crate::settings::Settings;

/// One look lasts so long. What builds add meanwhile goes with the next.
const BETWEEN_LOOKS: Duration = Duration::from_secs(60 * 60);

/// How often, every second, the process asks whether builds are over.
const PATIENCE: u32 = 600;

/// The share of the disk that builds may fill when nobody says anything, in hundredths.
const SHARE: u64 = 10;

/// What they may fill of a small disk all the same: a few projects' packages.
const LEAST: u64 = 5_000_000_000;

/// What goes when there is too much is a little more, in hundredths of the limit: the next build would
/// be over it again.
const LEFT: u64 = 90;

/// How many bytes builds may keep; any number when nothing is said.
pub(crate) fn limit(settings: &Settings) -> Result<Option<u64>, Failure> {
    let disk = || -> Result<u64, Failure> {
        let there = nearest(&settings.data);
        let disk = rustix::fs::statvfs(there).map_err(std::io::Error::from)?;
        Ok(disk.f_blocks.saturating_mul(disk.f_frsize))
    };
    Ok(match settings.cache_limit {
        Some(CacheLimit::None) => None,
        Some(CacheLimit::Bytes(bytes)) => Some(bytes),
        Some(CacheLimit::Share(share)) => Some(disk()? / 100 * u64::from(share)),
        None => Some((disk()? / 100 * SHARE).max(LEAST)),
    })
}

/// The directory, or what of it is there.
fn nearest(path: &Path) -> &Path {
    let there = path.ancestors().find(|ancestor| ancestor.exists());
    there.unwrap_or(Path::new("/"))
}

/// Begins to look after the limit beside what else is done, if it is time to. It may fail: then there
/// is more on the disk than wanted, until the next time.
pub(crate) fn look_beside(settings: &Settings) {
    if settings.cache_limit == Some(CacheLimit::None) {
        return;
    }
    match begin(settings) {
        Ok(()) => {}
        Err(error) => tracing::debug!(%error, "the cache's limit is not looked after"),
    }
}

fn begin(settings: &Settings) -> std::io::Result<()> {
    let looked = looked(settings);
    let last = match fs_err::metadata(&looked) {
        Ok(metadata) => Some(metadata.modified()?),
        Err(_) => None,
    };
    let age = last.and_then(|last| SystemTime::now().duration_since(last).ok());
    if age.is_some_and(|age| age < BETWEEN_LOOKS) {
        return Ok(());
    }
    fs_err::write(&looked, "")?;
    // What is new has nothing that could go.
    if last.is_none() {
        return Ok(());
    }
    let mut process = Command::new("/proc/self/exe")
        .arg("-C")
        .arg(&settings.directory)
        .args(["prune", "--within-limit"])
        .env(PLIMSOLL_DATA, &settings.data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C is meant for what it runs beside.
        .process_group(0)
        .spawn()?;
    // Whoever stays longer than it takes leaves no dead process about.
    std::thread::spawn(move || process.wait());
    Ok(())
}

/// The file whose time is that of the last look.
fn looked(settings: &Settings) -> PathBuf {
    settings.cache().with_extension("looked")
}

/// Takes away what was not used for longest until the rest is within the limit: of the cache, and of
/// the store what no image needs.
pub(crate) fn keep_within(settings: &Settings) -> Result<(), Failure> {
    let Some(limit) = limit(settings)? else {
        return Ok(());
    };
    // Whatever else runs is worth more.
    let _ = rustix::process::nice(19);
    let cache = Cache::of(&settings.cache());
    for _ in 0..PATIENCE {
        if cache.alone()?.is_none() {
            std::thread::sleep(Duration::from_secs(1));
            continue;
        }
        let survey = cache.survey()?;
        let spare = spare(&settings.store())?;
        let Some(since) = over(limit, &survey.entries, &spare) else {
            return Ok(());
        };
        let Some(sole) = cache.alone()?.filter(|sole| sole.confirms(&survey)) else {
            continue;
        };
        let going = survey.entries.iter().filter(|entry| entry.used < since);
        let doomed = sole.take_away(going)?;
        drop(sole);
        doomed.remove()?;
        return prune_store(&settings.store(), since);
    }
    Ok(())
}

/// Before when what was used goes, if there is more than the limit.
fn over(limit: u64, cached: &[CacheEntry], spare: &[(SystemTime, u64)]) -> Option<SystemTime> {
    let cached = cached.iter().map(|entry| (entry.used, entry.bytes));
    let things = cached.chain(spare.iter().copied());
    let bytes: u64 = things.clone().map(|(_, bytes)| bytes).sum();
    (bytes > limit)
        .then(|| cutoff(things, limit / 100 * LEFT))
        .flatten()
}

fn spare(store: &Path) -> Result<Vec<(SystemTime, u64)>, Failure> {
    if !store.is_dir() {
        return Ok(Vec::new());
    }
    let _maintenance = Store::maintain(store).map_err(Failure::from_store)?;
    let store = Store::open(store).map_err(Failure::from_store)?;
    store.spare().map_err(Failure::from_store)
}

fn prune_store(store: &Path, since: SystemTime) -> Result<(), Failure> {
    if !store.is_dir() {
        return Ok(());
    }
    let _maintenance = Store::maintain(store).map_err(Failure::from_store)?;
    let mut store = Store::open(store).map_err(Failure::from_store)?;
    match store.prune_unused_since(since) {
        // A build began: the next look takes it.
        Ok(_) | Err(StoreError::InUse { .. }) => Ok(()),
        Err(error) => Err(Failure::from_store(error)),
    }
}

/// Of the cache alone, what goes for the limit.
pub(crate) fn beyond(limit: u64, cached: &[CacheEntry]) -> Vec<&CacheEntry> {
    match over(limit, cached, &[]) {
        Some(since) => cached.iter().filter(|entry| entry.used < since).collect(),
        None => Vec::new(),
    }
}
