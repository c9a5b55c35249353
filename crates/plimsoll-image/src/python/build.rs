//! From a recipe to layers and a configuration.

use std::path::Path;

use fs_err as fs;
use plimsoll_diag::{Diagnostic, ProgressEvent, Span};
use plimsoll_model::{BuildRecipe, PythonRecipe};

use super::failure::{UvFailure, UvFailureKind};
use super::install::Bytecode;
use super::interpreter::{self, Interpreter};
use super::libraries::Needed;
use super::sources::Compilers;
use super::target::Target;
use super::uv::{BUILD_USER, Program, Uv};
use super::{PythonError, inputs::Inputs, library, locks, resolve, settling};
use crate::application::{Application, Purpose};
use crate::base::{self, Base};
use crate::debian::{BasePurpose, BaseRequest};
use crate::layer::{Attributes, FileSet};
use crate::oci::{Architecture, ImageConfig};
use crate::step::scratch::Scratch;
use crate::store::{ImageLayer, Segment};
use crate::toolchain::Toolchains;
use crate::variant::Variant;
use crate::workshop::Workshop;

/// Changes whenever layers of the same inputs come out otherwise.
pub(super) const RULES: &str = "python 2";

/// What Debian's git depends on for commands that send mail or convert from other systems: half
/// of its size.
const GIT_SCRIPTS: [&str; 3] = ["git-man", "liberror-perl", "perl"];

/// What is not part of the recipe.
#[derive(Debug, Clone, Default)]
pub(crate) struct PythonOptions {
    /// Versions published after this moment (RFC 3339) do not count when dependencies without a
    /// lock file are resolved.
    pub as_of: Option<String>,
    /// Whether modules are compiled ahead of time.
    pub bytecode: Bytecode,
    /// Groups to install that the recipe has no place for.
    pub groups: Vec<String>,
}

/// One build.
pub(super) struct Build<'a> {
    pub(super) workshop: &'a Workshop<'a>,
    pub(super) recipe: &'a BuildRecipe,
    pub(super) python: &'a PythonRecipe,
    pub(super) options: &'a PythonOptions,
    pub(super) target: Target,
    pub(super) compilers: Compilers,
    pub(super) application: &'a Application,
    pub(super) inputs: &'a Inputs,
    /// Versions of a lock file that cannot be believed, as a requirements file.
    pub(super) salvaged: &'a str,
    /// What steps run in: the interpreter on this machine's processor, and nothing of the service.
    pub(super) steps: Base,
}

/// Makes the layers of an application, and says how its image starts.
///
/// Old versions of packages often have no wheel for a new Python, or do not go together on it. Where
/// the project allows an older one too, it is tried before compilers are, and what did is remembered
/// for these inputs.
pub(crate) fn build(
    workshop: &Workshop<'_>,
    recipe: &BuildRecipe,
    python: &PythonRecipe,
    options: &PythonOptions,
) -> Result<(Vec<ImageLayer>, ImageConfig), PythonError> {
    made(workshop, recipe, python, options).map_err(|error| match error {
        PythonError::Lock {
            message,
            span,
            hint,
        } => PythonError::Lock {
            message,
            span: placed(workshop, recipe, span),
            hint,
        },
        other => other,
    })
}

/// A place in a file of the context, as a place in a file of the project.
fn placed(workshop: &Workshop<'_>, recipe: &BuildRecipe, mut span: Span) -> Span {
    if let Some(lock) = workshop.project_lock {
        let path = lock.relative(&recipe.context.join(&span.file));
        span.file = Path::new(&path).into();
    }
    span
}

