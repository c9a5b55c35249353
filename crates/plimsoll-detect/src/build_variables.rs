//! Variables that builds of pages and servers of Node see: bundlers put their values into what they make, and code that
//! checks its variables does so while it is built, too.

use plimsoll_diag::Spanned;
use plimsoll_model::{Project, RecipeKind};

use crate::detection::VariableKind;

/// Decides by itself what is installed and how it is built.
const MODE: &str = "NODE_ENV";

/// Gives builds what the project's own variable file says of variables that their code reads. Secrets stay out of
/// images; where a service listens is no matter of its build.
pub(crate) fn fill(project: &mut Project, lookup: &dyn Fn(&str) -> Option<Spanned<String>>) {
    for variable in &project.variables {
        let own_matter = matches!(variable.kind, VariableKind::Host | VariableKind::Port);
        if variable.secret || own_matter || variable.name == MODE {
            continue;
        }
        let Some(stated) = lookup(&variable.name) else {
            continue;
        };
        for name in &variable.services {
            let Some(service) = project.services.get_mut(name) else {
                continue;
            };
            let build = match service.recipe.as_mut().map(|recipe| &mut recipe.kind) {
                Some(RecipeKind::NodeServer(server)) => &mut server.build_environment,
                Some(RecipeKind::StaticSite(site)) => &mut site.build_environment,
                _ => continue,
            };
            if build.iter().all(|(known, _)| *known != variable.name) {
                build.push((variable.name.clone(), stated.value.clone()));
            }
        }
    }
}
