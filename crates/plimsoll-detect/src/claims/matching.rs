//! Which detected service a claim means.

use std::collections::BTreeMap;
use std::path::Path;

use crate::claims::command::FLASK_USUAL;
use crate::claims::start_scripts::substituted;
use crate::claims::{Stage, Starts, starts};
use crate::detection::{DetectedService, ServiceKind};
use crate::flower::FLOWER;
use crate::places;

/// What a claim says about a service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claim {
    /// The name it gives the service.
    pub(crate) name: Option<String>,
    /// What its command starts.
    pub(crate) starts: Option<Starts>,
    /// Sources that it copies, relative to the tree; empty where it does not say.
    pub(crate) copies: Vec<String>,
    /// Ports that it publishes or exposes.
    pub(crate) ports: Vec<u16>,
}

impl Claim {
    /// Whether the file at a path of the tree may be among what it copies.
    pub(crate) fn may_hold(&self, path: &Path) -> bool {
        let holds = |source: &String| {
            let plain = source.split('*').next().unwrap_or_default();
            let whole = match plain.len() == source.len() {
                true => plain,
                false => plain
                    .rsplit_once('/')
                    .map_or("", |(directory, _)| directory),
            };
            path.starts_with(whole)
        };
        self.copies.is_empty() || self.copies.iter().any(holds)
    }
}

/// How a claim was settled.
pub(crate) enum Match<'d> {
    /// It means this one.
    One(&'d DetectedService),
    /// It could mean any of these.
    Several(Vec<&'d DetectedService>),
    /// There is nothing it could mean.
    None,
}

/// Finds what `claim` means among `services`.
pub(crate) fn find<'d>(claim: &Claim, services: &[&'d DetectedService]) -> Match<'d> {
    let mut scored: Vec<(i32, &DetectedService)> = services
        .iter()
        .map(|service| (score(claim, service), *service))
        .collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    match scored.as_slice() {
        [] => Match::None,
        [(_, only)] => Match::One(only),
        [(best, first), (second, _), ..] if best > second && *best > 0 => Match::One(first),
        [(best, _), ..] => Match::Several(
            scored
                .iter()
                .filter(|(score, _)| score == best)
                .map(|(_, service)| *service)
                .collect(),
        ),
    }
}

/// How well a claim fits a service; what does not fit at all has less than nothing.
pub(crate) fn score(claim: &Claim, service: &DetectedService) -> i32 {
    let mut score = 0;
    if let Some(started) = &claim.starts {
        score += started_score(started, service);
    }
    if service.kind == ServiceKind::Cli {
        score -= 15;
    }
    let root = places::text(&service.root);
    if !claim.copies.is_empty() && !root.is_empty() {
        let inside = |source: &str| Path::new(source).starts_with(root);
        let whole = claim
            .copies
            .iter()
            .any(|source| source.is_empty() || Path::new(root).starts_with(source));
        if claim.copies.iter().any(|source| inside(source)) {
            score += 20;
        } else if !whole {
            score -= 30;
        }
    }
    if let Some(name) = &claim.name {
        let name = name.to_ascii_lowercase();
        if name == service.name {
            score += 15;
        }
        let words: Vec<&str> = name.split(['-', '_', '.']).collect();
        let says = |list: &[&str]| words.iter().any(|word| list.contains(word));
        let fits = match service.kind {
            ServiceKind::Worker => {
                says(&["worker", "workers", "celery", "consumer", "queue"]) && !says(&["beat"])
            }
            ServiceKind::Scheduler => says(&["beat", "scheduler", "cron"]),
            ServiceKind::Ui => says(&[
                "ui",
                "frontend",
                "canvas",
                "dashboard",
                "webapp",
                "client",
                "web",
                "studio",
            ]),
            ServiceKind::Web => says(&["api", "backend", "server", "app", "web", "gateway"]),
            ServiceKind::McpHttp | ServiceKind::McpStdio => says(&["mcp"]),
            ServiceKind::Cli | ServiceKind::Job => false,
        };
        if fits {
            score += 10;
        }
        let directory = service.root.file_name().and_then(|name| name.to_str());
        if directory.is_some_and(|directory| words.contains(&directory)) {
            score += 6;
        }
    }
    let port = |port: &u16| service.ports.contains(port) || service.development_port == Some(*port);
    if claim.ports.iter().any(port) {
        score += 5;
    }
    score
}

/// Whether what a claim starts is anything that one of these services is.
pub(crate) fn starts_one_of(claim: &Claim, services: &[&DetectedService]) -> bool {
    claim.starts.as_ref().is_some_and(|started| {
        services
            .iter()
            .any(|service| started_score(started, service) > 0)
    })
}

