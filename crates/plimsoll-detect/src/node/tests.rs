//! Small packages of the shapes that real ones have, and what is found in them.

use fs_err as fs;
use plimsoll_model::{NodeLayout, RecipeKind};

use super::find;
use crate::detection::Health;
use crate::tree::Tree;

/// What is found, a line for each service.
fn found(files: &[(&str, &str)]) -> String {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let findings = find(&Tree::read(root.path()).unwrap(), &|_| Vec::new());
    let mut text = String::new();
    for one in &findings.found {
        let service = &one.service;
        let health = match &service.health {
            Some(Health::Http(route)) => route.path.clone(),
            Some(Health::Tcp { .. }) => "accepts".to_owned(),
            Some(Health::McpHandshake) => "handshake".to_owned(),
            _ => "-".to_owned(),
        };
        let how = match &service.recipe.as_ref().unwrap().kind {
            RecipeKind::StaticSite(site) => format!("files of {}", site.output.display()),
            RecipeKind::NodeServer(server) => match &server.layout {
                NodeLayout::Application => "application".to_owned(),
                NodeLayout::Standalone { directories } => {
                    format!("standalone {}", directories[0].0.display())
                }
            },
            _ => unreachable!("nothing else is made here"),
        };
        text += &format!(
            "{} {} {:?} {health} `{}` {how} in {}\n",
            service.kind.word(),
            service.framework.as_deref().unwrap_or("-"),
            service.ports,
            service.command.join(" "),
            service.working_dir.display(),
        );
        let mut variables: Vec<_> = one.variables.iter().collect();
        variables.sort_by_key(|variable| &variable.name);
        for variable in variables {
            text += &format!(
                "  {} {}{:?}\n",
                variable.name,
                if variable.required { "required " } else { "" },
                variable.default,
            );
        }
        for need in &one.needs {
            text += &format!("  needs {}\n", need.kind.word());
        }
        for problem in &one.problems {
            text += &format!("  problem: {}\n", problem.message);
        }
    }
    for rejected in &findings.rejected {
        text += &format!("not {}: {}\n", rejected.path.display(), rejected.why);
    }
    text
}

