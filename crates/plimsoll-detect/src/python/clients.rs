//! Clients that Python code makes: of a server, or of what runs inside of the program itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use plimsoll_diag::Span;

use crate::detection::NeedKind;
use crate::needs;
use crate::python::evaluate::evaluate;
use crate::python::module::{Module, Moment, PlacedCall};
use crate::python::startup::Startup;

/// What the clients of a service show.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    /// Servers that only the making of a client shows, since the library runs inside of the program otherwise: kind,
    /// whether it is made whenever the service starts, where, and by what.
    pub(crate) servers: Vec<(NeedKind, bool, Span, String)>,
    /// Kinds all of whose clients run inside of the program, or lead to somebody else's service.
    pub(crate) elsewhere: BTreeSet<NeedKind>,
}

/// Where a client leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leads {
    /// To a server, or to what a variable says.
    Out,
    /// Nowhere: it runs inside of the program, or is somebody else's service.
    Elsewhere,
}

/// Functions and classes that make a client whose address may mean the program itself.
const EITHER: &[&str] = &[
    "MilvusClient",
    "AsyncMilvusClient",
    "QdrantClient",
    "AsyncQdrantClient",
    "Surreal",
    "AsyncSurreal",
];

/// Functions that never lead to a server beside the program.
const ELSEWHERE: &[&str] = &[
    "weaviate.connect_to_embedded",
    "weaviate.connect_to_weaviate_cloud",
    "weaviate.connect_to_wcs",
    "weaviate.use_async_with_embedded",
    "weaviate.use_async_with_weaviate_cloud",
];

/// The clients that the modules of a service make.
pub(crate) fn clients(modules: &[Arc<Module>], startup: &Startup) -> Clients {
    let mut found = Clients::default();
    let mut out = BTreeSet::new();
    for module in modules {
        for placed in &module.calls {
            if placed.scope.moment == Moment::Never {
                continue;
            }
            let Some(callee) = module.callee(&placed.call) else {
                continue;
            };
            if let Some(kind) = needs::of_python_client(&callee) {
                let certain = startup.within(module).insists(&placed.scope);
                let span = module.span(placed.call.place);
                found
                    .servers
                    .push((kind, certain, span, callee.into_owned()));
            } else if let Some(kind) = needs::of_module(&callee) {
                match leads(&callee, placed, module) {
                    Some(Leads::Elsewhere) => found.elsewhere.insert(kind),
                    Some(Leads::Out) => out.insert(kind),
                    None => false,
                };
            }
        }
    }
    found.elsewhere.retain(|kind| !out.contains(kind));
    found
}

/// Where a call leads; `None` when it makes no client.
fn leads(callee: &str, placed: &PlacedCall, module: &Module) -> Option<Leads> {
    let method = placed.call.method()?;
    if ELSEWHERE.contains(&callee) {
        return Some(Leads::Elsewhere);
    }
    if method.starts_with("connect") || method.starts_with("use_async_with_") {
        return Some(Leads::Out);
    }
    if !EITHER.contains(&method) {
        return None;
    }
    if placed.call.keyword("path").is_some() {
        return Some(Leads::Elsewhere);
    }
    let values = placed.call.arguments.iter();
    let named = placed.call.keywords.iter().map(|(_, value)| value);
    let inside = values.chain(named).any(|value| {
        let address = evaluate(value, module, &placed.scope.path);
        address.text.as_deref().is_some_and(needs::is_embedded)
    });
    Some(match inside {
        true => Leads::Elsewhere,
        false => Leads::Out,
    })
}
