//! A project in a temporary directory, and the command line run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A hermetic place to run `plimsoll` in: its own project, data and runtime directories, and no
/// environment but what a command needs.
pub(crate) struct Context {
    directory: TempDir,
}

impl Context {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("desk")).unwrap();
        Self { directory }
    }

    /// The project's directory; its name is the project's name.
    pub(crate) fn project(&self) -> PathBuf {
        self.directory.path().join("desk")
    }

    pub(crate) fn write(&self, path: impl AsRef<Path>, content: &str) {
        let path = self.project().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// The command with these arguments, ready to run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command
            .args(arguments)
            .current_dir(self.project())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.directory.path())
            .env("PLIMSOLL_DATA", self.directory.path().join("data"))
            .env("PLIMSOLL_RUNTIME", self.directory.path().join("run"));
        command
    }

    /// Runs it and gives exit code, standard output and standard error as one text to compare.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        self.shown(&output)
    }

    fn shown(&self, output: &Output) -> String {
        let code = output.status.code().map_or("signal".to_owned(), |code| code.to_string());
        let root = self.directory.path().to_string_lossy().into_owned();
        let clean = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&root, "[ROOT]");
        format!(
            "exit code: {code}\n----- stdout -----\n{}----- stderr -----\n{}",
            clean(&output.stdout),
            clean(&output.stderr)
        )
    }
}
