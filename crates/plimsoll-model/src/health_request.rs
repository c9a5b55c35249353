//! Health checks that are requests: the usual `curl`, `wget`, `nc` and `plimsoll-probe` forms.
//!
//! What is not understood to the last word is no request, and is run as it is written.

use serde::Serialize;

use crate::HealthTest;

/// A request that says the same as a health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthRequest {
    /// A GET of a URL that must be answered with 2xx or 3xx.
    Http(String),
    /// A GET of a URL that must be answered in HTTP.
    HttpAnyStatus(String),
    /// A connection to `host:port`.
    Tcp(String),
}

impl HealthRequest {
    /// The request that says the same as a test, where there is one.
    pub fn of_test(test: &HealthTest) -> Option<Self> {
        match test {
            HealthTest::Disabled => None,
            HealthTest::Exec(words) => Self::of_words(words),
            HealthTest::Shell(line) => Self::of_line(line),
        }
    }

    /// The port that is asked.
    pub fn port(&self) -> Option<u16> {
        let (address, usual) = match self {
            Self::Http(url) | Self::HttpAnyStatus(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
                let usual = if scheme == "https" { 443 } else { 80 };
                (rest.split(['/', '?']).next().unwrap_or_default(), usual)
            }
            Self::Tcp(address) => (address.as_str(), 0),
        };
        match address.rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => port.parse().ok(),
            _ => (usual > 0).then_some(usual),
        }
    }

    /// The request that a program makes, where it makes just one.
    pub fn of_words(words: &[String]) -> Option<Self> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            [shell_name, "-c", line] if is_shell(shell_name) => shell(line),
            _ => program(&words),
        }
    }

    /// The request that a line for a shell makes, where it makes just one.
    pub fn of_line(line: &str) -> Option<Self> {
        shell(line)
    }
}

fn is_shell(program: &str) -> bool {
    matches!(base_name(program), "sh" | "bash" | "dash" | "ash")
}

fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// A line that is one simple command, possibly silenced, possibly with `|| exit N`.
fn shell(line: &str) -> Option<HealthRequest> {
    let command = match line.split_once("||") {
        Some((command, alternative)) => {
            let words: Vec<&str> = alternative.split_ascii_whitespace().collect();
            match words[..] {
                ["false"] => {}
                ["exit", code] if code.parse::<u8>().is_ok_and(|code| code != 0) => {}
                _ => return None,
            }
            command
        }
        None => line,
    };
    let words = split_words(command)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    program(&words)
}

/// Splits a simple command into words; `None` for anything a shell would interpret further.
/// Redirections to `/dev/null` and of one output to the other are dropped.
fn split_words(command: &str) -> Option<Vec<String>> {
    let mut plain = format!(" {command} ");
    for silence in [
        " >/dev/null",
        " > /dev/null",
        " 1>/dev/null",
        " 2>/dev/null",
        " 2> /dev/null",
        " &>/dev/null",
        " &> /dev/null",
        " >/dev/stdout",
        " 2>&1",
        " 1>&2",
    ] {
        plain = plain.replace(&format!("{silence} "), " ");
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = plain.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' => words.extend(word.take()),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        end if end == character => break,
                        '$' | '`' | '\\' if character == '"' => return None,
                        inner => word.push(inner),
                    }
                }
            }
            '$' | '`' | '\\' | '|' | '&' | ';' | '<' | '>' | '(' | ')' | '{' | '}' | '*' | '['
            | ']' | '!' | '#' | '\n' | '~' => return None,
            // An unquoted `?` is a pattern, but one that no file matches stays as it is; in an
            // address it always is a query.
            other => word.get_or_insert_default().push(other),
        }
    }
    Some(words)
}

fn program(words: &[&str]) -> Option<HealthRequest> {
    let (name, arguments) = words.split_first()?;
    match base_name(name) {
        "curl" => curl(arguments),
        "wget" => wget(arguments),
        "nc" | "netcat" | "ncat" => netcat(arguments),
        "plimsoll-probe" => match arguments {
            ["http", url] => Some(HealthRequest::Http((*url).to_owned())),
            ["tcp", address] => Some(HealthRequest::Tcp((*address).to_owned())),
            _ => None,
        },
        _ => None,
    }
}

fn curl(arguments: &[&str]) -> Option<HealthRequest> {
    let mut must_succeed = false;
    let mut url = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            "--fail" | "--fail-with-body" => must_succeed = true,
            "--silent"
            | "--show-error"
            | "--location"
            | "--head"
            | "--insecure"
            | "--no-buffer"
            | "--ipv4"
            | "--ipv6"
            | "--compressed"
            | "--no-progress-meter"
            | "--retry-connrefused" => {}
            "--output" => discards(rest.next()?)?,
            "--max-time" | "--connect-timeout" | "--retry" | "--retry-delay"
            | "--retry-max-time" | "--noproxy" => drop(rest.next()?),
            "--request" => is_get(rest.next()?)?,
            long if long.starts_with("--") => {
                let (name, _) = long.split_once('=')?;
                if !matches!(name, "--max-time" | "--connect-timeout" | "--retry") {
                    return None;
                }
            }
            short if short.starts_with('-') && short.len() > 1 => {
                for (at, flag) in short[1..].char_indices() {
                    match flag {
                        'f' => must_succeed = true,
                        's' | 'S' | 'L' | 'I' | 'k' | 'N' | '4' | '6' | 'q' => {}
                        'o' | 'm' | 'X' => {
                            // The value is the rest of the word, or the next word.
                            let inline = &short[1 + at + 1..];
                            let value = if inline.is_empty() {
                                rest.next()?
                            } else {
                                inline
                            };
                            match flag {
                                'o' => discards(value)?,
                                'X' => is_get(value)?,
                                _ => {}
                            }
                            break;
                        }
                        _ => return None,
                    }
                }
            }
            address => {
                if url.replace(address).is_some() {
                    return None;
                }
            }
        }
    }
    let url = url?.to_owned();
    Some(if must_succeed {
        HealthRequest::Http(url)
    } else {
        HealthRequest::HttpAnyStatus(url)
    })
}

