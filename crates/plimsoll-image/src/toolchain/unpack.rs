//! Laying out a fetched program. Only what build steps need is kept: no headers, no manuals.

use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use fs_err as fs;
use rustix::fs::{FlockOperation, flock};

use super::{go, wheel, zip};

/// The most that one program may unpack to.
const LARGEST: u64 = 1 << 30;

/// Puts the program `name` of a wheel into `directory`. The error is a short reason.
pub(super) fn program_of_wheel(archive: &Path, name: &str, directory: &Path) -> Result<(), String> {
    let bytes = fs::read(archive).map_err(|error| error.to_string())?;
    let program = wheel::file_of(&bytes, &format!("/scripts/{name}"))?;
    whole(directory, |place| write(&place.join(name), &program, 0o755))
}

/// Puts everything below `top` of a wheel into `directory`.
pub(super) fn directory_of_wheel(
    archive: &Path,
    top: &str,
    directory: &Path,
) -> Result<(), String> {
    let bytes = fs::read(archive).map_err(|error| error.to_string())?;
    let prefix = format!("{top}/");
    whole(directory, |place| {
        let mut left = LARGEST;
        for entry in zip::entries(&bytes)? {
            let Some(path) = entry.name.strip_prefix(&prefix) else {
                continue;
            };
            if path.is_empty() || path.ends_with('/') {
                continue;
            }
            if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return Err(format!("`{}` leads out of it", entry.name));
            }
            let content = entry.content()?;
            left = left
                .checked_sub(content.len() as u64)
                .ok_or_else(|| format!("it unpacks to more than {LARGEST} bytes"))?;
            let mode = if entry.is_executable() { 0o755 } else { 0o644 };
            write(&place.join(path), &content, mode)?;
        }
        Ok(())
    })
}

/// Puts the files of a Go module into `directory`, once its hash is right.
pub(super) fn go_module(
    archive: &Path,
    prefix: &str,
    hash: &str,
    directory: &Path,
) -> Result<(), String> {
    whole(directory, |place| {
        let bytes = fs::read(archive).map_err(|error| error.to_string())?;
        let done = go::lay_out(&bytes, prefix, hash, place);
        // Its hash is not that of its bytes, so that a broken one would be taken for whole again.
        fs::remove_file(archive).map_err(|error| error.to_string())?;
        done
    })
}

/// Puts the files of an npm tarball into `directory`, without its top directory.
pub(super) fn npm_package(archive: &Path, directory: &Path) -> Result<(), String> {
    let file = fs::File::open(archive).map_err(|error| error.to_string())?;
    whole(directory, |place| {
        let mut left = LARGEST;
        let mut tar = tar::Archive::new(GzDecoder::new(file));
        for entry in tar.entries().map_err(|error| error.to_string())? {
            let mut entry = entry.map_err(|error| error.to_string())?;
            if entry.header().entry_type() != tar::EntryType::Regular {
                continue;
            }
            let path = entry.path().map_err(|error| error.to_string())?;
            let Some(relative) = below_top(&path) else {
                return Err(format!("`{}` leads out of it", path.display()));
            };
            if relative.starts_with("include") || relative.starts_with("share") {
                continue;
            }
            let mode = entry.header().mode().unwrap_or(0o644);
            let size = entry.size();
            left = left
                .checked_sub(size)
                .ok_or_else(|| format!("it unpacks to more than {LARGEST} bytes"))?;
            let mut content = Vec::new();
            entry
                .read_to_end(&mut content)
                .map_err(|error| error.to_string())?;
            let mode = if mode & 0o111 == 0 { 0o644 } else { 0o755 };
            write(&place.join(relative), &content, mode)?;
        }
        Ok(())
    })
}

/// The path without its first component; `None` when it leads elsewhere.
fn below_top(path: &Path) -> Option<PathBuf> {
    let mut components = path.components();
    components.next()?;
    let rest: PathBuf = components.clone().collect();
    components
        .all(|component| matches!(component, Component::Normal(_)))
        .then_some(rest)
}

/// Fills a directory beside `directory` and gives it that name once it is whole. Who wants the same
/// one waits, be it a thread or a process, and finds it done; what a killed process left is removed.
fn whole(directory: &Path, fill: impl FnOnce(&Path) -> Result<(), String>) -> Result<(), String> {
    let mut name = directory.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let place = directory.with_file_name(name);
    let Some(_held) = claim(&place, directory).map_err(|error| error.to_string())? else {
        return Ok(());
    };
    let done = fill(&place)
        .and_then(|()| fs::rename(&place, directory).map_err(|error| error.to_string()));
    if done.is_err() {
        // The failure that led here is what the user should read.
        let _ = fs::remove_dir_all(&place);
    }
    done
}

/// An empty directory that is locked for as long as the file lives, or nothing where `finished` is
/// there meanwhile. The lock goes with the directory when it is renamed.
fn claim(place: &Path, finished: &Path) -> std::io::Result<Option<fs::File>> {
    loop {
        fs::create_dir_all(place)?;
        let held = match fs::File::open(place) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            opened => opened?,
        };
        rustix::io::retry_on_intr(|| flock(&held, FlockOperation::LockExclusive))?;
        // Whoever had the lock may have renamed or removed the directory.
        let locked = held.metadata()?.ino();
        if !fs::metadata(place).is_ok_and(|named| named.ino() == locked) {
            if finished.is_dir() {
                return Ok(None);
            }
            continue;
        }
        if finished.is_dir() {
            fs::remove_dir_all(place)?;
            return Ok(None);
        }
        if fs::read_dir(place)?.next().is_none() {
            return Ok(Some(held));
        }
        fs::remove_dir_all(place)?;
    }
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), String> {
    let written = (|| {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)?;
        fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
    })();
    written.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tarball(name: &str, content: &[u8], mode: u32) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        header.set_cksum();
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(gzip);
        builder.append(&header, content).unwrap();
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn a_package_loses_its_top_directory_and_keeps_what_can_run() {
        let root = tempfile::tempdir().unwrap();
        let archive = root.path().join("a.tgz");
        fs::write(&archive, tarball("package/bin/node", b"elf", 0o755)).unwrap();
        let target = root.path().join("node");
        npm_package(&archive, &target).unwrap();
        let program = target.join("bin/node");
        let mode = fs::metadata(&program).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        assert_eq!(fs::read(&program).unwrap(), b"elf");
    }

    #[test]
    fn many_at_once_get_one_whole_directory() {
        let root = tempfile::tempdir().unwrap();
        let archive = root.path().join("a.tgz");
        fs::write(&archive, tarball("package/bin/node", b"elf", 0o755)).unwrap();
        let target = root.path().join("node");
        // What a killed process left.
        fs::create_dir_all(root.path().join("node.partial/bin")).unwrap();
        fs::write(root.path().join("node.partial/bin/other"), "half").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    npm_package(&archive, &target).unwrap();
                    assert_eq!(fs::read(target.join("bin/node")).unwrap(), b"elf");
                });
            }
        });
        assert_eq!(fs::read_dir(target.join("bin")).unwrap().count(), 1);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_path_that_leads_out_is_refused_and_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let archive = root.path().join("a.tgz");
        fs::write(&archive, tarball("package/../../x", b"", 0o644)).unwrap();
        let failed = npm_package(&archive, &root.path().join("tool")).unwrap_err();
        assert_eq!(failed, "`package/../../x` leads out of it");
        let left: Vec<_> = fs::read_dir(root.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
    }
}
