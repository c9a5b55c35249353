//! Reading ZIP archives in memory, which wheels and Go modules are. Only what these use: no
//! encryption, no ZIP64, stored or deflated entries.

mod file;

use libdeflater::Decompressor;

pub(crate) use file::{FileEntry, entries_of_file};

/// Signature of the record at the end of the archive.
const END: &[u8; 4] = b"PK\x05\x06";
/// Signature of an entry of the central directory.
const ENTRY: &[u8; 4] = b"PK\x01\x02";
/// The largest file that is read.
const LARGEST: usize = 512 << 20;

/// One entry of an archive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// Its path as written.
    pub name: &'a str,
    method: usize,
    data: &'a [u8],
    size: usize,
    mode: u32,
}

/// The entries of an archive, in the order of its directory. The error is a short reason.
pub(crate) fn entries(archive: &[u8]) -> Result<Vec<Entry<'_>>, String> {
    let broken = || "it is not a whole ZIP archive".to_string();
    let end = archive
        .windows(4)
        .rposition(|window| window == END)
        .ok_or_else(broken)?;
    let count = number(archive, end + 10, 2).ok_or_else(broken)?;
    let mut at = number(archive, end + 16, 4).ok_or_else(broken)?;
    let mut found = Vec::with_capacity(count);
    for _ in 0..count {
        let (entry, length) = entry(archive, at).ok_or_else(broken)?;
        found.push(entry);
        at += length;
    }
    Ok(found)
}

/// What the directory of an archive says of an entry.
#[derive(Debug, Clone, Copy)]
struct Record {
    method: usize,
    packed: usize,
    size: usize,
    offset: usize,
    mode: u32,
}

/// The name and record that stand at `at` of a directory, and their length.
fn record(directory: &[u8], at: usize) -> Option<(&str, Record, usize)> {
    let record = directory.get(at..at.checked_add(46)?)?;
    if !record.starts_with(ENTRY) {
        return None;
    }
    let name_length = number(record, 28, 2)?;
    let rest = number(record, 30, 2)? + number(record, 32, 2)?;
    let name = directory.get(at + 46..at + 46 + name_length)?;
    let found = Record {
        method: number(record, 10, 2)?,
        packed: number(record, 20, 4)?,
        size: number(record, 24, 4)?,
        offset: number(record, 42, 4)?,
        mode: (number(record, 38, 4)? >> 16) as u32,
    };
    let name = std::str::from_utf8(name).ok()?;
    Some((name, found, 46 + name_length + rest))
}

/// How far the bytes of an entry are from the beginning of its own head.
fn after_head(head: &[u8]) -> Option<usize> {
    Some(30 + number(head, 26, 2)? + number(head, 28, 2)?)
}

/// The entry whose record stands at `at`, and the record's length.
fn entry(archive: &[u8], at: usize) -> Option<(Entry<'_>, usize)> {
    let (name, record, length) = record(archive, at)?;
    let offset = record.offset;
    let head = archive.get(offset..offset.checked_add(30)?)?;
    let start = offset + after_head(head)?;
    let entry = Entry {
        name,
        method: record.method,
        data: archive.get(start..start.checked_add(record.packed)?)?,
        size: record.size,
        mode: record.mode,
    };
    Some((entry, length))
}

impl Entry<'_> {
    /// Its bytes, inflated.
    pub(crate) fn content(&self) -> Result<Vec<u8>, String> {
        match self.method {
            0 => Ok(self.data.to_vec()),
            8 if self.size <= LARGEST => {
                let mut out = vec![0; self.size];
                match Decompressor::new().deflate_decompress(self.data, &mut out) {
                    Ok(length) if length == self.size => Ok(out),
                    Ok(_) => Err("an entry is shorter than it says".to_string()),
                    Err(error) => Err(format!("an entry cannot be inflated: {error}")),
                }
            }
            8 => Err("an entry is larger than what is read".to_string()),
            other => Err(format!("an entry uses compression method {other}")),
        }
    }

    /// How many bytes it says it has; never fewer than [`Self::content`] gives.
    pub(crate) fn size(&self) -> usize {
        self.size.max(self.data.len())
    }

    /// Whether it says that its owner may run it.
    pub(crate) fn is_executable(&self) -> bool {
        self.mode & 0o100 != 0
    }

    /// The permissions it states.
    pub(crate) fn permissions(&self) -> u32 {
        self.mode & 0o777
    }
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    Some(
        field
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | usize::from(*byte)),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A ZIP archive of stored entries.
    pub(crate) fn archive(files: &[(&str, &[u8], u32)]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut directory = Vec::new();
        for (name, data, mode) in files {
            let length = (data.len() as u32).to_le_bytes();
            let name_length = (name.len() as u16).to_le_bytes();
            directory.extend(ENTRY);
            directory.extend([0; 16]);
            directory.extend(length);
            directory.extend(length);
            directory.extend(name_length);
            directory.extend([0; 8]);
            directory.extend((mode << 16).to_le_bytes());
            directory.extend((out.len() as u32).to_le_bytes());
            directory.extend(name.as_bytes());
            out.extend(b"PK\x03\x04");
            out.extend([0; 14]);
            out.extend(length);
            out.extend(length);
            out.extend(name_length);
            out.extend([0; 2]);
            out.extend(name.as_bytes());
            out.extend(*data);
        }
        let start = out.len() as u32;
        let length = directory.len() as u32;
        out.extend(directory);
        out.extend(END);
        out.extend([0; 4]);
        out.extend((files.len() as u16).to_le_bytes());
        out.extend((files.len() as u16).to_le_bytes());
        out.extend(length.to_le_bytes());
        out.extend(start.to_le_bytes());
        out.extend([0; 2]);
        out
    }

    /// A ZIP archive of one deflated entry.
    pub(crate) fn deflated(name: &str, data: &[u8]) -> Vec<u8> {
        let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
        let mut packed = vec![0; compressor.deflate_compress_bound(data.len())];
        let length = compressor.deflate_compress(data, &mut packed).unwrap();
        packed.truncate(length);
        let mut out = archive(&[(name, &packed, 0o644)]);
        let record = out.windows(4).position(|window| window == ENTRY).unwrap();
        out[record + 10] = 8;
        out[record + 24..record + 28].copy_from_slice(&(data.len() as u32).to_le_bytes());
        out
    }

    #[test]
    fn entries_come_with_their_content_and_mode() {
        let bytes = archive(&[("a/run", b"one", 0o755), ("a/read", b"two", 0o644)]);
        let read: Vec<_> = entries(&bytes)
            .unwrap()
            .iter()
            .map(|entry| (entry.name, entry.content().unwrap(), entry.is_executable()))
            .collect();
        assert_eq!(
            read,
            [
                ("a/run", b"one".to_vec(), true),
                ("a/read", b"two".to_vec(), false)
            ]
        );
    }

    proptest! {
        #[test]
        fn a_damaged_archive_is_refused_without_a_panic(
            cut in 0_usize..120, flip in 0_usize..120, bit in 0_u8..8,
        ) {
            let mut bytes = archive(&[("a/b", b"0123456789", 0o644)]);
            let flip = flip % bytes.len();
            bytes[flip] ^= 1 << bit;
            bytes.truncate(cut);
            for entry in entries(&bytes).into_iter().flatten() {
                let _ = entry.content();
            }
        }
    }
}
