//! Applications that Nx builds: their `project.json` lies beside no `package.json`, or beside one without scripts, and
//! what they depend on stands in the one of the whole workspace. Servers and pages that `nx run` bundles are found;
//! others are not assembled, and it is said so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Evidence, Span};
use plimsoll_model::{NodeBuild, RecipeKind};

use super::files::Files;
use super::framework::{Framework, Settings};
use super::manifest::Package;
use super::server::{Built, Place, Scene};
use super::shelf::Shelf;
use super::sources::Sources;
use super::start::Start;
use super::vite::ViteConfig;
use super::{NodeFindings, site};
use crate::detection::{Rejected, ServiceKind};
use crate::document::Item;
use crate::found::Found;
use crate::places;
use crate::tree::Tree;

/// Targets that an application has, and a library has not.
const STARTING: &[&str] = &["serve", "start", "dev"];

/// Whether a package is that of a workspace of Nx and no application itself.
pub(super) fn is_workspace(tree: &Tree, package: &Package) -> bool {
    let has = |name: &str| tree.has_file(&package.directory.join(name));
    has("nx.json") && !is_application(tree, &package.directory.join("project.json"))
}

/// Whether a `project.json` describes an application; that of a workspace may only have targets for those who work on it.
fn is_application(tree: &Tree, path: &Path) -> bool {
    let read = || {
        let text = tree.has_file(path).then(|| tree.source(path))?;
        let item = Item::json(&path.into(), text?)?;
        let starts = STARTING.iter().any(|name| target(&item, name).is_some());
        Some(starts || item.text(&["projectType"]) == Some("application"))
    };
    read().unwrap_or(false)
}

/// Finds the applications of the workspaces of a tree, and tells those that are not assembled.
pub(super) fn find(shelf: &Shelf<'_>, packages: &[Package], findings: &mut NodeFindings) {
    let tree = shelf.tree;
    let workspaces = tree.files().iter().filter(|file| {
        let called = file.path.file_name().is_some_and(|name| name == "nx.json");
        called && places::set_aside(&file.path).is_none()
    });
    for workspace in workspaces {
        let root = workspace.path.parent().unwrap_or(Path::new(""));
        let package = packages.iter().find(|package| package.directory == root);
        let mut names = Vec::new();
        for file in tree.files().iter().filter(|file| {
            file.path.starts_with(root)
                && file
                    .path
                    .file_name()
                    .is_some_and(|name| name == "project.json")
        }) {
            if let Some(start) = started_by_nx(tree, &file.path) {
                findings.problems.push(start);
                continue;
            }
            let Some(application) = Application::read(tree, &file.path) else {
                continue;
            };
            let manifest = file.path.with_file_name("package.json");
            let made = match package.filter(|_| !tree.has_file(&manifest)) {
                Some(package) => application.made(shelf, package),
                None => None,
            };
            if let Some(found) = made {
                findings.found.push(found);
                continue;
            }
            let why = match tree.has_file(&manifest) {
                false => "has no `package.json` of its own",
                true => "its `package.json` has no script",
            };
            findings
                .rejected
                .retain(|rejected| *rejected.path != *manifest);
            findings.rejected.push(Rejected {
                path: file.path.clone(),
                looks_like: "Nx application".to_owned(),
                why: format!(
                    "{why}: {} builds it from that of the workspace, which Plimsoll does not do",
                    application.shown_builder()
                ),
            });
            names.push(format!("`{}`", application.name));
        }
        if names.is_empty() {
            continue;
        }
        let what = format!(
            "only Nx knows how to build {} of this workspace, so that Plimsoll does not assemble {}",
            names.join(", "),
            if names.len() == 1 { "it" } else { "them" }
        );
        findings.problems.push(
            Diagnostic::warning(what)
                .at(Span::line(tree.shown(&workspace.path), 1))
                .hint("give each a `package.json` with its dependencies and a `start` script, or name its image in a Compose file"),
        );
    }
}

