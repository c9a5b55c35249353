//! The order of Debian versions: `epoch:upstream-revision`, as Debian Policy 5.6.12 defines it.

use std::cmp::Ordering;

/// Compares two versions.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (epoch_a, upstream_a, revision_a) = split(a);
    let (epoch_b, upstream_b, revision_b) = split(b);
    epoch_a
        .cmp(&epoch_b)
        .then_with(|| compare_part(upstream_a, upstream_b))
        .then_with(|| compare_part(revision_a, revision_b))
}

fn split(version: &str) -> (u64, &str, &str) {
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
        None => (0, version),
    };
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, upstream, revision)
}

/// Runs of non-digits and of digits take turns.
fn compare_part(mut a: &str, mut b: &str) -> Ordering {
    loop {
        let (text_a, rest_a) = take(a, |byte| !byte.is_ascii_digit());
        let (text_b, rest_b) = take(b, |byte| !byte.is_ascii_digit());
        let texts = compare_text(text_a, text_b);
        if texts != Ordering::Equal {
            return texts;
        }
        let (number_a, rest_a) = take(rest_a, |byte| byte.is_ascii_digit());
        let (number_b, rest_b) = take(rest_b, |byte| byte.is_ascii_digit());
        let numbers = compare_number(number_a, number_b);
        if numbers != Ordering::Equal {
            return numbers;
        }
        if rest_a.is_empty() && rest_b.is_empty() {
            return Ordering::Equal;
        }
        (a, b) = (rest_a, rest_b);
    }
}

fn take(text: &str, is_in: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text
        .bytes()
        .position(|byte| !is_in(byte))
        .unwrap_or(text.len());
    text.split_at(end)
}

fn compare_text(a: &str, b: &str) -> Ordering {
    let longest = a.len().max(b.len());
    let weight = |text: &str, index| text.as_bytes().get(index).map_or(0, |byte| weight(*byte));
    (0..longest)
        .map(|index| weight(a, index).cmp(&weight(b, index)))
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

/// `~` before the end, the end before letters, letters before the rest.
fn weight(byte: u8) -> i32 {
    match byte {
        b'~' => -1,
        byte if byte.is_ascii_alphabetic() => i32::from(byte),
        byte => i32::from(byte) + 256,
    }
}

fn compare_number(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_orders() {
        for pair in [
            ("0~", "0"),
            ("1.0~rc1-1", "1.0-1"),
            ("2.36-9+deb12u4", "2.36-9+deb12u13"),
            ("9", "1:0"),
            ("1.0-1", "1.0-1+b1"),
            ("1.0a-1", "1.0+dfsg-1"),
        ] {
            assert_eq!(compare(pair.0, pair.1), Ordering::Less, "{pair:?}");
        }
        assert_eq!(compare("1.0", "1.0-"), Ordering::Equal);
        assert_eq!(compare("1.00", "1.0"), Ordering::Equal);
        assert_eq!(compare("0:1", "1"), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn is_a_total_order(a in "[0-9]{0,2}:?[0-9a-c.+~-]{0,8}", b in "[0-9]{0,2}:?[0-9a-c.+~-]{0,8}", c in "[0-9a-c.+~-]{0,8}") {
            prop_assert_eq!(compare(&a, &a), Ordering::Equal);
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }

        #[test]
        fn a_tilde_sorts_before_nothing(a in "[0-9][0-9a-z.]{0,8}") {
            prop_assert_eq!(compare(&format!("{a}~x"), &a), Ordering::Less);
        }
    }

    /// `dpkg` is the reference where it is installed.
    #[test]
    fn agrees_with_dpkg() {
        let versions = [
            "1.0~rc1-1",
            "1.0-1",
            "1.0-1+b1",
            "1:0-1",
            "2.36-9+deb12u13",
            "1.0a-1",
            "1.0+dfsg-1",
            "1.0-1~bpo1",
            "10",
            "9.9",
            "0~~",
            "0~~a",
        ];
        for a in versions {
            for b in versions {
                let Ok(status) = std::process::Command::new("dpkg")
                    .args(["--compare-versions", a, "lt", b])
                    .status()
                else {
                    eprintln!("skipped: there is no `dpkg`");
                    return;
                };
                assert_eq!(status.success(), compare(a, b).is_lt(), "{a} {b}");
            }
        }
    }
}
