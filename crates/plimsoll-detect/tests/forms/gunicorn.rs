//! Gunicorn's configuration files and commands, each as the smallest tree that shows it.

use plimsoll_detect::Detection;

use crate::tree::found;

fn commands(detection: &Detection) -> Vec<String> {
    let services = detection.services.iter();
    services.map(|service| service.command.join(" ")).collect()
}

const FLASK: (&str, &str) = (
    "app.py",
    "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef home():\n    return ''\n",
);

#[test]
fn the_configuration_tells_the_port() {
    for bind in [
        "bind = '0.0.0.0:9100'",
        "bind = [':9100', 'unix:/run/a']",
        "import os\nbind = f\"0.0.0.0:{os.getenv('PORT', 9100)}\"",
        "port = 9100\nbind = '0.0.0.0:' + str(port)",
    ] {
        let configuration = format!("{bind}\nworkers = 4\n");
        let detection = found(&[
            FLASK,
            ("requirements.txt", "flask\ngunicorn\n"),
            ("gunicorn.conf.py", &configuration),
        ]);
        let [service] = &detection.services[..] else {
            panic!("{:?}", commands(&detection));
        };
        assert_eq!(service.ports, [9100], "{bind}");
        // Processes in one container say nothing about how many containers there may be.
        assert_eq!(service.replicas_max, None);
        let told = |place: &str| {
            let mut evidence = service.evidence.iter();
            evidence.any(|one| one.span.file.to_str() == Some(place))
        };
        assert!(told("gunicorn.conf.py"), "{:#?}", service.evidence);
    }
}

#[test]
fn a_command_names_another_file_or_another_port() {
    let of = |claim: (&str, &str)| {
        let detection = found(&[
            FLASK,
            claim,
            ("requirements.txt", "flask\ngunicorn\n"),
            ("gunicorn.conf.py", "bind = ':9100'\n"),
            ("deploy/server.py", "bind = ':9200'\n"),
        ]);
        commands(&detection).join("\n")
    };
    assert_eq!(
        of(("Procfile", "web: gunicorn -c deploy/server.py app:app\n")),
        "python -m gunicorn --config deploy/server.py --bind 0.0.0.0:9200 --worker-tmp-dir /tmp app:app"
    );
    let said = "python -m gunicorn --bind 0.0.0.0:9300 --worker-tmp-dir /tmp app:app";
    for claim in [
        ("Procfile", "web: gunicorn --bind 0.0.0.0:9300 app:app\n"),
        ("Procfile", "web: gunicorn -b:9300 app:app\n"),
        (
            "Dockerfile",
            "FROM python:3.12\nCMD [\"gunicorn\", \"--bind=localhost:9300\", \"app:app\"]\n",
        ),
    ] {
        assert_eq!(of(claim), said, "{claim:?}");
    }
}

#[test]
fn the_class_of_its_workers_chooses_the_interface() {
    let of = |files: &[(&str, &str)]| {
        let mut all = vec![
            ("requirements.txt", "django\ngunicorn\nuvicorn\n"),
            ("manage.py", "import django\n"),
            ("shop/__init__.py", ""),
            ("shop/settings.py", ""),
            (
                "shop/wsgi.py",
                "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
            ),
            (
                "shop/asgi.py",
                "from django.core.asgi import get_asgi_application\napplication = get_asgi_application()\n",
            ),
        ];
        all.extend(files);
        commands(&found(&all)).join("\n")
    };
    let wsgi = "python -m gunicorn --bind 0.0.0.0:8000 --worker-tmp-dir /tmp shop.wsgi:application";
    let asgi = "python -m uvicorn shop.asgi:application --host 0.0.0.0 --port 8000";
    assert_eq!(of(&[]), wsgi);
    let class = "worker_class = 'uvicorn.workers.UvicornWorker'\n";
    assert_eq!(of(&[("gunicorn.conf.py", class)]), asgi);
    let line = "web: gunicorn shop.asgi -k uvicorn.workers.UvicornWorker\n";
    assert_eq!(of(&[("Procfile", line)]), asgi);
    assert_eq!(of(&[("Procfile", "web: gunicorn shop.wsgi\n")]), wsgi);
}

#[test]
fn several_processes_of_what_keeps_its_state_are_a_problem() {
    let detection = found(&[
        (
            "app.py",
            "from flask import Flask\napp = Flask(__name__)\nseen = {}\n@app.post('/<name>')\ndef note(name):\n    seen[name] = True\n    return ''\n",
        ),
        ("requirements.txt", "flask\ngunicorn\n"),
        ("gunicorn.conf.py", "workers = 4\n"),
    ]);
    let problem = detection
        .problems
        .iter()
        .find(|problem| problem.what.contains("worker processes"));
    let problem = problem.unwrap();
    assert_eq!(
        problem.what,
        "asks for 4 worker processes of what keeps `seen` in the memory of its process (app.py:6)"
    );
    assert_eq!(
        (problem.path.to_str(), problem.line),
        (Some("gunicorn.conf.py"), 1)
    );
}
