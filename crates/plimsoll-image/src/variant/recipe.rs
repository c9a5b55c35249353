//! A recipe as a variant changes it.

use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_diag::Spanned;
use plimsoll_model::{
    BuildRecipe, DockerfileRecipe, DockerfileSource, NodeLayout, NodeServerRecipe,
    PythonDependencies, PythonRecipe, RecipeKind, StagePurpose, StaticSiteRecipe,
};
use serde_json::Value;

use super::{Variant, VariantError, groups, reload, shell, tools};

/// A recipe for one variant.
#[derive(Debug)]
pub(crate) struct Adapted {
    pub recipe: BuildRecipe,
    /// Groups of a Python project that are installed besides, where its recipe has no place for
    /// them.
    pub groups: Vec<String>,
    /// What people should know of it.
    pub notice: Option<String>,
}

/// Changes a recipe.
pub(crate) fn adapted(recipe: &BuildRecipe, variant: Variant) -> Result<Adapted, VariantError> {
    let mut adapted = Adapted {
        recipe: recipe.clone(),
        groups: Vec::new(),
        notice: None,
    };
    match variant {
        Variant::Production | Variant::Slim => {}
        Variant::Debug => adapted
            .recipe
            .system_packages
            .push(Spanned::unplaced(shell::PACKAGE.to_owned())),
        Variant::Dev | Variant::Test => adapted.with_tools(variant)?,
    }
    Ok(adapted)
}

impl Adapted {
    fn with_tools(&mut self, variant: Variant) -> Result<(), VariantError> {
        let recipe = &mut self.recipe;
        match &mut recipe.kind {
            RecipeKind::Python(python) => {
                self.groups = python_tools(&recipe.context, python)?;
                if variant == Variant::Dev {
                    match reload::reloading(&recipe.command) {
                        Some(command) => recipe.command = command,
                        None => self.notice = Some(without_reload(&recipe.command)),
                    }
                } else {
                    test_python(&recipe.context, python, &mut recipe.command)?;
                    recipe.working_dir = python.root.clone();
                }
            }
            RecipeKind::StaticSite(site) => {
                if let Some(server) = site_server(site) {
                    let root = site.root.clone();
                    recipe.environment.extend(site.build_environment.clone());
                    recipe.working_dir = root.clone();
                    recipe.kind = RecipeKind::NodeServer(server);
                    recipe.command = match variant {
                        Variant::Test => test_node(&recipe.context, &root)?,
                        _ => site_command(&recipe.context, &root, &recipe.ports)?,
                    };
                } else if variant == Variant::Test {
                    return Err(VariantError::NoTests(
                        "a site of plain files has no `package.json`".to_owned(),
                    ));
                }
            }
            RecipeKind::NodeServer(server) => {
                server.layout = NodeLayout::Application;
                server.build = None;
                recipe.working_dir = server.root.clone();
                recipe.environment.retain(|(name, _)| name != "NODE_ENV");
                let root = server.root.clone();
                if variant == Variant::Test {
                    recipe.command = test_node(&recipe.context, &root)?;
                } else {
                    match server_command(&recipe.context, &root, &recipe.command, &recipe.ports)? {
                        Some(command) => recipe.command = command,
                        None => self.notice = Some(without_reload(&recipe.command)),
                    }
                }
            }
            RecipeKind::Go(_) | RecipeKind::Rust(_) => match variant {
                Variant::Test => {
                    return Err(VariantError::NoTests(
                        "the image of a compiled program has no compiler to build them with"
                            .to_owned(),
                    ));
                }
                _ => {
                    self.notice = Some(
                        "a compiled program is developed as it runs: `up --watch` builds it again"
                            .to_owned(),
                    );
                }
            },
            RecipeKind::Dockerfile(file) => stage_for(file, variant)?,
        }
        let environment = match variant {
            Variant::Test => ("CI", "true"),
            _ => ("PLIMSOLL_VARIANT", "dev"),
        };
        let has = |(name, _): &(String, String)| name == environment.0;
        if !self.recipe.environment.iter().any(has) {
            let (name, value) = environment;
            let entry = (name.to_owned(), value.to_owned());
            self.recipe.environment.push(entry);
        }
        Ok(())
    }
}

fn without_reload(command: &[String]) -> String {
    format!(
        "`{}` does not load changed sources again: `up --watch` restarts it",
        command.join(" ")
    )
}

