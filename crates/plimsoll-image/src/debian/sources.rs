//! Where the machine's own apt gets Debian from: the only place from which mirrors are known.

use std::path::{Path, PathBuf};

use plimsoll_diag::Secret;

use super::DebianError;
use super::deb822::paragraphs;

/// The components that images are made from.
const COMPONENT: &str = "main";

/// Names under which Debian archives offer releases.
const CODE_NAMES: [&str; 14] = [
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "experimental",
    "rc-buggy",
];

/// Archives to fetch from, and keys to believe besides Debian's own.
#[derive(Debug, Clone, Default)]
pub struct Mirrors {
    /// Base URLs of the archive, to be tried in order. They may hold a password.
    pub main: Vec<Secret<String>>,
    /// Base URLs of the security archive.
    pub security: Vec<Secret<String>>,
    /// Armored or binary keys that may sign these archives.
    pub keys: Vec<Vec<u8>>,
}

impl Mirrors {
    /// What the apt sources of a machine say, both formats. `root` is `/`, or a directory that
    /// looks like one.
    ///
    /// # Errors
    /// When a file cannot be read, or no source is a Debian archive.
    pub fn from_apt(root: &Path) -> Result<Self, DebianError> {
        let mut sources = Vec::new();
        for file in source_files(root)? {
            let text = fs_err::read_to_string(&file).map_err(DebianError::Io)?;
            if file
                .extension()
                .is_some_and(|extension| extension == "sources")
            {
                deb822_sources(&text, &mut sources);
            } else {
                text.lines()
                    .filter_map(one_line_source)
                    .for_each(|source| sources.push(source));
            }
        }
        let mut mirrors = Mirrors::default();
        // A source that names Debian's keyring is Debian's; others may only look like it.
        sources.sort_by_key(|source: &Source| !source.signed_by.contains("debian-archive"));
        for source in &sources {
            mirrors.add(root, source)?;
        }
        mirrors.add_trusted(root)?;
        if mirrors.main.is_empty() {
            return Err(DebianError::NoMirror {
                place: root.join("etc/apt"),
            });
        }
        Ok(mirrors)
    }

    fn add(&mut self, root: &Path, source: &Source) -> Result<(), DebianError> {
        let mut used = false;
        for suite in &source.suites {
            let Some(kind) = Kind::of(suite) else {
                continue;
            };
            used = true;
            let list = match kind {
                Kind::Main => &mut self.main,
                Kind::Security => &mut self.security,
            };
            for uri in &source.uris {
                for uri in resolve(root, uri)? {
                    let uri = Secret::new(uri);
                    if !list.contains(&uri) {
                        list.push(uri);
                    }
                }
            }
        }
        if used {
            self.add_keys(root, &source.signed_by)?;
        }
        Ok(())
    }

    fn add_keys(&mut self, root: &Path, signed_by: &str) -> Result<(), DebianError> {
        if signed_by.contains("-----BEGIN") {
            // Inside a field, empty lines are written as a dot.
            let lines = signed_by.lines().map(|line| match line.trim() {
                "." => "",
                line => line,
            });
            self.keys
                .push(lines.collect::<Vec<_>>().join("\n").into_bytes());
            return Ok(());
        }
        for word in signed_by.split([' ', ',', '\n', '\t']) {
            let Some(path) = word.strip_prefix('/') else {
                // A fingerprint narrows what apt trusts; it brings no key.
                continue;
            };
            let path = root.join(path);
            if path.exists() {
                self.keys.push(fs_err::read(path).map_err(DebianError::Io)?);
            }
        }
        Ok(())
    }

