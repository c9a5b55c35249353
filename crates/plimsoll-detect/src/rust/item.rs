//! What one function or type of Rust does, as far as services are concerned, and which of them a
//! program reaches.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_diag::Span;
use serde::{Deserialize, Serialize};

use crate::found::FoundVariable;

/// How sure it is that a number is the port a program listens on; the first is surest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Rank {
    /// In the call that listens.
    Listens,
    /// In an address of this machine.
    Address,
    /// The default of an argument, variable or setting.
    Default,
    /// In an address that the program may as well call as listen on, or of a part of it by its name.
    Mentioned,
}

/// A number that may be the port of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PortHint {
    pub rank: Rank,
    pub port: u16,
    pub metrics: bool,
}

/// A path that answers requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RouteHint {
    pub path: String,
    pub span: Span,
}

/// How a server of the Model Context Protocol is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Transport {
    Stdio,
    Http,
}

/// A field of a type that settings are read into.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Field {
    pub name: String,
    pub required: bool,
    pub span: Span,
}

/// One function, type or constant.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Item {
    pub name: String,
    /// The type it is a method of.
    pub receiver: Option<String>,
    /// Whether a trait has it, so that nobody need name it.
    pub of_trait: bool,
    /// Names it mentions: whatever it calls is among them.
    pub mentions: BTreeSet<String>,
    /// Those of them that no condition stands before.
    pub certain: BTreeSet<String>,
    pub listens: Vec<Span>,
    /// Places of addresses that only this machine's own programs reach.
    pub loopback: Vec<Span>,
    pub ports: Vec<PortHint>,
    pub routes: Vec<RouteHint>,
    /// Functions whose routes are put below a path.
    pub nests: Vec<(String, String)>,
    pub variables: Vec<FoundVariable>,
    /// The module it stands in, or the type that it belongs to.
    pub module: String,
    /// The name of a variable that it is a constant for.
    pub constant: Option<String>,
    /// Variables that it reads by constants, called by the paths of those.
    pub by_constant: Vec<FoundVariable>,
    /// The parameter that names a variable which it reads, and whether it ends without one.
    pub helper: Option<(usize, bool)>,
    /// Names of variables that it hands to functions: the function, at which place, the name.
    pub handed: Vec<(String, usize, String, Span)>,
    /// Settings read from variables that begin with this.
    pub prefixes: Vec<String>,
    /// The fields of a type.
    pub fields: Vec<Field>,
    /// Arguments that say where to listen: flag and default.
    pub addresses: Vec<(String, String)>,
    pub repeats: bool,
    /// Where it goes online in a chat and waits there.
    pub chat: Option<Span>,
    pub transport: Option<(Transport, Span)>,
    /// Whether it speaks the protocol over its standard input, be it one of several ways.
    pub speaks_aside: bool,
    /// Whether an argument or a variable chooses the transport, and is `stdio` unless it is set.
    pub quiet: bool,
    /// Whether it runs for each request or message, and not when the program starts.
    pub handler: bool,
    /// Functions that it hands on to be called for each request.
    pub handed_on: Vec<String>,
    /// Names of subcommands.
    pub commands: Vec<String>,
    /// Subcommands, and the types whose fields are their arguments.
    pub taken: Vec<(String, String)>,
    /// Names that settings files may have.
    pub settings: Vec<String>,
    pub reads: Vec<String>,
    pub writes: Vec<String>,
    pub events: bool,
    pub websocket: bool,
}

/// The items that `main` of `own` leads to, among those of the program and of the libraries of the
/// tree that it uses. A method counts once its type is mentioned.
pub(super) fn reached<'i>(own: &'i [Item], others: &'i [Item]) -> Vec<&'i Item> {
    reached_through(own, others, |item| &item.mentions, &|_| true)
}

/// The same, without what runs for requests or in some settings only.
pub(super) fn at_start<'i>(own: &'i [Item], others: &'i [Item]) -> Vec<&'i Item> {
    let handed: BTreeSet<&str> = own
        .iter()
        .chain(others)
        .flat_map(|item| item.handed_on.iter().map(String::as_str))
        .collect();
    reached_through(own, others, |item| &item.certain, &|item| {
        !item.handler && !handed.contains(item.name.as_str())
    })
}

