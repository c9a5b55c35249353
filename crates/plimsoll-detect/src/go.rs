//! Go: main packages that listen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Evidence, Span};
use tree_sitter::Node;

use crate::detection::{DetectedService, Health, Rejected, Route, ServiceKind};
use crate::found::{Found, FoundVariable};
use crate::needs::{self, is_secret, kind_of};
use crate::places;
use crate::syntax::{DEPTH, Grammar, Source, named_children};
use crate::tree::Tree;

/// What the Go packages of a tree hold.
#[derive(Debug, Default)]
pub(crate) struct GoFindings {
    pub(crate) found: Vec<Found>,
    pub(crate) rejected: Vec<Rejected>,
}

/// Methods that listen until the process ends.
const LISTENS: &[&str] = &[
    "ListenAndServe",
    "ListenAndServeTLS",
    "Serve",
    "Listen",
    "Start",
    "Run",
];

/// What one directory of Go files says.
#[derive(Debug, Default, Clone)]
struct Package {
    main: Option<Span>,
    imports: BTreeMap<String, Span>,
    listens: Option<Span>,
    /// Functions that listen themselves.
    listeners: BTreeSet<String>,
    /// Who calls whom, by last names.
    calls: BTreeSet<(String, String)>,
    /// Texts such as `:8080`, and defaults of flags called `port`.
    ports: Vec<u16>,
    routes: Vec<(String, Span)>,
    variables: Vec<FoundVariable>,
}

/// Finds the services that the main packages of a tree make. `wanted` tells whether somebody builds a
/// directory that would be set aside by its place.
pub(crate) fn find(tree: &Tree, wanted: &dyn Fn(&Path) -> bool) -> GoFindings {
    let mut findings = GoFindings::default();
    let modules: Vec<(PathBuf, String, Option<String>)> = tree
        .files()
        .iter()
        .filter(|file| file.path.ends_with("go.mod"))
        .filter_map(|file| {
            let text = tree.manifest(&file.path)?;
            let word = |name: &str| {
                text.lines()
                    .find_map(|line| line.strip_prefix(name).map(|rest| rest.trim().to_owned()))
            };
            Some((
                file.path.parent()?.to_owned(),
                word("module ")?,
                word("go "),
            ))
        })
        .collect();
    for (root, module, version) in &modules {
        let mut packages: BTreeMap<PathBuf, Package> = BTreeMap::new();
        for file in tree.files() {
            let name = places::text(&file.path);
            if !file.path.starts_with(root) || !name.ends_with(".go") || name.ends_with("_test.go")
            {
                continue;
            }
            let Some(directory) = file.path.parent() else {
                continue;
            };
            if let Some(text) = tree.source(&file.path)
                && let Some(source) = Source::parse(tree.shown(&file.path), text, Grammar::Go)
            {
                let package = packages.entry(directory.to_owned()).or_default();
                read(&source, source.root(), package, "", 0);
            }
        }
        for (directory, package) in &packages {
            if package.main.is_none() {
                continue;
            }
            let whole = closure(directory, root, module, &packages);
            verdict(
                tree,
                directory,
                package,
                &whole,
                root,
                version.as_deref(),
                wanted,
                &mut findings,
            );
        }
    }
    findings
}

/// Everything that a main package and the packages it imports say.
fn closure(
    directory: &Path,
    root: &Path,
    module: &str,
    packages: &BTreeMap<PathBuf, Package>,
) -> Package {
    let mut whole = Package::default();
    let mut seen = BTreeSet::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        let Some(package) = packages
            .get(&directory)
            .filter(|_| seen.insert(directory.clone()))
        else {
            continue;
        };
        whole.listens = whole.listens.or_else(|| package.listens.clone());
        whole.listeners.extend(package.listeners.iter().cloned());
        whole.calls.extend(package.calls.iter().cloned());
        whole.ports.extend(&package.ports);
        whole.routes.extend(package.routes.iter().cloned());
        whole.variables.extend(package.variables.iter().cloned());
        for (import, span) in &package.imports {
            match import.strip_prefix(module) {
                Some(inside) => open.push(root.join(inside.trim_start_matches('/'))),
                None => {
                    whole.imports.insert(import.clone(), span.clone());
                }
            }
        }
    }
    whole
}

