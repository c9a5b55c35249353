//! Packages of a repository that a service imports from a directory which no manifest declares.

use plimsoll_detect::Detection;

use crate::tree::{found, lines, required};

const API: &str = "from fastapi import FastAPI\nfrom deskkit.client import hello\n\napp = FastAPI()\n\n\
    @app.get('/health')\ndef health():\n    return hello()\n";

const MANIFEST: &str =
    "[project]\nname = 'backend'\nversion = '1'\ndependencies = ['fastapi', 'uvicorn']\n";

const CLIENT: &str = "import yaml\n\ndef hello():\n    return yaml.safe_load('1')\n";

fn with(more: &[(&str, &str)]) -> Detection {
    let backend = [
        ("backend/pyproject.toml", MANIFEST),
        ("backend/app/__init__.py", ""),
        ("backend/app/main.py", API),
    ];
    found(&[&backend, more].concat())
}

fn help(detection: &Detection) -> Vec<String> {
    let shims = detection.shims.iter();
    shims.map(plimsoll_detect::Shim::words).collect()
}

#[test]
fn a_package_beside_the_service_is_searched() {
    let detection = with(&[
        ("sdk/deskkit/__init__.py", ""),
        ("sdk/deskkit/client.py", CLIENT),
    ]);
    assert_eq!(
        help(&detection),
        ["backend searches /app/sdk"],
        "{:#?}",
        detection.problems
    );
    let place = &detection.shims[0].evidence[0];
    assert_eq!(place.span.file.to_str(), Some("backend/app/main.py"));
    assert_eq!(place.span.start.line, 2);
    let recipe = detection.services[0].recipe.as_ref().unwrap();
    assert_eq!(recipe.working_dir.to_str(), Some("/app/backend"));
    assert!(
        detection
            .problems
            .iter()
            .all(|problem| !problem.what.contains("deskkit")),
        "{:#?}",
        detection.problems
    );
}

#[test]
fn a_package_that_could_be_any_of_several_is_not_guessed() {
    for others in [
        &[
            ("sdk/deskkit/__init__.py", ""),
            ("sdk/deskkit/client.py", CLIENT),
            ("old_sdk/deskkit/__init__.py", ""),
            ("old_sdk/deskkit/client.py", CLIENT),
        ][..],
        // It has no such module.
        &[("sdk/deskkit/__init__.py", "")][..],
        // Nobody runs with what is there for tests.
        &[
            ("tests/deskkit/__init__.py", ""),
            ("tests/deskkit/client.py", CLIENT),
        ][..],
    ] {
        let detection = with(others);
        assert!(help(&detection).is_empty(), "{:?}", help(&detection));
        let told = |part: &str| {
            let mut problems = detection.problems.iter();
            problems.any(|problem| problem.what.contains(part))
        };
        assert!(told("`deskkit`"), "{:#?}", detection.problems);
    }
}

#[test]
fn a_member_of_the_workspace_that_the_package_does_not_require_is_searched() {
    let with_lock = |requires: &str| {
        let lock = format!(
            "version = 1\n[[package]]\nname = 'backend'\nversion = '1'\nsource = {{ editable = 'backend' }}\n\
            dependencies = [{{ name = 'fastapi' }}, {{ name = 'uvicorn' }}{requires}]\n\
            [[package]]\nname = 'fastapi'\nversion = '0.115.0'\n\
            [[package]]\nname = 'uvicorn'\nversion = '0.30.0'\n\
            [[package]]\nname = 'desk-kit'\nversion = '1'\nsource = {{ editable = 'sdk' }}\n\
            [[package]]\nname = 'desk'\nversion = '1'\nsource = {{ virtual = '.' }}\n"
        );
        with(&[
            (
                "pyproject.toml",
                "[project]\nname = 'desk'\nversion = '1'\n[tool.uv.workspace]\nmembers = ['backend', 'sdk']\n",
            ),
            ("uv.lock", &lock),
            (
                "sdk/pyproject.toml",
                "[project]\nname = 'desk-kit'\nversion = '1'\n",
            ),
            ("sdk/src/deskkit/__init__.py", ""),
            ("sdk/src/deskkit/client.py", CLIENT),
        ])
    };
    assert_eq!(help(&with_lock("")), ["backend searches /app/sdk/src"]);
    assert!(help(&with_lock(", { name = 'desk-kit' }")).is_empty());
}

#[test]
fn a_program_that_other_packages_of_the_workspace_make_up() {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"tide","private":true,"workspaces":["packages/*"]}"#,
        ),
        (
            "package-lock.json",
            r#"{"lockfileVersion":3,"packages":{}}"#,
        ),
        (
            "packages/server/package.json",
            r#"{"name":"@tide/server","bin":{"tide":"dist/esm/index.js"},"scripts":{"build":"tsc","start":"node dist/esm/index.js"},
            "dependencies":{"@tide/runner":"*"}}"#,
        ),
        (
            "packages/server/src/index.ts",
            "import { run } from '@tide/runner';\nrun();\n",
        ),
        (
            "packages/runner/package.json",
            r#"{"name":"@tide/runner","main":"dist/index.js","dependencies":{"@tide/store":"*","express":"5"}}"#,
        ),
        (
            "packages/runner/src/index.ts",
            "import express from 'express';\nimport { rows } from '@tide/store/rows';\nexport function run() { express().get('/rows', (a, b) => b.json(rows())).listen(4300); }\n",
        ),
        (
            "packages/store/package.json",
            r#"{"name":"@tide/store","main":"dist/index.js","dependencies":{"pg":"8"}}"#,
        ),
        (
            "packages/store/src/rows.ts",
            "import pg from 'pg';\nif (!process.env.DATABASE_URL) { throw new Error('DATABASE_URL'); }\nconst pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });\nexport const rows = () => pool.query('');\n",
        ),
    ]);
    assert_eq!(lines(&detection), ["web node dist/esm/index.js [4300]"]);
    assert_eq!(required(&detection), ["DATABASE_URL"]);
    let needs: Vec<_> = detection.needs.iter().map(|need| need.kind).collect();
    assert_eq!(needs, [plimsoll_detect::NeedKind::Postgres]);
}
