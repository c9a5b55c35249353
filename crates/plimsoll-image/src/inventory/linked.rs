//! What was linked into a program: Go's build information, and the list of crates that
//! `cargo auditable` leaves.

use std::io::Read;

use flate2::read::ZlibDecoder;
use serde::{Deserialize, Serialize};

use super::elf::section;

/// The largest list of crates, unpacked.
const LARGEST: u64 = 16 << 20;

/// Something linked into a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Linked {
    pub name: String,
    pub version: String,
    /// Indices of what it needs, in the same list.
    pub needs: Vec<usize>,
}

/// The modules of a Go program, the program's own first, and the version of Go.
pub(super) fn go(file: &[u8]) -> Option<(String, Vec<Linked>)> {
    const MAGIC: &[u8] = b"\xff Go buildinf:";
    let data = section(file, ".go.buildinfo")?;
    let data = &data[data.windows(MAGIC.len()).position(|part| part == MAGIC)?..];
    // Since Go 1.18 the two texts follow the header of 32 bytes, each after its length.
    if data.get(15)? & 2 == 0 {
        return None;
    }
    let (version, rest) = text(data.get(32..)?)?;
    let (information, _) = text(rest)?;
    // Sixteen bytes on either side mark its ends.
    let information = information.get(16..information.len().checked_sub(16)?)?;
    let information = std::str::from_utf8(information).ok()?;
    let mut modules: Vec<Linked> = Vec::new();
    for line in information.lines() {
        let mut fields = line.split('\t');
        let (kind, name, version) = (fields.next()?, fields.next(), fields.next());
        let (Some(name), Some(version)) = (name, version) else {
            continue;
        };
        let module = Linked {
            name: name.to_owned(),
            version: version.to_owned(),
            needs: Vec::new(),
        };
        match kind {
            "mod" | "dep" => modules.push(module),
            // What is linked is the replacement.
            "=>" => {
                modules.pop();
                modules.push(module);
            }
            _ => {}
        }
    }
    let version = std::str::from_utf8(version).ok()?.to_owned();
    if let Some((first, rest)) = modules.split_first_mut() {
        first.needs = (1..=rest.len()).collect();
    }
    Some((version, modules))
}

/// A text after its length as a variable-length number, and what follows.
fn text(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_usize;
    for (index, byte) in data.iter().enumerate().take(5) {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let start = index + 1;
            let end = start.checked_add(length)?;
            return Some((data.get(start..end)?, &data[end..]));
        }
    }
    None
}

#[derive(Deserialize)]
struct Auditable {
    packages: Vec<AuditablePackage>,
}

#[derive(Deserialize)]
struct AuditablePackage {
    name: String,
    version: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    dependencies: Vec<usize>,
}

/// The crates of a Rust program. Crates that only its build used are left out.
pub(super) fn rust(file: &[u8]) -> Option<Vec<Linked>> {
    let mut json = Vec::new();
    ZlibDecoder::new(section(file, ".dep-v0")?)
        .take(LARGEST)
        .read_to_end(&mut json)
        .ok()?;
    let list: Auditable = serde_json::from_slice(&json).ok()?;
    let linked = |package: &AuditablePackage| package.kind.as_deref() != Some("build");
    let mut place = Vec::new();
    let mut count = 0;
    for package in &list.packages {
        place.push(linked(package).then_some(count));
        count += usize::from(linked(package));
    }
    Some(
        list.packages
            .iter()
            .filter(|package| linked(package))
            .map(|package| Linked {
                name: package.name.clone(),
                version: package.version.clone(),
                needs: package
                    .dependencies
                    .iter()
                    .filter_map(|index| place.get(*index).copied().flatten())
                    .collect(),
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::elf::tests::with_section;
    use super::*;

    #[test]
    fn crates_of_the_build_are_left_out() {
        let json = br#"{"packages":[
            {"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"},
            {"name":"memchr","version":"2.7.4","source":"crates.io"},
            {"name":"tool","version":"0.1.0","source":"local","dependencies":[0,1],"root":true}]}"#;
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(json).unwrap();
        let file = with_section(".dep-v0", &packed.finish().unwrap());
        let crates = rust(&file).unwrap();
        let names: Vec<&str> = crates.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["memchr", "tool"]);
        assert_eq!(crates[1].needs, [0]);
    }

    #[test]
    fn modules_of_go_are_read_with_their_replacements() {
        let words = "path\texample.org/tool\nmod\texample.org/tool\t(devel)\t\n\
                     dep\texample.org/a\tv1.0.0\th1:x\ndep\texample.org/b\tv1.1.0\n=>\texample.org/c\tv1.2.0\th1:y\n\
                     build\t-compiler=gc\n";
        let mut data = b"\xff Go buildinf:\x08\x02".to_vec();
        data.resize(32, 0);
        data.push(8);
        data.extend(b"go1.25.1");
        let length = words.len() + 32;
        data.extend([(length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
        data.extend([b'#'; 16]);
        data.extend(words.as_bytes());
        data.extend([b'#'; 16]);
        let (version, modules) = go(&with_section(".go.buildinfo", &data)).unwrap();
        assert_eq!(version, "go1.25.1");
        let names: Vec<String> = modules
            .iter()
            .map(|module| format!("{} {}", module.name, module.version))
            .collect();
        assert_eq!(
            names,
            [
                "example.org/tool (devel)",
                "example.org/a v1.0.0",
                "example.org/c v1.2.0"
            ]
        );
        assert_eq!(modules[0].needs, [1, 2]);
    }
}
