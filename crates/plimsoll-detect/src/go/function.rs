//! What a function of Go does, as far as services are concerned, and which functions a program reaches.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use plimsoll_diag::Span;
use serde::{Deserialize, Serialize};

use crate::detection::NeedKind;
use crate::found::FoundVariable;

/// How sure it is that a number is the port a program listens on; the first is surest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Rank {
    /// In the call that listens, or the address of a server.
    Listens,
    /// Handed to something that listens.
    Handed,
    /// The default of a flag, variable or setting.
    Default,
    /// The same, of one whose name says of which part of the program it is.
    Named,
    /// What a framework listens on when nobody says anything.
    Usual,
}

/// A number that may be the port of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PortHint {
    pub rank: Rank,
    pub port: u16,
    /// Whether it is said to be for metrics.
    pub metrics: bool,
}

/// A path that answers requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RouteHint {
    pub path: String,
    pub span: Span,
    /// Whether Prometheus' own handler answers.
    pub prometheus: bool,
}

/// How a server of the Model Context Protocol is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Transport {
    Stdio,
    Http,
}

/// One function, or everything outside of functions (`name` is empty).
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Function {
    pub name: String,
    /// The type it is a method of.
    pub receiver: Option<String>,
    /// Names it mentions: whatever it calls is among them.
    pub mentions: BTreeSet<String>,
    /// Those of them that no condition stands before.
    pub certain: BTreeSet<String>,
    /// Types it makes values of.
    pub makes: BTreeSet<String>,
    pub listens: Vec<Span>,
    pub ports: Vec<PortHint>,
    /// Numbers it hands to others: whom, and the number.
    pub handed: Vec<(String, u16)>,
    pub routes: Vec<RouteHint>,
    /// Databases that it connects to, as far as no condition stands before.
    pub connects: Vec<NeedKind>,
    /// Whether it answers requests that change something.
    pub accepts: bool,
    /// Whether it makes a server of remote calls.
    pub serves_calls: bool,
    pub variables: Vec<FoundVariable>,
    /// Fields that a validator wants filled, and the variables that fill them.
    pub validated: Vec<(String, String)>,
    /// Fields that it fills with variables, by the way to each, and the variables.
    pub fills: Vec<(String, String)>,
    /// Fields that it does not go on without, by the way to each.
    pub asks: Vec<(String, Span)>,
    /// Its own names of variables of the environment.
    pub known_as: BTreeMap<String, String>,
    /// Where it waits for a signal.
    pub waits: bool,
    /// Where it works again and again: a ticker, a consumer.
    pub repeats: bool,
    /// Whether what it does again and again is what others hand it: a consumer.
    pub consumes: bool,
    /// Where it goes online in a chat and waits there.
    pub chat: Option<Span>,
    /// Whether it listens beside what it goes on with: `go func() { … }()`.
    pub listens_aside: bool,
    pub transport: Option<(Transport, Span)>,
    /// Whether it speaks the protocol over its standard input, be it one of several ways.
    pub speaks_aside: bool,
    /// Whether an argument or a variable chooses the transport, and is `stdio` unless it is set.
    pub quiet: bool,
    /// Whether it takes what stands behind the options, as programs do that somebody starts by hand.
    pub positional: bool,
    /// Names of subcommands it defines.
    pub commands: Vec<String>,
    /// What subcommands run: the name of each, and that of the function which does it.
    pub runs: Vec<(String, String)>,
    /// Functions without a name of their own that subcommands run.
    pub inner: Vec<Function>,
    /// Names that settings files may have.
    pub settings: Vec<String>,
    /// Texts that may be paths of files it reads.
    pub reads: Vec<String>,
    /// Texts that are paths of files it writes.
    pub writes: Vec<String>,
    /// Whether it sends events of an open response.
    pub events: bool,
}

/// The functions that `main` of `own` leads to, among those of its package and of all it imports. A method
/// counts once a value of its type is made.
pub(super) fn reached<'f>(own: &'f [Function], imported: &[&'f Function]) -> Vec<&'f Function> {
    let mentions = |function: &'f Function| {
        let runs = function.runs.iter().map(|(_, name)| name.as_str());
        let named = function.mentions.iter().map(String::as_str);
        named.chain(runs).collect()
    };
    reached_by(own, imported, &mentions, &|_| true)
}

/// As many types that have a method of one name are ways to do one thing, of which one is chosen.
const WAYS: usize = 3;

/// Methods that each type has for itself.
const EACH: &[&str] = &["Validate", "Load", "Init", "Setup"];

