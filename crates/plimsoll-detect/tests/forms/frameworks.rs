//! Frameworks as their own documentation shows them, each as the smallest tree: what it is, what starts it, on which
//! port.

use crate::tree::{found, lines};

/// What is found in one Python file with these requirements.
fn python(requirements: &str, path: &str, source: &str) -> Vec<String> {
    let detection = found(&[("requirements.txt", requirements), (path, source)]);
    lines(&detection)
}

/// What is found in a package with one file and this script `start`.
fn node(dependencies: &str, start: &str, path: &str, source: &str) -> Vec<String> {
    let manifest = format!(
        r#"{{"name":"tide","scripts":{{"start":"{start}"}},"dependencies":{{{dependencies}}}}}"#
    );
    lines(&found(&[("package.json", &manifest), (path, source)]))
}

#[test]
fn bots_wait_in_their_chats() {
    for (requirements, source) in [
        (
            "discord.py",
            "import discord\nclient = discord.Client(intents=discord.Intents.default())\nclient.run('x')\n",
        ),
        (
            "discord.py",
            "from discord.ext import commands\nclass Tide(commands.Bot):\n    pass\nif __name__ == '__main__':\n    Tide('!').run('x')\n",
        ),
        (
            "aiogram",
            "import asyncio\nfrom aiogram import Bot, Dispatcher\ndp = Dispatcher()\nasync def main():\n    await dp.start_polling(Bot('x'))\nif __name__ == '__main__':\n    asyncio.run(main())\n",
        ),
        (
            "pyTelegramBotAPI",
            "import telebot\nbot = telebot.TeleBot('x')\nbot.infinity_polling()\n",
        ),
        (
            "python-telegram-bot",
            "from telegram.ext import ApplicationBuilder\ndef main():\n    ApplicationBuilder().token('x').build().run_polling()\nif __name__ == '__main__':\n    main()\n",
        ),
        (
            "slack-bolt",
            "from slack_bolt.async_app import AsyncApp\nfrom slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler\nimport asyncio\nasync def main():\n    await AsyncSocketModeHandler(AsyncApp(), 'x').start_async()\nif __name__ == '__main__':\n    asyncio.run(main())\n",
        ),
        (
            "temporalio",
            "import asyncio\nfrom temporalio.worker import Worker\nasync def main():\n    await Worker(None, task_queue='q').run()\nif __name__ == '__main__':\n    asyncio.run(main())\n",
        ),
        (
            "schedule",
            "import schedule, time\nschedule.every().day.do(print)\nwhile True:\n    schedule.run_pending()\n    time.sleep(1)\n",
        ),
    ] {
        let found = python(requirements, "tide.py", source);
        assert_eq!(found.len(), 1, "{source}: {found:?}");
        let worker = found[0] == "worker python -m tide []";
        let clock = found[0] == "scheduler python -m tide []";
        assert!(worker || clock, "{source}: {found:?}");
    }
}

#[test]
fn a_bot_that_answers_over_http_listens() {
    assert_eq!(
        python(
            "slack-bolt",
            "tide.py",
            "from slack_bolt import App\napp = App()\nif __name__ == '__main__':\n    app.start(port=3100)\n",
        ),
        ["web python -m tide [3100]"]
    );
}

