//! A project with a Compose file, completed by what its source tells.

use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Span, Spanned};
use plimsoll_model::{BuildRecipe, Command, Project, RecipeKind, Service};

use crate::claims::health::{Check, of_test};
use crate::claims::matching::{Claim, Match, find, of_stage};
use crate::claims::{Dockerfile, Stage, Starts, answers, inside_shell, starts, without_runner};
use crate::detection::{DetectedService, Detection, Health, ServiceKind};
use crate::places;
use crate::project::healthcheck;
use crate::tree::{Bounds, Tree, TreeError};

/// The port that a static site is served on.
const STATIC_PORT: u16 = 8080;

/// Fills in the recipe of every service that is built from source, and a health check where the Compose
/// file has none that can work. The diagnostics tell what the file says that the code does not.
pub fn complete(project: &mut Project) -> Result<Vec<Diagnostic>, TreeError> {
    if project
        .services
        .values()
        .all(|service| service.build.is_none())
    {
        return Ok(Vec::new());
    }
    let tree = Tree::read(&project.directory)?;
    let detection = crate::detect(&tree);
    complete_with(project, &tree, &detection)
}

/// The same, with a tree and its detection that are there already.
pub fn complete_with(
    project: &mut Project,
    tree: &Tree,
    detection: &Detection,
) -> Result<Vec<Diagnostic>, TreeError> {
    let mut diagnostics = Vec::new();
    for service in project.services.values_mut() {
        let Some(context) = service.build.as_ref().map(|build| build.context.clone()) else {
            continue;
        };
        if service.recipe.is_some() {
            continue;
        }
        let inside = canonical(&context)
            .strip_prefix(tree.root())
            .map(Path::to_owned)
            .ok();
        if let Some(relative) = &inside {
            let known = within(detection, relative).any(|service| service.kind != ServiceKind::Cli);
            if known {
                Completion {
                    tree,
                    detection,
                    context: relative.clone(),
                }
                .complete(service, &mut diagnostics);
                continue;
            }
        }
        // A context that lies elsewhere, or that detection set aside: the Compose file says that it counts.
        let prefix = inside.unwrap_or_else(|| context.value.clone());
        let Ok(own) = Tree::read_below(&context, &prefix, Bounds::default()) else {
            diagnostics.push(
                Diagnostic::error(format!(
                    "build context `{}` is not a directory",
                    prefix.display()
                ))
                .at(context.span.clone()),
            );
            continue;
        };
        let detection = crate::detect(&own);
        Completion {
            tree: &own,
            detection: &detection,
            context: PathBuf::new(),
        }
        .complete(service, &mut diagnostics);
    }
    Ok(diagnostics)
}

fn canonical(path: &Path) -> PathBuf {
    fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Services whose directory lies in `context`, or around it.
fn within<'d>(
    detection: &'d Detection,
    context: &'d Path,
) -> impl Iterator<Item = &'d DetectedService> {
    detection.services.iter().filter(move |service| {
        let part_of = !service.root.as_os_str().is_empty() || context.as_os_str().is_empty();
        service.root.starts_with(context) || part_of && context.starts_with(&service.root)
    })
}

struct Completion<'d> {
    tree: &'d Tree,
    detection: &'d Detection,
    /// The build context, relative to the tree.
    context: PathBuf,
}

