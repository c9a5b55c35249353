//! Lines of `scripts` in a `package.json`: what they start in the end, without the package manager,
//! the watcher or the shell between.

use std::collections::BTreeMap;

use super::manifest::Package;
use super::watching::without_watching;
use crate::claims::start_scripts::substituted;

/// What a line starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// A program with its arguments, and variables that are set for it.
    Plain {
        environment: Vec<(String, String)>,
        words: Vec<String>,
    },
    /// Something that only a shell understands.
    Shell(String),
    /// A program that starts others: a runner of tasks, or of containers.
    Others(String),
}

/// Programs that start services rather than are one.
const ORCHESTRATORS: &[&str] = &[
    "turbo",
    "nx",
    "lerna",
    "concurrently",
    "npm-run-all",
    "run-p",
    "run-s",
    "docker",
    "docker-compose",
    "podman",
    "make",
    "wireit",
    "rush",
    "moon",
    "expo",
    "react-native",
    "electron",
    "electron-vite",
    "tauri",
    "cargo",
    "go",
    "python",
    "python3",
    "uv",
    "echo",
    "exit",
    "storybook",
    "http-server",
    "serve",
    "vite",
    "json-server",
    // Servers for development of what a platform runs.
    "wrangler",
    "vercel",
    "netlify",
    "firebase",
    "serverless",
    "sst",
];

/// Programs that have containers made, in which the package is started in its turn.
const CONTAINERS: &[&str] = &["docker", "docker-compose", "podman"];

/// Programs that start the script of the system that they run on: `start` leads to `start:linux`.
const BY_SYSTEM: &[&str] = &["run-script-os", "run-os"];

/// What scripts for Linux are called, the plainest first.
const SYSTEMS: &[&str] = &["linux", "darwin:linux", "nix", "default"];

/// Programs that a build runs, before `&&`.
const BUILDERS: &[&str] = &[
    "tsc",
    "rimraf",
    "rm",
    "mkdir",
    "cp",
    "copyfiles",
    "prettier",
    "eslint",
    "esbuild",
    "tsup",
    "swc",
    "babel",
    "clear",
    "cls",
    "tsc-alias",
    "webpack",
    "rollup",
];

/// Distributions whose program has another name.
const PROGRAMS: &[(&str, &str)] = &[
    ("@langchain/langgraph-cli", "langgraphjs"),
    ("@nestjs/cli", "nest"),
    ("@angular/cli", "ng"),
    ("@remix-run/serve", "remix-serve"),
    ("@react-router/serve", "react-router-serve"),
    ("@modelcontextprotocol/inspector", "mcp-inspector"),
    ("typescript", "tsc"),
];

/// Programs that start several scripts of the package side by side.
const SIDE_BY_SIDE: &[&str] = &["concurrently", "run-p", "npm-run-all"];

/// Programs that start scripts of the package by their names, side by side or one after the other.
const CALLERS: &[&str] = &[
    "concurrently",
    "run-p",
    "run-s",
    "npm-run-all",
    "npm-run-all2",
    "npm",
    "pnpm",
    "yarn",
    "bun",
    "wsrun",
];

/// A script and the scripts that it calls, and those that they call.
pub(super) fn called<'p>(package: &'p Package, name: &str) -> Vec<&'p str> {
    let mut names: Vec<&str> = package.script_names().filter(|one| *one == name).collect();
    let mut next = 0;
    while let Some(name) = names.get(next).copied() {
        for other in mentioned(package, name, CALLERS) {
            if !names.contains(&other) {
                names.push(other);
            }
        }
        next += 1;
    }
    names
}

/// What the script `build`, or one that it calls, gives a program for an option: `vite build --outDir ../static`.
pub(super) fn option(package: &Package, program: &str, names: &[&str]) -> Option<String> {
    let lines = called(package, "build").into_iter();
    let mut parts = lines
        .filter_map(|name| package.script(name))
        .flat_map(|line| line.as_str().split("&&"))
        .filter_map(split)
        .filter(|words| words.iter().any(|word| word == program));
    parts.find_map(|words| {
        let after = words.iter().skip_while(|word| *word != program);
        let mut after = after.skip(1);
        while let Some(word) = after.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            if names.contains(&name) {
                return value.or_else(|| after.next().cloned());
            }
        }
        None
    })
}