#[expect(
    clippy::too_many_arguments,
    reason = "one call, each argument another fact of the package"
)]
fn verdict(
    tree: &Tree,
    directory: &Path,
    package: &Package,
    whole: &Package,
    root: &Path,
    version: Option<&str>,
    wanted: &dyn Fn(&Path) -> bool,
    findings: &mut GoFindings,
) {
    let Some(main) = package.main.clone() else {
        return;
    };
    let path: Arc<Path> = main.file.clone();
    let listens = whole.listens.clone().filter(|_| main_listens(whole));
    let looks_like = if listens.is_some() {
        "Go server"
    } else {
        "Go program"
    };
    let aside = places::set_aside(&directory.join("main.go")).filter(|_| !wanted(directory));
    let why = match (aside, &listens) {
        (Some(why), _) => Some(why),
        (None, None) => Some("listens on nothing"),
        (None, Some(_)) => None,
    };
    if let Some(why) = why {
        findings.rejected.push(Rejected {
            path,
            looks_like: looks_like.to_owned(),
            why: why.to_owned(),
        });
        return;
    }
    let mut ports = package.ports.clone();
    if ports.is_empty() {
        ports = whole.ports.clone();
    }
    let mut seen = BTreeSet::new();
    ports.retain(|port| seen.insert(*port));
    let route = |words: &[&str]| {
        words.iter().find_map(|word| {
            whole
                .routes
                .iter()
                .find(|(path, _)| path.rsplit('/').next() == Some(word))
        })
    };
    let port = ports.first().copied();
    let to_route = |(path, span): &(String, Span)| {
        Some(Route {
            path: path.clone(),
            port: port?,
            span: Some(span.clone()),
        })
    };
    let health = route(&[
        "ready", "readyz", "health", "healthz", "live", "livez", "ping",
    ])
    .and_then(to_route);
    let framework = [
        "gin-gonic/gin",
        "labstack/echo",
        "gofiber/fiber",
        "go-chi/chi",
        "gorilla/mux",
        "google.golang.org/grpc",
    ]
    .into_iter()
    .find(|name| whole.imports.keys().any(|import| import.contains(name)))
    .and_then(|name| name.rsplit('/').next())
    .unwrap_or("net/http");
    let imported: Vec<_> = whole
        .imports
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
    let told: Vec<_> = whole.variables.iter().map(FoundVariable::told).collect();
    let mut evidence = vec![Evidence::new(main.clone(), "is where the program starts")];
    evidence.extend(listens.map(|span| Evidence::new(span, "listens for connections")));
    findings.found.push(Found {
        needs: needs::needs(&imported, &told),
        variables: whole.variables.clone(),
        problems: vec![
            Diagnostic::warning("is a Go program, which Plimsoll does not assemble yet")
                .at(main.clone())
                .hint("name an image for it in a Compose file"),
        ],
        service: DetectedService {
            name: String::new(),
            kind: ServiceKind::Web,
            language: "go",
            framework: Some(framework.to_owned()),
            version: None,
            built_with: Vec::new(),
            language_version: version.map(|version| format!(">={version}")),
            manager: Some("go".to_owned()),
            dependencies_from: Some(root.join("go.mod")),
            root: root.to_owned(),
            command: Vec::new(),
            working_dir: PathBuf::from(crate::python::IMAGE_ROOT),
            health: health
                .map(Health::Http)
                .or(port.map(|port| Health::Tcp { port })),
            ports,
            development_port: None,
            metrics: route(&["metrics"]).and_then(to_route),
            stream: None,
            replicas_max: None,
            writes: Vec::new(),
            packages: Vec::new(),
            needs: Vec::new(),
            shares_with: None,
            defined_at: main,
            evidence,
            recipe: None,
            files: vec![
                tree.file(&path)
                    .map_or(path.clone(), |file| file.path.clone()),
            ],
            routes: Vec::new(),
            target: places::text(directory).to_owned(),
        },
    });
}

