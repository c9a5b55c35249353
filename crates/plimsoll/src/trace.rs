//! What a log says failed: the last traceback, stack or panic, and its line in the project.
//!
//! Logs are text that programs wrote: nothing in them is taken for more than words and places.

use std::path::{Path, PathBuf};

use plimsoll_diag::Span;
use plimsoll_model::{Project, Service};

use crate::source_directories::source_directories;

/// What failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// The error as it was written: `ModuleNotFoundError: No module named 'yaml'`.
    pub(crate) what: String,
    /// The deepest place that lies in the project.
    pub(crate) span: Option<Span>,
}

/// Words that are shorter say nothing about who wrote them.
const TELLING: usize = 12;
/// A larger file is no source that somebody wrote.
const LARGEST: u64 = 1024 * 1024;
/// How files of source are called that texts are looked for in.
const SOURCE: &[&str] = &["go", "js", "mjs", "cjs", "py", "rs", "ts"];

/// Longest error that is told whole.
const LONGEST: usize = 240;

/// Where the files of a service lie.
pub(crate) struct Sources<'p> {
    /// The project's directory, which places are told relative to.
    pub(crate) directory: &'p Path,
    /// The directory whose files are in the service's image; `None`: not known.
    pub(crate) context: Option<PathBuf>,
}

impl<'p> Sources<'p> {
    /// Those of a service's image.
    pub(crate) fn of(project: &'p Project, service: &Service) -> Self {
        Self {
            directory: &project.directory,
            context: service.recipe.as_ref().map(|recipe| recipe.context.clone()),
        }
    }

    /// The file that is called so in the service's image, as it is shown to the user.
    fn find(&self, inside: &str) -> Option<PathBuf> {
        let inside = inside.strip_prefix("file://").unwrap_or(inside);
        // What is installed is not the project's, even where a file of it is called the same.
        let is_installed = [
            "site-packages/",
            "dist-packages/",
            "node_modules/",
            "/go/pkg/mod/",
        ]
        .iter()
        .any(|part| inside.contains(part));
        if is_installed || inside.starts_with("/usr/") || inside.starts_with("node:") {
            return None;
        }
        let parts: Vec<_> = Path::new(inside)
            .components()
            .filter(|part| matches!(part, std::path::Component::Normal(_)))
            .collect();
        // Leading directories are the image's: the longest rest that is a file is it.
        (0..parts.len()).find_map(|skipped| {
            let end: PathBuf = parts[skipped..].iter().collect();
            let places = self.context.iter().map(PathBuf::as_path);
            let found = places
                .chain(std::iter::once(self.directory))
                .map(|place| place.join(&end))
                .find(|path| path.is_file())?;
            let shown = found.strip_prefix(self.directory).unwrap_or(&found);
            Some(shown.to_owned())
        })
    }

    fn place(&self, file: &str, line: &str) -> Option<Span> {
        Some(Span::line(self.find(file)?, line.parse().ok()?))
    }
}

/// The last failure that the lines tell.
pub(crate) fn failure(lines: &[String], sources: &Sources<'_>) -> Option<Failure> {
    let found = [
        python(lines, sources),
        node(lines, sources),
        go(lines, sources),
        rust(lines, sources),
    ];
    // Programs that start others write more than one kind; the last word counts.
    let last = found.into_iter().flatten().max_by_key(|(line, _)| *line);
    last.map(|(_, failure)| Failure {
        what: shortened(&failure.what),
        ..failure
    })
}

/// The last line that says anything.
pub(crate) fn last_word(lines: &[String]) -> Option<String> {
    let mut said = lines.iter().rev().map(|line| without_time(line.trim()));
    said.find(|line| line.chars().any(char::is_alphanumeric))
        .map(shortened)
}

/// A line without the time that many programs put before their words.
fn without_time(line: &str) -> &str {
    let is_time = |word: &str| {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        digits >= 4
            && word
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, '/' | '-' | ':' | '.' | ',' | 'T' | 'Z'))
    };
    match line.split_once(' ') {
        Some((first, rest)) if is_time(first) => without_time(rest.trim_start()),
        _ => line,
    }
}

