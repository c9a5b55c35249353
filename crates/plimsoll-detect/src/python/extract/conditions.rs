//! What a file's conditions say: what it insists on, which branch a value takes, what may not run.

use tree_sitter::Node;

use super::Extractor;
use crate::python::module::{Branch, Governed, Moment, Scope, Taken};
use crate::python::value::Value;
use crate::syntax::named_children;

impl Extractor<'_> {
    /// Notes what `if not KEY: raise` and `if KEY is None: sys.exit()` insist on, and what ends the work when it holds
    /// anything: `if missing: raise`.
    fn insistence(&mut self, node: Node<'_>, scope: &Scope) {
        let (Some(test), Some(body)) = (
            node.child_by_field_name("condition"),
            node.child_by_field_name("consequence"),
        ) else {
            return;
        };
        if self.left_before(node) || self.is_caught(node, body) {
            return;
        }
        if !self.ends(body) {
            if self.gathered(node, body) {
                self.absent(test, scope, 0);
            }
            return;
        }
        self.ended_by(test, scope, 0);
        self.absent(test, scope, 0);
    }

    /// Notes what ends the work when it holds anything: `missing`, `missing or wrong`, `len(missing) > 0`.
    fn ended_by(&mut self, test: Node<'_>, scope: &Scope, depth: usize) {
        let operator = test.child_by_field_name("operator");
        match test.kind() {
            "identifier" | "attribute" => {
                let name = self.source.text_of(test).to_owned();
                self.module.ended_by.push((scope.path.clone(), name));
            }
            "boolean_operator" if depth < 8 && operator.is_some_and(|one| one.kind() == "or") => {
                for side in named_children(test) {
                    self.ended_by(side, scope, depth + 1);
                }
            }
            "parenthesized_expression" if depth < 8 => {
                for inner in named_children(test) {
                    self.ended_by(inner, scope, depth + 1);
                }
            }
            "call" | "comparison_operator" => {
                let text = self.source.text_of(test);
                let counted = text
                    .strip_prefix("len(")
                    .and_then(|rest| rest.split_once(')'));
                if let Some((name, rest)) = counted
                    && matches!(rest.trim(), "" | "> 0" | "!= 0" | ">= 1")
                {
                    let name = name.trim().to_owned();
                    self.module.ended_by.push((scope.path.clone(), name));
                }
            }
            _ => {}
        }
    }

    /// Whether the function goes on after a body that raises: a handler around it takes what is raised there, and
    /// gives something back instead.
    fn is_caught(&self, node: Node<'_>, body: Node<'_>) -> bool {
        let raised = named_children(body)
            .into_iter()
            .find(|statement| statement.kind() == "raise_statement");
        let Some(raised) = raised.and_then(|raised| raised.named_child(0)) else {
            return false;
        };
        let raised = raised.child_by_field_name("function").unwrap_or(raised);
        let raised = self.source.text_of(raised);
        let mut inner = node;
        while let Some(around) = inner.parent() {
            if matches!(around.kind(), "function_definition" | "class_definition") {
                return false;
            }
            let tried = around.kind() == "try_statement"
                && around.child_by_field_name("body") == Some(inner);
            if tried
                && named_children(around)
                    .into_iter()
                    .any(|handler| self.takes(handler, raised))
            {
                return true;
            }
            inner = around;
        }
        false
    }

    /// Whether a handler takes an error of this name and gives a value back for it.
    fn takes(&self, handler: Node<'_>, raised: &str) -> bool {
        if !self.survives(handler) {
            return false;
        }
        let parts = named_children(handler);
        let Some((body, caught)) = parts.split_last() else {
            return false;
        };
        let caught: String = caught
            .iter()
            .map(|part| self.source.text_of(*part))
            .collect();
        // What leaves the program is no `Exception`.
        let leaves = matches!(raised, "SystemExit" | "KeyboardInterrupt");
        let all = if leaves { raised } else { "Exception" };
        let takes = caught.is_empty()
            || [all, "BaseException", raised].iter().any(|name| {
                caught
                    .split(|c: char| !c.is_alphanumeric() && c != '.')
                    .any(|one| one == *name)
            });
        let gives = named_children(*body).into_iter().any(|statement| {
            statement.kind() == "return_statement" && statement.named_child_count() > 0
        });
        takes && gives
    }

    /// Whether a function is left before a statement where a variable turns it off: `if not enabled("X"): return`.
    fn left_before(&self, node: Node<'_>) -> bool {
        let mut before = std::iter::successors(node.prev_named_sibling(), |earlier| {
            earlier.prev_named_sibling()
        });
        before.any(|statement| {
            let test = statement.child_by_field_name("condition");
            let body = statement.child_by_field_name("consequence");
            let (Some(test), Some(body)) = (test, body) else {
                return false;
            };
            let test = self.source.text_of(test);
            let turns_off = ["environ", "getenv", "_ENABLED", "enabled", "is_disabled"]
                .iter()
                .any(|word| test.contains(word));
            let leaves = named_children(body)
                .last()
                .is_some_and(|last| last.kind() == "return_statement");
            statement.kind() == "if_statement"
                && statement.child_by_field_name("alternative").is_none()
                && turns_off
                && leaves
        })
    }

    /// Whether a body only notes what is missing, and a check below ends the work for it: `errors.append("…")` and
    /// then `if errors: raise`.
    fn gathered(&self, condition: Node<'_>, body: Node<'_>) -> bool {
        let text = self.source.text_of(body);
        let Some((list, _)) = text.split_once(".append(") else {
            return false;
        };
        let list = list.split_whitespace().last().unwrap_or_default();
        let mut next = condition.next_named_sibling();
        while let Some(statement) = next {
            let named = statement
                .child_by_field_name("condition")
                .map(|test| self.source.text_of(test))
                .is_some_and(|test| test == list || test.contains(&format!("len({list})")));
            let ended = statement
                .child_by_field_name("consequence")
                .is_some_and(|then| self.ends(then));
            if statement.kind() == "if_statement" && named && ended && !list.is_empty() {
                return true;
            }
            next = statement.next_named_sibling();
        }
        false
    }

    /// Whether a body ends the work: it raises, or leaves the program.
    fn ends(&self, body: Node<'_>) -> bool {
        named_children(body).into_iter().any(|statement| {
            statement.kind() == "raise_statement"
                || statement.kind() == "expression_statement"
                    && statement.named_child(0).is_some_and(|call| {
                        call.kind() == "call"
                            && call
                                .child_by_field_name("function")
                                .is_some_and(|function| {
                                    matches!(
                                        self.source.text_of(function),
                                        "sys.exit" | "exit" | "quit"
                                    )
                                })
                    })
        })
    }

    /// Notes every value whose absence alone makes a condition true: all of `not A or B is None`, none of
    /// `not A and not B`, which one of them satisfies.
    fn absent(&mut self, test: Node<'_>, scope: &Scope, depth: usize) {
        if depth > 8 {
            return;
        }
        let text = self.source.text_of(test);
        match test.kind() {
            "parenthesized_expression" => {
                if let Some(inner) = test.named_child(0) {
                    self.absent(inner, scope, depth + 1);
                }
            }
            "boolean_operator" => {
                let either = test
                    .child_by_field_name("operator")
                    .is_some_and(|operator| operator.kind() == "or");
                if !either {
                    self.all_absent(test, scope);
                }
                for side in ["left", "right"] {
                    if let Some(side) = test.child_by_field_name(side).filter(|_| either) {
                        self.absent(side, scope, depth + 1);
                    }
                }
            }
            "not_operator" => {
                let Some(argument) = test.child_by_field_name("argument") else {
                    return;
                };
                // `not all([A, B])`.
                let all = argument.kind() == "call"
                    && argument
                        .child_by_field_name("function")
                        .is_some_and(|function| self.source.text_of(function) == "all");
                self.all_absent(test, scope);
                if !all {
                    self.insist(argument, scope);
                    return;
                }
                let list = argument
                    .child_by_field_name("arguments")
                    .and_then(|arguments| arguments.named_child(0));
                for item in list.map(named_children).unwrap_or_default() {
                    self.insist(item, scope);
                }
            }
            "comparison_operator" if text.ends_with("not in os.environ") => {
                self.insist_by(test, None, scope);
            }
            "comparison_operator"
                if text.ends_with("is None")
                    || text.ends_with("== \"\"")
                    || text.ends_with("== ''") =>
            {
                if let Some(compared) = test.named_child(0) {
                    self.insist(compared, scope);
                }
            }
            _ => {}
        }
    }

    /// Notes that the work ends without a value: a name, or what a call gives.
    fn insist(&mut self, value: Node<'_>, scope: &Scope) {
        match value.kind() {
            // `not (key := os.getenv("KEY"))`
            "parenthesized_expression" | "named_expression" => {
                let inner = value
                    .child_by_field_name("value")
                    .or_else(|| value.named_child(0));
                if let Some(inner) = inner {
                    self.insist(inner, scope);
                }
            }
            "call" => self.insist_by(value, None, scope),
            "identifier" | "attribute" => {
                let name = self.source.text_of(value).to_owned();
                self.insist_by(value, Some(name), scope);
            }
            _ => {}
        }
    }

    /// Notes that the work ends without what is named, or without what a call gives, whenever it gets there or where
    /// conditions around the check hold.
    fn insist_by(&mut self, value: Node<'_>, name: Option<String>, scope: &Scope) {
        let place = self.source.place(value);
        let conditions = self.conditions_around(value);
        match name {
            _ if conditions > 0 => self.module.governed.push(Governed {
                scope: scope.path.clone(),
                name,
                value: place,
                conditions,
            }),
            Some(name) => self.module.insisted.push((scope.path.clone(), name)),
            None => self.module.insisted_calls.push(place),
        }
    }

    /// How many conditions about something else a check stands under inside of its function: `if provider == "x":` around
    /// it. That another value is not there is none of them: the check is of what stands in for it.
    fn conditions_around(&self, value: Node<'_>) -> usize {
        let mut conditions = 0;
        let mut inner = value;
        while let Some(around) = inner.parent() {
            if matches!(around.kind(), "function_definition" | "class_definition") {
                break;
            }
            let test = around.child_by_field_name("condition");
            if matches!(around.kind(), "if_statement" | "elif_clause")
                && let Some(test) = test.filter(|test| *test != inner)
            {
                let text = self.source.text_of(test);
                let main = text.contains("__name__");
                let absence = text.starts_with("not ") || text.ends_with("is None");
                conditions += usize::from(!main && !absence);
            }
            inner = around;
        }
        conditions
    }

    /// Notes what `assert KEY` insists on.
    pub(super) fn assertion(&mut self, node: Node<'_>, scope: &Scope) {
        if let Some(asserted) = node.named_child(0) {
            self.asserted(asserted, scope, 0);
        }
    }

    /// All of `A and B is not None`; one of `A or B` is enough.
    fn asserted(&mut self, asserted: Node<'_>, scope: &Scope, depth: usize) {
        self.one_is_enough(asserted, scope);
        let both = asserted
            .child_by_field_name("operator")
            .is_some_and(|operator| operator.kind() == "and");
        if asserted.kind() == "boolean_operator" && both && depth < 8 {
            for side in named_children(asserted) {
                self.asserted(side, scope, depth + 1);
            }
            return;
        }
        let compared = (asserted.kind() == "comparison_operator"
            && self.source.text_of(asserted).ends_with("is not None"))
        .then(|| asserted.named_child(0))
        .flatten();
        self.insist(compared.unwrap_or(asserted), scope);
    }

    /// Notes the branches of `if x == "a": … elif x in ("b", "c"): … else: …`.
    fn branches(&mut self, node: Node<'_>) {
        let mut known: Option<(Value, Vec<String>)> = None;
        let parts = named_children(node);
        let whole = std::iter::once(node).chain(
            parts
                .iter()
                .filter(|child| matches!(child.kind(), "elif_clause" | "else_clause"))
                .copied(),
        );
        for part in whole {
            if part.kind() == "else_clause" {
                let (Some((subject, texts)), Some(body)) =
                    (known.take(), part.child_by_field_name("body"))
                else {
                    return;
                };
                let place = self.source.place(body);
                self.module.branches.push(Branch {
                    subject,
                    texts,
                    taken: Taken::WhenNone,
                    place,
                });
                return;
            }
            let (Some(test), Some(body)) = (
                part.child_by_field_name("condition"),
                part.child_by_field_name("consequence"),
            ) else {
                return;
            };
            let Some((subject, texts, taken)) = self.comparison(test) else {
                return;
            };
            let place = self.source.place(body);
            match &mut known {
                None => known = Some((subject.clone(), texts.clone())),
                Some((same, all)) if *same == subject => all.extend(texts.iter().cloned()),
                Some(_) => return,
            }
            self.module.branches.push(Branch {
                subject,
                texts,
                taken,
                place,
            });
            if taken == Taken::WhenNone {
                return;
            }
        }
    }

    /// Notes the branches of `match x: case "a": … case "b" | "c": … case _: …`.
    pub(super) fn cases(&mut self, node: Node<'_>) {
        let Some(subject) = node.child_by_field_name("subject") else {
            return;
        };
        let subject = self.value(subject, 0);
        let mut all: Vec<String> = Vec::new();
        let body = node.child_by_field_name("body").unwrap_or(node);
        for case in named_children(body) {
            let Some(consequence) = case.child_by_field_name("consequence") else {
                continue;
            };
            let patterns: Vec<&str> = named_children(case)
                .into_iter()
                .filter(|part| part.kind() == "case_pattern")
                .flat_map(|part| self.source.text_of(part).split('|'))
                .map(str::trim)
                .collect();
            let quoted = |text: &&str| text.starts_with(['"', '\'']);
            let texts: Vec<String> = patterns
                .iter()
                .filter(|text| quoted(text))
                .map(|text| text.trim_matches(['"', '\'']).to_owned())
                .collect();
            // What a guard turns away goes on to the cases below.
            let guarded = case.child_by_field_name("guard").is_some();
            let (texts, taken) = match patterns.as_slice() {
                ["_"] if guarded => continue,
                ["_"] => (all.clone(), Taken::WhenNone),
                _ if texts.len() == patterns.len() => (texts, Taken::WhenOne),
                _ => return,
            };
            if !guarded {
                all.extend(texts.iter().cloned());
            }
            self.module.branches.push(Branch {
                subject: subject.clone(),
                texts,
                taken,
                place: self.source.place(consequence),
            });
        }
    }

    /// `x == "a"`, `x in ("a", "b")`, `x != "a"`.
    fn comparison(&self, node: Node<'_>) -> Option<(Value, Vec<String>, Taken)> {
        if node.kind() != "comparison_operator" {
            return None;
        }
        let mut cursor = node.walk();
        let operators: Vec<&str> = node
            .children_by_field_name("operators", &mut cursor)
            .map(|operator| self.source.text_of(operator))
            .collect();
        let taken = match operators.as_slice() {
            ["==" | "in"] => Taken::WhenOne,
            ["!=" | "not in" | "not", ..] => Taken::WhenNone,
            _ => return None,
        };
        let parts = named_children(node);
        let [subject, wanted] = parts.as_slice() else {
            return None;
        };
        let subject = match self.value(*subject, 0) {
            // `transport.lower() == "stdio"`.
            Value::Call(call) if matches!(call.method(), Some("lower" | "strip")) => {
                Value::Name(call.receiver()?.to_owned())
            }
            other => other,
        };
        let texts: Vec<String> = match self.value(*wanted, 0) {
            Value::Text(text) => vec![text],
            Value::List(items) => items
                .iter()
                .filter_map(|item| item.as_text().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        };
        (!texts.is_empty()).then_some((subject, texts, taken))
    }

    pub(super) fn condition(&mut self, node: Node<'_>, scope: &Scope, depth: usize) {
        self.insistence(node, scope);
        self.branches(node);
        let test = node
            .child_by_field_name("condition")
            .map(|test| self.source.text_of(test))
            .unwrap_or_default();
        let main = test.contains("__name__") && test.contains("__main__");
        if main && self.module.main_guard.is_none() {
            self.module.main_guard = Some(self.source.place(node));
        }
        let moment = if main {
            scope.moment
        } else if test.rsplit('.').next() == Some("TYPE_CHECKING") {
            Moment::Never
        } else {
            scope.moment.max(Moment::Guarded)
        };
        let inner = Scope {
            moment,
            main: scope.main || main,
            path: scope.path.clone(),
            conditional: scope.conditional || !main,
        };
        let other = Scope {
            moment: scope.moment.max(Moment::Guarded),
            conditional: true,
            ..scope.clone()
        };
        let body = node.child_by_field_name("consequence");
        for child in named_children(node) {
            if Some(child) == body {
                self.walk(child, &inner, depth + 1);
            } else {
                self.walk(child, &other, depth + 1);
            }
        }
    }

    /// The cases of a `match`, of which one runs.
    pub(super) fn matched(&mut self, node: Node<'_>, scope: &Scope, depth: usize) {
        let case = Scope {
            moment: scope.moment.max(Moment::Guarded),
            conditional: true,
            ..scope.clone()
        };
        let subject = node.child_by_field_name("subject");
        for child in named_children(node) {
            let scope = if Some(child) == subject { scope } else { &case };
            self.walk(child, scope, depth + 1);
        }
    }

    /// Whether a statement chooses one of several ways out, so that what follows it is but one more:
    /// `if a: return x` with an `elif` that returns, too.
    pub(super) fn dispatches(&self, node: Node<'_>) -> bool {
        if node.kind() != "if_statement" {
            return false;
        }
        let parts = named_children(node);
        let others: Vec<_> = parts
            .iter()
            .filter(|part| part.kind() == "elif_clause")
            .collect();
        let leaves = |part: Node<'_>| {
            part.child_by_field_name("consequence")
                .and_then(|body| named_children(body).pop())
                .is_some_and(|last| {
                    last.kind() == "return_statement" && last.named_child_count() > 0
                })
        };
        !others.is_empty()
            && !parts.iter().any(|part| part.kind() == "else_clause")
            && leaves(node)
            && others.into_iter().all(|part| leaves(*part))
    }

    pub(super) fn attempt(&mut self, node: Node<'_>, scope: &Scope, depth: usize) {
        let ended = self.leaves_after(node);
        let caught = !ended
            && named_children(node)
                .into_iter()
                .any(|child| self.survives(child));
        let inner = Scope {
            moment: if caught {
                scope.moment.max(Moment::Guarded)
            } else {
                scope.moment
            },
            conditional: scope.conditional || caught,
            ..scope.clone()
        };
        let handled = Scope {
            moment: scope.moment.max(Moment::Guarded),
            conditional: true,
            ..scope.clone()
        };
        for child in named_children(node) {
            let scope = match child.kind() {
                "except_clause" | "except_group_clause" => &handled,
                _ => &inner,
            };
            self.walk(child, scope, depth + 1);
        }
    }

    /// Whether the program is left after a statement, come what may: `try: main()` and then `sys.exit()`.
    fn leaves_after(&self, node: Node<'_>) -> bool {
        node.next_named_sibling().is_some_and(|next| {
            let text = self.source.text_of(next);
            next.kind() == "expression_statement"
                && (text.starts_with("sys.exit(") || text.starts_with("exit("))
        })
    }

    /// Whether a handler lets the work go on after an error: not one for an interrupt alone, and none that raises
    /// again or leaves the program.
    fn survives(&self, handler: Node<'_>) -> bool {
        if !handler.kind().starts_with("except") {
            return false;
        }
        let parts = named_children(handler);
        let body = parts.iter().find(|part| part.kind() == "block");
        let caught = parts
            .iter()
            .take_while(|part| part.kind() != "block")
            .map(|part| self.source.text_of(*part))
            .collect::<String>();
        let interrupts = ["KeyboardInterrupt", "SystemExit", "CancelledError"];
        let interrupt = !caught.is_empty()
            && !["Exception", "Error(", "BaseException"]
                .iter()
                .any(|name| caught.contains(name))
            && interrupts.iter().any(|name| caught.contains(name));
        !interrupt && !body.is_some_and(|body| self.ends(*body))
    }
}
