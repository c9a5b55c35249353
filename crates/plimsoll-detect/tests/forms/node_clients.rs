//! What clients of libraries insist on, and what libraries read by themselves, in JavaScript.

use crate::tree::{found, lines, required};

/// What is found of a program with these dependencies.
fn of(dependencies: &str, source: &str) -> plimsoll_detect::Detection {
    let manifest = format!(
        r#"{{"name":"a","type":"module","scripts":{{"start":"node index.js"}},"dependencies":{{{dependencies}}}}}"#
    );
    found(&[("package.json", manifest.as_str()), ("index.js", source)])
}

#[test]
fn a_client_insists_on_what_it_is_handed_first() {
    for (dependency, source) in [
        (
            r#""mongoose":"8""#,
            "import mongoose from 'mongoose';\nasync function connect() {\n  try {\n    await mongoose.connect(process.env.THE_ADDRESS, { tries: 3 });\n  } catch (error) {\n    process.exit(1);\n  }\n}\nawait connect();\nimport http from 'node:http';\nhttp.createServer().listen(3000);\n",
        ),
        (
            r#""discord.js":"14""#,
            "import { Client } from 'discord.js';\nconst token = process.env.THE_ADDRESS;\nconst client = new Client({});\nclient.login(token);\n",
        ),
        (
            r#""grammy":"1""#,
            "import { Bot } from 'grammy';\nconst bot = new Bot(process.env.THE_ADDRESS);\nbot.start();\n",
        ),
    ] {
        assert_eq!(
            required(&of(dependency, source)),
            ["THE_ADDRESS"],
            "{dependency}"
        );
    }
    let asked = "import { neon } from '@neondatabase/serverless';\nimport http from 'node:http';\nconst address = process.env.ADDRESS;\nexport const sql = address ? neon(address) : null;\nhttp.createServer().listen(3000);\n";
    assert_eq!(
        required(&of(r#""@neondatabase/serverless":"1""#, asked)),
        [""; 0]
    );
    let second = "import mongoose from 'mongoose';\nawait mongoose.connect('mongodb://db', { dbName: process.env.NAME });\nimport http from 'node:http';\nhttp.createServer().listen(3000);\n";
    assert_eq!(required(&of(r#""mongoose":"8""#, second)), [""; 0]);
}

#[test]
fn what_starts_beside_a_kit_for_slack_is_not_the_kit() {
    let source = "import { App } from '@slack/bolt';\nimport { options } from './options.js';\nconst app = new App(options);\nscheduler?.start();\nawait app.start();\n";
    let manifest = r#"{"name":"a","type":"module","scripts":{"start":"node index.js"},"dependencies":{"@slack/bolt":"4"}}"#;
    let with = |source: &str| {
        lines(&found(&[
            ("package.json", manifest),
            ("index.js", source),
            ("options.js", "export const options = {};\n"),
        ]))
    };
    assert_eq!(with(source), ["web node index.js [3000]"]);
    assert_eq!(with(&source.replace("await app.start();\n", "")), [""; 0]);
}

#[test]
fn what_a_library_reads_by_itself_is_read() {
    let manifest = r#"{"name":"a","type":"module","scripts":{"start":"node index.js"},"dependencies":{"better-auth":"1","express":"5"}}"#;
    let detection = found(&[
        ("package.json", manifest),
        (
            "index.js",
            "import { betterAuth } from 'better-auth';\nimport express from 'express';\nexport const auth = betterAuth({});\nexpress().listen(3000);\n",
        ),
        (".env.example", "BETTER_AUTH_SECRET=\nBETTER_AUTH_URL=\n"),
    ]);
    let told: Vec<&str> = detection
        .problems
        .iter()
        .map(|one| one.what.as_str())
        .collect();
    assert_eq!(told, [""; 0]);
}

#[test]
fn a_driver_is_needed_beside_an_adapter_of_prisma() {
    let source = "import { PrismaPg } from '@prisma/adapter-pg';\nimport express from 'express';\nnew PrismaPg({ connectionString: process.env.DATABASE_URL ?? '' });\nexpress().listen(3000);\n";
    let detection = of(r#""express":"5","pg":"8","@prisma/adapter-pg":"7""#, source);
    let needs = detection.needs.iter();
    let needs: Vec<String> = needs
        .map(|need| format!("{:?} {}", need.kind, need.required))
        .collect();
    assert_eq!(needs, ["Postgres true"]);
}

#[test]
fn a_bot_that_listens_where_nobody_knows_is_a_bot() {
    let source = "import { App } from '@slack/bolt';\nimport http from 'node:http';\nimport { settings } from './settings.js';\nconst app = new App({ socketMode: true, appToken: process.env.TOKEN });\nhttp.createServer(report).listen(settings.reports.at);\nawait app.start();\n";
    let manifest = r#"{"name":"a","type":"module","scripts":{"start":"node index.js"},"dependencies":{"@slack/bolt":"4"}}"#;
    let files = |source: &str| {
        lines(&found(&[
            ("package.json", manifest),
            ("index.js", source),
            ("settings.js", "export const settings = load();\n"),
        ]))
    };
    assert_eq!(files(source), ["worker node index.js []"]);
    let known = source.replace("settings.reports.at", "3000");
    assert_eq!(files(&known), ["worker node index.js [3000]"]);
}

const LISTENS: &str = "import http from 'node:http';\nhttp.createServer().listen(3000);\n";

#[test]
fn what_is_made_when_a_module_is_imported_has_its_key() {
    for (library, source, wanted) in [
        (
            "openai",
            "import OpenAI from 'openai';\nconst model = new OpenAI({ baseURL: 'https://a' });",
            "OPENAI_API_KEY",
        ),
        (
            "openai",
            "import OpenAI from 'openai';\nconst model = new OpenAI({ apiKey: process.env.MODEL_KEY! });",
            "MODEL_KEY",
        ),
        (
            "stripe",
            "const Stripe = require('stripe');\nconst pay = new Stripe(process.env.PAY_KEY, {});",
            "PAY_KEY",
        ),
        (
            "resend",
            "import { Resend } from 'resend';\nexport const mail = new Resend(process.env.MAIL_KEY || '');",
            "MAIL_KEY",
        ),
        (
            "@supabase/supabase-js",
            "import { createClient } from '@supabase/supabase-js';\nconst url = process.env.STORE_URL;\nexport const store = createClient(url, process.env.STORE_KEY as string);",
            "STORE_KEY STORE_URL",
        ),
        (
            "@fastify/jwt",
            "import tokens from '@fastify/jwt';\nawait app.register(tokens, { secret: process.env.TIDE_SECRET });",
            "TIDE_SECRET",
        ),
        (
            "passport-google-oauth20",
            "import { Strategy as GoogleStrategy } from 'passport-google-oauth20';\nnew GoogleStrategy({ clientID: process.env.TIDE_ID }, done);",
            "TIDE_ID",
        ),
        (
            "@slack/bolt",
            "import { App } from '@slack/bolt';\nnew App({ socketMode: true, token: process.env.A_TOKEN, appToken: process.env.B_TOKEN, signingSecret: process.env.A_SECRET });",
            "A_TOKEN B_TOKEN",
        ),
        // What is made for a request, only where a key is there, or with another key is not missed.
        (
            "openai",
            "import OpenAI from 'openai';\nexport function model() { return new OpenAI(); }",
            "",
        ),
        (
            "openai",
            "import OpenAI from 'openai';\nexport const model = process.env.KEY ? new OpenAI({ apiKey: process.env.KEY }) : null;",
            "",
        ),
        (
            "openai",
            "import OpenAI from 'openai';\nexport const model = new OpenAI({ apiKey: process.env.KEY || 'none' });",
            "",
        ),
        (
            "stripe",
            "import Stripe from 'stripe';\nexport const pay = new Stripe(process.env.PAY_KEY || '', {});",
            "",
        ),
        (
            "openai",
            "import OpenAI from 'openai';\nexport const model = new OpenAI({ ...options });",
            "",
        ),
        (
            "@anthropic-ai/sdk",
            "import Anthropic from '@anthropic-ai/sdk';\nexport const model = new Anthropic();",
            "",
        ),
    ] {
        let detection = of(
            &format!(r#""{library}":"1""#),
            &format!("{source}\n{LISTENS}"),
        );
        assert_eq!(required(&detection).join(" "), wanted, "{source}");
    }
}

#[test]
fn one_of_two_keys_is_enough_for_a_client() {
    let source = format!(
        "import OpenAI from 'openai';\nconst model = new OpenAI({{ apiKey: process.env.A_KEY || process.env.B_KEY }});\n{LISTENS}"
    );
    let detection = of(r#""openai":"5""#, &source);
    assert_eq!(required(&detection), [""; 0]);
    let several = detection.environment.iter();
    let several = several.filter(|one| !one.one_of.is_empty());
    assert_eq!(several.count(), 2);
}

#[test]
fn a_table_says_which_variables_are_required() {
    let table = "const TABLE = [\n  { name: 'A_KEY', required: true },\n  { name: 'B_KEY', required: false },\n  { name: 'C_KEY', required: true },\n];\n";
    for check in [
        "function check() {\n  const missing = [];\n  for (const one of TABLE) {\n    const value = process.env[one.name];\n    if (!value && one.required) missing.push(one.name);\n  }\n  return missing;\n}\nif (check().length > 0) process.exit(1);\n",
        "TABLE.forEach((one) => {\n  if (one.required && !process.env[one.name]) throw new Error(one.name);\n});\n",
    ] {
        let detection = of("", &format!("{table}{check}{LISTENS}"));
        assert_eq!(required(&detection), ["A_KEY", "C_KEY"], "{check}");
    }
    // What only says what a value must not be wants none.
    let forbids = "for (const name of ['A_KEY']) {\n  const value = process.env[name];\n  if (isPlaceholder(value)) throw new Error(name);\n}\n";
    assert_eq!(required(&of("", &format!("{forbids}{LISTENS}"))), [""; 0]);
}

#[test]
fn a_list_that_may_not_be_empty_is_made_of_what_is_required() {
    let check = |asked: &str| {
        let source = format!(
            "const {{ PLACES, OTHER }} = process.env;\nconst places = (PLACES ?? '').split(',').filter(Boolean);\nif ({asked}) throw new Error('none');\n{LISTENS}"
        );
        let detection = of("", &source);
        required(&detection).join(" ")
    };
    assert_eq!(check("places.length === 0"), "PLACES");
    assert_eq!(check("!places.length"), "PLACES");
    assert_eq!(check("places.length > 9"), "");
}
