//! Python programs that only what starts them tells for services: workers in a loop, bots that another file runs,
//! commands of one program, servers that a launcher starts.

use crate::tree::{found, lines, required};

const LOOP: &str = "import time\ndef work():\n    pass\ndef main():\n    while True:\n        work()\n        time.sleep(2)\n\
                    if __name__ == '__main__':\n    main()\n";

#[test]
fn a_loop_is_a_worker_where_something_says_that_it_is_started() {
    let of = |path: &str, others: &[(&str, &str)]| {
        let mut files = vec![("requirements.txt", "httpx\n"), (path, LOOP)];
        files.extend(others);
        lines(&found(&files))
    };
    let compose = "x-base: &base\n  build: .\n  command: [python, scripts/drain.py]\nservices:\n  one:\n    <<: *base\n";
    let stages = "FROM python:3.12 AS base\nCOPY tide tide\nFROM base AS drain\nCMD [\"python\", \"tide/drain.py\"]\nFROM base AS other\nCMD [\"python\"]\n";
    for (path, other) in [
        ("scripts/drain.py", ("compose.yaml", compose)),
        ("tide/drain.py", ("docker/Dockerfile", stages)),
        (
            "drain.py",
            ("start.sh", "nohup python3 \"$BASE/drain.py\" &\n"),
        ),
    ] {
        let module = path.trim_end_matches(".py").replace('/', ".");
        let expected = format!("worker python -m {module} []");
        assert_eq!(of(path, &[other]), [expected], "{path}");
        assert!(of(path, &[]).is_empty(), "{path}");
    }
    assert_eq!(
        of("mail_worker.py", &[]),
        ["worker python -m mail_worker []"]
    );
}

#[test]
fn what_asks_a_person_or_only_watches_servers_is_no_worker() {
    let start = ("start.sh", "python main.py\n");
    for text in [
        LOOP.replace("pass", "input('> ')"),
        format!("import subprocess\n{LOOP}").replace("pass", "subprocess.run(['ls'])"),
    ] {
        let files = [("requirements.txt", ""), ("main.py", text.as_str()), start];
        assert!(lines(&found(&files)).is_empty(), "{text}");
    }
}

#[test]
fn a_bot_is_started_by_the_file_that_runs_it() {
    let dispatcher = "from aiogram import Dispatcher\ndef make():\n    dispatcher = Dispatcher()\n    return dispatcher\ndp = make()\n";
    let main = "import asyncio\nfrom loader import dp\nasync def main():\n    await dp.start_polling(1)\nif __name__ == '__main__':\n    asyncio.run(main())\n";
    let files = [
        ("requirements.txt", "aiogram\n"),
        ("loader.py", dispatcher),
        ("main.py", main),
    ];
    assert_eq!(lines(&found(&files)), ["worker python -m main []"]);

    let client =
        "import discord\nclass Client(discord.Client):\n    pass\nclient = Client(intents=1)\n";
    let bot = "import os\nimport discord\nfrom src.client import client\ndef run():\n    client.run(os.getenv('TIDE_TOKEN'))\n";
    let main = "from src import bot\nif __name__ == '__main__':\n    bot.run()\n";
    let detection = found(&[
        ("requirements.txt", "discord.py\n"),
        ("src/__init__.py", ""),
        ("src/client.py", client),
        ("src/bot.py", bot),
        ("main.py", main),
    ]);
    assert_eq!(lines(&detection), ["worker python -m main []"]);
    assert_eq!(required(&detection), ["TIDE_TOKEN"]);
}

#[test]
fn a_command_of_a_program_that_serves_is_told() {
    let server =
        "from aiohttp import web\ndef serve():\n    web.run_app(web.Application(), port=8200)\n";
    let typer = "import typer\nfrom aiohttp import web\napp = typer.Typer()\n@app.command()\ndef serve_all():\n    web.run_app(web.Application(), port=8200)\n\
                 @app.command()\ndef load():\n    pass\nif __name__ == '__main__':\n    app()\n";
    let click = "import click\nfrom aiohttp import web\n@click.group()\ndef cli():\n    pass\n@cli.command('serve-all')\ndef serve():\n    \
                 web.run_app(web.Application(), port=8200)\nif __name__ == '__main__':\n    cli()\n";
    let argued = |reads: &str| {
        format!(
            "import argparse\n{server}def main():\n    parser = argparse.ArgumentParser()\n    {reads}\n    args = parser.parse_args()\n    \
             if args.mode == 'serve-all':\n        serve()\n    elif args.mode == 'load':\n        pass\nif __name__ == '__main__':\n    main()\n"
        )
    };
    for (text, words) in [
        (typer.to_owned(), " serve-all"),
        (click.to_owned(), " serve-all"),
        (
            argued("parser.add_argument('mode', choices=['serve-all', 'load'])"),
            " serve-all",
        ),
        (argued("parser.add_subparsers(dest='mode')"), " serve-all"),
        (
            argued("parser.add_argument('--mode', required=True)"),
            " --mode serve-all",
        ),
        (
            argued("parser.add_argument('--mode', default='serve-all')"),
            "",
        ),
    ] {
        let files = [
            ("requirements.txt", "aiohttp\ntyper\nclick\n"),
            ("main.py", text.as_str()),
        ];
        let expected = format!("web python -m main{words} [8200]");
        assert_eq!(lines(&found(&files)), [expected], "{text}");
    }
}

#[test]
fn the_only_command_of_a_program_needs_no_name() {
    let text = "import typer\nfrom aiohttp import web\napp = typer.Typer()\n@app.command()\ndef serve():\n    web.run_app(web.Application(), port=8200)\n\
                if __name__ == '__main__':\n    app()\n";
    let files = [("requirements.txt", "aiohttp\ntyper\n"), ("main.py", text)];
    assert_eq!(lines(&found(&files)), ["web python -m main [8200]"]);
}

