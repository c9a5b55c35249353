//! What Dockerfiles say of packages of Node that lie beside them: which words start one, with which variables set.

use std::collections::BTreeMap;
use std::path::Path;

use plimsoll_diag::Span;

use crate::claims::command::{inside_shell, without_init};
use crate::claims::{Reviewed, Stage, start_scripts};

/// What an image starts, and what it sets.
#[derive(Debug, Clone)]
pub(crate) struct NodeImage {
    /// The words of the program, without a shell where one only starts it.
    pub(crate) words: Vec<String>,
    /// Variables that are set to plain values.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) span: Option<Span>,
}

/// Programs that run files and scripts of packages.
const PROGRAMS: &[&str] = &[
    "node", "bun", "tsx", "ts-node", "npm", "pnpm", "yarn", "next",
];

/// Whether words begin with a program of Node.
fn is_of_node(words: &[String]) -> bool {
    let first = words.first().and_then(|first| first.rsplit('/').next());
    first.is_some_and(|first| PROGRAMS.contains(&first))
}

impl NodeImage {
    fn of(image: &Stage) -> Option<Self> {
        let plain = |words: &[String]| {
            let mut words = inside_shell(without_init(words));
            if words.first().is_some_and(|first| first == "exec") {
                words.remove(0);
            }
            words
        };
        let entrypoint = image.entrypoint.as_ref();
        let before = entrypoint.map(|line| plain(&line.value.words()));
        let command = image.command.as_ref();
        let own = command.or(entrypoint)?;
        // A script that prepares the container starts the command; a program takes it for arguments.
        let words = match before.filter(|words| is_of_node(words)) {
            Some(mut words) => {
                words.extend(command.map(|line| line.value.words()).unwrap_or_default());
                words
            }
            None => plain(&own.value.words()),
        };
        let set = image.environment.iter();
        let set = set.filter(|(_, value)| !value.value.contains('$'));
        let environment: Vec<(String, String)> = set
            .map(|(name, value)| (name.clone(), value.value.clone()))
            .collect();
        let known: BTreeMap<String, String> = environment.iter().cloned().collect();
        let words = words.iter();
        let words = words.map(|word| start_scripts::substituted(word, &known));
        Some(Self {
            words: words.collect(),
            environment,
            span: own.span.clone(),
        })
    }
}

impl Reviewed {
    /// What Dockerfiles in a directory start.
    pub(crate) fn started_in(&self, directory: &Path) -> Vec<NodeImage> {
        let files = self.files.iter();
        let files = files.filter(|file| file.path.parent() == Some(directory));
        files
            .filter_map(|file| NodeImage::of(&file.image(None)))
            .collect()
    }
}
