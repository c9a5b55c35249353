//! What was found in a tree.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Evidence, Severity, Span};
use plimsoll_model::BuildRecipe;
use plimsoll_model::facts::{Facts, as_place, as_places};
pub use plimsoll_model::facts::{
    Health, NeedKind, OneOf, Route, ServiceKind, Stream, Variable, VariableKind,
};
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::environment_files::EnvironmentFile;
use crate::shims::Shim;
use crate::trial::{NamedTrial, Trial};

/// Everything found in a tree. Serialised, it is what `inspect --json` shows: services, needs, environment, rejected
/// and problems, and nothing else at the top but what a trial adds, so that whoever reads it knows every key.
#[derive(Debug, Clone)]
pub struct Detection {
    /// A name for the whole: from a manifest, or from the directory.
    pub name: String,
    /// What can run.
    pub services: Vec<DetectedService>,
    /// What services need beside them.
    pub needs: Vec<Need>,
    /// Variables that services read.
    pub environment: Vec<Variable>,
    /// What looks like a service but is none.
    pub rejected: Vec<Rejected>,
    /// What is wrong with the project.
    pub problems: Vec<Problem>,
    /// Help without which services do not run in containers.
    pub shims: Vec<Shim>,
    /// What else was tried: what only a Compose file names, and jobs that help services.
    pub also_tried: Vec<NamedTrial>,
    /// Files in the tree, ignored ones left out.
    pub files_listed: usize,
    /// Files whose text was read.
    pub files_read: usize,
}

/// Something that can run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DetectedService {
    /// A name that is valid in a Compose file.
    pub name: String,
    /// What it is to its users.
    pub kind: ServiceKind,
    /// `python`, `javascript`, `go`, `rust`.
    pub language: Cow<'static, str>,
    /// The framework as people write it: `FastAPI`.
    pub framework: Option<String>,
    /// The framework's version, where a lock file or pin settles it.
    pub version: Option<String>,
    /// Libraries that say what it is, with versions: `React 19`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub built_with: Vec<String>,
    /// The versions of the language that fit: `>=3.12`.
    pub language_version: Option<String>,
    /// Who installs its dependencies: `uv`, `pip`, `npm`.
    pub manager: Option<String>,
    /// The file that states its dependencies.
    pub dependencies_from: Option<PathBuf>,
    /// Directory of its manifest, relative to the tree.
    pub root: PathBuf,
    /// How it is started, in exec form.
    pub command: Vec<String>,
    /// Directory it is started in, inside its image.
    pub working_dir: PathBuf,
    /// TCP ports it listens on.
    pub ports: Vec<u16>,
    /// The port of its development server, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub development_port: Option<u16>,
    /// How to tell that it works.
    pub health: Option<Health>,
    /// Path of its metrics for Prometheus.
    pub metrics: Option<Route>,
    /// Whether it keeps responses open.
    pub stream: Option<Stream>,
    /// How many of it may run at once, where the code limits it.
    pub replicas_max: Option<u32>,
    /// Paths it writes to, as the code names them.
    pub writes: Vec<String>,
    /// Debian packages it needs at run time.
    pub packages: Vec<String>,
    /// Kinds of needs it has.
    pub needs: Vec<NeedKind>,
    /// Files of variables that its own code loads when it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment_files: Vec<EnvironmentFile>,
    /// The service whose dependencies it shares.
    pub shares_with: Option<String>,
    /// Where it is defined.
    #[serde(serialize_with = "as_place")]
    pub defined_at: Span,
    /// Why it is believed to be one.
    #[serde(serialize_with = "as_places")]
    pub evidence: Vec<Evidence>,
    /// How its image is assembled; `None` where that is not known yet.
    pub recipe: Option<BuildRecipe>,
    /// What it showed when it was started, where it was.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// The files it imports, relative to the tree.
    #[serde(skip)]
    pub files: Vec<Arc<Path>>,
    /// Paths that answer GET.
    #[serde(skip)]
    pub routes: Vec<String>,
    /// Whether its port is only the usual one of what serves it: the code names none.
    #[serde(skip)]
    pub assumes_port: bool,
    /// What starts it, as a claim would name it: `app.main:app`.
    #[serde(skip)]
    pub target: String,
}

