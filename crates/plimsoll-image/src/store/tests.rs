//! The store by itself, beside other processes, after a crash, and on a full disk.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::compressed::Codec;
use super::*;
use crate::layer::{Attributes, FileSet, Node};
use crate::oci::{Architecture, ImageConfig};

fn files(entries: &[(&str, &str)]) -> FileSet {
    let mut set = FileSet::new();
    for (path, text) in entries {
        set.file(path, Attributes::FILE, *text).unwrap();
    }
    set
}

fn open() -> (TempDir, Store) {
    let directory = TempDir::new().unwrap();
    let store = Store::open(&directory.path().join("store")).unwrap();
    (directory, store)
}

fn layer(store: &Store, entries: &[(&str, &str)]) -> Layer {
    let key = format!("{entries:?}");
    let segment = store.put_segment(&key, &files(entries)).unwrap();
    store.commit_layer(&[segment]).unwrap()
}

fn image(store: &Store, reference: &str, layers: &[Layer]) -> Image {
    let layers: Vec<ImageLayer> = layers
        .iter()
        .map(|layer| ImageLayer {
            layer: layer.clone(),
            created_by: "test".into(),
        })
        .collect();
    store
        .put_image(&NewImage {
            reference,
            architecture: Architecture::Amd64,
            config: &ImageConfig::default(),
            layers: &layers,
            annotations: [].into(),
        })
        .unwrap()
}

#[test]
fn a_segment_is_made_once_per_key() {
    let (_directory, store) = open();
    assert_eq!(store.segment("a"), None);
    let segment = store.put_segment("a", &files(&[("x", "1")])).unwrap();
    assert_eq!(store.segment("a"), Some(segment));
    fs_err::remove_file(store.blob_path(&segment.digest).unwrap()).unwrap();
    assert_eq!(store.segment("a"), None, "its bytes are gone");
}

#[test]
fn a_layer_is_its_segments_and_an_end() {
    let (_directory, store) = open();
    let a = store.put_segment("a", &files(&[("usr/a", "1")])).unwrap();
    let b = store.put_segment("b", &files(&[("usr/b", "2")])).unwrap();
    let layer = store.commit_layer(&[a, b]).unwrap();
    let mut bytes = Vec::new();
    store
        .open_layer(&layer)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    assert_eq!(Digest::of(&bytes), layer.diff_id);
    assert_eq!(bytes.len() as u64, layer.size);
    assert_eq!(store.commit_layer(&[a, b]).unwrap(), layer);
    assert_ne!(store.commit_layer(&[b, a]).unwrap().diff_id, layer.diff_id);

    let tree = store.unpacked(&layer).unwrap();
    assert_eq!(fs_err::read_to_string(tree.join("usr/b")).unwrap(), "2");
    assert_eq!(store.unpacked(&layer).unwrap(), tree);
}

#[test]
fn a_layer_states_each_directory_once() {
    let (_directory, store) = open();
    let shared = Attributes::root(0o1777);
    let sets = [Attributes::DIRECTORY, shared, Attributes::DIRECTORY].map(|attributes| {
        let mut set = FileSet::new();
        set.directory("var/tmp", attributes).unwrap();
        set
    });
    let mut segments: Vec<Segment> = sets
        .iter()
        .enumerate()
        .map(|(number, set)| store.put_segment(&number.to_string(), set).unwrap())
        .collect();
    segments.push(
        store
            .put_segment("file", &files(&[("var/tmp/a", "1")]))
            .unwrap(),
    );
    let layer = store.commit_layer(&segments).unwrap();
    let mut archive = tar::Archive::new(store.open_layer(&layer).unwrap());
    let entries: Vec<(String, u32)> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            (path, entry.header().mode().unwrap())
        })
        .collect();
    let expected = [("var/", 0o755), ("var/tmp/", 0o1777), ("var/tmp/a", 0o644)];
    assert_eq!(
        entries,
        expected.map(|(path, mode)| (path.to_owned(), mode))
    );
}

#[test]
fn no_layer_holds_a_file_twice() {
    let (_directory, store) = open();
    let a = store
        .put_segment("a", &files(&[("usr/same", "1")]))
        .unwrap();
    let b = store
        .put_segment("b", &files(&[("usr/same", "2")]))
        .unwrap();
    let error = store.commit_layer(&[a, b]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "two packages of one layer hold `usr/same`"
    );
    assert!(matches!(
        store.commit_layer(&[]),
        Err(StoreError::EmptyLayer)
    ));
}

