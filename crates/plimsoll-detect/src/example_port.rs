//! The port that only an example of the environment gives, for code that reads a variable and has nothing in its place:
//! `PORT=8080` of `.env.example`, which whoever starts the program copies.

use std::path::Path;

use crate::tree::Tree;

/// Whether a file shows what the environment may have: `.env.example`, `.env.local.sample`, `example.env`.
fn is_example(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let mut parts = name.unwrap_or_default().split(['.', '-', '_']);
    let shows = |part: &str| matches!(part, "example" | "sample" | "template" | "dist");
    parts.clone().any(|part| part == "env") && parts.any(shows)
}

/// The port that the nearest example gives a variable: one in the program's own directory, or above it.
pub(crate) fn of(tree: &Tree, directory: &Path, variable: &str) -> Option<u16> {
    directory.ancestors().find_map(|above| {
        let files = tree.files_in(above);
        let mut examples = files.filter(|file| is_example(&file.path));
        examples.find_map(|file| stated(&tree.source(&file.path)?, variable))
    })
}

/// The port of a line `NAME=8080`; one that is commented out is not given.
fn stated(text: &str, variable: &str) -> Option<u16> {
    text.lines().find_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=')?;
        let value = value.split('#').next()?.trim().trim_matches(['"', '\'']);
        let value = value.rsplit(':').next()?;
        (name.trim() == variable).then(|| value.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_known_by_its_name() {
        for name in [".env.example", ".env.local.sample", "example.env"] {
            assert!(is_example(Path::new(name)), "{name}");
        }
        for name in [".env", "example.md", ".env.test"] {
            assert!(!is_example(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn a_line_gives_a_port() {
        let text = "# PORT=1\nexport PORT=\"8080\" # of the server\nADDR=:9000\n";
        assert_eq!(stated(text, "PORT"), Some(8080));
        assert_eq!(stated(text, "ADDR"), Some(9000));
        assert_eq!(stated(text, "OTHER"), None);
    }
}
