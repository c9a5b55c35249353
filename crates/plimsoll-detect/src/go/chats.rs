//! Bots: programs that listen on nothing, go online in a chat and answer there.

use tree_sitter::Node;

use super::function::Function;
use super::package::span;
use crate::syntax::Source;

/// Libraries of chats by the start of what is imported, and the methods that wait for what is said there.
const LIBRARIES: &[(&str, &[&str])] = &[
    (
        "github.com/go-telegram-bot-api/telegram-bot-api",
        &["GetUpdatesChan", "GetUpdates"],
    ),
    ("github.com/go-telegram/bot", &["Start"]),
    ("github.com/mymmrac/telego", &["UpdatesViaLongPolling"]),
    ("gopkg.in/telebot.", &["Start"]),
    ("gopkg.in/tucnak/telebot.", &["Start"]),
    ("github.com/tucnak/telebot", &["Start"]),
    ("github.com/bwmarrin/discordgo", &["Open"]),
    ("github.com/disgoorg/disgo", &["OpenGateway"]),
    (
        "github.com/slack-go/slack/socketmode",
        &["Run", "RunContext", "RunEventLoop"],
    ),
    ("github.com/slack-go/slack", &["ManageConnection"]),
];

/// Notes a call that goes online: `bot.GetUpdatesChan(config)`, `session.Open()`.
pub(super) fn call(source: &Source, node: Node<'_>, name: &str, function: &mut Function) {
    let Some((_, method)) = name.rsplit_once('.') else {
        return;
    };
    let online = LIBRARIES.iter().any(|(library, methods)| {
        methods.contains(&method) && source.text.contains(&format!("\"{library}"))
    });
    // `os.Open(path)`, `server.Start(":80")`: what goes online is told where before.
    let told = node
        .child_by_field_name("arguments")
        .is_some_and(|arguments| source.text_of(arguments).contains('"'));
    let of_files = matches!(name, "os.Open" | "sql.Open" | "gorm.Open" | "zip.Open");
    if online && !told && !of_files {
        let place = span(source, node);
        function.chat.get_or_insert(place);
    }
}
