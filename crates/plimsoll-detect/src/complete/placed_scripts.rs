//! Scripts that only a Dockerfile puts at the places they are started from: `command: /start` beside
//! `COPY compose/start /start`. An assembled image has them where the project has them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Spanned};
use plimsoll_model::{BuildRecipe, Command, Service};

use crate::claims::{Stage, Starts, start_scripts};
use crate::places;
use crate::tree::Tree;

/// A script of the project.
pub(super) struct PlacedScript {
    /// Where the Dockerfile puts it.
    place: String,
    /// Where the tree has it.
    file: PathBuf,
    /// What runs it.
    shell: &'static str,
    /// Packages of Debian with the programs that it calls.
    packages: BTreeSet<&'static str>,
}

/// Programs of a system that such scripts call, by the package that has them.
const PROGRAMS: &[(&str, &str)] = &[
    ("cat", "coreutils"),
    ("chmod", "coreutils"),
    ("cp", "coreutils"),
    ("date", "coreutils"),
    ("dirname", "coreutils"),
    ("mkdir", "coreutils"),
    ("mv", "coreutils"),
    ("nproc", "coreutils"),
    ("rm", "coreutils"),
    ("seq", "coreutils"),
    ("sleep", "coreutils"),
    ("tr", "coreutils"),
    ("curl", "curl"),
    ("grep", "grep"),
    ("nc", "netcat-openbsd"),
    ("pg_isready", "postgresql-client"),
    ("sed", "sed"),
    ("wget", "wget"),
];

impl PlacedScript {
    /// The script that the Dockerfile puts at `place`. `context` is the build's, relative to the tree.
    fn at(tree: &Tree, context: &Path, stage: &Stage, place: &str) -> Option<Self> {
        let (source, _) = stage.placed.iter().find(|(_, known)| known == place)?;
        let file = places::within(context, source).filter(|file| tree.has_file(file))?;
        let text = tree.source(&file)?;
        let first = text.lines().next()?.strip_prefix("#!")?;
        let program = first.split([' ', '/']).next_back()?.trim();
        let shell = match program {
            "bash" => "bash",
            "sh" | "dash" | "ash" => "sh",
            _ => return None,
        };
        let words = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(|line| line.split([' ', '\t', ';', '&', '|', '(', ')', '`']));
        let called: BTreeSet<&str> = words.collect();
        let mut packages: BTreeSet<&'static str> = PROGRAMS
            .iter()
            .filter(|(program, _)| called.contains(program))
            .map(|(_, package)| *package)
            .collect();
        packages.insert(match shell {
            "bash" => "bash",
            _ => "dash",
        });
        Some(Self {
            place: place.to_owned(),
            file,
            shell,
            packages,
        })
    }

    /// The words that run it in an image of `recipe`.
    fn words(&self, tree: &Tree, recipe: &BuildRecipe) -> Option<[String; 2]> {
        let absolute = tree.root().join(&self.file);
        let inside = absolute.strip_prefix(&recipe.context).ok()?;
        let path = Path::new(crate::python::IMAGE_ROOT).join(inside);
        Some([self.shell.to_owned(), path.display().to_string()])
    }
}

/// The scripts among what a service starts: that of its image's entry point, and that of its command.
pub(super) struct PlacedScripts {
    entry: Option<PlacedScript>,
    command: PlacedScript,
}

impl PlacedScripts {
    /// The scripts that the file's command means, where it means one.
    pub(super) fn of(
        tree: &Tree,
        context: &Path,
        stage: &Stage,
        service: &Service,
    ) -> Option<Self> {
        let at = |place: &str| PlacedScript::at(tree, context, stage, place);
        let command = at(service.command.as_ref()?.value.0.first()?)?;
        let entry = stage.entrypoint.as_ref().map(|line| line.value.words());
        let entry = entry.filter(|words| words.len() == 1 && service.entrypoint.is_none());
        Some(Self {
            entry: entry.and_then(|words| at(words.first()?)),
            command,
        })
    }

    /// What the command's script starts in the end.
    pub(super) fn starts(&self, tree: &Tree) -> Option<Starts> {
        let mut all = start_scripts::of_script(tree, &self.command.file);
        all.pop().map(|launched| launched.starts)
    }

    /// Has the service start them from where an image of `recipe` has them, with what runs them, and says so.
    pub(super) fn start(
        &self,
        tree: &Tree,
        service: &mut Service,
        recipe: &mut BuildRecipe,
    ) -> Option<Diagnostic> {
        let mut words: Vec<String> = match &self.entry {
            Some(entry) => entry.words(tree, recipe)?.to_vec(),
            None => Vec::new(),
        };
        words.extend(self.command.words(tree, recipe)?);
        let command = service.command.as_mut()?;
        words.extend(command.value.0.iter().skip(1).cloned());
        command.value = Command(words);
        let scripts = self.entry.iter().chain([&self.command]);
        let packages: BTreeSet<&str> = scripts
            .flat_map(|script| &script.packages)
            .copied()
            .collect();
        let packages = packages.into_iter().map(|package| Spanned {
            value: package.to_owned(),
            span: command.span.clone(),
        });
        recipe.system_packages.extend(packages);
        Some(
            Diagnostic::note(format!(
                "`{}` is `{}` of the project, which its Dockerfile puts there: it is run from where it is",
                self.command.place,
                self.command.file.display()
            ))
            .at(command.span.clone()),
        )
    }
}
