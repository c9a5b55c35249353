//! Pipelines of GitHub Actions: images are built for both architectures, tested, scanned, published,
//! signed, tested again as they were published, and promoted by digest; updates of what they stand
//! on are asked for, and a form says what a change of an image has to say.
//!
//! They use Docker's own actions and need no Plimsoll. Every action is pinned to a commit, every job
//! says what its token may do, and no expression of GitHub's stands inside of a script: what a
//! script works on reaches it through its environment.

mod actions;
mod deploy;
mod image;
mod images;
mod pull_request;
mod stack;
mod updates;
mod workflow;

use serde_json::Value;

use crate::header::header;
use crate::{Fidelity, Input, Loss, Rendering, workloads, yaml};

/// Where GitHub finds workflows.
const WORKFLOWS: &str = ".github/workflows";

/// Renders the pipelines.
pub fn render(input: &Input<'_>) -> Rendering {
    let mut rendering = Rendering::default();
    let all = workloads(input);
    let images = images::images(input, &all, &mut rendering.losses);
    updates::write(input, &all, &mut rendering);
    if images.is_empty() {
        rendering.losses.push(Loss::new(
            Fidelity::Approximate,
            "services",
            "no image is built from source, so there is nothing to build, scan or publish",
        ));
        return rendering;
    }
    let registry = images::Registry::of(input);
    file(
        input,
        &mut rendering,
        "image",
        image::about(&registry),
        &image::workflow(&registry),
    );
    file(
        input,
        &mut rendering,
        "deploy",
        deploy::about(input),
        &deploy::workflow(input, &registry),
    );
    let pipeline = workflow::workflow(input, &all, &images, &registry);
    file(
        input,
        &mut rendering,
        "images",
        workflow::about(&images),
        &pipeline,
    );
    pull_request::write(input, &images, &mut rendering);
    rendering.losses.push(
        Loss::new(
            Fidelity::Approximate,
            "name",
            "deployments wait until the repository's variable `DEPLOY` is `true`, and need the secret `KUBECONFIG` in its environments `staging` and `production`",
        )
        .hint("ask for a review in the environment `production`, so that a person promotes"),
    );
    rendering
}

fn file(input: &Input<'_>, rendering: &mut Rendering, name: &str, about: String, value: &Value) {
    let mut text = header(input, "ci");
    for line in about.lines() {
        text.push_str(format!("# {line}").trim_end());
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&yaml(value));
    rendering.file(format!("{WORKFLOWS}/{name}.yml"), text);
}
