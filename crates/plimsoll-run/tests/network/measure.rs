//! Figures, not verdicts: run with `--ignored --nocapture` on an idle machine.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use plimsoll_model::Protocol;
use plimsoll_run::network::Egress;

use crate::Case;
use crate::client::{connect, echo, resolve, serve_echo, serve_sink};
use crate::world::outside::ADDRESS;
use crate::world::{Container, Project};

pub fn cases() -> Vec<Case> {
    vec![
        ("measure: making networks and attaching", attaching),
        ("measure: throughput", throughput),
        ("measure: short connections", connections),
        ("measure: names", names),
    ]
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn timed(mut work: impl FnMut(), rounds: usize) -> Duration {
    median(
        (0..rounds)
            .map(|_| {
                let start = Instant::now();
                work();
                start.elapsed()
            })
            .collect(),
    )
}

fn attaching() {
    let start = Instant::now();
    let mut project = Project::new();
    println!("keeper started in {:?}", start.elapsed());
    let start = Instant::now();
    project.network("front", Egress::Open);
    println!("open network made in {:?}", start.elapsed());
    let start = Instant::now();
    project.network("back", Egress::None);
    println!("internal network made in {:?}", start.elapsed());
    let mut attach = Vec::new();
    let mut detach = Vec::new();
    for index in 0..20 {
        let name = format!("c{index}");
        let start = Instant::now();
        project.attach(&name, &["front"]);
        attach.push(start.elapsed());
    }
    for index in 0..20 {
        let start = Instant::now();
        project.keeper.detach(&format!("c{index}")).unwrap();
        detach.push(start.elapsed());
    }
    println!("attach to one network: median of 20 {:?}", median(attach));
    println!("detach: median of 20 {:?}", median(detach));
}

fn served() -> (Project, Container, Container) {
    let mut project = Project::new();
    project.network("front", Egress::Open);
    let web = project.attach("web", &["front"]);
    let other = project.attach("other", &["front"]);
    web.run(|| serve_sink(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 9)).unwrap()));
    web.run(|| serve_echo(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 7)).unwrap()));
    (project, web, other)
}

/// Seconds that it takes to get 2 GiB to a sink.
fn send(address: impl Into<SocketAddr>) -> f64 {
    const SIZE: usize = 2 * 1024 * 1024 * 1024;
    let block = vec![7; 1024 * 1024];
    let mut stream = connect(address).unwrap();
    let start = Instant::now();
    for _ in 0..SIZE / block.len() {
        stream.write_all(&block).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    let mut total = [0; 8];
    stream.read_exact(&mut total).unwrap();
    assert_eq!(u64::from_be_bytes(total), SIZE as u64);
    start.elapsed().as_secs_f64()
}

/// Processor seconds that a process has used.
fn processor_seconds(pid: u32) -> f64 {
    let text = fs_err::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = text
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks as f64 / 100.0
}

fn throughput() {
    let (mut project, web, other) = served();
    let published = project.publish("web", 9, Protocol::Tcp);
    let direct = SocketAddrV4::new(web.address(), 9);
    let loopback = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let local = loopback.local_addr().unwrap();
    serve_sink(loopback);
    let pid = project.pid();
    for round in 1..=3 {
        let before = processor_seconds(pid);
        let gigabytes = |seconds: f64| 2.147 / seconds;
        println!(
            "round {round}: loopback {:.2} GB/s, container to container {:.2}, host to published port {:.2}, container to outside {:.2}, four to published {:.2}",
            gigabytes(send(local)),
            gigabytes(other.run(|| send(direct))),
            gigabytes(send(published)),
            gigabytes(other.run(|| send(SocketAddrV4::new(ADDRESS, 9)))),
            4.0 * gigabytes({
                let start = Instant::now();
                thread::scope(|scope| {
                    for _ in 0..4 {
                        scope.spawn(|| send(published));
                    }
                });
                start.elapsed().as_secs_f64()
            }),
        );
        let used = (processor_seconds(pid) - before) / (6.0 * 2.147);
        println!("round {round}: the keeper used {used:.2} processor seconds for each GB");
    }
}

fn connections() {
    let (mut project, web, other) = served();
    let published = project.publish("web", 7, Protocol::Tcp);
    let direct = SocketAddrV4::new(web.address(), 7);
    let outside = SocketAddrV4::new(ADDRESS, 7);
    let ask = |address: SocketAddr| assert_eq!(echo(address, b"x").unwrap(), b"x");
    println!(
        "connect, echo, close: container to container {:?}",
        other.run(|| timed(|| ask(direct.into()), 500))
    );
    println!("published port {:?}", timed(|| ask(published), 500));
    println!(
        "container to outside {:?}",
        other.run(|| timed(|| ask(outside.into()), 500))
    );
    println!("host to outside {:?}", timed(|| ask(outside.into()), 500));
}

fn names() {
    let (_project, web, other) = served();
    let server = other.resolver();
    let expected = format!("NoError {}", web.address());
    other.run(|| {
        println!(
            "a neighbour's name {:?}",
            timed(|| assert_eq!(resolve(server, "web"), expected), 500)
        );
        println!(
            "a foreign name {:?}",
            timed(|| drop(resolve(server, "example.org")), 500)
        );
    });
}
