//! Who reaches whom.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

use plimsoll_run::network::{Egress, NetworkError, NetworkSpec};

use crate::Case;
use crate::client::{greeting, resolve, serve_greeting};
use crate::world::{Container, Project, attach_request, interfaces, kind};

pub fn cases() -> Vec<Case> {
    vec![
        (
            "two networks: neighbours reach each other, others do not",
            isolation,
        ),
        (
            "a container keeps its place when it is attached again",
            stable,
        ),
        (
            "settings: no forwarding, low ports, no IPv6 but loopback",
            settings,
        ),
        ("fixed addresses and subnets", fixed),
        ("a container without networks has loopback", loopback_only),
        ("networks and containers go when told", removal),
        (
            "two projects with the same names and subnets do not meet",
            projects,
        ),
        ("mistakes are named", mistakes),
    ]
}

/// Serves a text in a container on every address it has.
pub fn serve(container: &Container, port: u16, text: &'static str) {
    container.run(|| {
        serve_greeting(
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap(),
            text,
        );
    });
}

fn at(address: Ipv4Addr) -> SocketAddrV4 {
    SocketAddrV4::new(address, 80)
}

fn isolation() {
    let mut project = Project::new();
    project.network("front", Egress::None);
    project.network("back", Egress::None);
    let web = project.attach("web", &["front"]);
    let api = project.attach("api", &["front", "back"]);
    let db = project.attach("db", &["back"]);
    for (container, text) in [(&web, "web"), (&api, "api"), (&db, "db")] {
        serve(container, 80, text);
    }
    let api_back = api.details.networks[1].address;

    web.run(|| {
        assert_eq!(
            resolve(web.resolver(), "api"),
            format!("NoError {}", api.address())
        );
        assert_eq!(greeting(at(api.address())).unwrap(), "api");
        assert_eq!(resolve(web.resolver(), "db"), "NXDomain");
        assert_eq!(
            kind(greeting(at(db.address()))),
            Err(ErrorKind::NetworkUnreachable)
        );
        assert_eq!(
            kind(greeting(at(api_back))),
            Err(ErrorKind::NetworkUnreachable)
        );
    });
    api.run(|| {
        assert_eq!(
            resolve(api.resolver(), "db"),
            format!("NoError {}", db.address())
        );
        assert_eq!(greeting(at(db.address())).unwrap(), "db");
        assert_eq!(greeting(at(web.address())).unwrap(), "web");
    });
    db.run(|| {
        assert_eq!(resolve(db.resolver(), "api"), format!("NoError {api_back}"));
        assert_eq!(greeting(at(api_back)).unwrap(), "api");
        assert_eq!(
            kind(greeting(at(web.address()))),
            Err(ErrorKind::NetworkUnreachable)
        );
    });
}

fn stable() {
    let mut project = Project::new();
    project.network("front", Egress::None);
    let web = project.attach("web", &["front"]);
    let other = project.attach("other", &["front"]);
    assert_eq!(project.attach("web", &["front"]).details, web.details);
    project.keeper.detach("web").unwrap();
    let third = project.attach("third", &["front"]);
    assert_ne!(third.address(), web.address());
    assert_ne!(third.address(), other.address());
    assert_eq!(project.attach("web", &["front"]).address(), web.address());
}

fn settings() {
    let mut project = Project::new();
    project.network("front", Egress::Open);
    let web = project.attach("web", &["front"]);
    web.run(|| {
        let setting = |name: &str| {
            fs_err::read_to_string(format!("/proc/sys/net/{name}"))
                .unwrap()
                .trim()
                .to_owned()
        };
        assert_eq!(setting("ipv4/ip_forward"), "0");
        assert_eq!(setting("ipv4/ip_unprivileged_port_start"), "0");
        assert_eq!(setting("ipv6/conf/eth0/disable_ipv6"), "1");
        assert_eq!(interfaces(), ["eth0", "lo"]);
        assert!(TcpListener::bind("[::1]:0").is_ok());
    });
}

