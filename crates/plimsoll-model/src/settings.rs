//! `plimsoll.toml`: what is not the application.
//!
//! Mirrors, the place of the store, the cache's limit, registries, the network of build scripts. Nothing here changes what a container runs; that
//! is the Compose file's. The file is small and strict: an unknown key is an error.

mod cache_limit;
mod script_network;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_diag::{Diagnostic, Diagnostics, Span, Spanned};
use serde::Serialize;
use toml::Spanned as TomlSpanned;
use toml::de::{DeString, DeTable, DeValue};

pub use cache_limit::{CACHE_LIMIT_FORMS, CacheLimit};
pub use script_network::ScriptNetwork;

use crate::compose::nearest;

/// Name of the file, beside the Compose file.
pub const FILE_NAME: &str = "plimsoll.toml";

/// A key of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingKey {
    /// The table it stands in, as in `[debian]`; of registries any host.
    pub table: &'static str,
    /// The key.
    pub key: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// A value that makes sense.
    pub example: &'static str,
}

/// Every key of the file: what reading accepts and the reference shows.
pub const KEYS: &[SettingKey] = &[
    SettingKey {
        table: "build",
        key: "network",
        about: "When a project's own build scripts have the network: `when-needed` (said or not), once they failed without it, or `always`.",
        example: "always",
    },
    SettingKey {
        table: "cache",
        key: "limit",
        about: "What builds may keep to be faster: `20GB`, `10%` of the disk (said or not), `none`. `PLIMSOLL_CACHE_LIMIT` wins.",
        example: "20GB",
    },
    SettingKey {
        table: "debian",
        key: "mirror",
        about: "Mirror that packages come from instead of the one in the machine's apt sources.",
        example: "http://mirror.example/debian",
    },
    SettingKey {
        table: "debian",
        key: "security-mirror",
        about: "Mirror that security updates come from.",
        example: "http://mirror.example/debian-security",
    },
    SettingKey {
        table: "registries",
        key: "mirror",
        about: "Address that is asked before this registry; without a scheme it is asked by HTTPS.",
        example: "https://cache.example:5000",
    },
    SettingKey {
        table: "store",
        key: "path",
        about: "Directory of images and layers; a relative one starts from the file's.",
        example: "store",
    },
];

/// The keys of one table.
fn keys_of(table: &str) -> Vec<&'static str> {
    KEYS.iter()
        .filter(|key| key.table == table)
        .map(|key| key.key)
        .collect()
}

/// The reference of the file as a page of documentation.
pub fn reference() -> String {
    let mut page = String::from(
        "# `plimsoll.toml`\n\n\
         Stands beside the Compose file and says what is not the application: mirrors, the place of\n\
         the store, the cache's limit, registries, the network of build scripts. Nothing in it changes what a container runs. It may be missing, and\n\
         an unknown key is an error.\n\n\
         ```toml\n",
    );
    let heading = |table: &str| match table {
        "registries" => "[registries.\"registry.example\"]".to_owned(),
        table => format!("[{table}]"),
    };
    let mut last = "";
    for key in KEYS {
        if key.table != last {
            if !last.is_empty() {
                page.push('\n');
            }
            page.push_str(&format!("{}\n", heading(key.table)));
            last = key.table;
        }
        page.push_str(&format!("{} = \"{}\"\n", key.key, key.example));
    }
    page.push_str("```\n\n| table | key | |\n|---|---|---|\n");
    for key in KEYS {
        let table = match key.table {
            "registries" => "registries.\"HOST\"",
            table => table,
        };
        page.push_str(&format!(
            "| `[{table}]` | `{}` | {} |\n",
            key.key, key.about
        ));
    }
    page
}

/// Everything that `plimsoll.toml` says.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Settings {
    /// `[build]`
    pub build: BuildSettings,
    /// `[cache]`
    pub cache: CacheSettings,
    /// `[debian]`
    pub debian: DebianSettings,
    /// `[store]`
    pub store: StoreSettings,
    /// `[registries."host"]`, by host.
    pub registries: BTreeMap<String, RegistrySettings>,
}

/// How images are built.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BuildSettings {
    /// When a project's own scripts have the network.
    pub network: Option<Spanned<ScriptNetwork>>,
}

/// What builds keep to be faster.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CacheSettings {
    /// How much that may be.
    pub limit: Option<Spanned<CacheLimit>>,
}

/// Where Debian packages come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DebianSettings {
    /// Mirror instead of the one in the machine's apt sources.
    pub mirror: Option<Spanned<String>>,
    /// Mirror of security updates.
    pub security_mirror: Option<Spanned<String>>,
}

/// Where images and layers are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StoreSettings {
    /// The directory; relative ones start from the file's.
    pub path: Option<Spanned<PathBuf>>,
}

/// How one registry is reached.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RegistrySettings {
    /// Address that is asked before the registry itself.
    pub mirror: Option<Spanned<String>>,
}

