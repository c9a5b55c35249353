//! `.env.example`: every variable that services read, whether it is needed, what it is without a
//! value, and where it is read. The value of a secret never stands in it.

use std::collections::BTreeSet;

use plimsoll_model::facts::{Variable, VariableKind};
use plimsoll_model::{Project, RecipeKind, Service};

use super::compose_file::{generated, place, wrapped};

const HEADER: &str = "\
# Every variable that the services read. Copy this file to `.env` and fill in what is required;
# `.env` is not committed. `plimsoll init` adds what is new and leaves what you edited.
";

/// Variables that mean something else on the machine than in a container.
const OF_THE_MACHINE: &[&str] = &[
    "HOME",
    "HOSTNAME",
    "LANG",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "PATH",
    "PWD",
    "PYTHONPATH",
    "SHELL",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
    "USER",
    "VIRTUAL_ENV",
];

/// The file: its beginning, and the lines of each variable.
#[derive(Debug, Clone)]
pub(crate) struct VariablesFile {
    /// The variables and their lines, in order.
    pub(crate) blocks: Vec<(String, String)>,
    sections: Vec<(&'static str, usize)>,
}

impl VariablesFile {
    /// The file for a project.
    pub(crate) fn of(project: &Project) -> Self {
        let mut required = Vec::new();
        let mut optional = Vec::new();
        let mut settled = Vec::new();
        let made_up = generated(project);
        for variable in &project.variables {
            if made_up.contains(&variable.name) {
                continue;
            }
            let to = match (is_settled(project, variable), is_required(variable)) {
                (true, _) => &mut settled,
                (false, true) => &mut required,
                (false, false) => &mut optional,
            };
            to.push((variable.name.clone(), block(variable, project)));
        }
        let made_up: Vec<_> = made_up
            .into_iter()
            .map(|name| {
                let block = format!("# secret\n# {name}=\n");
                (name, block)
            })
            .collect();
        let mut file = Self {
            blocks: Vec::new(),
            sections: Vec::new(),
        };
        for (title, mut blocks) in [
            ("Required", required),
            ("Optional", optional),
            (
                "Passwords of this stack alone: `plimsoll up` makes them up where they are not set",
                made_up,
            ),
            ("Set in the Compose file", settled),
        ] {
            blocks.sort();
            if !blocks.is_empty() {
                file.sections.push((title, file.blocks.len()));
            }
            file.blocks.extend(blocks);
        }
        file
    }

    /// Its text.
    pub(crate) fn text(&self) -> String {
        let mut text = HEADER.to_owned();
        for (index, (_, block)) in self.blocks.iter().enumerate() {
            if let Some((title, _)) = self.sections.iter().find(|(_, at)| *at == index) {
                text.push_str(&format!("\n## {title}\n"));
            }
            text.push('\n');
            text.push_str(block);
        }
        text
    }

    /// The lines of each variable as they are added to a file that is there.
    pub(crate) fn additions(&self) -> Vec<(String, String)> {
        self.blocks
            .iter()
            .map(|(name, block)| (name.clone(), format!("{block}\n")))
            .collect()
    }
}

fn is_required(variable: &Variable) -> bool {
    variable.required && variable.default.is_none()
}

/// Whether every service that reads it is given a value by the project itself.
fn is_settled(project: &Project, variable: &Variable) -> bool {
    let mut readers = variable
        .services
        .iter()
        .filter_map(|name| project.services.get(name))
        .peekable();
    readers.peek().is_some()
        && readers.all(|service| {
            let given = service.environment.get(&variable.name);
            given.is_some_and(|value| value.value.is_some()) || is_built_with(service, variable)
        })
}

/// Whether it is given to the build of a site.
fn is_built_with(service: &Service, variable: &Variable) -> bool {
    let kind = service.recipe.as_ref().map(|recipe| &recipe.kind);
    matches!(kind, Some(RecipeKind::StaticSite(site))
        if site.build_environment.iter().any(|(name, _)| *name == variable.name))
}

fn block(variable: &Variable, project: &Project) -> String {
    let set = match is_settled(project, variable) {
        true => "; set where the services are started",
        false => "",
    };
    let mut lines = vec![what(variable) + set];
    let read = variable
        .evidence
        .first()
        .map(|evidence| format!(" · {}", place(&evidence.span)));
    lines.push(format!(
        "read by {}{}",
        variable.services.join(", "),
        read.unwrap_or_default()
    ));
    let mut text: String = lines
        .iter()
        .flat_map(|line| wrapped(line))
        .map(|line| format!("# {line}\n"))
        .collect();
    let is_open = is_required(variable) && !is_settled(project, variable);
    let mark = if is_open { "" } else { "# " };
    let shown = shown_default(variable).unwrap_or_default();
    text.push_str(&format!("{mark}{}={shown}\n", variable.name));
    text
}

/// `required secret`, `optional number, default 30`.
fn what(variable: &Variable) -> String {
    let mut words = Vec::new();
    words.push(match (is_required(variable), variable.one_of.first()) {
        (true, _) => "required".to_owned(),
        (false, Some(group)) => {
            let others = group.names.iter().filter(|name| **name != variable.name);
            let others: Vec<String> = others.map(|name| format!("`{name}`")).collect();
            format!("required unless {} is set;", others.join(" or "))
        }
        (false, None) => "optional".to_owned(),
    });
    if variable.secret {
        words.push("secret".to_owned());
    }
    if variable.kind != VariableKind::Text {
        words.push(variable.kind.word().to_owned());
    }
    let default = match (variable.secret, shown_default(variable)) {
        (false, Some(default)) if !default.is_empty() => format!(", default `{default}`"),
        (true, _) if variable.default.is_some() => ", the code has a default".to_owned(),
        _ => String::new(),
    };
    words.join(" ") + &default
}

/// The default of what is no secret, where it is one line.
fn shown_default(variable: &Variable) -> Option<&str> {
    variable
        .default
        .as_deref()
        .filter(|_| !variable.secret)
        .filter(|default| !default.contains(['\n', '\r']) && default.len() <= 120)
        // An address with a password in it.
        .filter(|default| !(default.contains("://") && default.contains('@')))
}

/// What is known of a variable, in a few words, for the line that names it.
pub(super) fn about(project: &Project, name: &str) -> Option<String> {
    let variable = project.variables.iter().find(|known| known.name == name)?;
    let at = variable
        .evidence
        .first()
        .map(|evidence| format!(" · {}", place(&evidence.span)));
    Some(format!("{}{}", what(variable), at.unwrap_or_default()))
}

/// The variables that a service is given when they are set: those with a default, but not those
/// that say where it listens, and not those that only mean something on the machine.
pub(super) fn passed_on<'p>(project: &'p Project, service: &str) -> BTreeSet<&'p str> {
    project
        .variables
        .iter()
        .filter(|variable| variable.services.iter().any(|name| name == service))
        .filter(|variable| !matches!(variable.kind, VariableKind::Host | VariableKind::Port))
        .map(|variable| variable.name.as_str())
        .filter(|name| !OF_THE_MACHINE.contains(name) && !name.starts_with("XDG_"))
        .collect()
}
