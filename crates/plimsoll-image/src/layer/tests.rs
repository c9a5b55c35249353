//! Round trips, and archives that mean harm.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn segment(files: &FileSet) -> Vec<u8> {
    let mut bytes = Vec::new();
    let length = write_tar(files, &mut bytes).unwrap();
    assert_eq!(length, bytes.len() as u64);
    bytes
}

fn unpack_bytes(bytes: &[u8], root: &Path, origin: Origin) -> Result<Unpacked, LayerError> {
    unpack(&mut &*bytes, root, origin, Limits::LAYER)
}

/// Path, mode, and bytes or link target, as an independent reader of tar sees them.
fn read_back(bytes: &[u8]) -> BTreeMap<String, (char, u32, u64, Vec<u8>)> {
    let mut archive = tar::Archive::new(bytes);
    archive
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            if let Some(target) = entry.link_name_bytes() {
                content = target.into_owned();
            }
            let header = entry.header();
            assert_eq!(header.mtime().unwrap(), FIXED_TIME);
            let kind = char::from(header.entry_type().as_byte());
            let key = path.trim_end_matches('/').to_owned();
            (
                key,
                (kind, header.mode().unwrap(), header.uid().unwrap(), content),
            )
        })
        .collect()
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", "[a-zé=_ -]{1,40}", "[a-z]{90,120}"]
}

