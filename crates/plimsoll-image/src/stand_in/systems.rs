//! Whole Debian systems to build on, and languages on top of them: what `FROM debian`,
//! `FROM python`, `FROM node` and `FROM golang` of a Dockerfile ask for.
//!
//! Other stand-ins are assembled without running anything. In these, others' commands install
//! packages: dpkg's own records, maintainer scripts and apt must be as on any Debian system. So
//! dpkg installs them, in the sandbox, from packages that were fetched and checked as all are.

use std::path::Path;

use fs_err as fs;

use crate::base;
use crate::debian::{self, BaseRequest, Suite};
use crate::dockerfile::{self, DockerfileError, SystemStep};
use crate::oci::ImageConfig;
use crate::registry::Reference;
use crate::store::ImageLayer;
use crate::toolchain::Toolchains;
use crate::toolchain::go::{self, GoPin};
use crate::workshop::Workshop;

use super::{LABEL, SOURCES_LABEL, StandInError};

/// Changes whenever systems come out otherwise.
const RULES: &str = "system 1";

/// What a small Debian system has: what is essential, and apt. Everything is named that only
/// maintainer scripts need.
const PACKAGES: [&str; 40] = [
    "adduser",
    "apt",
    "base-files",
    "base-passwd",
    "bash",
    "bsdutils",
    "ca-certificates",
    "coreutils",
    "dash",
    "debconf",
    "debian-archive-keyring",
    "debianutils",
    "diffutils",
    "dpkg",
    "findutils",
    "grep",
    "gzip",
    "hostname",
    "init-system-helpers",
    "libc-bin",
    "libpam-modules",
    "libpam-modules-bin",
    "libpam-runtime",
    "login",
    "mawk",
    "media-types",
    "mount",
    "ncurses-base",
    "ncurses-bin",
    "netbase",
    "openssl",
    "passwd",
    "perl-base",
    "sed",
    "sysvinit-utils",
    "tar",
    "tzdata",
    "usr-is-merged",
    "util-linux",
    "zlib1g",
];

/// Installs what is at `/packages`, and takes away what would differ from day to day.
const INSTALL: &str = include_str!("install.sh");

/// What images of languages have that are not `slim`: compilers, and headers of what is compiled
/// against most.
const BUILD_TOOLS: &str = "curl dpkg-dev file g++ gcc git libbz2-dev libc6-dev libffi-dev libjpeg-dev \
     liblzma-dev libpq-dev libreadline-dev libsqlite3-dev libssl-dev libxml2-dev libxslt1-dev libyaml-dev \
     make openssh-client patch pkg-config procps python3 unzip wget xz-utils zlib1g-dev";

/// How much of a system there is around a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// What the language needs to run.
    Slim,
    /// What others' packages are compiled with, besides.
    Full,
}

impl Extent {
    /// Packages, between spaces.
    fn tools(self) -> &'static str {
        match self {
            Extent::Slim => "",
            Extent::Full => BUILD_TOOLS,
        }
    }
}

/// A system, or a language on one.
#[derive(Debug, Clone)]
pub(super) struct System {
    suite: Suite,
    language: Language,
    extent: Extent,
    /// What was asked for: `3.12` of Python.
    wanted: String,
}

