//! `plimsoll prune`: removes what no image needs, and what builds keep to be faster.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use plimsoll_diag::Diagnostic;
use plimsoll_image::cache::{Cache, CacheEntry, CacheKind, SoleUse};
use plimsoll_image::store::{PruneReport, PruneScope, Store, StoreError};
use plimsoll_run::stack::{StackPaths, StackRecord, known_projects};

use crate::cache_limit;
use crate::cli::PruneArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::format::{Align, age_of, size, table};
use crate::printer::{Form, Printer};
use crate::registry_retention;
use crate::settings::Settings;

/// What goes, or would.
#[derive(Default)]
struct Freed {
    images: Vec<String>,
    store: PruneReport,
    cache: BTreeMap<CacheKind, u64>,
}

/// Prunes the store.
pub(crate) fn run(
    settings: &Settings,
    arguments: &PruneArguments,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    if let Some(repository) = &arguments.registry {
        return registry_retention::run(settings, arguments, repository, printer);
    }
    if arguments.within_limit {
        return cache_limit::keep_within(settings).map(|()| ExitStatus::Success);
    }
    let since = match &arguments.older_than {
        Some(_) if arguments.all => {
            return Err(Failure::usage(
                Diagnostic::error("`--older-than` says nothing of images: they carry no time")
                    .hint("leave out `--all`, or `--older-than`"),
            ));
        }
        Some(text) => Some(SystemTime::now() - age_of(text)?),
        None => None,
    };
    let mut freed = Freed::default();
    prune_store(settings, arguments, since, &mut freed)?;
    prune_cache(settings, arguments, since, &mut freed)?;
    answer(&freed, arguments, printer);
    Ok(ExitStatus::Success)
}

/// Images that no stack uses, where that was asked for, and what no image needs.
fn prune_store(
    settings: &Settings,
    arguments: &PruneArguments,
    since: Option<SystemTime>,
    freed: &mut Freed,
) -> Result<(), Failure> {
    let _maintenance = Store::maintain(&settings.store()).map_err(Failure::from_store)?;
    let mut store = Store::open(&settings.store()).map_err(Failure::from_store)?;
    let used = images_in_use(settings)?;
    let present = store.images().map_err(Failure::from_store)?;
    let named: BTreeSet<String> = present
        .iter()
        .map(|image| image.manifest.to_string())
        .collect();
    if !used.is_subset(&named) {
        return Err(Failure::failed(
            Diagnostic::error("a running stack uses an image that was built anew since: its files are still needed")
                .hint("`plimsoll up` there takes the new image, `plimsoll down` stops it"),
        ));
    }
    if arguments.all {
        let unused = present
            .into_iter()
            .filter(|image| !used.contains(&image.manifest.to_string()));
        let unused: BTreeSet<String> = unused.map(|image| image.reference).collect();
        for reference in unused {
            if arguments.dry_run
                || store
                    .remove_image(&reference)
                    .map_err(Failure::from_store)?
            {
                freed.images.push(reference);
            }
        }
    }
    let report = if arguments.dry_run {
        let without: BTreeSet<String> = freed.images.iter().cloned().collect();
        store.would_prune(PruneScope {
            without: Some(&without),
            unused_since: since,
        })
    } else if let Some(since) = since {
        store.prune_unused_since(since)
    } else {
        store.prune()
    };
    freed.store = report.map_err(Failure::from_store)?;
    Ok(())
}

