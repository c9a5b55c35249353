//! Whole small trees, read as a project would be.

use std::fmt::Write as _;

use crate::detection::{Detection, Health};
use crate::tree::Tree;

fn detect(files: &[(&str, &str)]) -> Detection {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    crate::detect(&Tree::read(root.path()).unwrap())
}

/// One line for a service, one for each variable, one for each rejection.
fn shown(detection: &Detection) -> String {
    let mut text = String::new();
    for service in &detection.services {
        let health = match &service.health {
            Some(Health::Http(route)) => format!("GET {}:{}", route.port, route.path),
            Some(Health::Tcp { port }) => format!("TCP {port}"),
            _ => "none".to_owned(),
        };
        let metrics = service.metrics.as_ref().map_or(String::new(), |route| {
            format!(" metrics {}:{}", route.port, route.path)
        });
        writeln!(
            text,
            "{} {} {} {:?} {health}{metrics} {}",
            service.name,
            service.kind.word(),
            service.framework.as_deref().unwrap_or_default(),
            service.ports,
            service.command.join(" "),
        )
        .unwrap();
    }
    for variable in &detection.environment {
        writeln!(
            text,
            "${} required={} default={:?}",
            variable.name, variable.required, variable.default
        )
        .unwrap();
    }
    for rejected in &detection.rejected {
        writeln!(
            text,
            "not {} ({}): {}",
            rejected.path.display(),
            rejected.looks_like,
            rejected.why
        )
        .unwrap();
    }
    text
}

const AXUM: &str = r#"use axum::{routing::{get, post}, Router};

mod config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = config::Config::from_env()?;
    let app = Router::new()
        .route("/health", get(|| async { "ok" }))
        .route("/v1/chat", post(chat))
        .nest("/api", api::routes())
        .nest_service("/static", tower_http::services::ServeDir::new("static"));
    let address = format!("0.0.0.0:{}", config.port);
    let listener = tokio::net::TcpListener::bind(&address).await?;
    axum::serve(listener, app).await?;
    Ok(())
}

async fn chat() -> axum::response::Sse<Events> { axum::response::Sse::new(events()) }

