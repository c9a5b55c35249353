//! What an edit costs: `edited DIRECTORY PROGRAM [ARGUMENT]...` looks at a directory, has the program change it, looks again with
//! all that the first look left, and holds what it finds against a look that knows nothing. Told is how many files had to be
//! read, and the time of each look. Exits with 1 where the two are not the same.

#![expect(clippy::print_stdout, reason = "a program for whoever measures")]

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use plimsoll_detect::{Detection, Memory, Texts, Tree, Trees, detect};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("which directory?")?;
    let directory = Path::new(&directory);
    let program = arguments.next().ok_or("what changes it?")?;
    let mut kept = Kept::default();
    kept.look(directory)?;
    if !Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .status()?
        .success()
    {
        return Err("it was not changed".into());
    }
    let (edited, read, took) = kept.look(directory)?;
    let (anew, all, anew_took) = Kept::default().look(directory)?;
    println!(
        "{read} of {all} files read, {:.3} s; with nothing known {:.3} s",
        took.as_secs_f64(),
        anew_took.as_secs_f64()
    );
    let same = format!("{edited:?}") == format!("{anew:?}");
    Ok(ExitCode::from(u8::from(!same)))
}

/// What one look leaves to the next.
#[derive(Default)]
struct Kept {
    texts: Vec<u8>,
    trees: Vec<u8>,
}

impl Kept {
    /// What is found, how many files were read for it, and how long that took.
    fn look(&mut self, directory: &Path) -> Result<(Detection, usize, Duration), Box<dyn Error>> {
        let texts = self.texts.clone();
        let start = Instant::now();
        let memory = Arc::new(Memory {
            texts: Texts::new(move || texts, "this"),
            trees: Trees::new(std::mem::take(&mut self.trees), "this"),
        });
        let tree = Tree::read(directory)?.remembering(memory.clone());
        let found = detect(&tree);
        let (texts, trees) = (memory.texts.to_keep(), memory.trees.to_keep());
        let took = start.elapsed();
        self.texts = texts.unwrap_or(std::mem::take(&mut self.texts));
        self.trees = trees.unwrap_or_default();
        Ok((found, tree.files_read(), took))
    }
}
