//! What a shell calls that starts a server: programs, scripts of `package.json`, and other scripts.
//!
//! The image has neither a package manager nor the tools of a whole system, so what a line or a
//! script of the project calls is read from it beforehand. Nothing is run here, and what only a
//! shell knows stays unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Component, Path};

use fs_err as fs;

use super::command::APPLICATION;
use crate::application::{Application, SourceKind};

/// A script that is longer is no script that starts something.
const LONGEST: u64 = 256 << 10;

/// Programs of a system that scripts call, by the package that has them.
const SYSTEM: &[(&str, &[&str])] = &[
    (
        "coreutils",
        &[
            "basename", "cat", "chmod", "chown", "cp", "cut", "date", "dirname", "env", "expr",
            "head", "id", "ln", "ls", "mkdir", "mktemp", "mv", "nproc", "readlink", "realpath",
            "rm", "seq", "sleep", "sort", "stat", "tail", "tee", "timeout", "touch", "tr", "uname",
            "uniq", "wc", "whoami",
        ],
    ),
    ("curl", &["curl"]),
    ("findutils", &["find", "xargs"]),
    ("grep", &["egrep", "fgrep", "grep"]),
    ("mawk", &["awk"]),
    ("netcat-openbsd", &["nc"]),
    ("sed", &["sed"]),
];

/// Words after which a command stands.
const BEFORE: &[&str] = &[
    "!", "do", "elif", "else", "exec", "if", "nohup", "then", "time", "until", "while", "{",
];

/// Managers whose scripts are called by their name alone.
const SHORT: &[&str] = &["pnpm", "yarn"];

/// Programs that run a program of a package.
const EXECUTORS: &[&str] = &["bunx", "npx", "pnpx"];

/// Where a shell finds what it calls.
pub(super) struct Project<'p> {
    /// The files of the image.
    pub files: &'p Application,
    /// Where it starts, below the application.
    pub directory: &'p str,
    /// The `package.json` beside it.
    pub manifest: Option<&'p serde_json::Value>,
}

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Called {
    /// The command that starts it all, where a shell does.
    pub command: Vec<String>,
    /// Words that may name programs of packages.
    pub words: BTreeSet<String>,
    /// Whether Bun is called.
    pub bun: bool,
    /// Whether Node is.
    pub node: bool,
    /// Packages of Debian with what is called besides.
    pub system: BTreeSet<&'static str>,
    /// Scripts of `package.json` that are called through a package manager.
    scripts: BTreeMap<String, String>,
    /// Package managers that are called, and what stands for them only calls programs.
    managers: BTreeSet<String>,
}

impl Called {
    /// What the words of a command call, where a shell reads them or a script of the project.
    pub(super) fn by(project: &Project<'_>, words: &[String]) -> Option<Self> {
        let (first, rest) = words.split_first()?;
        let mut called = Self::default();
        let mut reading = Reading {
            project,
            called: &mut called,
            read: BTreeSet::new(),
        };
        let shell = match first.strip_prefix("/bin/").unwrap_or(first) {
            "sh" | "dash" | "ash" => "/bin/sh",
            "bash" => {
                reading.called.system.insert("bash");
                "/bin/bash"
            }
            _ => {
                let script = reading.script(first)?;
                let shell = reading.shell_of(&script);
                reading.lines(&script);
                called.command = vec![shell.to_string()];
                called.command.extend(words.iter().cloned());
                called.system.insert("dash");
                return Some(called);
            }
        };
        match rest {
            // Short options stand together: `-ec`.
            [flag, line, ..] if flag.starts_with('-') && flag.ends_with('c') => reading.lines(line),
            _ => {
                let named = rest.iter().find(|word| !word.starts_with('-'));
                if let Some(script) = named.and_then(|named| reading.script(named)) {
                    reading.lines(&script);
                }
            }
        }
        called.command.push(shell.to_string());
        called.command.extend(rest.iter().cloned());
        called.system.insert("dash");
        Some(called)
    }

