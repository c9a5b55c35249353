//! Names of wheels: what they say they run on, and which of several is the best one here.
//!
//! The order is the one that installers share: the most particular build first.

use crate::debian::Suite;
use crate::oci::Architecture;
use crate::python::pinned::normalised;
use crate::python::target::Target;

/// The oldest C library that a name with a version speaks of.
const OLDEST_LIBRARY: u32 = 5;

/// A wheel's file name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WheelName<'n> {
    /// The distribution's normalised name.
    pub name: String,
    /// Its version as written.
    pub version: &'n str,
    /// What tells builds of one version apart.
    build: (u64, &'n str),
    pythons: &'n str,
    interfaces: &'n str,
    platforms: &'n str,
}

impl<'n> WheelName<'n> {
    /// Reads `name-version(-build)-python-interface-platform.whl`.
    pub(super) fn parse(file: &'n str) -> Option<Self> {
        let parts: Vec<&str> = file.strip_suffix(".whl")?.split('-').collect();
        let (name, version, build, rest) = match parts.as_slice() {
            [name, version, rest @ ..] if rest.len() == 3 => (name, version, "", rest),
            [name, version, build, rest @ ..] if rest.len() == 3 => (name, version, *build, rest),
            _ => return None,
        };
        let digits = build.len() - build.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        Some(Self {
            name: normalised(name),
            version,
            build: (build[..digits].parse().unwrap_or(0), &build[digits..]),
            pythons: rest[0],
            interfaces: rest[1],
            platforms: rest[2],
        })
    }

    /// How well it fits, best first; `None` when it does not run there.
    pub(super) fn rank(&self, tags: &Tags) -> Option<(usize, std::cmp::Reverse<(u64, String)>)> {
        let fits = |tag: &&(String, String, String)| {
            let named = |list: &str, one: &str| list.split('.').any(|entry| entry == one);
            named(self.pythons, &tag.0)
                && named(self.interfaces, &tag.1)
                && named(self.platforms, &tag.2)
        };
        let place = tags.0.iter().position(|tag| fits(&tag))?;
        let build = (self.build.0, self.build.1.to_string());
        Some((place, std::cmp::Reverse(build)))
    }
}

/// What an interpreter takes, best first: Python, interface, platform.
pub(super) struct Tags(Vec<(String, String, String)>);

impl Tags {
    /// What the image's interpreter takes.
    pub(super) fn of(target: &Target) -> Self {
        let processor = match target.architecture {
            Architecture::Amd64 => "x86_64",
            Architecture::Arm64 => "aarch64",
        };
        // For another processor uv is told a version that it knows.
        let library = match (target.interpreter.suite, target.is_foreign()) {
            (Suite::Bookworm, _) => 36,
            (Suite::Trixie, true) => 40,
            (Suite::Trixie, false) => 41,
        };
        let minor = target.interpreter.minor.strip_prefix("3.");
        let minor = minor.and_then(|minor| minor.parse().ok()).unwrap_or(0);
        Self::for_python(minor, processor, library)
    }

    fn for_python(minor: u32, processor: &str, library: u32) -> Self {
        let platforms = platforms(processor, library);
        let own = format!("cp3{minor}");
        let mut tags = Vec::new();
        let mut native = |python: &str, interface: &str| {
            for platform in &platforms {
                tags.push((python.to_string(), interface.to_string(), platform.clone()));
            }
        };
        native(&own, &own);
        native(&own, "abi3");
        native(&own, "none");
        for older in (2..minor).rev() {
            native(&format!("cp3{older}"), "abi3");
        }
        let mut generic = vec![format!("py3{minor}"), "py3".to_string()];
        generic.extend((0..minor).rev().map(|older| format!("py3{older}")));
        for python in &generic {
            native(python, "none");
        }
        for python in std::iter::once(&own).chain(&generic) {
            tags.push((python.clone(), "none".to_string(), "any".to_string()));
        }
        Self(tags)
    }
}

fn platforms(processor: &str, library: u32) -> Vec<String> {
    let oldest = match processor {
        "x86_64" => OLDEST_LIBRARY,
        _ => 17,
    };
    let mut all = Vec::new();
    for version in (oldest..=library).rev() {
        all.push(format!("manylinux_2_{version}_{processor}"));
        let alias = match version {
            17 => "manylinux2014",
            12 => "manylinux2010",
            5 => "manylinux1",
            _ => continue,
        };
        all.push(format!("{alias}_{processor}"));
    }
    all.push(format!("linux_{processor}"));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best<'f>(files: &[&'f str]) -> Option<&'f str> {
        let tags = Tags::for_python(13, "x86_64", 41);
        let ranked = files.iter().filter_map(|file| {
            let rank = WheelName::parse(file)?.rank(&tags)?;
            Some((rank, *file))
        });
        ranked.min().map(|(_, file)| file)
    }

    #[test]
    fn the_most_particular_wheel_that_runs_here_is_the_best() {
        let files = [
            "a-1-py3-none-any.whl",
            "a-1-cp39-abi3-manylinux_2_28_x86_64.whl",
            "a-1-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "a-1-cp313-cp313-manylinux_2_28_x86_64.whl",
            "a-1-cp313-cp313t-manylinux_2_28_x86_64.whl",
            "a-1-cp313-cp313-musllinux_1_2_x86_64.whl",
            "a-1-cp313-cp313-manylinux_2_28_aarch64.whl",
            "a-1-cp312-cp312-manylinux_2_28_x86_64.whl",
        ];
        assert_eq!(best(&files), Some(files[3]));
        assert_eq!(best(&files[..3]), Some(files[2]));
        assert_eq!(best(&files[..2]), Some(files[1]));
        assert_eq!(best(&files[4..]), None);
        assert_eq!(
            best(&["a-1-py2.py3-none-any.whl"]),
            Some("a-1-py2.py3-none-any.whl")
        );
    }

    #[test]
    fn of_two_builds_the_later_counts() {
        let files = ["a-1-9-py3-none-any.whl", "a-1-10b-py3-none-any.whl"];
        assert_eq!(best(&files), Some(files[1]));
    }

    #[test]
    fn names_are_taken_apart() {
        let name = WheelName::parse("Foo_Bar-1.0+cpu-py3-none-any.whl").unwrap();
        assert_eq!((name.name.as_str(), name.version), ("foo-bar", "1.0+cpu"));
        assert_eq!(WheelName::parse("foo-1.0.tar.gz"), None);
        assert_eq!(WheelName::parse("foo-1.0.whl"), None);
    }
}
