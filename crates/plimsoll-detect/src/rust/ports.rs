//! The ports that a Rust program listens on, of everything that may say so.

use std::collections::BTreeSet;

use super::item::{Item, PortHint, Rank};
use super::service::Seen;
use super::settings::own_port;
use crate::claims::start_scripts;
use crate::mcp_transport::DEFAULT_PORT;
use crate::settings_port::{self, Stated};

/// A number that the code has, and whether a library has it rather than the program.
type Hint<'h> = (bool, &'h PortHint);

impl Seen<'_> {
    /// The ports it listens on, its own first, and the one that has metrics where that is another.
    pub(super) fn ports(&self) -> (Vec<u16>, Option<u16>) {
        let (hints, metrics) = self.hints();
        let mut ports = self.told();
        if ports.is_empty() {
            // What an address of the program's own says, nothing else has to.
            let plain = |(foreign, hint): &&Hint<'_>| !foreign && hint.rank == Rank::Listens;
            let first = hints.first().filter(plain).is_some();
            let stated = self.stated().filter(|stated| !stated.example);
            ports = match stated.filter(|_| !first) {
                Some(stated) => vec![stated.port],
                None => of(&hints),
            };
        }
        let image = || self.claim.and_then(|claim| claim.port);
        let example = || Some(self.stated()?.port);
        let weak = hints
            .first()
            .is_none_or(|(_, hint)| hint.rank == Rank::Mentioned);
        // What an image says as well is more than a guess.
        let confirmed =
            || image().filter(|port| weak && hints.iter().any(|(_, hint)| hint.port == *port));
        if let Some(port) = confirmed().filter(|_| self.told().is_empty()) {
            ports = vec![port];
        } else if ports.is_empty() {
            ports.extend(image().or_else(example));
        }
        ports.extend(metrics.filter(|metrics| !ports.contains(metrics)));
        (ports, metrics)
    }

    /// Whether the code, or what it reads, says a port.
    pub(super) fn says_port(&self) -> bool {
        let (hints, metrics) = self.hints();
        metrics.is_some()
            || !hints.is_empty()
            || self.stated().is_some_and(|stated| !stated.example)
    }

    /// The port it would listen on if it were told to speak over HTTP.
    pub(super) fn usual_port(&self) -> u16 {
        of(&self.hints().0).first().copied().unwrap_or(DEFAULT_PORT)
    }

    /// Variables that its image tells it by where to listen.
    pub(super) fn listening_environment(&self) -> Vec<(String, String)> {
        let read = self.reached.iter().flat_map(|one| &one.variables);
        let listens =
            |name: &str, value: &str| own_port(name, Some(value)).is_some_and(|hint| !hint.metrics);
        let claim = self.claim;
        claim.map_or_else(Vec::new, |claim| claim.listening(read, &listens))
    }

    /// What its image tells it by an argument or by variables.
    fn told(&self) -> Vec<u16> {
        let argument = self
            .claim
            .and_then(|claim| start_scripts::port(&claim.arguments));
        if let Some(port) = argument {
            return vec![port];
        }
        let set = self.listening_environment();
        let ports = set
            .iter()
            .filter_map(|(name, value)| own_port(name, Some(value)));
        let mut ports: Vec<u16> = ports.map(|hint| hint.port).collect();
        ports.dedup();
        ports
    }

    /// What the settings file says that it reads.
    fn stated(&self) -> Option<Stated> {
        let program = self.binary.name.to_ascii_lowercase();
        let told = self.claim.into_iter().flat_map(|claim| &claim.arguments);
        let told = told.filter_map(|word| settings_port::named(word, &[&program]));
        let read = self.reached.iter().flat_map(|one| &one.settings).cloned();
        [told.collect::<Vec<_>>(), read.collect()]
            .iter()
            .find_map(|names| settings_port::find(self.tree, &self.package.workspace, names))
    }

    /// Every port that the code may listen on, what is surest first, and the one of metrics.
    fn hints(&self) -> (Vec<Hint<'_>>, Option<u16>) {
        let own: BTreeSet<*const Item> = self
            .own
            .items
            .iter()
            .chain(&self.closure.items[..self.closure.own_items])
            .map(std::ptr::from_ref)
            .collect();
        let mut hints: Vec<Hint<'_>> = Vec::new();
        for item in &self.reached {
            let foreign = !own.contains(&std::ptr::from_ref(*item));
            hints.extend(item.ports.iter().map(|hint| (foreign, hint)));
        }
        hints.sort_by_key(|(foreign, hint)| (*foreign, hint.rank, hint.port));
        let metrics = hints.iter().find(|(_, hint)| hint.metrics);
        let metrics = metrics.map(|(_, hint)| hint.port);
        hints.retain(|(_, hint)| !hint.metrics);
        (hints, metrics)
    }
}

/// The ports of the hints that are surest. Beside what a call itself says, other numbers are defaults that it overrides.
fn of(hints: &[Hint<'_>]) -> Vec<u16> {
    let Some((foreign, first)) = hints.first() else {
        return Vec::new();
    };
    let listens = first.rank == Rank::Listens;
    let mut ports: Vec<u16> = Vec::new();
    for (other, hint) in hints {
        let counts = other == foreign && (hint.rank == Rank::Listens) == listens;
        if counts && (ports.is_empty() || listens) && !ports.contains(&hint.port) {
            ports.push(hint.port);
        }
    }
    ports
}
