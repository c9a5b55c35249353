//! Variables that the script which an image starts with ends without: `: "${KEY:?}"`, `[ -z "$KEY" ] && exit 1`. What is
//! only checked on a condition, or inside of a function, is not counted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use plimsoll_diag::Span;

use crate::claims::matching::{Claim, of_stage, score};
use crate::claims::{Reviewed, Stage};
use crate::detection::DetectedService;
use crate::found::{Found, FoundVariable};
use crate::places;
use crate::tree::Tree;

/// A claim that scores as much names what it starts.
const NAMED: i32 = 75;

/// Makes required what start scripts of images demand, for the services that those images start.
pub(crate) fn require(tree: &Tree, claims: &Reviewed, found: &mut [Found]) {
    for file in &claims.files {
        let place = claims.place(file);
        for image in file.images() {
            let Some(script) = script_of(tree, place, &image) else {
                continue;
            };
            let text = tree.source(&script).unwrap_or_default();
            let demanded = demanded(&text);
            if demanded.is_empty() {
                continue;
            }
            let shown = tree.shown(&script);
            let own = claims.launched.iter();
            let own = own.filter(|launched| launched.span.file == shown);
            let mut started = vec![of_stage(&image, place)];
            started.extend(own.map(|launched| Claim {
                starts: Some(launched.starts.clone()),
                ..Claim::default()
            }));
            let means = |service: &DetectedService| {
                let inside = service.root.starts_with(place) || place.starts_with(&service.root);
                inside && started.iter().any(|claim| score(claim, service) >= NAMED)
            };
            for one in found.iter_mut().filter(|one| means(&one.service)) {
                for (name, line) in &demanded {
                    let span = Span::line(shown.clone(), *line);
                    let why = format!("`{}` ends without `{name}`", places::text(&script));
                    one.variables.push(FoundVariable {
                        why,
                        ..FoundVariable::read(name, None, span).required(true)
                    });
                }
            }
        }
    }
}

