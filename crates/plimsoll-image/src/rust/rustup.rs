//! Toolchains by their names: rustup fetches them from where the user has it fetch, and verifies
//! them against its manifest; what is pinned here must be what the manifest says.
//!
//! rustup is the user's own, or that of Debian. It runs in the sandbox and keeps toolchains beside
//! the other downloads; the user's own installation is never written.

use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::{FlockOperation, flock};

use super::RustError;
use super::toolchain::{Library, Toolchain};
use crate::base;
use crate::clients::ClientSettings;
use crate::compiled::{self, SUITE};
use crate::debian::BaseRequest;
use crate::inventory::purl;
use crate::oci::Architecture;
use crate::provenance::Material;
use crate::python::BUILD_USER;
use crate::step::fetching;
use crate::workshop::Workshop;
use crate::{Access, BindMount, Step, StepNetwork};

/// Where rustup keeps toolchains, in the sandbox.
const HOME: &str = "/plimsoll/rustup";
/// Where the user's rustup is in the sandbox.
const OWN: &str = "/plimsoll/bin/rustup";

/// A release, with the hashes of its compiler's archive for each processor as the manifest has them.
struct Pin {
    version: &'static str,
    amd64: &'static str,
    arm64: &'static str,
}

/// Pinned releases; the first is what projects are built with that ask for none.
const PINS: [Pin; 2] = [
    Pin {
        version: "1.95.0",
        amd64: "8426a3d170a5879f5682f5fbdd024a1779b3951e7baba685af2d6dc32a6dfc15",
        arm64: "0fe3689eeaed603e5ef24572d11597d3edadaefd2cb181674ad621260f2501d2",
    },
    Pin {
        version: "1.85.0",
        amd64: "7436f13797475082cd87aa65547449e01659d6a810b4cd5f8aedc48bb9f89dfb",
        arm64: "e742b768f67303010b002b515f6613c639e69ffcc78cd0857d6fe7989e9880f6",
    },
];

/// The release that projects are built with which ask for none.
pub(super) fn preferred() -> &'static str {
    PINS[0].version
}

/// The toolchain of this name, with the standard library for `target`; fetched where it is not kept.
pub(super) fn obtain(
    workshop: &Workshop<'_>,
    name: &str,
    library: Library,
) -> Result<Toolchain, RustError> {
    let home = workshop.cache.join("rust/rustup");
    let host = Library::Gnu.target(workshop.host);
    let target = library.target(workshop.architecture);
    let full = match name.ends_with(&host) {
        true => name.to_string(),
        false => format!("{name}-{host}"),
    };
    let place = home.join("toolchains").join(&full);
    workshop.locks.alone("rustup", || {
        // Another process may be fetching the same one: the directory is the lock between them.
        fs::create_dir_all(&home)?;
        let held = fs::File::open(&home)?;
        rustix::io::retry_on_intr(|| flock(&held, FlockOperation::LockExclusive))
            .map_err(std::io::Error::from)?;
        let kept = Toolchain::at(&place).filter(|kept| kept.has(&target));
        let found = match kept {
            Some(kept) => kept,
            None => {
                fetch(workshop, &home, &full, &target)?;
                Toolchain::at(&place)
                    .filter(|found| found.has(&target))
                    .ok_or_else(|| RustError::Rustup {
                        name: name.to_string(),
                        output: vec![format!("it left nothing for `{target}`")],
                    })?
            }
        };
        let version = found.release().unwrap_or_else(|| name.to_string());
        let hash = found.compiler_hash(&host);
        verify(&version, hash.as_deref(), workshop.host)?;
        if let Some(hash) = hash {
            let url = purl("generic", None, "rustc", &version, &[]);
            workshop.note([Material::new(url, "sha256", hash)].into());
        }
        Ok(found)
    })
}