impl Settings {
    /// Reads the file of a project; one that does not exist says nothing.
    pub fn load(directory: &Path) -> Result<Self, Diagnostics> {
        let path = directory.join(FILE_NAME);
        match fs_err::read_to_string(&path) {
            Ok(text) => Self::parse(&text, Path::new(FILE_NAME)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Diagnostic::error(format!("cannot read: {error}")).into()),
        }
    }

    /// Reads text; `file` is how places name it.
    pub fn parse(text: &str, file: impl Into<Arc<Path>>) -> Result<Self, Diagnostics> {
        let mut reader = Reader {
            text,
            file: file.into(),
            problems: Diagnostics::default(),
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let span = error.span().map(|range| reader.place(range));
            reader.problems.push(
                Diagnostic::error(format!("not valid TOML: {}", error.message().trim())).at(span),
            );
        }
        if reader.problems.has_errors() {
            return Err(reader.problems);
        }
        let settings = reader.settings(table.get_ref());
        if reader.problems.has_errors() {
            // The table is ordered by key, a reader by line.
            reader
                .problems
                .0
                .sort_by(|left, right| left.span.cmp(&right.span));
            return Err(reader.problems);
        }
        Ok(settings)
    }
}

struct Reader<'t> {
    text: &'t str,
    file: Arc<Path>,
    problems: Diagnostics,
}

type Entry<'e, 't> = (&'e TomlSpanned<DeString<'t>>, &'e TomlSpanned<DeValue<'t>>);