/// Tells a package whose `start` is Nx's own server for development: what it builds runs without it.
fn started_by_nx(tree: &Tree, path: &Path) -> Option<Diagnostic> {
    let manifest = path.parent()?.join("package.json");
    let package = Item::json(&manifest.as_path().into(), tree.source(&manifest)?)?;
    let start = package.get(&["scripts", "start"])?;
    let words: Vec<&str> = start.as_text()?.split_whitespace().collect();
    if !matches!(words.as_slice(), ["nx", ..] | ["npx", "nx", ..]) {
        return None;
    }
    let project = Item::json(&path.into(), tree.source(path)?)?;
    let option = |name: &str| project.text(&["targets", "build", "options", name]);
    let output = option("outputPath")?;
    let entry = Path::new(option("main").unwrap_or("main.ts")).file_stem()?;
    let what = "`start` runs Nx's server for development, which no image holds";
    Some(
        Diagnostic::warning(what)
            .at(start.place.in_file(tree.shown(&manifest)))
            .hint(format!(
                "start what `nx build` makes: `node {output}/{}.js`",
                entry.to_str()?
            )),
    )
}

/// An application that a `project.json` describes.
struct Application {
    name: String,
    /// Where its `project.json` is.
    path: Arc<Path>,
    directory: PathBuf,
    project: Item,
    /// What builds it, where the file says so; else what a plugin of Nx finds beside it.
    executor: Option<String>,
}

/// What a build of Nx makes.
enum Product {
    /// A program, and the file that it is made from.
    Program { file: PathBuf, entry: PathBuf },
    /// Pages, and who makes them.
    Pages {
        output: PathBuf,
        distribution: &'static str,
        name: &'static str,
    },
}

impl Application {
    fn read(tree: &Tree, path: &Arc<Path>) -> Option<Self> {
        let directory = path.parent()?;
        let name = directory.file_name()?.to_str()?;
        let tests = name.ends_with("-e2e");
        let manifest = directory.join("package.json");
        let is_a_package = tree.has_file(&manifest) && {
            let item = tree
                .source(&manifest)
                .and_then(|text| Item::json(&manifest.as_path().into(), text));
            item.is_none_or(|item| !item.entries(&["scripts"]).is_empty())
        };
        if tests || places::set_aside(path).is_some() || is_a_package {
            return None;
        }
        let item = Item::json(path, tree.source(path)?)?;
        let starts = STARTING.iter().any(|name| target(&item, name).is_some());
        let stated = item.text(&["projectType"]);
        if stated == Some("library") || stated.is_none() && !starts {
            return None;
        }
        let builder = target(&item, "build");
        let executor = builder
            .and_then(|build| {
                build
                    .text(&["executor"])
                    .or_else(|| build.text(&["builder"]))
            })
            .map(str::to_owned);
        Some(Self {
            name: item.text(&["name"]).unwrap_or(name).to_owned(),
            path: path.clone(),
            directory: directory.to_owned(),
            executor,
            project: item,
        })
    }

    fn shown_builder(&self) -> String {
        match &self.executor {
            Some(executor) => format!("`{executor}`"),
            None => "Nx".to_owned(),
        }
    }

    /// An option of its build.
    fn option(&self, path: &[&str]) -> Option<&str> {
        let build = target(&self.project, "build")?;
        let path: Vec<&str> = ["options"].iter().chain(path).copied().collect();
        build.text(&path)
    }

    /// The words that build it for production.
    fn words(&self) -> Vec<String> {
        let configured = target(&self.project, "build")
            .is_some_and(|build| build.get(&["configurations", "production"]).is_some());
        let what = match configured {
            true => format!("{}:build:production", self.name),
            false => format!("{}:build", self.name),
        };
        ["nx", "run", &what].map(str::to_owned).to_vec()
    }

    /// What its build makes; paths are relative to the tree. `root` is the workspace's directory.
    fn product(&self, tree: &Tree, root: &Path) -> Option<Product> {
        let Some(executor) = &self.executor else {
            return self.inferred(tree);
        };
        let (plugin, tool) = executor.split_once(':')?;
        let inside = places::below(&self.directory, root);
        let usual = Path::new("dist").join(inside);
        let output = self
            .option(&["outputPath"])
            .or_else(|| self.option(&["outputPath", "base"]))
            .unwrap_or(places::text(&usual));
        let output = places::within(root, output)?;
        let vendor = plugin.split('/').nth(1).unwrap_or(plugin);
        let bundles = matches!(vendor, "webpack" | "rspack") && plugin.starts_with("@n");
        let for_node = self.option(&["target"]) == Some("node");
        if matches!(vendor, "node" | "esbuild") || bundles && for_node {
            let entry = places::within(root, self.option(&["main"])?)?;
            let end = self.option(&["esbuildOptions", "outExtension", ".js"]);
            let name = match self.option(&["outputFileName"]) {
                Some(name) => name.to_owned(),
                None => format!("{}{}", entry.file_stem()?.to_str()?, end.unwrap_or(".js")),
            };
            let file = output.join(name);
            return Some(Product::Program { file, entry });
        }
        let (distribution, name) = match (plugin, vendor) {
            ("@angular-devkit/build-angular" | "@angular/build" | "@nx/angular", _) => {
                ("@angular/core", "Angular")
            }
            (_, "vite") => ("vite", "Vite"),
            (_, "web") => ("webpack", "webpack"),
            _ if bundles => ("webpack", "webpack"),
            _ => return None,
        };
        if !matches!(
            tool,
            "build"
                | "webpack"
                | "rspack"
                | "application"
                | "browser"
                | "browser-esbuild"
                | "webpack-browser"
        ) {
            return None;
        }
        let output = match tool {
            "application" => output.join("browser"),
            _ => output,
        };
        Some(Product::Pages {
            output,
            distribution,
            name,
        })
    }

