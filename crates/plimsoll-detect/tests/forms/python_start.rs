//! What a Python service does when it starts, as opposed to later, and what it does not start without.

use crate::tree::{found, lines, required};

fn checked(source: &str) -> Vec<String> {
    let source = format!(
        "import os\nimport sys\nfrom fastapi import Depends, FastAPI\napp = FastAPI()\n{source}\n"
    );
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("main.py", &source),
    ]);
    assert_eq!(detection.services.len(), 1, "{source}");
    let mut names: Vec<String> = required(&detection)
        .into_iter()
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

#[test]
fn what_a_request_asks_for_is_none_of_the_start() {
    let client = "def client():\n    key = os.getenv('EBB')\n    if not key:\n        raise ValueError('EBB')\n    return key\n";
    for kept in [
        "@app.get('/')\ndef root(key=Depends(client)):\n    return key",
        "app.add_api_route('/', client)",
        "graph.add_node('client', client)",
        "bot.add_handler(CommandHandler('start', client))",
    ] {
        assert!(checked(&format!("{client}{kept}")).is_empty(), "{kept}");
    }
    for run in ["KEY = client()", "Thread(target=client).start()"] {
        assert_eq!(checked(&format!("{client}{run}")), ["EBB"], "{run}");
    }
}

#[test]
fn what_a_handler_answers_for_is_not_required() {
    let root = |raised: &str, caught: &str| {
        checked(&format!(
            "def root():\n    try:\n        root = os.getenv('EBB')\n        if root is None:\n            raise {raised}('EBB')\n        \
             return root\n    except {caught}:\n        return './here'\nROOT = root()"
        ))
    };
    assert!(root("KeyError", "KeyError").is_empty());
    assert!(root("ValueError", "(KeyError, ValueError) as error").is_empty());
    assert!(root("RuntimeError", "Exception").is_empty());
    assert_eq!(root("RuntimeError", "KeyError"), ["EBB"]);
}

#[test]
fn a_table_of_what_is_wanted_is_checked_at_once() {
    let reads = "class Keys:\n    def __init__(self):\n        self.ebb = os.getenv('EBB')\n        self.flow = os.getenv('FLOW')\n        \
                 self.tide = os.getenv('TIDE', 'high')\n        self.spare = os.getenv('SPARE')\n";
    for check in [
        "        wanted = {'EBB': self.ebb, 'FLOW': self.flow, 'TIDE': self.tide}\n        missing, wrong = [], []\n        missing = []\n        \
         for name, value in wanted.items():\n            if not value:\n                missing.append(name)\n        \
         for name, value in {'SPARE': self.spare}.items():\n            if not value:\n                print(name)\n        \
         if missing or wrong:\n            raise SystemExit(1)\nkeys = Keys()",
        "        wanted = {'EBB': self.ebb, 'FLOW': self.flow}\n        missing = [name for name, value in wanted.items() if not value]\n        \
         if missing:\n            raise ValueError(missing)\nkeys = Keys()",
        "        missing = [name for name, value in [('EBB', self.ebb), ('FLOW', self.flow)] if value is None]\n        \
         if len(missing) > 0:\n            sys.exit(1)\nkeys = Keys()",
    ] {
        assert_eq!(
            checked(&format!("{reads}{check}")),
            ["EBB", "FLOW"],
            "{check}"
        );
    }
    // One of several ways alone ends here.
    let check = "        if os.getenv('SPARE') == 'tide':\n            missing = [name for name, value in (('EBB', self.ebb),) if not value]\n            \
                 if missing:\n                raise ValueError(missing)\nkeys = Keys()";
    assert!(checked(&format!("{reads}{check}")).is_empty());
    // Nothing ends here.
    let check = "        missing = [name for name, value in {'EBB': self.ebb}.items() if not value]\n        \
                 if missing:\n            print(missing)\nkeys = Keys()";
    assert!(checked(&format!("{reads}{check}")).is_empty());
}

