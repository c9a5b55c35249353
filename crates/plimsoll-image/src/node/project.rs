//! A project of Node as build steps see it: its files, its manager, and the tools.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use plimsoll_diag::{Diagnostic, ProgressEvent};
use plimsoll_model::NodeManager;
use serde_json::Value;

use super::NodeError;
use super::manager::{CACHE, MANAGER, Manager, NODE, PROGRAMS, is_manifest};
use super::{unlocked, version_range};
use crate::application::{Application, Purpose, SourceKind};
use crate::base;
use crate::debian::{BaseRequest, Suite};
use crate::digest::Hasher;
use crate::oci::Architecture;
use crate::python::BUILD_USER;
use crate::step::scratch::Scratch;
use crate::toolchain::{Program, Toolchains};
use crate::workshop::Workshop;
use crate::{Access, BindMount, Step, StepNetwork};

/// The Debian release of build roots and images.
pub(crate) const SUITE: Suite = Suite::Trixie;

/// Where the sources are in the sandbox.
pub(crate) const SITE: &str = "/site";

/// How long a step may take.
const LONGEST: Duration = Duration::from_secs(1800);

/// What build steps need besides Node: a shell and the tools that scripts call.
const BUILD_ROOT: &[&str] = &[
    "bash",
    "ca-certificates",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "libatomic1",
    "libstdc++6",
    "sed",
];

/// A project to build from.
pub(crate) struct NodeProject<'a> {
    pub workshop: &'a Workshop<'a>,
    pub manager: Manager,
    /// The lock file, relative to the context.
    pub lock: Option<PathBuf>,
    /// The `package.json` of the service.
    pub manifest: Value,
    /// Everything of the context that build steps may read.
    pub sources: Application,
    /// The absolute path of the context.
    pub context: PathBuf,
    /// The directory of `package.json` below the context; empty for the context itself.
    pub root: String,
    /// The directory that packages are installed in, below the context.
    installed_in: PathBuf,
    /// The versions of Node that fit, as npm writes ranges.
    pub node_range: Option<String>,
    /// Without a lock file, versions published after this moment do not count.
    pub as_of: Option<String>,
}

/// Programs for one build.
pub(crate) struct Tools {
    pub node: Program,
    manager: Program,
    cache: PathBuf,
    programs: PathBuf,
}

impl<'a> NodeProject<'a> {
    /// Looks at a project.
    pub(crate) fn open(
        workshop: &'a Workshop<'a>,
        context: &Path,
        root: &Path,
        manager: NodeManager,
        lock: Option<&Path>,
    ) -> Result<Self, NodeError> {
        let root = clean(root);
        let text = match lock {
            Some(lock) => Some(fs::read(context.join(lock))?),
            None => None,
        };
        let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let manifest = manifest(&context.join(&root))?;
        let hashes = workshop.cache.join("hashes");
        let installed_in = match lock {
            Some(lock) => PathBuf::from(clean(lock.parent().unwrap_or(Path::new("")))),
            None => unlocked::installed_in(context, Path::new(&root)),
        };
        let manager = match &text {
            Some(text) => Manager::of(manager, Some(text)),
            None => Manager::without_lock(manager, unlocked::version(&context.join(&installed_in))),
        };
        Ok(Self {
            workshop,
            manager,
            installed_in,
            lock: lock.map(Path::to_path_buf),
            node_range: manifest
                .pointer("/engines/node")
                .and_then(Value::as_str)
                .map(str::to_string),
            manifest,
            sources: Application::look(context, Purpose::BuildInput, &hashes)?,
            context: context.to_path_buf(),
            root,
            as_of: None,
        })
    }

