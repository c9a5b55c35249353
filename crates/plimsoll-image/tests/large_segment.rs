//! A layer takes no more memory than its list of names, however large its files are.
//!
//! Alone in its program: what others allocate would be counted, too.

use std::path::Path;

use plimsoll_image::layer::{Attributes, Content, FileSet, Node};
use plimsoll_image::oci::{Architecture, ImageConfig};
use plimsoll_image::store::{ImageLayer, LayerForm, NewImage, Store};

/// The most memory that this process ever had, in bytes, as the kernel counts it.
fn peak() -> Option<u64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how much a test takes on is said there"
)]
fn said(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[test]
fn a_large_file_goes_through_the_store_in_pieces() {
    let size: u64 = said("PLIMSOLL_LARGE_FILE").map_or(200 << 20, |size| {
        size.parse()
            .expect("PLIMSOLL_LARGE_FILE is a number of bytes")
    });
    let Some(before) = peak() else {
        eprintln!("skipped: the kernel does not count memory here");
        return;
    };
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let large = root.path().join("large");
    fs_err::File::create(&large).unwrap().set_len(size).unwrap();
    let store = Store::open(&root.path().join("store")).unwrap();
    let mut files = FileSet::new();
    files
        .insert(
            "large.so",
            Node::File(Attributes::FILE, Content::File(large)),
        )
        .unwrap();
    let segment = store.put_segment("large", &files).unwrap();
    let layer = store.commit_layer(&[segment]).unwrap();
    assert!(layer.size > size);
    let image = store
        .put_image(&NewImage {
            reference: "large",
            architecture: Architecture::Amd64,
            config: &ImageConfig::default(),
            layers: &[ImageLayer {
                layer: layer.clone(),
                created_by: "test".to_owned(),
            }],
            annotations: [].into(),
        })
        .unwrap();
    let unpacked = store.unpacked(&layer).unwrap();
    let length = |path: &Path| fs_err::metadata(path).unwrap().len();
    assert_eq!(length(&unpacked.join("large.so")), size);
    store
        .export_layout(&[image], LayerForm::Zstd, &root.path().join("layout"))
        .unwrap();
    let grown = peak().unwrap() - before;
    assert!(
        grown < 100 << 20,
        "{grown} bytes of memory for a file of {size}"
    );
}
