//! Checks against servers that behave, misbehave, and dawdle.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use plimsoll_probe::{Expect, Outcome, Target, check};

/// Serves one connection: reads the request's head, then sends the pieces with a pause between.
fn serve(pieces: Vec<&'static [u8]>, pause: Duration) -> (SocketAddr, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0_u8; 1];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
            head.push(byte[0]);
        }
        for piece in pieces {
            if stream.write_all(piece).is_err() {
                break;
            }
            thread::sleep(pause);
        }
        String::from_utf8(head).unwrap()
    });
    (address, server)
}

fn ask(pieces: Vec<&'static [u8]>, expect: Expect) -> Outcome {
    let (address, server) = serve(pieces, Duration::ZERO);
    let target = Target::http(&format!("http://{address}/health?x=1"), expect).unwrap();
    let outcome = check(&target, Duration::from_secs(10));
    let head = server.join().unwrap();
    assert!(head.starts_with("GET /health?x=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("Host: {address}\r\n")), "{head}");
    outcome
}

#[test]
fn statuses_decide() {
    for (status, healthy) in [
        (&b"HTTP/1.1 200 OK\r\n\r\n"[..], true),
        (b"HTTP/1.0 204\r\n\r\n", true),
        (b"HTTP/1.1 302 Found\r\n\r\n", true),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", false),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", false),
        (b"SSH-2.0-OpenSSH\r\n", false),
    ] {
        let outcome = ask(vec![status], Expect::Success);
        assert_eq!(outcome.is_healthy(), healthy, "{outcome:?}");
    }
}

#[test]
fn any_answer_can_be_enough() {
    assert!(ask(vec![b"HTTP/1.1 500 Oops\r\n\r\n"], Expect::Response).is_healthy());
    assert!(!ask(vec![b""], Expect::Response).is_healthy());
}

#[test]
fn answers_in_pieces_and_interim_answers_are_understood() {
    let pieces: Vec<&[u8]> = vec![
        b"HTTP/1.1 103 Early",
        b" Hints\r\nLink: x\r\n\r\nHTT",
        b"P/1.1 200 OK\r\n\r\n",
    ];
    assert!(ask(pieces, Expect::Success).is_healthy());
}

#[test]
fn endless_lines_and_slow_servers_do_not_hold_it() {
    let long: &'static [u8] = Box::leak(vec![b'x'; 1 << 20].into_boxed_slice());
    assert!(!ask(vec![long], Expect::Success).is_healthy());

    let drip: Vec<&'static [u8]> = vec![b"H"; 1000];
    let (address, server) = serve(drip, Duration::from_millis(50));
    let target = Target::http(&format!("http://{address}/"), Expect::Success).unwrap();
    let outcome = check(&target, Duration::from_millis(300));
    assert!(!outcome.is_healthy(), "{outcome:?}");
    // The connection is closed, so the server ends long before its fifty seconds.
    server.join().unwrap();
}

#[test]
fn tcp_asks_for_a_listener_only() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let target = Target::tcp(&format!("localhost:{}", address.port())).unwrap();
    assert!(check(&target, Duration::from_secs(5)).is_healthy());
    drop(listener);
    let outcome = check(&target, Duration::from_secs(5));
    assert!(!outcome.is_healthy());
    assert!(outcome.message().contains("cannot connect"), "{outcome:?}");
}
