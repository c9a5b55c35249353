//! What other people's programs make of our images: scanners must see every package that the
//! software bill lists, and cosign must believe what is signed and nothing else.
//!
//! Each program is asked only where the machine has it. Nothing but the loopback is spoken to.

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::stage::{Stage, eventually, output};

const PYTHON: &str = r#"import http.server

import itsdangerous
import markupsafe

http.server.ThreadingHTTPServer(("0.0.0.0", 8000), http.server.SimpleHTTPRequestHandler).serve_forever()
"#;

const NODE: &str = r#"const http = require("node:http");
const ms = require("ms");

http.createServer((request, response) => response.end(ms(60000))).listen(3000);
"#;

const GO: &str = r#"package main

import (
	"fmt"
	"net/http"

	"github.com/cespare/xxhash/v2"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, xxhash.Sum64String(r.URL.Path))
	})
	http.ListenAndServe(":8080", nil)
}
"#;

const RUST: &str = r#"use std::io::Write;

fn main() {
    let listener = std::net::TcpListener::bind("0.0.0.0:8080").unwrap();
    for stream in listener.incoming() {
        let place = memchr::memchr(b'n', b"banana").unwrap();
        let mut buffer = itoa::Buffer::new();
        let _ = stream.unwrap().write_all(buffer.format(place).as_bytes());
    }
}
"#;

const COMPOSE: &str = "services:\n  python:\n    build: ./python\n    command: python server.py\n  \
node:\n    build: ./node\n  go:\n    build: ./go\n  rust:\n    build: ./rust\n";

/// The services of the project, one of each language.
const SERVICES: [&str; 4] = ["python", "node", "go", "rust"];

fn project(name: &str) -> Option<Stage> {
    let stage = Stage::empty(name)?;
    stage.write("compose.yaml", COMPOSE);
    stage.write(
        "python/requirements.txt",
        "itsdangerous==2.2.0\nmarkupsafe==3.0.2\n",
    );
    stage.write("python/server.py", PYTHON);
    stage.write(
        "node/package.json",
        r#"{"name": "node", "version": "1.0.0", "scripts": {"start": "node server.js"}, "dependencies": {"ms": "2.1.3"}}"#,
    );
    stage.write("node/server.js", NODE);
    stage.write(
        "go/go.mod",
        "module example.com/go\n\ngo 1.24\n\nrequire github.com/cespare/xxhash/v2 v2.3.0\n",
    );
    stage.write("go/main.go", GO);
    stage.write(
        "rust/Cargo.toml",
        "[package]\nname = \"rust\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n\
         [dependencies]\nitoa = \"1\"\nmemchr = \"2\"\n",
    );
    stage.write("rust/src/main.rs", RUST);
    Some(stage)
}

/// Whether a program can be started; says so where it cannot.
fn is_there(program: &str, question: &str) -> bool {
    let asked = Command::new(program)
        .arg(question)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if asked.is_err() {
        eprintln!("skipped: there is no `{program}` program");
    }
    asked.is_ok()
}

