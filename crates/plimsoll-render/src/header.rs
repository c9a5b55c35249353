//! The comment at the top of rendered files: what made them, and how to make them again.

use crate::Input;

/// How the comment begins, by which a rendered file is known again.
pub const MARK: &str = "# Rendered by `plimsoll render";

/// The comment, for formats whose comments begin with `#`.
pub fn header(input: &Input<'_>, target: &str) -> String {
    let from = match input.project.files.as_slice() {
        [] => "what the source tree says".to_owned(),
        files => files
            .iter()
            .map(|file| {
                let file = file.strip_prefix(&input.project.directory).unwrap_or(file);
                file.display().to_string()
            })
            .collect::<Vec<_>>()
            .join(", "),
    };
    format!("{MARK} {target}` from {from}; run it again after a change.\n")
}

/// Whether a text begins with the comment.
pub fn is_rendered(text: &str) -> bool {
    text.starts_with(MARK)
}
