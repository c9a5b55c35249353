//! What the keeper does on request: the one place that changes networks, containers and ports.
//!
//! Requests come one at a time. Bytes never pass through here; they have tasks of their own on
//! the runtime, which read the [`Directory`].

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use tokio::runtime::Handle;

use super::address_plan::{AddressPlan, choose_subnet, overlap, specific_routes};
use super::directory::{Directory, ListedContainer, ListedNetwork, Membership};
use super::dns::{self, Upstream};
use super::egress::{self, EgressMethod, HostView};
use super::error::NetworkError;
use super::keeper::KeeperOptions;
use super::names::{checked_name, checked_names, normalised};
use super::netlink::hardware_address;
use super::protocol::{
    AttachRequest, AttachmentDetails, ContainerStatus, Egress, HostGateway, JoinedNetwork,
    KeeperStatus, NetworkSpec, NetworkStatus, NetworkWarning, PublishRequest, Request, Response,
};
use super::publish::Publications;
use super::tasks::Tasks;
use super::topology::{Cable, ContainerRig, NetworkRig};

/// All that a keeper holds.
#[derive(Debug)]
pub(crate) struct Control {
    runtime: Handle,
    directory: Arc<RwLock<Directory>>,
    upstream: Arc<Upstream>,
    host: Arc<HostView>,
    egress_method: EgressMethod,
    networks: Vec<Network>,
    containers: Vec<Container>,
    publications: Publications,
    /// Numbers the ends of cables on bridges.
    cables: u32,
}

#[derive(Debug)]
struct Network {
    spec: NetworkSpec,
    plan: AddressPlan,
    rig: NetworkRig,
    warnings: Vec<NetworkWarning>,
    way_out: Option<egress::WayOut>,
    names: Tasks,
}

#[derive(Debug)]
struct Container {
    request: AttachRequest,
    details: AttachmentDetails,
    rig: ContainerRig,
    /// Network and end on its bridge.
    cables: Vec<(String, String)>,
}

/// An answer, and what goes beside it.
pub(crate) type Answer = (Response, Option<OwnedFd>);

impl Control {
    /// A keeper that holds nothing yet; call it in the host's namespace.
    pub(crate) fn new(runtime: Handle, options: KeeperOptions) -> Result<Self, NetworkError> {
        let host = HostView::open()
            .map_err(|error| NetworkError::system("look at the host's routes", &error))?;
        Ok(Self {
            publications: Publications::new(&runtime),
            runtime,
            directory: Arc::default(),
            upstream: Arc::new(Upstream::new(options.resolver_file)),
            host: Arc::new(host),
            egress_method: options.egress_method,
            networks: Vec::new(),
            containers: Vec::new(),
            cables: 0,
        })
    }

    /// Does what is asked; [`Request::Shutdown`] is the caller's.
    pub(crate) fn handle(&mut self, request: Request) -> Answer {
        let done = |()| (Response::Done, None);
        let result = match request {
            Request::CreateNetwork(spec) => self
                .create_network(spec)
                .map(|status| (Response::Network(status), None)),
            Request::RemoveNetwork { name } => self.remove_network(&name).map(done),
            Request::Attach(request) => self.attach(request),
            Request::Detach { container } => self.detach(&container).map(done),
            Request::SetNames {
                container,
                network,
                names,
            } => self.set_names(&container, &network, names).map(done),
            Request::Publish(request) => self
                .publish(&request)
                .map(|address| (Response::Published { address }, None)),
            Request::Unpublish { address, protocol } => {
                self.publications.unpublish(address, protocol).map(done)
            }
            Request::Status => Ok((Response::Status(self.status()), None)),
            Request::Shutdown => Ok((Response::Done, None)),
        };
        result.unwrap_or_else(|failure| (Response::Failed { failure }, None))
    }

