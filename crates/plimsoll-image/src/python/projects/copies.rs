//! What was learnt of wheels when their backends made them: which of their files are copies of
//! which sources, so that after an edit of these the wheels are known without the backends.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::backends::{Member, Reads, Refusal, ends_with};
use super::described::{Described, Place};
use super::installed::{Installed, InstalledFile};
use super::record;
use crate::Digest;
use crate::application::{Application, SourceKind};
use crate::digest::Hasher;
use crate::layer::Content;
use crate::provenance::Material;
use crate::store::{Store, StoreError};

/// What holds for every tree of one shape, for as long as only free sources change.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Copies {
    /// What tells the other files from any others.
    fixed: Digest,
    /// Sources of which nothing shows but in their copies, and modules that are in no wheel.
    free: BTreeSet<String>,
    wheels: Vec<Wheel>,
    /// What the backends were run with.
    pub(super) materials: BTreeSet<Material>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Wheel {
    name: String,
    files: Vec<WheelFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WheelFile {
    path: String,
    executable: bool,
    origin: Origin,
}

/// Where a file of a wheel comes from.
#[derive(Debug, Serialize, Deserialize)]
enum Origin {
    /// It is a copy of a free source.
    Copied(String),
    /// It follows from what is fixed.
    Fixed(Digest),
}

/// What tells a tree from one with other names, kinds, modes or targets of links in it.
pub(super) fn shape(application: &Application) -> Digest {
    let mut hasher = Hasher::default();
    for file in application.files() {
        let kind = match &file.kind {
            SourceKind::File { executable, .. } => format!("file {executable}"),
            SourceKind::Symlink { target } => format!("link {target}"),
        };
        hasher.update(format!("{}\0{kind}\0", file.path).as_bytes());
    }
    hasher.finish()
}

/// What tells the files that are not free from any others.
fn fixed(application: &Application, free: &BTreeSet<String>) -> Digest {
    let mut hasher = Hasher::default();
    for file in application.files() {
        if let SourceKind::File { digest, .. } = &file.kind
            && !free.contains(&file.path)
        {
            hasher.update(format!("{}\0{digest}\0", file.path).as_bytes());
        }
    }
    hasher.finish()
}

impl Copies {
    /// Learns from what the members' backends just made of a tree.
    pub(super) fn learn(
        application: &Application,
        members: &[String],
        made: &[Installed],
        packages: &str,
    ) -> Result<Self, Refusal> {
        let mut reads = Reads::default();
        for member in members {
            let refused = |reason| format!("`{member}`: {reason}");
            reads.extend(Member::new(application, member).reads().map_err(refused)?);
        }
        let sources = Sources::of(application);
        let mut copied: BTreeMap<&str, &str> = BTreeMap::new();
        let mut bound: BTreeSet<&str> = BTreeSet::new();
        let mut inside: BTreeSet<&str> = BTreeSet::new();
        for installed in made {
            let described = Described::read(installed, packages)?;
            for file in &installed.files {
                match described.place_of(file)? {
                    // A licence, say.
                    Place::Metadata => bound.extend(sources.of_bytes(&file.digest)),
                    Place::Package(path) => {
                        inside.insert(path);
                        match &sources.copied_to(path, &file.digest)?[..] {
                            [] => return Err(format!("`{path}` is no copy")),
                            [source] if described.lists(path, file) => {
                                copied.insert(&file.path, source);
                            }
                            several => bound.extend(several),
                        }
                    }
                }
            }
        }
        let is_free = |source: &str| !bound.contains(source) && !reads.includes(source);
        copied.retain(|_, source| is_free(source));
        let wheel = |installed: &Installed| Wheel {
            name: installed.name.clone(),
            files: installed
                .files
                .iter()
                .map(|file| WheelFile {
                    path: file.path.clone(),
                    executable: file.executable,
                    origin: match copied.get(file.path.as_str()) {
                        Some(source) => Origin::Copied((*source).to_string()),
                        None => Origin::Fixed(file.digest),
                    },
                })
                .collect(),
        };
        let elsewhere = sources.modules().filter(|source| {
            let is_copied = ends_of(source).any(|end| inside.contains(end));
            !is_copied && is_free(source)
        });
        let free = copied.values().copied().chain(elsewhere);
        let free = free.map(str::to_string).collect();
        Ok(Self {
            fixed: fixed(application, &free),
            free,
            wheels: made.iter().map(wheel).collect(),
            materials: BTreeSet::new(),
        })
    }

    /// Keeps in the store what is fixed; gives the blobs without which this is worth nothing.
    pub(super) fn keep(
        &self,
        made: &[Installed],
        store: &Store,
    ) -> Result<Vec<Digest>, StoreError> {
        let mut needs = BTreeSet::new();
        for (wheel, installed) in self.wheels.iter().zip(made) {
            for (known, file) in wheel.files.iter().zip(&installed.files) {
                if matches!(known.origin, Origin::Fixed(_)) {
                    needs.insert(store.put_bytes(&file.bytes().map_err(StoreError::Io)?)?);
                }
            }
        }
        Ok(needs.into_iter().collect())
    }

    /// Whether only free sources changed, in a tree of the same shape.
    pub(super) fn hold_for(&self, application: &Application) -> bool {
        fixed(application, &self.free) == self.fixed
    }

    /// What the backends would make of the tree as it is.
    pub(super) fn installed(
        &self,
        application: &Application,
        store: &Store,
        packages: &str,
    ) -> Result<Vec<Installed>, StoreError> {
        let mut sources = HashMap::new();
        for source in application.files() {
            if let SourceKind::File { digest, size, .. } = &source.kind
                && self.free.contains(&source.path)
            {
                let content = Content::Seen(application.place(source), *digest);
                sources.insert(source.path.as_str(), (*digest, *size, content));
            }
        }
        let wheels = self.wheels.iter();
        wheels
            .map(|wheel| wheel.installed(&sources, store, packages))
            .collect()
    }
}

impl Wheel {
    fn installed(
        &self,
        sources: &HashMap<&str, (Digest, u64, Content)>,
        store: &Store,
        packages: &str,
    ) -> Result<Installed, StoreError> {
        let mut files = Vec::new();
        let mut lines = BTreeMap::new();
        for file in &self.files {
            let (digest, size, content) = match &file.origin {
                Origin::Copied(source) => {
                    let (digest, size, content) = sources
                        .get(source.as_str())
                        .expect("a tree of the same shape has the same files");
                    let inside = super::below(&file.path, packages).unwrap_or(&file.path);
                    lines.extend(record::line(inside, digest, *size).map(|line| (inside, line)));
                    (*digest, *size, content.clone())
                }
                Origin::Fixed(digest) => {
                    let bytes = store.read_blob(digest)?;
                    (*digest, bytes.len() as u64, Content::Bytes(bytes))
                }
            };
            files.push(InstalledFile {
                path: file.path.clone(),
                executable: file.executable,
                digest,
                size,
                content,
            });
        }
        let record = format!("{packages}/{}.dist-info/RECORD", self.name);
        for file in &mut files {
            if let Content::Bytes(bytes) = &file.content
                && file.path == record
            {
                let text = record::rewritten(&String::from_utf8_lossy(bytes), &lines);
                file.digest = Digest::of(text.as_bytes());
                file.size = text.len() as u64;
                file.content = Content::Bytes(text.into_bytes());
            }
        }
        Ok(Installed {
            name: self.name.clone(),
            files,
        })
    }
}

/// The files of a tree, to look for what was copied.
struct Sources<'a> {
    /// By the last part of their paths.
    by_name: HashMap<&'a str, Vec<(&'a str, Digest)>>,
    /// Last parts of the paths of symbolic links.
    links: BTreeSet<&'a str>,
}

