//! The program in the kernel that gives everything meant for the outside to two sockets.
//!
//! It runs in the network's namespace only, when a packet looks for a socket: for the first packet
//! of a connection, and for datagrams that no connected socket takes. It looks the destination up
//! in a table of prefixes and then assigns a socket, lets the usual search go on, or refuses, which
//! the sender sees as a connection refused. It is there while [`Steering`] is.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use ipnet::Ipv4Net;
use socket2::Socket;

use super::bpf::{Instruction, Map, MapKind, attach_socket_lookup, load_socket_lookup};
use super::policy::Gate;

/// Prefixes in the table; a host with more addresses than that is not a host.
const PREFIXES: u32 = 4096;

const DELIVER: i32 = 1;
const STEER: i32 = 2;
const REFUSE: i32 = 3;

/// A running program. The order of fields is the order of closing: first it stops deciding.
#[derive(Debug)]
pub(crate) struct Steering {
    _link: OwnedFd,
    _program: OwnedFd,
    /// Prefix length and address to what to do.
    gates: Map<8, 4>,
    _sockets: Map<4, 4>,
}

impl Steering {
    /// Loads the program and lets it decide in a namespace. Its table is empty at first, and what
    /// is not in it is refused.
    pub(super) fn attach(
        namespace: BorrowedFd<'_>,
        connections: &Socket,
        datagrams: &Socket,
    ) -> io::Result<Self> {
        let gates = Map::create(MapKind::PrefixTrie, PREFIXES)?;
        let sockets = Map::create(MapKind::Sockets, 2)?;
        for (index, socket) in [connections, datagrams].into_iter().enumerate() {
            let index = u32::try_from(index).map_err(io::Error::other)?;
            sockets.set(index.to_ne_bytes(), socket.as_raw_fd().to_ne_bytes())?;
        }
        let program = load_socket_lookup(&program(&gates, &sockets))?;
        let link = attach_socket_lookup(&program, namespace)?;
        Ok(Self {
            _link: link,
            _program: program,
            gates,
            _sockets: sockets,
        })
    }

    /// Says what becomes of destinations.
    pub(super) fn set(&self, destinations: Ipv4Net, gate: Gate) -> io::Result<()> {
        let mut key = [0; 8];
        let (prefix, address) = key.split_at_mut(4);
        prefix.copy_from_slice(&u32::from(destinations.prefix_len()).to_ne_bytes());
        address.copy_from_slice(&destinations.network().octets());
        let value = match gate {
            Gate::Deliver => DELIVER,
            Gate::Steer => STEER,
            Gate::Refuse => REFUSE,
        };
        self.gates.set(key, value.to_ne_bytes())
    }
}

// Offsets in the program's context, `struct bpf_sk_lookup`.
const FAMILY: i16 = 8;
const PROTOCOL: i16 = 12;
const LOCAL_IP4: i16 = 40;

// Functions of the kernel, by number.
const MAP_LOOKUP: i32 = 1;
const SK_RELEASE: i32 = 86;
const SK_ASSIGN: i32 = 124;

// Answers of the program.
const SK_DROP: i32 = 0;
const SK_PASS: i32 = 1;

// Registers: arguments from 1 on, result in 0, kept across calls from 6 on, stack in 10.
const R0: u8 = 0;
const R1: u8 = 1;
const R2: u8 = 2;
const R3: u8 = 3;
const CONTEXT: u8 = 6;
const SOCKET: u8 = 7;
const RESULT: u8 = 8;
const STACK: u8 = 10;

/// Jumps go to one of the two ends; the numbers are known when the program is complete.
#[derive(Debug, Clone, Copy)]
enum Step {
    Plain(Instruction),
    Jump(Instruction, End),
}

#[derive(Debug, Clone, Copy)]
enum End {
    Pass,
    Drop,
}

