//! Every Dockerfile of a tree, weighed against what the code says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Spanned};

use crate::claims::health::{Check, of_dockerfile, unknown_flag};
use crate::claims::matching::{Claim, Match, find, of_stage};
use crate::claims::{
    Deployments, Dockerfile, GunicornArguments, Launched, Stage, Starts, deployments,
    environment_file, gunicorn_arguments, start_scripts,
};
use crate::detection::{DetectedService, Detection, Problem, Rejected, ServiceKind};
use crate::places;
use crate::tree::Tree;

/// The Dockerfiles of a tree that count.
#[derive(Debug, Default)]
pub(crate) struct Reviewed {
    pub(crate) files: Vec<Dockerfile>,
    pub(crate) rejected: Vec<Rejected>,
    /// What start scripts start.
    pub(crate) launched: Vec<Launched>,
    /// What files that deploy it say.
    pub(crate) deployments: Deployments,
    /// The directories that Dockerfiles are built in, where a file says so.
    contexts: BTreeMap<PathBuf, PathBuf>,
    /// The directories above Dockerfiles that lie beside none of the files they copy.
    above: BTreeMap<PathBuf, PathBuf>,
    /// What Gunicorn is told by the environment.
    pub(super) gunicorn: Vec<GunicornArguments>,
}

impl Reviewed {
    /// Reads the Dockerfiles of a tree: in each directory one counts, others are variants of it.
    pub(crate) fn read(tree: &Tree) -> Self {
        let mut found = Self {
            launched: start_scripts::read(tree),
            deployments: Deployments::read(tree),
            ..Self::default()
        };
        for file in tree.files() {
            let name = file
                .path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            let plain = matches!(name, "Dockerfile" | "Containerfile");
            if !plain
                && !name.starts_with("Dockerfile.")
                && !name.ends_with(".Dockerfile")
                && !name.ends_with(".dockerfile")
            {
                continue;
            }
            let beside = file.path.with_file_name("Dockerfile");
            let why = places::set_aside(&file.path)
                // Nothing generates these: Go's projects have them in `build`.
                .filter(|why| *why != places::GENERATED)
                .map(str::to_owned)
                .or_else(|| {
                    (!plain && tree.has_file(&beside))
                        .then(|| format!("a variant of `{}`", places::text(&beside)))
                });
            if let Some(why) = why {
                found.rejected.push(Rejected {
                    path: file.path.clone(),
                    looks_like: "Dockerfile".to_owned(),
                    why,
                });
            } else if let Some(file) = Dockerfile::read(tree, &file.path) {
                found.files.push(file);
            }
        }
        let built = found.deployments.programs.iter().filter_map(|program| {
            let file = program.dockerfile.as_ref()?;
            Some((file.value.clone(), program.directory.clone()?))
        });
        found.contexts = built.collect();
        let above = found.files.iter().filter_map(|file| {
            let directory = above_of(tree, file)?;
            Some((file.path.clone(), directory))
        });
        found.above = above.collect();
        found.gunicorn = gunicorn_arguments::read(tree, &found);
        found
    }

    /// The directory that a Dockerfile is built in: the one it is about unless a file says another one.
    pub(crate) fn context<'s>(&'s self, file: &'s Dockerfile) -> &'s Path {
        let stated = self.contexts.get(&file.path).map(PathBuf::as_path);
        stated.unwrap_or_else(|| self.place(file))
    }

    /// The directory that a Dockerfile is about: its own, or the one above that has what it copies.
    pub(super) fn place<'s>(&'s self, file: &'s Dockerfile) -> &'s Path {
        let above = self.above.get(&file.path).map(PathBuf::as_path);
        above.unwrap_or_else(|| file.path.parent().unwrap_or(Path::new("")))
    }

