//! Reads files into one project: documents, includes, extensions, merges.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Diagnostics, Span};

use super::canonical::{self, Unreadable};
use super::check;
use super::files::{STANDARD_INPUT, absolute, read_all, remote_kind, shown};
use super::interpolate::{self, Unset, Variables};
use super::keys::{PROJECT, SECTIONS};
use super::merge;
use super::places::{self, Places};
use super::reset::{self, Resets};
use super::unique;
use crate::yaml::{self, Map, Node, Value};

/// Whether variables are filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interpolation {
    /// They are.
    Fill,
    /// They stay as they are written.
    Keep,
}

/// Work that was given up; what is wrong is told already.
#[derive(Debug)]
pub(super) struct GivenUp;

/// Reads files and remembers what it met.
pub(super) struct Source<'s> {
    /// The directory that shown paths are relative to.
    pub(super) root: &'s Path,
    pub(super) home: Option<&'s str>,
    pub(super) interpolation: Interpolation,
    /// The text that the file `-` has.
    pub(super) standard_input: Option<&'s str>,
    pub(super) unset: Unset,
    pub(super) problems: Diagnostics,
    pub(super) warnings: Vec<Diagnostic>,
    /// Documents by file, so that none is read twice.
    documents: HashMap<PathBuf, Vec<Node>>,
    /// Files that services were extended from, ready to be copied from.
    bases: HashMap<PathBuf, (Map, Resets)>,
}

/// Where a file is read: the directory its paths start from, its variables, and the files that
/// include it.
struct Setting<'s> {
    directory: &'s Path,
    variables: &'s Variables,
    includers: &'s [PathBuf],
}

impl<'s> Source<'s> {
    pub(super) fn new(root: &'s Path, home: Option<&'s str>, interpolation: Interpolation) -> Self {
        Self {
            root,
            home,
            interpolation,
            standard_input: None,
            unset: Unset::default(),
            problems: Diagnostics::default(),
            warnings: Vec::new(),
            documents: HashMap::new(),
            bases: HashMap::new(),
        }
    }

    /// The documents of a file.
    pub(super) fn documents(&mut self, file: &Path) -> Result<Vec<Node>, GivenUp> {
        if let Some(documents) = self.documents.get(file) {
            return Ok(documents.clone());
        }
        let text = match self.standard_input {
            Some(text) if file.as_os_str() == STANDARD_INPUT => text.as_bytes().to_vec(),
            _ => fs_err::read(file).map_err(|error| {
                self.problems
                    .push(Diagnostic::error(format!("cannot read: {error}")));
                GivenUp
            })?,
        };
        let name = shown(file, self.root);
        let read = yaml::decode(text, &name).map_err(Diagnostics::from);
        match read.and_then(|text| yaml::parse(&text, name)) {
            Ok(documents) => {
                self.documents.insert(file.to_path_buf(), documents.clone());
                Ok(documents)
            }
            Err(problems) => {
                self.problems.0.extend(problems.0);
                Err(GivenUp)
            }
        }
    }

    /// Reads files, the later over the earlier, into one project in canonical form with absolute
    /// paths.
    pub(super) fn project(
        &mut self,
        files: &[PathBuf],
        directory: &Path,
        variables: &Variables,
        includers: &[PathBuf],
    ) -> Result<Map, GivenUp> {
        let mut project = Map::new();
        let setting = Setting {
            directory,
            variables,
            includers,
        };
        for file in files {
            self.file(file, &setting, &mut project)?;
        }
        canonical::set_defaults(&mut project);
        self.resolve_places(&mut project, directory);
        self.proceed()?;
        Ok(project)
    }

    fn resolve_places(&mut self, project: &mut Map, directory: &Path) {
        let base = directory.to_string_lossy();
        let places = Places {
            base: &base,
            home: self.home,
        };
        places::resolve(project, &places, &mut self.problems);
    }

    /// Stops when something is wrong.
    fn proceed(&self) -> Result<(), GivenUp> {
        if self.problems.has_errors() {
            Err(GivenUp)
        } else {
            Ok(())
        }
    }

    fn unreadable(&self) -> Unreadable {
        match self.interpolation {
            Interpolation::Fill => Unreadable::Refuse,
            Interpolation::Keep => Unreadable::Keep,
        }
    }

