//! `.dockerignore`: which files of a build context stay out.
//!
//! The rules are those of the file's own format, which is not that of `.gitignore`: patterns are
//! anchored at the context, `*` stays within one component, `**` spans any number of them, a
//! pattern that matches a directory covers what is below, `!` takes back, and the last pattern
//! that matches decides.

/// An ordered list of patterns.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone)]
struct Pattern {
    components: Vec<Component>,
    keeps: bool,
}

/// One component of a pattern. Taken apart once, because it is compared with every name of a tree.
#[derive(Debug, Clone)]
enum Component {
    /// `**`.
    Any,
    /// Nothing in it has a meaning of its own.
    Name(String),
    /// `*` and a rest without a meaning of its own.
    EndsWith(String),
    /// Everything else.
    Glob(Vec<char>),
}

/// Which pattern decides about a path, for those who walk a tree from its top down: what a pattern
/// says of a directory holds for all below, so that each name is compared once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Decided(Option<usize>);

impl Ignore {
    /// Reads the text of a `.dockerignore`.
    pub fn parse(text: &str) -> Self {
        Self::from_patterns(text.lines())
    }

    /// Takes patterns one by one, comments and empty lines aside.
    pub fn from_patterns<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let patterns = lines.into_iter().filter_map(Pattern::parse).collect();
        Self { patterns }
    }

    /// The patterns of `self`, then those of `later`, which decide where both match.
    #[must_use]
    pub(crate) fn then(mut self, later: &Self) -> Self {
        self.patterns.extend(later.patterns.iter().cloned());
        self
    }

    /// Whether a path, given by its components, stays out.
    pub fn covers(&self, path: &[&str]) -> bool {
        let decided = (1..=path.len()).fold(Decided::default(), |parent, length| {
            self.decide(parent, &path[..length])
        });
        self.leaves_out(decided)
    }

    /// Which pattern decides about a path in a directory about which `parent` decides.
    pub(crate) fn decide(&self, parent: Decided, path: &[&str]) -> Decided {
        let first = parent.0.map_or(0, |index| index + 1);
        let later = self.patterns.get(first..).unwrap_or_default();
        match later.iter().rposition(|pattern| pattern.matches(path)) {
            Some(index) => Decided(Some(first + index)),
            None => parent,
        }
    }

    /// Whether what was decided leaves a path out.
    pub(crate) fn leaves_out(&self, decided: Decided) -> bool {
        let pattern = decided.0.and_then(|index| self.patterns.get(index));
        pattern.is_some_and(|pattern| !pattern.keeps)
    }

    /// Whether something below a directory may be kept although the directory is not: then it
    /// must be walked all the same.
    pub(crate) fn may_keep_below(&self, directory: &[&str]) -> bool {
        self.patterns
            .iter()
            .any(|pattern| pattern.keeps && pattern.may_match_below(directory))
    }
}

impl Pattern {
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (keeps, text) = match line.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, line),
        };
        let mut components: Vec<Component> = Vec::new();
        for component in text.split('/') {
            match component {
                "" | "." => {}
                ".." => {
                    components.pop();
                }
                other => components.push(Component::parse(other)),
            }
        }
        (!components.is_empty()).then_some(Self { components, keeps })
    }

    fn matches(&self, path: &[&str]) -> bool {
        match (self.components.as_slice(), path) {
            // The common case: a name anywhere.
            ([Component::Any, last], [.., name]) if !matches!(last, Component::Any) => {
                last.matches(name)
            }
            (components, path) => matches(components, path),
        }
    }

    fn may_match_below(&self, directory: &[&str]) -> bool {
        for (index, component) in self.components.iter().enumerate() {
            if matches!(component, Component::Any) {
                return true;
            }
            match directory.get(index) {
                Some(name) if component.matches(name) => {}
                Some(_) => return false,
                None => return true,
            }
        }
        true
    }
}

impl Component {
    fn parse(text: &str) -> Self {
        let means = |c: char| matches!(c, '*' | '?' | '[' | '\\');
        match text {
            "**" => Self::Any,
            name if !name.contains(means) => Self::Name(name.to_string()),
            _ => match text.strip_prefix('*') {
                Some(rest) if !rest.contains(means) => Self::EndsWith(rest.to_string()),
                _ => Self::Glob(text.chars().collect()),
            },
        }
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Any => glob_matches(&['*', '*'], name),
            Self::Name(own) => own == name,
            Self::EndsWith(end) => name.ends_with(end.as_str()),
            Self::Glob(pattern) => glob_matches(pattern, name),
        }
    }
}

fn matches(pattern: &[Component], path: &[&str]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((Component::Any, rest)) => (0..=path.len()).any(|skip| matches(rest, &path[skip..])),
        Some((first, rest)) => path
            .split_first()
            .is_some_and(|(name, below)| first.matches(name) && matches(rest, below)),
    }
}

