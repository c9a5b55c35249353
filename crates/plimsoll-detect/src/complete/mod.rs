//! A project with a Compose file, completed by what its source tells.

mod celery;
mod checks;
mod commands;
mod dockerfiles;
mod moved_paths;
mod node;
mod own_images;
mod placed_scripts;
mod plain_pages;
mod programs;

use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Span};
use plimsoll_model::{Project, RecipeKind, Service, StagePurpose};

use crate::claims::flag_contradiction;
use crate::claims::health::{of_test, unknown_flag};
use crate::claims::matching::{Claim, Match, find, of_stage, starts_one_of};
use crate::claims::{Dockerfile, Stage, Starts, starts};
use crate::detection::{DetectedService, Detection, NeedKind, OneOf, ServiceKind, Variable};
use crate::{places, python};
pub use dockerfiles::{DockerfileUse, build_by_dockerfiles};
pub use own_images::{OwnImages, own_images};

use checks::{health, published_ports};
use commands::{run_python, serve_site};
use node::run_node;
use programs::run_program;

use crate::tree::{Bounds, Tree, TreeError};

/// How it is told that an application which a service starts is in no file.
const NOTHING_MAKES: &str = "which nothing in the code makes";

/// The port that a static site is served on.
const STATIC_PORT: u16 = 8080;

/// Fills in the recipe of every service that is built from source, and a health check where the Compose
/// file has none that can work. The diagnostics tell what the file says that the code does not.
pub fn complete(project: &mut Project) -> Result<Vec<Diagnostic>, TreeError> {
    complete_by(project, DockerfileUse::default(), &Tree::read)
}

/// The same, Dockerfiles used as wanted, and the tree below the project's directory read by `read`.
pub fn complete_by(
    project: &mut Project,
    dockerfiles: DockerfileUse,
    read: &dyn Fn(&Path) -> Result<Tree, TreeError>,
) -> Result<Vec<Diagnostic>, TreeError> {
    provisions(project);
    if project
        .services
        .values()
        .all(|service| service.build.is_none())
    {
        return Ok(Vec::new());
    }
    let tree = read(&project.directory)?;
    let detection = crate::detect(&tree);
    complete_with(project, &tree, &detection, dockerfiles)
}

/// The same, with a tree and its detection that are there already.
pub fn complete_with(
    project: &mut Project,
    tree: &Tree,
    detection: &Detection,
    dockerfiles: DockerfileUse,
) -> Result<Vec<Diagnostic>, TreeError> {
    let mut diagnostics = Vec::new();
    let variables = &mut project.variables;
    for service in project.services.values_mut() {
        if service.build.is_none() || service.recipe.is_some() {
            continue;
        }
        let mut told = Vec::new();
        let own = match dockerfiles {
            DockerfileUse::Never => None,
            _ => dockerfiles::recipe(service, &project.secrets, &mut told),
        };
        let Some(own) = own else {
            complete_one(service, tree, detection, variables, &mut diagnostics);
            continue;
        };
        let inline = service
            .build
            .as_ref()
            .is_some_and(|build| build.dockerfile_inline.is_some());
        if dockerfiles == DockerfileUse::Fallback && !inline {
            // What is not assembled is as the file says it, and nothing is told of the attempt but
            // what the service starts in vain.
            let mut attempt = service.clone();
            let mut attempt_variables = variables.clone();
            let mut findings = Vec::new();
            complete_one(
                &mut attempt,
                tree,
                detection,
                &mut attempt_variables,
                &mut findings,
            );
            if attempt.recipe.is_some() {
                *service = attempt;
                *variables = attempt_variables;
                diagnostics.extend(findings);
                continue;
            }
            // Whatever its image holds, this is not in it.
            diagnostics.extend(findings.into_iter().filter(is_of_the_start));
        }
        service.recipe = Some(own);
        diagnostics.extend(told);
    }
    diagnostics.extend(node::lead_proxies(project));
    Ok(diagnostics)
}

/// Fills in what the tree tells of one service.
fn complete_one(
    service: &mut Service,
    tree: &Tree,
    detection: &Detection,
    variables: &mut Vec<Variable>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Some(context) = service.build.as_ref().map(|build| build.context.clone()) else {
        return;
    };
    let inside = canonical(&context)
        .strip_prefix(tree.root())
        .map(Path::to_owned)
        .ok();
    if let Some(relative) = &inside {
        let known = within(detection, relative).any(|service| service.kind != ServiceKind::Cli);
        if known {
            Completion {
                tree,
                detection,
                context: relative.clone(),
            }
            .complete(service, variables, diagnostics);
            return;
        }
    }
    // A context that lies elsewhere, or that detection set aside: the Compose file says that it counts.
    let prefix = inside.unwrap_or_else(|| context.value.clone());
    let Ok(own) = Tree::read_below(&context, &prefix, Bounds::default()) else {
        diagnostics.push(
            Diagnostic::error(format!(
                "build context `{}` is not a directory",
                prefix.display()
            ))
            .at(context.span.clone()),
        );
        return;
    };
    let own = own.remembering_as(tree);
    let detection = crate::detect(&own);
    Completion {
        tree: &own,
        detection: &detection,
        context: PathBuf::new(),
    }
    .complete(service, variables, diagnostics);
    // It was found in another tree.
    service.facts.found_as = None;
}

