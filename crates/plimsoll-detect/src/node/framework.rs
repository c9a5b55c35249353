//! Frameworks: how each is built, what of it goes into an image, and what starts it there.

use std::path::{Path, PathBuf};

use plimsoll_model::NodeLayout;

use super::locations::location;
use super::manifest::Package;
use super::script::{Line, started};
use crate::detection::ServiceKind;
use crate::document::Item;
use crate::location::Location;
use crate::tree::Tree;

/// A framework.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Framework {
    /// The distribution that shows it.
    pub(crate) distribution: &'static str,
    /// The name as people write it.
    pub(crate) name: &'static str,
    pub(crate) kind: ServiceKind,
}

/// Frameworks whose server is Node itself, those that use others first.
#[rustfmt::skip]
const FRAMEWORKS: &[(&str, &str, ServiceKind)] = &[
    ("next", "Next.js", ServiceKind::Ui),
    ("nuxt", "Nuxt", ServiceKind::Ui),
    ("@remix-run/node", "Remix", ServiceKind::Ui),
    ("@react-router/node", "React Router", ServiceKind::Ui),
    ("@sveltejs/kit", "SvelteKit", ServiceKind::Ui),
    ("@astrojs/node", "Astro", ServiceKind::Ui),
    ("@angular/ssr", "Angular", ServiceKind::Ui),
    ("@tanstack/react-start", "TanStack Start", ServiceKind::Ui),
    ("@tanstack/solid-start", "TanStack Start", ServiceKind::Ui),
    ("@solidjs/start", "SolidStart", ServiceKind::Ui),
    ("waku", "Waku", ServiceKind::Ui),
    ("@builder.io/qwik-city", "Qwik", ServiceKind::Ui),
    ("nitropack", "Nitro", ServiceKind::Web),
    ("nitro", "Nitro", ServiceKind::Web),
    ("mastra", "Mastra", ServiceKind::Web),
    ("@nestjs/core", "NestJS", ServiceKind::Web),
    ("@modelcontextprotocol/sdk", "MCP", ServiceKind::McpStdio),
    ("@modelcontextprotocol/server", "MCP", ServiceKind::McpStdio),
    ("fastmcp", "MCP", ServiceKind::McpStdio),
    ("mcp-framework", "MCP", ServiceKind::McpStdio),
    ("xmcp", "xmcp", ServiceKind::McpHttp),
    ("@llamaindex/server", "LlamaIndex", ServiceKind::Web),
    ("fastify", "Fastify", ServiceKind::Web),
    ("hono", "Hono", ServiceKind::Web),
    ("elysia", "Elysia", ServiceKind::Web),
    ("koa", "Koa", ServiceKind::Web),
    ("@hapi/hapi", "Hapi", ServiceKind::Web),
    ("express", "Express", ServiceKind::Web),
];

impl Framework {
    /// The framework of a package.
    pub(crate) fn of(package: &Package) -> Option<Self> {
        Self::among(package, &|_| true)
    }

    /// The framework that files import.
    pub(crate) fn imported(imports: &dyn Fn(&str) -> bool) -> Option<Self> {
        FRAMEWORKS
            .iter()
            .find(|(distribution, ..)| imports(distribution))
            .map(|(distribution, name, kind)| Self {
                distribution,
                name,
                kind: *kind,
            })
    }

    /// The framework of a package whose pages another one makes.
    pub(crate) fn of_server(package: &Package) -> Option<Self> {
        FRAMEWORKS
            .iter()
            .filter(|(_, _, kind)| *kind != ServiceKind::Ui)
            .find(|(distribution, ..)| package.depends_on(distribution))
            .map(|(distribution, name, kind)| Self {
                distribution,
                name,
                kind: *kind,
            })
    }

    /// The framework of a package that serves no protocol of models, though it depends on a kit for it.
    pub(crate) fn of_client(package: &Package) -> Option<Self> {
        Self::among(package, &|name| name != "MCP")
    }

