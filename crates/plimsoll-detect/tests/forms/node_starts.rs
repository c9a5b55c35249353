//! How packages of Node are started, installed and led to their stores where their scripts alone do not say it.

use crate::tree::{found, lines, required};

const SERVER: &str = "import express from 'express';\nconst app = express();\napp.listen(3000);\n";

/// The lines of a package with these scripts, dependencies and files besides.
fn package(scripts: &str, dependencies: &str, files: &[(&str, &str)]) -> Vec<String> {
    let manifest =
        format!(r#"{{"name":"a","scripts":{{{scripts}}},"dependencies":{{{dependencies}}}}}"#);
    let mut all = vec![("package.json", manifest.as_str())];
    all.extend(files);
    lines(&found(&all))
}

#[test]
fn a_script_that_has_containers_made_does_not_start_the_package() {
    let bot = "import { Client } from 'discord.js';\nnew Client({}).login(process.env.TOKEN);\n";
    let files = [
        ("src/index.js", bot),
        (
            "Dockerfile",
            "FROM node:22\nCMD [\"npm\", \"run\", \"go\"]\n",
        ),
    ];
    let scripts =
        r#""start":"docker compose build && docker compose up -d","go":"node src/index.js""#;
    assert_eq!(
        package(scripts, r#""discord.js":"14""#, &files),
        ["worker node src/index.js []"]
    );
}

#[test]
fn pages_that_are_built_with_rewired_settings_are_pages() {
    let files = [("public/index.html", "<p>"), ("src/index.js", "")];
    for program in ["craco build", "react-app-rewired build"] {
        let script = format!(r#""build":"{program}""#);
        let found = package(&script, r#""react-scripts":"5""#, &files);
        assert_eq!(found, ["ui  [8080]"], "{program}");
    }
}

#[test]
fn what_listens_for_a_moment_serves_nobody() {
    let asks = "import net from 'node:net';\nexport const taken = (port) => new Promise((resolve) => {\n  const server = net.createServer();\n  server.once('listening', () => server.close(() => resolve(false)));\n  server.listen(port);\n});\ntaken(3000);\n";
    let any = "import http from 'node:http';\nhttp.createServer().listen(0, '127.0.0.1');\n";
    let other = "import { client } from './client.js';\nclient.tools.listen();\n";
    let scripts = r#""start":"node index.js""#;
    for source in [asks, any, other] {
        assert_eq!(
            package(scripts, "", &[("index.js", source)]),
            [""; 0],
            "{source}"
        );
    }
    let stays = "import http from 'node:http';\nawait new Promise((resolve) => http.createServer().listen(3000, resolve));\n";
    assert_eq!(
        package(scripts, "", &[("index.js", stays)]),
        ["web node index.js [3000]"]
    );
}

#[test]
fn bounds_and_ports_of_schemes_are_no_ports() {
    for (listens, port) in [
        (
            "app.listen(optionalInt(process.env, 'PORT', 8080, { min: 1 }));",
            "8080",
        ),
        (
            "const url = new URL(process.env.URL);\napp.listen(Number(url.port) || (url.protocol === 'https:' ? 443 : 80));",
            "",
        ),
    ] {
        let source = SERVER.replace("app.listen(3000);", listens);
        let found = package(
            r#""start":"node index.js""#,
            r#""express":"5""#,
            &[("index.js", source.as_str())],
        );
        assert_eq!(found, [format!("web node index.js [{port}]")], "{listens}");
    }
}

#[test]
fn a_driver_that_a_mapper_loads_is_what_the_program_needs() {
    let source = "import { TypeOrmModule } from '@nestjs/typeorm';\nimport { NestFactory } from '@nestjs/core';\nTypeOrmModule.forRoot({ type: 'mysql', host: process.env.DB_HOST });\nconst app = await NestFactory.create(App);\nawait app.listen(3000);\n";
    let needs = |driver: &str| {
        let manifest = format!(
            r#"{{"name":"a","scripts":{{"start":"node main.js"}},"dependencies":{{"@nestjs/core":"11","@nestjs/typeorm":"11",{driver}}}}}"#
        );
        let detection = found(&[("package.json", manifest.as_str()), ("main.js", source)]);
        let needs = detection.needs.into_iter();
        needs
            .map(|need| format!("{:?} {}", need.kind, need.required))
            .collect::<Vec<_>>()
    };
    assert_eq!(needs(r#""mysql":"2""#), ["Mysql true"]);
    assert_eq!(needs(r#""pg":"8""#), ["Postgres true"]);
    let adapter = r#""pg":"8","@prisma/adapter-pg":"7""#;
    assert_eq!(needs(adapter), ["Postgres true"]);
    // It may keep its data in a file as well.
    assert_eq!(needs(r#""pg":"8","sqlite3":"5""#), [""; 0]);
}

#[test]
fn the_environment_is_handed_to_what_reads_it() {
    let source = "import { requireString, optionalString } from 'kit/env';\nimport express from 'express';\nconst entry = process.argv[1] ?? '';\nfunction load(options = {}) {\n  const env = options.env ?? process.env;\n  return { token: requireString(env, 'BOT_TOKEN'), level: optionalString(env, 'LEVEL', 'info') };\n}\nif (entry.endsWith('index.js')) {\n  load();\n}\nexpress().listen(3000);\n";
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"a","scripts":{"start":"node index.js"},"dependencies":{"express":"5"}}"#,
        ),
        ("index.js", source),
    ]);
    assert_eq!(required(&detection), ["BOT_TOKEN"]);
    assert!(detection.environment.iter().any(|one| one.name == "LEVEL"));
}

#[test]
fn a_function_that_tells_of_emptiness_is_asked_about_several() {
    for check in [
        "!isNotEmptyString(process.env.A_KEY) && !isNotEmptyString(process.env.B_KEY)",
        "isEmpty(process.env.A_KEY) && isEmpty(process.env.B_KEY)",
    ] {
        let source = format!(
            "import express from 'express';\nif ({check}) throw new Error('missing');\nexpress().listen(3000);\n"
        );
        let detection = found(&[
            (
                "package.json",
                r#"{"name":"a","scripts":{"start":"node index.js"},"dependencies":{"express":"5"}}"#,
            ),
            ("index.js", source.as_str()),
        ]);
        let several = detection
            .environment
            .iter()
            .filter(|one| !one.one_of.is_empty());
        assert_eq!(several.count(), 2, "{check}");
    }
}

#[test]
fn the_image_says_which_lock_file_is_used() {
    let files = [
        ("index.js", SERVER),
        ("package-lock.json", "{}"),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
        (
            "Dockerfile",
            "FROM node:22\nRUN npm install pnpm -g\nRUN pnpm install\nCMD [\"node\", \"index.js\"]\n",
        ),
        (
            "package.json",
            r#"{"name":"a","scripts":{"start":"node index.js"},"dependencies":{"express":"5"}}"#,
        ),
    ];
    let detection = found(&files);
    assert_eq!(detection.services[0].manager.as_deref(), Some("pnpm"));
}

#[test]
fn what_a_pnpm_workspace_overrides_is_no_stray() {
    let files = [
        ("index.js", SERVER),
        (
            "pnpm-workspace.yaml",
            "overrides:\n  express: 5.1.0\n  \"zod@<=4.0.32\": 4.0.33\n",
        ),
        (
            "pnpm-lock.yaml",
            "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      express:\n        specifier: 5.1.0\n        version: 5.1.0\n      zod:\n        specifier: 4.0.33\n        version: 4.0.33\n",
        ),
        (
            "package.json",
            r#"{"name":"a","scripts":{"start":"node index.js"},"dependencies":{"express":"^5.1.0","zod":"^4.0.0"}}"#,
        ),
    ];
    let told: Vec<String> = found(&files)
        .problems
        .into_iter()
        .map(|one| one.what)
        .collect();
    assert_eq!(told, [""; 0]);
}

#[test]
fn parts_of_packages_lead_to_their_sources() {
    let files = [
        (
            "package.json",
            r#"{"name":"all","workspaces":["packages/*"]}"#,
        ),
        (
            "packages/shared/package.json",
            r#"{"name":"@all/shared","exports":{".":{"types":"./dist/index.server.d.ts","default":"./dist/index.server.js"},"./client":"./dist/index.client.js"}}"#,
        ),
        (
            "packages/shared/src/index.server.ts",
            "if (!process.env.SERVER_KEY) throw new Error('missing');\n",
        ),
        (
            "packages/shared/src/index.client.ts",
            "if (!process.env.CLIENT_KEY) throw new Error('missing');\n",
        ),
        (
            "packages/api/package.json",
            r#"{"name":"api","scripts":{"start":"node dist/index.js","build":"tsc"},"dependencies":{"express":"5","@all/shared":"workspace:*"}}"#,
        ),
        (
            "packages/api/src/index.ts",
            "import '@all/shared';\nimport express from 'express';\nexpress().listen(3000);\n",
        ),
    ];
    assert_eq!(required(&found(&files)), ["SERVER_KEY"]);
}

#[test]
fn a_schema_of_the_environment_may_have_a_name() {
    let source = "import { createEnv } from '@t3-oss/env-core';\nimport { z } from 'zod';\nimport express from 'express';\nconst options = {\n  server: { SERVER_KEY: z.string(), LEVEL: z.string().default('info') },\n  runtimeEnv: process.env,\n} as const;\nexport const env = createEnv(options);\nexpress().listen(3000);\n";
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"a","scripts":{"start":"tsx index.ts"},"dependencies":{"express":"5","tsx":"4"}}"#,
        ),
        ("index.ts", source),
    ]);
    assert_eq!(required(&detection), ["SERVER_KEY"]);
}

#[test]
fn an_import_whose_name_begins_with_type_is_followed() {
    let files = [
        (
            "package.json",
            r#"{"name":"a","scripts":{"start":"tsx index.ts"},"dependencies":{"express":"5","tsx":"4"}}"#,
        ),
        (
            "index.ts",
            "import typeSettings from './settings';\nimport type { Other } from './other';\nimport express from 'express';\nexpress().listen(typeSettings.port);\n",
        ),
        (
            "settings.ts",
            "export default { port: 3000, key: process.env.A_KEY };\n",
        ),
        (
            "other.ts",
            "export type Other = string;\nprocess.env.B_KEY;\n",
        ),
    ];
    let read = found(&files).environment;
    assert_eq!(
        read.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["A_KEY"]
    );
}

#[test]
fn an_address_that_prisma_reads_is_missed_where_the_code_checks_it_as_well() {
    let files = [
        (
            "package.json",
            r#"{"name":"a","scripts":{"start":"node index.js"},"dependencies":{"express":"5","@prisma/client":"6","zod":"4"}}"#,
        ),
        (
            "prisma/schema.prisma",
            "datasource db {\n  provider = \"postgresql\"\n  url = env(\"DATABASE_URL\")\n}\n",
        ),
        (
            "index.js",
            "import { PrismaClient } from '@prisma/client';\nimport { z } from 'zod';\nimport express from 'express';\nz.object({ DATABASE_URL: z.string().optional() }).parse(process.env);\nnew PrismaClient();\nexpress().listen(3000);\n",
        ),
    ];
    assert_eq!(required(&found(&files)), ["DATABASE_URL"]);
}

#[test]
fn fastifys_launcher_serves_whatever_is_done_before_it() {
    let application = "export default async (fastify) => { fastify.get('/', async () => 'x') };\n";
    let files = [
        ("src/app.js", application),
        (
            "src/jobs.js",
            "import { Worker } from 'bullmq';\nnew Worker('jobs', () => {});\n",
        ),
    ];
    let start = r#""start":"prisma migrate deploy && fastify start src/app.js""#;
    let dependencies = r#""fastify":"5","fastify-cli":"7","bullmq":"5","prisma":"6""#;
    assert_eq!(
        package(start, dependencies, &files),
        ["web sh -c prisma migrate deploy && fastify start src/app.js [3000]"]
    );
}

#[test]
fn a_framework_of_pages_that_the_program_knows_nothing_of_does_not_serve() {
    let both = r#""express":"5","next":"15""#;
    let plain = [("server.js", SERVER)];
    let with_pages = format!("import next from 'next';\nnext({{}});\n{SERVER}");
    let start = r#""start":"node server.js""#;
    assert_eq!(package(start, both, &plain), ["web node server.js [3000]"]);
    assert_eq!(
        package(start, both, &[("server.js", &with_pages)]),
        ["ui node server.js [3000]"]
    );
}

#[test]
fn a_page_listens_where_its_script_says_among_other_commands() {
    for (script, wanted) in [
        (
            "sh load.sh && next start -p 8080",
            "next start -p 8080 [8080]",
        ),
        ("PORT=4000 next start", "next start [4000]"),
        (
            "run-p web worker",
            "next start --port ${PORT:-7000} -H 0.0.0.0 [7000]",
        ),
        ("next start", "next start [3000]"),
    ] {
        let scripts = format!(
            r#""start":"{script}","web":"next start --port ${{PORT:-7000}} -H 0.0.0.0","worker":"node w.js""#
        );
        let files = [("app/page.tsx", "export default () => null;\n")];
        let found = package(&scripts, r#""next":"15""#, &files);
        let wanted = wanted.replace("${PORT:-7000}", "7000");
        assert_eq!(found, [format!("ui {wanted}")], "{script}");
    }
}

#[test]
fn what_an_image_says_of_its_program_counts() {
    let with = |image: &str, source: &str| {
        let files = [("index.js", source), ("Dockerfile", image)];
        package(r#""start":"node index.js""#, r#""express":"5""#, &files)
    };
    let image = "FROM node:22\nENV PORT=8081\nENTRYPOINT [\"tini\", \"--\", \"run.sh\"]\nCMD [\"sh\", \"-c\", \"exec node index.js ${MODE:---http}\"]\n";
    let reads = SERVER.replace("3000", "process.env.PORT || 3000");
    assert_eq!(with(image, &reads), ["web node index.js --http [8081]"]);
    // A program that does not ask for it is not told.
    assert_eq!(with(image, SERVER), ["web node index.js --http [3000]"]);
    let other = image.replace("PORT=8081", "TIDE_PORT=8081");
    let reads = SERVER.replace("3000", "process.env.TIDE_PORT ?? 3000");
    assert_eq!(with(&other, &reads), ["web node index.js --http [8081]"]);
    let another = image.replace("index.js", "other.js");
    assert_eq!(with(&another, &reads), ["web node index.js [3000]"]);
}

#[test]
fn what_works_until_it_is_stopped_is_a_worker() {
    let beside = |source: &str| {
        let files = [
            ("index.js", SERVER),
            ("jobs/tide.js", source),
            (
                "jobs/turn.js",
                "export async function work() {\n  while (true) {\n    await turn();\n    await sleep(1000);\n  }\n}\n",
            ),
        ];
        let scripts = r#""start":"node index.js","worker":"node jobs/tide.js""#;
        package(scripts, r#""express":"5""#, &files)
    };
    let both = ["web node index.js [3000]", "worker node jobs/tide.js []"];
    assert_eq!(
        beside("import { work } from './turn.js';\nawait work();\n"),
        both
    );
    assert_eq!(beside("for (;;) { await turn(); }\n"), both);
    let quiet = "import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';\nnew StdioServerTransport();\n";
    let scripts = r#""start":"node index.js","mcp":"dotenv -e .env -- tsx --tsconfig mcp/tsconfig.json mcp/index.js""#;
    let files = [("index.js", SERVER), ("mcp/index.js", quiet)];
    let found = package(scripts, r#""express":"5""#, &files);
    assert_eq!(found.len(), 2, "{found:?}");
    for ends in [
        "import { work } from './turn.js';\nexport const later = () => work();\n",
        "while (true) { const row = await next(); if (!row) break; }\n",
        "import readline from 'node:readline';\nwhile (true) { await ask(); }\n",
        "await once();\n",
    ] {
        assert_eq!(beside(ends), both[..1], "{ends}");
    }
    let alone = "async function main() {\n  while (!stopped) {\n    await turn();\n    await delay(5);\n  }\n}\nmain();\n";
    assert_eq!(
        package(r#""start":"node index.js""#, "", &[("index.js", alone)]),
        ["worker node index.js []"]
    );
}

#[test]
fn a_schema_that_extends_another_one_wants_what_is_in_it() {
    let settings = "import { z } from 'zod';\nconst base = z.object({ A_KEY: z.string() });\nconst web = base.extend({ WEB_KEY: z.string(), LEVEL: z.string().default('info') });\nconst mail = base.extend({ MAIL_KEY: z.string() });\nconst load = (schema) => schema.parse(process.env);\nexport const forWeb = () => load(web);\nexport const forMail = () => load(mail);\n";
    let index = "import express from 'express';\nimport { forWeb } from './settings.js';\nconst settings = forWeb();\nexpress().listen(3000);\n";
    let manifest =
        r#"{"name":"a","scripts":{"start":"node index.js"},"dependencies":{"express":"5"}}"#;
    let detection = found(&[
        ("package.json", manifest),
        ("index.js", index),
        ("settings.js", settings),
    ]);
    assert_eq!(required(&detection), ["A_KEY", "WEB_KEY"]);
}

#[test]
fn a_port_that_another_file_reads_through_a_method() {
    let settings = "export class Settings {\n  server = { port: this.number('PORT', 3001) };\n}\nexport const settings = new Settings();\n";
    let index = "import express from 'express';\nimport { settings } from './settings.js';\nconst PORT = settings.server.port;\nexpress().listen(PORT);\n";
    let files = [("index.js", index), ("settings.js", settings)];
    let found = package(r#""start":"node index.js""#, r#""express":"5""#, &files);
    assert_eq!(found, ["web node index.js [3001]"]);
}

#[test]
fn brokers_say_where_a_queue_is() {
    let source = "import { Kafka } from 'kafkajs';\nimport express from 'express';\nif (!process.env.KAFKA_BROKERS) throw new Error('x');\nnew Kafka({ brokers: process.env.KAFKA_BROKERS.split(',') });\nexpress().listen(3000);\n";
    let manifest = r#"{"name":"a","scripts":{"start":"node index.js"},"dependencies":{"express":"5","kafkajs":"2"}}"#;
    let detection = found(&[("package.json", manifest), ("index.js", source)]);
    let needs = detection.needs.iter();
    let needs: Vec<String> = needs
        .map(|need| format!("{:?} {}", need.kind, need.required))
        .collect();
    assert_eq!(needs, ["Kafka true"]);
}

#[test]
fn an_example_of_the_environment_gives_a_port_that_the_code_does_not() {
    let with = |listens: &str, example: &str| {
        let source = SERVER.replace("3000", listens);
        let files = [("index.js", source.as_str()), (".env.example", example)];
        package(r#""start":"node index.js""#, r#""express":"5""#, &files)
    };
    let example = "PORT=8080\nTIDE_PORT=8090 # of the server\n";
    for (listens, port) in [
        ("process.env.PORT", "8080"),
        ("process.env.TIDE_PORT", "8090"),
        ("process.env.PORT || 4000", "4000"),
        ("process.env.OTHER_PORT", ""),
    ] {
        let found = with(listens, example);
        assert_eq!(found, [format!("web node index.js [{port}]")], "{listens}");
    }
}

#[test]
fn what_one_of_two_variables_leads_to_is_needed() {
    let source = "import Redis from 'ioredis';\nimport express from 'express';\nconst url = process.env.REDIS_URL ?? process.env.CACHE_REDIS_URL;\nif (!url) throw new Error('missing');\nnew Redis(url);\nexpress().listen(3000);\n";
    let manifest = r#"{"name":"a","scripts":{"start":"node index.js"},"dependencies":{"express":"5","ioredis":"5"}}"#;
    let needs = |source: &str| {
        let detection = found(&[("package.json", manifest), ("index.js", source)]);
        let needs = detection.needs.iter();
        needs
            .map(|need| format!("{:?} {}", need.kind, need.required))
            .collect::<Vec<_>>()
    };
    assert_eq!(needs(source), ["Redis true"]);
    let unasked = source.replace("if (!url) throw new Error('missing');\n", "");
    assert_eq!(needs(&unasked), ["Redis false"]);
}

#[test]
fn a_directory_that_is_compiled_on_its_own_leads_to_its_source() {
    let scripts = r#""build":"tsc -p server/tsconfig.json""#;
    for compiled in ["server/dist/main.js", "server/dist/server/src/main.js"] {
        let start = format!(r#"{scripts},"start":"node {compiled}""#);
        assert_eq!(
            package(
                &start,
                r#""express":"5""#,
                &[("server/src/main.ts", SERVER)]
            ),
            [format!("web node {compiled} [3000]")]
        );
    }
}

#[test]
fn a_part_of_a_workspace_has_a_schema_of_its_own() {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"fleet","dependencies":{"@prisma/client":"6","express":"5","next":"15"},"devDependencies":{"nx":"21"}}"#,
        ),
        ("package-lock.json", "{}"),
        ("nx.json", "{}"),
        ("project.json", r#"{"name":"fleet","targets":{}}"#),
        (
            "apps/api/project.json",
            r#"{"name":"api","projectType":"application","targets":{"build":{"executor":"@nx/webpack:webpack","options":{"target":"node","outputPath":"dist/apps/api","main":"apps/api/src/main.ts"}}}}"#,
        ),
        (
            "apps/api/src/main.ts",
            "import express from 'express';\nimport { PrismaClient } from '@prisma/client';\nconst rows = new PrismaClient();\nexpress().listen(4444);\n",
        ),
        (
            "apps/api/prisma/schema.prisma",
            "datasource db {\n  provider = \"postgresql\"\n  url = env(\"DATABASE_URL\")\n}\n",
        ),
    ]);
    assert_eq!(lines(&detection), ["web node dist/apps/api/main.js [4444]"]);
    assert_eq!(required(&detection), ["DATABASE_URL"]);
    assert_eq!(detection.needs[0].kind, plimsoll_detect::NeedKind::Postgres);
}

#[test]
fn variables_of_a_server_are_not_those_of_the_pages_beside_it() {
    let server = "import express from 'express';\nexpress().listen(3000);\nconst at = process.env.STORE_URL;\nconst pages = process.env.VITE_HOME;\n";
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"a","scripts":{"build":"vite build","start":"node server/index.js"},"dependencies":{"express":"5"},"devDependencies":{"vite":"7"}}"#,
        ),
        ("index.html", "<p>"),
        ("vite.config.js", "export default {};\n"),
        ("src/main.ts", "console.log(import.meta.env.VITE_TITLE);\n"),
        ("server/index.js", server),
    ]);
    let read = |name: &str| {
        let mut all = detection.environment.iter();
        all.find(|one| one.name == name).unwrap().services.join(" ")
    };
    let pages = &detection
        .services
        .iter()
        .find(|one| one.command.is_empty())
        .unwrap()
        .name;
    assert!(
        !read("STORE_URL").contains(pages.as_str()),
        "{}",
        read("STORE_URL")
    );
    assert!(
        read("VITE_TITLE").contains(pages.as_str()) && read("VITE_HOME").contains(pages.as_str())
    );
}
