//! Files of hosting platforms: Fly, Railway, Render, Heroku.

use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::{Span, Spanned};
use plimsoll_model::yaml::{self, Node};

use super::cluster::number;
use super::{Deployed, FILES};
use crate::claims::inside_shell;
use crate::document::Item;
use crate::places;
use crate::tree::Tree;

/// The programs that such files start.
pub(super) fn read(tree: &Tree) -> Vec<Deployed> {
    let mut found = Vec::new();
    let mut read = 0;
    for file in tree.files() {
        let name = file.path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| is_one(name)) else {
            continue;
        };
        if places::set_aside(&file.path).is_some() || read >= FILES {
            continue;
        }
        read += 1;
        let Some(text) = tree.source(&file.path) else {
            continue;
        };
        let place = Place {
            tree,
            path: &file.path,
            shown: tree.shown(&file.path),
        };
        match name {
            "render.yaml" | "render.yml" => found.extend(render(&text, &place)),
            _ => {
                let item = if name.ends_with(".toml") {
                    Item::toml(&text).ok()
                } else {
                    Item::json(&place.shown, text)
                };
                if let Some(item) = item {
                    found.extend(match name {
                        "railway.toml" | "railway.json" => railway(&item, &place),
                        _ => fly(&item, &place),
                    });
                }
            }
        }
    }
    found
}

fn is_one(name: &str) -> bool {
    matches!(
        name,
        "railway.toml" | "railway.json" | "render.yaml" | "render.yml"
    ) || name.starts_with("fly.") && name.ends_with(".toml")
}

struct Place<'p> {
    tree: &'p Tree,
    path: &'p Path,
    shown: Arc<Path>,
}

impl Place<'_> {
    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    fn text(&self, item: &Item) -> Option<Spanned<String>> {
        let text = item.as_text()?.to_owned();
        Some(Spanned::new(text, item.place.in_file(self.shown.clone())))
    }

    fn port(&self, item: &Item) -> Option<Spanned<u16>> {
        let span = item.place.in_file(self.shown.clone());
        Some(Spanned::new(item.port()?, span))
    }

    /// The Dockerfile that is named, or the one that lies there.
    fn dockerfile(
        &self,
        directory: &Path,
        named: Option<Spanned<String>>,
    ) -> Option<Spanned<std::path::PathBuf>> {
        match named {
            Some(named) => {
                let path = places::within(directory, &named.value)?;
                Some(named.map(|_| path))
            }
            None => {
                let usual = directory.join("Dockerfile");
                self.tree.has_file(&usual).then(|| Spanned::unplaced(usual))
            }
        }
    }
}

fn words(line: &str) -> Vec<String> {
    inside_shell(&["sh", "-c", line].map(str::to_owned))
}

fn fly(item: &Item, place: &Place<'_>) -> Vec<Deployed> {
    let name = item.text(&["app"]).unwrap_or_default();
    let mut deployed = Deployed::new(name, Span::line(place.shown.clone(), 1));
    deployed.directory = Some(place.directory().to_owned());
    let file = item
        .get(&["build", "dockerfile"])
        .and_then(|item| place.text(item));
    deployed.dockerfile = place.dockerfile(place.directory(), file);
    let listed = item.get(&["services"]).map(Item::list).unwrap_or_default();
    let ports = item
        .get(&["http_service", "internal_port"])
        .into_iter()
        .chain(
            listed
                .iter()
                .filter_map(|service| service.get(&["internal_port"])),
        );
    deployed.ports = ports.filter_map(|port| place.port(port)).collect();
    let checks = item
        .get(&["http_service", "checks"])
        .map(Item::list)
        .unwrap_or_default();
    let others = listed
        .iter()
        .filter_map(|service| service.get(&["http_checks"]))
        .flat_map(Item::list);
    let named = item.entries(&["checks"]).iter().map(|(_, check)| check);
    deployed.health = checks
        .iter()
        .chain(others)
        .chain(named)
        .find_map(|check| place.text(check.get(&["path"])?));
    deployed.variables = item
        .entries(&["env"])
        .iter()
        .map(|(name, value)| (name.clone(), value.scalar_text()))
        .collect();
    let processes = item.entries(&["processes"]);
    if processes.is_empty() {
        return vec![deployed];
    }
    processes
        .iter()
        .map(|(name, line)| Deployed {
            name: name.clone(),
            words: words(line.as_text().unwrap_or_default()),
            ports: if processes.len() == 1 || matches!(name.as_str(), "app" | "web") {
                deployed.ports.clone()
            } else {
                Vec::new()
            },
            span: line.place.in_file(place.shown.clone()),
            ..deployed.clone()
        })
        .collect()
}

