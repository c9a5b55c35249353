//! Compose files: a base where the project has none, and overlays for development, production,
//! tests and monitoring, in standard keys that `docker compose` executes.
//!
//! A Compose file of the project stays its base. Values of variables are never copied from it: an
//! overlay refers to them, or leaves them to the base.

mod base;
mod dev;
mod document;
mod example;
mod hardening;
mod monitoring;
mod prod;
mod proxy;
mod service;
mod stack;
mod test;
mod variables;

use crate::{Input, Rendering};
use stack::Stack;

/// The Compose file that others are laid over, as it is named on the command line.
pub(crate) fn base_file(input: &Input<'_>) -> String {
    let project = input.project;
    match project.files.first() {
        None => "compose.yaml".to_owned(),
        Some(file) => file
            .strip_prefix(&project.directory)
            .unwrap_or(file)
            .display()
            .to_string(),
    }
}

/// Services that the proxy of production shows at a name of their own below the domain.
pub(crate) fn names_below_domain(input: &Input<'_>) -> Vec<String> {
    proxy::names_below_domain(&Stack::of(input))
}

/// Renders the Compose files.
pub fn render(input: &Input<'_>) -> Rendering {
    let mut rendering = Rendering::default();
    let stack = Stack::of(input);
    if stack.all.is_empty() {
        return rendering;
    }
    if stack.is_found() {
        base::write(&stack, &mut rendering);
        example::write(&stack, &mut rendering);
    }
    dev::write(&stack, &mut rendering);
    prod::write(&stack, &mut rendering);
    test::write(&stack, &mut rendering);
    monitoring::write(&stack, &mut rendering);
    rendering
}
