//! Health checks as files claim them: what they call, and what they ask.

use std::sync::Arc;

use plimsoll_model::HealthTest;

use crate::claims::{Line, inside_shell};
use crate::tree::{Question, Tree};

/// What a health check does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Check {
    /// A request to the container itself: port and path.
    Http {
        program: String,
        port: u16,
        path: String,
    },
    /// A program that looks at processes.
    Processes { program: String },
    /// Another program.
    Program {
        program: String,
        /// Its long flags, without dashes and values.
        flags: Vec<String>,
    },
}

/// Programs that look at processes; slim images do not have them.
const PROCESSES: &[&str] = &[
    "ps", "pgrep", "pidof", "pkill", "kill", "killall", "top", "ss", "netstat", "lsof",
];

/// What a Compose health check does.
pub(crate) fn of_test(test: &HealthTest) -> Option<Check> {
    match test {
        HealthTest::Disabled => None,
        HealthTest::Exec(words) => of_words(&inside_shell(words)),
        HealthTest::Shell(line) => of_line(line),
    }
}

/// What a Dockerfile's health check does.
pub(crate) fn of_dockerfile(line: &Line) -> Option<Check> {
    match line {
        Line::Exec(words) => of_words(&inside_shell(words)),
        Line::Shell(line) => of_line(line),
    }
}

fn of_line(line: &str) -> Option<Check> {
    let first = line.split("||").next().unwrap_or(line);
    let words: Vec<String> = first
        .split_whitespace()
        .map(|word| word.trim_matches(['"', '\'']).to_owned())
        .collect();
    of_words(&words)
}

fn of_words(words: &[String]) -> Option<Check> {
    let program = words.first()?;
    let program = program.rsplit('/').next().unwrap_or(program).to_owned();
    if PROCESSES.contains(&program.as_str()) {
        return Some(Check::Processes { program });
    }
    if matches!(
        program.as_str(),
        "curl" | "wget" | "http" | "plimsoll-probe"
    ) {
        let url = words.iter().find_map(|word| {
            let word = word.trim_matches(['"', '\'']);
            let rest = word.strip_prefix("http://").or_else(|| {
                (word.starts_with("localhost") || word.starts_with("127.0.0.1")).then_some(word)
            })?;
            let (authority, path) = match rest.find('/') {
                Some(index) => rest.split_at(index),
                None => (rest, "/"),
            };
            let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "80"));
            let local = matches!(host, "localhost" | "127.0.0.1" | "0.0.0.0" | "[::1]");
            local
                .then(|| {
                    Some((
                        port.parse().ok()?,
                        path.split('?').next().unwrap_or(path).to_owned(),
                    ))
                })
                .flatten()
        });
        if let Some((port, path)) = url {
            return Some(Check::Http {
                program,
                port,
                path,
            });
        }
    }
    let flags = words[1..]
        .iter()
        .filter_map(|word| word.strip_prefix("--"))
        .map(|flag| flag.split('=').next().unwrap_or(flag).to_owned())
        .filter(|flag| flag.len() > 2)
        .collect();
    Some(Check::Program { program, flags })
}

/// The flag of a check that the program under check is asked with, and that no source knows: the check
/// starts a second server instead.
pub(crate) fn unknown_flag<'c>(tree: &Tree, check: &'c Check, own: &str) -> Option<&'c str> {
    let Check::Program { program, flags } = check else {
        return None;
    };
    if own.rsplit('/').next() != Some(program) {
        return None;
    }
    flags.iter().map(String::as_str).find(|flag| {
        let spelt = vec![(*flag).to_owned(), flag.replace('-', "_")];
        let question = Arc::new(Question::Contains(spelt));
        !tree.files().iter().any(|file| {
            let code = crate::syntax::Grammar::of(&file.path)
                .is_some_and(|grammar| grammar != crate::syntax::Grammar::Json)
                || file.path.extension().is_some_and(|end| end == "rs");
            // That a text occurs nowhere proves that nothing parses it; where it occurs, nothing is claimed.
            code && tree
                .answer(&file.path, &question)
                .is_some_and(|spelt| !spelt.is_empty())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_understood() {
        let shell = |line: &str| of_test(&HealthTest::Shell(line.to_owned()));
        assert_eq!(
            shell("curl -fsS http://localhost:8000/api/health > /dev/null || exit 1"),
            Some(Check::Http {
                program: "curl".to_owned(),
                port: 8000,
                path: "/api/health".to_owned()
            })
        );
        assert_eq!(
            shell("ps aux | grep -q '[f]low' || exit 1"),
            Some(Check::Processes {
                program: "ps".to_owned()
            })
        );
        assert_eq!(
            of_test(&HealthTest::Exec(
                ["sh", "-c", "wget -q localhost/x"]
                    .map(str::to_owned)
                    .to_vec()
            )),
            Some(Check::Http {
                program: "wget".to_owned(),
                port: 80,
                path: "/x".to_owned()
            })
        );
    }
}
