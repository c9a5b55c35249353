//! Who is on which network under which names: what name answers, published ports and the way out
//! are decided from.
//!
//! Pure data. The keeper's control side writes it, the sockets' side reads it.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use super::protocol::{Egress, HostGateway};

/// Everything that can be asked about.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    networks: Vec<ListedNetwork>,
    containers: Vec<ListedContainer>,
}

/// One network.
#[derive(Debug, Clone)]
pub(crate) struct ListedNetwork {
    pub(crate) name: String,
    pub(crate) egress: Egress,
    pub(crate) subnet: Ipv4Net,
    pub(crate) host_gateway: Ipv4Addr,
}

/// One container.
#[derive(Debug, Clone)]
pub(crate) struct ListedContainer {
    pub(crate) container: String,
    pub(crate) hostname: String,
    pub(crate) host_gateway: HostGateway,
    /// Its own servers for foreign names; none: the host's.
    pub(crate) name_servers: Vec<IpAddr>,
    /// In the order joined.
    pub(crate) memberships: Vec<Membership>,
}

/// A container's place on one network.
#[derive(Debug, Clone)]
pub(crate) struct Membership {
    pub(crate) network: String,
    pub(crate) address: Ipv4Addr,
    /// Lower case.
    pub(crate) names: Vec<String>,
}

/// What a container may see by a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NameAnswer {
    /// Known: its addresses, in the order attached.
    Known(Vec<Ipv4Addr>),
    /// Unknown here; another name server may be asked.
    Elsewhere,
    /// Unknown, and nobody else may be asked.
    Nowhere,
}

impl Directory {
    pub(crate) fn add_network(&mut self, network: ListedNetwork) {
        self.networks.push(network);
    }

    pub(crate) fn remove_network(&mut self, name: &str) {
        self.networks.retain(|network| network.name != name);
    }

    pub(crate) fn add_container(&mut self, container: ListedContainer) {
        self.containers.push(container);
    }

    pub(crate) fn remove_container(&mut self, id: &str) {
        self.containers
            .retain(|container| container.container != id);
    }

    /// Replaces a container's names on one network; `false` when it is not there.
    pub(crate) fn set_names(&mut self, id: &str, network: &str, names: Vec<String>) -> bool {
        let membership = self
            .containers
            .iter_mut()
            .find(|container| container.container == id)
            .and_then(|container| {
                container
                    .memberships
                    .iter_mut()
                    .find(|membership| membership.network == network)
            });
        match membership {
            None => false,
            Some(membership) => {
                membership.names = names;
                true
            }
        }
    }

    /// The container that has this address on this network.
    pub(crate) fn container_at(
        &self,
        network: &str,
        address: Ipv4Addr,
    ) -> Option<&ListedContainer> {
        self.containers
            .iter()
            .find(|container| container.address_on(network) == Some(address))
    }

    /// What `asker` sees under a name, given in lower case without a final dot.
    pub(crate) fn resolve(&self, asker: &ListedContainer, name: &str) -> NameAnswer {
        let mut addresses = Vec::new();
        for container in &self.containers {
            let own = container.container == asker.container && container.hostname == name;
            let shared = asker.memberships.iter().find_map(|place| {
                let place = container.place_on(&place.network)?;
                let known = own
                    || place.names.iter().any(|known| {
                        known == name
                            || name
                                .strip_suffix(&place.network)
                                .and_then(|rest| rest.strip_suffix('.'))
                                == Some(known)
                    });
                known.then_some(place.address)
            });
            addresses.extend(shared);
        }
        if !addresses.is_empty() {
            NameAnswer::Known(addresses)
        } else if self.may_ask(asker) && name.contains('.') {
            NameAnswer::Elsewhere
        } else {
            // A name without a dot can only mean a neighbour. Asking the host's resolver for it
            // would tell others which services are down, and wait for it.
            NameAnswer::Nowhere
        }
    }

    /// The first name of the neighbour with this address.
    pub(crate) fn reverse(&self, asker: &ListedContainer, address: Ipv4Addr) -> Option<String> {
        asker.memberships.iter().find_map(|place| {
            let neighbour = self.container_at(&place.network, address)?;
            let name = neighbour
                .place_on(&place.network)
                .and_then(|place| place.names.first())
                .unwrap_or(&neighbour.hostname);
            Some(format!("{name}.{}", place.network))
        })
    }

    /// Whether the address belongs to one of the keeper's networks.
    pub(crate) fn is_ours(&self, address: Ipv4Addr) -> bool {
        self.networks
            .iter()
            .any(|network| network.subnet.contains(&address))
    }

    /// Whether there is a server that the container may ask for foreign names: any with a way out,
    /// else only one of its own that is a neighbour.
    pub(crate) fn may_ask(&self, container: &ListedContainer) -> bool {
        self.may_leave(container)
            || container
                .name_servers
                .iter()
                .any(|server| matches!(server, IpAddr::V4(server) if self.is_ours(*server)))
    }

    /// The container's own servers that it may ask; `None`: it names none.
    pub(crate) fn name_servers_of(&self, container: &ListedContainer) -> Option<Vec<IpAddr>> {
        if container.name_servers.is_empty() {
            return None;
        }
        let leaves = self.may_leave(container);
        let neighbour =
            |server: &IpAddr| matches!(server, IpAddr::V4(server) if self.is_ours(*server));
        let servers = container.name_servers.iter().copied();
        Some(
            servers
                .filter(|server| leaves || neighbour(server))
                .collect(),
        )
    }

