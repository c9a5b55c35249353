//! Servers of the Model Context Protocol that speak over their standard input unless they are told otherwise.

use crate::tree::{found, lines};

const REQUIREMENTS: (&str, &str) = ("requirements.txt", "fastmcp\n");

/// A server that a function makes and a value starts in one of two ways.
const MATCHES: (&str, &str) = (
    "desk.py",
    "import argparse, asyncio\nfrom fastmcp import FastMCP\ndef make():\n    return FastMCP('desk')\n\
     async def main(transport='stdio', port=8100):\n    server = make()\n    match transport:\n        case 'http':\n\
     \x20           await server.run_http_async(host='0.0.0.0', port=port)\n        case 'stdio':\n            await server.run_stdio_async()\n\
     if __name__ == '__main__':\n    asyncio.run(main())\n",
);

/// A server whose variable chooses.
const CHOSEN: (&str, &str) = (
    "desk.py",
    "import os\nfrom fastmcp import FastMCP\nserver = FastMCP('desk')\n\
     if __name__ == '__main__':\n    server.run(transport=os.getenv('DESK_TRANSPORT', 'stdio'))\n",
);

#[test]
fn nobody_tells_it() {
    for server in [MATCHES, CHOSEN] {
        let quiet = found(&[
            REQUIREMENTS,
            server,
            (
                "Dockerfile",
                "FROM python:3.12\nENV DESK_TRANSPORT=stdio\nEXPOSE 9000\nCMD python desk.py\n",
            ),
        ]);
        assert_eq!(lines(&quiet), ["mcp-stdio python -m desk []"]);
    }
}

#[test]
fn a_variable_of_the_image_or_the_compose_file_tells_it() {
    for file in [
        (
            "Dockerfile",
            "FROM python:3.12\nENV DESK_TRANSPORT=\"http\" MCP_HOST=0.0.0.0\nEXPOSE 9000\nCMD python desk.py\n",
        ),
        (
            "compose.yaml",
            "services:\n  desk:\n    build: .\n    command: python desk.py\n    ports: ['9000:9000']\n    environment:\n      DESK_TRANSPORT: http\n      MCP_HOST: 0.0.0.0\n",
        ),
    ] {
        let detection = found(&[REQUIREMENTS, CHOSEN, file]);
        assert_eq!(
            lines(&detection),
            ["mcp-http python -m desk [9000]"],
            "{}",
            file.0
        );
        let recipe = detection.services[0].recipe.as_ref().unwrap();
        for (name, value) in [("DESK_TRANSPORT", "http"), ("MCP_HOST", "0.0.0.0")] {
            let pair = (name.to_owned(), value.to_owned());
            assert!(
                recipe.environment.contains(&pair),
                "{:?}",
                recipe.environment
            );
        }
        let told = detection.services[0].evidence.iter();
        let told = told.filter(|one| one.why == "is told to speak over HTTP");
        assert_eq!(
            told.map(|one| one.span.file.to_str()).collect::<Vec<_>>(),
            [Some(file.0)]
        );
    }
}

#[test]
fn an_argument_tells_it() {
    let detection = found(&[
        REQUIREMENTS,
        MATCHES,
        (
            "Dockerfile",
            "FROM python:3.12\nCMD [\"python\", \"desk.py\", \"--transport\", \"http\", \"--port\", \"9100\"]\n",
        ),
    ]);
    assert_eq!(
        lines(&detection),
        ["mcp-http python -m desk --transport http --port 9100 [9100]"]
    );
}

#[test]
fn what_another_program_is_told_is_not_its_own() {
    let detection = found(&[
        REQUIREMENTS,
        MATCHES,
        (
            "deploy/proxy.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: proxy}\nspec:\n  template:\n    spec:\n      containers:\n        - name: proxy\n          image: example/mcp-proxy\n          args: [--transport, sse, --port, \"7000\"]\n",
        ),
    ]);
    assert!(lines(&detection)[0].starts_with("mcp-stdio"));
}

