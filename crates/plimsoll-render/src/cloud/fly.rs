//! An app of Fly.io.

use serde::Serialize;
use std::collections::BTreeMap;

use super::Tenant;

#[derive(Serialize)]
struct App<'a> {
    app: String,
    kill_timeout: &'static str,
    build: Build,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    env: &'a BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    processes: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_service: Option<HttpService>,
    vm: Vec<Machine>,
}

#[derive(Serialize)]
struct Build {
    dockerfile: String,
    #[serde(rename = "build-target")]
    target: &'static str,
}

#[derive(Serialize)]
struct HttpService {
    internal_port: u16,
    force_https: bool,
    auto_stop_machines: &'static str,
    auto_start_machines: bool,
    min_machines_running: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Check {
    grace_period: &'static str,
    interval: &'static str,
    method: &'static str,
    timeout: &'static str,
    path: String,
}

#[derive(Serialize)]
struct Machine {
    size: &'static str,
    memory: String,
}

/// The text that `fly deploy --config` reads; secrets are set by `fly secrets set`.
pub(super) fn configuration(tenant: &Tenant<'_>) -> String {
    let check = tenant.health().map(|path| Check {
        grace_period: "30s",
        interval: "15s",
        method: "GET",
        timeout: "5s",
        path: path.to_owned(),
    });
    let http_service = tenant.port().map(|internal_port| HttpService {
        internal_port,
        force_https: true,
        auto_stop_machines: "suspend",
        auto_start_machines: true,
        min_machines_running: 1,
        checks: check.into_iter().collect(),
    });
    let command = tenant.command().map(|words| {
        let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        ("app", quoted.join(" "))
    });
    let app = App {
        app: tenant.name(),
        kill_timeout: "30s",
        build: Build {
            // From the file's own directory.
            dockerfile: format!("../../docker/{}.Dockerfile", tenant.one.name()),
            target: "production",
        },
        env: &tenant.plain,
        processes: command.into_iter().collect(),
        http_service,
        vm: vec![Machine {
            size: match tenant.cpus() > 1.0 {
                true => "shared-cpu-2x",
                false => "shared-cpu-1x",
            },
            memory: format!("{}mb", tenant.mebibytes().next_multiple_of(256)),
        }],
    };
    // Tables of text, numbers and lists of them are all that TOML can say.
    toml::to_string(&app).expect("our types serialise to TOML")
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_shell_are_quoted() {
        assert_eq!(quoted("--port=80"), "--port=80");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
