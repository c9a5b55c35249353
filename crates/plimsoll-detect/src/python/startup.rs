//! Which functions run when a service starts, as opposed to when somebody asks it for something.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use crate::python::module::{Module, Moment, Scope};
use crate::python::value::{Value, last_part};

/// Names of functions, methods and classes that run when the files of a service are imported or started.
#[derive(Debug, Default)]
pub(crate) struct Startup {
    names: HashSet<String>,
    /// Files of which nothing need run.
    late: HashSet<Arc<Path>>,
    /// What runs of those.
    nothing: bool,
}

/// Decorators of functions that a framework calls when it starts.
const HOOKS: &[&str] = &[
    "on_event",
    "before_serving",
    "before_server_start",
    "on_startup",
    "asynccontextmanager",
    "worker_init",
];

/// Calls that keep what they are handed for later: for a request, an event, a step of a graph, an answer, the end.
#[rustfmt::skip]
const KEEPERS: &[&str] = &[
    "Depends", "Security", "Route", "WebSocketRoute", "APIRoute", "add_route", "add_api_route",
    "add_websocket_route", "add_api_websocket_route", "add_url_rule", "add_exception_handler", "add_handler",
    "CommandHandler", "MessageHandler", "CallbackQueryHandler", "InlineQueryHandler", "ConversationHandler",
    "add_node", "add_conditional_edges", "add_tool", "Tool", "StructuredTool", "FunctionTool", "from_function",
    "from_defaults", "register_function", "add_command", "add_done_callback", "signal", "add_signal_handler",
    "register",
];

impl Startup {
    /// Follows calls from what runs on import, from what the entry file starts, and from the functions that whoever
    /// starts it calls by name. Nothing need run of those that are `late`.
    pub(crate) fn of(
        all: &[Arc<Module>],
        late: HashSet<Arc<Path>>,
        entry: Option<&Module>,
        called: impl IntoIterator<Item = String>,
    ) -> Self {
        let on_time = |module: &&Arc<Module>| !late.contains(&module.path);
        let modules: Vec<&Arc<Module>> = all.iter().filter(on_time).collect();
        let mut startup = Self {
            names: called.into_iter().collect(),
            ..Self::default()
        };
        let defined: HashSet<&str> = modules
            .iter()
            .flat_map(|module| {
                let functions = module
                    .functions
                    .iter()
                    .map(|function| function.name.as_str());
                functions.chain(module.classes.iter().map(|class| class.name.as_str()))
            })
            .collect();
        for module in &modules {
            for function in &module.functions {
                let hooked = function.decorators.iter().any(|(decorator, _)| {
                    let startup = match decorator {
                        Value::Call(call) => call
                            .arguments
                            .first()
                            .and_then(Value::as_text)
                            .is_none_or(|event| event == "startup"),
                        _ => true,
                    };
                    startup
                        && decorator
                            .last_name()
                            .is_some_and(|name| HOOKS.contains(&name))
                });
                if hooked && (function.name.contains("lifespan") || !function.generator) {
                    startup.names.insert(function.name.clone());
                }
            }
        }
        // Each call once, with the names of the tree that it leads to.
        let mut leads: Vec<(&Scope, bool, Vec<&str>)> = Vec::new();
        for module in &modules {
            let own = entry.is_some_and(|entry| entry.path == module.path);
            for placed in &module.calls {
                let call = &placed.call;
                let values = call
                    .arguments
                    .iter()
                    .chain(call.keywords.iter().map(|(_, value)| value));
                let kept = call
                    .method()
                    .is_some_and(|method| KEEPERS.contains(&method));
                let passed = values
                    .filter_map(Value::as_name)
                    .filter(|name| !kept && !name.contains('.'));
                let called = call.function.as_name().filter(|name| {
                    // A method of an object that is not known may be any method of that name.
                    name.rsplit_once('.').is_none_or(|(receiver, _)| {
                        matches!(receiver, "self" | "cls") || module.import_of(receiver).is_some()
                    })
                });
                let names: Vec<&str> = called
                    .into_iter()
                    .chain(passed)
                    .map(last_part)
                    .filter(|name| defined.contains(name))
                    .collect();
                if !names.is_empty() {
                    leads.push((&placed.scope, own, names));
                }
            }
        }
        loop {
            let before = startup.names.len();
            leads.retain(|(scope, own, names)| {
                let runs = startup.runs(scope, *own);
                if runs {
                    startup
                        .names
                        .extend(names.iter().map(|name| (*name).to_owned()));
                }
                !runs
            });
            if startup.names.len() == before {
                startup.late = late;
                return startup;
            }
        }
    }

    /// What runs of one file.
    pub(crate) fn within(&self, module: &Module) -> &Self {
        static NOTHING: LazyLock<Startup> = LazyLock::new(|| Startup {
            nothing: true,
            ..Startup::default()
        });
        match self.late.contains(&module.path) {
            true => &NOTHING,
            false => self,
        }
    }

    /// Whether the statements of a scope run when the service starts, whatever its settings. `entry`: whether the
    /// scope's file is what is started.
    fn runs(&self, scope: &Scope, entry: bool) -> bool {
        let never = self.nothing || scope.moment == Moment::Never;
        if scope.conditional || never || scope.main && !entry {
            return false;
        }
        if scope.moment <= Moment::Import {
            return true;
        }
        let mut parts = scope.path.rsplit('.');
        let last = parts.next().unwrap_or_default();
        let class = parts.next();
        scope.moment == Moment::Call
            && (self.names.contains(last)
                || matches!(last, "__init__" | "__post_init__" | "model_post_init")
                    && class.is_some_and(|class| self.names.contains(class)))
    }

    /// Whether what fails in a scope keeps the service from starting.
    pub(crate) fn insists(&self, scope: &Scope) -> bool {
        self.runs(scope, true)
    }

    /// The same for a function or method, by its dotted path; the empty path is the file itself.
    pub(crate) fn reaches(&self, path: &str) -> bool {
        !self.nothing && path.is_empty() || {
            let mut parts = path.rsplit('.');
            let last = parts.next().unwrap_or_default();
            self.names.contains(last)
                || matches!(last, "__init__" | "__post_init__" | "model_post_init")
                    && parts.next().is_some_and(|class| self.names.contains(class))
        }
    }
}
