//! Where things stand after an edit that says nothing new.
//!
//! Two readings of a file are compared by what they say without its places. Where that is the same, each place of
//! the one is a place of the other, and what was found by the first is found by the second, elsewhere in the file.

use std::collections::BTreeMap;
use std::path::Path;

use plimsoll_diag::Position;
use rmpv::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Where places of one file are now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Moves {
    places: BTreeMap<Position, Position>,
}

impl Moves {
    /// Adds the places of `before`, which are at `now`. `None` where these two do not say the same, or not in the same
    /// order.
    pub(crate) fn between<T: Serialize>(&mut self, before: &T, now: &T) -> Option<()> {
        let (mut before, mut now) = (plain(before)?, plain(now)?);
        let (mut from, mut to) = (Vec::new(), Vec::new());
        take_places(&mut before, &mut from);
        take_places(&mut now, &mut to);
        if before != now || from.len() != to.len() {
            return None;
        }
        for (from, to) in from.into_iter().zip(to) {
            if self
                .places
                .insert(from, to)
                .is_some_and(|known| known != to)
            {
                return None;
            }
        }
        self.keep_order().then_some(())
    }

    /// Whether what came first does still, and what stood on one line does: what is found goes by it.
    fn keep_order(&self) -> bool {
        let next = self.places.iter().skip(1);
        self.places
            .iter()
            .zip(next)
            .all(|((one, one_now), (other, other_now))| {
                one_now < other_now
                    && one.line.cmp(&other.line) == one_now.line.cmp(&other_now.line)
            })
    }

    /// Whether everything is where it was.
    pub(crate) fn are_none(&self) -> bool {
        self.places.iter().all(|(before, now)| before == now)
    }

    fn line(&self, line: u32) -> Option<u32> {
        let start = Position { line, column: 0 };
        let (before, now) = self.places.range(start..).next()?;
        (before.line == line).then_some(now.line)
    }
}

/// Moves of several files, by the path that is shown of each.
#[derive(Debug, Default)]
pub(crate) struct AllMoves(BTreeMap<String, Moves>);

impl AllMoves {
    /// Adds the moves of a file. `None` where its path is no text.
    pub(crate) fn add(&mut self, shown: &Path, moves: Moves) -> Option<()> {
        let shown = shown.to_str()?.to_owned();
        if !moves.are_none() {
            self.0.insert(shown, moves);
        }
        Some(())
    }

    pub(crate) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// `found` with its places where they are now. `None` where it names one of which nothing is known.
    pub(crate) fn apply<T: Serialize + DeserializeOwned>(&self, found: &T) -> Option<T> {
        let mut value = plain(found)?;
        self.apply_to(&mut value)?;
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &value).ok()?;
        rmp_serde::from_slice(&bytes).ok()
    }

    fn apply_to(&self, value: &mut Value) -> Option<()> {
        match value {
            Value::Array(parts) => parts.iter_mut().try_for_each(|part| self.apply_to(part)),
            Value::Map(entries) if is_of_file(entries) => Some(()),
            Value::Map(entries) => {
                let file = entries.iter().find(|(key, _)| key.as_str() == Some("file"));
                let moves = file.and_then(|(_, file)| self.0.get(file.as_str()?));
                for (key, part) in entries.iter_mut() {
                    self.apply_to(key)?;
                    match (position(part), moves) {
                        (Some(before), Some(moves)) => {
                            *part = of_position(*moves.places.get(&before)?);
                        }
                        _ => self.apply_to(part)?,
                    }
                }
                Some(())
            }
            Value::String(text) => {
                if let Some(text) = text.as_str().filter(|text| text.contains(':'))
                    && let Some(moved) = self.apply_to_text(text)?
                {
                    *value = moved.into();
                }
                Some(())
            }
            _ => Some(()),
        }
    }

    /// A text in which places are named: `app/main.py:12`. `Some(None)` where there is nothing to change.
    #[expect(
        clippy::option_option,
        reason = "the inner one is an answer, the outer one that there is none"
    )]
    fn apply_to_text(&self, text: &str) -> Option<Option<String>> {
        let mut moved: Option<String> = None;
        for (file, moves) in &self.0 {
            let named = format!("{file}:");
            let now = moved.as_deref().unwrap_or(text);
            if !now.contains(&named) {
                continue;
            }
            let mut written = String::new();
            let mut rest = now;
            while let Some(at) = rest.find(&named) {
                let (before, after) = rest.split_at(at + named.len());
                written.push_str(before);
                rest = after;
                let digits =
                    after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                let other_file = before[..at]
                    .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'));
                if digits == 0 || other_file {
                    continue;
                }
                let (line, after) = after.split_at(digits);
                // A column is known of whole places only.
                let column = after
                    .strip_prefix(':')
                    .is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()));
                if column {
                    return None;
                }
                written.push_str(&moves.line(line.parse().ok()?)?.to_string());
                rest = after;
            }
            written.push_str(rest);
            moved = Some(written);
        }
        Some(moved)
    }
}

