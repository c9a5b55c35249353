//! What code ends without, in the ways that real projects check it, and checks that only look so.

use crate::tree::{found, required};

fn python(source: &str) -> Vec<String> {
    let source = format!(
        "import os\nimport sys\nfrom flask import Flask\n{source}\napp = Flask(__name__)\n"
    );
    let detection = found(&[("requirements.txt", "flask\n"), ("app.py", &source)]);
    required(&detection)
        .into_iter()
        .map(str::to_owned)
        .collect()
}

fn node(source: &str) -> Vec<String> {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"a","scripts":{"start":"tsx server.ts"},"dependencies":{"express":"5","tsx":"4"}}"#,
        ),
        (
            "server.ts",
            &format!("import express from 'express';\n{source}\nexpress().listen(4000);\n"),
        ),
    ]);
    required(&detection)
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[test]
fn several_at_once_in_python() {
    for source in [
        "EBB = os.getenv('EBB')\nFLOW = os.getenv('FLOW')\nif not EBB or not FLOW:\n    raise ValueError('x')",
        "EBB = os.getenv('EBB')\nFLOW = os.getenv('FLOW')\nif not all([EBB, FLOW]):\n    sys.exit(1)",
        "EBB = os.getenv('EBB')\nFLOW = os.environ.get('FLOW')\nassert EBB\nassert FLOW is not None",
        "EBB = os.getenv('EBB')\nFLOW = os.environ.get('FLOW')\nassert EBB and FLOW is not None",
        "if not (ebb := os.getenv('EBB')):\n    raise ValueError('x')\nif not (flow := os.environ.get('FLOW')):\n    sys.exit(1)",
        "missing = [name for name in ['EBB', 'FLOW'] if not os.getenv(name)]\nif missing:\n    raise RuntimeError(missing)",
        "EBB = os.getenv('EBB')\nerrors = []\nif not EBB:\n    errors.append('x')\nif os.getenv('FLOW') is None:\n    errors.append('y')\nif errors:\n    raise ValueError(errors)",
        "REQUIRED = ('EBB', 'FLOW')\nfor name in REQUIRED:\n    if name not in os.environ:\n        raise RuntimeError(name)",
        "REQUIRED = ['EBB', 'FLOW']\ndef check():\n    for name in REQUIRED:\n        if not os.environ.get(name):\n            sys.exit(name)\ncheck()",
    ] {
        assert_eq!(python(source), ["EBB", "FLOW"], "{source}");
    }
}

#[test]
fn a_client_from_the_module_that_defines_it() {
    let source = "from langchain_openai.chat_models import ChatOpenAI\nmodel = ChatOpenAI()";
    assert_eq!(python(source), ["OPENAI_API_KEY"]);
    let source = "from langchain_openai_own import ChatOpenAI\nmodel = ChatOpenAI()";
    assert!(python(source).is_empty());
}

#[test]
fn one_of_several_in_python() {
    // Either is enough, so that neither is required by itself.
    let source = "EBB = os.getenv('EBB')\nFLOW = os.getenv('FLOW')\nif not EBB and not FLOW:\n    raise ValueError('x')";
    assert!(python(source).is_empty());
    // Nobody calls it when it starts.
    let source = "def check():\n    for name in ['EBB']:\n        if not os.getenv(name):\n            raise ValueError(name)";
    assert!(python(source).is_empty());
}

#[test]
fn several_at_once_in_javascript() {
    for source in [
        "if (!process.env.EBB || !process.env.FLOW) { throw new Error('x'); }",
        "const ebb = process.env.EBB;\nconst flow = process.env.FLOW;\nif (!ebb || flow === undefined) { process.exit(1); }",
        "const { EBB, FLOW } = process.env;\nif (!EBB || !FLOW) throw new Error('x');",
        "const required = ['EBB', 'FLOW'];\nfor (const name of required) { if (!process.env[name]) { throw new Error(name); } }",
        "const missing = ['EBB', 'FLOW'].filter((name) => !process.env[name]);\nif (missing.length) { throw new Error('x'); }",
        "const errors = [];\nconst ebb = process.env.EBB;\nif (!ebb) { errors.push('x'); }\nif (!process.env.FLOW) { errors.push('y'); }\n\
            if (errors.length > 0) { throw new Error(errors.join()); }",
        "console.log(process.env.EBB!, process.env.FLOW!);",
        "function check() { if (!process.env.EBB) throw new Error('x'); if (!process.env.FLOW) throw new Error('x'); }\ncheck();",
        "import assert from 'node:assert';\nassert(process.env.EBB, 'x');\nassert(process.env.FLOW);",
    ] {
        assert_eq!(node(source), ["EBB", "FLOW"], "{source}");
    }
}

