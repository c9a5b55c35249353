//! The keeper's process: one for each project, started from our own executable.
//!
//! It holds the project's networks as open files and nothing else, so that its end, however it
//! comes, ends them. It answers on a Unix socket in its directory to processes of its own user.

use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::fs::FlockOperation;
use rustix::net::Shutdown;
use rustix::process::Resource;
use serde::{Deserialize, Serialize};

use super::control::Control;
use super::egress::EgressMethod;
use super::error::NetworkError;
use super::protocol::{Request, Response};
use super::wire::Wire;

/// Threads that move bytes. They only wait and splice; more would not make them faster.
const WORKERS: usize = 4;

/// What a keeper is told before it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeeperOptions {
    /// The file that names the host's resolvers.
    pub resolver_file: PathBuf,
    /// How connections to the outside are received.
    pub egress_method: EgressMethod,
}

impl Default for KeeperOptions {
    fn default() -> Self {
        Self {
            resolver_file: PathBuf::from("/etc/resolv.conf"),
            egress_method: EgressMethod::default(),
        }
    }
}

/// The keeper's first and only word on its standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Greeting {
    /// It answers on its socket.
    Ready,
    /// It does not.
    Failed(NetworkError),
}

/// The files of a keeper's directory.
pub(crate) mod files {
    use std::io;
    use std::os::fd::AsRawFd as _;
    use std::path::{Path, PathBuf};

    const SOCKET: &str = "keeper.sock";
    pub(crate) const LOCK: &str = "keeper.lock";
    pub(crate) const OPTIONS: &str = "keeper.json";
    pub(crate) const LOG: &str = "keeper.log";

    /// Where the socket is.
    pub(crate) fn socket(directory: &Path) -> PathBuf {
        directory.join(SOCKET)
    }

    /// Uses the socket under a name that is short enough for any directory: the address of a
    /// socket holds 107 bytes.
    pub(crate) fn with_socket<T>(
        directory: &Path,
        work: impl FnOnce(&Path) -> io::Result<T>,
    ) -> io::Result<T> {
        let open = fs_err::File::open(directory)?;
        let short = format!("/proc/self/fd/{}/{SOCKET}", open.file().as_raw_fd());
        work(Path::new(&short))
    }
}

/// Runs a keeper in `directory` until it is told to end. Standard output tells the starter how
/// starting went, and is not used after that.
#[must_use]
pub fn main(directory: &Path) -> ExitCode {
    let keeper = match prepare(directory) {
        Ok(keeper) => keeper,
        Err(error) => {
            greet(&Greeting::Failed(error));
            return ExitCode::FAILURE;
        }
    };
    greet(&Greeting::Ready);
    Arc::clone(&keeper).serve();
    // `keeper` still has the lock: whoever gets it next finds no socket of ours.
    let _ = fs_err::remove_file(files::socket(directory));
    ExitCode::SUCCESS
}

/// Says one line, and makes standard output lead nowhere, so that the starter sees its end.
fn greet(greeting: &Greeting) {
    if let Ok(mut line) = serde_json::to_vec(greeting) {
        line.push(b'\n');
        // The starter may be gone; there is nobody else to tell.
        let _ = io::stdout().write_all(&line);
        let _ = io::stdout().flush();
    }
    if let Ok(null) = fs_err::OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}

struct KeeperProcess {
    listener: UnixListener,
    control: Mutex<Control>,
    /// Lives as long as the tasks on it.
    _runtime: tokio::runtime::Runtime,
    /// Its lock says that the directory has a keeper.
    _lock: OwnedFd,
}

