//! Where the code of a Python service lies that serves, and what it is started with.

use crate::tree::{found, lines, required};

#[test]
fn a_bot_whose_class_another_file_runs() {
    let bot = "from telegram.ext import ApplicationBuilder\nclass Desk:\n    def __init__(self, config):\n        self.config = config\n    \
               def run(self):\n        application = ApplicationBuilder().token(self.config['token']).build()\n        application.run_polling()\n";
    let main = "import os\nfrom desk_bot import Desk\ndef main():\n    desk = Desk({'token': os.environ['DESK_TOKEN']})\n    desk.run()\n\
                if __name__ == '__main__':\n    main()\n";
    let bots = |main: &str| {
        found(&[
            ("requirements.txt", "python-telegram-bot\n"),
            ("bot/desk_bot.py", bot),
            ("bot/main.py", main),
            ("tests/test_bot.py", main),
        ])
    };
    let detection = bots(main);
    assert_eq!(lines(&detection), ["worker python -m main []"]);
    assert_eq!(required(&detection), ["DESK_TOKEN"]);
    // Nothing makes one.
    assert!(
        lines(&bots(
            "from desk_bot import Desk\nif __name__ == '__main__':\n    print('desk')\n"
        ))
        .is_empty()
    );
}

#[test]
fn a_file_that_starts_a_page_and_a_test_of_one_are_none() {
    let detection = found(&[
        ("requirements.txt", "streamlit\n"),
        (
            "desk.py",
            "import streamlit as st\ndef main():\n    st.title('desk')\nif __name__ == '__main__':\n    main()\n",
        ),
        (
            "run_desk.py",
            "import sys\nimport streamlit.web.cli as stcli\ndef run():\n    sys.argv = ['streamlit', 'run', 'desk.py']\n    sys.exit(stcli.main())\n\
             if __name__ == '__main__':\n    run()\n",
        ),
        (
            "tests/test_desk.py",
            "import desk\nfrom streamlit.testing.v1 import AppTest\n",
        ),
    ]);
    let started = lines(&detection);
    assert_eq!(started.len(), 1, "{started:?}");
    assert!(started[0].contains("run desk.py"), "{started:?}");
}

#[test]
fn a_port_that_another_file_binds() {
    let detection = found(&[
        ("requirements.txt", "flask\n"),
        (
            "Dockerfile",
            "FROM python:3.12\nCOPY . .\nEXPOSE 8000\nENTRYPOINT [\"./run.sh\"]\n",
        ),
        ("app/__init__.py", ""),
        (
            "app/config.py",
            "import os\nAPP_PORT = int(os.getenv('APP_PORT', 8000))\n",
        ),
        (
            "app/main.py",
            "from flask import Flask\nfrom app.config import APP_PORT\napp = Flask(__name__)\n\
             if __name__ == '__main__':\n    app.run(host='0.0.0.0', port=APP_PORT)\n",
        ),
    ]);
    assert_eq!(detection.services[0].ports, [8000]);
    // Code that names no port does not contradict one.
    let silent = found(&[
        ("requirements.txt", "flask\n"),
        (
            "Dockerfile",
            "FROM python:3.12\nCOPY . .\nEXPOSE 8000\nENTRYPOINT [\"./run.sh\"]\n",
        ),
        (
            "main.py",
            "from flask import Flask\napp = Flask(__name__)\n",
        ),
    ]);
    let told = silent
        .problems
        .iter()
        .any(|problem| problem.what.starts_with("exposes"));
    assert!(!told, "{:?}", silent.problems);
}

#[test]
fn a_server_of_the_protocol_is_where_its_options_say() {
    let detection = found(&[
        ("requirements.txt", "mcp\nclick\n"),
        (
            "desk.py",
            "import click\nfrom mcp.server.fastmcp import FastMCP\ndef serve(host, port, transport):\n    mcp = FastMCP('desk')\n    \
             mcp.run(host=host, port=port, transport=transport)\n\
             @click.command()\n@click.option('--host', 'host', default='localhost')\n@click.option('--port', 'port', default=10000)\n\
             @click.option('--transport', 'transport', default='streamable-http')\n\
             def main(host, port, transport):\n    serve(host, port, transport)\nif __name__ == '__main__':\n    main()\n",
        ),
    ]);
    assert_eq!(
        lines(&detection),
        ["mcp-http python -m desk --host 0.0.0.0 [10000]"]
    );
}