#[test]
fn checks_for_requests_are_none_of_the_start() {
    for source in [
        "const app = express();\napp.get('/', (a, b) => { if (!process.env.EBB) throw new Error('x'); });",
        "const app = express();\napp.get('/', (a, b) => { b.send(process.env.EBB!); });",
        "const errors = [];\nif (!process.env.EBB) { errors.push('x'); }\nconsole.warn(errors.length);",
        "class Ebb { constructor() { if (!process.env.EBB) throw new Error('x'); } }\nexport const make = () => new Ebb();",
        "if (process.env.MODE === 'x') { if (!process.env.EBB) throw new Error('x'); }",
        "if (!process.env.EBB && !process.env.FLOW) { throw new Error('x'); }",
        "const on = process.env.MODE === 'x';\nconst ebb = on ? process.env.EBB! : undefined;\nconst flow = on && process.env.FLOW!;",
        "const ebb = globalThis.ebb ?? process.env.EBB!;\nconst flow = ebb || process.env.FLOW!;",
    ] {
        assert!(node(source).is_empty(), "{source}: {:?}", node(source));
    }
}

#[test]
fn what_pages_and_their_actions_insist_on_is_none_of_the_start() {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"a","scripts":{"build":"next build","start":"next start"},"dependencies":{"next":"15","react":"19"}}"#,
        ),
        (
            "app/page.tsx",
            "export default async function Page() { const made = pay(process.env.PAGE!); return <p>{made}</p>; }\n",
        ),
        (
            "app/api/hook/route.ts",
            "export async function POST() { if (!process.env.ROUTE) throw new Error('x'); }\n\
             export const GET = async () => { ask(process.env.NEXT_PUBLIC_URL!); };\n",
        ),
        (
            "lib/actions.ts",
            "'use server';\nexport const send = async () => { const to = process.env.ACTION;\nif (!to) { throw new Error('x'); } };\n",
        ),
        (
            "lib/store.ts",
            "import { connect } from 'x';\nexport const store = connect(process.env.LOADED!);\n",
        ),
        (
            "instrumentation.ts",
            "export async function register() { check(); }\nfunction check() { if (!process.env.STARTED) throw new Error('x'); }\n",
        ),
    ]);
    assert_eq!(required(&detection), ["LOADED", "STARTED"]);
    let known: Vec<&str> = detection
        .environment
        .iter()
        .map(|variable| variable.name.as_str())
        .collect();
    assert_eq!(
        known,
        [
            "ACTION",
            "LOADED",
            "NEXT_PUBLIC_URL",
            "PAGE",
            "ROUTE",
            "STARTED"
        ]
    );
}

#[test]
fn clients_that_are_handed_no_key_insist_on_one() {
    assert_eq!(
        python("from openai import OpenAI\nclient = OpenAI()"),
        ["OPENAI_API_KEY"]
    );
    assert!(
        python("from openai import OpenAI\nclient = OpenAI(base_url='http://x', api_key='y')")
            .is_empty()
    );
    assert!(python("from openai import OpenAI\ndef ask():\n    return OpenAI()").is_empty());
    // Made when somebody asks for it.
    let later = "from openai import OpenAI\nmade = {}\ndef register(name, make):\n    made[name] = make\n\
        def defaults():\n    register('a', lambda: OpenAI())\ndefaults()";
    assert!(python(later).is_empty());
    let detection = found(&[
        ("requirements.txt", "chainlit\n"),
        (
            "app.py",
            "import chainlit as cl\n@cl.password_auth_callback\ndef login(name, word):\n    return None\n@cl.on_message\nasync def answer(message):\n    pass\n",
        ),
    ]);
    assert_eq!(required(&detection), ["CHAINLIT_AUTH_SECRET"]);
}

