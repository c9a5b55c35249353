//! Health checks as commands that the image itself can run.
//!
//! Images of others' making have no probe of ours, and good ones have neither a shell nor `curl`:
//! the interpreter that runs the service asks, or the program that came with the image.

use plimsoll_model::facts::NeedKind;
use plimsoll_model::{NodeLayout, RecipeKind};

use crate::{ProbeTest, Workload};

/// The program of ours that is asked with, where the image has no interpreter: `healthcheck
/// http PORT PATH` or `healthcheck tcp PORT`.
pub(crate) const ASKER: &str = "/usr/local/bin/healthcheck";

/// Who can ask in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    Python,
    Node,
    Wget,
    Own,
    Bash,
    Nobody,
}

/// The command, in exec form, that tells whether a workload works; `None` where nothing is known
/// or its image cannot ask.
pub(crate) fn command(one: &Workload<'_>) -> Option<Vec<String>> {
    let asker = asker(one);
    let probe = one.probe.as_ref()?;
    let words: Vec<String> = match &probe.test {
        ProbeTest::Exec(words) if is_probe(words) => return None,
        ProbeTest::Exec(words) if words.is_empty() => return None,
        ProbeTest::Exec(words) => words.clone(),
        ProbeTest::Shell(line) => vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
        ProbeTest::Http { port, path } => http(asker, *port, path)?,
        ProbeTest::Tcp { port } => tcp(asker, *port)?,
    };
    Some(words)
}

/// Whether words call the probe, which only images of Plimsoll's own making have.
fn is_probe(words: &[String]) -> bool {
    words
        .first()
        .is_some_and(|program| program.rsplit('/').next() == Some("plimsoll-probe"))
}

fn asker(one: &Workload<'_>) -> Asker {
    if let Some(recipe) = &one.service.recipe {
        return match &recipe.kind {
            RecipeKind::Python(_) => Asker::Python,
            RecipeKind::NodeServer(node) => match node.layout {
                NodeLayout::Application | NodeLayout::Standalone { .. } => Asker::Node,
            },
            RecipeKind::StaticSite(_) => Asker::Wget,
            RecipeKind::Go(_) | RecipeKind::Rust(_) => Asker::Own,
            RecipeKind::Dockerfile(_) => Asker::Nobody,
        };
    }
    match one.store.and_then(|store| store.kind) {
        Some(
            NeedKind::Qdrant
            | NeedKind::Kafka
            | NeedKind::Chroma
            | NeedKind::Milvus
            | NeedKind::Memcached,
        ) => Asker::Bash,
        Some(
            NeedKind::Elasticsearch | NeedKind::Neo4j | NeedKind::Clickhouse | NeedKind::Weaviate,
        ) => Asker::Wget,
        _ => Asker::Nobody,
    }
}

fn http(asker: Asker, port: u16, path: &str) -> Option<Vec<String>> {
    let url = format!("http://127.0.0.1:{port}{path}");
    Some(match asker {
        Asker::Python => words(&[
            "python",
            "-c",
            &format!(
                "import urllib.request as r; r.urlopen({}, timeout=4)",
                literal(&url)
            ),
        ]),
        Asker::Node => words(&[
            "node",
            "-e",
            &format!(
                "fetch({}).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))",
                literal(&url)
            ),
        ]),
        Asker::Wget => words(&["wget", "-q", "-O", "/dev/null", &url]),
        Asker::Own => words(&[ASKER, "http", &port.to_string(), path]),
        Asker::Bash => return tcp(asker, port),
        Asker::Nobody => return None,
    })
}

fn tcp(asker: Asker, port: u16) -> Option<Vec<String>> {
    Some(match asker {
        Asker::Python => words(&[
            "python",
            "-c",
            &format!("import socket; socket.create_connection(('127.0.0.1', {port}), 4)"),
        ]),
        Asker::Node => words(&[
            "node",
            "-e",
            &format!(
                "require('net').connect({port}, '127.0.0.1').on('connect', () => process.exit(0)).on('error', () => process.exit(1))"
            ),
        ]),
        Asker::Own => words(&[ASKER, "tcp", &port.to_string()]),
        Asker::Bash => words(&["bash", "-c", &format!(": > /dev/tcp/127.0.0.1/{port}")]),
        Asker::Wget => words(&[
            "wget",
            "-q",
            "--spider",
            &format!("http://127.0.0.1:{port}/"),
        ]),
        Asker::Nobody => return None,
    })
}

/// Text as a literal of Python and of JavaScript.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
