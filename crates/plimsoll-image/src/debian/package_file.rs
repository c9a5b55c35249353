//! One file out of one package, as data: for facts that a package states.

use std::io::{Cursor, Read};

use super::archive::{Archive, DebianSettings, Freshness};
use super::deb::Deb;
use super::packages::PackageIndex;
use super::{DebianError, Suite};
use crate::fetch::{Download, Fetcher, Headers};
use crate::oci::Architecture;

/// The largest file that is read.
const LARGEST: u64 = 16 << 20;

/// Looks into packages without putting them anywhere.
#[derive(Debug)]
pub struct PackageLookup {
    fetcher: Fetcher,
    settings: DebianSettings,
}

impl PackageLookup {
    /// A lookup that keeps packages where bases do.
    pub fn new(fetcher: Fetcher, settings: DebianSettings) -> Self {
        Self { fetcher, settings }
    }

    /// The first file of a package whose path ends with one of `suffixes`; `None` when it has no
    /// such file.
    ///
    /// # Errors
    /// When the archive cannot be reached or believed, or has no such package.
    pub fn file_of(
        &self,
        suite: Suite,
        architecture: Architecture,
        package: &str,
        suffixes: &[&str],
    ) -> Result<Option<Vec<u8>>, DebianError> {
        let archive = Archive {
            fetcher: &self.fetcher,
            settings: &self.settings,
            subject: package,
            suite,
            architecture,
        };
        let lists = archive.lists(Freshness::Kept)?;
        let texts: Vec<&str> = lists.iter().map(|list| list.text.as_str()).collect();
        let index = PackageIndex::read(&texts).map_err(|reason| DebianError::Malformed {
            place: format!("Packages of {suite}"),
            reason,
        })?;
        let found = index.get(package).ok_or_else(|| DebianError::NoPackage {
            package: package.to_owned(),
            suite,
            architecture,
        })?;
        let name = format!("{}.deb", found.digest.hex());
        let destination = self.settings.cache.join("packages").join(name);
        let mut failed = None;
        for base in &lists[found.list].bases {
            let download = Download {
                url: format!("{}/{}", base.expose(), found.filename),
                headers: Headers::none(),
                expected: Some(found.digest),
                size: Some(found.size),
                destination: destination.clone(),
            };
            match self.fetcher.download(package, &download) {
                Ok(_) => {
                    let bytes = fs_err::read(&destination).map_err(DebianError::Io)?;
                    return read(package, &bytes, suffixes);
                }
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            Some(error) => Err(error.into()),
            None => Err(DebianError::NoMirror {
                place: self.settings.cache.clone(),
            }),
        }
    }
}

fn read(package: &str, bytes: &[u8], suffixes: &[&str]) -> Result<Option<Vec<u8>>, DebianError> {
    let deb = Deb::open(bytes).map_err(|source| DebianError::Package {
        package: package.to_owned(),
        source,
    })?;
    let mut archive = tar::Archive::new(Cursor::new(deb.data.as_slice()));
    for entry in archive.entries().map_err(DebianError::Io)? {
        let mut entry = entry.map_err(DebianError::Io)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let wanted = suffixes.iter().any(|suffix| path.ends_with(suffix));
        if wanted && entry.header().entry_type() == tar::EntryType::Regular {
            let mut content = Vec::new();
            let mut limited = (&mut entry).take(LARGEST);
            limited.read_to_end(&mut content).map_err(DebianError::Io)?;
            return Ok(Some(content));
        }
    }
    Ok(None)
}