#[test]
fn a_launcher_tells_the_port_of_the_server_it_starts() {
    let launcher = "import subprocess\nimport sys\nimport time\nwords = [sys.executable, '-m', 'uvicorn', 'app:app', '--port', '8437']\n\
                    if __name__ == '__main__':\n    started = subprocess.Popen(words)\n    while True:\n        time.sleep(1)\n";
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("app.py", "from fastapi import FastAPI\napp = FastAPI()\n"),
        ("launch.py", launcher),
        (
            "Dockerfile",
            "FROM python:3.12\nCMD [\"python\", \"launch.py\"]\n",
        ),
    ]);
    assert_eq!(
        lines(&detection),
        ["web python -m uvicorn app:app --host 0.0.0.0 --port 8437 [8437]"]
    );
}

#[test]
fn a_program_that_only_hands_on_to_a_server_is_none_of_its_own() {
    let server = "from mcp.server.fastmcp import FastMCP\nserver = FastMCP('tide')\ndef main():\n    server.run()\nif __name__ == '__main__':\n    main()\n";
    let package = "def load():\n    from tide.server import main\n    return main\ndef run():\n    load()()\n";
    let detection = found(&[
        (
            "pyproject.toml",
            "[project]\nname = \"tide\"\nversion = \"1\"\ndependencies = [\"mcp\"]\n[project.scripts]\ntide = \"tide:run\"\n",
        ),
        ("tide/__init__.py", package),
        ("tide/server.py", server),
    ]);
    assert_eq!(lines(&detection), ["mcp-stdio python -m tide.server []"]);
}

#[test]
fn a_scheduler_of_taskiq_stands_beside_its_worker() {
    let broker = "from taskiq import TaskiqScheduler\nfrom taskiq_redis import ListQueueBroker\nbroker = ListQueueBroker('redis://x')\nscheduler = TaskiqScheduler(broker, [])\n";
    let detection = found(&[
        ("requirements.txt", "taskiq\ntaskiq-redis\n"),
        ("tide.py", broker),
    ]);
    assert!(
        lines(&detection).contains(
            &"scheduler python -m taskiq scheduler tide:scheduler --fs-discover []".to_owned()
        ),
        "{:?}",
        lines(&detection)
    );
}

#[test]
fn the_broker_that_a_scheduler_is_handed_has_a_worker() {
    let broker = "from desk.kit import Kit\nbroker = Kit().broker()\n";
    let scheduler = "from taskiq import TaskiqScheduler\nfrom desk.broker import broker\nscheduler = TaskiqScheduler(broker=broker, sources=[])\n";
    let detection = found(&[
        ("requirements.txt", "taskiq\n"),
        ("desk/__init__.py", ""),
        (
            "desk/kit.py",
            "class Kit:\n    def broker(self):\n        return 1\n",
        ),
        ("desk/broker.py", broker),
        ("desk/scheduler.py", scheduler),
    ]);
    let lines = lines(&detection);
    assert!(
        lines.contains(
            &"worker python -m taskiq worker desk.broker:broker --fs-discover []".to_owned()
        ),
        "{lines:?}"
    );
}

#[test]
fn a_program_that_waits_for_an_event_of_a_signal_is_a_worker() {
    let of = |wait: &str| {
        let text = format!(
            "import asyncio\nimport signal\nasync def main():\n    stop = asyncio.Event()\n    signal.signal(signal.SIGTERM, lambda *_: stop.set())\n    \
             {wait}\nif __name__ == '__main__':\n    asyncio.run(main())\n"
        );
        lines(&found(&[("requirements.txt", ""), ("main.py", &text)]))
    };
    assert_eq!(of("await stop.wait()"), ["worker python -m main []"]);
    assert!(of("print(stop)").is_empty());
}

#[test]
fn another_name_of_a_program_is_no_other_program() {
    let kit = "import discord\ndef make():\n    client = discord.Client()\n    client.run('x')\n";
    let detection = found(&[
        (
            "pyproject.toml",
            "[project]\nname = \"tide\"\nversion = \"1\"\ndependencies = [\"discord.py\"]\n[project.scripts]\ntide = \"tide.bot:main\"\ntide-old = \"tide.bot:main\"\n",
        ),
        ("tide/__init__.py", ""),
        ("tide/kit.py", kit),
        (
            "tide/bot.py",
            "from tide.kit import make\ndef main():\n    make()\n",
        ),
    ]);
    assert_eq!(lines(&detection), ["worker tide []"]);
}

#[test]
fn a_server_that_waits_for_a_signal_is_a_server() {
    let server = "import websockets\nclass Server:\n    async def start(self):\n        self.server = await websockets.serve(self.answer, '0.0.0.0', 8360)\n";
    let main = "import asyncio\nimport signal\nfrom desk.server import Server\nasync def main():\n    server = Server()\n    await server.start()\n    \
                stop = asyncio.Event()\n    asyncio.get_event_loop().add_signal_handler(signal.SIGTERM, stop.set)\n    await stop.wait()\n\
                if __name__ == '__main__':\n    asyncio.run(main())\n";
    let detection = found(&[
        ("requirements.txt", "websockets\n"),
        ("desk/__init__.py", ""),
        ("desk/server.py", server),
        ("main.py", main),
    ]);
    let kinds: Vec<_> = lines(&detection);
    assert!(
        kinds.len() == 1 && kinds[0].starts_with("web python -m main"),
        "{kinds:?}"
    );
}