/// Adds what a Python project is developed with to its recipe; the groups that have no place there.
fn python_tools(context: &Path, python: &mut PythonRecipe) -> Result<Vec<String>, VariantError> {
    let manifest = |path: &Path| fs::read_to_string(context.join(path)).unwrap_or_default();
    match &mut python.dependencies {
        PythonDependencies::UvLock { lock, .. } => {
            let own = groups::stated(&manifest(&python.root.join("pyproject.toml")));
            let workspace = groups::stated(&manifest(&lock.with_file_name("pyproject.toml")));
            python.extras.extend(own.extras);
            Ok(match own.groups.is_empty() {
                true if python.root == *lock.parent().unwrap_or(Path::new("")) => Vec::new(),
                true => workspace.groups,
                false => own.groups,
            })
        }
        PythonDependencies::Lock {
            format,
            lock,
            groups,
        } => {
            let stated = groups::stated(&manifest(&crate::python::manifest_of(*format, lock)));
            for group in stated.groups {
                if !groups.contains(&group) {
                    groups.push(group);
                }
            }
            python.extras.extend(stated.extras);
            Ok(Vec::new())
        }
        PythonDependencies::Requirements { files } => {
            let more = groups::files(context, files);
            files.extend(more);
            Ok(Vec::new())
        }
        PythonDependencies::Pyproject { file } => {
            let stated = groups::stated(&manifest(file));
            python.extras.extend(stated.extras);
            Ok(stated.groups)
        }
        PythonDependencies::None => Ok(Vec::new()),
    }
}

/// What runs a Python project's tests. A project whose tests use pytest and that states it nowhere
/// gets it.
fn test_python(
    context: &Path,
    python: &mut PythonRecipe,
    command: &mut Vec<String>,
) -> Result<(), VariantError> {
    let root = context.join(&python.root);
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<String>>();
    let found = Tests::below(&root)?;
    if found.any.is_none() {
        return Err(VariantError::NoTests(format!(
            "`{}` has no file `test_*.py`",
            python.root.display()
        )));
    }
    if root.join("manage.py").is_file() && !found.pytest {
        *command = words("python manage.py test");
        return Ok(());
    }
    if !found.pytest {
        *command = words("python -m unittest discover");
        return Ok(());
    }
    *command = words("python -m pytest -p no:cacheprovider");
    tools::add(context, python, "pytest");
    Ok(())
}

/// Test modules of a Python project.
#[derive(Default)]
struct Tests {
    any: Option<PathBuf>,
    pytest: bool,
}

impl Tests {
    fn below(root: &Path) -> Result<Self, VariantError> {
        let mut tests = Self::default();
        let mut open = vec![root.to_path_buf()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if entry.file_type()?.is_dir() {
                    let is_foreign = matches!(name.as_str(), "node_modules" | "venv" | "env");
                    if !name.starts_with('.') && !is_foreign {
                        open.push(entry.path());
                    }
                    continue;
                }
                let is_test = name.starts_with("test_") || name.ends_with("_test.py");
                if name.ends_with(".py")
                    && (is_test || matches!(&*name, "tests.py" | "conftest.py"))
                {
                    let text = fs::read_to_string(entry.path()).unwrap_or_default();
                    let is_unittest = text.contains("TestCase") && !text.contains("pytest");
                    tests.pytest |= !is_unittest;
                    if name != "conftest.py" {
                        tests.any = Some(entry.path());
                    }
                }
            }
        }
        Ok(tests)
    }
}

/// The server that a site is developed with.
fn site_server(site: &StaticSiteRecipe) -> Option<NodeServerRecipe> {
    site.build.as_ref()?;
    Some(NodeServerRecipe {
        root: site.root.clone(),
        manager: site.manager,
        lock: site.lock.clone(),
        node: None,
        build: None,
        layout: NodeLayout::Application,
        build_environment: Vec::new(),
    })
}

