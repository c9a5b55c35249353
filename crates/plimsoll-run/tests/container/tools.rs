//! What runs inside of the containers: small programs whose outcome a test reads.
#![expect(unsafe_code, reason = "raw system calls are what is tested")]

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::ExitCode;

pub fn main(words: &[OsString]) -> ExitCode {
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    match words[..] {
        ["calls"] => calls(),
        ["allocate", mebibytes] => allocate(mebibytes.parse().unwrap()),
        ["forks", most] => forks(most.parse().unwrap()),
        ["serve", port] => serve(port.parse().unwrap()),
        ["orphans"] => orphans(),
        ["resolve", name] => resolve(name),
        _ => return ExitCode::from(64),
    }
    ExitCode::SUCCESS
}

/// Prints the address of a name.
fn resolve(name: &str) {
    use std::net::ToSocketAddrs;
    match (name, 1).to_socket_addrs() {
        Ok(mut addresses) => println!("{}", addresses.next().unwrap().ip()),
        Err(error) => println!("{error}"),
    }
}

/// Makes system calls that a container has no business with; prints each one's answer.
fn calls() {
    let path = c"/proc/self/ns/uts".as_ptr();
    let try_call = |name: &str, number: i64, arguments: [u64; 4]| {
        // SAFETY: the arguments are numbers, null pointers, or one static string.
        let result = unsafe {
            libc::syscall(
                number,
                arguments[0],
                arguments[1],
                arguments[2],
                arguments[3],
            )
        };
        let answer = if result >= 0 {
            "ok".to_owned()
        } else {
            errno_name(std::io::Error::last_os_error().raw_os_error().unwrap())
        };
        println!("{name}={answer}");
        result
    };
    let new_namespaces = libc::CLONE_NEWUTS as u64;
    try_call("keyctl", libc::SYS_keyctl, [0, -3_i64 as u64, 0, 0]);
    try_call("add_key", libc::SYS_add_key, [0; 4]);
    try_call("bpf", libc::SYS_bpf, [0; 4]);
    try_call("perf_event_open", libc::SYS_perf_event_open, [0; 4]);
    try_call("userfaultfd", libc::SYS_userfaultfd, [0; 4]);
    try_call("io_uring_setup", libc::SYS_io_uring_setup, [1, 0, 0, 0]);
    try_call("mount", libc::SYS_mount, [0; 4]);
    try_call("unshare", libc::SYS_unshare, [new_namespaces, 0, 0, 0]);
    try_call("clone3", libc::SYS_clone3, [0; 4]);
    try_call("newer_than_known", 600, [0; 4]);
    try_call(
        "af_alg",
        libc::SYS_socket,
        [libc::AF_ALG as u64, libc::SOCK_SEQPACKET as u64, 0, 0],
    );
    try_call(
        "af_vsock",
        libc::SYS_socket,
        [libc::AF_VSOCK as u64, libc::SOCK_STREAM as u64, 0, 0],
    );
    try_call(
        "af_inet",
        libc::SYS_socket,
        [libc::AF_INET as u64, libc::SOCK_STREAM as u64, 0, 0],
    );
    try_call("personality", libc::SYS_personality, [0xFFFF_FFFF, 0, 0, 0]);
    try_call("no_randomise", libc::SYS_personality, [0x4_0000, 0, 0, 0]);
    let flags = libc::CLONE_NEWUTS as u64 | libc::SIGCHLD as u64;
    // Last: where it is allowed, the child ends at once.
    if try_call("clone_new_namespace", libc::SYS_clone, [flags, 0, 0, 0]) == 0 {
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: opens a file by a static name.
    let namespace = unsafe { libc::open(path, libc::O_RDONLY) };
    try_call("setns", libc::SYS_setns, [namespace as u64, 0, 0, 0]);
}

fn errno_name(code: i32) -> String {
    match code {
        libc::EPERM => "EPERM".to_owned(),
        libc::ENOSYS => "ENOSYS".to_owned(),
        libc::EINVAL => "EINVAL".to_owned(),
        libc::EFAULT => "EFAULT".to_owned(),
        other => format!("errno {other}"),
    }
}

fn allocate(mebibytes: usize) {
    let mut memory: Vec<u8> = Vec::with_capacity(mebibytes << 20);
    for _ in 0..mebibytes {
        // Touches every page; a mere reservation would cost nothing.
        memory.extend(std::iter::repeat_n(1, 1 << 20));
        std::hint::black_box(&memory);
    }
    println!("allocated {mebibytes}");
}

fn forks(most: usize) {
    let mut made: Vec<i32> = Vec::new();
    while made.len() < most {
        // SAFETY: this program has one thread; the child only waits.
        match unsafe { libc::fork() } {
            -1 => break,
            0 => loop {
                std::thread::park();
            },
            child => made.push(child),
        }
    }
    println!("forked {}", made.len());
    for child in made {
        // SAFETY: a child of this process that was not waited for.
        unsafe { libc::kill(child, libc::SIGKILL) };
    }
}

/// Serves HTTP on the loopback: well until `/tmp/sick` exists.
fn serve(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    println!("serving");
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let _ = stream.read(&mut [0; 1024]);
        let status = if std::path::Path::new("/tmp/sick").exists() {
            "503 Service Unavailable"
        } else {
            "200 OK"
        };
        let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    }
}

/// Leaves a child of a child behind, which process 1 has to reap, and says who that is.
fn orphans() {
    // SAFETY: this program has one thread; the children end at once or sleep.
    unsafe {
        let middle = libc::fork();
        if middle == 0 {
            if libc::fork() == 0 {
                libc::usleep(20_000);
            }
            libc::_exit(0);
        }
        libc::waitpid(middle, std::ptr::null_mut(), 0);
        libc::usleep(200_000);
    }
    let mut zombies = 0;
    for entry in fs_err::read_dir("/proc").unwrap().flatten() {
        let stat = fs_err::read_to_string(entry.path().join("stat")).unwrap_or_default();
        zombies += usize::from(stat.contains(") Z "));
    }
    println!("pid {} zombies {zombies}", std::process::id());
}
