//! A package's tarball as the files that npm lays out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use flate2::read::GzDecoder;

/// What a package unpacks to at most.
const LARGEST: u64 = 512 << 20;

/// A file of a package.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Whether it may be started.
    pub executable: bool,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Unpacks a tarball; `programs` are made executable, as npm does. The error is a short reason.
pub(super) fn unpack(
    tarball: &[u8],
    programs: &BTreeSet<String>,
) -> Result<BTreeMap<String, File>, String> {
    let told = |error: std::io::Error| error.to_string();
    let mut archive = tar::Archive::new(GzDecoder::new(tarball).take(LARGEST));
    let mut files = BTreeMap::new();
    for entry in archive.entries().map_err(told)? {
        let mut entry = entry.map_err(told)?;
        // Links are left out, and directories follow from files.
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path =
            String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| "a path is no text")?;
        let parts: Vec<&str> = path
            .split('/')
            .filter(|part| !matches!(*part, "" | "."))
            .collect();
        if parts.contains(&"..") || path.starts_with('/') || path.contains('\\') {
            return Err(format!("`{path}` leads out of it"));
        }
        let [_, inside @ ..] = parts.as_slice() else {
            continue;
        };
        let (Some(first), Some(last)) = (inside.first(), inside.last()) else {
            continue;
        };
        // The one is another package, the other gets another name.
        if *first == "node_modules" || *last == ".gitignore" {
            return Err(format!("npm treats `{path}` in its own way"));
        }
        let path = inside.join("/");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(told)?;
        let is_program = programs.contains(&path);
        if is_program && has_foreign_lines(&bytes) {
            return Err(format!("npm rewrites `{path}`"));
        }
        let mode = entry.header().mode().map_err(told)?;
        let executable = is_program || mode & 0o100 != 0;
        files.insert(path, File { executable, bytes });
    }
    match files.contains_key("package.json") {
        true => Ok(files),
        false => Err("it has no package.json".to_string()),
    }
}

/// Whether a program names its interpreter in a line that ends as on Windows.
fn has_foreign_lines(bytes: &[u8]) -> bool {
    let first = bytes.split(|byte| *byte == b'\n').next();
    first.is_some_and(|line| line.starts_with(b"#!") && line.ends_with(b"\r"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tarball(files: &[(&str, &[u8], u32)]) -> Vec<u8> {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(gzip);
        for (name, content, mode) in files {
            let mut header = tar::Header::new_ustar();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(content.len() as u64);
            header.set_mode(*mode);
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    const MANIFEST: (&str, &[u8], u32) = ("package/package.json", b"{}", 0o644);

    #[test]
    fn the_top_directory_goes_and_programs_can_be_started() {
        let bytes = tarball(&[
            MANIFEST,
            ("package/bin/a.js", b"#!/usr/bin/env node\n", 0o644),
            ("other/./run", b"", 0o755),
        ]);
        let files = unpack(&bytes, &BTreeSet::from(["bin/a.js".to_string()])).unwrap();
        let shown: Vec<(&str, bool)> = files
            .iter()
            .map(|(path, file)| (path.as_str(), file.executable))
            .collect();
        assert_eq!(
            shown,
            [("bin/a.js", true), ("package.json", false), ("run", true)]
        );
    }

    #[test]
    fn what_npm_would_change_is_refused() {
        let programs = BTreeSet::from(["a.js".to_string()]);
        for (file, reason) in [
            (("package/../a", &b""[..], 0o644), "leads out"),
            (("/package/a", b"", 0o644), "leads out"),
            (("package/node_modules/b/a", b"", 0o644), "its own way"),
            (("package/.gitignore", b"", 0o644), "its own way"),
            (
                ("package/a.js", b"#!/usr/bin/env node\r\n", 0o644),
                "rewrites",
            ),
        ] {
            let refused = unpack(&tarball(&[MANIFEST, file]), &programs).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
        assert!(unpack(&tarball(&[]), &programs).is_err());
    }

    proptest! {
        #[test]
        fn a_damaged_tarball_is_no_panic(cut in 0_usize..200, at in 0_usize..200, bit in 0_u8..8) {
            let mut bytes = tarball(&[MANIFEST]);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            bytes.truncate(cut);
            let _ = unpack(&bytes, &BTreeSet::new());
        }
    }
}
