//! `go.mod` and `go.work`: which modules a tree holds, and where they may be built.

use std::path::{Path, PathBuf};

use plimsoll_diag::{Span, Spanned};

use crate::places;
use crate::tree::Tree;

/// A module of the tree.
#[derive(Debug, Clone)]
pub(super) struct Module {
    /// The directory of its `go.mod`.
    pub root: PathBuf,
    /// What imports of it begin with.
    pub path: String,
    /// The version of Go it asks for (`go`).
    pub language: Option<String>,
    /// The toolchain it asks for (`toolchain`, else `go`).
    pub toolchain: Option<Spanned<String>>,
    /// The directory that has all it is built from: its own, that of its workspace, or one above
    /// modules that it takes from beside it.
    pub context: PathBuf,
    /// What it requires: path and version.
    pub requires: Vec<(String, String)>,
    /// Whether a `go.work` has it among the modules that are worked on.
    pub is_in_workspace: bool,
}

impl Module {
    /// The way to a directory as far as it says what the directory is for. A module of a workspace has a name of its
    /// own: what lies above it only sorts the workspace.
    pub(super) fn purpose<'d>(&self, directory: &'d Path) -> &'d Path {
        let above = self.root.parent().filter(|_| self.is_in_workspace);
        above
            .and_then(|above| directory.strip_prefix(above).ok())
            .unwrap_or(directory)
    }
}

/// The module that a directory belongs to.
pub(super) fn of<'m>(modules: &'m [Module], directory: &Path) -> Option<&'m Module> {
    modules
        .iter()
        .filter(|module| directory.starts_with(&module.root))
        .max_by_key(|module| module.root.components().count())
}

/// The modules of a tree.
pub(super) fn modules(tree: &Tree) -> Vec<Module> {
    let workspaces: Vec<(PathBuf, Vec<PathBuf>)> = tree
        .files()
        .iter()
        .filter(|file| file.path.ends_with("go.work"))
        .filter_map(|file| {
            let root = file.path.parent()?.to_owned();
            let text = tree.manifest(&file.path)?;
            let used = directives(&text, "use")
                .into_iter()
                .filter_map(|(words, _)| places::within(&root, words.first()?))
                .collect();
            Some((root, used))
        })
        .collect();
    tree.files()
        .iter()
        .filter(|file| file.path.ends_with("go.mod"))
        .filter_map(|file| read(tree, &file.path, &workspaces))
        .collect()
}

fn read(tree: &Tree, path: &Path, workspaces: &[(PathBuf, Vec<PathBuf>)]) -> Option<Module> {
    let text = tree.manifest(path)?;
    let root = path.parent()?.to_owned();
    let one = |name: &str| {
        let (words, line) = directives(&text, name).into_iter().next()?;
        Some((words.into_iter().next()?, line))
    };
    let (module, _) = one("module")?;
    let language = one("go");
    let stated = one("toolchain").filter(|(name, _)| name != "default");
    let toolchain = stated
        .or_else(|| language.clone())
        .map(|(version, line)| Spanned {
            value: version.trim_start_matches("go").to_owned(),
            span: Some(Span::line(tree.shown(path), line)),
        });
    let workspace = workspaces.iter().find(|(_, used)| used.contains(&root));
    let is_in_workspace = workspace.is_some();
    let mut context = workspace.map_or_else(|| root.clone(), |(workspace, _)| workspace.clone());
    for (words, _) in directives(&text, "replace") {
        let target = words.iter().skip_while(|word| *word != "=>").nth(1);
        if let Some(target) = target.filter(|target| target.starts_with('.'))
            && let Some(beside) = places::within(&root, target)
            && !beside.starts_with(&context)
        {
            context = places::common(&context, &beside);
        }
    }
    Some(Module {
        path: module,
        language: language.map(|(version, _)| version),
        toolchain,
        context,
        requires: directives(&text, "require")
            .into_iter()
            .filter_map(|(words, _)| Some((words.first()?.clone(), words.get(1)?.clone())))
            .collect(),
        root,
        is_in_workspace,
    })
}

/// The words of every `name` directive, alone or in a block, with its line.
pub(crate) fn directives(text: &str, name: &str) -> Vec<(Vec<String>, u32)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let mut words: Vec<String> = line
            .split_whitespace()
            .map(|word| word.trim_matches('"').to_owned())
            .collect();
        if inside {
            inside = line != ")";
        } else if words.first().is_some_and(|first| first == name) {
            words.remove(0);
            inside = words.first().is_some_and(|word| word == "(");
            if inside {
                continue;
            }
        } else {
            continue;
        }
        if !words.is_empty() && line != ")" {
            found.push((words, index as u32 + 1));
        }
    }
    found
}

impl Module {
    /// The version that it requires of the module that an import belongs to.
    pub(super) fn version_of(&self, import: &str) -> Option<&str> {
        self.requires
            .iter()
            .filter(|(path, _)| import.starts_with(path.as_str()))
            .max_by_key(|(path, _)| path.len())
            .map(|(_, version)| version.trim_start_matches('v'))
    }

    /// What the program of a package is called: the last part of its directory, or of the module's path.
    pub(super) fn program(&self, directory: &Path) -> String {
        let below = directory.strip_prefix(&self.root).unwrap_or(directory);
        if let Some(last) = below.file_name().and_then(|name| name.to_str()) {
            return last.to_owned();
        }
        let is_version = |part: &str| {
            part.strip_prefix('v')
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
        };
        self.path
            .rsplit('/')
            .find(|part| !part.is_empty() && !is_version(part))
            .unwrap_or("program")
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_stand_alone_or_in_blocks() {
        let text = "module a.example/b // x\n\nrequire (\n\tc.example/d v1.2.3 // indirect\n)\nrequire e v2\n";
        let words = |name| -> Vec<String> {
            directives(text, name)
                .into_iter()
                .map(|(words, line)| format!("{} {line}", words.join(" ")))
                .collect()
        };
        assert_eq!(words("module"), ["a.example/b 1"]);
        assert_eq!(words("require"), ["c.example/d v1.2.3 4", "e v2 6"]);
        assert!(words("replace").is_empty());
    }
}
