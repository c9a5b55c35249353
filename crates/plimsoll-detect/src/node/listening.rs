//! Packages that listen: their port, their routes, what they answer at.

use plimsoll_diag::{Evidence, Span};
use plimsoll_model::NodeLayout;

use super::framework::Framework;
use super::manifest::Package;
use super::server::{Reached, Scene, of_image};
use super::sources::{Listening, PortFrom, Sources};
use super::start::{Start, flag};
use crate::claims::NodeImage;
use crate::detection::{DetectedService, Health, Route, ServiceKind, Stream};
use crate::example_port;
use crate::found::Found;
use crate::operational::is_only_operational;
use crate::places;
use crate::settings_file;
use crate::tree::Tree;

/// Names of routes that tell of health, the plainest first.
const HEALTH: &[&str] = &[
    "healthz",
    "health",
    "healthcheck",
    "health-check",
    "readyz",
    "ready",
    "livez",
    "live",
    "ping",
    "status",
];

/// The port of Bun where nothing else is said.
const BUN: u16 = 3000;

/// Where files listen, and the port where that is plain. What they export to be served counts where
/// Bun starts them.
pub(super) fn place(start: &Start, reached: &Reached<'_>) -> Option<Listening> {
    let by_bun = || {
        let mut words = start.command.iter().flat_map(|word| word.split(' '));
        words.any(|word| word == "bun")
    };
    let said = |of: fn(&Sources) -> &Option<Listening>| {
        reached
            .iter()
            .find_map(|(_, facts)| of(&facts.sources).clone())
    };
    let served = || {
        let (span, port) = said(|sources| &sources.served).filter(|_| by_bun())?;
        Some((span, port.or(Some(BUN))))
    };
    said(|sources| &sources.listens).or_else(served)
}

/// A port at which a program that works for itself only tells how it is doing.
pub(super) struct Aside {
    pub(super) port: u16,
    span: Span,
    health: Option<Route>,
    metrics: Option<Route>,
}

impl Aside {
    /// Makes it known of a service.
    pub(super) fn tell(self, service: &mut DetectedService) {
        let why = "listens only to tell how it is doing";
        service.evidence.push(Evidence::new(self.span, why));
        service.ports = vec![self.port];
        let port = self.port;
        service.health = Some(self.health.map_or(Health::Tcp { port }, Health::Http));
        service.metrics = self.metrics;
    }
}

/// What serves its users over the server of the standard library.
const SERVES_BESIDES: &[&str] = &[
    "@apollo/server",
    "@trpc/server",
    "@grpc/grpc-js",
    "@connectrpc/connect-node",
    "graphql-yoga",
    "socket.io",
    "ws",
];