impl Reader<'_> {
    fn place(&self, range: Range<usize>) -> Span {
        let start = range.start.min(self.text.len());
        let before = self.text.get(..start).unwrap_or_default();
        let marked = self.text.get(range).unwrap_or_default();
        let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        let line = before.matches('\n').count() + 1;
        Span::new(
            Arc::clone(&self.file),
            u32::try_from(line).unwrap_or(u32::MAX),
            count(before.rsplit('\n').next().unwrap_or_default()) + 1,
            count(marked.lines().next().unwrap_or_default()),
        )
    }

    fn settings(&mut self, table: &DeTable<'_>) -> Settings {
        let mut settings = Settings::default();
        for (key, value) in table.iter() {
            let name: &str = key.get_ref();
            match name {
                "build" => {
                    for (key, value) in self.table(key, value) {
                        if key.get_ref() == "network" {
                            settings.build.network = self.network(key, value);
                        } else {
                            self.unknown(key, "[build]", &keys_of("build"));
                        }
                    }
                }
                "cache" => {
                    for (key, value) in self.table(key, value) {
                        if key.get_ref() == "limit" {
                            settings.cache.limit = self.limit(key, value);
                        } else {
                            self.unknown(key, "[cache]", &keys_of("cache"));
                        }
                    }
                }
                "debian" => {
                    for (key, value) in self.table(key, value) {
                        let target = match key.get_ref().as_ref() {
                            "mirror" => &mut settings.debian.mirror,
                            "security-mirror" => &mut settings.debian.security_mirror,
                            _ => {
                                self.unknown(key, "[debian]", &keys_of("debian"));
                                continue;
                            }
                        };
                        *target = self.text_of(key, value);
                    }
                }
                "store" => {
                    for (key, value) in self.table(key, value) {
                        if key.get_ref() == "path" {
                            let path = self.text_of(key, value);
                            settings.store.path = path.map(|path| path.map(PathBuf::from));
                        } else {
                            self.unknown(key, "[store]", &keys_of("store"));
                        }
                    }
                }
                "registries" => {
                    for (host, value) in self.table(key, value) {
                        let mut registry = RegistrySettings::default();
                        for (key, value) in self.table(host, value) {
                            if key.get_ref() == "mirror" {
                                registry.mirror = self.text_of(key, value);
                            } else {
                                self.unknown(key, "a registry", &keys_of("registries"));
                            }
                        }
                        settings
                            .registries
                            .insert(host.get_ref().to_string(), registry);
                    }
                }
                _ => self.unknown(
                    key,
                    FILE_NAME,
                    &["build", "cache", "debian", "store", "registries"],
                ),
            }
        }
        settings
    }

    fn table<'e, 't>(
        &mut self,
        key: &TomlSpanned<DeString<'t>>,
        value: &'e TomlSpanned<DeValue<'t>>,
    ) -> Vec<Entry<'e, 't>> {
        match value.get_ref() {
            DeValue::Table(table) => table.iter().collect(),
            other => {
                let name = key.get_ref();
                self.problems.push(
                    Diagnostic::error(format!(
                        "`{name}`: expected a table, found {}",
                        other.type_str()
                    ))
                    .at(self.place(key.span()))
                    .hint(format!("write [{name}] on a line of its own")),
                );
                Vec::new()
            }
        }
    }

    fn text_of(
        &mut self,
        key: &TomlSpanned<DeString<'_>>,
        value: &TomlSpanned<DeValue<'_>>,
    ) -> Option<Spanned<String>> {
        let span = self.place(value.span());
        match value.get_ref() {
            DeValue::String(text) if !text.is_empty() => Some(Spanned::new(text.to_string(), span)),
            DeValue::String(_) => {
                self.problems.push(
                    Diagnostic::error(format!("`{}` is empty", key.get_ref()))
                        .at(span)
                        .hint("remove the line, or give it a value"),
                );
                None
            }
            other => {
                self.problems.push(
                    Diagnostic::error(format!(
                        "`{}`: expected text, found {}",
                        key.get_ref(),
                        other.type_str()
                    ))
                    .at(span)
                    .hint("put quotes around it"),
                );
                None
            }
        }
    }

    fn limit(
        &mut self,
        key: &TomlSpanned<DeString<'_>>,
        value: &TomlSpanned<DeValue<'_>>,
    ) -> Option<Spanned<CacheLimit>> {
        let text = self.text_of(key, value)?;
        match text.value.parse() {
            Ok(limit) => Some(text.map(|_| limit)),
            Err(forms) => {
                self.problems.push(
                    Diagnostic::error(format!("`{}` is no limit of the cache", text.value))
                        .at(text.span)
                        .hint(forms),
                );
                None
            }
        }
    }

    fn network(
        &mut self,
        key: &TomlSpanned<DeString<'_>>,
        value: &TomlSpanned<DeValue<'_>>,
    ) -> Option<Spanned<ScriptNetwork>> {
        let text = self.text_of(key, value)?;
        match text.value.parse() {
            Ok(network) => Some(text.map(|_| network)),
            Err(forms) => {
                self.problems.push(
                    Diagnostic::error(format!("`{}` does not say when", text.value))
                        .at(text.span)
                        .hint(forms),
                );
                None
            }
        }
    }

    fn unknown(&mut self, key: &TomlSpanned<DeString<'_>>, owner: &str, known: &[&str]) {
        let name: &str = key.get_ref();
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known keys: {}", known.join(", ")),
        };
        self.problems.push(
            Diagnostic::error(format!("`{name}` is no key of {owner}"))
                .at(self.place(key.span()))
                .hint(hint),
        );
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_diag::{Palette, render};

    use super::*;

    fn answer(text: &str) -> String {
        match Settings::parse(text, Path::new(FILE_NAME)) {
            Ok(settings) => format!("{settings:?}"),
            Err(problems) => problems
                .0
                .iter()
                .map(|problem| render(problem, Path::new("/nonexistent"), Palette::Plain))
                .collect(),
        }
    }

    #[test]
    fn everything_it_may_say() {
        let settings = Settings::parse(
            concat!(
                "[build]\n",
                "network = \"always\"\n",
                "[cache]\n",
                "limit = \"20GB\"\n",
                "[debian]\n",
                "mirror = \"http://mirror.example/debian\"\n",
                "security-mirror = 'http://mirror.example/debian-security'\n",
                "[store]\n",
                "path = \"store\"\n",
                "[registries.\"registry.example\"]\n",
                "mirror = \"cache.example:5000\"\n",
            ),
            Path::new(FILE_NAME),
        )
        .unwrap();
        let mirror = settings.debian.mirror.unwrap();
        assert_eq!(mirror.value, "http://mirror.example/debian");
        assert_eq!(mirror.span.unwrap().to_string(), "plimsoll.toml:6:10");
        let network = settings.build.network.unwrap().value;
        assert_eq!(network, ScriptNetwork::Always);
        assert_eq!(
            settings.cache.limit.unwrap().value,
            CacheLimit::Bytes(20_000_000_000)
        );
        assert_eq!(settings.store.path.unwrap().value, PathBuf::from("store"));
        let registry = &settings.registries["registry.example"];
        assert_eq!(
            registry.mirror.as_ref().unwrap().value,
            "cache.example:5000"
        );
    }

    #[test]
    fn what_is_wrong_is_told_together() {
        insta::assert_snapshot!(answer("store = 1\nstorr = 2\n[debian]\nmiror = ''\nsecurity-mirror = 13\nmirror = ''\n"), @r"
        error: `store`: expected a table, found integer
          --> plimsoll.toml:1:1
        hint: write [store] on a line of its own
        error: `storr` is no key of plimsoll.toml
          --> plimsoll.toml:2:1
        hint: did you mean `store`?
        error: `miror` is no key of [debian]
          --> plimsoll.toml:4:1
        hint: did you mean `mirror`?
        error: `security-mirror`: expected text, found integer
          --> plimsoll.toml:5:19
        hint: put quotes around it
        error: `mirror` is empty
          --> plimsoll.toml:6:10
        hint: remove the line, or give it a value
        ");
        insta::assert_snapshot!(answer("[cache]\nlimit = '5 potatoes'\n"), @"
        error: `5 potatoes` is no limit of the cache
          --> plimsoll.toml:2:9
        hint: write `20GB`, `10%` of the disk, or `none`
        ");
        insta::assert_snapshot!(answer("[build]\nnetwork = 'sometimes'\n"), @"
        error: `sometimes` does not say when
          --> plimsoll.toml:2:11
        hint: write `when-needed` or `always`
        ");
        insta::assert_snapshot!(answer("[debian\nmirror = \n"), @r"
        error: not valid TOML: unclosed table, expected `]`
          --> plimsoll.toml:1:8
        ");
    }
}
