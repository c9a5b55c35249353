//! Building what a Dockerfile says: stage by stage, instruction by instruction.
//!
//! Commands run in the [`Sandbox`](crate::Sandbox), everything else is done here. Each
//! instruction that changes files becomes a layer that is remembered by what went into it: the
//! layers below, the command, its environment, the content that it copies. Only stages that the
//! target needs are built.

mod accounts;
mod add;
mod configuration;
mod copy;
mod error;
mod mounts;
mod placement;
mod run;
mod sources;
mod stage;
mod surroundings;
mod variables;
mod view;
mod written;

use std::cell::{OnceCell, RefCell, RefMut};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;
use plimsoll_diag::{Diagnostics, Spanned};
use plimsoll_model::dockerfile::{
    Dockerfile, From, Instruction, InstructionKind, Stage, StageReference, stages,
};
use plimsoll_model::{BuildNetwork, BuildRecipe, DockerfileRecipe, DockerfileSource};

pub use error::DockerfileError;
pub(crate) use run::PATH;

use crate::StepNetwork;
use crate::application::{Ignore, KnownHashes, Purpose};
use crate::builder::{BuildError, ObtainedImage};
use crate::layer::{Attributes, FileSet};
use crate::oci::{Architecture, ImageConfig};
use crate::store::ImageLayer;
use crate::workshop::Workshop;
use stage::{Made, RULES, StageState, layer};
use variables::{Given, Variables};
use view::View;

/// How a base is obtained by its reference.
pub(crate) type Obtain<'a> = &'a dyn Fn(&str) -> Result<ObtainedImage, BuildError>;

/// One build of a Dockerfile.
struct Build<'b, 'w> {
    workshop: &'b Workshop<'w>,
    obtain: Obtain<'b>,
    recipe: &'b DockerfileRecipe,
    /// The build context.
    root: &'b Path,
    /// The Dockerfile, where it is a file.
    path: Option<&'b Path>,
    escape: char,
    stages: &'b [Stage<'b>],
    /// Arguments before the first `FROM`.
    head: Variables,
    given: Given,
    context: OnceCell<View>,
    hashes: RefCell<KnownHashes>,
    built: RefCell<BTreeMap<usize, StageState>>,
    images: RefCell<BTreeMap<String, StageState>>,
}

/// Makes the layers of what a Dockerfile says, and says how its image starts.
pub(crate) fn build(
    workshop: &Workshop<'_>,
    recipe: &BuildRecipe,
    dockerfile: &DockerfileRecipe,
    obtain: Obtain<'_>,
) -> Result<(Vec<ImageLayer>, ImageConfig), DockerfileError> {
    let (text, path) = match &dockerfile.source {
        DockerfileSource::File(path) => {
            let text = fs::read_to_string(path).map_err(|source| DockerfileError::Unreadable {
                path: path.clone(),
                source,
            })?;
            (text, Some(path.as_path()))
        }
        DockerfileSource::Inline(text) => (text.value.clone(), None),
    };
    let input = Input {
        text: &text,
        path,
        root: &recipe.context,
        recipe: dockerfile,
    };
    let mut state = execute(workshop, &input, obtain, BTreeMap::new())?;
    for (name, value) in &dockerfile.labels {
        state.config.labels.insert(name.clone(), value.clone());
    }
    if state.variables.lookup("PATH").is_none() {
        let path = ("PATH".to_owned(), PATH.to_owned());
        state.config.environment.insert(0, path);
    }
    // They say what the base is, not what was built on it.
    crate::stand_in::forget_labels(&mut state.config);
    Ok((state.layers, state.config))
}

/// The same for a text of ours, whose `FROM system` is these layers.
pub(crate) fn build_on(
    workshop: &Workshop<'_>,
    text: &str,
    contexts: Vec<(String, String)>,
    layers: Vec<ImageLayer>,
    config: ImageConfig,
) -> Result<(Vec<ImageLayer>, ImageConfig), DockerfileError> {
    let nowhere = workshop.scratch()?;
    let recipe = DockerfileRecipe {
        source: DockerfileSource::Inline(Spanned::unplaced(String::new())),
        target: None,
        args: Vec::new(),
        contexts,
        secrets: Vec::new(),
        ssh: Vec::new(),
        labels: Vec::new(),
        network: BuildNetwork::Host,
        shm_size: None,
    };
    let input = Input {
        text,
        path: None,
        root: nowhere.path(),
        recipe: &recipe,
    };
    let base = StageState::new(layers, config, '\\');
    let images = BTreeMap::from([("system".to_owned(), base)]);
    let none = |reference: &str| {
        Err(BuildError::NotHere {
            reference: reference.to_owned(),
        })
    };
    let state = execute(workshop, &input, &none, images)?;
    Ok((state.layers, state.config))
}

