//! Where a Python application is started from, on which port, and what it is not started without: by its own dots, by
//! what its image says, by scripts and files beside it.

use crate::tree::{found, lines, required};

const APP: &str = "from fastapi import FastAPI\napp = FastAPI()\n";

#[test]
fn what_imports_by_dots_is_started_by_as_many_names() {
    let main = "from fastapi import FastAPI\nfrom .core.config import NAME\napp = FastAPI()\n";
    let detection = found(&[
        (
            "pyproject.toml",
            "[project]\nname = \"tide\"\nversion = \"1\"\ndependencies = [\"fastapi\", \"uvicorn\"]\n[tool.setuptools]\npackages.find = { where = [\"api/src\"] }\n",
        ),
        ("api/__init__.py", ""),
        ("api/src/main.py", main),
        ("api/src/core/config.py", "NAME = 'tide'\n"),
    ]);
    assert_eq!(
        lines(&detection),
        ["web python -m uvicorn api.src.main:app --host 0.0.0.0 --port 8000 [8000]"]
    );
}

#[test]
fn an_application_inside_of_another_one_is_no_second_service() {
    let text = "from channels.routing import ProtocolTypeRouter, URLRouter\nfrom django.core.asgi import get_asgi_application\n\
                from django.urls import re_path\nfrom kit import wrap\ninner = get_asgi_application()\n\
                application = ProtocolTypeRouter({'http': wrap(1, URLRouter([re_path('', inner)]))})\n";
    let detection = found(&[
        ("requirements.txt", "django\nchannels\nuvicorn\nkit\n"),
        ("desk/asgi.py", text),
        (
            "Dockerfile",
            "FROM python:3.12\nEXPOSE 8888\nCMD [\"sh\", \"-c\", \"exec granian --interface asgi --host 0.0.0.0 --port ${PORT:-8301} desk.asgi:application\"]\n",
        ),
    ]);
    assert_eq!(
        lines(&detection),
        ["web python -m uvicorn desk.asgi:application --host 0.0.0.0 --port 8301 [8301]"]
    );
}

#[test]
fn a_port_that_the_image_sets_is_the_one_its_command_names() {
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("main.py", APP),
        (
            "Dockerfile",
            "FROM python:3.12\nENV PORT=8310\nCMD uvicorn main:app --host 0.0.0.0 --port $PORT\n",
        ),
    ]);
    assert_eq!(detection.services[0].ports, [8310]);
}

#[test]
fn a_dockerfile_aside_is_about_what_it_copies() {
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("desk/__init__.py", ""),
        ("desk/main.py", APP),
        (
            "docker/Dockerfile",
            "FROM python:3.12\nCOPY desk desk\nCMD [\"uvicorn\", \"desk.main:app\", \"--port\", \"8320\"]\n",
        ),
    ]);
    assert_eq!(detection.services[0].ports, [8320]);
}

#[test]
fn what_the_root_leaves_out_of_its_image_may_have_one_of_its_own() {
    let of = |others: &[(&str, &str)]| {
        let mut files = vec![
            (".dockerignore", "services/\n"),
            ("services/tide/requirements.txt", "fastapi\nuvicorn\n"),
            ("services/tide/main.py", APP),
        ];
        files.extend(others);
        found(&files).services.len()
    };
    assert_eq!(of(&[]), 0);
    assert_eq!(
        of(&[(
            "services/tide/Dockerfile",
            "FROM python:3.12\nCOPY main.py .\n"
        )]),
        1
    );
}

#[test]
fn what_the_script_of_an_image_ends_without_is_required() {
    let script = "#!/bin/sh\nset -e\n: \"${EBB_URL:?}\"\nif [ -z \"$FLOW\" ]; then\n  echo no >&2\n  exit 1\nfi\nexec \"$@\"\n";
    let image = "FROM python:3.12\nCOPY deploy/entrypoint.sh /entrypoint.sh\nENTRYPOINT [\"/entrypoint.sh\"]\nCMD [\"uvicorn\", \"main:app\"]\n";
    let of = |image: &str| {
        let detection = found(&[
            ("requirements.txt", "fastapi\nuvicorn\n"),
            ("main.py", APP),
            ("deploy/entrypoint.sh", script),
            ("Dockerfile", image),
        ]);
        let names: Vec<String> = required(&detection)
            .into_iter()
            .map(str::to_owned)
            .collect();
        names
    };
    assert_eq!(of(image), ["EBB_URL", "FLOW"]);
    assert!(of("FROM python:3.12\nCMD [\"uvicorn\", \"main:app\"]\n").is_empty());
}