#[test]
fn programs_of_rust_and_go_take_their_usual_way() {
    let rust = |docker: &str| {
        let detection = found(&[
            (
                "Cargo.toml",
                "[package]\nname = \"desk\"\nversion = \"1.0.0\"\n[dependencies]\nrmcp = \"0.12\"\nclap = \"4\"\naxum = \"0.8\"\n",
            ),
            (
                "src/main.rs",
                "use clap::Parser;\nuse rmcp::transport::stdio;\n#[derive(Parser)]\nstruct Cli {\n    #[arg(long, env = \"DESK_TRANSPORT\", default_value = \"stdio\")]\n    transport: String,\n}\n\
                 fn main() {\n    let cli = Cli::parse();\n    match cli.transport.as_str() {\n        \"stdio\" => { serve(stdio()); }\n        _ => {\n            let service = StreamableHttpService::new(make);\n            let listener = TcpListener::bind(\"0.0.0.0:3001\");\n            axum::serve(listener, service);\n        }\n    }\n}\n",
            ),
            ("Dockerfile", docker),
        ]);
        lines(&detection).join("\n")
    };
    let image = "FROM rust AS b\nRUN cargo build --release\nFROM debian\n";
    let start = "ENTRYPOINT [\"/usr/local/bin/desk\"]\n";
    assert_eq!(
        rust(&format!("{image}{start}")),
        "mcp-stdio /usr/local/bin/desk []"
    );
    assert_eq!(
        rust(&format!(
            "{image}ENV DESK_TRANSPORT=streamable-http\n{start}"
        )),
        "mcp-http /usr/local/bin/desk [3001]"
    );
    let go = |docker: &str| {
        let detection = found(&[
            (
                "go.mod",
                "module example.com/desk\n\ngo 1.24\n\nrequire github.com/mark3labs/mcp-go v0.32.0\n",
            ),
            (
                "main.go",
                "package main\n\nimport (\n\t\"flag\"\n\n\t\"github.com/mark3labs/mcp-go/server\"\n)\n\nfunc main() {\n\tvar transport string\n\tflag.StringVar(&transport, \"transport\", \"stdio\", \"how\")\n\tflag.Parse()\n\ts := server.NewMCPServer(\"desk\", \"1\")\n\tif transport == \"http\" {\n\t\tserver.NewStreamableHTTPServer(s).Start(\":8300\")\n\t\treturn\n\t}\n\tserver.ServeStdio(s)\n}\n",
            ),
            ("Dockerfile", docker),
        ]);
        lines(&detection).join("\n")
    };
    let image = "FROM golang AS b\nRUN go build -o /desk .\nFROM debian\n";
    assert_eq!(
        go(&format!("{image}ENTRYPOINT [\"/desk\"]\n")),
        "mcp-stdio /usr/local/bin/desk []"
    );
    let told = go(&format!(
        "{image}ENTRYPOINT [\"/desk\", \"--transport\", \"http\"]\n"
    ));
    assert!(
        told.starts_with("mcp-http /usr/local/bin/desk --transport http"),
        "{told}"
    );
}

#[test]
fn a_declared_program_that_an_image_tells_is_started_so() {
    let detection = found(&[
        (
            "pyproject.toml",
            "[project]\nname = \"desk\"\nversion = \"1\"\ndependencies = [\"mcp\", \"starlette\", \"uvicorn\"]\n\
             [project.scripts]\ndesk-server = \"main:serve\"\n[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n\
             [tool.setuptools]\npy-modules = [\"main\", \"server\"]\n",
        ),
        (
            "server.py",
            "import asyncio\nimport uvicorn\nfrom mcp.server import Server\nfrom mcp.server.stdio import stdio_server\nkit = Server('desk')\n\
             async def run_stdio():\n    async with stdio_server() as (a, b):\n        await kit.run(a, b)\n\
             if __name__ == '__main__':\n    asyncio.run(run_stdio())\n",
        ),
        (
            "main.py",
            "import argparse, asyncio\nfrom server import run_stdio\ndef serve():\n    parser = argparse.ArgumentParser()\n    parser.add_argument('--transport', default='stdio')\n    parser.parse_args()\n    asyncio.run(run_stdio())\n\
             if __name__ == '__main__':\n    serve()\n",
        ),
        (
            "Dockerfile",
            "FROM python:3.12\nEXPOSE 8000\nCMD [\"desk-server\", \"--transport\", \"http\", \"--port\", \"8000\"]\n",
        ),
    ]);
    assert_eq!(
        lines(&detection),
        ["mcp-http python -m main --transport http --port 8000 [8000]"]
    );
}

