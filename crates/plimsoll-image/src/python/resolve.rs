//! From what a project states to exact versions with hashes.

use std::path::{Component, Path, PathBuf};

use fs_err as fs;
use plimsoll_model::{PythonDependencies, PythonRecipe, text_of};

use super::PythonError;
use super::failure::UvFailureKind;
use super::locks::{self, Wanted};
use super::target::Target;
use super::uv::{BUILD_USER, Call, Uv, place};
use crate::step::scratch::give;
use crate::{Access, BindMount, StepNetwork};

/// Exact versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Resolution {
    /// Lines of a requirements file, with hashes.
    pub requirements: String,
    /// Directories of the workspace that are distributions to build, relative to the context.
    pub members: Vec<String>,
    /// Indexes that a lock file names. They may carry a password and are not written down.
    #[serde(skip)]
    pub indexes: Vec<String>,
}

/// What a resolution may depend on besides the project.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    /// What is resolved for.
    pub target: &'a Target,
    /// Versions published after this moment (RFC 3339) do not count.
    pub as_of: Option<&'a str>,
    /// Versions to keep where they fit, as a requirements file.
    pub preferred: &'a str,
    /// Variables for whatever fetches.
    pub environment: &'a [(String, String)],
    /// Groups to install, where the recipe has no place for them.
    pub groups: &'a [String],
}

/// Whether a recipe's files leave any version open.
pub(super) fn is_open(context: &Path, recipe: &PythonRecipe) -> Result<bool, PythonError> {
    Ok(!recipe.undeclared.is_empty()
        || match &recipe.dependencies {
            PythonDependencies::Requirements { files } => exact(context, files)?.is_none(),
            PythonDependencies::Pyproject { .. } => true,
            PythonDependencies::UvLock { .. }
            | PythonDependencies::Lock { .. }
            | PythonDependencies::None => false,
        })
}

/// The file in the scratch directory that a resolution is written to.
const SETTLED: &str = "settled.txt";

/// Whether source distributions may run their build scripts to tell what they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sources {
    WheelsOnly,
    Built,
}

/// What a recipe's files settle by themselves, in words that need no uv to be read.
pub(super) fn stated(
    context: &Path,
    recipe: &PythonRecipe,
    terms: Terms<'_>,
) -> Result<Option<Resolution>, PythonError> {
    if !recipe.undeclared.is_empty() {
        return Ok(None);
    }
    match &recipe.dependencies {
        PythonDependencies::UvLock { lock, package } => locks::read_plain_uv(
            context,
            lock,
            package.as_deref(),
            &recipe.extras,
            terms.groups,
            terms.target,
        ),
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
                target: terms.target,
            };
            locks::read(context, &wanted).map(Some)
        }
        PythonDependencies::Requirements { files } => {
            let requirements = exact(context, files)?;
            Ok(requirements.map(|requirements| Resolution {
                requirements,
                ..Resolution::default()
            }))
        }
        PythonDependencies::Pyproject { .. } => Ok(None),
        PythonDependencies::None => Ok(Some(Resolution::default())),
    }
}

/// Resolves a recipe's dependencies. `work` is a scratch directory for uv.
pub(super) fn resolve(
    uv: &Uv<'_>,
    context: &Path,
    recipe: &PythonRecipe,
    terms: Terms<'_>,
    work: &Path,
) -> Result<Resolution, PythonError> {
    let mut inputs = Vec::new();
    let mut resolution = Resolution::default();
    match &recipe.dependencies {
        PythonDependencies::UvLock { lock, package } => {
            resolution = export(uv, context, lock, package.as_deref(), recipe, terms)?;
            if recipe.undeclared.is_empty() {
                return Ok(resolution);
            }
            fs::write(work.join("locked.txt"), &resolution.requirements)?;
            inputs.push(format!("{}/locked.txt", place::WORK));
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
                target: terms.target,
            };
            resolution = locks::read(context, &wanted)?;
            if recipe.undeclared.is_empty() {
                return Ok(resolution);
            }
            fs::write(work.join("locked.txt"), &resolution.requirements)?;
            inputs.push(format!("{}/locked.txt", place::WORK));
        }
        PythonDependencies::Requirements { files } => {
            if recipe.undeclared.is_empty()
                && let Some(requirements) = exact(context, files)?
            {
                resolution.requirements = requirements;
                return Ok(resolution);
            }
            inputs.extend(files.iter().map(|file| in_sandbox(file)));
        }
        PythonDependencies::Pyproject { file } => inputs.push(in_sandbox(file)),
        PythonDependencies::None => {}
    }
    if !recipe.undeclared.is_empty() {
        let mut names: Vec<&str> = recipe.undeclared.iter().map(|n| n.value.as_str()).collect();
        names.sort_unstable();
        fs::write(work.join("undeclared.in"), names.join("\n") + "\n")?;
        inputs.push(format!("{}/undeclared.in", place::WORK));
    }
    if inputs.is_empty() {
        return Ok(resolution);
    }
    let with_extras = matches!(recipe.dependencies, PythonDependencies::Pyproject { .. });
    let extras: &[String] = if with_extras { &recipe.extras } else { &[] };
    let files = Files {
        inputs: &inputs,
        beside: beside(recipe),
    };
    let compile = |sources| compile(uv, context, &files, extras, terms, work, sources);
    let text = match compile(Sources::WheelsOnly) {
        Err(PythonError::Uv(failure)) if failure.kind == UvFailureKind::OnlySource => {
            compile(Sources::Built)?
        }
        other => other?,
    };
    let (requirements, local) = split_local(&text);
    resolution.requirements = requirements;
    for path in local {
        let path = match path.starts_with('.') {
            true => from_context(files.beside, &path),
            false => path,
        };
        if !resolution.members.contains(&path) {
            resolution.members.push(path);
        }
    }
    Ok(resolution)
}

