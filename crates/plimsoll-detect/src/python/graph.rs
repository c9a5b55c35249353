//! Which files and which distributions a file needs: its imports, followed.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};

use plimsoll_diag::Span;

use crate::cache::Cache;
use crate::places;
use crate::python::distributions::distribution_of;
use crate::python::extract::extract;
use crate::python::installed_apps;
use crate::python::module::{Import, Module, Moment};
use crate::python::search_path::additions;
use crate::python::standard::is_standard;
use crate::python::value::last_part;
use crate::tree::{Question, Tree};

static SAYS_ANYTHING: LazyLock<Arc<Question>> = LazyLock::new(|| Arc::new(Question::SaysAnything));

/// The Python files of a tree, parsed when they are asked for.
pub(crate) struct Modules<'t> {
    pub(crate) tree: &'t Tree,
    parsed: Cache<Arc<Path>, Option<Arc<Module>>>,
    /// Files that were parsed before anything led to them.
    adopted: OnceLock<Adopted>,
    /// Packages of the tree that lie in no other, and the directories they lie in.
    packages: OnceLock<BTreeMap<String, Vec<PathBuf>>>,
    /// Where the imports of a file lead, for one list of roots.
    resolved: Cache<Lookup, Arc<Vec<Target>>>,
    /// Directories that a file adds to where its imports are looked up.
    added: Cache<Arc<Path>, Arc<[PathBuf]>>,
    /// Names of Python files and of directories.
    names: OnceLock<HashSet<OsString>>,
}

/// Files that were parsed before anything led to them.
#[derive(Debug, Default)]
pub(super) struct Adopted {
    pub(super) files: HashSet<Arc<Path>>,
    /// Names of functions and classes in them.
    defined: HashSet<String>,
    /// Names of classes alone.
    classes: HashSet<String>,
}

/// A file, and the directories that its imports are looked up in.
type Lookup = (Arc<Path>, Vec<PathBuf>);

/// What an import leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Files of the tree: the packages around it and the module itself.
    Files(Vec<Arc<Path>>),
    /// A module that is not in the tree.
    External(String),
    /// A module that should be in the tree, but is not; or a name that it does not define.
    Missing(String),
}

/// The use of a module that is not in the tree.
#[derive(Debug, Clone)]
pub(crate) struct External {
    pub(crate) moment: Moment,
    pub(crate) span: Span,
}

/// An import that cannot work.
#[derive(Debug, Clone)]
pub(crate) struct MissingImport {
    pub(crate) what: String,
    pub(crate) span: Span,
    pub(crate) moment: Moment,
}

/// What a file needs.
#[derive(Debug, Default)]
pub(crate) struct Closure {
    /// Files of the tree, and when they are first imported.
    pub(crate) files: BTreeMap<Arc<Path>, Moment>,
    /// Modules from elsewhere, by dotted name; the standard library is left out.
    pub(crate) external: BTreeMap<String, External>,
    pub(crate) missing: Vec<MissingImport>,
    /// Directories that have to be searched for modules besides those that were given, and the import that
    /// shows it; what the code adds to its own search path is not among them.
    pub(crate) also_searched: Vec<(PathBuf, Span)>,
}

impl<'t> Modules<'t> {
    pub(crate) fn new(tree: &'t Tree) -> Self {
        Self {
            tree,
            parsed: Cache::default(),
            adopted: OnceLock::new(),
            packages: OnceLock::new(),
            resolved: Cache::default(),
            added: Cache::default(),
            names: OnceLock::new(),
        }
    }

    /// Takes modules that were parsed elsewhere, once.
    pub(crate) fn adopt(&self, modules: impl IntoIterator<Item = Module>) {
        let mut adopted = Adopted::default();
        for module in modules {
            adopted.files.insert(module.path.clone());
            let functions = module.functions.iter().map(|function| &function.name);
            let classes = module.classes.iter().map(|class| &class.name);
            adopted.classes.extend(classes.clone().cloned());
            adopted.defined.extend(functions.chain(classes).cloned());
            self.parsed
                .keep(module.path.clone(), Some(Arc::new(module)));
        }
        self.adopted.get_or_init(|| adopted);
    }

    pub(super) fn adopted(&self) -> &Adopted {
        static NONE: LazyLock<Adopted> = LazyLock::new(Adopted::default);
        self.adopted.get().unwrap_or(&NONE)
    }

    /// Whether the last part of a dotted name may be a function or class of the tree: saves following
    /// names that lead elsewhere.
    pub(crate) fn may_define(&self, name: &str) -> bool {
        self.adopted().defined.contains(last_part(name))
    }

