//! Containers that have the caller's own input and output. Each runs in a process of its own:
//! this binary as `in-foreground`, with pipes or a terminal.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use plimsoll_run::container::{Confinement, ContainerSpec, StdinMode, Terminal};
use plimsoll_run::{Engine, ExecSpec};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::fixture::{PATIENCE, Place, Tests, control_groups};

pub const TESTS: Tests = &[
    ("foreground::input_and_output_are_the_callers", pipes),
    ("foreground::signals_stop_the_container", signals),
    (
        "foreground::the_callers_end_ends_the_container",
        caller_killed,
    ),
    ("foreground::a_terminal", terminal),
    ("foreground::a_terminal_in_exec", terminal_exec),
    ("foreground::what_cannot_start_is_told", not_started),
    ("foreground::the_executable_is_sealed", sealed),
];

/// `in-foreground run DIR` runs the specification in `DIR/wanted.json`; `in-foreground exec DIR WORD...`
/// runs a program in the container in `DIR`, with a terminal.
pub fn main(words: &[OsString]) -> ExitCode {
    let engine = Engine::new().unwrap();
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let code = match &words[..] {
        ["run", dir] => {
            let text = fs_err::read(Path::new(dir).join("wanted.json")).unwrap();
            let spec: ContainerSpec = serde_json::from_slice(&text).unwrap();
            engine.run_foreground(&spec, Path::new(dir))
        }
        ["exec", dir, command @ ..] => {
            let mut exec = ExecSpec::new(command.iter().map(|word| (*word).to_owned()).collect());
            exec.terminal = Terminal::Allocate;
            exec.stdin = StdinMode::Open;
            engine.exec(Path::new(dir), &exec)
        }
        _ => return ExitCode::from(64),
    };
    match code {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap()),
        Err(error) => {
            println!("error: {error}");
            ExitCode::from(99)
        }
    }
}

fn command(place: &Place, spec: &ContainerSpec) -> Command {
    command_of(&std::env::current_exe().unwrap(), place, spec)
}

fn command_of(program: &Path, place: &Place, spec: &ContainerSpec) -> Command {
    let dir = place.container();
    fs_err::create_dir_all(&dir).unwrap();
    fs_err::write(dir.join("wanted.json"), serde_json::to_vec(spec).unwrap()).unwrap();
    let mut command = Command::new(program);
    command.args(["in-foreground", "run"]).arg(dir);
    command
}

fn spawn(place: &Place, spec: &ContainerSpec) -> Child {
    command(place, spec)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads until the text has come.
fn read_until(source: &mut (impl Read + AsFd), wanted: &str) -> String {
    let mut text = Vec::new();
    let mut byte = [0_u8; 1];
    while !String::from_utf8_lossy(&text).contains(wanted) {
        let mut fds = [PollFd::new(source, PollFlags::IN)];
        let patience = PATIENCE.map(|patience| Timespec::try_from(patience).unwrap());
        let came = poll(&mut fds, patience.as_ref()).unwrap();
        let so_far = String::from_utf8_lossy(&text);
        assert!(came > 0, "nothing more after {so_far:?}");
        match source.read(&mut byte) {
            Ok(1) => text.push(byte[0]),
            // A terminal that nobody uses any more ends with an error.
            _ => panic!("ended after {so_far:?}"),
        }
    }
    String::from_utf8(text).unwrap()
}

fn pipes() {
    let place = Place::new();
    let mut spec = place.shell("echo bad >&2; cat; exit 12");
    spec.stdin = StdinMode::Open;
    let mut child = spawn(&place, &spec);
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"ping\n").unwrap();
    // The answer comes while the input is still open: nothing gathers it.
    read_until(child.stdout.as_mut().unwrap(), "ping\n");
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(12));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "bad\n");
}