    /// Small scripts in the place of package managers: name and text.
    pub(super) fn stand_ins(&self) -> impl Iterator<Item = (String, String)> {
        self.managers
            .iter()
            .map(|name| (name.clone(), self.stand_in(name)))
    }

    fn stand_in(&self, manager: &str) -> String {
        let mut text = String::from(
            "#!/bin/sh\nwhile :; do case \"$1\" in -*) shift ;; *) break ;; esac; done\n",
        );
        if EXECUTORS.contains(&manager) {
            text.push_str("exec \"$@\"\n");
            return text;
        }
        text.push_str(
            "case \"$1\" in\nrun | run-script) shift ;;\nexec | x | dlx)\n  shift\n  \
             [ \"$1\" = -- ] && shift\n  exec \"$@\"\n  ;;\nesac\nname=$1\n\
             [ $# -gt 0 ] && shift\n[ \"$1\" = -- ] && shift\ncase \"$name\" in\n",
        );
        for (name, line) in &self.scripts {
            let _ = writeln!(
                text,
                "{}) exec /bin/sh -c {} sh \"$@\" ;;",
                quoted(name),
                quoted(&format!("{line} \"$@\""))
            );
        }
        text.push_str(match SHORT.contains(&manager) {
            true => "*) exec \"$name\" \"$@\" ;;\nesac\n",
            false => "*)\n  echo \"the image has no script $name\" >&2\n  exit 1\n  ;;\nesac\n",
        });
        text
    }
}

/// Reading scripts, each once.
struct Reading<'r> {
    project: &'r Project<'r>,
    called: &'r mut Called,
    read: BTreeSet<String>,
}

impl Reading<'_> {
    /// The text of a script of the project that a shell runs.
    fn script(&mut self, word: &str) -> Option<String> {
        let inside = match word.strip_prefix(APPLICATION) {
            Some(inside) => inside.trim_start_matches('/').to_string(),
            None if word.starts_with('/') => return None,
            None if !word.contains('/') && !word.ends_with(".sh") => return None,
            None => format!("{}/{word}", self.project.directory),
        };
        let path = below(&inside)?;
        let file = self
            .project
            .files
            .files()
            .iter()
            .find(|file| file.path == path)?;
        let is_short = matches!(file.kind, SourceKind::File { size, .. } if size <= LONGEST);
        if !is_short || self.read.contains(&path) {
            return None;
        }
        let text = fs::read_to_string(self.project.files.place(file)).ok()?;
        let first = text.lines().next().unwrap_or_default();
        let is_shell = match first.strip_prefix("#!") {
            Some(interpreter) => interpreter
                .split(['/', ' '])
                .any(|word| matches!(word, "sh" | "bash" | "dash" | "ash")),
            None => path.ends_with(".sh"),
        };
        if !is_shell {
            return None;
        }
        self.read.insert(path);
        Some(text)
    }

    /// What runs a script; the image gets it.
    fn shell_of(&mut self, script: &str) -> &'static str {
        let first = script.lines().next().unwrap_or_default();
        if first.starts_with("#!") && first.contains("bash") {
            self.called.system.insert("bash");
            return "/bin/bash";
        }
        "/bin/sh"
    }

    fn lines(&mut self, text: &str) {
        for command in commands(text) {
            self.command(&command);
        }
    }

    fn command(&mut self, words: &[String]) {
        let Some((first, rest)) = words.split_first() else {
            return;
        };
        if matches!(
            first.as_str(),
            "echo" | "printf" | "export" | "unset" | "set"
        ) {
            return;
        }
        let package = SYSTEM
            .iter()
            .find(|(_, programs)| programs.contains(&first.as_str()));
        self.called
            .system
            .extend(package.map(|(package, _)| *package));
        if matches!(first.as_str(), "." | "source" | "sh" | "bash") || first.contains('/') {
            let named = match first.contains('/') {
                true => Some(first),
                false => rest.iter().find(|word| !word.starts_with('-')),
            };
            self.called
                .system
                .extend((first == "bash").then_some("bash"));
            if let Some(text) = named.and_then(|named| self.script(named)) {
                if first.contains('/') {
                    // The kernel starts it, by its first line.
                    self.shell_of(&text);
                    let line = text.lines().next().unwrap_or_default();
                    let by_name = line.contains("/env ");
                    self.called.system.extend(by_name.then_some("coreutils"));
                }
                self.lines(&text);
            }
        }
        for (index, word) in words.iter().enumerate() {
            let after = words.get(index + 1..).unwrap_or_default();
            match word.as_str() {
                "bun" => self.called.bun = true,
                "node" | "nodejs" => self.called.node = true,
                _ => {}
            }
            if EXECUTORS.contains(&word.as_str()) {
                self.called.managers.insert(word.clone());
            } else if matches!(word.as_str(), "npm" | "pnpm" | "yarn" | "bun") && index == 0 {
                self.manager(word, after);
            }
            self.called.words.insert(word.clone());
        }
    }

    /// A call of a package manager: what it would run is read in its place.
    fn manager(&mut self, manager: &str, arguments: &[String]) {
        if manager != "bun" {
            self.called.managers.insert(manager.to_string());
        }
        let plain: Vec<&String> = arguments
            .iter()
            .filter(|word| !word.starts_with('-'))
            .collect();
        let name = match plain.as_slice() {
            [run, name, ..] if *run == "run" || *run == "run-script" => *name,
            [name, ..] => *name,
            [] => return,
        };
        let line = self
            .project
            .manifest
            .and_then(|manifest| manifest.get("scripts")?.get(name)?.as_str());
        if let Some(line) = line
            && self
                .called
                .scripts
                .insert(name.clone(), line.to_string())
                .is_none()
        {
            self.lines(line);
        }
    }
}

