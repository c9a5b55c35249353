//! The standard library's bytecode: a layer of its own, made once for each interpreter.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::PythonError;
use super::install;
use super::interpreter::Interpreter;
use super::uv::{BUILD_USER, Uv};
use crate::layer::{Attributes, Content, FileSet, Node};

/// Parts of the library that no service imports.
const LEFT_OUT: &[&str] = &["test", "idlelib", "turtledemo", "lib2to3", "ensurepip"];

/// Compiles the library found in the image's trees; `None` when it has none. What steps run in has
/// the same modules, but for those that describe the processor: these stay as they are.
pub(super) fn compiled(
    uv: &Uv<'_>,
    image: &[PathBuf],
    interpreter: &Interpreter,
    work: &Path,
    out: &Path,
) -> Result<Option<FileSet>, PythonError> {
    let library = format!("usr/lib/python{}", interpreter.minor);
    let mut modules = Vec::new();
    for tree in uv.root {
        collect(&tree.join(&library), &format!("/{library}"), &mut modules)?;
    }
    modules.sort();
    modules.dedup();
    let found = |trees: &[PathBuf], module: &str| {
        let below = module.trim_start_matches('/');
        trees
            .iter()
            .rev()
            .find_map(|tree| fs::read(tree.join(below)).ok())
    };
    modules.retain(|module| found(uv.root, module) == found(image, module));
    if modules.is_empty() {
        return Ok(None);
    }
    // The compiler writes below directories that stand ready.
    for module in &modules {
        if let Some((directory, _)) = module.rsplit_once('/') {
            fs::create_dir_all(out.join(directory.trim_start_matches('/')))?;
        }
    }
    crate::step::scratch::give(out, BUILD_USER)?;
    install::compile_library(uv, &modules, interpreter, work, out)?;
    let mut set = FileSet::new();
    pack(out, "", &mut set)?;
    Ok((!set.is_empty()).then_some(set))
}

fn collect(directory: &Path, shown: &str, modules: &mut Vec<String>) -> Result<(), PythonError> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{shown}/{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() && !LEFT_OUT.contains(&name.as_str()) && name != "__pycache__" {
            collect(&entry.path(), &path, modules)?;
        } else if kind.is_file() && name.ends_with(".py") {
            modules.push(path);
        }
    }
    Ok(())
}

fn pack(directory: &Path, prefix: &str, set: &mut FileSet) -> Result<(), PythonError> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let relative = format!("{prefix}{name}");
        if path.is_dir() {
            pack(&path, &format!("{relative}/"), set)?;
        } else if relative.ends_with(".pyc") {
            set.insert(&relative, Node::File(Attributes::FILE, Content::File(path)))?;
        }
    }
    Ok(())
}
