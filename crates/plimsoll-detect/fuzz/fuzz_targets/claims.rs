//! What other files say about code: the first byte chooses which file the rest is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_detect_fuzz::survive;

const FILES: &[&str] = &[
    "Procfile",
    "deploy/app.service",
    "Makefile",
    "deploy/nginx.conf",
    "Caddyfile",
    "chart/templates/deployment.yaml",
    "chart/values.yaml",
    "k8s/app.yaml",
    "Dockerfile",
    "docker-compose.prod.yaml",
    "start.sh",
    "fly.toml",
    "railway.json",
    "render.yaml",
    ".github/workflows/ci.yml",
    ".env.example",
    "traefik.yml",
];

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let name = FILES[*first as usize % FILES.len()];
    survive(&[("chart/Chart.yaml", b"name: a\nversion: 1.0.0\n"), (name, rest)]);
});
