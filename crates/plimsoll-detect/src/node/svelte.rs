//! What SvelteKit's adapter makes of an application: the configuration says which one runs, the
//! manifest only which ones are installed.

use std::path::{Path, PathBuf};

use plimsoll_model::NodeLayout;
use tree_sitter::Node;

use super::framework::{Form, Settings};
use super::manifest::Package;
use super::sources;
use crate::syntax::{DEPTH, Grammar, Source, named_children};
use crate::tree::Tree;

/// Adapters whose output runs in an image of ours.
const NODE: &str = "@sveltejs/adapter-node";
const STATIC: &str = "@sveltejs/adapter-static";

/// How the package's output is put into an image.
pub(super) fn form(tree: &Tree, package: &Package, environment: Vec<(String, String)>) -> Form {
    let configuration = ["svelte.config", "vite.config"]
        .iter()
        .flat_map(|name| ["js", "ts", "mjs", "mts"].map(|end| format!("{name}.{end}")))
        .map(|name| package.directory.join(name))
        .filter(|path| tree.has_file(path))
        .find_map(|path| Some((adapter(tree, &path)?, Settings::read(tree, &path)?)));
    let (adapter, settings) = configuration.unzip();
    let settings = settings.unwrap_or_default();
    let installed = || {
        [NODE, STATIC]
            .into_iter()
            .find(|name| package.depends_on(name))
    };
    match adapter.as_deref().or_else(installed) {
        Some(NODE) => Form::Server {
            layout: NodeLayout::Application,
            command: Some(vec![
                "node".to_owned(),
                settings.text("out").unwrap_or("build").to_owned(),
            ]),
            port: 3000,
            environment,
        },
        Some(STATIC) => Form::Files {
            output: settings
                .path("pages")
                .unwrap_or_else(|| PathBuf::from("build")),
        },
        other => Form::Neither {
            why: match other {
                Some(adapter) => format!("`{adapter}` makes no server that Node runs"),
                None => "its adapter makes no server that Node runs".to_owned(),
            },
            hint: instead(package, other),
        },
    }
}

/// What to change, so that there is something to run.
fn instead(package: &Package, adapter: Option<&str>) -> String {
    let import = match adapter {
        Some(adapter) => format!("import it in `svelte.config.js` in place of `{adapter}`"),
        None => "import it in `svelte.config.js`".to_owned(),
    };
    let add = if package.depends_on(NODE) {
        format!("`{NODE}` is there already: {import}")
    } else {
        format!("add `{NODE}` to `devDependencies` and {import}")
    };
    format!("{add} (`{STATIC}` for pages without a server)")
}

/// The adapter that a configuration imports.
fn adapter(tree: &Tree, path: &Path) -> Option<String> {
    let source = Source::parse(tree.shown(path), tree.source(path)?, Grammar::of(path)?)?;
    imported(&source, source.root(), 0)
}

fn imported(source: &Source, node: Node<'_>, depth: usize) -> Option<String> {
    if depth > DEPTH {
        return None;
    }
    if node.kind() == "import_statement" {
        let from = node.child_by_field_name("source")?;
        return sources::text(source, from).filter(|module| module.contains("/adapter-"));
    }
    named_children(node)
        .into_iter()
        .find_map(|child| imported(source, child, depth + 1))
}
