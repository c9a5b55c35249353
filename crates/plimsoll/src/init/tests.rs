//! What is written means what was found, and stays what its owner made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Parser as _;
use plimsoll_model::{Project, Service};
use tempfile::TempDir;

use crate::cli::{Cli, Command};
use crate::environment::Environment;
use crate::printer::Printer;
use crate::settings::Settings;
use crate::{commands, project};

/// A server and a worker with stores, a site that calls the server, a program of Go, and a program
/// that speaks over its standard output.
pub(super) const DESK: &[(&str, &str)] = &[
    (
        "backend/requirements.txt",
        "fastapi==0.121.0\nuvicorn==0.38.0\ncelery==5.5.0\nredis==5.0.0\npsycopg==3.2.0\npydantic-settings==2.6.0\n",
    ),
    ("backend/desk/__init__.py", ""),
    (
        "backend/desk/settings.py",
        "from pydantic_settings import BaseSettings\n\nclass Settings(BaseSettings):\n    database_url: str\n    redis_url: str\n    secret_key: str\n    openai_api_key: str\n    log_level: str = \"info\"\n    workers: int = 4\n\nsettings = Settings()\n",
    ),
    (
        "backend/desk/main.py",
        "import psycopg\nfrom fastapi import FastAPI\n\nfrom desk.settings import settings\n\napp = FastAPI()\n\n@app.get(\"/health\")\ndef health():\n    return {\"ok\": True}\n",
    ),
    (
        "backend/desk/tasks.py",
        "from celery import Celery\n\nfrom desk.settings import settings\n\nqueue = Celery(\"desk\", broker=settings.redis_url)\n\n@queue.task\ndef work():\n    pass\n",
    ),
    (
        "canvas/package.json",
        "{\"name\":\"canvas\",\"scripts\":{\"dev\":\"vite\",\"build\":\"vite build\"},\"dependencies\":{\"react\":\"19.0.0\"},\"devDependencies\":{\"vite\":\"6.0.0\"}}",
    ),
    (
        "canvas/vite.config.ts",
        "import { defineConfig } from \"vite\";\nexport default defineConfig({});\n",
    ),
    (
        "canvas/index.html",
        "<script src=\"/src/main.ts\"></script>\n",
    ),
    (
        "canvas/src/main.ts",
        "const url = import.meta.env.VITE_API_URL;\nfetch(`${url}/health`);\n",
    ),
    ("relay/go.mod", "module example.com/relay\n\ngo 1.23\n"),
    (
        "relay/main.go",
        "package main\n\nimport \"net/http\"\n\nfunc main() {\n\thttp.HandleFunc(\"/healthz\", func(w http.ResponseWriter, r *http.Request) {})\n\thttp.ListenAndServe(\":9000\", nil)\n}\n",
    ),
    ("tools/requirements.txt", "mcp==1.20.0\n"),
    (
        "tools/server.py",
        "from mcp.server.fastmcp import FastMCP\n\nmcp = FastMCP(\"tools\")\n\n@mcp.tool()\ndef add(a: int, b: int) -> int:\n    return a + b\n\nif __name__ == \"__main__\":\n    mcp.run()\n",
    ),
];

pub(super) struct Place {
    directory: TempDir,
}

impl Place {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let place = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        for (path, text) in files {
            place.write(path, text);
        }
        place
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.project().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.project().join(path)).unwrap()
    }

    fn project(&self) -> std::path::PathBuf {
        self.directory.path().join("desk")
    }

    fn environment(&self) -> Environment {
        let data = self.directory.path().join("data");
        let pairs = [
            ("PLIMSOLL_DATA", data.to_string_lossy().into_owned()),
            ("PLIMSOLL_RUNTIME", data.to_string_lossy().into_owned()),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value));
        Environment(BTreeMap::from(pairs))
    }

    pub(super) fn settings(&self) -> Settings {
        let cli = self.cli(&["inspect"]);
        Settings::resolve(&cli.global, self.environment()).unwrap()
    }

    fn cli(&self, words: &[&str]) -> Cli {
        let project = self.project();
        let before = ["plimsoll", "-q", "-C", project.to_str().unwrap()];
        Cli::try_parse_from(before.iter().chain(words)).unwrap()
    }

    pub(super) fn init(&self) {
        let cli = self.cli(&["init"]);
        assert!(matches!(cli.command, Command::Init(_)));
        let printer = Printer::new(&cli.global, &self.environment());
        let told = commands::run(cli, self.environment(), &printer);
        assert!(told.is_ok(), "{:?}", told.err());
    }

    fn shape(&self) -> BTreeMap<String, String> {
        shape(&project::load(&self.settings(), &[]).unwrap().project)
    }
}

