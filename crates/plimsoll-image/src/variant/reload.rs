//! Commands that load changed sources again, as far as the program that serves can do it.

use plimsoll_model::{BuildRecipe, RecipeKind};

use super::recipe::has_development_script;

/// Options of servers that only make sense without reloading, and whether a value follows.
const WORKERS: [(&str, bool); 3] = [("--workers", true), ("-w", true), ("--preload", false)];

/// The command with reloading; `None` for programs that cannot reload.
pub fn reloading(words: &[String]) -> Option<Vec<String>> {
    let position = words
        .iter()
        .position(|word| KNOWN.iter().any(|known| is_program(word, known)))?;
    let program = KNOWN
        .iter()
        .copied()
        .find(|known| is_program(&words[position], known))?;
    let mut changed = words.to_vec();
    let at = position + 1;
    let next_is = |word: &str| words.get(at).is_some_and(|next| next == word);
    match program {
        "uvicorn" | "gunicorn" | "hypercorn" => {
            without_workers(&mut changed, at);
            put(&mut changed, at, "--reload");
        }
        "flask" if next_is("run") => put(&mut changed, at + 1, "--debug"),
        "fastapi" if next_is("run") || next_is("dev") => {
            changed[at] = "dev".to_owned();
            without_workers(&mut changed, at);
            if !words.iter().any(|word| word.starts_with("--host")) {
                changed.extend(["--host".to_owned(), "0.0.0.0".to_owned()]);
            }
        }
        "streamlit" if next_is("run") => changed.push("--server.runOnSave=true".to_owned()),
        "manage.py" if next_is("runserver") => changed.retain(|word| word != "--noreload"),
        "tsx" if words.len() > at && !next_is("watch") => {
            changed.insert(at, "watch".to_owned());
        }
        _ => return None,
    }
    Some(changed)
}

/// Whether the dev variant of a recipe loads changed sources by itself. `stated` is the command that
/// runs instead of the image's own.
pub fn loads_again(recipe: &BuildRecipe, stated: Option<&[String]>) -> bool {
    match (&recipe.kind, stated) {
        (_, Some(words)) => reloading(words).is_some(),
        // A site's `dev` script is a server that does.
        (RecipeKind::StaticSite(site), None) => site.build.is_some(),
        (RecipeKind::NodeServer(server), None) => {
            has_development_script(&recipe.context, &server.root)
                || reloading(&recipe.command).is_some()
        }
        (_, None) => reloading(&recipe.command).is_some(),
    }
}

/// Node itself is not among them: what its `--watch` follows are the files as they were first, so
/// an editor that replaces a file is noticed once (nodejs/node issue 54774).
const KNOWN: [&str; 8] = [
    "uvicorn",
    "gunicorn",
    "hypercorn",
    "flask",
    "fastapi",
    "streamlit",
    "manage.py",
    "tsx",
];

fn is_program(word: &str, known: &str) -> bool {
    word == known || word.rsplit('/').next() == Some(known)
}

fn put(words: &mut Vec<String>, at: usize, option: &str) {
    if !words.iter().any(|word| word == option) {
        words.insert(at.min(words.len()), option.to_owned());
    }
}

/// Servers with several processes do not reload.
fn without_workers(words: &mut Vec<String>, from: usize) {
    let mut index = from;
    while index < words.len() {
        let found = WORKERS.iter().find(|(option, _)| {
            words[index] == *option || words[index].starts_with(&format!("{option}="))
        });
        match found {
            Some((option, true)) if words[index] == *option && index + 1 < words.len() => {
                words.drain(index..index + 2);
            }
            Some(_) => {
                words.remove(index);
            }
            None => index += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> String {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        reloading(&words).map_or_else(|| "-".to_owned(), |words| words.join(" "))
    }

    #[test]
    fn servers_reload_and_others_stay_as_they_are() {
        for (line, expected) in [
            (
                "uvicorn app:app --host 0.0.0.0 --workers 4",
                "uvicorn --reload app:app --host 0.0.0.0",
            ),
            (
                "python -m uvicorn app:app --workers=2",
                "python -m uvicorn --reload app:app",
            ),
            (
                "gunicorn -w 2 --preload app:app",
                "gunicorn --reload app:app",
            ),
            (
                "flask run --host=0.0.0.0",
                "flask run --debug --host=0.0.0.0",
            ),
            (
                "fastapi run app.py --workers 3",
                "fastapi dev app.py --host 0.0.0.0",
            ),
            ("node dist/main.js", "-"),
            ("tsx src/main.ts", "tsx watch src/main.ts"),
            (
                "python manage.py runserver --noreload",
                "python manage.py runserver",
            ),
            ("python -m celery -A desk worker", "-"),
            ("python main.py", "-"),
            ("flask db upgrade", "-"),
        ] {
            assert_eq!(told(line), expected, "{line}");
        }
    }
}