impl<'a> Sources<'a> {
    fn of(application: &'a Application) -> Self {
        let mut sources = Self {
            by_name: HashMap::new(),
            links: BTreeSet::new(),
        };
        for file in application.files() {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            match &file.kind {
                SourceKind::File { digest, .. } => {
                    let same = sources.by_name.entry(name).or_default();
                    same.push((file.path.as_str(), *digest));
                }
                SourceKind::Symlink { .. } => {
                    sources.links.insert(name);
                }
            }
        }
        sources
    }

    fn modules(&self) -> impl Iterator<Item = &'a str> {
        let all = self.by_name.values().flatten().map(|(path, _)| *path);
        all.filter(|path| path.ends_with(".py"))
    }

    /// The sources with these bytes.
    fn of_bytes(&self, digest: &Digest) -> impl Iterator<Item = &'a str> {
        let all = self.by_name.values().flatten();
        all.filter(move |(_, other)| other == digest)
            .map(|(path, _)| *path)
    }

    /// The sources with these bytes whose paths end like that of a file of a wheel. Where the path
    /// may lead through a link its source has another name.
    fn copied_to(&self, path: &str, digest: &Digest) -> Result<Vec<&'a str>, Refusal> {
        if let Some(link) = path.split('/').find(|part| self.links.contains(part)) {
            return Err(format!("`{link}` may be a symbolic link"));
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        let same = self.by_name.get(name).into_iter().flatten();
        Ok(same
            .filter(|(source, other)| other == digest && ends_with(source, path))
            .map(|(source, _)| *source)
            .collect())
    }
}