/// What a script that starts the package, or one that it calls, runs a program with, wherever in its line that stands,
/// and the port that it is told: `sh load.sh && next start -p 8080`.
pub(super) fn started(package: &Package, program: &[&str]) -> Option<(Vec<String>, Option<u16>)> {
    let names = ["start:prod", "start:production", "start", "serve", "prod"];
    let lines = names.into_iter().flat_map(|name| called(package, name));
    let lines = lines.filter_map(|name| package.script(name));
    let mut parts = lines.flat_map(|line| line.split(['&', '|', ';', '"', '\'', '\\']));
    parts.find_map(|part| {
        let nothing = BTreeMap::new();
        let words: Vec<String> = part
            .split_whitespace()
            .map(|word| substituted(word, &nothing))
            .collect();
        let at = words
            .windows(program.len())
            .position(|few| few == program)?;
        let (before, command) = words.split_at(at);
        let mut set = before.iter().filter_map(|word| word.strip_prefix("PORT="));
        let port = super::start::flag(command).or_else(|| set.next_back()?.parse().ok());
        let plain = command.iter().all(|word| !word.contains('$'));
        let command = match plain {
            true => command.to_vec(),
            false => Vec::new(),
        };
        Some((command, port))
    })
}

/// What the script `build`, or one that it calls, sets a variable to.
pub(super) fn assigned(package: &Package, variable: &str) -> Option<String> {
    let lines = called(package, "build").into_iter();
    let mut words = lines
        .filter_map(|name| package.script(name))
        .flat_map(|line| split(line.as_str()).unwrap_or_default());
    words.find_map(|word| {
        let (name, value) = word.split_once('=')?;
        (name == variable).then(|| value.to_owned())
    })
}

/// Scripts of the package that a script starts side by side: `concurrently "npm:api" "npm run web"`, `run-p api web`.
pub(crate) fn side_by_side<'p>(package: &'p Package, name: &str) -> Vec<&'p str> {
    mentioned(package, name, SIDE_BY_SIDE)
}

/// Other scripts of the package that a script names, where it runs one of `callers`.
fn mentioned<'p>(package: &'p Package, name: &str, callers: &[&str]) -> Vec<&'p str> {
    let Some(line) = package.script(name) else {
        return Vec::new();
    };
    let line = line.as_str();
    if !line.split_whitespace().any(|word| callers.contains(&word)) {
        return Vec::new();
    }
    let words: Vec<&str> = line
        .split([' ', '"', '\'', '\\'])
        .filter(|word| !word.is_empty())
        .collect();
    package
        .script_names()
        .filter(|known| *known != name)
        .filter(|known| {
            words.iter().any(|word| {
                let word = word.strip_prefix("npm:").unwrap_or(word);
                let group = word
                    .strip_suffix('*')
                    .is_some_and(|start| !start.is_empty() && known.starts_with(start));
                word == *known || group
            })
        })
        .collect()
}

impl Line {
    /// Reads a script of a package. Scripts that it calls are followed.
    pub(crate) fn of(package: &Package, script: &str) -> Option<Self> {
        let line = package.script(script)?.as_str();
        if BY_SYSTEM.contains(&line.trim()) {
            let mut own = SYSTEMS.iter();
            let own = own.find_map(|system| package.script(&format!("{script}:{system}")))?;
            return Some(Self::read(package, own.as_str()));
        }
        Some(Self::read(package, line))
    }

    /// Whether it is a program that has containers made.
    pub(super) fn makes_containers(&self) -> bool {
        matches!(self, Self::Others(program) if CONTAINERS.contains(&program.as_str()))
    }

    /// Reads a line as if it were a script of a package.
    pub(crate) fn read(package: &Package, line: &str) -> Self {
        read(package, line, 0)
    }
}

