//! `plimsoll prune --registry`: which tags of a repository go, and taking them away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use plimsoll_diag::Diagnostic;
use plimsoll_image::registry::{Reference, RegistryError, Retention, TagState, Verdict};

use crate::cli::PruneArguments;
use crate::exit_status::ExitStatus;
use crate::failure::Failure;
use crate::format::{Align, age_of, count, table};
use crate::printer::{Form, Printer};
use crate::settings::Settings;
use crate::tag_rules::git;
use crate::terminal_progress::TerminalProgress;
use crate::workshop::registry_client;

/// Shows what would go, and takes it away when that was asked for.
pub(crate) fn run(
    settings: &Settings,
    arguments: &PruneArguments,
    repository: &str,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let repository = Reference::repository(repository)
        .map_err(|error| Failure::usage(Diagnostic::error(error.to_string())))?;
    let retention = Retention {
        keep: arguments.keep,
        keep_tags: arguments.keep_tags.clone(),
        younger_than: arguments.older_than.as_deref().map(age_of).transpose()?,
    };
    let refused = |error: RegistryError| Failure::failed(error.diagnostic());
    let client = registry_client(settings, Arc::new(TerminalProgress::new(printer)))?;
    let mut states = Vec::new();
    for tag in client.tags(&repository).map_err(refused)? {
        let tagged = Reference {
            tag: Some(tag.clone()),
            ..repository.clone()
        };
        // One that vanished meanwhile needs no verdict.
        if let Some(digest) = client.digest_of(&tagged).map_err(refused)? {
            let made = date_of(settings, &tag);
            states.push(TagState { tag, digest, made });
        }
    }
    let plan = retention.plan(&states, SystemTime::now());
    let doomed: BTreeSet<_> = plan
        .iter()
        .filter(|(_, verdict)| *verdict == Verdict::Removed)
        .map(|(tag, _)| tag.digest)
        .collect();
    if arguments.yes {
        for digest in &doomed {
            client.remove(&repository, digest).map_err(refused)?;
        }
    }
    if printer.form() == Form::Json {
        let tags: Vec<_> = plan
            .iter()
            .map(|(tag, verdict)| {
                serde_json::json!({ "tag": tag.tag, "digest": tag.digest, "verdict": verdict })
            })
            .collect();
        printer.answer_json(&serde_json::json!({
            "schema": 1,
            "repository": repository.to_string(),
            "tags": tags,
            "removed": arguments.yes,
        }));
        return Ok(ExitStatus::Success);
    }
    let columns = [
        ("tag", Align::Left),
        ("image", Align::Left),
        ("", Align::Left),
    ];
    let rows: Vec<Vec<String>> = plan
        .iter()
        .map(|(tag, verdict)| {
            vec![
                tag.tag.clone(),
                tag.digest.short(),
                words(*verdict, arguments).to_owned(),
            ]
        })
        .collect();
    printer.answer(&table(&columns, &rows));
    let images = count(doomed.len(), "image");
    if arguments.yes {
        printer.say(&format!("removed {images}"));
    } else if !doomed.is_empty() {
        printer.say(&format!("nothing was removed: `--yes` removes {images}"));
    }
    Ok(ExitStatus::Success)
}

fn words(verdict: Verdict, arguments: &PruneArguments) -> &'static str {
    match verdict {
        Verdict::KeptByName => "stays: by name",
        Verdict::KeptByCount => "stays: among the newest",
        Verdict::KeptByAge => "stays: young",
        Verdict::KeptUndated => "stays: its age is not known",
        Verdict::KeptShared => "stays: another tag of the same image stays",
        Verdict::Removed if arguments.yes => "removed",
        Verdict::Removed => "goes",
    }
}

/// When what a tag names was committed: reproducible images carry no date of their own.
fn date_of(settings: &Settings, tag: &str) -> Option<SystemTime> {
    let commit = tag.strip_prefix("sha-");
    let hexadecimal = |text: &&str| text.len() >= 7 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let names = match commit.filter(hexadecimal) {
        Some(commit) => vec![format!("{commit}^{{commit}}")],
        None => vec![format!("refs/tags/v{tag}"), format!("refs/tags/{tag}")],
    };
    names.iter().find_map(|name| {
        let seconds = git(
            &settings.directory,
            &["log", "-1", "--format=%ct", name, "--"],
        )?;
        let seconds: u64 = seconds.parse().ok()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    })
}
