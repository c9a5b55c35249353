//! From start to end: output, signals, restarts, health, and what a killed supervisor leaves.

use std::time::Duration;

use plimsoll_model::Restart;
use plimsoll_run::container::{
    HealthSpec, HealthStatus, HealthTest, LogOptions, LogStream, Phase, StdinMode, Terminal,
    Unheard,
};
use plimsoll_run::{Condition, EngineError, ExecSpec, Follow, StartStage, Waited};

use crate::fixture::{ENGINE, PATIENCE, Place, Tests, control_groups, output, wait_for_output};

pub const TESTS: Tests = &[
    ("lifecycle::exit_codes_and_streams", exit_codes_and_streams),
    ("lifecycle::stop_signal_is_handled", stop_signal),
    ("lifecycle::killed_after_the_grace", killed_after_grace),
    ("lifecycle::killed_where_nothing_is_heard", killed_unheard),
    ("lifecycle::signals_are_delivered", signals),
    (
        "lifecycle::programs_that_cannot_be_executed",
        not_executable,
    ),
    ("lifecycle::exec", exec),
    ("lifecycle::exec_has_the_same_confinement", exec_confinement),
    ("lifecycle::logs_rotate_and_follow", logs_rotate),
    ("lifecycle::health_by_exec", health_by_exec),
    ("lifecycle::health_by_probe", health_by_probe),
    ("lifecycle::health_that_hangs", health_that_hangs),
    ("lifecycle::restart_on_failure", restart_on_failure),
    ("lifecycle::stop_between_restarts", stop_between_restarts),
    ("lifecycle::nothing_stays_behind", nothing_stays),
    (
        "lifecycle::a_killed_supervisor_takes_its_container",
        killed_supervisor,
    ),
    ("lifecycle::one_container_a_directory", one_container),
    ("lifecycle::a_terminal_goes_to_the_log", terminal),
    ("lifecycle::silent_input_stays_open", silent_input),
    ("lifecycle::many_at_once_from_many_threads", many),
    ("lifecycle::long_paths", long_paths),
];

const FOREVER: &str = "echo up; while :; do sleep 1; done";

fn exit_codes_and_streams() {
    let place = Place::new();
    let handle = place.start(&place.shell("echo out; echo bad >&2; exit 3"));
    let state = handle.wait(Condition::Ended, PATIENCE).unwrap();
    assert_eq!(state.state().phase, Phase::Exited);
    assert_eq!(state.state().exit_code, Some(3));
    assert!(state.state().finished_at >= state.state().started_at);
    let mut entries: Vec<_> = handle
        .logs(Follow::No, &LogOptions::default())
        .unwrap()
        .map(|entry| entry.map(|entry| (entry.text, entry.stream)).unwrap())
        .collect();
    entries.sort_by_key(|(_, stream)| *stream == LogStream::Stderr);
    assert_eq!(
        entries,
        [
            ("out\n".to_owned(), LogStream::Stdout),
            ("bad\n".to_owned(), LogStream::Stderr)
        ]
    );
}

fn stop_signal() {
    let place = Place::new();
    let line =
        "trap 'echo bye; exit 7' INT; trap 'exit 8' TERM; echo up; while :; do sleep 0.02; done";
    let mut spec = place.shell(line);
    spec.stop.signal = 2;
    let handle = place.start(&spec);
    wait_for_output(&handle, "up");
    let state = handle.stop(None).unwrap();
    assert_eq!((state.phase, state.exit_code), (Phase::Stopped, Some(7)));
    assert!(output(&handle).ends_with("bye\n"));
}

fn killed_after_grace() {
    let place = Place::new();
    let handle = place.start(&place.shell(&format!("trap '' TERM; {FOREVER}")));
    wait_for_output(&handle, "up");
    let state = handle.stop(Some(Duration::from_millis(200))).unwrap();
    assert_eq!((state.phase, state.exit_code), (Phase::Stopped, Some(137)));
}

