//! Routes of a web application: which path tells its health, which gives metrics, what streams.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::Span;

use crate::detection::Stream;
use crate::python::evaluate::evaluate;
use crate::python::module::{Module, Moment};
use crate::python::value::{Call, Value};
use crate::python::workspace::Workspace;

/// A variable of a file's scope: what routes are added to.
type Node = (Arc<Path>, String, String);

/// One path that answers GET.
#[derive(Debug, Clone)]
pub(crate) struct FoundRoute {
    pub(crate) path: String,
    pub(crate) span: Span,
    /// Whether something stands before it that may refuse.
    guarded: bool,
}

/// What the routes of an application show.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) health: Option<FoundRoute>,
    pub(crate) metrics: Option<FoundRoute>,
    pub(crate) stream: Option<Stream>,
    /// Every path that answers GET, when all parts of the application could be joined.
    pub(crate) paths: Vec<String>,
}

/// Last parts of paths that tell health, the best first.
const HEALTH: &[&str] = &[
    "ready",
    "readyz",
    "readiness",
    "health",
    "healthz",
    "_health",
    "healthcheck",
    "health_check",
    "health-check",
    "live",
    "livez",
    "liveness",
    "alive",
    "heartbeat",
    "up",
    "ping",
    "status",
];

/// Whether a path tells health, as far as its name says.
pub(crate) fn tells_health(path: &str) -> bool {
    let last = path
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    HEALTH.contains(&last)
}

struct Graph {
    /// Routes: node, path, place, guarded.
    routes: Vec<(Node, String, Span, bool)>,
    /// Parts: outer node, inner node, prefix, guarded.
    parts: Vec<(Node, Node, String, bool)>,
    /// Prefixes that routers have of themselves.
    own: BTreeMap<Node, (String, bool)>,
}

/// Reads the routes of the application `variable` of `owner` out of the files it imports.
pub(crate) fn routes(
    workspace: &Workspace<'_>,
    files: &BTreeMap<Arc<Path>, Moment>,
    owner: &Arc<Module>,
    variable: &str,
) -> Routes {
    let modules: Vec<Arc<Module>> = files
        .keys()
        .filter_map(|path| workspace.modules.get(path))
        .collect();
    let mut graph = Graph {
        routes: Vec::new(),
        parts: Vec::new(),
        own: BTreeMap::new(),
    };
    let mut found = Routes::default();
    for module in &modules {
        collect(workspace, module, &mut graph);
        found.stream = found.stream.or_else(|| stream(module));
    }
    let start = start(workspace, owner, variable);
    // Functions are handed the application that they add routes to.
    graph
        .parts
        .push((start.clone(), handed(), String::new(), false));
    let mut all: Vec<FoundRoute> = Vec::new();
    let mut seen: BTreeSet<Node> = BTreeSet::new();
    let mut open = vec![(start, String::new(), false)];
    while let Some((node, prefix, guarded)) = open.pop() {
        if !seen.insert(node.clone()) {
            continue;
        }
        let (own, own_guard) = graph.own.get(&node).cloned().unwrap_or_default();
        let prefix = format!("{prefix}{own}");
        let guarded = guarded || own_guard;
        for (at, path, span, route_guard) in &graph.routes {
            if *at == node {
                all.push(FoundRoute {
                    path: format!("{prefix}{path}"),
                    span: span.clone(),
                    guarded: guarded || *route_guard,
                });
            }
        }
        for (outer, inner, part, part_guard) in &graph.parts {
            if *outer == node {
                open.push((
                    inner.clone(),
                    format!("{prefix}{part}"),
                    guarded || *part_guard,
                ));
            }
        }
    }
    // Where the parts could not be joined, a whole path is still better than none.
    if all.is_empty() {
        all.extend(
            graph
                .routes
                .iter()
                .filter(|((path, ..), ..)| *path == owner.path)
                .map(|(_, path, span, guarded)| FoundRoute {
                    path: path.clone(),
                    span: span.clone(),
                    guarded: *guarded,
                }),
        );
    }
    found.paths = all.iter().map(|route| route.path.clone()).collect();
    found.metrics = all
        .iter()
        .filter(|route| !route.path.contains(['{', '<']))
        .filter(|route| {
            route.path == "/metrics" || route.path.ends_with("/metrics") && exposes(&modules, route)
        })
        .min_by_key(|route| route.path.len())
        .cloned();
    found.health = all
        .iter()
        .filter_map(|route| Some((rank(&route.path)?, route)))
        .min_by_key(|(rank, route)| (route.guarded, *rank, route.path.len()))
        .map(|(_, route)| route.clone())
        .or_else(|| {
            all.iter()
                .find(|route| matches!(route.path.as_str(), "/" | ""))
                .cloned()
        })
        .map(|mut route| {
            if route.path.is_empty() {
                route.path.push('/');
            }
            route
        });
    found
}

