//! Bases from a small archive of our own, served, signed, and broken in every way.

mod archive;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use plimsoll_diag::{Secret, Silent};
use tempfile::TempDir;

use self::archive::{Content, FakeArchive, Published, Signer};
use super::*;
use crate::fetch::test_server::{Reply, TestServer};
use crate::oci::Architecture;
use crate::store::{Store, StoreError};
use crate::{FetchError, FetchSettings, Fetcher};

/// A machine with a store, a cache and sources that point to a served archive.
struct Machine {
    directory: TempDir,
    store: Store,
    fetcher: Fetcher,
    settings: DebianSettings,
}

impl Machine {
    fn new(server: &TestServer, signer: &Signer) -> Self {
        let directory = TempDir::new().unwrap();
        let fetching = FetchSettings {
            attempts: 3,
            first_delay: Duration::from_millis(1),
            ..FetchSettings::default()
        };
        Self {
            store: Store::open(&directory.path().join("store")).unwrap(),
            fetcher: Fetcher::new(fetching, Arc::new(Silent)).unwrap(),
            settings: DebianSettings {
                mirrors: Mirrors {
                    main: vec![Secret::new(server.url("/debian"))],
                    security: vec![Secret::new(server.url("/security"))],
                    keys: vec![signer.public.clone().into_bytes()],
                },
                cache: directory.path().join("cache"),
                now: SystemTime::now(),
            },
            directory,
        }
    }

    fn assemble(&self, request: &BaseRequest) -> Result<Assembled, DebianError> {
        self.assemble_with(request, Freshness::Kept)
    }

    fn assemble_with(
        &self,
        request: &BaseRequest,
        freshness: Freshness,
    ) -> Result<Assembled, DebianError> {
        Base::new(&self.store, &self.fetcher, &self.settings).assemble("base", request, freshness)
    }
}

fn request(runtime: &[&str]) -> BaseRequest {
    BaseRequest {
        runtime: runtime.iter().map(|&name| name.to_owned()).collect(),
        ..BaseRequest::new(Suite::Trixie, Architecture::Amd64)
    }
}

fn serve(archive: Published) -> TestServer {
    TestServer::start(move |request| match archive.file(&request.path) {
        Some(bytes) => Reply::file(request, &bytes),
        None => Reply::new(404, "no such file"),
    })
}

#[test]
fn a_base_has_layers_by_churn_and_what_scripts_would_make() {
    let signer = Signer::new();
    let mut archive = FakeArchive::new(&signer);
    archive.add(
        "app",
        "1.0-1",
        "lib (>= 2), debconf",
        &[("./usr/bin/app", Content::File("app"))],
    );
    archive.add(
        "lib",
        "2.0",
        "libc6",
        &[("./lib/lib.so", Content::File("lib"))],
    );
    archive.add(
        "extra",
        "1",
        "app",
        &[("./opt/extra", Content::File("extra"))],
    );
    let server = serve(archive.publish());
    let machine = Machine::new(&server, &signer);
    let mut request = request(&["app"]);
    request.extra = vec!["extra".into()];
    request.files.symlink("usr/bin/also", "app").unwrap();
    let base = machine.assemble(&request).unwrap();

    let said: Vec<&str> = base
        .layers
        .iter()
        .map(|entry| entry.created_by.as_str())
        .collect();
    assert_eq!(
        said,
        [
            "debian 13: foundation",
            "debian 13: app",
            "debian 13: extra"
        ]
    );
    assert_eq!(base.version_of("lib"), Some("2.0"));
    let layer_of = |name: &str| base.packages.iter().find(|p| p.name == name).unwrap().layer;
    assert_eq!(
        (layer_of("libc6"), layer_of("lib"), layer_of("extra")),
        (0, 1, 2)
    );

    let trees: Vec<_> = base
        .layers
        .iter()
        .map(|entry| machine.store.unpacked(&entry.layer).unwrap())
        .collect();
    let read = |tree: usize, path: &str| fs_err::read_to_string(trees[tree].join(path)).unwrap();
    assert_eq!(read(0, "etc/ssl/certs/ca-certificates.crt"), "ONE\nTWO\n");
    assert_eq!(
        fs_err::read_link(trees[0].join("lib")).unwrap().to_str(),
        Some("usr/lib")
    );
    assert!(read(0, "var/lib/dpkg/status.d/libc6").contains("\nVersion: 2.41-1\n"));
    assert!(read(0, "var/lib/dpkg/status.d/libc6.md5sums").contains("usr/lib"));
    assert_eq!(read(1, "usr/lib/lib.so"), "lib");
    assert!(read(1, "etc/passwd").contains("nonroot:x:65532:"));
    assert_eq!(
        fs_err::read_link(trees[1].join("usr/bin/also"))
            .unwrap()
            .to_str(),
        Some("app")
    );
    assert_eq!(read(2, "opt/extra"), "extra");
    assert!(!trees[0].join("usr/share/man").exists());
}