/// With a grace that no test would wait for.
fn killed_unheard() {
    let place = Place::new();
    let mut spec = place.shell(&format!("echo up; {FOREVER}"));
    spec.stop.grace = Duration::from_secs(24 * 3600);
    let handle = place.start(&spec);
    wait_for_output(&handle, "up");
    let state = handle.stop(None).unwrap();
    assert_eq!((state.phase, state.exit_code), (Phase::Stopped, Some(137)));

    // Who stated a time gets it.
    let place = Place::new();
    let mut spec = place.shell("echo up; sleep 1; exit 3");
    spec.stop.grace = Duration::from_secs(24 * 3600);
    spec.stop.unheard = Unheard::Wait;
    let handle = place.start(&spec);
    wait_for_output(&handle, "up");
    let state = handle.stop(None).unwrap();
    assert_eq!((state.phase, state.exit_code), (Phase::Stopped, Some(3)));
}

fn signals() {
    let place = Place::new();
    let handle =
        place.start(&place.shell("trap 'echo one' USR1; echo up; while :; do sleep 0.02; done"));
    wait_for_output(&handle, "up");
    handle.kill(10).unwrap();
    wait_for_output(&handle, "one");
    handle.kill(9).unwrap();
    let state = handle.wait(Condition::Ended, PATIENCE).unwrap();
    assert_eq!(state.state().exit_code, Some(137));
    assert!(matches!(handle.kill(9), Err(EngineError::Refused { .. })));
}

fn not_executable() {
    for (command, stage, code) in [
        ("missing", StartStage::ProgramMissing, 127),
        ("/usr/bin/missing", StartStage::ProgramMissing, 127),
        ("/etc/passwd", StartStage::ProgramRefused, 126),
        ("/etc", StartStage::ProgramRefused, 126),
    ] {
        let place = Place::new();
        let spec = place.spec(&[command]);
        match ENGINE.start(&spec, &place.container()) {
            Err(EngineError::Start { failure, .. }) => {
                assert_eq!(failure.stage, stage, "{failure}");
                assert!(failure.message.contains(command), "{failure}");
            }
            other => panic!("{command}: {other:?}"),
        }
        let handle = plimsoll_run::ContainerHandle::new(&place.container());
        let state = handle.state().unwrap();
        assert_eq!((state.phase, state.exit_code), (Phase::Exited, Some(code)));
        assert!(state.error.unwrap().contains(command));
        assert_eq!(
            control_groups(&state.cgroup[10..]),
            Vec::<std::path::PathBuf>::new()
        );
    }
}

fn exec() {
    let place = Place::new();
    let mut spec = place.shell(FOREVER);
    spec.environment
        .push(("A".to_owned(), "container".to_owned()));
    place.start(&spec);
    let run = |exec: &ExecSpec| {
        let (code, stdout, stderr) = ENGINE.exec_captured(&place.container(), exec).unwrap();
        (
            code,
            String::from_utf8(stdout).unwrap(),
            String::from_utf8(stderr).unwrap(),
        )
    };
    let words = |line: &str| vec!["sh".to_owned(), "-c".to_owned(), line.to_owned()];
    let mut exec = ExecSpec::new(words("id -u; id -g; echo $A $B; echo bad >&2; exit 5"));
    exec.environment = vec![("B".to_owned(), "exec".to_owned())];
    assert_eq!(
        run(&exec),
        (
            5,
            "10001\n10002\ncontainer exec\n".to_owned(),
            "bad\n".to_owned()
        )
    );
    exec.user = Some(plimsoll_run::container::UserSpec {
        uid: 0,
        gid: 0,
        additional_gids: Vec::new(),
    });
    exec.working_dir = Some("/etc".into());
    exec.command = words("id -u; echo $PWD; cat /proc/1/cmdline");
    let (code, stdout, _) = run(&exec);
    assert_eq!(code, 0);
    assert!(stdout.starts_with("0\n/etc\nsh\0-c\0"), "{stdout}");
    let (code, _, stderr) = run(&ExecSpec::new(vec!["missing".to_owned()]));
    assert_eq!(code, 127);
    assert!(stderr.contains("missing"), "{stderr}");
}

