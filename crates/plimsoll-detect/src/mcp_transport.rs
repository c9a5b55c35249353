//! Servers of the Model Context Protocol that speak over their standard input unless somebody tells them to speak over
//! HTTP: whether an image, a Compose file or a start script does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_diag::{Evidence, Span};

use crate::claims::matching::{Claim, of_stage, score};
use crate::claims::start_scripts::{port, substituted};
use crate::claims::{Reviewed, Starts};
use crate::detection::{DetectedService, Health, ServiceKind};
use crate::found::Found;

/// The port where nothing says one.
pub(crate) const DEFAULT_PORT: u16 = 8000;

/// What somebody tells a server.
struct Told {
    starts: Option<Starts>,
    directory: Option<PathBuf>,
    words: Vec<String>,
    variables: Vec<(String, String)>,
    port: Option<u16>,
    span: Span,
}

/// Whether a word names a transport over HTTP.
fn is_http(word: &str) -> bool {
    matches!(
        word.to_ascii_lowercase().as_str(),
        "http" | "sse" | "streamable-http" | "streamable_http" | "streamablehttp" | "http-stream"
    )
}

/// Whether arguments choose a transport over HTTP.
pub(crate) fn says_http(words: &[String]) -> bool {
    !arguments(words).is_empty()
}

/// The arguments that choose a transport over HTTP, with those that say where it listens.
fn arguments(words: &[String]) -> Vec<String> {
    let value = |index: usize| -> Option<(usize, &str)> {
        let word = words.get(index)?;
        match word.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => Some((1, value)),
            _ => Some((2, words.get(index + 1)?)),
        }
    };
    let flag = |index: usize| {
        let word = words[index].split('=').next().unwrap_or_default();
        word.trim_start_matches('-').to_ascii_lowercase()
    };
    let chosen = (0..words.len()).find_map(|index| {
        let is_flag = words[index].starts_with('-');
        let named = is_flag
            && matches!(
                flag(index).as_str(),
                "transport" | "transport-type" | "mode" | "t"
            );
        if named {
            let (taken, value) = value(index)?;
            return is_http(value).then(|| words[index..index + taken].to_vec());
        }
        is_http(words[index].trim_start_matches("--")).then(|| vec![words[index].clone()])
    });
    let Some(mut chosen) = chosen else {
        return Vec::new();
    };
    for index in 0..words.len() {
        let named = words[index].starts_with('-')
            && matches!(
                flag(index).as_str(),
                "port" | "host" | "address" | "addr" | "bind" | "bind-address" | "path"
            );
        if let Some((taken, _)) = value(index).filter(|_| named) {
            chosen.extend_from_slice(&words[index..index + taken]);
        }
    }
    chosen
}

/// The variables that choose a transport over HTTP, with those that say where it listens.
fn variables(all: &[(String, String)]) -> Vec<(String, String)> {
    let ends = |name: &str, ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    let chooses = |(name, value): &&(String, String)| {
        ends(
            name,
            &["TRANSPORT", "TRANSPORT_TYPE", "TRANSPORT_MODE", "MCP_MODE"],
        ) && is_http(value)
    };
    if !all.iter().any(|pair| chooses(&pair)) {
        return Vec::new();
    }
    // What only the place knows where it runs is no value.
    let listens = |(name, value): &&(String, String)| {
        !value.contains('$') && ends(name, &["HOST", "PORT", "ADDRESS", "PATH"])
    };
    let of_server = |pair: &&(String, String)| {
        chooses(pair)
            || listens(pair)
                && (pair.0.contains("MCP")
                    || pair.0.contains("SERVER")
                    || pair.0 == "PORT"
                    || pair.0 == "HOST")
    };
    all.iter().filter(of_server).cloned().collect()
}

/// Makes servers of HTTP of those that somebody tells to be.
pub(crate) fn settle(claims: &Reviewed, found: &mut [Found]) {
    let told = told(claims);
    for one in found.iter_mut() {
        if one.service.kind != ServiceKind::McpStdio {
            continue;
        }
        let usual = one.over_http.unwrap_or(DEFAULT_PORT);
        let about = told.iter().filter(|told| is_about(told, &one.service));
        let mut chosen = about.filter_map(|told| {
            let arguments = arguments(&told.words);
            let variables = variables(&told.variables);
            // Where the code was not seen to have both ways, only a word for it counts.
            let named = one.over_http.is_some()
                || !variables.is_empty()
                || arguments
                    .first()
                    .is_some_and(|first| first.contains("transport"));
            if !named {
                return None;
            }
            let chooses = !arguments.is_empty() || !variables.is_empty();
            chooses.then_some((told, arguments, variables))
        });
        if let Some((told, arguments, variables)) = chosen.next() {
            let of_variable = || {
                let mut ports = variables.iter().filter(|(name, _)| name.ends_with("PORT"));
                ports.find_map(|(_, value)| value.parse().ok())
            };
            let of_words = port(&told.words);
            let port = of_words.or_else(of_variable).or(told.port).unwrap_or(usual);
            let arguments = written_out(&arguments, port);
            over_http(one, port, (arguments, variables), told.span.clone());
        }
    }
}

/// Arguments without a shell: with the port in the place of a variable that only the place knows where it runs, and
/// without what else such variables say.
fn written_out(arguments: &[String], port: u16) -> Vec<String> {
    let mut plain: Vec<String> = Vec::new();
    for word in arguments {
        if !word.contains('$') {
            plain.push(word.clone());
            continue;
        }
        let joined = word.split_once('=').filter(|_| word.starts_with('-'));
        let flag = match joined {
            Some((flag, _)) => Some(flag.to_owned()),
            None => plain.pop(),
        };
        let Some(flag) = flag else {
            continue;
        };
        let value = joined.map_or(word.as_str(), |(_, value)| value);
        let address = value
            .rsplit_once(':')
            .filter(|(host, _)| !host.contains('$'));
        let value = match address {
            _ if flag.trim_start_matches('-') == "port" => port.to_string(),
            Some((host, _)) => format!("{host}:{port}"),
            None => continue,
        };
        match joined {
            Some(_) => plain.push(format!("{flag}={value}")),
            None => plain.extend([flag, value]),
        }
    }
    plain
}

