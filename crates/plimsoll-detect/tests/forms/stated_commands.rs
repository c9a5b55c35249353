//! What a Compose file says of a service that its source alone would not show: the script that it
//! starts, the stage that is built.

use plimsoll_detect::complete;
use plimsoll_model::compose::{LoadOptions, load};
use plimsoll_model::{Project, RecipeKind};

use crate::tree::written;

fn completed(files: &[(&str, &str)]) -> (Project, Vec<String>) {
    let directory = written(files);
    let mut project = load(&LoadOptions {
        directory: directory.path().to_owned(),
        ..LoadOptions::default()
    })
    .unwrap()
    .project;
    let told = complete(&mut project).unwrap();
    (project, told.into_iter().map(|one| one.message).collect())
}

const BOT: &str =
    "import os\nimport requests\n\nTOKEN = os.environ['BOT_TOKEN']\nrequests.post(TOKEN)\n";

#[test]
fn a_script_that_shows_nothing_of_a_service_is_run_where_the_file_says_so() {
    let (project, told) = completed(&[
        (
            "compose.yaml",
            "services:\n  bot:\n    build: ./bot\n    command: python main.py --fast\n",
        ),
        ("bot/requirements.txt", "requests==2.32.3\n"),
        ("bot/main.py", BOT),
    ]);
    let bot = &project.services["bot"];
    assert!(bot.recipe.is_some(), "{told:?}");
    assert_eq!(
        bot.command.as_ref().unwrap().value.0,
        ["python", "main.py", "--fast"]
    );
    assert!(bot.healthcheck.is_none());
    assert!(
        project
            .variables
            .iter()
            .any(|variable| variable.name == "BOT_TOKEN" && variable.required),
    );
}

const API: &str = "from fastapi import FastAPI\n\napp = FastAPI()\n\n@app.get('/health')\ndef health():\n    return 'ok'\n";

#[test]
fn what_lies_where_the_dockerfile_has_the_sources_lies_in_the_image_s_own_place() {
    let (project, told) = completed(&[
        (
            "compose.yaml",
            "services:\n  api:\n    build: ./api\n    command: uvicorn main:app --host 0.0.0.0 --log-config /usr/src/app/log.ini\n    \
             working_dir: /usr/src/app\n    volumes: ['./api:/usr/src/app', 'kept:/usr/src/app/data', 'other:/data']\n\
             volumes:\n  kept:\n  other:\n",
        ),
        (
            "api/Dockerfile",
            "FROM python:3.13-slim\nWORKDIR /usr/src/app\nCOPY . .\nCMD uvicorn main:app\n",
        ),
        (
            "api/requirements.txt",
            "fastapi==0.115.6\nuvicorn==0.34.0\n",
        ),
        ("api/main.py", API),
    ]);
    let api = &project.services["api"];
    let targets: Vec<_> = api
        .volumes
        .iter()
        .map(|mount| mount.value.target.display().to_string())
        .collect();
    assert_eq!(targets, ["/app", "/app/data", "/data"]);
    assert_eq!(api.working_dir.as_ref().unwrap().value, "/app");
    let command = api.command.as_ref().unwrap().value.0.join(" ");
    assert!(command.ends_with("--log-config /app/log.ini"), "{command}");
    assert!(
        told.contains(&"`/usr/src/app/data` of the Dockerfile is `/app/data` in the image: it is mounted there".to_owned()),
        "{told:?}"
    );
}

#[test]
fn what_lies_in_the_image_s_own_place_stays() {
    let dockerfile = |lines: &str| {
        let (project, _) = completed(&[
            (
                "compose.yaml",
                "services:\n  api:\n    build: ./api\n    volumes: ['kept:/app/data']\nvolumes:\n  kept:\n",
            ),
            (
                "api/Dockerfile",
                &format!("FROM python:3.13-slim\n{lines}\nCMD uvicorn main:app\n"),
            ),
            (
                "api/requirements.txt",
                "fastapi==0.115.6\nuvicorn==0.34.0\n",
            ),
            ("api/main.py", API),
        ]);
        project.services["api"].volumes[0]
            .value
            .target
            .display()
            .to_string()
    };
    assert_eq!(dockerfile("WORKDIR /app\nCOPY . ."), "/app/data");
    assert_eq!(dockerfile("COPY . /"), "/app/data");
    assert_eq!(dockerfile("WORKDIR /app/api\nCOPY . ."), "/app/data");
}

