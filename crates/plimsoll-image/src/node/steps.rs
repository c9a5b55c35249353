//! Running scripts of a project in the sandbox: without a network, with a place for what they
//! leave.

use std::path::{Path, PathBuf};

use super::NodeError;
use super::output::last_lines;
use super::project::{NodeProject, Tools};
use crate::{Access, BindMount};

/// Where a step copies what a build left.
pub(crate) const OUT: &str = "/plimsoll/out";

/// One run of scripts.
pub(crate) struct Scripts<'s> {
    /// What it is called in messages: `npm run build`.
    pub shown: &'s str,
    /// The whole command.
    pub command: Vec<String>,
    /// The trees it runs on.
    pub root: Vec<PathBuf>,
    /// Where it leaves files.
    pub out: &'s Path,
    /// Variables besides those of every step.
    pub environment: &'s [(String, String)],
}

/// How scripts ended that did not use up their memory.
pub(crate) struct Ended {
    pub exit_code: i32,
    /// The last lines they printed.
    pub output: Vec<String>,
}

impl NodeProject<'_> {
    /// Runs scripts to their end.
    pub(crate) fn run_scripts(
        &self,
        tools: &Tools,
        scripts: Scripts<'_>,
    ) -> Result<Ended, NodeError> {
        let mut step = self.step(tools, scripts.shown, scripts.command);
        step.root = scripts.root;
        step.mounts.push(BindMount {
            source: scripts.out.to_path_buf(),
            target: PathBuf::from(OUT),
            access: Access::ReadWrite,
        });
        let production = ("NODE_ENV".to_string(), "production".to_string());
        step.environment.push(production);
        for (name, value) in scripts.environment {
            step.environment.retain(|(known, _)| known != name);
            step.environment.push((name.clone(), value.clone()));
        }
        tracing::debug!(step = step.name, "running");
        let outcome = self.workshop.sandbox.run(&step)?;
        if outcome.out_of_memory {
            return Err(NodeError::OutOfMemory {
                script: scripts.shown.to_string(),
                limit: step.memory.unwrap_or_default() >> 20,
            });
        }
        Ok(Ended {
            exit_code: outcome.exit_code,
            output: last_lines(&outcome.stdout, &outcome.stderr),
        })
    }
}
