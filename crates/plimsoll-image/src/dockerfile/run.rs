//! `RUN`: a command in the sandbox, and what it wrote as a layer.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use fs_err as fs;
use plimsoll_diag::Secret;
use plimsoll_model::dockerfile::{CommandLine, Instruction, Run};

use super::mounts::{self, Bound};
use super::stage::{Made, RULES, StageState, layer};
use super::surroundings;
use super::written;
use super::{Build, DockerfileError, SystemStep};
use crate::digest::Hasher;
use crate::step::scratch::Scratch;
use crate::workshop::Workshop;
use crate::{BindMount, MemoryFile, MemoryMount, Step, StepNetwork, SystemChange};

/// Longest time for one command.
const LONGEST: Duration = Duration::from_secs(3600);

/// Processes that a command may have at once.
const MOST_PROCESSES: u32 = 4096;

/// How many of the last lines of a failed command are shown.
const SHOWN_LINES: usize = 30;

/// The search path of an image that names none.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a command sees besides its file system, and what of it must not stay.
#[derive(Default)]
pub(super) struct Surroundings {
    pub(super) mounts: Vec<BindMount>,
    pub(super) bound: Vec<Bound>,
    pub(super) memory: Vec<MemoryMount>,
    pub(super) files: Vec<MemoryFile>,
    /// Variables that do not count as input.
    pub(super) environment: Vec<(String, String)>,
    pub(super) secrets: Vec<(String, Secret<Vec<u8>>)>,
    /// Caches that only one command uses at a time.
    pub(super) locks: BTreeSet<String>,
}

impl Build<'_, '_> {
    /// Runs a command, as a layer above the stage.
    pub(super) fn run(
        &self,
        state: &mut StageState,
        index: usize,
        instruction: &Instruction,
        run: &Run,
    ) -> Result<(), DockerfileError> {
        if let Some(flag) = run
            .flags
            .iter()
            .find(|flag| matches!(flag.name.value.as_str(), "security" | "device"))
        {
            let message = format!(
                "`--{}` gives a command rights that none has here",
                flag.name.value
            );
            return Err(DockerfileError::at(flag.name.span.clone(), message));
        }
        let mut around = Surroundings::default();
        let mut inputs = Hasher::default();
        self.mounts(state, index, run, &mut around, &mut inputs)?;
        let network = self.network(state, run)?;
        let (command, script) = command_line(state, run);
        let environment = state.variables.of_command();
        let created_by = shortened(instruction);
        let key = format!(
            "{RULES} run on {} {command:?} {script:?} {environment:?} as {:?} in {:?} {network:?} with {}",
            state.identity(),
            state.config.user,
            state.config.working_dir,
            inputs.finish(),
        );
        let workshop = self.workshop;
        let below: &StageState = state;
        let layers = layer(workshop, &key, &created_by, || {
            workshop.tell(created_by.clone());
            let account = below.account(workshop, &below.config.user)?;
            let mut environment = environment.clone();
            let mut default = |name: &str, value: String| {
                if environment.iter().all(|(known, _)| known != name) {
                    environment.push((name.to_owned(), value));
                }
            };
            default("PATH", PATH.to_owned());
            default(
                "HOME",
                account.home.clone().unwrap_or_else(|| "/".to_owned()),
            );
            let scratch = workshop.scratch()?;
            let trees = workshop.trees(&below.layers)?;
            let view = super::view::View::of_layers(&trees);
            for (number, bound) in around.bound.iter().enumerate() {
                let place = mounts::below(scratch.path(), number);
                around.mounts.push(bound.lay_out(&place)?);
            }
            if let Some(text) = &script {
                around.mounts.push(script_mount(scratch.path(), text)?);
            }
            if network == StepNetwork::Host {
                around.environment.extend(self.given.proxies());
                surroundings::prepare(workshop, below, &view, &mut around, scratch.path())?;
            }
            for (name, value) in &around.environment {
                if environment.iter().all(|(known, _)| known != name) {
                    environment.push((name.clone(), value.clone()));
                }
            }
            let mut mount_points: Vec<PathBuf> = Vec::new();
            mount_points.extend(around.mounts.iter().map(|mount| mount.target.clone()));
            mount_points.extend(around.bound.iter().map(|bound| bound.target().to_owned()));
            mount_points.extend(around.memory.iter().map(|mount| mount.target.clone()));
            mount_points.extend(around.files.iter().map(|file| file.target.clone()));
            let writes = scratch.path().join("writes");
            let working_dir = match below.config.working_dir.is_empty() {
                true => "/".to_owned(),
                false => below.config.working_dir.clone(),
            };
            let change = SystemChange {
                step: Step {
                    name: format!("{}: {created_by}", workshop.subject),
                    root: trees,
                    mounts: std::mem::take(&mut around.mounts),
                    command: command.clone(),
                    environment,
                    working_dir: PathBuf::from(working_dir),
                    network,
                    user: (account.uid, account.gid),
                    timeout: LONGEST,
                    memory: Some(memory_limit()),
                    pids: Some(MOST_PROCESSES),
                },
                writes: writes.clone(),
                additional_groups: account.groups,
                memory: std::mem::take(&mut around.memory),
                files: std::mem::take(&mut around.files),
                shm_size: self.recipe.shm_size,
            };
            let outcome = self.with_locks(&around.locks, || workshop.sandbox.change(&change))?;
            if outcome.exit_code != 0 {
                return Err(DockerfileError::Command {
                    command: created_by.clone(),
                    span: Some(instruction.span.clone()),
                    exit_code: outcome.exit_code,
                    out_of_memory: outcome.out_of_memory.then(|| memory_limit() >> 20),
                    output: last_lines(&outcome.stdout, &outcome.stderr),
                });
            }
            let files = written::files(&writes, &view, &mount_points)?;
            if let Some((id, path)) = mounts::leak(&files, &around.secrets)? {
                return Err(DockerfileError::Leak {
                    id,
                    path,
                    span: Some(instruction.span.clone()),
                });
            }
            Ok(Made {
                files,
                _place: Some(scratch),
            })
        })?;
        state.layers.extend(layers);
        Ok(())
    }

