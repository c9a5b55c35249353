//! Files such as `.env.example`: variables that they document, and that nothing reads.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Span};

use crate::claims::{loaded_files, platform_variables};
use crate::detection::Variable;
use crate::places;
use crate::tree::{Question, Tree};

/// Ends of names of files that read no variable, whatever they mention: documents, data, pictures.
#[rustfmt::skip]
const SILENT: &[&str] = &[
    ".md", ".rst", ".txt", ".lock", ".json", ".svg",
    ".png", ".jpg", ".jpeg", ".gif", ".webp", ".ico", ".pdf", ".woff", ".woff2", ".ttf", ".otf",
    ".mp3", ".mp4", ".wav", ".zip", ".gz", ".db", ".sqlite", ".sqlite3", ".parquet", ".onnx", ".pyc", ".wasm",
];

/// Contradictions told one by one; more are told together.
const ONE_BY_ONE: usize = 3;

/// Names of files that document variables.
pub(super) fn documents(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    matches!(
        name,
        ".env.example"
            | ".env.sample"
            | ".env.template"
            | ".env.dist"
            | "env.example"
            | ".env.defaults"
            | "example.env"
    )
}

/// What the documents of a tree say that is not so.
pub(crate) fn review(tree: &Tree, environment: &[Variable]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut documents_read: Vec<Document> = Vec::new();
    let loaded = loaded_files::loaded(tree);
    for file in tree.files() {
        let documents = documents(&file.path) || loaded.contains(&*file.path);
        if !documents || places::set_aside(&file.path).is_some() {
            continue;
        }
        let Some(text) = tree.source(&file.path) else {
            continue;
        };
        let shown = tree.shown(&file.path);
        let named = documented(&text, &shown);
        documents_read.push(Document::of(shown, named));
    }
    let stated = platform_variables::read(tree);
    let by_platforms = stated.iter().map(|stated| {
        let named = stated.variables.iter();
        let named = named.map(|one| (one.name.clone(), one.span.clone()));
        Document::of(stated.shown.clone(), named.collect())
    });
    let files = documents_read.len();
    documents_read.extend(by_platforms);
    let unread: Vec<Vec<&(String, Span)>> = documents_read
        .iter()
        .map(|document| {
            let read = |name: &str| environment.iter().any(|variable| variable.name == *name);
            let named = document.named.iter();
            named.filter(|(name, _)| !read(name)).collect()
        })
        .collect();
    let mentioned = mentioned_elsewhere(tree, &loaded, unread.iter().flatten().copied());
    for (number, mut unread) in unread.into_iter().enumerate() {
        if let Some(stated) = number
            .checked_sub(files)
            .and_then(|number| stated.get(number))
        {
            let variables = &stated.variables;
            found.extend(platform_variables::contradictions(variables, environment));
        }
        unread.retain(|(name, _)| !mentioned.contains(name.as_str()));
        found.extend(told(&unread));
    }
    found.extend(undocumented(&documents_read, environment));
    found
}

/// A file that documents variables.
struct Document {
    directory: PathBuf,
    shown: Arc<Path>,
    /// What it names, and where.
    named: Vec<(String, Span)>,
}

impl Document {
    fn of(shown: Arc<Path>, named: Vec<(String, Span)>) -> Self {
        Self {
            directory: shown.parent().unwrap_or(Path::new("")).to_owned(),
            named,
            shown,
        }
    }

    fn names(&self, variable: &str) -> bool {
        self.named.iter().any(|(name, _)| name == variable)
    }
}

/// Variables without which something does not start, and that no document names: told at the closest one.
fn undocumented(documents: &[Document], environment: &[Variable]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let missing = environment.iter().filter(|variable| {
        variable.required && !documents.iter().any(|file| file.names(&variable.name))
    });
    for variable in missing {
        let Some(read) = variable.evidence.first() else {
            continue;
        };
        let closest = documents
            .iter()
            .filter(|file| read.span.file.starts_with(&file.directory) && !file.named.is_empty())
            .max_by_key(|file| file.directory.components().count());
        if let Some(file) = closest {
            found.push(
                Diagnostic::warning(format!(
                    "does not name `{}`, without which `{}` does not start ({}:{})",
                    variable.name,
                    variable.services.join("`, `"),
                    read.span.file.display(),
                    read.span.start.line
                ))
                .at(Span::line(file.shown.clone(), 1))
                .hint(format!("add `{}=`", variable.name)),
            );
        }
    }
    found
}

