//! Reads back what `push --json` told, so that rendered files name images by what they hold.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use plimsoll_diag::Diagnostic;
use plimsoll_image::Digest;
use plimsoll_model::Project;
use plimsoll_render::ImagePin;
use serde::Deserialize;

use crate::failure::Failure;

/// What is read of the answer of `push`; the rest is not needed here.
#[derive(Deserialize)]
struct Answer {
    pushed: Vec<Pushed>,
}

#[derive(Deserialize)]
struct Pushed {
    service: String,
    repository: String,
    digest: Digest,
}

/// The images that were published, by service. `-` is standard input.
///
/// # Errors
///
/// The file cannot be read, is not what `push --json` writes, or names a service that the project
/// does not have.
pub(crate) fn read(file: &Path, project: &Project) -> Result<BTreeMap<String, ImagePin>, Failure> {
    let (text, name) = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| refused(format!("standard input cannot be read: {error}")))?;
        (text, "standard input".to_owned())
    } else {
        let text = fs_err::read_to_string(file).map_err(|error| refused(error.to_string()))?;
        (text, format!("`{}`", file.display()))
    };
    let answer: Answer = serde_json::from_str(&text)
        .map_err(|error| refused(format!("{name} is not what `push --json` tells: {error}")))?;
    let mut images = BTreeMap::new();
    for one in answer.pushed {
        if !project.services.contains_key(&one.service) {
            return Err(refused(format!(
                "{name} has an image of `{}`, which is no service of `{}`",
                one.service, project.name
            )));
        }
        images.insert(
            one.service,
            ImagePin {
                reference: one.repository,
                digest: Some(one.digest.to_string()),
                user: None,
            },
        );
    }
    Ok(images)
}

fn refused(message: String) -> Failure {
    Failure::usage(
        Diagnostic::error(message)
            .hint("`plimsoll push --json > images.json` writes it; then `--images images.json`"),
    )
}
