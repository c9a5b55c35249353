//! The hidden commands of the executable that is started again as its own helper.
//!
//! Whatever links this crate and uses [`crate::Engine`] must call [`dispatch`] first of all in its
//! `main`, before any thread exists: joining namespaces and forking take a process with one thread.

use std::ffi::OsString;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::container::ProbeCommand;
use crate::exec::ExecSpec;
use crate::kernel::{self, Fork};
use crate::network;
use crate::runtime::StartFailure;
use crate::supervisor::{Mode, Ready, supervise};

/// Runs a hidden command, if `args` (with the program's name first) name one; gives the exit code
/// with which the process is to end.
pub fn dispatch(args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let words: Vec<OsString> = args.into_iter().skip(1).take(8).collect();
    let (first, rest) = words.split_first()?;
    if first != "internal" {
        return None;
    }
    if let [command, directory] = rest
        && command == "keep-network"
    {
        return Some(network::keeper::main(Path::new(directory)));
    }
    let words: Vec<&str> = rest.iter().filter_map(|word| word.to_str()).collect();
    let code = match words[..] {
        ["supervise", dir, contents] => supervise_detached(Path::new(dir), contents),
        ["run", dir, contents] => supervise_foreground(Path::new(dir), contents),
        ["exec", dir, spec] => exec(Path::new(dir), spec),
        ["probe", pid, user, command, timeout] => probe(pid, user, command, timeout),
        _ => {
            complain("not a hidden command of this version");
            Some(2)
        }
    };
    Some(ExitCode::from(code.unwrap_or(2)))
}

/// Standard error of a helper is its starter's, or a file beside the container's state.
fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "plimsoll: {message}");
}

fn exit_byte(code: i32) -> Option<u8> {
    u8::try_from(code).ok()
}

/// Leaves the starter's session and process tree, so that neither its end nor its signals matter.
fn supervise_detached(dir: &Path, contents: &str) -> Option<u8> {
    // Through the starter's process, which may end once it is told that all is ready.
    let contents = match read_contents(contents) {
        Ok(contents) => contents,
        Err(error) => {
            complain(&error.to_string());
            return Some(125);
        }
    };
    match kernel::fork() {
        Ok(Fork::Child) => {}
        Ok(Fork::Parent(_)) => return Some(0),
        Err(error) => {
            complain(&error.to_string());
            return Some(125);
        }
    }
    let _ = rustix::process::setsid();
    let _ = rustix::thread::set_name(c"plimsoll-keep");
    let ready = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).ok();
    if let Err(error) = detach_stdio() {
        complain(&error.to_string());
    }
    exit_byte(supervise(dir, Mode::Detached, &contents, Ready::new(ready)))
}

/// Input from and output to nowhere. Standard error stays: it is a file beside the state.
fn detach_stdio() -> std::io::Result<()> {
    let null: OwnedFd = fs_err::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?
        .into_parts()
        .0
        .into();
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(())
}

fn supervise_foreground(dir: &Path, contents: &str) -> Option<u8> {
    let contents = match read_contents(contents) {
        Ok(contents) => contents,
        Err(error) => {
            complain(&error.to_string());
            return Some(125);
        }
    };
    let _ = rustix::thread::set_name(c"plimsoll-run");
    // The caller's end must not leave a container behind that nobody sees.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM));
    exit_byte(supervise(
        dir,
        Mode::Foreground,
        &contents,
        Ready::new(None),
    ))
}

/// Contents of file mounts, from memory of the starter; `-` where there are none.
fn read_contents(place: &str) -> std::io::Result<Vec<Vec<u8>>> {
    if place == "-" {
        return Ok(Vec::new());
    }
    let text = fs_err::read(PathBuf::from(place))?;
    serde_json::from_slice(&text).map_err(std::io::Error::other)
}

fn exec(dir: &Path, spec: &str) -> Option<u8> {
    let spec: ExecSpec = if spec.starts_with('/') {
        serde_json::from_slice(&fs_err::read(spec).ok()?).ok()?
    } else {
        serde_json::from_str(spec).ok()?
    };
    reset_signals();
    // Whoever waits for the result may be killed.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    match crate::exec::exec(dir, &spec) {
        Ok(code) => exit_byte(code),
        Err(failure) => {
            complain(&failure.to_string());
            exit_byte(failure.stage.exit_code())
        }
    }
}

/// A supervisor blocks signals, and what it starts inherits that.
fn reset_signals() {
    let _ = nix::sys::signal::SigSet::empty().thread_set_mask();
}

/// Asks a server in the network of process `pid`, as a user without privileges.
fn probe(pid: &str, user: &str, command: &str, timeout: &str) -> Option<u8> {
    let pid = Pid::from_raw(pid.parse().ok()?)?;
    let user: u32 = user.parse().ok()?;
    let command: ProbeCommand = serde_json::from_str(command).ok()?;
    let timeout = Duration::from_millis(timeout.parse().ok()?);
    reset_signals();
    if let Err(error) = enter_network(pid).and_then(|()| drop_privileges(user)) {
        complain(&format!("cannot enter the container's network: {error}"));
        return Some(125);
    }
    let outcome = command.check(timeout);
    let _ = writeln!(std::io::stdout(), "{}", outcome.message());
    Some(u8::from(!outcome.is_healthy()))
}

fn enter_network(pid: Pid) -> std::io::Result<()> {
    let namespace = fs_err::File::open(format!("/proc/{}/ns/net", pid.as_raw_nonzero()))?;
    move_into_link_name_space(
        std::os::fd::AsFd::as_fd(&namespace),
        Some(LinkNameSpaceType::Network),
    )?;
    Ok(())
}

/// The answer of a server is foreign input: nothing that reads it needs to be root.
fn drop_privileges(user: u32) -> std::io::Result<()> {
    use rustix::process::{Gid, Uid};
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    Ok(())
}

/// What a starter is told: nothing, or why the container does not run.
pub(crate) type ReadyReport = Option<StartFailure>;
