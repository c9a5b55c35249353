//! Any text is read or refused; what is read reads back from its own print.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use plimsoll_model::yaml::{parse, to_yaml};

fuzz_target!(|text: &str| {
    if let Ok(documents) = parse(text, Path::new("fuzz.yaml")) {
        for document in documents {
            let printed = to_yaml(&document);
            let again = parse(&printed, Path::new("printed.yaml")).expect("a print is YAML");
            assert_eq!(again.first().map(to_yaml), Some(printed));
        }
    }
});
