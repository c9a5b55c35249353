//! Dockerfiles of compiled programs: a builder for the machine that builds, an image with the
//! program and little else.

use std::path::PathBuf;

use plimsoll_model::{GoRecipe, RustRecipe};

use super::script::word;
use super::site::below;
use super::{DIRECTORY, USER, Writer, place};
use crate::ProbeTest;

/// A small program that asks, for images that have no other.
const GO_ASKER: &str = include_str!("healthcheck.go");
const RUST_ASKER: &str = include_str!("healthcheck.rs.txt");

pub(super) fn go(writer: &mut Writer<'_, '_>, go: &GoRecipe) {
    let version = go.version.as_ref().map_or("1.25", |it| it.value.as_str());
    // The builder's Go is at least the one asked for; it fetches no other.
    let minor = version
        .split('.')
        .nth(1)
        .and_then(|minor| minor.parse::<u32>().ok())
        .map_or(25, |minor| minor.max(24));
    let base = writer.base(&format!("golang:1.{minor}-trixie"));
    let root = below("/src", &place::text(&place::plain(&go.root)));
    // Another processor is compiled for, not emulated; a C compiler for it is another matter.
    let from = match go.cgo {
        true => base,
        false => format!("--platform=$BUILDPLATFORM {base}"),
    };
    writer.script.stage(
        &from,
        "base",
        "The toolchain, on the processor of the machine that builds.",
    );
    writer.script.line(&format!("WORKDIR {root}"));
    writer
        .script
        .environment([("GOTOOLCHAIN", "auto"), ("GOFLAGS", "-trimpath")]);
    // A module without dependencies has no `go.sum`.
    let manifests = format!("{}/go.*", writer.place.path(&place::plain(&go.root)));
    writer.script.stage(
        "base",
        "dependencies",
        "Its modules. A private host of them: --secret id=netrc,src=$HOME/.netrc.",
    );
    writer.script.line(&format!("COPY {manifests} ./"));
    let netrc = "type=secret,id=netrc,target=/root/.netrc".to_owned();
    writer
        .script
        .run(&mounts(&[netrc]), &["go mod download".to_owned()]);

    writer
        .script
        .stage("dependencies", "builder", "The program.");
    let directory = writer.place.directory();
    writer.script.line(&format!("COPY {directory} /src/"));
    writer.script.line("ARG TARGETOS");
    writer.script.line("ARG TARGETARCH");
    let tags = match go.tags.is_empty() {
        true => String::new(),
        false => format!(" -tags={}", word(&go.tags.join(","))),
    };
    let cgo = u8::from(go.cgo);
    let compile = format!(
        "CGO_ENABLED={cgo} GOOS=${{TARGETOS}} GOARCH=${{TARGETARCH}} go build -buildvcs=false -ldflags='-s -w -buildid='"
    );
    writer.script.run(
        &mounts(&[]),
        &[format!(
            "{compile}{tags} -o /out/program {}",
            word(&go.package)
        )],
    );
    let asks = asks(writer);
    if asks {
        let name = format!("{DIRECTORY}/healthcheck.go");
        writer.rendering.file(name.clone(), GO_ASKER);
        writer.script.line(&format!("COPY {name} /asker/main.go"));
        writer.script.run(
            &mounts(&[]),
            &[
                "cd /asker".to_owned(),
                "CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -buildvcs=false -ldflags='-s -w -buildid=' -o /out/healthcheck main.go"
                    .to_owned(),
            ],
        );
    }
    development(
        writer,
        "dependencies",
        &root,
        &["go", "run", go.package.as_str()],
        &["go", "test", "./..."],
    );
    let runtime = match go.cgo || !writer.recipe.system_packages.is_empty() {
        true => writer.base("debian:trixie-slim"),
        false => "scratch".to_owned(),
    };
    running(writer, &runtime, "/out/program", asks, &go.data, &go.root);
}

pub(super) fn rust(writer: &mut Writer<'_, '_>, rust: &RustRecipe) {
    let base = writer.base("rust:1.91-slim-trixie");
    let root = below("/src", &place::text(&place::plain(&rust.root)));
    writer.script.stage(&base, "base", "The toolchain.");
    writer.script.line(&format!("WORKDIR {root}"));
    writer.script.stage(
        "base",
        "builder",
        "The program. Crates and what is compiled of them are in caches.\nA private registry: --secret id=cargo,src=$HOME/.cargo/credentials.toml.",
    );
    let directory = writer.place.directory();
    writer.script.line(&format!("COPY {directory} /src/"));
    let features = match rust.features.is_empty() {
        true => String::new(),
        false => format!(" --features {}", word(&rust.features.join(","))),
    };
    let caches = [
        "type=cache,target=/usr/local/cargo/registry".to_owned(),
        "type=cache,target=/usr/local/cargo/git".to_owned(),
        "type=cache,target=/target".to_owned(),
        "type=secret,id=cargo,target=/usr/local/cargo/credentials.toml".to_owned(),
    ];
    writer.script.run(
        &caches,
        &[
            format!(
                "cargo build --release --locked --target-dir /target --package {} --bin {}{features}",
                word(&rust.package),
                word(&rust.binary)
            ),
            format!("install -D /target/release/{} /out/program", word(&rust.binary)),
        ],
    );
    let asks = asks(writer);
    if asks {
        let name = format!("{DIRECTORY}/healthcheck.rs");
        writer.rendering.file(name.clone(), RUST_ASKER);
        writer.script.line(&format!("COPY {name} /asker/main.rs"));
        writer.script.run(
            &[],
            &["rustc --edition 2024 -C opt-level=s -C strip=symbols -o /out/healthcheck /asker/main.rs".to_owned()],
        );
    }
    development(
        writer,
        "builder",
        &root,
        &[
            "cargo",
            "run",
            "--package",
            rust.package.as_str(),
            "--bin",
            rust.binary.as_str(),
        ],
        &["cargo", "test", "--locked"],
    );
    let runtime = writer.base("debian:trixie-slim");
    running(
        writer,
        &runtime,
        "/out/program",
        asks,
        &rust.data,
        &rust.root,
    );
}