#[test]
fn what_a_shell_puts_in_is_put_in_before() {
    let server = "FROM python:3.12\nENV PORT=9000\nCMD python desk.py --transport";
    for (end, port) in [
        ("http --port $PORT", 9000),
        ("${WAY:-http} --port=${OTHER:-9100}", 9100),
        // Only the place knows where it runs.
        ("http --port $OTHER", 8100),
    ] {
        let docker = format!("{server} {end}\n");
        let detection = found(&[REQUIREMENTS, MATCHES, ("Dockerfile", &docker)]);
        let line = lines(&detection).join("\n").replace("--port=", "--port ");
        assert_eq!(
            line,
            format!("mcp-http python -m desk --transport http --port {port} [{port}]"),
            "{end}"
        );
    }
    let compose = "services:\n  desk:\n    build: ..\n    command: python desk.py\n    environment:\n      DESK_TRANSPORT: ${WAY:-http}\n      MCP_PORT: ${MCP_PORT:-9000}\n      MCP_HOST: ${HOST_NAME}\n";
    let detection = found(&[REQUIREMENTS, CHOSEN, ("deploy/compose.yaml", compose)]);
    assert_eq!(lines(&detection), ["mcp-http python -m desk [9000]"]);
    let recipe = detection.services[0].recipe.as_ref().unwrap();
    let set = recipe.environment.iter();
    let set: Vec<&str> = set.map(|(_, value)| value.as_str()).collect();
    assert!(set.contains(&"9000") && set.iter().all(|value| !value.contains('$')));
}

#[test]
fn a_server_that_a_function_of_another_file_makes() {
    let cli = |import: &str| {
        format!(
            "import click\n\
             @click.command()\n@click.option('--transport', default='stdio')\n@click.option('--host', default='127.0.0.1')\n\
             @click.option('--port', default=8000)\n\
             def main(transport, host, port):\n    {import}\n    server = make()\n    if transport == 'stdio':\n        \
             server.run(transport='stdio')\n    else:\n        server.run(transport=transport, host=host, port=port)\n"
        )
    };
    for make in [
        "def make():\n    desk = FastMCP('desk')\n    return desk\n",
        "def make() -> FastMCP:\n    return assembled()\n",
        "def make():\n    return FastMCP('desk')\n",
    ] {
        let files = [
            (
                "pyproject.toml",
                "[project]\nname = 'desk'\nversion = '1'\ndependencies = ['fastmcp', 'click']\n[project.scripts]\ndesk = 'desk.cli:main'\n\
                 [build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n",
            ),
            ("desk/__init__.py", ""),
            (
                "desk/server.py",
                &format!("from fastmcp import FastMCP\n{make}"),
            ),
            ("desk/cli.py", &cli("from .server import make")),
            (
                "Dockerfile",
                "FROM python:3.12\nCOPY . .\nCMD [\"desk\", \"--transport\", \"streamable-http\", \"--host\", \"0.0.0.0\"]\n",
            ),
        ];
        assert_eq!(lines(&found(&files[..4])), ["mcp-stdio desk []"], "{make}");
        assert_eq!(
            lines(&found(&files)),
            ["mcp-http desk --transport streamable-http --host 0.0.0.0 [8000]"],
            "{make}"
        );
    }
}
