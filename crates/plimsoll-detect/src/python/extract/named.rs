//! Modules that a text names: what Django imports as its settings, and what these name as its routes.

use std::sync::OnceLock;

use super::Extractor;
use crate::python::module::{Import, Scope};
use crate::python::value::{Call, Value};
use crate::syntax::Place;

impl Extractor<'_> {
    /// `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "desk.settings")` imports that module.
    pub(super) fn named_settings(&mut self, call: &Call, scope: &Scope) {
        let [Value::Text(variable), Value::Text(module), ..] = call.arguments.as_slice() else {
            return;
        };
        if call.method() == Some("setdefault") && variable == "DJANGO_SETTINGS_MODULE" {
            self.named_import(module, scope, call.place);
        }
    }

    /// An import by a text, which binds no name.
    pub(super) fn named_import(&mut self, module: &str, scope: &Scope, place: Place) {
        self.module.imports.push(Import {
            level: 0,
            module: module.to_owned(),
            name: None,
            local: String::new(),
            scope: scope.clone(),
            place,
            full_name: OnceLock::new(),
        });
    }
}
