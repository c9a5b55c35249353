//! Instructions that change how the image starts, and no file.

use std::time::Duration;

use plimsoll_diag::Spanned;
use plimsoll_model::dockerfile::{
    CommandLine, Flag, HealthInstruction, Instruction, InstructionKind,
};

use super::DockerfileError;
use super::stage::StageState;
use crate::oci::Healthcheck;

/// Applies an instruction to a stage's configuration.
pub(super) fn apply(
    state: &mut StageState,
    instruction: &Instruction,
) -> Result<(), DockerfileError> {
    match &instruction.kind {
        InstructionKind::Env(pairs) => {
            // All see the values from before this instruction.
            let values: Vec<(String, String)> = pairs
                .iter()
                .map(|pair| {
                    let name = state.variables.expand(&pair.name)?;
                    Ok((name, state.variables.expand(&pair.value)?))
                })
                .collect::<Result<_, DockerfileError>>()?;
            for (name, value) in values {
                state.variables.set(name, value);
            }
            state
                .config
                .environment
                .clone_from(&state.variables.environment);
        }
        InstructionKind::Label(pairs) => {
            for pair in pairs {
                let name = state.variables.expand(&pair.name)?;
                let value = state.variables.expand(&pair.value)?;
                state.config.labels.insert(name, value);
            }
        }
        InstructionKind::Cmd(command) => {
            state.config.command = words(state, command);
            state.says_command = true;
        }
        InstructionKind::Entrypoint(command) => {
            state.config.entrypoint = words(state, command);
            // What the base's entry point took as arguments means nothing to another.
            if !state.says_command {
                state.config.command.clear();
            }
        }
        InstructionKind::User(word) => state.config.user = state.variables.expand(word)?,
        InstructionKind::Expose(list) => {
            for word in list {
                let text = state.variables.expand(word)?;
                for port in text.split_whitespace() {
                    state.config.exposed_ports.extend(ports(word, port)?);
                }
            }
        }
        InstructionKind::Volume(list) => {
            for word in list {
                let path = state.variables.expand(word)?;
                state.config.volumes.insert(path);
            }
        }
        InstructionKind::StopSignal(word) => {
            state.config.stop_signal = Some(state.variables.expand(word)?);
        }
        InstructionKind::Healthcheck(check) => {
            state.config.healthcheck = Some(health(state, check)?);
        }
        InstructionKind::Shell(shell) => state.config.shell.clone_from(shell),
        InstructionKind::Onbuild(text) => state.config.on_build.push(text.value.clone()),
        // It has long been a label that nobody reads.
        InstructionKind::Maintainer(_) => {}
        _ => {}
    }
    Ok(())
}

fn words(state: &StageState, command: &CommandLine) -> Vec<String> {
    match command {
        CommandLine::Exec(words) => words.clone(),
        CommandLine::Shell(line) if line.is_empty() => Vec::new(),
        CommandLine::Shell(line) => {
            let mut words = state.shell();
            words.push(line.clone());
            words
        }
    }
}

/// `8000`, `53/udp`, `7000-7002`.
fn ports(word: &Spanned<String>, text: &str) -> Result<Vec<String>, DockerfileError> {
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last))
            if first <= last && ["tcp", "udp", "sctp"].contains(&protocol.as_str()) =>
        {
            Ok((first..=last)
                .map(|port| format!("{port}/{protocol}"))
                .collect())
        }
        _ => Err(
            DockerfileError::at(word.span.clone(), format!("`{text}` is no port"))
                .hint("write a number up to 65535, or `53/udp`"),
        ),
    }
}

fn health(
    state: &StageState,
    instruction: &HealthInstruction,
) -> Result<Healthcheck, DockerfileError> {
    let HealthInstruction::Check { flags, command } = instruction else {
        return Ok(Healthcheck {
            test: vec!["NONE".to_owned()],
            ..Healthcheck::default()
        });
    };
    let mut check = Healthcheck {
        test: match command {
            CommandLine::Exec(words) => {
                let mut test = vec!["CMD".to_owned()];
                test.extend(words.iter().cloned());
                test
            }
            CommandLine::Shell(line) => vec!["CMD-SHELL".to_owned(), line.clone()],
        },
        ..Healthcheck::default()
    };
    for flag in flags {
        let value = match &flag.value {
            Some(value) => state.variables.expand(value)?,
            None => String::new(),
        };
        if flag.name.value == "retries" {
            let number = value.parse().map_err(|_| no_value(flag, &value))?;
            check.retries = (number > 0).then_some(number);
            continue;
        }
        let time = duration(&value).ok_or_else(|| no_value(flag, &value))?;
        let time = (!time.is_zero()).then_some(time);
        match flag.name.value.as_str() {
            "interval" => check.interval = time,
            "timeout" => check.timeout = time,
            "start-period" => check.start_period = time,
            _ => check.start_interval = time,
        }
    }
    Ok(check)
}

fn no_value(flag: &Flag, value: &str) -> DockerfileError {
    DockerfileError::at(
        flag.name.span.clone(),
        format!("`{value}` is no value of `--{}`", flag.name.value),
    )
    .hint("times are like `30s` and `1m30s`")
}

/// `1h2m3.5s`, `500ms`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        seconds += number
            * match &rest[..end] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[end..];
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(seconds).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        assert_eq!(duration("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("0"), Some(Duration::ZERO));
        assert_eq!(duration("5"), None);
        assert_eq!(duration(""), None);
        assert_eq!(duration("3x"), None);
    }

    #[test]
    fn ports_have_ranges_and_protocols() {
        let of = |text: &str| ports(&Spanned::default(), text).ok();
        assert_eq!(of("80"), Some(vec!["80/tcp".to_owned()]));
        assert_eq!(of("1-2/UDP").unwrap(), ["1/udp", "2/udp"]);
        assert_eq!(of("2-1"), None);
        assert_eq!(of("x"), None);
        assert_eq!(of("80/http"), None);
    }
}
