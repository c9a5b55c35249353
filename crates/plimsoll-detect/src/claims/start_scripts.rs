//! Programs that start scripts, Procfiles, Makefiles and systemd units start: with which words, in which directory,
//! with which variables set. Scripts are read line by line, never run; what needs a shell to be known stays unknown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Span};

use crate::claims::command::{Starts, starts};
use crate::places;
use crate::tree::Tree;

/// One program that a file starts.
#[derive(Debug, Clone)]
pub(crate) struct Launched {
    pub(crate) starts: Starts,
    /// Variables set for it.
    pub(crate) environment: Vec<(String, String)>,
    /// The directory it is started in, relative to the tree.
    pub(crate) directory: PathBuf,
    /// The port that a flag tells it.
    pub(crate) port: Option<u16>,
    pub(crate) span: Span,
}

/// Lines of one file that are looked at.
const LINES: usize = 2_000;

/// Everything that the start scripts of a tree start.
pub(crate) fn read(tree: &Tree) -> Vec<Launched> {
    let mut found = Vec::new();
    for file in tree.files() {
        let Some(form) = form(&file.path) else {
            continue;
        };
        if places::set_aside(&file.path).is_some() {
            continue;
        }
        if let Some(text) = tree.source(&file.path) {
            found.extend(launched(&text, form, &file.path, &tree.shown(&file.path)));
        }
    }
    found
}

/// What one script of a shell starts.
pub(crate) fn of_script(tree: &Tree, path: &Path) -> Vec<Launched> {
    let text = tree.source(path).unwrap_or_default();
    launched(&text, Form::Shell, path, &tree.shown(path))
}

/// What starts the file at `path`, whose module is `dotted`: of several, the one that says most.
pub(crate) fn of<'l>(all: &'l [Launched], dotted: &str, path: &Path) -> Option<&'l Launched> {
    let same = |launched: &&Launched| match &launched.starts {
        Starts::Application { target, .. }
        | Starts::CeleryWorker { target }
        | Starts::CeleryBeat { target }
        | Starts::Flower { target, .. } => {
            let module = target.split(':').next().unwrap_or_default();
            module == dotted || dotted.ends_with(&format!(".{module}"))
        }
        Starts::Module(module) if module.ends_with(".py") => match below_unknown(module) {
            Some(rest) => {
                let beside = launched.span.file.parent().unwrap_or(Path::new(""));
                let mut above = beside.ancestors();
                above.any(|directory| {
                    places::within(directory, rest).is_some_and(|file| file == *path)
                })
            }
            None => places::within(&launched.directory, module).is_some_and(|file| file == *path),
        },
        Starts::Module(module) => module == dotted,
        Starts::Program(_) | Starts::NodeScript(_) => false,
    };
    let those: Vec<&Launched> = all.iter().filter(same).collect();
    let agree = |port: Option<u16>| those.iter().filter(|other| other.port == port).count();
    those.iter().copied().max_by_key(|launched| {
        // What an image starts with is no developer's convenience.
        let name = launched
            .span
            .file
            .file_name()
            .and_then(|name| name.to_str());
        let entrypoint = name.is_some_and(|name| name.contains("entrypoint"));
        let says = launched.port.is_some() || !launched.environment.is_empty();
        // Where scripts differ, most are right.
        (
            says,
            entrypoint,
            agree(launched.port),
            std::cmp::Reverse(&launched.span),
        )
    })
}

/// What follows a directory that only a shell knows: `app.py` of `$BASE/app.py` and of `` `pwd`/app.py``.
fn below_unknown(file: &str) -> Option<&str> {
    if let Some((_, rest)) = file
        .strip_prefix('`')
        .and_then(|rest| rest.split_once("`/"))
    {
        return Some(rest);
    }
    let (unknown, rest) = file.strip_prefix('$')?.split_once('/')?;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    unknown.chars().all(plain).then_some(rest)
}

