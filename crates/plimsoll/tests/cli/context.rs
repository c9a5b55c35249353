//! A project in a temporary directory, and the command line run in it.

use std::io::{Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// User and group without any power.
const NOBODY: u32 = 65534;

const COMPOSE_FILE: &str = r#"services:
  web:
    image: nginx:1.27
    depends_on: [db]
    ports: ["8000:80"]
    profiles: [front]
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: ${PASSWORD:-desk}
    volumes: ["data:/var/lib/postgresql/data"]
volumes:
  data:
"#;

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

    /// For what root alone is told; `None`, with a line that says why, for anyone else.
    pub(crate) fn of_root() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: stacks belong to root");
            return None;
        }
        Some(Self::new())
    }

    /// With a Compose file of a database, and a server that only a profile starts.
    pub(crate) fn with_compose_file() -> Self {
        let context = Self::new();
        context.write("compose.yaml", COMPOSE_FILE);
        context
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

    pub(crate) fn read(&self, path: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.project().join(path)).unwrap()
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

    /// The same with this text as standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> String {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(input.as_bytes()).unwrap();
        file.rewind().unwrap();
        let output = self.command(arguments).stdin(file).output().unwrap();
        self.shown(&output)
    }

    /// The same as a user without root's powers, where the tests have them.
    pub(crate) fn run_unprivileged(&self, arguments: &[&str]) -> String {
        let mut command = self.command(arguments);
        if rustix::process::geteuid().is_root() {
            // The build directory may be closed to others.
            let program = self.directory.path().join("plimsoll");
            std::fs::copy(env!("CARGO_BIN_EXE_plimsoll"), &program).unwrap();
            let everyone = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(self.directory.path(), everyone).unwrap();
            let environment = command.get_envs().collect::<Vec<_>>();
            let mut other = Command::new(program);
            other
                .args(arguments)
                .current_dir(self.project())
                .env_clear()
                .envs(
                    environment
                        .into_iter()
                        .filter_map(|(name, value)| Some((name, value?))),
                )
                .uid(NOBODY)
                .gid(NOBODY);
            command = other;
        }
        // Another test that starts a process meanwhile holds the copy open for a moment.
        let output = loop {
            match command.output() {
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                output => break output.unwrap(),
            }
        };
        self.shown(&output)
    }

    /// Puts content into the store that its name does not tell.
    pub(crate) fn damaged_blob(&self) {
        self.run(&["images"]);
        let blobs = self.directory.path().join("data/store/blobs/sha256");
        std::fs::create_dir_all(&blobs).unwrap();
        std::fs::write(blobs.join("0".repeat(64)), "not what the name says").unwrap();
    }

    pub(crate) fn shown(&self, output: &Output) -> String {
        let code = output
            .status
            .code()
            .map_or("signal".to_owned(), |code| code.to_string());
        let root = self.directory.path().to_string_lossy().into_owned();
        let clean = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).replace(&root, "[ROOT]");
            let lines = text.split_inclusive('\n').map(without_time);
            lines.collect::<String>()
        };
        format!(
            "exit code: {code}\n----- stdout -----\n{}----- stderr -----\n{}",
            clean(&output.stdout),
            clean(&output.stderr)
        )
    }
}

/// A line whose time taken, such as `in 0.02 s` or `in 13 ms` at its end, is `[TIME]`.
fn without_time(line: &str) -> String {
    let Some((before, time)) = line.rsplit_once(" in ") else {
        return line.to_owned();
    };
    let mut words = time.split_whitespace();
    let is_time = words
        .next()
        .is_some_and(|number| number.parse::<f64>().is_ok())
        && matches!(words.next(), Some("s" | "ms"));
    if is_time {
        format!("{before} in [TIME]\n")
    } else {
        line.to_owned()
    }
}