impl Completion<'_> {
    fn complete(&self, service: &mut Service, diagnostics: &mut Vec<Diagnostic>) {
        let stage = self.stage(service);
        let claim = self.claim(service, stage.as_ref());
        let candidates: Vec<&DetectedService> = within(self.detection, &self.context).collect();
        let place = service
            .build
            .as_ref()
            .and_then(|build| build.context.span.clone())
            .or_else(|| service.span.clone());
        let detected = match find(&claim, &candidates) {
            Match::One(detected) => detected,
            Match::Several(several) => {
                let same = several.iter().all(|other| {
                    recipe_key(other).is_some() && recipe_key(other) == recipe_key(several[0])
                });
                if let Some(unknown) = unknown_start(service, &claim) {
                    diagnostics.push(unknown);
                    return;
                }
                if !(same && service.command.is_some()) {
                    diagnostics.push(ambiguous(service, &several, place));
                    return;
                }
                // They differ by their command alone, and the file says the command.
                several[0]
            }
            Match::None => {
                diagnostics.push(nothing_runs(service, self.detection, place));
                return;
            }
        };
        let celery = detected.framework.as_deref() == Some("Celery");
        if !celery && let Some(unknown) = unknown_start(service, &claim) {
            diagnostics.push(unknown);
            return;
        }
        let Some(recipe) = &detected.recipe else {
            let what = detected.framework.as_deref().unwrap_or(detected.language);
            diagnostics.push(
                Diagnostic::warning(format!(
                    "`{}` is a {what} application, which Plimsoll does not assemble yet",
                    service.name
                ))
                .at(place)
                .hint("name an image that holds it with `image:`"),
            );
            return;
        };
        let mut recipe = recipe.clone();
        let mut detected = detected.clone();
        match &mut recipe.kind {
            RecipeKind::StaticSite(_) => serve_site(service, &mut recipe, diagnostics),
            RecipeKind::Python(_) => {
                run_python(service, &mut recipe, &mut detected, &claim, diagnostics)
            }
        }
        published_ports(service, &detected, diagnostics);
        health(service, &detected, &recipe, diagnostics);
        self.required_variables(service, &detected, diagnostics);
        service.recipe = Some(recipe);
    }

    /// The stage that the file would build, where there is a Dockerfile.
    fn stage(&self, service: &Service) -> Option<Stage> {
        let build = service.build.as_ref()?;
        let name = build
            .dockerfile
            .as_ref()
            .map_or("Dockerfile", |name| name.value.as_str());
        let path = places::within(&self.context, name)?;
        let file = Dockerfile::read(self.tree, &path)?;
        Some(file.image(build.target.as_ref().map(|target| target.value.as_str())))
    }

    fn claim(&self, service: &Service, stage: Option<&Stage>) -> Claim {
        let mut claim = stage
            .map(|stage| of_stage(stage, &self.context))
            .unwrap_or_default();
        claim.name = Some(service.name.clone());
        let words: Vec<String> = service
            .entrypoint
            .iter()
            .chain(&service.command)
            .flat_map(|command| command.value.0.iter().cloned())
            .collect();
        if let Some(started) = starts(&words) {
            claim.starts = Some(started);
        }
        claim
            .ports
            .extend(service.ports.iter().map(|port| port.target));
        claim
    }

    fn required_variables(
        &self,
        service: &Service,
        detected: &DetectedService,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        for variable in &self.detection.environment {
            if !variable.required || !variable.services.contains(&detected.name) {
                continue;
            }
            let set = service
                .environment
                .get(&variable.name)
                .is_some_and(|value| value.is_some());
            if set {
                continue;
            }
            let read = variable.evidence.first().map(|evidence| {
                format!(
                    " ({}:{})",
                    evidence.span.file.display(),
                    evidence.span.start.line
                )
            });
            diagnostics.push(
                Diagnostic::warning(format!(
                    "`{}` requires `{}`{}, which nothing sets",
                    service.name,
                    variable.name,
                    read.unwrap_or_default()
                ))
                .at(service.span.clone())
                .hint(format!("add `{}` to its `environment`", variable.name)),
            );
        }
    }
}

/// A command that starts a Celery application where the code makes none.
fn unknown_start(service: &Service, claim: &Claim) -> Option<Diagnostic> {
    let (Some(Starts::CeleryWorker { target }) | Some(Starts::CeleryBeat { target })) =
        &claim.starts
    else {
        return None;
    };
    let span = service
        .command
        .as_ref()
        .and_then(|command| command.span.clone())
        .or_else(|| service.span.clone());
    Some(
        Diagnostic::warning(format!(
            "`{}` starts the Celery application `{target}`, which nothing in the code makes",
            service.name
        ))
        .at(span)
        .hint("drop the service, or name the application that there is"),
    )
}

