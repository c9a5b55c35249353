//! What a registry asks for when it answers 401: the `WWW-Authenticate` header.

/// How to get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Ask a token server.
    Bearer {
        /// The token server's address.
        realm: String,
        /// Whom the token is for.
        service: Option<String>,
        /// What the registry says the token must allow.
        scope: Option<String>,
    },
    /// Send name and password.
    Basic,
}

impl Challenge {
    /// Reads the header's value; `Bearer` is preferred where both are offered.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let fields = fields(rest);
        let get = |name: &str| {
            fields
                .iter()
                .find(|(field, _)| field.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.clone())
        };
        Some(Self::Bearer {
            realm: get("realm")?,
            service: get("service"),
            scope: get("scope"),
        })
    }

    /// The token server's address with its question.
    pub(super) fn token_url(&self, scopes: &[String]) -> Option<String> {
        let Self::Bearer { realm, service, .. } = self else {
            return None;
        };
        let joint = if realm.contains('?') { '&' } else { '?' };
        let scopes: Vec<String> = scopes
            .iter()
            .map(|scope| format!("scope={}", encoded(scope)))
            .collect();
        let mut url = format!("{realm}{joint}{}", scopes.join("&"));
        if let Some(service) = service {
            url.push_str(&format!("&service={}", encoded(service)));
        }
        Some(url)
    }
}

/// `a="b, c",d=e` → pairs.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => {
                let end = after.find(',').unwrap_or(after.len());
                after.split_at(end)
            }
        };
        let name = name.trim_start_matches([',', ' ']).trim();
        found.push((name.to_string(), value.to_string()));
        rest = after;
    }
    found
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b':'
            | b'/'
            | b',' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bearer_challenge_becomes_a_question() {
        let challenge = Challenge::parse(
            "Bearer realm=\"https://auth.example/token\",service=\"r.example\",scope=\"repository:a/b:pull,push\"",
        )
        .unwrap();
        assert_eq!(
            challenge
                .token_url(&[
                    "repository:a/b:pull,push".into(),
                    "repository:c:pull".into()
                ])
                .unwrap(),
            "https://auth.example/token?scope=repository:a/b:pull,push&scope=repository:c:pull&service=r.example"
        );
        let bare = Challenge::parse("bearer realm=\"http://x.example/t?a=1\"").unwrap();
        assert_eq!(
            bare.token_url(&["repository:a:pull".into()]).unwrap(),
            "http://x.example/t?a=1&scope=repository:a:pull"
        );
        assert_eq!(
            Challenge::parse("Basic realm=\"x\""),
            Some(Challenge::Basic)
        );
        assert_eq!(Challenge::parse("Negotiate"), None);
        assert_eq!(Challenge::parse("Bearer service=x"), None);
    }

    proptest! {
        #[test]
        fn nonsense_never_panics(text in ".{0,60}") {
            let _ = Challenge::parse(&text);
            let _ = Challenge::parse(&format!("Bearer {text}"));
        }
    }
}
