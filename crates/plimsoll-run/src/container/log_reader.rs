//! Reads a container's log across its files, and follows it while it grows.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err::File;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use serde::{Deserialize, Serialize};

use super::log_writer::rotated;
use super::spec::LogSpec;
use super::state::ContainerState;
use super::timestamp::Timestamp;

/// Where an entry came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

impl LogStream {
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Stdout => 0,
            Self::Stderr => 1,
        }
    }
}

/// One entry of a log: a line, or a part of a very long one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LogEntry {
    /// The text with its line end, where it has one.
    #[serde(rename = "log")]
    pub text: String,
    /// Where it came from.
    pub stream: LogStream,
    /// When the engine read it.
    pub time: Timestamp,
}

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// Only so many of the last entries that are there already.
    pub tail: Option<usize>,
    /// Only entries from this moment on.
    pub since: Option<Timestamp>,
}

/// Reads the log that `spec` names. With `follow`, the directory of the container, the iterator
/// waits for more until the container has ended; without, it ends with what is there.
///
/// # Errors
/// When a file cannot be read. A log that does not exist yet is empty.
pub fn logs(spec: &LogSpec, follow: Option<&Path>, options: &LogOptions) -> io::Result<LogReader> {
    let watch = match follow {
        Some(dir) => Some(Watch::new(spec, dir)?),
        None => None,
    };
    let mut reader = LogReader {
        spec: spec.clone(),
        watch,
        since: options.since,
        queue: VecDeque::new(),
        current: None,
        pending: Vec::new(),
    };
    reader.read_present(options.tail)?;
    Ok(reader)
}

/// Iterates over entries; see [`logs`].
pub struct LogReader {
    spec: LogSpec,
    watch: Option<Watch>,
    since: Option<Timestamp>,
    queue: VecDeque<LogEntry>,
    current: Option<BufReader<File>>,
    /// The start of a line whose end is not written yet.
    pending: Vec<u8>,
}

impl LogReader {
    fn read_present(&mut self, tail: Option<usize>) -> io::Result<()> {
        // Oldest first. A rotation in between moves files to higher numbers, so nothing is read
        // twice; what falls out at the end was to be dropped anyway.
        for number in (0..self.spec.max_files.max(1)).rev() {
            match File::open(rotated(&self.spec, number)) {
                Ok(file) => self.current = Some(BufReader::new(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            self.pending.clear();
            self.read_to_end()?;
            if let Some(tail) = tail {
                let surplus = self.queue.len().saturating_sub(tail);
                self.queue.drain(..surplus);
            }
        }
        Ok(())
    }

    /// Queues all whole lines of the current file; says whether there was one.
    fn read_to_end(&mut self) -> io::Result<bool> {
        let Some(current) = &mut self.current else {
            return Ok(false);
        };
        let mut any = false;
        loop {
            if current.read_until(b'\n', &mut self.pending)? == 0
                || self.pending.last() != Some(&b'\n')
            {
                return Ok(any);
            }
            // A line cut by a full disk is no reason to withhold the others.
            if let Ok(entry) = serde_json::from_slice::<LogEntry>(&self.pending)
                && self.since.is_none_or(|since| entry.time >= since)
            {
                self.queue.push_back(entry);
                any = true;
            }
            self.pending.clear();
        }
    }

    /// Goes over to the newest file if the current one is no longer it.
    fn reopen(&mut self) -> io::Result<bool> {
        let newest = match File::open(&self.spec.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let same = match &self.current {
            Some(current) => {
                let (old, new) = (current.get_ref().metadata()?, newest.metadata()?);
                old.ino() == new.ino() && old.dev() == new.dev()
            }
            None => false,
        };
        if same {
            return Ok(false);
        }
        // The writer moved on, so the old file has all its lines.
        let skipped = self.skipped_files()?;
        self.read_to_end()?;
        for path in skipped {
            if let Ok(file) = File::open(path) {
                self.current = Some(BufReader::new(file));
                self.pending.clear();
                self.read_to_end()?;
            }
        }
        self.current = Some(BufReader::new(newest));
        self.pending.clear();
        Ok(true)
    }

    /// Files between the current one and the newest, oldest first.
    fn skipped_files(&self) -> io::Result<Vec<PathBuf>> {
        let Some(current) = &self.current else {
            return Ok(Vec::new());
        };
        let inode = current.get_ref().metadata()?.ino();
        let mut between = Vec::new();
        for number in 1..self.spec.max_files {
            let path = rotated(&self.spec, number);
            match fs_err::metadata(&path) {
                Ok(metadata) if metadata.ino() == inode => {
                    between.reverse();
                    return Ok(between);
                }
                Ok(_) => between.push(path),
                Err(_) => break,
            }
        }
        between.reverse();
        Ok(between)
    }

    fn next_entry(&mut self) -> io::Result<Option<LogEntry>> {
        loop {
            if let Some(entry) = self.queue.pop_front() {
                return Ok(Some(entry));
            }
            // Asked before reading: what is written before the end is then surely read.
            let Some(ended) = self.watch.as_ref().map(Watch::has_ended) else {
                return Ok(None);
            };
            if self.read_to_end()? || self.reopen()? {
                continue;
            }
            if ended {
                return Ok(None);
            }
            if let Some(watch) = &self.watch {
                watch.wait()?;
            }
        }
    }
}

impl Iterator for LogReader {
    type Item = io::Result<LogEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_entry().transpose()
    }
}

/// Tells when a log may have grown.
struct Watch {
    container: PathBuf,
    inotify: std::os::fd::OwnedFd,
}

impl Watch {
    fn new(spec: &LogSpec, container: &Path) -> io::Result<Self> {
        let inotify =
            inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        if let Some(parent) = spec.path.parent() {
            fs_err::create_dir_all(parent)?;
            let flags = inotify::WatchFlags::MODIFY
                | inotify::WatchFlags::CREATE
                | inotify::WatchFlags::MOVED_TO;
            inotify::add_watch(&inotify, parent, flags)?;
        }
        let flags = inotify::WatchFlags::MOVED_TO
            | inotify::WatchFlags::DELETE_SELF
            | inotify::WatchFlags::DELETE;
        inotify::add_watch(&inotify, container, flags)?;
        Ok(Self {
            container: container.to_owned(),
            inotify,
        })
    }

    fn has_ended(&self) -> bool {
        let alive = crate::engine::liveness::is_held(&self.container).unwrap_or(false);
        !alive || ContainerState::read(&self.container).is_ok_and(|state| state.is_final())
    }

    /// Waits for an event. The time limit is there for supervisors that are killed and so write
    /// no final state.
    fn wait(&self) -> io::Result<()> {
        let mut fds = [PollFd::new(&self.inotify, PollFlags::IN)];
        let limit = Timespec::try_from(Duration::from_secs(2)).expect("two seconds fit");
        match poll(&mut fds, Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut buffer = [0_u8; 4096];
        while rustix::io::read(&self.inotify, &mut buffer).is_ok_and(|count| count > 0) {}
        Ok(())
    }
}
