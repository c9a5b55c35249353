//! Forms that real projects take, each as the smallest tree that shows it.

use plimsoll_detect::{Detection, Help, ServiceKind};
use plimsoll_model::RecipeKind;

use crate::tree::{found, lines, required};

fn why<'d>(detection: &'d Detection, path: &str) -> &'d str {
    detection
        .rejected
        .iter()
        .find(|rejected| rejected.path.to_str() == Some(path))
        .map(|rejected| rejected.why.as_str())
        .unwrap()
}

const PYPROJECT: &str = "[project]\nname = \"tide\"\nversion = \"1\"\ndependencies = [\"mcp\", \"fastapi\", \"uvicorn\"]\n\
    [project.scripts]\ntide = \"tide:main\"\n[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n";

#[test]
fn a_program_reaches_its_server_through_other_files() {
    let detection = found(&[
        ("pyproject.toml", PYPROJECT),
        (
            "src/tide/__init__.py",
            "import asyncio\nfrom .server import serve\ndef main():\n    asyncio.run(serve())\n",
        ),
        (
            "src/tide/server.py",
            "import os\nfrom mcp.server import Server\nfrom mcp.server.stdio import stdio_server\n\
             async def serve():\n    key = os.environ[\"TIDE_KEY\"]\n    server = Server(\"tide\")\n\
             \x20   async with stdio_server() as (a, b):\n        await server.run(a, b)\n\
             def answer():\n    return os.environ[\"ASKED_FOR_LATER\"]\n",
        ),
    ]);
    assert_eq!(lines(&detection), ["mcp-stdio tide []"]);
    assert_eq!(required(&detection), ["TIDE_KEY"]);
}

#[test]
fn the_default_of_a_setting_chooses_the_transport() {
    let files = |transport: &str| {
        let settings = format!(
            "from pydantic import BaseModel, Field\nclass Server(BaseModel):\n    transport: str = Field(default=\"{transport}\")\n"
        );
        let detection = found(&[
            ("requirements.txt", "mcp\npydantic\n"),
            ("settings.py", &settings),
            (
                "main.py",
                "import asyncio\nfrom mcp.server.fastmcp import FastMCP\nfrom settings import Server\n\
                 mcp = FastMCP(\"x\", host=\"0.0.0.0\", port=9000)\ndef load():\n    return Server()\n\
                 async def run():\n    settings = load()\n    if settings.transport == \"stdio\":\n\
                 \x20       await mcp.run_stdio_async()\n    elif settings.transport == \"http\":\n\
                 \x20       await mcp.run_streamable_http_async()\n    else:\n        raise ValueError(1)\n\
                 if __name__ == \"__main__\":\n    asyncio.run(run())\n",
            ),
        ]);
        lines(&detection)
    };
    assert_eq!(files("http"), ["mcp-http python -m main [9000]"]);
    assert_eq!(files("stdio"), ["mcp-stdio python -m main []"]);
}

#[test]
fn a_graph_is_served_once() {
    let configuration =
        "{\"graphs\": {\"agent\": \"./graph.py:graph\"}, \"dependencies\": [\".\"]}";
    let graph = (
        "graph.py",
        "from langgraph.graph import StateGraph\ngraph = StateGraph(dict).compile()\n",
    );
    let requirements = (
        "requirements.txt",
        "langgraph\nlanggraph-cli[inmem]\nfastapi\nuvicorn\n",
    );
    let alone = found(&[("langgraph.json", configuration), graph, requirements]);
    assert_eq!(
        lines(&alone),
        [
            "web python -m langgraph_cli dev --host 0.0.0.0 --port 2024 --no-browser --no-reload [2024]"
        ]
    );
    let served = found(&[
        ("langgraph.json", configuration),
        graph,
        requirements,
        (
            "app.py",
            "from fastapi import FastAPI\nfrom graph import graph\napp = FastAPI()\n",
        ),
    ]);
    assert_eq!(served.services.len(), 1);
    assert_eq!(
        why(&served, "langgraph.json"),
        "its graphs are part of `app:app` already"
    );
}