    /// The same for a class alone.
    pub(crate) fn may_define_class(&self, name: &str) -> bool {
        self.adopted().classes.contains(last_part(name))
    }

    /// Whether a file or directory of the tree has the name of a module's first part: hardly any of what is imported
    /// from elsewhere does, and need not be looked for in every directory.
    pub(super) fn may_hold(&self, dotted: &str) -> bool {
        let names = self.names.get_or_init(|| {
            let mut names = HashSet::new();
            for file in self.tree.files() {
                let stem = file.path.file_stem();
                let python = file.path.extension().is_some_and(|end| end == "py");
                names.extend(stem.filter(|_| python).map(OsStr::to_owned));
                let directories = file.path.parent().into_iter().flat_map(Path::iter);
                for directory in directories {
                    if !names.contains(directory) {
                        names.insert(directory.to_owned());
                    }
                }
            }
            names
        });
        let first = dotted.split('.').next().unwrap_or(dotted);
        names.contains(OsStr::new(first))
    }

    /// The module at `path`.
    pub(crate) fn get(&self, path: &Path) -> Option<Arc<Module>> {
        if let Some(known) = self.parsed.get(path) {
            return known;
        }
        let path: Arc<Path> = Arc::from(path);
        let module = extract(self.tree, &path).map(Arc::new);
        self.parsed.keep(path, module)
    }

    /// The file of the dotted module under `root`: `a/b.py` or `a/b/__init__.py`.
    pub(crate) fn file_of(&self, root: &Path, dotted: &str) -> Option<PathBuf> {
        let base = root.join(dotted.replace('.', "/"));
        let package = base.join("__init__.py");
        if self.tree.has_file(&package) {
            return Some(package);
        }
        let module = PathBuf::from(format!("{}.py", places::text(&base)));
        self.tree.has_file(&module).then_some(module)
    }

    /// Whether a module or a directory of that name lies under `root`.
    pub(crate) fn exists(&self, root: &Path, dotted: &str) -> bool {
        self.file_of(root, dotted).is_some()
            || self
                .tree
                .has_directory(&root.join(dotted.replace('.', "/")))
    }

    /// The file of a module seen from any of `roots`.
    pub(crate) fn find(&self, roots: &[PathBuf], dotted: &str) -> Option<PathBuf> {
        roots.iter().find_map(|root| self.file_of(root, dotted))
    }

    /// The same, after the packages around it.
    fn find_with_packages(&self, roots: &[PathBuf], dotted: &str) -> Vec<Arc<Path>> {
        if !self.may_hold(dotted) {
            return Vec::new();
        }
        let Some(root) = roots
            .iter()
            .find(|root| self.file_of(root, dotted).is_some())
        else {
            return Vec::new();
        };
        let ends = dotted.match_indices('.').map(|(end, _)| end);
        ends.chain([dotted.len()])
            .filter_map(|end| self.file_of(root, &dotted[..end]))
            .map(Arc::from)
            .collect()
    }

    /// What `import` of `module` leads to, when modules are imported from `roots`.
    pub(crate) fn resolve(&self, module: &Module, import: &Import, roots: &[PathBuf]) -> Target {
        let (root, dotted) = if import.level > 0 {
            let mut base = module.path.parent();
            for _ in 1..import.level {
                base = base.and_then(Path::parent);
            }
            let Some(base) = base else {
                return Target::Missing(format!("{}{}", ".".repeat(import.level), import.module));
            };
            (base.to_owned(), import.module.clone())
        } else {
            let top = import.module.split('.').next().unwrap_or_default();
            if is_standard(top) || !self.may_hold(top) {
                return Target::External(import.module.clone());
            }
            let owner = roots.iter().find(|root| {
                // A directory without Python in it is no package: `redis/` may hold its configuration.
                self.file_of(root, top).is_some() || self.holds_python(&root.join(top))
            });
            match owner {
                Some(root) => (root.clone(), import.module.clone()),
                None => return Target::External(import.module.clone()),
            }
        };
        self.resolve_below(&root, &dotted, import)
    }

    fn holds_python(&self, directory: &Path) -> bool {
        self.tree.has_directory(directory)
            && self
                .tree
                .files()
                .iter()
                .skip(
                    self.tree
                        .files()
                        .partition_point(|file| *file.path < *directory),
                )
                .take_while(|file| file.path.starts_with(directory))
                .any(|file| file.path.extension().is_some_and(|end| end == "py"))
    }

