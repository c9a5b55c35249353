//! Names that `tsconfig.json` gives to directories and files of the project: `@tide/store`, `@app/*`.

use std::path::{Path, PathBuf};

use crate::document::Item;
use crate::places;
use crate::tree::Tree;

/// The names, and what each stands for; `*` in both is the same text.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    known: Vec<(String, Vec<PathBuf>)>,
}

impl Aliases {
    /// Those of the configuration in a directory: Nx keeps them in a file of their own.
    pub(super) fn read(tree: &Tree, directory: &Path) -> Self {
        ["tsconfig.base.json", "tsconfig.json"]
            .iter()
            .map(|name| directory.join(name))
            .filter(|path| tree.has_file(path))
            .find_map(|path| Self::of(tree, directory, &path))
            .unwrap_or_default()
    }

    fn of(tree: &Tree, directory: &Path, path: &Path) -> Option<Self> {
        let item = Item::json(&path.into(), tree.source(path)?)?;
        let base = item.text(&["compilerOptions", "baseUrl"]).unwrap_or(".");
        let base = places::within(directory, base)?;
        let known: Vec<(String, Vec<PathBuf>)> = item
            .entries(&["compilerOptions", "paths"])
            .iter()
            .map(|(name, targets)| {
                let targets = targets.list().iter().filter_map(Item::as_text);
                let targets = targets.filter_map(|target| places::within(&base, target));
                (name.clone(), targets.collect())
            })
            .collect();
        (!known.is_empty()).then_some(Self { known })
    }

    /// The places that an import may mean, in the order in which they are tried.
    pub(super) fn places(&self, import: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for (name, targets) in &self.known {
            match name.split_once('*') {
                None if name == import => found.extend(targets.iter().cloned()),
                None => {}
                Some((start, end)) => {
                    let rest = import.strip_prefix(start);
                    let Some(rest) = rest.and_then(|rest| rest.strip_suffix(end)) else {
                        continue;
                    };
                    let filled = targets.iter().filter_map(|target| target.to_str());
                    found.extend(filled.map(|target| PathBuf::from(target.replacen('*', rest, 1))));
                }
            }
        }
        found
    }
}