/// A program that sees a network of its own in which nothing is.
fn alone(program: &str, arguments: &[&str], home: &Path) -> Output {
    Command::new("unshare")
        .args(["--net", program])
        .args(arguments)
        .env("HOME", home)
        .env("TMPDIR", home)
        .env("SYFT_CHECK_FOR_APP_UPDATE", "false")
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// What a package URL means, in one way of writing it.
///
/// Syft states the major version of a Go module as a path inside of it, Trivy the epoch of a
/// Debian version as a qualifier and Go's own library as a version of Git.
fn plain(url: &str) -> String {
    let (rest, inside) = url.split_once('#').unwrap_or((url, ""));
    let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let (name, version) = rest.rsplit_once('@').unwrap_or((rest, ""));
    let epoch = qualifiers
        .split('&')
        .find_map(|qualifier| qualifier.strip_prefix("epoch="));
    let mut version = version.replace("%2B", "+").replace("%3A", ":");
    if let Some(epoch) = epoch
        && !version.starts_with(&format!("{epoch}:"))
    {
        version = format!("{epoch}:{version}");
    }
    let mut name = name.replace("%2B", "+").replace("%40", "@");
    if name.starts_with("pkg:golang/") {
        if !inside.is_empty() {
            name = format!("{name}/{inside}");
        }
        if name.ends_with("/stdlib") {
            version = version.trim_start_matches('v').to_owned();
        }
        if version == "%28devel%29" || version == "(devel)" {
            version.clear();
        }
    }
    format!("{name} {version}")
}

#[test]
fn one_package_is_written_in_one_way() {
    for (theirs, ours) in [
        (
            "pkg:golang/github.com/cespare/xxhash@v2.3.0#v2",
            "pkg:golang/github.com/cespare/xxhash/v2@v2.3.0",
        ),
        (
            "pkg:deb/debian/zlib1g@1.3.1-1%2Bb1?arch=amd64&epoch=1",
            "pkg:deb/debian/zlib1g@1:1.3.1-1+b1?arch=amd64",
        ),
        ("pkg:golang/stdlib@v1.26.1", "pkg:golang/stdlib@1.26.1"),
    ] {
        assert_eq!(plain(theirs), plain(ours));
    }
    assert_ne!(plain("pkg:npm/a@1"), plain("pkg:npm/a@2"));
}

fn listed(bill: &Value, list: &str, url: &str) -> BTreeSet<String> {
    let entries = bill[list].as_array().into_iter().flatten();
    let urls = entries.filter_map(|entry| entry.pointer(url)?.as_str());
    urls.map(plain).collect()
}

/// What a scanner lists beside packages: the application itself, which is no package of an
/// ecosystem; and Go once more, by the version that a program names, whose library is listed.
fn is_beside(url: &str) -> bool {
    ["pkg:npm/node ", "pkg:generic/go "]
        .iter()
        .any(|beside| url.starts_with(beside))
}

fn compare(scanner: &str, service: &str, ours: &BTreeSet<String>, theirs: &BTreeSet<String>) {
    // Trivy looks for packages alone, and recognises no interpreter by its bytes.
    let unseen: Vec<_> = ours
        .difference(theirs)
        .filter(|url| scanner != "trivy" || !url.starts_with("pkg:generic/"))
        .collect();
    assert!(
        unseen.is_empty(),
        "{scanner} misses in {service}: {unseen:?}"
    );
    let more: Vec<_> = theirs
        .difference(ours)
        .filter(|url| !is_beside(url))
        .collect();
    assert!(
        more.is_empty(),
        "only {scanner} sees in {service}: {more:?}"
    );
}

#[test]
fn scanners_see_every_package_of_the_bill() {
    let (syft, trivy) = (is_there("syft", "version"), is_there("trivy", "--version"));
    if !syft && !trivy {
        return;
    }
    let Some(stage) = project("scanned") else {
        return;
    };
    let home = stage.runtime().join("../scanners");
    std::fs::create_dir_all(&home).unwrap();
    for service in SERVICES {
        let layout = home.join(service);
        let layout = layout.display();
        let output = format!("oci:{layout}");
        stage.succeed(&["build", service, "--output", &output]);
        let bill = stage.succeed(&["sbom", service]);
        let bill: Value = serde_json::from_str(&bill.stdout).unwrap();
        let ours = listed(&bill, "components", "/purl");
        assert!(!ours.is_empty(), "{service}: {bill}");
        if syft {
            let source = format!("oci-dir:{layout}");
            let found = json(&alone("syft", &["-q", &source, "-o", "syft-json"], &home));
            compare(
                "syft",
                service,
                &ours,
                &listed(&found, "artifacts", "/purl"),
            );
        }
        if trivy {
            let words = "image --quiet --list-all-pkgs --offline-scan --skip-db-update \
                         --skip-java-db-update --skip-version-check --scanners license --format json --input";
            let mut words: Vec<&str> = words.split_whitespace().collect();
            let source = layout.to_string();
            words.push(&source);
            let found = json(&alone("trivy", &words, &home));
            let results = found["Results"].as_array().into_iter().flatten();
            let theirs = results
                .flat_map(|result| listed(result, "Packages", "/Identifier/PURL"))
                .collect();
            compare("trivy", service, &ours, &theirs);
        }
    }
}

/// A registry server, until dropped.
struct Registry {
    child: Child,
    host: String,
}

impl Registry {
    /// One that lists referrers itself: the program that `PLIMSOLL_TEST_REGISTRY` names, which is
    /// given the address to listen on. Debian has none.
    fn that_lists_referrers() -> Option<Self> {
        let Some(program) = std::env::var_os("PLIMSOLL_TEST_REGISTRY") else {
            eprintln!("skipped: PLIMSOLL_TEST_REGISTRY names no registry that lists referrers");
            return None;
        };
        let host = free_address();
        let child = Command::new(program)
            .arg(&host)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("the registry answers", || TcpStream::connect(&host).ok());
        Some(Self { child, host })
    }

    /// Debian's, which knows nothing of referrers.
    fn start(directory: &Path) -> Option<Self> {
        let host = free_address();
        let file = directory.join("registry.yml");
        let blobs = directory.join("registry");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{host}'}}\n",
            blobs.display()
        );
        std::fs::write(&file, text).unwrap();
        let started = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = started else {
            eprintln!("skipped: there is no `docker-registry` to start");
            return None;
        };
        eventually("the registry answers", || TcpStream::connect(&host).ok());
        Some(Self { child, host })
    }
}

