//! Fills an empty volume from the image, as Docker does.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FlockOperation, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid,
};

use super::tree::{Tree, is_missing};
use crate::container::{UserSpec, VolumeSeed};

/// Makes the volume's directory when it is missing, and seeds it when it is empty.
///
/// Where the image has no directory at the target, the volume is given to `user`: a service that
/// cannot write to its own volume is of no use to anybody.
pub(crate) fn prepare(
    volume: &Path,
    image: &Tree,
    target: &Path,
    seed: VolumeSeed,
    user: &UserSpec,
) -> io::Result<()> {
    fs_err::create_dir_all(volume)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(CWD, volume, flags, Mode::empty())?;
    // Two containers may use the same new volume at the same moment.
    rustix::fs::flock(&directory, FlockOperation::LockExclusive)?;
    if seed == VolumeSeed::Empty || !is_empty(directory.as_fd())? {
        return Ok(());
    }
    match image.open_at(target, OFlags::RDONLY | OFlags::DIRECTORY) {
        Ok(source) => {
            copy_entries(source.as_fd(), directory.as_fd())?;
            let stat = rustix::fs::fstat(&source)?;
            copy_attributes(&stat, directory.as_fd())
        }
        Err(error) if is_missing(&error) => {
            let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
            rustix::fs::fchown(&directory, Some(uid), Some(gid))?;
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn is_empty(directory: BorrowedFd<'_>) -> io::Result<bool> {
    for entry in Dir::read_from(directory)? {
        if !is_dots(entry?.file_name()) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

fn copy_entries(source: BorrowedFd<'_>, destination: BorrowedFd<'_>) -> io::Result<()> {
    for entry in Dir::read_from(source)? {
        let entry = entry?;
        let name = entry.file_name();
        if is_dots(name) {
            continue;
        }
        let stat = rustix::fs::statat(source, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                rustix::fs::mkdirat(destination, name, Mode::from_raw_mode(0o700))?;
                let inner = open_below(source, name, OFlags::RDONLY | OFlags::DIRECTORY)?;
                let copy = open_below(destination, name, OFlags::RDONLY | OFlags::DIRECTORY)?;
                copy_entries(inner.as_fd(), copy.as_fd())?;
                copy_attributes(&stat, copy.as_fd())?;
            }
            FileType::RegularFile => {
                let inner = open_below(source, name, OFlags::RDONLY)?;
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
                let copy = open_below(destination, name, flags)?;
                let mut reader = std::fs::File::from(inner);
                let mut writer = std::fs::File::from(copy);
                io::copy(&mut reader, &mut writer)?;
                copy_attributes(&stat, writer.as_fd())?;
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(source, name, Vec::new())?;
                rustix::fs::symlinkat(target.as_c_str(), destination, name)?;
                let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
                rustix::fs::chownat(
                    destination,
                    name,
                    Some(uid),
                    Some(gid),
                    AtFlags::SYMLINK_NOFOLLOW,
                )?;
            }
            // Sockets are of no use without their process, devices are not for images.
            _ => {}
        }
    }
    Ok(())
}

fn open_below(parent: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(
        parent,
        name,
        flags,
        Mode::from_raw_mode(0o600),
    )?)
}

/// Owner first: changing it clears set-user-id bits.
fn copy_attributes(stat: &Stat, to: BorrowedFd<'_>) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    rustix::fs::fchown(to, Some(uid), Some(gid))?;
    rustix::fs::fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    let modified = Timespec {
        tv_sec: stat.st_mtime,
        tv_nsec: stat.st_mtime_nsec.try_into().unwrap_or(0),
    };
    let times = Timestamps {
        last_access: modified,
        last_modification: modified,
    };
    rustix::fs::futimens(to, &times)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn user() -> UserSpec {
        UserSpec {
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            additional_gids: Vec::new(),
        }
    }

    #[test]
    fn an_empty_volume_gets_content_and_modes_once() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs_err::create_dir_all(root.join("data/inner")).unwrap();
        fs_err::write(root.join("data/inner/file"), "seed").unwrap();
        symlink("/etc/shadow", root.join("data/link")).unwrap();
        fs_err::set_permissions(root.join("data"), PermissionsExt::from_mode(0o1770)).unwrap();
        let tree = Tree::open(&root).unwrap();
        let volume = dir.path().join("volumes/v");
        let prepare = || {
            prepare(
                &volume,
                &tree,
                Path::new("/data"),
                VolumeSeed::Image,
                &user(),
            )
            .unwrap();
        };
        prepare();
        assert_eq!(
            fs_err::read_to_string(volume.join("inner/file")).unwrap(),
            "seed"
        );
        assert_eq!(
            fs_err::read_link(volume.join("link")).unwrap(),
            Path::new("/etc/shadow")
        );
        let mode = fs_err::metadata(&volume).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o1770);

        fs_err::remove_dir_all(volume.join("inner")).unwrap();
        prepare();
        assert!(
            !volume.join("inner").exists(),
            "a volume in use is left alone"
        );
    }

    #[test]
    fn without_seed_it_stays_empty() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(dir.path().join("root/data/x")).unwrap();
        let tree = Tree::open(&dir.path().join("root")).unwrap();
        let volume = dir.path().join("v");
        prepare(
            &volume,
            &tree,
            Path::new("/data"),
            VolumeSeed::Empty,
            &user(),
        )
        .unwrap();
        assert_eq!(fs_err::read_dir(&volume).unwrap().count(), 0);
    }
}
