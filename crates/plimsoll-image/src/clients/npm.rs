//! The npm registry, as npm is configured to use it.

use std::path::{Path, PathBuf};

use super::files::{expand, ini_value, read};
use super::{ClientSettings, PackageFiles, RegistryUrl, Search, UnknownRegistry};

/// Where npm packages come from.
#[derive(Debug, Clone)]
pub struct NpmRegistry {
    /// The registry's address.
    pub url: RegistryUrl,
    /// What stated it, for messages.
    pub found_in: String,
}

/// Paths of the module that states npm's defaults, inside an installed npm: new and old.
const NPM_DEFAULTS: &[&str] = &[
    "node_modules/@npmcli/config/lib/definitions/definitions.js",
    "lib/utils/config/definitions.js",
];

impl NpmRegistry {
    /// Finds the registry.
    ///
    /// # Errors
    /// When no place states an address.
    pub fn locate(
        settings: &ClientSettings,
        packages: &dyn PackageFiles,
    ) -> Result<Self, UnknownRegistry> {
        let mut search = Search::new("npm registry", "NPM_CONFIG_REGISTRY");
        search.ask("NPM_CONFIG_REGISTRY", || {
            let value = settings.variable("NPM_CONFIG_REGISTRY");
            Ok(value.ok_or("unset")?.to_string())
        });
        for path in npmrc_files(settings) {
            search.ask(&path.display().to_string(), || {
                let value = ini_value(&read(&path)?, None, "registry");
                let value = value.ok_or("names no registry")?;
                Ok(expand(&value, |name| {
                    settings.variable(name).map(str::to_string)
                }))
            });
        }
        search.ask("an installed npm", || {
            installed_npm(settings)
                .iter()
                .find_map(|path| npm_default(&read(path).ok()?))
                .ok_or_else(|| "there is none".to_string())
        });
        search.ask("Debian's npm", || {
            let file = packages.file_of("npm", NPM_DEFAULTS)?;
            npm_default(&String::from_utf8_lossy(&file))
                .ok_or_else(|| "it states no registry".to_string())
        });
        let (url, found_in) = search.finish()?;
        Ok(Self { url, found_in })
    }
}

/// `.npmrc` files in npm's own order of weight.
pub(crate) fn npmrc_files(settings: &ClientSettings) -> Vec<PathBuf> {
    let project = settings.project.as_ref().map(|path| path.join(".npmrc"));
    let named = settings.variable("NPM_CONFIG_USERCONFIG");
    let user = match named {
        Some(path) => Some(PathBuf::from(path)),
        None => settings.home.as_ref().map(|home| home.join(".npmrc")),
    };
    let system = ["usr/local/etc/npmrc", "usr/etc/npmrc", "etc/npmrc"]
        .iter()
        .map(|path| settings.system_path(path));
    [project, user]
        .into_iter()
        .flatten()
        .chain(system)
        .collect()
}

/// The certificates that npm trusts instead of its own: those its configuration names, or else
/// those of this machine.
pub(crate) fn npm_certificates(settings: &ClientSettings) -> Option<PathBuf> {
    npmrc_files(settings)
        .iter()
        .filter_map(|path| ini_value(&read(path).ok()?, None, "cafile"))
        .map(|value| {
            PathBuf::from(expand(&value, |name| {
                settings.variable(name).map(str::to_string)
            }))
        })
        .find(|path| path.is_file())
        .or_else(|| settings.certificates())
}

fn installed_npm(settings: &ClientSettings) -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> = [
        "usr/lib/node_modules/npm",
        "usr/local/lib/node_modules/npm",
        "usr/share/nodejs/npm",
        "usr/share/npm",
    ]
    .iter()
    .map(|path| settings.system_path(path))
    .collect();
    if let Some(home) = &settings.home {
        let versions = home.join(".nvm/versions/node");
        let mut found: Vec<PathBuf> = fs_err::read_dir(&versions)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path().join("lib/node_modules/npm")))
            .collect();
        found.sort();
        roots.extend(found);
    }
    roots
        .iter()
        .flat_map(|root| NPM_DEFAULTS.iter().map(|file| Path::new(root).join(file)))
        .filter(|path| path.is_file())
        .collect()
}

/// The `default` of the definition of `registry`.
fn npm_default(module: &str) -> Option<String> {
    let definition = module.find("'registry', {")?;
    let rest = &module[definition..];
    let value = rest[rest.find("default:")? + "default:".len()..].trim_start();
    let mark = value.chars().next().filter(|c| "'\"`".contains(*c))?;
    let value = &value[1..];
    Some(value[..value.find(mark)?].to_string())
}

#[cfg(test)]
mod tests {
    use super::super::NoPackages;
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn both_generations_of_npm_state_their_default() {
        let new = "  registry: new Definition('registry', {\n    default: 'https://n.example/',";
        assert_eq!(npm_default(new).as_deref(), Some("https://n.example/"));
        let old = "define('registry', {\n  default: `https://o.example/`,\n";
        assert_eq!(npm_default(old).as_deref(), Some("https://o.example/"));
        assert_eq!(npm_default("define('registry', {\n default: null"), None);
    }

    #[test]
    fn the_projects_npmrc_beats_the_users_and_may_use_variables() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("home");
        let project = root.path().join("project");
        fs_err::create_dir_all(&home).unwrap();
        fs_err::create_dir_all(&project).unwrap();
        fs_err::write(home.join(".npmrc"), "registry=https://home.example/\n").unwrap();
        let mut settings = ClientSettings {
            system: root.path().to_path_buf(),
            home: Some(home),
            project: Some(project.clone()),
            variables: BTreeMap::new(),
        };
        let url = |settings: &ClientSettings| {
            let found = NpmRegistry::locate(settings, &NoPackages).unwrap();
            found.url.expose().to_string()
        };
        assert_eq!(url(&settings), "https://home.example");
        fs_err::write(project.join(".npmrc"), "registry=https://${NPM_HOST}/x/\n").unwrap();
        settings
            .variables
            .insert("NPM_HOST".into(), "project.example".into());
        assert_eq!(url(&settings), "https://project.example/x");
        settings
            .variables
            .insert("npm_config_registry".into(), "https://env.example".into());
        assert_eq!(url(&settings), "https://env.example");
    }
}