impl Scene<'_> {
    /// The port that another file than the one that listens says, be it a file of settings.
    pub(super) fn said_elsewhere(&self, reached: &Reached<'_>) -> Option<u16> {
        said_elsewhere(reached).or_else(|| {
            let PortFrom::Name(name) = port_from(reached)? else {
                return None;
            };
            // Where the library that has this name keeps them.
            let of_library = ["yaml", "yml", "json", "toml"]
                .map(|end| self.package.directory.join(format!("config/default.{end}")))
                .into_iter()
                .filter(|_| self.package.depends_on("config"));
            let read = reached.iter().flat_map(|(path, facts)| {
                let settings = facts.settings.iter();
                settings.filter_map(|place| place.within(path, &self.package.directory))
            });
            let files: Vec<_> = read.chain(of_library).collect();
            ways(name).find_map(|way| {
                let keys: Vec<&str> = way.split('.').collect();
                let mut files = files.iter();
                files.find_map(|file| settings_file::port(self.tree, file, &keys))
            })
        })
    }

    /// The port of a program that also works for itself, where it serves nobody there.
    pub(super) fn aside(&self, reached: &Reached<'_>) -> Option<Aside> {
        let (span, port) = reached
            .iter()
            .find_map(|(_, facts)| facts.sources.listens.clone())?;
        let port = port.or_else(|| self.said_elsewhere(reached))?;
        let answers = self.files.answers(&self.package.directory, reached);
        let paths = || answers.iter().map(|(path, _)| path.as_str());
        let plain = || {
            let of_node =
                |(name, _): &(String, Span)| matches!(name.as_str(), "http" | "node:http");
            let mut modules = reached.iter().flat_map(|(_, facts)| &facts.imports);
            let besides = SERVES_BESIDES
                .iter()
                .any(|name| self.package.depends_on(name));
            answers.is_empty() && self.framework.is_none() && !besides && modules.any(of_node)
        };
        let files = reached.iter().any(|(_, facts)| facts.hands_out_files);
        if files || !(is_only_operational(paths()) || plain()) {
            return None;
        }
        let route = |wanted: &str| {
            let found = answers
                .iter()
                .find(|(path, _)| path.rsplit('/').next() == Some(wanted))?;
            Some(Route {
                path: found.0.clone(),
                port,
                span: Some(found.1.clone()),
            })
        };
        Some(Aside {
            port,
            span,
            health: HEALTH.iter().find_map(|name| route(name)),
            metrics: route("metrics"),
        })
    }

    /// Something that listens.
    pub(super) fn web(
        &self,
        start: Start,
        layout: NodeLayout,
        reached: &Reached<'_>,
        port: Option<u16>,
    ) -> Found {
        let listens = place(&start, reached);
        let over_http = reached.iter().any(|(_, facts)| facts.mcp_http.is_some());
        // A client of the protocol depends on the same kit as a server does.
        let serves_mcp = over_http
            || reached
                .iter()
                .any(|(_, facts)| facts.makes_mcp || facts.sources.stdio_transport.is_some());
        let kind = match self.framework {
            Some(framework) if framework.kind == ServiceKind::McpStdio && serves_mcp => {
                ServiceKind::McpHttp
            }
            Some(framework) if framework.kind == ServiceKind::McpStdio => ServiceKind::Web,
            Some(framework) => framework.kind,
            None => ServiceKind::Web,
        };
        let kind = match kind {
            ServiceKind::Web if over_http => ServiceKind::McpHttp,
            kind => kind,
        };
        let (span, why) = match (&listens, port) {
            (Some((span, _)), None) => (span.clone(), "listens for connections".to_owned()),
            _ => (
                package_place(self.tree, self.package),
                format!(
                    "is built by {}",
                    self.framework.map_or("Node.js", |framework| framework.name)
                ),
            ),
        };
        let mut found = self.blank(kind, &start, span, &why);
        // The file that is started says more than the one that it leaves the listening to.
        let entry = self
            .entry(&start.command)
            .map(|entry| self.tree.shown(&entry));
        if let Some(entry) = entry.filter(|entry| *entry != found.service.defined_at.file) {
            let evidence = Evidence::new(Span::line(entry, 1), "is what it starts with");
            found.service.evidence.push(evidence);
        }
        let said = listens
            .as_ref()
            .and_then(|(_, port)| *port)
            .or_else(|| self.said_elsewhere(reached));
        let mut start = start;
        let by_image = self.set_by_image(&start, reached, port.or(said));
        if let Some((name, set)) = &by_image {
            start.environment.retain(|(known, _)| known != name);
            start.environment.push((name.clone(), set.to_string()));
        }
        let by_image = by_image.map(|(_, port)| port);
        let of_environment = || {
            let mut set = start.environment.iter();
            let (_, value) = set.find(|(name, _)| name == "PORT")?;
            value.parse().ok()
        };
        let told = flag(&start.command).or(by_image).or_else(of_environment);
        let reads_port = reached
            .iter()
            .flat_map(|(_, facts)| &facts.sources.variables)
            .find(|variable| variable.name == "PORT");
        let default = reads_port.and_then(|variable| variable.default.as_deref()?.parse().ok());
        let unknown = told.or(port).or(said).or(default).is_none();
        let example = match unknown {
            true => self.of_example(reached),
            false => None,
        };
        if let Some((name, port)) = &example {
            start.environment.push((name.clone(), port.to_string()));
        }
        let example = example.map(|(_, port)| port);
        let port = told.or(port).or(said).or(default).or(example).or_else(|| {
            let known = reads_port.is_some() || self.framework.is_some_and(Framework::serves);
            known.then_some(3000)
        });
        // What the code takes from nowhere is said to it.
        if let Some(port) = port
            && told.is_none()
            && said.or(default).is_none()
            && reads_port.is_some()
            && !start.environment.iter().any(|(name, _)| name == "PORT")
        {
            start
                .environment
                .push(("PORT".to_owned(), port.to_string()));
        }
        found.service.ports = port.into_iter().collect();
        let stated = flag(&start.command).or(by_image).or(example);
        found.says_port = stated.or(said).or(default).is_some();
        if reached.iter().any(|(_, facts)| facts.event_stream) {
            found.service.stream = Some(Stream::Sse);
        } else if reached.iter().any(|(_, facts)| facts.websocket)
            || self.package.depends_on("socket.io")
        {
            found.service.stream = Some(Stream::Websocket);
        }
        let answers = self.files.answers(&self.package.directory, reached);
        if let Some(port) = port {
            let ends = |wanted: &str| {
                answers
                    .iter()
                    .filter(|(path, _)| !path.contains([':', '*', '{']))
                    .find(|(path, _)| path.rsplit('/').next() == Some(wanted))
            };
            let route = |(path, span): &(String, Span)| Route {
                path: path.clone(),
                port,
                span: Some(span.clone()),
            };
            let health = HEALTH.iter().find_map(|name| ends(name)).map(route);
            let health = health.or_else(|| self.route_of_files(port));
            found.service.health = Some(match health {
                Some(route) => Health::Http(route),
                None => Health::Tcp { port },
            });
            found.service.metrics = ends("metrics").map(route);
        }
        found.service.routes = answers.into_iter().map(|(path, _)| path).collect();
        let version = self
            .framework
            .and_then(|framework| self.package.version_of(framework.distribution));
        found.service.version = version;
        self.finish(found, start, layout, reached, port)
    }

    /// The variable that says where it listens, where only an example of the environment has a value for it.
    fn of_example(&self, reached: &Reached<'_>) -> Option<(String, u16)> {
        let read = |name: &str| {
            let mut read = reached
                .iter()
                .flat_map(|(_, facts)| &facts.sources.variables);
            read.any(|variable| variable.name == name)
        };
        let named = match port_from(reached) {
            Some(PortFrom::Name(name)) => name.rsplit('.').next(),
            _ => None,
        };
        let mut names = named.into_iter().chain(["PORT"]).filter(|name| read(name));
        names.find_map(|name| {
            let port = example_port::of(self.tree, &self.package.directory, name)?;
            Some((name.to_owned(), port))
        })
    }

    /// The variable by which its image tells it where to listen, and the port. `usual` is what it listens on otherwise.
    fn set_by_image(
        &self,
        start: &Start,
        reached: &Reached<'_>,
        usual: Option<u16>,
    ) -> Option<(String, u16)> {
        if flag(&start.command).is_some() {
            return None;
        }
        let of_form = start.environment.iter().find(|(name, _)| name == "PORT");
        // What a script sets for the program itself counts more.
        let by_script = of_form.is_some_and(|(_, value)| value.parse().ok() != usual);
        let entry = self.entry(&start.command);
        let is_its = |image: &&NodeImage| {
            let started = || self.entry(&of_image(self.package, image)?.command);
            self.images.len() == 1 || entry.is_some() && started() == entry
        };
        let image = self.images.iter().find(is_its)?;
        let default = |wanted: &str| {
            let mut read = reached
                .iter()
                .flat_map(|(_, facts)| &facts.sources.variables);
            let read = read.find(|variable| variable.name == wanted)?;
            Some(read.default.as_deref().and_then(|text| text.parse().ok()))
        };
        image.environment.iter().find_map(|(name, value)| {
            let is_own = match name.as_str() {
                "PORT" => !by_script && (of_form.is_some() || default(name).is_some()),
                _ => {
                    let stated: Option<u16> = default(name).flatten();
                    name.ends_with("PORT") && stated.is_some() && stated == usual
                }
            };
            is_own.then(|| Some((name.clone(), value.parse().ok()?)))?
        })
    }

    /// A route of health that a file's place makes: `app/api/health/route.ts`.
    fn route_of_files(&self, port: u16) -> Option<Route> {
        self.files.paths().find_map(|path| {
            let inside = places::below(path, &self.package.directory);
            let text = places::text(&inside);
            let text = text.strip_prefix("src/").unwrap_or(text);
            let route = text
                .strip_prefix("app/")
                .and_then(|rest| rest.rsplit_once("/route."))
                .map(|(route, _)| route)
                .or_else(|| {
                    text.strip_prefix("pages/")
                        .and_then(|rest| rest.rsplit_once('.'))
                        .map(|(route, _)| route)
                })
                .or_else(|| {
                    text.strip_prefix("server/")
                        .and_then(|rest| rest.rsplit_once('.'))
                        .map(|(route, _)| route.trim_end_matches(".get"))
                })?;
            let last = route.rsplit('/').next()?;
            (route.starts_with("api/") && HEALTH[..4].contains(&last)).then(|| Route {
                path: format!("/{route}"),
                port,
                span: Some(Span::line(self.tree.shown(path), 1)),
            })
        })
    }
}

