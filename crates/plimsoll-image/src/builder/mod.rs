//! The one way in: from a recipe, or from a reference, to an image in the store.
//!
//! A [`Builder`] may be used from several threads at once; work that two images share is done
//! once. It prints nothing: what it does is told to a [`Progress`].

mod error;
mod obtain;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plimsoll_diag::{Diagnostic, Progress, ProgressEvent};
use plimsoll_model::settings::ScriptNetwork;
use plimsoll_model::{BuildRecipe, Healthcheck, RecipeKind};

pub use error::BuildError;
pub use obtain::{ObtainedImage, PullPolicy};

pub use crate::workshop::Memory;

use crate::Sandbox;
use crate::base::Debian;
use crate::clients::{ClientSettings, PackageFiles, Registries};
use crate::debian::{DebianSettings, PackageLookup, Suite};
use crate::dockerfile;
use crate::elf;
use crate::fetch::{FetchError, FetchSettings, Fetcher};
use crate::go;
use crate::node;
use crate::oci::{Architecture, ImageConfig};
use crate::probe;
use crate::project_lock::ProjectLock;
use crate::provenance;
use crate::python::{self, Bytecode, PythonOptions};
use crate::registry::{RegistryClient, RegistrySettings};
use crate::rust;
use crate::static_site;
use crate::step::scratch;
use crate::store::{Image, ImageLayer, NewImage, Store};
use crate::toolchain::Toolchains;
use crate::variant::{self, Adapted, Variant, adapted};
use crate::workshop::{KeyLocks, Workshop};

/// What a builder is set up with.
#[derive(Debug, Clone)]
pub struct BuilderSettings {
    /// Where downloads and unfinished work go.
    pub cache: PathBuf,
    /// How the package clients of this machine are configured.
    pub clients: ClientSettings,
    /// This machine's processor: what build steps run on, and what images are made for that say
    /// nothing else.
    pub architecture: Architecture,
    /// Where Debian packages come from.
    pub debian: DebianSettings,
    /// How registries of images are reached.
    pub registry: RegistrySettings,
    /// How the network is reached, and how hard to try.
    pub fetch: FetchSettings,
}

/// Makes and obtains images.
pub struct Builder<'a> {
    store: &'a Store,
    sandbox: &'a dyn Sandbox,
    progress: Arc<dyn Progress>,
    settings: BuilderSettings,
    registries: Arc<Registries>,
    toolchains: Toolchains,
    registry: RegistryClient,
    debian: Debian,
    locks: KeyLocks,
    project_lock: Option<Arc<ProjectLock>>,
    script_network: ScriptNetwork,
}

/// An image to build.
#[derive(Debug, Clone)]
pub struct BuildRequest<'a> {
    /// Whose image it is, for progress and messages: the service's name.
    pub subject: &'a str,
    /// The name the image gets: `agent-desk/backend:latest`.
    pub reference: &'a str,
    /// How it is made.
    pub recipe: &'a BuildRecipe,
    /// The processor it is made for.
    pub architecture: Architecture,
    /// Whether what earlier builds made counts.
    pub memory: Memory,
    /// Whether Python modules are compiled ahead of time.
    pub bytecode: Bytecode,
    /// Versions published after this moment (RFC 3339) do not count when dependencies without a
    /// lock file are resolved: the time of the last commit makes a build repeatable.
    pub as_of: Option<String>,
    /// When a registry is asked for the images that a Dockerfile builds on.
    pub pull: PullPolicy,
    /// What the image is for.
    pub variant: Variant,
    /// The health check that the image says, for engines other than Plimsoll's own.
    pub health: Option<&'a Healthcheck>,
}

impl<'a> BuildRequest<'a> {
    /// A build that uses what earlier ones made and compiles Python modules ahead of time.
    pub fn new(
        subject: &'a str,
        reference: &'a str,
        recipe: &'a BuildRecipe,
        architecture: Architecture,
    ) -> Self {
        Self {
            subject,
            reference,
            recipe,
            architecture,
            memory: Memory::Use,
            bytecode: Bytecode::Compiled,
            as_of: None,
            pull: PullPolicy::Missing,
            variant: Variant::Production,
            health: None,
        }
    }
}

/// Whether anything had to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every layer was there.
    Cached,
    /// At least one layer was made.
    Built,
}

