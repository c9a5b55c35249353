//! Which subnet a network has, and which address each container has on it.
//!
//! Pure bookkeeping: nothing here talks to the system. Addresses follow the order of attachment, a
//! container that comes back under the same id gets its address back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::error::{AddressHolder, NetworkError};
use super::protocol::NetworkSpec;

/// Ranges that subnets are cut from, in order of preference. Each project's networks are in
/// namespaces of their own, so two projects may use the same one; what counts is what the host
/// routes.
const POOLS: [(Ipv4Addr, u8); 5] = [
    (Ipv4Addr::new(10, 89, 0, 0), 16),
    (Ipv4Addr::new(10, 213, 0, 0), 16),
    (Ipv4Addr::new(172, 29, 0, 0), 16),
    (Ipv4Addr::new(192, 168, 192, 0), 18),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
];

const SUBNET_PREFIX: u8 = 24;

/// Shorter prefixes are ways to say "everything" (a VPN's two halves of the address space).
const SHORTEST_ROUTE: u8 = 8;

/// The host's routes that a subnet must not hide.
pub(crate) fn specific_routes(routes: &[Ipv4Net]) -> impl Iterator<Item = Ipv4Net> + '_ {
    routes
        .iter()
        .copied()
        .filter(|route| route.prefix_len() >= SHORTEST_ROUTE)
}

/// The subnet of a new network: the one asked for, or the first that neither the host nor another
/// network uses.
pub(crate) fn choose_subnet(
    spec: &NetworkSpec,
    existing: &[(String, Ipv4Net)],
    routed: &[Ipv4Net],
) -> Result<Ipv4Net, NetworkError> {
    if let Some(subnet) = spec.subnet {
        let subnet = subnet.trunc();
        let address = subnet.network();
        if subnet.prefix_len() > 29
            || subnet.prefix_len() < 8
            || address.is_loopback()
            || address.is_link_local()
            || address.is_multicast()
            || address.octets()[0] == 0
            || address.octets()[0] >= 240
        {
            return Err(NetworkError::UnusableSubnet {
                network: spec.name.clone(),
                subnet,
            });
        }
        return match existing.iter().find(|(_, other)| overlap(*other, subnet)) {
            None => Ok(subnet),
            Some((other, _)) => Err(NetworkError::SubnetOverlaps {
                network: spec.name.clone(),
                subnet,
                other: other.clone(),
            }),
        };
    }
    POOLS
        .iter()
        .map(|(address, prefix)| Ipv4Net::new_assert(*address, *prefix))
        .filter_map(|pool| pool.subnets(SUBNET_PREFIX).ok())
        .flatten()
        .find(|subnet| {
            !specific_routes(routed).any(|route| overlap(route, *subnet))
                && !existing.iter().any(|(_, other)| overlap(*other, *subnet))
        })
        .ok_or_else(|| NetworkError::NoFreeSubnet {
            network: spec.name.clone(),
        })
}

/// Whether two subnets share an address.
pub(crate) fn overlap(left: Ipv4Net, right: Ipv4Net) -> bool {
    left.contains(&right.network()) || right.contains(&left.network())
}

/// The addresses of one network.
#[derive(Debug, Clone)]
pub(crate) struct AddressPlan {
    network: String,
    subnet: Ipv4Net,
    gateway: Ipv4Addr,
    host_gateway: Ipv4Addr,
    reserved: BTreeSet<Ipv4Addr>,
    in_use: BTreeMap<Ipv4Addr, String>,
    remembered: BTreeMap<String, Ipv4Addr>,
}

impl AddressPlan {
    /// The plan of a new network in `subnet`.
    pub(crate) fn new(spec: &NetworkSpec, subnet: Ipv4Net) -> Result<Self, NetworkError> {
        let unusable = || NetworkError::UnusableSubnet {
            network: spec.name.clone(),
            subnet,
        };
        let reserved: BTreeSet<Ipv4Addr> = spec.reserved.iter().copied().collect();
        let gateway = match spec.gateway {
            None => subnet.hosts().next().ok_or_else(unusable)?,
            Some(gateway) => gateway,
        };
        // From the top, where nobody's fixed addresses are.
        let host_gateway = subnet
            .hosts()
            .rev()
            .find(|address| *address != gateway && !reserved.contains(address))
            .ok_or_else(unusable)?;
        let plan = Self {
            network: spec.name.clone(),
            subnet,
            gateway,
            host_gateway,
            reserved,
            in_use: BTreeMap::new(),
            remembered: BTreeMap::new(),
        };
        plan.check_inside(gateway)?;
        Ok(plan)
    }