#[test]
fn what_fails_where_a_value_is_used() {
    for source in [
        "EBB = int(os.getenv('EBB'))",
        "EBB = os.getenv('EBB').split(',')",
        "EBB = os.environ.get('EBB')\nwords = EBB.lower()",
        "EBB = os.getenv('EBB')\nos.environ['SPELLED_ELSE'] = EBB",
        "from openai import OpenAI\nclient = OpenAI(api_key=os.getenv('EBB'))",
        "from sqlalchemy import create_engine\nEBB = os.getenv('EBB')\nengine = create_engine(EBB)",
        "import discord\nbot = discord.Bot()\nasync def main():\n    await bot.start(os.getenv('EBB'))\n\
            import asyncio\ntry:\n    asyncio.run(main())\nexcept KeyboardInterrupt:\n    pass",
        "def token():\n    try:\n        found = os.getenv('EBB')\n        return found\n    except Exception:\n        raise ValueError('x')\n\
            os.environ['SPELLED_ELSE'] = token()",
    ] {
        assert_eq!(python(source), ["EBB"], "{source}");
    }
    for source in [
        "EBB = int(os.getenv('EBB') or 3)",
        "EBB = int(os.getenv('EBB', 3))",
        "EBB = os.getenv('EBB')\nif EBB:\n    words = EBB.split(',')",
        "EBB = os.getenv('EBB')\nif not EBB:\n    EBB = 'x'\nwords = EBB.split(',')",
        "def ask(EBB):\n    return EBB.split(',')\nEBB = os.getenv('EBB')\nask('x')",
        "def ask():\n    return int(os.getenv('EBB'))",
        "try:\n    EBB = int(os.getenv('EBB'))\nexcept TypeError:\n    EBB = 3",
        "from openai import OpenAI\nclient = OpenAI(api_key=os.getenv('EBB'), base_url='http://x')",
    ] {
        assert!(python(source).is_empty(), "{source}: {:?}", python(source));
    }
}

#[test]
fn what_one_of_several_ways_insists_on_is_not_required() {
    let source = "from openai import OpenAI\ndef client(kind):\n    if kind == 'a':\n        return 1\n    elif kind == 'b':\n        \
        return 2\n    return OpenAI()\nmade = client('a')";
    assert!(python(source).is_empty());
}

#[test]
fn settings_that_are_made_only_where_something_asks_for_them() {
    let source = |made: &str| {
        format!(
            "from pydantic_settings import BaseSettings\nclass Ebb(BaseSettings):\n    ebb: str\nclass Flow(BaseSettings):\n    \
            flow: str\nebb = Ebb()\n{made}"
        )
    };
    assert_eq!(python(&source("flow = Flow()")), ["EBB", "FLOW"]);
    assert_eq!(
        python(&source(
            "try:\n    flow = Flow()\nexcept ValueError:\n    flow = None"
        )),
        ["EBB"]
    );
    assert_eq!(
        python(&source(
            "def flow(make):\n    if make:\n        return Flow()"
        )),
        ["EBB"]
    );
    assert_eq!(
        python(&source("def flow(make):\n    return make(Flow)")),
        ["EBB", "FLOW"]
    );
}

#[test]
fn variables_by_imported_names() {
    for source in [
        "import { env } from 'process';\nif (!env.EBB) throw new Error('x');\nconnect(env.FLOW!);",
        "import { env as settings_env } from 'node:process';\nconst { EBB, FLOW } = settings_env;\nif (!EBB || !FLOW) throw new Error('x');",
    ] {
        assert_eq!(node(source), ["EBB", "FLOW"], "{source}");
    }
    // Another `env` is another thing.
    let source = "import { env } from './settings';\nif (!env.EBB) throw new Error('x');";
    assert!(node(source).is_empty());
}

