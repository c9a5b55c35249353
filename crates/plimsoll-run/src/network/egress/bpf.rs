//! The kernel's `bpf` call, as far as steering needs it: two kinds of map, one kind of program.
//!
//! Numbers are those of the kernel's interface (`linux/bpf.h`), which never change.

#![expect(unsafe_code, reason = "no safe interface to this system call is used")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE: libc::c_int = 2;
const PROGRAM_LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;

const PROGRAM_SK_LOOKUP: u32 = 30;
const ATTACH_SK_LOOKUP: u32 = 36;

/// A kind of map.
#[derive(Debug, Clone, Copy)]
pub(super) enum MapKind {
    /// Longest prefix wins.
    PrefixTrie,
    /// Sockets by number.
    Sockets,
}

/// One instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Instruction {
    pub(super) code: u8,
    /// Destination in the low, source in the high half.
    pub(super) registers: u8,
    pub(super) offset: i16,
    pub(super) immediate: i32,
}

#[derive(Default)]
#[repr(C)]
struct MapCreate {
    kind: u32,
    key_size: u32,
    value_size: u32,
    entries: u32,
    flags: u32,
}

#[derive(Default)]
#[repr(C)]
struct MapUpdate {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[derive(Default)]
#[repr(C)]
struct ProgramLoad {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
}

#[derive(Default)]
#[repr(C)]
struct LinkCreate {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
}

/// A map; keys and values are byte arrays of fixed sizes.
#[derive(Debug)]
pub(super) struct Map<const KEY: usize, const VALUE: usize> {
    descriptor: OwnedFd,
}

impl<const KEY: usize, const VALUE: usize> Map<KEY, VALUE> {
    pub(super) fn create(kind: MapKind, entries: u32) -> io::Result<Self> {
        let (kind, flags) = match kind {
            // A trie allocates its entries as they come; the kernel insists on saying so.
            MapKind::PrefixTrie => (11, 1),
            MapKind::Sockets => (15, 0),
        };
        let descriptor = call_for_descriptor(
            MAP_CREATE,
            &MapCreate {
                kind,
                key_size: size(KEY)?,
                value_size: size(VALUE)?,
                entries,
                flags,
            },
        )?;
        Ok(Self { descriptor })
    }

    pub(super) fn set(&self, key: [u8; KEY], value: [u8; VALUE]) -> io::Result<()> {
        let update = MapUpdate {
            map: number(self.descriptor.as_raw_fd())?,
            key: pointer(&key),
            value: pointer(&value),
            ..MapUpdate::default()
        };
        call(MAP_UPDATE, &update).map(drop)
    }

    /// For instructions that name the map.
    pub(super) fn raw(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

/// Loads a program that chooses the socket for a new connection or datagram.
pub(super) fn load_socket_lookup(instructions: &[Instruction]) -> io::Result<OwnedFd> {
    let load = ProgramLoad {
        kind: PROGRAM_SK_LOOKUP,
        instruction_count: size(instructions.len())?,
        instructions: pointer(instructions),
        license: pointer(c"Apache-2.0".to_bytes_with_nul()),
        attach_type: ATTACH_SK_LOOKUP,
        ..ProgramLoad::default()
    };
    call_for_descriptor(PROGRAM_LOAD, &load)
}

/// Makes a program decide in a network namespace, until the descriptor is closed.
pub(super) fn attach_socket_lookup(
    program: &OwnedFd,
    namespace: BorrowedFd<'_>,
) -> io::Result<OwnedFd> {
    let link = LinkCreate {
        program: number(program.as_raw_fd())?,
        target: number(namespace.as_raw_fd())?,
        attach_type: ATTACH_SK_LOOKUP,
        flags: 0,
    };
    call_for_descriptor(LINK_CREATE, &link)
}

fn call_for_descriptor<T>(command: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    let descriptor = call(command, attributes)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn call<T>(command: libc::c_int, attributes: &T) -> io::Result<RawFd> {
    // SAFETY: `attributes` is a prefix of the kernel's `bpf_attr` for this command, its size is
    // passed beside it, and the addresses in it are of values borrowed by the callers above, with
    // the lengths that the same attributes or the map's sizes say.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            size_of::<T>(),
        )
    };
    match RawFd::try_from(result) {
        Ok(result) if result >= 0 => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}

fn pointer<T: ?Sized>(value: &T) -> u64 {
    std::ptr::from_ref(value).cast::<u8>().addr() as u64
}

fn number(descriptor: RawFd) -> io::Result<u32> {
    u32::try_from(descriptor).map_err(io::Error::other)
}

fn size(value: usize) -> io::Result<u32> {
    u32::try_from(value).map_err(io::Error::other)
}
