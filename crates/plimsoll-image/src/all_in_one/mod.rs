//! One image of several services: the layers of their images as those of one, and a supervisor as
//! its first process.
//!
//! The supervisor is a static program that [`supervisor.c`](supervisor.c) says; it starts services
//! in order of their health, names their lines, starts them again, hands on signals, and ends when
//! one ends that must not. Nothing here decides which services are joined.

mod plan;
mod union;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use plimsoll_diag::{Diagnostic, ProgressEvent};
use plimsoll_model::{DependencyCondition, Healthcheck, Restart};
use thiserror::Error;

pub use union::Clash;

use crate::builder::{BuildError, Builder, BuiltImage, BuiltLayer};
use crate::compiled::{CProgram, CProgramError, Target};
use crate::digest::Digest;
use crate::layer::{Attributes, FileSet, FileSetError};
use crate::oci::{Architecture, Healthcheck as ImageHealthcheck, ImageConfig};
use crate::provenance;
use crate::store::{Image, ImageLayer, NewImage, StoreError};
use crate::variant::Variant;
use crate::workshop::{Memory, Workshop};

/// Where the supervisor is in the image.
const PLACE: &str = "/usr/bin/plimsoll-supervisor";

/// Where it finds its plan.
const PLAN: &str = "etc/plimsoll/services";

/// How many services it can look after.
const MOST_MEMBERS: usize = 64;

/// Changes whenever the same source comes out otherwise.
const RULES: &str = "supervisor 1";

/// The supervisor.
const SUPERVISOR: CProgram = CProgram {
    name: "supervisor",
    source: include_str!("supervisor.c"),
    flags: &["-static", "-Os", "-std=gnu11", "-s", "-Wl,--build-id=none"],
};

/// A service of the image.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it runs from.
    pub image: &'a Image,
    /// What it runs instead of its image's entry point.
    pub entrypoint: Option<Vec<String>>,
    /// What it runs instead of its image's command.
    pub command: Option<Vec<String>>,
    /// Where it starts, if not where its image says.
    pub working_dir: Option<String>,
    /// Variables over those of its image. What the container is given counts more.
    pub environment: BTreeMap<String, String>,
    /// TCP ports that it listens on.
    pub ports: Vec<u16>,
    /// Which members come first, and what must hold of them.
    pub after: Vec<(String, DependencyCondition)>,
    /// Whether it starts again when it ends. One that does not ends the container.
    pub restart: Restart,
    /// How to tell whether it is well.
    pub health: Option<&'a Healthcheck>,
    /// What asks it to end, if not what its image says.
    pub stop_signal: Option<String>,
    /// How long it may take to end.
    pub grace: Option<Duration>,
}

/// An image to make.
#[derive(Debug, Clone)]
pub struct AllInOneRequest<'a> {
    /// The name the image gets.
    pub reference: &'a str,
    /// Its services, those that others wait for first.
    pub members: &'a [Member<'a>],
    /// The processor it is for.
    pub architecture: Architecture,
    /// Whether what earlier builds made counts.
    pub memory: Memory,
}

