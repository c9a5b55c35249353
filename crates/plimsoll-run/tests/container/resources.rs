//! What a container is given of the machine, live.

use plimsoll_run::Condition;
use plimsoll_run::container::{
    DeviceRuleSpec, DeviceSpec, LogKeeping, MountAccess, MountKind, MountPropagation, MountSpec,
    NamespaceSpec, Recursive, UlimitSpec, Warning,
};

use crate::fixture::{PATIENCE, Place, Tests, output};

pub const TESTS: Tests = &[
    ("resources::limits_of_processes", ulimits),
    ("resources::devices", devices),
    ("resources::score_for_lack_of_memory", oom_score),
    ("resources::processors_and_memory", control_groups),
    ("resources::processes_of_the_host", pid_of_the_host),
    ("resources::processes_of_another", pid_of_another),
    ("resources::memory_of_the_host", ipc_of_the_host),
    ("resources::domain", domain),
    ("resources::name_of_the_host", uts_of_the_host),
    ("resources::groups_elsewhere", cgroup_parent),
    ("resources::rules_of_devices", device_rules),
    ("resources::disks_and_real_time", disks),
    ("resources::log_that_keeps_nothing", no_log),
];

fn ulimits() {
    let place = Place::new();
    let mut spec = place.shell("ulimit -n; ulimit -Hn; ulimit -c");
    let limit = |name: &str, soft, hard| UlimitSpec {
        name: name.to_owned(),
        soft,
        hard,
    };
    spec.ulimits = vec![
        limit("nofile", Some(100), Some(200)),
        limit("core", Some(0), Some(0)),
    ];
    assert_eq!(place.run(&spec), (0, "100\n200\n0\n".to_owned()));

    // More than any process may have: lowered, and told.
    let place = Place::new();
    let mut spec = place.shell("ulimit -Hn");
    spec.ulimits = vec![limit("nofile", Some(100), None)];
    let handle = place.start(&spec);
    let state = handle.wait(Condition::Ended, PATIENCE).unwrap();
    let [Warning::UlimitLowered { limit: name, given }] = &state.state().warnings[..] else {
        panic!("{:?}", state.state().warnings);
    };
    assert_eq!(name, "nofile");
    assert_eq!(output(&handle), format!("{given}\n"));
}

fn devices() {
    let line = "echo x > /dev/nothing && cat /dev/nothing && echo there; ls /dev/full2";
    let place = Place::new();
    let mut spec = place.shell(line);
    spec.devices = vec![DeviceSpec {
        source: "/dev/null".into(),
        target: "/dev/nothing".into(),
        permissions: "rw".to_owned(),
    }];
    let (_, text) = place.run(&spec);
    assert!(text.starts_with("there\n"), "{text}");
    assert!(text.contains("/dev/full2"), "{text}");
}

fn oom_score() {
    let place = Place::new();
    let mut spec = place.shell("cat /proc/self/oom_score_adj");
    spec.oom_score = Some(700);
    assert_eq!(place.run(&spec), (0, "700\n".to_owned()));
    let own = fs_err::read_to_string("/proc/self/oom_score_adj").unwrap();
    let place = Place::new();
    let mut spec = place.shell("cat /proc/self/oom_score_adj");
    spec.oom_score = Some(-1000);
    let (_, text) = place.run(&spec);
    assert_eq!(text, own, "it is never below the engine's own");
}

fn control_groups() {
    let place = Place::new();
    let mut spec = place.shell("grep Cpus_allowed_list /proc/self/status");
    spec.limits.cpuset = Some("0".to_owned());
    spec.limits.cpu_shares = Some(512);
    spec.limits.memory = Some(64 << 20);
    spec.limits.memory_reservation = Some(32 << 20);
    spec.limits.memory_and_swap = Some(96 << 20);
    let handle = place.start(&spec);
    let state = handle.wait(Condition::Ended, PATIENCE).unwrap();
    assert_eq!(state.state().exit_code, Some(0), "{}", output(&handle));
    if state.state().warnings.is_empty() {
        assert_eq!(output(&handle), "Cpus_allowed_list:\t0\n");
    }
}

fn pid_of_the_host() {
    let supervisor = "cat /proc/1/comm; [ $$ -gt 1 ] && echo others";
    let place = Place::new();
    let mut spec = place.shell(supervisor);
    spec.pid = NamespaceSpec::Host;
    let (_, text) = place.run(&spec);
    let first = fs_err::read_to_string("/proc/1/comm").unwrap();
    assert_eq!(text, format!("{first}others\n"));

    let control = Place::new();
    let (_, text) = control.run(&control.shell(supervisor));
    assert_eq!(text, "sh\n");

    // No namespace ends with the program, yet nothing that it began stays behind.
    let place = Place::new();
    let mut spec = place.shell("sleep 1000 >/dev/null 2>&1 & echo $!");
    spec.pid = NamespaceSpec::Host;
    let (code, text) = place.run(&spec);
    assert_eq!(code, 0);
    let left = std::path::Path::new("/proc")
        .join(text.trim())
        .join("cmdline");
    let left = fs_err::read_to_string(left).unwrap_or_default();
    assert!(!left.starts_with("sleep"), "{left}");
}

