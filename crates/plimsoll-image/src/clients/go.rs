//! Where Go modules come from, as the `go` command is configured on this machine.

use std::path::{Path, PathBuf};

use super::files::read;
use super::{ClientSettings, PackageFiles, RegistryUrl, Search, UnknownRegistry};

/// Where Go modules come from.
#[derive(Debug, Clone)]
pub struct GoProxy {
    /// The first proxy of the list: `<it>/<module>/@v/<version>.zip`.
    pub url: RegistryUrl,
    /// The whole list, as `GOPROXY` has it; it may carry credentials.
    list: String,
    /// What stated it, for messages.
    pub found_in: String,
    /// Further settings of the `go` command that count while modules are fetched.
    further: Vec<(String, String)>,
}

/// Debian's packages that hold the defaults of the `go` command, newest first.
const DEBIAN: &[&str] = &["golang-1.24-go", "golang-1.24-src"];

/// The file of an installed Go that states its defaults.
const DEFAULTS: &str = "go.env";

/// Settings besides the proxy that say how modules are fetched and believed.
const FURTHER: &[&str] = &[
    "GOPRIVATE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOSUMDB",
    "GOINSECURE",
    "GOAUTH",
];

impl GoProxy {
    /// Finds the proxy.
    ///
    /// # Errors
    /// When no place states an address.
    pub fn locate(
        settings: &ClientSettings,
        packages: &dyn PackageFiles,
    ) -> Result<Self, UnknownRegistry> {
        let mut list = String::new();
        let mut search = Search::new("Go module proxy", "GOPROXY");
        let mut take = |value: String| -> Result<String, String> {
            let first = first_proxy(&value).ok_or("names no proxy")?;
            list = value;
            Ok(first)
        };
        search.ask("GOPROXY", || {
            take(settings.variable("GOPROXY").ok_or("unset")?.to_string())
        });
        if let Some(path) = user_file(settings) {
            search.ask(&path.display().to_string(), || {
                take(setting(&read(&path)?, "GOPROXY").ok_or("names no proxy")?)
            });
        }
        search.ask("an installed Go", || {
            let found = installed(settings)
                .iter()
                .find_map(|path| setting(&read(path).ok()?, "GOPROXY"));
            take(found.ok_or("there is none")?)
        });
        for package in DEBIAN {
            search.ask(&format!("Debian's {package}"), || {
                let file = packages.file_of(package, &[DEFAULTS])?;
                let found = setting(&String::from_utf8_lossy(&file), "GOPROXY");
                take(found.ok_or("it states no proxy")?)
            });
        }
        let (url, found_in) = search.finish()?;
        let further = FURTHER
            .iter()
            .filter_map(|name| Some(((*name).to_string(), configured(settings, name)?)))
            .collect();
        Ok(Self {
            url,
            list,
            found_in,
            further,
        })
    }

    /// Variables that make the `go` command fetch as it is configured here.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let mut variables = vec![("GOPROXY".to_string(), self.list.clone())];
        variables.extend(self.further.iter().cloned());
        variables
    }

    /// Whether some modules are fetched from their repositories, which takes git.
    pub(crate) fn has_private_modules(&self) -> bool {
        self.further
            .iter()
            .any(|(name, _)| name == "GOPRIVATE" || name == "GONOPROXY")
    }
}

/// What this machine says of a setting: a variable, the user's file, an installed Go.
fn configured(settings: &ClientSettings, name: &str) -> Option<String> {
    if let Some(value) = settings.variable(name) {
        return Some(value.to_string());
    }
    user_file(settings)
        .into_iter()
        .chain(installed(settings))
        .find_map(|path| setting(&read(&path).ok()?, name))
}

/// The first address of a list whose parts stand between `,` or `|`.
fn first_proxy(list: &str) -> Option<String> {
    list.split([',', '|'])
        .map(str::trim)
        .find(|part| part.contains("://"))
        .map(str::to_string)
}

