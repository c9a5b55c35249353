//! Reading a file out of a Debian package, for a client's default that nothing here states.

/// Gives files of Debian packages as data. Implemented over the Debian archive.
pub trait PackageFiles: Send + Sync {
    /// The first file of the package's newest version whose path ends with one of `suffixes`.
    ///
    /// # Errors
    /// A short reason: the package is not known, cannot be fetched, or has no such file.
    fn file_of(&self, package: &str, suffixes: &[&str]) -> Result<Vec<u8>, String>;
}

/// No Debian archive at hand.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPackages;

impl PackageFiles for NoPackages {
    fn file_of(&self, _package: &str, _suffixes: &[&str]) -> Result<Vec<u8>, String> {
        Err("no Debian archive is configured".to_string())
    }
}