fn pid_of_another() {
    let place = Place::new();
    let first = place.start(&place.shell("exec sleep 1000"));
    let state = first.wait(Condition::Running, PATIENCE).unwrap();
    let pid = state.state().pid.unwrap();
    let second = Place::new();
    let mut spec = second.shell("cat /proc/1/comm");
    spec.pid = NamespaceSpec::Joined(format!("/proc/{pid}/ns/pid").into());
    assert_eq!(second.run(&spec), (0, "sleep\n".to_owned()));
}

fn ipc_of_the_host() {
    let name = format!("plimsoll-test-{}", std::process::id());
    let path = std::path::Path::new("/dev/shm").join(&name);
    fs_err::write(&path, "shared\n").unwrap();
    let place = Place::new();
    let mut spec = place.shell(&format!("cat /dev/shm/{name}"));
    let (_, without) = place.run(&spec);
    spec.ipc = NamespaceSpec::Host;
    spec.mounts.push(MountSpec {
        target: "/dev/shm".into(),
        kind: MountKind::Bind {
            source: "/dev/shm".into(),
            access: MountAccess::ReadWrite,
            recursive: Recursive::No,
            propagation: MountPropagation::Private,
        },
    });
    let second = Place::new();
    spec.scratch = second.path().join("scratch/c");
    spec.log.path = second.path().join("logs/c.log");
    let (_, with) = second.run(&spec);
    fs_err::remove_file(&path).unwrap();
    assert!(without.contains("No such file"), "{without}");
    assert_eq!(with, "shared\n");
}

fn domain() {
    let place = Place::new();
    let mut spec = place.shell("cat /proc/sys/kernel/domainname");
    spec.domainname = Some("example.com".to_owned());
    assert_eq!(place.run(&spec), (0, "example.com\n".to_owned()));
}

fn no_log() {
    let place = Place::new();
    let mut spec = place.shell("seq 100000; exit 3");
    spec.log.keeping = LogKeeping::Nothing;
    let handle = place.start(&spec);
    let state = handle.wait(Condition::Ended, PATIENCE).unwrap();
    assert_eq!(state.state().exit_code, Some(3));
    assert!(!spec.log.path.exists());
}

fn uts_of_the_host() {
    let place = Place::new();
    let mut spec = place.shell("cat /proc/sys/kernel/hostname");
    spec.uts = NamespaceSpec::Host;
    let own = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(place.run(&spec), (0, own.clone()));
    let after = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(after, own, "the host keeps its name");
}

fn cgroup_parent() {
    let place = Place::new();
    let mut spec = place.shell("cat /proc/self/cgroup");
    spec.cgroup_parent = Some("plimsoll-test-parent/below".to_owned());
    spec.cgroup = NamespaceSpec::Host;
    let (code, text) = place.run(&spec);
    assert_eq!(code, 0);
    assert!(text.contains(":/plimsoll-test-parent/below/c-"), "{text}");
    // With a namespace of its own it sees none of that.
    let place = Place::new();
    let mut spec = place.shell("cat /proc/self/cgroup");
    spec.cgroup_parent = Some("plimsoll-test-parent/below".to_owned());
    let (_, text) = place.run(&spec);
    assert!(!text.contains("plimsoll-test-parent"), "{text}");
    for name in ["below", "plimsoll-test-parent"] {
        for group in crate::fixture::control_groups(name) {
            let _ = fs_err::remove_dir(group);
        }
    }
}

fn device_rules() {
    let listed = |rules: Vec<DeviceRuleSpec>| {
        let place = Place::new();
        let mut spec = place.shell("exec sleep 1000");
        spec.device_rules = rules;
        let handle = place.start(&spec);
        handle.wait(Condition::Running, PATIENCE).unwrap();
        let groups = crate::fixture::control_groups("c-");
        let texts = groups.iter().filter_map(|group| {
            let pid = handle.state().ok()?.pid?.to_string();
            let inside = fs_err::read_to_string(group.join("cgroup.procs")).ok()?;
            inside.lines().any(|line| line == pid).then_some(())?;
            fs_err::read_to_string(group.join("devices.list")).ok()
        });
        texts.collect::<String>()
    };
    let plain = listed(Vec::new());
    if plain.is_empty() {
        // The newer groups have a program instead of a list.
        return;
    }
    assert!(!plain.contains("c 10:229"), "{plain}");
    let rule = DeviceRuleSpec {
        kind: 'c',
        major: Some(10),
        minor: Some(229),
        permissions: "rw".to_owned(),
    };
    let with = listed(vec![rule]);
    assert!(with.contains("c 10:229 rw"), "{with}");
}

fn disks() {
    let place = Place::new();
    let mut spec = place.shell("echo runs");
    spec.block_io.weight = Some(300);
    spec.limits.swappiness = Some(10);
    let handle = place.start(&spec);
    let state = handle.wait(Condition::Ended, PATIENCE).unwrap();
    // Where the kernel has no such thing it is told, and never in the way.
    assert_eq!(state.state().exit_code, Some(0), "{}", output(&handle));
}
