//! JavaScript and TypeScript: what a `package.json` makes of its directory.

mod manifest;
mod sources;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Evidence, Span};
use plimsoll_model::{BuildRecipe, NodeManager, RecipeKind, StaticSiteRecipe};

use crate::detection::{DetectedService, Health, Rejected, Route, ServiceKind};
use crate::found::Found;
use crate::needs;
use crate::places;
use crate::tree::Tree;

pub(crate) use manifest::Package;
use sources::{Sources, ViteConfig};

/// The port that the web root is served on.
const STATIC_PORT: u16 = 8080;

/// Frameworks whose server is Node itself: distribution, name, kind.
#[rustfmt::skip]
const SERVERS: &[(&str, &str, ServiceKind)] = &[
    ("next", "Next.js", ServiceKind::Ui),
    ("nuxt", "Nuxt", ServiceKind::Ui),
    ("@remix-run/node", "Remix", ServiceKind::Ui),
    ("@react-router/node", "React Router", ServiceKind::Ui),
    ("@sveltejs/adapter-node", "SvelteKit", ServiceKind::Ui),
    ("@nestjs/core", "NestJS", ServiceKind::Web),
    ("fastify", "Fastify", ServiceKind::Web),
    ("express", "Express", ServiceKind::Web),
    ("koa", "Koa", ServiceKind::Web),
    ("hono", "Hono", ServiceKind::Web),
    ("@hapi/hapi", "Hapi", ServiceKind::Web),
    ("@modelcontextprotocol/sdk", "MCP", ServiceKind::McpStdio),
];

/// What the packages of a tree hold.
#[derive(Debug, Default)]
pub(crate) struct NodeFindings {
    pub(crate) found: Vec<Found>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) problems: Vec<Diagnostic>,
}

/// Finds the services that the packages of a tree make.
pub(crate) fn find(tree: &Tree) -> NodeFindings {
    let mut findings = NodeFindings::default();
    let manifests: Vec<Arc<Path>> = tree
        .files()
        .iter()
        .filter(|file| {
            file.path
                .file_name()
                .is_some_and(|name| name == "package.json")
        })
        .map(|file| file.path.clone())
        .collect();
    let directories: Vec<PathBuf> = manifests
        .iter()
        .filter_map(|path| path.parent().map(Path::to_owned))
        .collect();
    for path in &manifests {
        let Some(package) = Package::read(tree, path) else {
            continue;
        };
        let nested: Vec<&Path> = directories
            .iter()
            .filter(|other| **other != package.directory && other.starts_with(&package.directory))
            .map(PathBuf::as_path)
            .collect();
        let Some((looks_like, found)) = service(tree, &package, &nested) else {
            continue;
        };
        match places::set_aside(path) {
            Some(why) => findings.rejected.push(Rejected {
                path: path.clone(),
                looks_like,
                why: why.to_owned(),
            }),
            None => match found {
                Ok(found) => findings.found.push(*found),
                Err(why) => findings.rejected.push(Rejected {
                    path: path.clone(),
                    looks_like,
                    why,
                }),
            },
        }
    }
    findings
}

type Verdict = Result<Box<Found>, String>;

fn service(tree: &Tree, package: &Package, nested: &[&Path]) -> Option<(String, Verdict)> {
    if let Some(bundler) = bundler(tree, package) {
        let sources = Sources::read(tree, &package.directory, nested);
        return Some((
            format!("{} application", bundler.name),
            site(tree, package, &bundler, sources),
        ));
    }
    let (_, name, kind) = SERVERS
        .iter()
        .find(|(distribution, ..)| package.depends_on(distribution))?;
    let sources = Sources::read(tree, &package.directory, nested);
    let looks_like = format!("{name} application");
    let listens = sources.listens.clone();
    let framework_serves = matches!(
        *name,
        "Next.js" | "Nuxt" | "Remix" | "React Router" | "SvelteKit" | "NestJS"
    );
    if *name == "MCP" && sources.stdio_transport.is_none() && listens.is_none() {
        return None;
    }
    if !framework_serves && listens.is_none() && sources.stdio_transport.is_none() {
        return Some((looks_like, Err("nothing in it listens".to_owned())));
    }
    let kind = match (*name, &listens) {
        ("MCP", Some(_)) => ServiceKind::McpHttp,
        _ => *kind,
    };
    let (defined_at, why) = match (&listens, &sources.stdio_transport) {
        (Some((span, _)), _) => (span.clone(), "listens for connections".to_owned()),
        (None, Some(span)) => (
            span.clone(),
            "serves MCP over standard input and output".to_owned(),
        ),
        (None, None) => (package.span.clone(), format!("depends on {name}")),
    };
    let port = listens
        .as_ref()
        .and_then(|(_, port)| *port)
        .or(framework_serves.then_some(3000));
    let command = package.start_command();
    let mut found = blank(package, tree, kind, name, defined_at.clone(), why);
    found.service.version = package.version_of(
        SERVERS
            .iter()
            .find(|(_, other, _)| other == name)
            .map_or("", |(distribution, ..)| distribution),
    );
    found.service.command = command;
    found.service.ports = port.into_iter().collect();
    found.service.health = port.map(|port| Health::Tcp { port });
    if kind == ServiceKind::McpStdio {
        found.service.health = Some(Health::McpHandshake);
    }
    found.variables = sources.variables;
    finish(package, &mut found);
    found.problems.push(
        Diagnostic::warning(format!(
            "{name} needs a Node server in its image, which Plimsoll does not assemble yet"
        ))
        .at(package.span.clone())
        .hint("name an image for it in a Compose file"),
    );
    Some((looks_like, Ok(Box::new(found))))
}

