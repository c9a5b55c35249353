//! The scripts in components that are written as pages: Svelte and Vue.

use std::path::Path;

/// Whether a file is such a component.
pub(super) fn is_component(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| end == "svelte" || end == "vue")
}

/// The scripts of a component where they stand: everything else is blank, so that lines stay what they are.
pub(super) fn scripts(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, inside, after)) = next(rest) {
        blank(before, &mut whole);
        whole.push_str(inside);
        rest = after;
    }
    blank(rest, &mut whole);
    whole
}

/// What stands before the next script, the script, and what follows.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let tag = text.find("<script")?;
    let begin = tag + text[tag..].find('>')? + 1;
    let end = begin + text[begin..].find("</script")?;
    Some((&text[..begin], &text[begin..end], &text[end..]))
}

fn blank(text: &str, whole: &mut String) {
    whole.extend(text.chars().filter(|c| *c == '\n'));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_stay_on_their_lines() {
        let text = "<p>a</p>\n<script lang=\"ts\">\n  let a = 1;\n</script>\n<b>é</b>\n<script>\nb()</script>";
        assert_eq!(scripts(text), "\n\n  let a = 1;\n\n\n\nb()");
        assert_eq!(scripts("<script never\nends"), "\n");
        assert_eq!(scripts("<script>a"), "");
    }
}
