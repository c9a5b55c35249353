//! From single findings to one [`Detection`]: names, shared dependencies, variables, needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use plimsoll_diag::Diagnostic;

use crate::detection::{
    DetectedService, Detection, Need, NeedKind, OneOf, Problem, Rejected, ServiceKind, Variable,
};
use crate::found::{Found, FoundVariable};
use crate::places;
use crate::tree::Tree;

/// Joins what the languages found.
pub(crate) fn merge(
    tree: &Tree,
    name: String,
    mut found: Vec<Found>,
    mut rejected: Vec<Rejected>,
    problems: Vec<Diagnostic>,
) -> Detection {
    found.sort_by(|one, other| {
        let key = |found: &Found| {
            (
                rank(found.service.kind),
                found.service.root.clone(),
                found.service.defined_at.clone(),
            )
        };
        key(one).cmp(&key(other))
    });
    give_names(&name, &mut found);
    share_dependencies(&mut found);
    let mut problems: Vec<Problem> = problems
        .iter()
        .chain(&crate::ports::claimed_twice(&found))
        .chain(found.iter().flat_map(|found| &found.problems))
        .map(Problem::from)
        .collect();
    for (path, why) in tree.unreadable() {
        let diagnostic = Diagnostic::warning(format!("could not be read: {why}"))
            .at(plimsoll_diag::Span::line(tree.shown(&path), 1));
        problems.push(Problem::from(&diagnostic));
    }
    if tree.is_truncated() {
        problems.push(Problem::from(&Diagnostic::warning(format!(
            "only the first {} files were looked at",
            tree.files().len()
        ))));
    }
    problems.sort_by(|one, other| {
        (one.severity, &one.path, one.line, &one.what).cmp(&(
            other.severity,
            &other.path,
            other.line,
            &other.what,
        ))
    });
    problems.dedup();
    rejected
        .sort_by(|one, other| (&one.path, &one.looks_like).cmp(&(&other.path, &other.looks_like)));
    rejected.dedup();
    let mut environment = environment(&mut found);
    let mut needs = needs(&mut found);
    one_is_enough(&environment, &mut needs);
    empty_is_not_enough(&mut environment, &needs);
    Detection {
        name,
        needs,
        environment,
        rejected,
        problems,
        shims: Vec::new(),
        also_tried: Vec::new(),
        files_listed: tree.files().len(),
        files_read: tree.files_read(),
        services: found.into_iter().map(|found| found.service).collect(),
    }
}

/// The order in which people ask about services.
fn rank(kind: ServiceKind) -> usize {
    match kind {
        ServiceKind::Web => 0,
        ServiceKind::McpHttp => 1,
        ServiceKind::McpStdio => 2,
        ServiceKind::Worker => 3,
        ServiceKind::Scheduler => 4,
        ServiceKind::Ui => 5,
        ServiceKind::Job => 6,
        ServiceKind::Cli => 7,
    }
}

