//! The addresses that Celery's settings fix: Celery itself asks two variables first, so that these lead elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use plimsoll_diag::Spanned;

use crate::detection::NeedKind;
use crate::found::FoundVariable;
use crate::needs::{self, FoundNeed};
use crate::python::evaluate::evaluate;
use crate::python::graph::Closure;
use crate::python::module::Module;
use crate::python::value::Value;
use crate::syntax::Place;

const BROKER: &str = "CELERY_BROKER_URL";
const RESULTS: &str = "CELERY_RESULT_BACKEND";

/// The distribution without which Celery reaches no Redis; the client of RabbitMQ comes with it.
const REDIS: &str = "redis";

/// Names under which settings say an address, and the variable that is asked before them.
const SETTINGS: &[(&str, &str)] = &[
    (BROKER, BROKER),
    ("BROKER_URL", BROKER),
    ("broker_url", BROKER),
    (RESULTS, RESULTS),
    ("result_backend", RESULTS),
];

/// The same of what the application is made with.
const ARGUMENTS: &[(&str, &str)] = &[("broker", BROKER), ("backend", RESULTS)];

/// The variables by which fixed addresses can be set, beside those that are `known`.
pub(crate) fn variables(
    closure: &Closure,
    modules: &[Arc<Module>],
    known: &[FoundVariable],
) -> Vec<FoundVariable> {
    let mut external = closure.external.keys();
    if !external.any(|module| module == "celery" || module.starts_with("celery.")) {
        return Vec::new();
    }
    let mut found: Vec<FoundVariable> = Vec::new();
    for module in modules {
        for (variable, value, place, scope) in stated(module) {
            let constant = evaluate(value, module, scope);
            let (Some(address), None) = (constant.text, constant.variable) else {
                continue;
            };
            let mut all = known.iter().chain(&found);
            if needs::of_url(&address).is_none() || all.any(|known| known.name == variable) {
                continue;
            }
            let mut one = FoundVariable::read(variable, Some(address), module.span(place));
            one.why = format!("Celery asks `{variable}` before this");
            found.push(one);
        }
    }
    found
}

/// Makes what the tasks go through a need: nothing stands in for it.
pub(crate) fn require(fixed: &[FoundVariable], found: &mut [FoundNeed]) {
    let brokers = fixed.iter().filter(|variable| variable.name == BROKER);
    let kinds: Vec<NeedKind> = brokers
        .filter_map(|broker| needs::of_url(broker.default.as_deref()?))
        .collect();
    for need in found.iter_mut().filter(|need| kinds.contains(&need.kind)) {
        need.required = true;
    }
}

/// The client of a broker or of results that no file declares: only its address names it.
pub(crate) fn undeclared(
    fixed: &[FoundVariable],
    declared: &BTreeSet<String>,
) -> Option<Spanned<String>> {
    let redis = fixed.iter().find(|variable| {
        let address = variable.default.as_deref();
        address.and_then(needs::of_url) == Some(NeedKind::Redis)
    })?;
    (!declared.contains(REDIS)).then(|| Spanned::new(REDIS.to_owned(), redis.span.clone()))
}

/// Addresses that a file says, each with the variable that is asked before it.
fn stated(module: &Module) -> impl Iterator<Item = (&'static str, &Value, Place, &str)> {
    let settings = module.bindings.iter().filter_map(|binding| {
        let name = binding.target.rsplit('.').next()?;
        let (_, variable) = SETTINGS.iter().find(|(setting, _)| *setting == name)?;
        let value = binding.value.as_ref()?;
        Some((*variable, value, binding.place, &*binding.scope.path))
    });
    let makers = module.calls.iter().filter(|placed| {
        let callee = module.callee(&placed.call);
        callee.is_some_and(|callee| matches!(&*callee, "celery.Celery" | "celery.app.Celery"))
    });
    let arguments = makers.flat_map(|placed| {
        ARGUMENTS.iter().filter_map(|(argument, variable)| {
            let value = placed.call.keyword(argument)?;
            Some((*variable, value, placed.call.place, &*placed.scope.path))
        })
    });
    settings.chain(arguments)
}
