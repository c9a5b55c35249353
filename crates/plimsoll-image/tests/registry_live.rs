//! Pulling from a real registry server, where the machine has one to start on loopback.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by a panic, and shows what it did"
)]

mod support;

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use plimsoll_image::Digest;
use plimsoll_image::builder::PullPolicy;
use plimsoll_image::oci::{
    Architecture, ConfigFile, Descriptor, EPOCH, ImageConfig, Manifest, media_type,
};
use support::Bench;

/// Debian's registry server, until dropped.
struct Registry {
    child: Child,
    host: String,
    _data: tempfile::TempDir,
}

impl Registry {
    fn start() -> Option<Self> {
        let data = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let host = format!("127.0.0.1:{port}");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{host}'}}\n",
            data.path().display()
        );
        let file = data.path().join("config.yml");
        fs_err::write(&file, text).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        for _ in 0..100 {
            if TcpStream::connect(&host).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(Self {
            child,
            host,
            _data: data,
        })
    }

    fn push_blob(&self, name: &str, bytes: &[u8]) {
        let start = format!("http://{}/v2/{name}/blobs/uploads/", self.host);
        let answer = ureq::post(&start).send_empty().unwrap();
        let place = answer.headers()["location"].to_str().unwrap();
        let joint = if place.contains('?') { '&' } else { '?' };
        let digest = Digest::of(bytes);
        ureq::put(format!("{place}{joint}digest={digest}"))
            .send(bytes)
            .unwrap();
    }

    fn push_manifest(&self, name: &str, tag: &str, manifest: &[u8]) {
        ureq::put(format!("http://{}/v2/{name}/manifests/{tag}", self.host))
            .content_type(media_type::MANIFEST)
            .send(manifest)
            .unwrap();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A gzip layer with one file.
fn layer(path: &str, text: &str) -> (Vec<u8>, Digest) {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    builder
        .append_data(&mut header, path, text.as_bytes())
        .unwrap();
    let archive = builder.into_inner().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&archive).unwrap();
    (gzip.finish().unwrap(), Digest::of(&archive))
}

#[test]
fn a_pulled_image_has_its_layers_and_their_whiteouts() {
    let Some(bench) = Bench::open("registry") else {
        return;
    };
    let Some(registry) = Registry::start() else {
        println!("registry skipped: there is no `docker-registry` to start");
        return;
    };
    let lower = layer("etc/old", "old");
    let upper = layer("etc/.wh.old", "");
    let config = ConfigFile {
        architecture: Architecture::host().unwrap(),
        config: ImageConfig {
            user: "7:7".into(),
            ..ImageConfig::default()
        },
        created: EPOCH.into(),
        diff_ids: vec![lower.1, upper.1],
        history: Vec::new(),
    }
    .to_json();
    let layers = [&lower.0, &upper.0];
    let manifest = Manifest::new(
        Descriptor::of(media_type::CONFIG, &config),
        layers
            .map(|bytes| Descriptor::of(media_type::LAYER_GZIP, bytes))
            .to_vec(),
    )
    .to_json();
    for bytes in [&lower.0, &upper.0, &config] {
        registry.push_blob("team/app", bytes);
    }
    registry.push_manifest("team/app", "1", &manifest);

    let reference = format!("{}/team/app:1", registry.host);
    let builder = bench.builder();
    let pulled = builder.obtain(&reference, PullPolicy::Missing).unwrap();
    assert_eq!(pulled.stand_in, None);
    assert_eq!(pulled.image.config.user, "7:7");
    let tree = bench.store.unpacked(&pulled.image.layers[1]).unwrap();
    let metadata = fs_err::symlink_metadata(tree.join("etc/old")).unwrap();
    assert!(
        std::os::unix::fs::FileTypeExt::is_char_device(&metadata.file_type()),
        "a whiteout is overlayfs's kind"
    );
    let gone = builder.obtain(&format!("{}/team/app:2", registry.host), PullPolicy::Always);
    assert!(
        gone.unwrap_err()
            .to_string()
            .starts_with("the registry has no")
    );
    drop(registry);
    // What was pulled stays usable without its registry.
    let again = builder.obtain(&reference, PullPolicy::Missing).unwrap();
    assert_eq!(again.image.id, pulled.image.id);
    assert!(bench.store.remove_image(&reference).unwrap());
}
