//! What Compose files mean: variables, several files, `extends`, `include`, profiles, `env_file`.

#![expect(clippy::unwrap_used, reason = "a test stops at what it cannot set up")]

use std::path::PathBuf;

use plimsoll_model::compose::{LoadOptions, Loaded, config, load, variables};
use plimsoll_model::extension::{Kind, Strategy};
use plimsoll_model::{
    LoggingDriver, MountKind, NetworkMode, PidMode, PreStartRuns, Propagation, Recursion, Restart,
    VolumeBacking,
};

struct Case {
    directory: tempfile::TempDir,
    options: LoadOptions,
}

impl Case {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let options = LoadOptions {
            directory: directory.path().to_path_buf(),
            project_name: Some("demo".to_owned()),
            ..LoadOptions::default()
        };
        Self { directory, options }
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.options
            .environment
            .insert(name.to_owned(), value.to_owned());
        self
    }

    fn load(&self) -> Loaded {
        load(&self.options).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The project as `config` prints it, without the parts every project has.
    fn printed(&self) -> String {
        let text = config::render(&self.load(), config::Format::Yaml);
        let text = text.replace(&*self.directory.path().to_string_lossy(), "DIRECTORY");
        text.lines()
            .filter(|line| {
                !matches!(
                    *line,
                    "name: demo" | "    networks:" | "      default: null"
                )
            })
            .take_while(|line| *line != "networks:")
            .map(|line| format!("{line}\n"))
            .collect()
    }
}

