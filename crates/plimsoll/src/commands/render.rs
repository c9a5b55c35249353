//! `plimsoll render`: the files that others run the project by.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Severity};
use plimsoll_model::{FileSource, MountKind, Project, RecipeKind};
use plimsoll_render::{
    ClusterOptions, Discovery, Entry, Fidelity, Input, Loss, Mesh, PathTaken, Rendering,
    SecretSource, Stage, Target,
};

use crate::cli::{MeshChoice, RenderArguments, RenderStage, RenderTarget, SecretChoice};
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::printer::{Form, Printer};
use crate::project::{self, Rendered};
use crate::published_images;
use crate::rendered_files::{self, Change, Compared};
use crate::rendered_report;
use crate::settings::Settings;

/// Files up to this size are small enough to stand in a manifest.
const SMALL: u64 = 1 << 20;

/// Renders targets into a directory, or tells what that would change.
pub(crate) fn run(
    settings: &Settings,
    arguments: &RenderArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let loaded = project::load_for_rendering(settings)?;
    for warning in &loaded.warnings {
        printer.tell(warning);
    }
    let Outcome { rendering, refused } = render(&loaded, arguments)?;
    let directory = arguments
        .output
        .as_ref()
        .map_or_else(|| settings.directory.clone(), |path| path.clone());
    let compared = rendered_files::compare(&rendering, &directory)?;
    if printer.form() == Form::Json {
        tell_json(&rendering, &refused, &compared, printer);
    }
    tell_losses(&rendering.losses, arguments, printer);
    match (
        write(&compared, &directory, arguments, printer),
        refused.failure(),
    ) {
        (written, None) => written,
        (Ok(_), Some(refusal)) => Err(refusal),
        (Err(mut failure), Some(refusal)) => {
            failure.diagnostics.extend(refusal.diagnostics);
            Err(failure)
        }
    }
}

