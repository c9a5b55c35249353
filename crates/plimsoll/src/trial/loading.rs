//! What a program loaded: modules that its interpreter imported, and shared libraries.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use plimsoll_detect::Loads;
use plimsoll_run::container::ContainerSpec;
use plimsoll_run::stack::ServiceImage;

/// Has Python tell on standard error what it imports (`python -X importtime`).
pub(super) const TELL_IMPORTS: &str = "PYTHONPROFILEIMPORTTIME";

/// How a line about an import begins.
const IMPORT: &str = "import time:";

/// Libraries that every program loads.
const EVERYWHERE: &[&str] = &[
    "libc.so",
    "libm.so",
    "libdl.so",
    "libpthread.so",
    "librt.so",
    "libutil.so",
    "libgcc_s.so",
];

/// The lines of a log without those about imports, and the modules that those name.
pub(super) fn separate(lines: Vec<String>) -> (Vec<String>, BTreeSet<String>) {
    let mut modules = BTreeSet::new();
    let mut others = Vec::new();
    for line in lines {
        match line.split_once(IMPORT) {
            Some((before, rest)) => {
                if let Some(module) = rest.rsplit('|').next().map(str::trim)
                    && rest.contains('|')
                    && module != "imported package"
                {
                    modules.insert(module.to_owned());
                }
                // A line without an end may stand before it.
                if !before.trim().is_empty() {
                    others.push(before.to_owned());
                }
            }
            None => others.push(line),
        }
    }
    (others, modules)
}

/// Where modules lie in an image.
pub(super) struct Places {
    own: Vec<PathBuf>,
    installed: Vec<PathBuf>,
}

impl Places {
    /// In the image of a container.
    pub(super) fn of_container(spec: &ContainerSpec) -> Self {
        Self::new(&spec.layers, &spec.environment, &spec.working_dir)
    }

    /// In an image that is run as it is.
    pub(super) fn of_image(image: &ServiceImage) -> Self {
        let defaults = &image.defaults;
        let directory = defaults.working_dir.as_deref().unwrap_or(Path::new("/"));
        Self::new(&image.layers, &defaults.environment, directory)
    }

    fn new(layers: &[PathBuf], environment: &[(String, String)], directory: &Path) -> Self {
        let searched = environment
            .iter()
            .filter(|(name, _)| name == "PYTHONPATH")
            .flat_map(|(_, value)| value.split(':'))
            .map(Path::new);
        let inside: Vec<&Path> = searched.chain([directory]).collect();
        let within = |layer: &PathBuf| -> Vec<PathBuf> {
            let paths = inside.iter();
            paths
                .map(|path| layer.join(path.strip_prefix("/").unwrap_or(path)))
                .collect()
        };
        Self {
            own: layers.iter().flat_map(within).collect(),
            installed: layers
                .iter()
                .flat_map(|layer| installations(layer))
                .collect(),
        }
    }
}

/// What the modules and libraries are to the project.
pub(super) fn loads(
    modules: &BTreeSet<String>,
    process: Option<i32>,
    places: Option<&Places>,
) -> Loads {
    let tops: BTreeSet<&str> = modules
        .iter()
        .filter_map(|module| module.split('.').next())
        .collect();
    let mut loads = Loads {
        modules: modules.len(),
        libraries: process.map(libraries).unwrap_or_default(),
        ..Loads::default()
    };
    let Some(places) = places else {
        return loads;
    };
    for top in tops {
        if is_in(&places.own, top) {
            loads.own.push(top.to_owned());
        } else if is_in(&places.installed, top) {
            loads.installed.push(top.to_owned());
        }
    }
    loads
}

/// Directories of a layer where distributions are installed.
fn installations(layer: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for parent in ["app/.venv/lib", "usr/local/lib", "usr/lib"] {
        let Ok(entries) = fs_err::read_dir(layer.join(parent)) else {
            continue;
        };
        for entry in entries.filter_map(Result::ok) {
            if entry.file_name().to_string_lossy().starts_with("python") {
                found.push(entry.path().join("site-packages"));
                found.push(entry.path().join("dist-packages"));
            }
        }
    }
    found
}

fn is_in(places: &[PathBuf], module: &str) -> bool {
    places
        .iter()
        .any(|place| place.join(module).is_dir() || place.join(format!("{module}.py")).is_file())
}

/// The shared libraries that a process has mapped, but for those of every program and those that
/// belong to a module.
fn libraries(process: i32) -> Vec<String> {
    let text = fs_err::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
    let mut names: Vec<String> = text
        .lines()
        .filter_map(library)
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The library that a line of `/proc/PID/maps` (proc_pid_maps(5)) names.
fn library(line: &str) -> Option<&str> {
    let path = line.split_whitespace().nth(5)?;
    let is_of_a_module = [
        "site-packages",
        "dist-packages",
        "lib-dynload",
        "node_modules",
    ]
    .iter()
    .any(|part| path.contains(part));
    let name = Path::new(path).file_name()?.to_str()?;
    let everywhere = EVERYWHERE.iter().any(|known| name.starts_with(known));
    (name.starts_with("lib") && name.contains(".so") && !is_of_a_module && !everywhere)
        .then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_imported_is_no_part_of_the_log() {
        let lines = [
            "import time: self [us] | cumulative | imported package",
            "import time:       152 |        152 |   encodings.aliases",
            "starting",
            "half a lineimport time:        90 |         90 | desk.main",
        ];
        let (others, modules) = separate(lines.map(str::to_owned).to_vec());
        assert_eq!(others, ["starting", "half a line"]);
        let modules: Vec<_> = modules.into_iter().collect();
        assert_eq!(modules, ["desk.main", "encodings.aliases"]);
    }

    #[test]
    fn modules_are_the_projects_or_installed() {
        let layer = tempfile::tempdir().unwrap();
        let site = layer.path().join("app/.venv/lib/python3.13/site-packages");
        fs_err::create_dir_all(site.join("fastapi")).unwrap();
        fs_err::create_dir_all(layer.path().join("app/src/desk")).unwrap();
        fs_err::write(layer.path().join("app/main.py"), "").unwrap();
        let path = [("PYTHONPATH".to_owned(), "/app/src".to_owned())];
        let places = Places::new(&[layer.path().to_owned()], &path, Path::new("/app"));
        let modules = ["main", "desk.api", "desk", "fastapi.routing", "json"];
        let modules = modules.map(str::to_owned).into();
        let loads = loads(&modules, None, Some(&places));
        assert_eq!(loads.own, ["desk", "main"]);
        assert_eq!(loads.installed, ["fastapi"]);
        assert_eq!(loads.modules, 5);
    }

    #[test]
    fn libraries_of_the_image_are_named() {
        let of = |path: &str| {
            let line = format!("7f00-7f01 r-xp 00000000 08:01 42 {path}");
            library(&line).map(str::to_owned)
        };
        assert_eq!(
            of("/usr/lib/x86_64-linux-gnu/libpq.so.5").as_deref(),
            Some("libpq.so.5")
        );
        assert_eq!(of("/usr/lib/x86_64-linux-gnu/libc.so.6"), None);
        assert_eq!(
            of("/app/.venv/lib/python3.13/site-packages/x/libx.so"),
            None
        );
        assert_eq!(of("[heap]"), None);
    }
}