    fn resolve_below(&self, root: &Path, dotted: &str, import: &Import) -> Target {
        let mut files: Vec<Arc<Path>> = Vec::new();
        let mut base = root.to_owned();
        let mut last: Option<PathBuf> = None;
        if import.level > 0 && dotted.is_empty() {
            let package = root.join("__init__.py");
            if self.tree.has_file(&package) {
                last = Some(package.clone());
                files.push(Arc::from(package));
            }
        }
        for part in dotted.split('.').filter(|part| !part.is_empty()) {
            match self.file_of(&base, part) {
                Some(file) => {
                    last = Some(file.clone());
                    files.push(Arc::from(file));
                }
                None if self.tree.has_directory(&base.join(part)) => last = None,
                None => {
                    let dots = ".".repeat(import.level);
                    return Target::Missing(format!("{dots}{dotted}"));
                }
            }
            base.push(part);
        }
        let Some(name) = import.name.as_deref().filter(|name| *name != "*") else {
            return Target::Files(files);
        };
        if let Some(submodule) = self.file_of(&base, name) {
            files.push(Arc::from(submodule));
            return Target::Files(files);
        }
        if self.exists(&base, name) {
            return Target::Files(files);
        }
        match last.as_deref().and_then(|file| self.get(file)) {
            Some(module) if !module.defines(name) && module.syntax_error.is_none() => {
                let dots = ".".repeat(import.level);
                Target::Missing(format!("{dots}{dotted}:{name}"))
            }
            _ => Target::Files(files),
        }
    }

    /// The one directory of the tree that holds a package of this name: a part of the repository that no
    /// manifest declares.
    fn member(&self, top: &str) -> Option<&Path> {
        let packages = self.packages.get_or_init(|| {
            let mut packages: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
            for file in self.tree.files() {
                let is_package = file.path.file_name().is_some_and(|it| it == "__init__.py");
                if !is_package || places::set_aside(&file.path).is_some() {
                    continue;
                }
                let Some(directory) = file.path.parent() else {
                    continue;
                };
                let (Some(name), Some(home)) = (directory.file_name(), directory.parent()) else {
                    continue;
                };
                if !self.tree.has_file(&home.join("__init__.py")) {
                    let name = name.to_string_lossy().into_owned();
                    packages.entry(name).or_default().push(home.to_owned());
                }
            }
            packages
        });
        match packages.get(top)?.as_slice() {
            [home] => Some(home),
            _ => None,
        }
    }

    /// A directory above a file, or elsewhere in the tree, that holds a module which the file imports, and
    /// which nothing else gives.
    fn unsearched(
        &self,
        module: &Module,
        roots: &[PathBuf],
        given: &dyn Fn(&str) -> bool,
    ) -> Option<(PathBuf, Span)> {
        module.imports.iter().find_map(|import| {
            let top = import.module.split('.').next().unwrap_or_default();
            let candidate = import.level == 0
                && import.scope.moment <= Moment::Call
                && !import.scope.main
                && !top.is_empty()
                && !is_standard(top)
                && distribution_of(top).is_none();
            if !candidate || roots.iter().any(|root| self.exists(root, top)) || given(top) {
                return None;
            }
            let gives = |directory: &&Path| {
                matches!(
                    self.resolve_below(directory, &import.module, import),
                    // A file that has the name of what it imports does not mean itself.
                    Target::Files(files) if files.last().is_some_and(|file| *file != module.path)
                )
            };
            let mut above = module.path.ancestors().skip(1);
            let root = above
                .find(|directory| {
                    // What is searched for modules is itself no package, but for a file that makes it one and says
                    // nothing.
                    let marker = directory.join("__init__.py");
                    let says_nothing = || {
                        let answer = self.tree.answer(&marker, &SAYS_ANYTHING);
                        answer.is_some_and(|answer| answer.is_empty())
                    };
                    let package = self.tree.has_file(&marker) && !says_nothing();
                    !package && self.exists(directory, top) && gives(directory)
                })
                .or_else(|| self.member(top).filter(gives))?;
            (!roots.iter().any(|known| known == root))
                .then(|| (root.to_owned(), module.span(import.place)))
        })
    }

    /// Where every import of a file leads.
    fn targets(&self, module: &Module, roots: &[PathBuf]) -> Arc<Vec<Target>> {
        let key = (module.path.clone(), roots.to_vec());
        if let Some(known) = self.resolved.get(&key) {
            return known;
        }
        let targets: Vec<Target> = module
            .imports
            .iter()
            .map(|import| self.resolve(module, import, roots))
            .collect();
        self.resolved.keep(key, Arc::new(targets))
    }

