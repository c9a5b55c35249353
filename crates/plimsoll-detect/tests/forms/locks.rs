//! Lock files that contradict their manifest, each as the smallest tree that shows it.

use crate::tree::found;

/// Place and text of each problem that speaks of a lock file.
fn told(files: &[(&str, &str)]) -> Vec<String> {
    let detection = found(files);
    let problems = detection.problems.iter();
    problems
        .filter(|one| one.what.contains("lock"))
        .map(|one| format!("{}:{} {}", one.path.display(), one.line, one.what))
        .collect()
}

const PACKAGE: &str = r#"{
  "name": "a",
  "dependencies": {
    "express": "^5.0.0",
    "left": "^1.2.0",
    "mine": "workspace:*"
  }
}"#;

#[test]
fn npm() {
    let lock = |express: &str, left: &str| {
        format!(
            r#"{{"lockfileVersion":3,"packages":{{"":{{"name":"a"}},"node_modules/express":{{"version":"{express}"}}{left}}}}}"#
        )
    };
    let left = r#","node_modules/left":{"version":"1.4.0"}"#;
    let of = |lock: &str| told(&[("package.json", PACKAGE), ("package-lock.json", lock)]);
    assert!(of(&lock("5.1.0", left)).is_empty());
    assert_eq!(
        of(&lock("4.18.2", left)),
        ["package.json:4 `express ^5.0.0` is wanted here, but `package-lock.json` holds 4.18.2"]
    );
    assert_eq!(
        of(&lock("5.1.0", "")),
        ["package.json:5 `left` is declared here, but `package-lock.json` does not have it"]
    );
}

