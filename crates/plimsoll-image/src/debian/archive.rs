//! An archive's indexes: fetched, believed only when signed, and kept.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use plimsoll_diag::Secret;

use super::packages::compact;
use super::release::Release;
use super::{DebianError, Keyring, Mirrors, Suite};
use crate::fetch::{FetchError, Fetcher, Headers, ShownUrl};
use crate::layer::Compression;
use crate::oci::Architecture;
use crate::replacement::Replacement;
use crate::{Digest, Download};

/// The largest `InRelease` that is read.
const LARGEST_RELEASE: u64 = 16 << 20;

/// Whether indexes that were fetched before will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Those kept here, unless they have expired or were never fetched.
    Kept,
    /// Newly fetched ones.
    Refreshed,
}

/// Which archives there are, where their indexes and packages are kept, and what time it is.
#[derive(Debug, Clone)]
pub struct DebianSettings {
    /// Where packages come from.
    pub mirrors: Mirrors,
    /// A directory for indexes and packages.
    pub cache: PathBuf,
    /// Now; decides whether an index has expired.
    pub now: SystemTime,
}

/// One list of packages, and where its packages are.
#[derive(Debug)]
pub(super) struct List {
    /// The compact text.
    pub(super) text: String,
    /// Base URLs to try, in order.
    pub(super) bases: Vec<Secret<String>>,
}

/// Fetches the indexes of one release for one processor.
pub(super) struct Archive<'a> {
    pub(super) fetcher: &'a Fetcher,
    pub(super) settings: &'a DebianSettings,
    pub(super) subject: &'a str,
    pub(super) suite: Suite,
    pub(super) architecture: Architecture,
}

/// What must be there, and what an archive may lack.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Required,
    Optional,
}