    /// What commands start, wherever one is written, and the directory that each is said about.
    pub(crate) fn commands(&self) -> impl Iterator<Item = (Starts, PathBuf)> + '_ {
        let scripts = self
            .launched
            .iter()
            .map(|launched| (launched.starts.clone(), launched.directory.clone()));
        scripts.chain(self.deployed_commands())
    }

    /// What images, of each stage that may be built, and files that deploy the project start.
    fn deployed_commands(&self) -> impl Iterator<Item = (Starts, PathBuf)> + '_ {
        let images = self.files.iter().flat_map(|file| {
            let directory = self.place(file);
            file.images().filter_map(move |image| {
                Some((of_stage(&image, directory).starts?, directory.to_owned()))
            })
        });
        let deployed = self.deployments.programs.iter().filter_map(|deployed| {
            let directory = deployed.directory.clone().unwrap_or_default();
            Some((deployed.starts()?, directory))
        });
        images.chain(deployed)
    }

    /// Whether an image or a file that deploys the project starts the file at `path`, whose module is `dotted`.
    pub(crate) fn deploys(&self, dotted: &str, path: &Path) -> bool {
        self.deployed_commands()
            .any(|(starts, directory)| starts.is_about(dotted) && path.starts_with(directory))
    }

    /// The port that the commands say which serve the application in the file at `path`, whose module is `dotted`,
    /// where those that run it somewhere agree.
    pub(crate) fn served_on(&self, dotted: &str, path: &Path) -> Option<u16> {
        let of = |starts: &Starts| match starts {
            Starts::Application { port, .. } if starts.is_about(dotted) => *port,
            _ => None,
        };
        let images = self.files.iter().filter_map(|file| {
            let directory = self.place(file);
            let claim = of_stage(&file.image(None), directory);
            let meant = path.starts_with(directory) && claim.may_hold(path);
            of(claim.starts.as_ref()?).filter(|_| meant)
        });
        let deployed = self.deployments.programs.iter().filter_map(|program| {
            let directory = program.directory.as_deref().unwrap_or(Path::new(""));
            of(&program.starts()?).filter(|_| path.starts_with(directory))
        });
        // Scripts start it on a developer's machine as well.
        let mut ports = images.chain(deployed);
        let first = ports.next()?;
        ports.all(|port| port == first).then_some(first)
    }

    /// What Dockerfiles say of the port of `module:variable`, and of the Python version of its directory.
    pub(crate) fn about(
        &self,
        tree: &Tree,
        dotted: &str,
        path: &Path,
    ) -> (Option<u16>, Option<&Dockerfile>) {
        let near = |file: &&Dockerfile| path.starts_with(self.context(file));
        let port = self.files.iter().filter(near).find_map(|file| {
            let image = file.image(None);
            let directory = self.context(file);
            let claim = of_stage(&image, directory);
            if !claim.may_hold(path) {
                return None;
            }
            let starts = claim.starts?;
            match &starts {
                Starts::Module(_) => {
                    let named = starts.file()?;
                    let beside = directory.join(&named);
                    // Of several files of a name, the one beside the Dockerfile is meant.
                    let same = match tree.has_file(&beside) {
                        true => path == beside,
                        false => path.ends_with(&named),
                    };
                    same.then(|| stated_port(&image).or_else(|| only_port(&image)))
                        .flatten()
                }
                Starts::Application { target, port, .. } => {
                    let module = target.split(':').next().unwrap_or_default().to_owned();
                    let same = module == dotted
                        || dotted.ends_with(&format!(".{module}"))
                        || dotted.starts_with(&format!("{module}."));
                    let exposed = || image.ports.first().map(|port| port.value);
                    same.then(|| (*port).or_else(exposed)).flatten()
                }
                _ => None,
            }
        });
        let port = port.or_else(|| self.deployments.port(dotted, path, &self.files));
        (port, self.files.iter().rfind(near))
    }
}

impl Dockerfile {
    /// Whether its image starts the module `dotted`.
    pub(crate) fn starts_module(&self, dotted: &str) -> bool {
        let starts = of_stage(&self.image(None), Path::new("")).starts;
        starts.is_some_and(|starts| starts.is_about(dotted))
    }

    /// Whether it lies around the file at `path`, and its image starts that file's module.
    pub(crate) fn is_about(&self, dotted: &str, path: &Path) -> bool {
        let directory = self.path.parent().unwrap_or(Path::new(""));
        path.starts_with(directory) && self.starts_module(dotted)
    }
}

