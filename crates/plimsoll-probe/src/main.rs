//! `plimsoll-probe http URL` or `plimsoll-probe tcp HOST:PORT`: exit code 0 when well, 1 when not.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use plimsoll_probe::{Expect, Outcome, Target, check};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let target = match words[..] {
        ["http", url] => Target::http(url, Expect::Success).map_err(|error| error.to_string()),
        ["tcp", address] => Target::tcp(address).map_err(|error| error.to_string()),
        _ => Err("usage: plimsoll-probe http URL | tcp HOST:PORT".to_owned()),
    };
    let (message, code) = match target.map(|target| check(&target, Duration::from_secs(30))) {
        Ok(Outcome::Healthy(message)) => (message, ExitCode::SUCCESS),
        Ok(Outcome::Unhealthy(message)) => (message, ExitCode::from(1)),
        Err(message) => (message, ExitCode::from(2)),
    };
    // Nobody may be listening; the exit code is the answer.
    let _ = writeln!(std::io::stdout(), "{message}");
    code
}
