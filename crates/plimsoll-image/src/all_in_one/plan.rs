//! What the supervisor reads: its services, one word and its value on a line.

use std::fmt::Write as _;
use std::time::Duration;

use plimsoll_model::{DependencyCondition, HealthRequest, HealthTest, Healthcheck, Restart};

use super::Member;
use crate::oci::ImageConfig;

/// The plan of these members.
pub(super) fn plan(members: &[Member<'_>]) -> String {
    let mut text = String::new();
    for member in members {
        write(&mut text, member);
    }
    text
}

fn write(text: &mut String, member: &Member<'_>) {
    let config = &member.image.config;
    let mut put = |word: &str, value: &str| {
        let value = value.replace('\\', "\\\\").replace('\n', "\\n");
        writeln!(text, "{word} {value}").expect("a string takes everything");
    };
    put("service", member.name);
    let directory = match &member.working_dir {
        Some(directory) => directory.as_str(),
        None => config.working_dir.as_str(),
    };
    if !directory.is_empty() {
        put("directory", directory);
    }
    for word in command(member, config) {
        put("argument", word);
    }
    for (name, value) in environment(member) {
        put("environment", &format!("{name}={value}"));
    }
    for (name, condition) in &member.after {
        let word = match condition {
            DependencyCondition::ServiceStarted => "after-start",
            DependencyCondition::ServiceHealthy => "after-health",
            DependencyCondition::ServiceCompletedSuccessfully => "after-end",
        };
        put(word, name);
    }
    match member.restart {
        Restart::No => {}
        Restart::Always | Restart::UnlessStopped => put("restart", "always"),
        Restart::OnFailure { max_attempts } => {
            put("restart", "on-failure");
            if let Some(attempts) = max_attempts {
                put("attempts", &attempts.to_string());
            }
        }
    }
    let signal = member.stop_signal.as_ref().or(config.stop_signal.as_ref());
    if let Some(number) = signal.and_then(|name| signal_number(name)) {
        put("stop-signal", &number.to_string());
    }
    if let Some(grace) = member.grace {
        put("grace", &millis(grace));
    }
    if let Some(check) = member.health {
        for (word, value) in check_of(check) {
            put(word, &value);
        }
    }
}

/// What a member runs: what its service says, else its image.
fn command<'m>(member: &'m Member<'_>, config: &'m ImageConfig) -> Vec<&'m str> {
    let (entrypoint, command) = match (&member.entrypoint, &member.command) {
        (Some(entrypoint), Some(command)) => (entrypoint, command),
        // Another entry point takes the image's arguments away.
        (Some(entrypoint), None) => (entrypoint, const { &Vec::new() }),
        (None, Some(command)) => (&config.entrypoint, command),
        (None, None) => (&config.entrypoint, &config.command),
    };
    entrypoint
        .iter()
        .chain(command)
        .map(String::as_str)
        .collect()
}

/// The variables of its image, and its own over them.
fn environment<'m>(member: &'m Member<'_>) -> impl Iterator<Item = (&'m str, &'m str)> {
    let own = &member.environment;
    let of_image = member.image.config.environment.iter();
    of_image
        .filter(|(name, _)| !own.contains_key(name))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain(
            own.iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        )
}

/// Whether the supervisor can make a check.
pub(super) fn is_checked(check: &Healthcheck) -> bool {
    !check_of(check).is_empty()
}

fn check_of(check: &Healthcheck) -> Vec<(&'static str, String)> {
    let Some(test) = &check.test else {
        return Vec::new();
    };
    let mut words = match (HealthRequest::of_test(test), test) {
        (Some(request), _) => request_of(&request),
        (None, HealthTest::Exec(words)) => {
            let words = words.iter().cloned();
            words.map(|word| ("check-argument", word)).collect()
        }
        // No shell is there that could read a line.
        (None, HealthTest::Shell(_) | HealthTest::Disabled) => Vec::new(),
    };
    if words.is_empty() {
        return words;
    }
    for (word, time) in [
        ("interval", check.interval),
        ("timeout", check.timeout),
        ("start-period", check.start_period),
    ] {
        words.extend(time.map(|time| (word, millis(time))));
    }
    words.extend(check.retries.map(|count| ("retries", count.to_string())));
    words
}

/// The words for a request to the container itself; none for one to elsewhere.
fn request_of(request: &HealthRequest) -> Vec<(&'static str, String)> {
    let (word, address, path) = match request {
        HealthRequest::Tcp(address) => ("tcp", address.as_str(), None),
        HealthRequest::Http(url) | HealthRequest::HttpAnyStatus(url) => {
            let Some(rest) = url.strip_prefix("http://") else {
                return Vec::new();
            };
            let word = match request {
                HealthRequest::Http(_) => "http",
                _ => "http-any",
            };
            let (address, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (
                word,
                address,
                Some(if path.is_empty() { "/" } else { path }),
            )
        }
    };
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "80"));
    let is_own = matches!(host, "localhost" | "127.0.0.1" | "0.0.0.0" | "[::1]");
    if !is_own || port.parse::<u16>().is_err() {
        return Vec::new();
    }
    match path {
        Some(path) => vec![(word, path.to_string()), ("port", port.to_string())],
        None => vec![(word, port.to_string())],
    }
}

fn millis(time: Duration) -> String {
    time.as_millis().min(i32::MAX as u128).to_string()
}

/// The number of a signal that asks programs to end, the same on every processor we build for.
fn signal_number(name: &str) -> Option<u8> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    Some(match name.trim_start_matches("SIG") {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "KILL" => 9,
        "USR1" => 10,
        "USR2" => 12,
        "TERM" => 15,
        "WINCH" => 28,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(test: HealthTest) -> Vec<(&'static str, String)> {
        check_of(&Healthcheck {
            test: Some(test),
            retries: Some(2),
            interval: Some(Duration::from_secs(5)),
            timeout: None,
            start_period: None,
            start_interval: None,
        })
    }

    fn exec(line: &str) -> HealthTest {
        HealthTest::Exec(line.split(' ').map(str::to_owned).collect())
    }

    #[test]
    fn requests_become_ports_and_paths() {
        let told = words(exec("curl -f http://localhost:8000/health"));
        assert_eq!(
            told[..2],
            [("http", "/health".into()), ("port", "8000".into())]
        );
        assert_eq!(
            told[2..],
            [("interval", "5000".into()), ("retries", "2".into())]
        );
        let told = words(exec("redis-cli ping"));
        assert_eq!(told[0], ("check-argument", "redis-cli".to_owned()));
        assert!(words(exec("curl -f http://elsewhere:8000/")).is_empty());
        assert!(words(HealthTest::Disabled).is_empty());
    }

    #[test]
    fn signals_have_names_and_numbers() {
        assert_eq!(signal_number("SIGQUIT"), Some(3));
        assert_eq!(signal_number("TERM"), Some(15));
        assert_eq!(signal_number("10"), Some(10));
        assert_eq!(signal_number("SIGRTMIN+3"), None);
    }
}