#[derive(Debug, Clone, Copy)]
enum Language {
    None,
    Python,
    Node(&'static str),
    Go(&'static GoPin),
}

/// The system that a reference asks for; `None` when none stands in for it.
pub(super) fn find(name: &str, reference: &Reference) -> Option<System> {
    let tag = reference.tag.as_deref().unwrap_or("latest");
    let mut parts = tag.split('-');
    let version = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let of_suite = |text: &str| text.parse::<Suite>().ok();
    let named = rest.iter().find_map(|part| of_suite(part));
    // Other systems of the same software are not Debian's.
    let foreign = |part: &&str| {
        part.starts_with("alpine")
            || part.starts_with("windows")
            || ["bullseye", "buster", "stretch", "jessie"].contains(part)
    };
    if rest.iter().any(foreign) || foreign(&version) {
        return None;
    }
    let (suite, language) = match name {
        "debian" => {
            let suite = match version {
                "latest" | "stable" => Suite::Trixie,
                "oldstable" => Suite::Bookworm,
                other => of_suite(other.split('.').next().unwrap_or(other))?,
            };
            (suite, Language::None)
        }
        "python" => {
            let minor: Option<u32> = match version {
                "latest" | "slim" | "3" => None,
                other => Some(other.strip_prefix("3.")?.split('.').next()?.parse().ok()?),
            };
            // Each release has one Python: the one asked for, or the next newer.
            let suite = match minor {
                Some(minor) if minor <= Suite::Bookworm.python_minor() => Suite::Bookworm,
                _ => Suite::Trixie,
            };
            (suite, Language::Python)
        }
        "node" => {
            let major = match version {
                "latest" | "lts" | "slim" | "current" => None,
                "krypton" => Some("24"),
                "jod" => Some("22"),
                "iron" => Some("20"),
                other => Some(other.split('.').next().unwrap_or(other)),
            };
            let version = Toolchains::node_versions()
                .into_iter()
                .find(|known| major.is_none_or(|major| known.split('.').next() == Some(major)))?;
            (named.unwrap_or(Suite::Bookworm), Language::Node(version))
        }
        "golang" => {
            let wanted = match version {
                "latest" | "1" => None,
                other if other.starts_with("1.") => Some(other),
                _ => return None,
            };
            let pin = go::pin_for(wanted);
            (named.unwrap_or(Suite::Trixie), Language::Go(pin))
        }
        _ => return None,
    };
    let is_slim = version == "slim" || rest.contains(&"slim");
    Some(System {
        suite,
        language,
        extent: if is_slim { Extent::Slim } else { Extent::Full },
        wanted: version.to_owned(),
    })
}

/// Makes a system: its layers, configuration, and what it is.
pub(super) fn assemble(
    workshop: &Workshop<'_>,
    system: &System,
) -> Result<(Vec<ImageLayer>, ImageConfig, String), StandInError> {
    let base = debian_system(workshop, system.suite)?;
    let debian = format!("Debian {}", system.suite.version());
    let mut config = ImageConfig {
        environment: vec![("PATH".to_owned(), dockerfile::PATH.to_owned())],
        command: vec!["bash".to_owned()],
        ..ImageConfig::default()
    };
    config
        .labels
        .insert(SOURCES_LABEL.to_owned(), "machine".to_owned());
    config.labels.insert(LABEL.to_owned(), debian.clone());
    let (text, contexts, product) = match system.language {
        Language::None => return Ok((base, config, debian)),
        Language::Python => {
            let minor = system.suite.python_minor();
            let wanted = system.wanted.trim_start_matches("3.");
            let wanted: Option<u32> = wanted.split('.').next().and_then(|part| part.parse().ok());
            let other = wanted.filter(|wanted| *wanted != minor).unwrap_or(minor);
            let text = include_str!("python.Dockerfile")
                .replace("@TOOLS@", system.extent.tools())
                .replace("@MINOR@", &minor.to_string())
                .replace("@WANTED@", &other.to_string());
            (text, Vec::new(), format!("Python 3.{minor} from {debian}"))
        }
        Language::Node(version) => {
            let node = workshop
                .toolchains
                .program("node", Some(version), workshop.architecture)
                .map_err(DockerfileError::from_tool)?;
            let npm = workshop
                .toolchains
                .program("npm", None, workshop.architecture)
                .map_err(DockerfileError::from_tool)?;
            let contexts = vec![
                ("node".to_owned(), node.path.display().to_string()),
                ("npm".to_owned(), npm.path.display().to_string()),
            ];
            let text = include_str!("node.Dockerfile")
                .replace("@TOOLS@", system.extent.tools())
                .replace("@VERSION@", version);
            (text, contexts, format!("Node {version} on {debian}"))
        }
        Language::Go(pin) => {
            let go = workshop
                .toolchains
                .go(pin, workshop.architecture)
                .map_err(DockerfileError::from_tool)?;
            let contexts = vec![("go".to_owned(), go.path.display().to_string())];
            let text = include_str!("go.Dockerfile")
                .replace("@TOOLS@", system.extent.tools())
                .replace("@VERSION@", pin.version);
            let product = format!("Go {} on {debian}", pin.version);
            (text, contexts, product)
        }
    };
    let (layers, mut config) = dockerfile::build_on(workshop, &text, contexts, base, config)?;
    config.labels.insert(LABEL.to_owned(), product.clone());
    Ok((layers, config, product))
}

/// A Debian system that dpkg installed.
fn debian_system(workshop: &Workshop<'_>, suite: Suite) -> Result<Vec<ImageLayer>, StandInError> {
    let mut request = BaseRequest::new(suite, workshop.architecture);
    request.runtime = PACKAGES.map(str::to_owned).to_vec();
    let base = base::assemble(workshop, &request)?;
    let key = format!("{RULES} of {} by {INSTALL}", base.identity());
    let layers = workshop.layers(&key, || {
        let archives = debian::Base::new(
            workshop.store,
            &workshop.debian.fetcher,
            &workshop.debian.settings,
        )
        .archives(workshop.subject, &request)?;
        workshop.tell(format!("installing Debian {}", suite.version()));
        let scratch = workshop.scratch().map_err(DockerfileError::from)?;
        let packages = scratch
            .directory("packages", (0, 0))
            .map_err(DockerfileError::from)?;
        for (name, archive) in archives {
            show(&archive, &packages.join(format!("{name}.deb"))).map_err(DockerfileError::from)?;
        }
        let step = SystemStep {
            name: "installing Debian",
            script: INSTALL,
            packages: &packages,
        };
        let created_by = format!("debian {}: dpkg and apt", suite.version());
        let layer = dockerfile::flattened(workshop, base.layers(), &step, &created_by)?;
        Ok::<_, StandInError>(vec![layer])
    })?;
    Ok(layers)
}

/// Makes a file visible under another name, without copying it where that can be.
fn show(file: &Path, place: &Path) -> std::io::Result<()> {
    match fs::hard_link(file, place) {
        Ok(()) => Ok(()),
        Err(_) => fs::copy(file, place).map(|_| ()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(text: &str) -> Option<System> {
        let (name, _) = text.split_once(':').unwrap();
        find(name, &text.parse().unwrap())
    }

    #[test]
    fn tags_name_releases_and_versions() {
        let suite = |text: &str| system(text).map(|system| system.suite);
        assert_eq!(suite("debian:bookworm-slim"), Some(Suite::Bookworm));
        assert_eq!(suite("debian:13"), Some(Suite::Trixie));
        assert_eq!(suite("debian:12.5-slim"), Some(Suite::Bookworm));
        assert_eq!(suite("debian:bullseye"), None);
        assert_eq!(suite("python:3.11-slim-bookworm"), Some(Suite::Bookworm));
        assert_eq!(suite("python:3.12-slim"), Some(Suite::Trixie));
        assert_eq!(suite("python:3.12-alpine"), None);
        assert_eq!(suite("python:2.7"), None);
        let node = |text: &str| match system(text)?.language {
            Language::Node(version) => version.split('.').next(),
            _ => None,
        };
        let extent = |text: &str| system(text).map(|system| system.extent);
        assert_eq!(extent("python:slim"), Some(Extent::Slim));
        assert_eq!(extent("python:3.12-slim-bookworm"), Some(Extent::Slim));
        assert_eq!(extent("python:3.12"), Some(Extent::Full));
        assert_eq!(extent("node:22-trixie"), Some(Extent::Full));
        assert_eq!(node("node:20-slim"), Some("20"));
        assert_eq!(node("node:22.3.0-bookworm"), Some("22"));
        assert_eq!(node("node:lts"), Some("24"));
        assert_eq!(node("node:16"), None);
        assert_eq!(node("node:20-alpine"), None);
        let go = |text: &str| match system(text)?.language {
            Language::Go(pin) => Some(pin.version),
            _ => None,
        };
        assert!(go("golang:1.26-bookworm").unwrap().starts_with("1.26."));
        assert!(go("golang:latest").is_some());
        assert_eq!(go("golang:1.26-alpine"), None);
        assert_eq!(go("golang:tip"), None);
    }
}
