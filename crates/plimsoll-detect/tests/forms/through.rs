//! Variables that reach their use through a function of the project which takes their name.

use crate::tree::{found, required};

/// The required variables of a project, which also names `OTHER` as one that may be missing.
fn of(files: &[(&str, &str)]) -> Vec<String> {
    let detection = found(files);
    let names = required(&detection);
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn python() {
    let of = |main: &str, helper: &str| {
        let main = format!("from fastapi import FastAPI\n{main}\napp = FastAPI()\n");
        of(&[
            ("requirements.txt", "fastapi\nuvicorn\n"),
            ("main.py", &main),
            ("env.py", &format!("import os\nimport sys\n{helper}")),
        ])
    };
    let imported = "from env import require_env\nKEY = require_env('KEY')";
    for helper in [
        "def require_env(name: str) -> str:\n    value = os.getenv(name)\n    if not value:\n        raise RuntimeError(name)\n    return value\n",
        "def require_env(name):\n    return os.environ[name]\n",
        "def require_env(name):\n    try:\n        return os.environ[name]\n    except KeyError:\n        sys.exit(name)\n",
    ] {
        assert_eq!(of(imported, helper), ["KEY"], "{helper}");
    }
    for helper in [
        "def require_env(name):\n    return os.getenv(name)\n",
        "def require_env(name):\n    try:\n        return os.environ[name]\n    except KeyError:\n        return ''\n",
    ] {
        assert!(of(imported, helper).is_empty(), "{helper}");
    }
    // Of a class; only where it is told; only what runs when the service starts.
    assert_eq!(
        of(
            "from env import Env\nKEY = Env.must('KEY')\ndef later():\n    Env.must('OTHER')",
            "class Env:\n    @staticmethod\n    def must(name):\n        return os.environ[name]\n"
        ),
        ["KEY"]
    );
    let told = "def get_env(name, default=None, required=False):\n    value = os.environ.get(name, default)\n    if required and value is None:\n        raise ValueError(name)\n    return value\n";
    assert_eq!(
        of(
            "from env import get_env\nKEY = get_env('KEY', required=True)\nOTHER = get_env('OTHER')",
            told
        ),
        ["KEY"]
    );
}

#[test]
fn typescript() {
    let of = |main: &str, helper: &str| {
        let main = format!(
            "import express from 'express';\n{main}\nconst app = express();\napp.get('/x', (q, a) => a.send(must('OTHER')));\napp.listen(3000);\n"
        );
        of(&[
            (
                "package.json",
                r#"{"name":"a","scripts":{"start":"node dist/index.js","build":"tsc"},"dependencies":{"express":"5"}}"#,
            ),
            ("tsconfig.json", "{}"),
            ("src/index.ts", &main),
            ("src/env.ts", helper),
        ])
    };
    let imported = "import { must } from './env';\nconst key = must('KEY');";
    for helper in [
        "export function must(name: string): string {\n  const value = process.env[name];\n  if (!value) {\n    throw new Error(name);\n  }\n  return value;\n}\n",
        "export const must = (name: string, fallback?: string) => {\n  const value = process.env[name] ?? fallback;\n  if (value === undefined) throw new Error(name);\n  return value;\n};\n",
        "export const must = (k: string) => { const v = process.env[k]; if (v == null) { process.exit(1); } return v; };\n",
    ] {
        assert_eq!(of(imported, helper), ["KEY"], "{helper}");
    }
    for (main, helper) in [
        (
            "import { must } from './env';\nconst key = must('KEY', 'd');",
            "export const must = (name: string, fallback?: string) => {\n  const value = process.env[name] ?? fallback;\n  if (value === undefined) throw new Error(name);\n  return value;\n};\n",
        ),
        (
            imported,
            "export const must = (name: string) => process.env[name] ?? '';\n",
        ),
    ] {
        assert!(of(main, helper).is_empty(), "{helper}");
    }
    assert_eq!(
        of(
            "import { Env } from './env';\nconst key = Env.require('KEY');",
            "export class Env {\n  static require(key: string) {\n    const v = process.env[key];\n    if (!v) throw new Error(key);\n    return v;\n  }\n}\n"
        ),
        ["KEY"]
    );
}

#[test]
fn rust() {
    let of = |uses: &str, call: &str, helper: &str| {
        let main = format!(
            "mod keys;\n{uses}use axum::Router;\n#[tokio::main]\nasync fn main() {{\n    let key = {call}(\"KEY\");\n    let listener = tokio::net::TcpListener::bind(\"0.0.0.0:3000\").await.unwrap();\n\
             \x20   axum::serve(listener, Router::new()).await.unwrap();\n}}\n"
        );
        of(&[
            (
                "Cargo.toml",
                "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\naxum = \"0.8\"\ntokio = { version = \"1\", features = [\"full\"] }\n",
            ),
            ("src/main.rs", &main),
            ("src/keys.rs", helper),
        ])
    };
    for helper in [
        "pub fn wanted(name: &str) -> String {\n    std::env::var(name).unwrap_or_else(|_| panic!(\"{name} is not set\"))\n}\n",
        "pub fn wanted(name: &str) -> String {\n    std::env::var(name).expect(\"not set\")\n}\n",
        "pub fn wanted(name: &str) -> String {\n    match std::env::var(name) {\n        Ok(value) => value,\n        Err(_) => std::process::exit(1),\n    }\n}\n",
    ] {
        assert_eq!(
            of("use keys::wanted;\n", "wanted", helper),
            ["KEY"],
            "{helper}"
        );
        assert_eq!(of("", "keys::wanted", helper), ["KEY"], "{helper}");
    }
    let lenient =
        "pub fn wanted(name: &str) -> String {\n    std::env::var(name).unwrap_or_default()\n}\n";
    assert!(of("", "keys::wanted", lenient).is_empty());
    let fallible = "pub fn wanted(name: &str) -> Result<String, std::env::VarError> {\n    Ok(std::env::var(name)?)\n}\n";
    assert!(of("", "keys::wanted", fallible).is_empty());
}