#[test]
fn programs_of_frameworks_are_told_what_to_run() {
    for (requirements, source, wanted) in [
        (
            "faststream[rabbit]",
            "from faststream import FastStream\napp = FastStream(None)\n",
            "worker python -m faststream run tide:app []",
        ),
        (
            "procrastinate",
            "import procrastinate\napp = procrastinate.App(connector=None)\n",
            "worker python -m procrastinate --app=tide.app worker []",
        ),
        (
            "saq",
            "from saq import Queue\nsettings = {'queue': Queue.from_url('redis://localhost'), 'functions': []}\n",
            "worker python -m saq tide.settings []",
        ),
        (
            "nicegui",
            "from nicegui import ui\nui.label('x')\nui.run(port=8111)\n",
            "ui python -m tide [8111]",
        ),
        (
            "python-fasthtml",
            "from fasthtml.common import *\napp, rt = fast_app()\nserve()\n",
            "ui python -m tide [5001]",
        ),
        (
            "bentoml",
            "import bentoml\n@bentoml.service\nclass Tide:\n    pass\n",
            "",
        ),
        (
            "mesop",
            "import mesop as me\n@me.page(path='/')\ndef page():\n    pass\n",
            "ui mesop tide.py --prod --port=32123 [32123]",
        ),
        (
            "solara",
            "import solara\n@solara.component\ndef Page():\n    pass\n",
            "ui solara run tide.py --host=0.0.0.0 --port=8765 --production [8765]",
        ),
        (
            "litserve",
            "import litserve as ls\nif __name__ == '__main__':\n    server = ls.LitServer(None)\n    server.run(port=8222)\n",
            "web python -m tide [8222]",
        ),
    ] {
        let found = python(requirements, "tide.py", source);
        if wanted.is_empty() {
            continue;
        }
        assert_eq!(found, [wanted], "{source}");
    }
}

#[test]
fn agents_in_a_directory_are_served_together() {
    let agent = "from google.adk.agents import Agent\nroot_agent = Agent(name='a', model='m')\n";
    let detection = found(&[
        ("requirements.txt", "google-adk\n"),
        ("agents/ebb/__init__.py", "from . import agent\n"),
        ("agents/ebb/agent.py", agent),
        ("agents/flow/__init__.py", "from . import agent\n"),
        ("agents/flow/agent.py", agent),
    ]);
    assert_eq!(
        lines(&detection),
        ["web adk api_server --host=0.0.0.0 --port=8000 agents [8000]"]
    );
}

#[test]
fn bots_and_workers_of_node_wait() {
    for (dependencies, source) in [
        (
            r#""discord.js":"14""#,
            "const { Client } = require('discord.js');\nconst client = new Client({});\nclient.login(process.env.TOKEN);\n",
        ),
        (
            r#""telegraf":"4""#,
            "import { Telegraf } from 'telegraf';\nconst bot = new Telegraf('x');\nbot.launch();\n",
        ),
        (
            r#""grammy":"1""#,
            "import { Bot } from 'grammy';\nconst bot = new Bot('x');\nbot.start();\n",
        ),
        (
            r#""node-telegram-bot-api":"0""#,
            "const TelegramBot = require('node-telegram-bot-api');\nnew TelegramBot('x', { polling: true });\n",
        ),
        (
            r#""@slack/bolt":"4""#,
            "const { App } = require('@slack/bolt');\nconst app = new App({ socketMode: true });\n(async () => { await app.start(); })();\n",
        ),
        (
            r#""bullmq":"5""#,
            "import { Worker } from 'bullmq';\nnew Worker('q', async () => {});\n",
        ),
        (
            r#""@temporalio/worker":"1""#,
            "import { Worker } from '@temporalio/worker';\nconst worker = await Worker.create({ taskQueue: 'q' });\nawait worker.run();\n",
        ),
    ] {
        assert_eq!(
            node(dependencies, "node bot.js", "bot.js", source),
            ["worker node bot.js []"],
            "{source}"
        );
    }
}

