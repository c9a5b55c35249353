//! The directory from which a file is imported, as the files around it show.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::places;
use crate::python::graph::{Modules, Target};
use crate::python::module::Moment;
use crate::python::standard::is_standard;

/// The directory from which the file at `path` is imported, and its dotted name from there.
pub(crate) fn import_root(
    modules: &Modules<'_>,
    path: &Path,
    candidates: &[PathBuf],
) -> (PathBuf, String) {
    let mut natural = path.parent().unwrap_or(Path::new("")).to_owned();
    let in_package = modules.tree.has_file(&natural.join("__init__.py"));
    // What imports by dots has as many names before its own, packages of files or not.
    let highest = above_dots(modules, path);
    if let Some(highest) = highest
        .as_ref()
        .filter(|highest| natural.starts_with(highest))
    {
        natural.clone_from(highest);
    }
    while modules.tree.has_file(&natural.join("__init__.py")) {
        let Some(above) = natural.parent() else { break };
        natural = above.to_owned();
    }
    let mut roots: Vec<PathBuf> = candidates
        .iter()
        .filter(|root| path.starts_with(root))
        .filter(|root| {
            highest
                .as_ref()
                .is_none_or(|highest| highest.starts_with(root))
        })
        .cloned()
        .collect();
    // The one that holds without evidence comes first.
    if in_package || roots.is_empty() {
        roots.insert(0, natural.clone());
    } else {
        // A root inside another one is the closer one.
        roots.sort_by_key(|root| std::cmp::Reverse(root.components().count()));
        roots.push(natural.clone());
    }
    let mut above = natural.parent();
    while let Some(directory) = above {
        roots.push(directory.to_owned());
        above = directory.parent();
    }
    let neighbours = path.parent().unwrap_or(Path::new(""));
    // A package whose files import each other as if they were none.
    if in_package
        && modules
            .get(path)
            .is_some_and(|module| module.imports.iter().all(|import| import.level == 0))
    {
        roots.push(neighbours.to_owned());
    }
    let mut tops: BTreeSet<String> = BTreeSet::new();
    for file in modules.tree.files_in(neighbours).take(60) {
        let python = file.path.extension().is_some_and(|end| end == "py");
        if !python || places::set_aside(&file.path).is_some() && *file.path != *path {
            continue;
        }
        // Parsing a whole directory to learn one file's place would cost more than it tells.
        let cheap = *file.path == *path || modules.adopted().files.contains(&file.path);
        if let Some(module) = cheap.then(|| modules.get(&file.path)).flatten() {
            let absolute = module
                .imports
                .iter()
                .filter(|import| import.level == 0 && modules.may_hold(&import.module));
            tops.extend(absolute.map(|import| {
                import
                    .module
                    .split('.')
                    .take(2)
                    .collect::<Vec<_>>()
                    .join(".")
            }));
        }
    }
    let score = |root: &Path| {
        // One package counts once, however many of its modules are imported.
        tops.iter()
            .filter_map(|top| {
                let first = top.split('.').next().unwrap_or_default();
                // A file is not what it imports itself, though it may have the name.
                let other = |name: &str| {
                    modules
                        .file_of(root, name)
                        .is_some_and(|file| file != *path)
                };
                let here = !is_standard(first)
                    && (other(top) || other(first) && (root != neighbours || !in_package));
                here.then_some(first)
            })
            .collect::<BTreeSet<_>>()
            .len()
    };
    let mut best = roots[0].clone();
    let mut best_score = score(&best);
    for root in &roots[1..] {
        let here = score(root);
        if here > best_score {
            best = root.clone();
            best_score = here;
        }
    }
    let dotted = dotted_name(path, &best);
    (best, dotted)
}

/// The lowest directory that a file can be imported from, where it imports by dots whenever it is imported and what it
/// imports is there.
fn above_dots(modules: &Modules<'_>, path: &Path) -> Option<PathBuf> {
    let module = modules.get(path)?;
    let by_dots = module.imports.iter().filter(|import| {
        let scope = &import.scope;
        import.level > 0 && scope.moment == Moment::Import && scope.is_top() && !scope.main
    });
    let there =
        by_dots.filter(|import| matches!(modules.resolve(&module, import, &[]), Target::Files(_)));
    let level = there.map(|import| import.level).max()?;
    path.ancestors().nth(level + 1).map(Path::to_owned)
}

/// The dotted name of the module at `path`, seen from `root`.
pub(crate) fn dotted_name(path: &Path, root: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path).with_extension("");
    let text = places::text(&relative).replace('/', ".");
    match text.strip_suffix(".__init__") {
        Some(package) => package.to_owned(),
        None => text,
    }
}
