//! Who listens on a port that is taken.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use plimsoll_model::Protocol;

use crate::network::error::PortHolder;

/// The process that holds an address and port of this thread's namespace, as far as `/proc` shows.
pub(crate) fn find(address: SocketAddr, protocol: Protocol) -> Option<PortHolder> {
    let tables = match protocol {
        Protocol::Tcp => ["tcp", "tcp6"],
        Protocol::Udp => ["udp", "udp6"],
    };
    let inode = tables.iter().find_map(|table| {
        let text = fs_err::read_to_string(format!("/proc/thread-self/net/{table}")).ok()?;
        holding_inode(&text, address, protocol)
    })?;
    let pid = owner(inode)?;
    let process = fs_err::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(PortHolder {
        process: process.trim_end().to_owned(),
        pid,
        container: None,
    })
}

/// The socket in a table of `/proc/net` that makes `address` unavailable.
fn holding_inode(table: &str, address: SocketAddr, protocol: Protocol) -> Option<u64> {
    // Listening, or for UDP simply there (7: closed, which is unconnected).
    let states: &[&str] = match protocol {
        Protocol::Tcp => &["0A"],
        Protocol::Udp => &["07", "01"],
    };
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let (ip, port) = local.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let ip = table_address(ip)?;
        let clashes = port == address.port()
            && states.contains(state)
            && (ip == address.ip() || ip.is_unspecified() || address.ip().is_unspecified());
        clashes.then(|| inode.parse().ok())?
    })
}

/// An address as the kernel prints it: words in the machine's byte order.
fn table_address(text: &str) -> Option<IpAddr> {
    let words: Vec<[u8; 4]> = text
        .as_bytes()
        .chunks(8)
        .map(|word| {
            let word = std::str::from_utf8(word).ok()?;
            Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
        })
        .collect::<Option<_>>()?;
    match words.as_slice() {
        [word] => Some(IpAddr::from(*word)),
        [_, _, _, _] => {
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(IpAddr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

fn owner(inode: u64) -> Option<u32> {
    let wanted = format!("socket:[{inode}]");
    fs_err::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        fs_err::read_dir(entry.path().join("fd"))
            .ok()?
            .flatten()
            .any(|descriptor| {
                fs_err::read_link(descriptor.path())
                    .is_ok_and(|target| target == Path::new(&wanted))
            })
            .then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0
   1: 0100007F:1F91 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4243 1 0 100 0 0 10 0
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4244 1 0 100 0 0 10 0
";

    fn inode(address: &str) -> Option<u64> {
        holding_inode(TABLE, address.parse().unwrap(), Protocol::Tcp)
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn listeners_are_found_by_address_or_wildcard() {
        assert_eq!(inode("127.0.0.1:8080"), Some(4242));
        assert_eq!(inode("0.0.0.0:8080"), Some(4242));
        assert_eq!(inode("127.0.0.1:80"), Some(4244));
        assert_eq!(inode("192.0.2.1:8080"), None);
        assert_eq!(
            inode("127.0.0.1:8081"),
            None,
            "a connection, not a listener"
        );
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn addresses_of_both_families_are_understood() {
        assert_eq!(
            table_address("0100007F"),
            Some("127.0.0.1".parse().unwrap())
        );
        assert_eq!(
            table_address("00000000000000000000000001000000"),
            Some("::1".parse().unwrap())
        );
        assert_eq!(
            table_address("0000000000000000FFFF00000100007F"),
            Some("127.0.0.1".parse().unwrap())
        );
        assert_eq!(table_address("00"), Some("0.0.0.0".parse().unwrap()));
        assert_eq!(table_address("zz"), None);
    }

    #[test]
    fn the_holder_of_a_real_port_is_this_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let holder = find(listener.local_addr().unwrap(), Protocol::Tcp).unwrap();
        assert_eq!(holder.pid, std::process::id());
    }
}
