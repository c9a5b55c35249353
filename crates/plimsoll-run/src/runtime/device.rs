//! Device nodes of the host that a container gets.

use std::os::unix::fs::{FileTypeExt, MetadataExt};

use serde_json::{Value, json};

use super::{AtPath, StartFailure, StartStage};
use crate::container::{Confinement, ContainerSpec, DeviceSpec};

/// Rules of the control group: what a container may do with which device, the default ones aside.
pub(super) fn rules(spec: &ContainerSpec) -> Value {
    let all = matches!(spec.confinement, Confinement::Privileged);
    let mut rules = vec![json!({ "allow": all, "access": "rwm" })];
    rules.extend(spec.devices.iter().filter_map(|device| {
        let node = Node::of(device).ok()?;
        Some(json!({
            "allow": true,
            "type": node.kind,
            "major": node.major,
            "minor": node.minor,
            "access": device.permissions,
        }))
    }));
    rules.extend(spec.device_rules.iter().map(|rule| {
        let mut value = json!({
            "allow": true,
            "type": rule.kind,
            "access": rule.permissions,
        });
        // A number that is not there stands for any.
        for (name, number) in [("major", rule.major), ("minor", rule.minor)] {
            if let Some(number) = number {
                value[name] = number.into();
            }
        }
        value
    }));
    rules.into()
}

/// The nodes to make.
pub(super) fn nodes(spec: &ContainerSpec) -> Result<Vec<Value>, StartFailure> {
    spec.devices
        .iter()
        .map(|device| {
            let node = Node::of(device).at(StartStage::Mounts, &device.source)?;
            Ok(json!({
                "path": device.target,
                "type": node.kind,
                "major": node.major,
                "minor": node.minor,
                "fileMode": node.mode,
                "uid": node.owner.0,
                "gid": node.owner.1,
            }))
        })
        .collect()
}

struct Node {
    kind: &'static str,
    major: u32,
    minor: u32,
    mode: u32,
    owner: (u32, u32),
}

impl Node {
    fn of(device: &DeviceSpec) -> std::io::Result<Self> {
        let metadata = fs_err::metadata(&device.source)?;
        let kind = metadata.file_type();
        let kind = if kind.is_char_device() {
            "c"
        } else if kind.is_block_device() {
            "b"
        } else {
            return Err(std::io::Error::other("it is no device"));
        };
        let number = metadata.rdev();
        Ok(Self {
            kind,
            major: rustix::fs::major(number),
            minor: rustix::fs::minor(number),
            mode: metadata.mode() & 0o7777,
            owner: (metadata.uid(), metadata.gid()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(source: &str) -> ContainerSpec {
        let mut spec = ContainerSpec::new("c", vec![], vec!["x".to_owned()], "/s".into());
        spec.devices.push(DeviceSpec {
            source: source.into(),
            target: "/dev/nothing".into(),
            permissions: "r".to_owned(),
        });
        spec
    }

    #[test]
    fn a_device_keeps_its_number() {
        let spec = spec("/dev/null");
        let nodes = nodes(&spec).unwrap();
        assert_eq!(nodes[0]["path"], "/dev/nothing");
        assert_eq!(
            (&nodes[0]["major"], &nodes[0]["minor"]),
            (&json!(1), &json!(3))
        );
        let rules = rules(&spec);
        assert_eq!(rules[0]["allow"], false);
        assert_eq!(rules[1]["access"], "r");
    }

    #[test]
    fn a_file_is_no_device() {
        let failure = nodes(&spec("/proc/version")).unwrap_err();
        assert_eq!(failure.message, "`/proc/version`: it is no device");
    }
}
