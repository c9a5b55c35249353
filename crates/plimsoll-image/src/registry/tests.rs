//! Pulling from a small registry that behaves and misbehaves as registries do.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use plimsoll_diag::Silent;

use super::*;
use crate::clients::ClientSettings;
use crate::fetch::test_server::{Reply, Request, TestServer};
use crate::fetch::{FetchSettings, Fetcher};
use crate::oci::{
    Architecture, ConfigFile, Descriptor, EPOCH, Index, Manifest, Platform, media_type,
};
use crate::store::{Image, Store};
use crate::{Digest, oci};

/// An image as a registry has it.
#[derive(Clone)]
struct Published {
    layer: Vec<u8>,
    config: Vec<u8>,
    manifest: Vec<u8>,
    index: Vec<u8>,
    diff_id: Digest,
}

fn published() -> Published {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(6);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    builder
        .append_data(&mut header, "etc/motd", &b"hello\n"[..])
        .unwrap();
    let archive = builder.into_inner().unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Level::none());
    gzip.write_all(&archive).unwrap();
    // Long enough to be cut in the middle.
    let layer = gzip.finish().unwrap();
    let diff_id = Digest::of(&archive);
    let config = ConfigFile {
        architecture: Architecture::Amd64,
        config: oci::ImageConfig {
            user: "1000".into(),
            command: vec!["cat".into(), "/etc/motd".into()],
            ..oci::ImageConfig::default()
        },
        created: EPOCH.into(),
        diff_ids: vec![diff_id],
        history: Vec::new(),
    }
    .to_json();
    let manifest = Manifest::new(
        Descriptor::of(media_type::CONFIG, &config),
        vec![Descriptor::of(media_type::LAYER_GZIP, &layer)],
    )
    .to_json();
    let mut entry = Descriptor::of(media_type::MANIFEST, &manifest);
    entry.platform = Some(Platform::linux(Architecture::Amd64));
    let index = Index {
        manifests: vec![entry],
        ..Index::default()
    }
    .to_json();
    Published {
        layer,
        config,
        manifest,
        index,
        diff_id,
    }
}

impl Published {
    /// The answer of a registry without faults that wants no token.
    fn answer(&self, request: &Request) -> Reply {
        let path = request.path.as_str();
        let ends = |bytes: &[u8]| path.ends_with(&Digest::of(bytes).to_string());
        if path == "/v2/team/app/manifests/1" {
            Reply::new(200, self.index.clone())
        } else if ends(&self.manifest) {
            Reply::new(200, self.manifest.clone())
        } else if ends(&self.config) {
            Reply::new(200, self.config.clone())
        } else if ends(&self.layer) {
            Reply::file(request, &self.layer)
        } else {
            Reply::new(404, "{}")
        }
    }
}

struct Pull {
    result: Result<Image, RegistryError>,
    store: Store,
    _root: tempfile::TempDir,
}

fn pull_from(server: &TestServer, name: &str, clients: ClientSettings) -> Pull {
    let root = tempfile::tempdir().unwrap();
    let settings = FetchSettings {
        attempts: 3,
        first_delay: Duration::from_millis(1),
        ..FetchSettings::default()
    };
    let fetcher = Fetcher::new(settings, Arc::new(Silent)).unwrap();
    let client = RegistryClient::new(
        fetcher.clone(),
        fetcher,
        RegistrySettings::default(),
        clients,
    );
    let store = Store::open(&root.path().join("store")).unwrap();
    let host = server.url("").replace("http://", "");
    let reference: Reference = format!("{host}/{name}").parse().unwrap();
    let work = root.path().join("work");
    let result = client.pull(&reference, name, Architecture::Amd64, &store, &work);
    Pull {
        result,
        store,
        _root: root,
    }
}

fn pull(server: &TestServer) -> Pull {
    pull_from(server, "team/app:1", ClientSettings::default())
}

#[test]
fn an_image_comes_whole_and_is_kept_under_its_name() {
    let image = published();
    let diff_id = image.diff_id;
    let server = TestServer::start(move |request| image.answer(request));
    let pulled = pull(&server);
    let image = pulled.result.unwrap();
    assert_eq!(image.config.command, ["cat", "/etc/motd"]);
    assert_eq!(image.layers[0].diff_id, diff_id);
    let tree = pulled.store.unpacked(&image.layers[0]).unwrap();
    assert_eq!(
        fs_err::read_to_string(tree.join("etc/motd")).unwrap(),
        "hello\n"
    );
    let kept = pulled
        .store
        .image("team/app:1", Architecture::Amd64)
        .unwrap();
    assert_eq!(kept.unwrap().id, image.id);
}