    fn among(package: &Package, wanted: &dyn Fn(&str) -> bool) -> Option<Self> {
        FRAMEWORKS
            .iter()
            .filter(|(_, name, _)| wanted(name))
            .find(|(distribution, ..)| package.depends_on(distribution))
            .map(|(distribution, name, kind)| Self {
                distribution,
                name,
                kind: *kind,
            })
    }

    /// Whether the framework itself listens.
    pub(crate) fn serves(self) -> bool {
        matches!(
            self.name,
            "Next.js"
                | "Nuxt"
                | "Remix"
                | "React Router"
                | "SvelteKit"
                | "Astro"
                | "Angular"
                | "Nitro"
                | "TanStack Start"
                | "SolidStart"
                | "Waku"
                | "Qwik"
                | "xmcp"
                | "Mastra"
                | "NestJS"
        )
    }
}

/// How a framework's output is put into an image.
#[derive(Debug, Clone)]
pub(crate) enum Form {
    /// Files that a static server hands out, relative to the package.
    Files { output: PathBuf },
    /// A server.
    Server {
        layout: NodeLayout,
        /// What starts it, where the package's own script is not taken.
        command: Option<Vec<String>>,
        port: u16,
        environment: Vec<(String, String)>,
    },
    /// It makes neither, for this reason.
    Neither { why: String, hint: String },
}

