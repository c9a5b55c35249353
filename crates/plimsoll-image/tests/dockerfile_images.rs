//! Dockerfiles, built for real on systems that stand in for images of others.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by a panic, and shows what it built"
)]

mod support;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use plimsoll_diag::Spanned;
use plimsoll_image::builder::{BuildError, BuildRequest, BuiltImage, Outcome};
use plimsoll_model::{BuildNetwork, BuildRecipe, DockerfileRecipe, DockerfileSource, RecipeKind};
use support::Bench;

fn recipe(context: &Path, text: &str) -> BuildRecipe {
    BuildRecipe {
        context: context.to_owned(),
        kind: RecipeKind::Dockerfile(DockerfileRecipe {
            source: DockerfileSource::Inline(Spanned::unplaced(text.to_owned())),
            target: None,
            args: vec![("GIVEN".to_owned(), Some("given".to_owned()))],
            contexts: Vec::new(),
            secrets: vec![("key".to_owned(), context.join("secret.txt"))],
            ssh: Vec::new(),
            labels: Vec::new(),
            network: BuildNetwork::Host,
            shm_size: None,
        }),
        system_packages: Vec::new(),
        environment: Vec::new(),
        command: Vec::new(),
        working_dir: PathBuf::new(),
        ports: Vec::new(),
        pages: Vec::new(),
    }
}

fn build(bench: &Bench, context: &Path, text: &str) -> Result<BuiltImage, BuildError> {
    let builder = bench.builder();
    let recipe = recipe(context, text);
    let request = BuildRequest::new(
        "test",
        "dockerfile-test:latest",
        &recipe,
        builder.architecture(),
    );
    builder.build(&request)
}

fn built(bench: &Bench, context: &Path, text: &str) -> BuiltImage {
    build(bench, context, text).unwrap_or_else(|error| panic!("{:#?}", error.diagnostic()))
}

/// What the error says, with its place.
fn refused(bench: &Bench, context: &Path, text: &str) -> String {
    let diagnostic = build(bench, context, text).unwrap_err().diagnostic();
    println!("{diagnostic:?}");
    let place = diagnostic.span.map(|span| span.to_string());
    format!("{} {}", place.unwrap_or_default(), diagnostic.message)
}

/// Where a path of the image is on this machine: in the highest layer that has it.
fn find(bench: &Bench, image: &BuiltImage, path: &str) -> Option<PathBuf> {
    image.image.layers.iter().rev().find_map(|layer| {
        let place = bench.store.unpacked(layer).unwrap().join(path);
        fs_err::symlink_metadata(&place).ok().map(|_| place)
    })
}

fn text(bench: &Bench, image: &BuiltImage, path: &str) -> String {
    fs_err::read_to_string(find(bench, image, path).unwrap()).unwrap()
}

fn context(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    root
}

const MANY: &str = r#"# syntax=docker/dockerfile:1
ARG RELEASE=bookworm
FROM debian:${RELEASE}-slim AS builder
ARG GIVEN=default
WORKDIR /src
COPY app/ ./
RUN <<EOF
set -e
cat hello.txt > /out.txt
echo "$GIVEN $RELEASE" >> /out.txt
rm /usr/share/doc/bash/copyright
EOF
FROM debian:bookworm-slim AS unneeded
RUN exit 1
FROM debian:${RELEASE}-slim
RUN useradd --uid 1000 app
RUN --mount=type=secret,id=key,target=/key --mount=type=cache,target=/var/cache/x \
    test -d /var/cache/x && touch /var/cache/x/kept
COPY --from=builder --chown=app:app --chmod=640 /out.txt /srv/www/index.html
COPY <<one.txt <<'two.txt' /srv/
released $HOME
one.txt
as written $HOME
two.txt
ENV HOME=/srv A="b c"
USER app
WORKDIR /srv
EXPOSE 8080
HEALTHCHECK --interval=5s CMD ["true"]
ENTRYPOINT ["sh", "-c"]
CMD ["id -u"]
"#;

