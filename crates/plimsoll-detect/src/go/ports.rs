//! The ports that a Go program listens on, of everything that may say so.

use std::collections::BTreeSet;

use super::function::{Function, PortHint, Rank};
use super::service::Seen;
use super::settings::own_port;
use crate::claims::start_scripts;
use crate::example_port;
use crate::mcp_transport::DEFAULT_PORT;
use crate::ports::is_of_another;
use crate::settings_port::{self, Stated};

/// Who says a port; the first is believed before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    /// The main package, where it listens or hands an address on.
    Plainly,
    /// A settings file that the program reads.
    Settings,
    /// The default of a flag or variable of the main package.
    Default,
    /// The same, of one whose name says of which part of the program it is.
    Partly,
    /// Another package, where it listens.
    Elsewhere,
    /// The image, or a settings file to be filled in.
    Beside,
    /// Another package, for something that it hands on.
    Handed,
    /// The default of a flag or variable of another package.
    Weakly,
    /// The same, of one whose name says of which part of the program it is.
    Vaguely,
    /// Another package, for plain and encrypted pages of the whole machine.
    Besides,
    /// Nobody: what the framework does by itself.
    Nobody,
}

impl Seen<'_> {
    /// The ports it listens on, and the one that has metrics where that is another.
    pub(super) fn ports(&self) -> (Vec<u16>, Option<u16>) {
        let (hints, metrics) = self.hints();
        let first = hints.iter().map(|(said, _)| *said).min();
        let image = self.claim.and_then(|claim| {
            let told = start_scripts::port(&claim.arguments);
            told.map(|port| (Said::Plainly, port))
                .or_else(|| Some((Said::Beside, claim.port?)))
        });
        let stated = self.stated().map(|stated| match stated.example {
            false => (Said::Settings, stated.port),
            true => (Said::Beside, stated.port),
        });
        let told = image.filter(|(said, _)| *said == Said::Plainly);
        let set = self.listening_environment();
        if told.is_none() && !set.is_empty() {
            let ports = set
                .iter()
                .filter_map(|(name, value)| own_port(name, Some(value)));
            let mut ports: Vec<u16> = ports.map(|hint| hint.port).collect();
            ports.dedup();
            return (ports, metrics);
        }
        // What an image says as well is more than a guess.
        let confirmed = image
            .filter(|_| first >= Some(Said::Default) && first != Some(Said::Elsewhere))
            .filter(|(_, port)| hints.iter().any(|(_, hint)| hint == port));
        let beside = [stated, image].into_iter().flatten();
        let mut beside = beside.filter(|(said, _)| first.is_none_or(|first| *said < first));
        let chosen = told.or(confirmed).or_else(|| beside.next());
        let mut ports = match (chosen, first) {
            (Some((_, port)), _) => vec![port],
            (None, Some(first)) => of(&hints, first),
            (None, None) => self
                .of_example()
                .into_iter()
                .map(|(_, port)| port)
                .collect(),
        };
        ports.extend(metrics.filter(|metrics| !ports.contains(metrics)));
        (ports, metrics)
    }

    /// The variable that says where it listens and has a value only in an example of the environment, with that port.
    fn of_example(&self) -> Option<(String, u16)> {
        let mut read = self.reached.iter().flat_map(|one| &one.variables);
        read.find_map(|variable| {
            let port = example_port::of(self.tree, &self.module.root, &variable.name)?;
            let own = own_port(&variable.name, Some(&port.to_string()))?;
            (!own.metrics).then(|| (variable.name.clone(), port))
        })
    }

    /// What it has to be told because the code has no port of its own.
    pub(super) fn exemplary_environment(&self, ports: &[u16]) -> Vec<(String, String)> {
        let known = self.says_port() || !self.listening_environment().is_empty();
        let example = self.of_example().filter(|_| !known);
        let example = example.filter(|(_, port)| ports.contains(port));
        let told = example.map(|(name, port)| {
            let of_number = name.ends_with("PORT");
            let value = match of_number {
                true => port.to_string(),
                false => format!(":{port}"),
            };
            (name, value)
        });
        told.into_iter().collect()
    }

    /// Variables that its image tells it by where to listen.
    pub(super) fn listening_environment(&self) -> Vec<(String, String)> {
        let read = self.reached.iter().flat_map(|one| &one.variables);
        let listens =
            |name: &str, value: &str| own_port(name, Some(value)).is_some_and(|hint| !hint.metrics);
        let claim = self.claim;
        claim.map_or_else(Vec::new, |claim| claim.listening(read, &listens))
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
        let (hints, _) = self.hints();
        let first = hints.iter().map(|(said, _)| *said).min();
        let port = first.and_then(|first| of(&hints, first).first().copied());
        port.unwrap_or(DEFAULT_PORT)
    }

    /// What the settings file says that it reads.
    fn stated(&self) -> Option<Stated> {
        let program = self.module.program(self.directory).to_ascii_lowercase();
        let told = self.claim.into_iter().flat_map(|claim| &claim.arguments);
        let told = told.filter_map(|word| settings_port::named(word, &[&program]));
        let read = self.reached.iter().flat_map(|one| &one.settings).cloned();
        // What the framework reads without being told.
        let usual = self
            .imports("github.com/beego/beego")
            .then(|| "app.conf".to_owned());
        let read = read.chain(usual);
        // What it is started with says which of them it reads.
        [told.collect::<Vec<_>>(), read.collect()]
            .iter()
            .find_map(|names| {
                // What lies beside the program is nearer than what the module has.
                [self.directory, &self.module.root]
                    .iter()
                    .find_map(|root| settings_port::find(self.tree, root, names))
            })
    }

    /// Every port that the code may listen on with who says it, and the one of metrics.
    fn hints(&self) -> (Vec<(Said, u16)>, Option<u16>) {
        let own: BTreeSet<*const Function> = self
            .package
            .functions
            .iter()
            .map(std::ptr::from_ref)
            .collect();
        let listening = self.reached.iter().filter(|one| !one.listens.is_empty());
        let listeners: BTreeSet<&str> = listening.map(|one| one.name.as_str()).collect();
        let mut hints = Vec::new();
        let mut metrics: Vec<(Said, u16)> = Vec::new();
        for function in &self.reached {
            let is_own = own.contains(&std::ptr::from_ref(*function));
            let handed = function.handed.iter();
            let handed = handed.filter(|(callee, _)| listeners.contains(callee.as_str()));
            let handed = handed.map(|(callee, port)| PortHint {
                rank: Rank::Handed,
                port: *port,
                metrics: callee.to_ascii_lowercase().contains("metric"),
            });
            for hint in function.ports.iter().copied().chain(handed) {
                let said = match (hint.rank, is_own) {
                    (Rank::Usual, _) => Said::Nobody,
                    (Rank::Listens | Rank::Handed, true) => Said::Plainly,
                    (Rank::Default, true) => Said::Default,
                    (Rank::Named, true) => Said::Partly,
                    // What takes certificates or leads elsewhere listens there as well, in some settings.
                    (Rank::Listens, false) if matches!(hint.port, 80 | 443) => Said::Besides,
                    (Rank::Listens, false) => Said::Elsewhere,
                    (Rank::Handed, false) => Said::Handed,
                    // A package that calls others knows the ports of their addresses.
                    (Rank::Default | Rank::Named, false)
                        if is_of_another(hint.port) && !hint.metrics =>
                    {
                        continue;
                    }
                    (Rank::Default, false) => Said::Weakly,
                    (Rank::Named, false) => Said::Vaguely,
                };
                match hint.metrics {
                    true => metrics.push((said, hint.port)),
                    false => hints.push((said, hint.port)),
                }
            }
        }
        metrics.sort();
        // What the program says itself outweighs what the packages do that it uses.
        let is_own = |said: Said| matches!(said, Said::Plainly | Said::Default | Said::Partly);
        let says_itself = hints.iter().any(|(said, _)| is_own(*said));
        let mut metrics = metrics
            .iter()
            .filter(|(said, _)| is_own(*said) || !says_itself);
        let metrics = metrics.next().map(|(_, port)| *port);
        (hints, metrics)
    }
}

/// The ports of the hints that are believed first. Of defaults one is the port.
fn of(hints: &[(Said, u16)], first: Said) -> Vec<u16> {
    let mut ports: Vec<u16> = Vec::new();
    for (_, port) in hints.iter().filter(|(said, _)| *said == first) {
        if !ports.contains(port) {
            ports.push(*port);
        }
    }
    ports.sort_unstable();
    let several = [Said::Plainly, Said::Elsewhere, Said::Handed, Said::Besides];
    if !several.contains(&first) {
        ports.truncate(1);
    }
    ports
}
