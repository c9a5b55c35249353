//! Services of a project as a stack, live: what one service has to do with another.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use plimsoll_diag::{Silent, Spanned};
use plimsoll_model::{
    Command, Dependency, DependencyCondition, Hook, IpcMode, Link, Mount, MountKind, Network,
    NetworkAttachment, PidMode, PreStart, PreStartRuns, Project, Propagation, Recursion, Service,
    Volume, VolumeBacking, VolumesFrom,
};
use plimsoll_run::stack::{
    DownRequest, ImageDefaults, ImageOrigin, ServiceImage, StackPaths, UpError, UpReport,
    UpRequest, VolumesFate, down, start_order, up,
};
use plimsoll_run::{Condition, ContainerHandle, ExecSpec, Synchroniser};

use crate::fixture::{ENGINE, Tests, image};

pub const TESTS: Tests = &[
    ("stack::hooks", hooks),
    ("stack::services_share", services_share),
    ("stack::pre_start", pre_start),
    ("stack::a_dependency_takes_along", depends_on_restart),
    ("stack::own_name_servers", own_name_servers),
    ("stack::own_hardware", own_hardware),
    ("stack::a_directory_that_is_made", made_directory),
    ("stack::image_as_mount", image_as_mount),
    ("stack::volumes_elsewhere", volumes_elsewhere),
    ("stack::files_come_while_it_runs", synchronised),
];

pub struct Stack {
    place: tempfile::TempDir,
    project: Project,
    paths: StackPaths,
    synchronised: BTreeSet<String>,
}

impl Stack {
    pub fn new(services: Vec<Service>) -> Self {
        let place = tempfile::tempdir().unwrap();
        let mut project = Project {
            name: "shared".to_owned(),
            directory: place.path().to_owned(),
            ..Project::default()
        };
        project
            .networks
            .insert("default".to_owned(), Network::default());
        for service in services {
            project.services.insert(service.name.clone(), service);
        }
        let paths = StackPaths::new(
            &place.path().join("data"),
            &place.path().join("run"),
            "shared",
        );
        Self {
            place,
            project,
            paths,
            synchronised: BTreeSet::new(),
        }
    }

    pub fn up(&self) -> Result<UpReport, UpError> {
        let image = ServiceImage {
            digest: "sha256:0".to_owned(),
            size: 1,
            origin: ImageOrigin::Pulled,
            layers: vec![image()],
            defaults: ImageDefaults::default(),
        };
        let images: BTreeMap<String, ServiceImage> = self
            .project
            .services
            .keys()
            .map(|name| (name.clone(), image.clone()))
            .collect();
        let order = start_order(&self.project, &[]).unwrap();
        let request = UpRequest {
            project: &self.project,
            order: &order,
            images: &images,
            synchronised: &self.synchronised,
            named_images: &BTreeMap::from([("other".to_owned(), image.clone())]),
            paths: &self.paths,
            environment: &BTreeMap::new(),
            bind: Ipv4Addr::LOCALHOST.into(),
            patience: Duration::from_secs(60),
            cancelled: &AtomicBool::new(false),
            progress: &Silent,
        };
        up(&ENGINE, &request)
    }

    fn down(&self) {
        let request = DownRequest {
            paths: &self.paths,
            project: Some(&self.project),
            grace: Some(Duration::from_millis(100)),
            volumes: VolumesFate::Removed,
            progress: &Silent,
        };
        down(&ENGINE, &request).unwrap();
    }

    fn says(&self, service: &str, line: &str) -> String {
        let command = ["sh", "-c", line].map(str::to_owned).to_vec();
        let dir = self.paths.container(&format!("shared-{service}-1"));
        let (_, stdout, stderr) = ENGINE.exec_captured(&dir, &ExecSpec::new(command)).unwrap();
        String::from_utf8([stdout, stderr].concat()).unwrap()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // Also where a test failed in between.
        let request = DownRequest {
            paths: &self.paths,
            project: None,
            grace: Some(Duration::ZERO),
            volumes: VolumesFate::Removed,
            progress: &Silent,
        };
        let _ = down(&ENGINE, &request);
    }
}

