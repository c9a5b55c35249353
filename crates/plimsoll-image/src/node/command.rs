//! What starts a server: a program and its arguments, without a package manager or a shell
//! between.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use fs_err as fs;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::NodeError;
use super::installed::{Installed, is_installed};
use super::members::{Members, names};
use super::shell::Called;

/// Where the application is in the image.
pub(super) const APPLICATION: &str = "/app";

/// Where programs are that a shell calls by name.
pub(super) const SHIMS: &str = "/app/.bin";

/// What an image starts, and what it takes to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Start {
    /// The command in exec form.
    pub command: Vec<String>,
    /// Packages that it names, which may be development dependencies.
    pub packages: BTreeSet<String>,
    /// Programs that a shell calls: name, and the script that starts it.
    pub shims: BTreeMap<String, String>,
    /// What runs it.
    pub runtimes: Runtimes,
    /// Packages of Debian that a shell needs.
    pub system: BTreeSet<String>,
}

/// Which programs run JavaScript in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum Runtimes {
    #[default]
    Node,
    Bun,
    /// A shell calls either.
    Both,
}

/// Options of Node whose value is a module.
const MODULE_OPTIONS: &[&str] = &[
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
];

/// Finds out what the words of a command start; `called` is what a shell among them calls.
pub(super) fn start(
    search: &Search<'_>,
    words: &[String],
    called: Option<&Called>,
) -> Result<Start, NodeError> {
    let mut start = Start::default();
    if let Some(called) = called {
        return Ok(by_shell(search, called));
    }
    let Some((first, rest)) = words.split_first() else {
        start.command = [node(), ".".to_string()].to_vec();
        return Ok(start);
    };
    let program = match first.as_str() {
        "node" | "nodejs" => {
            start.packages.extend(modules(rest));
            vec![node()]
        }
        "bun" | "bunx" => {
            start.runtimes = Runtimes::Bun;
            vec![bun()]
        }
        path if path.starts_with('/') => vec![path.to_string()],
        name => {
            let found = search.program(name).ok_or_else(|| NodeError::NoProgram {
                program: name.to_string(),
                manifest: Path::new(search.root)
                    .join("package.json")
                    .display()
                    .to_string(),
            })?;
            start.packages.insert(found.0);
            if found.1.first().is_some_and(|program| *program == bun()) {
                start.runtimes = Runtimes::Bun;
            }
            found.1
        }
    };
    start.command = program;
    start.command.extend(rest.iter().cloned());
    Ok(start)
}

/// What a shell starts: it finds programs of packages, and what stands for package managers, by
/// their names.
fn by_shell(search: &Search<'_>, called: &Called) -> Start {
    let mut start = Start {
        command: called.command.clone(),
        system: called
            .system
            .iter()
            .map(|name| (*name).to_string())
            .collect(),
        ..Start::default()
    };
    let (mut runs_node, mut runs_bun) = (called.node, called.bun);
    for word in &called.words {
        let Some((package, command)) = search.program(word) else {
            continue;
        };
        runs_node |= command[0] == node();
        runs_bun |= command[0] == bun();
        start.packages.insert(package);
        let script = format!("#!/bin/sh\nexec {} \"$@\"\n", command.join(" "));
        start.shims.insert(word.clone(), script);
    }
    start.shims.extend(called.stand_ins());
    start.runtimes = match (runs_node, runs_bun) {
        (true, true) => Runtimes::Both,
        (false, true) => Runtimes::Bun,
        (_, false) => Runtimes::Node,
    };
    start
}

/// Node's program in the image.
pub(super) fn node() -> String {
    "/usr/local/bin/node".to_string()
}

/// Bun's program in the image.
pub(super) fn bun() -> String {
    "/usr/local/bin/bun".to_string()
}

/// Where programs of packages are looked for.
pub(super) struct Search<'s> {
    pub installed: &'s Installed<'s>,
    pub members: &'s Members,
    /// The directory of the service's package.
    pub root: &'s str,
    /// The directory of the workspace.
    pub install_root: &'s str,
}

impl Search<'_> {
    /// The package that has a program, and how it is run.
    fn program(&self, name: &str) -> Option<(String, Vec<String>)> {
        [self.root, self.install_root].into_iter().find_map(|from| {
            let manifest = &self.members.at(from)?.manifest;
            names(manifest).find_map(|package| {
                Some((package.to_string(), self.program_of(from, package, name)?))
            })
        })
    }

    fn program_of(&self, from: &str, package: &str, name: &str) -> Option<Vec<String>> {
        let place = self
            .installed
            .resolve(from, package, &mut BTreeMap::new())?;
        let manifest = match is_installed(&place) {
            true => self.installed.manifest(&place)?,
            false => self.members.at(&place)?.manifest.clone(),
        };
        let file = match manifest.get("bin")? {
            Value::String(file) if package.rsplit('/').next() == Some(name) => file.as_str(),
            Value::Object(table) => table.get(name)?.as_str()?,
            _ => return None,
        };
        let file = format!("{place}/{}", file.trim_start_matches("./"));
        let path = format!("{APPLICATION}/{file}");
        Some(match interpreter(&self.installed.site.join(&file)) {
            Interpreter::Node => vec![node(), path],
            Interpreter::Bun => vec![bun(), path],
            Interpreter::Itself => vec![path],
        })
    }
}

