//! Ports and variables of Rust programs: of settings files and images, of subcommands, of values that stand in for others.

use crate::tree::{found, lines, required};

const MANIFEST: (&str, &str) = (
    "Cargo.toml",
    "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\naxum = \"0.8\"\nclap = \"4\"\nconfig = \"0.15\"\nserde = \"1\"\ntokio = \"1\"\n",
);

/// A program whose `main` begins with `start` and listens on `address`.
fn main_of(head: &str, start: &str, address: &str) -> String {
    format!(
        "{head}\n#[tokio::main]\nasync fn main() -> anyhow::Result<()> {{\n    {start}\n    let listener = tokio::net::TcpListener::bind({address}).await?;\n    axum::serve(listener, app()).await?;\n    Ok(())\n}}\n"
    )
}

fn of(main: &str, others: &[(&str, &str)]) -> Vec<String> {
    let mut files = vec![MANIFEST, ("src/main.rs", main)];
    files.extend(others);
    lines(&found(&files))
}

#[test]
fn what_stands_in_for_a_setting_is_its_default() {
    let main = main_of(
        "",
        "let port: u16 = settings.get(\"port\").unwrap_or(3000);",
        "format!(\"{host}:{port}\")",
    );
    assert_eq!(of(&main, &[]), ["web /usr/local/bin/a [3000]"]);
}

#[test]
fn a_settings_file_says_the_port() {
    let start = "let settings = Config::builder().add_source(File::with_name(\"config/base\")).build()?;\n    let port: u16 = settings.get(\"server.port\").unwrap_or(3000);";
    let main = main_of(
        "use config::{Config, File};",
        start,
        "format!(\"{host}:{port}\")",
    );
    for (file, text) in [
        ("config/base.toml", "[server]\nport = 8085\n"),
        (
            "config/base.yaml",
            "database:\n  port: 5432\nserver:\n  port: 8085\n",
        ),
    ] {
        assert_eq!(
            of(&main, &[(file, text)]),
            ["web /usr/local/bin/a [8085]"],
            "{file}"
        );
    }
}

#[test]
fn a_function_gives_the_default_of_a_field() {
    let head = "#[derive(serde::Deserialize)]\nstruct Settings {\n    #[serde(default = \"default_queue_port\")]\n    queue_port: u16,\n    #[serde(default = \"default_http_port\")]\n    port: u16,\n}\nfn default_queue_port() -> u16 { 9000 }\nfn default_http_port() -> u16 { 9001 }\n";
    let main = main_of(
        head,
        "let settings: Settings = load();",
        "(host, settings.port)",
    );
    assert_eq!(of(&main, &[]), ["web /usr/local/bin/a [9001]"]);
}

#[test]
fn variables_of_the_image_say_where_it_listens() {
    let head = "#[derive(clap::Parser)]\nstruct Args {\n    #[arg(long, env = \"A_BIND\", default_value = \"127.0.0.1:3000\")]\n    bind: String,\n}\n";
    let main = main_of(head, "let args = Args::parse();", "args.bind");
    let image = "FROM rust:1\nRUN cargo build --release\nENV A_BIND=0.0.0.0:4000\nENTRYPOINT [\"/app/a\"]\nCMD [\"--help\"]\n";
    let files = [
        MANIFEST,
        ("src/main.rs", main.as_str()),
        ("Dockerfile", image),
    ];
    let detection = found(&files);
    assert_eq!(lines(&detection), ["web /usr/local/bin/a [4000]"]);
    let recipe = detection.services[0].recipe.as_ref().unwrap();
    assert_eq!(
        recipe.environment,
        [("A_BIND".to_owned(), "0.0.0.0:4000".to_owned())]
    );
}

#[test]
fn only_what_the_subcommand_that_serves_takes_is_required() {
    let head = "use clap::Parser;\n#[derive(Parser)]\nenum Cli {\n    Serve(ServeOptions),\n    Run(RunOptions),\n}\n#[derive(clap::Args)]\nstruct ServeOptions {\n    #[arg(env = \"SERVE_KEY\")]\n    key: String,\n}\n#[derive(clap::Args)]\nstruct RunOptions {\n    #[arg(env = \"RUN_NAME\")]\n    name: String,\n}\n";
    let main = main_of(head, "let cli = Cli::parse();", "\"0.0.0.0:8080\"");
    let detection = found(&[MANIFEST, ("src/main.rs", main.as_str())]);
    assert_eq!(lines(&detection), ["web /usr/local/bin/a serve [8080]"]);
    assert_eq!(required(&detection), ["SERVE_KEY"]);
}