#[test]
fn stages_commands_and_copies_come_together_once() {
    let Some(bench) = Bench::open("stages") else {
        return;
    };
    let context = context(&[
        ("app/hello.txt", "hello\n"),
        ("app/left.out", "x"),
        ("secret.txt", "0123456789"),
        (".dockerignore", "**/*.out\n"),
    ]);
    let first = built(&bench, context.path(), MANY);
    assert_eq!(
        text(&bench, &first, "srv/www/index.html"),
        "hello\ngiven \n"
    );
    let index = find(&bench, &first, "srv/www/index.html").unwrap();
    let metadata = fs_err::metadata(index).unwrap();
    assert_eq!(
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777),
        (1000, 1000, 0o640)
    );
    assert!(find(&bench, &first, "key").is_none());
    assert!(find(&bench, &first, "var/cache/x/kept").is_none());
    assert_eq!(text(&bench, &first, "srv/one.txt"), "released \n");
    assert_eq!(text(&bench, &first, "srv/two.txt"), "as written $HOME\n");
    let config = &first.image.config;
    assert_eq!(config.user, "app");
    assert_eq!(config.working_dir, "/srv");
    assert!(config.environment.contains(&("A".into(), "b c".into())));
    assert_eq!(config.command, ["id -u"]);
    let again = built(&bench, context.path(), MANY);
    assert_eq!(again.outcome, Outcome::Cached);
    assert_eq!(again.image.manifest, first.image.manifest);
    // A file that no instruction copies changes nothing; one that is copied does.
    fs_err::write(context.path().join("app/left.out"), "y").unwrap();
    assert_eq!(built(&bench, context.path(), MANY).outcome, Outcome::Cached);
    // Nor has an earlier run of this test, whose directory may be kept, copied these words.
    let other = format!("{}\n", context.path().display());
    fs_err::write(context.path().join("app/hello.txt"), &other).unwrap();
    let changed = built(&bench, context.path(), MANY);
    assert_eq!(changed.outcome, Outcome::Built);
    assert!(text(&bench, &changed, "srv/www/index.html").starts_with(&other));
}

#[test]
fn packages_can_be_installed_in_a_system() {
    let Some(bench) = Bench::open("packages") else {
        return;
    };
    let context = context(&[]);
    let image = built(
        &bench,
        context.path(),
        "FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y --no-install-recommends jq && rm -rf /var/lib/apt/lists/* && jq --version > /version\n",
    );
    assert!(text(&bench, &image, "version").starts_with("jq-"));
    // The machine's mirrors are nowhere in the image.
    assert!(find(&bench, &image, "etc/apt/sources.list.d/machine.sources").is_none());
    assert!(find(&bench, &image, "etc/apt/apt.conf.d/machine.conf").is_none());
    let status = text(&bench, &image, "var/lib/dpkg/status");
    assert!(status.contains("Package: jq\n"));
}

#[test]
fn languages_are_there() {
    let Some(bench) = Bench::open("languages") else {
        return;
    };
    let context = context(&[("requirements.txt", "idna==3.10\n"), ("package.json", "{}")]);
    let python = built(
        &bench,
        context.path(),
        "FROM python:3.12-slim AS builder\nCOPY requirements.txt .\nRUN pip install --no-cache-dir -r requirements.txt\nFROM python:3.12-slim\nCOPY --from=builder /usr/local/lib/python3.12/site-packages /usr/local/lib/python3.12/site-packages\nRUN python -c 'import idna; print(idna.__version__)' > /version\n",
    );
    assert_eq!(text(&bench, &python, "version").trim(), "3.10");
    let node = built(
        &bench,
        context.path(),
        "FROM node:20-slim\nWORKDIR /app\nCOPY package.json .\nRUN npm install left-pad@1.3.0 && node -p 'require(\"left-pad\")(1, 3)' > /padded\n",
    );
    assert_eq!(text(&bench, &node, "padded").trim(), "1");
}

