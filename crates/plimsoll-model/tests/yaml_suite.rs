//! The tree builder against the public YAML test suite.
//!
//! The suite is not part of this repository. `PLIMSOLL_YAML_SUITE` names a directory with its
//! cases, one directory each (or one more level down), with `in.yaml`, and `in.json` or `error`.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test stops at what it cannot set up, and says what it looked at"
)]

use std::path::{Path, PathBuf};

use plimsoll_diag::Diagnostic;
use plimsoll_model::yaml::parse;

/// Lines inside brackets and quotes that are not indented far enough: forbidden by the standard,
/// accepted here. `docker compose` accepts them, too, but for the last, whose key and colon stand
/// on different lines: it refuses that however it is indented, where the standard allows it.
const LENIENT: [&str; 3] = ["9C9N", "QB6E", "VJP3/00"];

#[derive(Default)]
struct Tally {
    right: usize,
    /// Refused because a key is a list, a mapping or nothing, which no Compose file may have.
    other_keys: usize,
    /// See [`LENIENT`].
    lenient: usize,
    wrong: Vec<String>,
}

#[test]
fn documents_of_the_suite_are_read_as_it_says() {
    let Some(root) = std::env::var_os("PLIMSOLL_YAML_SUITE").map(PathBuf::from) else {
        println!("skipped: PLIMSOLL_YAML_SUITE names no directory");
        return;
    };
    let mut tally = Tally::default();
    let mut pending = vec![root.clone()];
    while let Some(directory) = pending.pop() {
        let mut entries: Vec<PathBuf> = fs_err::read_dir(&directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir() && !path.is_symlink())
            .filter(|path| !path.ends_with("tags") && !path.ends_with("name"))
            .collect();
        entries.sort();
        pending.extend(entries);
        if directory.join("in.yaml").exists() {
            judge(&root, &directory, &mut tally);
        }
    }
    for line in &tally.wrong {
        println!("{line}");
    }
    println!(
        "{} as the suite says, {} refused for keys that are no text, {} lenient, {} wrong",
        tally.right,
        tally.other_keys,
        tally.lenient,
        tally.wrong.len()
    );
    assert!(tally.right > 0, "the directory holds no case");
    assert!(tally.wrong.is_empty());
}

fn judge(root: &Path, case: &Path, tally: &mut Tally) {
    let name = case.strip_prefix(root).unwrap().display().to_string();
    let text = fs_err::read_to_string(case.join("in.yaml")).unwrap();
    let must_fail = case.join("error").exists();
    let wanted = fs_err::read_to_string(case.join("in.json")).ok();
    let read = parse(&text, Path::new("in.yaml"));
    let verdict = match (read, wanted) {
        (Err(_), _) if must_fail => Ok(()),
        (Ok(_), _) if must_fail && LENIENT.contains(&name.as_str()) => {
            tally.lenient += 1;
            return;
        }
        (Ok(_), _) if must_fail => Err("accepted, though it is no YAML".to_owned()),
        (Err(problems), _) => {
            let is_key = |problem: &Diagnostic| problem.message.starts_with("a key must be text");
            if problems.0.iter().all(is_key) {
                tally.other_keys += 1;
                return;
            }
            Err(format!("refused: {problems}"))
        }
        // Documents that JSON cannot show; that they are read is all that can be asked.
        (Ok(_), None) => Ok(()),
        (Ok(documents), Some(wanted)) => {
            let wanted: Vec<serde_json::Value> = serde_json::Deserializer::from_str(&wanted)
                .into_iter()
                .collect::<Result<_, _>>()
                .unwrap();
            let read: Vec<_> = documents.iter().map(|node| node.to_json()).collect();
            if read == wanted {
                Ok(())
            } else {
                Err(format!("read as {read:?}, wanted {wanted:?}"))
            }
        }
    };
    match verdict {
        Ok(()) => tally.right += 1,
        Err(reason) => tally.wrong.push(format!("{name}: {reason}")),
    }
}
