//! What one ELF file says of itself, read from the few places of the file that say it.
//!
//! Details are read of 64-bit little-endian files, which is what images are made for; of others
//! the processor is enough. A file that contradicts itself has no details.

use std::io;

use serde::{Deserialize, Serialize};

/// How much of a file has to be read to know whether it is one.
pub(super) const HEADER: usize = 64;

/// The longest name that is read.
const LONGEST_NAME: u64 = 512;
/// The most entries of any table that are read.
const MOST_ENTRIES: u64 = 16_384;

/// What an ELF file says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ObjectFacts {
    /// Below the root, without a slash before it.
    pub path: String,
    /// The processor's number.
    pub machine: u16,
    /// Whether it is a program or library, not an object to be linked or a memory dump.
    pub loadable: bool,
    pub needed: Vec<String>,
    pub soname: Option<String>,
    /// `DT_RPATH` and `DT_RUNPATH`.
    pub search: Vec<String>,
    /// Library and version, but for those it can do without.
    pub requires: Vec<(String, String)>,
    pub provides: Vec<String>,
}

/// Reads bytes of the file at an offset; fails beyond its end.
pub(super) type ReadAt<'a> = dyn Fn(u64, u64) -> io::Result<Vec<u8>> + 'a;

struct Segment {
    offset: u64,
    address: u64,
    size: u64,
}

/// Reads a file whose first bytes are `header`; `None` when it is no ELF file.
pub(super) fn read(path: &str, header: &[u8], read_at: &ReadAt<'_>) -> Option<ObjectFacts> {
    if header.len() < HEADER || !header.starts_with(b"\x7fELF") {
        return None;
    }
    let little = header[5] == 1;
    let half = |at: usize| {
        let bytes = [header[at], header[at + 1]];
        if little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        }
    };
    let mut facts = ObjectFacts {
        path: path.to_owned(),
        machine: half(18),
        // 2: a program, 3: a library, or a program that lies anywhere.
        loadable: matches!(half(16), 2 | 3),
        ..ObjectFacts::default()
    };
    if little && header[4] == 2 && facts.loadable {
        let plain = facts.clone();
        if details(&mut facts, header, read_at).is_err() {
            facts = plain;
        }
    }
    Some(facts)
}

fn details(facts: &mut ObjectFacts, header: &[u8], read_at: &ReadAt<'_>) -> io::Result<()> {
    let count = u64::from(u16_at(header, 56)?);
    let table = read_at(u64_at(header, 32)?, count * 56)?;
    let mut loaded = Vec::new();
    let mut dynamic = None;
    for entry in table.chunks_exact(56) {
        let segment = Segment {
            offset: u64_at(entry, 8)?,
            address: u64_at(entry, 16)?,
            size: u64_at(entry, 32)?,
        };
        match u32_at(entry, 0)? {
            1 => loaded.push(segment),
            2 => dynamic = Some(segment),
            _ => {}
        }
    }
    let Some(dynamic) = dynamic else {
        return Ok(());
    };
    // Where in the file something lies that is found by its address.
    let place = |address: u64| {
        loaded
            .iter()
            .find(|segment| address >= segment.address && address - segment.address < segment.size)
            .map(|segment| address - segment.address + segment.offset)
            .ok_or_else(malformed)
    };
    let entries = read_at(dynamic.offset, dynamic.size.min(MOST_ENTRIES * 16))?;
    let mut found: Vec<(u64, u64)> = Vec::new();
    for entry in entries.chunks_exact(16) {
        match u64_at(entry, 0)? {
            0 => break,
            tag => found.push((tag, u64_at(entry, 8)?)),
        }
    }
    let value = |tag: u64| {
        found
            .iter()
            .find(|entry| entry.0 == tag)
            .map(|entry| entry.1)
    };
    let (Some(strings), Some(length)) = (value(5), value(10)) else {
        return Ok(());
    };
    let strings = place(strings)?;
    let name = |offset: u64| -> io::Result<String> {
        let left = length.checked_sub(offset).ok_or_else(malformed)?;
        let bytes = read_at(strings + offset, left.min(LONGEST_NAME))?;
        let end = bytes
            .iter()
            .position(|byte| *byte == 0)
            .ok_or_else(malformed)?;
        String::from_utf8(bytes[..end].to_vec()).map_err(|_| malformed())
    };
    for (tag, offset) in &found {
        match tag {
            1 => facts.needed.push(name(*offset)?),
            14 => facts.soname = Some(name(*offset)?),
            15 | 29 => facts
                .search
                .extend(name(*offset)?.split(':').map(str::to_owned)),
            _ => {}
        }
    }
    let table = |address: u64, count: u64| value(address).zip(value(count).filter(|n| *n > 0));
    if let Some((address, count)) = table(0x6fff_fffe, 0x6fff_ffff) {
        let mut at = place(address)?;
        for _ in 0..count.min(MOST_ENTRIES) {
            let entry = read_at(at, 16)?;
            let library = name(u64::from(u32_at(&entry, 4)?))?;
            let mut auxiliary = at + u64::from(u32_at(&entry, 8)?);
            for _ in 0..u16_at(&entry, 2)? {
                let version = read_at(auxiliary, 16)?;
                // 2: it can do without.
                if u16_at(&version, 4)? & 2 == 0 {
                    let text = name(u64::from(u32_at(&version, 8)?))?;
                    facts.requires.push((library.clone(), text));
                }
                auxiliary += u64::from(u32_at(&version, 12)?);
            }
            at += u64::from(u32_at(&entry, 12)?);
        }
    }
    if let Some((address, count)) = table(0x6fff_fffc, 0x6fff_fffd) {
        let mut at = place(address)?;
        for _ in 0..count.min(MOST_ENTRIES) {
            let entry = read_at(at, 20)?;
            let first = read_at(at + u64::from(u32_at(&entry, 12)?), 8)?;
            facts.provides.push(name(u64::from(u32_at(&first, 0)?))?);
            at += u64::from(u32_at(&entry, 16)?);
        }
    }
    Ok(())
}

/// What people call a processor.
pub(super) fn machine_name(machine: u16) -> String {
    match machine {
        3 => "i386".to_owned(),
        8 => "MIPS".to_owned(),
        20 => "32-bit PowerPC".to_owned(),
        21 => "64-bit PowerPC".to_owned(),
        22 => "s390x".to_owned(),
        40 => "32-bit Arm".to_owned(),
        62 => "amd64".to_owned(),
        183 => "arm64".to_owned(),
        243 => "RISC-V".to_owned(),
        258 => "LoongArch".to_owned(),
        other => format!("processor {other}"),
    }
}

fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the ELF file contradicts itself",
    )
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> io::Result<[u8; N]> {
    bytes
        .get(at..at + N)
        .and_then(|slice| slice.try_into().ok())
        .ok_or_else(malformed)
}

fn u16_at(bytes: &[u8], at: usize) -> io::Result<u16> {
    Ok(u16::from_le_bytes(bytes_at(bytes, at)?))
}

fn u32_at(bytes: &[u8], at: usize) -> io::Result<u32> {
    Ok(u32::from_le_bytes(bytes_at(bytes, at)?))
}

fn u64_at(bytes: &[u8], at: usize) -> io::Result<u64> {
    Ok(u64::from_le_bytes(bytes_at(bytes, at)?))
}
