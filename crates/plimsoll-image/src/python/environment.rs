//! The virtual environment in the image: where it is, how it is laid out, and what of an
//! installation does not belong into it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::interpreter::Interpreter;
use crate::Digest;
use crate::digest::Hasher;
use crate::layer::{Attributes, Content, FileSet, FileSetError, Node};
use crate::variant::slim;

/// Where the environment is in the image and in the sandbox.
pub(crate) const ENVIRONMENT: &str = "/app/.venv";

/// Files of an installation that tell about the machine that installed, or about the time.
pub(super) const RESIDUE: &[&str] = &[
    "direct_url.json",
    "uv_cache.json",
    "uv_build.json",
    "REQUESTED",
];

/// Where an environment's packages are, below it.
pub(super) fn site_packages(interpreter: &Interpreter) -> String {
    format!("lib/python{}/site-packages", interpreter.minor)
}

/// Lays out an empty environment in a directory that stands at [`ENVIRONMENT`] in the sandbox.
pub(super) fn lay_out(directory: &Path, interpreter: &Interpreter) -> std::io::Result<()> {
    fs::create_dir_all(directory.join("bin"))?;
    fs::create_dir_all(directory.join(site_packages(interpreter)))?;
    let minor = interpreter.minor;
    let program = interpreter.program();
    fs::os::unix::fs::symlink(&program, directory.join("bin/python"))?;
    fs::os::unix::fs::symlink("python", directory.join("bin/python3"))?;
    fs::os::unix::fs::symlink("python", directory.join(format!("bin/python{minor}")))?;
    let configuration = format!(
        "home = /usr/bin\nimplementation = CPython\nversion_info = {minor}\n\
         include-system-site-packages = false\n"
    );
    fs::write(directory.join("pyvenv.cfg"), configuration)
}

/// The environment of an empty installation, for the layer that carries it.
pub(super) fn skeleton(interpreter: &Interpreter) -> Result<FileSet, FileSetError> {
    let place = below_root(ENVIRONMENT);
    let mut set = FileSet::new();
    set.symlink(&format!("{place}/bin/python"), &interpreter.program())?;
    set.symlink(&format!("{place}/bin/python3"), "python")?;
    let versioned = format!("{place}/bin/python{}", interpreter.minor);
    set.symlink(&versioned, "python")?;
    let configuration = format!(
        "home = /usr/bin\nimplementation = CPython\nversion_info = {}\n\
         include-system-site-packages = false\n",
        interpreter.minor
    );
    set.file(
        &format!("{place}/pyvenv.cfg"),
        Attributes::FILE,
        configuration,
    )?;
    let packages = format!("{place}/{}", site_packages(interpreter));
    set.directory(&packages, Attributes::DIRECTORY)?;
    Ok(set)
}

