//! Bots and workers that one file makes and another one runs: `dp = Dispatcher()` in `loader.py`, and
//! `dp.start_polling(bot)` in `main.py`.

use std::sync::Arc;

use plimsoll_diag::Evidence;

use crate::places;
use crate::python::candidate::{Launch, launch_of, starters_of};
use crate::python::module::{Module, PlacedCall};
use crate::python::value::Value;
use crate::python::workspace::Workspace;

/// Methods that work until the process ends.
const METHODS: &[&str] = &[
    "run",
    "start",
    "work",
    "run_polling",
    "start_polling",
    "start_webhook",
    "polling",
    "infinity_polling",
    "run_forever",
    "run_until_disconnected",
    "start_async",
];

/// The file that runs what `made` makes in `module`, how that file is started, and what shows it; nothing where the
/// file that makes it runs it as well.
pub(crate) fn starter(
    workspace: &Workspace<'_>,
    entries: &[Arc<Module>],
    module: &Arc<Module>,
    made: &PlacedCall,
) -> Option<(Arc<Module>, Launch, Vec<Evidence>)> {
    if made.scope.main || module.calls.iter().any(runs) {
        return None;
    }
    let names = names(module, made);
    let others = entries.iter().filter(|other| {
        other.path != module.path
            && places::set_aside(&other.path) == places::set_aside(&module.path)
    });
    others
        .flat_map(|other| other.calls.iter().map(move |placed| (other, placed)))
        .filter(|(_, placed)| runs(placed))
        .filter(|(other, placed)| {
            let receiver = placed.call.receiver();
            receiver.is_some_and(|receiver| {
                is_one_of(workspace, other, placed, receiver, module, &names)
            })
        })
        .find_map(|(other, placed)| {
            let shown = Evidence::new(other.span(placed.call.place), "runs it");
            if let Some((launch, mut evidence)) = launch_of(workspace, other, &placed.scope) {
                evidence.push(shown);
                return Some((other.clone(), launch, evidence));
            }
            let mut starters = starters_of(workspace, entries, other, &placed.scope).into_iter();
            let (starter, guard) = starters.next()?;
            Some((starter, Launch::Module, vec![guard, shown]))
        })
}

/// Whether a call is of a method that works until the process ends.
fn runs(placed: &PlacedCall) -> bool {
    let method = placed.call.method();
    placed.call.receiver().is_some() && method.is_some_and(|method| METHODS.contains(&method))
}

/// What a file has for others of what a call makes: names at its top, and functions that give it back.
fn names<'m>(module: &'m Module, made: &PlacedCall) -> Vec<&'m str> {
    let mut names: Vec<&str> = Vec::new();
    let of_call = |value: &Option<Value>| {
        let call = value.as_ref().and_then(Value::as_call);
        call.is_some_and(|call| call.place == made.call.place)
    };
    let giver = module
        .functions
        .iter()
        .find(|function| function.scope.is_top() && function.name == *made.scope.path);
    if let Some(giver) = giver {
        let bound = module
            .bindings
            .iter()
            .find(|binding| binding.scope.path == made.scope.path && of_call(&binding.value));
        let gives = giver.returns.iter().any(|value| match value {
            Value::Call(call) => call.place == made.call.place,
            Value::Name(name) => bound.is_some_and(|binding| binding.target == *name),
            _ => false,
        });
        names.extend(gives.then_some(giver.name.as_str()));
    }
    let by_giver = |value: &Option<Value>| {
        let call = value.as_ref().and_then(Value::as_call);
        let name = call.and_then(|call| call.function.as_name());
        name.is_some_and(|name| giver.is_some_and(|giver| giver.name == name))
    };
    let bound = module.bindings.iter().filter(|binding| {
        binding.scope.is_top() && (of_call(&binding.value) || by_giver(&binding.value))
    });
    names.extend(bound.map(|binding| binding.target.as_str()));
    names
}

/// Whether `receiver` in a file is one of the names of `module`, or what one of its functions gave there.
fn is_one_of(
    workspace: &Workspace<'_>,
    other: &Arc<Module>,
    placed: &PlacedCall,
    receiver: &str,
    module: &Module,
    names: &[&str],
) -> bool {
    let leads = |name: &str| {
        workspace
            .origin(other, name)
            .is_some_and(|(origin, name)| origin.path == module.path && names.contains(&&*name))
    };
    if leads(receiver) {
        return true;
    }
    let mut bound = other.bindings.iter().filter(|binding| {
        binding.target == receiver
            && (binding.scope.path == placed.scope.path || binding.scope.is_top())
    });
    bound.any(|binding| {
        let call = binding.value.as_ref().and_then(Value::as_call);
        call.and_then(|call| call.function.as_name())
            .is_some_and(leads)
    })
}