pub fn service(name: &str) -> Service {
    let words = ["sleep", "1000"].map(str::to_owned).to_vec();
    let mut service = Service {
        name: name.to_owned(),
        command: Some(Spanned::unplaced(Command(words))),
        scale: Spanned::unplaced(1),
        ..Service::default()
    };
    service
        .networks
        .insert("default".to_owned(), NetworkAttachment::default());
    service
}

fn hook(line: &str) -> Spanned<Hook> {
    Spanned::unplaced(Hook {
        command: ["sh", "-c", line].map(str::to_owned).to_vec(),
        environment: BTreeMap::from([("WORD".to_owned(), Some("hello".to_owned()))]),
        ..Hook::default()
    })
}

fn hooks() {
    let mut web = service("web");
    web.post_start = vec![hook("echo $WORD > /shared/started")];
    web.pre_stop = vec![hook("echo bye > /shared/stopped")];
    let mut stack = Stack::new(Vec::new());
    let shared = stack.place.path().join("shared");
    web.volumes = vec![Spanned::unplaced(Mount {
        kind: MountKind::Bind {
            source: shared.clone(),
            create: true,
            propagation: Propagation::Private,
            recursion: Recursion::Enabled,
        },
        target: "/shared".into(),
        read_only: false,
    })];
    stack.project.services.insert("web".to_owned(), web);
    stack.up().unwrap();
    let read = |name: &str| fs_err::read_to_string(shared.join(name)).ok();
    assert_eq!(read("started").as_deref(), Some("hello\n"));
    assert_eq!(read("stopped"), None);
    stack.down();
    assert_eq!(read("stopped").as_deref(), Some("bye\n"));

    if let Some(web) = stack.project.services.get_mut("web") {
        web.post_start = vec![hook("echo no luck; exit 5")];
    }
    let Err(UpError::Services(failures)) = stack.up() else {
        panic!("a hook that fails is a failure");
    };
    assert_eq!(
        failures[0].diagnostic.message,
        "`web`: `post_start` exited with code 5"
    );
    assert_eq!(failures[0].last_lines, ["no luck"]);
}

fn services_share() {
    let mut db = service("db");
    db.volumes = vec![Spanned::unplaced(Mount {
        kind: MountKind::Volume {
            name: None,
            nocopy: false,
            subpath: None,
        },
        target: "/kept".into(),
        read_only: false,
    })];
    let mut web = service("web");
    web.volumes_from = vec![Spanned::unplaced(VolumesFrom {
        service: "db".to_owned(),
        read_only: true,
    })];
    web.links = vec![Spanned::unplaced(Link {
        service: "db".to_owned(),
        alias: "store".to_owned(),
    })];
    web.pid = Some(Spanned::unplaced(PidMode::Service("db".to_owned())));
    web.dns_search = vec!["example.com".to_owned()];
    let how = Dependency {
        condition: DependencyCondition::ServiceStarted,
        required: true,
        restart: false,
    };
    web.depends_on
        .insert("db".to_owned(), Spanned::unplaced(how));
    let stack = Stack::new(vec![db, web]);
    stack.up().unwrap();
    assert_eq!(stack.says("db", "echo data > /kept/file"), "");
    assert_eq!(stack.says("web", "cat /kept/file"), "data\n");
    let refused = stack.says("web", "echo more > /kept/file");
    assert!(refused.contains("Read-only file system"), "{refused}");
    assert_eq!(stack.says("web", "cat /proc/1/comm"), "sleep\n");
    let resolver = stack.says("web", "cat /etc/resolv.conf");
    assert!(resolver.contains("search example.com\n"), "{resolver}");
    let address = stack.says("web", "tool tool resolve store");
    assert!(address.starts_with("10."), "{address}");
    assert_eq!(address, stack.says("web", "tool tool resolve db"));
    stack.down();
}

fn bind(source: &std::path::Path, target: &str) -> Spanned<Mount> {
    Spanned::unplaced(Mount {
        kind: MountKind::Bind {
            source: source.to_owned(),
            create: true,
            propagation: Propagation::Private,
            recursion: Recursion::Enabled,
        },
        target: target.into(),
        read_only: false,
    })
}

