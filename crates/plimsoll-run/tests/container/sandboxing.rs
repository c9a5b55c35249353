//! Build steps in the sandbox.

use std::path::PathBuf;
use std::time::Duration;

use plimsoll_image::{Access, BindMount, Sandbox, SandboxError, Step, StepNetwork};
use plimsoll_run::EngineSandbox;

use crate::fixture::{ENGINE, Place, Tests, control_groups, image};

pub const TESTS: Tests = &[
    ("sandbox::output_exit_code_and_mounts", outcome),
    ("sandbox::what_only_its_owner_reads_is_copied", own_copy),
    ("sandbox::time_is_limited", timeout),
    ("sandbox::memory_is_limited", memory),
    ("sandbox::processes_are_limited", processes),
    ("sandbox::what_cannot_start_is_told", not_started),
    ("sandbox::long_output_is_cut_at_the_front", long_output),
];

fn step(line: &str) -> Step {
    Step {
        name: "test: step".to_owned(),
        root: vec![image()],
        mounts: Vec::new(),
        command: ["sh", "-c", line].map(str::to_owned).to_vec(),
        environment: vec![("PATH".to_owned(), "/usr/bin".to_owned())],
        working_dir: PathBuf::from("/src/app"),
        network: StepNetwork::None,
        user: (10001, 10002),
        timeout: Duration::from_secs(60),
        memory: None,
        pids: Some(64),
    }
}

fn own_copy() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let file = place.path().join("credentials");
    fs_err::write(&file, "token\n").unwrap();
    fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut step = step("cat /given/credentials");
    step.mounts.push(BindMount {
        source: file.clone(),
        target: PathBuf::from("/given/credentials"),
        access: Access::OwnCopy,
    });
    let outcome = sandbox(&place).run(&step).unwrap();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert_eq!((outcome.exit_code, text.as_str()), (0, "token\n"));
    fs_err::remove_file(&file).unwrap();
    let missing = sandbox(&place).run(&step).unwrap_err().to_string();
    assert!(missing.contains("credentials"), "{missing}");
    assert_clean(&place);
}

fn sandbox(place: &Place) -> EngineSandbox {
    EngineSandbox::new(
        ENGINE.clone(),
        &place.path().join("steps"),
        &place.path().join("scratch"),
    )
}

/// Nothing of a step may stay: no directory, no control group.
fn assert_clean(place: &Place) {
    for directory in ["steps", "scratch"] {
        let left = fs_err::read_dir(place.path().join(directory)).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{directory}");
    }
    let prefix = format!("step-{}-", std::process::id());
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    // Other tests' steps run at the same time.
    while !control_groups(&prefix).is_empty() {
        assert!(std::time::Instant::now() < deadline, "control groups stay");
        std::thread::yield_now();
    }
}

fn outcome() {
    let place = Place::new();
    let out = place.path().join("out");
    fs_err::create_dir(&out).unwrap();
    std::os::unix::fs::chown(&out, Some(10001), Some(10002)).unwrap();
    let mut step = step(
        "echo $PWD; id -u; ls /sys/class/net; echo made > /built/here/file; touch /ro/x; exit 3",
    );
    step.mounts = vec![
        BindMount {
            source: out.clone(),
            target: "/built/here".into(),
            access: Access::ReadWrite,
        },
        BindMount {
            source: out.clone(),
            target: "/ro".into(),
            access: Access::ReadOnly,
        },
    ];
    let outcome = sandbox(&place).run(&step).unwrap();
    assert_eq!(outcome.exit_code, 3);
    assert_eq!(
        String::from_utf8(outcome.stdout).unwrap(),
        "/src/app\n10001\nlo\n"
    );
    let stderr = String::from_utf8(outcome.stderr).unwrap();
    assert!(stderr.contains("Read-only file system"), "{stderr}");
    assert_eq!(fs_err::read_to_string(out.join("file")).unwrap(), "made\n");
    assert!(!outcome.out_of_memory);
    assert_clean(&place);
}

fn timeout() {
    let place = Place::new();
    let mut step = step("sleep 1000 & sleep 1000");
    step.timeout = Duration::from_millis(300);
    assert!(matches!(
        sandbox(&place).run(&step),
        Err(SandboxError::TimedOut { .. })
    ));
    assert_clean(&place);
}

fn memory() {
    let place = Place::new();
    let mut step = step("exec tool tool allocate 200");
    step.memory = Some(96 << 20);
    let outcome = sandbox(&place).run(&step).unwrap();
    assert_eq!(outcome.exit_code, 137);
    assert!(outcome.out_of_memory);
    assert_clean(&place);
}

/// A step that forks for ever comes to an end, and its children with it.
fn processes() {
    let place = Place::new();
    let outcome = sandbox(&place)
        .run(&step("while :; do sleep 1000 & done"))
        .unwrap();
    assert_ne!(outcome.exit_code, 0);
    let stderr = String::from_utf8(outcome.stderr).unwrap();
    assert!(stderr.contains("fork"), "{stderr}");
    assert_clean(&place);
}

fn not_started() {
    let place = Place::new();
    let mut step = step("");
    step.command = vec!["missing".to_owned()];
    match sandbox(&place).run(&step) {
        Err(SandboxError::Start { reason, .. }) => assert!(reason.contains("missing"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_clean(&place);
}

fn long_output() {
    let place = Place::new();
    let outcome = sandbox(&place).run(&step("seq 1 400000")).unwrap();
    assert_eq!(outcome.stdout.len(), 1 << 20);
    assert!(outcome.stdout.ends_with(b"\n400000\n"));
}