fn railway(item: &Item, place: &Place<'_>) -> Vec<Deployed> {
    let mut deployed = Deployed::new("", Span::line(place.shown.clone(), 1));
    deployed.directory = Some(place.directory().to_owned());
    let file = item
        .get(&["build", "dockerfilePath"])
        .and_then(|item| place.text(item));
    deployed.dockerfile = place.dockerfile(place.directory(), file);
    deployed.words = item
        .text(&["deploy", "startCommand"])
        .map(words)
        .unwrap_or_default();
    deployed.health = item
        .get(&["deploy", "healthcheckPath"])
        .and_then(|item| place.text(item));
    vec![deployed]
}

fn render(text: &str, place: &Place<'_>) -> Vec<Deployed> {
    let Ok(documents) = yaml::parse(text, place.shown.clone()) else {
        return Vec::new();
    };
    let services = documents
        .iter()
        .filter_map(|document| document.get("services")?.as_list())
        .flatten();
    let text = |node: &Node, key: &str| -> Option<Spanned<String>> {
        let node = node.get(key)?;
        Some(Spanned::new(node.scalar_text()?, node.span.clone()?))
    };
    services
        .filter_map(|service| {
            let span = service.span.clone()?;
            let name = text(service, "name")
                .map(|name| name.value)
                .unwrap_or_default();
            let mut deployed = Deployed::new(name, span);
            let root = text(service, "rootDir")
                .map(|root| root.value)
                .unwrap_or_default();
            let directory = places::within(place.directory(), &root)?;
            deployed.dockerfile = place.dockerfile(&directory, text(service, "dockerfilePath"));
            deployed.directory = Some(directory);
            deployed.words = text(service, "startCommand")
                .or_else(|| text(service, "dockerCommand"))
                .map(|line| words(&line.value))
                .unwrap_or_default();
            deployed.health = text(service, "healthCheckPath");
            deployed.image = text(service, "runtime")
                .or_else(|| text(service, "type"))
                .map(|kind| kind.value)
                .filter(|kind| matches!(kind.as_str(), "redis" | "keyvalue"));
            for variable in service
                .get("envVars")
                .and_then(Node::as_list)
                .into_iter()
                .flatten()
            {
                if let Some(name) = text(variable, "key") {
                    let value = text(variable, "value").map(|value| value.value);
                    if name.value == "PORT" {
                        deployed
                            .ports
                            .extend(variable.get("value").and_then(number));
                    }
                    deployed.variables.push((name.value, value));
                }
            }
            Some(deployed)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_tell_ports_commands_and_checks() {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [
            (
                "fly.toml",
                "app = 'desk'\n[http_service]\ninternal_port = 8080\n[[http_service.checks]]\npath = '/up'\n[processes]\nweb = 'uvicorn a:b'\njobs = 'celery -A c worker'\n",
            ),
            (
                "railway.json",
                "{\"deploy\": {\"startCommand\": \"gunicorn x:y -b 0.0.0.0:7000\"}}",
            ),
            (
                "render.yaml",
                "services:\n- type: web\n  name: api\n  rootDir: api\n  startCommand: uvicorn m:n --port $PORT\n  envVars:\n  - {key: PORT, value: '10000'}\n",
            ),
        ] {
            fs_err::write(directory.path().join(name), text).unwrap();
        }
        let tree = Tree::read(directory.path()).unwrap();
        let found = read(&tree);
        let told: Vec<_> = found
            .iter()
            .map(|deployed| (deployed.name.as_str(), deployed.port()))
            .collect();
        assert_eq!(
            told,
            [
                ("jobs", None),
                ("web", Some(8080)),
                ("", Some(7000)),
                ("api", Some(10000))
            ]
        );
        assert_eq!(found[0].health.as_ref().unwrap().value, "/up");
        assert_eq!(found[3].directory.as_deref(), Some(Path::new("api")));
    }
}
