//! The one way in: from a recipe, or from a reference, to an image in the store.
//!
//! A [`Builder`] may be used from several threads at once; work that two images share is done
//! once. It prints nothing: what it does is told to a [`Progress`].

mod error;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plimsoll_diag::{Progress, ProgressEvent};
use plimsoll_model::{BuildRecipe, RecipeKind};

pub use error::BuildError;

use crate::Sandbox;
use crate::clients::{ClientSettings, PackageFiles, Registries};
use crate::fetch::Fetcher;
use crate::oci::Architecture;
use crate::python::{self, Bytecode, PythonOptions};
use crate::static_site;
use crate::step::scratch;
use crate::store::{Image, NewImage, Store};
use crate::toolchain::Toolchains;
use crate::workshop::{KeyLocks, Memory, Workshop};

/// What a builder is set up with.
#[derive(Debug, Clone)]
pub struct BuilderSettings {
    /// Where downloads and unfinished work go.
    pub cache: PathBuf,
    /// How the package clients of this machine are configured.
    pub clients: ClientSettings,
    /// The processor images are made for: this machine's.
    pub architecture: Architecture,
}

/// Makes and obtains images.
pub struct Builder<'a> {
    store: &'a Store,
    sandbox: &'a dyn Sandbox,
    progress: Arc<dyn Progress>,
    settings: BuilderSettings,
    registries: Arc<Registries>,
    toolchains: Toolchains,
    locks: KeyLocks,
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
    /// Whether what earlier builds made counts.
    pub memory: Memory,
    /// Whether Python modules are compiled ahead of time.
    pub bytecode: Bytecode,
    /// Versions published after this moment (RFC 3339) do not count when dependencies without a
    /// lock file are resolved: the time of the last commit makes a build repeatable.
    pub as_of: Option<String>,
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
}

/// A layer of a built image.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BuiltLayer {
    /// What made it.
    pub created_by: String,
    /// Its bytes, not compressed.
    pub size: u64,
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
    /// `packages` gives files of Debian packages, from which the defaults of package clients are
    /// read on a machine that has none of them.
    pub fn new(
        store: &'a Store,
        sandbox: &'a dyn Sandbox,
        fetcher: Fetcher,
        packages: Arc<dyn PackageFiles>,
        settings: BuilderSettings,
    ) -> Self {
        let progress = Arc::clone(fetcher.progress());
        let registries = Arc::new(Registries::new(settings.clients.clone(), packages));
        let toolchains = Toolchains::new(
            settings.cache.join("tools"),
            fetcher,
            Arc::clone(&registries),
        );
        scratch::sweep(&settings.cache.join("work"));
        Self {
            store,
            sandbox,
            progress,
            settings,
            registries,
            toolchains,
            locks: KeyLocks::default(),
        }
    }

    /// Builds an image and gives it its name.
    ///
    /// # Errors
    /// When a part of it cannot be made; nothing is named then.
    pub fn build(&self, request: &BuildRequest<'_>) -> Result<BuiltImage, BuildError> {
        let started = Instant::now();
        let workshop = self.workshop(request.subject, request.memory);
        let made = (|| -> Result<_, BuildError> {
            let recipe = request.recipe;
            let (layers, config) = match &recipe.kind {
                RecipeKind::Python(recipe_python) => {
                    let options = PythonOptions {
                        as_of: request.as_of.clone(),
                        bytecode: request.bytecode,
                    };
                    python::build(&workshop, recipe, recipe_python, &options)?
                }
                RecipeKind::StaticSite(site) => static_site::build(&workshop, recipe, site)?,
            };
            let image = self.store.put_image(&NewImage {
                reference: request.reference,
                architecture: self.settings.architecture,
                config: &config,
                layers: &layers,
                annotations: std::collections::BTreeMap::new(),
            })?;
            Ok((image, layers))
        })();
        self.progress.report(ProgressEvent::Finished {
            subject: request.subject.to_string(),
        });
        let (image, layers) = made?;
        Ok(BuiltImage {
            image,
            outcome: workshop.outcome(),
            duration: started.elapsed(),
            layers: layers
                .iter()
                .map(|entry| BuiltLayer {
                    created_by: entry.created_by.clone(),
                    size: entry.layer.size,
                })
                .collect(),
        })
    }

    fn workshop<'w>(&'w self, subject: &'w str, memory: Memory) -> Workshop<'w> {
        Workshop {
            store: self.store,
            sandbox: self.sandbox,
            progress: self.progress.as_ref(),
            toolchains: &self.toolchains,
            registries: &self.registries,
            locks: &self.locks,
            cache: &self.settings.cache,
            architecture: self.settings.architecture,
            memory,
            subject,
            made: std::sync::atomic::AtomicUsize::new(0),
        }
    }
}
