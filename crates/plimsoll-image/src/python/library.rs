//! The standard library's bytecode: a layer of its own, made once for each interpreter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::PythonError;
use super::bytecode::{self, Module};
use super::interpreter::Interpreter;
use super::uv::Uv;
use crate::layer::{Attributes, FileSet};

/// Parts of the library that no service imports.
const LEFT_OUT: &[&str] = &["test", "idlelib", "turtledemo", "lib2to3", "ensurepip"];

/// Compiles the library found in the image's trees; `None` when it has none. What steps run in has
/// the same modules, but for those that describe the processor: these stay as they are.
pub(super) fn compiled(
    uv: &Uv<'_>,
    image: &[PathBuf],
    interpreter: &Interpreter,
    work: &Path,
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
    let texts: Vec<(String, Vec<u8>)> = modules
        .into_iter()
        .filter_map(|module| Some((found(uv.root, &module)?, module)))
        .map(|(text, module)| (module, text))
        .collect();
    // A process for each directory.
    let directory = |path: &str| {
        path.rsplit_once('/')
            .map_or("", |(place, _)| place)
            .to_string()
    };
    let mut groups: BTreeMap<String, Vec<Module<'_>>> = BTreeMap::new();
    for (path, source) in &texts {
        groups.entry(directory(path)).or_default().push(Module {
            path: path.clone(),
            source,
        });
    }
    let groups: Vec<Vec<Module<'_>>> = groups.into_values().collect();
    let mut set = FileSet::new();
    for group in bytecode::compile(uv, &groups, interpreter, work)? {
        for (path, bytes) in group {
            set.file(path.trim_start_matches('/'), Attributes::FILE, bytes)?;
        }
    }
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