/// The script of the tree that an image starts with.
fn script_of(tree: &Tree, place: &Path, image: &Stage) -> Option<PathBuf> {
    let lines = [&image.entrypoint, &image.command].into_iter().flatten();
    let words = lines.flat_map(|line| line.value.words());
    let word = words
        .flat_map(|word| {
            word.split([' ', ';'])
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .find(|word| word.ends_with(".sh"))?;
    let put = image.placed.iter().find(|(_, known)| *known == word);
    let copied = put.and_then(|(source, _)| places::within(place, source));
    let name = Path::new(&word).file_name()?;
    let beside = || {
        let below = tree.files().iter().map(|file| &file.path);
        let named = below.filter(|path| path.starts_with(place) && path.file_name() == Some(name));
        let closest = named.min_by_key(|path| path.components().count())?;
        Some(closest.to_path_buf())
    };
    copied.filter(|path| tree.has_file(path)).or_else(beside)
}

/// The variables that a script ends without, and the lines that say so.
fn demanded(text: &str) -> Vec<(String, u32)> {
    let mut found: Vec<(String, u32)> = Vec::new();
    let mut set: BTreeSet<String> = BTreeSet::new();
    // How many conditions and loops are open, and what the outermost of them finds missing.
    let mut depth = 0_usize;
    let mut missing: Vec<String> = Vec::new();
    let mut inside_function = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let number = index as u32 + 1;
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        if inside_function {
            inside_function = !line.starts_with('}');
            continue;
        }
        if line.ends_with("() {") || line.starts_with("function ") {
            inside_function = true;
            continue;
        }
        let first = line.split_whitespace().next().unwrap_or_default();
        if depth == 0 {
            let insisted = expansions(line, ":?")
                .into_iter()
                .chain(expansions(line, "?"));
            found.extend(insisted.map(|name| (name, number)));
        }
        let ends = leaves(line);
        match first.trim_end_matches(';') {
            "if" => {
                depth += 1;
                missing = if depth == 1 {
                    tested(line, "-z", "||", &set)
                } else {
                    missing
                };
            }
            "for" | "while" | "until" | "case" => depth += 1,
            "else" | "elif" if depth == 1 => missing.clear(),
            "fi" | "done" | "esac" => depth = depth.saturating_sub(1),
            _ if depth == 0 && ends && line.contains("&&") => {
                missing = tested(line, "-z", "||", &set);
                found.extend(missing.drain(..).map(|name| (name, number)));
            }
            _ if depth == 0 && ends && line.contains("||") => {
                let there = tested(line, "-n", "&&", &set);
                found.extend(there.into_iter().map(|name| (name, number)));
            }
            _ => {}
        }
        if depth == 1 && ends {
            found.extend(missing.drain(..).map(|name| (name, number)));
        }
        // `if …; then exit 1; fi` on one line.
        if first == "if" && line.split([';', ' ']).any(|word| word == "fi") {
            depth = depth.saturating_sub(1);
        }
        if let Some((name, _)) = line.trim_start_matches("export ").split_once('=')
            && is_variable(name)
        {
            set.insert(name.to_owned());
        }
        set.extend(expansions(line, ":="));
    }
    let mut seen = BTreeSet::new();
    found.retain(|(name, _)| is_variable(name) && seen.insert(name.clone()));
    found
}

/// Whether a line leaves the script with an error.
fn leaves(line: &str) -> bool {
    let words: Vec<&str> = line
        .split(|letter: char| letter.is_whitespace() || matches!(letter, ';' | '}' | '{'))
        .filter(|word| !word.is_empty())
        .collect();
    words
        .iter()
        .position(|word| *word == "exit")
        .is_some_and(|index| words.get(index + 1) != Some(&"0"))
}

/// The variables that are tested by a flag, where each test alone decides: they are joined by `joined` or by nothing.
fn tested(line: &str, flag: &str, joined: &str, set: &BTreeSet<String>) -> Vec<String> {
    let condition = match line.split_once("; then") {
        Some((condition, _)) => condition,
        None => line,
    };
    let other = if joined == "||" { "&&" } else { "||" };
    // What follows the test is what is done; another test has to hold as well.
    let mut tests = condition
        .split(other)
        .filter(|part| part.contains(" -z ") || part.contains(" -n "));
    let (Some(condition), None) = (tests.next(), tests.next()) else {
        return Vec::new();
    };
    if condition.contains(" -a ") {
        return Vec::new();
    }
    let words: Vec<&str> = condition.split_whitespace().collect();
    let pairs = words.windows(2).filter(|pair| pair[0] == flag);
    pairs
        .filter_map(|pair| {
            let bare = pair[1].trim_matches(|letter| matches!(letter, '"' | '\'' | ';' | ']'));
            let name = bare
                .strip_prefix('$')?
                .trim_start_matches('{')
                .trim_end_matches('}');
            Some(name.trim_end_matches(":-").trim_end_matches('-'))
        })
        .filter(|name| is_variable(name) && !set.contains(*name))
        .map(str::to_owned)
        .collect()
}

/// Names in `${NAME` before an operator.
fn expansions(line: &str, operator: &str) -> Vec<String> {
    let parts = line.split("${").skip(1);
    parts
        .filter_map(|part| {
            let end =
                part.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))?;
            let (name, rest) = part.split_at(end);
            rest.starts_with(operator).then(|| name.to_owned())
        })
        .collect()
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_uppercase())
        && name
            .chars()
            .all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_ends_without_is_told() {
        for (text, names) in [
            (": \"${EBB:?is not set}\"\n", "EBB"),
            ("export FLOW=\"${EBB?}\"\n", "EBB"),
            ("[ -z \"$EBB\" ] && exit 1\n", "EBB"),
            ("[[ -n \"${EBB:-}\" ]] || { echo no; exit 1; }\n", "EBB"),
            ("test -z \"$EBB\" && echo no && exit 1\n", "EBB"),
            ("if [ -z \"$EBB\" ]; then\n  echo no\n  exit 1\nfi\n", "EBB"),
            (
                "if [ -z \"$EBB\" ]; then exit 1; fi\n[ -z \"$FLOW\" ] && exit 2\n",
                "EBB FLOW",
            ),
            (
                "if [ -z \"$EBB\" ] || [ -z \"$FLOW\" ]; then\n  exit 1\nfi\n",
                "EBB FLOW",
            ),
            (
                "if [ -z \"$EBB\" ] && [ -z \"$FLOW\" ]; then\n  exit 1\nfi\n",
                "",
            ),
            (
                "if [ -z \"$EBB\" ]; then\n  echo spare\nelse\n  exit 1\nfi\n",
                "",
            ),
            (
                "if [ -z \"$EBB\" ]; then\n  if [ -z \"$FLOW\" ]; then\n    exit 1\n  fi\nfi\n",
                "",
            ),
            ("if [ -n \"$TIDE\" ]; then\n  : \"${EBB:?}\"\nfi\n", ""),
            ("EBB=${EBB:-1}\n[ -z \"$EBB\" ] && exit 1\n", ""),
            ("check() {\n  : \"${EBB:?}\"\n}\n", ""),
            ("[ -z \"$EBB\" ] && exit 0\n# : \"${FLOW:?}\"\n", ""),
        ] {
            let found = demanded(text);
            let told: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(told.join(" "), names, "{text}");
        }
    }
}
