//! What a command line starts, as far as its words say.

use std::path::Path;

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Starts {
    /// An application of a server program: `module:variable`, the port it is told, and the server's
    /// configuration file where one is named.
    Application {
        target: String,
        port: Option<u16>,
        configuration: Option<String>,
    },
    /// A Celery worker of an application.
    CeleryWorker { target: String },
    /// Celery's scheduler.
    CeleryBeat { target: String },
    /// Flower, which shows what the workers of a Celery application do, and the port it is told.
    Flower { target: String, port: Option<u16> },
    /// A Python module or file.
    Module(String),
    /// A program of this name.
    Program(String),
    /// A script of `package.json`.
    NodeScript(String),
}

impl Starts {
    /// The configuration file that the server is told, as the command writes it.
    pub(crate) fn configuration(&self) -> Option<&Path> {
        match self {
            Starts::Application { configuration, .. } => configuration.as_deref().map(Path::new),
            _ => None,
        }
    }

    /// The Python file that it starts, seen from where it is started.
    pub(crate) fn file(&self) -> Option<String> {
        let module = match self {
            Starts::Application { target, .. }
            | Starts::CeleryWorker { target }
            | Starts::CeleryBeat { target }
            | Starts::Flower { target, .. } => target.split(':').next()?,
            Starts::Module(module) => module.trim_start_matches("./").trim_end_matches(".py"),
            Starts::Program(_) | Starts::NodeScript(_) => return None,
        };
        Some(format!("{}.py", module.replace('.', "/")))
    }