fn over_http(
    one: &mut Found,
    port: u16,
    (arguments, variables): (Vec<String>, Vec<(String, String)>),
    span: Span,
) {
    let service = &mut one.service;
    service.kind = ServiceKind::McpHttp;
    service.ports = vec![port];
    service.health = Some(Health::Tcp { port });
    if !says_http(&service.command) {
        service.command.extend(arguments);
    }
    service
        .evidence
        .push(Evidence::new(span, "is told to speak over HTTP"));
    one.says_port = true;
    if let Some(recipe) = &mut service.recipe {
        recipe.command.clone_from(&service.command);
        recipe.ports = vec![port];
        for (name, value) in variables {
            recipe.environment.retain(|(known, _)| *known != name);
            recipe.environment.push((name, value));
        }
    }
}

/// The words of a command and the variables around it, as far as the file itself says what they come to.
fn settled(
    words: &[String],
    variables: impl Iterator<Item = (String, String)>,
) -> (Vec<String>, Vec<(String, String)>) {
    let nothing = BTreeMap::new();
    let variables: Vec<(String, String)> = variables
        .map(|(name, value)| (name, substituted(&value, &nothing)))
        .collect();
    let mut known: BTreeMap<String, String> = variables.iter().cloned().collect();
    known.retain(|_, value| !value.contains('$'));
    let words = words.iter().map(|word| substituted(word, &known));
    (words.collect(), variables)
}

/// Everything that is told to programs.
fn told(claims: &Reviewed) -> Vec<Told> {
    let mut found = Vec::new();
    for program in &claims.deployments.programs {
        let given = program.variables.iter();
        let given = given.filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
        let (words, variables) = settled(&program.words, given);
        found.push(Told {
            starts: program.starts(),
            directory: program.directory.clone(),
            words,
            variables,
            port: match program.ports.as_slice() {
                [only] => Some(only.value),
                _ => None,
            },
            span: program.span.clone(),
        });
    }
    for file in &claims.files {
        let image = file.image(None);
        let directory = file.path.parent().unwrap_or(Path::new(""));
        let line = |line: &Option<plimsoll_diag::Spanned<crate::claims::Line>>| {
            line.as_ref().map(|line| line.words()).unwrap_or_default()
        };
        let whole = [line(&image.entrypoint), line(&image.command)].concat();
        let own = image.command.as_ref().or(image.entrypoint.as_ref());
        let Some(span) = own.and_then(|own| own.span.clone()) else {
            continue;
        };
        let set = image.environment.iter();
        let set = set.map(|(name, value)| (name.clone(), value.value.clone()));
        let (words, variables) = settled(&crate::claims::inside_shell(&whole), set);
        found.push(Told {
            starts: of_stage(&image, directory).starts,
            directory: Some(directory.to_owned()),
            words,
            variables,
            port: match image.ports.as_slice() {
                [only] => Some(only.value),
                _ => None,
            },
            span,
        });
    }
    found
}

/// Whether a program that is told something is this service.
fn is_about(told: &Told, service: &DetectedService) -> bool {
    let elsewhere = told.directory.as_ref().is_some_and(|directory| {
        !service.root.starts_with(directory) && !directory.starts_with(&service.root)
    });
    if elsewhere {
        return false;
    }
    let claim = Claim {
        starts: told.starts.clone(),
        ..Claim::default()
    };
    match &told.starts {
        Some(Starts::Program(_)) | None => {
            // A program of which nobody knows where it lies may be anybody's.
            told.directory.as_ref() == Some(&service.root) || score(&claim, service) > 0
        }
        Some(_) => score(&claim, service) > 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn arguments_choose() {
        for (line, chosen) in [
            (
                "desk --transport http --port 9000",
                "--transport http --port 9000",
            ),
            (
                "desk --port=9000 --transport=sse",
                "--transport=sse --port=9000",
            ),
            ("desk -t streamable-http", "-t streamable-http"),
            ("desk http", "http"),
            ("desk --sse", "--sse"),
            ("desk --transport stdio", ""),
            ("desk", ""),
        ] {
            assert_eq!(arguments(&words(line)).join(" "), chosen, "{line}");
        }
    }

    #[test]
    fn variables_of_a_shell_are_none_of_the_arguments() {
        for (line, plain) in [
            (
                "--transport http --port $PORT",
                "--transport http --port 9000",
            ),
            (
                "--http --port=$PORT --path /a",
                "--http --port=9000 --path /a",
            ),
            ("--sse --bind 0.0.0.0:$PORT", "--sse --bind 0.0.0.0:9000"),
            ("http --host $HOST --port 1", "http --port 1"),
            ("http --host=$HOST", "http"),
        ] {
            let found = written_out(&words(line), 9000).join(" ");
            assert_eq!(found, plain, "{line}");
        }
    }

    #[test]
    fn variables_choose() {
        let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            let list = list.iter();
            list.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let all = pairs(&[
            ("DESK_TRANSPORT", "http"),
            ("MCP_PORT", "9000"),
            ("STORE_HOST", "x"),
        ]);
        assert_eq!(variables(&all), all[..2]);
        assert!(variables(&pairs(&[("DESK_TRANSPORT", "stdio"), ("PORT", "1")])).is_empty());
    }
}