/// What two services must share to differ by their command alone.
fn recipe_key(service: &DetectedService) -> Option<(PathBuf, &RecipeKind)> {
    service
        .recipe
        .as_ref()
        .map(|recipe| (recipe.context.clone(), &recipe.kind))
}

fn ambiguous(service: &Service, several: &[&DetectedService], place: Option<Span>) -> Diagnostic {
    let names: Vec<String> = several
        .iter()
        .map(|one| {
            format!(
                "`{}` ({}:{})",
                one.name,
                one.defined_at.file.display(),
                one.defined_at.start.line
            )
        })
        .collect();
    Diagnostic::warning(format!(
        "`{}` could be any of {}",
        service.name,
        names.join(", ")
    ))
    .at(place)
    .hint("give it a `command` that names which one it starts")
}

fn nothing_runs(service: &Service, detection: &Detection, place: Option<Span>) -> Diagnostic {
    let mut diagnostic = Diagnostic::warning(format!(
        "nothing that runs was found for `{}`",
        service.name
    ))
    .at(place);
    if let Some(rejected) = detection.rejected.first() {
        diagnostic = diagnostic.hint(format!(
            "`{}` ({}) was left out: {}",
            rejected.path.display(),
            rejected.looks_like,
            rejected.why
        ));
    }
    diagnostic.hint("name an image that holds it with `image:`")
}

/// A site is built and served; what the file starts is its development server.
fn serve_site(service: &mut Service, recipe: &mut BuildRecipe, diagnostics: &mut Vec<Diagnostic>) {
    if let Some(command) = service.command.take() {
        diagnostics.push(
            Diagnostic::note(format!(
                "`{}` is built and served as files; this command is not run",
                service.name
            ))
            .at(command.span),
        );
    }
    service.entrypoint = None;
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
            let public = ["VITE_", "REACT_APP_", "PUBLIC_", "VUE_APP_"]
                .iter()
                .any(|prefix| name.starts_with(prefix));
            if let (true, Some(value)) = (public, &value.value) {
                site.build_environment.retain(|(known, _)| known != name);
                site.build_environment.push((name.clone(), value.clone()));
            }
        }
    }
}

