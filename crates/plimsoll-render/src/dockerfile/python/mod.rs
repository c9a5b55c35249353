//! Dockerfiles of Python applications, after uv's own guide: dependencies from the lock file first,
//! the sources last, and only the environment that comes of it in the image that runs.

mod bare;
mod command;
mod install;

use plimsoll_model::{PythonDependencies, PythonRecipe};

use super::script::word;
use super::site::{copy_pages, pages};
use super::{NOBODY, USER, Writer, images, place};
pub(crate) use command::{DEBUG_PORT, debugged, reloading, reloads};
use install::{
    bind, dependencies, development_extras, development_requirements, enter, installs, project,
    tool, undeclared, with_included,
};

/// The version of uv that installs; it comes from the package index, like everything else.
const UV: &str = "0.13.8";

pub(super) fn write(writer: &mut Writer<'_, '_>, python: &PythonRecipe) {
    let preferred = python.preferred_python.as_ref().map(|it| it.value.clone());
    let reference = images::python(
        preferred.or_else(|| of_own_dockerfile(writer)).as_deref(),
        python.requires_python.as_ref().map(|it| it.value.as_str()),
    );
    let base = writer.base(&reference);
    let is_bare = bare::is_bare(python);
    let settings = match is_bare {
        true => "--secret id=pip,src=pip.conf",
        false => "--secret id=uv,src=uv.toml and --secret id=pip,src=pip.conf",
    };
    writer
        .script
        .note(&format!("\nA private package index: {settings}."));
    writer
        .script
        .stage(&base, "base", "What every stage stands on.");
    let own = (!is_bare).then_some(("VIRTUAL_ENV", "/app/.venv"));
    let everywhere = [
        ("LANG", "C.UTF-8"),
        ("PYTHONUNBUFFERED", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ];
    writer.script.environment(everywhere.into_iter().chain(own));
    if own.is_some() {
        writer.script.line("ENV PATH=\"/app/.venv/bin:${PATH}\"");
    }
    writer.system(&[]);
    writer.script.line("WORKDIR /app");
    if is_bare {
        return bare::write(writer, python);
    }

    writer.script.stage(
        "base",
        "dependencies",
        "What the application needs, from its lock file; made anew only when that changes.",
    );
    writer.script.environment([
        ("PIP_CACHE_DIR", "/cache/pip"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PIP_ROOT_USER_ACTION", "ignore"),
        // What is compiled has the same bytes on another day.
        ("PYC_INVALIDATION_MODE", "UNCHECKED_HASH"),
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
                "{}uv sync --frozen --python python3 --no-install-workspace --inexact{package}",
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
    // The caches that others use stay root's.
    in_development(writer, &[("HOME", "/tmp"), ("UV_CACHE_DIR", "/tmp/uv")]);
}

/// How the application runs for whoever works at it, and its tests.
fn in_development(writer: &mut Writer<'_, '_>, variables: &[(&str, &str)]) {
    writer.volumes(NOBODY.1);
    let variables: Vec<String> = variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    writer.script.line(&format!("ENV {}", variables.join(" ")));
    writer.recipe_environment("PYTHONUNBUFFERED");
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

    let command = runtime(writer);
    let files = |writer: &mut Writer<'_, '_>, from: &str| {
        writer
            .script
            .line(&format!("COPY --from={from} /app/.venv /app/.venv"));
        writer.script.line(&format!("COPY {directory} /app/"));
        copy_pages(writer);
    };
    writer.script.stage(
        "runtime",
        "slim",
        "The smallest image; its first start is slower.",
    );
    files(writer, "lean");

    writer.debug_stage();
    files(writer, source);
    let mut mounts = installs(&[]);
    mounts.push(
        "type=bind,from=dependencies,source=/usr/local/bin/uv,target=/usr/local/bin/uv".to_owned(),
    );
    writer.script.run(
        &mounts,
        &["UV_CACHE_DIR=/cache/uv UV_LINK_MODE=copy uv pip install debugpy".to_owned()],
    );
    under_debugger(writer, &command);

    writer
        .script
        .stage("runtime", "production", "What is published and runs.");
    files(writer, source);
}

/// The stage with everything but files: how the application runs. Gives its command.
fn runtime(writer: &mut Writer<'_, '_>) -> Vec<String> {
    pages(writer);
    writer
        .script
        .stage("base", "runtime", "How the application runs.");
    writer.script.line("ENV HOME=/home/app");
    writer.recipe_environment("PYTHONUNBUFFERED");
    let command = writer.command();
    writer.start(&command);
    command
}

/// Starts a command under a debugger, where it can be.
fn under_debugger(writer: &mut Writer<'_, '_>, command: &[String]) {
    writer.script.line(&format!("USER {USER}:{USER}"));
    if let Some(words) = debugged(command) {
        writer.script.line(&format!("EXPOSE {DEBUG_PORT}"));
        writer.script.exec("CMD", &words);
    }
}