    fn additions(&self, module: &Module) -> Arc<[PathBuf]> {
        let known = self.added.get(&module.path);
        known.unwrap_or_else(|| {
            let added = additions(module).into();
            self.added.keep(module.path.clone(), added)
        })
    }

    /// Everything that `entry` needs. `as_script`: whether it is started itself rather than imported.
    pub(crate) fn closure(&self, entry: &Path, roots: &[PathBuf], start: Start) -> Closure {
        self.closure_beside(entry, roots, start, &|_| false)
    }

    /// The same, beside installed distributions: `given` tells whether one of them gives a module.
    pub(crate) fn closure_beside(
        &self,
        entry: &Path,
        roots: &[PathBuf],
        start: Start,
        given: &dyn Fn(&str) -> bool,
    ) -> Closure {
        let mut closure = Closure::default();
        let mut queue: VecDeque<(Arc<Path>, Moment)> = VecDeque::new();
        // Importing a module imports the packages around it first.
        let mut directory = entry.parent();
        while let Some(around) = directory {
            let package = around.join("__init__.py");
            if !self.tree.has_file(&package) || roots.iter().any(|root| root == around) {
                break;
            }
            queue.push_back((Arc::from(package), Moment::Import));
            directory = around.parent();
        }
        let entry: Arc<Path> = Arc::from(entry);
        queue.push_back((entry.clone(), Moment::Import));
        let mut missing: BTreeMap<(String, Span), Moment> = BTreeMap::new();
        let mut roots = roots.to_vec();
        while let Some((path, moment)) = queue.pop_front() {
            if closure
                .files
                .get(&path)
                .is_some_and(|known| *known <= moment)
            {
                continue;
            }
            closure.files.insert(path.clone(), moment);
            let Some(module) = self.get(&path) else {
                continue;
            };
            for added in &*self.additions(&module) {
                if !roots.contains(added) && self.tree.has_directory(added) {
                    roots.push(added.clone());
                }
            }
            if let Some((root, span)) = self.unsearched(&module, &roots, given) {
                closure.also_searched.push((root.clone(), span));
                roots.push(root);
            }
            for named in installed_apps::named_by(&module) {
                let files = self.find_with_packages(&roots, &named).into_iter();
                queue.extend(files.map(|file| (file, moment)));
            }
            let targets = self.targets(&module, &roots);
            for (import, target) in module.imports.iter().zip(targets.iter()) {
                if import.scope.moment == Moment::Never
                    || import.scope.main && !(path == entry && start == Start::Script)
                {
                    continue;
                }
                let moment = moment.max(import.scope.moment);
                match target {
                    Target::Files(files) => {
                        queue.extend(files.iter().map(|file| (file.clone(), moment)));
                    }
                    Target::External(dotted) => {
                        let top = dotted.split('.').next().unwrap_or_default();
                        if top.is_empty() || is_standard(top) {
                            continue;
                        }
                        // `from google.cloud import storage` names a module, too.
                        let dotted = match &import.name {
                            Some(name)
                                if name != "*"
                                    && name.chars().all(|c| c.is_lowercase() || c == '_') =>
                            {
                                format!("{dotted}.{name}")
                            }
                            _ => dotted.clone(),
                        };
                        let span = module.span(import.place);
                        let known = closure.external.entry(dotted).or_insert(External {
                            moment,
                            span: span.clone(),
                        });
                        if moment < known.moment {
                            *known = External { moment, span };
                        }
                    }
                    // A directory that happens to have the name of a distribution is not what is meant.
                    Target::Missing(what)
                        if import.level == 0
                            && !what.contains(':')
                            && given(what.split('.').next().unwrap_or_default()) =>
                    {
                        let span = module.span(import.place);
                        let known = closure.external.entry(what.clone()).or_insert(External {
                            moment,
                            span: span.clone(),
                        });
                        if moment < known.moment {
                            *known = External { moment, span };
                        }
                    }
                    Target::Missing(what) => {
                        let known = missing
                            .entry((what.clone(), module.span(import.place)))
                            .or_insert(moment);
                        *known = (*known).min(moment);
                    }
                }
            }
        }
        closure.missing = missing
            .into_iter()
            .map(|((what, span), moment)| MissingImport { what, span, moment })
            .collect();
        closure
    }
}

/// How an entry is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// Another program imports it.
    Imported,
    /// It is run itself.
    Script,
}
