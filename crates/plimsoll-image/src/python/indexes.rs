//! Indexes besides the machine's own that a project takes something from.
//!
//! They are read from the project's files each time something is fetched and are remembered
//! nowhere: an address may carry a password.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_model::{PythonDependencies, PythonRecipe, text_of};

use super::locks::{self, Wanted};
use super::target::Target;
use super::{PythonError, inputs};
use crate::clients::{ClientSettings, credential_variables, with_credentials};

/// Indexes and pages of files.
#[derive(Debug, Default)]
pub(super) struct Indexes {
    indexes: Vec<Index>,
    /// Pages that link to files.
    links: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Index {
    /// What variables with its credentials call it.
    name: Option<String>,
    url: String,
    scope: Scope,
}

/// What is looked up in an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Everything.
    All,
    /// Only what the project's sources assign to it.
    Assigned,
}

impl Indexes {
    /// What a project's files name.
    pub(super) fn of(
        context: &Path,
        recipe: &PythonRecipe,
        target: &Target,
    ) -> Result<Self, PythonError> {
        let mut found = Self::default();
        match &recipe.dependencies {
            PythonDependencies::UvLock { lock, .. } => {
                let directory = context.join(lock.parent().unwrap_or(Path::new("")));
                let read =
                    |name: &str| fs::read_to_string(directory.join(name)).unwrap_or_default();
                let lock = read("uv.lock");
                found.indexes = named(&read("pyproject.toml"), &read("uv.toml"), &|url| {
                    lock.contains(&format!("registry = \"{}", url.trim_end_matches('/')))
                });
            }
            PythonDependencies::Lock {
                format,
                lock,
                groups,
            } => {
                let wanted = Wanted {
                    lock,
                    format: *format,
                    extras: &recipe.extras,
                    groups,
                    target,
                };
                let urls = locks::read(context, &wanted)?.indexes;
                found.indexes = urls.into_iter().map(unnamed).collect();
            }
            PythonDependencies::Pyproject { file } => {
                let directory = context.join(file.parent().unwrap_or(Path::new("")));
                let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
                let manifest = read(context.join(file));
                found.indexes = named(&manifest, &read(directory.join("uv.toml")), &|_| true);
            }
            PythonDependencies::Requirements { files } => {
                let mut seen = BTreeSet::new();
                for file in files {
                    found.add_requirements(context, file, &mut seen);
                }
            }
            PythonDependencies::None => {}
        }
        Ok(found)
    }

    fn add_requirements(&mut self, context: &Path, file: &Path, seen: &mut BTreeSet<PathBuf>) {
        if !seen.insert(file.to_path_buf()) {
            return;
        }
        // One that is missing was told when the dependencies were resolved.
        let text = text_of(fs::read(context.join(file)).unwrap_or_default());
        for line in text.lines() {
            let option = |names: &[&str]| {
                names.iter().find_map(|name| {
                    let rest = line.trim().strip_prefix(name)?;
                    let value = rest.trim_start_matches(['=', ' ', '\t']);
                    let value = value.split(" #").next().unwrap_or_default().trim();
                    value.contains("://").then(|| value.to_string())
                })
            };
            let index = ["--index-url", "--extra-index-url", "-i"];
            self.indexes.extend(option(&index).map(unnamed));
            self.links.extend(option(&["--find-links", "-f"]));
        }
        let directory = file.parent().unwrap_or(Path::new(""));
        for included in inputs::included(&text) {
            self.add_requirements(context, &directory.join(included), seen);
        }
    }

    /// Variables that make uv resolve with the indexes of a manifest as uv itself would there.
    pub(super) fn resolving(&self, settings: &ClientSettings) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        let mut all = Vec::new();
        for index in &self.indexes {
            let name = index.name.as_deref();
            if let Some(name) = name {
                variables.extend(credential_variables(settings, name, &index.url));
            }
            if index.scope == Scope::All {
                let url = with_credentials(settings, name, &index.url);
                all.push(match name {
                    Some(name) => format!("{name}={url}"),
                    None => url,
                });
            }
        }
        if !all.is_empty() {
            variables.push(("UV_INDEX".to_string(), all.join(" ")));
        }
        variables
    }

    /// Variables that make uv look there, with the credentials that this machine holds. They are
    /// no arguments, because arguments are logged.
    pub(super) fn environment(&self, settings: &ClientSettings) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        let mut add = |name: &str, values: Vec<String>| {
            if !values.is_empty() {
                variables.push((name.to_string(), values.join(" ")));
            }
        };
        let with = |name: Option<&str>, url: &str| with_credentials(settings, name, url);
        let indexes = self.indexes.iter();
        let urls = indexes.map(|index| with(index.name.as_deref(), &index.url));
        add("UV_INDEX", urls.collect());
        add(
            "UV_FIND_LINKS",
            self.links.iter().map(|link| with(None, link)).collect(),
        );
        if !self.indexes.is_empty() {
            // Versions and hashes are settled; of which index a file comes makes no difference.
            variables.push(("UV_INDEX_STRATEGY".into(), "unsafe-best-match".into()));
        }
        variables
    }
}

