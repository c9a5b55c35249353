//! Which build backends are known to copy what they are given, and what else they read of it.
//!
//! A backend may run anything. Of the six below, with no settings but those that choose files by
//! their paths or strip a directory from these, two things are known: a file of the wheel outside
//! `.dist-info` is a copy of the source whose path ends like its own, and of a source that is
//! copied nothing shows elsewhere, unless the manifest names the file, or it is one of those that
//! the backend takes a version or a description from. Whatever else a manifest says, another backend, and
//! one more requirement of the build (backends load plug-ins that lie beside them) is refused.

mod settings;

use std::collections::BTreeSet;

use fs_err as fs;

use self::settings::{only, table, texts};
use crate::application::{Application, SourceKind};
use crate::python::pinned::normalised;

/// Why it is not known what a backend does.
pub(super) type Refusal = String;

/// Files that backends read by their names, wherever they are.
const MANIFESTS: [&str; 7] = [
    "MANIFEST.in",
    "hatch.toml",
    "hatch_build.py",
    "pdm_build.py",
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
];

/// A directory that is a distribution.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    application: &'a Application,
    directory: &'a str,
}

/// What a backend reads besides copying it: ends of paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reads(BTreeSet<String>);

impl Reads {
    /// Whether what a source holds may show elsewhere than in its copy.
    pub(super) fn includes(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.starts_with('.')
            || MANIFESTS.contains(&name)
            || self.0.iter().any(|end| ends_with(path, end))
    }

    /// Adds what another backend reads.
    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Every text of a table may be the path of a file.
    fn named_in(&mut self, value: &toml::Value) {
        match value {
            toml::Value::String(text) => {
                let parts = text
                    .split('/')
                    .filter(|part| !matches!(*part, "" | "." | ".."));
                let path = parts.collect::<Vec<_>>().join("/");
                if !path.is_empty() {
                    self.0.insert(path);
                }
            }
            toml::Value::Array(values) => values.iter().for_each(|value| self.named_in(value)),
            toml::Value::Table(table) => table.values().for_each(|value| self.named_in(value)),
            _ => {}
        }
    }
}

/// Whether a path is `end`, or ends with it after a `/`.
pub(super) fn ends_with(path: &str, end: &str) -> bool {
    path.strip_suffix(end)
        .is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// A backend, the one distribution that it comes from, and what is known of its settings.
struct Known {
    backend: &'static str,
    requires: &'static [&'static str],
    /// Its own table below `tool`.
    table: &'static str,
    reads: fn(Member<'_>, &toml::Table, &Statement<'_>) -> Result<Reads, Refusal>,
}

const KNOWN: [Known; 6] = [
    Known {
        backend: "hatchling.build",
        requires: &["hatchling"],
        table: "hatch",
        reads: settings::hatchling,
    },
    Known {
        backend: "setuptools.build_meta",
        requires: &["setuptools", "wheel"],
        table: "setuptools",
        reads: settings::setuptools,
    },
    Known {
        backend: "flit_core.buildapi",
        requires: &["flit-core"],
        table: "flit",
        reads: settings::flit,
    },
    Known {
        backend: "poetry.core.masonry.api",
        requires: &["poetry-core"],
        table: "poetry",
        reads: settings::poetry,
    },
    Known {
        backend: "pdm.backend",
        requires: &["pdm-backend"],
        table: "pdm",
        reads: settings::pdm,
    },
    Known {
        backend: "uv_build",
        requires: &["uv-build"],
        table: "uv",
        reads: settings::uv,
    },
];

/// What `[project]` leaves to the backend.
struct Statement<'d> {
    dynamic: Vec<&'d str>,
}

impl Statement<'_> {
    /// Refuses fields that are left open beyond these.
    fn leaves_only(&self, fields: &[&str]) -> Result<(), Refusal> {
        match self.dynamic.iter().find(|field| !fields.contains(field)) {
            Some(field) => Err(format!("`{field}` is dynamic")),
            None => Ok(()),
        }
    }
}

impl<'a> Member<'a> {
    pub(super) fn new(application: &'a Application, directory: &'a str) -> Self {
        let inside = directory.trim_start_matches("./").trim_matches('/');
        Self {
            application,
            directory: match inside {
                "." => "",
                inside => inside,
            },
        }
    }

    fn place(&self, name: &str) -> String {
        match self.directory {
            "" => name.to_string(),
            directory => format!("{directory}/{name}"),
        }
    }

    /// What a file of it says.
    fn text(&self, name: &str) -> Option<String> {
        let path = self.place(name);
        let files = self.application.files();
        let at = files.binary_search_by(|file| file.path.as_str().cmp(&path));
        let file = files.get(at.ok()?)?;
        match file.kind {
            SourceKind::File { .. } => fs::read_to_string(self.application.place(file)).ok(),
            SourceKind::Symlink { .. } => None,
        }
    }

