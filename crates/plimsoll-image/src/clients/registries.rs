//! The registries of one run, each looked for when it is first needed.

use std::sync::{Arc, Mutex, PoisonError};

use super::{ClientSettings, GoProxy, NpmRegistry, PackageFiles, PythonIndex, UnknownRegistry};

/// Finds each registry at most once.
pub struct Registries {
    settings: ClientSettings,
    packages: Arc<dyn PackageFiles>,
    python: Mutex<Option<Arc<PythonIndex>>>,
    npm: Mutex<Option<Arc<NpmRegistry>>>,
    go: Mutex<Option<Arc<GoProxy>>>,
}

impl std::fmt::Debug for Registries {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Registries")
    }
}

impl Registries {
    /// Registries as `settings` state them, or else as the clients in `packages` do.
    pub fn new(settings: ClientSettings, packages: Arc<dyn PackageFiles>) -> Self {
        Self {
            settings,
            packages,
            python: Mutex::new(None),
            npm: Mutex::new(None),
            go: Mutex::new(None),
        }
    }

    /// The settings they are found by.
    pub fn settings(&self) -> &ClientSettings {
        &self.settings
    }

    /// The Python package index.
    ///
    /// # Errors
    /// When no place states its address.
    pub fn python(&self) -> Result<Arc<PythonIndex>, UnknownRegistry> {
        once(&self.python, || {
            PythonIndex::locate(&self.settings, self.packages.as_ref())
        })
    }

    /// The npm registry.
    ///
    /// # Errors
    /// When no place states its address.
    pub fn npm(&self) -> Result<Arc<NpmRegistry>, UnknownRegistry> {
        once(&self.npm, || {
            NpmRegistry::locate(&self.settings, self.packages.as_ref())
        })
    }

    /// The proxy of Go modules.
    ///
    /// # Errors
    /// When no place states its address.
    pub fn go(&self) -> Result<Arc<GoProxy>, UnknownRegistry> {
        once(&self.go, || {
            GoProxy::locate(&self.settings, self.packages.as_ref())
        })
    }
}

fn once<T>(
    place: &Mutex<Option<Arc<T>>>,
    find: impl FnOnce() -> Result<T, UnknownRegistry>,
) -> Result<Arc<T>, UnknownRegistry> {
    let mut known = place.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.as_ref() {
        return Ok(Arc::clone(found));
    }
    let found = Arc::new(find()?);
    *known = Some(Arc::clone(&found));
    Ok(found)
}