/// The value of `name` in lines of `NAME=value`; one that is empty counts as unset.
fn setting(text: &str, name: &str) -> Option<String> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().to_string())
        .filter(|value| !value.is_empty())
}

/// Where `go env -w` writes.
fn user_file(settings: &ClientSettings) -> Option<PathBuf> {
    if let Some(named) = settings.variable("GOENV") {
        return (named != "off").then(|| PathBuf::from(named));
    }
    let directory = match settings.variable("XDG_CONFIG_HOME") {
        Some(directory) => PathBuf::from(directory),
        None => settings.home.as_ref()?.join(".config"),
    };
    Some(directory.join("go/env"))
}

/// Files of defaults of installed versions of Go.
fn installed(settings: &ClientSettings) -> Vec<PathBuf> {
    let named = settings.variable("GOROOT").map(PathBuf::from);
    let mut roots: Vec<PathBuf> = named.into_iter().collect();
    roots.push(settings.system_path("usr/local/go"));
    let mut beside = |directory: PathBuf, prefix: &str| {
        let mut found: Vec<PathBuf> = fs_err::read_dir(&directory)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| starts_with(path, prefix))
            .collect();
        found.sort();
        roots.extend(found);
    };
    beside(settings.system_path("usr/lib"), "go");
    beside(settings.system_path("usr/share"), "go-");
    if let Some(home) = &settings.home {
        beside(home.join("sdk"), "go");
    }
    roots
        .into_iter()
        .map(|root| root.join(DEFAULTS))
        .filter(|path| path.is_file())
        .collect()
}

fn starts_with(path: &Path, prefix: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(prefix)
}

#[cfg(test)]
mod tests {
    use super::super::NoPackages;
    use super::*;
    use std::collections::BTreeMap;

    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, ClientSettings) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let settings = ClientSettings {
            home: Some(root.path().join("home")),
            system: root.path().to_path_buf(),
            ..ClientSettings::default()
        };
        (root, settings)
    }

    #[test]
    fn the_user_outweighs_the_installation_and_a_variable_both() {
        let (_root, mut settings) = machine(&[
            (
                "usr/local/go/go.env",
                "# GOPROXY=x\nGOPROXY=https://default.example,direct\n",
            ),
            (
                "home/.config/go/env",
                "GOPROXY=https://a.example|https://b.example\nGOPRIVATE=*.corp.example\n",
            ),
        ]);
        let found = GoProxy::locate(&settings, &NoPackages).unwrap();
        assert_eq!(found.url.expose(), "https://a.example");
        assert!(found.has_private_modules());
        assert_eq!(
            found.environment(),
            [
                (
                    "GOPROXY".to_string(),
                    "https://a.example|https://b.example".to_string()
                ),
                ("GOPRIVATE".to_string(), "*.corp.example".to_string()),
            ]
        );
        settings.variables = BTreeMap::from([
            ("GOPROXY".into(), "off,https://c.example".into()),
            ("GOENV".into(), "off".into()),
        ]);
        let found = GoProxy::locate(&settings, &NoPackages).unwrap();
        assert_eq!(found.url.expose(), "https://c.example");
        assert!(!found.has_private_modules());
    }

    #[test]
    fn an_installed_go_states_the_default_and_without_one_every_place_is_told() {
        let (_root, settings) = machine(&[(
            "usr/lib/go-1.24/go.env",
            "GOPROXY=https://default.example,direct\nGOSUMDB=sum.example\n",
        )]);
        let found = GoProxy::locate(&settings, &NoPackages).unwrap();
        assert_eq!(found.url.expose(), "https://default.example");
        assert_eq!(found.found_in, "an installed Go");
        let (_root, bare) = machine(&[]);
        let error = GoProxy::locate(&bare, &NoPackages).unwrap_err().to_string();
        assert!(error.contains("GOPROXY (unset)"), "{error}");
        assert!(error.contains("an installed Go (there is none)"), "{error}");
    }
}
