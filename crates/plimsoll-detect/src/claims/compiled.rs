//! What Dockerfiles say of programs that are compiled: which stage starts one, with what, and on which port.

use std::collections::BTreeSet;
use std::path::Path;

use plimsoll_diag::Spanned;

use crate::claims::command::{inside_shell, without_init};
use crate::claims::health::{Check, of_dockerfile};
use crate::claims::review::only_port;
use crate::claims::{Dockerfile, Line, Reviewed, Stage, start_scripts};
use crate::found::FoundVariable;
use crate::places;

/// What a Dockerfile says of a compiled program.
#[derive(Debug, Default, Clone)]
pub(crate) struct ImageClaim {
    /// Whether it is what the image starts, and not only built for it.
    pub(crate) started: bool,
    /// Arguments that it starts the program with.
    pub(crate) arguments: Vec<String>,
    /// The only port that it is said to have.
    pub(crate) port: Option<u16>,
    /// Variables that are set for it.
    pub(crate) environment: Vec<(String, String)>,
}

impl ImageClaim {
    /// Those of its variables that the program reads, and by which it is told where to listen.
    pub(crate) fn listening<'v>(
        &self,
        read: impl Iterator<Item = &'v FoundVariable>,
        listens: &dyn Fn(&str, &str) -> bool,
    ) -> Vec<(String, String)> {
        let read: BTreeSet<&str> = read.map(|variable| variable.name.as_str()).collect();
        let set = self.environment.iter();
        set.filter(|(name, value)| read.contains(name.as_str()) && listens(name, value))
            .cloned()
            .collect()
    }
}

impl Reviewed {
    /// What a Dockerfile says that builds the Go package of a directory into a program of this name.
    pub(crate) fn builds(&self, directory: &Path, program: &str) -> Option<ImageClaim> {
        let claims = self.files.iter().filter_map(|file| {
            let built = built_as(file, directory);
            let stated = built.is_some();
            let mut names = built.unwrap_or_default();
            names.push(program.to_owned());
            let image = file.images().find(|image| starts(image, &names));
            // A build that a `Makefile` does is not seen, but what the image starts is.
            let made = || file.stages.iter().any(of_go) && !any_run(file, "go build");
            (stated || image.is_some() && made()).then(|| {
                let started = image.is_some();
                let image = image.unwrap_or_else(|| file.image(None));
                ImageClaim {
                    started,
                    arguments: arguments(&image, &names),
                    port: port(&image),
                    environment: environment(&image),
                }
            })
        });
        // One that says how it is started says more than one that only builds.
        claims.max_by_key(|claim| (!claim.arguments.is_empty(), claim.port.is_some()))
    }

    /// What a Dockerfile says that builds with cargo and starts a program of this name.
    pub(crate) fn starts(&self, program: &str) -> Option<ImageClaim> {
        self.files.iter().find_map(|file| {
            let names = [program.to_owned()];
            let image = file.images().find(|image| starts(image, &names))?;
            any_run(file, "cargo ").then(|| ImageClaim {
                started: true,
                arguments: arguments(&image, &names),
                port: port(&image),
                environment: environment(&image),
            })
        })
    }
}

/// Whether a stage builds on an image of Go's own.
fn of_go(stage: &Stage) -> bool {
    let base = stage.base.as_ref().map(|base| base.value.as_str());
    base.is_some_and(|base| base.contains("golang") || base.contains("go-toolset"))
}

/// Whether a command of any stage says something.
fn any_run(file: &Dockerfile, text: &str) -> bool {
    let mut runs = file.stages.iter().flat_map(|stage| &stage.runs);
    runs.any(|run| run.contains(text))
}

/// Whether an image starts a program of one of these names, be it through another one.
fn starts(image: &Stage, names: &[String]) -> bool {
    started(image).iter().any(|word| is_of(names, word))
}

/// Whether a path ends in one of these names.
fn is_of(names: &[String], word: &str) -> bool {
    names.iter().any(|name| name == base(word))
}

/// The last part of a path.
fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// What a Dockerfile calls the program that it builds of the Go package of a directory; `None` where it builds none of it.
fn built_as(file: &Dockerfile, directory: &Path) -> Option<Vec<String>> {
    let wanted = places::text(directory);
    let below = file.path.parent().and_then(|parent| {
        let relative = directory.strip_prefix(parent).ok()?;
        Some(places::text(relative).to_owned())
    });
    let is_it = |word: &str| {
        word == wanted && !wanted.is_empty()
            || below
                .as_deref()
                .is_some_and(|below| !below.is_empty() && word == below)
    };
    let of_root = wanted.is_empty() || below.as_deref() == Some("");
    let mut names: Option<Vec<String>> = None;
    for stage in &file.stages {
        // Its directory may be all that is brought in.
        let brought = stage
            .copies
            .iter()
            .any(|copied| is_it(copied.value.trim_matches('/')));
        let commands = stage
            .runs
            .iter()
            .flat_map(|run| start_scripts::commands(run));
        for build in commands.filter_map(|words| Build::of(&words)) {
            let of_it = build.packages.iter().any(|word| is_it(plain(word)));
            let whole = build.packages.iter().all(|word| plain(word).is_empty());
            if of_it || whole && (of_root || brought) {
                names.get_or_insert_default().extend(build.output);
            }
        }
    }
    names
}

