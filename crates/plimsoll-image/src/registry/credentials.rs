//! Names and passwords for registries, as Docker's configuration keeps them.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use fs_err as fs;
use plimsoll_diag::Secret;
use serde::Deserialize;

use super::Reference;
use crate::clients::ClientSettings;

/// What is sent to a registry or its token server.
#[derive(Debug, Clone)]
pub(super) enum Credentials {
    /// A name and a password.
    Password(String, Secret<String>),
    /// A token that is exchanged for access.
    IdentityToken(Secret<String>),
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Configuration {
    auths: std::collections::BTreeMap<String, Entry>,
    cred_helpers: std::collections::BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// What a helper program answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// The credentials for a reference's registry, if any are kept. A configuration that cannot be
/// read, or a helper that fails, means none: public images need none, and a registry that wants
/// some will say so.
pub(super) fn find(settings: &ClientSettings, reference: &Reference) -> Option<Credentials> {
    let text = fs::read_to_string(configuration_file(settings)?).ok()?;
    let configuration: Configuration = serde_json::from_str(&text).ok()?;
    let helper = configuration
        .cred_helpers
        .iter()
        .find(|(key, _)| reference.is_meant_by(key));
    if let Some((key, helper)) = helper {
        return ask(helper, key);
    }
    let entry = configuration
        .auths
        .iter()
        .find(|(key, _)| reference.is_meant_by(key));
    if let Some(found) = entry.and_then(|(_, entry)| stored(entry)) {
        return Some(found);
    }
    let key = entry.map_or(reference.domain.as_str(), |(key, _)| key.as_str());
    ask(configuration.creds_store.as_deref()?, key)
}

fn configuration_file(settings: &ClientSettings) -> Option<PathBuf> {
    let directory = match settings.variable("DOCKER_CONFIG") {
        Some(path) => PathBuf::from(path),
        None => settings.home.as_ref()?.join(".docker"),
    };
    Some(directory.join("config.json"))
}

fn stored(entry: &Entry) -> Option<Credentials> {
    if let Some(token) = entry
        .identitytoken
        .as_ref()
        .filter(|token| !token.is_empty())
    {
        return Some(Credentials::IdentityToken(Secret::new(token.clone())));
    }
    if let (Some(name), Some(password)) = (&entry.username, &entry.password) {
        return Some(Credentials::Password(
            name.clone(),
            Secret::new(password.clone()),
        ));
    }
    let decoded = from_base64(entry.auth.as_deref()?)?;
    let (name, password) = decoded.split_once(':')?;
    let password = password.trim_end_matches('\0').to_string();
    Some(Credentials::Password(
        name.to_string(),
        Secret::new(password),
    ))
}

/// Asks Docker's credential helper of that name.
fn ask(helper: &str, key: &str) -> Option<Credentials> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if helper.is_empty() || !helper.chars().all(plain) {
        return None;
    }
    let mut child = Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(key.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    let answer: Answer = serde_json::from_slice(&output.stdout).ok()?;
    let secret = Secret::new(answer.secret);
    Some(match answer.username.as_str() {
        "<token>" => Credentials::IdentityToken(secret),
        _ => Credentials::Password(answer.username, secret),
    })
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn from_base64(text: &str) -> Option<String> {
    let mut bits = 0_u32;
    let mut count = 0_u32;
    let mut bytes = Vec::new();
    for byte in text.trim().bytes().filter(|byte| *byte != b'=') {
        let value = ALPHABET.iter().position(|known| *known == byte)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The value of an `Authorization: Basic` header.
pub(super) fn basic(name: &str, password: &str) -> String {
    let mut out = String::from("Basic ");
    for chunk in format!("{name}:{password}").as_bytes().chunks(3) {
        let mut group = [0_u8; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
        for position in 0..4 {
            if position <= chunk.len() {
                let index = bits >> (18 - 6 * position) & 63;
                out.push(char::from(ALPHABET[index as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(json: &str, reference: &str) -> Option<(String, String)> {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join(".docker")).unwrap();
        fs::write(root.path().join(".docker/config.json"), json).unwrap();
        let settings = ClientSettings {
            home: Some(root.path().to_path_buf()),
            ..ClientSettings::default()
        };
        match find(&settings, &reference.parse().unwrap())? {
            Credentials::Password(name, password) => Some((name, password.expose().clone())),
            Credentials::IdentityToken(token) => Some(("<token>".into(), token.expose().clone())),
        }
    }

    #[test]
    fn an_entry_is_found_by_the_registrys_host() {
        let json = r#"{"auths":{"https://r.example/v2/":{"auth":"YW5uYTpnZWhlaW06MQ=="}}}"#;
        let anna = Some(("anna".to_string(), "geheim:1".to_string()));
        assert_eq!(found(json, "r.example/a"), anna);
        assert_eq!(found(json, "s.example/a"), None);
        assert_eq!(found("{ not json", "r.example/a"), None);
    }

    #[test]
    fn a_helper_that_is_not_there_or_is_a_path_gives_nothing() {
        let json =
            r#"{"credHelpers":{"r.example":"no-such-helper-here","s.example":"../../bin/sh"}}"#;
        assert_eq!(found(json, "r.example/a"), None);
        assert_eq!(found(json, "s.example/a"), None);
    }

    proptest! {
        #[test]
        fn base64_comes_back(name in "[a-z]{0,5}", password in "[ -~]{0,9}") {
            let header = basic(&name, &password);
            let text = from_base64(header.strip_prefix("Basic ").unwrap()).unwrap();
            prop_assert_eq!(text, format!("{name}:{password}"));
        }
    }
}