pub(super) fn below_root(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// The files of one installed distribution.
#[derive(Debug)]
pub(super) struct Distribution {
    /// `fastapi-0.121.0`, from its metadata's directory.
    pub name: String,
    /// Paths below the environment, and where each is on this machine.
    pub files: BTreeMap<String, PathBuf>,
}

impl Distribution {
    /// What tells it from any other: its record, which has the hash of every file, and which of
    /// these are its own; or for files that nobody records, they themselves.
    pub(super) fn identity(&self) -> Result<Digest, InstalledError> {
        let mut hasher = Hasher::default();
        let mut recorded = false;
        for (path, source) in self.sources() {
            if path.ends_with(".dist-info/RECORD") {
                hasher.update(&fs::read(source)?);
                recorded = true;
            }
            hasher.update(format!("{path}\0").as_bytes());
        }
        if !recorded {
            for (path, source) in self.sources() {
                let (digest, _) = Digest::of_reader(&mut fs::File::open(source)?)?;
                hasher.update(format!("{path}\0{digest}\0").as_bytes());
            }
        }
        Ok(hasher.finish())
    }

    /// The files that were installed, without those compiled here.
    fn sources(&self) -> impl Iterator<Item = (&String, &PathBuf)> {
        self.files
            .iter()
            .filter(|(path, _)| !path.ends_with(".pyc"))
    }

    /// The files as they stand in the image, and what was `compiled` of them, by its path there.
    pub(super) fn file_set(
        &self,
        compiled: BTreeMap<String, Vec<u8>>,
    ) -> Result<FileSet, InstalledError> {
        let mut set = FileSet::new();
        for (path, bytes) in compiled {
            set.file(below_root(&path), Attributes::FILE, bytes)?;
        }
        for (path, source) in &self.files {
            let target = format!("{}/{path}", below_root(ENVIRONMENT));
            if set.get(&target).is_some() {
                continue;
            }
            let metadata = fs::symlink_metadata(source)?;
            if metadata.is_symlink() {
                let link = fs::read_link(source)?;
                set.symlink(&target, &link.to_string_lossy())?;
                continue;
            }
            let executable = std::os::unix::fs::MetadataExt::mode(&metadata) & 0o100 != 0;
            let attributes = if executable {
                Attributes::PROGRAM
            } else {
                Attributes::FILE
            };
            set.insert(
                &target,
                Node::File(attributes, Content::File(source.clone())),
            )?;
        }
        Ok(set)
    }

    /// Paths in the image of what the slim variant leaves out.
    pub(super) fn extras(&self) -> Vec<String> {
        let text = |path: &str| fs::read_to_string(self.files.get(path)?).ok();
        slim::python_extras(self.files.keys().map(String::as_str), text)
            .into_iter()
            .map(|path| format!("{}/{path}", below_root(ENVIRONMENT)))
            .collect()
    }

    /// Modules to compile: their paths in the image, and where they are.
    pub(super) fn modules(&self) -> impl Iterator<Item = (String, &PathBuf)> {
        self.files
            .iter()
            .filter(|(path, _)| is_module(path))
            .map(|(path, source)| (format!("{ENVIRONMENT}/{path}"), source))
    }
}

/// Whether a file below the environment is a module to compile.
pub(super) fn is_module(path: &str) -> bool {
    path.ends_with(".py") && path.starts_with("lib/")
}

/// An installation cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum InstalledError {
    /// A file cannot be read or changed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Two distributions installed one path.
    #[error(transparent)]
    Files(#[from] FileSetError),
}

/// Takes an installation apart by distribution, after removing what does not belong into an
/// image. Files that no distribution lists (compiled modules) go with their directory's owner.
pub(super) fn take_apart(
    directory: &Path,
    interpreter: &Interpreter,
) -> Result<Vec<Distribution>, InstalledError> {
    let packages = site_packages(interpreter);
    let mut owner_of: BTreeMap<String, usize> = BTreeMap::new();
    let mut found: Vec<Distribution> = Vec::new();
    for path in sorted(&directory.join(&packages))? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(name) = name.strip_suffix(".dist-info") else {
            continue;
        };
        clean(&path)?;
        let record = match fs::read_to_string(path.join("RECORD")) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.into()),
        };
        let index = found.len();
        for line in record.lines() {
            if let Some(path) = recorded_path(line)
                && let Some(path) = below(&packages, &path)
            {
                owner_of.entry(path).or_insert(index);
            }
        }
        found.push(Distribution {
            name: name.to_string(),
            files: BTreeMap::new(),
        });
    }
    let mut all = BTreeMap::new();
    walk(directory, "", &mut all)?;
    let skeleton = skeleton(interpreter)?;
    let mut rest = Distribution {
        name: "unowned".to_string(),
        files: BTreeMap::new(),
    };
    for (path, source) in all {
        let in_image = format!("{}/{path}", below_root(ENVIRONMENT));
        if skeleton.get(&in_image).is_some() || path == ".lock" || path == "CACHEDIR.TAG" {
            continue;
        }
        let owner = owner_of
            .get(&path)
            .or_else(|| owner_of.get(&source_of(&path)?))
            .copied()
            .and_then(|index| found.get_mut(index))
            .unwrap_or(&mut rest);
        owner.files.insert(path, source);
    }
    if !rest.files.is_empty() {
        found.push(rest);
    }
    Ok(found)
}

/// `a/__pycache__/b.cpython-313.pyc` → `a/b.py`.
fn source_of(path: &str) -> Option<String> {
    let (directory, name) = path.rsplit_once('/')?;
    let parent = directory.strip_suffix("__pycache__")?;
    let stem = name.strip_suffix(".pyc")?.rsplit_once('.')?.0;
    Some(format!("{parent}{stem}.py"))
}

