//! `Depends` and `Provides`: `a (>= 1), b:any | c [amd64] <!nocheck>`.

use std::cmp::Ordering;
use std::fmt;

use super::version;

/// One alternative of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Relation<'a> {
    pub(super) name: &'a str,
    pub(super) version: Option<(Operator, &'a str)>,
}

/// How a version must compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Less,
    LessEqual,
    Equal,
    GreaterEqual,
    Greater,
}

impl Operator {
    const ALL: [(&'static str, Self); 5] = [
        ("<<", Operator::Less),
        ("<=", Operator::LessEqual),
        (">=", Operator::GreaterEqual),
        (">>", Operator::Greater),
        ("=", Operator::Equal),
    ];

    fn admits(self, order: Ordering) -> bool {
        match self {
            Operator::Less => order.is_lt(),
            Operator::LessEqual => order.is_le(),
            Operator::Equal => order.is_eq(),
            Operator::GreaterEqual => order.is_ge(),
            Operator::Greater => order.is_gt(),
        }
    }
}

impl<'a> Relation<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let name_end = text
            .find(|c: char| c.is_whitespace() || "([<:".contains(c))
            .unwrap_or(text.len());
        let name = &text[..name_end];
        let version = text.split_once('(').and_then(|(_, rest)| {
            let (inside, _) = rest.split_once(')')?;
            let inside = inside.trim();
            Operator::ALL
                .iter()
                .find_map(|(sign, operator)| Some((*operator, inside.strip_prefix(sign)?.trim())))
        });
        (!name.is_empty()).then_some(Self { name, version })
    }

    /// Whether a package of this version will do.
    pub(super) fn admits(&self, candidate: &str) -> bool {
        self.version
            .is_none_or(|(operator, wanted)| operator.admits(version::compare(candidate, wanted)))
    }

    /// Whether something provided will do. What is provided without a version satisfies only
    /// relations without one.
    pub(super) fn admits_provided(&self, provided: Option<&str>) -> bool {
        match (self.version, provided) {
            (None, _) => true,
            (Some(_), Some(version)) => self.admits(version),
            (Some(_), None) => false,
        }
    }
}

impl fmt::Display for Relation<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)?;
        if let Some((operator, version)) = self.version {
            let sign = Operator::ALL
                .iter()
                .find(|(_, candidate)| *candidate == operator)
                .map_or("", |(sign, _)| *sign);
            write!(formatter, " ({sign} {version})")?;
        }
        Ok(())
    }
}

/// The dependencies of a field, each with its alternatives.
pub(super) fn dependencies(field: &str) -> impl Iterator<Item = Vec<Relation<'_>>> {
    field
        .split(',')
        .map(|alternatives| {
            alternatives
                .split('|')
                .filter_map(Relation::parse)
                .collect()
        })
        .filter(|alternatives: &Vec<Relation<'_>>| !alternatives.is_empty())
}

/// What a `Provides` field offers: names, with a version where one is stated.
pub(super) fn provided(field: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    field.split(',').filter_map(|item| {
        let relation = Relation::parse(item)?;
        Some((relation.name, relation.version.map(|(_, version)| version)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_alternatives_versions_and_qualifiers() {
        let field = "libc6 (>= 2.38), perl:any | awk,  debconf (<< 2~) | debconf-2.0 , x [amd64] <!nocheck>";
        let read: Vec<Vec<String>> = dependencies(field)
            .map(|alternatives| alternatives.iter().map(ToString::to_string).collect())
            .collect();
        assert_eq!(
            read,
            [
                vec!["libc6 (>= 2.38)"],
                vec!["perl", "awk"],
                vec!["debconf (<< 2~)", "debconf-2.0"],
                vec!["x"]
            ]
        );
    }

    #[test]
    fn provided_versions_count_only_when_stated() {
        let relation = dependencies("x (>= 2)").next().unwrap()[0];
        assert!(relation.admits("2.1") && !relation.admits("1"));
        assert!(!relation.admits_provided(None) && relation.admits_provided(Some("3")));
        let offers: Vec<_> = provided("a, b (= 1.2)").collect();
        assert_eq!(offers, [("a", None), ("b", Some("1.2"))]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_fail(text in "[a-c|,()<>=:. \\[\\]0-9]{0,60}") {
            for alternatives in dependencies(&text) {
                for relation in alternatives {
                    relation.admits("1");
                }
            }
        }
    }
}
