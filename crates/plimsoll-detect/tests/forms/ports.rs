//! Where ports come from: settings of other files, flags of other packages, what a worker listens on beside its work.

use plimsoll_detect::Health;

use crate::tree::found;

/// Kind, ports and how its health is told, of the only service.
fn of(files: &[(&str, &str)]) -> String {
    let detection = found(files);
    let [service] = detection.services.as_slice() else {
        panic!("one service: {:?}", detection.services);
    };
    let health = match &service.health {
        Some(Health::Http(route)) => route.path.clone(),
        Some(Health::Tcp { .. }) => "tcp".to_owned(),
        Some(Health::Command { .. }) => "command".to_owned(),
        Some(Health::McpHandshake) => "handshake".to_owned(),
        None => "none".to_owned(),
    };
    let metrics = service.metrics.as_ref().map(|route| route.port);
    let kind = service.kind.word();
    match metrics {
        Some(metrics) => format!("{kind} {:?} {health}, metrics {metrics}", service.ports),
        None => format!("{kind} {:?} {health}", service.ports),
    }
}

/// An Express server whose settings another file gives.
fn express(import: &str, listens: &str, settings: &str) -> String {
    let source = format!(
        "import express from 'express';\nimport {{ {import} }} from './settings';\nconst app = express();\napp.get('/health', (a, b) => b.send('ok'));\n{listens}\n"
    );
    of(&[
        (
            "package.json",
            r#"{"name":"a","scripts":{"start":"node dist/index.js","build":"tsc"},"dependencies":{"express":"5"}}"#,
        ),
        ("tsconfig.json", "{}"),
        ("src/index.ts", &source),
        ("src/settings.ts", settings),
    ])
}

#[test]
fn settings_of_another_file() {
    for (import, listens, settings) in [
        (
            "load",
            "const config = load();\napp.listen(config.port);",
            "export function load() {\n  return { port: Number(process.env.PORT) || 3001, tries: 5 };\n}",
        ),
        (
            "config",
            "app.listen(config.server.port);",
            "export const config = { db: { port: 5432 }, server: { port: parseInt(process.env.SERVER_PORT || '3001', 10) } };",
        ),
        (
            "config",
            "app.listen(config.get('port'));",
            "import convict from 'convict';\nexport const config = convict({ port: { format: 'port', default: 3001, env: 'PORT' } });",
        ),
        (
            "config",
            "const port = config.get('server.port');\napp.listen(port);",
            "import convict from 'convict';\nexport const config = convict({ db: { port: { default: 5432 } }, server: { port: { format: 'port', default: 3001 } } });",
        ),
        (
            "env",
            "app.listen(env.PORT);",
            "import { z } from 'zod';\nexport const env = z.object({ PORT: z.coerce.number().default(3001).pipe(z.number().max(65535)) }).parse(process.env);",
        ),
        (
            "env",
            "app.listen(env.PORT);",
            "import { cleanEnv, port } from 'envalid';\nexport const env = cleanEnv(process.env, { PORT: port({ default: 3001, devDefault: 4000 }) });",
        ),
    ] {
        assert_eq!(
            express(import, listens, settings),
            "web [3001] /health",
            "{settings}"
        );
    }
}

