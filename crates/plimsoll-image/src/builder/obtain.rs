//! Images that others publish: from the store, from their registry, or a stand-in.

use plimsoll_diag::{Diagnostic, ProgressEvent};
use serde::Serialize;

use super::{BuildError, Builder};
use crate::registry::{Reference, RegistryError};
use crate::stand_in::{self, StandIn};
use crate::store::Image;
use crate::variant::Variant;
use crate::workshop::Memory;

/// When a registry is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PullPolicy {
    /// When the store has no such image. Where the registry cannot be reached, a stand-in is
    /// assembled if there is one, and used from then on.
    #[default]
    Missing,
    /// Every time, and nothing else will do.
    Always,
    /// Never: what the store has, or nothing.
    Never,
    /// Never, and a stand-in of Debian packages wherever there is one, also where the store has
    /// the image.
    LocalBases,
}

/// An image that others publish, or what stands in for it.
#[derive(Debug, Clone)]
pub struct ObtainedImage {
    /// The image.
    pub image: Image,
    /// What it is, when it is not the image that was asked for.
    pub stand_in: Option<StandIn>,
}

impl Builder<'_> {
    /// Obtains the image that a reference names.
    ///
    /// # Errors
    /// When the text is no reference, or neither the image nor a stand-in can be had.
    pub fn obtain(&self, reference: &str, policy: PullPolicy) -> Result<ObtainedImage, BuildError> {
        let reference: Reference = reference.parse().map_err(RegistryError::from)?;
        let name = reference.to_string();
        // Two services with the same image pull it once.
        let obtained = self
            .locks
            .alone(&format!("obtain {name}"), || self.find(&reference, policy));
        self.progress
            .report(ProgressEvent::Finished { subject: name });
        obtained
    }

    /// The same for an image to build on; what stands in for it is told.
    pub(super) fn obtain_base(
        &self,
        reference: &str,
        policy: PullPolicy,
    ) -> Result<ObtainedImage, BuildError> {
        let obtained = self.obtain(reference, policy)?;
        if let Some(stand_in) = &obtained.stand_in {
            let message = format!(
                "`FROM {reference}` is {}: {}",
                stand_in.product_version, stand_in.reason
            );
            let notice = ProgressEvent::Notice(Diagnostic::note(message));
            self.progress.report(notice);
        }
        Ok(obtained)
    }

    fn find(&self, reference: &Reference, policy: PullPolicy) -> Result<ObtainedImage, BuildError> {
        let name = reference.to_string();
        if policy == PullPolicy::LocalBases
            && let Some(obtained) = self.stand_in(reference, "local bases were asked for")?
        {
            return Ok(obtained);
        }
        if policy != PullPolicy::Always {
            if let Some(image) = self.store.image(&name, self.settings.architecture)? {
                return Ok(ObtainedImage {
                    image,
                    stand_in: None,
                });
            }
            if let Some(obtained) = self.kept_stand_in(reference)? {
                return Ok(obtained);
            }
        }
        match policy {
            PullPolicy::Never => return Err(BuildError::NotHere { reference: name }),
            PullPolicy::LocalBases => return Err(BuildError::NoStandIn { reference: name }),
            PullPolicy::Missing | PullPolicy::Always => {}
        }
        self.progress.report(ProgressEvent::Started {
            subject: name.clone(),
            step: "pulling".to_string(),
        });
        let pulled = self.registry.pull(
            reference,
            &name,
            self.settings.architecture,
            self.store,
            &self.settings.cache.join("work"),
        );
        match pulled {
            Ok(image) => Ok(ObtainedImage {
                image,
                stand_in: None,
            }),
            Err(RegistryError::Unreachable { source, .. }) if policy == PullPolicy::Missing => {
                let reason = "its registry cannot be reached".to_string();
                self.stand_in(reference, &reason)?.ok_or_else(|| {
                    RegistryError::Unreachable {
                        reference: name,
                        source,
                    }
                    .into()
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A stand-in of an earlier time, of the same packages: whoever has data in it keeps the
    /// version that wrote it.
    fn kept_stand_in(&self, reference: &Reference) -> Result<Option<ObtainedImage>, BuildError> {
        match self.store.recall::<StandIn>(&memo(reference)) {
            Some(kept) => self.stand_in(reference, &kept.reason),
            None => Ok(None),
        }
    }

    fn stand_in(
        &self,
        reference: &Reference,
        reason: &str,
    ) -> Result<Option<ObtainedImage>, BuildError> {
        let subject = reference.to_string();
        let workshop = self.workshop(
            &subject,
            self.settings.architecture,
            Memory::Use,
            Variant::Production,
        );
        let Some((image, stand_in)) = stand_in::assemble(&workshop, reference, reason)? else {
            return Ok(None);
        };
        let needs: Vec<_> = image.layers.iter().map(|layer| layer.diff_id).collect();
        self.store.remember(&memo(reference), &stand_in, &needs)?;
        Ok(Some(ObtainedImage {
            image,
            stand_in: Some(stand_in),
        }))
    }
}

fn memo(reference: &Reference) -> String {
    format!("stand-in for {reference}")
}
