//! What generators of projects write, cut down to what shows what it is.

use plimsoll_detect::Detection;

use crate::tree::{found, lines};

fn variables(detection: &Detection) -> Vec<String> {
    let variables = detection.environment.iter();
    variables
        .map(|variable| {
            let required = if variable.required { "!" } else { "" };
            format!("{}{required}", variable.name)
        })
        .collect()
}

fn rejected(detection: &Detection) -> Vec<&str> {
    let rejected = detection.rejected.iter();
    rejected.map(|rejected| rejected.why.as_str()).collect()
}

#[test]
fn pages_whose_build_goes_through_other_scripts() {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"tide","private":true,"scripts":{"dev":"vite","build":"run-p type-check \"build-only {@}\" --","build-only":"vite build","type-check":"vue-tsc"},"dependencies":{"vue":"^3"},"devDependencies":{"vite":"^8"}}"#,
        ),
        ("vite.config.ts", "export default {}\n"),
        (
            "index.html",
            "<script type=\"module\" src=\"/src/main.ts\"></script>\n",
        ),
    ]);
    assert_eq!(lines(&detection), ["ui  [8080]"]);
}

#[test]
fn a_server_whose_program_has_no_extension() {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"tide","scripts":{"start":"node ./bin/www"},"dependencies":{"express":"~4.16"}}"#,
        ),
        (
            "bin/www",
            "#!/usr/bin/env node\nvar app = require('../app');\nvar http = require('http');\nvar port = normalize(process.env.PORT || '3000');\nvar server = http.createServer(app);\nserver.listen(port);\nfunction normalize(val) { return parseInt(val, 10); }\n",
        ),
        (
            "app.js",
            "var express = require('express');\nvar app = express();\napp.get('/health', (req, res) => res.send('ok'));\nmodule.exports = app;\n",
        ),
    ]);
    assert_eq!(lines(&detection), ["web node ./bin/www [3000]"]);
    // What a shell runs is none.
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"tide","scripts":{"start":"node ./bin/www"},"dependencies":{"express":"~4.16"}}"#,
        ),
        ("bin/www", "#!/bin/sh\nserver.listen(3000)\n"),
    ]);
    assert!(lines(&detection).is_empty());
}

#[test]
fn pages_of_angular_that_a_server_makes_are_one_service() {
    let detection = found(&[
        (
            "package.json",
            r#"{"name":"tide","scripts":{"start":"ng serve","build":"ng build","serve:ssr:tide":"node dist/tide/server/server.mjs"},"dependencies":{"@angular/core":"^20","@angular/ssr":"^20","express":"^5"}}"#,
        ),
        (
            "angular.json",
            r#"{"projects":{"tide":{"projectType":"application","architect":{"build":{"builder":"@angular/build:application","options":{"outputMode":"server"}}}}}}"#,
        ),
        (
            "src/server.ts",
            "import express from 'express';\nconst app = express();\napp.listen(process.env['PORT'] || 4000);\n",
        ),
    ]);
    assert_eq!(
        lines(&detection),
        ["ui node dist/tide/server/server.mjs [4000]"]
    );
}

#[test]
fn documentation_is_a_site_where_nothing_is_beside_it() {
    let manifest = r#"{"name":"docs","private":true,"scripts":{"build":"docusaurus build"},"dependencies":{"@docusaurus/core":"3"}}"#;
    let alone = found(&[("package.json", manifest), ("docs/intro.md", "# Hello\n")]);
    assert_eq!(lines(&alone), ["ui  [8080]"]);
    let beside = found(&[
        ("handbook/package.json", manifest),
        ("main.py", "print('x')\n"),
    ]);
    assert!(lines(&beside).is_empty());
    assert_eq!(
        rejected(&beside),
        ["makes the documentation of what is beside it"]
    );
}

#[test]
fn servers_that_a_kit_for_agents_makes() {
    for (dependencies, start, path, source, wanted) in [
        (
            r#""@llamaindex/server":"~0.2","tsx":"4""#,
            "tsx src/index.ts",
            "src/index.ts",
            "import { LlamaIndexServer } from '@llamaindex/server';\nnew LlamaIndexServer({ workflow: make }).start();\n",
            "web tsx src/index.ts [3000]",
        ),
        (
            r#""xmcp":"latest""#,
            "node dist/http.js",
            "xmcp.config.ts",
            "const config = { http: true };\nexport default config;\n",
            "mcp-http node dist/http.js [3001]",
        ),
    ] {
        let manifest = format!(
            r#"{{"name":"tide","scripts":{{"start":"{start}"}},"dependencies":{{{dependencies}}}}}"#
        );
        let detection = found(&[("package.json", &manifest), (path, source)]);
        assert_eq!(lines(&detection), [wanted]);
    }
}

#[test]
fn keys_that_libraries_read_by_themselves() {
    let mastra = found(&[
        (
            "package.json",
            r#"{"name":"tide","scripts":{"build":"mastra build"},"dependencies":{"@mastra/core":"^1","mastra":"^1"}}"#,
        ),
        (
            "src/mastra/agents/tide.ts",
            "import { Agent } from '@mastra/core/agent';\nexport const tide = new Agent({ name: 'tide', model: 'openai/gpt-5' });\n",
        ),
        (".env.example", "OPENAI_API_KEY=\n"),
    ]);
    assert_eq!(variables(&mastra), ["OPENAI_API_KEY"]);
    assert!(mastra.problems.is_empty(), "{:?}", mastra.problems);

    let node = |source: &str| {
        variables(&found(&[
            (
                "package.json",
                r#"{"name":"tide","scripts":{"start":"node a.js"},"dependencies":{"express":"5","@ai-sdk/openai":"2"}}"#,
            ),
            (
                "a.js",
                &format!(
                    "import express from 'express';\nimport {{ openai, createOpenAI }} from '@ai-sdk/openai';\n{source}\nexpress().listen(4000);\n"
                ),
            ),
        ]))
    };
    assert_eq!(node("openai('gpt-5')"), ["OPENAI_API_KEY"]);
    assert!(node("createOpenAI({ apiKey: take() })").is_empty());

    let python = |source: &str| {
        variables(&found(&[
            (
                "requirements.txt",
                "flask\nlangchain-openai\nlangchain-anthropic\n",
            ),
            (
                "app.py",
                &format!(
                    "from flask import Flask\nfrom langchain_openai import ChatOpenAI\nfrom langchain_anthropic import ChatAnthropic\n{source}\napp = Flask(__name__)\n"
                ),
            ),
        ]))
    };
    assert_eq!(python("model = ChatOpenAI()"), ["OPENAI_API_KEY!"]);
    assert_eq!(
        python("def model():\n    return ChatOpenAI()"),
        ["OPENAI_API_KEY"]
    );
    assert_eq!(
        python("model = ChatAnthropic(model='x')"),
        ["ANTHROPIC_API_KEY"]
    );
    assert!(python("def model(key):\n    return ChatAnthropic(api_key=key)").is_empty());
}
