//! The Python side of a tree: its projects, its modules, and how names lead from one to another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cache::Cache;
use crate::python::evaluate::{Constant, evaluate};
use crate::python::graph::{Modules, Target};
use crate::python::import_root::import_root;
use crate::python::module::{Binding, Module, PlacedCall};
use crate::python::project::{BrokenManifest, PythonProject};
use crate::python::value::{Call, Value};
use crate::python::{settings, settings_file};
use crate::tree::Tree;

/// The Python side of a tree.
pub(crate) struct Workspace<'t> {
    pub(crate) tree: &'t Tree,
    pub(crate) modules: Modules<'t>,
    pub(crate) projects: BTreeMap<PathBuf, PythonProject>,
    pub(crate) broken: Vec<BrokenManifest>,
    homes: Cache<PathBuf, (PathBuf, String)>,
    roots: Cache<PathBuf, Arc<[PathBuf]>>,
    /// The file that an import leads to, by the file it stands in and its number there.
    led: Cache<ImportNumber, Option<Arc<Path>>>,
}

/// A file, and which of its imports.
type ImportNumber = (Arc<Path>, usize);

/// Where a name is bound.
pub(crate) struct Definition {
    pub(crate) module: Arc<Module>,
    pub(crate) binding: Binding,
}

impl<'t> Workspace<'t> {
    pub(crate) fn new(tree: &'t Tree) -> Self {
        let (projects, broken) = PythonProject::find(tree);
        Self {
            tree,
            modules: Modules::new(tree),
            projects,
            broken,
            homes: Cache::default(),
            roots: Cache::default(),
            led: Cache::default(),
        }
    }

    /// The project that a file belongs to: the one in the closest directory above.
    pub(crate) fn project_of(&self, path: &Path) -> Option<&PythonProject> {
        path.ancestors()
            .skip(1)
            .find_map(|directory| self.projects.get(directory))
    }

    /// The directory a file is imported from, and its dotted name there.
    pub(crate) fn home(&self, path: &Path) -> (PathBuf, String) {
        if let Some(known) = self.homes.get(path) {
            return known;
        }
        let candidates = self
            .project_of(path)
            .map(|project| project.import_roots.clone())
            .unwrap_or_default();
        let home = import_root(&self.modules, path, &candidates);
        self.homes.keep(path.to_owned(), home)
    }

    /// The directories that a file's imports are looked up in, in order.
    pub(crate) fn roots(&self, path: &Path) -> Arc<[PathBuf]> {
        if let Some(known) = self.roots.get(path) {
            return known;
        }
        let mut roots = vec![self.home(path).0];
        if let Some(project) = self.project_of(path) {
            roots.extend(project.import_roots.iter().cloned());
            // Members of one workspace are installed side by side.
            for directory in project.uv_lock.iter().flat_map(|lock| lock.members.keys()) {
                if let Some(member) = self.projects.get(directory) {
                    roots.extend(member.import_roots.iter().cloned());
                }
            }
        }
        let mut seen = BTreeSet::new();
        roots.retain(|root| seen.insert(root.clone()));
        let roots: Arc<[PathBuf]> = Arc::from(roots);
        self.roots.keep(path.to_owned(), roots)
    }

    /// The file of the tree that an import of a module leads to, by its number there.
    pub(crate) fn leads_to(&self, module: &Module, number: usize) -> Option<Arc<Path>> {
        let key = (module.path.clone(), number);
        if let Some(known) = self.led.get(&key) {
            return known;
        }
        let import = module.imports.get(number)?;
        let roots = self.roots(&module.path);
        let file = match self.modules.resolve(module, import, &roots) {
            Target::Files(files) => files.last().cloned(),
            Target::External(_) | Target::Missing(_) => None,
        };
        self.led.keep(key, file)
    }

    /// The module and name that a dotted name leads to, through imports.
    pub(crate) fn origin(&self, module: &Arc<Module>, name: &str) -> Option<(Arc<Module>, String)> {
        self.origin_within(module, name, 0)
    }

