//! The contract between services and their environment: which variables they are given that they
//! cannot start with, or should not.
//!
//! What services read is known from their code ([`crate::facts::Variable`]), what they are given
//! from the project. Nothing here reads a file or an environment, and no value is ever told: a
//! value that is wrong may be a secret in the wrong place.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Severity, Span};
use serde::Serialize;

use crate::extension::Extensions;
use crate::facts::{Variable, VariableKind};
use crate::{MountKind, Project, RecipeKind, Service, compose};

/// Values that everybody tries first.
const WELL_KNOWN: &[&str] = &[
    "123456",
    "12345678",
    "admin",
    "change-me",
    "change-this",
    "change_me",
    "change_this",
    "changeit",
    "changeme",
    "changethis",
    "default",
    "insecure",
    "mysecretpassword",
    "pass",
    "passwd",
    "password",
    "placeholder",
    "replace-me",
    "replace_me",
    "replaceme",
    "secret",
    "secret-key",
    "secret_key",
    "supersecret",
    "test",
    "todo",
];

/// Parts of values that are there to be replaced: `your-api-key-here`.
const TO_REPLACE: &[&str] = &[
    "changeme",
    "change-me",
    "change_me",
    "replace-me",
    "replace_me",
];

/// Who can reach what the stack publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// Programs of this machine.
    ThisMachine,
    /// Whoever reaches this machine.
    Others,
}

/// A value that a file such as `.env.example` shows to everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The value.
    pub value: String,
    /// Where it stands.
    pub span: Span,
}

/// The values that the text of such a file shows; none where it cannot be read.
pub fn shown_values(text: &str, file: &Arc<Path>) -> BTreeMap<String, Shown> {
    let values = compose::dotenv_of_text(text, file).unwrap_or_default();
    let line_of = |name: &str| {
        let sets = |line: &str| {
            let line = line.trim_start();
            let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.trim_start().starts_with('='))
        };
        text.lines().position(sets)
    };
    values
        .into_iter()
        .filter_map(|(name, value)| {
            let line = u32::try_from(line_of(&name)?).ok()? + 1;
            let span = Span::line(Arc::clone(file), line);
            Some((name, Shown { value, span }))
        })
        .collect()
}

/// What a contract is held against besides the project.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Values of files that document variables, by name.
    pub documented: BTreeMap<String, Shown>,
    /// Who can reach the stack.
    pub exposure: Exposure,
    /// What the project says of its services.
    pub extensions: Extensions,
}

/// What is wrong with a variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// It is required, and nothing sets it.
    Missing,
    /// It is required, or means something but text, and is set to nothing.
    Empty,
    /// Its value is not what the code makes of it.
    Malformed {
        /// What it must hold.
        expected: VariableKind,
    },
    /// One of several is required, and none of them is set.
    NoneSet {
        /// Their names.
        of: Vec<String>,
    },
    /// It is a secret, and its value is no secret.
    DefaultSecret {
        /// The document that shows the value, as `file:line`; `None`: everybody knows it.
        shown_in: Option<String>,
    },
}

/// A variable that breaks the contract.
#[derive(Debug, Clone)]
pub struct Breach {
    /// The variable.
    pub variable: String,
    /// The services it is broken for.
    pub services: Vec<String>,
    /// What is wrong.
    pub fault: Fault,
    /// What it holds.
    pub kind: VariableKind,
    /// Where the code reads it.
    pub read: Option<Span>,
    /// Where its value stands; for one that is missing, where the service does.
    pub set: Option<Span>,
    /// Whether it stops the start.
    pub severity: Severity,
    /// Whether the project's files are its user's: a value goes there. Else it goes into `.env`.
    stated: bool,
}

/// What breaks the contract of these services, in the order of the variables' names.
pub fn breaches(project: &Project, services: &[String], terms: &Terms) -> Vec<Breach> {
    let mut found: Vec<Breach> = Vec::new();
    for name in services {
        let Some(service) = project.services.get(name) else {
            continue;
        };
        let own = project
            .variables
            .iter()
            .filter(|variable| variable.services.contains(name));
        for variable in own {
            let is_optional = terms.extensions.is_optional(name, &variable.name);
            let said;
            let variable = if is_optional && variable.required {
                said = Variable {
                    required: false,
                    ..variable.clone()
                };
                &said
            } else {
                variable
            };
            if let Some(breach) = of_variable(project, service, variable) {
                add(&mut found, breach, name);
            }
        }
        for breach in one_of::breaches(project, service, &terms.extensions) {
            add(&mut found, breach, name);
        }
        for (variable, value) in &service.environment {
            let Some(text) = value.value.as_deref() else {
                continue;
            };
            let known = project
                .variables
                .iter()
                .find(|known| known.name == *variable && known.services.contains(name));
            let secret = known.is_some_and(|known| known.secret) || names_a_secret(variable);
            let Some(shown_in) = secret
                .then(|| no_secret(text, terms.documented.get(variable)))
                .flatten()
            else {
                continue;
            };
            let breach = Breach {
                variable: variable.clone(),
                services: Vec::new(),
                fault: Fault::DefaultSecret { shown_in },
                kind: VariableKind::Text,
                read: known.and_then(place_of),
                set: value.span.clone(),
                severity: match terms.exposure {
                    Exposure::ThisMachine => Severity::Warning,
                    Exposure::Others => Severity::Error,
                },
                stated: !project.files.is_empty(),
            };
            add(&mut found, breach, name);
        }
    }
    found.sort_by(|left, right| left.variable.cmp(&right.variable));
    found
}