fn program(gates: &Map<8, 4>, sockets: &Map<4, 4>) -> Vec<Instruction> {
    let mut steps = vec![
        copy(CONTEXT, R1),
        // IPv6 is off in these namespaces; if it were on, this is not about it.
        load(R2, CONTEXT, FAMILY),
        jump(JUMP_NOT_EQUAL, R2, libc::AF_INET, End::Pass),
        // The table's key, on the stack: prefix length, address in network order.
        load(R2, CONTEXT, LOCAL_IP4),
        store(STACK, -4, R2),
        store_number(STACK, -8, 32),
    ];
    steps.extend(load_map(R1, gates.raw()));
    steps.extend([
        copy(R2, STACK),
        add(R2, -8),
        call(MAP_LOOKUP),
        jump(JUMP_EQUAL, R0, 0, End::Drop),
        load(R2, R0, 0),
        jump(JUMP_EQUAL, R2, DELIVER, End::Pass),
        jump(JUMP_NOT_EQUAL, R2, STEER, End::Drop),
        // Socket 0 takes connections, socket 1 takes datagrams: one when it is not TCP.
        store_number(STACK, -12, 0),
        load(R2, CONTEXT, PROTOCOL),
        skip_next_if_equal(R2, libc::IPPROTO_TCP),
        store_number(STACK, -12, 1),
    ]);
    steps.extend(load_map(R1, sockets.raw()));
    steps.extend([
        copy(R2, STACK),
        add(R2, -12),
        call(MAP_LOOKUP),
        jump(JUMP_EQUAL, R0, 0, End::Drop),
        copy(SOCKET, R0),
        copy(R1, CONTEXT),
        copy(R2, SOCKET),
        set(R3, 0),
        call(SK_ASSIGN),
        copy(RESULT, R0),
        // The verifier wants the reference back on every way out.
        copy(R1, SOCKET),
        call(SK_RELEASE),
        jump(JUMP_NOT_EQUAL, RESULT, 0, End::Drop),
    ]);
    assemble(&steps)
}

/// Appends the two ends and resolves the jumps to them.
fn assemble(steps: &[Step]) -> Vec<Instruction> {
    let pass = steps.len();
    let drop = pass + 2;
    let ends = [set(R0, SK_PASS), exit(), set(R0, SK_DROP), exit()];
    steps
        .iter()
        .chain(&ends)
        .enumerate()
        .map(|(place, step)| match step {
            Step::Plain(instruction) => *instruction,
            Step::Jump(instruction, end) => {
                let target = match end {
                    End::Pass => pass,
                    End::Drop => drop,
                };
                Instruction {
                    // Counted from the next instruction. The program is far shorter than this
                    // type's range.
                    offset: i16::try_from(target - place - 1).unwrap_or(i16::MAX),
                    ..*instruction
                }
            }
        })
        .collect()
}

const JUMP_EQUAL: u8 = 0x15;
const JUMP_NOT_EQUAL: u8 = 0x55;

fn plain(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Step {
    Step::Plain(Instruction {
        code,
        registers: destination | source << 4,
        offset,
        immediate,
    })
}

fn copy(destination: u8, source: u8) -> Step {
    plain(0xbf, destination, source, 0, 0)
}

fn set(destination: u8, value: i32) -> Step {
    plain(0xb7, destination, 0, 0, value)
}

fn add(destination: u8, value: i32) -> Step {
    plain(0x07, destination, 0, 0, value)
}

/// 32 bits from memory.
fn load(destination: u8, base: u8, offset: i16) -> Step {
    plain(0x61, destination, base, offset, 0)
}

/// 32 bits to memory.
fn store(base: u8, offset: i16, source: u8) -> Step {
    plain(0x63, base, source, offset, 0)
}

fn store_number(base: u8, offset: i16, value: i32) -> Step {
    plain(0x62, base, 0, offset, value)
}

/// The address of a map: two instructions, which the kernel fills in.
fn load_map(destination: u8, map: i32) -> [Step; 2] {
    const MAP_DESCRIPTOR: u8 = 1;
    [
        plain(0x18, destination, MAP_DESCRIPTOR, 0, map),
        plain(0, 0, 0, 0, 0),
    ]
}

fn call(function: i32) -> Step {
    plain(0x85, 0, 0, 0, function)
}

fn exit() -> Step {
    plain(0x95, 0, 0, 0, 0)
}

fn skip_next_if_equal(register: u8, value: i32) -> Step {
    plain(JUMP_EQUAL, register, 0, 1, value)
}

fn jump(code: u8, register: u8, value: i32, end: End) -> Step {
    Step::Jump(
        Instruction {
            code,
            registers: register,
            offset: 0,
            immediate: value,
        },
        end,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_lead_to_the_ends() {
        let code = assemble(&[
            jump(JUMP_EQUAL, R2, 1, End::Pass),
            jump(JUMP_EQUAL, R2, 2, End::Drop),
            set(R3, 0),
        ]);
        assert_eq!(code.len(), 7);
        assert_eq!(code[0].offset, 2);
        assert_eq!(code[1].offset, 3);
        assert_eq!(code[3].immediate, SK_PASS);
        assert_eq!(code[5].immediate, SK_DROP);
    }
}
