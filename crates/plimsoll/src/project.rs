//! The project a command works on: from its Compose files, or from its source alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use plimsoll_detect::{
    DetectedService, Detection, DockerfileUse, EnvironmentFile, OwnImages, Problem, Stated,
};
use plimsoll_diag::{Diagnostic, Diagnostics, Spanned};
use plimsoll_model::compose::{self, LoadOptions, Loaded as LoadedCompose, ServiceEnvFiles};
use plimsoll_model::contract::shown_values;
use plimsoll_model::extension::Extensions;
use plimsoll_model::yaml::Node;
use plimsoll_model::{Project, Service};

use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::known_facts::KnownFacts;
use crate::machine_key::MachineKey;
use crate::made_up_values;
use crate::settings::Settings;

/// A project, and what is worth saying about it.
pub(crate) struct Loaded {
    pub(crate) project: Project,
    /// What its files say under `x-plimsoll`.
    pub(crate) extensions: Extensions,
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Loads the project and completes it with what its source tells. Services that only a person
/// starts are part of it when they are `named` or their profile is active.
pub(crate) fn load(settings: &Settings, named: &[String]) -> Result<Loaded, Failure> {
    load_with(settings, named, OwnImages::AsStated)
}

/// The same, with the images that the project itself publishes built as wanted.
pub(crate) fn load_with(
    settings: &Settings,
    named: &[String],
    own_images: OwnImages,
) -> Result<Loaded, Failure> {
    if has_compose_file(settings) {
        let mut options = load_options(settings)?;
        options.services = named.to_vec();
        let LoadedCompose {
            mut project,
            resolved,
            unsupported,
            extensions,
        } = compose::load(&options)?;
        let mut warnings = resolved.warnings;
        warnings.extend(without_effect(&project, &unsupported));
        warnings.extend(own(settings, &mut project, own_images)?);
        if is_for_others(&project) && resolved.inactive.is_empty() {
            warnings.extend(left_to_hand(settings)?);
        }
        warnings.extend(complete(settings, &mut project)?);
        let (errors, warnings): (Vec<_>, Vec<_>) = warnings
            .into_iter()
            .partition(|diagnostic| diagnostic.severity == plimsoll_diag::Severity::Error);
        if !errors.is_empty() {
            return Err(Diagnostics(errors).into());
        }
        return Ok(Loaded {
            project,
            extensions,
            warnings,
        });
    }
    let (detection, told) = detect_to_build(settings)?;
    let mut loaded = load_inferred(settings, detection, named)?;
    loaded.warnings.splice(0..0, told);
    Ok(loaded)
}

/// The project that a detection amounts to, on this machine.
pub(crate) fn load_inferred(
    settings: &Settings,
    detection: Detection,
    named: &[String],
) -> Result<Loaded, Failure> {
    if detection.services.is_empty() {
        return Err(nothing_found(settings, &detection));
    }
    let key = MachineKey::open(&settings.data)?;
    let name = project_name(settings);
    let stated = compose::dotenv(&plain_options(settings))?;
    let password = |of: &str| {
        let variable = made_up_values::variable(of);
        let own = settings.environment.0.get(&variable);
        own.or_else(|| stated.get(&variable))
            .cloned()
            .unwrap_or_else(|| key.password(&name, of).expose().clone())
    };
    let loaded = detection
        .services
        .iter()
        .map(|service| (service.name.clone(), service.environment_files.clone()))
        .collect();
    let (mut project, mut warnings) = detection.into_project(&name, &settings.directory, &password);
    plimsoll_detect::fill_environment(&mut project, &|variable| {
        settings.environment.0.get(variable).cloned()
    });
    warnings.extend(fill_from_loaded(settings, &mut project, &loaded)?);
    fill_from_file(settings, &mut project)?;
    plimsoll_detect::fill_jobs(&mut project);
    project.services.retain(|name, service| {
        let active = |profile: &String| {
            settings
                .profiles
                .iter()
                .any(|wanted| wanted == profile || wanted == "*")
        };
        service.profiles.is_empty() || named.contains(name) || service.profiles.iter().any(active)
    });
    Ok(Loaded {
        project,
        extensions: Extensions::default(),
        warnings,
    })
}

/// Leaves to `up --bind` where the ports of a project without a Compose file are published: its
/// source says nothing of it.
pub(crate) fn leave_addresses_open(project: &mut Project) {
    for service in project.services.values_mut() {
        for port in &mut service.ports {
            port.value.host_ip = None;
        }
    }
}

/// The project's own file of variables.
const FILE: &str = ".env";

/// Gives the services of a project without a Compose file what its `.env` says.
fn fill_from_file(settings: &Settings, project: &mut Project) -> Result<(), Failure> {
    let stated = stated(settings)?;
    plimsoll_detect::fill_from_file(project, &|variable| stated.get(variable).cloned());
    Ok(())
}

/// What `.env` says, or the files that stand for it on the command line.
fn stated(settings: &Settings) -> Result<Stated, Failure> {
    let values = compose::dotenv(&plain_options(settings))?;
    let text = fs_err::read_to_string(settings.directory.join(FILE)).unwrap_or_default();
    let places = shown_values(&text, &Arc::from(Path::new(FILE)));
    let placed = |(name, value): (String, String)| {
        let place = places.get(&name).filter(|shown| shown.value == value);
        let span = place.map(|shown| shown.span.clone());
        (name, Spanned { value, span })
    };
    Ok(values.into_iter().map(placed).collect())
}

/// Gives the services of a project without a Compose file what they would load themselves, were they started where
/// their sources are.
fn fill_from_loaded(
    settings: &Settings,
    project: &mut Project,
    loaded: &BTreeMap<String, Vec<EnvironmentFile>>,
) -> Result<Vec<Diagnostic>, Failure> {
    let own = stated(settings)?;
    let read = |path: &Path| {
        if path == Path::new(FILE) {
            return (!own.is_empty()).then(|| own.clone());
        }
        let text = fs_err::read_to_string(settings.directory.join(path)).ok()?;
        let shown = shown_values(&text, &Arc::from(path)).into_iter();
        Some(
            shown
                .map(|(name, shown)| {
                    (
                        name,
                        Spanned {
                            value: shown.value,
                            span: Some(shown.span),
                        },
                    )
                })
                .collect(),
        )
    };
    Ok(plimsoll_detect::fill_from_loaded(project, loaded, &read))
}

/// A project as renderers see it.
pub(crate) struct Rendered {
    pub(crate) project: Project,
    pub(crate) extensions: Extensions,
    /// The Compose model in canonical form, where there is a Compose file.
    pub(crate) model: Option<Node>,
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Loads the project for rendering: nothing of this machine gets in, so that the same tree gives
/// the same files everywhere. A password is the name of the variable that will hold it.
pub(crate) fn load_for_rendering(settings: &Settings) -> Result<Rendered, Failure> {
    if has_compose_file(settings) {
        let options = options_for_writing(settings);
        let LoadedCompose {
            mut project,
            resolved,
            extensions,
            ..
        } = compose::load(&options)?;
        let mut warnings = resolved.warnings;
        warnings.extend(complete(settings, &mut project)?);
        return Ok(Rendered {
            project,
            extensions,
            model: Some(resolved.model),
            warnings,
        });
    }
    let (detection, told) = detect_to_build(settings)?;
    if detection.services.is_empty() {
        return Err(nothing_found(settings, &detection));
    }
    let (project, mut warnings) = inferred(settings, detection);
    warnings.splice(0..0, told);
    Ok(Rendered {
        project,
        extensions: Extensions::default(),
        model: None,
        warnings,
    })
}

/// The project as its Compose files say, without what its source tells.
pub(crate) fn load_as_stated(settings: &Settings) -> Result<Project, Failure> {
    Ok(compose::load(&options_for_writing(settings))?.project)
}

/// How a project is loaded that files are written for, to be used elsewhere.
fn options_for_writing(settings: &Settings) -> LoadOptions {
    let mut options = plain_options(settings);
    options.service_env_files = ServiceEnvFiles::ReadIfThere;
    made_up_values::refer(&mut options);
    options
}

/// The project that a detection amounts to, where a password is the name of the variable that will
/// hold it.
pub(crate) fn inferred(settings: &Settings, detection: Detection) -> (Project, Vec<Diagnostic>) {
    let password = |of: &str| format!("${{{}}}", made_up_values::variable(of));
    let name = project_name(settings);
    detection.into_project(&name, &settings.directory, &password)
}

/// Problems and files left out that are told where no service was found: the first of each.
const TOLD: usize = 3;

/// That there is nothing to start, and what could have been.
pub(crate) fn nothing_found(settings: &Settings, detection: &Detection) -> Failure {
    let problems = detection.problems.iter().map(Problem::to_diagnostic);
    let mut error = Diagnostic::error(format!(
        "no service was found in `{}`",
        settings.directory.display()
    ));
    for rejected in detection.rejected.iter().take(TOLD) {
        error = error.hint(format!(
            "`{}` ({}) was left out: {}",
            rejected.path.display(),
            rejected.looks_like,
            rejected.why
        ));
    }
    error = match detection.rejected.len() {
        0..=TOLD => error.hint("`plimsoll inspect` tells what was looked at"),
        more => error.hint(format!(
            "`plimsoll inspect --rejected` tells of {} more",
            more - TOLD
        )),
    };
    let error = error.hint("`-C DIR` names another directory, `-f FILE` a Compose file");
    Failure {
        diagnostics: problems.take(TOLD).chain([error]).collect(),
        status: ExitStatus::Usage,
    }
}

/// What the files ask for and the engine does not do, each with its place.
fn without_effect(project: &Project, elsewhere: &[Spanned<String>]) -> Vec<Diagnostic> {
    let of_services = project.services.values().flat_map(|service| {
        let keys = service.unsupported.iter();
        keys.map(|key| {
            (
                format!("services.{}.{}", service.name, key.value),
                &key.span,
            )
        })
    });
    let of_others = elsewhere.iter().map(|key| (key.value.clone(), &key.span));
    of_services
        .chain(of_others)
        .map(|(key, span)| {
            Diagnostic::warning(format!("`{key}` has no effect here")).at(span.clone())
        })
        .collect()
}

/// How the Compose files are loaded.
pub(crate) fn load_options(settings: &Settings) -> Result<LoadOptions, Failure> {
    let mut options = plain_options(settings);
    made_up_values::fill(settings, &mut options)?;
    Ok(options)
}

/// The same without values that this machine makes up.
fn plain_options(settings: &Settings) -> LoadOptions {
    LoadOptions {
        directory: settings.directory.clone(),
        files: settings.files.clone(),
        standard_input: settings.standard_input.clone(),
        project_directory: settings.project_directory.clone(),
        project_name: settings.project_name.clone(),
        profiles: settings.profiles.clone(),
        environment: settings.environment.0.clone(),
        env_files: settings.env_files.clone(),
        ..LoadOptions::default()
    }
}

/// What stands under `x-plimsoll`; nothing where there is no Compose file.
pub(crate) fn extensions(settings: &Settings) -> Result<Extensions, Failure> {
    if !has_compose_file(settings) {
        return Ok(Extensions::default());
    }
    Ok(compose::load(&load_options(settings)?)?.extensions)
}

/// Whether there is a Compose file to load.
pub(crate) fn has_compose_file(settings: &Settings) -> bool {
    compose::has_compose_file(&plain_options(settings))
}

/// What the source tree holds.
pub(crate) fn detect(settings: &Settings) -> Result<Detection, Failure> {
    detect_without(settings, &[])
}

/// What the source tree holds, built by Dockerfiles where that is asked for. What cannot be is told.
fn detect_to_build(settings: &Settings) -> Result<(Detection, Vec<Diagnostic>), Failure> {
    let facts = KnownFacts::open(settings);
    let tree = facts.tree(&settings.directory).map_err(detection_failure)?;
    let mut detection = plimsoll_detect::detect(&tree);
    let told = match settings.dockerfiles {
        DockerfileUse::Preferred => plimsoll_detect::build_by_dockerfiles(&mut detection, &tree),
        DockerfileUse::Fallback | DockerfileUse::Never => Vec::new(),
    };
    facts.keep();
    Ok((detection, told))
}

/// What the source tree holds, these files left out.
pub(crate) fn detect_without(settings: &Settings, paths: &[&Path]) -> Result<Detection, Failure> {
    let facts = KnownFacts::open(settings);
    let tree = facts.tree(&settings.directory).map_err(detection_failure)?;
    let detection = plimsoll_detect::detect(&tree.without(paths));
    facts.keep();
    Ok(detection)
}

/// Has the images built that the project itself publishes, as far as that is wanted.
fn own(
    settings: &Settings,
    project: &mut Project,
    wanted: OwnImages,
) -> Result<Vec<Diagnostic>, Failure> {
    let facts = KnownFacts::open(settings);
    let told = plimsoll_detect::own_images(project, wanted, &|directory| facts.tree(directory));
    told.map_err(detection_failure)
}

/// Whether nothing of the project is made of its source: a Compose file of stores for whoever works on it.
fn is_for_others(project: &Project) -> bool {
    let is_own = |service: &Service| service.build.is_some() || service.facts.source.is_some();
    !project.services.is_empty() && !project.services.values().any(is_own)
}

/// What the source holds and a Compose file leaves to be started by hand.
fn left_to_hand(settings: &Settings) -> Result<Vec<Diagnostic>, Failure> {
    let detection = detect(settings)?;
    let started = detection
        .services
        .iter()
        .filter(|service| service.kind.is_daemon() && service.recipe.is_some());
    let hint = "give it a service with `build` there; without a Compose file `plimsoll up` starts it \
                and what it needs";
    Ok(started
        .map(|service| not_started(service).hint(hint))
        .collect())
}

/// That no Compose file starts a service of the source.
pub(crate) fn not_started(detected: &DetectedService) -> Diagnostic {
    let what = detected.framework.as_deref().unwrap_or(&detected.language);
    Diagnostic::warning(format!(
        "`{}` ({what}) is started by no Compose file",
        detected.name
    ))
    .at(detected.defined_at.clone())
}

/// Completes a project that has a Compose file with what its source tells.
fn complete(settings: &Settings, project: &mut Project) -> Result<Vec<Diagnostic>, Failure> {
    let facts = KnownFacts::open(settings);
    let tree = |directory: &Path| facts.tree(directory);
    let told = plimsoll_detect::complete_by(project, settings.dockerfiles, &tree);
    facts.keep();
    told.map_err(detection_failure)
}

fn detection_failure(error: impl std::error::Error + 'static) -> Failure {
    Failure::failed(Diagnostic::error(crate::failure::chain(&error)))
}

/// The project's name without loading it: as named, or as its directory is called.
pub(crate) fn project_name(settings: &Settings) -> String {
    let named = settings
        .project_name
        .as_deref()
        .or_else(|| settings.environment.get("COMPOSE_PROJECT_NAME"));
    if let Some(name) = named {
        return name.to_owned();
    }
    if has_compose_file(settings)
        && let Ok(options) = load_options(settings)
        && let Ok(loaded) = compose::load(&options)
    {
        return loaded.project.name;
    }
    let directory = settings
        .directory
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    compose::project_name_of(&directory).unwrap_or_else(|| "project".to_owned())
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{Port, Protocol};

    use super::*;

    #[test]
    fn where_ports_are_published_is_left_to_who_starts_the_stack() {
        let mut project = Project::default();
        let mut service = Service::default();
        service.ports.push(Spanned::unplaced(Port {
            host_ip: Some(std::net::Ipv4Addr::LOCALHOST.into()),
            published: Some(8000),
            target: 8000,
            protocol: Protocol::Tcp,
        }));
        project.services.insert("web".to_owned(), service);
        leave_addresses_open(&mut project);
        let port = &project.services["web"].ports[0];
        assert_eq!((port.host_ip, port.published), (None, Some(8000)));
    }

    #[test]
    fn every_key_without_effect_is_told() {
        let mut project = Project::default();
        let service = Service {
            name: "web".to_owned(),
            unsupported: vec![Spanned::unplaced("gpus".to_owned())],
            ..Service::default()
        };
        project.services.insert("web".to_owned(), service);
        let elsewhere = [Spanned::unplaced("volumes.data.driver".to_owned())];
        let told: Vec<String> = without_effect(&project, &elsewhere)
            .into_iter()
            .map(|warning| warning.message)
            .collect();
        assert_eq!(
            told,
            [
                "`services.web.gpus` has no effect here",
                "`volumes.data.driver` has no effect here"
            ]
        );
    }
}