/// Makes a word valid as a service's name.
pub(crate) fn valid_name(text: &str) -> String {
    let mut name = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            name.push(character.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.trim_end_matches('-').to_owned()
}

/// Parts of paths and modules that tell nothing.
const EMPTY_WORDS: &[&str] = &[
    "app",
    "main",
    "src",
    "server",
    "run",
    "wsgi",
    "asgi",
    "application",
    "index",
    "apps",
    "packages",
    "services",
    "py",
    "python",
    "init",
    "mod",
    "cmd",
    "core",
    "manage",
    "start",
    "entrypoint",
];

fn give_names(project: &str, found: &mut [Found]) {
    let daemons = found
        .iter()
        .filter(|found| !matches!(found.service.kind, ServiceKind::Cli))
        .count();
    let mut wanted: Vec<Vec<String>> = found
        .iter()
        .map(|found| proposals(project, &found.service, daemons))
        .collect();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    // Who has a name of its own gets it before those who would do with any.
    for (found, names) in found.iter_mut().zip(&mut wanted) {
        names.retain(|name| !name.is_empty());
        let free = names.iter().find(|name| !taken.contains(*name)).cloned();
        let name = free.unwrap_or_else(|| {
            let base = names
                .first()
                .cloned()
                .unwrap_or_else(|| found.service.kind.word().to_owned());
            (2..)
                .map(|number| format!("{base}-{number}"))
                .find(|name| !taken.contains(name))
                .unwrap_or(base)
        });
        taken.insert(name.clone());
        found.service.name = name;
    }
}

fn proposals(project: &str, service: &DetectedService, daemons: usize) -> Vec<String> {
    let mut directories = service
        .root
        .components()
        .rev()
        .map(|part| valid_name(part.as_os_str().to_str().unwrap_or_default()))
        .filter(|part| !EMPTY_WORDS.contains(&part.as_str()));
    let directory = directories.next().unwrap_or_default();
    let above = directories.next();
    let module = service
        .target
        .split(':')
        .next()
        .unwrap_or_default()
        .split(['.', '/'])
        .rev()
        .map(valid_name)
        .find(|part| !EMPTY_WORDS.contains(&part.as_str()) && !part.is_empty())
        .unwrap_or_default();
    let alone = daemons == 1;
    let within = |word: &str| {
        if directory.is_empty() {
            format!("{module}-{word}")
        } else {
            format!("{directory}-{word}")
        }
    };
    match service.kind {
        ServiceKind::Worker => vec![
            "worker".to_owned(),
            within("worker"),
            format!("{module}-worker"),
        ],
        ServiceKind::Scheduler => vec![
            "scheduler".to_owned(),
            within("scheduler"),
            format!("{module}-scheduler"),
        ],
        ServiceKind::McpStdio | ServiceKind::McpHttp | ServiceKind::Cli => {
            let script =
                (!service.target.contains([':', '.'])).then(|| valid_name(&service.target));
            let own = if directory.is_empty() {
                valid_name(project)
            } else {
                directory.clone()
            };
            vec![script.unwrap_or_default(), own, module, "mcp".to_owned()]
        }
        _ if directory.is_empty()
            && alone
            && (module.is_empty() || own_package(project, &service.target)) =>
        {
            vec![valid_name(project), module, "web".to_owned()]
        }
        _ if directory.is_empty() => vec![
            if module.is_empty() {
                "web".to_owned()
            } else {
                module
            },
            "web".to_owned(),
        ],
        kind => {
            let both = match module.is_empty() || module == directory {
                true => String::new(),
                false => format!("{directory}-{module}"),
            };
            vec![
                directory.clone(),
                module.clone(),
                above.map_or_else(String::new, |above| format!("{above}-{directory}")),
                both,
                within(kind.word()),
            ]
        }
    }
}

/// Whether what is started lies in the package that the project is named after.
fn own_package(project: &str, target: &str) -> bool {
    valid_name(target.split(['.', ':']).next().unwrap_or_default()) == valid_name(project)
}

fn share_dependencies(found: &mut [Found]) {
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    for found in found {
        let service = &mut found.service;
        let Some(recipe) = &service.recipe else {
            continue;
        };
        let plimsoll_model::RecipeKind::Python(python) = &recipe.kind else {
            continue;
        };
        // What no file as a whole states is told one by one.
        let told: Vec<&str> = match python.dependencies {
            plimsoll_model::PythonDependencies::None => {
                python.undeclared.iter().map(|one| one.as_str()).collect()
            }
            _ => Vec::new(),
        };
        let key = format!(
            "{:?}{:?}{:?}{:?}{told:?}",
            recipe.context, python.root, python.dependencies, python.extras
        );
        match first.get(&key) {
            Some(other) => service.shares_with = Some(other.clone()),
            None => {
                first.insert(key, service.name.clone());
            }
        }
    }
}

fn environment(found: &mut [Found]) -> Vec<Variable> {
    let mut variables: BTreeMap<String, Variable> = BTreeMap::new();
    for found in found.iter() {
        let drivers: Vec<NeedKind> = found.needs.iter().map(|need| need.kind).collect();
        for read in &found.variables {
            let need = crate::needs::of_variable(
                &read.name,
                read.default.as_deref(),
                read.type_name.as_deref(),
                read.kind,
                &drivers,
            );
            let variable = variables
                .entry(read.name.clone())
                .or_insert_with(|| Variable {
                    name: read.name.clone(),
                    required: false,
                    secret: false,
                    default: None,
                    kind: read.kind,
                    need: None,
                    services: Vec::new(),
                    one_of: Vec::new(),
                    evidence: Vec::new(),
                });
            variable.required |= read.required;
            variable.secret |= read.secret;
            variable.need = variable.need.or(need);
            if variable.default.is_none() {
                variable.default.clone_from(&read.default);
            }
            if variable.kind == crate::detection::VariableKind::Text {
                variable.kind = read.kind;
            }
            if !variable.services.contains(&found.service.name) {
                variable.services.push(found.service.name.clone());
            }
            if !read.one_of.is_empty() {
                add_group(&mut variable.one_of, read, &found.service.name);
            }
            let evidence = plimsoll_diag::Evidence::new(read.span.clone(), read.why.clone());
            if !variable.evidence.contains(&evidence) {
                variable.evidence.push(evidence);
            }
        }
    }
    variables.into_values().collect()
}

/// Notes that a service has enough with one of several variables.
fn add_group(groups: &mut Vec<OneOf>, read: &FoundVariable, service: &str) {
    let known = groups
        .iter_mut()
        .find(|group| group.names == read.one_of && group.span == read.span);
    match known {
        Some(group) if group.services.iter().any(|name| name == service) => {}
        Some(group) => group.services.push(service.to_owned()),
        None => groups.push(OneOf {
            names: read.one_of.clone(),
            services: vec![service.to_owned()],
            span: read.span.clone(),
        }),
    }
}

/// What one of several variables says the place of, and none of them may be missing together, is needed.
fn one_is_enough(environment: &[Variable], needs: &mut [Need]) {
    let leads = |name: &String| {
        let known = environment.iter().find(|variable| variable.name == *name);
        known.and_then(|variable| variable.need)
    };
    let groups = environment.iter().flat_map(|variable| &variable.one_of);
    for group in groups {
        let kinds: BTreeSet<_> = group.names.iter().map(leads).collect();
        if let Some(Some(kind)) = kinds.first().filter(|_| kinds.len() == 1)
            && let Some(need) = needs.iter_mut().find(|need| need.kind == *kind)
        {
            need.required = true;
        }
    }
}

/// A variable that is empty unless it is set, and that says where something needed is, has to be set.
fn empty_is_not_enough(environment: &mut [Variable], needs: &[Need]) {
    for need in needs.iter().filter(|need| need.required) {
        let variable = environment
            .iter_mut()
            .find(|variable| Some(&variable.name) == need.how.as_ref());
        if let Some(variable) = variable
            && variable.default.as_deref() == Some("")
            && variable.need == Some(need.kind)
        {
            variable.required = true;
            variable.default = None;
        }
    }
}

fn needs(found: &mut [Found]) -> Vec<Need> {
    let mut needs: BTreeMap<NeedKind, Need> = BTreeMap::new();
    for found in found.iter_mut() {
        // What only a person's program needs is not part of a stack.
        if found.service.kind == ServiceKind::Cli {
            continue;
        }
        for one in &found.needs {
            let need = needs.entry(one.kind).or_insert_with(|| Need {
                kind: one.kind,
                required: false,
                how: None,
                scheme: None,
                services: Vec::new(),
                evidence: Vec::new(),
            });
            need.required |= one.required;
            if need.how.is_none() {
                need.how.clone_from(&one.how);
            }
            if need.scheme.is_none() {
                need.scheme.clone_from(&one.scheme);
            }
            need.services.push(found.service.name.clone());
            for evidence in &one.evidence {
                if !need.evidence.contains(evidence) {
                    need.evidence.push(evidence.clone());
                }
            }
            if !found.service.needs.contains(&one.kind) {
                found.service.needs.push(one.kind);
            }
        }
    }
    // A driver that nothing tells where to connect is a feature that nobody asked for.
    needs.retain(|_, need| need.required || need.how.is_some());
    for found in found.iter_mut() {
        found.service.needs.retain(|kind| needs.contains_key(kind));
    }
    needs.into_values().collect()
}

/// A name for the whole tree: from its manifest, or from its directory.
pub(crate) fn project_name(tree: &Tree, stated: Option<&str>) -> String {
    let directory = tree
        .root()
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    [stated.unwrap_or_default(), directory, "project"]
        .into_iter()
        .map(valid_name)
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| places::text(Path::new("project")).to_owned())
}
