//! Applications that need nothing but Python itself: no environment, no manager, no compilers. Only
//! who works at them gets tools.

use plimsoll_model::{PythonDependencies, PythonRecipe};

use super::super::site::copy_pages;
use super::super::{NOBODY, Writer, place, script::word};
use super::install::{bind, development_requirements, with_included};

/// Installs beside the base's own Python.
const PIP: &str = "PIP_CACHE_DIR=/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
     pip install";

/// Mounts of a step that installs, with the files it reads.
fn installs(files: Vec<String>) -> Vec<String> {
    let own = [
        "type=cache,target=/cache",
        "type=secret,id=pip,target=/etc/pip.conf",
    ];
    own.map(str::to_owned).into_iter().chain(files).collect()
}

/// Whether nothing is installed for an application, nor it itself.
pub(super) fn is_bare(python: &PythonRecipe) -> bool {
    matches!(python.dependencies, PythonDependencies::None)
        && python.undeclared.is_empty()
        && python.install_project.is_none()
}

/// Writes all stages after the base.
pub(super) fn write(writer: &mut Writer<'_, '_>, python: &PythonRecipe) {
    let directory = writer.place.directory();
    writer.script.stage(
        "base",
        "dev",
        "For development: its tools, a debugger, and a server that reloads what changes.",
    );
    let files = development_requirements(writer, python);
    let named: String = files
        .iter()
        .map(|file| format!(" --requirement {}", word(&place::text(file))))
        .collect();
    let mounts: Vec<String> = with_included(writer, &files)
        .iter()
        .map(|file| bind(writer, file))
        .collect();
    writer
        .script
        .run(&installs(mounts), &[format!("{PIP} debugpy pytest{named}")]);
    writer
        .script
        .line(&format!("COPY --chown={0}:{0} {directory} ./", NOBODY.1));
    super::in_development(writer, &[("HOME", "/tmp")]);

    let command = super::runtime(writer);
    let copy = format!("COPY {directory} /app/");
    writer.script.stage(
        "runtime",
        "slim",
        "The same as production, of which nothing can be left out.",
    );
    writer.script.line(&copy);
    copy_pages(writer);
    writer.debug_stage();
    writer.script.line(&copy);
    copy_pages(writer);
    writer
        .script
        .run(&installs(Vec::new()), &[format!("{PIP} debugpy")]);
    super::under_debugger(writer, &command);
    writer
        .script
        .stage("runtime", "production", "What is published and runs.");
    writer.script.line(&copy);
    copy_pages(writer);
}
