//! What a command line starts, as far as its words say.

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Starts {
    /// An application of a server program: `module:variable`, and the port it is told.
    Application { target: String, port: Option<u16> },
    /// A Celery worker of an application.
    CeleryWorker { target: String },
    /// Celery's scheduler.
    CeleryBeat { target: String },
    /// A Python module or file.
    Module(String),
    /// A program of this name.
    Program(String),
    /// A script of `package.json`.
    NodeScript(String),
}

impl Starts {
    /// Whether it is the module `dotted` that is started, as far as the words say.
    pub(crate) fn is_about(&self, dotted: &str) -> bool {
        let module = match self {
            Starts::Application { target, .. }
            | Starts::CeleryWorker { target }
            | Starts::CeleryBeat { target } => {
                target.split(':').next().unwrap_or_default().to_owned()
            }
            Starts::Module(module) => module
                .trim_start_matches("./")
                .trim_end_matches(".py")
                .replace('/', "."),
            Starts::Program(_) | Starts::NodeScript(_) => return false,
        };
        let ends = |whole: &str, end: &str| {
            whole
                .strip_suffix(end)
                .is_some_and(|rest| rest.ends_with('.'))
        };
        !module.is_empty() && (module == dotted || ends(dotted, &module) || ends(&module, dotted))
    }
}

/// Programs that only start the program that follows.
const BEFORE: &[&str] = &[
    "exec",
    "dumb-init",
    "tini",
    "gosu",
    "su-exec",
    "env",
    "nohup",
];

/// Managers whose `run` starts the program that follows in their environment.
const RUNNERS: &[&str] = &["uv", "poetry", "pdm", "pipenv", "hatch", "rye"];

/// The command without a manager's `run` before it, and the manager.
pub(crate) fn without_runner(words: &[String]) -> (Option<&str>, &[String]) {
    let Some(first) = words.first() else {
        return (None, words);
    };
    let name = first.rsplit('/').next().unwrap_or(first);
    if RUNNERS.contains(&name) && words.get(1).is_some_and(|word| word == "run") {
        let mut rest = &words[2..];
        // Flags of the manager itself stand before the program.
        while rest.first().is_some_and(|word| word.starts_with('-')) {
            let takes_value = matches!(
                rest[0].as_str(),
                "--directory"
                    | "--project"
                    | "--package"
                    | "--extra"
                    | "--group"
                    | "--with"
                    | "--env-file"
                    | "--python"
                    | "-p"
            );
            rest = rest
                .get(if takes_value { 2 } else { 1 }..)
                .unwrap_or_default();
        }
        return (Some(name), rest);
    }
    (None, words)
}

/// The words of the last command in `sh -c "…"`, where it is plain enough to be read; the words themselves
/// otherwise.
pub(crate) fn inside_shell(words: &[String]) -> Vec<String> {
    let [shell, flag, line, ..] = words else {
        return words.to_vec();
    };
    let shell = shell.rsplit('/').next().unwrap_or(shell);
    if !matches!(shell, "sh" | "bash" | "dash" | "ash")
        || !flag.starts_with('-')
        || !flag.ends_with('c')
    {
        return words.to_vec();
    }
    let last = line.rsplit("&&").next().unwrap_or(line);
    let last = last
        .rsplit(';')
        .find(|part| !part.trim().is_empty())
        .unwrap_or(last);
    last.split_whitespace()
        .map(|word| word.trim_matches(['"', '\'']).to_owned())
        .collect()
}

/// What the words start.
pub(crate) fn starts(words: &[String]) -> Option<Starts> {
    let inside = inside_shell(words);
    let (_, mut words) = without_runner(&inside);
    while words.first().is_some_and(|word| {
        let name = word.rsplit('/').next().unwrap_or(word);
        BEFORE.contains(&name) || word == "--" || word.contains('=') && !word.starts_with('-')
    }) {
        words = &words[1..];
    }
    let (_, words) = without_runner(words);
    let program = words.first()?;
    let name = program.rsplit('/').next().unwrap_or(program);
    if name.starts_with("python") {
        let rest: Vec<&String> = words[1..]
            .iter()
            .skip_while(|word| word.starts_with('-') && *word != "-m")
            .collect();
        return match rest.as_slice() {
            [flag, module, ..] if *flag == "-m" => {
                let position = words.iter().position(|word| word == *module)?;
                program_of(module, &words[position + 1..])
                    .or_else(|| Some(Starts::Module((*module).clone())))
            }
            [file, ..] => Some(Starts::Module((*file).clone())),
            [] => None,
        };
    }
    program_of(name, &words[1..]).or_else(|| Some(Starts::Program(name.to_owned())))
}

