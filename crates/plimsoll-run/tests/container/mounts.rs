//! What is mounted where, with which rights, and that nothing leads out.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use plimsoll_run::container::{
    FileContent, HostEntry, MountAccess, MountKind, MountPropagation, MountSpec, Recursive,
    Resolver, VolumeSeed,
};
use plimsoll_run::{EngineError, ExecSpec};

use crate::fixture::{ENGINE, Place, Tests, wait_for_output};

pub const TESTS: Tests = &[
    ("mounts::tmpfs_is_writable_by_the_user", tmpfs_writable),
    ("mounts::binds", binds),
    (
        "mounts::volumes_are_seeded_with_owner_and_mode",
        volume_seeding,
    ),
    ("mounts::secrets_live_in_memory_only", secrets),
    ("mounts::names_and_name_servers", names),
    ("mounts::hostile_images_stay_inside", hostile_image),
    ("mounts::hostile_specifications_are_refused", hostile_spec),
    ("mounts::layers_are_stacked", layers),
    ("mounts::nested_mounts_in_any_order", nested),
    ("mounts::missing_sources_are_named", missing_source),
];

pub fn tmpfs(target: &str, mode: u32) -> MountSpec {
    MountSpec {
        target: target.into(),
        kind: MountKind::Tmpfs {
            size: Some(1 << 20),
            mode,
            owner: (0, 0),
        },
    }
}

fn bind(source: &Path, target: &str, access: MountAccess) -> MountSpec {
    MountSpec {
        target: target.into(),
        kind: MountKind::Bind {
            source: source.to_owned(),
            access,
            recursive: Recursive::Yes,
            propagation: MountPropagation::Private,
        },
    }
}

fn tmpfs_writable() {
    let place = Place::new();
    // The image's own directory has mode 0755: the mount's mode must win.
    let mut spec = place.shell(
        "stat -c %a:%u /tmp /home/app; touch /tmp/x /home/app/y && echo written; \
         head -c 2000000 /dev/zero > /tmp/big; stat -c %s /tmp/big",
    );
    spec.mounts.push(tmpfs("/tmp", 0o1777));
    spec.mounts.push(MountSpec {
        target: "/home/app".into(),
        kind: MountKind::Tmpfs {
            size: None,
            mode: 0o700,
            owner: (10001, 10002),
        },
    });
    let (_, text) = place.run(&spec);
    assert!(text.starts_with("1777:0\n700:10001\nwritten\n"), "{text}");
    assert!(text.contains("No space left"), "{text}");
    assert!(!text.contains("2000000"), "{text}");
}

fn binds() {
    let place = Place::new();
    let source = place.path().join("shared");
    fs_err::create_dir_all(source.join("inner")).unwrap();
    fs_err::write(source.join("file"), "hello\n").unwrap();
    fs_err::set_permissions(&source, PermissionsExt::from_mode(0o777)).unwrap();
    let mut spec = place.shell(
        "cat /ro/file /made/here/file /one-file; touch /rw/new; touch /ro/x /ro/inner/x /one-file",
    );
    spec.user.uid = 0;
    spec.capabilities.insert("CAP_DAC_OVERRIDE".to_owned());
    spec.mounts
        .push(bind(&source, "/ro", MountAccess::ReadOnly));
    spec.mounts
        .push(bind(&source, "/rw", MountAccess::ReadWrite));
    spec.mounts
        .push(bind(&source, "/made/here", MountAccess::ReadOnly));
    spec.mounts.push(bind(
        &source.join("file"),
        "/one-file",
        MountAccess::ReadOnly,
    ));
    let (_, text) = place.run(&spec);
    assert!(text.starts_with("hello\nhello\nhello\n"), "{text}");
    assert_eq!(text.matches("Read-only file system").count(), 3, "{text}");
    assert!(source.join("new").exists());
}