    /// The origin of a name that `from x import *` may bring.
    fn through_star(
        &self,
        module: &Arc<Module>,
        name: &str,
        depth: usize,
    ) -> Option<(Arc<Module>, String)> {
        if depth > 4 || name.starts_with('_') {
            return None;
        }
        let mut imports = module.imports.iter().enumerate();
        imports.find_map(|(number, import)| {
            (import.name.as_deref() == Some("*")).then_some(())?;
            let other = self.modules.get(&self.leads_to(module, number)?)?;
            self.origin_within(&other, name, depth + 1)
        })
    }

    fn origin_within(
        &self,
        module: &Arc<Module>,
        name: &str,
        depth: usize,
    ) -> Option<(Arc<Module>, String)> {
        let mut module = module.clone();
        let mut name = name.to_owned();
        // Names are often passed on through `__init__` files.
        for _ in 0..8 {
            let first = name.split('.').next().unwrap_or_default().to_owned();
            let bound_here = module.top_value(&first).is_some()
                || module.function(&first).is_some()
                || module.class(&first).is_some();
            let number = module.local_names.get(&first).filter(|_| !bound_here);
            let Some(number) = number.copied() else {
                if bound_here {
                    return Some((module, name));
                }
                return self.through_star(&module, &name, depth);
            };
            let file = &self.leads_to(&module, number)?;
            let import = &module.imports[number];
            let rest = name
                .strip_prefix(&first)
                .unwrap_or_default()
                .trim_start_matches('.')
                .to_owned();
            let next = match &import.name {
                Some(taken) => {
                    let whole = self.home(file).1;
                    let submodule = whole.ends_with(&format!(".{taken}")) || whole == *taken;
                    match (submodule && !rest.is_empty(), rest.is_empty()) {
                        (true, _) => rest,
                        (false, true) => taken.clone(),
                        (false, false) => format!("{taken}.{rest}"),
                    }
                }
                // `import a.b` and then `a.b.c`.
                None => {
                    let inner = import.module.split_once('.').map_or("", |(_, inner)| inner);
                    rest.strip_prefix(inner)
                        .unwrap_or(&rest)
                        .trim_start_matches('.')
                        .to_owned()
                }
            };
            module = self.modules.get(file)?;
            name = next;
        }
        None
    }

    /// Where a name that is used in `scope` of `module` is bound.
    pub(crate) fn definition(
        &self,
        module: &Arc<Module>,
        scope: &str,
        name: &str,
    ) -> Option<Definition> {
        let local = module
            .bindings
            .iter()
            .rev()
            .find(|binding| binding.target == name && *binding.scope.path == *scope);
        if let Some(binding) = local {
            return Some(Definition {
                module: module.clone(),
                binding: binding.clone(),
            });
        }
        let (origin, name) = self.origin(module, name)?;
        let binding = origin.top_value(&name)?.clone();
        Some(Definition {
            module: origin,
            binding,
        })
    }

    /// What a value comes to, seen also through a settings object: `settings.port`.
    pub(crate) fn constant(&self, module: &Arc<Module>, scope: &str, value: &Value) -> Constant {
        let plain = evaluate(value, module, scope);
        if plain.text.is_some() || plain.variable.is_some() {
            return plain;
        }
        // What another file of the tree binds: `from app.config import PORT`.
        let imported = value
            .as_name()
            .and_then(|name| self.definition(module, scope, name))
            .filter(|definition| definition.module.path != module.path)
            .and_then(|definition| {
                let stated = evaluate(definition.binding.value.as_ref()?, &definition.module, "");
                (stated.text.is_some() || stated.variable.is_some()).then_some(stated)
            });
        let by_settings = imported.or_else(|| settings::constant(self, module, scope, value));
        by_settings
            .or_else(|| {
                let port = settings_file::port(self, module, scope, value)?;
                Some(Constant::of(port.to_string()))
            })
            .unwrap_or(plain)
    }

