//! Small static programs of ours, written in C and compiled where an image needs one: nothing of
//! them has to be installed on the machine that builds.

use std::path::PathBuf;

use fs_err as fs;
use thiserror::Error;

use super::{Elf, NotForTarget, SUITE, Target, Zig, last_lines};
use crate::base;
use crate::debian::{BaseRequest, DebianError};
use crate::python::BUILD_USER;
use crate::store::StoreError;
use crate::toolchain::ToolchainError;
use crate::workshop::Workshop;
use crate::{Access, BindMount, SandboxError, Step};

/// Where the source and the program are in the sandbox.
const WORK: &str = "/plimsoll/work";

/// A program to compile.
#[derive(Debug)]
pub(crate) struct CProgram {
    /// What people call it: `health probe`.
    pub name: &'static str,
    /// Its source.
    pub source: &'static str,
    /// What the compiler is told besides the target and the files.
    pub flags: &'static [&'static str],
}

/// A program cannot be compiled.
#[derive(Debug, Error)]
pub enum CProgramError {
    /// The compiler refuses it.
    #[error("the {name} cannot be compiled:\n{}", output.join("\n"))]
    Compile {
        /// The program.
        name: &'static str,
        /// What the compiler wrote last.
        output: Vec<String>,
    },
    /// It came out for another processor.
    #[error(transparent)]
    Processor(#[from] NotForTarget),
    /// The step could not run.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The compiler cannot be had.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The root of the step cannot be had.
    #[error(transparent)]
    Base(#[from] DebianError),
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl CProgram {
    /// What decides how it comes out, for keys.
    pub(crate) fn identity(&self, target: Target) -> String {
        format!(
            "for {} by Zig {} {:?} {}",
            target.name(),
            Zig::version(),
            self.flags,
            crate::Digest::of(self.source.as_bytes())
        )
    }

    /// Its bytes for a target.
    pub(crate) fn compile(
        &self,
        workshop: &Workshop<'_>,
        target: Target,
    ) -> Result<Vec<u8>, CProgramError> {
        workshop.tell(format!("compiling the {}", self.name));
        let zig = Zig::obtain::<CProgramError>(workshop)?;
        let base = base::assemble(workshop, &BaseRequest::new(SUITE, workshop.host))?;
        let scratch = workshop.scratch()?;
        let work = scratch.directory("program", BUILD_USER)?;
        fs::write(work.join("program.c"), self.source)?;
        let mut command = Zig::command("cc", target);
        command.extend(self.flags.iter().map(|flag| (*flag).to_string()));
        command.extend(["-o", "program", "program.c"].map(str::to_string));
        let mut step = Step {
            name: format!("{}: compile the {}", workshop.subject, self.name),
            root: workshop.trees(base.layers())?,
            mounts: vec![BindMount {
                source: work.clone(),
                target: PathBuf::from(WORK),
                access: Access::ReadWrite,
            }],
            command,
            environment: vec![
                ("HOME".to_string(), "/tmp".to_string()),
                ("LC_ALL".to_string(), "C.UTF-8".to_string()),
            ],
            working_dir: PathBuf::from(WORK),
            ..super::step()
        };
        zig.show(&mut step.mounts, &mut step.environment);
        let outcome = workshop.sandbox.run(&step)?;
        if outcome.exit_code != 0 {
            return Err(CProgramError::Compile {
                name: self.name,
                output: last_lines(&outcome.stdout, &outcome.stderr),
            });
        }
        let program = work.join("program");
        if let Some(elf) = Elf::read(&program)? {
            elf.check(self.name, workshop.architecture)?;
        }
        Ok(fs::read(program)?)
    }
}
