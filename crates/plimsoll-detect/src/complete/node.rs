//! What a service of a Compose file runs when Node runs it.

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_model::{BuildRecipe, Dependency, DependencyCondition, Project, RecipeKind, Service};

use crate::detection::{DetectedService, Health};
use crate::node::{Package, StartLine, is_local, is_public, settle};
use crate::tree::Tree;

/// The file's own command wins, without the package manager before it; a port that the file publishes is
/// the one that it listens on, where the code reads it from `PORT`.
pub(super) fn run_node(
    service: &mut Service,
    recipe: &mut BuildRecipe,
    detected: &mut DetectedService,
    tree: &Tree,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let words = service
        .command
        .take()
        .map(|command| (command.value.0, command.span));
    if let Some((words, span)) = words {
        let path = detected.root.join("package.json");
        let package = Package::read(tree, &std::sync::Arc::from(path.as_path()));
        let joined = match words.as_slice() {
            [shell, flag, line] if shell.ends_with("sh") && flag.ends_with('c') => line.clone(),
            words => words.join(" "),
        };
        match package.map(|package| StartLine::read(&package, &joined)) {
            Some(StartLine::Plain { environment, words }) if !is_development(&words) => {
                recipe.environment.extend(environment);
                recipe.command = words;
            }
            Some(StartLine::Shell(line)) => {
                recipe.command = vec!["sh".to_owned(), "-c".to_owned(), line];
            }
            _ => diagnostics.push(
                Diagnostic::note(format!(
                    "`{}` is built and started for production; `{joined}` is not run",
                    service.name
                ))
                .at(span),
            ),
        }
    }
    service.entrypoint = None;
    if let RecipeKind::NodeServer(server) = &mut recipe.kind {
        let arguments = service.build.iter().flat_map(|build| &build.args);
        for (name, value) in arguments {
            if let Some(value) = value {
                server.build_environment.push((name.clone(), value.clone()));
            }
        }
        for (name, value) in &service.environment {
            if let (true, Some(value)) = (is_public(name), &value.value) {
                server.build_environment.retain(|(known, _)| known != name);
                server.build_environment.push((name.clone(), value.clone()));
            }
        }
    }
    listen(service, recipe, detected);
}

fn is_development(words: &[String]) -> bool {
    words.iter().any(|word| word == "dev" || word == "nodemon")
}

/// The port that the file says: by `PORT`, or by what it publishes.
fn listen(service: &Service, recipe: &mut BuildRecipe, detected: &mut DetectedService) {
    let told = service
        .environment
        .get("PORT")
        .and_then(|value| value.value.as_ref()?.parse().ok());
    let published = match service.ports.as_slice() {
        [only] => Some(only.target),
        _ => None,
    };
    let known = detected.ports.first().copied();
    let Some(wanted) = told.or(published) else {
        return;
    };
    if known == Some(wanted) {
        return;
    }
    recipe.environment.retain(|(name, _)| name != "PORT");
    recipe
        .environment
        .push(("PORT".to_owned(), wanted.to_string()));
    recipe.ports = vec![wanted];
    detected.ports = vec![wanted];
    match &mut detected.health {
        Some(Health::Http(route)) => route.port = wanted,
        Some(Health::Tcp { port }) => *port = wanted,
        _ => {}
    }
}

/// Paths that sites pass on lead to the services of the file: by name, or by the port that one
/// publishes.
pub(super) fn lead_proxies(project: &mut Project) -> Vec<Diagnostic> {
    /// What is published, and the port in the container.
    type Ports = Vec<(Option<u16>, u16)>;
    let known: Vec<(String, Ports)> = project
        .services
        .values()
        .map(|service| {
            let ports = service.ports.iter();
            let mut ports: Vec<_> = ports.map(|port| (port.published, port.target)).collect();
            let facts = service.facts.ports.iter();
            ports.extend(facts.map(|port| (None, *port)));
            (service.name.clone(), ports)
        })
        .collect();
    let find = |host: &str, port: u16| {
        let local = is_local(host);
        known.iter().find_map(|(name, ports)| {
            if !local {
                return (name == host).then(|| (name.clone(), port));
            }
            let (_, target) = ports
                .iter()
                .find(|(published, target)| published.unwrap_or(*target) == port)?;
            Some((name.clone(), *target))
        })
    };
    let mut diagnostics = Vec::new();
    for service in project.services.values_mut() {
        let own = service.name.clone();
        let Some(RecipeKind::StaticSite(site)) =
            service.recipe.as_mut().map(|recipe| &mut recipe.kind)
        else {
            continue;
        };
        let (led, told) = settle(site, &own, find);
        diagnostics.extend(told.into_iter().map(|one| one.at(service.span.clone())));
        for name in led.into_iter().filter(|name| *name != own) {
            service.depends_on.entry(name).or_insert_with(|| {
                Spanned::unplaced(Dependency {
                    condition: DependencyCondition::ServiceStarted,
                    required: true,
                    restart: false,
                })
            });
        }
    }
    diagnostics
}