fn is_get(method: &str) -> Option<()> {
    matches!(method, "GET" | "HEAD").then_some(())
}

fn discards(output: &str) -> Option<()> {
    matches!(output, "/dev/null" | "-" | "/dev/stdout").then_some(())
}

fn wget(arguments: &[&str]) -> Option<HealthRequest> {
    let mut url = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            "--quiet"
            | "--no-verbose"
            | "--spider"
            | "--no-check-certificate"
            | "--no-cache"
            | "-nv"
            | "--server-response" => {}
            "--tries" | "--timeout" | "-t" | "-T" | "-Y" | "--proxy" => drop(rest.next()?),
            "--output-document" => discards(rest.next()?)?,
            long if long.starts_with("--") => match long.split_once('=')? {
                ("--tries" | "--timeout" | "--waitretry" | "--proxy", _) => {}
                ("--output-document", output) => discards(output)?,
                _ => return None,
            },
            short if short.starts_with('-') && short.len() > 1 => {
                for (at, flag) in short[1..].char_indices() {
                    match flag {
                        'q' | 'S' => {}
                        'O' => {
                            let inline = &short[1 + at + 1..];
                            discards(if inline.is_empty() {
                                rest.next()?
                            } else {
                                inline
                            })?;
                            break;
                        }
                        'T' | 't' => break,
                        _ => return None,
                    }
                }
            }
            address => {
                if url.replace(address).is_some() {
                    return None;
                }
            }
        }
    }
    Some(HealthRequest::Http(url?.to_owned()))
}

fn netcat(arguments: &[&str]) -> Option<HealthRequest> {
    let mut scans = false;
    let mut places = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            "-w" => drop(rest.next()?),
            short if short.starts_with('-') && short.len() > 1 => {
                for flag in short[1..].chars() {
                    match flag {
                        'z' => scans = true,
                        'v' | 'n' | '4' | '6' => {}
                        'w' => break,
                        _ => return None,
                    }
                }
            }
            place => places.push(place),
        }
    }
    match places[..] {
        [host, port] if scans && port.parse::<u16>().is_ok() => {
            let host = if host.contains(':') {
                format!("[{host}]")
            } else {
                host.to_owned()
            };
            Some(HealthRequest::Tcp(format!("{host}:{port}")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of_shell(line: &str) -> Option<HealthRequest> {
        HealthRequest::of_line(line)
    }

    #[test]
    fn usual_forms_are_understood() {
        let health = || {
            Some(HealthRequest::Http(
                "http://localhost:8000/health".to_owned(),
            ))
        };
        for line in [
            "curl -f http://localhost:8000/health",
            "curl -f http://localhost:8000/health || exit 1",
            "curl -fsS http://localhost:8000/health > /dev/null || exit 1",
            "curl --fail --silent http://localhost:8000/health >/dev/null 2>&1 || exit 1",
            "/usr/bin/curl -sSfL -o /dev/null --max-time 3 'http://localhost:8000/health'",
            "curl -so/dev/null -f -m 5 \"http://localhost:8000/health\" || false",
            "wget -q --spider http://localhost:8000/health || exit 1",
            "wget --no-verbose --tries=1 --spider http://localhost:8000/health",
            "wget -qO- http://localhost:8000/health &> /dev/null || exit 1",
            "wget -q -T 3 -O /dev/null http://localhost:8000/health",
            "plimsoll-probe http http://localhost:8000/health",
            "sh -c 'curl -f http://localhost:8000/health'",
        ] {
            let words = || {
                line.split_once(" -c '").map(|(shell, rest)| {
                    vec![
                        shell.to_owned(),
                        "-c".to_owned(),
                        rest.trim_end_matches('\'').to_owned(),
                    ]
                })
            };
            let probe = match words() {
                Some(words) => HealthRequest::of_words(&words),
                None => of_shell(line),
            };
            assert_eq!(probe, health(), "{line}");
        }
        assert_eq!(
            of_shell("curl -s localhost:9200/_cat?v"),
            Some(HealthRequest::HttpAnyStatus(
                "localhost:9200/_cat?v".to_owned()
            ))
        );
        assert_eq!(
            of_shell("nc -zv -w 3 127.0.0.1 5432"),
            Some(HealthRequest::Tcp("127.0.0.1:5432".to_owned()))
        );
    }

    #[test]
    fn what_means_more_is_left_alone() {
        for line in [
            "curl -f http://localhost:$PORT/health",
            "curl -f http://localhost/a && curl -f http://localhost/b",
            "curl -s http://localhost/health | grep ok",
            "curl -f -H 'Authorization: x' http://localhost/",
            "curl -f -X POST http://localhost/",
            "curl -f http://localhost/ -o /data/file",
            "curl -f http://localhost/ || true",
            "curl -f http://localhost/ || exit 0",
            "curl -f \"http://localhost/`id`\"",
            "pg_isready -U postgres",
            "nc localhost 80",
            "curl",
            "",
        ] {
            assert_eq!(of_shell(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "(curl|wget|nc) [-a-zA-Z0-9 '\"|>&/=é]{0,40}") {
            let _ = of_shell(&line);
        }
    }
}