/// The port that an image's own command says: `--server.port=8502`, `--port 8000`.
fn stated_port(image: &Stage) -> Option<u16> {
    const FLAGS: &[&str] = &["--server.port", "--server_port", "--port", "-p"];
    let words = |line: &Option<Spanned<crate::claims::Line>>| {
        line.as_ref().map(|line| line.words()).unwrap_or_default()
    };
    let whole = [words(&image.entrypoint), words(&image.command)].concat();
    whole.iter().enumerate().find_map(|(index, word)| {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, value),
            None => (word.as_str(), whole.get(index + 1)?.as_str()),
        };
        FLAGS.contains(&flag).then(|| value.parse().ok()).flatten()
    })
}

/// The port of an image that says just one.
pub(super) fn only_port(image: &Stage) -> Option<u16> {
    match image.ports.as_slice() {
        [only] => Some(only.value),
        _ => None,
    }
}

/// The closest directory above a Dockerfile that has a file which it copies, where its own has none of them:
/// `docker/Dockerfile` is built from the directory above.
fn above_of(tree: &Tree, file: &Dockerfile) -> Option<PathBuf> {
    let copied: Vec<&str> = file
        .stages
        .iter()
        .flat_map(|stage| &stage.copies)
        .map(|source| source.value.trim_end_matches('/'))
        .filter(|source| !source.contains(['*', '$']) && !matches!(*source, "" | "." | ".."))
        .collect();
    let holds = |directory: &Path| {
        copied
            .iter()
            .filter_map(|source| places::within(directory, source.trim_start_matches('/')))
            .any(|path| tree.has_file(&path) || tree.has_directory(&path))
    };
    let own = file.path.parent()?;
    let starts_own = file.images().any(|image| {
        let started = of_stage(&image, own)
            .starts
            .and_then(|starts| starts.file());
        started.is_some_and(|started| tree.has_file(&own.join(started)))
    });
    if starts_own {
        return None;
    }
    let mut above = own.ancestors();
    let found = above.find(|directory| holds(directory))?;
    (found != own).then(|| found.to_owned())
}

/// Adds to a detection what the claims of its tree contradict.
pub(crate) fn review(tree: &Tree, reviewed: &Reviewed, detection: &mut Detection) {
    let mut found: Vec<Diagnostic> = environment_file::review(tree, &detection.environment);
    found.extend(start_scripts::review(tree, &reviewed.launched));
    found.extend(deployments::review(
        tree,
        &reviewed.deployments,
        &detection.services,
    ));
    deployments::witness(tree, &reviewed.deployments, &mut detection.services);
    for file in &reviewed.files {
        let context = file.path.parent().unwrap_or(Path::new("")).to_path_buf();
        let image = file.image(None);
        let claim = of_stage(&image, &context);
        found.extend(contradictions(
            &image,
            &claim,
            &context,
            &detection.services,
        ));
        let own = image.entrypoint.as_ref().or(image.command.as_ref());
        let program = own.and_then(|line| line.value.words().first().cloned());
        if let (Some(health), Some(program)) = (&image.health, program)
            && let Some(check) = of_dockerfile(&health.value)
            && let Some(flag) = unknown_flag(tree, &check, &program)
        {
            found.push(flag_contradiction(flag, health.span.clone()));
        }
    }
    detection.rejected.extend(reviewed.rejected.iter().cloned());
    detection
        .rejected
        .sort_by(|one, other| (&one.path, &one.looks_like).cmp(&(&other.path, &other.looks_like)));
    detection.problems.extend(found.iter().map(Problem::from));
    detection.problems.sort_by(|one, other| {
        (one.severity, &one.path, one.line, &one.what).cmp(&(
            other.severity,
            &other.path,
            other.line,
            &other.what,
        ))
    });
    detection.problems.dedup();
    detection.files_read = tree.files_read();
}

