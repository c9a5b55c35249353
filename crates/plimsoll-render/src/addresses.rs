//! Addresses that a project knows its own services by: `http://localhost:8000` is where a developer
//! finds what is published, and nobody's address where a proxy or a gateway stands in front.
//!
//! Such an address hides in variables (allowed origins, links in mails) and in what a bundler writes
//! into pages. Targets say where a service is found; this finds where that belongs.

use crate::{Input, Workload};

/// Schemes of addresses, and what they are where connections are encrypted.
const SCHEMES: [(&str, &str); 2] = [("http", "https"), ("ws", "wss")];

/// Names of the machine that a browser runs on.
const HERE: [&str; 3] = ["localhost", "127.0.0.1", "0.0.0.0"];

/// Where published services are found.
#[derive(Debug)]
pub(crate) struct Addresses {
    /// How text is written in the target, where an address may hold its references.
    written: fn(&str) -> String,
    /// A port of the host, and the address without its scheme; whether it is encrypted.
    known: Vec<(u16, String, Encryption)>,
}

/// Whether connections to an address are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// TLS.
    Tls,
    /// None.
    Plain,
}

impl Addresses {
    /// None yet.
    pub(crate) fn new(written: fn(&str) -> String) -> Self {
        Self {
            written,
            known: Vec::new(),
        }
    }

    /// Adds a service that is found at an address, written without its scheme.
    pub(crate) fn add(&mut self, one: &Workload<'_>, address: &str, encryption: Encryption) {
        let published = one
            .listeners
            .iter()
            .filter(|listener| listener.http)
            .flat_map(|listener| &listener.published);
        for port in published {
            self.known.push((*port, address.to_owned(), encryption));
        }
    }

    /// A text in which addresses of this machine are those that others find; `None` where it names
    /// none. In a list, each stands once.
    pub(crate) fn public(&self, text: &str) -> Option<String> {
        let text = (self.written)(text);
        let items: Vec<&str> = text.split(',').collect();
        let replaced: Vec<String> = items.iter().map(|item| self.replaced(item)).collect();
        if replaced == items {
            return None;
        }
        let mut once: Vec<String> = Vec::new();
        for item in replaced {
            if !once.contains(&item) {
                once.push(item);
            }
        }
        Some(once.join(","))
    }

    fn replaced(&self, text: &str) -> String {
        for (port, address, encryption) in &self.known {
            for (plain, encrypted) in SCHEMES {
                let scheme = match encryption {
                    Encryption::Tls => encrypted,
                    Encryption::Plain => plain,
                };
                for host in HERE {
                    let local = format!("{plain}://{host}:{port}");
                    let Some(at) = text.find(&local) else {
                        continue;
                    };
                    let (before, after) = (&text[..at], &text[at + local.len()..]);
                    let ends = !after.starts_with(|next: char| next.is_ascii_digit());
                    let begins = !before.ends_with(|last: char| last.is_ascii_alphanumeric());
                    if ends && begins {
                        return format!("{before}{scheme}://{address}{after}");
                    }
                }
            }
        }
        text.to_owned()
    }

    /// Variables of a running service that name such an address, with the public one: those that
    /// are set, and those whose default its source has itself.
    pub(crate) fn environment<'a>(
        &self,
        input: &Input<'a>,
        one: &Workload<'a>,
    ) -> Vec<(&'a str, String)> {
        let set = one
            .service
            .environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.value.as_deref()));
        let read = input
            .project
            .variables
            .iter()
            .filter(|variable| {
                let is_read = variable.services.iter().any(|name| name == one.name());
                let is_set = one.service.environment.contains_key(&variable.name);
                is_read && !is_set && !variable.secret
            })
            .map(|variable| (variable.name.as_str(), variable.default.as_deref()));
        set.chain(read)
            .filter(|(name, _)| !one.secret_variables.contains(*name))
            .filter_map(|(name, value)| Some((name, self.public(value?)?)))
            .collect()
    }

    /// Variables that the build of a service's pages reads, and whose value in them would name such
    /// an address, with the public one.
    pub(crate) fn build(&self, input: &Input<'_>, one: &Workload<'_>) -> Vec<(String, String)> {
        build_variables(input, one)
            .into_iter()
            .filter_map(|(name, value)| Some((name, self.public(&value?)?)))
            .collect()
    }
}

/// Variables that a service's pages get when they are built: those that are set, and those whose
/// default the source has itself.
pub(crate) fn build_variables(
    input: &Input<'_>,
    one: &Workload<'_>,
) -> Vec<(String, Option<String>)> {
    use plimsoll_model::RecipeKind;
    let set = match one.service.recipe.as_ref().map(|recipe| &recipe.kind) {
        Some(RecipeKind::StaticSite(site)) if site.build.is_some() => &site.build_environment,
        _ => return Vec::new(),
    };
    let mut all: Vec<(String, Option<String>)> = set
        .iter()
        .map(|(name, value)| (name.clone(), Some(value.clone())))
        .collect();
    for variable in &input.project.variables {
        let is_read = variable.services.iter().any(|name| name == one.name());
        let is_set = set.iter().any(|(name, _)| *name == variable.name);
        if is_read && !is_set && !variable.secret {
            all.push((variable.name.clone(), variable.default.clone()));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_become_public_ones() {
        let addresses = Addresses {
            written: str::to_owned,
            known: vec![
                (8000, "api.example.com".to_owned(), Encryption::Tls),
                (8080, "example.com".to_owned(), Encryption::Plain),
            ],
        };
        let public = |text: &str| addresses.public(text);
        assert_eq!(
            public("http://localhost:8000/v1").as_deref(),
            Some("https://api.example.com/v1")
        );
        assert_eq!(
            public("ws://127.0.0.1:8000").as_deref(),
            Some("wss://api.example.com")
        );
        assert_eq!(
            public("http://localhost:8080,http://127.0.0.1:8080,https://other.org").as_deref(),
            Some("http://example.com,https://other.org")
        );
        for other in ["http://localhost:80001", "http://db:8000", "localhost", ""] {
            assert_eq!(public(other), None, "{other}");
        }
    }
}