fn program_of(name: &str, arguments: &[String]) -> Option<Starts> {
    let value = |flags: &[&str]| {
        arguments.iter().enumerate().find_map(|(index, word)| {
            if flags.contains(&word.as_str()) {
                return arguments.get(index + 1).cloned();
            }
            flags
                .iter()
                .find_map(|flag| word.strip_prefix(&format!("{flag}=")).map(str::to_owned))
        })
    };
    // `module:variable`, not the address to listen on.
    let positional = || {
        arguments
            .iter()
            .find(|word| {
                let module = word.split(':').next().unwrap_or_default();
                let address = module.chars().all(|c| c.is_ascii_digit() || c == '.');
                word.contains(':') && !word.starts_with('-') && !word.contains('/') && !address
            })
            .cloned()
    };
    match name {
        "uvicorn" | "hypercorn" | "gunicorn" | "granian" | "daphne" | "waitress-serve"
        | "waitress" => {
            let port = value(&["--port", "-p"]).or_else(|| {
                value(&["--bind", "-b"]).and_then(|bind| Some(bind.rsplit_once(':')?.1.to_owned()))
            });
            Some(Starts::Application {
                target: positional()?.trim_end_matches("()").to_owned(),
                port: port.and_then(|port| port.parse().ok()),
            })
        }
        "fastapi" | "flask" | "streamlit" => {
            let file = arguments.iter().find(|word| word.ends_with(".py"));
            match (file, value(&["--app"])) {
                (Some(file), _) => Some(Starts::Module(file.clone())),
                (None, Some(target)) => Some(Starts::Application {
                    target,
                    port: value(&["--port", "-p"]).and_then(|port| port.parse().ok()),
                }),
                (None, None) => None,
            }
        }
        "celery" => {
            let target = value(&["-A", "--app"])?;
            if arguments.iter().any(|word| word == "beat") {
                Some(Starts::CeleryBeat { target })
            } else {
                Some(Starts::CeleryWorker { target })
            }
        }
        "arq" | "dramatiq" | "taskiq" => arguments
            .iter()
            .find(|word| word.contains('.') && !word.starts_with('-'))
            .map(|target| Starts::Application {
                target: target.clone(),
                port: None,
            }),
        "npm" | "pnpm" | "yarn" | "bun" => {
            let script = arguments
                .iter()
                .find(|word| !word.starts_with('-') && *word != "run")?;
            Some(Starts::NodeScript(script.clone()))
        }
        "npx" | "vite" | "serve" | "nginx" => Some(Starts::NodeScript(name.to_owned())),
        "node" | "tsx" | "ts-node" => arguments
            .iter()
            .find(|word| !word.starts_with('-'))
            .map(|file| Starts::Module(file.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<Starts> {
        starts(
            &line
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn usual_lines_are_understood() {
        let application = |target: &str, port| {
            Some(Starts::Application {
                target: target.to_owned(),
                port,
            })
        };
        assert_eq!(
            of("uv run uvicorn a.app:app --host 0.0.0.0 --port 8000 --reload"),
            application("a.app:app", Some(8000))
        );
        assert_eq!(
            of("python -m uvicorn --host 0.0.0.0 a:create --factory"),
            application("a:create", None)
        );
        assert_eq!(
            of("gunicorn -w 4 -b 0.0.0.0:5000 wsgi:app"),
            application("wsgi:app", Some(5000))
        );
        assert_eq!(
            of("python -m celery -A desk.worker:app --quiet worker"),
            Some(Starts::CeleryWorker {
                target: "desk.worker:app".to_owned()
            })
        );
        assert_eq!(
            of("python app/main.py"),
            Some(Starts::Module("app/main.py".to_owned()))
        );
        assert_eq!(
            of("flowcheck-server"),
            Some(Starts::Program("flowcheck-server".to_owned()))
        );
        assert_eq!(
            of("npm run dev -- --host 0.0.0.0"),
            Some(Starts::NodeScript("dev".to_owned()))
        );
        let shell = ["sh", "-c", "npm ci && npm run dev"].map(str::to_owned);
        assert_eq!(starts(&shell), Some(Starts::NodeScript("dev".to_owned())));
    }
}
