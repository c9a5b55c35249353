//! Fields of settings that the code fills itself: `Settings(port=1)`, `Settings(**table)`.

use std::collections::BTreeSet;

use crate::python::module::{Module, PlacedCall};
use crate::python::value::{SPREAD, Value};

/// Fields that are handed over where objects are made.
#[derive(Debug, Default)]
pub(super) struct Given {
    names: BTreeSet<String>,
    /// Whether more may be, from what the code does not show: a file that is read.
    others: bool,
}

impl Given {
    /// What one call hands over.
    pub(super) fn by(module: &Module, placed: &PlacedCall) -> Self {
        let mut given = Self::default();
        for (keyword, value) in &placed.call.keywords {
            if keyword != SPREAD {
                given.names.insert(keyword.clone());
                continue;
            }
            match value {
                Value::Name(table) => given.of_table(module, placed, table),
                Value::Table(entries) => given.keys(entries),
                _ => given.others = true,
            }
        }
        given
    }

    /// The keys of a table that is put together around the call.
    fn of_table(&mut self, module: &Module, placed: &PlacedCall, table: &str) {
        // A parameter is what its caller leaves out as a rule.
        let mut unknown = false;
        let bound = module.bindings.iter().filter(|binding| {
            binding.target == table
                && (binding.scope.path == placed.scope.path || binding.scope.is_top())
        });
        for binding in bound {
            match &binding.value {
                Some(Value::Table(entries)) => self.keys(entries),
                _ => unknown = true,
            }
        }
        for update in updates_of(module, placed, table) {
            let keywords = update.call.keywords.iter();
            self.names.extend(keywords.map(|(name, _)| name.clone()));
            match update.call.arguments.first() {
                Some(Value::Table(entries)) => self.keys(entries),
                Some(_) => self.others = true,
                None => {}
            }
        }
        // `table["port"] = 1`.
        let filled = module.changes.iter().any(|change| {
            let added =
                updates_of(module, placed, table).any(|update| update.call.place == change.place);
            change.target == table && change.scope.path == placed.scope.path && !added
        });
        self.others |= unknown || filled;
    }

    fn keys(&mut self, entries: &[(Value, Value)]) {
        let keys = entries.iter().filter_map(|(key, _)| key.as_text());
        self.names.extend(keys.map(str::to_owned));
    }

    /// What both of two calls hand over.
    pub(super) fn both(self, other: Self) -> Self {
        let one = |name: &String, given: &Self| given.others || given.names.contains(name);
        let names = self.names.iter().filter(|name| one(name, &other));
        let more = other.names.iter().filter(|name| one(name, &self));
        Self {
            names: names.chain(more).cloned().collect(),
            others: self.others && other.others,
        }
    }

    /// Whether a field is handed over, or may be.
    pub(super) fn has(&self, name: &str) -> bool {
        self.others || self.names.contains(name)
    }
}

/// Calls that add to a table what another one holds, around a call.
fn updates_of<'m>(
    module: &'m Module,
    placed: &PlacedCall,
    table: &str,
) -> impl Iterator<Item = &'m PlacedCall> {
    module.calls.iter().filter(move |other| {
        other.scope.path == placed.scope.path
            && other.call.method() == Some("update")
            && other.call.receiver() == Some(table)
    })
}