fn exec_confinement() {
    let place = Place::new();
    let mut spec = place.shell(FOREVER);
    spec.limits.pids = Some(10);
    let handle = place.start(&spec);
    let exec = ExecSpec::new(
        ["sh", "-c", "cat /proc/self/status"]
            .map(str::to_owned)
            .to_vec(),
    );
    let (_, status, _) = ENGINE.exec_captured(&place.container(), &exec).unwrap();
    let status = String::from_utf8(status).unwrap();
    for line in [
        "Seccomp:\t2",
        "NoNewPrivs:\t1",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
    ] {
        assert!(status.contains(line), "{line} in {status}");
    }
    let usage = handle.usage().unwrap();
    assert!(usage.memory.is_some_and(|bytes| bytes > 0), "{usage:?}");
    assert!(
        usage
            .processes
            .is_some_and(|count| (1..=2).contains(&count)),
        "{usage:?}"
    );
    assert!(
        usage.processor.is_some_and(|time| !time.is_zero()),
        "{usage:?}"
    );
    let exec = ExecSpec::new(["tool", "tool", "forks", "20"].map(str::to_owned).to_vec());
    let (_, text, _) = ENGINE.exec_captured(&place.container(), &exec).unwrap();
    let text = String::from_utf8(text).unwrap();
    let made: u32 = text.trim().trim_start_matches("forked ").parse().unwrap();
    assert!(made < 10, "the group's limit holds: {text}");
    handle.stop(Some(Duration::ZERO)).unwrap();
}

fn logs_rotate() {
    let place = Place::new();
    let mut spec = place.shell("for i in $(seq 1 2000); do echo line $i; done");
    spec.log.max_size = 20_000;
    spec.log.max_files = 3;
    let handle = place.start(&spec);
    let last = handle
        .logs(Follow::Yes, &LogOptions::default())
        .unwrap()
        .last()
        .unwrap()
        .unwrap();
    assert_eq!(last.text, "line 2000\n");
    let options = LogOptions {
        tail: Some(3),
        since: None,
    };
    let tail: Vec<_> = handle
        .logs(Follow::No, &options)
        .unwrap()
        .map(|entry| entry.unwrap().text)
        .collect();
    assert_eq!(tail, ["line 1998\n", "line 1999\n", "line 2000\n"]);
    let files = fs_err::read_dir(place.path().join("logs")).unwrap().count();
    assert_eq!(files, 3);
    let options = LogOptions {
        tail: None,
        since: Some(plimsoll_run::container::Timestamp::now()),
    };
    assert_eq!(handle.logs(Follow::No, &options).unwrap().count(), 0);
}

fn quick(test: HealthTest) -> HealthSpec {
    HealthSpec {
        interval: Duration::from_millis(100),
        timeout: Duration::from_secs(20),
        retries: 2,
        ..HealthSpec::new(test)
    }
}

fn health_by_exec() {
    let place = Place::new();
    let mut spec = place.shell(FOREVER);
    spec.health = Some(quick(HealthTest::Shell(
        "test $(id -u) = 10001 && echo fine".to_owned(),
    )));
    let handle = place.start(&spec);
    let state = handle.wait(Condition::Healthy, PATIENCE).unwrap();
    assert!(matches!(state, Waited::Met(_)), "{state:?}");
    let health = state.state().health.clone().unwrap();
    assert_eq!(health.log.last().unwrap().output, "fine\n");
    handle.stop(Some(Duration::ZERO)).unwrap();

    let place = Place::new();
    let mut spec = place.shell(FOREVER);
    spec.health = Some(quick(HealthTest::Exec(vec!["false".to_owned()])));
    let handle = place.start(&spec);
    let state = handle
        .states(None)
        .unwrap()
        .map(Result::unwrap)
        .find(|state| state.health_status() == Some(HealthStatus::Unhealthy))
        .unwrap();
    assert!(state.health.unwrap().failing_streak >= 2);
}

