//! What a Python service needs beside it: drivers it imports, variables it reads, addresses it fixes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use plimsoll_diag::{Diagnostic, Evidence};

use crate::detection::NeedKind;
use crate::found::FoundVariable;
use crate::needs;
use crate::python::clients::Clients;
use crate::python::dependencies::Dependencies;
use crate::python::distributions::provider;
use crate::python::evaluate::evaluate;
use crate::python::graph::Closure;
use crate::python::module::{Function, Module, Moment};
use crate::python::startup::Startup;
use crate::python::value::Value;
use crate::syntax::Place;

/// The needs of a service.
pub(crate) fn needs_of(
    closure: &Closure,
    dependencies: &Dependencies,
    variables: &[FoundVariable],
    clients: Clients,
) -> Vec<needs::FoundNeed> {
    let mut imported = Vec::new();
    let mut seen: BTreeMap<NeedKind, usize> = BTreeMap::new();
    for (module, external) in &closure.external {
        let Some(kind) = needs::of_module(module) else {
            continue;
        };
        if clients.elsewhere.contains(&kind) {
            continue;
        }
        // A driver that is not installed is never reached.
        if provider(module, &dependencies.declared).is_none() && external.moment != Moment::Import {
            continue;
        }
        let certain = external.moment == Moment::Import;
        let entry = (kind, certain, external.span.clone(), module.clone());
        match seen.get(&kind) {
            Some(index) => {
                let known: &mut (_, bool, _, _) = &mut imported[*index];
                if certain && !known.1 {
                    *known = entry;
                }
            }
            None => {
                seen.insert(kind, imported.len());
                imported.push(entry);
            }
        }
    }
    for server in clients.servers {
        seen.entry(server.0).or_insert(imported.len());
        imported.push(server);
    }
    // A broker's client comes with the queue's own distribution.
    if let Some((_, celery)) = closure
        .external
        .iter()
        .find(|(module, _)| *module == "celery" || module.starts_with("celery."))
    {
        let certain = celery.moment == Moment::Import;
        for requirement in &dependencies.requirements {
            let kind = match requirement.name.as_str() {
                "celery" if requirement.extras.iter().any(|extra| extra == "redis") => {
                    NeedKind::Redis
                }
                "redis" => NeedKind::Redis,
                "amqp" | "librabbitmq" => NeedKind::Rabbitmq,
                _ => continue,
            };
            // `amqp` comes with every Celery.
            let only_one = requirement.name != "amqp" || !dependencies.declared.contains("redis");
            if let Some(index) = seen.get(&kind) {
                // What only a part of the code asks for by itself is what its tasks go through.
                let known: &mut (_, bool, _, _) = &mut imported[*index];
                known.1 |= certain && only_one;
                continue;
            }
            if only_one {
                seen.insert(kind, imported.len());
                imported.push((
                    kind,
                    certain,
                    requirement.span.clone(),
                    requirement.name.clone(),
                ));
            }
        }
    }
    let told: Vec<needs::Told<'_>> = variables.iter().map(FoundVariable::told).collect();
    // A driver of SQLAlchemy is named by its URL alone, never imported.
    if closure.external.keys().any(|module| {
        module.starts_with("sqlalchemy")
            || module.starts_with("sqlmodel")
            || module.starts_with("databases")
            || module.starts_with("alembic")
    }) {
        for requirement in &dependencies.requirements {
            let module = requirement.name.replace('-', "_");
            let module = match module.as_str() {
                "psycopg2_binary" => "psycopg2",
                "psycopg_binary" => "psycopg",
                "mysqlclient" => "MySQLdb",
                other => other,
            };
            let kind = needs::of_module(module)
                .filter(|kind| matches!(kind, NeedKind::Postgres | NeedKind::Mysql));
            if let Some(kind) = kind
                && !seen.contains_key(&kind)
            {
                seen.insert(kind, imported.len());
                imported.push((
                    kind,
                    false,
                    requirement.span.clone(),
                    requirement.name.clone(),
                ));
            }
        }
    }
    let mut found = needs::needs(&imported, &told);
    // A database without another one to fall back on is needed, whatever its variable's default.
    let falls_back = falls_back(closure, variables);
    let stores = |kind: NeedKind| {
        matches!(
            kind,
            NeedKind::Postgres | NeedKind::Mysql | NeedKind::Mongodb | NeedKind::Neo4j
        )
    };
    let only = found.iter().filter(|need| stores(need.kind)).count() == 1;
    for need in &mut found {
        let sql =
            matches!(need.kind, NeedKind::Postgres | NeedKind::Mysql) || only && stores(need.kind);
        let certain = imported
            .iter()
            .any(|(kind, certain, ..)| *kind == need.kind && *certain);
        if sql && certain && !falls_back && need.how.is_some() {
            need.required = true;
        }
    }
    for need in &mut found {
        need.scheme = scheme(need.kind, closure, dependencies).map(str::to_owned);
    }
    found
}

