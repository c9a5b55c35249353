//! A detection as a person reads it: services, then what they need, then what is wrong.

use std::fmt::Write as _;
use std::time::Duration;

use plimsoll_diag::{Palette, Severity, Span};

use crate::detection::{DetectedService, Detection, Health, ServiceKind, Stream, Variable};
use crate::places;
use crate::shims::Shim;
use crate::trial::{NamedTrial, Trial, Verdict};

/// Which part is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Everything in brief.
    Summary,
    /// The variables, one a line.
    Environment,
    /// What was left out, one a line.
    Rejected,
}

/// Problems shown in the summary; the rest is counted.
const PROBLEMS: usize = 12;
/// Kinds of help shown in the summary; the rest is counted.
const SHIMS: usize = 2;
/// Programs of people shown in the summary; the rest is counted.
const PROGRAMS: usize = 2;

impl Detection {
    /// The detection as text. `elapsed` is how long it took.
    pub fn text(&self, view: View, palette: Palette, elapsed: Duration) -> String {
        match view {
            View::Summary => self.summary_text(palette, elapsed),
            View::Environment => self.environment_text(palette),
            View::Rejected => self.rejected_text(palette),
        }
    }

    /// Everything in brief.
    pub fn summary_text(&self, palette: Palette, elapsed: Duration) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} · {}, {} · {} read in {:.2} s\n",
            palette.bold(&self.name),
            count(self.services.len(), "service"),
            count(self.needs.len(), "need"),
            count(self.files_read, "file"),
            elapsed.as_secs_f64()
        );
        self.services_text(&mut text, palette);
        let mut facts = Facts {
            text: String::new(),
            palette,
        };
        if !self.needs.is_empty() {
            let needs: Vec<_> = self
                .needs
                .iter()
                .map(|need| {
                    let how = need
                        .how
                        .as_deref()
                        .map(|how| format!("{how}, "))
                        .unwrap_or_default();
                    let required = if need.required {
                        "required"
                    } else {
                        "optional"
                    };
                    format!("{} ({how}{required})", need.kind.word())
                })
                .collect();
            facts.line("needs", &needs.join(" · "), "");
        }
        if !self.environment.is_empty() {
            let required = self
                .environment
                .iter()
                .filter(|variable| variable.required)
                .count();
            let secret = self
                .environment
                .iter()
                .filter(|variable| variable.secret)
                .count();
            let what = format!(
                "{} read: {required} required, {secret} secret",
                self.environment.len()
            );
            facts.line("variables", &what, "plimsoll inspect --environment");
        }
        if !self.shims.is_empty() {
            let mut what: Vec<String> = self.shims.iter().take(SHIMS).map(Shim::words).collect();
            if self.shims.len() > SHIMS {
                what.push(format!("{} more", self.shims.len() - SHIMS));
            }
            facts.line("helped", &what.join(" · "), "");
        }
        if let Some(first) = self.rejected.first() {
            let mut what = format!("{} ({})", first.path.display(), first.why);
            if self.rejected.len() > 1 {
                let _ = write!(what, " · {} more", self.rejected.len() - 1);
            }
            facts.line("left out", &what, "plimsoll inspect --rejected");
        }
        if !facts.text.is_empty() {
            let _ = writeln!(text, "{}", facts.text);
        }
        self.problems_text(&mut text, palette);
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }

    fn services_text(&self, text: &mut String, palette: Palette) {
        let mut programs = 0;
        let shown: Vec<&DetectedService> = self
            .services
            .iter()
            .filter(|service| {
                programs += usize::from(service.kind == ServiceKind::Cli);
                service.kind != ServiceKind::Cli || programs <= PROGRAMS
            })
            .collect();
        let rows: Vec<[String; 6]> = shown.iter().map(|service| self.row(service)).collect();
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: [usize; 6] = std::array::from_fn(width);
        for (row, service) in rows.iter().zip(&shown) {
            let [name, kind, what, ports, health, place] = row;
            let line = format!(
                "  {}  {kind:<k$}  {what:<w$}  {ports:<p$}  {health:<h$}  {}",
                palette.bold(&format!("{name:<n$}", n = widths[0])),
                palette.dim(place),
                k = widths[1],
                w = widths[2],
                p = widths[3],
                h = widths[4],
            );
            let _ = writeln!(text, "{}", line.trim_end());
            if !service.command.is_empty()
                && service.shares_with.is_none()
                && service.kind != ServiceKind::Cli
            {
                let indent = " ".repeat(widths[0] + widths[1] + 6);
                let _ = writeln!(text, "{indent}{}", palette.dim(&service.command.join(" ")));
            }
            if let Some(trial) = &service.trial {
                let indent = " ".repeat(widths[0] + widths[1] + 6);
                trial_text(text, trial, &indent, palette);
            }
        }
        if programs > PROGRAMS {
            let _ = writeln!(
                text,
                "  {}",
                palette.dim(&format!(
                    "and {} more declared",
                    count(programs - PROGRAMS, "program")
                ))
            );
        }
        for NamedTrial { name, trial } in &self.also_tried {
            let _ = writeln!(text, "  {}", palette.bold(name));
            trial_text(text, trial, &" ".repeat(widths[0] + widths[1] + 6), palette);
        }
        if self.services.is_empty() {
            text.push_str("  nothing that runs was found\n");
        }
        text.push('\n');
    }

    fn row(&self, service: &DetectedService) -> [String; 6] {
        let mut what = service.framework.clone().unwrap_or_default();
        if let Some(version) = &service.version {
            let _ = write!(what, " {version}");
        }
        for library in &service.built_with {
            let _ = write!(what, ", {library}");
        }
        let file = service
            .dependencies_from
            .as_deref()
            .and_then(std::path::Path::file_name)
            .and_then(|name| name.to_str());
        let separator = if what.is_empty() { "" } else { " · " };
        if let Some(other) = &service.shares_with {
            let _ = write!(what, "{separator}shares {other}'s dependencies");
        } else {
            let from = file.map(|file| format!(" ({file})")).unwrap_or_default();
            match (&*service.language, &service.language_version) {
                ("python", version) => {
                    let version = version
                        .as_deref()
                        .unwrap_or_default()
                        .replace(">=", "≥")
                        .replace("<=", "≤");
                    let _ = write!(what, "{separator}Python {version}{from}");
                }
                (_, _) => what.push_str(&from),
            }
        }
        let ports: Vec<_> = service
            .ports
            .iter()
            .map(|port| format!(":{port}"))
            .collect();
        let mut health = match &service.health {
            Some(Health::Http(route)) => route.path.clone(),
            Some(Health::Tcp { .. }) => "accepts".to_owned(),
            Some(Health::Command { name, .. }) => name.clone(),
            Some(Health::McpHandshake) => "handshake".to_owned(),
            None => String::new(),
        };
        match service.stream {
            Some(Stream::Sse) => health.push_str(" · sse"),
            Some(Stream::Websocket) => health.push_str(" · websocket"),
            None => {}
        }
        [
            service.name.clone(),
            service.kind.word().to_owned(),
            what.replace("  ", " "),
            ports.join(" "),
            health,
            place(&service.defined_at),
        ]
    }

    fn problems_text(&self, text: &mut String, palette: Palette) {
        for problem in self.problems.iter().take(PROBLEMS) {
            let word = format!("{:<8}", format!("{}:", problem.severity));
            let word = match problem.severity {
                Severity::Error => palette.failure(&word),
                Severity::Warning => palette.attention(&word),
                Severity::Note => palette.bold(&word),
            };
            let at = if problem.path.as_os_str().is_empty() {
                String::new()
            } else {
                format!("`{}:{}` ", problem.path.display(), problem.line)
            };
            let _ = writeln!(text, "  {word} {at}{}", problem.what);
            if let Some(hint) = &problem.hint {
                let _ = writeln!(text, "           hint: {hint}");
            }
        }
        if self.problems.len() > PROBLEMS {
            let _ = writeln!(
                text,
                "  {}",
                palette.dim(&format!(
                    "and {} more: plimsoll inspect --json",
                    self.problems.len() - PROBLEMS
                ))
            );
        }
    }

    fn environment_text(&self, palette: Palette) -> String {
        let widest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
        let marks: Vec<String> = self.environment.iter().map(marks_of).collect();
        let names = self.environment.iter().map(|variable| &variable.name);
        let name_width = widest(&mut names.map(|name| name.chars().count()));
        let mark_width = widest(&mut marks.iter().map(|marks| marks.chars().count()));
        let mut text = String::new();
        for (variable, marks) in self.environment.iter().zip(&marks) {
            let at = variable
                .evidence
                .first()
                .map(|evidence| place(&evidence.span))
                .unwrap_or_default();
            let _ = writeln!(
                text,
                "  {}  {marks:<mark_width$}  {}",
                palette.bold(&format!("{:<name_width$}", variable.name)),
                palette.dim(&format!("{} · {at}", variable.services.join(", "))),
            );
        }
        text
    }

    fn rejected_text(&self, palette: Palette) -> String {
        let mut text = String::new();
        let width = self
            .rejected
            .iter()
            .map(|rejected| places::text(&rejected.path).chars().count())
            .max()
            .unwrap_or(0);
        for rejected in &self.rejected {
            let _ = writeln!(
                text,
                "  {:<width$}  {}: {}",
                places::text(&rejected.path),
                rejected.looks_like,
                palette.dim(&rejected.why),
            );
        }
        text
    }
}

