//! Paragraphs of `Field: value`, in which Debian writes everything.

/// The paragraphs of a text, each with its fields in order. A value keeps its continuation lines,
/// without the first line's leading space. Comment lines are left out by the fields.
pub(crate) fn paragraphs(text: &str) -> impl Iterator<Item = Paragraph<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(['\n', '\r']);
        if rest.is_empty() {
            return None;
        }
        let end = rest.find("\n\n").map_or(rest.len(), |index| index + 1);
        let (paragraph, after) = rest.split_at(end);
        rest = after;
        Some(Paragraph(paragraph))
    })
}

/// One paragraph.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paragraph<'a>(pub(crate) &'a str);

impl<'a> Paragraph<'a> {
    /// The fields in order.
    pub(crate) fn fields(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            loop {
                if rest.is_empty() {
                    return None;
                }
                let mut end = line_end(rest, 0);
                if rest.starts_with('#') {
                    rest = &rest[end..];
                    continue;
                }
                while matches!(rest.as_bytes().get(end), Some(b' ' | b'\t')) {
                    end = line_end(rest, end);
                }
                let (field, after) = rest.split_at(end);
                rest = after;
                if let Some((name, value)) = field.split_once(':') {
                    return Some((name, value.trim_start_matches([' ', '\t']).trim_end()));
                }
            }
        })
    }

    /// The value of a field; the case of its name does not matter.
    pub(crate) fn get(self, name: &str) -> Option<&'a str> {
        self.fields()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

fn line_end(text: &str, from: usize) -> usize {
    text[from..]
        .find('\n')
        .map_or(text.len(), |index| from + index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paragraphs_fields_and_continuations() {
        let text = "A: 1\nB: two\n lines\n\tmore\n# note\nC:\n x\n\n\nD: 4\n";
        let read: Vec<Vec<(&str, &str)>> = paragraphs(text)
            .map(|paragraph| paragraph.fields().collect())
            .collect();
        assert_eq!(
            read,
            [
                vec![("A", "1"), ("B", "two\n lines\n\tmore"), ("C", "\n x")],
                vec![("D", "4")]
            ]
        );
        let first = paragraphs(text).next().unwrap();
        assert_eq!(first.get("b"), Some("two\n lines\n\tmore"));
        assert_eq!(first.get("D"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_fail(text in "[A-C#: \n\t]{0,60}") {
            for paragraph in paragraphs(&text) {
                paragraph.fields().count();
            }
        }
    }
}
