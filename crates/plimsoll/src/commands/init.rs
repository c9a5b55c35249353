//! `plimsoll init`: what was found, in files that the user edits from then on.

use std::collections::BTreeMap;
use std::path::Path;

use plimsoll_detect::Detection;
use plimsoll_diag::Diagnostic;
use plimsoll_model::Project;
use plimsoll_render::{ClusterOptions, Input, Rendering, Stage};

use crate::cli::InitArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::init::compose_file::ComposeFile;
use crate::init::overlay::{self, Stated};
use crate::init::variables_file::VariablesFile;
use crate::init::{COMPOSE_FILE, OVERLAY, VARIABLES_FILE, merge};
use crate::printer::{Form, Printer};
use crate::project;
use crate::rendered_files::{self, Change, Memory, Written};
use crate::rendered_report;
use crate::settings::Settings;

/// Writes the files, or tells what that would change.
pub(crate) fn run(
    settings: &Settings,
    arguments: &InitArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let written = Written::read(&settings.directory)?;
    let mut plan = Plan {
        settings,
        written,
        force: arguments.force,
        rendering: Rendering::default(),
        memories: BTreeMap::new(),
        kept: Vec::new(),
        told: Vec::new(),
    };
    plan.make()?;
    let mut compared = rendered_files::compare(&plan.rendering, &settings.directory)?;
    for file in &mut compared {
        let is_edited = plan.memories.get(file.path).is_some_and(|it| it.edited);
        if is_edited && file.change != Change::Unchanged {
            file.change = Change::Merged;
        }
    }
    if printer.form() == Form::Json {
        let told: Vec<_> = plan
            .told
            .iter()
            .map(plimsoll_detect::Problem::from)
            .collect();
        printer.answer_json(&serde_json::json!({
            "schema": 1,
            "files": rendered_report::json(&compared),
            "kept": plan.kept,
            "contradictions": told,
        }));
    } else {
        for diagnostic in &plan.told {
            printer.tell(diagnostic);
        }
    }
    if arguments.diff {
        rendered_report::differences(&compared, printer);
        return Ok(ExitStatus::Success);
    }
    if arguments.check {
        return Ok(rendered_report::check(&compared, "init", printer));
    }
    rendered_files::write_with(&compared, &settings.directory, &plan.memories)?;
    rendered_report::summary(&compared, &settings.directory, printer);
    if !plan.kept.is_empty() {
        printer.say(&format!("  edits stay: {}", plan.kept.join(", ")));
    }
    Ok(ExitStatus::Success)
}

struct Plan<'s> {
    settings: &'s Settings,
    written: Written,
    force: bool,
    rendering: Rendering,
    memories: BTreeMap<String, Memory>,
    /// Places whose values were edited, and stay.
    kept: Vec<String>,
    told: Vec<Diagnostic>,
}

impl Plan<'_> {
    fn make(&mut self) -> Result<(), Failure> {
        let ours: Vec<&Path> = [COMPOSE_FILE, OVERLAY, VARIABLES_FILE]
            .into_iter()
            .filter(|path| self.written.parts(path).is_some())
            .map(Path::new)
            .collect();
        // What was written here is no evidence of its own.
        let detection = project::detect_without(self.settings, &ours)?;
        let has_own =
            project::has_compose_file(self.settings) && self.written.parts(COMPOSE_FILE).is_none();
        if has_own {
            return self.beside(&detection);
        }
        if detection.services.is_empty() {
            return Err(project::nothing_found(self.settings, &detection));
        }
        let (project, told) = project::inferred(self.settings, detection.clone());
        self.told = told;
        let file = ComposeFile::of(&project, &detection);
        self.compose(COMPOSE_FILE, &file)?;
        self.variables(&project);
        Ok(())
    }

    /// What goes beside a Compose file that the project has already.
    fn beside(&mut self, detection: &Detection) -> Result<(), Failure> {
        let stated = project::load_as_stated(self.settings)?;
        let completed = project::load_for_rendering(self.settings)?;
        self.told = overlay::contradictions(&completed.project, completed.warnings, detection);
        let images = BTreeMap::new();
        let contents = BTreeMap::new();
        let of = Stated {
            stated: &stated,
            completed: &completed.project,
            input: Input {
                project: &completed.project,
                extensions: &completed.extensions,
                model: completed.model.as_ref(),
                stage: Stage::Development,
                registry: None,
                images: &images,
                contents: &contents,
                cluster: ClusterOptions::default(),
            },
        };
        if let Some(file) = overlay::overlay(&of, detection, &self.told) {
            self.compose(OVERLAY, &file)?;
        }
        self.variables(&completed.project);
        Ok(())
    }

    fn compose(&mut self, path: &str, fresh: &ComposeFile) -> Result<(), Failure> {
        let mut memory = Memory {
            parts: Some(merge::parts(fresh)),
            edited: false,
        };
        let mut text = fresh.text();
        if let Some(present) = self.edited(path) {
            let nothing = BTreeMap::new();
            let before = self.written.parts(path).unwrap_or(&nothing);
            let merged =
                merge::compose(&present, Path::new(path), fresh, before).map_err(|error| {
                    Failure::usage(
                        Diagnostic::error(error.to_string())
                            .hint("mend it, or `--force` writes it anew"),
                    )
                })?;
            text = merged.text;
            self.kept.extend(merged.kept);
            self.told.extend(merged.left);
            memory.edited = true;
        }
        self.rendering.file(path, text);
        self.memories.insert(path.to_owned(), memory);
        Ok(())
    }

    fn variables(&mut self, project: &Project) {
        let fresh = VariablesFile::of(project);
        if fresh.blocks.is_empty() {
            return;
        }
        let names = fresh.blocks.iter().map(|(name, _)| name.clone());
        let mut memory = Memory {
            parts: Some(names.map(|name| (name, String::new())).collect()),
            edited: false,
        };
        let mut text = fresh.text();
        if let Some(present) = self.edited(VARIABLES_FILE) {
            let nothing = BTreeMap::new();
            let before = self.written.parts(VARIABLES_FILE).unwrap_or(&nothing);
            text = merge::variables(&present, &fresh.additions(), before);
            memory.edited = true;
        }
        self.rendering.file(VARIABLES_FILE, text);
        self.memories.insert(VARIABLES_FILE.to_owned(), memory);
    }

    /// The text of a file that somebody edited, or wrote.
    fn edited(&self, path: &str) -> Option<String> {
        let present = fs_err::read_to_string(self.settings.directory.join(path)).ok()?;
        // A file of variables may have been its owner's before anything was added to it.
        let replace = self.force && path != VARIABLES_FILE && self.written.parts(path).is_some();
        (!replace && !self.written.is_untouched(path, &present)).then_some(present)
    }
}
