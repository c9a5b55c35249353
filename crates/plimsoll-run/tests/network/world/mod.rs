//! The surroundings of each test: a "host", an "outside", projects with keepers, and what runs in
//! their containers.

pub mod outside;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use plimsoll_model::Protocol;
use plimsoll_run::network::{
    AttachRequest, Attachment, Egress, EgressMethod, HostGateway, JoinNetwork, Keeper,
    KeeperOptions, NetworkError, NetworkSpec, NetworkStatus, PublishRequest,
};
use rustix::thread::LinkNameSpaceType;
use tempfile::TempDir;

/// Makes this process a host of its own. Why not, where it cannot be.
pub fn enter() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("namespaces need root".into());
    }
    if Command::new("ip").arg("-V").output().is_err() {
        return Err("`ip` (iproute2) sets the surroundings up, and is not installed".into());
    }
    // SAFETY: only the network namespace changes, and no other thread runs yet.
    #[expect(unsafe_code, reason = "a namespace for the tests")]
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }
        .map_err(|error| format!("cannot make a network namespace: {error}"))?;
    ip(&["link", "set", "lo", "up"]);
    outside::start();
    Ok(())
}

/// Runs `ip` in the calling thread's namespace.
pub fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "ip {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A project with a keeper of its own.
pub struct Project {
    pub keeper: Keeper,
    pub directory: TempDir,
}

impl Project {
    pub fn new() -> Self {
        Self::with_method(EgressMethod::Automatic)
    }

    pub fn with_method(egress_method: EgressMethod) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            keeper: start(&directory, egress_method).unwrap(),
            directory,
        }
    }

    pub fn network(&mut self, name: &str, egress: Egress) -> NetworkStatus {
        self.keeper
            .create_network(&NetworkSpec::new(name, egress))
            .unwrap()
    }

    /// Attaches a container that is known by its own name on each network.
    pub fn attach(&mut self, container: &str, networks: &[&str]) -> Container {
        let request = attach_request(container, networks);
        Container::new(self.keeper.attach(&request).unwrap())
    }

    pub fn publish(&mut self, container: &str, port: u16, protocol: Protocol) -> SocketAddr {
        self.keeper
            .publish(&PublishRequest {
                host: IpAddr::V4(Ipv4Addr::LOCALHOST),
                host_port: 0,
                protocol,
                container: container.into(),
                container_port: port,
            })
            .unwrap()
    }

    pub fn pid(&mut self) -> u32 {
        self.keeper.status().unwrap().pid
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if let Ok(keeper) = Keeper::connect(&self.directory.path().join("keeper")) {
            let _ = keeper.shutdown();
        }
    }
}

/// A keeper in a directory, whose resolver is the one outside.
pub fn start_keeper(directory: &TempDir) -> Keeper {
    try_start_keeper(directory).unwrap()
}

pub fn try_start_keeper(directory: &TempDir) -> Result<Keeper, NetworkError> {
    start(directory, EgressMethod::Automatic)
}

fn start(directory: &TempDir, egress_method: EgressMethod) -> Result<Keeper, NetworkError> {
    let resolver_file = directory.path().join("resolv.conf");
    fs_err::write(&resolver_file, format!("nameserver {}\n", outside::ADDRESS)).unwrap();
    let executable = std::env::current_exe().unwrap();
    let options = KeeperOptions {
        resolver_file,
        egress_method,
    };
    Keeper::start(&directory.path().join("keeper"), &executable, &options)
}

pub fn attach_request(container: &str, networks: &[&str]) -> AttachRequest {
    AttachRequest {
        container: container.into(),
        hostname: container.into(),
        networks: networks
            .iter()
            .map(|network| JoinNetwork {
                network: (*network).into(),
                names: vec![container.into()],
                address: None,
                hardware_address: None,
                interface: None,
            })
            .collect(),
        host_gateway: HostGateway::Refused,
        name_servers: Vec::new(),
    }
}

/// A container, as far as networks go: a namespace that code can run in.
#[derive(Clone)]
pub struct Container {
    namespace: Arc<OwnedFd>,
    pub details: plimsoll_run::network::AttachmentDetails,
}

impl Container {
    pub fn new(attachment: Attachment) -> Self {
        Self {
            namespace: Arc::new(attachment.namespace),
            details: attachment.details,
        }
    }

    pub fn address(&self) -> Ipv4Addr {
        self.details.primary_address().unwrap()
    }

    pub fn resolver(&self) -> Ipv4Addr {
        self.details.resolver.unwrap()
    }

    /// Runs something in the container, on a thread that ends with it.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            scope
                .spawn(|| {
                    rustix::thread::move_into_link_name_space(
                        self.namespace.as_fd(),
                        Some(LinkNameSpaceType::Network),
                    )
                    .unwrap();
                    work()
                })
                .join()
                .unwrap()
        })
    }
}

/// Waits for something that happens on its own, and soon.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "it never came that {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The names of the interfaces in the calling thread's namespace.
pub fn interfaces() -> Vec<String> {
    let table = fs_err::read_to_string("/proc/thread-self/net/dev").unwrap();
    let mut names: Vec<String> = table
        .lines()
        .skip(2)
        .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()))
        .collect();
    names.sort();
    names
}

/// What came of a connection.
pub fn kind<T>(result: io::Result<T>) -> Result<T, io::ErrorKind> {
    result.map_err(|error| error.kind())
}
