//! The programs that run in containers, on the host and outside: small servers and clients, opened
//! in the namespace of the thread that calls.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::{Name, RData, RecordType};

/// Longer than anything here takes, so that a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// Says a text to everyone who connects.
pub fn serve_greeting(listener: TcpListener, text: &'static str) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.write_all(text.as_bytes());
        }
    });
}

/// Says everything back, until the client has said all.
pub fn serve_echo(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            thread::spawn(move || {
                let mut reader = stream.try_clone().unwrap();
                let _ = io::copy(&mut reader, &mut stream);
                let _ = stream.shutdown(Shutdown::Write);
            });
        }
    });
}

/// Reads everything, then says how much it was.
pub fn serve_sink(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            thread::spawn(move || {
                let mut buffer = vec![0; 1024 * 1024];
                let mut total = 0_u64;
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    total += length as u64;
                }
                let _ = stream.write_all(&total.to_be_bytes());
            });
        }
    });
}

/// Says every datagram back.
pub fn serve_udp_echo(socket: UdpSocket) {
    thread::spawn(move || {
        let mut buffer = [0; 65_535];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..length], client);
        }
    });
}

/// Everything a server says.
pub fn greeting(address: impl Into<SocketAddr>) -> io::Result<String> {
    let mut stream = connect(address)?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// What comes back for a text, after its end.
pub fn echo(address: impl Into<SocketAddr>, text: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = connect(address)?;
    let mut writer = stream.try_clone()?;
    let text = text.to_vec();
    let sender = thread::spawn(move || {
        writer.write_all(&text)?;
        writer.shutdown(Shutdown::Write)
    });
    let mut back = Vec::new();
    stream.read_to_end(&mut back)?;
    sender.join().unwrap()?;
    Ok(back)
}

/// What comes back for a datagram.
pub fn udp_echo(address: impl Into<SocketAddr>, text: &[u8]) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // Datagrams may be lost while a server comes up; a hang is still a failure.
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    socket.connect(address.into())?;
    let mut buffer = [0; 65_535];
    for _ in 0..10 {
        socket.send(text)?;
        match socket.recv(&mut buffer) {
            Ok(length) => return Ok(buffer[..length].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

pub fn connect(address: impl Into<SocketAddr>) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address.into(), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A question to a name server.
pub fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    let name = Name::from_ascii(format!("{name}.")).unwrap();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name, kind));
    message
}

/// A question whose answer may be long.
pub fn long_question(name: &str, kind: RecordType) -> Message {
    let mut message = question(name, kind);
    let mut edns = Edns::new();
    edns.set_max_payload(4096);
    message.set_edns(edns);
    message
}

/// The answer over UDP.
pub fn ask(server: Ipv4Addr, message: &Message) -> Message {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect((server, 53)).unwrap();
    socket.send(&message.to_vec().unwrap()).unwrap();
    let mut buffer = [0; 65_535];
    let length = socket.recv(&mut buffer).unwrap();
    let reply = Message::from_vec(&buffer[..length]).unwrap();
    assert_eq!(reply.metadata.id, message.metadata.id);
    reply
}

/// The answer over TCP.
pub fn ask_by_tcp(server: Ipv4Addr, message: &Message) -> Message {
    let mut stream = connect((server, 53)).unwrap();
    let bytes = message.to_vec().unwrap();
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    stream.write_all(&length).unwrap();
    stream.write_all(&bytes).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply).unwrap();
    Message::from_vec(&reply).unwrap()
}

/// An answer in short: the code, and the addresses in order.
pub fn summary(reply: &Message) -> String {
    let mut words = vec![format!("{:?}", reply.metadata.response_code)];
    words.extend(reply.answers.iter().map(|record| match &record.data {
        RData::A(address) => address.0.to_string(),
        RData::PTR(name) => name.0.to_ascii(),
        other => other.record_type().to_string(),
    }));
    words.join(" ")
}

/// The addresses of a name, in short.
pub fn resolve(server: Ipv4Addr, name: &str) -> String {
    summary(&ask(server, &question(name, RecordType::A)))
}
