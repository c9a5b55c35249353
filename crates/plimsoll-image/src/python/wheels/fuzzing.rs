//! The reader of wheels, for the fuzz targets.

use super::archive::{Places, unpack};
use crate::toolchain::zip;

/// Where the files of a wheel would be installed, below the environment.
pub fn wheel(bytes: &[u8]) -> Vec<String> {
    let places = Places {
        packages: "lib/python3.13/site-packages",
        minor: "3.13",
    };
    zip::entries(bytes)
        .and_then(|entries| unpack(&entries, &places))
        .map(|unpacked| unpacked.files.into_keys().collect())
        .unwrap_or_default()
}