    fn add_trusted(&mut self, root: &Path) -> Result<(), DebianError> {
        for path in entries(&root.join("etc/apt/trusted.gpg.d"))? {
            if path
                .extension()
                .is_some_and(|extension| extension == "gpg" || extension == "asc")
            {
                self.keys.push(fs_err::read(path).map_err(DebianError::Io)?);
            }
        }
        let keyring = root.join("usr/share/keyrings/debian-archive-keyring.gpg");
        if keyring.exists() {
            self.keys
                .push(fs_err::read(keyring).map_err(DebianError::Io)?);
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Source {
    uris: Vec<String>,
    suites: Vec<String>,
    /// Paths, fingerprints, or an armored key.
    signed_by: String,
}

enum Kind {
    Main,
    Security,
}

impl Kind {
    /// What a suite of an archive is, where it is Debian's at all.
    fn of(suite: &str) -> Option<Self> {
        let known = |name: &str| CODE_NAMES.contains(&name);
        if let Some(name) = suite
            .strip_suffix("-security")
            .or(suite.strip_suffix("/updates"))
        {
            return known(name).then_some(Kind::Security);
        }
        let name = suite
            .strip_suffix("-updates")
            .or(suite.strip_suffix("-backports"))
            .unwrap_or(suite);
        known(name).then_some(Kind::Main)
    }
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, DebianError> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = fs_err::read_dir(directory)
        .and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.path()))
                .collect::<Result<Vec<_>, _>>()
        })
        .map_err(DebianError::Io)?;
    paths.sort();
    Ok(paths)
}

fn source_files(root: &Path) -> Result<Vec<PathBuf>, DebianError> {
    let mut files = vec![root.join("etc/apt/sources.list")];
    files.retain(|file| file.is_file());
    let more = entries(&root.join("etc/apt/sources.list.d"))?;
    files.extend(more.into_iter().filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "list" || extension == "sources")
    }));
    Ok(files)
}

fn deb822_sources(text: &str, sources: &mut Vec<Source>) {
    for paragraph in paragraphs(text) {
        let words = |name| -> Vec<String> {
            let value = paragraph.get(name).unwrap_or_default();
            value.split_whitespace().map(str::to_owned).collect()
        };
        let enabled = paragraph.get("Enabled").is_none_or(|value| {
            !["no", "false", "0"].contains(&value.to_ascii_lowercase().as_str())
        });
        if enabled
            && words("Types").iter().any(|kind| kind == "deb")
            && words("Components")
                .iter()
                .any(|component| component == COMPONENT)
        {
            sources.push(Source {
                uris: words("URIs"),
                suites: words("Suites"),
                signed_by: paragraph.get("Signed-By").unwrap_or_default().to_owned(),
            });
        }
    }
}

/// `deb [signed-by=/key.gpg arch=amd64] URI SUITE COMPONENT…`
fn one_line_source(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let mut rest = line.strip_prefix("deb")?;
    if !rest.starts_with([' ', '\t']) {
        return None;
    }
    rest = rest.trim_start();
    let mut signed_by = String::new();
    if let Some(options) = rest.strip_prefix('[') {
        let (options, after) = options.split_once(']')?;
        rest = after;
        for option in options.split_whitespace() {
            if let Some(value) = option.strip_prefix("signed-by=") {
                signed_by = value.to_owned();
            }
        }
    }
    let mut words = rest.split_whitespace().map(str::to_owned);
    let (uri, suite) = (words.next()?, words.next()?);
    words
        .any(|component| component == COMPONENT)
        .then(|| Source {
            uris: vec![uri],
            suites: vec![suite],
            signed_by,
        })
}

