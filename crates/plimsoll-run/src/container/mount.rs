//! What is mounted into a container, and where.

use std::path::{Component, Path, PathBuf};

use plimsoll_diag::Secret;
use serde::{Deserialize, Serialize};

/// One mount.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MountSpec {
    /// Absolute path in the container.
    pub target: PathBuf,
    /// What is shown there.
    #[serde(flatten)]
    pub kind: MountKind,
}

/// What a mount shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum MountKind {
    /// A directory or file of the host.
    Bind {
        /// Absolute path on the host; it exists.
        source: PathBuf,
        /// Who may write there.
        access: MountAccess,
        /// Whether mounts below the source are shown, too.
        recursive: Recursive,
        /// Whether what the host mounts below it later is seen.
        #[serde(default)]
        propagation: MountPropagation,
    },
    /// A directory of the host that belongs to the project.
    Volume {
        /// Absolute path on the host; made when missing.
        source: PathBuf,
        /// Who may write there.
        access: MountAccess,
        /// What an empty volume starts with.
        seed: VolumeSeed,
    },
    /// Memory.
    Tmpfs {
        /// Size in bytes.
        size: Option<u64>,
        /// Mode bits of its root.
        mode: u32,
        /// Owner of its root: user and group.
        owner: (u32, u32),
    },
    /// Directories of the host, one over the other: the files of an image, read-only.
    Layers {
        /// Absolute paths, lowest first.
        layers: Vec<PathBuf>,
        /// Directory in them that is mounted instead of their root.
        subpath: Option<PathBuf>,
    },
    /// A file whose content lives in memory only.
    File {
        /// The content; not part of the written form.
        #[serde(skip)]
        content: FileContent,
        /// Mode bits.
        mode: u32,
        /// User and group.
        owner: (u32, u32),
    },
}

/// Whether mounts below a bind mount's source are shown, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recursive {
    /// They are not.
    No,
    /// They are, as writable as the mount itself.
    Yes,
    /// They are, and stay as writable as they were.
    Untouched,
}

/// Whether mounts that the host makes below a bind mount are seen in the container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountPropagation {
    /// They are not.
    #[default]
    Private,
    /// They are.
    Slave,
}

/// Content of a file mount.
#[derive(Debug, Clone)]
pub struct FileContent(Secret<Vec<u8>>);

impl FileContent {
    /// Wraps the content.
    pub fn new(content: Vec<u8>) -> Self {
        Self(Secret::new(content))
    }

    /// The content, for writing it where only the container can read it.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

impl Default for FileContent {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

/// Whether a mount can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountAccess {
    /// Reading only.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
}

/// What an empty volume starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeSeed {
    /// Content, owner and mode of the image's directory at the target. Where the image has none,
    /// the volume belongs to the container's user.
    Image,
    /// Nothing.
    Empty,
}

/// Checks that a path is absolute and has no `..`; those would be resolved inside of the root, but
/// not where the author meant.
pub(super) fn normal_path(path: &Path) -> Result<(), String> {
    if !path.is_absolute() {
        return Err(format!("`{}` is relative", path.display()));
    }
    if path
        .components()
        .any(|component| matches!(component, Component::ParentDir))
    {
        return Err(format!("`{}` climbs with `..`", path.display()));
    }
    Ok(())
}

/// Checks a mount's target: mounts over what the engine itself mounts would undo the confinement.
pub(super) fn mount_target(target: &Path) -> Result<(), String> {
    normal_path(target)?;
    let clean: PathBuf = target.components().collect();
    if clean == Path::new("/") || clean == Path::new("/dev") {
        return Err(format!("`{}` cannot be mounted over", clean.display()));
    }
    if clean.starts_with("/proc") || clean.starts_with("/sys") {
        return Err(format!(
            "`{}` belongs to the kernel and cannot be mounted over",
            clean.display()
        ));
    }
    Ok(())
}
