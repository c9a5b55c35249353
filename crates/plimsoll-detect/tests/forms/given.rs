//! Applications that an object of the project's own gives.

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