/// `a/b/c` → `a/b/c`, `b/c`, `c`.
fn ends_of(path: &str) -> impl Iterator<Item = &str> {
    let cuts = path.match_indices('/').map(|(at, _)| &path[at + 1..]);
    std::iter::once(path).chain(cuts)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fs_err as fs;

    use super::*;
    use crate::application::Purpose;

    const PACKAGES: &str = "lib/python3.13/site-packages";

    const MANIFEST: &str = "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n\
        [project]\nname = 'a'\nversion = '1'\nreadme = 'a/about.py'\n";

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Application) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [&[("pyproject.toml", MANIFEST)], files].concat() {
            let path = root.path().join("context").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let application = look(root.path());
        (root, application)
    }

    fn look(root: &Path) -> Application {
        Application::look(&root.join("context"), Purpose::Image, &root.join("cache")).unwrap()
    }

    /// A distribution whose record lists these files, their paths below the packages.
    fn made(files: &[(&str, &str)]) -> Installed {
        let mut record = String::new();
        let mut all = vec![
            (
                "a-1.dist-info/WHEEL",
                "Root-Is-Purelib: true\nTag: py3-none-any\n",
            ),
            ("a-1.dist-info/licenses/LICENSE", "Free.\n"),
            (
                "a-1.dist-info/entry_points.txt",
                "[console_scripts]\nrun = a:b\n",
            ),
        ];
        all.extend(files);
        for (path, text) in &all {
            let line = record::line(path, &Digest::of(text.as_bytes()), text.len() as u64);
            record += &(line.unwrap() + "\n");
        }
        all.push(("a-1.dist-info/RECORD", &record));
        all.push(("../../../bin/run", "#!"));
        let files = all.into_iter().map(|(path, text)| InstalledFile {
            path: match path.strip_prefix("../../../") {
                Some(outside) => outside.to_string(),
                None => format!("{PACKAGES}/{path}"),
            },
            executable: false,
            digest: Digest::of(text.as_bytes()),
            size: text.len() as u64,
            content: Content::Bytes(text.into()),
        });
        Installed {
            name: "a-1".to_string(),
            files: files.collect(),
        }
    }

    fn learn(application: &Application, made: Installed) -> Result<Copies, Refusal> {
        Copies::learn(application, &[String::new()], &[made], PACKAGES)
    }

    #[test]
    fn an_edited_copy_changes_itself_and_its_line() {
        let text = "x = 1\n";
        let (root, application) = tree(&[("src/a/b.py", text), ("tests/c.py", "")]);
        let made = made(&[("a/b.py", text)]);
        let store = Store::open(&root.path().join("store")).unwrap();
        let copies = Copies::learn(
            &application,
            &[String::new()],
            std::slice::from_ref(&made),
            PACKAGES,
        )
        .unwrap();
        copies.keep(std::slice::from_ref(&made), &store).unwrap();
        fs::write(root.path().join("context/src/a/b.py"), "x = 22\n").unwrap();
        fs::write(root.path().join("context/tests/c.py"), "y\n").unwrap();
        let application = look(root.path());
        assert!(copies.hold_for(&application));
        let after = copies.installed(&application, &store, PACKAGES).unwrap();
        let texts: BTreeMap<&str, String> = after[0]
            .files
            .iter()
            .map(|file| {
                let text = String::from_utf8(file.bytes().unwrap()).unwrap();
                (file.path.rsplit('/').next().unwrap(), text)
            })
            .collect();
        assert_eq!(texts["b.py"], "x = 22\n");
        assert_eq!(texts["LICENSE"], "Free.\n");
        let line = record::line("a/b.py", &Digest::of(b"x = 22\n"), 7).unwrap();
        assert!(texts["RECORD"].lines().any(|other| other == line));
        assert!(
            !texts["RECORD"].contains(&record::line("a/b.py", &Digest::of(b"x = 1\n"), 6).unwrap())
        );
    }

    #[test]
    fn what_may_show_elsewhere_is_not_free() {
        let (_root, application) = tree(&[
            ("a/b.py", "b"),
            ("a/about.py", "about"),
            ("a/one.py", "same"),
            ("old/a/one.py", "same"),
            ("a/other.py", "now"),
            ("old/a/other.py", "then"),
            ("a/text.py", "Free.\n"),
            ("a/.gitignore", "*.c"),
            ("tests/a.py", ""),
            ("notes.md", ""),
        ]);
        let made = made(&[
            ("a/b.py", "b"),
            ("a/about.py", "about"),
            ("a/one.py", "same"),
            ("a/other.py", "now"),
            ("a/text.py", "Free.\n"),
            ("a/.gitignore", "*.c"),
        ]);
        let copies = learn(&application, made).unwrap();
        assert_eq!(
            Vec::from_iter(&copies.free),
            ["a/b.py", "a/other.py", "tests/a.py"]
        );
    }

    #[test]
    fn a_wheel_of_which_not_all_is_known_is_refused() {
        let (root, application) = tree(&[("a/b.py", "b")]);
        for (files, reason) in [
            (&[("a/b.py", "c")][..], "`a/b.py` is no copy"),
            (&[("a/_version.py", "v")], "`a/_version.py` is no copy"),
            (
                &[("../../../bin/other", "")],
                "nothing is known of `bin/other`",
            ),
            (&[("../../../share/x", "")], "nothing is known of `share/x`"),
        ] {
            assert_eq!(learn(&application, made(files)).unwrap_err(), reason);
        }
        let mut platform = made(&[]);
        platform.files[0].content = Content::Bytes("Root-Is-Purelib: false\n".into());
        platform.files[0].digest = Digest::of(b"Root-Is-Purelib: false\n");
        assert!(
            learn(&application, platform)
                .unwrap_err()
                .contains("any machine")
        );

        fs::os::unix::fs::symlink("../x", root.path().join("context/a/c")).unwrap();
        let linked = look(root.path());
        assert!(learn(&linked, made(&[("a/b.py", "b")])).is_ok());
        let through = made(&[("a/c/d.py", "b")]);
        assert_eq!(
            learn(&linked, through).unwrap_err(),
            "`c` may be a symbolic link"
        );
    }

    #[test]
    fn names_modes_and_links_are_the_shape_and_other_files_are_fixed() {
        let (root, application) = tree(&[("a/b.py", "b"), ("notes.md", "n")]);
        let copies = learn(&application, made(&[("a/b.py", "b")])).unwrap();
        let before = shape(&application);
        let write = |path: &str, text: &str| {
            fs::write(root.path().join("context").join(path), text).unwrap();
            look(root.path())
        };
        let edited = write("a/b.py", "c");
        assert!(shape(&edited) == before && copies.hold_for(&edited));
        let edited = write("notes.md", "m");
        assert!(shape(&edited) == before && !copies.hold_for(&edited));
        assert_ne!(shape(&write("a/new.py", "")), before);
    }
}
