//! What a service asks of the machine: control groups, disks, hardware addresses.

use std::path::PathBuf;

use plimsoll_diag::{Diagnostic, Spanned};

use super::{Reader, elements, entries, spanned, text};
use crate::yaml::{Node, Value};
use crate::{BlockIo, DeviceRate, DeviceRule};

impl Reader<'_> {
    pub(super) fn cgroup_parent(&mut self, node: Option<&Node>) -> Option<Spanned<String>> {
        let node = node?;
        let path = node.as_text().filter(|path| !path.is_empty())?;
        if path.split('/').any(|part| part == "..") || path.contains(['\0', ':']) {
            self.problems.push(
                Diagnostic::error(format!("`{path}` is no path of a control group"))
                    .at(node.span.clone())
                    .hint("as in `cgroup_parent: /batch`"),
            );
            return None;
        }
        Some(spanned(path.trim_matches('/').to_owned(), node))
    }

    /// `type major:minor permissions`, with `*` for any number.
    pub(super) fn device_rules(&mut self, node: Option<&Node>) -> Vec<Spanned<DeviceRule>> {
        let mut rules = Vec::new();
        for node in elements(node) {
            let written = node.as_text().unwrap_or_default();
            match device_rule(written) {
                Some(rule) => rules.push(spanned(rule, node)),
                None => self.problems.push(
                    Diagnostic::error(format!("`{written}` is no rule of devices"))
                        .at(node.span.clone())
                        .hint("write type, numbers and permissions: c 1:3 rw"),
                ),
            }
        }
        rules
    }

    pub(super) fn mac_address(&mut self, node: Option<&Node>) -> Option<Spanned<[u8; 6]>> {
        let node = node?;
        let written = node.as_text().filter(|text| !text.is_empty())?;
        let address = hardware_address(written);
        if address.is_none() {
            self.problems.push(
                Diagnostic::error(format!(
                    "`{written}` is no hardware address of one interface"
                ))
                .at(node.span.clone())
                .hint("write six numbers, the first of them even: 02:42:ac:11:65:43"),
            );
        }
        Some(spanned(address?, node))
    }

    /// What Linux takes as the name of an interface (`dev_valid_name` of the kernel).
    pub(super) fn interface_name(&mut self, node: Option<&Node>) -> Option<String> {
        let node = node?;
        let name = text(Some(node)).filter(|name| !name.is_empty())?;
        let valid = name.len() < 16
            && name != "lo"
            && name
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"/:%".contains(&byte))
            && !matches!(name.as_str(), "." | "..");
        if !valid {
            self.problems.push(
                Diagnostic::error(format!("`{name}` is no name of an interface"))
                    .at(node.span.clone())
                    .hint("at most 15 letters and digits: eth0"),
            );
        }
        valid.then_some(name)
    }

    pub(super) fn block_io(
        &mut self,
        node: Option<&Node>,
        unsupported: &mut Vec<Spanned<String>>,
    ) -> Option<Spanned<BlockIo>> {
        let node = node?;
        let mut io = BlockIo::default();
        for (key, value) in entries(Some(node)) {
            match key.text.as_str() {
                "weight" => io.weight = self.weight(value),
                "device_read_bps" => io.read_bytes = self.rates(value),
                "device_write_bps" => io.write_bytes = self.rates(value),
                "device_read_iops" => io.reads = self.rates(value),
                "device_write_iops" => io.writes = self.rates(value),
                other => unsupported.push(spanned(format!("blkio_config.{other}"), value)),
            }
        }
        Some(spanned(io, node))
    }

    fn weight(&mut self, node: &Node) -> Option<u16> {
        // As everywhere in Docker, 0 stands for what is usual.
        let weight = integer(Some(node)).filter(|weight| *weight != 0)?;
        let given = u16::try_from(weight)
            .ok()
            .filter(|weight| (10..=1000).contains(weight));
        if given.is_none() {
            self.problems.push(
                Diagnostic::error(format!("`blkio_config`: a weight cannot be {weight}"))
                    .at(node.span.clone())
                    .hint("write a number from 10 to 1000"),
            );
        }
        given
    }

    fn rates(&mut self, node: &Node) -> Vec<DeviceRate> {
        let mut rates = Vec::new();
        for node in elements(Some(node)) {
            let value = |name: &str, printed: &str| node.get(name).or_else(|| node.get(printed));
            let device = text(value("path", "Path")).unwrap_or_default();
            let rate = integer(value("rate", "Rate")).and_then(|rate| u64::try_from(rate).ok());
            match rate {
                Some(rate) if device.starts_with('/') => rates.push(DeviceRate {
                    device: PathBuf::from(device),
                    rate,
                }),
                _ => self.problems.push(
                    Diagnostic::error("a limit of a disk needs `path` and `rate`")
                        .at(node.span.clone())
                        .hint("as in `path: /dev/sda` and `rate: 10mb`"),
                ),
            }
        }
        rates
    }
}

fn integer(node: Option<&Node>) -> Option<i64> {
    match &node?.value {
        Value::Integer(number) => Some(*number),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn device_rule(text: &str) -> Option<DeviceRule> {
    let mut words = text.split_ascii_whitespace();
    let kind = match words.next()? {
        "a" => 'a',
        "b" => 'b',
        "c" => 'c',
        _ => return None,
    };
    let (major, minor) = words.next()?.split_once(':')?;
    let number = |text: &str| match text {
        "*" => Some(None),
        text => text.parse().ok().map(Some),
    };
    let permissions = words.next()?;
    if permissions.is_empty()
        || permissions.chars().any(|letter| !"rwm".contains(letter))
        || words.next().is_some()
    {
        return None;
    }
    Some(DeviceRule {
        kind,
        major: number(major)?,
        minor: number(minor)?,
        permissions: permissions.to_owned(),
    })
}

/// Six numbers; those of groups and of nobody are no address of an interface.
fn hardware_address(text: &str) -> Option<[u8; 6]> {
    let mut address = [0; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut address {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    let usable = parts.next().is_none() && address[0] & 1 == 0 && address != [0; 6];
    usable.then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_devices() {
        let rule = device_rule("c 1:* rw").unwrap();
        assert_eq!((rule.kind, rule.major, rule.minor), ('c', Some(1), None));
        for wrong in [
            "",
            "x 1:1 r",
            "c 1 r",
            "c 1:1 q",
            "c 1:1",
            "c -1:1 r",
            "c 1:1 r r",
        ] {
            assert_eq!(device_rule(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn hardware_addresses() {
        assert_eq!(
            hardware_address("02:42:ac:11:65:43"),
            Some([2, 0x42, 0xac, 0x11, 0x65, 0x43])
        );
        assert_eq!(
            hardware_address("02-42-AC-11-65-43"),
            Some([2, 0x42, 0xac, 0x11, 0x65, 0x43])
        );
        for wrong in [
            "",
            "00:00:00:00:00:00",
            "03:00:00:00:00:01",
            "02:42:ac:11:65",
            "02:42:ac:11:65:4g",
        ] {
            assert_eq!(hardware_address(wrong), None, "{wrong}");
        }
    }
}
