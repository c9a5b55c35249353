//! The port that a program listens on by a settings file of its tree: YAML, TOML, JSON or lines of `key = value`. Keys tell
//! whose a port is, and a file that is only an example tells less than one that is read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_model::yaml::{self, Node};

use crate::document::{Data, Item};
use crate::places;
use crate::tree::Tree;

/// What a settings file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stated {
    pub(crate) port: u16,
    /// Whether the file is one to be copied and filled in.
    pub(crate) example: bool,
}

/// Sections that are about the program itself.
const SECTIONS: &[&str] = &[
    "server",
    "http",
    "httpserver",
    "webserver",
    "web",
    "api",
    "rest",
    "app",
    "application",
    "service",
    "gateway",
    "main",
    "system",
    "serve",
    "listen",
    "listener",
    "bind",
    "default",
];

/// Keys of what a program listens on, without what stands between their words.
const KEYS: &[&str] = &[
    "port",
    "httpport",
    "serverport",
    "apiport",
    "webport",
    "appport",
    "listenport",
    "bindport",
    "listen",
    "listenon",
    "listenaddr",
    "listenaddress",
    "httpaddr",
    "httplisten",
    "serveraddr",
    "serveraddress",
    "addr",
    "address",
    "bind",
    "bindaddr",
    "bindaddress",
];

/// Words in the names of files that show what may be written.
const EXAMPLES: &[&str] = &[
    "example", "examples", "sample", "default", "dist", "template", "tmpl",
];

/// Ends of names that settings have.
const ENDS: &[&str] = &["yaml", "yml", "toml", "json", "conf", "ini"];

/// Deeper than this no section is the program's own.
const DEEPEST: usize = 3;

/// What a text in a program may name a settings file by: its last part, where that is a name of settings.
/// `own` are names that the program goes by.
pub(crate) fn named(text: &str, own: &[&str]) -> Option<String> {
    let name = text.rsplit('/').next()?;
    let (stem, end) = name.split_once('.')?;
    let lower = stem.to_ascii_lowercase();
    let says = ["conf", "setting", "server", "gateway"];
    let fits = says.iter().any(|word| lower.contains(word))
        || lower == "app"
        || own.iter().any(|own| *own == lower);
    let plain = !name.contains(char::is_whitespace) && !name.contains(['*', '{', '%', '$']);
    (fits && plain && ENDS.contains(&end)).then(|| name.to_owned())
}

/// What the nearest file says that goes by one of these names, below `root`.
pub(crate) fn find(tree: &Tree, root: &Path, names: &[String]) -> Option<Stated> {
    let mut fitting: Vec<(bool, usize, PathBuf)> = Vec::new();
    for file in tree.files() {
        let Ok(below) = file.path.strip_prefix(root) else {
            continue;
        };
        let Some(example) = names.iter().find_map(|name| fits(&file.path, name)) else {
            continue;
        };
        let aside = places::set_aside(below);
        if aside.is_some_and(|why| why != "an example") {
            continue;
        }
        let depth = below.components().count();
        fitting.push((example || aside.is_some(), depth, file.path.to_path_buf()));
    }
    fitting.sort();
    fitting.into_iter().find_map(|(example, _, path)| {
        let port = listened(&pairs(tree, &path)?)?;
        Some(Stated { port, example })
    })
}

/// The file beside one that is not in the tree which shows what may be written there: `config.example.yaml`.
pub(crate) fn example_of(tree: &Tree, file: &Path) -> Option<PathBuf> {
    let name = file.file_name()?.to_str()?;
    let beside = file.parent()?;
    let mut files = tree.files().iter().map(|file| &file.path);
    let shows = |path: &Path| path.parent() == Some(beside) && fits(path, name) == Some(true);
    files
        .find(|path| shows(path))
        .map(|path| path.to_path_buf())
}

/// Whether a file goes by a name, and then whether it is an example. `config.*` is of any kind.
fn fits(path: &Path, name: &str) -> Option<bool> {
    let own = path.file_name()?.to_str()?;
    let (stem, end) = name.split_once('.')?;
    let mut parts = own.split(['.', '-', '_']).collect::<Vec<_>>();
    let known = parts.len();
    parts.retain(|part| !EXAMPLES.contains(part));
    let plain = own == name
        || end == "*" && {
            let (other, kind) = own.split_once('.')?;
            other == stem && ENDS.contains(&kind)
        };
    if plain {
        return Some(false);
    }
    let wanted: Vec<&str> = name.split(['.', '-', '_']).collect();
    let same = match end {
        "*" => {
            parts.len() == wanted.len() && parts[..parts.len() - 1] == wanted[..wanted.len() - 1]
        }
        _ => parts == wanted,
    };
    (same && parts.len() < known).then_some(true)
}