#[test]
fn a_transport_that_is_made_plain_first() {
    let served = |usual: &str| {
        let detection = found(&[
            (
                "requirements.txt",
                "mcp\nuvicorn\nstarlette\npydantic-settings\n",
            ),
            (
                "settings.py",
                &format!(
                    "from pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n    TRANSPORT: str = '{usual}'\nsettings = Settings()\n"
                ),
            ),
            (
                "desk.py",
                "import asyncio, uvicorn\nfrom mcp.server.stdio import stdio_server\nfrom starlette.applications import Starlette\nfrom settings import settings\n\
                 async def quiet():\n    async with stdio_server() as streams:\n        pass\n\
                 async def web():\n    app = Starlette()\n    await uvicorn.Server(uvicorn.Config(app, host='0.0.0.0', port=8000)).serve()\n\
                 async def main():\n    transport = settings.TRANSPORT.lower().replace('-', '_')\n    if transport in {'stdio', ''}:\n        await quiet()\n    \
                 elif transport in {'http', 'streamable_http'}:\n        await web()\n\
                 if __name__ == '__main__':\n    asyncio.run(main())\n",
            ),
        ]);
        lines(&detection)
            .join("\n")
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(served("STDIO"), "mcp-stdio");
    assert_ne!(served("streamable-http"), "mcp-stdio");
}

#[test]
fn what_a_library_reads_is_no_variable_that_nothing_reads() {
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\nlangchain\n"),
        ("main.py", "from fastapi import FastAPI\napp = FastAPI()\n"),
        (
            ".env.example",
            "LANGSMITH_TRACING=true\nANTHROPIC_API_KEY=\nHF_TOKEN=\nOPENAI_BASE_URL=\nDESK_OF_OLD=1\n",
        ),
    ]);
    let told: Vec<_> = detection
        .problems
        .iter()
        .map(|problem| problem.what.as_str())
        .collect();
    assert_eq!(told, ["documents DESK_OF_OLD, which nothing reads"]);
}

#[test]
fn a_class_that_extends_a_plain_server_serves() {
    let detection = found(&[
        ("requirements.txt", "requests\n"),
        (
            "desk.py",
            "import http.server, socketserver\nclass Answers(http.server.BaseHTTPRequestHandler):\n    pass\n\
             def serve(port=8001):\n    class Reusable(socketserver.TCPServer):\n        allow_reuse_address = True\n    \
             with Reusable(('', port), Answers) as server:\n        server.serve_forever()\n\
             if __name__ == '__main__':\n    serve()\n",
        ),
    ]);
    assert_eq!(lines(&detection), ["web python -m desk [8001]"]);
}

#[test]
fn what_asks_a_person_is_no_worker() {
    let works = |more: &str| {
        let source = format!(
            "import signal\ndef stop(*_): ...\ndef main():\n    signal.signal(signal.SIGTERM, stop)\n    while True:\n        {more}\n\
             if __name__ == '__main__':\n    main()\n"
        );
        found(&[("requirements.txt", "requests\n"), ("desk.py", &source)])
            .services
            .len()
    };
    assert_eq!(works("work()"), 1);
    assert_eq!(works("work(input('what?'))"), 0);
}

#[test]
fn pages_inside_of_an_application_are_part_of_it() {
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\nmesop\n"),
        (
            "desk.py",
            "import mesop as me\nimport uvicorn\nfrom fastapi import FastAPI\nfrom fastapi.middleware.wsgi import WSGIMiddleware\n\
             @me.page(path='/')\ndef home(): ...\nif __name__ == '__main__':\n    app = FastAPI()\n    \
             app.mount('/', WSGIMiddleware(me.create_wsgi_app()))\n    uvicorn.run(app, host='0.0.0.0', port=12000)\n",
        ),
    ]);
    assert_eq!(lines(&detection), ["web python -m desk [12000]"]);
}

#[test]
fn an_option_and_its_value_in_one_word() {
    let detection = found(&[
        ("requirements.txt", "flask\n"),
        (
            "Dockerfile",
            "FROM python:3.12\nCOPY . .\nENV FLASK_APP=desk.py\nCMD [\"flask\", \"run\", \"-p 8000\", \"--host=0.0.0.0\"]\n",
        ),
        (
            "desk.py",
            "from flask import Flask\napp = Flask(__name__)\n",
        ),
    ]);
    assert_eq!(detection.services[0].ports, [8000]);
}

