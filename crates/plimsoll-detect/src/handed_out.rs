//! Pages that a server of the same tree hands out: what a bundler builds into the server's own directory, or what
//! the server looks for in the bundler's. They become files of the server's image, and no site of their own.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Evidence, Span};
use plimsoll_model::{NodeLayout, Pages, RecipeKind, StaticSiteRecipe};

use crate::claims::copied::{self, Copied};
use crate::claims::{Dockerfile, Reviewed};
use crate::detection::{DetectedService, Rejected, ServiceKind, VariableKind};
use crate::found::Found;
use crate::location::{Fate, Named, Origin};
use crate::places;
use crate::python::Workspace;
use crate::tree::{Question, Tree};

/// A site of the tree, and where its files come to lie there.
#[derive(Clone)]
struct Site {
    recipe: StaticSiteRecipe,
    context: PathBuf,
    /// Directory of its manifest.
    package: PathBuf,
    output: PathBuf,
    /// Where it is said that they are copied there, if the build itself leaves them elsewhere.
    copied: Option<Span>,
}

/// Puts the pages of sites into the images of the servers that hand them out.
pub(crate) fn join(
    workspace: &Workspace<'_>,
    claims: &Reviewed,
    found: &mut Vec<Found>,
    rejected: &mut Vec<Rejected>,
) {
    let tree = workspace.tree;
    let copies = OnceCell::new();
    let mut index = 0;
    while index < found.len() {
        let site = Site::of(tree, &found[index].service);
        let Some(site) = site.filter(|site| !is_started(claims, &site.package)) else {
            index += 1;
            continue;
        };
        let all = copies.get_or_init(|| copied::read(tree, claims));
        let places = std::iter::once(site.clone()).chain(site.copies(all));
        let mut handed = places.map(|site| (servers(workspace, &site, found), site));
        let Some((servers, site)) = handed.find(|(servers, _)| !servers.is_empty()) else {
            index += 1;
            continue;
        };
        let pages = found[index].clone();
        let taken = servers
            .iter()
            .all(|(server, _)| site.is_taken(tree, claims, &found[*server].service));
        let mut names = Vec::new();
        for (server, span) in servers {
            let server = &mut found[server];
            names.push(format!(
                "`{}`",
                places::text(&server.service.defined_at.file)
            ));
            if !taken {
                give(tree, &site, &pages, server, span);
            }
        }
        let names = names.join(" and ");
        rejected.push(Rejected {
            path: pages.service.defined_at.file.clone(),
            looks_like: format!(
                "{} application",
                pages.service.framework.as_deref().unwrap_or_default()
            ),
            why: match taken {
                true => format!(
                    "its pages are in the tree as they were built, for the server in {names}"
                ),
                false => format!("its pages are files of the server in {names}"),
            },
        });
        found.remove(index);
    }
}

impl Site {
    fn of(tree: &Tree, service: &DetectedService) -> Option<Self> {
        let recipe = service.recipe.as_ref()?;
        let RecipeKind::StaticSite(site) = &recipe.kind else {
            return None;
        };
        site.build.as_ref()?;
        let context = recipe.context.strip_prefix(tree.root()).ok()?;
        let package = places::within(context, places::text(&site.root))?;
        Some(Self {
            output: places::within(&package, places::text(&site.output))?,
            package,
            context: recipe.context.clone(),
            recipe: site.clone(),
            copied: None,
        })
    }

    /// The same where its files are copied to.
    fn copies<'s>(&'s self, all: &'s [Copied]) -> impl Iterator<Item = Self> + 's {
        let own = all.iter().filter(|copied| copied.from == self.output);
        own.map(|copied| Self {
            output: copied.to.clone(),
            copied: Some(copied.span.clone()),
            ..self.clone()
        })
    }

    /// Whether its files come to lie among those of somebody else.
    fn leaves(&self) -> bool {
        !self.output.starts_with(&self.package)
    }
}

impl Site {
    /// Whether a server's image has its pages as the tree does: built ones are there, and the Dockerfile that takes them
    /// along has nothing to build others with.
    fn is_taken(&self, tree: &Tree, claims: &Reviewed, server: &DetectedService) -> bool {
        let builds = |file: &Dockerfile| {
            let mut runs = file.stages.iter().flat_map(|stage| &stage.runs);
            runs.any(|run| {
                let mut words = run.split(|letter: char| !letter.is_alphanumeric());
                words.any(|word| {
                    matches!(word, "npm" | "npx" | "pnpm" | "yarn" | "bun" | "corepack")
                })
            })
        };
        let mut images = claims.files.iter().filter(|file| {
            let directory = file.path.parent();
            directory.is_some_and(|directory| server.root.starts_with(directory))
        });
        self.leaves()
            && tree.has_file(&self.output.join("index.html"))
            && images
                .next()
                .is_some_and(|file| !builds(file) && !images.any(builds))
    }
}

/// Whether a file says that the site is started on its own.
fn is_started(claims: &Reviewed, package: &Path) -> bool {
    let image = |directory: Option<&Path>| directory == Some(package);
    let mut files = claims.files.iter();
    let mut deployed = claims.deployments.programs.iter();
    files.any(|file| image(file.path.parent()))
        || deployed.any(|program| image(program.directory.as_deref()))
}

/// The servers that hand out a site's files, with the place that says so.
fn servers(workspace: &Workspace<'_>, site: &Site, found: &[Found]) -> Vec<(usize, Span)> {
    let able: Vec<usize> = (0..found.len())
        .filter(|index| is_able(&found[*index].service))
        .collect();
    let named: Vec<(usize, Span)> = able
        .iter()
        .filter_map(|index| Some((*index, hands_out(workspace, site, &found[*index].service)?)))
        .collect();
    if !named.is_empty() || !site.leaves() || site.copied.is_some() {
        return named;
    }
    // A framework has a directory of this kind without being told: the closest server is meant.
    let around = |index: &&usize| site.output.starts_with(&found[**index].service.root);
    let deep = |index: &&usize| found[**index].service.root.components().count();
    let most = able.iter().filter(around).map(|index| deep(&index)).max();
    able.iter()
        .filter(around)
        .filter(|index| Some(deep(index)) == most)
        .map(|index| (*index, found[*index].service.defined_at.clone()))
        .collect()
}