    /// What a plugin of Nx makes of the configuration beside it.
    fn inferred(&self, tree: &Tree) -> Option<Product> {
        let webpack = ["js", "ts", "cjs"]
            .iter()
            .map(|end| self.directory.join(format!("webpack.config.{end}")))
            .find(|path| tree.has_file(path));
        if let Some(path) = webpack {
            let settings = Settings::read(tree, &path)?;
            // `join(__dirname, '../../dist/apps/api')`.
            let output = settings.text("path")?.rsplit(['\'', '"', '`']);
            let output = output.into_iter().find(|part| part.contains("dist"))?;
            let output = places::within(&self.directory, output)?;
            return match settings.text("target") {
                Some("node") => {
                    let entry = places::within(&self.directory, settings.text("main")?)?;
                    let name = Path::new(entry.file_name()?).with_extension("js");
                    let file = output.join(name);
                    Some(Product::Program { file, entry })
                }
                _ => Some(Product::Pages {
                    output,
                    distribution: "webpack",
                    name: "webpack",
                }),
            };
        }
        let config = ViteConfig::read(tree, &self.directory)?;
        let page = tree.has_file(&self.directory.join("index.html"));
        let output = places::within(&self.directory, places::text(&config.output(None)))?;
        (page && !config.library).then_some(Product::Pages {
            output,
            distribution: "vite",
            name: "Vite",
        })
    }

    /// The service that it is. `package` is the workspace's.
    fn made(&self, shelf: &Shelf<'_>, package: &Package) -> Option<Found> {
        let tree = shelf.tree;
        let root = &package.directory;
        let words = self.words();
        let evidence = Evidence::new(
            Span::line(tree.shown(&self.path), 1),
            format!("`{}` builds it", words.join(" ")),
        );
        let by = NodeBuild::Program(words);
        let mut found = match self.product(tree, root)? {
            Product::Program { file, entry } => {
                let files = Files::of(shelf, package);
                let reached = files.reached(root, Some(&entry));
                let framework = Framework::imported(&|distribution| {
                    let mut imports = reached.iter().flat_map(|(_, facts)| &facts.imports);
                    imports.any(|(module, _)| module == distribution)
                });
                let scene = Scene {
                    tree,
                    package,
                    files: &files,
                    place: Place::of(package),
                    framework,
                    built: Some(Built { by, entry }),
                    images: &[],
                };
                let file = places::below(&file, root);
                let start = Start {
                    environment: Vec::new(),
                    command: vec!["node".to_owned(), places::text(&file).to_owned()],
                    evidence,
                    name: "nx".to_owned(),
                };
                scene.program(Some(&start))?.ok()?
            }
            Product::Pages {
                output,
                distribution,
                name,
            } => {
                let framework = Framework {
                    distribution,
                    name,
                    kind: ServiceKind::Ui,
                };
                let sources = Sources::read(tree, &self.directory, &[]);
                let output = places::below(&output, root);
                let mut found =
                    site::of_framework(tree, package, framework, output, sources).ok()?;
                if let Some(recipe) = &mut found.service.recipe
                    && let RecipeKind::StaticSite(site) = &mut recipe.kind
                {
                    site.build = Some(by);
                }
                found.service.evidence.push(evidence);
                found
            }
        };
        found.service.target.clone_from(&self.name);
        Some(*found)
    }
}

/// A target of a project, under its newer or its older name.
fn target<'i>(project: &'i Item, name: &str) -> Option<&'i Item> {
    project
        .get(&["targets", name])
        .or_else(|| project.get(&["architect", name]))
}
