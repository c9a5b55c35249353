//! Stores and brokers: by their libraries, by the calls that make clients, by variables.

use plimsoll_detect::{Detection, NeedKind};

use crate::tree::found;

/// Each need: what it is, whether it is required, and how it is found.
fn needs(detection: &Detection) -> Vec<(NeedKind, bool, Option<&str>)> {
    let needs = detection.needs.iter();
    needs
        .map(|need| (need.kind, need.required, need.how.as_deref()))
        .collect()
}

fn python(requirements: &str, text: &str) -> Detection {
    let whole = format!("from fastapi import FastAPI\n{text}\napp = FastAPI()\n");
    let requirements = format!("fastapi\nuvicorn\n{requirements}\n");
    found(&[("requirements.txt", &requirements), ("main.py", &whole)])
}

#[test]
fn libraries_of_python_show_what_their_variables_lead_to() {
    for (requirement, text, kind, how) in [
        (
            "clickhouse-connect",
            "import os\nimport clickhouse_connect\nclient = clickhouse_connect.get_client(host=os.environ[\"CLICKHOUSE_HOST\"])",
            NeedKind::Clickhouse,
            "CLICKHOUSE_HOST",
        ),
        (
            "temporalio",
            "import os\nfrom temporalio.client import Client\naddress = os.environ[\"TEMPORAL_ADDRESS\"]",
            NeedKind::Temporal,
            "TEMPORAL_ADDRESS",
        ),
        (
            "surrealdb",
            "import os\nfrom surrealdb import Surreal\ndb = Surreal(os.environ[\"SURREAL_URL\"])",
            NeedKind::Surrealdb,
            "SURREAL_URL",
        ),
        (
            "pymilvus",
            "import os\nfrom pymilvus import MilvusClient\nclient = MilvusClient(uri=os.environ[\"MILVUS_URI\"])",
            NeedKind::Milvus,
            "MILVUS_URI",
        ),
        (
            "minio",
            "import os\nfrom minio import Minio\nclient = Minio(os.environ[\"MINIO_ENDPOINT\"])",
            NeedKind::Minio,
            "MINIO_ENDPOINT",
        ),
        (
            "nats-py",
            "import os\nimport nats\nURL = os.getenv(\"EVENTS\", \"nats://localhost:4222\")",
            NeedKind::Nats,
            "EVENTS",
        ),
        (
            "pymemcache",
            "import os\nfrom pymemcache.client.base import Client\nclient = Client(os.environ[\"MEMCACHED_HOST\"])",
            NeedKind::Memcached,
            "MEMCACHED_HOST",
        ),
        (
            "chromadb",
            "import os\nimport chromadb\nclient = chromadb.HttpClient(host=os.environ[\"CHROMA_HOST\"], port=8000)",
            NeedKind::Chroma,
            "CHROMA_HOST",
        ),
    ] {
        let detection = python(requirement, text);
        assert_eq!(
            needs(&detection),
            [(kind, true, Some(how))],
            "{requirement}"
        );
    }
}

#[test]
fn what_runs_inside_of_the_program_is_no_need() {
    for (requirement, text) in [
        (
            "chromadb",
            "import os\nimport chromadb\nclient = chromadb.PersistentClient(path=os.getenv(\"CHROMA_PATH\", \"./data\"))",
        ),
        (
            "pymilvus",
            "from pymilvus import MilvusClient\nclient = MilvusClient(\"./milvus.db\")",
        ),
        (
            "qdrant-client",
            "from qdrant_client import QdrantClient\nclient = QdrantClient(\":memory:\")",
        ),
        (
            "weaviate-client",
            "import weaviate\nclient = weaviate.connect_to_embedded()",
        ),
    ] {
        let detection = python(requirement, text);
        assert_eq!(needs(&detection), [], "{requirement}");
    }
}

#[test]
fn a_client_of_a_server_that_a_setting_chooses_is_not_required() {
    let detection = python(
        "chromadb",
        "import os\nimport chromadb\n\
         if os.getenv(\"CHROMA_MODE\") == \"http\":\n    client = chromadb.HttpClient(host=os.getenv(\"CHROMA_HOST\", \"localhost\"))\n\
         else:\n    client = chromadb.PersistentClient(path=\"./data\")",
    );
    assert_eq!(
        needs(&detection),
        [(NeedKind::Chroma, false, Some("CHROMA_HOST"))]
    );
}

#[test]
fn an_address_that_the_code_fixes_is_told() {
    let detection = python(
        "temporalio",
        "from temporalio.client import Client\nasync def start():\n    return await Client.connect(\"localhost:7233\")",
    );
    assert_eq!(
        needs(&detection),
        [(NeedKind::Temporal, true, Some("main.py:4"))]
    );
    let told = detection.problems.iter().map(|problem| &problem.what);
    assert!(
        told.clone().any(|what| what.contains("not temporal")),
        "{:?}",
        told.collect::<Vec<_>>()
    );
    // Somebody's own service in a cloud is nothing that runs beside it.
    let detection = python(
        "pymilvus",
        "from pymilvus import MilvusClient\nclient = MilvusClient(uri=\"https://in01.api.cloud.example.com\")",
    );
    assert_eq!(needs(&detection), []);
}

