//! Durations, sizes and command lines as Compose files write them.

use std::time::Duration;

/// Nanoseconds of a duration such as `1h30m`, `2.5s`, `1d`; units from `ns` to `w`.
pub(super) fn nanoseconds(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i64;
    while !rest.is_empty() {
        let digits = digits_of(rest);
        let whole: i64 = if digits == 0 {
            0
        } else {
            rest[..digits].parse().ok()?
        };
        rest = &rest[digits..];
        let mut fraction = 0.0;
        let mut any = digits > 0;
        if let Some(after) = rest.strip_prefix('.') {
            let digits = digits_of(after);
            any |= digits > 0;
            if digits > 0 {
                fraction = format!("0.{}", &after[..digits]).parse().ok()?;
            }
            rest = &after[digits..];
        }
        if !any {
            return None;
        }
        let end = rest
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(rest.len());
        let unit: i64 = match &rest[..end] {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            "w" => 604_800_000_000_000,
            _ => return None,
        };
        rest = &rest[end..];
        total = total
            .checked_add(whole.checked_mul(unit)?)?
            .checked_add((fraction * unit as f64) as i64)?;
    }
    Some(if negative { -total } else { total })
}

fn digits_of(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// A duration in the one spelling that is printed: `1m30s`, `1.5s`, `250ms`.
pub(super) fn show_nanoseconds(nanoseconds: i64) -> String {
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let value = nanoseconds.unsigned_abs();
    if value < 1_000_000_000 {
        let (unit, size) = match value {
            0..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{sign}{}{unit}", decimal(value, size));
    }
    let (hours, rest) = (value / 3_600_000_000_000, value % 3_600_000_000_000);
    let (minutes, rest) = (rest / 60_000_000_000, rest % 60_000_000_000);
    let seconds = decimal(rest, 1_000_000_000);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

fn decimal(value: u64, size: u64) -> String {
    let fraction = value % size;
    if fraction == 0 {
        return (value / size).to_string();
    }
    let width = size.ilog10() as usize;
    let digits = format!("{fraction:0width$}");
    format!("{}.{}", value / size, digits.trim_end_matches('0'))
}

/// The duration, when it is not negative.
pub(super) fn duration(text: &str) -> Option<Duration> {
    u64::try_from(nanoseconds(text)?)
        .ok()
        .map(Duration::from_nanos)
}

/// Bytes of a size such as `512m`, `1.5 GiB` or `1024`; `k` is 1024.
pub(super) fn bytes(text: &str) -> Option<i64> {
    if let Ok(value) = text.parse::<i64>() {
        return Some(value);
    }
    let last = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')?;
    let (number, suffix) = (&text[..=last], &text[last + 1..]);
    let number = number.strip_suffix(' ').unwrap_or(number);
    if !number
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return None;
    }
    let number: f64 = number.parse().ok()?;
    let suffix = suffix.to_ascii_lowercase();
    let unit = match suffix.as_str() {
        "" | "b" => 1.0,
        _ => {
            let (letter, rest) = suffix.split_at_checked(1)?;
            if !matches!(rest, "" | "b" | "ib") {
                return None;
            }
            match letter {
                "k" => 1024.0,
                "m" => 1024.0 * 1024.0,
                "g" => 1024.0 * 1024.0 * 1024.0,
                "t" => 1024.0_f64.powi(4),
                "p" => 1024.0_f64.powi(5),
                _ => return None,
            }
        }
    };
    Some((number * unit) as i64)
}

/// What became of a command line.
pub(super) struct Words {
    /// The words.
    pub(super) words: Vec<String>,
    /// The shell operator at which reading stopped; what follows is lost.
    pub(super) stopped_at: Option<char>,
}

/// Splits a command line as a shell splits words, without running one. `None`: a quote is not
/// closed, or a parenthesis stands outside of quotes.
pub(super) fn words(line: &str) -> Option<Words> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut in_word = false;
    let mut stopped_at = None;
    let (mut escaped, mut double, mut single, mut backquote, mut substitution) =
        (false, false, false, false, false);
    for character in line.chars() {
        if escaped {
            word.push(character);
            escaped = false;
            in_word = true;
            continue;
        }
        match character {
            '\\' if single => word.push('\\'),
            '\\' => escaped = true,
            ' ' | '\t' | '\r' | '\n' => {
                if single || double || backquote || substitution {
                    word.push(character);
                } else if in_word {
                    words.push(std::mem::take(&mut word));
                    in_word = false;
                }
            }
            '"' if !single && !substitution => {
                in_word |= double;
                double = !double;
            }
            '\'' if !double && !substitution => {
                in_word |= single;
                single = !single;
            }
            '(' if !single && !double && !backquote => {
                if substitution || !word.ends_with('$') {
                    return None;
                }
                substitution = true;
                word.push('(');
            }
            ';' | '&' | '|' | '<' | '>' if !(single || double || backquote || substitution) => {
                // In `2>` the digit belongs to the operator.
                if character == '>' && word.starts_with(|c: char| c.is_ascii_digit()) {
                    in_word = false;
                }
                stopped_at = Some(character);
                break;
            }
            _ => {
                if character == '`' && !single && !double && !substitution {
                    backquote = !backquote;
                }
                if character == ')' && !single && !double && !backquote {
                    substitution = !substitution;
                }
                in_word = true;
                word.push(character);
            }
        }
    }
    if in_word {
        words.push(word);
    }
    if escaped || single || double || backquote || substitution {
        return None;
    }
    Some(Words { words, stopped_at })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_read_and_show() {
        for (text, shown) in [
            ("90s", "1m30s"),
            ("1.5s", "1.5s"),
            ("1h", "1h0m0s"),
            ("2d", "48h0m0s"),
            ("1w", "168h0m0s"),
            ("250ms", "250ms"),
            ("1500us", "1.5ms"),
            ("0", "0s"),
            ("-3s", "-3s"),
        ] {
            assert_eq!(
                show_nanoseconds(nanoseconds(text).unwrap()),
                shown,
                "{text}"
            );
        }
        for text in ["", "5", "1.s5", "s", "1x", "99999999999h", "."] {
            assert_eq!(nanoseconds(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_count_in_1024() {
        for (text, value) in [
            ("1g", 1 << 30),
            ("1.5 KiB", 1536),
            ("64MB", 64 << 20),
            ("10", 10),
            ("7b", 7),
            ("-1", -1),
        ] {
            assert_eq!(bytes(text), Some(value), "{text}");
        }
        for text in ["", "m", "1x", "1 kibi", "-1m", "1bb", "é"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn command_lines_split_as_in_a_shell() {
        let split = |line| words(line).map(|words| words.words);
        let expect = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect());
        assert_eq!(
            split(r#"sh -c "echo 'a  b'" c\ d '' e"#),
            expect(&["sh", "-c", "echo 'a  b'", "c d", "", "e"])
        );
        assert_eq!(
            split("echo $(date +%s) x"),
            expect(&["echo", "$(date +%s)", "x"])
        );
        assert_eq!(split("run 2> log"), expect(&["run"]));
        assert_eq!(words("a && b").unwrap().stopped_at, Some('&'));
        assert_eq!(split("echo 'open"), None);
        assert_eq!(split("echo (x)"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,20}") {
            let _ = (nanoseconds(&text), bytes(&text), words(&text));
        }

        #[test]
        fn a_shown_duration_reads_back(value in -1_000_000_000_000_000_000_i64..1_000_000_000_000_000_000) {
            let back = nanoseconds(&show_nanoseconds(value)).unwrap();
            // Fractions go through floating point, as in the peer.
            prop_assert!((back - value).abs() <= 1, "{value} {back}");
        }
    }
}
