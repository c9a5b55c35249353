//! Images of small ELF files that are written here byte by byte.

use proptest::prelude::*;

use super::object;
use super::*;
use crate::layer::{Attributes, Content, FileSet, Node};
use crate::oci::{Architecture, ImageConfig};
use crate::store::{ImageLayer, Store};

#[derive(Clone)]
struct Elf<'a> {
    machine: u16,
    needed: &'a [&'a str],
    runpath: Option<&'a str>,
    requires: Option<(&'a str, &'a str)>,
    provides: &'a [&'a str],
}

const PLAIN: Elf<'_> = Elf {
    machine: 62,
    needed: &[],
    runpath: None,
    requires: None,
    provides: &[],
};

impl Elf<'_> {
    /// One loaded segment that is the whole file, addresses being offsets.
    fn bytes(&self) -> Vec<u8> {
        const TABLES: usize = 64 + 2 * 56;
        let mut strings = vec![0_u8];
        let mut name = |text: &str| {
            let at = strings.len() as u64;
            strings.extend(text.as_bytes());
            strings.push(0);
            at
        };
        let mut dynamic: Vec<(u64, u64)> = self.needed.iter().map(|n| (1, name(n))).collect();
        dynamic.extend(self.runpath.map(|path| (29, name(path))));
        let mut needs = Vec::new();
        if let Some((library, version)) = self.requires {
            for half in [1_u16, 1] {
                needs.extend(half.to_le_bytes());
            }
            for word in [name(library) as u32, 16, 0] {
                needs.extend(word.to_le_bytes());
            }
            for word in [0, 0, name(version) as u32, 0] {
                needs.extend(u32::to_le_bytes(word));
            }
        }
        let mut provides = Vec::new();
        for version in self.provides {
            provides.extend([0; 12]);
            for word in [20, 28, name(version) as u32, 0] {
                provides.extend(u32::to_le_bytes(word));
            }
        }
        let count = dynamic.len() + 7;
        let strings_at = (TABLES + count * 16) as u64;
        let needs_at = strings_at + strings.len() as u64;
        let provides_at = needs_at + needs.len() as u64;
        dynamic.extend([(5, strings_at), (10, strings.len() as u64)]);
        dynamic.push((0x6fff_fffe, needs_at));
        dynamic.push((0x6fff_ffff, u64::from(self.requires.is_some())));
        dynamic.push((0x6fff_fffc, provides_at));
        dynamic.push((0x6fff_fffd, self.provides.len() as u64));
        dynamic.push((0, 0));
        let size = provides_at + provides.len() as u64;
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(16, 0);
        bytes.extend(3_u16.to_le_bytes());
        bytes.extend(self.machine.to_le_bytes());
        bytes.resize(32, 0);
        bytes.extend(64_u64.to_le_bytes());
        bytes.resize(54, 0);
        bytes.extend(56_u16.to_le_bytes());
        bytes.extend(2_u16.to_le_bytes());
        bytes.resize(64, 0);
        for (kind, offset, length) in [
            (1_u64, 0, size),
            (2, TABLES as u64, (dynamic.len() * 16) as u64),
        ] {
            for word in [kind, offset, offset, offset, length, length, 1] {
                bytes.extend(word.to_le_bytes());
            }
        }
        for (tag, value) in dynamic {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        [bytes, strings, needs, provides].concat()
    }
}

