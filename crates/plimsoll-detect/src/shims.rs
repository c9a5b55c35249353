//! The smallest help without which a project does not run in containers, proposed and told, never written into the
//! project's own sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Evidence, Span};
use plimsoll_model::facts::as_places;
use serde::{Deserialize, Serialize};

use crate::detection::{DetectedService, Detection, NeedKind, ServiceKind};
use crate::document::Item;
use crate::places;
use crate::python::{Calls, Peer};
use crate::tree::{Question, Tree};
use crate::trial::Verdict;

/// Help that a service needs to run in a container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shim {
    /// Who is helped.
    pub service: String,
    /// How.
    #[serde(flatten)]
    pub help: Help,
    /// Why it is needed.
    #[serde(serialize_with = "as_places")]
    pub evidence: Vec<Evidence>,
    /// Whether the service works with it, where that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Verdict>,
}

/// A way to help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "help", rename_all = "kebab-case")]
pub enum Help {
    /// Directories that are searched for modules, inside of its image.
    ModulePath {
        /// The value of `PYTHONPATH`.
        path: String,
    },
    /// A variable that leads it to another service of the project.
    Peer {
        /// The variable.
        variable: String,
        /// What it is set to.
        value: String,
    },
    /// It shares the network of another service, whose fixed address on `localhost` it calls.
    SharedNetwork {
        /// The other service.
        with: String,
    },
    /// A command that runs before it, once, to completion: it makes the tables.
    InitJob {
        /// A name for it.
        name: String,
        /// The command, in exec form.
        command: Vec<String>,
    },
    /// A command that runs in its own container once that has started: it makes the tables of a
    /// database that is a file there.
    OwnTables {
        /// The command, in exec form.
        command: Vec<String>,
    },
    /// A secret that it must have in common with other services.
    SharedSecret {
        /// The variable.
        variable: String,
        /// The other services.
        with: Vec<String>,
    },
}

impl Shim {
    /// The help in a few words, and whether it is enough where that was tried.
    pub fn words(&self) -> String {
        let words = self.help_words();
        match self.trial {
            Some(verdict) => format!("{words} ({})", verdict.word()),
            None => words,
        }
    }

    fn help_words(&self) -> String {
        match &self.help {
            Help::ModulePath { path } => format!("{} searches {path}", self.service),
            Help::Peer { variable, value } => {
                format!("{} gets {variable}={value}", self.service)
            }
            Help::SharedNetwork { with } => {
                format!("{} shares {with}'s network", self.service)
            }
            Help::InitJob { name, command } => {
                format!("{name} runs {} before {}", command.join(" "), self.service)
            }
            Help::OwnTables { command } => {
                format!(
                    "{} runs {} once it has started",
                    self.service,
                    command.join(" ")
                )
            }
            Help::SharedSecret { variable, with } => {
                format!("{} and {} share {variable}", self.service, with.join(", "))
            }
        }
    }
}

/// The help that the services of a detection need.
pub(crate) fn propose(tree: &Tree, detection: &Detection, calls: &[Calls]) -> Vec<Shim> {
    let mut shims = Vec::new();
    for service in &detection.services {
        shims.extend(module_path(service, calls));
    }
    shims.extend(peers(detection, calls));
    shims.extend(init_jobs(tree, detection));
    shims.extend(shared_secrets(detection));
    shims
}

fn calls_of<'c>(service: &DetectedService, calls: &'c [Calls]) -> Option<&'c Calls> {
    calls
        .iter()
        .find(|calls| calls.defined_at == service.defined_at)
}

fn module_path(service: &DetectedService, calls: &[Calls]) -> Option<Shim> {
    let also = &calls_of(service, calls)?.also_searched;
    let recipe = service.recipe.as_ref()?;
    let (_, path) = recipe
        .environment
        .iter()
        .find(|(name, _)| name == "PYTHONPATH")?;
    (!also.is_empty()).then(|| Shim {
        service: service.name.clone(),
        help: Help::ModulePath { path: path.clone() },
        trial: None,
        evidence: also
            .iter()
            .map(|(root, span)| {
                let shown = if root.as_os_str().is_empty() {
                    "the project's root"
                } else {
                    places::text(root)
                };
                Evidence::new(span.clone(), format!("imports what lies in {shown}"))
            })
            .collect(),
    })
}

