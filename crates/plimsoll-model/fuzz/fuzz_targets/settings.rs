//! Any `plimsoll.toml` is read or refused.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use plimsoll_model::settings::Settings;

fuzz_target!(|text: &str| {
    let _ = Settings::parse(text, Path::new("plimsoll.toml"));
});