/// Whether the code has a database in a file to fall back on.
pub(crate) fn falls_back(closure: &Closure, variables: &[FoundVariable]) -> bool {
    closure
        .external
        .keys()
        .any(|module| module.contains("sqlite"))
        || variables.iter().any(|variable| {
            variable
                .default
                .as_deref()
                .is_some_and(|text| text.contains("sqlite"))
        })
}

/// A value, where it stands, and whether it is worked out whenever the service starts.
type Placed<'m> = (&'m Value, Place, Cow<'m, str>, bool);

/// Whether a text is put together there: hardly a value of a program is one.
fn is_joined(value: &Value) -> bool {
    match value {
        Value::Joined(_) => true,
        Value::Either(several) => several.iter().any(is_joined),
        _ => false,
    }
}

/// Each of the values that an expression may come to: `os.getenv("URL") or f"postgresql://{host}"`.
fn alternatives((value, place, path, at_start): Placed<'_>) -> Vec<Placed<'_>> {
    match value {
        // One of several is not what it comes to for certain.
        Value::Either(several) => several
            .iter()
            .map(|value| (value, place, path.clone(), false))
            .collect(),
        other => vec![(other, place, path, at_start)],
    }
}

/// An address that code puts together.
struct Composed<'m> {
    kind: NeedKind,
    parts: Vec<&'m Value>,
    place: Place,
    /// Whether it is put together whenever the service starts.
    at_start: bool,
}

