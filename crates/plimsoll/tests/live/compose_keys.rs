//! Keys of the Compose file, as they are seen from inside of a container.

use crate::stage::{Stage, eventually};

/// What is recognised as a server, and serves only to be looked into.
pub(crate) const SERVER: &str = r#"
import http.server, signal, sys

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.HTTPServer(("0.0.0.0", 8000), http.server.SimpleHTTPRequestHandler).serve_forever()
"#;

/// A service `web` that does nothing, with these keys, and what follows at the top level.
fn project(stage: &Stage, keys: &str, top: &str) {
    stage.write("web/main.py", SERVER);
    stage.write("web/requirements.txt", "");
    stage.write(
        "compose.yaml",
        &format!(
            "services:\n  web:\n    build: ./web\n    command: python main.py\n{keys}\n{top}\n"
        ),
    );
}

fn seen(stage: &Stage, program: &str) -> String {
    let ran = stage.succeed(&["exec", "web", "python", "-c", program]);
    ran.stdout.trim_end().to_owned()
}

#[test]
fn steps_before_the_start_run_in_order() {
    let Some(stage) = Stage::empty("prepared") else {
        return;
    };
    project(
        &stage,
        r#"
    environment: { WORD: second }
    pre_start:
      - command: ["python", "-c", "open('/data/log', 'a').write('first\\n')"]
      - command: ["python", "-c", "import os; open('/data/log', 'a').write(os.environ['WORD'] + os.environ['MARK'] + '\\n')"]
        environment: ["MARK=!"]
    volumes: ["data:/data"]"#,
        "volumes: { data: }",
    );
    stage.succeed(&["up", "--detach"]);
    let log = "print(open('/data/log').read())";
    assert_eq!(seen(&stage, log), "first\nsecond!");
    // Not again for a container that runs on.
    stage.succeed(&["up", "--detach"]);
    assert_eq!(seen(&stage, log), "first\nsecond!");
    let ps = stage.succeed(&["ps", "--json"]).stdout;
    assert!(!ps.contains("pre-start"), "{ps}");
    stage.down_to_nothing();
}

#[test]
fn a_step_before_the_start_that_fails_is_told_with_what_it_said() {
    let Some(stage) = Stage::empty("unprepared") else {
        return;
    };
    project(
        &stage,
        r#"
    pre_start:
      - command: ["python", "-c", "import sys; print('no table here'); sys.exit(5)"]
      - command: ["python", "-c", "print('never reached')"]"#,
        "",
    );
    let up = stage.run(&["up"]);
    assert_eq!(up.code, 1, "{}", up.stderr);
    for said in [
        "`web`: `pre_start` exited with code 5",
        "compose.yaml:7:",
        "no table here",
    ] {
        assert!(up.stderr.contains(said), "{said}: {}", up.stderr);
    }
    assert!(!up.stderr.contains("never reached"), "{}", up.stderr);
    stage.nothing_is_left();
}

#[test]
fn volumes_are_what_their_driver_options_say() {
    let Some(stage) = Stage::empty("backed") else {
        return;
    };
    project(
        &stage,
        r#"
    volumes:
      - here:/here
      - kept:/kept
      - memory:/memory
      - { type: image, source: "debian:13", target: /debian, image: { subpath: etc } }"#,
        r#"
volumes:
  here: { driver_opts: { type: none, o: bind, device: "${SHARED}" } }
  kept: { driver_opts: { type: none, o: "bind,ro", device: "${SHARED}" } }
  memory: { driver_opts: { type: tmpfs, device: tmpfs, o: "size=1m,mode=1777" } }"#,
    );
    stage.write("shared/file", "from the host\n");
    let shared = stage.project().join("shared");
    stage.write(".env", &format!("SHARED={}\n", shared.display()));
    let up = stage.succeed(&["up", "--detach"]);
    assert!(!up.stderr.contains("has no effect"), "{}", up.stderr);
    assert_eq!(
        seen(
            &stage,
            r#"
import os
print(open("/here/file").read().strip())
print(os.statvfs("/kept").f_flag & os.ST_RDONLY, os.statvfs("/here").f_flag & os.ST_RDONLY)
memory = os.statvfs("/memory")
print(memory.f_blocks * memory.f_frsize)
print(open("/debian/debian_version").read().split(".")[0])
print(os.statvfs("/debian").f_flag & os.ST_RDONLY)
"#
        ),
        "from the host\n1 0\n1048576\n13\n1"
    );
    stage.down_to_nothing();
    assert!(stage.project().join("shared/file").exists());
}

