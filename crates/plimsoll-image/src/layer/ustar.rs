//! Writing tar so that equal files give equal bytes.
//!
//! Plain ustar; PAX records only where ustar cannot say it (long or non-ASCII names, 8 GiB and
//! more). No user or group names, one fixed time, no padding to records. What is written here has
//! no end-of-archive blocks, so that it can be concatenated.

use std::io::{self, Read, Write};
use std::path::Path;

use fs_err::File;

use super::LayerError;
use super::file_set::{Attributes, Content, FileSet, Node};
use crate::digest::{Hasher, Hashing};

/// The modification time of everything in a layer: one second into 1980, the first that a ZIP
/// archive (and so a Python wheel or a zipimport) can hold as well.
pub const FIXED_TIME: u64 = 315_532_801;

/// The size of a tar block.
pub const BLOCK: usize = 512;

/// The record that holds a file's capabilities, as other builders write it.
pub(super) const CAPABILITIES: &str = "SCHILY.xattr.security.capability";

/// What ends an archive.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The largest size that eleven octal digits hold.
const LARGEST_SIZE: u64 = 0o77_777_777_777;

/// The largest user or group number that seven octal digits hold.
const LARGEST_ID: u32 = 0o7_777_777;

/// Writes a set as tar, without an end. Returns the number of bytes.
///
/// # Errors
/// When a file cannot be read, changes while it is read, or the output cannot be written.
pub fn write_tar(files: &FileSet, output: &mut dyn Write) -> Result<u64, LayerError> {
    write_where(files, output, |_| true)
}

/// Writes the directories of a set only. Returns the number of bytes.
///
/// # Errors
/// When the output cannot be written.
pub(crate) fn write_directories(
    files: &FileSet,
    output: &mut dyn Write,
) -> Result<u64, LayerError> {
    write_where(files, output, |node| matches!(node, Node::Directory(_)))
}

/// Writes everything of a set but its directories. Returns the number of bytes.
///
/// # Errors
/// As [`write_tar`].
pub(crate) fn write_files(files: &FileSet, output: &mut dyn Write) -> Result<u64, LayerError> {
    write_where(files, output, |node| !matches!(node, Node::Directory(_)))
}

fn write_where(
    files: &FileSet,
    output: &mut dyn Write,
    wanted: impl Fn(&Node) -> bool,
) -> Result<u64, LayerError> {
    files.check_links()?;
    let mut writer = Writer {
        output,
        length: 0,
        capabilities: None,
    };
    for (path, node) in files.iter().filter(|(_, node)| wanted(node)) {
        writer.capabilities = files.capabilities(path).map(<[u8]>::to_vec);
        writer.node(path, node)?;
    }
    Ok(writer.length)
}

/// A file that is there, and its size.
fn open(source: &Path) -> Result<(u64, File), LayerError> {
    let file = File::open(source).map_err(LayerError::Read)?;
    let size = file.metadata().map_err(LayerError::Read)?.len();
    Ok((size, file))
}

struct Writer<'a> {
    output: &'a mut dyn Write,
    length: u64,
    /// File capabilities of the node that is written.
    capabilities: Option<Vec<u8>>,
}

impl Writer<'_> {
    fn node(&mut self, path: &str, node: &Node) -> Result<(), LayerError> {
        match node {
            Node::Directory(attributes) => {
                let name = format!("{path}/");
                Ok(self.header(&name, b'5', *attributes, 0, "")?)
            }
            Node::Symlink(attributes, target) => {
                Ok(self.header(path, b'2', *attributes, 0, target)?)
            }
            Node::Hardlink(target) => Ok(self.header(path, b'1', Attributes::FILE, 0, target)?),
            Node::File(attributes, content) => self.file(path, *attributes, content),
        }
    }

    fn file(
        &mut self,
        path: &str,
        attributes: Attributes,
        content: &Content,
    ) -> Result<(), LayerError> {
        match content {
            Content::Bytes(bytes) => self.bytes(path, attributes, bytes)?,
            Content::Part(whole, range) => self.bytes(path, attributes, &whole[range.clone()])?,
            Content::File(source) => {
                let (size, mut file) = open(source)?;
                self.stream(path, attributes, (size, &mut file), source)?;
            }
            Content::Seen(source, seen) => {
                let (size, file) = open(source)?;
                let mut hashing = Hashing {
                    source: file,
                    hasher: Hasher::default(),
                };
                self.stream(path, attributes, (size, &mut hashing), source)?;
                if hashing.hasher.finish() != *seen {
                    return Err(LayerError::Changed(source.clone()));
                }
            }
        }
        Ok(())
    }

    fn stream(
        &mut self,
        path: &str,
        attributes: Attributes,
        (size, reader): (u64, &mut dyn Read),
        source: &Path,
    ) -> Result<(), LayerError> {
        self.header(path, b'0', attributes, size, "")?;
        let mut reader = reader.take(size);
        let copied = io::copy(&mut reader, &mut self.output).map_err(LayerError::Read)?;
        if copied != size {
            return Err(LayerError::Changed(source.to_owned()));
        }
        self.length += size;
        self.pad(size)?;
        Ok(())
    }

    fn bytes(&mut self, path: &str, attributes: Attributes, bytes: &[u8]) -> io::Result<()> {
        self.header(path, b'0', attributes, bytes.len() as u64, "")?;
        self.put(bytes)?;
        self.pad(bytes.len() as u64)
    }

    fn header(
        &mut self,
        name: &str,
        kind: u8,
        attributes: Attributes,
        size: u64,
        link: &str,
    ) -> io::Result<()> {
        let split = split_name(name);
        let mut records = Vec::new();
        if let Some(capabilities) = self.capabilities.take() {
            byte_record(&mut records, CAPABILITIES, &capabilities);
        }
        if attributes.gid > LARGEST_ID {
            record(&mut records, "gid", &attributes.gid.to_string());
        }
        if link.len() > 100 || !link.is_ascii() {
            record(&mut records, "linkpath", link);
        }
        if split.is_none() {
            record(&mut records, "path", name);
        }
        if size > LARGEST_SIZE {
            record(&mut records, "size", &size.to_string());
        }
        if attributes.uid > LARGEST_ID {
            record(&mut records, "uid", &attributes.uid.to_string());
        }
        if !records.is_empty() {
            let extended = Header::new(("", "PaxHeader"), b'x', Attributes::FILE, "")
                .finish(records.len() as u64);
            self.put(&extended)?;
            self.put(&records)?;
            self.pad(records.len() as u64)?;
        }
        let short_link = if link.len() > 100 || !link.is_ascii() {
            ""
        } else {
            link
        };
        let names = split.unwrap_or(("", "PaxEntry"));
        let header = Header::new(names, kind, attributes, short_link);
        self.put(&header.finish(size.min(LARGEST_SIZE)))
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        self.output.write_all(bytes)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let over = (size % BLOCK as u64) as usize;
        if over > 0 {
            self.put(&END[..BLOCK - over])?;
        }
        Ok(())
    }
}

