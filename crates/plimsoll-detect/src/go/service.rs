//! From a main package and what it reaches to a service, or to the reason why it is none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use plimsoll_diag::{Evidence, Span};
use plimsoll_model::{BuildRecipe, GoRecipe, RecipeKind};

use super::Closure;
use super::commands;
use super::fields;
use super::function::{Function, RouteHint, Transport};
use super::manifest::Module;
use super::package::Package;
use crate::claims::ImageClaim;
use crate::detection::{DetectedService, Health, Route, ServiceKind, Stream};
use crate::found::{Found, FoundVariable};
use crate::mcp_transport::says_http;
use crate::needs;
use crate::operational::{has_pages_of_its_own, is_only_operational};
use crate::places;
use crate::tree::Tree;

/// Where the image has the program.
const PROGRAMS: &str = "/usr/local/bin";

/// Last parts of paths that tell whether a service works, best first.
const HEALTH: &[&str] = &[
    "ready",
    "readyz",
    "health",
    "healthz",
    "healthcheck",
    "live",
    "livez",
    "ping",
    "status",
];

/// Modules that are written in C, or call a C library that they bring along.
const WITH_C: &[&str] = &[
    "github.com/mattn/go-sqlite3",
    "gorm.io/driver/sqlite",
    "github.com/mutecomm/go-sqlcipher",
    "github.com/confluentinc/confluent-kafka-go",
    "github.com/marcboeker/go-duckdb",
    "github.com/duckdb/duckdb-go",
    "github.com/asg017/sqlite-vec-go-bindings/cgo",
    "github.com/knights-analytics/hugot",
    "github.com/chai2010/webp",
];

/// Frameworks by the path of their module, with the name people call them by.
const FRAMEWORKS: &[(&str, &str)] = &[
    ("github.com/mark3labs/mcp-go", "mcp-go"),
    ("github.com/modelcontextprotocol/go-sdk", "MCP Go SDK"),
    ("github.com/gin-gonic/gin", "gin"),
    ("github.com/labstack/echo", "echo"),
    ("github.com/gofiber/fiber", "fiber"),
    ("github.com/go-chi/chi", "chi"),
    ("github.com/gorilla/mux", "mux"),
    ("github.com/cloudwego/hertz", "hertz"),
    ("github.com/beego/beego", "beego"),
    ("github.com/zeromicro/go-zero", "go-zero"),
    ("github.com/hibiken/asynq", "asynq"),
    ("go.temporal.io/sdk", "Temporal"),
    ("google.golang.org/grpc", "grpc"),
    ("connectrpc.com/connect", "connect"),
    (
        "github.com/go-telegram-bot-api/telegram-bot-api",
        "Telegram bot",
    ),
    ("github.com/go-telegram/bot", "Telegram bot"),
    ("github.com/mymmrac/telego", "Telegram bot"),
    ("gopkg.in/telebot.v3", "Telegram bot"),
    ("gopkg.in/telebot.v4", "Telegram bot"),
    ("gopkg.in/tucnak/telebot.v2", "Telegram bot"),
    ("github.com/bwmarrin/discordgo", "Discord bot"),
    ("github.com/disgoorg/disgo", "Discord bot"),
    ("github.com/slack-go/slack", "Slack bot"),
    ("k8s.io/client-go", "client-go"),
    ("sigs.k8s.io/controller-runtime", "controller-runtime"),
];

/// Modules that make a program one for the command line.
const COMMAND_LINES: &[&str] = &[
    "github.com/spf13/cobra",
    "github.com/urfave/cli",
    "github.com/alecthomas/kong",
];

/// As many commands has a program that is for whoever works with a server beside it.
const MANY: usize = 5;

/// Everything that is known of one main package.
pub(super) struct Seen<'s> {
    pub tree: &'s Tree,
    pub module: &'s Module,
    pub directory: &'s Path,
    pub package: &'s Package,
    pub main: &'s Span,
    pub closure: &'s Closure<'s>,
    /// The functions that `main` leads to.
    pub reached: Vec<&'s Function>,
    /// Those of them that run whatever the settings are.
    pub certain: Vec<&'s Function>,
    /// The subcommand that serves.
    pub served: Option<String>,
    pub claim: Option<&'s ImageClaim>,
}

