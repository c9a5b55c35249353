//! Stand-ins, assembled for real and started as their images' users start them.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by a panic, and shows what it built"
)]

mod support;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use plimsoll_image::builder::{ObtainedImage, PullPolicy};
use plimsoll_image::{Access, BindMount, Sandbox, Step, StepNetwork, StepOutcome};
use support::Bench;

fn obtain(bench: &Bench, reference: &str) -> Option<ObtainedImage> {
    let obtained = bench.builder().obtain(reference, PullPolicy::Missing);
    let obtained = obtained.unwrap_or_else(|error| panic!("{:#?}", error.diagnostic()));
    let Some(stand_in) = &obtained.stand_in else {
        println!("{reference} skipped: its registry can be reached");
        return None;
    };
    println!(
        "{reference}: {} ({} MB)",
        stand_in.product_version,
        obtained.image.size() >> 20
    );
    Some(obtained)
}

/// Runs the image with a shell line in place of its command, after its entry point if it has a
/// shell that can.
struct Run<'a> {
    bench: &'a Bench,
    obtained: &'a ObtainedImage,
    data: Option<(PathBuf, &'static str)>,
    environment: Vec<(&'static str, &'static str)>,
}

impl Run<'_> {
    fn script(&self, script: &str) -> StepOutcome {
        let image = &self.obtained.image;
        let config = &image.config;
        let mut command = vec![
            "/bin/sh".to_string(),
            "-c".into(),
            script.into(),
            "entry".into(),
        ];
        command.extend(config.entrypoint.iter().cloned());
        let number = |text: &str| text.parse().unwrap_or(0);
        let user = config
            .user
            .split_once(':')
            .map_or((0, 0), |(u, g)| (number(u), number(g)));
        let mut environment = config.environment.clone();
        let more = self.environment.iter();
        environment.extend(more.map(|(name, value)| (name.to_string(), value.to_string())));
        let mounts = self.data.iter().map(|(source, target)| {
            std::os::unix::fs::chown(source, Some(user.0), Some(user.1)).unwrap();
            BindMount {
                source: source.clone(),
                target: PathBuf::from(target),
                access: Access::ReadWrite,
            }
        });
        let layers = image.layers.iter();
        let step = Step {
            name: "server".into(),
            root: layers
                .map(|layer| self.bench.store.unpacked(layer).unwrap())
                .collect(),
            mounts: mounts.collect(),
            command,
            environment,
            working_dir: PathBuf::from(match config.working_dir.as_str() {
                "" => "/",
                directory => directory,
            }),
            network: StepNetwork::None,
            user,
            timeout: Duration::from_secs(90),
            memory: None,
            pids: None,
        };
        self.bench.sandbox().run(&step).unwrap()
    }

    fn succeeds(&self, script: &str) -> String {
        let outcome = self.script(script);
        let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(outcome.exit_code, 0, "{stdout}\n{stderr}");
        stdout
    }

    fn fails(&self, script: &str) -> String {
        let outcome = self.script(script);
        assert_ne!(outcome.exit_code, 0);
        String::from_utf8_lossy(&outcome.stderr).into_owned()
    }
}