#[test]
fn variables_of_sveltekit() {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"a","scripts":{"build":"vite build"},"devDependencies":{"@sveltejs/kit":"2","@sveltejs/adapter-node":"5","vite":"7","svelte":"5"}}"#,
        ),
        (
            "svelte.config.js",
            "import adapter from '@sveltejs/adapter-node';\nexport default { kit: { adapter: adapter() } };\n",
        ),
        (
            "src/routes/+page.svelte",
            "<p>hello</p>\n<script lang=\"ts\">\n  import { PUBLIC_MAP_KEY } from '$env/static/public';\n</script>\n",
        ),
        (
            "src/hooks.server.ts",
            "import { STORE_KEY } from '$env/static/private';\nimport { env } from '$env/dynamic/private';\n\
             export const handle = () => env.ASKED_LATER;\n",
        ),
    ]);
    assert_eq!(required(&detection), ["PUBLIC_MAP_KEY", "STORE_KEY"]);
    let told: Vec<_> = detection
        .environment
        .iter()
        .map(|variable| (variable.name.as_str(), variable.secret))
        .collect();
    assert_eq!(
        told,
        [
            ("ASKED_LATER", false),
            ("PUBLIC_MAP_KEY", false),
            ("STORE_KEY", true)
        ]
    );
    let read = &detection.environment[1].evidence[0].span;
    assert_eq!(read.start.line, 3);
}

#[test]
fn a_compiled_copy_beside_its_source_is_not_what_is_compiled() {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"a","scripts":{"start":"node dist/server.js","build":"tsc"},"dependencies":{"express":"5"},"devDependencies":{"typescript":"5"}}"#,
        ),
        (
            "src/server.js",
            "const express = require('express');\nexpress().listen(4000);\n",
        ),
        (
            "src/server.ts",
            "import express from 'express';\nimport './check.js';\nexpress().listen(5000);\n",
        ),
        ("src/check.js", ""),
        (
            "src/check.ts",
            "if (!process.env.EBB) { process.exit(1); }\n",
        ),
    ]);
    assert_eq!(required(&detection), ["EBB"]);
    assert_eq!(detection.services[0].ports, [5000]);
    let at = detection.services[0].defined_at.file.to_string_lossy();
    assert_eq!(at, "src/server.ts");
}

