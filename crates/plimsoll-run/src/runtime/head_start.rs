//! A head start for joining control groups.
//!
//! The first move of a process to another control group waits for all processors to pass a quiet
//! point: five to ten milliseconds in which nothing of a container happens. Moves right after it
//! wait for nothing. So a short-lived child makes moves that change nothing, from its group to the
//! same group, while the supervisor mounts; when the container is to join its group, the wait is
//! over.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions};

use super::cgroup::Hierarchies;
use crate::kernel::{self, Fork};

/// Pause between two moves, short enough that the quick time does not pass in between.
const PAUSE: Duration = Duration::from_micros(500);
/// Moves at most, should the supervisor not end it.
const MOST: u32 = 200;

/// The child; dropping this ends it.
pub(crate) struct HeadStart(Pid);

impl HeadStart {
    /// Begins. `None` where there is nothing to move, or no process to be had: then the container
    /// starts a little later.
    pub(crate) fn begin(hierarchies: &Hierarchies) -> Option<Self> {
        let place = own_group(hierarchies)?;
        let mut file = fs_err::OpenOptions::new().write(true).open(place).ok()?;
        match kernel::fork().ok()? {
            Fork::Parent(child) => Some(Self(child)),
            Fork::Child => {
                let number = std::process::id().to_string();
                let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
                for _ in 0..MOST {
                    if file.write_all(number.as_bytes()).is_err() {
                        break;
                    }
                    std::thread::sleep(PAUSE);
                }
                kernel::exit_now(0)
            }
        }
    }
}

impl Drop for HeadStart {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(self.0, Signal::KILL);
        let _ = rustix::process::waitpid(Some(self.0), WaitOptions::empty());
    }
}

/// The file of the group that this process is in, in any one hierarchy: the wait is common to all.
fn own_group(hierarchies: &Hierarchies) -> Option<PathBuf> {
    let groups = fs_err::read_to_string("/proc/self/cgroup").ok()?;
    let (mount, name) = hierarchies.any_with_processes()?;
    let path = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        let path = fields.next()?;
        (controllers.split(',').any(|controller| controller == name)).then_some(path)
    })?;
    Some(
        mount
            .join(path.trim_start_matches('/'))
            .join("cgroup.procs"),
    )
}
