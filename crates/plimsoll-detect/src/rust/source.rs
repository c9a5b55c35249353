//! Reading the files of one crate: its items, and the modules it declares.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::Span;
use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use super::calls;
use super::constants;
use super::item::Item;
use super::settings;
use crate::memory::{FactKind, Facts};
use crate::places;
use crate::syntax::{DEPTH, Grammar, Source, named_children};
use crate::tree::Tree;

/// Everything that the root file of a program or library leads to.
#[derive(Debug, Default, Clone)]
pub(super) struct Crate {
    pub items: Vec<Item>,
    /// First parts of paths that it names: crates among them.
    pub names: BTreeSet<String>,
    pub files: Vec<Arc<Path>>,
    /// Where `main` is.
    pub main: Option<Span>,
}

/// Reads a crate from its root file.
pub(super) fn read(tree: &Tree, root: &Path) -> Crate {
    let mut found = Crate::default();
    let directory = root.parent().unwrap_or(Path::new("")).to_owned();
    let mut open = vec![(root.to_owned(), directory)];
    let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
    while let Some((path, directory)) = open.pop() {
        if !seen.insert(path.clone()) || !tree.has_file(&path) {
            continue;
        }
        let shown = tree.shown(&path);
        let Some(said) = tree.facts::<FileItems>(&path) else {
            continue;
        };
        found.files.push(shown);
        found.items.extend(said.items);
        found.names.extend(said.names);
        found.main = found.main.take().or(said.main);
        for (name, stated) in said.modules {
            if let Some(stated) = stated {
                let beside = path.parent().unwrap_or(Path::new(""));
                if let Some(place) = places::within(beside, &stated) {
                    let directory = place.parent().unwrap_or(Path::new("")).to_owned();
                    open.push((place, directory));
                }
                continue;
            }
            let below = directory.join(&name);
            open.push((directory.join(format!("{name}.rs")), below.clone()));
            open.push((below.join("mod.rs"), below));
        }
    }
    constants::resolve(&mut found.items);
    found
}

/// What one file of a crate says.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct FileItems {
    items: Vec<Item>,
    names: BTreeSet<String>,
    main: Option<Span>,
    /// Modules declared here, each with the file it is said to be in.
    modules: Vec<(String, Option<String>)>,
}

impl Facts for FileItems {
    const KIND: FactKind = FactKind::RustFile;

    fn read(path: &Path, shown: Arc<Path>, text: String) -> Option<Self> {
        let source = Source::parse(shown, text, Grammar::Rust)?;
        Some(Self::of(&source, path))
    }
}

impl FileItems {
    fn of(source: &Source, path: &Path) -> Self {
        let stem = match path.file_stem().and_then(|stem| stem.to_str()) {
            Some("mod") => path.parent().and_then(|above| above.file_name()),
            _ => path.file_stem(),
        };
        let mut found = Self::default();
        let mut reader = Reader {
            source,
            found: &mut found,
            module: stem
                .map(|stem| stem.to_string_lossy().into_owned())
                .unwrap_or_default(),
        };
        reader.items(source.root(), None, 0);
        found
    }
}

pub(super) fn span(source: &Source, node: Node<'_>) -> Span {
    source.place(node).in_file(source.path.clone())
}

/// A literal's text without its quotes.
pub(super) fn text(source: &Source, node: Node<'_>) -> String {
    let text = source.text_of(node);
    let text = text
        .trim_start_matches(['b', 'r', '#'])
        .trim_end_matches('#');
    text.trim_matches('"').to_owned()
}

pub(super) fn is_text(node: Node<'_>) -> bool {
    matches!(node.kind(), "string_literal" | "raw_string_literal")
}

/// Whether a function of these parameters is handed what a request or a message holds.
fn takes_request(parameters: &str) -> bool {
    [
        "State<",
        "Json<",
        "Query<",
        "Path<",
        "Extension<",
        "Form<",
        "Multipart",
        "HttpRequest",
        "Request<",
        "HeaderMap",
        "web::Data",
        "Parameters<",
        "RequestContext<",
        "WebSocketUpgrade",
        "TypedHeader<",
        "Context<",
    ]
    .iter()
    .any(|kind| parameters.contains(kind))
}

struct Reader<'r> {
    source: &'r Source,
    found: &'r mut FileItems,
    /// The name of the module that is read.
    module: String,
}

