//! Which Python an application gets.

use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use plimsoll_diag::{Diagnostic, Spanned};

use super::PythonError;
use crate::debian::Suite;

/// A Python that a Debian release carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interpreter {
    /// `3.13`.
    pub minor: &'static str,
    /// A full version to hold against specifiers; security updates may be beyond it.
    pub(super) version: &'static str,
    /// The Debian release.
    pub suite: Suite,
}

/// The interpreters there are, preferred first.
pub const INTERPRETERS: &[Interpreter] = &[
    Interpreter {
        minor: "3.13",
        version: "3.13.5",
        suite: Suite::Trixie,
    },
    Interpreter {
        minor: "3.11",
        version: "3.11.2",
        suite: Suite::Bookworm,
    },
];

impl Interpreter {
    /// The interpreter's program in the image.
    pub fn program(&self) -> String {
        format!("/usr/bin/python{}", self.minor)
    }

    /// Debian packages it consists of.
    pub fn packages(&self) -> Vec<String> {
        let mut packages = vec![
            format!("python{}-minimal", self.minor),
            format!("libpython{}-stdlib", self.minor),
        ];
        // A part of the standard library until 3.12, which Debian keeps in a package of its own.
        if self.suite == Suite::Bookworm {
            packages.push("python3-distutils".to_string());
        }
        packages
    }

    fn fits(&self, wanted: &VersionSpecifiers) -> bool {
        Version::from_str(self.version).is_ok_and(|version| wanted.contains(&version))
    }
}

/// The interpreters that `requires_python` allows, at least one: first the one that `pinned` (the
/// text of a `.python-version`) names, where it names one, then the newest.
///
/// # Errors
/// When none fits, or the requirement is no specifier set.
pub fn choose(
    requires_python: Option<&Spanned<String>>,
    pinned: Option<&str>,
) -> Result<Vec<Interpreter>, PythonError> {
    let mut fitting: Vec<Interpreter> = match requires_python {
        None => INTERPRETERS.to_vec(),
        Some(text) => {
            let wanted =
                VersionSpecifiers::from_str(text).map_err(|error| PythonError::RequiresPython {
                    requirement: text.clone(),
                    reason: error.to_string(),
                })?;
            let fits = |interpreter: &&Interpreter| interpreter.fits(&wanted);
            INTERPRETERS.iter().filter(fits).copied().collect()
        }
    };
    let pinned = pinned.and_then(minor_of);
    fitting.sort_by_key(|interpreter| pinned.as_deref() != Some(interpreter.minor));
    if fitting.is_empty() {
        return Err(PythonError::NoInterpreter {
            requirement: requires_python.cloned().unwrap_or_default(),
        });
    }
    Ok(fitting)
}

/// What is told when the version that the project names is not among those that `fit`: which one
/// is used, and why.
pub(super) fn instead_of(
    pinned: &Spanned<String>,
    fitting: &[Interpreter],
    used: &Interpreter,
) -> Option<Diagnostic> {
    let wanted = minor_of(pinned)?;
    if fitting.iter().any(|known| known.minor == wanted) {
        return None;
    }
    let message = match INTERPRETERS.iter().any(|known| known.minor == wanted) {
        true => format!(
            "Python {} is used, because `requires-python` does not allow {wanted}",
            used.minor
        ),
        false => format!(
            "Python {} is used, because no Debian release that images start from has {wanted}: there are {}",
            used.minor,
            available()
        ),
    };
    Some(
        Diagnostic::warning(message)
            .at(pinned.span.clone())
            .label("asked for here")
            .hint("a Dockerfile of your own may start from any Python: it is built as it is"),
    )
}

/// The interpreters with their releases, for messages.
pub(super) fn available() -> String {
    let shown: Vec<String> = INTERPRETERS
        .iter()
        .map(|known| format!("{} (Debian {})", known.minor, known.suite.version()))
        .collect();
    shown.join(", ")
}

/// `3.13.5`, `cpython-3.13` or `python3.13` → `3.13`.
fn minor_of(text: &str) -> Option<String> {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let digits = line.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut parts = digits.split('.');
    let major = parts.next()?;
    let minor: String = parts
        .next()?
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    (!minor.is_empty()).then(|| format!("{major}.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(requirement: &str, pinned: Option<&str>) -> Result<&'static str, PythonError> {
        let requirement = Spanned::unplaced(requirement.to_string());
        choose(Some(&requirement), pinned).map(|fitting| fitting[0].minor)
    }

    #[test]
    fn the_newest_that_fits_unless_another_is_named() {
        assert_eq!(chosen(">=3.10", None).unwrap(), "3.13");
        assert_eq!(chosen(">=3.10,<3.13", None).unwrap(), "3.11");
        assert_eq!(chosen(">=3.10", Some("3.11\n")).unwrap(), "3.11");
        assert_eq!(chosen(">=3.12", Some("3.11")).unwrap(), "3.13");
        assert_eq!(
            chosen(">=3.10", Some("# x\ncpython-3.11.9")).unwrap(),
            "3.11"
        );
        assert_eq!(choose(None, None).unwrap()[0].minor, "3.13");
    }

    #[test]
    fn a_version_that_no_image_can_have_is_told_with_the_one_that_is_used() {
        let told = |pinned: &str| {
            let place = plimsoll_diag::Span::line(std::path::Path::new(".python-version"), 1);
            let pinned = Spanned::new(pinned.to_string(), place);
            instead_of(&pinned, &INTERPRETERS[..1], &INTERPRETERS[0])
        };
        assert_eq!(told("3.13"), None);
        assert_eq!(told("system"), None);
        insta::assert_snapshot!(
            told("3.12.6").unwrap(),
            @".python-version:1:1: Python 3.13 is used, because no Debian release that images start from has 3.12: there are 3.13 (Debian 13), 3.11 (Debian 12)"
        );
        insta::assert_snapshot!(
            told("3.11").unwrap(),
            @".python-version:1:1: Python 3.13 is used, because `requires-python` does not allow 3.11"
        );
    }

    #[test]
    fn a_requirement_nothing_fits_names_what_there_is() {
        insta::assert_snapshot!(
            chosen("==3.12.*", None).unwrap_err(),
            @"no Python here satisfies `==3.12.*`: there are 3.13 (Debian 13), 3.11 (Debian 12)"
        );
        assert!(matches!(
            chosen("three", None),
            Err(PythonError::RequiresPython { .. })
        ));
    }
}
