//! A service's place on its networks: its names, and how it finds others.

use std::net::IpAddr;

use plimsoll_model::{NetworkMode, Project, Service};

use crate::container::{ContainerSpec, HostEntry, NetworkSpec, Resolver};
use crate::network::{AttachRequest, AttachmentDetails, HostGateway, JoinNetwork, checked_name};

/// A service's place on its networks, under all its names.
pub(super) fn attach_request(
    project: &Project,
    service: &Service,
    container: &str,
    spec: &ContainerSpec,
) -> AttachRequest {
    // The service's own address is that of its first interface, unless the network names one.
    let mut own = service.mac_address.as_ref().map(|address| address.value);
    let networks = service.networks.iter().map(|(network, place)| {
        let mut names = vec![service.name.clone()];
        names.extend(name_of_container(container));
        names.extend(place.aliases.iter().cloned());
        names.extend(link_names(project, service, network));
        names.extend(
            service
                .hostname
                .as_ref()
                .map(|hostname| hostname.value.clone()),
        );
        names.sort();
        names.dedup();
        JoinNetwork {
            network: network.clone(),
            names,
            address: place.ipv4_address,
            hardware_address: place.mac_address.or(own.take()),
            interface: place.interface_name.clone(),
        }
    });
    let wants_host = service
        .extra_hosts
        .iter()
        .any(|(_, address)| address == "host-gateway");
    AttachRequest {
        container: container.to_owned(),
        hostname: spec.hostname.clone(),
        networks: networks.collect(),
        host_gateway: if wants_host {
            HostGateway::Allowed
        } else {
            HostGateway::Refused
        },
        name_servers: service.dns.clone(),
    }
}

/// The name by which a container itself is looked up. One that is longer than a query can carry,
/// as that of a project and a service with long names, is nobody's to look up.
pub(super) fn name_of_container(container: &str) -> Option<String> {
    checked_name(container).ok().map(str::to_owned)
}

/// The names by which the links of others on this network call the service.
fn link_names(project: &Project, service: &Service, network: &str) -> Vec<String> {
    project
        .services
        .values()
        .filter(|other| other.networks.contains_key(network))
        .flat_map(|other| &other.links)
        .filter(|link| link.service == service.name)
        .map(|link| link.alias.clone())
        .collect()
}

/// Puts a container on the networks it was attached to.
pub(super) fn connect(spec: &mut ContainerSpec, service: &Service, place: &AttachmentDetails) {
    spec.network = NetworkSpec::Namespace(place.namespace.clone());
    spec.addresses = place
        .networks
        .iter()
        .map(|network| IpAddr::V4(network.address))
        .collect();
    spec.resolver = place
        .resolver
        // It knows the project's names, and asks the servers that the service names for others.
        .map(|own| resolver(service, vec![IpAddr::V4(own)]));
    for (name, address) in &service.extra_hosts {
        let address = match address.as_str() {
            "host-gateway" => place.host_gateway.map(IpAddr::V4),
            literal => literal.trim_matches(['[', ']']).parse().ok(),
        };
        if let Some(address) = address {
            spec.hosts.push(HostEntry {
                address,
                names: vec![name.clone()],
            });
        }
    }
}

/// How a service's container resolves names.
fn resolver(service: &Service, nameservers: Vec<IpAddr>) -> Resolver {
    let mut options = service.dns_opt.clone();
    if !options.iter().any(|option| option.starts_with("ndots:")) {
        options.push("ndots:0".to_owned());
    }
    Resolver {
        nameservers,
        // A single dot stands for none.
        search: service
            .dns_search
            .iter()
            .filter(|domain| *domain != ".")
            .cloned()
            .collect(),
        options,
    }
}

/// Whether a service stays off the keeper's networks, and what it gets instead.
pub(super) fn own_network(spec: &mut ContainerSpec, service: &Service) -> bool {
    match service.network_mode.as_ref().map(|mode| &mode.value) {
        Some(NetworkMode::None) => spec.network = NetworkSpec::None,
        Some(NetworkMode::Host) => {
            spec.network = NetworkSpec::Host;
            let says_something = !service.dns.is_empty()
                || !service.dns_search.is_empty()
                || !service.dns_opt.is_empty();
            if says_something {
                // No server of the project can be reached from there.
                let own = if service.dns.is_empty() {
                    let text = fs_err::read_to_string("/etc/resolv.conf").unwrap_or_default();
                    servers(&text)
                } else {
                    service.dns.clone()
                };
                spec.resolver = Some(resolver(service, own));
            }
        }
        _ => return false,
    }
    true
}

/// The name servers of a `resolv.conf`.
fn servers(text: &str) -> Vec<IpAddr> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use plimsoll_diag::Spanned;
    use plimsoll_model::{Link, NetworkAttachment};

    use super::*;

    fn service(name: &str) -> Service {
        let mut service = Service {
            name: name.to_owned(),
            ..Service::default()
        };
        service
            .networks
            .insert("default".to_owned(), NetworkAttachment::default());
        service
    }

    #[test]
    fn a_container_with_too_long_a_name_is_looked_up_by_its_service() {
        let container = format!("{}-web-1", "p".repeat(60));
        let spec = ContainerSpec::new("web", Vec::new(), Vec::new(), "/".into());
        let project = Project::default();
        let names = |container: &str| {
            let request = attach_request(&project, &service("web"), container, &spec);
            request.networks[0].names.clone()
        };
        assert_eq!(names(&container), ["web"]);
        assert_eq!(names("desk-web-1"), ["desk-web-1", "web"]);
    }

    #[test]
    fn a_link_gives_the_linked_service_a_name() {
        let mut project = Project::default();
        let mut web = service("web");
        web.links.push(Spanned::unplaced(Link {
            service: "db".to_owned(),
            alias: "store".to_owned(),
        }));
        let db = service("db");
        project.services.insert("web".to_owned(), web.clone());
        project.services.insert("db".to_owned(), db.clone());
        let spec = ContainerSpec::new("c", vec![], vec!["x".to_owned()], "/s".into());
        let names = |service: &Service, container: &str| {
            attach_request(&project, service, container, &spec).networks[0]
                .names
                .clone()
        };
        assert_eq!(names(&db, "p-db-1"), ["db", "p-db-1", "store"]);
        assert_eq!(names(&web, "p-web-1"), ["p-web-1", "web"]);
    }

    #[test]
    fn what_a_service_says_of_name_servers_is_written() {
        let mut service = service("web");
        let own: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!(resolver(&service, vec![own]).options, ["ndots:0"]);
        service.dns_search = vec!["example.com".to_owned()];
        service.dns_opt = vec!["ndots:2".to_owned(), "use-vc".to_owned()];
        let made = resolver(&service, vec![own]);
        assert_eq!(made.nameservers, [own]);
        assert_eq!(made.search, ["example.com"]);
        assert_eq!(made.options, ["ndots:2", "use-vc"]);
    }

    #[test]
    fn a_service_on_the_hosts_network_may_name_its_servers() {
        let mut service = service("web");
        service.network_mode = Some(Spanned::unplaced(NetworkMode::Host));
        let mut spec = ContainerSpec::new("c", vec![], vec!["x".to_owned()], "/s".into());
        assert!(own_network(&mut spec, &service));
        assert_eq!(spec.resolver, None);
        service.dns = vec!["192.0.2.1".parse().unwrap()];
        own_network(&mut spec, &service);
        assert_eq!(spec.resolver.unwrap().nameservers, service.dns);
        assert_eq!(servers("# x\nnameserver 192.0.2.7\n").len(), 1);
    }
}