/// How the output of a framework that builds a whole application is put into an image.
pub(crate) fn form(
    tree: &Tree,
    package: &Package,
    framework: &Framework,
    member: &Path,
) -> Option<Form> {
    let everywhere = |port: u16| {
        ["HOST", "HOSTNAME"]
            .map(|name| (name.to_owned(), "0.0.0.0".to_owned()))
            .into_iter()
            .chain([("PORT".to_owned(), port.to_string())])
            .collect::<Vec<_>>()
    };
    let node = |file: &str| Some(vec!["node".to_owned(), file.to_owned()]);
    let configuration = |names: &[&str]| {
        names
            .iter()
            .flat_map(|name| ["ts", "mts", "js", "mjs", "cjs"].map(|end| format!("{name}.{end}")))
            .map(|name| package.directory.join(name))
            .find(|path| tree.has_file(path))
            .and_then(|path| Settings::read(tree, &path))
            .unwrap_or_default()
    };
    Some(match framework.name {
        "Next.js" => {
            let settings = configuration(&["next.config"]);
            match settings.text("output") {
                Some("export") => Form::Files {
                    output: settings
                        .path("distDir")
                        .unwrap_or_else(|| PathBuf::from("out")),
                },
                Some("standalone") => Form::Server {
                    layout: standalone(settings.text("distDir").unwrap_or(".next"), member),
                    command: node(&member.join("server.js").display().to_string()),
                    port: 3000,
                    environment: everywhere(3000),
                },
                // A server of its own hands requests on to Next.js, and is a program like any other.
                _ if has_own_server(package) => return None,
                _ => {
                    // The script may do more before, and says where it listens.
                    let told = started(package, &["next", "start"]);
                    let (command, port) = told.unwrap_or_default();
                    let plain = || ["next", "start"].map(str::to_owned).to_vec();
                    let port = port.unwrap_or(3000);
                    Form::Server {
                        layout: NodeLayout::Application,
                        command: Some(match command.as_slice() {
                            [] => plain(),
                            _ => command,
                        }),
                        port,
                        environment: vec![("PORT".to_owned(), port.to_string())],
                    }
                }
            }
        }
        "Nuxt"
            if package
                .script("build")
                .is_some_and(|line| line.contains("generate")) =>
        {
            Form::Files {
                output: PathBuf::from(".output/public"),
            }
        }
        "Nuxt" => Form::Server {
            layout: NodeLayout::Standalone {
                directories: vec![(PathBuf::from(".output"), PathBuf::from("."))],
            },
            command: node("server/index.mjs"),
            port: 3000,
            environment: everywhere(3000),
        },
        "Remix" | "React Router" => {
            let settings = configuration(&["react-router.config"]);
            if settings.text("ssr") == Some("false") {
                return Some(Form::Files {
                    output: PathBuf::from("build/client"),
                });
            }
            let program = match framework.name {
                "Remix" => ("@remix-run/serve", "remix-serve"),
                _ => ("@react-router/serve", "react-router-serve"),
            };
            let own = package.depends_on(program.0);
            Form::Server {
                layout: NodeLayout::Application,
                command: own.then(|| {
                    stated(package, program.1).unwrap_or_else(|| {
                        // Remix's own compiler, before Vite, wrote one file.
                        let by_remix = ["remix.config.js", "remix.config.mjs", "remix.config.cjs"]
                            .iter()
                            .any(|name| tree.has_file(&package.directory.join(name)));
                        let before = configuration(&["remix.config"]);
                        let file = match by_remix {
                            true => before.text("serverBuildPath").unwrap_or("./build/index.js"),
                            false => "./build/server/index.js",
                        };
                        vec![program.1.to_owned(), file.to_owned()]
                    })
                }),
                port: 3000,
                environment: everywhere(3000),
            }
        }
        "SvelteKit" => super::svelte::form(tree, package, everywhere(3000)),
        "TanStack Start"
            if !["nitro", "nitropack", "@tanstack/nitro-v2-vite-plugin"]
                .iter()
                .any(|server| package.depends_on(server)) =>
        {
            Form::Neither {
                why: "its build makes no server that Node runs".to_owned(),
                hint: "add `nitro` to the plugins of Vite".to_owned(),
            }
        }
        "Nitro" | "TanStack Start" | "SolidStart" => Form::Server {
            layout: NodeLayout::Standalone {
                directories: vec![(PathBuf::from(".output"), PathBuf::from("."))],
            },
            command: node("server/index.mjs"),
            port: 3000,
            environment: everywhere(3000),
        },
        // Its output has a manifest and packages of its own, and looks for files beside itself.
        "Mastra" => Form::Server {
            layout: NodeLayout::Standalone {
                directories: vec![(
                    PathBuf::from(".mastra/output"),
                    PathBuf::from(".mastra/output"),
                )],
            },
            command: node(".mastra/output/index.mjs"),
            port: 4111,
            environment: vec![
                ("MASTRA_HOST".to_owned(), "0.0.0.0".to_owned()),
                ("PORT".to_owned(), "4111".to_owned()),
            ],
        },
        "Waku" => Form::Server {
            layout: NodeLayout::Application,
            command: Some(
                ["waku", "start", "--host", "0.0.0.0", "--port", "3000"]
                    .map(str::to_owned)
                    .to_vec(),
            ),
            port: 3000,
            environment: Vec::new(),
        },
        // Its adapters for Node write `server/` and a script that starts it.
        "Qwik" => match package.script("serve") {
            Some(script) if script.starts_with("node ") => Form::Server {
                layout: NodeLayout::Application,
                command: Some(script.split_whitespace().map(str::to_owned).collect()),
                port: 3000,
                environment: everywhere(3000),
            },
            _ => Form::Neither {
                why: "its build makes no server that Node runs".to_owned(),
                hint: "`npm run qwik add` adds one (`express`, `fastify` or `node-server`)"
                    .to_owned(),
            },
        },
        "xmcp" if configuration(&["xmcp.config"]).text("http").is_some() => Form::Server {
            layout: NodeLayout::Application,
            command: node("dist/http.js"),
            port: 3001,
            environment: vec![("PORT".to_owned(), "3001".to_owned())],
        },
        "Astro" => Form::Server {
            layout: NodeLayout::Application,
            command: node("./dist/server/entry.mjs"),
            port: 4321,
            environment: everywhere(4321),
        },
        "Angular" => Form::Server {
            layout: NodeLayout::Application,
            command: node(&format!(
                "{}/server/server.mjs",
                angular_output(tree, package)?.0.display()
            )),
            port: 4000,
            environment: vec![("PORT".to_owned(), "4000".to_owned())],
        },
        _ => return None,
    })
}

