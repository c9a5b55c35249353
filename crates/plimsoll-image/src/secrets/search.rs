//! Looking for secrets in archives and configurations.

use std::io::Read;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use plimsoll_diag::Secret;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::shape::{BEGINNINGS, REACH, Shape, is_secret};
use super::{KnownSecret, SecretHit, SecretKind, SecretPlace, is_particular};
use crate::Digest;
use crate::inventory::Inventory;
use crate::layer::normalised;
use crate::oci::ConfigFile;
use crate::store::{Image, Layer, Store, StoreError};

/// Changes whenever shapes are told otherwise.
const RULES: &str = "secrets 2";

/// How much of a file is looked at at once.
const WINDOW: usize = 1 << 20;

/// Looks for known secrets and for what looks like one.
pub struct SecretSearch {
    known: AhoCorasick,
    /// The name of each of its patterns.
    names: Vec<String>,
    /// What tells these secrets from any others; itself as secret as they are.
    values: Secret<Vec<u8>>,
    longest: usize,
    shapes: AhoCorasick,
    vague: Vec<String>,
}

/// A file that holds something with a shape.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Shaped {
    path: String,
    shape: Shape,
}

impl std::fmt::Debug for SecretSearch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The automaton would show the values.
        formatter
            .debug_struct("SecretSearch")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl SecretSearch {
    /// A search for these secrets, in the forms in which they are written into files.
    pub fn new(secrets: &[KnownSecret]) -> Self {
        let mut patterns: Vec<String> = Vec::new();
        let mut names = Vec::new();
        let mut vague = Vec::new();
        for secret in secrets {
            let value = secret.value.expose().trim();
            if !is_particular(value) {
                vague.push(secret.name.clone());
                continue;
            }
            for form in forms(value) {
                patterns.push(form);
                names.push(secret.name.clone());
            }
        }
        let values = patterns.join("\0").into_bytes();
        let build = |patterns: &[String]| {
            AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .build(patterns)
                .expect("patterns are far fewer than the automaton can number")
        };
        let beginnings: Vec<String> = BEGINNINGS
            .iter()
            .map(|(beginning, _)| (*beginning).to_owned())
            .collect();
        Self {
            known: build(&patterns),
            longest: patterns.iter().map(String::len).max().unwrap_or(0),
            names,
            values: Secret::new(values),
            shapes: build(&beginnings),
            vague,
        }
    }

    /// The secrets that are not looked for, because their values are words that stand in many
    /// files.
    pub fn vague(&self) -> &[String] {
        &self.vague
    }

    /// Searches an image of the store.
    ///
    /// # Errors
    /// When a layer is missing or cannot be read.
    pub fn search(&self, store: &Store, image: &Image) -> Result<Vec<SecretHit>, StoreError> {
        let found: Vec<(Vec<SecretHit>, Vec<Shaped>)> = image
            .layers
            .par_iter()
            .enumerate()
            .map(|(index, layer)| self.layer(store, index, layer))
            .collect::<Result<_, _>>()?;
        let mut hits = Vec::new();
        let mut shaped = Vec::new();
        for (layer, (known, shapes)) in found.into_iter().enumerate() {
            hits.extend(known);
            shaped.extend(shapes.into_iter().map(|entry| (layer, entry)));
        }
        if !shaped.is_empty() {
            let paths: Vec<&str> = shaped
                .iter()
                .map(|(_, entry)| entry.path.as_str())
                .collect();
            let owned = Inventory::owned(store, image, &paths)?;
            let nobodys = shaped.iter().zip(owned).filter(|(_, owned)| !owned);
            hits.extend(nobodys.map(|((layer, entry), _)| SecretHit {
                place: SecretPlace::File {
                    layer: *layer,
                    path: entry.path.clone(),
                },
                what: SecretKind::Shape(entry.shape),
            }));
        }
        hits.extend(self.configuration(store, image)?);
        hits.sort();
        hits.dedup();
        Ok(hits)
    }

    /// Searches what a build cache of this open store would hold for known secrets: its layers, the
    /// blobs beside them, and the notes of builds. Layers are counted in the order of the cache.
    ///
    /// # Errors
    /// When a part of it is missing or cannot be read.
    pub fn search_cache(&self, store: &Store) -> Result<Vec<SecretHit>, StoreError> {
        if self.names.is_empty() {
            return Ok(Vec::new());
        }
        let state = store.shared_state()?;
        let found: Vec<Vec<SecretHit>> = state
            .layers
            .par_iter()
            .enumerate()
            .map(|(index, layer)| Ok(self.layer(store, index, layer)?.0))
            .collect::<Result<_, StoreError>>()?;
        let mut hits: Vec<SecretHit> = found.into_iter().flatten().collect();
        let mut look = |bytes: &[u8], place: &str| {
            let mut names = Vec::new();
            self.known_in(bytes, &mut names);
            hits.extend(names.into_iter().map(|name| SecretHit {
                place: SecretPlace::Note(place.to_owned()),
                what: SecretKind::Known(name.to_owned()),
            }));
        };
        for (digest, _) in &state.loose {
            look(&store.read_blob(digest)?, &digest.to_string());
        }
        for (key, text) in state.notes() {
            look(text.as_bytes(), &key);
        }
        hits.sort();
        hits.dedup();
        Ok(hits)
    }

    /// The known secrets in one layer, and the files with shapes. What was found in it is
    /// remembered, and of its parts as well: of a layer with one new part that part is read.
    fn layer(
        &self,
        store: &Store,
        index: usize,
        layer: &Layer,
    ) -> Result<(Vec<SecretHit>, Vec<Shaped>), StoreError> {
        self.remembered(store, &layer.diff_id, || {
            let parts = layer.parts.par_iter().map(|part| {
                self.remembered(store, &part.digest, || {
                    let reader = store.open_part(part)?;
                    self.archive(reader, index)
                        .map_err(|error| store.unreadable(part, error))
                })
            });
            let parts: Vec<(Vec<SecretHit>, Vec<Shaped>)> = parts.collect::<Result<_, _>>()?;
            let (hits, shaped): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            Ok((hits.concat(), shaped.concat()))
        })
    }

    /// What was found in a layer or a part of one, or what `look` finds now. That none of these
    /// secrets is in it is remembered; where one is, it is looked for each time.
    fn remembered(
        &self,
        store: &Store,
        digest: &Digest,
        look: impl FnOnce() -> Result<(Vec<SecretHit>, Vec<Shaped>), StoreError>,
    ) -> Result<(Vec<SecretHit>, Vec<Shaped>), StoreError> {
        let key = match self.names.is_empty() {
            true => format!("{RULES} of {digest}"),
            false => {
                let which = store.private_name(&self.values)?;
                format!("{RULES} of {digest} without {which}")
            }
        };
        if let Some(shaped) = store.recall(&key) {
            return Ok((Vec::new(), shaped));
        }
        let (hits, shaped) = look()?;
        if hits.is_empty() {
            store.remember(&key, &shaped, &[*digest])?;
        }
        Ok((hits, shaped))
    }

    fn archive(
        &self,
        reader: impl Read,
        layer: usize,
    ) -> std::io::Result<(Vec<SecretHit>, Vec<Shaped>)> {
        let (mut hits, mut shaped) = (Vec::new(), Vec::new());
        let mut archive = tar::Archive::new(reader);
        let mut window = Vec::with_capacity(WINDOW);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let Ok(path) = normalised(&entry.path_bytes()) else {
                continue;
            };
            let mut names: Vec<&str> = Vec::new();
            let mut shapes: Vec<Shape> = Vec::new();
            // A name can be a secret too, and so can the target of a link.
            let target = entry.link_name_bytes().unwrap_or_default();
            self.known_in(path.as_bytes(), &mut names);
            self.known_in(&target, &mut names);
            self.file(&mut entry, &mut window, |bytes, fresh, last| {
                self.known_in(bytes, &mut names);
                self.shapes_in(bytes, fresh, last, &mut shapes);
            })?;
            names.sort_unstable();
            names.dedup();
            shapes.sort_unstable();
            shapes.dedup();
            hits.extend(names.into_iter().map(|name| SecretHit {
                place: SecretPlace::File {
                    layer,
                    path: path.clone(),
                },
                what: SecretKind::Known(name.to_owned()),
            }));
            shaped.extend(shapes.into_iter().map(|shape| Shaped {
                path: path.clone(),
                shape,
            }));
        }
        Ok((hits, shaped))
    }

    /// Shows a file piece by piece. Each piece begins with the end of the one before, so that
    /// nothing is cut in two; `fresh` is where a match may begin that was not decided before.
    fn file(
        &self,
        file: &mut impl Read,
        window: &mut Vec<u8>,
        mut look: impl FnMut(&[u8], usize, bool),
    ) -> std::io::Result<()> {
        let overlap = self.longest.max(REACH + 64);
        window.clear();
        let mut fresh = 0;
        loop {
            let wanted = WINDOW.max(2 * overlap) - window.len();
            let count = file.take(wanted as u64).read_to_end(window)?;
            let last = count < wanted;
            if !window.is_empty() {
                look(window, fresh, last);
            }
            if last {
                return Ok(());
            }
            window.drain(..window.len() - overlap);
            fresh = overlap - REACH;
        }
    }

    fn known_in<'s>(&'s self, bytes: &[u8], names: &mut Vec<&'s str>) {
        if self.names.is_empty() {
            return;
        }
        for found in self.known.find_iter(bytes) {
            names.push(&self.names[found.pattern().as_usize()]);
        }
    }

    fn shapes_in(&self, bytes: &[u8], fresh: usize, last: bool, shapes: &mut Vec<Shape>) {
        // What begins near the end is decided with the next piece.
        let end = match last {
            true => bytes.len(),
            false => bytes.len() - REACH,
        };
        for found in self.shapes.find_iter(bytes) {
            if found.start() < fresh || found.start() >= end {
                continue;
            }
            let (beginning, shape) = BEGINNINGS[found.pattern().as_usize()];
            if is_secret(shape, beginning, bytes, found.start()) {
                shapes.push(shape);
            }
        }
    }

    /// What the configuration and the notes on the manifest say.
    fn configuration(&self, store: &Store, image: &Image) -> Result<Vec<SecretHit>, StoreError> {
        let file = ConfigFile::from_json(&store.read_blob(&image.id)?).map_err(|error| {
            StoreError::Malformed {
                path: store.root().to_owned(),
                reason: error.to_string(),
            }
        })?;
        let config = &image.config;
        let mut parts: Vec<(String, String)> = Vec::new();
        for (name, value) in &config.environment {
            parts.push((format!("variable `{name}`"), value.clone()));
        }
        for (name, value) in &config.labels {
            parts.push((format!("label `{name}`"), format!("{name} {value}")));
        }
        for (name, value) in &image.annotations {
            parts.push((format!("annotation `{name}`"), value.clone()));
        }
        parts.push(("the entry point".to_owned(), config.entrypoint.join("\n")));
        parts.push(("the command".to_owned(), config.command.join("\n")));
        if let Some(check) = &config.healthcheck {
            parts.push(("the health check".to_owned(), check.test.join("\n")));
        }
        for (index, entry) in file.history.iter().enumerate() {
            let words = [&entry.created_by, &entry.comment];
            let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
            parts.push((
                format!("step {} of the history", index + 1),
                words.join("\n"),
            ));
        }
        let mut hits = Vec::new();
        for (place, text) in parts {
            let (mut names, mut shapes) = (Vec::new(), Vec::new());
            self.known_in(text.as_bytes(), &mut names);
            self.shapes_in(text.as_bytes(), 0, true, &mut shapes);
            let names = names
                .into_iter()
                .map(|name| SecretKind::Known(name.to_owned()));
            let shapes = shapes.into_iter().map(SecretKind::Shape);
            hits.extend(names.chain(shapes).map(|what| SecretHit {
                place: SecretPlace::Configuration(place.clone()),
                what,
            }));
        }
        Ok(hits)
    }
}

/// The forms in which a value is written into files: as it is, in base64, in a URL, in JSON.
fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned(), STANDARD_NO_PAD.encode(value)];
    let encoded: String = value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    forms.push(encoded);
    if let Ok(json) = serde_json::to_string(value) {
        forms.push(json.trim_matches('"').to_owned());
    }
    forms.sort_unstable();
    forms.dedup();
    forms
}