fn before(line: &str, runs: PreStartRuns) -> Spanned<PreStart> {
    Spanned::unplaced(PreStart {
        hook: hook(line).value,
        runs,
        ..PreStart::default()
    })
}

fn pre_start() {
    let mut stack = Stack::new(Vec::new());
    let shared = stack.place.path().join("shared");
    let mut web = service("web");
    web.volumes = vec![bind(&shared, "/shared")];
    web.scale = Spanned::unplaced(2);
    web.command = Some(Spanned::unplaced(Command(
        ["sh", "-c", "echo main >> /shared/log; exec sleep 1000"]
            .map(str::to_owned)
            .to_vec(),
    )));
    let mut other = before(
        "echo other $WORD $(id -u) >> /shared/log",
        PreStartRuns::Once,
    );
    other.value.image = Some(Spanned::unplaced("other".to_owned()));
    other.value.hook.user = Some("0".to_owned());
    web.pre_start = vec![
        before("echo once >> /shared/log", PreStartRuns::Once),
        before("echo each >> /shared/log", PreStartRuns::PerReplica),
        other,
    ];
    stack.project.services.insert("web".to_owned(), web);
    stack.up().unwrap();
    let log = || fs_err::read_to_string(shared.join("log")).unwrap();
    let said = |word: &str| log().lines().filter(|line| *line == word).count();
    assert_eq!(
        log().lines().take(3).collect::<Vec<_>>(),
        ["once", "each", "other hello 0"]
    );
    stack.says("web", "true");
    assert_eq!(
        (said("once"), said("each"), said("other hello 0")),
        (1, 2, 1)
    );

    // A second time nothing starts, so nothing runs before it; of a third container only what is
    // meant for each.
    stack.up().unwrap();
    assert_eq!((said("once"), said("each")), (1, 2));
    if let Some(web) = stack.project.services.get_mut("web") {
        web.scale = Spanned::unplaced(3);
    }
    stack.up().unwrap();
    assert_eq!((said("once"), said("each")), (1, 3));
    stack.down();

    if let Some(web) = stack.project.services.get_mut("web") {
        web.pre_start = vec![
            before("echo no luck; exit 17", PreStartRuns::Once),
            before("echo after >> /shared/log", PreStartRuns::Once),
        ];
    }
    let main = said("main");
    let Err(UpError::Services(failures)) = stack.up() else {
        panic!("a hook that fails keeps the service from starting");
    };
    assert_eq!(
        failures[0].diagnostic.message,
        "`web`: `pre_start` exited with code 17"
    );
    assert_eq!(failures[0].last_lines, ["no luck"]);
    assert_eq!((said("after"), said("main")), (0, main));
    stack.down();
}

fn depends_on_restart() {
    let mut web = service("web");
    let how = Dependency {
        condition: DependencyCondition::ServiceStarted,
        required: true,
        restart: true,
    };
    web.depends_on
        .insert("db".to_owned(), Spanned::unplaced(how));
    let mut stack = Stack::new(vec![service("db"), web]);
    stack.up().unwrap();
    let outcomes = |report: UpReport| -> Vec<String> {
        let services = report.services.into_iter();
        services
            .map(|service| format!("{} {:?}", service.service, service.outcome))
            .collect()
    };
    assert_eq!(
        outcomes(stack.up().unwrap()),
        ["db Unchanged", "web Unchanged"]
    );
    if let Some(db) = stack.project.services.get_mut("db") {
        db.labels.insert("changed".to_owned(), "yes".to_owned());
    }
    assert_eq!(outcomes(stack.up().unwrap()), ["db Started", "web Started"]);
    stack.down();
}

fn own_name_servers() {
    let mut web = service("web");
    web.dns = vec!["192.0.2.53".parse().unwrap()];
    let stack = Stack::new(vec![service("db"), web]);
    stack.up().unwrap();
    let address = stack.says("web", "tool tool resolve db");
    assert!(address.starts_with("10."), "{address}");
    stack.down();
}