/// A step that makes a whole system of the root it runs in.
pub(crate) struct SystemStep<'a> {
    /// For messages.
    pub name: &'a str,
    /// What the shell runs.
    pub script: &'a str,
    /// Shown at `/packages`.
    pub packages: &'a Path,
}

/// Runs a step on these layers, and gives what they and the step come to as one layer.
pub(crate) fn flattened(
    workshop: &Workshop<'_>,
    layers: &[ImageLayer],
    step: &SystemStep<'_>,
    created_by: &str,
) -> Result<ImageLayer, DockerfileError> {
    let scratch = workshop.scratch()?;
    let trees = workshop.trees(layers)?;
    let lower = View::of_layers(&trees);
    let writes = run::system_step(workshop, &trees, step, &scratch)?;
    let packages = PathBuf::from("/packages");
    // What was made for mounts must not become part of it, so it goes through a layer.
    let files = written::files(&writes, &lower, &[packages])?;
    let above = stage::import(workshop, &files, created_by)?;
    let mut all = trees;
    all.push(workshop.store.unpacked(&above.layer)?);
    let whole = View::of_layers(&all);
    let found = sources::find(&whole, "", &Ignore::default())?;
    let nothing = View::of_layers(&[]);
    let mut placement = placement::Placement::new(&nothing, None, None, None);
    for one in &found {
        placement.put(one, "")?;
    }
    stage::import(workshop, &placement.finish(), created_by)
}

/// What is built.
struct Input<'a> {
    text: &'a str,
    /// The Dockerfile, where it is a file.
    path: Option<&'a Path>,
    /// The build context.
    root: &'a Path,
    recipe: &'a DockerfileRecipe,
}

fn execute(
    workshop: &Workshop<'_>,
    input: &Input<'_>,
    obtain: Obtain<'_>,
    images: BTreeMap<String, StageState>,
) -> Result<StageState, DockerfileError> {
    let Input {
        text,
        path,
        root,
        recipe,
    } = *input;
    let file = Dockerfile::parse(text, shown(workshop, path)).map_err(DockerfileError::Invalid)?;
    let invalid = |problem| DockerfileError::Invalid(Diagnostics(vec![problem]));
    let (arguments, stages) = stages(&file).map_err(invalid)?;
    let target = target(&stages, recipe.target.as_ref())?;
    let name = stages[target]
        .name()
        .map_or("default", |name| name.value.as_str());
    let given = Given::new(
        recipe
            .args
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
            .collect(),
        workshop.architecture,
        workshop.host,
        name,
    );
    let hashes = workshop.cache.join("dockerfile-hashes");
    let build = Build {
        workshop,
        obtain,
        recipe,
        root,
        path,
        escape: file.escape,
        head: Variables::of_head(file.escape, &arguments, &given)?,
        stages: &stages,
        given,
        context: OnceCell::new(),
        hashes: RefCell::new(KnownHashes::open(&hashes, root, Purpose::BuildInput)),
        built: RefCell::default(),
        images: RefCell::new(images),
    };
    let state = build.stage(target)?;
    build.hashes.into_inner().save();
    Ok(state)
}

/// The file as it is shown: relative to the project.
fn shown(workshop: &Workshop<'_>, path: Option<&Path>) -> Arc<Path> {
    let Some(path) = path else {
        return Arc::from(Path::new("dockerfile_inline"));
    };
    let project = workshop.registries.settings().project.as_deref();
    let relative = project.and_then(|project| path.strip_prefix(project).ok());
    Arc::from(relative.unwrap_or(path))
}