fn made(
    workshop: &Workshop<'_>,
    recipe: &BuildRecipe,
    python: &PythonRecipe,
    options: &PythonOptions,
) -> Result<(Vec<ImageLayer>, ImageConfig), PythonError> {
    let hashes = workshop.cache.join("hashes");
    let application = Application::look(&recipe.context, Purpose::of(workshop.variant), &hashes)?;
    let preferred = python
        .preferred_python
        .as_ref()
        .map(|version| version.as_str());
    let fitting = interpreter::choose(python.requires_python.as_ref(), preferred)?;
    let target = |interpreter: &Interpreter| Target {
        interpreter: *interpreter,
        architecture: workshop.architecture,
        host: workshop.host,
    };
    let mended = match fitting.first() {
        Some(first) => locks::mended(&recipe.context, python, &target(first))?,
        None => None,
    };
    let mut options = options.clone();
    let (python, salvaged) = match &mended {
        Some(mended) => {
            let mut notice = mended.notice.clone();
            notice.span = notice.span.map(|span| placed(workshop, recipe, span));
            workshop.notice(notice);
            options.groups.extend(mended.groups.iter().cloned());
            (&mended.recipe, mended.preferred.as_str())
        }
        None => (python, ""),
    };
    let options = &options;
    let inputs = Inputs::collect(&recipe.context, python, &application)?;
    let minors: Vec<&str> = fitting
        .iter()
        .map(|interpreter| interpreter.minor)
        .collect();
    let memo = format!(
        "{RULES} interpreter of {minors:?} for {} on {}",
        inputs.identity(),
        workshop.architecture
    );
    let mut attempts: Vec<(Interpreter, Compilers)> = Vec::new();
    for compilers in [Compilers::Without, Compilers::WhereNeeded] {
        attempts.extend(fitting.iter().map(|interpreter| (*interpreter, compilers)));
    }
    if let Some(lock) = workshop.project_lock
        && resolve::is_open(&recipe.context, python)?
    {
        let wanted = settling::wanted(
            workshop,
            lock,
            &recipe.context,
            python,
            &options.groups,
            &inputs,
        )?;
        if let Some(settled) = lock.find(&wanted, None) {
            attempts.sort_by_key(|(interpreter, _)| interpreter.minor != settled.python);
        }
    } else if let Some((minor, compiled)) = workshop.store.recall::<(String, bool)>(&memo) {
        let known = |(interpreter, compilers): &(Interpreter, Compilers)| {
            interpreter.minor == minor && (*compilers == Compilers::WhereNeeded) == compiled
        };
        attempts.sort_by_key(|attempt| !known(attempt));
    }
    let mut failed: Option<PythonError> = None;
    let mut compiler_failed = false;
    let mut contradicted: Vec<&str> = Vec::new();
    for (interpreter, compilers) in attempts {
        // A compiler does not make versions go together.
        if contradicted.contains(&interpreter.minor) {
            continue;
        }
        let build = Build {
            steps: steps_base(workshop, &interpreter, &inputs)?,
            workshop,
            recipe,
            python,
            options,
            target: target(&interpreter),
            compilers,
            application: &application,
            inputs: &inputs,
            salvaged,
        };
        match build.layers() {
            Ok(layers) => {
                if let Some(pinned) = &python.preferred_python
                    && let Some(notice) = interpreter::instead_of(pinned, &fitting, &interpreter)
                {
                    workshop.notice(notice);
                }
                if let Some(failure) = failed {
                    let compiled = compilers == Compilers::WhereNeeded;
                    let known = (interpreter.minor.to_string(), compiled);
                    workshop.store.remember(&memo, &known, &[])?;
                    if let Some(notice) = chosen(&interpreter, compilers, &failure) {
                        workshop.progress.report(ProgressEvent::Notice(notice));
                    }
                }
                return Ok((layers, build.config()));
            }
            Err(error) if lacks_wheels(&error) => {
                // The last word is that of the compiler, of the preferred interpreter.
                let by_compiler = compilers == Compilers::WhereNeeded;
                if failed.is_none() || by_compiler && !compiler_failed {
                    failed = Some(error);
                }
                compiler_failed |= by_compiler;
            }
            // Versions may go together on another Python: what they require depends on it.
            Err(error) if is_contradiction(&error) && fitting.len() > 1 => {
                contradicted.push(interpreter.minor);
                failed.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(failed.unwrap_or_else(|| PythonError::NoInterpreter {
        requirement: python.requires_python.clone().unwrap_or_default(),
    }))
}

/// What steps run in.
fn steps_base(
    workshop: &Workshop<'_>,
    interpreter: &Interpreter,
    inputs: &Inputs,
) -> Result<Base, PythonError> {
    let mut request = request(interpreter, workshop.host);
    if inputs.name_repositories() {
        request.extra = vec!["git".to_string()];
        request.without = GIT_SCRIPTS.map(str::to_string).to_vec();
    }
    Ok(base::assemble(workshop, &request)?)
}

fn request(interpreter: &Interpreter, architecture: Architecture) -> BaseRequest {
    let mut request = BaseRequest::new(interpreter.suite, architecture);
    request.runtime = interpreter.packages();
    request.users = vec![base::account()];
    request
}

/// Whether another interpreter may have the wheels that this one lacks.
fn lacks_wheels(error: &PythonError) -> bool {
    match error {
        PythonError::Uv(failure) => matches!(
            failure.kind,
            UvFailureKind::OnlySource | UvFailureKind::Build
        ),
        PythonError::NativeSource { .. } => true,
        _ => false,
    }
}

/// Whether no set of versions satisfies what is asked for.
fn is_contradiction(error: &PythonError) -> bool {
    matches!(error, PythonError::Uv(failure) if failure.kind == UvFailureKind::Unsatisfiable)
}

/// What is told of a choice that was forced.
fn chosen(
    interpreter: &Interpreter,
    compilers: Compilers,
    failure: &PythonError,
) -> Option<Diagnostic> {
    let package = match failure {
        PythonError::Uv(UvFailure {
            package: Some(package),
            ..
        })
        | PythonError::NativeSource { package, .. } => package,
        _ => "a dependency",
    };
    let minor = interpreter.minor;
    if is_contradiction(failure) {
        return Some(Diagnostic::note(format!(
            "Python {minor} is used, because the requirements do not go together on a newer one: {failure}"
        )));
    }
    Some(Diagnostic::note(match compilers {
        Compilers::Without => {
            format!("Python {minor} is used, because `{package}` has no wheel for a newer one")
        }
        Compilers::WhereNeeded => format!(
            "`{package}` was compiled, because it has no wheel for Python {minor}; the compiler is \
             not in the image"
        ),
    }))
}

impl Build<'_> {
    /// All layers, lowest first.
    fn layers(&self) -> Result<Vec<ImageLayer>, PythonError> {
        // First what may fail, so that no work is lost on an interpreter that is given up.
        let dependencies = self.dependencies()?;
        let base = self.base(&dependencies.needed)?;
        let mut layers = base.layers().to_vec();
        layers.extend(self.library(&base)?);
        layers.extend(dependencies.layers);
        layers.extend(self.settings(&base)?);
        let as_of = dependencies.as_of.as_deref();
        layers.extend(self.projects(&dependencies.members, as_of)?);
        layers.extend(self.files()?);
        if let (Some(lock), Some(new)) = (self.workshop.project_lock, dependencies.new) {
            lock.settle(new)?;
        }
        Ok(layers)
    }

    /// The service's own base: what the recipe names, and what installed distributions need.
    fn base(&self, needed: &Needed) -> Result<Base, PythonError> {
        let mut request = request(&self.target.interpreter, self.target.architecture);
        if self.workshop.variant == Variant::Slim {
            request.purpose = BasePurpose::Slim;
        }
        request.extra = self
            .recipe
            .system_packages
            .iter()
            .map(|package| package.value.clone())
            .collect();
        for package in needed.packages.keys() {
            if !request.extra.contains(package) {
                request.extra.push(package.clone());
            }
        }
        if request.extra.iter().any(|package| package == "git") {
            request.without = GIT_SCRIPTS.map(str::to_string).to_vec();
            request
                .without
                .retain(|package| !request.extra.contains(package));
        }
        Ok(base::assemble(self.workshop, &request)?)
    }

    /// A root to compile in: the interpreter with its headers, compilers, and these packages.
    pub(super) fn compiler_root(
        &self,
        packages: &[String],
    ) -> Result<Vec<std::path::PathBuf>, PythonError> {
        let workshop = self.workshop;
        workshop.tell("fetching compilers");
        let mut request = request(&self.target.interpreter, self.target.host);
        request.purpose = BasePurpose::Compile;
        request.extra = packages.to_vec();
        if self.steps.has("git") {
            request.extra.push("git".to_string());
        }
        let base = base::assemble(workshop, &request)?;
        Ok(workshop.trees(base.layers())?)
    }

    /// What decides how everything above the base comes out.
    pub(super) fn terms(&self) -> String {
        format!(
            "{RULES} {} {} for {} uv {} {:?}{}",
            self.target.interpreter.minor,
            self.steps.identity(),
            self.target.architecture,
            Toolchains::uv_version(),
            self.options.bytecode,
            match self.workshop.variant {
                Variant::Slim => " slim",
                _ => "",
            },
        )
    }

    /// Works with uv in a sandbox.
    pub(super) fn with_uv<T>(
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
        let program = Program {
            file: &program.path,
            cache: &cache,
        };
        self.in_sandbox(Some(program), work)
    }

    /// Works with the interpreter alone: uv is not fetched for it.
    pub(super) fn with_interpreter<T>(
        &self,
        work: impl FnOnce(&Uv<'_>, &Scratch) -> Result<T, PythonError>,
    ) -> Result<T, PythonError> {
        self.in_sandbox(None, work)
    }

    fn in_sandbox<T>(
        &self,
        program: Option<Program<'_>>,
        work: impl FnOnce(&Uv<'_>, &Scratch) -> Result<T, PythonError>,
    ) -> Result<T, PythonError> {
        let workshop = self.workshop;
        let root = workshop.trees(self.steps.layers())?;
        let uv = Uv {
            sandbox: workshop.sandbox,
            registries: workshop.registries,
            program,
            root: &root,
            subject: workshop.subject,
        };
        work(&uv, &workshop.scratch()?)
    }

    /// The standard library's bytecode.
    fn library(&self, base: &Base) -> Result<Vec<ImageLayer>, PythonError> {
        if self.options.bytecode == Bytecode::Sources {
            return Ok(Vec::new());
        }
        let workshop = self.workshop;
        let interpreter = &self.target.interpreter;
        let key = format!(
            "library of {RULES} {} {} by {}",
            interpreter.minor,
            base.identity_up_to(&interpreter.packages()[0]),
            self.steps.identity_up_to(&interpreter.packages()[0]),
        );
        workshop.layers(&key, || {
            workshop.tell("compiling the standard library");
            self.with_interpreter(|uv, scratch| {
                let work = scratch.directory("work", BUILD_USER)?;
                let trees = workshop.trees(base.layers())?;
                let Some(files) = library::compiled(uv, &trees, interpreter, &work)? else {
                    return Ok(Vec::new());
                };
                let segment = workshop.store.put_segment(&key, &files)?;
                let words = format!("python{}: bytecode", interpreter.minor);
                Ok(vec![self.layer(&[segment], words)?])
            })
        })
    }

    /// Settings of programs in the base.
    fn settings(&self, base: &Base) -> Result<Vec<ImageLayer>, PythonError> {
        if !base.has("git") {
            return Ok(Vec::new());
        }
        let key = format!("{RULES} settings of git");
        self.workshop.layers(&key, || {
            // A repository mounted from the host belongs to the host's user; git would refuse to
            // read it, and tools would take that for a clean one.
            let text = "[safe]\n\tdirectory = *\n";
            let mut files = FileSet::new();
            files.file("etc/gitconfig", Attributes::FILE, text)?;
            let segment = self.workshop.store.put_segment(&key, &files)?;
            Ok(vec![self.layer(&[segment], "git: settings".to_string())?])
        })
    }

    pub(super) fn layer(
        &self,
        segments: &[Segment],
        created_by: String,
    ) -> Result<ImageLayer, PythonError> {
        Ok(ImageLayer {
            layer: self.workshop.store.commit_layer(segments)?,
            created_by,
        })
    }
}
