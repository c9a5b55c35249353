//! Pushing to a small registry that behaves and misbehaves as registries do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_diag::Silent;

use super::fake::{FakeRegistry, Listing};
use super::*;
use crate::clients::ClientSettings;
use crate::fetch::test_server::Reply;
use crate::fetch::{FetchSettings, Fetcher};
use crate::layer::{Attributes, Content, FileSet, Node};
use crate::oci::{Architecture, ImageConfig};
use crate::store::{Image, ImageLayer, LayerForm, NewImage, Store};

struct Here {
    store: Store,
    client: RegistryClient,
    _root: tempfile::TempDir,
}

fn here() -> Here {
    let root = tempfile::tempdir().unwrap();
    let settings = FetchSettings {
        attempts: 3,
        first_delay: Duration::from_millis(1),
        patience: Duration::from_secs(3),
        ..FetchSettings::default()
    };
    let fetcher = Fetcher::new(settings, Arc::new(Silent)).unwrap();
    let client = RegistryClient::new(
        fetcher.clone(),
        fetcher,
        RegistrySettings::default(),
        ClientSettings::default(),
    );
    Here {
        store: Store::open(&root.path().join("store")).unwrap(),
        client,
        _root: root,
    }
}

/// Content that does not compress, so that its length is known.
fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes.push((state >> 8) as u8);
    }
    bytes
}

impl Here {
    fn image(&self, name: &str, architecture: Architecture, files: &[(&str, Vec<u8>)]) -> Image {
        let layers: Vec<ImageLayer> = files
            .iter()
            .map(|(path, content)| {
                let mut set = FileSet::new();
                set.insert(
                    path,
                    Node::File(Attributes::FILE, Content::Bytes(content.clone())),
                )
                .unwrap();
                let key = format!("{path} {}", Digest::of(content));
                let segment = self.store.put_segment(&key, &set).unwrap();
                ImageLayer {
                    layer: self.store.commit_layer(&[segment]).unwrap(),
                    created_by: (*path).to_string(),
                }
            })
            .collect();
        self.store
            .put_image(&NewImage {
                reference: name,
                architecture,
                config: &ImageConfig::default(),
                layers: &layers,
                annotations: BTreeMap::new(),
            })
            .unwrap()
    }

    fn push(
        &self,
        registry: &FakeRegistry,
        repository: &str,
        images: &[Image],
        chunk: u64,
    ) -> Result<Pushed, RegistryError> {
        let to: Reference = format!("{}/{repository}", registry.host()).parse().unwrap();
        self.client.push(
            &self.store,
            &PushRequest {
                subject: repository,
                images,
                form: LayerForm::Gzip,
                to: &to,
                tags: &["stable".to_string()],
                attachments: &[],
                chunk,
            },
        )
    }
}

use crate::Digest;
use crate::signature::Attachment;

const BIG: usize = 300_000;

#[test]
fn both_platforms_become_one_index_and_come_back() {
    let here = here();
    let registry = FakeRegistry::start();
    let shared = ("etc/shared", noise(1, BIG));
    let images = [
        here.image(
            "a:1",
            Architecture::Amd64,
            &[shared.clone(), ("x", b"amd".to_vec())],
        ),
        here.image(
            "a:1",
            Architecture::Arm64,
            &[shared, ("x", b"arm".to_vec())],
        ),
    ];
    let pushed = here.push(&registry, "team/a:1", &images, CHUNK).unwrap();
    assert_eq!(pushed.tags, ["1", "stable"]);
    assert_eq!(pushed.manifests.len(), 2);
    assert_eq!((pushed.blobs, pushed.present), (5, 0));
    let again = here.push(&registry, "team/a:1", &images, CHUNK).unwrap();
    assert_eq!((again.blobs, again.present, again.sent), (0, 5, 0));
    // Tags come when everything that they lead to is there.
    let puts: Vec<String> = registry
        .server
        .requests()
        .iter()
        .filter(|request| request.method == "PUT" && request.path.contains("/manifests/"))
        .map(|request| request.path.clone())
        .collect();
    assert!(
        puts[..3].iter().all(|path| path.contains("sha256:")),
        "{puts:?}"
    );
    assert!(puts[3].ends_with("/1") && puts[4].ends_with("/stable"));

    let other = self::here();
    let reference: Reference = format!("{}/team/a:1", registry.host()).parse().unwrap();
    let pulled = other
        .client
        .pull(
            &reference,
            "a:1",
            Architecture::Arm64,
            &other.store,
            &other._root.path().join("w"),
        )
        .unwrap();
    assert_eq!(pulled.id, images[1].id);
}