#[test]
fn foreign_layers_are_kept_byte_for_byte() {
    let (_directory, store) = open();
    let mut bytes = Vec::new();
    crate::layer::write_tar(&files(&[("etc/x", "1")]), &mut bytes).unwrap();
    bytes.extend_from_slice(&[0; 10240]);
    let diff_id = Digest::of(&bytes);
    let wrong = store.import_layer(&mut bytes.as_slice(), Some(Digest::of(b"other")));
    assert!(matches!(wrong, Err(StoreError::Unexpected { .. })));
    let layer = store
        .import_layer(&mut bytes.as_slice(), Some(diff_id))
        .unwrap();
    assert_eq!(layer.diff_id, diff_id);
    let tree = store.unpacked(&layer).unwrap();
    assert_eq!(fs_err::read_to_string(tree.join("etc/x")).unwrap(), "1");
}

#[test]
fn images_come_and_go_by_name() {
    let (directory, store) = open();
    let base = layer(&store, &[("base", "1")]);
    let one = image(
        &store,
        "app:1",
        &[base.clone(), layer(&store, &[("one", "1")])],
    );
    let two = image(&store, "app:2", std::slice::from_ref(&base));
    drop(store);
    let store = Store::open(&directory.path().join("store")).unwrap();
    assert_eq!(
        store.image("app:1", Architecture::Amd64).unwrap(),
        Some(one.clone())
    );
    assert_eq!(store.image("app:1", Architecture::Arm64).unwrap(), None);
    assert_eq!(store.images().unwrap(), [one.clone(), two.clone()]);
    let replaced = image(&store, "app:1", &[base]);
    assert_ne!(replaced.id, one.id);
    assert_eq!(store.images().unwrap(), [replaced, two]);
    assert!(store.remove_image("app:2").unwrap());
    assert!(!store.remove_image("app:2").unwrap());
    assert_eq!(store.images().unwrap().len(), 1);
}

#[test]
fn equal_images_are_equal_bytes_in_another_store() {
    let make = || {
        let (_directory, store) = open();
        let layers = [
            layer(&store, &[("a", "1"), ("b/c", "2")]),
            layer(&store, &[("d", "3")]),
        ];
        let image = image(&store, "app", &layers);
        (image.id, image.manifest)
    };
    assert_eq!(make(), make());
}