mod api {
    pub fn routes() -> axum::Router { axum::Router::new().route("/metrics", axum::routing::get(list)) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_nothing_else() { std::env::var("NEVER").unwrap(); }
}
"#;

const CONFIG: &str = r#"pub struct Config { pub port: u16, pub key: String, pub database: String }

impl Config {
    pub fn from_env() -> anyhow::Result<Self> {
        Ok(Self {
            port: std::env::var("PORT").unwrap_or_else(|_| "3000".to_string()).parse()?,
            key: std::env::var("OPENAI_API_KEY")?,
            database: std::env::var("DATABASE_URL").expect("DATABASE_URL must be set"),
        })
    }
}
"#;

const AXUM_MANIFEST: &str = r#"[package]
name = "chat-api"
version = "0.1.0"
edition = "2021"
rust-version = "1.80"

[dependencies]
axum = "0.8"
tokio = { version = "1", features = ["full"] }
sqlx = { version = "0.8", features = ["postgres"] }
"#;

const LOCK: &str = "[[package]]\nname = \"axum\"\nversion = \"0.8.4\"\n";

#[test]
fn a_server_with_routes_in_modules_and_variables_that_it_must_have() {
    let database = "pub async fn open(url: &str) -> sqlx::PgPool { todo!() }\n";
    let main =
        format!("mod database;\n{AXUM}").replace("let app", "database::open(\"\");\n    let app");
    let detection = detect(&[
        ("Cargo.toml", AXUM_MANIFEST),
        ("Cargo.lock", LOCK),
        ("src/main.rs", &main),
        ("src/config.rs", CONFIG),
        ("src/database.rs", database),
        ("static/app.css", "x"),
        (
            "src/bin/seed.rs",
            "fn main() { println!(\"{}\", std::env::var(\"X_SEED\").unwrap()); }\n",
        ),
        ("examples/other.rs", "fn main() {}\n"),
    ]);
    insta::assert_snapshot!(shown(&detection), @r#"
    chat-api web axum [3000] GET 3000:/health /usr/local/bin/chat-api
    $DATABASE_URL required=true default=None
    $OPENAI_API_KEY required=true default=None
    $PORT required=false default=Some("3000")
    not src/bin/seed.rs (Rust program): listens on nothing
    "#);
    let service = &detection.services[0];
    assert_eq!(service.version.as_deref(), Some("0.8.4"));
    assert_eq!(service.stream, Some(crate::detection::Stream::Sse));
    let needs: Vec<_> = detection
        .needs
        .iter()
        .map(|need| (need.kind, need.required))
        .collect();
    assert_eq!(needs, [(crate::detection::NeedKind::Postgres, true)]);
    let recipe = service.recipe.as_ref().unwrap();
    let plimsoll_model::RecipeKind::Rust(rust) = &recipe.kind else {
        panic!("it is a program of Rust");
    };
    assert_eq!(
        (rust.package.as_str(), rust.binary.as_str()),
        ("chat-api", "chat-api")
    );
    assert_eq!(rust.data, [std::path::PathBuf::from("static")]);
}

const ACTIX: &str = r#"use actix_web::{get, web, App, HttpServer};
use shared::Settings;

#[get("/healthz")]
async fn healthz() -> &'static str { "ok" }

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let settings = Settings::parse();
    HttpServer::new(|| App::new().service(healthz).service(web::scope("/api").route("/list", web::get().to(list))))
        .bind((settings.host, settings.port))?
        .run()
        .await
}
"#;

const SETTINGS: &str = r#"use clap::Parser;

#[derive(Parser, Debug)]
pub struct Settings {
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub host: String,
    #[arg(long, env, default_value_t = 8088)]
    pub port: u16,
    #[arg(long, env = "REDIS_URL")]
    pub redis: String,
}
"#;

const WORKER: &str = r#"use std::time::Duration;

#[tokio::main]
async fn main() {
    let client = redis::Client::open(std::env::var("REDIS_URL").unwrap()).unwrap();
    loop {
        work(&client).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

async fn work(client: &redis::Client) {}
"#;

const CLI: &str = r#"use clap::Parser;

#[derive(Parser)]
struct Arguments { name: String }

fn main() { println!("{}", Arguments::parse().name); }
"#;

#[test]
fn a_workspace_has_servers_workers_and_programs_for_the_command_line() {
    let member = |name: &str, rest: &str| {
        format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n{rest}"
        )
    };
    let detection = detect(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"2\"\n\n[workspace.dependencies]\nshared = { path = \"crates/shared\" }\nredis = \"0.27\"\nactix-web = \"4\"\n",
        ),
        (
            "crates/shared/Cargo.toml",
            &member(
                "shared",
                "clap = { version = \"4\", features = [\"derive\", \"env\"] }\n",
            ),
        ),
        ("crates/shared/src/lib.rs", SETTINGS),
        (
            "crates/gateway/Cargo.toml",
            &member(
                "gateway",
                "shared.workspace = true\nactix-web.workspace = true\n",
            ),
        ),
        ("crates/gateway/src/main.rs", ACTIX),
        (
            "crates/jobs/Cargo.toml",
            &member("jobs", "redis.workspace = true\n"),
        ),
        ("crates/jobs/src/main.rs", WORKER),
        ("crates/tool/Cargo.toml", &member("tool", "clap = \"4\"\n")),
        ("crates/tool/src/main.rs", CLI),
        ("xtask/Cargo.toml", &member("xtask", "")),
        (
            "xtask/src/main.rs",
            "fn main() { std::net::TcpListener::bind(\"0.0.0.0:1\"); }\n",
        ),
    ]);
    insta::assert_snapshot!(shown(&detection), @r#"
    gateway web Actix Web [8088] GET 8088:/healthz /usr/local/bin/gateway
    worker worker Rust [] none /usr/local/bin/jobs
    $HOST required=false default=Some("127.0.0.1")
    $PORT required=false default=Some("8088")
    $REDIS_URL required=true default=None
    not crates/tool/src/main.rs (Rust program): a program for the command line
    not xtask/src/main.rs (Rust server): a tool of the project
    "#);
    let gateway = detection
        .service("gateway")
        .unwrap()
        .recipe
        .as_ref()
        .unwrap();
    assert_eq!(
        gateway.environment,
        [("HOST".to_owned(), "0.0.0.0".to_owned())]
    );
    let problems: Vec<_> = detection
        .problems
        .iter()
        .map(|problem| &problem.what)
        .collect();
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn others_listen_in_their_own_ways() {
    let one = |dependency: &str, main: &str| {
        let manifest = format!(
            "[package]\nname = \"one\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n{dependency}\n"
        );
        let detection = detect(&[("Cargo.toml", &manifest), ("src/main.rs", main)]);
        shown(&detection)
            + &detection
                .problems
                .iter()
                .fold(String::new(), |text, problem| text + &problem.what + "\n")
    };
    insta::assert_snapshot!(one("rocket = \"0.5\"", r#"
        #[macro_use] extern crate rocket;
        #[get("/status")]
        fn status() -> &'static str { "ok" }
        #[launch]
        fn rocket() -> _ { rocket::build().mount("/v1", routes![status]) }
    "#), @"one web Rocket [8000] GET 8000:/v1/status /usr/local/bin/one");
    insta::assert_snapshot!(one("hyper = \"1\"", r#"
        use std::net::SocketAddr;
        #[tokio::main]
        async fn main() {
            let address = SocketAddr::from(([127, 0, 0, 1], 4000));
            let listener = tokio::net::TcpListener::bind(address).await.unwrap();
            hyper::server::conn::http1::Builder::new();
        }
    "#), @"
    one web hyper [4000] TCP 4000 /usr/local/bin/one
    listens on its own loopback address, where nothing outside of its container can reach it
    ");
    insta::assert_snapshot!(one("rmcp = { version = \"0.3\", features = [\"server\", \"transport-io\"] }", r#"
        use rmcp::{ServiceExt, transport::stdio};
        #[tokio::main]
        async fn main() { Notes::new().serve(stdio()).await.unwrap().waiting().await; }
    "#), @"one mcp-stdio rmcp [] none /usr/local/bin/one");
}

#[test]
fn settings_are_read_with_a_prefix() {
    let main = r#"
        #[derive(serde::Deserialize)]
        struct AppConfig { listen: Option<String>, database_url: String }
        #[derive(serde::Deserialize)]
        struct Request { text: String }
        #[tokio::main]
        async fn main() {
            let config: AppConfig = envy::prefixed("NOTES_").from_env().unwrap();
            let _: Request = todo!();
            let listener = tokio::net::TcpListener::bind("0.0.0.0:7000").await;
            axum::serve(listener, app()).await;
        }
        fn app() {}
    "#;
    let manifest = "[package]\nname = \"notes\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\naxum = \"0.8\"\nenvy = \"0.4\"\n";
    let detection = detect(&[("Cargo.toml", manifest), ("src/main.rs", main)]);
    insta::assert_snapshot!(shown(&detection), @"
    notes web axum [7000] TCP 7000 /usr/local/bin/notes
    $NOTES_DATABASE_URL required=true default=None
    $NOTES_LISTEN required=false default=None
    ");
}

#[test]
fn functions_of_the_project_read_variables_and_figment_has_files_besides() {
    let main = r#"
        use std::net::Ipv4Addr;
        struct AppConfig { support: String }
        #[tokio::main]
        async fn main() {
            let host = read_host("APP_HOST")?.unwrap_or_else(|| Ipv4Addr::new(127, 0, 0, 1));
            let port = read_port("APP_PORT")?.unwrap_or(3100);
            let other = read_port("MILVUS_PORT")?.unwrap_or(1953);
            let url = read_string("APP_REDIS_URL")?;
            let key = std::env::var("API_KEY")?;
            let figment = Figment::new().merge(Env::raw().map(|key| key.into()));
            let listener = tokio::net::TcpListener::bind((host, port)).await;
            axum::serve(listener, app()).await;
        }
        fn app() { std::net::TcpStream::connect_timeout(&"127.0.0.1:1".parse(), 5); }
        fn export(port_report: u16) { let report = 1024; }
    "#;
    let manifest = "[package]\nname = \"desk\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\naxum = \"0.8\"\nfigment = \"0.10\"\n";
    let detection = detect(&[("Cargo.toml", manifest), ("src/main.rs", main)]);
    insta::assert_snapshot!(shown(&detection), @r#"
    desk web axum [3100] TCP 3100 /usr/local/bin/desk
    $API_KEY required=true default=None
    $APP_HOST required=false default=Some("127.0.0.1")
    $APP_PORT required=false default=Some("3100")
    $APP_REDIS_URL required=false default=None
    $MILVUS_PORT required=false default=Some("1953")
    "#);
    let recipe = detection.services[0].recipe.as_ref().unwrap();
    assert_eq!(
        recipe.environment,
        [("APP_HOST".to_owned(), "0.0.0.0".to_owned())]
    );
}

#[test]
fn a_loop_inside_of_the_endless_one_may_end_and_what_is_asked_for_first_is_not_required() {
    let main = r#"
        #[tokio::main]
        async fn main() {
            let size: u16 = if std::env::var("SIZE").is_ok() {
                std::env::var("SIZE").unwrap().parse().unwrap()
            } else {
                25
            };
            let url = std::env::var("QUEUE_URL").expect("QUEUE_URL not set");
            loop {
                loop {
                    if next(&url, size).await.is_none() {
                        break;
                    }
                }
                tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            }
        }
    "#;
    let manifest = "[package]\nname = \"ebb\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\ntokio = \"1\"\n";
    let detection = detect(&[("Cargo.toml", manifest), ("src/main.rs", main)]);
    insta::assert_snapshot!(shown(&detection), @r#"
    worker worker Rust [] none /usr/local/bin/ebb
    $QUEUE_URL required=true default=None
    $SIZE required=false default=Some("25")
    "#);
    let ends = main.replace(
        "tokio::time::sleep",
        "if done() { break; } tokio::time::sleep",
    );
    let detection = detect(&[("Cargo.toml", manifest), ("src/main.rs", &ends)]);
    assert!(detection.services.is_empty());
}
