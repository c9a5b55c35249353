//! More forms that real projects take, each as the smallest tree that shows it.

use crate::tree::{found, lines, required};

/// The port of an Express server whose file says this.
fn port_of(source: &str) -> Vec<u16> {
    let source = format!("import express from 'express';\nconst app = express();\n{source}");
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"a","scripts":{"start":"node server.js"},"dependencies":{"express":"5"}}"#,
        ),
        ("server.js", &source),
    ]);
    detection.services[0].ports.clone()
}

#[test]
fn a_base_is_no_port() {
    for source in [
        "app.listen(parseInt(process.env.PORT ?? '4100', 10));",
        "const port = Number.parseInt(process.env.PORT || '4100', 10);\napp.listen(port);",
        "const given = parseInt(process.argv[2], 10);\nconst port = Number.isNaN(given) ? 4100 : given;\napp.listen(port);",
    ] {
        assert_eq!(port_of(source), [4100], "{source}");
    }
    assert_eq!(
        port_of(
            "const config = { port: process.env.PORT || 4100, tries: 5 };\napp.listen(config.port);"
        ),
        [4100]
    );
    // Nothing but the base is said: the usual port is told to it.
    assert_eq!(
        port_of("app.listen(parseInt(process.env.PORT, 10));"),
        [3000]
    );
}

#[test]
fn a_port_is_handed_to_the_function_that_listens() {
    for source in [
        "const usual = 4100;\nfunction start(port, tries = 3) {\n  app.listen(port).on('error', () => start(port + 1, tries - 1));\n}\nstart(Number(process.argv[2]) || usual);",
        "const start = (port) => { app.listen(port); };\nstart(4100);",
    ] {
        assert_eq!(port_of(source), [4100], "{source}");
    }
}

#[test]
fn a_server_of_the_second_mcp_sdk() {
    let server = |start: &str| {
        let manifest = format!(
            r#"{{"name":"tide","bin":{{"tide":"dist/index.js"}},"scripts":{{"build":"tsc"{start}}},
            "dependencies":{{"@modelcontextprotocol/server":"2","@modelcontextprotocol/node":"2","express":"5"}}}}"#
        );
        let detection = found(&[
            ("package.json", &manifest),
            ("tsconfig.json", "{}"),
            (
                "src/index.ts",
                "import { serveStdio } from '@modelcontextprotocol/server/stdio';\nimport { createMcpHandler } from '@modelcontextprotocol/server';\n\
                 import express from 'express';\nconst app = express();\nif (process.argv.includes('http')) {\n  const handler = createMcpHandler(make);\n\
                 \x20 app.all('/mcp', (a, b) => handler(a, b));\n  app.listen(4200);\n} else {\n  serveStdio(make);\n}\n",
            ),
        ]);
        lines(&detection)
    };
    assert_eq!(
        server(r#","start":"node dist/index.js http""#),
        ["mcp-http node dist/index.js http [4200]"]
    );
}

#[test]
fn graphs_in_typescript_have_a_server_of_their_own() {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"all","private":true,"workspaces":["apps/*"]}"#,
        ),
        ("yarn.lock", ""),
        (
            "langgraph.json",
            r#"{"node_version":"20","graphs":{"agent":"./apps/agents/src/agent.ts:graph","title":"./apps/agents/src/title.ts:graph"}}"#,
        ),
        (
            "apps/agents/package.json",
            r#"{"name":"agents","main":"dist/index.js","scripts":{"dev":"yarn langgraphjs dev --port 5100 --config ../../langgraph.json"},
            "dependencies":{"@langchain/langgraph":"1"},"devDependencies":{"@langchain/langgraph-cli":"1"}}"#,
        ),
        (
            "apps/agents/src/agent.ts",
            "import { model } from './model';\nexport const graph = model;\n",
        ),
        (
            "apps/agents/src/model.ts",
            "export const model = process.env.MODEL_KEY!;\n",
        ),
        (
            "apps/agents/src/title.ts",
            "export const graph = process.env.TITLE_KEY!;\n",
        ),
        (
            "apps/web/package.json",
            r#"{"name":"web","scripts":{"build":"next build","start":"next start"},"dependencies":{"next":"15"}}"#,
        ),
    ]);
    let mut lines = lines(&detection);
    lines.sort();
    assert_eq!(
        lines,
        [
            "ui next start [3000]",
            "web langgraphjs dev --port 5100 --config ../../langgraph.json --no-browser --host 0.0.0.0 [5100]"
        ]
    );
    assert_eq!(required(&detection), ["MODEL_KEY", "TITLE_KEY"]);
    assert!(
        detection
            .problems
            .iter()
            .all(|one| !one.what.contains("Python"))
    );
}

