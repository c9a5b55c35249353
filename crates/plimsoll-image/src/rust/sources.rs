//! The sources as cargo sees them: copied for each build, with times that change only when a file
//! does, because cargo tells by them what to compile again.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fs_err as fs;

use super::RustError;
use crate::application::{Application, SourceKind};

/// When each file was first seen with its content, by path: the content's hash, and seconds.
type Times = BTreeMap<String, (String, u64)>;

/// Copies the sources to `target`. `memory` is a file that keeps what was seen before, out of reach
/// of the project's code.
pub(super) fn copy(
    sources: &Application,
    target: &Path,
    memory: &Path,
    now: SystemTime,
) -> Result<(), RustError> {
    let known: Times = fs::read(memory)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    let now = now
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs();
    sources.copy_to(target)?;
    let mut times = Times::new();
    for file in sources.files() {
        let SourceKind::File { digest, .. } = &file.kind else {
            continue;
        };
        let digest = digest.to_string();
        let since = match known.get(&file.path) {
            Some((before, since)) if *before == digest => *since,
            _ => now,
        };
        let copy = fs::OpenOptions::new()
            .write(true)
            .open(target.join(&file.path))?;
        copy.file()
            .set_modified(UNIX_EPOCH + Duration::from_secs(since))?;
        times.insert(file.path.clone(), (digest, since));
    }
    let text = serde_json::to_vec(&times).map_err(std::io::Error::from)?;
    let unfinished = memory.with_extension("new");
    fs::write(&unfinished, text)?;
    fs::rename(unfinished, memory)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::Purpose;

    #[test]
    fn a_file_keeps_its_time_until_it_changes() {
        let root = tempfile::tempdir().unwrap();
        let context = root.path().join("context");
        fs::create_dir_all(&context).unwrap();
        for name in ["a.rs", "b.rs"] {
            fs::write(context.join(name), "one").unwrap();
        }
        let memory = root.path().join("times.json");
        let copied = |name: &str, at: u64| {
            let look = Application::look(&context, Purpose::BuildInput, &root.path().join("h"));
            let target = root.path().join(name);
            fs::create_dir_all(&target).unwrap();
            let now = UNIX_EPOCH + Duration::from_secs(at);
            copy(&look.unwrap(), &target, &memory, now).unwrap();
            ["a.rs", "b.rs"].map(|file| {
                let time = fs::metadata(target.join(file)).unwrap().modified().unwrap();
                time.duration_since(UNIX_EPOCH).unwrap().as_secs()
            })
        };
        assert_eq!(copied("first", 100), [100, 100]);
        fs::write(context.join("b.rs"), "other").unwrap();
        assert_eq!(copied("second", 200), [100, 200]);
    }
}
