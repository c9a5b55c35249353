//! Pages and schemas that are made from tables in the code are what the tables say.
#![expect(clippy::unwrap_used, reason = "a test stops at what it cannot set up")]

use std::path::Path;

use plimsoll_model::compose::{extension_reference, extension_schema, support};
use plimsoll_model::settings::{self, KEYS, Settings};

fn shipped(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs_err::read_to_string(root.join(path)).unwrap()
}

#[track_caller]
fn is_current(path: &str, made: &str) {
    assert!(
        shipped(path) == made,
        "`{path}` is out of date: cargo run -p plimsoll-model --example write_documentation ."
    );
}

#[test]
fn the_page_on_compose_is_current() {
    is_current("docs/compose-support.md", &support::page());
}

#[test]
fn the_reference_of_x_plimsoll_is_current() {
    is_current("docs/reference/x-plimsoll.md", &extension_reference());
}

#[test]
fn the_reference_of_plimsoll_toml_is_current() {
    is_current("docs/reference/plimsoll-toml.md", &settings::reference());
}

#[test]
fn the_shipped_schema_is_the_one_that_is_checked() {
    let made = format!("{:#}\n", extension_schema());
    is_current("schemas/x-plimsoll.json", &made);
}

#[test]
fn every_documented_setting_is_read_and_no_other() {
    for key in KEYS {
        let table = match key.table {
            "registries" => "registries.\"registry.example\"",
            table => table,
        };
        let line = |name: &str| format!("[{table}]\n{name} = \"{}\"\n", key.example);
        let read = Settings::parse(&line(key.key), Path::new("plimsoll.toml")).unwrap();
        assert_ne!(read, Settings::default(), "{key:?}");
        let other = format!("{}-of-nobody", key.key);
        Settings::parse(&line(&other), Path::new("plimsoll.toml")).unwrap_err();
    }
}
