//! What commands that write files tell of them.

use std::path::Path;

use crate::exit_status::ExitStatus;
use crate::printer::{Form, Printer};
use crate::rendered_files::{self, Change, Compared};

fn stale(compared: &[Compared<'_>]) -> usize {
    let stale = compared
        .iter()
        .filter(|file| file.change != Change::Unchanged);
    stale.count()
}

/// Shows what would change, as patches.
pub(crate) fn differences(compared: &[Compared<'_>], printer: &Printer) {
    for file in compared {
        if file.change != Change::Unchanged && printer.form() == Form::Text {
            printer.answer(&rendered_files::difference(file));
        }
    }
}

/// The files for programs.
pub(crate) fn json(compared: &[Compared<'_>]) -> serde_json::Value {
    compared
        .iter()
        .map(|file| {
            serde_json::json!({
                "path": file.path,
                "change": file.change,
                "bytes": file.artifact.text.len(),
            })
        })
        .collect()
}

/// Tells which files are out of date; `command` is who would write them.
pub(crate) fn check(compared: &[Compared<'_>], command: &str, printer: &Printer) -> ExitStatus {
    let stale = stale(compared);
    if stale == 0 {
        printer.say(&format!("{} files are up to date", compared.len()));
        return ExitStatus::Success;
    }
    for file in compared {
        let word = match file.change {
            Change::Unchanged => continue,
            Change::New => "missing",
            Change::Changed => "out of date",
            Change::Foreign => "edited",
            Change::Merged => "incomplete",
        };
        printer.say(&format!("  {word:<12} {}", file.path));
    }
    printer.say(&format!(
        "{stale} of {} files are out of date · plimsoll {command} --diff shows how",
        compared.len()
    ));
    ExitStatus::Failure
}

/// Tells what was written.
pub(crate) fn summary(compared: &[Compared<'_>], directory: &Path, printer: &Printer) {
    let mut written = 0;
    for file in compared {
        let word = match file.change {
            Change::Unchanged => continue,
            Change::New => "new",
            Change::Changed | Change::Foreign => "changed",
            Change::Merged => "merged",
        };
        written += 1;
        printer.say(&format!("  {word:<9} {}", file.path));
    }
    printer.say(&format!(
        "{written} of {} files written to {}",
        compared.len(),
        directory.display()
    ));
}
