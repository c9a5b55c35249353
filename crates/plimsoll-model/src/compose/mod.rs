//! Compose files, read as `docker compose` reads them.
//!
//! [`load`] turns files into a [`Project`]. On the way: text becomes a tree with places
//! ([`crate::yaml`]), variables are filled in file by file, included files and extended services
//! are merged in, later files over earlier ones, short forms become long ones, implied things are
//! said, and what does not fit together is refused, all of it at once where that can be. The
//! caller passes the environment in; nothing here reads it.

mod canonical;
mod check;
pub mod config;
mod consistency;
mod dotenv;
mod environment;
mod files;
mod interpolate;
mod keys;
mod merge;
mod mount;
mod normal;
mod path;
mod places;
mod port;
mod print;
mod reference;
mod reset;
mod schema;
mod selection;
mod shape;
mod source;
pub mod support;
mod template;
mod typed;
mod unique;
mod units;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Diagnostics, Spanned};

use crate::Project;
use crate::extension::Extensions;
use crate::yaml::{Map, Node, Value};
use interpolate::Variables;
use source::{GivenUp, Interpolation, Source};

pub(crate) use check::nearest;
pub use files::{discover, discover_above, has_compose_file, is_remote};
pub use mount::parse_volume;
pub use reference::extension_reference;
pub use schema::extension_schema;
pub use template::Variable;

/// What to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Where to look for Compose files, here and above; relative paths below start from it.
    pub directory: PathBuf,
    /// The Compose files in order. Empty: those that `COMPOSE_FILE` names, else the usual ones. `-`
    /// is [`Self::standard_input`].
    pub files: Vec<PathBuf>,
    /// The text that `-` stands for, where the caller has read it.
    pub standard_input: Option<String>,
    /// Where relative paths in the files start from; `None`: the first file's directory.
    pub project_directory: Option<PathBuf>,
    /// The project's name; `None`: what the files or the directory say.
    pub project_name: Option<String>,
    /// Active profiles; `*` is all. Empty: those that `COMPOSE_PROFILES` names.
    pub profiles: Vec<String>,
    /// The caller's environment.
    pub environment: BTreeMap<String, String>,
    /// Files with variables. Empty: `.env` beside the Compose file, where there is one.
    pub env_files: Vec<PathBuf>,
    /// Services to load, with what they depend on; naming one activates it. Empty: all.
    pub services: Vec<String>,
    /// Whether the services' environment files are read.
    pub service_env_files: ServiceEnvFiles,
}

/// What becomes of the files that a service's `env_file` names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ServiceEnvFiles {
    /// They are read, and have to be there.
    #[default]
    Read,
    /// They are read where they are there; one that is not is told, and is no failure: who writes
    /// files for other places does not start anything.
    ReadIfThere,
    /// They stay where they are: who asks for names and hashes needs no secret.
    LeftAlone,
}

/// A project as a tree, checked as `docker compose config` checks it.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The project's name.
    pub name: String,
    /// Absolute path that relative paths start from.
    pub directory: PathBuf,
    /// The Compose files it was read from, in order.
    pub files: Vec<PathBuf>,
    /// The project as a tree in canonical form: what `config` prints.
    pub model: Node,
    /// Services of inactive profiles, in the same form.
    pub inactive: Map,
    /// What the user should know although nothing is wrong.
    pub warnings: Vec<Diagnostic>,
    /// The variables that were filled in: the caller's environment, then `.env` files.
    pub variables: BTreeMap<String, String>,
    /// Services with an `env_file`, as they were before it was read.
    before_env_files: BTreeMap<String, Map>,
}

/// A project that can be run.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The project.
    pub project: Project,
    /// What the files ask for outside of services that [`Project`] does not hold: key and place.
    pub unsupported: Vec<Spanned<String>>,
    /// What stands under `x-plimsoll`.
    pub extensions: Extensions,
    /// The tree it was read from.
    pub resolved: Resolved,
}

impl Deref for Loaded {
    type Target = Resolved;

    fn deref(&self) -> &Resolved {
        &self.resolved
    }
}

/// A project whose variables were left as they are written.
#[derive(Debug, Clone)]
pub struct Uninterpolated {
    /// The tree; only as canonical as it can be with variables in it.
    pub model: Node,
    /// What the user should know although nothing is wrong.
    pub warnings: Vec<Diagnostic>,
}

/// Loads a project, or tells everything that is wrong with it. Values that only an engine looks
/// at, such as addresses and restart policies, are read too.
pub fn load(options: &LoadOptions) -> Result<Loaded, Diagnostics> {
    let resolved = resolve(options)?;
    let mut problems = Diagnostics::default();
    let mut unsupported = Vec::new();
    let mut reader = typed::Reader {
        problems: &mut problems,
        unsupported: &mut unsupported,
    };
    let extensions = reader.extensions(&resolved.model);
    let project = reader.project(&resolved.model, &resolved.directory, &resolved.files);
    reader.sections(&resolved.model);
    if problems.has_errors() {
        return Err(in_order(problems));
    }
    Ok(Loaded {
        project,
        unsupported,
        extensions,
        resolved,
    })
}

