//! What a service of a Compose file runs, and on which port.

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_model::{Build, BuildRecipe, Command, RecipeKind, Service, StagePurpose};

use super::STATIC_PORT;
use crate::claims::matching::Claim;
use crate::claims::{Starts, inside_shell, without_runner};
use crate::detection::{DetectedService, Health, ServiceKind};
use crate::node::is_public;

/// A site is built and served, or developed with its own server; what the file starts is neither.
pub(super) fn serve_site(
    service: &mut Service,
    recipe: &mut BuildRecipe,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let purpose = service.build.as_ref().and_then(Build::purpose);
    let how = match purpose {
        Some(StagePurpose::Development) => "is served by its `dev` script",
        _ => "is built and served as files",
    };
    // Tests are a command like any other.
    if purpose != Some(StagePurpose::Tests) {
        if let Some(command) = service.command.take() {
            diagnostics.push(
                Diagnostic::note(format!("`{}` {how}; this command is not run", service.name))
                    .at(command.span),
            );
        }
        service.entrypoint = None;
    }
    for port in &mut service.ports {
        if port.value.target != STATIC_PORT {
            diagnostics.push(
                Diagnostic::note(format!(
                    "the files of `{}` are served on port {STATIC_PORT} of its container instead of {}",
                    service.name, port.value.target
                ))
                .at(port.span.clone()),
            );
            port.value.target = STATIC_PORT;
        }
    }
    // Source mounted over the image is for the development server.
    if let RecipeKind::StaticSite(site) = &mut recipe.kind {
        let arguments = service.build.iter().flat_map(|build| &build.args);
        for (name, value) in arguments {
            if let Some(value) = value {
                site.build_environment.push((name.clone(), value.clone()));
            }
        }
        for (name, value) in &service.environment {
            if let (true, Some(value)) = (is_public(name), &value.value) {
                site.build_environment.retain(|(known, _)| known != name);
                site.build_environment.push((name.clone(), value.clone()));
            }
        }
    }
}

/// The file's own command wins; a manager's `run` before it is not in the image and does nothing there.
pub(super) fn run_python(
    service: &mut Service,
    recipe: &mut BuildRecipe,
    detected: &mut DetectedService,
    claim: &Claim,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if let Some(command) = &mut service.command {
        let plain = plain_words(&command.value.0, &service.environment);
        let (runner, rest) = without_runner(&plain);
        if let Some(runner) = runner {
            diagnostics.push(
                Diagnostic::note(format!("`{runner} run` is left out of the command: the image holds the environment itself"))
                    .at(command.span.clone()),
            );
        }
        if plain != command.value.0 || runner.is_some() {
            // These run a file by Python whether or not it may be executed.
            let script = matches!(runner, Some("uv" | "pdm" | "rye"))
                && rest.first().is_some_and(|word| word.ends_with(".py"));
            let python = script.then(|| "python".to_owned());
            command.value = Command(python.into_iter().chain(rest.iter().cloned()).collect());
        }
        let has = |shell: &str| recipe.system_packages.iter().any(|one| one.value == shell);
        if let Some(shell) = shell(&command.value.0).filter(|shell| !has(shell)) {
            let span = command.span.clone();
            diagnostics.push(
                Diagnostic::note("this command needs a shell, which is added to the image")
                    .at(span.clone()),
            );
            recipe.system_packages.push(Spanned {
                value: shell.to_owned(),
                span,
            });
        }
        if matches!(detected.health, Some(Health::Command { .. }))
            && detected.kind == ServiceKind::Worker
        {
            let ping = crate::python::ping(&command.value.0);
            detected.health = Some(Health::Command {
                name: "ping".to_owned(),
                command: without_flags(ping),
            });
        }
    }
    let wanted = match &claim.starts {
        Some(Starts::Application {
            port: Some(port), ..
        }) => Some(*port),
        // What is published is what it has to listen on, unless the code says otherwise.
        _ => match (
            service.command.is_none(),
            service.ports.as_slice(),
            detected.ports.as_slice(),
        ) {
            (true, [only], [_]) => Some(only.target),
            _ => None,
        },
    };
    let Some(wanted) = wanted else {
        return;
    };
    let known = detected.ports.first().copied();
    if known == Some(wanted) {
        return;
    }
    if service.command.is_none() {
        let Some(known) = known else {
            return;
        };
        if !replace_port(&mut recipe.command, known, wanted) {
            return;
        }
    }
    recipe.ports = vec![wanted];
    detected.ports = vec![wanted];
    match &mut detected.health {
        Some(Health::Http(route)) => route.port = wanted,
        Some(Health::Tcp { port }) => *port = wanted,
        _ => {}
    }
}

/// `--quiet` and the like of a worker do not stand before `inspect`.
fn without_flags(ping: Vec<String>) -> Vec<String> {
    ping.into_iter()
        .filter(|word| !matches!(word.as_str(), "--quiet" | "-q"))
        .collect()
}

/// The words without a shell around them, where the line is one command and its variables are known.
fn plain_words(
    words: &[String],
    environment: &std::collections::BTreeMap<String, Spanned<Option<String>>>,
) -> Vec<String> {
    let [_, flag, line] = words else {
        return words.to_vec();
    };
    let inside = inside_shell(words);
    let shell = inside != words && flag.ends_with('c');
    if !shell || line.contains(['&', ';', '|', '<', '>', '`', '(', '*']) {
        return words.to_vec();
    }
    let mut plain = Vec::new();
    for word in inside {
        let word = word.trim_start_matches("exec ").to_owned();
        let name = word
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'))
            .or_else(|| word.strip_prefix('$'));
        match name {
            None if word.contains('$') => return words.to_vec(),
            None => plain.push(word),
            Some(name) => match environment.get(name).and_then(|value| value.value.clone()) {
                Some(value) => plain.push(value),
                None => return words.to_vec(),
            },
        }
    }
    if plain.first().is_some_and(|word| word == "exec") {
        plain.remove(0);
    }
    plain
}

/// The package of Debian that has the shell which a command starts with.
fn shell(words: &[String]) -> Option<&'static str> {
    let word = words.first()?;
    match word.rsplit('/').next().unwrap_or(word) {
        "bash" => Some("bash"),
        "sh" | "dash" => Some("dash"),
        name => name.ends_with(".sh").then_some("dash"),
    }
}

/// Replaces the port in a command that was inferred; whether it is there.
fn replace_port(command: &mut [String], known: u16, wanted: u16) -> bool {
    let old = known.to_string();
    let mut replaced = false;
    for word in command {
        if *word == old {
            *word = wanted.to_string();
            replaced = true;
        } else if let Some(start) = word.strip_suffix(&old)
            && start.ends_with([':', '='])
        {
            *word = format!("{start}{wanted}");
            replaced = true;
        }
    }
    replaced
}
