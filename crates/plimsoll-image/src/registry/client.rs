//! The pull half of the OCI distribution protocol.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use fs_err as fs;
use serde::Deserialize;

use super::challenge::Challenge;
use super::credentials::{self, Credentials, basic};
use super::{Reference, RegistryError};
use crate::Digest;
use crate::clients::ClientSettings;
use crate::fetch::{Download, FetchError, Fetcher, Headers, Response};
use crate::layer::Compression;
use crate::oci::{Architecture, ConfigFile, Descriptor, Index, Manifest, media_type};
use crate::step::scratch::Scratch;
use crate::store::{Image, ImageLayer, NewImage, Store};

/// The largest manifest or configuration file that is read.
const LARGEST_DOCUMENT: u64 = 8 << 20;

/// What a manifest may come as.
const ACCEPT: [&str; 4] = [
    media_type::INDEX,
    media_type::MANIFEST,
    media_type::DOCKER_LIST,
    media_type::DOCKER_MANIFEST,
];

/// How registries are reached.
#[derive(Debug, Clone, Default)]
pub struct RegistrySettings {
    /// Addresses asked before a domain's own registry, by domain, each with its scheme.
    pub mirrors: BTreeMap<String, Vec<String>>,
}

/// Pulls images into a store.
#[derive(Debug)]
pub struct RegistryClient {
    /// For documents: gives up soon, so that a registry that is not there is noticed.
    contact: Fetcher,
    /// For layers: patient.
    fetcher: Fetcher,
    settings: RegistrySettings,
    clients: ClientSettings,
    /// `Authorization` headers by address and repository.
    access: Mutex<HashMap<String, String>>,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// Where one image is asked for.
struct Place<'a> {
    base: String,
    reference: &'a Reference,
}

impl Place<'_> {
    fn url(&self, kind: &str, name: &str) -> String {
        format!("{}/v2/{}/{kind}/{name}", self.base, self.reference.name)
    }

    fn key(&self) -> String {
        format!("{} {}", self.base, self.reference.name)
    }
}

impl RegistryClient {
    /// A client that asks for documents through `contact`, which should give up soon, and for
    /// layers through `fetcher`.
    pub fn new(
        contact: Fetcher,
        fetcher: Fetcher,
        settings: RegistrySettings,
        clients: ClientSettings,
    ) -> Self {
        Self {
            contact,
            fetcher,
            settings,
            clients,
            access: Mutex::new(HashMap::new()),
        }
    }

    /// Pulls an image for one processor and keeps it under `name`.
    ///
    /// # Errors
    /// When it cannot be had, or is not what its digest says.
    pub fn pull(
        &self,
        reference: &Reference,
        name: &str,
        architecture: Architecture,
        store: &Store,
        work: &Path,
    ) -> Result<Image, RegistryError> {
        let places = self.places(reference);
        let mut failed = None;
        for place in &places {
            match self.manifest(place, architecture) {
                Ok((digest, manifest)) => {
                    return self.image(place, digest, &manifest, name, store, work);
                }
                Err(error) => {
                    tracing::debug!(place = place.base, %error, "no image there");
                    // What the registry itself says counts more than what a mirror says.
                    failed = Some(error);
                }
            }
        }
        Err(failed.unwrap_or_else(|| RegistryError::NotFound {
            reference: reference.to_string(),
        }))
    }

