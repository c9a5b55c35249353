//! The debug variant's shell: links that make one static program the tools people expect.

use crate::Digest;
use crate::debian::{PackageLookup, Suite};
use crate::layer::{Attributes, FileSet};
use crate::store::ImageLayer;
use crate::workshop::Workshop;

use super::VariantError;

/// Debian's package, of a program that needs no library.
pub(super) const PACKAGE: &str = "busybox-static";

/// The program in the image.
const PROGRAM: &str = "/usr/bin/busybox";

/// Changes whenever the layer of the same links comes out otherwise.
const RULES: &str = "debug shell 1";

/// What it is called by.
const NAMES: &str = "ash awk basename cat chmod chown clear cp cut date dd df diff dirname dmesg du \
    echo env expr false find free ftpget fuser grep gunzip gzip head hexdump hostname id ifconfig \
    ip kill killall less ln ls lsof md5sum mkdir mktemp more mount mv nc netstat nslookup od ping \
    pgrep pidof pkill printenv printf ps pwd readlink realpath reset rm rmdir route sed seq sh \
    sha256sum sleep sort stat strings stty sync tail tar tee telnet test time timeout top touch tr \
    traceroute true tty uname uniq unzip uptime vi watch wc wget which whoami xargs xxd yes zcat";

/// Adds the links to an image, and the program where it is missing. What the image has stays what it is.
pub(crate) fn attach(
    workshop: &Workshop<'_>,
    layers: &mut Vec<ImageLayer>,
) -> Result<(), VariantError> {
    let trees = workshop.trees(layers)?;
    let has = |path: &str| {
        trees
            .iter()
            .any(|tree| fs_err::symlink_metadata(tree.join(path)).is_ok())
    };
    let missing: Vec<String> = NAMES
        .split_whitespace()
        .map(|name| format!("usr/bin/{name}"))
        .filter(|path| !has(path))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let program = PROGRAM.trim_start_matches('/');
    // Images that Debian packages are no part of get it as a file.
    let lacks_program = !has(program);
    let listed = Digest::of(missing.join("\n").as_bytes());
    let key = format!(
        "{RULES} {listed} {lacks_program} for {}",
        workshop.architecture
    );
    layers.extend(workshop.layers(&key, || {
        let mut files = FileSet::new();
        if lacks_program {
            let bytes = PackageLookup::new(
                workshop.debian.fetcher.clone(),
                workshop.debian.settings.clone(),
            )
            .file_of(
                Suite::Trixie,
                workshop.architecture,
                PACKAGE,
                &["bin/busybox"],
            )?
            .ok_or(VariantError::NoShell)?;
            files.file(program, Attributes::PROGRAM, bytes)?;
        }
        for path in &missing {
            files.symlink(path, PROGRAM)?;
        }
        let segment = workshop.store.put_segment(&key, &files)?;
        Ok::<_, VariantError>(vec![ImageLayer {
            layer: workshop.store.commit_layer(&[segment])?,
            created_by: "debug shell".to_string(),
        }])
    })?);
    Ok(())
}
