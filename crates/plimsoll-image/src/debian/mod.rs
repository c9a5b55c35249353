//! Debian as a base: from a machine's apt sources to layers, without running a script.
//!
//! `InRelease` is verified against archive keys, `Packages` by the hash in it, each package by the
//! hash in that. No host of a mirror is known here: see [`Mirrors::from_apt`].

mod accounts;
mod archive;
mod base;
mod content;
mod deb;
pub(crate) mod deb822;
mod effects;
mod error;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod package_archives;
mod package_file;
mod packages;
mod relation;
mod release;
mod request;
mod resolve;
mod signature;
mod sources;
mod suite;
#[cfg(test)]
mod tests;
mod version;

pub use accounts::User;
pub use archive::{DebianSettings, Freshness};
pub use base::Base;
pub use content::BasePurpose;
pub use error::{DebianError, PackageError};
pub use package_file::PackageLookup;
pub use request::{Assembled, BaseRequest, Foundation, InstalledPackage};
pub use signature::{Keyring, SignatureError};
pub use sources::Mirrors;
pub use suite::Suite;
