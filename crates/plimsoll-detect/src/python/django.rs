//! What the settings of Django say a project needs: engines of databases and caches, named by text alone.

use std::sync::Arc;

use plimsoll_diag::Evidence;

use crate::detection::NeedKind;
use crate::found::FoundVariable;
use crate::needs::{self, FoundNeed};
use crate::python::module::Module;
use crate::python::value::Value;
use crate::syntax::Place;

/// Names of engines, as they start, and what they lead to; `None` for one that keeps a file or nothing.
const ENGINES: &[(&str, Option<NeedKind>)] = &[
    ("django.db.backends.postgresql", Some(NeedKind::Postgres)),
    (
        "django.contrib.gis.db.backends.postgis",
        Some(NeedKind::Postgres),
    ),
    ("django.db.backends.mysql", Some(NeedKind::Mysql)),
    ("django.db.backends.sqlite3", None),
    ("django_redis.cache", Some(NeedKind::Redis)),
    ("django.core.cache.backends.redis", Some(NeedKind::Redis)),
    ("channels_redis.", Some(NeedKind::Redis)),
];

/// The same of engines that other distributions wrap, as they end: a pool, metrics, tenants.
const WRAPPED: &[(&str, Option<NeedKind>)] = &[
    (".backends.postgresql", Some(NeedKind::Postgres)),
    (".backends.postgresql_psycopg2", Some(NeedKind::Postgres)),
    (".backends.postgis", Some(NeedKind::Postgres)),
    (".postgresql_backend", Some(NeedKind::Postgres)),
    (".backends.mysql", Some(NeedKind::Mysql)),
    (".backends.sqlite3", None),
];

/// What an engine leads to, and the part of its name that says so.
fn engine(text: &str) -> Option<(&'static str, Option<NeedKind>)> {
    let known = ENGINES.iter().find(|(start, _)| text.starts_with(start));
    let wrapped = || WRAPPED.iter().find(|(end, _)| text.ends_with(end));
    known.or_else(wrapped).copied()
}

/// Adds what the settings among `modules` name.
pub(crate) fn engines(
    modules: &[Arc<Module>],
    variables: &[FoundVariable],
    found: &mut Vec<FoundNeed>,
) {
    let mut named: Vec<(NeedKind, &Arc<Module>, Place, &str)> = Vec::new();
    let mut file = false;
    for module in modules {
        let mut look = |value: &'_ Value, place: Place| {
            value.walk(&mut |value| {
                let Some(text) = value.as_text() else {
                    return;
                };
                match engine(text) {
                    Some((_, None)) => file = true,
                    Some((start, Some(kind))) => named.push((kind, module, place, start)),
                    None => {}
                }
            });
        };
        for binding in &module.bindings {
            if let Some(value) = &binding.value {
                look(value, binding.place);
            }
        }
        for function in &module.functions {
            for value in &function.returns {
                look(value, function.place);
            }
        }
    }
    for (kind, module, place, engine) in named {
        let evidence = Evidence::new(module.span(place), format!("names the engine `{engine}`"));
        // A cache may be left out, and a database in a file may stand in.
        let required = matches!(kind, NeedKind::Postgres | NeedKind::Mysql) && !file;
        match found.iter_mut().find(|need| need.kind == kind) {
            Some(need) => {
                need.required |= required;
                need.evidence.push(evidence);
            }
            None => found.push(FoundNeed {
                kind,
                required,
                how: how(kind, variables),
                scheme: None,
                evidence: vec![evidence],
            }),
        }
    }
}

/// The variable that says where it is, by its name.
fn how(kind: NeedKind, variables: &[FoundVariable]) -> Option<String> {
    variables
        .iter()
        .find(|variable| {
            let told = variable.told();
            needs::of_variable(told.name, told.default, told.type_name, told.kind, &[kind])
                == Some(kind)
        })
        .map(|variable| variable.name.clone())
}