    /// Refuses what has a file or directory of this name.
    fn lacks(&self, name: &str) -> Result<(), Refusal> {
        let path = self.place(name);
        let below = format!("{path}/");
        let mut files = self.application.files().iter();
        match files.any(|file| file.path == path || file.path.starts_with(&below)) {
            true => Err(format!("`{path}` is there")),
            false => Ok(()),
        }
    }

    /// What its backend reads besides copying files.
    pub(super) fn reads(self) -> Result<Reads, Refusal> {
        let text = self.text("pyproject.toml").ok_or("it has no manifest")?;
        let document: toml::Table = text.parse().map_err(|_| "its manifest is no TOML")?;
        let empty = toml::Table::new();
        let system = table(&document, "build-system").unwrap_or(&empty);
        only(system, &["requires", "build-backend"])?;
        let backend = system.get("build-backend").and_then(toml::Value::as_str);
        let known = KNOWN
            .iter()
            .find(|known| Some(known.backend) == backend)
            .ok_or("its backend is not known")?;
        for requirement in texts(system.get("requires"))? {
            let end = requirement.find(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)));
            let (name, rest) = requirement.split_at(end.unwrap_or(requirement.len()));
            if !known.requires.contains(&normalised(name).as_str()) || rest.contains(['@', '[']) {
                return Err(format!("its build requires `{requirement}`"));
            }
        }
        let project = table(&document, "project").unwrap_or(&empty);
        let statement = Statement {
            dynamic: texts(project.get("dynamic"))?,
        };
        let own = table(&document, "tool")
            .and_then(|tools| table(tools, known.table))
            .unwrap_or(&empty);
        let mut reads = (known.reads)(self, own, &statement)?;
        for value in project.values().chain(own.values()) {
            reads.named_in(value);
        }
        Ok(reads)
    }

    /// Refuses a module that does not state `name` once, as a plain text at its outermost level,
    /// because a backend would run it, and with it all that it imports. Gives where it may be.
    fn stated(&self, module: &str, name: &str) -> Result<[String; 2], Refusal> {
        let path = module.replace('.', "/");
        let ends = [format!("{path}.py"), format!("{path}/__init__.py")];
        let mut found = false;
        for file in self.application.files() {
            if ends.iter().any(|end| ends_with(&file.path, end)) {
                let text = fs::read_to_string(self.application.place(file)).unwrap_or_default();
                if !states(&text, name) {
                    return Err(format!("`{}` computes `{name}`", file.path));
                }
                found = true;
            }
        }
        match found {
            true => Ok(ends),
            false => Err(format!("`{module}` is not found")),
        }
    }
}

/// Whether a module states `name` once, as a plain text.
fn states(text: &str, name: &str) -> bool {
    let mut before = 0;
    let mut stated = Vec::new();
    for line in text.split_inclusive('\n') {
        let rest = line.strip_prefix(name).map(str::trim_start);
        if let Some(rest) = rest
            && rest.starts_with(['=', ':', ','])
        {
            let quotes = |mark| text[..before].matches(mark).count();
            let is_outside = (quotes("\"\"\"") + quotes("'''")) % 2 == 0;
            stated.push(is_outside && rest.strip_prefix('=').is_some_and(is_plain_text));
        }
        before += line.len();
    }
    stated == [true]
}