    fn file(
        &mut self,
        file: &Path,
        setting: &Setting<'_>,
        project: &mut Map,
    ) -> Result<(), GivenUp> {
        for document in self.documents(file)? {
            let (mut map, resets) = self.prepare(document, file, setting.variables)?;
            self.include(&mut map, &resets, file, setting)?;
            resets.apply(project);
            self.extend_services(&mut map, &resets, file, setting)?;
            merge::merge_files(project, map, &mut self.problems);
            self.proceed()?;
            unique::enforce(project);
            let mut whole = Node::made(std::mem::take(project));
            check::check(&whole, &PROJECT, &mut self.problems);
            self.proceed()?;
            if let Some(map) = whole.as_map_mut() {
                *project = std::mem::take(map);
            }
            if let Some(version) = project.remove("version") {
                self.warnings.push(
                    Diagnostic::warning("`version` is obsolete and ignored")
                        .at(version.span)
                        .hint("remove the line"),
                );
            }
            canonical::canonicalise(project, self.unreadable(), &mut self.problems);
            self.proceed()?;
            // A range of ports may only now be seen to repeat a port.
            unique::enforce(project);
        }
        Ok(())
    }

    /// A document with its variables filled in, and the places it resets.
    fn prepare(
        &mut self,
        mut document: Node,
        file: &Path,
        variables: &Variables,
    ) -> Result<(Map, Resets), GivenUp> {
        let resets = reset::take(&mut document);
        if self.interpolation == Interpolation::Fill {
            interpolate::interpolate(
                &mut document,
                variables,
                &mut self.unset,
                &mut self.problems,
            );
            self.proceed()?;
        }
        match document.value {
            Value::Map(map) => Ok((map, resets)),
            Value::Null => Ok((Map::new(), resets)),
            other => {
                let found = Node::made(other).kind();
                self.problems.push(
                    Diagnostic::error(format!("a Compose file: expected a mapping, found {found}"))
                        .at(document
                            .span
                            .or_else(|| Some(Span::line(shown(file, self.root), 1)))),
                );
                Err(GivenUp)
            }
        }
    }

    fn include(
        &mut self,
        map: &mut Map,
        resets: &Resets,
        file: &Path,
        setting: &Setting<'_>,
    ) -> Result<(), GivenUp> {
        let Some(includes) = map.remove("include") else {
            return Ok(());
        };
        // What is wrong with its form is told before anything is read.
        let only = Map::from_iter([("include".into(), includes.clone())]);
        check::check(&Node::made(only), &PROJECT, &mut self.problems);
        self.proceed()?;
        let mut includers = setting.includers.to_vec();
        includers.push(file.to_path_buf());
        for entry in includes.as_list().unwrap_or(&[]) {
            self.is_here(Include::written(entry).into_iter())?;
            let request = Include::read(entry, setting.directory);
            for path in &request.files {
                if includers.contains(path) {
                    let mut names: Vec<String> = includers
                        .iter()
                        .skip_while(|&includer| includer != path)
                        .map(|file| shown(file, self.root).display().to_string())
                        .collect();
                    names.push(shown(path, self.root).display().to_string());
                    self.problems.push(
                        Diagnostic::error(format!(
                            "files include each other: {}",
                            names.join(" → ")
                        ))
                        .at(entry.span.clone()),
                    );
                    return Err(GivenUp);
                }
                if !path.is_file() {
                    self.problems.push(
                        Diagnostic::error(format!(
                            "included file {} does not exist",
                            shown(path, self.root).display()
                        ))
                        .at(entry.span.clone())
                        .hint("paths start from the project directory of the file that includes"),
                    );
                    return Err(GivenUp);
                }
            }
            let variables = match read_all(&request.env_files, self.root, &setting.variables.values)
            {
                Ok(values) => {
                    let mut variables = setting.variables.clone();
                    for (name, value) in values {
                        variables.values.entry(name).or_insert(value);
                    }
                    variables
                }
                Err(problems) => {
                    self.problems.0.extend(problems.0);
                    return Err(GivenUp);
                }
            };
            let included =
                self.project(&request.files, &request.directory, &variables, &includers)?;
            self.import(included, map, resets);
        }
        self.proceed()
    }

    /// Puts what was included under what the file itself says.
    fn import(&mut self, included: Map, map: &mut Map, resets: &Resets) {
        for (section, entries) in included {
            if !SECTIONS.contains(&section.text.as_str()) {
                continue;
            }
            let Value::Map(entries) = entries.value else {
                continue;
            };
            let own = map.entry_or(&section.text, || Node::made(Map::new()));
            if own.is_null() {
                own.value = Value::Map(Map::new());
            }
            let Some(own) = own.as_map_mut() else {
                continue;
            };
            for (name, mut entry) in entries {
                match own.get_mut(&name.text) {
                    None => {
                        own.insert(name, entry);
                    }
                    Some(existing) => {
                        resets.apply_in(&section.text, &name.text, &mut entry);
                        let taken = std::mem::take(existing);
                        *existing = merge::merge_entry(
                            &section.text,
                            &name.text,
                            entry,
                            taken,
                            &mut self.problems,
                        );
                    }
                }
            }
        }
    }