/// The same fault of the same variable is told once, for all of its services.
fn add(found: &mut Vec<Breach>, breach: Breach, service: &str) {
    let known = found
        .iter_mut()
        .find(|known| known.variable == breach.variable && known.fault == breach.fault);
    match known {
        Some(known) => {
            known.services.push(service.to_owned());
            known.severity = known.severity.min(breach.severity);
        }
        None => found.push(Breach {
            services: vec![service.to_owned()],
            ..breach
        }),
    }
}

fn of_variable(project: &Project, service: &Service, variable: &Variable) -> Option<Breach> {
    let kind = service.recipe.as_ref().map(|recipe| &recipe.kind);
    // Its variables are those of its build, and none of them is there when it runs.
    if matches!(kind, Some(RecipeKind::StaticSite(_))) {
        return None;
    }
    let of_image = service.recipe.as_ref().and_then(|recipe| {
        let mut pairs = recipe.environment.iter();
        pairs.find(|(name, _)| *name == variable.name)
    });
    let given = service.environment.get(&variable.name);
    let (value, set) = match given {
        Some(given) => (given.value.as_deref(), given.span.clone()),
        None => (of_image.map(|(_, value)| value.as_str()), None),
    };
    let required = variable.required && variable.default.is_none();
    let fault = match value {
        None if required => Fault::Missing,
        None => return None,
        Some("") if required => Fault::Empty,
        // An optional variable that is empty counts as unset to most code.
        Some("") => return None,
        Some(text) if fits(text, variable) => return None,
        Some(_) => Fault::Malformed {
            expected: variable.kind,
        },
    };
    let severity = match fault {
        Fault::Missing if may_come_from_elsewhere(service) => Severity::Warning,
        _ => Severity::Error,
    };
    Some(Breach {
        variable: variable.name.clone(),
        services: Vec::new(),
        kind: variable.kind,
        read: place_of(variable),
        set: match fault {
            Fault::Missing => service.span.clone(),
            _ => set,
        },
        fault,
        severity,
        stated: !project.files.is_empty(),
    })
}

/// What is in an image that a Dockerfile makes, or in the files of the host, is not known here.
fn may_come_from_elsewhere(service: &Service) -> bool {
    let kind = service.recipe.as_ref().map(|recipe| &recipe.kind);
    let mut mounts = service.volumes.iter();
    matches!(kind, None | Some(RecipeKind::Dockerfile(_)))
        || mounts.any(|mount| matches!(mount.kind, MountKind::Bind { .. }))
}

fn place_of(variable: &Variable) -> Option<Span> {
    let first = variable.evidence.first();
    first.map(|evidence| evidence.span.clone())
}