/// Whether `main` leads to a function that listens.
fn main_listens(whole: &Package) -> bool {
    let mut reached: BTreeSet<&str> = BTreeSet::from(["main"]);
    loop {
        let before = reached.len();
        for (caller, called) in &whole.calls {
            if reached.contains(caller.as_str()) {
                reached.insert(called);
            }
        }
        if reached.len() == before {
            return whole
                .listeners
                .iter()
                .any(|listener| reached.contains(listener.as_str()));
        }
    }
}

fn read(source: &Source, node: Node<'_>, package: &mut Package, function: &str, depth: usize) {
    if depth > DEPTH {
        return;
    }
    let span = |node: Node<'_>| source.place(node).in_file(source.path.clone());
    match node.kind() {
        "function_declaration" => {
            let named_main = node
                .child_by_field_name("name")
                .is_some_and(|name| source.text_of(name) == "main");
            let in_main = named_children(source.root()).first().is_some_and(|first| {
                source
                    .text_of(*first)
                    .split_whitespace()
                    .eq(["package", "main"])
            });
            if named_main && in_main {
                package.main = Some(span(node));
            }
        }
        "import_spec" => {
            if let Some(path) = node.child_by_field_name("path") {
                package.imports.insert(text(source, path), span(node));
            }
        }
        "call_expression" => call(source, node, package, function),
        "keyed_element" => {
            let parts: Vec<&str> = named_children(node)
                .into_iter()
                .map(|part| source.text_of(part))
                .collect();
            if let [key, value] = parts.as_slice()
                && key.ends_with("Port")
            {
                package.ports.extend(value.parse::<u16>().ok());
            }
        }
        _ => {}
    }
    let named = matches!(node.kind(), "function_declaration" | "method_declaration")
        .then(|| node.child_by_field_name("name"))
        .flatten();
    let function = named.map_or(function, |name| source.text_of(name));
    for child in named_children(node) {
        read(source, child, package, function, depth + 1);
    }
}

fn text(source: &Source, node: Node<'_>) -> String {
    source.text_of(node).trim_matches(['"', '`']).to_owned()
}

fn call(source: &Source, node: Node<'_>, package: &mut Package, caller: &str) {
    let Some(function) = node.child_by_field_name("function") else {
        return;
    };
    let name = source.text_of(function);
    let method = name.rsplit('.').next().unwrap_or(name);
    package.calls.insert((caller.to_owned(), method.to_owned()));
    let arguments = node
        .child_by_field_name("arguments")
        .map(named_children)
        .unwrap_or_default();
    let texts: Vec<String> = arguments
        .iter()
        .filter(|argument| argument.kind().ends_with("string_literal"))
        .map(|argument| text(source, *argument))
        .collect();
    let span = source.place(node).in_file(source.path.clone());
    let port = texts
        .iter()
        .find_map(|text| text.rsplit_once(':')?.1.parse::<u16>().ok());
    // `Run` and `Start` are names of much else; an address tells.
    let certain = method.starts_with("ListenAndServe")
        || name == "net.Listen"
        || (port.is_some() && LISTENS.contains(&method));
    if certain {
        package.listeners.insert(caller.to_owned());
        package.listens.get_or_insert(span.clone());
        package.ports.extend(port);
    }
    match (name, texts.first()) {
        ("os.Getenv" | "os.LookupEnv", Some(variable)) => package.variables.push(FoundVariable {
            name: variable.clone(),
            required: false,
            secret: is_secret(variable),
            default: None,
            type_name: None,
            kind: kind_of(variable, None, None),
            span,
            why: format!("reads `{variable}`"),
        }),
        ("flag.Int" | "flag.String", Some(flag))
            if flag.ends_with("port") || flag.ends_with("addr") =>
        {
            let number = arguments.get(1).map(|value| text(source, *value));
            package
                .ports
                .extend(number.and_then(|number| number.rsplit(':').next()?.parse::<u16>().ok()));
        }
        _ if matches!(method, "HandleFunc" | "Handle" | "GET" | "Get") => {
            if let Some(path) = texts.first().filter(|path| path.starts_with('/')) {
                package.routes.push((path.clone(), span));
            }
        }
        _ => {}
    }
}
