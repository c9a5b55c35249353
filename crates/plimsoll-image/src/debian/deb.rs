//! A `.deb`: an `ar` archive of `debian-binary`, `control.tar` and `data.tar`.

use std::io::Read;
use std::sync::Arc;

use super::PackageError;
use crate::layer::Compression;

/// No package of Debian unpacks to more.
const LARGEST_DATA: u64 = 8 << 30;

/// No package has more to say about itself.
const LARGEST_CONTROL: u64 = 64 << 20;

/// An opened package.
#[derive(Debug)]
pub(super) struct Deb {
    /// The paragraph that describes it.
    pub(super) control: String,
    /// The MD5 sums of its files, as it states them.
    pub(super) md5sums: Option<Vec<u8>>,
    /// The script that would run after unpacking.
    pub(super) postinst: Option<String>,
    /// Its files as an uncompressed tar archive.
    pub(super) data: Arc<Vec<u8>>,
}

impl Deb {
    /// Opens a package.
    pub(super) fn open(bytes: &[u8]) -> Result<Self, PackageError> {
        let malformed = |what: &str| PackageError::Malformed(what.to_owned());
        let mut control_tar = None;
        let mut data = None;
        for member in members(bytes) {
            let (name, content) = member.map_err(malformed)?;
            if name == "debian-binary" {
                if !content.starts_with(b"2.") {
                    return Err(malformed("its format is not 2.x"));
                }
            } else if name.starts_with("control.tar") {
                control_tar = Some(decompress(content, LARGEST_CONTROL)?);
            } else if name.starts_with("data.tar") {
                data = Some(decompress(content, LARGEST_DATA)?);
            }
        }
        let control_tar = control_tar.ok_or_else(|| malformed("it has no control.tar"))?;
        let mut deb = Self {
            control: String::new(),
            md5sums: None,
            postinst: None,
            data: Arc::new(data.ok_or_else(|| malformed("it has no data.tar"))?),
        };
        deb.read_control(&control_tar)?;
        if deb.control.is_empty() {
            return Err(malformed("it has no control file"));
        }
        Ok(deb)
    }

    fn read_control(&mut self, archive: &[u8]) -> Result<(), PackageError> {
        for entry in tar::Archive::new(archive).entries()? {
            let mut entry = entry?;
            let name = entry.path_bytes().into_owned();
            let mut content = Vec::new();
            match name.strip_prefix(b"./").unwrap_or(&name) {
                b"control" => {
                    entry.read_to_string(&mut self.control)?;
                }
                b"md5sums" => {
                    entry.read_to_end(&mut content)?;
                    self.md5sums = Some(content);
                }
                b"postinst" => {
                    entry.read_to_end(&mut content)?;
                    self.postinst = Some(String::from_utf8_lossy(&content).into_owned());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn decompress(bytes: &[u8], limit: u64) -> Result<Vec<u8>, PackageError> {
    let mut plain = Vec::with_capacity(bytes.len().saturating_mul(4));
    let mut reader = Compression::detect(bytes).reader(bytes)?.take(limit + 1);
    reader.read_to_end(&mut plain)?;
    if plain.len() as u64 > limit {
        return Err(PackageError::Malformed(format!(
            "it unpacks to more than {limit} bytes"
        )));
    }
    Ok(plain)
}

/// The members of an `ar` archive: a header of 60 bytes each, then the content, padded to an
/// even length.
fn members(bytes: &[u8]) -> impl Iterator<Item = Result<(&str, &[u8]), &'static str>> {
    let mut rest = bytes.strip_prefix(b"!<arch>\n");
    let mut refused = rest.is_none();
    std::iter::from_fn(move || {
        if std::mem::take(&mut refused) {
            return Some(Err("it is no ar archive"));
        }
        let current = rest.take().filter(|current| !current.is_empty())?;
        let member = member(current);
        if let Some((_, _, after)) = member {
            rest = Some(after);
        }
        Some(
            member
                .map(|(name, content, _)| (name, content))
                .ok_or("an ar member is cut off"),
        )
    })
}

fn member(bytes: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let (header, rest) = bytes.split_at_checked(60)?;
    // Of ASCII alone any part can be taken.
    let text = std::str::from_utf8(header)
        .ok()
        .filter(|text| text.is_ascii())?;
    let name = text[..16].trim_end().trim_end_matches('/');
    let size: usize = text[48..58].trim_end().parse().ok()?;
    let content = rest.get(..size)?;
    let after = rest.get(size + size % 2..).unwrap_or_default();
    text.ends_with("`\n").then_some((name, content, after))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An `ar` archive.
    pub(in crate::debian) fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = b"!<arch>\n".to_vec();
        for (name, content) in members {
            let header = format!(
                "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
                0,
                0,
                0,
                100_644,
                content.len()
            );
            bytes.extend_from_slice(header.as_bytes());
            bytes.extend_from_slice(content);
            if content.len() % 2 == 1 {
                bytes.push(b'\n');
            }
        }
        bytes
    }

    #[test]
    fn reads_members_of_odd_length() {
        let bytes = ar(&[("a", b"1"), ("b/", b"22")]);
        let read: Vec<_> = members(&bytes).map(Result::unwrap).collect();
        assert_eq!(read, [("a", b"1".as_slice()), ("b", b"22")]);
    }

    #[test]
    fn refuses_what_is_no_package() {
        let error = |bytes: &[u8]| Deb::open(bytes).unwrap_err().to_string();
        assert_eq!(error(b"<html>"), "it is malformed: it is no ar archive");
        assert_eq!(
            error(b"!<arch>\nshort"),
            "it is malformed: an ar member is cut off"
        );
        assert_eq!(
            error(&ar(&[("debian-binary", b"2.0\n")])),
            "it is malformed: it has no control.tar"
        );
        let mut cut = ar(&[("data.tar", &[0; 100])]);
        cut.truncate(120);
        assert_eq!(error(&cut), "it is malformed: an ar member is cut off");
    }

    #[test]
    fn a_header_that_is_no_ascii_is_refused() {
        let mut bytes = ar(&[("debian-binary", b"2.0\n")]);
        // A letter of two bytes across the end of a field.
        bytes[8 + 57..8 + 59].copy_from_slice("é".as_bytes());
        let error = Deb::open(&bytes).unwrap_err().to_string();
        assert_eq!(error, "it is malformed: an ar member is cut off");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_fail_otherwise_than_with_an_error(noise in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = Deb::open(&[b"!<arch>\n".to_vec(), noise].concat());
        }
    }
}
