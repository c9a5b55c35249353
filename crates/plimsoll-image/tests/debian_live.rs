//! Bases from the archive that this machine's apt uses, run with `chroot`.
//!
//! Needs root, for owners and mounts, and the archive; says so when it has not.

#![expect(clippy::print_stderr, reason = "a test that is skipped says why")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use plimsoll_diag::Silent;
use plimsoll_image::debian::{
    Assembled, Base, BaseRequest, DebianError, DebianSettings, Freshness, Mirrors, Suite,
};
use plimsoll_image::oci::{Architecture, ImageConfig};
use plimsoll_image::store::{LayerForm, NewImage, Store};
use plimsoll_image::{FetchError, FetchSettings, Fetcher};
use tempfile::TempDir;

struct Bench {
    directory: TempDir,
    fetcher: Fetcher,
    settings: DebianSettings,
}

impl Bench {
    /// What the test needs, or why it cannot run.
    fn new() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root can keep owners and mount".into());
        }
        let mirrors = Mirrors::from_apt(Path::new("/")).map_err(|error| error.to_string())?;
        let directory = TempDir::new().expect("a temporary directory");
        let fetching = FetchSettings {
            attempts: 3,
            patience: Duration::from_secs(10),
            ..FetchSettings::default()
        };
        Ok(Self {
            fetcher: Fetcher::new(fetching, Arc::new(Silent)).expect("no proxy is set"),
            settings: DebianSettings {
                mirrors,
                cache: directory.path().join("cache"),
                now: SystemTime::now(),
            },
            directory,
        })
    }

    fn store(&self, name: &str) -> Store {
        Store::open(&self.directory.path().join(name)).expect("a store")
    }

    /// `None` where the archive cannot be reached.
    fn assemble(&self, store: &Store, request: &BaseRequest) -> Option<Assembled> {
        let begun = Instant::now();
        match Base::new(store, &self.fetcher, &self.settings).assemble(
            "test",
            request,
            Freshness::Kept,
        ) {
            Ok(assembled) => {
                eprintln!("assembled {:?} in {:?}", request.runtime, begun.elapsed());
                Some(assembled)
            }
            Err(DebianError::Fetch(error @ FetchError::Connection { .. })) => {
                eprintln!("skipped: {error}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Runs a program in the assembled base as a user without rights and with no environment.
    fn run(&self, store: &Store, base: &Assembled, command: &[&str]) -> Output {
        let begun = Instant::now();
        let mut layers: Vec<PathBuf> = base
            .layers
            .iter()
            .map(|entry| store.unpacked(&entry.layer).expect("unpacking"))
            .collect();
        eprintln!("unpacked in {:?}", begun.elapsed());
        layers.reverse();
        let lower: Vec<String> = layers
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let root = self.directory.path().join("root");
        fs_err::create_dir_all(&root).expect("a mount point");
        let script = r#"mount -t overlay overlay -o "lowerdir=$1:$2" "$2" && root=$2 && shift 2 &&
            exec env -i "$(command -v chroot)" --userspec=65532:65532 "$root" "$@""#;
        Command::new("unshare")
            .args(["--mount", "sh", "-c", script, "sh"])
            .arg(lower.join(":"))
            .arg(&root)
            .args(command)
            .output()
            .expect("the unshare program")
    }
}

fn python(suite: Suite, architecture: Architecture) -> BaseRequest {
    BaseRequest {
        runtime: vec![format!("python3.{}", suite.python_minor())],
        ..BaseRequest::new(suite, architecture)
    }
}

const PROGRAM: &str =
    "import ssl, sqlite3, ctypes, zoneinfo, lzma, bz2, readline, uuid, decimal, os, sys, pwd
assert zoneinfo.ZoneInfo('Europe/Paris')
context = ssl.create_default_context()
assert len(context.get_ca_certs()) > 100, context.get_ca_certs()
assert pwd.getpwuid(os.getuid()).pw_name == 'nonroot'
assert sqlite3.connect(':memory:').execute('select 1').fetchone() == (1,)
print(sys.version_info[:2], os.getuid(), sys.executable)";

fn runs_python(suite: Suite) {
    let bench = match Bench::new() {
        Ok(bench) => bench,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let store = bench.store("one");
    let request = python(suite, Architecture::Amd64);
    let Some(base) = bench.assemble(&store, &request) else {
        return;
    };
    let version = base
        .version_of(&request.runtime[0])
        .expect("it was asked for");
    assert!(
        version.starts_with(&format!("3.{}", suite.python_minor())),
        "{version}"
    );
    let sizes: Vec<u64> = base
        .layers
        .iter()
        .map(|entry| entry.layer.size >> 20)
        .collect();
    eprintln!("{} packages, layers of {sizes:?} MiB", base.packages.len());

    let output = bench.run(&store, &base, &["/usr/bin/python3", "-c", PROGRAM]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let expected = format!("(3, {}) 65532 /usr/bin/python3", suite.python_minor());
    assert_eq!(text.trim(), expected);

    // Again in an empty store: the same layers, from the packages kept.
    let other = bench.store("two");
    assert_eq!(bench.assemble(&other, &request), Some(base.clone()));
    // Again in the same: no network is needed at all.
    let unreachable = DebianSettings {
        mirrors: Mirrors::default(),
        ..bench.settings.clone()
    };
    let warm = Base::new(&store, &bench.fetcher, &unreachable)
        .assemble("test", &request, Freshness::Kept)
        .expect("what was assembled is kept");
    assert_eq!(warm, base);
}

#[test]
fn python_of_trixie_runs() {
    runs_python(Suite::Trixie);
}

#[test]
fn python_of_bookworm_runs() {
    runs_python(Suite::Bookworm);
}

#[test]
fn the_other_architecture_has_the_same_packages() {
    let bench = match Bench::new() {
        Ok(bench) => bench,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let store = bench.store("store");
    let bases = [Architecture::Amd64, Architecture::Arm64]
        .map(|architecture| bench.assemble(&store, &python(Suite::Trixie, architecture)));
    let [Some(amd64), Some(arm64)] = bases else {
        return;
    };
    let names = |base: &Assembled| -> Vec<(String, String)> {
        base.packages
            .iter()
            .map(|package| (package.name.clone(), package.version.clone()))
            .collect()
    };
    assert_eq!(names(&amd64), names(&arm64));
    let tree = store.unpacked(&arm64.layers[1].layer).expect("unpacking");
    let program = fs_err::read(tree.join("usr/bin/python3.13")).expect("the interpreter");
    assert_eq!(&program[18..20], [0xb7, 0], "the ELF machine of Arm64");
}

#[test]
fn servers_share_the_foundation() {
    let bench = match Bench::new() {
        Ok(bench) => bench,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let store = bench.store("store");
    let mut foundations = Vec::new();
    for (package, command, expected) in [
        (
            "redis-server",
            &["/usr/bin/redis-server", "--version"][..],
            "Redis server v=",
        ),
        ("nginx", &["/usr/sbin/nginx", "-V"], "nginx version"),
        ("dash", &["/bin/sh", "-c", "echo hello $HOME"], "hello"),
    ] {
        let request = BaseRequest {
            runtime: vec![package.to_owned()],
            ..BaseRequest::new(Suite::Trixie, Architecture::Amd64)
        };
        let Some(base) = bench.assemble(&store, &request) else {
            return;
        };
        let output = bench.run(&store, &base, command);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(
            output.status.success() && text.contains(expected),
            "{package}: {text}"
        );
        foundations.push(base.layers[0].clone());
    }
    assert!(foundations.windows(2).all(|pair| pair[0] == pair[1]));
}

/// Other programs that read images are the judges of what is exported.
#[test]
fn others_read_what_is_exported() {
    let bench = match Bench::new() {
        Ok(bench) => bench,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    if Command::new("skopeo").arg("--version").output().is_err() {
        return eprintln!("skipped: there is no `skopeo` program");
    }
    let store = bench.store("store");
    let request = BaseRequest {
        runtime: vec!["dash".to_owned()],
        ..BaseRequest::new(Suite::Trixie, Architecture::Amd64)
    };
    let Some(base) = bench.assemble(&store, &request) else {
        return;
    };
    let config = ImageConfig {
        user: "65532:65532".to_owned(),
        environment: vec![("PATH".to_owned(), "/usr/bin".to_owned())],
        command: vec![
            "/bin/sh".to_owned(),
            "-c".to_owned(),
            "echo ran as $(id -u)".to_owned(),
        ],
        ..ImageConfig::default()
    };
    let image = store
        .put_image(&NewImage {
            reference: "plimsoll/test:1",
            architecture: Architecture::Amd64,
            config: &config,
            layers: &base.layers,
            annotations: [].into(),
        })
        .expect("an image");
    let place = |name: &str| bench.directory.path().join(name);
    let begun = Instant::now();
    let images = std::slice::from_ref(&image);
    store
        .export_layout(images, LayerForm::Gzip, &place("layout"))
        .expect("a layout");
    eprintln!("exported in {:?}", begun.elapsed());
    let mut archive = fs_err::File::create(place("image.tar")).expect("a file");
    store
        .export_archive(images, LayerForm::Gzip, &mut archive)
        .expect("an archive");
    drop(archive);
    // Copying verifies every digest and size on the way.
    for source in [
        format!("oci:{}:plimsoll/test:1", place("layout").display()),
        format!(
            "oci-archive:{}:plimsoll/test:1",
            place("image.tar").display()
        ),
        format!(
            "docker-archive:{}:plimsoll/test:1",
            place("image.tar").display()
        ),
    ] {
        let kind = source.split(':').next().unwrap_or_default().to_owned();
        let copied = place(&format!("copied-{kind}"));
        let output = Command::new("skopeo")
            .args(["--insecure-policy", "copy", &source])
            .arg(format!("dir:{}", copied.display()))
            .output()
            .expect("skopeo");
        assert!(
            output.status.success(),
            "{kind}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let config = copied.join(image.id.hex());
        let bytes = fs_err::read(config).expect("the configuration under its digest");
        assert_eq!(plimsoll_image::Digest::of(&bytes), image.id);
    }
}