/// What a stack is made of, without the places it was read from.
fn shape(project: &Project) -> BTreeMap<String, String> {
    let services = project.services.values();
    let mut shape: BTreeMap<String, String> = services
        .map(|service| (service.name.clone(), of_service(service)))
        .collect();
    let volumes: Vec<_> = project.volumes.values().map(|it| &it.name).collect();
    shape.insert("volumes".to_owned(), format!("{volumes:?}"));
    shape
}

fn of_service(service: &Service) -> String {
    let recipe = service.recipe.as_ref();
    let words = service.command.as_ref().map(|command| &command.value.0);
    let words = words.or(recipe.map(|recipe| &recipe.command));
    let given: BTreeMap<_, _> = service
        .environment
        .iter()
        .filter_map(|(name, value)| Some((name, value.value.as_ref()?)))
        .collect();
    let kind = recipe.map(|recipe| serde_json::to_value(&recipe.kind).unwrap());
    let packages: BTreeSet<_> = recipe
        .iter()
        .flat_map(|recipe| &recipe.system_packages)
        .map(|package| &package.value)
        .collect();
    let rest = recipe.map(|recipe| (&recipe.context, &recipe.environment, &recipe.ports));
    let ports: Vec<_> = service.ports.iter().map(|port| &port.value).collect();
    let depends_on: BTreeMap<_, _> = service
        .depends_on
        .iter()
        .map(|(name, it)| (name, it.value))
        .collect();
    let mounts: Vec<_> = service.volumes.iter().map(|it| &it.value).collect();
    format!(
        "image {:?}\ncommand {words:?}\nkind {kind:?}\npackages {packages:?}\nrest {rest:?}\nenvironment {given:?}\nports {ports:?}\nmounts {mounts:?}\nnetwork {:?} {:?}\ndepends_on {depends_on:?}\nhealth {:?}\nrestart {:?}\nprofiles {:?} {}\nfacts {:?} {:?} {:?} {:?}\n",
        service.image.as_ref().map(|it| &it.value),
        service.network_mode.as_ref().map(|it| &it.value),
        service.networks.keys().collect::<Vec<_>>(),
        service.healthcheck.as_ref().map(|it| &it.value),
        service.restart.value,
        service.profiles,
        service.stdin_open,
        service.facts.kind,
        // The ports of an image are its own matter.
        recipe.map(|_| &service.facts.ports),
        service.facts.provides,
        service.facts.replicas_max,
    )
}

#[test]
fn a_stack_from_what_is_written_is_the_one_from_the_source() {
    let place = Place::new(DESK);
    let before = place.shape();
    assert!(before.len() >= 6, "{:?}", before.keys());
    place.init();
    let after = place.shape();
    for (service, shape) in &before {
        assert_eq!(Some(shape), after.get(service), "{service}");
    }
    assert_eq!(before.len(), after.len());
}

#[test]
fn a_password_that_dotenv_sets_counts_in_both() {
    let place = Place::new(DESK);
    place.write(".env", "POSTGRES_PASSWORD=said\nSECRET_KEY=so\n");
    let before = place.shape();
    assert!(before["backend"].contains("app:said@postgres"));
    place.init();
    assert_eq!(before, place.shape());
}

#[test]
fn what_is_written_twice_is_the_same() {
    let place = Place::new(DESK);
    place.init();
    let first = (place.read("compose.yaml"), place.read(".env.example"));
    place.init();
    assert_eq!(
        first,
        (place.read("compose.yaml"), place.read(".env.example"))
    );
}

