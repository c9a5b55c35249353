//! Python sources, settings and manifests.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_detect_fuzz::{halves, survive};

fuzz_target!(|data: &[u8]| {
    let (first, second) = halves(data);
    survive(&[
        ("pkg/__init__.py", b""),
        ("pkg/main.py", first),
        ("pkg/settings.py", second),
        ("gunicorn.conf.py", second),
        ("requirements.txt", second),
        ("inner/pyproject.toml", second),
    ]);
});
