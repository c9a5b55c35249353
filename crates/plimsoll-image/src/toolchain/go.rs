//! Go itself, which is a module of the Go module proxy: pinned by the hash that the checksum
//! database of Go publishes for it, and laid out without what only its own tests use.

use std::cmp::Ordering;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::zip;
use crate::digest::Digest;
use crate::oci::Architecture;

/// The module that toolchains are versions of.
pub(super) const MODULE: &str = "golang.org/toolchain";

/// A pinned version of Go, with the hashes of its module for each processor as `go.sum` has them.
#[derive(Debug)]
pub(crate) struct GoPin {
    /// `1.27.3`.
    pub version: &'static str,
    amd64: &'static str,
    arm64: &'static str,
}

/// Pinned versions, oldest first.
const PINS: [GoPin; 3] = [
    GoPin {
        version: "1.25.14",
        amd64: "h1:XriDgll2yv4W2YeUo2X/WuUuy+iGJkXGH0CQloMBEXo=",
        arm64: "h1:tccCYNAEolyjUyQVNxD/wJuly2Sx85m+OUkzGIhO1oY=",
    },
    GoPin {
        version: "1.26.10",
        amd64: "h1:5VAGHlY8yl8pTPVSNIez3SNMy6fWabs+QMR25f3oMT0=",
        arm64: "h1:TuAzKmE5TqYnXpnhgY3GtBJCVg4AfNDA/K1gLyX5Hig=",
    },
    GoPin {
        version: "1.27.3",
        amd64: "h1:r0ub+FnqzZxoWm/dSUOI9DcIqYWn/mNYGFJcv7PyBzs=",
        arm64: "h1:VY4gDzfxOrsM17J2qtgZgiAIsWhp7XWK1jMfE3kXV0s=",
    },
];

/// The oldest pinned version that a module asking for `wanted` may be built with, or the newest of
/// all where it asks for a newer one: that one can fetch others, and verifies them.
pub(crate) fn pin_for(wanted: Option<&str>) -> &'static GoPin {
    let fits = |pin: &&GoPin| wanted.is_none_or(|wanted| compare(pin.version, wanted).is_ge());
    PINS.iter().find(fits).unwrap_or(&PINS[PINS.len() - 1])
}

/// Whether a module that asks for `wanted` may be built with `pin`.
pub(crate) fn satisfies(pin: &GoPin, wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| compare(pin.version, wanted).is_ge())
}

/// The order of versions of Go: `1.21` < `1.21rc2` < `1.21.0` < `1.21.1`.
fn compare(one: &str, other: &str) -> Ordering {
    let parts = |version: &str| -> Vec<i64> {
        let mut numbers: Vec<i64> = Vec::new();
        for part in version.trim_start_matches("go").split('.') {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            numbers.push(digits.parse().unwrap_or(0));
            if digits.len() < part.len() {
                // A pre-release comes before the first release of its line.
                numbers.push(-1);
                break;
            }
        }
        numbers
    };
    parts(one).cmp(&parts(other))
}

impl GoPin {
    /// The module's version for a processor.
    pub(super) fn module_version(&self, architecture: Architecture) -> String {
        format!("v0.0.1-go{}.linux-{architecture}", self.version)
    }

    pub(super) fn hash(&self, architecture: Architecture) -> &'static str {
        match architecture {
            Architecture::Amd64 => self.amd64,
            Architecture::Arm64 => self.arm64,
        }
    }
}

/// Verifies a module's archive and puts its files into `place`. The error is a short reason.
pub(super) fn lay_out(
    archive: &[u8],
    prefix: &str,
    hash: &str,
    place: &Path,
) -> Result<(), String> {
    let mut entries = zip::entries(archive)?;
    entries.sort_by_key(|entry| entry.name);
    let mut listing = Sha256::new();
    for entry in &entries {
        let content = entry.content()?;
        listing.update(format!("{}  {}\n", Digest::of(&content).hex(), entry.name));
        let Some(path) = entry.name.strip_prefix(prefix) else {
            return Err(format!("`{}` is not of that module", entry.name));
        };
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(format!("`{}` leads out of it", entry.name));
        }
        if is_needed(path) {
            write(&place.join(path), &content, is_program(path))?;
        }
    }
    let found = format!("h1:{}", crate::fetch::base64(&listing.finalize()));
    if found != hash {
        return Err(format!("its hash is {found}, expected {hash}"));
    }
    Ok(())
}

/// A module's archive carries no permissions; programs are where Go expects them.
fn is_program(path: &str) -> bool {
    path.starts_with("bin/") || path.starts_with("pkg/tool/")
}

fn is_needed(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    let tests = path.ends_with("_test.go") || path.contains("/testdata/");
    !tests && !matches!(first, "test" | "doc" | "api" | "misc")
}

fn write(path: &Path, content: &[u8], program: bool) -> Result<(), String> {
    let mode = if program { 0o755 } else { 0o644 };
    let written = (|| {
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        fs_err::write(path, content)?;
        fs_err::set_permissions(path, Permissions::from_mode(mode))
    })();
    written.map_err(|error: std::io::Error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_built_with_the_oldest_version_that_may() {
        assert_eq!(pin_for(None).version, "1.25.14");
        assert_eq!(pin_for(Some("1.17")).version, "1.25.14");
        assert_eq!(pin_for(Some("1.25.14")).version, "1.25.14");
        assert_eq!(pin_for(Some("1.26rc1")).version, "1.26.10");
        assert_eq!(pin_for(Some("go1.26.10")).version, "1.26.10");
        assert_eq!(pin_for(Some("1.26.11")).version, "1.27.3");
        assert_eq!(pin_for(Some("1.99")).version, "1.27.3");
        assert!(!satisfies(pin_for(Some("1.99")), Some("1.99")));
    }

    #[test]
    fn versions_are_ordered_as_go_orders_them() {
        let sorted = ["1.9", "1.21", "1.21rc2", "1.21.0", "1.21.10", "1.22"];
        for pair in sorted.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
    }

    #[test]
    fn a_module_is_laid_out_when_its_hash_is_right() {
        let prefix = "m@v1/";
        let files: [(&str, &[u8], u32); 3] = [
            ("m@v1/bin/go", b"elf", 0),
            ("m@v1/src/a_test.go", b"test", 0),
            ("m@v1/src/a.go", b"package a", 0),
        ];
        let bytes = zip::tests::archive(&files);
        let root = tempfile::tempdir().unwrap();
        let failed = lay_out(&bytes, prefix, "h1:x", root.path()).unwrap_err();
        let hash = failed
            .strip_prefix("its hash is ")
            .and_then(|rest| rest.split(',').next())
            .unwrap();
        lay_out(&bytes, prefix, hash, root.path()).unwrap();
        let mode = fs_err::metadata(root.path().join("bin/go"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755);
        assert!(root.path().join("src/a.go").is_file());
        assert!(!root.path().join("src/a_test.go").exists());
    }

    #[test]
    fn a_path_that_leads_out_is_refused() {
        let bytes = zip::tests::archive(&[("m@v1/../x", b"", 0)]);
        let root = tempfile::tempdir().unwrap();
        let failed = lay_out(&bytes, "m@v1/", "h1:", root.path()).unwrap_err();
        assert_eq!(failed, "`m@v1/../x` leads out of it");
    }
}
