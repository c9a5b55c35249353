//! Modules that Django imports by their names: those of the applications that its settings list, and the routes that
//! other routes include.

use crate::python::module::Module;

/// Modules of an application that are imported with it, where it has them; `tasks` by Celery.
const OF_AN_APPLICATION: &[&str] = &["apps", "models", "admin", "tasks"];

/// What includes the routes of an application.
const INCLUDE: &[&str] = &[
    "django.urls.include",
    "django.conf.urls.include",
    "django.urls.conf.include",
];

/// Dotted names of modules that Django imports because of what a file says. Most of them are not in the tree.
pub(crate) fn named_by(module: &Module) -> Vec<String> {
    let mut named = Vec::new();
    for binding in &module.bindings {
        let lists = binding.target == "INSTALLED_APPS" || binding.target.ends_with("_APPS");
        let Some(value) = binding.value.as_ref().filter(|_| lists) else {
            continue;
        };
        value.walk(&mut |value| {
            let Some(text) = value.as_text() else { return };
            // `desk.apps.DeskConfig`
            let application = text.split(".apps.").next().unwrap_or(text);
            named.push(application.to_owned());
            let modules = OF_AN_APPLICATION.iter();
            named.extend(modules.map(|module| format!("{application}.{module}")));
        });
    }
    for placed in &module.calls {
        let is_include = placed.call.method() == Some("include")
            && (module.callee(&placed.call)).is_some_and(|callee| INCLUDE.contains(&&*callee));
        if let Some(routes) = placed.call.arguments.first().filter(|_| is_include) {
            routes.walk(&mut |value| named.extend(value.as_text().map(str::to_owned)));
        }
    }
    named
}