/// The file's own command wins; a manager's `run` before it is not in the image and does nothing there.
fn run_python(
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
            command.value = Command(rest.to_vec());
        }
        if needs_shell(&command.value.0) {
            let span = command.span.clone();
            diagnostics.push(
                Diagnostic::note("this command needs a shell, which is added to the image")
                    .at(span.clone()),
            );
            recipe.system_packages.push(Spanned {
                value: "dash".to_owned(),
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

fn needs_shell(words: &[String]) -> bool {
    words.first().is_some_and(|word| {
        matches!(
            word.rsplit('/').next().unwrap_or(word),
            "sh" | "bash" | "dash"
        ) || word.ends_with(".sh")
    })
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

/// Ports that nothing listens on.
fn published_ports(
    service: &Service,
    detected: &DetectedService,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let why = match detected.kind {
        ServiceKind::McpStdio => "speaks over standard input and output",
        ServiceKind::Worker | ServiceKind::Scheduler if detected.ports.is_empty() => {
            "takes its work from a queue"
        }
        _ => return,
    };
    for port in &service.ports {
        diagnostics.push(
            Diagnostic::warning(format!(
                "port {} is published, but `{}` {why} and listens on none",
                port.target, service.name
            ))
            .at(port.span.clone())
            .hint("drop it"),
        );
    }
    if detected.kind == ServiceKind::McpStdio
        && service.restart.value != plimsoll_model::Restart::No
    {
        diagnostics.push(
            Diagnostic::warning(format!(
                "`{}` ends when nobody speaks to it, so restarting it goes on for ever",
                service.name
            ))
            .at(service
                .restart
                .span
                .clone()
                .or_else(|| service.span.clone()))
            .hint(format!(
                "drop `restart`, and start it by `plimsoll run -i {}`",
                service.name
            )),
        );
    }
}

/// Keeps a health check that can work, and puts the inferred one in the place of one that cannot.
fn health(
    service: &mut Service,
    detected: &DetectedService,
    recipe: &BuildRecipe,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let inferred = healthcheck(detected);
    let Some(stated) = &service.healthcheck else {
        service.healthcheck = inferred;
        return;
    };
    let Some(check) = stated.test.as_ref().and_then(of_test) else {
        return;
    };
    let span = stated.span.clone().or_else(|| service.span.clone());
    let instead = |what: String| {
        let hint = match &detected.health {
            Some(Health::Http(route)) => format!(
                "drop it; Plimsoll asks for `{}` on port {} instead",
                route.path, route.port
            ),
            Some(Health::Tcp { port }) => {
                format!("drop it; Plimsoll connects to port {port} instead")
            }
            Some(Health::Command { name, .. }) => {
                format!("drop it; Plimsoll asks the worker by `{name}` instead")
            }
            Some(Health::McpHandshake) | None => {
                "drop it; it would stay unhealthy for ever, and is not run".to_owned()
            }
        };
        Diagnostic::warning(what).at(span.clone()).hint(hint)
    };
    let replace = match check {
        Check::Processes { program } => {
            diagnostics.push(instead(format!(
                "health check calls `{program}`, which the image will not have"
            )));
            true
        }
        Check::Http { port, path, .. } if matches!(recipe.kind, RecipeKind::StaticSite(_)) => {
            let fits = port == STATIC_PORT && path == "/";
            if !fits {
                diagnostics.push(instead(format!(
                    "health check asks port {port}, where nothing listens once the site is built"
                )));
            }
            !fits
        }
        Check::Http {
            program,
            port,
            path,
        } => {
            let unknown = !detected.routes.is_empty() && !answers(&detected.routes, &path);
            let elsewhere = !detected.ports.is_empty() && !detected.ports.contains(&port);
            if unknown {
                diagnostics.push(instead(format!(
                    "health check asks for `{path}`, which `{}` does not answer",
                    service.name
                )));
            } else if elsewhere {
                diagnostics.push(instead(format!(
                    "health check asks port {port}, but `{}` listens on {}",
                    service.name, detected.ports[0]
                )));
            } else if program != "plimsoll-probe" {
                diagnostics.push(
                    Diagnostic::note(format!("health check calls `{program}`, which the image will not have; Plimsoll makes the request itself"))
                        .at(span.clone()),
                );
            }
            unknown || elsewhere
        }
        Check::Program { program } => {
            let there = program.starts_with("python")
                || matches!(
                    program.as_str(),
                    "celery" | "uvicorn" | "test" | "true" | "nc" | "plimsoll-probe"
                )
                || recipe
                    .system_packages
                    .iter()
                    .any(|package| package.value == program);
            if !there {
                diagnostics.push(
                    Diagnostic::warning(format!(
                        "health check calls `{program}`, which the image may not have"
                    ))
                    .at(span.clone())
                    .hint("check it by `plimsoll exec`, or drop the check"),
                );
            }
            false
        }
    };
    if replace {
        // How often it is asked stays as it was stated.
        let stated = stated.clone();
        service.healthcheck = inferred.map(|mut inferred| {
            inferred.value.interval = stated.interval.or(inferred.value.interval);
            inferred.value.timeout = stated.timeout.or(inferred.value.timeout);
            inferred.value.retries = stated.retries.or(inferred.value.retries);
            inferred.value.start_period = stated.start_period.or(inferred.value.start_period);
            inferred.span = stated.span;
            inferred
        });
    }
}