/// Writes the files, or tells what that would change.
fn write(
    compared: &[Compared<'_>],
    directory: &Path,
    arguments: &RenderArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    // Everything was refused, which is told.
    if compared.is_empty() {
        return Ok(ExitStatus::Success);
    }
    if arguments.diff {
        rendered_report::differences(compared, printer);
        return Ok(ExitStatus::Success);
    }
    if arguments.check {
        return Ok(rendered_report::check(compared, "render", printer));
    }
    let foreign: Vec<&str> = compared
        .iter()
        .filter(|file| file.change == Change::Foreign)
        .map(|file| file.path)
        .collect();
    if !foreign.is_empty() && !arguments.force {
        return Err(not_ours(&foreign));
    }
    rendered_files::write(compared, directory)?;
    rendered_report::summary(compared, directory, printer);
    Ok(ExitStatus::Success)
}

/// What is rendered, and what is not.
struct Outcome {
    /// The files of targets that say the project as it is meant.
    rendering: Rendering,
    refused: Refused,
}

/// Targets of which nothing is written, and why.
#[derive(Default)]
struct Refused {
    targets: Vec<Target>,
    losses: Vec<Loss>,
}

impl Refused {
    /// The reasons, each once: two targets may refuse the same.
    fn failure(&self) -> Option<Failure> {
        if self.targets.is_empty() {
            return None;
        }
        let words: Vec<&str> = self.targets.iter().map(|target| target.word()).collect();
        let mut diagnostics: Vec<Diagnostic> = self
            .losses
            .iter()
            .map(|loss| {
                let mut diagnostic = diagnostic(loss);
                diagnostic.severity = Severity::Error;
                diagnostic
            })
            .collect();
        if let Some(last) = diagnostics.pop() {
            diagnostics.push(last.hint(format!("not rendered: {}", words.join(", "))));
        }
        Some(Failure {
            diagnostics,
            status: ExitStatus::Failure,
        })
    }
}

/// Renders target by target: one that refuses something keeps no other from being written.
fn render(loaded: &Rendered, arguments: &RenderArguments) -> Result<Outcome, Failure> {
    let images = match &arguments.images {
        Some(file) => published_images::read(file, &loaded.project)?,
        None => BTreeMap::new(),
    };
    let contents = small_files(&loaded.project);
    let input = Input {
        project: &loaded.project,
        extensions: &loaded.extensions,
        model: loaded.model.as_ref(),
        stage: stage(arguments.env),
        registry: arguments.registry.as_deref(),
        images: &images,
        contents: &contents,
        cluster: cluster_options(arguments),
    };
    let targets: BTreeSet<Target> = arguments
        .targets
        .iter()
        .flat_map(|&one| target(one))
        .collect();
    let mut outcome = Outcome {
        rendering: Rendering::default(),
        refused: Refused::default(),
    };
    for target in targets {
        let taken = |PathTaken(path)| {
            Failure::internal(Diagnostic::error(format!(
                "two targets render `{path}` differently"
            )))
        };
        let one = plimsoll_render::render(&input, &[target]).map_err(taken)?;
        let stands_against = |loss: &&Loss| match loss.fidelity {
            Fidelity::Refused => true,
            Fidelity::Dropped => arguments.strict,
            Fidelity::Approximate => false,
        };
        let reasons: Vec<Loss> = one.losses.iter().filter(stands_against).cloned().collect();
        if reasons.is_empty() {
            outcome.rendering.extend(one).map_err(taken)?;
            continue;
        }
        outcome.refused.targets.push(target);
        for loss in reasons {
            if !outcome.refused.losses.contains(&loss) {
                outcome.refused.losses.push(loss);
            }
        }
    }
    Ok(outcome)
}

/// Files that say what a build installs and leaves out.
fn read_by_builds(project: &Project) -> impl Iterator<Item = PathBuf> {
    let recipes = project
        .services
        .values()
        .filter_map(|service| service.recipe.as_ref());
    let directories: BTreeSet<PathBuf> = recipes
        .flat_map(|recipe| {
            let root = match &recipe.kind {
                RecipeKind::Python(python) => python.root.as_path(),
                RecipeKind::StaticSite(site) => site.root.as_path(),
                RecipeKind::NodeServer(node) => node.root.as_path(),
                _ => Path::new(""),
            };
            let root = recipe.context.join(root);
            [recipe.context.clone(), root.join("requirements"), root]
        })
        .collect();
    directories
        .into_iter()
        .flat_map(|directory| fs_err::read_dir(directory).into_iter().flatten())
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name == "pyproject.toml"
                || name == "package.json"
                || name.starts_with("Dockerfile")
                || name.ends_with(".txt")
        })
        .chain([".dockerignore", ".env.example"].map(|name| project.directory.join(name)))
        .chain(project.files.iter().cloned())
}

/// The text of small files of the project that services mount, and that builds read.
fn small_files(project: &Project) -> BTreeMap<PathBuf, String> {
    let mounts = project.services.values().flat_map(|service| {
        service
            .volumes
            .iter()
            .filter_map(|mount| match &mount.value.kind {
                MountKind::Bind { source, .. } => Some(source.clone()),
                _ => None,
            })
    });
    let configs = project
        .configs
        .values()
        .filter_map(|config| match &config.source {
            FileSource::File(path) => Some(path.clone()),
            _ => None,
        });
    mounts
        .chain(configs)
        .chain(read_by_builds(project))
        .filter(|path| path.starts_with(&project.directory))
        .filter(|path| {
            fs_err::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= SMALL)
        })
        .filter_map(|path| {
            let text = fs_err::read_to_string(&path).ok()?;
            Some((path, text))
        })
        .collect()
}