fn contradictions(
    image: &Stage,
    claim: &Claim,
    context: &PathBuf,
    services: &[DetectedService],
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let inside: Vec<&DetectedService> = services
        .iter()
        .filter(|service| service.root.starts_with(context) || context.starts_with(&service.root))
        .collect();
    if let Some(health) = &image.health {
        found.extend(health_contradiction(image, health));
    }
    let Match::One(service) = find(claim, &inside) else {
        return found;
    };
    if service.kind == ServiceKind::McpStdio {
        for port in &image.ports {
            found.push(
                Diagnostic::warning(format!(
                    "exposes port {}, but `{}` speaks over standard input and output and listens on none",
                    port.value, service.name
                ))
                .at(port.span.clone())
                .hint("drop it"),
            );
        }
    }
    let told = match &claim.starts {
        Some(Starts::Application { port, .. }) => port.is_some(),
        _ => false,
    };
    if !told && !image.sets_port() {
        found.extend(elsewhere("exposes", &image.ports, service));
    }
    if let Some(health) = &image.health
        && let Some(Check::Http { path, .. }) = of_dockerfile(&health.value)
    {
        found.extend(route_contradiction(&path, health.span.clone(), service));
    }
    found
}

/// Ports of which the service listens on none.
pub(crate) fn elsewhere(
    verb: &str,
    ports: &[Spanned<u16>],
    service: &DetectedService,
) -> Option<Diagnostic> {
    let listens = *service.ports.first()?;
    let stated = ports.first()?;
    let fits = ports.iter().any(|port| {
        service.ports.contains(&port.value) || service.development_port == Some(port.value)
    });
    // What serves files may do so anywhere, and code that names no port does not contradict one.
    if fits || service.kind == ServiceKind::Ui || service.assumes_port {
        return None;
    }
    Some(
        Diagnostic::warning(format!(
            "{verb} port {}, but `{}` listens on {listens} ({}:{})",
            stated.value,
            service.name,
            service.defined_at.file.display(),
            service.defined_at.start.line
        ))
        .at(stated.span.clone())
        .hint(format!(
            "name port {listens}, or tell the program the other one"
        )),
    )
}

/// A health check by a flag that the program does not have.
pub(crate) fn flag_contradiction(flag: &str, span: Option<plimsoll_diag::Span>) -> Diagnostic {
    Diagnostic::warning(format!(
        "health check calls the program with `--{flag}`, which no source parses"
    ))
    .at(span)
    .hint("it starts the program a second time; ask the service itself")
}

/// A path that a health check asks for and that no route answers.
pub(crate) fn route_contradiction(
    path: &str,
    span: Option<plimsoll_diag::Span>,
    service: &DetectedService,
) -> Option<Diagnostic> {
    if service.routes.is_empty() || answers(&service.routes, path) {
        return None;
    }
    let mut diagnostic = Diagnostic::warning(format!(
        "health check asks for `{path}`, which `{}` does not answer",
        service.name
    ))
    .at(span);
    if let Some(crate::detection::Health::Http(route)) = &service.health {
        let at = route
            .span
            .as_ref()
            .map(|span| format!(" ({}:{})", span.file.display(), span.start.line))
            .unwrap_or_default();
        diagnostic = diagnostic.hint(format!("ask for `{}`{at}; Plimsoll does", route.path));
    }
    Some(diagnostic)
}

/// Whether one of the routes answers a path; `{x}` stands for any part.
pub(crate) fn answers(routes: &[String], path: &str) -> bool {
    let parts = |text: &str| {
        text.trim_matches('/')
            .split('/')
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let wanted = parts(path);
    routes.iter().any(|route| {
        let known = parts(route);
        known.len() == wanted.len()
            && known
                .iter()
                .zip(&wanted)
                .all(|(known, wanted)| known == wanted || known.starts_with(['{', '<', ':']))
    })
}

fn health_contradiction(
    image: &Stage,
    health: &Spanned<crate::claims::Line>,
) -> Option<Diagnostic> {
    let Check::Processes { program } = of_dockerfile(&health.value)? else {
        return None;
    };
    let has_it = image
        .packages
        .iter()
        .any(|package| package.value == "procps");
    let slim = image
        .base
        .as_ref()
        .is_some_and(|base| base.value.contains("slim"));
    (slim && !has_it && program != "kill").then(|| {
        Diagnostic::warning(format!(
            "health check calls `{program}`, which the image does not have"
        ))
        .at(health.span.clone())
        .hint("it stays unhealthy for ever; drop it, or ask the service itself")
    })
}