#[test]
fn what_is_kept_needs_no_network_and_is_the_same_everywhere() {
    let signer = Signer::new();
    let mut archive = FakeArchive::new(&signer);
    archive.add(
        "app",
        "1.0-1",
        "",
        &[("./usr/bin/app", Content::File("app"))],
    );
    let server = serve(archive.publish());
    let machine = Machine::new(&server, &signer);
    let base = machine.assemble(&request(&["app"])).unwrap();
    let asked = server.requests().len();
    assert_eq!(machine.assemble(&request(&["app"])).unwrap(), base);
    assert_eq!(server.requests().len(), asked, "nothing is asked for again");
    // A refresh looks at the indexes and finds every package known.
    machine
        .assemble_with(&request(&["app"]), Freshness::Refreshed)
        .unwrap();
    let since = server.requests().split_off(asked);
    assert!(
        since
            .iter()
            .all(|request| request.path.ends_with("/InRelease")),
        "{since:?}"
    );

    let other = Machine::new(&server, &signer);
    assert_eq!(other.assemble(&request(&["app"])).unwrap(), base);
    drop(server);
    // The foundation is shared, and the index is kept: another base, nobody to ask.
    let alone = machine.assemble(&request(&[])).unwrap();
    assert_eq!(alone.layers.len(), 1);
}

#[test]
fn a_mirror_that_stumbles_gives_the_same_layers() {
    let signer = Signer::new();
    let mut archive = FakeArchive::new(&signer);
    archive.add(
        "app",
        "1.0-1",
        "",
        &[("./usr/bin/app", Content::File("app"))],
    );
    let archive = archive.publish();
    let steady = serve(archive.clone());
    let stumbling = TestServer::start(move |request| {
        let Some(bytes) = archive.file(&request.path) else {
            return Reply::new(404, "");
        };
        match request.earlier {
            0 => Reply::new(503, "later"),
            1 if bytes.len() > 40 => Reply::file(request, &bytes).cut_after(20),
            _ => Reply::file(request, &bytes),
        }
    });
    let expected = Machine::new(&steady, &signer)
        .assemble(&request(&["app"]))
        .unwrap();
    let base = Machine::new(&stumbling, &signer)
        .assemble(&request(&["app"]))
        .unwrap();
    assert_eq!(base, expected);
}

#[test]
fn only_a_known_key_is_believed() {
    let (signer, stranger) = (Signer::new(), Signer::new());
    let server = serve(FakeArchive::new(&stranger).publish());
    let error = Machine::new(&server, &signer)
        .assemble(&request(&[]))
        .unwrap_err();
    assert!(matches!(error, DebianError::Signature { .. }), "{error}");
    let told = error.to_string();
    assert!(told.contains("trixie/InRelease` is not believed"), "{told}");

    let mut unsigned = FakeArchive::new(&signer).publish();
    unsigned.change("/debian/dists/trixie/InRelease", |text| {
        let start = text.find("Origin").unwrap();
        text[start..].to_owned()
    });
    let error = Machine::new(&serve(unsigned), &signer)
        .assemble(&request(&[]))
        .unwrap_err();
    assert!(
        error.to_string().contains("is not a signed text"),
        "{error}"
    );
}

