//! Workflows: the Dockerfiles that a pipeline builds from.

use std::path::{Path, PathBuf};

use plimsoll_diag::Spanned;
use plimsoll_model::yaml::{self, Node};

use super::{FILES, LARGEST};
use crate::places;
use crate::tree::Tree;

/// The files that the workflows of a tree build from, relative to the tree.
pub(super) fn read(tree: &Tree) -> Vec<Spanned<PathBuf>> {
    let mut found = Vec::new();
    let files = tree.files().iter().filter(|file| {
        file.path.starts_with(".github/workflows") && tree.is_at_most(file, LARGEST)
    });
    for file in files.take(FILES) {
        let Some(text) = tree.source(&file.path) else {
            continue;
        };
        let Ok(documents) = yaml::parse(&text, tree.shown(&file.path)) else {
            continue;
        };
        let jobs = documents
            .iter()
            .filter_map(|document| document.get("jobs")?.as_map())
            .flat_map(|jobs| jobs.iter());
        for (_, job) in jobs {
            let steps = job
                .get("steps")
                .and_then(Node::as_list)
                .into_iter()
                .flatten();
            found.extend(steps.filter_map(built));
        }
    }
    found
}

fn built(step: &Node) -> Option<Spanned<PathBuf>> {
    let action = step.get("uses")?.as_text()?;
    if !action.starts_with("docker/build-push-action") {
        return None;
    }
    let file = step.find(&["with", "file"]);
    let context = step.find(&["with", "context"]);
    let plain = |node: Option<&Node>| -> Option<String> {
        let text = node?.as_text()?;
        // What is put together when it runs is not known.
        (!text.contains("${{") && !text.contains("://")).then(|| text.to_owned())
    };
    let path = match (file, context) {
        (Some(_), _) => places::within(Path::new(""), &plain(file)?)?,
        (None, Some(_)) => places::within(Path::new(""), &plain(context)?)?.join("Dockerfile"),
        (None, None) => return None,
    };
    let span = file.or(context)?.span.clone()?;
    Some(Spanned::new(path, span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_names_its_dockerfile() {
        let of = |text: &str| {
            built(&yaml::parse(text, Path::new("w.yaml")).unwrap()[0]).map(|built| built.value)
        };
        assert_eq!(
            of("uses: docker/build-push-action@v6\nwith: {context: ./api}\n"),
            Some(PathBuf::from("api/Dockerfile"))
        );
        assert_eq!(
            of("uses: docker/build-push-action@v6\nwith: {file: '${{ matrix.file }}'}\n"),
            None
        );
    }
}