fn reached_through<'i>(
    own: &'i [Item],
    others: &'i [Item],
    mentions: fn(&Item) -> &BTreeSet<String>,
    enters: &dyn Fn(&Item) -> bool,
) -> Vec<&'i Item> {
    let all: Vec<&Item> = own.iter().chain(others).collect();
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut of_traits: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, item) in all.iter().enumerate() {
        by_name.entry(item.name.as_str()).or_default().push(index);
        if let Some(receiver) = item.receiver.as_deref().filter(|_| item.of_trait) {
            of_traits.entry(receiver).or_default().push(index);
        }
    }
    let mut in_reach = vec![false; all.len()];
    let mut known: BTreeSet<&str> = BTreeSet::new();
    // Methods whose types are not mentioned yet, by the type.
    let mut waiting: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut open: Vec<usize> = (0..own.len())
        .filter(|index| own[*index].name == "main" && own[*index].receiver.is_none())
        .collect();
    while let Some(index) = open.pop() {
        if !enters(all[index]) {
            continue;
        }
        if std::mem::replace(&mut in_reach[index], true) {
            continue;
        }
        for name in mentions(all[index]) {
            if !known.insert(name) {
                continue;
            }
            open.extend(waiting.remove(name.as_str()).unwrap_or_default());
            open.extend(of_traits.get(name.as_str()).into_iter().flatten());
            for found in by_name.get(name.as_str()).into_iter().flatten() {
                let item = all[*found];
                match item.receiver.as_deref() {
                    _ if item.name == "main" => {}
                    Some(receiver) if !known.contains(receiver) => {
                        waiting.entry(receiver).or_default().push(*found);
                    }
                    _ => open.push(*found),
                }
            }
        }
    }
    all.into_iter()
        .zip(in_reach)
        .filter(|(_, reached)| *reached)
        .map(|(item, _)| item)
        .collect()
}

/// The routes of items, with the paths that they are put below.
pub(super) fn routes(items: &[&Item]) -> Vec<RouteHint> {
    let mut below: BTreeMap<&str, &str> = BTreeMap::new();
    let mut above: BTreeMap<&str, &str> = BTreeMap::new();
    for item in items {
        for (callee, path) in &item.nests {
            below.entry(callee).or_insert(path);
            above.entry(callee).or_insert(&item.name);
        }
    }
    let mut found = Vec::new();
    for item in items {
        let mut prefix = String::new();
        let mut name = item.name.as_str();
        // As deep as people nest, and no cycle.
        for _ in 0..4 {
            let Some(path) = below.get(name) else { break };
            prefix = format!("{path}{prefix}");
            name = above.get(name).copied().unwrap_or_default();
        }
        found.extend(item.routes.iter().map(|route| RouteHint {
            path: joined(&prefix, &route.path),
            span: route.span.clone(),
        }));
    }
    found
}

/// `/api` and `/` → `/api`.
pub(super) fn joined(prefix: &str, path: &str) -> String {
    let prefix = prefix.trim_end_matches('/');
    match path.trim_start_matches('/') {
        "" if !prefix.is_empty() => prefix.to_owned(),
        rest => format!("{prefix}/{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(receiver: Option<&str>, name: &str, mentions: &[&str]) -> Item {
        Item {
            name: name.to_owned(),
            receiver: receiver.map(str::to_owned),
            mentions: mentions.iter().map(|name| (*name).to_owned()).collect(),
            ..Item::default()
        }
    }

    #[test]
    fn a_method_counts_once_its_type_is_mentioned() {
        let own = [
            item(None, "main", &["start", "Worker"]),
            item(None, "unused", &["Server"]),
        ];
        let others = [
            item(Some("Worker"), "start", &[]),
            item(Some("Server"), "start", &[]),
        ];
        let found: Vec<_> = reached(&own, &others)
            .into_iter()
            .map(|item| (item.receiver.as_deref(), item.name.as_str()))
            .collect();
        assert_eq!(found, [(None, "main"), (Some("Worker"), "start")]);
    }

    #[test]
    fn nested_routes_have_whole_paths() {
        let mut main = item(None, "main", &[]);
        main.nests.push(("api".into(), "/api".into()));
        let mut api = item(None, "api", &[]);
        api.nests.push(("users".into(), "/users".into()));
        let mut users = item(None, "users", &[]);
        users.routes.push(RouteHint {
            path: "/".into(),
            span: Span::line(std::sync::Arc::from(std::path::Path::new("a")), 1),
        });
        let found = routes(&[&main, &api, &users]);
        assert_eq!(found[0].path, "/api/users");
    }
}
