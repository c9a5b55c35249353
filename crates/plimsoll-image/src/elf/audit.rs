//! The verdict about an image.

use std::collections::{BTreeMap, HashSet};

use super::object::machine_name;
use super::tree::{Placed, Tree};
use super::{Finding, Problem, Severity, part};
use crate::Digest;
use crate::oci::{Architecture, ImageConfig};
use crate::store::{ImageLayer, Store, StoreError};

/// Counts up with every change of the rules.
const RULES: u32 = 1;

/// Numbers of code that is for no processor of the machine: graphics, the kernel's own.
const ELSEWHERE: [u16; 3] = [190, 224, 247];

/// Looks at all ELF files of an image; the verdict is remembered.
pub(crate) fn audit(
    store: &Store,
    architecture: Architecture,
    config: &ImageConfig,
    layers: &[ImageLayer],
) -> Result<Vec<Finding>, StoreError> {
    let ids: Vec<Digest> = layers.iter().map(|entry| entry.layer.diff_id).collect();
    let names: Vec<String> = ids.iter().map(Digest::to_string).collect();
    let start = config.entrypoint.first().or(config.command.first());
    let variable = |name: &str| {
        let known = config.environment.iter().find(|(key, _)| key == name);
        known.map(|(_, value)| value.as_str())
    };
    let key = format!(
        "elf audit {RULES} for {architecture} of {} starting {start:?} with {:?} {:?}",
        names.join(" "),
        variable("PATH"),
        variable("LD_LIBRARY_PATH"),
    );
    if let Some(known) = store.recall(&key) {
        return Ok(known);
    }
    let facts = layers
        .iter()
        .map(|entry| part::of_layer(store, &entry.layer))
        .collect::<Result<_, _>>()?;
    let tree = Tree::new(facts);
    let loader = Loader {
        tree: &tree,
        machine: match architecture {
            Architecture::Amd64 => 62,
            Architecture::Arm64 => 183,
        },
        directories: directories(architecture, &tree, variable("LD_LIBRARY_PATH")),
    };
    let essential = start
        .and_then(|program| program_of(&tree, program, variable("PATH")))
        .map(|program| loader.closure(program))
        .unwrap_or_default();
    let mut grouped: BTreeMap<(Severity, Problem), Vec<&Placed>> = BTreeMap::new();
    for object in tree.objects() {
        for (problem, severity) in loader.problems(object, &essential) {
            grouped.entry((severity, problem)).or_default().push(object);
        }
    }
    let findings: Vec<Finding> = grouped
        .into_iter()
        .rev()
        .map(|((severity, problem), objects)| Finding {
            severity,
            path: format!("/{}", objects[0].facts.path),
            others: objects.len() - 1,
            layer: layers[objects[0].layer].created_by.clone(),
            problem,
        })
        .collect();
    store.remember(&key, &findings, &ids)?;
    Ok(findings)
}

fn directories(architecture: Architecture, tree: &Tree, variable: Option<&str>) -> Vec<String> {
    let triplet = format!("{}-linux-gnu", architecture.machine());
    let mut directories: Vec<String> = variable
        .into_iter()
        .flat_map(|list| list.split(':'))
        .filter(|directory| !directory.is_empty())
        .map(str::to_owned)
        .collect();
    directories.extend(tree.configured().iter().cloned());
    for root in ["/lib", "/usr/lib", "/usr/local/lib"] {
        directories.push(format!("{root}/{triplet}"));
        directories.push(root.to_owned());
    }
    directories.extend(["/lib64".to_owned(), "/usr/lib64".to_owned()]);
    directories
}

/// The ELF file that an image starts.
fn program_of<'t>(tree: &'t Tree, program: &str, path: Option<&str>) -> Option<&'t Placed> {
    if program.contains('/') {
        return tree.find(program);
    }
    let path = path.unwrap_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    path.split(':')
        .find_map(|directory| tree.find(&format!("{directory}/{program}")))
}

struct Loader<'t> {
    tree: &'t Tree,
    machine: u16,
    directories: Vec<String>,
}