#[test]
fn a_token_is_fetched_once_and_sent_with_everything() {
    let image = published();
    let realm = Arc::new(std::sync::OnceLock::<String>::new());
    let answer_realm = Arc::clone(&realm);
    let server = TestServer::start(move |request| {
        if request.path.starts_with("/token?") {
            assert_eq!(
                request.path,
                "/token?scope=repository:team/app:pull&service=test"
            );
            assert_eq!(request.headers["authorization"], "Basic YW5uYTpzZWNyZXQ=");
            return Reply::new(200, r#"{"access_token":"t0"}"#);
        }
        if request.headers.get("authorization").map(String::as_str) == Some("Bearer t0") {
            return image.answer(request);
        }
        let challenge = format!(
            "Bearer realm=\"{}\",service=\"test\",scope=\"repository:team/app:pull\"",
            answer_realm.get().unwrap()
        );
        Reply::new(401, "{}").with("www-authenticate", &challenge)
    });
    realm.set(server.url("/token")).unwrap();
    let home = tempfile::tempdir().unwrap();
    let host = server.url("").replace("http://", "");
    fs_err::create_dir_all(home.path().join(".docker")).unwrap();
    let config = format!(r#"{{"auths":{{"{host}":{{"auth":"YW5uYTpzZWNyZXQ="}}}}}}"#);
    fs_err::write(home.path().join(".docker/config.json"), config).unwrap();
    let clients = ClientSettings {
        home: Some(home.path().to_path_buf()),
        ..ClientSettings::default()
    };
    let pulled = pull_from(&server, "team/app:1", clients);
    pulled.result.unwrap();
    let tokens = server
        .requests()
        .iter()
        .filter(|request| request.path.starts_with("/token"))
        .count();
    assert_eq!(tokens, 1);
}

#[test]
fn a_cut_blob_and_a_failing_server_are_asked_again() {
    let image = published();
    let layer = Digest::of(&image.layer).to_string();
    let server = TestServer::start(move |request| match request.earlier {
        0 if request.path.ends_with(&layer) => image.answer(request).cut_after(700),
        0 => Reply::new(500, "try again"),
        _ => image.answer(request),
    });
    pull(&server).result.unwrap();
    let ranges: Vec<String> = server
        .requests()
        .iter()
        .filter_map(|request| request.headers.get("range").cloned())
        .collect();
    assert_eq!(ranges.len(), 1, "the second half was asked for alone");
}

#[test]
fn content_with_another_digest_is_never_kept() {
    let image = published();
    let mut other = image.clone();
    other.layer[20] ^= 1;
    let good = Digest::of(&image.layer).to_string();
    let server = TestServer::start(move |request| match request.path.ends_with(&good) {
        true => Reply::file(request, &other.layer),
        false => image.answer(request),
    });
    let pulled = pull(&server);
    assert!(matches!(
        pulled.result,
        Err(RegistryError::Fetch(crate::FetchError::Digest { .. }))
    ));
    assert!(pulled.store.images().unwrap().is_empty());
}

#[test]
fn refusals_are_told_apart() {
    let missing = TestServer::start(|_| Reply::new(404, "{}"));
    assert!(matches!(
        pull(&missing).result,
        Err(RegistryError::NotFound { .. })
    ));
    let closed =
        TestServer::start(|_| Reply::new(401, "{}").with("www-authenticate", "Basic realm=\"x\""));
    let denied = pull(&closed).result;
    assert!(matches!(
        denied,
        Err(RegistryError::Denied { status: 401, .. })
    ));
    let broken = TestServer::start(|_| Reply::new(503, ""));
    assert!(matches!(
        pull(&broken).result,
        Err(RegistryError::Unreachable { .. })
    ));

    let mut foreign = published();
    foreign.index = String::from_utf8(foreign.index)
        .unwrap()
        .replace("amd64", "s390x")
        .into_bytes();
    let server = TestServer::start(move |request| foreign.answer(request));
    let error = pull(&server).result.unwrap_err().to_string();
    assert!(
        error.ends_with("is not made for linux/amd64; there are linux/s390x"),
        "{error}"
    );
}
