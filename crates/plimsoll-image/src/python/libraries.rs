//! Debian packages that installed distributions need at run time, found by what their shared
//! objects load and by what is known of a few that load libraries by name.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::PythonError;
use super::environment::Distribution;
use super::shared_objects::{self, SharedObject};
use super::target::Target;
use crate::debian::Suite;
use crate::oci::Architecture;

/// What an installation needs from Debian.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Needed {
    /// Packages, each with what shows that it is needed.
    pub packages: BTreeMap<String, String>,
    /// Libraries that nothing here provides, each with a file that needs it.
    pub unknown: BTreeMap<String, String>,
}

/// Libraries by the name that programs load them by, and their packages in Debian 13. Where Debian
/// 12 calls one otherwise, that stands in third place.
#[rustfmt::skip]
const BY_LIBRARY: &[(&str, &str, Option<&str>)] = &[
    ("libEGL.so.1", "libegl1", None),
    ("libGL.so.1", "libgl1", None),
    ("libGLX.so.0", "libglx0", None),
    ("libGLdispatch.so.0", "libglvnd0", None),
    ("libICE.so.6", "libice6", None),
    ("libMagickWand-6.Q16.so.6", "libmagickwand-6.q16-6", None),
    ("libMagickWand-7.Q16.so.10", "libmagickwand-7.q16-10", None),
    ("libOpenGL.so.0", "libopengl0", None),
    ("libSM.so.6", "libsm6", None),
    ("libX11.so.6", "libx11-6", None),
    ("libXext.so.6", "libxext6", None),
    ("libXrender.so.1", "libxrender1", None),
    ("libasound.so.2", "libasound2t64", Some("libasound2")),
    ("libatomic.so.1", "libatomic1", None),
    ("libblas.so.3", "libblas3", None),
    ("libbz2.so.1.0", "libbz2-1.0", None),
    ("libcairo.so.2", "libcairo2", None),
    ("libcrypt.so.1", "libcrypt1", None),
    ("libcrypto.so.3", "libssl3t64", Some("libssl3")),
    ("libcups.so.2", "libcups2t64", Some("libcups2")),
    ("libcurl.so.4", "libcurl4t64", Some("libcurl4")),
    ("libdbus-1.so.3", "libdbus-1-3", None),
    ("libexpat.so.1", "libexpat1", None),
    ("libffi.so.8", "libffi8", None),
    ("libfontconfig.so.1", "libfontconfig1", None),
    ("libfreetype.so.6", "libfreetype6", None),
    ("libgdk_pixbuf-2.0.so.0", "libgdk-pixbuf-2.0-0", None),
    ("libgfortran.so.5", "libgfortran5", None),
    ("libgio-2.0.so.0", "libglib2.0-0t64", Some("libglib2.0-0")),
    ("libglib-2.0.so.0", "libglib2.0-0t64", Some("libglib2.0-0")),
    ("libgobject-2.0.so.0", "libglib2.0-0t64", Some("libglib2.0-0")),
    ("libgomp.so.1", "libgomp1", None),
    ("libgssapi_krb5.so.2", "libgssapi-krb5-2", None),
    ("libgthread-2.0.so.0", "libglib2.0-0t64", Some("libglib2.0-0")),
    ("libharfbuzz.so.0", "libharfbuzz0b", None),
    ("libibverbs.so.1", "libibverbs1", None),
    ("libjpeg.so.62", "libjpeg62-turbo", None),
    ("libkrb5.so.3", "libkrb5-3", None),
    ("liblapack.so.3", "liblapack3", None),
    ("liblber.so.2", "libldap2", None),
    ("liblber-2.5.so.0", "libldap-2.5-0", None),
    ("libldap.so.2", "libldap2", None),
    ("libldap-2.5.so.0", "libldap-2.5-0", None),
    ("liblz4.so.1", "liblz4-1", None),
    ("liblzma.so.5", "liblzma5", None),
    ("libmagic.so.1", "libmagic1t64", Some("libmagic1")),
    ("libmariadb.so.3", "libmariadb3", None),
    ("libncursesw.so.6", "libncursesw6", None),
    ("libnsl.so.2", "libnsl2", None),
    ("libnspr4.so", "libnspr4", None),
    ("libnss3.so", "libnss3", None),
    ("libnuma.so.1", "libnuma1", None),
    ("libodbc.so.2", "libodbc2", None),
    ("libopus.so.0", "libopus0", None),
    ("libpango-1.0.so.0", "libpango-1.0-0", None),
    ("libpangoft2-1.0.so.0", "libpangoft2-1.0-0", None),
    ("libpcre2-8.so.0", "libpcre2-8-0", None),
    ("libpng16.so.16", "libpng16-16t64", Some("libpng16-16")),
    ("libportaudio.so.2", "libportaudio2", None),
    ("libpq.so.5", "libpq5", None),
    ("libreadline.so.8", "libreadline8t64", Some("libreadline8")),
    ("libsasl2.so.2", "libsasl2-2", None),
    ("libsndfile.so.1", "libsndfile1", None),
    ("libsodium.so.23", "libsodium23", None),
    ("libsqlite3.so.0", "libsqlite3-0", None),
    ("libssl.so.3", "libssl3t64", Some("libssl3")),
    ("libtinfo.so.6", "libtinfo6", None),
    ("libusb-1.0.so.0", "libusb-1.0-0", None),
    ("libuuid.so.1", "libuuid1", None),
    ("libxcb.so.1", "libxcb1", None),
    ("libxml2.so.2", "libxml2", None),
    ("libxslt.so.1", "libxslt1.1", None),
    ("libyaml-0.so.2", "libyaml-0-2", None),
    ("libz.so.1", "zlib1g", None),
    ("libzmq.so.5", "libzmq5", None),
    ("libzstd.so.1", "libzstd1", None),
];

