//! `develop.watch` of a service.

use std::path::{Path, PathBuf};

use plimsoll_diag::{Diagnostic, Spanned};

use super::{Reader, elements, process, spanned, text, texts};
use crate::compose::normal::is_true;
use crate::yaml::Node;
use crate::{Watch, WatchAction};

impl Reader<'_> {
    pub(super) fn watch(
        &mut self,
        develop: Option<&Node>,
        unsupported: &mut Vec<Spanned<String>>,
    ) -> Vec<Spanned<Watch>> {
        let mut rules = Vec::new();
        for node in elements(develop.and_then(|node| node.get("watch"))) {
            let action = match node.get("action").and_then(Node::as_text) {
                Some("sync") => WatchAction::Sync,
                Some("restart") => WatchAction::Restart,
                Some("sync+restart") => WatchAction::SyncRestart,
                Some("sync+exec") => match node.get("exec") {
                    Some(exec) => {
                        if let Some(privileged) =
                            exec.get("privileged").filter(|node| is_true(node))
                        {
                            let name = "develop.watch.exec.privileged".to_owned();
                            unsupported.push(spanned(name, privileged));
                        }
                        WatchAction::SyncExec(process::hook(exec))
                    }
                    None => {
                        self.problems.push(
                            Diagnostic::error("`sync+exec` runs nothing")
                                .at(node.span.clone())
                                .hint("say what with `exec: {command: …}`"),
                        );
                        continue;
                    }
                },
                _ => WatchAction::Rebuild,
            };
            let target = text(node.get("target")).map(PathBuf::from);
            if action.copies() && !target.as_deref().is_some_and(Path::is_absolute) {
                self.problems.push(
                    Diagnostic::error("files are copied nowhere")
                        .at(node.span.clone())
                        .hint("`target` says where in the container, and begins with `/`"),
                );
                continue;
            }
            let rule = Watch {
                path: PathBuf::from(text(node.get("path")).unwrap_or_default()),
                action,
                target,
                include: texts(node.get("include")),
                ignore: texts(node.get("ignore")),
                initial_sync: node.get("initial_sync").is_some_and(is_true),
            };
            rules.push(spanned(rule, node));
        }
        rules
    }
}
