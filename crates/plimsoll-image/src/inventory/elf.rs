//! As much of an ELF file as it takes to find a section by its name. Untrusted input: nothing
//! here panics, and every offset is checked.

/// The bytes of a section; `None` when the file is no 64-bit little-endian ELF file, or has none
/// of this name.
pub(super) fn section<'a>(file: &'a [u8], name: &str) -> Option<&'a [u8]> {
    if file.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let table = number(file, 0x28, 8)?;
    let entry_size = number(file, 0x3a, 2)?;
    let count = number(file, 0x3c, 2)?;
    let names = number(file, 0x3e, 2)?;
    if entry_size < 64 {
        return None;
    }
    let header = |index: usize| -> Option<&'a [u8]> {
        let start = table.checked_add(index.checked_mul(entry_size)?)?;
        file.get(start..start.checked_add(64)?)
    };
    let bytes = |header: &[u8]| -> Option<&'a [u8]> {
        let start = number(header, 0x18, 8)?;
        file.get(start..start.checked_add(number(header, 0x20, 8)?)?)
    };
    let names = bytes(header(names)?)?;
    (0..count).filter_map(header).find_map(|header| {
        let found = names.get(number(header, 0, 4)?..)?;
        let found = &found[..found.iter().position(|byte| *byte == 0)?];
        (found == name.as_bytes()).then(|| bytes(header))?
    })
}

/// A little-endian number.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let digits = bytes.get(at..at.checked_add(length)?)?;
    let value = digits
        .iter()
        .rev()
        .fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    usize::try_from(value).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An ELF file with one section.
    pub(in super::super) fn with_section(name: &str, content: &[u8]) -> Vec<u8> {
        let names = format!("\0{name}\0");
        let (names_at, content_at) = (64, 64 + names.len());
        let table = content_at + content.len();
        let mut file = vec![0; 64];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[0x28..0x30].copy_from_slice(&(table as u64).to_le_bytes());
        file[0x3a] = 64;
        file[0x3c] = 2;
        file[0x3e] = 0;
        file.extend(names.as_bytes());
        file.extend(content);
        for (name_at, start, length) in [
            (0_u32, names_at, names.len()),
            (1, content_at, content.len()),
        ] {
            let mut header = vec![0; 64];
            header[..4].copy_from_slice(&name_at.to_le_bytes());
            header[0x18..0x20].copy_from_slice(&(start as u64).to_le_bytes());
            header[0x20..0x28].copy_from_slice(&(length as u64).to_le_bytes());
            file.extend(header);
        }
        file
    }

    #[test]
    fn a_section_is_found_by_its_name() {
        let file = with_section(".dep-v0", b"content");
        assert_eq!(section(&file, ".dep-v0"), Some(&b"content"[..]));
        assert_eq!(section(&file, ".text"), None);
        assert_eq!(section(b"#!/bin/sh", ".text"), None);
    }

    proptest! {
        #[test]
        fn no_damage_makes_it_fail(at in 0_usize..200, byte: u8, cut in 0_usize..300) {
            let mut file = with_section(".dep-v0", b"content");
            let length = file.len();
            file[at % length] = byte;
            file.truncate(cut.min(length));
            let _ = section(&file, ".dep-v0");
        }
    }
}
