//! What a service is started with where it is to last.

/// Programs that take `--reload`, and `flask`, whose `--debug` reloads as well.
const RELOADING: [&str; 5] = ["uvicorn", "gunicorn", "fastapi", "hypercorn", "litestar"];

/// Options of reloading that take a value.
const WITH_VALUE: [&str; 4] = [
    "--reload-dir",
    "--reload-include",
    "--reload-exclude",
    "--reload-delay",
];

/// A command without what makes a server load changed code again, which nobody changes in
/// production; `None` where there is nothing of it.
pub(super) fn lasting(words: &[String]) -> Option<Vec<String>> {
    let calls = |program: &str| {
        words.iter().any(|word| {
            word.split_whitespace()
                .any(|part| part.rsplit('/').next() == Some(program))
        })
    };
    let reloads = RELOADING.iter().any(|program| calls(program));
    let is_flask = calls("flask");
    if !reloads && !is_flask {
        return None;
    }
    let is_option = |word: &str| match is_flask {
        true => word == "--debug" || word == "--reload",
        false => word.starts_with("--reload"),
    };
    let mut kept = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if is_option(word) {
            if WITH_VALUE.contains(&word.as_str()) {
                rest.next();
            }
            continue;
        }
        kept.push(without_flag(word));
    }
    (kept != words).then_some(kept)
}

/// A shell's line without ` --reload`.
fn without_flag(line: &str) -> String {
    let flag = " --reload";
    match line.find(flag) {
        Some(at)
            if line[at + flag.len()..]
                .chars()
                .next()
                .is_none_or(|next| !next.is_alphanumeric() && next != '-' && next != '=') =>
        {
            format!("{}{}", &line[..at], &line[at + flag.len()..])
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<String> {
        let words: Vec<String> = line.split('|').map(str::to_owned).collect();
        lasting(&words).map(|words| words.join("|"))
    }

    #[test]
    fn reloading_is_for_development() {
        assert_eq!(
            of("uvicorn|app:app|--reload|--port|80").as_deref(),
            Some("uvicorn|app:app|--port|80")
        );
        assert_eq!(
            of("python|-m|uvicorn|app:app|--reload-dir|src|--reload").as_deref(),
            Some("python|-m|uvicorn|app:app")
        );
        assert_eq!(
            of("sh|-c|alembic upgrade head && uvicorn app:app --reload --port 80").as_deref(),
            Some("sh|-c|alembic upgrade head && uvicorn app:app --port 80")
        );
        assert_eq!(of("flask|run|--debug").as_deref(), Some("flask|run"));
    }

    #[test]
    fn other_programs_keep_their_options() {
        assert_eq!(of("nginx|--reload"), None);
        assert_eq!(of("uvicorn|app:app"), None);
        assert_eq!(of("sh|-c|uvicorn app:app --reload-dir src"), None);
    }
}
