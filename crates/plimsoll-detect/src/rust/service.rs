//! From a program and what it reaches to a service, or to the reason why it is none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Evidence, Span};
use plimsoll_model::{BuildRecipe, RecipeKind, RustRecipe};

use super::closure::Closure;
use super::item::{self, Item, RouteHint, Transport};
use super::manifest::{self, Binary, Package};
use super::settings;
use super::source::Crate;
use crate::claims::ImageClaim;
use crate::detection::{DetectedService, Health, Route, ServiceKind, Stream};
use crate::found::{Found, FoundVariable};
use crate::mcp_transport::says_http;
use crate::needs;
use crate::operational::has_pages_of_its_own;
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
    "health_check",
    "health-check",
    "healthcheck",
    "live",
    "livez",
    "ping",
    "status",
];

/// Subcommands that start a server.
const SERVES: &[&str] = &[
    "serve", "server", "start", "run", "web", "api", "daemon", "http", "up", "gateway",
];

/// Frameworks by their crate, with the name people call them by; what decides comes first.
const FRAMEWORKS: &[(&str, &str)] = &[
    ("rmcp", "rmcp"),
    ("loco-rs", "Loco"),
    ("axum", "axum"),
    ("actix-web", "Actix Web"),
    ("rocket", "Rocket"),
    ("poem", "Poem"),
    ("salvo", "Salvo"),
    ("warp", "warp"),
    ("ntex", "ntex"),
    ("tide", "Tide"),
    ("apalis", "apalis"),
    ("tonic", "tonic"),
    ("hyper", "hyper"),
    ("teloxide", "Telegram bot"),
    ("frankenstein", "Telegram bot"),
    ("poise", "Discord bot"),
    ("serenity", "Discord bot"),
    ("twilight-gateway", "Discord bot"),
];

/// Crates that make a program one for the command line.
const COMMAND_LINES: &[&str] = &["clap", "structopt", "argh", "pico-args", "lexopt"];

/// Types that settings are read into, by how their names end.
const SETTINGS: &[&str] = &["Config", "Configuration", "Settings", "Env", "Environment"];

/// Everything that is known of one program.
pub(super) struct Seen<'s> {
    pub tree: &'s Tree,
    pub package: &'s Package,
    pub binary: &'s Binary,
    pub main: &'s Span,
    pub own: &'s Crate,
    pub closure: &'s Closure,
    /// The items that `main` leads to.
    pub reached: Vec<&'s Item>,
    pub claim: Option<&'s ImageClaim>,
}

