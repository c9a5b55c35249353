//! Programs that build steps need: uv, Node, npm and its kin.
//!
//! They are packages of their own registries, pinned by version and hash in `toolchains.toml`,
//! fetched once and kept beside the other downloads. They run in build steps only; nothing of
//! them enters an image. No program of the user's machine is used.

pub(crate) mod go;
pub(crate) mod index_page;
mod pins;
mod unpack;
mod wheel;
pub(crate) mod zip;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use fs_err as fs;
use serde::Deserialize;
use thiserror::Error;

use crate::clients::{Registries, UnknownRegistry};
use crate::fetch::{Download, FetchError, Fetcher, Headers};
use crate::oci::Architecture;
use pins::{Tool, ToolRegistry};

/// The largest page of an index that is read.
const LARGEST_PAGE: u64 = 64 << 20;

/// Fetches pinned programs and says where they are.
#[derive(Debug)]
pub struct Toolchains {
    cache: PathBuf,
    fetcher: Fetcher,
    registries: Arc<Registries>,
    /// One fetch at a time: several services want the same program at once.
    fetching: Mutex<()>,
}

/// A program on this machine, ready to be shown to a build step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The pinned version.
    pub version: String,
    /// The program's file (uv), or the directory its package was unpacked to.
    pub path: PathBuf,
}

/// A pinned program cannot be had.
#[derive(Debug, Error)]
pub enum ToolchainError {
    /// There is no build of it for this kind of machine.
    #[error("there is no `{name}` for {architecture}")]
    NoBuild {
        /// The program.
        name: String,
        /// The processor.
        architecture: Architecture,
    },
    /// No pinned version is among those asked for.
    #[error("no `{name}` among {} satisfies `{wanted}`", known.join(", "))]
    NoVersion {
        /// The program.
        name: String,
        /// What was asked for.
        wanted: String,
        /// The pinned versions.
        known: Vec<String>,
    },
    /// Nobody says where its registry is.
    #[error(transparent)]
    Registry(#[from] UnknownRegistry),
    /// The registry does not list the pinned file.
    #[error("{registry} has no `{file}`")]
    NotListed {
        /// The registry, without credentials.
        registry: String,
        /// The file or package.
        file: String,
    },
    /// It cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What was fetched cannot be unpacked.
    #[error("cannot unpack `{}`: {reason}", path.display())]
    Unpack {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The cache cannot be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Toolchains {
    /// Programs kept under `cache`.
    pub fn new(cache: PathBuf, fetcher: Fetcher, registries: Arc<Registries>) -> Self {
        Self {
            cache,
            fetcher,
            registries,
            fetching: Mutex::new(()),
        }
    }

    /// The version of uv that build steps use, for cache keys; needs no network.
    pub fn uv_version() -> &'static str {
        pins::versions("uv")
            .next()
            .map_or("", |tool| tool.version.as_str())
    }

    /// Versions of Node that are pinned, preferred first.
    pub fn node_versions() -> Vec<&'static str> {
        pins::versions("node")
            .map(|tool| tool.version.as_str())
            .collect()
    }

    /// The version of a program other than Node, for cache keys.
    pub(crate) fn version_of(name: &str) -> &'static str {
        pins::versions(name)
            .next()
            .map_or("", |tool| tool.version.as_str())
    }

    /// A program in a certain pinned version, or in the preferred one.
    ///
    /// # Errors
    /// When it is not pinned for that architecture, or cannot be fetched.
    pub fn program(
        &self,
        name: &str,
        version: Option<&str>,
        architecture: Architecture,
    ) -> Result<Program, ToolchainError> {
        let tool = pins::versions(name)
            .find(|tool| version.is_none_or(|wanted| tool.version == wanted))
            .ok_or_else(|| ToolchainError::NoVersion {
                name: name.to_string(),
                wanted: version.unwrap_or("any").to_string(),
                known: pins::versions(name).map(|t| t.version.clone()).collect(),
            })?;
        let directory = self
            .cache
            .join(format!("{name}-{}-{architecture}", tool.version));
        let path = match (tool.registry, &tool.directory) {
            (ToolRegistry::Python, None) => directory.join(name),
            (ToolRegistry::Python, Some(_)) | (ToolRegistry::Npm, _) => directory.clone(),
        };
        if !path.exists() {
            let _one_at_a_time = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
            if !path.exists() {
                self.fetch(tool, architecture, &directory)?;
            }
        }
        Ok(Program {
            version: tool.version.clone(),
            path,
        })
    }

