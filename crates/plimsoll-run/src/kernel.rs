//! The few system calls that no safe crate offers, each with the reason why it is sound here.
//!
//! The only module of the container engine with unsafe code. Nothing here decides anything.
#![expect(
    unsafe_code,
    reason = "system calls without a safe wrapper in the crates we use"
)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::process::Pid;
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Which side of a fork this is.
pub(crate) enum Fork {
    Child,
    Parent(Pid),
}

/// Forks this process.
///
/// Callers are the helper processes of this crate, which have one thread; in a program with more
/// the child could wait for ever for a lock that a thread of the parent held.
pub(crate) fn fork() -> io::Result<Fork> {
    // SAFETY: one thread, as said above: the child's memory is in order.
    match unsafe { libc::fork() } {
        0 => Ok(Fork::Child),
        pid => Pid::from_raw(pid)
            .filter(|_| pid > 0)
            .map(Fork::Parent)
            .ok_or_else(io::Error::last_os_error),
    }
}

/// Ends this process without running what was registered for its end: that belongs to the process
/// it was forked from.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: does not return and touches no memory.
    unsafe { libc::_exit(code) }
}

/// Executes a program in this process; returns only when that fails.
pub(crate) fn execute(path: &CString, arguments: &[CString], environment: &[CString]) -> io::Error {
    let pointers = |list: &[CString]| -> Vec<*const libc::c_char> {
        list.iter()
            .map(|text| text.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: NUL-terminated strings that outlive the call, in lists that end with a null pointer.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Sends a signal by number, real-time signals included.
pub(crate) fn send_signal(pid: Pid, signal: i32) -> io::Result<()> {
    // SAFETY: touches no memory. Callers name their own children that are not reaped yet.
    check(unsafe { libc::kill(pid.as_raw_nonzero().get(), signal) }.into())
}

/// Gives all signals their default action. Rust ignores SIGPIPE, the C library's way to start
/// processes ignores two of its own, and programs would inherit both.
pub(crate) fn reset_signal_actions() {
    // Zeros are the default action without flags, in the kernel's own structure: the C library
    // refuses to touch the signals it uses itself.
    let default = [0_u64; 4];
    let mask_size = size_of::<u64>();
    for signal in 1..=64 {
        // SAFETY: the default action needs no handler, and the structure is as long as the
        // kernel's. Numbers that cannot be changed are refused, which is fine.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                std::ptr::null::<u64>(),
                mask_size,
            )
        };
    }
}

/// Blocks all signals, so that they wait for [`next_signal`].
pub(crate) fn block_all_signals() {
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the first call fills the set that the second one reads.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut());
    }
}

/// A signal that came.
pub(crate) struct Received {
    pub(crate) number: i32,
    /// Whether the kernel made it, as for a key of a terminal.
    pub(crate) from_kernel: bool,
}

/// Waits for the next signal; all must be blocked.
pub(crate) fn next_signal() -> Option<Received> {
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    let mut information = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: the set is filled before it is read; the information is zeroed before, and written
    // by the call.
    let (number, information) = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        let number = libc::sigwaitinfo(all.as_ptr(), information.as_mut_ptr());
        (number, information.assume_init())
    };
    (number > 0).then_some(Received {
        number,
        from_kernel: information.si_code == libc::SI_KERNEL,
    })
}

/// Takes all capabilities but those in `kept` from what this process may ever gain.
pub(crate) fn limit_capabilities(kept: u64) {
    for number in 0..64 {
        if kept & (1 << number) == 0 {
            // SAFETY: touches no memory. Numbers the kernel does not know are refused.
            unsafe { libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0) };
        }
    }
}

/// Installs a seccomp program on this thread.
pub(crate) fn install_filter(program: &[seccompiler::sock_filter]) -> io::Result<()> {
    let description = libc::sock_fprog {
        len: program.len().try_into().map_err(io::Error::other)?,
        filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut(),
    };
    // SAFETY: the kernel copies the program, which lives until the call is over, and does not
    // write to it. seccompiler's `sock_filter` has the layout of the kernel's.
    check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const description,
        )
    })
}

/// Gives this process a mount namespace of its own.
pub(crate) fn unshare_mounts() -> io::Result<()> {
    // SAFETY: of what can be unshared only the mount namespace is; no file descriptor table.
    Ok(unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?)
}

/// Makes a mount that is in no namespace read-only.
pub(crate) fn make_mount_read_only(mount: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: all-zero is a valid value of this structure of numbers.
    let mut attributes: libc::mount_attr = unsafe { std::mem::zeroed() };
    attributes.attr_set = libc::MOUNT_ATTR_RDONLY;
    // SAFETY: a valid descriptor, an empty static string, and a structure of the given size that
    // the kernel only reads.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    })
}

/// Makes an empty network namespace whose loopback works, and stays in its own.
pub(crate) fn new_network() -> io::Result<OwnedFd> {
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    let here = || fs_err::File::open("/proc/self/ns/net");
    let own = here()?;
    // SAFETY: of what can be unshared only the network namespace is; no file descriptor table.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?;
    let made = raise_loopback().and_then(|()| here());
    move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(made?.into_parts().0.into())
}

fn raise_loopback() -> io::Result<()> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // SAFETY: all-zero is a valid value of this structure of numbers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed() as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: a valid descriptor, and the structure that this request reads.
    check(
        unsafe {
            libc::ioctl(
                socket.as_raw_fd(),
                libc::SIOCSIFFLAGS as _,
                &raw const request,
            )
        }
        .into(),
    )
}

/// Waits until nobody else has the lock that [`lock_file`] takes. The file must be open for
/// writing.
pub(crate) fn wait_for_lock(file: BorrowedFd<'_>) -> io::Result<()> {
    let lock = whole_file();
    loop {
        // SAFETY: a valid descriptor and a valid structure.
        let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLKW, &raw const lock) };
        match check(result.into()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Whether there is something to read, without waiting. For a descriptor known by its number: it
/// was inherited across a fork, and its owner is in the parent's memory.
pub(crate) fn is_readable(fd: RawFd) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one valid structure.
    unsafe { libc::poll(&raw mut poll, 1, 0) != 0 }
}

/// Writes four bytes to a descriptor known by its number, as in [`is_readable`].
pub(crate) fn write_number(fd: RawFd, number: i32) {
    let bytes = number.to_ne_bytes();
    // SAFETY: four valid bytes. A reader that is gone does not matter any more.
    unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
}

/// Closes a descriptor known by its number, as in [`is_readable`].
pub(crate) fn close_number(fd: RawFd) {
    // SAFETY: the caller's process does not use the descriptor again; it never returns to the code
    // that owns it.
    unsafe { libc::close(fd) };
}

/// Takes a lock on a whole file, bound to its open description. Fails if somebody else has it.
pub(crate) fn lock_file(file: BorrowedFd<'_>) -> io::Result<()> {
    let lock = whole_file();
    // SAFETY: a valid descriptor and a valid structure.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) }.into())
}

/// Whether somebody else has the lock that [`lock_file`] takes.
pub(crate) fn is_locked(file: BorrowedFd<'_>) -> io::Result<bool> {
    let mut lock = whole_file();
    // SAFETY: a valid descriptor and a valid structure, which the kernel fills.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) }.into())?;
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}

fn whole_file() -> libc::flock {
    // SAFETY: all-zero is a valid value: the whole file, from its start.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock
}

fn check(result: i64) -> io::Result<()> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
