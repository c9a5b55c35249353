//! Images as files: what `docker load` reads, read for comparison.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tar::EntryType;

/// What a path of an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// SHA-256 of a file, the target of a link, or that it is a directory.
    content: Content,
    mode: u32,
    owner: (u64, u64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Directory,
    File(String),
    Link(PathBuf),
}

/// One image of an archive.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// Its files, by path without a slash in front.
    pub(crate) entries: BTreeMap<String, Entry>,
    /// Its configuration, as written.
    pub(crate) config: Value,
    /// Its environment.
    pub(crate) variables: BTreeMap<String, String>,
}

impl Image {
    /// The images of an archive, by reference.
    pub(crate) fn all(path: &Path) -> BTreeMap<String, Image> {
        let mut parts: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut archive = tar::Archive::new(std::fs::File::open(path).unwrap());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            parts.insert(name, bytes);
        }
        let manifest: Value = serde_json::from_slice(&parts["manifest.json"]).unwrap();
        let images = manifest.as_array().unwrap().iter().map(|image| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let config: Value = serde_json::from_slice(&parts[&text(&image["Config"])]).unwrap();
            let mut entries = BTreeMap::new();
            for layer in image["Layers"].as_array().unwrap() {
                apply(&parts[&text(layer)], &mut entries);
            }
            let config = config["config"].clone();
            let variables = config["Env"].as_array().into_iter().flatten();
            let variables = variables
                .filter_map(|pair| pair.as_str()?.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let image_of = Image {
                entries,
                config,
                variables,
            };
            (text(&image["RepoTags"][0]), image_of)
        });
        images.collect()
    }

    /// The words that it starts with.
    pub(crate) fn words(&self) -> Vec<String> {
        ["Entrypoint", "Cmd"]
            .iter()
            .flat_map(|key| self.config[key].as_array().into_iter().flatten())
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect()
    }
}

/// Puts a layer on what is there.
fn apply(layer: &[u8], entries: &mut BTreeMap<String, Entry>) {
    let mut archive = tar::Archive::new(layer);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let path = path
            .trim_start_matches("./")
            .trim_end_matches('/')
            .to_owned();
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if let Some(gone) = name.strip_prefix(".wh.") {
            let gone = format!("{directory}/{gone}");
            let gone = gone.trim_start_matches('/').to_owned();
            let below = format!("{gone}/");
            entries.retain(|path, _| *path != gone && !path.starts_with(&below));
            continue;
        }
        let header = entry.header().clone();
        let target = || entry.link_name().unwrap().unwrap().into_owned();
        let content = match header.entry_type() {
            EntryType::Directory => Content::Directory,
            EntryType::Symlink => Content::Link(target()),
            EntryType::Link => {
                let target = target().display().to_string();
                let known = entries[target.trim_start_matches("./")].clone();
                entries.insert(path, known);
                continue;
            }
            _ => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                let digest = Sha256::digest(&bytes);
                Content::File(digest.iter().map(|byte| format!("{byte:02x}")).collect())
            }
        };
        let mode = header.mode().unwrap() & 0o7777;
        let owner = (header.uid().unwrap(), header.gid().unwrap());
        entries.insert(
            path,
            Entry {
                content,
                mode,
                owner,
            },
        );
    }
}