#[test]
fn the_machine_is_shared_as_far_as_the_file_says() {
    let Some(stage) = Stage::empty("equipped") else {
        return;
    };
    project(
        &stage,
        r#"
    uts: host
    cgroup: host
    cgroup_parent: plimsoll-test-parent
    device_cgroup_rules: ["c 1:11 r"]
    cap_add: [MKNOD]
    user: "0"
    sysctls: { net.core.somaxconn: "123" }
    ulimits: { nofile: { soft: 1000, hard: 2000 } }
    oom_score_adj: 321
    shm_size: 3m
    mac_address: "02:42:ac:11:00:07"
    extra_hosts: ["elsewhere:192.0.2.7"]
    dns_search: [example.test]
    blkio_config: { weight: 300 }"#,
        "",
    );
    stage.succeed(&["up", "--detach"]);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let host = host.trim_end();
    assert_eq!(
        seen(
            &stage,
            r#"
import os, resource, socket, stat
print(socket.gethostname())
print(any("/plimsoll-test-parent/" in line for line in open("/proc/self/cgroup")))
print(open("/proc/sys/net/core/somaxconn").read().strip())
print(resource.getrlimit(resource.RLIMIT_NOFILE))
print(open("/proc/1/oom_score_adj").read().strip())
shm = os.statvfs("/dev/shm")
print(shm.f_blocks * shm.f_frsize)
print(open("/sys/class/net/eth0/address").read().strip())
print(socket.gethostbyname("elsewhere"))
print("example.test" in open("/etc/resolv.conf").read())
os.mknod("/dev/shm/log", 0o600 | stat.S_IFCHR, os.makedev(1, 11))
print(os.access("/dev/shm/log", os.F_OK))
"#
        ),
        format!(
            "{host}\nTrue\n123\n(1000, 2000)\n321\n3145728\n02:42:ac:11:00:07\n192.0.2.7\nTrue\nTrue"
        )
    );
    stage.down_to_nothing();
    eventually("the parent group holds no container", || {
        let groups = std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten();
        let held = groups
            .map(|group| group.path().join("plimsoll-test-parent"))
            .filter_map(|parent| std::fs::read_dir(parent).ok())
            .flat_map(|entries| entries.flatten())
            .any(|entry| entry.path().is_dir());
        (!held).then_some(())
    });
}

/// Keeps a file and a database beside itself, as many do.
const KEEPER: &str = r#"
import http.server, os, pathlib, signal, sqlite3, sys

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
pathlib.Path("uploads").mkdir(exist_ok=True)
pathlib.Path("uploads/first").write_text("kept")
database = sqlite3.connect(os.environ.get("DATABASE_PATH", "kept.db"))
database.execute("create table if not exists kept (word text)")
database.commit()
http.server.HTTPServer(("0.0.0.0", 8000), http.server.SimpleHTTPRequestHandler).serve_forever()
"#;

#[test]
fn code_that_keeps_files_beside_itself_runs_unless_the_file_refuses() {
    let Some(stage) = Stage::empty("keeping") else {
        return;
    };
    project(&stage, "", "");
    stage.write("web/main.py", KEEPER);
    // What is there in the image already belongs to root.
    stage.write("web/uploads/readme", "");
    stage.succeed(&["up", "--detach"]);
    let told = seen(
        &stage,
        "import os; print(os.getuid(), open('uploads/first').read(), os.path.getsize('kept.db') > 0, os.access('main.py', os.W_OK))",
    );
    assert_eq!(told, "65532 kept True False");

    project(&stage, "    read_only: true", "");
    stage.write("web/main.py", KEEPER);
    let ran = stage.run(&["up", "--detach"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("its root is read-only"),
        "{}",
        ran.stderr
    );
    stage.down_to_nothing();
}
