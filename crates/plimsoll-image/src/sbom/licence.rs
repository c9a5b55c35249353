//! Licences as packages state them, and as bills may repeat them.

/// What a stated licence is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Licence<'a> {
    /// An identifier of SPDX's list.
    Identifier(&'static str),
    /// An expression of such identifiers.
    Expression(String),
    /// Words.
    Words(&'a str),
}

/// Reads a stated licence.
pub(super) fn read(stated: &str) -> Licence<'_> {
    if let Some(known) = spdx::license_id(stated) {
        return Licence::Identifier(known.name);
    }
    // Only exact expressions: what is repaired is no longer what the package states.
    match spdx::Expression::parse(stated) {
        Ok(expression) => Licence::Expression(expression.to_string()),
        Err(_) => Licence::Words(stated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_expressions_and_words_are_told_apart() {
        assert_eq!(read("MIT"), Licence::Identifier("MIT"));
        assert_eq!(
            read("MIT OR Apache-2.0"),
            Licence::Expression("MIT OR Apache-2.0".to_owned())
        );
        assert_eq!(read("BSD License"), Licence::Words("BSD License"));
        assert_eq!(read("GPL-2+, MIT"), Licence::Words("GPL-2+, MIT"));
    }
}