#[test]
fn a_changed_index_is_not_believed() {
    let signer = Signer::new();
    let refused = |path: &str, from: &str, to: &str| {
        let mut archive = FakeArchive::new(&signer).publish();
        archive.change(path, |text| {
            assert!(text.contains(from));
            text.replace(from, to)
        });
        Machine::new(&serve(archive), &signer)
            .assemble(&request(&[]))
            .unwrap_err()
    };
    let error = refused(
        "/debian/dists/trixie/InRelease",
        "Origin: Debian",
        "Origin: Evil",
    );
    assert!(matches!(error, DebianError::Signature { .. }), "{error}");
    // What stands outside of the signed part does not count, before or after it.
    let mut archive = FakeArchive::new(&signer).publish();
    archive.change("/debian/dists/trixie/InRelease", |text| {
        format!(
            "{text}\nSHA256:\n {:064} 1 main/binary-amd64/Packages.xz\n",
            0
        )
    });
    let outcome = Machine::new(&serve(archive), &signer).assemble(&request(&[]));
    assert!(outcome.is_ok() || matches!(outcome, Err(DebianError::Signature { .. })));
}

#[test]
fn a_release_for_another_suite_is_refused() {
    let signer = Signer::new();
    let mut archive = FakeArchive::new(&signer);
    archive.codename = "bookworm".into();
    let error = Machine::new(&serve(archive.publish()), &signer)
        .assemble(&request(&[]))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it is of `bookworm`, not of `trixie`"),
        "{error}"
    );
}

