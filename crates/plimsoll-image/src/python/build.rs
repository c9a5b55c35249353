//! From a recipe to layers and a configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_diag::{Diagnostic, ProgressEvent};
use plimsoll_model::{BuildRecipe, PythonRecipe};

use super::environment::{self, Distribution, ENVIRONMENT};
use super::failure::{UvFailure, UvFailureKind};
use super::install::{self, Bytecode};
use super::interpreter::{self, Interpreter};
use super::resolve::{self, Resolution, Terms};
use super::uv::{BUILD_USER, Uv};
use super::{PythonError, inputs::Inputs, library};
use crate::application::{Application, Purpose};
use crate::base::{self, Base};
use crate::debian::BaseRequest;
use crate::layer::{Attributes, FileSet};
use crate::oci::ImageConfig;
use crate::step::scratch::{Scratch, give};
use crate::store::{ImageLayer, Segment};
use crate::toolchain::Toolchains;
use crate::workshop::{Memory, Workshop};

/// Changes whenever layers of the same inputs come out otherwise.
const RULES: &str = "python 1";

/// Where the application's files are in the image.
const APPLICATION: &str = "/app";

/// A distribution of at least this size gets a layer of its own, so that it is stored and sent
/// once for all services that use it.
const HEAVY: u64 = 50 << 20;

/// What Debian's git depends on for commands that send mail or convert from other systems: half
/// of its size.
const GIT_SCRIPTS: [&str; 3] = ["git-man", "liberror-perl", "perl"];

/// How many such layers there may be.
const MOST_HEAVY: usize = 4;

/// What is not part of the recipe.
#[derive(Debug, Clone, Default)]
pub(crate) struct PythonOptions {
    /// Versions published after this moment (RFC 3339) do not count when dependencies without a
    /// lock file are resolved.
    pub as_of: Option<String>,
    /// Whether modules are compiled ahead of time.
    pub bytecode: Bytecode,
}

/// One build.
struct Build<'a> {
    workshop: &'a Workshop<'a>,
    recipe: &'a BuildRecipe,
    python: &'a PythonRecipe,
    options: &'a PythonOptions,
    interpreter: Interpreter,
    application: &'a Application,
    inputs: &'a Inputs,
    base: Base,
}

/// Makes the layers of an application, and says how its image starts.
///
/// Old versions of packages often have no wheel for a new Python. Where the project allows an
/// older one too, it is tried before giving up, and remembered for these inputs.
pub(crate) fn build(
    workshop: &Workshop<'_>,
    recipe: &BuildRecipe,
    python: &PythonRecipe,
    options: &PythonOptions,
) -> Result<(Vec<ImageLayer>, ImageConfig), PythonError> {
    let hashes = workshop.cache.join("hashes");
    let application = Application::look(&recipe.context, Purpose::Image, &hashes)?;
    let preferred = python
        .preferred_python
        .as_ref()
        .map(|version| version.as_str());
    let mut fitting = interpreter::choose(python.requires_python.as_ref(), preferred)?;
    let inputs = Inputs::collect(&recipe.context, python, &application)?;
    let minors: Vec<&str> = fitting
        .iter()
        .map(|interpreter| interpreter.minor)
        .collect();
    let memo = format!(
        "{RULES} interpreter of {minors:?} for {}",
        inputs.identity()
    );
    if let Some(known) = workshop.store.recall::<String>(&memo) {
        fitting.sort_by_key(|interpreter| interpreter.minor != known);
    }
    let mut failed = None;
    for interpreter in fitting {
        let build = Build {
            base: base_of(workshop, recipe, &interpreter)?,
            workshop,
            recipe,
            python,
            options,
            interpreter,
            application: &application,
            inputs: &inputs,
        };
        match build.layers() {
            Ok(layers) => {
                if let Some(failure) = failed {
                    let minor = interpreter.minor.to_string();
                    workshop.store.remember(&memo, &minor, &[])?;
                    workshop
                        .progress
                        .report(ProgressEvent::Notice(chosen(&interpreter, &failure)));
                }
                return Ok((layers, build.config()));
            }
            Err(PythonError::Uv(failure)) if lacks_wheels(&failure) => {
                failed.get_or_insert(failure);
            }
            Err(error) => return Err(error),
        }
    }
    Err(match failed {
        Some(failure) => PythonError::Uv(failure),
        None => PythonError::NoInterpreter {
            requirement: python.requires_python.clone().unwrap_or_default(),
        },
    })
}