    /// A pinned Go, laid out as its own root (`GOROOT`).
    ///
    /// # Errors
    /// When it cannot be fetched, or is not what is pinned.
    pub(crate) fn go(
        &self,
        pin: &go::GoPin,
        architecture: Architecture,
    ) -> Result<Program, ToolchainError> {
        let name = format!("go-{}-{architecture}", pin.version);
        let directory = self.cache.join(&name);
        let done = Program {
            version: pin.version.to_string(),
            path: directory.clone(),
        };
        let _one_at_a_time = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        if directory.exists() {
            return Ok(done);
        }
        fs::create_dir_all(&self.cache)?;
        let version = pin.module_version(architecture);
        let proxy = self.registries.go()?;
        let archive = self.cache.join(format!("{name}.download"));
        self.fetcher.download(
            &format!("Go {}", pin.version),
            &Download {
                url: proxy.url.join(&format!("{}/@v/{version}.zip", go::MODULE)),
                headers: Headers::none(),
                expected: None,
                size: None,
                destination: archive.clone(),
            },
        )?;
        let prefix = format!("{}@{version}/", go::MODULE);
        let hash = pin.hash(architecture);
        let unpacked = unpack::go_module(&archive, &prefix, hash, &directory);
        unpacked.map_err(|reason| ToolchainError::Unpack {
            path: archive,
            reason,
        })?;
        Ok(done)
    }

    fn fetch(
        &self,
        tool: &Tool,
        architecture: Architecture,
        directory: &Path,
    ) -> Result<(), ToolchainError> {
        let file = tool
            .file(architecture)
            .ok_or_else(|| ToolchainError::NoBuild {
                name: tool.name.clone(),
                architecture,
            })?;
        let url = match tool.registry {
            ToolRegistry::Python => {
                self.wheel_address(&tool.name, file.file.as_deref().unwrap_or_default())?
            }
            ToolRegistry::Npm => {
                self.tarball_address(file.package.as_deref().unwrap_or(&tool.name), &tool.version)?
            }
        };
        fs::create_dir_all(&self.cache)?;
        let archive = self.cache.join(format!("{}.download", file.sha256.hex()));
        self.fetcher.download(
            &format!("{} {}", tool.name, tool.version),
            &Download {
                url,
                headers: Headers::none(),
                expected: Some(file.sha256),
                size: None,
                destination: archive.clone(),
            },
        )?;
        let unpacked = match tool.registry {
            ToolRegistry::Python => match &tool.directory {
                Some(top) => unpack::directory_of_wheel(&archive, top, directory),
                None => unpack::program_of_wheel(&archive, &tool.name, directory),
            },
            ToolRegistry::Npm => unpack::npm_package(&archive, directory),
        };
        unpacked.map_err(|reason| ToolchainError::Unpack {
            path: archive.clone(),
            reason,
        })?;
        // The download stays: another process may be unpacking it.
        Ok(())
    }

    fn wheel_address(&self, project: &str, file: &str) -> Result<String, ToolchainError> {
        let index = self.registries.python()?;
        let page_url = index.url.join(&format!("{project}/"));
        let headers = Headers::none().with("accept", index_page::ACCEPT);
        let page = self.fetcher.get_bytes(&page_url, &headers, LARGEST_PAGE)?;
        index_page::address_of(&page, &page_url, file).ok_or_else(|| ToolchainError::NotListed {
            registry: index.url.to_string(),
            file: file.to_string(),
        })
    }

    fn tarball_address(&self, package: &str, version: &str) -> Result<String, ToolchainError> {
        let registry = self.registries.npm()?;
        let url = registry.url.join(&format!("{package}/{version}"));
        let answer = self
            .fetcher
            .get_bytes(&url, &Headers::none(), LARGEST_PAGE)?;
        let manifest: Manifest =
            serde_json::from_slice(&answer).map_err(|_| ToolchainError::NotListed {
                registry: registry.url.to_string(),
                file: format!("{package}@{version}"),
            })?;
        Ok(manifest.dist.tarball)
    }
}

#[derive(Deserialize)]
struct Manifest {
    dist: Distribution,
}

#[derive(Deserialize)]
struct Distribution {
    tarball: String,
}