    /// The version of Node that the project's range allows, the preferred one first.
    pub(crate) fn node_version(&self) -> &'static str {
        let versions = Toolchains::node_versions();
        let preferred = versions.first().copied().unwrap_or_default();
        let Some(range) = &self.node_range else {
            return preferred;
        };
        let fitting = versions
            .iter()
            .find(|version| version_range::contains(range, version));
        fitting
            .copied()
            .or_else(|| version_range::nearest(range, &versions))
            .unwrap_or(preferred)
    }

    /// Says so where no pinned Node fits.
    pub(crate) fn tell_of_node(&self) {
        let versions = Toolchains::node_versions();
        let Some(range) = &self.node_range else {
            return;
        };
        if !versions
            .iter()
            .any(|version| version_range::contains(range, version))
        {
            self.notice(
                Diagnostic::warning(format!(
                    "no Node here satisfies `{range}`: taking {}",
                    self.node_version()
                ))
                .hint(format!("there are {}", versions.join(", "))),
            );
        }
    }

    /// What decides which packages are installed for a processor.
    pub(crate) fn packages_key(&self, architecture: Architecture) -> String {
        let mut hasher = Hasher::default();
        for file in self.sources.files() {
            if is_manifest(&file.path)
                && let SourceKind::File { digest, .. } = &file.kind
            {
                hasher.update(format!("{}\0{digest}\0", file.path).as_bytes());
            }
        }
        format!(
            "packages {} {} {} node {} {} {} for {architecture} 3{}",
            hasher.finish(),
            self.install_root().display(),
            self.manager.tool(),
            self.node_version(),
            self.manager
                .version()
                .unwrap_or(Toolchains::version_of(self.manager.tool())),
            self.workshop.host,
            self.manager.leaves().concat(),
        ) + match (&self.lock, &self.as_of) {
            (None, Some(moment)) => moment,
            _ => "",
        }
    }

    /// The directory that packages are installed in, below the context: a workspace is installed
    /// where its lock file is, or would be.
    pub(crate) fn install_root(&self) -> PathBuf {
        self.installed_in.clone()
    }

    /// Fetches Node and the package manager.
    pub(crate) fn tools(&self, scratch: &Scratch) -> Result<Tools, NodeError> {
        self.tell_of_node();
        let workshop = self.workshop;
        let host = workshop.host;
        let version = self.node_version();
        let node = workshop.toolchains.program("node", Some(version), host)?;
        let manager =
            workshop
                .toolchains
                .program(self.manager.tool(), self.manager.version(), host)?;
        let programs = scratch.directory("bin", BUILD_USER)?;
        let program = programs.join(self.manager.name());
        fs::write(&program, self.manager.program())?;
        fs::set_permissions(
            &program,
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )?;
        let cache = workshop.cache.join("npm");
        fs::create_dir_all(&cache)?;
        std::os::unix::fs::chown(&cache, Some(BUILD_USER.0), Some(BUILD_USER.1))?;
        Ok(Tools {
            node,
            manager,
            cache,
            programs,
        })
    }

    /// The trees that steps have as their root.
    pub(crate) fn build_root(&self) -> Result<Vec<PathBuf>, NodeError> {
        let mut request = BaseRequest::new(SUITE, self.workshop.host);
        request.runtime = BUILD_ROOT.iter().map(|name| name.to_string()).collect();
        let base = base::assemble(self.workshop, &request)?;
        Ok(self.workshop.trees(base.layers())?)
    }

    /// A step that sees the tools and has the project as its directory.
    pub(crate) fn step(&self, tools: &Tools, what: &str, command: Vec<String>) -> Step {
        let show = |source: &Path, target: &str, access| BindMount {
            source: source.to_path_buf(),
            target: PathBuf::from(target),
            access,
        };
        let directory = place(&self.root);
        let path = format!(
            "{directory}/node_modules/.bin:{}/node_modules/.bin:{PROGRAMS}:{NODE}/bin:/usr/bin:/bin",
            place(&self.install_root().display().to_string()),
        );
        let mut environment: Vec<(String, String)> = [
            ("PATH", path.as_str()),
            ("HOME", "/tmp"),
            ("LANG", "C.UTF-8"),
            ("TZ", "UTC"),
            ("CI", "true"),
            ("NO_COLOR", "1"),
            ("SOURCE_DATE_EPOCH", "315532801"),
            ("npm_config_cache", CACHE),
            ("NEXT_TELEMETRY_DISABLED", "1"),
            ("NUXT_TELEMETRY_DISABLED", "1"),
            ("ASTRO_TELEMETRY_DISABLED", "1"),
            ("NG_CLI_ANALYTICS", "false"),
            ("DO_NOT_TRACK", "1"),
            ("NX_DAEMON", "false"),
            ("NX_NO_CLOUD", "true"),
            ("NX_TUI", "false"),
        ]
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .to_vec();
        environment.extend(self.manager.always());
        Step {
            name: format!("{}: {what}", self.workshop.subject),
            root: Vec::new(),
            mounts: vec![
                show(&tools.node.path, NODE, Access::ReadOnly),
                show(&tools.manager.path, MANAGER, Access::ReadOnly),
                show(&tools.programs, PROGRAMS, Access::ReadOnly),
                show(&tools.cache, CACHE, Access::ReadWrite),
            ],
            command,
            environment,
            working_dir: PathBuf::from(directory),
            network: StepNetwork::None,
            user: BUILD_USER,
            timeout: LONGEST,
            memory: Some(4 << 30),
            pids: Some(4096),
        }
    }

    /// Tells the user something.
    pub(crate) fn notice(&self, notice: Diagnostic) {
        self.workshop.progress.report(ProgressEvent::Notice(notice));
    }
}

/// The place in the sandbox of a directory of the context.
pub(crate) fn place(directory: &str) -> String {
    format!("{SITE}/{directory}")
        .trim_end_matches('/')
        .to_string()
}

/// `./a/` → `a`, `.` → ``.
pub(crate) fn clean(path: &Path) -> String {
    let normal: PathBuf = path
        .components()
        .filter(|component| matches!(component, std::path::Component::Normal(_)))
        .collect();
    normal.display().to_string()
}

/// The `package.json` in a directory.
pub(crate) fn manifest(directory: &Path) -> Result<Value, NodeError> {
    let path = directory.join("package.json");
    let text = fs::read_to_string(&path)?;
    // Some editors put a byte order mark before it, which npm accepts.
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| NodeError::Manifest {
        manifest: path.display().to_string(),
        reason: error.to_string(),
    })
}
