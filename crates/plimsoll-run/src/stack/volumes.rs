//! Named volumes: directories that outlive containers.

use std::io;

use crate::stack::StackPaths;

/// Removes volumes and the data in them; one that is not there is no error. Gives the names of
/// those that were removed.
///
/// # Errors
/// The first that cannot be removed.
pub(super) fn remove(paths: &StackPaths, names: &[String]) -> io::Result<Vec<String>> {
    let mut removed = Vec::new();
    for name in names {
        match fs_err::remove_dir_all(paths.volume(name)) {
            Ok(()) => removed.push(name.clone()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}
