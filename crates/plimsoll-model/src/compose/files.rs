//! Which files make up a project, and the variables it is read with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Diagnostics};

use super::LoadOptions;
use super::dotenv;
use super::interpolate::Variables;
use crate::yaml;

/// The name that stands for standard input.
pub(super) const STANDARD_INPUT: &str = "-";

/// Names of a project's file, the best first.
const NAMES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

/// Names of the file that adds to it.
const OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// The Compose files of a directory, in order; `None` when it has none. The directories above are
/// not searched.
pub fn discover(directory: &Path) -> Option<Vec<PathBuf>> {
    let find = |names: &[&str]| {
        names
            .iter()
            .map(|name| directory.join(name))
            .find(|path| path.is_file())
    };
    let mut files = vec![find(&NAMES)?];
    files.extend(find(&OVERRIDES));
    Some(files)
}

/// Files, directory and variables of a project.
pub(super) struct Setting {
    pub(super) files: Vec<PathBuf>,
    pub(super) directory: PathBuf,
    pub(super) variables: Variables,
    pub(super) warnings: Vec<Diagnostic>,
}

/// Finds out what to read.
pub(super) fn settle(options: &LoadOptions) -> Result<Setting, Diagnostics> {
    let mut warnings = Vec::new();
    let start = absolute(&options.directory);
    let mut variables = Variables {
        values: options.environment.clone(),
    };
    // COMPOSE_FILE may stand in the first `.env`; a second one is read where the files are.
    read_env_files(options, &start, &mut variables)?;
    let files = if !options.files.is_empty() {
        are_here(&options.files)?;
        options
            .files
            .iter()
            .map(|file| {
                if file.as_os_str() == STANDARD_INPUT {
                    file.clone()
                } else {
                    absolute(&start.join(file))
                }
            })
            .collect()
    } else if let Some(list) = variables
        .values
        .get("COMPOSE_FILE")
        .filter(|list| !list.is_empty())
    {
        let separator = variables
            .values
            .get("COMPOSE_PATH_SEPARATOR")
            .filter(|separator| !separator.is_empty())
            .map_or(":", String::as_str);
        // An address has the separator in it, so it is looked for in the whole.
        are_here(&[PathBuf::from(list)])?;
        list.split(separator)
            .map(|file| absolute(&start.join(file)))
            .collect()
    } else {
        search(&start, &mut warnings)?
    };
    for file in &files {
        if file.as_os_str() == STANDARD_INPUT {
            if options.standard_input.is_some() {
                continue;
            }
            let problem = Diagnostic::error("`-` stands for standard input, which was not read");
            return Err(problem.hint("`-f -` names it").into());
        }
        if !file.is_file() {
            let why = if file.exists() {
                "not a file"
            } else {
                "no such file"
            };
            let problem = Diagnostic::error(format!("{}: {why}", shown(file, &start).display()));
            return Err(problem.hint("`-f FILE` names a Compose file").into());
        }
    }
    let directory = match &options.project_directory {
        Some(directory) => absolute(&start.join(directory)),
        None => files
            .first()
            .filter(|file| file.as_os_str() != STANDARD_INPUT)
            .and_then(|file| file.parent())
            .map_or_else(|| start.clone(), Path::to_path_buf),
    };
    if directory != start {
        read_env_files(options, &directory, &mut variables)?;
    }
    Ok(Setting {
        files,
        directory,
        variables,
        warnings,
    })
}

/// Refuses Compose files that would have to be fetched first.
fn are_here(files: &[PathBuf]) -> Result<(), Diagnostics> {
    let problems: Vec<Diagnostic> = files
        .iter()
        .filter_map(|file| {
            let text = file.to_string_lossy();
            let kind = remote_kind(&text)?;
            Some(
                Diagnostic::error(format!(
                    "`{text}` is in {kind}, from which nothing is fetched"
                ))
                .hint("fetch the Compose file first, then name it with `-f FILE`, or give it as `-f -`"),
            )
        })
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Diagnostics(problems))
    }
}

/// Whether there is a Compose file to load: one is named, on the command line, in the environment or
/// in `.env`, or one of the usual names is in the directory.
pub fn has_compose_file(options: &LoadOptions) -> bool {
    if !options.files.is_empty() || discover(&options.directory).is_some() {
        return true;
    }
    let mut variables = Variables {
        values: options.environment.clone(),
    };
    // What is wrong with `.env` is told by whoever loads it.
    let _ = read_env_files(options, &absolute(&options.directory), &mut variables);
    variables
        .values
        .get("COMPOSE_FILE")
        .is_some_and(|list| !list.is_empty())
}