/// The only place in a service's source where words of an error stand as the beginning of a text. An
/// error is told from the outside in: the last of its parts that is found is the closest.
pub(crate) fn author(error: &str, sources: &Sources<'_>) -> Option<Span> {
    let parts: Vec<&str> = error
        .split(": ")
        .map(str::trim)
        .filter(|part| part.len() >= TELLING && part.contains(' ') && !part.contains(['"', '\'']))
        .collect();
    let context = sources.context.as_deref().unwrap_or(sources.directory);
    if parts.is_empty() {
        return None;
    }
    let mut found: Vec<Vec<Span>> = vec![Vec::new(); parts.len()];
    for below in source_directories(context) {
        let entries = fs_err::read_dir(context.join(below)).into_iter().flatten();
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            let end = path.extension().and_then(|end| end.to_str());
            let small = fs_err::symlink_metadata(&path)
                .is_ok_and(|file| file.is_file() && file.len() < LARGEST);
            if !end.is_some_and(|end| SOURCE.contains(&end)) || !small {
                continue;
            }
            let Ok(text) = fs_err::read_to_string(&path) else {
                continue;
            };
            let shown = path.strip_prefix(sources.directory).unwrap_or(&path);
            for (line, number) in text.lines().zip(1..) {
                for (part, places) in parts.iter().zip(&mut found) {
                    let begins = |quote: char| line.contains(&format!("{quote}{part}"));
                    if ['"', '\'', '`'].into_iter().any(begins) {
                        places.push(Span::line(shown.to_owned(), number));
                    }
                }
            }
        }
    }
    let mut only = found.into_iter().rev().filter(|places| places.len() == 1);
    only.next()?.pop()
}

/// The line in which a program says what is wrong: the last one that speaks of an error, or the last
/// word.
pub(crate) fn complaint(lines: &[String]) -> Option<String> {
    let complains = |line: &&str| {
        let line = line.to_ascii_lowercase();
        let starts = ["error", "npm err!", "fatal", "e: "];
        starts.iter().any(|start| line.starts_with(start)) && line.len() > "error: ".len()
    };
    let mut said = lines.iter().map(|line| line.trim());
    let found = said.rfind(|line| complains(line)).map(shortened);
    found.or_else(|| last_word(lines))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `  File "/app/desk/main.py", line 14, in …`, or `│ /app/desk/main.py:14 in …` in a frame.
fn python_frame(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    if let Some(rest) = line.strip_prefix("File \"") {
        let (file, rest) = rest.split_once("\", line ")?;
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        return Some((file, &rest[..digits]));
    }
    let rest = line.strip_prefix('│')?.trim_start();
    let (place, _) = rest.split_once(" in ")?;
    let (file, number) = place.rsplit_once(':')?;
    (file.ends_with(".py")).then_some((file, number))
}

/// Whether a line is how Python ends a traceback: `package.SomeError: why`.
fn is_python_error(line: &str) -> bool {
    let name = line.split([':', ' ']).next().unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default();
    let ends = [
        "Error",
        "Exception",
        "Exit",
        "Interrupt",
        "Warning",
        "Group",
    ];
    last.starts_with(|c: char| c.is_ascii_uppercase())
        && ends.iter().any(|end| last.ends_with(end))
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '_'))
}

/// A traceback: its frames, and the error at the margin below.
fn python(lines: &[String], sources: &Sources<'_>) -> Option<(usize, Failure)> {
    let is_start = |line: &String| line.contains("Traceback (most recent call last)");
    let last_frame = lines
        .iter()
        .rposition(|line| python_frame(line).is_some())?;
    let start = lines[..=last_frame].iter().rposition(is_start).unwrap_or(0);
    let margin = |line: &&String| {
        let text = line.trim_end();
        !text.is_empty() && !text.starts_with([' ', '│', '╰', '╭', '\t'])
    };
    let below = &lines[last_frame + 1..];
    let what = below
        .iter()
        .find(|line| is_python_error(line.trim_end()))
        .or_else(|| below.iter().find(margin))?;
    let span = lines[start..=last_frame]
        .iter()
        .rev()
        .filter_map(|line| python_frame(line))
        .find_map(|(file, line)| sources.place(file, line));
    let what = what.trim();
    // What a validation complains of stands in the lines below its name.
    let more = what
        .ends_with(|c: char| c == ':' || c.is_alphanumeric())
        .then(|| {
            let position = below.iter().position(|line| line.trim() == what)?;
            let details = below[position + 1..].iter().take(2);
            let details: Vec<&str> = details
                .take_while(|line| !is_start(line))
                .map(|line| line.trim())
                .collect();
            what.contains("validation error")
                .then(|| details.join(": "))
        })
        .flatten();
    let what = match more {
        Some(more) if !more.is_empty() => format!("{what}: {more}"),
        _ => what.to_owned(),
    };
    Some((last_frame, Failure { what, span }))
}

