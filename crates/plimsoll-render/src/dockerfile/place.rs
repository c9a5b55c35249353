//! Where a service's files are in the build context, which is the project's directory.

use std::path::{Component, Path, PathBuf};

use plimsoll_model::BuildRecipe;

use crate::Input;

/// The recipe's directory within the build context.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    prefix: PathBuf,
}

impl Place {
    /// `None` when the recipe's files are not below the project's directory.
    pub(crate) fn of(input: &Input<'_>, recipe: &BuildRecipe) -> Option<Self> {
        Self::of_context(input, &recipe.context)
    }

    /// The same for a directory that files are built from.
    pub(crate) fn of_context(input: &Input<'_>, context: &Path) -> Option<Self> {
        let prefix = context.strip_prefix(&input.project.directory).ok()?;
        Some(Self {
            prefix: plain(prefix),
        })
    }

    /// A path of the recipe as the build context has it.
    pub(crate) fn path(&self, path: &Path) -> String {
        text(&self.prefix.join(plain(path)))
    }

    /// The directory itself, for `COPY`: with a slash at its end.
    pub(crate) fn directory(&self) -> String {
        match text(&self.prefix).as_str() {
            "." => ".".to_owned(),
            directory => format!("{directory}/"),
        }
    }
}

/// A path without `.` and without what goes up and down again.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// A path as text, `.` where it is empty.
pub(crate) fn text(path: &Path) -> String {
    match path.as_os_str().is_empty() {
        true => ".".to_owned(),
        false => path.display().to_string(),
    }
}