fn read(package: &Package, line: &str, depth: usize) -> Line {
    let shell = || Line::Shell(line.trim().to_owned());
    // What prepares the files has been done when the image is built.
    if let Some((first, rest)) = line.split_once("&&")
        && !line.contains("||")
        && prepares(first)
    {
        return read(package, rest, depth);
    }
    let Some(mut words) = split(line) else {
        // Whatever else the line does, this package is not what it starts.
        let containers = CONTAINERS.iter().find(|program| {
            let mut parts = line.split(['&', '|', ';']);
            parts.any(|part| part.split_whitespace().next() == Some(**program))
        });
        return containers.map_or_else(shell, |program| Line::Others((*program).to_owned()));
    };
    let mut environment = Vec::new();
    loop {
        let Some(first) = words.first().cloned() else {
            return shell();
        };
        if let Some((name, value)) = first.split_once('=')
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            environment.push((name.to_owned(), value.to_owned()));
            words.remove(0);
            continue;
        }
        let arguments = words.get(1).cloned().unwrap_or_default();
        match (first.as_str(), arguments.as_str()) {
            ("cross-env" | "cross-env-shell" | "env" | "npx" | "bunx" | "exec", _) => {
                words.remove(0);
                match first.as_str() {
                    "npx" | "bunx" => of_distribution(&mut words),
                    _ => without_options(&mut words),
                }
            }
            ("dotenv" | "dotenvx" | "env-cmd" | "dotenv-flow", _) => {
                match words.iter().position(|word| word == "--") {
                    Some(end) => drop(words.drain(..=end)),
                    None if arguments == "-f" || arguments == "-e" => {
                        drop(words.drain(..3.min(words.len())))
                    }
                    None => drop(words.drain(..1)),
                }
            }
            ("npm" | "pnpm" | "yarn" | "bun", _) => {
                // `bun run --hot src/app.ts` starts the same without reloading.
                while first == "bun"
                    && arguments == "run"
                    && words.get(2).is_some_and(|word| {
                        matches!(word.as_str(), "--hot" | "--watch" | "--bun" | "-b")
                    })
                {
                    words.remove(2);
                }
                let name = match arguments.as_str() {
                    "run" => words.get(2).cloned(),
                    "exec" | "x" | "dlx" => {
                        words.drain(..2);
                        words.retain(|word| word != "--");
                        of_distribution(&mut words);
                        continue;
                    }
                    "start" | "test" => Some(arguments.clone()),
                    // `bun src/index.ts` runs a file.
                    _ if first == "bun" => break,
                    _ if first == "npm" => return Line::Others(first),
                    _ => Some(arguments.clone()),
                };
                let Some(name) = name else {
                    return shell();
                };
                if name.starts_with('-') {
                    return Line::Others(first);
                }
                match package.script(&name) {
                    Some(script) if depth < 6 => {
                        let mut line = read(package, script.as_str(), depth + 1);
                        if let Line::Plain {
                            environment: own, ..
                        } = &mut line
                        {
                            environment.append(own);
                            own.append(&mut environment);
                        }
                        return line;
                    }
                    // `yarn next start` runs a program of a package; `bun run x.ts` a file.
                    _ if first == "bun" => {
                        words.drain(..1);
                        words[0] = "bun".to_owned();
                        break;
                    }
                    _ if arguments != "run" && first != "npm" => drop(words.drain(..1)),
                    _ => return shell(),
                }
            }
            _ => break,
        }
    }
    let first = words[0].clone();
    if ORCHESTRATORS.contains(&first.as_str()) {
        return Line::Others(first);
    }
    without_watching(&mut words);
    Line::Plain { environment, words }
}

/// Takes out the options before the first word that is none.
fn without_options(words: &mut Vec<String>) {
    while let Some(word) = words.first().filter(|word| word.starts_with('-')) {
        // `npx -p DISTRIBUTION PROGRAM`
        let takes = matches!(word.as_str(), "-p" | "--package");
        words.drain(..if takes { 2.min(words.len()) } else { 1 });
    }
}

