//! Detection alone, for measuring it: `inspect DIRECTORY [json|text|rejected|environment]`. Tells its time and peak
//! memory on standard error.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for whoever measures"
)]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use plimsoll_detect::{Tree, View, detect};
use plimsoll_diag::Palette;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("which directory?")?;
    let form = arguments.next();
    let start = Instant::now();
    let tree = Tree::read(Path::new(&directory))?;
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
    Ok(())
}