/// A value whose fields have names.
fn plain<T: Serialize>(value: &T) -> Option<Value> {
    let bytes = rmp_serde::to_vec_named(value).ok()?;
    rmpv::decode::read_value(&mut bytes.as_slice()).ok()
}

/// The position that a value is.
fn position(value: &Value) -> Option<Position> {
    let [(line_key, line), (column_key, column)] = value.as_map()?.as_slice() else {
        return None;
    };
    if line_key.as_str() != Some("line") || column_key.as_str() != Some("column") {
        return None;
    }
    Some(Position {
        line: line.as_u64()?.try_into().ok()?,
        column: column.as_u64()?.try_into().ok()?,
    })
}

/// Whether a range is the empty one before the first character, which stands for the file itself.
fn is_of_file(entries: &[(Value, Value)]) -> bool {
    let first = Some(Position { line: 1, column: 1 });
    let bound = |name: &str| entries.iter().find(|(key, _)| key.as_str() == Some(name));
    ["start", "end"]
        .iter()
        .all(|name| bound(name).is_some_and(|(_, at)| position(at) == first))
}

fn of_position(position: Position) -> Value {
    Value::Map(vec![
        ("line".into(), position.line.into()),
        ("column".into(), position.column.into()),
    ])
}

/// Takes the positions out of a value.
fn take_places(value: &mut Value, places: &mut Vec<Position>) {
    if let Some(place) = position(value) {
        places.push(place);
        *value = Value::Nil;
        return;
    }
    match value {
        Value::Array(parts) => parts.iter_mut().for_each(|part| take_places(part, places)),
        Value::Map(entries) if is_of_file(entries) => {}
        Value::Map(entries) => {
            for (key, part) in entries {
                take_places(key, places);
                take_places(part, places);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_diag::Span;

    use super::*;

    /// What one line after the other says, and where.
    fn said(lines: &[(u32, &str)]) -> Vec<(String, Position)> {
        let at = |line| Position { line, column: 1 };
        let lines = lines.iter();
        lines
            .map(|(line, text)| ((*text).to_owned(), at(*line)))
            .collect()
    }

    fn moves(before: &[(u32, &str)], now: &[(u32, &str)]) -> Option<Moves> {
        let mut moves = Moves::default();
        moves.between(&said(before), &said(now))?;
        Some(moves)
    }

    #[test]
    fn the_same_elsewhere_is_the_same_and_another_order_is_not() {
        assert!(
            moves(&[(1, "a"), (4, "b")], &[(1, "a"), (4, "b")])
                .unwrap()
                .are_none()
        );
        assert!(
            !moves(&[(1, "a"), (4, "b")], &[(2, "a"), (9, "b")])
                .unwrap()
                .are_none()
        );
        assert_eq!(moves(&[(1, "a")], &[(1, "b")]), None);
        assert_eq!(moves(&[(1, "a")], &[(1, "a"), (2, "a")]), None);
        assert_eq!(moves(&[(1, "a"), (4, "b")], &[(4, "a"), (1, "b")]), None);
        assert_eq!(moves(&[(1, "a"), (4, "b")], &[(2, "a"), (2, "b")]), None);
        assert_eq!(moves(&[(1, "a"), (1, "b")], &[(1, "a"), (2, "b")]), None);
    }

    fn moved<T: Serialize + DeserializeOwned>(found: &T) -> Option<T> {
        let mut all = AllMoves::default();
        let moves = moves(&[(3, "a"), (12, "b")], &[(4, "a"), (20, "b")])?;
        all.add(Path::new("app/main.py"), moves)?;
        all.apply(found)
    }

    #[test]
    fn places_move_where_they_are_known() {
        let at = |line| Span::new(Path::new("app/main.py"), line, 1, 0);
        assert_eq!(moved(&at(3)), Some(at(4)));
        assert_eq!(moved(&at(5)), None);
        assert_eq!(moved(&at(1)), Some(at(1)), "the file itself");
        let other = Span::new(Path::new("main.py"), 3, 1, 0);
        assert_eq!(moved(&other), Some(other.clone()));
    }

    #[test]
    fn places_in_texts_move_too() {
        let moved = |text: &str| moved(&text.to_owned());
        let same = |text: &str| Some(text.to_owned());
        assert_eq!(
            moved("twice (app/main.py:3, app/main.py:12)"),
            same("twice (app/main.py:4, app/main.py:20)")
        );
        assert_eq!(
            moved("src/app/main.py:3: app/main.py: no"),
            same("src/app/main.py:3: app/main.py: no")
        );
        assert_eq!(moved("app/main.py:33"), None);
        assert_eq!(moved("app/main.py:3:7"), None);
    }
}