/// Whether a value is one short text without escapes, and nothing after it.
fn is_plain_text(value: &str) -> bool {
    let value = value.trim();
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return false;
    };
    let Some((inside, after)) = value[1..].split_once(quote) else {
        return false;
    };
    let after = after.trim_start();
    !inside.is_empty() && !inside.contains('\\') && (after.is_empty() || after.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::Purpose;

    fn reads(files: &[(&str, &str)]) -> Result<Reads, Refusal> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join("context").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let context = root.path().join("context");
        let application =
            Application::look(&context, Purpose::Image, &root.path().join("cache")).unwrap();
        Member::new(&application, "").reads()
    }

    fn manifest(backend: &str, requires: &str, more: &str) -> String {
        format!(
            "[build-system]\nbuild-backend = '{backend}'\nrequires = [{requires}]\n\
             [project]\nname = 'a-b'\n{more}"
        )
    }

    const BACKENDS: [(&str, &str); 6] = [
        ("hatchling.build", "'hatchling>=1.20'"),
        ("setuptools.build_meta", "'setuptools>=61', 'wheel'"),
        ("flit_core.buildapi", "'flit_core >=3.2,<4'"),
        ("poetry.core.masonry.api", "'poetry-core>=2'"),
        ("pdm.backend", "'pdm-backend'"),
        ("uv_build", "'uv_build>=0.9,<0.10'"),
    ];

    #[test]
    fn a_directory_keeps_the_dot_of_its_name() {
        let root = tempfile::tempdir().unwrap();
        let application =
            Application::look(root.path(), Purpose::Image, &root.path().join("cache")).unwrap();
        for (said, place) in [
            ("", "setup.py"),
            (".", "setup.py"),
            ("./", "setup.py"),
            ("./a/", "a/setup.py"),
            (".agents/x", ".agents/x/setup.py"),
        ] {
            assert_eq!(Member::new(&application, said).place("setup.py"), place);
        }
    }

    #[test]
    fn plain_projects_of_six_backends_are_known() {
        for (backend, requires) in BACKENDS {
            let text = manifest(
                backend,
                requires,
                "version = '1'\nreadme = './docs/READ.md'\n",
            );
            let reads = reads(&[("pyproject.toml", &text)]).unwrap();
            assert!(reads.includes("docs/READ.md"), "{backend}");
            assert!(reads.includes("a_b/.gitignore") && reads.includes("a_b/setup.py"));
            assert!(!reads.includes("a_b/main.py"), "{backend}");
        }
    }

    #[test]
    fn what_may_do_more_than_copy_is_refused() {
        for (backend, requires) in BACKENDS {
            let one_more = format!("{requires}, 'another'");
            for text in [
                manifest(backend, &one_more, "version = '1'\n"),
                manifest(backend, requires, "dynamic = ['version']\n"),
                manifest(backend, requires, "version = '1'\n")
                    .replace("[project]", "backend-path = ['.']\n[project]"),
                manifest("own.build", requires, ""),
            ] {
                let is_poetry = backend.starts_with("poetry") && text.contains("dynamic");
                let read = reads(&[("pyproject.toml", &text)]);
                assert_eq!(read.is_ok(), is_poetry, "{text}");
            }
        }
        for (index, settings) in [
            (0, "[tool.hatch.build.hooks.custom]\n"),
            (
                0,
                "[tool.hatch.build.targets.wheel.force-include]\na = 'b'\n",
            ),
            (0, "[tool.hatch.build.targets.wheel]\nsources = ['src']\n"),
            (0, "[tool.hatch.metadata.hooks.custom]\n"),
            (0, "[tool.hatch.version]\nsource = 'vcs'\n"),
            (1, "[tool.setuptools]\next-modules = []\n"),
            (1, "[tool.setuptools.package-dir]\na = 'b'\n"),
            (1, "[tool.setuptools.cmdclass]\nbuild_py = 'a.b'\n"),
            (2, "[tool.flit.external-data]\ndirectory = 'data'\n"),
            (3, "[tool.poetry.build]\nscript = 'build.py'\n"),
            (3, "[[tool.poetry.packages]]\ninclude = 'a'\nto = 'b'\n"),
            (
                3,
                "[tool.poetry.scripts]\na = { reference = 'a.sh', type = 'file' }\n",
            ),
            (4, "[tool.pdm.build]\nrun-setuptools = true\n"),
            (4, "[tool.pdm.version]\nsource = 'scm'\n"),
            (5, "[tool.uv.build-backend.data]\nscripts = 'bin'\n"),
        ] {
            let (backend, requires) = BACKENDS[index];
            let text = manifest(backend, requires, &format!("version = '1'\n{settings}"));
            assert!(reads(&[("pyproject.toml", &text)]).is_err(), "{text}");
        }
        for (index, file) in [
            (0, "hatch.toml"),
            (1, "setup.py"),
            (1, "setup.cfg"),
            (1, "build/lib/a_b/main.py"),
            (4, "pdm_build.py"),
        ] {
            let (backend, requires) = BACKENDS[index];
            let text = manifest(backend, requires, "version = '1'\n");
            let found = reads(&[("pyproject.toml", &text), (file, "")]);
            assert!(found.unwrap_err().contains("is there"), "{file}");
        }
    }

    #[test]
    fn a_version_that_a_module_states_ties_that_module_alone() {
        let dynamic = "dynamic = ['version']\n";
        for (index, settings, module) in [
            (
                0,
                "[tool.hatch.version]\npath = 'src/a_b/about.py'\n",
                "src/a_b/about.py",
            ),
            (
                1,
                "[tool.setuptools.dynamic]\nversion = {attr = 'a_b.about.__version__'}\n",
                "src/a_b/about.py",
            ),
            (
                1,
                "[tool.setuptools.dynamic]\nversion = {file = 'src/a_b/VERSION'}\n",
                "src/a_b/VERSION",
            ),
            (2, "", "a_b/__init__.py"),
            (
                4,
                "[tool.pdm.version]\nsource = 'file'\npath = 'a_b/about.py'\n",
                "a_b/about.py",
            ),
        ] {
            let (backend, requires) = BACKENDS[index];
            let text = manifest(backend, requires, &format!("{dynamic}{settings}"));
            let files = |version| [("pyproject.toml", text.as_str()), (module, version)];
            let found = reads(&files("\"\"\"A.\"\"\"\n__version__ = '1'  # now\n")).unwrap();
            assert!(found.includes(module), "{text}");
            assert!(!found.includes("src/a_b/main.py"), "{text}");
            // It would be imported, and with it what it imports.
            if settings.contains("attr") || index == 2 {
                assert!(reads(&files("from .other import __version__\n")).is_err());
                assert!(reads(&files("__version__ = compute()\n")).is_err());
                assert!(reads(&files("'''\n__version__ = '1'\n'''\n")).is_err());
            }
        }
    }
}
