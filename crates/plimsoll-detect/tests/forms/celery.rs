//! Celery: what works, what only sends, what shows the work.

use crate::tree::{found, lines};

const REQUIREMENTS: (&str, &str) = (
    "requirements.txt",
    "celery\nflower\nredis\nfastapi\nuvicorn\n",
);

#[test]
fn an_application_that_only_sends_is_no_worker() {
    let sender = |more: &str| {
        let text = format!(
            "from celery import Celery\nfrom fastapi import FastAPI\nqueue = Celery(broker='redis://cache:6379/0')\napp = FastAPI()\n{more}\n\
             @app.post('/')\ndef ask():\n    queue.send_task('desk.work', args=[1])\n"
        );
        let detection = found(&[REQUIREMENTS, ("main.py", &text)]);
        let mut rejected = detection.rejected.iter();
        let told = rejected.find(|one| one.looks_like == "Celery application");
        (detection.services.len(), told.map(|one| one.why.clone()))
    };
    assert_eq!(
        sender(""),
        (1, Some("it only sends tasks (main.py:8)".to_owned()))
    );
    assert_eq!(sender("@queue.task\ndef work():\n    pass").0, 2);
    assert_eq!(sender("queue.conf.imports = ['elsewhere.tasks']").0, 2);
}

#[test]
fn flower_shows_the_work_and_does_none() {
    let detection = found(&[
        REQUIREMENTS,
        (
            "desk/tasks.py",
            "from celery import Celery\nqueue = Celery('desk', broker='redis://cache:6379/0')\n@queue.task\ndef work():\n    pass\n",
        ),
        ("desk/__init__.py", ""),
        (
            "Procfile",
            "worker: celery -A desk.tasks worker\nflower: celery -A desk.tasks flower --port=5556\n",
        ),
    ]);
    assert_eq!(
        lines(&detection),
        [
            "worker python -m celery -A desk.tasks:queue worker --loglevel=INFO []",
            "ui python -m celery -A desk.tasks:queue flower --port=5556 [5556]",
        ]
    );
    let flower = &detection.services[1];
    assert_eq!(flower.framework.as_deref(), Some("Flower"));
    assert_eq!(flower.defined_at.file.to_str(), Some("Procfile"));
    assert_eq!(flower.defined_at.start.line, 2);
}
