//! Modules that a text names: what Django imports as its settings.

use super::Extractor;
use crate::python::module::{Import, Scope};
use crate::python::value::{Call, Value};

impl Extractor<'_> {
    /// `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "desk.settings")` imports that module.
    pub(super) fn named_settings(&mut self, call: &Call, scope: &Scope) {
        let [Value::Text(variable), Value::Text(module), ..] = call.arguments.as_slice() else {
            return;
        };
        if call.method() == Some("setdefault") && variable == "DJANGO_SETTINGS_MODULE" {
            self.module.imports.push(Import {
                level: 0,
                module: module.clone(),
                name: None,
                local: String::new(),
                scope: scope.clone(),
                place: call.place,
            });
        }
    }
}
