//! What in a service's environment is secret.

use std::collections::BTreeSet;

use plimsoll_model::Service;

use crate::Input;

/// Variables that detection or their name calls secret. The value of a connection string is one,
/// too, when a password stands in it.
pub(super) fn secret_variables(input: &Input<'_>, service: &Service) -> BTreeSet<String> {
    let known: BTreeSet<&str> = input
        .project
        .variables
        .iter()
        .filter(|variable| variable.secret)
        .map(|variable| variable.name.as_str())
        .collect();
    service
        .environment
        .iter()
        .filter(|(name, value)| {
            known.contains(name.as_str())
                || is_secret_name(name)
                || value.value.as_deref().is_some_and(holds_password)
        })
        .map(|(name, _)| name.clone())
        .collect()
}

/// Whether a name is that of a secret: `API_TOKEN`, `POSTGRES_PASSWORD`. A name that ends with
/// `_FILE` says where one is.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    if upper.ends_with("_FILE") || upper.ends_with("_PATH") {
        return false;
    }
    let parts: Vec<&str> = upper.split('_').collect();
    let has = |word: &str| parts.contains(&word);
    has("PASSWORD")
        || has("PASSWD")
        || has("SECRET")
        || has("CREDENTIALS")
        || (has("TOKEN") && !has("MAX") && !has("LIMIT") && !has("COUNT"))
        || (has("KEY")
            && [
                "API",
                "SECRET",
                "PRIVATE",
                "ACCESS",
                "ENCRYPTION",
                "SIGNING",
                "JWT",
                "MASTER",
            ]
            .iter()
            .any(|word| has(word)))
        || has("APIKEY")
        || upper.ends_with("DSN") && has("SENTRY")
}

/// Whether a URL holds a password.
pub(crate) fn holds_password(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority
        .rsplit_once('@')
        .and_then(|(user, _)| user.split_once(':'))
        .is_some_and(|(_, password)| !password.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_others() {
        for name in [
            "POSTGRES_PASSWORD",
            "API_TOKEN",
            "OPENAI_API_KEY",
            "JWT_SECRET",
            "AWS_SECRET_ACCESS_KEY",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "POSTGRES_PASSWORD_FILE",
            "MAX_TOKENS",
            "TOKEN_LIMIT",
            "PRIMARY_KEY",
            "KEYBOARD",
            "LOG_LEVEL",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn passwords_in_addresses_are_seen() {
        assert!(holds_password("postgresql://u:p@db:5432/x"));
        assert!(holds_password("redis://:p@redis/0"));
        assert!(!holds_password("redis://redis:6379/0"));
        assert!(!holds_password("postgresql://u:@db/x"));
        assert!(!holds_password("https://example.org/a:b@c"));
    }
}