#[test]
fn extensions_of_python_are_compiled() {
    let Some(bench) = Bench::open("extensions") else {
        return;
    };
    let context = context(&[("module.c", MODULE)]);
    let image = built(
        &bench,
        context.path(),
        "FROM python:3.13-slim-trixie AS builder\nRUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*\nCOPY module.c .\nRUN gcc -shared -fPIC $(python3-config --includes) -o /seven.so module.c\nFROM python:3.13-slim-trixie\nCOPY --from=builder /seven.so /\nRUN cd / && python -c 'import seven; print(seven.value)' > /version\n",
    );
    assert_eq!(text(&bench, &image, "version").trim(), "7");
}

const MODULE: &str = r#"#include <Python.h>

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "seven", NULL, -1, NULL};

PyMODINIT_FUNC PyInit_seven(void) {
    PyObject *module = PyModule_Create(&definition);
    PyModule_AddIntConstant(module, "value", 7);
    return module;
}
"#;

#[test]
fn go_compiles_with_c() {
    let Some(bench) = Bench::open("go") else {
        return;
    };
    let context = context(&[
        ("go.mod", "module example.com/seven\n\ngo 1.24\n"),
        ("main.go", PROGRAM),
    ]);
    let image = built(
        &bench,
        context.path(),
        "FROM golang:1.25-trixie AS builder\nWORKDIR /src\nCOPY . .\nRUN go build -o /seven . && /seven > /version\nFROM scratch\nCOPY --from=builder /version /version\n",
    );
    assert_eq!(text(&bench, &image, "version").trim(), "7");
}

const PROGRAM: &str = r#"package main

// static int seven(void) { return 7; }
import "C"

import "fmt"

func main() { fmt.Println(C.seven()) }
"#;

#[test]
fn what_cannot_be_done_is_told_with_its_place() {
    let Some(bench) = Bench::open("refusals") else {
        return;
    };
    let context = context(&[("a.txt", "x"), ("secret.txt", "0123456789")]);
    std::os::unix::fs::symlink("/etc/shadow", context.path().join("out")).unwrap();
    let of = |text: &str| refused(&bench, context.path(), text);
    let system = "FROM debian:bookworm-slim\n";
    assert_eq!(
        of(&format!("{system}COPY none.txt /\n")),
        "dockerfile_inline:2:6 there is no `none.txt` in the build context"
    );
    assert!(of(&format!("{system}COPY ../../etc/passwd /\n")).contains("there is no"));
    assert!(of(&format!("{system}COPY out /\n")).contains("there is no `out`"));
    assert!(of("FROM scratch\nCOPY --from=7 /x /\n").contains("no stage `7`"));
    assert!(
        of("FROM scratch AS x\nCOPY --from=b /x /\nFROM x AS b\n")
            .contains("is not before this one")
    );
    let failed = of(&format!("{system}RUN echo why >&2; exit 3\n"));
    assert!(failed.starts_with("dockerfile_inline:2:1 "), "{failed}");
    assert!(
        failed.contains("exit code 3") && failed.contains("why"),
        "{failed}"
    );
    let leaked = of(&format!(
        "{system}RUN --mount=type=bind,source=secret.txt,target=/s --mount=type=secret,id=key cp /s /leaked\n"
    ));
    assert!(
        leaked.contains("the secret `key` is in `/leaked`"),
        "{leaked}"
    );
    assert!(of(&format!("{system}ADD https://git.example/a.git /a\n")).contains("git repository"));
}

#[test]
fn what_is_removed_is_gone_and_links_stay_links() {
    let Some(bench) = Bench::open("removals") else {
        return;
    };
    let context = context(&[]);
    let image = built(
        &bench,
        context.path(),
        "FROM debian:bookworm-slim AS a\nRUN mkdir -p /d/e && echo x > /d/e/one && ln /d/e/one /d/a && ln -s one /d/e/s && echo y > /gone\nRUN rm /gone && rm -rf /d/e && mkdir /d/e && echo z > /d/e/two\nFROM scratch\nCOPY --from=a /d /d\n",
    );
    assert_eq!(text(&bench, &image, "d/a"), "x\n");
    assert_eq!(text(&bench, &image, "d/e/two"), "z\n");
    assert!(find(&bench, &image, "d/e/one").is_none());
    assert_eq!(image.image.layers.len(), 1);
}
