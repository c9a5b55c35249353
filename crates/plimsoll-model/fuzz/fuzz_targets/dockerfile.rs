//! Any text as a Dockerfile: no panic, and what is printed parses to the same.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use plimsoll_model::dockerfile::Dockerfile;

fuzz_target!(|text: &str| {
    if let Ok(file) = Dockerfile::parse(text, Path::new("Dockerfile")) {
        let _ = plimsoll_model::dockerfile::stages(&file);
        let printed = file.to_string();
        // Characters that only a continued line can hold have no place on one line.
        if let Ok(again) = Dockerfile::parse(&printed, Path::new("Dockerfile")) {
            assert_eq!(again.instructions.len(), file.instructions.len(), "{printed}");
        }
    }
});