/// Puts the program in the place of the distribution that `npx` and the like fetch it from:
/// `@langchain/langgraph-cli@latest dev` starts `langgraphjs dev`.
fn of_distribution(words: &mut Vec<String>) {
    without_options(words);
    let Some(first) = words.first_mut() else {
        return;
    };
    let distribution = match first.rfind('@') {
        Some(at) if at > 0 => &first[..at],
        _ => first.as_str(),
    };
    let known = PROGRAMS.iter().find(|(name, _)| *name == distribution);
    *first = match (known, distribution.split_once('/')) {
        (Some((_, program)), _) => (*program).to_owned(),
        // One that is named after its distribution.
        (None, Some((scope, name))) if scope.starts_with('@') => name.to_owned(),
        (None, _) => distribution.to_owned(),
    };
}

/// The script of the package that makes the files which `name` starts, where no script has the name `build`:
/// `npm run compile && node dist/a.js` says so, or its own name does.
pub(super) fn builder<'p>(package: &'p Package, name: &str) -> Option<&'p str> {
    let named = |wanted: &str| package.script_names().find(|known| *known == wanted);
    let before = package
        .script(name)
        .and_then(|line| Some(line.as_str().rsplit_once("&&")?.0));
    let called = before.into_iter().flat_map(|line| line.split("&&"));
    let called = called.filter(|part| prepares(part)).filter_map(|part| {
        match split(part)?.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["npm" | "pnpm" | "yarn" | "bun", "run", script, ..] => named(script),
            ["pnpm" | "yarn", script, ..] => named(script),
            _ => None,
        }
    });
    let by_name = [
        "compile",
        "tsc",
        "build:prod",
        "build:production",
        "build:server",
        "build:ts",
    ];
    named("build")
        .or_else(|| called.last())
        .or_else(|| by_name.into_iter().find_map(named))
}

/// Whether the part of a line before `&&` only prepares files.
fn prepares(part: &str) -> bool {
    let Some(words) = split(part) else {
        return false;
    };
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .skip_while(|word| word.contains('=') || matches!(*word, "npx" | "cross-env"))
        .collect();
    match words.as_slice() {
        ["npm" | "pnpm" | "yarn" | "bun", "run", script, ..] => {
            script.contains("build") || script.contains("clean") || script.contains("generate")
        }
        ["pnpm" | "yarn", "build" | "clean", ..] => true,
        [
            "next" | "nuxt" | "nest" | "vite" | "remix" | "react-router" | "astro",
            "build",
            ..,
        ] => true,
        ["prisma", "generate", ..] => true,
        [first, ..] => BUILDERS.contains(first),
        [] => true,
    }
}