#[test]
fn a_gateway_says_what_belongs_together() {
    let server = |port: u16| {
        format!(
            "import os\nimport uvicorn\nfrom fastapi import FastAPI\napp = FastAPI()\n\
             if __name__ == \"__main__\":\n    uvicorn.run(app, port=int(os.getenv(\"SERVER_PORT\", \"{port}\")))\n"
        )
    };
    let gateway = format!(
        "PEERS = {{\"a\": \"http://localhost:8101\", \"b\": \"http://localhost:8102\", \"c\": \"http://localhost:8003\"}}\n{}",
        server(8000)
    );
    let texts: Vec<(String, String)> = (1..=9)
        .map(|number| (format!("server_{number}.py"), server(8000 + number % 5)))
        .collect();
    let mut files: Vec<(&str, &str)> = texts
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    files.push(("requirements.txt", "fastapi\nuvicorn\n"));
    files.push(("gateway.py", &gateway));
    files.push((
        "start.sh",
        "SERVER_PORT=8101 python server_1.py &\nSERVER_PORT=8102 python server_2.py &\npython server_3.py &\npython gateway.py\npython gone.py\n",
    ));
    let detection = found(&files);
    let names: Vec<&str> = detection
        .services
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert_eq!(names, ["gateway", "server-1", "server-2", "server-3"]);
    assert_eq!(detection.services[1].ports, [8101]);
    assert!(
        why(&detection, "server_8.py").contains("is not in the set that the gateway `gateway.py`")
    );
    let shared = detection
        .shims
        .iter()
        .filter(|shim| {
            shim.help
                == Help::SharedNetwork {
                    with: "gateway".to_owned(),
                }
        })
        .count();
    assert_eq!(shared, 3, "{:?}", detection.shims);
    assert!(detection.problems.iter().any(|problem| problem.what
        == "starts `gone.py`, which is not in the tree"
        && problem.line == 5));
    let directory = tempfile::tempdir().unwrap();
    let (project, _) = detection.into_project("x", directory.path(), &|name| name.to_owned());
    assert!(project.services["server-1"].network_mode.is_some());
    assert_eq!(project.services["gateway"].ports.len(), 4);
}

#[test]
fn state_of_one_process_allows_one_process() {
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        (
            "app.py",
            "import sqlite3\nfrom pathlib import Path\nfrom fastapi import FastAPI\napp = FastAPI()\njobs = {}\n\
             page_cache = {}\nPath(\"data/uploads\").mkdir(parents=True)\nOPENED = sqlite3.connect(\"data/app.db\")\n\
             @app.post(\"/jobs\")\ndef start(name: str):\n    jobs[name] = 1\n    page_cache[name] = 1\n\
             \x20   with open(\"jobs.log\", \"a\") as file:\n        file.write(name)\n",
        ),
    ]);
    let service = &detection.services[0];
    assert_eq!(service.replicas_max, Some(1));
    assert_eq!(service.writes, ["data/app.db", "data/uploads", "jobs.log"]);
    let reasons: Vec<&str> = service
        .evidence
        .iter()
        .map(|evidence| evidence.why.as_str())
        .filter(|why| why.contains("one process") || why.contains("memory"))
        .collect();
    assert_eq!(
        reasons,
        [
            "keeps its data in the file `data/app.db`: one process only",
            "keeps `jobs` in the memory of its process: a second one would not see it",
        ]
    );
}

#[test]
fn tables_are_made_before_the_service_starts() {
    let detection = found(&[
        (
            "requirements.txt",
            "fastapi\nuvicorn\nsqlalchemy\nalembic\npsycopg2-binary\n",
        ),
        ("alembic.ini", "[alembic]\nscript_location = migrations\n"),
        (
            "app.py",
            "import os\nfrom fastapi import FastAPI\nfrom sqlalchemy import create_engine\n\
             engine = create_engine(os.getenv(\"DATABASE_URL\", \"postgresql://u@localhost/x\"))\napp = FastAPI()\n",
        ),
    ]);
    let directory = tempfile::tempdir().unwrap();
    let (project, _) = detection.into_project("tide", directory.path(), &|name| name.to_owned());
    let job = project
        .services
        .values()
        .find(|service| service.name.ends_with("-tables"))
        .unwrap();
    assert_eq!(
        job.command.as_ref().unwrap().value.0,
        ["python", "-m", "alembic", "upgrade", "head"]
    );
    assert!(job.depends_on.contains_key("postgres"));
}

