//! Relative paths become absolute ones.

use plimsoll_diag::{Diagnostic, Diagnostics};

use super::canonical::clean;
use crate::yaml::{Map, Node, Value};

/// Where relative paths of a project start.
pub(super) struct Places<'p> {
    /// The directory they are relative to; may itself be relative to another project's.
    pub(super) base: &'p str,
    /// What `~` stands for, where it is known.
    pub(super) home: Option<&'p str>,
}

/// Rewrites the whole project.
pub(super) fn resolve(project: &mut Map, places: &Places<'_>, problems: &mut Diagnostics) {
    for (section, map) in project.iter_mut() {
        let Some(map) = map.as_map_mut() else {
            continue;
        };
        match section.text.as_str() {
            "services" => {
                for (_, service) in map.iter_mut() {
                    if let Some(service) = service.as_map_mut() {
                        places.service(service, problems);
                    }
                }
            }
            "configs" | "secrets" => {
                for (_, object) in map.iter_mut() {
                    if let Some(file) = object.as_map_mut().and_then(|map| map.get_mut("file")) {
                        places.host_path(file);
                    }
                }
            }
            "volumes" => {
                for (_, volume) in map.iter_mut() {
                    if let Some(volume) = volume.as_map_mut() {
                        places.volume(volume);
                    }
                }
            }
            _ => {}
        }
    }
}

impl Places<'_> {
    fn service(&self, service: &mut Map, problems: &mut Diagnostics) {
        for (key, node) in service.iter_mut() {
            match key.text.as_str() {
                "build" => self.build(node),
                "env_file" => {
                    for entry in node.as_list_mut().into_iter().flatten() {
                        if let Some(path) = entry.as_map_mut().and_then(|map| map.get_mut("path")) {
                            self.path(path);
                        }
                    }
                }
                "label_file" => node
                    .as_list_mut()
                    .into_iter()
                    .flatten()
                    .for_each(|path| self.path(path)),
                "extends" => {
                    if let Some(file) = node.as_map_mut().and_then(|map| map.get_mut("file")) {
                        self.path(file);
                    }
                }
                "develop" => {
                    let watches = node.as_map_mut().and_then(|map| map.get_mut("watch"));
                    for watch in watches.and_then(Node::as_list_mut).into_iter().flatten() {
                        if let Some(path) = watch.as_map_mut().and_then(|map| map.get_mut("path")) {
                            self.path(path);
                        }
                    }
                }
                "volumes" => {
                    for mount in node.as_list_mut().into_iter().flatten() {
                        self.mount(mount, problems);
                    }
                }
                _ => {}
            }
        }
    }

    fn build(&self, node: &mut Node) {
        let Some(build) = node.as_map_mut() else {
            return;
        };
        if let Some(context) = build.get_mut("context") {
            self.context(context);
        }
        if let Some(contexts) = build
            .get_mut("additional_contexts")
            .and_then(Node::as_map_mut)
        {
            for (_, context) in contexts.iter_mut() {
                self.context(context);
            }
        }
        if let Some(keys) = build.get_mut("ssh").and_then(Node::as_map_mut) {
            for (_, path) in keys.iter_mut() {
                self.host_path(path);
            }
        }
    }

    fn context(&self, node: &mut Node) {
        const REMOTE: [&str; 6] = [
            "https://",
            "http://",
            "git://",
            "ssh://",
            "github.com/",
            "git@",
        ];
        let Some(text) = node.as_text() else { return };
        let elsewhere = text.contains("://")
            || text.starts_with("service:")
            || REMOTE.iter().any(|prefix| text.starts_with(prefix));
        if !elsewhere {
            self.path(node);
        }
    }

    fn mount(&self, node: &mut Node, problems: &mut Diagnostics) {
        let span = node.span.clone();
        let Some(map) = node.as_map_mut() else { return };
        if map.get("type").and_then(Node::as_text) != Some("bind") {
            return;
        }
        match map.get_mut("source") {
            Some(source) => self.host_path(source),
            None => problems.push(
                Diagnostic::error("a mount of type `bind` needs a `source`")
                    .at(span)
                    .hint("`source` is a path on the host"),
            ),
        }
    }

    fn volume(&self, volume: &mut Map) {
        if volume.get("driver").and_then(Node::as_text) != Some("local") {
            return;
        }
        let Some(options) = volume.get_mut("driver_opts").and_then(Node::as_map_mut) else {
            return;
        };
        if options.get("o").and_then(Node::as_text) == Some("bind")
            && let Some(device) = options.get_mut("device")
        {
            self.host_path(device);
        }
    }

    fn expand(&self, text: &str) -> String {
        match (text.strip_prefix('~'), self.home) {
            (Some(rest), Some(home)) => clean(&format!("{home}/{rest}")),
            _ => text.to_owned(),
        }
    }

    fn path(&self, node: &mut Node) {
        let Some(text) = node.as_text() else { return };
        let text = self.expand(text);
        node.value = Value::Text(if text.starts_with('/') || text.is_empty() {
            text
        } else {
            self.join(&text)
        });
    }

    fn host_path(&self, node: &mut Node) {
        let Some(text) = node.as_text() else { return };
        let text = self.expand(text);
        node.value = Value::Text(if text.starts_with('/') || is_windows_path(&text) {
            text
        } else {
            self.join(&text)
        });
    }

    /// A relative path under the base.
    pub(super) fn join(&self, path: &str) -> String {
        if self.base.is_empty() {
            clean(path)
        } else {
            clean(&format!("{}/{path}", self.base))
        }
    }
}

/// Whether a path is absolute on Windows: `C:\data`, `\\server\share`.
fn is_windows_path(path: &str) -> bool {
    let bytes = path.as_bytes();
    match bytes {
        [b'\\', b'\\', ..] => true,
        [_, b':', separator, ..] => matches!(separator, b'/' | b'\\'),
        _ => false,
    }
}