fn mounts(more: &[String]) -> Vec<String> {
    let mut mounts = vec![
        "type=cache,target=/go/pkg/mod".to_owned(),
        "type=cache,target=/root/.cache/go-build".to_owned(),
    ];
    mounts.extend(more.iter().cloned());
    mounts
}

/// Whether its health is asked for over the network.
fn asks(writer: &Writer<'_, '_>) -> bool {
    matches!(
        writer.one.probe.as_ref().map(|probe| &probe.test),
        Some(ProbeTest::Http { .. } | ProbeTest::Tcp { .. })
    )
}

fn development(writer: &mut Writer<'_, '_>, from: &str, root: &str, run: &[&str], test: &[&str]) {
    let directory = writer.place.directory();
    writer.script.stage(
        from,
        "dev",
        "For development: compiles and runs; start it again after a change.",
    );
    if from == "dependencies" {
        writer.script.line(&format!("COPY {directory} /src/"));
    }
    writer.script.line(&format!("WORKDIR {root}"));
    for port in writer.recipe.ports.clone() {
        writer.script.line(&format!("EXPOSE {port}"));
    }
    let words = |words: &[&str]| -> Vec<String> { words.iter().map(|&it| it.to_owned()).collect() };
    writer.script.exec("CMD", &words(run));
    writer
        .script
        .stage("dev", "test", "The project's own tests, inside its image.");
    writer.script.exec("CMD", &words(test));
}

fn running(
    writer: &mut Writer<'_, '_>,
    runtime: &str,
    program: &str,
    asks: bool,
    data: &[PathBuf],
    root: &std::path::Path,
) {
    let command = writer.command();
    let name = command
        .first()
        .filter(|word| word.starts_with('/'))
        .cloned()
        .unwrap_or_else(|| {
            format!(
                "/usr/local/bin/{}",
                command.first().map_or(writer.one.name(), String::as_str)
            )
        });
    let tail: Vec<String> = command.into_iter().skip(1).collect();
    let mut full = vec![name.clone()];
    full.extend(tail);
    let packages: Vec<String> = writer
        .recipe
        .system_packages
        .iter()
        .map(|package| package.value.clone())
        .collect();
    let mut stages = vec![
        (
            "slim",
            runtime.to_owned(),
            "The same: nothing in it is there for comfort.",
        ),
        (
            "debug",
            writer.base("debian:trixie-slim"),
            "The program in a system with a shell and tools.",
        ),
        (
            "production",
            runtime.to_owned(),
            "What is published and runs.",
        ),
    ];
    if runtime == "scratch" {
        writer.script.stage(
            "base",
            "skeleton",
            "What a static program needs besides itself: authorities, time zones, its user, /tmp.",
        );
        writer.script.run(
            &[],
            &[
                "mkdir -p /skeleton/etc/ssl/certs /skeleton/usr/share /skeleton/tmp /skeleton/home".to_owned(),
                format!("install --directory --owner={USER} --group={USER} /skeleton/app"),
                format!("install --directory --mode=700 --owner={USER} --group={USER} /skeleton/home/app"),
                "cp /etc/ssl/certs/ca-certificates.crt /skeleton/etc/ssl/certs/".to_owned(),
                "if [ -d /usr/share/zoneinfo ]; then cp -r /usr/share/zoneinfo /skeleton/usr/share/; fi".to_owned(),
                format!("echo 'app:x:{USER}:{USER}:app:/home/app:/sbin/nologin' > /skeleton/etc/passwd"),
                format!("echo 'app:x:{USER}:' > /skeleton/etc/group"),
                "chmod 1777 /skeleton/tmp".to_owned(),
            ]
            .into_iter()
            .chain(writer.volume_directories().iter().map(|path| {
                format!("install --directory --owner={USER} --group={USER} /skeleton{path}")
            }))
            .collect::<Vec<_>>(),
        );
    }
    for (stage, from, what) in stages.drain(..) {
        writer.script.stage(&from, stage, what);
        if from == "scratch" {
            writer.script.line("COPY --from=skeleton /skeleton/ /");
        } else {
            let mut wanted: Vec<&str> = packages.iter().map(String::as_str).collect();
            wanted.push("ca-certificates");
            if stage == "debug" {
                wanted.extend(["curl", "procps", "strace"]);
            }
            writer.install(&wanted);
            writer.user();
            writer.script.run(
                &[],
                &[format!(
                    "install --directory --owner={USER} --group={USER} /app"
                )],
            );
            writer.volumes(USER);
        }
        let environment = writer.recipe.environment.clone();
        writer.script.line("ENV HOME=/home/app");
        writer.script.environment(
            environment
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        if asks {
            writer.script.line(&format!(
                "COPY --from=builder /out/healthcheck {}",
                crate::health::ASKER
            ));
        }
        for path in data {
            let path = place::plain(path);
            let relative = path
                .strip_prefix(place::plain(root))
                .unwrap_or(&path)
                .to_owned();
            writer.script.line(&format!(
                "COPY {} /app/{}",
                writer.place.path(&path),
                place::text(&relative)
            ));
        }
        writer
            .script
            .line(&format!("COPY --from=builder {program} {name}"));
        writer.start(&full);
    }
}
