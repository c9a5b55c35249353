//! Where package registries are, as their own clients are configured on this machine.
//!
//! No registry has its address in this program: a company mirror that `pip`, `uv` or `npm` use
//! is used here unasked. An address comes from the first place that states one: a variable, a
//! configuration file, the default written in an installed client, and last the default written
//! in Debian's package of that client, which is read as data and never run. An error lists every
//! place that was tried.

mod credentials;
mod debian_default;
mod files;
mod go;
mod known;
mod npm;
mod python;
mod registries;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

pub(crate) use credentials::{credential_variables, with_credentials, without_any_credentials};
pub use debian_default::{NoPackages, PackageFiles};
pub use go::GoProxy;
pub use npm::NpmRegistry;
pub(crate) use npm::{npm_certificates, npmrc_files};
pub use python::PythonIndex;
pub use registries::Registries;

/// What the configuration of package clients is read from. The binary fills it; nothing in this
/// crate looks at the environment.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// The caller's variables, at least those that [`is_client_variable`] names.
    pub variables: BTreeMap<String, String>,
    /// The caller's home directory.
    pub home: Option<PathBuf>,
    /// The project's directory, whose `.npmrc` and `uv.toml` count.
    pub project: Option<PathBuf>,
    /// The root that system-wide files are looked up under: `/`.
    pub system: PathBuf,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            variables: BTreeMap::new(),
            home: None,
            project: None,
            system: PathBuf::from("/"),
        }
    }
}

/// Variables that package clients read and that the binary hands in.
const VARIABLES: &[&str] = &[
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_CONFIG_FILE",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_CONFIG_FILE",
    "PIP_CERT",
    "VIRTUAL_ENV",
    "NETRC",
    "XDG_CONFIG_HOME",
    "NPM_CONFIG_REGISTRY",
    "NPM_CONFIG_USERCONFIG",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "DOCKER_CONFIG",
    "GOPROXY",
    "GOPRIVATE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOSUMDB",
    "GOINSECURE",
    "GOAUTH",
    "GOENV",
    "GOROOT",
    "GIT_CONFIG_GLOBAL",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUSTUP_DIST_SERVER",
    "RUSTUP_UPDATE_ROOT",
    "PATH",
];

/// Whether a variable of the caller's environment belongs into [`ClientSettings::variables`].
pub fn is_client_variable(name: &str) -> bool {
    // Registries of crates have names, and variables of these names.
    // So have those of Python packages, where uv knows them.
    name.starts_with("CARGO_REGISTR")
        || name.starts_with("UV_INDEX_")
        || VARIABLES
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
}

impl ClientSettings {
    /// A variable's value; one that is empty counts as unset. npm and proxies read either case.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let upper = self.variables.get(name);
        let value = upper.or_else(|| self.variables.get(&name.to_ascii_lowercase()))?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }

    /// A path below the system root.
    pub(crate) fn system_path(&self, relative: &str) -> PathBuf {
        self.system.join(relative.trim_start_matches('/'))
    }

    /// The certificates this machine trusts, as one PEM file, where there is one.
    pub fn certificates(&self) -> Option<PathBuf> {
        let named = ["SSL_CERT_FILE", "PIP_CERT"]
            .iter()
            .filter_map(|name| self.variable(name))
            .map(PathBuf::from);
        let usual = [
            "etc/ssl/certs/ca-certificates.crt",
            "etc/pki/tls/certs/ca-bundle.crt",
            "etc/ssl/cert.pem",
        ]
        .iter()
        .map(|path| self.system_path(path));
        named.chain(usual).find(|path| path.is_file())
    }

    /// Proxy variables for a step that fetches, in both spellings that programs read.
    pub(crate) fn proxy_environment(&self) -> Vec<(String, String)> {
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]
            .iter()
            .filter_map(|name| Some((*name, self.variable(name)?)))
            .flat_map(|(name, value)| {
                [
                    (name.to_string(), value.to_string()),
                    (name.to_ascii_lowercase(), value.to_string()),
                ]
            })
            .collect()
    }
}

