//! What files that deploy a project say of its programs: Kubernetes manifests and charts, files of hosting platforms,
//! Compose files that are not the project's own. None of it is a fact: it fills gaps that the code leaves, and is
//! contradicted where the code says otherwise.

mod cluster;
mod compose;
mod pipeline;
mod platforms;
mod proxies;
mod review;

use std::path::{Path, PathBuf};

use plimsoll_diag::{Span, Spanned};

use crate::claims::command::Starts;
use crate::claims::start_scripts::port;
use crate::claims::{Dockerfile, starts};
use crate::detection::NeedKind;
use crate::tree::Tree;

pub(crate) use proxies::Leads;
pub(crate) use review::{review, witness};

/// Files of one kind that are looked at.
const FILES: usize = 1_000;

/// Larger files say nothing that matters here.
const LARGEST: u64 = 256 * 1024;

/// What one file says of one program.
#[derive(Debug, Clone)]
pub(crate) struct Deployed {
    /// What the file calls it.
    pub(crate) name: String,
    /// The words it is started with, where the file says so.
    pub(crate) words: Vec<String>,
    /// The Dockerfile it is built by, relative to the tree.
    pub(crate) dockerfile: Option<Spanned<PathBuf>>,
    /// The stage of it that is built, where the file names one.
    pub(crate) target: Option<String>,
    /// The directory it is built from, relative to the tree, where the file says so.
    pub(crate) directory: Option<PathBuf>,
    /// The image it runs, where nothing builds it here.
    pub(crate) image: Option<String>,
    /// Ports it is expected to listen on.
    pub(crate) ports: Vec<Spanned<u16>>,
    /// The path that is asked whether it is well.
    pub(crate) health: Option<Spanned<String>>,
    /// Variables that are set for it, with their values where they are plain.
    pub(crate) variables: Vec<(String, Option<String>)>,
    /// Where the file speaks of it.
    pub(crate) span: Span,
}

impl Deployed {
    fn new(name: impl Into<String>, span: Span) -> Self {
        Self {
            name: name.into(),
            words: Vec::new(),
            dockerfile: None,
            target: None,
            directory: None,
            image: None,
            ports: Vec::new(),
            health: None,
            variables: Vec::new(),
            span,
        }
    }

    /// What its command starts.
    pub(crate) fn starts(&self) -> Option<Starts> {
        starts(&self.words)
    }

    /// The port that it is told, or else the only one that is expected.
    pub(crate) fn port(&self) -> Option<u16> {
        let told = || {
            let (_, value) = self.variables.iter().find(|(name, _)| name == "PORT")?;
            value.as_deref()?.parse().ok()
        };
        let only = || match self.ports.as_slice() {
            [only] => Some(only.value),
            _ => None,
        };
        port(&self.words).or_else(told).or_else(only)
    }

    /// Whether it starts the file at `path`, whose module is `dotted`, by its words or by its image.
    pub(crate) fn is_about(&self, dotted: &str, path: &Path, files: &[Dockerfile]) -> bool {
        let directly = self.starts().is_some_and(|starts| starts.is_about(dotted));
        let by_image = || {
            let file = self.dockerfile.as_ref()?;
            let file = files.iter().find(|known| known.path == file.value)?;
            Some(file.starts_module(dotted))
        };
        let near = self
            .directory
            .as_ref()
            .is_none_or(|directory| path.starts_with(directory));
        near && (directly || self.words.is_empty() && by_image() == Some(true))
    }

    /// Whether it is something that others publish, such as a database.
    fn is_foreign(&self) -> bool {
        let image = self.image.as_deref().unwrap_or_default();
        NeedKind::of_image(image).is_some()
            || NeedKind::of_image(&self.name).is_some() && self.words.is_empty()
    }
}

/// Everything that such files say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deployments {
    pub(crate) programs: Vec<Deployed>,
    /// Where the configuration of gateways leads.
    pub(crate) leads: Vec<Leads>,
    /// Files that a pipeline builds from.
    built: Vec<Spanned<PathBuf>>,
}

impl Deployments {
    /// Reads the files of a tree.
    pub(crate) fn read(tree: &Tree) -> Self {
        let mut programs = cluster::read(tree);
        programs.extend(platforms::read(tree));
        programs.extend(compose::read(tree));
        Self {
            programs,
            leads: proxies::read(tree),
            built: pipeline::read(tree),
        }
    }

    /// The port that the program in the file at `path`, whose module is `dotted`, is expected on.
    pub(crate) fn port(&self, dotted: &str, path: &Path, files: &[Dockerfile]) -> Option<u16> {
        let about = |deployed: &&Deployed| deployed.is_about(dotted, path, files);
        self.programs.iter().filter(about).find_map(Deployed::port)
    }
}