/// A path of a package without what says the same: `./cmd/a/main.go`, `.`.
fn plain(word: &str) -> &str {
    let word = word.trim_start_matches("./").trim_end_matches(['/', '.']);
    let word = word.strip_suffix("main.go").unwrap_or(word);
    word.strip_suffix("*.go")
        .unwrap_or(word)
        .trim_end_matches('/')
}

/// A command that builds Go packages.
#[derive(Debug, PartialEq, Eq)]
struct Build {
    packages: Vec<String>,
    /// What the program is called.
    output: Option<String>,
}

/// Flags of `go build` that stand alone.
const ALONE: &[&str] = &[
    "-a",
    "-n",
    "-v",
    "-x",
    "-race",
    "-msan",
    "-asan",
    "-cover",
    "-work",
    "-trimpath",
    "-linkshared",
    "-modcacherw",
    "-i",
];

impl Build {
    fn of(words: &[String]) -> Option<Self> {
        let mut words = words.iter().map(String::as_str);
        words.find(|word| base(word) == "go")?;
        words
            .next()
            .filter(|verb| matches!(*verb, "build" | "install"))?;
        let mut build = Self {
            packages: Vec::new(),
            output: None,
        };
        while let Some(word) = words.next() {
            let flag = word
                .strip_prefix('-')
                .map(|flag| flag.trim_start_matches('-'));
            match flag {
                None => build.packages.push(word.to_owned()),
                Some(flag) => match flag.split_once('=') {
                    Some(("o", value)) => build.output = Some(base(value).to_owned()),
                    None if flag == "o" => {
                        build.output = words.next().map(|word| base(word).to_owned())
                    }
                    None if !ALONE.contains(&word) => {
                        words.next();
                    }
                    _ => {}
                },
            }
        }
        Some(build)
    }
}

/// The variables that an image sets to plain values.
fn environment(image: &Stage) -> Vec<(String, String)> {
    let set = image.environment.iter();
    let plain = set.filter(|(_, value)| !value.value.contains('$'));
    plain
        .map(|(name, value)| (name.clone(), value.value.clone()))
        .collect()
}

/// The port of an image that says just one, or else the one that it asks whether it is well.
fn port(image: &Stage) -> Option<u16> {
    let asked = || match of_dockerfile(&image.health.as_ref()?.value)? {
        Check::Http { port, .. } => Some(port),
        _ => None,
    };
    match image.ports.is_empty() {
        true => asked(),
        false => only_port(image),
    }
}

/// The words that an image starts with, where no shell is between.
fn started(image: &Stage) -> Vec<String> {
    let words = |line: &Option<Spanned<Line>>| match line.as_ref().map(|line| &line.value) {
        Some(Line::Exec(words)) => words.clone(),
        Some(Line::Shell(_)) | None => Vec::new(),
    };
    [words(&image.entrypoint), words(&image.command)].concat()
}

/// What an image starts a program with; another program may stand before it.
fn arguments(image: &Stage, names: &[String]) -> Vec<String> {
    let started = started(image);
    let plain = without_init(&started);
    let mut words = inside_shell(plain);
    let of_a_shell = words != plain;
    if words.first().is_some_and(|first| first == "exec") {
        words.remove(0);
    }
    // Who starts it so is told how it is started.
    if words
        .last()
        .is_some_and(|last| matches!(last.as_str(), "--help" | "-h" | "help" | "--version"))
    {
        words.pop();
    }
    if let Some(at) = words.iter().position(|word| is_of(names, word)) {
        return words[at + 1..].to_vec();
    }
    match words.split_first() {
        Some((first, rest)) if !of_a_shell && !first.ends_with("sh") => rest.to_vec(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_says_what_it_builds_and_what_that_is_called() {
        let of = |run: &str| {
            let commands = start_scripts::commands(run);
            let build = commands.iter().find_map(|words| Build::of(words)).unwrap();
            (build.packages.join(" "), build.output.unwrap_or_default())
        };
        for (run, packages, output) in [
            ("CGO_ENABLED=0 go build -ldflags '-w -s' -o app", "", "app"),
            (
                "go build -o=/out/server ./cmd/server",
                "./cmd/server",
                "server",
            ),
            (
                "go mod download && go build -v -trimpath -o /bin/x .",
                ".",
                "x",
            ),
            ("go build -tags \"a b\" ./...", "./...", ""),
        ] {
            assert_eq!(of(run), (packages.to_owned(), output.to_owned()), "{run}");
        }
        assert!(Build::of(&["make".to_owned(), "build".to_owned()]).is_none());
    }
}