fn go(source: &str) -> Vec<String> {
    let source = format!(
        "package main\n\nimport (\n\t\"log\"\n\t\"net/http\"\n\t\"os\"\n)\n\n{source}\n\nfunc serve() {{ http.ListenAndServe(\":4000\", nil) }}\n"
    );
    let detection = found(&[
        ("go.mod", "module example.com/a\n\ngo 1.24\n"),
        ("main.go", &source),
    ]);
    required(&detection)
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_go_looks_up_and_goes_without() {
    for source in [
        "var (\n\tebb string\n\tok bool\n)\n\nfunc main() {\n\tebb, ok = os.LookupEnv(\"EBB\")\n\tif !ok {\n\t\tlog.Print(\"x\")\n\t\treturn\n\t}\n\tserve()\n}",
        "func main() {\n\tebb, ok := os.LookupEnv(\"EBB\")\n\tif !ok || ebb == \"\" {\n\t\tlog.Fatal(\"x\")\n\t}\n\tserve()\n}",
        "func main() {\n\tif _, ok := os.LookupEnv(\"EBB\"); !ok {\n\t\tpanic(\"x\")\n\t}\n\tserve()\n}",
    ] {
        assert_eq!(go(source), ["EBB"], "{source}");
    }
    for source in [
        "func main() {\n\tebb, ok := os.LookupEnv(\"EBB\")\n\tif !ok {\n\t\tebb = \"x\"\n\t}\n\tlog.Print(ebb)\n\tserve()\n}",
        // `ok` is told of something else by then.
        "func main() {\n\tebb, ok := os.LookupEnv(\"EBB\")\n\tflow, ok := names[ebb]\n\tif !ok {\n\t\tlog.Fatal(flow)\n\t}\n\tserve()\n}",
        "func main() {\n\thttp.HandleFunc(\"/\", func(w http.ResponseWriter, r *http.Request) {\n\t\t_, ok := os.LookupEnv(\"EBB\")\n\t\tif !ok {\n\t\t\treturn\n\t\t}\n\t})\n\tserve()\n}",
    ] {
        assert!(go(source).is_empty(), "{source}: {:?}", go(source));
    }
}

#[test]
fn fields_that_viper_fills_and_go_insists_on() {
    let settings = "type Settings struct {\n\tEbb string `mapstructure:\"EBB\"`\n\tFlow string `mapstructure:\"FLOW\"`\n}\n\n\
        func read() *Settings {\n\tv := viper.New()\n\tv.AutomaticEnv()\n\tvar settings Settings\n\tv.Unmarshal(&settings)\n\treturn &settings\n}\n\n\
        func (s *Settings) Check() error {\n\tif s.Ebb == \"\" {\n\t\treturn errors.New(\"x\")\n\t}\n\treturn nil\n}\n\n\
        func main() {\n\tif err := read().Check(); err != nil {\n\t\tlog.Fatal(err)\n\t}\n\tserve()\n}";
    assert_eq!(go(settings), ["EBB"]);
}

#[test]
fn constants_of_another_module_name_what_rust_reads() {
    let detection = found(&[
        (
            "Cargo.toml",
            "[package]\nname = \"ebb\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\naxum = \"0.8\"\n",
        ),
        (
            "src/main.rs",
            "mod names;\nmod keys;\nconst FLOW: &str = \"FLOW\";\n#[tokio::main]\nasync fn main() -> anyhow::Result<()> {\n    \
             let store = std::env::var(names::store::URL).expect(\"store\");\n    let flow = std::env::var(FLOW)?;\n    \
             if std::env::var(names::queue::URL).is_ok() {\n        let queue = std::env::var(names::queue::URL).unwrap();\n    }\n    \
             let port = std::env::var(names::LISTEN_PORT).unwrap_or(\"4000\".into());\n    keys::key()?;\n    \
             axum::serve(std::net::TcpListener::bind(address(port)), app()).await\n}\n",
        ),
        (
            "src/names/mod.rs",
            "pub mod store;\npub mod queue { pub const URL: &str = \"QUEUE_URL\"; }\npub const LISTEN_PORT: &str = \"PORT\";\n",
        ),
        (
            "src/names/store.rs",
            "pub const URL: &str = \"STORE_URL\";\n",
        ),
        (
            "src/keys.rs",
            "pub fn key() -> anyhow::Result<String> { Ok(std::env::var(Names::KEY)?) }\npub struct Names;\nimpl Names { const KEY: &str = \"EBB_KEY\"; }\n",
        ),
    ]);
    assert_eq!(required(&detection), ["FLOW", "STORE_URL"]);
    let known: Vec<&str> = detection
        .environment
        .iter()
        .map(|variable| variable.name.as_str())
        .collect();
    assert_eq!(known, ["EBB_KEY", "FLOW", "PORT", "QUEUE_URL", "STORE_URL"]);
    assert_eq!(detection.services[0].ports, [4000]);
}

#[test]
fn what_a_prisma_schema_reads_is_required() {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"desk","scripts":{"start":"node index.js"},"dependencies":{"express":"5","@prisma/client":"6"}}"#,
        ),
        (
            "package-lock.json",
            r#"{"lockfileVersion":3,"packages":{}}"#,
        ),
        (
            "prisma/schema.prisma",
            "generator client {\n  provider = \"prisma-client-js\"\n}\ndatasource db {\n  provider = \"postgresql\"\n  url      = env(\"DESK_DATABASE_URL\")\n}\n",
        ),
        (
            "index.js",
            "const { PrismaClient } = require('@prisma/client');\nconst db = new PrismaClient();\nrequire('express')().listen(3000);\n",
        ),
    ]);
    assert_eq!(required(&detection), ["DESK_DATABASE_URL"]);
    let need = &detection.needs[0];
    assert_eq!(need.kind, plimsoll_detect::NeedKind::Postgres);
}

#[test]
fn a_pool_is_made_from_an_address() {
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\nredis\n"),
        (
            "main.py",
            "import os\nimport redis.asyncio as redis\nfrom fastapi import FastAPI\nREDIS_URL = os.getenv('REDIS_URL')\n\
             pool = redis.ConnectionPool.from_url(REDIS_URL, decode_responses=True)\napp = FastAPI()\n",
        ),
    ]);
    assert_eq!(required(&detection), ["REDIS_URL"]);
}

#[test]
fn what_something_else_stands_in_for_is_not_required_in_rust() {
    let detection = found(&[
        (
            "Cargo.toml",
            "[package]\nname = \"desk\"\nversion = \"1.0.0\"\n[dependencies]\naxum = \"0.8\"\n",
        ),
        (
            "src/main.rs",
            "fn place() -> Option<String> {\n    let home = std::env::var_os(\"DESK_HOME\").map(path).or_else(|| None)?;\n    Some(home)\n}\n\
             fn main() {\n    place();\n    axum::serve(TcpListener::bind(\"0.0.0.0:3000\"), app());\n}\n",
        ),
    ]);
    assert!(required(&detection).is_empty());
}