/// Services cannot be joined.
#[derive(Debug, Error)]
pub enum AllInOneError {
    /// There are none.
    #[error("there is no service to put into one image")]
    Empty,
    /// There are more than the supervisor can look after.
    #[error("{0} services are too many for one image: it can hold {MOST_MEMBERS}")]
    TooMany(usize),
    /// Two listen on one port.
    #[error("`{}` and `{}` both listen on port {port}", services[0], services[1])]
    Port {
        /// The port.
        port: u16,
        /// Who.
        services: [String; 2],
    },
    /// They run as different users.
    #[error(
        "`{}` runs as `{}` and `{}` as `{}`: one image has one user",
        services[0], users[0], services[1], users[1]
    )]
    User {
        /// The users.
        users: [String; 2],
        /// Whose they are.
        services: [String; 2],
    },
    /// They need different versions of Python.
    #[error(
        "`{}` needs Python {} and `{}` Python {}: one image holds one",
        services[0], versions[0], services[1], versions[1]
    )]
    Pythons {
        /// The versions.
        versions: [String; 2],
        /// Who needs them.
        services: [String; 2],
    },
    /// They have different files at one place.
    #[error("`{}` and `{}` bring {}{}", clash.first, clash.second, clash.reason(), more_clashes(*more))]
    Clash {
        /// What explains most.
        clash: Clash,
        /// How many there are besides.
        more: usize,
    },
    /// What is in an image is not known part by part.
    #[error("`{service}` is built by a Dockerfile, and only assembled images can be joined")]
    Foreign {
        /// Whose image.
        service: String,
    },
    /// A part of the store is not what it was.
    #[error("the part {0} of a layer is damaged")]
    Damaged(Digest),
    /// The supervisor cannot be had.
    #[error(transparent)]
    Supervisor(#[from] CProgramError),
    /// Its layer cannot be put together.
    #[error(transparent)]
    Files(#[from] FileSetError),
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The image cannot be finished.
    #[error(transparent)]
    Build(#[from] Box<BuildError>),
}

fn more_clashes(more: usize) -> String {
    match more {
        0 => String::new(),
        more => format!(", and {more} more"),
    }
}

impl AllInOneError {
    /// The error with what to do about it.
    pub fn diagnostic(&self) -> Diagnostic {
        let told = Diagnostic::error(self.to_string());
        match self {
            Self::Port { services, .. } => told.hint(format!(
                "give `{}` another one, in `environment: PORT:` for example",
                services[1]
            )),
            Self::Pythons { .. } => told.hint("let both allow one version: `requires-python`"),
            Self::Clash { clash, .. } => match clash.is_of_a_package() {
                true => told.hint("one lock file for both gives them one version"),
                false => told.hint(
                    "what several services share has one build context, with a directory for each",
                ),
            },
            Self::Foreign { .. } => told.hint("`--native` assembles it"),
            Self::Build(error) => error.diagnostic(),
            _ => told,
        }
    }
}

impl Builder<'_> {
    /// Joins images of services into one and gives it its name.
    ///
    /// # Errors
    /// When they cannot stand beside each other, or a part cannot be made; nothing is named then.
    pub fn join(&self, request: &AllInOneRequest<'_>) -> Result<BuiltImage, AllInOneError> {
        let started = Instant::now();
        let subject = "all-in-one";
        let workshop = self.workshop(
            subject,
            request.architecture,
            request.memory,
            Variant::Production,
        );
        let made = self.joined(&workshop, request);
        self.report(ProgressEvent::Finished {
            subject: subject.to_string(),
        });
        let (image, layers) = made?;
        let findings = self
            .audited(request.architecture, &image.config, &layers)
            .map_err(Box::new)?;
        Ok(BuiltImage {
            image,
            outcome: workshop.outcome(),
            duration: started.elapsed(),
            layers: layers.iter().map(BuiltLayer::from).collect(),
            findings,
        })
    }

    fn joined(
        &self,
        workshop: &Workshop<'_>,
        request: &AllInOneRequest<'_>,
    ) -> Result<(Image, Vec<ImageLayer>), AllInOneError> {
        let members = request.members;
        check(members)?;
        let mut layers = union::layers(self.store(), members)?;
        layers.push(supervisor(workshop)?);
        let mut files = FileSet::new();
        let plan = plan::plan(members);
        let key = format!("{RULES} plan {}", Digest::of(plan.as_bytes()));
        files.file(PLAN, Attributes::FILE, plan.into_bytes())?;
        let segment = self.store().put_segment(&key, &files)?;
        layers.push(ImageLayer {
            layer: self.store().commit_layer(&[segment])?,
            created_by: "plan of the services".to_string(),
        });
        let config = config(members);
        let image = self.store().put_image(&NewImage {
            reference: request.reference,
            architecture: request.architecture,
            config: &config,
            layers: &layers,
            annotations: BTreeMap::new(),
        })?;
        let mut materials = std::collections::BTreeSet::new();
        for member in members {
            materials.extend(provenance::materials_of(self.store(), member.image));
        }
        materials.extend(workshop.noted_materials());
        provenance::remember_materials(self.store(), &image, &materials)?;
        Ok((image, layers))
    }
}

/// The layer of the supervisor.
fn supervisor(workshop: &Workshop<'_>) -> Result<ImageLayer, AllInOneError> {
    let target = Target::Musl(workshop.architecture);
    let key = format!("{RULES} {}", SUPERVISOR.identity(target));
    let layers = workshop.layers(&key, || {
        let mut files = FileSet::new();
        let program = SUPERVISOR.compile(workshop, target)?;
        files.file(PLACE.trim_start_matches('/'), Attributes::PROGRAM, program)?;
        let segment = workshop.store.put_segment(&key, &files)?;
        Ok::<_, AllInOneError>(vec![ImageLayer {
            layer: workshop.store.commit_layer(&[segment])?,
            created_by: "supervisor".to_string(),
        }])
    })?;
    let layer = layers.into_iter().next();
    layer.ok_or_else(|| AllInOneError::Damaged(Digest::of(key.as_bytes())))
}

/// What can be said before any file is looked at.
fn check(members: &[Member<'_>]) -> Result<(), AllInOneError> {
    let Some(first) = members.first() else {
        return Err(AllInOneError::Empty);
    };
    if members.len() > MOST_MEMBERS {
        return Err(AllInOneError::TooMany(members.len()));
    }
    let mut ports: BTreeMap<u16, &str> = BTreeMap::new();
    for member in members {
        for &port in &member.ports {
            if let Some(other) = ports.insert(port, member.name) {
                return Err(AllInOneError::Port {
                    port,
                    services: [other.to_string(), member.name.to_string()],
                });
            }
        }
        let users = [&first.image.config.user, &member.image.config.user];
        if users[0] != users[1] {
            return Err(AllInOneError::User {
                users: users.map(Clone::clone),
                services: [first.name, member.name].map(str::to_string),
            });
        }
    }
    Ok(())
}

/// How the image starts.
fn config(members: &[Member<'_>]) -> ImageConfig {
    let mut search: Vec<&str> = Vec::new();
    for member in members {
        let variables = member.image.config.environment.iter();
        for (_, value) in variables.filter(|(name, _)| name == "PATH") {
            for directory in value.split(':') {
                if !search.contains(&directory) {
                    search.push(directory);
                }
            }
        }
    }
    let checked = members
        .iter()
        .any(|member| member.health.is_some_and(plan::is_checked));
    let ports = members.iter().flat_map(|member| &member.ports);
    ImageConfig {
        user: members
            .first()
            .map(|member| member.image.config.user.clone())
            .unwrap_or_default(),
        environment: vec![("PATH".to_string(), search.join(":"))],
        entrypoint: vec![PLACE.to_string()],
        working_dir: "/".to_string(),
        exposed_ports: ports.map(|port| format!("{port}/tcp")).collect(),
        volumes: members
            .iter()
            .flat_map(|member| member.image.config.volumes.iter().cloned())
            .collect(),
        healthcheck: checked.then(|| ImageHealthcheck {
            test: ["CMD", PLACE, "healthy"].map(str::to_string).to_vec(),
            interval: Some(Duration::from_secs(10)),
            timeout: Some(Duration::from_secs(5)),
            retries: Some(3),
            start_period: Some(Duration::from_secs(60)),
            ..ImageHealthcheck::default()
        }),
        ..ImageConfig::default()
    }
}