/// Whether the file of a route speaks Prometheus: other pages are called metrics, too.
fn exposes(modules: &[Arc<Module>], route: &FoundRoute) -> bool {
    modules.iter().any(|module| {
        module.shown == route.span.file
            && module
                .imports
                .iter()
                .any(|import| import.module.contains("prometheus"))
    })
}

fn rank(path: &str) -> Option<usize> {
    if path.contains(['{', '<', ':']) {
        return None;
    }
    let mut parts = path.trim_matches('/').rsplit('/');
    let last = parts.next()?;
    let rank = HEALTH.iter().position(|word| *word == last)?;
    // `/orders/status` is about orders.
    let strong = rank < HEALTH.len() - 3;
    let depth = parts.count();
    (strong || depth <= 2).then_some(rank)
}

fn start(workspace: &Workspace<'_>, owner: &Arc<Module>, variable: &str) -> Node {
    node(workspace, owner, "", variable)
        .unwrap_or_else(|| (owner.path.clone(), String::new(), variable.to_owned()))
}

/// The node of applications that functions are handed.
fn handed() -> Node {
    (Arc::from(Path::new("")), String::new(), String::new())
}

/// Whether a name is a parameter of the function around it.
fn is_parameter(module: &Module, scope: &str, name: &str) -> bool {
    module.function(scope).is_some_and(|function| {
        function
            .parameters
            .iter()
            .any(|parameter| parameter.name == name)
    })
}

/// The node that a name stands for: followed through imports, factories and plain names.
fn node(workspace: &Workspace<'_>, module: &Arc<Module>, scope: &str, name: &str) -> Option<Node> {
    if name.starts_with("self.") {
        return Some((module.path.clone(), String::new(), name.to_owned()));
    }
    if is_parameter(module, scope, name) {
        return Some(handed());
    }
    let mut module = module.clone();
    let mut scope = scope.to_owned();
    let mut name = name.to_owned();
    for _ in 0..8 {
        if let Some(definition) = workspace.definition(&module, &scope, &name) {
            let owner = definition.module;
            let inside = definition.binding.scope.path.to_string();
            let target = definition.binding.target;
            let here = (owner.path.clone(), inside.clone(), target);
            match definition.binding.value {
                Some(Value::Call(call)) => {
                    let Some((origin, function)) = factory(workspace, &owner, &call) else {
                        return Some(here);
                    };
                    let Some(returned) = origin
                        .function(&function)
                        .and_then(|function| function.returns.iter().find_map(Value::as_name))
                        .map(str::to_owned)
                    else {
                        return Some(here);
                    };
                    module = origin;
                    scope = function;
                    name = returned;
                }
                Some(Value::Name(other)) if other != name => {
                    module = owner;
                    scope = inside;
                    name = other;
                }
                _ => return Some(here),
            }
            continue;
        }
        // A factory itself, as the application's variable.
        let (origin, function) = workspace.origin(&module, &name)?;
        let returned = origin
            .function(&function)?
            .returns
            .iter()
            .find_map(Value::as_name)?
            .to_owned();
        module = origin;
        scope = function;
        name = returned;
    }
    None
}

fn factory(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    call: &Call,
) -> Option<(Arc<Module>, String)> {
    let (origin, name) = workspace.origin(module, call.function.as_name()?)?;
    origin.function(&name)?;
    Some((origin, name))
}

