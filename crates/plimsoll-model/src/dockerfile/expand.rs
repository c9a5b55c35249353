//! Putting values into a word, and taking its quotes away.

use thiserror::Error;

/// What quotes in a word mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quoting {
    /// They are taken away; what single ones hold stays as it is.
    Removed,
    /// They are plain characters: in a here-document.
    Kept,
}

/// A word that cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExpandError {
    /// A quote without its partner.
    #[error("`{0}` has no closing quote")]
    Quote(char),
    /// `${` without `}`.
    #[error("`${{` has no closing brace")]
    Brace,
    /// A modifier that no one knows.
    #[error("`{0}` is no modifier of a variable")]
    Modifier(String),
    /// `${name:?message}` of a variable without a value.
    #[error("`{name}` is not set: {message}")]
    Unset {
        /// The variable.
        name: String,
        /// What the file says about it.
        message: String,
    },
    /// Words within words without an end.
    #[error("variables are nested too deeply")]
    Depth,
}

/// How deep words may stand in words.
const DEEPEST: usize = 32;

/// Puts values in for variables. A variable that `lookup` does not know is empty.
///
/// # Errors
/// When a quote or brace is not closed, a modifier is unknown, or a needed variable is not set.
pub fn expand(
    word: &str,
    escape: char,
    quoting: Quoting,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String, ExpandError> {
    let mut expansion = Expansion {
        rest: word.chars().collect::<Vec<_>>().into_iter().peekable(),
        escape,
        quoting,
        lookup,
        depth: 0,
    };
    let (text, _) = expansion.until(None)?;
    Ok(text)
}

struct Expansion<'l> {
    rest: std::iter::Peekable<std::vec::IntoIter<char>>,
    escape: char,
    quoting: Quoting,
    lookup: &'l dyn Fn(&str) -> Option<String>,
    depth: usize,
}

