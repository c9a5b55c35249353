//! Keepers that die, and what they leave.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::AsRawFd as _;
use std::path::Path;

use plimsoll_model::Protocol;
use plimsoll_run::network::{Egress, Keeper, NetworkError};
use rustix::process::{Pid, Signal, kill_process};

use crate::Case;
use crate::client::{connect, greeting, resolve, serve_echo, serve_greeting};
use crate::topology::serve;
use crate::world::outside::{ADDRESS, GREETING};
use crate::world::{Project, eventually, interfaces, start_keeper, try_start_keeper};

pub fn cases() -> Vec<Case> {
    vec![
        (
            "faults: a killed keeper leaves no namespace and no interface",
            killed,
        ),
        ("faults: another keeper takes over after a kill", restart),
        ("faults: a directory has one keeper", one_keeper),
        ("faults: nobody there is said, stale socket or none", nobody),
        (
            "faults: a container's namespace outlives its keeper",
            survivor,
        ),
        (
            "faults: nonsense on the socket ends that connection only",
            nonsense,
        ),
        ("faults: the host's namespace is untouched", untouched),
        ("faults: a directory with a long name", long_directory),
        (
            "faults: clients that go away in the middle harm nobody",
            rude_clients,
        ),
        (
            "faults: resolvers that are gone are a failure, soon",
            no_resolver,
        ),
    ]
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

/// The network namespaces that a process has open or lives in, by inode.
fn namespaces_of(pid: &str) -> BTreeSet<String> {
    let links = |directory: String| {
        fs_err::read_dir(directory)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| fs_err::read_link(entry.path()).ok())
            .filter_map(|target| target.to_str().map(str::to_owned))
            .filter(|target| target.starts_with("net:["))
            .collect::<Vec<_>>()
    };
    let mut found: BTreeSet<String> = links(format!("/proc/{pid}/fd")).into_iter().collect();
    for task in fs_err::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten()
    {
        found.extend(links(format!("{}/ns", task.path().display())));
    }
    found
}

fn namespaces_of_everyone() -> BTreeSet<String> {
    fs_err::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str().map(str::to_owned))
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .flat_map(|pid| namespaces_of(&pid))
        .collect()
}

fn killed() {
    let mut project = Project::new();
    project.network("front", Egress::Open);
    project.network("back", Egress::None);
    let api = project.attach("api", &["front", "back"]);
    project.attach("web", &["front"]);
    let address = project.publish("api", 80, Protocol::Tcp);
    let pid = project.pid();
    let host = fs_err::read_link("/proc/thread-self/ns/net").unwrap();
    let mut held = namespaces_of(&pid.to_string());
    held.remove(host.to_str().unwrap());
    assert_eq!(held.len(), 4, "two networks and two containers: {held:?}");
    assert_eq!(api.run(interfaces), ["eth0", "eth1", "lo"]);

    kill(pid);
    // Their other ends were on the keeper's bridges.
    eventually("the cables go", || api.run(interfaces) == ["lo"]);
    drop(api);
    eventually("the namespaces go", || {
        namespaces_of_everyone().is_disjoint(&held)
    });
    assert!(greeting(address).is_err());
    assert!(matches!(
        Keeper::connect(&project.directory.path().join("keeper")),
        Err(NetworkError::NotRunning { .. })
    ));
}

fn restart() {
    let mut project = Project::new();
    project.network("front", Egress::Open);
    let before = project.attach("web", &["front"]);
    let address = project.publish("web", 80, Protocol::Tcp);
    kill(project.pid());
    eventually("a keeper starts", || {
        match try_start_keeper(&project.directory) {
            Ok(keeper) => {
                project.keeper = keeper;
                true
            }
            // The lock goes with the process, which takes a moment.
            Err(NetworkError::AlreadyRunning { .. }) => false,
            Err(other) => panic!("{other}"),
        }
    });
    assert!(project.keeper.status().unwrap().networks.is_empty());
    project.network("front", Egress::Open);
    let web = project.attach("web", &["front"]);
    assert_eq!(web.address(), before.address());
    serve(&web, 80, "back");
    let again = project
        .keeper
        .publish(&plimsoll_run::network::PublishRequest {
            host: address.ip(),
            host_port: address.port(),
            protocol: Protocol::Tcp,
            container: "web".into(),
            container_port: 80,
        })
        .unwrap();
    assert_eq!(greeting(again).unwrap(), "back");
    assert_eq!(
        web.run(|| greeting(SocketAddrV4::new(ADDRESS, 80)))
            .unwrap(),
        GREETING
    );
}

