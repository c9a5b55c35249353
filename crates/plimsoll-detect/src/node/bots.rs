//! Programs that wait for a chat, a queue or a clock rather than for requests: what their libraries' calls show.

use tree_sitter::Node;

use super::facts::FileFacts;
use super::sources::text;
use crate::syntax::{Source, named_children};

/// Libraries of chats: library, the method that goes online, the name as people write it.
const CHATS: &[(&str, &[&str], &str)] = &[
    ("discord.js", &["login"], "Discord bot"),
    ("@sapphire/framework", &["login"], "Discord bot"),
    ("eris", &["connect"], "Discord bot"),
    ("oceanic.js", &["connect"], "Discord bot"),
    ("telegraf", &["launch"], "Telegram bot"),
    ("grammy", &["start"], "Telegram bot"),
    ("gramio", &["start"], "Telegram bot"),
    ("@grammyjs/runner", &["run"], "Telegram bot"),
    ("node-telegram-bot-api", &["startPolling"], "Telegram bot"),
    ("whatsapp-web.js", &["initialize"], "WhatsApp bot"),
    ("matrix-bot-sdk", &["start"], "Matrix bot"),
    ("matrix-js-sdk", &["startClient"], "Matrix bot"),
    ("wechaty", &["start"], "WeChat bot"),
];

/// Libraries of queues and workflows: library, what takes work.
const QUEUES: &[(&str, &[&str])] = &[
    ("bull", &["process"]),
    ("bee-queue", &["process"]),
    ("@temporalio/worker", &["create"]),
    ("graphile-worker", &["run", "runOnce"]),
    ("pg-boss", &["work"]),
    ("agenda", &["define"]),
    ("amqplib", &["consume"]),
    ("kafkajs", &["subscribe"]),
    ("nats", &["subscribe"]),
    ("@google-cloud/pubsub", &["subscription"]),
    ("sqs-consumer", &["create"]),
];

/// Libraries that start work at set times, and what does it.
const CLOCKS: &[(&str, &[&str])] = &[
    ("node-cron", &["schedule"]),
    ("node-schedule", &["scheduleJob"]),
    ("cron", &["from"]),
    ("toad-scheduler", &["addSimpleIntervalJob", "addCronJob"]),
];

/// What a file whose imports are known says about waiting.
pub(super) fn call(source: &Source, node: Node<'_>, facts: &mut FileFacts) {
    let Some(function) = node.child_by_field_name("function") else {
        return;
    };
    let name = source.text_of(function);
    let method = name.rsplit('.').next().unwrap_or(name);
    let span = || source.place(node).in_file(source.path.clone());
    let has = |library: &str| facts.imports.iter().any(|(module, _)| module == library);
    let chat = CHATS
        .iter()
        .find(|(library, methods, _)| methods.contains(&method) && has(library));
    if let Some((_, _, name)) = chat {
        facts
            .chat
            .get_or_insert_with(|| (span(), (*name).to_owned()));
        return;
    }
    // Slack's kit listens, unless it is told to keep a connection of its own.
    let object = name.rsplit_once('.').map_or("", |(object, _)| object);
    let object = object
        .rsplit('.')
        .next()
        .unwrap_or(object)
        .trim_end_matches('?')
        .to_ascii_lowercase();
    let of_kit = ["app", "bolt", "slack"]
        .iter()
        .any(|word| object.contains(word));
    if method == "start" && has("@slack/bolt") && of_kit {
        if source.text.contains("socketMode") {
            facts
                .chat
                .get_or_insert_with(|| (span(), "Slack bot".to_owned()));
        } else if facts.sources.listens.is_none() {
            let port = node
                .child_by_field_name("arguments")
                .and_then(|arguments| arguments.named_child(0))
                .and_then(|port| super::numbers::number(source, port, 0));
            facts.sources.listens = Some((span(), port.or(Some(3000))));
        }
        return;
    }
    if QUEUES
        .iter()
        .any(|(library, methods)| methods.contains(&method) && has(library))
    {
        facts.worker.get_or_insert_with(span);
    } else if CLOCKS
        .iter()
        .any(|(library, methods)| methods.contains(&method) && has(library))
    {
        facts.scheduler.get_or_insert_with(span);
    }
    transport(source, node, method, facts);
}

/// `new TelegramBot(token, { polling: true })`.
pub(super) fn made(source: &Source, node: Node<'_>, made: &str, facts: &mut FileFacts) {
    let span = || source.place(node).in_file(source.path.clone());
    let has = |library: &str| facts.imports.iter().any(|(module, _)| module == library);
    if has("node-telegram-bot-api") && source.text_of(node).contains("polling") {
        facts
            .chat
            .get_or_insert_with(|| (span(), "Telegram bot".to_owned()));
    }
    if made == "Cron" && has("croner") {
        facts.scheduler.get_or_insert_with(span);
    }
    if made == "MCPServer" && has("mcp-framework") {
        let text = source.text_of(node);
        if text.contains("http-stream") || text.contains("\"sse\"") || text.contains("'sse'") {
            facts.mcp_http.get_or_insert_with(span);
            facts
                .sources
                .listens
                .get_or_insert_with(|| (span(), Some(8080)));
        } else {
            facts.sources.stdio_transport.get_or_insert_with(span);
        }
    }
}

/// `server.start({ transportType: "stdio" })` of FastMCP.
fn transport(source: &Source, node: Node<'_>, method: &str, facts: &mut FileFacts) {
    let fast = facts.imports.iter().any(|(module, _)| module == "fastmcp");
    if method != "start" || !fast {
        return;
    }
    let span = || source.place(node).in_file(source.path.clone());
    let options = node
        .child_by_field_name("arguments")
        .and_then(|arguments| arguments.named_child(0));
    let pairs = options.map(named_children).unwrap_or_default();
    let value = |wanted: &str| {
        pairs.iter().find_map(|pair| {
            let key = source.text_of(pair.child_by_field_name("key")?);
            (key == wanted).then(|| pair.child_by_field_name("value"))?
        })
    };
    let told = value("transportType").and_then(|value| text(source, value));
    match told.as_deref() {
        Some("httpStream" | "sse") => {
            let port = value("httpStream")
                .or_else(|| value("sse"))
                .map(named_children)
                .unwrap_or_default()
                .into_iter()
                .filter(|pair| {
                    pair.child_by_field_name("key")
                        .is_some_and(|key| source.text_of(key) == "port")
                })
                .find_map(|pair| {
                    super::numbers::number(source, pair.child_by_field_name("value")?, 0)
                });
            facts.mcp_http.get_or_insert_with(span);
            facts
                .sources
                .listens
                .get_or_insert_with(|| (span(), port.or(Some(8080))));
        }
        _ => {
            facts.sources.stdio_transport.get_or_insert_with(span);
        }
    }
}
