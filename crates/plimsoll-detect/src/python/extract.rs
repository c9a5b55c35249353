//! From a Python file's syntax tree to a [`Module`].

mod conditions;
mod iterations;
mod named;
mod one_of;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tree_sitter::Node;

use crate::memory::{FactKind, Facts};
use crate::python::expression::{arguments_of, value_of};
use crate::python::module::{
    Binding, Change, Class, Function, Import, Module, Moment, Parameter, PlacedCall,
    PlacedSubscript, Scope, join,
};
use crate::python::value::{Call, FullName, Value};
use crate::syntax::{DEPTH, Grammar, Place, Source, named_children};
use crate::tree::Tree;

/// Reads one file of a tree.
pub(crate) fn extract(tree: &Tree, path: &Path) -> Option<Module> {
    let module: Module = tree.facts(path)?;
    Some(module.at(tree, path))
}

impl Module {
    /// The module, where it lies in a tree: what is remembered of it does not say.
    pub(crate) fn at(self, tree: &Tree, path: &Path) -> Self {
        Self {
            path: Arc::from(path),
            shown: tree.shown(path),
            ..self
        }
    }
}

impl Facts for Module {
    const KIND: FactKind = FactKind::PythonModule;

    fn read(path: &Path, shown: Arc<Path>, text: String) -> Option<Self> {
        read(Arc::from(path), shown, text)
    }
}

/// Reads a text. `shown` is its path as people should see it.
pub(crate) fn read(path: Arc<Path>, shown: Arc<Path>, text: String) -> Option<Module> {
    let source = Source::parse(path.clone(), text, Grammar::Python)?;
    let mut extractor = Extractor {
        source: &source,
        module: Module {
            path,
            shown,
            imports: Vec::new(),
            bindings: Vec::new(),
            functions: Vec::new(),
            classes: Vec::new(),
            calls: Vec::new(),
            subscripts: Vec::new(),
            main_guard: None,
            syntax_error: None,
            insisted: Vec::new(),
            insisted_calls: Vec::new(),
            governed: Vec::new(),
            one_of: Vec::new(),
            ended_by: Vec::new(),
            iterations: Vec::new(),
            branches: Vec::new(),
            changes: Vec::new(),
            endless_loop: None,
            other_names: BTreeSet::new(),
            local_names: BTreeMap::new(),
            index: OnceLock::new(),
        },
    };
    let top = Scope {
        path: Arc::from(""),
        moment: Moment::Import,
        main: false,
        conditional: false,
    };
    let root = source.root();
    extractor.walk(root, &top, 0);
    let mut module = extractor.module;
    for (index, import) in module.imports.iter().enumerate() {
        // A name bound for type checkers only, or late, does not replace one bound for real.
        let better = module
            .local_names
            .get(&import.local)
            .is_none_or(|other| module.imports[*other].scope.moment >= import.scope.moment);
        if better {
            module.local_names.insert(import.local.clone(), index);
        }
    }
    if root.has_error() {
        module.syntax_error = first_error(root, &source, 0);
    }
    Some(module)
}

fn first_error(node: Node<'_>, source: &Source, depth: usize) -> Option<Place> {
    if node.is_error() || node.is_missing() {
        return Some(source.place(node));
    }
    if depth > DEPTH || !node.has_error() {
        return None;
    }
    let mut cursor = node.walk();
    node.children(&mut cursor)
        .find_map(|child| first_error(child, source, depth + 1))
}

/// Whether a loop with this condition goes on until somebody tells it to stop.
fn is_endless(condition: &str) -> bool {
    let flag = |name: &str, words: &[&str]| {
        let last = name.trim_end_matches(".is_set()").rsplit('.').next();
        last.is_some_and(|last| words.iter().any(|word| last.contains(word)))
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '(' | ')'))
    };
    match condition.strip_prefix("not ") {
        Some(name) => flag(name, &["stop", "shutdown", "exit", "quit", "terminate"]),
        None => matches!(condition, "True" | "1") || flag(condition, &["running"]),
    }
}

struct Extractor<'a> {
    source: &'a Source,
    module: Module,
}

