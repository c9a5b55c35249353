//! A Dockerfile, read as what it claims about the code: never executed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Span, Spanned};

use crate::syntax::Place;
use crate::tree::Tree;

/// A command in either form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    Exec(Vec<String>),
    Shell(String),
}

impl Line {
    /// The words, split as a shell splits plain ones.
    pub(crate) fn words(&self) -> Vec<String> {
        match self {
            Line::Exec(words) => words.clone(),
            Line::Shell(line) => line
                .split_whitespace()
                .map(|word| word.trim_matches(['"', '\'']).to_owned())
                .collect(),
        }
    }
}

/// What one stage says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stage {
    pub(crate) name: Option<String>,
    pub(crate) base: Option<Spanned<String>>,
    pub(crate) command: Option<Spanned<Line>>,
    pub(crate) entrypoint: Option<Spanned<Line>>,
    pub(crate) health: Option<Spanned<Line>>,
    pub(crate) ports: Vec<Spanned<u16>>,
    /// Sources of `COPY` that come from the context.
    pub(crate) copies: Vec<Spanned<String>>,
    /// Sources of `COPY` that come from the context, and the absolute places they are put at.
    pub(crate) placed: Vec<(String, String)>,
    /// What comes from the context, and where it is laid; relative to where the stage starts.
    laid: Vec<Laid>,
    /// What comes from other stages, likewise.
    taken: Vec<Taken>,
    /// The directory that its commands start in.
    pub(crate) directory: Option<PathBuf>,
    /// Where it copies the whole context.
    pub(crate) context_at: Option<PathBuf>,
    /// Commands that are run to build it.
    pub(crate) runs: Vec<String>,
    /// Variables that are set in it.
    pub(crate) environment: Vec<(String, Spanned<String>)>,
    /// Packages that `apt-get install` and `apk add` name.
    pub(crate) packages: Vec<Spanned<String>>,
}

/// A source of `COPY`, and where it is laid.
#[derive(Debug, Clone)]
pub(crate) struct Laid {
    pub(crate) source: String,
    pub(crate) place: PathBuf,
}

/// What `COPY --from` takes.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    /// The stage, by its name or its number; or an image.
    pub(crate) stage: String,
    pub(crate) laid: Laid,
    pub(crate) span: Span,
}

/// What a Dockerfile says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dockerfile {
    pub(crate) path: PathBuf,
    pub(crate) stages: Vec<Stage>,
}

impl Stage {
    /// Whether a variable or an argument tells the program its port.
    pub(crate) fn sets_port(&self) -> bool {
        let words = |line: &Option<Spanned<Line>>| {
            line.as_ref()
                .map(|line| line.value.words())
                .unwrap_or_default()
        };
        let mut said = words(&self.entrypoint);
        said.extend(words(&self.command));
        crate::claims::start_scripts::port(&said).is_some()
            || said.iter().any(|word| word.contains("PORT"))
            || self
                .environment
                .iter()
                .any(|(name, _)| name.ends_with("PORT"))
    }

    /// Where the context's files are in the image: where it is copied as a whole, else the directory that commands
    /// start in. Nothing where that is the root.
    pub(crate) fn application(&self) -> Option<PathBuf> {
        let place = self.context_at.as_ref().or(self.directory.as_ref())?;
        let place: PathBuf = place.components().collect();
        (place.is_absolute() && place.parent().is_some()).then_some(place)
    }
}

impl Dockerfile {
    /// Reads the file at `path`.
    pub(crate) fn read(tree: &Tree, path: &Path) -> Option<Self> {
        let text = tree.source(path)?;
        Some(Self {
            path: path.to_owned(),
            stages: stages(&text, &tree.shown(path)),
        })
    }