/// `Error: …`, and `    at f (/app/server.js:12:5)` below; or the place above, for what cannot be
/// parsed.
fn node(lines: &[String], sources: &Sources<'_>) -> Option<(usize, Failure)> {
    let frame = |line: &str| {
        let rest = line.trim().strip_prefix("at ")?;
        let rest = rest.rsplit_once('(').map_or(rest, |(_, rest)| rest);
        let (rest, _column) = rest.trim_end_matches(')').rsplit_once(':')?;
        let (file, line) = rest.rsplit_once(':')?;
        Some((file.to_owned(), line.to_owned()))
    };
    let is_error = |line: &String| {
        let name = line.split([':', ' ']).next().unwrap_or_default();
        name.ends_with("Error") && line.contains(':') && !line.starts_with(' ')
    };
    let last_frame = lines.iter().rposition(|line| frame(line).is_some())?;
    let first = lines[..last_frame].iter().rposition(is_error)?;
    let above = lines[first.saturating_sub(6)..first]
        .iter()
        .filter_map(|line| line.rsplit_once(':'))
        .map(|(file, line)| (file.to_owned(), line.to_owned()));
    let span = lines[first..=last_frame]
        .iter()
        .filter_map(|line| frame(line))
        .chain(above)
        .find_map(|(file, line)| sources.place(&file, &line));
    let what = lines[first].trim().to_owned();
    Some((last_frame, Failure { what, span }))
}

/// `panic: …`, `goroutine 1 [running]:`, and files with lines below.
fn go(lines: &[String], sources: &Sources<'_>) -> Option<(usize, Failure)> {
    let first = lines
        .iter()
        .rposition(|line| line.starts_with("panic: ") || line.starts_with("fatal error: "))?;
    let span = lines[first..].iter().find_map(|line| {
        let place = line.strip_prefix('\t')?.split(' ').next()?;
        let (file, number) = place.rsplit_once(':')?;
        file.ends_with(".go").then(|| sources.place(file, number))?
    });
    let what = lines[first].trim().to_owned();
    Some((first, Failure { what, span }))
}

/// `thread 'main' panicked at src/main.rs:12:5:`, and why in the next line.
fn rust(lines: &[String], sources: &Sources<'_>) -> Option<(usize, Failure)> {
    let first = lines
        .iter()
        .rposition(|line| line.starts_with("thread '") && line.contains("panicked at "))?;
    let (_, place) = lines[first].split_once("panicked at ")?;
    let (place, _column) = place.trim_end_matches(':').rsplit_once(':')?;
    let (file, line) = place.rsplit_once(':')?;
    let why = lines.get(first + 1).map_or("", |line| line.trim());
    let what = format!("panic: {why}");
    let span = sources.place(file, line);
    Some((first, Failure { what, span }))
}