impl Extractor<'_> {
    fn walk(&mut self, node: Node<'_>, scope: &Scope, depth: usize) {
        if depth > DEPTH {
            return;
        }
        match node.kind() {
            "import_statement" | "import_from_statement" | "future_import_statement" => {
                self.import(node, scope);
            }
            "function_definition" => self.function(node, &[], scope, depth),
            "class_definition" => self.class(node, scope, depth),
            "decorated_definition" => self.decorated(node, scope, depth),
            "if_statement" => self.condition(node, scope, depth),
            "match_statement" => {
                self.cases(node);
                self.matched(node, scope, depth);
            }
            "try_statement" => self.attempt(node, scope, depth),
            "while_statement" => {
                let endless = node
                    .child_by_field_name("condition")
                    .is_some_and(|test| is_endless(self.source.text_of(test)));
                if endless && self.module.endless_loop.is_none() {
                    self.module.endless_loop = Some(self.source.place(node));
                }
                self.children(node, scope, depth);
            }
            "assignment" => {
                self.assignment(node, scope);
                let left = node.child_by_field_name("left");
                for child in named_children(node) {
                    // `os.environ["X"] = …` writes.
                    if Some(child) != left || child.kind() != "subscript" {
                        self.walk(child, scope, depth + 1);
                    }
                }
            }
            "call" => {
                if let Value::Call(call) = self.value(node, 0) {
                    self.named_settings(&call, scope);
                    if matches!(
                        call.method(),
                        Some(
                            "append"
                                | "add"
                                | "pop"
                                | "remove"
                                | "update"
                                | "setdefault"
                                | "extend"
                                | "discard"
                                | "appendleft"
                        )
                    ) && let Some(target) = call.receiver()
                    {
                        self.module.changes.push(Change {
                            target: target.to_owned(),
                            scope: scope.clone(),
                            place: call.place,
                        });
                    }
                    self.module.calls.push(PlacedCall {
                        call: *call,
                        scope: scope.clone(),
                    });
                }
                self.children(node, scope, depth);
            }
            "subscript" => {
                if let Value::Subscript(base, index) = self.value(node, 0) {
                    self.module.subscripts.push(PlacedSubscript {
                        base: *base,
                        index: *index,
                        scope: scope.clone(),
                        place: self.source.place(node),
                    });
                }
                self.children(node, scope, depth);
            }
            "assert_statement" => {
                self.assertion(node, scope);
                self.children(node, scope, depth);
            }
            // `environ["X"] if "X" in environ else None`.
            "conditional_expression" => {
                let inner = Scope {
                    moment: scope.moment.max(Moment::Guarded),
                    conditional: true,
                    ..scope.clone()
                };
                for (index, child) in named_children(node).into_iter().enumerate() {
                    let scope = if index == 1 { scope } else { &inner };
                    self.walk(child, scope, depth + 1);
                }
            }
            "for_in_clause" => {
                self.iteration(node, scope);
                self.children(node, scope, depth);
            }
            "comparison_operator" => {
                self.looked_up(node, scope);
                self.children(node, scope, depth);
            }
            "for_statement"
            | "type_alias_statement"
            | "as_pattern_target"
            | "named_expression"
            | "augmented_assignment"
            | "case_pattern" => {
                if node.kind() == "for_statement" {
                    self.iteration(node, scope);
                }
                if scope.is_top() {
                    let bound = node
                        .child_by_field_name("left")
                        .or_else(|| node.child_by_field_name("name"))
                        .unwrap_or(node);
                    self.names_in(bound, 0);
                }
                self.children(node, scope, depth);
            }
            "return_statement" => {
                self.result(node, scope);
                self.children(node, scope, depth);
            }
            "yield" => {
                if let Some(function) = self.current_function(scope) {
                    function.generator = true;
                }
                self.children(node, scope, depth);
            }
            "lambda" => {
                // What a function makes to be called later does not run with it.
                let path = match scope.moment {
                    Moment::Call => Arc::from(join(&scope.path, "<lambda>")),
                    _ => scope.path.clone(),
                };
                let inner = Scope {
                    path,
                    moment: scope.moment.max(Moment::Call),
                    ..scope.clone()
                };
                self.children(node, &inner, depth);
            }
            "string" | "comment" if node.named_child_count() == 0 => {}
            _ => self.children(node, scope, depth),
        }
    }

    /// `name not in os.environ` asks for a variable as `os.environ.get(name)` does.
    fn looked_up(&mut self, node: Node<'_>, scope: &Scope) {
        let text = self.source.text_of(node);
        if !text.ends_with("in os.environ") {
            return;
        }
        let Some(name) = node.named_child(0) else {
            return;
        };
        let call = Call {
            function: Value::Name("os.environ.get".to_owned()),
            arguments: vec![self.value(name, 0)],
            keywords: Vec::new(),
            place: self.source.place(node),
            full_name: FullName::default(),
        };
        self.module.calls.push(PlacedCall {
            call,
            scope: scope.clone(),
        });
    }

    /// `os.environ["X"] = value` and `app.config["X"] = value` hand a value over as a call does.
    fn handed_over(&mut self, base: &str, left: Node<'_>, right: Option<Node<'_>>, scope: &Scope) {
        let index = left.child_by_field_name("subscript");
        if let (Some(index), Some(right)) = (index, right)
            && matches!(base.rsplit('.').next(), Some("environ" | "config"))
        {
            let call = Call {
                function: Value::Name(format!("{base}.__setitem__")),
                arguments: vec![self.value(index, 0), self.value(right, 0)],
                keywords: Vec::new(),
                place: self.source.place(left),
                full_name: FullName::default(),
            };
            self.module.calls.push(PlacedCall {
                call,
                scope: scope.clone(),
            });
        }
    }

    fn children(&mut self, node: Node<'_>, scope: &Scope, depth: usize) {
        let mut inner = scope.clone();
        for child in named_children(node) {
            self.walk(child, &inner, depth + 1);
            if !inner.conditional && self.dispatches(child) {
                inner.conditional = true;
                inner.moment = inner.moment.max(Moment::Guarded);
            }
        }
    }

    /// Notes every name in a pattern.
    fn names_in(&mut self, node: Node<'_>, depth: usize) {
        if node.kind() == "identifier" {
            let name = self.source.text_of(node).to_owned();
            self.module.other_names.insert(name);
        } else if depth < 6 {
            for child in named_children(node) {
                self.names_in(child, depth + 1);
            }
        }
    }

    fn current_function(&mut self, scope: &Scope) -> Option<&mut Function> {
        // Functions are pushed before their bodies are walked, so the innermost is near the end.
        self.module
            .functions
            .iter_mut()
            .rev()
            .find(|function| function.inner_path() == *scope.path)
    }

    fn result(&mut self, node: Node<'_>, scope: &Scope) {
        let Some(value) = node.named_child(0).map(|value| self.value(value, 0)) else {
            return;
        };
        if let Some(function) = self.current_function(scope) {
            function.returns.push(value);
        }
    }

    fn import(&mut self, node: Node<'_>, scope: &Scope) {
        let mut level = 0;
        let mut module = String::new();
        let from = node.kind() != "import_statement";
        let origin = node.child_by_field_name("module_name");
        if let Some(name) = origin {
            let text: String = self
                .source
                .text_of(name)
                .chars()
                .filter(|character| !character.is_whitespace())
                .collect();
            level = text.chars().take_while(|c| *c == '.').count();
            module = text[level..].to_owned();
        }
        let place = self.source.place(node);
        let mut push = |module: String, name: Option<String>, local: String| {
            self.module.imports.push(Import {
                level,
                module,
                name,
                local,
                scope: scope.clone(),
                place,
                full_name: OnceLock::new(),
            });
        };
        for child in named_children(node) {
            if Some(child) == origin {
                continue;
            }
            let (name, alias) = match child.kind() {
                "dotted_name" => (self.source.text_of(child), None),
                "aliased_import" => {
                    let (Some(name), Some(alias)) = (
                        child.child_by_field_name("name"),
                        child.child_by_field_name("alias"),
                    ) else {
                        continue;
                    };
                    (
                        self.source.text_of(name),
                        Some(self.source.text_of(alias).to_owned()),
                    )
                }
                "wildcard_import" => ("*", None),
                _ => continue,
            };
            if from {
                let local = alias.unwrap_or_else(|| name.to_owned());
                push(module.clone(), Some(name.to_owned()), local);
            } else {
                let local =
                    alias.unwrap_or_else(|| name.split('.').next().unwrap_or_default().to_owned());
                push(name.to_owned(), None, local);
            }
        }
    }

    fn decorated(&mut self, node: Node<'_>, scope: &Scope, depth: usize) {
        let mut decorators = Vec::new();
        for child in named_children(node) {
            if child.kind() == "decorator" {
                if let Some(expression) = child.named_child(0) {
                    decorators.push((self.value(expression, 0), self.source.place(child)));
                }
                self.children(child, scope, depth);
            }
        }
        match node.child_by_field_name("definition") {
            Some(definition) if definition.kind() == "function_definition" => {
                self.function(definition, &decorators, scope, depth + 1);
            }
            Some(definition) => self.walk(definition, scope, depth + 1),
            None => {}
        }
    }

    fn function(
        &mut self,
        node: Node<'_>,
        decorators: &[(Value, Place)],
        scope: &Scope,
        depth: usize,
    ) {
        let Some(name) = node.child_by_field_name("name") else {
            return;
        };
        let name = self.source.text_of(name).to_owned();
        let mut parameters = Vec::new();
        if let Some(list) = node.child_by_field_name("parameters") {
            for parameter in named_children(list) {
                parameters.extend(self.parameter(parameter));
            }
            self.children(list, scope, depth + 1);
        }
        let inner = Scope {
            path: Arc::from(join(&scope.path, &name)),
            moment: scope.moment.max(Moment::Call),
            main: scope.main,
            conditional: false,
        };
        self.module.functions.push(Function {
            name,
            decorators: decorators.to_vec(),
            parameters,
            returns: Vec::new(),
            result: node
                .child_by_field_name("return_type")
                .map(|annotation| self.value(annotation, 0)),
            generator: false,
            asynchronous: node.child(0).is_some_and(|first| first.kind() == "async"),
            scope: scope.clone(),
            place: self.source.place(node),
        });
        if let Some(body) = node.child_by_field_name("body") {
            self.children(body, &inner, depth + 1);
        }
    }

    fn parameter(&self, node: Node<'_>) -> Option<Parameter> {
        let (name, default) = match node.kind() {
            "identifier" => (node, None),
            "typed_parameter" => (node.named_child(0)?, None),
            "default_parameter" | "typed_default_parameter" => (
                node.child_by_field_name("name")?,
                node.child_by_field_name("value"),
            ),
            _ => return None,
        };
        Some(Parameter {
            name: self.source.text_of(name).to_owned(),
            default: default.map(|value| self.value(value, 0)),
        })
    }

    fn class(&mut self, node: Node<'_>, scope: &Scope, depth: usize) {
        let Some(name) = node.child_by_field_name("name") else {
            return;
        };
        let name = self.source.text_of(name).to_owned();
        let (bases, keywords) = node
            .child_by_field_name("superclasses")
            .map(|list| self.arguments(list, 0))
            .unwrap_or_default();
        let inner = Scope {
            path: Arc::from(join(&scope.path, &name)),
            ..scope.clone()
        };
        self.module.classes.push(Class {
            name,
            bases,
            keywords,
            scope: scope.clone(),
        });
        if let Some(body) = node.child_by_field_name("body") {
            self.children(body, &inner, depth + 1);
        }
    }

    fn assignment(&mut self, node: Node<'_>, scope: &Scope) {
        let Some(left) = node.child_by_field_name("left") else {
            return;
        };
        let right = node.child_by_field_name("right");
        let annotation = node
            .child_by_field_name("type")
            .map(|annotation| self.value(annotation, 0));
        let place = self.source.place(node);
        let mut push = |target: &str, value: Option<Value>| {
            self.module.bindings.push(Binding {
                target: target.to_owned(),
                value,
                annotation: annotation.clone(),
                scope: scope.clone(),
                place,
            });
        };
        match left.kind() {
            "subscript" => {
                if let Some(Value::Name(target)) = left
                    .child_by_field_name("value")
                    .map(|base| value_of(self.source, base, 0))
                {
                    self.handed_over(&target, left, right, scope);
                    self.module.changes.push(Change {
                        target,
                        scope: scope.clone(),
                        place,
                    });
                }
            }
            "identifier" | "attribute" => {
                let value = right.map(|value| value_of(self.source, value, 0));
                let routes = (self.source.text_of(left) == "ROOT_URLCONF" && scope.is_top())
                    .then(|| value.as_ref()?.as_text().map(str::to_owned))
                    .flatten();
                push(self.source.text_of(left), value);
                if let Some(module) = routes {
                    self.named_import(&module, scope, place);
                }
            }
            "pattern_list" | "tuple_pattern" => {
                let values: Vec<_> = right
                    .filter(|value| matches!(value.kind(), "expression_list" | "tuple"))
                    .map(|value| named_children(value))
                    .unwrap_or_default();
                for (index, target) in named_children(left).into_iter().enumerate() {
                    let value = values
                        .get(index)
                        .map(|value| value_of(self.source, *value, 0));
                    push(self.source.text_of(target), value);
                }
            }
            _ => {}
        }
    }

    fn arguments(&self, list: Node<'_>, depth: usize) -> (Vec<Value>, Vec<(String, Value)>) {
        arguments_of(self.source, list, depth)
    }

    fn value(&self, node: Node<'_>, depth: usize) -> Value {
        value_of(self.source, node, depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(text: &str) -> Module {
        let path: Arc<Path> = Arc::from(Path::new("app.py"));
        read(path.clone(), path, text.to_owned()).unwrap()
    }

    #[test]
    fn names_are_traced_to_their_imports() {
        let module = module(
            "import uvicorn\nimport os.path\nimport numpy as np\nfrom fastapi import FastAPI as F\nfrom ..core import x\nfrom . import y\n",
        );
        assert_eq!(module.qualify("uvicorn.run"), "uvicorn.run");
        assert_eq!(module.qualify("os.path.join"), "os.path.join");
        assert_eq!(module.qualify("np.array"), "numpy.array");
        assert_eq!(module.qualify("F"), "fastapi.FastAPI");
        assert_eq!(module.qualify("x.z"), "..core.x.z");
        assert_eq!(module.qualify("y"), ".y");
        assert_eq!(module.qualify("other"), "other");
    }

    #[test]
    fn moments_tell_when_an_import_happens() {
        let module = module(
            "import a\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import b\ntry:\n    import c\nexcept ImportError:\n    c = None\ndef f():\n    import d\nif __name__ == '__main__':\n    import e\n",
        );
        let moments: Vec<_> = module
            .imports
            .iter()
            .map(|import| {
                (
                    import.local.as_str(),
                    import.scope.moment,
                    import.scope.main,
                )
            })
            .collect();
        assert_eq!(
            moments,
            [
                ("a", Moment::Import, false),
                ("TYPE_CHECKING", Moment::Import, false),
                ("b", Moment::Never, false),
                ("c", Moment::Guarded, false),
                ("d", Moment::Call, false),
                ("e", Moment::Import, true),
            ]
        );
    }

    #[test]
    fn calls_keep_their_arguments() {
        let module = module(
            "import uvicorn, os\nuvicorn.run('a:app', port=int(os.getenv('PORT', '80' '00')))\n",
        );
        let call = &module.calls[0].call;
        assert_eq!(module.callee(call).as_deref(), Some("uvicorn.run"));
        assert_eq!(call.arguments[0], Value::Text("a:app".to_owned()));
        let port = call.keyword("port").unwrap().as_call().unwrap();
        let get = port.arguments[0].as_call().unwrap();
        assert_eq!(get.arguments[1], Value::Text("8000".to_owned()));
        assert_eq!(module.calls.len(), 3);
    }

    #[test]
    fn text_that_is_no_program_is_survived() {
        for text in [
            "(".repeat(50_000),
            "a = [".repeat(20_000),
            "if x:\n ".repeat(3_000),
            "\u{0}\u{1}def class import from (((".repeat(500),
            format!("x = {}1{}", "f(".repeat(5_000), ")".repeat(5_000)),
        ] {
            let path: Arc<Path> = Arc::from(Path::new("app.py"));
            let _ = read(path.clone(), path, text);
        }
    }
}