/// A program that builds a site out of files.
struct Bundler {
    name: &'static str,
    distribution: &'static str,
    output: PathBuf,
    port: u16,
    config: Option<ViteConfig>,
}

fn bundler(tree: &Tree, package: &Package) -> Option<Bundler> {
    let serves_itself = [
        "next",
        "nuxt",
        "@remix-run/node",
        "@react-router/node",
        "@sveltejs/adapter-node",
    ]
    .into_iter()
    .any(|distribution| package.depends_on(distribution));
    if serves_itself {
        return None;
    }
    if package.depends_on("vite") {
        let config = ViteConfig::read(tree, &package.directory);
        let output = config
            .as_ref()
            .and_then(|config| config.output.clone())
            .unwrap_or_else(|| "dist".to_owned());
        let page = tree.has_file(&package.directory.join("index.html"))
            || config.as_ref().is_some_and(|config| config.root.is_some());
        let library = config.as_ref().is_some_and(|config| config.library);
        return (page && !library && package.script_runs("build", "vite")).then(|| Bundler {
            name: "Vite",
            distribution: "vite",
            output: PathBuf::from(output),
            port: 5173,
            config,
        });
    }
    let table: &[(&str, &str, &str, &str)] = &[
        (
            "react-scripts",
            "Create React App",
            "react-scripts",
            "build",
        ),
        ("@vue/cli-service", "Vue CLI", "vue-cli-service", "dist"),
        ("astro", "Astro", "astro", "dist"),
        ("parcel", "Parcel", "parcel", "dist"),
    ];
    table
        .iter()
        .find(|(distribution, _, program, _)| {
            package.depends_on(distribution) && package.script_runs("build", program)
        })
        .map(|(distribution, name, _, output)| Bundler {
            name,
            distribution,
            output: PathBuf::from(output),
            port: 3000,
            config: None,
        })
}

fn site(tree: &Tree, package: &Package, bundler: &Bundler, sources: Sources) -> Verdict {
    let (defined_at, why) = match &bundler.config {
        Some(config) => (config.span.clone(), "configures Vite".to_owned()),
        None => (
            package.span.clone(),
            format!("builds with {}", bundler.name),
        ),
    };
    let mut found = blank(
        package,
        tree,
        ServiceKind::Ui,
        bundler.name,
        defined_at,
        why,
    );
    found.service.version = package.version_of(bundler.distribution);
    found.service.built_with = [
        "react",
        "vue",
        "svelte",
        "solid-js",
        "preact",
        "@angular/core",
    ]
    .into_iter()
    .filter(|library| package.depends_on(library))
    .map(|library| {
        let name = match library {
            "react" => "React",
            "vue" => "Vue",
            "svelte" => "Svelte",
            "solid-js" => "Solid",
            "preact" => "Preact",
            _ => "Angular",
        };
        let version = package
            .version_of(library)
            .map(|version| format!(" {version}"));
        format!("{name}{}", version.unwrap_or_default())
    })
    .collect();
    if let Some(script) = package.script("build") {
        found.service.evidence.push(Evidence::new(
            script.span.clone().unwrap_or_else(|| package.span.clone()),
            format!("`{}` builds it", script.value),
        ));
    }
    found.service.ports = vec![STATIC_PORT];
    found.service.development_port = Some(
        bundler
            .config
            .as_ref()
            .and_then(|config| config.port)
            .unwrap_or(bundler.port),
    );
    found.service.health = Some(Health::Http(Route {
        path: "/".to_owned(),
        port: STATIC_PORT,
        span: None,
    }));
    found.variables = sources.variables;
    for (path, span) in bundler.config.iter().flat_map(|config| &config.proxied) {
        found.problems.push(
            Diagnostic::warning(format!(
                "pages call `{path}` through Vite's development proxy, which is not there once the site is built"
            ))
            .at(span.clone())
            .hint("let the pages call the backend's own address, for example by a variable `VITE_API_URL`"),
        );
    }
    let Some(manager) = package.manager else {
        found.problems.push(
            Diagnostic::warning("has no lock file, so that every build may install other versions")
                .at(package.span.clone())
                .hint("commit `package-lock.json`"),
        );
        finish(package, &mut found);
        found.service.recipe = Some(recipe(tree, package, bundler, NodeManager::Npm));
        return Ok(Box::new(found));
    };
    finish(package, &mut found);
    found.service.recipe = Some(recipe(tree, package, bundler, manager));
    Ok(Box::new(found))
}

