//! Projects of Django: what their settings say.

use plimsoll_detect::Detection;

use crate::tree::{found, lines, required};

const WSGI: &str = "import os\nfrom django.core.wsgi import get_wsgi_application\n\
                    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'tide.settings')\napplication = get_wsgi_application()\n";

#[test]
fn settings_say_what_is_needed_and_required() {
    let detection = found(&[
        (
            "requirements.txt",
            "django\npsycopg[binary]\ncelery[redis]\ndjango-environ\n",
        ),
        (
            "manage.py",
            "import os\ndef main():\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'tide.settings')\nif __name__ == '__main__':\n    main()\n",
        ),
        ("tide/__init__.py", "from .celery import app\n"),
        ("tide/wsgi.py", WSGI),
        (
            "tide/celery.py",
            "import os\nfrom celery import Celery\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'tide.settings')\napp = Celery('tide')\n\
             app.config_from_object('django.conf:settings', namespace='CELERY')\napp.autodiscover_tasks()\n",
        ),
        (
            "tide/settings.py",
            "import environ\nenv = environ.Env()\nSECRET_KEY = env('SECRET_KEY')\nROOT_URLCONF = 'tide.urls'\n\
             DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'HOST': env('DB_HOST', default='localhost')}}\n\
             CELERY_BROKER_URL = env('BROKER_URL', default='redis://localhost:6379/0')\n\
             CELERY_BEAT_SCHEDULER = 'django_celery_beat.schedulers:DatabaseScheduler'\n",
        ),
        (
            "tide/urls.py",
            "import os\nADMIN = os.environ['ADMIN_PATH']\nurlpatterns = []\n",
        ),
    ]);
    let mut kinds: Vec<String> = lines(&detection)
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    kinds.sort();
    assert_eq!(kinds, ["scheduler", "web", "worker"]);
    assert_eq!(required(&detection), ["ADMIN_PATH", "SECRET_KEY"]);
    let mut needs: Vec<(&str, bool)> = detection
        .needs
        .iter()
        .map(|need| (need.kind.word(), need.required))
        .collect();
    needs.sort();
    assert_eq!(needs, [("postgres", true), ("redis", true)]);
}

#[test]
fn a_database_in_a_file_stands_in() {
    let detection = found(&[
        ("requirements.txt", "django\npsycopg2\n"),
        ("tide/wsgi.py", WSGI),
        (
            "tide/settings.py",
            "import os\nif os.getenv('DB_HOST'):\n    DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql'}}\n\
             else:\n    DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3'}}\n",
        ),
    ]);
    assert!(detection.needs.iter().all(|need| !need.required));
}

#[test]
fn installed_applications_bring_workers() {
    let detection = found(&[
        ("requirements.txt", "django\ndjango-q2\n"),
        (
            "manage.py",
            "import os\nif __name__ == '__main__':\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'tide.settings')\n",
        ),
        ("tide/wsgi.py", WSGI),
        (
            "tide/settings.py",
            "INSTALLED_APPS = ['django.contrib.admin', 'django_q']\nDATABASES = {}\nSCHEDULE = 'application'\n",
        ),
    ]);
    let lines = lines(&detection);
    assert!(
        lines.contains(&"worker python manage.py qcluster []".to_owned()),
        "{lines:?}"
    );
}

