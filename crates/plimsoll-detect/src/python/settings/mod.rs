//! Settings objects: classes whose fields are read from variables of the environment.

mod attributes;
mod given;

use std::sync::Arc;

use given::Given;

use crate::python::environment::VariableRead;
use crate::python::evaluate::evaluate;
use crate::python::module::{Binding, Class, Module, join};
use crate::python::prefix::prefix;
use crate::python::value::{Call, Value};
use crate::python::workspace::Workspace;

pub(crate) use attributes::constant;

/// How many classes, functions or nested models are followed one after another.
const STEPS: usize = 6;

const SETTINGS_BASES: &[&str] = &[
    "pydantic_settings.BaseSettings",
    "pydantic_settings.main.BaseSettings",
    "pydantic.BaseSettings",
    "pydantic.v1.BaseSettings",
];

/// A class of the tree and the file that defines it.
struct Owner {
    module: Arc<Module>,
    class: Class,
}

impl Owner {
    /// What the name of a class leads to.
    fn named(workspace: &Workspace<'_>, module: &Arc<Module>, name: &str) -> Option<Self> {
        let (module, name) = workspace.origin(module, name)?;
        let class = module.class(&name)?.clone();
        Some(Self { module, class })
    }

    /// The scope of its body.
    fn path(&self) -> String {
        join(&self.class.scope.path, &self.class.name)
    }

    /// The classes of the tree that it extends.
    fn bases<'w>(&'w self, workspace: &'w Workspace<'_>) -> impl Iterator<Item = Owner> + 'w {
        let names = self.class.bases.iter().filter_map(Value::as_name);
        names
            .filter_map(|name| Owner::named(workspace, &self.module, name))
            .filter(|base| {
                base.module.path != self.module.path || base.class.name != self.class.name
            })
    }

    /// Whether it extends one of `names`, be it through other classes of the tree.
    fn extends(&self, workspace: &Workspace<'_>, names: &[&str], depth: usize) -> bool {
        let direct = self.class.bases.iter().filter_map(Value::as_name);
        direct
            .map(|name| self.module.qualify(name))
            .any(|name| names.contains(&name.as_ref()))
            || depth < STEPS
                && self
                    .bases(workspace)
                    .any(|base| base.extends(workspace, names, depth + 1))
    }

    fn is_settings(&self, workspace: &Workspace<'_>) -> bool {
        self.extends(workspace, SETTINGS_BASES, 0)
    }

    /// Whether its objects are made only where a condition holds, or where somebody catches that it cannot be made.
    fn is_made_on_condition(&self, loaded: &[Arc<Module>]) -> bool {
        let name = self.class.name.as_str();
        let extended = loaded
            .iter()
            .flat_map(|module| &module.classes)
            .flat_map(|class| &class.bases)
            .any(|base| base.last_name() == Some(name));
        let mut made = loaded
            .iter()
            .flat_map(|module| &module.calls)
            .filter(|placed| placed.call.method() == Some(name))
            .peekable();
        // Handed to somebody who makes it: `default_factory=Settings`, `Depends(Settings)`.
        let passed = || {
            loaded
                .iter()
                .flat_map(|module| &module.calls)
                .flat_map(|placed| {
                    let keywords = placed.call.keywords.iter().map(|(_, value)| value);
                    placed.call.arguments.iter().chain(keywords)
                })
                .any(|value| value.as_name().and_then(|name| name.rsplit('.').next()) == Some(name))
        };
        !extended
            && made.peek().is_some()
            && made.all(|placed| placed.scope.conditional)
            && !passed()
    }

    /// The fields that whoever makes its objects hands over, be it in a table that is spread: `Settings(**table)`.
    fn given(&self, loaded: &[Arc<Module>]) -> Given {
        let name = self.class.name.as_str();
        let made = loaded.iter().flat_map(|module| {
            let calls = module.calls.iter();
            calls
                .filter(|placed| placed.call.method() == Some(name))
                .map(move |placed| Given::by(module, placed))
        });
        made.reduce(Given::both).unwrap_or_default()
    }

    /// Its own fields.
    fn fields(&self) -> impl Iterator<Item = &Binding> {
        let path = self.path();
        self.module.bindings.iter().filter(move |field| {
            let plain = field.annotation.is_some()
                || matches!(&field.value, Some(Value::Call(call)) if call.method() == Some("Field"));
            let constant = field.annotation.as_ref().and_then(Value::last_name) == Some("ClassVar");
            *field.scope.path == *path
                && plain
                && !constant
                && !field.target.starts_with('_')
                && field.target != "model_config"
        })
    }

    /// The binding of an attribute, here or in a class that it extends.
    fn attribute(
        &self,
        workspace: &Workspace<'_>,
        name: &str,
        depth: usize,
    ) -> Option<(Arc<Module>, Binding)> {
        let path = self.path();
        let own = self
            .module
            .bindings
            .iter()
            .rfind(|binding| *binding.scope.path == *path && binding.target == name);
        match own {
            Some(binding) => Some((self.module.clone(), binding.clone())),
            None if depth < STEPS => self
                .bases(workspace)
                .find_map(|base| base.attribute(workspace, name, depth + 1)),
            None => None,
        }
    }

    /// The attribute of the object that a property gives as it is.
    fn property(&self, name: &str) -> Option<&str> {
        let path = self.path();
        let function = self.module.functions.iter().find(|function| {
            let mut decorators = function.decorators.iter();
            *function.scope.path == *path
                && function.name == name
                && decorators.any(|(decorator, _)| {
                    matches!(decorator.last_name(), Some("property" | "cached_property"))
                })
        })?;
        match function.returns.as_slice() {
            [only] => only
                .as_name()?
                .strip_prefix("self.")
                .filter(|rest| !rest.contains('.')),
            _ => None,
        }
    }

    /// How its fields are named in the environment.
    fn naming(&self, workspace: &Workspace<'_>, depth: usize) -> Naming {
        let path = self.path();
        let inner = format!("{path}.Config");
        let option = |name: &str| -> Option<String> {
            let config =
                self.module.bindings.iter().filter(|binding| {
                    *binding.scope.path == *path && binding.target == "model_config"
                });
            let stated = config.filter_map(|binding| match binding.value.as_ref()? {
                Value::Call(call) => call.keyword(name),
                Value::Table(entries) => entries
                    .iter()
                    .find(|(key, _)| key.as_text() == Some(name))
                    .map(|(_, value)| value),
                _ => None,
            });
            let nested = self
                .module
                .bindings
                .iter()
                .filter(|binding| *binding.scope.path == *inner && binding.target == name)
                .filter_map(|binding| binding.value.as_ref());
            let keywords = self.class.keywords.iter();
            let of_class = keywords
                .filter(|(keyword, _)| keyword == name)
                .map(|(_, value)| value);
            stated
                .chain(nested)
                .chain(of_class)
                .find_map(|value| prefix(workspace, &self.module, &path, value))
        };
        let mut naming = Naming {
            prefix: option("env_prefix"),
            delimiter: option("env_nested_delimiter"),
        };
        if depth < STEPS && (naming.prefix.is_none() || naming.delimiter.is_none()) {
            for base in self.bases(workspace) {
                let inherited = base.naming(workspace, depth + 1);
                naming.prefix = naming.prefix.or(inherited.prefix);
                naming.delimiter = naming.delimiter.or(inherited.delimiter);
            }
        }
        naming
    }
}

