//! Installed packages as layers: one segment for each package, kept by its content, so that a
//! package is packed and compressed once for all services that have it at the same place.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde_json::Value;

use super::NodeError;
use super::installed::Closure;
use crate::digest::Hasher;
use crate::layer::{Attributes, Content, FileSet, Node};
use crate::store::{ImageLayer, Segment};
use crate::variant::{Variant, slim};
use crate::workshop::Workshop;

/// Changes whenever a package's segment comes out otherwise.
pub(super) const RULES: &str = "node package 1";

/// A package of at least this size gets a layer of its own.
const HEAVY: u64 = 50 << 20;

/// How many such layers there may be.
const MOST_HEAVY: usize = 2;

/// Packs packages.
pub(super) struct Pack<'p> {
    pub workshop: &'p Workshop<'p>,
    /// The tree that stands for the context's root.
    pub site: &'p Path,
    /// Where that root is in the image, without a leading slash.
    pub place: &'p str,
    /// Packages that were packed before they were laid out.
    pub packed: &'p BTreeMap<String, Segment>,
}

/// A layer of segments.
pub(super) fn layer(
    workshop: &Workshop<'_>,
    segments: &[Segment],
    created_by: &str,
) -> Result<ImageLayer, NodeError> {
    Ok(ImageLayer {
        layer: workshop.store.commit_layer(segments)?,
        created_by: created_by.to_string(),
    })
}

impl Pack<'_> {
    /// Large packages alone, then the others and the links between them.
    pub(super) fn layers(&self, closure: &Closure) -> Result<Vec<ImageLayer>, NodeError> {
        let mut heavy = Vec::new();
        let mut light = Vec::new();
        for (directory, package) in &closure.packages {
            let segment = self.segment(directory)?;
            match segment.size >= HEAVY && heavy.len() < MOST_HEAVY {
                true => heavy.push((segment, package.label())),
                false => light.push(segment),
            }
        }
        if !closure.links.is_empty() {
            light.push(self.links(closure)?);
        }
        let mut layers = Vec::new();
        for (segment, label) in heavy {
            layers.push(layer(self.workshop, &[segment], &label)?);
        }
        if !light.is_empty() {
            let words = match closure.packages.len() - layers.len() {
                1 => "1 package".to_string(),
                count => format!("{count} packages"),
            };
            layers.push(layer(self.workshop, &light, &words)?);
        }
        Ok(layers)
    }

    fn segment(&self, directory: &str) -> Result<Segment, NodeError> {
        if let Some(packed) = self.packed.get(directory) {
            return Ok(*packed);
        }
        let root = self.site.join(directory);
        let mut set = FileSet::new();
        let mut hasher = Hasher::default();
        let at = format!("{}/{directory}", self.place);
        set.directory(&at, Attributes::DIRECTORY)?;
        let is_slim = self.workshop.variant == Variant::Slim;
        for (path, source) in own_files(&root)? {
            let metadata = fs::symlink_metadata(&source)?;
            let place = format!("{at}/{path}");
            if is_slim && slim::is_node_extra(&path) {
                continue;
            }
            if metadata.is_symlink() {
                let target = fs::read_link(&source)?.to_string_lossy().into_owned();
                hasher.update(format!("{path}\0link {target}\0").as_bytes());
                set.symlink(&place, &target)?;
                continue;
            }
            let attributes = match metadata.permissions().mode() & 0o100 {
                0 => Attributes::FILE,
                _ => Attributes::PROGRAM,
            };
            hasher.update(format!("{path}\0{:o} {}\0", attributes.mode, metadata.len()).as_bytes());
            let mut file = fs::File::open(&source)?;
            let mut buffer = [0; 1 << 16];
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    read => hasher.update(&buffer[..read]),
                }
            }
            set.insert(&place, Node::File(attributes, Content::File(source)))?;
        }
        let key = format!("{RULES} at {at} {}", hasher.finish());
        match self.workshop.store.segment(&key) {
            Some(known) => Ok(known),
            None => Ok(self.workshop.store.put_segment(&key, &set)?),
        }
    }

    fn links(&self, closure: &Closure) -> Result<Segment, NodeError> {
        let mut set = FileSet::new();
        let mut hasher = Hasher::default();
        for (path, target) in &closure.links {
            hasher.update(format!("{path}\0{target}\0").as_bytes());
            set.symlink(&format!("{}/{path}", self.place), target)?;
        }
        let key = format!("{RULES} links at {} {}", self.place, hasher.finish());
        Ok(self.workshop.store.put_segment(&key, &set)?)
    }
}