/// All of the cache, what of it was not used since a time, or what is beyond its limit.
fn prune_cache(
    settings: &Settings,
    arguments: &PruneArguments,
    since: Option<SystemTime>,
    freed: &mut Freed,
) -> Result<(), Failure> {
    let directory = settings.cache();
    let cache = Cache::of(&directory);
    let alone = || -> Result<SoleUse<'_>, Failure> {
        let busy = || {
            Failure::from_store(StoreError::InUse {
                root: directory.clone(),
            })
        };
        cache.alone()?.ok_or_else(busy)
    };
    // Held from before the look: what it saw is what goes.
    let sole = match arguments.dry_run {
        true => None,
        false => Some(alone()?),
    };
    let survey = cache.survey()?;
    let entries = &survey.entries;
    let going: Vec<&CacheEntry> = match (arguments.cache, since) {
        (true, None) => entries.iter().collect(),
        (true, Some(since)) => entries.iter().filter(|entry| entry.used < since).collect(),
        (false, _) => match cache_limit::limit(settings)? {
            Some(limit) => cache_limit::beyond(limit, entries),
            None => Vec::new(),
        },
    };
    for entry in &going {
        *freed.cache.entry(entry.kind).or_default() += entry.bytes;
    }
    let whole = arguments.cache && since.is_none();
    if whole {
        *freed.cache.entry(CacheKind::Other).or_default() += cache.left_over()?;
    }
    let Some(sole) = sole else {
        return Ok(());
    };
    let doomed = match whole {
        true => sole.empty()?,
        false if going.is_empty() => return Ok(()),
        false => sole.take_away(going)?,
    };
    // Builds need not wait for the disk.
    drop(sole);
    Ok(doomed.remove()?)
}

fn answer(freed: &Freed, arguments: &PruneArguments, printer: &Printer) {
    let store = [
        ("layers", "layers", freed.store.blob_bytes),
        (
            "compressed-layers",
            "compressed layers",
            freed.store.compressed_bytes,
        ),
        ("unpacked-layers", "unpacked layers", freed.store.tree_bytes),
    ];
    let cached: u64 = freed.cache.values().sum();
    let bytes = freed.store.bytes() + cached;
    if printer.form() == Form::Json {
        let kinds = store
            .iter()
            .map(|(kind, _, bytes)| (serde_json::json!(kind), *bytes))
            .chain(
                freed
                    .cache
                    .iter()
                    .map(|(kind, bytes)| (serde_json::json!(kind), *bytes)),
            )
            .filter(|(_, bytes)| *bytes > 0)
            .map(|(kind, bytes)| serde_json::json!({ "kind": kind, "bytes": bytes }));
        printer.answer_json(&serde_json::json!({
            "schema": 1,
            "dry_run": arguments.dry_run,
            "images": freed.images,
            "blobs": freed.store.blobs,
            "layers": freed.store.layers,
            "cache_bytes": cached,
            "kinds": kinds.collect::<Vec<_>>(),
            "bytes": bytes,
        }));
        return;
    }
    let (removed, sum) = match arguments.dry_run {
        true => ("would remove", "would free"),
        false => ("removed", "freed"),
    };
    for image in &freed.images {
        printer.answer(&format!("{removed} {image}\n"));
    }
    let rows: Vec<Vec<String>> = store
        .iter()
        .map(|(_, label, bytes)| (*label, *bytes))
        .chain(
            freed
                .cache
                .iter()
                .map(|(kind, bytes)| (kind.label(), *bytes)),
        )
        .filter(|(_, bytes)| *bytes > 0)
        .map(|(label, bytes)| vec![label.to_owned(), size(bytes)])
        .collect();
    if rows.len() > 1 {
        let columns = [("kind", Align::Left), ("size", Align::Right)];
        printer.answer(&table(&columns, &rows));
    }
    let of = match rows.as_slice() {
        [only] => format!(" of {}", only[0]),
        _ => String::new(),
    };
    printer.answer(&format!("{sum} {}{of}\n", size(bytes)));
}

/// Digests of the images that running stacks use.
fn images_in_use(settings: &Settings) -> Result<BTreeSet<String>, Failure> {
    let mut used = BTreeSet::new();
    for project in known_projects(&settings.runtime)? {
        let paths = StackPaths::new(&settings.data, &settings.runtime, &project);
        let record = StackRecord::read(&paths)?.unwrap_or_default();
        used.extend(
            record
                .containers
                .into_values()
                .map(|container| container.image),
        );
    }
    Ok(used)
}