#[test]
fn graphs_that_no_script_starts_are_started_as_usual() {
    let detection = found(&[
        (
            "langgraph.json",
            r#"{"graphs":{"agent":{"path":"./agent.ts:graph"}}}"#,
        ),
        (
            "package.json",
            r#"{"name":"a","dependencies":{"@langchain/langgraph":"1"}}"#,
        ),
        ("agent.ts", "export const graph = 1;\n"),
    ]);
    assert_eq!(
        lines(&detection),
        ["web langgraphjs dev --port 2024 --no-browser --host 0.0.0.0 [2024]"]
    );
    assert!(
        detection
            .problems
            .iter()
            .any(|one| one.what.contains("nothing installs `langgraphjs`"))
    );
}

#[test]
fn what_is_made_to_be_installed_is_no_site() {
    let manifest = |private: &str| {
        format!(
            r#"{{"name":"widget",{private}"main":"dist/main.js","types":"dist/types.d.ts","scripts":{{"build":"parcel build src/index.ts"}},
            "devDependencies":{{"parcel":"2"}}}}"#
        )
    };
    let of = |private: &str| {
        let manifest = manifest(private);
        found(&[("package.json", &manifest), ("src/index.ts", "")])
            .services
            .len()
    };
    assert_eq!(of(""), 0);
    assert_eq!(of(r#""private":false,"#), 0);
    assert_eq!(of(r#""private":true,"#), 1);
}

#[test]
fn an_application_inside_of_another_is_served_by_it() {
    let flask = (
        "app/web.py",
        "from flask import Flask\napp = Flask(__name__)\nif __name__ == \"__main__\":\n    app.run(port=7000)\n",
    );
    let requirements = ("requirements.txt", "flask\nstarlette\na2wsgi\nuvicorn\n");
    let mounted = found(&[
        flask,
        requirements,
        (
            "app/asgi.py",
            "from a2wsgi import WSGIMiddleware\nfrom starlette.applications import Starlette\nfrom starlette.routing import Mount\n\
             from app.web import app as inner\nserved = Starlette(routes=[Mount(\"/\", app=WSGIMiddleware(inner, workers=4))])\n",
        ),
    ]);
    assert_eq!(
        lines(&mounted),
        ["web python -m uvicorn app.asgi:served --host 0.0.0.0 --port 8000 [8000]"]
    );
    let wrapped = found(&[
        flask,
        requirements,
        (
            "app/asgi.py",
            "from asgiref.wsgi import WsgiToAsgi\nfrom app.web import app\nserved = WsgiToAsgi(app)\n",
        ),
    ]);
    assert_eq!(
        lines(&wrapped),
        ["web python -m uvicorn app.asgi:served --host 0.0.0.0 --port 7000 [7000]"]
    );
}

#[test]
fn what_an_address_is_put_together_from_has_to_be_set() {
    let of = |fallback: &str| {
        let address = format!(
            "from os import getenv\ndef address():\n    driver = getenv(\"DB_DRIVER\", \"postgresql+psycopg\")\n    user = getenv(\"DB_USER\")\n\
             \x20   db_user = user\n    db_host = getenv(\"DB_HOST\")\n    db_pass = getenv(\"DB_PASS\")\n{fallback}\
             \x20   return \"{{}}://{{}}{{}}@{{}}/app\".format(driver, getenv(\"DB_USER\"), f\":{{db_pass}}\" if db_pass else \"\", db_host)\n"
        );
        let detection = found(&[
            (
                "requirements.txt",
                "fastapi\nuvicorn\nsqlalchemy\npsycopg\n",
            ),
            ("address.py", &address),
            (
                "main.py",
                "from fastapi import FastAPI\nfrom sqlalchemy import create_engine\nfrom address import address\nengine = create_engine(address())\napp = FastAPI()\n",
            ),
        ]);
        let needs: Vec<bool> = detection.needs.iter().map(|need| need.required).collect();
        (
            required(&detection)
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
            needs,
        )
    };
    assert_eq!(of(""), (vec!["DB_HOST".to_owned()], vec![true]));
    // With something else to fall back on nothing has to be set.
    let (insisted, _) = of("    if not db_host:\n        return \"sqlite:///a.db\"\n");
    assert!(insisted.is_empty());
}

#[test]
fn a_server_of_the_protocol_with_health_and_metrics_has_no_pages() {
    let detection = found(&[
        (
            "go.mod",
            "module example.com/tide\n\ngo 1.24\n\nrequire github.com/mark3labs/mcp-go v0.43.0\n",
        ),
        (
            "main.go",
            "package main\n\nimport (\n\t\"flag\"\n\t\"net/http\"\n\t\"github.com/mark3labs/mcp-go/server\"\n)\n\n\
             func main() {\n\taddress := flag.String(\"address\", \"localhost:8000\", \"where\")\n\tflag.Parse()\n\
             \tsrv := server.NewSSEServer(server.NewMCPServer(\"tide\", \"1\"))\n\tmux := http.NewServeMux()\n\
             \tmux.Handle(\"/sse\", srv)\n\tmux.HandleFunc(\"/healthz\", ok)\n\tmux.HandleFunc(\"/metrics\", ok)\n\
             \tmux.HandleFunc(\"/version\", ok)\n\thttp.ListenAndServe(*address, mux)\n}\n\n\
             func ok(w http.ResponseWriter, r *http.Request) {}\n",
        ),
        (
            "Dockerfile",
            "FROM golang:1.24 AS build\nCOPY . .\nRUN go build -o /tide .\nFROM scratch\nCOPY --from=build /tide /tide\n\
             ENTRYPOINT [\"/tide\", \"--address\", \"0.0.0.0:8000\"]\n",
        ),
    ]);
    let kinds: Vec<&str> = detection
        .services
        .iter()
        .map(|service| service.kind.word())
        .collect();
    assert_eq!(kinds, ["mcp-http"]);
    assert_eq!(detection.services[0].ports, [8000]);
}

#[test]
fn a_port_that_only_the_image_says() {
    let of = |expose: &str| {
        let dockerfile = format!(
            "FROM rust:1 AS build\nCOPY . .\nRUN cargo build --release\nFROM debian\nCOPY --from=build /target/release/tide /usr/local/bin/tide\n{expose}ENTRYPOINT [\"tide\"]\n"
        );
        let detection = found(&[
            (
                "Cargo.toml",
                "[package]\nname = \"tide\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[dependencies]\naxum = \"0.8\"\ntokio = \"1\"\n",
            ),
            (
                "src/main.rs",
                "#[tokio::main]\nasync fn main() {\n    let settings = load();\n    let app = axum::Router::new();\n\
                 \x20   let listener = tokio::net::TcpListener::bind(settings.address).await.unwrap();\n    axum::serve(listener, app).await.unwrap();\n}\n",
            ),
            ("Dockerfile", &dockerfile),
        ]);
        detection.services[0].ports.clone()
    };
    assert_eq!(of("EXPOSE 8000/tcp\n"), [8000]);
    assert!(of("EXPOSE 8000 9000\n").is_empty());
}

#[test]
fn what_a_library_insists_on_has_to_be_set() {
    let of = |version: &str, import: &str| {
        let manifest = format!(
            r#"{{"name":"a","scripts":{{"build":"next build","start":"next start"}},"dependencies":{{"next":"15","next-auth":"{version}"}}}}"#
        );
        let detection = found(&[
            ("package.json", &manifest),
            ("app/auth.ts", &format!("{import}export const x = 1;\n")),
        ]);
        required(&detection)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let import = "import NextAuth from 'next-auth';\n";
    assert_eq!(of("5.0.0-beta.25", import), ["AUTH_SECRET"]);
    assert_eq!(of("^4.24.0", import), ["NEXTAUTH_SECRET"]);
    assert!(of("^4.24.0", "").is_empty());
}

#[test]
fn a_port_that_two_services_claim_is_told_with_both_places() {
    let app = |port: &str| {
        format!(
            "import uvicorn\nfrom fastapi import FastAPI\napp = FastAPI()\nif __name__ == '__main__':\n    uvicorn.run(app, port={port})\n"
        )
    };
    let of = |ports: [&str; 2]| {
        let detection = found(&[
            ("orders/main.py", &app(ports[0])),
            ("orders/requirements.txt", "fastapi\nuvicorn\n"),
            ("stock/main.py", &app(ports[1])),
            ("stock/requirements.txt", "fastapi\nuvicorn\n"),
        ]);
        assert_eq!(detection.services.len(), 2);
        let problems = detection.problems.iter();
        problems
            .map(|one| format!("{}:{} {}", one.path.display(), one.line, one.what))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of(["8100", "8100"]),
        ["stock/main.py:3 `stock` listens on port 8100, as `orders` (orders/main.py:3) does"]
    );
    assert!(of(["8100", "8200"]).is_empty());
    // Nobody says a port here: uvicorn's own is no claim.
    let plain = "from fastapi import FastAPI\napp = FastAPI()\n";
    let detection = found(&[
        ("orders/main.py", plain),
        ("orders/requirements.txt", "fastapi\nuvicorn\n"),
        ("stock/main.py", plain),
        ("stock/requirements.txt", "fastapi\nuvicorn\n"),
    ]);
    assert!(detection.problems.is_empty(), "{:?}", detection.problems);
}

#[test]
fn prefixes_of_settings_come_from_constants_of_other_files() {
    let names = |files: &[(&str, &str)]| {
        let mut all = vec![
            ("requirements.txt", "fastapi\npydantic-settings\ndynaconf\n"),
            ("names.py", "PRODUCT = 'TIDE'\nPREFIX = f'{PRODUCT}_'\n"),
            (
                "main.py",
                "from fastapi import FastAPI\nfrom config import settings\napp = FastAPI()\n",
            ),
        ];
        all.extend(files);
        let detection = found(&all);
        let variables = detection.environment.iter();
        variables
            .map(|variable| variable.name.clone())
            .collect::<Vec<_>>()
    };
    for prefix in ["PREFIX", "f'{names.PRODUCT}_'", "names.PRODUCT + '_'"] {
        let config = format!(
            "import names\nfrom names import PREFIX\nfrom pydantic_settings import BaseSettings, SettingsConfigDict\n\
             class Settings(BaseSettings):\n    model_config = SettingsConfigDict(env_prefix={prefix})\n    level: str\nsettings = Settings()\n"
        );
        assert_eq!(names(&[("config.py", &config)]), ["TIDE_LEVEL"], "{prefix}");
    }
    for (prefix, wanted) in [
        ("'TIDE'", "TIDE_LEVEL"),
        ("PRODUCT", "TIDE_LEVEL"),
        ("f'{PRODUCT}_APP'", "TIDE_APP_LEVEL"),
        ("False", "LEVEL"),
    ] {
        let config = format!(
            "from names import PRODUCT\nfrom dynaconf import Dynaconf\nsettings = Dynaconf(envvar_prefix={prefix})\nlevel = settings.get('LEVEL', 'info')\n"
        );
        assert_eq!(names(&[("config.py", &config)]), [wanted], "{prefix}");
    }
}

#[test]
fn a_store_that_speaks_the_protocol_of_another_is_not_that_one() {
    let needs = |variable: &str| {
        let main = format!(
            "import os\nimport redis\nfrom fastapi import FastAPI\napp = FastAPI()\nurl = os.getenv('{variable}', 'redis://localhost:6379')\nstore = redis.from_url(url)\n"
        );
        let detection = found(&[("main.py", &main), ("requirements.txt", "fastapi\nredis\n")]);
        detection.needs.len()
    };
    assert_eq!(needs("CACHE_URL"), 1);
    assert_eq!(needs("FALKORDB_URL"), 0);
    assert_eq!(needs("FALKOR_URL"), 0);
}

#[test]
fn applications_that_only_nx_builds_are_told() {
    let detection = found(&[
        ("nx.json", "{}"),
        (
            "package.json",
            r#"{"name":"all","private":true,"dependencies":{"express":"5"}}"#,
        ),
        ("package-lock.json", "{}"),
        (
            "apps/api/project.json",
            r#"{"name":"api","projectType":"application","targets":{"build":{"executor":"@nx/esbuild:esbuild"},"serve":{}}}"#,
        ),
        (
            "apps/api/src/main.ts",
            "import express from 'express';\nexpress().listen(4100);\n",
        ),
        (
            "apps/api-e2e/project.json",
            r#"{"projectType":"application"}"#,
        ),
        ("libs/shared/project.json", r#"{"projectType":"library"}"#),
    ]);
    assert!(detection.services.is_empty());
    let problem = detection
        .problems
        .iter()
        .find(|one| one.path.ends_with("nx.json"));
    assert_eq!(
        problem.unwrap().what,
        "only Nx knows how to build `api` of this workspace, so that Plimsoll does not assemble it"
    );
    let rejected = detection
        .rejected
        .iter()
        .find(|one| one.looks_like == "Nx application");
    assert!(
        rejected
            .unwrap()
            .why
            .contains("`@nx/esbuild:esbuild` builds it")
    );
}

#[test]
fn a_package_that_nx_serves_is_told_what_to_start() {
    let manifest = |start: &str| {
        format!(
            r#"{{"name":"api","scripts":{{"start":"{start}","build":"nx build"}},"dependencies":{{"express":"5"}}}}"#
        )
    };
    let detected = |start: &str| {
        found(&[
            ("nx.json", "{}"),
            ("package.json", &manifest(start)),
            ("package-lock.json", "{}"),
            (
                "project.json",
                r#"{"name":"api","projectType":"application","targets":{"build":{"executor":"@nx/esbuild:esbuild","options":{"outputPath":"dist/api","main":"src/main.ts"}}}}"#,
            ),
            (
                "src/main.ts",
                "import express from 'express';\nexpress().listen(4100);\n",
            ),
        ])
    };
    let told = detected("nx serve");
    let problem = told
        .problems
        .iter()
        .find(|one| one.what.contains("Nx's server"));
    let hint = problem.unwrap().hint.as_deref();
    assert_eq!(
        hint,
        Some("start what `nx build` makes: `node dist/api/main.js`")
    );
    assert!(told.services.is_empty());
    let built = detected("node dist/api/main.js");
    assert_eq!(lines(&built), ["web node dist/api/main.js [4100]"]);
}

#[test]
fn applications_of_a_turborepo_are_found_by_their_packages() {
    let detection = found(&[
        ("turbo.json", r#"{"tasks":{"build":{}}}"#),
        (
            "package.json",
            r#"{"name":"all","workspaces":["apps/*"],"scripts":{"start":"turbo run start"},"devDependencies":{"turbo":"2"}}"#,
        ),
        (
            "apps/api/package.json",
            r#"{"name":"api","scripts":{"start":"node server.js"},"dependencies":{"express":"5"}}"#,
        ),
        (
            "apps/api/server.js",
            "import express from 'express';\nexpress().listen(4100);\n",
        ),
        (
            "apps/web/package.json",
            r#"{"name":"web","scripts":{"build":"next build","start":"next start"},"dependencies":{"next":"15"}}"#,
        ),
    ]);
    assert_eq!(
        lines(&detection),
        ["web node server.js [4100]", "ui next start [3000]"]
    );
}

#[test]
fn what_a_file_exports_is_served_by_bun_and_not_by_node() {
    let started = |start: &str, export: &str| {
        let manifest = format!(
            r#"{{"name":"a","scripts":{{"start":"{start}"}},"dependencies":{{"hono":"4"}}}}"#
        );
        let source = format!(
            "import {{ Hono }} from 'hono';\nconst app = new Hono();\nconst port = process.env.PORT || 4100;\n{export}"
        );
        let files = [
            ("package.json", manifest.as_str()),
            ("bun.lock", "{}"),
            ("src/index.ts", source.as_str()),
        ];
        lines(&found(&files))
    };
    let object = "export default { port, fetch: app.fetch };";
    assert_eq!(
        started("bun run src/index.ts", object),
        ["web bun src/index.ts [4100]"]
    );
    assert_eq!(
        started("bun run src/index.ts", "export default app;"),
        ["web bun src/index.ts [3000]"]
    );
    assert!(started("node --import tsx src/index.ts", object).is_empty());
}

#[test]
fn programs_that_are_declared_in_a_source_directory_are_imported_from_it() {
    let project = "[project]\nname = \"tasks\"\nversion = \"1\"\ndependencies = [\"flask\"]\n\n[project.scripts]\ntasks = \"views.cli:cli\"\n";
    let web = "from flask import Flask\nfrom views.pages import page\n\ndef create_app():\n    app = Flask(__name__)\n    return app\n";
    let files = [
        ("pyproject.toml", project),
        ("src/__init__.py", ""),
        ("src/views/__init__.py", ""),
        ("src/views/cli.py", "def cli():\n    pass\n"),
        ("src/views/pages.py", "page = 1\n"),
        ("src/views/web.py", web),
    ];
    let detection = found(&files);
    let command = &detection.services[0].command;
    assert!(
        command.contains(&"views.web:create_app()".to_owned()),
        "{command:?}"
    );
    let missing = |what: &str| what.contains("not in the tree");
    let missing = detection.problems.iter().find(|found| missing(&found.what));
    assert!(missing.is_none(), "{missing:?}");
}

#[test]
fn a_directory_called_as_an_installed_package_is_run_by_its_path() {
    let program = "import http.server\n\nfrom common import handler\n\nif __name__ == '__main__':\n    http.server.HTTPServer(('0.0.0.0', 9000), handler).serve_forever()\n";
    let detection = found(&[
        (
            "redis/pyproject.toml",
            "[project]\nname = 'desk'\nversion = '1'\ndependencies = ['redis']\n",
        ),
        ("redis/main.py", program),
        ("common/__init__.py", "handler = None\n"),
    ]);
    assert_eq!(detection.services[0].command.join(" "), "python main.py");
}

#[test]
fn what_fills_gigabytes_is_installed_where_something_imports_it() {
    let requirements = "torch>=2\nsentence-transformers\nfastapi\nuvicorn==0.35.0\npyyaml\n";
    let api = "import fastapi\nimport yaml\nimport uvicorn\napp = fastapi.FastAPI()\n\
        if __name__ == '__main__':\n    uvicorn.run(app, port=8000)\n";
    let handed = |requirements: &str, source: &str| {
        let detection = found(&[("requirements.txt", requirements), ("api.py", source)]);
        let [service] = detection.services.as_slice() else {
            panic!("{:?}", lines(&detection));
        };
        let plimsoll_model::RecipeKind::Python(python) = &service.recipe.as_ref().unwrap().kind
        else {
            panic!("{service:?}");
        };
        let whole = !matches!(
            python.dependencies,
            plimsoll_model::PythonDependencies::None
        );
        let names: Vec<String> = python
            .undeclared
            .iter()
            .map(|one| one.value.clone())
            .collect();
        let told = detection
            .problems
            .iter()
            .any(|problem| problem.what.contains("`torch`, `sentence-transformers` of"));
        (whole, names, told)
    };
    assert_eq!(
        handed(requirements, api),
        (
            false,
            vec![
                "fastapi".to_owned(),
                "uvicorn==0.35.0".to_owned(),
                "pyyaml".to_owned()
            ],
            true
        )
    );
    // Imported anywhere in reach, loaded by another, or with options that cannot be handed on: all stay.
    for source in [
        "import torch\n",
        "def late():\n    import langchain_huggingface\n",
    ] {
        let (whole, _, told) = handed(requirements, &format!("{source}{api}"));
        assert_eq!((whole, told), (true, false), "{source}");
    }
    for line in [
        "--extra-index-url http://localhost/simple",
        "httpx; python_version < '3.12'",
    ] {
        let (whole, _, told) = handed(&format!("{requirements}{line}\n"), api);
        assert_eq!((whole, told), (true, false), "{line}");
    }
}

#[test]
fn a_file_that_is_handed_on_in_parts_leaves_the_project_uninstalled_as_the_whole_file_does() {
    let detection = found(&[
        ("requirements.txt", "torch\nfastapi\nuvicorn\n"),
        (
            "pyproject.toml",
            "[build-system]\nrequires = ['setuptools']\n[project]\nname = 'tide'\nversion = '1'\n",
        ),
        ("tide/__init__.py", ""),
        (
            "services/api.py",
            "import fastapi\nimport uvicorn\nimport waves\ndef main():\n    uvicorn.run(fastapi.FastAPI(), port=8000)\n\
             if __name__ == '__main__':\n    main()\n",
        ),
        ("services/waves.py", ""),
    ]);
    let [service] = detection.services.as_slice() else {
        panic!("{:?}", lines(&detection));
    };
    let recipe = service.recipe.as_ref().unwrap();
    let plimsoll_model::RecipeKind::Python(python) = &recipe.kind else {
        panic!("{recipe:?}");
    };
    assert!(python.install_project.is_none());
    // Where the command finds its module.
    let path = ("PYTHONPATH".to_owned(), "/app/services".to_owned());
    assert!(recipe.environment.contains(&path), "{recipe:?}");
}

#[test]
fn each_image_says_the_port_of_its_own_pages() {
    let page = "import streamlit as st\nst.title('x')\n";
    let image = |file: &str, port: u16| {
        format!(
            "FROM python:3.12\nCOPY {file} .\nENTRYPOINT [\"streamlit\", \"run\", \"{file}\", \"--server.port={port}\"]\n"
        )
    };
    let detection = found(&[
        ("requirements.txt", "streamlit\n"),
        ("ebb.py", page),
        ("flow.py", page),
        ("ebb.Dockerfile", &image("ebb.py", 8601)),
        ("flow.Dockerfile", &image("flow.py", 8602)),
    ]);
    let ports: Vec<_> = detection
        .services
        .iter()
        .map(|service| service.ports.clone())
        .collect();
    assert_eq!(ports, [[8601], [8602]]);
}