/// The lines of requirements files that leave nothing to resolve: every requirement names one
/// version and its hashes.
fn exact(context: &Path, files: &[PathBuf]) -> Result<Option<String>, PythonError> {
    let mut all = String::new();
    for file in files {
        let text = text_of(fs::read(context.join(file))?);
        if !is_exact(&text) {
            return Ok(None);
        }
        all.push_str(&text);
        all.push('\n');
    }
    Ok(Some(all))
}

fn is_exact(text: &str) -> bool {
    let joined = text.replace("\\\n", " ");
    joined
        .lines()
        .map(|line| line.split(" #").next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .all(|line| !line.starts_with('-') && line.contains("==") && line.contains("--hash="))
}

/// Files that state requirements.
struct Files<'a> {
    /// Their paths in the sandbox.
    inputs: &'a [String],
    /// The directory that paths in them start from, relative to the context.
    beside: &'a Path,
}

/// Where a recipe's requirements are stated: paths in a requirements file start where pip is
/// usually called, beside it.
fn beside(recipe: &PythonRecipe) -> &Path {
    let file = match &recipe.dependencies {
        PythonDependencies::Requirements { files } => files.first(),
        PythonDependencies::Pyproject { file } => Some(file),
        _ => None,
    };
    file.and_then(|file| file.parent())
        .unwrap_or_else(|| Path::new(""))
}

fn compile(
    uv: &Uv<'_>,
    context: &Path,
    files: &Files<'_>,
    extras: &[String],
    terms: Terms<'_>,
    work: &Path,
    sources: Sources,
) -> Result<String, PythonError> {
    let mut command: Vec<String> = [
        place::UV,
        "pip",
        "compile",
        "--quiet",
        "--no-header",
        "--no-annotate",
        "--generate-hashes",
        "--python",
    ]
    .map(str::to_string)
    .to_vec();
    command.push(terms.target.interpreter.program());
    command.extend(terms.target.arguments());
    if sources == Sources::WheelsOnly {
        command.push("--no-build".to_string());
    }
    if let Some(moment) = terms.as_of {
        command.extend(["--exclude-newer".to_string(), moment.to_string()]);
    }
    for extra in extras {
        command.extend(["--extra".to_string(), extra.clone()]);
    }
    if let Some(manifest) = files
        .inputs
        .iter()
        .find(|input| input.ends_with("pyproject.toml"))
    {
        for group in terms.groups {
            command.extend(["--group".to_string(), format!("{manifest}:{group}")]);
        }
    }
    command.extend(files.inputs.iter().cloned());
    // What the file that is written to has, is kept where it fits.
    let settled = work.join(SETTLED);
    fs::write(&settled, terms.preferred)?;
    give(&settled, BUILD_USER)?;
    command.extend([
        "--output-file".to_string(),
        format!("{}/{SETTLED}", place::WORK),
    ]);
    uv.call(Call {
        what: "resolve dependencies",
        command,
        // A `setup.py` that is asked what it needs writes beside itself; this is a copy.
        mounts: vec![
            writable(context, place::PROJECT),
            writable(work, place::WORK),
        ],
        network: StepNetwork::Host,
        working_dir: &in_sandbox(files.beside),
        environment: terms.environment.to_vec(),
    })?;
    Ok(fs::read_to_string(&settled)?)
}

