//! A small HTTP server on loopback that can misbehave in the ways that servers do.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// How many requests for this path came before.
    pub earlier: usize,
}

/// What to answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Close the connection after that many bytes of the body.
    pub cut_after: Option<usize>,
    /// Say nothing more after the bytes that are sent, until the client gives up.
    pub stall: bool,
    /// Leave out `Content-Length`.
    pub no_length: bool,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            cut_after: None,
            stall: false,
            no_length: false,
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file, or the part of it that the request's `Range` asks for.
    pub(crate) fn file(request: &Request, bytes: &[u8]) -> Self {
        let start: usize = match request.headers.get("range") {
            None => return Self::new(200, bytes),
            Some(range) => range
                .strip_prefix("bytes=")
                .and_then(|range| range.strip_suffix('-'))
                .expect("an open range")
                .parse()
                .expect("a number"),
        };
        if start >= bytes.len() {
            return Self::new(416, "");
        }
        let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
        Self::new(206, &bytes[start..]).with("content-range", &range)
    }

    pub(crate) fn cut_after(mut self, bytes: usize) -> Self {
        self.cut_after = Some(bytes);
        self
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// Serves until dropped.
pub(crate) struct TestServer {
    address: std::net::SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    accepting: Option<JoinHandle<()>>,
}

impl TestServer {
    pub(crate) fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let open = Arc::new(Mutex::new(Vec::new()));
        let handler: Arc<Handler> = Arc::new(handler);
        let accepting = {
            let (requests, open) = (Arc::clone(&requests), Arc::clone(&open));
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let Ok(stream) = stream else { break };
                    let mut held = open.lock().expect("no panic");
                    if let Ok(copy) = stream.try_clone() {
                        held.push(copy);
                    }
                    drop(held);
                    let (handler, requests) = (Arc::clone(&handler), Arc::clone(&requests));
                    // An empty first line is the server's own call to stop.
                    if !serve_first(&handler, &requests, stream) {
                        break;
                    }
                }
            })
        };
        Self {
            address,
            requests,
            open,
            accepting: Some(accepting),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic").clone()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Ok(mut stream) = TcpStream::connect(self.address) {
            let _ = stream.write_all(b"stop\r\n");
        }
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
        for stream in self.open.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Serves a connection on its own thread; false when it is the call to stop.
fn serve_first(
    handler: &Arc<Handler>,
    requests: &Arc<Mutex<Vec<Request>>>,
    stream: TcpStream,
) -> bool {
    let mut peek = [0; 4];
    if matches!(stream.peek(&mut peek), Ok(4)) && &peek == b"stop" {
        return false;
    }
    let (handler, requests) = (Arc::clone(handler), Arc::clone(requests));
    std::thread::spawn(move || while serve(&*handler, &requests, &stream).is_some() {});
    true
}

fn serve(handler: &Handler, requests: &Mutex<Vec<Request>>, stream: &TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let tunnel = line.starts_with("CONNECT ");
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![
        0;
        headers
            .get("content-length")
            .map_or(0, |length| length.parse().expect("a number"))
    ];
    reader.read_exact(&mut body).ok()?;
    let request = {
        let mut requests = requests.lock().expect("no panic");
        let earlier = requests.iter().filter(|other| other.path == path).count();
        let request = Request {
            method,
            path,
            headers,
            body,
            earlier,
        };
        requests.push(request.clone());
        request
    };
    if tunnel {
        // What the client sends next is meant for the other end, which this server plays too.
        let mut stream = stream;
        return stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").ok();
    }
    let reply = handler(&request);
    answer(stream, &reply)
}

fn answer(mut stream: &TcpStream, reply: &Reply) -> Option<()> {
    let mut head = format!("HTTP/1.1 {} Status\r\n", reply.status);
    if reply.no_length {
        head.push_str("connection: close\r\n");
    } else {
        head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    let sent = reply.cut_after.unwrap_or(reply.body.len());
    stream.write_all(&reply.body[..sent]).ok()?;
    if reply.stall {
        let mut nothing = [0];
        let _ = stream.peek(&mut nothing);
        return None;
    }
    if reply.cut_after.is_some() || reply.no_length {
        let _ = stream.shutdown(Shutdown::Both);
        return None;
    }
    Some(())
}
