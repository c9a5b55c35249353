//! The way out of networks, and where it does not lead.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::sync::Barrier;
use std::thread;

use plimsoll_run::network::{Egress, EgressMethod, HostGateway, NetworkWarning};

use crate::Case;
use crate::client::{connect, echo, greeting, serve_greeting, udp_echo};
use crate::topology::serve;
use crate::world::outside::{ADDRESS, GREETING, HOST, METADATA};
use crate::world::{Container, Project, attach_request, kind};

pub fn cases() -> Vec<Case> {
    vec![
        ("way out: TCP and UDP to the outside", open),
        ("way out: none from internal networks", internal),
        (
            "way out: not to the host, metadata, or other networks",
            refused,
        ),
        ("way out: what nobody serves is a reset", unserved),
        (
            "way out: the host itself, for those who asked",
            host_gateway,
        ),
        (
            "way out: well-known ports without a program in the kernel",
            ports_only,
        ),
        ("way out: a hundred connections at once", hundred),
        ("way out: many datagram pairs", pairs),
    ]
}

fn outside(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(ADDRESS, port)
}

fn open() {
    let mut project = Project::new();
    let status = project.network("front", Egress::Open);
    assert_eq!(status.warnings, []);
    let web = project.attach("web", &["front"]);
    let text: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    web.run(|| {
        assert_eq!(greeting(outside(80)).unwrap(), GREETING);
        assert!(echo(outside(7), &text).unwrap() == text);
        assert_eq!(udp_echo(outside(7), &[7; 1400]).unwrap(), [7; 1400]);
        assert_eq!(udp_echo(outside(7), b"again").unwrap(), b"again");
    });
}

fn internal() {
    let mut project = Project::new();
    project.network("back", Egress::None);
    project.network("front", Egress::Open);
    let db = project.attach("db", &["back"]);
    let both = project.attach("both", &["back", "front"]);
    assert_eq!(both.run(|| greeting(outside(80))).unwrap(), GREETING);
    db.run(|| {
        assert_eq!(
            kind(greeting(outside(80))),
            Err(ErrorKind::NetworkUnreachable)
        );
        assert_eq!(
            kind(udp_echo(outside(7), b"x")),
            Err(ErrorKind::NetworkUnreachable)
        );
    });
}

fn refused() {
    let mut project = Project::new();
    project.network("front", Egress::Open);
    project.network("side", Egress::Open);
    let web = project.attach("web", &["front"]);
    let other = project.attach("other", &["side"]);
    serve(&other, 80, "other");
    // All of these answer when the host itself asks.
    let host = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = host.local_addr().unwrap().port();
    serve_greeting(host, "host");
    assert_eq!(greeting(SocketAddrV4::new(HOST, port)).unwrap(), "host");
    assert_eq!(greeting(SocketAddrV4::new(METADATA, 80)).unwrap(), GREETING);

    let gateway = web.resolver();
    web.run(|| {
        let outcome = |address, port| kind(greeting(SocketAddrV4::new(address, port)));
        // At once, and as a refusal.
        assert_eq!(outcome(HOST, port), Err(ErrorKind::ConnectionRefused));
        assert_eq!(outcome(METADATA, 80), Err(ErrorKind::ConnectionRefused));
        assert_eq!(outcome(gateway, port), Err(ErrorKind::ConnectionRefused));
        assert_eq!(
            outcome(Ipv4Addr::LOCALHOST, port),
            Err(ErrorKind::ConnectionRefused)
        );
        let datagram = udp_echo(SocketAddrV4::new(HOST, port), b"x");
        assert_eq!(kind(datagram), Err(ErrorKind::ConnectionRefused));
        // Known only when it is about to be dialled.
        assert_eq!(
            outcome(other.address(), 80),
            Err(ErrorKind::ConnectionReset)
        );
    });
}

fn unserved() {
    let mut project = Project::new();
    project.network("front", Egress::Open);
    let web = project.attach("web", &["front"]);
    web.run(|| {
        assert_eq!(kind(greeting(outside(81))), Err(ErrorKind::ConnectionReset));
    });
}

fn host_gateway() {
    let mut project = Project::new();
    project.network("front", Egress::Open);
    let web = project.attach("web", &["front"]);
    assert_eq!(web.details.host_gateway, None);
    let gateway = project.keeper.status().unwrap().networks[0].host_gateway;
    let host = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = SocketAddrV4::new(gateway, host.local_addr().unwrap().port());
    serve_greeting(host, "host");
    assert_eq!(
        kind(web.run(|| greeting(address))),
        Err(ErrorKind::ConnectionRefused)
    );

    let mut request = attach_request("tool", &["front"]);
    request.host_gateway = HostGateway::Allowed;
    let tool = Container::new(project.keeper.attach(&request).unwrap());
    assert_eq!(tool.details.host_gateway, Some(gateway));
    assert_eq!(tool.run(|| greeting(address)).unwrap(), "host");
    // Its neighbour did not ask.
    assert_eq!(
        kind(web.run(|| greeting(address))),
        Err(ErrorKind::ConnectionReset)
    );
}

fn ports_only() {
    let mut project = Project::with_method(EgressMethod::WellKnownPorts);
    let status = project.network("front", Egress::Open);
    assert!(
        matches!(status.warnings.as_slice(), [NetworkWarning::EgressLimited { ports, .. }] if ports.contains(&443)),
        "{:?}",
        status.warnings
    );
    let web = project.attach("web", &["front"]);
    web.run(|| {
        assert_eq!(greeting(outside(80)).unwrap(), GREETING);
        assert_eq!(
            kind(greeting(outside(7))),
            Err(ErrorKind::ConnectionRefused)
        );
        let metadata = greeting(SocketAddrV4::new(METADATA, 80));
        assert_eq!(kind(metadata), Err(ErrorKind::ConnectionReset));
        assert_eq!(
            crate::client::resolve(web.resolver(), "web"),
            format!("NoError {}", web.address())
        );
    });
}

fn hundred() {
    let mut project = Project::new();
    project.network("front", Egress::Open);
    let web = project.attach("web", &["front"]);
    let all = Barrier::new(100);
    thread::scope(|scope| {
        for index in 0..100_u8 {
            let (all, web) = (&all, &web);
            scope.spawn(move || {
                let mut stream = web.run(|| connect(outside(7))).unwrap();
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

fn pairs() {
    let mut project = Project::new();
    project.network("front", Egress::Open);
    let web = project.attach("web", &["front"]);
    let db = project.attach("db", &["front"]);
    thread::scope(|scope| {
        for index in 0..20_u8 {
            let container = if index % 2 == 0 { &web } else { &db };
            scope.spawn(move || {
                let back = container.run(|| udp_echo(outside(7), &[index; 100]));
                assert_eq!(back.unwrap(), [index; 100]);
            });
        }
    });
}
