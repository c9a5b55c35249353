//! Bots: programs that listen on nothing, go online in a chat and answer there.

use tree_sitter::Node;

use super::item::Item;
use super::source::span;
use crate::found::FoundVariable;
use crate::syntax::Source;

/// Crates of chats, and the last parts of calls that wait for what is said there.
const CRATES: &[(&str, &[&str])] = &[
    (
        "teloxide",
        &[
            "repl",
            "repl_with_listener",
            "dispatch",
            "dispatch_with_listener",
        ],
    ),
    (
        "serenity",
        &["start", "start_autosharded", "start_shard", "start_shards"],
    ),
    (
        "poise",
        &["start", "start_autosharded", "start_shard", "start_shards"],
    ),
    ("twilight_gateway", &["next_event", "next_message"]),
    ("frankenstein", &["get_updates"]),
];

/// Notes a call that goes online, and the variable that a bot is made from.
pub(super) fn call(source: &Source, node: Node<'_>, path: &str, item: &mut Item) {
    let last = path.rsplit([':', '.']).next().unwrap_or(path);
    let named = |name: &str| source.text.contains(name);
    let online = CRATES
        .iter()
        .any(|(name, calls)| calls.contains(&last) && named(name));
    if online {
        let place = span(source, node);
        item.chat.get_or_insert(place);
    }
    let from_variable = matches!(last, "from_env" | "from_env_with_client")
        && path.trim_end_matches(last).ends_with("Bot::");
    if from_variable && named("teloxide") {
        let place = span(source, node);
        let mut variable = FoundVariable::read("TELOXIDE_TOKEN", None, place).required(true);
        variable.why = format!("`{path}` does not work without `TELOXIDE_TOKEN`");
        item.variables.push(variable);
    }
}
