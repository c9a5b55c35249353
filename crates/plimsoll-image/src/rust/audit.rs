//! The list of a program's crates, in the program itself, where scanners look for it: a section
//! `.dep-v0` with compressed JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::Serialize;

/// The name of the section.
const SECTION: &str = ".dep-v0";

/// Size of an ELF header, and of one of a section.
const HEADER: usize = 64;

/// A crate by name and version.
type Name = (String, String);

/// Crates and what each needs.
#[derive(Debug, Default)]
pub(super) struct Crates {
    needs: BTreeMap<Name, BTreeSet<Name>>,
    sources: BTreeMap<Name, &'static str>,
    root: Option<Name>,
}

#[derive(Serialize)]
struct List {
    packages: Vec<Package>,
}

#[derive(Serialize)]
struct Package {
    name: String,
    version: String,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<usize>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    root: bool,
}

impl Crates {
    /// Reads what `cargo tree --prefix depth` writes: `1serde v1.0.0`.
    pub(super) fn parse(text: &str) -> Self {
        let mut found = Self::default();
        let mut above: Vec<Name> = Vec::new();
        for line in text.lines() {
            let digits = line.bytes().take_while(u8::is_ascii_digit).count();
            let (depth, rest) = line.split_at(digits);
            let Ok(depth) = depth.parse::<usize>() else {
                continue;
            };
            let mut words = rest.split_whitespace();
            let (Some(name), Some(version)) = (words.next(), words.next()) else {
                continue;
            };
            let key = (
                name.to_string(),
                version.trim_start_matches('v').to_string(),
            );
            above.truncate(depth);
            if let Some(parent) = above.last() {
                let needs = found.needs.entry(parent.clone()).or_default();
                needs.insert(key.clone());
            } else {
                found.root.get_or_insert_with(|| key.clone());
            }
            found.needs.entry(key.clone()).or_default();
            found.sources.insert(key.clone(), source(rest));
            above.push(key);
        }
        found
    }

    /// The section's content: `self` are the crates in the program, `all` also those that only
    /// its build used.
    pub(super) fn packed(&self, all: &Self) -> std::io::Result<Vec<u8>> {
        let places: BTreeMap<&Name, usize> = all
            .needs
            .keys()
            .enumerate()
            .map(|(place, name)| (name, place))
            .collect();
        let packages = all
            .needs
            .iter()
            .map(|(name, needs)| Package {
                name: name.0.clone(),
                version: name.1.clone(),
                source: all.sources.get(name).copied().unwrap_or("registry"),
                kind: (!self.needs.contains_key(name)).then_some("build"),
                dependencies: needs
                    .iter()
                    .filter_map(|need| places.get(need).copied())
                    .collect(),
                root: all.root.as_ref() == Some(name),
            })
            .collect();
        let json = serde_json::to_vec(&List { packages }).map_err(std::io::Error::from)?;
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&json)?;
        packed.finish()
    }
}

/// Where a crate is from, as the words after its version tell.
fn source(rest: &str) -> &'static str {
    if rest.contains("(/") {
        "local"
    } else if rest.contains("://") {
        "git"
    } else {
        "registry"
    }
}