/// A name as ustar's prefix and name fields, where it fits and is ASCII.
fn split_name(name: &str) -> Option<(&str, &str)> {
    if !name.is_ascii() {
        return None;
    }
    if name.len() <= 100 {
        return Some(("", name));
    }
    // The leftmost slash that leaves at most 100 bytes after it; a directory's own last slash
    // leaves nothing and is no place to split.
    let from = name.len() - 101;
    let index = from + name[from..name.len() - 1].find('/')?;
    (index <= 155 && index > 0).then(|| (&name[..index], &name[index + 1..]))
}

/// One PAX record: its own length, a space, `key=value`, a newline.
fn record(records: &mut Vec<u8>, key: &str, value: &str) {
    byte_record(records, key, value.as_bytes());
}

fn byte_record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}

struct Header([u8; BLOCK]);

impl Header {
    fn new((prefix, name): (&str, &str), kind: u8, attributes: Attributes, link: &str) -> Self {
        let mut header = Self([0; BLOCK]);
        header.text(0, name);
        header.octal(100, 7, u64::from(attributes.mode & 0o7777));
        header.octal(108, 7, u64::from(attributes.uid.min(LARGEST_ID)));
        header.octal(116, 7, u64::from(attributes.gid.min(LARGEST_ID)));
        header.octal(136, 11, FIXED_TIME);
        header.0[156] = kind;
        header.text(157, link);
        header.text(257, "ustar\0");
        header.text(263, "00");
        header.octal(329, 7, 0);
        header.octal(337, 7, 0);
        header.text(345, prefix);
        header
    }

    fn finish(mut self, size: u64) -> [u8; BLOCK] {
        self.octal(124, 11, size);
        self.text(148, "        ");
        let sum: u64 = self.0.iter().map(|byte| u64::from(*byte)).sum();
        self.octal(148, 6, sum);
        self.0[154] = 0;
        self.0
    }

    fn text(&mut self, offset: usize, text: &str) {
        self.0[offset..offset + text.len()].copy_from_slice(text.as_bytes());
    }

    fn octal(&mut self, offset: usize, digits: usize, value: u64) {
        let text = format!("{value:0digits$o}");
        debug_assert_eq!(text.len(), digits, "a value larger than its field");
        self.text(offset, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_what_the_standard_says() {
        let mut files = FileSet::new();
        files
            .file("a", Attributes::root(0o640).owned_by(5, 6), "hello")
            .unwrap();
        let mut bytes = Vec::new();
        let length = write_tar(&files, &mut bytes).unwrap();
        assert_eq!(length, 1024);
        assert_eq!(&bytes[..2], b"a\0");
        assert_eq!(&bytes[100..108], b"0000640\0");
        assert_eq!(&bytes[108..116], b"0000005\0");
        assert_eq!(&bytes[116..124], b"0000006\0");
        assert_eq!(&bytes[124..136], b"00000000005\0");
        assert_eq!(&bytes[136..148], b"02263523001\0");
        assert_eq!(&bytes[257..265], b"ustar\x0000");
        assert!(bytes[265..329].iter().all(|byte| *byte == 0), "no names");
        assert_eq!(&bytes[512..517], b"hello");
    }

    #[test]
    fn long_names_use_the_prefix_before_they_need_a_record() {
        let fits = format!("{}/{}", "d".repeat(155), "f".repeat(100));
        assert_eq!(split_name(&fits), Some((&fits[..155], &fits[156..])));
        assert_eq!(
            split_name(&format!("{}/{}", "d".repeat(156), "f".repeat(100))),
            None
        );
        assert_eq!(split_name(&format!("{}/", "d".repeat(100))), None);
        assert_eq!(split_name("ü"), None);
    }

    #[test]
    fn a_record_counts_its_own_length() {
        let mut records = Vec::new();
        record(&mut records, "path", &"x".repeat(90));
        assert!(records.starts_with(b"99 path=x") && records.len() == 99);
        // One more byte needs a third digit, which is itself one more byte.
        records.clear();
        record(&mut records, "path", &"x".repeat(91));
        assert!(records.starts_with(b"101 path=x") && records.len() == 101);
    }
}