/// What start scripts start that is not there.
pub(crate) fn review(tree: &Tree, launched: &[Launched]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for one in launched {
        let Starts::Module(module) = &one.starts else {
            continue;
        };
        if !module.ends_with(".py") || module.contains(['$', '*', '~']) || module.starts_with('/') {
            continue;
        }
        // A script may be started from elsewhere: what is anywhere beside it counts as there.
        let beside = one.span.file.parent().unwrap_or(Path::new(""));
        let there = [one.directory.as_path(), beside, Path::new("")]
            .into_iter()
            .filter_map(|directory| places::within(directory, module))
            .any(|path| tree.has_file(&path));
        if !there {
            let shown = one.directory.join(module.trim_start_matches("./"));
            found.push(
                Diagnostic::warning(format!(
                    "starts `{}`, which is not in the tree",
                    shown.display()
                ))
                .at(one.span.clone())
                .hint("name a file that exists, or drop the line"),
            );
        }
    }
    found
}

/// How the lines of a file stand for commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Shell,
    Procfile,
    Makefile,
    Unit,
    Supervisor,
}

fn form(path: &Path) -> Option<Form> {
    let name = path.file_name()?.to_str()?;
    Some(match name {
        "Procfile" | "Procfile.dev" => Form::Procfile,
        "Makefile" | "makefile" | "GNUmakefile" => Form::Makefile,
        _ if name.ends_with(".sh") || name.ends_with(".bash") => Form::Shell,
        _ if name.ends_with(".service") => Form::Unit,
        _ if name.starts_with("supervisor")
            && (name.ends_with(".conf") || name.ends_with(".ini")) =>
        {
            Form::Supervisor
        }
        _ => return None,
    })
}

fn launched(text: &str, form: Form, path: &Path, shown: &Arc<Path>) -> Vec<Launched> {
    let base = match form {
        // Scripts are started from the project's root as a rule, and say where they go from there.
        Form::Shell | Form::Unit | Form::Supervisor => PathBuf::new(),
        Form::Procfile | Form::Makefile => path.parent().unwrap_or(Path::new("")).to_owned(),
    };
    let mut reader = Reader {
        directory: base.clone(),
        base,
        variables: BTreeMap::new(),
        found: Vec::new(),
        shown,
    };
    let mut whole = String::new();
    let mut first = 1;
    for (index, line) in text.lines().take(LINES).enumerate() {
        if whole.is_empty() {
            first = index as u32 + 1;
        }
        match line.strip_suffix('\\') {
            Some(part) if whole.len() < 4_096 => {
                whole.push_str(part);
                whole.push(' ');
                continue;
            }
            _ => whole.push_str(line),
        }
        let line = std::mem::take(&mut whole);
        match form {
            Form::Shell => reader.line(&line, first),
            Form::Procfile => {
                if let Some((_, command)) = line.split_once(':') {
                    reader.fresh();
                    reader.line(command, first);
                }
            }
            Form::Makefile => {
                if let Some(recipe) = line.strip_prefix('\t') {
                    reader.fresh();
                    reader.line(recipe.trim_start_matches(['@', '-']), first);
                }
            }
            Form::Supervisor => {
                if let Some(command) = line.strip_prefix("command=") {
                    reader.fresh();
                    reader.line(command, first);
                }
            }
            Form::Unit => {
                if let Some(command) = line.strip_prefix("ExecStart=") {
                    reader.line(command.trim_start_matches(['-', '@', '+', '!']), first);
                } else if let Some((name, value)) = line
                    .strip_prefix("Environment=")
                    .and_then(|pair| pair.trim_matches('"').split_once('='))
                {
                    reader.variables.insert(name.to_owned(), value.to_owned());
                }
            }
        }
    }
    reader.found
}

struct Reader<'a> {
    base: PathBuf,
    directory: PathBuf,
    variables: BTreeMap<String, String>,
    found: Vec<Launched>,
    shown: &'a Arc<Path>,
}

