//! What a project's own Compose file leaves out or has wrong, as an overlay beside it, and the list
//! of what its files say that the code does not.

use plimsoll_detect::{DetectedService, Detection, ServiceKind};
use plimsoll_diag::{Diagnostic, Severity};
use plimsoll_model::yaml::{Key, Map, Node, Value};
use plimsoll_model::{HealthTest, Project, Restart, Service};
use plimsoll_render::{Input, Workload};

use crate::project;

use super::compose_file::{ComposeFile, place, wrapped};
use super::overlay_help::Additions;
use super::{OVERLAY, service_entry, variables_file};

/// A project with a Compose file: as it says itself, and completed by what its source tells.
pub(crate) struct Stated<'s> {
    /// As its files say.
    pub(crate) stated: &'s Project,
    /// With what its source tells.
    pub(crate) completed: &'s Project,
    /// What renderers see of the latter.
    pub(crate) input: Input<'s>,
}

/// The overlay; `None` where there is nothing to add, and nothing to tell. What is only told stands in its header.
pub(crate) fn overlay(
    of: &Stated<'_>,
    detection: &Detection,
    contradictions: &[Diagnostic],
) -> Option<ComposeFile> {
    let mut services = Map::new();
    let mut comments = Vec::new();
    let mut help = Additions::of(of, detection);
    for service in of.completed.services.values() {
        if service.build.is_none() {
            continue;
        }
        let (mut entry, lines) = help.take(&service.name);
        let mut comment: Vec<String> = lines.iter().flat_map(|line| wrapped(line)).collect();
        let mut missing = missing(of.completed, service);
        if !missing.is_empty() {
            if let Some(Value::Map(helped)) = entry.get("environment").map(|node| &node.value) {
                for (key, node) in helped.iter() {
                    missing.insert(key.clone(), node.clone());
                }
            }
            entry.insert("environment", Node::made(missing));
            comment.push("reads variables that no Compose file passes on".to_owned());
        }
        if let Some(check) = check(of, service) {
            entry.insert("healthcheck", Node::made(check));
            comment.push("its health shows otherwise than its Compose file says".to_owned());
        } else if has_check_in_vain(of, service) || is_asked_otherwise(of, service) {
            let none = Map::from_iter([(Key::made("disable"), Node::made(Value::Bool(true)))]);
            entry.insert("healthcheck", Node::made(none));
            comment.push("the check that its Compose file states cannot pass".to_owned());
        }
        if service.facts.kind == Some(ServiceKind::McpStdio) && service.restart.value != Restart::No
        {
            entry.insert("restart", Node::made(Value::from("no")));
            comment.push("ends when nobody speaks to it, which is no failure".to_owned());
        }
        if !entry.is_empty() {
            services.insert(service.name.as_str(), Node::made(entry));
            comments.push((service.name.clone(), comment));
        }
    }
    for (name, (entry, _)) in help.rest() {
        services.insert(name.as_str(), Node::made(entry));
        comments.push((name, vec!["runs once, before what waits for it".to_owned()]));
    }
    let is_worth_it = !services.is_empty() || !contradictions.is_empty();
    is_worth_it.then(|| {
        let header = header(of.stated, contradictions);
        ComposeFile::overlay(header, services, comments)
    })
}

fn header(project: &Project, contradictions: &[Diagnostic]) -> String {
    let files: Vec<String> = project
        .files
        .iter()
        .map(|file| {
            let shown = file.strip_prefix(&project.directory).unwrap_or(file);
            shown.display().to_string()
        })
        .filter(|file| file != OVERLAY)
        .collect();
    let options = files
        .iter()
        .map(|file| format!("-f {file} "))
        .collect::<String>();
    let mut text = format!(
        "# What `plimsoll init` found in the source and {} does not say. Nothing reads this file\n\
         # unless it is named; `plimsoll up` knows it without the file, but for what is called help.\n\
         #\n\
         #   docker compose {options}-f {OVERLAY} up\n",
        files.join(", ")
    );
    if contradictions.is_empty() {
        return text;
    }
    text.push_str("#\n# What the project's files say and the code does not:\n");
    for diagnostic in contradictions {
        let at = diagnostic
            .span
            .as_ref()
            .map(|span| format!("{}: ", place(span)));
        let line = format!("- {}{}", at.unwrap_or_default(), diagnostic.message);
        for line in wrapped(&line) {
            text.push_str(&format!("# {line}\n"));
        }
    }
    text
}