#[test]
fn no_job_makes_tables_by_what_only_developers_have() {
    let job = |manifest: &str| {
        let detection = found(&[
            ("pyproject.toml", manifest),
            ("alembic.ini", "[alembic]\nscript_location = migrations\n"),
            (
                "app.py",
                "import os\nfrom fastapi import FastAPI\nfrom sqlalchemy import create_engine\n\
                 engine = create_engine(os.getenv(\"DATABASE_URL\", \"postgresql://u@localhost/x\"))\napp = FastAPI()\n",
            ),
        ]);
        let directory = tempfile::tempdir().unwrap();
        let (project, _) =
            detection.into_project("tide", directory.path(), &|name| name.to_owned());
        project
            .services
            .keys()
            .any(|name| name.ends_with("-tables"))
    };
    let with = |alembic: &str, rest: &str| {
        format!(
            "[project]\nname = \"tide\"\nversion = \"1\"\n\
             dependencies = [\"fastapi\", \"uvicorn\", \"sqlalchemy\", \"psycopg\"{alembic}]\n{rest}"
        )
    };
    let group = "[dependency-groups]\ndev = [\"alembic>=1.16\", \"pytest\"]\n";
    assert!(!job(&with("", group)));
    assert!(job(&with(", \"alembic>=1.16\"", group)));
    assert!(job(&with(
        "",
        "[dependency-groups]\ndev = [\"alembic-utils\"]\n"
    )));
}

#[test]
fn pages_queues_and_servers_of_other_kinds() {
    let detection = found(&[
        (
            "requirements.txt",
            "chainlit\npanel\nhuey\ngrpcio\nredis\nmcp\n",
        ),
        (
            "chat.py",
            "import chainlit as cl\n@cl.on_message\nasync def answer(message):\n    pass\n",
        ),
        ("board.py", "import panel as pn\npn.Row(1).servable()\n"),
        (
            "jobs.py",
            "from huey import RedisHuey\nqueue = RedisHuey(\"jobs\")\n",
        ),
        (
            "rpc.py",
            "import grpc\ndef serve():\n    server = grpc.server(None)\n    server.add_insecure_port(\"[::]:50051\")\n\
             \x20   server.start()\nif __name__ == \"__main__\":\n    serve()\n",
        ),
    ]);
    let mut all = lines(&detection);
    all.sort();
    assert_eq!(
        all,
        [
            "ui python -m chainlit run chat.py --host 0.0.0.0 --port 8000 --headless [8000]",
            "ui python -m panel serve board.py --address=0.0.0.0 --port=5006 --allow-websocket-origin=* [5006]",
            "web python -m rpc [50051]",
            "worker python -m huey.bin.huey_consumer jobs.queue []",
        ]
    );
}

#[test]
fn a_factory_that_is_handed_something_is_served_by_what_it_made() {
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        (
            "app/launcher.py",
            "from fastapi import FastAPI\ndef create_app(settings):\n    app = FastAPI()\n    return app\n",
        ),
        ("app/__init__.py", ""),
        (
            "app/main.py",
            "from app.launcher import create_app\napp = create_app({})\n",
        ),
        (
            "app/check.py",
            "from fastapi import FastAPI\napp = FastAPI()\n@app.get(\"/health\")\ndef health():\n    return {}\n",
        ),
    ]);
    assert_eq!(
        lines(&detection),
        ["web python -m uvicorn app.main:app --host 0.0.0.0 --port 8000 [8000]"]
    );
    assert_eq!(
        why(&detection, "app/check.py"),
        "answers only whether another program is well"
    );
}

#[test]
fn settings_are_nested_prefixed_and_kept_in_files() {
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\npydantic-settings\n"),
        (
            "main.py",
            "import uvicorn\nfrom fastapi import FastAPI\nfrom settings import get_settings\napp = FastAPI()\n\
             if __name__ == \"__main__\":\n    uvicorn.run(app, port=get_settings().server.port)\n",
        ),
        (
            "settings.py",
            "from pydantic import BaseModel\nfrom pydantic_settings import BaseSettings, SettingsConfigDict\n\
             class Store(BaseModel):\n    url: str\n    pool: int = 5\n\
             class Server(BaseModel):\n    port: int\n\
             class Base(BaseSettings):\n    model_config = SettingsConfigDict(env_prefix=\"DESK_\", env_nested_delimiter=\"__\")\n\
             class Settings(Base):\n    store: Store\n    server: Server = None\n\
             def get_settings() -> Settings:\n    return Settings()\n",
        ),
        ("settings.yaml", "server:\n  port: ${DESK_PORT:7070}\n"),
    ]);
    assert_eq!(detection.services[0].ports, [7070]);
    assert_eq!(required(&detection), ["DESK_STORE__URL"]);
    let names: Vec<&str> = detection
        .environment
        .iter()
        .map(|variable| variable.name.as_str())
        .collect();
    assert!(names.contains(&"DESK_STORE__POOL"), "{names:?}");
}