impl Seen<'_> {
    /// The service, or what it looks like and why it is none.
    pub(super) fn verdict(
        &self,
        aside: Option<&'static str>,
    ) -> Result<Box<Found>, (&'static str, &'static str)> {
        let listens = self
            .reached
            .iter()
            .find_map(|function| function.listens.first());
        let transport = self
            .reached
            .iter()
            .filter_map(|function| function.transport.as_ref())
            .max_by_key(|(transport, _)| *transport == Transport::Http);
        let is = |test: fn(&Function) -> bool| self.reached.iter().any(|function| test(function));
        // Of several ways to speak, the image's own arguments choose one.
        let told = self
            .claim
            .is_some_and(|claim| claim.arguments.iter().any(|argument| argument == "stdio"))
            || self.is_quiet();
        let chat = self
            .reached
            .iter()
            .find_map(|function| function.chat.as_ref());
        // What is started by hand with something to work on ends when that is done; no image starts such.
        let started = self.claim.is_some_and(|claim| claim.started);
        let by_hand = !started
            && self.package.functions.iter().any(|own| own.positional)
            && !is(|function| function.consumes);
        let works = is(|function| function.waits) && is(|function| function.repeats) && !by_hand
            || chat.is_some();
        let (kind, looks_like) = match (transport, listens) {
            (Some(_), _) if told => (Some(ServiceKind::McpStdio), "MCP server"),
            // A server with pages of its own may speak MCP besides.
            (Some((Transport::Http, _)), Some(_))
                if has_pages_of_its_own(self.routes().map(|route| route.path.as_str()))
                    || is(|function| function.serves_calls) =>
            {
                (Some(ServiceKind::Web), "Go server")
            }
            (Some((Transport::Http, _)), _) => (Some(ServiceKind::McpHttp), "MCP server"),
            (Some((Transport::Stdio, _)), None) => (Some(ServiceKind::McpStdio), "MCP server"),
            (Some((Transport::Stdio, _)), Some(_)) => (Some(ServiceKind::McpHttp), "MCP server"),
            // What only tells how it is doing serves nobody.
            (None, Some(_))
                if works
                    && (is(|function| function.consumes)
                        || chat.is_some()
                        || self.package.functions.iter().any(|own| own.listens_aside))
                    && !is(|function| function.serves_calls || function.accepts)
                    && is_only_operational(self.routes().map(|route| route.path.as_str())) =>
            {
                (Some(ServiceKind::Worker), "Go worker")
            }
            (None, Some(_)) => (Some(ServiceKind::Web), "Go server"),
            (None, None) if works => (Some(ServiceKind::Worker), "Go worker"),
            (None, None) => (None, "Go program"),
        };
        if let Some(why) = aside {
            return Err((looks_like, why));
        }
        let Some(kind) = kind else {
            let command_line = by_hand || COMMAND_LINES.iter().any(|name| self.imports(name));
            let why = if command_line {
                "a program for the command line"
            } else {
                "listens on nothing"
            };
            return Err((looks_like, why));
        };
        let mut evidence = vec![Evidence::new(
            self.main.clone(),
            "is where the program starts",
        )];
        if let Some(span) = listens {
            evidence.push(Evidence::new(span.clone(), "listens for connections"));
        }
        if let Some(span) = chat {
            let why = "goes online in a chat and waits there";
            evidence.push(Evidence::new(span.clone(), why));
        }
        if let Some((transport, span)) = transport {
            let words = match transport {
                Transport::Stdio => "speaks MCP over standard input and output",
                Transport::Http => "speaks MCP over HTTP",
            };
            evidence.push(Evidence::new(span.clone(), words));
        }
        Ok(Box::new(self.found(kind, evidence)))
    }

    /// Whether it speaks over its standard input unless it is told otherwise, and its image does not tell it.
    fn is_quiet(&self) -> bool {
        let is = |test: fn(&Function) -> bool| self.reached.iter().any(|function| test(function));
        let told = self.claim.is_some_and(|claim| says_http(&claim.arguments));
        // What serves pages or remote calls as well is no server of the protocol alone.
        let serves = is(|function| function.serves_calls)
            || has_pages_of_its_own(self.routes().map(|route| route.path.as_str()));
        let chosen =
            !serves && is(|function| function.quiet) && is(|function| function.speaks_aside);
        (chosen || self.is_quiet_by_itself()) && !told
    }

    /// Whether the program itself speaks over its standard input, and subcommands or settings make it do otherwise.
    fn is_quiet_by_itself(&self) -> bool {
        let program = self.module.program(self.directory);
        let root = commands::root(&self.reached, &program);
        let by_itself = root.is_some() && self.served.as_deref() == root;
        let sure = |test: fn(&Function) -> bool| self.certain.iter().any(|one| test(one));
        by_itself
            && sure(|one| one.speaks_aside)
            && !sure(|one| !one.listens.is_empty())
            && !sure(|one| matches!(one.transport, Some((Transport::Http, _))))
    }

    /// The port it would listen on if it were told to speak over HTTP.
    fn over_http(&self, kind: ServiceKind) -> Option<u16> {
        let quiet = kind == ServiceKind::McpStdio && self.is_quiet();
        quiet.then(|| self.usual_port())
    }

    /// Whether it has many commands, of which serving is one.
    pub(super) fn is_command_line(&self) -> bool {
        let commands = self.reached.iter().flat_map(|function| &function.commands);
        let commands: BTreeSet<&String> = commands.collect();
        commands.len() >= MANY && COMMAND_LINES.iter().any(|name| self.imports(name))
    }

    pub(super) fn imports(&self, module: &str) -> bool {
        self.closure.foreign.keys().any(|import| {
            import
                .strip_prefix(module)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    fn found(&self, kind: ServiceKind, evidence: Vec<Evidence>) -> Found {
        let (ports, metrics_port) = match kind {
            ServiceKind::McpStdio => (Vec::new(), None),
            ServiceKind::Worker if self.reached.iter().all(|one| one.listens.is_empty()) => {
                (Vec::new(), None)
            }
            _ => self.ports(),
        };
        let port = ports.first().copied();
        let to_route = |route: &RouteHint, port: Option<u16>| {
            Some(Route {
                path: route.path.clone(),
                port: port?,
                span: Some(route.span.clone()),
            })
        };
        let health = self
            .health()
            .and_then(|route| to_route(route, port))
            .map(Health::Http)
            .or(port.map(|port| Health::Tcp { port }));
        let metrics = self
            .metrics()
            .and_then(|route| to_route(route, metrics_port.or(port)));
        let variables = self.variables();
        let imported: Vec<_> = self
            .closure
            .foreign
            .iter()
            .filter_map(|(import, span)| {
                Some((
                    needs::of_module(import)?,
                    true,
                    span.clone(),
                    import.clone(),
                ))
            })
            .collect();
        let told: Vec<_> = variables.iter().map(FoundVariable::told).collect();
        let framework = FRAMEWORKS.iter().find(|(module, _)| self.imports(module));
        let version = framework
            .and_then(|(module, _)| self.module.version_of(module))
            .map(str::to_owned);
        let program = self.module.program(self.directory);
        let mut command = vec![format!("{PROGRAMS}/{program}")];
        command.extend(self.arguments());
        let mut found_needs = needs::needs(&imported, &told);
        let connects = |kind| self.certain.iter().any(|one| one.connects.contains(&kind));
        for need in &mut found_needs {
            need.required |= need.how.is_some() && connects(need.kind);
        }
        Found {
            says_port: self.says_port(),
            over_http: self.over_http(kind),
            needs: found_needs,
            problems: Vec::new(),
            service: DetectedService {
                name: String::new(),
                kind,
                language: "go".into(),
                framework: Some(match framework {
                    Some((_, name)) => (*name).to_owned(),
                    None if kind == ServiceKind::Worker => "Go".to_owned(),
                    None => "net/http".to_owned(),
                }),
                version,
                built_with: Vec::new(),
                language_version: self
                    .module
                    .language
                    .as_ref()
                    .map(|version| format!(">={version}")),
                manager: Some("go".to_owned()),
                dependencies_from: Some(self.module.root.join("go.mod")),
                root: self.module.root.clone(),
                recipe: Some(self.recipe(&command, &ports)),
                trial: None,
                command,
                working_dir: PathBuf::from(crate::python::IMAGE_ROOT),
                health,
                ports,
                development_port: None,
                environment_files: Vec::new(),
                assumes_port: false,
                metrics,
                stream: self.stream(),
                replicas_max: None,
                writes: self.writes(),
                packages: Vec::new(),
                needs: Vec::new(),
                shares_with: None,
                defined_at: self.main.clone(),
                evidence,
                files: self.files(),
                routes: self
                    .reached
                    .iter()
                    .flat_map(|function| &function.routes)
                    .map(|route| route.path.clone())
                    .collect(),
                target: program_target(self.module, self.directory),
            },
            variables,
        }
    }

    fn health(&self) -> Option<&RouteHint> {
        HEALTH.iter().find_map(|word| {
            self.routes()
                .filter(|route| route.path.rsplit('/').next() == Some(word))
                .filter(|route| !route.path.contains(['{', ':', '*']))
                .min_by_key(|route| route.path.len())
        })
    }

    fn metrics(&self) -> Option<&RouteHint> {
        self.routes()
            .find(|route| route.prometheus)
            .or_else(|| self.routes().find(|route| route.path == "/metrics"))
    }

    fn routes(&self) -> impl Iterator<Item = &RouteHint> {
        self.reached.iter().flat_map(|function| &function.routes)
    }

    fn variables(&self) -> Vec<FoundVariable> {
        let certain: BTreeSet<*const Function> = self
            .certain
            .iter()
            .copied()
            .map(std::ptr::from_ref)
            .collect();
        let validated = self.validated();
        let asked = self.asked();
        let read = self.reached.iter().flat_map(|function| {
            let validated = &validated;
            let runs = certain.contains(&std::ptr::from_ref(*function));
            function
                .variables
                .iter()
                .map(move |variable| FoundVariable {
                    required: runs
                        && (variable.required || validated.contains(variable.name.as_str())),
                    one_of: match runs {
                        true => variable.one_of.clone(),
                        false => Vec::new(),
                    },
                    ..variable.clone()
                })
        });
        read.chain(asked).collect()
    }

    /// Whether a function of defaults fills a field.
    fn stands_in(&self, field: &str) -> bool {
        self.reached.iter().any(|function| {
            function.name.to_ascii_lowercase().contains("default")
                && function.mentions.contains(field)
        })
    }

    /// Variables that fill fields which are asked for elsewhere, where nothing stands in for them.
    fn asked(&self) -> Vec<FoundVariable> {
        let fills = self.reached.iter().flat_map(|function| &function.fills);
        let fills: Vec<&(String, String)> = fills.collect();
        let has_default = |name: &str| {
            let mut read = self.reached.iter().flat_map(|function| &function.variables);
            read.any(|one| {
                one.name == name && one.default.as_deref().is_some_and(|d| !d.is_empty())
            })
        };
        let asks = self.certain.iter().flat_map(|function| &function.asks);
        let asks = asks.filter(|(way, _)| !self.stands_in(way.rsplit('.').next().unwrap_or(way)));
        let asked = asks.filter_map(|(way, span)| {
            let name = fields::filling(way, &fills).filter(|name| !has_default(name))?;
            Some(FoundVariable::read(name, None, span.clone()).required(true))
        });
        asked.collect()
    }

    /// Variables whose fields a validator wants filled when the program starts, and no function of defaults fills.
    fn validated(&self) -> BTreeSet<&str> {
        let validates = self.imports("github.com/go-playground/validator")
            && self
                .certain
                .iter()
                .any(|function| function.mentions.contains("Struct"));
        if !validates {
            return BTreeSet::new();
        }
        let fields = self.reached.iter().flat_map(|function| &function.validated);
        fields
            .filter(|(field, _)| !self.stands_in(field))
            .map(|(_, variable)| variable.as_str())
            .collect()
    }

    fn stream(&self) -> Option<Stream> {
        const WEBSOCKETS: &[&str] = &[
            "github.com/gorilla/websocket",
            "github.com/coder/websocket",
            "nhooyr.io/websocket",
            "github.com/gofiber/contrib/websocket",
            "github.com/olahol/melody",
            "golang.org/x/net/websocket",
        ];
        if WEBSOCKETS.iter().any(|module| self.imports(module)) {
            return Some(Stream::Websocket);
        }
        self.reached
            .iter()
            .any(|function| function.events)
            .then_some(Stream::Sse)
    }

    fn writes(&self) -> Vec<String> {
        let paths: BTreeSet<&str> = self
            .reached
            .iter()
            .flat_map(|function| &function.writes)
            .map(|path| {
                path.trim_start_matches("file:")
                    .split('?')
                    .next()
                    .unwrap_or(path)
            })
            .filter(|path| !path.is_empty() && !path.contains(":memory:") && *path != ".")
            .collect();
        paths.into_iter().map(str::to_owned).collect()
    }

    /// What it is started with: as a Dockerfile has it, or the subcommand that serves.
    fn arguments(&self) -> Vec<String> {
        if let Some(claim) = self.claim.filter(|claim| !claim.arguments.is_empty()) {
            return claim.arguments.clone();
        }
        let program = self.module.program(self.directory);
        let root = commands::root(&self.reached, &program);
        let served = self.served.iter();
        served
            .filter(|name| Some(name.as_str()) != root)
            .cloned()
            .collect()
    }

    fn recipe(&self, command: &[String], ports: &[u16]) -> BuildRecipe {
        let context = &self.module.context;
        let below = |path: &Path| match path.strip_prefix(context) {
            Ok(rest) => rest.to_owned(),
            Err(_) => path.to_owned(),
        };
        let package = self
            .directory
            .strip_prefix(&self.module.root)
            .unwrap_or(self.directory);
        let package = match places::text(package) {
            "" => ".".to_owned(),
            path => format!("./{path}"),
        };
        let cgo = self.closure.cgo || WITH_C.iter().any(|module| self.imports(module));
        BuildRecipe {
            context: crate::node::absolute(self.tree, context),
            kind: RecipeKind::Go(GoRecipe {
                root: below(&self.module.root),
                package,
                version: self.module.toolchain.clone(),
                cgo,
                tags: Vec::new(),
                data: self.data().iter().map(|path| below(path)).collect(),
            }),
            system_packages: Vec::new(),
            environment: [
                self.listening_environment(),
                self.exemplary_environment(ports),
            ]
            .concat(),
            command: command.to_vec(),
            working_dir: PathBuf::new(),
            ports: ports.to_vec(),
            pages: Vec::new(),
        }
    }

    /// Files and directories of the module that it opens by a relative path.
    fn data(&self) -> BTreeSet<PathBuf> {
        self.reached
            .iter()
            .flat_map(|function| &function.reads)
            .filter(|path| !path.starts_with('/') && !path.contains("://"))
            .filter_map(|path| {
                // A pattern stands for the directory before it.
                let fixed: PathBuf = Path::new(path)
                    .components()
                    .take_while(|part| !places::text(part.as_ref()).contains(['*', '{', '%']))
                    .collect();
                let place = places::within(&self.module.root, places::text(&fixed))?;
                let below = place != self.module.root && place.starts_with(&self.module.root);
                let there = self.tree.has_file(&place) || self.tree.has_directory(&place);
                (below && there).then_some(place)
            })
            .collect()
    }

    fn files(&self) -> Vec<std::sync::Arc<Path>> {
        self.closure
            .directories
            .iter()
            .flat_map(|directory| self.tree.files_in(directory))
            .filter(|file| {
                file.path
                    .extension()
                    .is_some_and(|extension| extension == "go")
            })
            .map(|file| file.path.clone())
            .collect()
    }
}

/// What claims call the program: its directory, or its name where that is the module's own.
fn program_target(module: &Module, directory: &Path) -> String {
    if directory == module.root {
        return module.program(directory);
    }
    places::text(directory).to_owned()
}
