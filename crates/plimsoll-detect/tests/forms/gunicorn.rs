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

#[test]
fn arguments_of_the_environment_count_more_than_the_file_and_less_than_the_command() {
    let of = |files: &[(&str, &str)]| {
        let mut all = vec![
            FLASK,
            ("requirements.txt", "flask\ngunicorn\n"),
            ("gunicorn.conf.py", "bind = ':9100'\n"),
        ];
        all.extend(files);
        let detection = found(&all);
        let [service] = &detection.services[..] else {
            panic!("{:?}", commands(&detection));
        };
        let evidence = service.evidence.iter().map(|one| {
            let place = &one.span;
            format!("{}:{}", place.file.display(), place.start.line)
        });
        (service.ports.clone(), evidence.collect::<Vec<_>>())
    };
    let image = |command: &str| {
        format!(
            "FROM python:3.12\nENV A=1 GUNICORN_CMD_ARGS=\"--bind=0.0.0.0:9400 --workers=2\"\nEXPOSE 8000\nCMD {command}\n"
        )
    };
    let plain = image("gunicorn app:app");
    let (ports, evidence) = of(&[("Dockerfile", &plain)]);
    assert_eq!(ports, [9400]);
    assert!(
        evidence.contains(&"Dockerfile:2".to_owned()),
        "{evidence:?}"
    );
    let said = image("gunicorn -b :9500 app:app");
    assert_eq!(of(&[("Dockerfile", &said)]).0, [9500]);
    // Another server does not read the variable.
    let other = image("flask --app app run --port 9600");
    assert_eq!(of(&[("Dockerfile", &other)]).0, [9600]);
    let compose =
        "services:\n  web:\n    build: .\n    environment:\n      GUNICORN_CMD_ARGS: -b :9700\n";
    assert_eq!(
        of(&[("compose.yaml", compose), ("Dockerfile", &plain)]).0,
        [9700]
    );
    assert_eq!(
        of(&[(".env", "GUNICORN_CMD_ARGS=--bind 0.0.0.0:9800\n")]).0,
        [9800]
    );
}