fn documented(text: &str, shown: &Arc<Path>) -> Vec<(String, Span)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, _)) = line.split_once('=') else {
            continue;
        };
        let name = name.trim();
        let plain = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if plain {
            let span = Span::new(shown.clone(), index as u32 + 1, 1, name.len() as u32);
            found.push((name.to_owned(), span));
        }
    }
    found
}

/// Those of the names that another file mentions: start scripts, Compose files and code that no service imports may
/// read them.
fn mentioned_elsewhere<'n>(
    tree: &Tree,
    loaded: &BTreeSet<PathBuf>,
    unread: impl Iterator<Item = &'n (String, Span)>,
) -> HashSet<&'n str> {
    let names: BTreeSet<&str> = unread.map(|(name, _)| name.as_str()).collect();
    let mut mentioned = HashSet::new();
    if names.is_empty() {
        return mentioned;
    }
    let names: Vec<&str> = names.into_iter().collect();
    let question = names.iter().map(|name| (*name).to_owned()).collect();
    let question = Arc::new(Question::Names(question));
    for file in tree.files() {
        let name = places::text(&file.path);
        if documents(&file.path)
            || loaded.contains(&*file.path)
            || SILENT.iter().any(|end| name.ends_with(end))
        {
            continue;
        }
        let answer = tree.answer(&file.path, &question).unwrap_or_default();
        mentioned.extend(answer.iter().map(|number| names[*number as usize]));
    }
    mentioned
}

/// How variables start that libraries and programs read by themselves, so that no code of a project names them.
#[rustfmt::skip]
const LIBRARIES: &[&str] = &[
    "AWS_", "CHAINLIT_", "CREWAI_", "CUDA_", "GRADIO_", "HF_", "HUGGINGFACE", "LANGCHAIN_", "LANGFUSE_", "LANGGRAPH_",
    "LANGSMITH_", "LITELLM_", "LIVEKIT_", "MLFLOW_", "OTEL_", "PHOENIX_", "PYTHON", "STREAMLIT_", "TOKENIZERS_",
    "TRANSFORMERS_", "UVICORN_", "WANDB_", "WEB_CONCURRENCY",
];

/// Whose clients read their own key and address.
#[rustfmt::skip]
const CLIENTS: &[&str] = &[
    "ANTHROPIC", "AZURE_OPENAI", "CARTESIA", "CO", "COHERE", "DEEPGRAM", "DEEPSEEK", "ELEVEN", "ELEVENLABS", "EXA",
    "FIRECRAWL", "FIREWORKS", "GEMINI", "GOOGLE", "GROQ", "LLAMA_CLOUD", "MISTRAL", "NVIDIA", "OPENAI", "OPENROUTER",
    "PERPLEXITY", "PINECONE", "REPLICATE", "SERPAPI", "SERPER", "TAVILY", "TOGETHER", "VOYAGE", "XAI",
];

/// Whether a library reads a variable, if the project has that library.
fn is_of_a_library(name: &str) -> bool {
    let client = [
        "_API_KEY",
        "_API_TOKEN",
        "_API_BASE",
        "_BASE_URL",
        "_ENDPOINT",
    ]
    .iter()
    .find_map(|end| name.strip_suffix(end));
    client.is_some_and(|client| CLIENTS.contains(&client))
        || LIBRARIES.iter().any(|start| name.starts_with(start))
}

fn told(unread: &[&(String, Span)]) -> Vec<Diagnostic> {
    let own = unread.iter().filter(|(name, _)| !is_of_a_library(name));
    let unread: Vec<_> = own.copied().collect();
    let hint = "drop it, or it misleads whoever sets it";
    if unread.len() <= ONE_BY_ONE {
        return unread
            .iter()
            .map(|(name, span)| {
                Diagnostic::warning(format!("documents {name}, which nothing reads"))
                    .at(span.clone())
                    .hint(hint)
            })
            .collect();
    }
    let span = unread.first().map(|(_, span)| span.clone());
    let names: Vec<&str> = unread
        .iter()
        .take(ONE_BY_ONE)
        .map(|(name, _)| name.as_str())
        .collect();
    vec![
        Diagnostic::warning(format!(
            "documents {} variables that nothing reads: {} and {} more",
            unread.len(),
            names.join(", "),
            unread.len() - names.len()
        ))
        .at(span)
        .hint("drop them, or they mislead whoever sets them"),
    ]
}
