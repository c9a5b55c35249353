//! Images into a registry: every blob first, then the manifests, what is attached to them, the tags
//! last.
//!
//! Whoever reads while a push goes on finds the tag as it was or as it shall be, never one that
//! leads nowhere. A push that was cut is repeated: what arrived is found and not sent again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use plimsoll_diag::ProgressEvent;

use super::access::{Place, Purpose};
use super::upload::{Arrival, Cargo};
use super::{ArtifactLayer, Reference, RegistryClient, RegistryError};
use crate::Digest;
use crate::fetch::{Headers, Method, Outgoing, Payload, Response};
use crate::oci::Descriptor;
use crate::signature::Attachment;
use crate::store::{Document, Exported, Image, LayerForm, Shipment, Store};

/// How many blobs are sent at once.
const AT_ONCE: usize = 4;

/// The most that is sent with one request when nothing else is said: small enough that a cut costs
/// little, and no more than proxies let through.
pub const CHUNK: u64 = 64 << 20;

/// What is pushed where.
#[derive(Debug, Clone)]
pub struct PushRequest<'a> {
    /// Whose image it is, for progress.
    pub subject: &'a str,
    /// The image for each processor. One becomes a manifest, several an index.
    pub images: &'a [Image],
    /// How layers are compressed.
    pub form: LayerForm,
    /// The repository; its tag counts like one of `tags`.
    pub to: &'a Reference,
    /// The tags it gets besides.
    pub tags: &'a [String],
    /// What is said beside its manifests, each with the manifest it speaks of: bills, provenance,
    /// signatures. It is there before a tag leads to the image.
    pub attachments: &'a [(Descriptor, Attachment)],
    /// The most bytes that are sent with one request: [`CHUNK`].
    pub chunk: u64,
}

/// What came of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// What the tags point at.
    pub root: Descriptor,
    /// The manifests below an index; none when the root is a manifest itself.
    pub manifests: Vec<Descriptor>,
    /// The tags that were set.
    pub tags: Vec<String>,
    /// Bytes that were sent.
    pub sent: u64,
    /// Blobs that were sent.
    pub blobs: usize,
    /// Blobs that the registry took from another repository.
    pub mounted: usize,
    /// Blobs that were there.
    pub present: usize,
    /// Artifacts that were attached.
    pub attached: usize,
}

impl RegistryClient {
    /// Pushes an image. Every blob is checked against its digest before it is sent.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses, or the store is damaged. No tag is set then.
    pub fn push(&self, store: &Store, request: &PushRequest<'_>) -> Result<Pushed, RegistryError> {
        let pushed = self.push_parts(store, request);
        self.fetcher.progress().report(ProgressEvent::Finished {
            subject: request.subject.to_string(),
        });
        pushed
    }

    fn push_parts(
        &self,
        store: &Store,
        request: &PushRequest<'_>,
    ) -> Result<Pushed, RegistryError> {
        let tell = |step: &str| {
            self.fetcher.progress().report(ProgressEvent::Started {
                subject: request.subject.to_string(),
                step: step.to_string(),
            });
        };
        tell("compressing");
        let shipment = store.shipment(request.images, request.form)?;
        tell("pushing");
        let place = self.home(request.to);
        let mut pushed = Pushed {
            root: shipment.root.descriptor.clone(),
            manifests: documents(&shipment),
            tags: Vec::new(),
            sent: 0,
            blobs: 0,
            mounted: 0,
            present: 0,
            attached: 0,
        };
        let arrivals = self.send_blobs(
            &place,
            store,
            &shipment.blobs,
            request.chunk,
            request.subject,
        )?;
        for (blob, arrival) in shipment.blobs.iter().zip(arrivals) {
            match arrival {
                Arrival::Present => pushed.present += 1,
                Arrival::Mounted => pushed.mounted += 1,
                Arrival::Sent => {
                    pushed.blobs += 1;
                    pushed.sent += blob.descriptor.size;
                }
            }
        }
        for document in shipment.manifests.iter().chain([&shipment.root]) {
            let name = document.descriptor.digest.to_string();
            self.put_manifest(&place, &name, document)?;
        }
        for (subject, attachment) in request.attachments {
            let kind = &attachment.kind;
            let layer = ArtifactLayer::new(kind, attachment.bytes.clone());
            let notes = attachment.annotations.clone();
            self.attach(store, request.to, subject, kind, notes, vec![layer])?;
            pushed.attached += 1;
        }
        let tags: BTreeSet<&String> = request.to.tag.iter().chain(request.tags).collect();
        for tag in tags {
            self.put_manifest(&place, tag, &shipment.root)?;
            pushed.tags.push(tag.clone());
        }
        Ok(pushed)
    }