#[test]
fn npm_of_a_workspace() {
    let of = |lock: &str| {
        told(&[
            ("package.json", r#"{"name":"all","workspaces":["apps/*"]}"#),
            ("package-lock.json", lock),
            (
                "apps/web/package.json",
                r#"{"name":"web","dependencies":{"next":"^15.0.0"}}"#,
            ),
        ])
    };
    let member = r#"{"packages":{"":{},"apps/web":{},"node_modules/next":{"version":"14.0.0"},"apps/web/node_modules/next":{"version":"15.2.0"}}}"#;
    assert!(of(member).is_empty());
    assert_eq!(
        of(r#"{"packages":{"":{},"apps/web":{}}}"#),
        [
            "apps/web/package.json:1 `next` is declared here, but `package-lock.json` does not have it"
        ]
    );
}

#[test]
fn pnpm() {
    let of = |lock: &str| told(&[("package.json", PACKAGE), ("pnpm-lock.yaml", lock)]);
    let lock = "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      express:\n        specifier: ^4.0.0\n        version: 4.1.0\n\npackages:\n\n  left@1.2.0:\n    resolution: {integrity: x}\n";
    assert_eq!(
        of(lock),
        [
            "package.json:4 `express ^5.0.0` is wanted here, but `pnpm-lock.yaml` was made for `^4.0.0`",
            "package.json:5 `left` is declared here, but `pnpm-lock.yaml` does not have it"
        ]
    );
    let overridden = PACKAGE.replacen(
        '{',
        r#"{"pnpm":{"overrides":{"express@<5":"4","other>left":"1"}},"#,
        1,
    );
    assert!(told(&[("package.json", &overridden), ("pnpm-lock.yaml", lock)]).is_empty());
}

#[test]
fn yarn() {
    let of = |lock: &str| told(&[("package.json", PACKAGE), ("yarn.lock", lock)]);
    let classic = "# yarn lockfile v1\n\n\nexpress@^4.0.0, express@^4.1.0:\n  version \"4.1.0\"\n  dependencies:\n    left \"^1.0.0\"\n";
    assert_eq!(
        of(classic),
        [
            "package.json:4 `express ^5.0.0` is wanted here, but `yarn.lock` was made for `^4.0.0` and `^4.1.0`",
            "package.json:5 `left` is declared here, but `yarn.lock` does not have it"
        ]
    );
    // Members of the workspace stand for themselves.
    let member = r#"{"name":"web","dependencies":{"shared":"*","next":"15"}}"#;
    assert!(
        told(&[
            ("package.json", r#"{"name":"all","workspaces":["apps/*"]}"#),
            ("yarn.lock", "next@15:\n  version \"15.0.0\"\n"),
            ("apps/web/package.json", member),
            ("apps/shared/package.json", r#"{"name":"shared"}"#),
        ])
        .is_empty()
    );
    let berry = "__metadata:\n  version: 8\n\n\"express@npm:^5.0.0\":\n  version: 5.0.0\n\n\"left@npm:^1.2.0\":\n  version: 1.2.0\n";
    assert!(of(berry).is_empty());
}

const PROJECT: &str = "[project]\nname = \"a\"\ndependencies = [\n  \"fastapi>=0.115\",\n  \"httpx\",\n  \"tomli; python_version < '3.11'\",\n]\n";

#[test]
fn uv_and_poetry() {
    let lock = |packages: &[(&str, &str)]| {
        let packages = packages.iter();
        packages
            .map(|(name, version)| {
                format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n")
            })
            .collect::<String>()
    };
    let of = |name: &str, text: &str| told(&[("pyproject.toml", PROJECT), (name, text)]);
    let good = lock(&[("fastapi", "0.116.1"), ("httpx", "0.28.1")]);
    let stale = lock(&[("fastapi", "0.110.0")]);
    for name in ["uv.lock", "poetry.lock"] {
        assert!(of(name, &good).is_empty());
        assert_eq!(
            of(name, &stale),
            [
                format!(
                    "pyproject.toml:4 `fastapi>=0.115` is wanted here, but `{name}` holds 0.110.0"
                ),
                format!("pyproject.toml:5 `httpx` is declared here, but `{name}` does not have it"),
            ]
        );
    }
    // Versions that differ by system.
    let both = lock(&[
        ("fastapi", "0.116.1"),
        ("fastapi", "0.110.0"),
        ("httpx", "0.28.1"),
    ]);
    assert!(of("uv.lock", &both).is_empty());
}

#[test]
fn two_lock_files_side_by_side() {
    let npm = r#"{"packages":{"":{}}}"#;
    let pnpm = "lockfileVersion: '9.0'\n";
    let of = |package: &str| {
        told(&[
            ("package.json", package),
            ("package-lock.json", npm),
            ("pnpm-lock.yaml", pnpm),
        ])
    };
    assert_eq!(
        of(r#"{"name":"a"}"#),
        [
            "pnpm-lock.yaml:1 lies beside `package-lock.json`, which is used since it comes first and nothing says which"
        ]
    );
    assert_eq!(
        of(r#"{"name":"a","packageManager":"pnpm@9.1.0"}"#),
        [
            "package-lock.json:1 lies beside `pnpm-lock.yaml`, which is used since `packageManager` names `pnpm@9.1.0`"
        ]
    );
    let held = "[[package]]\nname = \"httpx\"\nversion = \"0.28.1\"\n";
    let of = |manifest: &str| {
        told(&[
            ("pyproject.toml", manifest),
            ("uv.lock", held),
            ("poetry.lock", held),
        ])
    };
    assert_eq!(
        of("[project]\nname = \"a\"\ndependencies = [\"httpx\"]\n"),
        [
            "poetry.lock:1 lies beside `uv.lock`, which is used since the dependencies are stated in the form that all managers read"
        ]
    );
    assert_eq!(
        of("[tool.poetry]\nname = \"a\"\n[tool.poetry.dependencies]\nhttpx = \"^0.28\"\n"),
        [
            "uv.lock:1 lies beside `poetry.lock`, which is used since the dependencies are stated in Poetry's own form"
        ]
    );
}

#[test]
fn bun() {
    let of = |lock: &str| told(&[("package.json", PACKAGE), ("bun.lock", lock)]);
    let lock = |express: &str, left: &str| {
        format!(
            "{{\n  \"lockfileVersion\": 1,\n  \"workspaces\": {{\n    \"\": {{\n      \"name\": \"a\",\n      \"dependencies\": {{\n        \
             \"express\": \"{express}\",\n{left}      }},\n    }},\n  }},\n  \"packages\": {{\n  }},\n}}\n"
        )
    };
    let left = "        \"left\": \"^1.2.0\",\n";
    assert!(of(&lock("^5.0.0", left)).is_empty());
    assert_eq!(
        of(&lock("^4.0.0", "")),
        [
            "package.json:4 `express ^5.0.0` is wanted here, but `bun.lock` was made for `^4.0.0`",
            "package.json:5 `left` is declared here, but `bun.lock` does not have it"
        ]
    );
}

#[test]
fn pip_and_pdm() {
    let fastapi = |table: &str| {
        format!("lock-version = \"1.0\"\n[[{table}]]\nname = \"fastapi\"\nversion = \"0.110.0\"\n")
    };
    for (name, table) in [("pylock.toml", "packages"), ("pdm.lock", "package")] {
        assert_eq!(
            told(&[("pyproject.toml", PROJECT), (name, &fastapi(table))]),
            [
                format!(
                    "pyproject.toml:4 `fastapi>=0.115` is wanted here, but `{name}` holds 0.110.0"
                ),
                format!("pyproject.toml:5 `httpx` is declared here, but `{name}` does not have it"),
            ]
        );
    }
}

#[test]
fn pipenv() {
    let manifest = "[[source]]\nurl = \"https://index.example/simple\"\nverify_ssl = true\nname = \"own\"\n\n[packages]\nflask = \"*\"\n\
         celery = {version = \"==5.3\", extras = [\"redis\"]}\n\n[dev-packages]\npytest = \"*\"\n\n[docs]\nsphinx = \">=7\"\n\n[requires]\n\
         python_version = \"3.11\"\n\n[scripts]\nrun = \"flask run\"\n";
    let of = |hash: &str, packages: &str| {
        let lock = format!(
            "{{\n  \"_meta\": {{\n    \"hash\": {{\n      \"sha256\": \"{hash}\"\n    }}\n  }},\n  \"default\": {{{packages}}}\n}}\n"
        );
        told(&[("Pipfile", manifest), ("Pipfile.lock", &lock)])
    };
    let hash = "0e4322839b0b8b6b2c83f469a3cb94f58a34229b9cddce1f323abe6865b8877d";
    let celery = r#""celery":{"version":"==5.3"}"#;
    let both = r#""celery":{"version":"==5.3"},"flask":{"version":"==3.1.0"}"#;
    assert!(of(hash, both).is_empty());
    assert_eq!(
        of(&hash.replace('0', "1"), both),
        [
            "Pipfile.lock:4 this lock file was made from another `Pipfile`: its hash says so, and `pipenv install --deploy` stops there"
        ]
    );
    assert_eq!(
        of(hash, celery),
        ["Pipfile:7 `flask` is declared here, but `Pipfile.lock` does not have it"]
    );
}

#[test]
fn cargo() {
    let manifest = "[package]\nname = \"a\"\nversion = \"0.1.0\"\n\n[dependencies]\naxum = \"0.8\"\nown = { path = \"own\" }\ntokio = { version = \"1.40\", features = [\"full\"] }\n\
         other = { package = \"serde\", version = \"1\" }\n";
    let of = |packages: &[(&str, &str)]| {
        let packages = packages.iter().map(|(name, version)| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n")
        });
        let lock: String = packages.collect();
        told(&[
            ("Cargo.toml", manifest),
            ("Cargo.lock", &lock),
            ("src/main.rs", "fn main() {}"),
        ])
    };
    let rest = [("serde", "1.0.219"), ("tokio", "1.44.1")];
    assert!(of(&[("axum", "0.7.9"), ("axum", "0.8.1"), rest[0], rest[1]]).is_empty());
    assert_eq!(
        of(&[("axum", "0.7.9"), rest[1]]),
        [
            "Cargo.toml:6 `axum 0.8` is wanted here, but `Cargo.lock` holds 0.7.9",
            "Cargo.toml:9 `serde` is declared here, but `Cargo.lock` does not have it",
        ]
    );
}

#[test]
fn go() {
    let manifest = "module a.example/b\n\ngo 1.23\n\nrequire (\n\tc.example/d v1.2.3\n\te.example/f v0.4.0 // indirect\n)\n\nrequire g.example/h v1.0.0\n\nreplace g.example/h => ../h\n";
    let of = |sums: &[&str], more: (&str, &str)| {
        let sums: Vec<String> = sums.iter().map(|line| format!("{line} h1:x=\n")).collect();
        told_of_sums(&[("go.mod", manifest), ("go.sum", &sums.concat()), more])
    };
    let none = ("README.md", "");
    let all = [
        "c.example/d v1.2.3",
        "c.example/d v1.2.3/go.mod",
        "e.example/f v0.4.0/go.mod",
    ];
    assert!(of(&all, none).is_empty());
    assert_eq!(
        of(&["c.example/d v1.2.0", "c.example/d v1.2.0/go.mod"], none),
        [
            "go.mod:6 `c.example/d v1.2.3` is wanted here, but `go.sum` holds v1.2.0",
            "go.mod:7 `e.example/f` is declared here, but `go.sum` does not have it",
        ]
    );
    // What is copied into the tree is not held against sums.
    assert!(of(&[], ("vendor/modules.txt", "")).is_empty());
}

/// What is said of `go.sum`.
fn told_of_sums(files: &[(&str, &str)]) -> Vec<String> {
    let detection = found(files);
    let problems = detection.problems.iter();
    problems
        .filter(|one| one.what.contains("go.sum"))
        .map(|one| format!("{}:{} {}", one.path.display(), one.line, one.what))
        .collect()
}
