//! What a container cannot do, and for each a control that can.

use plimsoll_run::Condition;
use plimsoll_run::container::{Confinement, InitProcess, NetworkSpec, Privileges, Seccomp};

use crate::fixture::{PATIENCE, Place, Tests, wait_for_output};

pub const TESTS: Tests = &[
    ("confinement::identity_and_capabilities", identity),
    ("confinement::read_only_root", read_only_root),
    ("confinement::system_calls", system_calls),
    (
        "confinement::filter_without_no_new_privileges",
        filter_without_no_new_privileges,
    ),
    ("confinement::kernel_files_are_hidden", kernel_files),
    ("confinement::network_is_empty", network),
    ("confinement::memory_limit", memory_limit),
    ("confinement::process_limit", process_limit),
    ("confinement::init_reaps_and_is_confined", init),
];

fn status_line(status: &str, name: &str) -> String {
    status
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}:")))
        .unwrap_or_else(|| panic!("no {name} in {status}"))
        .trim()
        .to_owned()
}

fn identity() {
    let place = Place::new();
    let mut spec = place.shell("cat /proc/self/status; env; exit 42");
    spec.environment
        .push(("GREETING".to_owned(), "hello world".to_owned()));
    spec.user.additional_gids = vec![50];
    let (code, text) = place.run(&spec);
    assert_eq!(code, 42, "{text}");
    assert_eq!(status_line(&text, "Uid"), "10001\t10001\t10001\t10001");
    assert_eq!(status_line(&text, "Gid"), "10002\t10002\t10002\t10002");
    assert_eq!(status_line(&text, "Groups"), "50");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status_line(&text, set), "0000000000000000", "{set}");
    }
    assert_eq!(status_line(&text, "NoNewPrivs"), "1");
    assert_eq!(status_line(&text, "Seccomp"), "2");
    assert_eq!(status_line(&text, "SigBlk"), "0000000000000000");
    assert_eq!(status_line(&text, "SigIgn"), "0000000000000000");
    assert!(text.contains("GREETING=hello world\n"), "{text}");
    assert!(
        !text.contains("CARGO"),
        "the environment is the container's alone: {text}"
    );
}

fn read_only_root() {
    let place = Place::new();
    // Root with the right to write anywhere: only the mount can refuse it.
    let mut spec = place.shell("touch /etc/x; touch /x");
    spec.user.uid = 0;
    spec.capabilities.insert("CAP_DAC_OVERRIDE".to_owned());
    let (code, text) = place.run(&spec);
    assert_ne!(code, 0);
    assert!(text.contains("Read-only file system"), "{text}");

    let control = Place::new();
    let (code, text) = control.run(&control.writable("touch /etc/x && touch /x"));
    assert_eq!(code, 0, "{text}");
    assert!(
        !crate::fixture::image().join("x").exists(),
        "the layer stays as it is"
    );
}

const REFUSED: [&str; 12] = [
    "keyctl=EPERM",
    "add_key=EPERM",
    "bpf=EPERM",
    "perf_event_open=EPERM",
    "userfaultfd=EPERM",
    "io_uring_setup=EPERM",
    "mount=EPERM",
    "unshare=EPERM",
    "clone_new_namespace=EPERM",
    "setns=EPERM",
    "af_alg=EPERM",
    "af_vsock=EPERM",
];

fn system_calls() {
    let place = Place::new();
    let mut spec = place.spec(&["tool", "tool", "calls"]);
    let (code, text) = place.run(&spec);
    assert_eq!(code, 0, "{text}");
    let lines: Vec<&str> = text.lines().collect();
    for line in REFUSED {
        assert!(lines.contains(&line), "{line} in {text}");
    }
    for line in [
        "clone3=ENOSYS",
        "newer_than_known=ENOSYS",
        "af_inet=ok",
        "personality=ok",
    ] {
        assert!(lines.contains(&line), "{line} in {text}");
    }
    assert!(lines.contains(&"no_randomise=EPERM"), "{text}");

    // The same code, as root with all capabilities and without the filter.
    let control = Place::new();
    spec = control.spec(&["tool", "tool", "calls"]);
    spec.user.uid = 0;
    spec.seccomp = Seccomp::Unconfined;
    spec.confinement = Confinement::Privileged;
    spec.privileges = Privileges::MayGain;
    let (_, text) = control.run(&spec);
    for call in [
        "unshare=ok",
        "clone_new_namespace=ok",
        "no_randomise=ok",
        "setns=ok",
    ] {
        assert!(text.contains(call), "{call} in {text}");
    }
    for line in [
        "mount=EPERM",
        "bpf=EPERM",
        "add_key=EPERM",
        "clone3=ENOSYS",
        "io_uring_setup=EPERM",
    ] {
        assert!(!text.contains(line), "{line} in {text}");
    }
}