/// Reads a project as a tree, or tells everything that is wrong with it.
pub fn resolve(options: &LoadOptions) -> Result<Resolved, Diagnostics> {
    let mut read = read(options, Interpolation::Fill)?;
    let mut problems = Diagnostics::default();
    let mut project = print::print(&read.tree, &mut problems, &mut read.warnings);
    let inactive =
        selection::take_inactive(&mut project, &selection::profiles(options, &read.variables));
    consistency::check(
        &consistency::Parts {
            project: &project,
            inactive: &inactive,
        },
        &mut problems,
    );
    let inactive = selection::select(&mut project, inactive, &options.services, &mut problems);
    if problems.has_errors() {
        return Err(in_order(problems));
    }
    let mut before_env_files = BTreeMap::new();
    for (key, service) in entries_mut(&mut project, "services") {
        if let Some(service) = service.as_map_mut() {
            environment::read_label_files(service, &read.directory, &mut problems);
            if service.contains("env_file") {
                before_env_files.insert(key.text.clone(), service.clone());
            }
            if options.service_env_files != ServiceEnvFiles::LeftAlone {
                environment::read_env_files(
                    service,
                    &read.directory,
                    &read.variables,
                    options.service_env_files,
                    &mut problems,
                );
            }
        }
    }
    if problems.has_errors() {
        return Err(in_order(problems));
    }
    selection::drop_unused(&mut project);
    let mut warnings = read.warnings;
    warnings.extend(problems.0);
    Ok(Resolved {
        name: project
            .get("name")
            .and_then(Node::scalar_text)
            .unwrap_or_default(),
        directory: read.directory,
        files: read.files,
        model: Node::made(project),
        inactive,
        warnings,
        variables: read.variables.values,
        before_env_files,
    })
}

/// Loads a project without filling in its variables, for looking at it.
pub fn load_uninterpolated(options: &LoadOptions) -> Result<Uninterpolated, Diagnostics> {
    let read = read(options, Interpolation::Keep)?;
    Ok(Uninterpolated {
        model: print::sorted(&Node::made(read.tree)),
        warnings: read.warnings,
    })
}

/// Fills in the variables of one text, as the texts of a Compose file are filled in. A variable
/// that is not set is empty.
pub fn interpolate(text: &str, values: &BTreeMap<String, String>) -> Result<String, Diagnostic> {
    let variables = Variables {
        values: values.clone(),
    };
    interpolate::fill(text, None, &variables, &mut interpolate::Unset::default())
}

/// The variables of a project's `.env`, or of the files named instead of it. The caller's
/// environment goes before them and is not among them.
pub fn dotenv(options: &LoadOptions) -> Result<BTreeMap<String, String>, Diagnostics> {
    files::of_project(options)
}

/// The variables that the text of a file such as `.env` sets; `file` is how errors name it.
pub fn dotenv_of_text(
    text: &str,
    file: &Arc<Path>,
) -> Result<BTreeMap<String, String>, Diagnostic> {
    let mut values = BTreeMap::new();
    dotenv::parse(text, file, &mut values, &|_| None)?;
    Ok(values)
}

/// Every variable that a project's files mention, by name. Where one is mentioned several times, what
/// any of them says of it counts: the first default, and whether it has to be set.
pub fn variables(options: &LoadOptions) -> Result<BTreeMap<String, Variable>, Diagnostics> {
    let read = read(options, Interpolation::Keep)?;
    let mut found = Vec::new();
    mentioned(&Node::made(read.tree), &mut found);
    let mut variables: BTreeMap<String, Variable> = BTreeMap::new();
    for variable in found {
        let Some(known) = variables.get_mut(&variable.name) else {
            variables.insert(variable.name.clone(), variable);
            continue;
        };
        known.required |= variable.required;
        if known.default.is_empty() {
            known.default = variable.default;
        }
        if known.alternative.is_empty() {
            known.alternative = variable.alternative;
        }
    }
    Ok(variables)
}

/// Diagnostics in the order of the files' text, each once.
fn in_order(mut problems: Diagnostics) -> Diagnostics {
    problems.0.sort_by(|left, right| left.span.cmp(&right.span));
    problems.0.dedup();
    problems
}

fn mentioned(node: &Node, found: &mut Vec<Variable>) {
    match &node.value {
        Value::Text(text) => template::variables(text, found),
        Value::List(list) => list.iter().for_each(|node| mentioned(node, found)),
        Value::Map(map) => map.iter().for_each(|(_, node)| mentioned(node, found)),
        _ => {}
    }
}

