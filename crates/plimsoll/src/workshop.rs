//! What building needs on this machine: the store, the sandbox, package clients.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use plimsoll_diag::{Diagnostic, Progress, ProgressEvent, Secret};
use plimsoll_image::FetchSettings;
use plimsoll_image::builder::{Builder, BuilderSettings};
use plimsoll_image::cache::{Cache, CacheUse};
use plimsoll_image::clients::{ClientSettings, is_client_variable};
use plimsoll_image::debian::{DebianError, DebianSettings, Mirrors};
use plimsoll_image::oci::Architecture;
use plimsoll_image::project_lock::{LockPolicy, ProjectLock};
use plimsoll_image::registry::{RegistryClient, RegistrySettings};
use plimsoll_image::store::Store;
use plimsoll_run::{Engine, EngineSandbox};

use crate::cache_limit;
use crate::failure::{Failure, chain};
use crate::settings::Settings;

/// The surroundings of a build, for the time of one command.
pub(crate) struct Workshop<'a> {
    settings: &'a Settings,
    store: Store,
    sandbox: EngineSandbox,
    architecture: Architecture,
    /// What is in the cache stays there meanwhile.
    _cache: CacheUse,
}

impl Drop for Workshop<'_> {
    fn drop(&mut self) {
        cache_limit::look_beside(self.settings);
    }
}

impl<'a> Workshop<'a> {
    /// Opens the store and prepares the sandbox.
    pub(crate) fn open(settings: &'a Settings, engine: &Engine) -> Result<Self, Failure> {
        let cache = Cache::of(&settings.cache()).begin_use()?;
        let store = Store::open(&settings.store()).map_err(Failure::from_store)?;
        let architecture = Architecture::host()
            .map_err(|error| Failure::failed(Diagnostic::error(error.to_string())))?;
        let sandbox = EngineSandbox::new(
            engine.clone(),
            &settings.runtime.join("sandbox"),
            &settings.cache().join("sandbox"),
        );
        Ok(Self {
            settings,
            store,
            sandbox,
            architecture,
            _cache: cache,
        })
    }

    /// The store.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// A builder that tells `progress` what it does. Versions that the project leaves open are in
    /// its lock file.
    pub(crate) fn builder(
        &self,
        progress: Arc<dyn Progress>,
        policy: LockPolicy,
    ) -> Result<Builder<'_>, Failure> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            Failure::failed(Diagnostic::error(chain(error)))
        };
        let cache = self.settings.cache();
        let settings = BuilderSettings {
            clients: client_settings(self.settings),
            architecture: self.architecture,
            debian: DebianSettings {
                mirrors: mirrors(self.settings).map_err(|error| failed(&error))?,
                cache: cache.join("debian"),
                now: SystemTime::now(),
            },
            cache,
            registry: registry_settings(self.settings),
            fetch: fetch_settings(self.settings),
        };
        let mut aside = self.settings.data.join("locks");
        if policy == LockPolicy::Aside {
            // What is kept there for want of a writable project is another matter.
            aside.push("tried");
        }
        let lock = ProjectLock::open(&self.settings.directory, &aside, policy)
            .map_err(|error| Failure::usage(error.diagnostic()))?;
        if let Some(notice) = lock.take_notice() {
            progress.report(ProgressEvent::Notice(notice));
        }
        let builder = Builder::new(&self.store, &self.sandbox, progress, settings)
            .map_err(|error| failed(&error))?;
        let network = self.settings.file.build.network.as_ref();
        let network = network.map(|network| network.value).unwrap_or_default();
        Ok(builder
            .with_project_lock(Arc::new(lock))
            .with_script_network(network))
    }
}

/// A client of registries that tells `progress` what it does.
pub(crate) fn registry_client(
    settings: &Settings,
    progress: Arc<dyn Progress>,
) -> Result<RegistryClient, Failure> {
    RegistryClient::connect(
        &fetch_settings(settings),
        registry_settings(settings),
        client_settings(settings),
        progress,
    )
    .map_err(|error| Failure::failed(Diagnostic::error(chain(&error))))
}

/// Where Debian packages come from: the machine's own sources, but for what `plimsoll.toml` says.
fn mirrors(settings: &Settings) -> Result<Mirrors, DebianError> {
    let said = &settings.file.debian;
    let mut mirrors = match Mirrors::from_apt(Path::new("/")) {
        // A machine without apt has none, and needs none.
        Err(DebianError::NoMirror { .. }) if said.mirror.is_some() => Mirrors::default(),
        found => found?,
    };
    for (list, said) in [
        (&mut mirrors.main, &said.mirror),
        (&mut mirrors.security, &said.security_mirror),
    ] {
        if let Some(mirror) = said {
            *list = vec![Secret::new(mirror.value.clone())];
        }
    }
    Ok(mirrors)
}

fn registry_settings(settings: &Settings) -> RegistrySettings {
    let mirrors = settings.file.registries.iter().filter_map(|(host, said)| {
        let mirror = &said.mirror.as_ref()?.value;
        let address = if mirror.contains("://") {
            mirror.clone()
        } else {
            format!("https://{mirror}")
        };
        Some((host.clone(), vec![address]))
    });
    RegistrySettings {
        mirrors: mirrors.collect(),
    }
}

fn fetch_settings(settings: &Settings) -> FetchSettings {
    let environment = &settings.environment;
    // Lower case first, as curl does; an upper-case HTTP_PROXY could come from a CGI request.
    let either = |lower: &str, upper: &str| {
        environment
            .get(lower)
            .or(environment.get(upper))
            .map(str::to_owned)
    };
    FetchSettings {
        http_proxy: either("http_proxy", "HTTP_PROXY").map(Secret::new),
        https_proxy: either("https_proxy", "HTTPS_PROXY").map(Secret::new),
        no_proxy: either("no_proxy", "NO_PROXY"),
        ..FetchSettings::default()
    }
}

pub(crate) fn client_settings(settings: &Settings) -> ClientSettings {
    let environment = &settings.environment;
    ClientSettings {
        variables: environment
            .0
            .iter()
            .filter(|(name, _)| is_client_variable(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        home: environment.get("HOME").map(Into::into),
        project: Some(settings.directory.clone()),
        ..ClientSettings::default()
    }
}
