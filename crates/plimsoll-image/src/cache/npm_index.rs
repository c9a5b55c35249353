//! npm's own index of its cache. npm fails on an entry whose content is gone, so that an entry has to
//! go with, and before, its content.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fs_err as fs;
use memchr::memmem;

use super::survey::children;

/// Which files of the index speak of a content, by its path below `content-v2`.
pub(super) type Buckets = HashMap<PathBuf, Vec<PathBuf>>;

/// Where an entry names its content.
const FIELD: &[u8] = b"\"integrity\":\"";

/// Reads the index below npm's cache. What cannot be understood speaks of nothing.
pub(super) fn buckets(index: &Path) -> io::Result<Buckets> {
    let mut buckets = Buckets::new();
    let mut open = vec![index.to_owned()];
    while let Some(directory) = open.pop() {
        for (name, metadata) in children(&directory)? {
            let path = directory.join(name);
            if metadata.is_dir() {
                open.push(path);
                continue;
            }
            let text = match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                text => text?,
            };
            for place in memmem::find_iter(&text, FIELD) {
                let value = &text[place + FIELD.len()..];
                let end = memchr::memchr(b'"', value).unwrap_or(value.len());
                // Several hashes of one content are apart by spaces.
                for hash in value[..end].split(|byte| *byte == b' ') {
                    if let Some(content) = content(hash) {
                        buckets.entry(content).or_default().push(path.clone());
                    }
                }
            }
        }
    }
    Ok(buckets)
}

/// Where content with this hash (`sha512-BASE64`) is, below `content-v2`.
fn content(hash: &[u8]) -> Option<PathBuf> {
    let (algorithm, hash) = std::str::from_utf8(hash).ok()?.split_once('-')?;
    let hash = STANDARD.decode(hash.split('?').next()?).ok()?;
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, rest) = hex.split_at_checked(2)?;
    let (second, rest) = rest.split_at_checked(2)?;
    Some(PathBuf::from(format!(
        "{algorithm}/{first}/{second}/{rest}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_name_their_content() {
        let root = tempfile::tempdir().unwrap();
        let bucket = root.path().join("ab/cd/ef");
        fs::create_dir_all(bucket.parent().unwrap()).unwrap();
        let lines = concat!(
            "\nhash\t{\"key\":\"a\",\"integrity\":\"sha1-AAECAw==\",\"time\":1}",
            "\nhash\t{\"key\":\"b\",\"integrity\":\"sha1-BAUGBw== sha512-CAkKCw==?x\"}",
            "\nhash\t{\"key\":\"c\",\"integrity\":null}\n\"integrity\":\"sha1-!\"\"integrity\":\"",
        );
        fs::write(&bucket, lines).unwrap();
        let buckets = buckets(root.path()).unwrap();
        let mut contents: Vec<_> = buckets.keys().map(|path| path.to_str().unwrap()).collect();
        contents.sort_unstable();
        assert_eq!(
            contents,
            ["sha1/00/01/0203", "sha1/04/05/0607", "sha512/08/09/0a0b"]
        );
        assert!(buckets.values().all(|of| *of == [bucket.clone()]));
    }
}