/// The words of a line that is one command; `None` where a shell would do more than split it.
pub(super) fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut open: Option<char> = None;
    let mut any = false;
    for character in line.chars() {
        match (open, character) {
            (Some(quote), c) if c == quote => open = None,
            (Some('"'), '$' | '`' | '\\') => return None,
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => {
                open = Some(character);
                any = true;
            }
            (None, '&' | '|' | ';' | '<' | '>' | '$' | '`' | '(' | ')' | '*' | '\\') => {
                return None;
            }
            (None, c) if c.is_whitespace() => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                    any = false;
                }
            }
            (None, c) => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    open.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(scripts: &[(&str, &str)], name: &str) -> String {
        let package = Package::with_scripts(scripts);
        match Line::of(&package, name).unwrap() {
            Line::Plain { environment, words } => {
                let set: Vec<String> = environment
                    .iter()
                    .map(|(k, v)| format!("{k}={v} "))
                    .collect();
                format!("{}{}", set.concat(), words.join(" "))
            }
            Line::Shell(line) => format!("shell: {line}"),
            Line::Others(program) => format!("others: {program}"),
        }
    }

    #[test]
    fn scripts_are_followed_to_what_they_run() {
        for (build, others) in [
            (r#"run-p type-check \"build-only {@}\" --"#, "build-only"),
            ("npm run lint && npm run bundle", "bundle"),
            ("npm-run-all clean compile:*", "compile:pages"),
            ("pnpm bundle", "bundle"),
        ] {
            let package = Package::with_scripts(&[("build", build), (others, "vite build")]);
            assert!(package.script_runs("build", "vite"), "{build}");
            assert!(!package.script_runs("build", "webpack"), "{build}");
        }
        // A script that only has the name of one is none that is called.
        let package = Package::with_scripts(&[("build", "tsc dev"), ("dev", "vite")]);
        assert!(!package.script_runs("build", "vite"));
        let package = Package::with_scripts(&[("build", "npm run build")]);
        assert!(!package.script_runs("build", "vite"));
    }

    #[test]
    fn what_makes_the_files_that_are_started() {
        for (start, other, wanted) in [
            (
                "npm run build:ts && node dist/a.js",
                "build:ts",
                Some("build:ts"),
            ),
            (
                "npm run clean && npm run build:it && node dist/a.js",
                "build:it",
                Some("build:it"),
            ),
            ("node dist/a.js", "compile", Some("compile")),
            ("node dist/a.js", "build", Some("build")),
            ("node dist/a.js", "lint", None),
        ] {
            let package = Package::with_scripts(&[("start", start), (other, "tsc")]);
            assert_eq!(builder(&package, "start"), wanted, "{start}");
        }
    }

    #[test]
    fn what_a_script_starts_in_the_end() {
        for (script, wanted) in [
            ("node dist/main.js", "node dist/main.js"),
            ("NODE_ENV=production node .", "NODE_ENV=production node ."),
            (
                "cross-env PORT=4000 tsx watch src/index.ts",
                "PORT=4000 tsx src/index.ts",
            ),
            ("npm run build && node dist/x.js", "node dist/x.js"),
            ("rimraf dist && tsc && node dist", "node dist"),
            ("npm run other", "A=1 next start"),
            ("yarn next start -p 80", "next start -p 80"),
            ("pnpm exec tsx a.ts", "tsx a.ts"),
            ("npx tsx@4 a.ts", "tsx a.ts"),
            (
                "pnpm dlx -y @tide/server@latest --port 80",
                "server --port 80",
            ),
            ("bunx @langchain/langgraph-cli@1 dev", "langgraphjs dev"),
            ("npx -y -p @tide/tools wave a.js", "wave a.js"),
            ("dotenv -e .env -- node a.js", "node a.js"),
            ("node --env-file=.env --watch a.js", "node a.js"),
            ("nest start --watch", "node dist/main"),
            ("bun run src/index.ts", "bun src/index.ts"),
            ("bun run other", "A=1 next start"),
            ("nodemon server.js", "node server.js"),
            ("nodemon --exec tsx src/a.ts", "tsx src/a.ts"),
            (
                "nodemon --watch src --exec 'tsx src/a.ts' --ext ts",
                "tsx src/a.ts",
            ),
            (
                "nodemon --exec node --loader ts-node/esm -w src src/main.ts",
                "node --loader ts-node/esm src/main.ts",
            ),
            (
                "docker compose build && docker compose up -d",
                "others: docker",
            ),
            ("run-script-os", "node linux.js"),
            ("turbo run start", "others: turbo"),
            ("npm --prefix web start", "others: npm"),
            (
                "prisma migrate deploy && node a.js",
                "shell: prisma migrate deploy && node a.js",
            ),
            ("node a.js --x=\"$HOME\"", "shell: node a.js --x=\"$HOME\""),
            ("node 'a b.js'", "node a b.js"),
        ] {
            let scripts = [
                ("start", script),
                ("start:linux", "node linux.js"),
                ("other", "A=1 next start"),
            ];
            assert_eq!(line(&scripts, "start"), wanted, "{script}");
        }
        assert!(line(&[("start", "npm run start")], "start").starts_with("shell: "));
    }
}
