//! Control groups: which hierarchies there are, and what they say about a container.
//!
//! Making and filling them is `libcontainer`'s part. Here is what it does not tell: whether the
//! kernel ran out of memory for the container, which controllers are missing, and the removal of
//! what a killed supervisor left.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The controllers that limits need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Controller {
    Memory,
    Cpu,
    Cpuset,
    Pids,
    Blkio,
}

impl Controller {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Cpuset => "cpuset",
            Self::Pids => "pids",
            Self::Blkio => "blkio",
        }
    }
}

/// The control group file systems of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hierarchies {
    /// One hierarchy per controller; a unified one beside them has no controllers.
    Separate {
        /// Mount points by controller.
        controllers: BTreeMap<String, PathBuf>,
        /// The unified hierarchy's mount point, where there is one.
        unified: Option<PathBuf>,
    },
    /// One hierarchy with all controllers.
    Unified(PathBuf),
}

impl Hierarchies {
    /// Reads the machine's own mounts.
    pub(crate) fn detect() -> io::Result<Self> {
        let mounts = fs_err::read_to_string("/proc/self/mountinfo")?;
        Ok(Self::from_mountinfo(&mounts))
    }

    /// Understands `/proc/self/mountinfo`. The first mount of a hierarchy counts: containers on
    /// this machine may show it again elsewhere.
    pub(crate) fn from_mountinfo(mounts: &str) -> Self {
        let mut controllers = BTreeMap::new();
        let mut unified = None;
        for line in mounts.lines() {
            let Some((before, after)) = line.split_once(" - ") else {
                continue;
            };
            let mut fields = before.split(' ');
            let (Some(root), Some(place)) = (fields.nth(3), fields.next()) else {
                continue;
            };
            if root != "/" {
                continue;
            }
            let place = PathBuf::from(unescape(place));
            let mut fields = after.split(' ');
            let (kind, options) = (fields.next(), fields.nth(1).unwrap_or(""));
            match kind {
                Some("cgroup2") => drop(unified.get_or_insert(place)),
                Some("cgroup") => {
                    for option in options.split(',') {
                        controllers
                            .entry(option.to_owned())
                            .or_insert_with(|| place.clone());
                    }
                }
                _ => {}
            }
        }
        match unified {
            Some(place)
                if !controllers.contains_key("memory") && !controllers.contains_key("pids") =>
            {
                Self::Unified(place)
            }
            unified => Self::Separate {
                controllers,
                unified,
            },
        }
    }

    /// One hierarchy: its mount point, and its controller's name in `/proc/PID/cgroup`.
    pub(super) fn any_with_processes(&self) -> Option<(&Path, &str)> {
        match self {
            Self::Separate { controllers, .. } => {
                let (name, place) = controllers.get_key_value("memory")?;
                Some((place, name))
            }
            Self::Unified(place) => Some((place, "")),
        }
    }

    /// Whether a limit of this kind can be put into effect.
    pub(crate) fn has(&self, controller: Controller) -> bool {
        match self {
            Self::Separate { controllers, .. } => controllers.contains_key(controller.name()),
            Self::Unified(place) => fs_err::read_to_string(place.join("cgroup.controllers"))
                .is_ok_and(|names| {
                    let wanted = match controller {
                        // Renamed with the newer groups.
                        Controller::Blkio => "io",
                        other => other.name(),
                    };
                    names.split_ascii_whitespace().any(|name| name == wanted)
                }),
        }
    }

    /// Whether the kernel counts swap by group; many are built or started without.
    pub(super) fn counts_swap(&self) -> bool {
        match self {
            Self::Separate { controllers, .. } => controllers
                .get("memory")
                .is_some_and(|place| place.join("memory.memsw.limit_in_bytes").exists()),
            // The root has no such file; the newer groups count swap wherever there is some.
            Self::Unified(_) => Path::new("/proc/swaps").exists(),
        }
    }

    /// Whether groups have a file of this name in the older hierarchies; the newer one never has.
    pub(super) fn has_file(&self, controller: Controller, file: &str) -> bool {
        match self {
            Self::Separate { controllers, .. } => controllers
                .get(controller.name())
                .is_some_and(|place| place.join(file).exists()),
            Self::Unified(_) => false,
        }
    }

    /// The group named `path` in all hierarchies.
    pub(crate) fn group(&self, path: &str) -> Group {
        let path = path.trim_start_matches('/');
        let mut places: Vec<PathBuf> = match self {
            Self::Separate {
                controllers,
                unified,
            } => controllers.values().chain(unified).cloned().collect(),
            Self::Unified(place) => vec![place.clone()],
        };
        places.sort();
        places.dedup();
        Group {
            hierarchies: self.clone(),
            path: path.to_owned(),
            places: places.into_iter().map(|place| place.join(path)).collect(),
        }
    }
}

/// `mountinfo` writes spaces and their like in octal.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\134", "\\")
}

/// One container's control group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    hierarchies: Hierarchies,
    path: String,
    places: Vec<PathBuf>,
}

impl Group {
    fn file(&self, controller: &str, separate: &str, unified: &str) -> Option<PathBuf> {
        match &self.hierarchies {
            Hierarchies::Separate { controllers, .. } => {
                Some(controllers.get(controller)?.join(&self.path).join(separate))
            }
            Hierarchies::Unified(place) => Some(place.join(&self.path).join(unified)),
        }
    }

    /// How many processes the kernel killed in it for want of memory.
    pub(crate) fn oom_kills(&self) -> u64 {
        self.file("memory", "memory.oom_control", "memory.events")
            .and_then(|path| fs_err::read_to_string(path).ok())
            .and_then(|text| keyed(&text, "oom_kill"))
            .unwrap_or(0)
    }

