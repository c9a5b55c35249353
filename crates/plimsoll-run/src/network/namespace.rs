//! Network namespaces, held by nothing but an open file of this process.
//!
//! A namespace goes when the last process in it and the last file on it are gone, so whatever
//! happens to the keeper, nothing has to be cleaned up. No thread of the runtime ever changes its
//! namespace: that is done on threads that exist for it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc;
use std::thread;

use rustix::thread::UnshareFlags;
use socket2::Socket;
use tokio::sync::oneshot;

use super::netlink::{LOOPBACK, RouteSocket};

/// A setting of a namespace, below `/proc/sys`.
pub(crate) type Setting = (&'static str, &'static str);

/// Makes a namespace with its settings and loopback up, and leaves only files on it.
pub(crate) fn create(settings: &'static [Setting]) -> io::Result<(OwnedFd, RouteSocket)> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("namespace".into());
        let made = thread.spawn_scoped(scope, || enter_new(settings))?.join();
        made.unwrap_or_else(|_| Err(io::Error::other("the thread that makes namespaces failed")))
    })
}

/// Moves the calling thread into a new namespace; call it only on a thread made for that.
fn enter_new(settings: &[Setting]) -> io::Result<(OwnedFd, RouteSocket)> {
    // SAFETY: `unshare_unsafe` is unsafe because `CLONE_FILES` would leave other threads'
    // descriptors dangling; only the network namespace of this one thread changes here.
    #[expect(unsafe_code, reason = "the only call that makes a namespace")]
    unsafe {
        rustix::thread::unshare_unsafe(UnshareFlags::NEWNET)?;
    }
    for (name, value) in settings {
        match fs_err::write(format!("/proc/sys/{name}"), value) {
            // Built without that protocol or feature: there is nothing to set.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    let namespace = fs_err::File::open("/proc/thread-self/ns/net")?;
    let mut routes = RouteSocket::open()?;
    routes.set_up(LOOPBACK)?;
    Ok((namespace.into_file().into(), routes))
}

type Job = Box<dyn FnOnce() + Send>;

/// A namespace with a thread living in it, which opens sockets there for others.
#[derive(Debug)]
pub(crate) struct Resident {
    namespace: OwnedFd,
    jobs: mpsc::Sender<Job>,
}

impl Resident {
    /// Makes a namespace and leaves a thread in it until the value is dropped.
    pub(crate) fn create(settings: &'static [Setting]) -> io::Result<(Self, RouteSocket)> {
        let (jobs, work) = mpsc::channel::<Job>();
        let (ready, made) = mpsc::channel();
        thread::Builder::new()
            .name("resident".into())
            .spawn(move || {
                let entered = enter_new(settings);
                let inside = entered.is_ok();
                if ready.send(entered).is_ok() && inside {
                    for job in work {
                        job();
                    }
                }
            })?;
        let (namespace, routes) = made
            .recv()
            .map_err(|_| io::Error::other("the resident thread failed"))??;
        Ok((Self { namespace, jobs }, routes))
    }

    pub(crate) fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    /// Opens a socket in the namespace and waits for it, blocking.
    pub(crate) fn open(
        &self,
        open: impl FnOnce() -> io::Result<Socket> + Send + 'static,
    ) -> io::Result<Socket> {
        let (sender, receiver) = mpsc::channel();
        self.give(Box::new(move || drop(sender.send(open()))))?;
        receiver.recv().map_err(|_| gone())?
    }

    /// Opens a socket in the namespace.
    pub(crate) async fn open_async(
        &self,
        open: impl FnOnce() -> io::Result<Socket> + Send + 'static,
    ) -> io::Result<Socket> {
        let (sender, receiver) = oneshot::channel();
        self.give(Box::new(move || drop(sender.send(open()))))?;
        receiver.await.map_err(|_| gone())?
    }

    fn give(&self, job: Job) -> io::Result<()> {
        self.jobs.send(job).map_err(|_| gone())
    }
}

fn gone() -> io::Error {
    io::Error::other("the resident thread is gone")
}
