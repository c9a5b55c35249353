//! Ports that two services of one project both say they listen on. In a stack each has an address of its own, but a
//! machine has each port once. What a framework listens on when nobody says anything is no claim.

use std::collections::BTreeMap;

use plimsoll_diag::{Diagnostic, Span};

use crate::detection::ServiceKind;
use crate::found::Found;

/// Tells each port that is claimed again, once the services have their names.
pub(crate) fn claimed_twice(found: &[Found]) -> Vec<Diagnostic> {
    let mut owners: BTreeMap<u16, (&str, &Span)> = BTreeMap::new();
    let mut problems = Vec::new();
    let published = found.iter().filter(|found| {
        let kind = matches!(
            found.service.kind,
            ServiceKind::Web | ServiceKind::Ui | ServiceKind::McpHttp
        );
        kind && found.says_port && found.service.recipe.is_some()
    });
    for one in published {
        let service = &one.service;
        for port in &service.ports {
            let own = (service.name.as_str(), &service.defined_at);
            let Some((name, at)) = owners.get(port) else {
                owners.insert(*port, own);
                continue;
            };
            let what = format!(
                "`{}` listens on port {port}, which `{name}` listens on as well ({}:{})",
                service.name,
                at.file.display(),
                at.start.line
            );
            problems.push(
                Diagnostic::warning(what)
                    .at(service.defined_at.clone())
                    .hint("a machine has each port once: give one of them another"),
            );
        }
    }
    problems
}
