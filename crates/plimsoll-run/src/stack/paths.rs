//! Where one project's stack keeps what it needs.

use std::path::{Path, PathBuf};

/// The directories of one project's stack.
#[derive(Debug, Clone)]
pub struct StackPaths {
    data: PathBuf,
    runtime: PathBuf,
    project: String,
}

impl StackPaths {
    /// Paths of the project named `project` below the machine's data and runtime directories.
    pub fn new(data: &Path, runtime: &Path, project: &str) -> Self {
        Self {
            data: data.to_owned(),
            runtime: runtime.to_owned(),
            project: project.to_owned(),
        }
    }

    /// The project's name.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// State that may vanish at a reboot: specifications, states, sockets.
    pub fn runtime(&self) -> PathBuf {
        self.runtime.join(&self.project)
    }

    /// The file whose lock says that a command changes the stack.
    pub fn lock(&self) -> PathBuf {
        // Beside the directory, not in it: `down` removes the directory while holding the lock.
        self.runtime.join(format!("{}.lock", self.project))
    }

    /// What is recorded of the running stack.
    pub fn record(&self) -> PathBuf {
        self.runtime().join("stack.json")
    }

    /// The network keeper's directory.
    pub fn keeper(&self) -> PathBuf {
        self.runtime().join("network")
    }

    /// The directory that holds a directory for each container.
    pub fn containers(&self) -> PathBuf {
        self.runtime().join("containers")
    }

    /// A container's directory.
    pub fn container(&self, name: &str) -> PathBuf {
        self.containers().join(name)
    }

    /// The directory of the project's logs.
    pub fn logs(&self) -> PathBuf {
        self.data.join("projects").join(&self.project).join("logs")
    }

    /// Where the writable layers of the project's containers lie.
    pub fn writable_layers(&self) -> PathBuf {
        self.data
            .join("projects")
            .join(&self.project)
            .join("writable")
    }

    /// A volume without a name: it belongs to one path of one container, and goes with the stack.
    pub fn anonymous_volume(&self, container: &str, target: &Path) -> PathBuf {
        let path = target.to_string_lossy();
        let name = path.trim_matches('/').replace('/', "-");
        self.project_data()
            .join("anonymous")
            .join(container)
            .join(name)
    }

    /// All that the project keeps outside of its volumes and the store.
    pub fn project_data(&self) -> PathBuf {
        self.data.join("projects").join(&self.project)
    }

    /// A named volume's directory; `name` is the volume's full name.
    pub fn volume(&self, name: &str) -> PathBuf {
        // A name from a file must not lead anywhere else.
        let name = name.replace('/', "-");
        self.data.join("volumes").join(format!(
            "{}{name}",
            if name.starts_with('.') { "_" } else { "" }
        ))
    }
}

/// The names of the projects that have run-time state below `runtime`.
///
/// # Errors
/// When the directory exists and cannot be read.
pub fn known_projects(runtime: &Path) -> std::io::Result<Vec<String>> {
    let entries = match fs_err::read_dir(runtime) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.path().join("stack.json").exists() {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_name_cannot_climb() {
        let paths = StackPaths::new(Path::new("/data"), Path::new("/run"), "desk");
        assert_eq!(
            paths.volume("../../etc"),
            Path::new("/data/volumes/_..-..-etc")
        );
        assert_eq!(paths.volume("desk_db"), Path::new("/data/volumes/desk_db"));
    }

    #[test]
    fn only_directories_with_a_record_are_projects() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(
            known_projects(&directory.path().join("none")).unwrap(),
            Vec::<String>::new()
        );
        for (project, file) in [("desk", "stack.json"), ("odd", "other")] {
            fs_err::create_dir(directory.path().join(project)).unwrap();
            fs_err::write(directory.path().join(project).join(file), "{}").unwrap();
        }
        assert_eq!(known_projects(directory.path()).unwrap(), ["desk"]);
    }
}