/// Whether one path component matches a pattern with `*`, `?`, `[a-z]`, `[^a]` and `\`.
fn glob_matches(pattern: &[char], name: &str) -> bool {
    let mut names = name.chars();
    let mut at = 0;
    // Where to go on when the shortest that the last `*` may stand for was too short.
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        if let Some('*') = pattern.get(at) {
            at += 1;
            retry = Some((at, names.clone()));
            continue;
        }
        let Some(character) = names.next() else {
            return at == pattern.len();
        };
        if let Some(length) = pattern.get(at..).and_then(|rest| one(rest, character)) {
            at += length;
            continue;
        }
        let Some((star, from)) = &mut retry else {
            return false;
        };
        if from.next().is_none() {
            return false;
        }
        at = *star;
        names = from.clone();
    }
}

/// How many characters of the pattern one character of a name uses up, when it matches.
fn one(pattern: &[char], character: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['\\', escaped, ..] => (*escaped == character).then_some(2),
        ['[', rest @ ..] => {
            let (negated, set) = match rest {
                ['^' | '!', set @ ..] => (true, set),
                set => (false, set),
            };
            let length = set.iter().skip(1).position(|c| *c == ']')? + 1;
            let inside = in_set(&set[..length], character);
            let used = 1 + usize::from(negated) + length + 1;
            (inside != negated).then_some(used)
        }
        [literal, ..] => (*literal == character).then_some(1),
        [] => None,
    }
}

fn in_set(set: &[char], character: char) -> bool {
    let mut rest = set;
    while let [first, more @ ..] = rest {
        if let ['-', last, after @ ..] = more {
            if (*first..=*last).contains(&character) {
                return true;
            }
            rest = after;
        } else {
            if *first == character {
                return true;
            }
            rest = more;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn covers(text: &str, path: &str) -> bool {
        let components: Vec<&str> = path.split('/').collect();
        Ignore::parse(text).covers(&components)
    }

    #[test]
    fn a_pattern_is_anchored_and_covers_what_is_below() {
        assert!(covers("node_modules", "node_modules/a/b.js"));
        assert!(!covers("node_modules", "web/node_modules/a"));
        assert!(covers("**/node_modules", "web/node_modules/a"));
        assert!(covers("/build/", "build/x"));
        assert!(covers("*.md", "README.md"));
        assert!(!covers("*.md", "docs/README.md"));
        assert!(covers("**/*.md", "docs/a/README.md"));
        assert!(covers("docs/**/x", "docs/x"));
    }

    #[test]
    fn the_last_pattern_decides() {
        let text = "# all but one\n*\n!src\nsrc/secret.txt\n";
        assert!(covers(text, "README.md"));
        assert!(!covers(text, "src/main.py"));
        assert!(covers(text, "src/secret.txt"));
        assert!(Ignore::parse("*\n!a/b/c").may_keep_below(&["a"]));
        assert!(Ignore::parse("*\n!a/b/c").may_keep_below(&["a", "b"]));
        assert!(!Ignore::parse("*\n!a/b/c").may_keep_below(&["x"]));
    }

    #[test]
    fn sets_and_escapes_match_one_character() {
        assert!(covers("[a-c]?.py", "bx.py"));
        assert!(!covers("[^a-c]?.py", "bx.py"));
        assert!(covers("a\\*b", "a*b"));
        assert!(!covers("a\\*b", "axb"));
        assert!(!covers("[", "x"));
    }

    #[test]
    fn a_star_gives_back_what_it_took_too_little_of() {
        assert!(covers("*a*b", "xaab"));
        assert!(covers("*.test.*", "a.tes.test.js"));
        assert!(!covers("*a*b", "xab.c"));
        assert!(covers("a*", "a"));
        assert!(covers("ü*ß", "üßß"));
    }

    proptest! {
        #[test]
        fn a_walk_decides_as_the_last_pattern_that_matches_the_path_or_what_it_is_in(
            patterns in proptest::collection::vec("!?(\\*\\*/)?[ab*](/[ab*?]){0,2}", 0..6),
            path in "[ab](/[ab]){0,3}",
        ) {
            let ignore = Ignore::from_patterns(patterns.iter().map(String::as_str));
            let components: Vec<&str> = path.split('/').collect();
            let stated = ignore.patterns.iter().rev().find(|pattern| {
                (1..=components.len()).any(|length| matches(&pattern.components, &components[..length]))
            });
            prop_assert_eq!(ignore.covers(&components), stated.is_some_and(|pattern| !pattern.keeps));
        }

        #[test]
        fn no_pattern_panics_and_stars_cover_everything(text in "[ -~]{0,12}", path in "[a-z]{1,6}(/[a-z]{1,6}){0,3}") {
            covers(&text, &path);
            prop_assert!(covers("**", &path));
            prop_assert!(covers(&path.replace('/', "/**/"), &path));
        }
    }
}
