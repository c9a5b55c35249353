//! What `ADD` does besides copying: archives are unpacked, addresses fetched.

use std::io::Read;
use std::path::{Path, PathBuf};

use fs_err as fs;
use plimsoll_diag::Spanned;

use super::DockerfileError;
use crate::layer::{Limits, Origin, unpack};
use crate::step::scratch::Scratch;
use crate::workshop::Workshop;
use crate::{Digest, Download, Headers};

/// Bytes that tell an archive from other files.
const HEAD: usize = 512;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Tar,
    Gzip,
    Xz,
    Zstd,
    Bzip2,
}

/// Whether a source is an address.
pub(super) fn is_address(source: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| source.starts_with(scheme))
}

/// Whether a source is a git repository.
pub(super) fn is_repository(source: &str) -> bool {
    let path = source.split(['#', '?']).next().unwrap_or(source);
    source.starts_with("git@")
        || source.starts_with("git://")
        || source.starts_with("ssh://")
        || is_address(source) && path.ends_with(".git")
}

/// How a file is packed, by its first bytes.
pub(super) fn packing(path: &Path) -> std::io::Result<Option<Packing>> {
    let mut head = Vec::new();
    fs::File::open(path)?
        .take(HEAD as u64)
        .read_to_end(&mut head)?;
    let starts = |bytes: &[u8]| head.starts_with(bytes);
    Ok(if starts(&[0x1f, 0x8b]) {
        Some(Packing::Gzip)
    } else if starts(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
        Some(Packing::Xz)
    } else if starts(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Some(Packing::Zstd)
    } else if starts(b"BZh") {
        Some(Packing::Bzip2)
    } else if head.get(257..262) == Some(b"ustar") {
        Some(Packing::Tar)
    } else {
        None
    })
}

/// Unpacks an archive below `directory`; whether it is one: what is packed may be a single file.
pub(super) fn extract(
    path: &Path,
    packing: Packing,
    directory: &Path,
) -> Result<bool, DockerfileError> {
    let file = || fs::File::open(path).map(std::io::BufReader::new);
    let open = || -> Result<Box<dyn Read>, DockerfileError> {
        Ok(match packing {
            Packing::Tar => Box::new(file()?),
            Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(file()?)),
            Packing::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(file()?)),
            Packing::Zstd => Box::new(
                ruzstd::decoding::StreamingDecoder::new(file()?)
                    .map_err(|error| DockerfileError::Io(std::io::Error::other(error)))?,
            ),
            Packing::Bzip2 => {
                return Err(DockerfileError::at(
                    None,
                    format!(
                        "`{}` is packed with bzip2, which `ADD` does not unpack here",
                        path.display()
                    ),
                )
                .hint("copy it, and unpack it in a `RUN`: `tar -xjf`"));
            }
        })
    };
    let mut head = Vec::new();
    let read = open()?.take(HEAD as u64).read_to_end(&mut head);
    if read.is_err() || head.get(257..262) != Some(b"ustar") {
        return Ok(false);
    }
    unpack(&mut open()?, directory, Origin::Foreign, Limits::LAYER)?;
    Ok(true)
}

/// Fetches an address; the file, and its digest.
pub(super) fn fetch(
    workshop: &Workshop<'_>,
    url: &str,
    checksum: Option<&Spanned<String>>,
    scratch: &Scratch,
) -> Result<(PathBuf, Digest), DockerfileError> {
    let expected = checksum
        .map(|checksum| {
            checksum
                .value
                .parse::<Digest>()
                .map_err(|error| DockerfileError::at(checksum.span.clone(), error.to_string()))
        })
        .transpose()?;
    let destination = scratch.path().join("fetched");
    let digest = workshop.debian.fetcher.download(
        workshop.subject,
        &Download {
            url: url.to_owned(),
            headers: Headers::none(),
            expected,
            size: None,
            destination: destination.clone(),
        },
    )?;
    Ok((destination, digest))
}

/// The name that an address gives its file.
pub(super) fn file_name(url: &str) -> Option<&str> {
    let path = url.split(['?', '#']).next()?;
    let (_, path) = path.split_once("://")?;
    let (_, path) = path.split_once('/')?;
    path.rsplit('/').next().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_repositories_and_names_are_told_apart() {
        assert!(is_repository("https://git.example/a/b.git#main"));
        assert!(is_repository("git@git.example:a/b"));
        assert!(!is_repository("https://files.example/a.tar.gz"));
        assert_eq!(file_name("https://a.example/x/y.txt?z=1"), Some("y.txt"));
        assert_eq!(file_name("https://a.example"), None);
        assert_eq!(file_name("https://a.example/x/"), None);
    }
}