#[test]
fn settings_that_code_fills_itself_are_not_required() {
    let of = |made: &str| {
        let text = format!(
            "import tomllib\nfrom fastapi import FastAPI\nfrom pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n    ebb: str\n    flow: str\n\
             def load():\n    config = tomllib.load(open('desk.toml', 'rb'))\n    table = {{}}\n    {made}\nsettings = load()\napp = FastAPI()\n"
        );
        let detection = found(&[
            ("requirements.txt", "fastapi\nuvicorn\npydantic-settings\n"),
            ("main.py", &text),
        ]);
        required(&detection).join(" ")
    };
    assert_eq!(of("return Settings()"), "EBB FLOW");
    assert_eq!(of("return Settings(ebb=1)"), "FLOW");
    assert_eq!(
        of("table.update({'flow': 1})\n    return Settings(**table)"),
        "EBB"
    );
    assert_eq!(of("table['ebb'] = 1\n    return Settings(**table)"), "");
    assert_eq!(of("return Settings(**config)"), "");
}

#[test]
fn an_example_of_settings_says_the_port_where_they_are_not_in_the_tree() {
    let text = "import yaml\nimport uvicorn\nfrom fastapi import FastAPI\nwith open('config.yaml') as file:\n    config = yaml.safe_load(file)\napp = FastAPI()\n\
                if __name__ == '__main__':\n    uvicorn.run(app, host='0.0.0.0', port=config['server']['port'])\n";
    let of = |name: &str| {
        let detection = found(&[
            ("requirements.txt", "fastapi\nuvicorn\npyyaml\n"),
            ("main.py", text),
            (name, "server:\n  port: 8330\n"),
        ]);
        detection.services[0].ports.clone()
    };
    assert_eq!(of("config.yaml"), [8330]);
    assert_eq!(of("config.example.yaml"), [8330]);
    assert_eq!(of("other.yaml"), [8000]);
}

#[test]
fn a_handler_does_not_take_what_leaves_the_program() {
    let of = |raised: &str| {
        let text = format!(
            "import os\nfrom fastapi import FastAPI\ndef key():\n    try:\n        key = os.getenv('EBB')\n        if not key:\n            raise {raised}\n        \
             return key\n    except Exception:\n        return None\nKEY = key()\napp = FastAPI()\n"
        );
        let detection = found(&[
            ("requirements.txt", "fastapi\nuvicorn\n"),
            ("main.py", &text),
        ]);
        required(&detection).join(" ")
    };
    assert_eq!(of("SystemExit(1)"), "EBB");
    assert_eq!(of("ValueError(1)"), "");
}

#[test]
fn a_command_may_name_the_file_that_passes_an_application_on() {
    let app = "from flask import Flask\napp = Flask(__name__)\n";
    for (passes, image) in [
        ("wsgi.py", "CMD gunicorn --bind 0.0.0.0:8340 wsgi:app\n"),
        (
            "run.py",
            "ENV FLASK_APP=run.py\nCMD [\"flask\", \"run\", \"-p 8340\", \"--host=0.0.0.0\"]\n",
        ),
    ] {
        let image = format!("FROM python:3.12\n{image}");
        let detection = found(&[
            ("requirements.txt", "flask\ngunicorn\n"),
            ("desk/__init__.py", ""),
            ("desk/web.py", app),
            (passes, "from desk.web import app\n"),
            ("Dockerfile", &image),
        ]);
        assert_eq!(detection.services[0].ports, [8340], "{passes}");
    }
}

#[test]
fn an_application_that_would_take_the_port_of_what_is_started_is_none() {
    let serves = |port: u16| {
        format!(
            "{APP}if __name__ == '__main__':\n    import uvicorn\n    uvicorn.run(app, host='0.0.0.0', port={port})\n"
        )
    };
    let of = |port: u16, script: &str| {
        let files = [
            ("requirements.txt", "fastapi\nuvicorn\n"),
            ("main.py", &*serves(8350)),
            ("simple.py", &*serves(port)),
            ("start.sh", script),
        ];
        found(&files).services.len()
    };
    assert_eq!(of(8350, "python main.py\n"), 1);
    assert_eq!(of(8351, "python main.py\n"), 2);
    assert_eq!(of(8350, "python main.py &\npython simple.py\n"), 2);
    assert_eq!(of(8350, "echo\n"), 2);
}