fn health_by_probe() {
    let place = Place::new();
    let mut spec = place.shell("exec tool tool serve 8080");
    // There is no curl in the image.
    spec.health = Some(quick(HealthTest::Shell(
        "curl -fsS http://localhost:8080/health > /dev/null || exit 1".to_owned(),
    )));
    spec.mounts.push(crate::mounts::tmpfs("/tmp", 0o1777));
    let handle = place.start(&spec);
    let state = handle.wait(Condition::Healthy, PATIENCE).unwrap();
    assert!(matches!(state, Waited::Met(_)), "{state:?}");
    let text = state
        .state()
        .health
        .clone()
        .unwrap()
        .log
        .pop()
        .unwrap()
        .output;
    assert!(text.contains("answered 200"), "{text}");
    let exec = ExecSpec::new(vec!["touch".to_owned(), "/tmp/sick".to_owned()]);
    assert_eq!(
        ENGINE.exec_captured(&place.container(), &exec).unwrap().0,
        0
    );
    let state = handle
        .states(None)
        .unwrap()
        .map(Result::unwrap)
        .find(|state| state.health_status() == Some(HealthStatus::Unhealthy))
        .unwrap();
    let text = state.health.unwrap().log.pop().unwrap().output;
    assert!(text.contains("answered 503"), "{text}");
}

fn health_that_hangs() {
    let place = Place::new();
    let mut spec = place.shell(FOREVER);
    spec.health = Some(HealthSpec {
        timeout: Duration::from_millis(150),
        retries: 1,
        ..quick(HealthTest::Shell("echo trying; sleep 100".to_owned()))
    });
    let handle = place.start(&spec);
    let state = handle
        .states(None)
        .unwrap()
        .map(Result::unwrap)
        .find(|state| state.health_status() == Some(HealthStatus::Unhealthy))
        .unwrap();
    let record = state.health.unwrap().log.pop().unwrap();
    assert_eq!(record.exit_code, -1);
    assert!(
        record.output.contains("no answer within"),
        "{}",
        record.output
    );
    let exec = ExecSpec::new(vec!["ls".to_owned(), "/proc".to_owned()]);
    handle.kill(19).unwrap();
    handle.kill(18).unwrap();
    let (_, processes, _) = ENGINE.exec_captured(&place.container(), &exec).unwrap();
    let processes = String::from_utf8(processes).unwrap();
    let count = processes
        .lines()
        .filter(|name| name.parse::<u32>().is_ok())
        .count();
    // The program and its sleep, this ls, at most one check that is under way with its sleep.
    assert!(count <= 5, "checks that hung are gone: {processes}");
}

fn restart_on_failure() {
    let place = Place::new();
    let mut spec = place.writable("echo again; touch /kept-$$; ls / | grep -c kept; exit 4");
    spec.restart = Restart::OnFailure {
        max_attempts: Some(2),
    };
    let handle = place.start(&spec);
    let state = handle.wait(Condition::Ended, PATIENCE).unwrap();
    let state = state.state();
    assert_eq!(
        (state.phase, state.exit_code, state.restarts),
        (Phase::Exited, Some(4), 2)
    );
    let text = output(&handle);
    assert_eq!(text.matches("again").count(), 3, "{text}");
}

fn stop_between_restarts() {
    let place = Place::new();
    let mut spec = place.shell("exit 1");
    spec.restart = Restart::Always;
    let handle = place.start(&spec);
    handle
        .states(None)
        .unwrap()
        .map(Result::unwrap)
        .find(|state| state.phase == Phase::Restarting && state.restarts >= 2)
        .unwrap();
    let state = handle.stop(None).unwrap();
    assert_eq!((state.phase, state.exit_code), (Phase::Stopped, Some(1)));
}

fn nothing_stays() {
    let place = Place::new();
    let mut spec = place.writable("touch /x");
    spec.limits.memory = Some(64 << 20);
    let handle = place.start(&spec);
    let running = handle.state().unwrap();
    handle.stop(None).unwrap();
    assert!(has_ended(running.supervisor));
    assert!(control_groups(&running.cgroup[10..]).is_empty());
    assert!(!place.path().join("scratch/c").exists());
    let mounts = fs_err::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(place.path().to_str().unwrap()), "{mounts}");
    ENGINE.clean(&place.container()).unwrap();
    assert!(!place.container().exists());
    assert!(
        place.path().join("logs/c.log").exists(),
        "logs outlive their container"
    );
}

