//! Applications that an object of the project's own gives, or that another file serves.

use std::path::Path;

use plimsoll_detect::{Health, Help};

use crate::tree::{found, lines};

#[test]
fn a_class_of_the_project_gives_its_application() {
    for (class, main) in [
        (
            "class Server:\n    def app(self):\n        app = FastAPI()\n        return app\n",
            "server = Server()\napp = server.app()\n",
        ),
        (
            "class Server:\n    def __init__(self):\n        self.app = FastAPI()\n",
            "app = Server().app\n",
        ),
        (
            "class Server:\n    def __init__(self):\n        self.app = self.make()\n    def make(self):\n        return FastAPI()\n",
            "server = Server()\napp = server.app\n",
        ),
        (
            "class Base:\n    def get_app(self) -> FastAPI:\n        return self._app\nclass Server(Base):\n    pass\n",
            "app = Server().get_app()\n",
        ),
    ] {
        let module = format!("from fastapi import FastAPI\n{class}");
        let main = format!("from desk.server import Server\n{main}");
        let detection = found(&[
            ("requirements.txt", "fastapi\nuvicorn\n"),
            ("desk/__init__.py", ""),
            ("desk/server.py", &module),
            ("desk/main.py", &main),
            (
                "run.py",
                "import uvicorn\nif __name__ == '__main__':\n    uvicorn.run('desk.main:app', port=8300)\n",
            ),
        ]);
        assert_eq!(
            lines(&detection),
            ["web python -m uvicorn desk.main:app --host 0.0.0.0 --port 8300 [8300]"],
            "{class}{main}"
        );
    }
}

#[test]
fn an_annotation_says_what_nothing_else_does() {
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\nkit\n"),
        (
            "main.py",
            "from fastapi import FastAPI\nfrom kit import Kit\napp: FastAPI = Kit(agent=1).build()\n",
        ),
        (
            "Dockerfile",
            "FROM python:3.12\nCMD uvicorn main:app --port 8400\n",
        ),
    ]);
    assert_eq!(
        lines(&detection),
        ["web python -m uvicorn main:app --host 0.0.0.0 --port 8400 [8400]"]
    );
}

#[test]
fn an_application_is_started_where_what_serves_it_imports_it() {
    let application = "from fastapi import FastAPI\nfrom server.tasks import run\n\napp = FastAPI()\n\
                       @app.get('/health')\ndef health():\n    return {}\n";
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\narxiv\n"),
        (
            "main.py",
            "from backend.server.app import app\n\nif __name__ == '__main__':\n    import uvicorn\n    uvicorn.run(app, host='0.0.0.0', port=8100)\n",
        ),
        ("backend/requirements.txt", "fastapi\n"),
        ("backend/server/__init__.py", ""),
        ("backend/server/app.py", application),
        (
            "backend/server/tasks.py",
            "from desk.arxiv.arxiv import Search\n\ndef run():\n    return Search\n",
        ),
        ("desk/__init__.py", ""),
        ("desk/arxiv/__init__.py", ""),
        (
            "desk/arxiv/arxiv.py",
            "import arxiv\n\nclass Search:\n    pass\n",
        ),
    ]);
    assert_eq!(
        lines(&detection),
        ["web python -m uvicorn main:app --host 0.0.0.0 --port 8100 [8100]"]
    );
    let [service] = &detection.services[..] else {
        panic!("{:?}", detection.services)
    };
    assert_eq!(
        service.dependencies_from.as_deref(),
        Some(Path::new("requirements.txt"))
    );
    let Some(Health::Http(route)) = &service.health else {
        panic!("{:?}", service.health)
    };
    assert_eq!(route.path, "/health");
    let searched: Vec<_> = detection.shims.iter().map(|shim| &shim.help).collect();
    assert_eq!(
        searched,
        [&Help::ModulePath {
            path: "/app/backend".to_owned()
        }]
    );
}

#[test]
fn a_server_of_graphs_is_brought_by_an_extra_of_its_tool() {
    let of = |stated: &str| {
        let detection = found(&[
            (
                "langgraph.json",
                "{\"graphs\": {\"agent\": \"./graph.py:graph\"}, \"dependencies\": [\".\"]}",
            ),
            (
                "graph.py",
                "from langgraph.graph import StateGraph\ngraph = StateGraph(dict).compile()\n",
            ),
            ("requirements.txt", &format!("langgraph\n{stated}\n")),
        ]);
        let told = detection.problems.iter();
        told.filter(|problem| problem.what.contains("langgraph-cli[inmem]"))
            .count()
    };
    assert_eq!(of("langgraph-cli"), 1);
    assert_eq!(of("langgraph-cli[inmem]"), 0);
    assert_eq!(of("langgraph-cli\nlanggraph-api"), 0);
}