fn files() -> impl Strategy<Value = FileSet> {
    let path = prop::collection::vec(name(), 1..4).prop_map(|parts| parts.join("/"));
    let node = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..1500).prop_map(|bytes| {
            Node::File(
                Attributes::root(0o755).owned_by(1000, 3_000_000),
                Content::Bytes(bytes),
            )
        }),
        Just(Node::Directory(Attributes::root(0o1777))),
        prop_oneof!["[a-z/.]{1,20}", "[a-zé]{101,140}"]
            .prop_map(|target| Node::Symlink(Attributes::root(0o777), target)),
    ];
    prop::collection::vec((path, node), 0..12).prop_map(|entries| {
        let mut set = FileSet::new();
        for (path, node) in entries {
            // Some clash; those that were first stay.
            let _ = set.insert(&path, node);
        }
        set
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(set in files()) {
        let bytes = segment(&set);
        prop_assert_eq!(bytes.len() % 512, 0);
        let read = read_back(&bytes);
        prop_assert_eq!(read.len(), set.len());
        for (path, node) in set.iter() {
            let (kind, mode, uid, content) = &read[path];
            match node {
                Node::Directory(attributes) => {
                    prop_assert_eq!((*kind, *mode), ('5', attributes.mode));
                }
                Node::File(attributes, Content::Bytes(bytes)) => {
                    prop_assert_eq!((*kind, *mode, *uid), ('0', attributes.mode, 1000));
                    prop_assert_eq!(content, bytes);
                }
                Node::Symlink(_, target) => prop_assert_eq!((*kind, content), ('2', &target.clone().into_bytes())),
                other => prop_assert!(false, "{:?}", other),
            }
        }
        let known = paths(&mut bytes.as_slice()).unwrap();
        prop_assert!(known.iter().map(|(path, _)| path.as_str()).eq(set.iter().map(|(path, _)| path)));
    }

    #[test]
    fn concatenated_segments_are_one_archive(a in files(), b in files()) {
        let (a, b) = (segment(&a), segment(&b));
        let layer = [a.clone(), b.clone(), END.to_vec()].concat();
        let mut both = read_back(&a);
        both.extend(read_back(&b));
        prop_assert_eq!(read_back(&layer), both);
    }

    #[test]
    fn unpacking_any_bytes_fails_or_stays_inside(noise in prop::collection::vec(any::<u8>(), 0..3000), at in 0_usize..4000) {
        let mut set = FileSet::new();
        set.file("a/b", Attributes::FILE, vec![b'x'; 700]).unwrap();
        set.symlink("a/c", "b").unwrap();
        let mut bytes = segment(&set);
        let at = at.min(bytes.len());
        let end = (at + noise.len()).min(bytes.len());
        bytes[at..end].copy_from_slice(&noise[..end - at]);
        let outside = TempDir::new().unwrap();
        let root = outside.path().join("root");
        fs_err::create_dir(&root).unwrap();
        let _ = unpack_bytes(&bytes, &root, Origin::Foreign);
        prop_assert_eq!(fs_err::read_dir(outside.path()).unwrap().count(), 1);
    }
}

#[test]
fn unpacks_modes_links_times_and_owners() {
    let mut set = FileSet::new();
    set.directory("tmp", Attributes::root(0o1777)).unwrap();
    set.directory("shut", Attributes::root(0o555)).unwrap();
    set.file("shut/run", Attributes::root(0o4755), "#!")
        .unwrap();
    set.insert("shut/same", Node::Hardlink("shut/run".into()))
        .unwrap();
    set.symlink("shut/link", "../tmp").unwrap();
    let owned = Attributes::root(0o600).owned_by(65532, 65532);
    set.file("home/nonroot/note", owned, "mine").unwrap();
    let root = TempDir::new().unwrap();
    let bytes = segment(&set);
    let unpacked = unpack_bytes(&bytes, root.path(), Origin::Own).unwrap();
    assert_eq!(
        unpacked,
        Unpacked {
            bytes: 6,
            entries: 8
        }
    );

    let stat = |path: &str| fs_err::symlink_metadata(root.path().join(path)).unwrap();
    assert_eq!(stat("tmp").mode() & 0o7777, 0o1777);
    assert_eq!(stat("shut").mode() & 0o7777, 0o555);
    assert_eq!(stat("shut/run").mode() & 0o7777, 0o4755);
    assert_eq!(stat("shut/run").ino(), stat("shut/same").ino());
    assert_eq!(stat("home").mode() & 0o7777, 0o755);
    for path in [
        "tmp",
        "shut",
        "shut/run",
        "shut/link",
        "home",
        "home/nonroot/note",
    ] {
        assert_eq!(stat(path).mtime().cast_unsigned(), FIXED_TIME, "{path}");
    }
    let link = fs_err::read_link(root.path().join("shut/link")).unwrap();
    assert_eq!(link, Path::new("../tmp"));
    if rustix::process::geteuid().is_root() {
        assert_eq!(stat("home/nonroot/note").uid(), 65532);
    }
}

/// An archive with one entry that this crate's writer would refuse to write.
fn hostile(kind: u8, name: &str, link: &str, body: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(body.len() as u64);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn refusal(entries: &[Vec<u8>]) -> String {
    let outside = TempDir::new().unwrap();
    let root = outside.path().join("root");
    fs_err::create_dir(&root).unwrap();
    let error = unpack_bytes(&entries.concat(), &root, Origin::Own).unwrap_err();
    let around: Vec<_> = fs_err::read_dir(outside.path()).unwrap().collect();
    assert_eq!(around.len(), 1, "something was made outside");
    error.to_string()
}

#[test]
fn names_that_lead_out_are_refused() {
    insta::assert_snapshot!(refusal(&[hostile(b'0', "../evil", "", b"x")]), @"the archive is refused: `../evil` leads out of the archive");
    insta::assert_snapshot!(refusal(&[hostile(b'0', "a/../../evil", "", b"x")]), @"the archive is refused: `a/../../evil` leads out of the archive");
    insta::assert_snapshot!(refusal(&[hostile(b'0', "/evil", "", b"x")]), @"the archive is refused: `/evil` is absolute");
    insta::assert_snapshot!(refusal(&[hostile(b'0', "./", "", b"x")]), @"the archive is refused: an entry has no name");
}

#[test]
fn links_that_lead_out_are_refused() {
    insta::assert_snapshot!(refusal(&[hostile(b'2', "a", "../../etc", b"")]), @"the archive is refused: `a` links to `../../etc`, which is not inside it");
    insta::assert_snapshot!(refusal(&[hostile(b'1', "a", "../secret", b"")]), @"the archive is refused: `../secret` leads out of the archive");
    insta::assert_snapshot!(refusal(&[hostile(b'1', "a", "/etc/shadow", b"")]), @"the archive is refused: `/etc/shadow` is absolute");
    insta::assert_snapshot!(refusal(&[hostile(b'1', "a", "missing", b"")]), @"the archive is refused: `a` links to `missing`, which is not inside it");
}

#[test]
fn nothing_is_written_through_a_link() {
    let through = [
        hostile(b'2', "etc", "/etc", b""),
        hostile(b'0', "etc/evil", "", b"x"),
    ];
    insta::assert_snapshot!(refusal(&through), @"the archive is refused: `etc` lies below something that is not a directory");
    let linked = [
        hostile(b'2', "out", "/etc", b""),
        hostile(b'1', "passwd", "out/passwd", b""),
    ];
    insta::assert_snapshot!(refusal(&linked), @"the archive is refused: `out` lies below something that is not a directory");
    // A file that replaces a link replaces the link, not what it points to.
    let outside = TempDir::new().unwrap();
    let target = outside.path().join("target");
    fs_err::write(&target, "before").unwrap();
    let root = outside.path().join("root");
    fs_err::create_dir(&root).unwrap();
    let replaced = [
        hostile(b'2', "a", target.to_str().unwrap(), b""),
        hostile(b'0', "a", "", b"after"),
    ];
    unpack_bytes(&replaced.concat(), &root, Origin::Own).unwrap();
    assert_eq!(fs_err::read(&target).unwrap(), b"before");
    assert_eq!(fs_err::read(root.join("a")).unwrap(), b"after");
}

#[test]
fn devices_and_unknown_kinds_are_refused() {
    insta::assert_snapshot!(refusal(&[hostile(b'4', "sda", "", b"")]), @"the archive is refused: `sda` is a device node or pipe");
    insta::assert_snapshot!(refusal(&[hostile(b'6', "pipe", "", b"")]), @"the archive is refused: `pipe` is a device node or pipe");
    insta::assert_snapshot!(refusal(&[hostile(b'Z', "what", "", b"")]), @"the archive is refused: `what` is of the unknown kind 'Z'");
}

#[test]
fn a_truncated_archive_is_refused() {
    let mut set = FileSet::new();
    set.file("a", Attributes::FILE, vec![1; 5000]).unwrap();
    let mut bytes = segment(&set);
    bytes.truncate(3000);
    let root = TempDir::new().unwrap();
    let error = unpack_bytes(&bytes, root.path(), Origin::Own).unwrap_err();
    assert!(matches!(error, LayerError::Malformed(_)), "{error}");
}

#[test]
fn bombs_are_refused() {
    let limits = Limits {
        bytes: 1000,
        entries: 3,
    };
    let unpack = |entries: &[Vec<u8>]| {
        let root = TempDir::new().unwrap();
        unpack(
            &mut &*entries.concat(),
            root.path(),
            Origin::Foreign,
            limits,
        )
        .unwrap_err()
        .to_string()
    };
    let half = |name: &str| hostile(b'0', name, "", &[0; 600]);
    insta::assert_snapshot!(unpack(&[half("a"), half("b")]), @"the archive is refused: it unpacks to more than 1000 bytes");
    let many: Vec<Vec<u8>> = ["a", "b", "c", "d"]
        .iter()
        .map(|name| hostile(b'5', name, "", b""))
        .collect();
    insta::assert_snapshot!(unpack(&many), @"the archive is refused: it holds more than 3 entries");
    // A size that is only stated costs nothing to state.
    let mut lies = hostile(b'0', "a", "", b"");
    lies[124..136].copy_from_slice(b"77777777777\0");
    let mut header = tar::Header::from_byte_slice(&lies[..512]).clone();
    header.set_cksum();
    insta::assert_snapshot!(unpack(&[header.as_bytes().to_vec()]), @"the archive is refused: it unpacks to more than 1000 bytes");
}

#[test]
fn whiteouts_of_other_builders_become_those_of_overlayfs() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can make whiteouts");
        return;
    }
    let archive = [
        hostile(b'5', "etc/", "", b""),
        hostile(b'0', "etc/.wh.hosts", "", b""),
        hostile(b'5', "var/", "", b""),
        hostile(b'0', "var/.wh..wh..opq", "", b""),
        hostile(b'0', ".wh..wh.plnk", "", b""),
        hostile(b'0', ".wh.srv", "", b""),
        hostile(b'0', "opt/.wh.app", "", b""),
        hostile(b'5', "opt/app/", "", b""),
        hostile(b'3', "dev/null", "", b""),
    ];
    let root = TempDir::new().unwrap();
    unpack_bytes(&archive.concat(), root.path(), Origin::Foreign).unwrap();
    for path in ["etc/hosts", "srv"] {
        let stat = fs_err::symlink_metadata(root.path().join(path)).unwrap();
        assert!(
            stat.file_type().is_char_device() && stat.rdev() == 0,
            "{path}"
        );
    }
    let opaque = |path: &str| {
        let mut value = [0; 8];
        rustix::fs::getxattr(root.path().join(path), "trusted.overlay.opaque", &mut value)
            .map(|length| value[..length].to_vec())
    };
    assert_eq!(opaque("var"), Ok(b"y".to_vec()));
    assert_eq!(opaque("opt/app"), Ok(b"y".to_vec()));
    assert!(opaque("etc").is_err());
    let mut names: Vec<_> = fs_err::read_dir(root.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["etc", "opt", "srv", "var"]);
}

/// Counts what it is given, and keeps the size of the largest part.
#[derive(Default)]
struct Gauge {
    total: u64,
    largest: usize,
}

impl std::io::Write for Gauge {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.total += bytes.len() as u64;
        self.largest = self.largest.max(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
#[ignore = "reads files of fourteen gigabytes, which take no room"]
fn what_is_larger_than_memory_is_written_in_small_parts() {
    let directory = TempDir::new().unwrap();
    let mut files = FileSet::new();
    // The second is larger than a plain header can say.
    for (name, size) in [("wheel.so", 5_u64 << 30), ("weights", 9 << 30)] {
        let source = directory.path().join(name);
        fs_err::File::create(&source)
            .unwrap()
            .set_len(size)
            .unwrap();
        let content = Content::File(source);
        files
            .insert(name, Node::File(Attributes::FILE, content))
            .unwrap();
    }
    let mut gauge = Gauge::default();
    let length = write_tar(&files, &mut gauge).unwrap();
    assert_eq!(length, gauge.total);
    assert!(length > 14 << 30, "{length}");
    assert!(gauge.largest <= 1 << 20, "{}", gauge.largest);
}
