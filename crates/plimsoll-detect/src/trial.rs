//! What a service showed when it was started, as part of a detection.
//!
//! Only data and words: whoever runs services fills it in. Nothing here runs or judges anything.

use plimsoll_diag::Span;
use plimsoll_model::facts::as_optional_place;
use serde::{Deserialize, Serialize};

/// What one service showed when it was started beside what it needs.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// Whether it does what it is there for.
    pub verdict: Verdict,
    /// What failed, or why it was not tried.
    pub why: Option<String>,
    /// The place in the project that a failure comes from.
    #[serde(serialize_with = "as_optional_place")]
    pub place: Option<Span>,
    /// Seconds from its start until it was up.
    pub seconds: Option<f64>,
    /// TCP ports it listens on.
    pub listens: Vec<Listening>,
    /// What its paths answer.
    pub answers: Vec<Answer>,
    /// What it said of itself over the Model Context Protocol.
    pub handshake: Option<Handshake>,
    /// What its health check said last, where it has one that was run.
    pub check: Option<Check>,
    /// What it loaded.
    pub loads: Loads,
    /// Files it made or changed, where it may.
    pub writes: Vec<String>,
    /// Paths that it could not write to.
    pub refused_writes: Vec<String>,
    /// How it ended when it was asked to.
    pub stop: Option<Stop>,
    /// Variables that nothing sets, and that got a made-up value.
    pub made_up: Vec<String>,
    /// The last lines it wrote, where it failed.
    pub last_lines: Vec<String>,
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It does what it is there for.
    Works,
    /// It does not.
    Fails,
    /// It could not be tried.
    NotTried,
}

/// A port that is listened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Listening {
    /// The port.
    pub port: u16,
    /// Who reaches it.
    pub reach: Reach,
}

/// Who reaches a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Only programs in the same container.
    Container,
    /// Other containers, too.
    Network,
}

/// What a path answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The port that was asked.
    pub port: u16,
    /// The path.
    pub path: String,
    /// The status.
    pub status: u16,
    /// The type of the content, as the answer says it.
    pub content_type: Option<String>,
    /// How the content begins.
    pub begins: String,
}

/// What a server of the Model Context Protocol says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Handshake {
    /// Its name, and its version.
    pub server: String,
    /// The version of the protocol that both speak.
    pub protocol: String,
    /// The transport: `stdio`, `streamable-http`, `sse`.
    pub transport: &'static str,
    /// The path of its endpoint, where it has one.
    pub path: Option<String>,
    /// The names of its tools; `None`: it has none to list.
    pub tools: Option<Vec<String>>,
}

/// What a health check said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What is run, in a few words.
    pub what: String,
    /// Whether it passed.
    pub passed: bool,
    /// What it said.
    pub said: String,
}

/// What a program loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Loads {
    /// How many modules the interpreter imported; none where that is not known.
    pub modules: usize,
    /// Top-level modules of the project.
    pub own: Vec<String>,
    /// Top-level modules of what is installed.
    pub installed: Vec<String>,
    /// Shared libraries of the image.
    pub libraries: Vec<String>,
}

/// How a service ended when it was asked to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stop {
    /// 128 + signal when a signal ended it: 143 for SIGTERM, 137 for SIGKILL.
    pub exit_code: Option<i32>,
    /// How long it took.
    pub seconds: f64,
}

/// A trial of something that is no service of the detection: a service that only a Compose file
/// names, or a job that helps another service.
#[derive(Debug, Clone, Serialize)]
pub struct NamedTrial {
    /// Its name in the project.
    pub name: String,
    /// What it showed.
    #[serde(flatten)]
    pub trial: Trial,
}

/// How many names of tools are told; the data has all of them.
const MOST_TOOLS: usize = 4;
/// How many paths are told; the data has all of them.
const MOST_PATHS: usize = 3;

impl Default for Trial {
    fn default() -> Self {
        Self {
            verdict: Verdict::Works,
            why: None,
            place: None,
            seconds: None,
            listens: Vec::new(),
            answers: Vec::new(),
            handshake: None,
            check: None,
            loads: Loads::default(),
            writes: Vec::new(),
            refused_writes: Vec::new(),
            stop: None,
            made_up: Vec::new(),
            last_lines: Vec::new(),
        }
    }
}

