//! Writes a container's output as lines of JSON, in files of bounded size.
//!
//! The form is that of Docker's `json-file`: `{"log":"text\n","stream":"stdout","time":"…"}`.

use std::io::{self, Write};
use std::path::PathBuf;

use fs_err::File;
use serde::Serialize;

use super::log_reader::LogStream;
use super::spec::LogSpec;
use super::timestamp::Timestamp;

/// Longest text of one entry; longer lines are split, and all parts but the last have no line end.
const LONGEST_ENTRY: usize = 16 * 1024;

#[derive(Serialize)]
struct Entry<'a> {
    log: &'a str,
    stream: LogStream,
    time: Timestamp,
}

/// The log of one container.
pub(crate) struct LogWriter {
    spec: LogSpec,
    file: File,
    size: u64,
    partial: [Vec<u8>; 2],
}

impl LogWriter {
    /// Continues the log, or begins it.
    pub(crate) fn open(spec: &LogSpec) -> io::Result<Self> {
        if let Some(parent) = spec.path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        let file = open_for_appending(&spec.path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            spec: spec.clone(),
            file,
            size,
            partial: [Vec::new(), Vec::new()],
        })
    }

    /// Takes output as it comes; writes the lines that are whole.
    pub(crate) fn write(&mut self, stream: LogStream, bytes: &[u8]) -> io::Result<()> {
        let mut partial = std::mem::take(&mut self.partial[stream.index()]);
        partial.extend_from_slice(bytes);
        let time = Timestamp::now();
        let mut batch = Vec::with_capacity(partial.len() + 128);
        let mut start = 0;
        while let Some(length) = entry_length(&partial[start..]) {
            encode(&mut batch, stream, time, &partial[start..start + length]);
            start += length;
            if self.size + batch.len() as u64 >= self.spec.max_size {
                self.append(&batch)?;
                batch.clear();
                self.rotate()?;
            }
        }
        partial.drain(..start);
        self.partial[stream.index()] = partial;
        self.append(&batch)
    }

    /// Writes what is left without a line end.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            let rest = std::mem::take(&mut self.partial[stream.index()]);
            if !rest.is_empty() {
                let mut batch = Vec::new();
                encode(&mut batch, stream, Timestamp::now(), &rest);
                self.append(&batch)?;
            }
        }
        Ok(())
    }

    fn append(&mut self, batch: &[u8]) -> io::Result<()> {
        self.file.write_all(batch)?;
        self.size += batch.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.spec.max_files).rev() {
            let older = rotated(&self.spec, number);
            let newer = rotated(&self.spec, number - 1);
            match fs_err::rename(&newer, &older) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.spec.max_files <= 1 {
            fs_err::remove_file(&self.spec.path)?;
        }
        self.file = open_for_appending(&self.spec.path)?;
        self.size = 0;
        Ok(())
    }
}

/// Path of the file that is `number` rotations old.
pub(crate) fn rotated(spec: &LogSpec, number: u32) -> PathBuf {
    if number == 0 {
        return spec.path.clone();
    }
    let mut name = spec.path.clone().into_os_string();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn open_for_appending(path: &std::path::Path) -> io::Result<File> {
    use fs_err::os::unix::fs::OpenOptionsExt;
    fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o640)
        .open(path)
}

/// Length of the first entry in `bytes`, when it is whole. A split never cuts a UTF-8 character.
fn entry_length(bytes: &[u8]) -> Option<usize> {
    let window = &bytes[..bytes.len().min(LONGEST_ENTRY)];
    if let Some(end) = window.iter().position(|byte| *byte == b'\n') {
        return Some(end + 1);
    }
    if bytes.len() < LONGEST_ENTRY {
        return None;
    }
    let is_start = |byte: u8| byte & 0xC0 != 0x80;
    let cut = (LONGEST_ENTRY - 3..=LONGEST_ENTRY)
        .rev()
        .find(|at| bytes.get(*at).copied().is_none_or(is_start));
    Some(cut.unwrap_or(LONGEST_ENTRY))
}

fn encode(batch: &mut Vec<u8>, stream: LogStream, time: Timestamp, text: &[u8]) {
    let entry = Entry {
        log: &String::from_utf8_lossy(text),
        stream,
        time,
    };
    serde_json::to_writer(&mut *batch, &entry).expect("writing to memory does not fail");
    batch.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::super::log_reader::{LogOptions, logs};
    use super::*;

    fn read(spec: &LogSpec) -> Vec<(LogStream, String)> {
        logs(spec, None, &LogOptions::default())
            .unwrap()
            .map(|entry| entry.map(|entry| (entry.stream, entry.text)).unwrap())
            .collect()
    }

    #[test]
    fn lines_are_whole_whatever_the_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let spec = LogSpec::new(dir.path().join("web.log"));
        let mut writer = LogWriter::open(&spec).unwrap();
        writer.write(LogStream::Stdout, b"one\ntw").unwrap();
        writer.write(LogStream::Stderr, b"bad\n").unwrap();
        writer.write(LogStream::Stdout, b"o\nthr\xff").unwrap();
        writer.finish().unwrap();
        assert_eq!(
            read(&spec),
            [
                (LogStream::Stdout, "one\n".to_owned()),
                (LogStream::Stderr, "bad\n".to_owned()),
                (LogStream::Stdout, "two\n".to_owned()),
                (LogStream::Stdout, "thr\u{fffd}".to_owned()),
            ]
        );
    }

    #[test]
    fn long_lines_are_split_between_characters() {
        let dir = tempfile::tempdir().unwrap();
        let spec = LogSpec::new(dir.path().join("web.log"));
        let mut writer = LogWriter::open(&spec).unwrap();
        let line = "é".repeat(LONGEST_ENTRY) + "\n";
        writer.write(LogStream::Stdout, b"x").unwrap();
        writer.write(LogStream::Stdout, line.as_bytes()).unwrap();
        let entries = read(&spec);
        assert!(entries.iter().all(|(_, text)| text.len() <= LONGEST_ENTRY));
        let whole: String = entries.into_iter().map(|(_, text)| text).collect();
        assert_eq!(whole, format!("x{line}"));
    }

    #[test]
    fn old_files_go_when_there_are_too_many() {
        let dir = tempfile::tempdir().unwrap();
        let spec = LogSpec {
            path: dir.path().join("web.log"),
            max_size: 2_000,
            max_files: 3,
            keeping: crate::container::LogKeeping::Files,
        };
        let mut writer = LogWriter::open(&spec).unwrap();
        for number in 0..200 {
            writer
                .write(LogStream::Stdout, format!("line {number}\n").as_bytes())
                .unwrap();
        }
        let mut names: Vec<_> = fs_err::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["web.log", "web.log.1", "web.log.2"]);
        for name in names {
            let size = fs_err::metadata(dir.path().join(&name)).unwrap().len();
            assert!(size < 2_200, "{name} has {size} bytes");
        }
        let entries = read(&spec);
        assert_eq!(entries.last().unwrap().1, "line 199\n");
        let first: usize = entries[0]
            .1
            .trim_start_matches("line ")
            .trim()
            .parse()
            .unwrap();
        assert_eq!(entries.len(), 200 - first, "no entry between is missing");
    }
}
