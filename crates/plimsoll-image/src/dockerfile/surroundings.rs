//! What a command that reaches the network sees of this machine: where package registries are,
//! certificates, name servers.
//!
//! All of it is mounted or set for the time of the command. Nothing of it counts as an input, and
//! nothing stays in a layer: neither the address of a company's mirror nor a password in it.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::DockerfileError;
use super::run::Surroundings;
use super::stage::StageState;
use super::view::View;
use crate::stand_in;
use crate::step::fetching;
use crate::workshop::Workshop;
use crate::{Access, BindMount};

/// Adds what a command needs that fetches.
pub(super) fn prepare(
    workshop: &Workshop<'_>,
    state: &StageState,
    view: &View,
    around: &mut Surroundings,
    scratch: &Path,
) -> Result<(), DockerfileError> {
    let settings = workshop.registries.settings();
    let mut environment = Vec::new();
    fetching::prepare(settings, &mut around.mounts, &mut environment);
    if settings.certificates().is_some() {
        let place = environment.iter().find(|(name, _)| name == "SSL_CERT_FILE");
        if let Some((_, place)) = place.cloned() {
            for name in ["PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
                environment.push((name.to_owned(), place.clone()));
            }
        }
    }
    if let Ok(index) = workshop.registries.python() {
        let address = index.url.expose().to_owned();
        environment.push(("PIP_INDEX_URL".to_owned(), address));
        if let Some(extra) = &index.extra {
            environment.push(("PIP_EXTRA_INDEX_URL".to_owned(), extra.clone()));
        }
        environment.extend(index.environment());
    }
    if let Ok(registry) = workshop.registries.npm() {
        let address = format!("{}/", registry.url.expose());
        environment.push(("NPM_CONFIG_REGISTRY".to_owned(), address.clone()));
        environment.push(("YARN_NPM_REGISTRY_SERVER".to_owned(), address));
    }
    // Where Go modules come from can take a fetch to know.
    let has_go = state
        .config
        .environment
        .iter()
        .any(|(name, _)| name == "GOPATH");
    if has_go && let Ok(proxy) = workshop.registries.go() {
        environment.extend(proxy.environment());
    }
    around.environment.extend(environment);
    if stand_in::has_no_sources(&state.config) {
        apt(workshop, view, around, scratch)?;
    }
    Ok(())
}

/// A list that cannot be fetched is passed over by `apt-get update`, which ends as if all were well. The base has
/// the versions of the security updates, so that without that list nothing that depends on them can be installed:
/// "held broken packages", long after the cause.
const APT_SETTINGS: &str = "APT::Update::Error-Mode \"any\";\nAcquire::Retries \"5\";\n";

/// The machine's Debian mirrors, as sources of the release that the image is of.
fn apt(
    workshop: &Workshop<'_>,
    view: &View,
    around: &mut Surroundings,
    scratch: &Path,
) -> Result<(), DockerfileError> {
    let release = view.text("etc/os-release")?.unwrap_or_default();
    let Some(code_name) = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
    else {
        return Ok(());
    };
    let mirrors = &workshop.debian.settings.mirrors;
    let mut show = |name: String, bytes: &[u8], target: String| -> Result<(), DockerfileError> {
        let source = scratch.join(name);
        fs::write(&source, bytes)?;
        around.mounts.push(BindMount {
            source,
            target: PathBuf::from(target),
            access: Access::ReadOnly,
        });
        Ok(())
    };
    for (number, key) in mirrors.keys.iter().enumerate() {
        let kind = match key.starts_with(b"-----BEGIN") {
            true => "asc",
            false => "gpg",
        };
        let target = format!("/etc/apt/trusted.gpg.d/machine-{number}.{kind}");
        show(format!("key-{number}"), key, target)?;
    }
    let mut text = String::new();
    for (uris, suites) in [
        (&mirrors.main, format!("{code_name} {code_name}-updates")),
        (&mirrors.security, format!("{code_name}-security")),
    ] {
        let uris: Vec<&str> = uris.iter().map(|uri| uri.expose().as_str()).collect();
        if let Some(first) = uris.first() {
            text.push_str(&format!(
                "Types: deb\nURIs: {first}\nSuites: {suites}\nComponents: main\n\n"
            ));
        }
    }
    show(
        "machine.sources".to_owned(),
        text.as_bytes(),
        "/etc/apt/sources.list.d/machine.sources".to_owned(),
    )?;
    show(
        "machine.conf".to_owned(),
        APT_SETTINGS.as_bytes(),
        "/etc/apt/apt.conf.d/machine.conf".to_owned(),
    )
}
