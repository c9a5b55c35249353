//! The help that services need, for a project with a Compose file: what that file would have to say,
//! in standard keys, so that whoever starts the stack has it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_detect::{Detection, Help, Shim};
use plimsoll_model::yaml::{Key, Map, Node, Tag, Value};
use plimsoll_model::{Build, Project, Service};

use super::compose_file::help_line;
use super::overlay::Stated;
use super::service_entry;

/// Where an image that is assembled keeps its source.
const IMAGE_ROOT: &str = "/app";

/// What is added, by service, each with the lines that tell why.
#[derive(Default)]
pub(super) struct Additions {
    entries: BTreeMap<String, (Map, Vec<String>)>,
}

impl Additions {
    /// What the help of a detection comes to.
    pub(super) fn of(of: &Stated<'_>, detection: &Detection) -> Self {
        let mut additions = Self::default();
        for shim in &detection.shims {
            for service in named(of.completed, &shim.service) {
                let Some(stated) = of.stated.services.get(&service.name) else {
                    continue;
                };
                additions.add(of, shim, service, stated);
            }
        }
        additions
    }

    /// What is added to a service, and why; services that do not exist are left.
    pub(super) fn take(&mut self, service: &str) -> (Map, Vec<String>) {
        self.entries.remove(service).unwrap_or_default()
    }

    /// Services that are new.
    pub(super) fn rest(self) -> impl Iterator<Item = (String, (Map, Vec<String>))> {
        self.entries.into_iter()
    }

    fn add(&mut self, of: &Stated<'_>, shim: &Shim, service: &Service, stated: &Service) {
        let helped = match &shim.help {
            Help::ModulePath { path } => self.module_path(of.stated, path, service, stated),
            Help::Peer { variable, value } => {
                let value = led(of.completed, value);
                let is_local =
                    |text: &str| text.contains("localhost") || text.contains("127.0.0.1");
                let known = stated.environment.get(variable).map(|known| &known.value);
                let is_led =
                    known.is_some_and(|known| known.as_ref().is_none_or(|known| !is_local(known)));
                !is_led && self.variable(&service.name, variable, &value)
            }
            Help::SharedNetwork { with } => {
                let owner = named(of.completed, with)
                    .next()
                    .map(|owner| owner.name.clone());
                owner.is_some_and(|owner| self.shared_network(of.stated, service, stated, &owner))
            }
            Help::InitJob { command, .. } => {
                !makes_tables(of.stated) && self.init_job(of.stated, service, command)
            }
            Help::OwnTables { command } => {
                !makes_tables(of.stated) && self.own_tables(service, command)
            }
            Help::SharedSecret { variable, .. } => {
                let is_given = stated.environment.contains_key(variable);
                let value = format!("${{{variable}:?set it in .env}}");
                !is_given && self.variable(&service.name, variable, &value)
            }
        };
        if helped {
            let shim = &renamed(of.completed, shim, service);
            let (_, lines) = self.entries.entry(service.name.clone()).or_default();
            lines.push(help_line(shim));
        }
    }

    fn entry(&mut self, service: &str) -> &mut Map {
        &mut self.entries.entry(service.to_owned()).or_default().0
    }

    fn variable(&mut self, service: &str, name: &str, value: &str) -> bool {
        let entry = self.entry(service);
        let mut variables = match entry.get("environment").map(|node| &node.value) {
            Some(Value::Map(known)) => known.clone(),
            _ => Map::new(),
        };
        variables.insert(name, Node::made(value.to_owned()));
        entry.insert("environment", Node::made(variables));
        true
    }