fn verify(version: &str, hash: Option<&str>, host: Architecture) -> Result<(), RustError> {
    let Some(pin) = PINS.iter().find(|pin| pin.version == version) else {
        return Ok(());
    };
    let expected = match host {
        Architecture::Amd64 => pin.amd64,
        Architecture::Arm64 => pin.arm64,
    };
    match hash {
        Some(found) if found == expected => Ok(()),
        found => Err(RustError::NotPinned {
            version: version.to_string(),
            expected,
            found: found.unwrap_or("unknown").to_string(),
        }),
    }
}

/// The user's rustup, as far as it runs anywhere: what a distribution packages needs its libraries.
fn own(settings: &ClientSettings) -> Option<PathBuf> {
    let home = super::configuration::user_directory(settings)?;
    fs::canonicalize(home.join("bin/rustup"))
        .ok()
        .filter(|path| path.is_file())
}

fn fetch(workshop: &Workshop<'_>, home: &Path, name: &str, target: &str) -> Result<(), RustError> {
    workshop.tell(format!("fetching Rust {name}"));
    std::os::unix::fs::chown(home, Some(BUILD_USER.0), Some(BUILD_USER.1))?;
    let settings = workshop.registries.settings();
    let own = own(settings);
    let mut request = BaseRequest::new(SUITE, workshop.host);
    let package = own.is_none().then_some("rustup");
    request.runtime = [Some("zlib1g"), package]
        .into_iter()
        .flatten()
        .map(str::to_string)
        .collect();
    let base = base::assemble(workshop, &request)?;
    let mut mounts = vec![BindMount {
        source: home.to_path_buf(),
        target: PathBuf::from(HOME),
        access: Access::ReadWrite,
    }];
    let program = match own {
        Some(source) => {
            mounts.push(BindMount {
                source,
                target: PathBuf::from(OWN),
                access: Access::ReadOnly,
            });
            OWN
        }
        None => "/usr/bin/rustup",
    };
    let mut environment: Vec<(String, String)> = [
        ("PATH", "/usr/bin:/bin"),
        ("HOME", HOME),
        ("RUSTUP_HOME", HOME),
        ("CARGO_HOME", "/plimsoll/rustup/cargo"),
        ("RUSTUP_TERM_COLOR", "never"),
        ("LC_ALL", "C.UTF-8"),
    ]
    .map(|(name, value)| (name.to_string(), value.to_string()))
    .to_vec();
    for name in ["RUSTUP_DIST_SERVER", "RUSTUP_UPDATE_ROOT"] {
        if let Some(value) = settings.variable(name) {
            environment.push((name.to_string(), value.to_string()));
        }
    }
    fetching::prepare(settings, &mut mounts, &mut environment);
    let command = [
        program,
        "toolchain",
        "install",
        name,
        "--profile",
        "minimal",
        "--no-self-update",
        "--target",
        target,
    ];
    let step = Step {
        name: format!("{}: rustup", workshop.subject),
        root: workshop.trees(base.layers())?,
        mounts,
        command: command.map(str::to_string).to_vec(),
        environment,
        network: StepNetwork::Host,
        ..compiled::step()
    };
    let outcome = workshop.sandbox.run(&step)?;
    if outcome.exit_code != 0 {
        return Err(RustError::Rustup {
            name: name.to_string(),
            output: compiled::last_lines(&[], &outcome.stderr),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_release_must_be_what_it_was() {
        let host = Architecture::Amd64;
        assert!(verify(preferred(), Some(PINS[0].amd64), host).is_ok());
        assert!(verify("1.70.0", Some("any"), host).is_ok());
        let error = verify(preferred(), Some("other"), host).unwrap_err();
        assert!(error.to_string().contains("other"), "{error}");
        assert!(verify(preferred(), None, host).is_err());
        for pin in PINS {
            for hash in [pin.amd64, pin.arm64] {
                assert!(crate::Digest::from_hex(hash).is_ok(), "{}", pin.version);
            }
        }
    }
}