    fn network(&self, state: &StageState, run: &Run) -> Result<StepNetwork, DockerfileError> {
        let flag = run
            .flags
            .iter()
            .find(|flag| flag.name.value == "network")
            .and_then(|flag| flag.value.as_ref());
        let Some(word) = flag else {
            return Ok(self.recipe_network());
        };
        match state.variables.expand(word)?.as_str() {
            "none" => Ok(StepNetwork::None),
            "default" => Ok(self.recipe_network()),
            "host" => Ok(StepNetwork::Host),
            other => Err(DockerfileError::at(
                word.span.clone(),
                format!("`{other}` is no network of a build"),
            )
            .hint("known are default, none and host")),
        }
    }

    /// Runs something while no other command uses the same caches.
    fn with_locks<T>(&self, locks: &BTreeSet<String>, work: impl FnOnce() -> T) -> T {
        let mut work: Box<dyn FnOnce() -> T + '_> = Box::new(work);
        for key in locks {
            let inner = work;
            work = Box::new(move || self.workshop.locks.alone(key, inner));
        }
        work()
    }
}

/// Runs a script as root without a network, and gives what it wrote.
pub(super) fn system_step(
    workshop: &Workshop<'_>,
    trees: &[PathBuf],
    step: &SystemStep<'_>,
    scratch: &Scratch,
) -> Result<PathBuf, DockerfileError> {
    let writes = scratch.path().join("writes");
    let change = SystemChange {
        step: Step {
            name: format!("{}: {}", workshop.subject, step.name),
            root: trees.to_vec(),
            mounts: vec![BindMount {
                source: step.packages.to_owned(),
                target: PathBuf::from("/packages"),
                access: crate::Access::ReadOnly,
            }],
            command: ["/bin/sh", "-c", step.script].map(str::to_owned).to_vec(),
            environment: vec![
                ("PATH".to_owned(), PATH.to_owned()),
                ("HOME".to_owned(), "/root".to_owned()),
            ],
            working_dir: PathBuf::from("/"),
            network: StepNetwork::None,
            user: (0, 0),
            timeout: LONGEST,
            memory: Some(memory_limit()),
            pids: Some(MOST_PROCESSES),
        },
        writes: writes.clone(),
        additional_groups: Vec::new(),
        memory: Vec::new(),
        files: Vec::new(),
        shm_size: None,
    };
    let outcome = workshop.sandbox.change(&change)?;
    match outcome.exit_code {
        0 => Ok(writes),
        exit_code => Err(DockerfileError::Command {
            command: step.name.to_owned(),
            span: None,
            exit_code,
            out_of_memory: outcome.out_of_memory.then(|| memory_limit() >> 20),
            output: last_lines(&outcome.stdout, &outcome.stderr),
        }),
    }
}

/// Where a script of a here-document is shown.
const SCRIPT: &str = "/plimsoll-script";

/// Program and arguments, and the script that they run, where there is one.
fn command_line(state: &StageState, run: &Run) -> (Vec<String>, Option<String>) {
    let line = match &run.command {
        CommandLine::Exec(words) => return (words.clone(), None),
        CommandLine::Shell(line) => line,
    };
    let shell = |text: String| {
        let mut words = state.shell();
        words.push(text);
        words
    };
    match run.heredocs.as_slice() {
        [] => (shell(line.clone()), None),
        // The document is the whole script.
        [only] if line.trim() == only.opening => match only.content.starts_with("#!") {
            true => (vec![SCRIPT.to_owned()], Some(only.content.clone())),
            false => (shell(only.content.clone()), None),
        },
        documents => {
            let mut text = format!("{line}\n");
            for document in documents {
                text.push_str(&document.content);
                text.push_str(&document.name);
                text.push('\n');
            }
            (shell(text), None)
        }
    }
}

fn script_mount(scratch: &std::path::Path, text: &str) -> Result<BindMount, DockerfileError> {
    use std::os::unix::fs::PermissionsExt;
    let source = scratch.join("script");
    fs::write(&source, text)?;
    fs::set_permissions(&source, std::fs::Permissions::from_mode(0o755))?;
    Ok(BindMount {
        source,
        target: PathBuf::from(SCRIPT),
        access: crate::Access::ReadOnly,
    })
}

/// Three quarters of the machine's memory: what is left keeps it answering.
fn memory_limit() -> u64 {
    let info = rustix::system::sysinfo();
    let total = (info.totalram as u64).saturating_mul(u64::from(info.mem_unit));
    (total / 4 * 3).max(512 << 20)
}

/// An instruction on one line, not too long.
pub(super) fn shortened(instruction: &Instruction) -> String {
    const LONGEST: usize = 120;
    let text = instruction.to_string();
    let line: Vec<&str> = text.split_whitespace().collect();
    let line = line.join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The end of what a command wrote.
fn last_lines(stdout: &[u8], stderr: &[u8]) -> String {
    let text = [
        String::from_utf8_lossy(stdout).into_owned(),
        String::from_utf8_lossy(stderr).into_owned(),
    ];
    let lines: Vec<&str> = text
        .iter()
        .flat_map(|text| {
            let lines: Vec<&str> = text
                .lines()
                .filter(|line| !line.trim().is_empty())
                .collect();
            let skip = lines.len().saturating_sub(SHOWN_LINES / 2);
            lines.into_iter().skip(skip)
        })
        .collect();
    lines
        .iter()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
