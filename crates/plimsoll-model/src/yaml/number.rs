//! Numbers as text, in the one spelling that `docker compose` prints.

/// From this power of ten on, numbers are written with an exponent.
const LARGEST: i32 = 6;

/// Shortest text that reads back as the same number: decimal, or with an exponent when it is
/// below 1e-4, or from 1e6 on.
pub fn show_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    // `{:e}` gives the shortest digits that read back.
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..LARGEST).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_read_as_docker_compose_prints_them() {
        for (value, text) in [
            (0.5, "0.5"),
            (1.0, "1"),
            (0.0001, "0.0001"),
            (0.000012, "1.2e-05"),
            (999_999.0, "999999"),
            (1e6, "1e+06"),
            (1_234_567.5, "1.2345675e+06"),
            (-2.5e30, "-2.5e+30"),
        ] {
            assert_eq!(show_float(value), text);
        }
    }
}