/// An address that may carry a user name and a password, which are never shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RegistryUrl(String);

impl RegistryUrl {
    /// Takes an address; a missing `https://` is not guessed.
    pub fn new(url: &str) -> Option<Self> {
        let trimmed = url.trim().trim_end_matches('/');
        let known = trimmed.starts_with("https://") || trimmed.starts_with("http://");
        known.then(|| Self(trimmed.to_string()))
    }

    /// The whole address, credentials included: for requests and for the clients themselves.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The address of something below.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}/{}", self.0, path.trim_start_matches('/'))
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&without_credentials(&self.0))
    }
}

impl fmt::Debug for RegistryUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// An address without the `user:password@` it may carry.
pub(crate) fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_string();
    };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}{path}")
}

/// No place on this machine says where a registry is.
#[derive(Debug, Error)]
#[error("cannot tell where the {registry} is; tried {}", tried.join(", "))]
pub struct UnknownRegistry {
    /// What was looked for: `Python package index`.
    pub registry: &'static str,
    /// The variable that settles it.
    pub variable: &'static str,
    /// Every place that was tried, in order, each with why it gave nothing.
    pub tried: Vec<String>,
}

/// The first address that a chain of places gives, and where it was found.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    registry: &'static str,
    variable: &'static str,
    tried: Vec<String>,
    found: Option<(RegistryUrl, String)>,
}

impl Search {
    pub(crate) fn new(registry: &'static str, variable: &'static str) -> Self {
        Self {
            registry,
            variable,
            tried: Vec::new(),
            found: None,
        }
    }

    /// Asks one place, unless an earlier one has answered.
    pub(crate) fn ask(&mut self, place: &str, answer: impl FnOnce() -> Result<String, String>) {
        if self.found.is_some() {
            return;
        }
        match answer() {
            Ok(url) => match RegistryUrl::new(&url) {
                Some(url) => self.found = Some((url, place.to_string())),
                None => self
                    .tried
                    .push(format!("{place} (`{url}` is not an http address)")),
            },
            Err(why) => self.tried.push(format!("{place} ({why})")),
        }
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.found.is_some()
    }

    pub(crate) fn finish(self) -> Result<(RegistryUrl, String), UnknownRegistry> {
        self.found.ok_or(UnknownRegistry {
            registry: self.registry,
            variable: self.variable,
            tried: self.tried,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let url = RegistryUrl::new("https://anna:secret@index.example/simple/").unwrap();
        assert_eq!(url.to_string(), "https://index.example/simple");
        assert_eq!(format!("{url:?}"), "https://index.example/simple");
        assert_eq!(url.expose(), "https://anna:secret@index.example/simple");
    }

    #[test]
    fn the_first_place_that_answers_wins_and_a_failed_search_lists_all() {
        let mut search = Search::new("test registry", "TEST_URL");
        search.ask("first", || Err("unset".into()));
        search.ask("second", || Ok("ftp://x".into()));
        let failed = search.clone().finish().unwrap_err();
        assert_eq!(
            failed.to_string(),
            "cannot tell where the test registry is; tried first (unset), \
             second (`ftp://x` is not an http address)"
        );
        search.ask("third", || Ok("http://one.example/".into()));
        search.ask("fourth", || Ok("http://two.example".into()));
        let (url, place) = search.finish().unwrap();
        assert_eq!(
            (url.expose(), place.as_str()),
            ("http://one.example", "third")
        );
    }

    #[test]
    fn proxies_are_handed_on_in_both_spellings() {
        let settings = ClientSettings {
            variables: BTreeMap::from([("https_proxy".into(), "http://proxy.example:3128".into())]),
            ..ClientSettings::default()
        };
        let names: Vec<String> = settings
            .proxy_environment()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["HTTPS_PROXY", "https_proxy"]);
    }
}