#[test]
fn postgres_initialises_serves_and_refuses_as_the_usual_image_does() {
    let Some(bench) = Bench::open("postgres") else {
        return;
    };
    let Some(obtained) = obtain(&bench, "postgres:16") else {
        return;
    };
    assert_eq!(obtained.image.config.stop_signal.as_deref(), Some("SIGINT"));
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    fs_err::create_dir(&data).unwrap();
    let run = |environment: Vec<(&'static str, &'static str)>| Run {
        bench: &bench,
        obtained: &obtained,
        data: Some((data.clone(), "/var/lib/postgresql/data")),
        environment,
    };
    let told = run(vec![]).fails("exec \"$@\" postgres");
    assert!(
        told.contains("error: POSTGRES_PASSWORD is not set"),
        "{told}"
    );
    assert!(told.contains("hint: set POSTGRES_PASSWORD"), "{told}");

    const SERVE: &str = r#"
        "$@" postgres -c max_connections=20 >/tmp/log 2>&1 &
        server=$!
        for i in $(seq 200); do
            pg_isready --host=127.0.0.1 --username=desk --dbname=desk >/dev/null && break
            sleep 0.1
        done
        export PGPASSWORD=secret
        psql -h 127.0.0.1 -U desk desk -Atc "$QUERY" || { cat /tmp/log; exit 1; }
        kill -INT $server
        wait $server
    "#;
    let account = [
        ("POSTGRES_USER", "desk"),
        ("POSTGRES_PASSWORD", "secret"),
        ("POSTGRES_INITDB_ARGS", "--data-checksums"),
    ];
    let with = |query: &'static str| {
        let mut environment = account.to_vec();
        environment.push(("QUERY", query));
        run(environment)
    };
    let first = with(
        "create table t(x int); insert into t values (7); show max_connections; show data_checksums",
    );
    assert_eq!(first.succeeds(SERVE), "CREATE TABLE\nINSERT 0 1\n20\non\n");
    assert_eq!(
        with("select x, current_user from t").succeeds(SERVE),
        "7|desk\n"
    );
    // From elsewhere the password counts.
    let hba = fs_err::read_to_string(data.join("pg_hba.conf")).unwrap();
    assert!(hba.ends_with("host all all all scram-sha-256\n"));

    fs_err::write(data.join("PG_VERSION"), "13\n").unwrap();
    let told = with("select 1").fails("exec \"$@\" postgres");
    assert!(
        told.contains("was written by PostgreSQL 13; this is PostgreSQL 17"),
        "{told}"
    );
}

#[test]
fn postgres_runs_initialisation_files_and_takes_a_password_file() {
    let Some(bench) = Bench::open("pgvector") else {
        return;
    };
    let Some(obtained) = obtain(&bench, "pgvector/pgvector:pg17") else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let init = place.path().join("init");
    fs_err::create_dir(&init).unwrap();
    fs_err::write(init.join("1.sql"), "create table steps(n int);").unwrap();
    fs_err::write(
        init.join("2.sh"),
        "#!/bin/bash\nset -e\npsql -v ON_ERROR_STOP=1 --username \"$POSTGRES_USER\" \
         --dbname \"$POSTGRES_DB\" <<-EOSQL\n\tinsert into steps values (2);\nEOSQL\n",
    )
    .unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"insert into steps values (3);").unwrap();
    fs_err::write(init.join("3.sql.gz"), gzip.finish().unwrap()).unwrap();
    let run = Run {
        bench: &bench,
        obtained: &obtained,
        data: Some((init, "/docker-entrypoint-initdb.d")),
        environment: vec![
            ("POSTGRES_PASSWORD_FILE", "/tmp/password"),
            ("POSTGRES_DB", "shop"),
        ],
    };
    let told = run.succeeds(
        r#"
        printf 'from a file' > /tmp/password
        export PGDATA=/tmp/data
        cd /tmp
        "$@" postgres --version
        "$@" sh -c 'echo any program'
        "$@" postgres >>/tmp/log 2>&1 &
        server=$!
        for i in $(seq 200); do pg_isready -h 127.0.0.1 >/dev/null && break; sleep 0.1; done
        psql -U postgres -h 127.0.0.1 shop -Atc "create extension vector; select '[1,2]'::vector <-> '[1,4]'" || cat /tmp/log
        psql -U postgres -h 127.0.0.1 shop -Atc "select sum(n) from steps" || cat /tmp/log
        psql -h /var/run/postgresql -U postgres shop -Atc "select 'socket'" || psql -h /tmp -U postgres shop -Atc "select 'socket'"
        kill -INT $server; wait $server
    "#,
    );
    assert!(told.contains("postgres (PostgreSQL) 17."), "{told}");
    assert!(
        told.ends_with("any program\nCREATE EXTENSION\n2\n5\nsocket\n"),
        "{told}"
    );
}