#[test]
fn a_script_beside_an_application_is_not_taken_for_it() {
    let (project, told) = completed(&[
        (
            "compose.yaml",
            "services:\n  api:\n    build: .\n    ports: ['8000:8000']\n  bot:\n    build: .\n    \
             command: [python, -m, jobs.bot]\n",
        ),
        (
            "requirements.txt",
            "fastapi==0.115.6\nuvicorn==0.34.0\nrequests==2.32.3\n",
        ),
        (
            "main.py",
            "from fastapi import FastAPI\n\napp = FastAPI()\n\n@app.get('/health')\ndef health():\n    return 'ok'\n",
        ),
        ("jobs/__init__.py", ""),
        ("jobs/bot.py", BOT),
    ]);
    assert!(project.services["api"].healthcheck.is_some(), "{told:?}");
    let bot = &project.services["bot"];
    assert!(bot.recipe.is_some(), "{told:?}");
    assert!(bot.healthcheck.is_none(), "{:?}", bot.healthcheck);
}

#[test]
fn a_script_that_leads_to_an_application_is_the_application() {
    let (project, told) = completed(&[
        (
            "compose.yaml",
            "services:\n  api:\n    build: .\n    command: python start.py\n",
        ),
        ("requirements.txt", "fastapi==0.115.6\nuvicorn==0.34.0\n"),
        (
            "app.py",
            "from fastapi import FastAPI\n\napp = FastAPI()\n\n@app.get('/health')\ndef health():\n    return 'ok'\n",
        ),
        (
            "start.py",
            "import uvicorn\nfrom app import app\n\nuvicorn.run(app, host='0.0.0.0', port=8000)\n",
        ),
    ]);
    assert!(project.services["api"].healthcheck.is_some(), "{told:?}");
}

#[test]
fn a_script_that_is_not_there_is_not_invented() {
    let (project, told) = completed(&[
        (
            "compose.yaml",
            "services:\n  bot:\n    build: ./bot\n    command: python gone.py\n",
        ),
        ("bot/requirements.txt", "requests==2.32.3\n"),
        ("bot/main.py", BOT),
    ]);
    assert!(project.services["bot"].recipe.is_none());
    assert!(
        told.iter()
            .any(|line| line.contains("nothing that runs was found for `bot`")),
        "{told:?}"
    );
}

#[test]
fn a_stage_that_is_not_what_is_assembled_is_told() {
    let compose = |target: &str| {
        format!("services:\n  bot:\n    build: {{context: ./bot, target: {target}}}\n")
    };
    let told = |target: &str| {
        let (project, told) = completed(&[
            ("compose.yaml", &compose(target)),
            ("bot/requirements.txt", "requests==2.32.3\n"),
            ("bot/main.py", BOT),
            (
                "bot/Dockerfile",
                "FROM python:3.13 AS base\nCOPY . .\nCMD [\"python\", \"main.py\"]\n\
                 FROM base AS debugged\nFROM base AS released\n",
            ),
        ]);
        assert!(project.services["bot"].recipe.is_some(), "{told:?}");
        told.into_iter()
            .any(|line| line.contains(&format!("what stage `{target}` of its Dockerfile is for")))
    };
    assert!(told("debugged"));
    assert!(!told("released"));
    // Their names say it, and choose the variant of the image.
    for target in ["production", "dev", "test", "debug", "slim"] {
        assert!(!told(target), "{target}");
    }
}

#[test]
fn what_is_developed_may_have_a_debugger_and_ask_itself_by_node() {
    let (project, told) = completed(&[
        (
            "compose.yaml",
            "services:\n  bot:\n    build: {context: ./bot, target: dev}\n    command: python -m debugpy --listen \
             0.0.0.0:5678 -m celery -A jobs worker\n    ports: ['5678:5678', '5679:5679']\n  \
             page:\n    build: {context: ./page, target: dev}\n    command: npm run dev\n    \
             healthcheck: {test: [CMD, node, -e, 'process.exit(0)']}\n",
        ),
        ("bot/requirements.txt", "celery==5.4.0\n"),
        (
            "bot/jobs.py",
            "from celery import Celery\n\napp = Celery('jobs')\n",
        ),
        (
            "page/package.json",
            r#"{"name":"page","scripts":{"dev":"vite","build":"vite build"},"devDependencies":{"vite":"6.0.7"}}"#,
        ),
        (
            "page/index.html",
            "<!doctype html><script type=\"module\" src=\"/main.js\"></script>",
        ),
        ("page/main.js", "document.title = 1;\n"),
    ]);
    assert!(project.services["bot"].recipe.is_some(), "{told:?}");
    assert!(project.services["page"].recipe.is_some(), "{told:?}");
    assert_eq!(
        told,
        [
            "port 5679 is published, but `bot` takes its work from a queue and listens on none",
            "`page` is served by its `dev` script; this command is not run",
        ]
    );
}