#[test]
fn the_code_changes_and_the_file_follows_around_edits() {
    let place = Place::new(DESK);
    place.init();
    let edited = place
        .read("compose.yaml")
        .replace("127.0.0.1:8000:8000", "8000:8000 # for the whole house")
        .replace("image: redis:7", "image: 'valkey/valkey:8'");
    place.write("compose.yaml", &edited);
    place.write(
        "relay/main.go",
        "package main\n\nimport \"net/http\"\n\nfunc main() {\n\thttp.ListenAndServe(\":9100\", nil)\n}\n",
    );
    place.init();
    let text = place.read("compose.yaml");
    assert!(text.contains("8000:8000 # for the whole house"));
    assert!(text.contains("image: 'valkey/valkey:8'"));
    assert!(text.contains("127.0.0.1:9100:9100"), "{text}");
    assert!(!text.contains("127.0.0.1:9000:9000"));
    let again = text.clone();
    place.init();
    assert_eq!(again, place.read("compose.yaml"));
}

#[test]
fn no_secret_stands_in_what_is_written() {
    let place = Place::new(&[
        ("requirements.txt", "flask==3.1.0\n"),
        (
            "app.py",
            "import os\nfrom flask import Flask\napp = Flask(__name__)\nkey = os.environ.get(\"API_KEY\", \"sk-hidden\")\napp.run(port=8000)\n",
        ),
    ]);
    place.init();
    for file in ["compose.yaml", ".env.example"] {
        let text = place.read(file);
        assert!(text.contains("API_KEY"), "{text}");
        assert!(!text.contains("sk-hidden"), "{text}");
    }
    assert!(
        Path::new(&place.project())
            .join(".plimsoll-rendered.json")
            .exists()
    );
}

#[test]
fn variables_of_which_one_is_enough_name_each_other() {
    let place = Place::new(&[
        ("requirements.txt", "flask==3.1.0\n"),
        (
            "app.py",
            "import os\nfrom flask import Flask\napp = Flask(__name__)\nif not (os.getenv(\"A_KEY\") or os.getenv(\"B_KEY\")):\n    raise ValueError(1)\napp.run(port=8000)\n",
        ),
    ]);
    place.init();
    let text = place.read(".env.example");
    assert!(
        text.contains("# required unless `B_KEY` is set; secret\n"),
        "{text}"
    );
    assert!(
        text.contains("# required unless `A_KEY` is set; secret\n"),
        "{text}"
    );
}

#[test]
fn an_environment_file_that_is_not_there_is_told() {
    let place = Place::new(&[
        ("requirements.txt", "flask==3.1.0\n"),
        (
            "app.py",
            "import os\nfrom flask import Flask\napp = Flask(__name__)\nkey = os.environ[\"API_KEY\"]\napp.run(port=8000)\n",
        ),
        (
            "Dockerfile",
            "FROM python:3.12\nCOPY . .\nCMD [\"python\", \"app.py\"]\n",
        ),
        (
            "compose.yaml",
            "services:\n  web:\n    build: .\n    env_file: [.env]\n    ports: ['8000:8000']\n",
        ),
    ]);
    place.init();
    assert!(place.read(".env.example").contains("API_KEY"));
    let written = project::load_for_rendering(&place.settings()).unwrap();
    let told: Vec<_> = written.warnings.iter().map(|it| &it.message).collect();
    assert!(
        told.iter().any(|text| text.contains("does not exist")),
        "{told:?}"
    );
    // Whoever starts it still has to have it.
    assert!(project::load(&place.settings(), &[]).is_err());
}

