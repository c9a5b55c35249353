//! Modules compiled ahead of time, in the sandbox and by the image's own interpreter.
//!
//! The root of a running container is read-only, so that Python cannot keep what it compiles.
//! Sources and bytecode pass in one file for each group: thousands of small files would cost more
//! than compiling them.

use std::collections::BTreeMap;
use std::io::{BufRead, Read, Write};
use std::path::Path;

use fs_err as fs;

use super::PythonError;
use super::interpreter::Interpreter;
use super::resolve::writable;
use super::uv::BUILD_USER;
use super::uv::{Call, Uv, place};
use crate::StepNetwork;
use crate::step::scratch::give;

/// The script that compiles.
const SCRIPT: &str = include_str!("bytecode.py");

/// A module to compile.
pub(super) struct Module<'m> {
    /// Its path in the image, which its bytecode carries.
    pub path: String,
    /// Its text.
    pub source: &'m [u8],
}

/// Compiles groups of modules, each group in a process of its own; gives the bytecode of each
/// group by its path in the image. What is no module of this Python has none.
pub(super) fn compile(
    uv: &Uv<'_>,
    groups: &[Vec<Module<'_>>],
    interpreter: &Interpreter,
    work: &Path,
) -> Result<Vec<BTreeMap<String, Vec<u8>>>, PythonError> {
    if groups.iter().all(Vec::is_empty) {
        return Ok(groups.iter().map(|_| BTreeMap::new()).collect());
    }
    fs::write(work.join("bytecode.py"), SCRIPT)?;
    for (number, group) in groups.iter().enumerate() {
        let mut file = std::io::BufWriter::new(fs::File::create(work.join(sources(number)))?);
        for Module { path, source } in group {
            write!(file, "{path}\n{}\n", source.len())?;
            file.write_all(source)?;
        }
        file.into_inner().map_err(|error| error.into_error())?;
    }
    give(work, BUILD_USER)?;
    let mut command: Vec<String> = vec![interpreter.program()];
    // Isolated, without site: nothing of an environment takes part.
    command.extend(["-I", "-S", "-B"].map(str::to_string));
    command.push(format!("{}/bytecode.py", place::WORK));
    command.push(place::WORK.to_string());
    command.push(groups.len().to_string());
    uv.call(Call {
        what: "compile modules",
        command,
        mounts: vec![writable(work, place::WORK)],
        network: StepNetwork::None,
        working_dir: place::WORK,
        environment: Vec::new(),
    })?;
    (0..groups.len())
        .map(|number| Ok(read(&work.join(format!("compiled-{number}")))?))
        .collect()
}

fn sources(number: usize) -> String {
    format!("sources-{number}")
}

/// Reads what the script wrote: path, length, bytes.
fn read(path: &Path) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut file = std::io::BufReader::new(fs::File::open(path)?);
    let mut found = BTreeMap::new();
    let line = |file: &mut std::io::BufReader<fs::File>| -> std::io::Result<String> {
        let mut line = String::new();
        file.read_line(&mut line)?;
        line.truncate(line.trim_end_matches('\n').len());
        Ok(line)
    };
    loop {
        let path = line(&mut file)?;
        if path.is_empty() {
            return Ok(found);
        }
        let length: u64 = line(&mut file)?
            .parse()
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))?;
        let mut bytes = Vec::new();
        (&mut file).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        found.insert(path, bytes);
    }
}