    /// Whether it is the module `dotted` that is started, as far as the words say.
    pub(crate) fn is_about(&self, dotted: &str) -> bool {
        let module = match self {
            Starts::Application { target, .. }
            | Starts::CeleryWorker { target }
            | Starts::CeleryBeat { target }
            | Starts::Flower { target, .. } => {
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
const BEFORE: &[&str] = &["exec", "gosu", "su-exec", "env", "nohup"];

/// The words without the first process of a container, which only starts the program that follows: `tini -g -- server`.
pub(crate) fn without_init(words: &[String]) -> &[String] {
    let Some((first, rest)) = words.split_first() else {
        return words;
    };
    if !matches!(first.rsplit('/').next(), Some("tini" | "dumb-init")) {
        return words;
    }
    let flags = rest.iter().take_while(|word| word.starts_with('-')).count();
    &rest[flags..]
}

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
        // Flags of the manager itself stand before the program; `uv run -m` is Python's.
        while rest.first().is_some_and(|word| {
            word.starts_with('-') && !matches!(word.as_str(), "-m" | "--module")
        }) {
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
    // `"-p 8000"` as one word is an option and its value to the programs that read it.
    let inside: Vec<String> = inside_shell(without_init(words))
        .into_iter()
        .flat_map(|word| match word.split_once(' ') {
            Some((flag, value)) if flag.starts_with('-') && !flag.contains('=') => {
                vec![flag.to_owned(), value.trim().to_owned()]
            }
            _ => vec![word],
        })
        .collect();
    let (_, mut words) = without_runner(&inside);
    loop {
        words = without_init(words);
        let only_starts = words.first().is_some_and(|word| {
            let name = word.rsplit('/').next().unwrap_or(word);
            BEFORE.contains(&name) || word == "--" || word.contains('=') && !word.starts_with('-')
        });
        if !only_starts {
            break;
        }
        words = &words[1..];
    }
    let (_, words) = without_runner(words);
    let program = words.first()?;
    if matches!(program.as_str(), "-m" | "--module") {
        let module = words.get(1)?;
        return program_of(module, &words[2..]).or_else(|| Some(Starts::Module(module.clone())));
    }
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
    // Runners of projects start files as well as programs.
    if name.ends_with(".py") {
        return Some(Starts::Module(program.clone()));
    }
    program_of(name, &words[1..]).or_else(|| Some(Starts::Program(name.to_owned())))
}

/// The module that `flask run` serves where nobody names one.
pub(crate) const FLASK_USUAL: &str = "app";

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
        let named = |word: &&String| {
            word.split_once(':')
                .is_some_and(|(module, variable)| is_module(module) && is_variable(variable))
        };
        arguments.iter().find(named).cloned()
    };
    match name {
        "gunicorn" => {
            let bind = value(&["--bind"]).or_else(|| short(arguments, "-b"));
            Some(Starts::Application {
                target: positional()
                    .map(|target| target.trim_end_matches("()").to_owned())
                    .or_else(|| alone(arguments).map(str::to_owned))?,
                port: bind.and_then(|bind| bind.rsplit_once(':')?.1.parse().ok()),
                configuration: value(&["--config"])
                    .or_else(|| short(arguments, "-c"))
                    .map(|file| file.trim_start_matches("file:").to_owned()),
            })
        }
        "uvicorn" | "hypercorn" | "granian" | "daphne" | "waitress-serve" | "waitress" => {
            let port = value(&["--port", "-p"]).or_else(|| {
                value(&["--bind", "-b"]).and_then(|bind| Some(bind.rsplit_once(':')?.1.to_owned()))
            });
            Some(Starts::Application {
                target: positional()?.trim_end_matches("()").to_owned(),
                port: port.and_then(|port| port.parse().ok()),
                configuration: None,
            })
        }
        "chainlit" | "panel" | "gradio" | "marimo" | "mcp" | "fastmcp" | "mesop" | "solara" => {
            let named = arguments
                .iter()
                .map(|word| word.split(':').next().unwrap_or(word));
            named
                .filter(|word| word.ends_with(".py"))
                .map(|file| Starts::Module(file.to_owned()))
                .next()
        }
        "litestar" | "sanic" | "faststream" => {
            let target = value(&["--app"]).or_else(positional)?;
            Some(Starts::Application {
                target: target.trim_end_matches("()").to_owned(),
                port: value(&["--port", "-p"]).and_then(|port| port.parse().ok()),
                configuration: None,
            })
        }
        "fastapi" | "flask" | "streamlit" => {
            let file = arguments.iter().find(|word| word.ends_with(".py"));
            match (file, value(&["--app"])) {
                (Some(file), _) => Some(Starts::Module(file.clone())),
                (None, Some(target)) => Some(Starts::Application {
                    target,
                    port: value(&["--port", "-p"]).and_then(|port| port.parse().ok()),
                    configuration: None,
                }),
                // Flask's program looks for these files by itself.
                (None, None) if name == "flask" && arguments.iter().any(|word| word == "run") => {
                    Some(Starts::Application {
                        target: FLASK_USUAL.to_owned(),
                        port: value(&["--port", "-p"]).and_then(|port| port.parse().ok()),
                        configuration: None,
                    })
                }
                (None, None) => None,
            }
        }
        "celery" if arguments.iter().any(|word| word == "flower") => Some(Starts::Flower {
            target: value(&["-A", "--app"]).unwrap_or_default(),
            port: value(&["--port"]).and_then(|port| port.parse().ok()),
        }),
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
                configuration: None,
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

/// The value of a short flag of Gunicorn, which may stand right behind it: `-b:8000`.
fn short(arguments: &[String], flag: &str) -> Option<String> {
    arguments.iter().enumerate().find_map(|(index, word)| {
        let rest = word.strip_prefix(flag)?;
        if rest.is_empty() {
            return arguments.get(index + 1).cloned();
        }
        Some(rest.trim_start_matches('=').to_owned())
    })
}

/// Flags of Gunicorn that take no value.
const SWITCHES: &[&str] = &[
    "--reload",
    "--preload",
    "--daemon",
    "-D",
    "--capture-output",
    "--no-sendfile",
    "--reuse-port",
    "--enable-stdio-inheritance",
    "--proxy-protocol",
    "-R",
    "--spew",
    "--log-syslog",
    "--check-config",
];

/// The module that Gunicorn is given without a variable: `shop.wsgi`.
fn alone(arguments: &[String]) -> Option<&str> {
    let mut value_follows = false;
    for word in arguments {
        if word.starts_with('-') {
            let attached = !word.starts_with("--") && word.len() > 2;
            value_follows = !word.contains('=') && !attached && !SWITCHES.contains(&word.as_str());
        } else if !std::mem::take(&mut value_follows) {
            return is_module(word).then_some(word);
        }
    }
    None
}

fn is_module(text: &str) -> bool {
    text.split('.').all(is_name)
}

/// `app`, `create()`, `site.app`.
fn is_variable(text: &str) -> bool {
    text.split('(')
        .next()
        .unwrap_or(text)
        .split('.')
        .all(is_name)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
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
    fn the_first_process_of_a_container_and_its_flags_are_not_what_is_started() {
        let plain = of("uvicorn a:app --port 80");
        assert!(plain.is_some());
        for line in [
            "tini -g -- uvicorn a:app --port 80",
            "/usr/bin/dumb-init --single-child uvicorn a:app --port 80",
            "exec tini -s -- uvicorn a:app --port 80",
        ] {
            assert_eq!(of(line), plain, "{line}");
        }
        let of_a_shell = [
            "/sbin/tini",
            "-g",
            "--",
            "sh",
            "-c",
            "exec uvicorn a:app --port 80",
        ];
        assert_eq!(starts(&of_a_shell.map(str::to_owned)), plain);
    }

    #[test]
    fn usual_lines_are_understood() {
        let application = |target: &str, port| {
            Some(Starts::Application {
                target: target.to_owned(),
                port,
                configuration: None,
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
        for line in [
            "gunicorn -b localhost:5000 wsgi:app",
            "gunicorn --workers=2 -b:5000 wsgi:app",
            "gunicorn --bind [::]:5000 --preload -p /run/pid wsgi:app",
        ] {
            assert_eq!(of(line), application("wsgi:app", Some(5000)), "{line}");
        }
        assert_eq!(
            of("gunicorn -w 2 --reload shop.wsgi"),
            application("shop.wsgi", None)
        );
        assert_eq!(
            of("gunicorn -c deploy/server.py -k uvicorn.workers.UvicornWorker shop.asgi"),
            Some(Starts::Application {
                target: "shop.asgi".to_owned(),
                port: None,
                configuration: Some("deploy/server.py".to_owned()),
            })
        );
        let shell = ["sh", "-c", "npm ci && npm run dev"].map(str::to_owned);
        assert_eq!(starts(&shell), Some(Starts::NodeScript("dev".to_owned())));
    }
}
