//! Which names things on a network may have.

use super::error::NetworkError;
use super::protocol::{AttachRequest, JoinNetwork};

/// A request whose names are in the form they are looked up in.
pub(crate) fn normalised(request: AttachRequest) -> Result<AttachRequest, NetworkError> {
    let networks = request
        .networks
        .into_iter()
        .map(|join| {
            Ok(JoinNetwork {
                names: checked_names(join.names)?,
                ..join
            })
        })
        .collect::<Result<_, NetworkError>>()?;
    Ok(AttachRequest {
        networks,
        ..request
    })
}

/// Names as they are looked up: lower case, each once.
pub(crate) fn checked_names(names: Vec<String>) -> Result<Vec<String>, NetworkError> {
    let mut checked: Vec<String> = Vec::new();
    for name in names {
        let name = checked_name(&name)?.to_lowercase();
        if !checked.contains(&name) {
            checked.push(name);
        }
    }
    Ok(checked)
}

/// Letters, digits, `-`, `_` and dots between them: what Compose allows and a query can carry.
pub(crate) fn checked_name(name: &str) -> Result<&str, NetworkError> {
    let fine = name.len() <= 253
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        });
    if fine {
        Ok(name)
    } else {
        Err(NetworkError::InvalidName {
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_a_query_can_carry() {
        for fine in ["web", "Web-1", "my_app", "api.internal", &"x".repeat(63)] {
            assert!(checked_name(fine).is_ok(), "{fine}");
        }
        for bad in [
            "",
            ".",
            "a..b",
            "no spaces",
            "ümlaut",
            "a/b",
            &"x".repeat(64),
        ] {
            assert!(checked_name(bad).is_err(), "{bad}");
        }
        let names = ["Web", "web", "api"].map(str::to_owned).to_vec();
        assert_eq!(checked_names(names).unwrap(), ["web", "api"]);
    }
}
