//! Calls that read and write files.

use super::function::Function;

/// Calls that open a file for reading, by their whole name.
const READS: &[&str] = &[
    "os.ReadFile",
    "os.Open",
    "os.DirFS",
    "os.ReadDir",
    "ioutil.ReadFile",
    "http.Dir",
    "http.ServeFile",
    "template.ParseFiles",
    "template.ParseGlob",
    "toml.DecodeFile",
];

/// The same for methods.
const READ_METHODS: &[&str] = &[
    "ParseFiles",
    "ParseGlob",
    "LoadHTMLGlob",
    "LoadHTMLFiles",
    "Static",
    "StaticFile",
    "File",
    "ServeFile",
    "AddConfigPath",
    "SetConfigFile",
];

/// Calls that write a file.
const WRITES: &[&str] = &[
    "os.WriteFile",
    "os.Create",
    "os.MkdirAll",
    "os.Mkdir",
    "os.OpenFile",
    "sqlite.Open",
];

/// Notes the files that a call with these texts among its arguments reads and writes.
pub(super) fn call(name: &str, texts: &[String], function: &mut Function) {
    let method = name.rsplit('.').next().unwrap_or(name);
    if READS.contains(&name) || READ_METHODS.contains(&method) {
        function.reads.extend(texts.iter().cloned());
    }
    if WRITES.contains(&name) {
        function.writes.extend(texts.first().cloned());
    }
    let embedded = texts
        .first()
        .is_some_and(|driver| driver.starts_with("sqlite"));
    if name == "sql.Open" && embedded {
        function.writes.extend(texts.get(1).cloned());
    }
}
