//! What tells two images apart, file by file: for a build that is to give the same twice.
//!
//! Nothing is judged here. Layers that both have are not read.

use std::collections::{BTreeMap, HashSet};
use std::io;

use serde::Serialize;
use thiserror::Error;

use crate::Digest;
use crate::layer::normalised;
use crate::store::{Image, Store, StoreError};

/// Something that is not the same in two images.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The file below the root; nothing for the image's configuration.
    pub path: Option<String>,
    /// What about it.
    pub what: Aspect,
}

/// What of a file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// Only the first image has it.
    Missing,
    /// Only the second image has it.
    Added,
    /// What it holds, or where it leads.
    Content,
    /// Its kind, permissions, owner or time.
    Attributes,
    /// Variables, command, labels or the order of layers.
    Configuration,
}

impl Aspect {
    /// In words, of the second image.
    pub fn words(self) -> &'static str {
        match self {
            Self::Missing => "is missing",
            Self::Added => "is new",
            Self::Content => "has another content",
            Self::Attributes => "has other permissions, owner or time",
            Self::Configuration => "differs",
        }
    }
}

/// Two images cannot be compared.
#[derive(Debug, Error)]
pub enum ComparisonError {
    /// A store could not give a layer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A layer could not be read.
    #[error("a layer cannot be read: {0}")]
    Layer(#[from] io::Error),
}

/// What is told of a file.
#[derive(PartialEq, Eq)]
struct Told {
    content: (Digest, Vec<u8>),
    attributes: (u8, u32, u64, u64, u64),
}

/// Everything that tells the second image from the first, in order; nothing where they are one.
///
/// # Errors
/// When a layer cannot be read.
pub fn compare(
    (one_store, one): (&Store, &Image),
    (other_store, other): (&Store, &Image),
) -> Result<Vec<Difference>, ComparisonError> {
    if one.manifest == other.manifest {
        return Ok(Vec::new());
    }
    let before = files(one_store, one, other)?;
    let after = files(other_store, other, one)?;
    let mut found = Vec::new();
    for (path, told) in &before {
        let what = match after.get(path) {
            None => Aspect::Missing,
            Some(other) if other.content != told.content => Aspect::Content,
            Some(other) if other.attributes != told.attributes => Aspect::Attributes,
            Some(_) => continue,
        };
        found.push((path, what));
    }
    let added = after.keys().filter(|path| !before.contains_key(*path));
    found.extend(added.map(|path| (path, Aspect::Added)));
    let mut differences: Vec<Difference> = found
        .into_iter()
        .map(|(path, what)| Difference {
            path: Some(path.clone()),
            what,
        })
        .collect();
    differences.sort();
    if differences.is_empty() {
        differences.push(Difference {
            path: None,
            what: Aspect::Configuration,
        });
    }
    Ok(differences)
}

/// The files of those layers that another image does not have. One that a higher layer replaces
/// counts as that has it.
fn files(
    store: &Store,
    image: &Image,
    other: &Image,
) -> Result<BTreeMap<String, Told>, ComparisonError> {
    let shared: HashSet<Digest> = other.layers.iter().map(|layer| layer.diff_id).collect();
    let mut files = BTreeMap::new();
    for layer in &image.layers {
        if shared.contains(&layer.diff_id) {
            continue;
        }
        let mut archive = tar::Archive::new(store.open_layer(layer)?);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = normalised(&entry.path_bytes()).map_err(io::Error::other)?;
            let link = entry.link_name_bytes().map(|name| name.into_owned());
            let header = entry.header();
            let attributes = (
                header.entry_type().as_byte(),
                header.mode()?,
                header.uid()?,
                header.gid()?,
                header.mtime()?,
            );
            let (digest, _) = Digest::of_reader(&mut entry)?;
            let content = (digest, link.unwrap_or_default());
            files.insert(
                path,
                Told {
                    content,
                    attributes,
                },
            );
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{Attributes, FileSet};
    use crate::oci::{Architecture, ImageConfig};
    use crate::store::{ImageLayer, NewImage};

    fn image(store: &Store, reference: &str, files: &FileSet) -> Image {
        let segment = store.put_segment(reference, files).unwrap();
        let layer = ImageLayer {
            layer: store.commit_layer(&[segment]).unwrap(),
            created_by: "files".to_string(),
        };
        store
            .put_image(&NewImage {
                reference,
                architecture: Architecture::Amd64,
                config: &ImageConfig::default(),
                layers: &[layer],
                annotations: BTreeMap::new(),
            })
            .unwrap()
    }

    #[test]
    fn each_file_that_differs_is_named_with_what_differs() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let mut one = FileSet::new();
        one.file("a", Attributes::FILE, "1").unwrap();
        one.file("b", Attributes::FILE, "1").unwrap();
        one.file("c", Attributes::FILE, "1").unwrap();
        let mut other = FileSet::new();
        other.file("a", Attributes::FILE, "2").unwrap();
        other.file("b", Attributes::PROGRAM, "1").unwrap();
        other.file("d", Attributes::FILE, "1").unwrap();
        let one = image(&store, "one:latest", &one);
        let other = image(&store, "other:latest", &other);
        assert_eq!(compare((&store, &one), (&store, &one)).unwrap(), []);
        let found = compare((&store, &one), (&store, &other)).unwrap();
        let told: Vec<String> = found
            .iter()
            .map(|one| format!("{} {}", one.path.as_deref().unwrap(), one.what.words()))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        a has another content
        b has other permissions, owner or time
        c is missing
        d is new
        ");
    }
}