/// Distributions that look for a library by its name when they are imported.
#[rustfmt::skip]
const BY_DISTRIBUTION: &[(&str, &[&str])] = &[
    ("cairocffi", &["libcairo.so.2"]),
    ("opuslib", &["libopus.so.0"]),
    ("psycopg", &["libpq.so.5"]),
    ("python-magic", &["libmagic.so.1"]),
    ("pyusb", &["libusb-1.0.so.0"]),
    ("sounddevice", &["libportaudio.so.2"]),
    ("weasyprint", &["libgobject-2.0.so.0", "libpango-1.0.so.0", "libpangoft2-1.0.so.0", "libharfbuzz.so.0", "libfontconfig.so.1"]),
];

/// Libraries of drivers and of accelerators, which come with the machine or not at all.
fn is_of_the_machine(library: &str) -> bool {
    [
        "libcuda.so",
        "libnvidia",
        "libnvcuvid",
        "libcu",
        "libnv",
        "libtensorrt",
        "libnvinfer",
        "libhip",
        "libroc",
        "libamdhip",
        "libze_loader",
        "libtpu",
        "libmlx",
        "libOpenCL",
        "libsycl",
    ]
    .iter()
    .any(|start| library.starts_with(start))
}

/// Whether a file may be started: distributions carry programs beside their modules.
fn is_program(path: &Path) -> std::io::Result<bool> {
    let metadata = fs::symlink_metadata(path)?;
    Ok(metadata.is_file() && metadata.permissions().mode() & 0o100 != 0)
}

/// What the files of one distribution load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Loads {
    /// The distribution: `fastapi-0.121.0`.
    pub name: String,
    /// File names of the libraries that it brings.
    own: BTreeSet<String>,
    /// Its shared objects and programs by their paths.
    objects: BTreeMap<String, SharedObject>,
}

/// What a file's name says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Library,
    /// A program, if it may be started.
    Nameless,
    Other,
}

fn kind(name: &str) -> Kind {
    match name {
        name if name.ends_with(".so") || name.contains(".so.") => Kind::Library,
        name if !name.contains('.') => Kind::Nameless,
        _ => Kind::Other,
    }
}

impl Loads {
    /// Those of a distribution without files.
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_string(),
            ..Self::default()
        }
    }

    /// Those of an installed distribution.
    pub(super) fn of(distribution: &Distribution) -> std::io::Result<Self> {
        let mut loads = Self::named(&distribution.name);
        for (path, source) in &distribution.files {
            let name = path.rsplit('/').next().unwrap_or_default();
            match kind(name) {
                Kind::Library => drop(loads.own.insert(name.to_string())),
                Kind::Nameless if is_program(source)? => {}
                Kind::Nameless | Kind::Other => continue,
            }
            if !fs::symlink_metadata(source)?.is_symlink()
                && let Some(object) = shared_objects::read(source)?
            {
                loads.objects.insert(path.clone(), object);
            }
        }
        Ok(loads)
    }

    /// Adds a file that is in memory or open.
    pub(super) fn look_at(
        &mut self,
        path: &str,
        executable: bool,
        content: &mut (impl Read + Seek),
    ) {
        let name = path.rsplit('/').next().unwrap_or_default();
        match kind(name) {
            Kind::Library => drop(self.own.insert(name.to_string())),
            Kind::Nameless if executable => {}
            Kind::Nameless | Kind::Other => return,
        }
        // What ends too early is no library either.
        if let Ok(Some(object)) = shared_objects::read_from(content) {
            self.objects.insert(path.to_string(), object);
        }
    }
}

