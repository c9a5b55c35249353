//! Published ports that cannot be had, found before anything is built or started.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use plimsoll_diag::Diagnostic;
use plimsoll_model::{Project, Protocol};

use crate::network::{NetworkError, PublishedPort, holder_of};

/// The ports of these services that are taken, each with who holds it where that can be found.
/// `ours` are those that the running stack offers already.
pub fn taken_ports(
    project: &Project,
    services: &[String],
    ours: &[PublishedPort],
    bind: IpAddr,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut wanted: BTreeMap<(SocketAddr, Protocol), &str> = BTreeMap::new();
    for service in services
        .iter()
        .filter_map(|name| project.services.get(name))
    {
        for port in &service.ports {
            let Some(number) = port.published else {
                continue;
            };
            let address = SocketAddr::new(port.host_ip.unwrap_or(bind), number);
            let problem = |message: String| {
                Diagnostic::error(message)
                    .at(port.span.clone().or(service.span.clone()))
                    .label(format!("published by service `{}`", service.name))
            };
            if let Some(other) = wanted.insert((address, port.protocol), &service.name) {
                problems.push(problem(format!(
                    "port {address} is published by `{other}` too"
                )));
                continue;
            }
            let held_by_us = ours
                .iter()
                .any(|held| held.address == address && held.protocol == port.protocol);
            if held_by_us || can_listen(address, port.protocol) {
                continue;
            }
            let taken = NetworkError::PortTaken {
                address,
                protocol: port.protocol,
                holder: holder_of(address, port.protocol),
            };
            problems.push(problem(taken.to_string()).hint("free it, or publish another port"));
        }
    }
    problems
}

/// Whether the address is free. Only "in use" counts as taken: other refusals have better words
/// when the keeper meets them.
fn can_listen(address: SocketAddr, protocol: Protocol) -> bool {
    let result = match protocol {
        Protocol::Tcp => TcpListener::bind(address).map(drop),
        Protocol::Udp => UdpSocket::bind(address).map(drop),
    };
    !matches!(result, Err(error) if error.kind() == std::io::ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests {
    use plimsoll_diag::{Span, Spanned};
    use plimsoll_model::{Port, Service};

    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn project(ports: &[(&str, u16)]) -> Project {
        let mut project = Project::default();
        for (index, (name, published)) in ports.iter().enumerate() {
            let port = Port {
                host_ip: None,
                published: Some(*published),
                target: 80,
                protocol: Protocol::Tcp,
            };
            let span = Span::new(std::path::Path::new("compose.yaml"), index as u32 + 1, 3, 4);
            let ports = vec![Spanned::new(port, span)];
            project.services.insert(
                (*name).to_owned(),
                Service {
                    name: (*name).to_owned(),
                    ports,
                    ..Service::default()
                },
            );
        }
        project
    }

    #[test]
    fn a_taken_port_names_its_holder_and_its_place() {
        let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let problems = taken_ports(
            &project(&[("web", port)]),
            &["web".to_owned()],
            &[],
            LOOPBACK,
        );
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0]
                .message
                .contains(&std::process::id().to_string()),
            "{}",
            problems[0]
        );
        assert_eq!(problems[0].span.as_ref().unwrap().start.line, 1);
    }

    #[test]
    fn a_port_cannot_be_published_twice() {
        let free = TcpListener::bind((LOOPBACK, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let services = ["a".to_owned(), "b".to_owned()];
        let problems = taken_ports(
            &project(&[("a", free), ("b", free)]),
            &services,
            &[],
            LOOPBACK,
        );
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].message.ends_with("is published by `a` too"),
            "{}",
            problems[0]
        );
    }
}