fn prepare(directory: &Path) -> Result<Arc<KeeperProcess>, NetworkError> {
    // Fails for the leader of a group, which a child never is; the terminal's signals then reach
    // this process too, and that is all.
    let _ = rustix::process::setsid();
    ignore_broken_pipes();
    raise_descriptor_limit();
    // Wherever it was started, it keeps no directory in use.
    let _ = std::env::set_current_dir("/");
    let lock = lock(directory)?;
    let options = read_options(directory)?;
    let socket = files::socket(directory);
    // Whoever bound it does not hold the lock any more, so nobody answers there.
    match fs_err::remove_file(&socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(NetworkError::file("remove", &socket, &error));
        }
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(thread::available_parallelism().map_or(1, |count| count.get().min(WORKERS)))
        .enable_all()
        .build()
        .map_err(|error| NetworkError::system("start the runtime", &error))?;
    let control = Control::new(runtime.handle().clone(), options)?;
    let listener = files::with_socket(directory, |path| UnixListener::bind(path))
        .map_err(|error| NetworkError::file("bind", &socket, &error))?;
    rustix::fs::chmod(&socket, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)
        .map_err(|error| NetworkError::file("protect", &socket, &error.into()))?;
    Ok(Arc::new(KeeperProcess {
        listener,
        control: Mutex::new(control),
        _runtime: runtime,
        _lock: lock,
    }))
}

fn lock(directory: &Path) -> Result<OwnedFd, NetworkError> {
    let path = directory.join(files::LOCK);
    let file = fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| NetworkError::file("open", &path, &error))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file.into_file().into()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(NetworkError::AlreadyRunning {
            directory: directory.to_owned(),
        }),
        Err(error) => Err(NetworkError::file("lock", &path, &error.into())),
    }
}

fn read_options(directory: &Path) -> Result<KeeperOptions, NetworkError> {
    let path = directory.join(files::OPTIONS);
    match fs_err::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(KeeperOptions::default()),
        Err(error) => Err(NetworkError::file("read", &path, &error)),
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| NetworkError::file("read", &path, &error.into())),
    }
}

/// Splicing to a connection that the other side has closed raises a signal, which would end the
/// process if whoever links this has restored its default.
fn ignore_broken_pipes() {
    // SAFETY: ignoring a signal installs no handler, so no code of ours can run at a bad moment.
    #[expect(unsafe_code, reason = "no safe interface sets a signal's disposition")]
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
}

/// Each relayed connection takes six descriptors, and the usual soft limit is 1024. The hard
/// limit may always be used.
fn raise_descriptor_limit() {
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With the old limit fewer connections fit; everything else works.
    let _ = rustix::process::setrlimit(Resource::Nofile, limit);
}

impl KeeperProcess {
    /// Accepts clients until one asks for the end.
    fn serve(self: Arc<Self>) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    let keeper = Arc::clone(&self);
                    let client = thread::Builder::new().name("client".into());
                    let _ = client.spawn(move || keeper.serve_client(stream));
                }
                // What `end` brings about.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a client");
                    thread::sleep(std::time::Duration::from_millis(20));
                }
            }
        }
    }

    fn serve_client(&self, stream: UnixStream) {
        match rustix::net::sockopt::socket_peercred(&stream) {
            Ok(peer) if peer.uid == rustix::process::geteuid() => {}
            _ => return,
        }
        let mut wire = Wire::new(stream);
        loop {
            let request = match wire.receive::<Request>() {
                Ok(Some(request)) => request,
                Ok(None) => return,
                Err(error) => {
                    let failure = NetworkError::Protocol {
                        reason: error.to_string(),
                    };
                    let _ = wire.send(&Response::Failed { failure }, None);
                    return;
                }
            };
            let ends = request == Request::Shutdown;
            let (response, namespace) = self
                .control
                .lock()
                // A request that panicked failed for its client only.
                .unwrap_or_else(PoisonError::into_inner)
                .handle(request);
            let sent = wire.send(&response, namespace.as_ref().map(AsFd::as_fd));
            if ends {
                self.end();
            }
            if sent.is_err() || ends {
                return;
            }
        }
    }

    /// Makes `accept` fail, which ends the process.
    fn end(&self) {
        let _ = rustix::net::shutdown(&self.listener, Shutdown::Both);
    }
}
