//! Any bytes as a wheel: what is installed of it lies below the environment.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for path in plimsoll_image::fuzzing::wheel(bytes) {
        let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        assert!(plain, "{path}");
    }
});
