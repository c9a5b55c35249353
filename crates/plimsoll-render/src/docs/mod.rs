//! Documents for the people who run the project: specific to it, every command as it is typed.

mod environment;

use crate::{Input, Rendering};

/// Renders the documents.
pub fn render(input: &Input<'_>) -> Rendering {
    let mut rendering = Rendering::default();
    rendering.file("docs/environment.md", environment::page(input));
    rendering
}

/// A row of a table: `|` in a cell is escaped.
fn row(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}
