//! Detection alone, for measuring it: `inspect DIRECTORY [json|text|rejected|environment] [LOOKS]`. Tells its time and peak
//! memory on standard error, and how long a look takes that knows all texts and nothing else, as after an edit;
//! the least of `LOOKS` is told.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for whoever measures"
)]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plimsoll_detect::{Memory, Texts, Tree, Trees, View, detect};
use plimsoll_diag::Palette;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("which directory?")?;
    let form = arguments.next();
    let start = Instant::now();
    let first = Arc::new(memory(Vec::new()));
    let tree = Tree::read(Path::new(&directory))?.remembering(first.clone());
    let listed = start.elapsed();
    let detection = detect(&tree);
    let elapsed = start.elapsed();
    match form.as_deref() {
        None | Some("json") => println!("{}", serde_json::to_string_pretty(&detection)?),
        Some("rejected") => print!(
            "{}",
            detection.text(View::Rejected, Palette::Plain, elapsed)
        ),
        Some("environment") => {
            print!(
                "{}",
                detection.text(View::Environment, Palette::Plain, elapsed)
            );
        }
        Some(_) => print!("{}", detection.text(View::Summary, Palette::Plain, elapsed)),
    }
    let peak = fs_err::read_to_string("/proc/self/status")?
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmHWM:")
                .map(|text| text.trim().to_owned())
        })
        .unwrap_or_default();
    eprintln!(
        "{} files listed in {:.2} s, {} read; all in {:.2} s; peak memory {peak}",
        tree.files().len(),
        listed.as_secs_f64(),
        tree.files_read(),
        elapsed.as_secs_f64(),
    );
    let looks: usize = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let least = (0..looks)
        .map(|_| again(Path::new(&directory), &first))
        .min();
    if let Some(least) = least {
        eprintln!("with all texts known: {:.3} s", least.as_secs_f64());
    }
    Ok(())
}

/// What is remembered where these facts about texts were kept, and no tree.
fn memory(kept: Vec<u8>) -> Memory {
    Memory {
        texts: Texts::new(move || kept, "this"),
        trees: Trees::new(Vec::new(), "this"),
    }
}

/// How long another look takes.
fn again(directory: &Path, first: &Memory) -> Duration {
    let memory = Arc::new(memory(first.texts.to_keep().unwrap_or_default()));
    let start = Instant::now();
    if let Ok(tree) = Tree::read(directory) {
        detect(&tree.remembering(memory));
    }
    start.elapsed()
}