/// The same, among those that run whatever the settings are. Of subcommands that is the one that is `served`.
pub(super) fn certain<'f>(
    own: &'f [Function],
    imported: &[&'f Function],
    served: Option<&str>,
) -> Vec<&'f Function> {
    let mut types: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for function in own.iter().chain(imported.iter().copied()) {
        if let Some(receiver) = &function.receiver {
            types.entry(&function.name).or_default().insert(receiver);
        }
    }
    let mentions = |function: &'f Function| {
        let runs = function.runs.iter();
        let runs = runs.filter(|(command, _)| served.is_none_or(|served| served == command));
        let named = function.certain.iter().map(String::as_str);
        named.chain(runs.map(|(_, name)| name.as_str())).collect()
    };
    reached_by(own, imported, &mentions, &|function| {
        let several = types.get(function.name.as_str());
        let one_way = several.is_none_or(|types| types.len() < WAYS);
        one_way || function.receiver.is_none() || EACH.contains(&function.name.as_str())
    })
}

fn reached_by<'f>(
    own: &'f [Function],
    imported: &[&'f Function],
    mentions: &dyn Fn(&'f Function) -> Vec<&'f str>,
    counts: &dyn Fn(&Function) -> bool,
) -> Vec<&'f Function> {
    let all: Vec<&Function> = own.iter().chain(imported.iter().copied()).collect();
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, function) in all.iter().enumerate() {
        by_name.entry(&function.name).or_default().push(index);
    }
    let starts = |(index, function): (usize, &&Function)| {
        let main = index < own.len() && function.name == "main" && function.receiver.is_none();
        (main || function.name.is_empty() || function.name == "init").then_some(index)
    };
    let mut open: Vec<usize> = all.iter().enumerate().filter_map(starts).collect();
    let mut in_reach: HashSet<usize> = open.iter().copied().collect();
    let mut named: HashSet<&str> = HashSet::new();
    let mut made: HashSet<&str> = HashSet::new();
    // Methods that are named, of types that nothing makes so far.
    let mut waiting: HashMap<&str, Vec<usize>> = HashMap::new();
    while let Some(function) = open.pop().map(|index| all[index]) {
        for name in mentions(function) {
            if !named.insert(name) {
                continue;
            }
            for index in by_name.get(name).into_iter().flatten().copied() {
                let other = all[index];
                if other.name == "main" || !counts(other) {
                    continue;
                }
                match other
                    .receiver
                    .as_deref()
                    .filter(|kind| !made.contains(kind))
                {
                    Some(kind) => waiting.entry(kind).or_default().push(index),
                    None if in_reach.insert(index) => open.push(index),
                    None => {}
                }
            }
        }
        for kind in &function.makes {
            if made.insert(kind) {
                let methods = waiting.remove(kind.as_str()).unwrap_or_default();
                open.extend(methods.into_iter().filter(|index| in_reach.insert(*index)));
            }
        }
    }
    let reached = all.into_iter().enumerate();
    reached
        .filter(|(index, _)| in_reach.contains(index))
        .map(|(_, function)| function)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(receiver: Option<&str>, name: &str, mentions: &[&str], makes: &[&str]) -> Function {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Function {
            name: name.to_owned(),
            receiver: receiver.map(str::to_owned),
            mentions: set(mentions),
            makes: set(makes),
            ..Function::default()
        }
    }

    #[test]
    fn what_one_of_many_types_insists_on_is_not_certain() {
        let own = [function(
            None,
            "main",
            &["Configure", "Validate"],
            &["A", "B", "C"],
        )];
        let others: Vec<Function> = ["A", "B", "C"]
            .iter()
            .flat_map(|kind| {
                ["Configure", "Validate"].map(|name| function(Some(kind), name, &[], &[]))
            })
            .chain([function(Some("A"), "Start", &[], &[])])
            .collect();
        let others: Vec<Function> = others
            .into_iter()
            .chain([function(None, "Configure", &[], &[])])
            .collect();
        let others: Vec<&Function> = others.iter().collect();
        let sure = |own: &[Function]| {
            let own: Vec<Function> = own
                .iter()
                .map(|function| Function {
                    certain: function.mentions.clone(),
                    ..function.clone()
                })
                .collect();
            certain(&own, &others, None).len()
        };
        // `main`, the function of the name, and each type's own check.
        assert_eq!(sure(&own), 5);
        assert_eq!(reached(&own, &others).len(), 8);
    }

    #[test]
    fn a_method_counts_once_its_type_is_made() {
        let own = [
            function(None, "main", &["NewCollector", "Start"], &[]),
            function(None, "unused", &["NewServer"], &[]),
        ];
        let others = [
            function(None, "NewCollector", &[], &["Collector"]),
            function(Some("Collector"), "Start", &[], &[]),
            function(None, "NewServer", &[], &["Server"]),
            function(Some("Server"), "Start", &[], &[]),
        ];
        let others: Vec<&Function> = others.iter().collect();
        let names: Vec<(Option<&str>, &str)> = reached(&own, &others)
            .into_iter()
            .map(|function| (function.receiver.as_deref(), function.name.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                (None, "main"),
                (None, "NewCollector"),
                (Some("Collector"), "Start")
            ]
        );
    }
}