#[test]
fn a_client_of_node_is_always_one_of_a_server() {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"desk","scripts":{"start":"node index.js"},"dependencies":{"express":"5","chromadb":"2","@clickhouse/client":"1"}}"#,
        ),
        (
            "package-lock.json",
            r#"{"lockfileVersion":3,"packages":{}}"#,
        ),
        (
            "index.js",
            "const express = require('express');\nconst { ChromaClient } = require('chromadb');\n\
             const { createClient } = require('@clickhouse/client');\n\
             const chroma = new ChromaClient({ path: process.env.CHROMA_URL || 'http://localhost:8000' });\n\
             const rows = createClient({ url: process.env.CLICKHOUSE_URL || 'http://localhost:8123' });\n\
             express().listen(3000);\n",
        ),
    ]);
    assert_eq!(
        needs(&detection),
        [
            (NeedKind::Clickhouse, true, Some("CLICKHOUSE_URL")),
            (NeedKind::Chroma, true, Some("CHROMA_URL")),
        ]
    );
}

#[test]
fn a_project_is_led_to_what_it_needs() {
    let detection = python(
        "temporalio\nclickhouse-driver",
        "import os\nimport clickhouse_driver\nfrom temporalio.client import Client\n\
         temporal = os.getenv(\"TEMPORAL_HOST_PORT\", \"localhost:7233\")\n\
         rows = clickhouse_driver.Client.from_url(os.getenv(\"CLICKHOUSE_URL\", \"clickhouse://localhost:9000/default\"))",
    );
    let (project, _) =
        detection.into_project("desk", "/srv/desk".as_ref(), &|_| "secret".to_owned());
    let service = project.services.values().find(|one| one.recipe.is_some());
    let environment = &service.unwrap().environment;
    let value = |name: &str| environment[name].value.as_deref().unwrap();
    assert_eq!(value("TEMPORAL_HOST_PORT"), "temporal:7233");
    assert_eq!(
        value("CLICKHOUSE_URL"),
        "clickhouse://app:secret@clickhouse:9000/app"
    );
    let image = |name: &str| project.services[name].image.as_ref().unwrap().value.clone();
    assert_eq!(image("temporal"), "temporalio/temporal:latest");
    assert_eq!(image("clickhouse"), "clickhouse/clickhouse-server:24.8");
}

#[test]
fn the_port_of_a_host_is_a_number() {
    let detection = python(
        "redis",
        "import os\nimport redis\n\
         store = redis.Redis(host=os.environ[\"REDIS_HOST\"], port=int(os.getenv(\"REDIS_HOST_PORT\", \"6379\")))",
    );
    let (project, _) =
        detection.into_project("desk", "/srv/desk".as_ref(), &|_| "secret".to_owned());
    let service = project.services.values().find(|one| one.recipe.is_some());
    let value = service.unwrap().environment["REDIS_HOST_PORT"]
        .value
        .clone();
    assert_eq!(value.as_deref(), Some("6379"));
}

#[test]
fn the_file_that_a_flask_application_keeps_its_data_in() {
    let writes = |settings: &str, made: &str| {
        let settings =
            format!("import os\nHERE = os.path.abspath(os.path.dirname(__file__))\n{settings}");
        let application = format!(
            "from flask import Flask\nfrom flask_sqlalchemy import SQLAlchemy\nfrom desk.config import Config\napp = Flask(__name__)\n\
             app.config.from_object(Config)\n{made}db = SQLAlchemy(app)\n"
        );
        let detection = found(&[
            ("requirements.txt", "flask\nflask-sqlalchemy\n"),
            ("desk/__init__.py", &application),
            ("desk/config.py", &settings),
        ]);
        detection.services[0].writes.join(" ")
    };
    let class = |value: &str| {
        let settings = format!("class Config:\n    SQLALCHEMY_DATABASE_URI = {value}\n");
        writes(&settings, "")
    };
    let beside = "'sqlite:///' + os.path.join(HERE, 'app.db')";
    assert_eq!(class(beside), "desk/app.db");
    assert_eq!(
        class(&format!("os.environ.get('DATABASE_URL') or {beside}")),
        "desk/app.db"
    );
    assert_eq!(
        class("'sqlite:///' + os.path.join(HERE, '..', 'app.db')"),
        "app.db"
    );
    assert_eq!(class("'sqlite:///app.db'"), "instance/app.db");
    assert_eq!(class("'postgresql://db/app'"), "");
    let put = "app.config['SQLALCHEMY_DATABASE_URI'] = 'sqlite:///made.db'\n";
    assert_eq!(writes("class Config: pass\n", put), "instance/made.db");
}
