//! Files: written beside their destination, resumed after a cut, verified, then renamed.

use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use fs_err::File;
use plimsoll_diag::ProgressEvent;

use super::attempt::{self, Attempts, Failure, Reason};
use super::partial::{Keep, Partial};
use super::{FetchError, Fetcher, Headers, ShownUrl};
use crate::Digest;

/// A file without a stated size may not be larger than this.
const LARGEST: u64 = 16 << 30;

/// One file to fetch.
#[derive(Debug, Clone)]
pub struct Download {
    /// Where it is.
    pub url: String,
    /// What to send along.
    pub headers: Headers,
    /// Its digest, where known. A file that already stands at the destination with this digest is
    /// not fetched.
    pub expected: Option<Digest>,
    /// Its length, where known.
    pub size: Option<u64>,
    /// Where it goes. The directory is made when missing.
    pub destination: PathBuf,
}

/// What one progress row needs.
struct Meter<'a> {
    fetcher: &'a Fetcher,
    subject: &'a str,
    done: AtomicU64,
    total: Option<u64>,
}

impl Meter<'_> {
    fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.tell(done);
    }

    /// Takes back bytes that must be fetched again.
    fn remove(&self, bytes: u64) {
        let done = self.done.fetch_sub(bytes, Ordering::Relaxed) - bytes;
        self.tell(done);
    }

    fn tell(&self, done: u64) {
        self.fetcher.progress.report(ProgressEvent::Advanced {
            subject: self.subject.to_owned(),
            done,
            total: self.total,
        });
    }
}

impl Fetcher {
    /// Fetches one file. Afterwards the destination holds the whole verified file, or on failure
    /// what it held before.
    ///
    /// # Errors
    /// When every attempt fails, the file is not the expected one, or it cannot be written.
    pub fn download(&self, subject: &str, download: &Download) -> Result<Digest, FetchError> {
        let digests = self.download_all(subject, std::slice::from_ref(download))?;
        Ok(digests[0])
    }

    /// Fetches several files at once; returns their digests in the same order.
    ///
    /// # Errors
    /// The first failure. Files that were complete by then stay.
    pub fn download_all(
        &self,
        subject: &str,
        downloads: &[Download],
    ) -> Result<Vec<Digest>, FetchError> {
        let choices: Vec<&[Download]> = downloads.iter().map(std::slice::from_ref).collect();
        self.download_each(subject, &choices, |_, digest| Ok(digest))
    }

