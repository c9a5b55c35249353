//! Reading one file out of a wheel, which is a ZIP archive. Only what wheels use: no encryption,
//! no ZIP64, stored or deflated entries.

use std::io::Read;

use flate2::read::DeflateDecoder;

/// Signature of the record at the end of the archive.
const END: &[u8; 4] = b"PK\x05\x06";
/// Signature of an entry of the central directory.
const ENTRY: &[u8; 4] = b"PK\x01\x02";
/// The largest file that is read out of a wheel.
const LARGEST: u64 = 512 << 20;

/// The content of the first entry whose name ends with `suffix`. The error is a short reason.
pub(super) fn file_of(archive: &[u8], suffix: &str) -> Result<Vec<u8>, String> {
    let broken = || "it is not a whole ZIP archive".to_string();
    let end = archive
        .windows(4)
        .rposition(|window| window == END)
        .ok_or_else(broken)?;
    let count = number(archive, end + 10, 2).ok_or_else(broken)?;
    let mut at = number(archive, end + 16, 4).ok_or_else(broken)?;
    for _ in 0..count {
        let entry = archive.get(at..at + 46).ok_or_else(broken)?;
        if !entry.starts_with(ENTRY) {
            return Err(broken());
        }
        let name_length = number(entry, 28, 2).ok_or_else(broken)?;
        let extra = number(entry, 30, 2).ok_or_else(broken)?;
        let comment = number(entry, 32, 2).ok_or_else(broken)?;
        let name = archive
            .get(at + 46..at + 46 + name_length)
            .ok_or_else(broken)?;
        if name.ends_with(suffix.as_bytes()) {
            let method = number(entry, 10, 2).ok_or_else(broken)?;
            let packed = number(entry, 20, 4).ok_or_else(broken)?;
            let offset = number(entry, 42, 4).ok_or_else(broken)?;
            let head = archive.get(offset..offset + 30).ok_or_else(broken)?;
            let skip = 30
                + number(head, 26, 2).ok_or_else(broken)?
                + number(head, 28, 2).ok_or_else(broken)?;
            let data = archive
                .get(offset + skip..offset + skip + packed)
                .ok_or_else(broken)?;
            return content(method, data);
        }
        at += 46 + name_length + extra + comment;
    }
    Err(format!("it has no `{suffix}`"))
}

fn content(method: usize, data: &[u8]) -> Result<Vec<u8>, String> {
    match method {
        0 => Ok(data.to_vec()),
        8 => {
            let mut out = Vec::new();
            DeflateDecoder::new(data)
                .take(LARGEST)
                .read_to_end(&mut out)
                .map_err(|error| format!("an entry cannot be inflated: {error}"))?;
            Ok(out)
        }
        other => Err(format!("an entry uses compression method {other}")),
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A ZIP archive with one stored entry.
    fn archive(name: &str, data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u32).to_le_bytes();
        let name_length = (name.len() as u16).to_le_bytes();
        let mut out = b"PK\x03\x04".to_vec();
        out.extend([0; 14]);
        out.extend(length);
        out.extend(length);
        out.extend(name_length);
        out.extend([0; 2]);
        out.extend(name.as_bytes());
        out.extend(data);
        let directory = out.len() as u32;
        out.extend(ENTRY);
        out.extend([0; 16]);
        out.extend(length);
        out.extend(length);
        out.extend(name_length);
        out.extend([0; 16]);
        out.extend(name.as_bytes());
        out.extend(END);
        out.extend([0; 4]);
        out.extend(1_u16.to_le_bytes());
        out.extend(1_u16.to_le_bytes());
        out.extend([0; 4]);
        out.extend(directory.to_le_bytes());
        out.extend([0; 2]);
        out
    }

    #[test]
    fn finds_an_entry_by_the_end_of_its_name() {
        let bytes = archive("uv-1.data/scripts/uv", b"program");
        assert_eq!(file_of(&bytes, "/scripts/uv").unwrap(), b"program");
        assert_eq!(
            file_of(&bytes, "/scripts/uvx").unwrap_err(),
            "it has no `/scripts/uvx`"
        );
    }

    proptest! {
        #[test]
        fn a_damaged_archive_is_refused_without_a_panic(
            cut in 0_usize..120, flip in 0_usize..120, bit in 0_u8..8,
        ) {
            let mut bytes = archive("a/b", b"0123456789");
            let flip = flip % bytes.len();
            bytes[flip] ^= 1 << bit;
            bytes.truncate(cut);
            let _ = file_of(&bytes, "b");
        }
    }
}