#[test]
fn settings_in_a_file_that_is_no_code() {
    let yaml = "db:\n  port: 5432\nserver:\n  port: 3001\n";
    let python = |read: &str| {
        let source = format!(
            "import yaml\nimport uvicorn\nfrom pathlib import Path\nfrom fastapi import FastAPI\napp = FastAPI()\n{read}"
        );
        of(&[
            ("requirements.txt", "fastapi\nuvicorn\npyyaml\n"),
            ("config.yaml", yaml),
            ("main.py", &source),
        ])
    };
    for read in [
        "with open('config.yaml') as file:\n    config = yaml.safe_load(file)\nif __name__ == '__main__':\n    uvicorn.run(app, port=config['server']['port'])\n",
        "def load():\n    path = Path(__file__).parent / 'config.yaml'\n    return yaml.safe_load(path.read_text())\nconfig = load()\nif __name__ == '__main__':\n    uvicorn.run(app, port=int(config.get('server')['port']))\n",
    ] {
        assert_eq!(python(read), "web [3001] tcp", "{read}");
    }
    let node = |dependency: &str, read: &str, file: (&str, &str)| {
        let manifest = format!(
            r#"{{"name":"a","scripts":{{"start":"node index.js"}},"dependencies":{{"express":"5","{dependency}":"4"}}}}"#
        );
        let source = format!(
            "const express = require('express');\nconst fs = require('fs');\n{read}const app = express();\napp.listen(config.server.port);\n"
        );
        of(&[("package.json", &manifest), ("index.js", &source), file])
    };
    assert_eq!(
        node(
            "js-yaml",
            "const yaml = require('js-yaml');\nconst config = yaml.load(fs.readFileSync('etc/a.yml', 'utf8'));\n",
            ("etc/a.yml", yaml)
        ),
        "web [3001] tcp"
    );
    assert_eq!(
        node(
            "config",
            "const config = require('config');\n",
            ("config/default.json", r#"{"server":{"port":3001}}"#)
        ),
        "web [3001] tcp"
    );
}

#[test]
fn flags_of_another_package() {
    let go = |main: &str, name: &str, other: &str| {
        let main = format!("package main\n{main}");
        of(&[
            ("go.mod", "module a.example/b\n\ngo 1.23\n"),
            ("cmd/api/main.go", &main),
            (name, other),
        ])
    };
    assert_eq!(
        go(
            "import (\n\"flag\"\n\"a.example/b/internal/server\"\n)\nfunc main() {\n\tport := flag.String(\"p\", \"3001\", \"where to listen\")\n\tflag.Parse()\n\tserver.Run(*port)\n}\n",
            "internal/server/server.go",
            "package server\nimport \"net/http\"\nfunc Run(port string) {\n\thttp.HandleFunc(\"/x\", nil)\n\thttp.ListenAndServe(\":\" + port, nil)\n}\n",
        ),
        "web [3001] tcp"
    );
    assert_eq!(
        go(
            "import (\n\"net/http\"\n\"github.com/spf13/cobra\"\n\"a.example/b/internal/opts\"\n)\nvar o opts.Options\nfunc main() {\n\tc := &cobra.Command{Run: func(c *cobra.Command, a []string) { http.ListenAndServe(o.Addr(), nil) }}\n\to.AddFlags(c.Flags())\n\tc.Execute()\n}\n",
            "internal/opts/opts.go",
            "package opts\nimport (\n\"fmt\"\n\"github.com/spf13/pflag\"\n)\ntype Options struct { Port int }\nfunc (o *Options) AddFlags(f *pflag.FlagSet) { f.IntVar(&o.Port, \"port\", 3001, \"p\") }\nfunc (o *Options) Addr() string { return fmt.Sprintf(\":%d\", o.Port) }\n",
        ),
        "web [3001] tcp"
    );
}

#[test]
fn a_worker_that_tells_how_it_is_doing_stays_one() {
    let bot = |dependencies: &str, source: &str| {
        let manifest = format!(
            r#"{{"name":"a","scripts":{{"start":"node index.js"}},"dependencies":{{{dependencies}}}}}"#
        );
        of(&[("package.json", &manifest), ("index.js", source)])
    };
    assert_eq!(
        bot(
            r#""discord.js":"14""#,
            "const { Client } = require('discord.js');\nconst http = require('http');\nconst client = new Client({ intents: [] });\n\
             client.login(process.env.TOKEN);\nhttp.createServer((q, a) => a.end('ok')).listen(process.env.HEALTH_PORT || 8081);\n"
        ),
        "worker [8081] tcp"
    );
    let queue = "const { Worker } = require('bullmq');\nconst express = require('express');\nnew Worker('q', async () => {});\nconst app = express();\n\
         app.get('/healthz', (q, a) => a.send('ok'));\napp.get('/metrics', (q, a) => a.send('ok'));\n";
    let both = r#""bullmq":"5","express":"5""#;
    assert_eq!(
        bot(both, &format!("{queue}app.listen(8081);\n")),
        "worker [8081] /healthz, metrics 8081"
    );
    // What it answers besides is its users' own.
    let served = format!("{queue}app.get('/orders', orders);\napp.listen(8081);\n");
    assert_eq!(bot(both, &served), "web [8081] /healthz, metrics 8081");

    let go = |route: &str| {
        let main = format!(
            "package main\nimport (\n\"net/http\"\n\"os\"\n\"os/signal\"\n\"time\"\n)\nfunc main() {{\n\tgo func() {{\n\t\thttp.Handle(\"/metrics\", metrics())\n{route}\t\thttp.ListenAndServe(\":9464\", nil)\n\t}}()\n\
             \tticker := time.NewTicker(time.Second)\n\tstop := make(chan os.Signal, 1)\n\tsignal.Notify(stop)\n\tfor {{ select {{ case <-ticker.C: work()\n\tcase <-stop: return }} }}\n}}\n"
        );
        of(&[
            ("go.mod", "module a.example/b\n\ngo 1.23\n"),
            ("main.go", &main),
        ])
    };
    assert_eq!(go(""), "worker [9464] tcp, metrics 9464");
    assert_eq!(
        go("\t\thttp.HandleFunc(\"/orders\", orders)\n"),
        "web [9464] tcp, metrics 9464"
    );

    let celery = "from celery import Celery\nfrom prometheus_client import start_http_server\napp = Celery('a')\nstart_http_server(9101)\n@app.task\ndef f():\n    pass\n";
    assert_eq!(
        of(&[
            ("requirements.txt", "celery\nprometheus-client\nredis\n"),
            ("tasks.py", celery)
        ]),
        "worker [9101] command, metrics 9101"
    );
    let pika = "import os\nimport pika\nfrom prometheus_client import start_http_server\n\ndef main():\n    start_http_server(int(os.getenv('METRICS_PORT', '9101')))\n\
         \x20   connection = pika.BlockingConnection(pika.URLParameters(os.environ['AMQP_URL']))\n    channel = connection.channel()\n    channel.basic_consume('q', print)\n\
         \x20   channel.start_consuming()\n\nif __name__ == '__main__':\n    main()\n";
    assert_eq!(
        of(&[
            ("requirements.txt", "pika\nprometheus-client\n"),
            ("worker.py", pika)
        ]),
        "worker [9101] /metrics, metrics 9101"
    );
}

#[test]
fn the_command_that_serves_decides_over_the_file_run_by_itself() {
    let of = |docker: &str| {
        let detection = crate::tree::found(&[
            ("requirements.txt", "flask\n"),
            (
                "app.py",
                "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef home():\n    return ''\n\
                 if __name__ == '__main__':\n    app.run(port=5000)\n",
            ),
            ("Dockerfile", docker),
        ]);
        let told: Vec<String> = detection
            .problems
            .iter()
            .map(|problem| problem.what.clone())
            .collect();
        (detection.services[0].ports.clone(), told)
    };
    for command in [
        "CMD [\"flask\", \"run\", \"--host=0.0.0.0\", \"--port=8002\"]",
        "ENV FLASK_RUN_PORT=8002\nCMD flask run",
        "ENV FLASK_APP=app.py\nCMD python -m flask run -p 8002",
        "CMD gunicorn -b 0.0.0.0:8002 app:app",
    ] {
        let (ports, told) = of(&format!("FROM python:3.12\nEXPOSE 8002\n{command}\n"));
        assert_eq!(ports, [8002], "{command}");
        assert!(told.iter().all(|what| !what.contains("8002")), "{told:?}");
    }
    let (ports, told) = of("FROM python:3.12\nEXPOSE 8002\nCMD python app.py\n");
    assert_eq!(ports, [5000]);
    assert!(
        told.iter()
            .any(|what| what.starts_with("exposes port 8002")),
        "{told:?}"
    );
}

#[test]
fn an_image_built_elsewhere_says_the_port_of_remote_calls() {
    let detection = crate::tree::found(&[
        ("desk/requirements.txt", "grpcio\n"),
        ("desk/__init__.py", ""),
        (
            "desk/main.py",
            "import grpc\nfrom desk.settings import SETTINGS\ndef main():\n    server = grpc.server(None)\n    server.add_insecure_port(f\"[::]:{SETTINGS.port}\")\n    server.start()\n\
             if __name__ == '__main__':\n    main()\n",
        ),
        ("desk/settings.py", "SETTINGS = load()\n"),
        (
            "docker/Dockerfile.desk",
            "FROM python:3.12\nEXPOSE 50051\nCMD [\"uv\", \"run\", \"-m\", \"desk.main\"]\n",
        ),
        (
            "compose.yaml",
            "services:\n  desk:\n    build:\n      context: .\n      dockerfile: docker/Dockerfile.desk\n",
        ),
    ]);
    assert_eq!(detection.services[0].ports, [50051]);
}

#[test]
fn the_ports_of_addresses_that_a_package_of_go_calls_are_none_of_the_program() {
    let detection = crate::tree::found(&[
        ("go.mod", "module example.com/desk\n\ngo 1.22\n"),
        (
            "main.go",
            "package main\n\nimport (\n\t\"net/http\"\n\n\t\"example.com/desk/fetch\"\n)\n\nfunc main() {\n\tfetch.Get(\"x\")\n\tfetch.Store()\n\thttp.ListenAndServe(address(), nil)\n}\n",
        ),
        (
            "fetch/fetch.go",
            "package fetch\n\nfunc Get(text string) {\n\tport := \"443\"\n\tif text == \"http\" {\n\t\tport = \"80\"\n\t}\n\tprintln(port)\n}\n\nfunc Store() int {\n\tport := 6334\n\treturn port\n}\n",
        ),
    ]);
    assert_eq!(detection.services[0].ports, [0u16; 0]);
}

#[test]
fn pages_with_a_server_of_their_own_listen_where_it_does() {
    let detection = crate::tree::found(&[
        (
            "package.json",
            r#"{"name":"desk","scripts":{"build":"next build","start":"tsx server.ts"},"dependencies":{"next":"15","react":"19","express":"5","tsx":"4"}}"#,
        ),
        (
            "package-lock.json",
            r#"{"lockfileVersion":3,"packages":{}}"#,
        ),
        (
            "server.ts",
            "import express from 'express';\nimport next from 'next';\nconst port = parseInt(process.env.PORT || '9992', 10);\n\
             const app = next({ dev: false });\napp.prepare().then(() => { express().listen(port); });\n",
        ),
        (
            "src/app/page.tsx",
            "export default function Page() { return null; }\n",
        ),
    ]);
    assert_eq!(crate::tree::lines(&detection), ["ui tsx server.ts [9992]"]);
}