fn manifest(context: &Path, root: &Path) -> Result<Value, VariantError> {
    let text = fs::read_to_string(context.join(root).join("package.json"))?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

fn script(manifest: &Value, name: &str) -> Option<Vec<String>> {
    let line = manifest.pointer(&format!("/scripts/{name}"))?.as_str()?;
    let line = line.trim();
    // What only a shell understands is given to one.
    let needs_shell = line.contains(['&', '|', ';', '$', '"', '\'', '>', '<', '*'])
        || line.split(' ').next()?.contains('=')
        || [
            "npm",
            "pnpm",
            "yarn",
            "bun",
            "npx",
            "turbo",
            "concurrently",
            "run-p",
            "run-s",
        ]
        .contains(&line.split(' ').next()?);
    Some(match needs_shell {
        true => ["sh", "-c", line].map(str::to_owned).to_vec(),
        false => line.split_whitespace().map(str::to_owned).collect(),
    })
}

/// The `test` script of a Node project.
fn test_node(context: &Path, root: &Path) -> Result<Vec<String>, VariantError> {
    let none = |why: &str| {
        VariantError::NoTests(format!("`{}`: {why}", root.join("package.json").display()))
    };
    let command =
        script(&manifest(context, root)?, "test").ok_or_else(|| none("no script `test`"))?;
    if command
        .iter()
        .any(|word| word.contains("no test specified"))
    {
        return Err(none("the script `test` says that there are none"));
    }
    Ok(command)
}

/// What a site is developed with: its `dev` script, on the port that the site is published on.
fn site_command(context: &Path, root: &Path, ports: &[u16]) -> Result<Vec<String>, VariantError> {
    let manifest = manifest(context, root)?;
    let words = ["dev", "start", "serve"]
        .iter()
        .find_map(|name| script(&manifest, name));
    let words = words.unwrap_or_else(|| vec!["vite".to_owned()]);
    Ok(reachable(words, ports.first().copied().unwrap_or(8080)))
}

/// Scripts that servers are developed with.
const DEVELOPMENT_SCRIPTS: [&str; 3] = ["dev", "start:dev", "develop"];

/// Whether a server has one of them. A manifest that cannot be read has none: the build tells what
/// is wrong with it.
pub(super) fn has_development_script(context: &Path, root: &Path) -> bool {
    manifest(context, root).is_ok_and(|manifest| {
        DEVELOPMENT_SCRIPTS
            .iter()
            .any(|name| script(&manifest, name).is_some())
    })
}

/// What a server is developed with: its `dev` script, else its command with reloading.
fn server_command(
    context: &Path,
    root: &Path,
    command: &[String],
    ports: &[u16],
) -> Result<Option<Vec<String>>, VariantError> {
    let manifest = manifest(context, root)?;
    let script = DEVELOPMENT_SCRIPTS
        .iter()
        .find_map(|name| script(&manifest, name));
    Ok(match script {
        Some(words) => Some(reachable(words, ports.first().copied().unwrap_or(3000))),
        None => reload::reloading(command),
    })
}

/// Development servers listen on loopback unless they are told otherwise, each in its own words.
fn reachable(mut words: Vec<String>, port: u16) -> Vec<String> {
    let everywhere = || "0.0.0.0".to_owned();
    let port = port.to_string();
    let options: Vec<(&str, &str, String)> = match words[0].as_str() {
        "vite" => vec![
            ("--host", "--host", everywhere()),
            ("--port", "--port", port),
            ("--strictPort", "--strictPort", String::new()),
        ],
        "next" => vec![("--hostname", "-H", everywhere()), ("--port", "-p", port)],
        "astro" | "nuxt" | "nuxi" | "ng" | "react-router" => vec![
            ("--host", "--host", everywhere()),
            ("--port", "--port", port),
        ],
        _ => Vec::new(),
    };
    for (long, short, value) in options {
        let is_there = words
            .iter()
            .any(|word| word == long || word == short || word.starts_with(&format!("{long}=")));
        if !is_there {
            words.push(long.to_owned());
            words.extend((!value.is_empty()).then_some(value));
        }
    }
    words
}

/// The stage of a Dockerfile that is for a variant.
fn stage_for(file: &mut DockerfileRecipe, variant: Variant) -> Result<(), VariantError> {
    let text = match &file.source {
        DockerfileSource::File(path) => fs::read_to_string(path)?,
        DockerfileSource::Inline(text) => text.value.clone(),
    };
    let is_for = |stage: &String| StagePurpose::of_name(stage).map(Variant::from) == Some(variant);
    match stages(&text).find(is_for) {
        Some(stage) => {
            file.target = Some(Spanned::unplaced(stage));
            Ok(())
        }
        None => Err(VariantError::NoStage {
            variant,
            wanted: match variant {
                Variant::Test => "`test` or `tests` or `testing`",
                _ => "`dev` or `develop` or `development`",
            },
        }),
    }
}

/// Names of stages.
fn stages(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [from, .., word, name]
                if from.eq_ignore_ascii_case("from") && word.eq_ignore_ascii_case("as") =>
            {
                Some((*name).to_owned())
            }
            _ => None,
        }
    })
}
