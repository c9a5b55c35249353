//! A C compiler for both processors: Zig's, which brings its own headers and C libraries.

use std::path::PathBuf;

use crate::oci::Architecture;
use crate::python::BUILD_USER;
use crate::toolchain::{ToolchainError, Toolchains};
use crate::workshop::Workshop;
use crate::{Access, BindMount};

/// Where it is in the sandbox.
const PLACE: &str = "/plimsoll/zig";
/// What it has compiled before, in the sandbox.
const CACHE: &str = "/plimsoll/zig-cache";
/// Its package, and the name it is pinned by.
const PACKAGE: &str = "ziglang";

/// The C library that programs are linked with: not newer than that of any base.
const GLIBC: &str = "2.36";

/// Zig on this machine.
#[derive(Debug)]
pub(crate) struct Zig {
    program: PathBuf,
    cache: PathBuf,
}

/// What code is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The C library of the bases.
    Gnu(Architecture),
    /// One of its own.
    Musl(Architecture),
    /// None.
    Bare(Architecture),
}

impl Target {
    /// As Zig writes it.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Gnu(architecture) => format!("{}-linux-gnu.{GLIBC}", machine(architecture)),
            Self::Musl(architecture) => format!("{}-linux-musl", machine(architecture)),
            Self::Bare(architecture) => format!("{}-linux-none", machine(architecture)),
        }
    }
}

/// A processor's name in targets of compilers.
fn machine(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "x86_64",
        Architecture::Arm64 => "aarch64",
    }
}

impl Zig {
    /// The pinned Zig, fetched when it is first needed.
    pub(crate) fn obtain<E>(workshop: &Workshop<'_>) -> Result<Self, E>
    where
        E: From<ToolchainError> + From<std::io::Error>,
    {
        let found = workshop.toolchains.program(PACKAGE, None, workshop.host)?;
        let cache = workshop.cache.join("zig");
        fs_err::create_dir_all(&cache)?;
        std::os::unix::fs::chown(&cache, Some(BUILD_USER.0), Some(BUILD_USER.1))?;
        Ok(Self {
            program: found.path,
            cache,
        })
    }

    /// What tells it from another version, for keys.
    pub(crate) fn version() -> &'static str {
        Toolchains::version_of(PACKAGE)
    }

    /// The words that call a part of it for a target: `zig cc -target …`.
    pub(crate) fn command(part: &str, target: Target) -> Vec<String> {
        vec![
            format!("{PLACE}/zig"),
            part.to_string(),
            "-target".to_string(),
            target.name(),
        ]
    }

    /// Its program in the sandbox.
    pub(crate) fn program() -> String {
        format!("{PLACE}/zig")
    }

    /// Shows it to a step.
    pub(crate) fn show(
        &self,
        mounts: &mut Vec<BindMount>,
        environment: &mut Vec<(String, String)>,
    ) {
        mounts.push(BindMount {
            source: self.program.clone(),
            target: PathBuf::from(PLACE),
            access: Access::ReadOnly,
        });
        mounts.push(BindMount {
            source: self.cache.clone(),
            target: PathBuf::from(CACHE),
            access: Access::ReadWrite,
        });
        for name in ["ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"] {
            environment.push((name.to_string(), CACHE.to_string()));
        }
    }
}
