//! The names in an archive that [`super::ustar`] wrote, read as a stream: what a file holds is passed
//! over, however much it is.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

use super::Attributes;

/// A block of the archive, which is also a header's length.
const BLOCK: usize = 512;

/// What an extended header may be long: a path and capabilities.
const LONGEST_RECORDS: u64 = 1 << 20;

/// The paths of an archive that this crate wrote, with their attributes.
///
/// # Errors
/// When reading fails; of another kind of bytes it is [`io::ErrorKind::InvalidData`].
pub(crate) fn paths(tar: &mut dyn BufRead) -> io::Result<Vec<(String, Attributes)>> {
    let mut found = Vec::new();
    each_path(tar, &mut |path, attributes| {
        found.push((path.to_owned(), attributes));
    })?;
    Ok(found)
}

/// The files of an archive that this crate wrote, with what they hold.
///
/// # Errors
/// When it is no such archive.
pub(crate) fn contents(tar: &[u8]) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(tar).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let path = String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| foreign())?;
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            found.insert(path, bytes);
        }
    }
    Ok(found)
}

/// Gives every path to `take`, and reads to the end.
///
/// # Errors
/// As [`paths`].
pub(crate) fn each_path(
    tar: &mut dyn BufRead,
    take: &mut dyn FnMut(&str, Attributes),
) -> io::Result<()> {
    let mut header = [0; BLOCK];
    let mut long = None;
    let mut joined = String::new();
    while !tar.fill_buf()?.is_empty() {
        tar.read_exact(&mut header).map_err(foreign_end)?;
        let size = number(&header, 124..136)?;
        let padded = size.div_ceil(BLOCK as u64) * BLOCK as u64;
        if header[156] == b'x' {
            if size > LONGEST_RECORDS {
                return Err(foreign());
            }
            let mut records = Vec::new();
            (&mut *tar).take(padded).read_to_end(&mut records)?;
            let records = usize::try_from(size)
                .ok()
                .and_then(|size| records.get(..size));
            long = pax_path(records.ok_or_else(foreign)?);
            continue;
        }
        pass_over(tar, padded)?;
        let path = match (&long, text(&header, 345..500)?) {
            (Some(path), _) => path,
            (None, "") => text(&header, 0..100)?,
            (None, prefix) => {
                joined.clear();
                joined.extend([prefix, "/", text(&header, 0..100)?]);
                &joined
            }
        };
        let attribute = |range| {
            let number = number(&header, range)?;
            u32::try_from(number).map_err(|_| foreign())
        };
        let attributes = Attributes {
            mode: attribute(100..108)?,
            uid: attribute(108..116)?,
            gid: attribute(116..124)?,
        };
        take(path.trim_end_matches('/'), attributes);
        long = None;
    }
    Ok(())
}

fn text(header: &[u8; BLOCK], range: std::ops::Range<usize>) -> io::Result<&str> {
    let field = &header[range];
    let end = memchr::memchr(0, field).unwrap_or(field.len());
    std::str::from_utf8(&field[..end]).map_err(|_| foreign())
}

fn number(header: &[u8; BLOCK], range: std::ops::Range<usize>) -> io::Result<u64> {
    u64::from_str_radix(text(header, range)?, 8).map_err(|_| foreign())
}

fn pass_over(tar: &mut dyn BufRead, mut left: u64) -> io::Result<()> {
    while left > 0 {
        let there = tar.fill_buf()?.len() as u64;
        if there == 0 {
            return Err(foreign());
        }
        let passed = there.min(left);
        // No more than what is there, and that is in memory.
        tar.consume(passed as usize);
        left -= passed;
    }
    Ok(())
}

fn foreign() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "this is no archive of ours")
}

/// An end within a header is no end of ours.
fn foreign_end(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => foreign(),
        _ => error,
    }
}

fn pax_path(mut records: &[u8]) -> Option<String> {
    while !records.is_empty() {
        let space = records.iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
        let record = std::str::from_utf8(records.get(space + 1..length.checked_sub(1)?)?).ok()?;
        if let Some(path) = record.strip_prefix("path=") {
            return Some(path.to_owned());
        }
        records = records.get(length..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{FileSet, write_tar};

    #[test]
    fn what_is_cut_off_or_no_archive_is_told_and_not_taken() {
        let mut files = FileSet::new();
        let long = "d/".repeat(120) + "f";
        files
            .file(&long, Attributes::FILE, "x".repeat(1000))
            .unwrap();
        let mut tar = Vec::new();
        write_tar(&files, &mut tar).unwrap();
        let whole: Vec<_> = paths(&mut tar.as_slice()).unwrap();
        assert_eq!(whole.last().unwrap().0, long);
        for length in 0..tar.len() {
            let read = paths(&mut &tar[..length]);
            // A cut between two entries shows none; the digest does.
            match read {
                Ok(read) => assert!(length % BLOCK == 0 && whole.starts_with(&read), "{length}"),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{length}"),
            }
        }
        for garbage in [vec![0xff; 2048], b"7".repeat(512), vec![0; 1024]] {
            assert!(paths(&mut garbage.as_slice()).is_err());
        }
    }
}