/// Words of a shell that only stand before a command.
const BEFORE: &[&str] = &[
    "then", "do", "else", "exec", "nohup", "time", "sudo", "(", "{",
];

impl Reader<'_> {
    fn fresh(&mut self) {
        self.directory = self.base.clone();
    }

    fn line(&mut self, line: &str, number: u32) {
        for mut words in commands(line) {
            for word in &mut words {
                *word = substituted(word, &self.variables);
            }
            self.command(&words, number);
        }
    }

    fn command(&mut self, words: &[String], number: u32) {
        let mut words = words;
        let mut environment: Vec<(String, String)> = Vec::new();
        while let Some(first) = words.first() {
            if BEFORE.contains(&first.as_str()) {
                words = &words[1..];
            } else if let Some((name, value)) = assignment(first) {
                environment.push((name.to_owned(), value.to_owned()));
                words = &words[1..];
            } else {
                break;
            }
        }
        let Some(first) = words.first() else {
            self.variables.extend(environment);
            return;
        };
        match first.as_str() {
            "cd" | "pushd" => {
                let target = words.get(1).map(String::as_str).unwrap_or_default();
                // Where a script lies is found by a shell; most lie where they go.
                self.directory =
                    if target.is_empty() || target.contains('$') || target.starts_with('/') {
                        self.base.clone()
                    } else {
                        places::within(&self.directory, target).unwrap_or_else(|| self.base.clone())
                    };
            }
            "popd" => self.fresh(),
            "export" | "local" | "readonly" | "declare" => {
                let set = words[1..].iter().filter_map(|word| assignment(word));
                let set: Vec<_> = set
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                self.variables.extend(set);
            }
            "echo" | "printf" | "if" | "for" | "while" | "function" | "[" | "[[" | "test" => {}
            _ => {
                let Some(starts) = starts(words) else {
                    return;
                };
                if matches!(starts, Starts::Program(_) | Starts::NodeScript(_)) {
                    return;
                }
                let told = match &starts {
                    Starts::Application { port, .. } => *port,
                    _ => None,
                };
                self.found.push(Launched {
                    starts,
                    environment,
                    directory: self.directory.clone(),
                    port: port(words).or(told),
                    span: Span::line(self.shown.clone(), number),
                });
            }
        }
    }
}

/// Puts known variables and their fallbacks in the place of `$NAME` and `${NAME:-fallback}`.
pub(crate) fn substituted(word: &str, variables: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    let mut rest = word;
    while let Some(index) = rest.find('$') {
        let (before, after) = rest.split_at(index);
        text.push_str(before);
        let after = &after[1..];
        let (name, fallback, end) = match after.strip_prefix('{') {
            Some(inside) => {
                let Some(end) = inside.find('}') else {
                    text.push('$');
                    rest = after;
                    continue;
                };
                let whole = &inside[..end];
                let (name, fallback) = whole.split_once(":-").unwrap_or((whole, ""));
                (name, fallback, end + 2)
            }
            None => {
                let end = after
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(after.len());
                (&after[..end], "", end)
            }
        };
        match variables.get(name).map(String::as_str) {
            Some(value) => text.push_str(value),
            None if !fallback.is_empty() => text.push_str(fallback),
            None => {
                text.push('$');
                text.push_str(name);
            }
        }
        rest = &after[end..];
    }
    text.push_str(rest);
    text
}

/// `NAME=value`.
pub(crate) fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let plain = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain.then_some((name, value))
}

/// The value of `--port 8000`, `--server.port=8501` and their kin.
pub(crate) fn port(words: &[String]) -> Option<u16> {
    let flags = [
        "--port",
        "-p",
        "--server.port",
        "--server_port",
        "--bind",
        "-b",
    ];
    words.iter().enumerate().find_map(|(index, word)| {
        let value = if flags.contains(&word.as_str()) {
            words.get(index + 1)?
        } else {
            let (flag, value) = word.split_once('=')?;
            flags.contains(&flag).then_some(value)?
        };
        value.rsplit(':').next()?.parse().ok()
    })
}