    /// What the image of stage `target`, or of the last one, ends up with: a stage inherits from the
    /// stage it is made from.
    pub(crate) fn image(&self, target: Option<&str>) -> Stage {
        let index = match target {
            Some(name) => self
                .stages
                .iter()
                .position(|stage| stage.name.as_deref() == Some(name)),
            None => self.stages.len().checked_sub(1),
        };
        self.image_of(index)
    }

    /// The images of all its stages, the last one first: it is what is built where nobody names a stage.
    pub(crate) fn images(&self) -> impl Iterator<Item = Stage> + '_ {
        (0..self.stages.len())
            .rev()
            .map(|index| self.image_of(Some(index)))
    }

    /// What an image of the stage at `index` has of the context, and where.
    pub(crate) fn laid(&self, index: usize) -> Vec<Laid> {
        self.image_of(Some(index)).laid
    }

    /// What an image of the stage at `index` has of other stages, and where.
    pub(crate) fn taken(&self, index: usize) -> Vec<Taken> {
        self.image_of(Some(index)).taken
    }

    /// A stage and those that it is made from, the first one first.
    fn chain(&self, index: Option<usize>) -> Vec<&Stage> {
        let mut chain = Vec::new();
        let mut next = index;
        while let Some(index) = next {
            let stage = &self.stages[index];
            chain.push(stage);
            let base = stage.base.as_ref().map(|base| base.value.as_str());
            next = self.stages[..index]
                .iter()
                .rposition(|earlier| earlier.name.is_some() && earlier.name.as_deref() == base);
        }
        chain.reverse();
        chain
    }

    fn image_of(&self, index: Option<usize>) -> Stage {
        let mut image = Stage::default();
        for stage in self.chain(index) {
            image.base = match &image.base {
                None => stage.base.clone(),
                known => known.clone(),
            };
            image.command = stage.command.clone().or(image.command);
            image.entrypoint = stage.entrypoint.clone().or(image.entrypoint);
            image.health = stage.health.clone().or(image.health);
            let within = |path: &Option<PathBuf>, image: &Stage| {
                let path = path.as_ref()?;
                let known = image.directory.clone().unwrap_or_default();
                Some(known.join(path))
            };
            let start = image.directory.clone().unwrap_or_else(|| "/".into());
            let lay = |laid: &Laid| Laid {
                source: laid.source.clone(),
                place: start.join(&laid.place).components().collect(),
            };
            image.laid.extend(stage.laid.iter().map(lay));
            image.taken.extend(stage.taken.iter().map(|taken| Taken {
                laid: lay(&taken.laid),
                ..taken.clone()
            }));
            image.context_at = within(&stage.context_at, &image).or(image.context_at);
            image.directory = within(&stage.directory, &image).or(image.directory);
            image.ports.extend(stage.ports.iter().cloned());
            image.copies.extend(stage.copies.iter().cloned());
            image.placed.extend(stage.placed.iter().cloned());
            image.environment.extend(stage.environment.iter().cloned());
            image.packages.extend(stage.packages.iter().cloned());
        }
        image
    }

    /// The Python version that an image is built on: `3.11` of `python:3.11-slim`.
    pub(crate) fn python(&self, target: Option<&str>) -> Option<Spanned<String>> {
        let base = self.image(target).base?;
        let parts: Vec<&str> = version_of("python", &base)?.split('.').take(2).collect();
        let numeric = parts.len() == 2
            && parts
                .iter()
                .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()));
        let version = parts.join(".");
        numeric.then(|| base.clone().map(|_| version))
    }

    /// The version of Node that its image is built on, else that of a stage that builds for it, as it
    /// is written: `20` of `node:20-alpine`.
    pub(crate) fn node(&self) -> Option<Spanned<String>> {
        let bases = self.image(None).base.into_iter();
        bases
            .chain(self.stages.iter().filter_map(|stage| stage.base.clone()))
            .find_map(|base| {
                let version = version_of("node", &base)?.to_owned();
                Some(base.map(|_| version))
            })
    }
}

