//! Mounts of a trial: what is the host's is seen and not written to.

use std::path::{Path, PathBuf};

use plimsoll_diag::Spanned;
use plimsoll_model::{Mount, MountKind, Propagation, Recursion};

/// Changes mounts so that nothing of the host is written to: directories of it are read-only, and empty ones, which
/// are there to be filled, are volumes.
///
/// Where another mount lies below one of them at a place that the host does not have (`/app/node_modules` in `.:/app`),
/// that place could not be made in a directory that is read-only. Such a directory is mounted entry by entry.
pub(super) fn unwritten(mounts: &mut Vec<Spanned<Mount>>) {
    let targets: Vec<PathBuf> = mounts
        .iter()
        .map(|mount| mount.value.target.clone())
        .collect();
    let mut kept = Vec::new();
    for mut mount in mounts.drain(..) {
        let MountKind::Bind { source, .. } = &mount.value.kind else {
            kept.push(mount);
            continue;
        };
        let is_empty = fs_err::read_dir(source).map_or(true, |mut found| found.next().is_none());
        if !source.is_file() && is_empty {
            if !mount.value.read_only {
                mount.value.kind = MountKind::Volume {
                    name: None,
                    nocopy: false,
                    subpath: None,
                };
            }
            kept.push(mount);
            continue;
        }
        mount.value.read_only = true;
        let below: Vec<PathBuf> = targets
            .iter()
            .filter_map(|target| target.strip_prefix(&mount.value.target).ok())
            .filter(|inner| !inner.as_os_str().is_empty())
            .map(Path::to_owned)
            .collect();
        let source = source.clone();
        spread(
            &mount,
            &source,
            &mount.value.target.clone(),
            &below,
            &mut kept,
        );
    }
    *mounts = kept;
}

/// Mounts a directory of the host, entry by entry where one of the places `below` is not in it.
fn spread(
    mount: &Spanned<Mount>,
    source: &Path,
    target: &Path,
    below: &[PathBuf],
    kept: &mut Vec<Spanned<Mount>>,
) {
    let with = |kind: MountKind, target: PathBuf, read_only: bool| Spanned {
        value: Mount {
            kind,
            target,
            read_only,
        },
        span: mount.span.clone(),
    };
    let is_whole = source.is_file() || below.iter().all(|inner| source.join(inner).exists());
    let entries = fs_err::read_dir(source).ok().filter(|_| !is_whole);
    let Some(entries) = entries else {
        let kind = MountKind::Bind {
            source: source.to_owned(),
            create: false,
            propagation: Propagation::default(),
            recursion: Recursion::default(),
        };
        kept.push(with(kind, target.to_owned(), true));
        return;
    };
    let memory = MountKind::Tmpfs {
        size: None,
        mode: None,
        owner: None,
    };
    kept.push(with(memory, target.to_owned(), false));
    let mut names: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect();
    names.sort();
    for name in names {
        let source = source.join(&name);
        // A link that leads nowhere, a socket: nothing that could be mounted.
        if !source.is_dir() && !source.is_file() {
            continue;
        }
        let inner: Vec<PathBuf> = below
            .iter()
            .filter_map(|inner| inner.strip_prefix(&name).ok())
            .filter(|inner| !inner.as_os_str().is_empty())
            .map(Path::to_owned)
            .collect();
        spread(mount, &source, &target.join(&name), &inner, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(source: &Path, target: &str) -> Spanned<Mount> {
        Spanned::unplaced(Mount {
            kind: MountKind::Bind {
                source: source.to_owned(),
                create: true,
                propagation: Propagation::default(),
                recursion: Recursion::default(),
            },
            target: target.into(),
            read_only: false,
        })
    }

    fn volume(target: &str) -> Spanned<Mount> {
        Spanned::unplaced(Mount {
            kind: MountKind::Volume {
                name: Some("kept".to_owned()),
                nocopy: false,
                subpath: None,
            },
            target: target.into(),
            read_only: false,
        })
    }

    /// Kind and target of each mount, as a text.
    fn shown(mounts: &[Spanned<Mount>]) -> Vec<String> {
        mounts
            .iter()
            .map(|mount| {
                let kind = match &mount.value.kind {
                    MountKind::Bind { .. } => "bind",
                    MountKind::Volume { .. } => "volume",
                    MountKind::Tmpfs { .. } => "memory",
                    MountKind::Image { .. } => "image",
                };
                let how = if mount.value.read_only {
                    ""
                } else {
                    " writable"
                };
                format!("{kind} {}{how}", mount.value.target.display())
            })
            .collect()
    }

    #[test]
    fn a_directory_with_a_mount_that_it_has_no_place_for_is_mounted_entry_by_entry() {
        let project = tempfile::tempdir().unwrap();
        let root = project.path();
        fs_err::create_dir_all(root.join("pages/src")).unwrap();
        fs_err::write(root.join("main.py"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("lost")).unwrap();
        let mut mounts = vec![
            bind(root, "/app"),
            volume("/app/.venv"),
            volume("/app/pages/node_modules"),
        ];
        unwritten(&mut mounts);
        assert_eq!(
            shown(&mounts),
            [
                "memory /app writable",
                "bind /app/main.py",
                "memory /app/pages writable",
                "bind /app/pages/src",
                "volume /app/.venv writable",
                "volume /app/pages/node_modules writable",
            ]
        );
        // As a whole where it has the place, and where nothing lies in it.
        fs_err::create_dir_all(root.join(".venv")).unwrap();
        let mut mounts = vec![bind(root, "/app"), volume("/app/.venv"), volume("/data")];
        unwritten(&mut mounts);
        assert_eq!(
            shown(&mounts),
            [
                "bind /app",
                "volume /app/.venv writable",
                "volume /data writable"
            ]
        );
    }
}
