//! Files that say which variables there are, besides `.env.example`.

use crate::tree::found;

const MAIN: &str = "import os\nfrom dotenv import load_dotenv\nfrom fastapi import FastAPI\n\
    load_dotenv(\"config/desk.env\")\nkey = os.environ[\"DESK_KEY\"]\napp = FastAPI()\n";

fn told(files: &[(&str, &str)]) -> Vec<String> {
    let mut all = vec![
        (
            "pyproject.toml",
            "[project]\nname = \"desk\"\nversion = \"1\"\n",
        ),
        ("requirements.txt", "fastapi\nuvicorn\npython-dotenv\n"),
        ("main.py", MAIN),
    ];
    all.extend_from_slice(files);
    let detection = found(&all);
    let problems = detection.problems.iter();
    problems
        .map(|problem| {
            format!(
                "{}:{} {}",
                problem.path.display(),
                problem.line,
                problem.what
            )
        })
        .collect()
}

#[test]
fn a_file_that_the_code_loads_documents_variables() {
    assert_eq!(
        told(&[
            ("config/desk.env", "DESK_KEY=\nDESK_COLOUR=red\n"),
            ("config/other.env", "DESK_SHAPE=round\n"),
        ]),
        ["config/desk.env:2 documents DESK_COLOUR, which nothing reads"]
    );
}

#[test]
fn a_platform_is_told_of_variables() {
    assert_eq!(
        told(&[(
            "app.json",
            "{\"env\": {\n\"DESK_KEY\": {\"required\": false},\n\"DESK_COLOUR\": {\"value\": \"red\"}\n}}"
        )]),
        [
            "app.json:2 calls `DESK_KEY` optional, without which `desk` does not start (main.py:5)",
            "app.json:3 documents DESK_COLOUR, which nothing reads",
        ]
    );
    // What it does not say is missed; a value that is made up is one; an application for telephones says none.
    assert_eq!(
        told(&[("app.json", "{\"env\": {\"OTHER\": \"x\"}}")]).len(),
        2
    );
    for text in [
        "{\"env\": {\"DESK_KEY\": {\"generator\": \"secret\", \"required\": false}}}",
        "{\"expo\": {\"name\": \"desk\"}, \"env\": {\"A\": \"b\"}}",
    ] {
        assert_eq!(told(&[("app.json", text)]), [""; 0], "{text}");
    }
}

#[test]
fn a_file_of_variables_that_something_else_is_given_mentions_them() {
    assert_eq!(
        told(&[
            (".env.example", "DESK_KEY=\nPOSTGRES_INITDB_ARGS=\n"),
            (".env.store", "POSTGRES_INITDB_ARGS=--data-checksums\n"),
        ]),
        [""; 0]
    );
}