    fn create_network(&mut self, spec: NetworkSpec) -> Result<NetworkStatus, NetworkError> {
        if let Some(network) = self.find_network(&spec.name) {
            return if network.spec == spec {
                Ok(network.status())
            } else {
                Err(NetworkError::NetworkDiffers { name: spec.name })
            };
        }
        checked_name(&spec.name)?;
        let routed = self
            .host
            .routed_subnets()
            .map_err(|error| NetworkError::system("read the host's routes", &error))?;
        let existing: Vec<_> = self
            .networks
            .iter()
            .map(|network| (network.spec.name.clone(), network.plan.subnet()))
            .collect();
        let subnet = choose_subnet(&spec, &existing, &routed)?;
        let plan = AddressPlan::new(&spec, subnet)?;
        let rig = NetworkRig::create(
            &spec.name,
            subnet,
            plan.gateway(),
            plan.host_gateway(),
            spec.egress,
        )?;
        let names = dns::start(
            &self.runtime,
            rig.resident(),
            &spec.name,
            (plan.gateway(), subnet),
            &self.directory,
            &self.upstream,
        )
        .map_err(|error| {
            NetworkError::system(format!("serve names on network `{}`", spec.name), &error)
        })?;
        let listed = ListedNetwork {
            name: spec.name.clone(),
            egress: spec.egress,
            subnet,
            host_gateway: plan.host_gateway(),
        };
        let mut warnings: Vec<NetworkWarning> = specific_routes(&routed)
            .filter(|route| overlap(*route, subnet))
            .map(|routed| NetworkWarning::SubnetShadowsRoute {
                network: spec.name.clone(),
                subnet,
                routed,
            })
            .collect();
        let way_out = match spec.egress {
            Egress::None => None,
            Egress::Open => {
                let (way_out, warning) = egress::open(
                    &self.runtime,
                    self.egress_method,
                    rig.resident(),
                    &listed,
                    &self.directory,
                    &self.host,
                );
                warnings.extend(warning);
                way_out
            }
        };
        self.write_directory().add_network(listed);
        let network = Network {
            spec,
            plan,
            rig,
            warnings,
            way_out,
            names,
        };
        let status = network.status();
        self.networks.push(network);
        Ok(status)
    }

    fn remove_network(&mut self, name: &str) -> Result<(), NetworkError> {
        let containers: Vec<String> = self
            .containers
            .iter()
            .filter(|container| container.cables.iter().any(|(network, _)| network == name))
            .map(|container| container.request.container.clone())
            .collect();
        if !containers.is_empty() {
            return Err(NetworkError::NetworkInUse {
                name: name.to_owned(),
                containers,
            });
        }
        let place = self
            .networks
            .iter()
            .position(|network| network.spec.name == name)
            .ok_or_else(|| unknown_network(name))?;
        self.write_directory().remove_network(name);
        self.networks.remove(place).names.stop();
        Ok(())
    }

    fn attach(&mut self, request: AttachRequest) -> Result<Answer, NetworkError> {
        let request = normalised(request)?;
        if let Some(container) = self.find_container(&request.container) {
            return if container.request == request {
                container.answer()
            } else {
                Err(NetworkError::AttachedDifferently {
                    container: request.container,
                })
            };
        }
        for join in &request.networks {
            self.find_network(&join.network)
                .ok_or_else(|| unknown_network(&join.network))?;
        }
        let made = self.plug_in(&request).and_then(|container| {
            if request.host_gateway == HostGateway::Allowed {
                self.allow_host_gateway(&request)?;
            }
            let answer = container.answer()?;
            Ok((container, answer))
        });
        if made.is_err() {
            self.release_addresses(&request.container);
        }
        let (container, answer) = made?;
        self.write_directory().add_container(ListedContainer {
            container: request.container.clone(),
            hostname: request.hostname.to_lowercase(),
            host_gateway: request.host_gateway,
            name_servers: request.name_servers.clone(),
            memberships: std::iter::zip(&request.networks, &container.details.networks)
                .map(|(join, joined)| Membership {
                    network: join.network.clone(),
                    address: joined.address,
                    names: join.names.clone(),
                })
                .collect(),
        });
        self.containers.push(container);
        Ok(answer)
    }

    /// Gives addresses and makes the namespace with its cables.
    fn plug_in(&mut self, request: &AttachRequest) -> Result<Container, NetworkError> {
        let mut joined = Vec::new();
        let mut cables = Vec::new();
        let mut hardware = Vec::new();
        for (index, join) in request.networks.iter().enumerate() {
            self.cables += 1;
            cables.push((join.network.clone(), format!("port{}", self.cables)));
            hardware.push(join.hardware_address);
            let network = self
                .networks
                .iter_mut()
                .find(|network| network.spec.name == join.network)
                .ok_or_else(|| unknown_network(&join.network))?;
            joined.push(JoinedNetwork {
                network: join.network.clone(),
                interface: join
                    .interface
                    .clone()
                    .unwrap_or_else(|| format!("eth{index}")),
                address: network.plan.assign(&request.container, join.address)?,
                subnet: network.plan.subnet(),
            });
        }
        // The name server of any network knows all of the asker's networks; the one with a way
        // out comes first because the default route leads there too.
        let way_out = joined
            .iter()
            .filter_map(|joined| self.find_network(&joined.network))
            .find(|network| network.spec.egress == Egress::Open);
        let first = joined
            .first()
            .and_then(|joined| self.find_network(&joined.network));
        let plugs: Vec<Cable<'_>> = std::iter::zip(&joined, std::iter::zip(&cables, &hardware))
            .filter_map(|(joined, ((network, bridge_end), hardware))| {
                Some(Cable {
                    network: &self.find_network(network)?.rig,
                    bridge_end,
                    interface: &joined.interface,
                    address: joined.address,
                    subnet: joined.subnet,
                    hardware_address: hardware.unwrap_or_else(|| hardware_address(joined.address)),
                })
            })
            .collect();
        let rig = ContainerRig::create(
            &request.container,
            &plugs,
            way_out.map(|network| network.plan.gateway()),
        )?;
        let details = AttachmentDetails {
            namespace: PathBuf::from(format!(
                "/proc/{}/fd/{}",
                std::process::id(),
                rig.namespace().as_raw_fd()
            )),
            resolver: way_out.or(first).map(|network| network.plan.gateway()),
            host_gateway: match request.host_gateway {
                HostGateway::Refused => None,
                HostGateway::Allowed => way_out.map(|network| network.plan.host_gateway()),
            },
            networks: joined,
        };
        Ok(Container {
            request: request.clone(),
            details,
            rig,
            cables,
        })
    }

