//! Pages that answer 200 however broken their script is: drawn once, without a browser.

use std::time::Duration;

use plimsoll_model::Service;
use plimsoll_run::{ContainerHandle, Engine, ExecSpec};

use super::loading::TELL_IMPORTS;

/// Longest time for a page to be drawn once.
const PAGE: Duration = Duration::from_secs(90);

/// Compiles a page of Streamlit and those beside it, draws it, and tells what it raised. A page
/// that takes too long is not broken, and an old release cannot draw without a browser.
const DRAW: &str = r#"
import glob, os, sys, traceback
script = os.path.abspath(sys.argv[1])
failed = False
for page in [script, *sorted(glob.glob(os.path.join(os.path.dirname(script), "pages", "*.py")))]:
    try:
        with open(page, "rb") as source:
            compile(source.read(), page, "exec")
    except SyntaxError:
        traceback.print_exc(limit=0)
        failed = True
if failed:
    sys.exit(3)
try:
    from streamlit.testing.v1 import AppTest
except ImportError:
    sys.exit(0)
try:
    page = AppTest.from_file(script, default_timeout=60).run()
except RuntimeError:
    sys.exit(0)
for error in page.exception:
    trace = error.stack_trace
    print("Traceback (most recent call last):", file=sys.stderr)
    print("\n".join(trace) if isinstance(trace, (list, tuple)) else trace, file=sys.stderr)
    kind = getattr(error.proto, "type", "") or "Exception"
    message = (error.value or error.proto.message or "").splitlines() or [""]
    print(f"{kind}: {message[0]}", file=sys.stderr)
    failed = True
sys.exit(3 if failed else 0)
"#;

/// What a page said when it was drawn.
pub(super) struct Drawn {
    /// Its script.
    pub(super) script: String,
    /// What it raised, as Python tells it; nothing: it was drawn.
    pub(super) raised: Vec<String>,
}

/// Draws the page of a service, where it is one.
pub(super) fn draw(engine: &Engine, service: &Service, handle: &ContainerHandle) -> Option<Drawn> {
    if service.facts.framework.as_deref() != Some("Streamlit") {
        return None;
    }
    let spec = handle.spec().ok()?;
    let mut words = spec
        .command
        .iter()
        .skip_while(|word| *word != "run")
        .skip(1);
    let script = words.find(|word| word.ends_with(".py"))?.clone();
    // The image's interpreter is the one that the page runs on.
    let command = ["python", "-c", DRAW, &script];
    let mut exec = ExecSpec::new(command.map(str::to_owned).to_vec());
    exec.timeout = Some(PAGE);
    exec.environment = vec![(TELL_IMPORTS.to_owned(), String::new())];
    let (code, _, said) = engine.exec_captured(handle.dir(), &exec).ok()?;
    let said = String::from_utf8_lossy(&said).into_owned();
    Some(Drawn {
        script,
        // Any other code is not the page's: no interpreter of that name, no time.
        raised: match code {
            3 => said.lines().map(str::to_owned).collect(),
            _ => Vec::new(),
        },
    })
}
