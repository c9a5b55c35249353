//! What uv says when it fails, made one clear error.

use std::fmt;

/// Why uv could not do its part, in uv's own words, with what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UvFailure {
    /// The distribution at fault, where one is named.
    pub package: Option<String>,
    /// The reason, one line each.
    pub reason: Vec<String>,
    /// What to change.
    pub hints: Vec<String>,
    /// What kind of failure it is.
    pub kind: UvFailureKind,
    /// Everything uv printed.
    pub(crate) whole: String,
    /// Whether it may build where a compiler is.
    pub(crate) wants_compiler: bool,
    /// Whether that compiler is Rust's.
    pub(crate) wants_rust: bool,
    /// Whether compilers were there.
    pub(crate) was_compiled: bool,
}

/// Kinds of failure that are handled differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UvFailureKind {
    /// No set of versions satisfies what is asked for.
    Unsatisfiable,
    /// There is only a source distribution, and building was not allowed.
    OnlySource,
    /// A source distribution did not build.
    Build,
    /// The index gives another file than the one that is locked.
    WrongHash,
    /// The index cannot be reached, or broke off.
    Network,
    /// The disk is full, or what one may use of it.
    DiskFull,
    /// Something else.
    Other,
}

impl fmt::Display for UvFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reason.join("\n"))
    }
}

impl UvFailure {
    /// Reads uv's standard error.
    pub(crate) fn read(stderr: &str) -> Self {
        let lines: Vec<&str> = stderr.lines().map(str::trim_end).collect();
        let start = lines
            .iter()
            .position(|line| line.starts_with("error:"))
            .unwrap_or(0);
        let mut reason = Vec::new();
        let mut hints = Vec::new();
        for line in &lines[start..] {
            let trimmed = line.trim();
            if let Some(hint) = trimmed.strip_prefix("hint: ") {
                if let Some(hint) = ours(hint) {
                    hints.push(hint);
                }
            } else if let Some(cause) = trimmed.strip_prefix("cause: ") {
                reason.push(cause.to_string());
            } else if let Some(error) = trimmed.strip_prefix("error: ") {
                reason.push(error.to_string());
            } else if !trimmed.is_empty() && !is_noise(trimmed) {
                reason.push(trimmed.to_string());
            }
        }
        let whole = lines.join("\n");
        let kind = kind_of(&whole);
        if kind == UvFailureKind::Unsatisfiable
            && reason.len() > 1
            && reason[0].starts_with("No solution found")
        {
            reason.remove(0);
        }
        if reason.is_empty() {
            reason.push("uv failed without saying why".to_string());
        }
        if kind == UvFailureKind::Build {
            reason = without_build_noise(&reason);
        }
        let package = match kind {
            UvFailureKind::OnlySource => between(&whole, "Because ", " has no usable wheels")
                .or_else(|| between(&whole, "Wheels are required for `", "`")),
            UvFailureKind::Build => between(&whole, "build `", "`"),
            UvFailureKind::Unsatisfiable => between(&whole, "Because ", " was not found")
                .or_else(|| between(&whole, "Because only ", " is available")),
            UvFailureKind::WrongHash => between(&whole, "Hash mismatch for `", "`"),
            _ => between(&whole, "Failed to download `", "`"),
        };
        let package = package
            .filter(|name| !name.contains(char::is_whitespace))
            .map(|name| name.to_string());
        let mut failure = Self {
            package,
            reason,
            hints,
            kind,
            wants_compiler: kind == UvFailureKind::Build && names_a_compiler(&whole),
            wants_rust: kind == UvFailureKind::Build && names_rust(&whole),
            was_compiled: false,
            whole,
        };
        failure.advise();
        failure
    }

    /// The hash that a file has which should have another.
    pub(crate) fn computed_hash(&self) -> Option<&str> {
        let (_, after) = self.whole.split_once("Computed:")?;
        after.split_whitespace().next()
    }

    fn advise(&mut self) {
        let name = self.package.clone().unwrap_or_else(|| "it".to_string());
        match self.kind {
            UvFailureKind::Build if self.wants_compiler => {
                self.hints.push(format!(
                    "{name} is compiled on installation, and there is no compiler here: require a \
                     version that has a wheel for this Python"
                ));
            }
            UvFailureKind::Build => self.hints.push(format!(
                "require a version of {name} that has a wheel for this Python"
            )),
            UvFailureKind::DiskFull => self
                .hints
                .push("free some space, for example with `plimsoll prune`".to_string()),
            UvFailureKind::Network => self.hints.push(
                "the index comes from the configuration of uv or pip: check UV_DEFAULT_INDEX, \
                 pip.conf and the proxy"
                    .to_string(),
            ),
            _ => {}
        }
    }
}