/// The files of a package, those of packages inside of it left out; sorted by path.
fn own_files(root: &Path) -> std::io::Result<Vec<(String, PathBuf)>> {
    let mut all = files_below(root)?;
    all.retain(|(path, _)| !path.starts_with("node_modules/"));
    Ok(all)
}

/// Files and links below a directory, sorted by path.
pub(crate) fn files_below(root: &Path) -> std::io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), root.to_path_buf())];
    while let Some((prefix, directory)) = open.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let relative = format!("{prefix}{name}");
            let metadata = fs::symlink_metadata(&path)?;
            if metadata.is_dir() {
                open.push((format!("{relative}/"), path));
            } else if metadata.is_file() || metadata.is_symlink() {
                found.push((relative, path));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The installed package's directory that a file lies in; `None` for a file of the project.
pub(super) fn package_of(path: &str) -> Option<&str> {
    let start = path.rfind("node_modules/")? + "node_modules/".len();
    let parts = if path[start..].starts_with('@') { 2 } else { 1 };
    let length: usize = path[start..]
        .split_inclusive('/')
        .take(parts)
        .map(str::len)
        .sum();
    Some(path[..start + length].trim_end_matches('/'))
}

/// Whether a package that a build changed is a production package, or was generated beside one, as
/// `.prisma` is.
pub(super) fn belongs(package: &str, packages: &BTreeSet<String>) -> bool {
    if packages.contains(package) {
        return true;
    }
    let Some((directory, name)) = package.rsplit_once("node_modules/") else {
        return false;
    };
    let start = format!("{directory}node_modules/");
    name.starts_with('.')
        && !matches!(
            name,
            ".bin" | ".cache" | ".package-lock.json" | ".pnpm" | ".modules.yaml"
        )
        && packages.iter().any(|known| {
            known
                .strip_prefix(&start)
                .is_some_and(|rest| !rest.starts_with('.'))
        })
}

/// Whether a package needs its install script to work, as far as its files tell: it has one, and
/// neither holds a built program nor depends on packages that do.
pub(super) fn lacks_build(directory: &Path, manifest: &Value) -> bool {
    let script = |name: &str| manifest.pointer(&format!("/scripts/{name}")).is_some();
    let native = directory.join("binding.gyp").is_file();
    if !native && !script("install") && !script("postinstall") && !script("preinstall") {
        return false;
    }
    let prebuilt = directory.join("prebuilds").is_dir() || directory.join("build/Release").is_dir();
    let elsewhere = manifest
        .get("optionalDependencies")
        .and_then(Value::as_object)
        .is_some_and(|table| table.keys().any(|name| name.contains("linux")));
    // A script that only prints or patches is no build.
    let fetches = native || script("install");
    fetches && !prebuilt && !elsewhere
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_told_apart_by_the_package_it_lies_in() {
        assert_eq!(package_of("apps/api/dist/main.js"), None);
        assert_eq!(
            package_of("node_modules/@prisma/client/index.js"),
            Some("node_modules/@prisma/client")
        );
        assert_eq!(
            package_of("node_modules/.prisma/client/index.js"),
            Some("node_modules/.prisma")
        );
        assert_eq!(
            package_of("node_modules/a/node_modules/b/x.js"),
            Some("node_modules/a/node_modules/b")
        );
    }

    #[test]
    fn what_is_generated_beside_a_production_package_belongs_to_it() {
        let packages = BTreeSet::from([
            "node_modules/@prisma/client".to_string(),
            "node_modules/.pnpm/x@1/node_modules/x".to_string(),
        ]);
        assert!(belongs("node_modules/@prisma/client", &packages));
        assert!(belongs("node_modules/.prisma", &packages));
        assert!(belongs("node_modules/.pnpm/x@1/node_modules/.x", &packages));
        assert!(!belongs("node_modules/typescript", &packages));
        assert!(!belongs("node_modules/.cache", &packages));
        assert!(!belongs("web/node_modules/.prisma", &packages));
    }

    #[test]
    fn a_native_package_without_a_built_program_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let install = json(r#"{"scripts":{"install":"node-gyp rebuild"}}"#);
        assert!(lacks_build(directory.path(), &install));
        assert!(!lacks_build(directory.path(), &json("{}")));
        let message = json(r#"{"scripts":{"postinstall":"echo thanks"}}"#);
        assert!(!lacks_build(directory.path(), &message));
        let elsewhere = json(
            r#"{"scripts":{"install":"node x"},"optionalDependencies":{"@img/sharp-linux-x64":"1"}}"#,
        );
        assert!(!lacks_build(directory.path(), &elsewhere));
        fs::create_dir_all(directory.path().join("prebuilds/linux-x64")).unwrap();
        assert!(!lacks_build(directory.path(), &install));
    }
}