fn one_keeper() {
    let mut project = Project::new();
    let pid = project.pid();
    assert!(matches!(
        try_start_keeper(&project.directory),
        Err(NetworkError::AlreadyRunning { .. })
    ));
    assert_eq!(project.pid(), pid);
}

fn nobody() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(
        Keeper::connect(directory.path()),
        Err(NetworkError::NotRunning { .. })
    ));
    let executable = Path::new("/bin/false");
    let error = Keeper::start(directory.path(), executable, &Default::default()).unwrap_err();
    assert!(matches!(error, NetworkError::StartFailed { .. }), "{error}");
    let keeper = start_keeper(&directory);
    let place = directory.path().join("keeper");
    keeper.shutdown().unwrap();
    assert!(!place.join("keeper.sock").exists());
    assert!(matches!(
        Keeper::connect(&place),
        Err(NetworkError::NotRunning { .. })
    ));
}

fn survivor() {
    let mut project = Project::new();
    project.network("front", Egress::None);
    let web = project.attach("web", &["front"]);
    let listener = web.run(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 80)).unwrap());
    assert!(listener.as_raw_fd() >= 0);
    kill(project.pid());
    serve_greeting(listener, "alive");
    assert_eq!(
        web.run(|| greeting(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 80)))
            .unwrap(),
        "alive"
    );
}

fn nonsense() {
    use std::io::{Read as _, Write as _};
    let mut project = Project::new();
    let socket = project.directory.path().join("keeper/keeper.sock");
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    stream.write_all(b"{\"request\":\"fly\"}\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\"failed\""), "{answer}");
    assert!(project.keeper.status().is_ok());
}

fn untouched() {
    let look = || {
        let read =
            |name: &str| fs_err::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap();
        let forward = fs_err::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap();
        (interfaces(), read("route"), read("fib_trie"), forward)
    };
    let before = look();
    let mut project = Project::new();
    project.network("front", Egress::Open);
    let web = project.attach("web", &["front"]);
    project.publish("web", 80, Protocol::Tcp);
    assert_eq!(
        web.run(|| greeting(SocketAddrV4::new(ADDRESS, 80)))
            .unwrap(),
        GREETING
    );
    assert_eq!(look(), before);
}

fn long_directory() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("long".repeat(40));
    let executable = std::env::current_exe().unwrap();
    let mut keeper = Keeper::start(&place, &executable, &Default::default()).unwrap();
    assert!(keeper.status().is_ok());
    keeper.shutdown().unwrap();
}

fn rude_clients() {
    use std::io::{Read as _, Write as _};
    let mut project = Project::new();
    project.network("front", Egress::Open);
    let web = project.attach("web", &["front"]);
    web.run(|| serve_echo(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).unwrap()));
    let address = project.publish("web", 80, Protocol::Tcp);
    for _ in 0..20 {
        let mut stream = connect(address).unwrap();
        stream.write_all(&[1; 100_000]).unwrap();
        let mut some = [0; 10];
        stream.read_exact(&mut some).unwrap();
        // Closing with data unread resets the connection; the container goes on writing.
        drop(stream);
    }
    let mut last = connect(address).unwrap();
    last.write_all(b"polite").unwrap();
    let mut back = [0; 6];
    last.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"polite");
    assert!(project.keeper.status().is_ok());
}

fn no_resolver() {
    let mut project = Project::new();
    project.network("front", Egress::Open);
    let web = project.attach("web", &["front"]);
    let file = project.directory.path().join("resolv.conf");
    // The host's own loopback, where nobody answers.
    fs_err::write(&file, "nameserver 127.0.0.1\n").unwrap();
    assert_eq!(
        web.run(|| resolve(web.resolver(), "example.org")),
        "ServFail"
    );
    fs_err::remove_file(&file).unwrap();
    assert_eq!(
        web.run(|| resolve(web.resolver(), "example.org")),
        "ServFail"
    );
    assert_eq!(
        web.run(|| resolve(web.resolver(), "web")),
        format!("NoError {}", web.address())
    );
}