#[test]
fn a_directory_of_sources_beside_what_is_installed_is_searched() {
    let detection = found(&[
        (
            "pyproject.toml",
            "[project]\nname = 'desk'\nversion = '1'\ndependencies = ['fastapi', 'uvicorn']\n[build-system]\nrequires = ['hatchling']\n\
             build-backend = 'hatchling.build'\n",
        ),
        ("desk/tools.py", "def tool(): ...\n"),
        ("backend/core/config.py", "PORT = 8000\n"),
        ("backend/core/__init__.py", ""),
        (
            "backend/main.py",
            "from fastapi import FastAPI\nfrom core.config import PORT\napp = FastAPI()\n",
        ),
    ]);
    let service = &detection.services[0];
    let recipe = service.recipe.as_ref().unwrap();
    assert!(
        recipe
            .environment
            .contains(&("PYTHONPATH".to_owned(), "/app/backend".to_owned())),
        "{recipe:?}"
    );
}

#[test]
fn a_list_that_windows_wrote_is_read() {
    let wide: Vec<u8> = "\u{feff}fastapi==0.115.12\r\nuvicorn==0.34.1\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let directory =
        crate::tree::written(&[("main.py", "from fastapi import FastAPI\napp = FastAPI()\n")]);
    for bytes in [wide, b"\xef\xbb\xbffastapi\nuvicorn\n".to_vec()] {
        fs_err::write(directory.path().join("requirements.txt"), bytes).unwrap();
        let detection = crate::remembered::found_twice(directory.path());
        assert!(detection.problems.is_empty(), "{:?}", detection.problems);
    }
}

#[test]
fn a_guard_sends_what_it_turns_away_further_down() {
    let served = |case: &str| {
        let detection = found(&[
            ("requirements.txt", "mcp\n"),
            (
                "server.py",
                &format!(
                    "import argparse\nfrom mcp.server.fastmcp import FastMCP\nmcp = FastMCP('desk')\n@mcp.tool()\ndef add(): ...\n\
                     parser = argparse.ArgumentParser()\nparser.add_argument('--transport', default='stdio')\n\
                     args = parser.parse_args()\nif __name__ == '__main__':\n    match args.transport:\n        {case}:\n            print('desk')\n        case 'other':\n            mcp.run(transport='stdio')\n        \
                     case _:\n            mcp.run(transport='streamable-http')\n"
                ),
            ),
        ]);
        lines(&detection).join("\n")
    };
    assert_ne!(served("case 'stdio'"), served("case 'stdio' if args.local"));
}

#[test]
fn a_server_that_listens_to_itself_is_told_another_address_by_its_option() {
    let click = "import click, uvicorn\nfrom .web import create\n\
                 @click.command()\n@click.option('--host', 'host', default='localhost')\n@click.option('--port', 'port', default=9100)\n\
                 def main(host, port):\n    uvicorn.run(create(host).build(), host=host, port=port)\nif __name__ == '__main__':\n    main()\n";
    let argparse = "import argparse, uvicorn\nfrom .web import create\n\
                    def main():\n    parser = argparse.ArgumentParser()\n    parser.add_argument('--host', default='127.0.0.1')\n    \
                    args = parser.parse_args()\n    uvicorn.run(create(args.host).build(), host=args.host, port=9100)\n\
                    if __name__ == '__main__':\n    main()\n";
    let started = |source: &str| {
        let detection = found(&[
            ("requirements.txt", "click\nuvicorn\n"),
            ("desk/__init__.py", ""),
            ("desk/web.py", "def create(host): ...\n"),
            ("desk/main.py", source),
        ]);
        lines(&detection).join("\n")
    };
    let told = "web python -m desk.main --host 0.0.0.0 [9100]";
    assert_eq!(started(click), told);
    assert_eq!(started(argparse), told);
    let open = "web python -m desk.main [9100]";
    assert_eq!(started(&click.replace("localhost", "0.0.0.0")), open);
    let group = click.replace("@click.command()", "@desk.command()");
    assert_eq!(started(&group), open);
}