    fn extend_services(
        &mut self,
        map: &mut Map,
        resets: &Resets,
        file: &Path,
        setting: &Setting<'_>,
    ) -> Result<(), GivenUp> {
        let Some(services) = map.get_mut("services").and_then(Node::as_map_mut) else {
            return Ok(());
        };
        let names: Vec<String> = services
            .iter()
            .filter(|(_, service)| service.get("extends").is_some())
            .map(|(key, _)| key.text.clone())
            .collect();
        for name in names {
            let step = Step {
                file,
                name: &name,
                previous: None,
            };
            // The first mistake is told: those after it often follow from it.
            self.extend(services, resets, &step, setting)?;
        }
        self.proceed()
    }

    /// Merges a service into what it extends; the result takes its place.
    fn extend(
        &mut self,
        services: &mut Map,
        resets: &Resets,
        step: &Step<'_>,
        setting: &Setting<'_>,
    ) -> Result<(), GivenUp> {
        let Some(extends) = services
            .get(step.name)
            .and_then(|service| service.get("extends"))
            .cloned()
        else {
            return Ok(());
        };
        let (wanted, file) = match &extends.value {
            Value::Text(wanted) => (wanted.clone(), None),
            _ => match extends.get("service").and_then(Node::as_text) {
                Some(wanted) => (
                    wanted.to_owned(),
                    extends.get("file").and_then(Node::as_text),
                ),
                None => {
                    self.problems.push(
                        Diagnostic::error(format!(
                            "`services.{}.extends` needs `service`",
                            step.name
                        ))
                        .at(extends.span.clone()),
                    );
                    return Err(GivenUp);
                }
            },
        };
        let base = match file {
            None => {
                self.must_exist(services, &wanted, &extends, step.file)?;
                self.no_cycle(step, step.file, &wanted, &extends)?;
                let next = Step {
                    file: step.file,
                    name: &wanted,
                    previous: Some(step),
                };
                self.extend(services, resets, &next, setting)?;
                services.get(&wanted).cloned()
            }
            Some(file) => {
                self.is_here(extends.get("file").into_iter())?;
                let path = absolute(&setting.directory.join(file));
                if !path.is_file() {
                    self.problems.push(
                        Diagnostic::error(format!(
                            "service `{}` extends {}, which does not exist",
                            step.name,
                            shown(&path, self.root).display()
                        ))
                        .at(extends.span.clone()),
                    );
                    return Err(GivenUp);
                }
                self.no_cycle(step, &path, &wanted, &extends)?;
                let (mut others, other_resets) = self.base(&path, setting.variables)?;
                self.must_exist(&others, &wanted, &extends, &path)?;
                let next = Step {
                    file: &path,
                    name: &wanted,
                    previous: Some(step),
                };
                self.extend(&mut others, &other_resets, &next, setting)?;
                let base = others.get(&wanted).cloned();
                self.bases.insert(path, (others, other_resets));
                base
            }
        };
        let Some(mut base) = base.filter(|base| !base.is_null()) else {
            return Ok(());
        };
        resets.apply_in("services", step.name, &mut base);
        if let Some(service) = services.get_mut(step.name) {
            let own = std::mem::take(service);
            let span = own.span.clone();
            let mut merged = merge::merge_service(base, own, &mut self.problems);
            merged.span = span;
            if let Some(map) = merged.as_map_mut() {
                map.remove("extends");
            }
            *service = merged;
        }
        Ok(())
    }

