//! The first exchange of the Model Context Protocol: who are you, and what can you do.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use plimsoll_detect::Handshake;
use serde_json::{Value, json};

use super::http::{Reading, Request, Response};
use super::inside::Inside;

/// Version of the protocol that is asked for; a server answers with one it speaks.
const PROTOCOL: &str = "2025-06-18";
/// Paths that servers are usually at.
const PATHS: &[&str] = &["/mcp", "/mcp/", "/", "/message", "/api/mcp"];
/// Paths of the older transport.
const STREAMS: &[&str] = &["/sse", "/mcp/sse"];
/// How long a program that is not spoken to any more may take to end.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often it is looked whether something happened.
const LOOK: Duration = Duration::from_millis(100);

fn initialize() -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": PROTOCOL,
            "capabilities": {},
            "clientInfo": { "name": "plimsoll", "version": env!("CARGO_PKG_VERSION") },
        },
    })
}

fn initialized() -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })
}

fn list_tools() -> Value {
    json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {} })
}

/// The answer to the request of that number, where the text is one.
fn answer(text: &str, id: u64) -> Option<Value> {
    let value: Value = serde_json::from_str(text.trim()).ok()?;
    let is_answer = value.get("result").is_some() || value.get("error").is_some();
    (value.get("id")?.as_u64()? == id && is_answer).then_some(value)
}

/// Who answered; nothing where it refused.
fn who(answer: &Value, transport: &'static str, path: Option<&str>) -> Option<Handshake> {
    let result = answer.get("result")?;
    let server = result.get("serverInfo")?;
    let name = server.get("name")?.as_str()?;
    let version = server.get("version").and_then(Value::as_str);
    Some(Handshake {
        server: match version {
            Some(version) if !version.is_empty() => format!("{name} {version}"),
            _ => name.to_owned(),
        },
        protocol: result.get("protocolVersion")?.as_str()?.to_owned(),
        transport,
        path: path.map(str::to_owned),
        tools: None,
    })
}

fn tools(answer: &Value) -> Option<Vec<String>> {
    let tools = answer.get("result")?.get("tools")?.as_array()?;
    let names = tools.iter().filter_map(|tool| tool.get("name")?.as_str());
    Some(names.map(str::to_owned).collect())
}

/// What a program said when it was spoken to.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    pub(super) handshake: Option<Handshake>,
    /// What it wrote on standard error, and what it wrote on standard output that is no message.
    pub(super) said: Vec<String>,
    /// How long it took from the end of its input to its own.
    pub(super) farewell: Option<Duration>,
}

/// Speaks with a program over its standard input and output, and has it end. `answered` is called
/// as soon as it has said who it is.
pub(super) fn with_program(
    child: &mut Child,
    patience: Duration,
    cancelled: &AtomicBool,
    answered: &mut dyn FnMut(),
) -> io::Result<Spoken> {
    let mut spoken = Spoken::default();
    let (sender, lines) = channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    let errors = child.stderr.take().map(|mut stderr| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stderr.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        })
    });
    let mut stdin = child.stdin.take();
    let mut say = |message: &Value| {
        if let Some(stdin) = &mut stdin {
            // A program that has ended already tells so by its end.
            let _ = writeln!(stdin, "{message}").and_then(|()| stdin.flush());
        }
    };
    let mut wait = |id| wait_for(&lines, id, patience, cancelled, &mut spoken.said);
    say(&initialize());
    if let Some(mut handshake) = wait(1).and_then(|answer| who(&answer, "stdio", None)) {
        answered();
        say(&initialized());
        say(&list_tools());
        handshake.tools = wait(2).as_ref().and_then(tools);
        spoken.handshake = Some(handshake);
    }
    // It ends when nobody speaks to it any more.
    drop(stdin);
    let began = Instant::now();
    let mut asked = false;
    while child.try_wait()?.is_none() {
        let overdue = began.elapsed() > FAREWELL;
        if overdue && asked && began.elapsed() > FAREWELL * 2 {
            child.kill()?;
        } else if (overdue || cancelled.load(Ordering::Relaxed)) && !asked {
            asked = true;
            if let Some(process) = rustix::process::Pid::from_raw(child.id().cast_signed()) {
                let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
            }
        }
        std::thread::sleep(LOOK);
    }
    spoken.farewell = (!asked).then(|| began.elapsed());
    spoken.said.extend(lines.try_iter());
    let errors = errors.and_then(|errors| errors.join().ok());
    let errors = errors.unwrap_or_default();
    spoken.said.extend(errors.lines().map(str::to_owned));
    Ok(spoken)
}

