//! Any Compose file is loaded or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_model::compose::{LoadOptions, load};

fuzz_target!(|text: &str| {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join("compose.yaml"), text).expect("a written file");
    let _ = load(&LoadOptions {
        directory: directory.path().to_path_buf(),
        project_name: Some("fuzz".to_owned()),
        ..LoadOptions::default()
    });
});