/// Variables that the code needs and that the service is not given.
fn missing(project: &Project, service: &Service) -> Map {
    project
        .variables
        .iter()
        .filter(|variable| variable.required && variable.default.is_none())
        .filter(|variable| variable.services.contains(&service.name))
        .filter(|variable| !service.environment.contains_key(&variable.name))
        .map(|variable| {
            let about = variables_file::about(project, &variable.name).unwrap_or_default();
            let node = Node::made(Value::Null).commented(about);
            (Key::made(variable.name.clone()), node)
        })
        .collect()
}

/// A check that the image can run itself, where the stated one cannot work or there is none.
fn check(of: &Stated<'_>, service: &Service) -> Option<Map> {
    let stated = of.stated.services.get(&service.name)?.healthcheck.as_ref();
    let completed = service.healthcheck.as_ref()?;
    let test = completed.test.as_ref()?;
    let is_same = stated.is_some_and(|stated| stated.test.as_ref() == Some(test));
    if is_same || matches!(test, HealthTest::Disabled) {
        return None;
    }
    let words = Workload::of(&of.input, service).health_command()?;
    // Only an interpreter is sure to be in an image of somebody else's making.
    if !matches!(
        words.first().map(String::as_str),
        Some("python" | "node" | "celery")
    ) {
        return None;
    }
    let mut test = vec!["CMD".to_owned()];
    test.extend(words);
    let mut map = Map::from_iter([(Key::made("test"), Node::made(service_entry::list(&test)))]);
    if stated.is_none()
        && let Some(Value::Map(times)) = service_entry::healthcheck(completed)
    {
        for (key, time) in times.iter().filter(|(key, _)| key.text != "test") {
            map.insert(key.clone(), time.clone());
        }
    }
    Some(map)
}

/// Whether a check is stated that cannot work, and nothing takes its place.
fn has_check_in_vain(of: &Stated<'_>, service: &Service) -> bool {
    let is_on = |service: &Service| {
        let test = service
            .healthcheck
            .as_ref()
            .and_then(|check| check.test.as_ref());
        test.is_some_and(|test| !matches!(test, HealthTest::Disabled))
    };
    of.stated.services.get(&service.name).is_some_and(is_on) && !is_on(service)
}

/// Whether a check is stated in the place of which Plimsoll asks the service itself: no command of the image does.
fn is_asked_otherwise(of: &Stated<'_>, service: &Service) -> bool {
    fn test(service: &Service) -> Option<&HealthTest> {
        let test = service.healthcheck.as_ref()?.test.as_ref();
        test.filter(|test| !matches!(test, HealthTest::Disabled))
    }
    let stated = of.stated.services.get(&service.name).and_then(test);
    stated.is_some() && test(service).is_some_and(|asked| stated != Some(asked))
}

/// Everything that the project's files say and the code does not, each once, worst first.
pub(crate) fn contradictions(
    completed: &Project,
    told: Vec<Diagnostic>,
    detection: &Detection,
) -> Vec<Diagnostic> {
    let mut all: Vec<Diagnostic> = told
        .into_iter()
        .filter(|diagnostic| diagnostic.severity != Severity::Note)
        .collect();
    let problems = detection
        .problems
        .iter()
        .filter(|problem| problem.severity != Severity::Note);
    all.extend(problems.map(plimsoll_detect::Problem::to_diagnostic));
    all.extend(
        detection
            .services
            .iter()
            .filter(|service| !is_started(completed, service))
            .map(project::not_started),
    );
    let mut known: Vec<Diagnostic> = Vec::new();
    for diagnostic in all {
        let is_known = known.iter().any(|one| {
            one.message == diagnostic.message
                && one.span.as_ref().map(place) == diagnostic.span.as_ref().map(place)
        });
        if !is_known {
            known.push(diagnostic);
        }
    }
    known.sort_by(|left, right| left.span.cmp(&right.span));
    known.sort_by_key(|diagnostic| diagnostic.severity);
    known
}

fn is_started(project: &Project, detected: &DetectedService) -> bool {
    let by_hand = matches!(
        detected.kind,
        ServiceKind::Cli | ServiceKind::Job | ServiceKind::McpStdio
    );
    let is_it = |service: &Service| service.facts.found_as.as_ref() == Some(&detected.name);
    let is_same = |service: &Service| match (&service.recipe, &detected.recipe) {
        _ if is_it(service) => true,
        (Some(own), Some(found)) => {
            own.kind == found.kind && service.facts.kind == Some(detected.kind)
        }
        _ => service.name == detected.name,
    };
    by_hand || project.services.values().any(is_same)
}
