//! A sandbox made of `unshare` and `mount`: enough to run build steps for real before, and
//! apart from, the engine. It isolates mounts, processes and, where asked, the network.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use plimsoll_image::{Access, Sandbox, SandboxError, Step, StepNetwork, StepOutcome, SystemChange};

/// Runs steps below a scratch directory.
pub struct UnshareSandbox {
    scratch: tempfile::TempDir,
    ran: Mutex<Vec<String>>,
}

impl UnshareSandbox {
    pub fn new() -> Self {
        Self {
            scratch: tempfile::tempdir().unwrap(),
            ran: Mutex::new(Vec::new()),
        }
    }

    /// The names of the steps that ran since this was last asked.
    pub fn ran(&self) -> Vec<String> {
        std::mem::take(&mut self.ran.lock().unwrap())
    }
}

/// Makes the root in `$1` from the lower directories `$2`, then the mounts, then runs the rest.
const SCRIPT: &str = r#"
set -eu
place=$1; lower=$2; user=$3; group=$4; directory=$5; mounts=$6; shift 6
[ -e "$place/kept" ] || mount -t tmpfs tmpfs "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$place/upper,workdir=$place/work" "$place/root"
root=$place/root
mkdir -p "$root/proc" "$root/dev" "$root/tmp"
chmod 1777 "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
for i in $(seq 1 "$mounts"); do
  access=$1; source=$2; target=$root$3; shift 3
  if [ -d "$source" ]; then mkdir -p "$target"; else mkdir -p "$(dirname "$target")"; [ -e "$target" ] || : > "$target"; fi
  if [ "$access" = copy ]; then
    cp "$source" "$target"
    chown "$user:$group" "$target"
    chmod 400 "$target"
    continue
  fi
  mount --bind "$source" "$target"
  [ "$access" = rw ] || mount -o remount,bind,ro "$target"
done
ip link set lo up 2>/dev/null || true
mkdir -p "$root$directory"
exec env -i "$@" < /dev/null
"#;

impl Sandbox for UnshareSandbox {
    fn run(&self, step: &Step) -> Result<StepOutcome, SandboxError> {
        self.run_keeping(step, None)
    }

    fn change(&self, change: &SystemChange) -> Result<StepOutcome, SandboxError> {
        self.run_keeping(&change.step, Some(&change.writes))
    }
}

impl UnshareSandbox {
    fn run_keeping(&self, step: &Step, writes: Option<&Path>) -> Result<StepOutcome, SandboxError> {
        self.ran.lock().unwrap().push(step.name.clone());
        let failed = |reason: String| SandboxError::Start {
            step: step.name.clone(),
            reason,
        };
        let place = tempfile::tempdir_in(self.scratch.path()).map_err(|e| failed(e.to_string()))?;
        if writes.is_some() {
            // On the disk instead of in the namespace's memory.
            fs_err::write(place.path().join("kept"), "").map_err(|e| failed(e.to_string()))?;
        }
        let lower: Vec<String> = step
            .root
            .iter()
            .rev()
            .map(|tree| tree.display().to_string())
            .collect();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child"]);
        if step.network == StepNetwork::None {
            command.arg("--net");
        }
        command.args(["sh", "-c", SCRIPT, "sh"]);
        command.arg(place.path()).arg(lower.join(":"));
        command.arg(step.user.0.to_string());
        command.arg(step.user.1.to_string());
        command.arg(&step.working_dir);
        command.arg(step.mounts.len().to_string());
        for mount in &step.mounts {
            let access = match mount.access {
                Access::ReadOnly => "ro",
                Access::ReadWrite => "rw",
                Access::OwnCopy => "copy",
            };
            command.arg(access).arg(&mount.source).arg(&mount.target);
        }
        for (name, value) in &step.environment {
            command.arg(format!("{name}={value}"));
        }
        command.arg("/usr/bin/unshare");
        command.arg(format!("--root={}/root", place.path().display()));
        command.arg(format!("--wd={}", step.working_dir.display()));
        command.arg(format!("--setgid={}", step.user.1));
        command.arg(format!("--setuid={}", step.user.0));
        command.arg("--").args(&step.command);
        let out = place.path().with_extension("out");
        let err = place.path().with_extension("err");
        let open = |path: &Path| fs_err::File::create(path).map(fs_err::File::into_file);
        command.stdout(open(&out).map_err(|e| failed(e.to_string()))?);
        command.stderr(open(&err).map_err(|e| failed(e.to_string()))?);
        command.stdin(Stdio::null());
        let started = Instant::now();
        let mut child = command.spawn().map_err(|e| failed(e.to_string()))?;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|e| failed(e.to_string()))? {
                break status;
            }
            if started.elapsed() > step.timeout {
                child.kill().map_err(|e| failed(e.to_string()))?;
                child.wait().map_err(|e| failed(e.to_string()))?;
                return Err(SandboxError::TimedOut {
                    step: step.name.clone(),
                    timeout: step.timeout,
                });
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        if let Some(writes) = writes {
            fs_err::rename(place.path().join("upper"), writes)
                .map_err(|e| failed(e.to_string()))?;
        }
        Ok(StepOutcome {
            exit_code: status.code().unwrap_or(137),
            stdout: fs_err::read(out).map_err(|e| failed(e.to_string()))?,
            stderr: fs_err::read(err).map_err(|e| failed(e.to_string()))?,
            out_of_memory: false,
        })
    }
}