/// The nearest directory above that has a Compose file.
pub fn discover_above(directory: &Path) -> Option<PathBuf> {
    let mut above = directory.ancestors().skip(1);
    above
        .find(|directory| discover(directory).is_some())
        .map(Path::to_path_buf)
}

fn search(start: &Path, warnings: &mut Vec<Diagnostic>) -> Result<Vec<PathBuf>, Diagnostics> {
    for directory in start.ancestors() {
        let Some(files) = discover(directory) else {
            continue;
        };
        let also: Vec<&str> = NAMES
            .into_iter()
            .filter(|name| directory.join(name).is_file())
            .skip(1)
            .collect();
        if !also.is_empty() {
            warnings.push(
                Diagnostic::warning(format!(
                    "more than one Compose file: {} is used, {} is not",
                    files[0].file_name().unwrap_or_default().display(),
                    also.join(", ")
                ))
                .hint("name the one you mean with `-f`"),
            );
        }
        return Ok(files);
    }
    Err(Diagnostic::error(format!(
        "{}: no Compose file here or above",
        start.display()
    ))
    .hint(format!("the usual name is {}", NAMES[0]))
    .into())
}

/// What the environment files of a project that has no Compose file set.
pub(super) fn of_project(options: &LoadOptions) -> Result<BTreeMap<String, String>, Diagnostics> {
    let directory = absolute(&options.directory);
    let mut variables = Variables {
        values: options.environment.clone(),
    };
    read_env_files(options, &directory, &mut variables)?;
    variables
        .values
        .retain(|name, _| !options.environment.contains_key(name));
    Ok(variables.values)
}

fn read_env_files(
    options: &LoadOptions,
    directory: &Path,
    variables: &mut Variables,
) -> Result<(), Diagnostics> {
    let mut files: Vec<PathBuf> = options
        .env_files
        .iter()
        .map(|file| absolute(&options.directory.join(file)))
        .collect();
    if files.is_empty()
        && let Some(list) = options.environment.get("COMPOSE_ENV_FILES")
    {
        files.extend(
            list.split(',')
                .filter(|file| !file.is_empty())
                .map(|file| absolute(&options.directory.join(file))),
        );
    }
    if files.is_empty() {
        let disabled = options
            .environment
            .get("COMPOSE_DISABLE_ENV_FILE")
            .is_some_and(|value| {
                matches!(value.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True")
            });
        let default = directory.join(".env");
        if disabled || !default.is_file() {
            return Ok(());
        }
        files.push(default);
    }
    let values = read_all(&files, directory, &variables.values)?;
    for (name, value) in values {
        variables.values.entry(name).or_insert(value);
    }
    Ok(())
}

/// Reads several `.env` files, the later over the earlier; `outer` goes before all of them.
pub(super) fn read_all(
    files: &[PathBuf],
    root: &Path,
    outer: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Diagnostics> {
    let mut values = BTreeMap::new();
    for file in files {
        let bytes = fs_err::read(file).map_err(|error| {
            let message = if error.kind() == std::io::ErrorKind::NotFound {
                format!("{}: no such file", shown(file, root).display())
            } else {
                format!("cannot read the environment file: {error}")
            };
            Diagnostics::from(
                Diagnostic::error(message)
                    .hint("check `--env-file`, COMPOSE_ENV_FILES or `env_file` of an `include`"),
            )
        })?;
        let text = yaml::utf8(bytes, &shown(file, root)).map_err(Diagnostics::from)?;
        dotenv::parse(&text, &shown(file, root), &mut values, &|name| {
            outer.get(name).cloned()
        })
        .map_err(Diagnostics::from)?;
    }
    Ok(values)
}

/// How a file is named to the user: relative to the project where it lies inside.
pub(super) fn shown(file: &Path, root: &Path) -> Arc<Path> {
    Arc::from(
        file.strip_prefix(root)
            .ok()
            .filter(|inside| *inside != Path::new(""))
            .unwrap_or(file),
    )
}

/// Where else than on this machine a file is, as the peer tells it.
pub(super) fn remote_kind(text: &str) -> Option<&'static str> {
    if text.starts_with("oci://") {
        return Some("a registry");
    }
    let has = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
    let is_repository = has(&["git://", "ssh://", "git@", "github.com/"])
        || (has(&["https://", "http://"]) && (text.contains(".git") || text.contains('#')));
    if is_repository {
        return Some("a repository");
    }
    has(&["https://", "http://"]).then_some("the network")
}

/// Whether a name of a Compose file means one that is not on this machine.
pub fn is_remote(file: &Path) -> bool {
    remote_kind(&file.to_string_lossy()).is_some()
}

/// The path from the root, without `.` and `..`; links are not followed.
pub(super) fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean
}