/// The port that another file than the one that listens says.
fn said_elsewhere(reached: &Reached<'_>) -> Option<u16> {
    let from = port_from(reached)?;
    let mut facts = reached.iter().map(|(_, facts)| facts);
    match from {
        PortFrom::Parameter(function, position) => facts.find_map(|facts| {
            facts
                .handed
                .iter()
                .find(|(name, index, _)| name == function && index == position)
                .map(|(_, _, port)| *port)
        }),
        // The whole way to it says most.
        PortFrom::Name(name) => ways(name)
            .find_map(|way| {
                let mut facts = facts.clone();
                facts.find_map(|facts| facts.ports.get(way).copied())
            })
            .or_else(|| {
                // A schema of the environment has it under the variable's name.
                facts
                    .flat_map(|facts| &facts.sources.variables)
                    .filter(|variable| ways(name).any(|way| way == variable.name))
                    .find_map(|variable| variable.default.as_deref()?.parse().ok())
            }),
    }
}

/// What gives the port where the file that listens does not say it.
fn port_from<'r>(reached: &Reached<'r>) -> Option<&'r PortFrom> {
    reached.iter().find_map(|(_, facts)| {
        let (_, port) = facts.sources.listens.as_ref()?;
        port.is_none().then_some(facts.sources.port_from.as_ref()?)
    })
}

/// A dotted name and what is left of it without its first parts.
fn ways(name: &str) -> impl Iterator<Item = &str> {
    let parts = name.match_indices('.').map(|(at, _)| &name[at + 1..]);
    std::iter::once(name).chain(parts)
}

fn package_place(tree: &Tree, package: &Package) -> Span {
    let configuration = [
        "next.config",
        "nuxt.config",
        "svelte.config",
        "astro.config",
        "vite.config",
        "remix.config",
    ]
    .iter()
    .flat_map(|name| ["ts", "mts", "js", "mjs"].map(|end| format!("{name}.{end}")))
    .map(|name| package.directory.join(name))
    .find(|path| tree.has_file(path));
    configuration.map_or_else(
        || package.span.clone(),
        |path| Span::line(tree.shown(&path), 1),
    )
}