    /// Fetches several files at once and works on each as soon as it is there, on the thread that
    /// fetched it. Each file has one or more places, tried in order. Returns the results in the
    /// order of the files.
    ///
    /// # Errors
    /// The first failure, of fetching or of the work. Files that were complete by then stay.
    pub fn download_each<T: Send, E: From<FetchError> + Send>(
        &self,
        subject: &str,
        files: &[&[Download]],
        work: impl Fn(usize, Digest) -> Result<T, E> + Sync,
    ) -> Result<Vec<T>, E> {
        let meter = Meter {
            fetcher: self,
            subject,
            done: AtomicU64::new(0),
            total: files
                .iter()
                .map(|places| places.first().and_then(|download| download.size))
                .sum(),
        };
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let results: Vec<Mutex<Option<Result<T, E>>>> =
            files.iter().map(|_| Mutex::new(None)).collect();
        let run = || {
            while !stop.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(places) = files.get(index) else {
                    break;
                };
                let result = self
                    .fetch_from(places, &meter)
                    .map_err(E::from)
                    .and_then(|digest| work(index, digest));
                stop.fetch_or(result.is_err(), Ordering::Relaxed);
                *results[index]
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner) = Some(result);
            }
        };
        let threads = self.settings.parallel.clamp(1, files.len().max(1));
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(run);
            }
            run();
        });
        let results = results
            .into_iter()
            .map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner));
        let mut values = Vec::with_capacity(files.len());
        for result in results.flatten() {
            // What was not begun, because another one failed, left no result.
            values.push(result?);
        }
        Ok(values)
    }

    fn fetch_from(&self, places: &[Download], meter: &Meter<'_>) -> Result<Digest, FetchError> {
        let mut first = None;
        for place in places {
            match self.fetch_file(place, meter) {
                Ok(digest) => return Ok(digest),
                Err(error @ FetchError::Write { .. }) => return Err(error),
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or_else(|| FetchError::Request {
            url: ShownUrl::of(""),
            reason: "no place is known for it".to_owned(),
        }))
    }

    fn fetch_file(&self, download: &Download, meter: &Meter<'_>) -> Result<Digest, FetchError> {
        let write = |source| FetchError::Write {
            url: ShownUrl::of(&download.url),
            source,
        };
        if let Some(digest) = already_there(download, meter) {
            return Ok(digest);
        }
        let keep = match download.expected {
            Some(_) => Keep::ForLater,
            None => Keep::Nothing,
        };
        let mut partial = Partial::open(&download.destination, keep).map_err(write)?;
        // Somebody else may have fetched it while this waited for the partial file.
        if let Some(digest) = already_there(download, meter) {
            partial.discard();
            return Ok(digest);
        }
        meter.add(partial.length);
        let mut furthest = 0;
        let mut attempts = Attempts::new(&download.url, &self.settings);
        loop {
            match self.receive(download, &mut partial, meter) {
                Ok(()) => match verify(download, &partial) {
                    Ok(digest) => {
                        partial.publish().map_err(write)?;
                        return Ok(digest);
                    }
                    Err(error) => {
                        // Something stale, from a proxy or an earlier attempt: from the start.
                        meter.remove(partial.length);
                        partial.restart().map_err(write)?;
                        attempts.next(Failure::Passing {
                            reason: Reason::Error(error),
                            wait: None,
                        })?;
                    }
                },
                Err(failure) => {
                    if partial.length > furthest {
                        furthest = partial.length;
                        attempts.progressed();
                    }
                    attempts.next(failure)?;
                }
            }
        }
    }

    /// One request for what the partial file still lacks.
    fn receive(
        &self,
        download: &Download,
        partial: &mut Partial,
        meter: &Meter<'_>,
    ) -> Result<(), Failure> {
        let url = &download.url;
        let write = |source| {
            Failure::Final(FetchError::Write {
                url: ShownUrl::of(url),
                source,
            })
        };
        if partial.length > 0 && download.size == Some(partial.length) {
            // An earlier attempt got everything but was ended before it could check.
            return Ok(());
        }
        // Compressed in transit, a body would neither have the length nor the ranges of the file.
        let mut more = vec![("accept-encoding", "identity".to_owned())];
        if partial.length > 0 {
            more.push(("range", format!("bytes={}-", partial.length)));
            if let Some(version) = &partial.version {
                more.push(("if-range", version.clone()));
            }
        }
        let mut response = attempt::send(self.agent(url), url, &download.headers, &more)?;
        let status = response.status().as_u16();
        let resumed = status == 206
            && header(&response, "content-range").and_then(range_start) == Some(partial.length);
        if !resumed && partial.length > 0 {
            meter.remove(partial.length);
            partial.restart().map_err(write)?;
        }
        match status {
            206 if resumed => {}
            // A range that was not asked for, or that the file does not have: from the start.
            206 | 416 => return Err(Failure::connection("the server cannot resume")),
            200..300 => {}
            _ => {
                return Err(Failure::Final(FetchError::Status {
                    url: ShownUrl::of(url),
                    status,
                    attempts: 1,
                }));
            }
        }
        partial.version = header(&response, "etag")
            .filter(|tag| !tag.starts_with("W/"))
            .map(str::to_owned);
        let limit = download.size.unwrap_or(LARGEST);
        let mut reader = response.body_mut().as_reader();
        let mut buffer = vec![0; 128 << 10];
        loop {
            let count = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Err(Failure::connection(error)),
            };
            if partial.length + count as u64 > limit {
                return Err(Failure::Final(match download.size {
                    Some(expected) => FetchError::Size {
                        url: ShownUrl::of(url),
                        expected,
                        actual: partial.length + count as u64,
                    },
                    None => FetchError::TooLarge {
                        url: ShownUrl::of(url),
                        limit,
                    },
                }));
            }
            partial.append(&buffer[..count]).map_err(write)?;
            meter.add(count as u64);
        }
        match download.size {
            Some(size) if partial.length < size => Err(Failure::connection(format!(
                "the connection ended after {} of {size} bytes",
                partial.length
            ))),
            _ => Ok(()),
        }
    }
}

/// What stands at the destination, if it is what is wanted.
fn already_there(download: &Download, meter: &Meter<'_>) -> Option<Digest> {
    let expected = download.expected?;
    let mut file = File::open(&download.destination).ok()?;
    let (digest, length) = Digest::of_reader(&mut file).ok()?;
    if digest != expected {
        return None;
    }
    meter.add(length);
    Some(digest)
}

fn verify(download: &Download, partial: &Partial) -> Result<Digest, FetchError> {
    let actual = partial.digest();
    match download.expected {
        Some(expected) if expected != actual => Err(FetchError::Digest {
            url: ShownUrl::of(&download.url),
            expected,
            actual,
        }),
        _ => Ok(actual),
    }
}

fn header<'a>(response: &'a ureq::http::Response<ureq::Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// `bytes 100-199/200` → 100.
fn range_start(value: &str) -> Option<u64> {
    let range = value.trim().strip_prefix("bytes")?.trim_start();
    range.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_where_a_range_starts() {
        assert_eq!(range_start("bytes 100-199/200"), Some(100));
        assert_eq!(range_start("bytes */200"), None);
        assert_eq!(range_start("items 0-1/2"), None);
    }
}