#[test]
fn channels_are_served_by_the_application_that_has_them() {
    let asgi = "import os\nfrom channels.routing import ProtocolTypeRouter\nfrom django.core.asgi import get_asgi_application\n\
                os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'tide.settings')\n\
                application = ProtocolTypeRouter({'http': get_asgi_application()})\n";
    let given = "import os, django\nfrom channels.routing import get_default_application\n\
                 os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'tide.settings')\ndjango.setup()\n\
                 application = get_default_application()\n";
    let detection = |asgi: &str| {
        found(&[
            ("requirements.txt", "django\nchannels\ndaphne\n"),
            ("tide/__init__.py", ""),
            (
                "tide/settings.py",
                "SECRET_KEY = 'x'\nROOT_URLCONF = 'tide.urls'\nASGI_APPLICATION = 'tide.routing.application'\n",
            ),
            ("tide/urls.py", "urlpatterns = []\n"),
            ("tide/wsgi.py", WSGI),
            ("tide/asgi.py", asgi),
            (
                "tide/routing.py",
                "from channels.routing import ProtocolTypeRouter\nfrom django.core.asgi import get_asgi_application\n\
                 application = ProtocolTypeRouter({'http': get_asgi_application()})\n",
            ),
        ])
    };
    let broken = found(&[
        ("requirements.txt", "django\nchannels\ndaphne\nstatistics\n"),
        ("tide/__init__.py", ""),
        ("tide/settings.py", "SECRET_KEY = 'x'\n"),
        ("tide/asgi.py", asgi),
    ]);
    assert!(lines(&broken)[0].contains("daphne"), "{:?}", lines(&broken));
    for asgi in [asgi, given] {
        assert_eq!(
            lines(&detection(asgi)),
            ["web python -m daphne -b 0.0.0.0 -p 8000 tide.asgi:application [8000]"]
        );
    }
}

#[test]
fn the_job_that_makes_the_tables_has_what_the_file_says() {
    let detection = found(&[
        (
            "requirements.txt",
            "django\ndjango-environ\ngunicorn\npsycopg[binary]\n",
        ),
        (
            "manage.py",
            "import os\ndef main():\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'tide.settings')\nif __name__ == '__main__':\n    main()\n",
        ),
        ("tide/__init__.py", ""),
        ("tide/wsgi.py", WSGI),
        (
            "tide/settings.py",
            "import environ\nenv = environ.Env()\nenviron.Env.read_env()\nSITE = env('SITE_NAME')\nROOT_URLCONF = 'tide.urls'\n\
             DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'HOST': env('DB_HOST', default='localhost')}}\n",
        ),
        ("tide/urls.py", "urlpatterns = []\n"),
    ]);
    let files = &detection.services[0].environment_files;
    assert_eq!(files[0].candidates, [std::path::Path::new("tide/.env")]);
    let (mut project, _) =
        detection.into_project("tide", std::path::Path::new("/"), &|_| String::new());
    plimsoll_detect::fill_from_file(&mut project, &|name| {
        (name == "SITE_NAME").then(|| plimsoll_diag::Spanned::unplaced("ebb".to_owned()))
    });
    plimsoll_detect::fill_jobs(&mut project);
    let jobs: Vec<_> = project
        .services
        .values()
        .filter(|service| service.name.ends_with("-tables"))
        .collect();
    assert_eq!(jobs.len(), 1);
    assert_eq!(
        jobs[0].environment["SITE_NAME"].value.as_deref(),
        Some("ebb")
    );
}

#[test]
fn an_engine_that_a_pool_wraps_is_a_database() {
    let needs = |engine: &str| {
        let conf = format!(
            "class Conf(dict):\n    defaults = {{'DB_ENGINE': '{engine}'}}\n    def database(self):\n        return {{'ENGINE': self.get('DB_ENGINE')}}\nCONF = Conf()\n"
        );
        let detection = found(&[
            ("requirements.txt", "django\npsycopg[binary]\ngunicorn\n"),
            ("tide/__init__.py", ""),
            ("tide/wsgi.py", WSGI),
            ("tide/conf.py", &conf),
            (
                "tide/settings.py",
                "from tide.conf import CONF\nROOT_URLCONF = 'tide.urls'\nDATABASES = {'default': CONF.database()}\n",
            ),
            ("tide/urls.py", "urlpatterns = []\n"),
        ]);
        let needs = detection.needs.iter();
        needs
            .map(|need| (need.kind, need.required))
            .collect::<Vec<_>>()
    };
    let postgres = [(plimsoll_detect::NeedKind::Postgres, true)];
    assert_eq!(needs("dj_db_conn_pool.backends.postgresql"), postgres);
    assert_eq!(needs("django_tenants.postgresql_backend"), postgres);
    assert!(needs("django_prometheus.db.backends.sqlite3").is_empty());
}