#[test]
fn a_prisma_client_that_nothing_generates_is_told() {
    let told = |more: &str| {
        let manifest = format!(
            r#"{{"name":"api","scripts":{{"start":"node a.js"{more}}},"dependencies":{{"express":"*","@prisma/client":"6"}}}}"#
        );
        let schema = "datasource db {\n  provider = \"sqlite\"\n}\n";
        let code = "require('express')().listen(3000)\n";
        found(&[
            ("package.json", &manifest),
            ("prisma/schema.prisma", schema),
            ("a.js", code),
        ])
        .contains("prisma generate")
    };
    assert!(told(""));
    assert!(told(r#","setup":"prisma generate""#));
    assert!(!told(r#","postinstall":"prisma generate""#));
    assert!(!told(r#","build":"npm run db:generate && tsc""#));
    assert!(!told(r#"},"trustedDependencies":["@prisma/client"],"x":{"#));
}

#[test]
fn a_schema_of_prisma_that_the_manifest_names_counts() {
    let manifest = r#"{"name":"api","scripts":{"start":"node a.js"},"prisma":{"schema":"src/prisma/schema.prisma"},"dependencies":{"express":"*","@prisma/client":"4"}}"#;
    let told = found(&[
        ("package.json", manifest),
        (
            "src/prisma/schema.prisma",
            "datasource db {\n  provider = \"postgresql\"\n}\n",
        ),
        ("a.js", "require('express')().listen(3000)\n"),
    ]);
    assert!(told.contains("prisma generate"), "{told}");
    assert!(told.contains("needs postgres"), "{told}");
}

#[test]
fn an_application_of_nx_whose_manifest_has_no_script_is_told() {
    let project = r#"{"name":"cart","projectType":"application","targets":{"build":{"executor":"@nx/web:webpack"}}}"#;
    let workspace = r#"{"name":"shop","scripts":{"start":"nx serve"},"workspaces":["apps/*"]}"#;
    let told = |manifest: &str| {
        found(&[
            ("nx.json", "{}"),
            ("package.json", workspace),
            ("apps/cart/project.json", project),
            ("apps/cart/package.json", manifest),
            ("apps/cart/src/main.ts", "console.log(1)\n"),
        ])
    };
    let without = told(r#"{"name":"cart","version":"1.0.0"}"#);
    assert!(
        without.contains("not apps/cart/project.json: its `package.json` has no script: `@nx/web:webpack` builds it"),
        "{without}"
    );
    assert!(!told(r#"{"name":"cart","scripts":{"build":"vite build"}}"#).contains("has no script"));
}

#[test]
fn a_dockerfile_says_which_node_where_nothing_else_does() {
    let range = |manifest: &str, more: &[(&str, &str)]| {
        let root = tempfile::tempdir().unwrap();
        let code = "require('express')().listen(3000)\n";
        let files = [("package.json", manifest), ("a.js", code)];
        for (path, text) in files.iter().chain(more) {
            fs::write(root.path().join(path), text).unwrap();
        }
        let findings = find(&Tree::read(root.path()).unwrap(), &|_| Vec::new());
        match &findings.found[0].service.recipe.as_ref().unwrap().kind {
            RecipeKind::NodeServer(server) => server.node.clone().map(|node| node.value),
            _ => None,
        }
    };
    let open = r#"{"name":"a","scripts":{"start":"node a.js"},"dependencies":{"express":"4"}}"#;
    let engines = r#"{"name":"a","engines":{"node":">=22"},"scripts":{"start":"node a.js"},"dependencies":{"express":"4"}}"#;
    let plain = [(
        "Dockerfile",
        "FROM node:20-alpine\nCMD [\"node\", \"a.js\"]\n",
    )];
    assert_eq!(range(open, &[]), None);
    assert_eq!(range(open, &plain).as_deref(), Some("20.x"));
    assert_eq!(range(engines, &plain).as_deref(), Some(">=22"));
    let staged = [(
        "Dockerfile",
        "ARG NODE=22.1.0\nFROM node:${NODE:-20}-slim AS base\nFROM base\nCMD [\"node\", \"a.js\"]\n",
    )];
    assert_eq!(range(open, &staged).as_deref(), Some("22.x"));
    let newest = [("Dockerfile", "FROM node:alpine\nCMD [\"node\", \"a.js\"]\n")];
    assert_eq!(range(open, &newest), None);
}

#[test]
fn what_serves_remix_and_react_router_is_what_the_start_script_says() {
    let package = |start: &str, of: &str| {
        format!(
            r#"{{"name":"shop","scripts":{{"build":"x build"{start}}},"dependencies":{{"@{of}/node":"*","@{of}/serve":"*"}}}}"#
        )
    };
    let remix = package(r#","start":"remix-serve ./build/index.js""#, "remix-run");
    let own = package(
        r#","start":"NODE_ENV=production react-router-serve out/server/index.js""#,
        "react-router",
    );
    let silent = package("", "remix-run");
    let config = ("remix.config.js", "module.exports = {};");
    let found = [
        found(&[("package.json", &remix), config]),
        found(&[("package.json", &silent), config]),
        found(&[("package.json", &silent), ("vite.config.ts", "")]),
        found(&[("package.json", &own), ("react-router.config.ts", "")]),
    ];
    let commands: Vec<_> = found
        .iter()
        .map(|text| text.split('`').nth(1).unwrap_or(text))
        .collect();
    assert_eq!(
        commands,
        [
            "remix-serve ./build/index.js",
            "remix-serve ./build/index.js",
            "remix-serve ./build/server/index.js",
            "react-router-serve out/server/index.js"
        ]
    );
}

#[test]
fn an_express_server_with_a_mounted_router_and_a_worker() {
    let text = found(&[
        (
            "package.json",
            r#"{"name":"shop","scripts":{"build":"tsc","start":"node dist/server.js","worker":"node dist/worker.js",
                "worker:dev":"tsx watch src/worker.ts"},
                "dependencies":{"express":"4","pg":"8","bullmq":"5"},"devDependencies":{"typescript":"5"}}"#,
        ),
        ("package-lock.json", "{}"),
        (
            "src/server.ts",
            "import express from 'express';\nimport health from './routes/health';\nimport { config } from './config.js';\n\
             const app = express();\napp.use('/api', health);\napp.listen(config.port);\n",
        ),
        (
            "src/config.ts",
            "if (!process.env.SESSION_SECRET) throw new Error('no');\n\
             export const config = { port: Number(process.env.PORT ?? 4100), url: process.env.DATABASE_URL! };\n",
        ),
        (
            "src/routes/health.ts",
            "import { Router } from 'express';\nconst router = Router();\nrouter.get('/health', (a, b) => b.json({}));\nexport default router;\n",
        ),
        (
            "src/worker.ts",
            "import { Worker } from 'bullmq';\nnew Worker('mail', async () => {}, { connection: { url: process.env.REDIS_URL } });\n",
        ),
        ("src/server.test.ts", "process.env.ONLY_A_TEST"),
    ]);
    insta::assert_snapshot!(text, @r#"
    web Express [4100] /api/health `node dist/server.js` application in /app
      DATABASE_URL required None
      PORT Some("4100")
      SESSION_SECRET required None
    worker BullMQ [] - `node dist/worker.js` application in /app
      REDIS_URL None
      needs redis
    "#);
}

#[test]
fn frameworks_that_build_a_whole_application() {
    for (manifest, more, wanted) in [
        (
            r#"{"scripts":{"build":"next build","start":"next start -p 4000"},"dependencies":{"next":"15"}}"#,
            ("next.config.mjs", "export default { output: 'standalone' }"),
            "ui Next.js [3000] accepts `node server.js` standalone .next/standalone in /app\n",
        ),
        (
            r#"{"scripts":{"build":"next build"},"dependencies":{"next":"15"}}"#,
            (
                "next.config.ts",
                "const c = { output: 'export' }; export default c",
            ),
            "ui Next.js [8080] / `` files of out in /app\n  problem: has no lock file, so that every build may install other versions\n",
        ),
        (
            r#"{"scripts":{"build":"next build"},"dependencies":{"next":"15"}}"#,
            (
                "app/api/health/route.ts",
                "export const GET = () => Response.json({})",
            ),
            "ui Next.js [3000] /api/health `next start` application in /app\n",
        ),
        (
            r#"{"scripts":{"build":"nuxt build"},"dependencies":{"nuxt":"3"}}"#,
            ("nuxt.config.ts", ""),
            "ui Nuxt [3000] accepts `node server/index.mjs` standalone .output in /app\n",
        ),
        (
            r#"{"scripts":{"build":"vite build"},"devDependencies":{"@sveltejs/kit":"2","@sveltejs/adapter-node":"5","vite":"6"}}"#,
            ("svelte.config.js", ""),
            "ui SvelteKit [3000] accepts `node build` application in /app\n",
        ),
        (
            r#"{"scripts":{"build":"vite build"},"devDependencies":{"@sveltejs/kit":"2","vite":"6"}}"#,
            ("svelte.config.js", ""),
            "not package.json: its adapter makes no server that Node runs; add `@sveltejs/adapter-node` to `devDependencies` and import it in `svelte.config.js` (`@sveltejs/adapter-static` for pages without a server)\n",
        ),
        (
            r#"{"scripts":{"build":"vite build"},"devDependencies":{"@sveltejs/kit":"2","@sveltejs/adapter-auto":"7","@sveltejs/adapter-node":"5","vite":"6"}}"#,
            (
                "svelte.config.js",
                "import adapter from '@sveltejs/adapter-auto';\nexport default { kit: { adapter: adapter() } };",
            ),
            "not package.json: `@sveltejs/adapter-auto` makes no server that Node runs; `@sveltejs/adapter-node` is there already: import it in `svelte.config.js` in place of `@sveltejs/adapter-auto` (`@sveltejs/adapter-static` for pages without a server)\n",
        ),
        (
            r#"{"scripts":{"build":"vite build"},"devDependencies":{"@sveltejs/kit":"2","@sveltejs/adapter-node":"5","vite":"6"}}"#,
            (
                "svelte.config.js",
                "import adapter from '@sveltejs/adapter-node';\nexport default { kit: { adapter: adapter({ out: 'served' }) } };",
            ),
            "ui SvelteKit [3000] accepts `node served` application in /app\n",
        ),
        (
            r#"{"scripts":{"build":"nest build","start":"nest start","start:prod":"node dist/main"},"dependencies":{"@nestjs/core":"11"}}"#,
            (
                "src/main.ts",
                "import { NestFactory } from '@nestjs/core';\nimport { C } from './c';\nconst app = await NestFactory.create(C);\napp.setGlobalPrefix('v1');\nawait app.listen(process.env.PORT ?? 3000);",
            ),
            "web NestJS [3000] accepts `node dist/main` application in /app\n  PORT Some(\"3000\")\n",
        ),
    ] {
        assert_eq!(
            found(&[("package.json", manifest), more]),
            wanted,
            "{manifest}"
        );
    }
}

#[test]
fn what_speaks_mcp_and_what_nothing_starts() {
    let text = found(&[
        (
            "package.json",
            r#"{"private":true,"workspaces":["*"],"scripts":{"start":"turbo run start"},"devDependencies":{"express":"5"}}"#,
        ),
        (
            "files/package.json",
            r#"{"name":"files","bin":{"mcp-files":"dist/index.js"},"scripts":{"build":"tsc"},"dependencies":{"@modelcontextprotocol/sdk":"1"}}"#,
        ),
        (
            "files/index.ts",
            "import { StdioServerTransport } from 'x';\nawait server.connect(new StdioServerTransport());",
        ),
        (
            "remote/package.json",
            r#"{"scripts":{"start":"tsx src/index.ts"},"dependencies":{"@modelcontextprotocol/sdk":"1","tsx":"4"}}"#,
        ),
        (
            "remote/src/index.ts",
            "const t = new StreamableHTTPServerTransport({});\napp.listen(3333);",
        ),
        (
            "either/package.json",
            r#"{"bin":{"either":"dist/index.js"},"scripts":{"build":"tsc","start:stdio":"node dist/index.js stdio","start:sse":"node dist/index.js sse","start:streamableHttp":"node dist/index.js http"},"dependencies":{"@modelcontextprotocol/sdk":"1","express":"5"}}"#,
        ),
        (
            "either/index.ts",
            "if (process.argv[2] === 'http') await import('./http.js'); else await server.connect(new StdioServerTransport());",
        ),
        ("either/http.ts", "app.listen(3001);"),
        ("library/package.json", r#"{"main":"index.js"}"#),
        ("library/index.js", ""),
        (
            "quiet/package.json",
            r#"{"scripts":{"start":"node index.js"},"dependencies":{"express":"5"}}"#,
        ),
        ("quiet/index.js", "require('express')()"),
        (
            "examples/package.json",
            r#"{"scripts":{"start":"node index.js"}}"#,
        ),
        (
            "examples/index.js",
            "require('http').createServer().listen(1)",
        ),
    ]);
    insta::assert_snapshot!(text, @"
    mcp-http MCP [3001] accepts `node dist/index.js http` application in /app/either
    mcp-stdio MCP [] handshake `node dist/index.js` application in /app/files
    mcp-http MCP [3333] accepts `tsx src/index.ts` application in /app/remote
    not examples/package.json: an example
    not quiet/package.json: nothing in it listens
    ");
}

#[test]
fn a_schema_says_which_variables_there_are() {
    let text = found(&[
        (
            "package.json",
            r#"{"scripts":{"start":"node index.js"},"dependencies":{"zod":"3"}}"#,
        ),
        (
            "index.js",
            "const env = z.object({ API_KEY: z.string().min(1), LIMIT: z.coerce.number().default(5), NOTE: z.string().optional() }).parse(process.env);\n\
             http.createServer().listen(env.LIMIT, 8000);",
        ),
    ]);
    insta::assert_snapshot!(text, @r#"
    web Node.js [] - `node index.js` application in /app
      API_KEY required None
      LIMIT Some("5")
      NOTE None
    "#);
}

#[test]
fn fastifys_own_launcher_listens_where_it_is_told() {
    let manifest = r#"{"name":"fast","type":"module","main":"app.js","scripts":{"start":"fastify start -l info app.js"},"dependencies":{"fastify":"^5.0.0","fastify-cli":"^7.0.0"}}"#;
    let text = found(&[
        ("package.json", manifest),
        (
            "app.js",
            "export default async function (fastify) { fastify.get('/', async () => 'x') }\n",
        ),
    ]);
    assert_eq!(
        text,
        "web Fastify [3000] accepts `fastify start -l info app.js` application in /app\n"
    );
}

#[test]
fn what_only_a_tool_of_development_reads_is_not_missed() {
    let manifest = r#"{ "name": "shore", "scripts": { "build": "next build", "start": "next start" },
        "dependencies": { "next": "15.1.0", "drizzle-kit": "0.30.1" } }"#;
    let text = found(&[
        ("package.json", manifest),
        ("package-lock.json", "{}"),
        (
            "drizzle.config.ts",
            "export default { dbCredentials: { url: process.env.DATABASE_URL_OUTSIDE! } };\n",
        ),
        (
            "app/page.tsx",
            "const key = process.env.TIDE_KEY!;\nexport default () => key;\n",
        ),
    ]);
    assert!(text.contains("TIDE_KEY required"), "{text}");
    assert!(!text.contains("DATABASE_URL_OUTSIDE"), "{text}");
}

#[test]
fn sveltekits_modules_of_the_environment_name_variables() {
    let manifest = r#"{ "name": "shore", "scripts": { "build": "vite build" },
        "devDependencies": { "@sveltejs/kit": "2.0.0", "@sveltejs/adapter-node": "5.0.0" } }"#;
    let text = found(&[
        ("package.json", manifest),
        ("package-lock.json", "{}"),
        (
            "svelte.config.js",
            "import adapter from '@sveltejs/adapter-node';\nexport default { kit: { adapter: adapter() } };\n",
        ),
        (
            "src/routes/+page.svelte",
            "<script>\n  import { PUBLIC_HARBOUR as harbour } from '$env/static/public';\n</script>\n<h1>{harbour}</h1>\n",
        ),
        (
            "src/hooks.server.ts",
            "import { env } from '$env/dynamic/private';\nif (!env.TIDE_KEY) throw new Error('TIDE_KEY is missing');\n",
        ),
        ("src/other.ts", "const env = {};\nenv.NOTHING;\n"),
    ]);
    assert!(text.contains("PUBLIC_HARBOUR "), "{text}");
    assert!(text.contains("TIDE_KEY required"), "{text}");
    assert!(!text.contains("NOTHING"), "{text}");
}

#[test]
fn applications_of_nx_are_built_by_it_from_the_workspaces_packages() {
    let manifest = r#"{ "name": "fleet", "dependencies": { "@nestjs/core": "10.0.0", "next": "15.0.0",
        "express": "4.0.0" }, "devDependencies": { "nx": "20.0.0", "vite": "6.0.0" } }"#;
    let project = |name: &str, build: &str| {
        format!(r#"{{ "name": "{name}", "projectType": "application", "targets": {{ {build} }} }}"#)
    };
    let server = project(
        "api",
        r#""build": { "executor": "@nx/webpack:webpack", "options": { "target": "node",
            "outputPath": "dist/apps/api", "main": "apps/api/src/main.ts" },
            "configurations": { "production": {} } }"#,
    );
    let inferred = project("desk", "");
    let pages = project(
        "shore",
        r#""build": { "executor": "@nx/vite:build", "options": { "outputPath": "dist/apps/shore" } }"#,
    );
    let text = found(&[
        ("package.json", manifest),
        ("package-lock.json", "{}"),
        ("nx.json", "{}"),
        (
            "tsconfig.base.json",
            r#"{ "compilerOptions": { "paths": { "@fleet/tides": ["libs/tides/src/index.ts"] } } }"#,
        ),
        ("libs/tides/project.json", r#"{ "projectType": "library" }"#),
        (
            "libs/tides/src/index.ts",
            "export const key = process.env.TIDE_KEY!;\n",
        ),
        ("apps/api/project.json", &server),
        (
            "apps/api/src/main.ts",
            "import { NestFactory } from '@nestjs/core';\nimport { key } from '@fleet/tides';\n\
             const app = await NestFactory.create(key);\nawait app.listen(process.env.PORT || 3333);\n",
        ),
        ("apps/desk/project.json", &inferred),
        (
            "apps/desk/webpack.config.js",
            "module.exports = { output: { path: join(__dirname, '../../dist/apps/desk') },\n\
             plugins: [new NxAppWebpackPlugin({ target: 'node', main: './src/main.ts' })] };\n",
        ),
        (
            "apps/desk/src/main.ts",
            "import express from 'express';\nexpress().listen(4444);\n",
        ),
        ("apps/shore/project.json", &pages),
        ("apps/shore/index.html", "<h1>Shore</h1>"),
        (
            "apps/other/project.json",
            &project("other", r#""build": { "executor": "@nx/next:build" }"#),
        ),
    ]);
    insta::assert_snapshot!(text, @r#"
    web NestJS [3333] accepts `node dist/apps/api/main.js` application in /app
      PORT Some("3333")
      TIDE_KEY required None
    web Express [4444] accepts `node dist/apps/desk/main.js` application in /app
    ui Vite [8080] / `` files of dist/apps/shore in /app
    not apps/other/project.json: has no `package.json` of its own: `@nx/next:build` builds it from that of the workspace, which Plimsoll does not do
    "#);
}

#[test]
fn what_bun_reloads_is_what_it_starts() {
    let manifest = r#"{ "name": "api", "scripts": { "dev": "bun run --hot src/app.ts", "start": "bun run dev" },
        "dependencies": { "hono": "4.0.0" } }"#;
    let text = found(&[
        ("package.json", manifest),
        ("bun.lock", "{}"),
        (
            "src/app.ts",
            "import { Hono } from 'hono';\nconst app = new Hono();\nexport default { fetch: app.fetch, port: 3002 };\n",
        ),
    ]);
    insta::assert_snapshot!(text, @"web Hono [3002] accepts `bun src/app.ts` application in /app");
}

#[test]
fn what_bun_starts_and_only_a_build_makes_is_built() {
    let manifest = |start: &str| {
        format!(
            r#"{{ "name": "api", "scripts": {{ "build": "bun build src/index.ts --outdir dist", "start": "{start}" }},
        "dependencies": {{ "express": "5" }} }}"#
        )
    };
    let built = |start: &str| {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("src")).unwrap();
        for (path, text) in [
            ("package.json", manifest(start).as_str()),
            ("bun.lock", "{}"),
            (
                "src/index.ts",
                "import express from 'express';\nexpress().listen(3002);\n",
            ),
        ] {
            fs::write(root.path().join(path), text).unwrap();
        }
        let findings = find(&Tree::read(root.path()).unwrap(), &|_| Vec::new());
        match &findings.found[0].service.recipe.as_ref().unwrap().kind {
            RecipeKind::NodeServer(server) => server.build.is_some(),
            _ => false,
        }
    };
    assert!(built("bun run ./dist/index.js"));
    assert!(!built("bun run src/index.ts"));
}
