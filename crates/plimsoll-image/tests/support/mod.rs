//! What the live tests share: a sandbox, a bench with store and caches, and the switch.

#![expect(dead_code, reason = "each test program uses a part of it")]

pub mod index;
mod sandbox;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use plimsoll_diag::{Progress, ProgressEvent};
use plimsoll_image::builder::{Builder, BuilderSettings};
use plimsoll_image::clients::{ClientSettings, is_client_variable};
use plimsoll_image::debian::{Base, BaseRequest, DebianSettings, Freshness, Mirrors, Suite};
use plimsoll_image::oci::Architecture;
use plimsoll_image::registry::RegistrySettings;
use plimsoll_image::store::Store;
use plimsoll_image::{FetchSettings, Fetcher};

pub use sandbox::UnshareSandbox;

/// Shows what a builder does when a test fails.
struct Told;

impl Progress for Told {
    fn report(&self, event: ProgressEvent) {
        match event {
            ProgressEvent::Started { subject, step } => println!("{subject}: {step}"),
            ProgressEvent::Notice(notice) => println!("notice: {notice}"),
            ProgressEvent::Advanced { .. } | ProgressEvent::Finished { .. } => {}
        }
    }
}

/// Store, caches and sandbox for live tests. `PLIMSOLL_LIVE_TESTS` names a directory that keeps
/// them between runs; without it, live tests say that they are skipped, because they use the
/// network and need root.
pub struct Bench {
    root: PathBuf,
    pub store: Store,
    sandbox: UnshareSandbox,
    fetcher: Fetcher,
}

impl Bench {
    pub fn open(test: &str) -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "the switch of the live tests")]
        let Some(root) = std::env::var_os("PLIMSOLL_LIVE_TESTS").map(PathBuf::from) else {
            println!("{test} skipped: PLIMSOLL_LIVE_TESTS names no directory");
            return None;
        };
        fs_err::create_dir_all(&root).unwrap();
        Some(Self {
            store: Store::open(&root.join("store")).unwrap(),
            sandbox: UnshareSandbox::new(),
            fetcher: Fetcher::new(FetchSettings::default(), Arc::new(Told)).unwrap(),
            root,
        })
    }

    pub fn sandbox(&self) -> &UnshareSandbox {
        &self.sandbox
    }

    /// The pinned uv, for tests that make a lock file. An earlier build has fetched it.
    pub fn uv(&self) -> PathBuf {
        let fetched = self.builder().toolchains().program("uv", None, host());
        fetched.unwrap().path
    }

    /// The trees of a Python, to run checks beside an image's own programs.
    pub fn python(&self) -> Vec<PathBuf> {
        let mut request = BaseRequest::new(Suite::Trixie, host());
        request.runtime = vec!["python3.13-minimal".into(), "libpython3.13-stdlib".into()];
        let settings = self.debian();
        let base = Base::new(&self.store, &self.fetcher, &settings);
        let assembled = base.assemble("python", &request, Freshness::Kept).unwrap();
        let layers = assembled.layers.iter();
        layers
            .map(|entry| self.store.unpacked(&entry.layer).unwrap())
            .collect()
    }

    fn debian(&self) -> DebianSettings {
        DebianSettings {
            mirrors: Mirrors::from_apt(Path::new("/")).unwrap(),
            cache: self.root.join("cache/debian"),
            now: SystemTime::now(),
        }
    }

    /// A builder for this machine.
    pub fn builder(&self) -> Builder<'_> {
        #[expect(
            clippy::disallowed_methods,
            reason = "a test stands for the binary here"
        )]
        let variables: BTreeMap<String, String> = std::env::vars()
            .filter(|(name, _)| is_client_variable(name))
            .collect();
        self.builder_with(ClientSettings {
            variables,
            ..ClientSettings::default()
        })
    }

    /// A builder for a machine whose package clients are configured like this.
    pub fn builder_with(&self, clients: ClientSettings) -> Builder<'_> {
        let settings = BuilderSettings {
            cache: self.root.join("cache"),
            clients,
            architecture: host(),
            debian: self.debian(),
            registry: RegistrySettings::default(),
            fetch: FetchSettings::default(),
        };
        Builder::new(&self.store, &self.sandbox, Arc::new(Told), settings).unwrap()
    }
}

fn host() -> Architecture {
    Architecture::host().unwrap()
}
