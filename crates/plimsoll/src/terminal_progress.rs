//! Progress on a terminal: one live row a subject, shown only when the work takes a while.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use plimsoll_diag::{Progress, ProgressEvent};

use crate::printer::Printer;

/// Work shorter than this gets no row.
const PATIENCE: Duration = Duration::from_millis(500);
/// Time between two looks at which rows are due.
const TICK: Duration = Duration::from_millis(150);

/// Shows progress as live rows; in a pipe it shows notices only.
pub(crate) struct TerminalProgress {
    printer: Printer,
    rows: Arc<Mutex<BTreeMap<String, Row>>>,
}

struct Row {
    since: Instant,
    step: String,
    done: u64,
    total: Option<u64>,
    bar: Option<ProgressBar>,
}

impl TerminalProgress {
    /// Progress through this printer.
    pub(crate) fn new(printer: &Printer) -> Self {
        let rows = Arc::new(Mutex::new(BTreeMap::new()));
        if let Some(display) = printer.rows() {
            let display = display.clone();
            let rows = Arc::downgrade(&rows);
            // The thread ends by itself once the rows are gone.
            std::thread::spawn(move || keep_drawing(&rows, &display));
        }
        Self {
            printer: printer.clone(),
            rows,
        }
    }

    /// What is under way.
    pub(crate) fn subjects(&self) -> Vec<String> {
        self.rows().keys().cloned().collect()
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<String, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TerminalProgress {
    fn drop(&mut self) {
        for row in self.rows().values() {
            if let Some(bar) = &row.bar {
                bar.finish_and_clear();
            }
        }
    }
}

fn keep_drawing(rows: &Weak<Mutex<BTreeMap<String, Row>>>, display: &MultiProgress) {
    while let Some(rows) = rows.upgrade() {
        let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
        for (subject, row) in rows.iter_mut() {
            row.draw(subject, display);
        }
        drop(rows);
        std::thread::sleep(TICK);
    }
}

impl Row {
    fn draw(&mut self, subject: &str, display: &MultiProgress) {
        if self.since.elapsed() < PATIENCE {
            return;
        }
        let bar = self
            .bar
            .get_or_insert_with(|| display.add(ProgressBar::new_spinner()));
        let template = match (self.done, self.total) {
            (0, _) => "{spinner:.dim}  {prefix:<12} {wide_msg}",
            (_, None) => "{spinner:.dim}  {prefix:<12} {msg}  {bytes}",
            (_, Some(_)) => "{spinner:.dim}  {prefix:<12} {msg}  {bytes} of {total_bytes}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(subject.to_owned());
        bar.set_message(self.step.clone());
        if let Some(total) = self.total {
            bar.set_length(total);
        }
        bar.set_position(self.done);
        bar.tick();
    }
}

impl Progress for TerminalProgress {
    fn report(&self, event: ProgressEvent) {
        match event {
            ProgressEvent::Started { subject, step } => {
                let mut rows = self.rows();
                let row = rows.entry(subject).or_insert_with(|| Row {
                    since: Instant::now(),
                    step: String::new(),
                    done: 0,
                    total: None,
                    bar: None,
                });
                row.step = step;
                row.done = 0;
                row.total = None;
            }
            ProgressEvent::Advanced {
                subject,
                done,
                total,
            } => {
                if let Some(row) = self.rows().get_mut(&subject) {
                    row.done = done;
                    row.total = total;
                }
            }
            ProgressEvent::Finished { subject } => {
                let row = self.rows().remove(&subject);
                if let Some(bar) = row.and_then(|row| row.bar) {
                    bar.finish_and_clear();
                }
            }
            // Not while the rows are locked: the printer redraws them.
            ProgressEvent::Notice(diagnostic) => self.printer.tell(&diagnostic),
        }
    }
}