/// A project with one application of its own, whose tasks want a key; its routes and its settings name the rest.
fn named(urls: &str, installed: &str) -> Detection {
    declared("django\ngunicorn\ncelery\nredis\n", urls, installed)
}

/// The same with these requirements.
fn declared(requirements: &str, urls: &str, installed: &str) -> Detection {
    let settings = format!(
        "ROOT_URLCONF = 'tide.urls'\nLOCAL_APPS = [{installed}]\nINSTALLED_APPS = ['django.contrib.admin'] + LOCAL_APPS\n\
         DATABASES = {{'default': {{'ENGINE': 'django.db.backends.sqlite3'}}}}\nCELERY_BROKER_URL = 'redis://localhost:6379/0'\n"
    );
    found(&[
        ("requirements.txt", requirements),
        ("tide/wsgi.py", WSGI),
        (
            "tide/celery.py",
            "import os\nfrom celery import Celery\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'tide.settings')\napp = Celery('tide')\n\
             app.config_from_object('django.conf:settings', namespace='CELERY')\napp.autodiscover_tasks()\n",
        ),
        ("tide/__init__.py", "from .celery import app\n"),
        ("tide/settings.py", &settings),
        ("tide/urls.py", urls),
        ("harbour/__init__.py", ""),
        (
            "harbour/apps.py",
            "from django.apps import AppConfig\nclass HarbourConfig(AppConfig):\n    name = 'harbour'\n",
        ),
        (
            "harbour/tasks.py",
            "import os\nfrom celery import shared_task\nKEY = os.environ['HARBOUR_KEY']\n@shared_task\ndef sail():\n    pass\n",
        ),
        ("harbour/views.py", "from .tasks import sail\n"),
        ("harbour/urls.py", "from . import views\nurlpatterns = []\n"),
    ])
}

#[test]
fn applications_and_routes_are_imported_by_their_names() {
    let include = "from django.urls import include, path\nurlpatterns = [path('api/', include('harbour.urls'))]\n";
    let none = "urlpatterns = []\n";
    for (urls, installed) in [
        (include, ""),
        (none, "'harbour'"),
        (none, "'harbour.apps.HarbourConfig'"),
    ] {
        let detection = named(urls, installed);
        assert_eq!(required(&detection), ["HARBOUR_KEY"], "{installed}");
        assert!(detection.problems.is_empty(), "{:?}", detection.problems);
    }
    assert!(required(&named(none, "")).is_empty());
}

#[test]
fn celery_asks_a_variable_before_its_settings() {
    let detection = named("urlpatterns = []\n", "'harbour'");
    let needs: Vec<_> = detection.needs.iter().collect();
    let [redis] = needs.as_slice() else {
        panic!("{needs:?}");
    };
    assert_eq!((redis.kind.word(), redis.required), ("redis", true));
    let directory = std::path::Path::new("/tide");
    let (project, _) = detection.into_project("tide", directory, &|_| String::new());
    for service in ["tide", "worker"] {
        let broker = &project.services[service].environment["CELERY_BROKER_URL"];
        assert_eq!(broker.value.as_deref(), Some("redis://redis:6379/0"));
    }
}

#[test]
fn the_client_of_a_broker_is_installed_that_only_its_address_names() {
    let detection = declared(
        "django\ngunicorn\ncelery\n",
        "urlpatterns = []\n",
        "'harbour'",
    );
    for service in &detection.services {
        let recipe = &service.recipe.as_ref().unwrap().kind;
        let plimsoll_model::RecipeKind::Python(python) = recipe else {
            panic!("{recipe:?}");
        };
        let undeclared: Vec<&str> = python
            .undeclared
            .iter()
            .map(|one| one.value.as_str())
            .collect();
        assert_eq!(undeclared, ["redis"], "{}", service.name);
    }
    let told = detection
        .problems
        .iter()
        .map(|problem| problem.what.as_str());
    assert_eq!(
        told.collect::<Vec<_>>(),
        ["Celery needs `redis` to reach it, but no file declares it"]
    );
}
