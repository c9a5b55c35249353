//! An application's files as segments of a layer, so that an edit packs and compresses the files
//! beside the one that changed, and not the tree.
//!
//! The files stay in their order, so that the layer is the same archive however it is cut.

use rayon::prelude::*;

use super::{Application, ContextError, SourceFile, SourceKind, identity};
use crate::layer::Cuts;
use crate::store::{Segment, Store, StoreError};

/// The files cannot be packed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackError {
    #[error(transparent)]
    Context(#[from] ContextError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Application {
    /// The files as segments of a layer, as they stand in an image below `place` (without a
    /// leading `/`). Files that were packed by these `rules` before are not even opened.
    pub(crate) fn segments(
        &self,
        store: &Store,
        rules: &str,
        place: &str,
    ) -> Result<Vec<Segment>, PackError> {
        cut(&self.files)
            .into_par_iter()
            .map(|files| {
                let key = format!("{rules} files {} below {place}", identity(files));
                if let Some(known) = store.segment(&key) {
                    return Ok(known);
                }
                Ok(store.put_segment(&key, &self.set_of(files, place)?)?)
            })
            .collect()
    }
}

/// The files, cut into runs.
fn cut(files: &[SourceFile]) -> Vec<&[SourceFile]> {
    let mut cuts = Cuts::default();
    files
        .split_inclusive(|file| match &file.kind {
            SourceKind::File { size, .. } => cuts.ends_with(&file.path, *size),
            SourceKind::Symlink { .. } => cuts.ends_with(&file.path, 0),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use fs_err as fs;
    use proptest::prelude::*;

    use super::super::Purpose;
    use super::*;
    use crate::Digest;
    use crate::oci::{Architecture, ImageConfig};
    use crate::store::{Image, ImageLayer, Layer, LayerForm, NewImage};

    /// A tree of so many small files, and a store beside it.
    struct Project {
        root: tempfile::TempDir,
        store: Store,
    }

    impl Project {
        fn new(files: usize) -> Self {
            let root = tempfile::tempdir().unwrap();
            let store = Store::open(&root.path().join("store")).unwrap();
            let project = Self { root, store };
            for index in 0..files {
                let path = project.path(index);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, format!("file {index} ").repeat(9)).unwrap();
            }
            project
        }

        fn path(&self, index: usize) -> std::path::PathBuf {
            let directory = self.root.path().join("context");
            directory.join(format!("{}/{index}.txt", index % 13))
        }

        fn look(&self) -> Application {
            let context = self.root.path().join("context");
            let cache = self.root.path().join("cache");
            Application::look(&context, Purpose::Image, &cache).unwrap()
        }

        fn layer(&self) -> Layer {
            let segments = self.look().segments(&self.store, "test", "app").unwrap();
            self.store.commit_layer(&segments).unwrap()
        }

        fn export(&self, layer: Layer, to: &Path) -> Image {
            let image = self
                .store
                .put_image(&NewImage {
                    reference: "a/b:latest",
                    architecture: Architecture::Amd64,
                    config: &ImageConfig::default(),
                    layers: &[ImageLayer {
                        layer,
                        created_by: String::new(),
                    }],
                    annotations: BTreeMap::new(),
                })
                .unwrap();
            let images = std::slice::from_ref(&image);
            self.store
                .export_layout(images, LayerForm::Gzip, to)
                .unwrap();
            image
        }

        /// What was compressed, each with what tells one writing of a file from another.
        fn compressed(&self) -> BTreeMap<String, (u64, i64, i64)> {
            fs::read_dir(self.root.path().join("store/compressed"))
                .unwrap()
                .map(|entry| {
                    let entry = entry.unwrap();
                    let data = entry.metadata().unwrap();
                    let written = (data.ino(), data.mtime(), data.mtime_nsec());
                    (entry.file_name().into_string().unwrap(), written)
                })
                .collect()
        }
    }

    #[test]
    fn a_file_that_is_written_to_after_the_look_is_refused_and_nothing_is_kept_of_it() {
        let project = Project::new(3);
        let application = project.look();
        let text = fs::read_to_string(project.path(1)).unwrap();
        let other = text.replace("file", "FILE");
        fs::write(project.path(1), &other).unwrap();
        let told = application.segments(&project.store, "test", "app");
        let told = told.unwrap_err().to_string();
        assert!(told.ends_with("1.txt` changed while it was read"), "{told}");
        let copies = project.root.path().join("copies");
        let told = application.copy_to(&copies).unwrap_err().to_string();
        assert!(told.ends_with("1.txt` changed while it was read"), "{told}");
        // As it was, it is packed as it was.
        fs::write(project.path(1), &text).unwrap();
        let segments = application.segments(&project.store, "test", "app").unwrap();
        let mut packed = Vec::new();
        for segment in &segments {
            packed.extend(project.store.segment_files(segment).unwrap());
        }
        let bytes = packed.iter().find(|(path, _)| path.ends_with("/1.txt"));
        assert_eq!(bytes.unwrap().1, text.as_bytes());
    }

    #[test]
    fn a_layer_is_the_same_archive_however_it_is_cut() {
        let project = Project::new(2000);
        let application = project.look();
        let cut = project.layer();
        assert!(cut.parts.len() > 5, "{} parts", cut.parts.len());
        let whole = application.file_set("app").unwrap();
        let whole = project.store.put_segment("whole", &whole).unwrap();
        let whole = project.store.commit_layer(&[whole]).unwrap();
        assert_eq!(cut.diff_id, whole.diff_id);
    }

    #[test]
    fn nothing_that_did_not_change_is_packed_or_compressed_again() {
        let project = Project::new(2000);
        let out = project.root.path().join("out");
        project.export(project.layer(), &out);
        let before = project.compressed();
        assert!(before.len() > 5);

        project.export(project.layer(), &out);
        assert_eq!(project.compressed(), before);

        fs::write(project.path(1000), "changed").unwrap();
        let application = project.look();
        // A file of another segment: whoever opened it would find it gone.
        let changed = &application.files()[0].path;
        let edited = project.path(1000);
        let other = application
            .files()
            .iter()
            .map(|file| application.place(file))
            .find(|path| {
                let runs = cut(application.files());
                let of = |path: &Path| {
                    runs.iter()
                        .position(|run| run.iter().any(|file| application.place(file) == path))
                };
                of(path) != of(&edited)
            })
            .unwrap_or_else(|| panic!("all files are in one segment, as is {changed}"));
        fs::remove_file(other).unwrap();
        let segments = application.segments(&project.store, "test", "app").unwrap();
        project.export(project.store.commit_layer(&segments).unwrap(), &out);
        let mut after = project.compressed();
        after.retain(|name, written| before.get(name) != Some(written));
        assert_eq!(after.len(), 1, "one segment is compressed anew: {after:?}");
    }

    #[test]
    fn an_export_is_the_same_from_a_warm_store_and_a_cold_one() {
        let (warm, cold) = (Project::new(1500), Project::new(1500));
        let out = |project: &Project| project.root.path().join("out");
        warm.export(warm.layer(), &out(&warm));
        for project in [&warm, &cold] {
            fs::write(project.path(7), "changed").unwrap();
            fs::remove_file(project.path(8)).unwrap();
            project.export(project.layer(), &out(project));
        }
        let index = |project: &Project| fs::read(out(project).join("index.json")).unwrap();
        assert_eq!(index(&warm), index(&cold));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_file_that_comes_moves_no_cut_but_those_beside_it(
            names in proptest::collection::btree_set(0..100_000_u32, 300..400),
            new in 0..100_000_u32,
        ) {
            let file = |name: &u32| SourceFile {
                path: format!("directory/{name:06}"),
                kind: SourceKind::File { executable: false, digest: Digest::of(b""), size: 1 },
            };
            let before: Vec<SourceFile> = names.iter().map(file).collect();
            let mut with = names.clone();
            with.insert(new);
            let after: Vec<SourceFile> = with.iter().map(file).collect();
            let (before, after) = (cut(&before), cut(&after));
            let gone = before.iter().filter(|run| !after.contains(run)).count();
            prop_assert!(gone <= 1);
            let all: Vec<&SourceFile> = after.iter().copied().flatten().collect();
            prop_assert_eq!(all.len(), with.len());
        }
    }
}