fn recipe(tree: &Tree, package: &Package, bundler: &Bundler, manager: NodeManager) -> BuildRecipe {
    let context = match &package.lock {
        Some(lock) => lock.parent().unwrap_or(Path::new("")).to_owned(),
        None => package.directory.clone(),
    };
    BuildRecipe {
        context: absolute(tree, &context),
        kind: RecipeKind::StaticSite(StaticSiteRecipe {
            root: places::below(&package.directory, &context),
            manager,
            lock: package
                .lock
                .as_ref()
                .map(|lock| places::below(lock, &context)),
            script: Some("build".to_owned()),
            output: bundler.output.clone(),
            build_environment: Vec::new(),
            proxies: Vec::new(),
        }),
        system_packages: Vec::new(),
        environment: Vec::new(),
        command: Vec::new(),
        working_dir: PathBuf::from(crate::python::IMAGE_ROOT),
        ports: vec![STATIC_PORT],
    }
}

/// `relative` below the tree's root, without a trailing slash for the root itself.
pub(crate) fn absolute(tree: &Tree, relative: &Path) -> PathBuf {
    if relative.as_os_str().is_empty() {
        tree.root().to_owned()
    } else {
        tree.root().join(relative)
    }
}

fn finish(package: &Package, found: &mut Found) {
    let imported: Vec<_> = package
        .dependencies
        .iter()
        .filter(|(_, _, runtime)| *runtime)
        .filter_map(|(name, version, _)| {
            let span = version.span.clone().unwrap_or_else(|| package.span.clone());
            Some((needs::of_module(name)?, true, span, name.clone()))
        })
        .collect();
    if found.service.kind != ServiceKind::Ui || !found.service.built_with.is_empty() {
        let told: Vec<_> = found
            .variables
            .iter()
            .map(crate::found::FoundVariable::told)
            .collect();
        if found.service.recipe.is_none() && found.service.built_with.is_empty() {
            found.needs = needs::needs(&imported, &told);
        }
    }
}

fn blank(
    package: &Package,
    tree: &Tree,
    kind: ServiceKind,
    framework: &str,
    defined_at: Span,
    why: String,
) -> Found {
    let file = package
        .lock
        .clone()
        .unwrap_or_else(|| package.path.to_path_buf());
    Found {
        service: DetectedService {
            name: String::new(),
            kind,
            language: if tree.has_file(&package.directory.join("tsconfig.json")) {
                "typescript"
            } else {
                "javascript"
            },
            framework: Some(framework.to_owned()),
            version: None,
            built_with: Vec::new(),
            language_version: package.node.clone(),
            manager: package.manager.map(|manager| match manager {
                NodeManager::Npm => "npm".to_owned(),
                NodeManager::Pnpm => "pnpm".to_owned(),
                NodeManager::Yarn => "yarn".to_owned(),
                NodeManager::Bun => "bun".to_owned(),
            }),
            dependencies_from: Some(file),
            root: package.directory.clone(),
            command: Vec::new(),
            working_dir: PathBuf::from(crate::python::IMAGE_ROOT),
            ports: Vec::new(),
            development_port: None,
            health: None,
            metrics: None,
            stream: None,
            replicas_max: None,
            writes: Vec::new(),
            packages: Vec::new(),
            needs: Vec::new(),
            shares_with: None,
            evidence: vec![Evidence::new(defined_at.clone(), why)],
            defined_at,
            recipe: None,
            files: vec![package.path.clone()],
            routes: Vec::new(),
            target: package.name.clone().unwrap_or_default(),
        },
        variables: Vec::new(),
        needs: Vec::new(),
        problems: Vec::new(),
    }
}
