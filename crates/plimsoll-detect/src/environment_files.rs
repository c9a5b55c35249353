//! Files of variables that the own code of a service loads when it starts, such as `.env` by `load_dotenv()`, and what
//! they give it where no Compose file says what it gets.
//!
//! They are read when a stack starts and never before: neither a detection nor an image holds what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Evidence, Span, Spanned};
use plimsoll_model::facts::as_place;
use plimsoll_model::{Project, RecipeKind, Service};
use serde::{Deserialize, Serialize};

use crate::detection::{Variable, VariableKind};
use crate::needs::is_secret;

/// Variables that are told by name; more are counted.
const NAMED: usize = 4;

/// A file of variables that a service loads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentFile {
    /// Where it may be, relative to the tree: the first that is there is loaded.
    pub candidates: Vec<PathBuf>,
    /// What it is loaded into.
    pub into: LoadedInto,
    /// The code that loads it.
    #[serde(serialize_with = "as_place")]
    pub at: Span,
}

/// What a file of variables is loaded into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadedInto {
    /// The environment of the process, where libraries find what no code of the project names.
    Environment,
    /// Settings: only what the code names is taken.
    Settings,
}

/// What a file of variables says, each value at its place.
pub type Stated = BTreeMap<String, Spanned<String>>;

/// Gives services what the files say that they load. `read` gives what a file says, nothing where it is not there. What
/// is told names variables and never their values.
pub fn fill_from_loaded(
    project: &mut Project,
    files: &BTreeMap<String, Vec<EnvironmentFile>>,
    read: &dyn Fn(&Path) -> Option<Stated>,
) -> Vec<Diagnostic> {
    let known: BTreeMap<String, BTreeSet<String>> = project
        .variables
        .iter()
        .map(|variable| {
            let services = variable.services.iter().cloned().collect();
            (variable.name.clone(), services)
        })
        .collect();
    let mut told = Vec::new();
    for (name, loaded) in files {
        for file in loaded {
            let mut candidates = file.candidates.iter();
            let Some((path, stated)) = candidates.find_map(|path| Some((path, read(path)?))) else {
                continue;
            };
            let Some(service) = project.services.get_mut(name) else {
                continue;
            };
            let mut handed = Vec::new();
            for (variable, value) in stated {
                let readers = known.get(&variable);
                if readers.is_some_and(|readers| !readers.contains(name)) {
                    continue;
                }
                let by_libraries = readers.is_none();
                if by_libraries && file.into == LoadedInto::Settings {
                    continue;
                }
                let kind = project.variables.iter().find(|one| one.name == variable);
                if give(service, kind.map(|one| one.kind), &variable, &value) && by_libraries {
                    handed.push((variable, value.span));
                }
            }
            told.extend(tell(name, path, file, &handed));
            note(project, name, handed);
        }
    }
    told
}

/// Gives a service a variable, unless it is settled already or leads to the machine that it was written for. Whether it
/// has it now.
fn give(
    service: &mut Service,
    kind: Option<VariableKind>,
    name: &str,
    value: &Spanned<String>,
) -> bool {
    let recipe = service.recipe.as_ref();
    let pages = recipe.is_some_and(|recipe| matches!(recipe.kind, RecipeKind::StaticSite(_)));
    let of_image =
        recipe.is_some_and(|recipe| recipe.environment.iter().any(|(own, _)| own == name));
    if value.is_empty() || pages || of_image || is_of_the_system(name) {
        return false;
    }
    let own_matter = matches!(kind, Some(VariableKind::Host | VariableKind::Port))
        || matches!(name, "HOST" | "PORT");
    let local = own_matter || value.contains("localhost") || value.contains("127.0.0.1");
    let given = value.clone().map(Some);
    match service.environment.get_mut(name) {
        Some(known) if known.value.is_none() => *known = given,
        None if !local => {
            service.environment.insert(name.to_owned(), given);
        }
        _ => return false,
    }
    true
}

/// Whether a variable is the container's own matter: no file of a project overrides it there.
fn is_of_the_system(name: &str) -> bool {
    matches!(
        name,
        "PATH" | "HOME" | "USER" | "SHELL" | "PWD" | "TMPDIR" | "VIRTUAL_ENV"
    ) || ["PYTHON", "LD_", "COMPOSE_", "DOCKER_", "PLIMSOLL_"]
        .iter()
        .any(|start| name.starts_with(start))
}