#[test]
fn servers_of_node_say_their_port_in_their_own_ways() {
    for (dependencies, start, path, source, wanted) in [
        (
            r#""@slack/bolt":"4""#,
            "node app.js",
            "app.js",
            "const { App } = require('@slack/bolt');\nconst app = new App({});\n(async () => { await app.start(process.env.PORT || 3200); })();\n",
            "web node app.js [3200]",
        ),
        (
            r#""hono":"4""#,
            "bun run src/index.ts",
            "src/index.ts",
            "import { Hono } from 'hono';\nconst app = new Hono();\nexport default { port: 3300, fetch: app.fetch };\n",
            "web bun src/index.ts [3300]",
        ),
        (
            r#""elysia":"1""#,
            "bun src/index.ts",
            "src/index.ts",
            "import { Elysia } from 'elysia';\nnew Elysia().get('/', () => 'x').listen(3400);\n",
            "web bun src/index.ts [3400]",
        ),
        (
            r#""@apollo/server":"4""#,
            "node app.js",
            "app.js",
            "import { startStandaloneServer } from '@apollo/server/standalone';\nawait startStandaloneServer(server, { listen: { port: 3500 } });\n",
            "web node app.js [3500]",
        ),
        (
            r#""@trpc/server":"11""#,
            "node app.js",
            "app.js",
            "import { createHTTPServer } from '@trpc/server/adapters/standalone';\nconst server = createHTTPServer({ router });\nserver.listen(3600);\n",
            "web node app.js [3600]",
        ),
        (
            r#""ws":"8""#,
            "node app.js",
            "app.js",
            "import { WebSocketServer } from 'ws';\nconst server = new WebSocketServer({ port: 3700 });\n",
            "web node app.js [3700]",
        ),
        (
            r#""fastmcp":"3""#,
            "node app.js",
            "app.js",
            "import { FastMCP } from 'fastmcp';\nconst server = new FastMCP({});\nserver.start({ transportType: 'httpStream', httpStream: { port: 3800 } });\n",
            "mcp-http node app.js [3800]",
        ),
        (
            r#""fastmcp":"3""#,
            "node app.js",
            "app.js",
            "import { FastMCP } from 'fastmcp';\nconst server = new FastMCP({});\nserver.start({ transportType: 'stdio' });\n",
            "mcp-stdio node app.js []",
        ),
    ] {
        assert_eq!(
            node(dependencies, start, path, source),
            [wanted],
            "{source}"
        );
    }
}

#[test]
fn a_port_that_another_file_says() {
    let express = r#""express":"5""#;
    for (other, listens) in [
        (
            "export const PORT = 4300;",
            "import { PORT } from './other.js';\nexpress().listen(PORT);",
        ),
        (
            "export const config = { port: Number(process.env.APP_PORT) || 4300 };",
            "import { config } from './other.js';\nexpress().listen(config.port);",
        ),
        (
            "const USUAL = 4300;\nexport function getServerPort() { if (!process.env.P) return USUAL; return USUAL; }",
            "import { getServerPort } from './other.js';\nconst PORT = getServerPort();\nexpress().listen(PORT);",
        ),
        (
            "import express from 'express';\nexport function boot(app, port) { app.listen(port); }",
            "import { boot } from './other.js';\nboot(express(), process.env.APP_PORT || 4300);",
        ),
    ] {
        let manifest = format!(
            r#"{{"name":"tide","scripts":{{"start":"node index.js"}},"dependencies":{{{express}}}}}"#
        );
        let detection = found(&[
            ("package.json", &manifest),
            (
                "index.js",
                &format!("import express from 'express';\n{listens}\n"),
            ),
            ("other.js", other),
        ]);
        assert_eq!(lines(&detection), ["web node index.js [4300]"], "{other}");
    }
}

#[test]
fn agents_of_mastra_have_a_server() {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"tide","scripts":{"dev":"mastra dev","build":"mastra build","start":"mastra start"},
            "dependencies":{"@mastra/core":"1","@mastra/pg":"1"},"devDependencies":{"mastra":"1"}}"#,
        ),
        (
            "src/mastra/index.ts",
            "import { Mastra } from '@mastra/core/mastra';\nimport { PostgresStore } from '@mastra/pg';\n\
             export const mastra = new Mastra({ storage: new PostgresStore({ connectionString: process.env.DATABASE_URL! }) });\n",
        ),
    ]);
    assert_eq!(
        lines(&detection),
        ["web node .mastra/output/index.mjs [4111]"]
    );
    assert!(
        detection
            .needs
            .iter()
            .any(|need| need.kind.word() == "postgres" && need.required)
    );
}

