//! The rest of the world: a namespace behind an uplink of the "host", with a few servers in it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, TXT};
use hickory_proto::rr::{RData, Record, RecordType};

use super::{super::client, ip};

/// The host's address on the uplink.
pub const HOST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// The world's address: a TCP echo on 7, a greeting on 80, a UDP echo on 7, names on 53.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
/// The metadata service of a cloud, with a greeting on 80 too.
pub const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// What `example.org` is.
pub const EXAMPLE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);
/// What the greeting says.
pub const GREETING: &str = "outside";

/// Starts the world in a child process; it ends with this one.
pub fn start() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("outside")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "made\n");
    let namespace = child.id().to_string();
    ip(&[
        "link", "add", "uplink", "type", "veth", "peer", "name", "world", "netns", &namespace,
    ]);
    ip(&["address", "add", &format!("{HOST}/24"), "dev", "uplink"]);
    ip(&["link", "set", "uplink", "up"]);
    ip(&[
        "route",
        "add",
        &format!("{METADATA}/32"),
        "via",
        &ADDRESS.to_string(),
    ]);
    // The child reads until this end closes, which is when this process ends.
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"linked\n").unwrap();
    std::mem::forget(input);
    line.clear();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "serving\n");
}

/// The world's own process.
pub fn main() -> ExitCode {
    // SAFETY: only the network namespace changes, and no other thread runs yet.
    #[expect(unsafe_code, reason = "a namespace for the tests")]
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.unwrap();
    println!("made");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    ip(&["link", "set", "lo", "up"]);
    ip(&["address", "add", &format!("{ADDRESS}/24"), "dev", "world"]);
    ip(&["address", "add", &format!("{METADATA}/32"), "dev", "world"]);
    ip(&["link", "set", "world", "up"]);
    client::serve_greeting(
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).unwrap(),
        GREETING,
    );
    client::serve_echo(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 7)).unwrap());
    client::serve_sink(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 9)).unwrap());
    client::serve_udp_echo(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 7)).unwrap());
    serve_names();
    println!("serving");
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).unwrap();
    ExitCode::SUCCESS
}

fn serve_names() {
    let datagrams = UdpSocket::bind((ADDRESS, 53)).unwrap();
    let connections = TcpListener::bind((ADDRESS, 53)).unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            let (length, client): (usize, SocketAddr) = datagrams.recv_from(&mut buffer).unwrap();
            let reply = answer(&buffer[..length]);
            let bytes = reply.to_vec().unwrap();
            let bytes = if bytes.len() > 512 {
                reply.truncate().to_vec().unwrap()
            } else {
                bytes
            };
            datagrams.send_to(&bytes, client).unwrap();
        }
    });
    thread::spawn(move || {
        for stream in connections.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut query).unwrap();
            let bytes = answer(&query).to_vec().unwrap();
            let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
            stream.write_all(&length).unwrap();
            stream.write_all(&bytes).unwrap();
        }
    });
}

fn answer(query: &[u8]) -> Message {
    let query = Message::from_vec(query).unwrap();
    let question = query.queries[0].clone();
    let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
    reply.add_query(question.clone());
    let name = question.name().clone();
    match (name.to_ascii().as_str(), question.query_type()) {
        ("example.org.", RecordType::A) => {
            reply.add_answer(Record::from_rdata(name, 60, RData::A(A(EXAMPLE))));
        }
        ("example.org.", _) => {}
        ("long.example.org.", RecordType::TXT) => {
            for index in 0..20 {
                let text = TXT::new(vec![format!("{index:0200}")]);
                reply.add_answer(Record::from_rdata(name.clone(), 60, RData::TXT(text)));
            }
        }
        _ => reply.metadata.response_code = ResponseCode::NXDomain,
    }
    reply
}