#[test]
fn a_file_that_prepares_what_it_serves_is_run() {
    let started = |guard: &str, more: &str| {
        let detection = found(&[
            ("requirements.txt", &format!("flask\n{more}")),
            (
                "desk.py",
                &format!(
                    "from flask import Flask\napp = Flask(__name__)\ndef prepare():\n    global store\n    store = 1\n\
                     if __name__ == '__main__':\n{guard}"
                ),
            ),
        ]);
        lines(&detection).join("\n")
    };
    let flask = "web python -m flask --app desk:app run --host 0.0.0.0 --port 5001 [5001]";
    let prepared = "    done = prepare()\n    app.run(host='0.0.0.0', port=5001)\n";
    assert_eq!(started(prepared, ""), "web python -m desk [5001]");
    assert_eq!(
        started("    app.run(host='0.0.0.0', port=5001)\n", ""),
        flask
    );
    assert_eq!(
        started("    prepare()\n    app.run(port=5001)\n", ""),
        flask
    );
    assert!(started(prepared, "gunicorn\n").contains("gunicorn"));
}

#[test]
fn an_image_says_the_port_of_a_server_that_says_none() {
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\npydantic-settings\n"),
        (
            "Dockerfile",
            "FROM python:3.12\nCOPY . .\nEXPOSE 8123\nCMD [\"python\", \"-m\", \"desk.main\"]\n",
        ),
        ("desk/__init__.py", ""),
        ("desk/loader.py", "def load(): ...\n"),
        (
            "desk/main.py",
            "import asyncio\nfrom fastapi import FastAPI\nfrom uvicorn import Config, Server\nfrom desk.loader import load\n\
             class Desk:\n    def __init__(self):\n        self.settings = load()\n    async def serve(self):\n        \
             self.app = FastAPI()\n        await Server(Config(self.app, host='0.0.0.0', port=self.settings.port)).serve()\n    \
             def run(self):\n        asyncio.run(self.serve())\n\
             def main():\n    Desk().run()\nif __name__ == '__main__':\n    main()\n",
        ),
    ]);
    assert_eq!(lines(&detection), ["web python -m desk.main [8123]"]);
}

#[test]
fn services_of_directories_with_one_name_are_named_after_what_is_above() {
    let app = "from fastapi import FastAPI\napp = FastAPI()\n";
    let detection = found(&[
        ("bank/ai-service/requirements.txt", "fastapi\nuvicorn\n"),
        ("bank/ai-service/main.py", app),
        ("salon/ai-service/requirements.txt", "fastapi\nuvicorn\n"),
        ("salon/ai-service/main.py", app),
    ]);
    let names: Vec<_> = detection
        .services
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(names, ["ai-service", "salon-ai-service"]);
}

/// Where the files of variables may be that the only service loads, and whether libraries see them.
fn loaded(files: &[(&str, &str)]) -> Vec<String> {
    let detection = found(files);
    let files = detection
        .services
        .iter()
        .flat_map(|one| &one.environment_files);
    files
        .map(|file| {
            let paths: Vec<_> = file
                .candidates
                .iter()
                .map(|path| path.to_str().unwrap())
                .collect();
            format!("{:?} {}", file.into, paths.join(" "))
        })
        .collect()
}

