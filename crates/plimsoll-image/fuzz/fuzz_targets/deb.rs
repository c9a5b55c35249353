//! Any bytes as a Debian package: opened or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    plimsoll_image::fuzzing::deb(bytes);
});