fn peers(detection: &Detection, calls: &[Calls]) -> Vec<Shim> {
    let mut shims = Vec::new();
    let mut fixed: Vec<(&DetectedService, &DetectedService, &Peer)> = Vec::new();
    for service in detection.services.iter().filter(|one| one.kind.is_daemon()) {
        let Some(calls) = calls_of(service, calls) else {
            continue;
        };
        for peer in &calls.peers {
            if service.ports.contains(&peer.port) {
                continue;
            }
            let mut those = detection.services.iter().filter(|other| {
                matches!(other.kind, ServiceKind::Web | ServiceKind::McpHttp)
                    && other.ports.contains(&peer.port)
            });
            let (Some(other), None) = (those.next(), those.next()) else {
                continue;
            };
            match &peer.variable {
                Some(variable)
                    if shims.iter().any(|shim: &Shim| {
                        shim.service == service.name
                            && matches!(&shim.help, Help::Peer { variable: known, .. } if known == variable)
                    }) => {}
                Some(variable) => shims.push(Shim {
                    service: service.name.clone(),
                    help: Help::Peer {
                        variable: variable.clone(),
                        value: leading(&peer.address, &other.name),
                    },
                    trial: None,
                    evidence: vec![Evidence::new(
                        peer.span.clone(),
                        format!("`{}` is `{}` there", peer.address, other.name),
                    )],
                }),
                None => fixed.push((service, other, peer)),
            }
        }
    }
    shims.extend(shared_networks(&fixed));
    shims
}

/// `http://api:8000/x` for `http://localhost:8000/x`.
fn leading(address: &str, host: &str) -> String {
    ["localhost", "127.0.0.1", "0.0.0.0"]
        .iter()
        .find(|local| address.contains(**local))
        .map_or_else(
            || address.to_owned(),
            |local| address.replacen(local, host, 1),
        )
}

/// Services that call each other at fixed addresses of this machine share one network: that of the one with the most
/// such calls. Two that listen on the same port cannot.
fn shared_networks(fixed: &[(&DetectedService, &DetectedService, &Peer)]) -> Vec<Shim> {
    let mut degree: BTreeMap<&str, usize> = BTreeMap::new();
    for (one, other, _) in fixed {
        *degree.entry(&one.name).or_default() += 1;
        *degree.entry(&other.name).or_default() += 1;
    }
    let mut leaders: Vec<(&str, usize)> = degree.into_iter().collect();
    leaders.sort_by_key(|(name, links)| (std::cmp::Reverse(*links), *name));
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    let mut shims = Vec::new();
    for (leader, _) in leaders {
        if settled.contains(leader) {
            continue;
        }
        let mut ports: BTreeSet<u16> = fixed
            .iter()
            .flat_map(|(one, other, _)| [*one, *other])
            .filter(|service| service.name == leader)
            .flat_map(|service| service.ports.iter().copied())
            .collect();
        settled.insert(leader);
        for (one, other, peer) in fixed {
            let member = if one.name == leader {
                other
            } else if other.name == leader {
                one
            } else {
                continue;
            };
            let free = member.ports.iter().all(|port| !ports.contains(port));
            if settled.contains(member.name.as_str()) || !free {
                continue;
            }
            settled.insert(&member.name);
            ports.extend(&member.ports);
            shims.push(Shim {
                service: member.name.clone(),
                help: Help::SharedNetwork {
                    with: leader.to_owned(),
                },
                trial: None,
                evidence: vec![Evidence::new(
                    peer.span.clone(),
                    format!(
                        "`{}` calls `{}` at the fixed address `{}`",
                        one.name, other.name, peer.address
                    ),
                )],
            });
        }
    }
    shims
}

fn init_jobs(tree: &Tree, detection: &Detection) -> Vec<Shim> {
    let mut shims = Vec::new();
    for service in &detection.services {
        let python = service.language == "python" && service.kind == ServiceKind::Web;
        if !python || service.recipe.is_none() {
            continue;
        }
        let sql = service
            .needs
            .iter()
            .any(|kind| matches!(kind, NeedKind::Postgres | NeedKind::Mysql));
        let django = service.framework.as_deref() == Some("Django");
        let found = if django {
            nearby(tree, service, "manage.py").map(|file| {
                let seen = places::below(&file, &service.root);
                let command = ["python", places::text(&seen), "migrate", "--noinput"];
                (
                    command.map(str::to_owned).to_vec(),
                    file,
                    "makes the tables of a Django project",
                )
            })
        } else if sql {
            nearby(tree, service, "alembic.ini")
                .filter(|_| !migrates_itself(tree, service))
                .filter(|_| !is_for_development(tree, service, "alembic"))
                .map(|file| {
                    let mut command =
                        vec!["python".to_owned(), "-m".to_owned(), "alembic".to_owned()];
                    let seen = places::below(&file, &service.root);
                    if seen != Path::new("alembic.ini") {
                        command.extend(["-c".to_owned(), places::text(&seen).to_owned()]);
                    }
                    command.extend(["upgrade".to_owned(), "head".to_owned()]);
                    (
                        command,
                        file,
                        "keeps the tables as migrations, which nothing in the code applies",
                    )
                })
        } else {
            None
        };
        let Some((command, file, why)) = found else {
            continue;
        };
        // One job for one set of tables.
        if shims.iter().any(|shim: &Shim| matches!(&shim.help, Help::InitJob { command: other, .. } if *other == command)) {
            continue;
        }
        // Another container would make them in a file that this one never sees.
        let embedded = !sql && service.writes.iter().any(|path| is_database(path));
        shims.push(Shim {
            service: service.name.clone(),
            help: if embedded {
                Help::OwnTables { command }
            } else {
                Help::InitJob {
                    name: format!("{}-tables", service.name),
                    command,
                }
            },
            trial: None,
            evidence: vec![Evidence::new(Span::line(tree.shown(&file), 1), why)],
        });
    }
    shims
}