/// That a service has these variables, so that they are treated as the others are: the values of secrets stay unseen.
fn note(project: &mut Project, service: &str, handed: Vec<(String, Option<Span>)>) {
    for (name, span) in handed {
        if let Some(known) = project.variables.iter_mut().find(|one| one.name == name) {
            known.services.push(service.to_owned());
            continue;
        }
        let why = format!("`{service}` loads `{name}`, which only libraries read");
        project.variables.push(Variable {
            secret: is_secret(&name),
            name,
            required: false,
            default: None,
            kind: VariableKind::Text,
            need: None,
            services: vec![service.to_owned()],
            one_of: Vec::new(),
            evidence: span
                .map(|span| Evidence::new(span, why))
                .into_iter()
                .collect(),
        });
    }
}

/// What a service gets, told at the code that loads it: the file's own lines hold secrets.
fn tell(
    service: &str,
    path: &Path,
    file: &EnvironmentFile,
    handed: &[(String, Option<Span>)],
) -> Option<Diagnostic> {
    let (first, _) = handed.first()?;
    let mut names: Vec<String> = handed
        .iter()
        .take(NAMED)
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    if handed.len() > NAMED {
        names.push(format!("{} more", handed.len() - NAMED));
    }
    let list = match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => first.clone(),
    };
    let path = path.display();
    let message =
        format!("`{service}` gets {list} from `{path}`, which it loads: only libraries read that");
    Some(Diagnostic::note(message).at(file.at.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stated(text: &str) -> Stated {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), Spanned::unplaced(value.to_owned())))
            .collect()
    }

    fn variable(name: &str, services: &[&str]) -> Variable {
        Variable {
            name: name.to_owned(),
            required: false,
            secret: false,
            default: None,
            kind: VariableKind::Text,
            need: None,
            services: services.iter().map(|one| (*one).to_owned()).collect(),
            one_of: Vec::new(),
            evidence: Vec::new(),
        }
    }

    fn file(candidates: &[&str], into: LoadedInto) -> EnvironmentFile {
        EnvironmentFile {
            candidates: candidates.iter().map(PathBuf::from).collect(),
            into,
            at: Span::line(Path::new("main.py"), 1),
        }
    }

    /// Names and values of a service's variables.
    fn has(project: &Project, service: &str) -> Vec<String> {
        let environment = &project.services[service].environment;
        environment
            .iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", value.value.as_ref()?)))
            .collect()
    }

    #[test]
    fn who_loads_a_file_has_what_only_libraries_read() {
        let mut project = Project::default();
        for name in ["web", "worker", "page"] {
            project.services.insert(name.to_owned(), Service::default());
        }
        project.variables = vec![
            variable("WEB_KEY", &["web"]),
            variable("OF_WORKER", &["worker"]),
        ];
        let files = BTreeMap::from([
            (
                "web".to_owned(),
                vec![file(&["web/.env", ".env"], LoadedInto::Environment)],
            ),
            (
                "worker".to_owned(),
                vec![file(&[".env"], LoadedInto::Settings)],
            ),
        ]);
        let read = |path: &Path| {
            (path == Path::new(".env")).then(|| {
                stated(
                    "WEB_KEY=a\nOF_WORKER=b\nHF_TOKEN=c\nLANGSMITH_TRACING=true\nPORT=9\nPATH=/x\nEMPTY=\nTRACES=http://localhost:4318\n",
                )
            })
        };
        let told = fill_from_loaded(&mut project, &files, &read);
        assert_eq!(
            has(&project, "web"),
            ["HF_TOKEN=c", "LANGSMITH_TRACING=true", "WEB_KEY=a"]
        );
        // What another service alone reads is not spread, and settings take only what the code names.
        assert_eq!(has(&project, "worker"), ["OF_WORKER=b"]);
        assert!(has(&project, "page").is_empty());
        let told: Vec<String> = told.into_iter().map(|one| one.message).collect();
        assert_eq!(
            told,
            [
                "`web` gets `HF_TOKEN` and `LANGSMITH_TRACING` from `.env`, which it loads: only libraries read that"
            ]
        );
        let token = project.variables.iter().find(|one| one.name == "HF_TOKEN");
        assert!(token.is_some_and(|token| token.secret && token.services == ["web"]));
    }
}
