//! The Rust that is installed on this machine: where it is, what tells it from another, and what
//! it can build for.
//!
//! Only installations that bring their own libraries along can be shown to a sandbox: those of
//! rustup, and the stand-alone archives. What a distribution packages is linked with its libraries.

use std::path::{Path, PathBuf};

use fs_err as fs;
use thiserror::Error;

use crate::clients::ClientSettings;
use crate::oci::Architecture;

/// An installed Rust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Toolchain {
    /// Its directory, with `bin/cargo` and `bin/rustc`.
    pub root: PathBuf,
    /// What tells it from any other: the name of the compiler's library has a hash of it.
    pub identity: String,
    /// The one that the project asks for, where it is not this one.
    pub instead_of: Option<String>,
}

/// No usable Rust is installed.
#[derive(Debug, Error)]
#[error("there is no Rust on this machine to build with; tried {}", tried.join(", "))]
pub struct NoToolchain {
    /// Every place that was tried, in order.
    pub tried: Vec<String>,
}

/// How the program is linked with the C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Library {
    /// With that of the base.
    Gnu,
    /// With its own.
    Musl,
}

impl Library {
    /// The name of a target: `x86_64-unknown-linux-gnu`.
    pub(super) fn target(self, architecture: Architecture) -> String {
        let library = match self {
            Self::Gnu => "gnu",
            Self::Musl => "musl",
        };
        format!("{}-unknown-linux-{library}", machine(architecture))
    }
}

fn machine(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "x86_64",
        Architecture::Arm64 => "aarch64",
    }
}

impl Toolchain {
    /// Finds the one to build a project with: what the caller's variables name, what the project
    /// asks for, rustup's default, what `PATH` leads to.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn locate(
        settings: &ClientSettings,
        asked: Option<&str>,
        host: Architecture,
    ) -> Result<Self, NoToolchain> {
        let mut tried = Vec::new();
        let named = settings.variable("RUSTUP_TOOLCHAIN").map(str::to_string);
        let from_variable = named.is_some();
        let home = settings
            .variable("RUSTUP_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(settings.home.as_ref()?.join(".rustup")));
        if let Some(home) = &home {
            let names = [
                named,
                asked.map(str::to_string),
                default_of(&home.join("settings.toml")),
            ];
            for name in names.into_iter().flatten() {
                for directory in [
                    name.clone(),
                    format!("{name}-{}", Library::Gnu.target(host)),
                ] {
                    let root = home.join("toolchains").join(&directory);
                    if let Some(mut found) = Self::at(&root) {
                        found.instead_of = asked
                            .filter(|asked| !from_variable && *asked != name)
                            .map(str::to_string);
                        return Ok(found);
                    }
                }
                tried.push(format!("rustup's `{name}`"));
            }
            if tried.is_empty() {
                tried.push(format!("{} (names no toolchain)", home.display()));
            }
        } else {
            tried.push("RUSTUP_HOME (unset)".to_string());
        }
        for root in on_path(settings) {
            if let Some(mut found) = Self::at(&root) {
                found.instead_of = asked.map(str::to_string);
                return Ok(found);
            }
            tried.push(root.join("bin/cargo").display().to_string());
        }
        tried.push("PATH".to_string());
        Err(NoToolchain { tried })
    }

    /// The one in a directory, where there is one.
    pub(super) fn at(root: &Path) -> Option<Self> {
        let root = fs::canonicalize(root).ok()?;
        let has = |name: &str| root.join("bin").join(name).is_file();
        if !has("cargo") || !has("rustc") {
            return None;
        }
        let mut drivers: Vec<String> = fs::read_dir(root.join("lib"))
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with("librustc_driver-"))
            .collect();
        drivers.sort();
        Some(Self {
            root,
            identity: drivers.first()?.clone(),
            instead_of: None,
        })
    }

    /// Whether it has the standard library for a target.
    pub(super) fn has(&self, target: &str) -> bool {
        let libraries = self.root.join("lib/rustlib").join(target);
        libraries.join("lib").is_dir()
    }

    /// The C library to link with on a processor; `None` when the standard library is installed for
    /// neither.
    pub(super) fn library_for(&self, architecture: Architecture) -> Option<Library> {
        [Library::Musl, Library::Gnu]
            .into_iter()
            .find(|library| self.has(&library.target(architecture)))
    }

    /// The release it is, as rustup knows it: `1.85.0`, `nightly-2026-01-31`.
    pub(super) fn release(&self) -> Option<String> {
        let manifest = self.manifest()?;
        let version = manifest
            .field("[pkg.rustc]", "version")?
            .split(' ')
            .next()?
            .to_string();
        let date = manifest.field("", "date");
        Some(match version.split_once('-') {
            Some((_, channel)) => {
                let channel = channel.split('.').next().unwrap_or(channel);
                format!("{channel}-{}", date?)
            }
            None => version,
        })
    }

    /// The hash of the archive that its compiler came in.
    pub(super) fn compiler_hash(&self, host: &str) -> Option<String> {
        let heading = format!("[pkg.rustc.target.{host}]");
        Some(self.manifest()?.field(&heading, "xz_hash")?.to_string())
    }

    fn manifest(&self) -> Option<Manifest> {
        let path = self
            .root
            .join("lib/rustlib/multirust-channel-manifest.toml");
        Some(Manifest(fs::read_to_string(path).ok()?))
    }
}