fn volume(source: &Path, target: &str) -> MountSpec {
    MountSpec {
        target: target.into(),
        kind: MountKind::Volume {
            source: source.to_owned(),
            access: MountAccess::ReadWrite,
            seed: VolumeSeed::Image,
        },
    }
}

fn volume_seeding() {
    let place = Place::new();
    let (first, second) = (
        place.path().join("volumes/a"),
        place.path().join("volumes/b"),
    );
    let mut spec = place.shell("cat /seeded/file; touch /seeded/mine /new/mine");
    spec.mounts.push(volume(&first, "/seeded"));
    spec.mounts.push(volume(&second, "/new"));
    let (code, text) = place.run(&spec);
    assert_eq!((code, text.as_str()), (0, "from the image\n"));
    let metadata = fs_err::metadata(&first).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (10001, 10002));
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o750);
    assert_eq!(fs_err::metadata(first.join("file")).unwrap().uid(), 10001);
    assert!(
        second.join("mine").exists(),
        "a volume the image knows nothing of is the user's"
    );

    fs_err::remove_file(first.join("file")).unwrap();
    let mut spec = place.shell("ls /seeded");
    spec.mounts.push(volume(&first, "/seeded"));
    let (_, text) = place.run(&spec);
    assert!(
        text.ends_with("mine\n") && !text.ends_with("file\nmine\n"),
        "{text}"
    );
}

fn secrets() {
    let place = Place::new();
    let mut spec =
        place.shell("cat /run/secrets/key; stat -c %a:%u /run/secrets/key; echo up; sleep 1000");
    spec.mounts.push(tmpfs("/run", 0o755));
    spec.mounts.push(MountSpec {
        target: "/run/secrets/key".into(),
        kind: MountKind::File {
            content: FileContent::new(b"hunter2\n".to_vec()),
            mode: 0o400,
            owner: (10001, 10002),
        },
    });
    let handle = place.start(&spec);
    wait_for_output(&handle, "up");
    assert!(crate::fixture::output(&handle).starts_with("hunter2\n400:10001\n"));
    fs_err::remove_file(place.path().join("logs/c.log")).unwrap();
    let mut pending = vec![place.path().to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs_err::read_dir(directory).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                pending.push(entry.path());
            } else if entry.file_type().unwrap().is_file() {
                let bytes = fs_err::read(entry.path()).unwrap();
                let found = bytes.windows(7).any(|window| window == b"hunter2");
                assert!(!found, "{}", entry.path().display());
            }
        }
    }
    let command = fs_err::read(format!(
        "/proc/{}/cmdline",
        handle.state().unwrap().supervisor
    ))
    .unwrap();
    assert!(!command.windows(7).any(|window| window == b"hunter2"));
}

fn names() {
    let place = Place::new();
    let mut spec = place.shell("cat /etc/hosts /etc/resolv.conf; echo x > /etc/hosts");
    spec.addresses = vec!["10.9.0.2".parse().unwrap()];
    spec.hosts = vec![HostEntry {
        address: "10.9.0.1".parse().unwrap(),
        names: vec!["gateway".to_owned()],
    }];
    spec.resolver = Some(Resolver {
        nameservers: vec!["10.9.0.1".parse().unwrap()],
        ..Resolver::default()
    });
    spec.user.uid = 0;
    let (_, text) = place.run(&spec);
    assert!(text.contains("10.9.0.2\tc\n10.9.0.1\tgateway\n"), "{text}");
    assert!(text.contains("nameserver 10.9.0.1\n"), "{text}");
    assert!(text.contains("Read-only file system"), "{text}");
}

