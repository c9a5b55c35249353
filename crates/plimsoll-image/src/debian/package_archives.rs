//! The `.deb` files of a base, for a system that installs them itself.

use std::path::PathBuf;

use super::archive::{Archive, Freshness};
use super::base::{Base, resolve};
use super::packages::PackageIndex;
use super::{BaseRequest, DebianError};
use crate::Download;

impl Base<'_> {
    /// The packages of a request, each with its archive on this machine, fetched now where it is
    /// not there.
    ///
    /// # Errors
    /// When no archive can be reached or believed, or a package does not exist.
    pub(crate) fn archives(
        &self,
        subject: &str,
        request: &BaseRequest,
    ) -> Result<Vec<(String, PathBuf)>, DebianError> {
        let archive = Archive {
            fetcher: self.fetcher,
            settings: self.settings,
            subject,
            suite: request.suite,
            architecture: request.architecture,
        };
        let lists = archive.lists(Freshness::Kept)?;
        let texts: Vec<&str> = lists.iter().map(|list| list.text.as_str()).collect();
        let index = PackageIndex::read(&texts).map_err(|reason| DebianError::Malformed {
            place: format!("Packages of {}", request.suite),
            reason,
        })?;
        let groups = resolve(&index, request)?;
        let packages: Vec<_> = groups.iter().flatten().copied().collect();
        let places: Vec<Vec<Download>> = packages
            .iter()
            .map(|package| self.places(package, &lists))
            .collect();
        let files: Vec<&[Download]> = places.iter().map(Vec::as_slice).collect();
        self.fetcher
            .download_each(subject, &files, |_, _| Ok::<_, DebianError>(()))?;
        Ok(packages
            .iter()
            .map(|package| (package.name.to_owned(), self.deb_path(&package.digest)))
            .collect())
    }
}