    /// Memory in use, in bytes.
    pub(crate) fn memory(&self) -> Option<u64> {
        let path = self.file("memory", "memory.usage_in_bytes", "memory.current")?;
        fs_err::read_to_string(path).ok()?.trim().parse().ok()
    }

    /// Processes and threads.
    pub(crate) fn pids(&self) -> Option<u64> {
        let path = self.file("pids", "pids.current", "pids.current")?;
        fs_err::read_to_string(path).ok()?.trim().parse().ok()
    }

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let path = self.file("cpuacct", "cpuacct.usage", "cpu.stat")?;
        let text = fs_err::read_to_string(path).ok()?;
        match self.hierarchies {
            Hierarchies::Separate { .. } => text.trim().parse().ok().map(Duration::from_nanos),
            Hierarchies::Unified(_) => keyed(&text, "usage_usec").map(Duration::from_micros),
        }
    }

    /// Kills what is still in it and removes it from all hierarchies.
    pub(crate) fn remove(&self) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(5);
        for place in &self.places {
            loop {
                match rustix::fs::rmdir(place) {
                    Ok(()) => break,
                    Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => break,
                    Err(rustix::io::Errno::BUSY) if Instant::now() < deadline => {}
                    Err(error) => {
                        return Err(io::Error::new(
                            io::Error::from(error).kind(),
                            format!("cannot remove `{}`: {error}", place.display()),
                        ));
                    }
                }
                // The kernel takes a moment to let go of ended processes, and offers nothing to
                // wait on in the first version.
                kill_all(place);
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        Ok(())
    }

    /// Whether it exists in any hierarchy.
    pub(crate) fn exists(&self) -> bool {
        self.places.iter().any(|place| place.exists())
    }
}

fn kill_all(place: &Path) {
    let Ok(text) = fs_err::read_to_string(place.join("cgroup.procs")) else {
        return;
    };
    for pid in text.lines().filter_map(|line| line.parse().ok()) {
        if let Some(pid) = rustix::process::Pid::from_raw(pid) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Value of a line `key number`.
fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| value.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
20 1 254:0 / / rw - ext4 /dev/vda rw
30 20 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
35 20 0:28 /docker/x /var/shown rw - cgroup cgroup rw,memory
";
    const UNIFIED: &str = "\
20 1 254:0 / / rw - ext4 /dev/vda rw
30 20 0:26 / @ROOT@ rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate
";

    #[test]
    fn hierarchies_are_told_apart() {
        let Hierarchies::Separate {
            controllers,
            unified,
        } = Hierarchies::from_mountinfo(HYBRID)
        else {
            panic!("not separate");
        };
        assert_eq!(controllers["memory"], Path::new("/sys/fs/cgroup/memory"));
        assert_eq!(
            controllers["cpuacct"],
            Path::new("/sys/fs/cgroup/cpu,cpuacct")
        );
        assert_eq!(
            unified.as_deref(),
            Some(Path::new("/sys/fs/cgroup/unified"))
        );
        assert_eq!(
            Hierarchies::from_mountinfo(&UNIFIED.replace("@ROOT@", "/a\\040b")),
            Hierarchies::Unified(PathBuf::from("/a b"))
        );
    }

    #[test]
    fn missing_controllers_are_noticed() {
        let hierarchies = Hierarchies::from_mountinfo(&HYBRID.replace(",pids", ",other"));
        assert!(hierarchies.has(Controller::Memory));
        assert!(!hierarchies.has(Controller::Pids));
    }

    /// A tree as kernel 6.1 shows it for a container that was killed once.
    fn recorded_unified() -> (tempfile::TempDir, Group) {
        let dir = tempfile::tempdir().unwrap();
        let group = dir.path().join("plimsoll/web");
        fs_err::create_dir_all(&group).unwrap();
        let write = |path: PathBuf, text: &str| fs_err::write(path, text).unwrap();
        write(
            dir.path().join("cgroup.controllers"),
            "cpuset cpu io memory pids\n",
        );
        write(group.join("memory.current"), "67108864\n");
        write(
            group.join("memory.events"),
            "low 0\nhigh 0\nmax 37\noom 2\noom_kill 1\noom_group_kill 0\n",
        );
        write(group.join("pids.current"), "3\n");
        write(
            group.join("cpu.stat"),
            "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n",
        );
        let mounts = UNIFIED.replace("@ROOT@", dir.path().to_str().unwrap());
        let hierarchies = Hierarchies::from_mountinfo(&mounts);
        assert!(hierarchies.has(Controller::Cpu));
        assert!(hierarchies.has(Controller::Pids));
        let group = hierarchies.group("/plimsoll/web");
        (dir, group)
    }

    #[test]
    fn a_unified_group_is_read() {
        let (_dir, group) = recorded_unified();
        assert_eq!(group.memory(), Some(67_108_864));
        assert_eq!(group.pids(), Some(3));
        assert_eq!(group.cpu(), Some(Duration::from_micros(1_234_567)));
        assert_eq!(group.oom_kills(), 1);
        assert!(group.exists());
    }

    #[test]
    fn what_is_not_there_reads_as_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mounts = UNIFIED.replace("@ROOT@", dir.path().to_str().unwrap());
        let hierarchies = Hierarchies::from_mountinfo(&mounts);
        assert!(!hierarchies.has(Controller::Memory));
        let group = hierarchies.group("/plimsoll/gone");
        assert_eq!(group.oom_kills(), 0);
        assert_eq!(group.memory(), None);
        assert!(!group.exists());
        group.remove().unwrap();
    }
}