/// A server that needs a package beside it and tables, and a page that calls it at a fixed address.
const HELPED: &[(&str, &str)] = &[
    (
        "backend/requirements.txt",
        "fastapi==0.121.0\nuvicorn==0.38.0\nsqlalchemy==2.0.40\npsycopg==3.2.0\nalembic==1.15.0\n",
    ),
    ("backend/desk/__init__.py", ""),
    (
        "backend/desk/main.py",
        "import os\n\nimport psycopg\nfrom deskkit import hello\nfrom fastapi import FastAPI\n\napp = FastAPI()\nURL = os.environ[\"DATABASE_URL\"]\n\n@app.get(\"/health\")\ndef health():\n    return hello()\n",
    ),
    ("backend/alembic.ini", "[alembic]\n"),
    (
        "backend/Dockerfile",
        "FROM python:3.12\nWORKDIR /srv\nCOPY . .\nCMD [\"uvicorn\", \"desk.main:app\", \"--host\", \"0.0.0.0\", \"--port\", \"8000\"]\n",
    ),
    (
        "sdk/deskkit/__init__.py",
        "def hello():\n    return {\"ok\": True}\n",
    ),
    (
        "page/requirements.txt",
        "streamlit==1.51.0\nrequests==2.32.0\n",
    ),
    (
        "page/app.py",
        "import requests\nimport streamlit as st\n\nst.title(\"Desk\")\nst.json(requests.get(\"http://localhost:8000/health\").json())\n",
    ),
    (
        "page/Dockerfile",
        "FROM python:3.12\nWORKDIR /srv\nCOPY . .\nCMD [\"streamlit\", \"run\", \"app.py\", \"--server.port\", \"8501\"]\n",
    ),
    (
        "compose.yaml",
        "services:\n  api:\n    build: ./backend\n    environment:\n      DATABASE_URL: postgresql://desk:desk-of-oak@db/desk\n    ports: ['8000:8000']\n    depends_on: [db]\n  board:\n    build: ./page\n    ports: ['8501:8501']\n  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: desk-of-oak\n",
    ),
];

#[test]
fn an_overlay_gives_the_help_that_services_need() {
    let place = Place::new(HELPED);
    place.init();
    insta::assert_snapshot!(place.read("compose.plimsoll.yaml"), @r#"
    # What `plimsoll init` found in the source and compose.yaml does not say. Nothing reads this file
    # unless it is named; `plimsoll up` knows it without the file, but for what is called help.
    #
    #   docker compose -f compose.yaml -f compose.plimsoll.yaml up

    services:
      # help: api searches /app/sdk (backend/desk/main.py:4: imports what lies in sdk)
      # help: api-tables runs python -m alembic upgrade head before api (backend/alembic.ini:1: keeps
      #   the tables as migrations, which nothing in the code applies)
      # its health shows otherwise than its Compose file says
      api:
        volumes:
          - ./sdk:/opt/sdk:ro
        environment:
          PYTHONPATH: /opt/sdk
        ports:
          - 8501:8501
        depends_on:
          api-tables:
            condition: service_completed_successfully
        healthcheck:
          test:
            - CMD
            - python
            - -c
            - import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=4)
          interval: 10s
          timeout: 5s
          start_period: 60s
          start_interval: 500ms
          retries: 3

      # help: board shares api's network (page/app.py:5: `page` calls `backend` at the fixed address
      #   `http://localhost:8000/health`)
      # its health shows otherwise than its Compose file says
      board:
        network_mode: service:api
        networks: !reset null
        ports: !reset []
        hostname: !reset null
        healthcheck:
          test:
            - CMD
            - python
            - -c
            - import urllib.request as r; r.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)
          interval: 10s
          timeout: 5s
          start_period: 60s
          start_interval: 500ms
          retries: 3

      # runs once, before what waits for it
      api-tables:
        extends:
          file: compose.yaml
          service: api
        command:
          - python
          - -m
          - alembic
          - upgrade
          - head
        volumes:
          - ./sdk:/opt/sdk:ro
        environment:
          PYTHONPATH: /opt/sdk
        restart: "no"
        container_name: !reset null
        ports: !reset []
        healthcheck:
          disable: true
    "#);
    let mut settings = place.settings();
    settings.files = vec!["compose.yaml".into(), "compose.plimsoll.yaml".into()];
    let project = project::load(&settings, &[]).unwrap().project;
    let job = &project.services["api-tables"];
    assert!(job.recipe.is_some() && job.ports.is_empty());
    assert!(job.environment.contains_key("DATABASE_URL"));
    assert!(
        project.services["api"]
            .depends_on
            .contains_key("api-tables")
    );
    let board = &project.services["board"];
    assert!(board.network_mode.is_some() && board.ports.is_empty() && board.networks.is_empty());
    assert_eq!(project.services["api"].ports.len(), 2);
    // Written again, it is the same.
    let first = place.read("compose.plimsoll.yaml");
    place.init();
    assert_eq!(first, place.read("compose.plimsoll.yaml"));
}