#[test]
fn what_is_said_beside_an_image_is_there_before_a_tag_leads_to_it() {
    let here = here();
    let registry = FakeRegistry::start();
    let image = here.image("a:1", Architecture::Amd64, &[("x", b"x".to_vec())]);
    let images = [image];
    let given = here
        .store
        .given_manifests(&images, LayerForm::Gzip)
        .unwrap();
    assert_eq!(given.manifests, std::slice::from_ref(&given.root));
    let bill = Attachment {
        kind: "application/spdx+json".to_string(),
        annotations: BTreeMap::new(),
        bytes: b"{}".to_vec(),
    };
    let to: Reference = format!("{}/a:1", registry.host()).parse().unwrap();
    let pushed = here
        .client
        .push(
            &here.store,
            &PushRequest {
                subject: "a",
                images: &images,
                form: LayerForm::Gzip,
                to: &to,
                tags: &[],
                attachments: &[(given.root.clone(), bill)],
                chunk: CHUNK,
            },
        )
        .unwrap();
    assert_eq!(
        (pushed.attached, pushed.root.digest),
        (1, given.root.digest)
    );
    let puts: Vec<String> = registry
        .server
        .requests()
        .iter()
        .filter(|request| request.method == "PUT" && request.path.contains("/manifests/"))
        .map(|request| request.path.clone())
        .collect();
    assert!(puts.last().unwrap().ends_with("/1"), "{puts:?}");
    let listed = here
        .client
        .referrers(&to, &given.root.digest, None)
        .unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        listed[0].artifact_type.as_deref(),
        Some("application/spdx+json")
    );
}

#[test]
fn a_layer_that_another_repository_has_is_mounted() {
    let here = here();
    let registry = FakeRegistry::start();
    let shared = ("etc/shared", noise(2, BIG));
    let first = here.image("a:1", Architecture::Amd64, std::slice::from_ref(&shared));
    let second = here.image("b:1", Architecture::Amd64, &[shared, ("y", b"b".to_vec())]);
    here.push(&registry, "a", &[first], CHUNK).unwrap();
    let pushed = here.push(&registry, "b", &[second], CHUNK).unwrap();
    assert_eq!((pushed.mounted, pushed.blobs), (1, 2));
}

#[test]
fn chunks_are_resumed_where_a_cut_left_them() {
    let here = here();
    let registry = FakeRegistry::with_fault(|request, shelves| {
        // The second chunk arrives, and the answer to it does not.
        (request.method == "PATCH" && request.headers["content-range"].starts_with("100000-")).then(
            || {
                let _ = shelves.answer(request);
                Reply::new(202, "x").cut_after(0)
            },
        )
    });
    let image = here.image("a:1", Architecture::Amd64, &[("n", noise(3, BIG))]);
    here.push(&registry, "a", &[image], 100_000).unwrap();
    let starts: Vec<String> = registry
        .server
        .requests()
        .iter()
        .filter_map(|request| Some(request.headers.get("content-range")?.clone()))
        .collect();
    assert_eq!(
        starts
            .iter()
            .filter(|range| range.starts_with("0-"))
            .count(),
        1,
        "{starts:?}"
    );
    assert_eq!(
        starts
            .iter()
            .filter(|range| range.starts_with("100000-"))
            .count(),
        1,
        "{starts:?}"
    );
}

#[test]
fn a_registry_that_takes_no_chunks_gets_the_blob_in_one_piece() {
    let here = here();
    let registry = FakeRegistry::with_fault(|request, _| {
        (request.method == "PATCH").then(|| Reply::new(405, "{}"))
    });
    let image = here.image("a:1", Architecture::Amd64, &[("n", noise(4, BIG))]);
    here.push(&registry, "a", &[image], 100_000).unwrap();
    assert_eq!(registry.count("PATCH", ""), 1);
}

#[test]
fn a_busy_failing_or_silent_registry_is_asked_again() {
    for fault in [429, 500, 0] {
        let here = here();
        let registry = FakeRegistry::with_fault(move |request, _| {
            let body = request.earlier == 0 && matches!(request.method.as_str(), "PUT" | "POST");
            body.then(|| match fault {
                429 => Reply::new(429, "").with("retry-after", "0"),
                0 => Reply {
                    stall: true,
                    ..Reply::new(201, "long").cut_after(0)
                },
                status => Reply::new(status, ""),
            })
        });
        let image = here.image("a:1", Architecture::Amd64, &[("n", noise(5, 1000))]);
        let pushed = here.push(&registry, "a", &[image], CHUNK);
        assert!(pushed.is_ok(), "{fault}: {pushed:?}");
    }
}