/// A hint of uv that a reader of our message can act on; its own switches are not theirs.
fn ours(hint: &str) -> Option<String> {
    let switches = [
        "--no-build",
        "`--",
        "uv cache",
        "network was disabled",
        "Build failures usually",
    ];
    (!switches.iter().any(|switch| hint.contains(switch))).then(|| hint.to_string())
}

/// Of what a build printed, the end of its errors; its ordinary output says nothing.
fn without_build_noise(reason: &[String]) -> Vec<String> {
    const MOST: usize = 10;
    let end = reason.len();
    let place = |marker: &str| reason.iter().position(|line| line == marker).unwrap_or(end);
    let printed = place("[stdout]").min(place("[stderr]"));
    let errors = (place("[stderr]") + 1).min(end);
    let errors = without_warnings(&reason[errors..]);
    let mut kept = reason[..printed].to_vec();
    let tail = errors.len().saturating_sub(MOST);
    kept.extend(errors.into_iter().skip(tail));
    kept
}

/// Leaves out warnings, which setuptools prints as blocks between two lines of `!!`.
fn without_warnings(lines: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut marks_left = 0;
    for line in lines {
        if line.contains("Warning: ") {
            marks_left = 2;
        } else if line == "!!" && marks_left > 0 {
            marks_left -= 1;
        } else if marks_left == 0 && !line.starts_with("self._") {
            kept.push(line.clone());
        }
    }
    kept
}

fn is_noise(line: &str) -> bool {
    [
        "Using ",
        "Resolved ",
        "Prepared ",
        "Downloading ",
        "Downloaded ",
        "Building ",
        "Built ",
    ]
    .iter()
    .any(|start| line.starts_with(start))
        || line.starts_with("warning:")
}

fn kind_of(text: &str) -> UvFailureKind {
    let contains = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    // Whatever could not be written, and whoever wanted to write it: uv, or what builds a package.
    if contains(&[
        "No space left on device",
        "os error 28)",
        "ENOSPC",
        "Disk quota exceeded",
    ]) {
        UvFailureKind::DiskFull
    } else if text.contains("Hash mismatch for `") {
        UvFailureKind::WrongHash
    } else if contains(&[
        "has no usable wheels",
        "Wheels are required for",
        "building from source is disabled",
        // A `setup.py` of the project itself tells what it needs when it is run.
        "Building source distributions is disabled",
    ]) {
        UvFailureKind::OnlySource
    } else if contains(&[
        "Failed to build",
        "Failed to download and build",
        "build backend",
    ]) {
        UvFailureKind::Build
    } else if text.contains("No solution found") {
        UvFailureKind::Unsatisfiable
    } else if contains(&[
        "Failed to fetch",
        "error sending request",
        "Failed to download",
    ]) {
        UvFailureKind::Network
    } else {
        UvFailureKind::Other
    }
}

fn names_rust(text: &str) -> bool {
    ["cargo", "rustc", "Rust", "maturin failed"]
        .iter()
        .any(|name| text.contains(name))
}

fn names_a_compiler(text: &str) -> bool {
    [
        "'gcc'",
        "'cc'",
        "'c++'",
        "x86_64-linux-gnu-gcc",
        "aarch64-linux-gnu-gcc",
        "Unknown compiler",
        "CMake",
        "cargo",
        "Rust",
        "pg_config",
        "pkg-config",
        "mysql_config",
        "Python.h",
        "'make'",
        "'cmake'",
        "'git'",
        "\"cc\"",
        "\"gcc\"",
        "compiler",
    ]
    .iter()
    .any(|name| text.contains(name))
}