    /// Refuses files that would have to be fetched first.
    fn is_here<'n>(&mut self, files: impl Iterator<Item = &'n Node>) -> Result<(), GivenUp> {
        for file in files {
            let Some(text) = file.as_text() else { continue };
            let Some(kind) = remote_kind(text) else {
                continue;
            };
            self.problems.push(
                Diagnostic::error(format!(
                    "`{text}` is in {kind}, from which nothing is fetched"
                ))
                .at(file.span.clone())
                .hint("put the file beside this one, by hand or as a submodule, and name its path"),
            );
        }
        self.proceed()
    }

    fn must_exist(
        &mut self,
        services: &Map,
        wanted: &str,
        extends: &Node,
        file: &Path,
    ) -> Result<(), GivenUp> {
        if services.contains(wanted) {
            return Ok(());
        }
        let mut problem = Diagnostic::error(format!(
            "extends service `{wanted}`, which {} does not have",
            shown(file, self.root).display()
        ))
        .at(extends.span.clone());
        let names = services.iter().map(|(key, _)| key.text.as_str());
        if let Some(near) = check::nearest(wanted, names) {
            problem = problem.hint(format!("did you mean `{near}`?"));
        }
        self.problems.push(problem);
        Err(GivenUp)
    }

    fn no_cycle(
        &mut self,
        step: &Step<'_>,
        file: &Path,
        wanted: &str,
        extends: &Node,
    ) -> Result<(), GivenUp> {
        let mut names = vec![wanted.to_owned()];
        let mut at = Some(step);
        while let Some(step) = at {
            names.push(step.name.to_owned());
            if step.name == wanted && step.file == file {
                names.reverse();
                self.problems.push(
                    Diagnostic::error(format!("services extend each other: {}", names.join(" → ")))
                        .at(extends.span.clone()),
                );
                return Err(GivenUp);
            }
            at = step.previous;
        }
        Ok(())
    }

    /// The services of a file that others extend, in canonical form. They are taken out of the
    /// memory; the caller puts them back.
    fn base(&mut self, file: &Path, variables: &Variables) -> Result<(Map, Resets), GivenUp> {
        if let Some(base) = self.bases.remove(file) {
            return Ok(base);
        }
        let mut project = Map::new();
        let mut resets = Resets::default();
        for document in self.documents(file)? {
            let (map, own) = self.prepare(document, file, variables)?;
            merge::merge_files(&mut project, map, &mut self.problems);
            resets = own;
        }
        unique::enforce(&mut project);
        canonical::canonicalise(&mut project, self.unreadable(), &mut self.problems);
        unique::enforce(&mut project);
        let directory = file.parent().unwrap_or(self.root).to_path_buf();
        self.resolve_places(&mut project, &directory);
        self.proceed()?;
        let services = match project.remove("services").map(|node| node.value) {
            Some(Value::Map(services)) => services,
            _ => {
                self.problems.push(
                    Diagnostic::error("this file has no `services` to extend")
                        .at(Some(Span::line(shown(file, self.root), 1))),
                );
                return Err(GivenUp);
            }
        };
        Ok((services, resets))
    }
}

/// A service that is being extended, and for whom.
struct Step<'s> {
    file: &'s Path,
    name: &'s str,
    previous: Option<&'s Step<'s>>,
}

/// One entry of `include`.
struct Include {
    files: Vec<PathBuf>,
    directory: PathBuf,
    env_files: Vec<PathBuf>,
}

impl Include {
    /// The files as they are written.
    fn written(entry: &Node) -> Vec<&Node> {
        let path = match &entry.value {
            Value::Text(_) => Some(entry),
            _ => entry.get("path"),
        };
        match path.map(|path| (path, path.as_list())) {
            Some((_, Some(list))) => list.iter().collect(),
            Some((path, None)) => vec![path],
            None => Vec::new(),
        }
    }

    fn read(entry: &Node, directory: &Path) -> Self {
        let paths = |node: Option<&Node>| -> Vec<PathBuf> {
            let texts: Vec<&str> = match node.map(|node| &node.value) {
                Some(Value::Text(text)) => vec![text],
                Some(Value::List(list)) => list.iter().filter_map(Node::as_text).collect(),
                _ => Vec::new(),
            };
            texts
                .into_iter()
                .map(|text| absolute(&directory.join(text)))
                .collect()
        };
        let files = match &entry.value {
            Value::Text(_) => paths(Some(entry)),
            _ => paths(entry.get("path")),
        };
        let own = match entry.get("project_directory").and_then(Node::as_text) {
            Some(own) => absolute(&directory.join(own)),
            None => files
                .first()
                .and_then(|file| file.parent())
                .map_or_else(|| directory.to_path_buf(), Path::to_path_buf),
        };
        let mut env_files = paths(entry.get("env_file"));
        if env_files.is_empty() {
            env_files.push(own.join(".env"));
            env_files.retain(|file| file.is_file());
        } else {
            env_files.retain(|file| file != Path::new("/dev/null"));
        }
        Self {
            files,
            directory: own,
            env_files,
        }
    }
}