    pub(crate) fn subnet(&self) -> Ipv4Net {
        self.subnet
    }

    pub(crate) fn gateway(&self) -> Ipv4Addr {
        self.gateway
    }

    pub(crate) fn host_gateway(&self) -> Ipv4Addr {
        self.host_gateway
    }

    /// Gives a container its address: the fixed one, the one it had, or the lowest free one.
    pub(crate) fn assign(
        &mut self,
        container: &str,
        fixed: Option<Ipv4Addr>,
    ) -> Result<Ipv4Addr, NetworkError> {
        let address = match fixed {
            Some(address) => {
                self.check_inside(address)?;
                match self.holder(address) {
                    None => address,
                    Some(holder) => {
                        return Err(NetworkError::AddressTaken {
                            address,
                            network: self.network.clone(),
                            holder,
                        });
                    }
                }
            }
            None => self
                .remembered
                .get(container)
                .copied()
                .filter(|address| self.is_free(*address))
                .or_else(|| self.lowest_free(|plan, address| !plan.is_remembered(address)))
                .or_else(|| self.lowest_free(|_, _| true))
                .ok_or_else(|| NetworkError::SubnetFull {
                    network: self.network.clone(),
                    subnet: self.subnet,
                })?,
        };
        self.remembered.retain(|_, other| *other != address);
        self.remembered.insert(container.to_owned(), address);
        self.in_use.insert(address, container.to_owned());
        Ok(address)
    }

    /// Frees a container's address, remembering whose it was.
    pub(crate) fn release(&mut self, container: &str) {
        self.in_use.retain(|_, holder| holder != container);
    }

    fn check_inside(&self, address: Ipv4Addr) -> Result<(), NetworkError> {
        if !self.subnet.contains(&address) {
            return Err(NetworkError::AddressOutside {
                address,
                network: self.network.clone(),
                subnet: self.subnet,
            });
        }
        if address == self.subnet.network() || address == self.subnet.broadcast() {
            return Err(NetworkError::AddressTaken {
                address,
                network: self.network.clone(),
                holder: AddressHolder::Subnet,
            });
        }
        Ok(())
    }

    fn holder(&self, address: Ipv4Addr) -> Option<AddressHolder> {
        if address == self.gateway {
            Some(AddressHolder::Bridge)
        } else if address == self.host_gateway {
            Some(AddressHolder::HostGateway)
        } else {
            self.in_use
                .get(&address)
                .map(|container| AddressHolder::Container(container.clone()))
        }
    }

    fn is_free(&self, address: Ipv4Addr) -> bool {
        self.holder(address).is_none() && !self.reserved.contains(&address)
    }

    fn is_remembered(&self, address: Ipv4Addr) -> bool {
        self.remembered.values().any(|other| *other == address)
    }