/// The version of a language that an image of the language's own has in its tag.
fn version_of<'b>(language: &str, base: &'b str) -> Option<&'b str> {
    let (name, tag) = base.split('@').next()?.rsplit_once(':')?;
    let is_it = name.rsplit('/').next() == Some(language);
    is_it.then(|| tag.split('-').next().unwrap_or(tag))
}

/// A base with the values that arguments before the first stage have by default.
fn with_defaults(base: &str, defaults: &[(String, String)]) -> String {
    let mut whole = String::new();
    let mut rest = base;
    while let Some((before, after)) = rest.split_once('$') {
        whole.push_str(before);
        let bare = after.trim_start_matches('{');
        let end = bare.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, tail) = bare.split_at(end.unwrap_or(bare.len()));
        let Some((_, value)) = defaults.iter().find(|(known, _)| known == name) else {
            return base.to_owned();
        };
        whole.push_str(value);
        rest = match bare.len() < after.len() {
            // What stands after the name, `:-20` for instance, counts where nothing is given.
            true => tail.split_once('}').map_or("", |(_, rest)| rest),
            false => tail,
        };
    }
    whole + rest
}

fn stages(text: &str, shown: &Arc<Path>) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    let mut defaults: Vec<(String, String)> = Vec::new();
    let lengths: Vec<usize> = text
        .lines()
        .map(|line| line.trim_end().chars().count())
        .collect();
    for (number, instruction) in instructions(text) {
        let (word, rest) = instruction
            .split_once(char::is_whitespace)
            .unwrap_or((&instruction, ""));
        let rest = rest.trim();
        let length = lengths.get(number as usize - 1).copied().unwrap_or(0);
        let mut place = Place::line(number);
        place.end.column += length as u32;
        let span: Span = place.in_file(shown.clone());
        if word.eq_ignore_ascii_case("FROM") {
            let words: Vec<&str> = rest
                .split_whitespace()
                .filter(|word| !word.starts_with("--"))
                .collect();
            let name = words
                .iter()
                .position(|word| word.eq_ignore_ascii_case("as"))
                .and_then(|index| words.get(index + 1));
            stages.push(Stage {
                name: name.map(|name| (*name).to_owned()),
                base: words
                    .first()
                    .map(|base| Spanned::new(with_defaults(base, &defaults), span)),
                ..Stage::default()
            });
            continue;
        }
        let Some(stage) = stages.last_mut() else {
            if let Some((name, value)) = rest.split_once('=')
                && word.eq_ignore_ascii_case("ARG")
            {
                let value = value.trim().trim_matches(['"', '\'']);
                defaults.push((name.trim().to_owned(), value.to_owned()));
            }
            continue;
        };
        match word.to_ascii_uppercase().as_str() {
            "CMD" => stage.command = Some(Spanned::new(line(rest), span)),
            "ENTRYPOINT" => {
                stage.entrypoint = Some(Spanned::new(line(rest), span));
                // A new entrypoint drops the command it inherited.
            }
            "HEALTHCHECK" => {
                let test = rest.split_once("CMD").map(|(_, test)| line(test.trim()));
                stage.health = test.map(|test| Spanned::new(test, span));
            }
            "WORKDIR" => {
                let directory = stage.directory.clone().unwrap_or_default();
                stage.directory = Some(directory.join(rest.trim_matches('"')));
            }
            "EXPOSE" => {
                let ports = rest
                    .split_whitespace()
                    .filter_map(|port| port.split('/').next()?.parse().ok());
                stage
                    .ports
                    .extend(ports.map(|port| Spanned::new(port, span.clone())));
            }
            "COPY" if rest.contains("--from=") => {
                let from = rest
                    .split_whitespace()
                    .find_map(|it| it.strip_prefix("--from="));
                let mut words = copied(rest);
                let place = words.pop();
                if let (Some(from), Some(place)) = (from, place) {
                    let directory = stage.directory.clone().unwrap_or_default();
                    stage.taken.extend(words.into_iter().map(|source| Taken {
                        stage: from.to_owned(),
                        laid: Laid {
                            source,
                            place: directory.join(&place),
                        },
                        span: span.clone(),
                    }));
                }
            }
            "COPY" | "ADD" => {
                let mut words = copied(rest);
                let place = words.pop();
                if let Some(place) = &place {
                    let directory = stage.directory.clone().unwrap_or_default();
                    stage.laid.extend(words.iter().map(|source| Laid {
                        source: source.clone(),
                        place: directory.join(place),
                    }));
                }
                if let Some(place) = &place
                    && words
                        .iter()
                        .any(|source| matches!(source.as_str(), "." | "./"))
                {
                    let directory = stage.directory.clone().unwrap_or_default();
                    stage.context_at = Some(directory.join(place));
                }
                let place = place.filter(|place| place.starts_with('/'));
                stage.placed.extend(words.iter().filter_map(|source| {
                    let place = place.as_deref()?;
                    let name = source.rsplit('/').next()?;
                    let place = match place.strip_suffix('/') {
                        Some(directory) => format!("{directory}/{name}"),
                        None => place.to_owned(),
                    };
                    Some((source.clone(), place))
                }));
                stage.copies.extend(
                    words
                        .into_iter()
                        .map(|word| Spanned::new(word, span.clone())),
                );
            }
            "ENV" => {
                let placed = |(name, value)| (name, Spanned::new(value, span.clone()));
                stage
                    .environment
                    .extend(assignments(rest).into_iter().map(placed));
            }
            "RUN" => {
                stage.runs.push(rest.to_owned());
                stage.packages.extend(
                    installed(rest)
                        .into_iter()
                        .map(|package| Spanned::new(package, span.clone())),
                );
            }
            _ => {}
        }
    }
    stages
}

