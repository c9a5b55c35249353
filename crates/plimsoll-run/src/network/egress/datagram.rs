//! Datagrams together with the address they were sent to.

#![expect(
    unsafe_code,
    reason = "no safe interface gives the original destination"
)]

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::{Domain, Socket, Type};

/// A socket that is told where datagrams were meant to go.
pub(super) fn listen(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM.nonblocking().cloexec(), None)?;
    let on: libc::c_int = 1;
    // SAFETY: the option takes an `int`, whose address and size are passed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_IP,
            libc::IP_RECVORIGDSTADDR,
            std::ptr::from_ref(&on).cast(),
            socklen::<libc::c_int>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// A socket that speaks for a foreign address, to one peer.
pub(super) fn impersonate(address: SocketAddrV4, peer: SocketAddrV4) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM.nonblocking().cloexec(), None)?;
    socket.set_ip_transparent_v4(true)?;
    // One for each peer of the same address.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.connect(&peer.into())?;
    Ok(socket)
}

/// One datagram.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) length: usize,
    pub(super) source: SocketAddrV4,
    pub(super) destination: SocketAddrV4,
}

/// Space for one address beside a datagram, aligned as the kernel writes it.
#[repr(C, align(8))]
struct Control([MaybeUninit<u8>; 128]);

/// Takes one datagram from a socket made by [`listen`].
pub(super) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    // SAFETY: all zeroes is a value of these C structures.
    let (mut source, mut message): (libc::sockaddr_in, libc::msghdr) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    let mut control = Control([MaybeUninit::uninit(); 128]);
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    message.msg_name = std::ptr::from_mut(&mut source).cast();
    message.msg_namelen = socklen::<libc::sockaddr_in>();
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len() as _;
    // SAFETY: every pointer in `message` is to a local or borrowed value that outlives the call,
    // with its size beside it.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    let destination = original_destination(&message)
        .ok_or_else(|| io::Error::other("a datagram came without its destination"))?;
    Ok(Received {
        length,
        source: address(&source),
        destination,
    })
}

fn original_destination(message: &libc::msghdr) -> Option<SocketAddrV4> {
    // SAFETY: the kernel filled the control space that `message` names and set its length; the
    // macros stay within it.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: as above; the header is null at the end, and a whole `cmsghdr` otherwise.
    while let Some(entry) = unsafe { header.as_ref() } {
        if entry.cmsg_level == libc::SOL_IP && entry.cmsg_type == libc::IP_ORIGDSTADDR {
            // SAFETY: an entry of this type holds a `sockaddr_in`, aligned or not.
            let found: libc::sockaddr_in = unsafe {
                libc::CMSG_DATA(entry)
                    .cast::<libc::sockaddr_in>()
                    .read_unaligned()
            };
            return Some(address(&found));
        }
        // SAFETY: as above.
        header = unsafe { libc::CMSG_NXTHDR(message, entry) };
    }
    None
}

fn address(raw: &libc::sockaddr_in) -> SocketAddrV4 {
    SocketAddrV4::new(
        Ipv4Addr::from(u32::from_be(raw.sin_addr.s_addr)),
        u16::from_be(raw.sin_port),
    )
}

fn socklen<T>() -> libc::socklen_t {
    // Sizes of these small structures fit any type.
    size_of::<T>() as libc::socklen_t
}
