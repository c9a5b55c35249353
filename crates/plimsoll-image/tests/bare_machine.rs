//! A machine that has none of the package clients: registries are found all the same.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by a panic, and shows what it built"
)]

mod support;

use plimsoll_image::clients::ClientSettings;
use support::Bench;

#[test]
fn registries_are_found_in_debians_packages_of_their_clients() {
    let Some(bench) = Bench::open("bare machine") else {
        return;
    };
    let empty = tempfile::tempdir().unwrap();
    let settings = ClientSettings {
        system: empty.path().to_path_buf(),
        ..ClientSettings::default()
    };
    let builder = bench.builder_with(settings);
    let registries = builder.registries();
    let python = registries.python().unwrap();
    assert_eq!(python.found_in, "Debian's python3-pip");
    assert!(python.url.expose().ends_with("/simple"), "{}", python.url);
    let npm = registries.npm().unwrap();
    assert_eq!(npm.found_in, "Debian's npm");
    assert!(npm.url.expose().starts_with("https://"), "{}", npm.url);
}
