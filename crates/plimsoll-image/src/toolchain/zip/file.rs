//! Reading ZIP archives that stay in their file, for those that are too large to be held in memory.
//! The same kind of archive as in memory: no encryption, no ZIP64, stored or deflated entries.

use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;

use flate2::bufread::DeflateDecoder;
use fs_err::File;

use super::{END, LARGEST, Record};

/// The longest end of an archive, with its comment.
const LONGEST_END: u64 = 22 + 65_535;

/// What fields hold whose value stands in a ZIP64 record.
const ELSEWHERE: usize = 0xffff_ffff;

/// The largest directory of an archive that is read.
const LARGEST_DIRECTORY: usize = 256 << 20;

/// One entry of an archive in a file.
#[derive(Debug)]
pub(crate) struct FileEntry<'a> {
    /// Its path as written.
    pub name: String,
    file: &'a File,
    record: Record,
}

/// The entries of an archive, in the order of its directory. The error is a short reason.
pub(crate) fn entries_of_file(file: &File) -> Result<Vec<FileEntry<'_>>, String> {
    let broken = || "it is not a whole ZIP archive".to_string();
    let told = |error: io::Error| error.to_string();
    let length = file.metadata().map_err(told)?.len();
    let tail = length.min(LONGEST_END);
    let end = bytes_at(file, length - tail, tail as usize).map_err(told)?;
    let at = end
        .windows(4)
        .rposition(|window| window == END)
        .ok_or_else(broken)?;
    let field = |offset, length| super::number(&end, at + offset, length).ok_or_else(broken);
    let (count, size, start) = (field(10, 2)?, field(12, 4)?, field(16, 4)?);
    if size > LARGEST_DIRECTORY || start as u64 + size as u64 > length {
        return Err(broken());
    }
    let directory = bytes_at(file, start as u64, size).map_err(told)?;
    let mut found = Vec::with_capacity(count);
    let mut at = 0;
    for _ in 0..count {
        let (name, record, length) = super::record(&directory, at).ok_or_else(broken)?;
        if [record.packed, record.size, record.offset].contains(&ELSEWHERE) {
            return Err("it is a ZIP64 archive".to_string());
        }
        found.push(FileEntry {
            name: name.to_string(),
            file,
            record,
        });
        at += length;
    }
    Ok(found)
}

impl FileEntry<'_> {
    /// Its length once it is inflated.
    pub(crate) fn size(&self) -> u64 {
        self.record.size as u64
    }

    /// The permissions it states.
    pub(crate) fn permissions(&self) -> u32 {
        self.record.mode & 0o777
    }

    /// Its bytes, inflated.
    pub(crate) fn content(&self) -> Result<Vec<u8>, String> {
        if self.record.size > LARGEST {
            return Err("an entry is larger than what is read".to_string());
        }
        let mut bytes = Vec::with_capacity(self.record.size);
        self.copy_to(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes its bytes, inflated, as they are read.
    pub(crate) fn copy_to(&self, output: &mut impl io::Write) -> Result<(), String> {
        let told = |error: io::Error| format!("an entry cannot be inflated: {error}");
        let offset = self.record.offset as u64;
        let head = bytes_at(self.file, offset, 30).map_err(told)?;
        let skipped = super::after_head(&head).ok_or("an entry has no head")?;
        let packed = BufReader::with_capacity(
            256 << 10,
            Slice {
                file: self.file,
                at: offset + skipped as u64,
                left: self.record.packed as u64,
            },
        );
        // One byte more than it should have tells an entry that is too long.
        let most = self.size() + 1;
        let copied = match self.record.method {
            0 => io::copy(&mut packed.take(most), output),
            8 => io::copy(&mut DeflateDecoder::new(packed).take(most), output),
            other => return Err(format!("an entry uses compression method {other}")),
        };
        match copied.map_err(told)? == self.size() {
            true => Ok(()),
            false => Err("an entry has another length than it says".to_string()),
        }
    }
}

fn bytes_at(file: &File, at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    file.file().read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

/// A part of a file.
struct Slice<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Read for Slice<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(most);
        let count = self.file.file().read_at(&mut buffer[..wanted], self.at)?;
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{archive, deflated};
    use super::*;

    fn in_file(bytes: &[u8]) -> (tempfile::TempDir, File) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.whl");
        fs_err::write(&path, bytes).unwrap();
        let file = File::open(path).unwrap();
        (directory, file)
    }

    #[test]
    fn a_file_holds_what_the_same_bytes_hold_in_memory() {
        let long = vec![7; 1 << 20];
        for bytes in [
            archive(&[("a/run", b"one", 0o755), ("a/read", &long, 0o644)]),
            deflated("a/read", &long),
        ] {
            let (_directory, file) = in_file(&bytes);
            let here = super::super::entries(&bytes).unwrap();
            let there = entries_of_file(&file).unwrap();
            assert_eq!(here.len(), there.len());
            for (here, there) in here.iter().zip(&there) {
                assert_eq!(here.name, there.name);
                assert_eq!(here.permissions(), there.permissions());
                assert_eq!(here.content().unwrap(), there.content().unwrap());
            }
        }
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_refused_without_a_panic(
            cut in 0_usize..160, flip in 0_usize..160, bit in 0_u8..8,
        ) {
            let mut bytes = deflated("a/b", b"0123456789012345678901234567890123456789");
            let flip = flip % bytes.len();
            bytes[flip] ^= 1 << bit;
            bytes.truncate(cut);
            let (_directory, file) = in_file(&bytes);
            for entry in entries_of_file(&file).into_iter().flatten() {
                let _ = entry.content();
            }
        }
    }
}
