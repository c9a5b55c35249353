//! Paths that a Compose file takes from a Dockerfile: an assembled image has the application at one place, whatever
//! directory the Dockerfile puts it into.

use std::path::{Path, PathBuf};

use plimsoll_diag::Diagnostic;
use plimsoll_model::{BuildRecipe, Service};

use crate::claims::Stage;

/// Where the Dockerfile has the context's files, and where an image of ours has them.
#[derive(Debug)]
pub(super) struct Moved {
    from: PathBuf,
    to: PathBuf,
}

impl Moved {
    /// The two places of `context`, which is absolute; nothing where they are the same.
    pub(super) fn of(stage: &Stage, context: &Path, recipe: &BuildRecipe) -> Option<Self> {
        let from = stage.application()?;
        let below = context.strip_prefix(&recipe.context).ok()?;
        let to: PathBuf = Path::new(crate::python::IMAGE_ROOT)
            .join(below)
            .components()
            .collect();
        (from != to).then_some(Self { from, to })
    }

    /// Has mounts, the working directory and the words of commands mean the place in the image. What is mounted elsewhere
    /// than written is told.
    pub(super) fn apply(&self, service: &mut Service, diagnostics: &mut Vec<Diagnostic>) {
        for mount in &mut service.volumes {
            let Some(target) = self.moved(&mount.value.target) else {
                continue;
            };
            diagnostics.push(
                Diagnostic::note(format!(
                    "`{}` of the Dockerfile is `{}` in the image: it is mounted there",
                    mount.value.target.display(),
                    target.display()
                ))
                .at(mount.span.clone()),
            );
            mount.value.target = target;
        }
        if let Some(directory) = &mut service.working_dir
            && let Some(moved) = self.moved(Path::new(&directory.value))
        {
            directory.value = moved.display().to_string();
        }
        for command in service.entrypoint.iter_mut().chain(&mut service.command) {
            for word in &mut command.value.0 {
                if let Some(moved) = self.moved(Path::new(word)) {
                    *word = moved.display().to_string();
                }
            }
        }
    }

    fn moved(&self, path: &Path) -> Option<PathBuf> {
        let rest = path.strip_prefix(&self.from).ok()?;
        // Where both places lie in one another, what is in the image's is meant as it is written.
        if self.to.starts_with(&self.from) && path.starts_with(&self.to) {
            return None;
        }
        Some(self.to.join(rest).components().collect())
    }
}