fn signals() {
    let place = Place::new();
    let spec = place.shell("trap 'exit 5' INT; echo up; while :; do sleep 0.02; done");
    let mut child = spawn(&place, &spec);
    read_until(child.stdout.as_mut().unwrap(), "up\n");
    let state = plimsoll_run::ContainerHandle::new(&place.container())
        .state()
        .unwrap();
    let supervisor = rustix::process::Pid::from_raw(state.supervisor).unwrap();
    rustix::process::kill_process(supervisor, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

fn caller_killed() {
    let place = Place::new();
    let mut spec = place.shell("trap '' TERM; echo up; while :; do sleep 1; done");
    spec.stop.grace = std::time::Duration::from_millis(100);
    let mut child = spawn(&place, &spec);
    read_until(child.stdout.as_mut().unwrap(), "up\n");
    let handle = plimsoll_run::ContainerHandle::new(&place.container());
    let group = handle.state().unwrap().cgroup;
    child.kill().unwrap();
    child.wait().unwrap();
    handle
        .wait(plimsoll_run::Condition::Ended, PATIENCE)
        .unwrap();
    assert_eq!(handle.stop(None).unwrap().exit_code, Some(137));
    assert!(control_groups(&group[10..]).is_empty());
}

/// A terminal pair: the master, and the slave as a file for a child.
fn pair() -> (std::fs::File, OwnedFd) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = rustix::fs::open(
        name.as_c_str(),
        rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY,
        rustix::fs::Mode::empty(),
    )
    .unwrap();
    let size = rustix::termios::Winsize {
        ws_row: 33,
        ws_col: 77,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(&master, size).unwrap();
    (std::fs::File::from(master), slave)
}

fn terminal() {
    let place = Place::new();
    let mut spec =
        place.shell("test -t 0 && echo up; stty size; read line; echo got $line; exit 8");
    spec.terminal = Terminal::Allocate;
    spec.stdin = StdinMode::Open;
    let (mut master, slave) = pair();
    let before = rustix::termios::tcgetattr(&slave).unwrap();
    let mut child = command(&place, &spec)
        .stdin(slave.try_clone().unwrap())
        .stdout(slave.try_clone().unwrap())
        .stderr(slave.try_clone().unwrap())
        .spawn()
        .unwrap();
    let text = read_until(&mut master, "33 77");
    assert!(text.contains("up\r\n"), "{text:?}");
    master.write_all(b"words\r").unwrap();
    read_until(&mut master, "got words\r\n");
    assert_eq!(child.wait().unwrap().code(), Some(8));
    let after = rustix::termios::tcgetattr(&slave).unwrap();
    assert_eq!(
        before.local_modes, after.local_modes,
        "the terminal is as it was"
    );
}

fn terminal_exec() {
    let place = Place::new();
    let handle = place.start(&place.shell("echo up; while :; do sleep 1; done"));
    crate::fixture::wait_for_output(&handle, "up");
    let (mut master, slave) = pair();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["in-foreground", "exec"])
        .arg(place.container())
        .args([
            "sh",
            "-c",
            "test -t 1 && stty size; read line; echo got $line; exit 9",
        ])
        .stdin(slave.try_clone().unwrap())
        .stdout(slave.try_clone().unwrap())
        .stderr(slave.try_clone().unwrap())
        .spawn()
        .unwrap();
    read_until(&mut master, "33 77\r\n");
    master.write_all(b"words\r").unwrap();
    read_until(&mut master, "got words\r\n");
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

fn not_started() {
    let place = Place::new();
    let output = spawn(&place, &place.spec(&["missing"]))
        .wait_with_output()
        .unwrap();
    assert_eq!(output.status.code(), Some(99));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("`missing` is not in the image"), "{text}");
}

/// What a container finds of the engine through `/proc` must not lead to a writable executable,
/// once nobody executes it any more.
fn sealed() {
    for privileged in [false, true] {
        let place = Place::new();
        // An executable of its own: no other test runs it.
        let program = place.path().join("engine");
        fs_err::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let mut spec = place.shell("echo up; while :; do sleep 1; done");
        if privileged {
            spec.confinement = Confinement::Privileged;
        }
        let mut child = command_of(&program, &place, &spec)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        read_until(child.stdout.as_mut().unwrap(), "up\n");
        let handle = plimsoll_run::ContainerHandle::new(&place.container());
        let path = format!("/proc/{}/exe", handle.state().unwrap().supervisor);
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
        let found = rustix::fs::open(path, flags, rustix::fs::Mode::empty()).unwrap();
        handle.stop(Some(std::time::Duration::ZERO)).unwrap();
        child.wait().unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&found));
        let written = std::fs::OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut file| file.write_all(b"x"));
        let expected = if privileged { libc::EPERM } else { libc::EROFS };
        assert_eq!(written.unwrap_err().raw_os_error(), Some(expected));
        // The control: the file itself can be written to now.
        let mut control = fs_err::OpenOptions::new()
            .write(true)
            .open(&program)
            .unwrap();
        control.write_all(b"x").unwrap();
    }
}