/// The words of `COPY` without its options: the sources, and the place at last.
fn copied(rest: &str) -> Vec<String> {
    let mut plain = rest;
    while let Some((option, after)) = plain.split_once(char::is_whitespace)
        && option.starts_with("--")
    {
        plain = after.trim_start();
    }
    match line(plain) {
        Line::Exec(words) => words,
        Line::Shell(line) => line.split_whitespace().map(str::to_owned).collect(),
    }
}

/// The variables of `ENV A=b C="d e"`, and of its old form `ENV A b c`.
fn assignments(rest: &str) -> Vec<(String, String)> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    for character in rest.chars() {
        match (character, quote) {
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.push(c),
            ('"' | '\'', None) => quote = Some(character),
            (c, None) if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            (c, None) => word.push(c),
        }
    }
    words.push(word);
    let pairs = words.iter().filter_map(|word| word.split_once('='));
    let pairs: Vec<(String, String)> = pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let old_form = words.first().is_some_and(|first| !first.contains('='));
    match rest.split_once(char::is_whitespace) {
        Some((name, value)) if old_form => vec![(name.to_owned(), value.trim().to_owned())],
        _ => pairs,
    }
}

/// The instructions, lines joined, each with the number of its first line.
fn instructions(text: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    let mut open: Option<(u32, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.starts_with('#') || trimmed.is_empty() {
            continue;
        }
        let (start, mut whole) = open.take().unwrap_or((index as u32 + 1, String::new()));
        match trimmed.strip_suffix('\\') {
            Some(part) => {
                whole.push_str(part);
                whole.push(' ');
                open = Some((start, whole));
            }
            None => {
                whole.push_str(trimmed);
                found.push((start, whole));
            }
        }
    }
    found.extend(open);
    found
}

/// The exec form, if it is one; anything else is a line for a shell.
fn line(text: &str) -> Line {
    let words = text
        .starts_with('[')
        .then(|| crate::document::Item::json(&Arc::from(Path::new("")), text.to_owned()))
        .flatten();
    match words {
        Some(item) if text.ends_with(']') => Line::Exec(
            item.list()
                .iter()
                .filter_map(|word| word.as_text().map(str::to_owned))
                .collect(),
        ),
        _ => Line::Shell(text.to_owned()),
    }
}

