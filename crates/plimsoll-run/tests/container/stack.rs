//! Services of a project as a stack, live: what one service has to do with another.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use plimsoll_diag::{Silent, Spanned};
use plimsoll_model::{
    Command, Dependency, DependencyCondition, Hook, Link, Mount, MountKind, Network,
    NetworkAttachment, PidMode, Project, Service, VolumesFrom,
};
use plimsoll_run::ExecSpec;
use plimsoll_run::stack::{
    DownRequest, ImageDefaults, ImageOrigin, ServiceImage, StackPaths, UpError, UpReport,
    UpRequest, VolumesFate, down, start_order, up,
};

use crate::fixture::{ENGINE, Tests, image};

pub const TESTS: Tests = &[
    ("stack::hooks", hooks),
    ("stack::services_share", services_share),
];

struct Stack {
    place: tempfile::TempDir,
    project: Project,
    paths: StackPaths,
}

impl Stack {
    fn new(services: Vec<Service>) -> Self {
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
        }
    }

    fn up(&self) -> Result<UpReport, UpError> {
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

fn service(name: &str) -> Service {
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