/// What runs a file.
enum Interpreter {
    Node,
    Bun,
    Itself,
}

fn interpreter(path: &Path) -> Interpreter {
    let mut start = [0; 64];
    let read = fs::File::open(path).and_then(|mut file| file.read(&mut start));
    let start = String::from_utf8_lossy(&start[..read.unwrap_or(0)]).into_owned();
    let first = start.lines().next().unwrap_or_default();
    if start.starts_with("\u{7f}ELF") {
        Interpreter::Itself
    } else if first.starts_with("#!") && first.contains("bun") {
        Interpreter::Bun
    } else {
        Interpreter::Node
    }
}

/// Packages whose modules Node is told to load first.
fn modules(words: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value.to_string())),
            None => (word.as_str(), None),
        };
        if !MODULE_OPTIONS.contains(&option) {
            if !word.starts_with('-') {
                break;
            }
            continue;
        }
        let Some(value) = value.or_else(|| words.next().cloned()) else {
            break;
        };
        if value.starts_with(['.', '/']) || value.contains(':') {
            continue;
        }
        let parts = if value.starts_with('@') { 2 } else { 1 };
        let name: Vec<&str> = value.split('/').take(parts).collect();
        found.push(name.join("/"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::shell;
    use super::*;
    use crate::application::{Application, Purpose};
    use crate::oci::Architecture;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_string).collect()
    }

    fn started(line: &[String]) -> Result<Start, NodeError> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            (
                "context/package.json",
                r#"{"devDependencies":{"next":"1","@scope/tool":"1","native":"1"}}"#,
            ),
            (
                "site/node_modules/next/package.json",
                r#"{"bin":{"next":"./dist/bin/next"}}"#,
            ),
            (
                "site/node_modules/next/dist/bin/next",
                "#!/usr/bin/env node\n",
            ),
            (
                "site/node_modules/@scope/tool/package.json",
                r#"{"bin":"cli.js"}"#,
            ),
            (
                "site/node_modules/native/package.json",
                r#"{"bin":{"native":"bin/native"}}"#,
            ),
            ("site/node_modules/native/bin/native", "\u{7f}ELF"),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let cache = root.path().join("cache");
        let context = root.path().join("context");
        let sources = Application::look(&context, Purpose::BuildInput, &cache).unwrap();
        let installed = Installed {
            site: &root.path().join("site"),
            architecture: Architecture::Amd64,
        };
        let members = Members::read(&sources);
        let project = shell::Project {
            files: &sources,
            directory: "",
            manifest: members.at("").map(|member| &member.manifest),
        };
        let search = Search {
            installed: &installed,
            members: &members,
            root: "",
            install_root: "",
        };
        let called = Called::by(&project, line);
        start(&search, line, called.as_ref())
    }

    #[test]
    fn a_packages_program_is_run_by_what_its_first_line_says() {
        let command = |line: &str| started(&words(line)).unwrap().command.join(" ");
        assert_eq!(
            command("next start -p 80"),
            "/usr/local/bin/node /app/node_modules/next/dist/bin/next start -p 80"
        );
        assert_eq!(
            command("tool"),
            "/usr/local/bin/node /app/node_modules/@scope/tool/cli.js"
        );
        assert_eq!(command("native x"), "/app/node_modules/native/bin/native x");
        assert_eq!(
            command("node dist/main.js"),
            "/usr/local/bin/node dist/main.js"
        );
        assert!(matches!(
            started(&words("nodemon x.js")),
            Err(NodeError::NoProgram { program, .. }) if program == "nodemon"
        ));
        assert!(
            started(&words("next start"))
                .unwrap()
                .packages
                .contains("next")
        );
    }

    #[test]
    fn a_shell_finds_the_programs_it_calls() {
        let line = ["sh", "-c", "next build && next start"].map(str::to_string);
        let start = started(&line).unwrap();
        assert_eq!(start.command, ["/bin/sh", "-c", "next build && next start"]);
        assert_eq!(start.shims.keys().collect::<Vec<_>>(), ["next"]);
        assert_eq!(start.runtimes, Runtimes::Node);
        let line = ["sh", "-c", "bun run migrate && bun src/index.ts"].map(str::to_string);
        assert_eq!(started(&line).unwrap().runtimes, Runtimes::Bun);
        let line = ["sh", "-c", "bun run migrate && next start"].map(str::to_string);
        assert_eq!(started(&line).unwrap().runtimes, Runtimes::Both);
    }

    #[test]
    fn modules_that_node_loads_first_are_packages_too() {
        let found = modules(&words(
            "--enable-source-maps -r dotenv/config --import=@swc-node/register/esm ./a.js -r x",
        ));
        assert_eq!(found, ["dotenv", "@swc-node/register"]);
        assert!(modules(&words("-r ./local.js index.js")).is_empty());
    }
}