#[test]
fn an_expired_index_is_refused_and_a_kept_one_refreshed() {
    let signer = Signer::new();
    let mut archive = FakeArchive::new(&signer);
    archive.valid_until = Some("Sat, 01 Jan 2000 00:00:00 UTC".into());
    let server = serve(archive.publish());
    let mut machine = Machine::new(&server, &signer);
    let error = machine.assemble(&request(&[])).unwrap_err();
    assert!(matches!(error, DebianError::Expired { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("the mirror is stale, or this machine's clock is wrong")
    );

    let mut archive = FakeArchive::new(&signer);
    archive.valid_until = Some("Fri, 01 Jan 2100 00:00:00 UTC".into());
    archive.add("new", "1", "", &[]);
    let server = serve(archive.publish());
    machine.settings.mirrors.main = vec![Secret::new(server.url("/debian"))];
    machine.settings.mirrors.security = vec![Secret::new(server.url("/security"))];
    machine.assemble(&request(&[])).unwrap();
    let asked = server.requests().len();
    machine.settings.now = SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800 + 7200);
    let error = machine.assemble(&request(&["new"])).unwrap_err();
    assert!(server.requests().len() > asked, "the kept one has expired");
    assert!(
        matches!(error, DebianError::Expired { hours: 2, .. }),
        "{error}"
    );
}

#[test]
fn a_changed_package_is_refused() {
    let signer = Signer::new();
    let mut archive = FakeArchive::new(&signer);
    archive.add(
        "app",
        "1.0-1",
        "",
        &[("./usr/bin/app", Content::File("app"))],
    );
    let mut archive = archive.publish();
    archive.corrupt("app_1.0-1");
    let error = Machine::new(&serve(archive), &signer)
        .assemble(&request(&["app"]))
        .unwrap_err();
    assert!(
        matches!(error, DebianError::Fetch(FetchError::Digest { .. })),
        "{error}"
    );
}

#[test]
fn a_package_that_is_gone_makes_the_index_fresh() {
    let signer = Signer::new();
    let version = |version: &str| {
        let mut archive = FakeArchive::new(&signer);
        archive.add(
            "app",
            version,
            "",
            &[("./usr/bin/app", Content::File("app"))],
        );
        archive.publish()
    };
    let old = serve(version("1.0-1"));
    let mut machine = Machine::new(&old, &signer);
    machine.assemble(&request(&[])).unwrap();
    let new = serve(version("1.0-2"));
    machine.settings.mirrors.main = vec![Secret::new(new.url("/debian"))];
    let base = machine.assemble(&request(&["app"])).unwrap();
    assert_eq!(base.version_of("app"), Some("1.0-2"));

    let mut lying = version("1.0-1");
    lying.remove("app_1.0-1");
    let error = Machine::new(&serve(lying), &signer)
        .assemble(&request(&["app"]))
        .unwrap_err();
    let told = "the archive no longer holds `app` 1.0-1, which its own index names";
    assert_eq!(error.to_string(), told);
}

#[test]
fn security_updates_win() {
    let signer = Signer::new();
    let mut archive = FakeArchive::new(&signer);
    archive.add(
        "app",
        "1.0-1",
        "",
        &[("./usr/bin/app", Content::File("old"))],
    );
    archive.add_security(
        "app",
        "1.0-1+deb13u1",
        &[("./usr/bin/app", Content::File("new"))],
    );
    let base = Machine::new(&serve(archive.publish()), &signer)
        .assemble(&request(&["app"]))
        .unwrap();
    assert_eq!(base.version_of("app"), Some("1.0-1+deb13u1"));
}

#[test]
fn the_next_mirror_is_tried() {
    let signer = Signer::new();
    let empty = TestServer::start(|_| Reply::new(404, ""));
    let server = serve(FakeArchive::new(&signer).publish());
    let mut machine = Machine::new(&server, &signer);
    let main = &mut machine.settings.mirrors.main;
    main.insert(0, Secret::new(empty.url("/debian")));
    machine.assemble(&request(&[])).unwrap();
}

#[test]
fn what_does_not_exist_is_named() {
    let signer = Signer::new();
    let mut archive = FakeArchive::new(&signer);
    archive.add("app", "1", "nowhere (>= 3) | never", &[]);
    let server = serve(archive.publish());
    let machine = Machine::new(&server, &signer);
    let told = |names: &[&str]| machine.assemble(&request(names)).unwrap_err().to_string();
    insta::assert_snapshot!(told(&["typo"]), @"Debian trixie has no package `typo` for amd64");
    insta::assert_snapshot!(told(&["app"]), @"package `app` needs `nowhere (>= 3) | never`, which Debian trixie does not have for amd64");
}

#[test]
fn hostile_packages_are_refused_by_name() {
    let signer = Signer::new();
    let told = |files: &[(&'static str, Content)]| {
        let mut archive = FakeArchive::new(&signer);
        archive.add("evil", "1", "", files);
        let server = serve(archive.publish());
        let machine = Machine::new(&server, &signer);
        let error = machine
            .assemble(&request(&["evil"]))
            .unwrap_err()
            .to_string();
        assert!(!machine.directory.path().join("evil").exists());
        error
    };
    insta::assert_snapshot!(told(&[("../evil", Content::File("x"))]), @"package `evil` cannot be unpacked: the archive is refused: `../evil` leads out of the archive");
    insta::assert_snapshot!(told(&[("/evil", Content::File("x"))]), @"package `evil` cannot be unpacked: the archive is refused: `/evil` is absolute");
    insta::assert_snapshot!(told(&[("./a", Content::Hardlink("../../etc/shadow"))]), @"package `evil` cannot be unpacked: the archive is refused: `../../etc/shadow` leads out of the archive");
    insta::assert_snapshot!(told(&[("./a", Content::Symlink("/etc")), ("./a/b", Content::File("x"))]), @"package `evil` cannot be unpacked: `a` is not a directory, but something lies below it");
    insta::assert_snapshot!(told(&[("./dev/sda", Content::Device)]), @"package `evil` cannot be unpacked: the archive is refused: `dev/sda` is a device node or pipe");
}

#[test]
fn two_packages_with_one_file_are_told() {
    let signer = Signer::new();
    let mut archive = FakeArchive::new(&signer);
    for name in ["one", "two"] {
        archive.add(name, "1", "", &[("./usr/bin/same", Content::File(name))]);
    }
    let server = serve(archive.publish());
    let error = Machine::new(&server, &signer)
        .assemble(&request(&["one", "two"]))
        .unwrap_err();
    assert!(
        matches!(error, DebianError::Store(StoreError::Overlap { .. })),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "two packages of one layer hold `usr/bin/same`"
    );
}

/// Set for the child process of the next test: a directory with what it needs.
const VICTIM: &str = "PLIMSOLL_TEST_VICTIM_BUILD";

fn machine_in(directory: &Path) -> (Store, Fetcher, DebianSettings) {
    let read = |name: &str| fs_err::read_to_string(directory.join(name)).unwrap();
    let settings = DebianSettings {
        mirrors: Mirrors {
            main: vec![Secret::new(read("main"))],
            security: vec![Secret::new(read("security"))],
            keys: vec![read("key").into_bytes()],
        },
        cache: directory.join("cache"),
        now: SystemTime::now(),
    };
    let store = Store::open(&directory.join("store")).unwrap();
    let fetcher = Fetcher::new(FetchSettings::default(), Arc::new(Silent)).unwrap();
    (store, fetcher, settings)
}

/// Not a test of its own: what the next test kills.
#[test]
fn victim() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a test tells its child what to do"
    )]
    let Ok(directory) = std::env::var(VICTIM) else {
        return;
    };
    let (store, fetcher, settings) = machine_in(Path::new(&directory));
    println!("started");
    let base = Base::new(&store, &fetcher, &settings);
    let built = base
        .assemble("base", &request(&["app"]), Freshness::Kept)
        .unwrap();
    for entry in &built.layers {
        store.unpacked(&entry.layer).unwrap();
    }
}

