//! The servers there are stand-ins for: packages, account, files, and how each starts.

use std::collections::BTreeSet;

use super::{Recipe, owned, program};
use crate::debian::{Suite, User};
use crate::layer::{Attributes, FileSet, FileSetError};
use crate::oci::ImageConfig;

/// Where entry points stand, by the name that people know.
const ENTRYPOINT: &str = "usr/local/bin/docker-entrypoint.sh";

/// The shell and what its scripts call.
const SHELL: &[&str] = &["coreutils", "dash", "grep", "sed"];

/// For images whose initialisation scripts may do anything.
const SHELL_AND_TOOLS: &[&str] = &[
    "bash",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "gzip",
    "libnss-wrapper",
    "sed",
    "xz-utils",
    "zstd",
];

/// What PostgreSQL may have besides itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extension {
    /// Nothing.
    None,
    /// pgvector.
    Vector,
}

fn user(name: &str, number: u32, home: &str) -> User {
    User {
        name: name.to_string(),
        uid: number,
        gid: number,
        home: home.to_string(),
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

fn set(value: &str) -> BTreeSet<String> {
    BTreeSet::from([value.to_string()])
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// PostgreSQL of a release. `wanted` is the major version that was asked for: from 18 on the data
/// lies elsewhere.
pub(super) fn postgres(
    suite: Suite,
    wanted: Option<u32>,
    extension: Extension,
) -> Result<Recipe, FileSetError> {
    let (major, server, client, vector) = match suite {
        Suite::Bookworm => (
            "15",
            "postgresql-15",
            "postgresql-client-15",
            "postgresql-15-pgvector",
        ),
        Suite::Trixie => (
            "17",
            "postgresql-17",
            "postgresql-client-17",
            "postgresql-17-pgvector",
        ),
    };
    let mut packages = vec![server, client];
    if extension == Extension::Vector {
        packages.push(vector);
    }
    let postgres = user("postgres", 999, "/var/lib/postgresql");
    let (data, volume) = match wanted {
        Some(wanted) if wanted < 18 => ("/var/lib/postgresql/data", "/var/lib/postgresql/data"),
        _ => ("/var/lib/postgresql/18/docker", "/var/lib/postgresql"),
    };
    let mut files = FileSet::new();
    program(&mut files, ENTRYPOINT, include_str!("postgres.sh"))?;
    files.directory("docker-entrypoint-initdb.d", Attributes::DIRECTORY)?;
    owned(&mut files, "var/lib/postgresql", 0o755, &postgres)?;
    owned(&mut files, data.trim_start_matches('/'), 0o700, &postgres)?;
    // Where clients look for the socket, whoever the server runs as.
    owned(&mut files, "run/postgresql", 0o3777, &postgres)?;
    let path = format!("{PATH}:/usr/lib/postgresql/{major}/bin");
    Ok(Recipe {
        product: "PostgreSQL",
        suite,
        packages,
        tools: SHELL_AND_TOOLS,
        // The compiler for queries is left out of the base, and with it its library; the rest is
        // Debian's way of running several clusters on one machine.
        without: &[
            "libllvm14",
            "libllvm16",
            "libllvm19",
            "locales",
            "locales-all",
            "perl",
            "postgresql-client-common",
            "postgresql-common",
            "postgresql-common-dev",
            "ssl-cert",
        ],
        user: postgres,
        files,
        config: ImageConfig {
            user: "999:999".to_string(),
            environment: environment(&[
                ("PATH", &path),
                ("LANG", "C.UTF-8"),
                ("PG_MAJOR", major),
                ("PGDATA", data),
                ("HOME", "/var/lib/postgresql"),
            ]),
            entrypoint: words(&["docker-entrypoint.sh"]),
            command: words(&["postgres"]),
            exposed_ports: set("5432/tcp"),
            volumes: set(volume),
            stop_signal: Some("SIGINT".to_string()),
            ..ImageConfig::default()
        },
    })
}

/// Redis, or its fork that takes the same arguments.
#[derive(Debug, Clone, Copy)]
pub(super) struct RedisKind {
    product: &'static str,
    server: &'static str,
    packages: &'static [&'static str],
}

pub(super) const REDIS: RedisKind = RedisKind {
    product: "Redis",
    server: "redis-server",
    packages: &["redis-server", "redis-tools"],
};

pub(super) const VALKEY: RedisKind = RedisKind {
    product: "Valkey",
    server: "valkey-server",
    packages: &["valkey-server", "valkey-tools"],
};

pub(super) fn redis(kind: RedisKind) -> Result<Recipe, FileSetError> {
    let redis = user(kind.server.trim_end_matches("-server"), 999, "/data");
    let mut files = FileSet::new();
    program(&mut files, ENTRYPOINT, include_str!("redis.sh"))?;
    owned(&mut files, "data", 0o755, &redis)?;
    Ok(Recipe {
        product: kind.product,
        suite: Suite::Trixie,
        packages: kind.packages.to_vec(),
        tools: SHELL,
        without: &[],
        user: redis,
        files,
        config: ImageConfig {
            user: "999:999".to_string(),
            environment: environment(&[("PATH", PATH), ("SERVER", kind.server)]),
            entrypoint: words(&["docker-entrypoint.sh"]),
            command: words(&[kind.server]),
            working_dir: "/data".to_string(),
            exposed_ports: set("6379/tcp"),
            volumes: set("/data"),
            ..ImageConfig::default()
        },
    })
}

/// nginx. The unprivileged variant listens on 8080 and starts as its own user.
pub(super) fn nginx(name: &str) -> Result<Recipe, FileSetError> {
    let nginx = user("nginx", 101, "/nonexistent");
    let unprivileged = name.ends_with("-unprivileged");
    let (port, pid) = match unprivileged {
        true => ("8080", "/tmp/nginx.pid"),
        false => ("80", "/run/nginx.pid"),
    };
    let mut configuration = include_str!("nginx.conf").replace("/run/nginx.pid", pid);
    if unprivileged {
        configuration = configuration.replace("user nginx;\n", "");
        let own = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("    {kind}_temp_path /tmp/{kind};\n"))
            .concat();
        configuration =
            configuration.replace("    sendfile on;\n", &format!("{own}    sendfile on;\n"));
        // Another user's pipe cannot be opened by its name.
        configuration = configuration.replace("access_log /dev/stdout;", "access_log off;");
    }
    let site = include_str!("nginx-default.conf").replace("listen 80;", &format!("listen {port};"));
    let mut files = FileSet::new();
    program(&mut files, "docker-entrypoint.sh", include_str!("nginx.sh"))?;
    files.file("etc/nginx/nginx.conf", Attributes::FILE, configuration)?;
    files.file("etc/nginx/conf.d/default.conf", Attributes::FILE, site)?;
    for directory in ["body", "fastcgi", "proxy", "scgi", "uwsgi"] {
        owned(
            &mut files,
            &format!("var/lib/nginx/{directory}"),
            0o700,
            &nginx,
        )?;
    }
    files.directory(
        "var/cache/nginx",
        Attributes::root(0o755).owned_by(101, 101),
    )?;
    files.directory("var/log/nginx", Attributes::DIRECTORY)?;
    files.symlink("var/log/nginx/access.log", "/dev/stdout")?;
    files.symlink("var/log/nginx/error.log", "/dev/stderr")?;
    Ok(Recipe {
        product: "nginx",
        suite: Suite::Trixie,
        packages: vec!["nginx"],
        tools: &[
            "coreutils",
            "dash",
            "findutils",
            "gettext-base",
            "grep",
            "sed",
        ],
        without: &["iproute2"],
        user: nginx,
        files,
        config: ImageConfig {
            user: if unprivileged {
                "101:101".to_string()
            } else {
                String::new()
            },
            environment: environment(&[("PATH", PATH)]),
            entrypoint: words(&["/docker-entrypoint.sh"]),
            command: words(&["nginx", "-e", "stderr", "-g", "daemon off;"]),
            exposed_ports: set(&format!("{port}/tcp")),
            stop_signal: Some("SIGQUIT".to_string()),
            ..ImageConfig::default()
        },
    })
}

/// Caddy: certificates are kept in `/data`, the configuration it last ran with in `/config`.
pub(super) fn caddy() -> Result<Recipe, FileSetError> {
    let mut files = FileSet::new();
    for directory in ["data", "config", "srv"] {
        files.directory(directory, Attributes::DIRECTORY)?;
    }
    let run = "caddy run --config /etc/caddy/Caddyfile --adapter caddyfile";
    Ok(Recipe {
        product: "Caddy",
        suite: Suite::Trixie,
        packages: vec!["caddy"],
        tools: SHELL,
        // It installs its own authority into browsers.
        without: &["libnss3-tools"],
        user: user("caddy", 999, "/data"),
        files,
        config: ImageConfig {
            environment: environment(&[
                ("PATH", PATH),
                ("XDG_CONFIG_HOME", "/config"),
                ("XDG_DATA_HOME", "/data"),
            ]),
            command: run.split(' ').map(str::to_string).collect(),
            working_dir: "/srv".to_string(),
            exposed_ports: ["80/tcp", "443/tcp", "443/udp", "2019/tcp"]
                .map(str::to_string)
                .into(),
            ..ImageConfig::default()
        },
    })
}

pub(super) fn memcached() -> Result<Recipe, FileSetError> {
    let account = user("memcache", 11211, "/nonexistent");
    let mut files = FileSet::new();
    program(&mut files, ENTRYPOINT, include_str!("program.sh"))?;
    Ok(Recipe {
        product: "Memcached",
        suite: Suite::Trixie,
        packages: vec!["memcached"],
        tools: SHELL,
        without: &["perl"],
        user: account,
        files,
        config: ImageConfig {
            user: "11211:11211".to_string(),
            environment: environment(&[("PATH", PATH), ("PROGRAM", "memcached")]),
            entrypoint: words(&["docker-entrypoint.sh"]),
            command: words(&["memcached"]),
            exposed_ports: set("11211/tcp"),
            ..ImageConfig::default()
        },
    })
}

pub(super) fn nats() -> Result<Recipe, FileSetError> {
    let mut files = FileSet::new();
    program(&mut files, ENTRYPOINT, include_str!("program.sh"))?;
    let ports = ["4222/tcp", "6222/tcp", "8222/tcp"];
    Ok(Recipe {
        product: "NATS",
        suite: Suite::Trixie,
        packages: vec!["nats-server"],
        tools: SHELL,
        without: &[],
        user: user("nats", 1000, "/data"),
        files,
        config: ImageConfig {
            user: "1000:1000".to_string(),
            environment: environment(&[("PATH", PATH), ("PROGRAM", "nats-server")]),
            entrypoint: words(&["docker-entrypoint.sh"]),
            command: words(&["nats-server"]),
            exposed_ports: ports.map(str::to_string).into(),
            ..ImageConfig::default()
        },
    })
}

/// A program of the Prometheus family: its options alone are its arguments.
fn monitoring(
    product: &'static str,
    package: &'static str,
    program: &str,
    data: &str,
    port: &str,
    arguments: &[&str],
) -> Result<Recipe, FileSetError> {
    let mut files = FileSet::new();
    let nobody = Attributes::root(0o755).owned_by(65534, 65534);
    files.directory(data.trim_start_matches('/'), nobody)?;
    let mut recipe = exporter(product, package, port, arguments, files);
    recipe.config.entrypoint = words(&[program]);
    recipe.config.working_dir = data.to_string();
    recipe.config.volumes = set(data);
    Ok(recipe)
}

/// A program that asks others and gives the answers as metrics. It keeps nothing.
pub(super) fn exporter(
    product: &'static str,
    package: &'static str,
    port: &str,
    arguments: &[&str],
    files: FileSet,
) -> Recipe {
    Recipe {
        product,
        suite: Suite::Trixie,
        packages: vec![package],
        tools: &["coreutils", "dash"],
        without: &["daemon", "perl"],
        user: user("nobody", 65534, "/nonexistent"),
        files,
        config: ImageConfig {
            user: "65534:65534".to_string(),
            environment: environment(&[("PATH", PATH)]),
            entrypoint: words(&[&format!("/usr/bin/{package}")]),
            command: words(arguments),
            exposed_ports: set(port),
            ..ImageConfig::default()
        },
    }
}

/// The configuration of the Blackbox exporter is looked for where its usual image has it.
pub(super) fn blackbox() -> Result<Recipe, FileSetError> {
    let place = "etc/blackbox_exporter/config.yml";
    let mut files = FileSet::new();
    files.symlink(place, "/etc/prometheus/blackbox.yml")?;
    let option = format!("--config.file=/{place}");
    let package = "prometheus-blackbox-exporter";
    let product = "Blackbox exporter";
    Ok(exporter(product, package, "9115/tcp", &[&option], files))
}

pub(super) fn prometheus() -> Result<Recipe, FileSetError> {
    monitoring(
        "Prometheus",
        "prometheus",
        "/usr/bin/prometheus",
        "/prometheus",
        "9090/tcp",
        &[
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
        ],
    )
}

pub(super) fn alertmanager() -> Result<Recipe, FileSetError> {
    monitoring(
        "Alertmanager",
        "prometheus-alertmanager",
        "/usr/bin/prometheus-alertmanager",
        "/alertmanager",
        "9093/tcp",
        &[
            "--config.file=/etc/prometheus/alertmanager.yml",
            "--storage.path=/alertmanager",
        ],
    )
}
