//! No file of these tests is forgotten: one that `main.rs` does not name would never run.

use std::path::Path;

#[test]
fn every_file_here_is_a_module() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let main = include_str!("main.rs");
    let mut forgotten = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_source = path.extension().is_some_and(|extension| extension == "rs");
        if is_source && module != "main" && !main.contains(&format!("mod {module};")) {
            forgotten.push(module);
        }
    }
    assert!(forgotten.is_empty(), "not in main.rs: {forgotten:?}");
}

#[test]
fn every_command_has_a_module() {
    let context = crate::context::Context::new();
    let help = context.run(&["--help"]);
    let (_, rest) = help.split_once("Commands:\n").unwrap();
    let main = include_str!("main.rs");
    for line in rest.lines().take_while(|line| !line.is_empty()) {
        let command = line.split_whitespace().next().unwrap();
        assert!(
            main.contains(&format!("mod {command};")),
            "`{command}` has no tests"
        );
    }
}
