//! Dockerfiles of Python applications, after uv's own guide: dependencies from the lock file first,
//! the sources last, and only the environment that comes of it in the image that runs.

use std::path::Path;

use plimsoll_model::{PythonDependencies, PythonLock, PythonRecipe};

use super::script::word;
use super::{NOBODY, USER, Writer, images, place};
use crate::{Fidelity, Loss};

/// The version of uv that installs; it comes from the package index, like everything else.
const UV: &str = "0.13.8";

/// Where debuggers are awaited.
pub(crate) const DEBUG_PORT: u16 = 5678;

/// Settings of a private package index, and the caches, for every step that installs.
const INSTALLS: [&str; 3] = [
    "type=cache,target=/cache",
    "type=secret,id=pip,target=/etc/pip.conf",
    "type=secret,id=uv,target=/etc/uv/uv.toml",
];

pub(super) fn write(writer: &mut Writer<'_, '_>, python: &PythonRecipe) {
    let preferred = python.preferred_python.as_ref().map(|it| it.value.clone());
    let reference = images::python(
        preferred.or_else(|| of_own_dockerfile(writer)).as_deref(),
        python.requires_python.as_ref().map(|it| it.value.as_str()),
    );
    let base = writer.base(&reference);
    writer.script.note(
        "\nA private package index: --secret id=uv,src=uv.toml and --secret id=pip,src=pip.conf.",
    );
    writer
        .script
        .stage(&base, "base", "What every stage stands on.");
    writer.script.environment([
        ("LANG", "C.UTF-8"),
        ("PYTHONUNBUFFERED", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("VIRTUAL_ENV", "/app/.venv"),
    ]);
    writer.script.line("ENV PATH=\"/app/.venv/bin:${PATH}\"");
    writer.system(&[]);
    writer.script.line("WORKDIR /app");

    writer.script.stage(
        "base",
        "dependencies",
        "What the application needs, from its lock file; made anew only when that changes.",
    );
    writer.script.environment([
        ("PIP_CACHE_DIR", "/cache/pip"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PIP_ROOT_USER_ACTION", "ignore"),
        ("UV_CACHE_DIR", "/cache/uv"),
        ("UV_COMPILE_BYTECODE", "1"),
        ("UV_LINK_MODE", "copy"),
        ("UV_PROJECT_ENVIRONMENT", "/app/.venv"),
        ("UV_PYTHON_DOWNLOADS", "never"),
    ]);
    writer.script.note(
        "For what has no wheel for this Python and processor. None of it gets into an image that runs.",
    );
    writer.install(&["build-essential"]);
    let tool = tool(&python.dependencies);
    writer
        .script
        .run(&installs(&[]), &[format!("pip install uv=={UV}{tool}")]);
    let (mounts, commands) = dependencies(writer, python);
    writer.script.run(&installs(&mounts), &commands);
    undeclared(writer, python);

    writer.script.stage(
        "dependencies",
        "builder",
        "The application beside its dependencies.",
    );
    let directory = writer.place.directory();
    writer.script.line(&format!("COPY {directory} ./"));
    let project = project(python);
    if let Some(command) = &project {
        writer
            .script
            .run(&installs(&[]), std::slice::from_ref(command));
    }
    development(writer, python);
    running(writer, project.is_some());
}

/// The version of Python that the project's own Dockerfile stands on.
fn of_own_dockerfile(writer: &Writer<'_, '_>) -> Option<String> {
    let build = writer.one.service.build.as_ref();
    let named = build.and_then(|build| build.dockerfile.as_ref());
    let name = named.map_or("Dockerfile", |name| name.value.as_str());
    let context = build.map_or(&writer.recipe.context, |build| &build.context.value);
    let text = writer.input.contents.get(&context.join(name))?;
    text.lines().find_map(|line| {
        let (word, image) = line.trim().split_once(char::is_whitespace)?;
        let image = word
            .eq_ignore_ascii_case("FROM")
            .then(|| image.rsplit('/').next())??;
        let tag = image.strip_prefix("python:")?;
        Some(tag.split(['-', ' ']).next()?.to_owned())
    })
}

/// Mounts of a step that installs, with the files it reads.
fn installs(files: &[String]) -> Vec<String> {
    INSTALLS
        .iter()
        .map(|mount| (*mount).to_owned())
        .chain(files.iter().cloned())
        .collect()
}

/// The manager that reads a lock file, where uv does not.
fn tool(dependencies: &PythonDependencies) -> &'static str {
    match dependencies {
        PythonDependencies::Lock {
            format: PythonLock::Poetry,
            ..
        } => " 'poetry>=2,<3' 'poetry-plugin-export>=1.9,<2'",
        PythonDependencies::Lock {
            format: PythonLock::Pdm,
            ..
        } => " 'pdm>=2.20,<3'",
        PythonDependencies::Lock {
            format: PythonLock::Pipenv,
            ..
        } => " 'pipenv>=2024'",
        _ => "",
    }
}

/// The mount of a file of the context at its place below `/app`.
fn bind(writer: &Writer<'_, '_>, file: &Path) -> String {
    format!(
        "type=bind,source={},target=/app/{}",
        writer.place.path(file),
        place::text(&place::plain(file))
    )
}

/// What installs the dependencies, and the files that it reads.
fn dependencies(writer: &Writer<'_, '_>, python: &PythonRecipe) -> (Vec<String>, Vec<String>) {
    let extras: String = python
        .extras
        .iter()
        .map(|extra| format!(" --extra {}", word(extra)))
        .collect();
    let make = "uv venv /app/.venv".to_owned();
    let beside = |file: &Path, name: &str| file.with_file_name(name);
    match &python.dependencies {
        PythonDependencies::UvLock { lock, package } => {
            let manifest = beside(lock, "pyproject.toml");
            let package = package
                .as_ref()
                .map(|package| format!(" --package {}", word(package)))
                .unwrap_or_default();
            (
                vec![bind(writer, lock), bind(writer, &manifest)],
                vec![format!(
                    "{}uv sync --frozen --no-default-groups --no-install-workspace{package}{extras}",
                    enter(lock)
                )],
            )
        }
        PythonDependencies::Lock {
            format,
            lock,
            groups,
        } => {
            let manifest = match format {
                PythonLock::Pipenv => beside(lock, "Pipfile"),
                _ => beside(lock, "pyproject.toml"),
            };
            let wanted = |option: &str| -> String {
                groups
                    .iter()
                    .map(|group| format!(" {option} {}", word(group)))
                    .collect()
            };
            let pinned = "/tmp/requirements.txt";
            let export = match format {
                PythonLock::Poetry => format!(
                    "{}poetry export --format requirements.txt --output {pinned}{}",
                    enter(lock),
                    wanted("--with")
                ),
                PythonLock::Pdm => format!(
                    "{}pdm export --prod --format requirements --output {pinned}{}",
                    enter(lock),
                    wanted("--group")
                ),
                PythonLock::Pipenv => {
                    format!("{}pipenv requirements --hash > {pinned}", enter(lock))
                }
                PythonLock::Pylock => {
                    let install = format!(
                        "uv pip install --requirements {}",
                        place::text(&place::plain(lock))
                    );
                    return (vec![bind(writer, lock)], vec![make, install]);
                }
            };
            (
                vec![bind(writer, lock), bind(writer, &manifest)],
                vec![
                    make,
                    export,
                    "cd /app".to_owned(),
                    format!("uv pip install --requirements {pinned}"),
                ],
            )
        }
        PythonDependencies::Requirements { files } => {
            let read = with_included(writer, files);
            let mounts = read.iter().map(|file| bind(writer, file)).collect();
            let named: String = files
                .iter()
                .map(|file| {
                    format!(
                        " --requirements {}",
                        word(&place::text(&place::plain(file)))
                    )
                })
                .collect();
            (mounts, vec![make, format!("uv pip install{named}")])
        }
        PythonDependencies::Pyproject { file } => (
            vec![bind(writer, file)],
            vec![
                make,
                format!(
                    "uv pip install --requirements {}{extras}",
                    place::text(&place::plain(file))
                ),
            ],
        ),
        PythonDependencies::None => (Vec::new(), vec![make]),
    }
}

/// Into the directory of a lock file that is not at the top.
fn enter(lock: &Path) -> String {
    match lock.parent().map(place::plain) {
        Some(directory) if !directory.as_os_str().is_empty() => {
            format!("cd {} && ", word(&directory.display().to_string()))
        }
        _ => String::new(),
    }
}

/// Requirements files, and those that they include (`-r`, `-c`), as far as their text is known.
fn with_included(writer: &Writer<'_, '_>, files: &[std::path::PathBuf]) -> Vec<std::path::PathBuf> {
    let mut read: Vec<std::path::PathBuf> = Vec::new();
    let mut todo: Vec<std::path::PathBuf> =
        files.iter().rev().map(|file| place::plain(file)).collect();
    while let Some(file) = todo.pop() {
        if read.contains(&file) {
            continue;
        }
        let text = writer
            .input
            .contents
            .get(&writer.recipe.context.join(&file));
        for line in text.map_or("", String::as_str).lines() {
            let line = line.trim();
            let option = ["-r", "-c", "--requirement", "--constraint"]
                .iter()
                .find_map(|option| line.strip_prefix(option));
            let Some(included) = option else { continue };
            let included = included.trim_start_matches([' ', '=']).trim();
            if !included.is_empty() && !included.contains("://") {
                let directory = file.parent().unwrap_or(Path::new(""));
                todo.push(place::plain(&directory.join(included)));
            }
        }
        read.push(file);
    }
    read
}

/// Distributions that the code imports and no file names.
fn undeclared(writer: &mut Writer<'_, '_>, python: &PythonRecipe) {
    if python.undeclared.is_empty() {
        return;
    }
    writer
        .script
        .note("Imported by the code, named by no file that can be installed from:");
    let names: Vec<String> = python
        .undeclared
        .iter()
        .map(|requirement| word(&requirement.value))
        .collect();
    writer.script.run(
        &installs(&[]),
        &[format!("uv pip install {}", names.join(" "))],
    );
    let loose: Vec<&str> = python
        .undeclared
        .iter()
        .filter(|requirement| !requirement.value.contains("=="))
        .map(|requirement| requirement.value.as_str())
        .collect();
    if let Some(first) = python.undeclared.first()
        && !loose.is_empty()
    {
        let place = first.span.clone();
        writer.loss(
            Loss::new(
                Fidelity::Approximate,
                format!("services.{}.build", writer.one.name()),
                format!(
                    "no file states a version of {}: the newest is installed",
                    loose.join(", ")
                ),
            )
            .at(place)
            .hint("declare them among the project's dependencies"),
        );
    }
}

/// What installs the project itself as a distribution.
fn project(python: &PythonRecipe) -> Option<String> {
    python.install_project.as_ref()?;
    let extras: String = python
        .extras
        .iter()
        .map(|extra| format!(" --extra {}", word(extra)))
        .collect();
    let root = place::text(&place::plain(&python.root));
    Some(match &python.dependencies {
        PythonDependencies::UvLock { lock, package } => {
            let package = package
                .as_ref()
                .map(|package| format!(" --package {}", word(package)))
                .unwrap_or_default();
            format!(
                "{}uv sync --frozen --no-default-groups --no-editable{package}{extras}",
                enter(lock)
            )
        }
        _ => format!("uv pip install --no-deps ./{root}"),
    })
}

/// The stages that people work in: `dev` reloads, `test` runs the project's tests.
fn development(writer: &mut Writer<'_, '_>, python: &PythonRecipe) {
    writer.script.stage(
        "dependencies",
        "dev",
        "For development: its tools, a debugger, and a server that reloads what changes.",
    );
    let mut mounts = Vec::new();
    let mut commands = Vec::new();
    match &python.dependencies {
        PythonDependencies::UvLock { lock, .. } => {
            mounts.push(bind(writer, lock));
            mounts.push(bind(writer, &lock.with_file_name("pyproject.toml")));
            let package = match &python.dependencies {
                PythonDependencies::UvLock {
                    package: Some(package),
                    ..
                } => format!(" --package {}", word(package)),
                _ => String::new(),
            };
            commands.push(format!(
                "{}uv sync --frozen --no-install-workspace --inexact{package}",
                enter(lock)
            ));
            commands.push("cd /app".to_owned());
            commands.push("uv pip install debugpy pytest".to_owned());
        }
        _ => {
            let files = development_requirements(writer, python);
            let named: String = files
                .iter()
                .map(|file| format!(" --requirements {}", word(&place::text(file))))
                .collect();
            mounts.extend(
                with_included(writer, &files)
                    .iter()
                    .map(|file| bind(writer, file)),
            );
            commands.push(format!("uv pip install debugpy pytest{named}"));
        }
    }
    let groups = development_extras(writer, python);
    writer.script.run(&installs(&mounts), &commands);
    let directory = writer.place.directory();
    writer
        .script
        .line(&format!("COPY --chown={0}:{0} {directory} ./", NOBODY.1));
    if python.install_project.is_some() {
        let root = place::text(&place::plain(&python.root));
        let command = match groups.is_empty() {
            true => format!("uv pip install --no-deps --editable ./{root}"),
            false => format!("uv pip install --editable './{root}[{}]'", groups.join(",")),
        };
        writer.script.run(&installs(&[]), &[command]);
    }
    writer.volumes(NOBODY.1);
    // The caches that others use stay root's.
    writer.script.line("ENV HOME=/tmp UV_CACHE_DIR=/tmp/uv");
    let recipe: Vec<(String, String)> = writer.recipe.environment.clone();
    writer.script.environment(
        recipe
            .iter()
            .filter(|(name, _)| name != "PYTHONUNBUFFERED")
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let command = reloading(&writer.command());
    writer.start_as(NOBODY.0, &command);

    writer
        .script
        .stage("dev", "test", "The project's own tests, inside its image.");
    writer.script.line("HEALTHCHECK NONE");
    writer.script.exec(
        "CMD",
        &["python", "-m", "pytest", "-p", "no:cacheprovider"].map(str::to_owned),
    );
}

/// Requirements files for development beside those that are installed.
fn development_requirements(
    writer: &Writer<'_, '_>,
    python: &PythonRecipe,
) -> Vec<std::path::PathBuf> {
    let root = place::plain(&python.root);
    [
        "requirements-dev.txt",
        "requirements-test.txt",
        "dev-requirements.txt",
        "requirements_dev.txt",
        "requirements/dev.txt",
        "requirements/test.txt",
    ]
    .iter()
    .map(|name| root.join(name))
    .filter(|file| {
        writer
            .input
            .contents
            .contains_key(&writer.recipe.context.join(file))
    })
    .collect()
}

/// Extras of the project that are for development.
fn development_extras(writer: &Writer<'_, '_>, python: &PythonRecipe) -> Vec<&'static str> {
    if matches!(python.dependencies, PythonDependencies::UvLock { .. }) {
        return Vec::new();
    }
    let manifest = writer
        .recipe
        .context
        .join(place::plain(&python.root))
        .join("pyproject.toml");
    let Some(text) = writer.input.contents.get(&manifest) else {
        return Vec::new();
    };
    let section = text
        .split("[project.optional-dependencies]")
        .nth(1)
        .and_then(|rest| rest.split("\n[").next())
        .unwrap_or_default();
    ["dev", "test", "tests"]
        .into_iter()
        .filter(|name| {
            section.lines().any(|line| {
                line.split_once('=')
                    .is_some_and(|(key, _)| key.trim().trim_matches('"') == *name)
            })
        })
        .collect()
}

/// A command whose server loads changed code by itself, where it can.
pub(crate) fn reloading(command: &[String]) -> Vec<String> {
    let has = |word: &str| command.iter().any(|part| part == word);
    let mut command = command.to_vec();
    if has("uvicorn") && !has("--reload") {
        // Several workers and reloading exclude each other.
        if let Some(at) = command.iter().position(|part| part == "--workers") {
            command.drain(at..(at + 2).min(command.len()));
        }
        command.push("--reload".to_owned());
    } else if has("gunicorn") && !has("--reload") {
        command.push("--reload".to_owned());
    } else if has("flask") && has("run") && !has("--debug") {
        command.push("--debug".to_owned());
    } else if has("streamlit") && has("run") {
        command.push("--server.runOnSave=true".to_owned());
    }
    command
}

/// Whether a command's server loads changed code by itself.
pub(crate) fn reloads(command: &[String]) -> bool {
    reloading(command).len() != command.len()
        || command
            .iter()
            .any(|word| matches!(word.as_str(), "--reload" | "--debug"))
}

/// A command with a debugger that does not wait for anybody; `None` where it starts no module.
pub(crate) fn debugged(command: &[String]) -> Option<Vec<String>> {
    let (program, rest) = command.split_first()?;
    let (interpreter, module) = match program.as_str() {
        "python" | "python3" => (program.as_str(), None),
        // Programs that are modules of the same name.
        "uvicorn" | "gunicorn" | "hypercorn" | "celery" | "flask" | "streamlit" => {
            ("python", Some(program.clone()))
        }
        _ => return None,
    };
    let mut words: Vec<String> = [
        interpreter,
        "-Xfrozen_modules=off",
        "-m",
        "debugpy",
        "--listen",
    ]
    .map(str::to_owned)
    .to_vec();
    words.push(format!("0.0.0.0:{DEBUG_PORT}"));
    if let Some(module) = module {
        words.extend(["-m".to_owned(), module]);
    }
    words.extend(rest.iter().cloned());
    Some(words)
}

/// The stages that run: `slim`, `debug` and `production`.
fn running(writer: &mut Writer<'_, '_>, installs_project: bool) {
    let source = match installs_project {
        true => "builder",
        false => "dependencies",
    };
    let directory = writer.place.directory();
    writer.script.stage(
        source,
        "lean",
        "The environment without what only speeds up the first start or serves compilers.",
    );
    writer.script.run(
        &[],
        &[
            "find /app/.venv -depth -type d -name __pycache__ -exec rm -rf {} +".to_owned(),
            "find /app/.venv -type f ( -name '*.pyi' -o -name '*.pxd' -o -name '*.h' ) -delete"
                .replace("( ", "\\( ")
                .replace(" )", " \\)"),
        ],
    );

    writer
        .script
        .stage("base", "runtime", "How the application runs.");
    writer.script.line("ENV HOME=/home/app");
    let recipe: Vec<(String, String)> = writer.recipe.environment.clone();
    writer.script.environment(
        recipe
            .iter()
            .filter(|(name, _)| name != "PYTHONUNBUFFERED")
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let command = writer.command();
    writer.start(&command);

    let files = |writer: &mut Writer<'_, '_>, from: &str| {
        writer
            .script
            .line(&format!("COPY --from={from} /app/.venv /app/.venv"));
        writer.script.line(&format!("COPY {directory} /app/"));
    };
    writer.script.stage(
        "runtime",
        "slim",
        "The smallest image; its first start is slower.",
    );
    files(writer, "lean");

    writer.script.stage(
        "runtime",
        "debug",
        "The image of production with a debugger and tools to look around.",
    );
    writer.script.line("USER 0");
    writer.install(&["curl", "procps", "strace"]);
    files(writer, source);
    let mut mounts = installs(&[]);
    mounts.push(
        "type=bind,from=dependencies,source=/usr/local/bin/uv,target=/usr/local/bin/uv".to_owned(),
    );
    writer.script.run(
        &mounts,
        &["UV_CACHE_DIR=/cache/uv UV_LINK_MODE=copy uv pip install debugpy".to_owned()],
    );
    writer.script.line(&format!("USER {USER}:{USER}"));
    if let Some(words) = debugged(&command) {
        writer.script.line(&format!("EXPOSE {DEBUG_PORT}"));
        writer.script.exec("CMD", &words);
    }

    writer
        .script
        .stage("runtime", "production", "What is published and runs.");
    files(writer, source);
}