    /// Brings blobs into a repository, several at once; how each got there, in the same order.
    pub(super) fn send_blobs(
        &self,
        place: &Place<'_>,
        store: &Store,
        blobs: &[Exported],
        chunk: u64,
        subject: &str,
    ) -> Result<Vec<Arrival>, RegistryError> {
        let total = blobs.iter().map(|blob| blob.descriptor.size).sum();
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let done = Mutex::new((0_u64, vec![None; blobs.len()]));
        let first_failure = Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(blobs.len()) {
                scope.spawn(|| {
                    while !failed.load(Ordering::Relaxed) {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(blob) = blobs.get(index) else { break };
                        match self.send_blob(place, store, blob, chunk) {
                            Ok(arrival) => {
                                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                                done.0 += blob.descriptor.size;
                                done.1[index] = Some(arrival);
                                self.fetcher.progress().report(ProgressEvent::Advanced {
                                    subject: subject.to_string(),
                                    done: done.0,
                                    total: Some(total),
                                });
                            }
                            Err(error) => {
                                failed.store(true, Ordering::Relaxed);
                                first_failure
                                    .lock()
                                    .unwrap_or_else(PoisonError::into_inner)
                                    .get_or_insert(error);
                            }
                        }
                    }
                });
            }
        });
        if let Some(error) = first_failure
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
        {
            return Err(error);
        }
        let (_, arrivals) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(arrivals.into_iter().flatten().collect())
    }

    fn send_blob(
        &self,
        place: &Place<'_>,
        store: &Store,
        blob: &Exported,
        chunk: u64,
    ) -> Result<Arrival, RegistryError> {
        let key = (place.base.clone(), blob.descriptor.digest);
        let elsewhere = self
            .whereabouts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .filter(|name| **name != place.reference.name)
            .cloned();
        let arrival = self.upload(
            place,
            &Cargo {
                descriptor: &blob.descriptor,
                open: &|offset| blob.open_at(offset),
                check: &|| Ok(store.check_exported(blob)?),
                chunk,
                elsewhere,
            },
        )?;
        self.whereabouts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, place.reference.name.clone());
        Ok(arrival)
    }

    /// Puts a manifest or index under a tag or digest.
    pub(super) fn put_manifest(
        &self,
        place: &Place<'_>,
        name: &str,
        document: &Document,
    ) -> Result<Response, RegistryError> {
        let headers = Headers::none().with("content-type", &document.descriptor.media_type);
        let answer = self.ask(
            &self.fetcher,
            place,
            Purpose::Push,
            &Outgoing {
                method: Method::Put,
                url: &place.url("manifests", name),
                headers: &headers,
                payload: Payload::Bytes(&document.bytes),
            },
        )?;
        match answer.status {
            200..300 => Ok(answer),
            _ => Err(self.refused(place, &answer)),
        }
    }

    /// What a tag of a repository points at now; `None` when there is no such tag.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn digest_of(&self, reference: &Reference) -> Result<Option<Digest>, RegistryError> {
        let place = self.home(reference);
        match self.document(&place, &reference.manifest_name(), reference.digest) {
            Ok((digest, _)) => Ok(Some(digest)),
            Err(RegistryError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn documents(shipment: &Shipment) -> Vec<Descriptor> {
    shipment
        .manifests
        .iter()
        .map(|document| document.descriptor.clone())
        .collect()
}
