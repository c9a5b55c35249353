//! As much of HTTP/1.1 as a health check needs: one GET, the status line of its answer.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use crate::remaining;
use crate::target::HttpRequest;

/// Longest status line.
const LONGEST_LINE: usize = 4096;

/// Sends the request and returns the status. The body is left unread.
pub(crate) fn get(
    request: &HttpRequest,
    mut stream: TcpStream,
    deadline: Instant,
) -> io::Result<u16> {
    let head = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: plimsoll-probe\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n",
        request.path, request.authority
    );
    stream.set_write_timeout(Some(remaining(deadline)?))?;
    stream.write_all(head.as_bytes())?;
    let mut line = Vec::new();
    let mut buffer = [0_u8; 512];
    loop {
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            let status = status_of(&line[..end])?;
            // 1xx announces the answer, it is not the answer.
            if !(100..200).contains(&status) || status == 101 {
                return Ok(status);
            }
            match find_head_end(&line) {
                Some(next) => {
                    line.drain(..next);
                    continue;
                }
                None if line.len() > LONGEST_LINE => return Err(not_http()),
                None => {}
            }
        } else if line.len() > LONGEST_LINE {
            return Err(not_http());
        }
        stream.set_read_timeout(Some(remaining(deadline)?))?;
        let count = match stream.read(&mut buffer) {
            Ok(0) => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the server closed the connection without an answer",
                ));
            }
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
            }
            Err(error) => return Err(error),
        };
        line.extend_from_slice(&buffer[..count]);
    }
}

fn find_head_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|at| at + 4)
}

fn not_http() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP")
}

/// Status of `HTTP/1.1 200 OK`.
fn status_of(line: &[u8]) -> io::Result<u16> {
    let text = std::str::from_utf8(line).map_err(|_| not_http())?;
    let mut words = text.split_ascii_whitespace();
    let version = words.next().unwrap_or("");
    let status = words.next().unwrap_or("");
    if !version.starts_with("HTTP/") || status.len() != 3 {
        return Err(not_http());
    }
    status.parse().map_err(|_| not_http())
}