#[test]
fn go_that_chooses_by_a_variable_does_not_go_on_without_it() {
    let go = |cases: &str| {
        let main = format!(
            "package main\n\nimport (\n\t\"fmt\"\n\t\"log\"\n\t\"net/http\"\n\t\"os\"\n)\n\nfunc open() error {{\n\tswitch os.Getenv(\"STORE\") {{\n{cases}\tdefault:\n\t\treturn fmt.Errorf(\"unknown\")\n\t}}\n\treturn nil\n}}\n\nfunc main() {{\n\tif err := open(); err != nil {{\n\t\tlog.Fatal(err)\n\t}}\n\thttp.ListenAndServe(\":8080\", nil)\n}}\n"
        );
        let detection = found(&[
            ("go.mod", "module example.com/desk\n\ngo 1.22\n"),
            ("main.go", &main),
        ]);
        required(&detection).join(" ")
    };
    assert_eq!(go("\tcase \"a\":\n"), "STORE");
    assert_eq!(go("\tcase \"a\", \"\":\n"), "");
}

#[test]
fn what_a_variable_turns_off_is_not_required() {
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        (
            "main.py",
            "import os\nfrom fastapi import FastAPI\ndef credentials():\n    if not is_true('TLS_ENABLED'):\n        return None\n\
             \x20   cert = os.getenv('TLS_CERT')\n    if not cert:\n        raise ValueError(1)\n\
             def key():\n    found = os.getenv('DESK_KEY')\n    if not found:\n        raise ValueError(1)\n\
             credentials()\nkey()\napp = FastAPI()\n",
        ),
    ]);
    assert_eq!(required(&detection), ["DESK_KEY"]);
}

#[test]
fn a_value_that_go_gives_itself_is_asked_for_by_nothing_further_down() {
    let usual = "store := os.Getenv(\"STORE\")\n\tif store == \"\" {\n\t\tstore = \"disk\"\n\t}\n";
    for check in [
        "\tswitch store {\n\tcase \"disk\":\n\tdefault:\n\t\tlog.Fatal(1)\n\t}\n",
        "\tif store == \"\" && os.Getenv(\"KEY\") == \"\" {\n\t\tlog.Fatal(1)\n\t}\n",
    ] {
        let main = format!(
            "package main\n\nimport (\n\t\"log\"\n\t\"net/http\"\n\t\"os\"\n)\n\nfunc main() {{\n\t{usual}{check}\thttp.ListenAndServe(\":8080\", nil)\n}}\n"
        );
        let detection = found(&[
            ("go.mod", "module example.com/desk\n\ngo 1.24\n"),
            ("main.go", &main),
        ]);
        assert!(required(&detection).is_empty(), "{check}");
        let mut variables = detection.environment.iter();
        assert!(
            variables.all(|variable| variable.one_of.is_empty()),
            "{check}"
        );
    }
}

#[test]
fn what_only_a_chosen_store_insists_on_is_not_required() {
    let detection = found(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        (
            "main.py",
            "import os\nfrom fastapi import FastAPI\nfrom stores import store\n\napp = FastAPI()\n\n\n@app.on_event(\"startup\")\ndef begin():\n    app.state.store = store()\n",
        ),
        (
            "stores/__init__.py",
            "import os\n\n\ndef store():\n    kind = os.environ[\"STORE\"]\n    from stores import common\n    match kind:\n        case \"pine\":\n            from stores.pine import Pine\n            return Pine()\n        case \"sea\":\n            from stores.sea import Sea\n            return Sea()\n",
        ),
        (
            "stores/common.py",
            "import os\n\nPLACE = os.environ[\"PLACE\"]\n",
        ),
        (
            "stores/pine.py",
            "import os\nfrom stores.keys import KEY\n\nINDEX = os.environ[\"PINE_INDEX\"]\n\n\nclass Pine:\n    pass\n",
        ),
        (
            "stores/keys.py",
            "import os\n\nKEY = os.environ[\"PINE_KEY\"]\n",
        ),
        (
            "stores/sea.py",
            "import os\n\nHOST = os.environ.get(\"SEA_HOST\")\nassert HOST is not None\n\n\nclass Sea:\n    pass\n",
        ),
    ]);
    assert_eq!(required(&detection), ["PLACE", "STORE"]);
}