fn between(text: &str, start: &str, end: &str) -> Option<String> {
    let (_, after) = text.split_once(start)?;
    let (inside, _) = after.split_once(end)?;
    Some(inside.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsatisfiable_set_is_told_in_the_resolvers_words() {
        let failure = UvFailure::read(
            "error: No solution found when resolving dependencies\n  cause: Because only \
             fastapi<=0.165.0 is available and you require fastapi>=99, we can conclude that your \
             requirements are unsatisfiable.\n",
        );
        assert_eq!(failure.kind, UvFailureKind::Unsatisfiable);
        assert_eq!(failure.package.as_deref(), Some("fastapi<=0.165.0"));
        insta::assert_snapshot!(failure, @"Because only fastapi<=0.165.0 is available and you require fastapi>=99, we can conclude that your requirements are unsatisfiable.");
        assert!(failure.hints.is_empty());
    }

    #[test]
    fn a_source_distribution_is_recognised_and_uvs_switches_are_not_repeated() {
        let failure = UvFailure::read(
            "error: No solution found when resolving dependencies\n  cause: Because \
             psycopg2==2.9.9 has no usable wheels and you require psycopg2==2.9.9, we can \
             conclude that your requirements are unsatisfiable.\n\nhint: Wheels are required for \
             `psycopg2` because building from source is disabled for all packages (i.e., with \
             `--no-build`)\n",
        );
        assert_eq!(failure.kind, UvFailureKind::OnlySource);
        assert_eq!(failure.package.as_deref(), Some("psycopg2==2.9.9"));
        assert!(failure.hints.is_empty());
    }

    #[test]
    fn a_project_that_has_to_be_asked_what_it_needs_is_recognised() {
        let failure = UvFailure::read("error: Building source distributions is disabled\n");
        assert_eq!(failure.kind, UvFailureKind::OnlySource);
    }

    #[test]
    fn of_a_failed_build_the_end_of_its_errors_is_told() {
        let mut text = String::from(
            "error: Failed to build `psycopg2==2.9.9`\n  cause: The build backend returned an error\n\
             \n[stdout]\nrunning egg_info\n\n[stderr]\n",
        );
        for line in 0..40 {
            text.push_str(&format!("line {line}\n"));
        }
        text.push_str("dist.py:765: SetuptoolsDeprecationWarning: old.\n!!\n  ****\n  old\n\n!!\n");
        text.push_str("Error: pg_config executable not found.\n");
        let failure = UvFailure::read(&text);
        assert_eq!(failure.kind, UvFailureKind::Build);
        assert_eq!(failure.package.as_deref(), Some("psycopg2==2.9.9"));
        assert_eq!(failure.reason.len(), 12);
        assert_eq!(failure.reason[10], "line 39");
        assert_eq!(failure.reason[11], "Error: pg_config executable not found.");
        assert!(failure.hints[0].contains("no compiler"));
    }

    #[test]
    fn a_network_failure_says_where_the_address_comes_from() {
        let failure = UvFailure::read(
            "error: Request failed after 3 retries in 8.6s\n  cause: Failed to fetch: \
             http://127.0.0.1:1/simple/black/\n  cause: tcp connect error\n  cause: Connection \
             refused (os error 111)\n",
        );
        assert_eq!(failure.kind, UvFailureKind::Network);
        assert_eq!(failure.reason.len(), 4);
        assert!(failure.hints[0].contains("UV_DEFAULT_INDEX"));
    }

    #[test]
    fn a_full_disk_is_recognised_whatever_uv_was_doing() {
        let said = [
            "error: Failed to download `x==1`\n  cause: failed to write to file `/c/x`\n  cause: No space left on device (os error 28)",
            "error: Failed to write to the cache\n  cause: failed to create directory `/c/sdists-v9`\n  cause: No space left on device (os error 28)",
            "error: Failed to install: x-1-py3-none-any.whl (x==1)\n  cause: failed to copy file from /c to /app: No space left on device (os error 28)",
            "error: Failed to build `x==1`\n  cause: The build backend returned an error\n\n[stderr]\nOSError: [Errno 28] No space left on device\n",
            "error: failed to create file `/c/y`\n  cause: Disk quota exceeded (os error 122)",
        ];
        for text in said {
            let failure = UvFailure::read(text);
            assert_eq!(failure.kind, UvFailureKind::DiskFull, "{text}");
            assert!(failure.hints[0].contains("plimsoll prune"), "{text}");
            assert_eq!(failure.hints.len(), 1, "{text}");
        }
    }

    #[test]
    fn silence_is_an_error_too() {
        assert_eq!(UvFailure::read("").reason, ["uv failed without saying why"]);
    }
}