/// How the fields of a settings class are named in the environment.
#[derive(Debug, Default)]
struct Naming {
    prefix: Option<String>,
    /// What stands between the name of a field and that of a field inside of it.
    delimiter: Option<String>,
}

/// What a field says about itself.
struct Described<'f> {
    type_name: Option<String>,
    optional: bool,
    /// The name it has in the environment, whatever the prefix.
    alias: Option<String>,
    default: Option<&'f Value>,
    /// Whether somebody has to give it a value.
    missing: bool,
}

impl<'f> Described<'f> {
    fn of(field: &'f Binding) -> Self {
        let mut type_name = None;
        let mut optional = false;
        let mut described: Option<&Call> = None;
        if let Some(annotation) = &field.annotation {
            annotation.walk(&mut |value| match value {
                Value::Name(name) => {
                    let last = name.rsplit('.').next().unwrap_or(name);
                    match last {
                        "Optional" | "Union" | "Annotated" | "Literal" | "Field" | "list"
                        | "List" => {}
                        _ if type_name.is_none() => type_name = Some(last.to_owned()),
                        _ => {}
                    }
                    optional |= last == "Optional";
                }
                Value::None => optional = true,
                Value::Call(call) if call.method() == Some("Field") => described = Some(call),
                _ => {}
            });
        }
        let mut default = field.value.as_ref();
        if let Some(Value::Call(call)) = default
            && call.method() == Some("Field")
        {
            described = Some(call);
            default = call
                .argument(0, "default")
                .or_else(|| call.keyword("default_factory"));
        }
        // `Annotated[str, Field(default="x")]`.
        default = default.or_else(|| described?.keyword("default"));
        let missing = match default {
            None => true,
            Some(Value::Name(name)) => name == "...",
            Some(_) => false,
        };
        let alias = described.and_then(|call| {
            ["validation_alias", "alias", "env"]
                .into_iter()
                .find_map(|keyword| match call.keyword(keyword)? {
                    Value::Text(text) => Some(text.clone()),
                    Value::Call(choices) => choices.arguments.first()?.as_text().map(str::to_owned),
                    Value::List(choices) => choices.first()?.as_text().map(str::to_owned),
                    _ => None,
                })
        });
        Self {
            type_name,
            optional,
            alias,
            default: default.filter(|_| !missing),
            missing,
        }
    }
}

