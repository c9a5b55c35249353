//! The Python package index, as uv and pip are configured to use it.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::credentials::with_credentials;
use super::files::{ini_value, read, uv_default_index};
use super::{ClientSettings, PackageFiles, RegistryUrl, Search, UnknownRegistry};

/// Where Python packages come from.
#[derive(Debug, Clone)]
pub struct PythonIndex {
    /// The address of the simple index: `<it>/<name>/` lists a project's files.
    pub url: RegistryUrl,
    /// Further indexes, as one value of `UV_EXTRA_INDEX_URL`.
    pub extra: Option<String>,
    /// What stated the address, for messages.
    pub found_in: String,
}

/// Path of the module that states pip's default, below a directory of Python packages.
const PIP_DEFAULT: &str = "pip/_internal/models/index.py";

impl PythonIndex {
    /// Finds the index.
    ///
    /// # Errors
    /// When no place states an address.
    pub fn locate(
        settings: &ClientSettings,
        packages: &dyn PackageFiles,
    ) -> Result<Self, UnknownRegistry> {
        let mut search = Search::new("Python package index", "UV_DEFAULT_INDEX");
        for name in ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"] {
            search.ask(name, || {
                let value = settings.variable(name).ok_or("unset")?;
                Ok(unnamed(value).to_string())
            });
        }
        for path in uv_files(settings) {
            search.ask(&path.display().to_string(), || {
                uv_default_index(&read(&path)?).ok_or_else(|| "names no index".to_string())
            });
        }
        for path in pip_files(settings) {
            search.ask(&path.display().to_string(), || {
                pip_value(&read(&path)?, "index-url").ok_or_else(|| "names no index".to_string())
            });
        }
        if !search.is_answered() {
            search.ask("an installed pip", || {
                installed_pip(settings)
                    .iter()
                    .find_map(|path| pip_default(&read(path).ok()?))
                    .ok_or_else(|| "there is none".to_string())
            });
        }
        search.ask("Debian's python3-pip", || {
            let file = packages.file_of("python3-pip", &[PIP_DEFAULT])?;
            pip_default(&String::from_utf8_lossy(&file))
                .ok_or_else(|| "it states no index".to_string())
        });
        let (url, found_in) = search.finish()?;
        // `NAME=URL`: the name is what variables with its credentials call it.
        let name = settings
            .variable("UV_DEFAULT_INDEX")
            .and_then(|value| name_of(value));
        let whole = with_credentials(settings, name, url.expose());
        Ok(Self {
            url: RegistryUrl::new(&whole).unwrap_or(url),
            extra: extra_indexes(settings),
            found_in,
        })
    }

    /// Variables that make uv use this index and no configuration file of the machine.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let mut variables = vec![(
            "UV_DEFAULT_INDEX".to_string(),
            self.url.expose().to_string(),
        )];
        if let Some(extra) = &self.extra {
            variables.push(("UV_EXTRA_INDEX_URL".to_string(), extra.clone()));
        }
        variables
    }
}

/// The name in `name=address`.
fn name_of(value: &str) -> Option<&str> {
    let (name, _) = value.split_once('=')?;
    (!name.contains([':', '/'])).then_some(name)
}

/// uv allows `name=address`.
fn unnamed(value: &str) -> &str {
    match value.split_once('=') {
        Some((name, address)) if !name.contains([':', '/']) => address,
        _ => value,
    }
}

fn extra_indexes(settings: &ClientSettings) -> Option<String> {
    let from_variable = ["UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL"]
        .iter()
        .find_map(|name| settings.variable(name));
    let value = match from_variable {
        Some(value) => value.to_string(),
        None => pip_files(settings)
            .iter()
            .find_map(|path| pip_value(&read(path).ok()?, "extra-index-url"))?,
    };
    let addresses: Vec<String> = value
        .split_whitespace()
        .map(|value| with_credentials(settings, name_of(value), unnamed(value)))
        .collect();
    Some(addresses.join(" "))
}

fn configuration_home(settings: &ClientSettings) -> Option<PathBuf> {
    let named = settings.variable("XDG_CONFIG_HOME").map(PathBuf::from);
    named.or_else(|| Some(settings.home.as_ref()?.join(".config")))
}

pub(super) fn uv_files(settings: &ClientSettings) -> Vec<PathBuf> {
    let named = settings.variable("UV_CONFIG_FILE").map(PathBuf::from);
    let project = settings.project.as_ref().map(|path| path.join("uv.toml"));
    let user = configuration_home(settings).map(|path| path.join("uv/uv.toml"));
    let system = settings.system_path("etc/uv/uv.toml");
    [named, project, user, Some(system)]
        .into_iter()
        .flatten()
        .collect()
}

pub(super) fn pip_files(settings: &ClientSettings) -> Vec<PathBuf> {
    let named = settings.variable("PIP_CONFIG_FILE").map(PathBuf::from);
    let environment = settings
        .variable("VIRTUAL_ENV")
        .map(|path| Path::new(path).join("pip.conf"));
    let user = configuration_home(settings).map(|path| path.join("pip/pip.conf"));
    let old = settings
        .home
        .as_ref()
        .map(|path| path.join(".pip/pip.conf"));
    let system = settings.system_path("etc/pip.conf");
    let xdg = settings.system_path("etc/xdg/pip/pip.conf");
    [named, environment, user, old, Some(system), Some(xdg)]
        .into_iter()
        .flatten()
        .collect()
}

fn pip_value(text: &str, key: &str) -> Option<String> {
    ["install", "global"]
        .iter()
        .find_map(|section| ini_value(text, Some(section), key))
}