impl Seen<'_> {
    /// The service, or what it looks like and why it is none.
    pub(super) fn verdict(
        &self,
        aside: Option<&'static str>,
    ) -> Result<Box<Found>, (&'static str, &'static str)> {
        let listens = self.reached.iter().find_map(|item| item.listens.first());
        let transport = self
            .reached
            .iter()
            .filter_map(|item| item.transport.as_ref())
            .max_by_key(|(transport, _)| *transport == Transport::Http);
        let chat = self.reached.iter().find_map(|item| item.chat.as_ref());
        let works = chat.is_some() || self.reached.iter().any(|item| item.repeats);
        let (kind, looks_like) = match (transport, listens) {
            (Some(_), _) if self.is_quiet() => (Some(ServiceKind::McpStdio), "MCP server"),
            // A server with pages of its own may speak MCP besides.
            (Some((Transport::Http, _)), Some(_))
                if has_pages_of_its_own(self.routes().iter().map(|route| route.path.as_str())) =>
            {
                (Some(ServiceKind::Web), "Rust server")
            }
            (Some((Transport::Http, _)), _) => (Some(ServiceKind::McpHttp), "MCP server"),
            (Some((Transport::Stdio, _)), None) => (Some(ServiceKind::McpStdio), "MCP server"),
            (Some((Transport::Stdio, _)), Some(_)) => (Some(ServiceKind::McpHttp), "MCP server"),
            (None, Some(_)) => (Some(ServiceKind::Web), "Rust server"),
            (None, None) if works => (Some(ServiceKind::Worker), "Rust worker"),
            (None, None) => (None, "Rust program"),
        };
        if let Some(why) = aside {
            return Err((looks_like, why));
        }
        let Some(kind) = kind else {
            let command_line = COMMAND_LINES.iter().any(|name| self.uses(name));
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
        let is = |test: fn(&Item) -> bool| self.reached.iter().any(|item| test(item));
        let told = self.claim.is_some_and(|claim| says_http(&claim.arguments));
        let variable = |item: &Item| {
            let mut variables = item.variables.iter();
            variables.any(|variable| {
                variable.name.contains("TRANSPORT") && variable.default.as_deref() == Some("stdio")
            })
        };
        let usual = is(|item| item.quiet) || self.reached.iter().any(|item| variable(item));
        usual && is(|item| item.speaks_aside) && !told
    }

    fn uses(&self, name: &str) -> bool {
        self.closure.foreign.contains_key(name)
    }

    fn found(&self, kind: ServiceKind, evidence: Vec<Evidence>) -> Found {
        let (ports, metrics_port) = match kind {
            ServiceKind::McpStdio | ServiceKind::Worker => (Vec::new(), None),
            _ => self.ports(),
        };
        let quiet = kind == ServiceKind::McpStdio && self.is_quiet();
        let port = ports.first().copied();
        let routes = self.routes();
        let to_route = |route: &RouteHint, port: Option<u16>| {
            Some(Route {
                path: route.path.clone(),
                port: port?,
                span: Some(route.span.clone()),
            })
        };
        let health = health(&routes)
            .and_then(|route| to_route(route, port))
            .map(Health::Http)
            .or(port.map(|port| Health::Tcp { port }));
        let metrics = routes
            .iter()
            .find(|route| route.path == "/metrics")
            .and_then(|route| to_route(route, metrics_port.or(port)));
        let variables = self.variables();
        let told: Vec<_> = variables.iter().map(FoundVariable::told).collect();
        let found_needs = needs::needs(&self.drivers(), &told);
        let framework = FRAMEWORKS.iter().find(|(name, _)| self.uses(name));
        let environment = self.environment(&variables);
        let mut command = vec![format!("{PROGRAMS}/{}", self.binary.name)];
        command.extend(self.arguments());
        let recipe = self.recipe(&command, &ports, environment.clone());
        Found {
            says_port: self.says_port(),
            over_http: quiet.then(|| self.usual_port()),
            needs: found_needs,
            problems: self.loopback(kind, !environment.is_empty()),
            service: DetectedService {
                name: String::new(),
                kind,
                language: "rust".into(),
                framework: Some(match framework {
                    Some((_, name)) => (*name).to_owned(),
                    None => "Rust".to_owned(),
                }),
                version: framework.and_then(|(name, _)| {
                    manifest::locked(self.tree, &self.package.workspace, name)
                }),
                built_with: Vec::new(),
                language_version: self
                    .package
                    .rust_version
                    .as_ref()
                    .map(|version| format!(">={version}")),
                manager: Some("cargo".to_owned()),
                dependencies_from: Some(self.package.root.join("Cargo.toml")),
                root: self.package.root.clone(),
                recipe: Some(recipe),
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
                files: self
                    .own
                    .files
                    .iter()
                    .chain(&self.closure.files)
                    .cloned()
                    .collect(),
                routes: routes.into_iter().map(|route| route.path).collect(),
                target: self.binary.name.clone(),
            },
            variables,
        }
    }

    /// Databases and the like that its crates talk to.
    fn drivers(&self) -> Vec<(crate::detection::NeedKind, bool, Span, String)> {
        let mut found = Vec::new();
        for (name, (features, span)) in &self.closure.foreign {
            let kinds = needs::of_crate(name, &mut features.iter().map(String::as_str));
            found.extend(
                kinds
                    .into_iter()
                    .map(|kind| (kind, true, span.clone(), name.clone())),
            );
        }
        found
    }

    fn routes(&self) -> Vec<RouteHint> {
        item::routes(&self.reached)
    }

    /// Variables that are read through functions of the program which take their names.
    fn through_helpers(&self) -> Vec<FoundVariable> {
        let helpers: Vec<(&str, usize, bool)> = self
            .reached
            .iter()
            .filter_map(|item| {
                let (position, insists) = item.helper?;
                Some((item.name.as_str(), position, insists))
            })
            .collect();
        let handed = self.reached.iter().flat_map(|item| &item.handed);
        let read = handed.filter_map(|(function, position, name, span)| {
            let (.., insists) = helpers
                .iter()
                .find(|(known, at, _)| known == function && at == position)?;
            let mut variable = FoundVariable::read(name, None, span.clone()).required(*insists);
            variable.why = format!("reads `{name}` through `{function}`");
            Some(variable)
        });
        read.collect()
    }

    fn variables(&self) -> Vec<FoundVariable> {
        let others = &self.closure.items;
        let certain = item::at_start(&self.own.items, others);
        let certain: BTreeSet<*const Item> = certain.into_iter().map(std::ptr::from_ref).collect();
        let mut found: Vec<FoundVariable> = Vec::new();
        let another = self.of_other_commands();
        for item in &self.reached {
            let runs = certain.contains(&std::ptr::from_ref(*item))
                && !another.contains(item.name.as_str());
            let mut read = item.variables.clone();
            for variable in read.iter_mut().filter(|_| !runs) {
                variable.required = false;
                variable.one_of.clear();
            }
            found.append(&mut read);
        }
        found.extend(self.through_helpers());
        let prefixes: BTreeSet<&String> = self
            .reached
            .iter()
            .flat_map(|item| &item.prefixes)
            .collect();
        let settings = self
            .reached
            .iter()
            .filter(|item| SETTINGS.iter().any(|end| item.name.ends_with(end)));
        // Crates that read files too have values where no variable is set.
        let only_variables = self.uses("envy");
        for field in settings.flat_map(|item| &item.fields) {
            for prefix in prefixes
                .iter()
                .filter(|prefix| only_variables || !prefix.is_empty())
            {
                let name = format!("{prefix}{}", field.name).to_ascii_uppercase();
                let read = FoundVariable::read(&name, None, field.span.clone());
                found.push(read.required(only_variables && field.required));
            }
        }
        found
    }

    /// Types whose fields are arguments of subcommands that do not serve, where one does.
    fn of_other_commands(&self) -> BTreeSet<&str> {
        let all = || self.reached.iter().flat_map(|item| &item.taken);
        let named: BTreeSet<&str> = all().map(|(command, _)| command.as_str()).collect();
        let Some(served) = SERVES.iter().find(|name| named.contains(*name)) else {
            return BTreeSet::new();
        };
        let of = |serves: &dyn Fn(&str) -> bool| -> BTreeSet<&str> {
            let taken = all().filter(|(command, _)| serves(command));
            taken.map(|(_, kind)| kind.as_str()).collect()
        };
        let own = of(&|command| command == *served);
        let others = of(&|command| command != *served);
        others.difference(&own).copied().collect()
    }

    /// Variables that make it reachable where its defaults do not.
    fn environment(&self, variables: &[FoundVariable]) -> Vec<(String, String)> {
        let framework = |name: &str, variable: &str, value: &str| {
            self.uses(name)
                .then(|| (variable.to_owned(), value.to_owned()))
        };
        let mut found: Vec<(String, String)> = variables
            .iter()
            .filter_map(|variable| {
                let default = variable.default.as_deref()?;
                settings::is_loopback(default)
                    .then(|| settings::listens_by(&variable.name))
                    .filter(|listens| *listens)?;
                Some((variable.name.clone(), settings::reachable(default)))
            })
            .collect();
        found.extend(framework("rocket", "ROCKET_ADDRESS", "0.0.0.0"));
        let told = self.listening_environment();
        found.retain(|(name, _)| told.iter().all(|(other, _)| other != name));
        found.extend(told);
        found.sort();
        found.dedup();
        found
    }

    /// A server that nothing outside of its container reaches.
    fn loopback(&self, kind: ServiceKind, is_told: bool) -> Vec<Diagnostic> {
        let listens = matches!(kind, ServiceKind::Web | ServiceKind::McpHttp);
        let place = self.reached.iter().find_map(|item| item.loopback.first());
        match place {
            Some(place) if listens && !is_told => vec![
                Diagnostic::warning("listens on its own loopback address, where nothing outside of its container can reach it")
                    .at(place.clone())
                    .hint("listen on 0.0.0.0 there, or take the address from a variable"),
            ],
            _ => Vec::new(),
        }
    }

    fn stream(&self) -> Option<Stream> {
        const WEBSOCKETS: &[&str] = &["tokio-tungstenite", "actix-ws", "fastwebsockets"];
        let websocket = WEBSOCKETS.iter().any(|name| self.uses(name));
        if self.reached.iter().any(|item| item.websocket) || websocket && self.routes().is_empty() {
            return Some(Stream::Websocket);
        }
        self.reached
            .iter()
            .any(|item| item.events)
            .then_some(Stream::Sse)
    }

    fn writes(&self) -> Vec<String> {
        let paths: BTreeSet<&str> = self
            .reached
            .iter()
            .flat_map(|item| &item.writes)
            .map(String::as_str)
            .filter(|path| !path.is_empty() && !path.contains("memory:") && *path != ".")
            .collect();
        paths.into_iter().map(str::to_owned).collect()
    }

    /// What it is started with: as a Dockerfile has it, or the subcommand that serves.
    fn arguments(&self) -> Vec<String> {
        if let Some(claim) = self.claim.filter(|claim| !claim.arguments.is_empty()) {
            return claim.arguments.clone();
        }
        let commands: BTreeSet<&str> = self
            .reached
            .iter()
            .flat_map(|item| &item.commands)
            .map(String::as_str)
            .collect();
        let served = SERVES.iter().find(|name| commands.contains(*name));
        let addresses: BTreeSet<&(String, String)> = self
            .reached
            .iter()
            .flat_map(|item| &item.addresses)
            .filter(|(flag, _)| settings::listens_by(flag.trim_start_matches('-')))
            .collect();
        let addresses = addresses
            .into_iter()
            .flat_map(|(flag, default)| [flag.clone(), settings::reachable(default)]);
        served
            .map(|name| (*name).to_owned())
            .into_iter()
            .chain(addresses)
            .collect()
    }

    fn recipe(
        &self,
        command: &[String],
        ports: &[u16],
        environment: Vec<(String, String)>,
    ) -> BuildRecipe {
        let context = &self.package.context;
        let below = |path: &Path| match path.strip_prefix(context) {
            Ok(rest) => rest.to_owned(),
            Err(_) => path.to_owned(),
        };
        BuildRecipe {
            context: crate::node::absolute(self.tree, context),
            kind: RecipeKind::Rust(RustRecipe {
                root: below(&self.package.workspace),
                package: self.package.name.clone(),
                binary: self.binary.name.clone(),
                features: self.binary.features.clone(),
                data: self.data().iter().map(|path| below(path)).collect(),
            }),
            system_packages: Vec::new(),
            environment,
            command: command.to_vec(),
            working_dir: PathBuf::new(),
            ports: ports.to_vec(),
            pages: Vec::new(),
        }
    }

    /// Files and directories of the workspace that it opens by a relative path: programs are started
    /// from there as a rule, or from their package.
    fn data(&self) -> BTreeSet<PathBuf> {
        let roots = [&self.package.workspace, &self.package.root];
        self.reached
            .iter()
            .flat_map(|item| &item.reads)
            .filter(|path| !path.starts_with('/') && !path.contains("://"))
            .filter_map(|path| {
                // A pattern stands for the directory before it.
                let fixed: PathBuf = Path::new(path)
                    .components()
                    .take_while(|part| !places::text(part.as_ref()).contains(['*', '{', '%']))
                    .collect();
                roots.iter().find_map(|root| {
                    let place = places::within(root, places::text(&fixed))?;
                    let below = place != **root && place.starts_with(root);
                    let there = self.tree.has_file(&place) || self.tree.has_directory(&place);
                    (below && there).then_some(place)
                })
            })
            .collect()
    }
}

fn health(routes: &[RouteHint]) -> Option<&RouteHint> {
    HEALTH.iter().find_map(|word| {
        routes
            .iter()
            .filter(|route| route.path.rsplit('/').next() == Some(word))
            .filter(|route| !route.path.contains(['{', ':', '*', '<']))
            .min_by_key(|route| route.path.len())
    })
}