#[test]
fn later_files_add_to_earlier_ones() {
    let case = Case::new(&[
        (
            "compose.yaml",
            concat!(
                "services:\n  web:\n    image: a\n    command: [run]\n    environment: {A: 1, B: 2}\n",
                "    ports: [\"80:80\"]\n    dns: 192.0.2.1\n    labels: [x=1]\n    cap_add: [A, B]\n",
                "    volumes: [\"./a:/data\", \"/keep\"]\n",
            ),
        ),
        (
            "compose.override.yaml",
            concat!(
                "services:\n  web:\n    command: other --flag\n    environment: [B=3, C]\n",
                "    ports: !override [\"81:81\"]\n    dns: [192.0.2.2]\n    labels: {x: 2, y: 3}\n",
                "    cap_add: !reset null\n    volumes: [\"./b:/data\"]\n",
            ),
        ),
    ]);
    insta::assert_snapshot!(case.printed(), @r#"
    services:
      web:
        command:
          - other
          - --flag
        dns:
          - 192.0.2.1
          - 192.0.2.2
        environment:
          A: "1"
          B: "3"
          C: null
        image: a
        labels:
          x: "2"
          "y": "3"
        ports:
          - mode: ingress
            target: 81
            published: "81"
            protocol: tcp
        volumes:
          - type: bind
            source: DIRECTORY/b
            target: /data
            bind:
              create_host_path: true
          - type: volume
            target: /keep
            volume: {}
    "#);
}

#[test]
fn services_extend_others_and_files_include_others() {
    let case = Case::new(&[
        (
            "compose.yaml",
            concat!(
                "include: [{path: sub/compose.yaml, env_file: sub/own.env}]\n",
                "services:\n  web:\n    extends: {file: base/compose.yaml, service: base}\n    environment: {A: 2}\n",
                "  also: {extends: web, image: b}\n",
            ),
        ),
        (
            "base/compose.yaml",
            concat!(
                "services:\n  root: {image: r, volumes: [\"./r:/r\"]}\n",
                "  base: {extends: root, build: ., environment: {A: 1, B: 1}}\n",
            ),
        ),
        (
            "sub/compose.yaml",
            "services:\n  sub: {image: \"s:${TAG}\", volumes: [\"./s:/s\"]}\n",
        ),
        ("sub/own.env", "TAG=own\n"),
    ]);
    insta::assert_snapshot!(case.printed(), @r#"
    services:
      also:
        build:
          context: DIRECTORY/base
          dockerfile: Dockerfile
        environment:
          A: "2"
          B: "1"
        image: b
        volumes:
          - type: bind
            source: DIRECTORY/base/r
            target: /r
            bind:
              create_host_path: true
      sub:
        image: s:own
        volumes:
          - type: bind
            source: DIRECTORY/sub/s
            target: /s
            bind:
              create_host_path: true
      web:
        build:
          context: DIRECTORY/base
          dockerfile: Dockerfile
        environment:
          A: "2"
          B: "1"
        image: r
        volumes:
          - type: bind
            source: DIRECTORY/base/r
            target: /r
            bind:
              create_host_path: true
    "#);
}

#[test]
fn the_callers_variables_win_over_the_files() {
    let case = Case::new(&[
        (
            "compose.yaml",
            concat!(
                "services:\n  web:\n    image: \"a:${TAG}\"\n    env_file: [one.env, {path: none.env, required: false}]\n",
                "    environment: {SET: own, CALLER: , NOBODY: }\n",
            ),
        ),
        (".env", "TAG=${BASE}-slim\nBASE=1\n"),
        ("one.env", "SET=file\nFILE=${SET}-${TAG}\n"),
    ])
    .variable("CALLER", "yes")
    .variable("BASE", "9");
    insta::assert_snapshot!(case.printed(), @r#"
    services:
      web:
        environment:
          CALLER: "yes"
          FILE: own-9-slim
          NOBODY: null
          SET: own
        image: a:9-slim
    "#);
    let names: Vec<String> = variables(&case.options).unwrap().into_keys().collect();
    assert_eq!(names, ["TAG"]);
}

#[test]
fn profiles_choose_services() {
    let text = concat!(
        "services:\n  web: {image: a, depends_on: {debug: {condition: service_started, required: false}}}\n",
        "  debug: {image: b, profiles: [dev, test]}\n",
    );
    let mut case = Case::new(&[("compose.yaml", text)]);
    let loaded = case.load();
    assert_eq!(config::services(&loaded), ["web"]);
    let profiles: Vec<String> = config::profiles(&loaded).into_iter().collect();
    assert_eq!(profiles, ["dev", "test"]);
    case.options.profiles = vec!["dev".to_owned()];
    assert_eq!(config::services(&case.load()), ["debug", "web"]);
    case.options.profiles.clear();
    case.options.services = vec!["debug".to_owned()];
    assert_eq!(config::services(&case.load()), ["debug"]);
}

#[test]
fn the_name_comes_from_the_file_or_the_directory() {
    let mut case = Case::new(&[("compose.yaml", "name: My-App\nservices: {a: {image: x}}\n")]);
    case.options.project_name = None;
    assert_eq!(case.load().project.name, "my-app");
    let case = case.variable("COMPOSE_PROJECT_NAME", "other");
    assert_eq!(case.load().project.name, "other");
}

#[test]
fn a_service_is_read_into_types() {
    let case = Case::new(&[(
        "compose.yaml",
        concat!(
            "services:\n  web:\n    image: a\n    ports: [\"127.0.0.1:8000-8001:80-81/udp\"]\n",
            "    volumes: [\"./a:/a:ro\", \"data:/d\"]\n    tmpfs: /run:size=1m\n",
            "    deploy: {replicas: 3, restart_policy: {condition: on-failure, max_attempts: 2}}\n",
            "    mem_limit: 1g\n    network_mode: service:db\n    domainname: x\n    uts: host\n",
            "    healthcheck: {test: check it, interval: 1m}\n",
            "    x-plimsoll: {kind: web, strategy: {canary: {steps: [5, 50]}}}\n",
            "  db: {image: b, restart: unless-stopped}\n",
            "volumes: {data: {driver_opts: {type: nfs}}}\n",
        ),
    )]);
    let loaded = case.load();
    let web = &loaded.project.services["web"];
    assert_eq!(
        web.ports
            .iter()
            .map(|port| (port.published, port.target))
            .collect::<Vec<_>>(),
        [(Some(8000), 80), (Some(8001), 81)]
    );
    assert_eq!(
        web.volumes[0].kind,
        MountKind::Bind {
            source: case.directory.path().join("a"),
            create: true,
            propagation: Propagation::Private,
            recursion: Recursion::Enabled,
        }
    );
    assert_eq!(web.volumes[2].target, PathBuf::from("/run"));
    assert_eq!(web.scale.value, 3);
    assert_eq!(
        web.restart.value,
        Restart::OnFailure {
            max_attempts: Some(2)
        }
    );
    assert_eq!(web.limits.memory, Some(1 << 30));
    assert_eq!(
        web.network_mode.as_ref().unwrap().value,
        NetworkMode::Service("db".to_owned())
    );
    assert!(web.depends_on.contains_key("db"));
    assert_eq!(web.unsupported, []);
    assert_eq!(web.domainname.as_ref().unwrap().value, "x");
    assert!(
        loaded.unsupported[0]
            .value
            .starts_with("volumes.data.driver_opts.")
    );
    assert_eq!(web.span.as_ref().unwrap().to_string(), "compose.yaml:2:3");
    let own = &loaded.extensions.services["web"];
    assert_eq!(own.kind.as_ref().unwrap().value, Kind::Web);
    assert_eq!(
        own.strategy.as_ref().unwrap().value,
        Strategy::Canary {
            steps: vec![5, 50],
            pause: None,
            requests: None
        }
    );
}

#[test]
fn what_is_printed_loads_to_the_same() {
    let every = include_str!("../benches/every-key.yaml");
    let files = [
        ("compose.yaml", every),
        ("service.env", "E=$$x\n"),
        ("service.labels", "l=1\n"),
    ];
    let first = Case::new(&files);
    let printed = config::render(&first.load(), config::Format::Yaml);
    let second = Case::new(&[("compose.yaml", &printed)]);
    let again = config::render(&second.load(), config::Format::Yaml);
    // Relative paths are absolute by now, so the directory does not matter any more.
    assert_eq!(printed, again);
}

#[test]
fn many_aliases_do_not_fill_memory() {
    let mut text = String::from("x-a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let alias = format!("*a{}", level - 1);
        let row = [alias.as_str(); 10].join(", ");
        text.push_str(&format!("x-a{level}: &a{level} [{row}]\n"));
    }
    let case = Case::new(&[("compose.yaml", &text)]);
    let problems = load(&case.options).unwrap_err();
    assert!(problems.to_string().contains("aliases"), "{problems}");
    let deep = format!("x-a: {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
    let case = Case::new(&[("compose.yaml", &deep)]);
    let problems = load(&case.options).unwrap_err();
    assert!(problems.to_string().contains("limit"), "{problems}");
}

#[test]
fn what_processes_may_is_read_into_types() {
    let case = Case::new(&[(
        "compose.yaml",
        concat!(
            "services:\n  db:\n    image: b\n  web:\n    image: a\n",
            "    ulimits: {nofile: {soft: 100, hard: 200}, core: -1}\n",
            "    devices: [\"/dev/fuse\", \"/dev/null:/dev/nothing:r\", \"vendor.example/gpu=all\"]\n",
            "    oom_score_adj: 500\n    pid: host\n    ipc: service:db\n    links: [\"db:store\"]\n",
            "    volumes_from: [\"db:ro\", \"container:other\"]\n    annotations: {a: b}\n",
            "    dns_search: example.com\n    dns_opt: [\"use-vc\"]\n    logging: {driver: none}\n",
            "    mem_limit: 1g\n    mem_reservation: 512m\n    memswap_limit: -1\n    cpuset: 0-1\n",
            "    cpu_quota: 50000\n    cpu_period: 100000\n    cpu_shares: 512\n",
            "    userns_mode: host\n    cgroup: host\n    network_mode: bridge\n    pull_policy: always\n",
            "    depends_on: {db: {condition: service_started, restart: true}}\n",
            "    post_start:\n      - command: [\"/setup\", \"now\"]\n        user: root\n        environment: [A=1]\n",
            "    pre_stop:\n      - command: /bye now\n        privileged: true\n",
        ),
    )]);
    let loaded = case.load();
    let web = &loaded.project.services["web"];
    let ulimit = |soft, hard| plimsoll_model::Ulimit { soft, hard };
    assert_eq!(web.ulimits["nofile"].value, ulimit(Some(100), Some(200)));
    assert_eq!(web.ulimits["core"].value, ulimit(None, None));
    assert_eq!(web.devices.len(), 2);
    assert_eq!(web.devices[1].target, PathBuf::from("/dev/nothing"));
    assert_eq!(web.devices[1].permissions, "r");
    assert_eq!(web.pid.as_ref().unwrap().value, PidMode::Host);
    assert_eq!(web.links[0].alias, "store");
    assert!(web.volumes_from[0].read_only);
    assert_eq!(web.limits.memory_reservation, Some(512 << 20));
    assert_eq!(web.limits.memory_and_swap, Some(-1));
    assert_eq!(web.limits.cpuset.as_deref(), Some("0-1"));
    assert_eq!(web.limits.cpus, Some(0.5));
    assert_eq!(web.limits.cpu_shares, Some(512));
    assert_eq!(web.oom_score_adj.as_ref().unwrap().value, 500);
    assert_eq!(web.logging_driver, LoggingDriver::None);
    assert_eq!(web.post_start[0].command, ["/setup", "now"]);
    assert_eq!(web.pre_stop[0].command, ["/bye", "now"]);
    let told: Vec<&str> = web
        .unsupported
        .iter()
        .map(|key| key.value.as_str())
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    devices (vendor.example/gpu=all)
    pre_stop.privileged
    volumes_from (container:other)
    network_mode (bridge)
    ");
    assert!(web.unsupported.iter().all(|key| key.span.is_some()));
}

#[test]
fn a_file_may_come_from_standard_input() {
    let mut case = Case::new(&[("more.yaml", "services:\n  web:\n    user: \"7\"\n")]);
    case.options.files = vec!["-".into(), "more.yaml".into()];
    case.options.standard_input = Some("name: said\nservices:\n  web:\n    image: a\n".to_owned());
    let loaded = case.load();
    let web = &loaded.project.services["web"];
    assert_eq!(
        web.image
            .as_ref()
            .unwrap()
            .span
            .as_ref()
            .unwrap()
            .to_string(),
        "-:4:12"
    );
    assert_eq!(web.user.as_ref().unwrap().value, "7");
    case.options.standard_input = None;
    load(&case.options).unwrap_err();
}

#[test]
fn what_a_service_asks_of_the_machine_is_read() {
    let case = Case::new(&[(
        "compose.yaml",
        r#"
services:
  web:
    image: a
    pre_start:
      - command: [migrate]
        per_replica: true
      - image: tools
        command: prepare all
        user: root
        environment: { WORD: hello }
    uts: host
    cgroup: host
    cgroup_parent: /batch/
    device_cgroup_rules: ["c 1:* rw"]
    mem_swappiness: 10
    mac_address: "02:42:ac:11:65:43"
    blkio_config:
      weight: 300
      device_read_bps: [{ path: /dev/sda, rate: 1mb }]
    volumes:
      - { type: image, source: tools, target: /tools, image: { subpath: bin } }
      - { type: bind, source: /, target: /host, bind: { propagation: rslave, recursive: disabled } }
      - memory:/memory
    develop:
      watch:
        - { path: ./src, action: sync+exec, target: /app, exec: { command: [touch, x] }, ignore: [y] }
volumes:
  memory:
    driver_opts: { type: tmpfs, o: "size=1m,uid=7", device: tmpfs }
"#,
    )]);
    let loaded = case.load();
    let web = &loaded.project.services["web"];
    assert_eq!(web.unsupported, []);
    assert_eq!(loaded.unsupported, []);
    assert_eq!(web.pre_start[0].runs, PreStartRuns::PerReplica);
    assert_eq!(web.pre_start[1].hook.command, ["prepare", "all"]);
    assert_eq!(web.pre_start[1].image.as_ref().unwrap().value, "tools");
    assert_eq!(web.cgroup_parent.as_ref().unwrap().value, "batch");
    assert_eq!(web.limits.swappiness, Some(10));
    let io = web.blkio_config.as_ref().unwrap();
    assert_eq!((io.weight, io.read_bytes[0].rate), (Some(300), 1 << 20));
    assert_eq!(web.mac_address.as_ref().unwrap().value[0], 2);
    let MountKind::Bind {
        propagation,
        recursion,
        ..
    } = &web.volumes[1].kind
    else {
        panic!("{:?}", web.volumes[1]);
    };
    assert_eq!(
        (*propagation, *recursion),
        (Propagation::Slave, Recursion::Disabled)
    );
    let watch = &web.watch[0];
    assert_eq!(watch.path, case.directory.path().join("src"));
    assert!(watch.action.copies());
    let backing = &loaded.project.volumes["memory"].backing;
    let VolumeBacking::Tmpfs { size, owner, .. } = backing else {
        panic!("{backing:?}");
    };
    assert_eq!((*size, *owner), (Some(1 << 20), Some((7, 0))));
}

#[test]
fn what_has_no_effect_is_told_by_its_name() {
    let case = Case::new(&[(
        "compose.yaml",
        r#"
services:
  web:
    image: a
    gpus: all
    deploy: { restart_policy: { window: 1s } }
    logging: { options: { tag: x } }
    volumes:
      - { type: bind, source: /, target: /host, bind: { propagation: rshared } }
      - disk:/disk
    tmpfs: /scratch:size=1m,noexec
networks:
  default:
    ipam: { config: [{ subnet: 10.9.0.0/24, ip_range: 10.9.0.0/25, gateway: 10.9.0.9 }] }
volumes:
  disk:
    driver_opts: { type: none, o: "bind,ro,noatime", device: /srv }
  far:
    driver_opts: { type: nfs, device: ":/x" }
secrets:
  s: { file: ./s, driver: d }
"#,
    )]);
    let loaded = case.load();
    let names = |keys: &[plimsoll_diag::Spanned<String>]| -> Vec<String> {
        let mut names: Vec<String> = keys.iter().map(|key| key.value.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(
        names(&loaded.project.services["web"].unsupported),
        [
            "deploy.restart_policy.window",
            "gpus",
            "logging.options.tag",
            "tmpfs (noexec)",
            "volumes.bind.propagation (rshared)",
        ]
    );
    let network = &loaded.project.networks["default"];
    assert_eq!(
        network.gateway.as_ref().unwrap().value.to_string(),
        "10.9.0.9"
    );
    let elsewhere = names(&loaded.unsupported);
    assert_eq!(
        elsewhere,
        [
            "networks.default.ipam.config.ip_range",
            "volumes.disk.driver_opts.o (noatime)",
        ]
    );
    assert_eq!(
        loaded.project.volumes["disk"].backing,
        VolumeBacking::Bind {
            directory: "/srv".into(),
            read_only: true,
        }
    );
}

#[test]
fn a_variable_that_is_used_twice_is_told_with_what_either_says() {
    let case = Case::new(&[(
        "compose.yaml",
        "services: {web: {image: 'nginx:${TAG:-1}', command: '${TAG}', hostname: '${TAG:?}'}}\n",
    )]);
    let found = variables(&case.options).unwrap();
    assert_eq!(found["TAG"].default, "1");
    assert!(found["TAG"].required);
}
