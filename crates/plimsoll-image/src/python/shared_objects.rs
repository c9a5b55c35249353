//! Which shared libraries a shared object needs, read from its own headers.
//!
//! Only the headers and the dynamic section are read, wherever they are in the file: a library of
//! a gigabyte costs no more than a small one. Untrusted input: every number is checked.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::oci::Architecture;

/// The most dynamic entries and segments that are believed.
const MOST_ENTRIES: u64 = 4096;
/// The longest string table that is believed.
const LONGEST_NAMES: u64 = 64 << 20;

/// What a shared object says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SharedObject {
    /// The processor it is for; `None`: another one.
    pub architecture: Option<Architecture>,
    /// Names of libraries it needs: `libpq.so.5`.
    pub needed: Vec<String>,
}

/// Reads a file; `None` when it is no 64-bit little-endian ELF file.
pub(super) fn read(path: &Path) -> std::io::Result<Option<SharedObject>> {
    read_from(&mut fs::File::open(path)?)
}

/// The same for what is in memory or open.
pub(super) fn read_from(file: &mut (impl Read + Seek)) -> std::io::Result<Option<SharedObject>> {
    let mut start = [0; 64];
    match file.read_exact(&mut start) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    match parse(file, &start) {
        Ok(found) => Ok(found),
        // What ends too early is no library; whoever loads it says so better.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(file: &mut (impl Read + Seek), start: &[u8; 64]) -> std::io::Result<Option<SharedObject>> {
    if start[..6] != *b"\x7fELF\x02\x01" {
        return Ok(None);
    }
    let architecture = match number(start, 0x12, 2) {
        62 => Some(Architecture::Amd64),
        183 => Some(Architecture::Arm64),
        _ => None,
    };
    let (table, size, count) = (
        number(start, 0x20, 8),
        number(start, 0x36, 2),
        number(start, 0x38, 2),
    );
    let mut found = SharedObject {
        architecture,
        needed: Vec::new(),
    };
    if size < 56 || count > MOST_ENTRIES {
        return Ok(Some(found));
    }
    let headers = part(file, table, size * count)?;
    let headers: Vec<&[u8]> = headers.chunks_exact(size as usize).collect();
    // Addresses of the loaded image, and where they are in the file.
    let place_of = |address: u64| {
        headers
            .iter()
            .filter(|header| number(header, 0, 4) == 1)
            .find_map(|header| {
                let (offset, begin, length) = (
                    number(header, 0x08, 8),
                    number(header, 0x10, 8),
                    number(header, 0x20, 8),
                );
                let inside = address.checked_sub(begin).filter(|at| *at < length)?;
                offset.checked_add(inside)
            })
    };
    let Some(dynamic) = headers.iter().find(|header| number(header, 0, 4) == 2) else {
        return Ok(Some(found));
    };
    let length = number(dynamic, 0x20, 8).min(MOST_ENTRIES * 16);
    let dynamic = part(file, number(dynamic, 0x08, 8), length)?;
    let entries: Vec<(u64, u64)> = dynamic
        .chunks_exact(16)
        .map(|entry| (number(entry, 0, 8), number(entry, 8, 8)))
        .take_while(|(tag, _)| *tag != 0)
        .collect();
    let value = |wanted: u64| {
        entries
            .iter()
            .find_map(|(tag, value)| (*tag == wanted).then_some(*value))
    };
    let (Some(names), Some(length)) = (value(5).and_then(place_of), value(10)) else {
        return Ok(Some(found));
    };
    if length > LONGEST_NAMES {
        return Ok(Some(found));
    }
    let names = part(file, names, length)?;
    for (_, at) in entries.iter().filter(|(tag, _)| *tag == 1) {
        let name = usize::try_from(*at)
            .ok()
            .and_then(|at| names.get(at..))
            .and_then(|rest| rest.split(|byte| *byte == 0).next());
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            found
                .needed
                .push(String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok(Some(found))
}

fn part(file: &mut (impl Read + Seek), at: u64, length: u64) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < length {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// A little-endian number; 0 where the bytes end.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes
        .get(at..at + length)
        .unwrap_or_default()
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    /// A shared object that needs two libraries.
    fn object() -> Vec<u8> {
        let mut file = vec![0; 64 + 2 * 56];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[0x12] = 183;
        file[0x20] = 64;
        file[0x36] = 56;
        file[0x38] = 2;
        let names = b"\0libpq.so.5\0libc.so.6\0";
        let names_at = file.len() as u64;
        file.extend(names);
        let dynamic_at = file.len() as u64;
        let base = 0x10000_u64;
        for (tag, value) in [
            (1, 1_u64),
            (1, 12),
            (5, base + names_at),
            (10, names.len() as u64),
            (0, 0),
        ] {
            file.extend(u64::to_le_bytes(tag));
            file.extend(value.to_le_bytes());
        }
        let length = file.len() as u64;
        let mut header = |index: usize, kind: u8, at: u64, address: u64, size: u64| {
            let start = 64 + index * 56;
            file[start] = kind;
            file[start + 0x08..start + 0x10].copy_from_slice(&at.to_le_bytes());
            file[start + 0x10..start + 0x18].copy_from_slice(&address.to_le_bytes());
            file[start + 0x20..start + 0x28].copy_from_slice(&size.to_le_bytes());
        };
        header(0, 1, 0, base, length);
        header(1, 2, dynamic_at, base + dynamic_at, 80);
        file
    }

    fn parsed(file: &[u8]) -> Option<SharedObject> {
        let start: [u8; 64] = file.get(..64)?.try_into().ok()?;
        parse(&mut Cursor::new(file), &start).ok().flatten()
    }

    #[test]
    fn a_shared_object_says_what_it_needs() {
        let found = parsed(&object()).unwrap();
        assert_eq!(found.architecture, Some(Architecture::Arm64));
        assert_eq!(found.needed, ["libpq.so.5", "libc.so.6"]);
        assert_eq!(parsed(&[0; 64]), None);
    }

    proptest! {
        #[test]
        fn no_damage_makes_it_fail(changes in proptest::collection::vec((0_usize..300, any::<u8>()), 0..8), cut in 0_usize..300) {
            let mut file = object();
            let length = file.len();
            for (at, byte) in changes {
                file[at % length] = byte;
            }
            file.truncate(cut.min(length));
            let _ = parsed(&file);
        }
    }
}