#[test]
fn a_registry_that_keeps_failing_is_told_and_nothing_is_tagged() {
    let here = here();
    let registry = FakeRegistry::with_fault(|request, _| {
        (request.method == "PUT" && request.path.contains("uploads")).then(|| Reply::new(503, ""))
    });
    let image = here.image("a:1", Architecture::Amd64, &[("n", noise(6, 1000))]);
    let error = here.push(&registry, "a", &[image], CHUNK).unwrap_err();
    assert!(
        matches!(error, RegistryError::Unreachable { .. }),
        "{error}"
    );
    assert!(registry.shelves().manifests.is_empty());
}

#[test]
fn a_push_that_was_cut_sends_only_what_is_missing() {
    let here = here();
    let image = here.image(
        "a:1",
        Architecture::Amd64,
        &[("n", noise(7, BIG)), ("m", noise(8, BIG))],
    );
    let broken = std::sync::atomic::AtomicBool::new(true);
    let registry = FakeRegistry::with_fault(move |request, shelves| {
        let refuse = request.path.contains("/manifests/")
            && request.method == "PUT"
            && broken.swap(false, std::sync::atomic::Ordering::SeqCst);
        let _ = &shelves;
        refuse.then(|| Reply::new(403, "{}"))
    });
    let images = [image];
    assert!(here.push(&registry, "a", &images, CHUNK).is_err());
    let pushed = here.push(&registry, "a", &images, CHUNK).unwrap();
    assert_eq!((pushed.present, pushed.sent), (3, 0));
}

#[test]
fn a_damaged_blob_never_leaves() {
    let here = here();
    let registry = FakeRegistry::start();
    let image = here.image("a:1", Architecture::Amd64, &[("n", noise(9, BIG))]);
    let images = [image];
    // Compressed once, then damaged: it is compressed again.
    here.store.shipment(&images, LayerForm::Gzip).unwrap();
    let directory = here.store.root().join("compressed");
    let largest = largest_file(&directory);
    flip(&largest);
    here.push(&registry, "a", &images, CHUNK).unwrap();
    // The part itself is damaged, and so is what was compressed of it.
    let registry = FakeRegistry::start();
    flip(&largest);
    flip(&largest_file(&here.store.root().join("blobs/sha256")));
    let error = here.push(&registry, "a", &images, CHUNK).unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    let shelves = registry.shelves();
    assert!(shelves.manifests.is_empty());
    assert!(
        shelves
            .blobs
            .iter()
            .all(|((_, digest), bytes)| Digest::of(bytes).to_string() == *digest)
    );
}

fn largest_file(directory: &std::path::Path) -> std::path::PathBuf {
    fs_err::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| fs_err::metadata(path).unwrap().len())
        .unwrap()
}

fn flip(path: &std::path::Path) {
    let mut bytes = fs_err::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(path, bytes).unwrap();
}