/// What services give whose image says it.
fn provisions(project: &mut Project) {
    for service in project.services.values_mut() {
        if let Some(image) = &service.image
            && service.build.is_none()
        {
            service.facts.provides = NeedKind::of_image(&image.value);
        }
    }
}

/// Adds the variables that a detected service reads, under its name in the project.
fn add_variables(
    variables: &mut Vec<Variable>,
    detection: &Detection,
    detected: &str,
    service: &str,
) {
    let read = |variable: &&Variable| variable.services.iter().any(|name| name == detected);
    for variable in detection.environment.iter().filter(read) {
        match variables
            .iter_mut()
            .find(|known| known.name == variable.name)
        {
            Some(known) => {
                known.required |= variable.required;
                known.secret |= variable.secret;
                known.services.push(service.to_owned());
                for group in groups_of(variable, detected, service) {
                    let mut others = known.one_of.iter_mut();
                    match others.find(|other| other.names == group.names) {
                        Some(other) => other.services.extend(group.services),
                        None => known.one_of.push(group),
                    }
                }
            }
            None => variables.push(Variable {
                services: vec![service.to_owned()],
                one_of: groups_of(variable, detected, service),
                ..variable.clone()
            }),
        }
    }
}

/// The groups of which one variable is enough for a detected service, under its name in the project.
fn groups_of(variable: &Variable, detected: &str, service: &str) -> Vec<OneOf> {
    let groups = variable.one_of.iter();
    groups
        .filter(|group| group.services.iter().any(|name| name == detected))
        .map(|group| OneOf {
            services: vec![service.to_owned()],
            ..group.clone()
        })
        .collect()
}

fn canonical(path: &Path) -> PathBuf {
    fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Services whose directory lies in `context`, or around it.
fn within<'d>(
    detection: &'d Detection,
    context: &'d Path,
) -> impl Iterator<Item = &'d DetectedService> {
    detection.services.iter().filter(move |service| {
        let part_of = !service.root.as_os_str().is_empty() || context.as_os_str().is_empty();
        service.root.starts_with(context) || part_of && context.starts_with(&service.root)
    })
}

struct Completion<'d> {
    tree: &'d Tree,
    detection: &'d Detection,
    /// The build context, relative to the tree.
    context: PathBuf,
}

