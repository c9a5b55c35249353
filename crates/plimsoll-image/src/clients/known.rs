//! The credentials that package clients of this machine hold: what must be in no image.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plimsoll_diag::Secret;

use super::ClientSettings;
use super::credentials::{quoted, unquoted};
use super::python::{pip_files, uv_files};
use crate::secrets::KnownSecret;

impl ClientSettings {
    /// Every credential that is written in the clients' variables and files. What cannot be read
    /// holds none that could get anywhere.
    pub fn known_credentials(&self) -> Vec<KnownSecret> {
        let mut found = Vec::new();
        let mut add = |name: String, value: &str| {
            if value.is_empty() || value.starts_with("${") {
                return;
            }
            // In an address it is written otherwise than in a file that holds nothing else.
            for form in [value.to_owned(), quoted(value), unquoted(value)] {
                if !found
                    .iter()
                    .any(|known: &KnownSecret| *known.value.expose() == form)
                {
                    found.push(KnownSecret {
                        name: name.clone(),
                        value: Secret::new(form),
                    });
                }
            }
        };
        for (name, value) in &self.variables {
            if name.starts_with("UV_INDEX_") && name.ends_with("_PASSWORD") {
                add(format!("variable {name}"), value);
            }
            for url in value.split_whitespace() {
                if let Some(password) = password_of(url) {
                    add(format!("the password in variable {name}"), password);
                }
            }
        }
        let read = |path: PathBuf| fs_err::read_to_string(path).unwrap_or_default();
        let home = self.home.clone().unwrap_or_default();
        let netrc = self.variable("NETRC").map(PathBuf::from);
        let text = read(netrc.unwrap_or_else(|| home.join(".netrc")));
        let mut words = text.split_whitespace();
        let mut machine = "";
        while let Some(word) = words.next() {
            match word {
                "machine" => machine = words.next().unwrap_or_default(),
                "password" => add(
                    format!("the password for {machine} in .netrc"),
                    words.next().unwrap_or_default(),
                ),
                _ => {}
            }
        }
        let project = self.project.clone().unwrap_or_default();
        for path in [home.join(".npmrc"), project.join(".npmrc")] {
            for line in read(path).lines() {
                let Some((key, value)) = line.split_once('=') else {
                    continue;
                };
                let key = key.trim();
                if ["_authToken", "_auth", "_password"]
                    .iter()
                    .any(|end| key.ends_with(end))
                {
                    add(format!("{key} of .npmrc"), value.trim().trim_matches('"'));
                }
            }
        }
        let mut files = pip_files(self);
        files.extend(uv_files(self));
        files.push(project.join("pyproject.toml"));
        for path in files {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = format!("the password of an index in {name}");
            for word in read(path).split([' ', '\n', '"', '\'', '=']) {
                if let Some(password) = password_of(word) {
                    add(name.clone(), password);
                }
            }
        }
        let directory = self.variable("DOCKER_CONFIG").map(PathBuf::from);
        let docker = read(
            directory
                .unwrap_or_else(|| home.join(".docker"))
                .join("config.json"),
        );
        let docker: serde_json::Value = serde_json::from_str(&docker).unwrap_or_default();
        for (registry, entry) in docker["auths"].as_object().into_iter().flatten() {
            let name = format!("the credentials for {registry} in Docker's config.json");
            for key in ["auth", "identitytoken", "registrytoken", "password"] {
                if let Some(value) = entry[key].as_str() {
                    add(name.clone(), value);
                }
            }
            let plain = entry["auth"]
                .as_str()
                .and_then(|auth| STANDARD.decode(auth).ok());
            let plain = plain.and_then(|plain| String::from_utf8(plain).ok());
            if let Some((_, password)) = plain.as_deref().and_then(|plain| plain.split_once(':')) {
                add(name, password);
            }
        }
        found
    }
}

/// The password in a URL.
fn password_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let (user, _) = rest.split('/').next()?.rsplit_once('@')?;
    Some(user.split_once(':').map_or(user, |(_, password)| password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_every_client_are_known() {
        let home = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = home.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        write(".netrc", "machine a.example login me password from-netrc\n");
        write(
            ".npmrc",
            "//n.example/:_authToken=from-npmrc\n//m/:_authToken=${TOKEN}\n",
        );
        write(
            ".docker/config.json",
            r#"{"auths":{"r.example":{"auth":"bWU6ZnJvbS1kb2NrZXI="}}}"#,
        );
        let settings = ClientSettings {
            variables: [(
                "UV_INDEX_URL".to_owned(),
                "https://me:from-url@i.example/simple".to_owned(),
            )]
            .into(),
            home: Some(home.path().to_owned()),
            ..ClientSettings::default()
        };
        let found = settings.known_credentials();
        for expected in ["from-netrc", "from-npmrc", "from-docker", "from-url"] {
            assert!(
                found.iter().any(|secret| secret.value.expose() == expected),
                "{expected}"
            );
        }
        assert!(
            !found
                .iter()
                .any(|secret| secret.value.expose().contains("TOKEN"))
        );
    }
}
