//! What a value comes to: constants, defaults, and the variables it is read from.

use crate::python::environment::read_of;
use crate::python::module::Module;
use crate::python::value::Value;

/// What a value comes to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Constant {
    /// The value when no variable is set.
    pub(crate) text: Option<String>,
    /// The variable that changes it.
    pub(crate) variable: Option<String>,
}

impl Constant {
    /// A value that no variable changes.
    pub(crate) fn of(text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            variable: None,
        }
    }

    /// The number it comes to.
    pub(crate) fn number(&self) -> Option<i64> {
        self.text.as_deref()?.trim().parse().ok()
    }

    /// The port it comes to.
    pub(crate) fn port(&self) -> Option<u16> {
        self.number()
            .and_then(|number| u16::try_from(number).ok())
            .filter(|port| *port > 0)
    }
}

/// How many names are followed one after the other.
const STEPS: usize = 6;

/// What `value` comes to, seen from the statement scope `path` of `module`.
pub(crate) fn evaluate(value: &Value, module: &Module, path: &str) -> Constant {
    step(value, module, path, 0)
}

fn step(value: &Value, module: &Module, path: &str, steps: usize) -> Constant {
    if steps > STEPS {
        return Constant::default();
    }
    let follow = |value: &Value| step(value, module, path, steps + 1);
    match value {
        Value::Text(text) => Constant::of(text),
        Value::Integer(number) => Constant::of(number.to_string()),
        Value::Decimal(number) => Constant::of(number),
        Value::Boolean(value) => Constant::of(if *value { "true" } else { "false" }),
        Value::Either(values) => {
            let mut all = values.iter().map(follow);
            let first = all.next().unwrap_or_default();
            if first.text.is_some() {
                return first;
            }
            let other = all
                .find(|constant| constant.text.is_some())
                .unwrap_or_default();
            Constant {
                text: other.text,
                variable: first.variable.or(other.variable),
            }
        }
        Value::Joined(parts) => {
            let mut text = String::new();
            for part in parts {
                match follow(part).text {
                    Some(piece) => text.push_str(&piece),
                    None => return Constant::default(),
                }
            }
            Constant::of(text)
        }
        Value::Call(call) => {
            if let Some(read) = read_of(call, module) {
                return Constant {
                    text: read
                        .default
                        .map(|default| follow(default).text)
                        .unwrap_or_default(),
                    variable: Some(read.name.to_owned()),
                };
            }
            let callee = module.callee(call).unwrap_or_default();
            if matches!(callee.as_ref(), "typer.Option" | "typer.Argument") {
                return call.argument(0, "default").map(follow).unwrap_or_default();
            }
            match (call.method(), call.arguments.first()) {
                (Some("int" | "str" | "float" | "bool" | "strip" | "Path"), Some(inner)) => {
                    follow(inner)
                }
                _ => Constant::default(),
            }
        }
        Value::Subscript(base, index) => {
            let environment = base
                .as_name()
                .is_some_and(|name| module.qualify(name) == "os.environ");
            Constant {
                text: None,
                variable: index.as_text().filter(|_| environment).map(str::to_owned),
            }
        }
        Value::Name(name) => {
            let local = module.bindings.iter().rev().find(|binding| {
                binding.target == *name && (*binding.scope.path == *path || binding.scope.is_top())
            });
            if let Some(value) = local.and_then(|binding| binding.value.as_ref()) {
                return follow(value);
            }
            let parameter = module.function(path).and_then(|function| {
                function
                    .parameters
                    .iter()
                    .find(|parameter| parameter.name == *name)?
                    .default
                    .as_ref()
            });
            if let Some(default) = parameter {
                return follow(default);
            }
            argument(name, module).map(follow).unwrap_or_default()
        }
        _ => Constant::default(),
    }
}

/// The default of a command-line argument: `args.port` after `add_argument("--port", default=8000)`.
fn argument<'m>(name: &str, module: &'m Module) -> Option<&'m Value> {
    let (_, attribute) = name.rsplit_once('.')?;
    let option = format!("--{}", attribute.replace('_', "-"));
    let other = format!("--{attribute}");
    module
        .calls
        .iter()
        .filter(|placed| placed.call.method() == Some("add_argument"))
        .find(|placed| {
            let named = placed
                .call
                .arguments
                .iter()
                .filter_map(Value::as_text)
                .any(|text| text == option || text == other);
            named || placed.call.keyword("dest").and_then(Value::as_text) == Some(attribute)
        })
        .and_then(|placed| placed.call.keyword("default"))
}
