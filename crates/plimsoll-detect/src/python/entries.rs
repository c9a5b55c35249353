//! Which Python files are worth parsing before anything leads to them.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use aho_corasick::AhoCorasick;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::memory::{FactKind, Facts};
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

/// Looks for all of them at once.
static SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(WORDS).ok());

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
    let parsed = paths.par_iter().filter_map(|path| {
        let Entry(module) = tree.facts(path)?;
        Some(module.at(tree, path))
    });
    parsed.collect()
}

/// A file that may start something.
#[derive(Serialize, Deserialize)]
pub(crate) struct Entry(Module);

impl Facts for Entry {
    const KIND: FactKind = FactKind::PythonEntry;

    fn read(path: &Path, shown: Arc<Path>, text: String) -> Option<Self> {
        let words = SEARCH.as_ref()?;
        words.is_match(&text).then_some(())?;
        Module::read(path, shown, text).map(Self)
    }
}
