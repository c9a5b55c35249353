//! A Python package index on the loopback: it has one version of every package that is asked for,
//! wants a password where it is given one, and can stumble.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plimsoll_image::Digest;

/// How a request is answered that is not answered well.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// With this status.
    Status(u16),
    /// With half of a page.
    Cut,
    /// Well, after a while.
    Slow,
}

/// The index.
pub struct Index {
    port: u16,
    state: Arc<State>,
}

struct State {
    authorization: Option<String>,
    answers: Mutex<VecDeque<Answer>>,
    tampers: AtomicBool,
    given: Mutex<Vec<String>>,
}

/// What begins so has a wheel for x86-64 alone.
pub const ONE_PROCESSOR: &str = "only-amd64";

impl Index {
    /// Starts it; it ends with the test's process.
    pub fn start(credentials: Option<(&str, &str)>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            authorization: credentials.map(|(user, password)| {
                format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
            }),
            answers: Mutex::default(),
            tampers: AtomicBool::new(false),
            given: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A client that goes away is the client's business.
                std::thread::spawn(move || state.serve(stream).ok());
            }
        });
        Self { port, state }
    }

    /// Host and port.
    pub fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The next requests are answered like this.
    pub fn stumble(&self, answers: Vec<Answer>) {
        *self.state.answers.lock().unwrap() = answers.into();
    }

    /// The files that were asked for.
    pub fn given(&self) -> Vec<String> {
        self.state.given.lock().unwrap().clone()
    }

    /// Gives other files than before, under the same names.
    pub fn tamper(&self) {
        self.state.tampers.store(true, Ordering::Relaxed);
    }
}

impl State {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut request = String::new();
        reader.read_line(&mut request)?;
        let mut authorization = None;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("authorization")
            {
                authorization = Some(value.trim().to_string());
            }
        }
        let mut words = request.split(' ');
        let is_head = words.next() == Some("HEAD");
        let path = words.next().unwrap_or_default().to_string();
        let (mut status, mut body) = self.page(&path);
        if !path.starts_with("/empty")
            && self.authorization.is_some()
            && authorization != self.authorization
        {
            (status, body) = (401, Vec::new());
        }
        let answer = match status {
            200 => self.answers.lock().unwrap().pop_front(),
            _ => None,
        };
        match answer {
            Some(Answer::Status(other)) => (status, body) = (other, Vec::new()),
            Some(Answer::Slow) => std::thread::sleep(Duration::from_millis(1500)),
            Some(Answer::Cut) | None => {}
        }
        let kind = if path.ends_with(".whl") {
            "application/zip"
        } else {
            "text/html"
        };
        let challenge = if status == 401 {
            "WWW-Authenticate: Basic realm=\"own\"\r\n"
        } else {
            ""
        };
        write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{challenge}Connection: close\r\n\r\n",
            body.len(),
        )?;
        if is_head {
            return Ok(());
        }
        let end = match answer {
            Some(Answer::Cut) => body.len() / 2,
            _ => body.len(),
        };
        stream.write_all(&body[..end])
    }

    fn page(&self, path: &str) -> (u16, Vec<u8>) {
        let path = path.split('?').next().unwrap_or_default();
        if let Some(name) = path.strip_prefix("/simple/") {
            let name = name.trim_matches('/');
            if name.is_empty() || name.starts_with("no-such") {
                return (404, Vec::new());
            }
            let platform = match name.starts_with(ONE_PROCESSOR) {
                true => "manylinux_2_17_x86_64",
                false => "any",
            };
            let file = format!("{}-1.0-py3-none-{platform}.whl", name.replace('-', "_"));
            let hash = Digest::of(&self.wheel(&file));
            let page = format!(
                "<a href=\"../../files/{file}#sha256={}\">{file}</a>",
                hash.hex()
            );
            return (200, page.into_bytes());
        }
        match path.strip_prefix("/files/") {
            Some(file) => {
                self.given.lock().unwrap().push(file.to_string());
                (200, self.wheel(file))
            }
            None => (404, Vec::new()),
        }
    }

    fn wheel(&self, file: &str) -> Vec<u8> {
        let name = file.split('-').next().unwrap_or_default();
        let word = if self.tampers.load(Ordering::Relaxed) {
            "other"
        } else {
            "hidden"
        };
        let info = format!("{name}-1.0.dist-info");
        zip(&[
            (format!("{name}.py"), format!("WORD = '{word}'\n")),
            (
                format!("{info}/METADATA"),
                format!(
                    "Metadata-Version: 2.1\nName: {}\nVersion: 1.0\n",
                    name.replace('_', "-")
                ),
            ),
            (
                format!("{info}/WHEEL"),
                "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
                    .to_string(),
            ),
            (
                format!("{info}/RECORD"),
                format!("{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"),
            ),
        ])
    }
}

/// An archive of files that are not compressed.
fn zip(files: &[(String, String)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let size = u32::try_from(text.len()).unwrap().to_le_bytes();
        let length = u16::try_from(name.len()).unwrap().to_le_bytes();
        let offset = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        // Version 2.0, no flags, stored, the first of January 1980.
        let common = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0][..],
            &crc32(text.as_bytes()).to_le_bytes(),
            &size,
            &size,
            &length,
            &[0, 0],
        ]
        .concat();
        bytes.extend_from_slice(b"PK\x03\x04");
        bytes.extend_from_slice(&common);
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(text.as_bytes());
        directory.extend_from_slice(b"PK\x01\x02\x14\x00");
        directory.extend_from_slice(&common);
        directory.extend_from_slice(&[0; 6]);
        directory.extend_from_slice(&[0, 0, 0xa4, 0x81]);
        directory.extend_from_slice(&offset);
        directory.extend_from_slice(name.as_bytes());
    }
    let count = u16::try_from(files.len()).unwrap().to_le_bytes();
    let start = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let size = u32::try_from(directory.len()).unwrap().to_le_bytes();
    bytes.extend(directory);
    bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    bytes.extend_from_slice(&[&count[..], &count, &size, &start, &[0, 0]].concat());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