impl Reader<'_> {
    /// Reads items; `receiver` is the type that they are methods of, and whether of a trait.
    fn items(&mut self, node: Node<'_>, receiver: Option<(&str, bool)>, depth: usize) {
        if depth > DEPTH {
            return;
        }
        let mut attributes: Vec<Node<'_>> = Vec::new();
        for child in named_children(node) {
            match child.kind() {
                "attribute_item" => {
                    attributes.push(child);
                    continue;
                }
                "line_comment" | "block_comment" => continue,
                _ => {}
            }
            let stated = std::mem::take(&mut attributes);
            if stated
                .iter()
                .any(|one| is_for_tests(self.source.text_of(*one)))
            {
                continue;
            }
            self.item(child, &stated, receiver, depth);
        }
    }

    fn item(
        &mut self,
        node: Node<'_>,
        attributes: &[Node<'_>],
        receiver: Option<(&str, bool)>,
        depth: usize,
    ) {
        let name = node
            .child_by_field_name("name")
            .map(|name| self.source.text_of(name).to_owned())
            .unwrap_or_default();
        match node.kind() {
            "mod_item" => match node.child_by_field_name("body") {
                Some(body) => {
                    let around = std::mem::replace(&mut self.module, name);
                    self.items(body, None, depth + 1);
                    self.module = around;
                }
                None => {
                    let stated = attributes.iter().find_map(|attribute| {
                        let rest = self.source.text_of(*attribute).strip_prefix("#[path")?;
                        Some(rest.split('"').nth(1)?.to_owned())
                    });
                    self.found.modules.push((name, stated));
                }
            },
            "use_declaration" => self.names(node),
            "impl_item" | "trait_item" => {
                let type_name = node
                    .child_by_field_name("type")
                    .map(|kind| self.source.text_of(kind))
                    .and_then(plain_type)
                    .unwrap_or(name);
                let of_trait =
                    node.kind() == "trait_item" || node.child_by_field_name("trait").is_some();
                if let Some(body) = node.child_by_field_name("body") {
                    self.items(body, Some((&type_name, of_trait)), depth + 1);
                }
            }
            "function_item" => {
                // Rocket makes `main` of it.
                let launched = attributes
                    .iter()
                    .any(|attribute| self.source.text_of(*attribute).contains("launch]"));
                let name = if launched { "main".to_owned() } else { name };
                if name == "main" && receiver.is_none() {
                    let place = span(self.source, node);
                    self.found.main.get_or_insert(place);
                }
                let mut item = Item {
                    name,
                    receiver: receiver.map(|(name, _)| name.to_owned()),
                    of_trait: receiver.is_some_and(|(_, of_trait)| of_trait),
                    ..Item::default()
                };
                for attribute in attributes {
                    calls::attribute(self.source, *attribute, &mut item);
                }
                item.handler |= node
                    .child_by_field_name("parameters")
                    .is_some_and(|parameters| takes_request(self.source.text_of(parameters)));
                item.ports
                    .extend(settings::given(self.source, node, &item.name));
                self.walk(node, &mut item);
            }
            "struct_item" | "enum_item" => {
                let mut item = Item {
                    name,
                    ..Item::default()
                };
                let derived: String = attributes
                    .iter()
                    .map(|attribute| self.source.text_of(*attribute))
                    .collect();
                settings::of_type(self.source, node, &derived, &mut item);
                self.walk(node, &mut item);
            }
            _ => {
                let value = node
                    .child_by_field_name("value")
                    .filter(|value| is_text(*value))
                    .map(|value| text(self.source, value))
                    .filter(|value| settings::is_variable(value));
                let mut item = Item {
                    name,
                    module: receiver.map_or("", |(name, _)| name).to_owned(),
                    constant: value,
                    ..Item::default()
                };
                self.walk(node, &mut item);
            }
        }
    }

    /// The crates that a `use` may name.
    fn names(&mut self, node: Node<'_>) {
        let text = self.source.text_of(node);
        let mut word = String::new();
        for character in text.chars() {
            if character.is_alphanumeric() || character == '_' {
                word.push(character);
            } else if !word.is_empty() {
                self.found.names.insert(std::mem::take(&mut word));
            }
        }
    }

    fn walk(&mut self, node: Node<'_>, item: &mut Item) {
        if item.module.is_empty() {
            item.module.clone_from(&self.module);
        }
        let mut walker = calls::Walker {
            source: self.source,
            item,
            bound: BTreeMap::new(),
            conditional: false,
        };
        walker.walk(node, "", 0);
        self.found.names.extend(item.mentions.iter().cloned());
        self.found.items.push(std::mem::take(item));
    }
}

/// Whether an attribute says that what follows is only for tests.
fn is_for_tests(attribute: &str) -> bool {
    let plain: String = attribute.split_whitespace().collect();
    plain == "#[cfg(test)]"
        || plain == "#[test]"
        || plain.starts_with("#[tokio::test")
        || plain.starts_with("#[cfg(all(test")
        || plain.starts_with("#[cfg(any(test")
        || plain == "#[bench]"
}

/// `Server` of `crate::Server<T>`.
fn plain_type(text: &str) -> Option<String> {
    let plain = text.split('<').next()?;
    let last = plain.rsplit("::").next()?.trim_start_matches(['&', ' ']);
    (!last.is_empty()).then(|| last.to_owned())
}