/// Whether the script that starts a package runs a file of its own instead of the framework's program.
fn has_own_server(package: &Package) -> bool {
    let Some(Line::Plain { words, .. }) = Line::of(package, "start") else {
        return false;
    };
    let runs = |program: &String| matches!(program.as_str(), "node" | "tsx" | "ts-node" | "bun");
    let file = words.iter().skip(1).find(|word| !word.starts_with('-'));
    words.first().is_some_and(runs)
        && file.is_some_and(|file| {
            let ends = [".js", ".mjs", ".cjs", ".ts", ".mts"];
            ends.iter().any(|end| file.ends_with(end)) && !file.contains(".next/")
        })
}

/// The directories of Next's standalone output. In a workspace it repeats the way to the package.
fn standalone(output: &str, member: &Path) -> NodeLayout {
    let place = |path: &str| member.join(path);
    NodeLayout::Standalone {
        directories: vec![
            (Path::new(output).join("standalone"), PathBuf::from(".")),
            (
                Path::new(output).join("static"),
                place(&format!("{output}/static")),
            ),
            (PathBuf::from("public"), place("public")),
        ],
    }
}

/// Where Angular's build leaves a project, and the directory in it that the pages lie in.
pub(crate) fn angular_output(tree: &Tree, package: &Package) -> Option<(PathBuf, String)> {
    let path = package.directory.join("angular.json");
    let path: std::sync::Arc<Path> = std::sync::Arc::from(path.as_path());
    let item = Item::json(&path, tree.source(&path)?)?;
    let (name, project) = item
        .entries(&["projects"])
        .iter()
        .find(|(_, project)| project.text(&["projectType"]) != Some("library"))?;
    let build = project
        .get(&["architect", "build"])
        .or_else(|| project.get(&["targets", "build"]))?;
    let output = build
        .text(&["options", "outputPath"])
        .or_else(|| build.text(&["options", "outputPath", "base"]))
        .map_or_else(|| Path::new("dist").join(name), PathBuf::from);
    let builder = build.text(&["builder"]).unwrap_or_default();
    let pages = match builder.ends_with(":application") {
        true => build
            .text(&["options", "outputPath", "browser"])
            .unwrap_or("browser"),
        false => "",
    };
    Some((output, pages.to_owned()))
}

/// The words of the script for production that starts `program`.
fn stated(package: &Package, program: &str) -> Option<Vec<String>> {
    ["start:prod", "start:production", "start"]
        .iter()
        .find_map(|name| match Line::of(package, name)? {
            Line::Plain { words, .. } if words.first()? == program => Some(words),
            _ => None,
        })
}

/// Plain values of a configuration file, by their last key.
#[derive(Debug, Default)]
pub(super) struct Settings {
    values: Vec<(String, String)>,
    /// Places that values name.
    places: Vec<(String, Location)>,
}

impl Settings {
    pub(super) fn read(tree: &Tree, path: &Path) -> Option<Self> {
        let grammar = crate::syntax::Grammar::of(path)?;
        let source = crate::syntax::Source::parse(tree.shown(path), tree.source(path)?, grammar)?;
        let mut settings = Self::default();
        settings.walk(&source, source.root(), 0);
        Some(settings)
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let (_, value) = self.values.iter().find(|(known, _)| known == key)?;
        Some(value)
    }

    /// The place that a key names, seen from the directory of the file.
    pub(super) fn path(&self, key: &str) -> Option<PathBuf> {
        let (_, place) = self.places.iter().find(|(known, _)| known == key)?;
        Some(place.beside())
    }

    fn walk(&mut self, source: &crate::syntax::Source, node: tree_sitter::Node<'_>, depth: usize) {
        if depth > crate::syntax::DEPTH {
            return;
        }
        if node.kind() == "pair"
            && let (Some(key), Some(value)) = (
                node.child_by_field_name("key"),
                node.child_by_field_name("value"),
            )
        {
            let key = source.text_of(key).trim_matches(['"', '\'']).to_owned();
            if let Some(place) = location(source, value) {
                self.places.push((key.clone(), place));
            }
            let value = source
                .text_of(value)
                .trim_matches(['"', '\'', '`'])
                .to_owned();
            self.values.push((key, value));
        }
        for child in crate::syntax::named_children(node) {
            self.walk(source, child, depth + 1);
        }
    }
}
