//! What tokens and private keys look like, whoever's they are.

use serde::{Deserialize, Serialize};

/// A kind of secret that shows what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A private key as PEM.
    PrivateKey,
    /// An access key of AWS.
    AwsKey,
    /// A token of GitHub.
    GithubToken,
    /// A token of GitLab.
    GitlabToken,
    /// A token of npm.
    NpmToken,
    /// A token of PyPI.
    PypiToken,
    /// A key of OpenAI.
    OpenAiKey,
    /// A key of Anthropic.
    AnthropicKey,
    /// A token of Slack.
    SlackToken,
    /// A key of Google's interfaces.
    GoogleKey,
    /// A token of Hugging Face.
    HuggingFaceToken,
}

impl Shape {
    /// Words for people: `a private key`.
    pub fn words(self) -> &'static str {
        match self {
            Shape::PrivateKey => "a private key",
            Shape::AwsKey => "an AWS access key",
            Shape::GithubToken => "a GitHub token",
            Shape::GitlabToken => "a GitLab token",
            Shape::NpmToken => "an npm token",
            Shape::PypiToken => "a PyPI token",
            Shape::OpenAiKey => "an OpenAI key",
            Shape::AnthropicKey => "an Anthropic key",
            Shape::SlackToken => "a Slack token",
            Shape::GoogleKey => "a Google API key",
            Shape::HuggingFaceToken => "a Hugging Face token",
        }
    }
}

/// The most bytes after its beginning that tell whether it is one.
pub(super) const REACH: usize = 2048;

/// How each begins.
pub(super) const BEGINNINGS: [(&str, Shape); 21] = [
    ("-----BEGIN ", Shape::PrivateKey),
    ("AKIA", Shape::AwsKey),
    ("ASIA", Shape::AwsKey),
    ("ghp_", Shape::GithubToken),
    ("gho_", Shape::GithubToken),
    ("ghu_", Shape::GithubToken),
    ("ghs_", Shape::GithubToken),
    ("ghr_", Shape::GithubToken),
    ("github_pat_", Shape::GithubToken),
    ("glpat-", Shape::GitlabToken),
    ("npm_", Shape::NpmToken),
    ("pypi-AgE", Shape::PypiToken),
    ("sk-proj-", Shape::OpenAiKey),
    ("sk-svcacct-", Shape::OpenAiKey),
    ("sk-ant-", Shape::AnthropicKey),
    ("xoxb-", Shape::SlackToken),
    ("xoxp-", Shape::SlackToken),
    ("xoxa-", Shape::SlackToken),
    ("xoxs-", Shape::SlackToken),
    ("AIza", Shape::GoogleKey),
    ("hf_", Shape::HuggingFaceToken),
];