#[test]
fn tests_are_not_asked_whether_they_are_well() {
    let compose = |target: &str| {
        format!("services:\n  api:\n    build: {{context: ./api, target: {target}}}\n")
    };
    let is_asked = |target: &str| {
        let (project, told) = completed(&[
            ("compose.yaml", &compose(target)),
            (
                "api/requirements.txt",
                "fastapi==0.115.6\nuvicorn==0.34.0\n",
            ),
            (
                "api/main.py",
                "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get('/health')\ndef health():\n    return 'ok'\n",
            ),
        ]);
        assert!(project.services["api"].recipe.is_some(), "{told:?}");
        project.services["api"].healthcheck.is_some()
    };
    assert!(is_asked("dev"));
    assert!(!is_asked("test"));
}

#[test]
fn pages_that_nothing_builds_are_served_as_they_are() {
    let compose = |more: &str| {
        format!(
            "services:\n  web:\n    build: ./web\n    ports: [\"8080:80\"]\n{more}  api:\n    build: ./api\n"
        )
    };
    let of = |compose: &str, more: (&str, &str)| {
        let (project, told) = completed(&[
            ("compose.yaml", compose),
            ("api/requirements.txt", "fastapi\nuvicorn\n"),
            (
                "api/main.py",
                "from fastapi import FastAPI\napp = FastAPI()\n",
            ),
            ("web/index.html", "<h1>tide</h1>"),
            more,
        ]);
        let web = &project.services["web"];
        let recipe = web.recipe.as_ref().map(|recipe| recipe.kind.clone());
        (
            recipe,
            web.ports.first().map(|port| port.value.target),
            told,
        )
    };
    let page = ("web/style.css", "h1 { color: blue }");
    let (recipe, port, told) = of(&compose(""), page);
    let Some(RecipeKind::StaticSite(site)) = recipe else {
        panic!("{told:?}");
    };
    assert_eq!((site.build.clone(), port), (None, Some(8080)));
    // A command means a program, and a manifest one that is not found.
    let (recipe, ..) = of(&compose("    command: ./serve\n"), page);
    assert_eq!(recipe, None);
    let (recipe, ..) = of(&compose(""), ("web/requirements.txt", "requests\n"));
    assert_eq!(recipe, None);
}

#[test]
fn a_script_that_only_the_dockerfile_puts_at_its_place_is_run_from_where_it_is() {
    let dockerfile = "FROM python:3.13\nCOPY requirements.txt /requirements.txt\nCOPY ops/entry /entry\n\
                      COPY ops/web/start /start\nCOPY ops/worker/start /start-worker\nCOPY ops/other /start-other\n\
                      ENTRYPOINT [\"/entry\"]\n";
    let (project, told) = completed(&[
        (
            "compose.yaml",
            "services:\n  web:\n    build: .\n    command: /start\n    ports: ['8000:8000']\n  worker:\n    \
             build: .\n    command: /start-worker --fast\n  other:\n    build: .\n    command: /start-other\n",
        ),
        ("Dockerfile", dockerfile),
        (
            "requirements.txt",
            "celery==5.4.0\nfastapi==0.115.6\nuvicorn==0.34.0\n",
        ),
        (
            "main.py",
            "from celery import Celery\nfrom fastapi import FastAPI\n\napp = FastAPI()\ncelery = Celery('main')\n",
        ),
        (
            "ops/other",
            "#!/bin/bash\nwatchfiles 'celery -A main.celery worker'\n",
        ),
        ("ops/entry", "#!/bin/sh\nexec \"$@\"\n"),
        (
            "ops/web/start",
            "#!/usr/bin/env bash\nset -e\nuvicorn main:app --host 0.0.0.0\n",
        ),
        (
            "ops/worker/start",
            "#!/bin/bash\nexec celery -A main.celery worker\n",
        ),
    ]);
    let started = |name: &str| {
        project.services[name]
            .command
            .as_ref()
            .unwrap()
            .value
            .0
            .join(" ")
    };
    assert_eq!(
        started("web"),
        "sh /app/ops/entry bash /app/ops/web/start",
        "{told:?}"
    );
    assert_eq!(
        started("worker"),
        "sh /app/ops/entry bash /app/ops/worker/start --fast"
    );
    assert!(project.services["web"].healthcheck.is_some());
    assert!(project.services["other"].healthcheck.is_none());
    let note = "`/start` is `ops/web/start` of the project, which its Dockerfile puts there: it is run from where it is";
    assert!(told.iter().any(|one| one == note), "{told:?}");
    let shells = |name: &str| {
        let recipe = project.services[name].recipe.as_ref().unwrap();
        let packages = recipe.system_packages.iter();
        packages.map(|one| one.value.clone()).collect::<Vec<_>>()
    };
    assert!(shells("web").contains(&"bash".to_owned()));
}

