//! The form for changes of images.

use super::images::Image;
use crate::{Input, Rendering};

/// Writes the form. GitHub offers it by `?template=images.md`.
pub(super) fn write(input: &Input<'_>, images: &[Image], rendering: &mut Rendering) {
    let mut text = String::from(
        "<!-- For changes of Dockerfiles, Compose files, the chart or what images are made of. -->\n\n\
         ## What changes, and why\n\n\n\
         ## Images\n\n\
         | image | changed | size before | size after |\n|---|---|---|---|\n",
    );
    for image in images {
        text.push_str(&format!("| `{}` (`{}`) | | | |\n", image.name, image.file));
    }
    text.push_str("\n## Checks\n\n");
    let first = images.first().map_or("", |image| image.file.as_str());
    let context = images.first().map_or(".", |image| image.context.as_str());
    let mut items = vec![
        format!("It builds: `docker build -f {first} {context}`"),
        "It runs as a user that is not root, with a read-only root file system".to_owned(),
        "No secret is in a layer, a build argument or a variable of the image".to_owned(),
        "Its health check needs no shell or tool that production does not have".to_owned(),
        "New base images and packages are pinned".to_owned(),
        "The scan shows no critical finding, or the finding is named below with a date".to_owned(),
        "New variables are in `.env.example` and in `docs/environment.md`".to_owned(),
        "What is rendered was rendered again: `plimsoll render --check all`".to_owned(),
    ];
    let stores = input
        .project
        .services
        .values()
        .any(|service| service.facts.provides.is_some() || !service.volumes.is_empty());
    if stores {
        items.push(
            "Data that is there already is read by the new image, and by the old one after it"
                .to_owned(),
        );
    }
    for item in items {
        text.push_str(&format!("- [ ] {item}\n"));
    }
    text.push_str(&format!(
        "\n## How to go back\n\n<!-- `helm rollback {}` unless data has moved. -->\n",
        input.namespace()
    ));
    rendering.file(".github/PULL_REQUEST_TEMPLATE/images.md", text);
}