#[test]
fn a_server_of_another_file_is_started_by_the_file_that_is_run() {
    let main = "import asyncio\nfrom server.sockets import Sockets\nasync def main():\n    sockets = Sockets()\n    await sockets.start()\n\
                if __name__ == '__main__':\n    asyncio.run(main())\n";
    let sockets = "import websockets\nclass Sockets:\n    async def start(self):\n        self.server = await websockets.serve(self.answer, '0.0.0.0', 8765)\n";
    let detection = found(&[
        ("requirements.txt", "websockets\n"),
        ("server/__init__.py", ""),
        ("server/sockets.py", sockets),
        ("main.py", main),
        ("tests/test_main.py", main),
    ]);
    let started = lines(&detection);
    assert_eq!(started.len(), 1, "{started:?}");
    assert!(started[0].starts_with("web python -m main"), "{started:?}");
}

#[test]
fn a_declared_program_that_serves_an_application_is_no_other_program() {
    let detection = found(&[
        (
            "pyproject.toml",
            "[project]\nname = 'desk'\nversion = '1'\ndependencies = ['fastapi', 'uvicorn']\n[project.scripts]\ndesk = 'desk.__main__:main'\n\
             [build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n",
        ),
        ("desk/__init__.py", ""),
        (
            "desk/app.py",
            "from fastapi import FastAPI\ndef create_app():\n    app = FastAPI()\n    return app\n",
        ),
        (
            "desk/__main__.py",
            "import uvicorn\ndef main():\n    uvicorn.run('desk.app:create_app', factory=True, port=8120)\nif __name__ == '__main__':\n    main()\n",
        ),
    ]);
    assert_eq!(
        lines(&detection),
        ["web python -m uvicorn desk.app:create_app --host 0.0.0.0 --port 8120 --factory [8120]"]
    );
}

#[test]
fn a_server_that_several_share_is_started_by_each() {
    let main = |name: &str| {
        format!(
            "import asyncio\nfrom common.remote import Remote\nasync def main():\n    remote = Remote('{name}')\n    await remote.serve()\n\
             if __name__ == '__main__':\n    asyncio.run(main())\n"
        )
    };
    let detection = found(&[
        (
            "src/common/remote.py",
            "import grpc\nclass Remote:\n    def __init__(self, name):\n        self.name = name\n    async def serve(self):\n        \
             server = grpc.aio.server()\n        await server.start()\n        await server.wait_for_termination()\n",
        ),
        ("src/common/__init__.py", ""),
        ("src/tts/requirements.txt", "grpcio\n"),
        ("src/tts/__init__.py", ""),
        ("src/tts/server.py", &main("tts")),
        ("src/stt/requirements.txt", "grpcio\n"),
        ("src/stt/__init__.py", ""),
        ("src/stt/server.py", &main("stt")),
    ]);
    let mut places: Vec<_> = detection
        .services
        .iter()
        .map(|service| service.defined_at.file.to_str().unwrap().to_owned())
        .collect();
    places.sort();
    assert_eq!(places, ["src/stt/server.py", "src/tts/server.py"]);
}

#[test]
fn a_property_of_settings_hands_a_field_on() {
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\npydantic-settings\n"),
        (
            "desk/config.py",
            "from pydantic import Field\nfrom pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n    desk_bind_port: int = Field(default=8130)\n    \
             @property\n    def bind_port(self) -> int:\n        return self.desk_bind_port\n",
        ),
        ("desk/__init__.py", ""),
        (
            "desk/app.py",
            "from fastapi import FastAPI\ndef create_app():\n    app = FastAPI()\n    return app\n",
        ),
        (
            "desk/__main__.py",
            "import uvicorn\nfrom .config import Settings\ndef main():\n    settings = Settings()\n    \
             uvicorn.run('desk.app:create_app', factory=True, port=settings.bind_port)\nif __name__ == '__main__':\n    main()\n",
        ),
    ]);
    assert_eq!(detection.services[0].ports, [8130]);
}

#[test]
fn images_that_start_files_of_one_name_mean_those_that_they_copy() {
    let server = "from fastapi import FastAPI\napp = FastAPI()\n";
    let image = |part: &str, port: u16| {
        format!(
            "FROM python\nWORKDIR /app\nCOPY {part}/requirements.txt .\nRUN pip install -r requirements.txt\nCOPY {part} .\nENTRYPOINT [\"uvicorn\", \"main:app\", \"--port\", \"{port}\"]\n"
        )
    };
    let detection = found(&[
        ("one/main.py", server),
        ("one/requirements.txt", "fastapi\nuvicorn\n"),
        ("other/main.py", server),
        ("other/requirements.txt", "fastapi\nuvicorn\n"),
        ("images/first/Dockerfile", &image("one", 8101)),
        ("images/second/Dockerfile", &image("other", 8102)),
    ]);
    let ports: Vec<_> = detection
        .services
        .iter()
        .map(|service| service.ports.clone())
        .collect();
    assert_eq!(ports, [[8101], [8102]]);
}