fn collect(workspace: &Workspace<'_>, module: &Arc<Module>, graph: &mut Graph) {
    for binding in &module.bindings {
        let Some(Value::Call(call)) = &binding.value else {
            continue;
        };
        let prefix = call
            .keyword("prefix")
            .or_else(|| call.keyword("url_prefix"));
        let prefix = prefix.and_then(|prefix| evaluate(prefix, module, &binding.scope.path).text);
        let guarded = call.keyword("dependencies").is_some();
        if prefix.is_some() || guarded {
            let node = (
                module.path.clone(),
                binding.scope.path.to_string(),
                binding.target.clone(),
            );
            graph
                .own
                .insert(node, (prefix.unwrap_or_default(), guarded));
        }
        // Starlette: a list of routes given to the application.
        if let Some(Value::List(routes)) = call.keyword("routes") {
            let node = (
                module.path.clone(),
                binding.scope.path.to_string(),
                binding.target.clone(),
            );
            for route in routes.iter().filter_map(Value::as_call) {
                if route.method() == Some("Route")
                    && let Some(path) = route.arguments.first().and_then(Value::as_text)
                {
                    let span = module.span(route.place);
                    graph
                        .routes
                        .push((node.clone(), path.to_owned(), span, false));
                }
            }
        }
    }
    for function in &module.functions {
        for (decorator, place) in &function.decorators {
            let Value::Call(call) = decorator else {
                continue;
            };
            let scope = &*function.scope.path;
            let gets = match call.method() {
                Some("get" | "head") => true,
                Some("route" | "api_route" | "custom_route") => call
                    .argument(1, "methods")
                    .is_none_or(|methods| match methods {
                        Value::List(items) => {
                            items.iter().any(|item| item.as_text() == Some("GET"))
                        }
                        _ => true,
                    }),
                _ => false,
            };
            let path = call
                .argument(0, "path")
                .and_then(|path| evaluate(path, module, scope).text);
            let (true, Some(path), Some(receiver)) = (gets, path, call.receiver()) else {
                continue;
            };
            if let Some(node) = node(workspace, module, scope, receiver) {
                let guarded = call.keyword("dependencies").is_some();
                graph
                    .routes
                    .push((node, path, module.span(*place), guarded));
            }
        }
    }
    for placed in &module.calls {
        let call = &placed.call;
        let scope = &*placed.scope.path;
        let Some(outer) = call
            .receiver()
            .and_then(|receiver| node(workspace, module, scope, receiver))
        else {
            continue;
        };
        match call.method() {
            Some("include_router" | "register_blueprint") => {
                let Some(Value::Name(inner)) =
                    call.arguments.first().or_else(|| call.keyword("router"))
                else {
                    continue;
                };
                if let Some(inner) = node(workspace, module, scope, inner) {
                    let prefix = call
                        .keyword("prefix")
                        .or_else(|| call.keyword("url_prefix"));
                    let prefix = prefix
                        .and_then(|prefix| evaluate(prefix, module, scope).text)
                        .unwrap_or_default();
                    graph.parts.push((
                        outer,
                        inner,
                        prefix,
                        call.keyword("dependencies").is_some(),
                    ));
                }
            }
            Some("add_api_route" | "add_url_rule" | "add_route") => {
                if let Some(path) = call
                    .argument(0, "path")
                    .and_then(|path| evaluate(path, module, scope).text)
                {
                    graph
                        .routes
                        .push((outer, path, module.span(call.place), false));
                }
            }
            Some("mount") => {
                let path = call.argument(0, "path").and_then(Value::as_text);
                let metrics = call.argument(1, "app").and_then(Value::last_name)
                    == Some("make_asgi_app")
                    || path.is_some_and(|path| path.trim_end_matches('/') == "/metrics");
                if let (true, Some(path)) = (metrics, path) {
                    graph
                        .routes
                        .push((outer, path.to_owned(), module.span(call.place), false));
                }
            }
            _ => {}
        }
    }
    // prometheus-fastapi-instrumentator adds the route itself.
    for placed in &module.calls {
        if placed.call.method() == Some("expose")
            && let Value::Attribute(base, _) = &placed.call.function
            && let Some(instrument) = base.as_call()
            && let Some(Value::Name(app)) = instrument.arguments.first()
            && let Some(node) = node(workspace, module, &placed.scope.path, app)
        {
            graph.routes.push((
                node,
                "/metrics".to_owned(),
                module.span(placed.call.place),
                false,
            ));
        }
    }
}

fn stream(module: &Module) -> Option<Stream> {
    for placed in &module.calls {
        let sse = match placed.call.method() {
            Some("EventSourceResponse") => true,
            Some("StreamingResponse" | "Response") => placed
                .call
                .keyword("media_type")
                .or_else(|| placed.call.keyword("mimetype"))
                .and_then(Value::as_text)
                .is_some_and(|text| text.starts_with("text/event-stream")),
            _ => false,
        };
        if sse {
            return Some(Stream::Sse);
        }
    }
    module
        .functions
        .iter()
        .flat_map(|function| &function.decorators)
        .any(|(decorator, _)| matches!(decorator, Value::Call(call) if call.method() == Some("websocket")))
        .then_some(Stream::Websocket)
}