impl Archive<'_> {
    /// The lists of the release, its updates and its security updates.
    pub(super) fn lists(&self, freshness: Freshness) -> Result<Vec<List>, DebianError> {
        let keyring = self.keyring();
        let mirrors = &self.settings.mirrors;
        let name = self.suite.name();
        let wanted = [
            (name.to_owned(), &mirrors.main, Need::Required),
            (format!("{name}-updates"), &mirrors.main, Need::Optional),
            (
                format!("{name}-security"),
                &mirrors.security,
                Need::Optional,
            ),
        ];
        let results: Vec<Result<Option<List>, DebianError>> = std::thread::scope(|scope| {
            let threads: Vec<_> = wanted
                .iter()
                .map(|(distribution, bases, need)| {
                    let keyring = &keyring;
                    scope.spawn(move || self.list(distribution, bases, *need, freshness, keyring))
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| {
                    thread
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        });
        results.into_iter().filter_map(Result::transpose).collect()
    }

    fn keyring(&self) -> Keyring {
        let mut keyring = Keyring::debian();
        for key in &self.settings.mirrors.keys {
            keyring.add(key);
        }
        keyring
    }

    fn list(
        &self,
        distribution: &str,
        bases: &[Secret<String>],
        need: Need,
        freshness: Freshness,
        keyring: &Keyring,
    ) -> Result<Option<List>, DebianError> {
        let kept = self
            .lists_directory()
            .join(format!("{distribution}.InRelease"));
        let absent = kept.with_extension("absent");
        if freshness == Freshness::Kept && absent.exists() {
            return Ok(None);
        }
        if freshness == Freshness::Kept
            && let Ok(text) = fs_err::read_to_string(&kept)
            && let Ok(release) = self.believe(distribution, "the kept index", &text, keyring)
        {
            return self.packages(distribution, bases, &release).map(Some);
        }
        let mut last = None;
        // A machine's sources may name archives that only look like Debian's: try the next.
        for (number, base) in bases.iter().enumerate() {
            let url = format!("{}/dists/{distribution}/InRelease", base.expose());
            let release = self
                .fetcher
                .get_bytes(&url, &Headers::none(), LARGEST_RELEASE)
                .map_err(DebianError::from)
                .and_then(|bytes| {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let release = self.believe(distribution, &url, &text, keyring)?;
                    Ok((text, release))
                });
            match release {
                Ok((text, release)) => {
                    let mut bases = bases.to_vec();
                    bases.rotate_left(number);
                    let list = self.packages(distribution, &bases, &release)?;
                    write(&kept, text.as_bytes())?;
                    return Ok(Some(list));
                }
                Err(error) => {
                    tracing::debug!(%error, "not this mirror");
                    // What is wrong with the first is what the user can mend.
                    last.get_or_insert(error);
                }
            }
        }
        match (last, need) {
            (None, _) => Ok(None),
            (Some(DebianError::Fetch(error)), Need::Optional) if error.is_not_found() => {
                write(&absent, b"")?;
                Ok(None)
            }
            (Some(error), _) => Err(error),
        }
    }

    /// The release, if it is signed, current, and the one that was asked for.
    fn believe(
        &self,
        distribution: &str,
        url: &str,
        text: &str,
        keyring: &Keyring,
    ) -> Result<Release, DebianError> {
        let now = self.settings.now;
        let url = ShownUrl::of(url);
        let malformed = |reason| DebianError::Malformed {
            place: url.to_string(),
            reason,
        };
        let signed = keyring
            .signed_text(text, now)
            .map_err(|source| DebianError::Signature {
                url: url.clone(),
                source,
            })?;
        let release = Release::parse(&signed).map_err(malformed)?;
        if release.codename != distribution {
            let reason = format!("it is of `{}`, not of `{distribution}`", release.codename);
            return Err(malformed(reason));
        }
        if let Some(end) = release.valid_until
            && let Ok(since) = now.duration_since(end)
        {
            return Err(DebianError::Expired {
                url,
                hours: since.as_secs() / 3600,
            });
        }
        Ok(release)
    }

    fn packages(
        &self,
        distribution: &str,
        bases: &[Secret<String>],
        release: &Release,
    ) -> Result<List, DebianError> {
        let directory = format!("main/binary-{}", self.architecture);
        let path = format!("{directory}/Packages.xz");
        let (digest, size) = release.file(&path).ok_or_else(|| DebianError::Malformed {
            place: format!("{distribution}/InRelease"),
            reason: format!("it does not list `{path}`"),
        })?;
        let bases = bases.to_vec();
        let kept = self
            .lists_directory()
            .join(format!("{}.list", digest.hex()));
        if let Ok(text) = fs_err::read_to_string(&kept) {
            return Ok(List { text, bases });
        }
        let destination = kept.with_extension("xz");
        // By its hash first: the plain name may already be the next index.
        let mut paths = vec![path];
        if release.by_hash {
            paths.insert(0, format!("{directory}/by-hash/SHA256/{}", digest.hex()));
        }
        let urls = bases.iter().flat_map(|base| {
            let base = base.expose();
            paths
                .iter()
                .map(move |path| format!("{base}/dists/{distribution}/{path}"))
        });
        self.first(urls, digest, size, &destination)?;
        let malformed = |error: std::io::Error| DebianError::Malformed {
            place: destination.display().to_string(),
            reason: error.to_string(),
        };
        let bytes = fs_err::read(&destination).map_err(DebianError::Io)?;
        let reader = Compression::detect(&bytes)
            .reader(Cursor::new(&bytes))
            .map_err(DebianError::Io)?;
        let text =
            compact(std::io::BufReader::with_capacity(1 << 20, reader)).map_err(malformed)?;
        write(&kept, text.as_bytes())?;
        // The download stays: another process may be reading it.
        Ok(List { text, bases })
    }

    /// Downloads from the first URL that has the file; the error of the first that has not.
    fn first(
        &self,
        urls: impl Iterator<Item = String>,
        digest: Digest,
        size: u64,
        destination: &Path,
    ) -> Result<(), DebianError> {
        let mut first: Option<FetchError> = None;
        for url in urls {
            let download = Download {
                url,
                headers: Headers::none(),
                expected: Some(digest),
                size: Some(size),
                destination: destination.to_owned(),
            };
            match self.fetcher.download(self.subject, &download) {
                Ok(_) => return Ok(()),
                Err(error @ FetchError::Write { .. }) => return Err(error.into()),
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        match first {
            Some(error) => Err(error.into()),
            None => Err(DebianError::NoMirror {
                place: self.settings.cache.clone(),
            }),
        }
    }

    fn lists_directory(&self) -> PathBuf {
        self.settings.cache.join("lists")
    }
}

/// Writes a file at once or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), DebianError> {
    path.parent()
        .map_or(Ok(()), fs_err::create_dir_all)
        .and_then(|()| Replacement::write(path, bytes))
        .map_err(DebianError::Io)
}