/// The commands of a line, each as its words; redirections are left out.
pub(crate) fn commands(line: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut inside = false;
    let mut quote: Option<char> = None;
    let mut skip_next = false;
    let mut characters = line.chars().peekable();
    let push = |word: &mut String, inside: &mut bool, words: &mut Vec<String>, skip: &mut bool| {
        if *inside {
            let done = std::mem::take(word);
            *inside = false;
            if !std::mem::replace(skip, false) {
                words.push(done);
            }
        }
    };
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', None | Some('"')) => {
                word.extend(characters.next());
                inside = true;
            }
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.push(c),
            ('"' | '\'', None) => {
                quote = Some(character);
                inside = true;
            }
            ('#', None) if !inside => break,
            ('>' | '<', None) => {
                // `2>` and `&>`: what stands before the sign is a number, not a word.
                if word.chars().all(|c| c.is_ascii_digit()) {
                    word.clear();
                    inside = false;
                }
                push(&mut word, &mut inside, &mut words, &mut skip_next);
                while characters
                    .next_if(|c| matches!(c, '>' | '<' | '&'))
                    .is_some()
                {}
                skip_next = true;
            }
            (';' | '|' | '&', None) => {
                push(&mut word, &mut inside, &mut words, &mut skip_next);
                skip_next = false;
                if !words.is_empty() {
                    all.push(std::mem::take(&mut words));
                }
            }
            (c, None) if c.is_whitespace() => {
                push(&mut word, &mut inside, &mut words, &mut skip_next);
            }
            (c, None) => {
                word.push(c);
                inside = true;
            }
        }
    }
    push(&mut word, &mut inside, &mut words, &mut skip_next);
    if !words.is_empty() {
        all.push(words);
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str, name: &str) -> Vec<Launched> {
        let path: Arc<Path> = Arc::from(Path::new(name));
        launched(text, form(&path).unwrap(), &path, &path)
    }

    #[test]
    fn a_script_tells_directory_variables_and_port() {
        let found = of(
            "#!/bin/bash\nexport PORT=8102\ncd services || exit 1\necho \"Starting python other.py\"\n\
             DESIGNER_PORT=$PORT nohup python designer.py > /tmp/log 2>&1 &\ncd ..\n\
             exec uvicorn main:app --host 0.0.0.0 \\\n  --port ${API_PORT:-8001} --reload\n",
            "start.sh",
        );
        assert_eq!(found.len(), 2, "{found:#?}");
        assert_eq!(found[0].starts, Starts::Module("designer.py".to_owned()));
        assert_eq!(found[0].directory, Path::new("services"));
        assert_eq!(
            found[0].environment,
            [("DESIGNER_PORT".to_owned(), "8102".to_owned())]
        );
        assert_eq!(found[1].port, Some(8001));
        assert_eq!(found[1].directory, Path::new(""));
        assert_eq!(found[1].span.start.line, 7);
    }

    #[test]
    fn procfiles_makefiles_and_units_are_read() {
        let found = of("web: gunicorn -b 0.0.0.0:$PORT app:app\n", "Procfile");
        assert!(
            matches!(&found[0].starts, Starts::Application { target, .. } if target == "app:app")
        );
        let found = of(
            "run:\n\t@cd api && python -m uvicorn a:b --port 9000\n",
            "Makefile",
        );
        assert_eq!(
            (found[0].port, found[0].directory.as_path()),
            (Some(9000), Path::new("api"))
        );
        let found = of(
            "[Service]\nExecStart=/usr/bin/python3 main.py\n",
            "api.service",
        );
        assert_eq!(found[0].starts, Starts::Module("main.py".to_owned()));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[a-z$#{}()|&;<>=:'\"\\\\ \n\t.-]{0,200}") {
            for name in ["a.sh", "Procfile", "Makefile", "a.service", "supervisord.conf"] {
                of(&text, name);
            }
        }
    }
}