fn filter_without_no_new_privileges() {
    let place = Place::new();
    let mut spec = place.shell("cat /proc/self/status");
    spec.privileges = Privileges::MayGain;
    spec.user.uid = 0;
    spec.capabilities.insert("CAP_CHOWN".to_owned());
    let (code, text) = place.run(&spec);
    assert_eq!(code, 0, "{text}");
    assert_eq!(status_line(&text, "NoNewPrivs"), "0");
    assert_eq!(status_line(&text, "Seccomp"), "2");
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(status_line(&text, set), "0000000000000001", "{set}");
    }
    for set in ["CapInh", "CapAmb"] {
        assert_eq!(status_line(&text, set), "0000000000000000", "{set}");
    }
}

fn kernel_files() {
    let place = Place::new();
    let line = "cat /proc/keys; ls /sys/firmware; \
                echo x > /proc/sys/kernel/hostname; touch /sys/x; echo end";
    let mut spec = place.shell(line);
    spec.user.uid = 0;
    spec.capabilities.insert("CAP_DAC_OVERRIDE".to_owned());
    let (_, text) = place.run(&spec);
    assert_eq!(text.matches("Read-only file system").count(), 2, "{text}");
    assert_eq!(text.lines().count(), 3, "what is masked is empty: {text}");

    let control = Place::new();
    let mut spec =
        control.shell("echo x > /proc/sys/kernel/hostname && cat /proc/sys/kernel/hostname");
    spec.user.uid = 0;
    spec.confinement = Confinement::Privileged;
    let (_, text) = control.run(&spec);
    assert_eq!(text, "x\n");
}

fn network() {
    let place = Place::new();
    let mut spec = place.shell("ls /sys/class/net; cat /etc/hostname /etc/resolv.conf");
    spec.hostname = "desk".to_owned();
    let (code, text) = place.run(&spec);
    assert_eq!((code, text.as_str()), (0, "lo\ndesk\n"));

    let control = Place::new();
    let mut spec = control.shell("cat /proc/net/dev");
    spec.network = NetworkSpec::Host;
    let (_, text) = control.run(&spec);
    let interfaces = fs_err::read_to_string("/proc/net/dev")
        .unwrap()
        .lines()
        .count();
    assert_eq!(text.lines().count(), interfaces, "{text}");
}

fn memory_limit() {
    let place = Place::new();
    let mut spec = place.spec(&["tool", "tool", "allocate", "200"]);
    spec.limits.memory = Some(96 << 20);
    let handle = place.start(&spec);
    let state = handle.wait(Condition::Ended, PATIENCE).unwrap();
    assert_eq!(state.state().exit_code, Some(137));
    assert!(state.state().oom_killed);

    let control = Place::new();
    let mut spec = control.spec(&["tool", "tool", "allocate", "20"]);
    spec.limits.memory = Some(96 << 20);
    let handle = control.start(&spec);
    let state = handle.wait(Condition::Ended, PATIENCE).unwrap();
    assert_eq!(state.state().exit_code, Some(0));
    assert!(!state.state().oom_killed);
}

fn process_limit() {
    for (limit, expected) in [(16, "forked 15\n"), (40, "forked 20\n")] {
        let place = Place::new();
        let mut spec = place.spec(&["tool", "tool", "forks", "20"]);
        spec.limits.pids = Some(limit);
        let (code, text) = place.run(&spec);
        assert_eq!((code, text.as_str()), (0, expected));
    }
}

fn init() {
    let place = Place::new();
    let mut spec = place.shell(
        "tool tool orphans; cat /proc/1/status; trap 'exit 9' TERM; echo ready; \
         while :; do sleep 0.02; done",
    );
    spec.init = InitProcess::Reaper;
    let handle = place.start(&spec);
    wait_for_output(&handle, "ready");
    let text = crate::fixture::output(&handle);
    assert!(text.contains("zombies 0"), "{text}");
    assert_eq!(status_line(&text, "Name"), "plimsoll-init");
    assert_eq!(status_line(&text, "Seccomp"), "2");
    assert_eq!(status_line(&text, "CapEff"), "0000000000000000");
    assert_eq!(status_line(&text, "Uid"), "10001\t10001\t10001\t10001");
    assert_eq!(handle.stop(None).unwrap().exit_code, Some(9));

    let control = Place::new();
    let (_, text) = control.run(&control.spec(&["sh", "-c", "tool tool orphans; exit 0"]));
    assert!(text.contains("zombies"), "{text}");
}