/// Modules of installed pips that state its default, the system's first.
fn installed_pip(settings: &ClientSettings) -> Vec<PathBuf> {
    let mut libraries = vec![
        settings.system_path("usr/lib"),
        settings.system_path("usr/local/lib"),
    ];
    let mut prefixes = Vec::new();
    prefixes.extend(settings.variable("VIRTUAL_ENV").map(PathBuf::from));
    if let Some(home) = &settings.home {
        prefixes.push(home.join(".local"));
        prefixes.extend(entries(&home.join(".pyenv/versions")));
        prefixes.extend(entries(&home.join(".local/share/uv/python")));
    }
    prefixes.extend(entries(&settings.system_path("opt")));
    libraries.extend(prefixes.into_iter().map(|prefix| prefix.join("lib")));
    libraries
        .iter()
        .flat_map(|library| entries(library))
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("python"))
        })
        .flat_map(|python| {
            ["dist-packages", "site-packages"].map(|name| python.join(name).join(PIP_DEFAULT))
        })
        .filter(|path| path.is_file())
        .collect()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    found.sort();
    found
}

/// The simple index below the address that pip's `PyPI` constant is made with.
fn pip_default(module: &str) -> Option<String> {
    let line = module.find("\nPyPI = ")?;
    let call = &module[line..];
    let quote = call.find(['"', '\''])?;
    let mark = call[quote..].chars().next()?;
    let rest = &call[quote + 1..];
    let address = &rest[..rest.find(mark)?];
    Some(format!("{}/simple", address.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::super::NoPackages;
    use super::*;
    use std::collections::BTreeMap;

    struct OnePackage(&'static str);

    impl PackageFiles for OnePackage {
        fn file_of(&self, package: &str, suffixes: &[&str]) -> Result<Vec<u8>, String> {
            assert_eq!((package, suffixes), ("python3-pip", &[PIP_DEFAULT][..]));
            Ok(self.0.as_bytes().to_vec())
        }
    }

    fn bare(system: &Path) -> ClientSettings {
        ClientSettings {
            system: system.to_path_buf(),
            home: Some(system.join("home")),
            ..ClientSettings::default()
        }
    }

    #[test]
    fn a_variable_beats_a_file_and_a_file_beats_an_installed_pip() {
        let root = tempfile::tempdir().unwrap();
        let module = root
            .path()
            .join("usr/lib/python3/dist-packages")
            .join(PIP_DEFAULT);
        fs::create_dir_all(module.parent().unwrap()).unwrap();
        let text = "\nclass PackageIndex: pass\n\nPyPI = PackageIndex(\n    \
                    'https://default.example/', file_storage_domain='x')\n";
        fs::write(&module, text).unwrap();
        let mut settings = bare(root.path());
        let locate = |settings: &ClientSettings| {
            let index = PythonIndex::locate(settings, &NoPackages).unwrap();
            (index.url.expose().to_string(), index.found_in)
        };
        let (url, place) = locate(&settings);
        assert_eq!(url, "https://default.example/simple");
        assert_eq!(place, "an installed pip");

        fs::create_dir_all(root.path().join("home/.config/pip")).unwrap();
        fs::write(
            root.path().join("home/.config/pip/pip.conf"),
            "[global]\nindex-url = https://file.example/simple/\n",
        )
        .unwrap();
        assert_eq!(locate(&settings).0, "https://file.example/simple");

        settings.variables = BTreeMap::from([(
            "UV_DEFAULT_INDEX".to_string(),
            "mine=https://variable.example/simple".to_string(),
        )]);
        assert_eq!(locate(&settings).0, "https://variable.example/simple");
    }

    #[test]
    fn debians_pip_is_read_on_a_bare_machine() {
        let root = tempfile::tempdir().unwrap();
        let package = OnePackage("x\nPyPI = PackageIndex(\"https://deb.example/\", y)\n");
        let index = PythonIndex::locate(&bare(root.path()), &package).unwrap();
        assert_eq!(index.url.expose(), "https://deb.example/simple");
        assert_eq!(index.found_in, "Debian's python3-pip");
    }

    #[test]
    fn a_failed_search_names_every_place() {
        let root = tempfile::tempdir().unwrap();
        let failed = PythonIndex::locate(&bare(root.path()), &NoPackages).unwrap_err();
        let text = failed.to_string();
        for place in [
            "UV_DEFAULT_INDEX (unset)",
            "etc/uv/uv.toml (no such file)",
            "etc/pip.conf (no such file)",
            "an installed pip (there is none)",
            "Debian's python3-pip (no Debian archive is configured)",
        ] {
            assert!(text.contains(place), "{place} in {text}");
        }
    }

    #[test]
    fn further_indexes_are_handed_on() {
        let root = tempfile::tempdir().unwrap();
        let mut settings = bare(root.path());
        settings.variables = BTreeMap::from([
            ("PIP_INDEX_URL".to_string(), "https://a.example".to_string()),
            (
                "UV_INDEX".to_string(),
                "torch=https://b.example/cpu https://c.example".to_string(),
            ),
        ]);
        let index = PythonIndex::locate(&settings, &NoPackages).unwrap();
        assert_eq!(
            index.environment(),
            [
                (
                    "UV_DEFAULT_INDEX".to_string(),
                    "https://a.example".to_string()
                ),
                (
                    "UV_EXTRA_INDEX_URL".to_string(),
                    "https://b.example/cpu https://c.example".to_string()
                ),
            ]
        );
    }
}
