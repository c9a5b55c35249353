//! Go sources and manifests.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_detect_fuzz::{halves, survive};

fuzz_target!(|data: &[u8]| {
    let (first, second) = halves(data);
    survive(&[
        ("relay/go.mod", b"module example.com/relay\n\ngo 1.24\n"),
        ("relay/main.go", first),
        ("relay/inner/inner.go", second),
        ("other/go.mod", second),
        ("other/main.go", b"package main\nfunc main() {}\n"),
    ]);
});