/// An image, and how it came about.
#[derive(Debug, Clone)]
pub struct BuiltImage {
    /// The image.
    pub image: Image,
    /// Whether anything had to be made.
    pub outcome: Outcome,
    /// How long it took.
    pub duration: Duration,
    /// The layers, lowest first.
    pub layers: Vec<BuiltLayer>,
    /// Parts that cannot be loaded and may never be.
    pub findings: Vec<elf::Finding>,
}

/// A layer of a built image.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BuiltLayer {
    /// What made it.
    pub created_by: String,
    /// Its bytes, not compressed.
    pub size: u64,
}

impl From<&ImageLayer> for BuiltLayer {
    fn from(entry: &ImageLayer) -> Self {
        Self {
            created_by: entry.created_by.clone(),
            size: entry.layer.size,
        }
    }
}

impl std::fmt::Debug for Builder<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Builder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<'a> Builder<'a> {
    /// A builder that keeps images in `store` and runs steps in `sandbox`.
    ///
    /// # Errors
    /// When a proxy setting is not a URL.
    pub fn new(
        store: &'a Store,
        sandbox: &'a dyn Sandbox,
        progress: Arc<dyn Progress>,
        settings: BuilderSettings,
    ) -> Result<Self, FetchError> {
        let fetcher = Fetcher::new(settings.fetch.clone(), Arc::clone(&progress))?;
        let packages = Arc::new(DebianFiles {
            lookup: PackageLookup::new(fetcher.clone(), settings.debian.clone()),
            architecture: settings.architecture,
        });
        let registries = Arc::new(Registries::new(settings.clients.clone(), packages));
        scratch::sweep(&settings.cache.join("work"));
        Ok(Self {
            store,
            sandbox,
            toolchains: Toolchains::new(
                settings.cache.join("tools"),
                fetcher.clone(),
                Arc::clone(&registries),
            ),
            registry: RegistryClient::connect(
                &settings.fetch,
                settings.registry.clone(),
                settings.clients.clone(),
                Arc::clone(&progress),
            )?,
            debian: Debian {
                fetcher,
                settings: settings.debian.clone(),
            },
            registries,
            locks: KeyLocks::default(),
            project_lock: None,
            script_network: ScriptNetwork::default(),
            progress,
            settings,
        })
    }

    /// Versions that the project's own files leave open are taken from this file, and those
    /// settled now are written into it. Without it, they are remembered by this store alone.
    #[must_use]
    pub fn with_project_lock(mut self, lock: Arc<ProjectLock>) -> Self {
        self.project_lock = Some(lock);
        self
    }

    /// Says when a project's own build scripts have the network.
    #[must_use]
    pub fn with_script_network(mut self, network: ScriptNetwork) -> Self {
        self.script_network = network;
        self
    }

    /// The project's lock file, where one is kept.
    pub fn project_lock(&self) -> Option<&ProjectLock> {
        self.project_lock.as_deref()
    }

    /// This machine's processor.
    pub fn architecture(&self) -> Architecture {
        self.settings.architecture
    }

    /// The store that images are kept in.
    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// The client that reaches registries of images.
    pub fn registry(&self) -> &RegistryClient {
        &self.registry
    }

    /// The programs that build steps use.
    pub fn toolchains(&self) -> &Toolchains {
        &self.toolchains
    }

    /// Where package registries are.
    pub fn registries(&self) -> &Registries {
        &self.registries
    }