#[test]
fn a_celery_application_is_missed_only_where_its_module_gives_no_such_name() {
    let told = |module: &str| {
        let (_, told) = completed(&[
            (
                "compose.yaml",
                "services:\n  work:\n    build: .\n    command: celery -A main.queue worker\n",
            ),
            (
                "requirements.txt",
                "celery==5.4.0\nfastapi==0.115.6\nuvicorn==0.34.0\n",
            ),
            ("main.py", module),
        ]);
        told.iter()
            .any(|one| one.contains("`main.queue`, which nothing in the code makes"))
    };
    let app = "from fastapi import FastAPI\napp = FastAPI()\n";
    assert!(!told(&format!("{app}queue = app.state.queue\n")));
    assert!(!told(&format!("{app}from work import (\n    queue,\n)\n")));
    assert!(told(&format!("{app}# queue = app.state.queue\n")));
    let inside = |module: &str| {
        let (_, told) = completed(&[
            (
                "compose.yaml",
                "services:\n  work:\n    build: .\n    command: celery -A desk.queue worker\n",
            ),
            (
                "requirements.txt",
                "celery==5.4.0\nfastapi==0.115.6\nuvicorn==0.34.0\n",
            ),
            ("main.py", app),
            ("desk/queue.py", module),
        ]);
        told.iter()
            .any(|one| one.contains("`desk.queue`, which nothing in the code makes"))
    };
    assert!(!inside("def make(name):\n    return Celery(name)\n"));
    assert!(inside("# queue = Celery('desk')\n"));
}

#[test]
fn services_of_one_source_share_what_is_enough_for_each() {
    let (project, _) = completed(&[
        (
            "compose.yaml",
            "services:\n  first:\n    build: .\n  second:\n    build: .\n",
        ),
        ("requirements.txt", "fastapi==0.115.6\nuvicorn==0.34.0\n"),
        (
            "main.py",
            "import os\nfrom fastapi import FastAPI\napp = FastAPI()\n\
             if not (os.getenv('A_KEY') or os.getenv('B_KEY')):\n    raise ValueError(1)\n",
        ),
    ]);
    for name in ["A_KEY", "B_KEY"] {
        let mut variables = project.variables.iter();
        let variable = variables.find(|variable| variable.name == name).unwrap();
        let [group] = &variable.one_of[..] else {
            panic!("{:?}", variable.one_of);
        };
        assert_eq!(group.names, ["A_KEY", "B_KEY"]);
        assert_eq!(group.services, ["first", "second"]);
    }
}

#[test]
fn flower_beside_a_worker_is_asked_whether_it_listens() {
    for (command, port) in [
        (
            "celery --broker=redis://redis:6379/0 flower --port=5556",
            "5556",
        ),
        ("celery -A worker.celery flower", "5555"),
        ("celery -A worker flower", "5555"),
    ] {
        let (project, told) = completed(&[
            (
                "compose.yaml",
                &format!(
                    "services:\n  worker:\n    build: .\n    command: celery -A worker.celery worker\n  dashboard:\n    build: .\n    \
                     command: {command}\n    ports: ['5556:{port}']\n"
                ),
            ),
            ("requirements.txt", "celery==5.5.3\nflower==2.0.1\n"),
            (
                "worker.py",
                "from celery import Celery\n\ncelery = Celery(__name__)\n\n@celery.task\ndef add(a, b):\n    return a + b\n",
            ),
        ]);
        let dashboard = &project.services["dashboard"];
        assert!(dashboard.recipe.is_some(), "{told:?}");
        assert!(told.is_empty(), "{told:?}");
        let check = dashboard.healthcheck.as_ref().unwrap().value.test.clone();
        let text = format!("{check:?}");
        assert!(text.contains("tcp") && text.contains(port), "{text}");
    }
}

#[test]
fn a_file_that_uv_runs_is_run_by_python() {
    let (project, told) = completed(&[
        (
            "compose.yaml",
            "services:\n  bot:\n    build: ./bot\n    command: uv run main.py --fast\n",
        ),
        ("bot/requirements.txt", "requests==2.32.3\n"),
        ("bot/main.py", BOT),
    ]);
    let bot = &project.services["bot"];
    assert!(bot.recipe.is_some(), "{told:?}");
    assert_eq!(
        bot.command.as_ref().unwrap().value.0,
        ["python", "main.py", "--fast"]
    );
}