/// The base URLs that one URI of a source stands for.
fn resolve(root: &Path, uri: &str) -> Result<Vec<String>, DebianError> {
    let trimmed = |uri: &str| uri.trim_end_matches('/').to_owned();
    if uri.starts_with("http://") || uri.starts_with("https://") {
        return Ok(vec![trimmed(uri)]);
    }
    // A list of mirrors in a file, as Debian's cloud images have it.
    let Some(path) = uri.strip_prefix("mirror+file:") else {
        return Ok(Vec::new());
    };
    let path = root.join(path.trim_start_matches('/'));
    let text = fs_err::read_to_string(path).map_err(DebianError::Io)?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| word.starts_with("http://") || word.starts_with("https://"))
        .map(trimmed)
        .collect())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn machine(files: &[(&str, &str)]) -> TempDir {
        let root = TempDir::new().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        root
    }

    fn shown(uris: &[Secret<String>]) -> Vec<&str> {
        uris.iter().map(|uri| uri.expose().as_str()).collect()
    }

    #[test]
    fn reads_deb822_sources() {
        let root = machine(&[
            (
                "etc/apt/sources.list.d/debian.sources",
                "Types: deb deb-src\n# a note\nURIs: http://mirror.invalid/debian/\n\
                 Suites: bookworm bookworm-updates\nComponents: main contrib\n\
                 Signed-By: /usr/share/keyrings/company.gpg\n\n\
                 Types: deb\nURIs: http://mirror.invalid/debian-security\n\
                 Suites: bookworm-security\nComponents: main\n\n\
                 Enabled: no\nTypes: deb\nURIs: http://other.invalid/debian\n\
                 Suites: bookworm\nComponents: main\n",
            ),
            ("usr/share/keyrings/company.gpg", "key"),
            (
                "etc/apt/sources.list.d/tool.list",
                "deb https://tool.invalid/apt stable-tool main\ndeb-src http://x.invalid sid main\n",
            ),
        ]);
        let mirrors = Mirrors::from_apt(root.path()).unwrap();
        assert_eq!(shown(&mirrors.main), ["http://mirror.invalid/debian"]);
        assert_eq!(
            shown(&mirrors.security),
            ["http://mirror.invalid/debian-security"]
        );
        assert_eq!(mirrors.keys, [b"key".to_vec()]);
    }

    #[test]
    fn reads_one_line_sources_and_lists_of_mirrors() {
        let root = machine(&[
            (
                "etc/apt/sources.list",
                "# deb http://old.invalid/debian bookworm main\n\
                 deb [arch=amd64 signed-by=/k.asc] mirror+file:/etc/apt/mirrors/debian.list trixie main # note\n\
                 deb http://security.invalid/debian-security buster/updates main\n\
                 deb http://mirror.invalid/other trixie non-free\n",
            ),
            (
                "etc/apt/mirrors/debian.list",
                "https://one.invalid/debian/\tpriority:1\n# note\nhttps://two.invalid/debian\n",
            ),
            ("k.asc", "armored"),
            ("etc/apt/trusted.gpg.d/more.asc", "more"),
            ("etc/apt/trusted.gpg.d/readme", "no key"),
        ]);
        let mirrors = Mirrors::from_apt(root.path()).unwrap();
        assert_eq!(
            shown(&mirrors.main),
            ["https://one.invalid/debian", "https://two.invalid/debian"]
        );
        assert_eq!(
            shown(&mirrors.security),
            ["http://security.invalid/debian-security"]
        );
        assert_eq!(mirrors.keys, [b"armored".to_vec(), b"more".to_vec()]);
    }

    #[test]
    fn takes_an_inline_key() {
        let root = machine(&[(
            "etc/apt/sources.list.d/a.sources",
            "Types: deb\nURIs: http://mirror.invalid/debian\nSuites: sid\nComponents: main\n\
             Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n -----END PGP PUBLIC KEY BLOCK-----\n",
        )]);
        let mirrors = Mirrors::from_apt(root.path()).unwrap();
        let key = String::from_utf8(mirrors.keys[0].clone()).unwrap();
        assert!(key.contains("BLOCK-----\n\nabc\n-----END"), "{key}");
    }

    #[test]
    fn a_machine_without_debian_is_told() {
        let root = machine(&[(
            "etc/apt/sources.list.d/ubuntu.sources",
            "Types: deb\nURIs: http://mirror.invalid/ubuntu\nSuites: noble\nComponents: main\n",
        )]);
        let error = Mirrors::from_apt(root.path()).unwrap_err();
        assert!(matches!(error, DebianError::NoMirror { .. }), "{error}");
    }

    #[test]
    fn a_password_is_not_shown() {
        let root = machine(&[(
            "etc/apt/sources.list",
            "deb https://me:hunter2@m.invalid sid main\n",
        )]);
        let mirrors = Mirrors::from_apt(root.path()).unwrap();
        assert!(!format!("{mirrors:?}").contains("hunter2"));
    }
}
