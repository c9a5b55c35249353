//! Places on disk that JavaScript and TypeScript name: `path.resolve(__dirname, "../static")`.

use std::path::Path;

use tree_sitter::Node;

use super::names::declaration;
use super::sources::text;
use crate::location::{Fate, Location, Named, Origin};
use crate::syntax::{DEPTH, Grammar, Source, named_children};
use crate::tree::Tree;

/// How many names and calls are followed one after the other.
const STEPS: usize = 8;

/// The place that an expression names, as far as the file shows it.
pub(crate) fn location(source: &Source, node: Node<'_>) -> Option<Location> {
    step(source, node, 0)
}

fn step(source: &Source, node: Node<'_>, steps: usize) -> Option<Location> {
    if steps > STEPS {
        return None;
    }
    let follow = |node: Node<'_>| step(source, node, steps + 1);
    match node.kind() {
        "string" => text(source, node).map(Location::written),
        "template_string" => template(source, node, steps),
        "identifier" => match source.text_of(node) {
            "__dirname" => Some(Location::file().above()),
            "__filename" => Some(Location::file()),
            name => follow(declaration(source, name)?),
        },
        "member_expression" => match source.text_of(node) {
            "import.meta.dirname" | "import.meta.dir" => Some(Location::file().above()),
            "import.meta.filename" | "import.meta.url" => Some(Location::file()),
            _ => {
                let property = node.child_by_field_name("property")?;
                let is_of_url = matches!(source.text_of(property), "pathname" | "href");
                follow(node.child_by_field_name("object").filter(|_| is_of_url)?)
            }
        },
        "call_expression" => call(source, node, steps),
        // A place relative to a file, unlike one relative to a directory, starts beside it.
        "new_expression" => {
            let made = node.child_by_field_name("constructor")?;
            let mut arguments = named_children(node.child_by_field_name("arguments")?).into_iter();
            let (more, base) = (arguments.next()?, arguments.next()?);
            let base = follow(base).filter(|_| source.text_of(made) == "URL")?;
            let more = follow(more).filter(|more| more.origin == Origin::Written)?;
            Some(base.above().joined(&more.way))
        }
        "binary_expression" => {
            let operator = source.text_of(node.child_by_field_name("operator")?);
            let (left, right) = (
                node.child_by_field_name("left")?,
                node.child_by_field_name("right")?,
            );
            match operator {
                "||" | "??" => follow(right).or_else(|| follow(left)),
                "+" => {
                    let more = follow(right).filter(|more| more.origin == Origin::Written)?;
                    let base = follow(left)?;
                    Some(base.joined(more.way.trim_start_matches('/')))
                }
                _ => None,
            }
        }
        "parenthesized_expression"
        | "await_expression"
        | "as_expression"
        | "non_null_expression" => follow(node.named_child(0)?),
        _ => None,
    }
}

fn call(source: &Source, node: Node<'_>, steps: usize) -> Option<Location> {
    let function = source.text_of(node.child_by_field_name("function")?);
    let arguments = named_children(node.child_by_field_name("arguments")?);
    let mut all = arguments
        .iter()
        .map(|argument| step(source, *argument, steps + 1));
    match function.rsplit('.').next()? {
        "cwd" => Some(Location::working()),
        "dirname" => Some(all.next()??.above()),
        "fileURLToPath" | "normalize" => all.next()?,
        name @ ("join" | "resolve") => {
            let mut joined = match all.next()?? {
                // What is resolved is absolute.
                first if name == "resolve" && first.origin == Origin::Written => {
                    Location::working().joined(&first.way)
                }
                first => first,
            };
            for more in all {
                let more = more.filter(|more| more.origin == Origin::Written)?;
                joined = joined.joined(more.way.trim_start_matches(match name {
                    "join" => &['/'][..],
                    _ => &[],
                }));
            }
            Some(joined)
        }
        _ => None,
    }
}

/// `` `${__dirname}/../static` ``.
fn template(source: &Source, node: Node<'_>, steps: usize) -> Option<Location> {
    let mut joined: Option<Location> = None;
    for part in named_children(node) {
        let more = match part.kind() {
            "template_substitution" => step(source, part.named_child(0)?, steps + 1)?,
            _ => Location::written(source.text_of(part)),
        };
        joined = Some(match joined {
            None => more,
            Some(base) if more.origin == Origin::Written => {
                let way = format!("{}{}", base.way, more.way);
                let way = match base.origin {
                    Origin::Written => way,
                    _ if base.way.is_empty() => way.trim_start_matches('/').to_owned(),
                    _ => way,
                };
                Location { way, ..base }
            }
            Some(_) => return None,
        });
    }
    joined
}