#[test]
fn prune_keeps_what_images_and_holders_need() {
    let (_directory, mut store) = open();
    let kept = layer(&store, &[("kept", "1")]);
    let held = layer(&store, &[("held", "1")]);
    let lost = layer(&store, &[("lost", "1")]);
    image(&store, "app", std::slice::from_ref(&kept));
    for layer in [&kept, &held, &lost] {
        store.unpacked(layer).unwrap();
    }
    let hold = store.hold([&held]).unwrap();
    let report = store.prune().unwrap();
    assert_eq!((report.layers, report.blobs), (1, 1));
    assert!(report.bytes() > 0);
    assert!(store.layer(&kept.diff_id).is_ok() && store.layer(&held.diff_id).is_ok());
    assert!(store.layer(&lost.diff_id).is_err());
    assert_eq!(store.segment(r#"[("lost", "1")]"#), None);
    assert!(store.unpacked(&held).unwrap().join("held").exists());
    assert!(store.segment(r#"[("kept", "1")]"#).is_some());

    drop(hold);
    assert_eq!(store.prune().unwrap().layers, 1);
    assert_eq!(store.prune().unwrap(), PruneReport::default());
    let locks = fs_err::read_dir(store.root().join("locks"))
        .unwrap()
        .count();
    assert_eq!(locks, 3, "the store's, the index's and the kept layer's");
    assert!(store.fsck().unwrap().is_clean());
    // What was pruned can be made again.
    assert_eq!(layer(&store, &[("lost", "1")]), lost);
}

#[test]
fn maintenance_waits_for_nobody() {
    let (directory, mut store) = open();
    let other = Store::open(&directory.path().join("store")).unwrap();
    let error = store.prune().unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    drop(other);
    store.prune().unwrap();
    let mut other = Store::open(&directory.path().join("store")).unwrap();
    assert!(other.fsck().is_err(), "the first one still has its lock");
}

#[test]
fn fsck_finds_and_removes_every_kind_of_damage() {
    let (_directory, mut store) = open();
    let good = layer(&store, &[("good", "1")]);
    let bad = layer(&store, &[("bad", "1")]);
    image(&store, "good", std::slice::from_ref(&good));
    image(&store, "bad", &[good.clone(), bad.clone()]);
    store.unpacked(&bad).unwrap();
    store.compressed(&good.parts[0], Codec::Gzip).unwrap();
    assert!(store.fsck().unwrap().is_clean());

    let broken = store.blob_path(&bad.parts[0].digest).unwrap();
    let mut bytes = fs_err::read(&broken).unwrap();
    bytes[600] ^= 1;
    fs_err::write(&broken, bytes).unwrap();
    fs_err::write(
        store.compressed_path(&good.parts[0].digest, Codec::Gzip),
        "no gzip",
    )
    .unwrap();
    fs_err::write(store.root().join("blobs/sha256/stray"), "?").unwrap();
    fs_err::create_dir_all(store.root().join("unpacked/half/etc")).unwrap();

    let report = store.fsck().unwrap();
    assert_eq!(report.damaged.len(), 2, "{report:?}");
    assert_eq!(report.strays.len(), 2, "{report:?}");
    assert_eq!(report.layers, [bad.diff_id]);
    assert_eq!(report.images, ["bad"]);
    assert!(store.fsck().unwrap().is_clean());
    assert_eq!(store.images().unwrap().len(), 1);
    assert_eq!(layer(&store, &[("bad", "1")]), bad, "it is made again");

    fs_err::write(store.root().join("index.json"), "{").unwrap();
    assert!(store.images().is_err());
    assert_eq!(store.fsck().unwrap().damaged, [Path::new("index.json")]);
    assert_eq!(store.images().unwrap(), []);
}

#[test]
fn fsck_finds_a_tree_that_was_changed() {
    let (_directory, mut store) = open();
    let mut set = files(&[("etc/a", "original"), ("etc/b", "2")]);
    set.symlink("etc/c", "a").unwrap();
    set.insert("etc/d", Node::Hardlink("etc/b".into())).unwrap();
    let segment = store.put_segment("a", &set).unwrap();
    let layer = store.commit_layer(&[segment]).unwrap();
    let changes: [fn(&Path); 5] = [
        |tree| fs_err::write(tree.join("etc/a"), "0riginal").unwrap(),
        |tree| fs_err::write(tree.join("etc/a"), "original and more").unwrap(),
        |tree| fs_err::remove_file(tree.join("etc/c")).unwrap(),
        |tree| fs_err::rename(tree.join("etc/b"), tree.join("etc/e")).unwrap(),
        |tree| {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o666);
            fs_err::set_permissions(tree.join("etc/a"), open).unwrap();
        },
    ];
    for change in changes {
        let tree = store.unpacked(&layer).unwrap();
        assert!(store.fsck().unwrap().is_clean());
        change(&tree);
        let report = store.fsck().unwrap();
        assert_eq!(report.damaged.len(), 1, "{report:?}");
        assert!(!tree.exists());
    }
    assert!(store.layer(&layer.diff_id).is_ok());
}

#[test]
fn a_damaged_segment_is_not_unpacked() {
    let (_directory, store) = open();
    let layer = layer(&store, &[("a", "original")]);
    let path = store.blob_path(&layer.parts[0].digest).unwrap();
    let mut bytes = fs_err::read(&path).unwrap();
    bytes[512] = b'X';
    fs_err::write(&path, bytes).unwrap();
    let error = store.unpacked(&layer).unwrap_err();
    assert!(error.is_damage(), "{error}");
    assert_eq!(
        fs_err::read_dir(store.root().join("unpacked"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_tree_that_a_power_cut_may_have_damaged_is_made_again() {
    let (directory, store) = open();
    let layer = layer(&store, &[("a", "1")]);
    let tree = store.unpacked(&layer).unwrap();
    drop(store);
    // As it is after a boot: content lost, the note still there.
    let note = directory
        .path()
        .join("store/settling")
        .join(layer.diff_id.hex());
    while note.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    fs_err::write(tree.join("a"), "").unwrap();
    fs_err::write(&note, "another boot").unwrap();
    let store = Store::open(&directory.path().join("store")).unwrap();
    assert_eq!(store.unpacked(&layer).unwrap(), tree);
    assert_eq!(fs_err::read_to_string(tree.join("a")).unwrap(), "1");
}

#[test]
fn threads_and_processes_unpack_once() {
    let (directory, store) = open();
    let layer = layer(&store, &[("a", "1")]);
    let other = Store::open(&directory.path().join("store")).unwrap();
    let trees: Vec<PathBuf> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let store = if number % 2 == 0 { &store } else { &other };
                let layer = &layer;
                scope.spawn(move || store.unpacked(layer).unwrap())
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(trees.iter().all(|tree| *tree == trees[0]));
    assert_eq!(
        fs_err::read_dir(store.scratch.path().parent().unwrap())
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn an_exported_layout_is_whole_and_the_same_each_time() {
    let (directory, store) = open();
    let big = "x".repeat(3 << 20);
    let layers = [
        layer(&store, &[("a", &big), ("b", "2")]),
        layer(&store, &[("c", "3")]),
    ];
    let image = image(&store, "app:1", &layers);
    let export = |name: &str| {
        let place = directory.path().join(name);
        store
            .export_layout(std::slice::from_ref(&image), LayerForm::Gzip, &place)
            .unwrap();
        place
    };
    let place = export("one");
    let read = |path: &str| fs_err::read(place.join(path)).unwrap();
    let index: crate::oci::Index = serde_json::from_slice(&read("index.json")).unwrap();
    assert_eq!(index.manifests.len(), 1);
    assert_eq!(index.manifests[0].reference(), Some("app:1"));
    let blob = |digest: &Digest| {
        let bytes = read(&format!("blobs/sha256/{}", digest.hex()));
        assert_eq!(Digest::of(&bytes), *digest);
        bytes
    };
    let manifest: crate::oci::Manifest =
        serde_json::from_slice(&blob(&index.manifests[0].digest)).unwrap();
    assert_eq!(manifest.config.digest, image.id);
    for (descriptor, layer) in manifest.layers.iter().zip(&layers) {
        let bytes = blob(&descriptor.digest);
        assert_eq!(bytes.len() as u64, descriptor.size);
        let mut plain = flate2::read::MultiGzDecoder::new(bytes.as_slice());
        assert_eq!(Digest::of_reader(&mut plain).unwrap().0, layer.diff_id);
    }
    assert_eq!(
        fs_err::read(export("two").join("index.json")).unwrap(),
        read("index.json")
    );
}

#[test]
fn an_archive_has_what_docker_looks_for() {
    let (_directory, store) = open();
    let one = layer(&store, &[("a", "1")]);
    let image = image(&store, "app:1", &[one]);
    let export = |form| {
        let mut bytes = Vec::new();
        store
            .export_archive(std::slice::from_ref(&image), form, &mut bytes)
            .unwrap();
        bytes
    };
    let bytes = export(LayerForm::Gzip);
    assert_eq!(bytes, export(LayerForm::Gzip));
    let mut files = std::collections::BTreeMap::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.insert(entry.path().unwrap().display().to_string(), content);
    }
    let docker: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    assert_eq!(docker[0]["RepoTags"][0], "app:1");
    assert!(files.contains_key(docker[0]["Config"].as_str().unwrap()));
    assert!(files.contains_key(docker[0]["Layers"][0].as_str().unwrap()));
    assert!(files.contains_key("oci-layout") && files.contains_key("index.json"));
    let plain = export(LayerForm::Plain);
    assert!(plain.len() > bytes.len());
}

#[test]
fn one_name_for_two_architectures_is_an_index() {
    let (directory, store) = open();
    let layer = layer(&store, &[("a", "1")]);
    let both = [Architecture::Amd64, Architecture::Arm64].map(|architecture| {
        store
            .put_image(&NewImage {
                reference: "app:1",
                architecture,
                config: &ImageConfig::default(),
                layers: &[ImageLayer {
                    layer: layer.clone(),
                    created_by: "test".into(),
                }],
                annotations: [].into(),
            })
            .unwrap()
    });
    let place = directory.path().join("out");
    store
        .export_layout(&both, LayerForm::Plain, &place)
        .unwrap();
    let index = fs_err::read(place.join("index.json")).unwrap();
    let index: crate::oci::Index = serde_json::from_slice(&index).unwrap();
    assert_eq!(index.manifests[0].media_type, crate::oci::media_type::INDEX);
    assert_eq!(store.images().unwrap().len(), 2);
}

/// Set for the child process of the next test: the store it writes to.
const VICTIM: &str = "PLIMSOLL_TEST_VICTIM_STORE";

/// Not a test of its own: what the next test kills.
#[test]
fn victim() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a test tells its child what to do"
    )]
    let Ok(root) = std::env::var(VICTIM) else {
        return;
    };
    let store = Store::open(Path::new(&root)).unwrap();
    println!("started");
    for round in 0_u32.. {
        let text = "x".repeat(50_000 + round as usize);
        let mut set = files(&[("same/a", &text), ("same/b", &text)]);
        set.insert("same/c", Node::Hardlink("same/a".into()))
            .unwrap();
        let name = format!("{}", round % 20);
        let segment = store.put_segment(&format!("{name} {round}"), &set).unwrap();
        let layer = store.commit_layer(&[segment]).unwrap();
        store.unpacked(&layer).unwrap();
        store.compressed(&layer.parts[0], Codec::Gzip).unwrap();
        image(&store, &name, &[layer]);
    }
}

#[test]
fn killing_a_writer_at_any_instant_leaves_the_store_whole() {
    let directory = TempDir::new().unwrap();
    let root = directory.path().join("store");
    let mut images = 0;
    for round in 0..100_u64 {
        // On a slow machine a child may need longer for its first image; then it gets longer.
        if round >= 12 && images > 0 {
            break;
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::victim", "--nocapture"])
            .env(VICTIM, &root)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Begin to count when it writes, then kill it at another instant each time.
        let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("started") {
            line.clear();
            assert_ne!(
                std::io::BufRead::read_line(&mut output, &mut line).unwrap(),
                0
            );
        }
        std::thread::sleep(Duration::from_micros(
            1000 + round * 7919 % 60_000 + round.saturating_sub(11) * 50_000,
        ));
        child.kill().unwrap();
        child.wait().unwrap();

        let mut store = Store::open(&root).unwrap();
        assert_eq!(
            fs_err::read_dir(root.join("tmp")).unwrap().count(),
            1,
            "only the scratch directory of this process is left"
        );
        let whole = store.images().unwrap();
        for image in &whole {
            let tree = store.unpacked(&image.layers[0]).unwrap();
            let (a, c) = (
                fs_err::read(tree.join("same/a")),
                fs_err::read(tree.join("same/c")),
            );
            assert_eq!(a.unwrap(), c.unwrap());
        }
        let report = store.fsck().unwrap();
        assert!(report.is_clean(), "round {round}: {report:?}");
        assert!(whole.len() >= images, "an image that was there is gone");
        images = whole.len();
        if round % 4 == 3 {
            store.prune().unwrap();
            assert!(store.fsck().unwrap().is_clean());
        }
    }
    assert!(images > 0, "the child never got as far as an image");
}

/// Set for the child process of the next test: a directory on a small disk.
const SMALL_DISK: &str = "PLIMSOLL_TEST_SMALL_DISK";

/// Not a test of its own: runs on a file system of a few mebibytes.
#[test]
fn crowded() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a test tells its child what to do"
    )]
    let Ok(disk) = std::env::var(SMALL_DISK) else {
        return;
    };
    let mut store = Store::open(&Path::new(&disk).join("store")).unwrap();
    let fill = |number: usize| {
        let text = format!("{number}").repeat(100_000);
        let segment = store.put_segment(&number.to_string(), &files(&[("file", &text)]))?;
        let layer = store.commit_layer(&[segment])?;
        store.unpacked(&layer)?;
        Ok(layer)
    };
    let mut layers = Vec::new();
    let error: StoreError = loop {
        match fill(layers.len()) {
            Ok(layer) => layers.push(layer),
            Err(error) => break error,
        }
        assert!(layers.len() < 100, "the disk does not become full");
    };
    println!("full after {} layers: {error}", layers.len());
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert!(layers.len() > 2);
    for layer in &layers {
        let tree = store.unpacked(layer).unwrap();
        assert!(tree.join("file").metadata().unwrap().len() >= 100_000);
    }
    // Damage would be found; what a failed write left would be in the way.
    assert!(store.fsck().unwrap().is_clean());
    let report = store.prune().unwrap();
    assert!(report.layers >= layers.len());
    let layer = layer(&store, &[("again", "1")]);
    image(&store, "app", &[layer]);
    assert_eq!(store.images().unwrap().len(), 1);
}

#[test]
fn a_full_disk_is_a_clear_error_and_no_damage() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can mount a small disk");
        return;
    }
    let directory = TempDir::new().unwrap();
    let script = r#"mount -t tmpfs -o size=4m none "$1" && exec "$2" --exact store::tests::crowded --nocapture"#;
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(directory.path())
        .arg(std::env::current_exe().unwrap())
        .env(SMALL_DISK, directory.path())
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: there is no `unshare` program");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("no space is left for the store at"), "{text}");
}

#[test]
fn what_builds_used_lately_stays_and_what_they_forgot_goes() {
    let (directory, mut store) = open();
    let kept = layer(&store, &[("kept", "1")]);
    let recent = layer(&store, &[("recent", "1")]);
    let old = layer(&store, &[("old", "1")]);
    image(&store, "app", std::slice::from_ref(&kept));
    for layer in [&kept, &recent, &old] {
        store.unpacked(layer).unwrap();
    }
    store.remember("recent", &1, &[recent.diff_id]).unwrap();
    store.remember("old", &1, &[old.diff_id]).unwrap();
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    let long_ago = std::time::SystemTime::now() - day * 10;
    for memo in fs_err::read_dir(directory.path().join("store/memos")).unwrap() {
        let memo = fs_err::File::open(memo.unwrap().path()).unwrap();
        memo.set_modified(long_ago).unwrap();
    }
    // What is asked for is used.
    assert_eq!(store.recall::<u32>("recent"), Some(1));
    let spare = store.spare().unwrap();
    let since = long_ago + day;
    assert!(spare.iter().any(|(used, _)| *used >= since));
    assert!(spare.iter().any(|(used, _)| *used < since));

    let scope = PruneScope {
        unused_since: Some(since),
        ..PruneScope::default()
    };
    let would = store.would_prune(scope).unwrap();
    assert!(store.layer(&old.diff_id).is_ok(), "only counted");
    let did = store.prune_unused_since(since).unwrap();
    assert_eq!(
        (did.layers, did.blobs, did.bytes()),
        (would.layers, would.blobs, would.bytes())
    );
    assert_eq!(did.layers, 1);
    assert!(store.layer(&old.diff_id).is_err());
    assert!(store.layer(&recent.diff_id).is_ok() && store.layer(&kept.diff_id).is_ok());
    assert_eq!(store.recall::<u32>("old"), None);
    assert!(store.fsck().unwrap().is_clean());

    let without = std::collections::BTreeSet::from(["app".to_owned()]);
    let scope = PruneScope {
        without: Some(&without),
        ..PruneScope::default()
    };
    assert_eq!(store.would_prune(scope).unwrap().layers, 2);
    assert_eq!(store.prune().unwrap().layers, 1);
}

#[test]
fn a_prune_that_is_killed_anywhere_loses_no_image() {
    // Of what a prune does, in its order, each step may be the last.
    let mut steps = 0;
    loop {
        let (directory, store) = open();
        let kept = layer(&store, &[("kept", "1"), ("both", "1")]);
        let lost = layer(&store, &[("lost", "1"), ("both", "1")]);
        image(&store, "app", std::slice::from_ref(&kept));
        for layer in [&kept, &lost] {
            store.unpacked(layer).unwrap();
        }
        store.remember("lost", &1, &[lost.diff_id]).unwrap();
        let mut left = steps;
        let done = store.take_away(PruneScope::default(), &mut |path| {
            if left == 0 {
                return Err(StoreError::EmptyLayer);
            }
            left -= 1;
            store.discard(path)
        });
        // The next process finds the store as the killed one left it.
        drop(store);
        let mut store = Store::open(&directory.path().join("store")).unwrap();
        let [image] = store.images().unwrap().try_into().unwrap();
        assert_eq!(image.layers, [kept]);
        assert!(
            store
                .unpacked(&image.layers[0])
                .unwrap()
                .join("kept")
                .exists()
        );
        let again = layer(&store, &[("lost", "1"), ("both", "1")]);
        assert_eq!(again, lost, "after {steps}");
        store.prune().unwrap();
        assert!(store.fsck().unwrap().is_clean(), "after {steps}");
        if done.is_ok() {
            break;
        }
        steps += 1;
    }
    assert!(steps >= 3, "{steps}");
}