/// Something that services need beside them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Need {
    /// What it is.
    pub kind: NeedKind,
    /// Whether nothing works without it.
    pub required: bool,
    /// The variable or file that says where it is.
    pub how: Option<String>,
    /// How a connection string for it starts: `postgresql+asyncpg`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// Who needs it.
    pub services: Vec<String>,
    /// Why it is believed to be needed.
    #[serde(serialize_with = "as_places")]
    pub evidence: Vec<Evidence>,
}

/// What looks like a service but is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The file.
    pub path: Arc<Path>,
    /// What it looks like: `FastAPI application`.
    pub looks_like: String,
    /// Why it is none: `a test`.
    pub why: String,
}

/// What is wrong with a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file.
    pub path: Arc<Path>,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// How much it matters.
    pub severity: Severity,
    /// The exact place.
    #[serde(skip)]
    pub span: Option<Span>,
}

impl Problem {
    /// The problem as a diagnostic.
    pub fn to_diagnostic(&self) -> Diagnostic {
        let mut diagnostic = match self.severity {
            Severity::Error => Diagnostic::error(&self.what),
            Severity::Warning => Diagnostic::warning(&self.what),
            Severity::Note => Diagnostic::note(&self.what),
        };
        diagnostic.span = self
            .span
            .clone()
            .or_else(|| Some(Span::line(self.path.clone(), self.line)));
        diagnostic.hints.extend(self.hint.clone());
        diagnostic
    }
}

impl From<&Diagnostic> for Problem {
    fn from(diagnostic: &Diagnostic) -> Self {
        let span = diagnostic.span.clone();
        Self {
            path: span
                .as_ref()
                .map_or_else(|| Arc::from(Path::new("")), |span| span.file.clone()),
            line: span.as_ref().map_or(1, |span| span.start.line),
            what: diagnostic.message.clone(),
            hint: (!diagnostic.hints.is_empty()).then(|| diagnostic.hints.join("; ")),
            severity: diagnostic.severity,
            span,
        }
    }
}

impl DetectedService {
    /// What a project keeps of it.
    pub(crate) fn facts(&self) -> Facts {
        Facts {
            kind: Some(self.kind),
            found_as: Some(self.name.clone()),
            language: Some(self.language.clone().into_owned()),
            framework: self.framework.clone(),
            provides: None,
            ports: self.ports.clone(),
            health: self.health.clone(),
            metrics: self.metrics.clone(),
            stream: self.stream,
            replicas_max: self.replicas_max,
            writes: self.writes.clone(),
            source: None,
        }
    }
}

impl Serialize for Detection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Helped<'d> {
            #[serde(flatten)]
            service: &'d DetectedService,
            shims: Vec<&'d Shim>,
        }
        let services: Vec<_> = self
            .services
            .iter()
            .map(|service| Helped {
                service,
                shims: self
                    .shims
                    .iter()
                    .filter(|shim| shim.service == service.name)
                    .collect(),
            })
            .collect();
        let tried = usize::from(!self.also_tried.is_empty());
        let mut shown = serializer.serialize_struct("Detection", 5 + tried)?;
        shown.serialize_field("services", &services)?;
        shown.serialize_field("needs", &self.needs)?;
        shown.serialize_field("environment", &self.environment)?;
        shown.serialize_field("rejected", &self.rejected)?;
        shown.serialize_field("problems", &self.problems)?;
        // Only a trial has more to tell.
        if tried > 0 {
            shown.serialize_field("also_tried", &self.also_tried)?;
        }
        shown.end()
    }
}

impl Detection {
    /// The service called `name`.
    pub fn service(&self, name: &str) -> Option<&DetectedService> {
        self.services.iter().find(|service| service.name == name)
    }
}
