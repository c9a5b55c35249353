//! Images that the project itself publishes: a Compose file that names one without saying how it is built means
//! whoever has no source. With the source at hand, it can be built from that.

use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_model::{Build, Project, Service};

use crate::detection::NeedKind;
use crate::document::Item;
use crate::places;
use crate::tree::{Tree, TreeError};

/// When an image that the project publishes is built from its source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OwnImages {
    /// Where the Compose file says so: `pull_policy: build`.
    #[default]
    AsStated,
    /// Always: nothing is pulled.
    Built,
}

/// Files that show a directory to be something that an image is made of.
const MARKERS: &[&str] = &[
    "Dockerfile",
    "Containerfile",
    "package.json",
    "pyproject.toml",
    "requirements.txt",
    "setup.py",
    "go.mod",
    "Cargo.toml",
];

/// How deep below the project's directory a part of it is looked for.
const DEPTH: usize = 3;

/// Notes what the project's own images are made of, and gives those that are to be built a build context. Returns what
/// is built in the place of which image.
pub fn own_images(
    project: &mut Project,
    wanted: OwnImages,
    read: &dyn Fn(&Path) -> Result<Tree, TreeError>,
) -> Result<Vec<Diagnostic>, TreeError> {
    let published = |service: &Service| {
        let image = service.image.as_ref().filter(|_| service.build.is_none())?;
        repository(&image.value).map(|repository| repository.to_ascii_lowercase())
    };
    if project
        .services
        .values()
        .all(|service| published(service).is_none())
    {
        return Ok(Vec::new());
    }
    let tree = read(&project.directory)?;
    let names = names(&tree, &project.directory);
    let mut told = Vec::new();
    for service in project.services.values_mut() {
        let source =
            published(service).and_then(|image| source(&tree, &names, &image, &service.name));
        let Some(source) = source else {
            continue;
        };
        service.facts.source = Some(source.clone());
        let policy = service
            .pull_policy
            .as_ref()
            .map(|policy| policy.value.as_str());
        let is_built = match policy {
            Some("build") => true,
            _ => wanted == OwnImages::Built,
        };
        if let Some(image) = service.image.as_ref().filter(|_| is_built) {
            let what = format!(
                "`{}` is this project's own image: it is built from `{}`",
                image.value,
                places::text(&places::below(&source, Path::new("")))
            );
            told.push(Diagnostic::note(what).at(image.span.clone()));
            service.build = Some(Build {
                context: Spanned {
                    value: project.directory.join(&source),
                    span: image.span.clone(),
                },
                ..Build::default()
            });
        }
    }
    Ok(told)
}

/// The repository that somebody has under a name of their own: `owner/name`. What everybody runs has none, or is known.
fn repository(image: &str) -> Option<&str> {
    if NeedKind::of_image(image).is_some() {
        return None;
    }
    let plain = image.split('@').next()?;
    let repository = match plain.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => plain,
    };
    let is_library = repository
        .rsplit_once('/')
        .is_none_or(|(before, _)| before == "library" || before.ends_with("/library"));
    (!is_library).then_some(repository)
}

/// What the project is called: its directory, and its manifests.
fn names(tree: &Tree, directory: &Path) -> Vec<String> {
    let text = |file: &str| tree.manifest(Path::new(file));
    let json = || {
        let manifest = Item::json(
            &tree.shown(Path::new("package.json")),
            text("package.json")?,
        )?;
        Some(manifest.text(&["name"])?.to_owned())
    };
    let toml = |file: &str, key: &[&str]| {
        let manifest = Item::toml(&text(file)?).ok()?;
        Some(manifest.text(key)?.to_owned())
    };
    let go = || {
        let text = text("go.mod")?;
        let module = text.lines().find_map(|line| line.strip_prefix("module "))?;
        Some(module.trim().to_owned())
    };
    let own = directory.file_name().and_then(|name| name.to_str());
    let all = [
        own.map(str::to_owned),
        json(),
        toml("pyproject.toml", &["project", "name"]),
        toml("pyproject.toml", &["tool", "poetry", "name"]),
        toml("Cargo.toml", &["package", "name"]),
        go(),
    ];
    let last = |name: String| plain(name.rsplit('/').next().unwrap_or(&name));
    all.into_iter().flatten().map(last).collect()
}

fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

/// The directory that an image of the project is made of; none where it is somebody else's.
fn source(tree: &Tree, names: &[String], repository: &str, service: &str) -> Option<PathBuf> {
    let (before, last) = repository.rsplit_once('/')?;
    let owner = plain(before.rsplit('/').next()?);
    let last = plain(last);
    if names.contains(&last) {
        return Some(PathBuf::new());
    }
    // `owner/desk-api`, and `desk/api`, whose owner is called as the project is.
    let parts = names
        .iter()
        .filter_map(|name| last.strip_prefix(name.as_str())?.strip_prefix('-'));
    let of_owner = names.contains(&owner).then_some(last.as_str());
    parts
        .chain(of_owner)
        .find_map(|part| directory(tree, part).or_else(|| directory(tree, service)))
}

/// The part of the project in a directory of that name, the one closest to the root.
fn directory(tree: &Tree, name: &str) -> Option<PathBuf> {
    let found = tree.files().iter().filter_map(|file| {
        let marker = file.path.file_name()?.to_str()?;
        let directory = file.path.parent().filter(|_| MARKERS.contains(&marker))?;
        let is_it = plain(directory.file_name()?.to_str()?) == plain(name)
            && directory.components().count() <= DEPTH
            && places::set_aside(&file.path).is_none();
        is_it.then_some(directory)
    });
    let closest = found.min_by_key(|directory| directory.components().count())?;
    Some(closest.to_owned())
}