impl Completion<'_> {
    fn complete(
        &self,
        service: &mut Service,
        variables: &mut Vec<Variable>,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let stage = self.stage(service);
        self.health_flag(service, stage.as_ref(), diagnostics);
        let placed = stage.as_ref().and_then(|stage| {
            placed_scripts::PlacedScripts::of(self.tree, &self.context, stage, service)
        });
        let mut claim = self.claim(service, stage.as_ref());
        let placed_starts = placed.as_ref().map(|placed| placed.starts(self.tree));
        let of_script = placed_starts.clone().flatten();
        claim.starts = of_script.or(claim.starts);
        let candidates: Vec<&DetectedService> = within(self.detection, &self.context).collect();
        let place = service
            .build
            .as_ref()
            .and_then(|build| build.context.span.clone())
            .or_else(|| service.span.clone());
        let stated = match self.stated_script(&claim, &candidates) {
            Ok(stated) => stated,
            Err(problem) => {
                diagnostics.push(*problem);
                return;
            }
        };
        let detection = stated.as_ref().unwrap_or(self.detection);
        let matched = match stated.as_ref().and_then(|stated| stated.services.first()) {
            Some(script) => Match::One(script),
            None => find(&claim, &candidates),
        };
        // Whoever says a command, or a Dockerfile, means something else than pages.
        let plain = (stage.is_none() && claim.starts.is_none() && service.command.is_none())
            .then(|| plain_pages::of(self.tree, &self.context))
            .flatten();
        let detected = match matched {
            Match::One(detected) => detected,
            Match::Several(several) => {
                let same = several.iter().all(|other| {
                    recipe_key(other).is_some() && recipe_key(other) == recipe_key(several[0])
                });
                if let Some(unknown) = celery::unknown(self.tree, &self.context, service, &claim) {
                    diagnostics.push(unknown);
                    return;
                }
                if !(same && service.command.is_some()) {
                    diagnostics.push(ambiguous(service, &several, place));
                    return;
                }
                // They differ by their command alone, and the file says the command.
                several[0]
            }
            Match::None => match &plain {
                Some(pages) => pages,
                None => {
                    diagnostics.push(nothing_runs(service, self.detection, place));
                    return;
                }
            },
        };
        let celery = detected.framework.as_deref() == Some("Celery");
        if !celery && let Some(unknown) = celery::unknown(self.tree, &self.context, service, &claim)
        {
            diagnostics.push(unknown);
            return;
        }
        let mut detected = detected.clone();
        let flower = matches!(claim.starts, Some(Starts::Flower { .. }));
        if !celery || flower {
            celery::started_beside(&mut detected, &claim);
        }
        if placed_starts == Some(None) {
            // Nobody knows whether what the script starts answers where the application would.
            detected.health = None;
            detected.ports.clear();
        }
        service.facts = detected.facts();
        if stated.is_some() || detected.name.is_empty() {
            // Nothing of this name is known to whoever looks at the whole tree.
            service.facts.found_as = None;
        }
        add_variables(variables, detection, &detected.name, &service.name);
        let Some(recipe) = &detected.recipe else {
            let what = detected.framework.as_deref().unwrap_or(&detected.language);
            diagnostics.push(
                Diagnostic::warning(format!(
                    "`{}` is a {what} application, which Plimsoll does not assemble yet",
                    service.name
                ))
                .at(place)
                .hint("name an image that holds it with `image:`"),
            );
            return;
        };
        let mut recipe = recipe.clone();
        match &mut recipe.kind {
            RecipeKind::StaticSite(_) => serve_site(service, &mut recipe, diagnostics),
            RecipeKind::Python(_) => {
                let note = placed.and_then(|placed| placed.start(self.tree, service, &mut recipe));
                diagnostics.extend(note);
                run_python(service, &mut recipe, &mut detected, &claim, diagnostics)
            }
            RecipeKind::NodeServer(_) => {
                run_node(service, &mut recipe, &mut detected, self.tree, diagnostics)
            }
            RecipeKind::Go(_) | RecipeKind::Rust(_) => {
                run_program(service, &mut recipe, &mut detected, stage.as_ref())
            }
            RecipeKind::Dockerfile(_) => {}
        }
        let moved = stage.as_ref().and_then(|stage| {
            let context = canonical(&service.build.as_ref()?.context);
            moved_paths::Moved::of(stage, &context, &recipe)
        });
        // Pages are served from where they were built.
        if let Some(moved) = moved
            && !matches!(recipe.kind, RecipeKind::StaticSite(_))
        {
            moved.apply(service, diagnostics);
        }
        published_ports(service, &detected, diagnostics);
        let is_for_tests = service
            .build
            .as_ref()
            .is_some_and(|build| build.purpose() == Some(StagePurpose::Tests));
        // Tests end, and answer no request.
        if !is_for_tests {
            health(service, &detected, &recipe, diagnostics);
        }
        diagnostics.extend(self.other_stage(service));
        service.recipe = Some(recipe);
    }

    /// A Python script that the claim starts, where it is there and starts none of the candidates.
    fn stated_script(
        &self,
        claim: &Claim,
        candidates: &[&DetectedService],
    ) -> Result<Option<Detection>, Box<Diagnostic>> {
        let Some(Starts::Module(named)) = &claim.starts else {
            return Ok(None);
        };
        // Django's, which names its application in a setting.
        if named.ends_with("manage.py") || starts_one_of(claim, candidates) {
            return Ok(None);
        }
        let file = match named.strip_suffix(".py") {
            Some(_) => named.clone(),
            None => format!("{}.py", named.replace('.', "/")),
        };
        let path = places::within(&self.context, &file)
            .filter(|path| self.tree.has_file(path))
            .or_else(|| {
                let main = format!("{}/__main__.py", named.replace('.', "/"));
                places::within(&self.context, &main).filter(|path| self.tree.has_file(path))
            });
        let Some(path) = path else {
            return Ok(None);
        };
        let workspace = python::Workspace::new(self.tree);
        let Some(found) = python::stated::script(&workspace, &path)? else {
            return Ok(None);
        };
        let leads_to_one = candidates.iter().any(|candidate| {
            let defined = &candidate.defined_at.file;
            found
                .service
                .files
                .iter()
                .any(|file| *self.tree.shown(file) == **defined)
        });
        if leads_to_one {
            return Ok(None);
        }
        let name = self.detection.name.clone();
        Ok(Some(crate::merge::merge(
            self.tree,
            name,
            vec![found],
            Vec::new(),
            Vec::new(),
        )))
    }

    /// The stage that the file would build, where there is a Dockerfile.
    fn stage(&self, service: &Service) -> Option<Stage> {
        let build = service.build.as_ref()?;
        let name = build
            .dockerfile
            .as_ref()
            .map_or("Dockerfile", |name| name.value.as_str());
        let path = places::within(&self.context, name)?;
        let file = Dockerfile::read(self.tree, &path)?;
        Some(file.image(build.target.as_ref().map(|target| target.value.as_str())))
    }

    /// That the stage which the file names is not what is assembled: the last one is what everybody
    /// runs, and some names tell which variant of the image is meant.
    fn other_stage(&self, service: &Service) -> Option<Diagnostic> {
        let build = service.build.as_ref()?;
        let target = build.target.as_ref()?;
        if build.purpose().is_some() {
            return None;
        }
        let name = build
            .dockerfile
            .as_ref()
            .map_or("Dockerfile", |name| name.value.as_str());
        let file =
            places::within(&self.context, name).and_then(|path| Dockerfile::read(self.tree, &path));
        let last = file.as_ref().and_then(|file| file.stages.last());
        if last.is_some_and(|last| last.name.as_deref() == Some(target.value.as_str())) {
            return None;
        }
        Some(
            Diagnostic::note(format!(
                "`{}` is assembled as for production: what stage `{}` of its Dockerfile is for, its \
                 name does not tell",
                service.name, target.value
            ))
            .at(target.span.clone())
            .hint("`--dockerfile` builds what the Dockerfile says, `--variant NAME` names another image"),
        )
    }

    /// A check that calls the service's own program with a flag that it does not have is not run.
    fn health_flag(
        &self,
        service: &mut Service,
        stage: Option<&Stage>,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let program = stage
            .and_then(|stage| stage.entrypoint.as_ref().or(stage.command.as_ref()))
            .and_then(|line| line.value.words().first().cloned());
        let (Some(health), Some(program)) = (&service.healthcheck, program) else {
            return;
        };
        let Some(check) = health.test.as_ref().and_then(of_test) else {
            return;
        };
        if let Some(flag) = unknown_flag(self.tree, &check, &program) {
            diagnostics.push(flag_contradiction(flag, health.span.clone()));
            service.healthcheck = None;
        }
    }

    fn claim(&self, service: &Service, stage: Option<&Stage>) -> Claim {
        let mut claim = stage
            .map(|stage| of_stage(stage, &self.context))
            .unwrap_or_default();
        claim.name = Some(service.name.clone());
        let words: Vec<String> = service
            .entrypoint
            .iter()
            .chain(&service.command)
            .flat_map(|command| command.value.0.iter().cloned())
            .collect();
        if let Some(started) = starts(&words) {
            claim.starts = Some(started);
        }
        claim
            .ports
            .extend(service.ports.iter().map(|port| port.target));
        claim
    }
}

