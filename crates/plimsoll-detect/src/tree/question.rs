//! What is asked of a text without reading all that it says.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// A question about a text. It is answered by numbers, from 0, of what it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Question {
    /// Whether there is anything in it but white space.
    SaysAnything,
    /// Which of these it contains.
    Contains(Vec<String>),
    /// Which of these stand in it as whole words: `PORT` does not stand in `SUPPORT`.
    Names(Vec<String>),
}

impl Question {
    /// The answer for a text, sorted.
    pub(super) fn answer(&self, text: &str) -> Vec<u32> {
        match self {
            Self::SaysAnything => (!text.trim().is_empty()).then_some(0).into_iter().collect(),
            Self::Contains(parts) => {
                let parts = (0..).zip(parts);
                let held = parts.filter(|(_, part)| text.contains(part.as_str()));
                held.map(|(number, _)| number).collect()
            }
            Self::Names(names) => {
                let mut open: HashMap<&str, u32> =
                    names.iter().map(String::as_str).zip(0..).collect();
                let mut answer: Vec<u32> =
                    words(text).filter_map(|word| open.remove(word)).collect();
                answer.sort_unstable();
                answer
            }
        }
    }
}

/// The words of a text that may be names of variables, whole.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let parts = text
        .as_bytes()
        .split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    let named = parts.filter(|word| {
        word.first()
            .is_some_and(|first| !first.is_ascii_lowercase())
    });
    named.filter_map(|word| str::from_utf8(word).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(question: fn(Vec<String>) -> Question, parts: &[&str], text: &str) -> Vec<u32> {
        question(parts.iter().map(|part| (*part).to_owned()).collect()).answer(text)
    }

    #[test]
    fn names_are_whole_words_and_parts_are_not() {
        let text = "SUPPORT = os.environ['KEY']";
        assert_eq!(answer(Question::Names, &["PORT", "KEY"], text), [1]);
        assert_eq!(
            answer(Question::Contains, &["PORT", "KEY", "x"], text),
            [0, 1]
        );
        assert!(Question::SaysAnything.answer(" \n\t").is_empty());
        assert_eq!(Question::SaysAnything.answer("# a"), [0]);
    }
}