/// Whether a value can be what the code makes of it. In doubt it can.
fn fits(text: &str, variable: &Variable) -> bool {
    let text = text.trim();
    match variable.kind {
        VariableKind::Port => text.parse::<u16>().is_ok_and(|port| port > 0),
        VariableKind::Number => {
            // `30s` and `512MB` are numbers to those who read them so.
            text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%')
                .replace('_', "")
                .trim()
                .parse::<f64>()
                .is_ok()
        }
        VariableKind::Boolean => matches!(
            text.to_ascii_lowercase().as_str(),
            "true"
                | "false"
                | "1"
                | "0"
                | "yes"
                | "no"
                | "on"
                | "off"
                | "t"
                | "f"
                | "y"
                | "n"
                | "enabled"
                | "disabled"
        ),
        VariableKind::Url => {
            let absolute = |text: &str| match text.trim().split_once("://") {
                Some((scheme, rest)) => {
                    // A file's database has a path alone, one in memory nothing.
                    let local = scheme.starts_with("sqlite") || scheme.starts_with("file");
                    is_scheme(scheme) && (local || !rest.is_empty() && !rest.starts_with('/'))
                }
                None => false,
            };
            let whitespace = text.contains(char::is_whitespace);
            let stated = variable.default.as_deref();
            // The code may put a scheme before it, or ask the page's own server.
            let relative = text.starts_with('/') || stated.is_none_or(|text| !absolute(text));
            match text.contains("://") {
                true => !whitespace && text.split(',').next().is_some_and(absolute),
                false => !whitespace && (relative && looks_like_an_address(text)),
            }
        }
        VariableKind::Host | VariableKind::Path | VariableKind::Text => true,
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// `host:port`, `host.example/path`, a path, or a name such as `memory:`.
fn looks_like_an_address(text: &str) -> bool {
    text.contains([':', '/', '.', '@', '=']) || text == "localhost"
}

/// Whether a name says that its value is secret.
pub fn names_a_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    // `…_FILE` names where the secret is, and counts are no secrets.
    let last = upper.rsplit('_').next().unwrap_or_default();
    matches!(
        last,
        "PASSWORD" | "PASS" | "PASSWD" | "PWD" | "SECRET" | "TOKEN" | "PASSPHRASE"
    ) && upper != "PWD"
        || [
            "SECRET_KEY",
            "API_KEY",
            "PRIVATE_KEY",
            "SIGNING_KEY",
            "ENCRYPTION_KEY",
        ]
        .iter()
        .any(|end| upper.ends_with(end))
}

/// Whether a secret's value is none: `Some` with the document that shows it, if one does.
fn no_secret(text: &str, documented: Option<&Shown>) -> Option<Option<String>> {
    let lower = text.trim().to_ascii_lowercase();
    if lower.is_empty() {
        return None;
    }
    if let Some(shown) = documented
        && shown.value == text
    {
        let place = format!("{}:{}", shown.span.file.display(), shown.span.start.line);
        return Some(Some(place));
    }
    let to_replace = TO_REPLACE.iter().any(|part| lower.contains(part))
        || lower.starts_with("your-")
        || lower.starts_with("your_")
        || lower.starts_with('<') && lower.ends_with('>');
    (WELL_KNOWN.contains(&lower.as_str()) || to_replace).then_some(None)
}

impl Breach {
    /// Whether it stops the start.
    pub fn stops(&self) -> bool {
        self.severity == Severity::Error
    }

    /// What to tell: the variable, its places, and what to write.
    pub fn to_diagnostic(&self) -> Diagnostic {
        let name = &self.variable;
        let services: Vec<String> = self
            .services
            .iter()
            .map(|service| format!("`{service}`"))
            .collect();
        let services = services.join(", ");
        let verb = if self.services.len() == 1 {
            "does"
        } else {
            "do"
        };
        let message = match &self.fault {
            Fault::Missing => {
                format!("`{name}` is missing: {services} {verb} not start without it")
            }
            Fault::Empty => format!("`{name}` is empty: {services} {verb} not start without it"),
            Fault::NoneSet { of } => format!(
                "none of `{}` is set: {services} {verb} not start without one of them",
                of.join("`, `")
            ),
            Fault::Malformed { expected } => {
                format!("`{name}` of {services} is no {}", noun(*expected))
            }
            Fault::DefaultSecret {
                shown_in: Some(place),
            } => format!("`{name}` of {services} is no secret: `{place}` shows its value"),
            Fault::DefaultSecret { shown_in: None } => {
                format!("`{name}` of {services} is no secret: everybody knows its value")
            }
        };
        let mut diagnostic = match self.severity {
            Severity::Error => Diagnostic::error(message),
            Severity::Warning => Diagnostic::warning(message),
            Severity::Note => Diagnostic::note(message),
        };
        let place = match self.fault {
            Fault::Missing | Fault::NoneSet { .. } if !self.stated => self.read.clone(),
            _ => self.set.clone().or_else(|| self.read.clone()),
        };
        if let Some(read) = &self.read
            && place.as_ref() != Some(read)
        {
            diagnostic = diagnostic.hint(format!(
                "it is read at `{}:{}`",
                read.file.display(),
                read.start.line
            ));
        }
        diagnostic.at(place).hint(self.what_to_write())
    }

    fn what_to_write(&self) -> String {
        let name = &self.variable;
        let value = example(&self.fault, self.kind);
        match (&self.fault, self.stated) {
            (Fault::Missing, true) => format!("add `{name}: {value}` to `environment`"),
            (Fault::Missing, false) => {
                format!("write `{name}={value}` in `.env`, or set it in the environment")
            }
            (Fault::NoneSet { .. }, true) => {
                format!("add one of them to `environment`, as in `{name}: {value}`")
            }
            (Fault::NoneSet { .. }, false) => {
                format!(
                    "write one of them in `.env`, as in `{name}={value}`, or set it in the environment"
                )
            }
            (Fault::DefaultSecret { .. }, _) => {
                format!("set `{name}` to {value}, in `.env` or in the environment")
            }
            _ => format!("write {value}"),
        }
    }
}

fn noun(kind: VariableKind) -> &'static str {
    match kind {
        VariableKind::Url => "URL",
        other => other.word(),
    }
}

fn example(fault: &Fault, kind: VariableKind) -> &'static str {
    if matches!(fault, Fault::DefaultSecret { .. }) {
        return "32 random letters and digits";
    }
    let inline = matches!(fault, Fault::Missing | Fault::NoneSet { .. });
    match kind {
        VariableKind::Url if inline => "scheme://host:port/path",
        VariableKind::Url => "an address such as `scheme://host:port/path`",
        VariableKind::Port if inline => "8000",
        VariableKind::Port => "a number from 1 to 65535",
        VariableKind::Number if inline => "1",
        VariableKind::Number => "a number",
        VariableKind::Boolean if inline => "true",
        VariableKind::Boolean => "`true` or `false`",
        _ if inline => "…",
        _ => "a value",
    }
}

mod one_of;
#[cfg(test)]
mod tests;
