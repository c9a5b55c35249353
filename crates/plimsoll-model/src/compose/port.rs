//! The short form of a published port.

use std::net::IpAddr;

/// One port of a short form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShortPort {
    /// Address on the host; empty where none is named.
    pub(super) host_ip: String,
    /// Port or range on the host; empty where none is named.
    pub(super) published: String,
    /// Port in the container.
    pub(super) target: u16,
    /// `tcp`, `udp` or `sctp`.
    pub(super) protocol: String,
}

/// Reads `[[address:]port:]port[/protocol]`, where ports may be ranges. The error says what is
/// wrong with it.
pub(super) fn parse(text: &str) -> Result<Vec<ShortPort>, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (host, published, container) = match parts.as_slice() {
        [container] => (String::new(), "", *container),
        [published, container] => (String::new(), *published, *container),
        [host @ .., published, container] => (host.join(":"), *published, *container),
        [] => (String::new(), "", ""),
    };
    let (container, protocol) = match container.split_once('/') {
        Some((container, "")) => (container, "tcp"),
        Some((container, protocol)) => (container, protocol),
        None => (container, "tcp"),
    };
    if container.is_empty() {
        return Err("no container port is given".to_owned());
    }
    let protocol = protocol.to_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("unknown protocol `{protocol}`"));
    }
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').unwrap_or(rest).to_owned(),
        None => host,
    };
    if !host.is_empty() && host.parse::<IpAddr>().is_err() {
        return Err(format!("`{host}` is no IP address"));
    }
    let (first, last) =
        range(container).ok_or_else(|| format!("`{container}` is no container port"))?;
    let count = last - first;
    let hosts = if published.is_empty() {
        None
    } else {
        let (host_first, host_last) =
            range(published).ok_or_else(|| format!("`{published}` is no host port"))?;
        if host_last - host_first != count && count != 0 {
            return Err(format!(
                "the ranges {published} and {container} have different lengths"
            ));
        }
        Some((host_first, host_last))
    };
    let mut ports: Vec<ShortPort> = (0..=count)
        .map(|index| ShortPort {
            host_ip: host.clone(),
            published: match hosts {
                None => String::new(),
                // Any free port of the range.
                Some((low, high)) if count == 0 && low != high => format!("{low}-{high}"),
                Some((low, _)) => (low + index).to_string(),
            },
            target: first + index,
            protocol: protocol.clone(),
        })
        .collect();
    // The order of text, which is the order the peer prints.
    ports.sort_by_cached_key(|port| format!("{}/{}", port.target, port.protocol));
    Ok(ports)
}

fn range(text: &str) -> Option<(u16, u16)> {
    let number = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse::<u16>().ok())
            .flatten()
    };
    let mut parts = text.split('-');
    let first = number(parts.next()?)?;
    let Some(last) = parts.next() else {
        return Some((first, first));
    };
    let last = number(last)?;
    (last >= first).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        match parse(text) {
            Err(problem) => problem,
            Ok(ports) => ports
                .iter()
                .map(|port| {
                    format!(
                        "{}|{}|{}/{}",
                        port.host_ip, port.published, port.target, port.protocol
                    )
                })
                .collect::<Vec<_>>()
                .join(" "),
        }
    }

    #[test]
    fn every_form() {
        for (text, expected) in [
            ("80", "||80/tcp"),
            ("8000:80", "|8000|80/tcp"),
            ("127.0.0.1:8000:80/UDP", "127.0.0.1|8000|80/udp"),
            ("127.0.0.1::80", "127.0.0.1||80/tcp"),
            ("[::1]:8000:80", "::1|8000|80/tcp"),
            ("::1:8000:80", "::1|8000|80/tcp"),
            ("9-11", "||10/tcp ||11/tcp ||9/tcp"),
            ("8000-8001:80-81", "|8000|80/tcp |8001|81/tcp"),
            ("8000-8010:80", "|8000-8010|80/tcp"),
            (
                "8000:80-81",
                "the ranges 8000 and 80-81 have different lengths",
            ),
            ("8000:", "no container port is given"),
            ("x:80", "`x` is no host port"),
            ("70000", "`70000` is no container port"),
            ("1.2.3:80:80", "`1.2.3` is no IP address"),
            ("80/foo", "unknown protocol `foo`"),
            ("10-9", "`10-9` is no container port"),
            ("+80", "`+80` is no container port"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[0-9:\\-/a-z\\[\\].]{0,24}") {
            let _ = parse(&text);
        }
    }
}