fn fixed() {
    let mut project = Project::new();
    let mut spec = NetworkSpec::new("front", Egress::None);
    spec.subnet = Some("10.5.0.0/24".parse().unwrap());
    spec.reserved = vec![Ipv4Addr::new(10, 5, 0, 2)];
    let status = project.keeper.create_network(&spec).unwrap();
    assert_eq!(status.subnet.to_string(), "10.5.0.0/24");
    let web = project.attach("web", &["front"]);
    assert_eq!(web.address(), Ipv4Addr::new(10, 5, 0, 3));
    let mut request = attach_request("db", &["front"]);
    request.networks[0].address = Some(web.address());
    let error = project.keeper.attach(&request).unwrap_err();
    assert_eq!(
        error.to_string(),
        "address 10.5.0.3 of network `front` belongs to container `web`"
    );
    request.networks[0].address = Some(Ipv4Addr::new(10, 5, 0, 2));
    let db = Container::new(project.keeper.attach(&request).unwrap());
    assert_eq!(db.address(), Ipv4Addr::new(10, 5, 0, 2));
    serve(&db, 80, "db");
    assert_eq!(web.run(|| greeting(at(db.address()))).unwrap(), "db");
}

fn loopback_only() {
    let mut project = Project::new();
    let lonely = project.attach("lonely", &[]);
    assert_eq!(lonely.details.resolver, None);
    lonely.run(|| {
        assert_eq!(interfaces(), ["lo"]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        serve_greeting(listener, "self");
        assert_eq!(greeting(address).unwrap(), "self");
    });
}

fn removal() {
    let mut project = Project::new();
    project.network("front", Egress::Open);
    let web = project.attach("web", &["front"]);
    let error = project.keeper.remove_network("front").unwrap_err();
    assert_eq!(error.to_string(), "network `front` is in use by web");
    project.keeper.detach("web").unwrap();
    // The test still holds the namespace, as a process in it would.
    assert_eq!(web.run(interfaces), ["lo"]);
    project.keeper.remove_network("front").unwrap();
    let status = project.keeper.status().unwrap();
    assert!(status.networks.is_empty() && status.containers.is_empty());
    project.network("front", Egress::None);
}

fn projects() {
    let (mut one, mut two) = (Project::new(), Project::new());
    assert_eq!(
        one.network("default", Egress::None).subnet,
        two.network("default", Egress::None).subnet
    );
    let web_one = one.attach("web", &["default"]);
    let web_two = two.attach("web", &["default"]);
    let probe_one = one.attach("probe", &["default"]);
    let probe_two = two.attach("probe", &["default"]);
    assert_eq!(web_one.address(), web_two.address());
    serve(&web_one, 80, "one");
    serve(&web_two, 80, "two");
    assert_eq!(
        probe_one.run(|| greeting(at(web_one.address()))).unwrap(),
        "one"
    );
    assert_eq!(
        probe_two.run(|| greeting(at(web_two.address()))).unwrap(),
        "two"
    );
    assert_ne!(one.pid(), two.pid());
}

fn mistakes() {
    let mut project = Project::new();
    project.network("front", Egress::None);
    project.attach("web", &["front"]);
    let keeper = &mut project.keeper;
    let mut messages = vec![
        keeper
            .attach(&attach_request("api", &["back"]))
            .unwrap_err(),
        keeper.attach(&attach_request("web", &[])).unwrap_err(),
        keeper.detach("api").unwrap_err(),
        keeper
            .create_network(&NetworkSpec::new("front", Egress::Open))
            .unwrap_err(),
        keeper
            .set_names("web", "front", &["no spaces".into()])
            .unwrap_err(),
    ]
    .into_iter()
    .map(|error: NetworkError| error.to_string());
    assert_eq!(messages.next().unwrap(), "no network `back`");
    assert_eq!(
        messages.next().unwrap(),
        "container `web` is attached with other settings"
    );
    assert_eq!(messages.next().unwrap(), "container `api` is not attached");
    assert_eq!(
        messages.next().unwrap(),
        "network `front` exists with other settings"
    );
    assert_eq!(
        messages.next().unwrap(),
        "`no spaces` cannot be a name on a network"
    );
}
