//! The arrows between crates are exactly those of `ARCHITECTURE.md`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Crate, and the crates of ours it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("plimsoll-diag", &[]),
    ("plimsoll-model", &["plimsoll-diag"]),
    ("plimsoll-detect", &["plimsoll-diag", "plimsoll-model"]),
    ("plimsoll-image", &["plimsoll-diag", "plimsoll-model"]),
    ("plimsoll-probe", &[]),
    ("plimsoll-render", &["plimsoll-diag", "plimsoll-model"]),
    (
        "plimsoll-run",
        &[
            "plimsoll-diag",
            "plimsoll-model",
            "plimsoll-image",
            "plimsoll-probe",
        ],
    ),
    (
        "plimsoll",
        &[
            "plimsoll-diag",
            "plimsoll-model",
            "plimsoll-detect",
            "plimsoll-image",
            "plimsoll-render",
            "plimsoll-run",
        ],
    ),
];

fn used_crates() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap();
            let ours = dependencies
                .iter()
                // What only a crate's tests use is no arrow.
                .filter(|dependency| dependency["kind"] != "dev")
                .filter_map(|dependency| dependency["name"].as_str())
                .filter(|name| name.starts_with("plimsoll"))
                .map(str::to_owned);
            (package["name"].as_str().unwrap().to_owned(), ours.collect())
        })
        .collect()
}

#[test]
fn crates_use_exactly_what_the_architecture_says() {
    let expected: BTreeMap<String, BTreeSet<String>> = ARROWS
        .iter()
        .map(|(name, uses)| {
            let uses = uses.iter().map(|used| (*used).to_owned());
            ((*name).to_owned(), uses.collect())
        })
        .collect();
    assert_eq!(used_crates(), expected);
}

#[test]
fn the_architecture_page_names_every_crate() {
    let page = include_str!("../../../ARCHITECTURE.md");
    for (name, _) in ARROWS {
        assert!(
            page.contains(&format!("`{name}`")),
            "`{name}` is missing from ARCHITECTURE.md"
        );
    }
}
