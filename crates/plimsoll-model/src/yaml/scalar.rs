//! What a plain scalar means.

use super::node::Value;

/// Resolves a plain, untagged scalar. `yes` and `on` are text, as in YAML 1.2; a leading zero
/// means octal and `_` may separate digits, as in YAML 1.1, because `docker compose` reads so.
pub(super) fn resolve_plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        return Value::Text(text.to_owned());
    }
    number(text).unwrap_or_else(|| Value::Text(text.to_owned()))
}

/// Reads a number, whole if it can be.
pub(super) fn number(text: &str) -> Option<Value> {
    let digits: String = text.chars().filter(|&c| c != '_').collect();
    if let Some(value) = integer(&digits) {
        return Some(match i64::try_from(value) {
            Ok(value) => Value::Integer(value),
            // Too large to reckon with, but its digits are kept.
            Err(_) => Value::Text(value.to_string()),
        });
    }
    if !looks_like_float(&digits) {
        return None;
    }
    digits.parse().ok().map(Value::Float)
}

fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if !digits.starts_with(|first: char| first.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -magnitude } else { magnitude };
    (i128::from(i64::MIN)..=i128::from(u64::MAX))
        .contains(&value)
        .then_some(value)
}

/// `[-+]? ( . digits | digits [ . digits? ] ) [ e [-+]? digits ]`
fn looks_like_float(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty())
        }
        None => !mantissa.is_empty() && all_digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    mantissa_fits && exponent_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_what_docker_compose_takes_them_for() {
        for (text, value) in [
            ("yes", Value::Text("yes".into())),
            ("22:22", Value::Text("22:22".into())),
            ("1.2.3", Value::Text("1.2.3".into())),
            ("8080", Value::Integer(8080)),
            ("012", Value::Integer(10)),
            ("0o12", Value::Integer(10)),
            ("08", Value::Float(8.0)),
            ("1_000", Value::Integer(1000)),
            ("0x1F", Value::Integer(31)),
            ("-0.5", Value::Float(-0.5)),
            (".5", Value::Float(0.5)),
            ("1e3", Value::Float(1000.0)),
            ("-", Value::Text("-".into())),
            ("--", Value::Text("--".into())),
            ("0x", Value::Text("0x".into())),
            ("~", Value::Null),
            ("TRUE", Value::Bool(true)),
        ] {
            assert_eq!(resolve_plain(text), value, "{text}");
        }
    }
}