#[test]
fn an_overlay_takes_back_what_keeps_a_server_over_standard_input_from_working() {
    let place = Place::new(&[
        ("requirements.txt", "mcp==1.20.0\n"),
        (
            "server.py",
            "from mcp.server.fastmcp import FastMCP\n\nmcp = FastMCP(\"tools\")\n\nif __name__ == \"__main__\":\n    mcp.run()\n",
        ),
        (
            "compose.yaml",
            "services:\n  tools:\n    build: .\n    command: python server.py\n    restart: unless-stopped\n    healthcheck:\n      test: [CMD, pgrep, python]\n",
        ),
    ]);
    place.init();
    insta::assert_snapshot!(place.read("compose.plimsoll.yaml"), @r#"
    # What `plimsoll init` found in the source and compose.yaml does not say. Nothing reads this file
    # unless it is named; `plimsoll up` knows it without the file, but for what is called help.
    #
    #   docker compose -f compose.yaml -f compose.plimsoll.yaml up
    #
    # What the project's files say and the code does not:
    # - compose.yaml:5: `tools` ends when nobody speaks to it, so restarting it goes on for ever
    # - compose.yaml:7: health check calls `pgrep`, which the image will not have

    services:
      # the check that its Compose file states cannot pass
      # ends when nobody speaks to it, which is no failure
      tools:
        healthcheck:
          disable: true
        restart: "no"
    "#);
    let first = place.read("compose.plimsoll.yaml");
    place.init();
    assert_eq!(first, place.read("compose.plimsoll.yaml"));
}

#[test]
fn a_check_that_no_command_of_the_image_can_take_the_place_of_is_left_out() {
    let place = Place::new(&[
        ("go.mod", "module tide\n\ngo 1.24\n"),
        (
            "main.go",
            "package main\n\nimport \"net/http\"\n\nfunc main() {\n\thttp.HandleFunc(\"/health\", nil)\n\thttp.ListenAndServe(\":8400\", nil)\n}\n",
        ),
        (
            "Dockerfile",
            "FROM golang:1.24 AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /tide .\n\nFROM scratch\nCOPY --from=build /tide /tide\nENTRYPOINT [\"/tide\"]\n",
        ),
        (
            "compose.yaml",
            "services:\n  tide:\n    build: .\n    ports: [\"8400:8400\"]\n    healthcheck:\n      test: [CMD, /tide, --health-check]\n",
        ),
    ]);
    place.init();
    let overlay = place.read("compose.plimsoll.yaml");
    assert!(overlay.contains("disable: true"), "{overlay}");
    assert!(
        overlay.contains("`--health-check`, which no source"),
        "{overlay}"
    );
}

#[test]
fn contradictions_that_need_no_override_are_written_down_all_the_same() {
    let place = Place::new(&[
        ("requirements.txt", "fastapi\n"),
        (
            "main.py",
            "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/health')\ndef health():\n    return {}\n",
        ),
        (
            "compose.yaml",
            "services:\n  tide:\n    build: .\n    healthcheck: { disable: true }\n",
        ),
    ]);
    place.init();
    let overlay = place.read("compose.plimsoll.yaml");
    assert!(
        overlay.contains("# - main.py:2: `uvicorn` is needed to serve it"),
        "{overlay}"
    );
    assert!(overlay.ends_with("services: {}\n"), "{overlay}");
    place.init();
    assert_eq!(overlay, place.read("compose.plimsoll.yaml"));
}