    fn allow_host_gateway(&self, request: &AttachRequest) -> Result<(), NetworkError> {
        request
            .networks
            .iter()
            .filter_map(|join| self.find_network(&join.network)?.way_out.as_ref())
            .try_for_each(egress::WayOut::allow_host_gateway)
            .map_err(|error| NetworkError::system("open the way to the host", &error))
    }

    fn detach(&mut self, id: &str) -> Result<(), NetworkError> {
        let place = self
            .containers
            .iter()
            .position(|container| container.request.container == id)
            .ok_or_else(|| unknown_container(id))?;
        self.publications.forget(id);
        self.write_directory().remove_container(id);
        let container = self.containers.remove(place);
        self.release_addresses(id);
        // Processes may still be in the namespace, which would keep its cables in.
        container
            .cables
            .iter()
            .filter_map(|(network, end)| Some((self.find_network(network)?, end)))
            .try_for_each(|(network, end)| network.rig.unplug(end))
    }

    fn set_names(
        &mut self,
        id: &str,
        network: &str,
        names: Vec<String>,
    ) -> Result<(), NetworkError> {
        let names = checked_names(names)?;
        let container = self
            .containers
            .iter_mut()
            .find(|container| container.request.container == id)
            .ok_or_else(|| unknown_container(id))?;
        let join = container
            .request
            .networks
            .iter_mut()
            .find(|join| join.network == network)
            .ok_or_else(|| unknown_network(network))?;
        join.names.clone_from(&names);
        self.write_directory().set_names(id, network, names);
        Ok(())
    }

    fn publish(&mut self, request: &PublishRequest) -> Result<SocketAddr, NetworkError> {
        let container = self
            .find_container(&request.container)
            .ok_or_else(|| unknown_container(&request.container))?;
        let no_network = || NetworkError::NoNetwork {
            container: request.container.clone(),
        };
        let joined = container.details.networks.first().ok_or_else(no_network)?;
        let network = self.find_network(&joined.network).ok_or_else(no_network)?;
        let resident = Arc::clone(network.rig.resident());
        let address = joined.address;
        self.publications.publish(request, &resident, address)
    }

    fn status(&self) -> KeeperStatus {
        KeeperStatus {
            pid: std::process::id(),
            networks: self.networks.iter().map(Network::status).collect(),
            containers: self
                .containers
                .iter()
                .map(|container| ContainerStatus {
                    container: container.request.container.clone(),
                    attachment: container.details.clone(),
                })
                .collect(),
            published: self.publications.list(),
        }
    }

    fn find_network(&self, name: &str) -> Option<&Network> {
        self.networks
            .iter()
            .find(|network| network.spec.name == name)
    }

    fn find_container(&self, id: &str) -> Option<&Container> {
        self.containers
            .iter()
            .find(|container| container.request.container == id)
    }

    fn release_addresses(&mut self, container: &str) {
        for network in &mut self.networks {
            network.plan.release(container);
        }
    }

    fn write_directory(&self) -> RwLockWriteGuard<'_, Directory> {
        // Each change is complete in itself, so a panic elsewhere left nothing half done.
        self.directory
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Network {
    fn status(&self) -> NetworkStatus {
        NetworkStatus {
            name: self.spec.name.clone(),
            egress: self.spec.egress,
            subnet: self.plan.subnet(),
            gateway: self.plan.gateway(),
            host_gateway: self.plan.host_gateway(),
            warnings: self.warnings.clone(),
        }
    }
}

impl Container {
    fn answer(&self) -> Result<Answer, NetworkError> {
        let namespace = self
            .rig
            .namespace()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|error| NetworkError::system("pass a namespace on", &error))?;
        Ok((Response::Attached(self.details.clone()), Some(namespace)))
    }
}

fn unknown_network(name: &str) -> NetworkError {
    NetworkError::UnknownNetwork {
        name: name.to_owned(),
    }
}

fn unknown_container(id: &str) -> NetworkError {
    NetworkError::UnknownContainer {
        container: id.to_owned(),
    }
}
