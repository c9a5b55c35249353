//! Interpreters that are a program of their own and no package of anybody's: Node and Bun, which
//! state their versions in what they say of themselves to servers.

use memchr::memmem::find_iter;
use serde::{Deserialize, Serialize};

/// An interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Interpreter {
    /// The name of its program.
    pub name: String,
    pub version: String,
}

/// What the program of this name is, if it is one.
pub(super) fn interpreter(name: &str, program: &[u8]) -> Option<Interpreter> {
    let mark: &[u8] = match name {
        "node" => b"node.js/v",
        "bun" => b"Bun/",
        _ => return None,
    };
    let version = find_iter(program, mark).find_map(|at| version(&program[at + mark.len()..]))?;
    Some(Interpreter {
        name: name.to_owned(),
        version,
    })
}

/// Three numbers with dots between.
fn version(bytes: &[u8]) -> Option<String> {
    let end = bytes
        .iter()
        .take(32)
        .position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    let parts: Vec<&str> = text.split('.').collect();
    (parts.len() == 3 && parts.iter().all(|part| !part.is_empty())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_what_the_program_says() {
        let of = |name, program: &[u8]| interpreter(name, program).map(|found| found.version);
        let node = b"..node.js/v%s\0..node.js/v24.21.0\0..";
        assert_eq!(of("node", node).as_deref(), Some("24.21.0"));
        assert_eq!(of("bun", b"Bun/1.4.5 ").as_deref(), Some("1.4.5"));
        assert_eq!(of("node", b"node.js/v24.21"), None);
        assert_eq!(of("nodemon", node), None);
    }
}