/// Whether a process is gone, or only waits to be reaped: then it has no command any more.
fn has_ended(pid: i32) -> bool {
    fs_err::read(format!("/proc/{pid}/cmdline")).map_or(true, |command| command.is_empty())
}

fn killed_supervisor() {
    let place = Place::new();
    let mut spec = place.writable(&format!("touch /x; sleep 1000 & {FOREVER}"));
    spec.restart = Restart::Always;
    let handle = place.start(&spec);
    wait_for_output(&handle, "up");
    let state = handle.state().unwrap();
    let pid = state.pid.unwrap();
    let group = control_groups(&state.cgroup[10..]);
    assert!(!group.is_empty(), "there is something to leave behind");
    let supervisor = rustix::process::Pid::from_raw(state.supervisor).unwrap();
    let program = rustix::process::pidfd_open(
        rustix::process::Pid::from_raw(pid).unwrap(),
        rustix::process::PidfdFlags::empty(),
    )
    .unwrap();
    rustix::process::kill_process(supervisor, rustix::process::Signal::KILL).unwrap();
    // Readable when the container's first process has ended, and with it all others.
    let mut fds = [rustix::event::PollFd::new(
        &program,
        rustix::event::PollFlags::IN,
    )];
    let limit = rustix::event::Timespec::try_from(PATIENCE.unwrap()).unwrap();
    assert_eq!(rustix::event::poll(&mut fds, Some(&limit)), Ok(1));
    let waited = handle.wait(Condition::Ended, PATIENCE).unwrap();
    assert_eq!(waited.state().phase, Phase::Lost);
    ENGINE.clean(&place.container()).unwrap();
    assert!(control_groups(&state.cgroup[10..]).is_empty());
    assert!(!place.container().exists());
    assert!(!place.path().join("scratch/c").exists());
}

fn one_container() {
    let place = Place::new();
    let spec = place.shell(FOREVER);
    let handle = place.start(&spec);
    assert!(matches!(
        ENGINE.start(&spec, &place.container()),
        Err(EngineError::Running { .. })
    ));
    handle.stop(Some(Duration::ZERO)).unwrap();
    let handle = place.start(&place.shell("exit 0"));
    let state = handle.wait(Condition::Ended, PATIENCE).unwrap();
    assert_eq!(state.state().exit_code, Some(0));
    let found = ENGINE.containers(&place.path().join("containers")).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].spec().unwrap().id, "c");
}

fn terminal() {
    let place = Place::new();
    let mut spec = place.shell("test -t 0 && test -t 1 && echo a terminal");
    spec.terminal = Terminal::Allocate;
    let (code, text) = place.run(&spec);
    assert_eq!((code, text.as_str()), (0, "a terminal\r\n"));
}

fn silent_input() {
    let place = Place::new();
    let mut spec = place.shell("echo up; cat; echo input ended");
    spec.stdin = StdinMode::Open;
    let handle = place.start(&spec);
    wait_for_output(&handle, "up");
    assert_eq!(handle.state().unwrap().phase, Phase::Running);
    handle.stop(Some(Duration::ZERO)).unwrap();

    let place = Place::new();
    let (code, text) = place.run(&place.shell("cat; echo input ended"));
    assert_eq!((code, text.as_str()), (0, "input ended\n"));
}

fn many() {
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..3 {
                    let place = Place::new();
                    let (code, text) = place.run(&place.shell("echo fine; exit 6"));
                    assert_eq!((code, text.as_str()), (6, "fine\n"));
                }
            });
        }
    });
}

fn long_paths() {
    let place = Place::new();
    let long = place
        .path()
        .join("containers")
        .join("d".repeat(200))
        .join("c");
    let handle = ENGINE.start(&place.shell(FOREVER), &long).unwrap();
    wait_for_output(&handle, "up");
    handle.stop(Some(Duration::ZERO)).unwrap();
    ENGINE.clean(&long).unwrap();
}