    fn places<'r>(&self, reference: &'r Reference) -> Vec<Place<'r>> {
        let mirrors = self.settings.mirrors.get(&reference.domain);
        let mut bases: Vec<String> = mirrors
            .into_iter()
            .flatten()
            .map(|url| url.trim_end_matches('/').to_string())
            .collect();
        let host = reference.endpoint_host();
        let scheme = if is_loopback(&host) { "http" } else { "https" };
        bases.push(format!("{scheme}://{host}"));
        bases
            .into_iter()
            .map(|base| Place { base, reference })
            .collect()
    }

    /// The manifest for one processor, verified, and its digest.
    fn manifest(
        &self,
        place: &Place<'_>,
        architecture: Architecture,
    ) -> Result<(Digest, Manifest), RegistryError> {
        let wanted = place.reference.manifest_name();
        let (digest, bytes) = self.document(place, &wanted, place.reference.digest)?;
        let malformed = |error: serde_json::Error| self.malformed(place, error.to_string());
        let kind: Kind = serde_json::from_slice(&bytes).map_err(malformed)?;
        if kind.manifests.is_none() {
            let manifest = serde_json::from_slice(&bytes).map_err(malformed)?;
            return Ok((digest, manifest));
        }
        let index: Index = serde_json::from_slice(&bytes).map_err(malformed)?;
        let fitting = index.manifests.iter().find(|entry| {
            entry
                .platform
                .as_ref()
                .is_some_and(|platform| platform.is(architecture))
        });
        let Some(entry) = fitting else {
            return Err(RegistryError::NoPlatform {
                reference: place.reference.to_string(),
                wanted: architecture,
                found: platforms(&index),
            });
        };
        let name = entry.digest.to_string();
        let (digest, bytes) = self.document(place, &name, Some(entry.digest))?;
        let manifest = serde_json::from_slice(&bytes).map_err(malformed)?;
        Ok((digest, manifest))
    }

    fn document(
        &self,
        place: &Place<'_>,
        name: &str,
        expected: Option<Digest>,
    ) -> Result<(Digest, Vec<u8>), RegistryError> {
        let response = self.get(place, &place.url("manifests", name))?;
        let digest = Digest::of(&response.body);
        match expected {
            Some(expected) if expected != digest => Err(self.malformed(
                place,
                format!("`{name}` has the digest {digest}, expected {expected}"),
            )),
            _ => Ok((digest, response.body)),
        }
    }

    /// Fetches what the manifest names and keeps it.
    fn image(
        &self,
        place: &Place<'_>,
        digest: Digest,
        manifest: &Manifest,
        name: &str,
        store: &Store,
        work: &Path,
    ) -> Result<Image, RegistryError> {
        let scratch = Scratch::new(work)?;
        let config = self.blob(place, &manifest.config)?;
        let config = ConfigFile::from_json(&config)
            .map_err(|error| self.malformed(place, error.to_string()))?;
        if config.diff_ids.len() != manifest.layers.len() {
            return Err(self.malformed(
                place,
                format!(
                    "its configuration lists {} layers, its manifest {}",
                    config.diff_ids.len(),
                    manifest.layers.len()
                ),
            ));
        }
        let missing: Vec<(usize, &Descriptor)> = manifest
            .layers
            .iter()
            .enumerate()
            .filter(|(index, _)| store.layer(&config.diff_ids[*index]).is_err())
            .collect();
        let files: Vec<PathBuf> = missing
            .iter()
            .map(|(index, _)| scratch.path().join(index.to_string()))
            .collect();
        self.fetch_layers(place, &missing, &files)?;
        for ((index, _), file) in missing.iter().zip(&files) {
            store.import_layer(&mut archive(file)?, Some(config.diff_ids[*index]))?;
            fs::remove_file(file)?;
        }
        let words = history(&config);
        let layers = config
            .diff_ids
            .iter()
            .zip(words)
            .map(|(diff_id, created_by)| {
                Ok(ImageLayer {
                    layer: store.layer(diff_id)?,
                    created_by,
                })
            })
            .collect::<Result<Vec<_>, RegistryError>>()?;
        let source = place.reference.to_string();
        let annotations = [
            ("org.opencontainers.image.base.name".to_string(), source),
            (
                "org.opencontainers.image.base.digest".to_string(),
                digest.to_string(),
            ),
        ];
        Ok(store.put_image(&NewImage {
            reference: name,
            architecture: config.architecture,
            config: &config.config,
            layers: &layers,
            annotations: annotations.into(),
        })?)
    }

    fn fetch_layers(
        &self,
        place: &Place<'_>,
        layers: &[(usize, &Descriptor)],
        files: &[PathBuf],
    ) -> Result<(), RegistryError> {
        let subject = place.reference.to_string();
        let fetch = || {
            let downloads: Vec<Download> = layers
                .iter()
                .zip(files)
                .map(|((_, layer), file)| Download {
                    url: place.url("blobs", &layer.digest.to_string()),
                    headers: self.headers(place),
                    expected: Some(layer.digest),
                    size: Some(layer.size),
                    destination: file.clone(),
                })
                .collect();
            self.fetcher.download_all(&subject, &downloads)
        };
        match fetch() {
            // A token lives some minutes; a large image takes longer. What is there stays.
            Err(FetchError::Status { status: 401, .. }) => {
                self.forget(place);
                self.get(
                    place,
                    &place.url("manifests", &place.reference.manifest_name()),
                )?;
                fetch()?;
            }
            other => {
                other?;
            }
        }
        Ok(())
    }

    fn blob(&self, place: &Place<'_>, blob: &Descriptor) -> Result<Vec<u8>, RegistryError> {
        let response = self.get(place, &place.url("blobs", &blob.digest.to_string()))?;
        let actual = Digest::of(&response.body);
        if actual == blob.digest {
            Ok(response.body)
        } else {
            Err(self.malformed(
                place,
                format!("a blob has the digest {actual}, expected {}", blob.digest),
            ))
        }
    }

    /// Asks for a document, with credentials once the registry demands some.
    fn get(&self, place: &Place<'_>, url: &str) -> Result<Response, RegistryError> {
        let reference = || place.reference.to_string();
        let ask = || {
            let answer = self
                .contact
                .get(url, &self.headers(place), LARGEST_DOCUMENT);
            answer.map_err(|source| match source {
                FetchError::Connection { .. } | FetchError::Status { .. } => {
                    RegistryError::Unreachable {
                        reference: reference(),
                        source,
                    }
                }
                other => RegistryError::Fetch(other),
            })
        };
        let mut response = ask()?;
        if response.status == 401 {
            self.forget(place);
            let header = response.header("www-authenticate").unwrap_or_default();
            if let Some(challenge) = Challenge::parse(header)
                && self.enter(place, &challenge)?
            {
                response = ask()?;
            }
        }
        match response.status {
            200..300 => Ok(response),
            404 => Err(RegistryError::NotFound {
                reference: reference(),
            }),
            status @ (401 | 403) => Err(RegistryError::Denied {
                reference: reference(),
                status,
            }),
            status => Err(self.malformed(place, format!("it answered {status}"))),
        }
    }

    /// Meets a challenge; whether there was anything to meet it with.
    fn enter(&self, place: &Place<'_>, challenge: &Challenge) -> Result<bool, RegistryError> {
        let known = credentials::find(&self.clients, place.reference);
        let authorization = match (challenge, &known) {
            (Challenge::Basic, Some(Credentials::Password(name, password))) => {
                basic(name, password.expose())
            }
            (Challenge::Basic, _) => return Ok(false),
            (Challenge::Bearer { .. }, known) => {
                let scope = format!("repository:{}:pull", place.reference.name);
                let Some(url) = challenge.token_url(&scope) else {
                    return Ok(false);
                };
                let mut headers = Headers::none();
                match known {
                    Some(Credentials::Password(name, password)) => {
                        headers = headers.with("authorization", basic(name, password.expose()));
                    }
                    // A token server that takes such a token by GET takes it as a password.
                    Some(Credentials::IdentityToken(token)) => {
                        headers = headers.with("authorization", basic("<token>", token.expose()));
                    }
                    None => {}
                }
                let answer = self.contact.get(&url, &headers, LARGEST_DOCUMENT)?;
                if !(200..300).contains(&answer.status) {
                    return Err(RegistryError::Denied {
                        reference: place.reference.to_string(),
                        status: answer.status,
                    });
                }
                let token: Token = serde_json::from_slice(&answer.body)
                    .map_err(|error| self.malformed(place, error.to_string()))?;
                match token.token.or(token.access_token) {
                    Some(token) => format!("Bearer {token}"),
                    None => return Err(self.malformed(place, "a token answer without token")),
                }
            }
        };
        self.access().insert(place.key(), authorization);
        Ok(true)
    }

    fn headers(&self, place: &Place<'_>) -> Headers {
        let headers = Headers::none().with("accept", ACCEPT.join(", "));
        match self.access().get(&place.key()) {
            Some(authorization) => headers.with("authorization", authorization.clone()),
            None => headers,
        }
    }

    fn forget(&self, place: &Place<'_>) {
        self.access().remove(&place.key());
    }

    fn access(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn malformed(&self, place: &Place<'_>, reason: impl Into<String>) -> RegistryError {
        RegistryError::Malformed {
            reference: place.reference.to_string(),
            reason: reason.into(),
        }
    }
}

/// What tells an index from a manifest.
#[derive(Deserialize)]
struct Kind {
    manifests: Option<serde_json::Value>,
}

fn platforms(index: &Index) -> Vec<String> {
    let mut found: Vec<String> = index
        .manifests
        .iter()
        .filter_map(|entry| entry.platform.as_ref())
        .filter(|platform| platform.os != "unknown")
        .map(|platform| format!("{}/{}", platform.os, platform.architecture))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// What made each layer, as the image's history says.
fn history(config: &ConfigFile) -> impl Iterator<Item = String> {
    let told: Vec<String> = config
        .history
        .iter()
        .filter(|entry| !entry.empty_layer)
        .map(|entry| entry.created_by.clone().unwrap_or_default())
        .collect();
    told.into_iter().chain(std::iter::repeat(String::new()))
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || name.starts_with("127.") || name == "[::1]"
}

/// A layer's file as its uncompressed archive, whatever its media type claims.
fn archive(file: &Path) -> std::io::Result<Box<dyn Read>> {
    let mut start = [0; 6];
    let mut opened = fs::File::open(file)?;
    let length = opened.read(&mut start)?;
    opened.seek(SeekFrom::Start(0))?;
    Compression::detect(&start[..length]).reader(opened)
}
