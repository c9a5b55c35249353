//! What commands take that make images, tell about them, or publish them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use plimsoll_detect::OwnImages;
use plimsoll_image::Variant;
use plimsoll_image::builder::{Memory, PullPolicy};
use plimsoll_image::project_lock::LockPolicy;

use crate::service_images::{HealthChecks, ImagePolicy};
use crate::tag_rules::TagRule;

/// How images come to be, for every command that may build.
#[derive(Debug, Args)]
pub(crate) struct ImageArguments {
    /// Build everything anew, without what earlier builds left
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// When to ask a registry for an image
    #[arg(long, value_enum, default_value_t = PullChoice::Missing, value_name = "WHEN")]
    pub(crate) pull: PullChoice,
    /// Fail when `plimsoll.lock` would have to change
    #[arg(long)]
    pub(crate) locked: bool,
    /// What images are for: `production`, `slim`, `dev`, `debug` or `test`; without it what
    /// `build.target` names, else `production`
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<Variant>,
    /// Assemble well-known images (PostgreSQL, Redis, nginx …) from Debian packages, build the
    /// project's own from its source, ask no registry
    #[arg(long, conflicts_with = "pull")]
    pub(crate) local_bases: bool,
}

impl ImageArguments {
    /// The policy that these options ask for.
    pub(crate) fn policy(&self) -> ImagePolicy {
        ImagePolicy {
            memory: if self.no_cache {
                Memory::Ignore
            } else {
                Memory::Use
            },
            pull: match self.pull {
                _ if self.local_bases => PullPolicy::LocalBases,
                PullChoice::Always => PullPolicy::Always,
                PullChoice::Missing => PullPolicy::Missing,
                PullChoice::Never => PullPolicy::Never,
            },
            variant: self.variant.into(),
            checks: HealthChecks::ByEngine,
            lock: if self.locked {
                LockPolicy::Locked
            } else {
                LockPolicy::Update
            },
        }
    }
}

impl ImageArguments {
    /// Where the images come from that the project itself publishes.
    pub(crate) fn own_images(&self) -> OwnImages {
        match self.local_bases {
            true => OwnImages::Built,
            false => OwnImages::AsStated,
        }
    }
}

/// When to ask a registry for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PullChoice {
    /// Always; an unreachable registry is an error
    Always,
    /// When the image is not in the store
    Missing,
    /// Never
    Never,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    #[command(flatten)]
    pub(crate) images: ImageArguments,
    /// Platforms to build for, `linux/amd64,linux/arm64`
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
    /// Also write the images out: `push`, `docker`, `oci:DIR` or `docker:FILE.tar`
    #[arg(short, long, value_name = "KIND[:PATH]")]
    pub(crate) output: Option<String>,
    /// Build again from nothing elsewhere, and fail when a file differs
    #[arg(long)]
    pub(crate) verify: bool,
    /// Join the services that are built into one image, `PROJECT:all-in-one`
    #[arg(long, conflicts_with = "verify")]
    pub(crate) all_in_one: bool,
    /// Build cache in a registry to keep this build in, `type=registry,ref=NAME:TAG`
    #[arg(long, value_name = "CACHE")]
    pub(crate) cache_to: Vec<String>,
    /// Build cache in a registry to take layers from
    #[arg(long, value_name = "CACHE")]
    pub(crate) cache_from: Vec<String>,
    #[command(flatten)]
    pub(crate) publish: PublishArguments,
    #[command(flatten)]
    pub(crate) attestations: AttestationArguments,
    /// Services to build
    pub(crate) services: Vec<String>,
}

/// What is written beside images that are given away.
#[derive(Debug, Args)]
pub(crate) struct AttestationArguments {
    /// Attach a software bill: `cyclonedx` or `spdx`
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "cyclonedx",
        hide_possible_values = true
    )]
    pub(crate) sbom: Option<BillFormat>,
    /// Attach where the image comes from, as SLSA provenance
    #[arg(long)]
    pub(crate) provenance: bool,
    /// Sign the image and what is attached with this key
    #[arg(long, value_name = "KEY")]
    pub(crate) sign: Option<PathBuf>,
}

/// Formats of software bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BillFormat {
    /// CycloneDX 1.6
    Cyclonedx,
    /// SPDX 2.3
    Spdx,
}

#[derive(Debug, Args)]
pub(crate) struct ImagesArguments {
    /// Tell whose the bytes of the services' images are
    #[arg(long)]
    pub(crate) why: bool,
    /// Services to tell about
    #[arg(requires = "why")]
    pub(crate) services: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SbomArguments {
    /// Format of the bill
    #[arg(long, value_enum, default_value_t = BillFormat::Cyclonedx, value_name = "FORMAT")]
    pub(crate) format: BillFormat,
    /// Service, or image of the store
    #[arg(value_name = "SERVICE|IMAGE")]
    pub(crate) image: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SignArguments {
    /// Make `plimsoll.key` and `plimsoll.pub` in the project's directory
    #[arg(long, conflicts_with_all = ["key", "images"])]
    pub(crate) generate_key: bool,
    /// Private key: PEM, or as cosign seals it
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Services, or images of the store, that were pushed
    #[arg(value_name = "SERVICE|IMAGE", required_unless_present = "generate_key")]
    pub(crate) images: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// Public key, as PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Image in a registry
    pub(crate) image: String,
}

/// Where images go and what they are called there.
#[derive(Debug, Args)]
pub(crate) struct PublishArguments {
    /// Registry and path below which each service gets a repository
    #[arg(long, value_name = "REGISTRY/PREFIX")]
    pub(crate) to: Option<String>,
    /// Tag to set; repeat for several
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Rule that gives tags: `semver`, `branch`, `pr`, `sha`, `component`
    #[arg(
        long = "tag-rule",
        value_name = "RULE",
        value_delimiter = ',',
        hide_possible_values = true
    )]
    pub(crate) tag_rules: Vec<TagRule>,
    /// How layers are compressed: `gzip` or `zstd`
    #[arg(long, value_enum, default_value_t = Codec::Gzip, value_name = "CODEC", hide_possible_values = true)]
    pub(crate) compression: Codec,
}

/// How layers are compressed for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Codec {
    /// Read by everything
    Gzip,
    /// Smaller, and faster to unpack
    Zstd,
}

#[derive(Debug, Args)]
pub(crate) struct PushArguments {
    #[command(flatten)]
    pub(crate) publish: PublishArguments,
    #[command(flatten)]
    pub(crate) attestations: AttestationArguments,
    /// Variant of the images; without it what `build.target` names, else `production`
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<Variant>,
    /// Services whose images are pushed
    pub(crate) services: Vec<String>,
}
