//! Bytes that an image need not have: what they are, how many, and how to be rid of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::scan::LayerFacts;
use super::view::View;
use super::{Component, Ecosystem};

/// Less is not worth a word.
const LEAST: u64 = 1_000_000;

/// Tools of development that a service does not run.
const DEVELOPMENT: [&str; 24] = [
    "pytest",
    "mypy",
    "ruff",
    "black",
    "flake8",
    "pylint",
    "isort",
    "pre-commit",
    "tox",
    "nox",
    "ipython",
    "jupyterlab",
    "notebook",
    "sphinx",
    "typescript",
    "eslint",
    "prettier",
    "vite",
    "webpack",
    "jest",
    "vitest",
    "ts-node",
    "nodemon",
    "playwright-core",
];

/// A kind of waste.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WasteKind {
    /// Libraries for graphics processors, which only help a service that has one.
    GpuLibraries,
    /// Tests that packages brought along.
    Tests,
    /// The same package several times.
    Copies,
    /// Tools of development.
    DevelopmentTools,
    /// Source maps, types and documents of Node packages.
    NodeExtras,
    /// Translations.
    Locales,
    /// Files that a higher layer replaces or hides.
    Hidden,
}

impl WasteKind {
    /// How to be rid of it.
    pub fn fix(self) -> &'static str {
        match self {
            WasteKind::GpuLibraries => {
                "take torch from PyTorch's CPU index: name it under `[[tool.uv.index]]` and say \
                 `torch = { index = \"…\" }` under `[tool.uv.sources]`"
            }
            WasteKind::Tests => "`--variant slim` leaves them out",
            WasteKind::Copies => "let all who need it agree on one version and place",
            WasteKind::DevelopmentTools => {
                "move them to `[dependency-groups] dev` or `devDependencies`"
            }
            WasteKind::NodeExtras => "`--variant slim` leaves them out",
            WasteKind::Locales => "`--variant slim` leaves them out",
            WasteKind::Hidden => "write each file once, in the layer where it is final",
        }
    }
}

/// Bytes that need not be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waste {
    /// What kind.
    pub kind: WasteKind,
    /// How many.
    pub bytes: u64,
    /// Whose they are, those with the most first.
    pub owners: Vec<String>,
}

/// Looks for known waste.
pub(super) fn find(
    view: &View,
    layers: &[LayerFacts],
    drafts: &[Draft],
    components: &[Component],
) -> Vec<Waste> {
    let mut sums: BTreeMap<WasteKind, BTreeMap<String, u64>> = BTreeMap::new();
    let mut add = |kind, owner: &str, bytes: u64| {
        if bytes > 0 {
            *sums
                .entry(kind)
                .or_default()
                .entry(owner.to_owned())
                .or_default() += bytes;
        }
    };
    for component in components {
        let name = component.name.as_str();
        match component.ecosystem {
            Ecosystem::Python if is_for_gpu(name) => {
                add(WasteKind::GpuLibraries, name, component.bytes);
            }
            Ecosystem::Python | Ecosystem::Npm
                if DEVELOPMENT.contains(&name) || name.starts_with("@types/") =>
            {
                add(WasteKind::DevelopmentTools, name, component.bytes);
            }
            _ => {}
        }
    }
    let mut copies: BTreeMap<(Ecosystem, &str), Vec<u64>> = BTreeMap::new();
    for draft in drafts {
        let component = &draft.component;
        if matches!(component.ecosystem, Ecosystem::Python | Ecosystem::Npm) {
            let key = (component.ecosystem, component.name.as_str());
            copies.entry(key).or_default().push(component.bytes);
        }
    }
    for ((_, name), mut sizes) in copies {
        sizes.sort_unstable();
        sizes.pop();
        add(WasteKind::Copies, name, sizes.iter().sum());
    }
    for (path, place) in view.files() {
        if let Some((kind, owner)) = of_path(path) {
            add(kind, owner, place.bytes);
        }
    }
    for (index, layer) in layers.iter().enumerate() {
        for (directory, files) in &layer.directories {
            for (name, bytes) in files {
                let path = super::scan::joined(directory, name);
                let seen = view
                    .find(&path)
                    .is_some_and(|(_, place)| place.layer == index);
                if !seen {
                    add(WasteKind::Hidden, directory, *bytes);
                }
            }
        }
    }
    let mut waste: Vec<Waste> = sums
        .into_iter()
        .map(|(kind, owners)| {
            let bytes = owners.values().sum();
            let mut owners: Vec<(String, u64)> = owners.into_iter().collect();
            owners.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(&right.0)));
            Waste {
                kind,
                bytes,
                owners: owners.into_iter().take(5).map(|(name, _)| name).collect(),
            }
        })
        .filter(|waste| waste.bytes >= LEAST)
        .collect();
    waste.sort_by_key(|waste| (std::cmp::Reverse(waste.bytes), waste.kind));
    waste
}

fn is_for_gpu(name: &str) -> bool {
    name.starts_with("nvidia-") || name.starts_with("cuda-") || name == "triton"
}

/// What a file's path gives away, and whose it is.
fn of_path(path: &str) -> Option<(WasteKind, &str)> {
    if let Some((_, inside)) = path.rsplit_once("node_modules/") {
        let extra = [
            ".map",
            ".d.ts",
            ".d.mts",
            ".d.cts",
            ".md",
            ".markdown",
            ".flow",
        ];
        return extra.iter().any(|end| path.ends_with(end)).then(|| {
            (
                WasteKind::NodeExtras,
                inside.split('/').next().unwrap_or(inside),
            )
        });
    }
    if path.starts_with("usr/share/locale/") || path.starts_with("usr/share/i18n/") {
        return Some((WasteKind::Locales, "usr/share"));
    }
    let inside = ["/site-packages/", "/dist-packages/"]
        .iter()
        .find_map(|mark| path.split_once(mark))
        .map(|(_, inside)| inside)?;
    let package = inside.split('/').next().unwrap_or(inside);
    if inside.contains("/tests/") || inside.contains("/test/") {
        return Some((WasteKind::Tests, package));
    }
    (inside.contains("/locale/") && inside.ends_with(".mo"))
        .then_some((WasteKind::Locales, package))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_give_waste_away() {
        let site = "app/.venv/lib/python3.13/site-packages";
        assert_eq!(
            of_path(&format!("{site}/pandas/tests/frame/a.py")),
            Some((WasteKind::Tests, "pandas"))
        );
        assert_eq!(of_path(&format!("{site}/pandas/testing.py")), None);
        assert_eq!(
            of_path("app/node_modules/a/dist/a.js.map"),
            Some((WasteKind::NodeExtras, "a"))
        );
        assert_eq!(of_path("app/tests/test_api.py"), None);
    }
}
