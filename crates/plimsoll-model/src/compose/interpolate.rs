//! Fills in the variables of a whole file, and turns text into what its key wants.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_diag::{Diagnostic, Diagnostics, Span};

use super::path::Path;
use super::template::{self, Lookup, TemplateError};
use crate::yaml::{Node, Value};

/// The variables of a project, and what was found missing so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables {
    /// Names and values.
    pub(super) values: BTreeMap<String, String>,
}

/// Variables that were used without being set; each is told once.
#[derive(Debug, Default)]
pub(super) struct Unset {
    told: BTreeSet<String>,
    /// One warning for each.
    pub(super) warnings: Vec<Diagnostic>,
}

struct At<'v> {
    variables: &'v Variables,
    unset: &'v mut Unset,
    span: Option<&'v Span>,
}

impl Lookup for At<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.variables.values.get(name).cloned()
    }

    fn unset(&mut self, name: &str) {
        if self.unset.told.insert(name.to_owned()) {
            self.unset.warnings.push(
                Diagnostic::warning(format!(
                    "variable `{name}` is not set; an empty text takes its place"
                ))
                .at(self.span.cloned())
                .hint(format!(
                    "set {name} in `.env` or the environment, or write ${{{name}:-default}}"
                )),
            );
        }
    }
}

/// Fills in every text under `node`.
pub(super) fn interpolate(
    node: &mut Node,
    variables: &Variables,
    unset: &mut Unset,
    problems: &mut Diagnostics,
) {
    walk(node, &Path::ROOT, variables, unset, problems);
}

/// Fills in one text.
pub(super) fn fill(
    text: &str,
    span: Option<&Span>,
    variables: &Variables,
    unset: &mut Unset,
) -> Result<String, Diagnostic> {
    let mut lookup = At {
        variables,
        unset,
        span,
    };
    template::substitute(text, &mut lookup).map_err(|error| {
        let problem = Diagnostic::error(error.to_string()).at(span.cloned());
        match error {
            TemplateError::Invalid { .. } => problem
                .hint("a reference is $NAME, ${NAME} or ${NAME:-default}; write `$$` for a dollar"),
            TemplateError::Missing { name, .. } => {
                problem.hint(format!("set {name} in `.env` or in the environment"))
            }
            TemplateError::Deep => problem,
        }
    })
}

fn walk(
    node: &mut Node,
    path: &Path<'_>,
    variables: &Variables,
    unset: &mut Unset,
    problems: &mut Diagnostics,
) {
    match &mut node.value {
        Value::Text(text) => {
            if text.contains('$') {
                match fill(text, node.span.as_ref(), variables, unset) {
                    Ok(filled) => *text = filled,
                    Err(problem) => {
                        problems.push(problem);
                        return;
                    }
                }
            }
            if let Some(cast) = path.view(cast_at) {
                match cast_text(text, cast) {
                    Some(value) => node.value = value,
                    None => {
                        let expected = match cast {
                            Cast::Whole => "a whole number",
                            Cast::Number => "a number",
                            Cast::Boolean => "`true` or `false`",
                        };
                        problems.push(
                            Diagnostic::error(format!(
                                "`{path}`: expected {expected}, found `{text}`"
                            ))
                            .at(node.span.clone()),
                        );
                    }
                }
            }
        }
        Value::List(list) => {
            for element in list {
                walk(element, &path.child("[]"), variables, unset, problems);
            }
        }
        Value::Map(map) => {
            for (key, element) in map.iter_mut() {
                walk(element, &path.child(&key.text), variables, unset, problems);
            }
        }
        _ => {}
    }
}

#[derive(Clone, Copy)]
enum Cast {
    Whole,
    Number,
    Boolean,
}

/// What text at a place is turned into; only where a variable may stand for something else.
fn cast_at(path: &[&str]) -> Option<Cast> {
    Some(match path {
        ["services", _, rest @ ..] => match rest {
            [
                "cpu_count" | "cpu_period" | "cpu_quota" | "cpu_rt_period" | "cpu_rt_runtime"
                | "cpu_shares" | "oom_score_adj" | "pids_limit" | "scale",
            ] => Cast::Whole,
            ["deploy", "replicas"]
            | ["deploy", "update_config" | "rollback_config", "parallelism"]
            | ["deploy", "restart_policy", "max_attempts"]
            | ["deploy", "placement", "max_replicas_per_node"]
            | ["healthcheck", "retries"]
            | ["ports", "[]", "target"]
            | ["ulimits", _]
            | ["ulimits", _, "hard" | "soft"] => Cast::Whole,
            ["cpu_percent" | "cpus"]
            | [
                "deploy",
                "update_config" | "rollback_config",
                "max_failure_ratio",
            ] => Cast::Number,
            ["init" | "oom_kill_disable" | "privileged" | "read_only" | "stdin_open" | "tty"]
            | ["depends_on", _, "required" | "restart"]
            | ["healthcheck", "disable"]
            | ["volumes", "[]", "read_only"]
            | ["volumes", "[]", "volume", "nocopy"] => Cast::Boolean,
            _ => return None,
        },
        [
            "networks",
            _,
            "external" | "internal" | "attachable" | "enable_ipv4" | "enable_ipv6",
        ]
        | ["volumes" | "secrets" | "configs", _, "external"] => Cast::Boolean,
        _ => return None,
    })
}

fn cast_text(text: &str, cast: Cast) -> Option<Value> {
    match cast {
        Cast::Whole => text.parse().ok().map(Value::Integer),
        Cast::Number => text.parse().ok().map(Value::Float),
        Cast::Boolean => boolean(text).map(Value::Bool),
    }
}

/// A boolean in any spelling YAML ever had.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "y" | "yes" | "on" => Some(true),
        "false" | "n" | "no" | "off" => Some(false),
        _ => None,
    }
}
