//! Every environment variable that Plimsoll itself reads, and the only place that reads any.

use std::collections::BTreeMap;

/// Directory for what must last: images, volumes, logs.
pub(crate) const PLIMSOLL_DATA: &str = "PLIMSOLL_DATA";
/// Directory for what may vanish at a reboot: states, sockets, locks.
pub(crate) const PLIMSOLL_RUNTIME: &str = "PLIMSOLL_RUNTIME";
/// What builds may keep to be faster: `20GB`, `10%` of the disk, `none`.
pub(crate) const PLIMSOLL_CACHE_LIMIT: &str = "PLIMSOLL_CACHE_LIMIT";
/// Filter for log messages, in the form `target=level,…`; wins over `-v`.
pub(crate) const PLIMSOLL_LOG: &str = "PLIMSOLL_LOG";
/// Set to anything but nothing: no colour (see no-color.org).
pub(crate) const NO_COLOR: &str = "NO_COLOR";

/// The caller's environment, read once. Entries that are not UTF-8 are left out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(pub(crate) BTreeMap<String, String>);

impl Environment {
    /// Reads the environment of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub(crate) fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        )
    }

    /// A variable's value; an empty one counts as unset.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}
