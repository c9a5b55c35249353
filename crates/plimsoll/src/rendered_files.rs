//! Rendered files on disk: what would change, and writing without overwriting what is not ours.
//!
//! A list beside the files says which of them were rendered and what they held. A file that still
//! holds that may be replaced; one that was edited, or that was never rendered, is its owner's.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fs_err as fs;
use plimsoll_image::Replacement;
use plimsoll_render::{Artifact, Rendering};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Name of the list of rendered files.
pub(crate) const LIST: &str = ".plimsoll-rendered.json";

/// What rendering means for one file on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Change {
    /// It holds what is rendered.
    Unchanged,
    /// It is not there.
    New,
    /// It was rendered before, and would be rendered otherwise now.
    Changed,
    /// It is somebody's: never rendered here, or edited since.
    Foreign,
    /// It was edited, and what is new is added to it.
    Merged,
}

/// Digests of the values that were written into a file, by their place.
pub(crate) type Parts = BTreeMap<String, String>;

/// What is remembered of a file that is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    /// What was written into it, value by value, where it may be edited in part.
    pub(crate) parts: Option<Parts>,
    /// Whether it holds edits, and so is never replaced as a whole.
    pub(crate) edited: bool,
}

/// A rendered file held against the disk.
#[derive(Debug, Clone)]
pub(crate) struct Compared<'a> {
    pub(crate) path: &'a str,
    pub(crate) artifact: &'a Artifact,
    pub(crate) change: Change,
    /// What is on disk, where that is text.
    pub(crate) present: Option<String>,
}

/// The list of rendered files.
#[derive(Debug, Default, Serialize, Deserialize)]
struct List {
    /// SHA-256 of what was rendered, by path.
    files: BTreeMap<String, String>,
    /// What was written into files that are edited in part.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    parts: BTreeMap<String, Parts>,
}

/// What was written into the files of a directory before.
#[derive(Debug)]
pub(crate) struct Written(List);

impl Written {
    /// Reads the list of a directory.
    pub(crate) fn read(directory: &Path) -> std::io::Result<Self> {
        read_list(directory).map(Self)
    }

    /// Whether a file is just as it was written.
    pub(crate) fn is_untouched(&self, path: &str, text: &str) -> bool {
        self.0.files.get(path) == Some(&hash(text.as_bytes()))
    }

    /// What was written into a file, value by value; `None` where none of it was.
    pub(crate) fn parts(&self, path: &str) -> Option<&Parts> {
        self.0.parts.get(path)
    }
}

/// Holds a rendering against the files of a directory.
pub(crate) fn compare<'a>(
    rendering: &'a Rendering,
    directory: &Path,
) -> std::io::Result<Vec<Compared<'a>>> {
    let list = read_list(directory)?;
    rendering
        .files
        .iter()
        .map(|(path, artifact)| {
            let bytes = match fs::read(directory.join(path)) {
                Ok(bytes) => Some(bytes),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            let change = match &bytes {
                None => Change::New,
                Some(bytes) if *bytes == artifact.text.as_bytes() => Change::Unchanged,
                Some(bytes) if list.files.get(path) == Some(&hash(bytes)) => Change::Changed,
                Some(_) => Change::Foreign,
            };
            Ok(Compared {
                path,
                artifact,
                change,
                present: bytes.and_then(|bytes| String::from_utf8(bytes).ok()),
            })
        })
        .collect()
}

/// Writes files, and remembers what was rendered.
pub(crate) fn write(files: &[Compared<'_>], directory: &Path) -> std::io::Result<()> {
    write_with(files, directory, &BTreeMap::new())
}

/// The same, with what is to be remembered of files that may be edited in part.
pub(crate) fn write_with(
    files: &[Compared<'_>],
    directory: &Path,
    memories: &BTreeMap<String, Memory>,
) -> std::io::Result<()> {
    let mut list = read_list(directory)?;
    for file in files {
        let path = directory.join(file.path);
        if file.change != Change::Unchanged {
            replace(&path, file.artifact)?;
        }
        let memory = memories.get(file.path).cloned().unwrap_or_default();
        if memory.edited {
            list.files.remove(file.path);
        } else {
            let written = hash(file.artifact.text.as_bytes());
            list.files.insert(file.path.to_owned(), written);
        }
        if let Some(parts) = memory.parts {
            list.parts.insert(file.path.to_owned(), parts);
        }
    }
    let mut text = serde_json::to_string_pretty(&list)?;
    text.push('\n');
    let known = Artifact {
        text,
        executable: false,
    };
    replace(&directory.join(LIST), &known)
}

fn read_list(directory: &Path) -> std::io::Result<List> {
    match fs::read(directory.join(LIST)) {
        // A list that is no list protects everything: all files count as their owner's.
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(List::default()),
        Err(error) => Err(error),
    }
}

/// Puts a file in its place at once, so that nobody sees a half.
fn replace(path: &Path, artifact: &Artifact) -> std::io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let mut replacement = Replacement::of(path)?;
    replacement.file().write_all(artifact.text.as_bytes())?;
    let mode = if artifact.executable { 0o755 } else { 0o644 };
    replacement
        .file()
        .set_permissions(std::fs::Permissions::from_mode(mode))?;
    replacement.place()
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A unified difference from what is on disk to what is rendered.
pub(crate) fn difference(file: &Compared<'_>) -> String {
    let before = file.present.as_deref().unwrap_or_default();
    let diff = similar::TextDiff::from_lines(before, &file.artifact.text);
    let old = match file.change {
        Change::New => "/dev/null".to_owned(),
        _ => format!("a/{}", file.path),
    };
    diff.unified_diff()
        .header(&old, &format!("b/{}", file.path))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendering(text: &str) -> Rendering {
        let mut rendering = Rendering::default();
        rendering.file("deep/file.txt", text);
        rendering
    }

    fn change(directory: &Path, text: &str) -> Change {
        let rendering = rendering(text);
        compare(&rendering, directory).unwrap()[0].change
    }

    #[test]
    fn only_what_was_rendered_here_and_not_edited_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        assert_eq!(change(directory, "one\n"), Change::New);
        let first = rendering("one\n");
        write(&compare(&first, directory).unwrap(), directory).unwrap();
        assert_eq!(change(directory, "one\n"), Change::Unchanged);
        assert_eq!(change(directory, "two\n"), Change::Changed);
        fs::write(directory.join("deep/file.txt"), "mine\n").unwrap();
        assert_eq!(change(directory, "two\n"), Change::Foreign);
        fs::write(directory.join(LIST), "no list").unwrap();
        assert_eq!(change(directory, "two\n"), Change::Foreign);
    }

    #[test]
    fn a_difference_reads_like_a_patch() {
        let directory = tempfile::tempdir().unwrap();
        let first = rendering("one\ntwo\n");
        write(
            &compare(&first, directory.path()).unwrap(),
            directory.path(),
        )
        .unwrap();
        let second = rendering("one\nthree\n");
        let compared = compare(&second, directory.path()).unwrap();
        insta::assert_snapshot!(difference(&compared[0]), @r"
        --- a/deep/file.txt
        +++ b/deep/file.txt
        @@ -1,2 +1,2 @@
         one
        -two
        +three
        ");
    }
}