/// Judges what the distributions of an installation load. `provided` has the names of the base's
/// libraries.
pub(super) fn look(
    distributions: &[Loads],
    provided: &BTreeSet<String>,
    target: &Target,
) -> Result<Needed, PythonError> {
    let own: BTreeSet<&String> = distributions.iter().flat_map(|one| &one.own).collect();
    let mut wanted: BTreeMap<String, String> = BTreeMap::new();
    for (path, object) in distributions.iter().flat_map(|one| &one.objects) {
        // Tools that carry libraries for several processors load those of their own.
        let shown = path.strip_prefix("lib/").unwrap_or(path);
        if object.architecture != Some(target.architecture) {
            let is_module = path.contains("-linux-gnu.so");
            if is_module && object.architecture.is_some() {
                return Err(PythonError::ForeignObject {
                    path: shown.to_string(),
                    architecture: target.architecture,
                });
            }
            continue;
        }
        for library in &object.needed {
            if !own.contains(library) && !provided.contains(library) {
                let place = wanted.entry(library.clone());
                place.or_insert_with(|| shown.to_string());
            }
        }
    }
    let names: BTreeSet<String> = distributions
        .iter()
        .map(|distribution| {
            let name = distribution.name.rsplit_once('-');
            super::pinned::normalised(name.map_or(&distribution.name, |(name, _)| name))
        })
        .collect();
    for (name, libraries) in BY_DISTRIBUTION {
        let carried = *name == "psycopg"
            && ["psycopg-binary", "psycopg-c"]
                .iter()
                .any(|other| names.contains(*other));
        if names.contains(*name) && !carried {
            for library in *libraries {
                if !provided.contains(*library) {
                    wanted
                        .entry((*library).to_string())
                        .or_insert_with(|| format!("`{name}`"));
                }
            }
        }
    }
    Ok(settle(wanted, target.interpreter.suite))
}

fn settle(wanted: BTreeMap<String, String>, suite: Suite) -> Needed {
    let mut needed = Needed::default();
    for (library, path) in wanted {
        let known = BY_LIBRARY.iter().find(|(name, ..)| *name == library);
        match known {
            Some((_, current, older)) => {
                let package = match suite {
                    Suite::Bookworm => older.unwrap_or(current),
                    Suite::Trixie => current,
                };
                needed
                    .packages
                    .entry(package.to_string())
                    .or_insert_with(|| format!("{path} loads `{library}`"));
            }
            None if is_of_the_machine(&library) || library.starts_with("ld-linux") => {}
            None => {
                needed.unknown.insert(library, path);
            }
        }
    }
    needed
}

/// Names of the libraries in unpacked layers of a base.
pub(super) fn provided(
    trees: &[PathBuf],
    architecture: Architecture,
) -> std::io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let directory = Path::new("usr/lib").join(Target::libraries_of(architecture));
    for tree in trees {
        let Ok(entries) = fs::read_dir(tree.join(&directory)) else {
            continue;
        };
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.contains(".so") {
                names.insert(name);
            }
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_become_packages_of_the_release() {
        let wanted = || {
            [
                "libpq.so.5",
                "libglib-2.0.so.0",
                "libcuda.so.1",
                "libodd.so.9",
            ]
            .map(|name| (name.to_string(), "a/b.so".to_string()))
            .into()
        };
        let names = |suite| {
            let needed = settle(wanted(), suite);
            assert_eq!(needed.unknown.keys().collect::<Vec<_>>(), ["libodd.so.9"]);
            needed.packages.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(names(Suite::Trixie), ["libglib2.0-0t64", "libpq5"]);
        assert_eq!(names(Suite::Bookworm), ["libglib2.0-0", "libpq5"]);
    }
}
