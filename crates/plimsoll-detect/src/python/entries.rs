//! Which Python files are worth parsing before anything leads to them.

use std::path::Path;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use rayon::prelude::*;

use crate::python::extract::extract;
use crate::python::module::Module;
use crate::python::workspace::Workspace;
use crate::tree::Tree;

/// Words without which a file starts nothing. They only save work: what a file says is read from
/// its syntax tree.
const WORDS: &[&str] = &[
    "__main__",
    "ASGI",
    "Celery",
    "FastAPI",
    "FastMCP",
    "Flask",
    "HTTPServer",
    "Litestar",
    "Quart",
    "Robyn",
    "Sanic",
    "Starlette",
    "WSGI",
    "actor",
    "add_periodic_task",
    "aiohttp",
    "application",
    "arq",
    "asgi",
    "chainlit",
    "huey",
    "panel",
    "beat_schedule",
    "BEAT_SCHEDULE",
    "discord",
    "root_agent",
    "telegram",
    "telebot",
    "telethon",
    "aiogram",
    "pyrogram",
    "slack_bolt",
    "nextcord",
    "disnake",
    "hikari",
    "temporalio",
    "livekit",
    "faststream",
    "procrastinate",
    "saq",
    "prefect",
    "nicegui",
    "marimo",
    "reflex",
    "mesop",
    "solara",
    "fasthtml",
    "litserve",
    "paho",
    "nats",
    "kafka",
    "pika",
    "schedule",
    "create_app",
    "falcon",
    "gradio",
    "grpc",
    "include_router",
    "mcp",
    "rq",
    "shared_task",
    "stdio_server",
    "streamlit",
    "taskiq",
    ".run(transport",
    ".task",
    "tornado",
    "uvicorn",
    "websockets",
    "wsgi",
    "_app(",
    "APIRouter",
    "Blueprint",
    "Scheduler",
    "Worker",
    // What another file passes on.
    "import app",
    // What an object of the project's own gives.
    "\napp = ",
    "\napp: ",
];

/// Parses the files that may start something, or that others hang routes and tasks on.
pub(crate) fn entries(workspace: &Workspace<'_>) -> Vec<Arc<Module>> {
    let paths: Vec<&Arc<Path>> = workspace
        .tree
        .files()
        .iter()
        .map(|file| &file.path)
        .filter(|path| path.extension().is_some_and(|end| end == "py"))
        .collect();
    let parsed = parse(workspace.tree, &paths);
    let found: Vec<Arc<Path>> = parsed.iter().map(|module| module.path.clone()).collect();
    workspace.modules.adopt(parsed);
    found
        .iter()
        .filter_map(|path| workspace.modules.get(path))
        .collect()
}

fn parse(tree: &Tree, paths: &[&Arc<Path>]) -> Vec<Module> {
    let words = AhoCorasick::new(WORDS);
    let Ok(words) = &words else {
        return Vec::new();
    };
    let parsed = paths.par_iter().filter_map(|path| {
        let text = tree.source(path)?;
        words.is_match(&text).then_some(())?;
        extract(tree, (*path).clone(), text)
    });
    parsed.collect()
}