/// Whether an image of this kind takes files beside the program.
fn is_able(service: &DetectedService) -> bool {
    let recipe = service.recipe.as_ref().map(|recipe| &recipe.kind);
    let takes_files = match recipe {
        Some(RecipeKind::Python(_)) => true,
        Some(RecipeKind::NodeServer(node)) => node.layout == NodeLayout::Application,
        _ => false,
    };
    takes_files && matches!(service.kind, ServiceKind::Web | ServiceKind::McpHttp)
}

/// The place at which a server names a site's files.
fn hands_out(workspace: &Workspace<'_>, site: &Site, service: &DetectedService) -> Option<Span> {
    let tree = workspace.tree;
    let word = site.output.file_name()?.to_str()?;
    let names_it = Arc::new(Question::Contains(vec![word.to_owned()]));
    // The directory that it is started in.
    let recipe = service.recipe.as_ref()?;
    let context = recipe.context.strip_prefix(tree.root()).ok()?;
    let working = recipe.working_dir.strip_prefix(crate::python::IMAGE_ROOT);
    let working = context.join(working.unwrap_or(Path::new("")));
    service.files.iter().find_map(|file| {
        // Only saves work: what the file says is read from its syntax tree.
        if tree.answer(file, &names_it)?.is_empty() {
            return None;
        }
        let named = match file.extension()?.to_str()? {
            "py" => crate::python::locations::all(&*workspace.modules.get(file)?),
            _ => crate::node::locations::all(tree, file),
        };
        let named = named
            .into_iter()
            .find(|named| is_of(site, file, &working, named))?;
        Some(named.place.in_file(tree.shown(file)))
    })
}

/// Whether a place that a file names is that of a site's files, or one among them.
fn is_of(site: &Site, file: &Path, working: &Path, named: &Named) -> bool {
    let location = &named.location;
    let handed = named.fate == Fate::HandedOut;
    // A word alone may be anything.
    let plain = location.origin == Origin::Written && !location.way.contains('/');
    if plain && !handed {
        return false;
    }
    let Some(at) = location.within(file, working) else {
        return false;
    };
    // A directory above holds the site's files, too, unless it holds the program as well.
    let above = site.output.starts_with(&at) && handed && !file.starts_with(&at);
    above
        || at.starts_with(&site.output)
        || location.origin == Origin::File && is_compiled(&at, &site.output)
}

/// Whether a place beside sources is in `output` once a compiler has put what it makes of them into a directory of
/// another name.
fn is_compiled(at: &Path, output: &Path) -> bool {
    let mut other = at.components().zip(output.components());
    let differs = other.find(|(one, other)| one != other);
    differs.is_some_and(|(one, _)| one.as_os_str() == "src")
        && other.all(|(one, other)| one == other)
        && at.components().count() >= output.components().count()
}

/// Makes a site's files those of a server's image.
fn give(tree: &Tree, site: &Site, pages: &Found, server: &mut Found, span: Span) {
    let Found {
        service, problems, ..
    } = server;
    service.evidence.push(Evidence::new(
        span,
        format!(
            "hands out the pages that `{}` builds",
            places::text(&site.package)
        ),
    ));
    if let Some(span) = &site.copied {
        let why = "copies them to where they are handed out";
        service.evidence.push(Evidence::new(span.clone(), why));
    }
    problems.extend(pages.problems.iter().cloned());
    let Some(recipe) = &mut service.recipe else {
        return;
    };
    let mut own = site.recipe.clone();
    own.proxies.clear();
    own.build_environment.extend(same_origin(tree, site, pages));
    let context = recipe.context.strip_prefix(tree.root());
    let way = way(context.unwrap_or(Path::new("")), &site.output);
    recipe.pages.push(Pages {
        context: site.context.clone(),
        site: own,
        place: way.components().fold(
            PathBuf::from(crate::python::IMAGE_ROOT),
            |mut place, part| {
                match part {
                    std::path::Component::ParentDir => drop(place.pop()),
                    part => place.push(part),
                }
                place
            },
        ),
    });
}

/// The way from one directory to another.
fn way(from: &Path, to: &Path) -> PathBuf {
    let common = places::common(from, to);
    let up = from.components().count() - common.components().count();
    let mut way: PathBuf = std::iter::repeat_n("..", up).collect();
    way.push(to.strip_prefix(&common).unwrap_or(to));
    way
}

/// Variables of a build that say where the backend is: it is where the pages come from, unless a file says otherwise.
fn same_origin(tree: &Tree, site: &Site, pages: &Found) -> Vec<(String, String)> {
    let said = |name: &str| {
        [
            ".env",
            ".env.production",
            ".env.local",
            ".env.production.local",
        ]
        .iter()
        .filter_map(|file| tree.source(&site.package.join(file)))
        .any(|text| text.contains(name))
    };
    let mut found: Vec<(String, String)> = pages
        .variables
        .iter()
        .filter(|variable| variable.kind == VariableKind::Url && !said(&variable.name))
        .filter(|variable| {
            let words = variable.name.split('_');
            words
                .into_iter()
                .any(|word| matches!(word, "API" | "BACKEND" | "SERVER"))
        })
        .map(|variable| (variable.name.clone(), String::new()))
        .collect();
    found.sort();
    found.dedup();
    found
}
