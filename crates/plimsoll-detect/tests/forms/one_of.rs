//! Variables of which one is enough.

use crate::tree::{found, required};
use plimsoll_detect::Detection;

/// The groups, each with its place.
fn groups(detection: &Detection) -> Vec<String> {
    let mut groups: Vec<String> = detection
        .environment
        .iter()
        .flat_map(|variable| &variable.one_of)
        .map(|group| {
            let place = format!("{}:{}", group.span.file.display(), group.span.start.line);
            format!("{place} {}", group.names.join(" "))
        })
        .collect();
    groups.sort();
    groups.dedup();
    groups
}

fn python(text: &str) -> Detection {
    let whole = format!("import os, sys\nfrom fastapi import FastAPI\n{text}\napp = FastAPI()\n");
    found(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("main.py", &whole),
    ])
}

#[test]
fn a_check_in_python_names_the_group() {
    for check in [
        "if not (os.getenv(\"A_KEY\") or os.getenv(\"B_KEY\")):\n    raise ValueError(1)",
        "if not os.getenv(\"A_KEY\") and not os.getenv(\"B_KEY\"):\n    sys.exit(1)",
        "if os.getenv(\"A_KEY\") is None and os.environ.get(\"B_KEY\") is None:\n    sys.exit(1)",
        "if not any([os.getenv(\"A_KEY\"), os.getenv(\"B_KEY\")]):\n    sys.exit(1)",
        "if not any(os.getenv(name) for name in [\"A_KEY\", \"B_KEY\"]):\n    sys.exit(1)",
        "assert os.getenv(\"A_KEY\") or os.getenv(\"B_KEY\")",
    ] {
        let detection = python(check);
        assert_eq!(groups(&detection), ["main.py:3 A_KEY B_KEY"], "{check}");
        assert!(required(&detection).is_empty(), "{check}");
    }
    let detection = python(
        "def check():\n    key = os.getenv(\"A_KEY\", os.getenv(\"B_KEY\"))\n    if not key:\n        raise ValueError(1)\ncheck()",
    );
    assert_eq!(groups(&detection), ["main.py:4 A_KEY B_KEY"]);
    assert!(required(&detection).is_empty());
}

#[test]
fn every_way_out_of_a_check_in_python_counts() {
    for (check, group) in [
        (
            "if not os.getenv(\"A_KEY\") and not any(os.getenv(name) for name in [\"B_KEY\", \"C_KEY\"]):\n    sys.exit(1)",
            Some("main.py:3 A_KEY B_KEY C_KEY"),
        ),
        (
            "if not (os.getenv(\"A_KEY\") or os.getenv(\"B_KEY\") or os.getenv(\"A_KEY\")):\n    sys.exit(1)",
            Some("main.py:3 A_KEY B_KEY"),
        ),
        (
            "if not any(os.getenv(n) for n in [\"A_KEY\", \"B_KEY\"]) and not any(os.getenv(n) for n in [\"C_KEY\", \"D_KEY\"]):\n    sys.exit(1)",
            None,
        ),
        (
            "if not os.getenv(\"A_KEY\") and not os.getenv(\"B_KEY\") and not any(found):\n    sys.exit(1)",
            None,
        ),
        (
            "if not os.getenv(\"A_KEY\") and not (os.getenv(\"B_KEY\") and os.getenv(\"C_KEY\")):\n    sys.exit(1)",
            None,
        ),
    ] {
        let found = groups(&python(check));
        assert_eq!(found, group.into_iter().collect::<Vec<_>>(), "{check}");
    }
}

#[test]
fn settings_are_checked_by_their_fields() {
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\npydantic-settings\n"),
        (
            "main.py",
            "from fastapi import FastAPI\nfrom pydantic_settings import BaseSettings\n\
             class Settings(BaseSettings):\n    a_key: str | None = None\n    b_key: str = \"\"\n\
             settings = Settings()\nif not settings.a_key and not settings.b_key:\n    raise ValueError(1)\napp = FastAPI()\n",
        ),
    ]);
    assert_eq!(groups(&detection), ["main.py:7 A_KEY B_KEY"]);
}

#[test]
fn what_only_a_request_or_another_value_asks_for_is_no_group() {
    for text in [
        "def handler():\n    if not os.getenv(\"A_KEY\") and not os.getenv(\"B_KEY\"):\n        raise ValueError(1)",
        "if not os.getenv(\"A_KEY\") and not os.path.exists(\"key\"):\n    raise ValueError(1)",
        "if not (os.getenv(\"A_KEY\") or os.getenv(\"B_KEY\", \"x\")):\n    raise ValueError(1)",
        "if not os.getenv(\"A_KEY\") and not os.getenv(\"B_KEY\"):\n    print(1)",
    ] {
        assert!(groups(&python(text)).is_empty(), "{text}");
    }
}

fn node(text: &str) -> Detection {
    let whole = format!("import express from 'express';\n{text}\nexpress().listen(3000);\n");
    found(&[
        (
            "package.json",
            r#"{"name":"desk","type":"module","scripts":{"start":"node index.js"},"dependencies":{"express":"5"}}"#,
        ),
        (
            "package-lock.json",
            r#"{"lockfileVersion":3,"packages":{}}"#,
        ),
        ("index.js", &whole),
    ])
}

#[test]
fn a_check_in_javascript_names_the_group() {
    for check in [
        "if (!process.env.A_KEY && !process.env.B_KEY) { throw new Error('x'); }",
        "if (!(process.env.A_KEY || process.env.B_KEY)) { process.exit(1); }",
        "if (process.env.A_KEY === undefined && !process.env['B_KEY']) throw new Error('x');",
    ] {
        let detection = node(check);
        assert_eq!(groups(&detection), ["index.js:2 A_KEY B_KEY"], "{check}");
        assert!(required(&detection).is_empty(), "{check}");
    }
    let detection = node(
        "const key = process.env.A_KEY ?? process.env.B_KEY;\nif (!key) { throw new Error('x'); }",
    );
    assert_eq!(groups(&detection), ["index.js:3 A_KEY B_KEY"]);
    assert!(required(&detection).is_empty());
    let in_handler = "const app = express();\napp.get('/', () => { if (!process.env.A_KEY && !process.env.B_KEY) throw new Error('x'); });";
    assert!(groups(&node(in_handler)).is_empty());
}

#[test]
fn a_check_in_go_names_the_group() {
    let go = |check: &str| {
        let whole = format!(
            "package main\n\nimport (\n\t\"log\"\n\t\"net/http\"\n\t\"os\"\n)\n\nfunc main() {{\n\ta := os.Getenv(\"A_KEY\")\n{check}\n\tlog.Fatal(http.ListenAndServe(\":8080\", nil))\n}}\n"
        );
        found(&[
            ("go.mod", "module example.com/desk\n\ngo 1.22\n"),
            ("main.go", &whole),
        ])
    };
    let detection =
        go("\tif a == \"\" && os.Getenv(\"B_KEY\") == \"\" {\n\t\tlog.Fatal(\"x\")\n\t}");
    assert_eq!(groups(&detection), ["main.go:11 A_KEY B_KEY"]);
    assert!(required(&detection).is_empty());
}