fn base_of(
    workshop: &Workshop<'_>,
    recipe: &BuildRecipe,
    interpreter: &Interpreter,
) -> Result<Base, PythonError> {
    let mut request = BaseRequest::new(interpreter.suite, workshop.architecture);
    request.runtime = interpreter.packages();
    request.extra = recipe
        .system_packages
        .iter()
        .map(|package| package.value.clone())
        .collect();
    if request.extra.iter().any(|package| package == "git") {
        request.without = GIT_SCRIPTS.map(str::to_string).to_vec();
        request
            .without
            .retain(|package| !request.extra.contains(package));
    }
    request.users = vec![base::account()];
    Ok(base::assemble(workshop, &request)?)
}

/// Whether another interpreter may have the wheels that this one lacks.
fn lacks_wheels(failure: &UvFailure) -> bool {
    matches!(
        failure.kind,
        UvFailureKind::OnlySource | UvFailureKind::Build
    )
}

fn chosen(interpreter: &Interpreter, failure: &UvFailure) -> Diagnostic {
    let package = failure.package.as_deref().unwrap_or("a dependency");
    Diagnostic::note(format!(
        "Python {} is used, because `{package}` has no wheel for a newer one",
        interpreter.minor
    ))
}

impl Build<'_> {
    /// All layers, lowest first.
    fn layers(&self) -> Result<Vec<ImageLayer>, PythonError> {
        let mut layers = self.base.layers().to_vec();
        // First what may fail, so that no work is lost on an interpreter that is given up.
        let (dependencies, members) = self.dependencies()?;
        layers.extend(self.library()?);
        layers.extend(dependencies);
        layers.extend(self.projects(&members)?);
        layers.extend(self.files()?);
        Ok(layers)
    }

    /// What decides how everything above the base comes out.
    fn terms(&self) -> String {
        format!(
            "{RULES} {} {} uv {} {:?}",
            self.interpreter.minor,
            self.base.identity(),
            Toolchains::uv_version(),
            self.options.bytecode,
        )
    }

    fn with_uv<T>(
        &self,
        work: impl FnOnce(&Uv<'_>, &Scratch) -> Result<T, PythonError>,
    ) -> Result<T, PythonError> {
        let workshop = self.workshop;
        let program = workshop.toolchains.program("uv", None, workshop.host)?;
        let cache = workshop.cache.join("uv");
        if !cache.is_dir() {
            fs::create_dir_all(&cache)?;
        }
        std::os::unix::fs::chown(&cache, Some(BUILD_USER.0), Some(BUILD_USER.1))?;
        let root = workshop.trees(self.base.layers())?;
        let uv = Uv {
            sandbox: workshop.sandbox,
            registries: workshop.registries,
            program: &program.path,
            cache: &cache,
            root: &root,
            subject: workshop.subject,
        };
        work(&uv, &workshop.scratch()?)
    }

    /// The standard library's bytecode.
    fn library(&self) -> Result<Vec<ImageLayer>, PythonError> {
        if self.options.bytecode == Bytecode::Sources {
            return Ok(Vec::new());
        }
        let workshop = self.workshop;
        let key = format!(
            "library of {RULES} {} {}",
            self.interpreter.minor,
            self.base.identity_up_to(&self.interpreter.packages()[0]),
        );
        workshop.layers(&key, || {
            workshop.tell("compiling the standard library");
            self.with_uv(|uv, scratch| {
                let work = scratch.directory("work", BUILD_USER)?;
                let out = scratch.directory("out", BUILD_USER)?;
                let Some(files) = library::compiled(uv, &self.interpreter, &work, &out)? else {
                    return Ok(Vec::new());
                };
                let segment = workshop.store.put_segment(&key, &files)?;
                let words = format!("python{}: bytecode", self.interpreter.minor);
                Ok(vec![self.layer(&[segment], words)?])
            })
        })
    }

    /// The distributions the application depends on, and the directories of the context that are
    /// distributions themselves.
    fn dependencies(&self) -> Result<(Vec<ImageLayer>, Vec<String>), PythonError> {
        let workshop = self.workshop;
        let context = &self.recipe.context;
        let inputs = self.inputs;
        let undeclared: BTreeSet<&str> = self
            .python
            .undeclared
            .iter()
            .map(|name| name.value.as_str())
            .collect();
        let key = format!(
            "dependencies of {} {:?} {} {undeclared:?} {:?} as of {:?} by {}",
            inputs.identity(),
            self.python.dependencies,
            self.python.extras.join(","),
            self.base.has("git"),
            self.options.as_of,
            self.terms(),
        );
        let memo = format!("resolution of {key}");
        let layers = workshop.layers(&key, || {
            let scratch = workshop.scratch()?;
            let copy = scratch.directory("project", BUILD_USER)?;
            self.application.copy_to(&copy)?;
            inputs.copy_missing(context, &copy)?;
            give(&copy, BUILD_USER)?;
            self.with_uv(|uv, scratch| {
                let resolution = self.resolution(uv, scratch, &copy, &memo)?;
                self.install(uv, scratch, &copy, &resolution)
            })
        })?;
        let resolution: Resolution = workshop.store.recall(&memo).unwrap_or_default();
        let mut members = resolution.members;
        if self.python.install_project.is_some() {
            let root = clean(&self.python.root);
            if !members.contains(&root) {
                members.push(root);
            }
        } else {
            let root = clean(&self.python.root);
            members.retain(|member| *member != root);
        }
        Ok((layers, members))
    }

    fn resolution(
        &self,
        uv: &Uv<'_>,
        scratch: &Scratch,
        copy: &Path,
        memo: &str,
    ) -> Result<Resolution, PythonError> {
        let workshop = self.workshop;
        if workshop.memory == Memory::Use
            && let Some(known) = workshop.store.recall(memo)
        {
            return Ok(known);
        }
        workshop.tell("resolving dependencies");
        let work = scratch.directory("resolve", BUILD_USER)?;
        let terms = Terms {
            interpreter: &self.interpreter,
            as_of: self.options.as_of.as_deref(),
        };
        let resolution = resolve::resolve(uv, copy, self.python, terms, &work)?;
        workshop.store.remember(memo, &resolution, &[])?;
        Ok(resolution)
    }

    fn install(
        &self,
        uv: &Uv<'_>,
        scratch: &Scratch,
        copy: &Path,
        resolution: &Resolution,
    ) -> Result<Vec<ImageLayer>, PythonError> {
        let workshop = self.workshop;
        workshop.tell("installing dependencies");
        let work = scratch.directory("work", BUILD_USER)?;
        let out = scratch.directory("out", BUILD_USER)?;
        let requirements = &resolution.requirements;
        install::requirements(uv, copy, requirements, &self.interpreter, &work, &out)?;
        let frame = self.frame(environment::skeleton(&self.interpreter)?)?;
        let frame_key = format!("frame of {} git {:?}", self.terms(), self.base.has("git"));
        let mut heavy = Vec::new();
        let mut light = vec![workshop.store.put_segment(&frame_key, &frame)?];
        for (name, segment) in self.segments(uv, &work, &out)? {
            if segment.size >= HEAVY && heavy.len() < MOST_HEAVY {
                heavy.push(self.layer(&[segment], name)?);
            } else {
                light.push(segment);
            }
        }
        let count = light.len() - 1;
        heavy.push(self.layer(&light, format!("{count} Python distributions"))?);
        Ok(heavy)
    }

    /// What every image of this kind has besides its packages.
    fn frame(&self, mut frame: FileSet) -> Result<FileSet, PythonError> {
        if self.base.has("git") {
            // A repository mounted from the host belongs to the host's user; git would refuse to
            // read it, and tools would take that for a clean one.
            let text = "[safe]\n\tdirectory = *\n";
            frame.file("etc/gitconfig", Attributes::FILE, text)?;
        }
        Ok(frame)
    }

    /// The project's own distributions.
    fn projects(&self, members: &[String]) -> Result<Vec<ImageLayer>, PythonError> {
        if members.is_empty() {
            return Ok(Vec::new());
        }
        let workshop = self.workshop;
        // A build backend may read anything, so everything it can see is part of the key.
        let key = format!(
            "projects {members:?} of {} by {}",
            self.application.identity(),
            self.terms()
        );
        workshop.layers(&key, || {
            workshop.tell("building the project");
            self.with_uv(|uv, scratch| {
                let source = scratch.directory("project", BUILD_USER)?;
                self.application.copy_to(&source)?;
                let work = scratch.directory("work", BUILD_USER)?;
                let out = scratch.directory("out", BUILD_USER)?;
                install::projects(uv, &source, members, &self.interpreter, &work, &out)?;
                let segments = self.segments(uv, &work, &out)?;
                let segments: Vec<Segment> = segments.into_iter().map(|(_, s)| s).collect();
                let words = "the project's own distributions".to_string();
                Ok(vec![self.layer(&segments, words)?])
            })
        })
    }

    /// The segments of an installation at `out`. A distribution that was installed before, byte
    /// for byte, is neither compiled nor packed again.
    fn segments(
        &self,
        uv: &Uv<'_>,
        work: &Path,
        out: &Path,
    ) -> Result<Vec<(String, Segment)>, PythonError> {
        let store = self.workshop.store;
        let mut found: BTreeMap<String, Segment> = BTreeMap::new();
        let mut new = Vec::new();
        for distribution in environment::take_apart(out, &self.interpreter)? {
            let known = match self.workshop.memory {
                Memory::Use => store.segment(&self.key_of(&distribution)?),
                Memory::Ignore => None,
            };
            match known {
                Some(segment) => {
                    found.insert(distribution.name, segment);
                }
                None => new.push(distribution),
            }
        }
        if self.options.bytecode == Bytecode::Compiled && !new.is_empty() {
            install::compile(uv, &new, &self.interpreter, work, out)?;
            // Once more, with the compiled modules.
            new = environment::take_apart(out, &self.interpreter)?;
            new.retain(|distribution| !found.contains_key(&distribution.name));
        }
        for distribution in new {
            let key = self.key_of(&distribution)?;
            let segment = store.put_segment(&key, &distribution.file_set()?)?;
            found.insert(distribution.name, segment);
        }
        Ok(found.into_iter().collect())
    }

    /// What tells an installed distribution from any other: its record lists the hash of every
    /// file, and what is compiled follows from these and the interpreter.
    fn key_of(&self, distribution: &Distribution) -> Result<String, PythonError> {
        Ok(format!(
            "distribution {} {} {:?} {} {RULES}",
            distribution.name,
            distribution.identity()?,
            self.options.bytecode,
            self.base.identity_up_to(&self.interpreter.packages()[0]),
        ))
    }

    /// The application's files.
    fn files(&self) -> Result<Vec<ImageLayer>, PythonError> {
        if self.application.files().is_empty() {
            return Ok(Vec::new());
        }
        let workshop = self.workshop;
        let key = format!("{RULES} files {}", self.application.identity());
        workshop.layers(&key, || {
            workshop.tell("packing the application");
            let place = environment::below_root(APPLICATION);
            let files = self.application.file_set(place)?;
            let segment = workshop.store.put_segment(&key, &files)?;
            let words = "the application's files".to_string();
            Ok(vec![self.layer(&[segment], words)?])
        })
    }

    fn layer(&self, segments: &[Segment], created_by: String) -> Result<ImageLayer, PythonError> {
        Ok(ImageLayer {
            layer: self.workshop.store.commit_layer(segments)?,
            created_by,
        })
    }

    fn config(&self) -> ImageConfig {
        let path = format!("{ENVIRONMENT}/bin:/usr/local/bin:/usr/bin:/bin");
        let mut environment: Vec<(String, String)> = [
            ("PATH", path.as_str()),
            ("VIRTUAL_ENV", ENVIRONMENT),
            ("PYTHONUNBUFFERED", "1"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("HOME", base::HOME),
            ("LANG", "C.UTF-8"),
            ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"),
        ]
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .to_vec();
        for (name, value) in &self.recipe.environment {
            environment.retain(|(known, _)| known != name);
            environment.push((name.clone(), value.clone()));
        }
        let working_dir = Path::new(APPLICATION).join(&self.recipe.working_dir);
        ImageConfig {
            user: base::USER.to_string(),
            environment,
            command: self.recipe.command.clone(),
            working_dir: working_dir.display().to_string(),
            exposed_ports: exposed(&self.recipe.ports),
            ..ImageConfig::default()
        }
    }
}

/// `8000` → `8000/tcp`.
pub(crate) fn exposed(ports: &[u16]) -> BTreeSet<String> {
    ports.iter().map(|port| format!("{port}/tcp")).collect()
}

/// `./a/` → `a`, `.` → ``.
fn clean(path: &Path) -> String {
    let normal: PathBuf = path
        .components()
        .filter(|component| matches!(component, std::path::Component::Normal(_)))
        .collect();
    normal.display().to_string()
}
