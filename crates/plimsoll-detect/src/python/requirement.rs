//! Requirements as packaging files write them, and files of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use plimsoll_diag::Span;

use crate::python::distributions::normalize;
use crate::syntax::Place;
use crate::tree::Tree;

/// One requirement: `celery[redis]>=5.3; python_version < "3.13"`.
#[derive(Debug, Clone)]
pub(crate) struct Requirement {
    /// Normalised name.
    pub(crate) name: String,
    pub(crate) extras: Vec<String>,
    /// What follows the name: `>=5.3`.
    pub(crate) specifier: String,
    /// Whether it is wanted on some systems or versions of Python only.
    pub(crate) conditional: bool,
    pub(crate) span: Span,
}

impl Requirement {
    /// Reads one requirement; `None` for what is none.
    pub(crate) fn parse(text: &str, span: Span) -> Option<Self> {
        let text = text.trim();
        let end = text
            .find(|character: char| {
                !(character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.'))
            })
            .unwrap_or(text.len());
        let (name, mut rest) = text.split_at(end);
        if !name.starts_with(|character: char| character.is_ascii_alphanumeric()) {
            return None;
        }
        rest = rest.trim_start();
        let mut extras = Vec::new();
        if let Some((list, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            extras = list
                .split(',')
                .map(|extra| normalize(extra.trim()))
                .filter(|extra| !extra.is_empty())
                .collect();
            rest = after.trim_start();
        }
        let plain = rest.is_empty() || rest.starts_with(['=', '<', '>', '!', '~', '(', ';', '@']);
        plain.then(|| Self {
            name: normalize(name),
            extras,
            specifier: rest.split(';').next().unwrap_or_default().trim().to_owned(),
            conditional: rest.contains(';'),
            span,
        })
    }

    /// The version it is pinned to.
    pub(crate) fn pin(&self) -> Option<&str> {
        let version = self.specifier.strip_prefix("==")?.trim();
        (!version.contains(['*', ','])).then_some(version)
    }
}

/// A requirements file.
#[derive(Debug, Clone)]
pub(crate) struct RequirementsFile {
    pub(crate) path: PathBuf,
    /// Its own requirements, and those of the files it includes.
    pub(crate) requirements: Vec<Requirement>,
    /// Whether it names tools of development, tests or documentation.
    pub(crate) development: bool,
    /// Whether it has nothing but names with versions: no options, no places, no conditions.
    pub(crate) plain: bool,
}

/// Files that include each other are followed this far.
const INCLUDES: usize = 8;

impl RequirementsFile {
    /// Reads the file at `path`.
    pub(crate) fn read(tree: &Tree, path: &Path) -> Option<Self> {
        let mut requirements = Vec::new();
        let mut seen = BTreeSet::new();
        let mut plain = true;
        collect(tree, path, &mut seen, &mut requirements, &mut plain, 0)?;
        let stem = path.file_stem()?.to_str()?.to_ascii_lowercase();
        let development = stem
            .split(['-', '_', '.'])
            .any(|part| DEVELOPMENT.contains(&part));
        Some(Self {
            path: path.to_owned(),
            requirements,
            development,
            plain,
        })
    }

    /// Whether a file's name says that it holds requirements.
    pub(crate) fn is_named_so(path: &Path) -> bool {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let Some(stem) = name.strip_suffix(".txt") else {
            return false;
        };
        let parent = path
            .parent()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str());
        stem.split(['-', '_', '.'])
            .any(|part| part == "requirements")
            || parent == Some("requirements")
    }
}

const DEVELOPMENT: &[&str] = &[
    "dev",
    "develop",
    "development",
    "test",
    "tests",
    "testing",
    "doc",
    "docs",
    "lint",
    "ci",
    "tools",
    "build",
    "benchmark",
    "notebook",
    "examples",
    "constraints",
];

fn collect(
    tree: &Tree,
    path: &Path,
    seen: &mut BTreeSet<PathBuf>,
    requirements: &mut Vec<Requirement>,
    plain: &mut bool,
    depth: usize,
) -> Option<()> {
    if depth > INCLUDES || !seen.insert(path.to_owned()) {
        return None;
    }
    let text = tree.manifest(path)?;
    let shown = tree.shown(path);
    for (index, line) in text.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        let line = line.trim_end_matches('\\').trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let include = line
            .strip_prefix("-r")
            .or_else(|| line.strip_prefix("--requirement"));
        if let Some(other) = include {
            let other = other.trim_start_matches(['=', ' ']).trim();
            let base = path.parent().unwrap_or(Path::new(""));
            if let Some(other) = crate::places::within(base, other) {
                let _ = collect(tree, &other, seen, requirements, plain, depth + 1);
            }
            continue;
        }
        let mut place = Place::line(index as u32 + 1);
        place.end.column += line.chars().count() as u32;
        let requirement = line.split(" --").next().unwrap_or_default();
        let read = Requirement::parse(requirement, place.in_file(shown.clone()));
        *plain &= requirement == line
            && read
                .as_ref()
                .is_some_and(|one| !one.conditional && !one.specifier.starts_with('@'));
        requirements.extend(read);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(text: &str) -> Option<(String, Vec<String>, String)> {
        Requirement::parse(text, Span::line(Path::new("r.txt"), 1))
            .map(|found| (found.name, found.extras, found.specifier))
    }

    #[test]
    fn requirements_are_read_as_written() {
        assert_eq!(
            requirement("Celery[redis, SQS]>=5.3 ; python_version < '3.13'"),
            Some((
                "celery".to_owned(),
                vec!["redis".to_owned(), "sqs".to_owned()],
                ">=5.3".to_owned()
            ))
        );
        assert_eq!(
            requirement("thing @ git+https://example.org/thing"),
            Some((
                "thing".to_owned(),
                vec![],
                "@ git+https://example.org/thing".to_owned()
            ))
        );
        assert_eq!(requirement("-e ."), None);
        assert_eq!(requirement("./wheels/x.whl"), None);
    }
}