impl<'t> Loader<'t> {
    fn problems(&self, object: &Placed, essential: &HashSet<&str>) -> Vec<(Problem, Severity)> {
        let facts = &object.facts;
        if !facts.loadable || ELSEWHERE.contains(&facts.machine) || is_sample(&facts.path) {
            return Vec::new();
        }
        if facts.machine != self.machine {
            if is_labelled(&facts.path, facts.machine) {
                return Vec::new();
            }
            let machine = machine_name(facts.machine);
            return vec![(Problem::WrongMachine { machine }, Severity::Error)];
        }
        // Packages that carry a build for another C library beside their own choose by name.
        if facts.path.contains("musl") {
            return Vec::new();
        }
        let severity = if essential.contains(facts.path.as_str()) {
            Severity::Error
        } else {
            Severity::Warning
        };
        let mut problems = Vec::new();
        for library in &facts.needed {
            // One that lies elsewhere may have been loaded before by whoever loads this one.
            if self.library(object, library).is_none() && !self.tree.is_anywhere(library) {
                let library = library.clone();
                problems.push((Problem::MissingLibrary { library }, severity));
            }
        }
        for (library, version) in &facts.requires {
            let Some(provider) = self.library(object, library) else {
                continue;
            };
            let provided = &provider.facts.provides;
            if !provided.is_empty() && !provided.contains(version) {
                problems.push((
                    Problem::MissingVersion {
                        library: library.clone(),
                        version: version.clone(),
                        newest: newest(provided, version),
                    },
                    severity,
                ));
            }
        }
        problems
    }

    /// The library that a file gets for a name.
    fn library(&self, object: &Placed, name: &str) -> Option<&'t Placed> {
        let fits = |path: String| {
            let found = self.tree.find(&path)?;
            (found.facts.machine == self.machine).then_some(found)
        };
        if name.contains('/') {
            return fits(name.to_owned());
        }
        let origin = match object.facts.path.rsplit_once('/') {
            Some((directory, _)) => format!("/{directory}"),
            None => "/".to_owned(),
        };
        let own = object.facts.search.iter().map(|directory| {
            directory
                .replace("${ORIGIN}", &origin)
                .replace("$ORIGIN", &origin)
        });
        own.chain(self.directories.iter().cloned())
            .find_map(|directory| fits(format!("{directory}/{name}")))
    }

    /// The paths of a program and of every library that is loaded with it.
    fn closure(&self, program: &'t Placed) -> HashSet<&'t str> {
        let mut seen = HashSet::new();
        let mut left = vec![program];
        while let Some(object) = left.pop() {
            if seen.insert(object.facts.path.as_str()) {
                let needed = object.facts.needed.iter();
                left.extend(needed.filter_map(|name| self.library(object, name)));
            }
        }
        seen
    }
}

/// The newest version of the same kind: of `GLIBC_2.36` and `GLIBC_2.4` the former.
fn newest(provided: &[String], wanted: &str) -> Option<String> {
    let (kind, _) = wanted.rsplit_once('_')?;
    let numbers = |version: &str| -> Option<Vec<u64>> {
        let rest = version.strip_prefix(kind)?.strip_prefix('_')?;
        rest.split('.').map(|part| part.parse().ok()).collect()
    };
    provided
        .iter()
        .filter_map(|version| Some((numbers(version)?, version)))
        .max()
        .map(|(_, version)| version.clone())
}

/// Files that only show what files look like.
fn is_sample(path: &str) -> bool {
    path.split('/')
        .any(|part| matches!(part, "test" | "tests" | "testdata" | "fixtures"))
}

/// Whether the path says for which processor the file is: packages that carry builds for several
/// choose one by such a name.
fn is_labelled(path: &str, machine: u16) -> bool {
    let labels: &[&str] = match machine {
        62 => &["x64", "x86_64", "amd64"],
        183 => &["arm64", "aarch64"],
        3 => &["x86", "i386", "i686", "ia32", "x32"],
        40 => &["arm", "armv6", "armv7", "armhf", "armv7l"],
        8 => &["mips", "mipsel", "mips64el"],
        20 | 21 => &["ppc64", "ppc64le", "powerpc"],
        22 => &["s390x"],
        243 => &["riscv64"],
        258 => &["loong64", "loongarch64"],
        _ => &[],
    };
    let path = path.to_ascii_lowercase();
    // `x86_64` is one word.
    let words = path.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .flat_map(|word| [word].into_iter().chain(word.split('_')))
        .any(|word| labels.contains(&word))
}
