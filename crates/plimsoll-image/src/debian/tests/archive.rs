//! A Debian archive made on the spot.

use std::collections::BTreeMap;
use std::io::Write;

use pgp::composed::{
    ArmorOptions, CleartextSignedMessage, KeyType, SecretKeyParamsBuilder, SignedSecretKey,
};
use pgp::types::Password;

use super::super::deb::tests::ar;
use crate::Digest;

/// Who signs an archive.
pub(super) struct Signer {
    key: SignedSecretKey,
    /// The armored public key.
    pub(super) public: String,
}

impl Signer {
    pub(super) fn new() -> Self {
        let key = SecretKeyParamsBuilder::default()
            .key_type(KeyType::Ed25519Legacy)
            .can_certify(true)
            .can_sign(true)
            .primary_user_id("An archive".into())
            .build()
            .unwrap()
            .generate(rand::thread_rng())
            .unwrap();
        let public = key
            .to_public_key()
            .to_armored_string(ArmorOptions::default())
            .unwrap();
        Self { key, public }
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        CleartextSignedMessage::sign(rand::thread_rng(), text, &*self.key, &Password::empty())
            .unwrap()
            .to_armored_string(ArmorOptions::default())
            .unwrap()
            .into_bytes()
    }
}

/// What stands at a path of a package.
#[derive(Clone, Copy)]
pub(super) enum Content {
    File(&'static str),
    Symlink(&'static str),
    Hardlink(&'static str),
    Device,
}

struct FakePackage {
    name: String,
    version: String,
    depends: String,
    deb: Vec<u8>,
}

/// An archive before it is published.
pub(super) struct FakeArchive<'a> {
    signer: &'a Signer,
    main: Vec<FakePackage>,
    security: Vec<FakePackage>,
    pub(super) codename: String,
    pub(super) valid_until: Option<String>,
}

/// The files of an archive by path.
#[derive(Clone)]
pub(super) struct Published(BTreeMap<String, Vec<u8>>);

impl<'a> FakeArchive<'a> {
    /// One that has what every base needs.
    pub(super) fn new(signer: &'a Signer) -> Self {
        let mut archive = Self {
            signer,
            main: Vec::new(),
            security: Vec::new(),
            codename: "trixie".into(),
            valid_until: None,
        };
        let certificates = "./usr/share/ca-certificates/mozilla";
        archive.add(
            "base-files",
            "13",
            "",
            &[("./etc/debian_version", Content::File("13.0\n"))],
        );
        archive.add(
            "ca-certificates",
            "20250419",
            "openssl, debconf",
            &[
                (
                    format!("{certificates}/2.crt").leak(),
                    Content::File("TWO\n"),
                ),
                (
                    format!("{certificates}/1.crt").leak(),
                    Content::File("ONE\n"),
                ),
            ],
        );
        archive.add(
            "libc6",
            "2.41-1",
            "libgcc-s1",
            &[("./usr/lib/libc.so.6", Content::File("libc"))],
        );
        for name in [
            "libc-bin",
            "libgcc-s1",
            "libstdc++6",
            "media-types",
            "netbase",
            "tzdata",
        ] {
            let manual = format!("./usr/share/man/man1/{name}.1.gz").leak();
            archive.add(name, "1", "libc6", &[(manual, Content::File("manual"))]);
        }
        archive
    }

    pub(super) fn add(
        &mut self,
        name: &str,
        version: &str,
        depends: &str,
        files: &[(&'static str, Content)],
    ) {
        self.main.push(package(name, version, depends, files));
    }

    pub(super) fn add_security(
        &mut self,
        name: &str,
        version: &str,
        files: &[(&'static str, Content)],
    ) {
        self.security.push(package(name, version, "", files));
    }

    pub(super) fn publish(self) -> Published {
        let mut files = BTreeMap::new();
        for (root, codename, packages) in [
            ("/debian", self.codename.clone(), &self.main),
            (
                "/security",
                format!("{}-security", self.codename),
                &self.security,
            ),
        ] {
            let served = if root == "/debian" {
                "trixie"
            } else {
                "trixie-security"
            };
            let mut list = String::new();
            for package in packages {
                let filename = format!("pool/{}_{}.deb", package.name, package.version);
                list.push_str(&format!(
                    "Package: {}\nVersion: {}\nArchitecture: amd64\nMaintainer: nobody\nDepends: {}\n\
                     Filename: {filename}\nSize: {}\nSHA256: {}\n\n",
                    package.name,
                    package.version,
                    package.depends,
                    package.deb.len(),
                    Digest::of(&package.deb).hex()
                ));
                files.insert(format!("{root}/{filename}"), package.deb.clone());
            }
            let list = xz(list.as_bytes());
            let hash = Digest::of(&list).hex();
            let valid = self
                .valid_until
                .as_ref()
                .map(|date| format!("Valid-Until: {date}\n"));
            let release = format!(
                "Origin: Debian\nCodename: {codename}\nDate: Sat, 12 Sep 2026 07:55:41 UTC\n{}\
                 Acquire-By-Hash: yes\nSHA256:\n {hash} {} main/binary-amd64/Packages.xz\n",
                valid.unwrap_or_default(),
                list.len()
            );
            let directory = format!("{root}/dists/{served}");
            files.insert(format!("{directory}/InRelease"), self.signer.sign(&release));
            files.insert(
                format!("{directory}/main/binary-amd64/by-hash/SHA256/{hash}"),
                list,
            );
        }
        Published(files)
    }
}

impl Published {
    pub(super) fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }

    pub(super) fn change(&mut self, path: &str, change: impl FnOnce(&str) -> String) {
        let bytes = self.0.get_mut(path).expect("the file");
        *bytes = change(std::str::from_utf8(bytes).unwrap()).into_bytes();
    }

    /// Flips a bit in the file whose path contains this.
    pub(super) fn corrupt(&mut self, part: &str) {
        let (_, bytes) = self
            .0
            .iter_mut()
            .find(|(path, _)| path.contains(part))
            .unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    }

    pub(super) fn remove(&mut self, part: &str) {
        self.0.retain(|path, _| !path.contains(part));
    }
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn package(
    name: &str,
    version: &str,
    depends: &str,
    files: &[(&'static str, Content)],
) -> FakePackage {
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: nobody\nDescription: a test\n"
    );
    let sums: String = files
        .iter()
        .map(|(path, _)| {
            format!(
                "d41d8cd98f00b204e9800998ecf8427e  {}\n",
                path.trim_start_matches("./")
            )
        })
        .collect();
    let control_tar = tar(&[
        ("./control", b'0', control.as_bytes(), ""),
        ("./md5sums", b'0', sums.as_bytes(), ""),
    ]);
    let entries: Vec<(&str, u8, &[u8], &str)> = files
        .iter()
        .map(|(path, content)| match content {
            Content::File(text) => (*path, b'0', text.as_bytes(), ""),
            Content::Symlink(target) => (*path, b'2', &[][..], *target),
            Content::Hardlink(target) => (*path, b'1', &[][..], *target),
            Content::Device => (*path, b'4', &[][..], ""),
        })
        .collect();
    let deb = ar(&[
        ("debian-binary", b"2.0\n"),
        ("control.tar.xz", &xz(&control_tar)),
        ("data.tar.xz", &xz(&tar(&entries))),
    ]);
    FakePackage {
        name: name.to_owned(),
        version: version.to_owned(),
        depends: depends.to_owned(),
        deb,
    }
}

/// A tar archive whose names are written as they are, also those that no builder would take.
fn tar(entries: &[(&str, u8, &[u8], &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (path, kind, content, link) in entries {
        let mut header = ::tar::Header::new_gnu();
        let raw = header.as_mut_bytes();
        raw[..path.len()].copy_from_slice(path.as_bytes());
        raw[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(::tar::EntryType::new(*kind));
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        header.set_size(content.len() as u64);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}
