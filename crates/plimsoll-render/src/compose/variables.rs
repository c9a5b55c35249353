//! Variables behind values that are interpolated already: the Compose file's own text tells.

use plimsoll_diag::Spanned;

use crate::Input;

/// The variable that a value was made of, where the value is nothing else: `${NAME}`,
/// `${NAME:-default}`.
pub(super) fn behind(input: &Input<'_>, value: &Spanned<Option<String>>) -> Option<String> {
    let span = value.span.as_ref()?;
    let path = input.project.directory.join(&span.file);
    let text = input.contents.get(&path)?;
    let line = text
        .lines()
        .nth(usize::try_from(span.start.line).ok()?.checked_sub(1)?)?;
    let (before, rest) = line.split_once("${")?;
    // A part of something longer is not the value itself.
    let quoted = before.trim_end_matches(['"', '\'']);
    if !quoted.ends_with([' ', '=', ':']) {
        return None;
    }
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    (end > 0).then(|| rest[..end].to_owned())
}