/// Whether a file's name says that it is an embedded database.
fn is_database(path: &str) -> bool {
    [".sqlite3", ".sqlite", ".db"]
        .iter()
        .any(|end| path.ends_with(end))
}

/// A file in the directory of a service, or in one directly inside of it.
fn nearby(tree: &Tree, service: &DetectedService, name: &str) -> Option<PathBuf> {
    let own = service.root.join(name);
    if tree.has_file(&own) {
        return Some(own);
    }
    let depth = service.root.components().count() + 2;
    service
        .files
        .iter()
        .filter_map(|file| {
            file.ancestors()
                .skip(1)
                .find(|directory| directory.components().count() < depth)
                .map(|directory| directory.join(name))
        })
        .find(|path| path.starts_with(&service.root) && tree.has_file(path))
}

/// Whether the service applies its migrations when it starts.
fn migrates_itself(tree: &Tree, service: &DetectedService) -> bool {
    let words = ["alembic", "upgrade(", "upgrade head", "\"upgrade\""];
    let question = Arc::new(Question::Contains(words.map(str::to_owned).into()));
    service.files.iter().take(2_000).any(|file| {
        let answer = tree.answer(file, &question).unwrap_or_default();
        matches!(answer.as_slice(), [0, _, ..])
    })
}

/// Whether a service's manifest names a distribution among what its developers need, and nowhere else: its image
/// does not have it.
fn is_for_development(tree: &Tree, service: &DetectedService, distribution: &str) -> bool {
    let text = nearby(tree, service, "pyproject.toml").and_then(|path| tree.manifest(&path));
    let Some(manifest) = text.and_then(|text| Item::toml(&text).ok()) else {
        return false;
    };
    let named = |item: &Item| {
        let listed = item.list().iter().filter_map(Item::as_text);
        let keys = item.table().iter().map(|(name, _)| name.as_str());
        listed.chain(keys).any(|requirement| {
            let rest = requirement.strip_prefix(distribution);
            rest.is_some_and(|rest| {
                !rest.starts_with(|letter: char| letter.is_alphanumeric() || letter == '-')
            })
        })
    };
    let has = |path: &[&str]| manifest.get(path).is_some_and(named);
    let main = has(&["project", "dependencies"]) || has(&["tool", "poetry", "dependencies"]);
    let mut groups = manifest.entries(&["dependency-groups"]).iter();
    !main
        && (groups.any(|(_, group)| named(group))
            || has(&["tool", "uv", "dev-dependencies"])
            || has(&["tool", "poetry", "group", "dev", "dependencies"]))
}

/// Secrets that sign what another service checks.
const SIGNING: &[&str] = &[
    "JWT",
    "SIGNING",
    "SESSION",
    "AUTH_SECRET",
    "SECRET_KEY",
    "INTERNAL",
];

fn shared_secrets(detection: &Detection) -> Vec<Shim> {
    let mut shims = Vec::new();
    for variable in &detection.environment {
        let upper = variable.name.to_ascii_uppercase();
        if !variable.secret || !SIGNING.iter().any(|word| upper.contains(word)) {
            continue;
        }
        let mut daemons = variable.services.iter().filter(|name| {
            detection
                .service(name)
                .is_some_and(|service| service.kind.is_daemon())
        });
        let Some(first) = daemons.next() else {
            continue;
        };
        let with: Vec<String> = daemons.cloned().collect();
        if !with.is_empty() {
            shims.push(Shim {
                service: first.clone(),
                help: Help::SharedSecret {
                    variable: variable.name.clone(),
                    with,
                },
                trial: None,
                evidence: variable.evidence.iter().take(2).cloned().collect(),
            });
        }
    }
    shims
}