/// The commands of a text, as words without quotes.
fn commands(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.trim_start();
        if line.starts_with('#') {
            continue;
        }
        for part in line.split([';', '|', '&', '(', ')', '`']) {
            let words = part
                .split_whitespace()
                .take_while(|word| !word.starts_with('#'))
                .map(|word| word.trim_matches(['"', '\'']).to_string());
            let command: Vec<String> = words
                .skip_while(|word| BEFORE.contains(&word.as_str()) || is_assignment(word))
                .collect();
            if !command.is_empty() {
                found.push(command);
            }
        }
    }
    found
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// A path below the application without detours.
fn below(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::ParentDir => drop(parts.pop()?),
            Component::CurDir | Component::RootDir => {}
            Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

/// A word as a shell reads it back.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::Purpose;

    fn called(files: &[(&str, &str)], words: &[&str]) -> Option<Called> {
        let root = tempfile::tempdir().unwrap();
        let context = root.path().join("context");
        for (path, text) in files {
            let path = context.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let files = Application::look(&context, Purpose::BuildInput, root.path()).unwrap();
        let manifest = fs::read_to_string(context.join("package.json"))
            .ok()
            .map(|text| serde_json::from_str(&text).unwrap());
        let project = Project {
            files: &files,
            directory: "",
            manifest: manifest.as_ref(),
        };
        let words: Vec<String> = words.iter().map(|word| (*word).to_string()).collect();
        Called::by(&project, &words)
    }

    #[test]
    fn a_script_is_read_with_those_it_calls() {
        let files = [
            (
                "start.sh",
                "#!/usr/bin/env bash\nset -e\n# npm ci\n./scripts/wait.sh\nif [ -n \"$A\" ]; then\n  mkdir -p data\nfi\nexec bun run src/index.ts\n",
            ),
            (
                "scripts/wait.sh",
                "#!/bin/sh\nuntil nc -z db 5432; do sleep 1; done\n",
            ),
        ];
        let found = called(&files, &["./start.sh", "now"]).unwrap();
        assert_eq!(found.command, ["/bin/bash", "./start.sh", "now"]);
        assert!(found.bun && !found.node);
        let system: Vec<_> = found.system.iter().copied().collect();
        assert_eq!(system, ["bash", "coreutils", "dash", "netcat-openbsd"]);
        assert_eq!(found.stand_ins().count(), 0);
        // The same, started by a shell that ignores the script's first line.
        let found = called(&files, &["sh", "start.sh"]).unwrap();
        assert_eq!(found.command, ["/bin/sh", "start.sh"]);
        assert!(found.bun && !found.system.contains("bash"));
    }

    #[test]
    fn what_no_shell_reads_is_no_script() {
        let files = [
            ("run", "#!/usr/bin/env node\n"),
            ("a.sh", "#!/usr/bin/env node\n"),
        ];
        for words in [["./run"], ["./a.sh"], ["node"], ["./none.sh"], ["../a.sh"]] {
            assert_eq!(called(&files, &words), None, "{words:?}");
        }
    }

    #[test]
    fn scripts_that_call_themselves_are_read_once() {
        let files = [
            ("a.sh", "sh b.sh\n"),
            ("b.sh", ". ./a.sh\nnpm run a\n"),
            (
                "package.json",
                r#"{"scripts":{"a":"npm run a && node x.js"}}"#,
            ),
        ];
        let found = called(&files, &["sh", "a.sh"]).unwrap();
        assert!(found.node);
    }

    #[test]
    fn what_stands_for_a_manager_runs_the_scripts_that_are_called() {
        let files = [(
            "package.json",
            r#"{"scripts":{"migrate":"prisma migrate deploy","start":"PORT=1 node 'a b.js'","dev":"vite"}}"#,
        )];
        let line = "npx wait-on tcp:1 && npm run migrate -- --schema x && npm start";
        let found = called(&files, &["sh", "-c", line]).unwrap();
        assert!(found.words.contains("prisma") && found.words.contains("wait-on"));
        assert!(found.node && !found.words.contains("vite"));
        let shown: Vec<String> = found
            .stand_ins()
            .map(|(name, text)| format!("{name}:\n{text}"))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        npm:
        #!/bin/sh
        while :; do case "$1" in -*) shift ;; *) break ;; esac; done
        case "$1" in
        run | run-script) shift ;;
        exec | x | dlx)
          shift
          [ "$1" = -- ] && shift
          exec "$@"
          ;;
        esac
        name=$1
        [ $# -gt 0 ] && shift
        [ "$1" = -- ] && shift
        case "$name" in
        'migrate') exec /bin/sh -c 'prisma migrate deploy "$@"' sh "$@" ;;
        'start') exec /bin/sh -c 'PORT=1 node '\''a b.js'\'' "$@"' sh "$@" ;;
        *)
          echo "the image has no script $name" >&2
          exit 1
          ;;
        esac

        npx:
        #!/bin/sh
        while :; do case "$1" in -*) shift ;; *) break ;; esac; done
        exec "$@"
        "#);
    }

    #[test]
    fn a_stand_in_is_a_script_that_works() {
        let files = [(
            "package.json",
            r#"{"scripts":{"say":"echo 'it'\"'\"'s' $GREETING"}}"#,
        )];
        let found = called(&files, &["sh", "-c", "npm run say && npx echo two"]).unwrap();
        let root = tempfile::tempdir().unwrap();
        for (name, text) in found.stand_ins() {
            fs::write(root.path().join(name), text).unwrap();
        }
        let run = |program: &str, arguments: &[&str]| {
            let output = std::process::Command::new("/bin/sh")
                .arg(root.path().join(program))
                .args(arguments)
                .env("GREETING", "hello")
                .output()
                .unwrap();
            (
                output.status.code(),
                String::from_utf8(output.stdout).unwrap(),
            )
        };
        assert_eq!(
            run("npm", &["--silent", "run", "say", "--", "a b", "c"]),
            (Some(0), "it's hello a b c\n".to_string())
        );
        assert_eq!(
            run("npx", &["--yes", "echo", "-n"]),
            (Some(0), String::new())
        );
        assert_eq!(run("npm", &["run", "other"]).0, Some(1));
    }
}