/// Addresses that code puts together: `f"postgresql://{user}:{password}@{host}/{name}"`. Returns the names of
/// variables that say a part of one that is put together whenever the service starts; `startup` is what runs then,
/// `None` where the code has something else to fall back on.
pub(crate) fn composed_addresses(
    module: &Module,
    variables: &[FoundVariable],
    dependencies: &Dependencies,
    startup: Option<&Startup>,
    found: &mut Vec<needs::FoundNeed>,
) -> Vec<String> {
    let arguments = module.calls.iter().flat_map(|placed| {
        let keywords = placed.call.keywords.iter().map(|(_, value)| value);
        let values = placed.call.arguments.iter().chain(keywords);
        let at_start = startup.is_some_and(|startup| startup.insists(&placed.scope));
        let path = Cow::Borrowed(&*placed.scope.path);
        let joined = values.filter(|value| is_joined(value));
        joined.map(move |value| (value, placed.call.place, path.clone(), at_start))
    });
    let bound = module.bindings.iter().filter_map(|binding| {
        let at_start = startup.is_some_and(|startup| startup.insists(&binding.scope));
        let path = Cow::Borrowed(&*binding.scope.path);
        let value = binding.value.as_ref().filter(|value| is_joined(value))?;
        Some((value, binding.place, path, at_start))
    });
    let puts_together = |function: &&Function| function.returns.iter().any(is_joined);
    let functions = module.functions.iter().filter(puts_together);
    let returned = functions.flat_map(|function| {
        let path: Cow<'_, str> = function.inner_path().into();
        let at_start =
            startup.is_some_and(|startup| startup.reaches(&path)) && function.returns.len() == 1;
        let values = function.returns.iter();
        values.map(move |value| (value, function.place, path.clone(), at_start))
    });
    let joined = arguments
        .chain(bound)
        .chain(returned)
        .flat_map(alternatives)
        .filter_map(|(value, place, path, at_start)| {
            let Value::Joined(parts) = value else {
                return None;
            };
            let start = match parts.first()? {
                Value::Text(text) => text.clone(),
                // `f"{driver}://{host}"`.
                name => {
                    let driver = evaluate(name, module, &path).text?;
                    format!("{driver}{}", parts.get(1)?.as_text()?)
                }
            };
            Some(Composed {
                kind: needs::of_url(&start)?,
                parts: parts.iter().collect(),
                place,
                at_start,
            })
        });
    // `URL.build(scheme="mysql+aiomysql", host=settings.db_host)`.
    let built = module.calls.iter().filter_map(|placed| {
        let call = &placed.call;
        let scheme = call
            .keyword("scheme")
            .or_else(|| call.keyword("drivername"))?;
        let kind = needs::of_url(&format!("{}://", scheme.as_text()?))?;
        Some(Composed {
            kind,
            parts: call.keywords.iter().map(|(_, value)| value).collect(),
            place: call.place,
            at_start: false,
        })
    });
    let mut insisted = Vec::new();
    for Composed {
        kind,
        parts,
        place,
        at_start,
    } in joined.chain(built)
    {
        // A driver that is not there shows that the code is for another occasion.
        let driven = dependencies.requirements.iter().any(|requirement| {
            needs::of_module(&requirement.name.replace('-', "_")) == Some(kind)
                || matches!(
                    (kind, requirement.name.as_str()),
                    (NeedKind::Postgres, "psycopg2-binary" | "psycopg-binary")
                        | (NeedKind::Mysql, "mysqlclient" | "mysql-connector-python")
                )
        });
        if !driven {
            continue;
        }
        let named: Vec<String> = parts
            .iter()
            .filter_map(|part| part.last_name())
            .map(str::to_ascii_uppercase)
            .collect();
        let how = variables
            .iter()
            .filter(|variable| {
                named.iter().any(|name| {
                    let upper = variable.name.to_ascii_uppercase();
                    upper == *name || upper.ends_with(&format!("_{name}"))
                })
            })
            .find(|variable| variable.kind == crate::detection::VariableKind::Host);
        let evidence = Evidence::new(module.span(place), "puts its address together");
        let points_somewhere = how.is_some_and(|variable| {
            variable.required
                || variable
                    .default
                    .as_deref()
                    .is_some_and(|text| !text.is_empty())
        });
        // A value that is not there makes an address of the word `None`.
        if at_start {
            let missing = variables.iter().filter(|variable| {
                variable.default.is_none()
                    && named
                        .iter()
                        .any(|name| variable.name.to_ascii_uppercase() == *name)
            });
            insisted.extend(missing.map(|variable| variable.name.clone()));
        }
        // What is put together while the file is imported is used.
        let at_once = at_start && !insisted.is_empty()
            || module.bindings.iter().any(|binding| {
                binding.place == place
                    && binding.scope.is_top()
                    && binding.scope.moment == Moment::Import
            });
        match found.iter_mut().find(|need| need.kind == kind) {
            Some(need) => {
                need.required |= points_somewhere || at_once;
                if need.how.is_none() {
                    need.how = how.map(|variable| variable.name.clone());
                }
                need.evidence.push(evidence);
            }
            None => found.push(needs::FoundNeed {
                kind,
                required: points_somewhere || at_once,
                how: how.map(|variable| variable.name.clone()),
                scheme: None,
                evidence: vec![evidence],
            }),
        }
    }
    insisted
}

/// Calls that connect.
const CONNECTS: &[&str] = &[
    "from_url",
    "connect",
    "create_pool",
    "create_engine",
    "create_async_engine",
    "MongoClient",
    "AsyncIOMotorClient",
    "AsyncMongoClient",
    "Redis",
    "StrictRedis",
    "ConnectionPool",
    "Celery",
    "AsyncConnectionPool",
    "InfluxDBClient",
    "get_client",
    "HttpClient",
    "AsyncHttpClient",
    "MilvusClient",
    "QdrantClient",
    "Surreal",
    "AsyncSurreal",
    "Minio",
];

