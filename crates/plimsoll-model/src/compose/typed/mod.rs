//! From the canonical tree to [`Project`].
//!
//! The tree is checked and in one form by now; what can still be wrong is what only a type knows:
//! a restart policy, an address, a number out of range.

mod develop;
mod machine;
mod own;
mod process;
mod service;
mod storage;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Diagnostics, Spanned};

use super::normal::is_true;
use super::units;
use crate::yaml::{Key, Map, Node, Value};
use crate::{FileObject, FileSource, Network, Project, Volume};

/// Reads typed values and collects what is wrong.
pub(super) struct Reader<'r> {
    pub(super) problems: &'r mut Diagnostics,
    /// Keys outside of services that the types do not hold.
    pub(super) unsupported: &'r mut Vec<Spanned<String>>,
}

impl Reader<'_> {
    /// The whole project.
    pub(super) fn project(&mut self, model: &Node, directory: &Path, files: &[PathBuf]) -> Project {
        Project {
            name: text(model.get("name")).unwrap_or_default(),
            directory: directory.to_path_buf(),
            files: files.to_vec(),
            variables: Vec::new(),
            services: entries(model.get("services"))
                .filter_map(|(key, node)| {
                    let service = self.service(key, node.as_map()?);
                    Some((key.text.clone(), service))
                })
                .collect(),
            networks: entries(model.get("networks"))
                .map(|(key, node)| (key.text.clone(), self.network(key, node)))
                .collect(),
            volumes: entries(model.get("volumes"))
                .map(|(key, node)| (key.text.clone(), self.volume(key, node)))
                .collect(),
            secrets: self.file_objects(model, "secrets"),
            configs: self.file_objects(model, "configs"),
        }
    }

    /// Sections that [`Project`] has no place for.
    pub(super) fn sections(&mut self, model: &Node) {
        for (key, node) in entries(model.get("models")) {
            let span = key.span.clone().or_else(|| node.span.clone());
            self.unsupported.push(Spanned {
                value: format!("models.{}", key.text),
                span,
            });
        }
    }

    fn leave_out(&mut self, section: &str, key: &Key, node: &Node, held: &[&str]) {
        for (other, value) in node.as_map().into_iter().flat_map(Map::iter) {
            if !held.contains(&other.text.as_str()) && !other.text.starts_with("x-") {
                let span = other.span.clone().or_else(|| value.span.clone());
                self.unsupported.push(Spanned {
                    value: format!("{section}.{}.{}", key.text, other.text),
                    span,
                });
            }
        }
    }

    fn network(&mut self, key: &Key, node: &Node) -> Network {
        self.leave_out(
            "networks",
            key,
            node,
            &[
                "name",
                "external",
                "internal",
                "ipam",
                "labels",
                "attachable",
                "driver",
            ],
        );
        if let Some(driver) = node.get("driver")
            && driver.as_text() != Some("bridge")
        {
            self.unsupported
                .push(spanned(format!("networks.{}.driver", key.text), driver));
        }
        if let Some(external) = node.get("external").filter(|node| is_true(node)) {
            self.unsupported
                .push(spanned(format!("networks.{}.external", key.text), external));
        }
        let pools = node.find(&["ipam", "config"]).and_then(Node::as_list);
        // The first IPv4 pool counts.
        let subnet = pools
            .unwrap_or(&[])
            .iter()
            .filter_map(|pool| pool.get("subnet"))
            .find(|subnet| subnet.as_text().is_some_and(|text| !text.contains(':')));
        if let Some(subnet) = subnet {
            let valid = subnet.as_text().is_some_and(is_ipv4_subnet);
            if !valid {
                self.problems.push(
                    Diagnostic::error(format!(
                        "`networks.{}`: `{}` is no subnet",
                        key.text,
                        subnet.as_text().unwrap_or_default()
                    ))
                    .at(subnet.span.clone())
                    .hint("write an address and a length: 172.28.0.0/16"),
                );
            }
        }
        let subnet = subnet.and_then(spanned_text);
        let (gateway, reserved) = self.pool(&key.text, node, subnet.as_ref());
        Network {
            name: text(node.get("name")).unwrap_or_default(),
            span: key.span.clone(),
            external: node.get("external").is_some_and(is_true),
            internal: node.get("internal").is_some_and(is_true),
            subnet,
            gateway,
            reserved,
        }
    }

    /// What the address pool of a subnet says besides it.
    fn pool(
        &mut self,
        name: &str,
        network: &Node,
        subnet: Option<&Spanned<String>>,
    ) -> (Option<Spanned<Ipv4Addr>>, Vec<Ipv4Addr>) {
        let (mut gateway, mut reserved) = (None, Vec::new());
        for (key, value) in entries(network.get("ipam")) {
            let usual = key.text == "config"
                || key.text.starts_with("x-")
                || (key.text == "driver" && matches!(value.as_text(), Some("default" | "")));
            if !usual {
                let named = format!("networks.{name}.ipam.{}", key.text);
                self.unsupported.push(spanned(named, value));
            }
        }
        for pool in elements(network.find(&["ipam", "config"])) {
            let counts = subnet.is_some_and(|subnet| {
                pool.get("subnet").and_then(Node::as_text) == Some(subnet.value.as_str())
            });
            for (key, value) in entries(Some(pool)) {
                match (key.text.as_str(), value.as_text().map(str::parse)) {
                    ("subnet", _) if counts => {}
                    ("gateway", Some(Ok(address))) if counts => {
                        gateway = Some(spanned(address, value));
                    }
                    ("aux_addresses", _) if counts => {
                        let addresses = entries(Some(value));
                        reserved.extend(
                            addresses
                                .filter_map(|(_, node)| node.as_text()?.parse::<Ipv4Addr>().ok()),
                        );
                    }
                    (other, _) if other.starts_with("x-") => {}
                    (other, _) => {
                        let named = format!("networks.{name}.ipam.config.{other}");
                        self.unsupported.push(spanned(named, value));
                    }
                }
            }
        }
        (gateway, reserved)
    }

    fn volume(&mut self, key: &Key, node: &Node) -> Volume {
        self.leave_out(
            "volumes",
            key,
            node,
            &["name", "external", "labels", "driver", "driver_opts"],
        );
        if let Some(driver) = node.get("driver")
            && driver.as_text() != Some("local")
        {
            self.unsupported
                .push(spanned(format!("volumes.{}.driver", key.text), driver));
        }
        Volume {
            name: text(node.get("name")).unwrap_or_default(),
            span: key.span.clone(),
            external: node.get("external").is_some_and(is_true),
            backing: self.backing(&key.text, node),
        }
    }

    fn file_objects(&mut self, project: &Node, section: &str) -> BTreeMap<String, FileObject> {
        entries(project.get(section))
            .map(|(key, node)| {
                let held = [
                    "name",
                    "file",
                    "environment",
                    "content",
                    "external",
                    "labels",
                ];
                self.leave_out(section, key, node, &held);
                let source = if let Some(file) = text(node.get("file")) {
                    FileSource::File(PathBuf::from(file))
                } else if let Some(name) = text(node.get("environment")) {
                    FileSource::Environment(name)
                } else if let Some(content) = text(node.get("content")) {
                    FileSource::Content(content)
                } else {
                    FileSource::External
                };
                let object = FileObject {
                    name: text(node.get("name")).unwrap_or_default(),
                    span: key.span.clone(),
                    source,
                };
                (key.text.clone(), object)
            })
            .collect()
    }
}