/// Adds the section to a program; `None` when it is not a 64-bit little-endian ELF file with names
/// of sections. Nothing that is loaded moves: the section, the names and the table of sections are
/// appended.
pub(super) fn with_list(program: &[u8], packed: &[u8]) -> Option<Vec<u8>> {
    if !program.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = number(program, 0x28, 8)?;
    let count = number(program, 0x3c, 2)?;
    let names = number(program, 0x3e, 2)?;
    if number(program, 0x3a, 2)? != HEADER || names >= count || count >= 0xff00 - 1 {
        return None;
    }
    let mut headers = program
        .get(table..table.checked_add(count * HEADER)?)?
        .to_vec();
    let at = names * HEADER;
    let names_start = number(&headers, at + 0x18, 8)?;
    let names_length = number(&headers, at + 0x20, 8)?;
    let mut text = program
        .get(names_start..names_start.checked_add(names_length)?)?
        .to_vec();
    let name = text.len() as u32;
    text.extend(SECTION.as_bytes());
    text.push(0);

    let mut file = program.to_vec();
    let content = file.len();
    file.extend(packed);
    let new_names = file.len();
    file.extend(&text);
    file.resize(file.len().next_multiple_of(8), 0);
    let new_table = file.len();
    headers[at + 0x18..at + 0x20].copy_from_slice(&(new_names as u64).to_le_bytes());
    headers[at + 0x20..at + 0x28].copy_from_slice(&(text.len() as u64).to_le_bytes());
    let mut added = [0; HEADER];
    added[..4].copy_from_slice(&name.to_le_bytes());
    // SHT_PROGBITS, and not loaded.
    added[4] = 1;
    added[0x18..0x20].copy_from_slice(&(content as u64).to_le_bytes());
    added[0x20..0x28].copy_from_slice(&(packed.len() as u64).to_le_bytes());
    added[0x30] = 1;
    file.extend(&headers);
    file.extend(added);
    file[0x28..0x30].copy_from_slice(&(new_table as u64).to_le_bytes());
    file[0x3c..0x3e].copy_from_slice(&(count as u16 + 1).to_le_bytes());
    Some(file)
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
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    const ALL: &str = "0api v0.1.0 (/src)\n1serde v1.0.2\n2serde_core v1.0.2\n1cc v1.1.0\n1serde_core v1.0.2 (*)\n1own v2.0.0 (https://git.example/own#abc)\n";
    const LINKED: &str = "0api v0.1.0 (/src)\n1serde v1.0.2\n2serde_core v1.0.2\n1own v2.0.0 (https://git.example/own#abc)\n";

    fn unpacked(packed: &[u8]) -> String {
        let mut text = String::new();
        let mut reader = flate2::read::ZlibDecoder::new(packed);
        reader.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_tree_becomes_a_list() {
        let packed = Crates::parse(LINKED).packed(&Crates::parse(ALL)).unwrap();
        let text = unpacked(&packed).replace("},", "},\n");
        insta::assert_snapshot!(text, @r#"
        {"packages":[{"name":"api","version":"0.1.0","source":"local","dependencies":[1,2,3,4],"root":true},
        {"name":"cc","version":"1.1.0","source":"registry","kind":"build"},
        {"name":"own","version":"2.0.0","source":"git"},
        {"name":"serde","version":"1.0.2","source":"registry","dependencies":[4]},
        {"name":"serde_core","version":"1.0.2","source":"registry"}]}
        "#);
    }

    #[test]
    fn a_real_program_gets_the_section_and_is_otherwise_the_same() {
        let program = fs_err::read("/proc/self/exe").unwrap();
        let packed = Crates::parse(LINKED).packed(&Crates::parse(ALL)).unwrap();
        let with = with_list(&program, &packed).unwrap();
        assert_eq!(with[HEADER..program.len()], program[HEADER..]);
        let linked = crate::inventory::crates_of(&with).unwrap();
        assert_eq!(
            linked,
            ["api 0.1.0", "own 2.0.0", "serde 1.0.2", "serde_core 1.0.2"]
        );
    }

    proptest! {
        #[test]
        fn no_program_makes_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..200) {
            let mut file = b"\x7fELF\x02\x01".to_vec();
            file.extend(&bytes);
            file.truncate(cut.max(6));
            let _ = with_list(&file, b"x");
            let _ = with_list(&bytes, b"x");
        }

        #[test]
        fn any_tree_is_read(text in "[0-9a-z v.()\n]{0,200}") {
            let crates = Crates::parse(&text);
            prop_assert!(crates.packed(&crates).is_ok());
        }
    }
}
