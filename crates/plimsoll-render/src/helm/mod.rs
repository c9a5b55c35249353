//! A Helm chart.

use crate::{Input, Rendering};

/// The directory of the chart.
pub(crate) fn place(input: &Input<'_>) -> String {
    format!("charts/{}", input.project.name)
}

/// Renders the chart.
pub fn render(_input: &Input<'_>) -> Rendering {
    Rendering::default()
}
