//! Settings that a program reads from a file of the tree: YAML, JSON or TOML. Only plain values count.

use std::path::Path;
use std::sync::Arc;

use plimsoll_model::yaml;

use crate::document::Item;
use crate::tree::Tree;

/// Ends of names of files that hold settings.
const ENDS: &[&str] = &["yaml", "yml", "json", "toml"];

/// Whether a name is that of a file which may hold settings.
pub(crate) fn is_named_so(name: &str) -> bool {
    let end = name.rsplit_once('.').map(|(_, end)| end);
    end.is_some_and(|end| ENDS.contains(&end)) && !name.ends_with("package.json")
}

/// The port that a file has at the end of a way of keys.
pub(crate) fn port(tree: &Tree, file: &Path, keys: &[&str]) -> Option<u16> {
    let text = tree.manifest(file)?;
    let end = file.extension()?.to_str()?;
    let port = match end {
        "toml" => Item::toml(&text).ok()?.get(keys)?.scalar_text()?,
        "json" => {
            let file: Arc<Path> = Arc::from(file);
            Item::json(&file, text)?.get(keys)?.scalar_text()?
        }
        _ => {
            let documents = yaml::parse(&text, tree.shown(file)).ok()?;
            let mut node = documents.first()?;
            for key in keys {
                node = node.get(key)?;
            }
            node.scalar_text()?
        }
    };
    port.trim().parse().ok().filter(|port| *port > 0)
}
