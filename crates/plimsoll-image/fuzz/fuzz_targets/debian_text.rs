//! Any text as what Debian writes: paragraphs, relations, versions, lists of packages, releases.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    plimsoll_image::fuzzing::debian_text(text);
});
