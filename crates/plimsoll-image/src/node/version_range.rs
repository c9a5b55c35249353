//! Ranges of versions as `engines` in a `package.json` writes them: `^20.19.0 || >=22.12`.

/// A version without pre-release part.
type Version = (u64, u64, u64);

/// Whether `version` is in the range. A range that cannot be read contains everything, as npm
/// would go on after a warning.
pub(super) fn contains(range: &str, version: &str) -> bool {
    let Some((version, 3)) = partial(version) else {
        return true;
    };
    range
        .split("||")
        .any(|alternative| alternative_contains(alternative, version))
}

/// Of versions that are not in the range, the one whose release line is nearest to the newest that
/// the range names: what was written for 18 is nearer to 20 than to 24.
pub(super) fn nearest<'v>(range: &str, versions: &[&'v str]) -> Option<&'v str> {
    let line = |text: &str| {
        let ((major, ..), parts) = partial(text.trim_start_matches(['<', '>', '=', '^', '~']))?;
        (parts > 0).then_some(major)
    };
    let wanted = range.split([' ', '|']).filter_map(line).max()?;
    let distance = |version: &&&str| line(version).map_or(u64::MAX, |line| line.abs_diff(wanted));
    versions.iter().min_by_key(distance).copied()
}

fn alternative_contains(alternative: &str, version: Version) -> bool {
    if let Some((low, high)) = alternative.split_once(" - ") {
        let low = format!(">={}", low.trim());
        let high = format!("<={}", high.trim());
        return comparator_contains(&low, version) && comparator_contains(&high, version);
    }
    // An operator may be followed by spaces.
    let mut joined = String::new();
    for word in alternative.split_whitespace() {
        joined.push_str(word);
        if !word.ends_with(['<', '>', '=', '^', '~']) {
            joined.push(' ');
        }
    }
    joined
        .split_whitespace()
        .all(|comparator| comparator_contains(comparator, version))
}

fn comparator_contains(comparator: &str, version: Version) -> bool {
    let start = comparator
        .find(|c: char| !"<>=^~".contains(c))
        .unwrap_or(comparator.len());
    let (operator, text) = comparator.split_at(start);
    let Some((bound, parts)) = partial(text) else {
        return true;
    };
    let next = next_after(bound, parts);
    match operator {
        ">=" => version >= bound,
        ">" => version >= next,
        "<" => version < bound,
        "<=" => version < next,
        "^" => {
            let parts = match (bound, parts) {
                ((0, 0, _), 3) => 3,
                ((0, _, _), 2 | 3) => 2,
                (_, 0) => 0,
                _ => 1,
            };
            version >= bound && version < next_after(bound, parts)
        }
        "~" => version >= bound && version < next_after(bound, parts.min(2)),
        _ => version >= bound && version < next,
    }
}

/// The first version beyond all that begin with the first `parts` parts of `version`.
fn next_after((major, minor, patch): Version, parts: usize) -> Version {
    match parts {
        0 => (u64::MAX, 0, 0),
        1 => (major + 1, 0, 0),
        2 => (major, minor + 1, 0),
        _ => (major, minor, patch + 1),
    }
}

/// A version, and how many of its parts are written: `20.x` has one.
fn partial(text: &str) -> Option<(Version, usize)> {
    let text = text.trim().trim_start_matches('v');
    let text = text.split(['-', '+']).next().unwrap_or_default();
    let mut numbers = [0; 3];
    let mut written = 0;
    if text.is_empty() {
        return Some(((0, 0, 0), 0));
    }
    for (index, part) in text.split('.').enumerate() {
        if matches!(part, "x" | "X" | "*") || index >= 3 {
            break;
        }
        numbers[index] = part.parse::<u32>().ok()?.into();
        written = index + 1;
    }
    Some(((numbers[0], numbers[1], numbers[2]), written))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_no_version_satisfies_gets_the_nearest() {
        let versions = ["24.21.0", "22.23.3", "20.20.2"];
        for (range, taken) in [
            ("18.x", "20.20.2"),
            ("^14 || ^16.3", "20.20.2"),
            ("21", "22.23.3"),
            ("22.1.0", "22.23.3"),
            (">=25", "24.21.0"),
        ] {
            assert_eq!(nearest(range, &versions), Some(taken), "{range}");
        }
        assert_eq!(nearest("*", &versions), None);
    }

    #[test]
    fn ranges_mean_what_npm_means() {
        for (range, inside, outside) in [
            ("^20.19.0 || >=22.12.0", "22.23.3", "21.0.0"),
            ("^20.19.0 || >=22.12.0", "20.20.2", "20.18.9"),
            (">= 18", "24.0.0", "17.9.9"),
            ("20.x", "20.1.2", "21.0.0"),
            ("~22.4", "22.4.9", "22.5.0"),
            ("^0.2.3", "0.2.9", "0.3.0"),
            ("18 - 22", "22.9.0", "23.0.0"),
            (">=18 <23", "22.0.0", "23.0.0"),
            (">20", "21.0.0", "20.5.0"),
            ("<=22", "22.99.0", "23.0.0"),
            ("22.23.3", "22.23.3", "22.23.4"),
        ] {
            assert!(contains(range, inside), "{range} has {inside}");
            assert!(!contains(range, outside), "{range} has not {outside}");
        }
        for everything in ["*", "", "lts/*", "x"] {
            assert!(contains(everything, "24.21.0"), "{everything}");
        }
    }

    proptest! {
        #[test]
        fn nonsense_never_panics(range in "[ -~]{0,20}", version in "[0-9.]{0,9}") {
            contains(&range, &version);
        }
    }
}