#[test]
fn a_dockerfile_says_which_python_where_nothing_else_does() {
    let app = "from fastapi import FastAPI\napp = FastAPI()\n";
    let dockerfile = "FROM python:3.11-slim\nCOPY . .\nCMD [\"uvicorn\", \"desk:app\"]\n";
    let preferred = |more: &[(&str, &str)]| {
        let files = [("desk.py", app), ("Dockerfile", dockerfile)];
        let detection = found(&[&files, more].concat());
        match &detection.services[0].recipe.as_ref().unwrap().kind {
            RecipeKind::Python(python) => python.preferred_python.clone().map(|it| it.value),
            other => panic!("{other:?}"),
        }
    };
    let open = ("requirements.txt", "fastapi\nuvicorn\n");
    assert_eq!(preferred(&[open]).as_deref(), Some("3.11"));
    let stated = (
        "pyproject.toml",
        "[project]\nname = \"desk\"\nversion = \"1\"\nrequires-python = \">=3.12\"\ndependencies = [\"fastapi\", \"uvicorn\"]\n",
    );
    assert_eq!(preferred(&[stated]), None);
}

#[test]
fn what_deploys_a_service_is_weighed_against_its_code() {
    let app = "import os\nimport uvicorn\nfrom fastapi import FastAPI\napp = FastAPI()\nKEY = os.environ[\"DESK_KEY\"]\n\
        @app.get(\"/up\")\ndef up():\n    return {}\n\
        if __name__ == \"__main__\":\n    uvicorn.run(app, host=\"0.0.0.0\", port=8000)\n";
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("desk.py", app),
        (
            "Dockerfile",
            "FROM python:3.12-slim\nCOPY . .\nEXPOSE 9000\nCMD [\"python\", \"desk.py\"]\n",
        ),
        (".env.example", "OTHER=1\n"),
        (
            "fly.toml",
            "app = \"desk\"\n[http_service]\ninternal_port = 8080\n[[http_service.checks]]\npath = \"/healthz\"\n",
        ),
        (
            "deploy/nginx/nginx.conf",
            "server {\n  location / { \n    proxy_pass http://desk:5000;\n  }\n}\n",
        ),
        (
            ".github/workflows/image.yml",
            "jobs:\n  image:\n    steps:\n    - uses: docker/build-push-action@v6\n      with:\n        file: docker/Dockerfile.api\n",
        ),
    ]);
    let told: Vec<String> = detection
        .problems
        .iter()
        .map(|problem| {
            format!(
                "{}:{} {}",
                problem.path.display(),
                problem.line,
                problem.what
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    .env.example:1 documents OTHER, which nothing reads
    .env.example:1 does not name `DESK_KEY`, without which `desk` does not start (desk.py:5)
    .github/workflows/image.yml:6 builds from `docker/Dockerfile.api`, which is not in the tree
    Dockerfile:3 exposes port 9000, but `desk` listens on 8000 (desk.py:4)
    deploy/nginx/nginx.conf:3 leads to port 5000 of `desk`, which listens on 8000 (desk.py:4)
    fly.toml:3 expects port 8080, but `desk` listens on 8000 (desk.py:4)
    fly.toml:5 health check asks for `/healthz`, which `desk` does not answer
    ");
}

#[test]
fn a_program_that_works_until_a_signal_is_a_worker() {
    let detection = found(&[
        ("requirements.txt", "alembic\n"),
        ("alembic/env.py", "from alembic import context\n"),
        (
            "sweep.py",
            "import signal\nimport time\nfrom alembic.config import Config\nclass Sweep:\n    running = True\n\
             \x20   def run(self):\n        signal.signal(signal.SIGTERM, self.stop)\n\
             \x20       while self.running:\n            time.sleep(1)\n\
             \x20   def stop(self, *_):\n        self.running = False\n\
             if __name__ == \"__main__\":\n    sweep = Sweep()\n    sweep.run()\n",
        ),
    ]);
    assert_eq!(lines(&detection), ["worker python -m sweep []"]);
}

#[test]
fn tables_in_a_file_are_made_in_the_container_that_has_it() {
    let started = |engine: &str, name: &str| {
        let settings = format!(
            "from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\nINSTALLED_APPS = []\nDATABASES = {{'default': {{'ENGINE': 'django.db.backends.{engine}', 'NAME': {name}}}}}\n"
        );
        found(&[
            ("requirements.txt", "django==5.1\ngunicorn==23.0.0\n"),
            (
                "manage.py",
                "import os, sys\nif __name__ == '__main__':\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site.settings')\n    from django.core.management import execute_from_command_line\n    execute_from_command_line(sys.argv)\n",
            ),
            ("desk/__init__.py", ""),
            ("desk/settings.py", &settings),
            (
                "desk/wsgi.py",
                "import os\nfrom django.core.wsgi import get_wsgi_application\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'desk.settings')\napplication = get_wsgi_application()\n",
            ),
        ])
    };
    let project = |detection: plimsoll_detect::Detection| {
        let directory = std::path::Path::new("/desk");
        detection
            .into_project("desk", directory, &|_| String::new())
            .0
    };
    let embedded = started("sqlite3", "BASE_DIR / 'db.sqlite3'");
    assert_eq!(embedded.services[0].writes, ["db.sqlite3"]);
    assert_eq!(embedded.services[0].replicas_max, Some(1));
    let embedded = project(embedded);
    assert_eq!(embedded.services.len(), 1);
    let service = embedded.services.values().next().unwrap();
    let hook = service.post_start[0].value.command.join(" ");
    assert_eq!(hook, "python manage.py migrate --noinput");

    let beside = project(started("postgresql", "'desk'"));
    assert!(beside.services.keys().any(|name| name.ends_with("-tables")));
}

#[test]
fn a_coroutine_that_a_file_only_makes_is_no_way_to_start_it() {
    let server = |last: &str| {
        let server = format!(
            "import asyncio\nfrom mcp.server.fastmcp import FastMCP\n\nasync def main(transport='sse'):\n    \
             server = FastMCP('tide')\n    await server.run_sse_async()\n\nif __name__ == '__main__':\n    {last}\n"
        );
        let detection = found(&[
            (
                "pyproject.toml",
                "[project]\nname = \"tide\"\nversion = \"1\"\ndependencies = [\"mcp\"]\n[project.scripts]\nserve-tide = \"tide:main\"\n\
                 [build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n",
            ),
            (
                "tide/__init__.py",
                "import asyncio\nfrom . import server\n\ndef main():\n    asyncio.run(server.main())\n",
            ),
            ("tide/server.py", &server),
        ]);
        let mut found = detection.services.iter();
        let found = found.find(|service| service.kind == ServiceKind::McpHttp);
        found.map(|service| service.command.join(" "))
    };
    assert_eq!(server("main()").as_deref(), Some("serve-tide"));
    assert_eq!(
        server("asyncio.run(main())").as_deref(),
        Some("python -m tide.server")
    );
}

#[test]
fn a_loop_beside_the_file_that_starts_its_package_is_a_worker() {
    let detection = found(&[
        (
            "pyproject.toml",
            "[project]\nname = \"tide\"\nversion = \"1\"\ndependencies = []\n",
        ),
        ("tide/__init__.py", ""),
        (
            "tide/__main__.py",
            "import asyncio\nfrom .queue import main\n\nasync def start():\n    await main()\n\n\
             if __name__ == '__main__':\n    asyncio.run(start())\n",
        ),
        (
            "tide/queue.py",
            "import asyncio, signal\n\nclass Worker:\n    async def run(self):\n        loop = asyncio.get_running_loop()\n        \
             loop.add_signal_handler(signal.SIGTERM, self.stop)\n        while not self.stopped.is_set():\n            await self.step()\n\n\
             async def main():\n    worker = Worker()\n    await worker.run()\n",
        ),
    ]);
    assert_eq!(lines(&detection), ["worker python -m tide []"]);
}

#[test]
fn the_only_command_of_a_program_starts_its_server() {
    let detection = found(&[
        (
            "pyproject.toml",
            "[project]\nname = \"tide\"\nversion = \"1\"\ndependencies = [\"typer\", \"fastapi\", \"uvicorn\"]\n\
             [project.scripts]\ntide = \"tide:app\"\n[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n",
        ),
        (
            "src/tide/__init__.py",
            "import asyncio\nimport typer\napp = typer.Typer()\n@app.command()\ndef main(port: int = 8000):\n\
             \x20   from tide.server import run\n    asyncio.run(run(port))\n",
        ),
        (
            "src/tide/server.py",
            "import uvicorn\nfrom fastapi import FastAPI\nasync def run(port: int = 8000):\n    main_app = FastAPI()\n\
             \x20   config = uvicorn.Config(app=main_app, host='0.0.0.0', port=port)\n    await uvicorn.Server(config).serve()\n",
        ),
    ]);
    assert_eq!(lines(&detection), ["web tide [8000]"]);
}
