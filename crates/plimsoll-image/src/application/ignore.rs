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
    components: Vec<String>,
    keeps: bool,
}

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
        self.patterns
            .iter()
            .rev()
            .find(|pattern| pattern.matches_self_or_parent(path))
            .is_some_and(|pattern| !pattern.keeps)
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
        let mut components: Vec<String> = Vec::new();
        for component in text.split('/') {
            match component {
                "" | "." => {}
                ".." => {
                    components.pop();
                }
                other => components.push(other.to_string()),
            }
        }
        (!components.is_empty()).then_some(Self { components, keeps })
    }

    fn matches_self_or_parent(&self, path: &[&str]) -> bool {
        (1..=path.len()).any(|length| matches(&self.components, &path[..length]))
    }

    fn may_match_below(&self, directory: &[&str]) -> bool {
        for (index, component) in self.components.iter().enumerate() {
            if component == "**" {
                return true;
            }
            match directory.get(index) {
                Some(name) if component_matches(component, name) => {}
                Some(_) => return false,
                None => return true,
            }
        }
        true
    }
}

fn matches(pattern: &[String], path: &[&str]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((first, rest)) if first == "**" => {
            (0..=path.len()).any(|skip| matches(rest, &path[skip..]))
        }
        Some((first, rest)) => path
            .split_first()
            .is_some_and(|(name, below)| component_matches(first, name) && matches(rest, below)),
    }
}

/// Whether one path component matches a pattern with `*`, `?`, `[a-z]`, `[^a]` and `\`.
fn component_matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut position) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while position < name.len() {
        let step = match pattern.get(at) {
            Some('*') => {
                retry = Some((at, position));
                at += 1;
                continue;
            }
            Some(_) => one(&pattern[at..], name[position]),
            None => None,
        };
        match (step, retry) {
            (Some(length), _) => {
                at += length;
                position += 1;
            }
            (None, Some((star, from))) => {
                retry = Some((star, from + 1));
                at = star + 1;
                position = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
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

    proptest! {
        #[test]
        fn no_pattern_panics_and_stars_cover_everything(text in "[ -~]{0,12}", path in "[a-z]{1,6}(/[a-z]{1,6}){0,3}") {
            covers(&text, &path);
            prop_assert!(covers("**", &path));
            prop_assert!(covers(&path.replace('/', "/**/"), &path));
        }
    }
}
