//! `${VARIABLE}` in text.
//!
//! The grammar is the one of the Compose Specification as `docker compose` reads it: `$NAME`,
//! `${NAME}`, the operators `:-` `-` `:?` `?` `:+` `+` with nested templates after them, and `$$`
//! for a dollar. A dollar before anything else stays.

/// What is known about variables.
pub(super) trait Lookup {
    /// The variable's value; `None` when it is not set.
    fn get(&self, name: &str) -> Option<String>;

    /// Told about each variable that is used without a default and not set.
    fn unset(&mut self, name: &str);
}

/// Why a template cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    /// `${` that no variable follows.
    #[error("invalid variable reference in `{template}`")]
    Invalid {
        /// The whole text.
        template: String,
    },
    /// A required variable is missing.
    #[error("required variable `{name}` is missing a value{}", .message.as_ref().map(|message| format!(": {message}")).unwrap_or_default())]
    Missing {
        /// The variable.
        name: String,
        /// What the author of the file says about it.
        message: Option<String>,
    },
    /// Templates in templates, too many of them.
    #[error("variables are nested too deeply")]
    Deep,
}

/// Defaults in defaults deeper than this are refused.
const DEEPEST: usize = 64;

/// Fills in the variables of `text`. The first error is returned.
pub(super) fn substitute(text: &str, lookup: &mut dyn Lookup) -> Result<String, TemplateError> {
    fill(text, lookup, 0)
}

fn fill(text: &str, lookup: &mut dyn Lookup, depth: usize) -> Result<String, TemplateError> {
    if depth > DEEPEST {
        return Err(TemplateError::Deep);
    }
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        filled.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        match reference(after) {
            Reference::None => {
                filled.push('$');
                rest = after;
            }
            Reference::Dollar => {
                filled.push('$');
                rest = &after[1..];
            }
            Reference::Named(name) => {
                filled.push_str(&plain(name, lookup));
                rest = &after[name.len()..];
            }
            Reference::Braced { body, length } => {
                filled.push_str(&braced(body, lookup, depth)?);
                rest = &after[length..];
            }
            Reference::Invalid => {
                return Err(TemplateError::Invalid {
                    template: text.to_owned(),
                });
            }
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

fn plain(name: &str, lookup: &mut dyn Lookup) -> String {
    lookup.get(name).unwrap_or_else(|| {
        lookup.unset(name);
        String::new()
    })
}

fn braced(body: &str, lookup: &mut dyn Lookup, depth: usize) -> Result<String, TemplateError> {
    let (name, operation) = split_operator(body);
    let Some((operator, word)) = operation else {
        return Ok(plain(name, lookup));
    };
    let value = lookup.get(name);
    // With a colon, an empty value counts as none.
    let present = match operator {
        Operator::Default { colon }
        | Operator::Required { colon }
        | Operator::Alternative { colon } => value
            .as_ref()
            .is_some_and(|value| !colon || !value.is_empty()),
    };
    match operator {
        Operator::Default { .. } if !present => fill(word, lookup, depth + 1),
        Operator::Alternative { .. } if present => fill(word, lookup, depth + 1),
        Operator::Required { .. } if !present => {
            let message = fill(word, lookup, depth + 1)?;
            Err(TemplateError::Missing {
                name: name.to_owned(),
                message: (!message.is_empty()).then_some(message),
            })
        }
        _ => Ok(value.unwrap_or_default()),
    }
}

/// What stands after a dollar.
enum Reference<'t> {
    /// Nothing that concerns us.
    None,
    /// A second dollar.
    Dollar,
    /// A name.
    Named(&'t str),
    /// What stands between braces, and the length of all of it.
    Braced {
        /// Without the braces.
        body: &'t str,
        /// With the braces.
        length: usize,
    },
    /// A brace that closes nowhere or holds no variable.
    Invalid,
}

fn reference(after: &str) -> Reference<'_> {
    match after.as_bytes().first() {
        Some(b'$') => Reference::Dollar,
        Some(b'{') => braces(after),
        _ => match name_length(after) {
            0 => Reference::None,
            length => Reference::Named(&after[..length]),
        },
    }
}

fn braces(after: &str) -> Reference<'_> {
    let inner = &after[1..];
    let name = name_length(inner);
    if name == 0 {
        return Reference::Invalid;
    }
    match inner.as_bytes().get(name) {
        Some(b'}') => {
            return Reference::Braced {
                body: &inner[..name],
                length: name + 2,
            };
        }
        Some(b'-' | b'+' | b'?') => {}
        Some(b':') if matches!(inner.as_bytes().get(name + 1), Some(b'-' | b'+' | b'?')) => {}
        _ => return Reference::Invalid,
    }
    // A reference ends on its line: at the brace that balances the first, else at the last one.
    let line = after.split('\n').next().unwrap_or(after);
    let Some(last) = line.rfind('}').filter(|&last| last > name) else {
        return Reference::Invalid;
    };
    let close = balancing_brace(&line[..=last]).unwrap_or(last);
    if close <= name {
        return Reference::Invalid;
    }
    Reference::Braced {
        body: &after[1..close],
        length: close + 1,
    }
}

/// The brace that closes the first one. The character after an opening brace is not looked at, so
/// `{}` in a default counts as text that opens.
fn balancing_brace(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    let mut index = 0;
    let bytes = text.as_bytes();
    while index < bytes.len() {
        match bytes[index] {
            b'}' => {
                open = open.checked_sub(1)?;
                if open == 0 {
                    return Some(index);
                }
            }
            b'{' => {
                open += 1;
                index += 1;
            }
            _ => {}
        }
        index += 1;
    }
    None
}

fn name_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    if !bytes
        .first()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
    {
        return 0;
    }
    bytes
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
        .count()
}