#[test]
fn a_build_killed_at_any_instant_leaves_nothing_behind_but_what_it_got() {
    let signer = Signer::new();
    let mut archive = FakeArchive::new(&signer);
    archive.add(
        "app",
        "1.0-1",
        "",
        &[("./usr/bin/app", Content::File("app"))],
    );
    let archive = archive.publish();
    let server = TestServer::start(move |request| {
        // Time in which to be killed.
        std::thread::sleep(Duration::from_millis(3));
        match archive.file(&request.path) {
            Some(bytes) => Reply::file(request, &bytes),
            None => Reply::new(404, ""),
        }
    });
    let expected = Machine::new(&server, &signer)
        .assemble(&request(&["app"]))
        .unwrap();
    let directory = TempDir::new().unwrap();
    for (name, text) in [
        ("main", server.url("/debian")),
        ("security", server.url("/security")),
        ("key", signer.public.clone()),
    ] {
        fs_err::write(directory.path().join(name), text).unwrap();
    }
    for round in 0..10_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "debian::tests::victim", "--nocapture"])
            .env(VICTIM, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("started") {
            line.clear();
            assert_ne!(output.read_line(&mut line).unwrap(), 0);
        }
        std::thread::sleep(Duration::from_millis(2 + round * 13 % 90));
        child.kill().unwrap();
        child.wait().unwrap();
        let (mut store, ..) = machine_in(directory.path());
        let report = store.fsck().unwrap();
        assert!(report.is_clean(), "round {round}: {report:?}");
    }
    let (mut store, fetcher, settings) = machine_in(directory.path());
    let base = Base::new(&store, &fetcher, &settings);
    assert_eq!(
        base.assemble("base", &request(&["app"]), Freshness::Kept)
            .unwrap(),
        expected
    );
    for entry in &expected.layers {
        assert!(
            store
                .unpacked(&entry.layer)
                .unwrap()
                .join("var/lib/dpkg/status.d")
                .is_dir()
        );
    }
    assert!(store.fsck().unwrap().is_clean());
    let left: Vec<_> = fs_err::read_dir(settings.cache.join("packages"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|extension| extension != "deb"))
        .collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
}

#[test]
fn debians_own_keys_are_embedded() {
    // Twelve and thirteen: archive, security archive, and the release managers' key of each.
    assert_eq!(Keyring::debian().len(), 6);
}