    /// Whether the container is on a network with a way out.
    pub(crate) fn may_leave(&self, container: &ListedContainer) -> bool {
        container.memberships.iter().any(|place| {
            self.networks
                .iter()
                .any(|network| network.name == place.network && network.egress == Egress::Open)
        })
    }
}

impl ListedContainer {
    fn place_on(&self, network: &str) -> Option<&Membership> {
        self.memberships
            .iter()
            .find(|membership| membership.network == network)
    }

    fn address_on(&self, network: &str) -> Option<Ipv4Addr> {
        self.place_on(network).map(|place| place.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(name: &str, egress: Egress, third: u8) -> ListedNetwork {
        ListedNetwork {
            name: name.into(),
            egress,
            subnet: Ipv4Net::new_assert(Ipv4Addr::new(10, 89, third, 0), 24),
            host_gateway: Ipv4Addr::new(10, 89, third, 254),
        }
    }

    fn container(id: &str, places: &[(&str, u8, u8, &[&str])]) -> ListedContainer {
        ListedContainer {
            container: id.into(),
            hostname: format!("{id}-host"),
            host_gateway: HostGateway::Refused,
            name_servers: Vec::new(),
            memberships: places
                .iter()
                .map(|(network, third, last, names)| Membership {
                    network: (*network).into(),
                    address: Ipv4Addr::new(10, 89, *third, *last),
                    names: names.iter().map(|name| (*name).to_owned()).collect(),
                })
                .collect(),
        }
    }

    fn directory() -> Directory {
        let mut directory = Directory::default();
        directory.add_network(network("front", Egress::Open, 0));
        directory.add_network(network("back", Egress::None, 1));
        directory.add_container(container("web", &[("front", 0, 2, &["web"])]));
        directory.add_container(container(
            "api-1",
            &[("front", 0, 3, &["api"]), ("back", 1, 3, &["api", "core"])],
        ));
        directory.add_container(container("api-2", &[("front", 0, 4, &["api"])]));
        directory.add_container(container("db", &[("back", 1, 4, &["db"])]));
        directory
    }

    fn ask(directory: &Directory, asker: &str, name: &str) -> String {
        let asker = directory
            .containers
            .iter()
            .find(|container| container.container == asker)
            .unwrap();
        match directory.resolve(asker, name) {
            NameAnswer::Known(addresses) => addresses
                .iter()
                .map(Ipv4Addr::to_string)
                .collect::<Vec<_>>()
                .join(" "),
            NameAnswer::Elsewhere => "elsewhere".into(),
            NameAnswer::Nowhere => "nowhere".into(),
        }
    }

    #[test]
    fn names_are_seen_on_shared_networks_only() {
        let directory = directory();
        assert_eq!(ask(&directory, "web", "api"), "10.89.0.3 10.89.0.4");
        assert_eq!(ask(&directory, "web", "core"), "nowhere");
        assert_eq!(ask(&directory, "web", "db"), "nowhere");
        assert_eq!(ask(&directory, "db", "api"), "10.89.1.3");
        assert_eq!(ask(&directory, "db", "core"), "10.89.1.3");
        assert_eq!(ask(&directory, "api-1", "db"), "10.89.1.4");
        assert_eq!(ask(&directory, "api-1", "db.back"), "10.89.1.4");
    }

    #[test]
    fn foreign_names_leave_only_where_there_is_a_way_out() {
        let directory = directory();
        assert_eq!(ask(&directory, "web", "example.org"), "elsewhere");
        assert_eq!(ask(&directory, "web", "redis"), "nowhere");
        assert_eq!(ask(&directory, "db", "example.org"), "nowhere");
    }

    #[test]
    fn own_name_servers_are_asked_where_the_container_may_go() {
        let mut directory = directory();
        let outside: IpAddr = "192.0.2.53".parse().unwrap();
        let neighbour: IpAddr = "10.89.1.3".parse().unwrap();
        for container in &mut directory.containers {
            container.name_servers = vec![outside, neighbour];
        }
        let servers = |id: &str| {
            let asker = directory.containers.iter().find(|one| one.container == id);
            directory.name_servers_of(asker.unwrap()).unwrap()
        };
        assert_eq!(servers("web"), [outside, neighbour]);
        assert_eq!(servers("db"), [neighbour]);
        assert_eq!(ask(&directory, "db", "example.org"), "elsewhere");
        assert_eq!(ask(&directory, "db", "core"), "10.89.1.3");
    }

    #[test]
    fn a_hostname_is_known_to_its_container_alone() {
        let directory = directory();
        assert_eq!(ask(&directory, "db", "db-host"), "10.89.1.4");
        assert_eq!(ask(&directory, "api-1", "db-host"), "nowhere");
    }

    #[test]
    fn addresses_have_names_for_neighbours() {
        let directory = directory();
        let web = directory
            .container_at("front", Ipv4Addr::new(10, 89, 0, 2))
            .unwrap();
        assert_eq!(
            directory.reverse(web, Ipv4Addr::new(10, 89, 0, 3)),
            Some("api.front".into())
        );
        assert_eq!(directory.reverse(web, Ipv4Addr::new(10, 89, 1, 4)), None);
    }

    #[test]
    fn names_can_move() {
        let mut directory = directory();
        assert!(directory.set_names("web", "front", vec!["www".into()]));
        assert!(!directory.set_names("web", "back", Vec::new()));
        assert_eq!(ask(&directory, "api-2", "web"), "nowhere");
        assert_eq!(ask(&directory, "api-2", "www"), "10.89.0.2");
    }
}
