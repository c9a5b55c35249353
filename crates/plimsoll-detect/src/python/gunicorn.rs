//! Gunicorn's configuration files: Python that the server runs before it serves. Read by their syntax tree, never run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Evidence, Span, Spanned};

use crate::places;
use crate::python::candidate::{Candidate, Launch};
use crate::python::command::Started;
use crate::python::evaluate::{Constant, evaluate};
use crate::python::module::Module;
use crate::python::service::Claimed;
use crate::python::value::Value;
use crate::python::workspace::Workspace;

/// The file that Gunicorn reads without being told.
const USUAL: &str = "gunicorn.conf.py";

/// What one file says.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    pub(crate) path: Arc<Path>,
    /// `module:variable`, where the file names it.
    application: Option<String>,
    /// The port of the first address that it listens on.
    pub(crate) port: Option<Spanned<u16>>,
    /// How many processes serve one container. It says nothing about how many containers there may be.
    pub(crate) workers: Option<Spanned<u32>>,
    /// Where it asks for workers that speak ASGI.
    pub(crate) asgi: Option<Span>,
}

impl Configuration {
    fn of(module: &Module) -> Option<Self> {
        let stated = |name: &str| {
            let binding = module.top_value(name)?;
            let value = match binding.value.as_ref()? {
                Value::List(values) => values.first()?,
                value => value,
            };
            let constant = evaluate(value, module, "");
            Some(Spanned::new(constant, module.span(binding.place)))
        };
        let keys = ["bind", "workers", "worker_class", "wsgi_app"];
        keys.iter().find_map(|key| module.top_value(key))?;
        let text = |name: &str| {
            let constant = stated(name)?;
            Some(Spanned {
                value: constant.value.text?,
                span: constant.span,
            })
        };
        let number =
            |constant: &Constant| constant.number().and_then(|number| number.try_into().ok());
        Some(Self {
            path: module.path.clone(),
            application: text("wsgi_app").map(|text| text.value),
            port: text("bind").and_then(|bind| {
                let port = port_of(&bind.value)?;
                Some(bind.map(|_| port))
            }),
            workers: stated("workers").and_then(|workers| {
                let number = number(&workers.value)?;
                Some(workers.map(|_| number))
            }),
            asgi: text("worker_class")
                .filter(|class| speaks_asgi(&class.value))
                .and_then(|class| class.span),
        })
    }

    /// Whether the file names another application than the one in the module `dotted`.
    fn is_of_another(&self, dotted: &str) -> bool {
        self.application.as_ref().is_some_and(|application| {
            let module = application.split(':').next().unwrap_or_default();
            module != dotted && !dotted.ends_with(&format!(".{module}"))
        })
    }

    /// Whether Gunicorn finds the file by itself when it is started in `directory`.
    pub(crate) fn is_found_in(&self, directory: &Path) -> bool {
        *self.path == *directory.join(USUAL)
    }
}

/// Whether workers of this class speak ASGI.
pub(crate) fn speaks_asgi(class: &str) -> bool {
    ["uvicorn", "asgi"].iter().any(|word| class.contains(word))
}

/// The port of `0.0.0.0:8000`, `[::]:8000` and `:8000`.
fn port_of(bind: &str) -> Option<u16> {
    let (_, port) = bind.split(',').next()?.rsplit_once(':')?;
    port.trim().parse().ok().filter(|port| *port > 0)
}

/// Every configuration of a tree: files of the usual name, and those that `named` lists as commands write them.
pub(crate) fn configurations(workspace: &Workspace<'_>, named: &[PathBuf]) -> Vec<Configuration> {
    let files = workspace.tree.files().iter().filter(|file| {
        let called = |name: &Path| {
            file.path
                .file_name()
                .is_some_and(|own| Some(own) == name.file_name())
        };
        called(Path::new(USUAL)) || named.iter().any(|path| called(path))
    });
    files
        .filter(|file| places::set_aside(&file.path).is_none())
        .filter(|file| {
            file.path
                .extension()
                .is_some_and(|extension| extension == "py")
        })
        .filter_map(|file| Configuration::of(&*workspace.modules.get(&file.path)?))
        .collect()
}

/// The configuration that the application in the file at `path`, whose module is `dotted`, is served with: the one
/// that its command names, else the one beside its manifest.
pub(crate) fn of<'c>(
    all: &'c [Configuration],
    workspace: &Workspace<'_>,
    (dotted, path): (&str, &Path),
    named: Option<&Path>,
) -> Option<&'c Configuration> {
    if let Some(named) = named {
        // A path in an image is known by how it ends.
        let fitting = all
            .iter()
            .filter(|one| one.path.file_name() == named.file_name());
        return fitting.max_by_key(|one| places::common(&one.path, path).components().count());
    }
    let project = workspace
        .project_of(path)
        .map(|project| project.directory.clone());
    let root = workspace.home(path).0;
    let directories = [project.unwrap_or_default(), root];
    let mut usual = directories
        .iter()
        .filter_map(|directory| all.iter().find(|one| one.is_found_in(directory)));
    usual.find(|one| !one.is_of_another(dotted))
}

/// The port of Gunicorn's configuration, where no command says another one.
pub(crate) fn bound<'c>(candidate: &Candidate, claimed: Claimed<'c>) -> Option<&'c Spanned<u16>> {
    let served = matches!(candidate.launch, Launch::Asgi { .. } | Launch::Wsgi { .. });
    let configuration = claimed
        .gunicorn
        .filter(|_| served && claimed.port.is_none());
    configuration?.port.as_ref()
}

/// Names a configuration that Gunicorn would not find by itself.
pub(crate) fn configuration_named(
    configuration: &Configuration,
    directory: &Path,
    started: &mut Started,
) {
    let Some(at) = started.command.iter().position(|word| word == "gunicorn") else {
        return;
    };
    if !configuration.is_found_in(directory) && configuration.path.starts_with(directory) {
        let file = places::below(&configuration.path, directory);
        let words = ["--config".to_owned(), places::text(&file).to_owned()];
        started.command.splice(at + 1..at + 1, words);
    }
}

/// Several processes, each with a state of its own, where there has to be one.
pub(crate) fn several_workers(
    workers: Option<&Spanned<u32>>,
    kept: Option<&Evidence>,
) -> Option<Diagnostic> {
    let workers = workers?;
    let at = kept.filter(|_| workers.value > 1)?;
    let what = at.why.split(':').next().unwrap_or(&at.why);
    Some(
        Diagnostic::warning(format!(
            "asks for {} worker processes of what {what} ({}:{})",
            workers.value,
            at.span.file.display(),
            at.span.start.line
        ))
        .at(workers.span.clone())
        .hint("each process has its own; ask for one, or keep the state outside"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_tell_their_port() {
        for (bind, wanted) in [
            ("0.0.0.0:8000", Some(8000)),
            (":9000", Some(9000)),
            ("[::]:9100", Some(9100)),
            ("127.0.0.1:1,0.0.0.0:2", Some(1)),
            ("unix:/run/app.sock", None),
            ("0.0.0.0", None),
        ] {
            assert_eq!(port_of(bind), wanted, "{bind}");
        }
    }
}