    /// Builds an image and gives it its name.
    ///
    /// # Errors
    /// When a part of it cannot be made; nothing is named then.
    pub fn build(&self, request: &BuildRequest<'_>) -> Result<BuiltImage, BuildError> {
        let started = Instant::now();
        let workshop = self.workshop(
            request.subject,
            request.architecture,
            request.memory,
            request.variant,
        );
        let made = (|| -> Result<_, BuildError> {
            let Adapted {
                recipe,
                groups,
                notice,
            } = adapted(request.recipe, request.variant)?;
            let recipe = &recipe;
            if let Some(notice) = notice {
                let text = format!("`{}`: {notice}", request.subject);
                let notice = ProgressEvent::Notice(Diagnostic::note(text));
                self.progress.report(notice);
            }
            let (mut layers, mut config) = match &recipe.kind {
                RecipeKind::Python(recipe_python) => {
                    let options = PythonOptions {
                        as_of: request.as_of.clone(),
                        bytecode: match request.variant {
                            Variant::Slim => Bytecode::Sources,
                            _ => request.bytecode,
                        },
                        groups,
                    };
                    python::build(&workshop, recipe, recipe_python, &options)?
                }
                RecipeKind::StaticSite(site) => {
                    static_site::build(&workshop, recipe, site, request.as_of.as_deref())?
                }
                RecipeKind::NodeServer(server) => {
                    node::build(&workshop, recipe, server, request.as_of.as_deref())?
                }
                RecipeKind::Go(program) => go::build(&workshop, recipe, program)?,
                RecipeKind::Dockerfile(file) => {
                    let obtain = |reference: &str| self.obtain_base(reference, request.pull);
                    dockerfile::build(&workshop, recipe, file, &obtain)?
                }
                RecipeKind::Rust(program) => rust::build(&workshop, recipe, program)?,
            };
            for pages in &recipe.pages {
                let made = static_site::pages(&workshop, pages, request.as_of.as_deref())?;
                layers.extend(made);
            }
            if let Some(check) = request.health {
                probe::attach(&workshop, &recipe.kind, check, &mut layers, &mut config)?;
            }
            if request.variant == Variant::Debug {
                variant::attach_shell(&workshop, &mut layers)?;
            }
            let findings = self.audited(request.architecture, &config, &layers)?;
            let image = self.store.put_image(&NewImage {
                reference: request.reference,
                architecture: request.architecture,
                config: &config,
                layers: &layers,
                annotations: std::collections::BTreeMap::new(),
            })?;
            let materials = workshop.materials.lock();
            let materials = materials.unwrap_or_else(std::sync::PoisonError::into_inner);
            provenance::remember_materials(self.store, &image, &materials)?;
            drop(materials);
            Ok((image, layers, findings))
        })();
        self.progress.report(ProgressEvent::Finished {
            subject: request.subject.to_string(),
        });
        if made.is_err() {
            scratch::wait_for_removals();
        }
        let (image, layers, findings) = made?;
        Ok(BuiltImage {
            image,
            outcome: workshop.outcome(),
            duration: started.elapsed(),
            layers: layers.iter().map(BuiltLayer::from).collect(),
            findings,
        })
    }

    /// What keeps parts of an image from being loaded. An image that cannot work is an error.
    pub(crate) fn audited(
        &self,
        architecture: Architecture,
        config: &ImageConfig,
        layers: &[ImageLayer],
    ) -> Result<Vec<elf::Finding>, BuildError> {
        let findings = elf::audit(self.store, architecture, config, layers)?;
        if findings
            .iter()
            .any(|finding| finding.severity == elf::Severity::Error)
        {
            return Err(BuildError::Unfit { findings });
        }
        Ok(findings)
    }

    /// Tells what is done.
    pub(crate) fn report(&self, event: ProgressEvent) {
        self.progress.report(event);
    }

    pub(crate) fn workshop<'w>(
        &'w self,
        subject: &'w str,
        architecture: Architecture,
        memory: Memory,
        variant: Variant,
    ) -> Workshop<'w> {
        Workshop {
            store: self.store,
            sandbox: self.sandbox,
            progress: self.progress.as_ref(),
            toolchains: &self.toolchains,
            registries: &self.registries,
            fetcher: &self.debian.fetcher,
            debian: &self.debian,
            locks: &self.locks,
            project_lock: self.project_lock.as_deref(),
            cache: &self.settings.cache,
            architecture,
            host: self.settings.architecture,
            memory,
            variant,
            script_network: self.script_network,
            subject,
            made: std::sync::atomic::AtomicUsize::new(0),
            materials: std::sync::Mutex::default(),
        }
    }
}

/// Debian's packages of clients, read for the defaults these state.
struct DebianFiles {
    lookup: PackageLookup,
    architecture: Architecture,
}

impl PackageFiles for DebianFiles {
    fn file_of(&self, package: &str, suffixes: &[&str]) -> Result<Vec<u8>, String> {
        self.lookup
            .file_of(Suite::Trixie, self.architecture, package, suffixes)
            .map_err(|error| error.to_string())?
            .ok_or_else(|| "it has no such file".to_string())
    }
}