/// What rustup notes of a release. It is a megabyte of text, of which a few lines count.
struct Manifest(String);

impl Manifest {
    /// A text below a heading; an empty heading stands for what is above all of them.
    fn field(&self, heading: &str, name: &str) -> Option<&str> {
        let mut lines = self.0.lines();
        if !heading.is_empty() {
            lines.find(|line| *line == heading)?;
        }
        lines
            .take_while(|line| !line.starts_with('['))
            .find_map(|line| {
                let value = line.strip_prefix(name)?.trim_start().strip_prefix('=')?;
                value.trim().strip_prefix('"')?.strip_suffix('"')
            })
    }
}

/// Roots of the programs called `cargo` that `PATH` leads to. rustup's own stands for all of its
/// toolchains and is none.
fn on_path(settings: &ClientSettings) -> Vec<PathBuf> {
    let path = settings.variable("PATH").unwrap_or_default();
    let mut roots: Vec<PathBuf> = path
        .split(':')
        .filter(|directory| directory.starts_with('/'))
        .filter_map(|directory| fs::canonicalize(Path::new(directory).join("cargo")).ok())
        .filter(|program| program.file_name().is_some_and(|name| name == "cargo"))
        .filter_map(|program| Some(program.parent()?.parent()?.to_path_buf()))
        .collect();
    roots.push(settings.system_path("usr/local"));
    roots.dedup();
    roots
}

fn default_of(settings: &Path) -> Option<String> {
    let text = fs::read_to_string(settings).ok()?;
    let table: toml::Table = text.parse().ok()?;
    Some(table.get("default_toolchain")?.as_str()?.to_string())
}