fn made_directory() {
    let mut stack = Stack::new(Vec::new());
    let mut db = service("db");
    db.user = Some(Spanned::unplaced("4321:4322".to_owned()));
    db.volumes = vec![Spanned::unplaced(Mount {
        kind: MountKind::Bind {
            source: stack.place.path().join("data/db"),
            create: true,
            propagation: Propagation::Private,
            recursion: Recursion::Enabled,
        },
        target: "/kept".into(),
        read_only: false,
    })];
    stack.project.services.insert("db".to_owned(), db);
    stack.up().unwrap();
    assert_eq!(
        stack.says("db", "echo kept > /kept/file && cat /kept/file"),
        "kept\n"
    );
    stack.down();
}

fn own_hardware() {
    let mut web = service("web");
    web.mac_address = Some(Spanned::unplaced([2, 0x42, 0xac, 0x11, 0x65, 0x43]));
    if let Some(place) = web.networks.get_mut("default") {
        place.interface_name = Some("front0".to_owned());
    }
    let mut db = service("db");
    db.ipc = Some(Spanned::unplaced(IpcMode::Service("web".to_owned())));
    let how = Dependency {
        condition: DependencyCondition::ServiceStarted,
        required: true,
        restart: false,
    };
    db.depends_on
        .insert("web".to_owned(), Spanned::unplaced(how));
    let stack = Stack::new(vec![db, web]);
    stack.up().unwrap();
    assert_eq!(
        stack.says("web", "cat /sys/class/net/front0/address"),
        "02:42:ac:11:65:43\n"
    );
    let address = stack.says("db", "tool tool resolve web");
    assert!(address.starts_with("10."), "{address}");
    let namespace = "ls -l /proc/self/ns/ipc | grep -o ipc:.*";
    assert_eq!(stack.says("web", namespace), stack.says("db", namespace));
    stack.down();
}

fn image_as_mount() {
    let image = |target: &str, subpath: Option<&str>| {
        Spanned::unplaced(Mount {
            kind: MountKind::Image {
                reference: "other".to_owned(),
                subpath: subpath.map(Into::into),
            },
            target: target.into(),
            read_only: false,
        })
    };
    let mut web = service("web");
    web.volumes = vec![image("/whole", None), image("/part", Some("seeded"))];
    web.user = Some(Spanned::unplaced("0".to_owned()));
    let mut stack = Stack::new(vec![web]);
    stack.up().unwrap();
    assert_eq!(
        stack.says("web", "ls -d /whole/etc/passwd"),
        "/whole/etc/passwd\n"
    );
    assert_eq!(stack.says("web", "cat /part/file"), "from the image\n");
    let refused = stack.says("web", "touch /whole/new");
    assert!(refused.contains("Read-only file system"), "{refused}");
    stack.down();

    if let Some(web) = stack.project.services.get_mut("web") {
        web.volumes = vec![image("/part", Some("bin"))];
    }
    // `bin` is a link in that image, and could lead anywhere.
    let Err(UpError::Services(failures)) = stack.up() else {
        panic!("there is no such directory");
    };
    let message = &failures[0].diagnostic.message;
    assert!(
        message.contains("the image has no directory `bin`"),
        "{message}"
    );
    stack.down();
}

