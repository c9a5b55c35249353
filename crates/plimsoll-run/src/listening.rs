//! The TCP ports that the programs of a container listen on, as the kernel tells them.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// The state of a socket that listens, as the kernel writes it (`TCP_LISTEN`).
const LISTEN: &str = "0A";

/// A socket that listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Socket {
    address: SocketAddr,
    inode: u64,
}

/// Where the programs of a container listen; `process` is its first one. Containers that share a
/// network see each other's sockets: those of others are left out.
pub fn listening(process: i32) -> Vec<SocketAddr> {
    let sockets = sockets(process);
    if sockets.is_empty() {
        return Vec::new();
    }
    let own = own_sockets(process);
    let own = sockets.iter().filter(|socket| own.contains(&socket.inode));
    let mut addresses: Vec<SocketAddr> = own.map(|socket| socket.address).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// All sockets that listen in the network of a process, from `/proc/PID/net/tcp`
/// (proc_net_tcp(5)).
fn sockets(process: i32) -> Vec<Socket> {
    ["tcp", "tcp6"]
        .iter()
        .flat_map(|file| {
            let path = format!("/proc/{process}/net/{file}");
            let text = fs_err::read_to_string(path).unwrap_or_default();
            text.lines().filter_map(socket).collect::<Vec<_>>()
        })
        .collect()
}

/// The sockets that processes of the container hold: those in its process namespace.
fn own_sockets(process: i32) -> BTreeSet<u64> {
    let namespace = |process: &str| -> Option<PathBuf> {
        fs_err::read_link(format!("/proc/{process}/ns/pid")).ok()
    };
    let own = namespace(&process.to_string());
    let Ok(processes) = fs_err::read_dir("/proc") else {
        return BTreeSet::new();
    };
    let names = processes
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    names
        .filter(|name| own.is_some() && namespace(name) == own)
        .flat_map(|name| {
            // A process that ends meanwhile holds none.
            let files = fs_err::read_dir(format!("/proc/{name}/fd")).ok();
            files.into_iter().flatten().filter_map(|file| {
                let target = fs_err::read_link(file.ok()?.path()).ok()?;
                let target = target.to_string_lossy().into_owned();
                let inode = target.strip_prefix("socket:[")?.strip_suffix(']')?;
                inode.parse().ok()
            })
        })
        .collect()
}

/// One line of `/proc/net/tcp` or `tcp6`, where its socket listens.
fn socket(line: &str) -> Option<Socket> {
    let words: Vec<&str> = line.split_whitespace().collect();
    if *words.get(3)? != LISTEN {
        return None;
    }
    let (address, port) = words.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    // Groups of four bytes, each in the byte order of the machine.
    let mut bytes = Vec::new();
    for group in address.as_bytes().chunks(8) {
        let group = std::str::from_utf8(group).ok()?;
        let number = u32::from_str_radix(group, 16).ok()?;
        bytes.extend(number.to_ne_bytes());
    }
    let address = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
        _ => return None,
    };
    Some(Socket {
        address: SocketAddr::from((address, port)),
        inode: words.get(9)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn lines_of_the_kernel() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0";
        let found = socket(line).unwrap();
        assert_eq!(found.inode, 4242);
        assert_eq!(found.address.port(), 8080);
        if cfg!(target_endian = "little") {
            assert_eq!(found.address.to_string(), "127.0.0.1:8080");
        }
        let any = "   1: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 7 1";
        assert_eq!(socket(any).unwrap().address.to_string(), "[::]:80");
        assert_eq!(socket(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(socket("  sl  local_address rem_address   st"), None);
    }

    #[test]
    fn a_port_of_this_process_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let process = std::process::id().cast_signed();
        assert!(listening(process).contains(&listener.local_addr().unwrap()));
    }
}
