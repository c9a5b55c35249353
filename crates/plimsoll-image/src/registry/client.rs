//! The client of registries, and the pull half of the OCI distribution protocol.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fs_err as fs;
use plimsoll_diag::Progress;
use serde::Deserialize;

use super::access::{Place, Purpose};
use super::{Reference, RegistryError};
use crate::Digest;
use crate::clients::ClientSettings;
use crate::fetch::{
    Download, FetchError, FetchSettings, Fetcher, Headers, Method, Outgoing, Payload, Response,
};
use crate::layer::Compression;
use crate::oci::{Architecture, ConfigFile, Descriptor, Index, Manifest, media_type};
use crate::step::scratch::Scratch;
use crate::store::{Image, ImageLayer, NewImage, Store};

/// How long a registry of images may take to answer before it counts as not there.
const CONTACT_PATIENCE: Duration = Duration::from_secs(10);

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

/// Pulls images into a store, and pushes them from there.
#[derive(Debug)]
pub struct RegistryClient {
    /// For documents: gives up soon, so that a registry that is not there is noticed.
    pub(super) contact: Fetcher,
    /// For layers: patient.
    pub(super) fetcher: Fetcher,
    settings: RegistrySettings,
    pub(super) clients: ClientSettings,
    /// `Authorization` headers by address, repository and purpose.
    access: Mutex<HashMap<String, String>>,
    /// In which repository of an address a blob is, for those that are pushed or were found.
    pub(super) whereabouts: Mutex<HashMap<(String, Digest), String>>,
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
            whereabouts: Mutex::new(HashMap::new()),
        }
    }

    /// A client that reaches the network as `fetch` says, and gives up soon on a registry that is
    /// not there.
    ///
    /// # Errors
    /// When a proxy setting is not a URL.
    pub fn connect(
        fetch: &FetchSettings,
        settings: RegistrySettings,
        clients: ClientSettings,
        progress: Arc<dyn Progress>,
    ) -> Result<Self, FetchError> {
        let contact = FetchSettings {
            attempts: fetch.attempts.min(2),
            patience: fetch.patience.min(CONTACT_PATIENCE),
            ..fetch.clone()
        };
        let contact = Fetcher::new(contact, Arc::clone(&progress))?;
        let fetcher = Fetcher::new(fetch.clone(), progress)?;
        Ok(Self::new(contact, fetcher, settings, clients))
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

    pub(super) fn places<'r>(&self, reference: &'r Reference) -> Vec<Place<'r>> {
        let mirrors = self.settings.mirrors.get(&reference.domain);
        let bases: Vec<String> = mirrors
            .into_iter()
            .flatten()
            .map(|url| url.trim_end_matches('/').to_string())
            .collect();
        let mut places: Vec<Place<'r>> = bases
            .into_iter()
            .map(|base| Place { base, reference })
            .collect();
        places.push(self.home(reference));
        places
    }

    /// The registry itself, not a mirror.
    pub(super) fn home<'r>(&self, reference: &'r Reference) -> Place<'r> {
        let host = reference.endpoint_host();
        let scheme = if is_loopback(&host) { "http" } else { "https" };
        Place {
            base: format!("{scheme}://{host}"),
            reference,
        }
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

    pub(super) fn document(
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

    pub(super) fn fetch_layers(
        &self,
        place: &Place<'_>,
        layers: &[(usize, &Descriptor)],
        files: &[PathBuf],
    ) -> Result<(), RegistryError> {
        let subject = place.reference.to_string();
        let fetch = || {
            let headers = self.authorized(place, Purpose::Pull, &place.base, &Headers::none());
            let downloads: Vec<Download> = layers
                .iter()
                .zip(files)
                .map(|((_, layer), file)| Download {
                    url: place.url("blobs", &layer.digest.to_string()),
                    headers: headers.clone(),
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
                self.access().clear();
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

    pub(super) fn blob(
        &self,
        place: &Place<'_>,
        blob: &Descriptor,
    ) -> Result<Vec<u8>, RegistryError> {
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
    pub(super) fn get(&self, place: &Place<'_>, url: &str) -> Result<Response, RegistryError> {
        let headers = Headers::none().with("accept", ACCEPT.join(", "));
        let response = self.ask(
            &self.contact,
            place,
            Purpose::Pull,
            &Outgoing {
                method: Method::Get,
                url,
                headers: &headers,
                payload: Payload::Nothing,
            },
        )?;
        match response.status {
            200..300 => Ok(response),
            _ => Err(self.refused(place, &response)),
        }
    }

    pub(super) fn access(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn malformed(&self, place: &Place<'_>, reason: impl Into<String>) -> RegistryError {
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
pub(super) fn archive(file: &Path) -> std::io::Result<Box<dyn Read>> {
    let mut start = [0; 6];
    let mut opened = fs::File::open(file)?;
    let length = opened.read(&mut start)?;
    opened.seek(SeekFrom::Start(0))?;
    Compression::detect(&start[..length]).reader(opened)
}
