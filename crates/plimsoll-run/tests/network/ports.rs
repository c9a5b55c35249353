//! Published ports.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpListener, UdpSocket};
use std::sync::Barrier;
use std::thread;

use plimsoll_model::Protocol;
use plimsoll_run::network::{Egress, NetworkError, PublishRequest};

use crate::Case;
use crate::client::{connect, echo, greeting, serve_echo, serve_udp_echo, udp_echo};
use crate::topology::serve;
use crate::world::{Project, kind};

pub fn cases() -> Vec<Case> {
    vec![
        (
            "ports: TCP reaches the container, both directions end on their own",
            tcp,
        ),
        ("ports: a container that listens late is waited for", late),
        ("ports: nobody listening is a reset, soon", nobody),
        ("ports: UDP, several clients", udp),
        ("ports: a taken port names its holder", taken),
        ("ports: they close with unpublish and detach", closing),
        ("ports: a hundred connections at once", hundred),
    ]
}

fn tcp() {
    let mut project = Project::new();
    project.network("front", Egress::None);
    let web = project.attach("web", &["front"]);
    web.run(|| serve_echo(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8000)).unwrap()));
    let address = project.publish("web", 8000, Protocol::Tcp);
    let text: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    assert!(echo(address, &text).unwrap() == text);
    // The client goes on reading after it has said all.
    let mut stream = connect(address).unwrap();
    stream.write_all(b"half").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut back = String::new();
    stream.read_to_string(&mut back).unwrap();
    assert_eq!(back, "half");
}

fn late() {
    let mut project = Project::new();
    project.network("front", Egress::None);
    let web = project.attach("web", &["front"]);
    let address = project.publish("web", 80, Protocol::Tcp);
    let client = thread::spawn(move || greeting(address));
    // The client is connected; the keeper holds it.
    thread::sleep(std::time::Duration::from_millis(100));
    serve(&web, 80, "late");
    assert_eq!(client.join().unwrap().unwrap(), "late");
}

fn nobody() {
    let mut project = Project::new();
    project.network("front", Egress::None);
    project.attach("web", &["front"]);
    let address = project.publish("web", 80, Protocol::Tcp);
    assert_eq!(kind(greeting(address)), Err(ErrorKind::ConnectionReset));
}

fn udp() {
    let mut project = Project::new();
    project.network("front", Egress::None);
    let web = project.attach("web", &["front"]);
    web.run(|| serve_udp_echo(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 5000)).unwrap()));
    let address = project.publish("web", 5000, Protocol::Udp);
    let clients: Vec<_> = (0..10_u8)
        .map(|index| thread::spawn(move || udp_echo(address, &[index; 1400]).unwrap()))
        .collect();
    for (index, client) in (0..10_u8).zip(clients) {
        assert_eq!(client.join().unwrap(), [index; 1400]);
    }
}

fn taken() {
    let mut project = Project::new();
    project.network("front", Egress::None);
    project.attach("web", &["front"]);
    project.attach("api", &["front"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let request = PublishRequest {
        host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host_port: listener.local_addr().unwrap().port(),
        protocol: Protocol::Tcp,
        container: "api".into(),
        container_port: 80,
    };
    match project.keeper.publish(&request).unwrap_err() {
        NetworkError::PortTaken {
            address,
            holder: Some(holder),
            ..
        } => {
            assert_eq!(address, listener.local_addr().unwrap());
            assert_eq!(holder.pid, std::process::id());
            assert!(holder.process.starts_with("network"), "{holder:?}");
        }
        other => panic!("{other}"),
    }

    let address = project.publish("web", 80, Protocol::Tcp);
    let again = PublishRequest {
        host_port: address.port(),
        ..request
    };
    let error = project.keeper.publish(&again).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("port {address}/tcp is taken by container `web` of this project")
    );

    let foreign = PublishRequest {
        host: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        ..again
    };
    assert!(matches!(
        project.keeper.publish(&foreign),
        Err(NetworkError::CannotListen { .. })
    ));
}

fn closing() {
    let mut project = Project::new();
    project.network("front", Egress::None);
    let web = project.attach("web", &["front"]);
    serve(&web, 80, "web");
    let first = project.publish("web", 80, Protocol::Tcp);
    let second = project.publish("web", 80, Protocol::Tcp);
    assert_eq!(greeting(first).unwrap(), "web");
    project.keeper.unpublish(first, Protocol::Tcp).unwrap();
    assert_eq!(kind(greeting(first)), Err(ErrorKind::ConnectionRefused));
    assert_eq!(greeting(second).unwrap(), "web");
    project.keeper.detach("web").unwrap();
    assert_eq!(kind(greeting(second)), Err(ErrorKind::ConnectionRefused));
    assert!(matches!(
        project.keeper.unpublish(second, Protocol::Tcp),
        Err(NetworkError::NotPublished { .. })
    ));
}

fn hundred() {
    let mut project = Project::new();
    project.network("front", Egress::None);
    let web = project.attach("web", &["front"]);
    web.run(|| serve_echo(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).unwrap()));
    let address = project.publish("web", 80, Protocol::Tcp);
    let all = Barrier::new(100);
    thread::scope(|scope| {
        for index in 0..100_u8 {
            let all = &all;
            scope.spawn(move || {
                let mut stream = connect(address).unwrap();
                all.wait();
                stream.write_all(&[index; 5000]).unwrap();
                let mut back = [0; 5000];
                stream.read_exact(&mut back).unwrap();
                assert_eq!(back, [index; 5000]);
                all.wait();
            });
        }
    });
}
