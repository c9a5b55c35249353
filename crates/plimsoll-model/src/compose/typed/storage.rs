//! Mounts, secrets and configs of a service.

use std::path::PathBuf;

use plimsoll_diag::{Diagnostic, Spanned};

use super::{Reader, elements, size, spanned, text};
use crate::compose::normal::is_true;
use crate::compose::units;
use crate::yaml::{Map, Node, Value};
use crate::{FileUse, Mount, MountKind, Propagation, Recursion, VolumeBacking};

impl Reader<'_> {
    pub(super) fn mounts(
        &mut self,
        service: &Map,
        unsupported: &mut Vec<Spanned<String>>,
    ) -> Vec<Spanned<Mount>> {
        let mut mounts = Vec::new();
        for node in elements(service.get("volumes")) {
            let Some(target) = text(node.get("target")) else {
                continue;
            };
            let source = text(node.get("source"));
            let kind = match node.get("type").and_then(Node::as_text) {
                Some("bind") => MountKind::Bind {
                    source: PathBuf::from(source.unwrap_or_default()),
                    create: node.find(&["bind", "create_host_path"]).is_none_or(is_true),
                    propagation: propagation(node, unsupported),
                    recursion: recursion(node, unsupported),
                },
                Some("volume") => MountKind::Volume {
                    name: source,
                    nocopy: node.find(&["volume", "nocopy"]).is_some_and(is_true),
                    subpath: text(node.find(&["volume", "subpath"])).map(PathBuf::from),
                },
                Some("tmpfs") => MountKind::Tmpfs {
                    size: size(node.find(&["tmpfs", "size"])),
                    mode: match node.find(&["tmpfs", "mode"]).map(|node| &node.value) {
                        Some(Value::Integer(mode)) => u32::try_from(*mode).ok(),
                        _ => None,
                    },
                    owner: None,
                },
                Some("image") => MountKind::Image {
                    reference: source.unwrap_or_default(),
                    subpath: text(node.find(&["image", "subpath"])).map(PathBuf::from),
                },
                other => {
                    let other = other.unwrap_or("none");
                    unsupported.push(spanned(format!("volumes (type {other})"), node));
                    continue;
                }
            };
            if !target.starts_with('/') {
                self.problems.push(
                    Diagnostic::error(format!("mount target `{target}` is not absolute"))
                        .at(node.span.clone())
                        .hint("the path in the container begins with `/`"),
                );
            }
            let read_only = node.get("read_only").is_some_and(is_true);
            mounts.push(spanned(
                Mount {
                    kind,
                    target: PathBuf::from(target),
                    read_only,
                },
                node,
            ));
        }
        for node in elements(service.get("tmpfs")) {
            if let Some(line) = node.as_text() {
                mounts.push(spanned(self.tmpfs(line, node, unsupported), node));
            }
        }
        mounts
    }

    /// `path[:option,…]`
    fn tmpfs(&mut self, line: &str, node: &Node, unsupported: &mut Vec<Spanned<String>>) -> Mount {
        let (target, options) = line.split_once(':').unwrap_or((line, ""));
        let mut mount = Mount {
            kind: MountKind::Tmpfs {
                size: None,
                mode: None,
                owner: None,
            },
            target: PathBuf::from(target),
            read_only: false,
        };
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let MountKind::Tmpfs { size, mode, owner } = &mut mount.kind else {
                break;
            };
            match name {
                "size" => {
                    *size = units::bytes(value).and_then(|bytes| u64::try_from(bytes).ok());
                    if size.is_none() {
                        self.problems.push(
                            Diagnostic::error(format!("`{value}` is no size"))
                                .at(node.span.clone())
                                .hint("write bytes, or a number with a unit: size=64m"),
                        );
                    }
                }
                "mode" => {
                    *mode = u32::from_str_radix(value, 8).ok();
                    if mode.is_none() {
                        self.problems.push(
                            Diagnostic::error(format!("`{value}` is no mode"))
                                .at(node.span.clone())
                                .hint("write an octal number: mode=1777"),
                        );
                    }
                }
                "uid" | "gid" => {
                    let (uid, gid) = owner.get_or_insert((0, 0));
                    match value.parse() {
                        Ok(number) => *(if name == "uid" { uid } else { gid }) = number,
                        Err(_) => self.problems.push(
                            Diagnostic::error(format!("`{value}` is no number of a {name}"))
                                .at(node.span.clone()),
                        ),
                    }
                }
                // Mounted with these anyhow, but for the right to execute.
                "rw" | "nosuid" | "nodev" | "exec" => {}
                other => unsupported.push(spanned(format!("tmpfs ({other})"), node)),
            }
        }
        mount
    }

    /// Options of a volume of the driver `local`, which are those of mount(8).
    pub(super) fn backing(&mut self, name: &str, node: &Node) -> VolumeBacking {
        let Some(options) = node.get("driver_opts") else {
            return VolumeBacking::Directory;
        };
        let option = |name: &str| text(options.get(name)).unwrap_or_default();
        let (kind, flags, device) = (option("type"), option("o"), option("device"));
        let is_bind = flags
            .split(',')
            .any(|flag| matches!(flag, "bind" | "rbind"));
        let mut held = vec!["type", "o", "device"];
        // Flags without effect.
        let mut ignored = Vec::new();
        let backing = match kind.as_str() {
            "none" | "bind" | "" if is_bind && device.starts_with('/') => {
                let mut read_only = false;
                for flag in flags.split(',').map(str::trim) {
                    match flag {
                        "ro" => read_only = true,
                        "bind" | "rbind" | "rw" | "defaults" | "" => {}
                        other => ignored.push(other.to_owned()),
                    }
                }
                VolumeBacking::Bind {
                    directory: PathBuf::from(device),
                    read_only,
                }
            }
            "tmpfs" => {
                let line = format!("/:{flags}");
                let mut told = Vec::new();
                let mount = self.tmpfs(&line, options, &mut told);
                ignored.extend(told.into_iter().map(|option| option.value));
                match mount.kind {
                    MountKind::Tmpfs { size, mode, owner } => {
                        VolumeBacking::Tmpfs { size, mode, owner }
                    }
                    _ => VolumeBacking::Directory,
                }
            }
            _ => {
                held.clear();
                VolumeBacking::Directory
            }
        };
        for flag in ignored {
            let named = format!("volumes.{name}.driver_opts.o ({flag})");
            self.unsupported.push(spanned(named, options));
        }
        for (key, value) in super::entries(Some(options)) {
            if !held.contains(&key.text.as_str()) {
                let named = format!("volumes.{name}.driver_opts.{}", key.text);
                self.unsupported.push(spanned(named, value));
            }
        }
        backing
    }

    pub(super) fn file_uses(
        &mut self,
        node: Option<&Node>,
        directory: &str,
    ) -> Vec<Spanned<FileUse>> {
        elements(node)
            .iter()
            .filter_map(|node| {
                let source = text(node.get("source"))?;
                let target = match text(node.get("target")) {
                    Some(target) if target.starts_with('/') => target,
                    Some(target) => format!("{directory}/{target}"),
                    None => format!("{directory}/{source}"),
                };
                let mode = text(node.get("mode"));
                Some(spanned(
                    FileUse {
                        source,
                        target: PathBuf::from(target),
                        uid: text(node.get("uid")),
                        gid: text(node.get("gid")),
                        mode: mode.and_then(|mode| u32::from_str_radix(&mode, 8).ok()),
                    },
                    node,
                ))
            })
            .collect()
    }
}

fn propagation(node: &Node, unsupported: &mut Vec<Spanned<String>>) -> Propagation {
    let Some(option) = node.find(&["bind", "propagation"]) else {
        return Propagation::Private;
    };
    match option.as_text() {
        Some("slave" | "rslave") => Propagation::Slave,
        Some("private" | "rprivate" | "") | None => Propagation::Private,
        Some(other) => {
            // The nearest there is: what is mounted in the container stays in it.
            unsupported.push(spanned(
                format!("volumes.bind.propagation ({other})"),
                option,
            ));
            Propagation::Slave
        }
    }
}

fn recursion(node: &Node, unsupported: &mut Vec<Spanned<String>>) -> Recursion {
    let Some(option) = node.find(&["bind", "recursive"]) else {
        return Recursion::Enabled;
    };
    match option.as_text() {
        Some("disabled") => Recursion::Disabled,
        Some("writable") => Recursion::Writable,
        Some("enabled" | "readonly" | "") | None => Recursion::Enabled,
        Some(other) => {
            unsupported.push(spanned(format!("volumes.bind.recursive ({other})"), option));
            Recursion::Enabled
        }
    }
}