/// What hands out the files of a directory, by the last part of its name.
const HANDS_OUT: &[&str] = &[
    "static",
    "serveStatic",
    "fastifyStatic",
    "staticPlugin",
    "koaStatic",
    "serve",
    "sirv",
    "sendFile",
    "forRoot",
    "register",
];

/// Every place that a file names.
pub(crate) fn all(tree: &Tree, path: &Path) -> Vec<Named> {
    let mut found = Vec::new();
    let source = || {
        let grammar = Grammar::of(path)?;
        Source::parse(tree.shown(path), tree.source(path)?, grammar)
    };
    if let Some(source) = source() {
        walk(&source, source.root(), Fate::Open, &mut found, 0);
    }
    found
}

fn walk(source: &Source, node: Node<'_>, fate: Fate, found: &mut Vec<Named>, depth: usize) {
    if depth > DEPTH {
        return;
    }
    let mut name = |value: Node<'_>, fate: Fate| {
        if let Some(location) = location(source, value) {
            let place = source.place(value);
            found.push(Named {
                location,
                place,
                fate,
            });
        }
    };
    let mut inner = fate;
    match node.kind() {
        "call_expression" => {
            let function = node.child_by_field_name("function");
            let function = function.map_or("", |function| source.text_of(function));
            let last = function.rsplit('.').next().unwrap_or_default();
            inner = match HANDS_OUT.contains(&last) {
                true => Fate::HandedOut,
                false => Fate::Open,
            };
            for argument in node
                .child_by_field_name("arguments")
                .map(named_children)
                .unwrap_or_default()
            {
                name(argument, inner);
            }
        }
        "variable_declarator" | "pair" => {
            if let Some(value) = node.child_by_field_name("value") {
                let own = match node.kind() {
                    "pair" => fate,
                    _ => Fate::Open,
                };
                name(value, own);
            }
        }
        "statement_block" => inner = Fate::Open,
        _ => {}
    }
    for child in named_children(node) {
        walk(source, child, inner, found, depth + 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// The place that the last declaration of a file names, said in `web/src/a.ts` and started in `web`.
    fn named(text: &str) -> Option<String> {
        let path: Arc<Path> = Arc::from(Path::new("web/src/a.ts"));
        let source = Source::parse(path.clone(), text.to_owned(), Grammar::TypeScript).unwrap();
        fn last<'t>(node: Node<'t>, depth: usize) -> Option<Node<'t>> {
            let mut children = named_children(node).into_iter().rev();
            if depth > DEPTH {
                return None;
            }
            match node.kind() {
                "variable_declarator" => node.child_by_field_name("value"),
                _ => children.find_map(|child| last(child, depth + 1)),
            }
        }
        let value = last(source.root(), 0).unwrap();
        let place = location(&source, value)?.within(&path, Path::new("web"))?;
        Some(place.to_str().unwrap().to_owned())
    }

    #[test]
    fn places_beside_the_file_and_where_the_program_starts() {
        for (text, place) in [
            ("const a = '../static';", "static"),
            (
                "const a = path.resolve(__dirname, '..', '../static');",
                "static",
            ),
            (
                "const a = path.join(process.cwd(), 'public');",
                "web/public",
            ),
            ("const a = resolve('dist/client');", "web/dist/client"),
            (
                "const here = path.dirname(fileURLToPath(import.meta.url));\nconst a = join(here, '../../out');",
                "out",
            ),
            (
                "const a = fileURLToPath(new URL('../public', import.meta.url));",
                "web/public",
            ),
            ("const a = `${__dirname}/../public`;", "web/public"),
            ("const a = __dirname + '/pages';", "web/src/pages"),
            ("const a = process.env.PAGES || './pages';", "web/pages"),
        ] {
            assert_eq!(named(text).as_deref(), Some(place), "{text}");
        }
        assert_eq!(named("const a = path.join(root(), 'x');"), None);
        assert_eq!(named("const a = path.join('a', next);"), None);
    }
}