/// How well what is started fits a service: 100 when it is named exactly.
fn started_score(started: &Starts, service: &DetectedService) -> i32 {
    let target = service.target.as_str();
    match started {
        Starts::Application { target: wanted, .. } => target_score(wanted, target),
        Starts::CeleryWorker { target: wanted } if service.kind == ServiceKind::Worker => {
            target_score(wanted, target).max(30)
        }
        Starts::CeleryBeat { target: wanted } if service.kind == ServiceKind::Scheduler => {
            target_score(wanted, target).max(30)
        }
        Starts::Flower { target: wanted, .. } if service.framework.as_deref() == Some(FLOWER) => {
            target_score(wanted, target).max(30)
        }
        Starts::Module(wanted) => {
            let dotted = wanted
                .trim_start_matches("./")
                .trim_end_matches(".py")
                .replace('/', ".");
            let file = format!("{}.py", dotted.replace('.', "/"));
            let starts_it = service.evidence.iter().any(|evidence| {
                let seen = places::text(&evidence.span.file);
                seen == file || seen.ends_with(&format!("/{file}"))
            });
            target_score(&dotted, target).max(if starts_it { 90 } else { 0 })
        }
        Starts::Program(program) => {
            let named = target == program
                || service.command.first() == Some(program)
                || service.name == *program;
            if named { 100 } else { 0 }
        }
        Starts::NodeScript(_) if matches!(&*service.language, "javascript" | "typescript") => 60,
        _ => 0,
    }
}

/// How well `module:variable` as claimed fits the one that was found: the claim may be seen from another
/// directory, or name a module that passes the variable on.
fn target_score(wanted: &str, found: &str) -> i32 {
    let (wanted_module, wanted_variable) = wanted.split_once(':').unwrap_or((wanted, ""));
    let (module, variable) = found.split_once(':').unwrap_or((found, ""));
    let same = wanted_variable.is_empty() || variable.is_empty() || wanted_variable == variable;
    if wanted_module == module {
        return if same { 100 } else { 70 };
    }
    let below = |outer: &str, inner: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    let after = |whole: &str, end: &str| {
        whole
            .strip_suffix(end)
            .is_some_and(|rest| rest.ends_with('.'))
    };
    if after(module, wanted_module) || after(wanted_module, module) {
        return if same { 80 } else { 50 };
    }
    if below(wanted_module, module) || below(module, wanted_module) {
        return if same { 75 } else { 20 };
    }
    0
}

/// What is started, with what an image's variables tell Flask's program.
fn told_by_image(started: Starts, stage: &Stage) -> Starts {
    let set = |wanted: &str| {
        let mut variables = stage.environment.iter().rev();
        let (_, value) = variables.find(|(name, _)| name == wanted)?;
        Some(value.value.clone())
    };
    match started {
        Starts::Application {
            target,
            port,
            configuration,
        } if target == FLASK_USUAL => {
            let named = set("FLASK_APP").map(|named| named.trim_end_matches(".py").to_owned());
            Starts::Application {
                target: named.unwrap_or(target),
                port: port.or_else(|| set("FLASK_RUN_PORT")?.parse().ok()),
                configuration,
            }
        }
        other => other,
    }
}

/// The claim of a Dockerfile's stage whose context is `context`, a directory of the tree.
pub(crate) fn of_stage(stage: &Stage, context: &Path) -> Claim {
    let set: BTreeMap<String, String> = stage
        .environment
        .iter()
        .map(|(name, value)| (name.clone(), value.value.clone()))
        .collect();
    // What the image sets, and what a word says for where nobody sets it: `--port ${PORT:-8000}`.
    let words = |line: &Option<plimsoll_diag::Spanned<crate::claims::Line>>| -> Vec<String> {
        let words = line.as_ref().map(|line| line.words()).unwrap_or_default();
        let filled = words.iter().map(|word| substituted(word, &set));
        filled.collect()
    };
    let entrypoint = words(&stage.entrypoint);
    let command = words(&stage.command);
    // A script before the command usually ends in `exec "$@"`.
    let script =
        entrypoint.first().is_some_and(|word| word.ends_with(".sh")) || entrypoint.is_empty();
    let whole: Vec<String> = if script {
        command.clone()
    } else {
        entrypoint.iter().chain(&command).cloned().collect()
    };
    let started = starts(&whole).or_else(|| starts(&command));
    Claim {
        name: None,
        starts: started.map(|started| told_by_image(started, stage)),
        copies: stage
            .copies
            .iter()
            .filter_map(|source| places::within(context, source.trim_end_matches(['*', '/'])))
            .map(|path| places::text(&path).to_owned())
            .collect(),
        ports: stage.ports.iter().map(|port| port.value).collect(),
    }
}
