//! What all pages know: the stack, the files that are rendered for it, how they are named in
//! commands.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Input, Role, Workload, compose, dockerfile, variable_files, workloads};

/// A project, as its documents tell of it.
pub(super) struct Guide<'a> {
    pub(super) input: &'a Input<'a>,
    pub(super) all: Vec<Workload<'a>>,
    /// The Compose file that others are laid over.
    pub(super) base: String,
    /// Compose files that are rendered.
    pub(super) compose: BTreeSet<String>,
    /// The text of the overlay for development.
    pub(super) development: String,
    /// The Dockerfiles that are rendered, by service.
    pub(super) dockerfiles: BTreeMap<&'a str, String>,
    /// Variables that Compose does not start without.
    pub(super) required: BTreeSet<String>,
}

impl<'a> Guide<'a> {
    pub(super) fn of(input: &'a Input<'a>) -> Self {
        let rendered = compose::render(input).files;
        let all = workloads(input);
        let has = dockerfile::render(input).files;
        let dockerfiles = all
            .iter()
            .filter_map(|one| Some((one.name(), dockerfile::path(one)?)))
            .filter(|(_, path)| has.contains_key(path))
            .collect();
        let production = ["compose.yaml", "compose.prod.yaml"];
        let required = production
            .iter()
            .filter_map(|name| rendered.get(*name))
            .flat_map(|file| required(&file.text))
            .collect();
        Self {
            input,
            all,
            base: compose::base_file(input),
            development: rendered
                .get("compose.dev.yaml")
                .map(|file| file.text.clone())
                .unwrap_or_default(),
            compose: rendered.into_keys().collect(),
            dockerfiles,
            required,
        }
    }

    pub(super) fn name(&self) -> &'a str {
        &self.input.project.name
    }

    /// `docker compose -f BASE -f OVERLAY …`.
    pub(super) fn command(&self, overlays: &[&str]) -> String {
        let mut command = format!("docker compose -f {}", self.base);
        for overlay in overlays {
            command.push_str(&format!(" -f compose.{overlay}.yaml"));
        }
        command
    }

    /// Services that answer on a port of this machine, with their address.
    pub(super) fn addresses(&self) -> Vec<(&'a str, String)> {
        self.all
            .iter()
            .filter_map(|one| {
                let main = one.main().filter(|main| main.http && one.is_daemon())?;
                let port = main.published.first()?;
                Some((one.name(), format!("http://127.0.0.1:{port}")))
            })
            .collect()
    }

    /// Services built from source.
    pub(super) fn built(&self) -> impl Iterator<Item = &Workload<'a>> {
        self.all
            .iter()
            .filter(|one| self.dockerfiles.contains_key(one.name()))
    }

    /// Services that keep data.
    pub(super) fn stores(&self) -> impl Iterator<Item = &Workload<'a>> {
        self.all.iter().filter(|one| one.store.is_some())
    }

    /// Services that speak to one client over standard input and output.
    pub(super) fn stdio(&self) -> impl Iterator<Item = &Workload<'a>> {
        self.all.iter().filter(|one| one.role == Role::Stdio)
    }

    /// A service to show a command with: one that is built, else any.
    pub(super) fn example(&self) -> &'a str {
        let built = self.built().find(|one| one.is_daemon());
        built
            .or_else(|| self.all.first())
            .map_or("SERVICE", Workload::name)
    }

    /// How the variables are set that must be, as a paragraph; nothing where none must be.
    pub(super) fn settings(&self) -> String {
        let mut text = String::new();
        let files = variable_files::needed(self.input);
        if !files.is_empty() {
            let names: Vec<String> = files
                .iter()
                .map(|file| format!("`{}`", file.path))
                .collect();
            let lines: Vec<String> = files.iter().map(|file| file.command()).collect();
            text.push_str(&format!(
                "Services read {}, which must be there and is not committed:\n\n{}\n",
                names.join(", "),
                fence(&lines)
            ));
        }
        if self.required.is_empty() {
            text.push_str("No variable has to be set. [environment.md](environment.md) has those that can be.\n");
            return text;
        }
        let names: Vec<String> = self
            .required
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        text.push_str(&format!(
            "{} must be set: in `.env` beside `{}`, which is not committed, or in the environment.\n\
             Passwords become parts of addresses: take letters and digits.\n\n{}",
            names.join(", "),
            self.base,
            fence(
                &self
                    .required
                    .iter()
                    .map(|name| format!("echo \"{name}=$(openssl rand -hex 16)\" >> .env"))
                    .collect::<Vec<_>>()
            )
        ));
        text
    }
}

/// A block of commands.
pub(super) fn fence<T: AsRef<str>>(lines: &[T]) -> String {
    let lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
    format!("```sh\n{}\n```\n", lines.join("\n"))
}

/// The variables that a Compose file refuses to go without, and those behind its secrets.
fn required(text: &str) -> BTreeSet<String> {
    let referred = text
        .split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once(":?"))
        .map(|(name, _)| name);
    let secrets = text
        .split("\nsecrets:")
        .nth(1)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.trim().strip_prefix("environment: "));
    referred
        .chain(secrets)
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_must_be_set_are_found() {
        let text = "a: ${ONE:?set it}\nb: ${TWO:-x}\nsecrets:\n  p:\n    environment: THREE\n";
        assert_eq!(required(text), ["ONE", "THREE"].map(str::to_owned).into());
    }
}
