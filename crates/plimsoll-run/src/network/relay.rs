//! Two TCP connections made one.
//!
//! Bytes go through a pipe in the kernel and never come up here. The end of one direction is
//! passed on as such, the other goes on; an error on either side resets both.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::net::Shutdown;
use rustix::pipe::{PipeFlags, SpliceFlags};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// More than a pipe holds: every splice takes what is there.
const CHUNK: usize = 1024 * 1024;

/// Copies both ways until both are done.
pub(crate) async fn relay(left: TcpStream, right: TcpStream) {
    prepare(&left);
    prepare(&right);
    if tokio::try_join!(pump(&left, &right), pump(&right, &left)).is_err() {
        reset(left);
        reset(right);
    }
}

/// Closes a connection so that the other side learns that something went wrong.
pub(crate) fn reset(stream: TcpStream) {
    // What cannot be set leaves an orderly close, which is the next best.
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    drop(stream);
}

fn prepare(stream: &TcpStream) {
    // Both are about promptness; without them the relay is slower, not wrong.
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(20));
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}

async fn pump(from: &TcpStream, to: &TcpStream) -> io::Result<()> {
    let (outlet, inlet) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    loop {
        let mut held = from
            .async_io(Interest::READABLE, || splice(from, &inlet))
            .await?;
        if held == 0 {
            break;
        }
        while held > 0 {
            held -= to
                .async_io(Interest::WRITABLE, || splice_some(&outlet, to, held))
                .await?;
        }
    }
    match rustix::net::shutdown(to, Shutdown::Write) {
        // The other side has gone already, having read all it wanted.
        Err(rustix::io::Errno::NOTCONN) => Ok(()),
        other => Ok(other?),
    }
}

/// Fills the empty pipe from a socket. It is empty, so only the socket can make this wait.
fn splice(from: &TcpStream, inlet: &OwnedFd) -> io::Result<usize> {
    splice_some(from, inlet, CHUNK)
}

fn splice_some(from: impl AsFd, to: impl AsFd, length: usize) -> io::Result<usize> {
    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    let moved = rustix::io::retry_on_intr(|| {
        rustix::pipe::splice(from.as_fd(), None, to.as_fd(), None, length, flags)
    })?;
    Ok(moved)
}