/// The variables that the settings classes of a file read.
pub(crate) fn reads(
    workspace: &Workspace<'_>,
    module: &Arc<Module>,
    loaded: &[Arc<Module>],
    found: &mut Vec<VariableRead>,
) {
    for class in &module.classes {
        let owner = Owner {
            module: module.clone(),
            class: class.clone(),
        };
        if !owner.is_settings(workspace) {
            continue;
        }
        let naming = owner.naming(workspace, 0);
        let prefix = naming.prefix.clone().unwrap_or_default();
        let mut reader = Reader {
            workspace,
            settings: &class.name,
            delimiter: naming.delimiter.as_deref(),
            given: owner.given(loaded),
            found,
        };
        let insists = if owner.is_made_on_condition(loaded) {
            Insists::No
        } else {
            Insists::Yes
        };
        reader.fields(&owner, &prefix, insists, 0);
        // What it takes from classes that are no settings by themselves.
        for base in owner.bases(workspace) {
            if !base.is_settings(workspace) {
                reader.fields(&base, &prefix, insists, 0);
            }
        }
    }
}

/// Whether fields without a default have to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Insists {
    Yes,
    /// What they are part of has a default as a whole, or is made only where something asks for it.
    No,
}

struct Reader<'r, 'w> {
    workspace: &'r Workspace<'w>,
    settings: &'r str,
    delimiter: Option<&'r str>,
    given: Given,
    found: &'r mut Vec<VariableRead>,
}

impl Reader<'_, '_> {
    fn fields(&mut self, owner: &Owner, prefix: &str, insists: Insists, depth: usize) {
        for field in owner.fields() {
            let described = Described::of(field);
            let model = self.model(owner, field);
            if model
                .as_ref()
                .is_some_and(|model| model.is_settings(self.workspace))
            {
                // It reads variables of its own.
                continue;
            }
            let name = described
                .alias
                .clone()
                .filter(|_| depth == 0)
                .unwrap_or_else(|| format!("{prefix}{}", field.target))
                .to_uppercase();
            if let (Some(model), Some(delimiter)) = (&model, self.delimiter)
                && depth < STEPS
            {
                let insists = if described.missing {
                    insists
                } else {
                    Insists::No
                };
                self.fields(model, &format!("{name}{delimiter}"), insists, depth + 1);
                continue;
            }
            let text = described.default.and_then(|default| match default {
                Value::List(items) => {
                    let texts: Option<Vec<&str>> = items.iter().map(Value::as_text).collect();
                    texts.map(|texts| texts.join(","))
                }
                other => evaluate(other, &owner.module, &field.scope.path).text,
            });
            self.found.push(VariableRead {
                required: described.missing
                    && insists == Insists::Yes
                    && !(depth == 0 && self.given.has(&field.target))
                    && !(described.optional && field.value.is_some()),
                secret: described.type_name.as_deref() == Some("SecretStr"),
                default: text,
                type_name: described.type_name,
                span: owner.module.span(field.place),
                why: format!("field of `{}`", self.settings),
                name,
            });
        }
    }

    /// The class of the tree that a field holds.
    fn model(&self, owner: &Owner, field: &Binding) -> Option<Owner> {
        let model = holds(self.workspace, &owner.module, field)?;
        let known = model.is_settings(self.workspace)
            || model.extends(
                self.workspace,
                &["pydantic.BaseModel", "pydantic.main.BaseModel"],
                0,
            );
        known.then_some(model)
    }
}

/// The class of the tree that a field is annotated with, or made from.
fn holds(workspace: &Workspace<'_>, module: &Arc<Module>, field: &Binding) -> Option<Owner> {
    let mut names = Vec::new();
    for value in field.annotation.iter().chain(&field.value) {
        value.walk(&mut |value| match value {
            Value::Name(name) | Value::Text(name)
                if name.starts_with(char::is_uppercase) || name.contains('.') =>
            {
                names.push(name.as_str());
            }
            _ => {}
        });
    }
    // A list or table of models is one variable.
    let collection = field
        .annotation
        .as_ref()
        .and_then(Value::last_name)
        .is_some_and(|name| matches!(name, "list" | "List" | "dict" | "Dict" | "set" | "tuple"));
    if collection {
        return None;
    }
    names
        .into_iter()
        .find_map(|name| Owner::named(workspace, module, name))
}
