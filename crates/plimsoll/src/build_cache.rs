//! `--cache-from` and `--cache-to`: a build cache in a registry that several machines share.

use std::sync::Arc;

use plimsoll_diag::Diagnostic;
use plimsoll_image::registry::{CacheReport, Reference};
use plimsoll_image::store::Store;

use crate::failure::Failure;
use crate::format::count;
use crate::printer::Printer;
use crate::settings::Settings;
use crate::terminal_progress::TerminalProgress;
use crate::workshop::registry_client;

/// Takes caches into the store. One that cannot be had makes the build slower, not wrong.
pub(crate) fn load(
    settings: &Settings,
    store: &Store,
    caches: &[String],
    printer: &Printer,
) -> Result<(), Failure> {
    for cache in caches {
        let reference = reference(cache)?;
        let client = registry_client(settings, Arc::new(TerminalProgress::new(printer)))?;
        match client.load_cache(store, &reference, &settings.cache().join("work")) {
            Ok(CacheReport {
                layers: 0,
                memos: 0,
                ..
            }) => printer.say(&format!("  cache    {reference}: nothing there yet")),
            Ok(report) => printer.say(&format!(
                "  cache    {reference}: {}, {} new",
                count(report.layers, "layer"),
                report.transferred
            )),
            Err(error) => printer.tell(&Diagnostic::warning(format!(
                "the cache is not used: {error}"
            ))),
        }
    }
    Ok(())
}

/// Keeps what the build used and made.
pub(crate) fn save(
    settings: &Settings,
    store: &Store,
    caches: &[String],
    printer: &Printer,
) -> Result<(), Failure> {
    for cache in caches {
        let reference = reference(cache)?;
        let client = registry_client(settings, Arc::new(TerminalProgress::new(printer)))?;
        let report = client
            .save_cache(store, &reference)
            .map_err(|error| Failure::failed(error.diagnostic()))?;
        printer.say(&format!(
            "  cached   {reference}: {}, {} sent",
            count(report.layers, "layer"),
            report.transferred
        ));
    }
    Ok(())
}

/// Reads `type=registry,ref=REFERENCE`, or the reference alone.
fn reference(text: &str) -> Result<Reference, Failure> {
    let wrong = |why: String| {
        Failure::usage(
            Diagnostic::error(why).hint("`--cache-to type=registry,ref=REGISTRY/NAME:TAG`"),
        )
    };
    if !text.contains('=') {
        return text
            .parse()
            .map_err(|error: plimsoll_image::registry::ReferenceError| wrong(error.to_string()));
    }
    let mut named = None;
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("type", "registry")) => {}
            // How much is kept: always all of it.
            Some(("mode", _)) => {}
            Some(("ref", reference)) => named = Some(reference),
            _ => {
                return Err(wrong(format!(
                    "`{field}` says nothing about a cache in a registry"
                )));
            }
        }
    }
    let named = named.ok_or_else(|| wrong(format!("`{text}` has no `ref=`")))?;
    named
        .parse()
        .map_err(|error: plimsoll_image::registry::ReferenceError| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_name_a_cache_are_read() {
        for text in ["type=registry,ref=r.example/c:1,mode=max", "r.example/c:1"] {
            assert_eq!(reference(text).unwrap().to_string(), "r.example/c:1");
        }
        for wrong in ["type=local,dest=x", "type=registry", "A", "ref=A"] {
            assert!(reference(wrong).is_err(), "{wrong}");
        }
    }
}