/// What to do when a variable is (not) there; `colon`: empty counts as not there.
#[derive(Clone, Copy)]
enum Operator {
    Default { colon: bool },
    Required { colon: bool },
    Alternative { colon: bool },
}

fn split_operator(body: &str) -> (&str, Option<(Operator, &str)>) {
    let (name, rest) = body.split_at(name_length(body));
    let (colon, rest) = match rest.strip_prefix(':') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let mut characters = rest.chars();
    let operator = match characters.next() {
        Some('-') => Operator::Default { colon },
        Some('?') => Operator::Required { colon },
        Some('+') => Operator::Alternative { colon },
        _ => return (name, None),
    };
    (name, Some((operator, characters.as_str())))
}

/// A variable that a text mentions.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What is used when it is not set.
    pub default: String,
    /// What is used when it is set (`:+`).
    pub alternative: String,
    /// Whether loading fails without it.
    pub required: bool,
}

/// Every variable that `text` mentions, those in defaults included.
pub(super) fn variables(text: &str, found: &mut Vec<Variable>) {
    collect(text, found, 0);
}

fn collect(text: &str, found: &mut Vec<Variable>, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let after = &rest[dollar + 1..];
        let length = match reference(after) {
            Reference::None => 0,
            Reference::Dollar | Reference::Invalid => 1,
            Reference::Named(name) => {
                found.push(Variable {
                    name: name.to_owned(),
                    ..Variable::default()
                });
                name.len()
            }
            Reference::Braced { body, length } => {
                let (name, operation) = split_operator(body);
                let mut variable = Variable {
                    name: name.to_owned(),
                    ..Variable::default()
                };
                let mut inner = "";
                match operation {
                    Some((Operator::Default { .. }, word)) => {
                        variable.default = word.to_owned();
                        inner = word;
                    }
                    Some((Operator::Alternative { .. }, word)) => {
                        variable.alternative = word.to_owned();
                        inner = word;
                    }
                    Some((Operator::Required { .. }, _)) => variable.required = true,
                    None => {}
                }
                found.push(variable);
                collect(inner, found, depth + 1);
                length
            }
        };
        rest = &after[length..];
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    struct Known(BTreeMap<&'static str, &'static str>, Vec<String>);

    impl Lookup for Known {
        fn get(&self, name: &str) -> Option<String> {
            self.0.get(name).map(|value| (*value).to_owned())
        }

        fn unset(&mut self, name: &str) {
            self.1.push(name.to_owned());
        }
    }

    fn known() -> Known {
        Known(
            BTreeMap::from([("FOO", "first"), ("BAR", "second"), ("EMPTY", "")]),
            Vec::new(),
        )
    }

    fn filled(text: &str) -> String {
        match substitute(text, &mut known()) {
            Ok(text) => text,
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn operators_do_what_a_shell_does() {
        for (template, expected) in [
            ("$FOO and ${BAR}", "first and second"),
            ("$$FOO $${BAR}", "$FOO ${BAR}"),
            ("${NONE:-x}", "x"),
            ("${EMPTY:-x}|${EMPTY-x}", "x|"),
            ("${NONE-x}", "x"),
            (
                "${FOO:+yes}|${EMPTY:+yes}|${EMPTY+yes}|${NONE+yes}",
                "yes||yes|",
            ),
            ("${NONE:-${BAR:-x}}", "second"),
            ("${NONE:-${OTHER:-deep}} tail", "deep tail"),
            ("${NONE:-a:b-c?d}", "a:b-c?d"),
            ("${NONE:-{}}", "{}"),
            ("${NONE:-{\"a\":1}} ${FOO}", "{\"a\":1} first"),
            ("cost $5 and 100%$", "cost $5 and 100%$"),
            ("${NONE:-$$FOO}", "$FOO"),
            (
                "${NONE:?give it}",
                "error: required variable `NONE` is missing a value: give it",
            ),
            ("${EMPTY?x}", ""),
            (
                "${EMPTY:?}",
                "error: required variable `EMPTY` is missing a value",
            ),
            ("${", "error: invalid variable reference in `${`"),
            ("${}", "error: invalid variable reference in `${}`"),
            (
                "${FOO!x}",
                "error: invalid variable reference in `${FOO!x}`",
            ),
            ("${FOO", "error: invalid variable reference in `${FOO`"),
            (
                "${NONE:-\n}",
                "error: invalid variable reference in `${NONE:-\n}`",
            ),
        ] {
            assert_eq!(filled(template), expected, "{template}");
        }
    }

    #[test]
    fn a_variable_without_value_and_default_is_told() {
        let mut known = known();
        substitute("$NONE ${OTHER} ${SAFE:-x} ${MORE:+x}", &mut known).unwrap();
        assert_eq!(known.1, ["NONE", "OTHER"]);
    }

    #[test]
    fn variables_in_defaults_are_found() {
        let mut found = Vec::new();
        variables("${A:-${B:-c}} $C ${D:?why} $$E", &mut found);
        let names: Vec<_> = found
            .iter()
            .map(|variable| variable.name.as_str())
            .collect();
        assert_eq!(names, ["A", "B", "C", "D"]);
        assert_eq!(found[0].default, "${B:-c}");
        assert!(found[3].required);
    }

    proptest! {
        #[test]
        fn any_text_is_filled_or_refused(text in "[${}A-Za:?+\\-\n é]{0,40}") {
            let _ = substitute(&text, &mut known());
            variables(&text, &mut Vec::new());
        }

        #[test]
        fn doubling_every_dollar_keeps_the_text(text in ".{0,40}") {
            prop_assert_eq!(filled(&text.replace('$', "$$")), text);
        }
    }
}