fn volumes_elsewhere() {
    let mut web = service("web");
    let volume = |name: &str, target: &str| {
        Spanned::unplaced(Mount {
            kind: MountKind::Volume {
                name: Some(name.to_owned()),
                nocopy: false,
                subpath: None,
            },
            target: target.into(),
            read_only: false,
        })
    };
    web.volumes = vec![
        volume("here", "/here"),
        volume("kept", "/kept"),
        volume("memory", "/memory"),
    ];
    let mut stack = Stack::new(vec![web]);
    let directory = stack.place.path().join("elsewhere");
    fs_err::create_dir(&directory).unwrap();
    fs_err::write(directory.join("file"), "mine\n").unwrap();
    let mut make = |name: &str, backing| {
        let volume = Volume {
            name: name.to_owned(),
            backing,
            ..Volume::default()
        };
        stack.project.volumes.insert(name.to_owned(), volume);
    };
    let bind = |read_only| VolumeBacking::Bind {
        directory: directory.clone(),
        read_only,
    };
    make("here", bind(false));
    make("kept", bind(true));
    make(
        "memory",
        VolumeBacking::Tmpfs {
            size: Some(1 << 20),
            mode: Some(0o750),
            owner: Some((7, 8)),
        },
    );
    stack.up().unwrap();
    assert_eq!(stack.says("web", "cat /here/file"), "mine\n");
    assert_eq!(
        stack.says("web", "echo more >> /here/file && cat /kept/file"),
        "mine\nmore\n"
    );
    let refused = stack.says("web", "echo more >> /kept/file");
    assert!(refused.contains("Read-only"), "{refused}");
    assert_eq!(stack.says("web", "stat -c '%a %u %g' /memory"), "750 7 8\n");
    // The directory is the user's: no `down --volumes` takes it.
    stack.down();
    assert!(directory.join("file").exists());

    fs_err::remove_dir_all(&directory).unwrap();
    let Err(UpError::Services(failures)) = stack.up() else {
        panic!("the directory is gone");
    };
    let message = &failures[0].diagnostic.message;
    assert!(
        message.ends_with("of volume `here` does not exist"),
        "{message}"
    );
    stack.down();
}

fn synchronised() {
    let mut web = service("web");
    web.read_only = Some(Spanned::unplaced(true));
    web.volumes = vec![Spanned::unplaced(Mount {
        kind: MountKind::Tmpfs {
            size: None,
            mode: None,
            owner: None,
        },
        target: "/app/cache".into(),
        read_only: false,
    })];
    let mut stack = Stack::new(vec![web]);
    stack.synchronised.insert("web".to_owned());
    stack.up().unwrap();
    let source = stack.place.path().join("source");
    fs_err::write(&source, "first\n").unwrap();
    let handle = ContainerHandle::new(&stack.paths.container("shared-web-1"));
    let into = Synchroniser::new(&handle).unwrap();

    into.write(&source, "/app/pages/index.html".as_ref())
        .unwrap();
    into.write(&source, "/app/cache/warm".as_ref()).unwrap();
    assert_eq!(
        stack.says("web", "cat /app/pages/index.html /app/cache/warm"),
        "first\nfirst\n"
    );
    let refused = stack.says("web", "echo own > /app/pages/index.html");
    assert!(refused.contains("Read-only file system"), "{refused}");

    fs_err::write(&source, "second\n").unwrap();
    into.write(&source, "/app/pages/index.html".as_ref())
        .unwrap();
    assert_eq!(stack.says("web", "cat /app/pages/index.html"), "second\n");
    into.remove("/app/pages".as_ref()).unwrap();
    into.remove("/app/pages/never".as_ref()).unwrap();
    let gone = stack.says("web", "ls /app/pages");
    assert!(gone.contains("No such file"), "{gone}");

    // A link of the image that leads to elsewhere leads nowhere but to the container's own place.
    into.write(&source, "/etc/passwd/../../../../escaped".as_ref())
        .unwrap_err();
    assert!(!std::path::Path::new("/escaped").exists());

    // What was written stays when the program starts again.
    into.write(&source, "/app/kept".as_ref()).unwrap();
    let before = handle.state().unwrap().pid;
    handle.restart().unwrap();
    let again = handle
        .states(None)
        .unwrap()
        .flatten()
        .find(|state| state.pid.is_some() && state.pid != before);
    assert!(again.is_some());
    assert_eq!(stack.says("web", "cat /app/kept"), "second\n");
    stack.down();
    // The control: without it, nothing can be written.
    stack.synchronised.clear();
    stack.up().unwrap();
    handle
        .wait(Condition::Running, crate::fixture::PATIENCE)
        .unwrap();
    let into = Synchroniser::new(&handle).unwrap();
    into.write(&source, "/app/index.html".as_ref()).unwrap_err();
    stack.down();
}
