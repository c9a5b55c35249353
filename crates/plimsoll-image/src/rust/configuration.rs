//! What of cargo's configuration counts in the sandbox: where crates come from, always; credentials,
//! only while they are fetched. What the user has set up for this machine's compilers does not.

use std::path::{Path, PathBuf};

use fs_err as fs;
use toml::{Table, Value};

use crate::StepNetwork;
use crate::clients::ClientSettings;

/// Tables of a configuration that say where crates come from.
const SOURCES: &[&str] = &["source", "registries", "registry"];

/// Tables that say how they are fetched.
const FETCHING: &[&str] = &["net", "http"];

/// Keys that hold a credential, or name a program of this machine that gives one.
const CREDENTIALS: &[&str] = &[
    "token",
    "secret-key",
    "credential-provider",
    "global-credential-providers",
];

/// The directory of the user's configuration.
pub(super) fn user_directory(settings: &ClientSettings) -> Option<PathBuf> {
    settings
        .variable("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(settings.home.as_ref()?.join(".cargo")))
}

/// The user's configuration, as far as it counts in a step.
pub(super) fn for_step(settings: &ClientSettings, network: StepNetwork) -> String {
    let table = user_directory(settings)
        .and_then(|directory| read(&directory, &["config.toml", "config"]))
        .unwrap_or_default();
    filtered(table, network)
}

/// The user's credentials for registries.
pub(super) fn credentials(settings: &ClientSettings) -> Option<PathBuf> {
    let directory = user_directory(settings)?;
    ["credentials.toml", "credentials"]
        .iter()
        .map(|name| directory.join(name))
        .find(|path| path.is_file())
}

fn filtered(table: Table, network: StepNetwork) -> String {
    let mut kept = Table::new();
    for (name, value) in table {
        let counts = SOURCES.contains(&name.as_str())
            || network == StepNetwork::Host && FETCHING.contains(&name.as_str());
        if counts {
            let value = match network {
                StepNetwork::Host => value,
                StepNetwork::None => without_credentials(value),
            };
            kept.insert(name, value);
        }
    }
    kept.to_string()
}

fn without_credentials(value: Value) -> Value {
    match value {
        Value::Table(table) => Value::Table(
            table
                .into_iter()
                .filter(|(name, _)| !CREDENTIALS.contains(&name.as_str()))
                .map(|(name, value)| (name, without_credentials(value)))
                .collect(),
        ),
        other => other,
    }
}

fn read(directory: &Path, names: &[&str]) -> Option<Table> {
    names
        .iter()
        .find_map(|name| fs::read_to_string(directory.join(name)).ok())?
        .parse()
        .ok()
}

/// Flags that a project gives its compiler and that say what is built, not by which linker:
/// `--cfg tokio_unstable`. They stand in the configuration of the project's directory.
pub(super) fn project_flags(project: &Path, target: &str) -> Vec<String> {
    let Some(table) = read(&project.join(".cargo"), &["config.toml", "config"]) else {
        return Vec::new();
    };
    let own = table
        .get("target")
        .and_then(|targets| targets.get(target)?.get("rustflags"));
    let common = table.get("build").and_then(|build| build.get("rustflags"));
    let words: Vec<String> = match own.or(common) {
        Some(Value::String(line)) => line.split_whitespace().map(str::to_string).collect(),
        Some(Value::Array(words)) => words
            .iter()
            .filter_map(|word| word.as_str().map(str::to_string))
            .collect(),
        _ => Vec::new(),
    };
    let mut flags = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let (name, value) = match word.as_str() {
            "-C" | "--codegen" | "--cfg" | "--check-cfg" | "-A" | "-W" => {
                let Some(value) = words.next() else { break };
                (word, value)
            }
            _ => (String::new(), word),
        };
        let of_code = name.is_empty() || name == "-C" || name == "--codegen";
        let setting = value.strip_prefix("-C").unwrap_or(&value);
        // Who links, for which machine, and what is remapped is decided here.
        let decided_here = [
            "link",
            "target-cpu=native",
            "strip",
            "--remap-path-prefix",
            "-Z",
        ]
        .iter()
        .any(|start| setting.starts_with(start));
        if !(of_code && decided_here) {
            flags.extend((!name.is_empty()).then_some(name));
            flags.push(value);
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
[build]
rustc-wrapper = "sccache"
[source.default]
replace-with = "mirror"
[registries.mirror]
index = "sparse+http://mirror.example/index/"
token = "abc"
[net]
retry = 5
"#;

    #[test]
    fn credentials_count_only_while_crates_are_fetched() {
        let build = filtered(CONFIG.parse().unwrap(), StepNetwork::None);
        assert!(build.contains("mirror.example"));
        assert!(!build.contains("abc") && !build.contains("sccache") && !build.contains("retry"));
        let fetch = filtered(CONFIG.parse().unwrap(), StepNetwork::Host);
        assert!(fetch.contains("abc") && fetch.contains("retry") && !fetch.contains("sccache"));
    }

    #[test]
    fn a_projects_flags_are_kept_unless_they_choose_a_linker() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join(".cargo");
        fs::create_dir_all(&directory).unwrap();
        let text = "[build]\nrustflags = [\"--cfg\", \"tokio_unstable\", \"-C\", \"link-arg=-fuse-ld=mold\", \"-Ctarget-cpu=native\", \"-Copt-level=2\"]\n";
        fs::write(directory.join("config.toml"), text).unwrap();
        assert_eq!(
            project_flags(root.path(), "x"),
            ["--cfg", "tokio_unstable", "-Copt-level=2"]
        );
    }
}
