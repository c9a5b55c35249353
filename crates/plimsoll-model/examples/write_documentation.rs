//! Writes the pages and the schema that are made from tables in the code, anew.
//!
//! Argument: the root of the repository.
#![expect(clippy::print_stderr, reason = "a program of its own, not a library")]

use std::path::PathBuf;
use std::process::ExitCode;

use plimsoll_model::compose::{extension_reference, extension_schema, support};
use plimsoll_model::settings;

fn main() -> ExitCode {
    let Some(root) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: write_documentation ROOT");
        return ExitCode::from(2);
    };
    let files = [
        ("docs/compose-support.md", support::page()),
        ("docs/reference/x-plimsoll.md", extension_reference()),
        ("docs/reference/plimsoll-toml.md", settings::reference()),
        (
            "schemas/x-plimsoll.json",
            format!("{:#}\n", extension_schema()),
        ),
    ];
    for (path, text) in files {
        if let Err(error) = fs_err::write(root.join(path), text) {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
