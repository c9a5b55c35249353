//! Commands of Python programs in development: servers that load changed code, and debuggers.

/// Where debuggers are awaited.
pub(crate) const DEBUG_PORT: u16 = 5678;

/// A command whose server loads changed code by itself, where it can.
pub(crate) fn reloading(command: &[String]) -> Vec<String> {
    let has = |word: &str| command.iter().any(|part| part == word);
    let mut command = command.to_vec();
    if has("uvicorn") && !has("--reload") {
        // Several workers and reloading exclude each other.
        if let Some(at) = command.iter().position(|part| part == "--workers") {
            command.drain(at..(at + 2).min(command.len()));
        }
        command.push("--reload".to_owned());
    } else if has("gunicorn") && !has("--reload") {
        command.push("--reload".to_owned());
    } else if has("flask") && has("run") && !has("--debug") {
        command.push("--debug".to_owned());
    } else if has("streamlit") && has("run") {
        command.push("--server.runOnSave=true".to_owned());
    }
    command
}

/// Whether a command's server loads changed code by itself.
pub(crate) fn reloads(command: &[String]) -> bool {
    reloading(command).len() != command.len()
        || command
            .iter()
            .any(|word| matches!(word.as_str(), "--reload" | "--debug"))
}

/// A command with a debugger that does not wait for anybody; `None` where it starts no module.
pub(crate) fn debugged(command: &[String]) -> Option<Vec<String>> {
    let (program, rest) = command.split_first()?;
    let (interpreter, module) = match program.as_str() {
        "python" | "python3" => (program.as_str(), None),
        // Programs that are modules of the same name.
        "uvicorn" | "gunicorn" | "hypercorn" | "celery" | "flask" | "streamlit" => {
            ("python", Some(program.clone()))
        }
        _ => return None,
    };
    let mut words: Vec<String> = [
        interpreter,
        "-Xfrozen_modules=off",
        "-m",
        "debugpy",
        "--listen",
    ]
    .map(str::to_owned)
    .to_vec();
    words.push(format!("0.0.0.0:{DEBUG_PORT}"));
    if let Some(module) = module {
        words.extend(["-m".to_owned(), module]);
    }
    words.extend(rest.iter().cloned());
    Some(words)
}
