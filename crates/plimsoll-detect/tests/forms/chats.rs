//! Bots that listen on nothing: they go online in a chat and work there.

use crate::tree::{found, lines, required};

fn go(module: &str, main: &str, others: &[(&str, &str)]) -> Vec<String> {
    let manifest = format!("module example.com/ebb\n\ngo 1.24\n\nrequire {module} v1.0.0\n");
    let mut files = vec![("go.mod", manifest.as_str()), ("main.go", main)];
    files.extend(others);
    lines(&found(&files))
}

#[test]
fn bots_in_go() {
    let worker = ["worker /usr/local/bin/ebb []"];
    // Behind a package of the project's own.
    let main = "package main\n\nimport \"example.com/ebb/chat\"\n\nfunc main() {\n\tbot := chat.New()\n\tfor range bot.Updates() {\n\t}\n}\n";
    let wrapper = "package chat\n\nimport tg \"github.com/go-telegram-bot-api/telegram-bot-api/v5\"\n\n\
        type Bot struct{ api *tg.BotAPI }\n\nfunc New() *Bot { return &Bot{} }\n\n\
        func (b *Bot) Updates() tg.UpdatesChannel { return b.api.GetUpdatesChan(tg.NewUpdate(0)) }\n";
    assert_eq!(
        go(
            "github.com/go-telegram-bot-api/telegram-bot-api/v5",
            main,
            &[("chat/chat.go", wrapper)]
        ),
        worker
    );
    let whole = |import: &str, body: &str| {
        let main = format!(
            "package main\n\nimport (\n\t\"os\"\n\n\t\"{import}\"\n)\n\nfunc main() {{\n{body}\n}}\n"
        );
        go(import, &main, &[])
    };
    assert_eq!(
        whole(
            "github.com/bwmarrin/discordgo",
            "\ts, _ := discordgo.New(os.Args[1])\n\ts.Open()\n\tselect {}"
        ),
        worker
    );
    assert_eq!(
        whole(
            "github.com/slack-go/slack/socketmode",
            "\tc := socketmode.New(api)\n\tc.Run()"
        ),
        worker
    );
    assert_eq!(
        whole(
            "gopkg.in/telebot.v3",
            "\tb, _ := telebot.NewBot(telebot.Settings{})\n\tb.Start()"
        ),
        worker
    );
    // What only says something in a chat is over when it has said it.
    let says = "\ts, _ := discordgo.New(os.Args[1])\n\tos.Open(os.Args[2])\n\ts.ChannelMessageSend(\"a\", \"b\")";
    assert!(whole("github.com/bwmarrin/discordgo", says).is_empty());
}

fn rust(crates: &str, main: &str) -> (Vec<String>, Vec<String>) {
    let manifest = format!(
        "[package]\nname = \"ebb\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n{crates}\n"
    );
    let detection = found(&[("Cargo.toml", &manifest), ("src/main.rs", main)]);
    let required = required(&detection).into_iter().map(str::to_owned);
    (lines(&detection), required.collect())
}

#[test]
fn bots_in_rust() {
    let worker = ["worker /usr/local/bin/ebb []"];
    let (services, variables) = rust(
        "teloxide = \"0.13\"",
        "use teloxide::prelude::*;\n#[tokio::main]\nasync fn main() {\n    let bot = Bot::from_env();\n    \
         teloxide::repl(bot, |bot: Bot, message: Message| async move { Ok(()) }).await;\n}\n",
    );
    assert_eq!(services, worker);
    assert_eq!(variables, ["TELOXIDE_TOKEN"]);
    let (services, variables) = rust(
        "teloxide = \"0.13\"",
        "use teloxide::{dispatching::Dispatcher, Bot};\n#[tokio::main]\nasync fn main() {\n    \
         let bot = Bot::new(std::env::var(\"EBB_TOKEN\").unwrap());\n    \
         Dispatcher::builder(bot, handler()).build().dispatch().await;\n}\n",
    );
    assert_eq!(services, worker);
    assert_eq!(variables, ["EBB_TOKEN"]);
    let (services, _) = rust(
        "poise = \"0.6\"",
        "use poise::serenity_prelude as serenity;\n#[tokio::main]\nasync fn main() {\n    \
         let mut client = serenity::ClientBuilder::new(token(), intents()).await.unwrap();\n    client.start().await.unwrap();\n}\n",
    );
    assert_eq!(services, worker);
    let (services, _) = rust(
        "teloxide = \"0.13\"",
        "use teloxide::prelude::*;\n#[tokio::main]\nasync fn main() {\n    \
         Bot::new(\"x\").send_message(ChatId(1), \"done\").await.unwrap();\n}\n",
    );
    assert!(services.is_empty(), "{services:?}");
}