/// The toolchain that a project asks for: `rust-toolchain.toml`, or the older `rust-toolchain`.
pub(super) fn asked_in(directory: &Path) -> Option<String> {
    for name in ["rust-toolchain.toml", "rust-toolchain"] {
        let Ok(text) = fs::read_to_string(directory.join(name)) else {
            continue;
        };
        let table: Option<toml::Table> = text.parse().ok();
        let channel = table.as_ref().and_then(|table| {
            let channel = table.get("toolchain")?.get("channel")?.as_str()?;
            Some(channel.to_string())
        });
        let plain = text.trim();
        let is_plain = !plain.is_empty() && !plain.contains([' ', '\n', '=', '[', '/']);
        return channel.or_else(|| is_plain.then(|| plain.to_string()));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, ClientSettings) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let settings = ClientSettings {
            home: Some(root.path().join("home")),
            system: root.path().to_path_buf(),
            ..ClientSettings::default()
        };
        (root, settings)
    }

    const INSTALLED: [(&str, &str); 7] = [
        (
            "home/.rustup/settings.toml",
            "default_toolchain = \"stable-x86_64-unknown-linux-gnu\"\n",
        ),
        (
            "home/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/bin/cargo",
            "",
        ),
        (
            "home/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/bin/rustc",
            "",
        ),
        (
            "home/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/lib/librustc_driver-1.so",
            "",
        ),
        (
            "home/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/lib/rustlib/multirust-channel-manifest.toml",
            "date = \"2026-04-16\"\n[pkg.cargo]\nversion = \"1\"\n[pkg.rustc]\nversion = \"1.95.0 (59807616e 2026-04-14)\"\n\n[pkg.rustc.target.x86_64-unknown-linux-gnu]\nhash = \"no\"\nxz_hash = \"abc\"\n",
        ),
        (
            "home/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/lib/rustlib/x86_64-unknown-linux-gnu/lib/std",
            "",
        ),
        (
            "home/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/lib/rustlib/aarch64-unknown-linux-musl/lib/std",
            "",
        ),
    ];

    #[test]
    fn the_default_serves_and_what_was_asked_for_is_remembered() {
        let (_root, settings) = machine(&INSTALLED);
        let locate = |asked| Toolchain::locate(&settings, asked, Architecture::Amd64).unwrap();
        let found = locate(None);
        assert_eq!(found.identity, "librustc_driver-1.so");
        assert_eq!(found.instead_of, None);
        assert_eq!(locate(Some("stable")).instead_of, None);
        assert_eq!(locate(Some("1.70")).instead_of, Some("1.70".to_string()));
        assert_eq!(found.library_for(Architecture::Amd64), Some(Library::Gnu));
        assert_eq!(found.library_for(Architecture::Arm64), Some(Library::Musl));
        assert_eq!(found.release().as_deref(), Some("1.95.0"));
        let host = Library::Gnu.target(Architecture::Amd64);
        assert_eq!(found.compiler_hash(&host).as_deref(), Some("abc"));
        let nightly = Manifest(
            "date = \"2026-01-31\"\n[pkg.rustc]\nversion = \"1.97.0-nightly (a 2026-01-30)\"\n"
                .into(),
        );
        assert_eq!(nightly.field("", "date"), Some("2026-01-31"));
        assert_eq!(nightly.field("", "version"), None);
    }

    #[test]
    fn without_one_every_place_is_told() {
        let (_root, mut settings) = machine(&[("usr/bin/cargo", ""), ("usr/bin/rustc", "")]);
        let bin = settings.system_path("usr/bin").display().to_string();
        settings.variables = BTreeMap::from([("PATH".into(), format!("/nowhere:{bin}"))]);
        let error = Toolchain::locate(&settings, Some("1.70"), Architecture::Amd64).unwrap_err();
        let told = error.to_string();
        assert!(told.contains("rustup's `1.70`"), "{told}");
        assert!(told.contains("usr/bin/cargo"), "{told}");
    }

    #[test]
    fn a_project_asks_for_a_toolchain_in_two_ways() {
        let (root, _) = machine(&[
            (
                "a/rust-toolchain.toml",
                "[toolchain]\nchannel = \"1.80.0\"\n",
            ),
            ("b/rust-toolchain", "nightly-2024-01-01\n"),
            ("c/rust-toolchain", "# nothing\n"),
        ]);
        let asked = |name: &str| asked_in(&root.path().join(name));
        assert_eq!(asked("a").as_deref(), Some("1.80.0"));
        assert_eq!(asked("b").as_deref(), Some("nightly-2024-01-01"));
        assert_eq!(asked("c"), None);
        assert_eq!(asked("d"), None);
    }
}