fn unnamed(url: String) -> Index {
    Index {
        name: None,
        url,
        scope: Scope::All,
    }
}

/// Indexes that a project names and takes something from: wheels for one kind of accelerator are
/// often on an index of their own. The default index is the machine's.
fn named(pyproject: &str, settings: &str, is_used: &dyn Fn(&str) -> bool) -> Vec<Index> {
    let parse = |text: &str| text.parse::<toml::Table>().unwrap_or_default();
    let (pyproject, settings) = (parse(pyproject), parse(settings));
    let tool = pyproject.get("tool").and_then(|tool| tool.get("uv"));
    let tables = [tool.and_then(|uv| uv.get("index")), settings.get("index")];
    let all = tables
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_array)
        .flatten();
    all.filter(|index| index.get("default").and_then(toml::Value::as_bool) != Some(true))
        .filter_map(|index| {
            let name = index.get("name").and_then(toml::Value::as_str);
            Some(Index {
                name: name.map(str::to_string),
                url: index.get("url")?.as_str()?.to_string(),
                scope: match index.get("explicit").and_then(toml::Value::as_bool) {
                    Some(true) => Scope::Assigned,
                    _ => Scope::All,
                },
            })
        })
        .filter(|index| is_used(&index.url))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_counts_where_the_lock_takes_something_from_it() {
        let pyproject = "[[tool.uv.index]]\nname = 'cpu'\nurl = 'https://a.example/cpu'\nexplicit = true\n\
                         [[tool.uv.index]]\nurl = 'https://b.example/simple'\ndefault = true\n\
                         [[tool.uv.index]]\nurl = 'https://c.example/unused'\n";
        let lock = "source = { registry = \"https://a.example/cpu\" }\n\
                    source = { registry = \"https://b.example/simple\" }\n";
        let found = named(pyproject, "", &|url| lock.contains(url));
        assert_eq!(
            found,
            [Index {
                name: Some("cpu".into()),
                url: "https://a.example/cpu".into(),
                scope: Scope::Assigned,
            }]
        );
    }

    #[test]
    fn an_index_for_assigned_packages_is_not_asked_for_others() {
        let pyproject = "[[tool.uv.index]]\nname = 'cpu'\nurl = 'https://a.example/cpu'\nexplicit = true\n\
                         [[tool.uv.index]]\nname = 'own'\nurl = 'https://b.example/simple'\n";
        let found = Indexes {
            indexes: named(pyproject, "", &|_| true),
            links: Vec::new(),
        };
        let variables = ["CPU", "OWN"].map(|name| {
            let name = format!("UV_INDEX_{name}_PASSWORD");
            (name, "word".to_string())
        });
        let settings = ClientSettings {
            variables: variables.into(),
            ..ClientSettings::default()
        };
        let shown: Vec<String> = found
            .resolving(&settings)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        UV_INDEX_CPU_USERNAME=
        UV_INDEX_CPU_PASSWORD=word
        UV_INDEX_OWN_USERNAME=
        UV_INDEX_OWN_PASSWORD=word
        UV_INDEX=own=https://:word@b.example/simple
        ");
    }

    #[test]
    fn requirements_files_name_indexes_and_pages_of_links() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(root.path().join(name), text).unwrap();
        write(
            "a.txt",
            "--extra-index-url https://a.example/cpu  # wheels\n-f https://b.example/links\n-r b.txt\nidna\n",
        );
        write(
            "b.txt",
            "-i=https://c.example/simple\n-r a.txt\n-f ./local\n",
        );
        let mut found = Indexes::default();
        found.add_requirements(root.path(), Path::new("a.txt"), &mut BTreeSet::new());
        let environment = found.environment(&ClientSettings::default());
        let shown: Vec<String> = environment
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        UV_INDEX=https://a.example/cpu https://c.example/simple
        UV_FIND_LINKS=https://b.example/links
        UV_INDEX_STRATEGY=unsafe-best-match
        ");
    }
}
