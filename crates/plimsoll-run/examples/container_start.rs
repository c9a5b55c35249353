//! Starts containers as fast as it can, for measuring.
//!
//! `container_start once LAYER PLACE` runs `/bin/true` in one hardened container, from nothing to
//! nothing: what `runc run` does. `container_start warm LAYER PLACE COUNT` does so again and again
//! in one program, and prints each time in microseconds.
#![expect(clippy::print_stdout, reason = "a program of its own, not a library")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use plimsoll_run::container::ContainerSpec;
use plimsoll_run::{Condition, Engine, EngineError};

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    if let Some(code) = plimsoll_run::internal::dispatch(words.clone()) {
        return code;
    }
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let result = match words[..] {
        [_, "once", layer, place] => once(layer, Path::new(place)),
        [_, "warm", layer, place, count] => {
            warm(layer, Path::new(place), count.parse().unwrap_or(1))
        }
        _ => return ExitCode::from(64),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn spec(layer: &str, place: &Path) -> ContainerSpec {
    let command = vec!["/bin/true".to_owned()];
    let mut spec = ContainerSpec::new(
        "measured",
        vec![PathBuf::from(layer)],
        command,
        place.join("scratch"),
    );
    spec.log.path = place.join("measured.log");
    spec.limits.memory = Some(256 << 20);
    spec.limits.cpus = Some(1.0);
    spec.limits.pids = Some(256);
    spec
}

fn once(layer: &str, place: &Path) -> Result<(), EngineError> {
    let engine = Engine::new()?;
    let dir = place.join("measured");
    engine.run_foreground(&spec(layer, place), &dir)?;
    engine.clean(&dir)
}

fn warm(layer: &str, place: &Path, count: u32) -> Result<(), EngineError> {
    let engine = Engine::new()?;
    let dir = place.join("measured");
    let spec = spec(layer, place);
    for _ in 0..count {
        let begin = Instant::now();
        let handle = engine.start(&spec, &dir)?;
        let started = begin.elapsed();
        handle.wait(Condition::Ended, None)?;
        engine.clean(&dir)?;
        println!("{} {}", started.as_micros(), begin.elapsed().as_micros());
    }
    Ok(())
}