/// Entries of a mapping, or none.
fn entries(node: Option<&Node>) -> impl Iterator<Item = (&Key, &Node)> {
    node.and_then(Node::as_map).into_iter().flat_map(Map::iter)
}

/// Elements of a list, or none.
fn elements(node: Option<&Node>) -> &[Node] {
    node.and_then(Node::as_list).unwrap_or(&[])
}

fn text(node: Option<&Node>) -> Option<String> {
    node.and_then(Node::as_text).map(str::to_owned)
}

fn spanned<T>(value: T, node: &Node) -> Spanned<T> {
    Spanned {
        value,
        span: node.span.clone(),
    }
}

fn spanned_text(node: &Node) -> Option<Spanned<String>> {
    Some(spanned(node.as_text()?.to_owned(), node))
}

fn spanned_flag(node: Option<&Node>) -> Option<Spanned<bool>> {
    let node = node?;
    match node.value {
        Value::Bool(flag) => Some(spanned(flag, node)),
        _ => None,
    }
}

fn spanned_texts(node: Option<&Node>) -> Vec<Spanned<String>> {
    elements(node).iter().filter_map(spanned_text).collect()
}

fn texts(node: Option<&Node>) -> Vec<String> {
    elements(node)
        .iter()
        .filter_map(|node| text(Some(node)))
        .collect()
}

fn text_map(node: Option<&Node>) -> BTreeMap<String, String> {
    entries(node)
        .map(|(key, node)| (key.text.clone(), node.scalar_text().unwrap_or_default()))
        .collect()
}

fn duration(node: Option<&Node>) -> Option<std::time::Duration> {
    units::duration(node?.as_text()?)
}

fn size(node: Option<&Node>) -> Option<u64> {
    node?.as_text()?.parse().ok()
}

fn is_ipv4_subnet(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, length)| {
        address.parse::<std::net::Ipv4Addr>().is_ok()
            && length.parse::<u8>().is_ok_and(|length| length <= 32)
    })
}