/// Waits for the answer to the request of that number. Other lines are noise.
fn wait_for(
    lines: &Receiver<String>,
    id: u64,
    patience: Duration,
    cancelled: &AtomicBool,
    noise: &mut Vec<String>,
) -> Option<Value> {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline && !cancelled.load(Ordering::Relaxed) {
        match lines.recv_timeout(LOOK) {
            Ok(line) => match answer(&line, id) {
                Some(answer) => return Some(answer),
                None => noise.push(line),
            },
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    None
}

/// Speaks with a server over HTTP, by whichever transport it knows. The error says what it answers
/// instead.
pub(super) fn with_server(inside: Inside, port: u16) -> Result<Handshake, String> {
    let mut refusal = None;
    for path in PATHS {
        match streamable(inside, port, path) {
            Ok(handshake) => return Ok(handshake),
            // Nothing there, or nothing that takes messages: another path does.
            Err(Some(404 | 405) | None) => {}
            Err(Some(status)) => {
                refusal.get_or_insert(format!("`{path}` answers {status}"));
            }
        }
    }
    let mut streams = STREAMS.iter();
    streams
        .find_map(|path| older_transport(inside, port, path).ok().flatten())
        .ok_or_else(|| refusal.unwrap_or_else(|| "no path of it takes messages".to_owned()))
}

/// The error is the status of another answer, where there was one.
fn streamable(inside: Inside, port: u16, path: &str) -> Result<Handshake, Option<u16>> {
    let mut session = Vec::new();
    let post = |message: &Value, session: &[(&'static str, String)], id: u64| {
        let mut headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("Accept", "application/json, text/event-stream".to_owned()),
        ];
        headers.extend(session.iter().cloned());
        let request = Request {
            method: "POST",
            path,
            port,
            headers,
            body: Some(message.to_string()),
        };
        let enough =
            |response: &Response| response.messages().any(|text| answer(text, id).is_some());
        Reading::begin(inside.connect(port)?, &request)?.until(&enough)
    };
    let response = post(&initialize(), &session, 1).map_err(|_: io::Error| None)?;
    let first = response.messages().find_map(|text| answer(text, 1));
    let mut handshake = first
        .and_then(|first| who(&first, "streamable-http", Some(path)))
        .ok_or(Some(response.status))?;
    session.push(("MCP-Protocol-Version", handshake.protocol.clone()));
    if let Some(id) = response.header("mcp-session-id") {
        session.push(("Mcp-Session-Id", id.to_owned()));
    }
    // Accepted without a word.
    let _ = post(&initialized(), &session, 0);
    if let Ok(response) = post(&list_tools(), &session, 2) {
        handshake.tools = response
            .messages()
            .find_map(|text| answer(text, 2))
            .as_ref()
            .and_then(tools);
    }
    Ok(handshake)
}

/// The older transport: a stream that begins by naming where messages go, and brings the answers.
fn older_transport(inside: Inside, port: u16, path: &str) -> io::Result<Option<Handshake>> {
    let request = Request {
        headers: vec![("Accept", "text/event-stream".to_owned())],
        ..Request::get(port, path)
    };
    let mut stream = Reading::begin(inside.connect(port)?, &request)?;
    let endpoint = |response: &Response| {
        let mut lines = response.body.lines();
        lines.find(|line| line.trim() == "event: endpoint")?;
        let place = lines.next()?.strip_prefix("data:")?.trim().to_owned();
        // A whole address says no more than its path: it is this server.
        Some(match place.split_once("://") {
            Some((_, rest)) => format!("/{}", rest.split_once('/').map_or("", |(_, path)| path)),
            None => place,
        })
    };
    let begun = stream.until(&|response| response.status != 200 || endpoint(response).is_some())?;
    let Some(target) = endpoint(&begun) else {
        return Ok(None);
    };
    let post = |message: &Value| -> io::Result<()> {
        let request = Request {
            method: "POST",
            path: &target,
            port,
            headers: vec![("Content-Type", "application/json".to_owned())],
            body: Some(message.to_string()),
        };
        // Accepted here; the answer comes over the stream.
        Reading::begin(inside.connect(port)?, &request)?
            .until(&|response| response.status != 0)
            .map(|_| ())
    };
    let mut answer_to = |id: u64| -> io::Result<Option<Value>> {
        let found = |response: &Response| response.messages().find_map(|text| answer(text, id));
        let response = stream.until(&|response| found(response).is_some())?;
        Ok(found(&response))
    };
    post(&initialize())?;
    let Some(mut handshake) = answer_to(1)?.and_then(|first| who(&first, "sse", Some(path))) else {
        return Ok(None);
    };
    post(&initialized())?;
    post(&list_tools())?;
    handshake.tools = answer_to(2)?.as_ref().and_then(tools);
    Ok(Some(handshake))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn spoken(script: &str) -> Spoken {
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let never = AtomicBool::new(false);
        with_program(&mut child, Duration::from_secs(120), &never, &mut || {}).unwrap()
    }

    #[test]
    fn a_program_that_answers_is_understood() {
        let spoken = spoken(
            r#"read line; echo noise
echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","serverInfo":{"name":"desk","version":"1"}}}'
read line; read line
echo '{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"add"},{"name":"find"}]}}'
cat >/dev/null"#,
        );
        let handshake = spoken.handshake.unwrap();
        assert_eq!(handshake.server, "desk 1");
        assert_eq!(handshake.tools.unwrap(), ["add", "find"]);
        assert_eq!(spoken.said, ["noise"]);
        assert!(spoken.farewell.is_some());
    }

    #[test]
    fn a_program_that_dies_or_refuses_is_told() {
        let dead = spoken("echo 'ImportError: nothing' >&2; exit 3");
        assert!(dead.handshake.is_none());
        assert_eq!(dead.said, ["ImportError: nothing"]);
        let refuses = spoken(
            r#"read line; echo '{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"no"}}'; cat >/dev/null"#,
        );
        assert!(refuses.handshake.is_none());
    }
}
