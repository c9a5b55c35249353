//! Programs that restart another one at each change of a file: what they start is started by itself.

use super::script::split;

/// Takes out what restarts a program at each change of a file, and files that an image does not
/// have.
pub(super) fn without_watching(words: &mut Vec<String>) {
    match (words[0].as_str(), words.get(1).map(String::as_str)) {
        ("tsx", Some("watch")) => drop(words.remove(1)),
        ("nest", Some("start")) => *words = ["node", "dist/main"].map(str::to_owned).to_vec(),
        ("nodemon" | "node-dev", Some(file)) if file.ends_with(".js") => {
            words[0] = "node".to_owned()
        }
        ("nodemon", _) => {
            if let Some(watched) = executed(words) {
                *words = watched;
            }
        }
        ("ts-node-dev" | "tsnd", _) => {
            words[0] = "ts-node".to_owned();
            words.retain(|word| {
                !matches!(
                    word.as_str(),
                    "--respawn" | "--exit-child" | "--poll" | "--clear"
                )
            });
        }
        _ => {}
    }
    let mut kept = Vec::new();
    let mut rest = std::mem::take(words).into_iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--watch" | "--hot" | "--inspect" => {}
            "--env-file" | "--env-file-if-exists" => drop(rest.next()),
            word if word.starts_with("--env-file") || word.starts_with("--inspect=") => {}
            _ => kept.push(word),
        }
    }
    *words = kept;
}

/// What `nodemon` starts: `nodemon --watch src --exec "tsx src/a.ts"`, `nodemon --exec tsx src/a.ts`.
fn executed(words: &[String]) -> Option<Vec<String>> {
    let place = words
        .iter()
        .position(|word| matches!(word.as_str(), "--exec" | "-x"))?;
    let mut started = split(words.get(place + 1)?)?;
    let mut rest = words.get(place + 2..)?.iter();
    while let Some(word) = rest.next() {
        if WATCHING.contains(&word.as_str()) {
            rest.next();
        } else if !ALONE.contains(&word.as_str()) {
            started.push(word.clone());
        }
    }
    Some(started)
}

/// Options of `nodemon` that take a word; others are the program's.
const WATCHING: &[&str] = &[
    "--watch", "-w", "--ext", "-e", "--ignore", "-i", "--delay", "-d", "--signal", "-s",
    "--config", "--cwd",
];

/// Options of `nodemon` that stand alone.
const ALONE: &[&str] = &[
    "--verbose",
    "-V",
    "--quiet",
    "-q",
    "--legacy-watch",
    "-L",
    "--exitcrash",
];
