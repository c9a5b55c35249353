//! The programs that start stand-ins, with small programs in place of what they call.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fs_err as fs;

fn program(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_database_that_is_being_made_hears_that_it_should_stop() {
    if !Path::new("/bin/bash").exists() {
        println!("skipped: there is no bash");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let programs = root.path().join("bin");
    fs::create_dir(&programs).unwrap();
    program(&programs.join("id"), "echo 999");
    program(&programs.join("getent"), "");
    // Tells its number, and takes longer than anybody waits.
    program(&programs.join("initdb"), "echo $$\nexec sleep 1000");
    program(&programs.join("postgres"), "echo started");
    let script = root.path().join("start");
    fs::write(&script, include_str!("postgres.sh")).unwrap();
    let mut server = Command::new("/bin/bash")
        .arg(&script)
        .arg("postgres")
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .env("PGDATA", root.path().join("data"))
        .env("PG_MAJOR", "17")
        .env("POSTGRES_PASSWORD", "x")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = server.stdout.take().unwrap();
    let mut number = Vec::new();
    let mut byte = [0];
    while output.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        number.push(byte[0]);
    }
    let number: i32 = String::from_utf8(number).unwrap().parse().unwrap();
    let signal = |number: i32, signal| {
        let number = rustix::process::Pid::from_raw(number).unwrap();
        rustix::process::kill_process(number, signal).unwrap();
    };
    signal(server.id().cast_signed(), rustix::process::Signal::INT);
    let deadline = Instant::now() + Duration::from_secs(60);
    let ended = loop {
        match server.try_wait().unwrap() {
            None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
            ended => break ended,
        }
    };
    // In a container it is gone with the first process.
    signal(number, rustix::process::Signal::KILL);
    if ended.is_none() {
        server.kill().unwrap();
    }
    assert_eq!(ended.and_then(|status| status.code()), Some(143));
}