#[test]
fn a_token_to_push_is_asked_for_and_never_sent_elsewhere() {
    let here = here();
    let realm = Arc::new(std::sync::OnceLock::<String>::new());
    let known = Arc::clone(&realm);
    let registry = FakeRegistry::with_fault(move |request, _| {
        if let Some(scope) = request.path.strip_prefix("/token?") {
            assert_eq!(scope, "scope=repository:a:pull,push&service=s");
            return Some(Reply::new(200, r#"{"token":"t"}"#));
        }
        if request.headers.get("authorization").map(String::as_str) == Some("Bearer t") {
            return None;
        }
        let challenge = format!(
            "Bearer realm=\"{}\",service=\"s\",scope=\"repository:a:pull\"",
            known.get().unwrap()
        );
        Some(Reply::new(401, "{}").with("www-authenticate", &challenge))
    });
    realm.set(registry.server.url("/token")).unwrap();
    let image = here.image("a:1", Architecture::Amd64, &[("n", noise(10, 100))]);
    here.push(&registry, "a", &[image], CHUNK).unwrap();
}

#[test]
fn an_artifact_is_found_by_its_subject_with_and_without_the_registrys_list() {
    for lists in [Listing::Whole, Listing::Vague, Listing::None] {
        let here = here();
        let registry = FakeRegistry::start();
        registry.shelves().referrers = lists;
        let image = here.image("a:1", Architecture::Amd64, &[("n", noise(11, 100))]);
        let pushed = here.push(&registry, "a", &[image], CHUNK).unwrap();
        let to: Reference = format!("{}/a", registry.host()).parse().unwrap();
        for kind in ["application/vnd.cyclonedx+json", "text/x", "text/x"] {
            let layer = ArtifactLayer::new(kind, b"{\"bom\":1}".to_vec());
            let notes = BTreeMap::from([("made.by".to_string(), "test".to_string())]);
            here.client
                .attach(&here.store, &to, &pushed.root, kind, notes, vec![layer])
                .unwrap();
        }
        let all = here
            .client
            .referrers(&to, &pushed.root.digest, None)
            .unwrap();
        assert_eq!(all.len(), 2, "attaching twice changes nothing");
        let boms = here
            .client
            .referrers(
                &to,
                &pushed.root.digest,
                Some("application/vnd.cyclonedx+json"),
            )
            .unwrap();
        assert_eq!(boms.len(), 1);
        assert_eq!(boms[0].annotations["made.by"], "test");
        let layers = here.client.artifact(&to, &boms[0].digest).unwrap();
        assert_eq!(layers[0].bytes, b"{\"bom\":1}");
        let tagged = registry
            .shelves()
            .manifests
            .contains_key(&("a".into(), pushed.root.digest.to_string().replace(':', "-")));
        assert_eq!(tagged, lists != Listing::Whole);
    }
}

#[test]
fn tags_are_listed_and_an_image_goes_with_all_of_its_tags() {
    let here = here();
    let registry = FakeRegistry::start();
    let old = here.image("a:1", Architecture::Amd64, &[("n", noise(15, 100))]);
    here.push(&registry, "a:1", &[old], CHUNK).unwrap();
    let new = here.image("a:1", Architecture::Amd64, &[("n", noise(17, 100))]);
    here.push(&registry, "a:2", &[new], CHUNK).unwrap();
    let repository = Reference::repository(&format!("{}/a", registry.host())).unwrap();
    assert_eq!(here.client.tags(&repository).unwrap(), ["1", "2", "stable"]);
    let tagged = |tag: &str| {
        let reference = Reference {
            tag: Some(tag.into()),
            ..repository.clone()
        };
        here.client.digest_of(&reference).unwrap()
    };
    here.client
        .remove(&repository, &tagged("2").unwrap())
        .unwrap();
    assert_eq!(here.client.tags(&repository).unwrap(), ["1"]);
    assert_eq!(tagged("stable"), None);
}

#[test]
fn another_machine_takes_what_was_built_from_a_cache() {
    let first = here();
    let registry = FakeRegistry::start();
    let image = first.image("a:1", Architecture::Amd64, &[("n", noise(19, BIG))]);
    let layer = &image.layers[0];
    let needs = [layer.diff_id];
    first.store.remember("recipe", &"answer", &needs).unwrap();
    let reference: Reference = format!("{}/cache:main", registry.host()).parse().unwrap();
    let saved = first.client.save_cache(&first.store, &reference).unwrap();
    assert_eq!((saved.layers, saved.transferred), (1, 1));

    let second = here();
    let work = second._root.path().join("work");
    let loaded = second.client.load_cache(&second.store, &reference, &work);
    assert_eq!(loaded.unwrap().transferred, 1);
    assert_eq!(second.store.recall::<String>("recipe").unwrap(), "answer");
    assert_eq!(&second.store.layer(&layer.diff_id).unwrap(), layer);
    let key = format!("n {}", Digest::of(&noise(19, BIG)));
    assert!(
        second.store.segment(&key).is_some(),
        "segments can be used again"
    );
    let again = second.client.load_cache(&second.store, &reference, &work);
    assert_eq!(again.unwrap().transferred, 0);

    let nothing: Reference = format!("{}/cache:other", registry.host()).parse().unwrap();
    let loaded = second.client.load_cache(&second.store, &nothing, &work);
    assert_eq!(loaded.unwrap(), CacheReport::default());
}

#[test]
fn a_cache_with_wrong_content_is_not_used() {
    let first = here();
    let registry = FakeRegistry::start();
    let image = first.image("a:1", Architecture::Amd64, &[("n", noise(21, BIG))]);
    first
        .store
        .remember("recipe", &"answer", &[image.layers[0].diff_id])
        .unwrap();
    let reference: Reference = format!("{}/cache:main", registry.host()).parse().unwrap();
    first.client.save_cache(&first.store, &reference).unwrap();
    {
        let mut shelves = registry.shelves();
        let largest = shelves.blobs.values_mut().max_by_key(|blob| blob.len());
        let blob = largest.unwrap();
        let middle = blob.len() / 2;
        blob[middle] ^= 1;
    }
    let second = here();
    let work = second._root.path().join("work");
    assert!(
        second
            .client
            .load_cache(&second.store, &reference, &work)
            .is_err()
    );
    assert_eq!(second.store.recall::<String>("recipe"), None);
}