/// Paths that could not be written to, as the lines name them.
pub(crate) fn refused_writes(lines: &[String]) -> Vec<String> {
    const SAID: &[&str] = &["Read-only file system", "read-only file system"];
    let mut paths: Vec<String> = lines
        .iter()
        .filter_map(|line| {
            let at = SAID.iter().find_map(|said| line.find(said))?;
            quoted(&line[at..])
                .or_else(|| quoted(&line[..at]))
                .or_else(|| {
                    // `open /app/x: read-only file system`
                    let word = line[..at].trim_end_matches([':', ' ']).rsplit(' ').next()?;
                    word.starts_with('/').then(|| word.to_owned())
                })
        })
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// The first path between quotation marks.
fn quoted(text: &str) -> Option<String> {
    let parts = text.split(['\'', '"']).skip(1).step_by(2);
    let mut paths = parts.filter(|part| part.contains('/'));
    paths.next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn told(text: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let context = directory.path().join("backend");
        fs_err::create_dir_all(context.join("desk")).unwrap();
        fs_err::write(context.join("desk/main.py"), "").unwrap();
        fs_err::create_dir_all(context.join("src")).unwrap();
        fs_err::write(context.join("src/main.rs"), "").unwrap();
        fs_err::write(context.join("main.go"), "").unwrap();
        fs_err::write(directory.path().join("server.js"), "").unwrap();
        let sources = Sources {
            directory: directory.path(),
            context: Some(context),
        };
        match failure(&lines(text), &sources) {
            Some(Failure { what, span }) => match span {
                Some(span) => format!("{what} ({}:{})", span.file.display(), span.start.line),
                None => what,
            },
            None => "nothing".to_owned(),
        }
    }

    #[test]
    fn the_deepest_line_of_the_project_is_where_python_failed() {
        insta::assert_snapshot!(told(
            r#"INFO: started
Traceback (most recent call last):
  File "/app/desk/main.py", line 3, in <module>
    import yaml
  File "/app/.venv/lib/python3.12/site-packages/other/main.py", line 9, in <module>
    raise ModuleNotFoundError
ModuleNotFoundError: No module named 'yaml'
"#
        ), @"ModuleNotFoundError: No module named 'yaml' (backend/desk/main.py:3)");
        insta::assert_snapshot!(told(
            "  File \"/app/desk/main.py\", line 7\n    def (:\n        ^\nSyntaxError: invalid syntax\n"
        ), @"SyntaxError: invalid syntax (backend/desk/main.py:7)");
        insta::assert_snapshot!(told(
            "Traceback (most recent call last):\n  File \"/app/desk/main.py\", line 9, in <module>\n    settings = Settings()\npydantic_core._pydantic_core.ValidationError: 1 validation error for Settings\nsecret\n  Field required\n"
        ), @"pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings: secret: Field required (backend/desk/main.py:9)");
        insta::assert_snapshot!(told(
            "╭───── Traceback (most recent call last) ─────╮\n│ /app/desk/main.py:21 in main                │\n╰──────────────────────────────────────────────╯\nFileNotFoundError: no such file\n"
        ), @"FileNotFoundError: no such file (backend/desk/main.py:21)");
    }

    #[test]
    fn other_languages_say_it_otherwise() {
        insta::assert_snapshot!(told(
            "Error: Cannot find module 'express'\nRequire stack:\n    at load (node:internal/loader:1:2)\n    at file:///app/server.js:12:5\n"
        ), @"Error: Cannot find module 'express' (server.js:12)");
        insta::assert_snapshot!(told(
            "/app/server.js:7\nconst = 1;\n      ^\n\nSyntaxError: Unexpected token '='\n    at wrap (node:internal/modules:1:2)\n"
        ), @"SyntaxError: Unexpected token '=' (server.js:7)");
        insta::assert_snapshot!(told(
            "panic: assignment to entry in nil map\n\ngoroutine 1 [running]:\nmain.main()\n\texample.com/desk/main.go:12 +0x1d\n"
        ), @"panic: assignment to entry in nil map (backend/main.go:12)");
        insta::assert_snapshot!(told(
            "thread 'main' (1) panicked at src/main.rs:12:5:\nno database\nnote: run with `RUST_BACKTRACE=1`\n"
        ), @"panic: no database (backend/src/main.rs:12)");
        insta::assert_snapshot!(told("INFO: all is well\n"), @"nothing");
    }

    #[test]
    fn writes_that_were_refused() {
        let lines = lines(
            "OSError: [Errno 30] Read-only file system: '/app/data'\n\
             Error: EROFS: read-only file system, mkdir '/app/logs'\n\
             open /var/x.db: read-only file system\n",
        );
        assert_eq!(
            refused_writes(&lines),
            ["/app/data", "/app/logs", "/var/x.db"]
        );
    }

    #[test]
    fn the_last_word_is_a_line_that_says_something() {
        let lines = lines("starting\nno token was given\n----\n\n");
        assert_eq!(last_word(&lines).as_deref(), Some("no token was given"));
    }

    #[test]
    fn words_of_an_error_lead_to_who_wrote_them() {
        let directory = tempfile::tempdir().unwrap();
        let sources = Sources {
            directory: directory.path(),
            context: None,
        };
        fs_err::write(
            directory.path().join("main.go"),
            "func main() {\n\tlog.Fatalf(\"cannot make a desk: %v\", err)\n\tfmt.Errorf(\"open the drawer: %w\", err)\n}\n",
        )
        .unwrap();
        let place = |error: &str| {
            let span = author(error, &sources)?;
            Some((span.file.display().to_string(), span.start.line))
        };
        let at = |line| Some(("main.go".to_owned(), line));
        assert_eq!(place("cannot make a desk: open the drawer: no key"), at(3));
        assert_eq!(place("cannot make a desk: no key"), at(2));
        assert_eq!(
            place("make a desk: stat /x: no such file or directory"),
            None
        );
        fs_err::write(directory.path().join("other.go"), "\"cannot make a desk\"").unwrap();
        assert_eq!(place("cannot make a desk: no key"), None);
    }

    #[test]
    fn times_are_no_part_of_a_last_word() {
        for line in [
            "2026/11/21 20:45:52 no key",
            "2026-11-21T20:45:52.123Z no key",
            "no key",
        ] {
            assert_eq!(last_word(&[line.to_owned()]).as_deref(), Some("no key"));
        }
    }

    #[test]
    fn what_is_wrong_stands_above_the_last_word() {
        let lines = lines(
            "Collecting x\nERROR: No matching distribution found for x==9\n\n[notice] a new release is there\n",
        );
        assert_eq!(
            complaint(&lines).as_deref(),
            Some("ERROR: No matching distribution found for x==9")
        );
        assert_eq!(complaint(&lines[..1]).as_deref(), Some("Collecting x"));
    }

    proptest::proptest! {
        #[test]
        fn no_log_is_too_strange(text in "(?s).{0,400}") {
            let sources = Sources { directory: Path::new("/nowhere"), context: None };
            let lines = lines(&text);
            let _ = failure(&lines, &sources);
            let _ = refused_writes(&lines);
            let _ = complaint(&lines);
        }
    }
}