/// Removes residue, also from the record that lists it.
fn clean(dist_info: &Path) -> Result<(), InstalledError> {
    let record_path = dist_info.join("RECORD");
    let Ok(record) = fs::read_to_string(&record_path) else {
        return Ok(());
    };
    let name = dist_info.file_name().unwrap_or_default().to_string_lossy();
    let residue: Vec<String> = RESIDUE
        .iter()
        .map(|file| format!("{name}/{file}"))
        .collect();
    for file in RESIDUE {
        let path = dist_info.join(file);
        if path.exists() {
            fs::remove_file(path)?;
        }
    }
    let mut lines: Vec<&str> = record
        .lines()
        .filter(|line| recorded_path(line).is_none_or(|path| !residue.contains(&path)))
        .collect();
    lines.sort_unstable();
    let text = lines.join("\n") + "\n";
    if text != record {
        // The file may share its inode with uv's cache: replace it, do not write into it.
        fs::remove_file(&record_path)?;
        fs::write(&record_path, text)?;
    }
    Ok(())
}

/// The first field of a line of `RECORD`, which is CSV.
fn recorded_path(line: &str) -> Option<String> {
    match line.strip_prefix('"') {
        Some(rest) => {
            let end = rest.rfind("\",")?;
            Some(rest[..end].replace("\"\"", "\""))
        }
        None => line.split(',').next().map(str::to_string),
    }
    .filter(|path| !path.is_empty())
}

/// A path relative to `base`, which is relative to the environment; `None` when it leads out.
fn below(base: &str, path: &str) -> Option<String> {
    if let Some(absolute) = path.strip_prefix(ENVIRONMENT) {
        return Some(absolute.trim_start_matches('/').to_string());
    }
    let mut components: Vec<&str> = base.split('/').collect();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                components.pop()?;
            }
            other => components.push(other),
        }
    }
    Some(components.join("/"))
}

fn walk(
    directory: &Path,
    prefix: &str,
    found: &mut BTreeMap<String, PathBuf>,
) -> Result<(), InstalledError> {
    for path in sorted(directory)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let relative = if prefix.is_empty() {
            name.into_owned()
        } else {
            format!("{prefix}/{name}")
        };
        if fs::symlink_metadata(&path)?.is_dir() {
            walk(&path, &relative, found)?;
        } else {
            found.insert(relative, path);
        }
    }
    Ok(())
}

fn sorted(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(directory)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::super::interpreter::INTERPRETERS;
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn an_installation_is_taken_apart_by_its_records() {
        let interpreter = &INTERPRETERS[0];
        let root = tempfile::tempdir().unwrap();
        lay_out(root.path(), interpreter).unwrap();
        let site = site_packages(interpreter);
        let put = |path: &str, text: &str| write(root.path(), &format!("{site}/{path}"), text);
        put("a/__init__.py", "");
        put("a/__pycache__/__init__.cpython-313.pyc", "x");
        put("b.py", "");
        write(root.path(), "bin/a-run", "#!/app/.venv/bin/python\n");
        let record = "a/__init__.py,sha256=x,0\n../../../bin/a-run,,\na-1.dist-info/RECORD,,\n\
                      a-1.dist-info/direct_url.json,sha256=y,3\n";
        put("a-1.dist-info/RECORD", record);
        put("a-1.dist-info/direct_url.json", "{}");
        put(
            "b-2.dist-info/RECORD",
            "b.py,sha256=x,0\nb-2.dist-info/RECORD,,\n",
        );

        let found = take_apart(root.path(), interpreter).unwrap();
        let names: Vec<&str> = found.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["a-1", "b-2"]);
        let paths: Vec<&str> = found[0].files.keys().map(String::as_str).collect();
        let expected: Vec<String> = [
            "bin/a-run".to_string(),
            format!("{site}/a-1.dist-info/RECORD"),
            format!("{site}/a/__init__.py"),
            format!("{site}/a/__pycache__/__init__.cpython-313.pyc"),
        ]
        .into();
        assert_eq!(paths, expected);
        let record = root.path().join(&site).join("a-1.dist-info/RECORD");
        assert!(!fs::read_to_string(record).unwrap().contains("direct_url"));
        let set = found[1].file_set(BTreeMap::new()).unwrap();
        assert!(
            set.get("app/.venv/lib/python3.13/site-packages/b.py")
                .is_some()
        );
    }

    #[test]
    fn a_record_is_csv() {
        assert_eq!(recorded_path("a,b,c").as_deref(), Some("a"));
        assert_eq!(recorded_path("\"a,\"\"b\",x,1").as_deref(), Some("a,\"b"));
        assert_eq!(recorded_path(",,"), None);
    }
}
