//! JavaScript and TypeScript sources and manifests.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_detect_fuzz::{halves, survive};

const MANIFEST: &[u8] = br#"{"name":"a","scripts":{"start":"tsx src/index.ts","worker":"tsx src/worker.ts"},
"dependencies":{"express":"5","zod":"4","bullmq":"5","@modelcontextprotocol/sdk":"1"}}"#;

fuzz_target!(|data: &[u8]| {
    let (first, second) = halves(data);
    survive(&[
        ("web/package.json", MANIFEST),
        ("web/src/index.ts", first),
        ("web/src/worker.ts", second),
        ("web/src/page.tsx", first),
        ("site/package.json", br#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"7"}}"#),
        ("site/index.html", b""),
        ("site/vite.config.ts", first),
        ("other/package.json", second),
        ("other/index.js", first),
        ("langgraph.json", second),
    ]);
});
