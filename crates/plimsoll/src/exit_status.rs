//! The exit codes of every command, in one table.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// Fine.
    Success,
    /// Findings at or above the threshold, a proof refuted, or the application failed.
    Failure,
    /// The command line or the project's configuration is wrong.
    Usage,
    /// Plimsoll itself failed.
    Internal,
    /// The code of the program that the command ran.
    Program(u8),
}

impl ExitStatus {
    /// The status of a program that a container ran; codes of containers fit a byte.
    pub(crate) fn of_program(code: i32) -> Self {
        match u8::try_from(code) {
            Ok(0) => Self::Success,
            Ok(code) => Self::Program(code),
            Err(_) => Self::Failure,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        ExitCode::from(match status {
            ExitStatus::Success => 0,
            ExitStatus::Failure => 1,
            ExitStatus::Usage => 2,
            ExitStatus::Internal => 70,
            ExitStatus::Program(code) => code,
        })
    }
}
