//! When build scripts have the network.

use std::str::FromStr;

use serde::Serialize;

/// When a project's own build scripts have the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptNetwork {
    /// Once they failed without it, in a way that looks as if that was why.
    #[default]
    WhenNeeded,
    /// From the start.
    Always,
}

/// What it looks like, for whoever wrote it otherwise.
const FORMS: &str = "write `when-needed` or `always`";

impl FromStr for ScriptNetwork {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "when-needed" => Ok(Self::WhenNeeded),
            "always" => Ok(Self::Always),
            _ => Err(FORMS),
        }
    }
}
