//! A place where real stacks come up: a project, a runtime directory of its own, and a data
//! directory that all tests share, so that packages are fetched once.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::machine::Traces;

/// Longest time anything here may take; a machine that is busy is no failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// A project to bring up.
pub(crate) struct Stage {
    directory: TempDir,
    project: PathBuf,
    before: Traces,
}

impl Stage {
    /// An empty project named `name`; `None`, with a line that says why, where stacks cannot run.
    pub(crate) fn empty(name: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let project = directory.path().join(name);
        std::fs::create_dir(&project).unwrap();
        Self::at(directory, project)
    }

    /// A project of this repository.
    pub(crate) fn example(name: &str) -> Option<Self> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../examples")
            .join(name);
        Self::at(
            tempfile::tempdir().unwrap(),
            project.canonicalize().unwrap(),
        )
    }

    fn at(directory: TempDir, project: PathBuf) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: containers need root");
            return None;
        }
        let before = Traces::of(&name_of(&project), &data(), &directory.path().join("run"));
        Some(Self {
            directory,
            project,
            before,
        })
    }

    pub(crate) fn project(&self) -> &Path {
        &self.project
    }

    pub(crate) fn runtime(&self) -> PathBuf {
        self.directory.path().join("run")
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.project.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// The command line in the project, with this machine's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command
            .args(arguments)
            .current_dir(&self.project)
            .env("PLIMSOLL_DATA", data())
            .env("PLIMSOLL_RUNTIME", self.runtime());
        command
    }

    /// Runs the command line; the output is for asserting on.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(output(&mut self.command(arguments)))
    }

    /// Runs the command line, which must succeed.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(
            ran.code, 0,
            "plimsoll {arguments:?} failed\n{}\n{}",
            ran.stdout, ran.stderr
        );
        ran
    }

    /// Takes the stack down and asserts that nothing of it is left.
    pub(crate) fn down_to_nothing(&self) {
        self.succeed(&["down", "--volumes"]);
        self.nothing_is_left();
    }

    /// Asserts that the machine is as it was before.
    pub(crate) fn nothing_is_left(&self) {
        // Control groups and processes vanish a moment after their last process is reaped.
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let now = Traces::of(&name_of(&self.project), &data(), &self.runtime());
            let left = now.since(&self.before);
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "left behind: {left:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A test that failed halfway must not leave its stack to the next one.
        let mut down = self.command(&["down", "--volumes", "--timeout", "0"]);
        if std::thread::panicking() {
            // A second panic would hide the first.
            let _ = down.output();
        } else {
            output(&mut down);
        }
    }
}

/// Runs a program to its end, which must come in time.
pub(crate) fn output(command: &mut Command) -> Output {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&child);
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output().unwrap()));
    ended.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        // Not reaped yet, so that the number is still its own.
        let _ = rustix::process::kill_process(pid, Signal::KILL);
        panic!("not ended after {} s: {command:?}", PATIENCE.as_secs())
    })
}

/// The name that a directory gives its project.
fn name_of(directory: &Path) -> String {
    directory
        .file_name()
        .unwrap()
        .to_string_lossy()
        .into_owned()
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Directory of images and downloads that all tests share, also from run to run.
pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("plimsoll-data")
}

/// A port of the loopback that is free now.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Asks over HTTP and gives status and body; `None` when nobody answers.
pub(crate) fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let body = answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())?;
    Some((status, body))
}

/// Waits until `condition` holds.
pub(crate) fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: still not so");
        std::thread::sleep(Duration::from_millis(50));
    }
}