    /// The call that makes what a name stands for, and the full name of its function.
    pub(crate) fn maker(
        &self,
        module: &Arc<Module>,
        scope: &str,
        name: &str,
    ) -> Option<(Definition, String)> {
        let definition = self.definition(module, scope, name)?;
        let Some(Value::Call(call)) = &definition.binding.value else {
            return None;
        };
        let callee = definition.module.callee(call)?.into_owned();
        Some((definition, callee))
    }

    /// Full names of what is extended by the class of the tree that a call makes an object of.
    pub(crate) fn extended(&self, module: &Arc<Module>, call: &Call) -> Option<Vec<String>> {
        let name = call.function.as_name();
        let name = name.filter(|name| self.modules.may_define_class(name))?;
        let (origin, name) = self.origin(module, name)?;
        let bases = origin.class(&name)?.bases.iter();
        Some(
            bases
                .filter_map(|base| Some(origin.qualify(base.as_name()?).into_owned()))
                .collect(),
        )
    }
}

/// Whether a call outside of functions makes a coroutine that nothing runs: `main()` where `asyncio.run(main())` is meant.
fn is_left_unawaited(module: &Module, placed: &PlacedCall) -> bool {
    let Some(name) = placed.call.function.as_name() else {
        return false;
    };
    let coroutine = module
        .functions
        .iter()
        .any(|function| function.asynchronous && function.scope.is_top() && function.name == name);
    let place = placed.call.place;
    coroutine
        && placed.scope.is_top()
        && !module.calls.iter().any(|around| {
            around.call.place != place
                && around.call.place.start <= place.start
                && place.end <= around.call.place.end
        })
}

/// Whether the file, when it is run, makes a coroutine that nothing runs.
pub(crate) fn makes_unawaited_coroutine(module: &Module) -> bool {
    let mut calls = module.calls.iter();
    calls.any(|placed| placed.scope.main && is_left_unawaited(module, placed))
}

/// The only command of an object that holds commands: what `app = typer.Typer()` runs.
fn only_command(module: &Module, name: &str) -> Option<String> {
    let made = module.top_value(name)?.value.as_ref()?.as_call()?;
    if module.callee(made)? != "typer.Typer" {
        return None;
    }
    let mut commands = module.functions.iter().filter(|function| {
        function.decorators.iter().any(|(decorator, _)| {
            let by = decorator.as_call().and_then(|call| call.function.as_name());
            by.and_then(|by| by.strip_suffix(".command")) == Some(name)
        })
    });
    let only = commands.next()?;
    commands.next().is_none().then(|| only.name.clone())
}

/// Functions of a file that run when one of them, or the file itself, is started: last names.
pub(crate) fn reached(module: &Module, from: Option<&str>) -> BTreeSet<String> {
    let mut reached: BTreeSet<String> = from.map(str::to_owned).into_iter().collect();
    reached.extend(from.and_then(|name| only_command(module, name)));
    let is_main_file = module
        .path
        .file_name()
        .is_some_and(|name| name == "__main__.py");
    loop {
        let before = reached.len();
        for placed in &module.calls {
            let inside = placed
                .scope
                .path
                .split('.')
                .any(|part| reached.contains(part))
                || from.is_none() && (placed.scope.main || is_main_file && placed.scope.is_top());
            if !inside || placed.scope.main && is_left_unawaited(module, placed) {
                continue;
            }
            let called = placed.call.method();
            reached.extend(called.map(str::to_owned));
            reached.extend(called.and_then(|name| only_command(module, name)));
            // Passed on to be called: `asyncio.run(main)`, `Thread(target=work)`.
            let passed = placed
                .call
                .arguments
                .iter()
                .chain(placed.call.keywords.iter().map(|(_, value)| value));
            for value in passed {
                if let Value::Name(name) = value
                    && module
                        .functions
                        .iter()
                        .any(|function| function.name == *name)
                {
                    reached.insert(name.clone());
                }
            }
        }
        if reached.len() == before {
            return reached;
        }
    }
}
