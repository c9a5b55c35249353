//! Sites: files that a bundler makes and that a server hands out.

use std::path::PathBuf;

use plimsoll_diag::{Diagnostic, Evidence};
use plimsoll_model::{
    BuildRecipe, NodeBuild, NodeManager, RecipeKind, SiteProxy, StaticSiteRecipe,
};

use super::framework::Framework;
use super::generators::Generator;
use super::manifest::Package;
use super::sources::Sources;
use super::vite::ViteConfig;
use super::{Verdict, absolute, blank};
use crate::detection::{Health, Route, ServiceKind};
use crate::places;
use crate::tree::Tree;

/// The port that the web root is served on.
const STATIC_PORT: u16 = 8080;

/// A program that builds a site out of files.
pub(super) struct Bundler {
    pub(super) name: &'static str,
    distribution: &'static str,
    output: PathBuf,
    port: u16,
    config: Option<ViteConfig>,
}

pub(super) fn bundler(tree: &Tree, package: &Package) -> Option<Bundler> {
    let serves_itself = [
        "next",
        "nuxt",
        "@remix-run/node",
        "@react-router/node",
        "@sveltejs/kit",
        "@astrojs/node",
        "@angular/ssr",
        "@tanstack/react-start",
        "@tanstack/solid-start",
        "@solidjs/start",
        "@builder.io/qwik-city",
    ]
    .into_iter()
    .any(|distribution| package.depends_on(distribution));
    if serves_itself {
        return None;
    }
    if package.depends_on("vite") {
        let config = ViteConfig::read(tree, &package.directory);
        let told = super::script::option(package, "vite", &["--outDir"]);
        let output = match &config {
            Some(config) => config.output(told.as_deref()),
            None => PathBuf::from(told.as_deref().unwrap_or("dist")),
        };
        let page = tree.has_file(&package.directory.join("index.html"))
            || config.as_ref().is_some_and(|config| config.root.is_some());
        let library = config.as_ref().is_some_and(|config| config.library);
        return (page && !library && package.script_runs("build", "vite")).then_some(Bundler {
            name: "Vite",
            distribution: "vite",
            output,
            port: 5173,
            config,
        });
    }
    if package.depends_on("@angular/core") && package.script_runs("build", "ng") {
        let (output, pages) = super::framework::angular_output(tree, package)?;
        let told = super::script::option(package, "ng", &["--output-path", "--outputPath"]);
        let output = told.map_or(output, PathBuf::from);
        return Some(Bundler {
            name: "Angular",
            distribution: "@angular/core",
            output: match pages.as_str() {
                "" => output,
                pages => output.join(pages),
            },
            port: 4200,
            config: None,
        });
    }
    let generator = Generator::of(package)?;
    Some(Bundler {
        name: generator.name,
        distribution: generator.distribution,
        output: generator.output(tree, package),
        port: 3000,
        config: None,
    })
}

pub(super) fn site(tree: &Tree, package: &Package, bundler: &Bundler, sources: Sources) -> Verdict {
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
    for proxied in bundler.config.iter().flat_map(|config| &config.proxied) {
        if proxied.target.is_none() {
            found.problems.push(
                Diagnostic::warning(format!(
                    "pages call `{}` through Vite's development proxy, and where it leads is not plain",
                    proxied.path
                ))
                .at(proxied.span.clone())
                .hint("write the proxy's `target` as an address"),
            );
        }
    }
    let Some(manager) = package.manager else {
        found.problems.push(
            Diagnostic::warning("has no lock file, so that every build may install other versions")
                .at(package.span.clone())
                .hint("commit `package-lock.json`"),
        );
        found.service.recipe = Some(recipe(tree, package, bundler, NodeManager::Npm));
        return Ok(Box::new(found));
    };
    found.service.recipe = Some(recipe(tree, package, bundler, manager));
    Ok(Box::new(found))
}

fn recipe(tree: &Tree, package: &Package, bundler: &Bundler, manager: NodeManager) -> BuildRecipe {
    let own = package.installed_in.clone();
    // What leaves its package is made among the files that are around it.
    let output = places::within(&package.directory, places::text(&bundler.output));
    let context = match output {
        Some(output) if !output.starts_with(&own) => places::common(&own, &output),
        _ => own,
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
            build: Some(NodeBuild::Script("build".to_owned())),
            output: bundler.output.clone(),
            build_environment: Vec::new(),
            proxies: proxies(bundler),
        }),
        system_packages: Vec::new(),
        environment: Vec::new(),
        command: Vec::new(),
        working_dir: PathBuf::from(crate::python::IMAGE_ROOT),
        ports: vec![STATIC_PORT],
        pages: Vec::new(),
    }
}

/// Pages that a framework makes ahead of time.
pub(super) fn of_framework(
    tree: &Tree,
    package: &Package,
    framework: Framework,
    output: PathBuf,
    sources: Sources,
) -> Verdict {
    let bundler = Bundler {
        name: framework.name,
        distribution: framework.distribution,
        output,
        port: 3000,
        config: None,
    };
    site(tree, package, &bundler, sources)
}

/// Paths that the development server passes on and that the site's server passes on too: to the
/// address as written, until it is known which service that is.
fn proxies(bundler: &Bundler) -> Vec<SiteProxy> {
    let proxied = bundler.config.iter().flat_map(|config| &config.proxied);
    proxied
        .filter_map(|proxied| {
            let target = proxied.target.as_deref()?;
            let (scheme, rest) = target.split_once("://")?;
            let upstream = rest.split('/').next()?;
            let upstream = match upstream.contains(':') {
                true => upstream.to_owned(),
                false if scheme.ends_with('s') => format!("{upstream}:443"),
                false => format!("{upstream}:80"),
            };
            // A path that begins with `^` is a pattern.
            proxied.path.starts_with('/').then(|| SiteProxy {
                path: proxied.path.clone(),
                replacement: proxied.replacement.clone(),
                upstream,
            })
        })
        .collect()
}

/// Leads the paths that a site passes on to services. `find` knows the service for a host and a port,
/// and its own port. What leads nowhere is taken out and told.
pub(crate) fn settle(
    site: &mut StaticSiteRecipe,
    service: &str,
    find: impl Fn(&str, u16) -> Option<(String, u16)>,
) -> (Vec<String>, Vec<Diagnostic>) {
    let mut led = Vec::new();
    let mut diagnostics = Vec::new();
    site.proxies.retain_mut(|proxy| {
        let (host, port) = match proxy.upstream.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().unwrap_or(80)),
            None => (proxy.upstream.as_str(), 80),
        };
        match find(host, port) {
            Some((name, port)) => {
                proxy.upstream = format!("{name}:{port}");
                if !led.contains(&name) {
                    led.push(name);
                }
                true
            }
            None => {
                diagnostics.push(
                    Diagnostic::warning(format!(
                        "pages of `{service}` call `{}` through Vite's development proxy, which leads to \
                         `{}`: no service of the project",
                        proxy.path, proxy.upstream
                    ))
                    .hint("let the pages call that address themselves, for example by a variable `VITE_API_URL`"),
                );
                false
            }
        }
    });
    (led, diagnostics)
}

/// Whether a host is the machine that a developer works on.
pub(crate) fn is_local(host: &str) -> bool {
    matches!(
        host,
        "localhost" | "127.0.0.1" | "0.0.0.0" | "[::1]" | "host.docker.internal"
    )
}
