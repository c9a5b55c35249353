//! How long rendering takes: all targets of a stack of twelve services.
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark stops at what it cannot set up"
)]

#[path = "../tests/support/mod.rs"]
#[expect(dead_code, reason = "tests use the rest of it")]
mod support;

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use plimsoll_render::Target;

/// Eight services in Python, pages, and three stores: twelve.
fn stack(directory: &Path) {
    let mut text = String::from("name: bench\nservices:\n");
    for index in 0..8 {
        let source = directory.join(format!("s{index}"));
        fs_err::create_dir_all(&source).unwrap();
        fs_err::write(
            source.join("requirements.txt"),
            "fastapi==0.116.1\nuvicorn==0.35.0\n",
        )
        .unwrap();
        fs_err::write(
            source.join("main.py"),
            "import os\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\
             LEVEL = os.getenv(\"LOG_LEVEL\", \"INFO\")\n\n\n\
             @app.get(\"/health\")\ndef health():\n    return {\"status\": \"ok\"}\n",
        )
        .unwrap();
        let port = 8000 + index;
        write!(
            text,
            "  s{index}:\n    build: ./s{index}\n    command: uvicorn main:app --host 0.0.0.0 --port {port}\n    \
             environment:\n      DATABASE_URL: postgresql://u:${{POSTGRES_PASSWORD:-x}}@postgres:5432/d\n      \
             REDIS_URL: redis://redis:6379/0\n      OPENAI_API_KEY: ${{OPENAI_API_KEY:-}}\n    \
             ports: [\"{port}:{port}\"]\n    networks: [front, back]\n    \
             depends_on: {{ postgres: {{ condition: service_healthy }}, redis: {{ condition: service_started }} }}\n"
        )
        .unwrap();
    }
    let pages = directory.join("pages");
    fs_err::create_dir_all(pages.join("src")).unwrap();
    fs_err::write(
        pages.join("package.json"),
        r#"{"name":"pages","scripts":{"build":"vite build"},"devDependencies":{"vite":"7.0.0"}}"#,
    )
    .unwrap();
    fs_err::write(
        pages.join("index.html"),
        "<script src=/src/main.js></script>\n",
    )
    .unwrap();
    fs_err::write(pages.join("src/main.js"), "document.title = \"x\";\n").unwrap();
    text.push_str(
        "  pages:\n    build: ./pages\n    ports: [\"8080:8080\"]\n    networks: [front]\n  \
         postgres:\n    image: postgres:16\n    environment: { POSTGRES_PASSWORD: \"${POSTGRES_PASSWORD:-x}\" }\n    \
         volumes: [\"data:/var/lib/postgresql/data\"]\n    networks: [back]\n    \
         healthcheck: { test: [CMD, pg_isready] }\n  \
         redis:\n    image: redis:7\n    networks: [back]\n  \
         metrics:\n    image: influxdb:2.7\n    networks: [back]\n\
         networks:\n  front:\n  back: { internal: true }\nvolumes:\n  data:\n",
    );
    fs_err::write(directory.join("compose.yaml"), text).unwrap();
}

fn render(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    stack(directory.path());
    let loaded = support::load(directory.path());
    let first = support::render_loaded(&loaded, Target::ALL);
    criterion.bench_function(
        &format!("all targets of 12 services ({} files)", first.files.len()),
        |bencher| {
            bencher.iter(|| support::render_loaded(black_box(&loaded), Target::ALL));
        },
    );
    for target in Target::ALL {
        criterion.bench_function(&format!("12 services: {target:?}"), |bencher| {
            bencher.iter(|| support::render_loaded(black_box(&loaded), &[*target]));
        });
    }
}

criterion_group!(benches, render);
criterion_main!(benches);
