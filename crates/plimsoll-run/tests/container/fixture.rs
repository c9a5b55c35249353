//! An image made of the host's own programs, and containers of it.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use plimsoll_run::container::{ContainerSpec, LogOptions, RootAccess, UserSpec};
use plimsoll_run::{Condition, ContainerHandle, Engine, Follow};

/// Name and function of each test.
pub type Tests = &'static [(&'static str, fn())];

/// Longest wait for what must happen.
pub const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));

const PROGRAMS: [&str; 19] = [
    "sh", "cat", "id", "touch", "ls", "sleep", "mkdir", "grep", "stat", "true", "false", "env",
    "echo", "rm", "head", "chmod", "kill", "seq", "stty",
];

/// The engine all tests share.
pub static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().unwrap());

static IMAGE: Mutex<Option<tempfile::TempDir>> = Mutex::new(None);

/// The image's layer.
pub fn image() -> PathBuf {
    let mut image = IMAGE.lock().unwrap();
    image.get_or_insert_with(make_image).path().to_owned()
}

/// What `static` values hold is not dropped.
pub fn remove_image() {
    drop(IMAGE.lock().unwrap().take());
}

fn make_image() -> tempfile::TempDir {
    let image = tempfile::tempdir().unwrap();
    let root = image.path();
    fs_err::set_permissions(root, PermissionsExt::from_mode(0o755)).unwrap();
    for directory in [
        "usr/bin",
        "usr/lib",
        "usr/lib64",
        "etc",
        "tmp",
        "seeded",
        "home/app",
    ] {
        fs_err::create_dir_all(root.join(directory)).unwrap();
    }
    for (link, target) in [
        ("bin", "usr/bin"),
        ("lib", "usr/lib"),
        ("lib64", "usr/lib64"),
    ] {
        symlink(target, root.join(link)).unwrap();
    }
    for program in PROGRAMS {
        if let Some(path) = find(program) {
            install(root, &path, program);
        }
    }
    install(root, &std::env::current_exe().unwrap(), "tool");
    fs_err::write(
        root.join("etc/passwd"),
        "root:x:0:0::/root:/bin/sh\napp:x:10001:10002::/home/app:/bin/sh\n",
    )
    .unwrap();
    fs_err::write(root.join("etc/group"), "root:x:0:\napp:x:10002:\n").unwrap();
    fs_err::write(root.join("seeded/file"), "from the image\n").unwrap();
    std::os::unix::fs::chown(root.join("seeded"), Some(10001), Some(10002)).unwrap();
    std::os::unix::fs::chown(root.join("seeded/file"), Some(10001), Some(10002)).unwrap();
    fs_err::set_permissions(root.join("seeded"), PermissionsExt::from_mode(0o750)).unwrap();
    image
}

fn find(program: &str) -> Option<PathBuf> {
    ["/bin", "/usr/bin"]
        .iter()
        .map(|directory| Path::new(directory).join(program))
        .find(|path| path.exists())
}

/// Copies a program and the libraries that the dynamic loader would load for it.
fn install(root: &Path, program: &Path, name: &str) {
    fs_err::copy(program, root.join("usr/bin").join(name)).unwrap();
    let output = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for path in text
        .split_ascii_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        let target = root.join(path.trim_start_matches('/'));
        if !target.exists() {
            fs_err::create_dir_all(target.parent().unwrap()).unwrap();
            fs_err::copy(path, &target).unwrap();
        }
    }
}

/// A directory for one test's containers; what is left in it afterwards is cleaned away.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The directory of the container.
    pub fn container(&self) -> PathBuf {
        self.path().join("containers/c")
    }

    /// A hardened container that runs `command` as user 10001.
    pub fn spec(&self, command: &[&str]) -> ContainerSpec {
        let mut spec = ContainerSpec::new(
            "c",
            vec![image()],
            command.iter().map(|word| (*word).to_owned()).collect(),
            self.path().join("scratch/c"),
        );
        spec.log.path = self.path().join("logs/c.log");
        spec.user = UserSpec {
            uid: 10001,
            gid: 10002,
            additional_gids: Vec::new(),
        };
        spec
    }

    /// The same with a line for the shell.
    pub fn shell(&self, line: &str) -> ContainerSpec {
        self.spec(&["sh", "-c", line])
    }

    /// A container that root could write to, run by root without capabilities.
    pub fn writable(&self, line: &str) -> ContainerSpec {
        let mut spec = self.shell(line);
        spec.root = RootAccess::Writable;
        spec.user.uid = 0;
        spec.user.gid = 0;
        spec
    }

    pub fn start(&self, spec: &ContainerSpec) -> ContainerHandle {
        ENGINE.start(spec, &self.container()).unwrap()
    }

    /// Runs to the end; gives the exit code and all output.
    pub fn run(&self, spec: &ContainerSpec) -> (i32, String) {
        let handle = self.start(spec);
        let state = handle.wait(Condition::Ended, PATIENCE).unwrap();
        let code = state.state().exit_code.unwrap();
        (code, output(&handle))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for handle in ENGINE
            .containers(&self.path().join("containers"))
            .unwrap_or_default()
        {
            let _ = ENGINE.clean(handle.dir());
        }
    }
}

/// All that a container has written so far.
pub fn output(handle: &ContainerHandle) -> String {
    handle
        .logs(Follow::No, &LogOptions::default())
        .unwrap()
        .map(|entry| entry.unwrap().text)
        .collect()
}

/// Reads a log until it holds `text`.
pub fn wait_for_output(handle: &ContainerHandle, text: &str) {
    let mut seen = String::new();
    for entry in handle.logs(Follow::Yes, &LogOptions::default()).unwrap() {
        seen.push_str(&entry.unwrap().text);
        if seen.contains(text) {
            return;
        }
    }
    panic!("`{text}` never came, but: {seen}");
}

/// Control groups on this machine whose path holds `name`.
pub fn control_groups(name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = pending.pop() {
        for entry in fs_err::read_dir(&directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name().to_string_lossy().contains(name) {
                    found.push(entry.path());
                }
                pending.push(entry.path());
            }
        }
    }
    found
}