/// Whether it tells that what a service starts is not there.
fn is_of_the_start(diagnostic: &Diagnostic) -> bool {
    diagnostic.message.ends_with(NOTHING_MAKES)
}

/// What two services must share to differ by their command alone.
fn recipe_key(service: &DetectedService) -> Option<(PathBuf, &RecipeKind)> {
    service
        .recipe
        .as_ref()
        .map(|recipe| (recipe.context.clone(), &recipe.kind))
}

fn ambiguous(service: &Service, several: &[&DetectedService], place: Option<Span>) -> Diagnostic {
    let names: Vec<String> = several
        .iter()
        .map(|one| {
            format!(
                "`{}` ({}:{})",
                one.name,
                one.defined_at.file.display(),
                one.defined_at.start.line
            )
        })
        .collect();
    Diagnostic::warning(format!(
        "`{}` could be any of {}",
        service.name,
        names.join(", ")
    ))
    .at(place)
    .hint("give it a `command` that names which one it starts")
}

fn nothing_runs(service: &Service, detection: &Detection, place: Option<Span>) -> Diagnostic {
    let mut diagnostic = Diagnostic::warning(format!(
        "nothing that runs was found for `{}`",
        service.name
    ))
    .at(place);
    if let Some(rejected) = detection.rejected.first() {
        diagnostic = diagnostic.hint(format!(
            "`{}` ({}) was left out: {}",
            rejected.path.display(),
            rejected.looks_like,
            rejected.why
        ));
    }
    diagnostic.hint("name an image that holds it with `image:`")
}
