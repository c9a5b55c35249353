//! Unpacking a layer into a directory that an overlay mount can use as a lower layer.

use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tar::EntryType;

use super::extract::Extractor;
use super::file_set::Attributes;
use super::path::{leads_out, normalised};
use super::ustar::CAPABILITIES;
use super::{LayerError, PathError};

/// Who made an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// This crate: anything unusual means that it was tampered with.
    Own,
    /// Another image builder. Whiteouts (`.wh.…`) become those of overlayfs. Device nodes, which
    /// old images carry below `dev`, are left out: the engine makes its own.
    Foreign,
}

/// How much an archive may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Files, directories and links.
    pub entries: u64,
}

impl Limits {
    /// For a layer of an image: larger than any that is known to be in use.
    pub const LAYER: Self = Self {
        bytes: 64 << 30,
        entries: 4_000_000,
    };
}

/// What was unpacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Files, directories and links.
    pub entries: u64,
}

/// Unpacks a tar stream into `root`, which is an empty directory. On an error the directory
/// holds a part and is to be thrown away. Only root can keep owners and make whiteouts.
///
/// # Errors
/// When the archive is hostile or broken, is larger than `limits`, or cannot be written.
pub fn unpack(
    reader: &mut dyn Read,
    root: &Path,
    origin: Origin,
    limits: Limits,
) -> Result<Unpacked, LayerError> {
    let mut extractor = Extractor::new(root)?;
    let mut archive = tar::Archive::new(reader);
    let mut done = Unpacked::default();
    for entry in archive.entries().map_err(LayerError::Malformed)? {
        let mut entry = entry.map_err(LayerError::Malformed)?;
        done.entries += 1;
        if done.entries > limits.entries {
            return Err(LayerError::TooMany(limits.entries));
        }
        done.bytes += unpack_entry(
            &mut extractor,
            &mut entry,
            origin,
            limits.bytes - done.bytes,
        )
        .map_err(|error| match error {
            LayerError::TooLarge(_) => LayerError::TooLarge(limits.bytes),
            other => other,
        })?;
    }
    extractor.finish_directories()?;
    Ok(done)
}

fn unpack_entry<R: Read>(
    extractor: &mut Extractor,
    entry: &mut tar::Entry<'_, R>,
    origin: Origin,
    allowance: u64,
) -> Result<u64, LayerError> {
    let kind = entry.header().entry_type();
    if kind == EntryType::XGlobalHeader {
        return Ok(0);
    }
    let path = normalised(&entry.path_bytes())?;
    let attributes = attributes(entry).map_err(LayerError::Malformed)?;
    let name = path.rsplit('/').next().unwrap_or_default();
    if path.is_empty() && kind != EntryType::Directory {
        return Err(PathError::Empty.into());
    }
    if origin == Origin::Foreign
        && let Some(hidden) = name.strip_prefix(".wh.")
    {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        match hidden {
            ".wh..opq" => extractor.opaque(directory)?,
            // Other names that start like this are notes of an old storage driver.
            _ if hidden.starts_with(".wh.") || hidden.is_empty() => {}
            _ if directory.is_empty() => extractor.whiteout(hidden)?,
            _ => extractor.whiteout(&format!("{directory}/{hidden}"))?,
        }
        return Ok(0);
    }
    match kind {
        EntryType::Directory => extractor.directory(&path, attributes)?,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let stated = entry.size();
            if stated > allowance {
                return Err(LayerError::TooLarge(allowance));
            }
            let capabilities = file_capabilities(entry).map_err(LayerError::Malformed)?;
            let mut written = 0;
            extractor.file(&path, attributes, |file| {
                written = copy(entry, file, allowance, &path)?;
                Ok(())
            })?;
            if written != stated {
                return Err(LayerError::Malformed(io::ErrorKind::UnexpectedEof.into()));
            }
            if let Some(capabilities) = capabilities {
                extractor.capabilities(&path, &capabilities)?;
            }
            return Ok(written);
        }
        EntryType::Symlink => {
            let target = link_target(entry, &path)?;
            if origin == Origin::Own && leads_out(&path, &target) {
                return Err(LayerError::LinksOut { link: path, target });
            }
            extractor.symlink(&path, &target, attributes)?;
        }
        EntryType::Link => {
            let target = link_target(entry, &path)?;
            // Some builders write the target as it is named inside the image.
            let target = match origin {
                Origin::Own => target.as_str(),
                Origin::Foreign => target.trim_start_matches('/'),
            };
            let target = normalised(target.as_bytes())?;
            extractor.hardlink(&path, &target)?;
        }
        EntryType::Char | EntryType::Block | EntryType::Fifo => {
            if origin == Origin::Own {
                return Err(LayerError::Device(path));
            }
            tracing::debug!(path, "left out a device node");
        }
        other => {
            return Err(LayerError::UnknownKind {
                path,
                kind: char::from(other.as_byte()),
            });
        }
    }
    Ok(0)
}

fn file_capabilities<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<Option<Vec<u8>>> {
    for record in entry.pax_extensions()?.into_iter().flatten() {
        let record = record?;
        if record.key_bytes() == CAPABILITIES.as_bytes() {
            return Ok(Some(record.value_bytes().to_vec()));
        }
    }
    Ok(None)
}

fn attributes<R: Read>(entry: &tar::Entry<'_, R>) -> io::Result<Attributes> {
    let header = entry.header();
    let narrow = |number: u64| {
        u32::try_from(number).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "an owner's number is too large")
        })
    };
    Ok(Attributes {
        mode: header.mode()?,
        uid: narrow(header.uid()?)?,
        gid: narrow(header.gid()?)?,
    })
}

fn link_target<R: Read>(entry: &tar::Entry<'_, R>, path: &str) -> Result<String, LayerError> {
    let target = entry.link_name_bytes().unwrap_or_default();
    let text = std::str::from_utf8(&target).ok();
    match text {
        Some(text) if !text.is_empty() && !text.contains('\0') => Ok(text.to_owned()),
        _ => Err(LayerError::LinksOut {
            link: path.to_owned(),
            target: String::from_utf8_lossy(&target).into_owned(),
        }),
    }
}

fn copy(
    reader: &mut impl Read,
    file: &mut std::fs::File,
    allowance: u64,
    path: &str,
) -> Result<u64, LayerError> {
    use std::io::Write;
    let mut buffer = [0; 64 << 10];
    let mut written = 0;
    loop {
        let count = match reader.read(&mut buffer) {
            Ok(0) => return Ok(written),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(LayerError::Malformed(error)),
        };
        written += count as u64;
        if written > allowance {
            return Err(LayerError::TooLarge(allowance));
        }
        file.write_all(&buffer[..count])
            .map_err(|source| LayerError::Write {
                what: format!("`{path}`"),
                source,
            })?;
    }
}
