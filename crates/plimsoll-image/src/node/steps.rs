//! Running scripts of a project in the sandbox: with a place for what they leave, and without a
//! network unless they turn out to fetch something, which is told.

use std::path::{Path, PathBuf};

use plimsoll_diag::Diagnostic;
use plimsoll_model::settings::ScriptNetwork;

use super::NodeError;
use super::error::is_about_network;
use super::output::last_lines;
use super::project::{NodeProject, Tools};
use crate::provenance::Material;
use crate::step::fetching;
use crate::{Access, BindMount, Step, StepNetwork, StepOutcome};

/// That scripts had the network since the project's settings say so.
const DECLARED: &str = "urn:plimsoll:network:declared";

/// That scripts had the network since they failed without it.
const NEEDED: &str = "urn:plimsoll:network:needed";

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
        as_in_production(&mut step.environment, scripts.environment);
        tracing::debug!(step = step.name, "running");
        let run = |step: &Step| -> Result<StepOutcome, NodeError> {
            let outcome = self.workshop.sandbox.run(step)?;
            match outcome.out_of_memory {
                true => Err(NodeError::OutOfMemory {
                    script: scripts.shown.to_string(),
                    limit: step.memory.unwrap_or_default() >> 20,
                }),
                false => Ok(outcome),
            }
        };
        let declared = self.workshop.script_network == ScriptNetwork::Always;
        if declared {
            self.open_network(&mut step, DECLARED);
        }
        let mut outcome = run(&step)?;
        let output = last_lines(&outcome.stdout, &outcome.stderr);
        if !declared && outcome.exit_code != 0 && is_about_network(&output) {
            self.notice(
                Diagnostic::warning(format!(
                    "`{}` fetches from the network, so that its image may come out otherwise \
                     another time",
                    scripts.shown
                ))
                .hint("keep what it fetches (fonts, data) in the project")
                .hint("`network = \"always\"` under `[build]` of `plimsoll.toml` spares the attempt without"),
            );
            self.open_network(&mut step, NEEDED);
            outcome = run(&step)?;
        }
        Ok(Ended {
            exit_code: outcome.exit_code,
            output: last_lines(&outcome.stdout, &outcome.stderr),
        })
    }

    /// Lets a step reach the network, which the image's provenance tells. No credentials: it runs the project's own code.
    fn open_network(&self, step: &mut Step, why: &str) {
        let settings = self.workshop.registries.settings();
        fetching::prepare(settings, &mut step.mounts, &mut step.environment);
        step.network = StepNetwork::Host;
        self.workshop.note([Material::unpinned(why)].into());
    }

    /// What tells the layers of scripts that have the network from those of scripts that may not need it.
    pub(crate) fn network_key(&self) -> &'static str {
        match self.workshop.script_network {
            ScriptNetwork::Always => " with the network",
            ScriptNetwork::WhenNeeded => "",
        }
    }
}

/// Makes variables of a step those of a script that builds for production, with `more` of its own.
fn as_in_production(environment: &mut Vec<(String, String)>, more: &[(String, String)]) {
    // Some builds fail at warnings where it is set, and a container's build sets it nowhere.
    environment.retain(|(name, _)| name != "CI");
    environment.push(("NODE_ENV".to_string(), "production".to_string()));
    for (name, value) in more {
        environment.retain(|(known, _)| known != name);
        environment.push((name.clone(), value.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_not_told_that_warnings_are_errors() {
        let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
        let mut environment = vec![pair("HOME", "/tmp"), pair("CI", "true")];
        as_in_production(&mut environment, &[pair("HOME", "/x")]);
        assert_eq!(
            environment,
            [pair("NODE_ENV", "production"), pair("HOME", "/x")]
        );
        as_in_production(&mut environment, &[pair("CI", "1")]);
        assert!(
            environment.contains(&pair("CI", "1")),
            "who says it means it"
        );
    }
}