/// What a service showed, below its row.
fn trial_text(text: &mut String, trial: &Trial, indent: &str, palette: Palette) {
    let word = match trial.verdict {
        Verdict::Works => palette.success(trial.verdict.word()),
        Verdict::Fails => palette.failure(trial.verdict.word()),
        Verdict::NotTried => palette.dim(trial.verdict.word()),
    };
    let why = trial.why.clone().map(|why| match &trial.place {
        Some(span) => format!("{why} ({})", place(span)),
        None => why,
    });
    let facts: Vec<String> = why.into_iter().chain(trial.facts()).collect();
    let _ = match facts.is_empty() {
        true => writeln!(text, "{indent}{word}"),
        false => writeln!(text, "{indent}{word} · {}", facts.join(" · ")),
    };
    if !trial.made_up.is_empty() {
        let made_up = format!("with made-up {}", trial.made_up.join(", "));
        let _ = writeln!(text, "{indent}{}", palette.dim(&made_up));
    }
}

struct Facts {
    text: String,
    palette: Palette,
}

impl Facts {
    fn line(&mut self, name: &str, what: &str, more: &str) {
        let line = format!("  {name:<9} {what}");
        let _ = if more.is_empty() {
            writeln!(self.text, "{line}")
        } else {
            writeln!(self.text, "{line:<70}  {}", self.palette.dim(more))
        };
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

/// What is worth knowing about a variable, in a few words.
fn marks_of(variable: &Variable) -> String {
    let mut marks = Vec::new();
    if variable.required {
        marks.push("required".to_owned());
    }
    if variable.secret {
        marks.push("secret".to_owned());
    }
    match &variable.default {
        // A default of a secret is itself something not to show.
        Some(_) if variable.secret => marks.push("has a default".to_owned()),
        Some(default) if !default.is_empty() => marks.push(format!("default `{default}`")),
        _ => {}
    }
    marks.join(", ")
}

fn place(span: &Span) -> String {
    format!("{}:{}", span.file.display(), span.start.line)
}
