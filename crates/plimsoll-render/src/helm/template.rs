//! Templates out of objects: marks stand in an object where a value goes in, and become actions of
//! Helm's once the object is text. Everything else in the text is taken literally.

use serde_json::{Value, json};

use crate::yaml;

/// What becomes of a mark.
#[derive(Debug, Clone)]
enum Action {
    /// `{{ … }}` in its place.
    Inline(String),
    /// A value as YAML below its key.
    Block(String),
    /// Lines below its key.
    Below(Vec<String>),
    /// Lines instead of the whole entry.
    Instead(Vec<String>),
}

/// The marks of one file.
#[derive(Debug, Default)]
pub(super) struct Template {
    actions: Vec<Action>,
}

impl Template {
    /// A mark that becomes `{{ expression }}`.
    pub(super) fn inline(&mut self, expression: impl Into<String>) -> String {
        self.mark(Action::Inline(expression.into()))
    }

    /// A mark for a value of several lines: the expression's value, as YAML.
    pub(super) fn block(&mut self, expression: impl Into<String>) -> Value {
        json!(self.mark(Action::Block(expression.into())))
    }

    /// A mark that becomes lines below the key that it stands behind.
    pub(super) fn below(&mut self, lines: Vec<String>) -> Value {
        json!(self.mark(Action::Below(lines)))
    }

    /// A mark whose whole entry, the key too, becomes lines.
    pub(super) fn instead(&mut self, lines: Vec<String>) -> Value {
        json!(self.mark(Action::Instead(lines)))
    }

    fn mark(&mut self, action: Action) -> String {
        self.actions.push(action);
        format!("PlimsollMark{:05}", self.actions.len() - 1)
    }

    /// The object as text, its marks as actions.
    pub(super) fn text(&self, object: &Value) -> String {
        // What looks like an action is none.
        let literal = yaml(object).replace("{{", "{{ \"{{\" }}");
        self.resolved(&literal)
    }

    /// Lines that hold marks as text.
    fn resolved(&self, literal: &str) -> String {
        let mut text = String::new();
        for line in literal.lines() {
            self.line(line, &mut text);
        }
        text
    }

    fn line(&self, line: &str, text: &mut String) {
        let Some((at, action)) = self.first(line) else {
            text.push_str(line);
            text.push('\n');
            return;
        };
        let indent = line.len() - line.trim_start().len();
        // A key in a list's entry stands behind its dash.
        let key = line.len() - line.trim_start_matches([' ', '-']).len();
        match action {
            Action::Inline(expression) => {
                let (before, after) = line.split_at(at);
                let after = &after[LENGTH..];
                self.line(&format!("{before}{{{{ {expression} }}}}{after}"), text);
            }
            Action::Block(expression) => {
                text.push_str(line[..at].trim_end());
                let deep = key + 2;
                text.push_str(&format!(
                    "\n{:deep$}{{{{- toYaml {expression} | nindent {deep} }}}}\n",
                    ""
                ));
            }
            Action::Below(lines) => {
                text.push_str(line[..at].trim_end());
                text.push('\n');
                self.lines(lines, key + 2, text);
            }
            Action::Instead(lines) => self.lines(lines, indent, text),
        }
    }

    fn lines(&self, lines: &[String], deep: usize, text: &mut String) {
        for line in lines.iter().flat_map(|line| line.lines()) {
            self.line(&format!("{:deep$}{line}", ""), text);
        }
    }

    fn first(&self, line: &str) -> Option<(usize, &Action)> {
        let at = line.find("PlimsollMark")?;
        let digits = line.get(at + "PlimsollMark".len()..at + LENGTH)?;
        Some((at, self.actions.get(digits.parse::<usize>().ok()?)?))
    }
}

/// Length of a mark.
const LENGTH: usize = "PlimsollMark".len() + 5;

/// The way to a value: `$service.image`, and by `index` where a name is no identifier.
pub(super) fn field(of: &str, name: &str) -> String {
    let is_identifier = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if is_identifier && !name.is_empty() {
        format!("{of}.{name}")
    } else {
        format!("(index {of} {name:?})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_actions_and_the_rest_is_literal() {
        let mut template = Template::default();
        let object = json!({
            "replicas": template.inline("$service.replicas"),
            "key": format!("{}/api", template.inline(".Values.path")),
            "text": "a {{ literal }} text",
            "list": [
                { "resources": template.block("$service.resources"), "name": "a" },
                template.instead(vec!["{{- with $more }}".into(), "{{- toYaml . | nindent 2 }}".into(), "{{- end }}".into()]),
            ],
            "listeners": template.below(vec!["{{- range $hosts }}".into(), "- name: {{ . }}".into(), "{{- end }}".into()]),
        });
        insta::assert_snapshot!(template.text(&object), @r#"
        replicas: {{ $service.replicas }}
        key: {{ .Values.path }}/api
        text: a {{ "{{" }} literal }} text
        list:
          - resources:
              {{- toYaml $service.resources | nindent 6 }}
            name: a
          {{- with $more }}
          {{- toYaml . | nindent 2 }}
          {{- end }}
        listeners:
          {{- range $hosts }}
          - name: {{ . }}
          {{- end }}
        "#);
    }

    #[test]
    fn names_that_are_no_identifier_are_looked_up() {
        assert_eq!(
            field("$service.environment", "LOG_LEVEL"),
            "$service.environment.LOG_LEVEL"
        );
        assert_eq!(
            field(".Values.services", "my-api"),
            "(index .Values.services \"my-api\")"
        );
    }
}