/// The port among keys with their values.
fn listened(pairs: &[(Vec<String>, String)]) -> Option<u16> {
    pairs.iter().find_map(|(keys, value)| {
        let (last, sections) = keys.split_last()?;
        let own = sections.len() <= DEEPEST
            && sections
                .iter()
                .all(|section| SECTIONS.contains(&section.as_str()))
            && KEYS.contains(&last.as_str());
        own.then(|| port_of(value)).flatten()
    })
}

/// `8080`, `:8080`, `0.0.0.0:8080`, `${PORT:-8080}`; no address of somebody else.
fn port_of(value: &str) -> Option<u16> {
    if value.contains("//") {
        return None;
    }
    let last = value.rsplit(':').next()?;
    let number = last.trim_start_matches('-').trim_end_matches('}').trim();
    number.parse().ok().filter(|port| *port != 0)
}

/// The keys of a file that have plain values, in its order.
fn pairs(tree: &Tree, path: &Path) -> Option<Vec<(Vec<String>, String)>> {
    let text = tree.source(path)?;
    let mut found = Vec::new();
    let name = path.file_name()?.to_str()?;
    let ends = |end: &str| name.split('.').any(|part| part == end);
    if ends("yaml") || ends("yml") {
        let documents = yaml::parse(&text, tree.shown(path)).ok()?;
        of_yaml(documents.first()?, &mut Vec::new(), &mut found);
    } else if ends("toml") {
        of_item(&Item::toml(&text).ok()?, &mut Vec::new(), &mut found);
    } else if ends("json") {
        let shown: Arc<Path> = tree.shown(path);
        of_item(&Item::json(&shown, text)?, &mut Vec::new(), &mut found);
    } else {
        of_lines(&text, &mut found);
    }
    Some(found)
}

/// A key without what stands between its words.
fn plain(key: &str) -> String {
    key.to_ascii_lowercase().replace(['_', '-'], "")
}

fn of_yaml(node: &Node, keys: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    if let Some(map) = node.as_map() {
        if keys.len() > DEEPEST {
            return;
        }
        for (key, value) in map.iter() {
            keys.push(plain(&key.text));
            of_yaml(value, keys, found);
            keys.pop();
        }
    } else if let Some(value) = node.scalar_text() {
        found.push((keys.clone(), value));
    }
}

fn of_item(item: &Item, keys: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    if let Data::Table(entries) = &item.value {
        if keys.len() > DEEPEST {
            return;
        }
        for (key, value) in entries {
            keys.push(plain(key));
            of_item(value, keys, found);
            keys.pop();
        }
    } else if let Some(value) = item.scalar_text() {
        found.push((keys.clone(), value));
    }
}

/// `[section]` and `key = value`.
fn of_lines(text: &str, found: &mut Vec<(Vec<String>, String)>) {
    let mut section: Option<String> = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = Some(plain(name.trim_end_matches(']')));
        } else if let Some((key, value)) = line.split_once('=') {
            let keys = section.iter().cloned().chain([plain(key.trim())]);
            let value = value.trim().trim_matches(['"', '\'']).to_owned();
            found.push((keys.collect(), value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_whose_a_port_is() {
        let of = |text: &str| {
            let documents = yaml::parse(text, Arc::from(Path::new("config.yaml"))).unwrap();
            let mut found = Vec::new();
            of_yaml(&documents[0], &mut Vec::new(), &mut found);
            listened(&found)
        };
        for (text, port) in [
            ("redis:\n  port: 6379\nserver:\n  port: 8081\n", Some(8081)),
            ("listen: \":6060\"\n", Some(6060)),
            ("server:\n  http:\n    addr: 0.0.0.0:8000\n", Some(8000)),
            ("port: ${PORT:-9000}\n", Some(9000)),
            ("server:\n  address: http://other:80\n", None),
            ("database:\n  port: 5432\n", None),
        ] {
            assert_eq!(of(text), port, "{text}");
        }
    }

    #[test]
    fn an_example_goes_by_the_name_of_what_it_shows() {
        for (file, name, told) in [
            ("config.yaml", "config.yaml", Some(false)),
            ("config.example.yaml", "config.yaml", Some(true)),
            ("config.yaml.sample", "config.yaml", Some(true)),
            ("config.toml", "config.*", Some(false)),
            ("config.example.yml", "config.*", Some(true)),
            ("other.yaml", "config.yaml", None),
        ] {
            assert_eq!(fits(Path::new(file), name), told, "{file}");
        }
    }
}
