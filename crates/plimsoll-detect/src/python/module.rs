//! What one Python file says: imports, bindings, calls, functions, classes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use plimsoll_diag::Span;
use serde::{Deserialize, Serialize};

use crate::python::index::Index;
use crate::python::value::{Call, Value};
use crate::syntax::Place;

/// When a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Moment {
    /// Whenever the file is imported.
    Import,
    /// When the file is imported, but a failure is caught, or it depends on a condition.
    Guarded,
    /// When a function is called.
    Call,
    /// Only for a type checker.
    Never,
}

/// Where a statement stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scope {
    /// Functions and classes around it, dotted: `Server.run`; empty at the top.
    pub(crate) path: Arc<str>,
    /// When it runs.
    pub(crate) moment: Moment,
    /// Whether it stands under `if __name__ == "__main__"`.
    pub(crate) main: bool,
    /// Whether it depends on a condition, or its failure is caught, inside of the function around it.
    pub(crate) conditional: bool,
}

impl Scope {
    /// Whether it is a statement of the module itself.
    pub(crate) fn is_top(&self) -> bool {
        self.path.is_empty()
    }
}

/// One imported module or name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Import {
    /// Leading dots of a relative import.
    pub(crate) level: usize,
    /// The module: `a.b`; may be empty for `from . import x`.
    pub(crate) module: String,
    /// What is taken from it; `None` for `import a.b`; `*` for everything.
    pub(crate) name: Option<String>,
    /// The name it has here.
    pub(crate) local: String,
    pub(crate) scope: Scope,
    pub(crate) place: Place,
    /// Put together when it is first asked for: every use of the name asks.
    #[serde(skip)]
    pub(crate) full_name: OnceLock<String>,
}

impl Import {
    /// What the local name stands for, dotted.
    fn full_name(&self) -> &str {
        self.full_name.get_or_init(|| {
            // `import a.b` binds `a`.
            let binds_top = self.name.is_none()
                && !self.module.is_empty()
                && self.module.split('.').next() == Some(&self.local);
            if binds_top {
                return self.local.clone();
            }
            let mut full = ".".repeat(self.level);
            full.push_str(&self.module);
            if let Some(taken) = &self.name {
                if !self.module.is_empty() {
                    full.push('.');
                }
                full.push_str(taken);
            }
            full
        })
    }
}

/// `target = value`, with or without an annotation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Binding {
    pub(crate) target: String,
    pub(crate) value: Option<Value>,
    pub(crate) annotation: Option<Value>,
    pub(crate) scope: Scope,
    pub(crate) place: Place,
}

/// A function or method.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) decorators: Vec<(Value, Place)>,
    pub(crate) parameters: Vec<Parameter>,
    /// What it returns, where that is an expression.
    pub(crate) returns: Vec<Value>,
    /// The type that it says it returns.
    pub(crate) result: Option<Value>,
    /// Whether it yields.
    pub(crate) generator: bool,
    /// Whether it is a coroutine: calling it alone runs nothing.
    pub(crate) asynchronous: bool,
    pub(crate) scope: Scope,
    pub(crate) place: Place,
}

impl Function {
    /// The dotted path of statements inside.
    pub(crate) fn inner_path(&self) -> String {
        join(&self.scope.path, &self.name)
    }
}

/// A parameter of a function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) default: Option<Value>,
}

/// A class.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Class {
    pub(crate) name: String,
    pub(crate) bases: Vec<Value>,
    pub(crate) keywords: Vec<(String, Value)>,
    pub(crate) scope: Scope,
}

/// A call and where it stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PlacedCall {
    pub(crate) call: Call,
    pub(crate) scope: Scope,
}

/// `base[index]`, read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PlacedSubscript {
    pub(crate) base: Value,
    pub(crate) index: Value,
    pub(crate) scope: Scope,
    pub(crate) place: Place,
}

/// Statements that run only when a value is, or is not, one of some texts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Branch {
    pub(crate) subject: Value,
    pub(crate) texts: Vec<String>,
    /// Whether they run when the value is one of the texts, or when it is none of them.
    pub(crate) taken: Taken,
    pub(crate) place: Place,
}

/// A check that ends the work when none of several values is there: `if not (A or B): raise`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OneOf {
    pub(crate) values: Vec<Value>,
    /// What more values are looked up by, each in turn: `any(os.getenv(name) for name in NAMES)`.
    pub(crate) over: Option<Value>,
    pub(crate) scope: Scope,
    pub(crate) place: Place,
}

/// A check that ends the work when a value is not there, where conditions around it hold.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Governed {
    /// The function around it.
    pub(crate) scope: Arc<str>,
    /// The name that is checked; a call is known by its place alone.
    pub(crate) name: Option<String>,
    /// The value that is checked.
    pub(crate) value: Place,
    /// How many conditions have to hold.
    pub(crate) conditions: usize,
}

/// When a branch is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Taken {
    /// When the value is one of the texts.
    WhenOne,
    /// When it is none of them.
    WhenNone,
}

impl Branch {
    /// Whether the statements run for a value.
    pub(crate) fn runs_for(&self, text: &str) -> bool {
        self.texts.iter().any(|known| known == text) == (self.taken == Taken::WhenOne)
    }
}

