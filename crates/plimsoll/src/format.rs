//! Sizes, times and tables as people read them.

use std::time::Duration;

use plimsoll_diag::Diagnostic;

use crate::failure::Failure;

/// A number of things: `1 container`, `3 containers`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// A size in bytes, to two or three significant digits: `63 MB`, `1.9 GB`. Units are decimal.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 || value >= 9.95 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// How long work took, as precisely as it matters: `4 ms`, `1.9 s`, `2 min 5 s`.
pub(crate) fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.1 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 59.95 {
        format!("{seconds:.1} s")
    } else {
        let whole = duration.as_secs();
        format!("{} min {} s", whole / 60, whole % 60)
    }
}

/// How long something has been so, in its largest unit: `8 s`, `3 min`, `2 h`, `5 d`.
pub(crate) fn age(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// How old something is at least, as it is typed: `30d`, `12h`, `4w`.
pub(crate) fn age_of(text: &str) -> Result<Duration, Failure> {
    let unit = |letter: char| -> Option<u64> {
        match letter {
            'h' => Some(3600),
            'd' => Some(86_400),
            'w' => Some(7 * 86_400),
            _ => None,
        }
    };
    let mut letters = text.chars();
    let seconds = letters.next_back().and_then(unit);
    let number: Option<u64> = letters.as_str().parse().ok();
    let seconds = seconds
        .zip(number)
        .and_then(|(unit, number)| unit.checked_mul(number));
    match seconds.filter(|seconds| *seconds <= OLDEST) {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err(Failure::usage(
            Diagnostic::error(format!("`{text}` is no age"))
                .hint("a number and `h`, `d` or `w`: `30d`"),
        )),
    }
}

/// Nothing on a disk is older.
const OLDEST: u64 = 36_500 * 86_400;

/// Which side of a column its cells stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Lays rows out in columns two spaces apart; every line ends without spaces.
pub(crate) fn table(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let lines: Vec<&Vec<String>> = std::iter::once(&header).chain(rows).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for line in lines {
        let mut row = String::new();
        for (column, cell) in line.iter().enumerate() {
            let padding = " ".repeat(widths[column] - cell.chars().count());
            match columns[column].1 {
                Align::Left => row.extend([cell.as_str(), &padding, "  "]),
                Align::Right => row.extend([padding.as_str(), cell, "  "]),
            }
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_and_nonsense_is_not() {
        assert_eq!(age_of("2d").unwrap(), Duration::from_secs(172_800));
        for wrong in [
            "",
            "d",
            "2",
            "2y",
            "-1d",
            "99999999999999999999w",
            "999999w",
        ] {
            assert!(age_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_rounded_to_what_matters() {
        let shown: Vec<String> = [0, 999, 1000, 63_400_000, 999_600_000, 1_940_000_000]
            .into_iter()
            .map(size)
            .collect();
        assert_eq!(
            shown,
            ["0 B", "999 B", "1.0 kB", "63 MB", "1.0 GB", "1.9 GB"]
        );
    }

    #[test]
    fn times_are_rounded_to_what_matters() {
        let shown: Vec<String> = [4, 99, 120, 1_940, 125_000]
            .into_iter()
            .map(|millis| elapsed(Duration::from_millis(millis)))
            .collect();
        assert_eq!(shown, ["4 ms", "99 ms", "0.1 s", "1.9 s", "2 min 5 s"]);
    }

    #[test]
    fn columns_align() {
        let rows = [
            vec!["backend".to_owned(), "63 MB".to_owned()],
            vec!["db".to_owned(), "101 MB".to_owned()],
        ];
        insta::assert_snapshot!(table(&[("service", Align::Left), ("size", Align::Right)], &rows), @r"
        service    size
        backend   63 MB
        db       101 MB
        ");
    }
}
