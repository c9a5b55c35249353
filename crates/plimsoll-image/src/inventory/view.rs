//! All layers seen as one tree: which of several files at one path counts.

use std::collections::HashMap;

use super::scan::{LayerFacts, Statement, joined};

/// The files that a container sees.
pub(super) struct View {
    files: HashMap<String, Place>,
}

/// Where a file is, and how large.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub layer: usize,
    pub bytes: u64,
}

impl View {
    pub(super) fn of(layers: &[LayerFacts]) -> Self {
        let mut files: HashMap<String, Place> = HashMap::new();
        for (layer, facts) in layers.iter().enumerate() {
            if !facts.hidden.is_empty() || !facts.opaque.is_empty() {
                files.retain(|path, _| !facts.takes_away(path));
            }
            for (directory, entries) in &facts.directories {
                for (name, bytes) in entries {
                    let place = Place {
                        layer,
                        bytes: *bytes,
                    };
                    files.insert(joined(directory, name), place);
                }
            }
        }
        Self { files }
    }

    /// The file at a path. Debian packages name paths of before `/lib` became a link.
    pub(super) fn find(&self, path: &str) -> Option<(&str, Place)> {
        let found = self.files.get_key_value(path).or_else(|| {
            let moved = ["bin/", "sbin/", "lib/", "lib64/"];
            moved
                .iter()
                .any(|old| path.starts_with(old))
                .then_some(())?;
            self.files.get_key_value(&format!("usr/{path}"))
        });
        found.map(|(path, place)| (path.as_str(), *place))
    }

    /// Everything, in no order.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, Place)> {
        self.files
            .iter()
            .map(|(path, place)| (path.as_str(), *place))
    }

    /// What files say that are not hidden: layer, path, statement.
    pub(super) fn statements<'a>(
        &'a self,
        layers: &'a [LayerFacts],
    ) -> impl Iterator<Item = (usize, &'a str, &'a Statement)> {
        layers.iter().enumerate().flat_map(move |(layer, facts)| {
            facts
                .statements
                .iter()
                .filter(move |(path, _)| {
                    self.files
                        .get(path)
                        .is_some_and(|place| place.layer == layer)
                })
                .map(move |(path, statement)| (layer, path.as_str(), statement))
        })
    }
}

impl LayerFacts {
    /// Whether this layer hides a path of those below.
    fn takes_away(&self, path: &str) -> bool {
        let inside = |directory: &String| {
            directory.is_empty()
                || path
                    .strip_prefix(directory.as_str())
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        self.opaque.iter().any(inside)
            || self
                .hidden
                .iter()
                .any(|hidden| hidden == path || inside(hidden))
    }
}
