//! What a file binds at its top, and its functions and classes, by name. Every use of a name asks, so that each is not
//! looked for in all that the file says.

use std::collections::HashMap;

use crate::python::module::Module;

/// Numbers among what a module says, by name.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// The last binding of a name at the top.
    top_values: HashMap<Box<str>, usize>,
    /// The function or method at a dotted path.
    functions: HashMap<Box<str>, usize>,
    classes: HashMap<Box<str>, usize>,
}

impl Index {
    pub(super) fn of(module: &Module) -> Self {
        let mut index = Self::default();
        for (number, binding) in module.bindings.iter().enumerate() {
            if binding.scope.is_top() {
                index.top_values.insert((*binding.target).into(), number);
            }
        }
        for (number, function) in module.functions.iter().enumerate() {
            let path = function.inner_path().into();
            index.functions.entry(path).or_insert(number);
        }
        for (number, class) in module.classes.iter().enumerate() {
            let name = (*class.name).into();
            index.classes.entry(name).or_insert(number);
        }
        index
    }

    pub(super) fn top_value(&self, name: &str) -> Option<usize> {
        self.top_values.get(name).copied()
    }

    pub(super) fn function(&self, path: &str) -> Option<usize> {
        self.functions.get(path).copied()
    }

    pub(super) fn class(&self, name: &str) -> Option<usize> {
        self.classes.get(name).copied()
    }
}