fn target(word: RenderTarget) -> Vec<Target> {
    match word {
        RenderTarget::All => Target::ALL.to_vec(),
        RenderTarget::Dockerfile => vec![Target::Dockerfile],
        RenderTarget::Compose => vec![Target::Compose],
        RenderTarget::Kubernetes => vec![Target::Kubernetes],
        RenderTarget::Helm => vec![Target::Helm],
        RenderTarget::Ci => vec![Target::Ci],
        RenderTarget::Cloud => vec![Target::Cloud],
        RenderTarget::Monitoring => vec![Target::Monitoring],
        RenderTarget::Docs => vec![Target::Docs],
    }
}

fn cluster_options(arguments: &RenderArguments) -> ClusterOptions {
    ClusterOptions {
        entry: if arguments.ingress {
            Entry::Ingress
        } else {
            Entry::Gateway
        },
        secrets: match arguments.secrets {
            SecretChoice::External => SecretSource::External,
            SecretChoice::Sealed => SecretSource::Sealed,
            SecretChoice::Sops => SecretSource::Sops,
            SecretChoice::Plain => SecretSource::Plain,
        },
        mesh: arguments.mesh.map(|mesh| match mesh {
            MeshChoice::Istio => Mesh::Istio,
            MeshChoice::Linkerd => Mesh::Linkerd,
        }),
        discovery: if arguments.pod_monitors {
            Discovery::Operator
        } else {
            Discovery::Annotations
        },
    }
}

fn stage(word: RenderStage) -> Stage {
    match word {
        RenderStage::Dev => Stage::Development,
        RenderStage::Staging => Stage::Staging,
        RenderStage::Prod => Stage::Production,
    }
}

/// Tells like losses together, or each with its place.
fn tell_losses(losses: &[Loss], arguments: &RenderArguments, printer: &Printer) {
    if arguments.losses {
        for loss in losses {
            printer.tell(&diagnostic(loss));
        }
        return;
    }
    let mut is_shortened = false;
    for group in plimsoll_render::grouped(losses) {
        let mut told = diagnostic(group.losses[0]);
        if group.losses.len() > 1 {
            is_shortened = true;
            told.message = format!(
                "`{}` of {}: {}",
                group.key,
                owners(&group.owners),
                group.losses[0].what
            );
            told.span = None;
        }
        printer.tell(&told);
    }
    if is_shortened {
        printer.say("--losses tells each with its place");
    }
}

fn owners(all: &[&str]) -> String {
    const FIRST: usize = 6;
    let named: Vec<String> = all
        .iter()
        .take(FIRST)
        .map(|name| format!("`{name}`"))
        .collect();
    match all.len().saturating_sub(FIRST) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn diagnostic(loss: &Loss) -> Diagnostic {
    let message = format!("`{}`: {}", loss.subject, loss.what);
    let diagnostic = match loss.fidelity {
        Fidelity::Approximate => Diagnostic::note(message),
        Fidelity::Dropped => Diagnostic::warning(message),
        Fidelity::Refused => Diagnostic::error(message),
    };
    let diagnostic = diagnostic.at(loss.span.clone());
    match &loss.hint {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    }
}

fn tell_json(
    rendering: &Rendering,
    refused: &Refused,
    compared: &[Compared<'_>],
    printer: &Printer,
) {
    let losses: Vec<&Loss> = rendering.losses.iter().chain(&refused.losses).collect();
    printer.answer_json(&serde_json::json!({
        "schema": 1,
        "files": rendered_report::json(compared),
        "losses": losses,
        "refused": refused.targets,
    }));
}

fn not_ours(paths: &[&str]) -> Failure {
    let message = match paths {
        [one] => format!("`{one}` was not rendered here, or was edited since"),
        several => format!(
            "{} files were not rendered here, or were edited since: {}",
            several.len(),
            several
                .iter()
                .map(|path| format!("`{path}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    Failure::usage(
        Diagnostic::error(message)
            .hint("`--diff` shows what would change, `--force` overwrites")
            .hint("`-o DIR` renders elsewhere"),
    )
}