/// What is found in an image of one layer that starts `/app`.
fn findings(files: &[(&str, Elf<'_>)], links: &[(&str, &str)]) -> Vec<String> {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(&root.path().join("store")).unwrap();
    let mut set = FileSet::new();
    for (path, elf) in files {
        let content = Content::Bytes(elf.bytes());
        set.insert(path, Node::File(Attributes::FILE, content))
            .unwrap();
    }
    for (path, target) in links {
        set.symlink(path, target).unwrap();
    }
    let segment = store.put_segment("files", &set).unwrap();
    let layers = [ImageLayer {
        layer: store.commit_layer(&[segment]).unwrap(),
        created_by: "test".into(),
    }];
    let config = ImageConfig {
        command: vec!["app".into()],
        environment: vec![("PATH".into(), "/bin:/usr/bin".into())],
        ..ImageConfig::default()
    };
    let look = || audit(&store, Architecture::Amd64, &config, &layers).unwrap();
    let found = look();
    assert_eq!(look(), found, "what is remembered is what was found");
    found
        .iter()
        .map(|finding| format!("{:?} {finding}", finding.severity))
        .collect()
}

#[test]
fn libraries_are_found_where_the_loader_looks() {
    let app = Elf {
        needed: &["libc.so.6", "libown.so"],
        runpath: Some("$ORIGIN/../opt/own"),
        requires: Some(("libc.so.6", "GLIBC_2.36")),
        ..PLAIN
    };
    let libc = Elf {
        provides: &["GLIBC_2.4", "GLIBC_2.36"],
        ..PLAIN
    };
    let found = findings(
        &[
            ("usr/bin/app", app),
            ("usr/lib/x86_64-linux-gnu/libc-2.36.so", libc),
            ("usr/opt/own/libown.so.1", PLAIN),
        ],
        &[
            ("lib", "usr/lib"),
            ("usr/lib/x86_64-linux-gnu/libc.so.6", "libc-2.36.so"),
            ("usr/opt/own/libown.so", "/usr/opt/own/libown.so.1"),
        ],
    );
    assert_eq!(found, [""; 0]);
}

#[test]
fn what_cannot_be_loaded_is_named_with_its_weight() {
    let program = Elf {
        needed: &["libc.so.6", "libpq.so.5"],
        requires: Some(("libc.so.6", "GLIBC_2.38")),
        ..PLAIN
    };
    let module = Elf {
        needed: &["libGL.so.1"],
        ..PLAIN
    };
    let arm = Elf {
        machine: 183,
        ..PLAIN
    };
    let found = findings(
        &[
            ("bin/app", program),
            (
                "lib/libc.so.6",
                Elf {
                    provides: &["GLIBC_2.4", "GLIBC_2.36"],
                    ..PLAIN
                },
            ),
            ("site/a.so", module.clone()),
            ("site/b.so", module),
            ("site/wrong.so", arm.clone()),
            ("site/prebuilds/linux-arm64/node.node", arm.clone()),
            ("site/tests/data.so", arm),
        ],
        &[],
    );
    insta::assert_snapshot!(found.join("\n"), @r"
    Error `/bin/app` needs GLIBC_2.38 of `libc.so.6`, which has GLIBC_2.36 at most (layer: test)
    Error `/bin/app` needs `libpq.so.5`, which the image does not have (layer: test)
    Error `/site/wrong.so` is for arm64 (layer: test)
    Warning `/site/a.so` and 1 more need `libGL.so.1`, which the image does not have (layer: test)
    ");
}

#[test]
fn links_that_go_round_end() {
    let app = Elf {
        needed: &["libx.so"],
        ..PLAIN
    };
    let found = findings(
        &[("bin/app", app)],
        &[
            ("lib/libx.so", "liby.so"),
            ("lib/liby.so", "libx.so"),
            ("usr/lib", "lib"),
        ],
    );
    assert_eq!(found.len(), 1);
}

proptest! {
    #[test]
    fn nonsense_never_panics(start in 0_usize..400, noise in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut bytes = Elf {
            needed: &["a", "b"],
            requires: Some(("a", "V_1")),
            provides: &["V_1", "V_2"],
            ..PLAIN
        }
        .bytes();
        for (offset, byte) in noise.into_iter().enumerate() {
            if let Some(place) = bytes.get_mut(start + offset) {
                *place = byte;
            }
        }
        let read_at = |offset: u64, length: u64| {
            let start = usize::try_from(offset).unwrap();
            let end = start.checked_add(usize::try_from(length).unwrap());
            end.and_then(|end| bytes.get(start..end))
                .map(<[u8]>::to_vec)
                .ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
        };
        let _ = object::read("x", &bytes[..64], &read_at);
    }
}
