//! Rust sources and manifests.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_detect_fuzz::{halves, survive};

fuzz_target!(|data: &[u8]| {
    let (first, second) = halves(data);
    survive(&[
        (
            "relay/Cargo.toml",
            b"[package]\nname = \"relay\"\nversion = \"1.0.0\"\n[dependencies]\naxum = \"0.8\"\nclap = \"4\"\n",
        ),
        ("relay/src/main.rs", first),
        ("relay/src/lib.rs", second),
        ("other/Cargo.toml", second),
        ("other/src/main.rs", b"fn main() {}\n"),
    ]);
});