    /// Directories that are searched for modules: where the Dockerfile copies them, or mounted.
    fn module_path(
        &mut self,
        project: &Project,
        path: &str,
        service: &Service,
        stated: &Service,
    ) -> bool {
        let Some(build) = &stated.build else {
            return false;
        };
        let dockerfile = dockerfile(build);
        let is_set = stated.environment.contains_key("PYTHONPATH")
            || dockerfile
                .as_ref()
                .is_some_and(|text| text.contains("PYTHONPATH"));
        let recipe = service.recipe.as_ref();
        let Some(context) = recipe.map(|recipe| &recipe.context).filter(|_| !is_set) else {
            return false;
        };
        let mut paths = Vec::new();
        let mut mounts = Vec::new();
        for searched in path.split(':') {
            let Ok(inside) = Path::new(searched).strip_prefix(IMAGE_ROOT) else {
                continue;
            };
            let host = context.join(inside);
            let copied = dockerfile
                .as_ref()
                .and_then(|text| copied_to(text, host.strip_prefix(&build.context.value).ok()?));
            let Ok(shown) = host.strip_prefix(&project.directory) else {
                continue;
            };
            match copied {
                Some(copied) => paths.push(copied.display().to_string()),
                None if shown.as_os_str().is_empty() => {}
                None => {
                    let target = format!("/opt/{}", shown.display());
                    mounts.push(format!("./{}:{target}:ro", shown.display()));
                    paths.push(target);
                }
            }
        }
        if paths.is_empty() {
            return false;
        }
        if !mounts.is_empty() {
            let mounts = mounts.into_iter().map(Node::made).collect::<Vec<_>>();
            self.entry(&service.name)
                .insert("volumes", Node::made(mounts));
        }
        self.variable(&service.name, "PYTHONPATH", &paths.join(":"))
    }

    /// One network for both: the other service publishes what this one does.
    fn shared_network(
        &mut self,
        project: &Project,
        service: &Service,
        stated: &Service,
        owner: &str,
    ) -> bool {
        if owner == service.name || stated.network_mode.is_some() {
            return false;
        }
        let entry = self.entry(&service.name);
        entry.insert("network_mode", Node::made(format!("service:{owner}")));
        entry.insert("networks", forgotten(Value::Null));
        entry.insert("ports", forgotten(Value::List(Vec::new())));
        entry.insert("hostname", forgotten(Value::Null));
        if project.services.contains_key(owner) && !stated.ports.is_empty() {
            let ports = stated.ports.iter();
            let ports: Vec<Node> = ports
                .map(|port| Node::made(service_entry::port(&port.value)))
                .collect();
            self.entry(owner).insert("ports", Node::made(ports));
        }
        true
    }

    /// A service of its own that makes the tables, and that this one waits for.
    fn own_tables(&mut self, service: &Service, command: &[String]) -> bool {
        let entry = self.entry(&service.name);
        entry.insert("post_start", Node::made(tables_hook(command)));
        true
    }

    fn init_job(&mut self, project: &Project, service: &Service, command: &[String]) -> bool {
        let Some(file) = project.files.first() else {
            return false;
        };
        let file = file.strip_prefix(&project.directory).unwrap_or(file);
        let name = job_name(service);
        let from = map([
            ("file", file.display().to_string().into()),
            ("service", service.name.clone().into()),
        ]);
        // What it runs may need the same.
        let own = self.entry(&service.name);
        let shared: Vec<(&str, Node)> = ["volumes", "environment"]
            .into_iter()
            .filter_map(|key| Some((key, own.get(key)?.clone())))
            .collect();
        let job = self.entry(&name);
        job.insert("extends", Node::made(from));
        job.insert("command", Node::made(service_entry::list(command)));
        for (key, node) in shared {
            job.insert(key, node);
        }
        job.insert("restart", Node::made("no"));
        job.insert("container_name", forgotten(Value::Null));
        job.insert("ports", forgotten(Value::List(Vec::new())));
        let disabled = map([("disable", true.into())]);
        job.insert("healthcheck", Node::made(disabled));
        let condition = map([(
            "condition",
            "service_completed_successfully".to_owned().into(),
        )]);
        let waits = map([(name.as_str(), Value::Map(condition))]);
        self.entry(&service.name)
            .insert("depends_on", Node::made(waits));
        true
    }
}

/// What makes the tables of a database in a file once the container runs.
fn tables_hook(command: &[String]) -> Value {
    let hook = map([("command", service_entry::list(command))]);
    Value::List(vec![Node::made(hook)])
}

/// What the job is called that makes a service's tables.
fn job_name(service: &Service) -> String {
    format!("{}-tables", service.name)
}

fn map<const N: usize>(pairs: [(&str, Value); N]) -> Map {
    let pairs = pairs.into_iter();
    pairs
        .map(|(key, value)| (Key::made(key), Node::made(value)))
        .collect()
}

/// A value that makes what earlier files say forgotten.
fn forgotten(value: Value) -> Node {
    Node {
        tag: Some(Tag::Reset),
        ..Node::made(value)
    }
}

/// The services of the project that a detected service is.
fn named<'p>(project: &'p Project, detected: &'p str) -> impl Iterator<Item = &'p Service> {
    project.services.values().filter(move |service| {
        service.build.is_some() && service.facts.found_as.as_deref() == Some(detected)
    })
}