#[test]
fn files_of_variables_that_code_loads_when_it_starts() {
    let desk = |source: &str| {
        let source = format!("from fastapi import FastAPI\napp = FastAPI()\n{source}\n");
        loaded(&[
            ("desk/requirements.txt", "fastapi\nuvicorn\npython-dotenv\n"),
            ("desk/main.py", &source),
        ])
    };
    let above = ["Environment desk/.env .env"];
    assert_eq!(desk("from dotenv import load_dotenv\nload_dotenv()"), above);
    assert_eq!(
        desk(
            "from dotenv import load_dotenv, find_dotenv\ndef begin():\n    load_dotenv(find_dotenv())\nbegin()"
        ),
        above
    );
    assert_eq!(
        desk(
            "from pathlib import Path\nfrom dotenv import load_dotenv\nload_dotenv(Path(__file__).parent / 'own.env')"
        ),
        ["Environment desk/own.env"]
    );
    assert_eq!(
        desk("from environs import Env\nenv = Env()\nenv.read_env()"),
        above
    );
    assert_eq!(
        desk(
            "from pydantic_settings import BaseSettings, SettingsConfigDict\nclass Settings(BaseSettings):\n    \
              model_config = SettingsConfigDict(env_file=('.env', 'own.env'))"
        ),
        ["Settings desk/own.env desk/.env"]
    );
    assert_eq!(
        desk(
            "from pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n    class Config:\n        env_file = '.env'"
        ),
        ["Settings desk/.env"]
    );
    assert_eq!(
        desk("from decouple import config\nKEY = config('KEY', default='')"),
        ["Settings desk/.env .env"]
    );
    // Nobody calls it, and a script of its own is not what is started.
    for later in [
        "from dotenv import load_dotenv\n@app.get('/')\ndef root():\n    load_dotenv()",
        "import dotenv\ndef begin():\n    dotenv.load_dotenv()",
    ] {
        assert!(desk(later).is_empty(), "{later}");
    }
    let graph = "graph = build()\n";
    let server = loaded(&[
        ("requirements.txt", "langgraph\n"),
        (
            "langgraph.json",
            r#"{"dependencies": ["."], "graphs": {"desk": "./desk.py:graph"}, "env": "./own.env"}"#,
        ),
        ("desk.py", graph),
    ]);
    assert_eq!(server, ["Environment own.env"]);
}

#[test]
fn a_table_that_is_spread_says_what_is_served_where() {
    let started = |serve: &str| {
        let detection = found(&[
            ("requirements.txt", "fastapi\nuvicorn\n"),
            (
                "desk.py",
                &format!(
                    "import os, uvicorn\nfrom fastapi import FastAPI\napp = FastAPI()\nif __name__ == '__main__':\n{serve}"
                ),
            ),
        ]);
        lines(&detection).join("\n")
    };
    let served = "web python -m uvicorn desk:app --host 0.0.0.0 --port 8110 [8110]";
    for serve in [
        "    options = {'host': '0.0.0.0', 'port': 8110}\n    uvicorn.run('desk:app', **options)\n",
        "    options = dict(app='desk:app', port=int(os.getenv('DESK_PORT', '8110')))\n    uvicorn.run(**options)\n",
        "    options = dict(port=8110) | more\n    uvicorn.run(app, **options)\n",
    ] {
        assert_eq!(started(serve), served, "{serve}");
    }
}

#[test]
fn a_file_that_reads_arguments_when_it_is_imported_is_run_itself() {
    let server = |parse: &str| {
        let source = format!(
            "import argparse\nfrom fastapi import FastAPI\n\n\ndef arguments():\n    parser = argparse.ArgumentParser()\n    parser.add_argument('--host', default='0.0.0.0')\n    parser.add_argument('--port', default=8002, type=int)\n    return parser.parse_args()\n\n{parse}\napp = FastAPI()\n\nif __name__ == '__main__':\n    import uvicorn\n    options = arguments()\n    uvicorn.run(app, host=options.host, port=options.port)\n"
        );
        let detection = found(&[
            ("requirements.txt", "fastapi\nuvicorn\n"),
            ("desk.py", &source),
        ]);
        detection.services[0].command.join(" ")
    };
    assert_eq!(server("chosen = arguments()\n"), "python -m desk");
    assert_eq!(
        server(""),
        "python -m uvicorn desk:app --host 0.0.0.0 --port 8002"
    );
}

#[test]
fn what_only_another_condition_asks_for_is_not_required() {
    let chosen = "PROVIDER = os.getenv('PROVIDER', 'near')\n";
    for check in [
        "if 'EBB' not in os.environ:",
        "if not os.getenv('EBB'):",
        "KEY = os.getenv('EBB')\n    if KEY is None:",
    ] {
        for (condition, names) in [
            ("if PROVIDER == 'far':", vec![]),
            ("if PROVIDER == 'near':", vec!["EBB"]),
            ("if os.getenv('FLOW'):", vec![]),
            ("if not os.getenv('FLOW'):", vec!["EBB"]),
        ] {
            let text = format!("{chosen}{condition}\n    {check}\n        raise ValueError('EBB')");
            assert_eq!(checked(&text), names, "{text}");
        }
    }
}