/// Whether what stands at `start` is a secret. `bytes` is what is around it.
pub(super) fn is_secret(shape: Shape, beginning: &str, bytes: &[u8], start: usize) -> bool {
    let after = &bytes[start + beginning.len()..];
    if shape == Shape::PrivateKey {
        return is_private_key(&after[..after.len().min(REACH)]);
    }
    if start > 0 && is_word(bytes[start - 1]) {
        return false;
    }
    let body = &after[..after.iter().take_while(|byte| is_word(**byte)).count()];
    let plain = body.iter().all(u8::is_ascii_alphanumeric);
    let fits = match shape {
        Shape::AwsKey => {
            body.len() == 16
                && body
                    .iter()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
                && !body.ends_with(b"EXAMPLE")
        }
        Shape::GithubToken if beginning == "github_pat_" => body.len() >= 60,
        Shape::GithubToken | Shape::NpmToken => plain && body.len() == 36,
        Shape::GitlabToken => (20..=64).contains(&body.len()),
        Shape::PypiToken => body.len() >= 60,
        Shape::OpenAiKey => body.len() >= 40,
        Shape::AnthropicKey => body.len() >= 60,
        Shape::SlackToken => body.len() >= 24 && body.first().is_some_and(u8::is_ascii_digit),
        Shape::GoogleKey => body.len() == 35,
        Shape::HuggingFaceToken => plain && body.len() == 34,
        Shape::PrivateKey => false,
    };
    // `xxxxxxxx` stands in documentation.
    fits && distinct(body) >= 10
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn distinct(body: &[u8]) -> usize {
    let mut seen = [false; 256];
    for byte in body {
        seen[usize::from(*byte)] = true;
    }
    seen.iter().filter(|seen| **seen).count()
}

/// Whether a PEM block that begins here is a private key with content. Programs name the label
/// alone; a key in a string has its line ends written as `\n`.
fn is_private_key(after: &[u8]) -> bool {
    const LABELS: [&[u8]; 6] = [
        b"PRIVATE KEY-----",
        b"RSA PRIVATE KEY-----",
        b"EC PRIVATE KEY-----",
        b"DSA PRIVATE KEY-----",
        b"OPENSSH PRIVATE KEY-----",
        b"PGP PRIVATE KEY BLOCK-----",
    ];
    let Some(label) = LABELS.iter().find(|label| after.starts_with(label)) else {
        return false;
    };
    let mut run = Vec::new();
    let mut bytes = after[label.len()..].iter().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if matches!(bytes.peek(), Some(b'n' | b'r')) => {
                bytes.next();
            }
            b'\r' | b'\n' | b' ' | b'\t' => {}
            byte if byte.is_ascii_alphanumeric() || b"+/=".contains(byte) => run.push(*byte),
            // A header such as `Proc-Type: 4,ENCRYPTED`.
            b':' | b',' | b'-' => run.clear(),
            _ => break,
        }
        if run.len() >= 64 {
            return distinct(&run) >= 16;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Characters that no scanner of this repository takes for a token.
    fn body(length: usize) -> String {
        let letters = "aB3dE5gH7jK9mN1pQ4sT6vW8yZ0";
        letters.chars().cycle().take(length).collect()
    }

    fn found(text: &str) -> bool {
        BEGINNINGS.iter().any(|(beginning, shape)| {
            text.find(beginning)
                .is_some_and(|start| is_secret(*shape, beginning, text.as_bytes(), start))
        })
    }

    #[test]
    fn tokens_are_known_by_their_form() {
        for (beginning, length) in [
            ("ghp_", 36),
            ("glpat-", 20),
            ("npm_", 36),
            ("pypi-AgE", 90),
            ("sk-proj-", 60),
            ("hf_", 34),
            ("AIza", 35),
        ] {
            let token = format!("key=\"{beginning}{}\"", body(length));
            assert!(found(&token), "{beginning}");
            assert!(
                !found(&format!("x{beginning}{}", body(length))),
                "in a word"
            );
            assert!(!found(&format!("{beginning}{}", "x".repeat(length))));
            assert!(!found(&format!("{beginning}{}", body(5))));
        }
        assert!(found(&format!("AKIA{}", body(16).to_uppercase())));
        assert!(!found(&format!("AKIA{}", "IOSFODNN7EXAMPLE")));
    }

    #[test]
    fn a_private_key_has_content() {
        let (dashes, label) = ("-----", "RSA PRIVATE KEY");
        let key = |body: &str| format!("{dashes}BEGIN {label}{dashes}{body}");
        assert!(found(&key(&format!("\n{}\n{}\n", body(64), body(64)))));
        assert!(found(&key(&format!("\\n{}\\n{}", body(40), body(40)))));
        assert!(found(&key(&format!(
            "\nProc-Type: 4,ENCRYPTED\n\n{}\n",
            body(80)
        ))));
        assert!(!found(&key("\" in text")));
        assert!(!found(&format!(
            "{dashes}BEGIN CERTIFICATE{dashes}\n{}",
            body(90)
        )));
    }
}
