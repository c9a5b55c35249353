//! `exports` of a `package.json`: which file an import of a package, or of a part of it, means.

use crate::document::{Data, Item};

/// Parts of a package and their files, as written: `.`, `./store`, `./rows/*`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exports(Vec<(String, String)>);

/// Conditions under which a server imports, the plainest first.
const CONDITIONS: &[&str] = &[
    "node",
    "import",
    "default",
    "module",
    "require",
    "bun",
    "source",
    "development",
    "production",
];

impl Exports {
    /// Reads what stands under `exports`.
    pub(super) fn read(item: Option<&Item>) -> Self {
        let Some(item) = item else {
            return Self::default();
        };
        let parts = item.table();
        let by_part = parts.iter().any(|(key, _)| key.starts_with('.'));
        if !by_part {
            let own = target(item, 0).map(|file| (".".to_owned(), file));
            return Self(own.into_iter().collect());
        }
        let parts = parts.iter();
        Self(
            parts
                .filter_map(|(part, item)| Some((part.clone(), target(item, 0)?)))
                .collect(),
        )
    }

    /// The file of a part: `rest` is what stands behind the package's name in an import.
    pub(super) fn file(&self, rest: &str) -> Option<String> {
        let wanted = format!(".{rest}");
        self.0
            .iter()
            .find_map(|(part, file)| match part.split_once('*') {
                None => (*part == wanted).then(|| file.clone()),
                Some((before, after)) => {
                    let inner = wanted.strip_prefix(before)?.strip_suffix(after)?;
                    Some(file.replace('*', inner))
                }
            })
    }
}

fn target(item: &Item, depth: usize) -> Option<String> {
    match &item.value {
        Data::Text(file) => Some(file.clone()),
        Data::Table(entries) if depth < 4 => CONDITIONS.iter().find_map(|condition| {
            let (_, inner) = entries.iter().find(|(key, _)| key == condition)?;
            target(inner, depth + 1)
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_part_of_a_package_has_a_file_of_its_own() {
        let file: Arc<Path> = Arc::from(Path::new("package.json"));
        let read = |text: &str| Exports::read(Item::json(&file, text.to_owned()).as_ref());
        let whole = read(r#"{"types":"./a.d.ts","import":"./dist/a.js"}"#);
        assert_eq!(whole.file("").as_deref(), Some("./dist/a.js"));
        let parts = read(
            r#"{".":{"node":{"import":"./dist/server.js"},"default":"./dist/client.js"},"./rows/*":"./src/rows/*.ts"}"#,
        );
        assert_eq!(parts.file("").as_deref(), Some("./dist/server.js"));
        assert_eq!(parts.file("/rows/a").as_deref(), Some("./src/rows/a.ts"));
        assert_eq!(parts.file("/other"), None);
        assert_eq!(
            read("\"./index.js\"").file("").as_deref(),
            Some("./index.js")
        );
    }
}
