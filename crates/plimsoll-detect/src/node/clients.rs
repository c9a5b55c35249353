//! Clients and plugins that a library makes only where it is handed what it asks for: without a key it throws at once,
//! and ends the program that makes one when it starts.

use tree_sitter::Node;

use super::facts::FileFacts;
use super::one_of::any_of;
use super::startup::moment;
use crate::found::FoundVariable;
use crate::syntax::{Source, named_children};

/// What has to be there.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// The argument at this place.
    Argument(usize),
    /// An option, with the variable that the library reads where the option is left out.
    Option(&'static str, Option<&'static str>),
}

use Wanted::{Argument, Option as Key};

/// What a library insists on.
struct Insistence {
    library: &'static str,
    /// What of it is called, by the names that it gives them; none: whatever it is called where it is used.
    called: &'static [&'static str],
    wanted: &'static [Wanted],
    /// Options with which it goes without.
    unless: &'static [&'static str],
}

const fn of(
    library: &'static str,
    called: &'static [&'static str],
    wanted: &'static [Wanted],
) -> Insistence {
    Insistence {
        library,
        called,
        wanted,
        unless: &[],
    }
}

impl Insistence {
    const fn unless(self, unless: &'static [&'static str]) -> Self {
        Self { unless, ..self }
    }
}

#[rustfmt::skip]
const INSISTING: &[Insistence] = &[
    of("openai", &["OpenAI"], &[Key("apiKey", Some("OPENAI_API_KEY"))]),
    of("groq-sdk", &[], &[Key("apiKey", Some("GROQ_API_KEY"))]),
    of("together-ai", &[], &[Key("apiKey", Some("TOGETHER_API_KEY"))]),
    of("@cerebras/cerebras_cloud_sdk", &[], &[Key("apiKey", Some("CEREBRAS_API_KEY"))]),
    of("stripe", &["Stripe"], &[Argument(0)]),
    of("resend", &["Resend"], &[Argument(0)]),
    of("twilio", &["twilio", "Twilio"], &[Argument(0), Argument(1)]),
    of("exa-js", &["Exa"], &[Argument(0)]),
    of("node-telegram-bot-api", &["TelegramBot"], &[Argument(0)]),
    of("@supabase/supabase-js", &["createClient"], &[Argument(0), Argument(1)]),
    of("@tavily/core", &["tavily"], &[Key("apiKey", Some("TAVILY_API_KEY"))]),
    of("@pinecone-database/pinecone", &["Pinecone"], &[Key("apiKey", Some("PINECONE_API_KEY"))]),
    of("@mendable/firecrawl-js", &[], &[Key("apiKey", Some("FIRECRAWL_API_KEY"))]).unless(&["apiUrl"]),
    of("mem0ai", &["MemoryClient"], &[Key("apiKey", None)]),
    of("@libsql/client", &["createClient"], &[Key("url", None)]),
    of("@slack/bolt", &["App"], &[Key("token", None)]).unless(&["authorize", "clientId"]),
    of("@slack/bolt", &["App"], &[Key("signingSecret", None)]).unless(&["socketMode", "receiver"]),
    of("@slack/bolt", &["App"], &[Key("appToken", None)]),
    of("@fastify/jwt", &[], &[Key("secret", None)]),
    of("@fastify/session", &[], &[Key("secret", None)]),
    of("@fastify/secure-session", &[], &[Key("key", None), Key("secret", None)]),
    of("@elysiajs/jwt", &["jwt"], &[Key("secret", None)]),
    of("hono/jwt", &["jwt"], &[Key("secret", None)]),
    of("express-jwt", &["expressjwt"], &[Key("secret", None)]),
    of("koa-jwt", &[], &[Key("secret", None)]),
    of("express-session", &[], &[Key("secret", None)]),
    of("passport-jwt", &["Strategy"], &[Key("secretOrKey", None)]),
    of("passport-google-oauth20", &["Strategy"], &[Key("clientID", None)]),
    of("passport-github2", &["Strategy"], &[Key("clientID", None)]),
];

/// Libraries that take an empty text for a key, some of them in some versions.
const CONTENT: &[&str] = &[
    "openai",
    "stripe",
    "groq-sdk",
    "together-ai",
    "@cerebras/cerebras_cloud_sdk",
];