impl Expansion<'_> {
    /// Up to `stop`, which is taken too; and whether it was there.
    fn until(&mut self, stop: Option<char>) -> Result<(String, bool), ExpandError> {
        let mut text = String::new();
        while let Some(character) = self.rest.next() {
            match character {
                _ if Some(character) == stop => return Ok((text, true)),
                '\'' if self.quoting == Quoting::Removed => self.single(&mut text)?,
                '"' if self.quoting == Quoting::Removed => self.double(&mut text)?,
                '$' => self.variable(&mut text)?,
                _ if character == self.escape => {
                    // At the end of a word it is nothing but itself.
                    text.push(self.rest.next().unwrap_or(character));
                }
                _ => text.push(character),
            }
        }
        Ok((text, false))
    }

    fn single(&mut self, text: &mut String) -> Result<(), ExpandError> {
        loop {
            match self.rest.next() {
                None => return Err(ExpandError::Quote('\'')),
                Some('\'') => return Ok(()),
                Some(character) => text.push(character),
            }
        }
    }

    fn double(&mut self, text: &mut String) -> Result<(), ExpandError> {
        loop {
            match self.rest.next() {
                None => return Err(ExpandError::Quote('"')),
                Some('"') => return Ok(()),
                Some('$') => self.variable(text)?,
                Some(character) if character == self.escape => match self.rest.next() {
                    None => return Err(ExpandError::Quote('"')),
                    Some(next) => {
                        if !(next == '"' || next == '$' || next == self.escape) {
                            text.push(character);
                        }
                        text.push(next);
                    }
                },
                Some(character) => text.push(character),
            }
        }
    }

    fn variable(&mut self, text: &mut String) -> Result<(), ExpandError> {
        if self.rest.peek() == Some(&'{') {
            self.rest.next();
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(ExpandError::Depth);
            }
            let value = self.braced()?;
            self.depth -= 1;
            text.push_str(&value);
            return Ok(());
        }
        let name = self.name();
        if name.is_empty() {
            text.push('$');
        } else {
            text.push_str(&(self.lookup)(&name).unwrap_or_default());
        }
        Ok(())
    }

    /// A name as a shell knows it, or one digit or special parameter.
    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(&character) = self.rest.peek() {
            let fits = match name.is_empty() {
                true => character.is_ascii_alphabetic() || character == '_',
                false => character.is_ascii_alphanumeric() || character == '_',
            };
            if !fits {
                break;
            }
            name.push(character);
            self.rest.next();
        }
        if name.is_empty()
            && let Some(&character) = self.rest.peek()
            && (character.is_ascii_digit() || "@*#?-$!".contains(character))
        {
            name.push(character);
            self.rest.next();
        }
        name
    }

    fn word(&mut self, stop: char) -> Result<(String, bool), ExpandError> {
        let (word, closed) = self.until(Some(stop))?;
        Ok((word, closed))
    }

    fn closing(&mut self) -> Result<String, ExpandError> {
        match self.word('}')? {
            (word, true) => Ok(word),
            _ => Err(ExpandError::Brace),
        }
    }

    fn braced(&mut self) -> Result<String, ExpandError> {
        let name = self.name();
        if name.is_empty() {
            return Err(match self.rest.peek() {
                None => ExpandError::Brace,
                Some(character) => ExpandError::Modifier(character.to_string()),
            });
        }
        let value = (self.lookup)(&name);
        let Some(modifier) = self.rest.next() else {
            return Err(ExpandError::Brace);
        };
        match modifier {
            '}' => Ok(value.unwrap_or_default()),
            ':' => {
                let modifier = self.rest.next().ok_or(ExpandError::Brace)?;
                let filled = value.filter(|value| !value.is_empty());
                self.alternative(&name, modifier, filled, ":")
            }
            '-' | '+' | '?' => self.alternative(&name, modifier, value, ""),
            '#' | '%' => {
                let greedy = self.rest.next_if_eq(&modifier).is_some();
                let pattern: Vec<char> = self.closing()?.chars().collect();
                let value: Vec<char> = value.unwrap_or_default().chars().collect();
                Ok(trimmed(&value, &pattern, modifier == '#', greedy))
            }
            '/' => {
                let all = self.rest.next_if_eq(&'/').is_some();
                let (pattern, more) = self.replaced_pattern()?;
                let replacement = match more {
                    true => self.closing()?,
                    false => String::new(),
                };
                let pattern: Vec<char> = pattern.chars().collect();
                let value: Vec<char> = value.unwrap_or_default().chars().collect();
                Ok(replaced(&value, &pattern, &replacement, all))
            }
            other => Err(ExpandError::Modifier(other.to_string())),
        }
    }

    /// The pattern of `${name/pattern/replacement}`, and whether a replacement follows.
    fn replaced_pattern(&mut self) -> Result<(String, bool), ExpandError> {
        let mut pattern = String::new();
        loop {
            match self.rest.next() {
                None => return Err(ExpandError::Brace),
                Some('/') => return Ok((pattern, true)),
                Some('}') => return Ok((pattern, false)),
                Some('$') => self.variable(&mut pattern)?,
                Some(character) if character == self.escape => {
                    match self.rest.next() {
                        None => return Err(ExpandError::Brace),
                        // The slash would end the pattern; other characters keep their escape,
                        // which means something in a pattern.
                        Some('/') => pattern.push('/'),
                        Some(next) => pattern.extend(['\\', next]),
                    }
                }
                Some(character) => pattern.push(character),
            }
        }
    }

    fn alternative(
        &mut self,
        name: &str,
        modifier: char,
        value: Option<String>,
        colon: &str,
    ) -> Result<String, ExpandError> {
        let word = self.closing()?;
        match modifier {
            '-' => Ok(value.unwrap_or(word)),
            '+' => Ok(value.map(|_| word).unwrap_or_default()),
            '?' => value.ok_or_else(|| ExpandError::Unset {
                name: name.to_owned(),
                message: match word.is_empty() {
                    true => "a value is required".to_owned(),
                    false => word,
                },
            }),
            other => Err(ExpandError::Modifier(format!("{colon}{other}"))),
        }
    }
}

/// Takes the shortest or longest match off the beginning or end.
fn trimmed(value: &[char], pattern: &[char], front: bool, greedy: bool) -> String {
    let mut lengths: Vec<usize> = (0..=value.len()).collect();
    if greedy {
        lengths.reverse();
    }
    for length in lengths {
        let (part, rest) = match front {
            true => value.split_at(length),
            false => {
                let (rest, part) = value.split_at(value.len() - length);
                (part, rest)
            }
        };
        if matches(pattern, part) {
            return rest.iter().collect();
        }
    }
    value.iter().collect()
}

fn replaced(value: &[char], pattern: &[char], replacement: &str, all: bool) -> String {
    let mut text = String::new();
    let mut at = 0;
    let mut done = pattern.is_empty();
    while at < value.len() {
        let longest = (at + 1..=value.len())
            .rev()
            .find(|end| !done && matches(pattern, &value[at..*end]));
        match longest {
            Some(end) => {
                text.push_str(replacement);
                at = end;
                done = !all;
            }
            None => {
                text.push(value[at]);
                at += 1;
            }
        }
    }
    text
}

/// Whether a whole text is what `*`, `?` and escaped characters describe.
fn matches(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some('?') if t < text.len() => Some(1),
            Some('\\') if p + 1 < pattern.len() => {
                (text.get(t) == Some(&pattern[p + 1])).then_some(2)
            }
            Some(character) => (text.get(t) == Some(character)).then_some(1),
            None if t == text.len() => return true,
            None => None,
        };
        match (step, star) {
            (Some(step), _) => {
                p += step;
                t += 1;
            }
            // The last star takes one character more.
            (None, Some((at, taken))) if taken < text.len() => {
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
            _ => return false,
        }
    }
}
