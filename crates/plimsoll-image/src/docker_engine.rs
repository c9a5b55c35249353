//! Loading images into a Docker or Podman engine of this machine, through the socket it listens on.
//!
//! The engine's interface is HTTP on a Unix socket. Only loading is spoken here; the archive is
//! streamed as it is written, so that no copy of it lies on the disk.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use crate::store::{Image, LayerForm, Store, StoreError};

/// The most that an engine's answer may say.
const LARGEST_ANSWER: u64 = 1 << 20;

/// Why images are not loaded.
#[derive(Debug, Error)]
pub enum DockerEngineError {
    /// Nobody listens.
    #[error("no engine answers on `{}`: {source}", socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The engine broke off, or said something that is not HTTP.
    #[error("the engine on `{}` broke off: {source}", socket.display())]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The engine does not want the images.
    #[error("the engine on `{}` refused the images: {reason}", socket.display())]
    Refused {
        /// The socket.
        socket: PathBuf,
        /// What it said.
        reason: String,
    },
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An engine that listens on a Unix socket.
#[derive(Debug, Clone)]
pub struct DockerEngine {
    socket: PathBuf,
}

impl DockerEngine {
    /// The engine behind a socket.
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// Loads images under their names.
    ///
    /// # Errors
    /// When nobody listens, the engine refuses, or a part of an image is missing.
    pub fn load(&self, store: &Store, images: &[Image]) -> Result<(), DockerEngineError> {
        let broken = |source| DockerEngineError::Broken {
            socket: self.socket.clone(),
            source,
        };
        let stream =
            UnixStream::connect(&self.socket).map_err(|source| DockerEngineError::Unreachable {
                socket: self.socket.clone(),
                source,
            })?;
        let mut request = &stream;
        request
            .write_all(
                b"POST /images/load?quiet=1 HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\
                  Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n",
            )
            .map_err(broken)?;
        let mut body = BufWriter::with_capacity(256 << 10, Chunks(&stream));
        let written = store.export_archive(images, LayerForm::Plain, &mut body);
        let ended = written.and_then(|()| {
            body.flush().map_err(StoreError::Io)?;
            (&stream).write_all(b"0\r\n\r\n").map_err(StoreError::Io)
        });
        // An engine that refuses early closes before everything is sent; what it said counts.
        match (read_answer(&stream), ended) {
            (Ok(answer), ended) => match answer.reason() {
                Some(reason) => Err(DockerEngineError::Refused {
                    socket: self.socket.clone(),
                    reason,
                }),
                None => Ok(ended?),
            },
            (Err(_), Err(error)) => Err(error.into()),
            (Err(source), Ok(())) => Err(broken(source)),
        }
    }
}

/// Writes what it gets as chunks of HTTP.
struct Chunks<'a>(&'a UnixStream);

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let mut stream = self.0;
        write!(stream, "{:x}\r\n", bytes.len())?;
        stream.write_all(bytes)?;
        stream.write_all(b"\r\n")?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    /// Why the engine is not content. It answers 200 before it has read everything, so that an
    /// error may also stand in the lines that follow.
    fn reason(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Line {
            error: Option<String>,
            message: Option<String>,
        }
        let lines = self.body.split(|byte| *byte == b'\n');
        let told = lines
            .filter_map(|line| serde_json::from_slice::<Line>(line).ok())
            .find_map(|line| line.error.or(line.message));
        if (200..300).contains(&self.status) {
            return told;
        }
        Some(told.unwrap_or_else(|| format!("it answered {}", self.status)))
    }
}

fn read_answer(stream: &UnixStream) -> io::Result<Answer> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "its answer is not HTTP");
    let mut reader = BufReader::new(stream).take(LARGEST_ANSWER);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(malformed)?;
    let (mut chunked, mut length) = (false, None);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            "content-length" => length = value.trim().parse::<u64>().ok(),
            _ => {}
        }
    }
    let mut body = Vec::new();
    if !chunked {
        reader
            .take(length.unwrap_or(LARGEST_ANSWER))
            .read_to_end(&mut body)?;
        return Ok(Answer { status, body });
    }
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| malformed())?;
        (&mut reader).take(size).read_to_end(&mut body)?;
        line.clear();
        reader.read_line(&mut line)?;
        if size == 0 {
            return Ok(Answer { status, body });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::layer::{Attributes, FileSet};
    use crate::oci::{Architecture, ImageConfig};
    use crate::store::{ImageLayer, NewImage};

    /// Loads an image into an engine that answers so; what it got, and what came of it.
    fn load(answer: &'static str) -> (Vec<u8>, Result<(), DockerEngineError>) {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(&root.path().join("store")).unwrap();
        let mut files = FileSet::new();
        files.file("etc/motd", Attributes::FILE, "hello\n").unwrap();
        let layer = ImageLayer {
            layer: store
                .commit_layer(&[store.put_segment("motd", &files).unwrap()])
                .unwrap(),
            created_by: "test".into(),
        };
        let image = store
            .put_image(&NewImage {
                reference: "motd:1",
                architecture: Architecture::Amd64,
                config: &ImageConfig::default(),
                layers: &[layer],
                annotations: std::collections::BTreeMap::new(),
            })
            .unwrap();
        let socket = root.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let engine = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut got = Vec::new();
            let mut buffer = [0; 4096];
            while !got.ends_with(b"\r\n0\r\n\r\n") {
                let count = stream.read(&mut buffer).unwrap();
                got.extend(&buffer[..count]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            got
        });
        let result = DockerEngine::new(&socket).load(&store, &[image]);
        (engine.join().unwrap(), result)
    }

    #[test]
    fn an_image_is_streamed_to_the_engine() {
        let (got, result) = load(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n22\r\n\
             {\"stream\":\"Loaded image: motd:1\"}\n\r\n0\r\n\r\n",
        );
        result.unwrap();
        let text = String::from_utf8_lossy(&got);
        assert!(text.starts_with("POST /images/load"));
        assert!(text.contains("hello\n") && text.contains("\"RepoTags\":[\"motd:1\"]"));
    }

    #[test]
    fn an_error_after_a_good_status_is_told() {
        let (_, result) = load(
            "HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n{\"error\":\"no space is left\"}\r\n",
        );
        assert!(result.unwrap_err().to_string().contains("no space is left"));
        let (_, result) = load("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        assert!(result.unwrap_err().to_string().contains("it answered 404"));
    }
}