/// Notes what a library insists on that is called or handed over here.
pub(super) fn call(source: &Source, node: Node<'_>, facts: &mut FileFacts) {
    let Some(called) = node
        .child_by_field_name("function")
        .or_else(|| node.child_by_field_name("constructor"))
    else {
        return;
    };
    let arguments = node
        .child_by_field_name("arguments")
        .map(given)
        .unwrap_or_default();
    let name = source.text_of(called);
    // `app.register(jwt, { secret })`
    let plugin = arguments
        .first()
        .filter(|_| name.ends_with(".register"))
        .map(|plugin| source.text_of(*plugin));
    let (name, arguments) = match plugin {
        Some(plugin) => (plugin, arguments.get(1..).unwrap_or_default()),
        None => (name, arguments.as_slice()),
    };
    let (object, last) = name.rsplit_once('.').unwrap_or((name, name));
    let Some(library) = facts.names.get(object).cloned() else {
        return;
    };
    // `import { Strategy as SearchStrategy } from "…"` names both.
    let renamed =
        |known: &&str| last.ends_with(*known) && facts.names.get(*known) == Some(&library);
    let those = INSISTING.iter().filter(|one| {
        let named = match one.called {
            [] => object == last,
            called => called.contains(&last) || called.iter().any(renamed),
        };
        named && one.library == library
    });
    let those: Vec<&Insistence> = those.collect();
    for insistence in those {
        insist(source, node, arguments, insistence, facts);
    }
}

/// Arguments without the comments between them.
fn given(arguments: Node<'_>) -> Vec<Node<'_>> {
    let mut all = named_children(arguments);
    all.retain(|one| one.kind() != "comment");
    all
}

fn insist(
    source: &Source,
    call: Node<'_>,
    arguments: &[Node<'_>],
    insistence: &Insistence,
    facts: &mut FileFacts,
) {
    let options = arguments.first().copied();
    let unless = insistence.unless.iter();
    let mut unless = unless.filter_map(|key| option(source, options?, key));
    if unless.next().is_some() {
        return;
    }
    let empties = match CONTENT.contains(&insistence.library) {
        true => missing_without,
        false => absent_without,
    };
    for wanted in insistence.wanted {
        let mut names = Vec::new();
        match wanted {
            Wanted::Argument(place) => {
                let value = arguments.get(*place);
                if value.is_none_or(|value| empties(source, *value, &mut names).is_none()) {
                    continue;
                }
            }
            Wanted::Option(key, otherwise) => {
                match options.and_then(|options| option(source, options, key)) {
                    Some(value) => {
                        let known = empties(source, value, &mut names);
                        if known.is_none() {
                            continue;
                        }
                    }
                    None if options.is_none_or(|options| is_plain(options)) => {
                        names.extend(otherwise.map(str::to_owned));
                    }
                    None => continue,
                }
            }
        }
        note(source, call, insistence.library, names, facts);
    }
}

/// The variables without which a value is not there, where an empty one will do.
fn missing_without(source: &Source, value: Node<'_>, names: &mut Vec<String>) -> Option<()> {
    any_of(source, value, names, 0)
}

/// The variables without which a value is empty.
fn absent_without(source: &Source, value: Node<'_>, names: &mut Vec<String>) -> Option<()> {
    // `process.env.KEY || ""` is as empty as `process.env.KEY`.
    let operator = value.child_by_field_name("operator");
    let alternative = operator.is_some_and(|one| matches!(one.kind(), "||" | "??"));
    let right = value.child_by_field_name("right").filter(|_| alternative);
    let empty = right.is_some_and(|right| matches!(source.text_of(right), "''" | "\"\""));
    let value = match empty {
        true => value.child_by_field_name("left")?,
        false => value,
    };
    any_of(source, value, names, 0)
}

/// Whether options are written out as a whole, so that what is not among them is not given.
fn is_plain(options: Node<'_>) -> bool {
    let parts = named_children(options);
    options.kind() == "object" && parts.iter().all(|part| part.kind() != "spread_element")
}

/// The value of an option: `{ apiKey: value }`, `{ apiKey }`.
fn option<'t>(source: &Source, options: Node<'t>, key: &str) -> Option<Node<'t>> {
    let mut parts = named_children(options).into_iter();
    parts.find_map(|part| match part.kind() {
        "shorthand_property_identifier" => (source.text_of(part) == key).then_some(part),
        _ => {
            let known = source.text_of(part.child_by_field_name("key")?);
            (known == key)
                .then(|| part.child_by_field_name("value"))
                .flatten()
        }
    })
}

fn note(source: &Source, call: Node<'_>, library: &str, names: Vec<String>, facts: &mut FileFacts) {
    let found = &mut facts.sources;
    let place = source.place(call).in_file(source.path.clone());
    let when = moment(source, call);
    let all = match names.as_slice() {
        [name] => vec![FoundVariable {
            required: true,
            why: format!("`{library}` does not work without `{name}`"),
            ..FoundVariable::read(name, None, place)
        }],
        _ => FoundVariable::one_of(names, &place),
    };
    for one in all {
        found.missed.insert(found.variables.len(), when.clone());
        found.variables.push(one);
    }
}