/// The stage to build.
fn target(
    stages: &[Stage<'_>],
    wanted: Option<&Spanned<String>>,
) -> Result<usize, DockerfileError> {
    let Some(wanted) = wanted else {
        return Ok(stages.len() - 1);
    };
    match StageReference::find_or_count(stages, stages.len(), &wanted.value) {
        StageReference::Stage(index) => Ok(index),
        StageReference::Other => Err(unknown_stage(stages, wanted)),
    }
}

fn unknown_stage(stages: &[Stage<'_>], wanted: &Spanned<String>) -> DockerfileError {
    let names: Vec<&str> = stages
        .iter()
        .filter_map(|stage| Some(stage.name()?.value.as_str()))
        .collect();
    let error = DockerfileError::at(
        wanted.span.clone(),
        format!("the Dockerfile has no stage `{}`", wanted.value),
    );
    match names.is_empty() {
        true => error.hint("none of its stages has a name: `FROM image AS name`"),
        false => error.hint(format!("its stages are {}", names.join(", "))),
    }
}

impl Build<'_, '_> {
    /// A stage, built now if it was not before.
    fn stage(&self, index: usize) -> Result<StageState, DockerfileError> {
        if let Some(known) = self.built.borrow().get(&index) {
            return Ok(known.clone());
        }
        let stage = &self.stages[index];
        let mut state = self.base(index, stage.from)?;
        state.variables = Variables::new(self.escape, state.config.environment.clone());
        state.says_command = false;
        let triggers = std::mem::take(&mut state.config.on_build);
        for trigger in triggers {
            let file = Path::new("ONBUILD of the base");
            let instruction =
                Dockerfile::parse_trigger(&trigger, file).map_err(DockerfileError::Invalid)?;
            self.apply(&mut state, index, &instruction)?;
        }
        for instruction in stage.instructions {
            self.apply(&mut state, index, instruction)?;
        }
        self.built.borrow_mut().insert(index, state.clone());
        Ok(state)
    }

    /// What a stage begins with.
    fn base(&self, index: usize, from: &From) -> Result<StageState, DockerfileError> {
        if let Some(platform) = &from.platform {
            let wanted = self.head.expand(platform)?;
            self.check_platform(platform, &wanted)?;
        }
        let name = self.head.expand(&from.base)?;
        let base = Spanned {
            value: name,
            span: from.base.span.clone(),
        };
        if base.value.is_empty() {
            return Err(
                DockerfileError::at(base.span, "the name of the base is empty")
                    .hint("give the argument in it a default: `ARG VERSION=1` before `FROM`"),
            );
        }
        if let Some((_, place)) = self.named_context(&base.value) {
            return match place.strip_prefix("docker-image://") {
                Some(reference) => self.image(reference, &base),
                None => Err(DockerfileError::at(
                    base.span.clone(),
                    format!("the context `{}` is a directory, not an image", base.value),
                )),
            };
        }
        if base.value == "scratch" {
            let state = StageState::new(Vec::new(), ImageConfig::default(), self.escape);
            return Ok(state);
        }
        match StageReference::find(self.stages, index, &base.value) {
            StageReference::Stage(earlier) => self.stage(earlier),
            StageReference::Other => self.image(&base.value, &base),
        }
    }

    fn check_platform(&self, word: &Spanned<String>, wanted: &str) -> Result<(), DockerfileError> {
        let architecture = wanted.split('/').nth(1).unwrap_or(wanted);
        let known = architecture.parse::<Architecture>().ok();
        if known == Some(self.workshop.architecture) && wanted.starts_with("linux") {
            return Ok(());
        }
        Err(DockerfileError::at(
            word.span.clone(),
            format!(
                "a stage for `{wanted}` is not built on linux/{}",
                self.workshop.host.name()
            ),
        )
        .hint("commands run on this machine's processor, without emulation"))
    }

    /// An image of others as a stage.
    fn image(
        &self,
        reference: &str,
        place: &Spanned<String>,
    ) -> Result<StageState, DockerfileError> {
        if let Some(known) = self.images.borrow().get(reference) {
            return Ok(known.clone());
        }
        self.workshop.tell(format!("FROM {reference}"));
        let obtained = (self.obtain)(reference).map_err(|source| DockerfileError::Base {
            reference: reference.to_owned(),
            span: place.span.clone(),
            source: Box::new(source),
        })?;
        let image = obtained.image;
        let created_by = format!("FROM {reference}");
        let layers = image
            .layers
            .into_iter()
            .map(|layer| ImageLayer {
                layer,
                created_by: created_by.clone(),
            })
            .collect();
        let state = StageState::new(layers, image.config, self.escape);
        self.images
            .borrow_mut()
            .insert(reference.to_owned(), state.clone());
        Ok(state)
    }

    /// What `--from` names: a context with a name, an earlier stage, or an image.
    fn source_view(&self, index: usize, from: &Spanned<String>) -> Result<View, DockerfileError> {
        if let Some((_, place)) = self.named_context(&from.value) {
            if let Some(reference) = place.strip_prefix("docker-image://") {
                return self.image(reference, from)?.view(self.workshop);
            }
            let root = PathBuf::from(place);
            let ignore = ignore_file(&root.join(".dockerignore"))?.unwrap_or_default();
            return Ok(View::of_context(&root, ignore));
        }
        match StageReference::find_or_count(self.stages, index, &from.value) {
            StageReference::Stage(earlier) => self.stage(earlier)?.view(self.workshop),
            StageReference::Other => {
                let later = self.stages[index..].iter().any(|stage| {
                    let name = stage.name();
                    name.is_some_and(|name| name.value.eq_ignore_ascii_case(&from.value))
                });
                if later {
                    return Err(DockerfileError::at(
                        from.span.clone(),
                        format!("the stage `{}` is not before this one", from.value),
                    )
                    .hint("stages can use only those above them: move it up"));
                }
                if from.value.parse::<usize>().is_ok() {
                    return Err(unknown_stage(self.stages, from));
                }
                self.image(&from.value, from)?.view(self.workshop)
            }
        }
    }

    fn named_context(&self, name: &str) -> Option<&(String, String)> {
        self.recipe.contexts.iter().find(|(known, _)| known == name)
    }

    /// The build context without what is ignored.
    fn context(&self) -> Result<&View, DockerfileError> {
        if let Some(known) = self.context.get() {
            return Ok(known);
        }
        let beside = self.path.map(|path| {
            let mut name = path.as_os_str().to_owned();
            name.push(".dockerignore");
            PathBuf::from(name)
        });
        let mut ignore = None;
        if let Some(beside) = beside {
            ignore = ignore_file(&beside)?;
        }
        if ignore.is_none() {
            ignore = ignore_file(&self.root.join(".dockerignore"))?;
        }
        let view = View::of_context(self.root, ignore.unwrap_or_default());
        Ok(self.context.get_or_init(|| view))
    }

    fn known_hashes(&self) -> RefMut<'_, KnownHashes> {
        self.hashes.borrow_mut()
    }

    fn recipe_network(&self) -> StepNetwork {
        match self.recipe.network {
            BuildNetwork::Host => StepNetwork::Host,
            BuildNetwork::None => StepNetwork::None,
        }
    }

    /// Does what an instruction says.
    fn apply(
        &self,
        state: &mut StageState,
        index: usize,
        instruction: &Instruction,
    ) -> Result<(), DockerfileError> {
        match &instruction.kind {
            InstructionKind::Run(run) => self.run(state, index, instruction, run),
            InstructionKind::Copy(copy) => self.copy(state, index, instruction, copy),
            InstructionKind::Workdir(word) => {
                let path = state.variables.expand(word)?;
                state.config.working_dir = state.absolute(&path);
                self.make_directory(state, instruction)
            }
            InstructionKind::Arg(arguments) => arguments.iter().try_for_each(|argument| {
                state
                    .variables
                    .declare(argument, &self.given, Some(&self.head))
            }),
            // A stage begins with it and holds no other.
            InstructionKind::From(_) => Ok(()),
            _ => configuration::apply(state, instruction),
        }
    }

    /// Makes the working directory where it is missing.
    fn make_directory(
        &self,
        state: &mut StageState,
        instruction: &Instruction,
    ) -> Result<(), DockerfileError> {
        let view = state.view(self.workshop)?;
        let place = view.resolve(&state.config.working_dir)?;
        if place.is_empty() || view.at(&place)?.is_some() {
            return Ok(());
        }
        let created_by = run::shortened(instruction);
        let key = format!("{RULES} directory {place} on {}", state.identity());
        let layers = layer(self.workshop, &key, &created_by, || {
            let mut placement =
                placement::Placement::new(&view, Some(instruction.span.clone()), None, None);
            placement.parents(&place)?;
            let mut files: FileSet = placement.finish();
            files.directory(&place, Attributes::DIRECTORY)?;
            Ok(Made {
                files,
                _place: None,
            })
        })?;
        state.layers.extend(layers);
        Ok(())
    }
}

fn ignore_file(path: &Path) -> Result<Option<Ignore>, DockerfileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(Ignore::parse(&text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
