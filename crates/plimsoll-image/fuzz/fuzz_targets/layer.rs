//! Any bytes as a layer: unpacked or refused, and nothing appears outside its directory.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use plimsoll_image::layer::{Limits, Origin, unpack};

/// Small enough for a temporary directory.
const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    entries: 200,
};

fuzz_target!(|bytes: &[u8]| {
    for origin in [Origin::Own, Origin::Foreign] {
        let place = tempfile::tempdir().expect("a temporary directory");
        let inside = place.path().join("inside");
        fs::create_dir(&inside).expect("an empty directory");
        fs::write(place.path().join("beside"), "kept").expect("a file beside it");
        let _ = unpack(&mut { bytes }, &inside, origin, LIMITS);
        let names = fs::read_dir(place.path()).expect("the directory above").count();
        assert_eq!(names, 2);
        let beside = fs::read(place.path().join("beside")).expect("the file beside it");
        assert_eq!(beside, b"kept");
    }
});
