//! Variables of a build: `ARG`, `ENV`, and those that are there without being declared.

use std::collections::BTreeMap;

use plimsoll_diag::Spanned;
use plimsoll_model::dockerfile::{Argument, ExpandError, Quoting, expand};

use super::DockerfileError;
use crate::oci::Architecture;

/// Arguments that a `RUN` sees undeclared and that do not count as its input.
const PROXIES: [&str; 5] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
];

/// What the caller gives a build, and what a build is told of itself.
#[derive(Debug, Clone)]
pub(super) struct Given {
    /// `--build-arg`.
    pub(super) arguments: BTreeMap<String, String>,
    /// `TARGETPLATFORM` and its like.
    platform: BTreeMap<String, String>,
}

impl Given {
    pub(super) fn new(
        arguments: BTreeMap<String, String>,
        target: Architecture,
        host: Architecture,
        stage: &str,
    ) -> Self {
        let mut platform = BTreeMap::new();
        for (prefix, architecture) in [("TARGET", target), ("BUILD", host)] {
            let name = architecture.name();
            platform.insert(format!("{prefix}PLATFORM"), format!("linux/{name}"));
            platform.insert(format!("{prefix}OS"), "linux".to_owned());
            platform.insert(format!("{prefix}ARCH"), name.to_owned());
            platform.insert(format!("{prefix}VARIANT"), String::new());
        }
        platform.insert("TARGETSTAGE".to_owned(), stage.to_owned());
        Self {
            arguments,
            platform,
        }
    }

    /// What an argument is when it is declared: given, or the default of its kind.
    fn value(&self, name: &str) -> Option<String> {
        self.arguments
            .get(name)
            .or_else(|| self.platform.get(name))
            .cloned()
    }

    /// Proxies that were given.
    pub(super) fn proxies(&self) -> Vec<(String, String)> {
        self.arguments
            .iter()
            .filter(|(name, _)| PROXIES.iter().any(|known| name.eq_ignore_ascii_case(known)))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

/// The variables at one point of a stage.
#[derive(Debug, Clone)]
pub(super) struct Variables {
    pub(super) escape: char,
    /// Arguments in the order of their declaration.
    pub(super) arguments: Vec<(String, String)>,
    /// `ENV`, in order.
    pub(super) environment: Vec<(String, String)>,
}

impl Variables {
    pub(super) fn new(escape: char, environment: Vec<(String, String)>) -> Self {
        Self {
            escape,
            arguments: Vec::new(),
            environment,
        }
    }

    /// The arguments before the first `FROM`, which only `FROM` sees.
    pub(super) fn of_head(
        escape: char,
        declared: &[&Argument],
        given: &Given,
    ) -> Result<Self, DockerfileError> {
        let mut variables = Self::new(escape, Vec::new());
        variables
            .arguments
            .extend(given.platform.iter().map(|(n, v)| (n.clone(), v.clone())));
        for argument in declared {
            variables.declare(argument, given, None)?;
        }
        Ok(variables)
    }

    /// `ARG`: the given value, or the default, or what was declared before the first `FROM`.
    pub(super) fn declare(
        &mut self,
        argument: &Argument,
        given: &Given,
        head: Option<&Self>,
    ) -> Result<(), DockerfileError> {
        let name = self.expand(&argument.name)?;
        let default = argument
            .default
            .as_ref()
            .map(|default| self.expand(default))
            .transpose()?;
        let of_head = || {
            let head = head?.arguments.iter().find(|(known, _)| *known == name)?;
            Some(head.1.clone())
        };
        let given = given.value(&name);
        if let Some(value) = given.or(default).or_else(of_head) {
            set(&mut self.arguments, name, value);
        }
        Ok(())
    }

    /// `ENV`.
    pub(super) fn set(&mut self, name: String, value: String) {
        set(&mut self.environment, name, value);
    }

    /// The value of a name: `ENV` hides `ARG`.
    pub(super) fn lookup(&self, name: &str) -> Option<String> {
        let of = |list: &[(String, String)]| {
            list.iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        };
        of(&self.environment).or_else(|| of(&self.arguments))
    }

    /// A word with its values, without its quotes.
    pub(super) fn expand(&self, word: &Spanned<String>) -> Result<String, DockerfileError> {
        self.expand_with(word, Quoting::Removed)
    }

    /// The same, quotes as wanted.
    pub(super) fn expand_with(
        &self,
        word: &Spanned<String>,
        quoting: Quoting,
    ) -> Result<String, DockerfileError> {
        expand(&word.value, self.escape, quoting, &|name| self.lookup(name))
            .map_err(|error: ExpandError| DockerfileError::at(word.span.clone(), error.to_string()))
    }

    /// What a command's environment is: arguments, then `ENV`.
    pub(super) fn of_command(&self) -> Vec<(String, String)> {
        let hidden = |name: &str| self.environment.iter().any(|(known, _)| known == name);
        self.arguments
            .iter()
            .filter(|(name, _)| !hidden(name))
            .chain(&self.environment)
            .cloned()
            .collect()
    }
}

fn set(list: &mut Vec<(String, String)>, name: String, value: String) {
    match list.iter_mut().find(|(known, _)| *known == name) {
        Some(entry) => entry.1 = value,
        None => list.push((name, value)),
    }
}
