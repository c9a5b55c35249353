//! Any text is read as a variable file or refused.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use plimsoll_model::compose::dotenv_of_text;

fuzz_target!(|text: &str| {
    let file: Arc<Path> = Arc::from(Path::new(".env"));
    if let Ok(values) = dotenv_of_text(text, &file) {
        for name in values.keys() {
            assert!(!name.is_empty() && !name.contains(['=', '\n']), "{name}");
        }
    }
});