fn installed(line: &str) -> Vec<String> {
    let mut packages = Vec::new();
    for part in line.split(['&', ';', '|']) {
        let words: Vec<&str> = part.split_whitespace().collect();
        let installs = words
            .windows(2)
            .any(|pair| matches!(pair, ["apt-get" | "apt", _]) || matches!(pair, ["apk", "add"]))
            && words.iter().any(|word| matches!(*word, "install" | "add"));
        if installs {
            let start = words
                .iter()
                .position(|word| matches!(*word, "install" | "add"))
                .unwrap_or(0)
                + 1;
            packages.extend(
                words[start..]
                    .iter()
                    .filter(|word| !word.starts_with('-'))
                    .map(|word| word.split('=').next().unwrap_or(word).to_owned()),
            );
        }
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Dockerfile {
        Dockerfile {
            path: PathBuf::new(),
            stages: stages(text, &Arc::from(Path::new("Dockerfile"))),
        }
    }

    #[test]
    fn stages_inherit_and_comments_do_not_end_instructions() {
        let file = read(
            "FROM python:3.11-slim AS base\nRUN apt-get update && \\\n  # why\n  apt-get install -y --no-install-recommends git=1 \\\n  curl && rm -rf x\nEXPOSE 8000/tcp\nHEALTHCHECK --interval=3s CMD [\"ps\", \"aux\"]\nFROM base\nCOPY --chown=1:1 src pyproject.toml ./\nCMD uvicorn a:b\n",
        );
        let image = file.image(None);
        assert_eq!(file.python(None).unwrap().value, "3.11");
        assert_eq!(image.ports[0].value, 8000);
        assert_eq!(image.health.unwrap().value.words(), ["ps", "aux"]);
        let packages: Vec<_> = image
            .packages
            .iter()
            .map(|package| package.value.as_str())
            .collect();
        assert_eq!(packages, ["git", "curl"]);
        let copies: Vec<_> = image
            .copies
            .iter()
            .map(|copy| copy.value.as_str())
            .collect();
        assert_eq!(copies, ["src", "pyproject.toml"]);
        assert_eq!(
            image.command.unwrap().value,
            Line::Shell("uvicorn a:b".to_owned())
        );
    }

    #[test]
    fn the_last_stage_tells_where_the_context_is_copied() {
        let at = |text: &str| {
            let image = read(text).image(None);
            image.application().map(|path| path.display().to_string())
        };
        let named = "FROM a AS b\nWORKDIR /code\nFROM b\nWORKDIR src\nCOPY . .\n";
        assert_eq!(at(named).as_deref(), Some("/code/src"));
        assert_eq!(
            at("FROM a\nWORKDIR /srv\nCOPY --chown=1 . /opt/x/\n").as_deref(),
            Some("/opt/x")
        );
        let built = "FROM a AS b\nWORKDIR /build\nCOPY . .\nFROM c\nWORKDIR /srv/app\nCOPY --from=b /build .\n";
        assert_eq!(at(built).as_deref(), Some("/srv/app"));
        assert_eq!(at("FROM a\nCOPY . .\n"), None);
    }

    #[test]
    fn arguments_before_the_first_stage_are_put_in() {
        let defaults = [("V".to_owned(), "20".to_owned())];
        for (base, whole) in [
            ("node:${V}-slim", "node:20-slim"),
            ("node:$V-slim", "node:20-slim"),
            ("node:${V:-18}", "node:20"),
            ("node:$OTHER", "node:$OTHER"),
            ("node:${V", "node:20"),
            ("$", "$"),
        ] {
            assert_eq!(with_defaults(base, &defaults), whole);
        }
    }
}