impl Trial {
    /// One that could not take place.
    pub fn not_tried(why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::NotTried,
            why: Some(why.into()),
            ..Self::default()
        }
    }

    /// Whether it does not do what it is there for.
    pub fn fails(&self) -> bool {
        self.verdict == Verdict::Fails
    }

    /// Records a failure. The first one counts: others follow from it.
    pub fn fail(&mut self, why: impl Into<String>) {
        self.verdict = Verdict::Fails;
        self.why.get_or_insert(why.into());
    }

    /// Ports that other containers reach.
    pub fn open_ports(&self) -> impl Iterator<Item = u16> {
        self.listens
            .iter()
            .filter(|listening| listening.reach == Reach::Network)
            .map(|listening| listening.port)
    }

    /// What it showed, in a few words each.
    pub fn facts(&self) -> Vec<String> {
        let mut facts = Vec::new();
        if let Some(seconds) = self.seconds {
            facts.push(format!("up in {seconds:.1} s"));
        }
        let ports: Vec<String> = self.listens.iter().map(Listening::words).collect();
        if !ports.is_empty() {
            facts.push(format!("listens on {}", ports.join(" ")));
        }
        facts.extend(self.answers.iter().map(Answer::words));
        facts.extend(self.handshake.iter().map(Handshake::words));
        if let Some(check) = self.check.as_ref().filter(|check| check.passed) {
            facts.push(format!("{} passes", check.what));
        }
        if !self.writes.is_empty() {
            facts.push(format!("writes {}", some(&self.writes, MOST_PATHS)));
        }
        if let Some(Stop { exit_code, seconds }) = &self.stop {
            facts.push(match exit_code {
                Some(137) => format!("killed after {seconds:.1} s"),
                Some(code) => format!("stops in {seconds:.1} s with code {code}"),
                None => format!("stops in {seconds:.1} s"),
            });
        }
        facts
    }
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Fails => "fails",
            Self::NotTried => "not tried",
        }
    }
}

impl Listening {
    fn words(&self) -> String {
        match self.reach {
            Reach::Container => format!("127.0.0.1:{}", self.port),
            Reach::Network => format!(":{}", self.port),
        }
    }
}

impl Answer {
    fn words(&self) -> String {
        let kind = self.content_type.as_deref().unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        format!("{} {} {kind}", self.path, self.status)
            .trim_end()
            .to_owned()
    }
}

impl Handshake {
    fn words(&self) -> String {
        let mut words = format!("handshake with {}", self.server);
        if let Some(path) = &self.path {
            words.push_str(&format!(" at {path}"));
        }
        match &self.tools {
            Some(tools) if !tools.is_empty() => {
                let noun = if tools.len() == 1 { "tool" } else { "tools" };
                words.push_str(&format!(
                    ", {} {noun}: {}",
                    tools.len(),
                    some(tools, MOST_TOOLS)
                ));
            }
            _ => words.push_str(", no tools"),
        }
        words
    }
}

/// The first few of some names.
fn some(names: &[String], most: usize) -> String {
    let mut text = names[..names.len().min(most)].join(", ");
    if names.len() > most {
        text.push_str(&format!(" and {} more", names.len() - most));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_told_in_a_few_words() {
        let trial = Trial {
            seconds: Some(1.3),
            listens: vec![
                Listening {
                    port: 8000,
                    reach: Reach::Network,
                },
                Listening {
                    port: 9000,
                    reach: Reach::Container,
                },
            ],
            answers: vec![Answer {
                port: 8000,
                path: "/health".to_owned(),
                status: 200,
                content_type: Some("application/json; charset=utf-8".to_owned()),
                begins: "{}".to_owned(),
            }],
            handshake: Some(Handshake {
                server: "desk 1.0".to_owned(),
                protocol: "2025-06-18".to_owned(),
                transport: "streamable-http",
                path: Some("/mcp".to_owned()),
                tools: Some(["a", "b", "c", "d", "e"].map(str::to_owned).to_vec()),
            }),
            stop: Some(Stop {
                exit_code: Some(0),
                seconds: 0.34,
            }),
            ..Trial::default()
        };
        insta::assert_snapshot!(trial.facts().join("\n"), @r"
        up in 1.3 s
        listens on :8000 127.0.0.1:9000
        /health 200 application/json
        handshake with desk 1.0 at /mcp, 5 tools: a, b, c, d and 1 more
        stops in 0.3 s with code 0
        ");
    }

    #[test]
    fn the_first_failure_counts() {
        let mut trial = Trial::default();
        trial.fail("it ended");
        trial.fail("its check does not pass");
        assert!(trial.fails());
        assert_eq!(trial.why.as_deref(), Some("it ended"));
    }
}
