//! What must not be left on the machine after a stack is gone.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// What a stack could leave behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Traces {
    mounts: BTreeSet<String>,
    interfaces: BTreeSet<String>,
    groups: BTreeSet<String>,
    processes: BTreeSet<String>,
    firewall: String,
    forwarding: String,
}

impl Traces {
    /// The machine as it is now, as far as it could show something of the project's stack.
    pub(crate) fn of(project: &str, data: &Path, runtime: &Path) -> Self {
        let lines = |path: &str| -> Vec<String> {
            std::fs::read_to_string(path)
                .unwrap()
                .lines()
                .map(str::to_owned)
                .collect()
        };
        let ours = |line: &str| {
            line.contains(&*data.to_string_lossy()) || line.contains(&*runtime.to_string_lossy())
        };
        let interfaces = std::fs::read_dir("/sys/class/net").unwrap();
        Self {
            mounts: lines("/proc/self/mounts")
                .into_iter()
                .filter(|line| ours(line))
                .collect(),
            interfaces: interfaces
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .filter(|name| !is_dockers(name))
                .collect(),
            groups: groups(Path::new("/sys/fs/cgroup"), &format!("{project}-"), 4),
            processes: processes(runtime),
            firewall: Command::new("nft")
                .args(["list", "ruleset"])
                .output()
                .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
                .unwrap_or_default(),
            forwarding: std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap(),
        }
    }
}

impl Traces {
    /// What is there now and was not `before`. What has gone meanwhile was somebody else's.
    pub(crate) fn since(&self, before: &Self) -> Vec<String> {
        let rules = |traces: &Self| -> BTreeSet<String> {
            traces.firewall.lines().map(str::to_owned).collect()
        };
        let sets = [
            ("mount", &self.mounts, &before.mounts),
            ("interface", &self.interfaces, &before.interfaces),
            ("control group", &self.groups, &before.groups),
            ("process", &self.processes, &before.processes),
            ("rule", &rules(self), &rules(before)),
        ];
        let mut left: Vec<String> = sets
            .into_iter()
            .flat_map(|(what, now, before)| {
                let new = now.difference(before);
                new.map(move |one| format!("{what}: {one}"))
            })
            .collect();
        if self.forwarding != before.forwarding {
            left.push(format!("forwarding: {}", self.forwarding));
        }
        left
    }
}

/// Whether an interface is named as Docker names its own, which come and go where a daemon runs.
fn is_dockers(name: &str) -> bool {
    let hexadecimal = |rest: &str, length: usize| {
        rest.len() == length && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    name == "docker0"
        || name
            .strip_prefix("br-")
            .is_some_and(|rest| hexadecimal(rest, 12))
        || name
            .strip_prefix("veth")
            .is_some_and(|rest| hexadecimal(rest, 7))
}

/// Control groups of the project's containers.
fn groups(directory: &Path, prefix: &str, depth: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let Ok(entries) = std::fs::read_dir(directory) else {
        return found;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if !path.is_dir() || path.is_symlink() {
            continue;
        }
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            found.insert(path.to_string_lossy().into_owned());
        } else if depth > 0 {
            found.extend(groups(&path, prefix, depth - 1));
        }
    }
    found
}

/// Processes whose command line names the runtime directory: supervisors and keepers.
fn processes(runtime: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(command) = std::fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&*runtime.to_string_lossy()) {
            found.insert(command);
        }
    }
    found
}