#[test]
fn redis_and_valkey_take_the_arguments_people_give() {
    let Some(bench) = Bench::open("redis") else {
        return;
    };
    for (reference, client) in [("redis:7", "redis-cli"), ("valkey/valkey:8", "valkey-cli")] {
        let Some(obtained) = obtain(&bench, reference) else {
            return;
        };
        let run = Run {
            bench: &bench,
            obtained: &obtained,
            data: None,
            environment: vec![("CLIENT", client)],
        };
        let told = run.succeeds(
            r#"
            cd /tmp
            for start in "$SERVER --appendonly yes" "--port 6379 --requirepass p" "/tmp/own.conf"; do
                echo 'maxmemory 10mb' > /tmp/own.conf
                "$@" $start >/tmp/log 2>&1 &
                server=$!
                for i in $(seq 100); do $CLIENT ping >/dev/null 2>&1 && break; sleep 0.05; done
                $CLIENT --no-auth-warning -a p set k v 2>/dev/null | tail -1 || cat /tmp/log
                $CLIENT --no-auth-warning -a p config get protected-mode 2>/dev/null | tail -1
                kill $server; wait $server || true
            done
        "#,
        );
        assert_eq!(told, "OK\nno\nOK\nno\nOK\nno\n", "{reference}");
    }
}

#[test]
fn nginx_serves_its_page_and_fills_templates() {
    let Some(bench) = Bench::open("nginx") else {
        return;
    };
    let Some(obtained) = obtain(&bench, "nginx:1.27-alpine") else {
        return;
    };
    let run = Run {
        bench: &bench,
        obtained: &obtained,
        data: None,
        environment: vec![("GREETING", "hello")],
    };
    let told = run.succeeds(
        r#"
        mkdir -p /etc/nginx/templates
        printf '%s\n' 'server { listen 8081; location / { return 200 "${GREETING} $uri\n"; } }' > /etc/nginx/templates/own.conf.template
        "$@" nginx -g 'daemon off;' >/tmp/log 2>&1 &
        server=$!
        sleep 1
        cat /etc/nginx/conf.d/own.conf
        kill -QUIT $server; wait $server; cat /tmp/log | grep -i emerg
        true
    "#,
    );
    assert_eq!(
        told,
        "server { listen 8081; location / { return 200 \"hello $uri\\n\"; } }\n"
    );
}

#[test]
fn smaller_servers_start() {
    let Some(bench) = Bench::open("smaller servers") else {
        return;
    };
    for (reference, arguments, sign) in [
        ("memcached:1.6", "--version", "memcached 1."),
        ("nats:2", "--version", "nats-server: v2"),
        ("prom/prometheus", "--version", "prometheus, version 2"),
        ("prom/alertmanager", "--version", "alertmanager, version"),
        ("caddy:2.10-alpine", "caddy version", "2."),
        ("prom/node-exporter", "--version", "node_exporter, version"),
        (
            "prom/blackbox-exporter",
            "--version",
            "blackbox_exporter, version",
        ),
        (
            "prometheuscommunity/postgres-exporter",
            "--version",
            "postgres_exporter, version",
        ),
        (
            "oliver006/redis_exporter",
            "--version",
            "Redis Metrics Exporter",
        ),
    ] {
        let Some(obtained) = obtain(&bench, reference) else {
            return;
        };
        let run = Run {
            bench: &bench,
            obtained: &obtained,
            data: None,
            environment: Vec::new(),
        };
        let told = run.succeeds(&format!("\"$@\" {arguments} 2>&1"));
        assert!(told.contains(sign), "{reference}: {told}");
    }
}

#[test]
fn an_image_nobody_can_stand_in_for_is_an_error_with_the_reason() {
    let Some(bench) = Bench::open("unknown image") else {
        return;
    };
    let builder = bench.builder();
    let error = builder
        .obtain("localhost:1/team/app:1", PullPolicy::Missing)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the registry of `localhost:1/team/app:1` cannot be reached"),
        "{error}"
    );
    let error = builder
        .obtain("localhost:1/team/app:1", PullPolicy::Never)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no image `localhost:1/team/app:1` here, and it may not be pulled"
    );
}