/// A project as one normalised tree.
struct Read {
    tree: Map,
    directory: PathBuf,
    files: Vec<PathBuf>,
    variables: Variables,
    warnings: Vec<Diagnostic>,
}

fn read(options: &LoadOptions, interpolation: Interpolation) -> Result<Read, Diagnostics> {
    let files::Setting {
        files,
        directory,
        mut variables,
        mut warnings,
    } = files::settle(options)?;
    let home = options.environment.get("HOME").map(String::as_str);
    let mut source = Source::new(&directory, home, interpolation);
    source.standard_input = options.standard_input.as_deref();
    let outcome = name(options, &files, &directory, &variables, &mut source).and_then(|name| {
        variables
            .values
            .insert("COMPOSE_PROJECT_NAME".to_owned(), name.clone());
        let mut tree = source.project(&files, &directory, &variables, &[])?;
        if tree.is_empty() {
            source.problems.push(
                Diagnostic::error(format!(
                    "{}: the file is empty",
                    files::shown(&files[0], &directory).display()
                ))
                .hint("a Compose file has at least `services:`"),
            );
            return Err(GivenUp);
        }
        let nothing = Variables::default();
        let looked_up = match interpolation {
            Interpolation::Fill => &variables,
            // What is left as it is written includes names whose values are the caller's.
            Interpolation::Keep => &nothing,
        };
        normal::normalise(&mut tree, &name, looked_up);
        Ok(tree)
    });
    warnings.append(&mut source.unset.warnings);
    warnings.append(&mut source.warnings);
    match outcome {
        Ok(tree) => Ok(Read {
            tree,
            directory,
            files,
            variables,
            warnings,
        }),
        Err(GivenUp) => Err(in_order(source.problems)),
    }
}

/// The project's name: said by the caller, by `COMPOSE_PROJECT_NAME`, by the last file that says
/// one, or by the directory.
fn name(
    options: &LoadOptions,
    files: &[PathBuf],
    directory: &std::path::Path,
    variables: &Variables,
    source: &mut Source<'_>,
) -> Result<String, GivenUp> {
    let said = options
        .project_name
        .as_ref()
        .or_else(|| variables.values.get("COMPOSE_PROJECT_NAME"))
        .filter(|name| !name.is_empty());
    if let Some(name) = said {
        if normal_name(name) != *name {
            source.problems.push(
                Diagnostic::error(format!("`{name}` is no project name")).hint(
                    "use small letters, digits, `-` and `_`, and begin with a letter or digit",
                ),
            );
            return Err(GivenUp);
        }
        return Ok(name.clone());
    }
    let mut found = None;
    let mut given_up = false;
    for file in files {
        match source.documents(file) {
            Ok(documents) => {
                for document in documents {
                    if let Some(node) = document.get("name")
                        && node.as_text().is_some_and(|text| !text.is_empty())
                    {
                        found = Some(node.clone());
                    }
                }
            }
            // The other files are still read, so that everything wrong is told.
            Err(GivenUp) => given_up = true,
        }
    }
    if given_up {
        return Err(GivenUp);
    }
    let mut name = String::new();
    if let Some(node) = &found {
        let text = node.as_text().unwrap_or_default();
        let filled = match source.interpolation {
            Interpolation::Fill => {
                interpolate::fill(text, node.span.as_ref(), variables, &mut source.unset)
            }
            Interpolation::Keep => Ok(text.to_owned()),
        };
        match filled {
            Ok(filled) => name = normal_name(&filled),
            Err(problem) => {
                source.problems.push(problem);
                return Err(GivenUp);
            }
        }
    }
    let is_named = found.is_some();
    if name.is_empty() && !is_named {
        name = normal_name(&directory.file_name().unwrap_or_default().to_string_lossy());
    }
    if name.is_empty() {
        source.problems.push(
            Diagnostic::error(
                "the project has no name: nothing is left of what the file or the directory says",
            )
            .hint("write `name:` at the top of the Compose file"),
        );
        return Err(GivenUp);
    }
    Ok(name)
}

/// The project name that a text gives, such as a directory's name; `None`: nothing of it is left.
pub fn project_name_of(text: &str) -> Option<String> {
    Some(normal_name(text)).filter(|name| !name.is_empty())
}

/// Small letters, digits, `-` and `_` of a text; letters and digits first.
fn normal_name(text: &str) -> String {
    let kept: String = text
        .to_lowercase()
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
        .collect();
    kept.trim_start_matches(['_', '-']).to_owned()
}

fn entries_mut<'m>(
    project: &'m mut Map,
    section: &str,
) -> impl Iterator<Item = (&'m crate::yaml::Key, &'m mut Node)> {
    project
        .get_mut(section)
        .and_then(Node::as_map_mut)
        .into_iter()
        .flat_map(Map::iter_mut)
}
