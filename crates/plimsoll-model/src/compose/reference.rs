//! The reference of `x-plimsoll`, made from the tables that loading checks against.

use std::fmt::Write as _;

use super::keys::{OWN_PROJECT, OWN_SERVICE};
use super::shape::{Kinds, Numbers, Record, Shape};

/// The reference as a page of documentation.
pub fn extension_reference() -> String {
    let mut page = String::from(
        "# `x-plimsoll`\n\n\
         What Compose itself cannot say stands under `x-plimsoll`: of the project at the top level\n\
         of the file, of a service under its name. Standard keys come first; a key stands here only\n\
         where there is none. Unknown keys are errors.\n\n\
         An editor that knows JSON Schema completes and checks them with\n\
         [`schemas/x-plimsoll.json`](../../schemas/x-plimsoll.json):\n\n\
         ```yaml\n\
         # yaml-language-server: $schema=schemas/x-plimsoll.json\n\
         services:\n\
         \x20 web:\n\
         \x20   build: .\n\
         \x20   x-plimsoll:\n\
         \x20     kind: web\n\
         \x20     budget: { start: 5s }\n\
         ```\n\n\
         Durations are a number and a unit (`300ms`, `5s`, `30d`), sizes bytes or a number and a\n\
         unit (`200m`, `10g`).\n",
    );
    for (title, record) in [("A service", &OWN_SERVICE), ("The project", &OWN_PROJECT)] {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {title}\n\n| key | value | |\n|---|---|---|\n");
        rows(&mut page, record, "");
    }
    page
}

fn rows(page: &mut String, record: &Record, prefix: &str) {
    for field in record.fields {
        let path = format!("{prefix}{}", field.key);
        let required = if record.required.contains(&field.key) {
            " Required."
        } else {
            ""
        };
        let _ = writeln!(
            page,
            "| `{path}` | {} | {}{required} |",
            value(field.shape),
            field.about
        );
        for (inner, is_listed) in inner(field.shape) {
            let step = if is_listed { "[]." } else { "." };
            rows(page, inner, &format!("{path}{step}"));
        }
    }
}

/// The records a value may be, and whether in a list.
fn inner(shape: &'static Shape) -> Vec<(&'static Record, bool)> {
    match shape {
        Shape::Record(record) => vec![(record, false)],
        Shape::List(item) | Shape::Unique(item) => inner(item)
            .into_iter()
            .map(|(record, _)| (record, true))
            .collect(),
        Shape::Either(shapes) => shapes.iter().flat_map(inner).collect(),
        _ => Vec::new(),
    }
}

fn value(shape: &Shape) -> String {
    match shape {
        Shape::Any => "anything".to_owned(),
        Shape::Scalar(kinds) => scalar(*kinds),
        Shape::Word(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            words.join(", ")
        }
        Shape::Bounded(low, high) => format!("{low} to {high}"),
        Shape::Pattern(_, expected) => (*expected).to_owned(),
        Shape::List(item) => format!("list: {}", value(item)),
        Shape::Unique(item) => format!("list without duplicates: {}", value(item)),
        Shape::Record(_) => "mapping".to_owned(),
        Shape::Table(_, item) => format!("mapping of names: {}", value(item)),
        Shape::Either(shapes) => {
            let shapes: Vec<String> = shapes.iter().map(value).collect();
            shapes.join(", or ")
        }
    }
}

fn scalar(kinds: Kinds) -> String {
    let number = match kinds.number {
        Numbers::No => None,
        Numbers::Whole => Some("whole number"),
        Numbers::All => Some("number"),
    };
    let kinds = [
        number,
        kinds.text.then_some("text"),
        kinds.boolean.then_some("`true` or `false`"),
        kinds.null.then_some("nothing"),
    ];
    kinds.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
