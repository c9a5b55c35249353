//! How long loading takes: one service with every key, and many services.
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark stops at what it cannot set up"
)]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use plimsoll_model::compose::{LoadOptions, load};

/// Every key of a service that can stand beside the others: not `container_name` (there are two
/// containers), `extends`, `ipc: service:`, `network_mode` and `provider`.
const EVERY_KEY: &str = include_str!("every-key.yaml");

fn project(text: &str) -> (tempfile::TempDir, LoadOptions) {
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("compose.yaml"), text).unwrap();
    fs_err::write(directory.path().join("service.env"), "FROM_FILE=1\n").unwrap();
    fs_err::write(directory.path().join("service.labels"), "from.file=1\n").unwrap();
    let options = LoadOptions {
        directory: directory.path().to_path_buf(),
        project_name: Some("bench".to_owned()),
        ..LoadOptions::default()
    };
    (directory, options)
}

fn many(count: usize) -> String {
    let mut text = String::from("services:\n");
    for index in 0..count {
        write!(
            text,
            "  s{index}:\n    image: registry.example/s{index}:${{TAG:-1}}\n    \
             ports: [\"{}:80\"]\n    environment: {{A: \"${{A:-x}}\", B: plain, C: 3}}\n    \
             volumes: [\"data:/data\", \"./files:/files:ro\"]\n    networks: [front]\n    \
             deploy: {{resources: {{limits: {{cpus: '0.5', memory: 64M}}}}}}\n    \
             healthcheck: {{test: [CMD, check], interval: 30s}}\n",
            10_000 + index
        )
        .unwrap();
        if index > 0 {
            writeln!(text, "    depends_on: [s{}]", index - 1).unwrap();
        }
    }
    text.push_str("volumes: {data: }\nnetworks: {front: }\n");
    text
}

fn loading(criterion: &mut Criterion) {
    let (_directory, options) = project(EVERY_KEY);
    load(&options).unwrap();
    criterion.bench_function("every key", |bencher| {
        bencher.iter(|| load(black_box(&options)).unwrap());
    });
    let mut group = criterion.benchmark_group("services");
    group.sample_size(10);
    for count in [250, 500, 1_000, 2_000] {
        let (_directory, options) = project(&many(count));
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| load(black_box(&options)).unwrap());
        });
    }
}

criterion_group!(benches, loading);
criterion_main!(benches);
