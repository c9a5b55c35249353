//! Compose files below the root of a tree, and variants beside it: how they start and reach what they build.

use std::path::Path;

use plimsoll_diag::{Span, Spanned};
use plimsoll_model::yaml::{self, Node};

use super::{Deployed, FILES, LARGEST};
use crate::claims::inside_shell;
use crate::places;
use crate::tree::Tree;

/// The services that such files build.
pub(super) fn read(tree: &Tree) -> Vec<Deployed> {
    let mut found = Vec::new();
    let files = tree.files().iter().filter(|file| {
        is_compose(&file.path)
            && places::set_aside(&file.path).is_none()
            && tree.is_at_most(file, LARGEST)
    });
    for file in files.take(FILES) {
        let Some(text) = tree.source(&file.path) else {
            continue;
        };
        let Ok(documents) = yaml::parse(&text, tree.shown(&file.path)) else {
            continue;
        };
        let services = documents
            .iter()
            .filter_map(|document| document.get("services")?.as_map())
            .flat_map(|services| services.iter());
        let directory = file.path.parent().unwrap_or(Path::new(""));
        for (name, service) in services {
            let span = service
                .span
                .clone()
                .unwrap_or_else(|| Span::line(tree.shown(&file.path), 1));
            found.extend(deployed(&name.text, service, directory, span));
        }
    }
    found
}

/// Whether a file's name is that of a Compose file or of a variant of one.
pub(super) fn is_compose(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let yaml = name.ends_with(".yml") || name.ends_with(".yaml");
    yaml && (name.starts_with("docker-compose") || name.starts_with("compose."))
}

fn deployed(name: &str, service: &Node, directory: &Path, span: Span) -> Option<Deployed> {
    let build = service.get("build")?;
    let context = build
        .as_text()
        .or_else(|| build.get("context")?.as_text())
        .unwrap_or(".");
    let context = places::within(directory, context)?;
    let mut deployed = Deployed::new(name, span);
    let file = build.get("dockerfile").and_then(Node::as_text);
    deployed.dockerfile =
        places::within(&context, file.unwrap_or("Dockerfile")).map(|path| Spanned {
            value: path,
            span: build.span.clone(),
        });
    let target = build.get("target").and_then(Node::as_text);
    deployed.target = target.map(str::to_owned);
    deployed.directory = Some(context);
    deployed.words = match service.get("command") {
        Some(node) => match (node.as_list(), node.as_text()) {
            (Some(words), _) => words.iter().filter_map(Node::scalar_text).collect(),
            (None, Some(line)) => inside_shell(&["sh", "-c", line].map(str::to_owned)),
            (None, None) => Vec::new(),
        },
        None => Vec::new(),
    };
    for port in service
        .get("ports")
        .and_then(Node::as_list)
        .into_iter()
        .flatten()
    {
        let target = port.get("target").map_or_else(
            || {
                let text = port.scalar_text()?;
                let text = text.split('/').next()?;
                resolved(text).rsplit(':').next()?.parse().ok()
            },
            |target| target.scalar_text()?.parse().ok(),
        );
        deployed.ports.extend(target.map(|value| Spanned {
            value,
            span: port.span.clone(),
        }));
    }
    deployed.variables = match service.get("environment") {
        Some(node) => match (node.as_map(), node.as_list()) {
            (Some(map), _) => map
                .iter()
                .map(|(key, value)| (key.text.clone(), value.scalar_text()))
                .collect(),
            (None, Some(list)) => list
                .iter()
                .filter_map(|entry| {
                    let entry = entry.as_text()?;
                    let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
                    Some((
                        name.to_owned(),
                        (!value.is_empty()).then(|| value.to_owned()),
                    ))
                })
                .collect(),
            (None, None) => Vec::new(),
        },
        None => Vec::new(),
    };
    Some(deployed)
}

/// `${PORT:-8000}` as its fallback.
fn resolved(text: &str) -> String {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        whole.push_str(before);
        let Some((inside, after)) = after.split_once('}') else {
            break;
        };
        let fallback = inside.split_once(":-").or_else(|| inside.split_once('-'));
        whole.push_str(fallback.map_or("", |(_, fallback)| fallback));
        rest = after;
    }
    whole.push_str(rest);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_read() {
        let text = "build: {context: .., dockerfile: api/Dockerfile}\ncommand: uvicorn a:b --port 8001\nports: ['${P:-9001}:8001/tcp', 127.0.0.1:5000:5001]\nenvironment: [PORT=8001, KEY]\n";
        let service = yaml::parse(text, Path::new("c.yaml")).unwrap().remove(0);
        let span = Span::line(Path::new("c.yaml"), 1);
        let found = deployed("api", &service, Path::new("docker"), span).unwrap();
        assert_eq!(
            found.dockerfile.as_ref().unwrap().value,
            Path::new("api/Dockerfile")
        );
        assert_eq!(
            found
                .ports
                .iter()
                .map(|port| port.value)
                .collect::<Vec<_>>(),
            [8001, 5001]
        );
        assert_eq!(found.port(), Some(8001));
        assert_eq!(found.variables[1], ("KEY".to_owned(), None));
    }
}