/// Help in the names of the project's own services.
fn renamed(project: &Project, shim: &Shim, service: &Service) -> Shim {
    let name = |detected: &String| {
        let own = named(project, detected).next();
        own.map_or_else(|| detected.clone(), |own| own.name.clone())
    };
    let help = match &shim.help {
        Help::SharedNetwork { with } => Help::SharedNetwork { with: name(with) },
        Help::InitJob { command, .. } => Help::InitJob {
            name: job_name(service),
            command: command.clone(),
        },
        Help::OwnTables { command } => Help::OwnTables {
            command: command.clone(),
        },
        Help::Peer { variable, value } => Help::Peer {
            variable: variable.clone(),
            value: led(project, value),
        },
        Help::SharedSecret { variable, with } => Help::SharedSecret {
            variable: variable.clone(),
            with: with.iter().map(name).collect(),
        },
        Help::ModulePath { path } => Help::ModulePath { path: path.clone() },
    };
    Shim {
        service: service.name.clone(),
        help,
        ..shim.clone()
    }
}

/// An address with the names of the project's own services.
fn led(project: &Project, address: &str) -> String {
    let mut services = project.services.values();
    let renamed = services.find_map(|service| {
        let found_as = service.facts.found_as.as_deref()?;
        let (before, after) = address.split_once(&format!("//{found_as}:"))?;
        Some(format!("{before}//{}:{after}", service.name))
    });
    renamed.unwrap_or_else(|| address.to_owned())
}

/// Whether something that the project's files start says that it makes the tables.
fn makes_tables(project: &Project) -> bool {
    let says = |text: &str| text.contains("alembic") || text.contains("migrate");
    project.services.values().any(|service| {
        let words = service.entrypoint.iter().chain(&service.command);
        let by_command = words
            .flat_map(|command| &command.value.0)
            .any(|word| says(word));
        let text = service.build.as_ref().and_then(dockerfile);
        by_command || text.is_some_and(|text| says(&text))
    })
}

/// The text of the Dockerfile that a build names.
fn dockerfile(build: &Build) -> Option<String> {
    let name = build.dockerfile.as_ref().map_or("Dockerfile", |name| name);
    fs_err::read_to_string(build.context.value.join(name)).ok()
}

/// Where the last stage of a Dockerfile copies a directory of its context.
fn copied_to(text: &str, directory: &Path) -> Option<PathBuf> {
    let mut work = PathBuf::from("/");
    let mut found = None;
    for line in text.replace("\\\n", " ").lines() {
        let mut words = line.split_whitespace();
        match words.next().map(str::to_ascii_uppercase).as_deref() {
            Some("FROM") => {
                work = PathBuf::from("/");
                found = None;
            }
            Some("WORKDIR") => work.push(words.next().unwrap_or_default()),
            Some("COPY") => {
                let words: Vec<&str> = words.collect();
                if words.iter().any(|word| word.starts_with("--from")) {
                    continue;
                }
                let paths = words.iter().filter(|word| !word.starts_with("--"));
                let paths: Vec<&&str> = paths.collect();
                let Some((target, sources)) = paths.split_last() else {
                    continue;
                };
                for source in sources {
                    let source = source.trim_start_matches("./").trim_end_matches('/');
                    let source = if source == "." { "" } else { source };
                    if let Ok(rest) = directory.strip_prefix(source) {
                        let place = work.join(target);
                        let parts = place.join(rest);
                        found = Some(
                            parts
                                .components()
                                .filter(|part| part.as_os_str() != ".")
                                .collect(),
                        );
                    }
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_where_the_last_stage_copies_it() {
        let at = |text: &str, directory: &str| {
            copied_to(text, Path::new(directory)).map(|path| path.display().to_string())
        };
        let whole = "FROM a AS b\nCOPY . /x\nFROM c\nWORKDIR /srv/app\nCOPY --chown=1 . .\n";
        assert_eq!(at(whole, "sdk").as_deref(), Some("/srv/app/sdk"));
        assert_eq!(at(whole, "").as_deref(), Some("/srv/app"));
        let part = "FROM c\nCOPY requirements.txt ./sdk/ /lib/\n";
        assert_eq!(at(part, "sdk/src").as_deref(), Some("/lib/src"));
        assert_eq!(at(part, "other"), None);
        assert_eq!(at("FROM c\nCOPY --from=b . .\n", "sdk"), None);
    }
}
