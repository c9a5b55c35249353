//! Trees that are written for one test, and what is found in them.

use plimsoll_detect::Detection;
use tempfile::TempDir;

use crate::remembered::found_twice;

/// A directory with these files.
pub(crate) fn written(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    directory
}

/// What is found in a directory with these files, the first time and later.
pub(crate) fn found(files: &[(&str, &str)]) -> Detection {
    found_twice(written(files).path())
}

/// Kind, command and ports of each service, one a line.
pub(crate) fn lines(detection: &Detection) -> Vec<String> {
    let services = detection.services.iter();
    services
        .map(|service| {
            format!(
                "{} {} {:?}",
                service.kind.word(),
                service.command.join(" "),
                service.ports
            )
        })
        .collect()
}

/// Names of the variables that are required.
pub(crate) fn required(detection: &Detection) -> Vec<&str> {
    let variables = detection.environment.iter();
    variables
        .filter(|variable| variable.required)
        .map(|variable| variable.name.as_str())
        .collect()
}