#[test]
fn one_of_several_variables_is_enough() {
    let start = "let key = std::env::var(\"A_KEY\").or_else(|_| std::env::var(\"B_KEY\")).expect(\"a key\");\n    let home = std::env::var(\"XDG_HOME\").or_else(|_| std::env::var(\"HOME\")).expect(\"a home\");";
    let main = main_of("", start, "\"0.0.0.0:8080\"");
    let detection = found(&[MANIFEST, ("src/main.rs", main.as_str())]);
    assert_eq!(required(&detection), [""; 0]);
    let several = detection
        .environment
        .iter()
        .filter(|one| !one.one_of.is_empty());
    assert_eq!(
        several.map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["A_KEY", "B_KEY"]
    );
}

#[test]
fn what_a_condition_stands_before_is_not_required() {
    let start = "let path = std::env::var(\"PATH\").expect(\"a path\");\n    if let Ok(id) = std::env::var(\"S3_ID\") {\n        let key = std::env::var(\"S3_KEY\").ok().ok_or_else(|| anyhow::anyhow!(\"none\"))?;\n    }\n    match cli.command {\n        Command::Serve => { let token = std::env::var(\"TOKEN\").expect(\"a token\"); }\n    }";
    let main = main_of("", start, "\"0.0.0.0:8080\"");
    let detection = found(&[MANIFEST, ("src/main.rs", main.as_str())]);
    assert_eq!(required(&detection), ["TOKEN"]);
}

#[test]
fn a_module_for_tests_and_benchmarks_is_not_read() {
    let main = main_of(
        "#[cfg(any(test, feature = \"benches\"))]\nmod trial;\n",
        "let config = Config { address: SocketAddr::new(ip, 15020) };",
        "config.address",
    );
    let trial = "pub fn app() {\n    let other = SocketAddr::new(ip, 1000);\n}\n";
    assert_eq!(
        of(&main, &[("src/trial.rs", trial)]),
        ["web /usr/local/bin/a [15020]"]
    );
}

#[test]
fn what_some_settings_lead_to_is_not_required() {
    let head = "fn keys() -> String { std::env::var(\"CLOUD_KEY\").expect(\"a key\") }\nfn traces() -> Option<String> { let key = std::env::var(\"TRACE_KEY\").ok()?; Some(key) }\nfn token() -> String { std::env::var(\"TOKEN\").expect(\"a token\") }\n";
    let start = "let kind = kind();\n    match kind {\n        Kind::Cloud => { keys(); }\n        Kind::Local => {}\n    }\n    traces();\n    let token = token();";
    let main = main_of(head, start, "\"0.0.0.0:8080\"");
    let detection = found(&[MANIFEST, ("src/main.rs", main.as_str())]);
    assert_eq!(required(&detection), ["TOKEN"]);
}

#[test]
fn a_variable_that_has_two_names_has_its_default_behind_both() {
    let main = main_of(
        "",
        "let port: u16 = settings::read_env_or(\"DESK_PORT\", \"PORT\", 8083);",
        "format!(\"{host}:{port}\")",
    );
    assert_eq!(of(&main, &[]), ["web /usr/local/bin/a [8083]"]);
}

#[test]
fn what_only_one_mode_of_a_program_reads_is_not_required() {
    let main = main_of(
        "",
        "match std::env::var(\"DESK_MODE\").as_deref() {\n        Ok(\"database\") => open(std::env::var(\"DATABASE_URL\")?),\n        _ => {}\n    }",
        "\"0.0.0.0:3000\"",
    );
    let detection = found(&[MANIFEST, ("src/main.rs", main.as_str())]);
    assert_eq!(required(&detection), [""; 0]);
    let always = main.replace("std::env::var(\"DESK_MODE\").as_deref()", "cli.command");
    let detection = found(&[MANIFEST, ("src/main.rs", always.as_str())]);
    assert_eq!(required(&detection), ["DATABASE_URL"]);
}

#[test]
fn what_a_macro_waits_for_serves() {
    let main = "use std::net::SocketAddr;\n\n#[tokio::main]\nasync fn main() -> anyhow::Result<()> {\n    let addr = SocketAddr::from(([0, 0, 0, 0], 8080));\n    tokio::select! {\n        biased;\n        done = axum_server::bind(addr).serve(app()) => done?,\n        () = stopped() => {}\n    };\n    Ok(())\n}\n";
    assert_eq!(of(main, &[]), ["web /usr/local/bin/a [8080]"]);
}