/// Whether a text is the address of something beside the program, not of somebody's service.
fn is_beside(text: &str) -> bool {
    let rest = match text.split_once("://") {
        Some(("http" | "https" | "ws" | "wss" | "grpc" | "tcp", rest)) => rest,
        Some(_) => return false,
        None if needs::is_address(text) => text,
        None => return false,
    };
    let host = rest.split([':', '/']).next().unwrap_or_default();
    !host.is_empty() && !host.contains('.') || host == "127.0.0.1" || host == "0.0.0.0"
}

/// Addresses that the code fixes: needs that no variable leads to.
pub(crate) fn fixed_addresses(
    module: &Module,
    found: &mut Vec<needs::FoundNeed>,
    problems: &mut Vec<Diagnostic>,
) {
    for placed in &module.calls {
        let call = &placed.call;
        let Some(method) = call.method().filter(|method| CONNECTS.contains(method)) else {
            continue;
        };
        let callee = module.callee(call);
        let driver = callee.as_deref().and_then(|callee| {
            needs::of_module(callee).or_else(|| needs::of_python_client(callee))
        });
        let values = call.arguments.iter().map(|value| ("", value));
        let named = call
            .keywords
            .iter()
            .map(|(name, value)| (name.as_str(), value));
        for (name, value) in values.chain(named) {
            // Celery asks variables before these.
            if method == "Celery" && matches!(name, "broker" | "backend") {
                continue;
            }
            let constant = crate::python::evaluate::evaluate(value, module, &placed.scope.path);
            let (Some(text), None) = (constant.text, constant.variable) else {
                continue;
            };
            let kind = needs::of_url(&text).or_else(|| {
                driver.filter(|_| name == "host" && !text.is_empty() || is_beside(&text))
            });
            let Some(kind) = kind else {
                continue;
            };
            let span = module.span(call.place);
            let evidence = Evidence::new(
                span.clone(),
                format!("`{method}` connects to a fixed address"),
            );
            if text.contains("localhost") || text.contains("127.0.0.1") {
                problems.push(
                    Diagnostic::warning(format!(
                        "connects to `localhost`, which inside of a container is the container itself, not {}",
                        kind.word()
                    ))
                    .at(span.clone())
                    .hint("read the address from a variable"),
                );
            }
            let how = format!("{}:{}", span.file.display(), span.start.line);
            match found.iter_mut().find(|need| need.kind == kind) {
                Some(need) => {
                    if need.how.is_none() {
                        need.how = Some(how);
                        need.required = true;
                    }
                    need.evidence.push(evidence);
                }
                None => found.push(needs::FoundNeed {
                    kind,
                    required: true,
                    how: Some(how),
                    scheme: None,
                    evidence: vec![evidence],
                }),
            }
        }
    }
}

/// How a connection string starts that the code can use: SQLAlchemy takes the driver from it.
fn scheme(kind: NeedKind, closure: &Closure, dependencies: &Dependencies) -> Option<&'static str> {
    let has = |name: &str| dependencies.declared.contains(name);
    let imports = |name: &str| {
        closure.external.keys().any(|module| {
            module
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    if !imports("sqlalchemy") && !imports("sqlmodel") {
        return None;
    }
    let asynchronous = imports("sqlalchemy.ext.asyncio");
    match kind {
        NeedKind::Postgres if asynchronous && has("asyncpg") => Some("postgresql+asyncpg"),
        NeedKind::Postgres if has("psycopg") && !has("psycopg2") && !has("psycopg2-binary") => {
            Some("postgresql+psycopg")
        }
        NeedKind::Mysql if asynchronous && has("aiomysql") => Some("mysql+aiomysql"),
        NeedKind::Mysql if asynchronous && has("asyncmy") => Some("mysql+asyncmy"),
        NeedKind::Mysql if has("pymysql") => Some("mysql+pymysql"),
        _ => None,
    }
}