/// Reads exact versions out of `uv.lock`, of its groups only the wanted ones.
fn export(
    uv: &Uv<'_>,
    context: &Path,
    lock: &Path,
    package: Option<&str>,
    recipe: &PythonRecipe,
    terms: Terms<'_>,
) -> Result<Resolution, PythonError> {
    let workspace = lock.parent().unwrap_or(Path::new(""));
    let mut command: Vec<String> = [
        place::UV,
        "export",
        "--quiet",
        "--frozen",
        "--no-default-groups",
        "--no-editable",
        "--no-header",
        "--no-annotate",
        "--format",
        "requirements.txt",
        "--python",
    ]
    .map(str::to_string)
    .to_vec();
    command.push(terms.target.interpreter.program());
    if let Some(package) = package {
        command.extend(["--package".to_string(), package.to_string()]);
    }
    for extra in &recipe.extras {
        command.extend(["--extra".to_string(), extra.clone()]);
    }
    for group in terms.groups {
        command.extend(["--group".to_string(), group.clone()]);
    }
    let working_dir = in_sandbox(workspace);
    let text = uv.call(Call {
        what: "read uv.lock",
        command,
        mounts: vec![project(context)],
        network: StepNetwork::None,
        working_dir: &working_dir,
        environment: Vec::new(),
    })?;
    let (requirements, local) = split_local(&text);
    let members = local
        .iter()
        .map(|path| from_context(workspace, path))
        .collect();
    Ok(Resolution {
        requirements,
        members,
        indexes: Vec::new(),
    })
}

/// Separates requirements on local directories from the others.
fn split_local(text: &str) -> (String, Vec<String>) {
    let mut requirements = String::new();
    let mut local = Vec::new();
    for line in text.lines() {
        let place = local_path(line);
        match place {
            Some(path) => local.push(path),
            None if line.starts_with('#') => {}
            None => {
                requirements.push_str(line);
                requirements.push('\n');
            }
        }
    }
    (requirements, local)
}

/// The directory that a line of a requirements file names: `./libs/core ; marker`, `-e .`,
/// `name @ file:///plimsoll/project/libs/core`.
fn local_path(line: &str) -> Option<String> {
    let line = line.strip_prefix("-e ").unwrap_or(line);
    let line = line.split(" ;").next().unwrap_or_default().trim();
    let path = match line.split_once(" @ ") {
        Some((_, url)) => url,
        None => line,
    };
    if let Some(path) = path.strip_prefix("file://") {
        let below = path.strip_prefix(place::PROJECT)?;
        let below = below.trim_matches('/');
        let is_file = below.ends_with(".whl") || below.ends_with(".tar.gz");
        return (!is_file).then(|| below.to_string());
    }
    let is_path = path == "." || path.starts_with("./") || path.starts_with("../");
    is_path.then(|| path.to_string())
}

/// A path relative to a directory of the context, made relative to the context.
pub(super) fn from_context(directory: &Path, path: &str) -> String {
    let mut components: Vec<String> = Vec::new();
    for component in directory.join(path).components() {
        match component {
            Component::Normal(name) => components.push(name.to_string_lossy().into_owned()),
            Component::ParentDir => {
                components.pop();
            }
            _ => {}
        }
    }
    components.join("/")
}

fn in_sandbox(relative: &Path) -> String {
    let relative = from_context(Path::new(""), &relative.to_string_lossy());
    if relative.is_empty() {
        place::PROJECT.to_string()
    } else {
        format!("{}/{relative}", place::PROJECT)
    }
}

/// The project, read-only.
pub(super) fn project(context: &Path) -> BindMount {
    BindMount {
        source: context.to_path_buf(),
        target: PathBuf::from(place::PROJECT),
        access: Access::ReadOnly,
    }
}

/// A directory that the step may write to.
pub(super) fn writable(source: &Path, target: &str) -> BindMount {
    BindMount {
        source: source.to_path_buf(),
        target: PathBuf::from(target),
        access: Access::ReadWrite,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_directories_are_told_from_packages() {
        let text = "# header\n./libs/core ; python_version > '3'\n-e .\nfastapi==0.1 \\\n    \
                    --hash=sha256:00\nmine @ file:///plimsoll/project/libs/mine\n\
                    wheel @ file:///plimsoll/project/w/x.whl\n";
        let (requirements, local) = split_local(text);
        assert_eq!(local, ["./libs/core", ".", "libs/mine"]);
        assert_eq!(
            requirements,
            "fastapi==0.1 \\\n    --hash=sha256:00\nwheel @ file:///plimsoll/project/w/x.whl\n"
        );
    }

    #[test]
    fn only_versions_with_hashes_leave_nothing_to_resolve() {
        assert!(is_exact(
            "# made by a tool\na==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n    # via b\n"
        ));
        assert!(!is_exact("a==1\n"));
        assert!(!is_exact("a>=1 --hash=sha256:00\n"));
        assert!(!is_exact("-r other.txt\n"));
    }

    #[test]
    fn paths_stay_inside_the_context() {
        assert_eq!(
            from_context(Path::new("backend"), "../libs/core"),
            "libs/core"
        );
        assert_eq!(from_context(Path::new(""), "."), "");
        assert_eq!(from_context(Path::new("a"), "../../../etc"), "etc");
        assert_eq!(
            in_sandbox(Path::new("./b/pyproject.toml")),
            "/plimsoll/project/b/pyproject.toml"
        );
    }
}
