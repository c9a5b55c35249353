//! Whether a directory still holds what was unpacked into it.

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fs_err::File;
use tar::EntryType;

use super::path::normalised;
use super::{LayerError, Origin};

/// The first path below `root` that is not as the archive has it; `None` when all are. Looks at
/// kinds, contents, link targets and permissions. Entries that the archive itself replaces, and
/// whiteouts, are not looked at.
///
/// # Errors
/// When the archive cannot be read.
pub(crate) fn first_difference(
    reader: &mut dyn Read,
    root: &Path,
    origin: Origin,
) -> Result<Option<String>, LayerError> {
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries().map_err(LayerError::Malformed)? {
        let mut entry = entry.map_err(LayerError::Malformed)?;
        let path = normalised(&entry.path_bytes())?;
        let name = path.rsplit('/').next().unwrap_or_default();
        if origin == Origin::Foreign && name.starts_with(".wh.") {
            continue;
        }
        // Whatever cannot be read back is not as it was.
        if !is_same(&mut entry, &root.join(&path), origin).unwrap_or(false) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn is_same<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    path: &Path,
    origin: Origin,
) -> io::Result<bool> {
    let kind = entry.header().entry_type();
    let mode = entry.header().mode()? & 0o7777;
    let device = matches!(kind, EntryType::Char | EntryType::Block | EntryType::Fifo);
    if kind == EntryType::XGlobalHeader || device && origin == Origin::Foreign {
        return Ok(true);
    }
    let there = fs_err::symlink_metadata(path)?;
    match kind {
        EntryType::Directory => {
            Ok(there.is_dir() && (origin == Origin::Foreign || there.mode() & 0o7777 == mode))
        }
        EntryType::Symlink => {
            let target = entry.link_name_bytes().unwrap_or_default();
            let found = fs_err::read_link(path)?;
            Ok(found.as_os_str().as_encoded_bytes() == &*target)
        }
        EntryType::Link => Ok(there.nlink() > 1 || origin == Origin::Foreign),
        _ => {
            let whole =
                there.is_file() && there.len() == entry.size() && there.mode() & 0o7777 == mode;
            Ok(whole && has_content(path, entry)?)
        }
    }
}

fn has_content(path: &Path, expected: &mut impl Read) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let (mut ours, mut theirs) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let count = expected.read(&mut ours)?;
        if count == 0 {
            return Ok(file.read(&mut theirs)? == 0);
        }
        match file.read_exact(&mut theirs[..count]) {
            Ok(()) if ours[..count] == theirs[..count] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}