#[test]
fn one_package_may_hold_a_server_and_its_pages() {
    let with = |server: &str| {
        let detection = found(&[
            (
                "package.json",
                r#"{"name":"tide","scripts":{"dev":"tsx server/index.ts","build":"vite build && esbuild server/index.ts","start":"node dist/index.js"},
                "dependencies":{"express":"5","vite":"6"}}"#,
            ),
            ("index.html", "<html></html>"),
            ("vite.config.ts", "export default {}"),
            ("src/index.ts", server),
        ]);
        lines(&detection).len()
    };
    let listens = "import express from 'express';\nconst app = express();\n";
    assert_eq!(
        with(&format!(
            "{listens}app.use(express.static('dist'));\napp.listen(5000);\n"
        )),
        1
    );
    assert_eq!(with(&format!("{listens}app.listen(5000);\n")), 2);
}

#[test]
fn an_agent_of_livekit_is_told_to_start() {
    let detection = found(&[
        ("requirements.txt", "livekit-agents\n"),
        (
            "src/agent.py",
            "from livekit.agents import AgentServer, cli\nserver = AgentServer()\nif __name__ == '__main__':\n    cli.run_app(server)\n",
        ),
    ]);
    assert_eq!(lines(&detection), ["worker python -m agent start []"]);
    assert_eq!(
        crate::tree::required(&detection),
        ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_URL"]
    );
}

#[test]
fn graphs_may_be_named_as_modules() {
    let detection = found(&[
        ("requirements.txt", "langgraph\nfastapi\n"),
        (
            "langgraph.json",
            r#"{"dependencies":["."],"graphs":{"tide":"tide.graph:graph"},"http":{"app":"tide.web:app"}}"#,
        ),
        ("tide/__init__.py", ""),
        ("tide/graph.py", "graph = 1\n"),
        ("tide/web.py", "from .api import app\n"),
        (
            "tide/api.py",
            "from fastapi import FastAPI\napp = FastAPI()\n",
        ),
    ]);
    let lines = lines(&detection);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].starts_with("web python -m langgraph_cli dev"),
        "{lines:?}"
    );
}

#[test]
fn pages_on_nitro_have_its_server() {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"tide","scripts":{"dev":"vite dev","build":"vite build"},
            "dependencies":{"@tanstack/react-start":"1","nitro":"3","vite":"7"}}"#,
        ),
        ("vite.config.ts", "export default {}\n"),
    ]);
    assert_eq!(lines(&detection), ["ui node server/index.mjs [3000]"]);
}

#[test]
fn a_platforms_own_server_is_for_development() {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"tide","scripts":{"dev":"wrangler dev src/index.ts","start:node":"tsx src/server.ts"},"dependencies":{"hono":"4","tsx":"4"}}"#,
        ),
        ("src/index.ts", "export default app;\n"),
        (
            "src/server.ts",
            "import { serve } from '@hono/node-server';\nserve({ fetch: app.fetch, port: 8787 });\n",
        ),
    ]);
    assert_eq!(lines(&detection), ["web tsx src/server.ts [8787]"]);
}

#[test]
fn of_two_applications_with_the_same_routes_one_is_served() {
    let application = "from fastapi import FastAPI\nfrom routes import router\napp = FastAPI()\napp.include_router(router, prefix='/x')\n";
    let detection = found(&[
        ("back/requirements.txt", "fastapi\nuvicorn\n"),
        (
            "back/routes.py",
            "from fastapi import APIRouter\nrouter = APIRouter()\n",
        ),
        ("back/main.py", application),
        ("back/server.py", application),
        (
            "back/Dockerfile",
            "FROM python:3.12\nCOPY . .\nCMD [\"sh\", \"-c\", \"fastapi run server.py --host 0.0.0.0 --port 8000\"]\n",
        ),
        ("other/requirements.txt", "fastapi\nuvicorn\n"),
        (
            "other/main.py",
            "from fastapi import FastAPI\napp = FastAPI()\n",
        ),
        (
            "other/Dockerfile",
            "FROM python:3.12\nCOPY . .\nCMD [\"uvicorn\", \"main:app\", \"--port\", \"5001\", \"--host\", \"0.0.0.0\"]\n",
        ),
    ]);
    let mut lines = lines(&detection);
    lines.sort();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines.iter().any(|line| line.contains("server:app")),
        "{lines:?}"
    );
}