/// An address of the loopback that nobody listens on.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Cosign in a directory of its own. What it may want of the world it does not get.
struct Cosign {
    home: PathBuf,
}

impl Cosign {
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new("cosign")
            .args(arguments)
            .current_dir(&self.home)
            .env("HOME", &self.home)
            .env("COSIGN_PASSWORD", "a password")
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .unwrap()
    }

    /// Verifies with a key and without a transparency log, in which nothing of ours is.
    fn verify(&self, words: &[&str], key: &str, image: &str) -> Output {
        let how = [
            "--key",
            key,
            "--insecure-ignore-tlog=true",
            "--allow-http-registry",
        ];
        self.run(&[words, &how, &[image]].concat())
    }
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[test]
fn cosign_believes_what_is_signed_and_nothing_else() {
    if !is_there("cosign", "version") {
        return;
    }
    let Some(stage) = project("signed") else {
        return;
    };
    let home = stage.runtime().join("../cosign");
    std::fs::create_dir_all(&home).unwrap();
    let Some(registry) = Registry::start(&home) else {
        return;
    };
    let cosign = Cosign { home: home.clone() };
    // A key of cosign's own, sealed with a password, and one of ours.
    for prefix in ["theirs", "other"] {
        let made = cosign.run(&["generate-key-pair", "--output-key-prefix", prefix]);
        assert!(made.status.success(), "{}", text(&made));
    }
    stage.succeed(&["build", "go", "rust"]);
    stage.succeed(&["sign", "--generate-key"]);
    let project = stage.project().display().to_string();
    let theirs = home.join("theirs.key").display().to_string();
    let place = format!("{}/team", registry.host);
    for (service, private, public, bill, kind) in [
        (
            "go",
            theirs,
            "theirs.pub".to_owned(),
            "--sbom=cyclonedx",
            "cyclonedx",
        ),
        (
            "rust",
            format!("{project}/plimsoll.key"),
            format!("{project}/plimsoll.pub"),
            "--sbom=spdx",
            "spdxjson",
        ),
    ] {
        let mut push = stage.command(&[
            "push",
            service,
            "--to",
            &place,
            "--tag",
            "1",
            "--provenance",
            bill,
            "--sign",
            &private,
        ]);
        if service == "go" {
            push.env("COSIGN_PASSWORD", "a password");
        }
        let pushed = output(&mut push);
        assert!(pushed.status.success(), "{}", text(&pushed));
        let image = format!("{place}/signed-{service}:1");
        let verified = cosign.verify(&["verify"], &public, &image);
        assert!(verified.status.success(), "{}", text(&verified));
        for predicate in ["slsaprovenance1", kind] {
            let words = ["verify-attestation", "--type", predicate];
            let verified = cosign.verify(&words, &public, &image);
            assert!(
                verified.status.success(),
                "{predicate}: {}",
                text(&verified)
            );
        }
        for words in [
            &["verify"][..],
            &["verify-attestation", "--type", "slsaprovenance1"],
        ] {
            let refused = cosign.verify(words, "other.pub", &image);
            assert!(!refused.status.success(), "{}", text(&refused));
        }
    }
    // What was not attached is not found, whatever else is signed there.
    let image = format!("{place}/signed-go:1");
    let words = ["verify-attestation", "--type", "spdxjson"];
    assert!(!cosign.verify(&words, "theirs.pub", &image).status.success());
}

#[test]
fn a_registry_that_lists_referrers_gives_back_what_is_attached() {
    let Some(registry) = Registry::that_lists_referrers() else {
        return;
    };
    let Some(stage) = project("listed") else {
        return;
    };
    let home = stage.runtime().join("../listed");
    std::fs::create_dir_all(&home).unwrap();
    stage.succeed(&["build", "go"]);
    stage.succeed(&["sign", "--generate-key"]);
    let project = stage.project().display().to_string();
    let (private, public) = (
        format!("{project}/plimsoll.key"),
        format!("{project}/plimsoll.pub"),
    );
    let place = format!("{}/team", registry.host);
    let push = ["push", "go", "--to", &place, "--tag", "1", "--sbom"];
    let attached = ["--provenance", "--sign", &private];
    stage.succeed(&[&push[..], &attached].concat());
    let image = format!("{place}/listed-go:1");
    let told = stage.succeed(&["verify", "--key", &public, &image]);
    let told = format!("{}{}", told.stdout, told.stderr);
    assert!(
        told.contains("slsa.dev") || told.contains("provenance"),
        "{told}"
    );
    if is_there("cosign", "version") {
        let cosign = Cosign { home };
        for words in [
            &["verify"][..],
            &["verify-attestation", "--type", "slsaprovenance1"],
        ] {
            let verified = cosign.verify(words, &public, &image);
            assert!(verified.status.success(), "{}", text(&verified));
        }
    }
}