    fn lowest_free(&self, condition: impl Fn(&Self, Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
        self.subnet
            .hosts()
            .find(|address| self.is_free(*address) && condition(self, *address))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::protocol::Egress;
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    fn address(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    fn spec(name: &str) -> NetworkSpec {
        NetworkSpec::new(name, Egress::Open)
    }

    fn plan(subnet: &str) -> AddressPlan {
        AddressPlan::new(&spec("front"), net(subnet)).unwrap()
    }

    #[test]
    fn subnets_avoid_what_the_host_routes_and_other_networks() {
        let routed = [net("0.0.0.0/0"), net("0.0.0.0/1"), net("10.89.0.0/24")];
        let first = choose_subnet(&spec("a"), &[], &routed).unwrap();
        assert_eq!(first, net("10.89.1.0/24"));
        let second = choose_subnet(&spec("b"), &[("a".into(), first)], &routed).unwrap();
        assert_eq!(second, net("10.89.2.0/24"));
        let behind_vpn = choose_subnet(&spec("a"), &[], &[net("10.0.0.0/8")]).unwrap();
        assert_eq!(behind_vpn, net("172.29.0.0/24"));
    }

    #[test]
    fn subnets_asked_for_are_taken_or_refused() {
        let mut asked = spec("a");
        asked.subnet = Some(net("172.20.5.7/24"));
        assert_eq!(
            choose_subnet(&asked, &[], &[]).unwrap(),
            net("172.20.5.0/24")
        );
        let error = choose_subnet(&asked, &[("b".into(), net("172.20.0.0/16"))], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "subnet 172.20.5.0/24 of network `a` overlaps network `b`"
        );
        for bad in ["127.0.0.0/24", "169.254.0.0/24", "10.1.1.0/30", "0.0.0.0/0"] {
            asked.subnet = Some(net(bad));
            assert!(choose_subnet(&asked, &[], &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_follow_the_order_of_attachment_and_come_back() {
        let mut plan = plan("10.89.0.0/24");
        assert_eq!(plan.gateway(), address("10.89.0.1"));
        assert_eq!(plan.host_gateway(), address("10.89.0.254"));
        assert_eq!(plan.assign("web", None).unwrap(), address("10.89.0.2"));
        assert_eq!(plan.assign("db", None).unwrap(), address("10.89.0.3"));
        plan.release("web");
        assert_eq!(plan.assign("cache", None).unwrap(), address("10.89.0.4"));
        assert_eq!(plan.assign("web", None).unwrap(), address("10.89.0.2"));
    }

    #[test]
    fn fixed_addresses_are_honoured_and_conflicts_named() {
        let mut asked = spec("front");
        asked.reserved = vec![address("10.89.0.2")];
        let mut plan = AddressPlan::new(&asked, net("10.89.0.0/24")).unwrap();
        assert_eq!(plan.assign("web", None).unwrap(), address("10.89.0.3"));
        assert_eq!(
            plan.assign("db", Some(address("10.89.0.2"))).unwrap(),
            address("10.89.0.2")
        );
        let messages: Vec<String> = ["10.89.0.3", "10.89.0.1", "10.89.0.255", "10.89.1.5"]
            .iter()
            .map(|text| {
                plan.assign("new", Some(address(text)))
                    .unwrap_err()
                    .to_string()
            })
            .collect();
        assert_eq!(
            messages,
            [
                "address 10.89.0.3 of network `front` belongs to container `web`",
                "address 10.89.0.1 of network `front` belongs to the network's bridge",
                "address 10.89.0.255 of network `front` belongs to the subnet itself",
                "address 10.89.1.5 is not in subnet 10.89.0.0/24 of network `front`",
            ]
        );
    }

    #[test]
    fn a_full_subnet_reuses_what_is_only_remembered() {
        let mut plan = plan("10.89.0.0/29");
        for index in 0..4 {
            plan.assign(&format!("c{index}"), None).unwrap();
        }
        assert!(matches!(
            plan.assign("late", None),
            Err(NetworkError::SubnetFull { .. })
        ));
        plan.release("c1");
        assert_eq!(plan.assign("late", None).unwrap(), address("10.89.0.3"));
    }

    proptest! {
        #[test]
        fn no_two_containers_share_an_address(steps in proptest::collection::vec((0_u8..12, any::<bool>()), 1..80)) {
            let mut plan = plan("10.89.0.0/28");
            let mut held: BTreeMap<u8, Ipv4Addr> = BTreeMap::new();
            for (container, attach) in steps {
                if attach && !held.contains_key(&container) {
                    let given = plan.assign(&format!("c{container}"), None).unwrap();
                    prop_assert!(plan.subnet().contains(&given));
                    prop_assert!(given != plan.gateway() && given != plan.host_gateway());
                    prop_assert!(held.values().all(|other| *other != given));
                    held.insert(container, given);
                } else if !attach && held.remove(&container).is_some() {
                    plan.release(&format!("c{container}"));
                }
            }
        }
    }
}