/// A name that stands for each part of something in turn: `for name in NAMES`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Iteration {
    pub(crate) name: String,
    /// The second name of `for name, value in …`.
    pub(crate) value: Option<String>,
    pub(crate) over: Value,
    /// Lists that hold what there was no value for when the loop is over.
    pub(crate) gathers: Vec<String>,
    pub(crate) scope: Scope,
}

/// A change of a collection: `x[key] = value`, `x.append(value)`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Change {
    /// The collection, as a dotted name.
    pub(crate) target: String,
    pub(crate) scope: Scope,
    pub(crate) place: Place,
}

/// What one file says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Module {
    #[serde(skip, default = "nowhere")]
    pub(crate) path: Arc<Path>,
    #[serde(skip, default = "nowhere")]
    pub(crate) shown: Arc<Path>,
    pub(crate) imports: Vec<Import>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) functions: Vec<Function>,
    pub(crate) classes: Vec<Class>,
    pub(crate) calls: Vec<PlacedCall>,
    pub(crate) subscripts: Vec<PlacedSubscript>,
    pub(crate) main_guard: Option<Place>,
    /// The first place that is no Python.
    pub(crate) syntax_error: Option<Place>,
    /// Names whose absence ends the work, by the scope of the check: `if not KEY: raise`.
    pub(crate) insisted: Vec<(Arc<str>, String)>,
    /// Calls whose empty answer ends the work: `if not os.getenv("KEY"): raise`.
    pub(crate) insisted_calls: Vec<Place>,
    /// The same of names and calls, where conditions around the check have to hold.
    pub(crate) governed: Vec<Governed>,
    /// Values of which one is enough, where the work ends when none is there.
    pub(crate) one_of: Vec<OneOf>,
    /// Names that end the work when they hold anything, by the scope of the check: `if missing: raise`.
    pub(crate) ended_by: Vec<(Arc<str>, String)>,
    /// What loops and comprehensions go through.
    pub(crate) iterations: Vec<Iteration>,
    /// Branches that depend on a text, outer ones first.
    pub(crate) branches: Vec<Branch>,
    /// Changes of collections that have a name.
    pub(crate) changes: Vec<Change>,
    /// A loop without end.
    pub(crate) endless_loop: Option<Place>,
    /// Names bound at the top by other statements than assignments: loops, `with`, `type`.
    pub(crate) other_names: BTreeSet<String>,
    /// Which import gives a name.
    pub(crate) local_names: BTreeMap<String, usize>,
    /// Put together when it is first asked for.
    #[serde(skip)]
    pub(crate) index: OnceLock<Index>,
}

/// The same text may stand in several files.
fn nowhere() -> Arc<Path> {
    Arc::from(Path::new(""))
}

impl Module {
    /// The span of a place in this file.
    pub(crate) fn span(&self, place: Place) -> Span {
        place.in_file(self.shown.clone())
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::of(self))
    }

    /// The full name behind a dotted name as written here: `FastAPI` is `fastapi.FastAPI` after
    /// `from fastapi import FastAPI`. Relative imports keep their dots.
    pub(crate) fn qualify<'n>(&'n self, name: &'n str) -> Cow<'n, str> {
        let (first, rest) = match name.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (name, None),
        };
        let Some(import) = self.import_of(first) else {
            return Cow::Borrowed(name);
        };
        let full = import.full_name();
        match rest {
            Some(rest) => Cow::Owned([full, ".", rest].concat()),
            None => Cow::Borrowed(full),
        }
    }

    /// The import that gives a name, the last one in the file.
    pub(crate) fn import_of(&self, local: &str) -> Option<&Import> {
        self.local_names
            .get(local)
            .map(|index| &self.imports[*index])
    }

    /// The full name of a call's function.
    pub(crate) fn callee<'n>(&'n self, call: &'n Call) -> Option<Cow<'n, str>> {
        let name = call.function.as_name()?;
        let full = call.full_name.of(name, || self.qualify(name).into_owned());
        Some(Cow::Borrowed(full))
    }

    /// The last value bound to a name at the top of the file.
    pub(crate) fn top_value(&self, name: &str) -> Option<&Binding> {
        Some(&self.bindings[self.index().top_value(name)?])
    }

    /// Whether importing `name` from this file works, as far as one can see.
    pub(crate) fn defines(&self, name: &str) -> bool {
        let top = |scope: &Scope| scope.is_top() && !scope.main;
        self.other_names.contains(name)
            || self
                .bindings
                .iter()
                .any(|binding| top(&binding.scope) && binding.target == name)
            || self
                .functions
                .iter()
                .any(|function| top(&function.scope) && (function.name == name || function.name == "__getattr__"))
            || self
                .classes
                .iter()
                .any(|class| top(&class.scope) && class.name == name)
            || self
                .imports
                .iter()
                .any(|import| top(&import.scope) && (import.local == name || import.local == "*"))
            // Written into the module's own dictionary.
            || self.calls.iter().any(|placed| {
                top(&placed.scope) && matches!(placed.call.function.as_name(), Some("globals" | "setattr" | "exec"))
            })
    }

    /// The function or method at a dotted path.
    pub(crate) fn function(&self, path: &str) -> Option<&Function> {
        Some(&self.functions[self.index().function(path)?])
    }

    /// The class `name` at the top of the file.
    pub(crate) fn class(&self, name: &str) -> Option<&Class> {
        Some(&self.classes[self.index().class(name)?])
    }
}

/// Two parts of a dotted path.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
