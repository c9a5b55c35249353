//! Where a Python application is started from, on which port, and what it is not started without: by its own dots, by
//! what its image says, by scripts and files beside it.

use crate::tree::found;

const APP: &str = "from fastapi import FastAPI\napp = FastAPI()\n";

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
