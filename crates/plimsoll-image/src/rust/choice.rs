//! Which Rust a program is built with, and which C library it is linked with.
//!
//! The project's own wish comes first (`rust-toolchain.toml`), then what is installed on this
//! machine, then a pinned release. A program brings its own C library along, unless one of its
//! crates needs that of the base: then nothing of the base can be missing or too old.

use std::path::Path;

use fs_err as fs;
use plimsoll_diag::{Diagnostic, ProgressEvent, Span};

use super::RustError;
use super::rustup;
use super::toolchain::{self, Library, Toolchain};
use crate::workshop::Workshop;

/// Crates that link prebuilt libraries made for the C library of distributions.
const NEED_GNU: &[&str] = &["ort-sys", "torch-sys", "onnxruntime-sys", "oracle", "v8"];

/// What was chosen.
pub(super) struct Choice {
    pub toolchain: Toolchain,
    pub library: Library,
}

/// Chooses for the workspace in a directory.
pub(super) fn choose(workshop: &Workshop<'_>, project: &Path) -> Result<Choice, RustError> {
    let asked = toolchain::asked_in(project);
    let settings = workshop.registries.settings();
    let installed = Toolchain::locate(settings, asked.as_deref(), workshop.host);
    let lock = fs::read_to_string(project.join("Cargo.lock")).unwrap_or_default();
    let library = preferred(&lock);
    let target = library.target(workshop.architecture);
    if let Ok(toolchain) = &installed
        && toolchain.instead_of.is_none()
        && toolchain.has(&target)
    {
        return Ok(Choice {
            toolchain: toolchain.clone(),
            library,
        });
    }
    let name = asked.clone().or_else(|| {
        let installed = installed.as_ref().ok()?;
        installed.release()
    });
    let name = name.unwrap_or_else(|| rustup::preferred().to_string());
    match (rustup::obtain(workshop, &name, library), installed) {
        (Ok(toolchain), _) => Ok(Choice { toolchain, library }),
        (Err(error @ RustError::NotPinned { .. }), _) => Err(error),
        (Err(error), Ok(toolchain)) => {
            let library =
                toolchain
                    .library_for(workshop.architecture)
                    .ok_or(RustError::NoTarget {
                        architecture: workshop.architecture,
                        target,
                    })?;
            if let Some(asked) = &asked
                && toolchain.instead_of.is_some()
            {
                told(workshop, &toolchain, asked);
            }
            tracing::debug!(%error, "what is installed serves instead");
            Ok(Choice { toolchain, library })
        }
        // What cannot be fetched is told where nothing was asked for; else that it is not there.
        (Err(RustError::Rustup { name, output }), Err(_)) => {
            Err(RustError::Rustup { name, output })
        }
        (Err(_), Err(error)) => Err(error.into()),
    }
}

/// The C library that the crates of a lock file ask for.
fn preferred(lock: &str) -> Library {
    let has = |name: &str| {
        lock.lines()
            .any(|line| line == format!("name = \"{name}\""))
    };
    match NEED_GNU.iter().any(|name| has(name)) {
        true => Library::Gnu,
        false => Library::Musl,
    }
}

fn told(workshop: &Workshop<'_>, toolchain: &Toolchain, asked: &str) {
    let used = toolchain.root.file_name().unwrap_or_default();
    let notice = Diagnostic::warning(format!(
        "the project asks for Rust `{asked}`, which is neither installed nor can be fetched; built with `{}`",
        used.to_string_lossy()
    ))
    .at(Span::line(
        std::sync::Arc::from(Path::new("rust-toolchain.toml")),
        1,
    ))
    .hint(format!("`rustup toolchain install {asked}`"));
    workshop.progress.report(ProgressEvent::Notice(notice));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_brings_its_c_library_along_unless_a_crate_cannot() {
        let lock = |name: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n");
        assert_eq!(preferred(&lock("ring")), Library::Musl);
        assert_eq!(preferred(&lock("ort-sys")), Library::Gnu);
        assert_eq!(preferred(""), Library::Musl);
    }
}
