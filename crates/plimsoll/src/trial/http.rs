//! One request of HTTP/1.1 over a connection that is there, and as much of its answer as is wanted.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Longest time for an answer.
const LIMIT: Duration = Duration::from_secs(20);
/// How long one read may take before it is looked whether there is enough.
const LOOK: Duration = Duration::from_millis(250);
/// More of an answer than this is not read.
const MOST: usize = 512 * 1024;

/// What to ask.
pub(super) struct Request<'r> {
    pub(super) method: &'r str,
    pub(super) path: &'r str,
    pub(super) port: u16,
    pub(super) headers: Vec<(&'r str, String)>,
    pub(super) body: Option<String>,
}

/// What was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl<'r> Request<'r> {
    pub(super) fn get(port: u16, path: &'r str) -> Self {
        Self {
            method: "GET",
            path,
            port,
            headers: vec![("Accept", "*/*".to_owned())],
            body: None,
        }
    }

    fn text(&self) -> String {
        let Self { method, path, .. } = self;
        // Some frameworks refuse hosts that they do not know, and all know this one.
        let mut text = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\n",
            self.port
        );
        for (name, value) in &self.headers {
            // Writing to a String cannot fail.
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let body = self.body.as_deref().unwrap_or_default();
        if self.body.is_some() {
            let _ = write!(text, "Content-Length: {}\r\n", body.len());
        }
        let _ = write!(text, "Connection: close\r\n\r\n{body}");
        text
    }
}

impl Response {
    /// The first header of that name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// Messages of a stream of events, or the whole body of any other answer.
    pub(super) fn messages(&self) -> impl Iterator<Item = &str> {
        let lines = self.body.lines();
        std::iter::once(self.body.as_str())
            .chain(lines.filter_map(|line| Some(line.strip_prefix("data:")?.trim())))
    }
}

/// An answer that is being read.
pub(super) struct Reading {
    stream: TcpStream,
    bytes: Vec<u8>,
    ended: bool,
}

impl Reading {
    /// Sends a request.
    pub(super) fn begin(mut stream: TcpStream, request: &Request<'_>) -> io::Result<Self> {
        stream.set_write_timeout(Some(LIMIT))?;
        stream.write_all(request.text().as_bytes())?;
        stream.set_read_timeout(Some(LOOK))?;
        Ok(Self {
            stream,
            bytes: Vec::new(),
            ended: false,
        })
    }

    /// Reads until the answer is complete, there is `enough`, or the time is over.
    pub(super) fn until(&mut self, enough: &dyn Fn(&Response) -> bool) -> io::Result<Response> {
        let deadline = Instant::now() + LIMIT;
        let mut part = [0; 16 * 1024];
        loop {
            if let Some(response) = parse(&self.bytes) {
                let whole = response
                    .header("content-length")
                    .and_then(|length| length.parse::<usize>().ok())
                    .is_some_and(|length| response.body.len() >= length);
                let full = self.ended || whole || self.bytes.len() >= MOST;
                if full || enough(&response) || Instant::now() > deadline {
                    return Ok(response);
                }
            } else if self.ended || self.bytes.len() >= MOST {
                return Err(io::Error::other("the answer is not HTTP"));
            } else if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match self.stream.read(&mut part) {
                Ok(0) => self.ended = true,
                Ok(count) => self.bytes.extend_from_slice(&part[..count]),
                Err(error) if is_pause(&error) => {}
                // What closes without a word has said all that it says.
                Err(_) if !self.bytes.is_empty() => self.ended = true,
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// An answer as far as it has come; nothing before its head is complete.
fn parse(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let first = lines.next()?.strip_prefix("HTTP/1.")?;
    let status = first.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    });
    let mut response = Response {
        status,
        headers: headers.collect(),
        body: String::new(),
    };
    let rest = &bytes[end + 4..];
    let is_chunked = response
        .header("transfer-encoding")
        .is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked"));
    let body = match is_chunked {
        true => unchunked(rest),
        false => rest.to_vec(),
    };
    response.body = String::from_utf8_lossy(&body).into_owned();
    Some(response)
}

/// A body without the lengths of its chunks, as far as it has come.
fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let length = std::str::from_utf8(&bytes[..end]).ok();
        let length = length.and_then(|line| line.split(';').next());
        let Some(length) = length.and_then(|text| usize::from_str_radix(text.trim(), 16).ok())
        else {
            break;
        };
        let chunk = &bytes[end + 2..];
        body.extend_from_slice(&chunk[..length.min(chunk.len())]);
        // The chunk ends with a line end of its own.
        match chunk.get(length + 2..) {
            Some(next) if length > 0 => bytes = next,
            _ => break,
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn answered(answer: &'static [u8]) -> io::Result<Response> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer).unwrap();
        });
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let request = Request::get(port, "/health");
        let response =
            Reading::begin(stream, &request).and_then(|mut reading| reading.until(&|_| false));
        server.join().unwrap();
        response
    }

    #[test]
    fn answers_are_read_to_their_end() {
        let plain =
            answered(b"HTTP/1.1 503 Busy\r\ncontent-type: text/plain\r\n\r\nlater").unwrap();
        assert_eq!((plain.status, plain.body.as_str()), (503, "later"));
        assert_eq!(plain.header("Content-Type"), Some("text/plain"));
        let chunked = answered(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n there\r\n0\r\n\r\n",
        )
        .unwrap();
        assert_eq!(chunked.body, "hello there");
        assert!(answered(b"220 mail.example ready\r\n\r\n").is_err());
    }

    #[test]
    fn events_are_messages() {
        let response = Response {
            body: "event: message\ndata: {\"id\":1}\n\n".to_owned(),
            ..Response::default()
        };
        assert_eq!(response.messages().nth(1), Some("{\"id\":1}"));
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_answered_is_too_much(bytes: Vec<u8>) {
            let _ = parse(&bytes);
            let _ = unchunked(&bytes);
        }
    }
}
