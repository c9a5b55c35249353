//! What a service of a Compose file runs whose image holds one compiled program.

use plimsoll_model::{BuildRecipe, Command, Service};

use crate::claims::Stage;
use crate::detection::{DetectedService, Health};

/// The image starts its program itself. What a command adds are arguments; the program's own name in
/// it, wherever the Dockerfile has it, is left out.
pub(super) fn run_program(
    service: &mut Service,
    recipe: &mut BuildRecipe,
    detected: &mut DetectedService,
    stage: Option<&Stage>,
) {
    let Some(program) = recipe.command.first().cloned() else {
        return;
    };
    let entrypoint = stage
        .and_then(|stage| stage.entrypoint.as_ref())
        .map(|line| line.value.words())
        .unwrap_or_default();
    let started = stage
        .and_then(|stage| stage.command.as_ref())
        .and_then(|line| line.value.words().first().cloned());
    let base = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    let names = |word: &str| {
        let word = base(word);
        word == base(&program)
            || entrypoint.first().is_some_and(|first| base(first) == word)
            || entrypoint.is_empty() && started.as_deref().is_some_and(|first| base(first) == word)
    };
    if let Some(own) = &mut service.entrypoint {
        if own.value.0.first().is_some_and(|first| names(first)) {
            own.value.0[0] = program;
        }
    } else if let Some(command) = &mut service.command {
        let words = &command.value.0;
        if words.first().is_some_and(|first| names(first)) {
            command.value = Command(words[1..].to_vec());
        }
        if entrypoint.len() > 1 {
            let mut whole = vec![program];
            whole.extend(entrypoint[1..].iter().cloned());
            service.entrypoint = Some(plimsoll_diag::Spanned {
                value: Command(whole),
                span: command.span.clone(),
            });
        }
    }
    listen(service, recipe, detected);
}

/// The port that a variable of the service sets, or else the only one it publishes where the code names none.
fn listen(service: &Service, recipe: &mut BuildRecipe, detected: &mut DetectedService) {
    let told = ["PORT", "HTTP_PORT", "SERVER_PORT", "APP_PORT", "API_PORT"]
        .iter()
        .find_map(|name| {
            service
                .environment
                .get(*name)?
                .value
                .as_deref()?
                .parse()
                .ok()
        });
    let published = match service.ports.as_slice() {
        [only] if detected.ports.is_empty() => Some(only.value.target),
        _ => None,
    };
    let published_too = |port: &u16| {
        service.ports.is_empty() || service.ports.iter().any(|one| one.target == *port)
    };
    let Some(port) = told.filter(published_too).or(published) else {
        return;
    };
    match detected.ports.first_mut() {
        Some(first) => *first = port,
        None => detected.ports.push(port),
    }
    recipe.ports = detected.ports.clone();
    match &mut detected.health {
        Some(Health::Http(route)) => route.port = port,
        Some(Health::Tcp { port: known }) => *known = port,
        Some(_) => {}
        None if detected.kind.is_daemon() => detected.health = Some(Health::Tcp { port }),
        None => {}
    }
}