fn hostile_image() {
    let place = Place::new();
    let outside = place.path().join("outside");
    fs_err::create_dir_all(&outside).unwrap();
    let layer = place.path().join("hostile");
    fs_err::create_dir_all(layer.join("etc")).unwrap();
    fs_err::create_dir_all(layer.join("links")).unwrap();
    // Links in place of what the engine fills, of a volume's target, of generated files.
    symlink(&outside, layer.join("dev")).unwrap();
    symlink(outside.join("hosts"), layer.join("etc/hosts")).unwrap();
    symlink("../../../../../..", layer.join("links/up")).unwrap();
    symlink(&outside, layer.join("links/out")).unwrap();
    let data = place.path().join("volumes/data");
    let mut spec =
        place.shell("echo up; cat /etc/hosts; ls /dev/null; touch /links/out/new /data/new");
    spec.layers.push(layer);
    let inside = format!("/links/up{}", outside.display());
    spec.mounts.push(volume(&data, &inside));
    spec.mounts.push(tmpfs("/links/out", 0o1777));
    spec.mounts
        .push(volume(&place.path().join("volumes/other"), "/data"));
    match ENGINE.start(&spec, &place.container()) {
        Ok(handle) => {
            handle
                .wait(plimsoll_run::Condition::Ended, crate::fixture::PATIENCE)
                .unwrap();
        }
        // Refusing is as good as staying inside.
        Err(EngineError::Start { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    let left: Vec<_> = fs_err::read_dir(&outside)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

fn hostile_spec() {
    for target in ["/../etc", "/proc", "/sys/fs", "/dev", "/", "relative"] {
        let place = Place::new();
        let mut spec = place.shell("true");
        spec.mounts.push(tmpfs(target, 0o1777));
        assert!(
            matches!(
                ENGINE.start(&spec, &place.container()),
                Err(EngineError::Spec(_))
            ),
            "{target}"
        );
    }
    let place = Place::new();
    let mut spec = place.shell("true");
    spec.id = "../escape".to_owned();
    assert!(matches!(
        ENGINE.start(&spec, &place.container()),
        Err(EngineError::Spec(_))
    ));
}

fn layers() {
    let place = Place::new();
    let mut spec = place.shell("cat /which; ls /");
    for number in 1..=30 {
        let layer = place
            .path()
            .join(format!("layer,with:odd characters {number}"));
        fs_err::create_dir_all(&layer).unwrap();
        fs_err::set_permissions(&layer, PermissionsExt::from_mode(0o755)).unwrap();
        fs_err::write(layer.join("which"), format!("{number}\n")).unwrap();
        fs_err::write(layer.join(format!("only-{number}")), "").unwrap();
        spec.layers.push(layer);
    }
    let (code, text) = place.run(&spec);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("30\n"), "the last layer is on top: {text}");
    assert!(
        text.contains("only-1\n") && text.contains("only-30\n"),
        "{text}"
    );
}

fn nested() {
    let place = Place::new();
    let source = place.path().join("inner");
    fs_err::create_dir(&source).unwrap();
    fs_err::write(source.join("file"), "inner\n").unwrap();
    let mut spec = place.shell("cat /a/b/c/file && touch /a/x && touch /a/b/x");
    spec.mounts
        .push(bind(&source, "/a/b/c", MountAccess::ReadOnly));
    spec.mounts.push(tmpfs("/a/b", 0o1777));
    spec.mounts.push(tmpfs("/a", 0o1777));
    let (code, text) = place.run(&spec);
    assert_eq!((code, text.as_str()), (0, "inner\n"));
}

fn missing_source() {
    let place = Place::new();
    let mut spec = place.shell("true");
    spec.mounts.push(bind(
        &place.path().join("gone"),
        "/x",
        MountAccess::ReadOnly,
    ));
    let error = ENGINE
        .start(&spec, &place.container())
        .unwrap_err()
        .to_string();
    assert!(error.contains("gone` does not exist"), "{error}");
    // A failed start leaves a directory that can be used again.
    let handle = place.start(&place.shell("echo up; sleep 1000"));
    wait_for_output(&handle, "up");
    let exec = ExecSpec::new(vec!["true".to_owned()]);
    assert_eq!(
        ENGINE.exec_captured(&place.container(), &exec).unwrap().0,
        0
    );
}
