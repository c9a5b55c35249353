//! Running scripts of a project in the sandbox: with a place for what they leave, and without a
//! network unless they turn out to fetch something, which is told.

use std::path::{Path, PathBuf};

use plimsoll_diag::Diagnostic;

use super::NodeError;
use super::error::is_about_network;
use super::output::last_lines;
use super::project::{NodeProject, Tools};
use crate::step::fetching;
use crate::{Access, BindMount, StepNetwork, StepOutcome};

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
        let run = |step: &crate::Step| -> Result<StepOutcome, NodeError> {
            let outcome = self.workshop.sandbox.run(step)?;
            match outcome.out_of_memory {
                true => Err(NodeError::OutOfMemory {
                    script: scripts.shown.to_string(),
                    limit: step.memory.unwrap_or_default() >> 20,
                }),
                false => Ok(outcome),
            }
        };
        let mut outcome = run(&step)?;
        let output = last_lines(&outcome.stdout, &outcome.stderr);
        if outcome.exit_code != 0 && is_about_network(&output) {
            self.notice(
                Diagnostic::warning(format!(
                    "`{}` fetches from the network, so that its image may come out otherwise \
                     another time",
                    scripts.shown
                ))
                .hint("keep what it fetches (fonts, data) in the project"),
            );
            // No credentials: it runs the project's own code.
            let settings = self.workshop.registries.settings();
            fetching::prepare(settings, &mut step.mounts, &mut step.environment);
            step.network = StepNetwork::Host;
            outcome = run(&step)?;
        }
        Ok(Ended {
            exit_code: outcome.exit_code,
            output: last_lines(&outcome.stdout, &outcome.stderr),
        })
    }
}