#[test]
fn a_directory_that_is_a_package_by_name_alone_is_searched() {
    let detection = found(&[
        (
            "pyproject.toml",
            "[tool.poetry]\nname = \"tide\"\n[tool.poetry.dependencies]\npython = \"^3.11\"\nfastapi = \"*\"\nsqlalchemy = \"*\"\npsycopg2-binary = \"*\"\n",
        ),
        ("src/__init__.py", ""),
        ("src/tide/__init__.py", ""),
        (
            "src/tide/main.py",
            "from fastapi import FastAPI\nfrom tide.store import engine\napp = FastAPI()\n",
        ),
        (
            "src/tide/store.py",
            "import os\nfrom sqlalchemy import create_engine\nHOST = os.environ.get('DB_HOST') or 'localhost'\n\
             URL = (\n    os.environ.get('DATABASE_URL')\n    or f'postgresql+psycopg2://me:you@{HOST}/tide'\n)\nengine = create_engine(URL)\n",
        ),
    ]);
    assert!(
        detection
            .needs
            .iter()
            .any(|need| need.kind.word() == "postgres"),
        "{:?}",
        detection.needs
    );
}

#[test]
fn a_class_listens_on_the_port_that_it_is_made_with() {
    let class = |parameter: &str, made: &str| {
        format!(
            "import express from 'express';\nexport class Tide {{\n  private app = express();\n  private port: number;\n\
             \x20 constructor({parameter}) {{ this.port = port; }}\n\
             \x20 start() {{ this.app.listen(this.port); }}\n}}\nnew Tide({made}).start();\n"
        )
    };
    let express = r#""express":"5","tsx":"4""#;
    for (source, port) in [
        (class("port = 3100", ""), 3100),
        (class("port = 3100", "4100"), 4100),
        (class("port: number", "4200"), 4200),
        (
            "import express from 'express';\nclass Tide {\n  port = 3300;\n  start() { express().listen(this.port); }\n}\n\
             new Tide().start();\n"
                .to_owned(),
            3300,
        ),
        (
            "import express from 'express';\nclass Tide {\n  constructor(private port = 3400) {}\n\
             \x20 start() { express().listen(this.port); }\n}\nnew Tide().start();\n"
                .to_owned(),
            3400,
        ),
    ] {
        assert_eq!(
            node(express, "tsx tide.ts", "tide.ts", &source),
            [format!("web tsx tide.ts [{port}]")],
            "{source}"
        );
    }
}

#[test]
fn graphs_are_served_as_the_script_that_fetches_their_server_says() {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"tide","scripts":{"dev":"yarn graphs","graphs":"npx @langchain/langgraph-cli@latest dev --port 4123",
            "start:login":"tsx src/log-in.ts"},"dependencies":{"@langchain/langgraph":"1","express":"5","tsx":"4"}}"#,
        ),
        (
            "langgraph.json",
            r#"{"graphs":{"tide":"./src/graph.ts:graph"}}"#,
        ),
        (
            "src/graph.ts",
            "import { StateGraph } from '@langchain/langgraph';\nexport const graph = new StateGraph({}).compile();\n",
        ),
        (
            "src/log-in.ts",
            "import express from 'express';\nexpress().listen(3000);\n",
        ),
    ]);
    let mut found = lines(&detection);
    found.sort();
    assert_eq!(
        found,
        [
            "web langgraphjs dev --port 4123 --no-browser --host 0.0.0.0 [4123]",
            "web tsx src/log-in.ts [3000]"
        ]
    );
    assert!(
        detection
            .services
            .iter()
            .any(|service| service.name == "log-in")
    );
}
